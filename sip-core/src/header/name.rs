//! Header field names.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use bytes::Bytes;

use super::{is_token, is_token_byte, token_length};
use crate::error::{ErrorKind, ParseError, Part};

/// The name of a header field: a registered one by its number, any other by its bytes as written. Equality and
/// hashing ignore case and form (RFC 3261 §7.3.1, §7.3.3); clones are cheap.
#[derive(Clone)]
pub struct HeaderName(Repr);

#[derive(Clone)]
enum Repr {
    Known(Known),
    Other(Bytes),
}

macro_rules! header_names {
    ($($constant:ident $variant:ident $long:literal $compact:expr;)*) => {
        /// A registered header field name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[allow(clippy::enum_variant_names, reason = "the names are the registry's")]
        pub(crate) enum Known {
            $($variant,)*
        }

        impl Known {
            const ALL: &'static [Self] = &[$(Self::$variant),*];
            pub(super) const LONG: &'static [&'static str] = &[$($long),*];
            const COMPACT: &'static [Option<u8>] = &[$($compact),*];

            const fn long(self) -> &'static str {
                match self {
                    $(Self::$variant => $long,)*
                }
            }
        }

        impl HeaderName {
            $(#[doc = concat!("`", $long, "`.")]
            pub const $constant: Self = Self(Repr::Known(Known::$variant));)*

            /// Every name that has a constant here.
            pub const KNOWN: &'static [Self] = &[$(Self::$constant),*];
        }
    };
}

