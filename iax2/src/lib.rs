//! IAX2 (RFC 5456), server, client and trunk, without I/O.
//!
//! An [`Endpoint`] is both sides of the protocol on one UDP socket: it calls and is called, registers and is registered
//! with, bundles voice into trunks, and defends itself with call tokens. It takes datagrams and the time and says what to
//! send and what happened; a driver owns socket and clock. There is one for tokio in the module `driver` (feature `tokio`, on
//! by default); the [`frame`]s and [`element`]s can be used alone.
//!
//! # A call between two endpoints
//!
//! ```
//! use std::net::SocketAddr;
//! use std::time::{Duration, Instant};
//! use iax2::element::Cause;
//! use iax2::{Config, Credentials, Endpoint, Event, Input, NewCall, Output, PeerConfig};
//!
//! let now = Instant::now();
//! let (phone_at, server_at): (SocketAddr, SocketAddr) = ("192.0.2.1:4569".parse()?, "192.0.2.2:4569".parse()?);
//! let mut phone = Endpoint::new(now, Config::default(), [1; 32]);
//! let mut server = Endpoint::new(now, Config::default(), [2; 32]);
//! let mut account = PeerConfig::new("server").at(server_at);
//! account.credentials = Credentials::new("alice", "correct horse");
//! phone.add_peer(now, account)?;
//! server.add_peer(now, PeerConfig::new("alice").with_secret("correct horse").dynamic())?;
//!
//! // A network without loss or delay: carries datagrams until there are none, and collects events.
//! fn carry(now: Instant, ends: [(&SocketAddr, &mut Endpoint); 2]) -> Vec<Event> {
//!     let [(a_at, a), (b_at, b)] = ends;
//!     let mut events = Vec::new();
//!     loop {
//!         let mut quiet = true;
//!         while let Some(output) = a.poll_output() {
//!             quiet = false;
//!             match output {
//!                 Output::Datagram { payload, .. } => b.handle_input(now, Input::Datagram { source: *a_at, payload }),
//!                 Output::Event(event) => events.push(event),
//!             }
//!         }
//!         while let Some(output) = b.poll_output() {
//!             quiet = false;
//!             match output {
//!                 Output::Datagram { payload, .. } => a.handle_input(now, Input::Datagram { source: *b_at, payload }),
//!                 Output::Event(event) => events.push(event),
//!             }
//!         }
//!         if quiet {
//!             return events;
//!         }
//!     }
//! }
//!
//! // The phone registers: token, challenge and answer go by themselves.
//! let registration = phone.register(now, "server", Duration::from_secs(60))?;
//! let events = carry(now, [(&phone_at, &mut phone), (&server_at, &mut server)]);
//! assert!(events.iter().any(|event| matches!(event, Event::Registered { .. })));
//! assert_eq!(server.peer_address("alice"), Some(phone_at));
//!
//! // It calls, the server answers, and both know that they talk.
//! let call = phone.dial(now, "server", &NewCall::to("600").from("7001"))?;
//! let events = carry(now, [(&phone_at, &mut phone), (&server_at, &mut server)]);
//! let incoming = events.iter().find_map(|event| match event {
//!     Event::Incoming { call, request, .. } if request.number() == "600" => Some(*call),
//!     _ => None,
//! });
//! server.answer(now, incoming.ok_or("no call")?)?;
//! let events = carry(now, [(&phone_at, &mut phone), (&server_at, &mut server)]);
//! assert!(events.contains(&Event::Answered(call)));
//! phone.send_voice(now, call, &[0xff; 160])?;
//! let events = carry(now, [(&phone_at, &mut phone), (&server_at, &mut server)]);
//! assert!(events.iter().any(|event| matches!(event, Event::Voice { payload, .. } if payload.len() == 160)));
//!
//! phone.hang_up(now, call, Cause::NORMAL, None)?;
//! phone.unregister(now, registration);
//! let events = carry(now, [(&phone_at, &mut phone), (&server_at, &mut server)]);
//! assert!(events.contains(&Event::Released(registration)));
//! assert_eq!(server.calls().count(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the encryption is worth
//!
//! Little. It is AES-128 in CBC mode with a fixed zero IV for each frame, random bytes in front instead of an IV, and no
//! integrity check whatever: whoever can change datagrams can change what they say without knowing the key. The first key is
//! MD5 of a challenge that went in clear and the shared secret, so a weak secret is guessed off line from one recorded
//! call; later keys travel under the ones before, so knowing one gives all that follow. NEW and AUTHREQ go in clear: who
//! calls whom is always visible. It keeps a casual listener out, and it is here because Asterisk speaks it. Where it matters, put
//! IAX2 into a VPN such as WireGuard. What this crate adds: an encrypted call never goes in clear over a trunk, voice in
//! clear is not taken for an encrypted call, and [`Encryption::Required`] refuses calls that would go in clear.
//!
//! # What protects a server
//!
//! Strangers first get a token ([`TokenMint`]: HMAC-SHA-256 over address, port and time under a key that rotates), which costs no
//! memory. Requests without one share a budget ([`Config::max_unvalidated`]); an address that never answered gets at most three
//! times the bytes that came from it, and no media until it named our call number. Unknown names are challenged and
//! refused as known ones with a wrong secret are, after the same work. Every table has a limit in [`Config`].
//!
//! # Standards
//!
//! | what | where | state |
//! |---|---|---|
//! | `iax:` URI | RFC 5456 §5 | done |
//! | registration, both roles | §6.1 | done |
//! | call legs, both roles | §6.2, §6.3 | done |
//! | flash, hold, quelch, transfer | §6.4 | done |
//! | call path optimization, media only too | §6.5 | done for two legs of one endpoint; encrypted calls are not transferred |
//! | network monitoring | §6.7 | done |
//! | digit dialing | §6.8 | done |
//! | MWI, UNSUPPORT, VNAK, INVAL | §6.9 | done |
//! | media messages | §6.10 | done; a jitter buffer is the program's |
//! | trunking, both formats | §7.1 | done |
//! | encryption | §7.4, §8.1.4 | done, AES-128; meta video frames have no encrypted form, encrypted video goes in full frames |
//! | all frames and elements | §8, RFC 5457 | done, and Asterisk's: CALLTOKEN, RTKEY, 64-bit formats, DTMF begin |
//! | plaintext passwords | §8.6.13 | off unless asked for |
//! | RSA | §8.6.16 | done; keys up to 1,528 bits, a limit of the element |
//! | firmware, provisioning, OSP | RFC 5457 | elements are read and kept, nothing is done about them |
//! | string preparation of UTF-8 | §8.6 | not done: names are compared byte by byte |
//!
//! # Not supported
//!
//! Version 1 of the protocol; codecs (the payload is passed on as it is); a dialplan; the Asterisk idiosyncrasy of voice in clear for
//! encrypted calls on trunks.
#![warn(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

