//! Exchanges that dial each other before they look for the phone themselves, as the dialplans of the trunked cluster do: the
//! phone is found wherever it is, and no call goes round.

mod support;

use std::{net::SocketAddr, time::Duration};

use netsim::{Node, Simulation};
use pbx::{
    cdr::Disposition,
    config::{Address, Config, IaxPeer, Secret},
};
use sip_core::StatusCode;
use sip_transaction::agent::Cause;
use support::{
    phone::{Manner, Phone},
    scene::{CLEAN, Exchange, Station, set_dialplan},
};

const SECRET: &str = "long enough";

fn place(number: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 100 + u8::try_from(number).unwrap()], 5060))
}

/// Exchanges `pbx0`, `pbx1`, …, each of which tries the next one first; phone 1001 is at the first, 1002 at the second, and so
/// on. 1004 is nowhere.
struct Ring {
    simulation: Simulation,
    exchanges: Vec<Exchange>,
    phones: Vec<Station>,
}

impl Ring {
    fn new(count: usize) -> Self {
        let simulation = Simulation::new(4, CLEAN);
        let exchanges = (0..count)
            .map(|number| Exchange::at(place(number), simulation.now(), |config| configure(config, number, count)));
        let phones = (0..count).map(|number| {
            let address = SocketAddr::from(([192, 0, 2, 1 + u8::try_from(number).unwrap()], 5060));
            let user = format!("{}", 1001 + number);
            let mut phone = Phone::new(&user, "1234", address, place(number), u8::try_from(number).unwrap() + 1);
            phone.manner = Manner::Answers(Duration::from_millis(500));
            Station(phone)
        });
        let (exchanges, phones) = (exchanges.collect(), phones.collect());
        let mut ring = Self { simulation, exchanges, phones };
        let now = ring.simulation.now();
        ring.phones.iter_mut().for_each(|phone| phone.0.register(now));
        ring.run(Duration::from_secs(5));
        assert!(ring.phones.iter().all(|phone| phone.0.registered));
        ring
    }

    fn run(&mut self, span: Duration) {
        let mut nodes: Vec<&mut dyn Node> = Vec::new();
        nodes.extend(self.exchanges.iter_mut().map(|exchange| exchange as &mut dyn Node));
        nodes.extend(self.phones.iter_mut().map(|phone| phone as &mut dyn Node));
        self.simulation.run_for(&mut nodes, span);
    }

    /// A call of 1001 that is left alone for some seconds, then given up, and how many records it left at each.
    fn call(&mut self, number: &str, seconds: u64) -> (bool, Cause, Vec<usize>) {
        let before: Vec<_> = self.exchanges.iter().map(|exchange| exchange.records.len()).collect();
        let now = self.simulation.now();
        self.phones[0].0.call(now, number, true, Duration::from_secs(seconds));
        self.run(Duration::from_secs(seconds + 60));
        let outcome = self.phones[0].0.outcomes.pop().expect("it ended");
        let after = self.exchanges.iter().zip(before).map(|(exchange, before)| exchange.records.len() - before);
        (outcome.answered, outcome.cause, after.collect())
    }

    fn assert_empty(&self) {
        let now = self.simulation.now();
        self.exchanges.iter().for_each(|exchange| exchange.assert_empty(now));
    }
}

fn configure(config: &mut Config, number: usize, count: usize) {
    let next = (number + 1) % count;
    set_dialplan(
        config,
        &format!(
            "[default]\nexten => _1XXX,1,Dial(IAX2/pbx{next}/${{EXTEN}}@default,30,r)\n same => n,Dial(SIP/${{EXTEN}},15,r)\n"
        ),
    );
    config.iax.listen = vec![SocketAddr::new(place(number).ip(), 4569)];
    for other in (0..count).filter(|other| *other != number) {
        let mut peer = IaxPeer::new(format!("pbx{other}"));
        peer.secret = Some(Secret::new(SECRET));
        peer.username = Some(format!("pbx{number}"));
        peer.address = Address::Fixed(SocketAddr::new(place(other).ip(), 4569).into());
        config.iax.peers.push(peer);
    }
}

