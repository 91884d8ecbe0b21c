//! `pjsip.conf`: endpoints with their aors and auths, transports, registrations, identities.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::SocketAddr,
    time::Duration,
};

use bytes::Bytes;
use sip_core::uri::{HostPort, SipUri, Uri};
use sip_transaction::Transport;

use super::{
    file::{Entry, File, Place, Section},
    settings::{Codecs, Report, nearest, quoted, read_yes},
    sip::{is_name, md5_hash},
};
use crate::config::{Account, Acl, Address, DtmfMode, Network, Qualify, Secret, SipRegistration};

/// What `pjsip.conf` says.
#[derive(Debug, Default)]
pub(super) struct PjSip {
    pub udp: Vec<SocketAddr>,
    pub tcp: Vec<SocketAddr>,
    pub advertised: Option<String>,
    pub media_address: Option<String>,
    pub realm: Option<String>,
    pub min_expires: Option<Duration>,
    pub max_expires: Option<Duration>,
    pub nonce_time: Option<Duration>,
    pub accounts: Vec<(Account, Place)>,
    pub registrations: Vec<SipRegistration>,
}

const TYPES: &[&str] = &[
    "transport",
    "endpoint",
    "aor",
    "auth",
    "registration",
    "identify",
    "acl",
    "global",
    "system",
    "wizard",
    "domain_alias",
    "phoneprov",
    "outbound-publish",
    "inbound-publication",
    "asterisk-publication",
    "resource_list",
    "contact",
    "subscription_persistence",
];

pub(super) const ENDPOINT: &str = "type context disallow allow aors auth outbound_auth transport callerid dtmf_mode direct_media \
    from_user from_domain identify_by rtp_symmetric force_rport rewrite_contact media_encryption \
    media_encryption_optimistic device_state_busy_at ice_support webrtc use_avpf bundle rtcp_mux \
    media_address contact_acl outbound_proxy max_audio_streams max_video_streams deny permit rtp_timeout";

pub(super) const ENDPOINT_KNOWN: &[(&str, &str)] = &[
    (
        "100rel timers timers_min_se timers_sess_expires user_eq_phone send_pai send_rpid trust_id_inbound trust_id_outbound \
         send_diversion send_connected_line trust_connected_line sdp_owner sdp_session allow_transfer allow_overlap \
         inband_progress refer_blind_progress g726_non_standard preferred_codec_only moh_passthrough callerid_privacy \
         callerid_tag rpid_immediate suppress_q850_reason_headers ignore_183_without_sdp accept_multiple_sdp_answers \
         follow_early_media_fork asymmetric_rtp_codec stir_shaken stir_shaken_profile incoming_call_offer_pref \
         outgoing_call_offer_pref codec_prefs_incoming_offer codec_prefs_outgoing_offer codec_prefs_incoming_answer \
         codec_prefs_outgoing_answer overlap_context send_history_info tenantid security_negotiation security_mechanisms \
         geoloc_incoming_call_profile geoloc_outgoing_call_profile send_aoc notify_early_inuse_ringing contact_user \
         allow_unauthenticated_options follow_redirect_methods redirect_method accountcode_in",
        "messages are written as the standards ask, and this cannot be changed",
    ),
    (
        "mailboxes voicemail_extension aggregate_mwi mwi_from_user mwi_subscribe_replaces_unsolicited incoming_mwi_mailbox",
        "there is no voicemail here",
    ),
    (
        "call_group pickup_group named_call_group named_pickup_group allow_subscribe sub_min_expiry subscribe_context \
         message_context one_touch_recording record_on_feature record_off_feature notify_early_inuse",
        "there is neither call pickup nor watching of lines here",
    ),
    ("language tone_zone moh_suggest mohsuggest", "announcements, tones and music are the same for everybody here"),
    ("accountcode amaflags", "records are written without account codes and flags"),
    (
        "fax_detect fax_detect_timeout t38_udptl t38_udptl_ec t38_udptl_maxdatagram t38_udptl_nat t38_udptl_ipv6 t38_bind_udptl_to_media_address",
        "there is no fax here",
    ),
    ("tos_audio tos_video cos_audio cos_video", "packets are not marked"),
    (
        "rtp_ipv6 rtp_engine rtp_keepalive rtp_timeout_hold bind_rtp_to_media_address direct_media_method \
         connected_line_method direct_media_glare_mitigation disable_direct_media_on_nat srtp_tag_32 dtls_verify dtls_rekey \
         dtls_cert_file dtls_private_key dtls_cipher dtls_ca_file dtls_ca_path dtls_setup dtls_fingerprint \
         dtls_auto_generate_cert force_avp media_use_received_transport max_audio_stream max_video_stream",
        "media is relayed as it comes, and this cannot be changed",
    ),
    ("set_var acl cos_sip tos_sip", "this is not done here"),
];

