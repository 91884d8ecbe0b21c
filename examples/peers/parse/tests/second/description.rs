//! Session descriptions, as `sdp-types` reads them.

use super::quiet::quietly;
use sip_core::sdp::{Attribute, Bandwidth, Connection, Session, Time};

/// Where the two may differ, and who is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// More than one space between words, or a CR that no LF follows at the end: they keep it within a word or a value.
    /// RFC 8866 §9 allows neither, so whoever reads it at all leaves it out, as ours does.
    WhiteSpace,
    /// An origin that has not six words (RFC 8866 §5.2): ours keeps it as it is, theirs moves words to other fields.
    Origin,
    /// A stream that has not four words with a port for the second (RFC 8866 §5.14): ours keeps the port as it is.
    Media,
}

/// What a parser finds in a description: the lines of the session and of each stream, in one order, one space between
/// words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found(pub Vec<Vec<String>>);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn words(bytes: &[u8]) -> String {
    text(bytes).split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

pub fn ours(bytes: &[u8]) -> Option<Found> {
    fn connection(connection: &Connection) -> String {
        format!("c={} {} {}", text(&connection.net_type), text(&connection.addr_type), text(&connection.address))
    }
    fn bandwidth(bandwidth: &Bandwidth) -> String {
        let amount = bandwidth.amount().map_or_else(|| text(&bandwidth.value), |amount| amount.to_string());
        format!("b={}:{amount}", text(&bandwidth.kind))
    }
    fn attribute(attribute: &Attribute) -> String {
        let value = attribute.value.as_deref().map(|value| format!(":{}", text(value))).unwrap_or_default();
        format!("a={}{value}", text(&attribute.name))
    }
    fn time(time: &Time) -> String {
        let (start, stop) = time.bounds().unwrap_or_default();
        format!("t={start} {stop}")
    }
    let session = Session::parse(bytes).ok()?;
    let origin = &session.origin;
    let address = connection(&origin.connection).split_off(2);
    let version = origin.version().map_or_else(|| text(&origin.session_version), |version| version.to_string());
    let mut lines = vec![
        format!("o={} {} {version} {address}", text(&origin.username), text(&origin.session_id)),
        format!("s={}", text(&session.name)),
    ];
    lines.extend(session.information.iter().map(|line| format!("i={}", text(line))));
    lines.extend(session.uri.iter().map(|line| format!("u={}", text(line))));
    lines.extend(session.emails.iter().map(|line| format!("e={}", text(line))));
    lines.extend(session.phones.iter().map(|line| format!("p={}", text(line))));
    lines.extend(session.connection.iter().map(connection));
    lines.extend(session.bandwidths.iter().map(bandwidth));
    lines.extend(session.times.iter().map(time));
    lines.extend(session.key.iter().map(|line| format!("k={}", text(line))));
    lines.extend(session.attributes.iter().map(attribute));
    let mut sections = vec![lines];
    for media in &session.media {
        let count = media.port_count.map(|count| format!("/{count}")).unwrap_or_default();
        let formats: Vec<_> = media.formats.iter().map(|format| text(format)).collect();
        let (kind, proto) = (text(&media.kind), text(&media.proto));
        let mut lines = vec![format!("m={kind} {}{count} {proto} {}", media.port, formats.join(" "))];
        lines.extend(media.information.iter().map(|line| format!("i={}", text(line))));
        lines.extend(media.connection.iter().chain(&media.further_connections).map(connection));
        lines.extend(media.bandwidths.iter().map(bandwidth));
        lines.extend(media.key.iter().map(|line| format!("k={}", text(line))));
        lines.extend(media.attributes.iter().map(attribute));
        sections.push(lines);
    }
    Some(Found(sections))
}

