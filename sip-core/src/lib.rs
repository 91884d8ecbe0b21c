#![doc = include_str!("../README.md")]
#![warn(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice
)]

pub mod auth;
pub mod body;
mod error;
pub mod framing;
pub mod header;
pub mod ident;
pub mod message;
mod scan;
pub mod sdp;
pub mod uri;
pub mod view;
pub mod write;

pub use error::{ErrorKind, ParseError, Part};
pub use message::{
    Answerable, Edit, Header, Headers, Limits, Mandatory, Message, Method, Request, RequestBuilder, Response,
    ResponseBuilder, StatusCode,
};
