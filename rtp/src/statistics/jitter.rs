//! Interarrival jitter (RFC 3550 §6.4.1 and appendix A.8).

use std::time::{Duration, Instant};

/// The smoothed difference of transit times, in the stream's timestamp units.
///
/// ```text
/// D(i,j) = (Rj - Sj) - (Ri - Si)
/// J(i) = J(i-1) + (|D(i-1,i)| - J(i-1)) / 16
/// ```
#[derive(Debug, Clone)]
pub struct Jitter {
    rate: u32,
    origin: Option<Instant>,
    transit: u32,
    /// Sixteen times the jitter, as the appendix keeps it, so that rounding loses nothing.
    scaled: u32,
}

impl Jitter {
    /// No jitter yet, for timestamps that count at `rate` a second.
    pub const fn new(rate: u32) -> Self {
        Self { rate: if rate == 0 { 1 } else { rate }, origin: None, transit: 0, scaled: 0 }
    }

    /// Takes in a packet that arrived `now`.
    pub fn update(&mut self, now: Instant, timestamp: u32) {
        let first = self.origin.is_none();
        let origin = *self.origin.get_or_insert(now);
        let arrival = self.units(now.saturating_duration_since(origin));
        self.take(arrival, timestamp, !first);
    }

    /// Forgets the last packet, not the jitter: the next packet is not compared with it (a new source, a pause).
    pub const fn pause(&mut self) {
        self.origin = None;
        self.transit = 0;
    }

    /// The jitter in timestamp units, as a report block carries it.
    pub const fn timestamp_units(&self) -> u32 {
        self.scaled >> 4
    }

    /// The jitter as a time.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(u64::from(self.scaled) * 1_000_000_000 / 16 / u64::from(self.rate))
    }

    fn take(&mut self, arrival: u32, timestamp: u32, compare: bool) {
        let transit = arrival.wrapping_sub(timestamp);
        let difference = transit.wrapping_sub(self.transit).cast_signed().unsigned_abs();
        self.transit = transit;
        if compare {
            // A peer that jumps its timestamps must not overflow the sum.
            let difference = difference.min(1 << 26);
            self.scaled = self.scaled.saturating_add(difference).saturating_sub((self.scaled + 8) >> 4);
        }
    }

    /// Wraps as timestamps do.
    fn units(&self, time: Duration) -> u32 {
        let rate = u64::from(self.rate);
        let whole = time.as_secs().wrapping_mul(rate);
        let part = u64::from(time.subsec_nanos()) * rate / 1_000_000_000;
        (whole.wrapping_add(part) & u64::from(u32::MAX)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "a beginning for the virtual clock")]
        Instant::now()
    }

    #[test]
    fn packets_as_regular_as_their_timestamps_have_no_jitter() {
        let (mut jitter, start) = (Jitter::new(8_000), start());
        for packet in 0..100 {
            // Timestamps wrap on the way.
            jitter
                .update(start + Duration::from_millis(20 * packet), (u32::MAX - 800).wrapping_add(packet as u32 * 160));
        }
        assert_eq!(jitter.timestamp_units(), 0);
    }

    #[test]
    fn jitter_is_the_sum_of_the_appendix() {
        let (mut jitter, start) = (Jitter::new(8_000), start());
        // Every second packet is 5 ms late: |D| is 40 units each time; J goes to 40, but for the appendix's rounding.
        for packet in 0..500u64 {
            let late = (packet % 2) * 5;
            jitter.update(start + Duration::from_millis(20 * packet + late), packet as u32 * 160);
        }
        assert_eq!((jitter.scaled, jitter.timestamp_units()), (632, 39));
        assert_eq!(jitter.duration(), Duration::from_nanos(4_937_500));
        // The first steps, as integers: 16J goes 0, 40, 40 + 40 - 3.
        let mut jitter = Jitter::new(8_000);
        jitter.update(start, 0);
        jitter.update(start + Duration::from_millis(25), 160);
        assert_eq!(jitter.scaled, 40);
        jitter.update(start + Duration::from_millis(40), 320);
        assert_eq!(jitter.scaled, 77);
    }

    #[test]
    fn the_first_packet_is_compared_with_nothing() {
        let mut jitter = Jitter::new(8_000);
        jitter.update(start(), 0xdead_beef);
        assert_eq!(jitter.timestamp_units(), 0);
    }

    #[test]
    fn a_pause_is_no_jitter() {
        let (mut jitter, start) = (Jitter::new(8_000), start());
        jitter.update(start, 0);
        jitter.pause();
        jitter.update(start + Duration::from_secs(60), 160);
        assert_eq!(jitter.timestamp_units(), 0);
    }

    #[test]
    fn wild_timestamps_do_not_overflow() {
        let (mut jitter, start) = (Jitter::new(8_000), start());
        for packet in 0..10_000u32 {
            jitter.update(start + Duration::from_millis(u64::from(packet)), packet.wrapping_mul(0x9e37_79b9));
        }
        assert!(jitter.timestamp_units() <= 1 << 27);
    }
}
