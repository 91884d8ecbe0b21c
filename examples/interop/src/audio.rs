//! WAV files, and ears: which tone is in a recording, how loud, for how long.

use rtp::tone::{Detector, Tone, level};
use std::path::Path;
use std::time::Duration;

/// Sixteen-bit samples of one channel.
#[derive(Debug, Clone)]
pub struct Audio {
    /// Samples a second.
    pub rate: u32,
    /// The samples.
    pub samples: Vec<i16>,
}

/// What is heard at once: short enough to tell when a tone begins, long enough to tell tones 20 Hz apart.
const WINDOW: Duration = Duration::from_millis(100);

impl Audio {
    /// A tone.
    pub fn tone(hertz: f64, dbm0: f64, length: Duration) -> Self {
        let count = (length.as_secs_f64() * 8_000.0) as usize;
        Self { rate: 8_000, samples: Tone::new(hertz, dbm0, 8_000).take(count).collect() }
    }

    /// Writes a WAV file.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn write(&self, path: &Path) {
        let data: Vec<u8> = self.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let length = data.len() as u32;
        let mut bytes = Vec::new();
        bytes.extend(b"RIFF");
        bytes.extend((36 + length).to_le_bytes());
        bytes.extend(b"WAVEfmt ");
        bytes.extend(16u32.to_le_bytes());
        bytes.extend([1, 0, 1, 0]);
        bytes.extend(self.rate.to_le_bytes());
        bytes.extend((self.rate * 2).to_le_bytes());
        bytes.extend([2, 0, 16, 0]);
        bytes.extend(b"data");
        bytes.extend(length.to_le_bytes());
        bytes.extend(data);
        std::fs::write(path, bytes).expect("a WAV file");
    }

    /// Reads a WAV file of sixteen-bit samples, the first channel. A header that was never completed (the program that recorded
    /// was ended) is no hindrance.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("no recording {}: {error}", path.display()));
        Self::parse(&bytes)
    }

    /// Takes samples out of the bytes of a WAV file; none when there is no header yet.
    pub fn parse(bytes: &[u8]) -> Self {
        let (mut rate, mut channels) = (8_000, 1);
        if !bytes.starts_with(b"RIFF") {
            // linphone writes the header when it ends the recording; until then there are zeros in its place.
            let samples = bytes.get(44..).unwrap_or(&[]).as_chunks::<2>().0.iter();
            return Self { rate, samples: samples.map(|pair| i16::from_le_bytes(*pair)).collect() };
        }
        let mut rest = bytes.get(12..).unwrap_or(&[]);
        while rest.len() >= 8 {
            let (head, body) = rest.split_at(8);
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            match &head[..4] {
                b"fmt " if body.len() >= 16 => {
                    channels = usize::from(u16::from_le_bytes([body[2], body[3]])).max(1);
                    rate = u32::from_le_bytes([body[4], body[5], body[6], body[7]]);
                }
                b"data" => {
                    let whole = length == 0 || length > body.len();
                    let data = if whole { body } else { &body[..length] };
                    let samples = data.as_chunks::<2>().0.iter().step_by(channels);
                    return Self { rate, samples: samples.map(|pair| i16::from_le_bytes(*pair)).collect() };
                }
                _ => {}
            }
            rest = body.get(length.next_multiple_of(2)..).unwrap_or(&[]);
        }
        Self { rate, samples: Vec::new() }
    }

    /// For how long a tone is nearly all that is heard.
    pub fn duration_of(&self, hertz: f64) -> Duration {
        WINDOW * self.windows().filter(|window| self.is_tone(window, hertz)).count() as u32
    }

    /// The median level in dBm0 of a tone where it is nearly all that is heard.
    ///
    /// # Panics
    ///
    /// When it is nowhere.
    pub fn level_of(&self, hertz: f64) -> f64 {
        let mut levels: Vec<f64> = self.windows().filter(|window| self.is_tone(window, hertz)).map(level).collect();
        assert!(!levels.is_empty(), "no {hertz} Hz in {self}");
        levels.sort_by(f64::total_cmp);
        levels[levels.len() / 2]
    }

    /// The loudest frequency of the loudest second, to half a hertz.
    pub fn frequency(&self) -> f64 {
        let second = self.rate as usize;
        let Some(loudest) = self.samples.chunks(second).max_by(|a, b| level(a).total_cmp(&level(b))) else {
            return 0.0;
        };
        let strongest = |from: f64, to: f64, step: f64| {
            let steps = ((to - from) / step) as u32;
            let candidates = (0..=steps).map(|index| from + f64::from(index) * step);
            let measured = candidates.map(|hertz| (Detector::new(hertz, self.rate).measure(loudest), hertz));
            measured.max_by(|a, b| a.0.total_cmp(&b.0)).map_or(0.0, |(_, hertz)| hertz)
        };
        let about = strongest(100.0, f64::from(self.rate) / 2.0 - 100.0, 0.5);
        strongest(about - 1.0, about + 1.0, 0.1)
    }

    fn windows(&self) -> impl Iterator<Item = &[i16]> {
        let size = (WINDOW.as_secs_f64() * f64::from(self.rate)) as usize;
        self.samples.chunks_exact(size.max(1))
    }

    fn is_tone(&self, window: &[i16], hertz: f64) -> bool {
        level(window) > -45.0 && Detector::new(hertz, self.rate).dominates(window, 1.0)
    }
}

impl std::fmt::Display for Audio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.samples.len() as f64 / f64::from(self.rate);
        write!(
            f,
            "{seconds:.1} s at {} Hz, loudest {:.1} Hz, {:.1} dBm0",
            self.rate,
            self.frequency(),
            level(&self.samples)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_that_was_written_is_heard_again() {
        let folder = crate::folder::Folder::new("audio");
        let mut audio = Audio::tone(1_004.0, -3.0, Duration::from_secs(2));
        audio.samples.extend(Audio::tone(440.0, -10.0, Duration::from_secs(1)).samples);
        audio.write(&folder.file("a.wav"));
        let heard = Audio::read(&folder.file("a.wav"));
        assert_eq!(heard.samples, audio.samples);
        assert_eq!(heard.duration_of(1_004.0), Duration::from_secs(2));
        assert_eq!(heard.duration_of(440.0), Duration::from_secs(1));
        assert_eq!(heard.duration_of(880.0), Duration::ZERO);
        assert!((heard.level_of(440.0) + 10.0).abs() < 0.1);
        assert!((heard.frequency() - 1_004.0).abs() < 0.5, "{heard}");
    }
}
