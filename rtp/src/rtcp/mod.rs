//! RTCP: what senders and receivers report to each other (RFC 3550 §6).
//!
//! A datagram holds a [`Compound`] of packets. Each packet is a plain value that parses and encodes; packets of other types are
//! skipped by their length and kept as they are.

mod application;
mod block;
mod compound;
mod goodbye;
mod receiver_report;
pub(crate) mod rewrite;
mod sender_report;
mod source_description;

pub use application::Application;
pub use block::Block;
pub use compound::{Compound, Frame, Frames};
pub use goodbye::Goodbye;
pub use receiver_report::ReceiverReport;
pub use sender_report::{SenderInfo, SenderReport, ntp_from_unix};
pub use source_description::{Chunk, Item, ItemKind, SourceDescription};

use crate::error::ParseError;
use bytes::{BufMut, Bytes};

/// The packet type of an RTCP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind(pub u8);

impl Kind {
    /// SR, RFC 3550 §6.4.1.
    pub const SENDER_REPORT: Self = Self(200);
    /// RR, RFC 3550 §6.4.2.
    pub const RECEIVER_REPORT: Self = Self(201);
    /// SDES, RFC 3550 §6.5.
    pub const SOURCE_DESCRIPTION: Self = Self(202);
    /// BYE, RFC 3550 §6.6.
    pub const GOODBYE: Self = Self(203);
    /// APP, RFC 3550 §6.7.
    pub const APPLICATION: Self = Self(204);
}

/// One RTCP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packet {
    /// SR.
    SenderReport(SenderReport),
    /// RR.
    ReceiverReport(ReceiverReport),
    /// SDES.
    SourceDescription(SourceDescription),
    /// BYE.
    Goodbye(Goodbye),
    /// APP.
    Application(Application),
    /// Another type: feedback (RFC 4585), extended reports (RFC 3611) and what is yet to come.
    Other {
        /// Which.
        kind: Kind,
        /// The five bits beside the version.
        count: u8,
        /// What follows the first four bytes.
        body: Bytes,
    },
}

impl Packet {
    /// Reads one packet of a compound.
    ///
    /// # Errors
    ///
    /// A body that does not hold what its count announces.
    pub fn parse(frame: &Frame<'_>) -> Result<Self, ParseError> {
        Ok(match frame.kind {
            Kind::SENDER_REPORT => Self::SenderReport(SenderReport::parse(frame)?),
            Kind::RECEIVER_REPORT => Self::ReceiverReport(ReceiverReport::parse(frame)?),
            Kind::SOURCE_DESCRIPTION => Self::SourceDescription(SourceDescription::parse(frame)?),
            Kind::GOODBYE => Self::Goodbye(Goodbye::parse(frame)?),
            Kind::APPLICATION => Self::Application(Application::parse(frame)?),
            kind => Self::Other { kind, count: frame.count, body: Bytes::copy_from_slice(frame.body) },
        })
    }

    /// Writes the packet. Those of one datagram follow each other, the first being an SR or RR (RFC 3550 §6.1).
    pub fn encode(&self, out: &mut impl BufMut) {
        match self {
            Self::SenderReport(report) => report.encode(out),
            Self::ReceiverReport(report) => report.encode(out),
            Self::SourceDescription(description) => description.encode(out),
            Self::Goodbye(goodbye) => goodbye.encode(out),
            Self::Application(application) => application.encode(out),
            Self::Other { kind, count, body } => {
                put_header(*count, *kind, body.len().next_multiple_of(4), out);
                put_padded(body, out);
            }
        }
    }

    /// Bytes that [`encode`](Self::encode) writes.
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::SenderReport(report) => report.encoded_len(),
            Self::ReceiverReport(report) => report.encoded_len(),
            Self::SourceDescription(description) => description.encoded_len(),
            Self::Goodbye(goodbye) => goodbye.encoded_len(),
            Self::Application(application) => application.encoded_len(),
            Self::Other { body, .. } => 4 + body.len().next_multiple_of(4),
        }
    }
}

/// Most reports, chunks or sources that the five bits of the count can tell.
pub(crate) const MAX_COUNT: usize = 31;

/// Writes the first four bytes; `body` is the length of what follows them.
fn put_header(count: u8, kind: Kind, body: usize, out: &mut impl BufMut) {
    out.put_u8(0x80 | count & 0x1f);
    out.put_u8(kind.0);
    out.put_u16(u16::try_from(body / 4).unwrap_or(u16::MAX));
}

/// Writes bytes and the zeros that fill the last word.
fn put_padded(bytes: &[u8], out: &mut impl BufMut) {
    out.put_slice(bytes);
    out.put_bytes(0, bytes.len().next_multiple_of(4) - bytes.len());
}

/// The four bytes at the beginning of a body as a number, and the rest.
fn split_word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk::<4>().map(|(word, rest)| (u32::from_be_bytes(*word), rest))
}
