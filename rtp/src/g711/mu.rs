//! mu-law (ITU-T G.711 table 2a and 2b).

/// The code of each 14-bit magnitude and sign: the index is the sample's upper 14 bits as an unsigned number.
static ENCODE: [u8; 16_384] = encode_table();
static DECODE: [i16; 256] = decode_table();

pub(super) fn encode(sample: i16) -> u8 {
    ENCODE.get(usize::from(sample.cast_unsigned() >> 2)).copied().unwrap_or(0xff)
}

pub(super) fn decode(code: u8) -> i16 {
    DECODE.get(usize::from(code)).copied().unwrap_or(0)
}

/// The law itself. Negative samples are taken by one's complement: the two's complement of shorter encoders moves a decision
/// value by one and gives other codes for 127 inputs.
const fn compress(sample: i16) -> u8 {
    let magnitude = (if sample < 0 { !sample } else { sample } >> 2) + 33;
    let magnitude = if magnitude > 0x1fff { 0x1fff } else { magnitude.cast_unsigned() };
    // Segment 1 is 32 to 63.
    let segment = 11 - magnitude.leading_zeros();
    let code = ((8 - segment) << 4) as u8 | (0x0f - ((magnitude >> segment) & 0x0f)) as u8;
    if sample < 0 { code } else { code | 0x80 }
}

const fn expand(code: u8) -> i16 {
    let code = !code;
    let segment = (code >> 4) & 7;
    let step = (code & 0x0f) as i16;
    let magnitude = (((step << 1) + 33) << segment) - 33;
    let sample = magnitude << 2;
    if code & 0x80 != 0 { -sample } else { sample }
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn encode_table() -> [u8; 16_384] {
    let mut table = [0; 16_384];
    let mut index = 0;
    while index < table.len() {
        table[index] = compress(((index as u16) << 2).cast_signed());
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
        // Table 2a: the first sample of each segment, in 14-bit units, positive.
        for (value, code) in [(31, 0xef), (95, 0xdf), (223, 0xcf), (479, 0xbf), (991, 0xaf), (2015, 0x9f), (4063, 0x8f)]
        {
            assert_eq!(encode(value << 2), code, "{value}");
            assert_eq!(encode((value - 1) << 2), code + 1, "{value} - 1");
        }
    }

    #[test]
    fn a_twos_complement_shortcut_would_differ_on_127_inputs() {
        // What such an encoder does, on 16-bit samples.
        let shortcut = |sample: i16| {
            let magnitude = i32::from(sample).abs().min(32_635) + 132;
            let segment = (magnitude >> 7).ilog2();
            let code = !((segment << 4) as u8 | ((magnitude >> (segment + 3)) & 0x0f) as u8);
            if sample < 0 { code & 0x7f } else { code }
        };
        let different = (i16::MIN..=i16::MAX).filter(|sample| shortcut(*sample) != encode(*sample)).count();
        assert_eq!(different, 127);
    }
}
