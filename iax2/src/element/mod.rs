//! Information elements (RFC 5456 §8.6): a checked list of borrowed elements beside values that encode.

mod address;
mod auth;
mod caller;
mod cause;
mod datetime;
mod dialplan;
mod messages;
mod report;

pub use auth::{AuthMethods, EncryptionMethods};
pub use caller::{Presentation, TypeOfNumber};
pub use cause::Cause;
pub use datetime::DateTime;
pub use dialplan::DialplanStatus;
pub use messages::MessageCount;
pub use report::Loss;

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};

use crate::{ErrorKind, Formats, ParseError, Part};

/// One information element. Text is bytes: UTF-8 is the rule, but not promised.
///
/// An element of a known number whose length is not the one it must have is [`Other`](Self::Other), so that every
/// element encodes to the bytes that it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Element<'a> {
    /// CALLED NUMBER (§8.6.1): number or extension that is called.
    CalledNumber(&'a [u8]),
    /// CALLING NUMBER (§8.6.2).
    CallingNumber(&'a [u8]),
    /// CALLING ANI (§8.6.3): number for billing.
    CallingAni(&'a [u8]),
    /// CALLING NAME (§8.6.4).
    CallingName(&'a [u8]),
    /// CALLED CONTEXT (§8.6.5).
    CalledContext(&'a [u8]),
    /// USERNAME (§8.6.6).
    Username(&'a [u8]),
    /// PASSWORD (RFC 5457 §2.6): the secret in clear.
    Password(&'a [u8]),
    /// CAPABILITY (§8.6.7): formats that the sender has.
    Capability(Formats),
    /// FORMAT (§8.6.8): the format wished for or chosen.
    Format(Formats),
    /// LANGUAGE (§8.6.9).
    Language(&'a [u8]),
    /// VERSION (§8.6.10): 2.
    Version(u16),
    /// ADSICPE (§8.6.11).
    AdsiCpe(u16),
    /// DNID (§8.6.12): number that was dialled at first.
    Dnid(&'a [u8]),
    /// AUTHMETHODS (§8.6.13).
    AuthMethods(AuthMethods),
    /// CHALLENGE (§8.6.14); in RTKEY the new key (Asterisk).
    Challenge(&'a [u8]),
    /// MD5 RESULT (§8.6.15).
    Md5Result(&'a [u8]),
    /// RSA RESULT (§8.6.16).
    RsaResult(&'a [u8]),
    /// APPARENT ADDR (§8.6.17).
    ApparentAddress(SocketAddr),
    /// REFRESH (§8.6.18), in seconds.
    Refresh(u16),
    /// DPSTATUS (§8.6.19).
    DialplanStatus(DialplanStatus),
    /// CALLNO (§8.6.20).
    CallNumber(u16),
    /// CAUSE (§8.6.21), in words.
    Cause(&'a [u8]),
    /// IAX UNKNOWN (§8.6.22): the subclass that was not known.
    IaxUnknown(u8),
    /// MSGCOUNT (§8.6.23).
    MessageCount(MessageCount),
    /// AUTOANSWER (§8.6.24).
    AutoAnswer,
    /// MUSICONHOLD (§8.6.25): the class, or nothing.
    MusicOnHold(&'a [u8]),
    /// TRANSFERID (§8.6.26).
    TransferId(u32),
    /// RDNIS (§8.6.27): number that redirected the call.
    Rdnis(&'a [u8]),
    /// PROVISIONING (Asterisk).
    Provisioning(&'a [u8]),
    /// AESPROVISIONING (Asterisk).
    AesProvisioning(&'a [u8]),
    /// DATETIME (§8.6.28).
    DateTime(DateTime),
    /// DEVICETYPE (Asterisk).
    DeviceType(&'a [u8]),
    /// SERVICEIDENT (Asterisk).
    ServiceIdent(&'a [u8]),
    /// FIRMWAREVER (Asterisk).
    FirmwareVersion(u16),
    /// FWBLOCKDESC (Asterisk).
    FirmwareBlock(u32),
    /// FWBLOCKDATA (Asterisk).
    FirmwareData(&'a [u8]),
    /// PROVVER (Asterisk).
    ProvisioningVersion(u32),
    /// CALLINGPRES (§8.6.29).
    CallingPresentation(Presentation),
    /// CALLINGTON (§8.6.30).
    CallingTypeOfNumber(TypeOfNumber),
    /// CALLINGTNS (§8.6.31).
    CallingTransitNetwork(u16),
    /// SAMPLINGRATE (§8.6.32), in hertz.
    SamplingRate(u16),
    /// CAUSECODE (§8.6.33).
    CauseCode(Cause),
    /// ENCRYPTION (§8.6.34): two bytes, whatever the figure's length says.
    Encryption(EncryptionMethods),
    /// ENCKEY (RFC 5457 §2.6).
    EncryptionKey(&'a [u8]),
    /// CODEC PREFS (§8.6.35): letters, see [`Preferences`](crate::Preferences).
    CodecPreferences(&'a [u8]),
    /// RR JITTER (§8.6.36).
    ReportJitter(u32),
    /// RR LOSS (§8.6.37).
    ReportLoss(Loss),
    /// RR PKTS (§8.6.38).
    ReportPackets(u32),
    /// RR DELAY (§8.6.39), in milliseconds.
    ReportDelay(u16),
    /// RR DROPPED (§8.6.40).
    ReportDropped(u32),
    /// RR OOO (§8.6.41).
    ReportOutOfOrder(u32),
    /// OSPTOKEN (§8.6.42); Asterisk sends its variables, `NAME=value`, under this number.
    OspToken(&'a [u8]),
    /// OSPTOKEN under Asterisk's number.
    AsteriskOspToken(&'a [u8]),
    /// CALLTOKEN (Asterisk): empty to ask for a token.
    CallToken(&'a [u8]),
    /// CAPABILITY2 (Asterisk): version 0 and 64 bits of formats.
    Capability2(Formats),
    /// FORMAT2 (Asterisk): version 0 and one of 64 formats.
    Format2(Formats),
    /// CALLINGANI2 (Asterisk).
    CallingAni2(u32),
    /// Any other element, or one of a length that its number does not allow.
    Other {
        /// Its number.
        id: u8,
        /// Its data, at most 255 bytes.
        data: &'a [u8],
    },
}

/// Numbers of the information elements.
pub mod id {
    /// CALLED NUMBER (§8.6.1).
    pub const CALLED_NUMBER: u8 = 1;
    /// CALLING NUMBER (§8.6.2).
    pub const CALLING_NUMBER: u8 = 2;
    /// CALLING ANI (§8.6.3).
    pub const CALLING_ANI: u8 = 3;
    /// CALLING NAME (§8.6.4).
    pub const CALLING_NAME: u8 = 4;
    /// CALLED CONTEXT (§8.6.5).
    pub const CALLED_CONTEXT: u8 = 5;
    /// USERNAME (§8.6.6).
    pub const USERNAME: u8 = 6;
    /// PASSWORD (RFC 5457 §2.6).
    pub const PASSWORD: u8 = 7;
    /// CAPABILITY (§8.6.7).
    pub const CAPABILITY: u8 = 8;
    /// FORMAT (§8.6.8).
    pub const FORMAT: u8 = 9;
    /// LANGUAGE (§8.6.9).
    pub const LANGUAGE: u8 = 10;
    /// VERSION (§8.6.10).
    pub const VERSION: u8 = 11;
    /// ADSICPE (§8.6.11).
    pub const ADSI_CPE: u8 = 12;
    /// DNID (§8.6.12).
    pub const DNID: u8 = 13;
    /// AUTHMETHODS (§8.6.13).
    pub const AUTH_METHODS: u8 = 14;
    /// CHALLENGE (§8.6.14).
    pub const CHALLENGE: u8 = 15;
    /// MD5 RESULT (§8.6.15).
    pub const MD5_RESULT: u8 = 16;
    /// RSA RESULT (§8.6.16).
    pub const RSA_RESULT: u8 = 17;
    /// APPARENT ADDR (§8.6.17).
    pub const APPARENT_ADDRESS: u8 = 18;
    /// REFRESH (§8.6.18).
    pub const REFRESH: u8 = 19;
    /// DPSTATUS (§8.6.19).
    pub const DIALPLAN_STATUS: u8 = 20;
    /// CALLNO (§8.6.20).
    pub const CALL_NUMBER: u8 = 21;
    /// CAUSE (§8.6.21).
    pub const CAUSE: u8 = 22;
    /// IAX UNKNOWN (§8.6.22).
    pub const IAX_UNKNOWN: u8 = 23;
    /// MSGCOUNT (§8.6.23).
    pub const MESSAGE_COUNT: u8 = 24;
    /// AUTOANSWER (§8.6.24).
    pub const AUTO_ANSWER: u8 = 25;
    /// MUSICONHOLD (§8.6.25).
    pub const MUSIC_ON_HOLD: u8 = 26;
    /// TRANSFERID (§8.6.26).
    pub const TRANSFER_ID: u8 = 27;
    /// RDNIS (§8.6.27).
    pub const RDNIS: u8 = 28;
    /// PROVISIONING (Asterisk).
    pub const PROVISIONING: u8 = 29;
    /// AESPROVISIONING (Asterisk).
    pub const AES_PROVISIONING: u8 = 30;
    /// DATETIME (§8.6.28).
    pub const DATE_TIME: u8 = 31;
    /// DEVICETYPE (Asterisk).
    pub const DEVICE_TYPE: u8 = 32;
    /// SERVICEIDENT (Asterisk).
    pub const SERVICE_IDENT: u8 = 33;
    /// FIRMWAREVER (Asterisk).
    pub const FIRMWARE_VERSION: u8 = 34;
    /// FWBLOCKDESC (Asterisk).
    pub const FIRMWARE_BLOCK: u8 = 35;
    /// FWBLOCKDATA (Asterisk).
    pub const FIRMWARE_DATA: u8 = 36;
    /// PROVVER (Asterisk).
    pub const PROVISIONING_VERSION: u8 = 37;
    /// CALLINGPRES (§8.6.29).
    pub const CALLING_PRESENTATION: u8 = 38;
    /// CALLINGTON (§8.6.30).
    pub const CALLING_TYPE_OF_NUMBER: u8 = 39;
    /// CALLINGTNS (§8.6.31).
    pub const CALLING_TRANSIT_NETWORK: u8 = 40;
    /// SAMPLINGRATE (§8.6.32).
    pub const SAMPLING_RATE: u8 = 41;
    /// CAUSECODE (§8.6.33).
    pub const CAUSE_CODE: u8 = 42;
    /// ENCRYPTION (§8.6.34).
    pub const ENCRYPTION: u8 = 43;
    /// ENCKEY (RFC 5457 §2.6).
    pub const ENCRYPTION_KEY: u8 = 44;
    /// CODEC PREFS (§8.6.35).
    pub const CODEC_PREFERENCES: u8 = 45;
    /// RR JITTER (§8.6.36).
    pub const REPORT_JITTER: u8 = 46;
    /// RR LOSS (§8.6.37).
    pub const REPORT_LOSS: u8 = 47;
    /// RR PKTS (§8.6.38).
    pub const REPORT_PACKETS: u8 = 48;
    /// RR DELAY (§8.6.39).
    pub const REPORT_DELAY: u8 = 49;
    /// RR DROPPED (§8.6.40).
    pub const REPORT_DROPPED: u8 = 50;
    /// RR OOO (§8.6.41).
    pub const REPORT_OUT_OF_ORDER: u8 = 51;
    /// OSPTOKEN (§8.6.42).
    pub const OSP_TOKEN: u8 = 52;
    /// OSPTOKEN under Asterisk's number.
    pub const ASTERISK_OSP_TOKEN: u8 = 53;
    /// CALLTOKEN (Asterisk).
    pub const CALL_TOKEN: u8 = 54;
    /// CAPABILITY2 (Asterisk).
    pub const CAPABILITY2: u8 = 55;
    /// FORMAT2 (Asterisk).
    pub const FORMAT2: u8 = 56;
    /// CALLINGANI2 (Asterisk).
    pub const CALLING_ANI2: u8 = 57;
}

impl<'a> Element<'a> {
    /// The element of a number and its data.
    pub fn new(id: u8, data: &'a [u8]) -> Self {
        Self::typed(id, data).unwrap_or(Self::Other { id, data })
    }

    fn typed(id: u8, data: &'a [u8]) -> Option<Self> {
        let int8 = || <[u8; 1]>::try_from(data).ok().map(|[b]| b);
        let int16 = || <[u8; 2]>::try_from(data).ok().map(u16::from_be_bytes);
        let int32 = || <[u8; 4]>::try_from(data).ok().map(u32::from_be_bytes);
        let int64 = || match data.split_first()? {
            (0, rest) => <[u8; 8]>::try_from(rest).ok().map(u64::from_be_bytes),
            _ => None,
        };
        Some(match id {
            1 => Self::CalledNumber(data),
            2 => Self::CallingNumber(data),
            3 => Self::CallingAni(data),
            4 => Self::CallingName(data),
            5 => Self::CalledContext(data),
            6 => Self::Username(data),
            7 => Self::Password(data),
            8 => Self::Capability(Formats(u64::from(int32()?))),
            9 => Self::Format(Formats(u64::from(int32()?))),
            10 => Self::Language(data),
            11 => Self::Version(int16()?),
            12 => Self::AdsiCpe(int16()?),
            13 => Self::Dnid(data),
            14 => Self::AuthMethods(AuthMethods::from_bits_retain(int16()?)),
            15 => Self::Challenge(data),
            16 => Self::Md5Result(data),
            17 => Self::RsaResult(data),
            18 => Self::ApparentAddress(address::parse(data)?),
            19 => Self::Refresh(int16()?),
            20 => Self::DialplanStatus(DialplanStatus::from_bits_retain(int16()?)),
            21 => Self::CallNumber(int16()?),
            22 => Self::Cause(data),
            23 => Self::IaxUnknown(int8()?),
            24 => Self::MessageCount(MessageCount(int16()?)),
            25 if data.is_empty() => Self::AutoAnswer,
            26 => Self::MusicOnHold(data),
            27 => Self::TransferId(int32()?),
            28 => Self::Rdnis(data),
            29 => Self::Provisioning(data),
            30 => Self::AesProvisioning(data),
            31 => Self::DateTime(DateTime(int32()?)),
            32 => Self::DeviceType(data),
            33 => Self::ServiceIdent(data),
            34 => Self::FirmwareVersion(int16()?),
            35 => Self::FirmwareBlock(int32()?),
            36 => Self::FirmwareData(data),
            37 => Self::ProvisioningVersion(int32()?),
            38 => Self::CallingPresentation(Presentation(int8()?)),
            39 => Self::CallingTypeOfNumber(TypeOfNumber(int8()?)),
            40 => Self::CallingTransitNetwork(int16()?),
            41 => Self::SamplingRate(int16()?),
            42 => Self::CauseCode(Cause(int8()?)),
            43 => Self::Encryption(EncryptionMethods::from_bits_retain(int16()?)),
            44 => Self::EncryptionKey(data),
            45 => Self::CodecPreferences(data),
            46 => Self::ReportJitter(int32()?),
            47 => Self::ReportLoss(Loss(int32()?)),
            48 => Self::ReportPackets(int32()?),
            49 => Self::ReportDelay(int16()?),
            50 => Self::ReportDropped(int32()?),
            51 => Self::ReportOutOfOrder(int32()?),
            52 => Self::OspToken(data),
            53 => Self::AsteriskOspToken(data),
            54 => Self::CallToken(data),
            55 => Self::Capability2(Formats(int64()?)),
            56 => Self::Format2(Formats(int64()?)),
            57 => Self::CallingAni2(int32()?),
            _ => return None,
        })
    }

    /// The element's number.
    pub const fn id(&self) -> u8 {
        match self {
            Self::CalledNumber(_) => 1,
            Self::CallingNumber(_) => 2,
            Self::CallingAni(_) => 3,
            Self::CallingName(_) => 4,
            Self::CalledContext(_) => 5,
            Self::Username(_) => 6,
            Self::Password(_) => 7,
            Self::Capability(_) => 8,
            Self::Format(_) => 9,
            Self::Language(_) => 10,
            Self::Version(_) => 11,
            Self::AdsiCpe(_) => 12,
            Self::Dnid(_) => 13,
            Self::AuthMethods(_) => 14,
            Self::Challenge(_) => 15,
            Self::Md5Result(_) => 16,
            Self::RsaResult(_) => 17,
            Self::ApparentAddress(_) => 18,
            Self::Refresh(_) => 19,
            Self::DialplanStatus(_) => 20,
            Self::CallNumber(_) => 21,
            Self::Cause(_) => 22,
            Self::IaxUnknown(_) => 23,
            Self::MessageCount(_) => 24,
            Self::AutoAnswer => 25,
            Self::MusicOnHold(_) => 26,
            Self::TransferId(_) => 27,
            Self::Rdnis(_) => 28,
            Self::Provisioning(_) => 29,
            Self::AesProvisioning(_) => 30,
            Self::DateTime(_) => 31,
            Self::DeviceType(_) => 32,
            Self::ServiceIdent(_) => 33,
            Self::FirmwareVersion(_) => 34,
            Self::FirmwareBlock(_) => 35,
            Self::FirmwareData(_) => 36,
            Self::ProvisioningVersion(_) => 37,
            Self::CallingPresentation(_) => 38,
            Self::CallingTypeOfNumber(_) => 39,
            Self::CallingTransitNetwork(_) => 40,
            Self::SamplingRate(_) => 41,
            Self::CauseCode(_) => 42,
            Self::Encryption(_) => 43,
            Self::EncryptionKey(_) => 44,
            Self::CodecPreferences(_) => 45,
            Self::ReportJitter(_) => 46,
            Self::ReportLoss(_) => 47,
            Self::ReportPackets(_) => 48,
            Self::ReportDelay(_) => 49,
            Self::ReportDropped(_) => 50,
            Self::ReportOutOfOrder(_) => 51,
            Self::OspToken(_) => 52,
            Self::AsteriskOspToken(_) => 53,
            Self::CallToken(_) => 54,
            Self::Capability2(_) => 55,
            Self::Format2(_) => 56,
            Self::CallingAni2(_) => 57,
            Self::Other { id, .. } => *id,
        }
    }

    /// Writes number, length and data; data beyond 255 bytes is cut.
    pub fn encode(&self, out: &mut impl BufMut) {
        let id = self.id();
        match self {
            Self::CalledNumber(data)
            | Self::CallingNumber(data)
            | Self::CallingAni(data)
            | Self::CallingName(data)
            | Self::CalledContext(data)
            | Self::Username(data)
            | Self::Password(data)
            | Self::Language(data)
            | Self::Dnid(data)
            | Self::Challenge(data)
            | Self::Md5Result(data)
            | Self::RsaResult(data)
            | Self::Cause(data)
            | Self::MusicOnHold(data)
            | Self::Rdnis(data)
            | Self::Provisioning(data)
            | Self::AesProvisioning(data)
            | Self::DeviceType(data)
            | Self::ServiceIdent(data)
            | Self::FirmwareData(data)
            | Self::EncryptionKey(data)
            | Self::CodecPreferences(data)
            | Self::OspToken(data)
            | Self::AsteriskOspToken(data)
            | Self::CallToken(data) => put(out, id, data),
            Self::Capability(data) | Self::Format(data) => put(out, id, &((data.0 & 0xffff_ffff) as u32).to_be_bytes()),
            Self::Version(data)
            | Self::AdsiCpe(data)
            | Self::Refresh(data)
            | Self::CallNumber(data)
            | Self::FirmwareVersion(data)
            | Self::CallingTransitNetwork(data)
            | Self::SamplingRate(data)
            | Self::ReportDelay(data) => put(out, id, &data.to_be_bytes()),
            Self::AuthMethods(data) => put(out, id, &data.bits().to_be_bytes()),
            Self::ApparentAddress(data) => {
                let (bytes, len) = address::encode(*data);
                put(out, id, bytes.get(..len).unwrap_or(&bytes));
            }
            Self::DialplanStatus(data) => put(out, id, &data.bits().to_be_bytes()),
            Self::IaxUnknown(data) => put(out, id, &[*data]),
            Self::MessageCount(data) => put(out, id, &data.0.to_be_bytes()),
            Self::AutoAnswer => put(out, id, &[]),
            Self::TransferId(data)
            | Self::FirmwareBlock(data)
            | Self::ProvisioningVersion(data)
            | Self::ReportJitter(data)
            | Self::ReportPackets(data)
            | Self::ReportDropped(data)
            | Self::ReportOutOfOrder(data)
            | Self::CallingAni2(data) => put(out, id, &data.to_be_bytes()),
            Self::DateTime(data) => put(out, id, &data.0.to_be_bytes()),
            Self::CallingPresentation(data) => put(out, id, &[data.0]),
            Self::CallingTypeOfNumber(data) => put(out, id, &[data.0]),
            Self::CauseCode(data) => put(out, id, &[data.0]),
            Self::Encryption(data) => put(out, id, &data.bits().to_be_bytes()),
            Self::ReportLoss(data) => put(out, id, &data.0.to_be_bytes()),
            Self::Capability2(data) | Self::Format2(data) => {
                out.put_slice(&[id, 9, 0]);
                out.put_u64(data.0);
            }
            Self::Other { data, .. } => put(out, id, data),
        }
    }
}

fn put(out: &mut impl BufMut, id: u8, data: &[u8]) {
    let len = u8::try_from(data.len()).unwrap_or(u8::MAX);
    out.put_slice(&[id, len]);
    out.put_slice(data.get(..usize::from(len)).unwrap_or(data));
}

/// Elements of a frame, checked: every length is inside the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// Checks a list of elements.
    ///
    /// # Errors
    /// An element's length runs past the end, or one byte is left over.
    pub fn parse(data: &'a [u8]) -> Result<Self, ParseError> {
        let mut rest = data;
        while !rest.is_empty() {
            let offset = data.len() - rest.len();
            let Some(([_, len], after)) = rest.split_first_chunk::<2>() else {
                return Err(ParseError::new(ErrorKind::Truncated, Part::Element, offset));
            };
            let Some((_, after)) = after.split_at_checked(usize::from(*len)) else {
                return Err(ParseError::new(ErrorKind::Overrun, Part::Element, offset));
            };
            rest = after;
        }
        Ok(Self(data))
    }

    /// The elements in order.
    pub fn iter(&self) -> Iter<'a> {
        Iter(self.0)
    }

    /// The bytes of the list.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The first element of a number.
    pub fn get(&self, id: u8) -> Option<Element<'a>> {
        self.iter().find(|element| element.id() == id)
    }

    /// Data of the first element of a number, as it is.
    pub fn data(&self, id: u8) -> Option<&'a [u8]> {
        let mut rest = self.0;
        while let Some(([number, len], after)) = rest.split_first_chunk::<2>() {
            let (data, after) = after.split_at_checked(usize::from(*len))?;
            if *number == id {
                return Some(data);
            }
            rest = after;
        }
        None
    }

    /// Data of the first element of a number, when it is UTF-8.
    pub fn text(&self, id: u8) -> Option<&'a str> {
        std::str::from_utf8(self.data(id)?).ok()
    }
}

impl<'a> IntoIterator for &Elements<'a> {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Iterator over the elements of a frame.
#[derive(Debug, Clone)]
pub struct Iter<'a>(&'a [u8]);

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let ([id, len], rest) = self.0.split_first_chunk::<2>()?;
        let (data, rest) = rest.split_at_checked(usize::from(*len))?;
        self.0 = rest;
        Some(Element::new(*id, data))
    }
}

/// A list of elements being written.
#[derive(Debug, Clone, Default)]
pub struct ElementsBuf(BytesMut);

impl ElementsBuf {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an element.
    pub fn push(&mut self, element: &Element<'_>) -> &mut Self {
        element.encode(&mut self.0);
        self
    }

    /// Adds an element of text unless there is none.
    pub fn push_some<'a>(&mut self, text: Option<&'a str>, element: impl FnOnce(&'a [u8]) -> Element<'a>) -> &mut Self {
        if let Some(text) = text {
            self.push(&element(text.as_bytes()));
        }
        self
    }

    /// Adds all elements of another list.
    pub fn append(&mut self, other: &Self) -> &mut Self {
        self.0.extend_from_slice(&other.0);
        self
    }

    /// The bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The finished list.
    pub fn into_bytes(self) -> Bytes {
        self.0.freeze()
    }
}

impl<'a> FromIterator<Element<'a>> for ElementsBuf {
    fn from_iter<I: IntoIterator<Item = Element<'a>>>(elements: I) -> Self {
        let mut list = Self::new();
        for element in elements {
            list.push(&element);
        }
        list
    }
}
