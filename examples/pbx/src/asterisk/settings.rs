//! What the readers of all files share: values, keys that have no meaning here, and guesses at what was meant.

use std::{collections::HashSet, net::IpAddr, time::Duration};

use sip_core::uri::HostPort;

use super::file::{Entry, Place, Problem, Severity};
use crate::config::{Acl, Codec, Network, Rule, Secret};

/// Problems that are kept; the rest are counted.
const MAX_PROBLEMS: usize = 1000;

/// Collects what is wrong, each thing once: a line of a template comes by once for each section that uses it.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
    seen: HashSet<(Option<Place>, String)>,
    left_out: usize,
}

impl Report {
    pub(super) fn add(&mut self, problem: Problem) {
        let place = problem.place.clone();
        if self.seen.contains(&(place.clone(), problem.message.clone())) {
            return;
        }
        // An error is never left out for warnings' sake.
        if self.problems.len() >= MAX_PROBLEMS && (!problem.is_error() || self.has_errors()) {
            self.left_out += 1;
            return;
        }
        self.seen.insert((place, problem.message.clone()));
        self.problems.push(problem);
    }

    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>) {
        self.add(Problem::error(place, message));
    }

    pub(super) fn warning(&mut self, place: &Place, message: impl Into<String>) {
        self.add(Problem::warning(place, message));
    }

    pub(super) fn anywhere(&mut self, severity: Severity, message: impl Into<String>) {
        self.add(Problem { place: None, severity, message: message.into() });
    }

    pub(super) fn has_errors(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }

    /// The problems: those of one file together, in the order of its lines.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by(|a, b| a.place.cmp(&b.place));
        if self.left_out > 0 {
            let message = format!("and {} more problems", self.left_out);
            self.problems.push(Problem { place: None, severity: Severity::Warning, message });
        }
        self.problems
    }

    /// Reads a value, or says what was expected.
    pub(super) fn value<T>(
        &mut self,
        entry: &Entry,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let found = read(&entry.value);
        if found.is_none() {
            let message = format!("{}: expected {expected}, found {}", entry.key, quoted(&entry.value));
            self.error(&entry.place, message);
        }
        found
    }

    pub(super) fn yes(&mut self, entry: &Entry) -> Option<bool> {
        self.value(entry, "yes or no", read_yes)
    }

    pub(super) fn seconds(&mut self, entry: &Entry) -> Option<Duration> {
        self.value(entry, "a number of seconds", |text| {
            let seconds = text.parse().ok().filter(|seconds| *seconds <= 31_622_400)?;
            Some(Duration::from_secs(seconds))
        })
    }

    pub(super) fn count(&mut self, entry: &Entry, most: usize) -> Option<usize> {
        self.value(entry, &format!("a number up to {most}"), |text| text.parse().ok().filter(|count| *count <= most))
    }

    pub(super) fn port(&mut self, entry: &Entry) -> Option<u16> {
        self.value(entry, "a port from 1 to 65535", |text| text.parse().ok().filter(|port| *port > 0))
    }

    /// An address with or without a port.
    pub(super) fn bind(&mut self, entry: &Entry) -> Option<(IpAddr, Option<u16>)> {
        self.value(entry, "an address such as 0.0.0.0, 192.0.2.10:5060 or [2001:db8::1]:5060", read_bind)
    }

    pub(super) fn host(&mut self, entry: &Entry) -> Option<HostPort> {
        self.value(entry, "a host name or an address, with or without a port", read_host)
    }

    pub(super) fn context(&mut self, entry: &Entry) -> Option<String> {
        let fits = |text: &str| (!text.is_empty() && text.len() <= 79).then(|| text.to_owned());
        self.value(entry, "the name of a context of extensions.conf", fits)
    }

    /// A user, a host or the like: what stands in a message as it is. Nothing is none.
    pub(super) fn word(&mut self, entry: &Entry) -> Option<String> {
        let fits = |text: &str| text.len() <= 80 && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        let word = self.value(entry, "one word of at most 80 bytes", |text| fits(text).then(|| text.to_owned()));
        word.filter(|text| !text.is_empty())
    }

    /// What is shown to people. Nothing is none.
    pub(super) fn readable(&mut self, entry: &Entry) -> Option<String> {
        let fits = |text: &str| text.len() <= 80 && !text.chars().any(char::is_control);
        let expected = "at most 80 bytes without control characters";
        let text = self.value(entry, expected, |text| fits(text).then(|| text.to_owned()));
        text.filter(|text| !text.is_empty())
    }

    /// A secret is never shown.
    pub(super) fn secret(&mut self, entry: &Entry) -> Option<Secret> {
        if entry.value.is_empty() {
            self.error(&entry.place, format!("{}: expected a secret, found nothing", entry.key));
            return None;
        }
        Some(Secret::new(entry.value.clone()))
    }

    /// `deny` and `permit`: networks, separated by commas; one with `!` is the other rule.
    pub(super) fn rules(&mut self, entry: &Entry, permit: bool, acl: &mut Acl) {
        for part in entry.value.split(',').map(str::trim) {
            let (permit, text) = match part.strip_prefix('!') {
                Some(rest) => (!permit, rest.trim()),
                None => (permit, part),
            };
            match text.parse::<Network>() {
                Ok(network) => acl.rules.push(Rule { permit, network }),
                Err(_) => {
                    let expected = "a network such as 192.0.2.0/24 or 192.0.2.0/255.255.255.0";
                    self.error(&entry.place, format!("{}: expected {expected}, found {}", entry.key, quoted(text)));
                }
            }
        }
    }

    /// `callerid`: `"Alice" <1001>`, `Alice <1001>`, `Alice` or `<1001>`; name and number.
    pub(super) fn caller(&mut self, entry: &Entry) -> (Option<String>, Option<String>) {
        let value = entry.value.trim();
        let (name, number) = match value.rsplit_once('<') {
            Some((name, rest)) => match rest.split_once('>') {
                Some((number, "")) => (name, Some(number)),
                _ => {
                    let message = format!("{}: expected \"Name\" <number>, found {}", entry.key, quoted(value));
                    self.error(&entry.place, message);
                    return (None, None);
                }
            },
            None if !value.is_empty() && value.bytes().all(|byte| b"+0123456789*#".contains(&byte)) => {
                ("", Some(value))
            }
            None => (value, None),
        };
        let name = name.trim().trim_matches('"').trim();
        let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        if [name, number.unwrap_or_default()].iter().any(|text| text.len() > 80 || text.chars().any(char::is_control)) {
            self.error(&entry.place, format!("{}: expected at most 80 bytes without control characters", entry.key));
            return (None, None);
        }
        (said(name), number.map(str::trim).and_then(said))
    }

    /// What is to be said of a key that no reader uses: that it is known but has no meaning here, or that nobody knows it.
    pub(super) fn unused(&mut self, entry: &Entry, used: &str, known: &[(&str, &str)], of: &str) {
        let key = entry.key.to_ascii_lowercase();
        if let Some((_, why)) = known.iter().find(|(names, _)| names.split(' ').any(|name| name == key)) {
            self.warning(&entry.place, format!("`{}` is left out: {why}", entry.key));
            return;
        }
        let names = used.split(' ').chain(known.iter().flat_map(|(names, _)| names.split(' ')));
        let guess = nearest(&key, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        self.warning(&entry.place, format!("`{}` is unknown in {of} and left out{guess}", entry.key));
    }
}

