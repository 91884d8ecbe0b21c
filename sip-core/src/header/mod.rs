//! Header names and typed header values, one type a file.

mod authentication_info;
mod authorization;
mod call_id;
mod contact;
mod cseq;
mod from;
mod macros;
mod max_forwards;
mod name;
mod name_addr;
mod proxy_authenticate;
mod proxy_authentication_info;
mod proxy_authorization;
mod q_value;
mod record_route;
mod route;
mod to;
mod values;
mod via;
mod www_authenticate;

use bytes::{BufMut, Bytes};

use crate::error::ParseError;

pub use authentication_info::AuthenticationInfo;
pub use authorization::Authorization;
pub use call_id::CallId;
pub use contact::Contact;
pub use cseq::CSeq;
pub use from::From;
pub use max_forwards::MaxForwards;
pub use name::HeaderName;
pub(crate) use name::{Known, known};
pub use name_addr::NameAddr;
pub use proxy_authenticate::ProxyAuthenticate;
pub use proxy_authentication_info::ProxyAuthenticationInfo;
pub use proxy_authorization::ProxyAuthorization;
pub use q_value::QValue;
pub use record_route::RecordRoute;
pub use route::Route;
pub use to::To;
pub use values::Values;
pub(crate) use values::{has_parameter, value_length};
pub use via::Via;
pub use www_authenticate::WwwAuthenticate;

/// A header whose values have a type. Whoever uses this crate may define his own:
///
/// ```
/// use bytes::{BufMut, Bytes};
/// use sip_core::header::{HeaderName, TypedHeader};
/// use sip_core::{ErrorKind, ParseError, Part};
///
/// struct Shard(u8);
///
/// impl TypedHeader for Shard {
///     const NAME: HeaderName = HeaderName::from_static("X-Shard");
///     const LIST: bool = false;
///
///     fn parse(value: &Bytes) -> Result<Self, ParseError> {
///         match **value {
///             [digit @ b'0'..=b'9'] => Ok(Self(digit - b'0')),
///             _ => Err(ParseError::new(ErrorKind::Syntax, Part::Header(Self::NAME), 0)),
///         }
///     }
///
///     fn encode(&self, out: &mut impl BufMut) {
///         out.put_u8(b'0' + self.0);
///     }
/// }
/// ```
pub trait TypedHeader: Sized {
    /// The name of the header field.
    const NAME: HeaderName;

    /// Whether one line may hold several values with commas between them (RFC 3261 §7.3.1).
    const LIST: bool;

    /// Whether a line without any value is a legal, empty list (such as `Supported:`).
    const EMPTY: bool = false;

    /// Parses one value: unfolded, without white space around it, and without the other values of its line.
    ///
    /// # Errors
    /// When the grammar does not allow the value; the offset is that in the value.
    fn parse(value: &Bytes) -> Result<Self, ParseError>;

    /// Writes the value, without the name.
    fn encode(&self, out: &mut impl BufMut);
}

/// The bytes of a token (RFC 3261 §25.1).
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'
            | b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        byte += 1;
    }
    table
};

/// Whether a byte may be part of a token (RFC 3261 §25.1).
#[must_use]
#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte is always within 256 entries")]
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// Whether these bytes are a token (RFC 3261 §25.1).
#[must_use]
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

/// How many bytes at the beginning are those of a token.
#[must_use]
#[inline]
pub(crate) fn token_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(bytes.len())
}

/// How many bytes there are before the first colon, space or control character.
#[inline]
pub(crate) fn name_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        // The lowest marked byte is exact, which is all that counts here.
        let control = word.wrapping_sub(ONES * 0x21) & !word;
        let colon = word ^ (ONES * b':' as u64);
        let colon = colon.wrapping_sub(ONES) & !colon;
        let found = (control | colon) & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| *byte <= b' ' || *byte == b':').unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_at_the_first_colon_space_or_control_character() {
        for length in 0..40 {
            for ending in 0..=255_u8 {
                let mut bytes = vec![b'~'; length];
                bytes.extend([ending, b'a', b' ', b':', b'\r']);
                let expected = if ending <= b' ' || ending == b':' { length } else { length + 2 };
                assert_eq!(name_length(&bytes), expected);
            }
            assert_eq!(name_length(&vec![0xff; length]), length);
        }
    }
}
