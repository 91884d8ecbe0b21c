//! The page, its guard, the metrics and the console, over real HTTP.

mod support;

use std::{net::SocketAddr, sync::Arc};

use pbx::{
    console,
    control::{Command, Control},
    http::router,
    status::{Account, Binding, Call, Side, State, Status, Step, Stream, Table},
};
use support::http::{Answer, request};
use tokio::{net::TcpListener, sync::mpsc};

fn picture() -> Status {
    let side = |number: &str, channel: &str| Side {
        channel: channel.into(),
        number: number.into(),
        peer: Some(number.into()),
        unique: "1700000000.7".into(),
        state: "Up",
        since: 1_700_000_030_000,
        began: 1_700_000_030_000,
        name: Some("Alice <b>".into()),
        address: "127.0.0.1:5070".into(),
        media: Some(Stream { packets: 500, lost: 3, jitter: 1.25, ..Stream::default() }),
        ..Side::default()
    };
    let step = |number: &str| Step { context: "default".into(), extension: number.into(), priority: 1 };
    let mut status = Status {
        at: 1_700_000_090_000,
        started: 1_700_000_000_000,
        accounts: vec![
            Account {
                name: "1001".into(),
                bindings: vec![Binding {
                    contact: "sip:1001@127.0.0.1:5070".into(),
                    transport: "UDP",
                    address: "127.0.0.1:5070".into(),
                    reachable: true,
                    ..Binding::default()
                }],
                ..Account::default()
            },
            Account { name: "1002".into(), ..Account::default() },
        ],
        calls: vec![
            Call {
                id: 7,
                state: State::Up,
                dialled: "1002".into(),
                application: "Dial".into(),
                step: step("1002"),
                data: "SIP/1002".into(),
                started: 1_700_000_000_000,
                answered: Some(1_700_000_030_000),
                codec: Some("PCMU".into()),
                caller: side("1001", "SIP/1001-00000001"),
                callee: Some(side("1002", "SIP/1002-00000002")),
                ..Call::default()
            },
            Call {
                id: 8,
                state: State::Up,
                dialled: "600".into(),
                application: "Echo".into(),
                step: step("600"),
                caller: side("1001", "SIP/1001-00000003"),
                ..Call::default()
            },
        ],
        tables: vec![Table { name: "dialogs", size: 3, limit: Some(100), per_call: true }],
        ..Status::default()
    };
    status.totals.refusals.insert("unknown_user", 4);
    status.totals.calls.insert("ANSWERED", 9);
    status.totals.rtp.insert("received", 12);
    status
}

/// A page over a picture; the orders that it gives come out of the receiver.
async fn page() -> (SocketAddr, Control, mpsc::Receiver<Command>) {
    let (control, orders, publisher) = Control::new(picture());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(control.clone(), address);
    tokio::spawn(async move {
        let _publisher = publisher;
        axum::serve(listener, router).await.unwrap();
    });
    (address, control, orders)
}

/// Hangs up call 7 and knows no other.
fn obey(mut orders: mpsc::Receiver<Command>) -> tokio::task::JoinHandle<Vec<u64>> {
    tokio::spawn(async move {
        let mut asked = Vec::new();
        while let Some(order) = orders.recv().await {
            if let Command::Hangup { call, reply } = order {
                asked.push(call);
                reply.send(call == 7).unwrap();
            }
        }
        asked
    })
}

const MAY: &[(&str, &str)] = &[("X-Requested-By", "test")];

#[tokio::test]
async fn the_page_and_what_it_needs_come_from_here_alone() {
    let (address, _control, _orders) = page().await;
    let page = request(address, "GET", "/", &[], "").await;
    assert_eq!(page.code, 200);
    assert!(page.body.contains("<title>Tandem PBX</title>"));
    assert!(page.head.contains("default-src 'none'"), "{}", page.head);
    for text in [
        &page.body,
        include_str!("../page/page.css"),
        include_str!("../page/page.js"),
        pbx::http::COMMON_STYLE,
        pbx::http::COMMON_SCRIPT,
    ] {
        let elsewhere = text.matches("//").count() - text.matches("http://www.w3.org/2000/svg").count();
        // Only the two comment lines of the script hold slashes that are no namespace.
        assert!(elsewhere <= 4 && !text.contains("https://"), "{elsewhere}");
        assert!(!text.contains("innerHTML"));
    }
    for path in ["/page.js", "/page.css", "/common.js", "/common.css"] {
        assert_eq!(request(address, "GET", path, &[], "").await.code, 200);
    }
}

