//! A stateless proxy in front of a dispatcher's destinations (RFC 3261 §16.11).
//!
//! [`Proxy`] takes messages and says where they go, rewritten: it owns no socket, keeps no transaction and answers nothing twice.
//!
//! - A **request from outside** goes to the destination that the [`Dispatcher`] names. It never goes elsewhere, whatever its Route says.
//! - A **request from a destination** goes where its Route or Request-URI says, when that is an address, or down the flow that its cookie
//!   names. So does one within a dialog that comes from the called side.
//! - A **response** goes back by its Via, if the Via below ours is one that we put ours on: branches are keyed hashes of it.
//! - With [`Config::record_route`], requests that make a dialog get a Record-Route with a cookie: the destination, perhaps the
//!   caller's flow, under a keyed hash over both, the Call-ID and the caller's tag. The tag tells which way a request goes.
//!
//! The same request gets the same branch, through any proxy with the secret: so do its retransmissions, its CANCEL and the ACK to its refusal.
//! Half of the branch is a hash of what decides where a request goes; who sees his own again refuses the loop (RFC 5393 §4.2).
//!
//! ```
//! use std::time::Instant;
//! use sip_proxy::dispatcher::{self, Destination, Dispatcher, List, Secret, Set};
//! use sip_proxy::stateless::{Config, Flow, Listener, Proxy, Verdict};
//! use sip_transaction::Transport;
//!
//! let now = Instant::now();
//! let secret = Secret::from_seed([7; 32]);
//! let mut dispatcher = Dispatcher::new(now, dispatcher::Config::default(), secret.clone(), [8; 32]);
//! let server = Destination::new("a", Transport::Udp, "192.0.2.10:5060".parse().unwrap());
//! dispatcher.load(now, List::new(vec![Set::new("pbx", vec![server])]).unwrap());
//! let mut proxy = Proxy::new(Config::default(), &secret, dispatcher);
//! let listener = proxy.add_listener(Listener::new(Transport::Udp, "192.0.2.1:5060".parse().unwrap()));
//!
//! let request = b"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bK1\r\n\
//!     From: <sip:a@example.com>;tag=1\r\nTo: <sip:example.com>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
//! let mut out = Vec::new();
//! let flow = Flow { transport: Transport::Udp, listener, remote: "198.51.100.1:5060".parse().unwrap(), connection: None };
//! let Verdict::Send(hop) = proxy.handle_datagram(now, &flow, request, &mut out) else { panic!() };
//! assert_eq!(hop.remote, "192.0.2.10:5060".parse().unwrap());
//! assert!(out.starts_with(b"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"));
//! ```

mod branch;
mod config;
mod cookie;
mod counters;
mod patch;
mod place;
mod probe;
mod reply;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Instant;

use sip_core::view::{Host, Message};
use sip_core::{Answerable, ParseError};
use sip_transaction::Transport;

use crate::dispatcher::{Dispatcher, NodeId, Secret};

pub use config::{Config, Listener};
pub use cookie::{Cookie, CookieKey, Side};
pub use counters::{Class, Counters, Dropped, Label, Verb};

use branch::Branches;
use patch::Patch;

/// Where a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// How it came.
    pub transport: Transport,
    /// By which listener: the number that [`Proxy::add_listener`] gave.
    pub listener: u16,
    /// The other side.
    pub remote: SocketAddr,
    /// The connection, as the driver numbers them.
    pub connection: Option<u64>,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// How it travels.
    pub transport: Transport,
    /// The listener that it leaves by, or whose connections it uses.
    pub listener: u16,
    /// The other side. On a stream, a connection to it is used or opened.
    pub remote: SocketAddr,
    /// The connection that it goes down when that is still there.
    pub connection: Option<u64>,
    /// The destination, when it goes to one.
    pub node: Option<NodeId>,
    /// What it is, for statistics.
    pub label: Label,
}

