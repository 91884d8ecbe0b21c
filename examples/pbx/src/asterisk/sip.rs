//! `sip.conf`: the phones and peers of Asterisk's older SIP channel.

use std::{net::SocketAddr, time::Duration};

use sip_transaction::Transport;

use super::{
    file::{Entry, File, Place, Section},
    settings::{Codecs, Report, nearest, quoted, read_host, read_yes},
};
use crate::config::{Account, Acl, Address, DtmfMode, Network, Qualify, Secret, SipRegistration};

/// What `sip.conf` says.
#[derive(Debug, Default)]
pub(super) struct Sip {
    pub udp: Vec<SocketAddr>,
    pub tcp: Vec<SocketAddr>,
    pub advertised: Option<String>,
    pub media_address: Option<String>,
    pub realm: Option<String>,
    pub min_expires: Option<Duration>,
    pub max_expires: Option<Duration>,
    pub media_timeout: Option<Duration>,
    pub accounts: Vec<(Account, Place)>,
    pub registrations: Vec<SipRegistration>,
}

const PORT: u16 = 5060;

pub(super) const GENERAL: &str = "bindaddr udpbindaddr bindport port tcpenable tcpbindaddr realm context allow disallow externaddr \
    externip externhost media_address minexpiry minexpirey maxexpiry maxexpirey defaultexpiry \
    defaultexpirey qualify qualifyfreq transport dtmfmode rtptimeout register registertimeout \
    directmedia canreinvite allowguest alwaysauthreject nat callerid fromdomain contactdeny \
    contactpermit videosupport tlsenable encryption localnet udpenable call-limit";

pub(super) const PEER: &str = "type host port secret md5secret remotesecret context transport allow disallow callerid cid_number \
    fullname dtmfmode qualify qualifyfreq nat directmedia canreinvite deny permit insecure username \
    defaultuser fromuser fromdomain call-limit callbackextension videosupport encryption defaultip auth";

/// Keys that Asterisk knows and that have no meaning here; several with the same reason in one line.
pub(super) const KNOWN: &[(&str, &str)] = &[
    ("mailbox vmexten mwi_from unsolicited_mailbox buggymwi mwiexpiry notifymimetype", "there is no voicemail here"),
    (
        "callgroup pickupgroup namedcallgroup namedpickupgroup notifycid notifyringing notifyhold subscribecontext \
         allowsubscribe busylevel callcounter limitonpeers limitonpeer counteronpeer subscribe_network_change_event \
         regexten regcontext hasexten",
        "there is neither call pickup nor watching of lines here",
    ),
    (
        "language tonezone mohinterpret mohsuggest musicclass musiconhold parkinglot",
        "announcements, tones and music are the same for everybody here",
    ),
    ("accountcode amaflags", "records are written without account codes and flags"),
    (
        "useragent sdpsession sdpowner callingpres compactheaders shortenheaders legacy_useroption_parsing \
         send_diversion use_q850_reason preferred_codec_only textsupport prematuremedia progressinband snom_aoc_enabled \
         pedantic relaxdtmf discard_remote_hold_retrieval ignoresdpversion match_auth_username auth_options_requests \
         auth_message_requests usereqphone promiscredir allowtransfer allowoverlap session-timers session-expires \
         session-minse session-refresher timer1 timert1 timerb t1min t1timer maxforwards \
         trustrpid sendrpid rpid_update rpid_immediate trust_id_outbound supportpath outofcall_message_context \
         accept_outofcall_message outboundproxy",
        "messages are written as the standards ask, and this cannot be changed",
    ),
    (
        "rtpholdtimeout rtpkeepalive jbenable jbforce jbmaxsize jbresyncthreshold jbimpl jbtargetextra jblog \
         g726nonstandard directrtpsetup directmediapermit directmediadeny directmediaacl autoframing maxcallbitrate \
         constantssrc stunaddr engine rtp_engine ignore_requested_pref icesupport",
        "media is relayed as it comes, and this cannot be changed",
    ),
    ("t38pt_udptl t38pt_usertpsource t38pt_rtp t38pt_tcp faxdetect fax_detect", "there is no fax here"),
    (
        "tlsbindaddr tlscertfile tlsprivatekey tlscafile tlscadir tlscipher tlsclientmethod tlsdontverifyserver \
         tlsverifyclient tlsdisablev1 tlsdisablev11 tlsdisablev12 tlsservercipherorder dtlsenable dtlsverify dtlsrekey \
         dtlscertfile dtlsprivatekey dtlscipher dtlscafile dtlscapath dtlssetup dtlsfingerprint avpf force_avp \
         encryption_taglen websocket_enabled websocket_write_timeout rtcp_mux",
        "there is no encryption here: calls travel over UDP and TCP",
    ),
    ("tos_sip tos_audio tos_video tos_text tos cos_sip cos_audio cos_video cos_text", "packets are not marked"),
    (
        "acl contactacl domain autodomain allowexternaldomains externtcpport externtlsport externrefresh matchexternaddrlocally \
         matchexterniplocally srvlookup dynamic_exclude_static tcpauthtimeout tcpauthlimit registerattempts \
         register_retry_403 defaultip subscriberegister maxcalls",
        "this is not done here",
    ),
    (
        "rtcachefriends rtsavesysname rtupdate rtautoclear ignoreregexpire rtsave_path rtsavepath",
        "there is no database of peers here",
    ),
    (
        "setvar cc_agent_policy cc_monitor_policy cc_agent_dialstring cc_offer_timer ccbs_available_timer \
         cc_max_agents cc_max_monitors regserver permitdirectmedia sipdebug debug recordhistory dumphistory \
         storesipcause allowmessages disallowed_methods use_diversion trunkname timing description unanswered \
         qualifygap qualify_peers callevents authdebug checkmwi rfc2833compensate subscribemwi template lastms \
         recordonfeature recordofffeature",
        "it has no meaning here",
    ),
];

