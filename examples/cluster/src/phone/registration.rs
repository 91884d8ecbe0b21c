//! How a phone stays registered (RFC 3261 §10.2).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand_core::RngCore;
use sip_core::{
    Method, Request, Response, StatusCode,
    auth::{self, Challenge, choose},
    header::{Authorization, CSeq, CallId, Contact, Expires, From, HeaderName, NameAddr, To, WwwAuthenticate},
    ident,
    uri::{SipUri, Uri},
};
use sip_transaction::ClientId;

/// How long a registration is asked for.
const EXPIRES: Duration = Duration::from_secs(300);

/// How often one request is sent again with credentials.
const ATTEMPTS: u8 = 2;

/// How long to wait after a failure.
const AGAIN: Duration = Duration::from_secs(1);

/// A registration and what it needs.
#[derive(Debug)]
pub(super) struct Registration {
    account: Bytes,
    secret: Bytes,
    registrar: Uri,
    from: From,
    to: To,
    contact: NameAddr,
    call_id: CallId,
    sequence: u32,
    /// The request under way, how often it was sent with credentials, and whether it is the last one.
    pending: Option<Pending>,
    /// When to send the next one.
    pub(super) due: Option<Instant>,
}

#[derive(Debug)]
struct Pending {
    id: ClientId,
    request: Request,
    attempts: u8,
}

/// What an answer means.
#[derive(Debug)]
pub(super) enum Answer {
    /// Registered; or, after a request to leave, not any more.
    Accepted,
    /// Send this.
    Again(Box<Request>),
    /// Refused.
    Refused(StatusCode),
    /// It is none of ours, or not the last word.
    Other,
}

impl Registration {
    pub(super) fn new(
        account: &str,
        secret: &str,
        server: SocketAddr,
        contact: NameAddr,
        random: &mut impl RngCore,
    ) -> Self {
        let mut own = SipUri::at(server.into());
        own.user = Some(Bytes::copy_from_slice(account.as_bytes()));
        let own = Uri::Sip(own);
        Self {
            account: Bytes::copy_from_slice(account.as_bytes()),
            secret: Bytes::copy_from_slice(secret.as_bytes()),
            registrar: Uri::Sip(SipUri::at(server.into())),
            from: From::new(own.clone()).with_tag(&ident::tag(random)),
            to: To { name_addr: NameAddr::new(own) },
            contact,
            call_id: CallId(ident::call_id(random)),
            sequence: 0,
            pending: None,
            due: None,
        }
    }

    /// The next REGISTER; without `stay`, the one that ends the registration.
    pub(super) fn request(&mut self, stay: bool) -> Request {
        self.due = None;
        self.sequence += 1;
        let expires = if stay { EXPIRES.as_secs() } else { 0 };
        Request::builder(Method::Register, &self.registrar, &self.from, &self.to, &self.call_id, self.sequence)
            .header(&Contact::Address { name_addr: self.contact.clone(), expires: None, q: None })
            .header(&Expires(u32::try_from(expires).unwrap_or(0)))
            .raw(&HeaderName::USER_AGENT, crate::setup::PHONE)
            .build()
    }

    /// Remembers what was sent.
    pub(super) fn sent(&mut self, id: ClientId, request: Request) {
        let attempts = self.pending.take().map_or(0, |pending| pending.attempts);
        self.pending = Some(Pending { id, request, attempts });
    }

    /// Whether a request is under way.
    pub(super) const fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Gives up what is under way and tries again later.
    pub(super) fn retry(&mut self, now: Instant, random: &mut impl RngCore) {
        self.pending = None;
        // Not all at once after a server died.
        let spread = Duration::from_millis(u64::from(random.next_u32() % 400));
        self.due = Some(now + AGAIN / 2 + spread);
    }

    /// A request drew no answer. Whether it was ours.
    pub(super) fn is_ours(&self, id: ClientId) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.id == id)
    }

    /// Takes in an answer.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        id: ClientId,
        response: &Response,
        random: &mut impl RngCore,
    ) -> Answer {
        if !self.is_ours(id) || !response.status().is_final() {
            return Answer::Other;
        }
        let Some(mut pending) = self.pending.take() else { return Answer::Other };
        if response.status().is_success() {
            // Twice in its life: one that is lost does no harm.
            let granted =
                response.headers().typed::<Expires>().ok().flatten().map_or(EXPIRES.as_secs(), |it| it.0.into());
            self.due = Some(now + Duration::from_secs(granted.max(2) / 2));
            return Answer::Accepted;
        }
        if response.status() == StatusCode::UNAUTHORIZED && pending.attempts < ATTEMPTS {
            let challenges: Vec<Challenge> =
                response.headers().all::<WwwAuthenticate>().filter_map(|value| Some(value.ok()?.0)).collect();
            if let Some(request) = choose(&challenges).and_then(|it| self.authorize(&pending.request, it, random)) {
                pending.attempts += 1;
                self.pending = Some(Pending { request: request.clone(), ..pending });
                return Answer::Again(Box::new(request));
            }
        }
        self.retry(now, random);
        Answer::Refused(response.status())
    }

    fn authorize(&mut self, request: &Request, challenge: &Challenge, random: &mut impl RngCore) -> Option<Request> {
        let credentials = auth::Credentials::answer(
            challenge,
            &self.account,
            &self.secret,
            &Method::Register,
            request.uri_bytes(),
            ident::tag(random),
            1,
            request.body(),
        )
        .ok()?;
        self.sequence += 1;
        let mut edit = request.edit();
        edit.replace(&CSeq { sequence: self.sequence, method: Method::Register });
        edit.remove(&HeaderName::AUTHORIZATION);
        edit.push_back(&Authorization(credentials));
        Some(edit.finish())
    }
}
