//! Media: each call is one task that owns its sockets, so that calls share no lock and no queue.
//!
//! A call has two sides, and a side has an [`End`]: ports of ours, or a trunk whose voice comes and goes by bounded
//! channels. What a side hears is its [`Source`] while it has one, else the other side while they are joined
//! ([`Order::Bridge`]). Two sides that share their [`Format`] hear each other's packets untouched; G.711 is translated between
//! its laws otherwise. Who may send is decided by [`rtp::relay::Relay`] for every side with ports, also when it only hears
//! an echo or a tone.

mod call;
mod keys;
mod melody;
mod outgoing;
mod path;
mod player;
mod side;
mod socket;
mod sound;
mod tone;
mod trunk;

pub use player::Source;
pub use sound::{Sound, SoundError, Sounds};

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rtp::{
    g711::Law,
    ports::Pair,
    relay::{Expected, Side},
};
use tokio::sync::{mpsc, watch};

use crate::status::Stream;

/// How a side's media comes and goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By RTP and RTCP over two ports of ours.
    Rtp(Pair),
    /// By the trunk of another program: what comes is given to [`Media::voice`], what goes is a [`Voice`].
    Trunk,
}

/// How voice is coded, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// G.711, which can be translated, played and made.
    G711(Law),
    /// Another: passed on as it is, to a side that has the same.
    Opaque,
}

/// What a side sends and understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// The codec.
    pub codec: Codec,
    /// Its payload type at this side; of no meaning at a trunk.
    pub payload_type: u8,
    /// The payload type of telephone events, if the side has them (RFC 4733).
    pub dtmf: Option<u8>,
}

impl Format {
    /// G.711 under its static payload type, without telephone events.
    #[must_use]
    pub const fn g711(law: Law) -> Self {
        Self { codec: Codec::G711(law), payload_type: law.payload_type(), dtmf: None }
    }
}

/// What a running call is told.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Order {
    /// What a side's SDP says.
    Expect {
        /// Whose.
        side: Side,
        /// Where it is.
        expected: Expected,
        /// Whether it will hear us.
        receives: bool,
    },
    /// How a side's voice is coded. Sides of which that was not told are relayed as they come.
    Format {
        /// Whose.
        side: Side,
        /// How.
        format: Format,
    },
    /// What a side hears instead of the other side; `None`: the other side again, if they are joined.
    /// [`Event::Played`] tells that a sound is over.
    Source {
        /// Who hears it.
        side: Side,
        /// What.
        source: Option<Source>,
    },
    /// Whether the sides hear each other.
    Bridge(bool),
    /// Press a key: as telephone events where the side has them, else as its two tones, where it has G.711.
    /// Nothing of it goes to a trunk: that has signalling of its own for it.
    Digit {
        /// Who hears it.
        side: Side,
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
        /// For how long.
        duration: Duration,
    },
    /// Whether silence of both sides means that they are gone: not while one of them holds.
    Watch(bool),
}

/// A part of a key press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    /// The key is down.
    Begin,
    /// It was down for so long.
    End(Duration),
}

/// What a call's media tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Neither side has sent anything for the configured time.
    Silent {
        /// The call.
        call: u64,
    },
    /// A side has heard its sound to the end, and hears silence since.
    Played {
        /// The call.
        call: u64,
        /// Who heard it.
        side: Side,
        /// `false`: there is no such sound, or it cannot be played to this side.
        complete: bool,
    },
    /// A side pressed a key (RFC 4733).
    Digit {
        /// The call.
        call: u64,
        /// Who.
        side: Side,
        /// Which.
        digit: char,
        /// Whether it begins or ends.
        press: Press,
        /// Whether the other side's RTP carries it already: then nobody need tell it.
        passed: bool,
    },
}

/// Voice for a side that is a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voice {
    /// The call.
    pub call: u64,
    /// The side.
    pub side: Side,
    /// Milliseconds since the first that went to this side.
    pub timestamp: u32,
    /// The voice, coded as the side's [`Format`] says.
    pub payload: Bytes,
}

/// What all calls together did since the start.
#[derive(Debug, Default)]
pub struct Totals {
    received: AtomicU64,
    sent: AtomicU64,
    lost: AtomicU64,
    refused: AtomicU64,
    malformed: AtomicU64,
    unsent: AtomicU64,
    overrun: AtomicU64,
}

impl Totals {
    /// The counters and their names.
    #[must_use]
    pub fn list(&self) -> [(&'static str, u64); 7] {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("received", read(&self.received)),
            ("sent", read(&self.sent)),
            ("lost", read(&self.lost)),
            ("refused", read(&self.refused)),
            ("malformed", read(&self.malformed)),
            ("unsent", read(&self.unsent)),
            ("overrun", read(&self.overrun)),
        ]
    }
}

/// What one call did: the caller's side, then the callee's.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// What came from the caller.
    pub caller: Stream,
    /// What came from the callee.
    pub callee: Stream,
}

/// Voice of a trunk that waits for a call's task; what is more is dropped and counted.
const TRUNK_QUEUE: usize = 64;

