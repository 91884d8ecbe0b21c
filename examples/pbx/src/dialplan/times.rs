//! Times of the week: `9:00-17:00,mon-fri,*,*`, for GotoIfTime, IFTIME and `include`.

use jiff::Zoned;

/// When something holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Times {
    /// Minutes of the day, both included; several pairs.
    minutes: Vec<(u16, u16)>,
    /// From Sunday, as bits.
    weekdays: u8,
    /// From the 1st, as bits.
    days: u32,
    /// From January, as bits.
    months: u16,
}

/// What is wrong with times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TimesError {
    #[error("expected times such as 9:00-17:00 or *")]
    Time,
    #[error("expected days of the week such as mon-fri or *")]
    Weekday,
    #[error("expected days of the month such as 1-15 or *")]
    Day,
    #[error("expected months such as jan-mar or *")]
    Month,
}

const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

impl Times {
    /// Reads `times,weekdays,days,months`; `|` separates, too. What is left out is always.
    pub(crate) fn parse(text: &str) -> Result<Self, TimesError> {
        let mut parts = text.split([',', '|']).map(str::trim);
        let mut part = || parts.next().filter(|part| !part.is_empty()).unwrap_or("*");
        let minutes = part();
        let minutes = match minutes {
            "*" => vec![(0, 1_439)],
            _ => minutes.split('&').map(minutes_of).collect::<Option<_>>().ok_or(TimesError::Time)?,
        };
        let weekdays = bits(part(), 7, |text| name(text, &WEEKDAYS)).ok_or(TimesError::Weekday)?;
        let days =
            bits(part(), 31, |text| text.parse().ok().filter(|day| (1..=31).contains(day)).map(|day: u32| day - 1));
        let months = bits(part(), 12, |text| name(text, &MONTHS)).ok_or(TimesError::Month)?;
        Ok(Self {
            minutes,
            weekdays: u8::try_from(weekdays).unwrap_or(0x7f),
            days: days.ok_or(TimesError::Day)?,
            months: u16::try_from(months).unwrap_or(0xfff),
        })
    }

    /// Whether it holds at a time.
    pub(crate) fn contains(&self, time: &Zoned) -> bool {
        let minute = u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs());
        let in_minutes = self.minutes.iter().any(|&(from, to)| match from <= to {
            true => (from..=to).contains(&minute),
            // Over midnight.
            false => minute >= from || minute <= to,
        });
        let weekday = time.weekday().to_sunday_zero_offset().unsigned_abs();
        let (day, month) = (time.day().unsigned_abs().saturating_sub(1), time.month().unsigned_abs().saturating_sub(1));
        in_minutes
            && self.weekdays & (1 << weekday.min(7)) != 0
            && self.days & (1 << day.min(31)) != 0
            && self.months & (1 << month.min(15)) != 0
    }
}

fn name(text: &str, names: &[&str]) -> Option<u32> {
    let short: String = text.chars().take(3).collect();
    let place = names.iter().position(|name| name.eq_ignore_ascii_case(&short))?;
    u32::try_from(place).ok()
}

fn minutes_of(range: &str) -> Option<(u16, u16)> {
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    match range.split_once('-') {
        Some((from, to)) => Some((minute(from)?, minute(to)?)),
        None => minute(range).map(|minute| (minute, minute)),
    }
}

/// `*`, `a`, `a-b` or several with `&`; a range may go over the end.
fn bits(text: &str, count: u32, place: impl Fn(&str) -> Option<u32>) -> Option<u32> {
    if text == "*" {
        return Some(u32::MAX >> (32 - count));
    }
    let mut bits = 0;
    for range in text.split('&') {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (mut at, to) = (place(from.trim())?, place(to.trim())?);
        bits |= 1 << at;
        while at != to {
            at = (at + 1) % count;
            bits |= 1 << at;
        }
    }
    Some(bits)
}
