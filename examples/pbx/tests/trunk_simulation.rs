//! Exchanges joined by trunks over a simulated network: whom a call reaches, how it ends on both sides, and what is left.

mod support;

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use netsim::{Arrival, Conditions, Network, Node, Simulation};
use pbx::{
    asterisk::file,
    cdr::{Disposition, Record},
    config::{Account, Address, Config, DialplanSource, IaxPeer, IaxRegistration, Secret},
    dialplan::Dialplan,
    media::{self, End, Order},
    status::Status,
    switch::{Event, Output, Switch},
};
use rtp::relay::Side;
use sip_core::StatusCode;
use sip_transaction::{Input, ListenerConfig, ListenerId, Transport, agent::Cause};
use support::phone::{Manner, Phone};

/// An exchange with the edges of the program replaced by tables.
struct Exchange {
    switch: Switch,
    listener: ListenerId,
    sip: SocketAddr,
    iax: SocketAddr,
    /// The ends of each call's media.
    open: HashMap<u64, HashMap<Side, End>>,
    orders: Vec<(u64, Order)>,
    /// Voice for the media of calls.
    heard: Vec<(u64, Side, u32, Bytes)>,
    trunk_frames: usize,
    records: Vec<Record>,
    drained: bool,
    /// It was stopped, or has crashed.
    gone: bool,
    /// What it sends loses the path on its way, as through an exchange of another make.
    loses_path: bool,
}

impl Exchange {
    fn new(now: Instant, number: u8, config: Config, seed: u8) -> Self {
        let sip = SocketAddr::from(([192, 0, 2, number], 5060));
        let iax = SocketAddr::from(([192, 0, 2, number], 4569));
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let mut switch = Switch::new(config, sip.ip(), [seed; 32], now, wall);
        let listener = switch.add_listener(ListenerConfig::new(Transport::Udp, sip)).unwrap();
        Self {
            switch,
            listener,
            sip,
            iax,
            open: HashMap::new(),
            orders: Vec::new(),
            heard: Vec::new(),
            trunk_frames: 0,
            records: Vec::new(),
            drained: false,
            gone: false,
            loses_path: false,
        }
    }

    fn on_event(&mut self, now: Instant, event: Event, network: &mut Network) {
        match event {
            Event::Open { call, side, end } => {
                self.open.entry(call).or_default().insert(side, end);
                self.switch.media_ready(now, call, side);
            }
            Event::Order { call, order } => {
                assert!(self.open.contains_key(&call), "an order for media that is not open: {order:?}");
                self.orders.push((call, order));
            }
            Event::Close { call } => {
                self.open.remove(&call).expect("media is closed once");
            }
            Event::Trunk { destination, payload } => {
                self.trunk_frames += usize::from(payload.starts_with(&[0, 0, 1]));
                let mut payload = payload.to_vec();
                let name = b"TANDEMPATH";
                if self.loses_path
                    && let Some(at) = payload.windows(name.len()).position(|part| part == name)
                {
                    payload[at..at + name.len()].fill(b'X');
                }
                network.send(now, self.iax, destination, payload);
            }
            Event::Voice { call, side, timestamp, payload } => self.heard.push((call, side, timestamp, payload)),
            Event::Record(record) => self.records.push(*record),
            Event::Drained => self.drained = true,
            Event::Changed => {}
        }
    }

    fn status(&self, now: Instant) -> Status {
        self.switch.status(now, |_| None)
    }

    fn peer_state(&self, now: Instant, peer: &str) -> &'static str {
        let iax = self.status(now).iax.expect("IAX2 is on");
        iax.peers.iter().find(|it| it.name == peer).expect("a peer of that name").state
    }

    #[track_caller]
    fn assert_empty(&self, now: Instant) {
        assert!(self.open.is_empty(), "media is left: {:?}", self.open);
        let status = self.status(now);
        let left: Vec<_> = status.tables.iter().filter(|table| table.per_call && table.size > 0).collect();
        assert!(left.is_empty(), "{left:#?}");
        assert!(status.calls.is_empty());
    }
}

impl Node for Exchange {
    fn owns(&self, address: SocketAddr) -> bool {
        !self.gone && (address == self.sip || address == self.iax)
    }