/// Reads the file.
pub(super) fn read(file: &File, report: &mut Report) -> Sip {
    let mut reader = Reader { report, general: General::default() };
    let mut sip = Sip::default();
    let nothing = Section { name: "general".into(), template: false, place: nowhere(), entries: Vec::new() };
    reader.general(file.section("general").unwrap_or(&nothing), &mut sip);
    for section in file.used().filter(|section| !section.name.eq_ignore_ascii_case("general")) {
        if section.name.eq_ignore_ascii_case("authentication") {
            let message = "[authentication] is left out: say `remotesecret` and `defaultuser` for the peer itself";
            reader.report.warning(&section.place, message);
            continue;
        }
        if let Some(account) = reader.peer(section, &mut sip) {
            sip.accounts.push((account, section.place.clone()));
        }
    }
    sip
}

fn nowhere() -> Place {
    Place { file: "sip.conf".into(), line: 1 }
}

/// What `[general]` says for all peers.
#[derive(Debug, Default)]
struct General {
    context: Option<String>,
    codecs: Codecs,
    transport: Option<Transport>,
    dtmf: Option<DtmfMode>,
    qualify: Option<Watch>,
    qualify_every: Option<Duration>,
    from_domain: Option<String>,
    max_calls: Option<usize>,
    expires: Option<Duration>,
    retry: Option<Duration>,
}

/// `qualify`.
#[derive(Debug, Clone, Copy)]
enum Watch {
    Never,
    Within(Duration),
}

struct Reader<'a> {
    report: &'a mut Report,
    general: General,
}

