//! Demonstration phones with one PBX, through the balancer.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use cluster::phone::{Command, Phase, Phone, Settings, State};
use dispatcher::l4::{Balancer, Config};
use pbx::{control, server::Server};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
const TONES: [f64; 2] = [440.0, 660.0];

fn anywhere() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

async fn pbx(tcp: SocketAddr) -> Server {
    let mut config = pbx::config::Config::demo().unwrap();
    config.sip.udp = Vec::new();
    config.sip.tcp = vec![tcp];
    config.http.listen = None;
    config.cdr.path = None;
    Server::start(config).await.unwrap()
}

fn phone(index: usize, server: SocketAddr) -> Phone {
    Phone::start(Settings {
        account: format!("100{}", index + 1),
        secret: "1234".to_owned(),
        address: IpAddr::from([127, 0, 0, 1]),
        server,
        tone: TONES[index],
        known: TONES.to_vec(),
        ring: Duration::from_millis(100),
    })
    .unwrap()
}

async fn until(phone: &Phone, what: &str, is: impl FnMut(&State) -> bool) {
    let mut watch = phone.watch();
    let waited = timeout(PATIENCE, watch.wait_for(is)).await;
    assert!(waited.is_ok_and(|state| state.is_ok()), "waited in vain for {what}: {:?}", phone.state());
}

fn phase(state: &State) -> Option<Phase> {
    state.call.as_ref().map(|call| call.phase)
}

fn hears(state: &State, tone: f64) -> bool {
    state.call.as_ref().is_some_and(|call| call.heard.tone == Some(tone))
}

#[tokio::test]
async fn two_phones_register_through_the_balancer_talk_and_leave() {
    let server = pbx(anywhere()).await;
    let balancer = Balancer::start(Config::new(anywhere(), vec![("pbx".into(), server.sip[0].1)])).await.unwrap();
    let (alice, bob) = (phone(0, balancer.local()), phone(1, balancer.local()));
    until(&alice, "a registration", |state| state.registered).await;
    until(&bob, "a registration", |state| state.registered).await;
    assert_eq!(balancer.snapshot().servers[0].connections, 2);

    assert!(alice.command(Command::Call("1002".into())));
    until(&alice, "an answer", |state| phase(state) == Some(Phase::Up)).await;
    until(&alice, "the other's tone", |state| hears(state, TONES[1])).await;
    until(&bob, "the other's tone", |state| hears(state, TONES[0])).await;
    assert_eq!(bob.state().call.unwrap().with, "1001");
    assert!(bob.command(Command::HangUp));
    until(&alice, "the end", |state| state.call.is_none()).await;
    until(&bob, "the end", |state| state.call.is_none()).await;
    assert_eq!(alice.state().problem, None);

    alice.leave().await;
    let mut status = server.control.status.clone();
    let left = timeout(PATIENCE, status.wait_for(|status| status.registrations() == 1)).await;
    assert!(left.is_ok(), "1001 is still registered");
}

#[tokio::test]
async fn a_phone_registers_anew_when_its_server_dies_and_comes_back() {
    let first = pbx(anywhere()).await;
    let address = first.sip[0].1;
    let balancer = Balancer::start(Config::new(anywhere(), vec![("pbx".into(), address)])).await.unwrap();
    let alice = phone(0, balancer.local());
    until(&alice, "a registration", |state| state.registered).await;
    first.control.commands.send(control::Command::Stop).await.unwrap();
    first.wait().await.unwrap();
    until(&alice, "the loss", |state| !state.registered).await;
    let second = pbx(address).await;
    until(&alice, "a registration", |state| state.registered).await;
    assert!(!second.control.status().draining);
}

#[tokio::test]
async fn a_phone_with_a_wrong_password_says_so() {
    let server = pbx(anywhere()).await;
    let settings = Settings {
        account: "1001".into(),
        secret: "wrong".into(),
        address: IpAddr::from([127, 0, 0, 1]),
        server: server.sip[0].1,
        tone: TONES[0],
        known: TONES.to_vec(),
        ring: Duration::ZERO,
    };
    let phone = Phone::start(settings).unwrap();
    until(&phone, "a refusal", |state| state.problem.as_deref() == Some("registration refused: 401")).await;
    assert!(!phone.state().registered);
}

#[tokio::test]
async fn a_number_that_nobody_has_is_told_as_a_problem() {
    let server = pbx(anywhere()).await;
    let alice = phone(0, server.sip[0].1);
    until(&alice, "a registration", |state| state.registered).await;
    assert!(alice.command(Command::Call("1002".into())));
    until(&alice, "a refusal", |state| state.problem.as_deref() == Some("call refused: 480")).await;
    until(&alice, "the end", |state| state.call.is_none()).await;
}
