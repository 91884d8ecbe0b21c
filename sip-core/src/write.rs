//! Numbers and addresses as they stand in messages, for those who write parts of messages themselves.

use std::net::IpAddr;

use bytes::BufMut;

use crate::uri::dotted;

/// Writes a number in decimal.
///
/// ```
/// let mut line = b"Content-Length: ".to_vec();
/// sip_core::write::number(631, &mut line);
/// assert_eq!(line, b"Content-Length: 631");
/// ```
#[inline]
pub fn number(number: u64, out: &mut impl BufMut) {
    if number < 10 {
        out.put_u8(b'0' + number as u8);
    } else {
        long_number(number, out);
    }
}

/// Writes an address as `received` has it (RFC 3261 §25.1): an IPv6 one without brackets.
#[inline]
pub fn address(address: IpAddr, out: &mut impl BufMut) {
    match address {
        IpAddr::V4(address) => {
            let (text, length) = dotted(address);
            out.put_slice(text.get(..length).unwrap_or_default());
        }
        IpAddr::V6(address) => out.put_slice(address.to_string().as_bytes()),
    }
}

fn long_number(mut number: u64, out: &mut impl BufMut) {
    let mut digits = [b'0'; 20];
    let mut length = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (number % 10) as u8;
        number /= 10;
        length += 1;
        if number == 0 {
            break;
        }
    }
    out.put_slice(digits.get(digits.len() - length..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_numbers_are_written_as_the_library_shows_them() {
        for text in ["0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "2001:db8::1", "::ffff:192.0.2.1"] {
            let mut out = Vec::new();
            address(text.parse().unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        for written in [0, 7, 10, 255, 65_535, 65_536, u64::MAX] {
            let mut out = Vec::new();
            number(written, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), written.to_string());
        }
    }
}
