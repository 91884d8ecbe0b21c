//! Timestamps of voice and video: which frame is sent in full, and what a short timestamp means (RFC 5456 §8.1.2).

use crate::Format;

/// What the sender of a stream remembers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sender {
    format: Option<Format>,
    /// The timestamp's high bits that the receiver knows.
    epoch: Option<u32>,
    next: u32,
}

impl Sender {
    /// Whether this frame must be a full one: the first, one of another format, and the first after the short
    /// timestamp, of so many bits, wrapped.
    pub(crate) fn needs_full(&self, timestamp: u32, format: Format, bits: u32) -> bool {
        self.format != Some(format) || self.epoch != Some(timestamp >> bits)
    }

    /// The frame was sent.
    pub(crate) fn sent(&mut self, timestamp: u32, format: Format, bits: u32, duration: u32) {
        self.format = Some(format);
        self.epoch = Some(timestamp >> bits);
        self.next = timestamp.wrapping_add(duration);
    }

    /// The timestamp of a frame sent now: it continues the one before unless there was a pause.
    pub(crate) fn predict(&self, elapsed: u32) -> u32 {
        const SLACK: u32 = 320;
        let ahead = self.next.wrapping_sub(elapsed).wrapping_add(SLACK);
        if self.format.is_some() && ahead < 2 * SLACK { self.next } else { elapsed }
    }

    /// The next frame is a full one (after a transfer, or when the peer says it missed it).
    pub(crate) fn forget(&mut self) {
        self.format = None;
    }
}

/// What the receiver of a stream remembers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Receiver {
    format: Option<Format>,
    last: u32,
    /// Difference between trunk timestamps and this call's, in trunks without timestamps of calls.
    trunk_offset: Option<u32>,
    arrived: u32,
    pub(crate) report: Report,
}

/// What a receiver reports in PONG (RFC 5456 §8.6.36 to §8.6.41).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Interarrival jitter in milliseconds (RFC 3550 §6.4.1).
    pub jitter: u32,
    /// Frames received.
    pub packets: u32,
    /// Frames missing between those received.
    pub lost: u32,
    /// Frames that came after a later one.
    pub out_of_order: u32,
    jitter16: u32,
    transit: u32,
}

impl Report {
    pub(crate) fn from_elements(elements: &crate::Elements<'_>) -> Self {
        use crate::Element;
        let mut report = Self::default();
        for element in elements {
            match element {
                Element::ReportJitter(jitter) => report.jitter = jitter,
                Element::ReportPackets(packets) => report.packets = packets,
                Element::ReportLoss(loss) => report.lost = loss.lost(),
                Element::ReportOutOfOrder(count) => report.out_of_order = count,
                _ => {}
            }
        }
        report
    }
}

impl Receiver {
    /// A full frame tells format and whole timestamp.
    pub(crate) fn full(&mut self, timestamp: u32, format: Format, arrived: u32) {
        self.format = Some(format);
        self.note(timestamp, arrived, None);
    }

    /// The format and whole timestamp of a frame with a short timestamp of so many bits; `None` before any full frame.
    pub(crate) fn short(&mut self, timestamp: u32, bits: u32, arrived: u32, payload: usize) -> Option<(Format, u32)> {
        let format = self.format?;
        let timestamp = self.extend(timestamp, bits);
        self.note(timestamp, arrived, format.duration(payload));
        Some((format, timestamp))
    }

    /// The whole timestamp nearest to the last one: the sender need not announce a wrap, and ours does not rely on it.
    fn extend(&self, short: u32, bits: u32) -> u32 {
        let (period, mask) = (1u32 << bits, (1u32 << bits) - 1);
        let candidate = (self.last & !mask) | (short & mask);
        let behind = self.last.wrapping_sub(candidate);
        if behind < 0x8000_0000 && behind > period / 2 {
            candidate.wrapping_add(period)
        } else if behind >= 0x8000_0000 && candidate.wrapping_sub(self.last) > period / 2 && self.last >= period {
            candidate.wrapping_sub(period)
        } else {
            candidate
        }
    }

