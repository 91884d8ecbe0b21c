//! Where users say they are: REGISTER (RFC 3261 §10.3, RFC 3327).
//!
//! The registrar answers REGISTER requests and keeps the bindings in a location store of its own. It does not
//! authenticate: an [`Authenticator`](crate::authenticator::Authenticator) does that before, and the [`Authority`] says
//! for which addresses of record the request may speak.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use sip_proxy::registrar::{Authority, Config, Registrar};
//! # use bytes::Bytes;
//! # use sip_core::{Limits, Message, Request};
//! # use sip_transaction::{Endpoint, ListenerConfig, Source, Transport};
//! # let request = |text: &str| match Message::parse(Bytes::from(text.replace('\n', "\r\n")), &Limits::default()) {
//! #     Ok(Message::Request(request)) => request,
//! #     _ => unreachable!(),
//! # };
//! # let local = "192.0.2.9:5060".parse().unwrap();
//! # let listener = Endpoint::new(Default::default(), [0; 32])
//! #     .add_listener(ListenerConfig::new(Transport::Udp, local));
//! # let remote = "192.0.2.1:5060".parse().unwrap();
//! # let source = Source { transport: Transport::Udp, listener, remote, local, connection: None, received: None };
//!
//! # #[allow(clippy::disallowed_methods)]
//! let now = Instant::now();
//! let mut registrar = Registrar::new(Config::default(), [7; 32]);
//! let register = request("REGISTER sip:example.org SIP/2.0
//! Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1
//! From: <sip:alice@example.org>;tag=1
//! To: <sip:alice@example.org>
//! Call-ID: 1
//! CSeq: 1 REGISTER
//! Contact: <sip:alice@10.0.0.5>
//! Expires: 600
//!
//! ");
//! // The endpoint says where it came from (`source`), the authenticator who sent it.
//! let response = registrar.register(now, &register, &source, Authority::User(b"alice"));
//! assert_eq!(response.status().as_u16(), 200);
//!
//! // A call for her goes where her registration came from, not to the private address in her contact.
//! let address = registrar.address(&"sip:alice@example.org".parse()?).expect("one of our users");
//! let targets = registrar.location().targets(now, &address);
//! assert_eq!(targets[0].target().remote, "192.0.2.1:5060".parse()?);
//!
//! // The registrar forgets her when her time is over.
//! assert_eq!(registrar.poll_timeout(), Some(now + Duration::from_secs(600)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod failure;

use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sip_core::header::{Contact, Date, Expires, NameAddr, Path, Require, UserAgent};
use sip_core::message::Mandatory;
use sip_core::uri::{Host, SipUri, Uri};
use sip_core::{Method, Request, Response, StatusCode, ident};
use sip_transaction::{ConnectionId, Source};

use crate::location::memory::{self, Limit, Memory};
use crate::location::{Binding, Reachability};
pub use config::Config;
use failure::Failure;

/// Below this a requested validity may be too brief (RFC 3261 §10.3 step 7).
const HOUR: Duration = Duration::from_secs(3_600);

/// A registrar and its location store. See the [module](self).
#[derive(Debug)]
pub struct Registrar {
    config: Config,
    location: Memory,
    random: ChaCha20Rng,
    /// A moment and what the wall clock said then, in time since 1970.
    wall_clock: Option<(Instant, Duration)>,
    counters: Counters,
}

/// For which addresses of record a request may speak (RFC 3261 §10.3 steps 3 and 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority<'a> {
    /// An authenticated user: for `sip:user@domain` of his name, and for nothing else. Neither `tel:` nor addresses
    /// without a user are anybody's.
    User(&'a [u8]),
    /// These addresses of record, in the form of [`Registrar::address`].
    Addresses(&'a [Bytes]),
    /// Every address of record. Only for a peer that is trusted by other means.
    Everything,
}

/// What was answered, since the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// 200.
    pub accepted: u64,
    /// 403: for somebody else's address of record.
    pub forbidden: u64,
    /// 423.
    pub too_brief: u64,
    /// 500: older than what is known.
    pub out_of_order: u64,
    /// 503 and 403 for want of room.
    pub no_room: u64,
    /// Everything else.
    pub refused: u64,
}

/// Sizes and counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The location store.
    pub location: memory::Snapshot,
    /// What was answered.
    pub counters: Counters,
}