impl Reader<'_> {
    fn general(&mut self, section: &Section, sip: &mut Sip) {
        let (mut udp, mut tcp, mut port, mut with_tcp, mut with_udp) = (None, None, None, false, true);
        let mut registers = Vec::new();
        for entry in &section.entries {
            let report = &mut *self.report;
            match entry.key.to_ascii_lowercase().as_str() {
                "bindaddr" | "udpbindaddr" => udp = report.bind(entry).or(udp),
                "bindport" | "port" => port = report.port(entry).or(port),
                "tcpenable" => with_tcp = report.yes(entry).unwrap_or(with_tcp),
                "udpenable" => with_udp = report.yes(entry).unwrap_or(with_udp),
                "tcpbindaddr" => tcp = report.bind(entry).or(tcp),
                "realm" => {
                    let plain = |text: &str| {
                        let fits = (1..=64).contains(&text.len());
                        let plain =
                            text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\');
                        (fits && plain).then(|| text.to_owned())
                    };
                    sip.realm =
                        report.value(entry, "1 to 64 printable characters without quotes", plain).or(sip.realm.take());
                }
                "context" => self.general.context = report.context(entry),
                "allow" => self.general.codecs.line(entry, true, report),
                "disallow" => self.general.codecs.line(entry, false, report),
                "externaddr" | "externip" | "externhost" => {
                    if let Some(host) = report.host(entry) {
                        if host.port.is_some() {
                            let message = format!("{}: the port is left out, that of `bindaddr` is told", entry.key);
                            report.warning(&entry.place, message);
                        }
                        sip.advertised = Some(host.host.to_string().trim_matches(['[', ']']).to_owned());
                    }
                }
                "media_address" => {
                    let read = |text: &str| text.parse::<std::net::IpAddr>().ok().map(|_| text.to_owned());
                    sip.media_address = report.value(entry, "an IP address", read);
                }
                "localnet" => {
                    if report
                        .value(entry, "a network such as 192.168.0.0/16", |text| text.parse::<Network>().ok())
                        .is_some()
                    {
                        let message =
                            "`localnet` is left out: phones on local networks are told the address of `externaddr` too";
                        report.warning(&entry.place, message);
                    }
                }
                "minexpiry" | "minexpirey" => sip.min_expires = report.seconds(entry).or(sip.min_expires),
                "maxexpiry" | "maxexpirey" => sip.max_expires = report.seconds(entry).or(sip.max_expires),
                "defaultexpiry" | "defaultexpirey" => {
                    self.general.expires = report.seconds(entry).filter(|time| !time.is_zero());
                }
                "registertimeout" => self.general.retry = report.seconds(entry),
                "rtptimeout" => sip.media_timeout = report.seconds(entry),
                "register" => registers.push(entry),
                "fromdomain" => self.general.from_domain = report.word(entry),
                "call-limit" => self.general.max_calls = report.count(entry, 10_000).filter(|count| *count > 0),
                "transport" => self.general.transport = transport(entry, report),
                "dtmfmode" => self.general.dtmf = dtmf(entry, report),
                "qualify" => self.general.qualify = qualify(entry, report),
                "qualifyfreq" => self.general.qualify_every = report.seconds(entry),
                "allowguest" => {
                    if report.yes(entry) == Some(true) {
                        let message =
                            "`allowguest` is left out: nobody calls here without a secret or an address that is known";
                        report.warning(&entry.place, message);
                    }
                }
                "alwaysauthreject" => {
                    if report.yes(entry) == Some(false) {
                        let message = "`alwaysauthreject` is left out: strangers never learn which names exist";
                        report.warning(&entry.place, message);
                    }
                }
                "tlsenable" => {
                    if report.yes(entry) == Some(true) {
                        report.warning(&entry.place, "`tlsenable` is left out: calls travel over UDP and TCP here");
                    }
                }
                "callerid" => {
                    let message = "`callerid` of [general] is left out: say it for each peer";
                    report.warning(&entry.place, message);
                }
                "contactdeny" | "contactpermit" => {
                    let message = format!("`{}` is left out: phones are reached where they registered from", entry.key);
                    report.warning(&entry.place, message);
                }
                "directmedia" | "canreinvite" | "nat" | "videosupport" | "encryption" => common(entry, report),
                _ => report.unused(entry, GENERAL, KNOWN, "[general] of sip.conf"),
            }
        }
        let port = port.unwrap_or(PORT);
        let everywhere = (std::net::Ipv4Addr::UNSPECIFIED.into(), None);
        let (ip, own) = udp.unwrap_or(everywhere);
        if with_udp {
            sip.udp.push(SocketAddr::new(ip, own.unwrap_or(port)));
        }
        if with_tcp {
            let (ip, own) = tcp.unwrap_or((ip, own));
            sip.tcp.push(SocketAddr::new(ip, own.unwrap_or(PORT)));
        } else if let Some(entry) = section.entry("tcpbindaddr") {
            self.report.warning(&entry.place, "`tcpbindaddr` is left out without `tcpenable=yes`");
        }
        if let (Some(min), Some(max)) = (sip.min_expires, sip.max_expires)
            && min > max
        {
            self.report.error(&section.place, "expected `minexpiry` to be at most `maxexpiry`");
            (sip.min_expires, sip.max_expires) = (None, None);
        }
        for entry in registers {
            if let Some(registration) = self.register(entry) {
                sip.registrations.push(registration);
            }
        }
    }

    fn peer(&mut self, section: &Section, sip: &mut Sip) -> Option<Account> {
        let report = &mut *self.report;
        let name = &section.name;
        if !is_name(name) {
            let expected = "1 to 64 letters, digits, '.', '_', '-' or '+' (not beginning with '_')";
            report.error(&section.place, format!("[{}]: expected {expected} as the name of a peer", shown(name)));
            return None;
        }
        let Some(kind) = section.entry("type") else {
            let message = format!("[{name}]: expected `type=friend`, `type=peer` or `type=user`");
            report.error(&section.place, message);
            return None;
        };
        let kind = report.value(kind, "friend, peer or user", |text| match text.to_ascii_lowercase().as_str() {
            "friend" => Some(Kind::Friend),
            "peer" => Some(Kind::Peer),
            "user" => Some(Kind::User),
            _ => None,
        })?;
        let mut account = Account { secret: None, ..Account::new(name, "") };
        account.dtmf = self.general.dtmf.unwrap_or_default();
        account.transport = self.general.transport;
        account.max_calls = self.general.max_calls;
        account.from_domain.clone_from(&self.general.from_domain);
        let mut codecs = self.general.codecs.clone();
        let (mut host, mut port, mut context) = (None, None, self.general.context.clone());
        if kind == Kind::User {
            never_called(section, &["host", "port", "qualifyfreq", "callbackextension"], report);
        }
        let (mut watch, mut every) = (self.general.qualify, self.general.qualify_every);
        let mut insecure = Insecure::default();
        let mut callback = None;
        for entry in &section.entries {
            match entry.key.to_ascii_lowercase().as_str() {
                "type" => {}
                "host" => host = Some(entry),
                "port" => port = report.port(entry),
                "secret" => account.secret = report.secret(entry),
                "md5secret" => account.md5_secret = md5(entry, report),
                "remotesecret" => account.remote_secret = report.secret(entry),
                "username" | "defaultuser" => account.remote_user = report.word(entry),
                "fromuser" => account.from_user = report.word(entry),
                "fromdomain" => account.from_domain = report.word(entry),
                "context" => context = report.context(entry).or(context),
                "transport" => account.transport = transport(entry, report).or(account.transport),
                "allow" => codecs.line(entry, true, report),
                "disallow" => codecs.line(entry, false, report),
                "callerid" => (account.caller_id, account.caller_number) = report.caller(entry),
                "cid_number" => account.caller_number = report.readable(entry),
                "fullname" => account.caller_id = report.readable(entry),
                "dtmfmode" => account.dtmf = dtmf(entry, report).unwrap_or(account.dtmf),
                "qualify" => watch = qualify(entry, report).or(watch),
                "qualifyfreq" => every = report.seconds(entry).or(every),
                "deny" => report.rules(entry, false, &mut account.acl),
                "permit" => report.rules(entry, true, &mut account.acl),
                "insecure" => insecure = Insecure::read(entry, report),
                "call-limit" => account.max_calls = report.count(entry, 10_000).filter(|count| *count > 0),
                "callbackextension" => callback = Some(entry),
                "defaultip" => {
                    report.warning(&entry.place, "`defaultip` is left out: before it registers a phone is not reached");
                }
                "auth" => {
                    let message = "`auth` is left out: say `remotesecret` and `defaultuser` instead";
                    report.warning(&entry.place, message);
                }
                "directmedia" | "canreinvite" | "nat" | "videosupport" | "encryption" => common(entry, report),
                _ => report.unused(entry, PEER, KNOWN, "a peer of sip.conf"),
            }
        }
        account.context = context.unwrap_or_else(|| crate::config::DEFAULT_CONTEXT.to_owned());
        account.codecs = codecs.finish(report);
        account.qualify = match watch {
            Some(Watch::Within(limit)) => Some(Qualify { limit, every: every.unwrap_or(Qualify::default().every) }),
            Some(Watch::Never) | None => None,
        };
        account.address = match host {
            None if kind == Kind::User => Address::Nowhere,
            None => {
                report.error(&section.place, format!("[{name}]: expected `host=dynamic` or `host=` and an address"));
                return None;
            }
            Some(entry) if entry.value.eq_ignore_ascii_case("dynamic") => match kind {
                Kind::User => Address::Nowhere,
                Kind::Friend | Kind::Peer => {
                    for key in ["port", "callbackextension"] {
                        if let Some(entry) = section.entry(key) {
                            let message =
                                format!("`{key}` is left out: with `host=dynamic` the phone says where it is");
                            report.warning(&entry.place, message);
                        }
                    }
                    Address::Dynamic
                }
            },
            Some(entry) => {
                let mut host = report.value(entry, "`dynamic`, or a host name or address", read_host)?;
                host.port = host.port.or(port);
                account.trust_address = account.secret.is_none() && account.md5_secret.is_none() || insecure.invite;
                match kind {
                    Kind::User => Address::Nowhere,
                    Kind::Friend | Kind::Peer => Address::Fixed(host),
                }
            }
        };
        if insecure.invite
            && !matches!(account.address, Address::Fixed(_))
            && let Some(entry) = section.entry("insecure")
        {
            let message = "`insecure=invite` is left out: only a peer with a fixed `host` is known by its address";
            report.warning(&entry.place, message);
        }
        if account.secret.is_none() && account.md5_secret.is_none() && !account.trust_address {
            let message = format!("[{name}]: without `secret` nobody can register or call as `{name}`");
            report.warning(&section.place, message);
            if account.address == Address::Dynamic {
                account.address = Address::Nowhere;
            }
        }
        if let (Some(entry), Address::Fixed(host)) = (callback, &account.address) {
            let user = account.remote_user.clone().unwrap_or_else(|| name.clone());
            let secret = account.remote_secret.clone().or_else(|| account.secret.clone());
            let extension = report.word(entry).unwrap_or_else(|| "s".to_owned());
            let new = SipRegistration {
                extension,
                transport: account.transport,
                ..self.with_times(user, secret, host.clone())
            };
            sip.registrations.push(new);
        }
        Some(account)
    }

    fn with_times(&self, user: String, secret: Option<Secret>, host: sip_core::uri::HostPort) -> SipRegistration {
        SipRegistration {
            expires: self.general.expires.unwrap_or(Duration::from_secs(120)),
            retry: self.general.retry.unwrap_or(Duration::from_secs(20)),
            ..SipRegistration::new(user, secret, host)
        }
    }

    /// `[peer?][transport://]user[@domain][:secret[:authuser]]@host[:port][/extension][~expiry]`.
    fn register(&mut self, entry: &Entry) -> Option<SipRegistration> {
        const EXPECTED: &str = "[transport://]user[:secret[:authuser]]@host[:port][/extension][~expiry]";
        let wrong = |report: &mut Report, what: &str| {
            // What is found holds a secret: it is not shown.
            report.error(&entry.place, format!("register: expected {EXPECTED}{what}"));
        };
        let mut rest = entry.value.as_str();
        if let Some((peer, behind)) = rest.split_once('?')
            && !peer.contains(['@', ':'])
        {
            self.report.warning(&entry.place, format!("register: the peer `{peer}` in front of `?` is left out"));
            rest = behind;
        }
        let mut transport = None;
        if let Some((scheme, behind)) = rest.split_once("://") {
            transport = match scheme.to_ascii_lowercase().as_str() {
                "udp" => Some(Transport::Udp),
                "tcp" => Some(Transport::Tcp),
                _ => {
                    wrong(self.report, &format!("; the transport is udp or tcp, found {}", quoted(scheme)));
                    return None;
                }
            };
            rest = behind;
        }
        let Some((who, server)) = rest.rsplit_once('@') else {
            wrong(self.report, "; there is no `@`");
            return None;
        };
        let (server, expires) = match server.split_once('~') {
            Some((server, text)) => match text.parse().ok().filter(|seconds| (1..=31_622_400).contains(seconds)) {
                Some(seconds) => (server, Some(Duration::from_secs(seconds))),
                None => {
                    wrong(self.report, "; the expiry is a number of seconds");
                    return None;
                }
            },
            None => (server, None),
        };
        let (server, extension) =
            server.split_once('/').map_or((server, None), |(server, extension)| (server, Some(extension)));
        let Some(host) = read_host(server) else {
            wrong(self.report, &format!("; {} is no host", quoted(server)));
            return None;
        };
        let mut parts = who.split(':');
        let user = parts.next().unwrap_or_default();
        let (secret, auth_user) =
            (parts.next().filter(|text| !text.is_empty()), parts.next().filter(|text| !text.is_empty()));
        let (user, domain) = user.split_once('@').map_or((user, None), |(user, domain)| (user, Some(domain)));
        let domain = match domain.map(read_host) {
            Some(None) => {
                wrong(self.report, "; the domain behind the user is no host");
                return None;
            }
            other => other.flatten(),
        };
        if user.is_empty() || parts.next().is_some() || user.contains(|c: char| c.is_whitespace() || c.is_control()) {
            wrong(self.report, "; the user is missing or not one word");
            return None;
        }
        let secret = secret.map(Secret::new);
        let registration = self.with_times(user.to_owned(), secret, host);
        let extension = extension.filter(|text| !text.is_empty()).unwrap_or("s").to_owned();
        let (auth_user, expires) = (auth_user.map(str::to_owned), expires.unwrap_or(registration.expires));
        Some(SipRegistration { auth_user, domain, transport, extension, expires, ..registration })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Friend,
    Peer,
    User,
}

