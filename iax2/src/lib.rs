//! IAX2 (RFC 5456) whole and alone.
#![warn(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

pub mod element;
mod error;
mod format;
pub mod frame;
mod uri;

pub use element::{Element, Elements, ElementsBuf};
pub use error::{ErrorKind, ParseError, Part};
pub use format::{Format, Formats, Preferences};
pub use frame::Frame;
pub use uri::{DEFAULT_PORT, Host, Uri};
