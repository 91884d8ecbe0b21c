//! How a call begins: NEW, tokens, challenges, ACCEPT (RFC 5456 §6.2).

use bytes::Bytes;

use crate::Formats;
use crate::config::{Encryption, PeerConfig};
use crate::element::{DateTime, Element, ElementsBuf, EncryptionMethods, Presentation, TypeOfNumber};

/// A call to be made: who is called, and what is told of the caller (RFC 5456 §6.2.2).
#[derive(Debug, Clone, Default)]
pub struct NewCall {
    /// CALLED NUMBER.
    pub number: Option<String>,
    /// CALLED CONTEXT.
    pub context: Option<String>,
    /// CALLING NUMBER.
    pub caller_number: Option<String>,
    /// CALLING NAME.
    pub caller_name: Option<String>,
    /// CALLING ANI.
    pub ani: Option<String>,
    /// DNID.
    pub dnid: Option<String>,
    /// RDNIS.
    pub rdnis: Option<String>,
    /// LANGUAGE.
    pub language: Option<String>,
    /// CALLINGPRES; when it is not said, allowed with a number and unavailable without.
    pub presentation: Option<Presentation>,
    /// CALLINGTON.
    pub type_of_number: TypeOfNumber,
    /// CALLINGTNS.
    pub transit_network: u16,
    /// AUTOANSWER.
    pub auto_answer: bool,
    /// ADSICPE.
    pub adsi: u16,
    /// Variables of Asterisk, name and value.
    pub variables: Vec<(String, String)>,
    /// Formats, when not all that the peer is configured with.
    pub formats: Option<Formats>,
    /// Leave out all that only tells of the caller: for a call that only asks the dialplan.
    pub brief: bool,
}

impl NewCall {
    /// A call to a number.
    pub fn to(number: impl Into<String>) -> Self {
        Self { number: Some(number.into()), ..Self::default() }
    }

    /// The same in a context.
    #[must_use]
    pub fn in_context(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// The same from a number.
    #[must_use]
    pub fn from(mut self, caller: impl Into<String>) -> Self {
        self.caller_number = Some(caller.into());
        self
    }

    pub(crate) fn is_too_long(&self) -> bool {
        let texts = [
            &self.number,
            &self.context,
            &self.caller_number,
            &self.caller_name,
            &self.ani,
            &self.dnid,
            &self.rdnis,
            &self.language,
        ];
        texts.into_iter().flatten().any(|text| text.len() > 255)
            || self.variables.iter().any(|(name, value)| name.len() + 1 + value.len() > 255)
    }

    /// The elements of a NEW in Asterisk's order, VERSION first as the RFC asks; CALLTOKEN is added last by the caller.
    pub(crate) fn elements(&self, peer: &PeerConfig, formats: Formats, date: Option<DateTime>) -> ElementsBuf {
        let mut list = ElementsBuf::new();
        let text = |text: &Option<String>| text.as_deref().map(str::to_owned);
        list.push(&Element::Version(2));
        list.push_some(text(&self.number).as_deref(), Element::CalledNumber);
        let preferences: Vec<_> = peer.preferences.iter().filter(|format| formats.contains(*format)).collect();
        if !self.brief {
            let letters = crate::Preferences::new(preferences.iter().copied()).to_letters();
            list.push(&Element::CodecPreferences(&letters));
            list.push_some(self.caller_number.as_deref(), Element::CallingNumber);
            let implied = match self.caller_number {
                Some(_) => Presentation::ALLOWED,
                None => Presentation::UNAVAILABLE,
            };
            list.push(&Element::CallingPresentation(self.presentation.unwrap_or(implied)));
            list.push(&Element::CallingTypeOfNumber(self.type_of_number));
            list.push(&Element::CallingTransitNetwork(self.transit_network));
            list.push(&Element::CallingAni2(0));
            list.push_some(self.caller_name.as_deref(), Element::CallingName);
            list.push_some(self.ani.as_deref(), Element::CallingAni);
            list.push_some(self.language.as_deref(), Element::Language);
            list.push_some(self.dnid.as_deref(), Element::Dnid);
            list.push_some(self.rdnis.as_deref(), Element::Rdnis);
        }
        list.push_some(self.context.as_deref(), Element::CalledContext);
        list.push_some(peer.credentials.username.as_deref(), Element::Username);
        if peer.encryption != Encryption::Off {
            list.push(&Element::Encryption(EncryptionMethods::AES128 | EncryptionMethods::KEY_ROTATION));
        }
        let wanted = preferences.first().copied().or_else(|| formats.best());
        let wanted = Formats(wanted.map_or(formats.0, crate::Format::bits));
        list.push(&Element::Format(wanted));
        if !self.brief {
            list.push(&Element::Format2(wanted));
        }
        list.push(&Element::Capability(formats));
        if !self.brief {
            list.push(&Element::Capability2(formats));
            list.push(&Element::AdsiCpe(self.adsi));
            if self.auto_answer {
                list.push(&Element::AutoAnswer);
            }
            if let Some(date) = date {
                list.push(&Element::DateTime(date));
            }
            for (name, value) in &self.variables {
                list.push(&Element::OspToken(format!("{name}={value}").as_bytes()));
            }
        }
        list
    }
}

/// What a leg needs until it is linked.
#[derive(Debug, Default)]
pub(super) struct Setup {
    /// Our NEW without its CALLTOKEN.
    pub(super) new: ElementsBuf,
    /// The token to send, empty before one was given.
    pub(super) token: Bytes,
    /// AUTHREQs answered.
    pub(super) answered: u8,
    /// The peer's NEW.
    pub(super) request: Bytes,
    /// What the peer's challenge, or ours, says.
    pub(super) challenge: Vec<u8>,
    /// Our AUTHREQ offered encryption: what comes is encrypted, under which secret shows when it opens.
    pub(super) expects_encryption: bool,
    /// The name is unknown, or may not do this: the answer is refused, whatever it shows.
    pub(super) decoy: bool,
    /// Digests to compute for any answer.
    pub(super) work: usize,
}

/// Why a call that came is refused: words and number that Asterisk uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) text: &'static str,
    pub(crate) cause: crate::element::Cause,
}

impl Refusal {
    pub(crate) const NO_AUTHORITY: Self =
        Self { text: "No authority found", cause: crate::element::Cause::NOT_SUBSCRIBED };
    pub(crate) const NO_CODEC: Self =
        Self { text: "Unable to negotiate codec", cause: crate::element::Cause::NO_BEARER };
}
