//! `${FUNCTION(arguments)}`, and `Set(FUNCTION(arguments)=value)`: one kind a file.

mod caller;
mod channel;
mod logic;
mod random;
mod text;
mod time;
mod variable;

use super::run::Run;

/// What a function reads: `None` for nothing.
type Read = fn(&mut Run<'_>, &str) -> Option<String>;
/// What a function writes: arguments, value. False when there is no such thing to write.
type Write = fn(&mut Run<'_>, &str, &str) -> bool;

/// A function of the dialplan.
struct Function {
    name: &'static str,
    read: Option<Read>,
    write: Option<Write>,
}

const fn reads(name: &'static str, read: Read) -> Function {
    Function { name, read: Some(read), write: None }
}

const fn both(name: &'static str, read: Read, write: Write) -> Function {
    Function { name, read: Some(read), write: Some(write) }
}

const FUNCTIONS: [Function; 28] = [
    both("CALLERID", caller::read, caller::write),
    both("CHANNEL", channel::read, channel::write),
    reads("CUT", text::cut),
    reads("DIALPLAN_EXISTS", logic::dialplan_exists),
    reads("EVAL", variable::eval),
    reads("EXISTS", logic::exists),
    reads("FIELDNUM", text::field_number),
    reads("FIELDQTY", text::field_count),
    reads("FILTER", text::filter),
    both("GLOBAL", variable::global, variable::set_global),
    reads("IF", logic::if_),
    reads("IFTIME", time::if_time),
    reads("ISNULL", logic::is_null),
    reads("LEN", text::length),
    both("LOCAL", variable::local, variable::set_local),
    reads("MATH", random::math),
    reads("MAX", random::max),
    reads("MIN", random::min),
    reads("QUOTE", text::quote),
    reads("RAND", random::rand),
    reads("REGEX", text::regex),
    reads("REPLACE", text::replace),
    reads("SET", variable::set),
    reads("STRFTIME", time::format),
    reads("STRREPLACE", text::replace_text),
    both("TIMEOUT", time::timeout, time::set_timeout),
    reads("TOLOWER", text::lower),
    reads("TOUPPER", text::upper),
];

fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name.eq_ignore_ascii_case(name))
}

/// Whether there is such a function.
pub(crate) fn is_known(name: &str) -> bool {
    find(name).is_some()
}

/// Whether there is such a function that can be set.
pub(crate) fn is_writable(name: &str) -> bool {
    find(name).is_some_and(|function| function.write.is_some())
}

/// The names of all functions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

/// The value of a function.
pub(crate) fn read(run: &mut Run<'_>, name: &str, arguments: &str) -> Option<String> {
    match find(name).and_then(|function| function.read) {
        Some(read) => read(run, arguments),
        None => {
            tracing::warn!(function = name, "there is no such function");
            None
        }
    }
}

/// Sets a function.
pub(crate) fn write(run: &mut Run<'_>, name: &str, arguments: &str, value: &str) {
    let written = find(name).and_then(|function| function.write).is_some_and(|write| write(run, arguments, value));
    if !written {
        tracing::warn!(function = name, arguments, "cannot be set");
    }
}
