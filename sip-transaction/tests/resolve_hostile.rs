//! Name servers that mean ill, or are badly kept: whatever they say, a lookup ends, soon, and costs little.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use sip_core::uri::Uri;
use sip_transaction::Target;
use sip_transaction::resolve::{
    Answer, Busy, Config, Kind, Locator, Lookup, Naptr, Output, Question, Record, Resolver, Srv,
};
use support::origin;

const MINUTE: Duration = Duration::from_secs(60);

fn locator(uri: &str) -> Locator {
    Locator::try_from(&uri.parse::<Uri>().unwrap()).unwrap()
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Record {
    Record::Srv(Srv { priority, weight, port, target: target.into() })
}

fn naptr(order: u16, services: &str, replacement: &str) -> Record {
    Record::Naptr(Naptr {
        order,
        preference: 0,
        flags: "s".into(),
        services: services.into(),
        regexp: "".into(),
        replacement: replacement.into(),
    })
}

fn address(last: u8) -> Record {
    Record::Address([192, 0, 2, last].into())
}

fn found(records: Vec<Record>) -> Answer {
    Answer::Found { records, ttl: MINUTE }
}

/// Locates, and answers each question. Returns the targets and the questions.
fn locate(
    resolver: &mut Resolver,
    uri: &str,
    mut answer: impl FnMut(&Question) -> Answer,
) -> (Vec<Target>, Vec<Question>) {
    let now = origin();
    let mut asked = Vec::new();
    if let Lookup::Located(targets) = resolver.locate(now, locator(uri)).unwrap() {
        return (targets, asked);
    }
    loop {
        match resolver.poll_output().expect("nothing more to do, and not located") {
            Output::Query { query, question } => {
                let said = answer(&question);
                asked.push(question);
                resolver.handle_answer(now, query, said);
            }
            Output::Located { targets, .. } => {
                assert_eq!((resolver.sizes().0, resolver.sizes().1), (0, 0));
                return (targets, asked);
            }
        }
    }
}

#[test]
fn answers_to_questions_never_asked_or_answered_already_change_nothing() {
    let now = origin();
    let mut other = Resolver::new(Config::default(), [2; 32]);
    let mut foreign = Vec::new();
    for number in 0..10 {
        assert!(other.locate(now, locator(&format!("sip:d{number}.example:5060"))).is_ok());
        while let Some(Output::Query { query, .. }) = other.poll_output() {
            foreign.push(query);
        }
    }
    let mut resolver = Resolver::new(Config::default(), [1; 32]);
    for query in &foreign {
        resolver.handle_answer(now, *query, found(vec![address(66)]));
    }
    assert_eq!((resolver.poll_output(), resolver.sizes()), (None, (0, 0, 0)));
    // Only one family, so that one answer ends it.
    let config = Config { ipv6: false, ..Config::default() };
    let mut resolver = Resolver::new(config, [1; 32]);
    assert!(resolver.locate(now, locator("sip:a.example:5060")).is_ok());
    let Some(Output::Query { query, .. }) = resolver.poll_output() else { panic!("nothing is asked") };
    resolver.handle_answer(now, query, found(vec![address(1)]));
    // The same answer again, with another address: too late to be believed.
    resolver.handle_answer(now, query, found(vec![address(66)]));
    let Some(Output::Located { targets, .. }) = resolver.poll_output() else { panic!("not located") };
    assert_eq!(targets, [Target::udp("192.0.2.1:5060".parse().unwrap())]);
    assert_eq!(resolver.poll_output(), None);
    let Ok(Lookup::Located(targets)) = resolver.locate(now, locator("sip:a.example:5060")) else { panic!("asks") };
    assert_eq!(targets, [Target::udp("192.0.2.1:5060".parse().unwrap())]);
}

#[test]
fn records_that_do_not_fit_the_question_are_as_good_as_none() {
    let everything = || {
        vec![
            address(66),
            Record::Address("2001:db8::66".parse().unwrap()),
            srv(0, 0, 5066, "x.example"),
            naptr(0, "SIP+D2U", "x.example"),
        ]
    };
    let mut resolver = Resolver::new(Config { tcp: false, ..Config::default() }, [1; 32]);
    let (targets, asked) = locate(&mut resolver, "sip:a.example", |question| match question.kind {
        // An address where a service is asked for, and a service where an address is.
        Kind::Naptr | Kind::Srv => found(vec![address(66)]),
        Kind::A => found(vec![Record::Address("2001:db8::66".parse().unwrap()), srv(0, 0, 5066, "x.example")]),
        Kind::Aaaa => found(everything()),
    });
    assert_eq!(asked.len(), 4);
    assert_eq!(targets, [Target::udp("[2001:db8::66]:5060".parse().unwrap())]);
}

#[test]
fn records_that_lead_in_circles_are_followed_once() {
    // NAPTR to itself, to the name of another's SRV, and SRV to names of services.
    let mut resolver = Resolver::new(Config::default(), [1; 32]);
    let (targets, asked) = locate(&mut resolver, "sip:a.example", |question| match question.kind {
        Kind::Naptr => found(vec![
            naptr(1, "SIP+D2U", "a.example"),
            naptr(2, "SIP+D2T", "b.example"),
            naptr(3, "SIP+D2U", "_sip._udp.a.example"),
        ]),
        Kind::Srv if &*question.name == "_sip._udp.a.example" => {
            found(vec![srv(1, 0, 5060, "_sip._udp.a.example"), srv(2, 0, 5060, "a.example")])
        }
        Kind::Srv | Kind::A | Kind::Aaaa => Answer::NotFound { ttl: MINUTE },
    });
    assert_eq!(targets, []);
    assert_eq!(asked.len(), 1 + 3 + 2 * 2, "{asked:?}");
    // Each question once.
    let mut once = asked.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), asked.len());
}

