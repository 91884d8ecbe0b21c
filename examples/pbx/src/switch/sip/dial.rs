//! Calling an account: all its registered phones, or where it always is.

use std::{net::SocketAddr, time::Instant};

use sip_core::{
    header::{NameAddr, Route},
    uri::{Host, HostPort, SipUri, Uri},
};
use sip_transaction::{
    Target, Transport,
    agent::{Credentials, Invite},
};

use super::{
    super::{
        Switch,
        cause::{Cause, Gone},
        leg::{Kind, Leg, Stage},
    },
    Choice, Ours, SipLeg, choices, events_of, plain, voice_number,
};
use crate::{
    config::{Account, Address, Codec},
    dialplan::CallerId,
};

/// A phone, or another exchange, that can be called.
#[derive(Debug, Clone)]
pub(super) struct Phone {
    pub(super) contact: Uri,
    pub(super) target: Target,
    /// The proxies that its registration came through (RFC 3327).
    pub(super) routes: Vec<Route>,
}

impl Switch {
    /// Whether anything stands behind `Dial(SIP/peer)`.
    /// `hosts`: those that stand in the dialplan.
    pub(in crate::switch) fn sip_reaches(&self, now: Instant, peer: &str, hosts: &[String]) -> bool {
        !self.phones_of(now, peer, None, hosts).is_empty()
    }

    /// Calls all phones of an account: a leg for each.
    pub(in crate::switch) fn sip_dial(
        &mut self,
        now: Instant,
        id: u64,
        runner: u32,
        technology: &'static str,
        peer: &str,
        extension: Option<&str>,
    ) -> Vec<Result<u32, Gone>> {
        let phones = self.phones_of(now, peer, extension, self.named_hosts(id, runner));
        if phones.is_empty() {
            self.count_refusal("not_registered");
            return vec![Err(Cause::ABSENT.into())];
        }
        phones.into_iter().map(|phone| self.sip_call(now, id, runner, technology, peer, phone)).collect()
    }

    fn phones_of(&self, now: Instant, peer: &str, extension: Option<&str>, hosts: &[String]) -> Vec<Phone> {
        if !self.watch.may_call(peer) {
            return Vec::new();
        }
        if self.config.account(peer).is_none() {
            let named = hosts.iter().any(|host| host == peer);
            return stranger(peer, extension).filter(|_| named).into_iter().collect();
        }
        self.places_of(now, peer, extension)
    }

    /// The hosts that a runner's Dial may call although nobody configured them.
    pub(in crate::switch) fn named_hosts(&self, id: u64, runner: u32) -> &[String] {
        let runner = self.calls.get(&id).and_then(|call| call.runners.get(&runner));
        runner.and_then(|runner| runner.dial.as_ref()).map_or(&[], |dial| &dial.spec.hosts)
    }

    /// Where an account is, whether it answers or not.
    pub(super) fn places_of(&self, now: Instant, peer: &str, extension: Option<&str>) -> Vec<Phone> {
        let Some(account) = self.config.account(peer) else { return Vec::new() };
        match &account.address {
            Address::Dynamic => {
                let mut phones = self.phones(now, &account.name);
                if let Some(extension) = extension {
                    phones.iter_mut().for_each(|phone| phone.contact = with_user(&phone.contact, extension));
                }
                phones
            }
            Address::Fixed(place) => {
                let port = account.transport.unwrap_or(Transport::Udp).default_port();
                let remote = self.config.socket(place, port);
                remote.map(|remote| fixed(account, place, remote, extension)).into_iter().collect()
            }
            Address::Nowhere => Vec::new(),
        }
    }

