//! Subclasses of control frames (RFC 5456 §8.3).

/// Subclasses of control frames (RFC 5456 §8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Control {
    /// The other end has hung up.
    Hangup,
    /// Local ring (Asterisk).
    Ring,
    /// The other end rings.
    Ringing,
    /// The other end has answered.
    Answer,
    /// Busy.
    Busy,
    /// Take the receiver off the hook (Asterisk).
    TakeOffHook,
    /// The line is off the hook (Asterisk).
    OffHook,
    /// Congestion.
    Congestion,
    /// Flash hook.
    Flash,
    /// Wink (Asterisk).
    Wink,
    /// Options of a device.
    Option,
    /// Key radio.
    KeyRadio,
    /// Unkey radio.
    UnkeyRadio,
    /// Call progress: media before an answer.
    Progress,
    /// The call proceeds.
    Proceeding,
    /// Held.
    Hold,
    /// No longer held.
    Unhold,
    /// Stop playing indications (Asterisk's -1).
    StopSounds,
    /// Any other value.
    Other(u8),
}

impl Control {
    /// The value of a subclass byte.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            0x01 => Self::Hangup,
            0x02 => Self::Ring,
            0x03 => Self::Ringing,
            0x04 => Self::Answer,
            0x05 => Self::Busy,
            0x06 => Self::TakeOffHook,
            0x07 => Self::OffHook,
            0x08 => Self::Congestion,
            0x09 => Self::Flash,
            0x0a => Self::Wink,
            0x0b => Self::Option,
            0x0c => Self::KeyRadio,
            0x0d => Self::UnkeyRadio,
            0x0e => Self::Progress,
            0x0f => Self::Proceeding,
            0x10 => Self::Hold,
            0x11 => Self::Unhold,
            0xff => Self::StopSounds,
            other => Self::Other(other),
        }
    }

    /// The subclass byte.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Hangup => 0x01,
            Self::Ring => 0x02,
            Self::Ringing => 0x03,
            Self::Answer => 0x04,
            Self::Busy => 0x05,
            Self::TakeOffHook => 0x06,
            Self::OffHook => 0x07,
            Self::Congestion => 0x08,
            Self::Flash => 0x09,
            Self::Wink => 0x0a,
            Self::Option => 0x0b,
            Self::KeyRadio => 0x0c,
            Self::UnkeyRadio => 0x0d,
            Self::Progress => 0x0e,
            Self::Proceeding => 0x0f,
            Self::Hold => 0x10,
            Self::Unhold => 0x11,
            Self::StopSounds => 0xff,
            Self::Other(other) => other,
        }
    }
}
