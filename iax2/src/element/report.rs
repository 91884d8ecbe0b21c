//! RR LOSS (RFC 5456 §8.6.37).

/// Share and count of lost frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Loss(pub u32);

impl Loss {
    /// Loss of so many percent and so many frames (24 bits; more is cut).
    pub const fn new(percent: u8, lost: u32) -> Self {
        Self((percent as u32) << 24 | if lost > 0xff_ffff { 0xff_ffff } else { lost })
    }

    /// Percent.
    pub const fn percent(self) -> u8 {
        (self.0 >> 24) as u8
    }

    /// Frames.
    pub const fn lost(self) -> u32 {
        self.0 & 0xff_ffff
    }
}
