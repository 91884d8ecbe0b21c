//! From bytes to a description.

use bytes::Bytes;

use super::order::Order;
use super::text::{split_once, words};
use super::{Attribute, Bandwidth, Connection, Limits, Media, Origin, Session, Time, UnknownLine};
use crate::error::{ErrorKind, ParseError, Part};

/// What is wrong in a line.
type Fault = ErrorKind;

/// Parses a whole description.
pub(crate) fn session(bytes: &Bytes, limits: &Limits) -> Result<Session, ParseError> {
    let error = |kind, offset| ParseError::new(kind, Part::Sdp, offset);
    if bytes.len() > limits.bytes {
        return Err(error(ErrorKind::TooLarge, limits.bytes));
    }
    let mut lines = Lines { bytes, at: 0 };
    match lines.next().transpose()? {
        Some((_, b'v', value)) if value == "0" => {}
        Some((offset, b'v', _)) => return Err(error(ErrorKind::Version, offset)),
        Some((offset, ..)) => return Err(error(ErrorKind::Missing, offset)),
        None => return Err(error(ErrorKind::Missing, 0)),
    }
    let mut head = Head::new();
    let mut media: Vec<Media> = Vec::new();
    let mut count = 1;
    let mut head_order = vec![b'v'];
    let mut order: Vec<u8> = Vec::new();
    for line in lines {
        let (offset, kind, value) = line?;
        count += 1;
        if count > limits.lines {
            return Err(error(ErrorKind::TooLarge, offset));
        }
        if kind == b'm' {
            let stream = Media::parse_line(&value).ok_or(error(ErrorKind::Syntax, offset))?;
            if media.len() == limits.media || stream.formats.len() > limits.formats {
                return Err(error(ErrorKind::TooLarge, offset));
            }
            remember(&mut order, &mut media);
            media.push(stream);
            order.push(b'm');
            continue;
        }
        if media.is_empty() {
            head_order.push(kind);
        } else {
            order.push(kind);
        }
        let result = match media.last_mut() {
            Some(stream) => media_line(stream, kind, value),
            None => head.line(kind, value),
        };
        result.map_err(|kind| error(kind, offset))?;
    }
    let (Some(origin), Some(name)) = (head.origin, head.name) else {
        return Err(error(ErrorKind::Missing, bytes.len()));
    };
    remember(&mut order, &mut media);
    Ok(Session { origin, name, media, order: Order::of_session(head_order), ..head.rest })
}

/// Gives the last stream the order of its lines.
fn remember(order: &mut Vec<u8>, media: &mut [Media]) {
    let letters = core::mem::take(order);
    if let Some(stream) = media.last_mut() {
        stream.order = Order::of_media(letters);
    }
}

/// What comes before the first stream.
struct Head {
    origin: Option<Origin>,
    name: Option<Bytes>,
    /// The other lines, under an origin that is replaced before anyone sees it.
    rest: Session,
}

impl Head {
    fn new() -> Self {
        let connection = Connection { net_type: Bytes::new(), addr_type: Bytes::new(), address: Bytes::new() };
        let empty = Bytes::new();
        let origin = Origin { username: empty.clone(), session_id: empty.clone(), session_version: empty, connection };
        Self { origin: None, name: None, rest: Session::empty(origin) }
    }

    fn line(&mut self, kind: u8, value: Bytes) -> Result<(), Fault> {
        match kind {
            b'o' => return once(&mut self.origin, Origin::parse(&value)),
            b's' => return once(&mut self.name, value),
            _ => {}
        }
        let session = &mut self.rest;
        match kind {
            b'v' => return Err(ErrorKind::Repeated),
            b'i' => return once(&mut session.information, value),
            b'u' => return once(&mut session.uri, value),
            b'e' => session.emails.push(value),
            b'p' => session.phones.push(value),
            b'c' => return once(&mut session.connection, Connection::parse(&value).ok_or(ErrorKind::Syntax)?),
            b'b' => session.bandwidths.push(bandwidth(&value)?),
            b't' => session.times.push(time(&value)?),
            b'r' => session.times.last_mut().ok_or(ErrorKind::Missing)?.repeats.push(value),
            b'z' => return once(&mut session.zones, value),
            b'k' => return once(&mut session.key, value),
            b'a' => session.attributes.push(Attribute::parse(&value)),
            _ => session.unknown.push(UnknownLine { kind, value }),
        }
        Ok(())
    }
}

