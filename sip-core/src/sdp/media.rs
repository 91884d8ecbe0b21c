//! One stream: the `m=` line and what follows it.

use core::net::IpAddr;

use bytes::{BufMut, Bytes};

use super::codec::payload_type;
use super::order::Order;
use super::text::{number, put, put_line, split_once, words};
use super::{Attribute, Bandwidth, Connection, Direction, Fmtp, Rtcp, RtpMap, TypedAttribute, UnknownLine, attribute};

/// A media description (RFC 8866 §5.14).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Media {
    /// `audio`, `video`, `image`, `text`, `application`, `message` or another.
    pub kind: Bytes,
    /// The port; 0 rejects the stream.
    pub port: u16,
    /// What stands in the place of the port when that is no port number, such as ATM's `$`. The port is then 0, and an
    /// answer rejects the stream. It is written as long as the port is 0.
    pub port_text: Option<Bytes>,
    /// The number after the port's slash: how many pairs of ports.
    pub port_count: Option<u32>,
    /// The transport, such as `RTP/AVP`.
    pub proto: Bytes,
    /// The formats in order of preference; payload types for RTP.
    pub formats: Vec<Bytes>,
    /// `i=`.
    pub information: Option<Bytes>,
    /// `c=`: where media is to be sent, when it is not where the session says.
    pub connection: Option<Connection>,
    /// Further `c=` lines, as layered multicast has them.
    pub further_connections: Vec<Connection>,
    /// `b=`.
    pub bandwidths: Vec<Bandwidth>,
    /// `k=` (obsolete).
    pub key: Option<Bytes>,
    /// `a=`.
    pub attributes: Vec<Attribute>,
    /// Lines of types that are not defined.
    pub unknown: Vec<UnknownLine>,
    /// The order in which the lines came.
    pub(crate) order: Order,
}

impl Media {
    /// A stream without formats.
    #[must_use]
    pub fn new(kind: impl Into<Bytes>, port: u16, proto: impl Into<Bytes>) -> Self {
        Self {
            kind: kind.into(),
            port,
            port_text: None,
            port_count: None,
            proto: proto.into(),
            formats: Vec::new(),
            information: None,
            connection: None,
            further_connections: Vec::new(),
            bandwidths: Vec::new(),
            key: None,
            attributes: Vec::new(),
            unknown: Vec::new(),
            order: Order::default(),
        }
    }

    /// Reads what follows `m=`. `None` when there is nothing.
    pub(crate) fn parse_line(text: &Bytes) -> Option<Self> {
        let mut words = words(text);
        let mut this = Self::new(words.next()?, 0, Bytes::new());
        let port = words.next().unwrap_or_default();
        let (digits, count) = match split_once(&port, b'/') {
            Some((digits, count)) => (digits, Some(number(count))),
            None => (&*port, None),
        };
        match (number(digits), count) {
            (Some(number), None) => this.port = number,
            (Some(number), Some(Some(count))) => (this.port, this.port_count) = (number, Some(count)),
            _ => this.port_text = Some(port),
        }
        this.proto = words.next().unwrap_or_default();
        this.formats = words.collect();
        Some(this)
    }

    /// Writes all lines of the stream.
    pub fn encode(&self, out: &mut impl BufMut) {
        if self.order.is_canonical() {
            return self.encode_canonical(out);
        }
        let mut lines = Vec::with_capacity(256);
        self.encode_canonical(&mut lines);
        self.order.write(&lines, out);
    }

    fn encode_canonical(&self, out: &mut impl BufMut) {
        out.put_slice(b"m=");
        put(out, &self.kind);
        match &self.port_text {
            Some(text) if self.port == 0 => {
                if !text.is_empty() {
                    out.put_u8(b' ');
                    put(out, text);
                }
            }
            _ => {
                out.put_u8(b' ');
                out.put_slice(self.port.to_string().as_bytes());
                if let Some(count) = self.port_count {
                    out.put_u8(b'/');
                    out.put_slice(count.to_string().as_bytes());
                }
            }
        }
        for format in core::iter::once(&self.proto).filter(|proto| !proto.is_empty()).chain(&self.formats) {
            out.put_u8(b' ');
            put(out, format);
        }
        out.put_slice(b"\r\n");
        if let Some(information) = &self.information {
            put_line(out, b'i', information);
        }
        for connection in self.connection.iter().chain(&self.further_connections) {
            out.put_slice(b"c=");
            connection.encode(out);
            out.put_slice(b"\r\n");
        }
        encode_tail(out, &self.bandwidths, &self.key, &self.attributes, &self.unknown);
    }

    /// Puts an attribute at the end.
    #[must_use]
    pub fn with_attribute(mut self, attribute: Attribute) -> Self {
        self.attributes.push(attribute);
        self
    }

    /// Sets an attribute that occurs once: in place when it is there, else at the end.
    pub fn set_attribute(&mut self, attribute: Attribute) {
        set_attribute(&mut self.attributes, attribute);
    }

