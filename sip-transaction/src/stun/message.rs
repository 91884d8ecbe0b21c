//! A message (RFC 8489 §5).

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};

use super::attribute::{Attribute, ErrorCode, FINGERPRINT};
use super::fingerprint::fingerprint;
use super::{MAGIC_COOKIE, is_stun};

/// How long the header is.
const HEADER: usize = 20;

/// How long the FINGERPRINT is, with its own header.
const FINGERPRINT_LEN: usize = 8;

/// How many attributes are read; nobody has use for more.
const ATTRIBUTES: usize = 64;

/// How many attributes that were not understood are named in an answer: an answer to a stranger is short.
const NAMED: usize = 8;

/// What a message is for (RFC 8489 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// It wants an answer.
    Request,
    /// It wants none.
    Indication,
    /// It answers a request with what was wanted.
    Success,
    /// It answers a request with why not.
    Error,
}

/// What a request and its answer have in common: 96 bits of chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(pub [u8; 12]);

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is for.
    pub class: Class,
    /// What is to be done, in 12 bits: [`BINDING`](super::BINDING).
    pub method: u16,
    /// What joins request and answer.
    pub transaction: TransactionId,
    /// The attributes in their order, without the FINGERPRINT.
    pub attributes: Vec<Attribute>,
    /// Whether a FINGERPRINT is at its end (§14.7). One that was read was right.
    pub has_fingerprint: bool,
}

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// They are of another protocol.
    #[error("not stun")]
    Protocol,
    /// The length in the header is not that of the datagram, or no multiple of four.
    #[error("wrong length")]
    Length,
    /// An attribute ends after the message, or is not of its type's form.
    #[error("broken attribute {kind:#06x} at byte {offset}")]
    Attribute {
        /// Its type.
        kind: u16,
        /// Where it begins.
        offset: usize,
    },
    /// There are too many attributes.
    #[error("too many attributes")]
    Many,
    /// The FINGERPRINT is wrong, or something follows it.
    #[error("wrong fingerprint")]
    Fingerprint,
}

impl Message {
    /// A message without attributes.
    #[must_use]
    pub const fn new(class: Class, method: u16, transaction: TransactionId) -> Self {
        Self { class, method, transaction, attributes: Vec::new(), has_fingerprint: false }
    }

    /// The same with one attribute more.
    #[must_use]
    pub fn with(mut self, attribute: Attribute) -> Self {
        self.attributes.push(attribute);
        self
    }

    /// The beginning of the answer to a request: a success, with a FINGERPRINT where the request has one.
    #[must_use]
    pub const fn answer(&self) -> Self {
        Self {
            class: Class::Success,
            method: self.method,
            transaction: self.transaction,
            attributes: Vec::new(),
            has_fingerprint: self.has_fingerprint,
        }
    }

