//! `a=extmap`: what the numbers of RTP header extensions mean.

use bytes::Bytes;

use crate::sdp::text::{number, split_once, words};
use crate::sdp::{Direction, TypedAttribute};

/// An `a=extmap` attribute (RFC 8285 §8).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExtMap {
    /// The number: 1 to 14 in the one-byte form, to 255 in the two-byte form; 4096 to 4351 only offer.
    pub id: u16,
    /// Who sends it.
    pub direction: Option<Direction>,
    /// What it means.
    pub uri: Bytes,
    /// What follows the URI.
    pub attributes: Option<Bytes>,
}

impl TypedAttribute for ExtMap {
    const NAME: &'static str = "extmap";

    fn parse(value: &Bytes) -> Option<Self> {
        let mut words = words(value);
        let first = words.next()?;
        let (id, direction) = match split_once(&first, b'/') {
            Some((id, direction)) => (number(id)?, Some(Direction::from_name(direction)?)),
            None => (number(&first)?, None),
        };
        let uri = words.next()?;
        // The rest as it is.
        let end = uri.as_ptr() as usize - value.as_ptr() as usize + uri.len();
        let rest = value.get(end..).unwrap_or_default().trim_ascii();
        let attributes = (!rest.is_empty()).then(|| value.slice_ref(rest));
        (id > 0).then_some(Self { id, direction, uri, attributes })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.id.to_string().as_bytes());
        if let Some(direction) = self.direction {
            out.push(b'/');
            out.extend_from_slice(direction.as_str().as_bytes());
        }
        out.push(b' ');
        out.extend_from_slice(&self.uri);
        if let Some(attributes) = &self.attributes {
            out.push(b' ');
            out.extend_from_slice(attributes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::attribute_tests;
    use super::*;

    attribute_tests!(
        ExtMap,
        same: [
            "1 URI-toffset",
            "2/recvonly http://example.com/082005/ext.htm#xmeta short",
            "4096/inactive urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on x",
        ],
        refused: ["", "1", "0 x", "x y", "1/both x", "65536 x"]
    );
}
