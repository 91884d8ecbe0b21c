//! The dialplan: what is done with a call, written in Asterisk's `extensions.conf`.
//!
//! [`Dialplan`] is the file read; a [`Thread`] is where one channel is in it. A thread does no I/O: it says what is to be
//! done next as an [`Action`], and is told by an [`Outcome`] how that went.

mod action;
mod dial;
mod facts;
mod plan;
mod thread;
mod world;

pub use action::{Action, Dialled, End, Outcome};
pub use dial::{Dial, DialStatus, Gosub, IaxPeerRef, Target};
pub use facts::{CallerId, Facts};
pub use plan::{Dialplan, Match};
pub use thread::{NoExtension, Thread};
pub use world::World;
