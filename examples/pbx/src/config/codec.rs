//! The names of media formats, as Asterisk's files and ours write them.

use std::{fmt, str::FromStr};

macro_rules! codecs {
    ($($variant:ident = $name:literal, $encoding:literal, $clock:literal, $doc:literal;)*) => {
        /// A media format that an account may be allowed. G.711 is understood (and one law turned into the other);
        /// the others pass between two sides that both have them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Codec {
            $(#[doc = $doc] $variant,)*
        }

        impl Codec {
            /// All of them, in the order in which `allow=all` prefers them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in Asterisk's files.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The encoding name of `a=rtpmap` (RFC 4566 §6), to be compared without case.
            #[must_use]
            pub fn encoding(self) -> &'static str {
                match self { $(Self::$variant => $encoding,)* }
            }

            /// The RTP clock rate of `a=rtpmap`.
            #[must_use]
            pub fn clock(self) -> u32 {
                match self { $(Self::$variant => $clock,)* }
            }
        }
    };
}

codecs! {
    Ulaw = "ulaw", "PCMU", 8000, "G.711 mu-law.";
    Alaw = "alaw", "PCMA", 8000, "G.711 A-law.";
    G722 = "g722", "G722", 8000, "G.722.";
    Opus = "opus", "opus", 48000, "Opus.";
    Gsm = "gsm", "GSM", 8000, "GSM full rate.";
    G729 = "g729", "G729", 8000, "G.729.";
    G726 = "g726", "G726-32", 8000, "G.726 at 32 kbit/s.";
    Ilbc = "ilbc", "iLBC", 8000, "iLBC.";
    Speex = "speex", "speex", 8000, "Speex.";
    Speex16 = "speex16", "speex", 16000, "Speex at 16 kHz.";
    Slin = "slin", "L16", 8000, "16-bit linear at 8 kHz.";
    Slin16 = "slin16", "L16", 16000, "16-bit linear at 16 kHz.";
    G723 = "g723", "G723", 8000, "G.723.1.";
}

impl Codec {
    /// The format of a name as Asterisk's files write it; without case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = match name {
            name if name.eq_ignore_ascii_case("mulaw") || name.eq_ignore_ascii_case("pcmu") => "ulaw",
            name if name.eq_ignore_ascii_case("pcma") => "alaw",
            name => name,
        };
        Self::ALL.iter().copied().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// The codec of an `a=rtpmap`.
    #[must_use]
    pub fn from_rtp(encoding: &str, clock: u32) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|codec| codec.clock() == clock && codec.encoding().eq_ignore_ascii_case(encoding))
    }

    /// The format of IAX2 (RFC 5456 §8.7).
    #[must_use]
    pub fn iax(self) -> Option<iax2::Format> {
        iax2::Format::from_name(self.name())
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name of no codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a codec")]
pub struct NoCodec;

impl FromStr for Codec {
    type Err = NoCodec;

    fn from_str(name: &str) -> Result<Self, NoCodec> {
        Self::from_name(name).ok_or(NoCodec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_is_found_by_its_name_and_by_its_rtp_name() {
        for codec in Codec::ALL {
            assert_eq!(codec.name().to_uppercase().parse(), Ok(*codec));
            assert_eq!(Codec::from_rtp(&codec.encoding().to_lowercase(), codec.clock()), Some(*codec));
            assert!(codec.iax().is_some(), "{codec}");
        }
        assert_eq!("mp3".parse::<Codec>(), Err(NoCodec));
    }
}