// The IANA registry of SIP header fields, and Remote-Party-ID, which is in wide use.
header_names! {
    ACCEPT Accept "Accept" None;
    ACCEPT_CONTACT AcceptContact "Accept-Contact" Some(b'a');
    ACCEPT_ENCODING AcceptEncoding "Accept-Encoding" None;
    ACCEPT_LANGUAGE AcceptLanguage "Accept-Language" None;
    ACCEPT_RESOURCE_PRIORITY AcceptResourcePriority "Accept-Resource-Priority" None;
    ADDITIONAL_IDENTITY AdditionalIdentity "Additional-Identity" None;
    ALERT_INFO AlertInfo "Alert-Info" None;
    ALLOW Allow "Allow" None;
    ALLOW_EVENTS AllowEvents "Allow-Events" Some(b'u');
    ANSWER_MODE AnswerMode "Answer-Mode" None;
    ATTESTATION_INFO AttestationInfo "Attestation-Info" None;
    AUTHENTICATION_INFO AuthenticationInfo "Authentication-Info" None;
    AUTHORIZATION Authorization "Authorization" None;
    CALL_ID CallId "Call-ID" Some(b'i');
    CALL_INFO CallInfo "Call-Info" None;
    CELLULAR_NETWORK_INFO CellularNetworkInfo "Cellular-Network-Info" None;
    CONTACT Contact "Contact" Some(b'm');
    CONTENT_DISPOSITION ContentDisposition "Content-Disposition" None;
    CONTENT_ENCODING ContentEncoding "Content-Encoding" Some(b'e');
    CONTENT_ID ContentId "Content-ID" None;
    CONTENT_LANGUAGE ContentLanguage "Content-Language" None;
    CONTENT_LENGTH ContentLength "Content-Length" Some(b'l');
    CONTENT_TYPE ContentType "Content-Type" Some(b'c');
    CSEQ Cseq "CSeq" None;
    DATE Date "Date" None;
    DIVERSION Diversion "Diversion" None;
    ENCRYPTION Encryption "Encryption" None;
    ERROR_INFO ErrorInfo "Error-Info" None;
    EVENT Event "Event" Some(b'o');
    EXPIRES Expires "Expires" None;
    FEATURE_CAPS FeatureCaps "Feature-Caps" None;
    FLOW_TIMER FlowTimer "Flow-Timer" None;
    FROM From "From" Some(b'f');
    GEOLOCATION Geolocation "Geolocation" None;
    GEOLOCATION_ERROR GeolocationError "Geolocation-Error" None;
    GEOLOCATION_ROUTING GeolocationRouting "Geolocation-Routing" None;
    HIDE Hide "Hide" None;
    HISTORY_INFO HistoryInfo "History-Info" None;
    IDENTITY Identity "Identity" Some(b'y');
    IDENTITY_INFO IdentityInfo "Identity-Info" Some(b'n');
    IN_REPLY_TO InReplyTo "In-Reply-To" None;
    INFO_PACKAGE InfoPackage "Info-Package" None;
    JOIN Join "Join" None;
    MAX_BREADTH MaxBreadth "Max-Breadth" None;
    MAX_FORWARDS MaxForwards "Max-Forwards" None;
    MIME_VERSION MimeVersion "MIME-Version" None;
    MIN_EXPIRES MinExpires "Min-Expires" None;
    MIN_SE MinSe "Min-SE" None;
    ORGANIZATION Organization "Organization" None;
    ORIGINATION_ID OriginationId "Origination-Id" None;
    P_ACCESS_NETWORK_INFO PAccessNetworkInfo "P-Access-Network-Info" None;
    P_ANSWER_STATE PAnswerState "P-Answer-State" None;
    P_ASSERTED_IDENTITY PAssertedIdentity "P-Asserted-Identity" None;
    P_ASSERTED_SERVICE PAssertedService "P-Asserted-Service" None;
    P_ASSOCIATED_URI PAssociatedUri "P-Associated-URI" None;
    P_CALLED_PARTY_ID PCalledPartyId "P-Called-Party-ID" None;
    P_CHARGE_INFO PChargeInfo "P-Charge-Info" None;
    P_CHARGING_FUNCTION_ADDRESSES PChargingFunctionAddresses "P-Charging-Function-Addresses" None;
    P_CHARGING_VECTOR PChargingVector "P-Charging-Vector" None;
    P_DCS_BILLING_INFO PDcsBillingInfo "P-DCS-Billing-Info" None;
    P_DCS_LAES PDcsLaes "P-DCS-LAES" None;
    P_DCS_OSPS PDcsOsps "P-DCS-OSPS" None;
    P_DCS_REDIRECT PDcsRedirect "P-DCS-Redirect" None;
    P_DCS_TRACE_PARTY_ID PDcsTracePartyId "P-DCS-Trace-Party-ID" None;
    P_EARLY_MEDIA PEarlyMedia "P-Early-Media" None;
    P_MEDIA_AUTHORIZATION PMediaAuthorization "P-Media-Authorization" None;
    P_PREFERRED_IDENTITY PPreferredIdentity "P-Preferred-Identity" None;
    P_PREFERRED_SERVICE PPreferredService "P-Preferred-Service" None;
    P_PRIVATE_NETWORK_INDICATION PPrivateNetworkIndication "P-Private-Network-Indication" None;
    P_PROFILE_KEY PProfileKey "P-Profile-Key" None;
    P_REFUSED_URI_LIST PRefusedUriList "P-Refused-URI-List" None;
    P_SERVED_USER PServedUser "P-Served-User" None;
    P_USER_DATABASE PUserDatabase "P-User-Database" None;
    P_VISITED_NETWORK_ID PVisitedNetworkId "P-Visited-Network-ID" None;
    PATH Path "Path" None;
    PERMISSION_MISSING PermissionMissing "Permission-Missing" None;
    POLICY_CONTACT PolicyContact "Policy-Contact" None;
    POLICY_ID PolicyId "Policy-ID" None;
    PRIORITY Priority "Priority" None;
    PRIORITY_SHARE PriorityShare "Priority-Share" None;
    PRIV_ANSWER_MODE PrivAnswerMode "Priv-Answer-Mode" None;
    PRIVACY Privacy "Privacy" None;
    PROXY_AUTHENTICATE ProxyAuthenticate "Proxy-Authenticate" None;
    PROXY_AUTHORIZATION ProxyAuthorization "Proxy-Authorization" None;
    PROXY_REQUIRE ProxyRequire "Proxy-Require" None;
    RACK Rack "RAck" None;
    REASON Reason "Reason" None;
    RECORD_ROUTE RecordRoute "Record-Route" None;
    RECV_INFO RecvInfo "Recv-Info" None;
    REFER_EVENTS_AT ReferEventsAt "Refer-Events-At" None;
    REFER_SUB ReferSub "Refer-Sub" None;
    REFER_TO ReferTo "Refer-To" Some(b'r');
    REFERRED_BY ReferredBy "Referred-By" Some(b'b');
    REJECT_CONTACT RejectContact "Reject-Contact" Some(b'j');
    RELAYED_CHARGE RelayedCharge "Relayed-Charge" None;
    REMOTE_PARTY_ID RemotePartyId "Remote-Party-ID" None;
    REPLACES Replaces "Replaces" None;
    REPLY_TO ReplyTo "Reply-To" None;
    REQUEST_DISPOSITION RequestDisposition "Request-Disposition" Some(b'd');
    REQUIRE Require "Require" None;
    RESOURCE_PRIORITY ResourcePriority "Resource-Priority" None;
    RESOURCE_SHARE ResourceShare "Resource-Share" None;
    RESPONSE_KEY ResponseKey "Response-Key" None;
    RESPONSE_SOURCE ResponseSource "Response-Source" None;
    RESTORATION_INFO RestorationInfo "Restoration-Info" None;
    RETRY_AFTER RetryAfter "Retry-After" None;
    ROUTE Route "Route" None;
    RSEQ Rseq "RSeq" None;
    SECURITY_CLIENT SecurityClient "Security-Client" None;
    SECURITY_SERVER SecurityServer "Security-Server" None;
    SECURITY_VERIFY SecurityVerify "Security-Verify" None;
    SERVER Server "Server" None;
    SERVICE_INTERACT_INFO ServiceInteractInfo "Service-Interact-Info" None;
    SERVICE_ROUTE ServiceRoute "Service-Route" None;
    SESSION_EXPIRES SessionExpires "Session-Expires" Some(b'x');
    SESSION_ID SessionId "Session-ID" None;
    SIP_ETAG SipEtag "SIP-ETag" None;
    SIP_IF_MATCH SipIfMatch "SIP-If-Match" None;
    SUBJECT Subject "Subject" Some(b's');
    SUBSCRIPTION_STATE SubscriptionState "Subscription-State" None;
    SUPPORTED Supported "Supported" Some(b'k');
    SUPPRESS_IF_MATCH SuppressIfMatch "Suppress-If-Match" None;
    TARGET_DIALOG TargetDialog "Target-Dialog" None;
    TIMESTAMP Timestamp "Timestamp" None;
    TO To "To" Some(b't');
    TRIGGER_CONSENT TriggerConsent "Trigger-Consent" None;
    UNSUPPORTED Unsupported "Unsupported" None;
    USER_AGENT UserAgent "User-Agent" None;
    USER_TO_USER UserToUser "User-to-User" None;
    VIA Via "Via" Some(b'v');
    WARNING Warning "Warning" None;
    WWW_AUTHENTICATE WwwAuthenticate "WWW-Authenticate" None;
}

