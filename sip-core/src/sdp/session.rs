//! A whole description.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};

use super::media::{self, encode_bandwidths, encode_tail};
use super::order::Order;
use super::text::{put, put_line};
use super::{
    Attribute, Bandwidth, Connection, Direction, Group, Limits, Media, Origin, Time, TypedAttribute, UnknownLine,
    attribute,
};
use crate::error::ParseError;

/// A session description (RFC 8866 §5).
///
/// Lines are written in the order in which they came, or else in the RFC's. The order says nothing: descriptions that
/// differ in it alone are equal. Whatever bytes a field is set to, it is written as one line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Session {
    /// `o=`.
    pub origin: Origin,
    /// `s=`: a space or `-` when there is nothing to say.
    pub name: Bytes,
    /// `i=`.
    pub information: Option<Bytes>,
    /// `u=`.
    pub uri: Option<Bytes>,
    /// `e=`.
    pub emails: Vec<Bytes>,
    /// `p=`.
    pub phones: Vec<Bytes>,
    /// `c=`: where media is to be sent, unless a stream says otherwise.
    pub connection: Option<Connection>,
    /// `b=`.
    pub bandwidths: Vec<Bandwidth>,
    /// `t=` with their `r=`.
    pub times: Vec<Time>,
    /// `z=`.
    pub zones: Option<Bytes>,
    /// `k=` (obsolete).
    pub key: Option<Bytes>,
    /// `a=` before the first stream.
    pub attributes: Vec<Attribute>,
    /// Lines of types that are not defined, before the first stream.
    pub unknown: Vec<UnknownLine>,
    /// The streams.
    pub media: Vec<Media>,
    /// The order in which the lines came.
    pub(crate) order: Order,
}

impl Session {
    /// A description of a call without streams: `s=-`, `t=0 0`.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self { name: Bytes::from_static(b"-"), times: vec![Time::unbounded()], ..Self::empty(origin) }
    }

    pub(crate) fn empty(origin: Origin) -> Self {
        Self {
            origin,
            name: Bytes::new(),
            information: None,
            uri: None,
            emails: Vec::new(),
            phones: Vec::new(),
            connection: None,
            bandwidths: Vec::new(),
            times: Vec::new(),
            zones: None,
            key: None,
            attributes: Vec::new(),
            unknown: Vec::new(),
            media: Vec::new(),
            order: Order::default(),
        }
    }

    /// Parses a description within the default [`Limits`]. Lines end with CR LF or LF.
    ///
    /// # Errors
    /// When a line that we understand breaks its grammar, when `v=0`, `o=` or `s=` is missing, or past a limit. The
    /// offset is that of the line.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        Self::parse_with(&Bytes::copy_from_slice(bytes), &Limits::default())
    }

    /// Parses a description without copying it: the values are slices of it.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_with(bytes: &Bytes, limits: &Limits) -> Result<Self, ParseError> {
        super::parse::session(bytes, limits)
    }

    /// Writes the description.
    pub fn encode(&self, out: &mut impl BufMut) {
        if self.order.is_canonical() {
            self.encode_head(out);
        } else {
            let mut lines = Vec::with_capacity(512);
            self.encode_head(&mut lines);
            self.order.write(&lines, out);
        }
        for media in &self.media {
            media.encode(out);
        }
    }

    /// Writes the lines before the first stream, in the RFC's order.
    fn encode_head(&self, out: &mut impl BufMut) {
        out.put_slice(b"v=0\r\no=");
        self.origin.encode(out);
        out.put_slice(b"\r\n");
        put_line(out, b's', &self.name);
        for (kind, value) in [(b'i', &self.information), (b'u', &self.uri)] {
            if let Some(value) = value {
                put_line(out, kind, value);
            }
        }
        for (kind, values) in [(b'e', &self.emails), (b'p', &self.phones)] {
            for value in values {
                put_line(out, kind, value);
            }
        }
        if let Some(connection) = &self.connection {
            out.put_slice(b"c=");
            connection.encode(out);
            out.put_slice(b"\r\n");
        }
        encode_bandwidths(out, &self.bandwidths);
        for time in &self.times {
            out.put_slice(b"t=");
            put(out, &time.start);
            out.put_u8(b' ');
            put(out, &time.stop);
            out.put_slice(b"\r\n");
            for repeat in &time.repeats {
                put_line(out, b'r', repeat);
            }
        }
        if let Some(zones) = &self.zones {
            put_line(out, b'z', zones);
        }
        encode_tail(out, &[], &self.key, &self.attributes, &self.unknown);
    }

    /// The description as the body of a message.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(512);
        self.encode(&mut out);
        out.freeze()
    }

    /// Sets where media is to be sent.
    #[must_use]
    pub fn with_address(mut self, address: IpAddr) -> Self {
        self.connection = Some(address.into());
        self
    }

    /// Puts a stream at the end.
    #[must_use]
    pub fn with_media(mut self, media: Media) -> Self {
        self.media.push(media);
        self
    }

    /// Sets an attribute of the session that occurs once: in place when it is there, else at the end.
    pub fn set_attribute(&mut self, attribute: Attribute) {
        media::set_attribute(&mut self.attributes, attribute);
    }

    /// The first attribute of the session of that name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The values of all attributes of the session of that name.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Bytes> {
        media::values(&self.attributes, name)
    }

    /// The first attribute of the session of a type that can be read.
    #[must_use]
    pub fn typed<A: TypedAttribute>(&self) -> Option<A> {
        self.all().next()
    }

    /// All attributes of the session of a type that can be read.
    pub fn all<A: TypedAttribute>(&self) -> impl Iterator<Item = A> {
        attribute::typed(&self.attributes)
    }

    /// An attribute of a stream that the session may state for all, such as ICE credentials or a fingerprint: the
    /// stream's own, or else the session's.
    #[must_use]
    pub fn typed_of<A: TypedAttribute>(&self, media: &Media) -> Option<A> {
        media.typed().or_else(|| self.typed())
    }

    /// The streams of a group, in its order (RFC 5888): those whose `a=mid` it names.
    pub fn members<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Media> {
        group.mids.iter().filter_map(|mid| self.media.iter().find(|media| media.values("mid").next() == Some(mid)))
    }

    /// The direction of a stream: what it states itself, or the session's default, or `sendrecv` (RFC 8866 §6.7).
    #[must_use]
    pub fn direction_of(&self, media: &Media) -> Direction {
        media.direction().or_else(|| self.attributes.iter().find_map(media::direction)).unwrap_or_default()
    }

    /// The `c=` of a stream: its own or the session's.
    #[must_use]
    pub fn connection_of<'a>(&'a self, media: &'a Media) -> Option<&'a Connection> {
        media.connection.as_ref().or(self.connection.as_ref())
    }

    /// Where a stream's media is to be sent, when that is an address and not a name.
    #[must_use]
    pub fn address_of(&self, media: &Media) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.connection_of(media)?.ip()?, media.port))
    }

    /// Where a stream's RTCP is to be sent: where `a=rtcp` says, or to the port after RTP's (RFC 3605).
    ///
    /// With `a=rtcp-mux` in offer and answer it goes to RTP's port instead, which one description alone cannot tell.
    #[must_use]
    pub fn rtcp_address_of(&self, media: &Media) -> Option<SocketAddr> {
        match media.rtcp() {
            Some(rtcp) => {
                let connection = rtcp.connection.as_ref().or_else(|| self.connection_of(media))?;
                Some(SocketAddr::new(connection.ip()?, rtcp.port))
            }
            None => Some(SocketAddr::new(self.connection_of(media)?.ip()?, media.port.checked_add(1)?)),
        }
    }

    /// Whether a stream is put on hold by whoever made this, in any of the styles: `sendonly`, `inactive`, or the null
    /// address of RFC 2543 (RFC 3264 §8.4, RFC 6337 §5.3).
    #[must_use]
    pub fn holds(&self, media: &Media) -> bool {
        !self.direction_of(media).receives() || self.connection_of(media).is_some_and(Connection::is_null)
    }
}

