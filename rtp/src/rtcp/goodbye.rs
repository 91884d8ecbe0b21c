//! BYE: sources that end (RFC 3550 §6.6).

use super::{Frame, Kind, MAX_COUNT, put_header, split_word};
use crate::error::{ParseError, Part};
use bytes::{BufMut, Bytes};

/// The end of sources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Goodbye {
    /// Those that end; at most 31 are sent.
    pub sources: Vec<u32>,
    /// Why; empty for no reason. Only the first 255 bytes are sent.
    pub reason: Bytes,
}

impl Goodbye {
    pub(super) fn parse(frame: &Frame<'_>) -> Result<Self, ParseError> {
        let mut rest = frame.body;
        let mut sources = Vec::new();
        for _ in 0..frame.count {
            let Some((source, after)) = split_word(rest) else {
                return Err(ParseError::truncated(Part::Header, frame.body_offset() + frame.body.len()));
            };
            sources.push(source);
            rest = after;
        }
        let reason = match rest {
            [] => &[],
            [length, text @ ..] => text
                .get(..usize::from(*length))
                .ok_or(ParseError::truncated(Part::Reason, frame.body_offset() + frame.body.len() - rest.len()))?,
        };
        Ok(Self { sources, reason: Bytes::copy_from_slice(reason) })
    }

    /// Writes the packet.
    pub fn encode(&self, out: &mut impl BufMut) {
        let count = self.sources.len().min(MAX_COUNT);
        put_header(count as u8, Kind::GOODBYE, self.encoded_len() - 4, out);
        self.sources.iter().take(count).for_each(|source| out.put_u32(*source));
        let reason = self.sent();
        if !reason.is_empty() {
            out.put_u8(reason.len() as u8);
            out.put_slice(reason);
            out.put_bytes(0, (reason.len() + 1).next_multiple_of(4) - reason.len() - 1);
        }
    }

    /// Bytes that [`encode`](Self::encode) writes.
    pub fn encoded_len(&self) -> usize {
        let reason = match self.sent().len() {
            0 => 0,
            length => (length + 1).next_multiple_of(4),
        };
        4 + self.sources.len().min(MAX_COUNT) * 4 + reason
    }

    fn sent(&self) -> &[u8] {
        self.reason.get(..255).unwrap_or(&self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(count: u8, body: &[u8]) -> Frame<'_> {
        Frame { count, kind: Kind::GOODBYE, body, padding: 0, offset: 0 }
    }

    #[test]
    fn what_is_encoded_is_read_again() {
        for reason in [&b""[..], b"a", b"abc", b"camera malfunction"] {
            let goodbye = Goodbye { sources: vec![1, 2], reason: Bytes::from_static(reason) };
            let mut bytes = Vec::new();
            goodbye.encode(&mut bytes);
            assert_eq!(bytes.len(), goodbye.encoded_len());
            assert_eq!(bytes.len() % 4, 0);
            assert_eq!(Goodbye::parse(&frame(2, &bytes[4..])).unwrap(), goodbye);
        }
    }

    #[test]
    fn a_reason_longer_than_the_packet_is_an_error() {
        let error = Goodbye::parse(&frame(1, &[0, 0, 0, 1, 4, b'a', b'b', b'c'])).unwrap_err();
        assert_eq!((error.part, error.offset), (Part::Reason, 8));
    }

    #[test]
    fn fewer_sources_than_counted_are_an_error() {
        assert!(Goodbye::parse(&frame(2, &[0, 0, 0, 1])).is_err());
        assert!(Goodbye::parse(&frame(0, &[])).is_ok());
    }
}
