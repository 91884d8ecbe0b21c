//! Expressions cut into values and operators.

use super::ExpressionError;

/// A piece of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Operator(Operator),
    /// With its quotes.
    Value(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Question,
    Colons,
    Comma,
    Open,
    Close,
    Or,
    And,
    Equal,
    Unequal,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
    Divide,
    Remainder,
    Not,
    /// `:`
    Match,
    /// `=~`
    Find,
    /// `~~`
    Join,
}

/// How strongly `:`, `=~` and `~~` bind: stronger than all else.
pub(super) const MATCH: u8 = 6;

impl Operator {
    /// How strongly an operator between two values binds.
    pub(super) fn strength(self) -> Option<u8> {
        Some(match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::Unequal | Self::Less | Self::Greater | Self::LessOrEqual | Self::GreaterOrEqual => 3,
            Self::Plus | Self::Minus => 4,
            Self::Times | Self::Divide | Self::Remainder => 5,
            Self::Match | Self::Find | Self::Join => MATCH,
            Self::Question | Self::Colons | Self::Comma | Self::Open | Self::Close | Self::Not => return None,
        })
    }
}

/// Signs, the longer ones first.
const SIGNS: [(&str, Operator); 25] = [
    ("||", Operator::Or),
    ("&&", Operator::And),
    ("==", Operator::Equal),
    ("=~", Operator::Find),
    ("~~", Operator::Join),
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("!=", Operator::Unequal),
    ("::", Operator::Colons),
    ("|", Operator::Or),
    ("&", Operator::And),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("+", Operator::Plus),
    ("-", Operator::Minus),
    ("*", Operator::Times),
    ("/", Operator::Divide),
    ("%", Operator::Remainder),
    ("?", Operator::Question),
    ("!", Operator::Not),
    (":", Operator::Match),
    (",", Operator::Comma),
    ("(", Operator::Open),
    (")", Operator::Close),
];

/// Cuts an expression.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        if first == '"' {
            let inside = rest.get(1..).unwrap_or_default();
            let end = inside.find('"').ok_or(ExpressionError::Quote)?;
            let (token, after) = rest.split_at_checked(end + 2).ok_or(ExpressionError::Quote)?;
            tokens.push(Token::Value(token.to_owned()));
            rest = after;
        } else if let Some((sign, operator)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            tokens.push(Token::Operator(*operator));
            rest = rest.get(sign.len()..).unwrap_or_default();
        } else {
            let end = rest.find(|character| !in_word(character)).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if word.is_empty() {
                return Err(ExpressionError::Sign(first));
            }
            tokens.push(Token::Value(word.to_owned()));
            rest = after;
        }
    }
}

fn in_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || ".';\\_^#@$".contains(character) || !character.is_ascii()
}