impl HeaderName {
    /// Parses a name in any case, long or compact.
    ///
    /// # Errors
    /// When the bytes are not a token (RFC 3261 §25.1) or more than 65,535.
    pub fn parse(name: &[u8]) -> Result<Self, ParseError> {
        if name.len() > usize::from(u16::MAX) {
            return Err(ParseError::new(ErrorKind::TooLarge, Part::HeaderLine, 0));
        }
        if !is_token(name) {
            return Err(ParseError::new(ErrorKind::Syntax, Part::HeaderLine, 0));
        }
        Ok(match known(name) {
            Some(known) => Self::from(known),
            None => Self(Repr::Other(Bytes::copy_from_slice(name))),
        })
    }

    /// A name known when the program is written, for headers of one's own.
    ///
    /// # Panics
    /// When the name is not a token: at compile time, where it is used for a constant.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "the loop's condition bounds the index")]
    pub const fn from_static(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            assert!(is_token_byte(bytes[at]), "a header name must be a token");
            at += 1;
        }
        assert!(at > 0 && at <= u16::MAX as usize, "a header name has 1 to 65,535 bytes");
        match known_const(bytes) {
            Some(known) => Self(Repr::Known(known)),
            None => Self(Repr::Other(Bytes::from_static(bytes))),
        }
    }

    /// A name that is no registered one.
    pub(crate) fn unknown(name: Bytes) -> Self {
        Self(Repr::Other(name))
    }

    /// Which registered name this is.
    pub(crate) const fn known(&self) -> Option<Known> {
        match self.0 {
            Repr::Known(known) => Some(known),
            Repr::Other(_) => None,
        }
    }

    /// Whether one line of this name may hold several values with commas between them (RFC 3261 §7.3.1), as far as
    /// is known here.
    #[must_use]
    pub fn is_list(&self) -> bool {
        matches!(
            self.known(),
            Some(
                Known::Accept
                    | Known::AcceptContact
                    | Known::AcceptEncoding
                    | Known::AcceptLanguage
                    | Known::AcceptResourcePriority
                    | Known::AlertInfo
                    | Known::Allow
                    | Known::AllowEvents
                    | Known::CallInfo
                    | Known::Contact
                    | Known::ContentEncoding
                    | Known::ContentLanguage
                    | Known::Diversion
                    | Known::ErrorInfo
                    | Known::FeatureCaps
                    | Known::Geolocation
                    | Known::HistoryInfo
                    | Known::InReplyTo
                    | Known::PAccessNetworkInfo
                    | Known::PAssertedIdentity
                    | Known::PAssociatedUri
                    | Known::PChargingFunctionAddresses
                    | Known::PEarlyMedia
                    | Known::PMediaAuthorization
                    | Known::PPreferredIdentity
                    | Known::PVisitedNetworkId
                    | Known::Path
                    | Known::PermissionMissing
                    | Known::PolicyContact
                    | Known::Privacy
                    | Known::ProxyRequire
                    | Known::Reason
                    | Known::RecordRoute
                    | Known::RecvInfo
                    | Known::RejectContact
                    | Known::RemotePartyId
                    | Known::RequestDisposition
                    | Known::Require
                    | Known::ResourcePriority
                    | Known::Route
                    | Known::SecurityClient
                    | Known::SecurityServer
                    | Known::SecurityVerify
                    | Known::ServiceRoute
                    | Known::Supported
                    | Known::TriggerConsent
                    | Known::Unsupported
                    | Known::UserToUser
                    | Known::Via
                    | Known::Warning
            )
        )
    }

    /// The long form of a registered name; any other as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Known(known) => known.long(),
            // A token is ASCII, so this never fails.
            Repr::Other(name) => std::str::from_utf8(name).unwrap_or_default(),
        }
    }

    /// The one-letter form, for those that have one (RFC 3261 §7.3.3).
    #[must_use]
    pub fn compact(&self) -> Option<char> {
        let known = self.known()?;
        Known::COMPACT.get(known as usize).copied().flatten().map(char::from)
    }
}

