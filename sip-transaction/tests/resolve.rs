//! Locating servers by RFC 3263, from zones that are written down here.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sip_core::uri::Uri;
use sip_transaction::resolve::{
    Answer, Busy, Config, Kind, Locator, Lookup, Naptr, Output, Question, Record, Resolver, Srv,
};
use sip_transaction::{Target, Transport};
use support::origin;

const MINUTE: Duration = Duration::from_secs(60);

/// Zones: one record a line, as in a zone file without times and classes.
struct Zone(HashMap<Question, Vec<Record>>);

impl Zone {
    fn new(text: &str) -> Self {
        let mut zone = HashMap::<_, Vec<_>>::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (kind, record) = match words[1..] {
                ["A", address] => (Kind::A, Record::Address(address.parse().unwrap())),
                ["AAAA", address] => (Kind::Aaaa, Record::Address(address.parse().unwrap())),
                ["SRV", priority, weight, port, target] => (
                    Kind::Srv,
                    Record::Srv(Srv {
                        priority: priority.parse().unwrap(),
                        weight: weight.parse().unwrap(),
                        port: port.parse().unwrap(),
                        target: target.into(),
                    }),
                ),
                ["NAPTR", order, preference, flags, services, replacement] => (
                    Kind::Naptr,
                    Record::Naptr(Naptr {
                        order: order.parse().unwrap(),
                        preference: preference.parse().unwrap(),
                        flags: flags.into(),
                        services: services.into(),
                        regexp: "".into(),
                        replacement: replacement.into(),
                    }),
                ),
                _ => panic!("{line}"),
            };
            zone.entry(Question::new(words[0], kind)).or_default().push(record);
        }
        Self(zone)
    }

    fn answer(&self, question: &Question) -> Answer {
        match self.0.get(question) {
            Some(records) => Answer::Found { records: records.clone(), ttl: MINUTE },
            None => Answer::NotFound { ttl: MINUTE },
        }
    }
}

fn locator(uri: &str) -> Locator {
    Locator::try_from(&uri.parse::<Uri>().unwrap()).unwrap()
}

/// Locates, answering from the zone. Returns the targets and what was asked, in order.
fn locate(resolver: &mut Resolver, now: Instant, uri: &str, zone: &Zone) -> (Vec<Target>, Vec<Question>) {
    let mut asked = Vec::new();
    let lookup = match resolver.locate(now, locator(uri)).unwrap() {
        Lookup::Located(targets) => return (targets, asked),
        Lookup::Waiting(lookup) => lookup,
    };
    loop {
        match resolver.poll_output().expect("nothing more to do, and not located") {
            Output::Query { query, question } => {
                let answer = zone.answer(&question);
                asked.push(question);
                resolver.handle_answer(now, query, answer);
            }
            Output::Located { lookup: located, targets } => {
                assert_eq!(located, lookup);
                assert!(resolver.poll_output().is_none());
                assert_eq!(resolver.poll_timeout(), None);
                return (targets, asked);
            }
        }
    }
}

fn show(targets: &[Target]) -> Vec<String> {
    targets.iter().map(|target| format!("{} {}", target.transport, target.remote)).collect()
}

const ALL: Config = Config { tls: true, websocket: true, answers: 1_000, lookups: 100, ..Config::DEFAULT };

