//! `sip` and `sips` URIs (RFC 3261 §19.1).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::{ErrorKind, ParseError, Part};
use crate::scan;
use crate::uri::{Host, HostPort, Params, Uri, escape};

/// A SIP or SIPS URI.
///
/// User, password, parameters and headers are kept as written, escapes included; [`SipUri::user_text`] resolves those
/// of the user part, once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SipUri {
    /// Whether the scheme is `sips`.
    pub secure: bool,
    /// The user part as written. It may hold `;`, `?` and `/`.
    pub user: Option<Bytes>,
    /// The password as written.
    pub password: Option<Bytes>,
    /// The host.
    pub host: Host,
    /// The port, if one is written.
    pub port: Option<u16>,
    /// The URI's parameters.
    pub params: Params,
    /// The URI's headers, what stands after `?`.
    pub headers: UriHeaders,
}

impl SipUri {
    /// A `sip` URI of a host alone.
    #[must_use]
    pub fn new(host: Host) -> Self {
        Self {
            secure: false,
            user: None,
            password: None,
            host,
            port: None,
            params: Params::new(),
            headers: UriHeaders::default(),
        }
    }

    /// A `sip` URI of a host and port alone.
    #[must_use]
    pub fn at(place: HostPort) -> Self {
        Self { port: place.port, ..Self::new(place.host) }
    }

    /// The URI with this user, given as plain text: what may not stand there is escaped.
    #[must_use]
    pub fn with_user(mut self, user: &[u8]) -> Self {
        self.user = Some(Bytes::from(escape::encode(user, b"&=+$,;?/")));
        self
    }

    /// The URI with this parameter.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: Option<&[u8]>) -> Self {
        self.set_param(name, value);
        self
    }

    /// Gives the parameter of this name this value, given as plain text: what may not stand there is escaped.
    pub fn set_param(&mut self, name: &str, value: Option<&[u8]>) {
        let escaped = value.map(|value| escape::encode(value, b"[]/:&+$"));
        self.params.set_escaped(name, escaped.as_deref());
    }

    /// The user part with its escapes resolved, once. It may hold any byte, zero too.
    #[must_use]
    pub fn user_text(&self) -> Option<Cow<'_, [u8]>> {
        self.user.as_deref().map(escape::decode)
    }

    /// Host and port.
    #[must_use]
    pub fn host_port(&self) -> HostPort {
        HostPort { host: self.host.clone(), port: self.port }
    }

    /// The `transport` parameter as written.
    #[must_use]
    pub fn transport(&self) -> Option<&[u8]> {
        self.params.value("transport")
    }

    /// The `maddr` parameter.
    #[must_use]
    pub fn maddr(&self) -> Option<Host> {
        self.params.value("maddr").and_then(Host::parse_parameter)
    }

    /// The `method` parameter as written.
    #[must_use]
    pub fn method(&self) -> Option<&[u8]> {
        self.params.value("method")
    }

    /// The `ttl` parameter.
    #[must_use]
    pub fn ttl(&self) -> Option<u8> {
        std::str::from_utf8(self.params.value("ttl")?).ok()?.parse().ok()
    }

    /// Whether the `lr` parameter is there: the element routes loosely (RFC 3261 §16.12).
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.params.contains("lr")
    }

    /// Whether the user part is a telephone number (`user=phone`).
    #[must_use]
    pub fn is_phone(&self) -> bool {
        self.params.value("user").is_some_and(|value| value.eq_ignore_ascii_case(b"phone"))
    }

    pub(crate) fn address_of_record(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_slice(if self.secure { b"sips:" } else { b"sip:" });
        if let Some(user) = self.user_text() {
            out.put_slice(&escape::encode(&user, b"&=+$,;?/"));
            out.put_u8(b'@');
        }
        let mut place = BytesMut::new();
        self.host.encode(&mut place);
        out.put_slice(&place.to_ascii_lowercase());
        if let Some(port) = self.port {
            out.put_u8(b':');
            crate::write::number(u64::from(port), &mut out);
        }
        out.freeze()
    }

    /// Writes it.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_slice(if self.secure { b"sips:" } else { b"sip:" });
        if let Some(user) = &self.user {
            put_user(user, out);
            if let Some(password) = &self.password {
                out.put_u8(b':');
                escape::put(password, scan::USER, out);
            }
            out.put_u8(b'@');
        }
        self.host.encode(out);
        if let Some(port) = self.port {
            out.put_u8(b':');
            crate::write::number(u64::from(port), out);
        }
        self.params.encode_uri(out);
        self.headers.encode(out);
    }
}

