//! A folder of Asterisk's files into a [`Config`].

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    check::{self, Places},
    file::{self, Entry, File, Problem, Severity},
    iax, pjsip, settings, sip,
};
use crate::{
    config::{Account, Config, DialplanSource},
    dialplan::Dialplan,
};

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration; `None` when there is an error among the problems.
    pub config: Option<Config>,
    /// All that is wrong or left out.
    pub report: Report,
}

/// What is wrong or left out, for a person to read.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Each thing, those of one file together.
    pub problems: Vec<Problem>,
}

impl Report {
    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.is_error()).count()
    }

    /// How many warnings there are.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.problems.len() - self.errors()
    }
}

impl fmt::Display for Report {
    /// A line for each problem.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// Files of Asterisk that are not read although they would change what calls do.
const NOT_READ: &[(&str, &str)] = &[
    ("users.conf", "say its accounts in sip.conf and iax.conf"),
    ("pjsip_wizard.conf", "say the endpoints, aors and auths that it stands for in pjsip.conf"),
    ("extensions.ael", "say its contexts in extensions.conf"),
    ("extensions.lua", "say its contexts in extensions.conf"),
    ("extconfig.conf", "there is no database of peers here"),
    ("voicemail.conf", "there is no voicemail here"),
    ("queues.conf", "there are no queues here"),
    ("confbridge.conf", "there are no conferences here"),
    ("meetme.conf", "there are no conferences here"),
    ("features.conf", "there are no feature codes here"),
    ("chan_dahdi.conf", "there are no telephone cards here"),
    ("acl.conf", "say `deny` and `permit` for each peer"),
];

/// Reads the folder.
#[must_use]
pub fn load(folder: &Path) -> Loaded {
    let mut loaded = load_from(&mut |name: &str| open(folder, name));
    if let Some(config) = &mut loaded.config {
        let path = folder.join("extensions.conf");
        config.dialplan_source = DialplanSource::File(std::path::absolute(&path).unwrap_or(path));
    }
    loaded
}

/// A file of a folder, or one with a path of its own.
pub(crate) fn open(folder: &Path, name: &str) -> io::Result<String> {
    let name = Path::new(name);
    // What an included file names is found in the same folder, as Asterisk finds it in its own.
    let path: PathBuf = if name.is_absolute() { name.to_owned() } else { folder.join(name) };
    if !path.is_file() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "there is no such file"));
    }
    let bytes = std::fs::read(&path)?;
    // Old files are Latin-1; one odd letter in a comment must not keep the rest from being read.
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Reads the files that a source gives by name; one that it does not find is one that is not there.
#[must_use]
pub fn load_from(source: &mut dyn FnMut(&str) -> io::Result<String>) -> Loaded {
    let mut report = settings::Report::default();
    let mut config = Config { extensions: Default::default(), ..Config::default() };
    (config.sip.udp, config.sip.tcp) = (Vec::new(), Vec::new());
    let mut places = Places::default();
    let mut found = false;

    if let Some(file) = read("asterisk.conf", source, &mut report) {
        for entry in file.section("options").iter().flat_map(|section| &section.entries) {
            if !entry.key.eq_ignore_ascii_case("systemname") {
                let message = format!("`{}` is left out: of asterisk.conf only systemname is read", entry.key);
                report.warning(&entry.place, message);
                continue;
            }
            let readable = |name: &str| name.len() <= 80 && !name.chars().any(char::is_control);
            let name = report.value(entry, "at most 80 bytes", |text| readable(text).then(|| text.to_owned()));
            config.name = name.filter(|name| !name.is_empty());
        }
    }
    if let Some(file) = read("rtp.conf", source, &mut report) {
        media(&file, &mut config, &mut report);
    }
    if let Some(file) = read("sip.conf", source, &mut report) {
        found = true;
        let sip = sip::read(&file, &mut report);
        config.sip.udp = sip.udp;
        config.sip.tcp = sip.tcp;
        apply(&mut config, sip.advertised, sip.media_address, sip.realm);
        expiry(&mut config, sip.min_expires, sip.max_expires, &mut report);
        if let Some(time) = sip.media_timeout {
            config.calls.media_timeout = Some(time).filter(|time| !time.is_zero());
        }
        config.registrations = sip.registrations;
        accounts(&mut config, &mut places, sip.accounts, &mut report);
    }
    if let Some(file) = read("pjsip.conf", source, &mut report) {
        found = true;
        let pjsip = pjsip::read(&file, &mut report);
        for address in pjsip.udp {
            if !config.sip.udp.contains(&address) {
                config.sip.udp.push(address);
            }
        }
        for address in pjsip.tcp {
            if !config.sip.tcp.contains(&address) {
                config.sip.tcp.push(address);
            }
        }
        apply(&mut config, pjsip.advertised, pjsip.media_address, pjsip.realm);
        expiry(&mut config, pjsip.min_expires, pjsip.max_expires, &mut report);
        config.sip.nonce_time = pjsip.nonce_time.unwrap_or(config.sip.nonce_time);
        config.registrations.extend(pjsip.registrations);
        accounts(&mut config, &mut places, pjsip.accounts, &mut report);
    }
    if let Some(file) = read("iax.conf", source, &mut report) {
        found = true;
        (config.iax, places.peers) = iax::read(&file, &mut report);
        for (peer, (_, place)) in config.iax.peers.iter().zip(&places.peers) {
            sip::check_acl(&peer.acl, &peer.name, place, &mut report);
        }
    }
    if !found {
        report.anywhere(Severity::Error, "expected sip.conf, pjsip.conf or iax.conf: there is none of them");
    }
    if found && config.accounts.is_empty() && config.iax.peers.is_empty() && !report.has_errors() {
        let message =
            "expected at least one phone or peer in sip.conf, pjsip.conf or iax.conf: there is nobody who could call";
        report.anywhere(Severity::Error, message);
    }
    match read("extensions.conf", source, &mut report) {
        Some(file) => {
            let mut problems = Vec::new();
            config.dialplan = Arc::new(Dialplan::parse(&file, &mut problems));
            config.dialplan_source = DialplanSource::File("extensions.conf".into());
            problems.into_iter().for_each(|problem| report.add(problem));
        }
        None => {
            if source("extensions.conf").is_err() {
                report.anywhere(Severity::Error, "expected extensions.conf: without it no call leads anywhere");
            }
        }
    }
    for (name, why) in NOT_READ {
        if source(name).is_ok() {
            report.anywhere(Severity::Warning, format!("{name} is not read: {why}"));
        }
    }
    check::check(&config, &places, &mut report);
    let report = Report { problems: report.into_problems() };
    let config = (report.errors() == 0).then_some(config);
    Loaded { config, report }
}

