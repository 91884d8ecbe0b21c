//! All that is counted of one received stream.

use super::{Jitter, Sequence, Validity};
use std::time::{Duration, Instant};

/// The statistics of one stream as its receiver keeps them.
#[derive(Debug, Clone)]
pub struct Reception {
    sequence: Sequence,
    jitter: Jitter,
    timestamp: Option<u32>,
    expected_before: u32,
    received_before: u64,
    /// Of sources and restarts before this one.
    past_received: u64,
    past_expected: u64,
}

/// What a report block says of a stream (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Share lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost in all, clamped to 24 signed bits.
    pub lost: i32,
    /// Extended highest sequence number.
    pub highest: u32,
    /// Jitter in timestamp units.
    pub jitter: u32,
}

impl Reception {
    /// A stream whose source was already validated by other means, of which `first` is the first number; give that packet to
    /// [`update`](Self::update) too.
    pub const fn new(first: u16, rate: u32) -> Self {
        Self {
            sequence: Sequence::new(first, 1),
            jitter: Jitter::new(rate),
            timestamp: None,
            expected_before: 0,
            received_before: 0,
            past_received: 0,
            past_expected: 0,
        }
    }

    /// Takes in a packet.
    ///
    /// A packet that has the timestamp of the one before it is left out of the jitter: several packets of one instant (a
    /// telephone-event and its repetitions, RFC 4733 §2.5.1.2) are not sent when their timestamp says.
    pub fn update(&mut self, now: Instant, sequence: u16, timestamp: u32) -> Validity {
        let (expected, received) = (self.sequence.expected(), self.sequence.received());
        let validity = self.sequence.update(sequence);
        match validity {
            Validity::Restart => {
                self.past_expected = self.past_expected.saturating_add(u64::from(expected));
                self.past_received = self.past_received.saturating_add(received);
                (self.expected_before, self.received_before) = (0, 0);
                self.jitter.pause();
            }
            Validity::Jump => return validity,
            Validity::Valid | Validity::Late | Validity::Probation => {}
        }
        if self.timestamp != Some(timestamp) {
            self.jitter.update(now, timestamp);
        }
        self.timestamp = Some(timestamp);
        validity
    }

    /// Goes on counting with another source, whose first number is `first`.
    pub fn begin(&mut self, first: u16) {
        self.past_expected = self.past_expected.saturating_add(u64::from(self.sequence.expected()));
        self.past_received = self.past_received.saturating_add(self.sequence.received());
        self.sequence = Sequence::new(first, 1);
        (self.expected_before, self.received_before) = (0, 0);
        self.timestamp = None;
        self.jitter.pause();
    }

    /// A pause in the stream was announced: what comes next is not late.
    pub const fn pause(&mut self) {
        self.jitter.pause();
        self.timestamp = None;
    }

    /// The report block's numbers; begins a new interval for the fraction (RFC 3550 appendix A.3).
    pub fn report(&mut self) -> Report {
        let (expected, received) = (self.sequence.expected(), self.sequence.received());
        let expected_now = u64::from(expected.wrapping_sub(self.expected_before));
        let received_now = received.wrapping_sub(self.received_before);
        (self.expected_before, self.received_before) = (expected, received);
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction = (lost_now << 8).checked_div(expected_now).unwrap_or(0);
        Report {
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: i32::try_from(self.sequence.lost().clamp(-0x80_0000, 0x7f_ffff)).unwrap_or(0),
            highest: self.sequence.extended(),
            jitter: self.jitter.timestamp_units(),
        }
    }

    /// Packets that came, of all sources.
    pub const fn received(&self) -> u64 {
        self.past_received.saturating_add(self.sequence.received())
    }

    /// Packets that should have come, of all sources.
    pub fn expected(&self) -> u64 {
        self.past_expected.saturating_add(u64::from(self.sequence.expected()))
    }

    /// Packets lost, of all sources; zero when as many came twice.
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received())
    }

    /// The share lost, 0 to 1.
    pub fn loss(&self) -> f64 {
        match self.expected() {
            0 => 0.0,
            expected => self.lost() as f64 / expected as f64,
        }
    }

    /// The jitter as a time.
    pub fn jitter(&self) -> Duration {
        self.jitter.duration()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "a beginning for the virtual clock")]
        Instant::now()
    }

    fn feed(reception: &mut Reception, from: Instant, numbers: impl Iterator<Item = u16>) {
        for number in numbers {
            let at = from + Duration::from_millis(20 * u64::from(number));
            reception.update(at, number, u32::from(number) * 160);
        }
    }

    #[test]
    fn the_fraction_is_of_the_interval_and_the_loss_of_the_whole() {
        let (mut reception, start) = (Reception::new(0, 8_000), start());
        feed(&mut reception, start, (0..100).filter(|number| number % 4 != 1));
        let report = reception.report();
        assert_eq!((report.fraction_lost, report.lost, report.highest), (64, 25, 99));
        feed(&mut reception, start, 100..200);
        let report = reception.report();
        assert_eq!((report.fraction_lost, report.lost, report.highest), (0, 25, 199));
        assert_eq!(reception.loss(), 0.125);
    }

    #[test]
    fn a_report_of_more_packets_than_expected_has_no_fraction_and_negative_loss() {
        let (mut reception, start) = (Reception::new(0, 8_000), start());
        feed(&mut reception, start, (0..10).chain(0..10));
        let report = reception.report();
        assert_eq!((report.fraction_lost, report.lost), (0, -10));
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn packets_of_one_timestamp_do_not_count_as_jitter() {
        let (mut reception, start) = (Reception::new(0, 8_000), start());
        for number in 0..50u16 {
            reception.update(start + Duration::from_millis(20 * u64::from(number)), number, 1_000);
        }
        assert_eq!(reception.jitter(), Duration::ZERO);
    }

    #[test]
    fn another_source_goes_on_counting() {
        let (mut reception, start) = (Reception::new(0, 8_000), start());
        feed(&mut reception, start, 0..10);
        reception.begin(5_000);
        feed(&mut reception, start, (5_000..5_010).filter(|number| *number != 5_003));
        assert_eq!((reception.received(), reception.expected(), reception.lost()), (19, 20, 1));
        assert_eq!(reception.jitter(), Duration::ZERO);
    }

    #[test]
    fn a_restart_is_not_counted_as_loss() {
        let (mut reception, start) = (Reception::new(0, 8_000), start());
        feed(&mut reception, start, 0..10);
        feed(&mut reception, start, 40_000..40_010);
        // The first after the jump is not believed, and not counted.
        assert_eq!((reception.received(), reception.expected(), reception.lost()), (19, 19, 0));
    }

    #[test]
    fn nothing_received_is_no_loss() {
        let mut reception = Reception::new(0, 8_000);
        assert_eq!(reception.report().fraction_lost, 0);
        assert_eq!(reception.loss(), 0.0);
    }
}
