//! New calls on SIP: may this caller call, and where does his dialplan begin?

use std::time::Instant;

use bytes::Bytes;
use sip_core::{
    Mandatory, Request, StatusCode,
    header::{HeaderName, UserAgent},
    sdp::Session,
    uri::Uri,
};
use sip_transaction::{Source, agent::SessionId};

use super::{
    super::{
        Switch,
        call::{Entrance, said, said_number, text},
        horizon::Origin,
        leg::Kind,
    },
    SipLeg, choices,
    gate::Decision,
};
use crate::{config::DEFAULT_CONTEXT, dialplan::CallerId};

/// Who calls, as far as we vouch for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Caller {
    /// The account, unless it is a trusted address.
    account: Option<String>,
    person: CallerId,
    context: String,
}

impl Switch {
    pub(in crate::switch) fn on_incoming(
        &mut self,
        now: Instant,
        session: SessionId,
        request: &Request,
        mandatory: &Mandatory,
        source: Source,
        sdp: Option<Bytes>,
    ) {
        if self.is_draining() {
            let after = self.drain_retry_after(now);
            self.refuse_later(now, session, "draining", after);
            return;
        }
        let Some(caller) = self.identify(now, session, request, mandatory, source) else { return };
        if !self.has_room(now, session, &caller) {
            return;
        }
        let hops = mandatory.max_forwards.unwrap_or(70);
        let Some(hops) = hops.checked_sub(1) else {
            self.refuse(now, session, StatusCode::TOO_MANY_HOPS, "hops", &[]);
            return;
        };
        let Some(dialled) = dialled(request) else {
            self.refuse(now, session, StatusCode::UNSUPPORTED_URI_SCHEME, "scheme", &[]);
            return;
        };
        let offer = match sdp.map(|sdp| Session::parse(&sdp)) {
            None => None,
            Some(Ok(offer)) => Some(offer),
            Some(Err(error)) => {
                tracing::debug!(%error, from = %caller.person.number, "an offer is not understood");
                self.refuse(now, session, StatusCode::BAD_REQUEST, "sdp", &[]);
                return;
            }
        };
        let account = caller.account.as_deref().and_then(|name| self.config.account(name));
        let mut sip = SipLeg::new(session, false, source.remote.ip(), self.next_call.wrapping_mul(1 << 16));
        sip.codecs = account.and_then(|account| account.codecs.clone());
        sip.dtmf = account.map(|account| account.dtmf).unwrap_or_default();
        let usable = offer
            .as_ref()
            .is_none_or(|offer| choices(offer).iter().any(|choice| choice.is_among(sip.codecs.as_deref())));
        if !usable {
            self.refuse(now, session, StatusCode::NOT_ACCEPTABLE_HERE, "no_codec", &[]);
            return;
        }
        sip.offer = offer;
        let remote = source.remote.ip().to_string();
        let mut items = vec![("peerip".to_owned(), remote.clone()), ("recvip".to_owned(), remote)];
        if let Ok(Some(agent)) = request.headers().typed::<UserAgent>() {
            items.push(("useragent".to_owned(), said(agent.to_string().as_bytes())));
        }
        let name = caller.account.clone().unwrap_or_else(|| source.remote.ip().to_string());
        self.enter(
            now,
            Entrance {
                kind: Kind::Sip(Box::new(sip)),
                technology: "SIP",
                name,
                peer: caller.account.clone(),
                account: caller.account,
                person: caller.person,
                address: source.remote,
                context: caller.context,
                dialled,
                language: "en".to_owned(),
                origin: Origin::default(),
                hops,
                items,
            },
        );
    }

    /// Whether there is room for one more call; otherwise it has been refused.
    fn has_room(&mut self, now: Instant, session: SessionId, caller: &Caller) -> bool {
        let limits = self.config.limits;
        if self.calls.len() >= limits.calls {
            self.refuse_later(now, session, "calls", 10);
            return false;
        }
        let Some(account) = &caller.account else { return true };
        let limit = self.config.account(account).and_then(|account| account.max_calls);
        let count = self.calls.values().filter(|call| call.account.as_ref() == Some(account)).count();
        if count >= limit.unwrap_or(limits.calls_per_account) {
            self.refuse_later(now, session, "calls_per_account", 10);
            return false;
        }
        true
    }

