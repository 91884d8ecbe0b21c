//! `iax.conf`: other exchanges.

use std::{net::SocketAddr, time::Duration};

use iax2::{Encryption, Negotiation, Qualify, TokenPolicy, element::AuthMethods};

use super::{
    file::{Entry, File, Place, Section},
    settings::{Codecs, Report, quoted, read_host, read_yes},
    sip::{is_name, never_called},
};
use crate::config::{Address, DEFAULT_CONTEXT, Iax, IaxPeer, IaxRegistration, Network, Secret};

pub(super) const GENERAL: &str = "bindaddr bindport port context allow disallow trunkfreq trunktimestamps trunkmtu minregexpire \
    maxregexpire register auth encryption forceencryption codecpriority requirecalltoken \
    calltokenoptional maxcallnumbers delayreject jitterbuffer forcejitterbuffer bandwidth autokill \
    transfer qualify shrinkcallerid nochecksums callerid";

pub(super) const PEER: &str = "type host port secret username context peercontext auth trunk qualify qualifysmoothing qualifyfreqok \
    qualifyfreqnotok allow disallow codecpriority requirecalltoken encryption forceencryption deny \
    permit transfer callerid cid_number fullname inkeys outkey dbsecret jitterbuffer forcejitterbuffer \
    maxauthreq defaultip calllimit call-limit";

pub(super) const KNOWN: &[(&str, &str)] = &[
    ("mailbox mailboxdetail", "there is no voicemail here"),
    ("language mohinterpret mohsuggest musicclass musiconhold parkinglot adsi tonezone", "it has no meaning here"),
    ("accountcode amaflags", "records are written without account codes and flags"),
    (
        "maxjitterbuffer maxjitterinterps resyncthreshold jittertargetextra dropcount maxexcessbuffer minexcessbuffer \
         jittershrinkrate",
        "voice is passed on as it comes, and the phone's own jitter buffer smooths it",
    ),
    ("tos cos", "packets are not marked"),
    ("trunkmaxsize iaxthreadcount iaxmaxthreadcount iaxcompat thread poolsize autoprune", "it has no meaning here"),
    (
        "maxcallnumbers_nonvalidated rtcachefriends rtsavesysname rtupdate rtautoclear rtignoreregexpire \
         rtignoreexpire ignoreregexpire",
        "there is no database of peers here",
    ),
    (
        "subscribe_network_change_event authdebug regcontext regexten regserver allowfwdownload provisioning \
         sendani mask setvar connectedline immediate hasexten template acl srvlookup keyrotate ospserver \
         callingpres timezone description notransfer dialplan debug stunaddr bindaddr6",
        "this is not done here",
    ),
];

/// Reads the file.
pub(super) fn read(file: &File, report: &mut Report) -> (Iax, Vec<(String, Place)>) {
    let mut reader = Reader { report, general: General::default() };
    let mut iax = Iax::default();
    let mut places = Vec::new();
    let nothing = Section { name: "general".into(), template: false, place: start(), entries: Vec::new() };
    reader.general(file.section("general").unwrap_or(&nothing), &mut iax);
    for section in file.used().filter(|section| !section.name.eq_ignore_ascii_case("general")) {
        if section.name.eq_ignore_ascii_case("callnumberlimits") {
            reader.limits(section, &mut iax);
            continue;
        }
        let Some(peer) = reader.peer(section) else { continue };
        if let Some(known) = iax.peers.iter().position(|known| known.name == peer.name) {
            merge(&mut iax, known, peer, section, reader.report);
            continue;
        }
        places.push((peer.name.clone(), section.place.clone()));
        iax.peers.push(peer);
    }
    reader.reachable(&iax);
    (iax, places)
}

fn start() -> Place {
    Place { file: "iax.conf".into(), line: 1 }
}

/// In Asterisk a `type=user` and a `type=peer` may have one name: together they are a friend.
fn merge(iax: &mut Iax, known: usize, new: IaxPeer, section: &Section, report: &mut Report) {
    let Some(old) = iax.peers.get_mut(known) else { return };
    let (old_is_user, new_is_user) = (old.address == Address::Nowhere, new.address == Address::Nowhere);
    if old_is_user == new_is_user || (old.may_call && new.may_call) {
        let message = format!("[{}]: there is a section of this name already", section.name);
        report.error(&section.place, message);
        return;
    }
    let (user, peer) = if old_is_user { (old.clone(), new) } else { (new, old.clone()) };
    if user.secret.is_some() && peer.secret.is_some() && user.secret != peer.secret {
        let message =
            format!("[{}]: the `type=user` and the `type=peer` of this name have different secrets", section.name);
        report.error(&section.place, message);
    }
    let secret = user.secret.clone().or_else(|| peer.secret.clone());
    let codecs = user.codecs.clone().or_else(|| peer.codecs.clone());
    *old = IaxPeer {
        address: peer.address,
        username: peer.username,
        peer_context: peer.peer_context,
        trunk: peer.trunk || user.trunk,
        qualify: peer.qualify,
        secret,
        codecs,
        ..user
    };
}