fn media_line(media: &mut Media, kind: u8, value: Bytes) -> Result<(), Fault> {
    match kind {
        b'i' => return once(&mut media.information, value),
        b'c' => {
            let connection = Connection::parse(&value).ok_or(ErrorKind::Syntax)?;
            match media.connection {
                None => media.connection = Some(connection),
                Some(_) => media.further_connections.push(connection),
            }
        }
        b'b' => media.bandwidths.push(bandwidth(&value)?),
        b'k' => return once(&mut media.key, value),
        b'a' => media.attributes.push(Attribute::parse(&value)),
        // These belong to the session; here they would be ambiguous.
        b'v' | b'o' | b's' | b'u' | b'e' | b'p' | b't' | b'r' | b'z' => return Err(ErrorKind::Syntax),
        _ => media.unknown.push(UnknownLine { kind, value }),
    }
    Ok(())
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Fault> {
    match place {
        Some(_) => Err(ErrorKind::Repeated),
        None => {
            *place = Some(value);
            Ok(())
        }
    }
}

fn bandwidth(value: &Bytes) -> Result<Bandwidth, Fault> {
    let (kind, amount) = split_once(value, b':').ok_or(ErrorKind::Syntax)?;
    Ok(Bandwidth { kind: value.slice_ref(kind), value: value.slice_ref(amount) })
}

fn time(value: &Bytes) -> Result<Time, Fault> {
    let mut words = words(value);
    match (words.next(), words.next(), words.next()) {
        (Some(start), Some(stop), None) => Ok(Time { start, stop, repeats: Vec::new() }),
        _ => Err(ErrorKind::Syntax),
    }
}

/// The lines of a description: offset, letter and value.
struct Lines<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Iterator for Lines<'_> {
    type Item = Result<(usize, u8, Bytes), ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let (line, len) = match memchr::memchr(b'\n', rest) {
            Some(end) => (rest.get(..end).unwrap_or_default(), end + 1),
            None => (rest, rest.len()),
        };
        self.at += len;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() && rest.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            // Empty lines after the last one are harmless.
            self.at = self.bytes.len();
            return None;
        }
        let syntax = |offset| Some(Err(ParseError::new(ErrorKind::Syntax, Part::Sdp, start + offset)));
        if let Some(bad) = memchr::memchr2(b'\r', 0, line) {
            return syntax(bad);
        }
        match line {
            [kind, b'=', value @ ..] if kind.is_ascii_alphabetic() => {
                Some(Ok((start, *kind, self.bytes.slice_ref(value))))
            }
            _ => syntax(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of RFC 8866 §5.
    const EXAMPLE: &str = "v=0\r\no=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\ns=Call to John Smith\r\n\
        i=SDP Offer #1\r\nu=http://www.jdoe.example.com/home.html\r\ne=Jane Doe <jane@jdoe.example.com>\r\n\
        p=+1 617 555-6011\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 49170 RTP/AVP 0\r\nm=audio 49180 RTP/AVP 0\r\n\
        m=video 51372 RTP/AVP 99\r\nc=IN IP6 2001:db8::2\r\na=rtpmap:99 h263-1998/90000\r\n";

    fn parse(text: &str) -> Result<Session, ParseError> {
        Session::parse(text.as_bytes())
    }

    fn fault(text: &str) -> (ErrorKind, usize) {
        let error = parse(text).unwrap_err();
        assert_eq!(error.part, Part::Sdp);
        (error.kind, error.offset)
    }

    #[test]
    fn the_example_of_rfc_8866_is_read_and_written_byte_for_byte() {
        let session = parse(EXAMPLE).unwrap();
        assert_eq!(session.origin.username, "jdoe");
        assert_eq!(session.name, "Call to John Smith");
        assert_eq!(session.emails, ["Jane Doe <jane@jdoe.example.com>"]);
        assert_eq!(session.media.len(), 3);
        assert_eq!(session.media[2].rtpmap("99").unwrap().encoding, "h263-1998");
        assert_eq!(session.to_string(), EXAMPLE);
    }

    #[test]
    fn every_kind_of_line_is_kept() {
        let text = "v=0\r\no=- 1 1 IN IP4 a\r\ns= \r\ni=i\r\nu=u\r\ne=1\r\ne=2\r\np=1\r\np=2\r\nc=IN IP4 224.2.17.12/127\r\n\
            b=AS:1\r\nb=X-Y:2\r\nt=3034423619 3042462419\r\nr=604800 3600 0 90000\r\nr=7d 1h 0 25h\r\nt=1 2\r\n\
            z=2882844526 -1h 2898848070 0\r\nk=prompt\r\na=x\r\na=y:z\r\na=\r\na=:\r\nx=1\r\nQ=2\r\nm=a 1/2 b\r\ni=3\r\n\
            c=IN IP4 224.2.1.1/127\r\nc=IN IP4 224.2.1.2/127\r\nb=TIAS:3\r\nk=clear:x\r\na=1\r\nf=2\r\nm=c 0 d 1 2 3\r\n";
        assert_eq!(parse(text).unwrap().to_string(), text);
    }

    #[test]
    fn bare_line_feeds_a_missing_last_line_end_and_empty_last_lines_are_read() {
        let session = parse(EXAMPLE).unwrap();
        assert_eq!(parse(&EXAMPLE.replace("\r\n", "\n")), Ok(session.clone()));
        assert_eq!(parse(EXAMPLE.trim_end()), Ok(session.clone()));
        assert_eq!(parse(&format!("{EXAMPLE}\r\n\r\n\n")), Ok(session));
        assert_eq!(fault(&EXAMPLE.replace("t=0 0", "\r\nt=0 0")).0, ErrorKind::Syntax);
    }

    #[test]
    fn lines_out_of_order_are_read_and_put_in_order() {
        let moved =
            EXAMPLE.replace("s=Call to John Smith\r\n", "").replace("t=0 0\r\n", "t=0 0\r\ns=Call to John Smith\r\n");
        assert_eq!(parse(&moved), parse(EXAMPLE));
        assert_eq!(parse(&moved).unwrap().to_string(), moved);
    }

    #[test]
    fn an_error_names_the_line_where_it_is() {
        assert_eq!(fault(""), (ErrorKind::Missing, 0));
        assert_eq!(fault("o=- 1 1 IN IP4 a\r\n"), (ErrorKind::Missing, 0));
        assert_eq!(fault("v=1\r\n"), (ErrorKind::Version, 0));
        assert_eq!(fault("v=0\r\ns=-\r\n"), (ErrorKind::Missing, 10));
        assert_eq!(fault("v=0\r\no=- 1 1 IN IP4 a\r\n"), (ErrorKind::Missing, 23));
        assert_eq!(fault("v=0\r\nc=IN IP4\r\n"), (ErrorKind::Syntax, 5));
        assert_eq!(fault("v=0\r\nb=1\r\n"), (ErrorKind::Syntax, 5));
        assert_eq!(fault("v=0\r\nt=1\r\n"), (ErrorKind::Syntax, 5));
        assert_eq!(fault("v=0\r\ns=a\r\ns=b\r\n"), (ErrorKind::Repeated, 10));
        assert_eq!(fault("v=0\r\nv=0\r\n"), (ErrorKind::Repeated, 5));
        assert_eq!(fault("v=0\r\nr=1\r\n"), (ErrorKind::Missing, 5));
        assert_eq!(fault("v=0\r\nm= \r\n"), (ErrorKind::Syntax, 5));
        assert_eq!(fault("v=0\r\na=a\rb\r\n"), (ErrorKind::Syntax, 8));
        assert_eq!(fault("v=0\r\na=a\0b\r\n"), (ErrorKind::Syntax, 8));
        assert_eq!(fault("v=0\r\n a=b\r\n"), (ErrorKind::Syntax, 5));
        assert_eq!(fault("v=0\r\n=b\r\n"), (ErrorKind::Syntax, 5));
        assert_eq!(fault("v=0\r\nm=a 1 b\r\ns=-\r\n"), (ErrorKind::Syntax, 14));
    }

    #[test]
    fn a_description_is_bounded_in_every_direction() {
        let base = "v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nt=0 0\r\n";
        let limits = Limits { bytes: 400, lines: 10, media: 3, formats: 4 };
        let with = |more: &str| {
            Session::parse_with(&Bytes::from(format!("{base}{more}")), &limits).map_err(|error| error.kind)
        };
        assert!(with(&"m=a 1 b 1 2 3 4\r\n".repeat(3)).is_ok());
        assert_eq!(with(&"m=a 1 b\r\n".repeat(4)), Err(ErrorKind::TooLarge));
        assert_eq!(with("m=a 1 b 1 2 3 4 5\r\n"), Err(ErrorKind::TooLarge));
        assert!(with(&"a=x\r\n".repeat(6)).is_ok());
        assert_eq!(with(&"a=x\r\n".repeat(7)), Err(ErrorKind::TooLarge));
        assert_eq!(with(&format!("a={}\r\n", "x".repeat(400))), Err(ErrorKind::TooLarge));
    }

    #[test]
    fn parsing_without_copying_keeps_slices_of_the_message() {
        let bytes = Bytes::from_static(EXAMPLE.as_bytes());
        let session = Session::parse_with(&bytes, &Limits::default()).unwrap();
        let range = bytes.as_ptr() as usize..bytes.as_ptr() as usize + bytes.len();
        assert!(range.contains(&(session.name.as_ptr() as usize)));
        assert!(range.contains(&(session.media[2].attributes[0].name.as_ptr() as usize)));
    }

    fn description() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            "a=[a-z-]{1,8}(:[ -~]{0,12})?",
            "b=[A-Z]{2}:[0-9]{1,4}",
            "m=(audio|video) [0-9]{1,4}(/[0-9])? RTP/AVP( [0-9]{1,3}){0,4}",
            "c=IN IP[46] [a-z0-9.:/]{1,12}",
            "[a-zA-Z]=[ -~]{0,12}",
            "t=[0-9]{1,4} [0-9]{1,4}",
            "[ -~]{0,5}",
        ];
        (proptest::collection::vec(line, 0..16), prop_oneof![Just("\r\n"), Just("\n")]).prop_map(|(lines, end)| {
            let mut text = format!("v=0{end}o=- 1 1 IN IP4 a{end}s=-{end}");
            for line in lines {
                text.push_str(&line);
                text.push_str(end);
            }
            text
        })
    }

    proptest! {
        #[test]
        fn what_is_parsed_is_written_and_parsed_the_same(text in description()) {
            if let Ok(session) = parse(&text) {
                prop_assert_eq!(Session::parse(&session.to_bytes()).unwrap(), session);
            }
        }

        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut text = b"v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\n".to_vec();
            text.extend_from_slice(&bytes);
            for bytes in [bytes, text] {
                if let Ok(session) = Session::parse(&bytes) {
                    prop_assert_eq!(Session::parse(&session.to_bytes()).unwrap(), session);
                }
            }
        }
    }
}
