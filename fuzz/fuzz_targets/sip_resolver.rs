//! A resolver that is told anything at all: every lookup ends once, with few targets, after few questions, and nothing
//! is left.
#![no_main]

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use sip_core::uri::Uri;
use sip_transaction::resolve::{
    Answer, Config, Kind, Locator, Lookup, LookupId, Naptr, Output, QueryId, Question, Record, Resolver, Srv,
};

#[derive(Arbitrary, Debug)]
enum Step {
    Locate {
        uri: u8,
    },
    /// A URI of anybody's making.
    LocateText {
        uri: String,
    },
    Answer {
        choice: u8,
        records: Vec<Any>,
        ttl: u32,
        again: bool,
    },
    /// So many records.
    Many {
        choice: u8,
        record: Any,
        count: u16,
    },
    NotFound {
        choice: u8,
        ttl: u32,
    },
    Failed {
        choice: u8,
    },
    Forget {
        choice: u8,
    },
    Pass {
        millis: u16,
    },
}

#[derive(Arbitrary, Debug)]
enum Any {
    Address([u8; 4]),
    Address6([u8; 16]),
    Srv { priority: u16, weight: u16, port: u16, target: Name },
    Naptr { order: u16, preference: u16, flags: u8, service: u8, replacement: Name, regexp: bool },
}

#[derive(Arbitrary, Debug)]
enum Name {
    /// One of those that are asked for, so that records may lead in circles.
    Known(u8),
    Text(String),
}

const NAMES: [&str; 8] =
    ["a.e", "b.e", "_sip._udp.a.e", "_sip._tcp.a.e", "_sips._tcp.a.e", "_sip._udp.b.e", "", "192.0.2.1"];

const URIS: [&str; 12] = [
    "sip:a.e",
    "sips:a.e",
    "sip:b.e",
    "sip:a.e;transport=tcp",
    "sip:a.e;transport=udp",
    "sip:a.e:5070",
    "sip:192.0.2.1",
    "sip:a.e;transport=ws",
    "sips:b.e;transport=tcp",
    "sip:a.e;maddr=b.e",
    "sip:_sip._udp.a.e",
    "sip:b.e;transport=tls",
];

const CONFIG: Config = Config {
    tls: true,
    websocket: true,
    answers: 16,
    records: 8,
    servers: 4,
    targets: 6,
    lookups: 20,
    ..Config::DEFAULT
};

/// The most that one lookup may ask: NAPTR, an SRV for each of its records and for each transport, and two kinds of
/// addresses for each server or for the name itself.
const QUESTIONS: usize = 1 + CONFIG.records + 3 + 2 * CONFIG.servers + 2;