fn read(name: &str, source: &mut dyn FnMut(&str) -> io::Result<String>, report: &mut settings::Report) -> Option<File> {
    if let Err(error) = source(name) {
        if error.kind() != io::ErrorKind::NotFound {
            report.anywhere(Severity::Error, format!("{name} cannot be read: {error}"));
        }
        return None;
    }
    let mut problems = Vec::new();
    let file = file::read(name, source, &mut problems);
    problems.into_iter().for_each(|problem| report.add(problem));
    file
}

fn apply(config: &mut Config, advertised: Option<String>, media: Option<String>, realm: Option<String>) {
    if let Some(ip) = media.and_then(|text| text.trim_matches(['[', ']']).parse().ok()) {
        config.rtp.advertised = Some(ip);
    }
    config.sip.advertised = advertised.or(config.sip.advertised.take());
    if let Some(realm) = realm {
        config.sip.realm = realm;
    } else if config.sip.realm == "tandem" {
        // What phones and hashes that were made for Asterisk expect.
        "asterisk".clone_into(&mut config.sip.realm);
    }
}

fn expiry(
    config: &mut Config,
    min: Option<std::time::Duration>,
    max: Option<std::time::Duration>,
    report: &mut settings::Report,
) {
    let registration = &mut config.registration;
    let (min, max) = (min.unwrap_or(registration.min_expires), max.unwrap_or(registration.max_expires));
    if min > max {
        let message = format!(
            "registrations may last {} to {} seconds: expected the first number to be the smaller one",
            min.as_secs(),
            max.as_secs()
        );
        report.anywhere(Severity::Error, message);
        return;
    }
    (registration.min_expires, registration.max_expires) = (min, max);
}

fn accounts(
    config: &mut Config,
    places: &mut Places,
    found: Vec<(Account, file::Place)>,
    report: &mut settings::Report,
) {
    for (account, place) in found {
        if let Some((_, before)) = places.accounts.iter().find(|(name, _)| *name == account.name) {
            report.error(&place, format!("[{}]: there is a peer of this name already ({before})", account.name));
            continue;
        }
        let same = |other: &&Account| other.has_password() && other.user() == account.user();
        if let Some(other) = config.accounts.iter().find(same).filter(|_| account.has_password()) {
            let message = format!(
                "[{}]: [{}] has the user name `{}` too, so that nobody could tell whose a call is: expected one of its own",
                account.name,
                other.name,
                account.user()
            );
            report.error(&place, message);
            continue;
        }
        sip::check_acl(&account.acl, &account.name, &place, report);
        places.accounts.push((account.name.clone(), place));
        config.accounts.push(account);
    }
}

/// `rtp.conf`: the ports.
fn media(file: &File, config: &mut Config, report: &mut settings::Report) {
    let Some(section) = file.section("general") else { return };
    let (mut first, mut last) = (*config.rtp.ports.start(), *config.rtp.ports.end());
    let mut said: Option<&Entry> = None;
    for entry in &section.entries {
        match entry.key.to_ascii_lowercase().as_str() {
            "rtpstart" => first = report.port(entry).unwrap_or(first),
            "rtpend" => last = report.port(entry).unwrap_or(last),
            _ => {
                report.warning(
                    &entry.place,
                    format!("`{}` is left out: of rtp.conf only rtpstart and rtpend are read", entry.key),
                );
                continue;
            }
        }
        said = Some(entry);
    }
    let Some(entry) = said else { return };
    if last < first || last - first < 3 {
        report.error(&entry.place, "expected rtpend to be at least three more than rtpstart");
    } else {
        config.rtp.ports = first..=last;
    }
}
