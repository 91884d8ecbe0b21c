//! Media formats (RFC 5456 §8.7) and preferences among them (§8.6.35).

use std::fmt;

macro_rules! formats {
    ($($name:ident, $constant:ident = $bit:literal, $text:literal, $doc:literal;)*) => {
        /// One media format: one bit of the 64 that the versioned elements carry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct Format(u8);

        impl Format {
            $(#[doc = $doc] pub const $constant: Self = Self($bit);)*

            /// Short name, as configuration files write it; `None` for a bit without one.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 { $($bit => Some($text),)* _ => None }
            }

            /// The format of a short name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self($bit)),)* _ => None }
            }
        }
    };
}

formats! {
    G7231, G723_1 = 0, "g723", "G.723.1.";
    Gsm, GSM = 1, "gsm", "GSM full rate.";
    Ulaw, ULAW = 2, "ulaw", "G.711 mu-law.";
    Alaw, ALAW = 3, "alaw", "G.711 A-law.";
    G726Aal2, G726_AAL2 = 4, "g726aal2", "G.726 (0x10). RFC 5456 calls this bit G.726; Asterisk packs it as AAL2 does.";
    Adpcm, ADPCM = 5, "adpcm", "IMA ADPCM.";
    Slin, SLIN = 6, "slin", "16-bit linear at 8 kHz. The RFC says little-endian; Asterisk sends network order.";
    Lpc10, LPC10 = 7, "lpc10", "LPC10.";
    G729, G729 = 8, "g729", "G.729.";
    Speex, SPEEX = 9, "speex", "Speex.";
    Ilbc, ILBC = 10, "ilbc", "iLBC.";
    G726, G726 = 11, "g726", "G.726 (0x800). RFC 5456 calls this bit G.726 AAL2; Asterisk packs it as RFC 3551 does.";
    G722, G722 = 12, "g722", "G.722.";
    Siren7, SIREN7 = 13, "siren7", "G.722.1 in Asterisk, AMR in RFC 5456.";
    Siren14, SIREN14 = 14, "siren14", "G.722.1 annex C (Asterisk).";
    Slin16, SLIN16 = 15, "slin16", "16-bit linear at 16 kHz (Asterisk).";
    Jpeg, JPEG = 16, "jpeg", "JPEG.";
    Png, PNG = 17, "png", "PNG.";
    H261, H261 = 18, "h261", "H.261.";
    H263, H263 = 19, "h263", "H.263.";
    H263p, H263P = 20, "h263p", "H.263+.";
    H264, H264 = 21, "h264", "H.264.";
    Mp4, MP4 = 22, "mpeg4", "MPEG-4 video (Asterisk).";
    Vp8, VP8 = 23, "vp8", "VP8 (Asterisk).";
    T140Red, T140_RED = 26, "red", "T.140 with redundancy (Asterisk).";
    T140, T140 = 27, "t140", "T.140 (Asterisk).";
    G719, G719 = 32, "g719", "G.719 (Asterisk).";
    Speex16, SPEEX16 = 33, "speex16", "Speex at 16 kHz (Asterisk).";
    Opus, OPUS = 34, "opus", "Opus (Asterisk).";
    Testlaw, TESTLAW = 47, "testlaw", "Test law (Asterisk).";
}

impl Format {
    /// The format of a mask with exactly one bit.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits.is_power_of_two() { Some(Self(bits.trailing_zeros() as u8)) } else { None }
    }

    /// The format's bit.
    pub const fn bits(self) -> u64 {
        1 << self.0
    }

    /// Milliseconds of voice in a payload, for formats of a constant rate.
    pub fn duration(self, payload: usize) -> Option<u32> {
        let ms = match self {
            Self::ULAW | Self::ALAW | Self::G722 => payload / 8,
            Self::SLIN => payload / 16,
            Self::SLIN16 => payload / 32,
            Self::GSM => payload / 33 * 20,
            Self::G726 | Self::G726_AAL2 | Self::ADPCM => payload / 4,
            Self::G729 => payload,
            Self::ILBC => payload / 50 * 30,
            _ => return None,
        };
        u32::try_from(ms).ok()
    }

    /// Whether it is a format of voice.
    pub const fn is_audio(self) -> bool {
        Formats::AUDIO.contains(self)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "format {:#x}", self.bits()),
        }
    }
}

