//! The dialplan: what is done with a call, written in Asterisk's `extensions.conf`.
//!
//! [`Dialplan`] is the file read; a [`Thread`] is where one channel is in it. A thread does no I/O: it says what is to be
//! done next as an [`Action`], and is told by an [`Outcome`] how that went.

mod action;
mod arguments;
mod check;
mod dial;
mod expression;
mod facts;
mod function;
mod pattern;
mod plan;
mod read;
mod run;
mod show;
mod substitute;
mod thread;
mod times;
mod variables;
mod world;

pub use action::{Action, Dialled, End, Outcome};
pub(crate) use arguments::{call, cut, is_true, leading_integer, split};
pub(crate) use check::Check;
pub use dial::{Dial, DialStatus, Gosub, IaxPeerRef, Target};
pub use facts::{CallerId, Facts};
pub(crate) use function::{is_writable, write as set_function};
pub use pattern::{Pattern, PatternError};
pub use plan::{Dialplan, Match};
pub(crate) use run::{Pending, Run};
pub(crate) use substitute::Scope;
pub use thread::{NoExtension, Thread};
pub(crate) use times::Times;
pub(crate) use variables::Position;
pub use world::World;
