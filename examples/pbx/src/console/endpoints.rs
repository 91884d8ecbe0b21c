//! `pjsip show endpoints`.

use std::fmt::{self, Write as _};

use md5::{Digest, Md5};

use super::{
    cell,
    channels::{self, Channel, clock},
};
use crate::status::{Account, Status};

/// What stands in which column.
const HEAD: &str = "
 Endpoint:  <Endpoint/CID.....................................>  <State.....>  <Channels.>
    I/OAuth:  <AuthId/UserName...........................................................>
        Aor:  <Aor............................................>  <MaxContact>
      Contact:  <Aor/ContactUri..........................> <Hash....> <Status> <RTT(ms)..>
  Transport:  <TransportId........>  <Type>  <cos>  <tos>  <BindAddress..................>
   Identify:  <Identify/Endpoint.........................................................>
        Match:  <criteria.........................>
    Channel:  <ChannelId......................................>  <State.....>  <Time.....>
        Exten: <DialedExten...........>  CLCID: <ConnectedLineCID.......>
==========================================================================================

";

/// Every account, also those of `sip.conf` and of our own file. Auth, aor and identify have the name of the endpoint: which
/// names they have in `pjsip.conf` is not kept.
pub(super) fn table(status: &Status) -> String {
    if status.accounts.is_empty() {
        return "No objects found.\n\n".to_owned();
    }
    let mut text = HEAD.to_owned();
    for account in &status.accounts {
        endpoint(&mut text, status, account);
        text.push('\n');
    }
    let _ = writeln!(text, "\nObjects found: {}\n", status.accounts.len());
    text
}

fn row(text: &mut String, row: fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{row}");
}

fn endpoint(text: &mut String, status: &Status, account: &Account) {
    let (name, settings) = (&account.name, &account.settings);
    let reachable = account.fixed.is_some() || account.bindings.iter().any(|binding| binding.reachable);
    let state = match (account.calls, settings.calls) {
        (0, _) if !reachable => "Unavailable",
        (0, _) => "Not in use",
        (calls, Some(limit)) if calls >= limit => "Busy",
        _ => "In use",
    };
    let most = settings.calls.map_or_else(|| "inf".to_owned(), |most| most.to_string());
    let shown = settings.number.as_ref().map_or_else(|| name.clone(), |number| format!("{name}/{number}"));
    row(text, format_args!(" Endpoint:  {}  {}  {} of {most}", cell(&shown, 51), cell(state, 12), account.calls));
    if let Some(user) = &settings.user {
        row(text, format_args!("     InAuth:  {name}/{user}"));
    }
    if let Some(user) = &settings.remote_user {
        row(text, format_args!("    OutAuth:  {name}/{user}"));
    }
    row(text, format_args!("        Aor:  {}  {}", cell(name, 49), settings.contacts));
    if let Some(place) = &account.fixed {
        contact(text, account, &format!("sip:{place}"), true);
    }
    for binding in &account.bindings {
        contact(text, account, &binding.contact, binding.reachable);
    }
    if let Some(transport) = settings.transport {
        let transport = transport.to_lowercase();
        let of = |listener: &String| listener.strip_prefix(&transport).map(|address| address.trim().to_owned());
        let bind = status.listeners.iter().find_map(of).unwrap_or_default();
        row(text, format_args!("  Transport:  {}  {transport:>6}  {:>5}  {:>5}  {bind}", cell(&transport, 21), 0, 0));
    }
    if !settings.networks.is_empty() {
        row(text, format_args!("   Identify:  {name}/{name}"));
        for network in &settings.networks {
            row(text, format_args!("        Match: {network}"));
        }
    }
    let own =
        |channel: &Channel<'_>| channel.side.channel.starts_with("SIP/") && channel.side.peer.as_ref() == Some(name);
    for channel in channels::all(status).filter(own) {
        let id = format!("{}/{}", channel.side.channel, channel.application().0);
        let time = clock(channel.seconds(status));
        row(text, format_args!("    Channel: {}  {}  {time:<11}", cell(&id, 50), cell(channel.side.state, 12)));
        let number = if channel.outgoing { "" } else { &channel.call.dialled };
        let (name, other) = channel.peer.map_or(("", channel.call.dialled.as_str()), |peer| {
            (peer.name.as_deref().unwrap_or_default(), &peer.number)
        });
        row(text, format_args!("        Exten: {}  CLCID: \"{name}\" <{other}>", cell(number, 24)));
    }
}

fn contact(text: &mut String, account: &Account, uri: &str, reachable: bool) {
    let status = match &account.qualify {
        _ if !reachable => "Unavail",
        Some(qualify) if qualify.reachable => "Avail",
        Some(_) => "Unavail",
        None => "NonQual",
    };
    let time = account.qualify.as_ref().and_then(|qualify| qualify.milliseconds);
    let time = time.map_or_else(|| "nan".to_owned(), |time| format!("{time}.000"));
    let hash: String = Md5::digest(uri).iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{}/{uri}", account.name);
    row(text, format_args!("      Contact:  {} {hash} {} {time:>11}", cell(&name, 42), cell(status, 7)));
}
