//! Extensions as they are written: `1001`, or a pattern such as `_1NXX.`.
//!
//! The rules are Asterisk's. A dash is nothing, but for a range in brackets. Extensions that are no patterns come first, in
//! ASCII order. Patterns are compared place by place: the one with fewer possible characters comes first, equally many are
//! compared by the characters, `.` comes after all sets, `!` after that, and the end of a pattern last.

use std::cmp::Ordering;

/// An extension, or the caller that an extension is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Without dashes.
    Literal(String),
    Pattern(Vec<Element>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Element {
    /// One character of these.
    Set(Box<Set>),
    /// `.`: one or more of anything.
    Some,
    /// `!`: anything or nothing, and no need to wait for more.
    Any,
}

/// Characters, each a bit; a lower one in a higher place, so that sets compare as their characters do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set([u8; 32]);

impl Set {
    fn range(from: u8, to: u8) -> Self {
        let mut set = Self([0; 32]);
        set.add(from, to);
        set
    }

    fn add(&mut self, from: u8, to: u8) {
        for character in from..=to {
            if let Some(byte) = self.0.get_mut(usize::from(character / 8)) {
                *byte |= 0x80 >> (character % 8);
            }
        }
    }

    fn contains(&self, character: u8) -> bool {
        self.0.get(usize::from(character / 8)).is_some_and(|byte| byte & (0x80 >> (character % 8)) != 0)
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|byte| byte.count_ones()).sum()
    }

    fn first(&self) -> u32 {
        let mut zeros = 0;
        for byte in self.0 {
            zeros += byte.leading_zeros();
            if byte != 0 {
                break;
            }
        }
        zeros
    }
}

/// Whether more digits can lead to an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum More {
    /// None that could follow would match.
    No,
    /// More digits may match.
    Yes,
    /// It matches already and says that nothing is to be waited for.
    Never,
}

/// Why a pattern cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Nothing at all.
    #[error("expected a number or a pattern")]
    Empty,
    /// `_` alone.
    #[error("expected a pattern after `_`")]
    EmptyPattern,
    /// `[123`.
    #[error("expected `]` at the end of the characters in brackets")]
    Unclosed,
    /// `[]`.
    #[error("expected characters between `[` and `]`")]
    EmptySet,
    /// `[9-1]`.
    #[error("a range in brackets runs backwards: expected the lower character first")]
    Backwards,
    /// `_1.5`.
    #[error("expected nothing after `.` or `!`, which end a pattern; as an ordinary character write [.] or [!]")]
    AfterWildcard,
}