    /// Removes every attribute of that name.
    pub fn remove_attribute(&mut self, name: &str) {
        self.attributes.retain(|attribute| attribute.name != name);
    }

    /// Sets the direction, in place when one is there.
    pub fn set_direction(&mut self, direction: Direction) {
        set_direction(&mut self.attributes, direction);
    }

    /// Says where this stream's media is to be sent.
    pub fn set_address(&mut self, address: IpAddr) {
        self.connection = Some(address.into());
        self.further_connections.clear();
    }

    /// Sets the port.
    pub fn set_port(&mut self, port: u16) {
        self.port = port;
        self.port_text = None;
        self.port_count = None;
    }

    /// The first attribute of that name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The values of all attributes of that name.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Bytes> {
        values(&self.attributes, name)
    }

    /// The first attribute of a type that can be read.
    #[must_use]
    pub fn typed<A: TypedAttribute>(&self) -> Option<A> {
        self.all().next()
    }

    /// All attributes of a type that can be read.
    pub fn all<A: TypedAttribute>(&self) -> impl Iterator<Item = A> {
        attribute::typed(&self.attributes)
    }

    /// Whether there is an attribute of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// Whether the stream is rejected or closed: port 0, unless it goes over another stream's port (RFC 9143 §6).
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.port == 0 && !self.has("bundle-only")
    }

    /// Whether the transport carries RTP.
    #[must_use]
    pub fn is_rtp(&self) -> bool {
        self.proto.split(|byte| *byte == b'/').any(|piece| piece.eq_ignore_ascii_case(b"RTP"))
    }

    /// What a format means: its `a=rtpmap`, or for a static payload type RFC 3551's table.
    #[must_use]
    pub fn rtpmap(&self, format: impl AsRef<[u8]>) -> Option<RtpMap> {
        let payload = payload_type(format.as_ref())?;
        self.rtpmaps().find(|map| map.payload == payload).or_else(|| RtpMap::from_static(payload))
    }

    /// All `a=rtpmap` that can be read.
    pub fn rtpmaps(&self) -> impl Iterator<Item = RtpMap> {
        self.all()
    }

    /// The formats with their meanings, in order. Formats without a meaning are passed over.
    pub fn codecs(&self) -> impl Iterator<Item = RtpMap> {
        self.formats.iter().filter_map(|format| self.rtpmap(format))
    }

    /// The parameters of a format.
    #[must_use]
    pub fn fmtp(&self, format: impl AsRef<[u8]>) -> Option<Fmtp> {
        self.all::<Fmtp>().find(|fmtp| fmtp.format == *format.as_ref())
    }

    /// The direction that this stream states itself. [`Session::direction_of`](super::Session::direction_of) knows the
    /// session's default too.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        self.attributes.iter().find_map(direction)
    }

    /// Milliseconds of audio in a packet. A fraction, which RFC 8866 allows, is cut off.
    #[must_use]
    pub fn ptime(&self) -> Option<u32> {
        self.values("ptime").find_map(milliseconds)
    }

    /// The most milliseconds of audio in a packet.
    #[must_use]
    pub fn max_ptime(&self) -> Option<u32> {
        self.values("maxptime").find_map(milliseconds)
    }

    /// Where RTCP goes, when it is said.
    #[must_use]
    pub fn rtcp(&self) -> Option<Rtcp> {
        self.typed()
    }

    /// Whether RTCP may share the port of RTP (RFC 5761).
    #[must_use]
    pub fn has_rtcp_mux(&self) -> bool {
        self.has("rtcp-mux")
    }
}

fn milliseconds(value: &Bytes) -> Option<u32> {
    number(value.trim_ascii().split(|byte| *byte == b'.').next()?)
}

/// The direction that an attribute states.
pub(crate) fn direction(attribute: &Attribute) -> Option<Direction> {
    Direction::from_name(&attribute.name).filter(|_| attribute.value.is_none())
}

pub(crate) fn set_direction(attributes: &mut Vec<Attribute>, direction: Direction) {
    let mut set = false;
    attributes.retain_mut(|attribute| {
        if self::direction(attribute).is_none() {
            return true;
        }
        if set {
            return false;
        }
        attribute.name = Bytes::from_static(direction.as_str().as_bytes());
        set = true;
        true
    });
    if !set {
        attributes.push(Attribute::flag(direction.as_str()));
    }
}

pub(crate) fn set_attribute(attributes: &mut Vec<Attribute>, attribute: Attribute) {
    let first = attributes.iter().position(|other| other.name == attribute.name);
    let mut index = 0;
    attributes.retain(|other| {
        index += 1;
        other.name != attribute.name || Some(index - 1) == first
    });
    match first.and_then(|first| attributes.get_mut(first)) {
        Some(other) => *other = attribute,
        None => attributes.push(attribute),
    }
}

pub(crate) fn values<'a>(attributes: &'a [Attribute], name: &'a str) -> impl Iterator<Item = &'a Bytes> {
    attributes.iter().filter(move |attribute| attribute.name == name).filter_map(|attribute| attribute.value.as_ref())
}