impl Name {
    fn text(&self) -> String {
        match self {
            Self::Known(number) => NAMES[usize::from(*number) % NAMES.len()].to_owned(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl Any {
    fn record(&self) -> Record {
        match self {
            Self::Address(octets) => Record::Address((*octets).into()),
            Self::Address6(octets) => Record::Address((*octets).into()),
            Self::Srv { priority, weight, port, target } => {
                Record::Srv(Srv { priority: *priority, weight: *weight, port: *port, target: target.text().into() })
            }
            Self::Naptr { order, preference, flags, service, replacement, regexp } => Record::Naptr(Naptr {
                order: *order,
                preference: *preference,
                flags: ["s", "S", "a", "u", ""][usize::from(*flags) % 5].into(),
                services: ["SIP+D2U", "SIP+D2T", "SIPS+D2T", "SIP+D2W", "SIPS+D2W", "E2U+sip"]
                    [usize::from(*service) % 6]
                    .into(),
                regexp: if *regexp { "!.*!sip:x@y!" } else { "" }.into(),
                replacement: replacement.text().into(),
            }),
        }
    }
}

struct World {
    resolver: Resolver,
    now: Instant,
    open: Vec<QueryId>,
    waiting: HashSet<LookupId>,
    asked: usize,
    begun: usize,
    kinds: HashMap<Question, usize>,
}

impl World {
    fn drain(&mut self) {
        while let Some(output) = self.resolver.poll_output() {
            match output {
                Output::Query { query, question } => {
                    assert!(question.kind != Kind::Naptr || !question.name.is_empty());
                    *self.kinds.entry(question).or_default() += 1;
                    self.asked += 1;
                    self.open.push(query);
                }
                Output::Located { lookup, targets } => {
                    assert!(self.waiting.remove(&lookup), "located twice, or never looked up");
                    assert!(targets.len() <= CONFIG.targets);
                }
            }
        }
        let (lookups, asked, answers) = self.resolver.sizes();
        assert!(lookups <= CONFIG.lookups && answers <= CONFIG.answers + 2);
        assert!(asked <= lookups.max(1) * QUESTIONS);
        assert!(self.asked <= self.begun * QUESTIONS, "{} questions for {} lookups", self.asked, self.begun);
    }

    fn locate(&mut self, uri: &str) {
        let Some(locator) = uri.parse::<Uri>().ok().and_then(|uri| Locator::try_from(&uri).ok()) else { return };
        match self.resolver.locate(self.now, locator) {
            Ok(Lookup::Located(targets)) => assert!(targets.len() <= CONFIG.targets),
            Ok(Lookup::Waiting(lookup)) => {
                self.begun += 1;
                assert!(self.waiting.insert(lookup));
            }
            Err(_) => assert_eq!(self.waiting.len(), CONFIG.lookups),
        }
    }

    fn answer(&mut self, choice: u8, answer: Answer, again: bool) {
        if self.open.is_empty() {
            return;
        }
        let place = usize::from(choice) % self.open.len();
        let query = if again { self.open[place] } else { self.open.swap_remove(place) };
        self.resolver.handle_answer(self.now, query, answer);
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let mut world = World {
        resolver: Resolver::new(CONFIG, [7; 32]),
        now: Instant::now(),
        open: Vec::new(),
        waiting: HashSet::new(),
        asked: 0,
        begun: 0,
        kinds: HashMap::new(),
    };
    for step in steps {
        match step {
            Step::Locate { uri } => world.locate(URIS[usize::from(uri) % URIS.len()]),
            Step::LocateText { uri } => world.locate(&uri),
            Step::Answer { choice, records, ttl, again } => {
                let records = records.iter().map(Any::record).collect();
                let answer = Answer::Found { records, ttl: Duration::from_secs(ttl.into()) };
                world.answer(choice, answer, again);
            }
            Step::Many { choice, record, count } => {
                let records = vec![record.record(); usize::from(count)];
                world.answer(choice, Answer::Found { records, ttl: Duration::ZERO }, false);
            }
            Step::NotFound { choice, ttl } => {
                world.answer(choice, Answer::NotFound { ttl: Duration::from_secs(ttl.into()) }, false);
            }
            Step::Failed { choice } => world.answer(choice, Answer::Failed, false),
            Step::Forget { choice } => {
                let mut waiting: Vec<_> = world.waiting.iter().copied().collect();
                waiting.sort_unstable();
                if !waiting.is_empty() {
                    let lookup = waiting[usize::from(choice) % waiting.len()];
                    world.resolver.forget(lookup);
                    world.waiting.remove(&lookup);
                }
            }
            Step::Pass { millis } => {
                world.now += Duration::from_millis(u64::from(millis));
                world.resolver.handle_timeout(world.now);
            }
        }
        world.drain();
    }
    // Nobody says anything more.
    let mut rounds = 0;
    while let Some(at) = world.resolver.poll_timeout() {
        world.resolver.handle_timeout(at);
        world.now = world.now.max(at);
        world.drain();
        rounds += 1;
        assert!(rounds < 10_000, "lookups go on for ever");
    }
    assert!(world.waiting.is_empty(), "a lookup did not end");
    let (lookups, asked, _) = world.resolver.sizes();
    assert_eq!((lookups, asked), (0, 0));
});