/// `allow` and `disallow` of one section, in the order of the lines.
#[derive(Debug, Clone, Default)]
pub(super) struct Codecs {
    list: Option<Vec<Codec>>,
    place: Option<Place>,
}

/// Names of formats that are known and not carried.
const NO_AUDIO: &[&str] = &[
    "h261", "h263", "h263p", "h264", "h265", "mpeg4", "vp8", "vp9", "jpeg", "png", "t140", "t140red", "red", "lpc10",
    "adpcm", "g726aal2", "siren7", "siren14", "g719", "testlaw", "silk", "silk8", "silk12", "silk16", "silk24",
    "codec2", "slin12", "slin24", "slin32", "slin44", "slin48", "slin96", "slin192", "speex32", "g7221", "g7221c",
    "none",
];

impl Codecs {
    pub(super) fn line(&mut self, entry: &Entry, allow: bool, report: &mut Report) {
        for part in entry.value.split([',', '&', '|']).map(str::trim).filter(|part| !part.is_empty()) {
            let (allow, name) = match part.strip_prefix('!') {
                Some(rest) => (!allow, rest.trim()),
                None => (allow, part),
            };
            let (name, framing) = name.split_once(':').map_or((name, None), |(name, framing)| (name, Some(framing)));
            if framing.is_some() {
                let message = format!("{}: `{part}`: the packet time is left out, the phone's own is taken", entry.key);
                report.warning(&entry.place, message);
            }
            self.one(entry, allow, name, report);
        }
        self.place = Some(entry.place.clone());
    }

