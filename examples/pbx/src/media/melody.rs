//! Music for those who wait, made here: a slow tune of bells that comes round every twenty seconds or so.

use std::{
    f64::consts::TAU,
    sync::{Arc, OnceLock},
};

/// Samples of a beat: 96 beats a minute.
const BEAT: usize = 5_000;

/// How long a bell rings.
const RING: usize = 4 * BEAT;

/// The tune in semitones above middle C, one a beat; -1 is a rest. Below it, a bass every four beats.
const TUNE: [i8; 32] =
    [4, 7, 12, 7, 9, 7, 4, -1, 2, 5, 9, 5, 7, 5, 2, -1, 4, 7, 12, 14, 16, 14, 12, 9, 7, 9, 7, 4, 2, 4, 0, -1];
const BASS: [i8; 8] = [0, 5, 2, 7, 0, 9, 5, 0];

/// One round of it, at about -18 dBm0.
pub(super) fn melody() -> Arc<[i16]> {
    static MELODY: OnceLock<Arc<[i16]>> = OnceLock::new();
    Arc::clone(MELODY.get_or_init(|| {
        let length = TUNE.len() * BEAT;
        let mut sum = vec![0.0f64; length];
        for (beat, note) in TUNE.into_iter().enumerate() {
            if note >= 0 {
                bell(&mut sum, beat * BEAT, note, 2_300.0);
            }
        }
        for (bar, note) in BASS.into_iter().enumerate() {
            bell(&mut sum, bar * 4 * BEAT, note - 12, 2_600.0);
        }
        sum.into_iter().map(|sample| sample.round() as i16).collect()
    }))
}

/// A note with a soft beginning and an overtone, that dies away; what rings past the end rings on at the beginning.
fn bell(sum: &mut [f64], start: usize, semitones: i8, amplitude: f64) {
    let hertz = 261.63 * 2f64.powf(f64::from(semitones) / 12.0);
    let length = sum.len();
    for at in 0..RING {
        let time = at as f64 / 8_000.0;
        let attack = (time / 0.01).min(1.0);
        let release = ((RING - at) as f64 / 800.0).min(1.0);
        let wave = (TAU * hertz * time).sin() + 0.25 * (TAU * 2.0 * hertz * time).sin();
        if let Some(sample) = sum.get_mut((start + at) % length) {
            *sample += amplitude * attack * release * (-2.2 * time).exp() * wave;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tune_is_soft_never_clips_and_comes_round_without_a_click() {
        let melody = melody();
        assert_eq!(melody.len(), 160_000);
        let level = rtp::tone::level(&melody);
        assert!((-26.0..=-14.0).contains(&level), "{level}");
        assert!(melody.iter().all(|sample| sample.unsigned_abs() < 20_000));
        let (first, last) = (melody[0], melody[melody.len() - 1]);
        assert!(first.abs_diff(last) < 1_500, "{last} then {first}");
        assert!(melody.chunks(8_000).all(|second| rtp::tone::level(second) > -40.0), "it never stops");
    }
}