/// The zone of RFC 3263 §4.1 and more.
const ZONE: &str = "
    example.com                 NAPTR 50 50 s SIPS+D2T _sips._tcp.example.com.
    example.com                 NAPTR 90 50 s SIP+D2T _sip._tcp.example.com
    example.com                 NAPTR 100 50 S sip+d2u _sip._udp.example.com.
    example.com                 A 192.0.2.100
    _sips._tcp.example.com      SRV 0 1 5061 server1.example.com
    _sip._tcp.example.com       SRV 0 1 5060 server1.example.com.
    _sip._tcp.example.com       SRV 1 1 5060 server2.example.com
    _sip._udp.example.com       SRV 0 0 5070 Server1.Example.COM
    server1.example.com         A 192.0.2.1
    server1.example.com         AAAA 2001:db8::1
    server2.example.com         A 192.0.2.2
    server2.example.com         A 192.0.2.3
    srvonly.example             A 192.0.2.200
    _sip._tcp.srvonly.example   SRV 0 0 5080 server2.example.com
    plain.example               A 192.0.2.50
    six.example                 AAAA 2001:db8::6
    web.example                 NAPTR 10 10 s SIPS+D2W _sips._ws.web.example
    _sips._ws.web.example       SRV 0 0 443 server2.example.com
    closed.example              A 192.0.2.60
    _sip._udp.closed.example    SRV 0 0 0 .
    odd.example                 NAPTR 1 1 u E2U+sip _sip._udp.example.com
    odd.example                 NAPTR 2 1 a SIP+D2U server1.example.com
    odd.example                 NAPTR 3 1 s SIP+D2S _sip._sctp.odd.example
    odd.example                 NAPTR 4 1 s SIP+D2T _sip._tcp.nowhere.example
    odd.example                 NAPTR 5 1 s SIP+D2U _sip._udp.example.com
    numbers.example             A 192.0.2.61
    _sip._udp.numbers.example   SRV 0 0 5090 192.0.2.9
";

#[test]
fn the_rules_of_section_4_hold() {
    let zone = Zone::new(ZONE);
    let no_tls = Config { tls: false, ..ALL };
    let only_udp = Config { tls: false, tcp: false, ..ALL };
    for (config, uri, expected) in [
        // Numeric: nothing is asked.
        (ALL, "sip:192.0.2.7", &["UDP 192.0.2.7:5060"][..]),
        (ALL, "sips:192.0.2.7", &["TLS 192.0.2.7:5061"]),
        (ALL, "sip:192.0.2.7:5090;transport=tcp", &["TCP 192.0.2.7:5090"]),
        (ALL, "sip:a@example.com;maddr=192.0.2.8", &["UDP 192.0.2.8:5060"]),
        (ALL, "sip:[2001:db8::7];transport=ws", &["WS [2001:db8::7]:80"]),
        // A port: addresses, and UDP or TLS.
        (ALL, "sip:example.com:5060", &["UDP 192.0.2.100:5060"]),
        (ALL, "sips:example.com:5071", &["TLS 192.0.2.100:5071"]),
        (ALL, "sip:server2.example.com:5060;transport=tcp", &["TCP 192.0.2.2:5060", "TCP 192.0.2.3:5060"]),
        // NAPTR: the most preferred transport that both have.
        (ALL, "sip:example.com", &["TLS 192.0.2.1:5061", "TLS [2001:db8::1]:5061"]),
        (ALL, "sips:example.com", &["TLS 192.0.2.1:5061", "TLS [2001:db8::1]:5061"]),
        (
            no_tls,
            "sip:example.com",
            &["TCP 192.0.2.1:5060", "TCP [2001:db8::1]:5060", "TCP 192.0.2.2:5060", "TCP 192.0.2.3:5060"],
        ),
        (only_udp, "sip:example.com", &["UDP 192.0.2.1:5070", "UDP [2001:db8::1]:5070"]),
        (Config { ipv6_first: true, ..only_udp }, "sip:example.com", &["UDP [2001:db8::1]:5070", "UDP 192.0.2.1:5070"]),
        (ALL, "sip:web.example", &["WSS 192.0.2.2:443", "WSS 192.0.2.3:443"]),
        (Config { websocket: false, ..ALL }, "sip:web.example", &[]),
        (no_tls, "sip:web.example", &[]),
        // A transport: SRV for it, without NAPTR.
        (ALL, "sip:example.com;transport=udp", &["UDP 192.0.2.1:5070", "UDP [2001:db8::1]:5070"]),
        (ALL, "sip:example.com;transport=tls", &["TLS 192.0.2.1:5061", "TLS [2001:db8::1]:5061"]),
        (ALL, "sip:plain.example;transport=tcp", &["TCP 192.0.2.50:5060"]),
        // No NAPTR: SRV of what we have; no SRV: addresses, at the default port.
        (ALL, "sip:srvonly.example", &["TCP 192.0.2.2:5080", "TCP 192.0.2.3:5080"]),
        (ALL, "sip:plain.example", &["UDP 192.0.2.50:5060"]),
        (ALL, "sips:plain.example", &["TLS 192.0.2.50:5061"]),
        (ALL, "sip:six.example", &["UDP [2001:db8::6]:5060"]),
        (Config { ipv6: false, ..ALL }, "sip:six.example", &[]),
        (ALL, "sip:nowhere.example", &[]),
        // The root as target: decidedly not offered, so no addresses either.
        (ALL, "sip:closed.example;transport=udp", &[]),
        // Other services, flags and transports are not ours, and what leads nowhere is passed over.
        (ALL, "sip:odd.example", &["UDP 192.0.2.1:5070", "UDP [2001:db8::1]:5070"]),
        (ALL, "sip:numbers.example;transport=udp", &["UDP 192.0.2.9:5090"]),
    ] {
        let mut resolver = Resolver::new(config, [1; 32]);
        let (targets, _) = locate(&mut resolver, origin(), uri, &zone);
        assert_eq!(show(&targets), expected, "{uri}");
        assert_eq!((resolver.sizes().0, resolver.sizes().1), (0, 0), "{uri}");
    }
}