impl From<Known> for HeaderName {
    fn from(known: Known) -> Self {
        Self(Repr::Known(known))
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Known(a), Repr::Known(b)) => a == b,
            (Repr::Other(a), Repr::Other(b)) => a.eq_ignore_ascii_case(b),
            _ => false,
        }
    }
}

impl Eq for HeaderName {}

impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Repr::Known(known) => known.hash(state),
            Repr::Other(name) => {
                for byte in name {
                    state.write_u8(byte.to_ascii_lowercase());
                }
            }
        }
    }
}

impl fmt::Debug for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for HeaderName {
    type Err = ParseError;

    fn from_str(name: &str) -> Result<Self, ParseError> {
        Self::parse(name.as_bytes())
    }
}

/// Slots of the hash table: a power of two, eight times the names.
const SLOTS: usize = 1024;

/// Longer than any registered name, and four words.
const LONGEST: usize = 32;

/// Names by hash, numbers plus one; collisions go to the next slot.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
static TABLE: [u8; SLOTS] = {
    let mut table = [0; SLOTS];
    let mut number = 0;
    while number < Known::LONG.len() {
        let name = &WORDS[number];
        let mut slot = hash(name.words[0], name.length as usize);
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = number as u8 + 1;
        number += 1;
    }
    table
};

