//! A generator of sine waves.

use super::{MILLIWATT, MILLIWATT_HERTZ};
use crate::g711::Law;
use bytes::BufMut;
use std::f64::consts::TAU;

/// A sine wave that goes on as long as it is asked to.
///
/// ```
/// use rtp::tone::{Detector, Tone};
///
/// let samples: Vec<i16> = Tone::milliwatt(8_000).take(8_000).collect();
/// let heard = Detector::new(1_004.0, 8_000).measure(&samples);
/// assert!(heard.abs() < 0.05, "{heard} dBm0");
/// ```
#[derive(Debug, Clone)]
pub struct Tone {
    amplitude: f64,
    phase: f64,
    step: f64,
}

impl Tone {
    /// A sine wave of a frequency in hertz and a level in dBm0, for so many samples a second.
    ///
    /// A level above +3.17 dBm0 is more than samples can hold and is clipped.
    pub fn new(hertz: f64, dbm0: f64, rate: u32) -> Self {
        Self { amplitude: MILLIWATT * 10f64.powf(dbm0 / 20.0), phase: 0.0, step: TAU * hertz / f64::from(rate.max(1)) }
    }

    /// 1,004 Hz at 0 dBm0.
    pub fn milliwatt(rate: u32) -> Self {
        Self::new(MILLIWATT_HERTZ, 0.0, rate)
    }

    /// The next samples, as many as the slice holds.
    pub fn fill(&mut self, samples: &mut [i16]) {
        for sample in samples {
            *sample = self.sample();
        }
    }

    /// The next `count` samples as G.711.
    pub fn encode(&mut self, law: Law, count: usize, out: &mut impl BufMut) {
        for _ in 0..count {
            out.put_u8(law.encode_sample(self.sample()));
        }
    }

    fn sample(&mut self) -> i16 {
        let sample = (self.amplitude * self.phase.sin()).round();
        self.phase = (self.phase + self.step) % TAU;
        // `as` saturates: a level that is too loud clips.
        sample as i16
    }
}

impl Iterator for Tone {
    type Item = i16;

    fn next(&mut self) -> Option<i16> {
        Some(self.sample())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::level;

    #[test]
    fn the_milliwatt_is_as_loud_as_the_sequence_of_g711() {
        // G.711 table 6: the 1,000 Hz sequence that is 0 dBm0 by definition.
        let sequence = [0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e];
        let samples: Vec<i16> = Law::Mu.decode(&sequence).collect();
        assert!(level(&samples).abs() < 0.01, "{}", level(&samples));
        let tone: Vec<i16> = Tone::milliwatt(8_000).take(2_000).collect();
        assert!(level(&tone).abs() < 0.01, "{}", level(&tone));
    }

    #[test]
    fn a_tone_survives_both_laws_at_its_level() {
        for law in [Law::Mu, Law::A] {
            for dbm0 in [3.0, 0.0, -10.0, -30.0] {
                let mut codes = Vec::new();
                Tone::new(697.0, dbm0, 8_000).encode(law, 8_000, &mut codes);
                let heard = level(&law.decode(&codes).collect::<Vec<_>>());
                assert!((heard - dbm0).abs() < 0.1, "{law:?} {dbm0}: {heard}");
            }
        }
    }

    #[test]
    fn too_loud_a_tone_clips_instead_of_wrapping() {
        let loudest = Tone::new(400.0, 20.0, 8_000).take(8_000).map(i16::unsigned_abs).max();
        assert_eq!(loudest, Some(32_768));
        let samples: Vec<i16> = Tone::new(400.0, 20.0, 8_000).take(20).collect();
        assert!(samples[1..10].iter().all(|sample| *sample > 0), "{samples:?}");
    }

    #[test]
    fn a_tone_goes_on_where_it_was_filled_to() {
        let whole: Vec<i16> = Tone::milliwatt(8_000).take(320).collect();
        let mut parts = [0; 320];
        let mut tone = Tone::milliwatt(8_000);
        tone.fill(&mut parts[..160]);
        tone.fill(&mut parts[160..]);
        assert_eq!(whole, parts);
    }
}
