//! Header names and typed header values, one type a file.
//!
//! | document | types |
//! |---|---|
//! | RFC 3261 §20 | [`Accept`], [`AcceptEncoding`], [`AcceptLanguage`], [`AlertInfo`], [`Allow`], [`AuthenticationInfo`], [`Authorization`], [`CallId`], [`CallInfo`], [`Contact`], [`ContentDisposition`], [`ContentEncoding`], [`ContentLanguage`], [`ContentLength`], [`ContentType`], [`CSeq`], [`Date`], [`ErrorInfo`], [`Expires`], [`From`], [`InReplyTo`], [`MaxForwards`], [`MimeVersion`], [`MinExpires`], [`Organization`], [`Priority`], [`ProxyAuthenticate`], [`ProxyAuthorization`], [`ProxyRequire`], [`RecordRoute`], [`ReplyTo`], [`Require`], [`RetryAfter`], [`Route`], [`Server`], [`Subject`], [`Supported`], [`Timestamp`], [`To`], [`Unsupported`], [`UserAgent`], [`Via`], [`Warning`], [`WwwAuthenticate`] |
//! | RFC 3262 | [`RSeq`], [`RAck`] |
//! | RFC 3323, 3325 | [`Privacy`], [`PAssertedIdentity`], [`PPreferredIdentity`] |
//! | RFC 3326, 3327, 3608 | [`Reason`], [`Path`], [`ServiceRoute`] |
//! | RFC 3329 | [`SecurityClient`], [`SecurityServer`], [`SecurityVerify`] |
//! | RFC 3515, 3892, 4488 | [`ReferTo`], [`ReferredBy`], [`ReferSub`] |
//! | RFC 3841 | [`AcceptContact`], [`RejectContact`], [`RequestDisposition`] |
//! | RFC 3891, 3911, 4538 | [`Replaces`], [`Join`], [`TargetDialog`] |
//! | RFC 3903 | [`SipEtag`], [`SipIfMatch`] |
//! | RFC 4028 | [`SessionExpires`], [`MinSe`] |
//! | RFC 4412 | [`ResourcePriority`], [`AcceptResourcePriority`] |
//! | RFC 5009, 5393, 5626 | [`PEarlyMedia`], [`MaxBreadth`], [`FlowTimer`] |
//! | RFC 5806, 7044 | [`Diversion`], [`HistoryInfo`] |
//! | RFC 6086 | [`InfoPackage`], [`RecvInfo`] |
//! | RFC 6442 | [`Geolocation`], [`GeolocationRouting`], [`GeolocationError`] |
//! | RFC 6665 | [`Event`], [`AllowEvents`], [`SubscriptionState`] |
//! | RFC 6809, 7433, 7989, 8224 | [`FeatureCaps`], [`UserToUser`], [`SessionId`], [`Identity`] |
//! | RFC 7315, 8498 | [`PAccessNetworkInfo`], [`PAssociatedUri`], [`PCalledPartyId`], [`PChargingFunctionAddresses`], [`PChargingVector`], [`PVisitedNetworkId`], [`PServedUser`] |
//! | RFC 7339, 3581 | parameters of [`Via`]: [`Via::overload_control`], [`Via::rport`] |
//! | RFC 7615 | [`ProxyAuthenticationInfo`] |
//!
//! Every other header is read as a raw value. [`HeaderName`] has constants for the names of these:
//! `Additional-Identity`, `Answer-Mode`, `Attestation-Info`, `Cellular-Network-Info`, `Content-ID`, `Encryption`, `Hide`,
//! `Identity-Info`, `Origination-Id`, `P-Answer-State`, `P-Asserted-Service`, `P-Charge-Info`, `P-DCS-Billing-Info`,
//! `P-DCS-LAES`, `P-DCS-OSPS`, `P-DCS-Redirect`, `P-DCS-Trace-Party-ID`, `P-Media-Authorization`, `P-Preferred-Service`,
//! `P-Private-Network-Indication`, `P-Profile-Key`, `P-Refused-URI-List`, `P-User-Database`, `Permission-Missing`,
//! `Policy-Contact`, `Policy-ID`, `Priority-Share`, `Priv-Answer-Mode`, `Refer-Events-At`, `Relayed-Charge`,
//! `Remote-Party-ID`, `Resource-Share`, `Response-Key`, `Response-Source`, `Restoration-Info`, `Service-Interact-Info`,
//! `Suppress-If-Match`, `Trigger-Consent`.
//!
//! [`TYPED`] lists the names that have a type. A type of one's own implements [`TypedHeader`].

