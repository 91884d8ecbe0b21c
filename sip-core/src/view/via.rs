//! Via over borrowed bytes.

use std::net::IpAddr;

use bytes::{BufMut, Bytes};

use crate::error::{ParseError, Part};
use crate::header::{self, HeaderName, WriteHeader};
use crate::scan::{self, Copied, Keep, Raw, Scan};
use crate::uri;
use crate::view::{HeaderView, Host, HostPort, Params};

/// One hop that the request took (RFC 3261 §20.42).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via<'a> {
    /// The protocol, `SIP`.
    pub protocol: &'a [u8],
    /// Its version, `2.0`.
    pub version: &'a [u8],
    /// The transport as written, such as `UDP`.
    pub transport: &'a [u8],
    /// What the sender calls himself.
    pub sent_by: HostPort<'a>,
    /// Branch, received, rport and others.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    #[inline]
    pub(crate) fn scan(cursor: &mut Raw<'a>) -> Scan<Self> {
        let (protocol, version): (&[u8], &[u8]) = if cursor.rest().starts_with(b"SIP/2.0/") {
            cursor.advance(8);
            (b"SIP", b"2.0")
        } else {
            let protocol = cursor.take_some(scan::TOKEN)?;
            if !cursor.separator(b'/') {
                return Err(cursor.wrong());
            }
            let version = cursor.take_some(scan::TOKEN)?;
            if !cursor.separator(b'/') {
                return Err(cursor.wrong());
            }
            (protocol, version)
        };
        cursor.skip_space();
        let transport = cursor.take_some(scan::TOKEN)?;
        if cursor.take(scan::SPACE).is_empty() {
            return Err(cursor.wrong());
        }
        let sent_by = HostPort::scan_spaced(cursor)?;
        let params = Params::scan(cursor)?;
        Ok(Self { protocol, version, transport, sent_by, params })
    }

    /// The branch, the transaction's identifier.
    #[must_use]
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params.value("branch")
    }

    /// Whether the branch begins with the magic cookie, so that it identifies the transaction by itself.
    #[must_use]
    pub fn has_magic_cookie(&self) -> bool {
        let cookie = header::Via::MAGIC_COOKIE;
        let start = self.branch().and_then(|branch| branch.get(..cookie.len()));
        start.is_some_and(|start| start.eq_ignore_ascii_case(cookie))
    }

    /// The address that the request came from, if noted. IPv6 is read with and without brackets (RFC 5118 §4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        Host::parse_parameter(self.params.value("received")?)?.ip()
    }

    /// The port to answer to: `Some(None)` when the sender asks for it to be noted (RFC 3581).
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(|value| std::str::from_utf8(value?).ok()?.parse().ok())
    }

    /// The multicast address, or wherever else the response is to go.
    #[must_use]
    pub fn maddr(&self) -> Option<Host<'a>> {
        Host::parse_parameter(self.params.value("maddr")?)
    }

    /// Whether the transport is this one, in any case.
    #[must_use]
    pub fn is_transport(&self, transport: &str) -> bool {
        self.transport.eq_ignore_ascii_case(transport.as_bytes())
    }

    /// A value of its own memory.
    #[must_use]
    pub fn to_owned(&self) -> header::Via {
        self.keep(&Copied)
    }

    #[inline]
    pub(crate) fn keep(&self, source: &impl Keep) -> header::Via {
        header::Via {
            version: match (self.protocol, self.version) {
                (b"SIP", b"2.0") => Bytes::from_static(b"SIP/2.0"),
                (protocol, version) => [protocol, b"/", version].concat().into(),
            },
            transport: match self.transport {
                b"UDP" => Bytes::from_static(b"UDP"),
                other => source.keep(other),
            },
            sent_by: self.sent_by.keep(source),
            params: self.params.keep(source),
        }
    }
}

impl<'a> HeaderView<'a> for Via<'a> {
    const NAME: HeaderName = HeaderName::VIA;
    const LIST: bool = true;

    #[inline]
    fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        scan::view(value, || Part::Header(Self::NAME), Self::scan)
    }
}

/// A Via to be written: what an element that forwards adds, put together without an allocation.
///
/// ```
/// use sip_core::view::NewVia;
/// use sip_core::{Limits, Message};
///
/// let Message::Request(request) = Message::parse("BYE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n\r\n".into(), &Limits::default())? else { panic!() };
/// let here = "192.0.2.1:5060".parse()?;
/// let mut edit = request.edit();
/// edit.push_front(&NewVia::new("UDP", &here, b"z9hG4bK1").with_rport());
/// assert!(edit.finish().to_bytes().starts_with(b"BYE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\r\nVia: "));
/// # Ok::<(), sip_core::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct NewVia<'a> {
    transport: &'a str,
    sent_by: &'a uri::HostPort,
    branch: &'a [u8],
    rport: bool,
}

impl<'a> NewVia<'a> {
    /// A Via of SIP/2.0 with this branch. Bytes that no token has are written as `_`.
    #[must_use]
    pub const fn new(transport: &'a str, sent_by: &'a uri::HostPort, branch: &'a [u8]) -> Self {
        Self { transport, sent_by, branch, rport: false }
    }

    /// Asks for the port to be noted that the request comes from (RFC 3581).
    #[must_use]
    pub const fn with_rport(self) -> Self {
        Self { rport: true, ..self }
    }
}

impl WriteHeader for NewVia<'_> {
    const FIELD: HeaderName = HeaderName::VIA;
    const JOINED: bool = true;

    fn write_value(&self, out: &mut impl BufMut) {
        if self.transport == "UDP" {
            out.put_slice(b"SIP/2.0/UDP ");
        } else {
            out.put_slice(b"SIP/2.0/");
            scan::put_token(self.transport.as_bytes(), out);
            out.put_u8(b' ');
        }
        self.sent_by.encode(out);
        out.put_slice(b";branch=");
        scan::put_token(self.branch, out);
        if self.rport {
            out.put_slice(b";rport");
        }
    }
}
