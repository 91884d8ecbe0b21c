//! What of a URI says where a request goes.

use std::net::IpAddr;
use std::sync::Arc;

use sip_core::uri::{Host, Uri};

use super::record::normal;
use crate::transport::Transport;

/// Why a URI leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum LocatorError {
    /// It is no `sip` or `sips` URI (answer 416).
    #[error("not a sip or sips uri")]
    Scheme,
    /// It asks for a transport that is not known, or that a `sips` URI must not have.
    #[error("not a transport for this uri")]
    Transport,
    /// Its host or `maddr` is no name.
    #[error("not a host")]
    Host,
}

/// Where a name or an address is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Address(IpAddr),
    Name(Arc<str>),
}

/// The part of a URI that says where a request goes (RFC 3263 §4): its TARGET, which is `maddr` or else the host, its
/// port, its transport and whether it must be secure.
///
/// ```
/// use sip_core::uri::Uri;
/// use sip_transaction::resolve::Locator;
///
/// let uri: Uri = "sips:alice@example.com;transport=tcp".parse()?;
/// assert_eq!(Locator::try_from(&uri)?.name(), Some("example.com"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Locator {
    pub(super) place: Place,
    pub(super) port: Option<u16>,
    pub(super) transport: Option<Transport>,
    pub(super) is_secure: bool,
}

impl Locator {
    /// The name that is looked up, and that the server's certificate must have; `None` for an address.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.place {
            Place::Name(name) => Some(name),
            Place::Address(_) => None,
        }
    }

    /// The transport where no record chooses one: that of the URI, or UDP, or TLS when it must be secure
    /// (RFC 3263 §4.1).
    pub(super) fn default_transport(&self) -> Transport {
        self.transport.unwrap_or(if self.is_secure { Transport::Tls } else { Transport::Udp })
    }
}

impl TryFrom<&Uri> for Locator {
    type Error = LocatorError;

    fn try_from(uri: &Uri) -> Result<Self, LocatorError> {
        let sip = uri.as_sip().ok_or(LocatorError::Scheme)?;
        let transport = match (sip.transport(), sip.secure) {
            (None, _) => None,
            (Some(token), is_secure) => Some(match (Transport::from_token(token), is_secure) {
                (Some(Transport::Tcp | Transport::Tls), true) => Transport::Tls,
                (Some(Transport::Ws | Transport::Wss), true) => Transport::Wss,
                (Some(transport), false) => transport,
                (Some(Transport::Udp), true) | (None, _) => return Err(LocatorError::Transport),
            }),
        };
        let place = match sip.params.value("maddr") {
            Some(maddr) => place(std::str::from_utf8(maddr).map_err(|_| LocatorError::Host)?)?,
            None => match &sip.host {
                Host::Name(name) => place(std::str::from_utf8(name).map_err(|_| LocatorError::Host)?)?,
                Host::V4(address) => Place::Address((*address).into()),
                Host::V6(address) => Place::Address((*address).into()),
            },
        };
        Ok(Self { place, port: sip.port, transport, is_secure: sip.secure })
    }
}

fn place(text: &str) -> Result<Place, LocatorError> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse() {
        return Ok(Place::Address(address));
    }
    let name = normal(text);
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // A service's name is put before it.
    if name.len() <= 240 && name.split('.').all(fits) { Ok(Place::Name(name)) } else { Err(LocatorError::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locator(uri: &str) -> Result<Locator, LocatorError> {
        Locator::try_from(&uri.parse::<Uri>().unwrap())
    }

    #[test]
    fn the_target_is_maddr_or_else_the_host() {
        assert_eq!(locator("sip:a@Example.COM").unwrap().name(), Some("example.com"));
        assert_eq!(locator("sip:a@example.com;maddr=other.example").unwrap().name(), Some("other.example"));
        let numeric = locator("sip:a@example.com;maddr=192.0.2.7").unwrap();
        assert_eq!(numeric.place, Place::Address([192, 0, 2, 7].into()));
        assert_eq!(locator("sip:a@[2001:db8::1]:5070").unwrap().port, Some(5070));
    }

    #[test]
    fn sips_is_never_sent_by_datagram() {
        assert_eq!(locator("sips:example.com;transport=udp"), Err(LocatorError::Transport));
        assert_eq!(locator("sips:example.com;transport=tcp").unwrap().transport, Some(Transport::Tls));
        assert_eq!(locator("sips:example.com;transport=ws").unwrap().transport, Some(Transport::Wss));
        assert_eq!(locator("sips:example.com").unwrap().default_transport(), Transport::Tls);
        assert_eq!(locator("sip:example.com").unwrap().default_transport(), Transport::Udp);
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        assert_eq!(locator("tel:+431234"), Err(LocatorError::Scheme));
        assert_eq!(locator("sip:example.com;transport=pigeon"), Err(LocatorError::Transport));
        assert_eq!(locator(&format!("sip:{}.example", "a".repeat(64))), Err(LocatorError::Host));
        assert_eq!(locator("sip:example.com;maddr=a..b"), Err(LocatorError::Host));
    }
}
