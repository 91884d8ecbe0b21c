//! `core show channels` and its like.

use std::fmt::Write as _;

use super::{line, plural};
use crate::status::{Call, Side, Status};

/// A channel with what Asterisk shows of it.
pub(super) struct Channel<'a> {
    pub(super) side: &'a Side,
    /// Whom it talks to, or will.
    pub(super) peer: Option<&'a Side>,
    pub(super) call: &'a Call,
    /// It was called by us.
    pub(super) outgoing: bool,
}

impl Channel<'_> {
    fn location(&self) -> String {
        if self.outgoing {
            return "(None)".to_owned();
        }
        let step = &self.call.step;
        format!("{}@{}:{}", step.extension, step.context, step.priority)
    }

    pub(super) fn application(&self) -> (&str, &str) {
        if self.outgoing { ("AppDial", "(Outgoing Line)") } else { (&self.call.application, &self.call.data) }
    }

    fn bridged(&self) -> &str {
        self.peer.filter(|peer| peer.state == "Up" && self.side.state == "Up").map_or("(None)", |peer| &peer.channel)
    }

    pub(super) fn seconds(&self, status: &Status) -> u64 {
        status.at.saturating_sub(self.side.began) / 1000
    }

    fn extension(&self) -> (&str, &str, u32) {
        let step = &self.call.step;
        if self.outgoing { (&step.context, "", 1) } else { (&step.context, &step.extension, step.priority) }
    }
}

pub(super) fn all(status: &Status) -> impl Iterator<Item = Channel<'_>> {
    status.calls.iter().flat_map(|call| {
        let caller = Channel { side: &call.caller, peer: call.callee.as_ref(), call, outgoing: false };
        let called = call.callee.iter().chain(&call.others);
        let called = called.map(move |side| Channel { side, peer: Some(&call.caller), call, outgoing: true });
        std::iter::once(caller).chain(called)
    })
}

pub(super) fn table(status: &Status) -> String {
    let mut text = line(&[("Channel", 20), ("Location", 20), ("State", 7), ("Application(Data)", 30)]);
    let mut rows = 0;
    for channel in all(status) {
        rows += 1;
        let (application, data) = channel.application();
        let application = format!("{application}({data})");
        let location = channel.location();
        text += &line(&[(&channel.side.channel, 20), (&location, 20), (channel.side.state, 7), (&application, 30)]);
    }
    let _ = writeln!(text, "{rows} active channel{}", plural(rows));
    text + &calls(status)
}

pub(super) fn concise(status: &Status) -> String {
    let mut text = String::new();
    for channel in all(status) {
        let (context, extension, priority) = channel.extension();
        let (application, data) = channel.application();
        let Side { channel: name, state, number, unique, .. } = channel.side;
        let account = |side: Option<&Side>| side.and_then(|side| side.peer.clone()).unwrap_or_default();
        let (account, of_peer) = (account(Some(channel.side)), account(channel.peer));
        let (seconds, bridged) = (channel.seconds(status), channel.bridged());
        let _ = writeln!(
            text,
            "{name}!{context}!{extension}!{priority}!{state}!{application}!{data}!{number}!{account}!{of_peer}!3!{seconds}!\
             {bridged}!{unique}"
        );
    }
    text
}

pub(super) fn verbose(status: &Status) -> String {
    let mut text = line(&[
        ("Channel", 20),
        ("Context", 20),
        ("Extension", 16),
        ("Prio", 4),
        ("State", 7),
        ("Application", 12),
        ("Data", 25),
        ("CallerID", 15),
        ("Duration", 8),
        ("Accountcode", 11),
        ("PeerAccount", 11),
        ("BridgedTo", 20),
    ]);
    let mut rows = 0;
    for channel in all(status) {
        rows += 1;
        let (context, extension, priority) = channel.extension();
        let (application, data) = channel.application();
        let account = |side: Option<&Side>| side.and_then(|side| side.peer.clone()).unwrap_or_default();
        text += &line(&[
            (&channel.side.channel, 20),
            (context, 20),
            (extension, 16),
            (&format!("{priority:>4}"), 4),
            (channel.side.state, 7),
            (application, 12),
            (data, 25),
            (&channel.side.number, 15),
            (&clock(channel.seconds(status)), 8),
            (&account(Some(channel.side)), 11),
            (&account(channel.peer), 11),
            (channel.bridged(), 20),
        ]);
    }
    let _ = writeln!(text, "{rows} active channel{}", plural(rows));
    text + &calls(status)
}

pub(super) fn one(status: &Status, name: &str) -> Result<String, String> {
    let channel = all(status).find(|channel| channel.side.channel == name);
    let channel = channel.ok_or_else(|| format!("{name} is not a known channel\n"))?;
    let (context, extension, priority) = channel.extension();
    let (application, data) = channel.application();
    let side = channel.side;
    let technology = name.split('/').next().unwrap_or_default();
    let known = |text: &str| if text.is_empty() { "(N/A)".to_owned() } else { text.to_owned() };
    let rows = [
        ("Name", name.to_owned()),
        ("Type", technology.to_owned()),
        ("UniqueID", side.unique.clone()),
        ("Caller ID", known(&side.number)),
        ("Caller ID Name", known(side.name.as_deref().unwrap_or_default())),
        ("Address", known(&side.address)),
        ("State", side.state.to_owned()),
        ("NativeFormats", format!("({})", side.codec.as_deref().unwrap_or("nothing").to_lowercase())),
        ("On hold", if side.held { "Yes" } else { "No" }.to_owned()),
        ("Elapsed Time", clock(channel.seconds(status))),
        ("Bridged to", channel.bridged().to_owned()),
    ];
    let steps = [
        ("Context", context.to_owned()),
        ("Extension", extension.to_owned()),
        ("Priority", priority.to_string()),
        ("Application", application.to_owned()),
        ("Data", if data.is_empty() { "(Empty)".to_owned() } else { data.to_owned() }),
    ];
    let mut text = " -- General --\n".to_owned();
    for (title, value) in rows {
        let _ = writeln!(text, "{title:>15}: {value}");
    }
    text.push_str(" --   PBX   --\n");
    for (title, value) in steps {
        let _ = writeln!(text, "{title:>15}: {value}");
    }
    Ok(text)
}

pub(super) fn clock(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

pub(super) fn calls(status: &Status) -> String {
    let active = status.calls.len();
    let processed = status.calls_ended() + active as u64;
    format!(
        "{active} active call{}\n{processed} call{} processed\n",
        plural(active),
        if processed == 1 { "" } else { "s" }
    )
}
