//! ICE credentials and options.

use bytes::Bytes;

use crate::sdp::TypedAttribute;
use crate::sdp::text::words;

/// An `a=ice-ufrag` attribute (RFC 8839 §5.4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IceUfrag(pub Bytes);

/// An `a=ice-pwd` attribute (RFC 8839 §5.4). Its debug output does not show the password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IcePwd(pub Bytes);

/// An `a=ice-options` attribute (RFC 8839 §5.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IceOptions(pub Vec<Bytes>);

impl TypedAttribute for IceUfrag {
    const NAME: &'static str = "ice-ufrag";

    fn parse(value: &Bytes) -> Option<Self> {
        is_secret(value, 4).then(|| Self(value.clone()))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl TypedAttribute for IcePwd {
    const NAME: &'static str = "ice-pwd";

    fn parse(value: &Bytes) -> Option<Self> {
        is_secret(value, 22).then(|| Self(value.clone()))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl TypedAttribute for IceOptions {
    const NAME: &'static str = "ice-options";

    fn parse(value: &Bytes) -> Option<Self> {
        let options: Vec<Bytes> = words(value).collect();
        let is_valid = !options.is_empty() && options.iter().all(|option| option.iter().all(|byte| is_ice(*byte)));
        is_valid.then_some(Self(options))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.join(&b' '));
    }
}

impl core::fmt::Debug for IcePwd {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("IcePwd").finish_non_exhaustive()
    }
}

/// `ice-char`.
pub(super) const fn is_ice(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

fn is_secret(value: &[u8], least: usize) -> bool {
    (least..=256).contains(&value.len()) && value.iter().all(|byte| is_ice(*byte))
}

#[cfg(test)]
mod tests {
    use super::super::attribute_tests;
    use super::*;

    mod ufrag {
        use super::*;
        attribute_tests!(IceUfrag, same: ["8hhY", "9uB6+/"], refused: ["", "abc", "a b c", "ab\u{e4}c"]);
    }

    mod pwd {
        use super::*;
        attribute_tests!(IcePwd, same: ["asd88fgpdd777uzjYhagZg"], refused: ["", "asd88fgpdd777uzjYhagZ"]);
    }

    mod options {
        use super::*;
        attribute_tests!(IceOptions, same: ["ice2", "rtp+ecn trickle"], refused: ["", " ", "a:b"]);
    }

    #[test]
    fn debug_output_does_not_show_the_password() {
        assert_eq!(format!("{:?}", IcePwd("secret".into())), "IcePwd(..)");
    }
}