    /// The timestamp of a trunk entry without one, from the trunk's.
    ///
    /// Both run in milliseconds from different beginnings. The difference is learnt once, in whole frames from the
    /// last full frame, and learnt again only when it is off by more than half a second.
    pub(crate) fn trunked(&mut self, trunk: u32, arrived: u32, payload: usize) -> Option<(Format, u32)> {
        const RELEARN: u32 = 500;
        let format = self.format?;
        let duration = format.duration(payload);
        let step = duration.filter(|step| *step > 0).unwrap_or(20);
        let since = arrived.wrapping_sub(self.arrived);
        // An entry waits for its trunk up to one whole interval: what is not a whole step is that.
        let steps = (since.saturating_sub(1) / step).max(1);
        let guess = self.last.wrapping_add(steps.wrapping_mul(step));
        let offset = match self.trunk_offset {
            Some(offset) if trunk.wrapping_add(offset).wrapping_sub(guess).wrapping_add(RELEARN) <= 2 * RELEARN => {
                offset
            }
            _ => guess.wrapping_sub(trunk),
        };
        self.trunk_offset = Some(offset);
        let timestamp = trunk.wrapping_add(offset);
        self.note(timestamp, arrived, duration);
        Some((format, timestamp))
    }

    fn note(&mut self, timestamp: u32, arrived: u32, duration: Option<u32>) {
        let report = &mut self.report;
        let transit = arrived.wrapping_sub(timestamp);
        if report.packets > 0 {
            let ahead = timestamp.wrapping_sub(self.last);
            if ahead >= 0x8000_0000 {
                report.out_of_order = report.out_of_order.saturating_add(1);
                report.lost = report.lost.saturating_sub(1);
            } else if let Some(step) = duration.filter(|step| *step > 0) {
                // A pause is not a loss.
                let missing = (ahead / step).saturating_sub(1);
                if missing < 50 {
                    report.lost = report.lost.saturating_add(missing);
                }
            }
            let difference = transit.wrapping_sub(report.transit);
            let difference = difference.min(difference.wrapping_neg());
            if difference < 10_000 {
                // J += (|D| - J) / 16, in sixteenths (RFC 3550 A.8).
                report.jitter16 = report.jitter16 + difference - ((report.jitter16 + 8) >> 4);
                report.jitter = report.jitter16 >> 4;
            }
        }
        report.packets = report.packets.saturating_add(1);
        report.transit = transit;
        if timestamp.wrapping_sub(self.last) < 0x8000_0000 {
            self.last = timestamp;
            self.arrived = arrived;
        }
    }

    /// Whether a short timestamp is within two seconds of the last one.
    pub(crate) fn is_near(&self, short: u16) -> bool {
        let difference = short.wrapping_sub((self.last & 0xffff) as u16);
        difference.min(difference.wrapping_neg()) < 2_000
    }

    /// The stream begins anew (after a transfer).
    pub(crate) fn forget(&mut self) {
        *self = Self { report: self.report, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_timestamp_is_extended_through_wraps_that_nobody_announced() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.short(20, 16, 0, 33), None, "voice before a full voice frame");
        receiver.full(60, Format::GSM, 0);
        let mut at = 60u32;
        for _ in 0..10_000 {
            at += 20;
            assert_eq!(receiver.short(at & 0xffff, 16, at, 33), Some((Format::GSM, at)));
        }
        assert_eq!(receiver.report.lost, 0);
        // One that is late across the wrap goes back to where it belongs.
        let late = (at & !0xffff) - 20;
        receiver.last = (at & !0xffff) + 20;
        assert_eq!(receiver.short(late & 0xffff, 16, at, 33).unwrap().1, late);
        assert_eq!(receiver.report.out_of_order, 1);
    }

    #[test]
    fn a_sender_sends_a_full_frame_first_on_a_new_format_and_at_each_wrap() {
        let mut sender = Sender::default();
        let mut full = Vec::new();
        for at in (0..140_000).step_by(20) {
            let format = if at < 100_000 { Format::ULAW } else { Format::ALAW };
            if sender.needs_full(at, format, 16) {
                full.push(at);
            }
            sender.sent(at, format, 16, 20);
        }
        assert_eq!(full, [0, 65_540, 100_000, 131_080]);
    }

    #[test]
    fn trunk_timestamps_become_the_calls_own_in_whole_frames() {
        let mut receiver = Receiver::default();
        receiver.full(1_000, Format::ULAW, 5_003);
        for n in 1..4_000u32 {
            let jitter = n * 7 % 9;
            let (_, timestamp) = receiver.trunked(777 + n * 20, 5_003 + n * 20 + jitter, 160).unwrap();
            assert_eq!(timestamp, 1_000 + n * 20);
        }
    }

    #[test]
    fn a_stream_continues_its_timestamps_and_follows_the_clock_after_a_pause() {
        let mut sender = Sender::default();
        assert_eq!(sender.predict(33), 33);
        sender.sent(33, Format::ULAW, 16, 20);
        assert_eq!(sender.predict(57), 53);
        assert_eq!(sender.predict(5_000), 5_000);
    }
}
