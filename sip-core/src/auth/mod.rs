//! Digest access authentication: challenges, credentials, and the arithmetic of both sides (RFC 7616, RFC 2617,
//! RFC 8760, RFC 3261 §22).
//!
//! A server makes a [`Challenge`] and checks the [`Credentials`] that come back with [`Credentials::verify`]; a client
//! picks a challenge with [`choose`] and answers it with [`Credentials::answer`]. What a nonce is, how long it lives and
//! whether it was used before are the server's policy and not decided here.
//!
//! ```
//! use bytes::Bytes;
//! use sip_core::Method;
//! use sip_core::auth::{self, Algorithm, Challenge, Credentials, Ha1};
//!
//! // A server offers two algorithms, the better one first.
//! let challenges = [
//!     Challenge::digest("example.org", "bm9uY2U", Algorithm::Sha256),
//!     Challenge::digest("example.org", "bm9uY2U", Algorithm::Md5),
//! ];
//!
//! // A client answers the best one it knows.
//! let best = auth::choose(&challenges).expect("one of them is known");
//! let credentials = Credentials::answer(
//!     best, "alice", "secret", &Method::Register, "sip:example.org", "0a4f113b", 1, b"",
//! )?;
//! assert_eq!(credentials.algorithm(), Some(Algorithm::Sha256));
//!
//! // The server, which need not know the password, checks it.
//! let stored = Ha1::new(Algorithm::Sha256, "alice", "example.org", "secret");
//! assert!(credentials.verify(&stored, &Method::Register, b""));
//! assert!(!credentials.verify(&stored, &Method::Invite, b""));
//! # Ok::<(), auth::AnswerError>(())
//! ```

mod algorithm;
mod challenge;
mod credentials;
mod ha1;
mod hash;
mod info;
mod param;
mod value;

pub use algorithm::{Algorithm, Qop};
pub use challenge::{Challenge, choose, choose_per_realm};
pub use credentials::{AnswerError, Credentials};
pub use ha1::Ha1;
pub use info::AuthInfo;
pub use param::{Param, ParamList};
