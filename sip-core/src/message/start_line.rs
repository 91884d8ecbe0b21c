//! The first line: a request line (RFC 3261 §7.1) or a status line (§7.2).

use std::ops::Range;

use memchr::{memchr, memchr2};

use super::{Limits, StatusCode};
use crate::error::{ErrorKind, ParseError, Part};
use crate::header::token_length;

/// A first line, by offsets into the message.
#[derive(Debug, Clone)]
pub(crate) struct StartLine {
    pub(crate) line: Line,
    /// Where the header section begins.
    pub(crate) end: usize,
}

/// What a first line holds.
#[derive(Debug, Clone)]
pub(crate) enum Line {
    Request { method: Range<u32>, uri: Range<u32> },
    Status { status: StatusCode, reason: Range<u32> },
}

impl StartLine {
    /// Parses the first line; `bytes` is at most `u32::MAX` long.
    pub(crate) fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        let error = |kind, offset| ParseError::new(kind, Part::StartLine, offset);
        let length = line_length(bytes, limits)?;
        let line = bytes.get(..length).unwrap_or_default();
        let end = length + 2;
        if let Some(prefix) = line.get(..4)
            && prefix.eq_ignore_ascii_case(b"SIP/")
        {
            return Ok(Self { line: status_line(line)?, end });
        }
        let method = token_length(line);
        if method == 0 || line.get(method) != Some(&b' ') {
            return Err(error(ErrorKind::Syntax, method));
        }
        let uri = method + 1;
        let rest = line.get(uri..).unwrap_or_default();
        let Some(uri_length) = memchr(b' ', rest) else {
            return Err(error(ErrorKind::Missing, length));
        };
        let written = rest.get(..uri_length).unwrap_or_default();
        // Without an early exit, so that many are compared at once.
        if uri_length == 0 || written.iter().fold(false, |found, byte| found | (*byte < b' ')) {
            return Err(ParseError::new(ErrorKind::Syntax, Part::RequestUri, uri));
        }
        if uri_length > limits.uri {
            return Err(ParseError::new(ErrorKind::TooLarge, Part::RequestUri, uri));
        }
        let version = uri + uri_length + 1;
        check_version(line.get(version..).unwrap_or_default(), version)?;
        Ok(Self { line: Line::Request { method: range(0, method), uri: range(uri, uri + uri_length) }, end })
    }
}

/// The length of the first line without its CRLF.
fn line_length(bytes: &[u8], limits: &Limits) -> Result<usize, ParseError> {
    let error = |kind, offset| ParseError::new(kind, Part::StartLine, offset);
    let window = bytes.get(..limits.line.saturating_add(2)).unwrap_or(bytes);
    let Some(length) = memchr2(b'\r', b'\n', window) else {
        return Err(if window.len() < bytes.len() {
            error(ErrorKind::TooLarge, window.len())
        } else {
            error(ErrorKind::Truncated, bytes.len())
        });
    };
    match (bytes.get(length), bytes.get(length + 1)) {
        (Some(b'\r'), Some(b'\n')) if length <= limits.line => Ok(length),
        (Some(b'\r'), Some(b'\n')) => Err(error(ErrorKind::TooLarge, limits.line)),
        (Some(b'\r'), None) => Err(error(ErrorKind::Truncated, bytes.len())),
        _ => Err(error(ErrorKind::Syntax, length)),
    }
}

/// `SIP/2.0 200 OK`; the reason phrase may be empty, and its space may be missing.
fn status_line(line: &[u8]) -> Result<Line, ParseError> {
    let error = |kind, offset| ParseError::new(kind, Part::StartLine, offset);
    let version = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    check_version(line.get(..version).unwrap_or_default(), 0)?;
    let code = version + 1;
    let digits = line.get(code..).unwrap_or_default();
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let [a, b, c] = *digits.get(..length).unwrap_or_default() else {
        return Err(error(if length > 3 { ErrorKind::OutOfRange } else { ErrorKind::Syntax }, code));
    };
    let number = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
    let status = StatusCode::new(number).ok_or(error(ErrorKind::OutOfRange, code))?;
    let reason = match line.get(code + 3) {
        Some(b' ') => code + 4,
        None => line.len(),
        Some(_) => return Err(error(ErrorKind::Syntax, code + 3)),
    };
    Ok(Line::Status { status, reason: range(reason, line.len()) })
}

