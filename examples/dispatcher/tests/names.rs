//! Destinations that a name server knows.
#![expect(clippy::disallowed_types, reason = "the test changes what the name server's thread says")]

mod support;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{Program, answer, first, invite, until};

/// What a name server says of a service: hosts with addresses, ports, priorities and weights; `None`: that it fails.
type Zone = Option<Vec<(&'static str, Ipv4Addr, u16, u16, u16)>>;

/// A name server for one service.
struct NameServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

impl NameServer {
    fn start(zone: Zone) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let zone = Arc::new(Mutex::new(zone));
        let known = zone.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 1_024];
            while let Ok((length, source)) = socket.recv_from(&mut buffer) {
                let answer = answer_to(&buffer[..length], &known.lock().unwrap());
                socket.send_to(&answer, source).unwrap();
            }
        });
        Self { address, zone }
    }

    fn say(&self, zone: Zone) {
        *self.zone.lock().unwrap() = zone;
    }
}

/// The answer to a question (RFC 1035 §4).
fn answer_to(query: &[u8], zone: &Zone) -> Vec<u8> {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8(query[at + 1..at + 1 + length].to_vec()).unwrap().to_lowercase());
        at += 1 + length;
    }
    let (name, kind) = (labels.join("."), u16::from_be_bytes([query[at + 1], query[at + 2]]));
    let question = &query[12..at + 5];
    let mut records: Vec<Vec<u8>> = Vec::new();
    for (host, address, port, priority, weight) in zone.iter().flatten() {
        if kind == 33 && name == "_sip._udp.pbx.test" {
            let mut data: Vec<u8> = [*priority, *weight, *port].iter().flat_map(|it| it.to_be_bytes()).collect();
            for label in host.split('.') {
                data.push(label.len() as u8);
                data.extend_from_slice(label.as_bytes());
            }
            data.push(0);
            records.push(data);
        }
        if kind == 1 && name == *host {
            records.push(address.octets().to_vec());
        }
    }
    let code = if zone.is_none() { 2 } else { 0 };
    let mut out = query[..2].to_vec();
    out.extend_from_slice(&[0x85, 0x80 | code, 0, 1, 0, records.len() as u8, 0, 0, 0, 0]);
    out.extend_from_slice(question);
    for data in records {
        out.extend_from_slice(&[0xc0, 12]);
        out.extend_from_slice(&kind.to_be_bytes());
        // One second to live.
        out.extend_from_slice(&[0, 1, 0, 0, 0, 1]);
        out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        out.extend_from_slice(&data);
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn destinations_come_from_srv_records_change_with_them_and_stay_when_nobody_answers() {
    let servers: Vec<UdpSocket> = (0..2).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let port = |number: usize| servers[number].local_addr().unwrap().port();
    let one = ("one.pbx.test", Ipv4Addr::LOCALHOST, port(0), 10, 5);
    let two = ("two.pbx.test", Ipv4Addr::LOCALHOST, port(1), 20, 0);
    let dns = NameServer::start(Some(vec![one]));
    let more = format!(
        "[dns]\nservers = [\"{}\"]\n[[set]]\nname = \"named\"\ndomains = [\"pbx.test\"]\n[[set.srv]]\nname = \"_sip._udp.pbx.test\"\ninterval = 60\n",
        dns.address
    );
    let program = Program::start_with(None, &more).await;
    let of_dns = |status: &serde_json::Value| -> Vec<(String, u64, u64, String)> {
        let all = status["destinations"].as_array().unwrap();
        let named = all.iter().filter(|it| it["sets"] == serde_json::json!(["named"]));
        let number = |it: &serde_json::Value, key: &str| it[key].as_u64().unwrap();
        let text = |it: &serde_json::Value, key: &str| it[key].as_str().unwrap().to_owned();
        named.map(|it| (text(it, "name"), number(it, "priority"), number(it, "weight"), text(it, "state"))).collect()
    };
    let status = until("the first list", &program, |status| of_dns(status).len() == 1).await;
    let first_name = format!("udp:one.pbx.test:{}", port(0));
    assert_eq!(of_dns(&status)[0].0, first_name);
    assert_eq!((of_dns(&status)[0].1, of_dns(&status)[0].2), (10, 5));

    // A call of that domain goes there.
    let sip = program.sip;
    let servers = tokio::task::spawn_blocking(move || {
        let caller = UdpSocket::bind("127.0.0.1:0").unwrap();
        caller.set_read_timeout(Some(support::PATIENCE)).unwrap();
        let request = invite("by-name", caller.local_addr().unwrap(), "UDP")
            .replace("sip:bob@example.com SIP", "sip:bob@pbx.test SIP");
        caller.send_to(request.as_bytes(), sip).unwrap();
        let (which, request, source) = first(&servers);
        assert_eq!(which, 0);
        servers[which].send_to(answer(&request).as_bytes(), source).unwrap();
        let mut buffer = [0; 4_096];
        let length = caller.recv(&mut buffer).unwrap();
        assert!(buffer[..length].starts_with(b"SIP/2.0 200"));
        servers
    })
    .await
    .unwrap();

    // Records live one second, so a change is seen long before the interval.
    dns.say(Some(vec![one, two]));
    let status = until("the second server", &program, |status| of_dns(status).len() == 2).await;
    assert_eq!((of_dns(&status)[1].1, of_dns(&status)[1].2), (20, 100));
    // It is commanded by the name of its host, and cannot be removed, only disabled.
    let (code, changed) = program.command("POST", "/proxy/disable/one.pbx.test", "").await;
    assert!(code == 200 && changed.contains(&first_name), "{changed}");
    assert_eq!(program.command("DELETE", &format!("/destinations/{first_name}"), "").await.0, 409);

    // Nobody answers, then there is nothing: what was known stays, with what was wanted of it.
    let is_said = |status: &serde_json::Value, word: &str| {
        status["journal"].as_array().unwrap().iter().any(|line| line["what"].as_str().unwrap().contains(word))
    };
    dns.say(None);
    let status = until("the failure to be told", &program, |status| is_said(status, "DNS has no answer")).await;
    assert_eq!(of_dns(&status).len(), 2);
    dns.say(Some(Vec::new()));
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let status = program.status().await;
    assert_eq!(of_dns(&status).iter().map(|it| it.3.as_str()).collect::<Vec<_>>()[0], "disabled", "{status}");
    assert_eq!(of_dns(&status).len(), 2);
    // A start while nobody answers knows it too.
    let path = program.path();
    let Program { folder, server, .. } = program;
    server.stop().await;
    dns.say(None);
    support::rewrite(&path, |text| {
        text.replace(&format!("tcp = [\"{sip}\"]"), "").replace(&sip.to_string(), &support::free().to_string())
    });
    let mut config = dispatcher::Config::read(&path).unwrap();
    let http = support::free();
    config.http.as_mut().unwrap().listen = http;
    let server = dispatcher::Server::start(config, Some(path)).await.unwrap();
    let program = Program { sip, http, servers, folder, server };
    assert_eq!(of_dns(&program.status().await).len(), 2);

    // The name server is back and knows one: the other leaves.
    dns.say(Some(vec![two]));
    until("the list of now", &program, |status| of_dns(status).len() == 1).await;
    program.server.stop().await;
}