/// `insecure`.
#[derive(Debug, Clone, Copy, Default)]
struct Insecure {
    /// Its calls need no secret.
    invite: bool,
}

impl Insecure {
    fn read(entry: &Entry, report: &mut Report) -> Self {
        let mut insecure = Self::default();
        for part in entry.value.split(',').map(|part| part.trim().to_ascii_lowercase()) {
            match part.as_str() {
                // Ports count only where several peers are at one address.
                "no" | "port" | "yes" => {}
                "invite" | "very" => insecure.invite = true,
                _ => {
                    let message = format!("insecure: expected port, invite or no, found {}", quoted(&part));
                    report.error(&entry.place, message);
                }
            }
        }
        insecure
    }
}

/// Whether a peer can have this name: it is a user of SIP, and an extension when a dialplan is generated.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte))
}

/// Keys of where somebody is who only calls.
pub(super) fn never_called(section: &Section, keys: &[&str], report: &mut Report) {
    for entry in keys.iter().filter_map(|key| section.entry(key)) {
        report.warning(&entry.place, format!("`{}` is left out: a `type=user` is never called", entry.key));
    }
}

fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}

fn md5(entry: &Entry, report: &mut Report) -> Option<Secret> {
    let hexadecimal = entry.value.len() == 32 && entry.value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !hexadecimal {
        // It may be a password that was put in the wrong place: it is not shown.
        let message = format!("{}: expected the 32 hexadecimal digits of the MD5 of user:realm:secret", entry.key);
        report.error(&entry.place, message);
    }
    hexadecimal.then(|| Secret::new(entry.value.to_ascii_lowercase()))
}