impl fmt::Display for Session {
    /// The lines as text; bytes that are not UTF-8 are replaced.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

impl core::str::FromStr for Session {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(media: &str) -> Session {
        format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{media}").parse().unwrap()
    }

    #[test]
    fn a_stream_falls_back_to_the_sessions_connection() {
        let session = parse("m=audio 10 RTP/AVP 0\r\nm=audio 20 RTP/AVP 0\r\nc=IN IP6 2001:db8::2\r\n");
        let addresses: Vec<_> = session.media.iter().map(|media| session.address_of(media).unwrap()).collect();
        assert_eq!(addresses, ["192.0.2.1:10".parse().unwrap(), "[2001:db8::2]:20".parse().unwrap()]);
    }

    #[test]
    fn rtcp_goes_to_the_next_port_unless_it_is_said() {
        let session = parse(
            "m=audio 10 RTP/AVP 0\r\nm=audio 20 RTP/AVP 0\r\na=rtcp:99\r\nm=audio 30 RTP/AVP 0\r\n\
             a=rtcp:98 IN IP4 192.0.2.9\r\nm=audio 65535 RTP/AVP 0\r\n",
        );
        let addresses: Vec<_> = session.media.iter().map(|media| session.rtcp_address_of(media)).collect();
        let expected = ["192.0.2.1:11", "192.0.2.1:99", "192.0.2.9:98"].map(|text| Some(text.parse().unwrap()));
        assert_eq!(addresses[..3], expected);
        assert_eq!(addresses[3], None);
    }

    #[test]
    fn the_sessions_direction_is_the_default_of_its_streams() {
        let session = parse("a=recvonly\r\nm=audio 10 RTP/AVP 0\r\nm=audio 20 RTP/AVP 0\r\na=sendrecv\r\n");
        let directions: Vec<_> = session.media.iter().map(|media| session.direction_of(media)).collect();
        assert_eq!(directions, [Direction::RecvOnly, Direction::SendRecv]);
    }

    #[test]
    fn hold_is_seen_in_all_its_styles() {
        for (lines, held) in [
            ("m=audio 10 RTP/AVP 0\r\n", false),
            ("m=audio 10 RTP/AVP 0\r\na=recvonly\r\n", false),
            ("m=audio 10 RTP/AVP 0\r\na=sendonly\r\n", true),
            ("m=audio 10 RTP/AVP 0\r\na=inactive\r\n", true),
            ("a=sendonly\r\nm=audio 10 RTP/AVP 0\r\n", true),
            ("m=audio 10 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n", true),
            ("m=audio 10 RTP/AVP 0\r\nc=IN IP6 ::\r\na=sendrecv\r\n", true),
        ] {
            let session = parse(lines);
            assert_eq!(session.holds(&session.media[0]), held, "{lines}");
        }
    }

    #[test]
    fn a_field_cannot_become_another_line() {
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let mut session = Session::new(Origin::new("x\r\na=evil", 1, 1, address)).with_address(address);
        session.name = "a\nm=video 1 RTP/AVP 31".into();
        session.set_attribute(Attribute::new("x", "y\r\nm=audio 1 RTP/AVP 0"));
        session.media.push(Media::new("audio\r\nb=x:1", 1, "RTP/AVP"));
        let written = session.to_string();
        assert_eq!(written.lines().count(), 7, "{written}");
    }
}