/// A set of media formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Formats(pub u64);

impl Formats {
    /// No format.
    pub const NONE: Self = Self(0);
    /// Every format of voice.
    pub const AUDIO: Self = Self(0x0000_ffff | (1 << 32) | (1 << 33) | (1 << 34) | (1 << 47));
    /// Every format of video.
    pub const VIDEO: Self = Self(0x00fc_0000);
    /// Both laws of G.711.
    pub const G711: Self = Self((1 << 2) | (1 << 3));

    /// The same set with one format more.
    #[must_use]
    pub const fn with(self, format: Format) -> Self {
        Self(self.0 | format.bits())
    }

    /// The formats in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the set holds the format.
    pub const fn contains(self, format: Format) -> bool {
        self.0 & format.bits() != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The formats, from the lowest bit up.
    pub fn iter(self) -> impl Iterator<Item = Format> {
        (0..64).map(Format).filter(move |format| self.contains(*format))
    }

    /// The best voice format of the set when nobody has a preference: G.711 first, then quality before thrift.
    pub fn best(self) -> Option<Format> {
        const ORDER: [Format; 17] = [
            Format::ULAW,
            Format::ALAW,
            Format::G719,
            Format::SIREN14,
            Format::SIREN7,
            Format::TESTLAW,
            Format::G722,
            Format::SLIN16,
            Format::SLIN,
            Format::G726,
            Format::G726_AAL2,
            Format::ADPCM,
            Format::GSM,
            Format::ILBC,
            Format::OPUS,
            Format::SPEEX16,
            Format::SPEEX,
        ];
        ORDER.into_iter().find(|format| self.contains(*format)).or_else(|| self.and(Self::AUDIO).iter().next())
    }
}

impl FromIterator<Format> for Formats {
    fn from_iter<I: IntoIterator<Item = Format>>(formats: I) -> Self {
        formats.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Order of the letters of CODEC PREFS, `B` first, as Asterisk's table has it (bit numbers; 64 is unused).
const LETTERS: [u8; 38] = [
    0, 1, 2, 3, 11, 5, 6, 7, 8, 9, 33, 10, 4, 12, 15, 16, 17, 18, 19, 20, 21, 22, 26, 27, 13, 14, 47, 32, 64, 64, 64,
    64, 64, 64, 64, 64, 34, 23,
];

/// Formats in order of preference (RFC 5456 §8.6.35): at most 32.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preferences(Vec<Format>);

impl Preferences {
    /// Preferences in this order; more than 32 are cut.
    pub fn new(formats: impl IntoIterator<Item = Format>) -> Self {
        Self(formats.into_iter().take(32).collect())
    }

    /// Reads the letters of the element; a letter without a meaning is left out.
    pub fn from_letters(letters: &[u8]) -> Self {
        Self::new(letters.iter().filter_map(|letter| {
            let bit = *LETTERS.get(usize::from(letter.checked_sub(b'B')?))?;
            (bit < 64).then_some(Format(bit))
        }))
    }

    /// The letters of the element; formats without a letter are left out.
    pub fn to_letters(&self) -> Vec<u8> {
        let letter = |format: &Format| {
            let index = LETTERS.iter().position(|bit| *bit == format.0)?;
            u8::try_from(index).ok()?.checked_add(b'B')
        };
        self.0.iter().filter_map(letter).collect()
    }

    /// The formats in order.
    pub fn iter(&self) -> impl Iterator<Item = Format> + '_ {
        self.0.iter().copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first preference that a set holds.
    pub fn first_in(&self, formats: Formats) -> Option<Format> {
        self.iter().find(|format| formats.contains(*format))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asterisks_letters_deco_mean_ulaw_alaw_gsm_g722() {
        let preferences = Preferences::from_letters(b"DECO");
        assert_eq!(preferences.iter().collect::<Vec<_>>(), [Format::ULAW, Format::ALAW, Format::GSM, Format::G722]);
        assert_eq!(preferences.to_letters(), b"DECO");
    }

    #[test]
    fn letters_without_meaning_are_left_out() {
        assert!(Preferences::from_letters(b"A\x00\xff@").is_empty());
    }
}
