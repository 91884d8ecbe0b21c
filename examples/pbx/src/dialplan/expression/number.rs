//! The numbers of expressions: whole ones exactly as long as they fit, others as floating point.

use std::{cmp::Ordering, fmt};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Whole(i64),
    Real(f64),
}

impl Number {
    pub(super) const ZERO: Self = Self::Whole(0);
    /// What a division by zero makes.
    pub(super) const MANY: Self = Self::Whole(i32::MAX as i64);

    pub(super) fn parse(text: &str) -> Option<Self> {
        let whole = text.parse().ok().map(Self::Whole);
        whole.or_else(|| text.parse::<f64>().ok().filter(|real| real.is_finite()).map(Self::Real))
    }

    pub(super) fn count(count: usize) -> Self {
        Self::Whole(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(super) fn is_zero(self) -> bool {
        self.real() == 0.0
    }

    #[expect(clippy::cast_precision_loss, reason = "what does not fit is rounded, as floating point does")]
    fn real(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }

    /// Whole numbers exactly, otherwise as floating point.
    fn with(self, other: Self, exact: fn(i64, i64) -> Option<i64>, rounded: fn(f64, f64) -> f64) -> Self {
        if let (Self::Whole(left), Self::Whole(right)) = (self, other)
            && let Some(whole) = exact(left, right)
        {
            return Self::Whole(whole);
        }
        Self::from_real(rounded(self.real(), other.real()))
    }

    #[expect(clippy::cast_possible_truncation, reason = "checked before")]
    fn from_real(real: f64) -> Self {
        if real.fract() == 0.0 && real.abs() < 9e15 { Self::Whole(real as i64) } else { Self::Real(real) }
    }

    pub(super) fn negate(self) -> Self {
        match self {
            Self::Whole(whole) => whole.checked_neg().map_or(Self::Real(-self.real()), Self::Whole),
            Self::Real(real) => Self::Real(-real),
        }
    }

    pub(super) fn add(self, other: Self) -> Self {
        self.with(other, i64::checked_add, |left, right| left + right)
    }

    pub(super) fn times(self, other: Self) -> Self {
        self.with(other, i64::checked_mul, |left, right| left * right)
    }

    pub(super) fn divide(self, other: Self) -> Self {
        if other.is_zero() {
            return Self::MANY;
        }
        let exact = |left: i64, right: i64| if left.checked_rem(right)? == 0 { left.checked_div(right) } else { None };
        self.with(other, exact, |left, right| left / right)
    }

    pub(super) fn remainder(self, other: Self) -> Self {
        if other.is_zero() {
            return other;
        }
        self.with(other, i64::checked_rem, |left, right| left % right)
    }

    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => Some(left.cmp(&right)),
            _ => self.real().partial_cmp(&other.real()),
        }
    }
}

/// The mathematical functions that an expression knows by itself.
pub(super) fn function(name: &str, arguments: &[Number]) -> Option<Number> {
    let real = match (name, arguments) {
        ("ABS", [Number::Whole(whole)]) => {
            return Some(whole.checked_abs().map_or(Number::Whole(i64::MAX), Number::Whole));
        }
        ("ABS", [x]) => x.real().abs(),
        ("FLOOR", [x]) => x.real().floor(),
        ("CEIL", [x]) => x.real().ceil(),
        ("ROUND", [x]) => x.real().round(),
        ("RINT", [x]) => x.real().round_ties_even(),
        ("TRUNC", [x]) => x.real().trunc(),
        ("SQRT", [x]) => x.real().sqrt(),
        ("EXP", [x]) => x.real().exp(),
        ("EXP2", [x]) => x.real().exp2(),
        ("EXP10", [x]) => 10_f64.powf(x.real()),
        ("LOG", [x]) => x.real().ln(),
        ("LOG2", [x]) => x.real().log2(),
        ("LOG10", [x]) => x.real().log10(),
        ("SIN", [x]) => x.real().sin(),
        ("COS", [x]) => x.real().cos(),
        ("TAN", [x]) => x.real().tan(),
        ("ASIN", [x]) => x.real().asin(),
        ("ACOS", [x]) => x.real().acos(),
        ("ATAN", [x]) => x.real().atan(),
        ("ATAN2", [y, x]) => y.real().atan2(x.real()),
        ("POW", [x, y]) => x.real().powf(y.real()),
        ("REMAINDER", [x, y]) if !y.is_zero() => x.real() - y.real() * (x.real() / y.real()).round_ties_even(),
        _ => return None,
    };
    Some(Number::from_real(real))
}

impl fmt::Display for Number {
    /// At most 15 digits that count, without zeros at the end, as C's `%g` prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let real = match self {
            Self::Whole(whole) => return write!(f, "{whole}"),
            Self::Real(real) if !real.is_finite() => return write!(f, "{}", real.to_string().to_lowercase()),
            Self::Real(real) => *real,
        };
        let scientific = format!("{real:.14e}");
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        if (-5..18).contains(&exponent) {
            let places = usize::try_from(14 - exponent).unwrap_or(0);
            let fixed = format!("{real:.places$}");
            let fixed = if fixed.contains('.') { fixed.trim_end_matches('0').trim_end_matches('.') } else { &fixed };
            return f.write_str(fixed);
        }
        let digits = digits.trim_end_matches('0').trim_end_matches('.');
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(f, "{digits}e{sign}{:02}", exponent.unsigned_abs())
    }
}
