//! The tokio driver: two endpoints on real sockets of loopback.
#![cfg(feature = "tokio")]

use std::time::Duration;

use iax2::driver::{Driver, Handle};
use iax2::element::Cause;
use iax2::{Config, Credentials, Ended, Event, NewCall, PeerConfig};
use tokio::sync::mpsc::Receiver;

async fn start() -> (Handle, Receiver<Event>) {
    let (driver, handle, events) = Driver::bind("127.0.0.1:0".parse().unwrap(), Config::default()).await.unwrap();
    tokio::spawn(driver.run());
    (handle, events)
}

async fn wait<T>(events: &mut Receiver<Event>, mut look: impl FnMut(Event) -> Option<T>) -> T {
    let found = async {
        loop {
            let event = events.recv().await.expect("a running driver");
            if let Some(found) = look(event) {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), found).await.expect("an event in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_drivers_register_call_talk_and_hang_up_over_real_sockets() {
    let (server, mut server_events) = start().await;
    let (phone, mut phone_events) = start().await;
    let address = server.local_address();
    let alice = PeerConfig::new("alice").with_secret("1234").dynamic();
    server.run(|endpoint, now| endpoint.add_peer(now, alice)).await.unwrap().unwrap();
    let mut account = PeerConfig::new("server").at(address);
    account.credentials = Credentials::new("alice", "1234");
    phone.run(|endpoint, now| endpoint.add_peer(now, account)).await.unwrap().unwrap();

    let refresh = Duration::from_secs(60);
    phone.run(move |endpoint, now| endpoint.register(now, "server", refresh)).await.unwrap().unwrap();
    let apparent = wait(&mut phone_events, |event| match event {
        Event::Registered { apparent, .. } => apparent,
        _ => None,
    })
    .await;
    assert_eq!(apparent, phone.local_address());

    let call = phone.run(|endpoint, now| endpoint.dial(now, "server", &NewCall::to("600"))).await.unwrap().unwrap();
    let theirs = wait(&mut server_events, |event| match event {
        Event::Incoming { call, .. } => Some(call),
        _ => None,
    })
    .await;
    server.run(move |endpoint, now| endpoint.answer(now, theirs)).await.unwrap().unwrap();
    wait(&mut phone_events, |event| (event == Event::Answered(call)).then_some(())).await;
    phone.run(move |endpoint, now| endpoint.send_voice(now, call, &[0x55; 160])).await.unwrap().unwrap();
    let voice = wait(&mut server_events, |event| match event {
        Event::Voice { payload, .. } => Some(payload),
        _ => None,
    })
    .await;
    assert_eq!(voice[..], [0x55; 160]);
    server.run(move |endpoint, now| endpoint.hang_up(now, theirs, Cause::BUSY, None)).await.unwrap().unwrap();
    let reason = wait(&mut phone_events, |event| match event {
        Event::Ended { reason, .. } => Some(reason),
        _ => None,
    })
    .await;
    assert_eq!(reason, Ended::Hangup { cause: Some(Cause::BUSY), text: None });
}

#[tokio::test]
async fn commands_are_served_while_nobody_reads_the_events() {
    const CALLS: usize = 5_000;
    let (handle, mut events) = start().await;
    // Somewhere that never answers.
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let peer = PeerConfig::new("nobody").at(nobody.local_addr().unwrap());
    handle.run(|endpoint, now| endpoint.add_peer(now, peer)).await.unwrap().unwrap();
    let calls = handle.run(|endpoint, now| {
        for _ in 0..CALLS {
            let call = endpoint.dial(now, "nobody", &NewCall::to("1")).unwrap();
            endpoint.hang_up(now, call, Cause::NORMAL, None).unwrap();
        }
    });
    calls.await.unwrap();
    // More events than there are places for. Who reads them asks something first.
    let asked = handle.run(|endpoint, _| endpoint.peer_address("nobody"));
    let found = tokio::time::timeout(Duration::from_secs(30), asked).await.expect("an answer in time");
    assert_eq!(found.unwrap(), nobody.local_addr().ok());
    for _ in 0..CALLS {
        wait(&mut events, |event| matches!(event, Event::Ended { reason: Ended::Local, .. }).then_some(())).await;
    }
}

#[tokio::test]
async fn a_driver_ends_when_its_handles_are_gone() {
    let (driver, handle, _events) = Driver::bind("127.0.0.1:0".parse().unwrap(), Config::default()).await.unwrap();
    let running = tokio::spawn(driver.run());
    drop(handle);
    running.await.unwrap().unwrap();
}