    /// The refusal of a request that has attributes which must be understood and are not (RFC 8489 §6.3.1): 420.
    #[must_use]
    pub fn refuse_unknown(&self) -> Option<Self> {
        let unknown: Vec<u16> = self.unknown().take(NAMED).collect();
        if unknown.is_empty() {
            return None;
        }
        let reason = Bytes::from_static(b"Unknown Attribute");
        let refusal = Self { class: Class::Error, ..self.answer() };
        Some(
            refusal
                .with(Attribute::ErrorCode(ErrorCode { code: 420, reason }))
                .with(Attribute::UnknownAttributes(unknown)),
        )
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// When it is no message, or not a whole one.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        if !is_stun(bytes) {
            return Err(ParseError::Protocol);
        }
        let (header, mut rest) = bytes.split_first_chunk::<HEADER>().ok_or(ParseError::Length)?;
        let [t0, t1, l0, l1, _, _, _, _, transaction @ ..] = header;
        let kind = u16::from_be_bytes([*t0, *t1]);
        if usize::from(u16::from_be_bytes([*l0, *l1])) != rest.len() || !rest.len().is_multiple_of(4) {
            return Err(ParseError::Length);
        }
        let class = match (kind >> 7 & 2) | (kind >> 4 & 1) {
            0 => Class::Request,
            1 => Class::Indication,
            2 => Class::Success,
            _ => Class::Error,
        };
        let method = (kind & 0x0F) | (kind >> 1 & 0x70) | (kind >> 2 & 0xF80);
        let mut message = Self::new(class, method, TransactionId(*transaction));
        while let Some(([k0, k1, l0, l1], after)) = rest.split_first_chunk::<4>() {
            let offset = bytes.len() - rest.len();
            let kind = u16::from_be_bytes([*k0, *k1]);
            let length = usize::from(u16::from_be_bytes([*l0, *l1]));
            let broken = ParseError::Attribute { kind, offset };
            let (padded, after) = after.split_at_checked(length.next_multiple_of(4)).ok_or(broken)?;
            let (value, _) = padded.split_at_checked(length).ok_or(broken)?;
            if kind == FINGERPRINT {
                let before = bytes.get(..offset).ok_or(broken)?;
                if value != fingerprint(before).to_be_bytes() || !after.is_empty() {
                    return Err(ParseError::Fingerprint);
                }
                message.has_fingerprint = true;
            } else {
                if message.attributes.len() >= ATTRIBUTES {
                    return Err(ParseError::Many);
                }
                message.attributes.push(Attribute::parse(kind, value, message.transaction).ok_or(broken)?);
            }
            rest = after;
        }
        Ok(message)
    }

    /// Writes the message. Attributes that make it longer than a message can be are left out.
    pub fn encode(&self, out: &mut impl BufMut) {
        let mut bytes = BytesMut::with_capacity(self.encoded_len());
        self.write(&mut bytes);
        out.put_slice(&bytes);
    }

    /// The message as a datagram.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.encoded_len());
        self.write(&mut bytes);
        bytes.freeze()
    }

    /// How many bytes [`encode`](Self::encode) writes.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let attributes: usize = self.fitting().map(|(_, length)| length).sum();
        HEADER + attributes + if self.has_fingerprint { FINGERPRINT_LEN } else { 0 }
    }

    /// The address that the other side sees: XOR-MAPPED-ADDRESS, or else MAPPED-ADDRESS.
    #[must_use]
    pub fn mapped(&self) -> Option<SocketAddr> {
        let find = |of: fn(&Attribute) -> Option<SocketAddr>| self.attributes.iter().find_map(of);
        find(|attribute| match attribute {
            Attribute::XorMappedAddress(address) => Some(*address),
            _ => None,
        })
        .or_else(|| {
            find(|attribute| match attribute {
                Attribute::MappedAddress(address) => Some(*address),
                _ => None,
            })
        })
    }

    /// Why a request was refused.
    #[must_use]
    pub fn error(&self) -> Option<&ErrorCode> {
        self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::ErrorCode(error) => Some(error),
            _ => None,
        })
    }

    /// The types of attributes that must be understood and are not.
    pub fn unknown(&self) -> impl Iterator<Item = u16> {
        self.attributes.iter().filter(|attribute| attribute.is_unknown()).map(Attribute::kind)
    }

    fn write(&self, out: &mut BytesMut) {
        let begin = out.len();
        let class = match self.class {
            Class::Request => 0,
            Class::Indication => 0x010,
            Class::Success => 0x100,
            Class::Error => 0x110,
        };
        let method = self.method;
        out.put_u16(class | method & 0x0F | (method & 0x70) << 1 | (method & 0xF80) << 2);
        out.put_u16(u16::try_from(self.encoded_len() - HEADER).unwrap_or(u16::MAX));
        out.put_u32(MAGIC_COOKIE);
        out.put_slice(&self.transaction.0);
        for (attribute, _) in self.fitting() {
            attribute.encode(self.transaction, out);
        }
        if self.has_fingerprint {
            let value = fingerprint(out.get(begin..).unwrap_or_default());
            out.put_u16(FINGERPRINT);
            out.put_u16(4);
            out.put_u32(value);
        }
    }

    /// The attributes that a message has room for, with their lengths.
    fn fitting(&self) -> impl Iterator<Item = (&Attribute, usize)> {
        // The largest multiple of four that fits into the length field, less the FINGERPRINT.
        let mut room = usize::from(u16::MAX) - 3 - FINGERPRINT_LEN;
        self.attributes.iter().map_while(move |attribute| {
            let length = 4 + attribute.value_len().next_multiple_of(4);
            room = room.checked_sub(length)?;
            Some((attribute, length))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::BINDING;
    use super::*;

    /// RFC 5769 §2.1.
    const REQUEST: &str = "
        00010058 2112a442 b7e7a701 bc34d686 fa87dfae
        80220010 5354554e 20746573 7420636c 69656e74
        00240004 6e0001ff
        80290008 932ff9b1 51263b36
        00060009 6576746a 3a683676 59202020
        00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2
        80280004 e57a3bcf";

    /// RFC 5769 §2.2.
    const IPV4: &str = "
        0101003c 2112a442 b7e7a701 bc34d686 fa87dfae
        8022000b 74657374 20766563 746f7220
        00200008 0001a147 e112a643
        00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7
        80280004 c07d4c96";

    /// RFC 5769 §2.3.
    const IPV6: &str = "
        01010048 2112a442 b7e7a701 bc34d686 fa87dfae
        8022000b 74657374 20766563 746f7220
        00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9
        00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41
        80280004 c8fb0b4c";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    #[test]
    fn the_messages_of_rfc_5769_are_read_and_their_fingerprints_are_right() {
        let request = Message::parse(&bytes(REQUEST)).unwrap();
        assert_eq!((request.class, request.method), (Class::Request, BINDING));
        assert_eq!(request.attributes[0], Attribute::Software("STUN test client".into()));
        assert!(request.has_fingerprint);
        // PRIORITY is of ICE: a server of keep-alives does not know it.
        assert_eq!(request.unknown().collect::<Vec<_>>(), [0x0024]);
        for (hex, mapped) in [(IPV4, "192.0.2.1:32853"), (IPV6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")] {
            let response = Message::parse(&bytes(hex)).unwrap();
            assert_eq!((response.class, response.method), (Class::Success, BINDING));
            assert_eq!(response.attributes[0], Attribute::Software("test vector".into()));
            assert_eq!(response.mapped(), Some(mapped.parse().unwrap()));
            assert!(response.has_fingerprint);
        }
    }

    #[test]
    fn what_was_read_is_written_as_it_was_but_for_padding() {
        for hex in [REQUEST, IPV4, IPV6] {
            let mut original = bytes(hex);
            let message = Message::parse(&original).unwrap();
            let written = message.to_bytes();
            assert_eq!(written.len(), original.len());
            assert_eq!(Message::parse(&written).unwrap(), message);
            // Those of the RFC are padded with blanks, and we pad with zeros: the CRC at the end differs too.
            let end = original.len() - 4;
            original.truncate(end);
            let differing = original.iter().zip(&written).filter(|(a, b)| a != b);
            assert!(differing.clone().all(|(a, b)| (*a, *b) == (b' ', 0)));
            assert!(differing.count() <= 3);
        }
    }

    #[test]
    fn a_changed_bit_anywhere_breaks_the_fingerprint() {
        let original = bytes(IPV4);
        for place in 0..original.len() * 8 {
            let mut changed = original.clone();
            changed[place / 8] ^= 1 << (place % 8);
            // One in a length may hide the fingerprint, but none leaves it right.
            assert!(!Message::parse(&changed).is_ok_and(|message| message.has_fingerprint), "bit {place}");
        }
    }

    #[test]
    fn what_is_cut_or_lies_about_its_length_is_refused() {
        let original = bytes(REQUEST);
        for length in 0..original.len() {
            assert!(Message::parse(&original[..length]).is_err());
        }
        let mut longer = original.clone();
        longer.extend([0; 4]);
        assert_eq!(Message::parse(&longer), Err(ParseError::Length));
        let plain = Message::new(Class::Request, BINDING, TransactionId([1; 12]));
        // An attribute that says it is longer than the message.
        let mut lying = plain.clone().with(Attribute::Software("abcd".into())).to_bytes().to_vec();
        lying[23] = 5;
        assert_eq!(Message::parse(&lying), Err(ParseError::Attribute { kind: 0x8022, offset: 20 }));
        // Attributes of the wrong form.
        for (kind, value) in [
            (0x0020, &[0, 1, 2, 3][..]),
            (0x0020, &[0, 3, 0, 0, 1, 2, 3, 4]),
            (0x0001, &[0, 2, 0, 0, 1, 2, 3, 4]),
            (0x0009, &[0, 0, 4]),
            (0x0009, &[0, 0, 7, 0]),
            (0x0009, &[0, 0, 4, 100]),
            (0x000A, &[1, 2, 3]),
        ] {
            let value = Bytes::copy_from_slice(value);
            let message = plain.clone().with(Attribute::Other { kind, value }).to_bytes();
            assert_eq!(Message::parse(&message), Err(ParseError::Attribute { kind, offset: 20 }));
        }
    }

    #[test]
    fn nothing_may_follow_the_fingerprint_and_attributes_are_counted() {
        let mut message = Message::new(Class::Request, BINDING, TransactionId([1; 12]));
        message.has_fingerprint = true;
        let mut signed = message.to_bytes().to_vec();
        assert_eq!(Message::parse(&signed), Ok(message.clone()));
        signed.extend([0x80, 0x22, 0, 0]);
        signed[3] += 4;
        assert_eq!(Message::parse(&signed), Err(ParseError::Fingerprint));
        message.attributes = vec![Attribute::Software(Bytes::new()); 65];
        assert_eq!(Message::parse(&message.to_bytes()), Err(ParseError::Many));
    }

    #[test]
    fn a_message_that_has_no_room_leaves_attributes_out() {
        let large = Attribute::Software(Bytes::from(vec![0; 40_000]));
        let mut message = Message::new(Class::Request, BINDING, TransactionId([1; 12])).with(large.clone()).with(large);
        message.has_fingerprint = true;
        let written = message.to_bytes();
        assert_eq!(written.len(), message.encoded_len());
        assert_eq!(Message::parse(&written).unwrap().attributes.len(), 1);
    }

    fn attribute() -> impl Strategy<Value = Attribute> {
        let address = any::<(bool, u128, u16)>().prop_map(|(is_v4, ip, port)| match is_v4 {
            true => SocketAddr::from(((ip as u32).to_be_bytes(), port)),
            false => SocketAddr::from((ip.to_be_bytes(), port)),
        });
        let value = || prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
        prop_oneof![
            address.clone().prop_map(Attribute::MappedAddress),
            address.prop_map(Attribute::XorMappedAddress),
            (300_u16..700, value()).prop_map(|(code, reason)| Attribute::ErrorCode(ErrorCode { code, reason })),
            prop::collection::vec(any::<u16>(), 0..9).prop_map(Attribute::UnknownAttributes),
            value().prop_map(Attribute::Software),
            (0x8100_u16.., value()).prop_map(|(kind, value)| Attribute::Other { kind, value }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            class in prop_oneof![Just(Class::Request), Just(Class::Indication), Just(Class::Success), Just(Class::Error)],
            method in 0_u16..0x1000,
            transaction in any::<[u8; 12]>(),
            attributes in prop::collection::vec(attribute(), 0..9),
            has_fingerprint in any::<bool>(),
        ) {
            let message =
                Message { class, method, transaction: TransactionId(transaction), attributes, has_fingerprint };
            let written = message.to_bytes();
            prop_assert_eq!(written.len(), message.encoded_len());
            prop_assert_eq!(Message::parse(&written), Ok(message));
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if bytes.len() > 8 {
                let length = (bytes.len() as u16).saturating_sub(20);
                bytes[..2].copy_from_slice(&[0, 1]);
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
                bytes[4..8].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
            }
            if let Ok(message) = Message::parse(&bytes) {
                prop_assert_eq!(Message::parse(&message.to_bytes()), Ok(message));
            }
        }
    }
}
