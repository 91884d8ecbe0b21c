//! APP: what an application defines for itself (RFC 3550 §6.7).

use super::{Frame, Kind, put_header, put_padded, split_word};
use crate::error::{ParseError, Part};
use bytes::{BufMut, Bytes};

/// An application's packet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Application {
    /// The five bits that the application defines.
    pub subtype: u8,
    /// Who sends it.
    pub ssrc: u32,
    /// Four ASCII characters that name the application.
    pub name: [u8; 4],
    /// Its data; filled with zeros to a multiple of four bytes when sent.
    pub data: Bytes,
}

impl Application {
    pub(super) fn parse(frame: &Frame<'_>) -> Result<Self, ParseError> {
        let at = frame.body_offset();
        let Some((ssrc, rest)) = split_word(frame.body) else {
            return Err(ParseError::truncated(Part::Header, at));
        };
        let Some((name, data)) = rest.split_first_chunk::<4>() else {
            return Err(ParseError::truncated(Part::Name, at + 4));
        };
        Ok(Self { subtype: frame.count, ssrc, name: *name, data: Bytes::copy_from_slice(data) })
    }

    /// Writes the packet.
    pub fn encode(&self, out: &mut impl BufMut) {
        put_header(self.subtype, Kind::APPLICATION, self.encoded_len() - 4, out);
        out.put_u32(self.ssrc);
        out.put_slice(&self.name);
        put_padded(&self.data, out);
    }

    /// Bytes that [`encode`](Self::encode) writes.
    pub fn encoded_len(&self) -> usize {
        12 + self.data.len().next_multiple_of(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_again() {
        let packet = Application { subtype: 3, ssrc: 1, name: *b"test", data: Bytes::from_static(b"12345678") };
        let mut bytes = Vec::new();
        packet.encode(&mut bytes);
        assert_eq!(bytes, b"\x83\xcc\0\x04\0\0\0\x01test12345678");
        let frame = Frame { count: 3, kind: Kind::APPLICATION, body: &bytes[4..], padding: 0, offset: 0 };
        assert_eq!(Application::parse(&frame).unwrap(), packet);
    }

    #[test]
    fn a_missing_name_is_an_error() {
        let frame = Frame { count: 0, kind: Kind::APPLICATION, body: &[0; 6], padding: 0, offset: 0 };
        assert_eq!(Application::parse(&frame).unwrap_err().part, Part::Name);
    }
}
