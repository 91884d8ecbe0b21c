//! `a=ssrc` and `a=ssrc-group`: which sources a stream has.

use bytes::Bytes;

use crate::sdp::TypedAttribute;
use crate::sdp::text::{number, split_once, words};

/// An `a=ssrc` attribute: a property of one source (RFC 5576 §4.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ssrc {
    /// The source.
    pub ssrc: u32,
    /// The property, such as `cname`.
    pub name: Bytes,
    /// Its value.
    pub value: Option<Bytes>,
}

impl TypedAttribute for Ssrc {
    const NAME: &'static str = "ssrc";

    fn parse(value: &Bytes) -> Option<Self> {
        let (ssrc, rest) = split_once(value, b' ')?;
        let ssrc = number(ssrc)?;
        let (name, value) = match split_once(rest, b':') {
            Some((name, text)) => (name, Some(value.slice_ref(text))),
            None => (rest, None),
        };
        (!name.is_empty()).then(|| Self { ssrc, name: Bytes::copy_from_slice(name), value })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{} ", self.ssrc).as_bytes());
        out.extend_from_slice(&self.name);
        if let Some(value) = &self.value {
            out.push(b':');
            out.extend_from_slice(value);
        }
    }
}

/// An `a=ssrc-group` attribute: sources that belong together (RFC 5576 §4.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SsrcGroup {
    /// Why they do: `FID`, `FEC-FR`, `SIM` and so on.
    pub semantics: Bytes,
    /// The sources.
    pub ssrcs: Vec<u32>,
}

impl TypedAttribute for SsrcGroup {
    const NAME: &'static str = "ssrc-group";

    fn parse(value: &Bytes) -> Option<Self> {
        let mut words = words(value);
        let semantics = words.next()?;
        let ssrcs = words.map(|word| number(&word)).collect::<Option<Vec<u32>>>()?;
        Some(Self { semantics, ssrcs })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.semantics);
        for ssrc in &self.ssrcs {
            out.extend_from_slice(format!(" {ssrc}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::attribute_tests;
    use super::*;

    mod ssrc {
        use super::*;
        attribute_tests!(
            Ssrc,
            same: ["1000 cname:fec@example.com", "4294967295 previous-ssrc:1", "1 x", "1 msid:a b"],
            refused: ["", "1000", "x cname:a", "4294967296 x", "1 "]
        );
    }

    mod group {
        use super::*;
        attribute_tests!(SsrcGroup, same: ["FEC-FR 1000 2110", "FID"], refused: ["", "FID x", "FID 4294967296"]);
    }
}