pub(super) const AOR: &str = "type contact max_contacts qualify_frequency qualify_timeout default_expiration minimum_expiration \
    maximum_expiration remove_existing authenticate_qualify support_path";
pub(super) const AOR_KNOWN: &[(&str, &str)] = &[
    ("mailboxes voicemail_extension", "there is no voicemail here"),
    ("outbound_proxy remove_unavailable qualify_2xx_only", "this is not done here"),
];

pub(super) const AUTH: &str = "type auth_type username password md5_cred realm nonce_lifetime";
pub(super) const AUTH_KNOWN: &[(&str, &str)] = &[(
    "refresh_token oauth_clientid oauth_secret password_digest supported_algorithms_uac supported_algorithms_uas",
    "this is not done here",
)];

pub(super) const TRANSPORT: &str = "type protocol bind external_media_address external_signaling_address external_signaling_port \
    local_net domain";
pub(super) const TRANSPORT_KNOWN: &[(&str, &str)] = &[
    (
        "ca_list_file ca_list_path cert_file cipher method priv_key_file verify_client verify_server require_client_cert \
         allow_wildcard_certs password websocket_write_timeout tls_certfile",
        "there is no encryption here: calls travel over UDP and TCP",
    ),
    ("tos cos", "packets are not marked"),
    (
        "async_operations allow_reload symmetric_transport tcp_keepalive_enable tcp_keepalive_idle_time \
         tcp_keepalive_interval_time tcp_keepalive_probe_count",
        "this cannot be changed",
    ),
];

pub(super) const REGISTRATION: &str = "type server_uri client_uri outbound_auth contact_user expiration retry_interval transport line \
    endpoint outbound_proxy";
pub(super) const REGISTRATION_KNOWN: &[(&str, &str)] = &[
    (
        "max_retries forbidden_retry_interval fatal_retry_interval auth_rejection_permanent max_random_initial_delay",
        "a registration is tried again for ever, ever more slowly",
    ),
    (
        "contact_header_params support_path support_outbound security_negotiation security_mechanisms user_agent",
        "this is not done here",
    ),
];

pub(super) const IDENTIFY: &str = "type endpoint match match_header srv_lookups";
pub(super) const GLOBAL: &str = "type default_realm keep_alive_interval";
pub(super) const GLOBAL_KNOWN: &[(&str, &str)] = &[(
    "max_forwards user_agent default_outbound_endpoint debug contact_expiration_check_interval disable_multi_domain \
     endpoint_identifier_order max_initial_qualify_time regcontext default_voicemail_extension unidentified_request_count \
     unidentified_request_period unidentified_request_prune_interval default_from_user mwi_tps_queue_high mwi_tps_queue_low \
     mwi_disable_initial_unsolicited ignore_uri_user_options send_contact_status_on_update_registration use_callerid_contact \
     taskprocessor_overload_trigger norefersub allow_sending_180_after_183 all_codecs_on_empty_reinvite \
     default_auth_algorithms_uas default_auth_algorithms_uac",
    "this cannot be changed",
)];
pub(super) const ACL: &str = "type deny permit";
pub(super) const ACL_KNOWN: &[(&str, &str)] =
    &[("acl contact_acl contact_deny contact_permit", "only `deny` and `permit` are read")];

/// How often connections are kept alive.
const KEEP_ALIVE: Duration = crate::switch::KEEP_ALIVE;

