//! The dialplan: what is done with a call, written in Asterisk's `extensions.conf`.
//!
//! [`Dialplan`] is the file read; a [`Thread`] is where one channel is in it. A thread does no I/O: it says what is to be
//! done next as an [`Action`], and is told by an [`Outcome`] how that went. What all threads share, the clock among it, is a
//! [`World`].
//!
//! # What is understood
//!
//! | of `extensions.conf` | |
//! |---|---|
//! | `exten`, `same`, labels, `n`, `n+2`, `s`, `hint` | done; a hint is shown by `dialplan show` and nothing else |
//! | patterns `X Z N [..] . !`, `exten/caller` | done, in Asterisk's order |
//! | `include`, with times | done |
//! | `ignorepat` | kept, shown |
//! | `switch`, `lswitch`, `eswitch` | not; a warning |
//! | `[globals]`, `autofallthrough` | done |
//! | special extensions `s i t h e` | done |
//! | special extensions `o a T fax` | loaded and shown; only a jump or a number that is dialled gets there, with a warning when no step names them: VoiceMail and Directory, from which callers leave for `o` and `a`, are not here |
//! | `${…}`, substrings, `$[…]` | done |
//! | functions | CALLERID, CHANNEL, CUT, DIALPLAN_EXISTS, EVAL, EXISTS, FIELDNUM, FIELDQTY, FILTER, GLOBAL, IF, IFTIME, ISNULL, LEN, LOCAL, MATH, MAX, MIN, QUOTE, RAND, REGEX, REPLACE, SET, STRFTIME, STRREPLACE, TIMEOUT (digit, response), TOLOWER, TOUPPER |
//! | applications | [`crate::application::names`] |
//!
//! # Where it differs from Asterisk, on purpose
//!
//! - A number with signs that mean something to Dial is nobody's: see [`Thread::start`].
//! - A host that no account or peer names is dialled only when it stands as it is in the step that dials, or in
//!   `[globals]`; what variables and callers make of it is `CHANUNAVAIL`.
//! - What Asterisk passes over with a warning in its log when the call is there (an unknown application, a bracket that is
//!   not closed) is an error of the file.
//! - Lengths and substrings count characters, not bytes. Regular expressions match in time proportional to the text; of
//!   alternatives the first one that matches is taken, not the longest.
//! - Loops end: after ten thousand steps without waiting, or a thousand actions in one second, the thread does.
//! - `! text` is 0, as the documentation says.

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
mod special;
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
pub(crate) use substitute::{Scope, substitute};
pub use thread::{NoExtension, Thread};
pub(crate) use times::Times;
pub(crate) use variables::Position;
pub use world::World;
