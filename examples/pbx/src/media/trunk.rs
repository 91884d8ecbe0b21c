//! Voice of a trunk as an RTP stream: a trunk has timestamps in milliseconds, and no sequence numbers.

use bytes::Bytes;
use rtp::Header;

use super::outgoing::PER_MILLISECOND;

/// Voice that came by a trunk.
#[derive(Debug)]
pub(super) struct Arrival {
    /// Milliseconds of the sender's clock.
    pub(super) timestamp: u32,
    pub(super) payload: Bytes,
}

/// A gap up to this many timestamps counts as lost packets, a longer one as a pause (200 ms).
const LOST: i32 = 1_600;

/// Gives voice sequence numbers and smooth timestamps.
///
/// Timestamps of trunks waver by some milliseconds and, without timestamps of their own, two entries of one frame have the
/// same: within half a packet of where a packet should be it is put there. A gap of whole packets leaves their sequence numbers
/// out, so that the phone conceals them as lost; a long one is a pause, and the voice after it has the marker.
#[derive(Debug)]
pub(super) struct Inbound {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// The sender's time at which the next packet should be, in timestamps.
    expected: Option<u32>,
    /// Numbers left out: the first, and how many.
    hole: Option<(u16, u16)>,
}

impl Inbound {
    /// `random` makes the SSRC and the beginning.
    pub(super) fn new(random: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = random.to_be_bytes();
        Self {
            ssrc: u32::from_be_bytes([a, b, c, d]),
            sequence: u16::from_be_bytes([e, f]),
            timestamp: u32::from_be_bytes([h, g, f, e]),
            expected: None,
            hole: None,
        }
    }

    /// The header of voice that lasts `samples`, which must not be 0.
    pub(super) fn next(&mut self, milliseconds: u32, samples: u32, payload_type: u8) -> Header {
        let time = milliseconds.wrapping_mul(PER_MILLISECOND);
        let length = i32::try_from(samples.max(1)).unwrap_or(i32::MAX);
        let late = self.expected.map_or(0, |expected| time.wrapping_sub(expected).cast_signed());
        let first = self.expected.is_none();
        let mut marker = first;
        let mut expected = self.expected.unwrap_or(time);
        if late >= length / 2 && late <= LOST {
            let missing = (late + length / 2) / length;
            let count = u16::try_from(missing).unwrap_or(0);
            self.hole = Some((self.sequence, count));
            self.sequence = self.sequence.wrapping_add(count);
            let lasted = (missing * length).cast_unsigned();
            self.timestamp = self.timestamp.wrapping_add(lasted);
            expected = expected.wrapping_add(lasted);
        } else if late > LOST {
            marker = true;
            self.timestamp = self.timestamp.wrapping_add(late.cast_unsigned());
            expected = time;
        } else if late <= -(length / 2) {
            let length = length.cast_unsigned();
            let back = (late.unsigned_abs() + length / 2) / length;
            if let Some((start, count)) = self.hole
                && let Ok(back) = u16::try_from(back)
                && let sequence = self.sequence.wrapping_sub(back)
                && sequence.wrapping_sub(start) < count
            {
                // It was overtaken, not lost.
                let timestamp = self.timestamp.wrapping_sub(u32::from(back).wrapping_mul(samples));
                return self.header(false, sequence, timestamp, payload_type);
            }
            if back > 3 {
                // The sender's clock began again.
                marker = true;
                expected = time;
            }
        }
        let header = self.header(marker, self.sequence, self.timestamp, payload_type);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(samples);
        self.expected = Some(expected.wrapping_add(samples));
        header
    }

    fn header(&self, marker: bool, sequence: u16, timestamp: u32, payload_type: u8) -> Header {
        Header { marker, payload_type, sequence, timestamp, ssrc: self.ssrc, ..Header::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sequence and timestamp from the first on, and the marker.
    fn run(times: &[u32]) -> Vec<(i16, i32, bool)> {
        let mut inbound = Inbound::new(0x0102_0304_fffe_ff00);
        let mut first = None;
        times
            .iter()
            .map(|time| {
                let header = inbound.next(*time, 160, 0);
                let (sequence, timestamp) = *first.get_or_insert((header.sequence, header.timestamp));
                (
                    header.sequence.wrapping_sub(sequence).cast_signed(),
                    header.timestamp.wrapping_sub(timestamp).cast_signed(),
                    header.marker,
                )
            })
            .collect()
    }

    #[test]
    fn wavering_timestamps_become_even_ones() {
        let even: Vec<_> = (0..6).map(|at| (at, i32::from(at) * 160, at == 0)).collect();
        assert_eq!(run(&[3, 23, 43, 63, 83, 103]), even);
        assert_eq!(run(&[3, 26, 40, 69, 83, 95]), even);
        assert_eq!(run(&[20, 40, 40, 80, 80, 120]), even, "two entries of one trunk frame have its time");
        assert_eq!(run(&[u32::MAX - 29, u32::MAX - 9, 10, 30, 50, 70]), even, "through the wrap");
    }

    #[test]
    fn lost_voice_leaves_sequence_numbers_out_and_what_was_overtaken_fills_them() {
        assert_eq!(run(&[0, 20, 80, 100]), [(0, 0, true), (1, 160, false), (4, 640, false), (5, 800, false)]);
        assert_eq!(
            run(&[0, 20, 80, 40, 60, 100]),
            [(0, 0, true), (1, 160, false), (4, 640, false), (2, 320, false), (3, 480, false), (5, 800, false)]
        );
    }

    #[test]
    fn a_clock_that_is_as_wrong_as_can_be_is_followed() {
        // 2³¹ timestamps before the second packet's place: the smallest number that there is.
        assert_eq!(run(&[0, 20 + (1 << 28), 40 + (1 << 28)]), [(0, 0, true), (1, 160, true), (2, 320, false)]);
    }

    #[test]
    fn a_pause_is_no_loss_and_a_clock_that_begins_again_is_followed() {
        assert_eq!(run(&[0, 20, 1_020, 1_040]), [(0, 0, true), (1, 160, false), (2, 8_160, true), (3, 8_320, false)]);
        assert_eq!(run(&[50_000, 50_020, 3, 23]), [(0, 0, true), (1, 160, false), (2, 320, true), (3, 480, false)]);
    }
}