#[derive(Debug, Default)]
struct General {
    context: Option<String>,
    codecs: Codecs,
    methods: Option<AuthMethods>,
    encryption: Option<(Encryption, Place)>,
    negotiation: Option<Negotiation>,
    transfer: Option<bool>,
    qualify: Option<Option<Duration>>,
    registers: Vec<(String, Place)>,
}

struct Reader<'a> {
    report: &'a mut Report,
    general: General,
}

impl Reader<'_> {
    fn general(&mut self, section: &Section, iax: &mut Iax) {
        let mut binds = Vec::new();
        let mut port = None;
        let mut force = None;
        for entry in &section.entries {
            let report = &mut *self.report;
            match entry.key.to_ascii_lowercase().as_str() {
                "bindaddr" => binds.extend(report.bind(entry)),
                "bindport" | "port" => port = report.port(entry).or(port),
                "context" => self.general.context = report.context(entry),
                "allow" => self.general.codecs.line(entry, true, report),
                "disallow" => self.general.codecs.line(entry, false, report),
                "trunkfreq" => {
                    let read =
                        |text: &str| text.parse().ok().filter(|ms| (10..=1000).contains(ms)).map(Duration::from_millis);
                    if let Some(interval) = report.value(entry, "10 to 1000 milliseconds", read) {
                        iax.trunk_interval = interval;
                    }
                }
                "trunktimestamps" => iax.trunk_timestamps = report.yes(entry).unwrap_or(iax.trunk_timestamps),
                "trunkmtu" => {
                    let read =
                        |text: &str| text.parse().ok().filter(|mtu: &usize| *mtu == 0 || (172..=4000).contains(mtu));
                    match report.value(entry, "172 to 4000 bytes", read) {
                        Some(0) => {
                            let message = "`trunkmtu=0` is left out: trunk frames stay below 1240 bytes, so that none is cut in pieces";
                            report.warning(&entry.place, message);
                        }
                        Some(mtu) => iax.trunk_mtu = mtu,
                        None => {}
                    }
                }
                "minregexpire" => iax.min_expires = report.seconds(entry).unwrap_or(iax.min_expires),
                "maxregexpire" => iax.max_expires = report.seconds(entry).unwrap_or(iax.max_expires),
                "register" => iax.registrations.extend(register(entry, report, &mut self.general.registers)),
                "auth" => self.general.methods = methods(entry, report),
                "encryption" => {
                    self.general.encryption = encryption(entry, report).map(|how| (how, entry.place.clone()))
                }
                "forceencryption" => force = report.yes(entry).map(|yes| (yes, entry.place.clone())).or(force),
                "codecpriority" => self.general.negotiation = negotiation(entry, report),
                "requirecalltoken" => iax.token = token(entry, report).unwrap_or(iax.token),
                "calltokenoptional" => exempt(entry, iax, report),
                "maxcallnumbers" => {
                    iax.max_calls_per_address =
                        report.count(entry, 16_000).filter(|count| *count > 0).unwrap_or(iax.max_calls_per_address);
                }
                "transfer" => self.general.transfer = transfer(entry, report),
                "qualify" => self.general.qualify = qualify(entry, report),
                "callerid" => {
                    report.warning(&entry.place, "`callerid` of [general] is left out: say it for each peer");
                }
                "bandwidth" | "autokill" | "delayreject" | "jitterbuffer" | "forcejitterbuffer" | "shrinkcallerid"
                | "nochecksums" => {
                    one_way(entry, report);
                }
                _ => report.unused(entry, GENERAL, KNOWN, "[general] of iax.conf"),
            }
        }
        if let Some((true, place)) = force {
            self.general.encryption = Some((Encryption::Required, place));
        }
        if binds.is_empty() {
            binds.push((std::net::Ipv4Addr::UNSPECIFIED.into(), None));
        }
        let port = port.unwrap_or(iax2::DEFAULT_PORT);
        iax.listen = binds.into_iter().map(|(ip, own)| SocketAddr::new(ip, own.unwrap_or(port))).collect();
        if iax.min_expires > iax.max_expires {
            self.report.error(&section.place, "expected `minregexpire` to be at most `maxregexpire`");
        }
    }

    /// `[callnumberlimits]`: `10.1.1.0/255.255.255.0 = 24`.
    fn limits(&mut self, section: &Section, iax: &mut Iax) {
        for entry in &section.entries {
            if entry.key.parse::<Network>().is_err() {
                let message = format!("expected a network in front of the limit, found {}", quoted(&entry.key));
                self.report.error(&entry.place, message);
            } else if let Some(count) = self.report.count(entry, 16_000)
                && count > iax.max_calls_per_address
            {
                iax.max_calls_per_address = count;
            }
        }
        let message = "[callnumberlimits]: one limit is kept for all addresses, the largest that is said";
        self.report.warning(&section.place, message);
    }

    fn peer(&mut self, section: &Section) -> Option<IaxPeer> {
        let report = &mut *self.report;
        let name = &section.name;
        if !is_name(name) {
            let expected = "1 to 64 letters, digits, '.', '_', '-' or '+' (not beginning with '_')";
            let shown: String = name.chars().take(40).collect();
            report.error(&section.place, format!("[{shown}]: expected {expected} as the name of a peer"));
            return None;
        }
        let Some(kind) = section.entry("type") else {
            report.error(&section.place, format!("[{name}]: expected `type=friend`, `type=peer` or `type=user`"));
            return None;
        };
        let (may_call, may_be_called) = report.value(kind, "friend, peer or user", |text| {
            Some(match text.to_ascii_lowercase().as_str() {
                "friend" => (true, true),
                "peer" => (false, true),
                "user" => (true, false),
                _ => return None,
            })
        })?;
        let mut peer = IaxPeer { may_call, contexts: Vec::new(), ..IaxPeer::new(name) };
        peer.methods = self.general.methods.unwrap_or(AuthMethods::MD5);
        peer.negotiation = self.general.negotiation.unwrap_or(Negotiation::Host);
        peer.may_transfer = self.general.transfer.unwrap_or(false);
        let mut codecs = self.general.codecs.clone();
        let mut encrypted = self.general.encryption.clone();
        let mut force = None;
        let (mut host, mut port, mut trunk) = (None, None, None);
        let mut limit = self.general.qualify.flatten();
        let mut watch = Qualify::default();
        for entry in &section.entries {
            match entry.key.to_ascii_lowercase().as_str() {
                "type" => {}
                "host" => host = Some(entry),
                "port" => port = report.port(entry),
                "secret" => peer.secret = report.secret(entry),
                "username" => peer.username = report.word(entry),
                "context" => peer.contexts.extend(report.context(entry)),
                "peercontext" => peer.peer_context = report.context(entry),
                "auth" => peer.methods = methods(entry, report).unwrap_or(peer.methods),
                "trunk" => trunk = report.yes(entry).map(|yes| (yes, entry.place.clone())),
                "qualify" => limit = qualify(entry, report).unwrap_or(limit),
                "qualifysmoothing" => watch.smoothing = report.yes(entry).unwrap_or(watch.smoothing),
                "qualifyfreqok" => watch.good = milliseconds(entry, report).unwrap_or(watch.good),
                "qualifyfreqnotok" => watch.bad = milliseconds(entry, report).unwrap_or(watch.bad),
                "allow" => codecs.line(entry, true, report),
                "disallow" => codecs.line(entry, false, report),
                "codecpriority" => peer.negotiation = negotiation(entry, report).unwrap_or(peer.negotiation),
                "requirecalltoken" => peer.token = token(entry, report),
                "encryption" => encrypted = encryption(entry, report).map(|how| (how, entry.place.clone())),
                "forceencryption" => force = report.yes(entry).map(|yes| (yes, entry.place.clone())).or(force),
                "deny" => report.rules(entry, false, &mut peer.acl),
                "permit" => report.rules(entry, true, &mut peer.acl),
                "transfer" => peer.may_transfer = transfer(entry, report).unwrap_or(peer.may_transfer),
                "callerid" => (peer.caller_id, peer.caller_number) = report.caller(entry),
                "cid_number" => peer.caller_number = report.readable(entry),
                "fullname" => peer.caller_id = report.readable(entry),
                "calllimit" | "call-limit" => peer.max_calls = report.count(entry, 16_000).filter(|count| *count > 0),
                "inkeys" | "outkey" => {
                    let message =
                        format!("{}: RSA keys are not read here: expected `auth=md5` and a `secret`", entry.key);
                    report.error(&entry.place, message);
                }
                "dbsecret" => {
                    let message = "dbsecret: there is no database here: expected a `secret`";
                    report.error(&entry.place, message);
                }
                "maxauthreq" => {
                    report.warning(
                        &entry.place,
                        "`maxauthreq` is left out: the limit of calls from one address protects",
                    );
                }
                "defaultip" => {
                    report.warning(&entry.place, "`defaultip` is left out: before it registers a peer is not reached");
                }
                "jitterbuffer" | "forcejitterbuffer" => one_way(entry, report),
                _ => report.unused(entry, PEER, KNOWN, "a peer of iax.conf"),
            }
        }
        if let Some((true, place)) = force {
            encrypted = Some((Encryption::Required, place));
        }
        peer.encryption = encrypted.as_ref().map_or(Encryption::Off, |(how, _)| *how);
        if let Some((true, place)) = trunk {
            peer.trunk = true;
            if peer.encryption != Encryption::Off {
                let said = encrypted.map(|(_, place)| format!(" ({place})")).unwrap_or_default();
                let message = format!(
                    "trunk: expected `trunk=no` or `encryption=no`{said}: voice in trunks cannot be encrypted, and would travel in clear"
                );
                report.error(&place, message);
            }
        }
        if peer.contexts.is_empty() {
            let default = self.general.context.clone().unwrap_or_else(|| DEFAULT_CONTEXT.to_owned());
            peer.contexts.push(default);
        }
        peer.codecs = codecs.finish(report);
        peer.qualify = limit.map(|limit| Qualify { limit, ..watch });
        peer.address = match host {
            _ if !may_be_called => {
                never_called(section, &["host", "port"], report);
                Address::Nowhere
            }
            None => {
                report.error(&section.place, format!("[{name}]: expected `host=dynamic` or `host=` and an address"));
                return None;
            }
            Some(entry) if entry.value.eq_ignore_ascii_case("dynamic") => {
                if let Some(entry) = section.entry("port") {
                    let message = "`port` is left out: with `host=dynamic` the peer says where it is";
                    report.warning(&entry.place, message);
                }
                Address::Dynamic
            }
            Some(entry) => {
                let mut host = report.value(entry, "`dynamic`, or a host name or address", read_host)?;
                host.port = host.port.or(port);
                Address::Fixed(host)
            }
        };
        if may_call && peer.secret.is_none() {
            let message =
                format!("[{name}]: without `secret` everybody may call as `{name}`, into {}", peer.contexts.join(", "));
            report.warning(&section.place, message);
        }
        Some(peer)
    }

    /// Where we register we are called from: somebody must be allowed to.
    fn reachable(&mut self, iax: &Iax) {
        for (registration, (shown, place)) in iax.registrations.iter().zip(&self.general.registers) {
            let taken = iax.peers.iter().any(|peer| {
                let here = match &peer.address {
                    Address::Fixed(host) => host.host == registration.host.host,
                    Address::Dynamic | Address::Nowhere => true,
                };
                peer.may_call && here
            });
            if !taken {
                let message = format!(
                    "register: no section may take the calls that come from {shown}: expected one with `type=friend` or `type=user`"
                );
                self.report.warning(place, message);
            }
        }
    }
}

