//! Where a request is to go: one target or several, and the name that the other side must prove to have.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Target;

/// Where a request goes: [`Target`]s in the order in which they are tried, and the domain that they serve.
///
/// Every [`Target`] is one:
///
/// ```
/// use sip_transaction::{Destination, Target, Transport};
///
/// let first = Target::new(Transport::Tls, "192.0.2.1:5061".parse()?);
/// let second = Target::new(Transport::Tls, "192.0.2.2:5061".parse()?);
/// let destination = Destination::any_of([first, second]).named("example.com");
/// assert_eq!(destination.name(), Some("example.com"));
/// assert_eq!(Destination::from(first).targets(), [first]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    targets: SmallVec<[Target; 1]>,
    name: Option<Arc<str>>,
}

impl Destination {
    /// Several targets. The next one is tried when one does not answer, cannot be reached or answers 503
    /// (RFC 3263 §4.3).
    pub fn any_of(targets: impl IntoIterator<Item = Target>) -> Self {
        Self { targets: targets.into_iter().collect(), name: None }
    }

    /// The same, of this domain: what the certificate of the other side must say when the connection is encrypted
    /// (RFC 5922 §7.3), and what stands in SNI and in the Host of a WebSocket. It is the host of the URI that was
    /// resolved, not a name that a resolver gave. Case and a dot at the end do not count.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        let name = name.strip_suffix('.').unwrap_or(name);
        self.name = (!name.is_empty()).then(|| name.to_ascii_lowercase().into());
        self
    }

    /// The targets, the first to be tried first.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The name that the other side must prove to have.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn into_parts(self) -> (SmallVec<[Target; 1]>, Option<Arc<str>>) {
        (self.targets, self.name)
    }
}

impl From<Target> for Destination {
    fn from(target: Target) -> Self {
        Self { targets: SmallVec::from_buf([target]), name: None }
    }
}

impl From<&Target> for Destination {
    fn from(target: &Target) -> Self {
        Self::from(*target)
    }
}
