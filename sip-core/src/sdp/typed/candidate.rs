//! `a=candidate`: a place where ICE may find a peer.

use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::ice::is_ice;
use crate::sdp::TypedAttribute;
use crate::sdp::text::{number, words};

/// An `a=candidate` attribute (RFC 8839 §5.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// Alike for candidates of the same type, base and server.
    pub foundation: Bytes,
    /// 1 for RTP, 2 for RTCP.
    pub component: u16,
    /// `UDP`, or `TCP` (RFC 6544).
    pub transport: Bytes,
    /// The higher, the better.
    pub priority: u32,
    /// An address, or a name such as those of mDNS.
    pub address: Bytes,
    /// The port.
    pub port: u16,
    /// How the candidate was found.
    pub kind: CandidateType,
    /// `raddr` and `rport`.
    pub related: Option<(Bytes, u16)>,
    /// Name and value of each extension, such as `tcptype` and `generation`.
    pub extensions: Vec<(Bytes, Bytes)>,
}

/// How a candidate was found (RFC 8445 §4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CandidateType {
    /// An address of the host.
    Host,
    /// What a STUN server sees.
    ServerReflexive,
    /// What the peer sees.
    PeerReflexive,
    /// An address on a TURN server.
    Relayed,
    /// Another.
    Other(Bytes),
}

impl CandidateType {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Host => b"host",
            Self::ServerReflexive => b"srflx",
            Self::PeerReflexive => b"prflx",
            Self::Relayed => b"relay",
            Self::Other(name) => name,
        }
    }
}

impl Candidate {
    /// Address and port, when the address is one and not a name.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let ip: IpAddr = core::str::from_utf8(&self.address).ok()?.parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }

    /// The value of an extension.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<&Bytes> {
        self.extensions.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }
}

impl TypedAttribute for Candidate {
    const NAME: &'static str = "candidate";

    fn parse(value: &Bytes) -> Option<Self> {
        let mut words = words(value).peekable();
        let foundation = words.next().filter(|text| text.iter().all(|byte| is_ice(*byte)))?;
        let component = number(&words.next()?)?;
        let (transport, priority) = (words.next()?, number(&words.next()?)?);
        let (address, port) = (words.next()?, number(&words.next()?)?);
        words.next().filter(|word| word == "typ")?;
        let kind = match words.next()? {
            word if word == "host" => CandidateType::Host,
            word if word == "srflx" => CandidateType::ServerReflexive,
            word if word == "prflx" => CandidateType::PeerReflexive,
            word if word == "relay" => CandidateType::Relayed,
            other => CandidateType::Other(other),
        };
        let mut related = None;
        if words.peek().is_some_and(|word| word == "raddr") {
            words.next();
            let address = words.next()?;
            words.next().filter(|word| word == "rport")?;
            related = Some((address, number(&words.next()?)?));
        }
        let mut extensions = Vec::new();
        while let Some(name) = words.next() {
            extensions.push((name, words.next()?));
        }
        Some(Self { foundation, component, transport, priority, address, port, kind, related, extensions })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.foundation);
        out.extend_from_slice(format!(" {} ", self.component).as_bytes());
        out.extend_from_slice(&self.transport);
        out.extend_from_slice(format!(" {} ", self.priority).as_bytes());
        out.extend_from_slice(&self.address);
        out.extend_from_slice(format!(" {} typ ", self.port).as_bytes());
        out.extend_from_slice(self.kind.as_bytes());
        if let Some((address, port)) = &self.related {
            out.extend_from_slice(b" raddr ");
            out.extend_from_slice(address);
            out.extend_from_slice(format!(" rport {port}").as_bytes());
        }
        for (name, value) in &self.extensions {
            out.push(b' ');
            out.extend_from_slice(name);
            out.push(b' ');
            out.extend_from_slice(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::attribute_tests;
    use super::*;

    attribute_tests!(
        Candidate,
        same: [
            "1 1 UDP 2130706431 10.0.1.1 8998 typ host",
            "2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 10.0.1.1 rport 8998",
            "H1 2 TCP 2105458943 2001:db8::1 9 typ host tcptype active",
            "842163049 1 udp 1677729535 d98f5d1e.local 55996 typ relay raddr 0.0.0.0 rport 0 generation 0 network-cost 999",
            "1 1 UDP 1 192.0.2.1 1 typ new",
        ],
        refused: [
            "",
            "1 1 UDP 1 192.0.2.1 1",
            "1 1 UDP 1 192.0.2.1 1 host",
            "1 1 UDP 1 192.0.2.1 x typ host",
            "1 1 UDP x 192.0.2.1 1 typ host",
            "a:b 1 UDP 1 192.0.2.1 1 typ host",
            "1 1 UDP 1 192.0.2.1 1 typ srflx raddr 10.0.0.1",
            "1 1 UDP 1 192.0.2.1 1 typ host generation",
        ]
    );

    #[test]
    fn the_parts_of_a_candidate_are_found() {
        let text = "H1 2 TCP 1 2001:db8::1 9 typ host tcptype active";
        let candidate = Candidate::parse(&Bytes::from_static(text.as_bytes())).unwrap();
        assert_eq!(candidate.socket_addr(), Some("[2001:db8::1]:9".parse().unwrap()));
        assert_eq!(candidate.kind, CandidateType::Host);
        assert_eq!(candidate.extension("tcptype").unwrap(), "active");
    }
}
