//! `a=group` and `a=mid`: streams that belong together.

use bytes::Bytes;

use crate::sdp::TypedAttribute;
use crate::sdp::text::words;

/// An `a=group` attribute (RFC 5888 §5).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group {
    /// Why they belong together: `BUNDLE` (RFC 9143), `LS`, `FID` and so on.
    pub semantics: Bytes,
    /// The `a=mid` of each.
    pub mids: Vec<Bytes>,
}

impl Group {
    /// Whether the streams share one transport (RFC 9143 §5).
    #[must_use]
    pub fn is_bundle(&self) -> bool {
        self.semantics == "BUNDLE"
    }
}

impl TypedAttribute for Group {
    const NAME: &'static str = "group";

    fn parse(value: &Bytes) -> Option<Self> {
        let mut words = words(value);
        Some(Self { semantics: words.next()?, mids: words.collect() })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.semantics);
        for mid in &self.mids {
            out.push(b' ');
            out.extend_from_slice(mid);
        }
    }
}

/// An `a=mid` attribute: the name of a stream (RFC 5888 §4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mid(pub Bytes);

impl TypedAttribute for Mid {
    const NAME: &'static str = "mid";

    fn parse(value: &Bytes) -> Option<Self> {
        (!value.is_empty() && !value.contains(&b' ')).then(|| Self(value.clone()))
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::attribute_tests;
    use super::*;

    mod group {
        use super::*;
        attribute_tests!(Group, same: ["LS 1 2", "BUNDLE audio video", "BUNDLE"], refused: ["", " "]);
    }

    mod mid {
        use super::*;
        attribute_tests!(Mid, same: ["1", "audio"], refused: ["", "a b"]);
    }

    #[test]
    fn a_group_names_its_streams() {
        let session: crate::sdp::Session = "v=0\r\no=- 1 1 IN IP4 a\r\ns=-\r\nt=0 0\r\na=group:BUNDLE b x a\r\n\
            m=audio 1 RTP/AVP 0\r\na=mid:a\r\nm=video 2 RTP/AVP 31\r\na=mid:b\r\n"
            .parse()
            .unwrap();
        let group: Group = session.typed().unwrap();
        assert!(group.is_bundle());
        let kinds: Vec<_> = session.members(&group).map(|media| &*media.kind).collect();
        assert_eq!(kinds, [&b"video"[..], b"audio"]);
    }
}
