//! CALLINGPRES, CALLINGTON and CALLINGTNS (RFC 5456 §8.6.29 to §8.6.31).

/// Calling presentation (RFC 5456 §8.6.29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Presentation(pub u8);

impl Presentation {
    /// Allowed, not screened.
    pub const ALLOWED: Self = Self(0x00);
    /// Allowed, passed the screen.
    pub const ALLOWED_PASSED: Self = Self(0x01);
    /// Allowed, failed the screen.
    pub const ALLOWED_FAILED: Self = Self(0x02);
    /// Allowed, a network number.
    pub const ALLOWED_NETWORK: Self = Self(0x03);
    /// Prohibited, not screened.
    pub const PROHIBITED: Self = Self(0x20);
    /// Prohibited, passed the screen.
    pub const PROHIBITED_PASSED: Self = Self(0x21);
    /// Prohibited, failed the screen.
    pub const PROHIBITED_FAILED: Self = Self(0x22);
    /// Prohibited, a network number.
    pub const PROHIBITED_NETWORK: Self = Self(0x23);
    /// There is no number.
    pub const UNAVAILABLE: Self = Self(0x43);
}

/// Type of number (RFC 5456 §8.6.30).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TypeOfNumber(pub u8);

impl TypeOfNumber {
    /// Unknown.
    pub const UNKNOWN: Self = Self(0x00);
    /// International.
    pub const INTERNATIONAL: Self = Self(0x10);
    /// National.
    pub const NATIONAL: Self = Self(0x20);
    /// Specific to a network.
    pub const NETWORK: Self = Self(0x30);
    /// Of a subscriber.
    pub const SUBSCRIBER: Self = Self(0x40);
    /// Abbreviated.
    pub const ABBREVIATED: Self = Self(0x60);
}
