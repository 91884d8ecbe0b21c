//! Attributes of messages (RFC 8489 §14).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{BufMut, Bytes};

use super::MAGIC_COOKIE;
use super::message::TransactionId;

pub(super) const MAPPED_ADDRESS: u16 = 0x0001;
pub(super) const ERROR_CODE: u16 = 0x0009;
pub(super) const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
pub(super) const SOFTWARE: u16 = 0x8022;
pub(super) const FINGERPRINT: u16 = 0x8028;

/// Those of authentication, which a server without it passes over: USERNAME, MESSAGE-INTEGRITY, REALM, NONCE and their
/// successors.
const AUTHENTICATION: [u16; 7] = [0x0006, 0x0008, 0x0014, 0x0015, 0x001C, 0x001D, 0x001E];

/// An attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attribute {
    /// The sender's address as the other side sees it, in the clear (§14.1): what servers of RFC 3489 send.
    MappedAddress(SocketAddr),
    /// The same, such that no gateway mistakes it for an address to rewrite (§14.2).
    XorMappedAddress(SocketAddr),
    /// Why a request was refused (§14.8).
    ErrorCode(ErrorCode),
    /// The attributes that were not understood and had to be (§14.9).
    UnknownAttributes(Vec<u16>),
    /// What the sender is, in UTF-8 (§14.14).
    Software(Bytes),
    /// Any other one.
    Other {
        /// Its type.
        kind: u16,
        /// Its value, without padding.
        value: Bytes,
    },
}

/// Why a request was refused (RFC 8489 §14.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCode {
    /// From 300 to 699.
    pub code: u16,
    /// For people, in UTF-8.
    pub reason: Bytes,
}

impl Attribute {
    /// The type.
    #[must_use]
    pub const fn kind(&self) -> u16 {
        match self {
            Self::MappedAddress(_) => MAPPED_ADDRESS,
            Self::XorMappedAddress(_) => XOR_MAPPED_ADDRESS,
            Self::ErrorCode(_) => ERROR_CODE,
            Self::UnknownAttributes(_) => UNKNOWN_ATTRIBUTES,
            Self::Software(_) => SOFTWARE,
            Self::Other { kind, .. } => *kind,
        }
    }

    /// Whether a message that has it must be refused: it must be understood (its type is below 0x8000), and is not, nor
    /// has it to do with authentication, which a binding needs not.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Other { kind, .. } if *kind < 0x8000 && !AUTHENTICATION.contains(kind))
    }

    /// Reads a value. `None` when it is not of its type's form.
    pub(super) fn parse(kind: u16, value: &[u8], transaction: TransactionId) -> Option<Self> {
        Some(match kind {
            MAPPED_ADDRESS => Self::MappedAddress(address(value)?),
            XOR_MAPPED_ADDRESS => Self::XorMappedAddress(masked(address(value)?, transaction)),
            ERROR_CODE => {
                let ([_, _, class, number], reason) = value.split_first_chunk()?;
                let class = u16::from(*class & 7);
                if !(3..=6).contains(&class) || *number > 99 {
                    return None;
                }
                let reason = Bytes::copy_from_slice(reason);
                Self::ErrorCode(ErrorCode { code: class * 100 + u16::from(*number), reason })
            }
            UNKNOWN_ATTRIBUTES => {
                if !value.len().is_multiple_of(2) {
                    return None;
                }
                let (kinds, _) = value.as_chunks::<2>();
                Self::UnknownAttributes(kinds.iter().map(|kind| u16::from_be_bytes(*kind)).collect())
            }
            SOFTWARE => Self::Software(Bytes::copy_from_slice(value)),
            kind => Self::Other { kind, value: Bytes::copy_from_slice(value) },
        })
    }

    /// How long the value is.
    pub(super) fn value_len(&self) -> usize {
        match self {
            Self::MappedAddress(address) | Self::XorMappedAddress(address) if address.is_ipv4() => 8,
            Self::MappedAddress(_) | Self::XorMappedAddress(_) => 20,
            Self::ErrorCode(error) => 4 + error.reason.len(),
            Self::UnknownAttributes(kinds) => 2 * kinds.len(),
            Self::Software(value) | Self::Other { value, .. } => value.len(),
        }
    }

    /// Writes type, length, value and padding.
    pub(super) fn encode(&self, transaction: TransactionId, out: &mut impl BufMut) {
        let length = self.value_len();
        out.put_u16(self.kind());
        out.put_u16(u16::try_from(length).unwrap_or(u16::MAX));
        match self {
            Self::MappedAddress(address) => put_address(*address, out),
            Self::XorMappedAddress(address) => put_address(masked(*address, transaction), out),
            Self::ErrorCode(ErrorCode { code, reason }) => {
                out.put_u16(0);
                // Both fit: classes are 3 to 6.
                out.put_slice(&[(code / 100 % 8) as u8, (code % 100) as u8]);
                out.put_slice(reason);
            }
            Self::UnknownAttributes(kinds) => kinds.iter().for_each(|kind| out.put_u16(*kind)),
            Self::Software(value) | Self::Other { value, .. } => out.put_slice(value),
        }
        out.put_bytes(0, length.next_multiple_of(4) - length);
    }
}

fn address(value: &[u8]) -> Option<SocketAddr> {
    let ([_, family, high, low], address) = value.split_first_chunk()?;
    let ip = match family {
        1 => IpAddr::from(<[u8; 4]>::try_from(address).ok()?),
        2 => IpAddr::from(<[u8; 16]>::try_from(address).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes([*high, *low])))
}

fn put_address(address: SocketAddr, out: &mut impl BufMut) {
    out.put_u16(if address.is_ipv4() { 1 } else { 2 });
    out.put_u16(address.port());
    match address.ip() {
        IpAddr::V4(ip) => out.put_slice(&ip.octets()),
        IpAddr::V6(ip) => out.put_slice(&ip.octets()),
    }
}

/// Combined with the cookie and the transaction: done twice, it is as it was (§14.2).
fn masked(address: SocketAddr, transaction: TransactionId) -> SocketAddr {
    let port = address.port() ^ (MAGIC_COOKIE >> 16) as u16;
    let ip = match address.ip() {
        IpAddr::V4(ip) => IpAddr::from(Ipv4Addr::from_bits(ip.to_bits() ^ MAGIC_COOKIE)),
        IpAddr::V6(ip) => {
            let rest = transaction.0.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
            IpAddr::from(Ipv6Addr::from_bits(ip.to_bits() ^ (u128::from(MAGIC_COOKIE) << 96 | rest)))
        }
    };
    SocketAddr::new(ip, port)
}
