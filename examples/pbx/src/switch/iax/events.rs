//! What the endpoint tells: of calls, of peers, of registrations.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use iax2::{CallId, DtmfPhase, Ended, Event, Format, Reachability, Request, element::Cause as IaxCause};

use super::{
    super::{
        self as switch, Switch,
        call::{Entrance, said, said_number, text},
        cause::{Cause, Gone},
        horizon::{Horizon, VARIABLE},
        leg::{Kind, Leg, LegKey, Stage, Told},
    },
    leg::{IaxLeg, coding},
};
use crate::{config::DEFAULT_CONTEXT, dialplan::CallerId};

/// How long a key was down that came as a whole.
const WHOLE: Duration = Duration::from_millis(100);

/// How often a call may still be handed on, as SIP counts it.
const HOPS: u8 = 69;

impl Switch {
    pub(super) fn on_trunk(&mut self, now: Instant, event: Event) {
        match event {
            Event::Voice { call, format, timestamp, payload } => self.on_voice(now, call, format, timestamp, payload),
            Event::Incoming { call, peer, address, request } => {
                self.on_trunk_call(now, call, &peer, address, &request);
            }
            Event::Accepted { call, format } => self.on_accepted(now, call, format),
            Event::Ringing(call) => self.trunk_told(now, call, Told::Rang),
            Event::Progress(call) => self.trunk_told(now, call, Told::Progress),
            Event::Answered(call) => self.trunk_told(now, call, Told::Answered),
            Event::Busy(call) => self.give_up(now, call, Cause::BUSY),
            Event::Congestion(call) => self.give_up(now, call, Cause::CONGESTION),
            Event::Hold { call, .. } | Event::Quelch { call, .. } => self.trunk_told(now, call, Told::Hold(true)),
            Event::Unhold(call) | Event::Unquelch(call) => self.trunk_told(now, call, Told::Hold(false)),
            Event::Dtmf { call, digit, phase } => self.on_trunk_key(now, call, digit, phase),
            Event::Ended { call, reason } => {
                let gone = self.gone(call, &reason);
                self.trunk_told(now, call, Told::Gone(gone));
            }
            Event::RoundTrip { call, time } => {
                if let Some(iax) = self.iax_of(call) {
                    iax.round_trip = Some(time);
                }
            }
            Event::Registered { registration, refresh, apparent } => {
                self.on_registered(now, registration, refresh, apparent);
            }
            Event::RegistrationFailed { registration, reason } => self.on_registration_failed(registration, &reason),
            Event::Released(registration) => self.on_released(registration),
            Event::Bound { peer, address, refresh } => self.on_bound(now, &peer, address, refresh),
            Event::Unbound { peer } => self.on_unbound(&peer),
            Event::Reachability { peer, state } => self.on_reachability(&peer, state),
            // Texts, pictures and what only concerns the endpoint itself have nowhere to go.
            _ => {}
        }
    }

    fn iax_of(&mut self, call: CallId) -> Option<&mut IaxLeg> {
        let key = *self.trunks.legs.get(&call)?;
        self.leg_mut(key).and_then(Leg::iax_mut)
    }

    fn trunk_told(&mut self, now: Instant, call: CallId, told: Told) {
        if let Some(&key) = self.trunks.legs.get(&call) {
            self.on_leg(now, key, told);
        }
    }

    fn on_accepted(&mut self, now: Instant, call: CallId, format: Format) {
        let Some(&key) = self.trunks.legs.get(&call) else { return };
        if let Some(at) = self.iax_of(call).and_then(|iax| iax.unheard.take()) {
            self.trunks.unheard.remove(&(at, call));
        }
        if let Some(peer) = self.leg(key).and_then(|leg| leg.peer.clone()) {
            self.trunks.suspects.remove(&peer);
        }
        self.agree_on(key, format);
        self.begin_vigil(now, key);
    }

