//! What tells transactions apart (RFC 3261 §17.1.3, §17.2.3): a keyed hash of the parts, never a formatted string.
//!
//! 128 bits of SipHash-1-3 under a secret key stand for the parts themselves: nobody who does not know the key can make
//! two requests fall together, and by accident it does not happen.

use std::hash::{BuildHasher, Hasher};

use sip_core::header::{HeaderName, Via};
use sip_core::message::Mandatory;
use sip_core::uri::Host;
use sip_core::{Method, Request};
use siphasher::sip::SipHasher13;
use siphasher::sip128::{Hasher128, SipHasher13 as SipHasher128};

/// The magic cookie of RFC 3261 §8.1.1.7.
const COOKIE: &[u8] = b"z9hG4bK";

/// The secret that hashes of what others wrote are keyed with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secret {
    first: u64,
    second: u64,
}

/// A transaction's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(u128);

impl std::hash::Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The key is a keyed hash already: half of it is as good as any other.
        state.write_u64(self.0 as u64);
    }
}

/// Takes the number that a [`Key`] offers as it is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// Makes [`AsIs`] hashers.
pub(crate) type BuildAsIs = std::hash::BuildHasherDefault<AsIs>;

impl BuildHasher for Secret {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.first, self.second)
    }
}

impl Secret {
    /// A secret of two random numbers.
    pub(crate) const fn new(first: u64, second: u64) -> Self {
        Self { first, second }
    }

    /// The transaction that a request belongs to on the server's side, where ACK stands for its INVITE, and `method`
    /// for the request's own method, or INVITE when it is looked up for a CANCEL.
    pub(crate) fn server(&self, request: &Request, mandatory: &Mandatory, method: &Method) -> Key {
        let method = if method.is_ack() { &Method::Invite } else { method };
        match mandatory.via.branch() {
            Some(branch) if branch.starts_with(COOKIE) => self.by_branch(branch, &mandatory.via, method),
            _ => self.by_rfc2543(request, mandatory, method),
        }
    }

    /// The transaction of a request of ours: our branch, and the method of the CSeq (§17.1.3).
    pub(crate) fn client(&self, branch: &[u8], method: &Method) -> Key {
        let mut parts = Parts::of(b'C');
        parts.add(branch);
        parts.put(method.as_bytes());
        self.key(parts)
    }

    /// The branch of an ACK to a 2xx: the same for the same ACK, so that its retransmissions are alike.
    pub(crate) fn ack_branch(&self, ack: &Request) -> String {
        let mut hash = self.hasher(b'A');
        hash.write(&ack.to_bytes());
        format!("z9hG4bK{:032x}", finish(&hash).0)
    }

    /// A tag for a response to a request that no state is kept of: the same each time it comes.
    pub(crate) fn stateless_tag(&self, request: &Request) -> String {
        let value = |name| request.headers().get(&name).unwrap_or_default();
        let tag = self.tag(&[&value(HeaderName::CALL_ID), &value(HeaderName::FROM)]);
        String::from_utf8_lossy(&tag).into_owned()
    }

    /// The tag of an answer to a request of these headers, of which no state is kept.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut hash = self.hasher(b'T');
        for part in parts {
            hash.write(part);
        }
        let mut rest = finish(&hash).0 as u64;
        std::array::from_fn(|_| {
            rest = rest.rotate_left(4);
            let digit = (rest & 15) as u8;
            if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
        })
    }

    fn by_branch(&self, branch: &[u8], via: &Via, method: &Method) -> Key {
        let mut parts = Parts::of(b'S');
        parts.add(branch);
        match &via.sent_by.host {
            Host::Name(name) => {
                parts.add(name);
                let written = parts.bytes_mut();
                let start = written.len() - name.len();
                written.get_mut(start..).unwrap_or_default().make_ascii_lowercase();
            }
            Host::V4(address) => parts.put(&address.octets()),
            Host::V6(address) => parts.put(&address.octets()),
        }
        parts.put(&via.sent_by.port.unwrap_or(0).to_le_bytes());
        parts.put(method.as_bytes());
        self.key(parts)
    }

    /// §17.2.3 for clients of RFC 2543: Request-URI, From tag, Call-ID, the number of CSeq and the topmost Via. The
    /// To tag differs between an INVITE and the ACK to its rejection, and tells nothing that the others do not.
    fn by_rfc2543(&self, request: &Request, mandatory: &Mandatory, method: &Method) -> Key {
        let mut parts = Parts::of(b'O');
        parts.add(request.uri_bytes());
        parts.add(mandatory.from.tag().unwrap_or_default());
        parts.add(&request.headers().get(&HeaderName::CALL_ID).unwrap_or_default());
        parts.add(&request.headers().get(&HeaderName::VIA).unwrap_or_default());
        parts.put(&mandatory.cseq.sequence.to_le_bytes());
        parts.put(method.as_bytes());
        self.key(parts)
    }

    #[inline]
    fn key(&self, mut parts: Parts) -> Key {
        Key(SipHasher128::new_with_keys(self.first, self.second).hash(parts.bytes_mut()).as_u128())
    }

    fn hasher(&self, kind: u8) -> SipHasher128 {
        let mut hash = SipHasher128::new_with_keys(self.first, self.second);
        hash.write_u8(kind);
        hash
    }
}

/// What is hashed, in one piece: a hasher is quickest with all of it at once.
struct Parts {
    inline: [u8; 128],
    length: usize,
    /// Holds everything as soon as it holds anything.
    heap: Vec<u8>,
}

