//! Calls of SIPp through the dispatcher, while destinations die and drain, lists are loaded, and dispatchers themselves come and go.

use interop::browser::Browser;
use interop::dispatcher::{Answering, Dispatcher, Place};
use interop::folder::Folder;
use interop::ports::Ports;
use interop::sipp::{Setup, Sipp};
use interop::wait::{PATIENCE, until};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

struct Scene {
    ports: Ports,
    folder: Folder,
    servers: Vec<Answering>,
}

impl Scene {
    fn new(name: &str) -> Self {
        let (ports, folder) = (Ports::claim(), Folder::new(name));
        let servers = ["amsterdam", "berlin", "cadiz", "dublin", "espoo"]
            .map(|name| Answering::start(&folder, &ports, name, env!("CARGO_BIN_EXE_answering")));
        Self { ports, folder, servers: servers.into() }
    }

    fn dispatcher(&self, shards: u16) -> Dispatcher {
        Dispatcher::start(&self.folder, Place::claim(&self.ports), &[], &self.servers, shards)
    }

    fn calls(&self, server: SocketAddr, rate: u32, seconds: u32, tcp: bool) -> Sipp {
        let setup = Setup {
            scenario: "through",
            local: self.ports.address(),
            server,
            calls: rate * seconds,
            rate,
            length: Duration::from_secs(1),
            tcp,
            ..Setup::default()
        };
        Sipp::start(&self.folder, &setup)
    }
}

fn wait_for_calls(sipp: &Sipp, count: u32) {
    until("calls", PATIENCE, || (sipp.figures().successful >= count).then_some(()));
}

#[test]
fn kill_one_of_five_and_only_its_own_calls_end() {
    let scene = Scene::new("kill");
    let mut dispatcher = scene.dispatcher(2);
    let sipp = scene.calls(dispatcher.sip, 200, 10, false);
    wait_for_calls(&sipp, 400);
    let had = dispatcher.destination("cadiz")["calls"].as_u64().expect("a number");
    scene.servers[2].kill();
    until("cadiz to be out", PATIENCE, || (dispatcher.destination("cadiz")["state"] == "probing").then_some(()));
    let total = dispatcher.destination("cadiz")["total"].as_u64();
    let outcome = sipp.outcome(Duration::from_secs(60));
    assert_eq!(outcome.successful + outcome.failed, 2_000);
    eprintln!("cadiz had {had} calls when it was killed; {} calls failed", outcome.failed);
    // Those that it had answered, and those that it was answering; the others' and new ones find another server.
    assert!(u64::from(outcome.failed) <= had + 100, "{} failed, cadiz had {had}", outcome.failed);
    assert_eq!(dispatcher.destination("cadiz")["total"].as_u64(), total, "no new call since it is out");
    dispatcher.must_be_well();
}

#[test]
fn drain_one_and_not_one_call_fails() {
    let scene = Scene::new("drain");
    let mut dispatcher = scene.dispatcher(2);
    let sipp = scene.calls(dispatcher.sip, 200, 9, false);
    wait_for_calls(&sipp, 400);
    dispatcher.command("/destinations/berlin/drain?within=30");
    let mut left = Vec::new();
    let drained = until("berlin to be empty", PATIENCE, || {
        let berlin = dispatcher.destination("berlin");
        left.push(berlin["drain"]["left"].as_u64().expect("progress"));
        (berlin["drain"]["over"] == true).then_some(berlin)
    });
    assert_eq!((&drained["drain"]["left"], &drained["state"]), (&0.into(), &"disabled".into()), "{drained}");
    assert!(left[0] > 10, "the progress is told: {left:?}");
    let total = drained["total"].as_u64();
    sipp.must_succeed(1_800, Duration::from_secs(60));
    assert_eq!(dispatcher.destination("berlin")["total"].as_u64(), total, "no new call since it drains");
    dispatcher.must_be_well();
}

