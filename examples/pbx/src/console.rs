//! The console: `pbx -x "core show channels"` against the running program, in Asterisk's columns.

use std::{
    fmt::Write as _,
    io::{self, Read, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::{
    control::{Command, Control},
    http::REQUESTED_BY,
    status::{Call, Side, State, Status},
};

const HELP: &str = "\
core show calls                    how many calls there are
core show channels                 both sides of every call
core show channels concise         the same for scripts, fields parted by '!'
core show uptime                   how long the program runs
core show version                  which program this is
core stop gracefully               take no more calls, end with the last one, or after drain_time
core stop now                      hang up every call and end
channel request hangup CHANNEL     hang up the call of a channel
channel request hangup all         hang up every call
sip show peers                     every account and where its phone is
sip show registry                  where this program is registered itself
help                               this list
";

/// Carries out a command line.
///
/// # Errors
/// What to tell the person when there is no such command.
pub async fn run(control: &Control, line: &str) -> Result<String, String> {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let status = control.status();
    Ok(match words.as_slice() {
        ["help" | "?"] | ["core", "show", "help"] => HELP.to_owned(),
        ["core", "show", "channels"] => channels(&status),
        ["core", "show", "channels", "concise"] => channels_concise(&status),
        ["core", "show", "calls"] => calls(&status),
        ["core", "show", "uptime"] => uptime(&status),
        ["core", "show", "version"] => format!("Tandem PBX {}\n", env!("CARGO_PKG_VERSION")),
        ["sip", "show", "peers"] => peers(&status),
        ["sip", "show", "registry"] => registry(),
        ["core", "stop", "gracefully"] => {
            let sent = control.commands.send(Command::Drain).await.is_ok();
            if sent {
                "No more calls are taken; ending with the last one, or after drain_time.\n"
            } else {
                "Ending already.\n"
            }
            .to_owned()
        }
        ["core", "stop", "now"] => {
            let sent = control.commands.send(Command::Stop).await.is_ok();
            if sent { "Ending now.\n" } else { "Ending already.\n" }.to_owned()
        }
        ["channel", "request", "hangup", "all"] => {
            let mut hung_up = 0;
            for call in &status.calls {
                hung_up += usize::from(control.hangup(call.id).await);
            }
            format!("Requested hangup on {hung_up} call{}\n", plural(hung_up))
        }
        ["channel", "request", "hangup", channel] => hangup(control, &status, channel).await?,
        [] => return Err("say what to do; `pbx -x help` lists the commands\n".to_owned()),
        _ => {
            let line = words.join(" ");
            return Err(format!("No such command '{line}' (type 'help' for the list of commands)\n"));
        }
    })
}

async fn hangup(control: &Control, status: &Status, channel: &str) -> Result<String, String> {
    let has = |side: &Side| side.channel == channel;
    let call = status.calls.iter().find(|call| has(&call.caller) || call.callee.as_ref().is_some_and(has));
    match call {
        Some(call) if control.hangup(call.id).await => Ok(format!("Requested Hangup on channel '{channel}'\n")),
        _ => Err(format!("{channel} is not a known channel\n")),
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Left-aligned, and cut when it is too long, as `%-20.20s`.
fn cell(text: &str, width: usize) -> String {
    let cut: String = text.chars().take(width).collect();
    format!("{cut:<width$}")
}

struct Channel<'a> {
    side: &'a Side,
    peer: Option<&'a Side>,
    exten: &'a str,
    state: &'static str,
    application: &'static str,
    data: &'a str,
    call: &'a Call,
}

fn all_channels(status: &Status) -> Vec<Channel<'_>> {
    let mut rows = Vec::new();
    for call in &status.calls {
        // The caller hears ringing while the called phone rings.
        let (caller, callee) = match call.state {
            State::Calling => ("Ring", "Down"),
            State::Ringing => ("Ring", "Ringing"),
            State::Up | State::Ending => ("Up", "Up"),
        };
        rows.push(Channel {
            side: &call.caller,
            peer: call.callee.as_ref(),
            exten: &call.dialled,
            state: caller,
            application: call.application,
            data: &call.data,
            call,
        });
        if let Some(side) = &call.callee {
            rows.push(Channel {
                side,
                peer: Some(&call.caller),
                exten: &call.dialled,
                state: callee,
                application: "AppDial",
                data: "(Outgoing Line)",
                call,
            });
        }
    }
    rows
}

fn channels(status: &Status) -> String {
    let mut text = String::new();
    let mut row = |channel: &str, location: &str, state: &str, application: &str| {
        let _ =
            writeln!(text, "{} {} {} {}", cell(channel, 20), cell(location, 20), cell(state, 7), cell(application, 30));
    };
    row("Channel", "Location", "State", "Application(Data)");
    let channels = all_channels(status);
    for channel in &channels {
        let location =
            if channel.application == "AppDial" { "(None)".to_owned() } else { format!("{}@default:1", channel.exten) };
        row(&channel.side.channel, &location, channel.state, &format!("{}({})", channel.application, channel.data));
    }
    let (rows, calls) = (channels.len(), status.calls.len());
    let _ = writeln!(text, "{rows} active channel{}", plural(rows));
    text.push_str(&self::calls(status));
    debug_assert!(calls <= rows);
    text
}

fn channels_concise(status: &Status) -> String {
    let mut text = String::new();
    for Channel { side, peer, exten, state, application, data, call } in all_channels(status) {
        let seconds = status.at.saturating_sub(call.answered.unwrap_or(call.started)) / 1000;
        let bridged = peer.filter(|_| call.answered.is_some()).map_or("(None)", |peer| peer.channel.as_str());
        let (channel, number) = (&side.channel, &side.number);
        let _ = writeln!(
            text,
            "{channel}!default!{exten}!1!{state}!{application}!{data}!{number}!!!3!{seconds}!{bridged}!{}.{}",
            call.started / 1000,
            call.id
        );
    }
    text
}

fn calls(status: &Status) -> String {
    let active = status.calls.len();
    let processed = status.calls_ended() + active as u64;
    format!(
        "{active} active call{}\n{processed} call{} processed\n",
        plural(active),
        if processed == 1 { "" } else { "s" }
    )
}

fn uptime(status: &Status) -> String {
    let seconds = status.at.saturating_sub(status.started) / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let mut parts = Vec::new();
    for (count, unit) in [(days, "day"), (hours, "hour"), (minutes, "minute"), (seconds % 60, "second")] {
        if count > 0 {
            parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    let told = if parts.is_empty() { "0 seconds".to_owned() } else { parts.join(", ") };
    format!("System uptime: {told}\n")
}

fn peers(status: &Status) -> String {
    let mut text = String::new();
    let mut row = |cells: [&str; 8]| {
        let widths = [25, 39, 3, 10, 10, 3, 8, 11];
        for (value, width) in cells.iter().zip(widths) {
            let _ = write!(text, "{} ", cell(value, width));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    };
    row(["Name/username", "Host", "Dyn", "Forcerport", "Comedia", "ACL", "Port", "Status"]);
    let (mut online, mut offline) = (0, 0);
    for account in &status.accounts {
        let name = format!("{}/{}", account.name, account.name);
        if account.bindings.is_empty() {
            offline += 1;
            row([&account.name, "(Unspecified)", "D", "Yes", "Yes", "", "0", "Unmonitored"]);
        } else {
            online += 1;
        }
        for binding in &account.bindings {
            let (host, port) = binding.address.rsplit_once(':').unwrap_or((&binding.address, "0"));
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let state = if binding.reachable { "Unmonitored" } else { "UNREACHABLE" };
            row([&name, host, "D", "Yes", "Yes", "", port, state]);
        }
    }
    let peers = status.accounts.len();
    let _ = writeln!(
        text,
        "{peers} sip peer{} [Monitored: 0 online, 0 offline Unmonitored: {online} online, {offline} offline]",
        plural(peers)
    );
    text
}

fn registry() -> String {
    let header = [("Host", 39), ("dnsmgr", 6), ("Username", 12), ("Refresh", 9), ("State", 20), ("Reg.Time", 25)];
    let header: Vec<_> = header.iter().map(|(name, width)| cell(name, *width)).collect();
    format!("{}\n0 SIP registrations.\n", header.join(" ").trim_end())
}

/// Sends a command line to the program whose page is at `address`.
///
/// # Errors
/// When it cannot be reached.
pub fn ask(address: SocketAddr, line: &str) -> io::Result<Result<String, String>> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        stream,
        "POST /console HTTP/1.1\r\nHost: {address}\r\n{REQUESTED_BY}: console\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{line}",
        line.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "what listens there is not this program");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let code = head.split_ascii_whitespace().nth(1).ok_or_else(broken)?;
    match code {
        "200" => Ok(Ok(body.to_owned())),
        "400" | "403" => Ok(Err(body.to_owned())),
        _ => Err(broken()),
    }
}
