//! What a call, a registration and a poke have in common: numbers, address, reliability, encryption.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rand_chacha::ChaCha20Rng;

use crate::config::Config;
use crate::crypto::Ciphers;
use crate::element::{DateTime, ElementsBuf};
use crate::event::{Event, Output};
use crate::frame::{Command, Full, FullHeader, Kind, MAX_CALL_NUMBER};
use crate::reliable::{Arrival, Lost, Reliable, Schedule};

/// What every step is given: the time, randomness, the settings, and where output goes.
#[derive(Debug)]
pub(crate) struct Cx<'a> {
    pub(crate) now: Instant,
    pub(crate) rng: &'a mut ChaCha20Rng,
    pub(crate) out: &'a mut VecDeque<Output>,
    pub(crate) config: &'a Config,
    pub(crate) wall: Option<DateTime>,
}

impl Cx<'_> {
    pub(crate) fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }
}

/// One side of an exchange of full frames.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) local: u16,
    /// The peer's number; 0 while it is not known.
    pub(crate) remote: u16,
    pub(crate) address: SocketAddr,
    epoch: Instant,
    last_timestamp: u32,
    pub(crate) reliable: Reliable,
    pub(crate) ciphers: Option<Box<Ciphers>>,
    /// Timestamp of the frame that has to be acknowledged.
    owed: Option<u32>,
    /// The peer showed that it receives what we send, or it was we who called it.
    pub(crate) validated: bool,
    /// Bytes that may still be sent to a peer that is not validated.
    budget: usize,
    /// The frame that was last asked for again, and when.
    asked: Option<(u8, Instant)>,
}

impl Link {
    /// Our side of an exchange that we begin.
    pub(crate) fn outgoing(now: Instant, schedule: Schedule, local: u16, address: SocketAddr) -> Self {
        Self {
            local,
            remote: 0,
            address,
            epoch: now,
            last_timestamp: 0,
            reliable: Reliable::new(schedule),
            ciphers: None,
            owed: None,
            validated: true,
            budget: 0,
            asked: None,
        }
    }

    /// Our side of an exchange that `first`, a frame of `size` bytes, begins.
    ///
    /// `proven` says that a token showed the sender to receive at its address.
    pub(crate) fn incoming(
        now: Instant,
        schedule: Schedule,
        local: u16,
        address: SocketAddr,
        first: &FullHeader,
        size: usize,
        proven: bool,
    ) -> Self {
        let mut link = Self::outgoing(now, schedule, local, address);
        link.remote = first.source_call;
        link.validated = proven;
        link.budget = size.saturating_mul(3);
        link.reliable.set_received(first.oseq.wrapping_add(1));
        link.owed = Some(first.timestamp);
        link
    }

    /// Milliseconds since the exchange began.
    pub(crate) fn elapsed(&self, now: Instant) -> u32 {
        // It wraps after 49 days, as the header does.
        now.saturating_duration_since(self.epoch).as_millis() as u32
    }

    fn stamp(&mut self, now: Instant) -> u32 {
        let next = self.last_timestamp.wrapping_add(1);
        let elapsed = self.elapsed(now);
        // In order, also when two are sent in one millisecond and through the wrap.
        self.last_timestamp = if elapsed.wrapping_sub(next) < 0x8000_0000 { elapsed } else { next };
        self.last_timestamp
    }

    fn transmit(&mut self, cx: &mut Cx<'_>, payload: Bytes) {
        if !self.validated {
            match self.budget.checked_sub(payload.len()) {
                Some(rest) => self.budget = rest,
                // An address that never answered gets no more than three times what came from it.
                None => return,
            }
        }
        cx.out.push_back(Output::Datagram { destination: self.address, payload });
    }

    /// Sends a frame with the next timestamp; sequenced kinds are repeated until acknowledged.
    pub(crate) fn send(&mut self, cx: &mut Cx<'_>, kind: Kind, payload: &[u8]) -> u32 {
        let timestamp = self.stamp(cx.now);
        self.send_at(cx, timestamp, kind, payload);
        timestamp
    }

    /// Sends an IAX command with elements.
    pub(crate) fn command(&mut self, cx: &mut Cx<'_>, command: Command, elements: &ElementsBuf) {
        self.send(cx, Kind::Iax(command), elements.as_bytes());
    }

    /// Sends a frame with a timestamp of its own: an echo, or media.
    pub(crate) fn send_at(&mut self, cx: &mut Cx<'_>, timestamp: u32, kind: Kind, payload: &[u8]) {
        let sequenced = kind.is_sequenced();
        let (oseq, iseq) = self.reliable.number(sequenced);
        self.owed = None;
        let header = FullHeader {
            source_call: self.local,
            retransmission: false,
            destination_call: self.remote,
            timestamp,
            oseq,
            iseq,
            kind,
        };
        let mut frame = BytesMut::with_capacity(FullHeader::LEN + payload.len());
        Full { header, payload }.encode(&mut frame);
        let frame = match &self.ciphers {
            Some(ciphers) => ciphers.send.seal(&frame, 4, cx.rng),
            None => frame.freeze(),
        };
        if sequenced {
            self.reliable.keep(cx.now, frame.clone());
        }
        self.transmit(cx, frame);
    }