pub(super) fn md5_hash(entry: &Entry, report: &mut Report) -> Option<Secret> {
    md5(entry, report)
}

fn transport(entry: &Entry, report: &mut Report) -> Option<Transport> {
    let mut first = None;
    for part in entry.value.split(',').map(|part| part.trim().to_ascii_lowercase()) {
        let found = match part.as_str() {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            "tls" | "ws" | "wss" => {
                report.warning(
                    &entry.place,
                    format!("transport: `{part}` is left out: calls travel over UDP and TCP here"),
                );
                continue;
            }
            _ => {
                let guess = nearest(&part, ["udp", "tcp"].into_iter()).map(|name| format!("; did you mean `{name}`?"));
                let message =
                    format!("transport: expected udp or tcp, found {}{}", quoted(&part), guess.unwrap_or_default());
                report.error(&entry.place, message);
                continue;
            }
        };
        first = first.or(Some(found));
    }
    first
}

fn dtmf(entry: &Entry, report: &mut Report) -> Option<DtmfMode> {
    report.value(entry, "rfc2833, info, inband or auto", DtmfMode::from_name)
}

fn qualify(entry: &Entry, report: &mut Report) -> Option<Watch> {
    report.value(entry, "yes, no or a number of milliseconds", |text| match read_yes(text) {
        // A bare 1 is a number of milliseconds to Asterisk, but nobody means it.
        Some(true) => Some(Watch::Within(Qualify::default().limit)),
        Some(false) => Some(Watch::Never),
        None => {
            text.parse().ok().filter(|limit| *limit <= 600_000).map(|limit| Watch::Within(Duration::from_millis(limit)))
        }
    })
}

