//! `iax2 show peers`, `iax2 show registry`, `iax2 show channels`, `iax2 show stats`.

use std::fmt::Write as _;

use super::{cell, peers::parts, plural};
use crate::status::{Flow, Iax, Status};

/// What is said when there is nothing to show.
const OFF: &str = "IAX2 is off: the configuration has no address for it.\n";

fn on(status: &Status, show: impl Fn(&Iax) -> String) -> String {
    status.iax.as_ref().map_or_else(|| OFF.to_owned(), show)
}

pub(super) fn peers(status: &Status) -> String {
    on(status, |iax| {
        let mut text = String::new();
        let mut row =
            |name: &str, host: &str, kind: &str, mask: &str, port: &str, trunk: &str, secret: &str, state: &str| {
                // The last column, which is empty but in the head, is for a description.
                let description = if state == "Status" { "Description" } else { "" };
                let _ = writeln!(
                    text,
                    "{}  {} {}  {}  {}{} {}  {state:<11} {description:<32}",
                    cell(name, 15),
                    cell(host, 40),
                    cell(kind, 3),
                    cell(mask, 40),
                    cell(port, 6),
                    cell(trunk, 3),
                    cell(secret, 3),
                );
            };
        row("Name/Username", "Host", "", "Mask", "Port", "", "", "Status");
        let (mut online, mut offline, mut unmonitored) = (0, 0, 0);
        for peer in &iax.peers {
            let name = match &peer.username {
                Some(username) => format!("{}/{username}", peer.name),
                None => peer.name.clone(),
            };
            let (host, port) = peer.address.as_deref().map_or(("(null)", "0"), parts);
            let state = match peer.delay {
                Some(delay) => format!("{} ({delay:.0} ms)", peer.state),
                None => peer.state.to_owned(),
            };
            match peer.state {
                "OK" | "LAGGED" => online += 1,
                "Unmonitored" => unmonitored += 1,
                _ => offline += 1,
            }
            let kind = if peer.dynamic { "(D)" } else { "(S)" };
            let mask = if host.contains(':') { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" } else { "255.255.255.255" };
            let mask = if peer.address.is_some() { mask } else { "(null)" };
            let (trunk, secret) = (if peer.trunk { "(T)" } else { "" }, if peer.encrypted { "(E)" } else { "" });
            row(&name, host, kind, mask, port, trunk, secret, &state);
        }
        let count = iax.peers.len();
        let _ = writeln!(text, "{count} iax2 peers [{online} online, {offline} offline, {unmonitored} unmonitored]");
        text
    })
}

pub(super) fn registry(status: &Status) -> String {
    on(status, |iax| {
        let mut text = String::new();
        let mut row = |host: &str, dns: &str, name: &str, perceived: &str, refresh: &str, state: &str| {
            let [host, dns, name] = [cell(host, 45), cell(dns, 6), cell(name, 10)];
            let _ = writeln!(text, "{host}  {dns}  {name}  {} {refresh:>8}  {state}", cell(perceived, 45));
        };
        row("Host", "dnsmgr", "Username", "Perceived", "Refresh", "State");
        for it in &iax.registrations {
            let perceived = it.perceived.as_deref().unwrap_or("<Unregistered>");
            row(&it.host, "N", &it.username, perceived, &it.refresh.to_string(), it.state);
        }
        let _ = writeln!(text, "{} IAX2 registrations.", iax.registrations.len());
        text
    })
}

pub(super) fn channels(status: &Status) -> String {
    on(status, |iax| {
        let mut text = String::new();
        // Asterisk has the first and the last frame behind the format; here it is what did not come.
        let mut row = |cells: [&str; 10]| {
            let widths = [20, 40, 10, 11, 11, 7, 6, 6, 6, 6];
            let cells: Vec<_> = cells.iter().zip(widths).map(|(text, width)| cell(text, width)).collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        };
        row(["Channel", "Peer", "Username", "ID (Lo/Rem)", "Seq (Tx/Rx)", "Lag", "Jitter", "JitBuf", "Format", "Lost"]);
        for it in &iax.channels {
            let (ours, theirs) = it.numbers;
            let (sent, received) = it.sequence;
            row([
                &it.channel,
                parts(&it.address).0,
                &it.peer,
                &format!("{ours:05}/{theirs:05}"),
                &format!("{sent:05}/{received:05}"),
                &it.lag.map_or_else(|| "-".to_owned(), |lag| format!("{lag:05}ms")),
                &format!("{:04}ms", it.jitter),
                // There is no buffer here: voice is passed on as it comes.
                "0000ms",
                it.format.as_deref().unwrap_or("none"),
                &it.lost.to_string(),
            ]);
        }
        let _ = writeln!(text, "{} active IAX channel{}", iax.channels.len(), plural(iax.channels.len()));
        text
    })
}

pub(super) fn stats(status: &Status) -> String {
    on(status, |iax| {
        let mut text = String::from("    IAX Statistics\n---------------------\n");
        let mut flow = |name: &str, sent: &Flow, received: &Flow, calls: Option<usize>| {
            let _ = writeln!(text, "{name}");
            for (way, flow) in [("sent", sent), ("received", received)] {
                let each = calls.filter(|calls| *calls > 0).map_or_else(String::new, |calls| {
                    format!(", {} kbit/s a call", flow.rate / 1000 / u64::try_from(calls).unwrap_or(1))
                });
                let _ = writeln!(
                    text,
                    "  {way:<8}  {} datagrams ({} trunk frames), {} bytes, {} kbit/s{each}",
                    flow.datagrams,
                    flow.trunk_frames,
                    flow.bytes,
                    flow.rate / 1000
                );
            }
        };
        for peer in &iax.peers {
            let trunk = if peer.trunk { ", trunk" } else { "" };
            let name = format!("{}: {} call{}{trunk}", peer.name, peer.calls, plural(peer.calls));
            flow(&name, &peer.sent, &peer.received, Some(peer.calls));
        }
        flow("All", &iax.sent, &iax.received, None);
        for (name, count) in &iax.counters {
            let _ = writeln!(text, "{}: {count}", name.replace('_', " "));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{IaxChannel, IaxPeer, IaxRegistration};

    fn status() -> Status {
        let flow = Flow { datagrams: 50, bytes: 10_000, trunk_frames: 40, rate: 160_000 };
        let iax = Iax {
            peers: vec![
                IaxPeer {
                    name: "zone1".to_owned(),
                    address: Some("192.168.0.3:4569".to_owned()),
                    dynamic: true,
                    trunk: true,
                    state: "OK",
                    delay: Some(1.4),
                    calls: 2,
                    sent: flow,
                    received: flow,
                    ..IaxPeer::default()
                },
                IaxPeer { name: "other".to_owned(), state: "UNKNOWN", ..IaxPeer::default() },
            ],
            registrations: vec![IaxRegistration {
                host: "192.168.0.3:4569".to_owned(),
                username: "zone2".to_owned(),
                perceived: Some("192.168.0.2:4569".to_owned()),
                refresh: 60,
                state: "Registered",
                since: Some(1),
            }],
            channels: vec![IaxChannel {
                channel: "IAX2/zone1-16385".to_owned(),
                peer: "zone1".to_owned(),
                address: "192.168.0.3:4569".to_owned(),
                numbers: (16_385, 77),
                sequence: (3, 5),
                lag: Some(2),
                format: Some("PCMU".to_owned()),
                ..IaxChannel::default()
            }],
            sent: flow,
            received: flow,
            ..Iax::default()
        };
        Status { iax: Some(iax), ..Status::default() }
    }

    #[test]
    fn the_columns_are_asterisks() {
        let shown = peers(&status());
        let lines: Vec<_> = shown.lines().collect();
        assert!(lines[0].starts_with("Name/Username    Host "), "{shown}");
        assert!(lines[1].starts_with("zone1            192.168.0.3 ") && lines[1].contains("(D)"), "{shown}");
        assert!(lines[1].contains("4569  (T)") && lines[1].trim_end().ends_with("OK (1 ms)"), "{shown}");
        assert!(lines[2].contains("(null)") && lines[2].trim_end().ends_with("UNKNOWN"), "{shown}");
        assert_eq!(lines[3], "2 iax2 peers [1 online, 1 offline, 0 unmonitored]");
        let shown = registry(&status());
        assert!(shown.lines().nth(1).unwrap().ends_with("      60  Registered"), "{shown}");
        assert!(shown.contains("zone2       192.168.0.2:4569") && shown.ends_with("1 IAX2 registrations.\n"));
        let shown = channels(&status());
        assert!(shown.contains("16385/00077  00003/00005  00002ms  0000ms"), "{shown}");
        assert!(shown.ends_with("1 active IAX channel\n"));
        let shown = stats(&status());
        assert!(shown.contains("50 datagrams (40 trunk frames), 10000 bytes, 160 kbit/s, 80 kbit/s a call"), "{shown}");
        assert_eq!(peers(&Status::default()), OFF);
    }
}
