//! What is configured: sets of destinations, checked as a whole before they serve.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use sip_core::header::HeaderName;
use sip_transaction::Transport;

/// One server that requests are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// What it is called, and what its share of the keys depends on: the same on all dispatchers.
    pub name: Arc<str>,
    /// How it is reached.
    pub transport: Transport,
    /// Where it is reached.
    pub address: SocketAddr,
    /// Its share of new calls in relation to the others'; 0 for none.
    pub weight: u32,
    /// The lowest that is up serves alone, as in DNS SRV (RFC 2782).
    pub priority: u16,
    /// How many calls it takes at once.
    pub capacity: Option<u32>,
    /// Whatever else is to be known of it, such as a zone or a version.
    pub attributes: BTreeMap<String, String>,
}

impl Destination {
    /// A destination of weight 100 and priority 0 without a capacity.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, transport: Transport, address: SocketAddr) -> Self {
        Self {
            name: name.into(),
            transport,
            address,
            weight: 100,
            priority: 0,
            capacity: None,
            attributes: BTreeMap::new(),
        }
    }

    /// The same with another weight.
    #[must_use]
    pub const fn with_weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// The same with another priority.
    #[must_use]
    pub const fn with_priority(mut self, priority: u16) -> Self {
        self.priority = priority;
        self
    }

    /// The same with a capacity.
    #[must_use]
    pub const fn with_capacity(mut self, capacity: u32) -> Self {
        self.capacity = Some(capacity);
        self
    }
}

/// How a destination is chosen for a new call, among those of the best priority that take new calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// By weighted rendezvous hash of the key: the same on all dispatchers without a word between them.
    Hash,
    /// One after the other.
    RoundRobin,
    /// One after the other as often as its weight says, evenly spread.
    Weighted,
    /// By chance, as likely as the weight says.
    Random,
    /// The one with the fewest calls in relation to its weight.
    LeastCalls,
    /// The one that answered fastest lately, divided by its weight: exponentially weighted moving average.
    Latency,
    /// The first of the list: the others stand by.
    Priority,
}

impl Algorithm {
    /// All algorithms.
    pub const ALL: [Self; 7] =
        [Self::Hash, Self::RoundRobin, Self::Weighted, Self::Random, Self::LeastCalls, Self::Latency, Self::Priority];

    /// Its name in configurations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::RoundRobin => "round-robin",
            Self::Weighted => "weighted",
            Self::Random => "random",
            Self::LeastCalls => "least-calls",
            Self::Latency => "latency",
            Self::Priority => "priority",
        }
    }

    /// The algorithm of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

/// What of a request is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Key {
    /// The Call-ID: all requests of a call go together.
    CallId,
    /// The address in From, without parameters: all calls of a caller go together.
    From,
    /// The address in To, without parameters.
    To,
    /// The Request-URI.
    RequestUri,
    /// The user part of the Request-URI; the host when there is none.
    User,
    /// The first value of any header; the Call-ID when there is none.
    Header(HeaderName),
}

/// Destinations that can stand in for one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// What it is called.
    pub name: Arc<str>,
    /// How one is chosen.
    pub algorithm: Algorithm,
    /// What is hashed, when the algorithm hashes.
    pub key: Key,
    /// The hosts of Request-URIs that it serves, in lower case; the first set without any serves all others.
    pub domains: Vec<Arc<str>>,
    /// Its destinations.
    pub destinations: Vec<Destination>,
}

impl Set {
    /// A set that hashes the Call-ID.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, destinations: Vec<Destination>) -> Self {
        Self { name: name.into(), algorithm: Algorithm::Hash, key: Key::CallId, domains: Vec::new(), destinations }
    }

    /// The same with another algorithm.
    #[must_use]
    pub const fn with_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// The same with another key.
    #[must_use]
    pub fn with_key(mut self, key: Key) -> Self {
        self.key = key;
        self
    }
}

/// All sets, checked: what is loaded is loaded whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    sets: Vec<Set>,
}

