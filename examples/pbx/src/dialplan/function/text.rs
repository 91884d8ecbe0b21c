//! Functions of texts: `LEN`, `CUT`, `FIELDQTY`, `REGEX`, `TOUPPER` …

use crate::dialplan::{
    arguments::{leading_integer, split, split_at},
    expression::{self, REGEX},
    run::Run,
    substitute::{MAX_TEXT, Scope},
};

pub(super) fn length(_: &mut Run<'_>, arguments: &str) -> Option<String> {
    Some(arguments.chars().count().to_string())
}

pub(super) fn upper(_: &mut Run<'_>, arguments: &str) -> Option<String> {
    Some(arguments.to_ascii_uppercase())
}

pub(super) fn lower(_: &mut Run<'_>, arguments: &str) -> Option<String> {
    Some(arguments.to_ascii_lowercase())
}

/// `CUT(variable,delimiter,fields)`; fields are `2`, `1-3`, `-3`, `2-`, and several of these with `&` between them.
pub(super) fn cut(run: &mut Run<'_>, arguments: &str) -> Option<String> {
    let (value, delimiter, fields) = fields(run, arguments)?;
    let parts: Vec<&str> = value.split(delimiter).collect();
    let mut taken = Vec::new();
    for range in fields.split('&').map(str::trim) {
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from).unwrap_or(1), number(to).unwrap_or(parts.len())),
            None => (number(range)?, number(range)?),
        };
        let from = from.checked_sub(1)?;
        taken.extend(parts.iter().take(to).skip(from).copied());
        if taken.len() > parts.len() {
            break;
        }
    }
    Some(taken.join(&delimiter.to_string()))
}

/// `FIELDQTY(variable,delimiter)`.
pub(super) fn field_count(run: &mut Run<'_>, arguments: &str) -> Option<String> {
    let (value, delimiter, _) = fields(run, arguments)?;
    Some(if value.is_empty() { 0 } else { value.split(delimiter).count() }.to_string())
}

/// `FIELDNUM(variable,delimiter,value)`: the place of a field, 0 when it is not there.
pub(super) fn field_number(run: &mut Run<'_>, arguments: &str) -> Option<String> {
    let (value, delimiter, wanted) = fields(run, arguments)?;
    let place = value.split(delimiter).position(|field| field == wanted);
    Some(place.map_or(0, |place| place + 1).to_string())
}

/// The value of the variable that the first argument names, the delimiter, and the third argument.
fn fields(run: &mut Run<'_>, arguments: &str) -> Option<(String, char, String)> {
    let mut parts = split_at(arguments, ',', 3).into_iter();
    let name = parts.next()?;
    let delimiter = match parts.next().as_deref() {
        None | Some("") => '-',
        // The sign itself was a backslash's.
        Some("n") if arguments.contains("\\n") => '\n',
        Some("t") if arguments.contains("\\t") => '\t',
        Some(text) => text.chars().next()?,
    };
    let value = value(run, &name)?;
    Some((value, delimiter, parts.next().unwrap_or_default()))
}

/// The value of a variable or function that is named in arguments.
fn value(run: &mut Run<'_>, name: &str) -> Option<String> {
    match name.split_once('(') {
        Some((function, arguments)) => {
            let arguments = arguments.rsplit_once(')').map_or(arguments, |(arguments, _)| arguments);
            // Functions that name variables that name functions must not go on for ever.
            run.spend(1_000).then(|| run.function(function, arguments))?
        }
        None => run.variable(name),
    }
}

fn number(text: &str) -> Option<usize> {
    leading_integer(text).and_then(|(number, _)| usize::try_from(number).ok())
}

/// `FILTER(allowed characters,text)`, with ranges such as `0-9`.
pub(super) fn filter(_: &mut Run<'_>, arguments: &str) -> Option<String> {
    let (allowed, text) = arguments.split_once(',')?;
    let characters: Vec<char> = allowed.chars().collect();
    let mut ranges = Vec::new();
    let mut rest = characters.as_slice();
    loop {
        rest = match rest {
            [] => break,
            ['\\', escaped, rest @ ..] => {
                ranges.push(*escaped..=*escaped);
                rest
            }
            [from, '-', to, rest @ ..] => {
                ranges.push(*from..=*to);
                rest
            }
            [one, rest @ ..] => {
                ranges.push(*one..=*one);
                rest
            }
        };
    }
    Some(text.chars().filter(|character| ranges.iter().any(|range| range.contains(character))).collect())
}

/// `REGEX("expression" text)`: 1 when it matches anywhere.
pub(super) fn regex(run: &mut Run<'_>, arguments: &str) -> Option<String> {
    let (pattern, text) = arguments.trim_start().strip_prefix('"')?.split_once('"')?;
    let text = text.strip_prefix(' ').unwrap_or(text);
    if !run.spend(REGEX) {
        return None;
    }
    let found = expression::regex(pattern, false)?.is_match(text);
    Some(u8::from(found).to_string())
}

pub(super) fn quote(_: &mut Run<'_>, arguments: &str) -> Option<String> {
    Some(format!("\"{}\"", arguments.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// `REPLACE(variable,characters,with)`: each of the characters by the first of `with`, or by nothing.
pub(super) fn replace(run: &mut Run<'_>, arguments: &str) -> Option<String> {
    let parts = split(arguments);
    let value = value(run, parts.first()?)?;
    let characters = parts.get(1)?;
    let with = parts.get(2).and_then(|with| with.chars().next());
    let replaced = value.chars().filter_map(|character| match characters.contains(character) {
        true => with,
        false => Some(character),
    });
    Some(replaced.collect())
}

/// `STRREPLACE(variable,text,with)`.
pub(super) fn replace_text(run: &mut Run<'_>, arguments: &str) -> Option<String> {
    let parts = split(arguments);
    let value = value(run, parts.first()?)?;
    let text = parts.get(1).filter(|text| !text.is_empty())?;
    let with = parts.get(2).map_or("", String::as_str);
    let longest = value.len().saturating_add(value.matches(text.as_str()).count().saturating_mul(with.len()));
    (longest <= MAX_TEXT).then(|| value.replace(text.as_str(), with))
}