    fn arrive(&mut self, now: Instant, arrival: Arrival) {
        if let Arrival::Datagram { from, to, payload } = arrival {
            let payload = Bytes::from(payload);
            if to == self.iax {
                self.switch.handle_trunk(now, from, payload);
            } else {
                self.switch.handle_input(
                    now,
                    Input::Datagram { listener: self.listener, source: from, payload, received: None },
                );
            }
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.switch.handle_timeout(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        if self.gone { None } else { self.switch.poll_timeout() }
    }

    fn flush(&mut self, now: Instant, network: &mut Network) {
        while let Some(output) = self.switch.poll_output() {
            match output {
                Output::Datagram { destination, payload, .. } => {
                    network.send(now, self.sip, destination, payload.to_vec());
                }
                Output::Event(event) => self.on_event(now, event, network),
                other => panic!("only datagrams here: {other:?}"),
            }
        }
    }
}

/// A phone as a node of the network.
struct Station(Phone);

impl Node for Station {
    fn owns(&self, address: SocketAddr) -> bool {
        address == self.0.address
    }

    fn arrive(&mut self, now: Instant, arrival: Arrival) {
        if let Arrival::Datagram { from, payload, .. } = arrival {
            self.0.handle_datagram(now, from, payload.into());
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }

    fn flush(&mut self, now: Instant, network: &mut Network) {
        for (to, payload) in self.0.drive(now) {
            network.send(now, self.0.address, to, payload.to_vec());
        }
    }
}

/// Exchanges and phones.
struct Scene {
    simulation: Simulation,
    exchanges: Vec<Exchange>,
    phones: Vec<Station>,
}

const CLEAN: Conditions = Conditions { delay: Duration::from_millis(5), ..Conditions::PERFECT };

/// An exchange's part of the world: its host number, the peers that register with it, and where it registers as whom.
struct Plan {
    number: u8,
    peers: Vec<&'static str>,
    registrations: Vec<(&'static str, u8)>,
    dialplan: String,
}

fn config(plan: &Plan, change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::parse(Path::new("test"), pbx::config::DEMO).unwrap();
    config.accounts = (1001..=1004).map(|name| Account::new(name.to_string(), "1234")).collect();
    for account in &mut config.accounts {
        account.context = "admin".to_owned();
    }
    config.limits.calls_per_account = 1_000;
    config.extensions.clear();
    config.iax.listen = vec![SocketAddr::from(([192, 0, 2, plan.number], 4569))];
    config.iax.peers = plan.peers.iter().map(|name| peer(name)).collect();
    config.iax.registrations = plan
        .registrations
        .iter()
        .map(|(user, host)| IaxRegistration {
            user: (*user).to_owned(),
            secret: Some(Secret::new("1234")),
            host: SocketAddr::from(([192, 0, 2, *host], 4569)).into(),
            refresh: IaxRegistration::REFRESH,
        })
        .collect();
    let mut problems = Vec::new();
    let file = file::read("extensions.conf", &mut |_| Ok(plan.dialplan.clone()), &mut problems).unwrap();
    config.dialplan = Arc::new(Dialplan::parse(&file, &mut problems));
    config.dialplan_source = DialplanSource::Text(plan.dialplan.clone());
    assert!(problems.is_empty(), "{problems:?}");
    change(&mut config);
    config
}

/// `type=friend host=dynamic secret=1234 context=admin peercontext=admin qualify=yes`.
fn peer(name: &str) -> IaxPeer {
    let mut peer = IaxPeer::new(name);
    peer.secret = Some(Secret::new("1234"));
    peer.contexts = vec!["admin".to_owned()];
    peer.peer_context = Some("admin".to_owned());
    peer.qualify = Some(iax2::Qualify::default());
    peer
}

fn dialplan(peers: &[&str]) -> String {
    let mut text = "[admin]\nexten => 600,1,Answer()\nsame => n,Echo()\n".to_owned();
    for (priority, peer) in (1..).zip(peers) {
        let begin = if priority == 1 { "exten => _1XXX,1".to_owned() } else { "same => n".to_owned() };
        text += &format!("{begin},Dial(IAX2/{peer}/${{EXTEN}}@admin,30,r)\n");
    }
    text + "same => n,Dial(SIP/${EXTEN},15,r)\n"
}

/// The two of the thesis: each registers with the other, and tries the other first.
fn thesis() -> [Plan; 2] {
    [
        Plan { number: 2, peers: vec!["zone1"], registrations: vec![("zone2", 3)], dialplan: dialplan(&["zone1"]) },
        Plan { number: 3, peers: vec!["zone2"], registrations: vec![("zone1", 2)], dialplan: dialplan(&["zone2"]) },
    ]
}

impl Scene {
    fn new(seed: u64, plans: &[Plan], change: impl Fn(&mut Config)) -> Self {
        let simulation = Simulation::new(seed, CLEAN);
        let exchanges = plans
            .iter()
            .map(|plan| Exchange::new(simulation.now(), plan.number, config(plan, &change), plan.number))
            .collect();
        Self { simulation, exchanges, phones: Vec::new() }
    }

    /// The two of the thesis with 1001 at the first and 1002 at the second, which answers.
    fn of_thesis(seed: u64, change: impl Fn(&mut Config)) -> Self {
        let mut scene = Self::new(seed, &thesis(), change);
        scene.run(Duration::from_secs(1));
        scene.phone("1001", 0, Manner::Answers(Duration::from_millis(300)));
        scene.phone("1002", 1, Manner::Answers(Duration::from_millis(300)));
        scene
    }

    fn phone(&mut self, user: &str, exchange: usize, manner: Manner) -> usize {
        let number = 100 + self.phones.len() as u8;
        let address = SocketAddr::from(([192, 0, 2, number], 5060));
        let mut phone = Phone::new(user, "1234", address, self.exchanges[exchange].sip, number);
        phone.manner = manner;
        phone.register(self.now());
        self.phones.push(Station(phone));
        self.run(Duration::from_secs(1));
        let phone = self.phones.len() - 1;
        assert!(self.phones[phone].0.registered, "{user}");
        phone
    }

    fn now(&self) -> Instant {
        self.simulation.now()
    }

    fn run(&mut self, span: Duration) {
        let Self { simulation, exchanges, phones } = self;
        let mut nodes: Vec<&mut dyn Node> = Vec::new();
        nodes.extend(exchanges.iter_mut().map(|exchange| exchange as &mut dyn Node));
        nodes.extend(phones.iter_mut().map(|phone| phone as &mut dyn Node));
        simulation.run_for(&mut nodes, span);
    }

    fn begin(&mut self, phone: usize, number: &str, seconds: u64) {
        let now = self.now();
        self.phones[phone].0.call(now, number, true, Duration::from_secs(seconds));
    }

    /// Calls a number for some seconds, and tells how it went.
    fn call(&mut self, phone: usize, number: &str, seconds: u64) -> (bool, Cause) {
        self.begin(phone, number, seconds);
        self.run(Duration::from_secs(seconds + 60));
        let outcome = self.phones[phone].0.outcomes.pop().expect("the call ended");
        assert_eq!(outcome.number, number);
        (outcome.answered, outcome.cause)
    }

    fn replace(&mut self, exchange: usize, plan: &Plan, seed: u8) {
        let now = self.now();
        self.exchanges[exchange] = Exchange::new(now, plan.number, config(plan, |_| ()), seed);
    }

    #[track_caller]
    fn assert_empty(&mut self) {
        // Whoever hung up last has been heard by then.
        self.run(Duration::from_secs(40));
        for exchange in self.exchanges.iter().filter(|exchange| !exchange.gone) {
            exchange.assert_empty(self.now());
        }
    }
}

fn rejected(status: StatusCode) -> (bool, Cause) {
    (false, Cause::Rejected(status))
}

#[test]
fn the_two_of_the_thesis_find_each_other_and_a_call_goes_over_the_trunk() {
    let mut scene = Scene::of_thesis(1, |_| ());
    let now = scene.now();
    for (exchange, peer) in [(0, "zone1"), (1, "zone2")] {
        assert_eq!(scene.exchanges[exchange].peer_state(now, peer), "OK");
        let iax = scene.exchanges[exchange].status(now).iax.unwrap();
        assert_eq!(iax.registrations[0].state, "Registered");
        assert_eq!(iax.peers[0].address.as_deref(), Some(["192.0.2.3:4569", "192.0.2.2:4569"][exchange]));
    }
    scene.begin(0, "1002", 10);
    scene.run(Duration::from_secs(5));
    let now = scene.now();
    let [north, south] = [0, 1].map(|exchange| scene.exchanges[exchange].status(now));
    let (north, south) = (&north.calls[0], &south.calls[0]);
    assert!(north.caller.channel.starts_with("SIP/1001-"), "{north:?}");
    let numbers: Vec<_> = [&north.callee.as_ref().unwrap().channel, &south.caller.channel]
        .into_iter()
        .zip(["IAX2/zone1-", "IAX2/zone2-"])
        .map(|(channel, prefix)| channel.strip_prefix(prefix).expect(channel).parse::<u16>().expect("a call number"))
        .collect();
    assert!(numbers.iter().all(|number| (1..=32_767).contains(number)), "{numbers:?}");
    assert!(south.callee.as_ref().unwrap().channel.starts_with("SIP/1002-"));
    assert_eq!((south.caller.number.as_str(), south.codec.as_deref()), ("1001", Some("PCMU")));
    scene.run(Duration::from_secs(20));
    let outcome = scene.phones[0].0.outcomes.pop().unwrap();
    assert_eq!((outcome.answered, outcome.cause), (true, Cause::Hangup));
    let [north, south] = [0, 1].map(|exchange| scene.exchanges[exchange].records.pop().expect("a record"));
    assert_eq!((north.disposition, south.disposition), (Disposition::Answered, Disposition::Answered));
    assert!(north.channel.starts_with("SIP/1001-") && north.dstchannel.starts_with("IAX2/zone1-"), "{north:?}");
    assert!(south.channel.starts_with("IAX2/zone2-") && south.dstchannel.starts_with("SIP/1002-"), "{south:?}");
    assert_eq!((north.src.as_str(), south.src.as_str(), south.dst.as_str()), ("1001", "1001", "1002"));
    assert_eq!((north.dcontext.as_str(), south.dcontext.as_str()), ("admin", "admin"));
    scene.assert_empty();
}

#[test]
fn voice_goes_both_ways_and_by_trunk_frames_when_that_is_wanted() {
    for trunk in [false, true] {
        let mut scene = Scene::of_thesis(2, |config| {
            for peer in &mut config.iax.peers {
                peer.trunk = trunk;
            }
        });
        scene.begin(0, "1002", 30);
        scene.run(Duration::from_secs(2));
        let [north, south] = [0, 1].map(|exchange| *scene.exchanges[exchange].open.keys().next().expect("media"));
        assert_eq!(scene.exchanges[0].open[&north][&Side::Callee], End::Trunk);
        assert_eq!(scene.exchanges[1].open[&south][&Side::Caller], End::Trunk);
        for packet in 0..100u8 {
            let now = scene.now();
            for (exchange, call, side) in [(0, north, Side::Callee), (1, south, Side::Caller)] {
                let payload = Bytes::from(vec![packet; 160]);
                let voice = media::Voice { call, side, timestamp: 20 * u32::from(packet), payload };
                scene.exchanges[exchange].switch.handle_voices(now, [voice]);
            }
            scene.run(Duration::from_millis(20));
        }
        scene.run(Duration::from_millis(200));
        for (exchange, call, side) in [(0, north, Side::Callee), (1, south, Side::Caller)] {
            let heard = std::mem::take(&mut scene.exchanges[exchange].heard);
            let packets: Vec<_> = heard.iter().map(|(_, _, _, payload)| payload[0]).collect();
            assert_eq!(packets, (0..100).collect::<Vec<_>>(), "all of it, in order");
            assert!(heard.iter().all(|(of, from, _, payload)| (*of, *from, payload.len()) == (call, side, 160)));
            let times: Vec<_> = heard.iter().map(|(_, _, timestamp, _)| timestamp - heard[0].2).collect();
            assert!(times.iter().zip(0..).all(|(time, packet)| time.abs_diff(20 * packet) <= 20), "{times:?}");
            let frames = scene.exchanges[exchange].trunk_frames;
            assert_eq!(frames > 90, trunk, "{frames}");
        }
        scene.run(Duration::from_secs(60));
        scene.assert_empty();
    }
}

#[test]
fn causes_pass_through_the_trunk() {
    let mut scene = Scene::of_thesis(3, |_| ());
    let busy = scene.phone("1003", 1, Manner::Busy);
    // Busy there; the dialplan goes on to the local phone, which is not there.
    assert!(!scene.call(0, "1003", 10).0);
    assert_eq!(scene.exchanges[1].records.last().unwrap().disposition, Disposition::Busy);
    assert_eq!(scene.phones[busy].0.taken, 1);
    // A number that nobody has ends at once on both, without going round.
    let began = scene.exchanges[0].records.len();
    assert_eq!(scene.call(0, "1004", 20), rejected(StatusCode::TEMPORARILY_UNAVAILABLE));
    assert_eq!(scene.exchanges[0].records.len(), began + 1);
    let record = scene.exchanges[0].records.last().unwrap();
    assert!(record.duration < Duration::from_secs(1), "{record:?}");
    assert_eq!(scene.exchanges[1].records.len(), 2, "one call for each, and none came back");
    assert!(!scene.call(0, "999", 5).0);
    // The callee hangs up.
    scene.begin(0, "1002", 60);
    scene.run(Duration::from_secs(3));
    let now = scene.now();
    let call = scene.exchanges[1].status(now).calls[0].id;
    assert!(scene.exchanges[1].switch.hangup(now, call));
    scene.run(Duration::from_secs(2));
    assert!(scene.phones[0].0.outcomes.pop().expect("the caller hears of it").answered);
    // The caller gives up while it rings.
    scene.phones[1].0.manner = Manner::Rings;
    assert_eq!(scene.call(0, "1002", 3), (false, Cause::Cancelled));
    assert_eq!(scene.exchanges[1].records.last().unwrap().disposition, Disposition::NoAnswer);
    scene.assert_empty();
}

#[test]
fn a_call_into_another_context_or_with_a_wrong_secret_is_refused() {
    let mut plans = thesis();
    plans[0].dialplan = "[admin]\nexten => _2.,1,Dial(IAX2/zone1/${EXTEN:1}@other)\nexten => _3.,1,Dial(IAX2/zone1:wrong@192.0.2.3/${EXTEN:1}@admin)\n\
         exten => _4.,1,Dial(IAX2/zone2:1234@192.0.2.3/${EXTEN:1}@admin)\n\
         exten => _5.,1,Set(HOST=192.0.2.3)\nsame => n,Dial(IAX2/zone2:1234@${HOST}/${EXTEN:1}@admin)\n"
        .to_owned();
    plans[1].dialplan += "[other]\nexten => 600,1,Answer()\nsame => n,Echo()\n";
    let mut scene = Scene::new(4, &plans, |_| ());
    scene.run(Duration::from_secs(1));
    scene.phone("1001", 0, Manner::Answers(Duration::ZERO));
    assert!(!scene.call(0, "2600", 5).0, "a context that the peer may not reach");
    assert!(!scene.call(0, "3600", 5).0, "a name that is not known there");
    assert_eq!(scene.call(0, "4600", 5), (true, Cause::Hangup), "name and secret in the Dial");
    assert!(!scene.call(0, "5600", 5).0, "a host that does not stand in the Dial");
    assert_eq!(scene.exchanges[1].records.len(), 1);
    scene.assert_empty();
}

/// The two of the thesis without registrations and secrets; `there`: the dialplan of the second.
fn open_trunks(seed: u64, there: &str, change: impl Fn(&mut Config)) -> Scene {
    let mut plans = thesis();
    for plan in &mut plans {
        plan.registrations.clear();
    }
    there.clone_into(&mut plans[1].dialplan);
    let mut scene = Scene::new(seed, &plans, |config| {
        let host = if config.iax.listen[0].ip().to_string().ends_with('2') { 3u8 } else { 2 };
        for peer in &mut config.iax.peers {
            (peer.secret, peer.qualify) = (None, None);
            peer.username = Some(format!("zone{}", host - 1));
            peer.address = Address::Fixed(SocketAddr::from(([192, 0, 2, host], 4569)).into());
        }
        change(config);
    });
    scene.run(Duration::from_secs(1));
    scene.phone("1001", 0, Manner::Answers(Duration::ZERO));
    scene.phone("1003", 0, Manner::Answers(Duration::ZERO));
    scene
}

#[test]
fn a_peer_that_proves_nothing_brings_no_more_calls_than_an_account() {
    for (limit, answers) in [(None, false), (Some(5), true)] {
        let mut scene = open_trunks(21, "[admin]\nexten => _1XXX,1,Answer()\nsame => n,Echo()\n", |config| {
            config.limits.calls_per_account = if config.iax.peers[0].name == "zone2" { 1 } else { 10 };
            config.iax.peers[0].max_calls = limit;
        });
        scene.exchanges[1].records.clear();
        scene.begin(0, "1600", 30);
        scene.run(Duration::from_secs(2));
        assert_eq!(scene.call(1, "1600", 5).0, answers, "{limit:?}");
        assert!(scene.phones[0].0.outcomes.pop().expect("it ended").answered);
        scene.assert_empty();
    }
}

#[test]
fn a_call_does_not_go_back_to_where_it_came_from_by_another_peer() {
    for back in ["IAX2/out/${EXTEN}@admin", "IAX2/zone1:1234@192.0.2.2/${EXTEN}@admin"] {
        let there = format!("[admin]\nexten => _1XXX,1,Dial({back},5)\n");
        let mut scene = open_trunks(22, &there, |config| {
            let mut out = config.iax.peers[0].clone();
            (out.name, out.may_call) = ("out".to_owned(), false);
            config.iax.peers.push(out);
        });
        scene.exchanges[1].loses_path = true;
        // Without a number that tells: only the address does.
        assert!(!scene.call(0, "1777", 5).0, "{back}");
        assert_eq!((scene.exchanges[0].records.len(), scene.exchanges[1].records.len()), (1, 1), "{back}");
        scene.assert_empty();
    }
}

#[test]
fn two_calls_of_one_number_pass_at_once_unless_they_look_like_one_that_came_back() {
    // What the first says of the caller, what the second one says instead, and how many of two calls reach the third.
    for (said, configured, reach) in
        [("1001", None, 1), ("", None, 2), ("anonymous", None, 2), ("1001", Some("500"), 2)]
    {
        let plan = |number, peers, dialplan: &str| Plan {
            number,
            peers,
            registrations: Vec::new(),
            dialplan: format!("[admin]\nexten => _1XXX,1,{dialplan}\n"),
        };
        let first = format!("Set(CALLERID(num)={said})\nsame => n,Dial(IAX2/near/${{EXTEN}}@admin,20)");
        let plans = [
            plan(2, vec!["near"], &first),
            plan(3, vec!["left", "near"], "Dial(IAX2/near/${EXTEN}@admin,20)"),
            plan(4, vec!["left"], "Ringing()\nsame => n,Wait(20)"),
        ];
        let mut scene = Scene::new(23, &plans, |config| {
            let own =
                if config.iax.peers.len() == 2 { 3 } else { 2 + 2 * u8::from(config.iax.peers[0].name == "left") };
            for peer in &mut config.iax.peers {
                let host = if peer.name == "near" { own + 1 } else { own - 1 };
                (peer.secret, peer.qualify) = (None, None);
                peer.username = Some("left".to_owned());
                peer.address = Address::Fixed(SocketAddr::from(([192, 0, 2, host], 4569)).into());
                peer.caller_number = configured.filter(|_| own == 3).map(str::to_owned);
            }
        });
        scene.exchanges.iter_mut().for_each(|exchange| exchange.loses_path = true);
        scene.run(Duration::from_secs(1));
        scene.phone("1001", 0, Manner::Answers(Duration::ZERO));
        scene.phone("1003", 0, Manner::Answers(Duration::ZERO));
        scene.begin(0, "1777", 10);
        scene.run(Duration::from_secs(1));
        scene.begin(1, "1777", 10);
        scene.run(Duration::from_secs(60));
        assert_eq!(scene.exchanges[2].records.len(), reach, "{said:?}, {configured:?}");
        scene.assert_empty();
    }
}

#[test]
fn keys_and_hold_pass_through_the_trunk() {
    let mut scene = Scene::of_thesis(5, |_| ());
    scene.begin(0, "1002", 30);
    scene.run(Duration::from_secs(2));
    let now = scene.now();
    let call = scene.exchanges[0].status(now).calls[0].id;
    let press = media::Press::End(Duration::from_millis(100));
    let key = media::Event::Digit { call, side: Side::Caller, digit: '7', press, passed: false };
    scene.exchanges[0].switch.handle_media(now, key);
    scene.run(Duration::from_millis(100));
    let pressed = |order: &(u64, Order)| matches!(order.1, Order::Digit { side: Side::Callee, digit: '7', .. });
    assert_eq!(scene.exchanges[1].orders.iter().filter(|order| pressed(order)).count(), 1);
    let now = scene.now();
    scene.phones[0].0.set_direction(now, sip_core::sdp::Direction::SendOnly);
    scene.run(Duration::from_millis(200));
    let held = |scene: &Scene, exchange: usize| scene.exchanges[exchange].status(scene.now()).calls[0].caller.held;
    assert!(held(&scene, 0) && held(&scene, 1), "both know who holds");
    let remote = scene.phones[1].0.remote.values().next().unwrap();
    assert_ne!(remote.direction_of(&remote.media[0]), sip_core::sdp::Direction::SendRecv, "the callee's phone, too");
    let now = scene.now();
    scene.phones[0].0.set_direction(now, sip_core::sdp::Direction::SendRecv);
    scene.run(Duration::from_millis(200));
    assert!(!held(&scene, 0) && !held(&scene, 1));
    scene.run(Duration::from_secs(60));
    scene.assert_empty();
}

#[test]
fn an_exchange_that_is_stopped_is_missed_at_once_and_comes_back_by_itself() {
    let mut scene = Scene::of_thesis(6, |_| ());
    let local = scene.phone("1003", 0, Manner::Answers(Duration::ZERO));
    let now = scene.now();
    scene.exchanges[1].switch.stop(now);
    scene.run(Duration::from_secs(3));
    assert!(scene.exchanges[1].drained, "it gave up its registration, and ended");
    scene.exchanges[1].gone = true;
    assert_eq!(scene.exchanges[0].peer_state(scene.now(), "zone1"), "UNKNOWN");
    scene.begin(0, "1003", 5);
    scene.run(Duration::from_millis(200));
    assert_eq!(scene.phones[local].0.taken, 1, "the local phone rings at once");
    scene.run(Duration::from_secs(30));
    scene.replace(1, &thesis()[1], 77);
    scene.run(Duration::from_secs(2));
    for (exchange, peer) in [(0, "zone1"), (1, "zone2")] {
        assert_eq!(scene.exchanges[exchange].peer_state(scene.now(), peer), "OK", "{peer}");
    }
    let now = scene.now();
    scene.phones[1].0.register(now);
    scene.run(Duration::from_secs(1));
    assert_eq!(scene.call(0, "1002", 5), (true, Cause::Hangup));
    scene.assert_empty();
}

#[test]
fn an_exchange_that_crashed_delays_a_call_by_less_than_a_second_and_the_next_ones_not_at_all() {
    let mut scene = Scene::of_thesis(7, |_| ());
    let local = scene.phone("1003", 0, Manner::Answers(Duration::ZERO));
    scene.exchanges[1].gone = true;
    assert_eq!(scene.exchanges[0].peer_state(scene.now(), "zone1"), "OK", "nobody knows it yet");
    scene.begin(0, "1003", 20);
    scene.run(Duration::from_millis(1_000));
    assert_eq!(scene.phones[local].0.taken, 1, "the local phone rings");
    scene.begin(0, "1003", 20);
    scene.run(Duration::from_millis(100));
    assert_eq!(scene.phones[local].0.taken, 2, "at once");
    scene.run(Duration::from_secs(5));
    assert_eq!(scene.exchanges[0].peer_state(scene.now(), "zone1"), "UNREACHABLE");
    scene.begin(0, "1003", 10);
    scene.run(Duration::from_millis(100));
    assert_eq!(scene.phones[local].0.taken, 3, "at once");
    // It comes back before its registration here has run out, and has forgotten ours.
    scene.replace(1, &thesis()[1], 78);
    scene.run(Duration::from_secs(2));
    for (exchange, peer) in [(0, "zone1"), (1, "zone2")] {
        assert_eq!(scene.exchanges[exchange].peer_state(scene.now(), peer), "OK", "{peer}");
    }
    scene.run(Duration::from_secs(60));
    scene.assert_empty();
}

/// A call from 1001 rings at 1002 of the other exchange; 1002 also has a phone here, which is called next.
fn ringing_there(seed: u64) -> (Scene, usize) {
    let mut scene = Scene::of_thesis(seed, |_| ());
    scene.phones[1].0.manner = Manner::Rings;
    let local = scene.phone("1002", 0, Manner::Answers(Duration::ZERO));
    scene.begin(0, "1002", 20);
    scene.run(Duration::from_secs(5));
    assert_eq!((scene.phones[1].0.taken, scene.phones[local].0.taken), (1, 0), "it rings there, and goes on to do so");
    (scene, local)
}

#[test]
fn a_call_that_rings_at_an_exchange_that_crashed_goes_on_at_once_when_its_system_tells() {
    let (mut scene, local) = ringing_there(9);
    scene.exchanges[1].gone = true;
    // Within this it was asked.
    scene.run(Duration::from_millis(250));
    let (now, there) = (scene.now(), scene.exchanges[1].iax);
    scene.exchanges[0].switch.handle_trunk_refused(now, there);
    scene.run(Duration::from_millis(150));
    assert_eq!(scene.phones[local].0.taken, 1);
    scene.run(Duration::from_secs(30));
    scene.assert_empty();
}

#[test]
fn a_call_that_rings_at_an_exchange_that_is_silent_goes_on_after_three_seconds() {
    let (mut scene, local) = ringing_there(10);
    scene.exchanges[1].gone = true;
    scene.run(Duration::from_millis(2_500));
    assert_eq!(scene.phones[local].0.taken, 0, "it may only be slow");
    scene.run(Duration::from_millis(1_000));
    assert_eq!(scene.phones[local].0.taken, 1);
    scene.run(Duration::from_secs(30));
    scene.assert_empty();
}

#[test]
fn a_forged_word_that_an_exchange_is_gone_ends_no_call() {
    let (mut scene, local) = ringing_there(11);
    for _ in 0..20 {
        let (now, there) = (scene.now(), scene.exchanges[1].iax);
        scene.exchanges[0].switch.handle_trunk_refused(now, there);
        scene.run(Duration::from_millis(170));
    }
    assert_eq!(scene.phones[local].0.taken, 0);
    scene.run(Duration::from_secs(60));
    scene.assert_empty();
}

#[test]
fn two_that_start_at_any_time_register_with_each_other_within_seconds_and_then_stay_quiet() {
    for (pause, seed) in [(0, 1), (1_500, 2), (15_000, 3), (100_000, 4)] {
        let plans = thesis();
        let mut scene = Scene::new(seed, &plans[..1], |_| ());
        scene.run(Duration::from_millis(pause));
        let now = scene.now();
        scene.exchanges.push(Exchange::new(now, 3, config(&plans[1], |_| ()), 90));
        scene.run(Duration::from_secs(2));
        for (exchange, peer) in [(0, "zone1"), (1, "zone2")] {
            assert_eq!(scene.exchanges[exchange].peer_state(scene.now(), peer), "OK", "{peer} after {pause} ms");
        }
        // A refresh is some eight datagrams, for each of the two; a poke two, likewise.
        let sent = |scene: &Scene| scene.exchanges[0].status(scene.now()).iax.unwrap().sent.datagrams;
        let before = sent(&scene);
        scene.run(Duration::from_secs(300));
        let rate = sent(&scene) - before;
        assert!(rate < 100, "{rate} datagrams in five minutes");
    }
}

#[test]
fn a_call_to_nobody_ends_at_once_in_a_ring_of_three_with_and_without_the_path() {
    let ring = [
        Plan {
            number: 2,
            peers: vec!["north", "south"],
            registrations: vec![("west", 3), ("west", 4)],
            dialplan: dialplan(&["north", "south"]),
        },
        Plan {
            number: 3,
            peers: vec!["west", "south"],
            registrations: vec![("north", 2), ("north", 4)],
            dialplan: dialplan(&["west", "south"]),
        },
        Plan {
            number: 4,
            peers: vec!["west", "north"],
            registrations: vec![("south", 2), ("south", 3)],
            dialplan: dialplan(&["west", "north"]),
        },
    ];
    for loses_path in [false, true] {
        let mut scene = Scene::new(8, &ring, |_| ());
        for exchange in &mut scene.exchanges {
            exchange.loses_path = loses_path;
        }
        scene.run(Duration::from_secs(2));
        scene.phone("1001", 0, Manner::Answers(Duration::ZERO));
        let last = scene.phone("1002", 2, Manner::Answers(Duration::from_millis(100)));
        assert_eq!(scene.call(0, "1004", 20), rejected(StatusCode::TEMPORARILY_UNAVAILABLE));
        let legs: usize = scene.exchanges.iter().map(|exchange| exchange.records.len()).sum();
        // Each way through the ring is tried once, and none goes round.
        assert!(legs <= 7, "{legs} calls of one");
        let records = scene.exchanges.iter().flat_map(|exchange| &exchange.records);
        let longest = records.map(|record| record.duration).max();
        assert!(longest < Some(Duration::from_secs(2)), "{longest:?}");
        assert_eq!(scene.call(0, "1002", 5), (true, Cause::Hangup));
        assert!(scene.phones[last].0.taken >= 1);
        scene.assert_empty();
    }
}

#[test]
fn two_hundred_calls_at_once_share_trunk_frames_and_nothing_is_lost_by_us() {
    let calls = 200u32;
    let mut scene = Scene::of_thesis(9, |config| {
        config.limits.calls = 1_000;
        for peer in &mut config.iax.peers {
            peer.trunk = true;
        }
    });
    for _ in 0..calls {
        scene.begin(0, "1002", 40);
        scene.run(Duration::from_millis(5));
    }
    scene.run(Duration::from_secs(3));
    let open: Vec<_> = scene.exchanges[0].open.keys().copied().collect();
    assert_eq!(open.len(), 200);
    let before = scene.exchanges[0].status(scene.now()).iax.unwrap().sent;
    let frames = scene.exchanges[0].trunk_frames;
    let rounds = 100u32;
    for round in 0..rounds {
        let now = scene.now();
        let voices = open.iter().map(|call| media::Voice {
            call: *call,
            side: Side::Callee,
            timestamp: 20 * round,
            payload: Bytes::from(vec![0x55; 160]),
        });
        scene.exchanges[0].switch.handle_voices(now, voices);
        scene.run(Duration::from_millis(20));
    }
    scene.run(Duration::from_millis(100));
    let mut heard: HashMap<u64, usize> = HashMap::new();
    for (call, ..) in &scene.exchanges[1].heard {
        *heard.entry(*call).or_default() += 1;
    }
    assert_eq!(heard.len(), 200);
    assert!(heard.values().all(|count| *count == rounds as usize), "{heard:?}");
    let sent = scene.exchanges[0].status(scene.now()).iax.unwrap().sent;
    let per_packet = (sent.bytes - before.bytes) as f64 / f64::from(rounds * calls);
    // 160 bytes of voice: README of iax2 says 169.4 for 100 calls, and the first frame of each call goes in full.
    assert!((165.0..175.0).contains(&per_packet), "{per_packet}");
    let frames = (scene.exchanges[0].trunk_frames - frames) as f64 / f64::from(rounds);
    assert!((25.0..40.0).contains(&frames), "seven entries fill one of 1240 bytes: {frames}");
    scene.run(Duration::from_secs(60));
    let taken: HashSet<_> = scene.exchanges[1].records.iter().map(|record| record.channel.clone()).collect();
    assert_eq!(taken.len(), 200);
    scene.assert_empty();
}

#[test]
fn two_trunks_are_joined_without_their_voice_being_touched() {
    // West calls through the middle to the east: neither knows the other.
    let plans = [
        Plan { number: 2, peers: vec!["middle"], registrations: vec![("west", 3)], dialplan: dialplan(&["middle"]) },
        Plan {
            number: 3,
            peers: vec!["west", "east"],
            registrations: vec![("middle", 2), ("middle", 4)],
            dialplan: dialplan(&["east"]),
        },
        Plan { number: 4, peers: vec!["middle"], registrations: vec![("east", 3)], dialplan: dialplan(&["middle"]) },
    ];
    let mut scene = Scene::new(10, &plans, |_| ());
    scene.run(Duration::from_secs(2));
    scene.phone("1001", 0, Manner::Answers(Duration::ZERO));
    scene.phone("1002", 2, Manner::Answers(Duration::from_millis(100)));
    scene.begin(0, "1002", 20);
    scene.run(Duration::from_secs(2));
    let west = *scene.exchanges[0].open.keys().next().unwrap();
    for packet in 0..50u32 {
        let now = scene.now();
        let payload = Bytes::from(vec![packet as u8; 160]);
        let voice = media::Voice { call: west, side: Side::Callee, timestamp: 20 * packet, payload };
        scene.exchanges[0].switch.handle_voices(now, [voice]);
        scene.run(Duration::from_millis(20));
    }
    scene.run(Duration::from_millis(100));
    let heard: Vec<_> = scene.exchanges[2].heard.iter().map(|(_, _, _, payload)| payload[0]).collect();
    assert_eq!(heard, (0..50).collect::<Vec<_>>());
    assert!(scene.exchanges[1].heard.is_empty(), "the media of the middle had nothing to do");
    let middle = *scene.exchanges[1].open.keys().next().unwrap();
    let watches =
        scene.exchanges[1].orders.iter().filter(|(call, order)| *call == middle && *order == Order::Watch(true));
    assert_eq!(watches.count(), 0, "it must not be taken for silence");
    scene.run(Duration::from_secs(60));
    scene.assert_empty();
}