mod auth;
mod call;
mod config;
mod crypto;
#[cfg(feature = "tokio")]
pub mod driver;
pub mod element;
mod endpoint;
mod error;
mod event;
mod flow;
mod format;
pub mod frame;
mod link;
mod media;
mod peer;
mod registrar;
mod registration;
mod reliable;
mod secret;
mod token;
mod trunk;
mod uri;

pub use auth::Credentials;
pub use call::{CommandError, NewCall};
pub use config::{Config, Encryption, Negotiation, Network, PeerAddress, PeerConfig, Qualify, TokenPolicy, TrunkMode};
pub use element::{Element, Elements, ElementsBuf};
pub use endpoint::{ConfigError, Counters, DialError, Endpoint, Snapshot};
pub use error::{ErrorKind, ParseError, Part};
pub use event::{
    CallId, DtmfPhase, Ended, Event, Input, Output, Reachability, RegistrationFailure, RegistrationId, Request,
};
pub use format::{Format, Formats, Preferences};
pub use frame::Frame;
pub use media::Report;
pub use reliable::Schedule;
pub use secret::{KeyError, PrivateKey, PublicKey, Secret};
pub use token::TokenMint;
pub use trunk::TrunkStatistics;
pub use uri::{DEFAULT_PORT, Host, Uri};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
