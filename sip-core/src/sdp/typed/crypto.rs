//! `a=crypto`: keys of SRTP in the description (SDES).

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::sdp::TypedAttribute;
use crate::sdp::text::{number, split_once, words};

/// An `a=crypto` attribute (RFC 4568 §4, §6). Its debug output does not show the keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Crypto {
    /// Names the attribute in the answer.
    pub tag: u32,
    /// The suite, such as `AES_CM_128_HMAC_SHA1_80`.
    pub suite: Bytes,
    /// One key or several.
    pub keys: Vec<CryptoKey>,
    /// `KDR=…`, `UNENCRYPTED_SRTP`, `FEC_ORDER=…`, `WSH=…` and others.
    pub parameters: Vec<Bytes>,
}

/// A key parameter: method and information.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CryptoKey {
    /// `inline`.
    pub method: Bytes,
    /// What follows the colon.
    pub info: Bytes,
}

/// What the `inline` method says.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MasterKey {
    /// Master key and master salt, one after the other.
    pub key_and_salt: Vec<u8>,
    /// How many packets the key serves.
    pub lifetime: Option<u64>,
    /// The master key identifier and its length in bytes.
    pub mki: Option<(u128, u8)>,
}

impl TypedAttribute for Crypto {
    const NAME: &'static str = "crypto";

    fn parse(value: &Bytes) -> Option<Self> {
        let mut words = words(value);
        // RFC 4568 §9.1: one to nine digits.
        let tag = number(&words.next().filter(|digits| digits.len() <= 9)?)?;
        let suite = words.next()?;
        let keys = words.next()?;
        let key = |text: &[u8]| {
            let (method, info) = split_once(text, b':')?;
            let is_whole = !method.is_empty() && !info.is_empty();
            is_whole.then(|| CryptoKey { method: keys.slice_ref(method), info: keys.slice_ref(info) })
        };
        let keys = keys.split(|byte| *byte == b';').map(key).collect::<Option<Vec<_>>>()?;
        Some(Self { tag, suite, keys, parameters: words.collect() })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.tag.to_string().as_bytes());
        out.push(b' ');
        out.extend_from_slice(&self.suite);
        for (index, key) in self.keys.iter().enumerate() {
            out.push(if index == 0 { b' ' } else { b';' });
            out.extend_from_slice(&key.method);
            out.push(b':');
            out.extend_from_slice(&key.info);
        }
        for parameter in &self.parameters {
            out.push(b' ');
            out.extend_from_slice(parameter);
        }
    }
}

impl CryptoKey {
    /// Makes an `inline` key.
    #[must_use]
    pub fn inline(key: &MasterKey) -> Self {
        let mut info = STANDARD.encode(&key.key_and_salt);
        if let Some(lifetime) = key.lifetime {
            info.push('|');
            match lifetime.is_power_of_two() {
                true => info.push_str(&format!("2^{}", lifetime.trailing_zeros())),
                false => info.push_str(&lifetime.to_string()),
            }
        }
        if let Some((value, length)) = key.mki {
            info.push_str(&format!("|{value}:{length}"));
        }
        Self { method: Bytes::from_static(b"inline"), info: info.into() }
    }

    /// Reads an `inline` key. `None` for other methods and for what breaks the grammar.
    #[must_use]
    pub fn master_key(&self) -> Option<MasterKey> {
        if !self.method.eq_ignore_ascii_case(b"inline") {
            return None;
        }
        let mut pieces = self.info.split(|byte| *byte == b'|');
        let key_and_salt = STANDARD.decode(pieces.next()?).ok().filter(|key| !key.is_empty())?;
        let mut key = MasterKey { key_and_salt, lifetime: None, mki: None };
        for piece in pieces {
            match split_once(piece, b':') {
                Some((value, length)) if key.mki.is_none() => key.mki = Some((number(value)?, number(length)?)),
                None if key.lifetime.is_none() && key.mki.is_none() => key.lifetime = Some(lifetime(piece)?),
                _ => return None,
            }
        }
        Some(key)
    }
}

/// `2^n` or a number.
fn lifetime(text: &[u8]) -> Option<u64> {
    match text.strip_prefix(b"2^") {
        Some(exponent) => 1u64.checked_shl(number(exponent)?),
        None => number(text),
    }
}

impl fmt::Debug for CryptoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CryptoKey").field("method", &self.method).finish_non_exhaustive()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::attribute_tests;
    use super::*;

    attribute_tests!(
        Crypto,
        same: [
            "1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:32",
            "2 F8_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm|2^20|1:4;inline:QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5|2^20|2:4 FEC_ORDER=FEC_SRTP",
            "1 AEAD_AES_128_GCM inline:YUJDZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5 UNENCRYPTED_SRTCP KDR=1",
        ],
        refused: ["", "1", "1 x", "1 x inline", "1 x :y", "x y inline:z", "1234567890 x inline:y", "1 x inline:y;"]
    );

    #[test]
    fn the_inline_key_of_rfc_4568_is_read_and_made() {
        let value =
            Bytes::from_static(b"1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:32");
        let crypto = Crypto::parse(&value).unwrap();
        let key = crypto.keys[0].master_key().unwrap();
        assert_eq!(key.key_and_salt.len(), 30);
        assert_eq!((key.lifetime, key.mki), (Some(1 << 20), Some((1, 32))));
        assert_eq!(CryptoKey::inline(&key), crypto.keys[0]);
        let of = |info: &'static str| CryptoKey { method: "inline".into(), info: info.into() }.master_key();
        assert_eq!(of("YWJj|1000").unwrap().lifetime, Some(1_000));
        assert_eq!(of("YWJj|7:4").unwrap().mki, Some((7, 4)));
        for bad in ["", "!", "YWJj|2^64", "YWJj|x", "YWJj|1|2", "YWJj|1:4|2", "YWJj|1:4|1:4", "YWJj|"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn debug_output_does_not_show_the_key() {
        let crypto = Crypto::parse(&Bytes::from_static(b"1 x inline:YWJj")).unwrap();
        let shown = format!("{crypto:?} {:?}", crypto.keys[0].master_key());
        assert!(!shown.contains("YWJj") && !shown.contains("97"), "{shown}");
    }
}
