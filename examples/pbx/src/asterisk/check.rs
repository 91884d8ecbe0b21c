//! What no single file says: names that lead nowhere, and secrets that everybody guesses.

use std::{collections::HashSet, net::SocketAddr};

use super::{
    file::{Place, Severity},
    same_place,
    settings::{Report, nearest},
};
use crate::{
    config::{Account, Address, Config, DEMO_SECRET, Secret},
    dialplan::Dialplan,
};

/// Where the sections of accounts and peers begin.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub accounts: Vec<(String, Place)>,
    pub peers: Vec<(String, Place)>,
}

pub(super) fn check(config: &Config, places: &Places, report: &mut Report) {
    contexts(config, places, report);
    same_place::check(config, places, report);
    for (application, arguments, place) in config.dialplan.steps() {
        if application.eq_ignore_ascii_case("Dial") {
            dial(config, arguments, place, report);
        }
    }
    exposed(config, report);
}

/// Calls begin in contexts that there are.
fn contexts(config: &Config, places: &Places, report: &mut Report) {
    for (account, (_, place)) in config.accounts.iter().zip(&places.accounts) {
        let calls = account.secret.is_some()
            || account.md5_secret.is_some()
            || account.trust_address
            || !account.trusted.is_empty();
        if calls {
            context(&config.dialplan, &account.name, &account.context, place, report);
        }
    }
    for (peer, (_, place)) in config.iax.peers.iter().zip(&places.peers) {
        for name in peer.contexts.iter().filter(|_| peer.may_call) {
            context(&config.dialplan, &peer.name, name, place, report);
        }
    }
}

fn context(plan: &Dialplan, account: &str, context: &str, place: &Place, report: &mut Report) {
    if plan.has_context(context) {
        return;
    }
    let guess = nearest(context, plan.contexts()).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    let message = format!(
        "[{account}]: calls begin in the context `{context}`, which is not in extensions.conf: they reach nothing{guess}"
    );
    report.warning(place, message);
}

/// The peers that a Dial names, where no variable stands for them.
fn dial(config: &Config, arguments: &str, place: &Place, report: &mut Report) {
    for target in targets(arguments) {
        let Some((technology, resource)) = target.split_once('/') else { continue };
        if resource.is_empty() {
            continue;
        }
        match technology.trim().to_ascii_uppercase().as_str() {
            "SIP" | "PJSIP" => {
                let peer = sip_peer(technology.eq_ignore_ascii_case("PJSIP"), resource);
                let names = || config.accounts.iter().map(|account| account.name.as_str());
                if is_open(peer) || names().any(|name| name == peer) {
                    continue;
                }
                let nowhere = "the call gets CHANUNAVAIL";
                report
                    .warning(place, format!("Dial: there is no SIP peer `{peer}`: {nowhere}{}", guess(peer, names())));
            }
            "IAX2" => {
                let peer = resource.split_once('/').map_or(resource, |(peer, _)| peer);
                // `user:secret@host` needs no section.
                let peer = peer.split_once('@').map_or(peer, |(_, host)| host);
                let names = || config.iax.peers.iter().map(|peer| peer.name.as_str());
                if is_open(peer) || names().any(|name| name == peer) {
                    if let Some(user) = config.iax.peer(peer).filter(|peer| peer.address == Address::Nowhere) {
                        let message = format!(
                            "Dial: the IAX2 peer `{}` has `type=user` and is never called: expected `type=friend` or `peer`",
                            user.name
                        );
                        report.warning(place, message);
                    }
                    continue;
                }
                let nowhere = "the call gets CHANUNAVAIL";
                report
                    .warning(place, format!("Dial: there is no IAX2 peer `{peer}`: {nowhere}{}", guess(peer, names())));
            }
            "LOCAL" => {
                let context = resource.split_once('@').map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
                if let Some(context) = context
                    && !context.contains('$')
                    && !config.dialplan.has_context(context)
                {
                    let message =
                        format!("Dial: there is no context `{context}`{}", guess(context, config.dialplan.contexts()));
                    report.warning(place, message);
                }
            }
            _ => {}
        }
    }
}

