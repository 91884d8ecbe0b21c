//! Multipart bodies (RFC 5621, RFC 2046 §5.1): read within bounds, written back byte for byte.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memmem;

use crate::body::{BodyPart, Bounds};
use crate::error::{ErrorKind, ParseError, Part};
use crate::header::ContentType;

/// A body of several parts, whose nested bodies are read when asked for.
#[derive(Debug, Clone)]
pub struct Multipart {
    parts: Vec<BodyPart>,
    bounds: Bounds,
}

fn error(kind: ErrorKind, offset: usize) -> ParseError {
    ParseError::new(kind, Part::Body, offset)
}

/// A delimiter: where it begins, with the line break before it, and where what follows it begins.
struct Delimiter {
    start: usize,
    end: usize,
    last: bool,
}

/// Finds the next line that is `--boundary` or `--boundary--`, white space behind it allowed. A longer boundary that
/// begins alike is not one.
fn delimiter(body: &[u8], boundary: &[u8], from: usize) -> Option<Delimiter> {
    let finder = memmem::Finder::new(boundary);
    let mut at = from;
    loop {
        let found = at + finder.find(body.get(at..)?)?;
        at = found + 1;
        let Some(mark) = found.checked_sub(2) else { continue };
        let line_start = mark == 0 || body.get(..mark).is_some_and(|before| before.ends_with(b"\r\n"));
        if !line_start || body.get(mark..found) != Some(b"--") {
            continue;
        }
        let tail = body.get(found + boundary.len()..).unwrap_or_default();
        let last = tail.starts_with(b"--");
        let tail = if last { tail.get(2..).unwrap_or_default() } else { tail };
        let padding = tail.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let rest = tail.get(padding..).unwrap_or_default();
        // The last delimiter may end the body without a line break.
        let line_break = match rest {
            [b'\r', b'\n', ..] => 2,
            [] if last => 0,
            _ => continue,
        };
        let start = if mark >= from + 2 { mark - 2 } else { mark };
        return Some(Delimiter { start, end: body.len() - rest.len() + line_break, last });
    }
}

impl Multipart {
    /// Reads a body whose Content-Type states this boundary. What stands before the first delimiter and behind the
    /// last one is ignored.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] when the last delimiter is missing, [`ErrorKind::Missing`] when there is no part,
    /// [`ErrorKind::TooLarge`] when there are too many, and what the headers of a part have; offsets are those in the
    /// body.
    pub fn parse(body: &Bytes, boundary: &[u8], bounds: &Bounds) -> Result<Self, ParseError> {
        // RFC 2046 §5.1.1: 1 to 70 bytes, the last no space.
        if boundary.is_empty()
            || boundary.len() > 70
            || boundary.ends_with(b" ")
            || boundary.contains(&b'\r')
            || boundary.contains(&b'\n')
        {
            return Err(error(ErrorKind::Syntax, 0));
        }
        if bounds.depth == 0 {
            return Err(error(ErrorKind::TooLarge, 0));
        }
        let mut parts = Vec::new();
        let mut open = delimiter(body, boundary, 0).ok_or_else(|| error(ErrorKind::Missing, 0))?;
        while !open.last {
            let next = delimiter(body, boundary, open.end).ok_or_else(|| error(ErrorKind::Truncated, body.len()))?;
            if parts.len() >= bounds.parts {
                return Err(error(ErrorKind::TooLarge, open.end));
            }
            let bytes = if open.end < next.start { body.slice(open.end..next.start) } else { Bytes::new() };
            let part = BodyPart::parse(bytes, bounds)
                .map_err(|fault| ParseError { offset: fault.offset.saturating_add(open.end), ..fault })?;
            parts.push(part);
            open = next;
        }
        if parts.is_empty() {
            return Err(error(ErrorKind::Missing, 0));
        }
        Ok(Self { parts, bounds: bounds.clone() })
    }

    /// Reads a body of this type: `None` if it is not multipart.
    ///
    /// # Errors
    /// As [`Multipart::parse`]; [`ErrorKind::Missing`] also without a boundary.
    pub fn of(content_type: &ContentType, body: &Bytes, bounds: &Bounds) -> Result<Option<Self>, ParseError> {
        if !content_type.0.kind.eq_ignore_ascii_case(b"multipart") {
            return Ok(None);
        }
        let boundary = content_type.boundary().ok_or_else(|| error(ErrorKind::Missing, 0))?;
        Self::parse(body, &boundary, bounds).map(Some)
    }

    /// The parts in order.
    #[must_use]
    pub fn parts(&self) -> &[BodyPart] {
        &self.parts
    }

