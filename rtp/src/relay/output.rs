//! One stream for the receiver, whatever becomes of the sender: SSRC, sequence and timestamp go on across a change.

use std::time::Instant;

/// What becomes of the identifiers of one direction.
#[derive(Debug, Clone, Default)]
pub(super) struct Output {
    ssrc: Option<u32>,
    shifted: bool,
    sequence_shift: u16,
    timestamp_shift: u32,
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    sequence: u16,
    timestamp: u32,
    at: Instant,
}

impl Output {
    /// A stream begins at this packet; after another, its numbers continue that one's.
    pub(super) fn begin(&mut self, now: Instant, rate: u32, ssrc: u32, sequence: u16, timestamp: u32) {
        let Some(last) = self.last else {
            self.ssrc = Some(ssrc);
            return;
        };
        let elapsed = now.saturating_duration_since(last.at).as_millis() * u128::from(rate) / 1_000;
        // At least one packet's worth, so that timestamps go up.
        let elapsed = u32::try_from(elapsed & u128::from(u32::MAX)).unwrap_or(0).max(1);
        self.sequence_shift = last.sequence.wrapping_add(1).wrapping_sub(sequence);
        self.timestamp_shift = last.timestamp.wrapping_add(elapsed).wrapping_sub(timestamp);
        self.shifted = self.ssrc != Some(ssrc) || self.sequence_shift != 0 || self.timestamp_shift != 0;
    }

    /// The identifiers to send, or none if they stay as they are.
    pub(super) fn map(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32) -> Option<(u32, u16, u32)> {
        let sequence = sequence.wrapping_add(self.sequence_shift);
        let timestamp = timestamp.wrapping_add(self.timestamp_shift);
        let newer = self.last.is_none_or(|last| sequence.wrapping_sub(last.sequence) < 0x8000);
        if newer {
            self.last = Some(Last { sequence, timestamp, at: now });
        }
        self.shifted.then(|| (self.ssrc.unwrap_or(ssrc), sequence, timestamp))
    }

    pub(super) const fn is_shifted(&self) -> bool {
        self.shifted
    }

    /// The SSRC that the receiver knows.
    pub(super) const fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }

    pub(super) const fn timestamp(&self, timestamp: u32) -> u32 {
        timestamp.wrapping_add(self.timestamp_shift)
    }

    /// The sender's extended sequence number for one that the receiver reports. Only the low half is exact: the count of wraps
    /// is kept.
    pub(super) const fn reported_sequence(&self, extended: u32) -> u32 {
        (extended & 0xffff_0000) | (extended as u16).wrapping_sub(self.sequence_shift) as u32
    }
}
