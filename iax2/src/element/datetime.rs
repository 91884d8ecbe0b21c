//! DATETIME (RFC 5456 §8.6.28).

/// A time of day in UTC, to two seconds, in the element's 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime(pub u32);

impl DateTime {
    /// The time of a Unix time in seconds; times outside 2000 to 2127 wrap.
    pub fn from_unix(seconds: u64) -> Self {
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        // Days since 0000-03-01, then the usual arithmetic of 400-year eras.
        let z = days + 719_468;
        let era = z / 146_097;
        let doe = z % 146_097;
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + u64::from(month <= 2);
        let field = |value: u64, bits: u32| u32::try_from(value & ((1 << bits) - 1)).unwrap_or(0);
        Self(
            field(year.wrapping_sub(2000), 7) << 25
                | field(month, 4) << 21
                | field(day, 5) << 16
                | field(rest / 3600, 5) << 11
                | field(rest / 60 % 60, 6) << 5
                | field(rest % 60 / 2, 5),
        )
    }

    /// Year, from 2000.
    pub const fn year(self) -> u16 {
        2000 + (self.0 >> 25) as u16
    }

    /// Month, from 1.
    pub const fn month(self) -> u8 {
        (self.0 >> 21 & 15) as u8
    }

    /// Day of the month, from 1.
    pub const fn day(self) -> u8 {
        (self.0 >> 16 & 31) as u8
    }

    /// Hour, minute and second (an even one).
    pub const fn time(self) -> (u8, u8, u8) {
        ((self.0 >> 11 & 31) as u8, (self.0 >> 5 & 63) as u8, (self.0 & 31) as u8 * 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unix_time_becomes_its_fields() {
        // 2026-11-20 18:32:39 UTC
        let time = DateTime::from_unix(1_795_199_559);
        assert_eq!((time.year(), time.month(), time.day(), time.time()), (2026, 11, 20, (18, 32, 38)));
        assert_eq!(DateTime::from_unix(951_782_400).day(), 29, "29 February 2000");
    }
}
