//! What goes to one side, as one stream: whatever its source, SSRC, sequence and timestamp go on.
//!
//! While a side only hears the other one, packets pass as they are. From the first packet of our own (a tone, a key press)
//! the stream is ours, and what is relayed is renumbered into it.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtp::Header;

/// Timestamps a millisecond.
pub(super) const PER_MILLISECOND: u32 = 8;

/// Timestamps in a packet of 20 ms.
pub(super) const PACKET: u32 = 160;

/// The stream to one side.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Ours, unless a relayed stream came first: then that one's.
    ssrc: u32,
    /// Where it begins if we begin it.
    start: (u16, u32),
    /// Packets of our own went into it.
    owned: bool,
    last: Option<Last>,
    map: Option<Map>,
    pub(super) packets: u64,
    /// Payload bytes, modulo what a report holds.
    pub(super) octets: u32,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    at: Instant,
}

/// How a relayed stream is renumbered.
#[derive(Debug, Clone, Copy)]
struct Map {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

impl Outgoing {
    /// A stream that has not begun. `random` makes its SSRC and its beginning (RFC 3550 §5.1).
    pub(super) fn new(random: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = random.to_be_bytes();
        Self {
            ssrc: u32::from_be_bytes([a, b, c, d]),
            start: (u16::from_be_bytes([e, f]), u32::from_be_bytes([g, h, b, d])),
            owned: false,
            last: None,
            map: None,
            packets: 0,
            octets: 0,
        }
    }

    /// A stream that is ours from the beginning: nothing passes untouched.
    pub(super) fn owned(random: u64) -> Self {
        Self { owned: true, ..Self::new(random) }
    }

    /// From now on the stream is ours.
    pub(super) fn own(&mut self) {
        if self.owned {
            return;
        }
        self.owned = true;
        if let Some(Last { ssrc, .. }) = self.last {
            self.ssrc = ssrc;
            self.map = Some(Map { ssrc, sequence: 0, timestamp: 0 });
        }
    }

    /// Whether relayed packets keep their SSRC and timestamps, so that the reports of their sender are true.
    pub(super) fn is_transparent(&self) -> bool {
        !self.owned || self.map.is_some_and(|map| map.ssrc == self.ssrc && map.timestamp == 0)
    }

    /// What a report of ours needs: SSRC, the last timestamp and when that was.
    pub(super) fn last(&self) -> Option<(u32, u32, Instant)> {
        self.last.map(|last| (last.ssrc, last.timestamp, last.at))
    }

    /// Another source is about to be relayed, after ours.
    pub(super) fn end_relayed(&mut self) {
        if self.owned {
            self.map = None;
        }
    }

