//! A relay of one call's media between two sides, as a filter: it decides about packets, and others own the sockets.
//!
//! Each side has a pair of our ports; what comes in on one side's pair goes out from the other side's. A side's source is what
//! its SDP names, or, for a phone behind NAT, one source of the host that its signalling comes from, after a probation. The
//! source is locked with its SSRC and not learned again until the signalling names another address: others are neither
//! relayed nor sent to, however fast they spray. RTP/AVP only, without rtcp-mux: RTCP has ports of its own.

mod control;
mod counters;
mod lock;
mod output;
#[cfg(test)]
mod tests;

pub use counters::{Dropped, Snapshot};
pub use lock::Expected;

use crate::packet::{Packet, rewrite};
use crate::statistics::Reception;
use bytes::BytesMut;
use lock::{Admission, Lock, canonical};
use output::Output;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// One of the two sides of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one who called.
    Caller,
    /// The one who was called.
    Callee,
}

impl Side {
    /// The opposite side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// What to do with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Send it, as it now is, from the other side's port to this address.
    Forward(SocketAddr),
    /// Forget it.
    Drop(Reason),
}

/// Why a packet is not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It comes from a source that is not the side's.
    Stranger,
    /// Its source or its stream is not believed yet.
    Probation,
    /// The signalling has not told where the side is.
    Unexpected,
    /// It is not RTP or RTCP.
    Malformed,
    /// It is RTCP on the RTP port or the other way round: rtcp-mux is not offered.
    Misplaced,
    /// The other side has no address, or holds.
    Nowhere,
}

/// What happened in a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A side's source is known and locked.
    Locked {
        /// Whose.
        side: Side,
        /// Where its packets come from.
        source: SocketAddr,
        /// Whether it was learned, not named by the SDP.
        learned: bool,
    },
    /// The locked source began another stream.
    Changed {
        /// Whose.
        side: Side,
        /// The SSRC before.
        before: u32,
        /// The SSRC now.
        after: u32,
    },
    /// A side that should send has not sent for the configured time.
    Silent {
        /// Which.
        side: Side,
    },
    /// A silent side sends again.
    Heard {
        /// Which.
        side: Side,
    },
}

/// How a relay behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Packets in a row before a source is learned, or another stream of the locked source believed.
    pub probation: u16,
    /// How long a side may send nothing before [`Event::Silent`].
    pub silence: Duration,
    /// Timestamps a second of the codec in use.
    pub clock_rate: u32,
    /// Whether a change of the sender's stream is hidden from the receiver: same SSRC, numbers that go on.
    pub continuous: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { probation: 3, silence: Duration::from_secs(30), clock_rate: 8_000, continuous: true }
    }
}

/// Events that wait to be polled; more are dropped.
const EVENTS: usize = 32;

/// The relay of one call.
///
/// ```
/// use bytes::BytesMut;
/// use rtp::relay::{Config, Expected, Reason, Relay, Side, Verdict};
/// # let now = std::time::Instant::now();
///
/// let mut relay = Relay::new(now, Config::default());
/// let (alice, bob) = ("192.0.2.1:4000".parse()?, "192.0.2.2:5000".parse()?);
/// relay.expect(now, Side::Caller, Expected::new(alice));
/// relay.expect(now, Side::Callee, Expected::new(bob));
///
/// let mut packet = BytesMut::new();
/// rtp::Header::default().encode_packet(&[0xff; 160], 0, &mut packet);
/// assert_eq!(relay.forward(now, Side::Caller, alice, &mut packet), Verdict::Forward(bob));
///
/// let stranger = "198.51.100.9:4000".parse()?;
/// assert_eq!(relay.forward(now, Side::Caller, stranger, &mut packet), Verdict::Drop(Reason::Stranger));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Relay {
    config: Config,
    caller: Leg,
    callee: Leg,
    events: VecDeque<Event>,
}

/// One side: what comes from it and where what goes to it goes.
#[derive(Debug, Clone)]
struct Leg {
    lock: Lock,
    /// Where its SDP wants media; none while it holds.
    wants: Option<Expected>,
    control: Option<SocketAddr>,
    reception: Option<Reception>,
    output: Output,
    counters: Snapshot,
    /// Whether it should be sending.
    sends: bool,
    silent: bool,
    /// Since when silence is measured.
    heard: Instant,
}

impl Relay {
    /// A relay that expects nothing yet, and so forwards nothing.
    pub fn new(now: Instant, config: Config) -> Self {
        Self { config, caller: Leg::new(now, config), callee: Leg::new(now, config), events: VecDeque::new() }
    }

    /// Takes in where a side's SDP says it is: at the offer, the answer, and again at every re-INVITE.
    ///
    /// The same address keeps the lock; another one opens it for that address. An address that is nowhere (`0.0.0.0`, port 0)
    /// stops what is sent to the side and keeps the rest.
    pub fn expect(&mut self, now: Instant, side: Side, expected: Expected) {
        let leg = self.leg_mut(side);
        leg.wants = (!expected.is_nowhere()).then_some(expected);
        if leg.lock.expect(expected) {
            leg.control = None;
        }
        leg.heard = leg.heard.max(now);
        if let Some(reception) = &mut leg.reception {
            reception.pause();
        }
    }

    /// Whether the side should be sending, as the direction of its SDP says (`sendrecv`, `sendonly`): only then is silence told.
    /// A relay begins with both sides sending.
    pub fn set_sending(&mut self, now: Instant, side: Side, sending: bool) {
        let leg = self.leg_mut(side);
        leg.sends = sending;
        leg.heard = leg.heard.max(now);
        leg.silent = false;
    }