/// Writes what sessions and streams end with.
pub(crate) fn encode_tail(
    out: &mut impl BufMut,
    bandwidths: &[Bandwidth],
    key: &Option<Bytes>,
    attributes: &[Attribute],
    unknown: &[UnknownLine],
) {
    encode_bandwidths(out, bandwidths);
    if let Some(key) = key {
        put_line(out, b'k', key);
    }
    for attribute in attributes {
        out.put_slice(b"a=");
        attribute.encode(out);
        out.put_slice(b"\r\n");
    }
    for line in unknown {
        put_line(out, line.kind, &line.value);
    }
}

pub(crate) fn encode_bandwidths(out: &mut impl BufMut, bandwidths: &[Bandwidth]) {
    for bandwidth in bandwidths {
        out.put_slice(b"b=");
        put(out, &bandwidth.kind);
        out.put_u8(b':');
        put(out, &bandwidth.value);
        out.put_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media() -> Media {
        let mut media = Media::parse_line(&Bytes::from_static(b"audio 49170/2 RTP/AVP 0 97 98 101")).unwrap();
        for text in [
            "rtpmap:97 iLBC/8000",
            "fmtp:97 mode=20",
            "rtpmap:101 telephone-event/8000",
            "fmtp:101 0-16",
            "ptime:20.5",
            "maxptime:40",
            "rtcp:53020",
            "sendonly",
        ] {
            media.attributes.push(Attribute::parse(&Bytes::from_static(text.as_bytes())));
        }
        media
    }

    #[test]
    fn views_say_what_the_lines_mean() {
        let media = media();
        assert_eq!((media.port, media.port_count), (49_170, Some(2)));
        let names: Vec<_> = media.codecs().map(|map| map.encoding).collect();
        assert_eq!(names, ["PCMU", "iLBC", "telephone-event"]);
        assert_eq!(media.rtpmap("98"), None);
        assert_eq!(media.fmtp("97").unwrap().get("mode"), Some(&b"20"[..]));
        assert_eq!(media.fmtp("101").unwrap().parameters, "0-16");
        assert_eq!((media.ptime(), media.max_ptime()), (Some(20), Some(40)));
        assert_eq!(media.rtcp().unwrap().port, 53_020);
        assert_eq!(media.direction(), Some(Direction::SendOnly));
        assert!(media.is_rtp() && !media.is_rejected() && !media.has_rtcp_mux());
    }

    #[test]
    fn an_rtpmap_redefines_a_static_payload_type() {
        let media = Media::new("audio", 1, "RTP/AVP").with_attribute(Attribute::new("rtpmap", "0 L16/16000"));
        assert_eq!(media.rtpmap("0").unwrap().encoding, "L16");
        assert_eq!(media.rtpmap("8").unwrap().encoding, "PCMA");
    }

    #[test]
    fn a_bundled_stream_with_port_0_is_not_rejected() {
        let media = Media::new("video", 0, "UDP/TLS/RTP/SAVPF");
        assert!(media.is_rejected());
        assert!(!media.with_attribute(Attribute::flag("bundle-only")).is_rejected());
    }

    #[test]
    fn changes_are_made_in_place() {
        let mut media = media();
        let before = media.attributes.len();
        media.set_direction(Direction::Inactive);
        media.set_attribute(Attribute::new("ptime", "30"));
        assert_eq!(media.attributes.len(), before);
        assert_eq!((media.direction(), media.ptime()), (Some(Direction::Inactive), Some(30)));
        media.attributes.push(Attribute::new("ptime", "40"));
        media.attributes.push(Attribute::flag("sendrecv"));
        media.set_attribute(Attribute::new("ptime", "50"));
        media.set_direction(Direction::RecvOnly);
        assert_eq!(media.attributes.len(), before);
        assert_eq!((media.direction(), media.ptime()), (Some(Direction::RecvOnly), Some(50)));
        media.remove_attribute("ptime");
        assert_eq!(media.ptime(), None);
        media.set_port(0);
        assert!(media.is_rejected());
    }

    #[test]
    fn a_line_without_a_usable_port_is_kept_and_counts_as_rejected() {
        // From RFCs 3108, 5245, 7006 and 8859.
        for text in [
            "audio $ - -",
            "video PORT-$/VPI-0/VCI-$ AAL5/ITU 33",
            "audio $NAT-PUB-1.PORT RTP/AVP 0",
            "video 66544 RTP/AVP 100",
            "audio 1/x RTP/AVP 0",
            "audio -1 RTP/AVP",
            "audio",
        ] {
            let media = Media::parse_line(&Bytes::copy_from_slice(text.as_bytes())).unwrap();
            assert!(media.is_rejected(), "{text}");
            let mut out = Vec::new();
            media.encode(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("m={text}\r\n"));
        }
        assert!(Media::parse_line(&Bytes::from_static(b"audio 1")).unwrap().proto.is_empty());
        assert_eq!(Media::parse_line(&Bytes::from_static(b" ")), None);
    }
}