/// `register => user[:secret]@host[:port][?random]`.
fn register(entry: &Entry, report: &mut Report, places: &mut Vec<(String, Place)>) -> Option<IaxRegistration> {
    const EXPECTED: &str = "register: expected user:secret@host or user:secret@host:port";
    // What is found holds a secret: it is not shown.
    let Some((who, server)) = entry.value.rsplit_once('@') else {
        report.error(&entry.place, format!("{EXPECTED}; there is no `@`"));
        return None;
    };
    let (server, random) = server.split_once('?').map_or((server, None), |(server, rest)| (server, Some(rest)));
    if random.is_some() {
        report.warning(&entry.place, "register: what follows `?` is left out");
    }
    let (user, secret) = who.split_once(':').map_or((who, None), |(user, secret)| (user, Some(secret)));
    if user.is_empty() || user.len() > 79 || user.contains(|c: char| c.is_whitespace() || c.is_control()) {
        report.error(&entry.place, format!("{EXPECTED}; the user is missing or not one word"));
        return None;
    }
    if secret.is_some_and(|secret| secret.starts_with('[') && secret.ends_with(']')) {
        report.error(&entry.place, format!("{EXPECTED}; RSA keys are not read here"));
        return None;
    }
    let Some(host) = read_host(server) else {
        report.error(&entry.place, format!("{EXPECTED}; {} is no host", quoted(server)));
        return None;
    };
    let secret = secret.filter(|secret| !secret.is_empty()).map(Secret::new);
    places.push((host.host.to_string(), entry.place.clone()));
    Some(IaxRegistration { user: user.to_owned(), secret, host, refresh: IaxRegistration::REFRESH })
}