/// Reads the file.
pub(super) fn read(file: &File, report: &mut Report) -> PjSip {
    let mut reader = Reader { report, sections: BTreeMap::new(), used: HashSet::new(), common: HashMap::new() };
    let mut found = PjSip::default();
    for section in file.used() {
        let Some(kind) = reader.kind(section) else { continue };
        if let Some(before) = reader.sections.get(&(kind, section.name.as_str())) {
            let message =
                format!("[{}]: there is a `type={kind}` of this name already ({})", section.name, before.place);
            reader.report.error(&section.place, message);
            continue;
        }
        reader.sections.insert((kind, &section.name), section);
    }
    let kinds = |kind: &'static str| file.used().filter(move |section| is_kind(section, kind));
    for section in kinds("transport") {
        reader.transport(section, &mut found);
    }
    let mut common = Acl::default();
    for section in kinds("acl") {
        reader.acl(section, &mut common);
    }
    for section in kinds("global") {
        reader.global(section, &mut found);
    }
    let mut identities: HashMap<&str, Vec<Network>> = HashMap::new();
    for section in kinds("identify") {
        if let Some((endpoint, networks)) = reader.identify(section) {
            identities.entry(endpoint).or_default().extend(networks);
        }
    }
    for section in kinds("endpoint") {
        let known = |section: &&Section, other: &Section| std::ptr::eq(*section, other);
        if !reader.sections.get(&("endpoint", section.name.as_str())).is_some_and(|first| known(first, section)) {
            continue;
        }
        let networks = identities.get(section.name.as_str()).cloned().unwrap_or_default();
        if let Some(mut account) = reader.endpoint(section, networks, &mut found) {
            account.acl.rules.splice(0..0, common.rules.iter().copied());
            found.accounts.push((account, section.place.clone()));
        }
    }
    for section in kinds("registration") {
        let registration = reader.registration(section, &mut found);
        found.registrations.extend(registration);
    }
    reader.leftovers(file);
    found
}

fn is_kind(section: &Section, kind: &str) -> bool {
    section.value("type").is_some_and(|value| value.eq_ignore_ascii_case(kind))
}

/// An `auth`.
#[derive(Debug, Default)]
struct Auth {
    user: Option<String>,
    secret: Option<Secret>,
    md5: Option<Secret>,
}

/// An `aor`.
#[derive(Debug, Default)]
struct Aor {
    contact: Option<SipUri>,
    /// Phones that may register; 0 for none.
    phones: usize,
    remove_existing: bool,
    qualify: Option<Qualify>,
}

struct Reader<'a> {
    report: &'a mut Report,
    sections: BTreeMap<(&'static str, &'a str), &'a Section>,
    used: HashSet<(&'static str, String)>,
    /// What was said first of a thing that is one for all.
    common: HashMap<&'static str, Entry>,
}

