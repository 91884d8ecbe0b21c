//! Max-Forwards (RFC 3261 §20.22).

use crate::header::macros::number_header;

number_header! {
    /// How many more hops a request may take.
    MaxForwards(u8), MAX_FORWARDS
}

impl MaxForwards {
    /// What a new request begins with (RFC 3261 §8.1.1.6).
    pub const START: Self = Self(70);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_number_up_to_255_is_read() {
        assert_eq!("0068".parse(), Ok(MaxForwards(68)));
        assert_eq!(MaxForwards::START.to_string(), "70");
        assert_eq!("300".parse::<MaxForwards>().unwrap_err().kind, ErrorKind::OutOfRange);
        assert!("-1".parse::<MaxForwards>().is_err());
        assert!("1 2".parse::<MaxForwards>().is_err());
    }
}
