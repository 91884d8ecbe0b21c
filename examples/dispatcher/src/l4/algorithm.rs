//! Which server takes the next connection.

use std::net::IpAddr;

/// How a server is chosen: the three ways of the balancers of this kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
pub enum Algorithm {
    /// One after the other.
    #[default]
    #[serde(rename = "round-robin", alias = "roundrobin")]
    Roundrobin,
    /// The one with the fewest connections now
    #[serde(rename = "least-connections", alias = "leastconn")]
    Leastconn,
    /// Always the same one for the same address, as long as it lives
    #[serde(rename = "source")]
    Source,
}

impl Algorithm {
    /// HAProxy's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Roundrobin => "roundrobin",
            Self::Leastconn => "leastconn",
            Self::Source => "source",
        }
    }

    /// The configuration's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Roundrobin => "round-robin",
            Self::Leastconn => "least-connections",
            Self::Source => "source",
        }
    }

    /// Chooses among candidates by index; `turn` counts the choices so far. `None` when there are none.
    #[must_use]
    pub fn choose(self, candidates: &[Candidate<'_>], source: IpAddr, turn: usize) -> Option<usize> {
        let in_turn = |among: &[&Candidate<'_>]| {
            let place = turn.checked_rem(among.len())?;
            among.get(place).map(|candidate| candidate.index)
        };
        match self {
            Self::Roundrobin => in_turn(&candidates.iter().collect::<Vec<_>>()),
            Self::Leastconn => {
                let fewest = candidates.iter().map(|candidate| candidate.connections).min()?;
                // Several with as few: one after the other.
                in_turn(&candidates.iter().filter(|candidate| candidate.connections == fewest).collect::<Vec<_>>())
            }
            // Rendezvous hashing: a server that dies moves only its own phones, and gets them back when it lives again.
            Self::Source => candidates
                .iter()
                .max_by_key(|candidate| (score(source, candidate.name), candidate.index))
                .map(|candidate| candidate.index),
        }
    }
}

/// A server that could be chosen.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its place in the list of all servers.
    pub index: usize,
    /// Its name.
    pub name: &'a str,
    /// How many connections it has now.
    pub connections: usize,
}

/// FNV-1a over the address and the name, mixed at the end: neighbours must not score alike.
fn score(source: IpAddr, name: &str) -> u64 {
    let address = match source {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    let hash = address
        .iter()
        .chain(name.as_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(connections: &[usize]) -> Vec<Candidate<'static>> {
        const NAMES: [&str; 4] = ["a", "b", "c", "d"];
        connections
            .iter()
            .enumerate()
            .map(|(index, connections)| Candidate { index, name: NAMES[index], connections: *connections })
            .collect()
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 3, last])
    }

    #[test]
    fn round_robin_takes_one_after_the_other() {
        let servers = candidates(&[5, 0]);
        let taken: Vec<_> = (0..4).map(|turn| Algorithm::Roundrobin.choose(&servers, address(1), turn)).collect();
        assert_eq!(taken, [Some(0), Some(1), Some(0), Some(1)]);
    }

    #[test]
    fn least_connections_takes_the_idlest_and_alternates_among_equals() {
        let choose =
            |connections: &[usize], turn| Algorithm::Leastconn.choose(&candidates(connections), address(1), turn);
        assert_eq!(choose(&[3, 1, 2], 0), Some(1));
        assert_eq!((choose(&[1, 2, 1], 0), choose(&[1, 2, 1], 1)), (Some(0), Some(2)));
    }

    #[test]
    fn a_source_keeps_its_server_and_only_those_of_a_dead_one_move() {
        let all = candidates(&[0; 4]);
        let without: Vec<_> = all.iter().copied().filter(|candidate| candidate.index != 2).collect();
        let mut shares = [0; 4];
        for last in 0..=255 {
            let before = Algorithm::Source.choose(&all, address(last), 0).unwrap();
            assert_eq!(Algorithm::Source.choose(&all, address(last), 7), Some(before));
            shares[before] += 1;
            let after = Algorithm::Source.choose(&without, address(last), 0).unwrap();
            assert!(before == 2 || after == before, "{last} moved from {before} to {after}");
        }
        assert!(shares.iter().all(|share| *share > 32), "uneven: {shares:?}");
    }

    #[test]
    fn nobody_is_chosen_among_none() {
        for algorithm in [Algorithm::Roundrobin, Algorithm::Leastconn, Algorithm::Source] {
            assert_eq!(algorithm.choose(&[], address(1), 3), None);
        }
    }
}
