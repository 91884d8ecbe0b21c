//! Reliable delivery of full frames (RFC 5456 §7, §7.2.1): sequence numbers, acknowledgement, retransmission.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use crate::frame::FullHeader;

/// When an unacknowledged frame is sent again: Asterisk's schedule.
///
/// The first wait is twice the round trip, each further one ten times longer up to [`longest`](Self::longest).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// Round trip that is assumed before one is measured (1 s).
    pub assumed_round_trip: Duration,
    /// Shortest wait (100 ms).
    pub shortest: Duration,
    /// Longest wait (10 s).
    pub longest: Duration,
    /// How often a frame is sent again before the call counts as lost (4).
    pub retransmissions: u8,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            assumed_round_trip: Duration::from_secs(1),
            shortest: Duration::from_millis(100),
            longest: Duration::from_secs(10),
            retransmissions: 4,
        }
    }
}

impl Schedule {
    fn first(&self, round_trip: Duration) -> Duration {
        (round_trip * 2).clamp(self.shortest.min(self.longest), self.longest)
    }

    /// Time after which a frame that nobody acknowledges is given up, when no round trip was measured.
    pub fn give_up(&self) -> Duration {
        let (mut wait, mut total) = (self.first(self.assumed_round_trip), Duration::ZERO);
        for _ in 0..=self.retransmissions {
            total += wait;
            wait = (wait * 10).min(self.longest);
        }
        total
    }
}

#[derive(Debug)]
struct Pending {
    sent: u8,
    wait: Duration,
    due: Instant,
    frame: Bytes,
}

/// What a full frame's sequence number says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is the next one.
    Next,
    /// It came before: acknowledge it again.
    Duplicate,
    /// Something before it is missing: VNAK.
    Early,
    /// It carries no sequence number of its own.
    Unsequenced,
}

/// No answer to a frame, however often it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

/// Both sequences of a call, and the frames that wait for an acknowledgement.
#[derive(Debug)]
pub(crate) struct Reliable {
    schedule: Schedule,
    round_trip: Duration,
    oseq: u8,
    iseq: u8,
    conveyed: u8,
    pending: VecDeque<Pending>,
    last_vnak: Option<Instant>,
}

impl Reliable {
    pub(crate) fn new(schedule: Schedule) -> Self {
        Self {
            schedule,
            round_trip: schedule.assumed_round_trip,
            oseq: 0,
            iseq: 0,
            conveyed: 0,
            pending: VecDeque::new(),
            last_vnak: None,
        }
    }

    /// Begins anew with both numbers at 0 (after a CALLTOKEN or a transfer).
    pub(crate) fn restart(&mut self) {
        *self = Self { round_trip: self.round_trip, ..Self::new(self.schedule) };
    }

    /// A sequence that begins with what the peer sent already.
    pub(crate) fn set_received(&mut self, iseq: u8) {
        self.iseq = iseq;
    }

    /// Our next number and the peer's.
    pub(crate) fn numbers(&self) -> (u8, u8) {
        (self.oseq, self.iseq)
    }

    /// Number of the frame that is expected next.
    pub(crate) fn expected(&self) -> u8 {
        self.iseq
    }

    /// Sequence numbers for the next frame; a sequenced one takes its number.
    pub(crate) fn number(&mut self, sequenced: bool) -> (u8, u8) {
        self.conveyed = self.iseq;
        let numbers = (self.oseq, self.iseq);
        if sequenced {
            self.oseq = self.oseq.wrapping_add(1);
        }
        numbers
    }

    /// Keeps a sequenced frame until it is acknowledged.
    pub(crate) fn keep(&mut self, now: Instant, frame: Bytes) {
        let wait = self.schedule.first(self.round_trip);
        self.pending.push_back(Pending { sent: 0, wait, due: now + wait, frame });
    }

    /// Frames that wait for an acknowledgement.
    pub(crate) fn outstanding(&self) -> usize {
        self.pending.len()
    }

    /// Forgets what waits: the call is over.
    pub(crate) fn abandon(&mut self) {
        self.pending = VecDeque::new();
    }

    /// Judges a full frame by its sequence number, after its acknowledgement was taken.
    pub(crate) fn receive(&mut self, header: &FullHeader) -> Arrival {
        if !header.kind.is_sequenced() {
            return Arrival::Unsequenced;
        }
        match header.oseq.wrapping_sub(self.iseq) {
            0 => {
                self.iseq = self.iseq.wrapping_add(1);
                Arrival::Next
            }
            1..=127 => Arrival::Early,
            _ => Arrival::Duplicate,
        }
    }

    /// Takes an acknowledgement of all frames before `iseq`; one of frames never sent is ignored.
    pub(crate) fn acknowledge(&mut self, iseq: u8) {
        // What waits is contiguous and ends before `oseq`: an older or an impossible number leaves more open than that.
        let open = usize::from(self.oseq.wrapping_sub(iseq));
        if open > self.pending.len() {
            return;
        }
        self.pending.drain(..self.pending.len() - open);
        if self.pending.is_empty() && self.pending.capacity() > 4 {
            self.pending = VecDeque::new();
        }
    }

