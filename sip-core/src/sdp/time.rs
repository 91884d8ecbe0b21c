//! When a session takes place: the `t=` line, its repetitions, and the changes of time zones.

use bytes::Bytes;

use super::text::{number, words};

/// A `t=` line with the `r=` lines that follow it (RFC 8866 §5.9, §5.10).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Time {
    /// Seconds since 1900, or 0.
    pub start: Bytes,
    /// Seconds since 1900, or 0 for "not bounded".
    pub stop: Bytes,
    /// What follows each `r=`; see [`Repeat`].
    pub repeats: Vec<Bytes>,
}

impl Time {
    /// `t=0 0`: a session that is not bounded in time, as every call.
    #[must_use]
    pub fn unbounded() -> Self {
        Self { start: "0".into(), stop: "0".into(), repeats: Vec::new() }
    }

    /// Start and stop in seconds since 1900; `None` when they are no numbers.
    #[must_use]
    pub fn bounds(&self) -> Option<(u64, u64)> {
        Some((number(&self.start)?, number(&self.stop)?))
    }
}

/// What an `r=` line says (RFC 8866 §5.10), in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repeat {
    /// From one beginning to the next.
    pub interval: u64,
    /// How long it takes each time.
    pub duration: u64,
    /// When it begins, counted from the start of `t=`.
    pub offsets: Vec<u64>,
}

impl Repeat {
    /// Reads what follows `r=`. Times may have a unit: `d`, `h`, `m` or `s`.
    #[must_use]
    pub fn parse(text: &Bytes) -> Option<Self> {
        let mut times = words(text).map(|word| seconds(&word));
        let (interval, duration) = (times.next()??, times.next()??);
        let offsets = times.collect::<Option<Vec<u64>>>()?;
        (!offsets.is_empty()).then_some(Self { interval, duration, offsets })
    }
}

/// One change of a `z=` line (RFC 8866 §5.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ZoneAdjustment {
    /// When, in seconds since 1900.
    pub at: u64,
    /// How many seconds are added to the base time from then on.
    pub offset: i64,
}

impl ZoneAdjustment {
    /// Reads what follows `z=`.
    #[must_use]
    pub fn parse_all(text: &Bytes) -> Option<Vec<Self>> {
        let mut words = words(text);
        let mut adjustments = Vec::new();
        while let Some(at) = words.next() {
            let offset = words.next()?;
            let (sign, magnitude) = match offset.strip_prefix(b"-") {
                Some(magnitude) => (-1, magnitude),
                None => (1, &*offset),
            };
            let magnitude = i64::try_from(seconds(magnitude)?).ok()?;
            adjustments.push(Self { at: number(&at)?, offset: sign * magnitude });
        }
        (!adjustments.is_empty()).then_some(adjustments)
    }
}

/// A time with an optional unit.
fn seconds(text: &[u8]) -> Option<u64> {
    let (digits, unit) = match text.split_last()? {
        (b'd', digits) => (digits, 86_400),
        (b'h', digits) => (digits, 3_600),
        (b'm', digits) => (digits, 60),
        (b's', digits) => (digits, 1),
        _ => (text, 1),
    };
    number::<u64>(digits)?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_repetition_of_rfc_8866_are_the_same() {
        let plain = Repeat::parse(&Bytes::from_static(b"604800 3600 0 90000")).unwrap();
        assert_eq!(Repeat::parse(&Bytes::from_static(b"7d 1h 0 25h")), Some(plain.clone()));
        assert_eq!((plain.interval, plain.duration, &plain.offsets[..]), (604_800, 3_600, &[0, 90_000][..]));
        for bad in ["", "1", "1 2", "1 2 x", "1w 2 3", "-1 2 3", "d 1 2", "18446744073709551615d 1 2"] {
            assert_eq!(Repeat::parse(&Bytes::from_static(bad.as_bytes())), None, "{bad}");
        }
    }

    #[test]
    fn the_zone_changes_of_rfc_8866_are_read() {
        let zones = ZoneAdjustment::parse_all(&Bytes::from_static(b"2882844526 -1h 2898848070 0")).unwrap();
        let expected =
            [ZoneAdjustment { at: 2_882_844_526, offset: -3_600 }, ZoneAdjustment { at: 2_898_848_070, offset: 0 }];
        assert_eq!(zones, expected);
        for bad in ["", "1", "1 x", "x 1", "1 --1"] {
            assert_eq!(ZoneAdjustment::parse_all(&Bytes::from_static(bad.as_bytes())), None, "{bad}");
        }
    }

    #[test]
    fn a_call_is_not_bounded() {
        assert_eq!(Time::unbounded().bounds(), Some((0, 0)));
    }
}
