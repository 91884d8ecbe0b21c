//! Date (RFC 3261 §20.17).

use bytes::{BufMut, Bytes};

use crate::error::{ErrorKind, ParseError};
use crate::header::macros::text_forms;
use crate::header::{HeaderName, TypedHeader};
use crate::scan::{self, Cursor, Fault, Scan};

/// When the message was first sent, in seconds since 1970 began (UTC). The zone is always GMT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub u64);

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// The last second of the year 9999, after which a year has no four digits.
const LAST: u64 = 253_402_300_799;

/// Days since 1970 began of a date of the Gregorian calendar, and back. The year begins in March, so that the day that
/// leap years add is its last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

impl Date {
    fn scan(cursor: &mut Cursor<'_>) -> Scan<Self> {
        let start = cursor.offset();
        let range = |ok: bool| if ok { Ok(()) } else { Err(Fault { kind: ErrorKind::OutOfRange, offset: start }) };
        if name(cursor, &DAYS).is_none() || !cursor.separator(b',') {
            return Err(cursor.wrong());
        }
        let day = cursor.number()?;
        cursor.skip_space();
        let month = name(cursor, &MONTHS).ok_or_else(|| cursor.wrong())? + 1;
        cursor.skip_space();
        let year = cursor.number()?;
        cursor.skip_space();
        let hour = cursor.number()?;
        let mut sixtieths = [0; 2];
        for part in &mut sixtieths {
            if !cursor.eat(b':') {
                return Err(cursor.wrong());
            }
            *part = cursor.number()?;
        }
        let [minute, second] = sixtieths;
        cursor.skip_space();
        let zone = cursor.offset();
        if !cursor.take(scan::TOKEN).eq_ignore_ascii_case(b"GMT") {
            return Err(Fault { kind: ErrorKind::Syntax, offset: zone });
        }
        // A leap second is let through, and counts as the second after it.
        range((1970..=9999).contains(&year) && hour < 24 && minute < 60 && second <= 60 && (1..=31).contains(&day))?;
        let days = days_from_civil(year, month, day);
        range(civil_from_days(days) == (year, month, day))?;
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
        range(seconds <= LAST)?;
        Ok(Self(seconds))
    }
}

/// Three letters of a list, in any case: their number.
fn name(cursor: &mut Cursor<'_>, names: &[&str]) -> Option<u64> {
    let written = cursor.rest().get(..3)?;
    let found = names.iter().position(|name| written.eq_ignore_ascii_case(name.as_bytes()))?;
    cursor.advance(3);
    u64::try_from(found).ok()
}

impl TypedHeader for Date {
    const NAME: HeaderName = HeaderName::DATE;
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, Self::scan)
    }

    fn encode(&self, out: &mut impl BufMut) {
        let seconds = self.0.min(LAST);
        let days = seconds / 86_400;
        let (year, month, day) = civil_from_days(days);
        let pick = |names: &[&'static str], number: u64| {
            usize::try_from(number).ok().and_then(|number| names.get(number).copied()).unwrap_or_default()
        };
        let text = format!(
            "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
            pick(&DAYS, days % 7),
            pick(&MONTHS, month - 1),
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60,
        );
        out.put_slice(text.as_bytes());
    }
}

text_forms!(Date);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Date, the_examples_of_rfc_3261_are_read_and_written,
        same: ["Sat, 13 Nov 2010 23:29:00 GMT", "Thu, 21 Feb 2002 13:02:03 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Tue, 29 Feb 2000 23:59:59 GMT"],
        other: ["sat,13 nov 2010 23:29:00 gmt", "Sat, 30 Jun 2012 23:59:60 GMT"],
        refused: [
            "", "Fri, 01 Jan 2010 16:00:00 EST", "Sat, 13 Nov 2010", "Sat, 31 Nov 2010 23:29:00 GMT", "Mon, 29 Feb 2100 00:00:00 GMT",
            "Sat, 13 Nov 2010 24:00:00 GMT", "Sat, 13 Nov 1969 00:00:00 GMT", "Sat, 00 Nov 2010 00:00:00 GMT", "Sat, 13 Nov 99999999999999999999 00:00:00 GMT"
        ]
    }

    #[test]
    fn seconds_are_counted_from_1970() {
        assert_eq!("Sat, 13 Nov 2010 23:29:00 GMT".parse(), Ok(Date(1_289_690_940)));
        assert_eq!(Date(u64::MAX).to_string(), "Fri, 31 Dec 9999 23:59:59 GMT");
        for day in (0..2_932_897).step_by(97) {
            assert_eq!(Date(day * 86_400).to_string().parse(), Ok(Date(day * 86_400)));
        }
    }
}
