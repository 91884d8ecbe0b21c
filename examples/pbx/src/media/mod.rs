//! Media: each call is one task that owns its sockets, so that calls share no lock and no queue.
//!
//! Who may send is decided by [`rtp::relay::Relay`] for every call, also for those that only hear an echo or a tone.

mod call;
mod socket;
mod tone;

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

use rtp::{
    g711::Law,
    ports::Pair,
    relay::{Expected, Side},
};
use tokio::sync::{mpsc, watch};

use crate::status::Stream;

/// What is done with the media of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// The caller hears himself.
    Echo,
    /// The caller hears the milliwatt tone, once [`Order::Play`] told the codec.
    Tone,
    /// Both sides hear each other.
    Relay,
}

/// What a running call is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// How the tone is coded.
    Play {
        /// The law.
        law: Law,
        /// The payload type.
        payload_type: u8,
    },
    /// Whether silence of both sides means that they are gone: not while one of them holds.
    Watch(bool),
}

/// What a call's media tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Neither side has sent anything for the configured time.
    Silent {
        /// The call.
        call: u64,
    },
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
}

impl Totals {
    /// The counters and their names.
    #[must_use]
    pub fn list(&self) -> [(&'static str, u64); 6] {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("received", read(&self.received)),
            ("sent", read(&self.sent)),
            ("lost", read(&self.lost)),
            ("refused", read(&self.refused)),
            ("malformed", read(&self.malformed)),
            ("unsent", read(&self.unsent)),
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

/// The media of all calls.
#[derive(Debug)]
pub struct Media {
    address: IpAddr,
    timeout: Option<Duration>,
    events: mpsc::Sender<Event>,
    totals: Arc<Totals>,
    calls: HashMap<u64, Handle>,
}

#[derive(Debug)]
struct Handle {
    orders: mpsc::UnboundedSender<Order>,
    figures: watch::Receiver<Figures>,
}

impl Media {
    /// No calls yet; sockets will be bound to `address`.
    #[must_use]
    pub fn new(address: IpAddr, timeout: Option<Duration>, events: mpsc::Sender<Event>) -> Self {
        Self { address, timeout, events, totals: Arc::default(), calls: HashMap::new() }
    }

    /// Binds the sockets of a call and starts its task: one pair of ports for an echo or a tone, two for a relay.
    ///
    /// # Errors
    /// When a port is taken by another program; nothing is left behind.
    pub fn open(&mut self, call: u64, plan: Plan, pairs: &[Pair]) -> io::Result<()> {
        let legs = pairs.iter().map(|pair| socket::Leg::bind(self.address, *pair)).collect::<io::Result<Vec<_>>>()?;
        let (orders, inbox) = mpsc::unbounded_channel();
        let (publisher, figures) = watch::channel(Figures::default());
        let edges = call::Edges {
            call,
            inbox,
            publisher,
            events: self.events.clone(),
            totals: Arc::clone(&self.totals),
            timeout: self.timeout,
        };
        tokio::spawn(call::run(plan, legs, edges));
        self.calls.insert(call, Handle { orders, figures });
        Ok(())
    }

    /// Tells a call something. Calls that are gone do not hear it.
    pub fn order(&self, call: u64, order: Order) {
        if let Some(handle) = self.calls.get(&call) {
            // The task ends only when its handle is dropped.
            let _ = handle.orders.send(order);
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
}