impl Registrar {
    /// A registrar without bindings. The tags that it gives come from `seed`.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let location = Memory::new(config.location.clone());
        let random = ChaCha20Rng::from_seed(seed);
        Self { config, location, random, wall_clock: None, counters: Counters::default() }
    }

    /// Processes a REGISTER request, completely or not at all, and gives the response to send.
    pub fn register(&mut self, now: Instant, request: &Request, source: &Source, authority: Authority<'_>) -> Response {
        self.location.handle_timeout(now);
        let result = self.process(now, request, source, authority);
        self.count(&result);
        let tag = ident::tag(&mut self.random);
        let (status, address) = match &result {
            Ok(address) => (StatusCode::OK, Some(address)),
            Err(failure) => (failure.status(), None),
        };
        let mut response = Response::to(request, status).to_tag(&tag);
        if let Err(failure) = &result {
            return failure.explain(response).build();
        }
        for path in request.headers().all::<Path>().flatten() {
            response = response.header(&path);
        }
        for binding in address.into_iter().flat_map(|address| self.location.bindings(now, address)) {
            response = response.header(&Contact::Address {
                name_addr: binding.contact.clone(),
                expires: Some(binding.remaining_seconds(now)),
                q: binding.q,
            });
        }
        if let Some((then, unix)) = self.wall_clock {
            response = response.header(&Date(unix.saturating_add(now.saturating_duration_since(then)).as_secs()));
        }
        response.build()
    }

    /// Tells the time of day, for the Date of responses. It may be told again whenever the clock was set.
    pub fn handle_wall_clock(&mut self, now: Instant, since_1970: Duration) {
        self.wall_clock = Some((now, since_1970));
    }

    /// Notes that a connection was closed: contacts behind it cannot be reached until they register again.
    pub fn handle_connection_closed(&mut self, connection: ConnectionId) {
        self.location.handle_connection_closed(connection);
    }

    /// Removes bindings whose time is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.location.handle_timeout(now);
    }

    /// The next change of the bindings, oldest first.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<memory::Change> {
        self.location.poll_output()
    }

    /// When the next binding ends.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.location.poll_timeout()
    }

    /// The bindings.
    #[must_use]
    pub const fn location(&self) -> &Memory {
        &self.location
    }

    /// Gives an address of record, as [`Self::address`] names it, a bound of its own on its bindings.
    pub fn set_limit(&mut self, address: Bytes, limit: Limit) {
        self.location.set_limit(address, limit);
    }

    /// The address of record that a URI stands for: the key of the location store (RFC 3261 §10.3 step 5). `None` when it
    /// is not of one of our domains, or is no SIP URI with a user.
    #[must_use]
    pub fn address(&self, uri: &Uri) -> Option<Bytes> {
        let Uri::Sip(uri) = uri else { return None };
        if !self.serves(&uri.host) || uri.user.as_ref().is_none_or(Bytes::is_empty) {
            return None;
        }
        // Ports name sockets, not users.
        let mut plain = SipUri::new(self.config.canonical.clone().unwrap_or_else(|| uri.host.clone()));
        plain.user.clone_from(&uri.user);
        plain.secure = uri.secure;
        Some(Uri::Sip(plain).address_of_record())
    }

    /// Sizes and counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { location: self.location.snapshot(), counters: self.counters }
    }

    /// The steps of RFC 3261 §10.3. Gives the address of record whose bindings are listed in the answer.
    fn process(
        &mut self,
        now: Instant,
        request: &Request,
        source: &Source,
        authority: Authority<'_>,
    ) -> Result<Bytes, Failure> {
        if *request.method() != Method::Register {
            return Err(Failure::Method);
        }
        let mandatory = request.mandatory().map_err(|error| Failure::Status(error.status()))?;
        self.check_domain(request)?;
        self.check_extensions(request)?;
        let address = self.check_authority(mandatory.to.uri(), authority)?;

        let contacts = contacts(request)?;
        if contacts.is_empty() {
            return Ok(address);
        }
        let expires = requested_expires(request);
        let mut bindings: Vec<Binding> = self.location.bindings(now, &address).cloned().collect();
        if contacts.contains(&Contact::Star) {
            if contacts.len() > 1 || expires != Some(0) {
                return Err(Failure::Status(StatusCode::BAD_REQUEST));
            }
            if bindings.iter().any(|binding| !is_newer(binding, &mandatory)) {
                return Err(Failure::OutOfOrder);
            }
            bindings.clear();
        } else {
            if contacts.len() > self.location.limit(&address).bindings {
                return Err(Failure::TooManyContacts);
            }
            let path = path(request)?;
            let user_agent = request.headers().typed::<UserAgent>().ok().flatten().map(|agent| agent.0);
            // A contact that is named twice is judged once: by what was known before the request.
            let before = bindings.clone();
            for contact in contacts {
                let Contact::Address { name_addr, expires: own, q } = contact else { continue };
                let validity = self.validity(own.or(expires))?;
                let known = before.iter().find(|binding| is_same(binding, &name_addr));
                if known.is_some_and(|binding| !is_newer(binding, &mandatory)) {
                    return Err(Failure::OutOfOrder);
                }
                let place = bindings.iter().position(|binding| is_same(binding, &name_addr));
                if validity.is_zero() {
                    place.map(|place| bindings.remove(place));
                    continue;
                }
                let binding = Binding {
                    contact: name_addr,
                    q,
                    source: *source,
                    path: path.clone(),
                    expires_at: now.checked_add(validity).unwrap_or(now),
                    call_id: mandatory.call_id.clone(),
                    cseq: mandatory.cseq.sequence,
                    user_agent: user_agent.clone(),
                    registered_at: known.map_or(now, |binding| binding.registered_at),
                    refreshed_at: now,
                    reachability: Reachability::Reachable,
                };
                match place.and_then(|place| bindings.get_mut(place)) {
                    Some(old) => *old = binding,
                    None => bindings.push(binding),
                }
            }
        }
        self.location.replace(&address, bindings).map_err(Failure::from)?;
        Ok(address)
    }

    /// Step 1: is it for us?
    fn check_domain(&self, request: &Request) -> Result<(), Failure> {
        match request.uri() {
            Ok(Uri::Sip(uri)) if self.serves(&uri.host) => Ok(()),
            Ok(Uri::Sip(_)) => Err(Failure::Status(StatusCode::NOT_FOUND)),
            Ok(_) => Err(Failure::Status(StatusCode::UNSUPPORTED_URI_SCHEME)),
            Err(error) => Err(Failure::Status(error.status())),
        }
    }

    /// Step 2: do we know all that is required?
    fn check_extensions(&self, request: &Request) -> Result<(), Failure> {
        let mut unknown = Vec::new();
        for option in request.headers().all::<Require>() {
            let option = option.map_err(|error| Failure::Status(error.status()))?;
            if !self.config.supported.iter().any(|known| known.eq_ignore_ascii_case(option.as_bytes())) {
                unknown.push(option.0);
            }
        }
        if unknown.is_empty() { Ok(()) } else { Err(Failure::Extensions(unknown)) }
    }

    /// Steps 4 and 5: may it speak for that address of record, and do we have it?
    fn check_authority(&self, to: &Uri, authority: Authority<'_>) -> Result<Bytes, Failure> {
        let address = self.address(to);
        let is_own = match authority {
            Authority::Everything => true,
            Authority::Addresses(own) => address.as_ref().is_some_and(|address| own.contains(address)),
            Authority::User(name) => to.as_sip().and_then(SipUri::user_text).is_some_and(|user| *user == *name),
        };
        if !is_own {
            return Err(Failure::Forbidden);
        }
        address.ok_or(Failure::Status(StatusCode::NOT_FOUND))
    }

    /// The validity that is granted for the one that is asked for.
    fn validity(&self, requested: Option<u32>) -> Result<Duration, Failure> {
        let requested = requested.map_or(self.config.default_expires, |seconds| Duration::from_secs(seconds.into()));
        if !requested.is_zero() && requested < HOUR && requested < self.config.min_expires {
            return Err(Failure::TooBrief(self.config.min_expires));
        }
        Ok(requested.min(self.config.max_expires))
    }

    fn serves(&self, host: &Host) -> bool {
        self.config.domains.is_empty() || self.config.domains.iter().any(|domain| domain.equivalent(host))
    }

    fn count(&mut self, result: &Result<Bytes, Failure>) {
        let counter = match result {
            Ok(_) => &mut self.counters.accepted,
            Err(Failure::Forbidden) => &mut self.counters.forbidden,
            Err(Failure::TooBrief(_)) => &mut self.counters.too_brief,
            Err(Failure::OutOfOrder) => &mut self.counters.out_of_order,
            Err(Failure::NoRoom | Failure::TooManyContacts) => &mut self.counters.no_room,
            Err(_) => &mut self.counters.refused,
        };
        *counter += 1;
    }
}