/// A name in lower case, eight letters a word, with zeros behind it.
#[derive(Clone, Copy)]
struct Words {
    words: [u64; LONGEST / 8],
    /// Bit 5 of every letter: what tells a capital from a small one.
    cases: [u64; LONGEST / 8],
    /// All bits of every byte of the name.
    masks: [u64; LONGEST / 8],
    length: u8,
}

/// Names by number.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
static WORDS: [Words; Known::LONG.len()] = {
    let none = [0; LONGEST / 8];
    let mut table = [Words { words: none, cases: none, masks: none, length: 0 }; Known::LONG.len()];
    let mut number = 0;
    while number < table.len() {
        let name = Known::LONG[number].as_bytes();
        let mut at = 0;
        while at < name.len() {
            let (word, shift) = (at / 8, at % 8 * 8);
            table[number].words[word] |= (name[at].to_ascii_lowercase() as u64) << shift;
            table[number].masks[word] |= 0xff << shift;
            if name[at].is_ascii_alphabetic() {
                table[number].cases[word] |= 0x20 << shift;
            }
            at += 1;
        }
        table[number].length = name.len() as u8;
        number += 1;
    }
    table
};

/// Compact forms by letter, numbers plus one.
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
static COMPACT: [u8; 26] = {
    let mut table = [0; 26];
    let mut number = 0;
    while number < Known::COMPACT.len() {
        if let Some(letter) = Known::COMPACT[number] {
            table[(letter - b'a') as usize] = number as u8 + 1;
        }
        number += 1;
    }
    table
};

/// By the first eight letters, in any case, and the length, of which there is at least one.
#[inline]
const fn hash(word: u64, length: usize) -> usize {
    let bytes = if length < 8 { length } else { 8 };
    let word = (word | 0x2020_2020_2020_2020) & u64::MAX >> (64 - 8 * bytes);
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(20) as usize ^ length) % SLOTS
}

