//! What a relay counts of one side.

use super::Reason;
use crate::statistics::Reception;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Packets that were not forwarded, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// From a source that is not the side's.
    pub stranger: u64,
    /// From a source that was not yet believed.
    pub probation: u64,
    /// Before the signalling told where the side is.
    pub unexpected: u64,
    /// Not RTP or RTCP.
    pub malformed: u64,
    /// RTCP on the RTP port or RTP on the RTCP port.
    pub misplaced: u64,
    /// With nowhere to go: the other side holds, or is not there yet.
    pub nowhere: u64,
}

impl Dropped {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.stranger + self.probation + self.unexpected + self.malformed + self.misplaced + self.nowhere
    }

    pub(super) const fn count(&mut self, reason: Reason) {
        let counter = match reason {
            Reason::Stranger => &mut self.stranger,
            Reason::Probation => &mut self.probation,
            Reason::Unexpected => &mut self.unexpected,
            Reason::Malformed => &mut self.malformed,
            Reason::Misplaced => &mut self.misplaced,
            Reason::Nowhere => &mut self.nowhere,
        };
        *counter = counter.saturating_add(1);
    }
}

/// What a relay knows of one side's stream at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Snapshot {
    /// Where the side's packets come from, once known.
    pub source: Option<SocketAddr>,
    /// Its stream.
    pub ssrc: Option<u32>,
    /// Payload type of its last packet.
    pub payload_type: Option<u8>,
    /// Packets that were forwarded to the other side.
    pub packets: u64,
    /// Their payload bytes.
    pub octets: u64,
    /// RTCP packets that were forwarded to the other side.
    pub control_packets: u64,
    /// Packets that came from the side in its stream, by sequence number.
    pub received: u64,
    /// Packets that did not come.
    pub lost: u64,
    /// The share that did not come, 0 to 1.
    pub loss: f64,
    /// Interarrival jitter.
    pub jitter: Duration,
    /// When its last packet came.
    pub last: Option<Instant>,
    /// What was not forwarded.
    pub dropped: Dropped,
}

impl Snapshot {
    pub(super) fn measured(self, reception: Option<&Reception>) -> Self {
        let Some(reception) = reception else { return self };
        Self {
            received: reception.received(),
            lost: reception.lost(),
            loss: reception.loss(),
            jitter: reception.jitter(),
            ..self
        }
    }
}
