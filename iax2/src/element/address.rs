//! APPARENT ADDR (RFC 5456 §8.6.17): a socket address as Linux lays it out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Reads a `sockaddr_in` (16 bytes) or `sockaddr_in6` (28 bytes).
///
/// The family is little-endian in Asterisk's frames, as the figure in the RFC has it too.
pub(super) fn parse(data: &[u8]) -> Option<SocketAddr> {
    let (&[f0, f1, p0, p1], rest) = data.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes([p0, p1]);
    match (u16::from_le_bytes([f0, f1]), rest.len()) {
        (2, 12) => {
            let (address, zero) = rest.split_first_chunk::<4>()?;
            if zero.iter().any(|b| *b != 0) {
                return None;
            }
            Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(*address)), port))
        }
        (10, 24) => {
            let (flow, rest) = rest.split_first_chunk::<4>()?;
            let (address, rest) = rest.split_first_chunk::<16>()?;
            let (scope, _) = rest.split_first_chunk::<4>()?;
            Some(SocketAddr::V6(SocketAddrV6::new(
                Ipv6Addr::from(*address),
                port,
                u32::from_be_bytes(*flow),
                u32::from_le_bytes(*scope),
            )))
        }
        _ => None,
    }
}

/// Writes an address; returns the bytes used of the buffer.
pub(super) fn encode(address: SocketAddr) -> ([u8; 28], usize) {
    let mut out = [0u8; 28];
    let (family, len) = match address {
        SocketAddr::V4(_) => (2u16, 16),
        SocketAddr::V6(_) => (10, 28),
    };
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = out.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(0, &family.to_le_bytes());
    put(2, &address.port().to_be_bytes());
    match address {
        SocketAddr::V4(v4) => put(4, &v4.ip().octets()),
        SocketAddr::V6(v6) => {
            put(4, &v6.flowinfo().to_be_bytes());
            put(8, &v6.ip().octets());
            put(24, &v6.scope_id().to_le_bytes());
        }
    }
    (out, len)
}
