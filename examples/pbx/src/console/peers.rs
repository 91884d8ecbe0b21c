//! `sip show peers`, `pjsip show endpoints`, `sip show registry`.

use std::fmt::Write as _;

use super::{line, plural};
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
    let row = |cells: [&str; 8]| {
        let widths = [25, 39, 3, 10, 10, 3, 8, 11];
        let cells: Vec<_> = cells.into_iter().zip(widths).collect();
        line(&cells)
    };
    let mut text = row(["Name/username", "Host", "Dyn", "Forcerport", "Comedia", "ACL", "Port", "Status"]);
    // Watched ones and others, those that are there and others.
    let mut counts = [[0_usize; 2]; 2];
    for account in &status.accounts {
        let name = format!("{}/{}", account.name, account.name);
        let dynamic = if account.fixed.is_some() { "" } else { "D" };
        let mut places: Vec<_> = account.bindings.iter().map(|it| (it.address.clone(), it.reachable)).collect();
        places.extend(account.fixed.iter().map(|place| (place.clone(), true)));
        if places.is_empty() {
            text += &row([&account.name, "(Unspecified)", dynamic, "Yes", "Yes", "", "0", nowhere(account)]);
        }
        let (mut watched, mut online) = (account.qualify.is_some(), false);
        for (address, reachable) in places {
            let (host, port) = parts(&address);
            let (told, is_watched, is_online) = state(account, reachable);
            text += &row([&name, host, dynamic, "Yes", "Yes", "", port, &told]);
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
        "{peers} sip peer{} [Monitored: {monitored} online, {lost} offline Unmonitored: {online} online, {offline} offline]",
        plural(peers)
    );
    text
}

/// What is said of a peer that is not registered.
fn nowhere(account: &Account) -> &'static str {
    if account.qualify.is_some() { "UNKNOWN" } else { "Unmonitored" }
}

pub(super) fn endpoints(status: &Status) -> String {
    let mut text = String::from(
        " Endpoint:  <Endpoint/CID.....................................>  <State.....>  <Channels.>\n    \
         Contact:  <Aor/ContactUri............................> <Hash....> <Status> <RTT(ms)..>\n\
         ==========================================================================================\n\n",
    );
    for account in &status.accounts {
        let reachable = account.fixed.is_some() || account.bindings.iter().any(|binding| binding.reachable);
        let state = match (reachable, account.calls) {
            (false, 0) => "Unavailable",
            (true, 0) => "Not in use",
            _ => "In use",
        };
        let name = format!("{}/{}", account.name, account.caller_id.as_deref().unwrap_or(&account.name));
        let _ = writeln!(text, " Endpoint:  {name:<50}  {state:<12}  {} of inf", account.calls);
        for binding in &account.bindings {
            let status = match (&account.qualify, binding.reachable) {
                (_, false) => "Unavail",
                (Some(qualify), true) if qualify.reachable => "Avail",
                (Some(_), true) => "Unavail",
                (None, true) => "NonQual",
            };
            let time = account.qualify.as_ref().and_then(|qualify| qualify.milliseconds);
            let time = time.map_or_else(|| "nan".to_owned(), |time| format!("{time}.000"));
            let contact = format!("{}/{}", account.name, binding.contact);
            let _ = writeln!(text, "    Contact:  {contact:<55} {status:<8} {time:>10}");
        }
        text.push('\n');
    }
    let count = status.accounts.len();
    let _ = writeln!(text, "\nObjects found: {count}");
    text
}

pub(super) fn registry(status: &Status) -> String {
    let row = |cells: [&str; 6]| {
        let cells: Vec<_> = cells.into_iter().zip([39, 6, 12, 9, 20, 25]).collect();
        line(&cells)
    };
    let mut text = row(["Host", "dnsmgr", "Username", "Refresh", "State", "Reg.Time"]);
    for registration in &status.registrations {
        let host = if registration.host.contains(':') {
            registration.host.clone()
        } else {
            format!("{}:5060", registration.host)
        };
        let (refresh, since) = (registration.refresh.to_string(), registration.since.map(when).unwrap_or_default());
        text += &row([&host, "N", &registration.user, &refresh, registration.state, &since]);
    }
    let count = status.registrations.len();
    let _ = writeln!(text, "{count} SIP registration{}.", plural(count));
    text
}

/// A time, as Asterisk writes it in its tables.
fn when(milliseconds: u64) -> String {
    let at = i64::try_from(milliseconds).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    at.map(|at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%a, %d %b %Y %H:%M:%S").to_string())
        .unwrap_or_default()
}
