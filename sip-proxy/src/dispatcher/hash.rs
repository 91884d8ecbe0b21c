//! Weighted rendezvous hashing: every key has its own order of the destinations, the same on every machine.
//!
//! With a key `K` of 16 bytes and SipHash-2-4 of 64 bits (little-endian input, as its authors define it):
//!
//! ```text
//! point of a key     k = SipHash(K, the key's bytes, for example those of the Call-ID)
//! tag of a name      d = SipHash(K, the destination's name in UTF-8)
//! draw               h = SipHash(K, k as 8 bytes little-endian, then d as 8 bytes little-endian)
//! uniform number     u = (floor(h / 2^12) + 1/2) / 2^52, strictly between 0 and 1
//! score              s = weight / -ln u
//! ```
//!
//! The highest score wins; of equal ones the higher tag. A destination's score depends on nothing but the key and itself, so a
//! destination that goes takes only its own keys along, and one that comes takes from each other only what is its share.
//!
//! For example, with `K` = 00 01 … 0f, weight 100 and the Call-ID `a84b4c76e66710@pc33.atlanta.example.com`:
//!
//! | name | score | its bits |
//! |---|---|---|
//! | `a` | 57.864 175 910 963 475 | `404cee9d50f5ca21` |
//! | `b` | 38.410 930 581 779 27 | `404334995f90d588` |
//! | `node-1.example.com` | 54.881 547 237 331 73 | `404b70d68a351c07` |
//!
//! The logarithm is made of IEEE 754 additions, multiplications and divisions alone, which round alike everywhere; that of
//! a machine's library may differ in the last bit.

use siphasher::sip::SipHasher24;

/// Computes points and scores under one key.
#[derive(Clone)]
pub struct Rendezvous {
    hasher: SipHasher24,
}

impl std::fmt::Debug for Rendezvous {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rendezvous(…)")
    }
}

impl Rendezvous {
    /// Hashing under this key.
    #[must_use]
    pub fn new(key: [u8; 16]) -> Self {
        Self { hasher: SipHasher24::new_with_key(&key) }
    }

    /// The point of a key, or the tag of a destination's name.
    #[must_use]
    pub fn point(&self, bytes: &[u8]) -> u64 {
        self.hasher.hash(bytes)
    }

    /// The score of the destination with this tag and weight for the key with this point. A weight of 0 scores 0.
    #[must_use]
    pub fn score(&self, point: u64, tag: u64, weight: u32) -> f64 {
        let mut input = [0; 16];
        let (first, second) = input.split_at_mut(8);
        first.copy_from_slice(&point.to_le_bytes());
        second.copy_from_slice(&tag.to_le_bytes());
        let draw = self.hasher.hash(&input);
        f64::from(weight) / -ln(uniform(draw))
    }
}

/// A number strictly between 0 and 1.
fn uniform(draw: u64) -> f64 {
    // One bit less than fits, so that the half is not rounded away.
    ((draw >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

/// The natural logarithm of a positive normal number, the same in every bit everywhere: `e · ln 2 + 2 · atanh s` with
/// `s = (m - 1) / (m + 1)` and `m` between √½ and √2.
fn ln(number: f64) -> f64 {
    const FRACTION: u64 = (1 << 52) - 1;
    let bits = number.to_bits();
    let mut exponent = (bits >> 52) as i32 - 1023;
    let mut mantissa = f64::from_bits(bits & FRACTION | 1023 << 52);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut sum = 0.0;
    let coefficients =
        [1.0 / 21.0, 1.0 / 19.0, 1.0 / 17.0, 1.0 / 15.0, 1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 0.2, 1.0 / 3.0];
    for coefficient in coefficients {
        sum = (sum + coefficient) * square;
    }
    f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * (s + s * sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    #[test]
    fn the_points_are_those_of_the_authors_of_siphash() {
        // The vectors of the reference implementation: inputs of 0, 1, 8 and 15 bytes counting up.
        let rendezvous = Rendezvous::new(KEY);
        let input: Vec<u8> = (0..15).collect();
        assert_eq!(rendezvous.point(&[]), 0x726f_db47_dd0e_0e31);
        assert_eq!(rendezvous.point(&input[..1]), 0x74f8_39c5_93dc_67fd);
        assert_eq!(rendezvous.point(&input[..8]), 0x93f5_f579_9a93_2462);
        assert_eq!(rendezvous.point(&input), 0xa129_ca61_49be_45e5);
    }

    #[test]
    fn bytes_above_127_are_unsigned() {
        let rendezvous = Rendezvous::new(KEY);
        let points = [&[0x7f_u8][..], &[0x80], &[0xff], "ü".as_bytes()].map(|bytes| rendezvous.point(bytes));
        assert_eq!(
            points,
            [0x3d80_d6f4_e646_ec55, 0x11f4_9ee8_95ee_6ece, 0xcad1_2f7b_27dd_b802, 0xb248_a29c_489a_574f]
        );
    }

    #[test]
    fn the_scores_of_the_documentation_come_out_bit_by_bit() {
        let rendezvous = Rendezvous::new(KEY);
        let point = rendezvous.point(b"a84b4c76e66710@pc33.atlanta.example.com");
        let scores = ["a", "b", "node-1.example.com"].map(|name| {
            let tag = rendezvous.point(name.as_bytes());
            rendezvous.score(point, tag, 100).to_bits()
        });
        assert_eq!(scores, [0x404c_ee9d_50f5_ca21, 0x4043_3499_5f90_d588, 0x404b_70d6_8a35_1c07]);
    }

    #[test]
    fn the_logarithm_is_that_of_the_library_to_the_last_bits() {
        let mut number = 0.5_f64;
        for step in 0..20_000_u64 {
            let expected = number.ln();
            let error = (ln(number) - expected).abs();
            assert!(error <= expected.abs() * 4e-16 + 1e-18, "ln {number} = {expected}, off by {error}");
            number = uniform(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        assert!(ln(uniform(0)).is_finite() && ln(uniform(u64::MAX)) < 0.0);
    }

    #[test]
    fn a_weight_of_nothing_scores_nothing() {
        assert!(Rendezvous::new(KEY).score(1, 2, 0) == 0.0);
    }
}