    /// The nested body of a part, within what is left of the bounds: `None` if the part is no multipart.
    ///
    /// # Errors
    /// As [`Multipart::parse`].
    pub fn nested(&self, part: &BodyPart) -> Result<Option<Self>, ParseError> {
        let bounds = Bounds {
            depth: self.bounds.depth.saturating_sub(1),
            parts: self.bounds.parts.saturating_sub(self.parts.len()),
            limits: self.bounds.limits,
        };
        Self::of(&part.content_type()?, part.body(), &bounds)
    }

    /// The first part of this type, in nested bodies too, in the order of the bytes. Nested bodies that are not
    /// well-formed or too deep are passed over.
    #[must_use]
    pub fn find(&self, kind: &str, subtype: &str) -> Option<BodyPart> {
        // A list instead of recursion: its length is bounded by the parts.
        let mut budget = self.bounds.parts;
        let mut waiting: Vec<(BodyPart, usize)> = self.parts.iter().rev().map(|part| (part.clone(), 1)).collect();
        while let Some((part, depth)) = waiting.pop() {
            budget = budget.checked_sub(1)?;
            let Ok(content_type) = part.content_type() else { continue };
            if content_type.is(kind, subtype) {
                return Some(part);
            }
            let bounds =
                Bounds { depth: self.bounds.depth.saturating_sub(depth), parts: budget, limits: self.bounds.limits };
            if let Ok(Some(nested)) = Self::of(&content_type, part.body(), &bounds) {
                waiting.extend(nested.parts.into_iter().rev().map(|part| (part, depth + 1)));
            }
        }
        None
    }

    /// The part with this Content-ID, not in nested bodies.
    #[must_use]
    pub fn by_content_id(&self, id: &[u8]) -> Option<&BodyPart> {
        self.parts.iter().find(|part| part.content_id().is_some_and(|found| found == id))
    }

    /// Writes parts with this boundary.
    ///
    /// # Errors
    /// [`ErrorKind::Syntax`] when the boundary is none, or stands in one of the parts: choose another.
    pub fn write(parts: &[BodyPart], boundary: &[u8]) -> Result<Bytes, ParseError> {
        let mut out = BytesMut::new();
        for part in parts {
            out.put_slice(b"--");
            out.put_slice(boundary);
            out.put_slice(b"\r\n");
            out.put_slice(part.as_bytes());
            out.put_slice(b"\r\n");
        }
        out.put_slice(b"--");
        out.put_slice(boundary);
        out.put_slice(b"--\r\n");
        let body = out.freeze();
        let all = Bounds {
            parts: usize::MAX,
            depth: 1,
            limits: crate::message::Limits { headers: usize::MAX, line: usize::MAX, ..Default::default() },
        };
        let read = Self::parse(&body, boundary, &all)?;
        let same = read.parts.len() == parts.len()
            && read.parts.iter().zip(parts).all(|(read, part)| read.as_bytes() == part.as_bytes());
        if same { Ok(body) } else { Err(error(ErrorKind::Syntax, 0)) }
    }

