//! Meta trunk frames (RFC 5456 §8.1.3.2, figures 8 and 9).

use bytes::{BufMut, BytesMut};

use crate::{ErrorKind, ParseError, Part};

/// The eight bytes before a trunk frame's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrunkHeader {
    /// Command data; its lowest bit says that entries carry timestamps.
    pub command_data: u8,
    /// When the frame was sent, in milliseconds since the trunk began.
    pub timestamp: u32,
}

impl TrunkHeader {
    /// Length on the wire.
    pub const LEN: usize = 8;

    /// Whether each entry carries its own timestamp.
    pub fn has_timestamps(&self) -> bool {
        self.command_data & 1 != 0
    }

    /// Writes the header.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_slice(&[0, 0, 1, self.command_data]);
        out.put_u32(self.timestamp);
    }
}

/// A meta trunk frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trunk<'a> {
    /// The header.
    pub header: TrunkHeader,
    /// The entries, one after the other.
    pub entries: &'a [u8],
}

impl<'a> Trunk<'a> {
    /// Reads a trunk frame; entries are read by [`entries`](Self::entries).
    ///
    /// # Errors
    /// Fewer than eight bytes.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, ParseError> {
        let Some(([_, _, _, command_data, t0, t1, t2, t3], entries)) = datagram.split_first_chunk::<8>() else {
            return Err(ParseError::new(ErrorKind::Truncated, Part::Trunk, datagram.len()));
        };
        Ok(Self {
            header: TrunkHeader { command_data: *command_data, timestamp: u32::from_be_bytes([*t0, *t1, *t2, *t3]) },
            entries,
        })
    }

    /// The entries. An entry of an unknown call is skipped by its own length like any other.
    pub fn entries(&self) -> Entries<'a> {
        Entries { rest: self.entries, timestamps: self.header.has_timestamps(), offset: TrunkHeader::LEN }
    }

    /// Writes header and entries.
    pub fn encode(&self, out: &mut impl BufMut) {
        self.header.encode(out);
        out.put_slice(self.entries);
    }
}

/// One call's voice in a trunk frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The sender's number for the call, fifteen bits.
    pub source_call: u16,
    /// Low sixteen bits of the call's timestamp, in frames that carry them.
    pub timestamp: Option<u16>,
    /// The voice.
    pub payload: &'a [u8],
}

impl Entry<'_> {
    /// Length of an entry's header: four bytes, six with a timestamp.
    pub const fn header_len(timestamps: bool) -> usize {
        if timestamps { 6 } else { 4 }
    }

    /// Writes the entry in the order of figure 8 or, with a timestamp, of figure 9.
    ///
    /// A payload of more than 65,535 bytes is cut.
    pub fn encode(&self, out: &mut impl BufMut) {
        let len = u16::try_from(self.payload.len()).unwrap_or(u16::MAX);
        match self.timestamp {
            None => {
                out.put_u16(self.source_call & 0x7fff);
                out.put_u16(len);
            }
            Some(timestamp) => {
                out.put_u16(len);
                out.put_u16(self.source_call & 0x7fff);
                out.put_u16(timestamp);
            }
        }
        out.put_slice(self.payload.get(..usize::from(len)).unwrap_or(self.payload));
    }
}

/// Entries of a trunk frame; ends after the first error.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    rest: &'a [u8],
    timestamps: bool,
    offset: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.offset;
        let read = |rest: &'a [u8], timestamps: bool| {
            if timestamps {
                let ([l0, l1, c0, c1, t0, t1], rest) = rest.split_first_chunk::<6>()?;
                let timestamp = Some(u16::from_be_bytes([*t0, *t1]));
                Some((u16::from_be_bytes([*c0, *c1]), u16::from_be_bytes([*l0, *l1]), timestamp, rest))
            } else {
                let ([c0, c1, l0, l1], rest) = rest.split_first_chunk::<4>()?;
                Some((u16::from_be_bytes([*c0, *c1]), u16::from_be_bytes([*l0, *l1]), None, rest))
            }
        };
        let Some((call, len, timestamp, rest)) = read(self.rest, self.timestamps) else {
            self.rest = &[];
            return Some(Err(ParseError::new(ErrorKind::Truncated, Part::Entry, at)));
        };
        let Some((payload, rest)) = rest.split_at_checked(usize::from(len)) else {
            self.rest = &[];
            return Some(Err(ParseError::new(ErrorKind::Overrun, Part::Entry, at)));
        };
        self.offset += Entry::header_len(self.timestamps) + payload.len();
        self.rest = rest;
        Some(Ok(Entry { source_call: call & 0x7fff, timestamp, payload }))
    }
}

/// Fills one trunk frame after another without allocating: it writes into a buffer that it keeps.
#[derive(Debug)]
pub struct TrunkWriter {
    buffer: BytesMut,
    timestamps: bool,
    limit: usize,
    entries: usize,
}

impl TrunkWriter {
    /// A writer of frames up to `limit` bytes.
    pub fn new(timestamps: bool, limit: usize) -> Self {
        Self { buffer: BytesMut::new(), timestamps, limit: limit.max(TrunkHeader::LEN + 7), entries: 0 }
    }

    /// Whether entries carry timestamps.
    pub fn has_timestamps(&self) -> bool {
        self.timestamps
    }

    /// Entries in the frame so far.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Whether the frame has no entry yet.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Adds one call's voice; `false` when it does not fit and the frame has to be [finished](Self::finish) first.
    ///
    /// An entry too large for any frame of this limit makes a frame of its own.
    pub fn push(&mut self, source_call: u16, timestamp: u16, payload: &[u8]) -> bool {
        let need = Entry::header_len(self.timestamps) + payload.len();
        if self.buffer.is_empty() {
            self.buffer.reserve(self.limit.max(TrunkHeader::LEN + need));
            TrunkHeader { command_data: u8::from(self.timestamps), timestamp: 0 }.encode(&mut self.buffer);
        }
        if self.buffer.len() + need > self.limit && self.entries > 0 {
            return false;
        }
        Entry { source_call, timestamp: self.timestamps.then_some(timestamp), payload }.encode(&mut self.buffer);
        self.entries += 1;
        true
    }

    /// Ends the frame, which was sent at `timestamp`, hands its bytes to `send` and starts the next.
    pub fn finish<T>(&mut self, timestamp: u32, send: impl FnOnce(&[u8]) -> T) -> Option<T> {
        if self.entries == 0 {
            return None;
        }
        if let Some(at) = self.buffer.get_mut(4..8) {
            at.copy_from_slice(&timestamp.to_be_bytes());
        }
        let result = send(&self.buffer);
        self.buffer.clear();
        self.entries = 0;
        Some(result)
    }
}