#[test]
fn what_is_asked_is_what_the_rfc_says_and_no_more() {
    let zone = Zone::new(ZONE);
    let asked = |uri| {
        let mut resolver = Resolver::new(ALL, [1; 32]);
        let (_, asked) = locate(&mut resolver, origin(), uri, &zone);
        asked.iter().map(|question| format!("{:?} {}", question.kind, question.name)).collect::<Vec<_>>()
    };
    assert_eq!(asked("sip:example.com:5060"), ["A example.com", "Aaaa example.com"]);
    assert_eq!(
        asked("sips:example.com"),
        ["Naptr example.com", "Srv _sips._tcp.example.com", "A server1.example.com", "Aaaa server1.example.com"]
    );
    assert_eq!(
        asked("sip:plain.example"),
        [
            "Naptr plain.example",
            "Srv _sip._tcp.plain.example",
            "Srv _sip._udp.plain.example",
            "Srv _sips._tcp.plain.example",
            "A plain.example",
            "Aaaa plain.example",
        ]
    );
    // Never in the clear for sips, whatever the records say.
    assert_eq!(
        asked("sips:odd.example"),
        ["Naptr odd.example", "Srv _sips._tcp.odd.example", "A odd.example", "Aaaa odd.example"]
    );
}

#[test]
fn the_load_is_spread_by_weight() {
    let zone = Zone::new(
        "_sip._udp.e SRV 1 75 5060 a.e
         _sip._udp.e SRV 1 25 5060 b.e
         _sip._udp.e SRV 2 9 5060 c.e
         a.e A 192.0.2.1
         b.e A 192.0.2.2
         c.e A 192.0.2.3",
    );
    let mut resolver = Resolver::new(ALL, [3; 32]);
    let mut first = BTreeMap::<_, u32>::new();
    for _ in 0..2_000 {
        let (targets, _) = locate(&mut resolver, origin(), "sip:e;transport=udp", &zone);
        assert_eq!(targets.len(), 3);
        assert_eq!(targets[2].remote.ip().to_string(), "192.0.2.3");
        *first.entry(targets[0].remote.ip().to_string()).or_default() += 1;
    }
    assert!((1_400..1_600).contains(&first["192.0.2.1"]), "{first:?}");
}

#[test]
fn answers_hold_as_long_as_they_say_within_bounds() {
    let zone = Zone::new(ZONE);
    let config = Config { longest_negative: Duration::from_secs(10), ..ALL };
    let mut resolver = Resolver::new(config, [1; 32]);
    let now = origin();
    assert_eq!(locate(&mut resolver, now, "sip:plain.example", &zone).1.len(), 6);
    assert_eq!(locate(&mut resolver, now + Duration::from_secs(9), "sip:plain.example", &zone).1.len(), 0);
    // What is not there holds for ten seconds here, the address for a minute.
    assert_eq!(locate(&mut resolver, now + Duration::from_secs(11), "sip:plain.example", &zone).1.len(), 5);
    assert_eq!(locate(&mut resolver, now + Duration::from_secs(61), "sip:plain.example", &zone).1.len(), 6);
}

