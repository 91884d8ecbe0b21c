//! Where RTCP goes when it is not the next port: `a=rtcp`.

use bytes::Bytes;

use super::text::{number, words};
use super::{Connection, TypedAttribute};

/// An `a=rtcp` attribute (RFC 3605).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rtcp {
    /// The port.
    pub port: u16,
    /// The address, when it is another than the stream's.
    pub connection: Option<Connection>,
}

impl TypedAttribute for Rtcp {
    const NAME: &'static str = "rtcp";

    fn parse(value: &Bytes) -> Option<Self> {
        let mut words = words(value);
        let port = number(&words.next()?)?;
        let connection = match words.next() {
            None => None,
            Some(net_type) => Some(Connection { net_type, addr_type: words.next()?, address: words.next()? }),
        };
        words.next().is_none().then_some(Self { port, connection })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.port.to_string().as_bytes());
        if let Some(connection) = &self.connection {
            out.push(b' ');
            connection.encode(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_3605_are_read_and_written() {
        for text in ["53020", "53020 IN IP4 126.16.64.4", "53020 IN IP6 2001:2345:6789:ABCD:EF01:2345:6789:ABCD"] {
            let rtcp = Rtcp::parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap();
            assert_eq!(rtcp.port, 53_020);
            assert_eq!(rtcp.to_attribute().value.unwrap(), text);
        }
        for bad in ["", "65536", "-1", "1 IN", "1 IN IP4", "1 IN IP4 a b", "x"] {
            assert_eq!(Rtcp::parse(&Bytes::copy_from_slice(bad.as_bytes())), None, "{bad}");
        }
    }
}