fn methods(entry: &Entry, report: &mut Report) -> Option<AuthMethods> {
    let mut methods = AuthMethods::empty();
    for part in entry.value.split(',').map(|part| part.trim().to_ascii_lowercase()) {
        match part.as_str() {
            "md5" => methods |= AuthMethods::MD5,
            "plaintext" => {
                methods |= AuthMethods::PLAINTEXT;
                report.warning(&entry.place, "auth: with `plaintext` the secret can be read on its way");
            }
            "rsa" => {
                report.error(&entry.place, "auth: expected md5; RSA keys are not read here");
                return None;
            }
            _ => {
                report.error(&entry.place, format!("auth: expected md5 or plaintext, found {}", quoted(&part)));
                return None;
            }
        }
    }
    Some(methods)
}

fn encryption(entry: &Entry, report: &mut Report) -> Option<Encryption> {
    report.value(entry, "yes, no or aes128", |text| match read_yes(text) {
        Some(true) => Some(Encryption::Offered),
        Some(false) => Some(Encryption::Off),
        None => text.to_ascii_lowercase().starts_with("aes128").then_some(Encryption::Offered),
    })
}

fn negotiation(entry: &Entry, report: &mut Report) -> Option<Negotiation> {
    report.value(entry, "host, caller, disabled or reqonly", |text| {
        Some(match text.to_ascii_lowercase().as_str() {
            "host" => Negotiation::Host,
            "caller" => Negotiation::Caller,
            "disabled" => Negotiation::Request,
            "reqonly" => Negotiation::RequestOnly,
            _ => return None,
        })
    })
}