/// What to do with a message that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send what was written there.
    Send(Hop),
    /// Nothing: it ends here.
    Drop(Dropped),
}

/// A stateless proxy. A machine without outputs of its own: each message has one verdict.
#[derive(Debug)]
pub struct Proxy {
    config: Config,
    dispatcher: Dispatcher,
    listeners: Vec<Listener>,
    branches: Branches,
    cookies: CookieKey,
    counters: Counters,
    /// Its memory is used again for each message.
    patch: Patch,
}

impl Proxy {
    /// A proxy without listeners.
    #[must_use]
    pub fn new(config: Config, secret: &Secret, dispatcher: Dispatcher) -> Self {
        Self {
            config,
            dispatcher,
            listeners: Vec::new(),
            branches: Branches::new(secret),
            cookies: CookieKey::new(secret),
            counters: Counters::default(),
            patch: Patch::default(),
        }
    }

    /// Adds a listener, and numbers it from 0 on.
    pub fn add_listener(&mut self, listener: Listener) -> u16 {
        self.listeners.push(listener);
        (self.listeners.len() - 1) as u16
    }

    /// Takes a datagram; what is to be sent is written at the end of `out`.
    #[inline]
    pub fn handle_datagram(&mut self, now: Instant, flow: &Flow, payload: &[u8], out: &mut Vec<u8>) -> Verdict {
        match Message::parse(payload, &self.config.limits) {
            Ok(message) => self.handle_message(now, flow, &message, out),
            Err(_) if payload.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) => self.drop(Dropped::KeepAlive),
            Err(error) => {
                let answerable = Answerable::read(payload, &self.config.limits);
                self.handle_bad(flow, &error, answerable.as_ref(), out)
            }
        }
    }

    /// Takes a message; what is to be sent is written at the end of `out`.
    #[inline]
    pub fn handle_message(&mut self, now: Instant, flow: &Flow, message: &Message<'_>, out: &mut Vec<u8>) -> Verdict {
        if message.is_request() {
            self.handle_request(now, flow, message, out)
        } else {
            self.handle_response(now, message, out)
        }
    }

    /// Takes bytes that are no message: answers 400 or what else they deserve, if they can be answered, at the end of `out`.
    pub fn handle_bad(
        &mut self,
        flow: &Flow,
        error: &ParseError,
        answerable: Option<&Answerable>,
        out: &mut Vec<u8>,
    ) -> Verdict {
        match answerable {
            Some(answerable) => self.refuse_bad(flow, error, answerable, out),
            None => self.drop(Dropped::Malformed),
        }
    }

    /// The dispatcher, for commands.
    pub const fn dispatcher_mut(&mut self) -> &mut Dispatcher {
        &mut self.dispatcher
    }

    /// The dispatcher, to look at.
    #[must_use]
    pub const fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn drop(&mut self, reason: Dropped) -> Verdict {
        self.counters.drop(reason);
        Verdict::Drop(reason)
    }

    /// Whether a place is one of ours, by the address that others know it by.
    fn is_ours(&self, host: &Host<'_>, port: Option<u16>, transport: Option<Transport>) -> bool {
        let asked = |transport: Transport| port.unwrap_or(transport.default_port());
        self.listeners.iter().any(|listener| {
            let own = listener.advertised.port.unwrap_or(listener.transport.default_port());
            own == asked(transport.unwrap_or(listener.transport)) && listener.is_host(host)
        }) || self
            .config
            .aliases
            .iter()
            .any(|alias| host.is(&alias.host) && alias.port.unwrap_or(5060) == port.unwrap_or(5060))
    }

    /// The listener that messages to an address leave by.
    fn listener_for(&self, transport: Transport, remote: SocketAddr) -> Option<u16> {
        let fits =
            |listener: &Listener| listener.transport == transport && listener.local.is_ipv4() == remote.is_ipv4();
        self.listeners.iter().position(fits).map(|number| number as u16)
    }
}
