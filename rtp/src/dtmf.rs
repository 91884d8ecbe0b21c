//! Telephone events: keys, sent beside the voice (RFC 4733 §2).

use crate::error::{ErrorKind, ParseError, Part};
use bytes::BufMut;

/// The payload of a telephone-event packet.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// |     event     |E|R| volume    |          duration             |
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Which event: 0 to 15 are the keys.
    pub event: u8,
    /// Whether the event has ended.
    pub end: bool,
    /// Level below 0 dBm0, 0 to 63 decibels.
    pub volume: u8,
    /// How long it has lasted, in timestamp units.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Bytes of the payload.
    pub const LEN: usize = 4;

    /// Reads a payload; more events of the same packet are left.
    ///
    /// # Errors
    ///
    /// Fewer than four bytes.
    pub fn parse(payload: &[u8]) -> Result<Self, ParseError> {
        match payload {
            [event, second, d0, d1, ..] => Ok(Self {
                event: *event,
                end: second & 0x80 != 0,
                volume: second & 0x3f,
                duration: u16::from_be_bytes([*d0, *d1]),
            }),
            _ => Err(ParseError::new(ErrorKind::Truncated, Part::Payload, payload.len())),
        }
    }

    /// Writes the payload.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u8(self.event);
        out.put_u8(u8::from(self.end) << 7 | self.volume.min(63));
        out.put_u16(self.duration);
    }

    /// The key: `0` to `9`, `*`, `#`, `A` to `D` (RFC 4733 §3.2); none for other events.
    pub fn key(&self) -> Option<char> {
        KEYS.get(usize::from(self.event)).copied().map(char::from)
    }

    /// The event of a key.
    pub fn from_key(key: char) -> Option<u8> {
        let key = key.to_ascii_uppercase();
        KEYS.iter().position(|it| char::from(*it) == key).and_then(|event| u8::try_from(event).ok())
    }
}

const KEYS: &[u8; 16] = b"0123456789*#ABCD";

/// One packet of a key press: what goes into the RTP header and the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Press {
    /// The marker bit: the first packet of the event.
    pub marker: bool,
    /// Timestamps since the beginning of the event. The RTP timestamp of all packets of one segment is the segment's beginning.
    pub segment: u32,
    /// The payload.
    pub event: TelephoneEvent,
}

/// The packets of one key press, one for each packet time, the last one three times (RFC 4733 §2.5.1.4).
///
/// An event longer than the duration field holds goes on in segments (§2.5.1.3).
#[derive(Debug, Clone)]
pub struct Presses {
    event: u8,
    volume: u8,
    step: u32,
    whole: u32,
    sent: u32,
    ends: u8,
}

impl Presses {
    /// A key press of `duration` timestamp units, told every `step` of them.
    pub fn new(event: u8, volume: u8, duration: u32, step: u16) -> Self {
        Self { event, volume, step: u32::from(step.max(1)), whole: duration.max(1), sent: 0, ends: 0 }
    }
}

impl Iterator for Presses {
    type Item = Press;

    fn next(&mut self) -> Option<Press> {
        const SEGMENT: u32 = u16::MAX as u32;
        if self.ends == 3 {
            return None;
        }
        let marker = self.sent == 0;
        self.sent = self.sent.saturating_add(self.step).min(self.whole);
        let end = self.sent == self.whole;
        self.ends += u8::from(end);
        let segment = (self.sent - 1) / SEGMENT * SEGMENT;
        let duration = u16::try_from(self.sent - segment).unwrap_or(u16::MAX);
        Some(Press { marker, segment, event: TelephoneEvent { event: self.event, end, volume: self.volume, duration } })
    }
}

/// Finds key presses in received telephone-event packets: each once, however often it is repeated or its packets are lost.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    current: Option<(u32, u8)>,
}

impl Receiver {
    /// Takes in a packet; returns its key the first time that the event is heard, not at its end, so that a lost end loses
    /// nothing.
    pub fn receive(&mut self, timestamp: u32, event: TelephoneEvent) -> Option<char> {
        let this = (timestamp, event.event);
        match self.current {
            Some(current) if current == this => None,
            // Late repetitions of an event before.
            Some((newest, _)) if timestamp.wrapping_sub(newest) >= 1 << 31 => None,
            _ => {
                self.current = Some(this);
                event.key()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_where_the_rfc_puts_it() {
        let event = TelephoneEvent { event: 11, end: true, volume: 10, duration: 0x1234 };
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        assert_eq!(bytes, [11, 0x8a, 0x12, 0x34]);
        assert_eq!(TelephoneEvent::parse(&bytes), Ok(event));
        assert_eq!(event.key(), Some('#'));
        // The reserved bit is ignored.
        assert_eq!(TelephoneEvent::parse(&[11, 0xca, 0x12, 0x34]), Ok(event));
        assert!(TelephoneEvent::parse(&bytes[..3]).is_err());
    }

    #[test]
    fn keys_and_events_belong_together() {
        for event in 0..16 {
            let key = TelephoneEvent { event, ..Default::default() }.key().unwrap();
            assert_eq!(TelephoneEvent::from_key(key), Some(event));
        }
        assert_eq!(TelephoneEvent::from_key('d'), Some(15));
        assert_eq!(TelephoneEvent::from_key('x'), None);
        assert_eq!(TelephoneEvent { event: 16, ..Default::default() }.key(), None);
    }

    #[test]
    fn a_press_begins_with_a_marker_and_ends_three_times() {
        let packets: Vec<_> = Presses::new(5, 10, 800, 160).collect();
        assert_eq!(packets.len(), 7);
        assert_eq!(packets.iter().map(|it| it.event.duration).collect::<Vec<_>>(), [160, 320, 480, 640, 800, 800, 800]);
        assert_eq!(packets.iter().filter(|it| it.event.end).count(), 3);
        assert_eq!(packets.iter().map(|it| it.marker).collect::<Vec<_>>()[..2], [true, false]);
    }

    #[test]
    fn a_press_longer_than_the_duration_field_goes_on_in_segments() {
        let packets: Vec<_> = Presses::new(5, 10, 100_000, 800).collect();
        let last = packets.last().unwrap();
        assert_eq!(last.segment, 65_535);
        assert_eq!(last.segment + u32::from(last.event.duration), 100_000);
        assert!(packets.iter().filter(|it| it.event.end).count() == 3);
    }

    #[test]
    fn a_key_is_heard_once_whatever_is_lost() {
        let mut receiver = Receiver::default();
        let mut keys = String::new();
        for (index, key) in "15#".chars().enumerate() {
            let presses = Presses::new(TelephoneEvent::from_key(key).unwrap(), 10, 800, 160);
            // The first and the last packets are lost.
            for press in presses.skip(1).take(4) {
                keys.extend(receiver.receive(1_000 + index as u32 * 2_000, press.event));
            }
        }
        assert_eq!(keys, "15#");
        let old = TelephoneEvent { event: 1, end: true, ..Default::default() };
        assert_eq!(receiver.receive(1_000, old), None);
    }

    #[test]
    fn the_same_key_twice_is_two_presses() {
        let mut receiver = Receiver::default();
        let one = TelephoneEvent { event: 1, ..Default::default() };
        assert_eq!(receiver.receive(0, one), Some('1'));
        assert_eq!(receiver.receive(0, one), None);
        assert_eq!(receiver.receive(4_000, one), Some('1'));
    }
}
