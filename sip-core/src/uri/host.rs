//! Hosts and ports, as URIs, Via and Warning have them (RFC 3261 §25.1).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use bytes::{BufMut, Bytes};

use crate::error::{ParseError, Part};
use crate::scan::{self, Cursor, Scan};
use crate::view;

/// A host: a name or an address. IPv6 addresses are written in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A domain name, as written.
    Name(Bytes),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
}

impl Host {
    /// Reads a host that is the whole of `bytes`.
    ///
    /// # Errors
    /// [`Part::Uri`] when it is none.
    pub fn parse(bytes: &Bytes) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(bytes);
        Self::scan(&mut cursor)
            .and_then(|host| if cursor.is_empty() { Ok(host) } else { Err(cursor.wrong()) })
            .map_err(|fault| fault.within(Part::Uri))
    }

    #[inline]
    pub(crate) fn scan(cursor: &mut Cursor<'_>) -> Scan<Self> {
        let bytes = cursor.bytes();
        Ok(view::Host::scan(cursor)?.keep(&bytes))
    }

    /// Reads a host or an IPv6 address without brackets, as `received` and `maddr` have it.
    pub(crate) fn parse_parameter(value: &[u8]) -> Option<Self> {
        view::Host::parse_parameter(value).map(|host| host.to_owned())
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

    /// The name, unless it is an address.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }

    /// Whether both are the same address, or the same name in any case.
    #[must_use]
    pub fn equivalent(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            _ => self == other,
        }
    }

    /// Writes it.
    pub fn encode(&self, out: &mut impl BufMut) {
        match self {
            Self::Name(name) => scan::put(name, scan::HOST, out),
            Self::V4(address) => crate::write::address((*address).into(), out),
            Self::V6(address) => {
                out.put_u8(b'[');
                crate::write::address((*address).into(), out);
                out.put_u8(b']');
            }
        }
    }
}

/// How long an address and a port can be.
const ADDRESS: usize = 24;

/// An IPv4 address as text, with its length.
pub(crate) fn dotted(address: Ipv4Addr) -> ([u8; ADDRESS], usize) {
    let mut text = [b'.'; ADDRESS];
    let mut length = 0;
    for octet in address.octets() {
        // The point that is there already stands between two octets.
        length = scan::digits(u16::from(octet), &mut text, length) + 1;
    }
    (text, length - 1)
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scan::show(f, |out| self.encode(out))
    }
}

impl FromStr for Host {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

/// A host with an optional port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The port, if one is written.
    pub port: Option<u16>,
}

impl HostPort {
    /// A host without a port.
    #[must_use]
    pub const fn new(host: Host, port: Option<u16>) -> Self {
        Self { host, port }
    }

    /// Reads a host and perhaps a port that are the whole of `bytes`.
    ///
    /// # Errors
    /// [`Part::Uri`] when they are not.
    pub fn parse(bytes: &Bytes) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(bytes);
        Self::scan(&mut cursor)
            .and_then(|host| if cursor.is_empty() { Ok(host) } else { Err(cursor.wrong()) })
            .map_err(|fault| fault.within(Part::Uri))
    }

    /// Reads `host [":" port]`.
    pub(crate) fn scan(cursor: &mut Cursor<'_>) -> Scan<Self> {
        let bytes = cursor.bytes();
        Ok(view::HostPort::scan(cursor)?.keep(&bytes))
    }

    /// The address and port, unless the host is a name; `default` stands in for a port that is not written.
    #[must_use]
    pub fn socket_addr(&self, default: u16) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.host.ip()?, self.port.unwrap_or(default)))
    }

    /// Writes it.
    pub fn encode(&self, out: &mut impl BufMut) {
        let Some(port) = self.port else { return self.host.encode(out) };
        let (mut text, mut length) = match self.host {
            Host::V4(address) => dotted(address),
            _ => {
                self.host.encode(out);
                ([0; ADDRESS], 0)
            }
        };
        if let Some(colon) = text.get_mut(length) {
            *colon = b':';
        }
        length = scan::digits(port, &mut text, length + 1);
        out.put_slice(text.get(..length).unwrap_or_default());
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scan::show(f, |out| self.encode(out))
    }
}

impl FromStr for HostPort {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self { host: Host::from(address.ip()), port: Some(address.port()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn hosts_read_as_what_they_are_and_write_as_they_read() {
        for (text, host) in [
            ("192.0.2.1", Host::V4(Ipv4Addr::new(192, 0, 2, 1))),
            ("[2001:db8::1]", Host::V6("2001:db8::1".parse().unwrap())),
            ("Example.COM", Host::Name(Bytes::from_static(b"Example.COM"))),
            ("a_b.example.com.", Host::Name(Bytes::from_static(b"a_b.example.com."))),
            ("1and1.example", Host::Name(Bytes::from_static(b"1and1.example"))),
        ] {
            assert_eq!(text.parse::<Host>().unwrap(), host);
            assert_eq!(host.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            ".",
            "a..b",
            "-a",
            "256.0.0.1",
            "192.0.2",
            "192.0.2.1.5",
            "192.0.02.1",
            "[::1",
            "[zz]",
            "a b",
            "2001:db8::1",
        ] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
        assert_eq!("a:65536".parse::<HostPort>().unwrap_err().kind, ErrorKind::OutOfRange);
        assert!("a:".parse::<HostPort>().is_err());
    }

    #[test]
    fn three_colons_of_the_old_grammar_are_read_as_two() {
        assert_eq!("[2001:db8:::192.0.2.1]".parse::<Host>().unwrap().to_string(), "[2001:db8::c000:201]");
        assert!("[2001::::1]".parse::<Host>().is_err());
    }

    #[test]
    fn a_socket_address_becomes_a_host_and_a_port() {
        let address: SocketAddr = "[2001:db8::1]:5060".parse().unwrap();
        let host = HostPort::from(address);
        assert_eq!(host.to_string(), "[2001:db8::1]:5060");
        assert_eq!(host.socket_addr(1), Some(address));
        assert!(host.host.equivalent(&"[2001:DB8:0::1]".parse().unwrap()));
    }
}
