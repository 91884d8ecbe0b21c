//! Via (RFC 3261 §20.42).

use std::net::IpAddr;
use std::ops::Range;

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{HeaderName, TypedHeader};
use crate::scan::{self, Cursor, Scan};
use crate::uri::{Host, HostPort, Params};
use crate::view::{self, HeaderView};

/// One hop that the request took, where its response goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Via {
    /// Protocol and version, `SIP/2.0`.
    pub version: Bytes,
    /// The transport as written, such as `UDP`.
    pub transport: Bytes,
    /// What the sender calls himself.
    pub sent_by: HostPort,
    /// Branch, received, rport and others.
    pub params: Params,
}

const VERSION: &[u8] = b"SIP/2.0";

impl Via {
    /// What branches begin with since RFC 3261 (§8.1.1.7).
    pub const MAGIC_COOKIE: &'static [u8] = b"z9hG4bK";

    /// A Via of SIP/2.0 with this branch.
    #[must_use]
    pub fn new(transport: impl Into<Bytes>, sent_by: impl Into<HostPort>, branch: &[u8]) -> Self {
        Self {
            version: Bytes::from_static(VERSION),
            transport: transport.into(),
            sent_by: sent_by.into(),
            params: Params::new().with("branch", Some(branch)),
        }
    }

    fn scan(cursor: &mut Cursor<'_>) -> Scan<Self> {
        let bytes = cursor.bytes();
        Ok(view::Via::scan(cursor)?.keep(&bytes))
    }

    /// Notes the address that the request came from (RFC 3261 §18.2.1); IPv6 without brackets, as the grammar has it.
    pub fn set_received(&mut self, address: IpAddr) {
        self.params.set("received", Some(address.to_string().as_bytes()));
    }

    /// Notes the port that the request came from (RFC 3581 §4).
    pub fn set_rport(&mut self, port: u16) {
        self.params.set("rport", Some(port.to_string().as_bytes()));
    }

    /// The branch, the transaction's identifier.
    #[must_use]
    pub fn branch(&self) -> Option<&[u8]> {
        self.params.value("branch")
    }

    /// Whether the branch begins with the magic cookie, so that it identifies the transaction by itself.
    #[must_use]
    pub fn has_magic_cookie(&self) -> bool {
        let cookie = Self::MAGIC_COOKIE;
        self.branch()
            .and_then(|branch| branch.get(..cookie.len()))
            .is_some_and(|start| start.eq_ignore_ascii_case(cookie))
    }

    /// The address that the request came from, if noted. IPv6 is read with and without brackets (RFC 5118 §4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        Host::parse_parameter(self.params.value("received")?)?.ip()
    }

    /// The port to answer to: `Some(None)` when the sender asks for it to be noted (RFC 3581).
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(|value| std::str::from_utf8(value?).ok()?.parse().ok())
    }

    /// The multicast address, or wherever else the response is to go.
    #[must_use]
    pub fn maddr(&self) -> Option<Host> {
        Host::parse_parameter(self.params.value("maddr")?)
    }

    /// The time to live of a multicast response.
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        std::str::from_utf8(self.params.value("ttl")?).ok()?.parse().ok()
    }

    /// The overload control parameter `oc`: `Some(None)` when the client only says that it knows it (RFC 7339 §4.1).
    #[must_use]
    pub fn overload_control(&self) -> Option<Option<u32>> {
        self.params.get("oc").map(|_| self.params.number("oc"))
    }

    /// The algorithms of overload control, quotes removed (RFC 7339 §4.2).
    #[must_use]
    pub fn overload_algorithms(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        self.params.text("oc-algo")
    }

    /// For how many milliseconds overload control is in force (RFC 7339 §4.3).
    #[must_use]
    pub fn overload_validity(&self) -> Option<u32> {
        self.params.number("oc-validity")
    }

    /// Whether the transport is this one, in any case.
    #[must_use]
    pub fn is_transport(&self, transport: &str) -> bool {
        self.transport.eq_ignore_ascii_case(transport.as_bytes())
    }
}