#[test]
fn what_nobody_answers_has_failed_in_time_and_is_not_asked_again_at_once() {
    let mut resolver = Resolver::new(ALL, [1; 32]);
    let now = origin();
    let Ok(Lookup::Waiting(lookup)) = resolver.locate(now, locator("sip:example.com:5060")) else { panic!("located") };
    assert!(matches!(resolver.poll_output(), Some(Output::Query { .. })));
    let Some(Output::Query { query: late, .. }) = resolver.poll_output() else { panic!("one family only") };
    let deadline = resolver.poll_timeout().unwrap();
    assert_eq!(deadline, now + Duration::from_secs(5));
    resolver.handle_timeout(deadline - Duration::from_millis(1));
    assert_eq!(resolver.poll_output(), None);
    resolver.handle_timeout(deadline);
    assert_eq!(resolver.poll_output(), Some(Output::Located { lookup, targets: Vec::new() }));
    resolver.handle_answer(deadline, late, Answer::NotFound { ttl: MINUTE });
    assert_eq!(resolver.poll_output(), None);
    assert_eq!(resolver.locate(deadline, locator("sip:example.com:5060")), Ok(Lookup::Located(Vec::new())));
    let later = deadline + Duration::from_secs(6);
    assert!(matches!(resolver.locate(later, locator("sip:example.com:5060")), Ok(Lookup::Waiting(_))));
}

#[test]
fn a_broken_server_for_naptr_does_not_stop_what_can_be_found_without_it() {
    let zone = Zone::new(ZONE);
    let mut resolver = Resolver::new(ALL, [1; 32]);
    let now = origin();
    assert!(matches!(resolver.locate(now, locator("sip:srvonly.example")), Ok(Lookup::Waiting(_))));
    let targets = loop {
        match resolver.poll_output().unwrap() {
            Output::Query { query, question } if question.kind == Kind::Naptr => {
                resolver.handle_answer(now, query, Answer::Failed);
            }
            Output::Query { query, question } => resolver.handle_answer(now, query, zone.answer(&question)),
            Output::Located { targets, .. } => break targets,
        }
    };
    assert_eq!(targets.len(), 2);
}

