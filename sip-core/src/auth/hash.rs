//! One hasher over the three hash functions, and its result in hexadecimal.

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};
use subtle::ConstantTimeEq;

use super::Algorithm;

/// Pieces up to this many bytes together are put together on the stack and hashed in one go, which is faster than feeding
/// them one by one.
const TOGETHER: usize = 320;

/// Where they are put together: one serves all hashes of a response.
pub(crate) struct Scratch([u8; TOGETHER]);

impl Scratch {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self([0; TOGETHER])
    }
}

/// What is hashed: bytes, or a hash in hexadecimal.
#[derive(Clone, Copy)]
pub(crate) enum Piece<'a> {
    Bytes(&'a [u8]),
    Hex(&'a Hex),
}

impl<'a> Piece<'a> {
    #[inline]
    fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Hex(hex) => hex.as_bytes(),
        }
    }
}

/// Hashes one piece, or pieces joined by colons: `H(concat(a, ":", b, …))`.
pub(crate) fn hash_joined(algorithm: Algorithm, pieces: &[&[u8]]) -> Hash {
    count_one();
    let (scratch, pieces) = (&mut Scratch::new(), pieces.iter().copied().map(Piece::Bytes));
    match algorithm.base() {
        Algorithm::Sha256 => joined::<Sha256>(scratch, pieces),
        Algorithm::Sha512_256 => joined::<Sha512_256>(scratch, pieces),
        _ => joined::<Md5>(scratch, pieces),
    }
}

/// The same of a number of pieces that is known when this is compiled.
#[inline]
pub(crate) fn hash_pieces<D: Digest, const N: usize>(scratch: &mut Scratch, pieces: [Piece<'_>; N]) -> Hash {
    count_one();
    joined::<D>(scratch, pieces.into_iter())
}

#[inline]
fn joined<'a, D: Digest>(scratch: &mut Scratch, pieces: impl Iterator<Item = Piece<'a>> + Clone) -> Hash {
    if let Some(text) = join(&mut scratch.0, pieces.clone()) {
        return Hash::new(&D::digest(text));
    }
    let mut hash = D::new();
    for (index, piece) in pieces.enumerate() {
        if index > 0 {
            hash.update(b":");
        }
        hash.update(piece.as_bytes());
    }
    Hash::new(&hash.finalize())
}

/// Joins pieces by colons. `None` when they do not fit.
#[inline]
fn join<'a, 'p>(buffer: &'a mut [u8; TOGETHER], pieces: impl Iterator<Item = Piece<'p>>) -> Option<&'a [u8]> {
    let mut at = 0;
    for (index, piece) in pieces.enumerate() {
        if index > 0 {
            *buffer.get_mut(at)? = b':';
            at += 1;
        }
        match piece {
            // All 64 digits: moves of a known length, and what is too much is written over.
            Piece::Hex(hex) => {
                *buffer.get_mut(at..)?.first_chunk_mut()? = hex.digits;
                at += usize::from(hex.len);
            }
            Piece::Bytes(bytes) => {
                buffer.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
                at += bytes.len();
            }
        }
    }
    buffer.get(..at)
}

#[cfg(test)]
fn count_one() {
    COUNT.with(|count| count.set(count.get() + 1));
}

#[cfg(not(test))]
#[inline]
const fn count_one() {}

#[cfg(test)]
thread_local! {
    static COUNT: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

/// How many hashes this thread has started.
#[cfg(test)]
pub(crate) fn count() -> usize {
    COUNT.with(core::cell::Cell::get)
}

/// The result of a hash: 16 or 32 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Hash {
    bytes: [u8; 32],
    len: u8,
}

impl Hash {
    #[inline]
    fn new(output: &[u8]) -> Self {
        let mut bytes = [0; 32];
        let len = output.len().min(32);
        if let (Some(to), Some(from)) = (bytes.get_mut(..len), output.get(..len)) {
            to.copy_from_slice(from);
        }
        Self { bytes, len: len as u8 }
    }

    /// Reads hexadecimal of either case. `None` unless it is as long as the algorithm's hash.
    pub(crate) fn from_hex(algorithm: Algorithm, hex: &[u8]) -> Option<Self> {
        let len = algorithm.output_len();
        if hex.len() != len * 2 {
            return None;
        }
        let mut bytes = [0; 32];
        for (to, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *to = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self { bytes, len: len as u8 })
    }

