//! Arguments between commas, with parentheses, brackets and quotes that keep commas together.

/// Splits arguments at commas. Quotes and backslashes are taken away, what they protect stays.
#[must_use]
pub(crate) fn split(text: &str) -> Vec<String> {
    split_at(text, ',', usize::MAX)
}

/// Splits at a sign into at most `most` parts, of which the last one keeps all further signs.
#[must_use]
pub(crate) fn split_at(text: &str, sign: char, most: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut round, mut square, mut quoted) = (0_usize, 0_usize, false);
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let count = parts.len();
        let Some(part) = parts.last_mut() else { break };
        match character {
            '"' => {
                quoted = !quoted;
                continue;
            }
            '\\' => {
                part.extend(rest.next());
                continue;
            }
            '(' => round += 1,
            ')' => round = round.saturating_sub(1),
            '[' => square += 1,
            ']' => square = square.saturating_sub(1),
            _ if character == sign && round == 0 && square == 0 && !quoted && count < most => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        part.push(character);
    }
    parts
}

/// Splits at the first sign that stands in no parentheses, braces, brackets or quotes; nothing is taken away.
#[must_use]
pub(crate) fn cut(text: &str, sign: char) -> (&str, Option<&str>) {
    let (mut depth, mut quoted) = (0_usize, false);
    for (at, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ if character == sign && depth == 0 && !quoted => {
                let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
                return (before, after.get(sign.len_utf8()..));
            }
            _ => {}
        }
    }
    (text, None)
}

/// `name(what is inside)`; nothing inside when there are no parentheses. `None` when `)` is missing.
#[must_use]
pub(crate) fn call(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    match text.split_once('(') {
        None => Some((text, "")),
        Some((name, inside)) => {
            let (inside, _) = inside.rsplit_once(')')?;
            Some((name.trim(), inside))
        }
    }
}

/// A condition as Asterisk sees it: a number that is not 0, or any text that does not begin with a number.
#[must_use]
pub(crate) fn is_true(condition: &str) -> bool {
    let condition = condition.trim_start();
    if condition.is_empty() {
        return false;
    }
    match leading_integer(condition) {
        Some((number, _)) => number != 0,
        None => true,
    }
}

/// The whole number that a text begins with, and what follows it.
#[must_use]
pub(crate) fn leading_integer(text: &str) -> Option<(i64, &str)> {
    let text = text.trim_start();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    let (number, rest) = text.split_at_checked(text.len() - unsigned.len() + digits)?;
    let huge = if number.starts_with('-') { i64::MIN } else { i64::MAX };
    Some((number.parse().unwrap_or(huge), rest))
}

/// The first characters of a text that fit into so many bytes.
#[must_use]
pub(crate) fn shorten(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_parentheses_brackets_and_quotes_do_not_split() {
        let cases: [(&str, &[&str]); 8] = [
            ("", &[""]),
            ("a,b", &["a", "b"]),
            ("SIP/1&SIP/2,30,rU(sub^a,b)", &["SIP/1&SIP/2", "30", "rU(sub^a,b)"]),
            ("a[1,2],\"x,y\",z", &["a[1,2]", "x,y", "z"]),
            (r"a\,b,c\\", &["a,b", r"c\"]),
            ("a,,b,", &["a", "", "b", ""]),
            (")a,b", &[")a", "b"]),
            ("ä,ö\\", &["ä", "ö"]),
        ];
        for (text, parts) in cases {
            assert_eq!(split(text), parts, "{text}");
        }
        assert_eq!(split_at("a,b,c", ',', 2), ["a", "b,c"]);
        assert_eq!(cut("${A:1}?x:y", '?'), ("${A:1}", Some("x:y")));
        assert_eq!(cut("$[${A} ? 1 :: 2]?x", '?'), ("$[${A} ? 1 :: 2]", Some("x")));
        assert_eq!(cut("abc", '?'), ("abc", None));
        assert_eq!(call("Dial(SIP/1(2),3)"), Some(("Dial", "SIP/1(2),3")));
        assert_eq!(call("Hangup"), Some(("Hangup", "")));
        assert_eq!(call("Dial(1"), None);
    }

    #[test]
    fn a_condition_is_a_number_other_than_zero_or_any_other_text() {
        for (condition, truth) in [
            ("", false),
            ("0", false),
            ("00", false),
            ("1", true),
            ("-1", true),
            ("x", true),
            ("0x", false),
            (" 2", true),
        ] {
            assert_eq!(is_true(condition), truth, "{condition:?}");
        }
    }
}
