//! `a=rtcp-fb`: which feedback a stream takes.

use bytes::Bytes;

use crate::sdp::TypedAttribute;
use crate::sdp::text::{number, split_once};

/// An `a=rtcp-fb` attribute (RFC 4585 §4.2, RFC 5104 §7.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RtcpFb {
    /// The payload type; `None` for `*`, all of them.
    pub payload: Option<u8>,
    /// `ack`, `nack`, `ccm`, `trr-int`, `transport-cc` and so on.
    pub kind: Bytes,
    /// What follows the kind, such as `pli` or `fir`.
    pub parameters: Option<Bytes>,
}

impl TypedAttribute for RtcpFb {
    const NAME: &'static str = "rtcp-fb";

    fn parse(value: &Bytes) -> Option<Self> {
        let (payload, rest) = split_once(value, b' ')?;
        let payload = match payload {
            b"*" => None,
            digits => Some(number::<u8>(digits).filter(|payload| *payload < 128)?),
        };
        let (kind, parameters) = match split_once(rest, b' ') {
            Some((kind, parameters)) => (kind, Some(value.slice_ref(parameters))),
            None => (rest, None),
        };
        (!kind.is_empty()).then(|| Self { payload, kind: value.slice_ref(kind), parameters })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self.payload {
            None => out.push(b'*'),
            Some(payload) => out.extend_from_slice(payload.to_string().as_bytes()),
        }
        out.push(b' ');
        out.extend_from_slice(&self.kind);
        if let Some(parameters) = &self.parameters {
            out.push(b' ');
            out.extend_from_slice(parameters);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::attribute_tests;
    use super::*;

    attribute_tests!(
        RtcpFb,
        same: ["96 nack", "* nack pli", "98 ccm tmmbr smaxpr=120", "100 trr-int 5000", "0 ack rpsi"],
        refused: ["", "96", "128 nack", "x nack", "96 "]
    );
}
