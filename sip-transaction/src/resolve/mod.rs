//! Locating servers (RFC 3263): from a URI to the addresses that a request is tried at, without asking anybody itself.
//!
//! An [`Endpoint`](crate::Endpoint) has a [`Resolver`]: requests whose destination is
//! [a URI](crate::Destination::locate) are located first. What must be asked comes out as
//! [`Output::Query`](crate::Output::Query), and goes back in as [`Input::Answer`](crate::Input::Answer); the driver asks
//! the domain name system with its feature `dns`. Who has use for it elsewhere drives a [`Resolver`] of his own.
//!
//! What is not followed: NAPTR records with flags other than `s`, SCTP, and ENUM.

mod cache;
mod locator;
mod order;
mod plan;
mod record;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

pub use locator::{Locator, LocatorError};
use rand_chacha::{ChaCha8Rng, ChaCha12Rng};
use rand_core::{RngCore, SeedableRng};
pub use record::{Answer, Kind, Naptr, Question, Record, Srv};

use self::cache::{Cache, Known};
use self::plan::{Step, plan};
use crate::arena::{Arena, Slot};
use crate::transaction::key::Secret;
use crate::transport::Target;

/// What may be used and how much may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Whether servers may be reached by UDP when the URI leaves the choice to us; likewise the other transports.
    pub udp: bool,
    /// By TCP.
    pub tcp: bool,
    /// By TLS: it needs authorities to check the servers with, so it is off at first.
    pub tls: bool,
    /// By WebSocket; secure ones also need `tls`.
    pub websocket: bool,
    /// Whether IPv4 addresses are asked for.
    pub ipv4: bool,
    /// Whether IPv6 addresses are asked for.
    pub ipv6: bool,
    /// Whether a server's IPv6 addresses come before its IPv4 ones.
    pub ipv6_first: bool,
    /// How long an answer may take.
    pub answer_within: Duration,
    /// Answers hold at least this long, whatever they say.
    pub shortest: Duration,
    /// Records hold at most this long.
    pub longest: Duration,
    /// That there is no such thing holds at most this long (RFC 2308 §5).
    pub longest_negative: Duration,
    /// After a failure, the same is not asked again for this long.
    pub after_failure: Duration,
    /// How many answers are kept.
    pub answers: usize,
    /// How many records of an answer are kept.
    pub records: usize,
    /// How many servers of a domain are looked at.
    pub servers: usize,
    /// How many targets one lookup yields.
    pub targets: usize,
    /// How many lookups may wait for answers.
    pub lookups: usize,
}

impl Config {
    /// What [`Default`] gives, for constants.
    pub const DEFAULT: Self = Self {
        udp: true,
        tcp: true,
        tls: false,
        websocket: false,
        ipv4: true,
        ipv6: true,
        ipv6_first: false,
        answer_within: Duration::from_secs(5),
        shortest: Duration::from_secs(1),
        longest: Duration::from_secs(3_600),
        longest_negative: Duration::from_secs(300),
        after_failure: Duration::from_secs(5),
        answers: 8_192,
        records: 64,
        servers: 16,
        targets: 16,
        lookups: 10_000,
    };
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A question that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueryId(Slot);

impl QueryId {
    /// The id as one number, for logs and for tables of a driver.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0.as_u64()
    }
}

/// Servers that are being located.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LookupId(Slot);

/// What a resolver wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Ask the domain name system, and [say](Resolver::handle_answer) what it said.
    Query {
        /// What the answer is given for.
        query: QueryId,
        /// What to ask.
        question: Question,
    },
    /// A lookup is over.
    Located {
        /// Which one.
        lookup: LookupId,
        /// The servers, the first to be tried first; empty when none was found.
        targets: Vec<Target>,
    },
}

/// What a lookup came to at once.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// The servers, the first to be tried first; empty when there are none.
    Located(Vec<Target>),
    /// Answers are waited for: [`Output::Located`] follows.
    Waiting(LookupId),
}

/// Too many lookups wait for answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many lookups")]
pub struct Busy;

/// A lookup that waits.
#[derive(Debug)]
struct Waiting {
    locator: Locator,
    /// Servers of equal rank are drawn in the same order each time.
    seed: u64,
    /// What was heard in this lookup, so that it ends whatever the cache forgets.
    heard: Vec<(Question, Known)>,
    /// How many answers it waits for.
    open: usize,
}

/// A question that was asked.
#[derive(Debug)]
struct Asked {
    question: Question,
    until: Instant,
    waiting: Vec<Slot>,
}

