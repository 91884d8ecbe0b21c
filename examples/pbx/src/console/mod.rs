//! The console: `pbx -x "core show channels"` against the running program, in Asterisk's columns.

mod channels;
mod endpoints;
mod iax;
mod peers;

use std::{
    io::{self, Read, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::{
    control::{Command, Control},
    http::REQUESTED_BY,
    status::{Side, Status},
};

const HELP: &str = "\
core show calls                    how many calls there are
core show channels                 both sides of every call
core show channels concise         the same for scripts, fields parted by '!'
core show channels verbose         the same with all that is known
core show channel CHANNEL          one of them
dialplan show                      what is done with which number
dialplan show CONTEXT              the same of one context
core show uptime                   how long the program runs
core show version                  which program this is
core stop gracefully               take no more calls, end with the last one, or after drain_time
core stop now                      hang up every call and end
channel request hangup CHANNEL     hang up the call of a channel
channel request hangup all         hang up every call
sip show peers                     every account and where its phone is
pjsip show endpoints               the same, with what identifies each, its phones and its channels
iax2 show peers                    other exchanges, where they are and how they are reached
iax2 show registry                 where this program is registered with IAX2
iax2 show channels                 the calls over IAX2
iax2 show stats                    what goes over each trunk
sip show registry                  where this program is registered itself
help                               this list
";

/// Carries out a command line.
///
/// # Errors
/// What to tell the person when there is no such command.
pub async fn run(control: &Control, line: &str) -> Result<String, String> {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let status = control.fresh_status().await;
    Ok(match words.as_slice() {
        ["help" | "?"] | ["core", "show", "help"] => HELP.to_owned(),
        ["core", "show", "channels"] => channels::table(&status),
        ["core", "show", "channels", "concise"] => channels::concise(&status),
        ["core", "show", "channels", "verbose"] => channels::verbose(&status),
        ["core", "show", "channel", channel] => channels::one(&status, channel)?,
        ["core", "show", "calls"] => channels::calls(&status),
        ["dialplan", "show"] => dialplan(&status, None)?,
        ["dialplan", "show", context] => dialplan(&status, Some(context))?,
        ["core", "show", "uptime"] => uptime(&status),
        ["core", "show", "version"] => format!("Tandem PBX {}\n", env!("CARGO_PKG_VERSION")),
        ["sip", "show", "peers"] => peers::sip(&status),
        ["pjsip", "show", "endpoints"] => endpoints::table(&status),
        ["sip", "show", "registry"] => peers::registry(&status),
        ["iax2", "show", "peers"] => iax::peers(&status),
        ["iax2", "show", "registry"] => iax::registry(&status),
        ["iax2", "show", "channels"] => iax::channels(&status),
        ["iax2", "show", "stats"] => iax::stats(&status),
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
    let call = status.calls.iter().find(|call| call.sides().any(has));
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

/// A line of cells.
fn line(cells: &[(&str, usize)]) -> String {
    let cells: Vec<_> = cells.iter().map(|(text, width)| cell(text, *width)).collect();
    format!("{}\n", cells.join(" "))
}

fn dialplan(status: &Status, context: Option<&str>) -> Result<String, String> {
    if let Some(context) = context
        && !status.dialplan.has_context(context)
    {
        return Err(format!("There is no existence of '{context}' context\n"));
    }
    let lines = status.dialplan.lines(context);
    Ok(lines.into_iter().map(|line| line + "\n").collect())
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
