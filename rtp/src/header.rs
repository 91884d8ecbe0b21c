//! The header of an RTP packet as a value that encodes (RFC 3550 §5.1).

use bytes::{BufMut, Bytes};

/// Bytes of the fixed header.
pub(crate) const FIXED: usize = 12;

/// A plain RTP header: what to say of a packet that is to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The marker bit.
    pub marker: bool,
    /// The payload type; only the low seven bits are sent.
    pub payload_type: u8,
    /// The sequence number: one more for each packet, from a random beginning.
    pub sequence: u16,
    /// The sampling instant of the first payload byte.
    pub timestamp: u32,
    /// The synchronization source.
    pub ssrc: u32,
    /// The contributing sources, as a mixer lists them.
    pub csrcs: Csrcs,
    /// The header extension.
    pub extension: Option<Extension>,
}

impl Header {
    /// Writes the header; the payload follows it. No padding is announced.
    pub fn encode(&self, out: &mut impl BufMut) {
        self.encode_with(false, out);
    }

    /// Writes a whole packet: header, payload, and `padding` bytes the last of which is their count (0: none).
    pub fn encode_packet(&self, payload: &[u8], padding: u8, out: &mut impl BufMut) {
        self.encode_with(padding != 0, out);
        out.put_slice(payload);
        if padding != 0 {
            out.put_bytes(0, usize::from(padding) - 1);
            out.put_u8(padding);
        }
    }

    /// Bytes that [`encode`](Self::encode) writes.
    pub fn encoded_len(&self) -> usize {
        FIXED + self.csrcs.as_slice().len() * 4 + self.extension.as_ref().map_or(0, |it| 4 + it.padded_len())
    }

    fn encode_with(&self, padding: bool, out: &mut impl BufMut) {
        let csrcs = self.csrcs.as_slice();
        out.put_u8(0x80 | u8::from(padding) << 5 | u8::from(self.extension.is_some()) << 4 | self.csrcs.len);
        out.put_u8(u8::from(self.marker) << 7 | self.payload_type & 0x7f);
        out.put_u16(self.sequence);
        out.put_u32(self.timestamp);
        out.put_u32(self.ssrc);
        for csrc in csrcs {
            out.put_u32(*csrc);
        }
        if let Some(extension) = &self.extension {
            extension.encode(out);
        }
    }
}

/// At most fifteen contributing sources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Csrcs {
    len: u8,
    sources: [u32; 15],
}

impl Csrcs {
    /// Most that a packet can name.
    pub const MAX: usize = 15;

    /// Adds one; says whether there was room.
    pub fn push(&mut self, source: u32) -> bool {
        match self.sources.get_mut(usize::from(self.len)) {
            Some(slot) => {
                *slot = source;
                self.len += 1;
                true
            }
            None => false,
        }
    }

    /// Those that are named.
    pub fn as_slice(&self) -> &[u32] {
        self.sources.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

/// The first fifteen of the iterator: a packet cannot name more (RFC 3550 §5.1).
impl FromIterator<u32> for Csrcs {
    fn from_iter<I: IntoIterator<Item = u32>>(sources: I) -> Self {
        let mut csrcs = Self::default();
        for source in sources.into_iter().take(Self::MAX) {
            csrcs.push(source);
        }
        csrcs
    }
}

/// A header extension (RFC 3550 §5.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    profile: u16,
    data: Bytes,
}

impl Extension {
    /// An extension, or none if the data is longer than 65,535 words. Data that does not fill the last word is followed by zeros.
    pub fn new(profile: u16, data: impl Into<Bytes>) -> Option<Self> {
        let data = data.into();
        (data.len().div_ceil(4) <= usize::from(u16::MAX)).then_some(Self { profile, data })
    }

    /// The sixteen bits that the profile defines.
    pub const fn profile(&self) -> u16 {
        self.profile
    }

    /// The data as it was given.
    pub const fn data(&self) -> &Bytes {
        &self.data
    }

    const fn padded_len(&self) -> usize {
        self.data.len().div_ceil(4) * 4
    }

    fn encode(&self, out: &mut impl BufMut) {
        out.put_u16(self.profile);
        // Cannot be cut: checked when made.
        out.put_u16(u16::try_from(self.padded_len() / 4).unwrap_or(u16::MAX));
        out.put_slice(&self.data);
        out.put_bytes(0, self.padded_len() - self.data.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Packet;
    use proptest::prelude::*;

    #[test]
    fn a_sixteenth_contributing_source_is_refused() {
        let mut csrcs = Csrcs::default();
        assert!((0..15).all(|source| csrcs.push(source)));
        assert!(!csrcs.push(15));
        assert_eq!((0..99).collect::<Csrcs>(), csrcs);
    }

    #[test]
    fn an_extension_beyond_its_length_field_is_refused() {
        assert!(Extension::new(0, vec![0; 65_535 * 4]).is_some());
        assert!(Extension::new(0, vec![0; 65_535 * 4 + 1]).is_none());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_again(
            marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
            csrcs in prop::collection::vec(any::<u32>(), 0..16),
            extension in prop::option::of((any::<u16>(), prop::collection::vec(any::<u8>(), 0..10))),
            payload in prop::collection::vec(any::<u8>(), 0..50), padding: u8,
        ) {
            let header = Header {
                marker, payload_type, sequence, timestamp, ssrc,
                csrcs: csrcs.into_iter().collect(),
                extension: extension.and_then(|(profile, mut data)| {
                    data.resize(data.len().div_ceil(4) * 4, 0);
                    Extension::new(profile, data)
                }),
            };
            let mut bytes = Vec::new();
            header.encode_packet(&payload, padding, &mut bytes);
            prop_assert_eq!(bytes.len(), header.encoded_len() + payload.len() + usize::from(padding));
            let packet = Packet::parse(&bytes).unwrap();
            prop_assert_eq!(packet.header(), header);
            prop_assert_eq!(packet.payload(), payload);
            prop_assert_eq!(packet.padding(), padding);
        }
    }
}