/// Writes a user part; a colon in it, which only a program can have put there, is escaped.
fn put_user(user: &[u8], out: &mut impl BufMut) {
    let mut parts = user.split(|&byte| byte == b':');
    escape::put(parts.next().unwrap_or_default(), scan::USER, out);
    for part in parts {
        out.put_slice(b"%3A");
        escape::put(part, scan::USER, out);
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scan::show(f, |out| self.encode(out))
    }
}

impl FromStr for SipUri {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.parse()? {
            Uri::Sip(uri) => Ok(uri),
            _ => Err(ParseError::new(ErrorKind::Syntax, Part::Uri, 0)),
        }
    }
}

/// The headers of a SIP URI, `?name=value&name=value`, kept as written (RFC 3261 §19.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct UriHeaders {
    /// Empty, or a well-formed list that begins with `?`.
    raw: Bytes,
}

impl UriHeaders {
    /// A list that is known to be well formed.
    #[inline]
    pub(crate) fn from_raw(raw: Bytes) -> Self {
        Self { raw }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The headers in order, names and values as written.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.raw.strip_prefix(b"?").into_iter().flat_map(|list| list.split(|&byte| byte == b'&')).filter_map(|entry| {
            let at = memchr::memchr(b'=', entry)?;
            Some((entry.get(..at)?, entry.get(at + 1..)?))
        })
    }

    /// The value of the first header of this name, escapes resolved once. The special name `body` is the body.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.iter()
            .find(|(found, _)| escape::decode(found).eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| escape::decode(value))
    }

    /// The list with one more header, given as plain text.
    #[must_use]
    pub fn with(self, name: &str, value: &[u8]) -> Self {
        if name.is_empty() {
            return self;
        }
        let mut out = BytesMut::from(&self.raw[..]);
        out.put_u8(if out.is_empty() { b'?' } else { b'&' });
        out.put_slice(&escape::encode(name.as_bytes(), b"[]/?:+$"));
        out.put_u8(b'=');
        out.put_slice(&escape::encode(value, b"[]/?:+$"));
        Self { raw: out.freeze() }
    }

    /// Writes the list.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_slice(&self.raw);
    }
}

