//! `STRFTIME`, `IFTIME`, `TIMEOUT`.

use std::time::Duration;

use jiff::{Timestamp, fmt::strtime, tz::TimeZone};

use super::logic::choice;
use crate::dialplan::{
    arguments::{shorten, split_at},
    run::Run,
    times::Times,
    variables::MAX_VALUE,
};

/// `STRFTIME(epoch,zone,format)`; now, the PBX's own zone and `%c` when they are not given.
pub(super) fn format(run: &mut Run<'_>, arguments: &str) -> Option<String> {
    let mut parts = split_at(arguments, ',', 3).into_iter();
    let mut time = run.world.now();
    if let Some(epoch) = parts.next().filter(|epoch| !epoch.trim().is_empty()) {
        let seconds: f64 = epoch.trim().parse().ok()?;
        let time_zone = time.time_zone().clone();
        #[expect(clippy::cast_possible_truncation, reason = "casts of floating point numbers saturate")]
        let micros = (seconds * 1e6) as i64;
        time = Timestamp::from_microsecond(micros).ok()?.to_zoned(time_zone);
    }
    if let Some(zone) = parts.next().filter(|zone| !zone.trim().is_empty()) {
        time = time.with_time_zone(TimeZone::get(zone.trim()).ok()?);
    }
    let format = parts.next().filter(|format| !format.is_empty()).unwrap_or_else(|| "%a %b %e %H:%M:%S %Y".to_owned());
    let format = shorten(&format, 256);
    // A format must not make a text of any size by a width.
    let mut widths = format.split('%').skip(1).map(|after| after.trim_start_matches(['-', '_', '^', '#', '0', ':']));
    if widths.any(|after| after.bytes().take_while(u8::is_ascii_digit).count() > 1) {
        return None;
    }
    let text = strtime::format(format, &time).ok()?;
    Some(shorten(&text, MAX_VALUE).to_owned())
}

/// `IFTIME(times?yes:no)`.
pub(super) fn if_time(run: &mut Run<'_>, arguments: &str) -> Option<String> {
    let (times, values) = arguments.split_once('?')?;
    let (yes, no) = choice(values);
    let now = Times::parse(times).ok()?.contains(&run.world.now());
    Some(if now { yes } else { no }.trim().trim_matches('"').to_owned())
}

/// `TIMEOUT(digit)` and `TIMEOUT(response)`, in seconds.
pub(super) fn timeout(run: &mut Run<'_>, which: &str) -> Option<String> {
    let time = match which.trim() {
        "digit" => run.thread.digit_time,
        "response" => run.thread.response_time,
        _ => return None,
    };
    Some(format!("{:.3}", time.as_secs_f64()))
}

/// `Set(TIMEOUT(digit)=seconds)`.
pub(super) fn set_timeout(run: &mut Run<'_>, which: &str, value: &str) -> bool {
    let Ok(seconds) = value.trim().parse::<f64>() else { return false };
    let time = Duration::try_from_secs_f64(seconds.clamp(0.0, 3_600.0)).unwrap_or_default();
    match which.trim() {
        "digit" => run.thread.digit_time = time,
        "response" => run.thread.response_time = time,
        _ => return false,
    }
    true
}