    fn sip_call(
        &mut self,
        now: Instant,
        id: u64,
        runner: u32,
        technology: &'static str,
        peer: &str,
        phone: Phone,
    ) -> Result<u32, Gone> {
        let account = self.config.account(peer).cloned();
        let caller = self.caller_of(id, runner);
        let (channel, unique) = self.name_channel(now, technology, peer);
        let call = self.calls.get_mut(&id).ok_or(Cause::NORMAL)?;
        if !call.has_room_for_leg() {
            return Err(Cause::CONGESTION.into());
        }
        let number = call.number();
        let (key, side, hops) = (call.key(number), call.other_side(), call.hops);
        let pair = call.pair(side).ok_or(Cause::TEMPORARY_FAILURE)?;
        let address = SocketAddr::new(self.media_address, pair.rtp());

        let host = phone.target.listener.map(|listener| self.own_host(listener));
        let (from_user, from_host) = match &account {
            Some(account) => (
                account.from_user.clone().unwrap_or_else(|| caller.number.clone()),
                account.from_domain.as_ref().map(|domain| HostPort::new(Host::Name(domain.clone().into()), None)),
            ),
            None => (caller.number.clone(), None),
        };
        let name = Some(caller.name.as_str()).filter(|name| !name.is_empty());
        let from = self.own_address(from_host.or_else(|| host.clone()), &from_user, name);
        let to = match phone.contact.as_sip().and_then(|uri| uri.user_text()) {
            Some(user) if account.as_ref().is_none_or(|account| account.address != Address::Dynamic) => {
                self.own_address(host, &String::from_utf8_lossy(&user), None)
            }
            _ => self.own_address(host, peer, None),
        };
        let remote = phone.target.remote;
        let mut invite = Invite::new(phone.target, phone.contact, from, to);
        invite.routes = phone.routes;
        invite.max_forwards = Some(hops);
        if let Some((user, secret)) =
            account.as_ref().filter(|it| it.address != Address::Dynamic).and_then(Account::remote_credentials)
        {
            invite.credentials = Some(Credentials::new(user.to_owned(), secret.expose().to_owned()));
        }
        let codecs = account.as_ref().and_then(|account| account.codecs.clone());
        let dtmf = account.as_ref().map(|account| account.dtmf).unwrap_or_default();
        let mut voice = super::Voice::new(voice_number(key));
        let ours = self.offer_for(id, address, codecs.as_deref(), dtmf).ok_or(Cause::BEARER)?;
        invite.offer = Some(ours.offer(&mut voice));

        let limit = account.as_ref().and_then(|account| account.max_calls);
        if !self.ringing.enter(peer, limit.unwrap_or(self.config.limits.calls_per_account)) {
            self.count_refusal("ringing_per_callee");
            return Err(Cause::BUSY.into());
        }
        let session = match self.agent.invite(now, invite) {
            Ok(session) => session,
            Err(error) => {
                tracing::debug!(call = id, %channel, %error, "a phone cannot be called");
                self.ringing.leave(peer, Stage::Down);
                return Err(Gone { status: Some(error.status()), ..Gone::cause(Cause::TEMPORARY_FAILURE) });
            }
        };
        let mut sip = SipLeg::new(session, true, remote.ip(), 0);
        (sip.voice, sip.codecs, sip.dtmf) = (voice, codecs, dtmf);
        let leg = Leg {
            number,
            channel,
            unique,
            technology,
            peer: Some(peer.to_owned()),
            person: CallerId {
                number: account.as_ref().map_or_else(|| peer.to_owned(), |account| account.number().to_owned()),
                name: account.as_ref().and_then(|account| account.caller_id.clone()).unwrap_or_default(),
            },
            context: account.map_or_else(|| crate::config::DEFAULT_CONTEXT.to_owned(), |account| account.context),
            address: remote,
            side,
            stage: Stage::Down,
            early: false,
            began: now,
            answered: None,
            holds: false,
            format: None,
            codec: None,
            dialled_by: Some(runner),
            kind: Kind::Sip(Box::new(sip)),
        };
        self.sessions.insert(session, key);
        if let Some(call) = self.calls.get_mut(&id) {
            call.legs.insert(number, leg);
        }
        Ok(number)
    }

