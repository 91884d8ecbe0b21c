//! `a=setup`: who opens the connection or begins the handshake.

use bytes::Bytes;

use crate::sdp::TypedAttribute;

/// An `a=setup` attribute (RFC 4145 §4, RFC 5763 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setup {
    /// Opens the connection; client of the handshake.
    Active,
    /// Waits for it.
    Passive,
    /// Either; what an offer of DTLS must say.
    ActPass,
    /// Neither for now.
    HoldConn,
}

impl Setup {
    const ALL: [Self; 4] = [Self::Active, Self::Passive, Self::ActPass, Self::HoldConn];

    /// The value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
            Self::HoldConn => "holdconn",
        }
    }

    /// The answer to this offer (RFC 4145 §4.1): `active` to `actpass`, as RFC 5763 §5 recommends.
    #[must_use]
    pub const fn answer(self) -> Self {
        match self {
            Self::Active => Self::Passive,
            Self::Passive | Self::ActPass => Self::Active,
            Self::HoldConn => Self::HoldConn,
        }
    }
}

impl TypedAttribute for Setup {
    const NAME: &'static str = "setup";

    fn parse(value: &Bytes) -> Option<Self> {
        Self::ALL.into_iter().find(|setup| value == setup.as_str())
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_str().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::attribute_tests;
    use super::*;

    attribute_tests!(Setup, same: ["active", "passive", "actpass", "holdconn"], refused: ["", "ACTIVE", "both"]);

    #[test]
    fn the_answer_takes_the_other_part() {
        assert_eq!(Setup::ActPass.answer(), Setup::Active);
        assert_eq!(Setup::Active.answer(), Setup::Passive);
        assert_eq!(Setup::Passive.answer(), Setup::Active);
        assert_eq!(Setup::HoldConn.answer(), Setup::HoldConn);
    }
}
