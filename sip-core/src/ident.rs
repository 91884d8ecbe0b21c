//! Identifiers that must be unlike all others, from a generator that the caller brings.

use bytes::Bytes;
use rand_core::RngCore;

/// What every branch of RFC 3261 begins with (§8.1.1.7).
pub const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// Digits of base 32, all of them legal in a token and a word.
const DIGITS: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";

/// A Via branch: the magic cookie and 80 random bits (RFC 3261 §8.1.1.7).
#[must_use]
pub fn branch(random: &mut impl RngCore) -> Bytes {
    let mut out = MAGIC_COOKIE.to_vec();
    out.extend(digits::<16>(random));
    out.into()
}

/// A From or To tag: 80 random bits, more than the 32 of RFC 3261 §19.3.
#[must_use]
pub fn tag(random: &mut impl RngCore) -> Bytes {
    Bytes::copy_from_slice(&digits::<16>(random))
}

/// A Call-ID without a host part: 120 random bits (RFC 3261 §8.1.1.4).
#[must_use]
pub fn call_id(random: &mut impl RngCore) -> Bytes {
    Bytes::copy_from_slice(&digits::<24>(random))
}

/// Random digits, five bits each.
fn digits<const N: usize>(random: &mut impl RngCore) -> [u8; N] {
    let mut out = [0; N];
    random.fill_bytes(&mut out);
    for byte in &mut out {
        *byte = DIGITS.get(usize::from(*byte & 31)).copied().unwrap_or(b'a');
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::header::is_token;

    #[test]
    fn identifiers_are_tokens_of_their_own_and_come_again_from_the_same_seed() {
        let make = || {
            let mut random = ChaCha8Rng::from_seed([7; 32]);
            (0..1000).flat_map(|_| [branch(&mut random), tag(&mut random), call_id(&mut random)]).collect::<Vec<_>>()
        };
        let made = make();
        assert!(made.iter().all(|identifier| is_token(identifier)));
        assert!(made.iter().step_by(3).all(|branch| branch.starts_with(MAGIC_COOKIE) && branch.len() == 23));
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
        assert_eq!(made, make());
    }
}