    /// The voice of a leg is coded so.
    fn agree_on(&mut self, key: LegKey, format: Format) {
        let Some(iax) = self.leg_mut(key).and_then(Leg::iax_mut) else { return };
        iax.format = Some(format);
        let (media, name) = coding(format);
        self.set_format(key, media, &name);
    }

    /// The other end says by a signal that it will not: it hears no more of us.
    fn give_up(&mut self, now: Instant, call: CallId, cause: Cause) {
        if let Some(endpoint) = &mut self.trunks.endpoint {
            // It may be over already.
            let _ = endpoint.hang_up(now, call, IaxCause::NORMAL, None);
        }
        self.trunk_told(now, call, Told::Gone(cause.into()));
    }

    /// Voice goes to the call's media; or, when both talk over trunks and by the same codec, at once to the other.
    fn on_voice(&mut self, now: Instant, id: CallId, format: Format, timestamp: u32, payload: Bytes) {
        let Some(&key) = self.trunks.legs.get(&id) else { return };
        let Some(leg) = self.leg(key) else { return };
        let (side, stage, early) = (leg.side, leg.stage, leg.early);
        if leg.iax().is_some_and(|iax| iax.format != Some(format)) {
            self.agree_on(key, format);
        }
        if key.leg != 0 && stage != Stage::Up && !early {
            // Voice before the answer, unannounced.
            self.on_leg(now, key, Told::Progress);
        }
        match self.talks_over(key, format) {
            Some(other) => self.send_to(now, other, timestamp, &payload),
            None => self.tell(switch::Event::Voice { call: key.call, side, timestamp, payload }),
        }
    }

    /// The leg that hears another one untouched: both are on trunks, joined, by one codec.
    fn talks_over(&self, key: LegKey, format: Format) -> Option<LegKey> {
        let call = self.calls.get(&key.call).filter(|call| call.joined && call.collecting.is_none())?;
        let other = call.legs.get(&call.partner(key.leg)?)?;
        let here = call.legs.get(&key.leg)?;
        let same = other.iax().is_some_and(|iax| iax.format == Some(format));
        (same && !other.holds && !here.holds).then_some(LegKey { leg: other.number, ..key })
    }

    fn on_trunk_key(&mut self, now: Instant, call: CallId, digit: char, phase: DtmfPhase) {
        let Some(iax) = self.iax_of(call) else { return };
        let down = iax.digit.take();
        if phase == DtmfPhase::Begin {
            iax.digit = Some((digit, now));
            return;
        }
        let began = down.filter(|(key, _)| *key == digit).map(|(_, at)| at);
        let duration = began.map_or(WHOLE, |at| now.saturating_duration_since(at));
        self.trunk_told(now, call, Told::Digit { digit, duration, passed: false });
    }

    /// Why a call is over, for its leg.
    fn gone(&self, call: CallId, reason: &Ended) -> Gone {
        let cause = match reason {
            Ended::Local | Ended::Transferred => Cause::NORMAL,
            Ended::Hangup { cause, .. } => cause.filter(|it| it.0 != 0).map_or(Cause::NORMAL, |it| Cause(it.0)),
            Ended::Rejected { cause, .. } => cause.filter(|it| it.0 != 0).map_or(Cause::REJECTED, |it| Cause(it.0)),
            // A call that is answered and lost is the network's; one that never was, nobody's.
            Ended::Timeout => {
                let key = self.trunks.legs.get(&call);
                let up = key.and_then(|key| self.leg(*key)).is_some_and(|leg| leg.stage == Stage::Up);
                if up { Cause::TIMER } else { Cause::ABSENT }
            }
            Ended::Unauthorized => Cause::REJECTED,
            _ => Cause::TEMPORARY_FAILURE,
        };
        cause.into()
    }