/// The media of all calls.
#[derive(Debug)]
pub struct Media {
    address: IpAddr,
    timeout: Option<Duration>,
    events: mpsc::Sender<Event>,
    voices: Option<mpsc::Sender<Voice>>,
    sounds: Arc<Sounds>,
    totals: Arc<Totals>,
    calls: HashMap<u64, Handle>,
}

#[derive(Debug)]
struct Handle {
    orders: mpsc::UnboundedSender<Message>,
    /// Where the voice of trunk sides is put: the caller's, the callee's.
    trunks: [mpsc::Sender<trunk::Arrival>; 2],
    figures: watch::Receiver<Figures>,
}

/// What goes to a call's task.
#[derive(Debug)]
enum Message {
    Order(Order),
    Attach(Side, side::Attached),
    Detach(Side),
}

impl Media {
    /// No calls yet; sockets will be bound to `address`.
    #[must_use]
    pub fn new(address: IpAddr, timeout: Option<Duration>, events: mpsc::Sender<Event>) -> Self {
        Self {
            address,
            timeout,
            events,
            voices: None,
            sounds: Arc::default(),
            totals: Arc::default(),
            calls: HashMap::new(),
        }
    }

    /// Also with trunks, whose voice goes there.
    #[must_use]
    pub fn with_voices(mut self, voices: mpsc::Sender<Voice>) -> Self {
        self.voices = Some(voices);
        self
    }

    /// Also with files to play.
    #[must_use]
    pub fn with_sounds(mut self, sounds: Sounds) -> Self {
        self.sounds = Arc::new(sounds);
        self
    }

    /// Starts the media of a call: `open` with one side or two, more by [`attach`](Self::attach). The sides hear nothing yet.
    ///
    /// # Errors
    /// When a port is taken by another program; nothing is left behind.
    pub fn start(&mut self, call: u64, ends: &[(Side, End)]) -> io::Result<()> {
        let ends = ends.iter().map(|(side, end)| Ok((*side, self.bind(*end)?))).collect::<io::Result<Vec<_>>>()?;
        let (orders, inbox) = mpsc::unbounded_channel();
        let (publisher, figures) = watch::channel(Figures::default());
        let (from_caller, caller) = mpsc::channel(TRUNK_QUEUE);
        let (from_callee, callee) = mpsc::channel(TRUNK_QUEUE);
        let edges = call::Edges {
            call,
            inbox,
            trunks: [caller, callee],
            publisher,
            events: self.events.clone(),
            voices: self.voices.clone(),
            sounds: Arc::clone(&self.sounds),
            totals: Arc::clone(&self.totals),
            timeout: self.timeout,
        };
        tokio::spawn(call::run(ends, edges));
        self.calls.insert(call, Handle { orders, trunks: [from_caller, from_callee], figures });
        Ok(())
    }

    /// Gives a side of a running call its end, or another one.
    ///
    /// # Errors
    /// When a port is taken by another program; the side is then as it was.
    pub fn attach(&mut self, call: u64, side: Side, end: End) -> io::Result<()> {
        let end = self.bind(end)?;
        self.send(call, Message::Attach(side, end));
        Ok(())
    }

    /// Takes a side's end away; its sockets close.
    pub fn detach(&mut self, call: u64, side: Side) {
        self.send(call, Message::Detach(side));
    }

    /// Tells a call something. Calls that are gone do not hear it.
    pub fn order(&self, call: u64, order: Order) {
        self.send(call, Message::Order(order));
    }

    /// Voice that a trunk brought for a side of a call. When the call's task is behind, it is dropped and counted.
    pub fn voice(&self, call: u64, side: Side, timestamp: u32, payload: Bytes) {
        let Some(handle) = self.calls.get(&call) else { return };
        let [caller, callee] = &handle.trunks;
        let queue = if side == Side::Caller { caller } else { callee };
        if queue.try_send(trunk::Arrival { timestamp, payload }).is_err() {
            self.totals.overrun.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ends a call's media; its task closes the sockets.
    pub fn close(&mut self, call: u64) {
        self.calls.remove(&call);
    }

    /// What a call did so far, at most a second old.
    #[must_use]
    pub fn figures(&self, call: u64) -> Option<Figures> {
        self.calls.get(&call).map(|handle| *handle.figures.borrow())
    }

    /// Calls that have media.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether no call has media.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// What all calls did.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The address that sockets are bound to, with a port.
    #[must_use]
    pub fn local(&self, pair: Pair) -> SocketAddr {
        SocketAddr::new(self.address, pair.rtp())
    }

    fn bind(&self, end: End) -> io::Result<side::Attached> {
        Ok(match end {
            End::Rtp(pair) => side::Attached::Rtp(socket::Leg::bind(self.address, pair)?),
            End::Trunk => side::Attached::Trunk,
        })
    }

    fn send(&self, call: u64, message: Message) {
        if let Some(handle) = self.calls.get(&call) {
            // The task ends only when its handle is dropped.
            let _ = handle.orders.send(message);
        }
    }
}
