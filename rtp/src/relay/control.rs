//! RTCP beside the media: the same two sides, ports of its own.

use super::lock::{Admission, canonical};
use super::{Reason, Relay, Side, Verdict};
use crate::packet::Packet;
use crate::rtcp::{self, Kind};
use bytes::BytesMut;
use std::net::SocketAddr;
use std::time::Instant;

impl Relay {
    /// Decides about an RTCP packet that came in on `from`'s RTCP port, and makes it fit to be sent on.
    ///
    /// It is taken from the address that the SDP names (the port above the media's, or `a=rtcp`); or, from the host of the
    /// locked media source, from one source that reports as the pinned SSRC, which is then locked as well.
    pub fn forward_control(&mut self, now: Instant, from: Side, source: SocketAddr, packet: &mut BytesMut) -> Verdict {
        let verdict = self.decide_control(now, from, canonical(source), packet);
        let counters = &mut self.leg_mut(from).counters;
        match verdict {
            Verdict::Forward(_) => counters.control_packets = counters.control_packets.saturating_add(1),
            Verdict::Drop(reason) => counters.dropped.count(reason),
        }
        verdict
    }

    /// Where RTCP for a side goes now.
    pub fn control_destination(&self, side: Side) -> Option<SocketAddr> {
        let leg = self.leg(side);
        let wants = leg.wants?;
        Some(leg.control.unwrap_or_else(|| {
            // A learned media source moves RTCP to the port above it, where symmetric NATs often put it.
            match leg.lock.source() {
                Some(locked) if locked != canonical(wants.media()) => {
                    SocketAddr::new(locked.ip(), locked.port().saturating_add(1))
                }
                _ => wants.control(),
            }
        }))
    }

    fn decide_control(&mut self, _now: Instant, from: Side, source: SocketAddr, bytes: &mut BytesMut) -> Verdict {
        let leg = self.leg_mut(from);
        let Some(expected) = leg.lock.expected() else { return Verdict::Drop(Reason::Unexpected) };
        let named = source == canonical(expected.control());
        let media_host = leg.lock.source().is_some_and(|locked| locked.ip() == source.ip());
        match leg.control {
            Some(locked) if locked != source => return Verdict::Drop(Reason::Stranger),
            Some(_) => {}
            None if named || media_host => {}
            None => return Verdict::Drop(Reason::Stranger),
        }
        if !Packet::is_control(bytes) {
            let media = Packet::parse(bytes).is_ok();
            return Verdict::Drop(if media { Reason::Misplaced } else { Reason::Malformed });
        }
        let Ok(compound) = rtcp::Compound::parse(bytes) else { return Verdict::Drop(Reason::Malformed) };
        if leg.control.is_none() {
            if !named && compound.sender() != leg.lock.ssrc() {
                return Verdict::Drop(Reason::Stranger);
            }
            leg.control = Some(source);
        }
        self.map_control(from, bytes);
        match self.control_destination(from.other()) {
            Some(destination) => Verdict::Forward(destination),
            None => Verdict::Drop(Reason::Nowhere),
        }
    }

    /// Makes reports speak of the streams that their receiver knows.
    fn map_control(&self, from: Side, bytes: &mut [u8]) {
        let (ours, theirs) = (self.leg(from), self.leg(from.other()));
        if !ours.output.is_shifted() && !theirs.output.is_shifted() {
            return;
        }
        let sent = |ssrc: u32| match (ours.lock.ssrc(), ours.output.ssrc()) {
            (Some(pinned), Some(shown)) if pinned == ssrc && ours.output.is_shifted() => shown,
            _ => ssrc,
        };
        rtcp::rewrite::packets(bytes, |kind, count, packet| {
            rtcp::rewrite::sources(kind, count, packet, sent);
            if kind == Kind::SENDER_REPORT && ours.output.is_shifted() {
                rtcp::rewrite::sender_timestamp(packet, |timestamp| ours.output.timestamp(timestamp));
            }
            if theirs.output.is_shifted() {
                rtcp::rewrite::blocks(kind, count, packet, |ssrc, highest| {
                    if Some(ssrc) == theirs.output.ssrc() {
                        (theirs.lock.ssrc().unwrap_or(ssrc), theirs.output.reported_sequence(highest))
                    } else {
                        (ssrc, highest)
                    }
                });
            }
        });
    }

    /// Whether a source would be let in as media of a side; for tests and diagnostics.
    pub fn is_source(&self, side: Side, source: SocketAddr) -> bool {
        self.leg(side).lock.may_come_from(canonical(source)) == Admission::Known
    }
}
