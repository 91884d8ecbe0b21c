//! CAUSECODE (RFC 5456 §8.6.33).

use std::fmt;

/// Why a call or registration ended, in the numbers of Q.931.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Cause(pub u8);

impl Cause {
    /// No cause was given (0; Asterisk sends it).
    pub const NONE: Self = Self(0);
    /// Unassigned number (1).
    pub const UNASSIGNED: Self = Self(1);
    /// No route to the destination (3).
    pub const NO_ROUTE: Self = Self(3);
    /// Normal call clearing (16).
    pub const NORMAL: Self = Self(16);
    /// User busy (17).
    pub const BUSY: Self = Self(17);
    /// No user response (18).
    pub const NO_RESPONSE: Self = Self(18);
    /// No answer (19).
    pub const NO_ANSWER: Self = Self(19);
    /// Call rejected (21).
    pub const REJECTED: Self = Self(21);
    /// Facility rejected (29).
    pub const FACILITY_REJECTED: Self = Self(29);
    /// No circuit available (34).
    pub const CONGESTION: Self = Self(34);
    /// Network out of order (38).
    pub const NETWORK_OUT_OF_ORDER: Self = Self(38);
    /// Switch congestion (42).
    pub const SWITCH_CONGESTION: Self = Self(42);
    /// Facility not subscribed (50).
    pub const NOT_SUBSCRIBED: Self = Self(50);
    /// Bearer capability not available (58).
    pub const NO_BEARER: Self = Self(58);
    /// Recovery on timer expiration (102).
    pub const TIMER: Self = Self(102);
    /// Protocol error (111).
    pub const PROTOCOL: Self = Self(111);
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cause {}", self.0)
    }
}
