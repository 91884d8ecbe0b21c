//! What a format number means: `a=rtpmap`, `a=fmtp` and the static payload types.

use bytes::Bytes;

use super::TypedAttribute;
use super::text::{number, split_once};

/// An `a=rtpmap` attribute (RFC 8866 §6.6), or what RFC 3551 says of a payload type without one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RtpMap {
    /// The payload type.
    pub payload: u8,
    /// The encoding's name, such as `PCMU`. Names are compared without regard to case.
    pub encoding: Bytes,
    /// Ticks of the RTP timestamp a second.
    pub clock_rate: u32,
    /// Channels of audio: 1 when not said.
    pub channels: u8,
}

impl TypedAttribute for RtpMap {
    const NAME: &'static str = "rtpmap";

    fn parse(value: &Bytes) -> Option<Self> {
        let (payload, rest) = split_once(value.trim_ascii(), b' ')?;
        let mut pieces = rest.trim_ascii().split(|byte| *byte == b'/');
        let encoding = pieces.next().filter(|name| !name.is_empty())?;
        let clock_rate = number(pieces.next()?)?;
        // What follows is the number of channels for audio; for others it has no defined meaning.
        let channels = pieces.next().map_or(Some(1), number)?;
        Some(Self { payload: payload_type(payload)?, encoding: value.slice_ref(encoding), clock_rate, channels })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{} ", self.payload).as_bytes());
        out.extend_from_slice(&self.encoding);
        out.extend_from_slice(format!("/{}", self.clock_rate).as_bytes());
        if self.channels != 1 {
            out.extend_from_slice(format!("/{}", self.channels).as_bytes());
        }
    }
}

impl RtpMap {
    /// What a payload type means without `a=rtpmap` (RFC 3551 tables 4 and 5).
    #[must_use]
    pub fn from_static(payload: u8) -> Option<Self> {
        let (encoding, clock_rate, channels) = match payload {
            0 => ("PCMU", 8_000, 1),
            3 => ("GSM", 8_000, 1),
            4 => ("G723", 8_000, 1),
            5 => ("DVI4", 8_000, 1),
            6 => ("DVI4", 16_000, 1),
            7 => ("LPC", 8_000, 1),
            8 => ("PCMA", 8_000, 1),
            9 => ("G722", 8_000, 1),
            10 => ("L16", 44_100, 2),
            11 => ("L16", 44_100, 1),
            12 => ("QCELP", 8_000, 1),
            13 => ("CN", 8_000, 1),
            14 => ("MPA", 90_000, 1),
            15 => ("G728", 8_000, 1),
            16 => ("DVI4", 11_025, 1),
            17 => ("DVI4", 22_050, 1),
            18 => ("G729", 8_000, 1),
            25 => ("CelB", 90_000, 1),
            26 => ("JPEG", 90_000, 1),
            28 => ("nv", 90_000, 1),
            31 => ("H261", 90_000, 1),
            32 => ("MPV", 90_000, 1),
            33 => ("MP2T", 90_000, 1),
            34 => ("H263", 90_000, 1),
            _ => return None,
        };
        Some(Self { payload, encoding: encoding.into(), clock_rate, channels })
    }

    /// Whether this is `telephone-event` (RFC 4733).
    #[must_use]
    pub fn is_telephone_event(&self) -> bool {
        self.encoding.eq_ignore_ascii_case(b"telephone-event")
    }

    /// Whether this only accompanies a codec: DTMF events, tones or comfort noise (RFC 4733, RFC 3389).
    #[must_use]
    pub fn is_auxiliary(&self) -> bool {
        self.is_telephone_event()
            || self.encoding.eq_ignore_ascii_case(b"tone")
            || self.encoding.eq_ignore_ascii_case(b"CN")
    }
}

/// Reads a payload type: 0 to 127.
pub(crate) fn payload_type(digits: &[u8]) -> Option<u8> {
    number(digits).filter(|payload| *payload < 128)
}

/// An `a=fmtp` attribute (RFC 8866 §6.15).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fmtp {
    /// The format, for RTP a payload type.
    pub format: Bytes,
    /// The parameters, in the format's own syntax.
    pub parameters: Bytes,
}

impl TypedAttribute for Fmtp {
    const NAME: &'static str = "fmtp";

    fn parse(value: &Bytes) -> Option<Self> {
        let (format, parameters) = split_once(value, b' ')?;
        Some(Self { format: value.slice_ref(format), parameters: value.slice_ref(parameters.trim_ascii()) })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.format);
        out.push(b' ');
        out.extend_from_slice(&self.parameters);
    }
}

