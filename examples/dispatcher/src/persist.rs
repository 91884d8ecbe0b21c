//! What was changed by HTTP, kept in a file that is replaced whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::{BalancerConfig, DestinationConfig, Service, SetConfig};

/// Sets and what somebody wants of destinations.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// By name: `draining` or `disabled`.
    #[serde(default)]
    pub(crate) states: BTreeMap<String, String>,
    /// The sets.
    #[serde(default, rename = "set")]
    pub(crate) sets: Vec<SetConfig>,
    /// The balancers, for their servers.
    #[serde(default)]
    pub(crate) l4: Vec<BalancerConfig>,
    /// What services had when they were asked last.
    #[serde(default)]
    pub(crate) found: BTreeMap<String, Vec<DestinationConfig>>,
}

impl Kept {
    /// The services of all sets.
    pub(crate) fn services(&self) -> BTreeSet<Service> {
        // Those that are wrong were refused before.
        self.sets.iter().flat_map(|set| &set.services).filter_map(|service| service.service().ok()).collect()
    }

    /// The sets with the destinations that their services have.
    pub(crate) fn filled(&self) -> Vec<SetConfig> {
        let fill = |set: &SetConfig| {
            let mut set = set.clone();
            for service in set.services.iter().filter_map(|service| service.service().ok()) {
                for destination in self.found.get(&service.key()).into_iter().flatten() {
                    // What the configuration says of a name counts, and a server of two services is one destination.
                    if !set.destinations.iter().any(|known| known.name() == destination.name()) {
                        set.destinations.push(destination.clone());
                    }
                }
            }
            set
        };
        self.sets.iter().map(fill).collect()
    }
}

/// Reads the file; `None` when there is none yet.
pub(crate) fn read(path: &Path) -> io::Result<Option<Kept>> {
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a new file beside it, then puts it in its place: whoever reads sees the one or the other.
pub(crate) fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    let text = toml::to_string_pretty(kept).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let beside = path.with_extension("new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn what_was_written_is_read_and_nothing_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.toml");
        assert_eq!(read(&path).unwrap(), None);
        let Config { sets, l4, .. } = Config::parse(include_str!("../dispatcher.toml")).unwrap();
        let kept = Kept {
            states: BTreeMap::from([("a".to_owned(), "draining".to_owned())]),
            sets,
            l4,
            found: BTreeMap::new(),
        };
        for _ in 0..2 {
            write(&path, &kept).unwrap();
            assert_eq!(read(&path).unwrap().as_ref(), Some(&kept));
        }
        std::fs::write(&path, "nonsense").unwrap();
        assert!(read(&path).is_err());
    }
}