/// The registered name that the first bytes are, in any case, long or compact.
#[inline(always)]
#[expect(
    clippy::indexing_slicing,
    reason = "slots are taken modulo the table's length, its numbers are those of names"
)]
fn known_chunk(chunk: &[u8; LONGEST], length: usize) -> Option<Known> {
    let [first, rest @ ..] = chunk.as_chunks::<8>().0 else { return None };
    let first = u64::from_le_bytes(*first);
    if length <= 1 {
        return if length == 1 { compact(first as u8) } else { None };
    }
    let mut slot = hash(first, length);
    loop {
        let entry = usize::from(TABLE[slot]);
        if entry == 0 {
            return None;
        }
        let name = &WORDS[entry - 1];
        let differs = |word: u64, at: usize| ((word | name.cases[at]) & name.masks[at]) ^ name.words[at];
        let mut difference = differs(first, 0) | (u64::from(name.length) ^ length as u64);
        if length > 8 {
            for (word, at) in rest.iter().zip(1..LONGEST / 8) {
                difference |= differs(u64::from_le_bytes(*word), at);
            }
        }
        if difference == 0 {
            return Some(Known::ALL[entry - 1]);
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// The first bytes with zeros behind them.
fn padded(bytes: &[u8]) -> [u8; LONGEST] {
    let mut padded = [0; LONGEST];
    for (slot, byte) in padded.iter_mut().zip(bytes) {
        *slot = *byte;
    }
    padded
}

/// The registered name that these bytes are, in any case, long or compact.
fn known(name: &[u8]) -> Option<Known> {
    if name.len() > LONGEST { None } else { known_chunk(&padded(name), name.len()) }
}

/// The name that a header line begins with: which one it is if it is registered, how long it is, and where its colon
/// is.
///
/// # Errors
/// The offset of the first byte that belongs neither to a name nor to white space before the colon.
#[inline(always)]
pub(crate) fn scan_name(line: &[u8]) -> Result<(Option<Known>, usize, usize), usize> {
    match line.first_chunk::<LONGEST>() {
        Some(chunk) => scan_chunk(line, chunk),
        None => scan_short(line),
    }
}

#[cold]
#[inline(never)]
fn scan_short(line: &[u8]) -> Result<(Option<Known>, usize, usize), usize> {
    scan_chunk(line, &padded(line))
}

#[inline(always)]
fn scan_chunk(line: &[u8], chunk: &[u8; LONGEST]) -> Result<(Option<Known>, usize, usize), usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    for (number, word) in chunk.as_chunks::<8>().0.iter().enumerate() {
        // The lowest byte that this marks is a colon; those above may be none.
        let colon = u64::from_le_bytes(*word) ^ (ONES * b':' as u64);
        let found = colon.wrapping_sub(ONES) & !colon & HIGH;
        if found != 0 {
            let colon = number * 8 + found.trailing_zeros() as usize / 8;
            return match known_chunk(chunk, colon) {
                Some(known) => Ok((Some(known), colon, colon)),
                None => scan_other_name(line, colon),
            };
        }
    }
    let colon = memchr::memchr(b':', line).unwrap_or(line.len());
    scan_other_name(line, colon)
}

/// A name that is not registered, or has white space behind it.
#[inline(never)]
fn scan_other_name(line: &[u8], colon: usize) -> Result<(Option<Known>, usize, usize), usize> {
    let before = line.get(..colon).unwrap_or_default();
    let length = token_length(before);
    if length == 0 {
        return Err(0);
    }
    let white = before.get(length..).unwrap_or_default();
    if let Some(strange) = white.iter().position(|byte| !matches!(byte, b' ' | b'\t')) {
        return Err(length + strange);
    }
    if colon == line.len() {
        return Err(colon);
    }
    Ok((known(before.get(..length).unwrap_or_default()), length, colon))
}

/// As [`known`], at compile time.
#[expect(clippy::indexing_slicing, reason = "the loops' conditions bound the indices")]
const fn known_const(name: &[u8]) -> Option<Known> {
    if let [letter] = *name {
        return compact(letter);
    }
    let mut entry = 0;
    while entry < Known::LONG.len() {
        let long = Known::LONG[entry].as_bytes();
        let mut same = 0;
        while same < name.len() && same < long.len() && name[same].eq_ignore_ascii_case(&long[same]) {
            same += 1;
        }
        if same == name.len() && same == long.len() {
            return Some(Known::ALL[entry]);
        }
        entry += 1;
    }
    None
}

#[inline]
#[expect(clippy::indexing_slicing, reason = "a lower-case letter is one of 26, the table's numbers are those of names")]
const fn compact(letter: u8) -> Option<Known> {
    let letter = letter.to_ascii_lowercase();
    if !letter.is_ascii_lowercase() {
        return None;
    }
    match COMPACT[(letter - b'a') as usize] {
        0 => None,
        entry => Some(Known::ALL[entry as usize - 1]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_registered_name_is_found_in_any_case_and_in_its_compact_form() {
        for name in HeaderName::KNOWN {
            let long = name.as_str();
            for written in [long.to_owned(), long.to_ascii_lowercase(), long.to_ascii_uppercase()] {
                let parsed = HeaderName::parse(written.as_bytes()).unwrap();
                assert_eq!(&parsed, name);
                assert_eq!(parsed.as_str(), long);
            }
            if let Some(letter) = name.compact() {
                assert_eq!(&letter.to_string().parse::<HeaderName>().unwrap(), name);
                assert_eq!(&letter.to_ascii_uppercase().to_string().parse::<HeaderName>().unwrap(), name);
            }
        }
        assert_eq!(HeaderName::KNOWN.iter().collect::<HashSet<_>>().len(), HeaderName::KNOWN.len());
    }

    #[test]
    fn an_unknown_name_keeps_its_case_and_equals_itself_in_any_other() {
        let name = HeaderName::parse(b"X-CuStOm").unwrap();
        assert_eq!(name.as_str(), "X-CuStOm");
        let other = HeaderName::parse(b"x-custom").unwrap();
        assert_eq!(name, other);
        assert_eq!(HashSet::from([name, other]).len(), 1);
    }

    #[test]
    fn a_static_name_is_the_registered_one_where_there_is_one() {
        assert_eq!(HeaderName::from_static("call-id"), HeaderName::CALL_ID);
        assert_eq!(HeaderName::from_static("X-A").as_str(), "X-A");
    }

    #[test]
    fn what_differs_from_a_registered_name_in_one_byte_is_another_name() {
        for name in HeaderName::KNOWN {
            let long = name.as_str().as_bytes();
            for at in 0..long.len() {
                for byte in (0..=255).filter(|byte| is_token_byte(*byte)) {
                    let mut written = long.to_vec();
                    written[at] = byte;
                    let same = byte.eq_ignore_ascii_case(&long[at]);
                    let is_known = HeaderName::parse(&written).unwrap() == *name;
                    assert_eq!(is_known, same, "{}", String::from_utf8_lossy(&written));
                }
            }
            assert_ne!(&HeaderName::parse(&[long, b"s"].concat()).unwrap(), name);
        }
    }

    #[test]
    fn a_scanned_name_ends_at_its_colon() {
        for (line, length, colon) in [
            (&b"Via: x"[..], 3, 3),
            (b"v:", 1, 1),
            (b"Max-Forwards \t: 70 and more, until there are enough bytes for a word", 12, 14),
            (b"X-A-Name-That-Is-Longer-Than-Any-That-Is-Registered: x", 51, 51),
            (b"X-A-Name-That-Is-Longer-Than-Any-That-Is-Registered   : x", 51, 54),
        ] {
            let (known, found_length, found_colon) = scan_name(line).unwrap();
            assert_eq!((found_length, found_colon), (length, colon));
            assert_eq!(known.is_some(), line[0] != b'X');
        }
        for (line, offset) in [
            (&b""[..], 0),
            (b":", 0),
            (b" Via:", 0),
            (b"Max\rForwards: 70", 3),
            (b"Max-Forwards", 12),
            (b"Max Forwards: 70", 4),
            (b"no colon here\r\nVia: x", 3),
            (b"Via\0: ", 3),
        ] {
            let found = scan_name(line);
            assert!(found.is_err(), "{line:?}");
            assert!(found.unwrap_err() <= offset, "{line:?}");
        }
    }

    #[test]
    fn what_is_no_token_is_no_name() {
        for name in [&b""[..], b"a b", b"a:", b"\xc3\xa9", b"(", b"a\r\n"] {
            assert!(HeaderName::parse(name).is_err(), "{name:?}");
        }
        // A letter with no header, and a sign that differs from a letter by one bit.
        assert_eq!(HeaderName::parse(b"z").unwrap().compact(), None);
        assert!(HeaderName::parse(b"V").unwrap() == HeaderName::VIA);
        assert!(HeaderName::parse(b"\x16").is_err());
    }
}