    /// Takes a frame's numbers. The caller looks at the contents of those that are [`Arrival::Next`] or unsequenced.
    pub(crate) fn receive(&mut self, cx: &mut Cx<'_>, header: &FullHeader, size: usize) -> Arrival {
        self.budget = self.budget.saturating_add(size.saturating_mul(3));
        if header.destination_call == self.local {
            self.validated = true;
        }
        if header.kind != Kind::Iax(Command::Inval) && header.destination_call != 0 {
            self.reliable.acknowledge(header.iseq);
        }
        let arrival = self.reliable.receive(header);
        match arrival {
            Arrival::Next => self.owed = Some(header.timestamp),
            Arrival::Duplicate => self.send_at(cx, header.timestamp, Kind::Iax(Command::Ack), &[]),
            Arrival::Early => {
                // Once for all frames that overtook the one that is missing; again when that was lost, too.
                let missing = self.reliable.expected();
                let recent = |at: Instant| cx.now.saturating_duration_since(at) < Duration::from_millis(100);
                if !self.asked.is_some_and(|(frame, at)| frame == missing && recent(at)) {
                    self.asked = Some((missing, cx.now));
                    self.send_at(cx, header.timestamp, Kind::Iax(Command::Vnak), &[]);
                }
            }
            Arrival::Unsequenced => {}
        }
        if header.kind == Kind::Iax(Command::Vnak) {
            let mut again = Vec::new();
            self.reliable.vnak(cx.now, |frame| again.push(frame));
            for frame in again {
                self.transmit(cx, frame);
            }
        }
        arrival
    }

    /// Acknowledges what was received unless something that was sent since did it (RFC 5456 §6.9.1).
    pub(crate) fn flush(&mut self, cx: &mut Cx<'_>) {
        if let Some(timestamp) = self.owed.take()
            && self.reliable.owes_acknowledgement()
            && self.remote != 0
        {
            self.send_at(cx, timestamp, Kind::Iax(Command::Ack), &[]);
        }
    }

    /// Repeats what is due.
    pub(crate) fn on_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Lost> {
        let mut again = Vec::new();
        let result = self.reliable.on_timeout(cx.now, |frame| again.push(frame));
        for frame in again {
            self.transmit(cx, frame);
        }
        result
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.reliable.poll_timeout()
    }

    /// Both sequences at 0 again and the peer's number unknown: the first frame is sent again with a token.
    pub(crate) fn restart(&mut self) {
        self.reliable.restart();
        self.remote = 0;
        self.owed = None;
    }

    /// Goes on with another peer (RFC 5456 §6.5.5): numbers begin anew.
    pub(crate) fn move_to(&mut self, address: SocketAddr, remote: u16) {
        self.reliable.restart();
        self.address = address;
        self.remote = remote & MAX_CALL_NUMBER;
        self.owed = None;
    }

    /// The round trip of a frame whose timestamp comes back.
    pub(crate) fn measure(&mut self, now: Instant, echoed: u32) -> Option<Duration> {
        let round_trip = self.elapsed(now).wrapping_sub(echoed);
        // The timestamp may run ahead of the clock by a few milliseconds when frames are sent in one.
        let round_trip = if round_trip > 0x8000_0000 { 0 } else { round_trip };
        (round_trip < 60_000).then(|| {
            let round_trip = Duration::from_millis(u64::from(round_trip));
            self.reliable.measured(round_trip);
            round_trip
        })
    }

    /// Opens a datagram of an encrypted exchange under the peer's key, or the one before its last rotation.
    pub(crate) fn open(&self, datagram: &Bytes, clear: usize, plausible: impl Fn(&[u8]) -> bool) -> Option<Bytes> {
        let Some(ciphers) = &self.ciphers else { return Some(datagram.clone()) };
        [Some(&ciphers.receive), ciphers.before.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|cipher| cipher.open(datagram, clear).ok())
            .find(|plain| plausible(plain))
    }
}

/// Whether a decrypted full frame makes sense: a known frame type, and numbers near the expected ones.
pub(crate) fn is_plausible(plain: &[u8], expected: u8) -> bool {
    match Full::parse(plain) {
        Ok(full) => {
            !matches!(full.header.kind, Kind::Other { .. } | Kind::Null(_))
                && full.header.oseq.wrapping_sub(expected).wrapping_add(64) < 128
        }
        Err(_) => false,
    }
}

impl Reliable {
    /// Whether a decrypted full frame could be one of this sequence.
    pub(crate) fn is_plausible(&self, plain: &[u8]) -> bool {
        is_plausible(plain, self.expected())
    }
}
