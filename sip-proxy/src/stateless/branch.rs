//! Branches: the same for a request and all that belongs to its transaction, different for all others.
//!
//! `z9hG4bK`, 16 hexadecimal digits of a keyed hash over what names the transaction below us, a dot, and 16 of one over what decides
//! where the request goes. A response is ours only if the first half is that of the Via below ours. The parameter `i` of our Via proves that this
//! Via names the address, and itself the connection, that the request came from.

use siphasher::sip::SipHasher24;
use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};

use sip_core::header::Via;
use sip_core::uri::{Host, HostPort};

use crate::dispatcher::Secret;

/// What a branch is made from that stands in the request and in its responses alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) via: &'a Via,
    pub(super) call_id: &'a [u8],
    pub(super) from_tag: &'a [u8],
    pub(super) sequence: u32,
}

/// Makes branches.
#[derive(Clone)]
pub(super) struct Branches {
    transaction: SipHasher24,
    way: SipHasher24,
    connection: SipHasher24,
}

impl std::fmt::Debug for Branches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Branches(…)")
    }
}

impl Branches {
    pub(super) fn new(secret: &Secret) -> Self {
        let hasher = |purpose| SipHasher24::new_with_key(&secret.derive_short(purpose));
        Self { transaction: hasher("branch"), way: hasher("way"), connection: hasher("connection") }
    }

    /// The first half: the branch of the Via below and its sent-by; for those of RFC 2543, whose branches name nothing, also what else
    /// names a transaction.
    pub(super) fn transaction(&self, names: Names<'_>) -> u64 {
        let mut hasher = self.transaction;
        put(&mut hasher, names.via.branch().unwrap_or_default());
        put_place(&mut hasher, &names.via.sent_by);
        if !names.via.has_magic_cookie() {
            put(&mut hasher, names.call_id);
            put(&mut hasher, names.from_tag);
            hasher.write(&names.sequence.to_le_bytes());
        }
        hasher.finish()
    }

    /// The second half: Request-URI, the Route that is left, Call-ID, From tag and CSeq number. Neither method nor To tag, in which CANCEL and
    /// ACK differ from their INVITE, nor credentials, which CANCEL may lack.
    pub(super) fn way(&self, names: Names<'_>, uri: &[u8], route: &[u8]) -> u64 {
        let mut hasher = self.way;
        put(&mut hasher, uri);
        put(&mut hasher, route);
        put(&mut hasher, names.call_id);
        put(&mut hasher, names.from_tag);
        hasher.write(&names.sequence.to_le_bytes());
        hasher.finish()
    }

    /// What proves that a probe's number was written by us.
    pub(super) fn probe(&self, number: u64, purpose: u64) -> u64 {
        let mut hasher = self.connection;
        hasher.write(&number.to_le_bytes());
        hasher.write(&purpose.to_le_bytes());
        hasher.finish()
    }

    /// What proves that the way back is the one that the request came.
    pub(super) fn back(&self, remote: SocketAddr, connection: Option<u64>, transaction: u64) -> u64 {
        let mut hasher = self.connection;
        match remote.ip() {
            IpAddr::V4(ip) => put(&mut hasher, &ip.octets()),
            IpAddr::V6(ip) => put(&mut hasher, &ip.octets()),
        }
        hasher.write(&remote.port().to_le_bytes());
        hasher.write(&connection.unwrap_or(u64::MAX).to_le_bytes());
        hasher.write(&transaction.to_le_bytes());
        hasher.finish()
    }
}

/// Writes 16 hexadecimal digits.
pub(super) fn put_hex(number: u64, out: &mut Vec<u8>) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    for byte in number.to_be_bytes() {
        for digit in [byte >> 4, byte & 15] {
            out.push(HEX.get(usize::from(digit)).copied().unwrap_or(b'0'));
        }
    }
}

/// Reads 16 hexadecimal digits.
pub(super) fn hex(digits: &[u8]) -> Option<u64> {
    if digits.len() != 16 {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| {
        let value = (*digit as char).to_digit(16)?;
        Some(number << 4 | u64::from(value))
    })
}

/// Reads our branch: both halves.
pub(super) fn read(branch: &[u8]) -> Option<(u64, u64)> {
    let digits = branch.strip_prefix(Via::MAGIC_COOKIE)?;
    let (first, rest) = digits.split_at_checked(16)?;
    Some((hex(first)?, hex(rest.strip_prefix(b".")?)?))
}

/// Bytes with their length in front, so that no two lists of them are alike.
fn put(hasher: &mut SipHasher24, bytes: &[u8]) {
    hasher.write(&(bytes.len() as u32).to_le_bytes());
    hasher.write(bytes);
}

fn put_place(hasher: &mut SipHasher24, place: &HostPort) {
    match &place.host {
        Host::Name(name) => put(hasher, name),
        Host::V4(address) => put(hasher, &address.octets()),
        Host::V6(address) => put(hasher, &address.octets()),
    }
    hasher.write(&place.port.unwrap_or(0).to_le_bytes());
}
