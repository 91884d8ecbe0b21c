//! The FINGERPRINT (RFC 8489 §14.7): a CRC-32 of all that is before it.

/// What the CRC is combined with, so that it differs from one of a protocol inside.
const MASK: u32 = 0x5354_554E;

/// The CRC of each value of four bits, by the polynomial of ITU V.42, reflected.
const TABLE: [u32; 16] = {
    let mut table = [0; 16];
    let mut value = 0;
    while value < 16 {
        let mut crc = value as u32;
        let mut bit = 0;
        while bit < 4 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        #[expect(clippy::indexing_slicing, reason = "checked when compiled")]
        {
            table[value] = crc;
        }
        value += 1;
    }
    table
};

/// The value of the attribute that stands after these bytes. The length in the header must include the attribute already.
pub(super) fn fingerprint(bytes: &[u8]) -> u32 {
    let step = |crc: u32, four: u32| (crc >> 4) ^ TABLE.get(((crc ^ four) & 15) as usize).copied().unwrap_or_default();
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        let crc = step(crc, u32::from(*byte));
        step(crc, u32::from(*byte >> 4))
    });
    !crc ^ MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_crc_32_comes_out() {
        assert_eq!(fingerprint(b"123456789") ^ MASK, 0xCBF4_3926);
    }
}
