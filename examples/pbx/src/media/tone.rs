//! Tones that come round: each as one period of samples.

use std::sync::OnceLock;

use rtp::tone::Tone;

/// A tone with its pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// 1,004 Hz at 0 dBm0, without pauses.
    Milliwatt,
    /// 440 and 480 Hz, two seconds of six.
    Ringback,
    /// 480 and 620 Hz, half of each second.
    Busy,
    /// The same, twice as fast.
    Congestion,
}

impl Signal {
    /// Samples that sound, and the silent ones after them.
    const fn cadence(self) -> (usize, usize) {
        match self {
            Self::Milliwatt => (usize::MAX, 0),
            Self::Ringback => (16_000, 32_000),
            Self::Busy => (4_000, 4_000),
            Self::Congestion => (2_000, 2_000),
        }
    }

    fn period(self) -> &'static [i16] {
        static MILLIWATT: OnceLock<Vec<i16>> = OnceLock::new();
        static RINGBACK: OnceLock<Vec<i16>> = OnceLock::new();
        static BUSY: OnceLock<Vec<i16>> = OnceLock::new();
        match self {
            // 251 waves in 2,000 samples.
            Self::Milliwatt => MILLIWATT.get_or_init(|| Tone::milliwatt(8_000).take(2_000).collect()),
            // 40 Hz is the common divisor.
            Self::Ringback => RINGBACK.get_or_init(|| pair(440.0, 480.0, -19.0, 200)),
            // 20 Hz is.
            Self::Busy | Self::Congestion => BUSY.get_or_init(|| pair(480.0, 620.0, -24.0, 400)),
        }
    }

    /// The samples from this position on; returns the position after them.
    pub(super) fn fill(self, mut position: usize, samples: &mut [i16]) -> usize {
        let (on, off) = self.cadence();
        let period = self.period();
        for sample in samples {
            *sample = if position < on { period.get(position % period.len()).copied().unwrap_or(0) } else { 0 };
            position += 1;
            if position >= on.saturating_add(off) {
                position = 0;
            }
            // Without pauses there is no round to count but the tone's own.
            if off == 0 && position >= period.len() {
                position = 0;
            }
        }
        position
    }
}

fn pair(low: f64, high: f64, dbm0: f64, samples: usize) -> Vec<i16> {
    let (low, high) = (Tone::new(low, dbm0, 8_000), Tone::new(high, dbm0, 8_000));
    low.zip(high).take(samples).map(|(low, high)| low.saturating_add(high)).collect()
}

#[cfg(test)]
mod tests {
    use rtp::tone::{Detector, level};

    use super::*;

    fn seconds(signal: Signal, seconds: usize) -> Vec<i16> {
        let mut samples = vec![0; seconds * 8_000];
        let mut position = 0;
        for packet in samples.chunks_mut(160) {
            position = signal.fill(position, packet);
        }
        samples
    }

    #[test]
    fn the_milliwatt_joins_into_one_tone_at_its_level() {
        let heard = seconds(Signal::Milliwatt, 2);
        assert!(level(&heard).abs() < 0.05, "{}", level(&heard));
        assert!(Detector::new(1_004.0, 8_000).dominates(&heard, 0.05), "not one tone");
    }

    #[test]
    fn ringing_sounds_two_seconds_of_six() {
        let heard = seconds(Signal::Ringback, 9);
        for hertz in [440.0, 480.0] {
            let tone = Detector::new(hertz, 8_000);
            assert!((tone.measure(&heard[..16_000]) + 19.0).abs() < 0.3);
            assert!((tone.measure(&heard[48_000..64_000]) + 19.0).abs() < 0.3);
        }
        assert!(heard[16_000..48_000].iter().all(|sample| *sample == 0));
    }

    #[test]
    fn busy_and_congestion_differ_in_their_pace() {
        let sounding = |signal| {
            let heard = seconds(signal, 1);
            let changes = heard.chunks(500).map(|part| part.iter().any(|sample| *sample != 0)).collect::<Vec<_>>();
            changes.iter().map(|on| u8::from(*on).to_string()).collect::<String>()
        };
        assert_eq!(sounding(Signal::Busy), "1111111100000000");
        assert_eq!(sounding(Signal::Congestion), "1111000011110000");
    }
}