/// `SIP/2.0`, of which `SIP` is case-insensitive (RFC 3261 §7.1).
fn check_version(version: &[u8], offset: usize) -> Result<(), ParseError> {
    if version == b"SIP/2.0" || version.eq_ignore_ascii_case(b"SIP/2.0") {
        return Ok(());
    }
    let other = version.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"SIP/"))
        && version.get(4..).is_some_and(|number| {
            let mut parts = number.split(|byte| *byte == b'.');
            let mut digits =
                || parts.next().is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
            digits() && digits() && parts.next().is_none()
        });
    let kind = if other { ErrorKind::Version } else { ErrorKind::Syntax };
    Err(ParseError::new(kind, Part::StartLine, offset))
}

/// Offsets of at most `u32::MAX`, which the caller checked.
fn range(start: usize, end: usize) -> Range<u32> {
    start as u32..end as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[u8]) -> Result<StartLine, ParseError> {
        StartLine::parse(line, &Limits::default())
    }

    fn kind(line: &[u8]) -> ErrorKind {
        parse(line).unwrap_err().kind
    }

    #[test]
    fn a_request_line_is_found_by_its_two_spaces() {
        let start = parse(b"INVITE sip:bob@example.com SIP/2.0\r\nVia: x").unwrap();
        assert!(matches!(start.line, Line::Request { ref method, ref uri } if *method == (0..6) && *uri == (7..26)));
        assert_eq!(start.end, 36);
    }

    #[test]
    fn the_version_is_case_insensitive_and_only_two() {
        assert!(parse(b"BYE sip:a sip/2.0\r\n").is_ok());
        assert_eq!(kind(b"BYE sip:a SIP/7.0\r\n"), ErrorKind::Version);
        assert_eq!(kind(b"SIP/3.0 200 OK\r\n"), ErrorKind::Version);
        assert_eq!(kind(b"BYE sip:a HTTP/1.1\r\n"), ErrorKind::Syntax);
        assert_eq!(kind(b"BYE sip:a\r\n"), ErrorKind::Missing);
    }

    #[test]
    fn spaces_too_many_are_refused() {
        for line in [
            &b"BYE  sip:a SIP/2.0\r\n"[..],
            b"BYE sip:a  SIP/2.0\r\n",
            b"BYE sip:a SIP/2.0 \r\n",
            b" BYE sip:a SIP/2.0\r\n",
        ] {
            assert_eq!(kind(line), ErrorKind::Syntax);
        }
    }

    #[test]
    fn a_status_line_may_lack_its_reason() {
        for line in [&b"SIP/2.0 100 \r\n"[..], b"SIP/2.0 100\r\n"] {
            let start = parse(line).unwrap();
            assert!(matches!(start.line, Line::Status { status: StatusCode::TRYING, ref reason } if reason.is_empty()));
        }
    }

    #[test]
    fn a_status_code_is_three_digits_up_to_699() {
        assert_eq!(kind(b"SIP/2.0 4294967301 better not break the receiver\r\n"), ErrorKind::OutOfRange);
        assert_eq!(kind(b"SIP/2.0 700 x\r\n"), ErrorKind::OutOfRange);
        assert_eq!(kind(b"SIP/2.0 99 x\r\n"), ErrorKind::Syntax);
        assert_eq!(kind(b"SIP/2.0 200OK\r\n"), ErrorKind::Syntax);
    }

    #[test]
    fn the_line_and_the_uri_are_limited() {
        let limits = Limits { line: 40, uri: 10, ..Limits::default() };
        let error = StartLine::parse(b"BYE sip:0123456789 SIP/2.0\r\n", &limits).unwrap_err();
        assert_eq!((error.kind, error.part), (ErrorKind::TooLarge, Part::RequestUri));
        let error = StartLine::parse(&[b'A'; 50], &limits).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooLarge);
    }

    #[test]
    fn lines_end_with_both_characters() {
        assert_eq!(kind(b"BYE sip:a SIP/2.0\nVia: x\r\n"), ErrorKind::Syntax);
        assert_eq!(kind(b"BYE sip:a SIP/2.0\rVia: x\r\n"), ErrorKind::Syntax);
        assert_eq!(kind(b"BYE sip:a SIP/2.0\r"), ErrorKind::Truncated);
        assert_eq!(kind(b"BYE sip:a SIP/2.0"), ErrorKind::Truncated);
    }
}