impl<'a> Reader<'a> {
    fn kind(&mut self, section: &Section) -> Option<&'static str> {
        let name = &section.name;
        let Some(entry) = section.entry("type") else {
            let message = format!("[{name}]: expected `type=endpoint`, aor, auth, transport, registration or identify");
            self.report.error(&section.place, message);
            return None;
        };
        let value = entry.value.to_ascii_lowercase();
        let Some(kind) = TYPES.iter().copied().find(|kind| *kind == value) else {
            let guess = nearest(&value, TYPES.iter().copied()).map(|name| format!("; did you mean `{name}`?"));
            let message = format!(
                "type: expected endpoint, aor, auth, transport, registration or identify, found {}{}",
                quoted(&entry.value),
                guess.unwrap_or_default()
            );
            self.report.error(&entry.place, message);
            return None;
        };
        match kind {
            "wizard" => {
                let message = format!(
                    "[{name}]: `type=wizard` is not supported: expected the endpoint, aor and auth that it stands for"
                );
                self.report.error(&section.place, message);
                return None;
            }
            "transport" | "endpoint" | "aor" | "auth" | "registration" | "identify" | "acl" | "global" => {}
            _ => {
                self.report.warning(&section.place, format!("[{name}] is left out: `type={kind}` has no meaning here"));
                return None;
            }
        }
        Some(kind)
    }

    /// The section that another names.
    fn section(&mut self, kind: &'static str, name: &str, entry: &Entry) -> Option<&'a Section> {
        if let Some(section) = self.sections.get(&(kind, name)) {
            self.used.insert((kind, name.to_owned()));
            return Some(section);
        }
        let names = self.sections.keys().filter(|(other, _)| *other == kind).map(|(_, name)| *name);
        let guess = nearest(name, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        let message = format!("{}: there is no section [{name}] with `type={kind}`{guess}", entry.key);
        self.report.error(&entry.place, message);
        None
    }

    fn transport(&mut self, section: &'a Section, found: &mut PjSip) {
        let (mut bind, mut protocol) = (None, Some(Transport::Udp));
        for entry in &section.entries {
            let report = &mut *self.report;
            match entry.key.to_ascii_lowercase().as_str() {
                "type" => {}
                "domain" => {
                    let message = "`domain` is left out: the address of `bind` or the external one is told; an endpoint has `from_domain`";
                    report.warning(&entry.place, message);
                }
                "protocol" => match entry.value.to_ascii_lowercase().as_str() {
                    "udp" => protocol = Some(Transport::Udp),
                    "tcp" => protocol = Some(Transport::Tcp),
                    other @ ("tls" | "ws" | "wss" | "flow") => {
                        protocol = None;
                        let message = format!(
                            "[{}] is left out: `protocol={other}`: calls travel over UDP and TCP here",
                            section.name
                        );
                        report.warning(&entry.place, message);
                    }
                    other => {
                        protocol = None;
                        report.error(&entry.place, format!("protocol: expected udp or tcp, found {}", quoted(other)));
                    }
                },
                "bind" => bind = report.bind(entry).or(bind),
                "external_media_address" => {
                    let host = report.host(entry).map(|host| host.host.to_string());
                    found.media_address = host.or(found.media_address.take());
                    self.one_for_all("external_media_address", entry, "the last one is told to all phones");
                }
                "external_signaling_address" => {
                    let host = report.host(entry).map(|host| host.host.to_string().trim_matches(['[', ']']).to_owned());
                    found.advertised = host.or(found.advertised.take());
                    self.one_for_all("external_signaling_address", entry, "the last one is told to all phones");
                }
                "external_signaling_port" => {
                    if entry.value != "0" {
                        let message = "`external_signaling_port` is left out: the port of `bind` is told";
                        report.warning(&entry.place, message);
                    }
                }
                "local_net" => {
                    if report
                        .value(entry, "a network such as 192.168.0.0/16", |text| text.parse::<Network>().ok())
                        .is_some()
                    {
                        let message =
                            "`local_net` is left out: phones on local networks are told the external address too";
                        report.warning(&entry.place, message);
                    }
                }
                _ => report.unused(entry, TRANSPORT, TRANSPORT_KNOWN, "a transport of pjsip.conf"),
            }
        }
        let Some(protocol) = protocol else { return };
        let Some((ip, port)) = bind else {
            if section.entry("bind").is_some() {
                return;
            }
            let message = format!("[{}]: expected `bind=0.0.0.0` or another address", section.name);
            self.report.error(&section.place, message);
            return;
        };
        let address = SocketAddr::new(ip, port.unwrap_or(5060));
        let list = if protocol == Transport::Udp { &mut found.udp } else { &mut found.tcp };
        if list.contains(&address) {
            let message = format!("[{}]: {address} is the address of another transport already", section.name);
            self.report.error(&section.place, message);
            return;
        }
        list.push(address);
    }

    fn acl(&mut self, section: &Section, common: &mut Acl) {
        for entry in &section.entries {
            match entry.key.to_ascii_lowercase().as_str() {
                "type" => {}
                "deny" => self.report.rules(entry, false, common),
                "permit" => self.report.rules(entry, true, common),
                _ => self.report.unused(entry, ACL, ACL_KNOWN, "an acl of pjsip.conf"),
            }
        }
    }

    fn global(&mut self, section: &Section, found: &mut PjSip) {
        for entry in &section.entries {
            match entry.key.to_ascii_lowercase().as_str() {
                "type" => {}
                "keep_alive_interval" => {
                    if self.report.seconds(entry).is_some_and(|time| time != KEEP_ALIVE) {
                        let seconds = KEEP_ALIVE.as_secs();
                        let message = format!(
                            "`keep_alive_interval` is left out: connections are kept alive every {seconds} seconds"
                        );
                        self.report.warning(&entry.place, message);
                    }
                }
                "default_realm" => {
                    let plain = |text: &str| {
                        let printable =
                            text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\');
                        ((1..=64).contains(&text.len()) && printable).then(|| text.to_owned())
                    };
                    found.realm = self.report.value(entry, "1 to 64 printable characters without quotes", plain);
                }
                _ => self.report.unused(entry, GLOBAL, GLOBAL_KNOWN, "[global] of pjsip.conf"),
            }
        }
    }

    fn identify(&mut self, section: &'a Section) -> Option<(&'a str, Vec<Network>)> {
        let mut networks = Vec::new();
        let mut endpoint = None;
        for entry in &section.entries {
            match entry.key.to_ascii_lowercase().as_str() {
                "type" => {}
                "srv_lookups" => self.only(entry, false, "names in `match` are not looked up"),
                "endpoint" => endpoint = self.section("endpoint", &entry.value, entry).map(|found| found.name.as_str()),
                "match" => {
                    for part in entry.value.split(',').map(str::trim) {
                        match part.parse::<Network>() {
                            Ok(network) => networks.push(network),
                            Err(_) if super::settings::read_host(part).is_some() => {
                                let message = format!(
                                    "match: expected an address or network; names such as {} are not looked up",
                                    quoted(part)
                                );
                                self.report.error(&entry.place, message);
                            }
                            Err(_) => {
                                let message = format!(
                                    "match: expected an address such as 192.0.2.1 or 192.0.2.0/24, found {}",
                                    quoted(part)
                                );
                                self.report.error(&entry.place, message);
                            }
                        }
                    }
                }
                "match_header" => {
                    let message = "`match_header` is left out: a header proves nothing about who sends it";
                    self.report.warning(&entry.place, message);
                }
                _ => self.report.unused(entry, IDENTIFY, &[], "an identify of pjsip.conf"),
            }
        }
        if section.entry("endpoint").is_none() {
            self.report.error(&section.place, format!("[{}]: expected `endpoint=` and a name", section.name));
        }
        Some((endpoint?, networks))
    }

    fn auth(&mut self, section: &Section, found: &mut PjSip) -> Auth {
        let mut auth = Auth::default();
        for entry in &section.entries {
            let report = &mut *self.report;
            match entry.key.to_ascii_lowercase().as_str() {
                "type" => {}
                "auth_type" => {
                    if entry.value.eq_ignore_ascii_case("google_oauth") {
                        report
                            .error(&entry.place, "auth_type: expected userpass or md5; google_oauth is not supported");
                    } else {
                        report.value(entry, "userpass or md5", |text| {
                            ["userpass", "md5", "digest"].contains(&text.to_ascii_lowercase().as_str()).then_some(())
                        });
                    }
                }
                "username" => auth.user = report.word(entry),
                "password" => auth.secret = report.secret(entry),
                "md5_cred" => auth.md5 = md5_hash(entry, report),
                "realm" => {
                    if !entry.value.is_empty() {
                        let message =
                            "`realm` is left out: one realm is asked for, `default_realm` of the global section";
                        report.warning(&entry.place, message);
                    }
                }
                "nonce_lifetime" => {
                    if let Some(time) = report.seconds(entry).filter(|time| !time.is_zero()) {
                        found.nonce_time = Some(found.nonce_time.map_or(time, |known| known.min(time)));
                        self.one_for_all("nonce_lifetime", entry, "the shortest one is taken for all");
                    }
                }
                _ => report.unused(entry, AUTH, AUTH_KNOWN, "an auth of pjsip.conf"),
            }
        }
        if auth.secret.is_none()
            && auth.md5.is_none()
            && section.entry("password").is_none()
            && section.entry("md5_cred").is_none()
        {
            self.report.error(&section.place, format!("[{}]: expected `password=` or `md5_cred=`", section.name));
        }
        auth
    }

    fn aor(&mut self, section: &Section, found: &mut PjSip) -> Aor {
        let mut aor = Aor::default();
        let (mut every, mut limit) = (Duration::ZERO, Duration::from_secs(3));
        for entry in &section.entries {
            let report = &mut *self.report;
            match entry.key.to_ascii_lowercase().as_str() {
                "type" => {}
                "remove_existing" => aor.remove_existing = report.yes(entry).unwrap_or(false),
                "default_expiration" => {
                    if report.seconds(entry).is_some_and(|time| time != SipRegistration::EXPIRES) {
                        let message = "`default_expiration` is left out: a phone that asks for no time gets an hour, or `maximum_expiration`";
                        report.warning(&entry.place, message);
                    }
                }
                "authenticate_qualify" => {
                    self.only(entry, false, "any answer is a sign of life, also one that asks for a password");
                }
                "support_path" => self.only(entry, true, "phones are reached by the Path that they registered with"),
                "contact" => {
                    let Some(uri) = sip_uri(entry, report) else { continue };
                    if aor.contact.is_some() {
                        let message = "`contact` is left out: one fixed contact of an aor is used, the first";
                        report.warning(&entry.place, message);
                    } else {
                        aor.contact = Some(uri);
                    }
                }
                "max_contacts" => aor.phones = report.count(entry, 1_000_000).unwrap_or(0),
                "qualify_frequency" => every = report.seconds(entry).unwrap_or(every),
                "qualify_timeout" => {
                    let read = |text: &str| text.parse().ok().filter(|seconds| (0.0..=3600.0).contains(seconds));
                    let seconds: Option<f64> = report.value(entry, "a number of seconds such as 3.0", read);
                    limit = seconds.map_or(limit, |seconds| Duration::from_millis((seconds * 1000.0).round() as u64));
                }
                "minimum_expiration" => {
                    let expires = report.seconds(entry);
                    found.min_expires = expires.into_iter().chain(found.min_expires).min();
                    self.one_for_all("minimum_expiration", entry, "the shortest one holds for all phones");
                }
                "maximum_expiration" => {
                    let expires = report.seconds(entry);
                    found.max_expires = expires.into_iter().chain(found.max_expires).max();
                    self.one_for_all("maximum_expiration", entry, "the longest one holds for all phones");
                }
                _ => report.unused(entry, AOR, AOR_KNOWN, "an aor of pjsip.conf"),
            }
        }
        // 0 is no limit: then until it is asked again.
        let limit = if limit.is_zero() { every } else { limit };
        aor.qualify = (!every.is_zero()).then_some(Qualify { limit, every });
        aor
    }

    fn endpoint(&mut self, section: &'a Section, networks: Vec<Network>, found: &mut PjSip) -> Option<Account> {
        let name = &section.name;
        if !is_name(name) {
            let expected = "1 to 64 letters, digits, '.', '_', '-' or '+' (not beginning with '_')";
            let shown: String = name.chars().take(40).collect();
            self.report.error(&section.place, format!("[{shown}]: expected {expected} as the name of an endpoint"));
            return None;
        }
        let mut account = Account { secret: None, ..Account::new(name, "") };
        let (mut codecs, mut by_address) = (Codecs::default(), true);
        let (mut auth, mut aor, mut outbound, mut context) = (None, None, None, None);
        for entry in &section.entries {
            match entry.key.to_ascii_lowercase().as_str() {
                "type" => {}
                "context" => context = self.report.context(entry),
                "allow" => codecs.line(entry, true, self.report),
                "disallow" => codecs.line(entry, false, self.report),
                "aors" => {
                    let mut names = entry.value.split(',').map(str::trim).filter(|name| !name.is_empty());
                    aor = names
                        .next()
                        .and_then(|first| self.section("aor", first, entry))
                        .map(|section| (section, entry));
                    if names.next().is_some() {
                        let message = "aors: the first is used, the others are left out: say all contacts in one aor";
                        self.report.warning(&entry.place, message);
                    }
                }
                "auth" => {
                    let mut names = entry.value.split(',').map(str::trim).filter(|name| !name.is_empty());
                    auth = names.next().and_then(|first| self.section("auth", first, entry));
                    if names.next().is_some() {
                        self.report.warning(&entry.place, "auth: the first is used, the others are left out");
                    }
                }
                "outbound_auth" => outbound = self.section("auth", &entry.value, entry),
                "transport" => {
                    if let Some(section) = self.section("transport", &entry.value, entry) {
                        account.transport =
                            match section.value("protocol").unwrap_or("udp").to_ascii_lowercase().as_str() {
                                "udp" => Some(Transport::Udp),
                                "tcp" => Some(Transport::Tcp),
                                _ => None,
                            };
                    }
                }
                "callerid" => (account.caller_id, account.caller_number) = self.report.caller(entry),
                "dtmf_mode" => {
                    let read = self.report.value(entry, "rfc4733, info, inband or auto", DtmfMode::from_name);
                    account.dtmf = read.unwrap_or(account.dtmf);
                }
                "from_user" => account.from_user = self.report.word(entry),
                "from_domain" => account.from_domain = self.report.word(entry),
                "deny" => self.report.rules(entry, false, &mut account.acl),
                "permit" => self.report.rules(entry, true, &mut account.acl),
                "device_state_busy_at" => {
                    account.max_calls = self.report.count(entry, 10_000).filter(|count| *count > 0);
                }
                "identify_by" => by_address = self.identify_by(entry, section.entry("auth").is_some()),
                "direct_media" => self.only(entry, false, "media always goes through this PBX"),
                "rtp_symmetric" | "force_rport" | "rewrite_contact" => {
                    self.only(entry, true, "phones are always reached where they came from");
                }
                "media_encryption" => {
                    if !entry.value.eq_ignore_ascii_case("no") {
                        let message = "`media_encryption` is left out: media is not encrypted here, and a phone that insists gets no calls";
                        self.report.warning(&entry.place, message);
                    }
                }
                "webrtc" | "use_avpf" | "ice_support" | "bundle" | "rtcp_mux" | "media_encryption_optimistic" => {
                    self.only(entry, false, "browsers are not served here");
                }
                "media_address" | "contact_acl" | "outbound_proxy" | "max_audio_streams" | "max_video_streams"
                | "rtp_timeout" => {
                    self.report.warning(&entry.place, format!("`{}` is left out: this is not done here", entry.key));
                }
                _ => self.report.unused(entry, ENDPOINT, ENDPOINT_KNOWN, "an endpoint of pjsip.conf"),
            }
        }
        account.context = context.unwrap_or_else(|| crate::config::DEFAULT_CONTEXT.to_owned());
        account.codecs = codecs.finish(self.report);
        if let Some(section) = auth {
            let auth = self.auth(section, found);
            account.user = auth.user.filter(|user| user != name);
            (account.secret, account.md5_secret) = (auth.secret, auth.md5);
        }
        if let Some(section) = outbound {
            let auth = self.auth(section, found);
            (account.remote_user, account.remote_secret) = (auth.user, auth.secret);
        }
        self.place(name, aor, &mut account, found);
        account.trusted = if auth.is_none() && by_address { networks } else { Vec::new() };
        if auth.is_none() && account.trusted.is_empty() {
            let message =
                format!("[{name}]: without `auth`, and without an identify, nobody can register or call as `{name}`");
            self.report.warning(&section.place, message);
            if account.address == Address::Dynamic {
                account.address = Address::Nowhere;
            }
        }
        Some(account)
    }

    /// Where the endpoint is: as its aor says.
    fn place(&mut self, name: &str, aor: Option<(&'a Section, &Entry)>, account: &mut Account, found: &mut PjSip) {
        account.address = Address::Nowhere;
        let Some((section, entry)) = aor else { return };
        let aor = self.aor(section, found);
        account.qualify = aor.qualify;
        match aor.contact {
            Some(uri) => {
                account.remote_extension = uri.user.as_ref().map(|user| String::from_utf8_lossy(user).into_owned());
                account.address = Address::Fixed(HostPort::new(uri.host, uri.port));
                if aor.phones > 0 {
                    let message =
                        format!("[{}]: with a fixed `contact` phones do not register at this aor", section.name);
                    self.report.warning(&section.place, message);
                }
            }
            None if aor.phones > 0 => {
                account.address = Address::Dynamic;
                (account.max_contacts, account.remove_existing) = (Some(aor.phones), aor.remove_existing);
                if section.name != name {
                    let message = format!(
                        "aors: the phone registers as `{name}`, the endpoint, and not as `{}`: expected an aor of the endpoint's name",
                        section.name
                    );
                    self.report.warning(&entry.place, message);
                }
            }
            None => {
                let message = format!(
                    "[{}]: expected `max_contacts=1` for a phone that registers, or `contact=` and a SIP URI: nobody is reached by this aor",
                    section.name
                );
                self.report.warning(&section.place, message);
            }
        }
    }

    /// Whether it may be known by its address.
    fn identify_by(&mut self, entry: &Entry, has_auth: bool) -> bool {
        let (mut by_name, mut by_address) = (false, false);
        for part in entry.value.split(',').map(|part| part.trim().to_ascii_lowercase()) {
            match part.as_str() {
                "username" | "auth_username" => by_name = true,
                "ip" => by_address = true,
                "header" | "request_uri" => {
                    self.report.warning(&entry.place, format!("identify_by: `{part}` is left out: it proves nothing"));
                }
                _ => {
                    let message =
                        format!("identify_by: expected username, auth_username or ip, found {}", quoted(&part));
                    self.report.error(&entry.place, message);
                }
            }
        }
        if by_address && !by_name && has_auth {
            let message = "`identify_by=ip` is left out: with `auth` a call is known by its user name and password";
            self.report.warning(&entry.place, message);
        }
        by_address
    }

    /// A key that many sections may say and of which one value is kept.
    fn one_for_all(&mut self, key: &'static str, entry: &Entry, how: &str) {
        let first = self.common.entry(key).or_insert_with(|| entry.clone());
        if first.value != entry.value {
            let message = format!("`{key}`: {} says {}: {how}", first.place, quoted(&first.value));
            self.report.warning(&entry.place, message);
        }
    }

    /// A yes-or-no key for which there is one way only.
    fn only(&mut self, entry: &Entry, way: bool, why: &str) {
        if self.report.value(entry, "yes or no", read_yes) == Some(!way) {
            self.report.warning(&entry.place, format!("`{}` is left out: {why}", entry.key));
        }
    }

    fn registration(&mut self, section: &'a Section, found: &mut PjSip) -> Option<SipRegistration> {
        let (mut server, mut client, mut auth, mut transport) = (None, None, None, None);
        let (mut contact, mut expires, mut retry) = (None, SipRegistration::EXPIRES, Duration::from_secs(60));
        for entry in &section.entries {
            match entry.key.to_ascii_lowercase().as_str() {
                "type" => {}
                "server_uri" => server = sip_uri(entry, self.report),
                "client_uri" => client = sip_uri(entry, self.report),
                "outbound_auth" => auth = self.section("auth", &entry.value, entry),
                "contact_user" => contact = self.report.word(entry),
                "expiration" => expires = self.report.seconds(entry).filter(|time| !time.is_zero()).unwrap_or(expires),
                "retry_interval" => retry = self.report.seconds(entry).unwrap_or(retry),
                "transport" => {
                    if let Some(section) = self.section("transport", &entry.value, entry) {
                        let tcp = section.value("protocol").is_some_and(|value| value.eq_ignore_ascii_case("tcp"));
                        transport = Some(if tcp { Transport::Tcp } else { Transport::Udp });
                    }
                }
                "line" => {
                    if self.report.yes(entry) == Some(true) {
                        let message =
                            "`line` is left out: calls are known by where they come from: expected an identify";
                        self.report.warning(&entry.place, message);
                    }
                }
                "endpoint" => {
                    self.section("endpoint", &entry.value, entry);
                }
                "outbound_proxy" => {
                    self.report.warning(&entry.place, "`outbound_proxy` is left out: this is not done here");
                }
                _ => self.report.unused(entry, REGISTRATION, REGISTRATION_KNOWN, "a registration of pjsip.conf"),
            }
        }
        for key in ["server_uri", "client_uri"] {
            if section.entry(key).is_none() {
                let message =
                    format!("[{}]: expected `{key}=` and a SIP URI such as sip:user@sip.example.com", section.name);
                self.report.error(&section.place, message);
            }
        }
        let (server, client) = (server?, client?);
        let Some(user) = client.user.as_ref().map(|user| String::from_utf8_lossy(user).into_owned()) else {
            if let Some(entry) = section.entry("client_uri") {
                self.report.error(&entry.place, "client_uri: expected a user in front of the `@`");
            }
            return None;
        };
        let auth = auth.map(|section| (self.auth(section, found), section));
        let (auth_user, secret) = match auth {
            Some((auth, section)) => {
                if auth.secret.is_none() && auth.md5.is_some() {
                    let message = format!(
                        "[{}]: expected `password=`: a registration needs it, `md5_cred` is not enough",
                        section.name
                    );
                    self.report.error(&section.place, message);
                }
                (auth.user.filter(|name| *name != user), auth.secret)
            }
            None => (None, None),
        };
        let by_uri = server.params.get("transport").flatten().map(<[u8]>::to_ascii_lowercase);
        let by_uri = match by_uri.as_deref() {
            Some(b"tcp") => Some(Transport::Tcp),
            Some(b"udp") => Some(Transport::Udp),
            _ => None,
        };
        let host = HostPort::new(server.host, server.port);
        let domain = Some(HostPort::new(client.host, client.port)).filter(|domain| *domain != host);
        Some(SipRegistration {
            auth_user,
            domain,
            transport: transport.or(by_uri),
            extension: contact.unwrap_or_else(|| "s".to_owned()),
            expires,
            retry,
            ..SipRegistration::new(user, secret, host)
        })
    }

    /// Sections that nobody names.
    fn leftovers(&mut self, file: &'a File) {
        for section in file.used() {
            for kind in ["auth", "aor"] {
                if is_kind(section, kind) && !self.used.contains(&(kind, section.name.clone())) {
                    let message = format!("[{}]: no endpoint or registration uses this {kind}", section.name);
                    self.report.warning(&section.place, message);
                }
            }
        }
    }
}

/// A SIP URI, in angle brackets or not.
fn sip_uri(entry: &Entry, report: &mut Report) -> Option<SipUri> {
    report.value(entry, "a SIP URI such as sip:sip.example.com or sip:1001@192.0.2.1:5060", |text| {
        let text = text.trim().trim_start_matches('<').trim_end_matches('>').replace("\\;", ";");
        match Uri::parse(&Bytes::from(text)) {
            Ok(Uri::Sip(uri)) if !uri.secure => Some(uri),
            _ => None,
        }
    })
}
