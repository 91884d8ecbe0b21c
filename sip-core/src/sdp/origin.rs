//! Who made a description, and which version of it this is: the `o=` line.

use core::net::IpAddr;

use bytes::{BufMut, Bytes};

use super::Connection;
use super::text::{number, put, words};

/// An `o=` line (RFC 8866 §5.2). Its first, second and last three words name the session; the version tells whether a
/// description has changed (RFC 3264 §8).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The user at the host, or `-`.
    pub username: Bytes,
    /// Digits that make the session unique, of any number.
    pub session_id: Bytes,
    /// Digits that grow with each change.
    pub session_version: Bytes,
    /// Where the session was made, as in `c=`.
    pub connection: Connection,
}

impl Origin {
    /// A new origin.
    #[must_use]
    pub fn new(username: impl Into<Bytes>, session_id: u64, version: u64, address: IpAddr) -> Self {
        Self {
            username: username.into(),
            session_id: session_id.to_string().into(),
            session_version: version.to_string().into(),
            connection: address.into(),
        }
    }

    /// Reads what follows `o=`. `None` unless it is six words.
    #[must_use]
    pub fn parse(text: &Bytes) -> Option<Self> {
        let mut words = words(text);
        let (username, session_id, session_version) = (words.next()?, words.next()?, words.next()?);
        let connection = Connection { net_type: words.next()?, addr_type: words.next()?, address: words.next()? };
        words.next().is_none().then_some(Self { username, session_id, session_version, connection })
    }

    /// Writes the six words.
    pub fn encode(&self, out: &mut impl BufMut) {
        for word in [&self.username, &self.session_id, &self.session_version] {
            put(out, word);
            out.put_u8(b' ');
        }
        self.connection.encode(out);
    }

    /// The version as a number.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        number(&self.session_version)
    }

    /// Sets the version.
    pub fn set_version(&mut self, version: u64) {
        self.session_version = version.to_string().into();
    }

    /// Makes the version one higher, as each changed description must (RFC 3264 §8). One that is no number becomes 1.
    pub fn increment(&mut self) {
        self.set_version(self.version().unwrap_or(0).wrapping_add(1));
    }

    /// Whether the other is the same session, in whatever version.
    #[must_use]
    pub fn is_same_session(&self, other: &Self) -> bool {
        self.username == other.username
            && self.session_id == other.session_id
            && self.connection == other.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length_are_kept() {
        let text = Bytes::from_static(b"- 0003826492039482039482039 0001 IN IP4 192.0.2.1");
        let mut origin = Origin::parse(&text).unwrap();
        let mut out = Vec::new();
        origin.encode(&mut out);
        assert_eq!(out, text);
        assert_eq!(origin.version(), Some(1));
        let before = origin.clone();
        origin.increment();
        assert_eq!(origin.version(), Some(2));
        assert!(origin.is_same_session(&before));
    }

    #[test]
    fn an_origin_has_six_words() {
        for bad in ["", "- 1 1 IN IP4", "- 1 1 IN IP4 a b", "1 1 IN IP4 a"] {
            assert_eq!(Origin::parse(&Bytes::copy_from_slice(bad.as_bytes())), None, "{bad}");
        }
    }
}
