//! What a Via says, read in one walk over its parameters, and what we note in it (RFC 3261 §18.2.1, RFC 3581 §4).

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use sip_core::header;
use sip_core::header::TypedHeader as _;
use sip_core::view::Via;
use sip_core::write;
use sip_transaction::Transport;

use super::Flow;
use super::patch::{Patch, place_of};

/// A Via and those of its parameters that matter here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hopped<'a> {
    pub(super) via: Via<'a>,
    pub(super) branch: &'a [u8],
    /// Whether the branch names its transaction by itself.
    pub(super) is_magic: bool,
    /// The parameter of ours.
    pub(super) noted: Option<&'a [u8]>,
    received: Option<&'a [u8]>,
    rport: Option<Option<&'a [u8]>>,
    /// The name of `rport` as it is written, to note the port behind it.
    rport_name: &'a [u8],
}

impl<'a> Hopped<'a> {
    #[inline]
    pub(super) fn read(via: Via<'a>) -> Self {
        let mut read =
            Self { via, branch: &[], is_magic: false, noted: None, received: None, rport: None, rport_name: &[] };
        let mut has_branch = false;
        for (name, value) in via.params.iter() {
            match name.len() {
                1 if read.noted.is_none() && name.eq_ignore_ascii_case(b"i") => read.noted = value,
                5 if read.rport.is_none() && name.eq_ignore_ascii_case(b"rport") => {
                    read.rport = Some(value);
                    read.rport_name = name;
                }
                6 if !has_branch && name.eq_ignore_ascii_case(b"branch") => {
                    has_branch = true;
                    read.branch = value.unwrap_or_default();
                }
                8 if name.eq_ignore_ascii_case(b"received") => {
                    read.received = read.received.or(Some(value.unwrap_or_default()));
                }
                _ => {}
            }
        }
        let cookie = header::Via::MAGIC_COOKIE;
        read.is_magic = read.branch.get(..cookie.len()).is_some_and(|start| start.eq_ignore_ascii_case(cookie));
        read
    }

    /// Where answers to a request go by this Via, once it is noted where that came from.
    #[inline]
    pub(super) fn back(&self, flow: &Flow) -> SocketAddr {
        let port = match self.rport {
            Some(_) => flow.remote.port(),
            None => self.via.sent_by.port.unwrap_or(flow.transport.default_port()),
        };
        SocketAddr::new(flow.remote.ip().to_canonical(), port)
    }

    /// Notes where a request really came from.
    #[inline]
    pub(super) fn note(&self, flow: &Flow, message: &[u8], value: Range<usize>, patch: &mut Patch) {
        let (address, port) = (flow.remote.ip().to_canonical(), flow.remote.port());
        if self.rport.is_none() && self.received.is_none() && self.via.sent_by.host.ip() == Some(address) {
            return;
        }
        let params = place_of(message, self.via.params.as_bytes()).filter(|_| !self.via.params.is_empty());
        let name = place_of(message, self.rport_name);
        match (self.rport, name, params) {
            // As nearly all are: the port behind the bare name, the address at the end.
            (Some(None), Some(name), Some(params)) if self.received.is_none() => {
                patch.insert(name.end, |out| {
                    out.push(b'=');
                    write::number(u64::from(port), out);
                });
                patch.insert(params.end, |out| put_received(address, out));
            }
            (None, _, Some(params)) if self.received.is_none() => {
                patch.insert(params.end, |out| put_received(address, out));
            }
            _ => {
                let mut via = self.via.to_owned();
                via.set_received(address);
                if self.rport.is_some() {
                    via.set_rport(port);
                }
                patch.replace(value, |out| via.encode(out));
            }
        }
    }

    /// Where a response goes by this Via, which was noted on (RFC 3261 §18.2.2, RFC 3581 §4).
    #[inline]
    pub(super) fn way_back(&self, transport: Transport) -> Option<SocketAddr> {
        let received = self.received.and_then(|written| std::str::from_utf8(written).ok()?.parse().ok());
        let received = received.or_else(|| self.received.and_then(|_| self.via.received()));
        let address = received.or_else(|| self.via.sent_by.host.ip())?;
        let noted = self.rport.flatten().and_then(|port| std::str::from_utf8(port).ok()?.parse().ok());
        let port = noted.or(self.via.sent_by.port).unwrap_or(transport.default_port());
        Some(SocketAddr::new(address, port))
    }
}

fn put_received(address: IpAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(b";received=");
    write::address(address, out);
}
