//! `${variables}`, `${FUNCTIONS(…)}` and `$[expressions]` in a text.

use super::{
    arguments::{leading_integer, shorten},
    expression,
};

/// The longest text that substitution makes, as in Asterisk.
pub(crate) const MAX_TEXT: usize = 8_191;
/// How deep `${…}` may stand in `${…}`.
const MAX_DEPTH: u32 = 20;

/// Where values come from.
pub(crate) trait Scope {
    /// The value of a variable.
    fn variable(&mut self, name: &str) -> Option<String>;
    /// The value of a function for arguments in which everything is replaced already.
    fn function(&mut self, name: &str, arguments: &str) -> Option<String>;
    /// Pays for work; false when nothing is left.
    fn spend(&mut self, work: u32) -> bool;
}

/// Replaces everything in a text.
pub(crate) fn substitute(text: &str, scope: &mut dyn Scope) -> String {
    substitute_in(text, scope, 0)
}

fn substitute_in(text: &str, scope: &mut dyn Scope, depth: u32) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while done.len() < MAX_TEXT {
        let Some((before, after)) = rest.split_once('$') else { break };
        done.push_str(before);
        let expression = match after.as_bytes().first() {
            Some(b'{') => false,
            Some(b'[') => true,
            _ => {
                done.push('$');
                rest = after;
                continue;
            }
        };
        let (inside, nested, after) = inside(after.get(1..).unwrap_or_default(), expression);
        rest = after;
        if depth >= MAX_DEPTH || !scope.spend(1) {
            continue;
        }
        let replaced;
        let inside = if nested {
            replaced = substitute_in(inside, scope, depth + 1);
            &replaced
        } else {
            inside
        };
        if expression {
            done.push_str(&expression::evaluate(inside, scope));
        } else {
            done.push_str(&value(inside, scope));
        }
    }
    if done.len() < MAX_TEXT {
        done.push_str(rest);
    }
    let end = shorten(&done, MAX_TEXT).len();
    done.truncate(end);
    done
}

/// What stands before the closing sign, whether there is something to be replaced in it, and what comes behind.
pub(crate) fn inside(text: &str, expression: bool) -> (&str, bool, &str) {
    let (open, close) = if expression { (b'[', b']') } else { (b'{', b'}') };
    let (mut depth, mut nested, mut dollar) = (1_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        nested |= dollar && matches!(byte, b'{' | b'[');
        dollar = byte == b'$';
        if byte == open {
            depth += 1;
        } else if byte == close {
            depth -= 1;
        }
        if depth == 0 {
            let (inside, rest) = text.split_at_checked(at).unwrap_or((text, ""));
            return (inside, nested, rest.get(1..).unwrap_or_default());
        }
    }
    (text, nested, "")
}

/// `${` and `$[` that are not closed: the sign that is missing. For messages about files.
pub(crate) fn unclosed(text: &str) -> Option<char> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('$') {
        rest = after;
        let expression = match after.as_bytes().first() {
            Some(b'{') => false,
            Some(b'[') => true,
            _ => continue,
        };
        let after = after.get(1..).unwrap_or_default();
        let (found, _, _) = inside(after, expression);
        if found.len() == after.len() {
            return Some(if expression { ']' } else { '}' });
        }
    }
    None
}

/// The value of `name`, `name:offset:length` or `FUNCTION(arguments):offset:length`.
fn value(text: &str, scope: &mut dyn Scope) -> String {
    let (name, range) = colon(text);
    let value = match name.split_once('(') {
        Some((function, arguments)) => {
            let arguments = arguments.rsplit_once(')').map_or(arguments, |(arguments, _)| arguments);
            scope.function(function.trim(), arguments)
        }
        None => scope.variable(name),
    };
    let value = value.unwrap_or_default();
    match range {
        Some(range) => part(&value, range),
        None => value,
    }
}

/// Splits at the first colon that stands in no parentheses.
fn colon(text: &str) -> (&str, Option<&str>) {
    let mut depth = 0_i32;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b':' if depth == 0 => return (text.get(..at).unwrap_or(text), text.get(at + 1..)),
            _ => {}
        }
    }
    (text, None)
}

/// `offset:length` of a value, in characters. Negative ones count from the end.
fn part(value: &str, range: &str) -> String {
    let (offset, rest) = leading_integer(range).unwrap_or((0, ""));
    let length = rest.strip_prefix(':').and_then(leading_integer).map(|(length, _)| length);
    let count = i64::try_from(value.chars().count()).unwrap_or(i64::MAX);
    let from = if offset < 0 { count.saturating_add(offset).max(0) } else { offset.min(count) };
    let to = match length {
        None => count,
        Some(length) if length < 0 => count.saturating_add(length),
        Some(length) => from.saturating_add(length).min(count),
    };
    let taken = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
    value.chars().skip(usize::try_from(from).unwrap_or(usize::MAX)).take(taken).collect()
}