    /// A peer calls, and has proved who it is.
    fn on_trunk_call(&mut self, now: Instant, call: CallId, peer: &str, address: SocketAddr, request: &Request) {
        let refused = if self.is_draining() {
            Some(("draining", Cause::SWITCH_CONGESTION))
        } else if self.calls.len() >= self.config.limits.calls {
            Some(("calls", Cause::CONGESTION))
        } else if !self.has_room_for(peer) {
            Some(("calls_per_account", Cause::CONGESTION))
        } else {
            None
        };
        if let Some((reason, cause)) = refused {
            self.count_refusal(reason);
            self.reject(now, call, cause);
            return;
        }
        self.trunks.suspects.remove(peer);
        let configured = self.config.iax.peer(peer);
        let context = request.context().map(text_of).filter(|context| !context.is_empty());
        let context =
            context.or_else(|| configured?.contexts.first().cloned()).unwrap_or_else(|| DEFAULT_CONTEXT.to_owned());
        let person = CallerId {
            number: configured
                .and_then(|peer| peer.caller_number.clone())
                .or_else(|| request.caller_number().map(|number| said_number(number.as_bytes())))
                .unwrap_or_default(),
            name: configured
                .and_then(|peer| peer.caller_id.clone())
                .or_else(|| request.caller_name().map(|name| said(name.as_bytes())))
                .unwrap_or_default(),
        };
        let is_own_number = configured.is_none_or(|peer| peer.caller_number.is_none());
        let variables = request.variables();
        let path = variables.iter().find(|(name, _)| *name == VARIABLE).map(|(_, value)| *value);
        let remote = address.ip().to_string();
        let format = self.trunks.endpoint.as_ref().and_then(|endpoint| endpoint.format(call));
        let entrance = Entrance {
            kind: Kind::Iax(IaxLeg::new(now, call, false, format)),
            technology: "IAX2",
            name: peer.to_owned(),
            peer: Some(peer.to_owned()),
            account: None,
            person,
            address,
            context,
            dialled: text_of(request.number()),
            language: request.language().map_or_else(|| "en".to_owned(), |it| said(it.as_bytes())),
            origin: Horizon::origin(peer, address, path, is_own_number),
            hops: HOPS,
            items: vec![("peerip".to_owned(), remote.clone()), ("recvip".to_owned(), remote)],
        };
        let id = self.enter(now, entrance);
        // Whatever its dialplan waits for, the peer need not wait for our ACCEPT.
        self.iax_accept(now, LegKey { call: id, leg: 0 });
    }

    /// Whether a peer may bring one more call: one that proves nothing, and of which nothing else is said, may not bring
    /// more than an account.
    fn has_room_for(&self, peer: &str) -> bool {
        let bare = self.config.iax.peer(peer).is_none_or(|peer| peer.secret.is_none() && peer.max_calls.is_none());
        let count = || self.calls.values().filter(|call| call.origin.over.as_deref() == Some(peer)).count();
        !bare || count() < self.config.limits.calls_per_account
    }

    fn reject(&mut self, now: Instant, call: CallId, cause: Cause) {
        if let Some(endpoint) = &mut self.trunks.endpoint {
            // It may have given up already.
            let _ = endpoint.hang_up(now, call, IaxCause(cause.0), Some(cause.text()));
        }
    }

    fn on_reachability(&mut self, peer: &str, state: Reachability) {
        match state {
            Reachability::Reachable(time) => {
                self.trunks.suspects.remove(peer);
                tracing::info!(peer, milliseconds = time.as_millis(), "IAX2 peer is reachable");
            }
            Reachability::Lagged(time) => {
                tracing::warn!(peer, milliseconds = time.as_millis(), "IAX2 peer answers late");
            }
            Reachability::Unreachable => tracing::warn!(peer, "IAX2 peer is unreachable"),
            Reachability::Unknown => {}
        }
        self.tell(switch::Event::Changed);
    }
}

/// Text of a peer, without what could break a line.
fn text_of(value: &str) -> String {
    text(value.as_bytes())
}
