//! The chosen pattern is the most specific one, whatever the patterns: against the rules written a second time, with sets as
//! plain strings of characters.

use std::cmp::Ordering;

use pbx::dialplan::Pattern;
use proptest::prelude::*;

use crate::stage::read;

/// A place of a pattern: its characters in order, or a wildcard.
#[derive(Debug, Clone, PartialEq)]
enum Place {
    Characters(String),
    OneOrMore,
    NoneOrMore,
}

fn places(pattern: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let mut rest = pattern.chars().skip(1).peekable();
    while let Some(character) = rest.next() {
        let mut characters: Vec<char> = match character {
            '.' => {
                places.push(Place::OneOrMore);
                break;
            }
            '!' => {
                places.push(Place::NoneOrMore);
                break;
            }
            'X' => ('0'..='9').collect(),
            'Z' => ('1'..='9').collect(),
            'N' => ('2'..='9').collect(),
            '[' => {
                let inside: Vec<char> = rest.by_ref().take_while(|&character| character != ']').collect();
                let mut all = Vec::new();
                let mut at = 0;
                while at < inside.len() {
                    if inside.get(at + 1) == Some(&'-') {
                        all.extend(inside[at]..=inside[at + 2]);
                        at += 3;
                    } else {
                        all.push(inside[at]);
                        at += 1;
                    }
                }
                all
            }
            other => vec![other],
        };
        characters.sort_unstable();
        characters.dedup();
        places.push(Place::Characters(characters.into_iter().collect()));
    }
    places
}

fn matches(places: &[Place], number: &str) -> bool {
    match places {
        [] => number.is_empty(),
        [Place::NoneOrMore, ..] => true,
        [Place::OneOrMore, ..] => !number.is_empty(),
        [Place::Characters(set), rest @ ..] => {
            number.chars().next().is_some_and(|first| set.contains(first) && matches(rest, &number[1..]))
        }
    }
}

/// The rules 3 to 6, and that the end of a pattern is the least specific.
fn compare(a: &[Place], b: &[Place]) -> Ordering {
    let rank = |place: Option<&Place>| match place {
        Some(Place::Characters(set)) => (0, set.len(), set.clone()),
        Some(Place::OneOrMore) => (1, 0, String::new()),
        Some(Place::NoneOrMore) => (2, 0, String::new()),
        None => (3, 0, String::new()),
    };
    for place in 0..a.len().max(b.len()) {
        let (left, right) = (rank(a.get(place)), rank(b.get(place)));
        // Equally many, beginning with the same character: the set with the lower characters.
        if left != right {
            return left.cmp(&right);
        }
    }
    Ordering::Equal
}

fn pattern() -> impl Strategy<Value = String> {
    let place = prop_oneof![
        4 => "[0-9*#]",
        3 => Just("X".to_owned()),
        1 => Just("Z".to_owned()),
        2 => Just("N".to_owned()),
        2 => prop::collection::vec(0_u8..=9, 1..5)
            .prop_map(|digits| format!("[{}]", digits.iter().map(u8::to_string).collect::<String>())),
        2 => (0_u8..=9, 0_u8..=9).prop_map(|(a, b)| format!("[{}-{}]", a.min(b), a.max(b))),
    ];
    (prop::collection::vec(place, 1..5), prop_oneof![3 => Just(""), 2 => Just("."), 1 => Just("!")])
        .prop_map(|(places, end)| format!("_{}{end}", places.concat()))
}

proptest! {
    #[test]
    fn the_chosen_pattern_is_the_most_specific_one(
        mut patterns in prop::collection::vec(pattern(), 1..12),
        number in "[0-9*#]{1,6}",
        caller in "[0-9]{0,3}",
    ) {
        patterns.dedup();
        let lines: String = patterns.iter().map(|pattern| format!("exten => {pattern},1,NoOp()\n")).collect();
        let (plan, _) = read(&format!("[c]\n{lines}"));
        let chosen = plan.find("c", &number, &caller).map(|found| found.extension.to_owned());
        let candidates: Vec<&String> = patterns.iter().filter(|pattern| matches(&places(pattern), &number)).collect();
        let Some(chosen) = chosen else {
            prop_assert!(candidates.is_empty(), "{number} matches {candidates:?}");
            return Ok(());
        };
        prop_assert!(matches(&places(&chosen), &number), "{chosen} does not match {number}");
        for candidate in candidates {
            let order = compare(&places(&chosen), &places(candidate));
            prop_assert!(order.is_le(), "{candidate} is more specific than {chosen} for {number}");
        }
    }

    #[test]
    fn the_order_of_patterns_is_an_order(a in pattern(), b in pattern(), c in pattern()) {
        let [a, b, c] = [a, b, c].map(|text| Pattern::parse(&text).unwrap());
        prop_assert_eq!(a.order(&a), Ordering::Equal);
        prop_assert_eq!(a.order(&b), b.order(&a).reverse());
        if a.order(&b).is_le() && b.order(&c).is_le() {
            prop_assert!(a.order(&c).is_le(), "{a:?} {b:?} {c:?}");
        }
    }

    #[test]
    fn anything_is_a_pattern_or_a_mistake(text in "\\PC{0,20}", number in "\\PC{0,20}") {
        if let Ok(pattern) = Pattern::parse(&text) {
            let _ = pattern.matches(&number);
            prop_assert_eq!(pattern.as_str(), text);
        }
    }
}
