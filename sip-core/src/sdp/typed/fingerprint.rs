//! `a=fingerprint`: the certificate of the other side.

use bytes::Bytes;

use crate::sdp::TypedAttribute;
use crate::sdp::text::split_once;

/// An `a=fingerprint` attribute (RFC 8122 §5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// The hash function, such as `sha-256`. Compared without regard to case.
    pub hash: Bytes,
    /// The hash of the certificate.
    pub digest: Vec<u8>,
}

impl TypedAttribute for Fingerprint {
    const NAME: &'static str = "fingerprint";

    fn parse(value: &Bytes) -> Option<Self> {
        let (hash, hex) = split_once(value, b' ')?;
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        };
        let digest = hex.trim_ascii().split(|byte| *byte == b':').map(byte).collect::<Option<Vec<u8>>>()?;
        (!hash.is_empty()).then(|| Self { hash: value.slice_ref(hash), digest })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.hash);
        for (index, byte) in self.digest.iter().enumerate() {
            out.push(if index == 0 { b' ' } else { b':' });
            out.extend_from_slice(format!("{byte:02X}").as_bytes());
        }
    }
}

/// The value of one hexadecimal digit. The RFC wants upper case; some write lower.
fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::super::attribute_tests;
    use super::*;

    attribute_tests!(
        Fingerprint,
        same: [
            "sha-256 12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:3E:5D",
            "SHA-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB",
        ],
        refused: ["", "sha-256", "sha-256 ", "sha-256 1", "sha-256 123", "sha-256 12:", "sha-256 1G", " 12:34"]
    );

    #[test]
    fn lower_case_is_the_same_fingerprint() {
        let of = |text: &'static str| Fingerprint::parse(&Bytes::from_static(text.as_bytes())).unwrap().digest;
        assert_eq!(of("sha-1 4a:ad"), of("sha-1 4A:AD"));
    }
}
