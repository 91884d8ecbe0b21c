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
        let hash = |bytes: &[u8]| self.transaction.hash(bytes);
        let mut input = Input::new();
        input.put(names.via.branch, hash);
        input.put_place(&names.via.via.sent_by, hash);
        if !names.via.is_magic {
            input.write(names.call.to_bytes());
            input.put(names.from_tag, hash);
            input.write(names.sequence.to_le_bytes());
        }
        hash(input.written())
    }

    /// The second half: Request-URI, the Route that is left, Call-ID, From tag and CSeq number. Neither method nor To tag, in which CANCEL and
    /// ACK differ from their INVITE, nor credentials, which CANCEL may lack.
    #[inline]
    pub(super) fn way(&self, names: Names<'_, '_>, uri: &[u8], route: &[u8]) -> u64 {
        let hash = |bytes: &[u8]| self.way.hash(bytes);
        let mut input = Input::new();
        input.put(uri, hash);
        input.put(route, hash);
        input.write(names.call.to_bytes());
        input.put(names.from_tag, hash);
        input.write(names.sequence.to_le_bytes());
        hash(input.written())
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
        let mut input = Input::new();
        match remote.ip() {
            IpAddr::V4(ip) => input.write(ip.octets()),
            IpAddr::V6(ip) => input.write(ip.octets()),
        }
        input.write(remote.port().to_le_bytes());
        input.write(connection.unwrap_or(u64::MAX).to_le_bytes());
        input.write(transaction.to_le_bytes());
        self.connection.hash(input.written())
    }
}

/// What is hashed, in one piece: hashing many small pieces takes several times as long.
struct Input {
    bytes: [u8; Input::SIZE],
    length: usize,
}

impl Input {
    const SIZE: usize = 256;

    #[inline(always)]
    const fn new() -> Self {
        Self { bytes: [0; Self::SIZE], length: 0 }
    }

    /// Adds a few bytes, always as many in the same place of an input.
    #[inline(always)]
    fn write<const LENGTH: usize>(&mut self, bytes: [u8; LENGTH]) {
        if let Some(place) = self.bytes.get_mut(self.length..self.length + LENGTH) {
            place.copy_from_slice(&bytes);
            self.length += LENGTH;
        }
    }

    /// Adds bytes with their length in front, so that no two lists of them are alike; of many, what `hash` makes of them.
    #[inline]
    fn put(&mut self, bytes: &[u8], hash: impl Fn(&[u8]) -> u64) {
        self.write((bytes.len() as u32).to_le_bytes());
        if bytes.len() > LONG {
            self.write(hash(bytes).to_le_bytes());
        } else if let Some(place) = self.bytes.get_mut(self.length..self.length + bytes.len()) {
            place.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    fn put_place(&mut self, place: &HostPort<'_>, hash: impl Fn(&[u8]) -> u64) {
        match &place.host {
            Host::Name(name) => self.put(name, hash),
            Host::V4(address) => self.put(&address.octets(), hash),
            Host::V6(address) => self.put(&address.octets(), hash),
        }
        self.write(place.port.unwrap_or(0).to_le_bytes());
    }

    fn written(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// How many bytes of one kind an [`Input`] takes as they are: three of them and what stands between fit.
const LONG: usize = 64;

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

/// The digits of both halves of a branch that may be ours: their numbers are compared as they are written.
pub(super) fn read(branch: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = branch.strip_prefix(Via::MAGIC_COOKIE)?;
    let (first, rest) = digits.split_at_checked(16)?;
    let second = rest.strip_prefix(b".")?;
    (second.len() == 16).then_some((first, second))
}

/// Whether these are the digits of a number; it takes as long whichever of them is wrong.
#[inline]
pub(super) fn is(written: &[u8], number: u64) -> bool {
    let written = written.try_into().map(u128::from_ne_bytes);
    written.is_ok_and(|written| written == u128::from_ne_bytes(digits(number)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip_core::view::HeaderView;

    #[test]
    fn a_branch_is_of_all_that_it_is_made_of_however_long() {
        let branches = Branches::new(&Secret::from_seed([1; 32]));
        let of = |branch: &str, host: &str, tag: &str, uri: &str| {
            let text = format!("SIP/2.0/UDP {host};branch={branch}");
            let via = Hopped::read(HeaderView::parse(text.as_bytes()).unwrap());
            let names = Names { via: &via, call: CallKey::from_bytes([3; 16]), from_tag: tag.as_bytes(), sequence: 7 };
            (branches.transaction(names), branches.way(names, uri.as_bytes(), b"<sip:route>"))
        };
        let (branch, host, tag, uri) = ("b".repeat(200), "h".repeat(200), "t".repeat(200), "u".repeat(200));
        let shorter = |text: &str| text.chars().skip(1).collect::<String>();
        let all = of(&branch, &host, &tag, &uri);
        assert_eq!(of(&branch, &host, &tag, &uri), all);
        assert_ne!(of(&shorter(&branch), &host, &tag, &uri).0, all.0);
        assert_ne!(of(&branch, &shorter(&host), &tag, &uri).0, all.0);
        let other = of(&branch, &host, &shorter(&tag), &uri);
        assert!(other.0 != all.0 && other.1 != all.1);
        assert_ne!(of(&branch, &host, &tag, &shorter(&uri)).1, all.1);
        // What moves from one to the next is not the same either.
        assert_ne!(of("ab", "c", "t", "u").0, of("a", "bc", "t", "u").0);
    }

    #[test]
    fn hexadecimal_digits_are_those_of_the_library_and_read_back() {
        let mut number = 1_u64;
        for _ in 0..1_000 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut written = Vec::new();
            put_hex(number, &mut written);
            assert_eq!(written, format!("{number:016x}").into_bytes());
            assert!(is(&written, number) && !is(&written, number ^ 1));
            assert_eq!(hex(&written), Some(number));
            assert_eq!(hex(&written.to_ascii_uppercase()), Some(number));
        }
        for wrong in ["", "0", "000000000000000g", "00000000000000000", "000000000000000 "] {
            assert_eq!(hex(wrong.as_bytes()), None, "{wrong:?}");
        }
    }
}