#[test]
fn load_the_list_a_thousand_times_and_not_one_call_fails() {
    let scene = Scene::new("reload");
    let mut dispatcher = scene.dispatcher(1);
    let sipp = scene.calls(dispatcher.sip, 100, 10, true);
    wait_for_calls(&sipp, 50);
    for _ in 0..1_000 {
        dispatcher.command("/reload");
    }
    assert!(dispatcher.status()["version"].as_u64() > Some(1_000));
    sipp.must_succeed(1_000, Duration::from_secs(60));
    dispatcher.must_be_well();
}

#[test]
fn two_dispatchers_side_by_side_serve_calls_whose_requests_are_spread_over_both() {
    let scene = Scene::new("two");
    let places = [Place::claim(&scene.ports), Place::claim(&scene.ports)];
    let mut one = Dispatcher::start(&scene.folder, places[0], &places[1..], &scene.servers, 1);
    let mut two = Dispatcher::start(&scene.folder, places[1], &places[..1], &scene.servers, 1);
    until("the dispatchers to meet", PATIENCE, || {
        [&one, &two].iter().all(|it| it.status()["peers"] == 1).then_some(())
    });
    let front = UdpSocket::bind(scene.ports.address()).expect("a socket");
    let address = front.local_addr().expect("its address");
    let by = [one.sip, two.sip];
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65_535];
        for turn in 0.. {
            let (length, _) = front.recv_from(&mut buffer).expect("a datagram");
            front.send_to(&buffer[..length], by[turn % 2]).expect("a socket");
        }
    });
    let sipp = scene.calls(address, 101, 10, false);
    wait_for_calls(&sipp, 200);
    // In the middle of it a server drains, at both.
    [&one, &two].iter().for_each(|it| it.command("/destinations/espoo/drain"));
    sipp.must_succeed(1_010, Duration::from_secs(60));
    for dispatcher in [&mut one, &mut two] {
        let status = dispatcher.status();
        assert!(status["messages"]["requests to destinations"].as_u64() > Some(1_000), "{status}");
        dispatcher.must_be_well();
    }
}

#[test]
fn kill_the_dispatcher_and_calls_go_on_when_it_is_back() {
    let scene = Scene::new("restart");
    let mut dispatcher = scene.dispatcher(1);
    let sipp = scene.calls(dispatcher.sip, 100, 10, false);
    for count in [200, 500] {
        wait_for_calls(&sipp, count);
        dispatcher.restart();
    }
    sipp.must_succeed(1_000, Duration::from_secs(60));
    dispatcher.must_be_well();
}

#[test]
fn the_page_drains_a_destination_and_its_share_falls_to_nothing() {
    let scene = Scene::new("page");
    let mut dispatcher = scene.dispatcher(1);
    let sipp = scene.calls(dispatcher.sip, 50, 40, false);
    let mut browser = Browser::open(&scene.ports, &scene.folder, &format!("http://{}/", dispatcher.http));
    let row = "document.querySelector('#destinations tr[data-name=dublin]')";
    browser.wait_until(&format!("{row} && {row}.dataset.share > 0.1 && {row}.dataset.state == 'active'"));
    browser.evaluate(&format!("{row}.querySelector('button[data-verb=drain]').click()"));
    browser.wait_until(&format!("{row}.dataset.state != 'active' && {row}.dataset.share == 0"));
    browser.wait_until("document.querySelector('#journal').innerText.includes('dublin')");
    browser.wait_until(&format!("{row}.dataset.state == 'disabled'"));
    let image = browser.screenshot();
    assert!(image.starts_with(b"\x89PNG") && image.len() > 20_000, "{} bytes", image.len());
    if let Some(path) = std::env::var_os("TANDEM_SCREENSHOT") {
        std::fs::write(path, &image).expect("the screenshot");
    }
    browser.evaluate(&format!("{row}.querySelector('button[data-verb=enable]').click()"));
    browser.wait_until(&format!("{row}.dataset.share > 0.05"));
    drop(browser);
    assert_eq!(sipp.figures().failed, 0);
    dispatcher.must_be_well();
}
