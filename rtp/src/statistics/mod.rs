//! What a receiver can say of a stream: loss, disorder and jitter (RFC 3550 §6.4.1, appendices A.1, A.3 and A.8).

mod jitter;
mod reception;
mod sequence;

pub use jitter::Jitter;
pub use reception::{Reception, Report};
pub use sequence::{MAX_DROPOUT, MAX_MISORDER, MIN_SEQUENTIAL, Sequence, Validity};
