//! What other parsers make of the same bytes, and small changes to bytes.

pub mod description;
pub mod message;
pub mod quiet;
pub mod rsipstack;

/// A generator of numbers that is the same in every run (Marsaglia's xorshift).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    /// Up to three bytes changed, put in or taken out.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>) {
        const WITH: &[u8] = b"\r\n \t:;,<>\"@.a0=-\x7fZ/";
        for _ in 0..1 + self.below(3) {
            let (at, with) = (self.below(bytes.len()), WITH[self.below(WITH.len())]);
            match self.below(3) {
                0 => bytes[at] = with,
                1 => bytes.insert(at, with),
                _ => drop(bytes.remove(at)),
            }
        }
    }
}
