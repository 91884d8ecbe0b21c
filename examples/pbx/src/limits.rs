//! What the system allows this process.

use crate::config::Config;

/// Four sockets a call between phones, one a connection, and some to spare.
#[must_use]
pub fn files_needed(config: &Config) -> u64 {
    let limits = &config.limits;
    u64::try_from(limits.calls.saturating_mul(4).saturating_add(limits.connections))
        .unwrap_or(u64::MAX)
        .saturating_add(64)
}

/// Raises the number of files that may be open to what the system allows, and warns when that is too few.
#[cfg(unix)]
pub fn raise_open_files(config: &Config) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let needed = files_needed(config);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft >= needed {
        return;
    }
    let wanted = needed.min(hard);
    if setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_err() || wanted < needed {
        tracing::warn!(
            allowed = wanted,
            needed,
            "fewer files may be open than the limits on calls and connections need"
        );
    }
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub fn raise_open_files(_: &Config) {}
