//! A-law (ITU-T G.711 table 1a and 1b).

/// The code of each 13-bit sample: the index is the sample's upper 12 bits as an unsigned number.
static ENCODE: [u8; 4_096] = encode_table();
static DECODE: [i16; 256] = decode_table();

pub(super) fn encode(sample: i16) -> u8 {
    ENCODE.get(usize::from(sample.cast_unsigned() >> 4)).copied().unwrap_or(0xd5)
}

pub(super) fn decode(code: u8) -> i16 {
    DECODE.get(usize::from(code)).copied().unwrap_or(0)
}

/// The law itself; every second bit is inverted on the line. Negative samples are taken by one's complement, as the ITU's are.
const fn compress(sample: i16) -> u8 {
    let magnitude = (if sample < 0 { !sample } else { sample } >> 4).cast_unsigned();
    let code = if magnitude > 15 {
        // Segment 1 is 16 to 31.
        let segment = 12 - magnitude.leading_zeros();
        (segment << 4) as u8 | ((magnitude >> (segment - 1)) & 0x0f) as u8
    } else {
        magnitude as u8
    };
    (if sample < 0 { code } else { code | 0x80 }) ^ 0x55
}

const fn expand(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4) & 7;
    let step = (code & 0x0f) as i16;
    let magnitude = if segment == 0 { (step << 4) + 8 } else { ((step << 4) + 0x108) << (segment - 1) };
    if code & 0x80 != 0 { magnitude } else { -magnitude }
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn encode_table() -> [u8; 4_096] {
    let mut table = [0; 4_096];
    let mut index = 0;
    while index < table.len() {
        table[index] = compress(((index as u16) << 4).cast_signed());
        index += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn decode_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < table.len() {
        table[code] = expand(code as u8);
        code += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decision_values_of_the_standard_are_kept() {
        // Table 1a: the first sample of each segment, in 12-bit magnitudes (half of the standard's units of 4096).
        for (value, code) in [(16, 0x90), (32, 0xa0), (64, 0xb0), (128, 0xc0), (256, 0xd0), (512, 0xe0), (1024, 0xf0)] {
            assert_eq!(encode(value << 4) ^ 0x55, code, "{value}");
            assert_eq!(encode((value << 4) - 1) ^ 0x55, code - 1, "{value} - 1");
        }
    }
}