    fn one(&mut self, entry: &Entry, allow: bool, name: &str, report: &mut Report) {
        let list = self.list.get_or_insert_with(|| vec![Codec::Ulaw, Codec::Alaw]);
        if name.eq_ignore_ascii_case("all") {
            list.clear();
            if allow {
                list.extend(Codec::ALL);
            }
        } else if let Some(codec) = Codec::from_name(name) {
            // A codec that is named is preferred as it is named.
            let named = list.contains(&codec);
            if !allow {
                list.retain(|known| *known != codec);
            } else if !named {
                list.push(codec);
            }
        } else if NO_AUDIO.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            if allow {
                report.warning(&entry.place, format!("{}: `{name}` is left out: it is not carried", entry.key));
            }
        } else {
            let names = Codec::ALL.iter().map(|codec| codec.name()).chain(["all"]);
            let guess = nearest(&name.to_ascii_lowercase(), names).map(|name| format!("; did you mean `{name}`?"));
            let message = format!(
                "{}: expected the name of a codec, found {}{}",
                entry.key,
                quoted(name),
                guess.unwrap_or_default()
            );
            report.error(&entry.place, message);
        }
    }

    /// The list; `None` when nothing was said.
    pub(super) fn finish(self, report: &mut Report) -> Option<Vec<Codec>> {
        if let (Some(list), Some(place)) = (&self.list, &self.place)
            && list.is_empty()
        {
            report.error(place, "no codec is left: expected `allow=ulaw` or another after `disallow=all`");
            return None;
        }
        self.list
    }
}

pub(crate) fn read_yes(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "y" | "t" | "1" | "on" => Some(true),
        "no" | "false" | "n" | "f" | "0" | "off" => Some(false),
        _ => None,
    }
}

pub(super) fn read_bind(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Some((ip, None));
    }
    let address: std::net::SocketAddr = text.parse().ok()?;
    Some((address.ip(), Some(address.port())))
}

pub(crate) fn read_host(text: &str) -> Option<HostPort> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(HostPort::new(ip.into(), None));
    }
    let host: HostPort = text.parse().ok()?;
    // `10.0.0.300` is a mistake, not a name: the last label of a name is never a number.
    let name = host.host.to_string();
    let number = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    let wrong =
        name.parse::<IpAddr>().is_err() && !name.starts_with('[') && name.rsplit('.').next().is_some_and(number);
    (!wrong).then_some(host)
}

/// Text as it may be shown in a message: short and on one line.
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "nothing".to_owned();
    }
    let mut shown: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("`{shown}`")
}