#[tokio::test]
async fn health_tells_whether_new_calls_are_taken() {
    let (control, orders, publisher) = Control::new(picture());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(control, address);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let health = request(address, "GET", "/health", &[], "").await;
    assert_eq!((health.code, health.body.contains("\"ok\"")), (200, true));
    publisher.send_replace(Arc::new(Status { draining: true, ..picture() }));
    let health = request(address, "GET", "/health", &[], "").await;
    assert_eq!((health.code, health.body.contains("\"draining\"")), (503, true));
    drop(orders);
    assert!(request(address, "GET", "/health", &[], "").await.body.contains("\"stopping\""));
}

#[tokio::test]
async fn metrics_name_every_table_and_every_refusal() {
    let (address, _control, _orders) = page().await;
    let Answer { code, body, head } = request(address, "GET", "/metrics", &[], "").await;
    assert_eq!(code, 200);
    assert!(head.contains("openmetrics-text"), "{head}");
    for line in [
        "pbx_registrations 1",
        "pbx_draining 0",
        "pbx_calls{state=\"up\"} 2",
        "pbx_calls{state=\"ringing\"} 0",
        "pbx_table_entries{table=\"dialogs\"} 3",
        "pbx_table_limit{table=\"dialogs\"} 100",
        "pbx_refusals_total{reason=\"unknown_user\"} 4",
        "pbx_calls_ended_total{disposition=\"ANSWERED\"} 9",
        "pbx_rtp_packets_total{kind=\"received\"} 12",
        "pbx_cdr_errors_total 0",
        "# EOF",
    ] {
        assert!(body.lines().any(|found| found == line), "lacks {line}:\n{body}");
    }
}

#[tokio::test]
async fn the_picture_comes_as_events_at_once() {
    let (address, _control, _orders) = page().await;
    let head = support::http::first_event(address, "/events").await;
    let picture: serde_json::Value = serde_json::from_str(&head).unwrap();
    assert_eq!(picture["calls_total"], 2);
    assert_eq!(picture["calls"][0]["caller"]["number"], "1001");
    assert_eq!(picture["calls"][0]["state"], "up");
    assert_eq!(picture["accounts"][0]["bindings"][0]["transport"], "UDP");
}

#[tokio::test]
async fn the_button_hangs_up_the_call() {
    let (address, control, orders) = page().await;
    let obeyed = obey(orders);
    assert_eq!(request(address, "POST", "/calls/7/hangup", MAY, "").await.code, 204);
    assert_eq!(request(address, "POST", "/calls/9/hangup", MAY, "").await.code, 404);
    assert_eq!(request(address, "POST", "/calls/x/hangup", MAY, "").await.code, 400);
    drop(control);
    obeyed.abort();
}

#[tokio::test]
async fn another_page_cannot_hang_up() {
    let (address, _control, mut orders) = page().await;
    let own = format!("http://{address}");
    let host = address.to_string();
    // What the request carries, and why it must fail.
    let refused: &[(&[(&str, &str)], &str)] = &[
        (&[], "no header of ours: a form could have sent it"),
        (&[("X-Requested-By", "x"), ("Origin", "http://evil.example")], "another origin"),
        (&[("X-Requested-By", "x"), ("Origin", "null")], "a sandboxed frame"),
        (&[("X-Requested-By", "x"), ("Host", "evil.example")], "a name that was pointed here"),
    ];
    for (headers, why) in refused {
        let answer = request(address, "POST", "/calls/7/hangup", headers, "").await;
        assert_eq!(answer.code, 403, "{why}");
    }
    assert_eq!(request(address, "GET", "/", &[("Host", "evil.example:8080")], "").await.code, 403);
    assert_eq!(request(address, "GET", "/", &[("Host", "localhost:8080")], "").await.code, 200);
    assert_eq!(request(address, "GET", "/", &[("Host", "[::1]:8080")], "").await.code, 200);
    assert!(orders.try_recv().is_err(), "an order was given");
    let obeyed = obey(orders);
    let allowed = [("X-Requested-By", "page"), ("Origin", own.as_str()), ("Host", host.as_str())];
    assert_eq!(request(address, "POST", "/calls/7/hangup", &allowed, "").await.code, 204);
    obeyed.abort();
}

