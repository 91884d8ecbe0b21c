//! One side of a call: its end, what it hears, and what is known of it.

use std::time::Instant;

use bytes::{BufMut, BytesMut};
use rtp::{
    Header,
    g711::Law,
    relay::{Side, Snapshot},
    statistics::Reception,
};

use super::{Codec, Format, keys, outgoing::Outgoing, player::Player, socket::Leg, trunk};
use crate::status::Stream;

/// An end that was made ready.
#[derive(Debug)]
pub(super) enum Attached {
    Rtp(Leg),
    Trunk,
}

#[derive(Debug)]
pub(super) struct Party {
    pub(super) side: Side,
    pub(super) end: Option<Attached>,
    pub(super) format: Option<Format>,
    pub(super) receives: bool,
    pub(super) player: Option<Player>,
    pub(super) outgoing: Outgoing,
    pub(super) heard: keys::Heard,
    pub(super) keys: keys::Sending,
    inbound: trunk::Inbound,
    reception: Option<Reception>,
    /// Timestamp of the first voice that went to the trunk.
    base: Option<u32>,
    pub(super) sent: u64,
    random: u64,
}

impl Party {
    pub(super) fn new(side: Side, random: u64) -> Self {
        Self {
            side,
            end: None,
            format: None,
            receives: true,
            player: None,
            outgoing: Outgoing::new(random),
            heard: keys::Heard::default(),
            keys: keys::Sending::default(),
            inbound: trunk::Inbound::new(random.rotate_left(24)),
            reception: None,
            base: None,
            sent: 0,
            random,
        }
    }

    /// Another end, or none: what was known of the one before is forgotten, and its sockets close.
    pub(super) fn attach(&mut self, end: Option<Attached>) {
        let random = self.random.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let trunk = matches!(end, Some(Attached::Trunk));
        *self = Self { end, sent: self.sent, ..Self::new(self.side, random) };
        if trunk {
            self.outgoing = Outgoing::owned(random);
        }
    }

    pub(super) fn is_trunk(&self) -> bool {
        matches!(self.end, Some(Attached::Trunk))
    }

    pub(super) fn leg(&self) -> Option<&Leg> {
        match &self.end {
            Some(Attached::Rtp(leg)) => Some(leg),
            _ => None,
        }
    }

    /// Whether something is played or pressed at a pace of ours.
    pub(super) fn is_paced(&self) -> bool {
        self.end.is_some() && (self.keys.is_busy() || self.player.as_ref().is_some_and(|player| !player.is_echo()))
    }

    /// Voice that came by the trunk as a packet of RTP; `false` when the format is not known.
    pub(super) fn receive(&mut self, now: Instant, arrival: &trunk::Arrival, packet: &mut BytesMut) -> bool {
        let Some(format) = self.format.filter(|_| self.is_trunk() && !arrival.payload.is_empty()) else { return false };
        let samples = match format.codec {
            Codec::G711(_) => u32::try_from(arrival.payload.len()).unwrap_or(160),
            // Of others only the usual time is known.
            Codec::Opaque => 160,
        };
        let header = self.inbound.next(arrival.timestamp, samples, format.payload_type);
        let reception = self.reception.get_or_insert_with(|| Reception::new(header.sequence, 8_000));
        reception.update(now, header.sequence, header.timestamp);
        write(&header, packet);
        packet.put_slice(&arrival.payload);
        true
    }

    /// Milliseconds since the first voice that went to the trunk; none for what is older than that.
    pub(super) fn trunk_time(&mut self, timestamp: u32) -> Option<u32> {
        let since = timestamp.wrapping_sub(*self.base.get_or_insert(timestamp));
        (since < 1 << 31).then_some(since / super::outgoing::PER_MILLISECOND)
    }

    /// A packet of our own voice.
    pub(super) fn say(
        &mut self,
        now: Instant,
        (law, payload_type): (Law, u8),
        samples: &[i16],
        packet: &mut BytesMut,
    ) -> bool {
        write(&self.outgoing.voice(now, payload_type, samples.len()), packet);
        law.encode(samples, packet);
        true
    }

    /// What is shown of what came from this side.
    pub(super) fn stream(&self, snapshot: &Snapshot) -> Stream {
        let (received, lost, jitter) = match &self.reception {
            Some(reception) => (reception.received(), reception.lost(), reception.jitter()),
            None => (snapshot.received, snapshot.lost, snapshot.jitter),
        };
        Stream {
            packets: received,
            lost,
            refused: snapshot.dropped.stranger + snapshot.dropped.probation,
            sent: self.sent,
            jitter: jitter.as_secs_f64() * 1000.0,
        }
    }
}

/// Writes a header alone.
pub(super) fn write(header: &Header, packet: &mut BytesMut) {
    packet.clear();
    header.encode(packet);
}