#[test]
fn a_question_that_many_wait_for_is_asked_once_and_one_who_gives_up_disturbs_nobody() {
    let zone = Zone::new(ZONE);
    let mut resolver = Resolver::new(Config { lookups: 3, ipv6: false, ..ALL }, [1; 32]);
    let now = origin();
    let lookups: Vec<_> = (0..3)
        .map(|_| match resolver.locate(now, locator("sip:plain.example:5060")) {
            Ok(Lookup::Waiting(lookup)) => lookup,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(resolver.locate(now, locator("sip:other.example:5060")), Err(Busy));
    // What needs no answer has a place all the same.
    assert!(matches!(resolver.locate(now, locator("sip:192.0.2.1")), Ok(Lookup::Located(_))));
    let Some(Output::Query { query, question }) = resolver.poll_output() else { panic!("nothing is asked") };
    assert_eq!(resolver.poll_output(), None);
    resolver.forget(lookups[1]);
    resolver.handle_answer(now, query, zone.answer(&question));
    let mut located = Vec::new();
    while let Some(Output::Located { lookup, targets }) = resolver.poll_output() {
        assert_eq!(targets.len(), 1);
        located.push(lookup);
    }
    assert_eq!(located, [lookups[0], lookups[2]]);
    assert_eq!(resolver.sizes(), (0, 0, 1));
}

#[test]
fn the_cache_and_every_answer_are_bounded() {
    let config = Config { answers: 100, records: 8, servers: 4, targets: 5, ..ALL };
    let mut resolver = Resolver::new(config, [1; 32]);
    let now = origin();
    let many = |question: &Question| {
        let records = match question.kind {
            Kind::Srv => (0..1_000)
                .map(|number| {
                    let target = format!("host{number}.{}", question.name).into();
                    Record::Srv(Srv { priority: number, weight: 0, port: 5060, target })
                })
                .collect(),
            Kind::A => (0..=255).map(|last| Record::Address([192, 0, 2, last].into())).collect(),
            Kind::Naptr | Kind::Aaaa => Vec::new(),
        };
        Answer::Found { records, ttl: MINUTE }
    };
    for domain in 0..200 {
        let uri = format!("sip:d{domain}.example;transport=udp");
        assert!(matches!(resolver.locate(now, locator(&uri)), Ok(Lookup::Waiting(_))));
        let mut queries = 0;
        loop {
            match resolver.poll_output().unwrap() {
                Output::Query { query, question } => {
                    queries += 1;
                    resolver.handle_answer(now, query, many(&question));
                }
                Output::Located { targets, .. } => {
                    assert_eq!(targets.len(), 5);
                    break;
                }
            }
        }
        assert!(queries <= 1 + 2 * 4);
        assert!(resolver.sizes().2 <= 101);
    }
}

proptest! {
    #[test]
    fn whatever_is_answered_every_lookup_ends_once(
        uris in prop::collection::vec(0_usize..8, 1..20),
        answers in prop::collection::vec((0_u8..8, 0_u64..100_000, 0_u16..3), 0..200),
    ) {
        let mut resolver = Resolver::new(Config { answers: 8, ..ALL }, [1; 32]);
        let mut now = origin();
        let names = ["a.example", "b.example", "c.example"];
        let mut waiting = std::collections::HashSet::new();
        let mut answers = answers.into_iter();
        let mut queue = Vec::new();
        let all = [
            "sip:a.example", "sips:a.example", "sip:b.example;transport=tcp", "sip:c.example:1", "sip:192.0.2.1",
            "sip:c.example;transport=ws", "sips:b.example", "sip:a.example;maddr=b.example",
        ];
        for uri in uris {
            if let Ok(Lookup::Waiting(lookup)) = resolver.locate(now, locator(all[uri])) {
                waiting.insert(lookup);
            }
        }
        loop {
            while let Some(output) = resolver.poll_output() {
                match output {
                    Output::Query { query, .. } => queue.push(query),
                    Output::Located { lookup, targets } => {
                        prop_assert!(waiting.remove(&lookup));
                        prop_assert!(targets.len() <= 16);
                    }
                }
            }
            let Some((kind, number, name)) = answers.next() else { break };
            let name = names[usize::from(name)];
            let ttl = Duration::from_secs(number);
            let records = match kind {
                0 => vec![Record::Address([192, 0, 2, 1].into()), Record::Address("::1".parse().unwrap())],
                1 | 2 => vec![Record::Srv(Srv { priority: 0, weight: number as u16, port: number as u16, target: name.into() })],
                3 | 4 => ["SIP+D2U", "SIPS+D2T", "SIP+D2W"].iter().map(|services| Record::Naptr(Naptr {
                    order: number as u16, preference: 1, flags: "s".into(), services: (*services).into(),
                    regexp: "".into(), replacement: name.into(),
                })).collect(),
                _ => Vec::new(),
            };
            match (kind, queue.pop()) {
                (7, _) | (_, None) => {
                    now += Duration::from_millis(number);
                    resolver.handle_timeout(now);
                }
                (6, Some(query)) => resolver.handle_answer(now, query, Answer::Failed),
                (_, Some(query)) => resolver.handle_answer(now, query, Answer::Found { records, ttl }),
            }
        }
        while let Some(deadline) = resolver.poll_timeout() {
            resolver.handle_timeout(deadline);
            while let Some(output) = resolver.poll_output() {
                if let Output::Located { lookup, .. } = output {
                    prop_assert!(waiting.remove(&lookup));
                }
            }
        }
        prop_assert!(waiting.is_empty());
        prop_assert_eq!((resolver.sizes().0, resolver.sizes().1), (0, 0));
    }
}

#[test]
fn a_name_reached_by_two_ways_is_tried_once() {
    let zone = Zone::new(
        "_sip._udp.e SRV 1 1 5060 a.e
         _sip._udp.e SRV 2 1 5060 b.e
         a.e A 192.0.2.1
         b.e A 192.0.2.1",
    );
    let (targets, _) = locate(&mut Resolver::new(ALL, [1; 32]), origin(), "sip:e;transport=udp", &zone);
    assert_eq!(show(&targets), ["UDP 192.0.2.1:5060"]);
    assert_eq!(targets[0].transport, Transport::Udp);
}