/// Locates servers (RFC 3263) from answers that others fetch. A machine: after every call drain
/// [`poll_output`](Self::poll_output), then wait for an answer or [`poll_timeout`](Self::poll_timeout).
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use sip_core::uri::Uri;
/// use sip_transaction::resolve::{Answer, Config, Kind, Locator, Lookup, Output, Record, Resolver};
///
/// let mut resolver = Resolver::new(Config { ipv6: false, ..Config::default() }, [7; 32]);
/// let now = Instant::now();
/// let uri: Uri = "sip:alice@example.com:5070".parse()?;
/// let Ok(Lookup::Waiting(lookup)) = resolver.locate(now, Locator::try_from(&uri)?) else { panic!() };
/// let Some(Output::Query { query, question }) = resolver.poll_output() else { panic!() };
/// assert_eq!((&*question.name, question.kind), ("example.com", Kind::A));
/// let records = vec![Record::Address([192, 0, 2, 1].into())];
/// resolver.handle_answer(now, query, Answer::Found { records, ttl: Duration::from_secs(60) });
/// let Some(Output::Located { targets, .. }) = resolver.poll_output() else { panic!() };
/// assert_eq!(targets[0].remote, "192.0.2.1:5070".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Resolver {
    config: Config,
    random: ChaCha12Rng,
    cache: Cache,
    lookups: Arena<Waiting>,
    asked: Arena<Asked>,
    by_question: HashMap<Question, Slot, Secret>,
    deadlines: BTreeSet<(Instant, Slot)>,
    outputs: VecDeque<Output>,
}

impl Resolver {
    /// A resolver that knows nothing. The seed decides among servers of equal rank.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut random = ChaCha12Rng::from_seed(seed);
        let secret = Secret::new(random.next_u64(), random.next_u64());
        Self {
            config,
            random,
            cache: Cache::new(config.answers, secret),
            lookups: Arena::new(),
            asked: Arena::new(),
            by_question: HashMap::with_hasher(secret),
            deadlines: BTreeSet::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Locates the servers of a URI.
    ///
    /// # Errors
    /// When too many lookups wait.
    pub fn locate(&mut self, now: Instant, locator: Locator) -> Result<Lookup, Busy> {
        let seed = self.random.next_u64();
        let mut waiting = Waiting { locator, seed, heard: Vec::new(), open: 0 };
        match step(&self.cache, &self.config, now, &mut waiting) {
            Step::Located(targets) => Ok(Lookup::Located(targets)),
            Step::Ask(questions) => {
                if self.lookups.len() >= self.config.lookups {
                    return Err(Busy);
                }
                let slot = self.lookups.insert(waiting).ok_or(Busy)?;
                self.ask(now, slot, questions);
                Ok(Lookup::Waiting(LookupId(slot)))
            }
        }
    }

    /// Takes in what the domain name system said. What comes late or twice changes nothing.
    pub fn handle_answer(&mut self, now: Instant, query: QueryId, answer: Answer) {
        let Some(asked) = self.asked.remove(query.0) else { return };
        self.by_question.remove(&asked.question);
        self.deadlines.remove(&(asked.until, query.0));
        let known = self.cache.insert(now, asked.question.clone(), answer, &self.config);
        for slot in asked.waiting {
            let Some(waiting) = self.lookups.get_mut(slot) else { continue };
            waiting.heard.push((asked.question.clone(), known.clone()));
            waiting.open = waiting.open.saturating_sub(1);
            if waiting.open > 0 {
                continue;
            }
            match step(&self.cache, &self.config, now, waiting) {
                Step::Located(targets) => {
                    self.lookups.remove(slot);
                    self.outputs.push_back(Output::Located { lookup: LookupId(slot), targets });
                }
                Step::Ask(questions) => self.ask(now, slot, questions),
            }
        }
    }

    /// Time passed: what was not answered has failed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((until, slot)) = self.deadlines.first().copied() {
            if until > now {
                return;
            }
            self.deadlines.pop_first();
            self.handle_answer(now, QueryId(slot), Answer::Failed);
        }
    }

    /// Gives a lookup up: nothing is told of it.
    pub fn forget(&mut self, lookup: LookupId) {
        self.lookups.remove(lookup.0);
    }

    /// What to do next; call until `None` after every other call.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(until, _)| *until)
    }

    /// How many lookups wait, how many questions are open, and how many answers are kept.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.lookups.len(), self.asked.len(), self.cache.len())
    }

    /// Asks what a lookup needs, each question once for all who wait for it.
    fn ask(&mut self, now: Instant, lookup: Slot, mut questions: Vec<Question>) {
        questions.sort_unstable();
        questions.dedup();
        if let Some(waiting) = self.lookups.get_mut(lookup) {
            waiting.open = questions.len();
        }
        for question in questions {
            if let Some(asked) = self.by_question.get(&question).and_then(|slot| self.asked.get_mut(*slot)) {
                asked.waiting.push(lookup);
                continue;
            }
            let until = now + self.config.answer_within;
            let asked = Asked { question: question.clone(), until, waiting: vec![lookup] };
            // There are no more of them than lookups and what each may ask.
            let Some(slot) = self.asked.insert(asked) else { continue };
            self.by_question.insert(question.clone(), slot);
            self.deadlines.insert((until, slot));
            self.outputs.push_back(Output::Query { query: QueryId(slot), question });
        }
    }
}

/// Goes on with a lookup: what it heard already counts, even when the cache has forgotten it.
fn step(cache: &Cache, config: &Config, now: Instant, waiting: &mut Waiting) -> Step {
    let mut random = ChaCha8Rng::seed_from_u64(waiting.seed);
    let heard = &mut waiting.heard;
    let mut known = |question: &Question| {
        if let Some((_, known)) = heard.iter().find(|(other, _)| other == question) {
            return Some(known.clone());
        }
        let known = cache.get(now, question)?;
        heard.push((question.clone(), known.clone()));
        Some(known)
    };
    plan(&waiting.locator, config, &mut known, &mut random)
}
