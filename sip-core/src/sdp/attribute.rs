//! Attributes, bandwidths, and lines that we do not know.

use bytes::{BufMut, Bytes};

use super::text::{put, split_once};

/// An `a=` line: a property, or a name with a value (RFC 8866 §5.13).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attribute {
    /// The name, before the colon. Names are case-sensitive.
    pub name: Bytes,
    /// What follows the colon; `None` without a colon.
    pub value: Option<Bytes>,
}

impl Attribute {
    /// A property: `a=name`.
    #[must_use]
    pub fn flag(name: &'static str) -> Self {
        Self { name: Bytes::from_static(name.as_bytes()), value: None }
    }

    /// A name with a value: `a=name:value`.
    #[must_use]
    pub fn new(name: &'static str, value: impl Into<Bytes>) -> Self {
        Self { name: Bytes::from_static(name.as_bytes()), value: Some(value.into()) }
    }

    /// Reads what follows `a=`. Every text is an attribute.
    #[must_use]
    pub fn parse(text: &Bytes) -> Self {
        match split_once(text, b':') {
            Some((name, value)) => Self { name: text.slice_ref(name), value: Some(text.slice_ref(value)) },
            None => Self { name: text.clone(), value: None },
        }
    }

    /// Writes `name` or `name:value`.
    pub fn encode(&self, out: &mut impl BufMut) {
        put(out, &self.name);
        if let Some(value) = &self.value {
            out.put_u8(b':');
            put(out, value);
        }
    }
}

/// An attribute whose value has a type. Whoever uses this crate may define his own:
///
/// ```
/// use bytes::Bytes;
/// use sip_core::sdp::{Media, TypedAttribute};
///
/// /// `a=content` (RFC 4796).
/// struct Content(Bytes);
///
/// impl TypedAttribute for Content {
///     const NAME: &'static str = "content";
///
///     fn parse(value: &Bytes) -> Option<Self> {
///         (!value.is_empty()).then(|| Self(value.clone()))
///     }
///
///     fn write(&self, out: &mut Vec<u8>) {
///         out.extend_from_slice(&self.0);
///     }
/// }
///
/// let media = Media::new("video", 5000, "RTP/AVP").with_attribute(Content("slides".into()).to_attribute());
/// assert_eq!(media.typed::<Content>().unwrap().0, "slides");
/// ```
pub trait TypedAttribute: Sized {
    /// The attribute's name.
    const NAME: &'static str;

    /// Reads the attribute's value; of an attribute without a value it is empty. `None` when it breaks the grammar.
    fn parse(value: &Bytes) -> Option<Self>;

    /// Writes the value. With nothing written the attribute has no value.
    fn write(&self, out: &mut Vec<u8>);

    /// The attribute.
    fn to_attribute(&self) -> Attribute {
        let mut value = Vec::new();
        self.write(&mut value);
        Attribute {
            name: Bytes::from_static(Self::NAME.as_bytes()),
            value: (!value.is_empty()).then(|| Bytes::from(value)),
        }
    }
}

/// All attributes of a type that can be read.
pub(crate) fn typed<A: TypedAttribute>(attributes: &[Attribute]) -> impl Iterator<Item = A> {
    attributes
        .iter()
        .filter(|attribute| attribute.name == A::NAME)
        .filter_map(|attribute| A::parse(attribute.value.as_ref().unwrap_or(&Bytes::new())))
}

/// A `b=` line: how much bandwidth (RFC 8866 §5.8).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bandwidth {
    /// `CT`, `AS`, `TIAS` (RFC 3890), `RS` or `RR` (RFC 3556), or another.
    pub kind: Bytes,
    /// The amount; its unit depends on the kind: kilobits a second for `CT` and `AS`, bits for `TIAS`, `RS` and `RR`.
    pub value: Bytes,
}

impl Bandwidth {
    /// The amount as a number.
    #[must_use]
    pub fn amount(&self) -> Option<u64> {
        super::text::number(&self.value)
    }

    /// The amount in bits a second, for the kinds whose unit is known.
    #[must_use]
    pub fn bits_per_second(&self) -> Option<u64> {
        match &*self.kind {
            b"CT" | b"AS" => self.amount()?.checked_mul(1_000),
            b"TIAS" | b"RS" | b"RR" => self.amount(),
            _ => None,
        }
    }
}

/// A line of a type that RFC 8866 does not define. They are kept in their order, at the end of their section.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnknownLine {
    /// The letter before the equals sign.
    pub kind: u8,
    /// What follows it.
    pub value: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_splits_at_its_first_colon() {
        let attribute = Attribute::parse(&Bytes::from_static(b"rtcp-fb:* a:b"));
        assert_eq!((&*attribute.name, attribute.value.as_deref()), (&b"rtcp-fb"[..], Some(&b"* a:b"[..])));
        assert_eq!(Attribute::parse(&Bytes::from_static(b"rtcp-mux")), Attribute::flag("rtcp-mux"));
        assert_eq!(Attribute::parse(&Bytes::from_static(b"x:")), Attribute::new("x", ""));
    }

    #[test]
    fn a_bandwidth_has_the_unit_of_its_kind() {
        let of = |kind: &'static str, value: &'static str| Bandwidth { kind: kind.into(), value: value.into() };
        assert_eq!(of("AS", "64").bits_per_second(), Some(64_000));
        assert_eq!(of("TIAS", "64").bits_per_second(), Some(64));
        assert_eq!(of("X-YZ", "64").bits_per_second(), None);
        assert_eq!(of("AS", "99999999999999999999999").amount(), None);
        assert_eq!(of("AS", "18446744073709551615").bits_per_second(), None);
    }
}