fn token(entry: &Entry, report: &mut Report) -> Option<TokenPolicy> {
    report.value(entry, "yes, no or auto", |text| match read_yes(text) {
        Some(true) => Some(TokenPolicy::Required),
        Some(false) => Some(TokenPolicy::NotRequired),
        None => text.eq_ignore_ascii_case("auto").then_some(TokenPolicy::Auto),
    })
}

/// `calltokenoptional = 209.16.236.73/255.255.255.0`, also several with commas.
fn exempt(entry: &Entry, iax: &mut Iax, report: &mut Report) {
    for part in entry.value.split(',').map(str::trim) {
        match part.parse::<Network>() {
            Ok(network) => iax.token_exempt.push(network),
            Err(_) => {
                let message =
                    format!("calltokenoptional: expected a network such as 192.0.2.0/24, found {}", quoted(part));
                report.error(&entry.place, message);
            }
        }
    }
}

fn transfer(entry: &Entry, report: &mut Report) -> Option<bool> {
    if entry.value.eq_ignore_ascii_case("mediaonly") {
        let message = "transfer: `mediaonly` is left out: calls stay with this PBX";
        report.warning(&entry.place, message);
        return Some(false);
    }
    report.value(entry, "yes, no or mediaonly", read_yes)
}

fn qualify(entry: &Entry, report: &mut Report) -> Option<Option<Duration>> {
    report.value(entry, "yes, no or a number of milliseconds", |text| match read_yes(text) {
        Some(true) => Some(Some(Qualify::default().limit)),
        Some(false) => Some(None),
        None => text.parse().ok().filter(|limit| *limit <= 600_000).map(|limit| Some(Duration::from_millis(limit))),
    })
}

fn milliseconds(entry: &Entry, report: &mut Report) -> Option<Duration> {
    report.value(entry, "a number of milliseconds from 1000", |text| {
        text.parse().ok().filter(|ms| (1000..=86_400_000).contains(ms)).map(Duration::from_millis)
    })
}

/// Keys for which there is one way only: the other one is told of.
fn one_way(entry: &Entry, report: &mut Report) {
    let yes = read_yes(&entry.value);
    let why = match entry.key.to_ascii_lowercase().as_str() {
        "bandwidth" if entry.value.eq_ignore_ascii_case("high") => return,
        "bandwidth" => "say which codecs with `allow` and `disallow`",
        "autokill" if yes == Some(true) => return,
        "autokill" => "a peer that does not answer is given up after the protocol's own time",
        "delayreject" if yes == Some(true) => return,
        "delayreject" => "strangers never learn which names exist",
        "jitterbuffer" | "forcejitterbuffer" if yes == Some(false) => return,
        "jitterbuffer" | "forcejitterbuffer" => {
            "voice is passed on as it comes, and the phone's own jitter buffer smooths it"
        }
        "nochecksums" if yes == Some(false) => return,
        _ => "it has no meaning here",
    };
    report.warning(&entry.place, format!("`{}` is left out: {why}", entry.key));
}