/// The name that was most likely meant.
pub(super) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if text.len() > 40 {
        return None;
    }
    let allowed = if text.len() <= 4 { 1 } else { 2 };
    let close = names.map(|name| (distance(text, name), name)).filter(|(distance, _)| *distance <= allowed);
    close.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// How many letters must be put in, left out, changed or swapped with the next one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 {
        return 3;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&row, j) + usize::from(x != y)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, value: &str) -> Entry {
        let place = Place { file: "sip.conf".into(), line: 3 };
        Entry { key: key.to_owned(), value: value.to_owned(), arrow: false, append: false, place }
    }

    #[test]
    fn a_slip_of_the_finger_is_guessed() {
        let names = || ["secret", "context", "host", "qualify"].into_iter();
        assert_eq!(nearest("secert", names()), Some("secret"));
        assert_eq!(nearest("contxt", names()), Some("context"));
        assert_eq!(nearest("hots", names()), Some("host"));
        assert_eq!(nearest("colour", names()), None);
    }

    #[test]
    fn codecs_are_allowed_in_the_order_of_the_lines() {
        let read = |lines: &[(bool, &str)]| {
            let mut report = Report::default();
            let mut codecs = Codecs::default();
            for (allow, value) in lines {
                codecs.line(&entry(if *allow { "allow" } else { "disallow" }, value), *allow, &mut report);
            }
            let list = codecs.finish(&mut report);
            let problems: Vec<_> = report.into_problems().iter().map(ToString::to_string).collect();
            (list.map(|list| list.iter().map(|codec| codec.name()).collect::<Vec<_>>().join(",")), problems.join("\n"))
        };
        let list = |lines: &[(bool, &str)]| read(lines).0.unwrap_or_default();
        assert_eq!(list(&[(false, "all"), (true, "alaw"), (true, "ulaw")]), "alaw,ulaw");
        assert_eq!(list(&[(false, "all"), (true, "g722,ulaw,alaw")]), "g722,ulaw,alaw");
        assert_eq!(list(&[(true, "!all,opus,alaw")]), "opus,alaw");
        assert_eq!(list(&[(true, "gsm")]), "ulaw,alaw,gsm");
        assert_eq!(list(&[(false, "ulaw")]), "alaw");
        assert_eq!(read(&[]), (None, String::new()));
        assert!(read(&[(false, "all")]).1.contains("no codec is left"));
        assert!(read(&[(true, "ulw")]).1.contains("did you mean `ulaw`"));
        assert!(read(&[(true, "h264")]).1.contains("not carried"));
        assert_eq!(read(&[(false, "h264")]).1, "");
    }

    #[test]
    fn a_caller_id_is_a_name_and_a_number() {
        let read = |value: &str| {
            let mut report = Report::default();
            let (name, number) = report.caller(&entry("callerid", value));
            (name.unwrap_or_default(), number.unwrap_or_default(), report.into_problems().len())
        };
        let both = |name: &str, number: &str| (name.to_owned(), number.to_owned(), 0);
        assert_eq!(read("\"Alice A.\" <1001>"), both("Alice A.", "1001"));
        assert_eq!(read("Alice <1001>"), both("Alice", "1001"));
        assert_eq!(read("Alice"), both("Alice", ""));
        assert_eq!(read("<1001>"), both("", "1001"));
        assert_eq!(read("+431234"), both("", "+431234"));
        assert_eq!(read("Alice <1001").2, 1);
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_no_near_miss() {
        for right in ["sip.example.com", "192.0.2.1", "192.0.2.1:5070", "2001:db8::1", "[2001:db8::1]:5060", "pbx"] {
            assert!(read_host(right).is_some(), "{right}");
        }
        for wrong in ["", "192.0.2.300", "192.0.2", "host:port", "a b", "192.0.2.1:99999"] {
            assert!(read_host(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn problems_are_bounded_and_an_error_is_never_lost() {
        let mut report = Report::default();
        for line in 0..5000 {
            report.warning(&Place { file: "sip.conf".into(), line }, "odd");
        }
        report.error(&Place { file: "sip.conf".into(), line: 5000 }, "wrong");
        let problems = report.into_problems();
        assert!(problems.len() <= MAX_PROBLEMS + 2);
        assert!(problems.iter().any(Problem::is_error));
    }
}
