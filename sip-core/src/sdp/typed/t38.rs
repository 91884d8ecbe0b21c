//! Fax over IP: the attributes of T.38.

use bytes::Bytes;

use crate::sdp::text::number;
use crate::sdp::{Attribute, Media};

/// The `T38…` attributes of an `image` stream (ITU-T T.38 §D.2.3). What is absent has the recommendation's default.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct T38 {
    /// `T38FaxVersion`; 0 when absent.
    pub version: Option<u8>,
    /// `T38MaxBitRate`, bits a second.
    pub max_bit_rate: Option<u32>,
    /// `T38FaxFillBitRemoval`.
    pub fill_bit_removal: bool,
    /// `T38FaxTranscodingMMR`.
    pub transcoding_mmr: bool,
    /// `T38FaxTranscodingJBIG`.
    pub transcoding_jbig: bool,
    /// `T38FaxRateManagement`: `transferredTCF` or `localTCF`.
    pub rate_management: Option<Bytes>,
    /// `T38FaxMaxBuffer`, bytes.
    pub max_buffer: Option<u32>,
    /// `T38FaxMaxDatagram`, bytes.
    pub max_datagram: Option<u32>,
    /// `T38FaxUdpEC`.
    pub error_correction: Option<T38ErrorCorrection>,
}

/// How lost packets are made up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum T38ErrorCorrection {
    /// `t38UDPRedundancy`.
    Redundancy,
    /// `t38UDPFEC`.
    Fec,
    /// `t38UDPNoEC`.
    None,
}

impl T38ErrorCorrection {
    const ALL: [Self; 3] = [Self::Redundancy, Self::Fec, Self::None];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Redundancy => "t38UDPRedundancy",
            Self::Fec => "t38UDPFEC",
            Self::None => "t38UDPNoEC",
        }
    }
}

impl T38 {
    /// Reads the attributes of a stream. Names are compared without regard to case, as implementations differ.
    #[must_use]
    pub fn of(media: &Media) -> Self {
        let mut this = Self::default();
        for Attribute { name, value } in &media.attributes {
            let value = value.clone().unwrap_or_default();
            // A flag without a value is on; Cisco's has a value.
            let flag = || value.trim_ascii() != b"0";
            match &*name.to_ascii_lowercase() {
                b"t38faxversion" => this.version = number(value.trim_ascii()),
                b"t38maxbitrate" => this.max_bit_rate = number(value.trim_ascii()),
                b"t38faxfillbitremoval" => this.fill_bit_removal = flag(),
                b"t38faxtranscodingmmr" => this.transcoding_mmr = flag(),
                b"t38faxtranscodingjbig" => this.transcoding_jbig = flag(),
                b"t38faxratemanagement" => this.rate_management = Some(value.slice_ref(value.trim_ascii())),
                b"t38faxmaxbuffer" => this.max_buffer = number(value.trim_ascii()),
                b"t38faxmaxdatagram" => this.max_datagram = number(value.trim_ascii()),
                b"t38faxudpec" => {
                    this.error_correction = T38ErrorCorrection::ALL
                        .into_iter()
                        .find(|kind| value.trim_ascii().eq_ignore_ascii_case(kind.as_str().as_bytes()));
                }
                _ => {}
            }
        }
        this
    }

    /// The attributes, in the recommendation's order.
    #[must_use]
    pub fn to_attributes(&self) -> Vec<Attribute> {
        let mut attributes = Vec::new();
        let mut value = |name, value: Option<String>| attributes.extend(value.map(|value| Attribute::new(name, value)));
        value("T38FaxVersion", self.version.map(|version| version.to_string()));
        value("T38MaxBitRate", self.max_bit_rate.map(|rate| rate.to_string()));
        for (name, set) in [
            ("T38FaxFillBitRemoval", self.fill_bit_removal),
            ("T38FaxTranscodingMMR", self.transcoding_mmr),
            ("T38FaxTranscodingJBIG", self.transcoding_jbig),
        ] {
            attributes.extend(set.then(|| Attribute::flag(name)));
        }
        if let Some(management) = &self.rate_management {
            attributes.push(Attribute::new("T38FaxRateManagement", management.clone()));
        }
        let mut value = |name, value: Option<String>| attributes.extend(value.map(|value| Attribute::new(name, value)));
        value("T38FaxMaxBuffer", self.max_buffer.map(|bytes| bytes.to_string()));
        value("T38FaxMaxDatagram", self.max_datagram.map(|bytes| bytes.to_string()));
        value("T38FaxUdpEC", self.error_correction.map(|kind| kind.as_str().to_owned()));
        attributes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attributes_of_rfc_6466_are_read_and_written() {
        let mut media = Media::new("image", 20_000, "udptl");
        for text in [
            "T38FaxVersion:0",
            "T38MaxBitRate:9600",
            "T38FaxFillBitRemoval",
            "T38FaxRateManagement:transferredTCF",
            "T38FaxMaxBuffer:262",
            "T38FaxMaxDatagram:90",
            "T38FaxUdpEC:t38UDPRedundancy",
        ] {
            media.attributes.push(Attribute::parse(&Bytes::from_static(text.as_bytes())));
        }
        let fax = T38::of(&media);
        assert_eq!((fax.version, fax.max_bit_rate, fax.max_datagram), (Some(0), Some(9_600), Some(90)));
        assert_eq!(fax.error_correction, Some(T38ErrorCorrection::Redundancy));
        assert!(fax.fill_bit_removal && !fax.transcoding_mmr);
        assert_eq!(fax.to_attributes(), media.attributes);
    }

    #[test]
    fn other_spellings_are_read_too() {
        let mut media = Media::new("image", 1, "udptl");
        for text in ["t38faxfillbitremoval:0", "T38FaxTranscodingMMR:1", "T38FaxUdpEC: t38udpfec"] {
            media.attributes.push(Attribute::parse(&Bytes::from_static(text.as_bytes())));
        }
        let fax = T38::of(&media);
        assert!(!fax.fill_bit_removal && fax.transcoding_mmr);
        assert_eq!(fax.error_correction, Some(T38ErrorCorrection::Fec));
    }
}