#[test]
fn two_exchanges_find_the_phone_at_either_and_never_send_a_call_back() {
    let mut ring = Ring::new(2);
    let (answered, cause, records) = ring.call("1002", 5);
    assert_eq!((answered, cause, records), (true, Cause::Hangup, vec![1, 1]));
    let (here, there) = (ring.exchanges[0].records.last().unwrap(), ring.exchanges[1].records.last().unwrap());
    assert!(here.channel.starts_with("SIP/1001-") && here.dstchannel.starts_with("IAX2/pbx1-"), "{here:?}");
    assert!(there.channel.starts_with("IAX2/pbx0-") && there.dstchannel.starts_with("SIP/1002-"), "{there:?}");
    assert_eq!((here.disposition, there.disposition), (Disposition::Answered, Disposition::Answered));
    assert_eq!((there.src.as_str(), there.dst.as_str()), ("1001", "1002"));
    assert_eq!((here.lastapp.as_str(), here.lastdata.as_str()), ("Dial", "IAX2/pbx1/1002@default,30,r"));

    // A phone that is nowhere is not looked for twice, nor for long.
    let (answered, cause, records) = ring.call("1004", 3);
    assert_eq!((answered, records), (false, vec![1, 1]));
    assert!(matches!(cause, Cause::Rejected(_)), "refused at once, not given up: {cause:?}");
    ring.assert_empty();
}

#[test]
fn a_phone_at_the_same_exchange_is_found_after_the_other_said_no() {
    let mut ring = Ring::new(2);
    let now = ring.simulation.now();
    let mut other = Phone::new("1003", "1234", "192.0.2.9:5060".parse().unwrap(), place(0), 9);
    other.register(now);
    ring.phones.push(Station(other));
    ring.run(Duration::from_secs(2));
    let (answered, cause, records) = ring.call("1003", 5);
    assert_eq!((answered, cause, records), (true, Cause::Hangup, vec![1, 1]));
    let (here, there) = (ring.exchanges[0].records.last().unwrap(), ring.exchanges[1].records.last().unwrap());
    assert!(here.dstchannel.starts_with("SIP/1003-") && here.billsec.as_secs() == 4, "{here:?}");
    assert_eq!(there.disposition, Disposition::Failed);
    assert!(there.duration < Duration::from_secs(1));
    ring.assert_empty();
}

#[test]
fn a_ring_of_three_goes_round_once_and_no_further() {
    for hides_paths in [false, true] {
        let mut ring = Ring::new(3);
        ring.exchanges.iter_mut().for_each(|exchange| exchange.hides_paths = hides_paths);
        // From the first over the second and the third back to the first, which does not dial on: each tries its own phones.
        for (number, answers) in [("1002", true), ("1003", true), ("1004", false)] {
            let (answered, cause, records) = ring.call(number, 5);
            assert_eq!(answered, answers, "{number}, paths hidden: {hides_paths}");
            assert_eq!(records, [2, 1, 1], "{number}, paths hidden: {hides_paths}");
            if !answers {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                assert!(matches!(cause, Cause::Rejected(refused) if refused <= status), "{cause:?}");
            }
        }
        ring.assert_empty();
    }
}

#[test]
fn an_exchange_that_is_gone_does_not_keep_callers_waiting() {
    let mut ring = Ring::new(2);
    let now = ring.simulation.now();
    let mut other = Phone::new("1003", "1234", "192.0.2.9:5060".parse().unwrap(), place(0), 9);
    other.register(now);
    ring.phones.push(Station(other));
    ring.run(Duration::from_secs(2));
    ring.exchanges[1].trunk = "192.0.2.250:1".parse().unwrap();
    for _ in 0..2 {
        let (answered, cause, records) = ring.call("1003", 8);
        assert_eq!((answered, cause, records), (true, Cause::Hangup, vec![1, 0]));
    }
    let last = ring.exchanges[0].records.last().unwrap();
    let waited = last.duration - last.billsec;
    assert!(waited < Duration::from_millis(2_500), "{waited:?}");
    ring.assert_empty();
}
