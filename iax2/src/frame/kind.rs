//! Frame types and their subclasses (RFC 5456 §8.2).

use super::{Command, Control, Html};
use crate::Format;

/// A subclass byte with its C bit (RFC 5456 §8.1.1): a number below 128, or a power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subclass(u8);

impl Subclass {
    /// The byte as it is on the wire.
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// The byte on the wire.
    pub const fn to_byte(self) -> u8 {
        self.0
    }

    /// Compresses a value as Asterisk does: as it is below 128, as a power of two above; `None` when it is neither.
    pub const fn compress(value: u64) -> Option<Self> {
        if value < 0x80 {
            Some(Self(value as u8))
        } else if value.is_power_of_two() {
            Some(Self(0x80 | value.trailing_zeros() as u8))
        } else {
            None
        }
    }

    /// The value; `None` for a power of two beyond 64 bits.
    pub const fn value(self) -> Option<u64> {
        if self.0 & 0x80 == 0 {
            Some(self.0 as u64)
        } else if self.0 & 0x7f < 64 {
            Some(1 << (self.0 & 0x7f))
        } else {
            None
        }
    }

    /// The subclass as a media format; `None` when it is not exactly one.
    pub fn format(self) -> Option<Format> {
        self.value().and_then(Format::from_bits)
    }

    /// The subclass of a full video frame: format, and whether the frame ends a picture (Asterisk's bit 6).
    pub fn video_format(self) -> Option<(Format, bool)> {
        Some((Self(self.0 & !0x40).format()?, self.0 & 0x40 != 0))
    }
}

impl From<Format> for Subclass {
    fn from(format: Format) -> Self {
        // A format is one bit, which always compresses.
        Self::compress(format.bits()).unwrap_or(Self(0))
    }
}

/// Frame type and subclass of a full frame (RFC 5456 §8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A digit, or the end of one that was begun (type 1).
    DtmfEnd(u8),
    /// Voice (type 2).
    Voice(Subclass),
    /// Video (type 3).
    Video(Subclass),
    /// Control of a session (type 4).
    Control(Control),
    /// Null, which nobody may send (type 5).
    Null(u8),
    /// IAX protocol (type 6).
    Iax(Command),
    /// Text (type 7).
    Text(u8),
    /// Image (type 8).
    Image(Subclass),
    /// HTML (type 9).
    Html(Html),
    /// Comfort noise at this level in -dBov (type 10).
    ComfortNoise(u8),
    /// Modem (type 11; Asterisk).
    Modem(u8),
    /// The beginning of a digit (type 12; Asterisk).
    DtmfBegin(u8),
    /// Any other type.
    Other {
        /// The frame type.
        frame_type: u8,
        /// Its subclass.
        subclass: u8,
    },
}

impl Kind {
    /// The kind of a frame type and subclass byte.
    pub const fn from_bytes(frame_type: u8, subclass: u8) -> Self {
        match frame_type {
            1 => Self::DtmfEnd(subclass),
            2 => Self::Voice(Subclass(subclass)),
            3 => Self::Video(Subclass(subclass)),
            4 => Self::Control(Control::from_byte(subclass)),
            5 => Self::Null(subclass),
            6 => Self::Iax(Command::from_byte(subclass)),
            7 => Self::Text(subclass),
            8 => Self::Image(Subclass(subclass)),
            9 => Self::Html(Html::from_byte(subclass)),
            10 => Self::ComfortNoise(subclass),
            11 => Self::Modem(subclass),
            12 => Self::DtmfBegin(subclass),
            _ => Self::Other { frame_type, subclass },
        }
    }

    /// Frame type and subclass byte.
    pub const fn to_bytes(self) -> (u8, u8) {
        match self {
            Self::DtmfEnd(digit) => (1, digit),
            Self::Voice(subclass) => (2, subclass.0),
            Self::Video(subclass) => (3, subclass.0),
            Self::Control(control) => (4, control.to_byte()),
            Self::Null(subclass) => (5, subclass),
            Self::Iax(command) => (6, command.to_byte()),
            Self::Text(subclass) => (7, subclass),
            Self::Image(subclass) => (8, subclass.0),
            Self::Html(html) => (9, html.to_byte()),
            Self::ComfortNoise(level) => (10, level),
            Self::Modem(subclass) => (11, subclass),
            Self::DtmfBegin(digit) => (12, digit),
            Self::Other { frame_type, subclass } => (frame_type, subclass),
        }
    }

    /// Whether a frame of this kind takes a sequence number (RFC 5456 §7).
    pub const fn is_sequenced(self) -> bool {
        match self {
            Self::Iax(command) => command.is_sequenced(),
            _ => true,
        }
    }
}