async fn ask(address: SocketAddr, line: &'static str) -> Result<String, String> {
    tokio::task::spawn_blocking(move || console::ask(address, line).unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_console_shows_channels_in_asterisks_columns() {
    let (address, _control, _orders) = page().await;
    assert_eq!(
        ask(address, "core show channels").await.unwrap(),
        "Channel              Location             State   Application(Data)             \n\
         SIP/1001-00000001    1002@default:1       Up      Dial(SIP/1002)                \n\
         SIP/1002-00000002    (None)               Up      AppDial((Outgoing Line))      \n\
         SIP/1001-00000003    600@default:1        Up      Echo()                        \n\
         3 active channels\n2 active calls\n11 calls processed\n"
    );
    let concise = ask(address, "core  show channels concise").await.unwrap();
    assert_eq!(
        concise.lines().next().unwrap(),
        "SIP/1001-00000001!default!1002!1!Up!Dial!SIP/1002!1001!1001!1002!3!60!SIP/1002-00000002!1700000000.7"
    );
}

#[tokio::test]
async fn the_console_shows_peers_in_asterisks_columns() {
    let (address, _control, _orders) = page().await;
    let peers = ask(address, "sip show peers").await.unwrap();
    let lines: Vec<_> = peers.lines().collect();
    assert!(lines[0].starts_with("Name/username             Host "), "{peers}");
    assert!(lines[1].starts_with("1001/1001                 127.0.0.1 "), "{peers}");
    assert!(lines[1].contains(" 5070 "), "{peers}");
    assert!(lines[2].starts_with("1002                      (Unspecified) "), "{peers}");
    assert_eq!(lines[3], "2 sip peers [Monitored: 0 online, 0 offline Unmonitored: 1 online, 1 offline]");
}

#[tokio::test]
async fn the_console_hangs_up_by_channel_and_says_what_it_does_not_know() {
    let (address, _control, orders) = page().await;
    let obeyed = obey(orders);
    let told = ask(address, "channel request hangup SIP/1002-00000002").await.unwrap();
    assert_eq!(told, "Requested Hangup on channel 'SIP/1002-00000002'\n");
    assert!(ask(address, "channel request hangup SIP/9").await.unwrap_err().contains("not a known channel"));
    assert!(ask(address, "module reload").await.unwrap_err().contains("No such command 'module reload'"));
    assert!(ask(address, "").await.unwrap_err().contains("help"));
    assert!(ask(address, "help").await.unwrap().contains("core show channels"));
    assert_eq!(ask(address, "core show uptime").await.unwrap(), "System uptime: 1 minute, 30 seconds\n");
    assert!(ask(address, "core show version").await.unwrap().starts_with("Tandem PBX "));
    assert!(ask(address, "sip show registry").await.unwrap().ends_with("0 SIP registrations.\n"));
    obeyed.abort();
}

#[tokio::test]
async fn the_console_can_end_the_program() {
    let (address, _control, mut orders) = page().await;
    ask(address, "core stop gracefully").await.unwrap();
    assert!(matches!(orders.recv().await, Some(Command::Publish { .. })), "what is told is of this moment");
    assert!(matches!(orders.recv().await, Some(Command::Drain)));
    ask(address, "core stop now").await.unwrap();
    assert!(matches!(orders.recv().await, Some(Command::Publish { .. })));
    assert!(matches!(orders.recv().await, Some(Command::Stop)));
}
