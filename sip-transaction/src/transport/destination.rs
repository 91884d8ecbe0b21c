//! Where a request is to go: one target or several, and the name that the other side must prove to have.

use std::sync::Arc;

use sip_core::uri::Uri;
use smallvec::SmallVec;

use super::Target;
use crate::resolve::{Locator, LocatorError};

/// Where a request goes: [`Target`]s in the order in which they are tried, and the domain that they serve.
///
/// A URI is one too, whose servers the endpoint [locates](crate::resolve) first. Every [`Target`] is one:
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
    way: Way,
    name: Option<Arc<str>>,
}

/// What is known of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    Targets(SmallVec<[Target; 1]>),
    Servers(Locator),
}

impl Destination {
    /// Several targets. The next one is tried when one does not answer, cannot be reached or answers 503
    /// (RFC 3263 §4.3).
    pub fn any_of(targets: impl IntoIterator<Item = Target>) -> Self {
        Self { way: Way::Targets(targets.into_iter().collect()), name: None }
    }

    /// The servers of a URI, in the order that RFC 3263 gives them: each is tried as in [`any_of`](Self::any_of). The
    /// name is that of the URI.
    ///
    /// # Errors
    /// When it is no URI that a request could be sent to.
    pub fn locate(uri: &Uri) -> Result<Self, LocatorError> {
        let locator = Locator::try_from(uri)?;
        let name = locator.name().map(Arc::from);
        Ok(Self { way: Way::Servers(locator), name })
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

    /// The targets, the first to be tried first; none when they are still to be located.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        match &self.way {
            Way::Targets(targets) => targets,
            Way::Servers(_) => &[],
        }
    }

    /// The name that the other side must prove to have.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn into_parts(self) -> (Way, Option<Arc<str>>) {
        (self.way, self.name)
    }
}

impl From<Target> for Destination {
    fn from(target: Target) -> Self {
        Self { way: Way::Targets(SmallVec::from_buf([target])), name: None }
    }
}

impl From<&Target> for Destination {
    fn from(target: &Target) -> Self {
        Self::from(*target)
    }
}