/// All contacts of a request. One that cannot be read makes all of them invalid, because the request is processed
/// completely or not at all.
fn contacts(request: &Request) -> Result<Vec<Contact>, Failure> {
    let contacts: Result<Vec<Contact>, _> = request.headers().all::<Contact>().collect();
    contacts.map_err(|error| Failure::Status(error.status()))
}

fn path(request: &Request) -> Result<Vec<NameAddr>, Failure> {
    let path: Result<Vec<NameAddr>, _> = request.headers().all::<Path>().map(|path| path.map(|path| path.0)).collect();
    path.map_err(|error| Failure::Status(error.status()))
}

/// The Expires header. One that cannot be read counts as absent (RFC 3261 §20.19).
fn requested_expires(request: &Request) -> Option<u32> {
    request.headers().typed::<Expires>().ok().flatten().map(|expires| expires.0)
}

/// Whether a request comes after the one that made a binding: another Call-ID, or a higher CSeq.
fn is_newer(binding: &Binding, request: &Mandatory) -> bool {
    binding.call_id != request.call_id || request.cseq.sequence > binding.cseq
}

/// Whether a binding is to that contact: the same URI, or the same flow of the same instance (RFC 5626 §6), whose address
/// may have changed.
fn is_same(binding: &Binding, contact: &NameAddr) -> bool {
    let instance = |contact: &NameAddr| {
        let (instance, flow) = (contact.params.value("+sip.instance")?, contact.params.value("reg-id")?);
        Some((Bytes::copy_from_slice(instance), Bytes::copy_from_slice(flow)))
    };
    binding.contact.uri.equivalent(&contact.uri)
        || instance(contact).is_some_and(|new| instance(&binding.contact) == Some(new))
}

#[cfg(test)]
mod tests;