    /// The bytes.
    #[cfg(test)]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Lower-case hexadecimal, which is what digests hash and send.
    pub(crate) fn hex(&self) -> Hex {
        let mut digits = [0; 64];
        let (pairs, _) = digits.as_chunks_mut::<2>();
        // Always all 32 bytes: the compiler makes wide operations of it.
        for (pair, byte) in pairs.iter_mut().zip(self.bytes) {
            *pair = [lower_digit(byte >> 4), lower_digit(byte & 15)];
        }
        if let Some(beyond) = digits.get_mut(usize::from(self.len) * 2..) {
            beyond.fill(0);
        }
        Hex { digits, len: self.len * 2 }
    }

    /// Compares without telling by its time where the difference is.
    #[cfg(test)]
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

/// The digit of a value below 16.
const fn lower_digit(value: u8) -> u8 {
    value + b'0' + (value > 9) as u8 * (b'a' - b'9' - 1)
}

/// The value of one hexadecimal digit.
pub(crate) fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// A hash in hexadecimal, without an allocation.
#[derive(Clone, Copy)]
pub(crate) struct Hex {
    digits: [u8; 64],
    len: u8,
}

impl Hex {
    /// Whether a peer wrote the same number, in digits of either case. The time does not tell where a difference is.
    pub(crate) fn matches(&self, given: &[u8]) -> bool {
        let own = self.as_bytes();
        if given.len() != own.len() {
            return false;
        }
        // Digits have the bit of lower case, and letters get it.
        let mut lower = [0; 64];
        let mut are_digits = true;
        for (to, from) in lower.iter_mut().zip(given) {
            *to = from | 0x20;
            are_digits &= from.is_ascii_hexdigit();
        }
        // Eight bytes at a time, all of them; what is past the end is zero on both sides.
        let (lower, _) = lower.as_chunks::<8>();
        let (own, _) = self.digits.as_chunks::<8>();
        let difference = lower
            .iter()
            .zip(own)
            .fold(0, |difference, (given, own)| difference | (u64::from_ne_bytes(*given) ^ u64::from_ne_bytes(*own)));
        let is_same = difference.ct_eq(&0);
        bool::from(is_same) & are_digits
    }

    /// The digits.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.digits.get(..usize::from(self.len)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(algorithm: Algorithm, input: &[u8]) -> String {
        String::from_utf8(hash_joined(algorithm, &[input]).hex().as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn the_hash_functions_are_those_of_their_standards() {
        // RFC 1321 §A.5; FIPS 180-4 examples.
        assert_eq!(hex(Algorithm::Md5, b"abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hex(Algorithm::Sha256, b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(
            hex(Algorithm::Sha512_256, b"abc"),
            "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
        );
    }

    #[test]
    fn pieces_are_joined_by_colons() {
        let joined = hash_joined(Algorithm::Md5, &[b"a", b"b", b""]);
        let plain = hash_joined(Algorithm::Md5, &[b"a:b:"]);
        assert!(joined.same_as(&plain));
    }

    #[test]
    fn long_texts_hash_the_same_as_short_ones() {
        for len in [0, 1, 317, 318, 319, 320, 321, 2_000] {
            let text = vec![b'x'; len];
            let plain = [b"a:", &text[..]].concat();
            assert!(hash_joined(Algorithm::Md5, &[b"a", &text]).same_as(&Hash::new(&Md5::digest(&plain))), "{len}");
        }
    }

    #[test]
    fn a_number_matches_in_either_case_and_nothing_else_does() {
        let hex = hash_joined(Algorithm::Md5, &[b"abc"]).hex();
        assert!(hex.matches(b"900150983cd24fb0d6963f7d28e17f72"));
        assert!(hex.matches(b"900150983CD24FB0D6963F7D28E17F72"));
        assert!(!hex.matches(b"900150983cd24fb0d6963f7d28e17f73"));
        assert!(!hex.matches(b"900150983cd24fb0d6963f7d28e17f7"));
        // With the bit of lower case this byte would be the right digit.
        assert!(!hex.matches(b"900150983cd24fb0d6963f7d28e17f7\x12"));
    }

    #[test]
    fn hexadecimal_is_read_in_both_cases_and_only_at_full_length() {
        let hash = hash_joined(Algorithm::Sha256, &[b"x"]);
        let lower = hash.hex();
        let upper = lower.as_bytes().to_ascii_uppercase();
        assert!(Hash::from_hex(Algorithm::Sha256, &upper).unwrap().same_as(&hash));
        assert!(Hash::from_hex(Algorithm::Md5, &upper).is_none());
        assert!(Hash::from_hex(Algorithm::Sha256, &upper[..63]).is_none());
        let mut wrong = upper.clone();
        wrong[5] = b'g';
        assert!(Hash::from_hex(Algorithm::Sha256, &wrong).is_none());
    }
}
