//! MSGCOUNT (RFC 5456 §8.6.23).

/// Messages that wait in a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageCount(pub u16);

impl MessageCount {
    /// At least one message, nobody counted.
    pub const SOME: Self = Self(0xffff);

    /// So many old and new messages, each at most 255.
    pub const fn new(old: u8, new: u8) -> Self {
        Self((old as u16) << 8 | new as u16)
    }

    /// Old messages; `None` when nobody counted.
    pub const fn old(self) -> Option<u8> {
        if self.0 == 0xffff { None } else { Some((self.0 >> 8) as u8) }
    }

    /// New messages; `None` when nobody counted.
    pub const fn new_messages(self) -> Option<u8> {
        if self.0 == 0xffff { None } else { Some(self.0 as u8) }
    }
}
