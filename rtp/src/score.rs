//! How a call sounds: the E-model of ITU-T G.107 in its simple form, from delay, loss and codec.

use std::time::Duration;

/// What a codec loses by itself and how it bears loss (ITU-T G.113 appendix I).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impairment {
    /// Equipment impairment factor, Ie.
    pub equipment: f64,
    /// Packet-loss robustness factor, Bpl.
    pub robustness: f64,
}

impl Impairment {
    /// G.711 without concealment.
    pub const G711: Self = Self { equipment: 0.0, robustness: 4.3 };
    /// G.711 with the concealment of its appendix I.
    pub const G711_CONCEALED: Self = Self { equipment: 0.0, robustness: 25.1 };
}

/// The rating factor R, 0 to 93.2, for a one-way delay from mouth to ear and a share of random loss (0 to 1).
///
/// All else (noise, echo, loudness) is at the defaults of G.107.
pub fn rating(delay: Duration, loss: f64, codec: Impairment) -> f64 {
    let milliseconds = delay.as_secs_f64() * 1_000.0;
    // Idd in the linear form of Cole and Rosenbluth, which fits G.107 up to 400 ms.
    let late = (milliseconds - 177.3).max(0.0);
    let delayed = 0.024 * milliseconds + 0.11 * late;
    let percent = loss.clamp(0.0, 1.0) * 100.0;
    let equipment = codec.equipment + (95.0 - codec.equipment) * percent / (percent + codec.robustness);
    (93.2 - delayed - equipment).clamp(0.0, 100.0)
}

/// The mean opinion score, 1 to 4.5, of a rating (G.107 annex B).
pub fn opinion(rating: f64) -> f64 {
    match rating {
        r if r <= 0.0 => 1.0,
        r if r >= 100.0 => 4.5,
        // The cubic dips below 1 near zero.
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_call_has_the_default_rating() {
        let best = rating(Duration::ZERO, 0.0, Impairment::G711);
        assert!((best - 93.2).abs() < 1e-9);
        // G.107 annex B: R = 93.2 is an MOS of 4.41.
        assert!((opinion(best) - 4.41).abs() < 0.01, "{}", opinion(best));
    }

    #[test]
    fn opinions_are_those_of_annex_b() {
        // Table B.1: R 90, 80, 70, 60, 50 are MOS 4.34, 4.03, 3.60, 3.10, 2.58.
        for (r, score) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            assert!((opinion(r) - score).abs() < 0.01, "{r}: {}", opinion(r));
        }
        assert_eq!((opinion(-5.0), opinion(120.0)), (1.0, 4.5));
    }

    #[test]
    fn more_delay_and_more_loss_never_sound_better() {
        let mut last = f64::INFINITY;
        for step in 0..100u32 {
            let now = rating(Duration::from_millis(u64::from(step) * 10), f64::from(step) / 100.0, Impairment::G711);
            assert!(now <= last);
            last = now;
        }
        let (lossy, late) =
            (rating(Duration::ZERO, 0.05, Impairment::G711), rating(Duration::from_millis(400), 0.0, Impairment::G711));
        assert!(lossy < 50.0 && late < 65.0, "{lossy} {late}");
        assert!(rating(Duration::ZERO, 0.05, Impairment::G711_CONCEALED) > lossy);
    }

    #[test]
    fn opinions_stay_within_their_range() {
        for tenth in 0..=1_000 {
            let score = opinion(f64::from(tenth) / 10.0);
            assert!((1.0..=4.5).contains(&score), "{tenth}: {score}");
        }
    }
}
