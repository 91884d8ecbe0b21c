//! Sequence numbers of one source: whether it is real, and how far it has come (RFC 3550 appendix A.1).

/// Packets in a row before a source is believed (RFC 3550 appendix A.1).
pub const MIN_SEQUENTIAL: u16 = 2;
/// A jump forward of this much is no longer loss (RFC 3550 appendix A.1).
pub const MAX_DROPOUT: u16 = 3_000;
/// A jump back of less than this is a packet out of order (RFC 3550 appendix A.1).
pub const MAX_MISORDER: u16 = 100;

/// What a packet's sequence number is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Validity {
    /// It belongs to the stream.
    Valid,
    /// It belongs to the stream, but is older than the newest, or the newest once more.
    Late,
    /// The source is still on probation.
    Probation,
    /// It jumped so far that it is not believed until the next one follows it.
    Jump,
    /// The second packet after a jump: the source began anew, and so did the counts.
    Restart,
}

/// The state of one source (`source` in appendix A.1).
#[derive(Debug, Clone)]
pub struct Sequence {
    newest: u16,
    cycles: u32,
    base: u32,
    /// The number that would confirm a jump; none when there was none.
    after_jump: Option<u16>,
    probation: u16,
    received: u64,
}

impl Sequence {
    /// A source that must send `probation` packets in a row, of which `first` is the first, before it is believed.
    ///
    /// The first packet itself is not counted yet: give it to [`update`](Self::update) too.
    pub const fn new(first: u16, probation: u16) -> Self {
        Self { newest: first.wrapping_sub(1), cycles: 0, base: first as u32, after_jump: None, probation, received: 0 }
    }

    /// Takes in the sequence number of a packet (`update_seq`).
    pub fn update(&mut self, sequence: u16) -> Validity {
        let ahead = sequence.wrapping_sub(self.newest);
        if self.probation > 0 {
            if ahead == 1 {
                self.probation -= 1;
                self.newest = sequence;
                if self.probation == 0 {
                    self.restart(sequence);
                    self.received = 1;
                    return Validity::Valid;
                }
            } else {
                self.probation = MIN_SEQUENTIAL - 1;
                self.newest = sequence;
            }
            return Validity::Probation;
        }
        let validity = if ahead == 0 || ahead > MAX_MISORDER.wrapping_neg() {
            // Twice, or out of order.
            Validity::Late
        } else if ahead < MAX_DROPOUT {
            if sequence < self.newest {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.newest = sequence;
            Validity::Valid
        } else if self.after_jump == Some(sequence) {
            // Two in a row: the other side restarted without telling us.
            self.restart(sequence);
            Validity::Restart
        } else {
            self.after_jump = Some(sequence.wrapping_add(1));
            return Validity::Jump;
        };
        self.received = self.received.saturating_add(1);
        validity
    }

    /// The newest number with the count of wraps above it (RFC 3550 §6.4.1, "extended highest sequence number received").
    pub const fn extended(&self) -> u32 {
        self.cycles.wrapping_add(self.newest as u32)
    }

    /// Packets that should have come since the source was believed.
    pub const fn expected(&self) -> u32 {
        if self.probation > 0 { 0 } else { self.extended().wrapping_sub(self.base).wrapping_add(1) }
    }

    /// Packets that came since the source was believed, those that came twice included.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Packets that did not come; negative when more came twice than were lost (RFC 3550 appendix A.3).
    pub const fn lost(&self) -> i64 {
        (self.expected() as i64).saturating_sub_unsigned(self.received)
    }

    /// `init_seq` of appendix A.1, but for the packet in hand.
    fn restart(&mut self, sequence: u16) {
        self.base = u32::from(sequence);
        self.newest = sequence;
        self.cycles = 0;
        self.after_jump = None;
        self.received = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn believed(first: u16) -> Sequence {
        let mut sequence = Sequence::new(first, 1);
        assert_eq!(sequence.update(first), Validity::Valid);
        sequence
    }

    #[test]
    fn a_source_is_believed_after_two_packets_in_a_row() {
        let mut sequence = Sequence::new(10, MIN_SEQUENTIAL);
        assert_eq!(sequence.update(10), Validity::Probation);
        assert_eq!(sequence.update(11), Validity::Valid);
        assert_eq!((sequence.received(), sequence.expected()), (1, 1));
    }

    #[test]
    fn a_gap_begins_the_probation_again() {
        let mut sequence = Sequence::new(10, MIN_SEQUENTIAL);
        for random in [10, 500, 3, 60_000] {
            assert_eq!(sequence.update(random), Validity::Probation);
        }
        assert_eq!(sequence.update(60_001), Validity::Valid);
    }

    #[test]
    fn lost_packets_are_expected_but_not_received() {
        let mut sequence = believed(0);
        for number in (1..100).filter(|number| number % 10 != 0) {
            sequence.update(number);
        }
        assert_eq!((sequence.expected(), sequence.received(), sequence.lost()), (100, 91, 9));
    }

    #[test]
    fn wrapping_counts_a_cycle() {
        let mut sequence = believed(65_534);
        for number in [65_535, 0, 1] {
            assert_eq!(sequence.update(number), Validity::Valid);
        }
        assert_eq!((sequence.extended(), sequence.expected(), sequence.lost()), (65_537, 4, 0));
    }

    #[test]
    fn packets_out_of_order_and_twice_are_late_and_make_loss_negative() {
        let mut sequence = believed(100);
        sequence.update(101);
        assert_eq!(sequence.update(101), Validity::Late);
        assert_eq!(sequence.update(100), Validity::Late);
        assert_eq!(sequence.extended(), 101);
        assert_eq!(sequence.lost(), -2);
    }

    #[test]
    fn an_old_packet_across_the_wrap_is_no_cycle() {
        let mut sequence = believed(65_535);
        sequence.update(0);
        assert_eq!(sequence.update(65_535), Validity::Late);
        assert_eq!(sequence.update(1), Validity::Valid);
        assert_eq!(sequence.extended(), 65_537);
    }

    #[test]
    fn one_wild_number_changes_nothing_and_two_in_a_row_restart() {
        let mut sequence = believed(1_000);
        assert_eq!(sequence.update(30_000), Validity::Jump);
        assert_eq!(sequence.update(1_001), Validity::Valid);
        assert_eq!(sequence.update(20_000), Validity::Jump);
        assert_eq!(sequence.update(20_001), Validity::Restart);
        assert_eq!((sequence.expected(), sequence.received()), (1, 1));
        assert_eq!(sequence.update(20_002), Validity::Valid);
    }
}
