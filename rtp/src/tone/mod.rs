//! Tones: a generator of sine waves at a level, and a detector that measures one.
//!
//! Levels are dBm0 as G.711 defines them: its loudest mu-law sine wave is +3.17 dBm0, so that the milliwatt (0 dBm0) has an
//! amplitude of about 22,650 of 32,768.

mod detector;
mod generator;

pub use detector::{Detector, level};
pub use generator::Tone;

/// Amplitude of a sine wave of 0 dBm0: that of the ITU's digital milliwatt sequence (G.711 table 5).
pub(crate) const MILLIWATT: f64 = 22_652.0;

/// The frequency of the North American milliwatt test tone: not a divisor of the sampling rate, so that many codes are used.
pub const MILLIWATT_HERTZ: f64 = 1_004.0;