impl TypedHeader for Via {
    const NAME: HeaderName = HeaderName::VIA;
    const LIST: bool = true;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, Self::scan)
    }

    fn parse_at(message: &Bytes, range: Range<usize>) -> Result<Self, ParseError> {
        Ok(view::Via::parse(message.get(range).unwrap_or_default())?.keep(&message))
    }

    fn encode(&self, out: &mut impl BufMut) {
        for (i, part) in self.version.split(|&byte| byte == b'/').enumerate() {
            if i > 0 {
                out.put_u8(b'/');
            }
            scan::put(part, scan::TOKEN, out);
        }
        out.put_u8(b'/');
        scan::put(&self.transport, scan::TOKEN, out);
        out.put_u8(b' ');
        self.sent_by.encode(out);
        self.params.encode(out);
    }
}

text_forms!(Via);

#[cfg(test)]
mod tests {
    use super::*;

    fn via(text: &str) -> Via {
        text.parse().unwrap()
    }

    #[test]
    fn the_examples_of_rfc_3261_are_read() {
        let simple = via("SIP/2.0/UDP erlang.bell-telephone.com:5060;branch=z9hG4bK87asdks7");
        assert_eq!(simple.to_string(), "SIP/2.0/UDP erlang.bell-telephone.com:5060;branch=z9hG4bK87asdks7");
        assert!(simple.has_magic_cookie());
        let odd =
            via("SIP / 2.0 / UDP first.example.com: 4000;ttl=16\r\n  ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1");
        assert_eq!(odd.version, VERSION);
        assert_eq!(odd.sent_by.port, Some(4000));
        assert_eq!(odd.ttl(), Some(16));
        assert_eq!(odd.maddr().unwrap().to_string(), "224.2.0.1");
        assert_eq!(via(&odd.to_string()), odd);
        assert_eq!(odd.branch(), Some(&b"z9hG4bKa7c6a8dlze.1"[..]));
    }

    #[test]
    fn ipv6_stands_in_brackets_but_received_is_read_either_way() {
        for text in ["2001:db8::9:255", "[2001:db8::9:255]"] {
            let via = via(&format!("SIP/2.0/UDP [2001:db8::9:1]:6050;received={text};branch=z9hG4bKas3-111"));
            assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()));
            assert_eq!(via.sent_by.to_string(), "[2001:db8::9:1]:6050");
        }
        assert!("SIP/2.0/UDP 2001:db8::9:1;branch=z9hG4bK1".parse::<Via>().is_err());
    }

    #[test]
    fn received_and_rport_are_noted_in_their_place() {
        let mut via = via("SIP/2.0/UDP 10.1.1.1:4540;rport;branch=z9hG4bKkjshdyff");
        assert_eq!(via.rport(), Some(None));
        via.set_rport(9988);
        via.set_received("2001:db8::1".parse().unwrap());
        assert_eq!(via.to_string(), "SIP/2.0/UDP 10.1.1.1:4540;rport=9988;branch=z9hG4bKkjshdyff;received=2001:db8::1");
        assert_eq!(via.rport(), Some(Some(9988)));
    }

    #[test]
    fn unknown_transports_and_branches_without_the_cookie_are_read() {
        for transport in ["UNKNOWN", "SCTP", "TLS", "TLS-SCTP", "udp"] {
            let via = via(&format!("SIP/2.0/{transport} t1.example.com;branch=39ds"));
            assert!(via.is_transport(&transport.to_lowercase()));
            assert!(!via.has_magic_cookie());
        }
        assert_eq!(via("SIP/7.0/UDP c.example.com").version, &b"SIP/7.0"[..]);
    }

    #[test]
    fn the_overload_parameters_of_rfc_7339_are_read() {
        let via = via(
            "SIP/2.0/TCP p1.example.net;branch=z9hG4bK2d4790.1;oc=20;oc-algo=\"loss,A\";oc-validity=500;oc-seq=1282321615.782",
        );
        assert_eq!(via.overload_control(), Some(Some(20)));
        assert_eq!(via.overload_algorithms().as_deref(), Some(&b"loss,A"[..]));
        assert_eq!(via.overload_validity(), Some(500));
        assert_eq!(via.params.value("oc-seq"), Some(&b"1282321615.782"[..]));
        assert_eq!("SIP/2.0/TCP p1;oc".parse::<Via>().unwrap().overload_control(), Some(None));
    }

    #[test]
    fn what_is_no_via_is_refused() {
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0 a.example.com",
            "SIP/2.0/UDP 192.0.2.15;;,;,,",
            "SIP/2.0/UDPa:x",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP a:70000",
            "SIP/2.0/UDP ;branch=x",
        ] {
            assert!(text.parse::<Via>().is_err(), "{text}");
        }
    }
}