mod accept;
mod accept_contact;
mod accept_encoding;
mod accept_language;
mod accept_resource_priority;
mod alert_info;
mod allow;
mod allow_events;
mod authentication_info;
mod authorization;
mod call_id;
mod call_info;
mod canonical;
mod contact;
mod content_disposition;
mod content_encoding;
mod content_language;
mod content_length;
mod content_type;
mod cseq;
mod date;
mod diversion;
mod error_info;
mod event;
mod expires;
mod feature_caps;
mod flow_timer;
mod from;
mod geolocation;
mod geolocation_error;
mod geolocation_routing;
mod history_info;
mod identity;
mod in_reply_to;
mod info_package;
mod join;
mod macros;
mod max_breadth;
mod max_forwards;
mod media_type;
mod mime_version;
mod min_expires;
mod min_se;
mod name;
mod name_addr;
mod organization;
mod p_access_network_info;
mod p_asserted_identity;
mod p_associated_uri;
mod p_called_party_id;
mod p_charging_function_addresses;
mod p_charging_vector;
mod p_early_media;
mod p_preferred_identity;
mod p_served_user;
mod p_visited_network_id;
mod path;
mod priority;
mod privacy;
mod proxy_authenticate;
mod proxy_authentication_info;
mod proxy_authorization;
mod proxy_require;
mod q_value;
mod rack;
mod reason;
mod record_route;
mod recv_info;
mod refer_sub;
mod refer_to;
mod referred_by;
mod refresher;
mod reject_contact;
mod replaces;
mod reply_to;
mod request_disposition;
mod require;
mod resource_priority;
mod retry_after;
mod route;
mod rseq;
mod security_client;
mod security_server;
mod security_verify;
mod server;
mod service_route;
mod session_expires;
mod session_id;
mod sip_etag;
mod sip_if_match;
mod subject;
mod subscription_state;
mod supported;
mod target_dialog;
mod timestamp;
mod to;
mod unsupported;
mod user_agent;
mod user_to_user;
mod values;
mod via;
mod warning;
mod www_authenticate;

use bytes::{BufMut, Bytes};

use crate::error::ParseError;

pub use accept::Accept;
pub use accept_contact::AcceptContact;
pub use accept_encoding::AcceptEncoding;
pub use accept_language::AcceptLanguage;
pub use accept_resource_priority::AcceptResourcePriority;
pub use alert_info::AlertInfo;
pub use allow::Allow;
pub use allow_events::AllowEvents;
pub use authentication_info::AuthenticationInfo;
pub use authorization::Authorization;
pub use call_id::CallId;
pub use call_info::CallInfo;
pub use canonical::{TYPED, canonical};
pub use contact::Contact;
pub use content_disposition::ContentDisposition;
pub use content_encoding::ContentEncoding;
pub use content_language::ContentLanguage;
pub use content_length::ContentLength;
pub use content_type::ContentType;
pub use cseq::CSeq;
pub use date::Date;
pub use diversion::Diversion;
pub use error_info::ErrorInfo;
pub use event::Event;
pub use expires::Expires;
pub use feature_caps::FeatureCaps;
pub use flow_timer::FlowTimer;
pub use from::From;
pub use geolocation::Geolocation;
pub use geolocation_error::GeolocationError;
pub use geolocation_routing::GeolocationRouting;
pub use history_info::HistoryInfo;
pub use identity::Identity;
pub use in_reply_to::InReplyTo;
pub use info_package::InfoPackage;
pub use join::Join;
pub use max_breadth::MaxBreadth;
pub use max_forwards::MaxForwards;
pub use media_type::MediaType;
pub use mime_version::MimeVersion;
pub use min_expires::MinExpires;
pub use min_se::MinSe;
pub use name::HeaderName;
pub(crate) use name::{Known, scan_name};
pub use name_addr::NameAddr;
pub use organization::Organization;
pub use p_access_network_info::PAccessNetworkInfo;
pub use p_asserted_identity::PAssertedIdentity;
pub use p_associated_uri::PAssociatedUri;
pub use p_called_party_id::PCalledPartyId;
pub use p_charging_function_addresses::PChargingFunctionAddresses;
pub use p_charging_vector::PChargingVector;
pub use p_early_media::PEarlyMedia;
pub use p_preferred_identity::PPreferredIdentity;
pub use p_served_user::PServedUser;
pub use p_visited_network_id::PVisitedNetworkId;
pub use path::Path;
pub use priority::Priority;
pub use privacy::Privacy;
pub use proxy_authenticate::ProxyAuthenticate;
pub use proxy_authentication_info::ProxyAuthenticationInfo;
pub use proxy_authorization::ProxyAuthorization;
pub use proxy_require::ProxyRequire;
pub use q_value::QValue;
pub use rack::RAck;
pub use reason::Reason;
pub use record_route::RecordRoute;
pub use recv_info::RecvInfo;
pub use refer_sub::ReferSub;
pub use refer_to::ReferTo;
pub use referred_by::ReferredBy;
pub use refresher::Refresher;
pub use reject_contact::RejectContact;
pub use replaces::Replaces;
pub use reply_to::ReplyTo;
pub use request_disposition::RequestDisposition;
pub use require::Require;
pub use resource_priority::ResourcePriority;
pub use retry_after::RetryAfter;
pub use route::Route;
pub use rseq::RSeq;
pub use security_client::SecurityClient;
pub use security_server::SecurityServer;
pub use security_verify::SecurityVerify;
pub use server::Server;
pub use service_route::ServiceRoute;
pub use session_expires::SessionExpires;
pub use session_id::SessionId;
pub use sip_etag::SipEtag;
pub use sip_if_match::SipIfMatch;
pub use subject::Subject;
pub use subscription_state::SubscriptionState;
pub use supported::Supported;
pub use target_dialog::TargetDialog;
pub use timestamp::Timestamp;
pub use to::To;
pub use unsupported::Unsupported;
pub use user_agent::UserAgent;
pub use user_to_user::UserToUser;
pub use values::Values;
pub(crate) use values::{has_parameter, trim, trim_end, trim_start, value_length};
pub use via::Via;
pub use warning::Warning;
pub use www_authenticate::WwwAuthenticate;

