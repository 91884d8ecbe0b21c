//! `RAND`, and the arithmetic that is a function: `MATH`, `MIN`, `MAX`.

use rand_chacha::rand_core::RngCore;

use crate::dialplan::{
    arguments::{leading_integer, split},
    run::Run,
};

/// `RAND(least,most)`, both included.
pub(super) fn rand(run: &mut Run<'_>, arguments: &str) -> Option<String> {
    let bounds = split(arguments);
    let bound = |place: usize| bounds.get(place).and_then(|bound| leading_integer(bound)).map(|(bound, _)| bound);
    let limit = i64::from(i32::MAX);
    let (least, most) = (bound(0).unwrap_or(0).clamp(-limit, limit), bound(1).unwrap_or(limit).clamp(-limit, limit));
    let (least, most) = (least.min(most), least.max(most));
    let count = most.abs_diff(least).saturating_add(1);
    let drawn = run.world.dice.next_u64() % count;
    Some(least.saturating_add_unsigned(drawn).to_string())
}

fn pair(arguments: &str) -> Option<(f64, f64)> {
    let parts = split(arguments);
    Some((parts.first()?.trim().parse().ok()?, parts.get(1)?.trim().parse().ok()?))
}

pub(super) fn min(_: &mut Run<'_>, arguments: &str) -> Option<String> {
    pair(arguments).map(|(a, b)| a.min(b).to_string())
}

pub(super) fn max(_: &mut Run<'_>, arguments: &str) -> Option<String> {
    pair(arguments).map(|(a, b)| a.max(b).to_string())
}

/// `MATH(1+2,int)`: two numbers and a sign between them; the type is float unless it is said to be `int`.
pub(super) fn math(_: &mut Run<'_>, arguments: &str) -> Option<String> {
    let parts = split(arguments);
    let (text, kind) = (parts.first()?.trim(), parts.get(1).map_or("float", |kind| kind.trim()));
    // The first sign may belong to the number.
    let at = text.char_indices().skip(1).find(|(_, character)| "+-*/%<>=^A".contains(*character))?.0;
    let (left, rest) = text.split_at_checked(at)?;
    let signs = ["<=", ">=", "==", "+", "-", "*", "/", "%", "^", "<", ">"];
    let sign = signs.into_iter().find(|sign| rest.starts_with(sign))?;
    let left: f64 = left.trim().parse().ok()?;
    let right: f64 = rest.get(sign.len()..)?.trim().parse().ok()?;
    let truth = |value: bool| Some(if value { "TRUE" } else { "FALSE" }.to_owned());
    #[expect(clippy::float_cmp, reason = "that is what is asked")]
    let result = match sign {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" if right == 0.0 => return None,
        "/" => left / right,
        "%" if right == 0.0 => return None,
        "%" => left % right,
        "^" => left.powf(right),
        "<" => return truth(left < right),
        ">" => return truth(left > right),
        "<=" => return truth(left <= right),
        ">=" => return truth(left >= right),
        _ => return truth(left == right),
    };
    Some(if kind.starts_with('i') { format!("{:.0}", result.trunc()) } else { format!("{result:.6}") })
}