pub fn theirs(bytes: &[u8]) -> Option<Found> {
    use sdp_types::{Attribute, Bandwidth, Connection, Key};
    fn connection(connection: &Connection) -> String {
        format!("c={} {} {}", connection.nettype, connection.addrtype, connection.connection_address)
    }
    fn bandwidth(bandwidth: &Bandwidth) -> String {
        format!("b={}:{}", bandwidth.bwtype, bandwidth.bandwidth)
    }
    fn attribute(attribute: &Attribute) -> String {
        let value = attribute.value.as_deref().map(|value| format!(":{value}")).unwrap_or_default();
        format!("a={}{value}", attribute.attribute)
    }
    fn key(key: &Key) -> String {
        let value = key.encryption_key.as_deref().map(|value| format!(":{value}")).unwrap_or_default();
        format!("k={}{value}", key.method)
    }
    let session = quietly(|| sdp_types::Session::parse(bytes).ok())?;
    let origin = &session.origin;
    let address = format!("{} {} {}", origin.nettype, origin.addrtype, origin.unicast_address);
    let username = origin.username.as_deref().unwrap_or("-");
    let mut lines = vec![
        format!("o={username} {} {} {address}", origin.sess_id, origin.sess_version),
        format!("s={}", session.session_name),
    ];
    lines.extend(session.session_description.iter().map(|line| format!("i={line}")));
    lines.extend(session.uri.iter().map(|line| format!("u={line}")));
    lines.extend(session.emails.iter().map(|line| format!("e={line}")));
    lines.extend(session.phones.iter().map(|line| format!("p={line}")));
    lines.extend(session.connection.iter().map(connection));
    lines.extend(session.bandwidths.iter().map(bandwidth));
    lines.extend(session.times.iter().map(|time| format!("t={} {}", time.start_time, time.stop_time)));
    lines.extend(session.key.iter().map(key));
    lines.extend(session.attributes.iter().map(attribute));
    let mut sections = vec![lines];
    for media in &session.medias {
        let count = media.num_ports.map(|count| format!("/{count}")).unwrap_or_default();
        let formats = words(media.fmt.as_bytes());
        let mut lines = vec![format!("m={} {}{count} {} {formats}", media.media, media.port, media.proto)];
        lines.extend(media.media_title.iter().map(|line| format!("i={line}")));
        lines.extend(media.connections.iter().map(connection));
        lines.extend(media.bandwidths.iter().map(bandwidth));
        lines.extend(media.key.iter().map(key));
        lines.extend(media.attributes.iter().map(attribute));
        sections.push(lines);
    }
    Some(Found(sections))
}

/// Compares what both found: the classes of what differs, or a line that differs for no known reason.
pub fn compare(ours: &Found, theirs: &Found) -> Result<Vec<Class>, String> {
    let lines = |found: &Found| found.0.iter().map(Vec::len).collect::<Vec<_>>();
    if lines(ours) != lines(theirs) {
        return Err(format!("{ours:?}\n{theirs:?}"));
    }
    let mut classes = Vec::new();
    for (ours, theirs) in ours.0.iter().flatten().zip(theirs.0.iter().flatten()) {
        // `o=` and `c=` with a space after them have a word less when they are split.
        let split = |line: &str| words(line.split_at(2).1.trim_end_matches('\r').as_bytes());
        if ours == theirs {
            continue;
        } else if ours[..2] == theirs[..2] && split(ours) == split(theirs) {
            classes.push(Class::WhiteSpace);
        } else if ours.starts_with("o=") && theirs.starts_with("o=") && !(is_origin(ours) && is_origin(theirs)) {
            classes.push(Class::Origin);
        } else if ours.starts_with("m=") && theirs.starts_with("m=") && !(is_media(ours) && is_media(theirs)) {
            classes.push(Class::Media);
        } else {
            return Err(format!("{ours:?}\n{theirs:?}"));
        }
    }
    Ok(classes)
}

/// Whether a line has the six words of an origin, the third of them a number.
fn is_origin(line: &str) -> bool {
    let words: Vec<_> = line[2..].split(' ').collect();
    words.len() == 6 && words.iter().all(|word| !word.is_empty()) && words[2].parse::<u64>().is_ok()
}

/// Whether a line has the four words of a stream, the second of them a port and perhaps a count.
fn is_media(line: &str) -> bool {
    let words: Vec<_> = line[2..].split(' ').collect();
    let is_port = |port: &str| port.split('/').all(|number| number.parse::<u16>().is_ok());
    words.len() >= 4 && words.iter().all(|word| !word.is_empty()) && is_port(words[1])
}