    /// Decides about an RTP packet that came in on `from`'s RTP port, and makes it fit to be sent on.
    pub fn forward(&mut self, now: Instant, from: Side, source: SocketAddr, packet: &mut BytesMut) -> Verdict {
        let verdict = self.decide(now, from, source, packet);
        if let Verdict::Drop(reason) = verdict {
            self.leg_mut(from).counters.dropped.count(reason);
        }
        verdict
    }

    /// Tells of sides that are silent for too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        for side in [Side::Caller, Side::Callee] {
            let due = self.leg(side).silence_at(self.config.silence).is_some_and(|at| at <= now);
            if due {
                self.leg_mut(side).silent = true;
                self.tell(Event::Silent { side });
            }
        }
    }

    /// What happened; drain until none.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        [&self.caller, &self.callee].into_iter().filter_map(|leg| leg.silence_at(self.config.silence)).min()
    }

    /// What is known of the stream that comes from a side.
    pub fn snapshot(&self, side: Side) -> Snapshot {
        let leg = self.leg(side);
        Snapshot { source: leg.lock.source(), ssrc: leg.lock.ssrc(), ..leg.counters }.measured(leg.reception.as_ref())
    }

    /// Where packets for a side go now: its locked source, or what its SDP names; none while it holds or is not known.
    pub fn destination(&self, side: Side) -> Option<SocketAddr> {
        self.leg(side).destination()
    }

    fn decide(&mut self, now: Instant, from: Side, source: SocketAddr, bytes: &mut BytesMut) -> Verdict {
        let source = canonical(source);
        let Config { clock_rate, continuous, .. } = self.config;
        let leg = self.leg_mut(from);
        match leg.lock.may_come_from(source) {
            Admission::Unexpected => return Verdict::Drop(Reason::Unexpected),
            Admission::Stranger => return Verdict::Drop(Reason::Stranger),
            Admission::Known | Admission::Probation | Admission::Locked { .. } | Admission::Changed { .. } => {}
        }
        if Packet::is_control(bytes) {
            return Verdict::Drop(Reason::Misplaced);
        }
        let Ok(packet) = Packet::parse(bytes) else { return Verdict::Drop(Reason::Malformed) };
        let (ssrc, sequence, timestamp) = (packet.ssrc(), packet.sequence(), packet.timestamp());
        let (payload_type, octets) = (packet.payload_type(), packet.payload().len() as u64);
        let event = match leg.lock.admit(source, ssrc, sequence) {
            Admission::Known => None,
            Admission::Locked { learned } => Some(Event::Locked { side: from, source, learned }),
            Admission::Changed { before } => Some(Event::Changed { side: from, before, after: ssrc }),
            Admission::Probation => return Verdict::Drop(Reason::Probation),
            Admission::Stranger => return Verdict::Drop(Reason::Stranger),
            Admission::Unexpected => return Verdict::Drop(Reason::Unexpected),
        };
        if event.is_some() {
            match &mut leg.reception {
                Some(reception) => reception.begin(sequence),
                None => leg.reception = Some(Reception::new(sequence, clock_rate)),
            }
            if continuous {
                leg.output.begin(now, clock_rate, ssrc, sequence, timestamp);
            }
        }
        if let Some(reception) = &mut leg.reception {
            reception.update(now, sequence, timestamp);
        }
        leg.counters.payload_type = Some(payload_type);
        leg.counters.last = Some(now);
        leg.heard = now;
        let was_silent = std::mem::replace(&mut leg.silent, false);
        let mapped = leg.output.map(now, ssrc, sequence, timestamp);
        if let Some(event) = event {
            self.tell(event);
        }
        if was_silent {
            self.tell(Event::Heard { side: from });
        }
        let Some(destination) = self.destination(from.other()) else { return Verdict::Drop(Reason::Nowhere) };
        if let Some((ssrc, sequence, timestamp)) = mapped {
            rewrite(bytes, sequence, timestamp, ssrc);
        }
        let counters = &mut self.leg_mut(from).counters;
        counters.packets = counters.packets.saturating_add(1);
        counters.octets = counters.octets.saturating_add(octets);
        Verdict::Forward(destination)
    }

    fn tell(&mut self, event: Event) {
        if self.events.len() < EVENTS {
            self.events.push_back(event);
        }
    }

    const fn leg(&self, side: Side) -> &Leg {
        match side {
            Side::Caller => &self.caller,
            Side::Callee => &self.callee,
        }
    }

    const fn leg_mut(&mut self, side: Side) -> &mut Leg {
        match side {
            Side::Caller => &mut self.caller,
            Side::Callee => &mut self.callee,
        }
    }
}

impl Leg {
    fn new(now: Instant, config: Config) -> Self {
        Self {
            lock: Lock::new(config.probation),
            wants: None,
            control: None,
            reception: None,
            output: Output::default(),
            counters: Snapshot::default(),
            sends: true,
            silent: false,
            heard: now,
        }
    }

    fn destination(&self) -> Option<SocketAddr> {
        let wants = self.wants?;
        Some(self.lock.source().unwrap_or(wants.media()))
    }

    /// When this side's silence must be told.
    fn silence_at(&self, silence: Duration) -> Option<Instant> {
        (self.sends && !self.silent && self.lock.expected().is_some()).then(|| self.heard + silence)
    }
}
