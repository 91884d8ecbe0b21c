//! A detector of one frequency: Goertzel's algorithm.

use super::MILLIWATT;
use std::f64::consts::TAU;

/// Measures how loud one frequency is.
///
/// The longer the samples, the narrower: a block of N samples resolves `rate / N` hertz.
#[derive(Debug, Clone)]
pub struct Detector {
    coefficient: f64,
}

impl Detector {
    /// A detector of a frequency in hertz in samples of a rate.
    pub fn new(hertz: f64, rate: u32) -> Self {
        Self { coefficient: 2.0 * (TAU * hertz / f64::from(rate.max(1))).cos() }
    }

    /// The level in dBm0 of the frequency in the samples; minus infinity for none.
    pub fn measure(&self, samples: &[i16]) -> f64 {
        if samples.is_empty() {
            return f64::NEG_INFINITY;
        }
        let (last, before) = samples.iter().fold((0.0, 0.0), |(last, before), sample| {
            (self.coefficient.mul_add(last, f64::from(*sample) - before), last)
        });
        let square = last * last + before * before - self.coefficient * last * before;
        let amplitude = 2.0 * square.max(0.0).sqrt() / samples.len() as f64;
        20.0 * (amplitude / MILLIWATT).log10()
    }

    /// Whether the frequency carries nearly all of the samples' power: within `decibels` of the whole level.
    pub fn dominates(&self, samples: &[i16], decibels: f64) -> bool {
        let whole = level(samples);
        whole.is_finite() && self.measure(samples) >= whole - decibels
    }
}

/// The level in dBm0 of all that is in the samples; minus infinity for silence.
pub fn level(samples: &[i16]) -> f64 {
    let square: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let mean = square / samples.len().max(1) as f64;
    // A sine wave's amplitude is the square root of two times its mean.
    10.0 * (2.0 * mean / (MILLIWATT * MILLIWATT)).log10()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::Tone;

    #[test]
    fn a_tone_is_found_at_its_frequency_and_nowhere_else() {
        let samples: Vec<i16> = Tone::new(1_004.0, -6.0, 8_000).take(8_000).collect();
        assert!((Detector::new(1_004.0, 8_000).measure(&samples) + 6.0).abs() < 0.05);
        for hertz in [440.0, 941.0, 1_100.0, 2_008.0] {
            assert!(Detector::new(hertz, 8_000).measure(&samples) < -50.0, "{hertz}");
        }
        assert!(Detector::new(1_004.0, 8_000).dominates(&samples, 0.5));
        assert!(!Detector::new(900.0, 8_000).dominates(&samples, 20.0));
    }

    #[test]
    fn one_of_two_tones_is_measured_alone() {
        let mixed: Vec<i16> = Tone::new(440.0, -10.0, 8_000)
            .zip(Tone::new(660.0, -20.0, 8_000))
            .take(8_000)
            .map(|(a, b)| a + b)
            .collect();
        assert!((Detector::new(440.0, 8_000).measure(&mixed) + 10.0).abs() < 0.1);
        assert!((Detector::new(660.0, 8_000).measure(&mixed) + 20.0).abs() < 0.1);
    }

    #[test]
    fn silence_and_nothing_have_no_level() {
        assert_eq!(level(&[]), f64::NEG_INFINITY);
        assert_eq!(level(&[0; 80]), f64::NEG_INFINITY);
        assert_eq!(Detector::new(1_004.0, 8_000).measure(&[]), f64::NEG_INFINITY);
        assert!(!Detector::new(1_004.0, 8_000).dominates(&[0; 80], 1.0));
    }
}
