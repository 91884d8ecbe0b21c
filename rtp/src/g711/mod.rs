//! G.711: eight bits a sample, 8,000 samples a second (ITU-T G.711; payload types 0 and 8 of RFC 3551 §4.5.14).
//!
//! Samples are 16-bit linear, full scale being that of the ITU's own tools (G.191): a sine wave of 0 dBm0 has an amplitude of
//! about 22,650. Each law has two tables, from and to, computed when the crate is compiled.

mod a;
mod mu;

use bytes::BufMut;

/// One of the two companding laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// North America and Japan: PCMU.
    Mu,
    /// Everywhere else: PCMA.
    A,
}

impl Law {
    /// The law of a static payload type, 0 or 8.
    pub const fn from_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Mu),
            8 => Some(Self::A),
            _ => None,
        }
    }

    /// The static payload type (RFC 3551 §6).
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Mu => 0,
            Self::A => 8,
        }
    }

    /// The encoding name of `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mu => "PCMU",
            Self::A => "PCMA",
        }
    }

    /// The code of silence.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mu => 0xff,
            Self::A => 0xd5,
        }
    }

    /// The code of one sample.
    pub fn encode_sample(self, sample: i16) -> u8 {
        match self {
            Self::Mu => mu::encode(sample),
            Self::A => a::encode(sample),
        }
    }

    /// The sample of one code.
    pub fn decode_sample(self, code: u8) -> i16 {
        match self {
            Self::Mu => mu::decode(code),
            Self::A => a::decode(code),
        }
    }

    /// The codes of samples.
    pub fn encode(self, samples: &[i16], out: &mut impl BufMut) {
        for sample in samples {
            out.put_u8(self.encode_sample(*sample));
        }
    }

    /// The samples of a payload.
    pub fn decode(self, payload: &[u8]) -> impl ExactSizeIterator<Item = i16> + '_ {
        payload.iter().map(move |code| self.decode_sample(*code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_and_encoding_again_gives_the_same_code() {
        for code in 0..=255 {
            assert_eq!(Law::A.encode_sample(Law::A.decode_sample(code)), code);
            // mu-law has two zeros; the negative one (0x7f) becomes the positive.
            let expected = if code == 0x7f { 0xff } else { code };
            assert_eq!(Law::Mu.encode_sample(Law::Mu.decode_sample(code)), expected);
        }
    }

    #[test]
    fn silence_decodes_to_next_to_nothing() {
        assert_eq!(Law::Mu.decode_sample(Law::Mu.silence()), 0);
        assert_eq!(Law::A.decode_sample(Law::A.silence()), 8);
    }

    #[test]
    fn companding_never_goes_down_as_samples_go_up() {
        for law in [Law::Mu, Law::A] {
            let heard: Vec<i16> = (i16::MIN..=i16::MAX).map(|it| law.decode_sample(law.encode_sample(it))).collect();
            assert!(heard.is_sorted(), "{law:?}");
        }
    }

    #[test]
    fn the_extremes_are_the_extreme_codes() {
        assert_eq!(Law::Mu.encode_sample(i16::MAX), 0x80);
        assert_eq!(Law::Mu.encode_sample(i16::MIN), 0x00);
        assert_eq!(Law::A.encode_sample(i16::MAX), 0xaa);
        assert_eq!(Law::A.encode_sample(i16::MIN), 0x2a);
    }

    #[test]
    fn static_payload_types_name_their_law() {
        for law in [Law::Mu, Law::A] {
            assert_eq!(Law::from_payload_type(law.payload_type()), Some(law));
        }
        assert_eq!(Law::from_payload_type(18), None);
    }
}
