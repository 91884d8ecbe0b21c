//! The whole cluster in one process, on loopback addresses that Linux has without being told.
#![cfg(target_os = "linux")]

use std::{sync::Arc, time::Duration};

use clap::Parser;
use cluster::{
    cli::Cli,
    cluster::Cluster,
    control::{Control, Order},
    phone::Phase,
    picture::{Phone, Picture},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(40);

/// A cluster at its own addresses and in its own folder, that makes no calls by itself.
async fn start(place: u8, folder: &std::path::Path, more: &[&str]) -> Cluster {
    let (place, work) = (place.to_string(), folder.display().to_string());
    let arguments = ["cluster", "--http", "127.0.0.1:0", "--no-demo-calls", "--loopback", &place, "--work", &work];
    Cluster::start(&Cli::parse_from(arguments.iter().chain(more))).await.unwrap()
}

async fn until(control: &Control, what: &str, is: impl Fn(&Picture) -> bool) -> Arc<Picture> {
    let mut picture = control.picture.clone();
    let waited = timeout(PATIENCE, picture.wait_for(|picture| is(picture))).await;
    match waited {
        Ok(Ok(found)) => found.clone(),
        _ => panic!("waited in vain for {what}: {:#?}", control.picture()),
    }
}

fn registered(picture: &Picture) -> bool {
    picture.phones.len() == 4 && picture.phones.iter().all(|phone| phone.node.is_some())
}

fn trunked(picture: &Picture) -> bool {
    picture.nodes.iter().all(|node| node.running && node.peers.len() == 1 && node.peers[0].reachable)
}

fn call(phone: &str, number: &str) -> Order {
    Order::Call { phone: phone.into(), number: number.into() }
}

/// Whether two phones talk and each hears the other's tone.
fn hear_each_other(one: &Phone, other: &Phone) -> bool {
    let hears = |ear: &Phone, mouth: &Phone| {
        ear.state.call.as_ref().is_some_and(|call| call.phase == Phase::Up && call.heard.tone == Some(mouth.state.tone))
    };
    hears(one, other) && hears(other, one)
}

async fn end(cluster: Cluster) {
    cluster.control.ask(Order::End).await.unwrap();
    timeout(PATIENCE, cluster.wait()).await.expect("the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_alternate_call_across_and_each_pbx_writes_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = start(77, folder.path(), &[]).await;
    let control = cluster.control.clone();
    let picture = until(&control, "phones and trunk", |picture| registered(picture) && trunked(picture)).await;
    let homes: Vec<_> = picture.phones.iter().map(|phone| phone.node.unwrap()).collect();
    assert_eq!(homes, ["pbx", "zone", "pbx", "zone"]);

    control.ask(call("1001", "1002")).await.unwrap();
    let picture =
        until(&control, "a talk across", |picture| hear_each_other(&picture.phones[0], &picture.phones[1])).await;
    assert_eq!((picture.trunk.calls.len(), picture.trunk.calls[0].node), (1, "pbx"), "{:?}", picture.trunk);
    assert_eq!(control.ask(call("1001", "1003")).await, Err("1001 is in a call".to_owned()));
    until(&control, "traffic on the trunk", |picture| picture.trunk.rate > 50.0).await;
    control.ask(Order::HangUp { phone: "1002".into() }).await.unwrap();
    let picture = until(&control, "both records", |picture| picture.records.len() == 2).await;
    let of = |node: &str| &picture.records.iter().find(|record| record.node == node).unwrap().record;
    let (near, far) = (of("pbx"), of("zone"));
    assert!(near.channel.starts_with("SIP/1001-") && near.dstchannel.starts_with("IAX2/zone1-"), "{near:?}");
    assert!(far.channel.starts_with("IAX2/zone2-") && far.dstchannel.starts_with("SIP/1002-"), "{far:?}");
    assert_eq!((near.disposition.as_str(), far.disposition.as_str()), ("ANSWERED", "ANSWERED"));

    // Within one PBX: the trunk carries nothing once the call is up.
    control.ask(call("1003", "1001")).await.unwrap();
    let picture =
        until(&control, "a talk within", |picture| hear_each_other(&picture.phones[2], &picture.phones[0])).await;
    assert_eq!(picture.trunk.calls, []);
    end(cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_pbx_gives_its_phones_to_the_other_and_both_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = start(78, folder.path(), &["--trunk"]).await;
    let control = cluster.control.clone();
    until(&control, "phones and trunk", |picture| registered(picture) && trunked(picture)).await;
    control.ask(Order::Stop { node: "zone".into() }).await.unwrap();
    until(&control, "all phones at the first PBX", |picture| {
        picture.phones.iter().all(|phone| phone.node == Some("pbx"))
    })
    .await;
    control.ask(call("1002", "1004")).await.unwrap();
    until(&control, "a talk", |picture| hear_each_other(&picture.phones[1], &picture.phones[3])).await;
    control.ask(Order::Stop { node: "pbx".into() }).await.unwrap();
    until(&control, "nobody registered", |picture| picture.phones.iter().all(|phone| phone.node.is_none())).await;
    for node in ["zone", "pbx"] {
        control.ask(Order::Start { node: node.into() }).await.unwrap();
    }
    until(&control, "everything back", |picture| registered(picture) && trunked(picture)).await;
    // Only one: the other one is told at once that it has to register again, not when its minute is over.
    control.ask(Order::Stop { node: "pbx".into() }).await.unwrap();
    control.ask(Order::Start { node: "pbx".into() }).await.unwrap();
    until(&control, "everything back again", |picture| registered(picture) && trunked(picture)).await;
    control.ask(Order::Reconnect { phone: "1001".into() }).await.unwrap();
    until(&control, "1001 elsewhere or again", registered).await;
    assert_eq!(control.ask(Order::Stop { node: "nowhere".into() }).await, Err("there is no PBX nowhere".to_owned()));
    end(cluster).await;
}

#[tokio::test]
async fn a_mistake_in_the_files_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("files");
    cluster::files::write_out(&files).unwrap();
    std::fs::write(files.join("zone/extensions.conf"), "[admin]\nexten => _1XXX,one,Dial(SIP/1001)\n").unwrap();
    let (work, files) = (folder.path().display().to_string(), files.display().to_string());
    let arguments = ["cluster", "--http", "127.0.0.1:0", "--loopback", "79", "--work", &work, "--files", &files];
    let error = Cluster::start(&Cli::parse_from(arguments)).await.unwrap_err().to_string();
    assert!(error.contains("extensions.conf:2"), "{error}");
}

#[tokio::test]
async fn a_page_that_others_can_reach_is_refused_before_anything_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    let arguments = ["cluster", "--http", "0.0.0.0:0", "--loopback", "80", "--work", work.to_str().unwrap()];
    let error = Cluster::start(&Cli::parse_from(arguments)).await.unwrap_err().to_string();
    assert!(error.contains("0.0.0.0:0") && error.contains("--exposed"), "{error}");
    assert!(!work.exists());
}

/// The first line of the answer to a request with these headers.
async fn ask(page: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(page).await.unwrap();
    stream.write_all(format!("{request}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn only_the_page_itself_gives_orders() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let page = listener.local_addr().unwrap();
    let (control, mut orders, _publisher) = Control::new();
    tokio::spawn(cluster::http::serve(listener, control));
    let given = tokio::spawn(async move {
        let (order, reply) = orders.recv().await.unwrap();
        reply.send(Ok(())).unwrap();
        order
    });
    for path in ["/", "/page.js", "/page.css", "/common.js", "/common.css", "/status"] {
        assert_eq!(ask(page, &format!("GET {path} HTTP/1.1\r\nHost: {page}")).await, "HTTP/1.1 200 OK", "{path}");
    }
    let stop = "POST /nodes/zone/stop HTTP/1.1\r\nContent-Length: 0\r\n";
    for (request, why) in [
        ("GET /status HTTP/1.1\r\nHost: rebound.example".to_owned(), "a name that was pointed here"),
        (format!("{stop}Host: rebound.example\r\nX-Requested-By: page"), "a name that was pointed here"),
        (format!("{stop}Host: {page}"), "a form of another page"),
        (format!("{stop}Host: {page}\r\nX-Requested-By: page\r\nOrigin: http://other.example"), "another page"),
    ] {
        assert_eq!(ask(page, &request).await, "HTTP/1.1 403 Forbidden", "{why}");
    }
    let own = format!("{stop}Host: {page}\r\nX-Requested-By: page\r\nOrigin: http://{page}");
    assert_eq!(ask(page, &own).await, "HTTP/1.1 204 No Content");
    assert_eq!(given.await.unwrap(), Order::Stop { node: "zone".into() }, "and none of the others came through");
}
