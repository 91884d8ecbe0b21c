//! Branches: the same for a request and all that belongs to its transaction, different for all others.
//!
//! `z9hG4bK`, 16 hexadecimal digits of a keyed hash over what names the transaction below us, a dot, and 16 of one over what decides
//! where the request goes. A response is ours only if the first half is that of the Via below ours. The parameter `i` of our Via proves that this
//! Via names the address, and itself the connection, that the request came from.

use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};

use sip_core::header::Via;
use sip_core::view::{Host, HostPort};
use siphasher::sip::{SipHasher13, SipHasher24};
use smallvec::SmallVec;

use super::place::Hopped;
use crate::dispatcher::{CallKey, Secret};

/// What a branch is made from that stands in the request and in its responses alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a, 'b> {
    pub(super) via: &'b Hopped<'a>,
    /// Of the Call-ID.
    pub(super) call: CallKey,
    pub(super) from_tag: &'a [u8],
    pub(super) sequence: u32,
}

/// Makes branches.
#[derive(Clone)]
pub(super) struct Branches {
    transaction: SipHasher24,
    /// Nobody gains by forging this half.
    way: SipHasher13,
    connection: SipHasher24,
}

impl std::fmt::Debug for Branches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Branches(…)")
    }
}

impl Branches {
    pub(super) fn new(secret: &Secret) -> Self {
        let hasher = |purpose| SipHasher24::new_with_key(&secret.derive_short(purpose));
        let way = SipHasher13::new_with_key(&secret.derive_short("way"));
        Self { transaction: hasher("branch"), way, connection: hasher("connection") }
    }

    /// The first half: the branch of the Via below and its sent-by; for those of RFC 2543, whose branches name nothing, also what else
    /// names a transaction.
    #[inline]
    pub(super) fn transaction(&self, names: Names<'_, '_>) -> u64 {
        let mut input = Input::default();
        input.put(names.via.branch);
        input.put_place(&names.via.via.sent_by);
        if !names.via.is_magic {
            input.write(&names.call.to_bytes());
            input.put(names.from_tag);
            input.write(&names.sequence.to_le_bytes());
        }
        input.hash(|bytes| self.transaction.hash(bytes))
    }

    /// The second half: Request-URI, the Route that is left, Call-ID, From tag and CSeq number. Neither method nor To tag, in which CANCEL and
    /// ACK differ from their INVITE, nor credentials, which CANCEL may lack.
    #[inline]
    pub(super) fn way(&self, names: Names<'_, '_>, uri: &[u8], route: &[u8]) -> u64 {
        let mut input = Input::default();
        input.put(uri);
        input.put(route);
        input.write(&names.call.to_bytes());
        input.put(names.from_tag);
        input.write(&names.sequence.to_le_bytes());
        input.hash(|bytes| self.way.hash(bytes))
    }

    /// What proves that a probe's number was written by us.
    pub(super) fn probe(&self, number: u64, purpose: u64) -> u64 {
        let mut hasher = self.connection;
        hasher.write(&number.to_le_bytes());
        hasher.write(&purpose.to_le_bytes());
        hasher.finish()
    }

    /// What proves that the way back is the one that the request came.
    #[inline]
    pub(super) fn back(&self, remote: SocketAddr, connection: Option<u64>, transaction: u64) -> u64 {
        let mut input = Input::default();
        match remote.ip() {
            IpAddr::V4(ip) => input.put(&ip.octets()),
            IpAddr::V6(ip) => input.put(&ip.octets()),
        }
        input.write(&remote.port().to_le_bytes());
        input.write(&connection.unwrap_or(u64::MAX).to_le_bytes());
        input.write(&transaction.to_le_bytes());
        input.hash(|bytes| self.connection.hash(bytes))
    }
}

/// What is hashed, in one piece: hashing many small pieces takes several times as long.
#[derive(Default)]
struct Input(SmallVec<[u8; 256]>);

impl Input {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Bytes with their length in front, so that no two lists of them are alike.
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.write(&(bytes.len() as u32).to_le_bytes());
        self.write(bytes);
    }

    fn put_place(&mut self, place: &HostPort<'_>) {
        match &place.host {
            Host::Name(name) => self.put(name),
            Host::V4(address) => self.put(&address.octets()),
            Host::V6(address) => self.put(&address.octets()),
        }
        self.write(&place.port.unwrap_or(0).to_le_bytes());
    }

    #[inline]
    fn hash(&self, hash: impl FnOnce(&[u8]) -> u64) -> u64 {
        hash(&self.0)
    }
}

/// Writes 16 hexadecimal digits.
#[inline]
pub(super) fn put_hex(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&digits(number));
}

/// All 16 digits at once: each half's nibbles are spread over the bytes of a word, and to those above 9 what lies between `9` and `a` is added.
fn digits(number: u64) -> [u8; 16] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let spread = |half: u64| {
        let half = (half | half << 16) & 0x0000_FFFF_0000_FFFF;
        let half = (half | half << 8) & 0x00FF_00FF_00FF_00FF;
        let nibbles = (half | half << 4) & 0x0F0F_0F0F_0F0F_0F0F;
        let letters = ((nibbles + ONES * 6) >> 4) & ONES;
        (nibbles + ONES * u64::from(b'0') + letters * u64::from(b'a' - b'9' - 1)).to_be_bytes()
    };
    let (high, low) = (spread(number >> 32), spread(number & 0xFFFF_FFFF));
    let mut digits = [0; 16];
    let (first, second) = digits.split_at_mut(8);
    first.copy_from_slice(&high);
    second.copy_from_slice(&low);
    digits
}

/// Reads 16 hexadecimal digits.
#[inline]
pub(super) fn hex(digits: &[u8]) -> Option<u64> {
    let digits: &[u8; 16] = digits.try_into().ok()?;
    let mut number = 0_u64;
    let mut wrong = false;
    for digit in digits {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            b'A'..=b'F' => digit - b'A' + 10,
            _ => {
                wrong = true;
                0
            }
        };
        number = number << 4 | u64::from(value);
    }
    (!wrong).then_some(number)
}

/// Reads our branch: both halves.
pub(super) fn read(branch: &[u8]) -> Option<(u64, u64)> {
    let digits = branch.strip_prefix(Via::MAGIC_COOKIE)?;
    let (first, rest) = digits.split_at_checked(16)?;
    Some((hex(first)?, hex(rest.strip_prefix(b".")?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_those_of_the_library_and_read_back() {
        let mut number = 1_u64;
        for _ in 0..1_000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut written = Vec::new();
            put_hex(number, &mut written);
            assert_eq!(written, format!("{number:016x}").into_bytes());
            assert_eq!(hex(&written), Some(number));
            assert_eq!(hex(&written.to_ascii_uppercase()), Some(number));
        }
        for wrong in ["", "0", "000000000000000g", "00000000000000000", "000000000000000 "] {
            assert_eq!(hex(wrong.as_bytes()), None, "{wrong:?}");
        }
    }
}
