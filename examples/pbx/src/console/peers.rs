//! `sip show peers`, `sip show registry`.

use std::fmt::Write as _;

use super::line;
use crate::status::{Account, Status};

/// Host and port of an address.
pub(super) fn parts(address: &str) -> (&str, &str) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "0"));
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

/// What Asterisk says of how a peer is reached, and whether it is watched and there.
fn state(account: &Account, reachable: bool) -> (String, bool, bool) {
    match &account.qualify {
        Some(qualify) => {
            let milliseconds = qualify.milliseconds.unwrap_or_default();
            let text = match (qualify.reachable && reachable, qualify.lagged) {
                (true, false) => format!("OK ({milliseconds} ms)"),
                (true, true) => format!("LAGGED ({milliseconds} ms)"),
                (false, _) => "UNREACHABLE".to_owned(),
            };
            (text, true, qualify.reachable && reachable)
        }
        None if reachable => ("Unmonitored".to_owned(), false, true),
        None => ("UNREACHABLE".to_owned(), false, false),
    }
}

pub(super) fn sip(status: &Status) -> String {
    let mut text = String::new();
    // Flags stand a space from the left of their columns; the last column, of real-time peers, is always empty.
    let mut row = |name: &str, host: &str, flags: [&str; 4], port: &str, state: &str, description: &str| {
        let [dynamic, rport, comedia, rules] = flags;
        let cells = line(&[(name, 25), (host, 39), (dynamic, 3), (rport, 10), (comedia, 10), (rules, 3)]);
        let _ = writeln!(text, "{} {port:<8} {state:<11} {description:<32} ", cells.trim_end_matches('\n'));
    };
    row("Name/username", "Host", ["Dyn", "Forcerport", "Comedia", "ACL"], "Port", "Status", "Description");
    // Watched ones and others, those that are there and others.
    let mut counts = [[0_usize; 2]; 2];
    for account in &status.accounts {
        let dynamic = if account.fixed.is_some() { "" } else { " D" };
        let flags = [dynamic, "Yes", "Yes", if account.settings.has_rules { " A" } else { "" }];
        let user = match (&account.fixed, &account.settings.remote_user) {
            (Some(_), Some(user)) => Some(user),
            (Some(_), None) => None,
            (None, _) => Some(&account.name).filter(|_| !account.bindings.is_empty()),
        };
        let name = user.map_or_else(|| account.name.clone(), |user| format!("{}/{user}", account.name));
        let mut places: Vec<_> = account.bindings.iter().map(|it| (it.address.clone(), it.reachable)).collect();
        places.extend(account.fixed.iter().map(|place| (place.clone(), true)));
        if places.is_empty() {
            row(&name, "(Unspecified)", flags, "0", nowhere(account), "");
        }
        let (mut watched, mut online) = (account.qualify.is_some(), false);
        for (address, reachable) in places {
            let (host, port) = parts(&address);
            let (told, is_watched, is_online) = state(account, reachable);
            row(&name, host, flags, port, &told, "");
            (watched, online) = (is_watched, online || is_online);
        }
        if let Some(count) = counts.get_mut(usize::from(!watched)).and_then(|row| row.get_mut(usize::from(!online))) {
            *count += 1;
        }
    }
    let peers = status.accounts.len();
    let [[monitored, lost], [online, offline]] = counts;
    let _ = writeln!(
        text,
        "{peers} sip peers [Monitored: {monitored} online, {lost} offline Unmonitored: {online} online, {offline} offline]"
    );
    text
}

/// What is said of a peer that is not registered.
fn nowhere(account: &Account) -> &'static str {
    if account.qualify.is_some() { "UNKNOWN" } else { "Unmonitored" }
}

pub(super) fn registry(status: &Status) -> String {
    let row = |cells: [&str; 6]| {
        let cells: Vec<_> = cells.into_iter().zip([39, 6, 12, 9, 20, 25]).collect();
        line(&cells)
    };
    let mut text = row(["Host", "dnsmgr", "Username", "  Refresh", "State", "Reg.Time"]);
    for registration in &status.registrations {
        let host = if registration.host.contains(':') {
            registration.host.clone()
        } else {
            format!("{}:5060", registration.host)
        };
        let (refresh, since) =
            (format!("{:>9}", registration.refresh), registration.since.map(when).unwrap_or_default());
        text += &row([&host, "N", &registration.user, &refresh, registration.state, &since]);
    }
    let _ = writeln!(text, "{} SIP registrations.", status.registrations.len());
    text
}

/// A time, as Asterisk writes it in its tables.
fn when(milliseconds: u64) -> String {
    let at = i64::try_from(milliseconds).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    at.map(|at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%a, %d %b %Y %H:%M:%S").to_string())
        .unwrap_or_default()
}
