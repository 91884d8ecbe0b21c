//! AUTHMETHODS and ENCRYPTION (RFC 5456 §8.6.13, §8.6.34).

bitflags::bitflags! {
    /// Ways to authenticate (RFC 5456 §8.6.13).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct AuthMethods: u16 {
        /// The secret in clear: reserved by the RFC, off unless asked for.
        const PLAINTEXT = 1;
        /// MD5 of challenge and secret.
        const MD5 = 2;
        /// RSA signature of the challenge.
        const RSA = 4;
        const _ = !0;
    }
}

bitflags::bitflags! {
    /// Ways to encrypt (RFC 5456 §8.6.34).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct EncryptionMethods: u16 {
        /// AES-128.
        const AES128 = 1;
        /// The sender can have its key rotated (Asterisk).
        const KEY_ROTATION = 0x8000;
        const _ = !0;
    }
}
