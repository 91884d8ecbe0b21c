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

    /// Reads what follows `o=`: six words.
    ///
    /// No call fails for this line's sake. With five words the user name is taken to be missing, with more than six the
    /// version is taken to have several, and with less all is the user name.
    #[must_use]
    pub fn parse(text: &Bytes) -> Self {
        let words: Vec<Bytes> = words(text).collect();
        let empty = Bytes::new;
        let (head, [net_type, addr_type, address]) = match words.split_last_chunk() {
            Some((head, tail)) if head.len() >= 2 => (head, tail.clone()),
            _ => {
                let connection = Connection { net_type: empty(), addr_type: empty(), address: empty() };
                let username = text.slice_ref(text.trim_ascii());
                return Self { username, session_id: empty(), session_version: empty(), connection };
            }
        };
        let connection = Connection { net_type, addr_type, address };
        let (username, session_id, version) = match head {
            [session_id, version] => (empty(), session_id.clone(), core::slice::from_ref(version)),
            [username, session_id, version @ ..] => (username.clone(), session_id.clone(), version),
            _ => (empty(), empty(), head),
        };
        let session_version = match version {
            [one] => one.clone(),
            several => several.join(&b' ').into(),
        };
        Self { username, session_id, session_version, connection }
    }

    /// Writes the six words.
    pub fn encode(&self, out: &mut impl BufMut) {
        let Connection { net_type, addr_type, address } = &self.connection;
        let words = [&self.username, &self.session_id, &self.session_version, net_type, addr_type, address];
        for (index, word) in words.into_iter().filter(|word| !word.is_empty()).enumerate() {
            if index > 0 {
                out.put_u8(b' ');
            }
            put(out, word);
        }
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
        self.username == other.username && self.session_id == other.session_id && self.connection == other.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length_are_kept() {
        let text = Bytes::from_static(b"- 0003826492039482039482039 0001 IN IP4 192.0.2.1");
        let mut origin = Origin::parse(&text);
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
    fn an_origin_of_more_or_less_than_six_words_is_kept() {
        // From RFCs 7006, 3204 and 4570.
        for text in [
            "2987933123 2987933123 IN IP4 198.51.100.7",
            "audet 2890844526 2890842807 5 IN IP4 134.177.64.4",
            "The King <Elvis@example.com>",
            "a b IN IP4",
            "",
        ] {
            let origin = Origin::parse(&Bytes::copy_from_slice(text.as_bytes()));
            let mut out = Vec::new();
            origin.encode(&mut out);
            assert_eq!(out, text.as_bytes());
            assert_eq!(Origin::parse(&Bytes::from(out)), origin);
        }
        let origin = Origin::parse(&Bytes::from_static(b"29 30 IN IP4 198.51.100.7"));
        assert_eq!((origin.version(), origin.connection.ip().is_some()), (Some(30), true));
    }
}