/// Why sets are no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// More sets than [`List::SETS`].
    #[error("more than {} sets", List::SETS)]
    TooManySets,
    /// More destinations than [`List::DESTINATIONS`].
    #[error("more than {} destinations", List::DESTINATIONS)]
    TooManyDestinations,
    /// Two sets of the same name.
    #[error("two sets are called {0:?}")]
    SetTwice(Arc<str>),
    /// Two destinations of the same name in a set.
    #[error("two destinations of a set are called {0:?}")]
    DestinationTwice(Arc<str>),
    /// A name that stands for two different addresses.
    #[error("destination {0:?} has two addresses")]
    TwoAddresses(Arc<str>),
    /// A name that is empty, too long, or has characters that are not to be seen.
    #[error("{0:?} is no name: 1 to 128 printable characters without spaces")]
    Name(Arc<str>),
    /// A domain that two sets serve.
    #[error("two sets serve the domain {0:?}")]
    DomainTwice(Arc<str>),
    /// A weight above [`List::WEIGHT`].
    #[error("the weight of {0:?} is above {max}", max = List::WEIGHT)]
    Weight(Arc<str>),
}

impl List {
    /// The most sets.
    pub const SETS: usize = 256;
    /// The most destinations of all sets together.
    pub const DESTINATIONS: usize = 4_096;
    /// The highest weight.
    pub const WEIGHT: u32 = 1_000_000;

    /// Checks sets.
    ///
    /// # Errors
    /// When names are doubled or malformed, or a limit is passed.
    pub fn new(sets: Vec<Set>) -> Result<Self, ListError> {
        if sets.len() > Self::SETS {
            return Err(ListError::TooManySets);
        }
        if sets.iter().map(|set| set.destinations.len()).sum::<usize>() > Self::DESTINATIONS {
            return Err(ListError::TooManyDestinations);
        }
        let mut names = HashSet::new();
        let mut domains = HashSet::new();
        let mut places = BTreeMap::new();
        for set in &sets {
            check_name(&set.name)?;
            if !names.insert(&set.name) {
                return Err(ListError::SetTwice(set.name.clone()));
            }
            for domain in &set.domains {
                if !domains.insert(domain) {
                    return Err(ListError::DomainTwice(domain.clone()));
                }
            }
            let mut own = HashSet::new();
            for destination in &set.destinations {
                let name = &destination.name;
                check_name(name)?;
                if destination.weight > Self::WEIGHT {
                    return Err(ListError::Weight(name.clone()));
                }
                if !own.insert(name) {
                    return Err(ListError::DestinationTwice(name.clone()));
                }
                let place = (destination.transport, destination.address);
                if *places.entry(name).or_insert(place) != place {
                    return Err(ListError::TwoAddresses(name.clone()));
                }
            }
        }
        Ok(Self { sets })
    }

    /// The sets.
    #[must_use]
    pub fn sets(&self) -> &[Set] {
        &self.sets
    }

    /// Every destination with its set's number, in order.
    pub(super) fn destinations(&self) -> impl Iterator<Item = (usize, &Destination)> {
        self.sets.iter().enumerate().flat_map(|(number, set)| set.destinations.iter().map(move |it| (number, it)))
    }
}

fn check_name(name: &Arc<str>) -> Result<(), ListError> {
    let printable = name.chars().all(|character| !character.is_control() && !character.is_whitespace());
    if name.is_empty() || name.len() > 128 || !printable { Err(ListError::Name(name.clone())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(name: &str, port: u16) -> Destination {
        Destination::new(name, Transport::Udp, ([127, 0, 0, 1], port).into())
    }

    #[test]
    fn a_list_with_doubled_or_odd_names_is_refused_whole() {
        let twice = Set::new("a", vec![destination("x", 1), destination("x", 1)]);
        assert_eq!(List::new(vec![twice]), Err(ListError::DestinationTwice("x".into())));
        let sets = vec![Set::new("a", vec![destination("x", 1)]), Set::new("b", vec![destination("x", 2)])];
        assert_eq!(List::new(sets), Err(ListError::TwoAddresses("x".into())));
        assert_eq!(List::new(vec![Set::new("a", vec![]), Set::new("a", vec![])]), Err(ListError::SetTwice("a".into())));
        assert_eq!(List::new(vec![Set::new("a b", vec![])]), Err(ListError::Name("a b".into())));
        let heavy = Set::new("a", vec![destination("x", 1).with_weight(1_000_001)]);
        assert_eq!(List::new(vec![heavy]), Err(ListError::Weight("x".into())));
    }

    #[test]
    fn one_destination_may_be_in_several_sets() {
        let sets = vec![Set::new("a", vec![destination("x", 1)]), Set::new("b", vec![destination("x", 1)])];
        assert_eq!(List::new(sets).unwrap().destinations().count(), 2);
    }

    #[test]
    fn every_algorithm_is_found_by_its_name() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.as_str()), Some(algorithm));
        }
        assert_eq!(Algorithm::from_name("modulo"), None);
    }
}
