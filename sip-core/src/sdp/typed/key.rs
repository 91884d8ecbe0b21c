//! The `k=` line.

use bytes::Bytes;

use crate::sdp::text::split_once;

/// What a `k=` line says. It is obsolete: RFC 8866 §5.12 forbids to send it.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Key {
    /// `clear:`: the key itself.
    Clear(Bytes),
    /// `base64:`: the key in base64.
    Base64(Bytes),
    /// `uri:`: where to get the key.
    Uri(Bytes),
    /// `prompt`: the user knows it.
    Prompt,
}

impl Key {
    /// Reads what follows `k=`.
    #[must_use]
    pub fn parse(text: &Bytes) -> Option<Self> {
        match split_once(text, b':') {
            Some((b"clear", key)) => Some(Self::Clear(text.slice_ref(key))),
            Some((b"base64", key)) => Some(Self::Base64(text.slice_ref(key))),
            Some((b"uri", uri)) => Some(Self::Uri(text.slice_ref(uri))),
            None if text == "prompt" => Some(Self::Prompt),
            _ => None,
        }
    }
}

impl core::fmt::Debug for Key {
    /// Does not show the key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Clear(_) => "Clear",
            Self::Base64(_) => "Base64",
            Self::Uri(_) => "Uri",
            Self::Prompt => "Prompt",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_methods_are_read() {
        let read = |text: &'static str| Key::parse(&Bytes::from_static(text.as_bytes()));
        assert_eq!(read("clear:a:b"), Some(Key::Clear("a:b".into())));
        assert_eq!(read("base64:YQ=="), Some(Key::Base64("YQ==".into())));
        assert_eq!(read("uri:https://a"), Some(Key::Uri("https://a".into())));
        assert_eq!(read("prompt"), Some(Key::Prompt));
        assert_eq!(read("prompt:"), None);
        assert_eq!(read("x:y"), None);
        assert_eq!(format!("{:?}", Key::Clear("secret".into())), "Clear");
    }
}
