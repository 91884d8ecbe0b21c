//! `$[…]`: Asterisk's expressions, with its operators, their precedence and its idea of numbers and strings.
//!
//! From the weakest to the strongest: `? ::`, `|`, `&`, `= != < > <= >=`, `+ -`, `* / %`, unary `- !`, `: =~ ~~`.
//! A value of digits is a number, anything else a string; quotes are part of a string, but for `:`, `=~` and `~~`.
//! What cannot be understood is `0`.

mod number;
mod token;

use number::Number;
use regex::RegexBuilder;
use token::{Operator, Token};

use super::substitute::Scope;

/// How deep parentheses and signs may stand in each other.
const MAX_DEPTH: u32 = 60;

/// What a regular expression costs: to make one takes long, so that no more than two hundred are used without waiting.
pub(super) const REGEX: u32 = 500;

/// Evaluates an expression in which all variables are replaced.
pub(crate) fn evaluate(text: &str, scope: &mut dyn Scope) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    match parse(text, scope) {
        Ok(value) => value.into_text(),
        Err(error) => {
            tracing::debug!(expression = text, %error, "expression is not understood");
            "0".to_owned()
        }
    }
}

/// Why an expression cannot be understood; for messages about files.
pub(crate) fn check(text: &str, scope: &mut dyn Scope) -> Result<(), ExpressionError> {
    if text.trim().is_empty() {
        return Ok(());
    }
    parse(text, scope).map(|_| ())
}

/// What is wrong with an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ExpressionError {
    /// `"abc`.
    #[error("expected a closing quote")]
    Quote,
    /// A sign that is no operator.
    #[error("found `{0}` where an operator or a value was expected")]
    Sign(char),
    /// `1 +`.
    #[error("expected a value")]
    Value,
    /// `1 2`.
    #[error("expected an operator between two values")]
    Operator,
    /// `(1`.
    #[error("expected `)`")]
    Parenthesis,
    /// `1 ? 2`.
    #[error("expected `::` and a third value after `?`")]
    Colons,
    /// Nested too deep.
    #[error("parentheses stand too deep in each other")]
    Depth,
}