impl Pattern {
    /// Reads an extension; one that begins with `_` is a pattern.
    ///
    /// # Errors
    /// When the pattern is malformed.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let kind = match text.strip_prefix('_') {
            None if text.is_empty() => return Err(PatternError::Empty),
            None => Kind::Literal(text.replace('-', "")),
            Some(pattern) => {
                let elements = elements(pattern)?;
                if elements.is_empty() {
                    return Err(PatternError::EmptyPattern);
                }
                Kind::Pattern(elements)
            }
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    /// The caller behind `exten/`; none at all is a pattern that matches callers without a number.
    pub(crate) fn caller(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Ok(Self { text: String::new(), kind: Kind::Literal(String::new()) });
        }
        Self::parse(text)
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it begins with `_`.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        matches!(self.kind, Kind::Pattern(_))
    }

    /// Whether it is `_.` or `_!`, which also match the special extensions.
    #[must_use]
    pub fn matches_all(&self) -> bool {
        matches!(&self.kind, Kind::Pattern(elements) if matches!(elements.first(), Some(Element::Some | Element::Any)))
    }

    /// The number without dashes, of an extension that is no pattern.
    pub(crate) fn literal(&self) -> Option<&str> {
        match &self.kind {
            Kind::Literal(number) => Some(number),
            Kind::Pattern(_) => None,
        }
    }

    /// Whether a number is meant.
    #[must_use]
    pub fn matches(&self, number: &str) -> bool {
        let mut digits = number.bytes().filter(|&byte| byte != b'-');
        let elements = match &self.kind {
            Kind::Literal(literal) => return digits.eq(literal.bytes()),
            Kind::Pattern(elements) => elements,
        };
        for element in elements {
            match element {
                Element::Any => return true,
                Element::Some => return digits.next().is_some(),
                Element::Set(set) => {
                    if !digits.next().is_some_and(|digit| set.contains(digit)) {
                        return false;
                    }
                }
            }
        }
        digits.next().is_none()
    }

    /// Whether a number that begins with these digits and is longer can be meant.
    pub(crate) fn more(&self, digits: &str) -> More {
        let mut digits = digits.bytes().filter(|&byte| byte != b'-');
        let elements = match &self.kind {
            Kind::Literal(literal) => {
                let mut literal = literal.bytes();
                let same = digits.all(|digit| literal.next() == Some(digit));
                return if same && literal.next().is_some() { More::Yes } else { More::No };
            }
            Kind::Pattern(elements) => elements,
        };
        for element in elements {
            match (element, digits.next()) {
                (Element::Any, _) => return More::Never,
                (Element::Some, _) | (Element::Set(_), None) => return More::Yes,
                (Element::Set(set), Some(digit)) if !set.contains(digit) => return More::No,
                (Element::Set(_), Some(_)) => {}
            }
        }
        More::No
    }

    /// What is asked first, as the head of this module tells.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        match (&self.kind, &other.kind) {
            (Kind::Literal(a), Kind::Literal(b)) => a.cmp(b),
            (Kind::Literal(_), Kind::Pattern(_)) => Ordering::Less,
            (Kind::Pattern(_), Kind::Literal(_)) => Ordering::Greater,
            (Kind::Pattern(a), Kind::Pattern(b)) => {
                let mut places = 0..a.len().max(b.len());
                let unequal = places.find_map(|place| {
                    let order = rank(a.get(place)).cmp(&rank(b.get(place)));
                    order.is_ne().then_some(order)
                });
                unequal.unwrap_or(Ordering::Equal)
            }
        }
    }
}

/// How specific a place of a pattern is: how many characters, which is the first, then the set itself, lower characters first.
fn rank(element: Option<&Element>) -> (u32, u32, std::cmp::Reverse<[u8; 32]>) {
    let wild = std::cmp::Reverse([0; 32]);
    match element {
        Some(Element::Set(set)) => (set.count(), set.first(), std::cmp::Reverse(set.0)),
        Some(Element::Some) => (1_000, 0, wild),
        Some(Element::Any) => (2_000, 0, wild),
        None => (3_000, 0, wild),
    }
}

fn elements(pattern: &str) -> Result<Vec<Element>, PatternError> {
    let mut elements = Vec::new();
    let mut rest = pattern.as_bytes();
    while let [first, after @ ..] = rest {
        if matches!(elements.last(), Some(Element::Some | Element::Any)) {
            return Err(PatternError::AfterWildcard);
        }
        rest = after;
        let set = match first {
            b'-' => continue,
            b'.' => {
                elements.push(Element::Some);
                continue;
            }
            b'!' => {
                elements.push(Element::Any);
                continue;
            }
            b'x' | b'X' => Set::range(b'0', b'9'),
            b'z' | b'Z' => Set::range(b'1', b'9'),
            b'n' | b'N' => Set::range(b'2', b'9'),
            b'[' => {
                let (set, after) = brackets(rest)?;
                rest = after;
                set
            }
            &character => Set::range(character, character),
        };
        elements.push(Element::Set(Box::new(set)));
    }
    Ok(elements)
}

/// What follows `[`: the set, and what is behind `]`.
fn brackets(mut rest: &[u8]) -> Result<(Set, &[u8]), PatternError> {
    let mut set = Set([0; 32]);
    loop {
        match rest {
            [] => return Err(PatternError::Unclosed),
            [b']', after @ ..] if set.count() == 0 => {
                let _ = after;
                return Err(PatternError::EmptySet);
            }
            [b']', after @ ..] => return Ok((set, after)),
            [b'\\', character, after @ ..] => {
                set.add(*character, *character);
                rest = after;
            }
            [from, b'-', to, after @ ..] if *to != b']' => {
                if from > to {
                    return Err(PatternError::Backwards);
                }
                set.add(*from, *to);
                rest = after;
            }
            [character, after @ ..] => {
                set.add(*character, *character);
                rest = after;
            }
        }
    }
}