impl fmt::Display for UriHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scan::show(f, |out| self.encode(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sip(text: &str) -> SipUri {
        text.parse().unwrap()
    }

    #[test]
    fn every_part_is_found_and_written_as_read() {
        let text = "sips:alice:secret@[2001:db8::9]:5061;transport=tcp;lr;x=%41?Subject=hi%20there&body=";
        let uri = sip(text);
        assert!(uri.secure && uri.is_loose());
        assert_eq!(uri.user.as_deref(), Some(&b"alice"[..]));
        assert_eq!(uri.password.as_deref(), Some(&b"secret"[..]));
        assert_eq!((uri.host.to_string().as_str(), uri.port), ("[2001:db8::9]", Some(5061)));
        assert_eq!(uri.transport(), Some(&b"tcp"[..]));
        assert_eq!(uri.headers.get("subject").as_deref(), Some(&b"hi there"[..]));
        assert_eq!(uri.headers.get("body").as_deref(), Some(&b""[..]));
        assert_eq!(uri.to_string(), text);
    }

    #[test]
    fn a_semicolon_inside_the_user_part_belongs_to_the_user() {
        let uri = sip("sip:user;par=u%40example.net@example.com;lr");
        assert_eq!(uri.user_text().as_deref(), Some(&b"user;par=u@example.net"[..]));
        assert_eq!(uri.params.to_string(), ";lr");
        let odd = sip(
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
        );
        assert_eq!(odd.user.as_deref(), Some(&b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"[..]));
        assert_eq!(odd.password.as_deref(), Some(&b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"[..]));
        assert_eq!(odd.host.to_string(), "example.com");
    }

    #[test]
    fn an_escaped_zero_does_not_end_the_user_part() {
        let uri = sip("sip:null-%00-null@example.com");
        assert_eq!(uri.user_text().as_deref(), Some(&b"null-\0-null"[..]));
        assert_ne!(uri, sip("sip:null-@example.com"));
        assert!(!uri.equivalent(&sip("sip:null-@example.com")));
    }

    #[test]
    fn escapes_are_never_resolved_twice() {
        let uri = sip("sip:sips%3Auser%40example.com@example.net;x=value%25%34%31");
        assert_eq!(uri.user_text().as_deref(), Some(&b"sips:user@example.com"[..]));
        assert_eq!(escape::decode(uri.params.value("x").unwrap()), &b"value%41"[..]);
        assert_eq!(uri.to_string(), "sip:sips%3Auser%40example.com@example.net;x=value%25%34%31");
    }

    #[test]
    fn headers_that_nobody_escaped_are_escaped_when_read() {
        let uri = sip("sip:a@b?Reason=SIP; cause=302; text=\"Moved\"&x=1");
        assert_eq!(uri.to_string(), "sip:a@b?Reason=SIP;%20cause=302;%20text=%22Moved%22&x=1");
        assert_eq!(uri.headers.get("reason").as_deref(), Some(&b"SIP; cause=302; text=\"Moved\""[..]));
    }

    #[test]
    fn what_is_no_sip_uri_is_refused() {
        for text in [
            "sip:",
            "sip:@a",
            "sip:a@",
            "sip:a@b@c",
            "sip:a b@c",
            "sip:a@b;",
            "sip:a@b;;lr",
            "sip:a@b?",
            "sip:a@b?x",
            "sip:a@b?=x",
            "sip:a@b:x",
            "sip:a@b:99999",
            "sip:a%4@b",
            "sip:a@b;x=%zz",
            "sip:a<@b",
            "sip:a@b>",
            "sip:a@b c",
            "sip:2001:db8::1",
            "<sip:a@b>",
        ] {
            assert!(text.parse::<SipUri>().is_err(), "{text}");
        }
    }

    #[test]
    fn plain_text_is_escaped_where_it_must_be() {
        let uri = SipUri::new("example.com".parse().unwrap())
            .with_user("a:b@ü\r\n".as_bytes())
            .with_param("x", Some(b"1;2 3"));
        assert_eq!(uri.to_string(), "sip:a%3Ab%40%C3%BC%0D%0A@example.com;x=1%3B2%203");
        assert_eq!(sip(&uri.to_string()), uri);
        let headers = UriHeaders::default().with("Replaces", b"1@h;to-tag=2").with("a", b"");
        assert_eq!(headers.to_string(), "?Replaces=1%40h%3Bto-tag%3D2&a=");
    }

    #[test]
    fn a_user_part_with_a_line_break_cannot_break_a_message() {
        let mut uri = sip("sip:a@b");
        uri.user = Some(Bytes::from_static(b"a:\r\nVia: x"));
        assert_eq!(uri.to_string(), "sip:a%3A%0D%0AVia%3A%20x@b");
    }

    #[test]
    fn an_address_of_record_has_no_parameters_and_no_escapes_that_need_not_be() {
        let uri: Uri = "sip:%61lice:pw@Example.COM:5060;user=phone?a=b".parse().unwrap();
        assert_eq!(uri.address_of_record(), &b"sip:alice@example.com:5060"[..]);
    }
}