    /// Who calls: an account that proved its password, or a trusted address. `None` when the call has been refused.
    fn identify(
        &mut self,
        now: Instant,
        session: SessionId,
        request: &Request,
        mandatory: &Mandatory,
        source: Source,
    ) -> Option<Caller> {
        match self.gate.decide(now, request, &source) {
            Decision::Accepted { account } => {
                self.agent.trust(source.remote.ip());
                let Some(account) = self.config.account(&account) else {
                    self.refuse(now, session, StatusCode::FORBIDDEN, "may_not_call", &[]);
                    return None;
                };
                // Whatever From says: a number is only whose password was proved.
                let person = CallerId {
                    number: account.number().to_owned(),
                    name: account.caller_id.clone().unwrap_or_default(),
                };
                Some(Caller { account: Some(account.name.clone()), person, context: account.context.clone() })
            }
            Decision::Trusted { account } => {
                let from = &mandatory.from.name_addr;
                let number = from.uri.as_sip().and_then(|uri| uri.user_text().map(|user| said_number(user.as_ref())));
                let name = from.display.as_ref().map(|display| said(display)).unwrap_or_default();
                let mut person = CallerId {
                    number: number.filter(|it| !it.is_empty()).unwrap_or_else(|| "anonymous".to_owned()),
                    name,
                };
                let account = account.and_then(|name| self.config.account(&name));
                // An exchange says who calls, unless it is told what to say.
                if let Some(number) = account.and_then(|account| account.caller_number.clone()) {
                    person.number = number;
                }
                if let Some(name) = account.and_then(|account| account.caller_id.clone()) {
                    person.name = name;
                }
                Some(Caller {
                    account: account.map(|account| account.name.clone()),
                    person,
                    context: account.map_or_else(|| DEFAULT_CONTEXT.to_owned(), |account| account.context.clone()),
                })
            }
            Decision::Challenge { values, wrong } => {
                let headers: Vec<_> = values.into_iter().map(|value| (HeaderName::WWW_AUTHENTICATE, value)).collect();
                // Without credentials it is not counted as a refusal: every call begins so.
                if wrong {
                    self.count_refusal("wrong_password");
                }
                let _ = self.agent.reject(now, session, StatusCode::UNAUTHORIZED, &headers);
                None
            }
            Decision::Refused { status, reason } => {
                tracing::debug!(from = %source.remote, reason, "call refused");
                self.refuse(now, session, status, reason, &[]);
                None
            }
        }
    }

    fn refuse_later(&mut self, now: Instant, session: SessionId, reason: &'static str, after: u64) {
        let headers = [(HeaderName::RETRY_AFTER, Bytes::from(after.to_string()))];
        self.refuse(now, session, StatusCode::SERVICE_UNAVAILABLE, reason, &headers);
    }

    /// Refuses a call that has no entry yet, and counts why.
    fn refuse(
        &mut self,
        now: Instant,
        session: SessionId,
        status: StatusCode,
        reason: &'static str,
        headers: &[(HeaderName, Bytes)],
    ) {
        self.count_refusal(reason);
        // The caller may have gone meanwhile.
        let _ = self.agent.reject(now, session, status, headers);
    }
}

/// The number that a request asks for.
fn dialled(request: &Request) -> Option<String> {
    match request.uri().ok()? {
        Uri::Sip(uri) => {
            let user = uri.user_text()?;
            // Parameters of a telephone number are not part of it.
            let number = user.split(|byte| *byte == b';').next().unwrap_or_default();
            Some(text(number))
        }
        Uri::Tel(uri) => Some(text(&uri.digits())),
        _ => None,
    }
}
