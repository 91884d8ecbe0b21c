//! Who may send: the source of one side's packets, learned once.
//!
//! ```text
//!              expect()                 named source, or probation passed
//! Unexpected ------------>  Open  ------------------------------------------>  Locked
//!                            ^                                                   |
//!                            +---------------------------------------------------+
//!                                      expect() of another address
//! ```

use std::net::{IpAddr, SocketAddr};

/// Where one side said that it receives, and so should send from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    media: SocketAddr,
    control: SocketAddr,
    learn: Option<IpAddr>,
}

impl Expected {
    /// The address and port of the side's SDP. Only packets from exactly there are taken.
    ///
    /// RTCP is expected on the port above; see [`with_control`](Self::with_control).
    pub const fn new(media: SocketAddr) -> Self {
        let control = SocketAddr::new(media.ip(), media.port().saturating_add(1));
        Self { media, control, learn: None }
    }

    /// As [`new`](Self::new), and when the SDP names another host than the one that the signalling comes from (a phone behind
    /// NAT that tells its private address), the signalling's host may be learned.
    pub fn signalled(media: SocketAddr, signalling: IpAddr) -> Self {
        let expected = Self::new(media);
        if media.ip().to_canonical() == signalling.to_canonical() { expected } else { expected.learn_from(signalling) }
    }

    /// Also lets a source be learned, once, from any port of this host, after a probation.
    #[must_use]
    pub const fn learn_from(self, host: IpAddr) -> Self {
        Self { learn: Some(host), ..self }
    }

    /// The address of `a=rtcp` (RFC 3605).
    #[must_use]
    pub const fn with_control(self, control: SocketAddr) -> Self {
        Self { control, ..self }
    }

    /// Where media for the side goes until its source is known.
    pub const fn media(&self) -> SocketAddr {
        self.media
    }

    /// Where RTCP for the side goes until its source is known.
    pub const fn control(&self) -> SocketAddr {
        self.control
    }

    /// The host whose ports may be learned.
    pub const fn learned_host(&self) -> Option<IpAddr> {
        self.learn
    }

    /// Whether nothing can be sent there: `c=0.0.0.0`, the hold of RFC 2543, or port 0.
    pub fn is_nowhere(&self) -> bool {
        self.media.ip().is_unspecified() || self.media.port() == 0
    }
}

/// What a source's packet is to the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// From the source, of the pinned stream.
    Known,
    /// The first packet of a source or stream, which is now locked.
    Locked { learned: bool },
    /// The first packet of another stream of the same source, which is now pinned.
    Changed { before: u32 },
    /// Not yet believed.
    Probation,
    /// From elsewhere.
    Stranger,
    /// Nothing is expected yet.
    Unexpected,
}

/// The lock of one side.
#[derive(Debug, Clone)]
pub(super) struct Lock {
    expected: Option<Expected>,
    source: Option<SocketAddr>,
    ssrc: Option<u32>,
    /// The signalling just spoke: the next stream of the locked source needs no probation.
    open_ssrc: bool,
    candidates: [Option<Candidate>; CANDIDATES],
    age: u32,
    probation: u16,
}

/// Sources that are on probation at once.
const CANDIDATES: usize = 4;

#[derive(Debug, Clone, Copy)]
struct Candidate {
    source: SocketAddr,
    ssrc: u32,
    next: u16,
    seen: u16,
    age: u32,
}

impl Lock {
    pub(super) const fn new(probation: u16) -> Self {
        Self {
            expected: None,
            source: None,
            ssrc: None,
            open_ssrc: true,
            candidates: [None; CANDIDATES],
            age: 0,
            probation,
        }
    }

    /// Takes in what the signalling says; returns whether the source must be found anew.
    pub(super) fn expect(&mut self, expected: Expected) -> bool {
        self.open_ssrc = true;
        let same = self.expected.is_some_and(|before| before == expected);
        if same || expected.is_nowhere() && self.expected.is_some() {
            // The same phone at the same place, or one that holds: it keeps its lock. Where to send is the caller's matter.
            return false;
        }
        self.expected = Some(expected);
        self.candidates = [None; CANDIDATES];
        // The source that is locked already may be the one that is named now.
        if self.source.is_some_and(|source| source == canonical(expected.media)) {
            return false;
        }
        self.source = None;
        self.ssrc = None;
        true
    }

    /// Judges a source before its packet is read: the cheap half, for floods.
    pub(super) fn may_come_from(&self, source: SocketAddr) -> Admission {
        let Some(expected) = self.expected else { return Admission::Unexpected };
        match self.source {
            Some(locked) if locked == source => Admission::Known,
            Some(_) => Admission::Stranger,
            None if source == canonical(expected.media) => Admission::Known,
            None if expected.learn.is_some_and(|host| host.to_canonical() == source.ip()) => Admission::Probation,
            None => Admission::Stranger,
        }
    }

    /// Judges a packet of a source that [`may_come_from`](Self::may_come_from) let pass.
    pub(super) fn admit(&mut self, source: SocketAddr, ssrc: u32, sequence: u16) -> Admission {
        if self.source.is_some() {
            let pinned = self.ssrc;
            return match pinned {
                Some(pinned) if pinned == ssrc => {
                    self.open_ssrc = false;
                    Admission::Known
                }
                Some(before) if self.open_ssrc || self.probe(source, ssrc, sequence) => {
                    self.pin(source, ssrc);
                    Admission::Changed { before }
                }
                Some(_) => Admission::Probation,
                None => {
                    self.pin(source, ssrc);
                    Admission::Locked { learned: false }
                }
            };
        }
        if self.expected.is_some_and(|expected| source == canonical(expected.media)) {
            self.pin(source, ssrc);
            return Admission::Locked { learned: false };
        }
        if self.probe(source, ssrc, sequence) {
            self.pin(source, ssrc);
            return Admission::Locked { learned: true };
        }
        Admission::Probation
    }

    pub(super) const fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    pub(super) const fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }

    pub(super) const fn expected(&self) -> Option<Expected> {
        self.expected
    }

    fn pin(&mut self, source: SocketAddr, ssrc: u32) {
        self.source = Some(source);
        self.ssrc = Some(ssrc);
        self.open_ssrc = false;
        self.candidates = [None; CANDIDATES];
    }

    /// Whether a candidate has now sent enough packets in a row.
    fn probe(&mut self, source: SocketAddr, ssrc: u32, sequence: u16) -> bool {
        let next = sequence.wrapping_add(1);
        let known = self.candidates.iter_mut().flatten().find(|it| it.source == source && it.ssrc == ssrc);
        if let Some(candidate) = known {
            candidate.seen = if candidate.next == sequence { candidate.seen.saturating_add(1) } else { 1 };
            candidate.next = next;
            return candidate.seen >= self.probation;
        }
        if self.probation <= 1 {
            return true;
        }
        self.age = self.age.wrapping_add(1);
        // The one that has shown least makes room, the oldest of those: a spray of ports does not push a real stream out.
        let least = self.candidates.iter_mut().min_by_key(|slot| slot.map(|it| (it.seen, it.age)));
        if let Some(slot) = least {
            *slot = Some(Candidate { source, ssrc, next, seen: 1, age: self.age });
        }
        false
    }
}

/// The address without the IPv6 clothes of an IPv4 one, as a dual-stack socket shows it.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(_) => SocketAddr::new(address.ip().to_canonical(), address.port()),
    }
}
