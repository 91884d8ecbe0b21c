//! Subclasses of HTML frames (RFC 5456 §8.5).

/// Subclasses of HTML frames (RFC 5456 §8.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Html {
    /// A URL.
    Url,
    /// Data.
    Data,
    /// First data frame.
    Begin,
    /// Last data frame.
    End,
    /// The page is loaded.
    LoadComplete,
    /// No HTML here.
    NotSupported,
    /// Link a URL.
    LinkUrl,
    /// Unlink the URL.
    UnlinkUrl,
    /// Link refused.
    LinkReject,
    /// Any other value.
    Other(u8),
}

impl Html {
    /// The value of a subclass byte.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0x01 => Self::Url,
            0x02 => Self::Data,
            0x04 => Self::Begin,
            0x08 => Self::End,
            0x10 => Self::LoadComplete,
            0x11 => Self::NotSupported,
            0x12 => Self::LinkUrl,
            0x13 => Self::UnlinkUrl,
            0x14 => Self::LinkReject,
            other => Self::Other(other),
        }
    }

    /// The subclass byte.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Url => 0x01,
            Self::Data => 0x02,
            Self::Begin => 0x04,
            Self::End => 0x08,
            Self::LoadComplete => 0x10,
            Self::NotSupported => 0x11,
            Self::LinkUrl => 0x12,
            Self::UnlinkUrl => 0x13,
            Self::LinkReject => 0x14,
            Self::Other(other) => other,
        }
    }
}
