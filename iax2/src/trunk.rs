//! A trunk to a peer: the voice of many calls in one datagram every 20 ms (RFC 5456 §7.1, §8.1.3.2).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::event::Output;
use crate::frame::TrunkWriter;
use crate::link::Cx;

/// What went over a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TrunkStatistics {
    /// Trunk frames sent.
    pub frames: u64,
    /// Entries in them.
    pub entries: u64,
    /// Bytes of UDP payload.
    pub bytes: u64,
    /// Frames that were full before their time.
    pub splits: u64,
}

/// The sending side of a trunk.
#[derive(Debug)]
pub(crate) struct Trunk {
    pub(crate) address: SocketAddr,
    writer: TrunkWriter,
    epoch: Instant,
    interval: Duration,
    /// The interval whose voice the frame holds.
    slot: u32,
    next: Option<Instant>,
    pub(crate) scheduled: Option<Instant>,
    /// Calls that use it.
    pub(crate) calls: usize,
    pub(crate) statistics: TrunkStatistics,
}

impl Trunk {
    pub(crate) fn new(now: Instant, address: SocketAddr, timestamps: bool, mtu: usize, interval: Duration) -> Self {
        Self {
            address,
            writer: TrunkWriter::new(timestamps, mtu),
            epoch: now,
            interval: interval.max(Duration::from_millis(1)),
            slot: 0,
            next: None,
            scheduled: None,
            calls: 0,
            statistics: TrunkStatistics::default(),
        }
    }

    /// Adds one call's voice, and sends the frame when it does not fit.
    ///
    /// A timestamp of 0 would mean that there is none: such a frame goes in full, so it never comes here.
    pub(crate) fn push(&mut self, cx: &mut Cx<'_>, call: u16, timestamp: u16, payload: &[u8]) {
        let elapsed = cx.now.saturating_duration_since(self.epoch).as_nanos();
        let count = elapsed / self.interval.as_nanos();
        let slot = (count * self.interval.as_nanos() / 1_000_000) as u32;
        if !self.writer.is_empty() && slot != self.slot {
            self.flush(cx);
        }
        self.slot = slot;
        if !self.writer.push(call, timestamp, payload) {
            self.statistics.splits += 1;
            self.flush(cx);
            self.writer.push(call, timestamp, payload);
        }
        if self.next.is_none() {
            let end = self.interval.saturating_mul(u32::try_from(count + 1).unwrap_or(u32::MAX));
            self.next = Some(self.epoch + end);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.writer.is_empty()
    }

    pub(crate) fn flush(&mut self, cx: &mut Cx<'_>) {
        self.next = None;
        let entries = self.writer.entries() as u64;
        // All frames of one interval carry its beginning: where they were split says nothing of time.
        if let Some(payload) = self.writer.finish(self.slot, Bytes::copy_from_slice) {
            self.statistics.frames += 1;
            self.statistics.entries += entries;
            self.statistics.bytes += payload.len() as u64;
            cx.out.push_back(Output::Datagram { destination: self.address, payload });
        }
    }

    pub(crate) fn on_timeout(&mut self, cx: &mut Cx<'_>) {
        if self.next.is_some_and(|next| next <= cx.now) {
            self.flush(cx);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }
}
