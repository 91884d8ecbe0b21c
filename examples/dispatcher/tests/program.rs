//! The whole program on loopback: control by HTTP, messages by UDP and TCP.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use dispatcher::{Config, Server};
use serde_json::Value;
use support::{PATIENCE, Program, answer, first, free, invite, named, rewrite, until, visit};

#[tokio::test(flavor = "multi_thread")]
async fn destinations_are_listed_added_removed_drained_and_explained() {
    let program = Program::start(None).await;
    assert_eq!(program.states().await.len(), 3);
    assert_eq!(program.ask("GET", "/health", "", "").await.0, 200);
    assert_eq!(program.ask("GET", "/ready", "", "").await.0, 200);

    let body = r#"{"set": "all", "name": "new", "address": "127.0.0.1:9", "weight": 50}"#;
    assert_eq!(program.command("POST", "/destinations", body).await.0, 201);
    assert_eq!(program.states().await.len(), 4);
    for (bad, status) in [
        (r#"{"set": "none", "name": "x", "address": "127.0.0.1:9"}"#, 404),
        (r#"{"name": "x y", "address": "127.0.0.1:9"}"#, 422),
        (r#"{"name": "x", "address": "somewhere"}"#, 422),
        (r#"{"name": "x", "address": "127.0.0.1:9", "transport": "sctp"}"#, 422),
        ("nonsense", 400),
    ] {
        let (answered, why) = program.command("POST", "/destinations", bad).await;
        assert_eq!(answered, status, "{bad}: {why}");
        assert!(why.contains("error"), "{why}");
        assert_eq!(program.states().await.len(), 4, "nothing is changed");
    }
    assert_eq!(program.command("DELETE", "/destinations/new", "").await.0, 200);
    assert_eq!(program.command("DELETE", "/destinations/new", "").await.0, 404);
    assert_eq!(program.states().await.len(), 3);

    let (_, explained) = program.ask("GET", "/explain?call_id=abc", "", "").await;
    let explained: Value = serde_json::from_str(&explained).unwrap();
    let candidates = explained["candidates"].as_array().unwrap();
    assert_eq!((explained["chosen"].as_str(), candidates.len()), (candidates[0]["name"].as_str(), 3));

    assert_eq!(program.command("POST", "/destinations/node-0/drain?within=60", "").await.0, 200);
    let host = program.servers[1].local_addr().unwrap();
    assert_eq!(program.command("GET", &format!("/proxy/disable/{host}"), "").await.0, 200);
    let states = program.states().await;
    assert!(["draining", "disabled"].contains(&states[0].1.as_str()), "{states:?}");
    assert_eq!(states[1].1, "disabled");
    // All of one host at once.
    let (_, changed) = program.command("POST", "/proxy/enable/127.0.0.1", "").await;
    assert!(changed.contains("node-0") && changed.contains("node-2"), "{changed}");
    assert!(program.states().await.iter().all(|(_, state)| state != "disabled" && state != "draining"));
    let (_, metrics) = program.ask("GET", "/metrics", "", "").await;
    assert!(metrics.contains("dispatcher_destination_calls{destination=\"node-0\"} 0"), "{metrics}");
    program.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_something_brings_the_token_or_at_least_a_header() {
    let program = Program::start(Some("secret")).await;
    for headers in
        ["", "X-Requested-By: me\r\n", "Authorization: Bearer wrong\r\n", "Authorization: Basic c2VjcmV0\r\n"]
    {
        for (method, path) in [("GET", "/status"), ("POST", "/reload"), ("GET", "/proxy/disable/node-0")] {
            assert_eq!(program.ask(method, path, headers, "").await.0, 401, "{path} with {headers:?}");
        }
    }
    assert_eq!(program.ask("POST", "/reload", "Authorization: Bearer secret\r\n", "").await.0, 200);
    assert_eq!(program.ask("GET", "/health", "", "").await.0, 200);
    program.server.stop().await;

    let program = Program::start(None).await;
    assert_eq!(program.ask("POST", "/reload", "", "").await.0, 403);
    assert_eq!(program.ask("GET", "/proxy/disable/node-0", "", "").await.0, 403);
    program.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_is_whole_or_not_at_all_and_changes_are_kept() {
    let program = Program::start(None).await;
    program.command("POST", "/destinations/node-2/disable", "").await;
    rewrite(&program.path(), |text| text.replace("name = \"node-1\"", "name = \"node-0\""));
    let (status, why) = program.command("POST", "/reload", "").await;
    assert_eq!(status, 422);
    assert!(why.contains("node-0"), "{why}");
    assert_eq!(program.states().await.len(), 3);
    rewrite(&program.path(), |text| text.replacen("name = \"node-0\"", "name = \"other\"", 1));
    assert_eq!(program.command("POST", "/reload", "").await.0, 200);
    let after = program.states().await;
    assert_eq!(after.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["node-0", "node-2", "other"]);
    assert_eq!(after[1].1, "disabled", "the state stays");
    let path = program.path();
    let Program { folder, server, .. } = program;
    server.stop().await;
    // Begun again elsewhere, it knows what was changed.
    let (sip, http) = (free(), free());
    let mut config = Config::read(&path).unwrap();
    (config.sip.udp, config.sip.tcp) = (vec![sip], Vec::new());
    config.http.as_mut().unwrap().listen = http;
    config.sets.clear();
    let server = Server::start(config, Some(path)).await.unwrap();
    let program = Program { sip, http, servers: Vec::new(), folder, server };
    assert_eq!(program.states().await, after);
    program.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_by_udp_and_by_tcp_in_fragments_reach_a_server_and_their_answers_the_caller() {
    let program = Program::start(None).await;
    let (sip, servers) = (program.sip, program.servers);
    let outcome = tokio::task::spawn_blocking(move || {
        let caller = UdpSocket::bind("127.0.0.1:0").unwrap();
        caller.set_read_timeout(Some(PATIENCE)).unwrap();
        let local = caller.local_addr().unwrap();
        for number in 0..20 {
            caller.send_to(invite(&format!("udp-{number}"), local, "UDP").as_bytes(), sip).unwrap();
            let (server, request, source) = first(&servers);
            assert!(
                request.starts_with("INVITE sip:bob@example.com SIP/2.0\r\n")
                    && request.contains("\r\nVia: SIP/2.0/UDP"),
                "{request}"
            );
            servers[server].send_to(answer(&request).as_bytes(), source).unwrap();
            let mut buffer = [0; 4_096];
            let (length, _) = caller.recv_from(&mut buffer).unwrap();
            assert!(buffer[..length].starts_with(b"SIP/2.0 200 OK\r\n"));
        }
        // One byte at a time, with a keep-alive in front and another message right behind.
        let mut stream = TcpStream::connect(sip).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let here = stream.local_addr().unwrap();
        let both = format!("\r\n\r\n{}{}", invite("tcp-1", here, "TCP"), invite("tcp-2", here, "TCP"));
        for byte in both.as_bytes().chunks(1) {
            stream.write_all(byte).unwrap();
        }
        for _ in 0..2 {
            let (server, request, source) = first(&servers);
            assert_eq!(request.matches("Record-Route:").count(), 2, "{request}");
            assert!(request.ends_with("\r\n\r\nabc"));
            servers[server].send_to(answer(&request).as_bytes(), source).unwrap();
        }
        let mut answers = String::new();
        while answers.matches("SIP/2.0 200 OK").count() < 2 {
            let mut buffer = [0; 4_096];
            let length = stream.read(&mut buffer).unwrap();
            assert!(length > 0, "{answers}");
            answers.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
        assert!(answers.starts_with("\r\n"), "the keep-alive is answered first");
        // What cannot be framed ends its connection; others go on.
        stream.write_all(b"INVITE sip:x SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n").unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        caller.send_to(invite("udp-last", local, "UDP").as_bytes(), sip).unwrap();
        first(&servers).1
    });
    assert!(outcome.await.unwrap().contains("udp-last"));
    program.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_balanced_and_commanded_as_calls_are() {
    let (front, a, b) = (free(), named("a"), named("b"));
    let more = format!(
        "[[l4]]\nname = \"phones\"\nlisten = \"{front}\"\ncheck = 0.05\n[[l4.server]]\nname = \"a\"\naddress = \"{a}\"\n"
    );
    let program = Program::start_with(None, &more).await;
    let body = format!("{{\"set\": \"phones\", \"name\": \"b\", \"address\": \"{b}\"}}");
    assert_eq!(program.command("POST", "/destinations", &body).await.0, 201);
    let bad = format!("{{\"set\": \"phones\", \"address\": \"{b}\", \"weight\": 3}}");
    assert_eq!(program.command("POST", "/destinations", &bad).await.0, 422);
    let (of_one, one) = visit(front);
    let (of_two, two) = visit(front);
    assert_eq!([one, two], ['a', 'b']);

    assert_eq!(program.command("POST", "/destinations/a/drain?within=60", "").await.0, 200);
    assert!((0..3).all(|_| visit(front).1 == 'b'));
    let status = program.status().await;
    let server = &status["l4"][0]["servers"][0];
    assert_eq!((&server["state"], &server["drain"]["left"]), (&"draining".into(), &1.into()), "{status}");
    drop(of_one);
    let status = until("a to be empty", &program, |it| it["l4"][0]["servers"][0]["state"] == "disabled").await;
    let lines = status["journal"].as_array().unwrap();
    assert!(lines.iter().any(|line| line["what"].as_str().unwrap().contains("drained after")), "{status}");
    // By its address, as a hook would.
    assert_eq!(program.command("GET", &format!("/proxy/disable/{b}"), "").await.0, 200);
    assert_eq!(program.ask("GET", "/ready", "", "").await.0, 503);
    assert_eq!(program.command("GET", &format!("/proxy/enable/{a}"), "").await.0, 200);
    assert_eq!(program.ask("GET", "/ready", "", "").await.0, 200);
    assert_eq!(visit(front).1, 'a');
    let (_, metrics) = program.ask("GET", "/metrics", "", "").await;
    assert!(metrics.contains("dispatcher_l4_connections{balancer=\"phones\",server=\"b\"} 1"), "{metrics}");

    // A reload takes the file's servers; a list of listeners that is another one is refused whole.
    assert_eq!(program.command("POST", "/reload", "").await.0, 200);
    assert_eq!(program.status().await["l4"][0]["servers"].as_array().unwrap().len(), 1);
    rewrite(&program.path(), |text| text.replace("name = \"phones\"", "name = \"others\"").replace("node-0", "new"));
    let (status, why) = program.command("POST", "/reload", "").await;
    assert!(status == 422 && why.contains("new start"), "{why}");
    assert!(program.states().await.iter().any(|(name, _)| name == "node-0"), "nothing is changed");
    program.server.stop().await;
    drop(of_two);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_connections_and_their_states_are_kept() {
    let (front, a, b) = (free(), named("a"), named("b"));
    let more =
        format!("[[l4]]\nname = \"phones\"\nlisten = \"{front}\"\n[[l4.server]]\nname = \"a\"\naddress = \"{a}\"\n");
    let program = Program::start_with(None, &more).await;
    let body = format!("{{\"set\": \"phones\", \"name\": \"b\", \"address\": \"{b}\"}}");
    assert_eq!(program.command("POST", "/destinations", &body).await.0, 201);
    assert_eq!(program.command("POST", "/destinations/a/disable", "").await.0, 200);
    let path = program.path();
    let Program { folder, server, .. } = program;
    server.stop().await;
    let mut config = Config::read(&path).unwrap();
    let (sip, http, front) = (free(), free(), free());
    (config.sip.udp, config.sip.tcp) = (vec![sip], Vec::new());
    config.http.as_mut().unwrap().listen = http;
    config.l4[0].listen = front;
    let server = Server::start(config, Some(path)).await.unwrap();
    assert!((0..3).all(|_| visit(front).1 == 'b'));
    server.stop().await;
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_answers_with_garbage_by_udp_or_down_a_connection_harms_no_other_call() {
    // One that says nonsense to whoever connects, and what a proxy must not take for an answer.
    let nonsense = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nonsense.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in nonsense.incoming().flatten() {
            let _ = stream.read(&mut [0; 65_535]);
            let _ = stream.write_all(b"SIP/2.0 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n\0\xff\xfe");
        }
    });
    let more = format!(
        "[[set]]\nname = \"odd\"\ndomains = [\"odd.test\"]\n[[set.destination]]\nname = \"odd\"\naddress = \"{address}\"\ntransport = \"tcp\"\n"
    );
    let program = Program::start_with(None, &more).await;
    let (sip, servers) = (program.sip, program.servers);
    let outcome = tokio::task::spawn_blocking(move || {
        let caller = UdpSocket::bind("127.0.0.1:0").unwrap();
        caller.set_read_timeout(Some(PATIENCE)).unwrap();
        let local = caller.local_addr().unwrap();
        let odd = invite("odd", local, "UDP").replace("INVITE sip:bob@example.com", "INVITE sip:bob@odd.test");
        caller.send_to(odd.as_bytes(), sip).unwrap();
        caller.send_to(invite("good", local, "UDP").as_bytes(), sip).unwrap();
        let (server, request, source) = first(&servers);
        let right = answer(&request);
        let foreign = right.replacen("\r\nVia:", "\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKnever\r\nVia:", 1);
        for garbage in [
            b"".as_slice(),
            b"\0\0\0\0",
            b"SIP/2.0 200",
            b"SIP/2.0 999999 OK\r\n\r\n",
            b"SIP/2.0 200 OK\r\nVia: \r\n\r\n",
            &right.as_bytes()[..right.len() / 2],
            foreign.as_bytes(),
            &[b'A'; 60_000],
        ] {
            servers[server].send_to(garbage, source).unwrap();
        }
        servers[server].send_to(right.as_bytes(), source).unwrap();
        let mut buffer = [0; 65_535];
        let (length, _) = caller.recv_from(&mut buffer).unwrap();
        let heard = String::from_utf8(buffer[..length].to_vec()).unwrap();
        // Whatever came of the garbage, the caller hears the one right answer and nothing else.
        caller.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        (heard, caller.recv_from(&mut buffer).is_err())
    });
    let (heard, is_alone) = outcome.await.unwrap();
    assert!(heard.starts_with("SIP/2.0 200 OK\r\n") && heard.contains("Call-ID: good"), "{heard}");
    assert!(is_alone, "something else came");
    assert_eq!(program_health(program.http).await, 200);
    program.server.stop().await;
}

async fn program_health(http: SocketAddr) -> u16 {
    let asking = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(http).unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    });
    asking.await.unwrap()
}
