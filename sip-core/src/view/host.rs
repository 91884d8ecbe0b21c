//! Hosts and ports over borrowed bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::{ErrorKind, ParseError, Part};
use crate::scan::{self, Copied, Fault, Keep, Raw, Scan};
use crate::uri;

/// A host: a name or an address (RFC 3261 §25.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Host<'a> {
    /// A domain name, as written.
    Name(&'a [u8]),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// Reads a host that is the whole of `bytes`.
    ///
    /// # Errors
    /// [`Part::Uri`] when it is none.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let mut cursor = Raw::new(bytes);
        Self::scan(&mut cursor)
            .and_then(|host| if cursor.is_empty() { Ok(host) } else { Err(cursor.wrong()) })
            .map_err(|fault| fault.within(Part::Uri))
    }

    #[inline]
    pub(crate) fn scan(cursor: &mut Raw<'a>) -> Scan<Self> {
        let start = cursor.offset();
        let rest = cursor.rest();
        let fault = |offset| Fault { kind: ErrorKind::Syntax, offset };
        let mut before = b'.';
        let mut length = 0;
        for &byte in rest {
            if !scan::is(byte, scan::HOST) {
                break;
            }
            // An empty label before another.
            if byte == b'.' && before == b'.' {
                return Err(fault(start + length));
            }
            before = byte;
            length += 1;
        }
        let name = rest.get(..length).unwrap_or_default();
        match name.first() {
            None if cursor.eat(b'[') => return Self::scan_v6(cursor),
            None => return Err(cursor.wrong()),
            Some(b'-') => return Err(fault(start)),
            Some(b'0'..=b'9') if name.iter().all(|&byte| byte.is_ascii_digit() || byte == b'.') => {
                cursor.advance(length);
                return v4(name).map(Self::V4).ok_or_else(|| fault(start));
            }
            Some(_) => {}
        }
        cursor.advance(length);
        Ok(Self::Name(name))
    }

    /// Reads what follows `[`.
    #[inline(never)]
    fn scan_v6(cursor: &mut Raw<'a>) -> Scan<Self> {
        let rest = cursor.rest();
        let length = rest.iter().position(|&byte| byte == b']').ok_or_else(|| cursor.wrong())?;
        let address = v6(rest.get(..length).unwrap_or_default()).ok_or_else(|| cursor.wrong())?;
        cursor.advance(length + 1);
        Ok(Self::V6(address))
    }

    /// Reads a host or an IPv6 address without brackets, as `received` and `maddr` have it.
    pub(crate) fn parse_parameter(value: &'a [u8]) -> Option<Self> {
        match v6(value) {
            Some(address) => Some(Self::V6(address)),
            None => Self::parse(value).ok(),
        }
    }

    /// The address, unless it is a name.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some(IpAddr::V4(*address)),
            Self::V6(address) => Some(IpAddr::V6(*address)),
        }
    }

    /// Whether it is the same host, names compared without regard to case.
    #[must_use]
    pub fn is(&self, other: &uri::Host) -> bool {
        match (self, other) {
            (Self::Name(name), uri::Host::Name(other)) => name.eq_ignore_ascii_case(other),
            (Self::V4(address), uri::Host::V4(other)) => address == other,
            (Self::V6(address), uri::Host::V6(other)) => address == other,
            _ => false,
        }
    }

    /// A host of its own memory.
    #[must_use]
    pub fn to_owned(&self) -> uri::Host {
        self.keep(&Copied)
    }

    #[inline]
    pub(crate) fn keep(&self, source: &impl Keep) -> uri::Host {
        match self {
            Self::Name(name) => uri::Host::Name(source.keep(name)),
            Self::V4(address) => uri::Host::V4(*address),
            Self::V6(address) => uri::Host::V6(*address),
        }
    }
}

/// An IPv6 address. `:::`, which the grammar of RFC 3261 produced by mistake, is read as `::` (RFC 5118 §4.10).
fn v6(bytes: &[u8]) -> Option<Ipv6Addr> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.parse().ok().or_else(|| text.contains(":::").then(|| text.replacen(":::", "::", 1).parse().ok()).flatten())
}

/// Four decimal octets; leading zeros are refused, because some read them as octal.
fn v4(name: &[u8]) -> Option<Ipv4Addr> {
    let mut address = 0_u32;
    let (mut value, mut digits, mut dots) = (0_u32, 0, 0);
    for &byte in name {
        if byte == b'.' {
            if digits == 0 || value > 255 {
                return None;
            }
            address = address << 8 | value;
            (value, digits) = (0, 0);
            dots += 1;
        } else {
            // No leading zero, which some read as octal, and no fourth digit.
            if digits == 3 || (digits == 1 && value == 0) {
                return None;
            }
            value = value * 10 + u32::from(byte - b'0');
            digits += 1;
        }
    }
    (digits > 0 && value <= 255 && dots == 3).then(|| Ipv4Addr::from(address << 8 | value))
}

/// A host with an optional port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HostPort<'a> {
    /// The host.
    pub host: Host<'a>,
    /// The port, if one is written.
    pub port: Option<u16>,
}

impl<'a> HostPort<'a> {
    /// Reads `host [":" port]`.
    #[inline]
    pub(crate) fn scan(cursor: &mut Raw<'a>) -> Scan<Self> {
        let host = Host::scan(cursor)?;
        let port = if cursor.eat(b':') { Some(cursor.number_as()?) } else { None };
        Ok(Self { host, port })
    }

    /// Reads a sent-by, where white space may surround the colon (RFC 3261 §25.1 COLON).
    #[inline]
    pub(crate) fn scan_spaced(cursor: &mut Raw<'a>) -> Scan<Self> {
        let host = Host::scan(cursor)?;
        let port = if cursor.separator(b':') { Some(cursor.number_as()?) } else { None };
        Ok(Self { host, port })
    }

    /// A host and port of their own memory.
    #[must_use]
    pub fn to_owned(&self) -> uri::HostPort {
        self.keep(&Copied)
    }

    #[inline]
    pub(crate) fn keep(&self, source: &impl Keep) -> uri::HostPort {
        uri::HostPort { host: self.host.keep(source), port: self.port }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ipv4_addresses_are_what_the_standard_library_says(
            text in prop_oneof!["[0-9.]{0,16}", "([0-9]{1,3}\\.){3}[0-9]{1,3}", "([0-2]?[0-9]{1,2}\\.){3,4}[0-9]{0,2}"],
        ) {
            prop_assert_eq!(v4(text.as_bytes()), text.parse().ok());
        }
    }
}