    /// A boundary that stands in none of the parts, made from `seed` and a number.
    #[must_use]
    pub fn boundary(parts: &[BodyPart], seed: &str) -> Cow<'static, str> {
        let seed: String = seed.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        let mut number = 0u64;
        loop {
            let boundary = format!("{seed}-{number}");
            if parts.iter().all(|part| memmem::find(part.as_bytes(), boundary.as_bytes()).is_none()) {
                return Cow::Owned(boundary);
            }
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::HeaderName;

    fn parse(body: &'static [u8], boundary: &str) -> Result<Multipart, ParseError> {
        Multipart::parse(&Bytes::from_static(body), boundary.as_bytes(), &Bounds::default())
    }

    fn bodies(multipart: &Multipart) -> Vec<&[u8]> {
        multipart.parts().iter().map(|part| &**part.body()).collect()
    }

    #[test]
    fn parts_are_found_with_preamble_epilogue_and_padding() {
        let body = b"This is ignored\r\n--b \t\r\n\r\none\r\n\r\n--b\r\nContent-Type: a/b\r\n\r\n\r\n--b-- \r\nso is --b\r\n--b\r\n";
        let multipart = parse(body, "b").unwrap();
        assert_eq!(bodies(&multipart), [&b"one\r\n"[..], b""]);
        assert!(multipart.parts()[0].content_type().unwrap().is("text", "plain"));
        assert!(multipart.parts()[1].content_type().unwrap().is("a", "b"));
    }

    #[test]
    fn a_boundary_that_another_begins_with_is_told_apart() {
        let body = b"--b\r\n\r\n--bb\r\nx--b\r\n --b\r\n--b-\r\n--b--c\r\n--b--";
        assert_eq!(bodies(&parse(body, "b").unwrap()), [b"--bb\r\nx--b\r\n --b\r\n--b-\r\n--b--c"]);
    }

    #[test]
    fn a_preamble_that_begins_with_the_boundary_hides_no_part() {
        for preamble in [&b""[..], b"b", b"-b", b"b--b", b"bb\r\n"] {
            let body = [preamble, b"\r\n--b\r\n\r\none\r\n--b--"].concat();
            let multipart = Multipart::parse(&body.into(), b"b", &Bounds::default()).unwrap();
            assert_eq!(bodies(&multipart), [b"one"]);
        }
    }

    #[test]
    fn a_binary_body_survives() {
        let mut body = b"--b\r\nContent-Type: application/octet-stream\r\n\r\n".to_vec();
        let content: Vec<u8> = (0..=255).chain([b'\r', b'\n', b'-', b'-']).collect();
        body.extend(&content);
        body.extend(b"\r\n--b--\r\n");
        let multipart = Multipart::parse(&Bytes::from(body), b"b", &Bounds::default()).unwrap();
        assert_eq!(multipart.parts()[0].body(), &content[..]);
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        for (body, kind) in [
            (&b""[..], ErrorKind::Missing),
            (b"no delimiter", ErrorKind::Missing),
            (b"--b--\r\n", ErrorKind::Missing),
            (b"--b\r\n\r\nopen", ErrorKind::Truncated),
            (b"--b\r\n\r\nopen\r\n--b\r\n", ErrorKind::Truncated),
            (b"--b\r\nContent-Type: a/b\r\n--b--\r\n", ErrorKind::Truncated),
            (b"--b\r\n--b--\r\n", ErrorKind::Truncated),
            (b"--b\r\nno header\r\n\r\nx\r\n--b--\r\n", ErrorKind::Syntax),
        ] {
            assert_eq!(parse(body, "b").unwrap_err().kind, kind, "{}", String::from_utf8_lossy(body));
        }
        for boundary in ["", "b ", "a\r\nb", &"b".repeat(71)] {
            assert!(parse(b"--b\r\n\r\nx\r\n--b--\r\n", boundary).is_err(), "{boundary:?}");
        }
    }

    fn nested(depth: usize) -> Bytes {
        let mut body = b"x".to_vec();
        for level in 0..depth {
            let mut outer = format!("--b{level}\r\n").into_bytes();
            if level > 0 {
                outer.extend(format!("Content-Type: multipart/mixed;boundary=b{}\r\n", level - 1).as_bytes());
            } else {
                outer.extend(b"Content-Type: application/sdp\r\n");
            }
            outer.extend(b"\r\n");
            outer.extend(&body);
            outer.extend(format!("\r\n--b{level}--\r\n").as_bytes());
            body = outer;
        }
        body.into()
    }

    #[test]
    fn nested_bodies_are_read_as_deep_as_the_bounds_allow() {
        for (depth, found) in [(1, true), (8, true), (9, false), (200, false)] {
            let boundary = format!("b{}", depth - 1);
            let multipart = Multipart::parse(&nested(depth), boundary.as_bytes(), &Bounds::default()).unwrap();
            assert_eq!(multipart.find("application", "sdp").is_some(), found, "{depth}");
        }
        let outer = Multipart::parse(&nested(2), b"b1", &Bounds::default()).unwrap();
        let inner = outer.nested(&outer.parts()[0]).unwrap().unwrap();
        assert_eq!(bodies(&inner), [b"x"]);
        assert!(inner.nested(&inner.parts()[0]).unwrap().is_none());
    }

    #[test]
    fn too_many_parts_are_refused() {
        let body: Bytes = [b"--b\r\n\r\nx\r\n".repeat(65), b"--b--".to_vec()].concat().into();
        assert_eq!(Multipart::parse(&body, b"b", &Bounds::default()).unwrap_err().kind, ErrorKind::TooLarge);
        let few = Bounds { parts: 65, ..Bounds::default() };
        assert_eq!(Multipart::parse(&body, b"b", &few).unwrap().parts().len(), 65);
    }

    #[test]
    fn parts_are_written_as_they_are_read() {
        let parts = [
            BodyPart::new(&ContentType::SDP, &[(HeaderName::CONTENT_DISPOSITION, b"session")], b"v=0\r\n"),
            BodyPart::new(&"text/plain".parse().unwrap(), &[(HeaderName::CONTENT_ID, b"<1@a>\r\nX: y")], b""),
            BodyPart::new(&"a/b;c=d".parse().unwrap(), &[], b"--s-0\r\n"),
        ];
        let boundary = Multipart::boundary(&parts, "s");
        assert_eq!(boundary, "s-1");
        let body = Multipart::write(&parts, boundary.as_bytes()).unwrap();
        let read = Multipart::parse(&body, boundary.as_bytes(), &Bounds::default()).unwrap();
        assert_eq!(bodies(&read), [&b"v=0\r\n"[..], b"", b"--s-0\r\n"]);
        assert_eq!(read.parts()[0].disposition().unwrap().unwrap().disposition, &b"session"[..]);
        assert_eq!(read.parts()[1].content_id(), None);
        assert!(Multipart::write(&parts, b"s-0").is_err());
    }
}