    /// Whether the peer has not been told yet what we received.
    pub(crate) fn owes_acknowledgement(&self) -> bool {
        self.conveyed != self.iseq
    }

    /// Frames that a VNAK asks for again: all from `iseq` on. Two within ten milliseconds count as one.
    pub(crate) fn vnak(&mut self, now: Instant, mut send: impl FnMut(Bytes)) {
        if self.last_vnak.is_some_and(|last| now.saturating_duration_since(last) < Duration::from_millis(10)) {
            return;
        }
        self.last_vnak = Some(now);
        for pending in &self.pending {
            send(retransmission(&pending.frame));
        }
    }

    /// The round trip that a PONG showed.
    pub(crate) fn measured(&mut self, round_trip: Duration) {
        self.round_trip = round_trip;
    }

    /// What waits is sent again now: the peer may be there again.
    pub(crate) fn hurry(&mut self, now: Instant) {
        for pending in &mut self.pending {
            pending.due = pending.due.min(now);
        }
    }

    /// Sends again what is due.
    pub(crate) fn on_timeout(&mut self, now: Instant, mut send: impl FnMut(Bytes)) -> Result<(), Lost> {
        for pending in &mut self.pending {
            if pending.due > now {
                continue;
            }
            if pending.sent >= self.schedule.retransmissions {
                return Err(Lost);
            }
            pending.sent += 1;
            pending.wait = (pending.wait * 10).min(self.schedule.longest);
            pending.due = now + pending.wait;
            send(retransmission(&pending.frame));
        }
        Ok(())
    }

    /// When something is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.pending.iter().map(|pending| pending.due).min()
    }
}

/// The frame with its R bit set, which stands in the part that is never encrypted.
fn retransmission(frame: &Bytes) -> Bytes {
    let mut again = BytesMut::from(&frame[..]);
    if let Some(byte) = again.get_mut(2) {
        *byte |= 0x80;
    }
    again.freeze()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests begin somewhere")]
mod tests {
    use super::*;
    use crate::frame::{Command, Kind};

    fn header(oseq: u8, command: Command) -> FullHeader {
        FullHeader {
            source_call: 1,
            retransmission: false,
            destination_call: 2,
            timestamp: 0,
            oseq,
            iseq: 0,
            kind: Kind::Iax(command),
        }
    }

    #[test]
    fn a_frame_is_sent_again_after_2_10_10_and_10_seconds_and_then_lost() {
        let start = Instant::now();
        let mut reliable = Reliable::new(Schedule::default());
        reliable.number(true);
        reliable.keep(start, Bytes::from_static(&[0x80, 1, 0, 0]));
        let mut times = Vec::new();
        let lost = loop {
            let due = reliable.poll_timeout().unwrap();
            let mut sent = 0;
            if reliable
                .on_timeout(due, |frame| {
                    assert_eq!(frame[2], 0x80);
                    sent += 1
                })
                .is_err()
            {
                break due - start;
            }
            assert_eq!(sent, 1);
            times.push((due - start).as_secs());
        };
        assert_eq!(times, [2, 12, 22, 32]);
        assert_eq!(lost, Schedule::default().give_up());
    }

    #[test]
    fn an_acknowledgement_covers_all_before_it_through_the_wrap_of_the_number() {
        let now = Instant::now();
        let mut reliable = Reliable::new(Schedule::default());
        for n in 0..=300u16 {
            let (seq, _) = reliable.number(true);
            assert_eq!(seq, n as u8);
            reliable.keep(now, Bytes::new());
            if n % 3 == 2 {
                reliable.acknowledge((n as u8).wrapping_add(1));
                assert_eq!(reliable.outstanding(), 0);
                reliable.acknowledge((n as u8).wrapping_sub(5));
                assert_eq!(reliable.outstanding(), 0, "an old one changes nothing");
            }
        }
        assert_eq!(reliable.outstanding(), 1);
        reliable.acknowledge(77);
        assert_eq!(reliable.outstanding(), 1, "one of frames never sent changes nothing");
    }

    #[test]
    fn arrivals_are_told_apart() {
        let mut reliable = Reliable::new(Schedule::default());
        assert_eq!(reliable.receive(&header(0, Command::New)), Arrival::Next);
        assert_eq!(reliable.receive(&header(0, Command::New)), Arrival::Duplicate);
        assert_eq!(reliable.receive(&header(2, Command::Ping)), Arrival::Early);
        assert_eq!(reliable.receive(&header(9, Command::Ack)), Arrival::Unsequenced);
        assert_eq!(reliable.receive(&header(1, Command::Ping)), Arrival::Next);
        assert!(reliable.owes_acknowledgement());
        reliable.number(false);
        assert!(!reliable.owes_acknowledgement());
    }
}