    /// Makes a relayed packet one of this stream. It is one that was parsed: at least a header.
    pub(super) fn pass(&mut self, now: Instant, packet: &mut BytesMut) {
        let Some(header) = packet.first_chunk_mut::<12>() else { return };
        let [_, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = header;
        let mut sequence = u16::from_be_bytes([*s0, *s1]);
        let mut timestamp = u32::from_be_bytes([*t0, *t1, *t2, *t3]);
        let mut ssrc = u32::from_be_bytes([*i0, *i1, *i2, *i3]);
        if self.owned {
            let map = match self.map {
                Some(map) if map.ssrc == ssrc => map,
                _ => {
                    *second |= 0x80;
                    self.join(now, ssrc, sequence, timestamp)
                }
            };
            sequence = sequence.wrapping_add(map.sequence);
            timestamp = timestamp.wrapping_add(map.timestamp);
            ssrc = self.ssrc;
            [*s0, *s1] = sequence.to_be_bytes();
            [*t0, *t1, *t2, *t3] = timestamp.to_be_bytes();
            [*i0, *i1, *i2, *i3] = ssrc.to_be_bytes();
        }
        if self.last.is_none_or(|last| last.ssrc != ssrc || sequence.wrapping_sub(last.sequence) < 0x8000) {
            self.last = Some(Last { ssrc, sequence, timestamp, at: now });
        }
        self.count(packet.len());
    }

    /// The header of the next packet of voice of our own.
    pub(super) fn voice(&mut self, now: Instant, payload_type: u8, octets: usize) -> Header {
        self.own();
        let goes_on = self.map.take().is_none();
        let ssrc = self.ssrc;
        let (sequence, timestamp, marker) = match self.last {
            // A pace of our own: what is late is not a gap.
            Some(last) if goes_on && now.saturating_duration_since(last.at) < Duration::from_millis(500) => {
                (last.sequence.wrapping_add(1), last.timestamp.wrapping_add(PACKET), false)
            }
            Some(last) => (last.sequence.wrapping_add(1), last.timestamp.wrapping_add(since(now, last.at)), true),
            None => (self.start.0, self.start.1, true),
        };
        self.last = Some(Last { ssrc, sequence, timestamp, at: now });
        self.count(octets + 12);
        Header { marker, payload_type, sequence, timestamp, ssrc, ..Header::default() }
    }

    /// The header of a packet of a telephone event; `begins`: its first. The timestamp of all of them is its beginning, `segment`
    /// later for the segments of a long one.
    pub(super) fn event(&mut self, now: Instant, payload_type: u8, begins: bool, segment: u32) -> Header {
        self.own();
        let ssrc = self.ssrc;
        let last = match self.last {
            Some(last) if !begins => Last { sequence: last.sequence.wrapping_add(1), ..last },
            Some(last) => Last {
                ssrc,
                sequence: last.sequence.wrapping_add(1),
                timestamp: last.timestamp.wrapping_add(since(now, last.at)),
                at: now,
            },
            None => Last { ssrc, sequence: self.start.0, timestamp: self.start.1, at: now },
        };
        self.last = Some(last);
        if let Some(map) = &mut self.map {
            map.sequence = map.sequence.wrapping_add(1);
        }
        self.count(16);
        Header {
            marker: begins,
            payload_type,
            sequence: last.sequence,
            timestamp: last.timestamp.wrapping_add(segment),
            ssrc,
            ..Header::default()
        }
    }

    /// How a stream that begins with this packet goes on after what was sent.
    fn join(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32) -> Map {
        let map = match self.last {
            Some(last) => Map {
                ssrc,
                sequence: last.sequence.wrapping_add(1).wrapping_sub(sequence),
                timestamp: last.timestamp.wrapping_add(since(now, last.at)).wrapping_sub(timestamp),
            },
            None => Map { ssrc, sequence: 0, timestamp: 0 },
        };
        self.map = Some(map);
        map
    }

    fn count(&mut self, length: usize) {
        self.packets = self.packets.saturating_add(1);
        self.octets = self.octets.wrapping_add(u32::try_from(length.saturating_sub(12)).unwrap_or(0));
    }
}

/// Timestamps since then: at least one packet's worth, so that they go up.
fn since(now: Instant, then: Instant) -> u32 {
    let elapsed = now.saturating_duration_since(then).as_millis();
    u32::try_from(elapsed).unwrap_or(u32::MAX).wrapping_mul(PER_MILLISECOND).max(PACKET)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests begin somewhere")]
mod tests {
    use rtp::Packet;

    use super::*;

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> BytesMut {
        let mut bytes = BytesMut::new();
        Header { ssrc, sequence, timestamp, ..Header::default() }.encode_packet(&[0xff; 160], 0, &mut bytes);
        bytes
    }

    fn numbers(bytes: &[u8]) -> (u32, u16, u32, bool) {
        let packet = Packet::parse(bytes).unwrap();
        (packet.ssrc(), packet.sequence(), packet.timestamp(), packet.marker())
    }

    #[test]
    fn what_is_only_relayed_passes_untouched() {
        let now = Instant::now();
        let mut outgoing = Outgoing::new(7);
        for sequence in 0..3 {
            let mut bytes = packet(9, sequence, 1_000 + u32::from(sequence) * 160);
            let before = bytes.clone();
            outgoing.pass(now, &mut bytes);
            assert_eq!(bytes, before);
        }
        assert!(outgoing.is_transparent());
        assert_eq!((outgoing.packets, outgoing.octets), (3, 480));
    }

    #[test]
    fn numbers_go_on_from_relayed_to_own_and_back() {
        let mut now = Instant::now();
        let mut outgoing = Outgoing::new(7);
        outgoing.pass(now, &mut packet(9, 0xfffe, 1_000));
        now += Duration::from_millis(40);
        let own = outgoing.voice(now, 0, 160);
        assert_eq!((own.ssrc, own.sequence, own.timestamp, own.marker), (9, 0xffff, 1_320, true));
        now += Duration::from_millis(20);
        let own = outgoing.voice(now, 0, 160);
        assert_eq!((own.ssrc, own.sequence, own.timestamp, own.marker), (9, 0, 1_480, false));
        assert!(!outgoing.is_transparent());
        now += Duration::from_millis(20);
        let mut bytes = packet(55, 100, 77_777);
        outgoing.pass(now, &mut bytes);
        assert_eq!(numbers(&bytes), (9, 1, 1_640, true));
        let mut bytes = packet(55, 101, 77_937);
        outgoing.pass(now, &mut bytes);
        assert_eq!(numbers(&bytes), (9, 2, 1_800, false));
    }

    #[test]
    fn a_key_press_is_put_between_relayed_packets_that_keep_their_timestamps() {
        let mut now = Instant::now();
        let mut outgoing = Outgoing::new(7);
        outgoing.pass(now, &mut packet(9, 10, 1_600));
        now += Duration::from_millis(20);
        let first = outgoing.event(now, 101, true, 0);
        now += Duration::from_millis(20);
        let second = outgoing.event(now, 101, false, 0);
        assert_eq!((first.sequence, first.timestamp, first.marker), (11, 1_760, true));
        assert_eq!((second.sequence, second.timestamp, second.marker), (12, 1_760, false));
        let mut bytes = packet(9, 13, 2_080);
        outgoing.pass(now, &mut bytes);
        assert_eq!(numbers(&bytes), (9, 15, 2_080, false));
        assert!(outgoing.is_transparent(), "reports of the sender are true");
    }

    #[test]
    fn an_echo_comes_under_another_source_with_its_own_numbers() {
        let mut outgoing = Outgoing::owned(0x0102_0304_0000_0000);
        let mut bytes = packet(9, 10, 1_600);
        outgoing.pass(Instant::now(), &mut bytes);
        assert_eq!(numbers(&bytes), (0x0102_0304, 10, 1_600, true));
    }
}