/// A header whose values have a type. Whoever uses this crate may define his own:
///
/// ```
/// use bytes::{BufMut, Bytes};
/// use sip_core::header::{HeaderName, TypedHeader};
/// use sip_core::{ErrorKind, ParseError, Part};
///
/// struct Shard(u8);
///
/// impl TypedHeader for Shard {
///     const NAME: HeaderName = HeaderName::from_static("X-Shard");
///     const LIST: bool = false;
///
///     fn parse(value: &Bytes) -> Result<Self, ParseError> {
///         match **value {
///             [digit @ b'0'..=b'9'] => Ok(Self(digit - b'0')),
///             _ => Err(ParseError::new(ErrorKind::Syntax, Part::Header(Self::NAME), 0)),
///         }
///     }
///
///     fn encode(&self, out: &mut impl BufMut) {
///         out.put_u8(b'0' + self.0);
///     }
/// }
/// ```
pub trait TypedHeader: Sized {
    /// The name of the header field.
    const NAME: HeaderName;

    /// Whether one line may hold several values with commas between them (RFC 3261 §7.3.1).
    const LIST: bool;

    /// Whether a line without any value is a legal, empty list (such as `Supported:`).
    const EMPTY: bool = false;

    /// Parses one value: unfolded, without white space around it, and without the other values of its line.
    ///
    /// # Errors
    /// When the grammar does not allow the value; the offset is that in the value.
    fn parse(value: &Bytes) -> Result<Self, ParseError>;

    /// Parses the value that stands at `range` of a message, as [`TypedHeader::parse`] does. Types that are read often
    /// spare themselves the slice.
    ///
    /// # Errors
    /// As [`TypedHeader::parse`].
    fn parse_at(message: &Bytes, range: std::ops::Range<usize>) -> Result<Self, ParseError> {
        Self::parse(&if range.is_empty() { Bytes::new() } else { message.slice(range) })
    }

    /// Writes the value, without the name.
    fn encode(&self, out: &mut impl BufMut);
}

/// A header that can be written: every [`TypedHeader`], and values that are only put together to be written, such as
/// [`NewVia`](crate::view::NewVia).
pub trait WriteHeader {
    /// The name of the header field.
    const FIELD: HeaderName;

    /// Whether one line may hold several values with commas between them (RFC 3261 §7.3.1).
    const JOINED: bool;

    /// Writes the value, without the name.
    fn write_value(&self, out: &mut impl BufMut);
}

impl<H: TypedHeader> WriteHeader for H {
    const FIELD: HeaderName = H::NAME;
    const JOINED: bool = H::LIST;

    fn write_value(&self, out: &mut impl BufMut) {
        self.encode(out);
    }
}

/// The bytes of a token (RFC 3261 §25.1).
#[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'
            | b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        byte += 1;
    }
    table
};

/// Whether a byte may be part of a token (RFC 3261 §25.1).
#[must_use]
#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte is always within 256 entries")]
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// Whether these bytes are a token (RFC 3261 §25.1).
#[must_use]
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_token_byte(*byte))
}

/// How many bytes at the beginning are those of a token.
#[must_use]
#[inline]
pub(crate) fn token_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(bytes.len())
}
