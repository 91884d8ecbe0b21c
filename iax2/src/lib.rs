//! IAX2 (RFC 5456) whole and alone.
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
