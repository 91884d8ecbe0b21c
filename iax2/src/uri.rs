//! The `iax:` URI (RFC 5456 §5).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::{ErrorKind, ParseError, Part};

/// The well-known port.
pub const DEFAULT_PORT: u16 = 4569;

/// Host of a [`Uri`]: a name or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A domain name.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, in brackets when written.
    V6(Ipv6Addr),
}

/// `iax:[username@]host[:port][/number[?context]]`.
///
/// The parts are kept as written; percent escapes are not undone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    /// Who the caller is.
    pub username: Option<String>,
    /// Where the resource is.
    pub host: Host,
    /// UDP port, 4569 when it is not said.
    pub port: Option<u16>,
    /// Number or name on that host.
    pub number: Option<String>,
    /// Partition of that host.
    pub context: Option<String>,
}

impl Uri {
    /// The port, 4569 when it is not said.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(DEFAULT_PORT)
    }

    /// Whether two URIs mean the same resource (RFC 5456 §5.2).
    ///
    /// All but the username is compared without case. The examples in that section hold a URI with a username
    /// equal to one without: so an absent username equals any.
    pub fn equivalent(&self, other: &Self) -> bool {
        let same = |a: &Option<String>, b: &Option<String>| match (a, b) {
            (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
            (None, None) => true,
            _ => false,
        };
        let hosts = match (&self.host, &other.host) {
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a == b,
        };
        hosts
            && self.port_or_default() == other.port_or_default()
            && same(&self.number, &other.number)
            && same(&self.context, &other.context)
            && (self.username.is_none() || other.username.is_none() || self.username == other.username)
    }
}

fn error(kind: ErrorKind, offset: usize) -> ParseError {
    ParseError::new(kind, Part::Uri, offset)
}

fn allowed(text: &str, extra: &[u8]) -> bool {
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        let fine = match b {
            b'%' => {
                let hex = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_hexdigit());
                hex(bytes.next()) && hex(bytes.next())
            }
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => {
                true
            }
            b => b.is_ascii_alphanumeric() || extra.contains(&b),
        };
        if !fine {
            return false;
        }
    }
    true
}

impl FromStr for Uri {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let rest = match text.split_once(':') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("iax") => rest,
            _ => return Err(error(ErrorKind::Invalid, 0)),
        };
        let at = |part: &str| text.len() - part.len();
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (rest, None),
        };
        let (username, hostport) = match authority.split_once('@') {
            Some((user, rest)) if !user.is_empty() && allowed(user, b":") => (Some(user.to_owned()), rest),
            Some(_) => return Err(error(ErrorKind::Invalid, at(rest))),
            None => (None, authority),
        };
        let (host, port) = if let Some(inside) = hostport.strip_prefix('[') {
            let (address, after) = inside.split_once(']').ok_or(error(ErrorKind::Truncated, at(rest)))?;
            let address = address.parse().map_err(|_| error(ErrorKind::Invalid, at(rest)))?;
            let port = match after.strip_prefix(':') {
                Some(port) => Some(port),
                None if after.is_empty() => None,
                None => return Err(error(ErrorKind::Invalid, at(rest))),
            };
            (Host::V6(address), port)
        } else {
            let (name, port) = match hostport.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (hostport, None),
            };
            if name.is_empty() || !allowed(name, b"") {
                return Err(error(ErrorKind::Invalid, at(rest)));
            }
            (name.parse().map_or_else(|_| Host::Name(name.to_owned()), Host::V4), port)
        };
        let port = match port {
            Some("") | None => None,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().map_err(|_| error(ErrorKind::Invalid, at(rest)))?)
            }
            Some(_) => return Err(error(ErrorKind::Invalid, at(rest))),
        };
        let (number, context) = match path.map(|path| path.split_once('?').ok_or(path)) {
            None => (None, None),
            Some(Ok((number, context))) => (Some(number), Some(context)),
            Some(Err(number)) => (Some(number), None),
        };
        for part in [number, context].into_iter().flatten() {
            if !allowed(part, b"") {
                return Err(error(ErrorKind::Invalid, at(rest)));
            }
        }
        Ok(Self { username, host, port, number: number.map(str::to_owned), context: context.map(str::to_owned) })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("iax:")?;
        if let Some(username) = &self.username {
            write!(f, "{username}@")?;
        }
        write!(f, "{}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if let Some(number) = &self.number {
            write!(f, "/{number}")?;
            if let Some(context) = &self.context {
                write!(f, "?{context}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn the_examples_of_the_rfc_parse_and_print_as_they_were() {
        for text in [
            "iax:example.com/alice",
            "iax:example.com:4569/alice",
            "iax:example.com:4570/alice?friends",
            "iax:192.0.2.4:4569/alice?friends",
            "iax:[2001:db8::1]:4569/alice?friends",
            "iax:example.com/12022561414",
            "iax:johnQ@example.com/12022561414",
        ] {
            assert_eq!(uri(text).to_string(), text);
        }
    }

    #[test]
    fn the_comparisons_of_the_rfc_hold() {
        let plain = uri("iax:atlanta.com/alice");
        for same in ["iax:AtLaNtA.com/ALicE", "iax:atlanta.com:4569/alice", "iax:alice@AtLaNtA.com:4569/ALicE"] {
            assert!(plain.equivalent(&uri(same)), "{same}");
        }
        assert!(!uri("iax:ALICE@atlanta.com/alice").equivalent(&uri("iax:alice@atlanta.com/alice")));
    }

    #[test]
    fn broken_uris_are_refused() {
        for text in [
            "",
            "iax",
            "sip:a@b",
            "iax:",
            "iax:@h",
            "iax:h:65536",
            "iax:h:+1",
            "iax:[::1",
            "iax:[x]/a",
            "iax:h/%4",
            "iax:h/a b",
            "iax:h/a?b?c/",
        ] {
            assert!(text.parse::<Uri>().is_err(), "{text}");
        }
    }
}
