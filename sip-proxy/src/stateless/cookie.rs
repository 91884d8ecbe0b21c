//! The cookie in our Record-Route: which destination has the call, which side called, perhaps down which flow.
//!
//! Hexadecimal digits of: version 1 (one byte), the tag of the destination's name (8 bytes), the flow (0; or 1 to 5 for UDP to WSS, or 65 to
//! 69 for the same with IPv6, followed by address and port), and a keyed hash (8 bytes) over these, the call's key and the tag of
//! the side that called. It serves in no other call, and says nothing about either side that they do not know.

use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};

use sip_transaction::Transport;
use siphasher::sip::SipHasher24;

use crate::dispatcher::{CallKey, Secret};

/// What a cookie says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookie {
    /// The tag of the destination's name.
    pub tag: u64,
    /// The flow that the call's first request came by, when the caller is reached only down it.
    pub flow: Option<(Transport, SocketAddr)>,
}

/// Which side sends a request within a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that called: the request goes to the destination.
    Caller,
    /// The one that was called: the request goes to the caller.
    Called,
}

/// Makes cookies, and tells genuine ones.
#[derive(Clone)]
pub struct CookieKey(SipHasher24);

impl std::fmt::Debug for CookieKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CookieKey(…)")
    }
}

/// The longest cookie in bytes: version, tag, kind of flow, IPv6 address, port, hash.
const LONGEST: usize = 1 + 8 + 1 + 16 + 2 + 8;

impl CookieKey {
    /// The key of a secret.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(SipHasher24::new_with_key(&secret.derive_short("cookie")))
    }

    /// The cookie of a call whose first request has this tag in From, as it is written.
    #[must_use]
    pub fn seal(&self, cookie: &Cookie, call: CallKey, caller: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LONGEST);
        bytes.push(1);
        bytes.extend(cookie.tag.to_be_bytes());
        match cookie.flow {
            None => bytes.push(0),
            Some((transport, address)) => {
                match address.ip() {
                    IpAddr::V4(ip) => {
                        bytes.push(number(transport));
                        bytes.extend(ip.octets());
                    }
                    IpAddr::V6(ip) => {
                        bytes.push(number(transport) + 64);
                        bytes.extend(ip.octets());
                    }
                }
                bytes.extend(address.port().to_be_bytes());
            }
        }
        let code = self.code(&bytes, call, caller);
        bytes.extend(code.to_be_bytes());
        let mut written = Vec::with_capacity(bytes.len() * 2);
        for byte in bytes {
            for digit in [byte >> 4, byte & 15] {
                written.push(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
            }
        }
        written
    }

    /// Reads a cookie of a request with these tags; `None` when it is not of our making or of another call.
    #[must_use]
    pub fn open(&self, written: &[u8], call: CallKey, from: &[u8], to: &[u8]) -> Option<(Cookie, Side)> {
        if written.len() > LONGEST * 2 || !written.len().is_multiple_of(2) {
            return None;
        }
        let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
        let bytes: Option<Vec<u8>> = written
            .chunks_exact(2)
            .map(|pair| match pair {
                [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
                _ => None,
            })
            .collect();
        let bytes = bytes?;
        let (content, code) = bytes.split_last_chunk::<8>()?;
        let code = u64::from_be_bytes(*code);
        let is_by = |caller: &[u8]| !caller.is_empty() && self.code(content, call, caller) == code;
        let side = if is_by(from) {
            Side::Caller
        } else if is_by(to) {
            Side::Called
        } else {
            return None;
        };
        let (version, rest) = content.split_first()?;
        let (tag, rest) = rest.split_first_chunk::<8>()?;
        let (kind, rest) = rest.split_first()?;
        let flow = match *kind {
            0 => None,
            kind if kind < 64 => {
                let (ip, rest) = rest.split_first_chunk::<4>()?;
                Some((transport(kind)?, SocketAddr::new(IpAddr::from(*ip), port(rest)?)))
            }
            kind => {
                let (ip, rest) = rest.split_first_chunk::<16>()?;
                Some((transport(kind - 64)?, SocketAddr::new(IpAddr::from(*ip), port(rest)?)))
            }
        };
        (*version == 1).then_some((Cookie { tag: u64::from_be_bytes(*tag), flow }, side))
    }

    fn code(&self, content: &[u8], call: CallKey, caller: &[u8]) -> u64 {
        let mut hasher = self.0;
        hasher.write(&[content.len() as u8]);
        hasher.write(content);
        hasher.write(&call.to_bytes());
        hasher.write(caller);
        hasher.finish()
    }
}

fn number(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => 1,
        Transport::Tcp => 2,
        Transport::Tls => 3,
        Transport::Ws => 4,
        Transport::Wss => 5,
    }
}

fn transport(number: u8) -> Option<Transport> {
    Some(match number {
        1 => Transport::Udp,
        2 => Transport::Tcp,
        3 => Transport::Tls,
        4 => Transport::Ws,
        5 => Transport::Wss,
        _ => return None,
    })
}

fn port(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: CallKey = CallKey::from_bytes([5; 16]);

    fn key() -> CookieKey {
        CookieKey::new(&Secret::from_seed([3; 32]))
    }

    #[test]
    fn a_cookie_says_what_was_put_in_and_which_side_sends() {
        let addresses = ["192.0.2.1:5060", "[2001:db8::1]:5061"].map(|address| address.parse().unwrap());
        let transports = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];
        let flows = transports.into_iter().flat_map(|it| addresses.map(|address| Some((it, address))));
        for flow in flows.chain([None]) {
            let cookie = Cookie { tag: 0x0123_4567_89ab_cdef, flow };
            let written = key().seal(&cookie, CALL, b"caller");
            assert_eq!(key().open(&written, CALL, b"caller", b"called"), Some((cookie, Side::Caller)));
            assert_eq!(key().open(&written, CALL, b"called", b"caller"), Some((cookie, Side::Called)));
        }
    }

    #[test]
    fn a_cookie_that_was_changed_or_is_of_another_call_or_caller_or_secret_is_none() {
        let cookie = Cookie { tag: 7, flow: Some((Transport::Tcp, "192.0.2.1:5060".parse().unwrap())) };
        let written = key().seal(&cookie, CALL, b"caller");
        for place in 0..written.len() {
            let mut changed = written.clone();
            changed[place] = if changed[place] == b'0' { b'1' } else { b'0' };
            assert_eq!(key().open(&changed, CALL, b"caller", b""), None, "at {place}");
            assert_eq!(key().open(&written[..place], CALL, b"caller", b""), None, "cut at {place}");
        }
        assert_eq!(key().open(&written, CallKey::from_bytes([6; 16]), b"caller", b""), None);
        assert_eq!(key().open(&written, CALL, b"somebody", b"else"), None);
        assert_eq!(key().open(&written, CALL, b"", b""), None);
        let other = CookieKey::new(&Secret::from_seed([4; 32]));
        assert_eq!(other.open(&written, CALL, b"caller", b""), None);
        assert_eq!(key().open(&vec![b'0'; 4_000], CALL, b"caller", b""), None);
    }
}
