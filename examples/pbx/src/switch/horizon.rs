//! Split horizon: a call that came over a trunk does not go back over it, nor round in a ring.
//!
//! A call that came over an IAX2 peer is never dialled to that peer. Beyond that, each PBX has an id, and a call that goes
//! out over a trunk carries the ids of all that it passed (`TANDEMPATH`): who finds its own among them does not dial a trunk
//! again. Where a peer in between does not pass the path on, a call that looks like one that is just being set up
//! through us, by its caller and its number, is taken for the same; not when the caller is nobody in particular.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
};

use super::call::Call;

/// The variable of an IAX2 NEW that carries the path.
pub(super) const VARIABLE: &str = "TANDEMPATH";

/// The longest path: a call that passed more is not dialled to a trunk.
const LONGEST: usize = 16;

/// Where a call came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// The IAX2 peer that it came over.
    pub(super) over: Option<String>,
    /// The address that it came from: an exchange may have several peers.
    pub(super) address: Option<SocketAddr>,
    /// The caller's number is his own, and not what the peer's configuration says for all that call over it.
    pub(super) is_own_number: bool,
    /// What it passed, the first one first.
    pub(super) path: Vec<u64>,
}

/// What is known of calls that go round.
#[derive(Debug)]
pub(super) struct Horizon {
    node: u64,
    /// Calls that are being set up over trunks, by the caller's number and the number dialled.
    setups: BTreeMap<(String, String), BTreeSet<u64>>,
    numbers: HashMap<u64, Vec<(String, String)>>,
}

impl Horizon {
    pub(super) fn new(node: u64) -> Self {
        Self { node, setups: BTreeMap::new(), numbers: HashMap::new() }
    }

    /// Where a call came from that an IAX2 peer brought, with the value of its [`VARIABLE`].
    pub(super) fn origin(peer: &str, address: SocketAddr, path: Option<&str>, is_own_number: bool) -> Origin {
        let path = path.unwrap_or_default().split('.').take(LONGEST).filter_map(|id| u64::from_str_radix(id, 16).ok());
        Origin { over: Some(peer.to_owned()), address: Some(address), is_own_number, path: path.collect() }
    }

    /// Whether a call may be dialled to an IAX2 peer, which is at `place`.
    pub(super) fn may_dial(&self, call: &Call, caller: &str, peer: &str, place: Option<SocketAddr>) -> bool {
        let Some(over) = &call.origin.over else { return true };
        let path = &call.origin.path;
        let is_there = place.is_some() && place == call.origin.address;
        if over == peer || is_there || path.contains(&self.node) || path.len() >= LONGEST {
            return false;
        }
        // Many calls at once may have such a caller, and none of them is another one that came back.
        if !call.origin.is_own_number || is_nobody(caller) {
            return true;
        }
        let same = self.setups.get(&(caller.to_owned(), call.dialled.clone()));
        same.is_none_or(|calls| calls.iter().all(|other| *other == call.id))
    }

    /// The value of [`VARIABLE`] for a call that goes on.
    pub(super) fn path(&self, call: &Call) -> String {
        let ids = call.origin.path.iter().chain([&self.node]).map(|id| format!("{id:016x}"));
        ids.collect::<Vec<_>>().join(".")
    }

    /// A call is being set up over a trunk.
    pub(super) fn note(&mut self, id: u64, caller: &str, number: &str) {
        let key = (caller.to_owned(), number.to_owned());
        if self.setups.entry(key.clone()).or_default().insert(id) {
            self.numbers.entry(id).or_default().push(key);
        }
    }

    /// A call is answered or over.
    pub(super) fn forget(&mut self, id: u64) {
        for key in self.numbers.remove(&id).unwrap_or_default() {
            if let Some(calls) = self.setups.get_mut(&key) {
                calls.remove(&id);
                if calls.is_empty() {
                    self.setups.remove(&key);
                }
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.setups.len() + self.numbers.len()
    }
}

/// Whether a number is that of callers who do not tell theirs.
fn is_nobody(number: &str) -> bool {
    let words = ["anonymous", "unknown", "unavailable", "restricted", "private", "withheld", "asterisk"];
    number.is_empty() || words.iter().any(|word| number.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_who_do_not_tell_who_they_are_are_nobody() {
        for number in ["", "anonymous", "Anonymous", "Restricted"] {
            assert!(is_nobody(number), "{number}");
        }
        assert!(!is_nobody("1001"));
    }
}
