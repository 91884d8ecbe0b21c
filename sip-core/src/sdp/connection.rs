//! Where media is to be sent: the `c=` line.

use core::net::IpAddr;

use bytes::{BufMut, Bytes};

use super::text::{put, split_once, words};

/// A `c=` line (RFC 8866 §5.7).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Connection {
    /// `IN`.
    pub net_type: Bytes,
    /// `IP4` or `IP6`.
    pub addr_type: Bytes,
    /// An address or a host name, for multicast with `/ttl` or `/count`.
    pub address: Bytes,
}

impl Connection {
    /// An Internet host by its name.
    #[must_use]
    pub fn name(name: impl Into<Bytes>) -> Self {
        Self { net_type: "IN".into(), addr_type: "IP4".into(), address: name.into() }
    }

    /// Reads what follows `c=`. `None` unless it is three words.
    #[must_use]
    pub fn parse(text: &Bytes) -> Option<Self> {
        let mut words = words(text);
        let this = Self { net_type: words.next()?, addr_type: words.next()?, address: words.next()? };
        words.next().is_none().then_some(this)
    }

    /// Writes the three words.
    pub fn encode(&self, out: &mut impl BufMut) {
        put(out, &self.net_type);
        out.put_u8(b' ');
        put(out, &self.addr_type);
        out.put_u8(b' ');
        put(out, &self.address);
    }

    /// The address or name, without `/ttl` and `/count`.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        split_once(&self.address, b'/').map_or(&self.address, |(host, _)| host)
    }

    /// The address, when it is one and not a name. What the address looks like counts, not the address type.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        core::str::from_utf8(self.host()).ok()?.parse().ok()
    }

    /// Whether this is `0.0.0.0` or `::`: nothing is to be sent there, the hold of RFC 2543 (RFC 3264 §8.4). A name under
    /// `.invalid` says the same (RFC 6157 §3).
    #[must_use]
    pub fn is_null(&self) -> bool {
        match self.ip() {
            Some(ip) => ip.is_unspecified(),
            None => {
                let host = self.host();
                host.len() >= 8 && host.get(host.len() - 8..).is_some_and(|end| end.eq_ignore_ascii_case(b".invalid"))
            }
        }
    }
}

impl From<IpAddr> for Connection {
    fn from(address: IpAddr) -> Self {
        let addr_type = if address.is_ipv4() { "IP4" } else { "IP6" };
        Self { net_type: "IN".into(), addr_type: addr_type.into(), address: address.to_string().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Connection> {
        Connection::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn addresses_names_and_multicast_are_told_apart() {
        assert_eq!(parse("IN IP4 192.0.2.1").unwrap().ip(), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(parse("IN IP6 2001:db8::1").unwrap().ip(), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(parse("IN IP4 host.example.com").unwrap().ip(), None);
        assert_eq!(parse("IN IP4 224.2.1.1/127/3").unwrap().host(), b"224.2.1.1");
        assert_eq!(parse("IN IP4"), None);
        assert_eq!(parse("IN IP4 a b"), None);
    }

    #[test]
    fn the_null_address_is_known_in_all_its_forms() {
        for null in
            ["IN IP4 0.0.0.0", "IN IP6 ::", "IN IP6 0:0:0:0:0:0:0:0", "IN IP4 0.0.0.0/127", "IN IP4 anon.INVALID"]
        {
            assert!(parse(null).unwrap().is_null(), "{null}");
        }
        for other in ["IN IP4 192.0.2.1", "IN IP4 host.invalid.example", "IN IP4 invalid", "IN IP6 ::1"] {
            assert!(!parse(other).unwrap().is_null(), "{other}");
        }
    }
}