impl Fmtp {
    /// A parameter of the usual `name=value;name=value` syntax. Names are compared without regard to case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.parameters.split(|byte| *byte == b';').find_map(|pair| {
            let (key, value) = split_once(pair.trim_ascii(), b'=')?;
            key.trim_ascii().eq_ignore_ascii_case(name.as_bytes()).then_some(value.trim_ascii())
        })
    }
}

/// A codec that we can receive and send.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Codec {
    /// The encoding's name.
    pub encoding: Bytes,
    /// Ticks of the RTP timestamp a second.
    pub clock_rate: u32,
    /// Channels of audio.
    pub channels: u8,
    /// The payload type that we offer it with. Answers use the offer's.
    pub payload: u8,
    /// Format parameters to send.
    pub fmtp: Option<Bytes>,
}

impl Codec {
    /// A codec of one channel.
    #[must_use]
    pub fn new(encoding: impl Into<Bytes>, clock_rate: u32, payload: u8) -> Self {
        Self { encoding: encoding.into(), clock_rate, channels: 1, payload, fmtp: None }
    }

    /// G.711 µ-law.
    #[must_use]
    pub fn pcmu() -> Self {
        Self::new("PCMU", 8_000, 0)
    }

    /// G.711 A-law.
    #[must_use]
    pub fn pcma() -> Self {
        Self::new("PCMA", 8_000, 8)
    }

    /// With this many channels.
    #[must_use]
    pub fn with_channels(mut self, channels: u8) -> Self {
        self.channels = channels;
        self
    }

    /// With format parameters.
    #[must_use]
    pub fn with_fmtp(mut self, parameters: impl Into<Bytes>) -> Self {
        self.fmtp = Some(parameters.into());
        self
    }

    /// Whether a mapping is of this codec.
    #[must_use]
    pub fn matches(&self, map: &RtpMap) -> bool {
        self.encoding.eq_ignore_ascii_case(&map.encoding)
            && self.clock_rate == map.clock_rate
            && self.channels == map.channels
    }

    /// The mapping of this codec to a payload type.
    #[must_use]
    pub fn rtpmap(&self, payload: u8) -> RtpMap {
        RtpMap { payload, encoding: self.encoding.clone(), clock_rate: self.clock_rate, channels: self.channels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &'static str) -> Option<RtpMap> {
        RtpMap::parse(&Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_mapping_is_read_and_written() {
        for text in ["97 iLBC/8000", "96 opus/48000/2", "101 telephone-event/8000"] {
            assert_eq!(map(text).unwrap().to_attribute().value.unwrap(), text);
        }
        assert_eq!(map("8 PCMA/8000/1"), RtpMap::from_static(8));
        for bad in ["", "97", "97 iLBC", "97 /8000", "97 iLBC/x", "128 a/1", "97 a/1/x", "-1 a/1", "97 a/99999999999"] {
            assert_eq!(map(bad), None, "{bad}");
        }
    }

    #[test]
    fn g722_has_the_clock_rate_that_its_registration_got_wrong() {
        assert_eq!(RtpMap::from_static(9).unwrap().clock_rate, 8_000);
        assert_eq!(RtpMap::from_static(1), None);
        assert_eq!(RtpMap::from_static(96), None);
    }

    #[test]
    fn a_codec_matches_by_name_in_any_case_rate_and_channels() {
        assert!(Codec::pcmu().matches(&map("96 pcmu/8000").unwrap()));
        assert!(!Codec::pcmu().matches(&map("96 PCMU/16000").unwrap()));
        assert!(!Codec::pcmu().matches(&map("96 PCMU/8000/2").unwrap()));
        assert!(Codec::new("opus", 48_000, 96).with_channels(2).matches(&map("111 OPUS/48000/2").unwrap()));
    }

    #[test]
    fn format_parameters_are_found_by_name() {
        let fmtp = Fmtp::parse(&Bytes::from_static(b"97 mode=20; Annexb = no;x")).unwrap();
        assert_eq!(fmtp.get("MODE"), Some(&b"20"[..]));
        assert_eq!(fmtp.get("annexb"), Some(&b"no"[..]));
        assert_eq!(fmtp.get("x"), None);
        assert_eq!(Fmtp::parse(&Bytes::from_static(b"97")), None);
    }
}