impl Parts {
    /// Nothing yet but what kind of key it is.
    fn of(kind: u8) -> Self {
        let mut parts = Self { inline: [0; 128], length: 0, heap: Vec::new() };
        parts.put(&[kind]);
        parts
    }

    /// A part and its length, so that parts cannot flow into one another.
    #[inline]
    fn add(&mut self, bytes: &[u8]) {
        self.put(&(bytes.len() as u64).to_le_bytes());
        self.put(bytes);
    }

    /// Bytes whose number is always the same, or that come last.
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if self.heap.is_empty() {
            if let Some(free) = self.inline.get_mut(self.length..self.length + bytes.len()) {
                free.copy_from_slice(bytes);
                self.length += bytes.len();
                return;
            }
            self.heap.extend_from_slice(self.inline.get(..self.length).unwrap_or_default());
        }
        self.heap.extend_from_slice(bytes);
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        if self.heap.is_empty() { self.inline.get_mut(..self.length).unwrap_or_default() } else { &mut self.heap }
    }
}

fn finish(hash: &SipHasher128) -> Key {
    Key(hash.finish128().as_u128())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sip_core::{Limits, Message};

    use super::*;

    fn key(method: &str, via: &str) -> Key {
        let text = format!(
            "{method} sip:b SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:a>;tag=a\r\nTo: <sip:b>\r\nCall-ID: c\r\n\
             CSeq: 1 {method}\r\n\r\n"
        );
        let Ok(Message::Request(request)) = Message::parse(Bytes::from(text), &Limits::default()) else { panic!() };
        Secret::new(1, 2).server(&request, &request.mandatory().unwrap(), request.method())
    }

    #[test]
    fn branch_sent_by_and_method_tell_transactions_apart_and_an_ack_is_its_invite() {
        let invite = key("INVITE", "Host.example:5060;branch=z9hG4bK1");
        assert_eq!(invite, key("INVITE", "hOST.example:5060;branch=z9hG4bK1"));
        assert_eq!(invite, key("INVITE", "host.example:5060;branch=z9hG4bK1;received=192.0.2.1"));
        assert_eq!(invite, key("ACK", "host.example:5060;branch=z9hG4bK1"));
        for other in [
            key("CANCEL", "host.example:5060;branch=z9hG4bK1"),
            key("INVITE", "host.example:5061;branch=z9hG4bK1"),
            key("INVITE", "host.example;branch=z9hG4bK1"),
            key("INVITE", "other.example:5060;branch=z9hG4bK1"),
            key("INVITE", "host.example:5060;branch=z9hG4bK2"),
            key("INVITE", "host.example:5060;branch=1"),
        ] {
            assert_ne!(invite, other);
        }
    }

    #[test]
    fn without_the_cookie_uri_tag_call_number_and_via_tell_transactions_apart() {
        let secret = Secret::new(1, 2);
        let key = |method: &str, lines: [&str; 6], of: &Method| {
            let [uri, via, from, to, call, number] = lines;
            let text = format!(
                "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:a>{from}\r\nTo: <sip:b>{to}\r\n\
                 Call-ID: {call}\r\nCSeq: {number} {method}\r\n\r\n"
            );
            let Ok(Message::Request(request)) = Message::parse(text.into(), &Limits::default()) else { panic!() };
            secret.server(&request, &request.mandatory().unwrap(), of)
        };
        let lines = ["sip:b", "h:5060", ";tag=1", "", "c", "7"];
        let invite = key("INVITE", lines, &Method::Invite);
        assert_eq!(invite, key("INVITE", lines, &Method::Invite));
        // The ACK to a rejection has its To tag (§17.2.3); a CANCEL is looked up as its INVITE (§9.2).
        assert_eq!(invite, key("ACK", ["sip:b", "h:5060", ";tag=1", ";tag=2", "c", "7"], &Method::Ack));
        assert_eq!(invite, key("CANCEL", lines, &Method::Invite));
        assert_ne!(invite, key("CANCEL", lines, &Method::Cancel));
        assert_ne!(invite, key("BYE", lines, &Method::Bye));
        for (place, other) in
            [(0, "sip:d"), (1, "h:5061"), (1, "h:5060;branch=1"), (2, ";tag=3"), (2, ""), (4, "d"), (5, "8")]
        {
            let mut lines = lines;
            lines[place] = other;
            assert_ne!(invite, key("INVITE", lines, &Method::Invite), "{other}");
        }
    }

    #[test]
    fn long_parts_are_hashed_like_short_ones() {
        // The lengths at which a key begins to need the heap are among these.
        let branches: Vec<String> = (0..300).map(|length| format!("z9hG4bK{}", "x".repeat(length))).collect();
        let keys: Vec<Key> = branches.iter().map(|branch| key("INVITE", &format!("Host:1;branch={branch}"))).collect();
        for (number, branch) in branches.iter().enumerate() {
            assert_eq!(keys[number], key("INVITE", &format!("hOST:1;branch={branch}")), "{number}");
            assert_eq!(keys.iter().filter(|other| **other == keys[number]).count(), 1, "{number}");
            assert_ne!(keys[number], key("INVITE", &format!("hosu:1;branch={branch}")), "{number}");
        }
    }

    #[test]
    fn parts_do_not_flow_into_one_another_and_secrets_differ() {
        let secret = Secret::new(1, 2);
        assert_ne!(secret.client(b"z9hG4bKa", &Method::Bye), secret.client(b"z9hG4bKaB", &Method::Other("YE".into())));
        assert_ne!(secret.client(b"z9hG4bKa", &Method::Bye), Secret::new(1, 3).client(b"z9hG4bKa", &Method::Bye));
    }
}
