//! Typed attributes of RTCP feedback, keys, ICE, grouping, sources, header extensions and fax, one noun a file.

mod candidate;
mod crypto;
mod extmap;
mod fingerprint;
mod group;
mod ice;
mod key;
mod rtcp_fb;
mod setup;
mod ssrc;
mod t38;

pub use candidate::{Candidate, CandidateType};
pub use crypto::{Crypto, CryptoKey, MasterKey};
pub use extmap::ExtMap;
pub use fingerprint::Fingerprint;
pub use group::{Group, Mid};
pub use ice::{IceOptions, IcePwd, IceUfrag};
pub use key::Key;
pub use rtcp_fb::RtcpFb;
pub use setup::Setup;
pub use ssrc::{Ssrc, SsrcGroup};
pub use t38::{T38, T38ErrorCorrection};

/// Tests that values are read and written the same, and that others are refused.
#[cfg(test)]
macro_rules! attribute_tests {
    ($type:ty, same: [$($same:expr),* $(,)?], refused: [$($refused:expr),* $(,)?]) => {
        #[test]
        fn values_are_read_and_written_the_same() {
            for text in [$($same),*] {
                let value = bytes::Bytes::from_static(str::as_bytes(text));
                let read = <$type as crate::sdp::TypedAttribute>::parse(&value);
                let read = read.unwrap_or_else(|| panic!("{text}"));
                let written = crate::sdp::TypedAttribute::to_attribute(&read).value.unwrap_or_default();
                assert_eq!(written, value);
                assert_eq!(<$type as crate::sdp::TypedAttribute>::parse(&written), Some(read));
            }
        }

        #[test]
        fn other_values_are_refused() {
            for text in [$($refused),*] {
                let value = bytes::Bytes::from_static(str::as_bytes(text));
                assert_eq!(<$type as crate::sdp::TypedAttribute>::parse(&value), None, "{text}");
            }
        }

        #[test]
        fn any_bytes_that_are_read_are_written_and_read_the_same() {
            use proptest::prelude::*;
            const WORDS: &[&str] = &["1", "20", "audio", "UDP", "typ", "host", "a:b", "inline:YWJj|2^20|1:4", "192.0.2.1", "*", " ", "sha-256", "AB:CD"];
            let text = proptest::collection::vec(proptest::sample::select(WORDS), 0..10)
                .prop_map(|words| words.join(" "));
            proptest!(|(text in prop_oneof!["[ -~]{0,30}", text])| {
                let value = bytes::Bytes::from(text);
                if let Some(read) = <$type as crate::sdp::TypedAttribute>::parse(&value) {
                    let written = crate::sdp::TypedAttribute::to_attribute(&read).value.unwrap_or_default();
                    prop_assert_eq!(<$type as crate::sdp::TypedAttribute>::parse(&written), Some(read));
                }
            });
        }
    };
}

#[cfg(test)]
use attribute_tests;