/// Keys of [general] and of peers for which there is one way only.
fn common(entry: &Entry, report: &mut Report) {
    let yes = read_yes(&entry.value);
    match entry.key.to_ascii_lowercase().as_str() {
        "directmedia" | "canreinvite" => {
            if yes != Some(false) {
                report
                    .warning(&entry.place, format!("`{}` is left out: media always goes through this PBX", entry.key));
            }
        }
        "nat" => {
            let all = ["yes", "no", "never", "route", "force_rport", "comedia", "auto_force_rport", "auto_comedia"];
            for part in entry.value.split(',').map(|part| part.trim().to_ascii_lowercase()) {
                if !all.contains(&part.as_str()) && read_yes(&part).is_none() {
                    let message = format!("nat: expected yes, no, force_rport or comedia, found {}", quoted(&part));
                    report.error(&entry.place, message);
                }
                if read_yes(&part) == Some(false) || ["never", "route"].contains(&part.as_str()) {
                    let message = format!("`nat={part}` is left out: phones are always reached where they came from");
                    report.warning(&entry.place, message);
                }
            }
        }
        "videosupport" => {
            if yes != Some(false) {
                report.warning(&entry.place, "`videosupport` is left out: video is not carried");
            }
        }
        _ => {
            if yes != Some(false) {
                report.warning(&entry.place, format!("`{}` is left out: media is not encrypted here", entry.key));
            }
        }
    }
}

/// An ACL that lets nobody in, or everybody although it names who may come in.
pub(super) fn check_acl(acl: &Acl, name: &str, place: &Place, report: &mut Report) {
    if acl.is_empty() {
        return;
    }
    let permitted = acl.permitted();
    if permitted.is_empty() {
        report.error(place, format!("[{name}]: `deny` and `permit` let nobody in: expected a `permit` after `deny`"));
    } else if acl.rules.iter().all(|rule| rule.permit) {
        let message = format!("[{name}]: `permit` without `deny=0.0.0.0/0.0.0.0` above it keeps nobody out");
        report.warning(place, message);
    }
}
