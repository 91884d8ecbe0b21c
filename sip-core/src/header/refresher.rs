//! Who refreshes a session (RFC 4028 §4).

/// The side that refreshes the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// Who sent the request.
    Uac,
    /// Who answered it.
    Uas,
}

impl Refresher {
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        [Self::Uac, Self::Uas].into_iter().find(|refresher| value.eq_ignore_ascii_case(refresher.as_str().as_bytes()))
    }

    /// The side as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uac => "uac",
            Self::Uas => "uas",
        }
    }
}