#[test]
fn ten_thousand_records_cost_no_more_than_a_few() {
    let config = Config::default();
    let most = 1 + config.records + 3 + 2 * config.servers + 2;
    let mut resolver = Resolver::new(config, [1; 32]);
    for domain in 0..4 {
        let uri = format!("sip:d{domain}.example");
        let (targets, asked) = locate(&mut resolver, &uri, |question| match question.kind {
            // All lead somewhere else, and only the last one somewhere.
            Kind::Naptr => found(
                (0..10_000).map(|number| naptr(number, "SIP+D2U", &format!("n{number}.{}", question.name))).collect(),
            ),
            Kind::Srv if question.name.starts_with("n63.") => {
                found((0..10_000).map(|number| srv(number, 0, 5060, &format!("s{number}.{}", question.name))).collect())
            }
            Kind::Srv => Answer::NotFound { ttl: MINUTE },
            Kind::A | Kind::Aaaa => {
                found((0..10_000_u32).map(|number| Record::Address(number.to_be_bytes().into())).collect())
            }
        });
        assert_eq!(targets.len(), config.targets);
        assert!(asked.len() <= most, "{} questions", asked.len());
        assert!(resolver.sizes().2 <= most * 4);
    }
}

#[test]
fn weights_of_zero_and_the_largest_ones_and_many_equals_are_all_tried() {
    let spread = |weights: &[u16]| {
        let mut first = BTreeMap::<u8, u32>::new();
        let mut resolver = Resolver::new(Config { ipv6: false, ..Config::default() }, [3; 32]);
        for _ in 0..2_000 {
            let (targets, _) = locate(&mut resolver, "sip:a.example;transport=udp", |question| match question.kind {
                Kind::Srv => found(
                    weights
                        .iter()
                        .enumerate()
                        .map(|(number, weight)| srv(7, *weight, 5060, &format!("s{number}")))
                        .collect(),
                ),
                _ => found(vec![address(question.name[1..].parse().unwrap())]),
            });
            assert_eq!(targets.len(), weights.len());
            let std::net::IpAddr::V4(ip) = targets[0].remote.ip() else { panic!("only IPv4 was asked for") };
            *first.entry(ip.octets()[3]).or_default() += 1;
        }
        first
    };
    // Sums larger than any weight, and than 16 bits.
    let largest = spread(&[u16::MAX; 4]);
    assert!((0..4).all(|server| (400..600).contains(&largest[&server])), "{largest:?}");
    // One of weight 0 beside heavy ones is there for when those are gone.
    let mixed = spread(&[0, u16::MAX, u16::MAX]);
    assert!(mixed.get(&0).copied().unwrap_or(0) < 10, "{mixed:?}");
    // All of weight 0: RFC 2782 wants no order, and the first of them is as good as another.
    assert_eq!(spread(&[0; 4]).values().sum::<u32>(), 2_000);
}

#[test]
fn a_lower_priority_is_never_tried_before_a_higher_one_whatever_the_weights() {
    let mut resolver = Resolver::new(Config { ipv6: false, ..Config::default() }, [3; 32]);
    for _ in 0..500 {
        let (targets, _) = locate(&mut resolver, "sip:a.example;transport=udp", |question| match question.kind {
            Kind::Srv => found(vec![
                srv(u16::MAX, u16::MAX, 5060, "s9"),
                srv(0, 0, 5060, "s1"),
                srv(1, u16::MAX, 5060, "s2"),
                srv(1, 0, 5060, "s3"),
            ]),
            _ => found(vec![address(question.name[1..].parse().unwrap())]),
        });
        let order: Vec<_> = targets.iter().map(|target| target.remote.ip().to_string()).collect();
        assert_eq!((&*order[0], &*order[3]), ("192.0.2.1", "192.0.2.9"));
    }
}

#[test]
fn name_servers_that_say_nothing_hold_a_bounded_number_of_lookups_for_a_bounded_time() {
    let config = Config { lookups: 100, ..Config::default() };
    let mut resolver = Resolver::new(config, [1; 32]);
    let now = origin();
    let mut begun = 0;
    for number in 0..1_000 {
        match resolver.locate(now, locator(&format!("sip:d{number}.example"))) {
            Ok(Lookup::Waiting(_)) => begun += 1,
            Err(Busy) => assert_eq!(begun, 100),
            Ok(Lookup::Located(_)) => panic!("nobody said anything"),
        }
    }
    let mut ended = 0;
    let mut at = now;
    while let Some(next) = resolver.poll_timeout() {
        at = next;
        resolver.handle_timeout(at);
        while let Some(output) = resolver.poll_output() {
            ended += usize::from(matches!(output, Output::Located { targets, .. } if targets.is_empty()));
        }
    }
    // NAPTR, then SRV, then addresses: each waits its five seconds.
    assert_eq!((ended, at), (100, now + 3 * config.answer_within));
    assert_eq!((resolver.sizes().0, resolver.sizes().1), (0, 0));
}