fn parse(text: &str, scope: &mut dyn Scope) -> Result<Value, ExpressionError> {
    let tokens = token::tokens(text)?;
    let mut parser = Parser { tokens: &tokens, depth: 0, scope };
    let value = parser.condition()?;
    match parser.tokens {
        [] => Ok(value),
        [Token::Operator(Operator::Close), ..] => Err(ExpressionError::Sign(')')),
        [Token::Operator(Operator::Colons), ..] => Err(ExpressionError::Sign(':')),
        [Token::Operator(Operator::Comma), ..] => Err(ExpressionError::Sign(',')),
        [..] => Err(ExpressionError::Operator),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Number(Number),
    /// Digits as they were written.
    Numeric(String),
    Text(String),
}

struct Parser<'a, 's> {
    tokens: &'a [Token],
    depth: u32,
    scope: &'s mut dyn Scope,
}

impl Parser<'_, '_> {
    fn peek(&self) -> Option<Operator> {
        match self.tokens.first() {
            Some(Token::Operator(operator)) => Some(*operator),
            _ => None,
        }
    }

    fn step(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    fn take(&mut self, operator: Operator) -> bool {
        let found = self.peek() == Some(operator);
        if found {
            self.step();
        }
        found
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, ExpressionError>) -> Result<T, ExpressionError> {
        if self.depth >= MAX_DEPTH {
            return Err(ExpressionError::Depth);
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// `a ? b :: c`, from left to right.
    fn condition(&mut self) -> Result<Value, ExpressionError> {
        let mut value = self.binary(1)?;
        while self.take(Operator::Question) {
            let yes = self.deeper(Self::condition)?;
            if !self.take(Operator::Colons) {
                return Err(ExpressionError::Colons);
            }
            let no = self.binary(1)?;
            value = if value.chooses() { yes } else { no };
        }
        Ok(value)
    }

    /// Operators that bind at least as strongly as `weakest`.
    fn binary(&mut self, weakest: u8) -> Result<Value, ExpressionError> {
        let mut left = self.unary()?;
        while let Some(operator) = self.peek() {
            let Some(strength) = operator.strength().filter(|&strength| strength >= weakest) else { break };
            self.step();
            let right = self.deeper(|parser| parser.binary(strength + 1))?;
            left = self.apply(operator, left, right);
        }
        Ok(left)
    }

    /// `-` and `!` bind weaker than `: =~ ~~` and stronger than all else.
    fn unary(&mut self) -> Result<Value, ExpressionError> {
        match self.peek() {
            Some(Operator::Minus) => {
                self.step();
                let value = self.deeper(|parser| parser.binary(token::MATCH))?;
                Ok(Value::Number(value.number().map_or(Number::ZERO, Number::negate)))
            }
            Some(Operator::Not) => {
                self.step();
                let value = self.deeper(|parser| parser.binary(token::MATCH))?;
                Ok(truth(!value.is_set()))
            }
            _ => self.primary(),
        }
    }

    fn primary(&mut self) -> Result<Value, ExpressionError> {
        match self.tokens {
            [Token::Operator(Operator::Open), ..] => {
                self.step();
                let value = self.deeper(Self::condition)?;
                if self.take(Operator::Close) { Ok(value) } else { Err(ExpressionError::Parenthesis) }
            }
            [Token::Value(name), Token::Operator(Operator::Open), ..] => {
                self.step();
                self.step();
                self.deeper(|parser| parser.function(name))
            }
            [Token::Value(text), ..] => {
                self.step();
                Ok(Value::written(text))
            }
            [] | [Token::Operator(_), ..] => Err(ExpressionError::Value),
        }
    }

    /// `FLOOR(2.5)`, or a function of the dialplan.
    fn function(&mut self, name: &str) -> Result<Value, ExpressionError> {
        let mut arguments = vec![self.condition()?];
        while self.take(Operator::Comma) {
            let empty = matches!(self.peek(), Some(Operator::Comma | Operator::Close));
            arguments.push(if empty { Value::Text(String::new()) } else { self.condition()? });
        }
        if !self.take(Operator::Close) {
            return Err(ExpressionError::Parenthesis);
        }
        let numbers: Option<Vec<Number>> = arguments.iter().map(Value::number).collect();
        if let Some(number) = numbers.and_then(|numbers| number::function(name, &numbers)) {
            return Ok(Value::Number(number));
        }
        let texts: Vec<String> = arguments.into_iter().map(Value::into_text).collect();
        let result = self.scope.function(name, &texts.join(","));
        Ok(result.map_or(Value::Number(Number::ZERO), Value::made))
    }

    fn apply(&mut self, operator: Operator, left: Value, right: Value) -> Value {
        match operator {
            Operator::Or => {
                if left.is_null() {
                    right
                } else {
                    left
                }
            }
            Operator::And => {
                if left.is_null() || right.is_null() {
                    Value::Number(Number::ZERO)
                } else {
                    left
                }
            }
            Operator::Equal => truth(left.compare(right).is_some_and(|order| order.is_eq())),
            Operator::Unequal => truth(!left.compare(right).is_some_and(|order| order.is_eq())),
            Operator::Less => truth(left.compare(right).is_some_and(|order| order.is_lt())),
            Operator::Greater => truth(left.compare(right).is_some_and(|order| order.is_gt())),
            Operator::LessOrEqual => truth(left.compare(right).is_some_and(|order| order.is_le())),
            Operator::GreaterOrEqual => truth(left.compare(right).is_some_and(|order| order.is_ge())),
            Operator::Match => self.matched(left, right, true),
            Operator::Find => self.matched(left, right, false),
            Operator::Join => Value::made(left.unquoted() + &right.unquoted()),
            _ => Value::Number(arithmetic(operator, left.number(), right.number())),
        }
    }

    /// The first group of a regular expression, or how many characters it matches.
    fn matched(&mut self, text: Value, pattern: Value, from_the_start: bool) -> Value {
        if !self.scope.spend(REGEX) {
            return Value::Text(String::new());
        }
        let (text, pattern) = (text.unquoted(), pattern.unquoted());
        let Some(regex) = regex(&pattern, false) else { return Value::Text(String::new()) };
        let groups = regex.captures_len() > 1;
        let found = regex.captures(&text);
        let found = found.filter(|found| !from_the_start || found.get(0).is_some_and(|all| all.start() == 0));
        match found {
            None if groups => Value::Text(String::new()),
            None => Value::Number(Number::ZERO),
            Some(found) => match (found.get(1), found.get(0)) {
                (Some(group), _) => Value::made(group.as_str().to_owned()),
                (None, all) => Value::Number(Number::count(all.map_or(0, |all| all.as_str().chars().count()))),
            },
        }
    }
}

/// A regular expression of bounded size. Matching takes time in proportion to the text, whatever the expression.
pub(crate) fn regex(pattern: &str, ignore_case: bool) -> Option<regex::Regex> {
    let limit = 1 << 18;
    let mut builder = RegexBuilder::new(pattern);
    let built = builder.case_insensitive(ignore_case).size_limit(limit).dfa_size_limit(limit).nest_limit(50).build();
    built.map_err(|error| tracing::debug!(pattern, %error, "regular expression is not understood")).ok()
}

fn truth(value: bool) -> Value {
    Value::Number(Number::count(usize::from(value)))
}

/// What arithmetic makes of something that is no number: mostly nothing of it, as Asterisk does.
fn arithmetic(operator: Operator, left: Option<Number>, right: Option<Number>) -> Number {
    match (operator, left, right) {
        (Operator::Plus, Some(left), Some(right)) => left.add(right),
        (Operator::Plus, left, right) => left.or(right).unwrap_or(Number::ZERO),
        (Operator::Minus, Some(left), Some(right)) => left.add(right.negate()),
        (Operator::Minus, Some(left), None) => left,
        (Operator::Minus, None, right) => right.map_or(Number::ZERO, Number::negate),
        (Operator::Times, Some(left), Some(right)) => left.times(right),
        (Operator::Divide, Some(left), Some(right)) => left.divide(right),
        (Operator::Divide, Some(_), None) => Number::MANY,
        (Operator::Remainder, Some(left), Some(right)) => left.remainder(right),
        _ => Number::ZERO,
    }
}

impl Value {
    /// A value in the text of an expression.
    fn written(text: &str) -> Self {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits(whole) && digits(fraction) { Self::Numeric(text.to_owned()) } else { Self::Text(text.to_owned()) }
    }

    /// A text that an operator made.
    fn made(text: String) -> Self {
        let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if numeric && !text.is_empty() { Self::Numeric(text) } else { Self::Text(text) }
    }

    fn number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Numeric(text) => Number::parse(text),
            Self::Text(_) => None,
        }
    }

    fn into_text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Numeric(text) | Self::Text(text) => text,
        }
    }

    /// Without the quotes around it.
    fn unquoted(self) -> String {
        let text = self.into_text();
        if text.len() > 1 && text.starts_with('"') && text.ends_with('"') { text.replace('"', "") } else { text }
    }

    /// Empty, or the number 0.
    fn is_null(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            _ => self.number().is_none_or(Number::is_zero),
        }
    }

    /// What `!` asks: neither empty nor 0.
    fn is_set(&self) -> bool {
        match self {
            Self::Text(text) => !matches!(text.as_str(), "" | "\"\"" | "\"0\""),
            _ => !self.is_null(),
        }
    }

    /// What `?` asks.
    fn chooses(&self) -> bool {
        match self {
            Self::Text(text) => !matches!(text.as_str(), "" | "\"\"" | "0"),
            _ => !self.is_null(),
        }
    }

    /// As numbers when both are, as strings otherwise.
    fn compare(self, other: Self) -> Option<std::cmp::Ordering> {
        match (self.number(), other.number()) {
            (Some(left), Some(right)) => left.compare(right),
            _ => Some(self.into_text().cmp(&other.into_text())),
        }
    }
}