fn guess<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    nearest(name, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The first argument, split at `&`; without what is in brackets or braces being split.
fn targets(arguments: &str) -> Vec<&str> {
    let mut depth = 0usize;
    let mut found = Vec::new();
    let mut from = 0;
    let mut end = arguments.len();
    for (at, byte) in arguments.bytes().enumerate() {
        match byte {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            b'&' if depth == 0 => {
                found.push(arguments.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            b',' if depth == 0 => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    found.push(arguments.get(from..end).unwrap_or_default());
    found.into_iter().map(str::trim).filter(|target| !target.is_empty()).collect()
}

/// The peer of `peer`, `peer/extension`, `extension@peer`, and for PJSIP `peer/sip:uri`.
fn sip_peer(is_pjsip: bool, resource: &str) -> &str {
    let resource = resource.split_once('!').map_or(resource, |(resource, _)| resource);
    match resource.rsplit_once('@') {
        Some((before, peer)) if !(is_pjsip && before.contains('/')) => peer,
        _ => resource.split_once('/').map_or(resource, |(peer, _)| peer),
    }
}

/// Whether it is known only at run time, or names a host.
fn is_open(peer: &str) -> bool {
    peer.is_empty() || peer.contains(['$', '.', ':'])
}

/// Secrets that are tried first by whoever scans.
const GUESSED: &[&str] = &[
    DEMO_SECRET,
    "0000",
    "1111",
    "12345",
    "123456",
    "1234567",
    "12345678",
    "123456789",
    "password",
    "passwd",
    "secret",
    "admin",
    "asterisk",
    "test",
    "changeme",
    "abc123",
    "qwerty",
];

/// Secrets that everybody guesses on addresses that others reach.
fn exposed(config: &Config, report: &mut Report) {
    let outside = |addresses: &[SocketAddr]| addresses.iter().find(|address| !address.ip().is_loopback()).copied();
    let weak = |name: &str, secret: Option<&Secret>| {
        secret.is_some_and(|secret| {
            let secret = secret.expose();
            secret == name || GUESSED.contains(&secret.to_ascii_lowercase().as_str())
        })
    };
    let sip: Vec<_> = config.accounts.iter().filter(|account| weak(&account.name, account.secret.as_ref())).collect();
    if let Some(address) = outside(&[config.sip.udp.as_slice(), &config.sip.tcp].concat())
        && !sip.is_empty()
    {
        tell("SIP", address, &names(sip.iter().map(|account: &&Account| account.name.as_str())), report);
    }
    let iax = config.iax.peers.iter().filter(|peer| weak(&peer.name, peer.secret.as_ref()));
    let iax: HashSet<_> = iax.map(|peer| peer.name.as_str()).collect();
    if let Some(address) = outside(&config.iax.listen)
        && !iax.is_empty()
    {
        let in_order = config.iax.peers.iter().map(|peer| peer.name.as_str()).filter(|name| iax.contains(name));
        tell("IAX2", address, &names(in_order), report);
    }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    let shown = names.iter().take(8).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 8 { format!("{shown} and {} more", names.len() - 8) } else { shown }
}

fn tell(what: &str, address: SocketAddr, names: &str, report: &mut Report) {
    let message = format!(
        "DANGER: {what} is heard on {address}, which others may reach, and the secrets of {names} are the first that anybody tries: \
         whoever guesses one calls at your expense. Give them long random secrets, or listen on 127.0.0.1"
    );
    report.anywhere(Severity::Warning, message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_of_a_dial_are_split_outside_of_braces() {
        assert_eq!(
            targets("SIP/1001&IAX2/zone/${IF($[1&0]?a:b)}@x,30,r"),
            ["SIP/1001", "IAX2/zone/${IF($[1&0]?a:b)}@x"]
        );
        assert_eq!(targets("SIP/1001"), ["SIP/1001"]);
        assert_eq!(targets(",30"), Vec::<&str>::new());
    }

    #[test]
    fn a_sip_peer_stands_before_the_slash_or_behind_the_at() {
        assert_eq!(sip_peer(false, "1001"), "1001");
        assert_eq!(sip_peer(false, "trunk/${EXTEN}"), "trunk");
        assert_eq!(sip_peer(false, "${EXTEN}@trunk"), "trunk");
        assert_eq!(sip_peer(true, "trunk/sip:100@example.com"), "trunk");
        assert_eq!(sip_peer(true, "${EXTEN}@trunk"), "trunk");
    }
}