    /// Whom a callee sees as the caller.
    pub(in crate::switch) fn caller_of(&self, id: u64, runner: u32) -> CallerId {
        let runner = self.calls.get(&id).and_then(|call| call.runners.get(&runner));
        let Some(runner) = runner else { return CallerId::default() };
        let mut caller = runner.thread.facts().caller.clone();
        if let Some(number) = runner.dial.as_ref().and_then(|dial| dial.spec.caller_number.clone()) {
            caller.number = number;
        }
        caller
    }

    /// What a callee is offered: the caller's codec, or what he offers himself, and both laws of G.711 where the other
    /// can be turned into them.
    fn offer_for(
        &self,
        id: u64,
        address: SocketAddr,
        codecs: Option<&[Codec]>,
        dtmf: crate::config::DtmfMode,
    ) -> Option<Ours> {
        let key = self.calls.get(&id).map(|call| call.key(call.owner))?;
        let owner = self.leg(key)?;
        let sip = owner.sip();
        let offered = sip.and_then(|sip| sip.offer.as_ref());
        let mut all = match (owner.format, sip.and_then(|sip| sip.agreed.clone()), offered) {
            (_, Some(agreed), _) => vec![agreed],
            (Some(format), None, _) => super::law_of(format).map(Choice::g711).into_iter().collect(),
            (None, None, Some(offer)) => {
                let mut all = choices(offer);
                let own = sip.and_then(|sip| sip.codecs.as_deref());
                all.retain(|choice| choice.is_among(own));
                all
            }
            (None, None, None) => plain(None, None),
        };
        let translates = all.iter().any(|choice| choice.law().is_some());
        for choice in plain(None, None).into_iter().filter(|_| translates) {
            if !all.iter().any(|other| other.law() == choice.law()) {
                all.push(choice);
            }
        }
        all.retain(|choice| choice.is_among(codecs));
        if all.is_empty() {
            return None;
        }
        let wants_events = matches!(dtmf, crate::config::DtmfMode::Auto | crate::config::DtmfMode::Rfc4733);
        let events = offered.and_then(events_of).or(owner.format.and_then(|format| format.dtmf)).unwrap_or(101);
        Some(Ours { address, choices: all, events: wants_events.then_some(events), holds: false })
    }

    /// One of our numbers as an address.
    pub(super) fn own_address(&self, host: Option<HostPort>, user: &str, name: Option<&str>) -> NameAddr {
        let host = host.unwrap_or_else(|| SocketAddr::new(self.media_address, 5060).into());
        let uri = Uri::Sip(SipUri::at(host).with_user(user.as_bytes()));
        let address = NameAddr::new(uri);
        match name {
            Some(name) => address.with_display(name.to_owned()),
            None => address,
        }
    }
}

fn with_user(uri: &Uri, user: &str) -> Uri {
    match uri {
        Uri::Sip(uri) => Uri::Sip(uri.clone().with_user(user.as_bytes())),
        other => other.clone(),
    }
}

/// An account that is always in one place.
fn fixed(account: &Account, place: &HostPort, remote: SocketAddr, extension: Option<&str>) -> Phone {
    let transport = account.transport.unwrap_or(Transport::Udp);
    let user = extension.or(account.remote_extension.as_deref()).unwrap_or(&account.name);
    at(place.clone(), remote, transport, user)
}

/// A host that no account names, by its address.
fn stranger(host: &str, extension: Option<&str>) -> Option<Phone> {
    let place: HostPort = host.parse().ok()?;
    let remote = SocketAddr::new(place.host.ip()?, place.port.unwrap_or(5060));
    Some(at(remote.into(), remote, Transport::Udp, extension.unwrap_or("s")))
}

fn at(place: HostPort, remote: SocketAddr, transport: Transport, user: &str) -> Phone {
    let mut uri = SipUri::at(place).with_user(user.as_bytes());
    if transport != Transport::Udp {
        uri.set_param("transport", Some(transport.token().to_ascii_lowercase().as_bytes()));
    }
    Phone { contact: Uri::Sip(uri), target: Target::new(transport, remote), routes: Vec::new() }
}
