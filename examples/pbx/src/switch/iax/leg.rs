//! Legs on IAX2: what a call tells them.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use iax2::{
    CallId, CommandError, DialError, DtmfPhase, Endpoint, Format, Formats, NewCall, Reachability,
    element::{Cause as IaxCause, Presentation},
    frame::Control,
};
use rtp::g711::Law;

use super::{
    super::{
        Switch,
        cause::Cause,
        horizon,
        leg::{Kind, Leg, LegKey, Stage},
    },
    LONGEST_UNHEARD, SUSPECT, UNHEARD, setup,
};
use crate::{
    config::{Codec, DEFAULT_CONTEXT},
    dialplan::{CallerId, IaxPeerRef},
    media,
};

/// How far the clock of a call's media may be from the call's own before it is set again.
const ASTRAY: i32 = 1_000;

/// The IAX2 side of a leg.
#[derive(Debug)]
pub(in crate::switch) struct IaxLeg {
    pub(super) call: CallId,
    pub(super) format: Option<Format>,
    /// We called.
    outgoing: bool,
    /// It is accepted.
    accepted: bool,
    began: Instant,
    /// What is added to the timestamps of its media.
    shift: Option<u32>,
    /// The key that is down.
    pub(super) digit: Option<(char, Instant)>,
    /// When it is given up unless something comes.
    pub(super) unheard: Option<Instant>,
    pub(super) round_trip: Option<Duration>,
}

impl IaxLeg {
    pub(super) fn new(now: Instant, call: CallId, outgoing: bool, format: Option<Format>) -> Self {
        Self {
            call,
            format,
            outgoing,
            accepted: false,
            began: now,
            shift: None,
            digit: None,
            unheard: None,
            round_trip: None,
        }
    }

    /// Whether we called.
    pub(super) fn is_outgoing(&self) -> bool {
        self.outgoing
    }

    /// Asterisk's name of the channel.
    pub(in crate::switch) fn channel(&self, peer: &str) -> String {
        format!("IAX2/{peer}-{}", self.call.number())
    }

    /// How its voice is coded, and what that is called.
    pub(in crate::switch) fn coding(&self) -> Option<(media::Format, String)> {
        self.format.map(coding)
    }

    /// A timestamp of its media in the call's own time.
    fn stamp(&mut self, now: Instant, timestamp: u32) -> u32 {
        let elapsed = u32::try_from(now.saturating_duration_since(self.began).as_millis()).unwrap_or(u32::MAX);
        let shift = *self.shift.get_or_insert(elapsed.wrapping_sub(timestamp));
        let stamped = timestamp.wrapping_add(shift);
        if elapsed.wrapping_sub(stamped).cast_signed().abs() <= ASTRAY {
            return stamped;
        }
        self.shift = Some(elapsed.wrapping_sub(timestamp));
        elapsed
    }
}

/// A format of IAX2 as media has it, and the name that SDP gives it.
pub(super) fn coding(format: Format) -> (media::Format, String) {
    let law = match format {
        Format::ULAW => Some(Law::Mu),
        Format::ALAW => Some(Law::A),
        _ => None,
    };
    let media = match law {
        Some(law) => media::Format::g711(law),
        None => media::Format { codec: media::Codec::Opaque, payload_type: 0, dtmf: None },
    };
    let known = Codec::ALL.iter().find(|codec| codec.iax() == Some(format));
    (media, known.map_or_else(|| "IAX2".to_owned(), |codec| codec.encoding().to_owned()))
}

impl Leg {
    pub(super) fn iax(&self) -> Option<&IaxLeg> {
        match &self.kind {
            Kind::Iax(iax) => Some(iax),
            Kind::Sip(_) => None,
        }
    }

    pub(super) fn iax_mut(&mut self) -> Option<&mut IaxLeg> {
        match &mut self.kind {
            Kind::Iax(iax) => Some(iax),
            Kind::Sip(_) => None,
        }
    }
}

impl Switch {
    /// Calls a peer: makes the leg and enters it into the call's legs under `key`, dialled by `runner`.
    pub(in crate::switch) fn iax_dial(
        &mut self,
        now: Instant,
        key: LegKey,
        runner: u32,
        peer: &IaxPeerRef,
        extension: Option<&str>,
        context: Option<&str>,
    ) -> Result<(), Cause> {
        let caller = self.caller_of(key.call, runner);
        let call = self.calls.get(&key.call).ok_or(Cause::NORMAL)?;
        let (side, path) = (call.other_side(), self.horizon.path(call));
        let owner = call.owner();
        let (agreed, language) = (owner.and_then(|leg| leg.codec.clone()), "en".to_owned());
        if self.trunks.suspects.get(&peer.name).is_some_and(|until| *until > now) {
            tracing::debug!(call = key.call, peer = %peer.name, "not dialled: it was silent just now");
            return Err(Cause::ABSENT);
        }
        let configured = self.config.iax.peer(&peer.name);
        let codecs = configured.map_or_else(|| vec![Codec::Ulaw, Codec::Alaw], |peer| peer.codecs().to_vec());
        let new = NewCall {
            number: extension.map(str::to_owned),
            context: context.map(str::to_owned).or_else(|| configured?.peer_context.clone()),
            caller_number: Some(caller.number.clone()).filter(|number| !number.is_empty()),
            caller_name: Some(caller.name.clone()).filter(|name| !name.is_empty()),
            ani: Some(caller.number.clone()).filter(|number| !number.is_empty()),
            dnid: extension.map(str::to_owned),
            language: Some(language),
            presentation: caller.number.is_empty().then_some(Presentation::UNAVAILABLE),
            variables: vec![(horizon::VARIABLE.to_owned(), path)],
            formats: Some(offered(agreed.as_deref(), &codecs)),
            ..NewCall::default()
        };
        let limit = configured.and_then(|peer| peer.max_calls).unwrap_or(self.config.limits.calls);
        let leg_context = configured.and_then(|peer| peer.contexts.first().cloned());
        if !self.ringing.enter(&peer.name, limit) {
            self.count_refusal("ringing_per_callee");
            return Err(Cause::CONGESTION);
        }
        let named = self.named_hosts(key.call, runner).contains(&peer.host());
        let called = match self.begin(now, peer, named, &new) {
            Ok(called) => called,
            Err(error) => {
                tracing::debug!(call = key.call, peer = %peer.name, %error, "a peer cannot be called");
                self.ringing.leave(&peer.name, Stage::Down);
                return Err(cause_of(error));
            }
        };
        let mut iax = IaxLeg::new(now, called, true, None);
        let address = self.trunks.endpoint.as_ref().and_then(|endpoint| endpoint.call_address(called));
        let reachability = self.trunks.endpoint.as_ref().and_then(|endpoint| endpoint.reachability(&peer.name));
        iax.unheard = now.checked_add(patience(reachability));
        self.trunks.unheard.extend(iax.unheard.map(|at| (at, called)));
        let (_, unique) = self.name_channel(now, "IAX2", &peer.name);
        let leg = Leg {
            number: key.leg,
            channel: iax.channel(&peer.name),
            unique,
            technology: "IAX2",
            peer: Some(peer.name.clone()),
            person: CallerId { number: extension.unwrap_or("s").to_owned(), name: String::new() },
            context: leg_context.unwrap_or_else(|| DEFAULT_CONTEXT.to_owned()),
            address: address.unwrap_or_else(|| ([0, 0, 0, 0], 0).into()),
            side,
            stage: Stage::Down,
            early: false,
            began: now,
            answered: None,
            holds: false,
            format: None,
            codec: None,
            dialled_by: Some(runner),
            kind: Kind::Iax(iax),
        };
        self.trunks.legs.insert(called, key);
        if let Some(call) = self.calls.get_mut(&key.call) {
            call.legs.insert(key.leg, leg);
        }
        Ok(())
    }

    /// Calls a configured peer, or one that is only in the Dial, if it is `named` there by the dialplan itself.
    fn begin(&mut self, now: Instant, peer: &IaxPeerRef, named: bool, new: &NewCall) -> Result<CallId, DialError> {
        let (configured, place) = (setup::configured(&self.config, &peer.name), self.place_of(peer));
        let Some(endpoint) = &mut self.trunks.endpoint else { return Err(DialError::UnknownPeer) };
        let plain = peer.user.is_none() && peer.secret.is_none() && peer.port.is_none();
        if configured.is_some() && plain {
            return endpoint.dial(now, &peer.name, new);
        }
        if !named && (configured.is_none() || peer.port.is_some()) {
            return Err(DialError::UnknownPeer);
        }
        let address = place.ok_or(DialError::UnknownPeer)?;
        self.trunks.passing += 1;
        let name = format!("call {}", self.trunks.passing);
        let passing = setup::passing_peer(&name, peer, configured, address);
        endpoint.add_peer(now, passing).map_err(|_| DialError::TooMany)?;
        let called = endpoint.dial(now, &name, new);
        // The call goes on without it; it was just added.
        let _ = endpoint.remove_peer(&name);
        called
    }

    /// Where a peer is, as far as that is known.
    pub(in crate::switch) fn place_of(&self, peer: &IaxPeerRef) -> Option<SocketAddr> {
        let known = self.trunks.endpoint.as_ref()?.peer_address(&peer.name);
        let mut address = known.or_else(|| setup::place(&peer.name.parse().ok()?))?;
        address.set_port(peer.port.unwrap_or(address.port()));
        Some(address)
    }

    /// A call that came in has its place: its events are told of this leg.
    pub(in crate::switch) fn iax_note(&mut self, iax: &IaxLeg, key: LegKey) {
        self.trunks.legs.insert(iax.call, key);
    }

    pub(in crate::switch) fn iax_ring(&mut self, now: Instant, key: LegKey) {
        self.iax_accept(now, key);
        self.iax_command(key, |endpoint, call| endpoint.ring(now, call));
    }

    pub(in crate::switch) fn iax_progress(&mut self, now: Instant, key: LegKey) -> bool {
        self.iax_accept(now, key);
        self.iax_command(key, |endpoint, call| endpoint.control(now, call, Control::Progress, &[]))
    }

    pub(in crate::switch) fn iax_answer(&mut self, now: Instant, key: LegKey) -> bool {
        self.iax_accept(now, key);
        self.iax_command(key, |endpoint, call| endpoint.answer(now, call))
    }

    /// Accepts a call that came, once.
    pub(super) fn iax_accept(&mut self, now: Instant, key: LegKey) {
        let Some(iax) = self.leg_mut(key).and_then(Leg::iax_mut) else { return };
        if !iax.outgoing && !std::mem::replace(&mut iax.accepted, true) {
            self.iax_command(key, |endpoint, call| endpoint.accept(now, call, None));
        }
    }

    pub(in crate::switch) fn iax_hold(&mut self, now: Instant, key: LegKey, on: bool) {
        let control = if on { Control::Hold } else { Control::Unhold };
        self.iax_command(key, |endpoint, call| endpoint.control(now, call, control, &[]));
    }

    pub(in crate::switch) fn iax_digit(&mut self, now: Instant, key: LegKey, digit: char, _duration: Duration) {
        self.iax_command(key, |endpoint, call| endpoint.send_dtmf(now, call, digit, DtmfPhase::End));
    }

    pub(in crate::switch) fn iax_hang_up(&mut self, now: Instant, leg: &Leg, iax: &IaxLeg, cause: Cause) {
        let Some(endpoint) = &mut self.trunks.endpoint else { return };
        // Whoever rang elsewhere is called off as one whose caller gave up; a caller hears why.
        let cause = if iax.outgoing && leg.stage != Stage::Up { Cause::NORMAL } else { cause };
        // It may be over already.
        let _ = endpoint.hang_up(now, iax.call, IaxCause(cause.0), Some(cause.text()));
    }

    pub(in crate::switch) fn iax_forget(&mut self, iax: &IaxLeg) {
        self.trunks.legs.remove(&iax.call);
        if let Some(at) = iax.unheard {
            self.trunks.unheard.remove(&(at, iax.call));
        }
    }

    /// A command to the call of a leg. `false`: the call is over, and its end is on the way, or it is not for such a thing.
    fn iax_command(
        &mut self,
        key: LegKey,
        run: impl FnOnce(&mut Endpoint, CallId) -> Result<(), CommandError>,
    ) -> bool {
        let Some(call) = self.leg(key).and_then(Leg::iax).map(|iax| iax.call) else { return false };
        self.trunks.endpoint.as_mut().is_some_and(|endpoint| run(endpoint, call).is_ok())
    }

    /// Nothing came from a peer in the time in which something should have.
    pub(super) fn on_unheard(&mut self, now: Instant, call: CallId) {
        let Some(&key) = self.trunks.legs.get(&call) else { return };
        if let Some(iax) = self.leg_mut(key).and_then(Leg::iax_mut) {
            iax.unheard = None;
        }
        if self.trunks.endpoint.as_ref().is_some_and(|endpoint| endpoint.is_heard(call)) {
            return self.begin_vigil(now, key);
        }
        self.give_up_silent(now, call);
    }

    /// A call of ours of whose peer nothing is heard: the dialplan goes on.
    pub(super) fn give_up_silent(&mut self, now: Instant, call: CallId) {
        let Some(&key) = self.trunks.legs.get(&call) else { return };
        let peer = self.leg(key).and_then(|leg| leg.peer.clone()).unwrap_or_default();
        let Some(endpoint) = &mut self.trunks.endpoint else { return };
        tracing::warn!(call = key.call, %peer, "IAX2 peer does not answer");
        // Its end is told of nobody.
        let _ = endpoint.hang_up(now, call, IaxCause::NORMAL, None);
        if self.config.iax.peer(&peer).is_some_and(|peer| peer.qualify.is_some()) {
            // What it is like is known soon.
            let _ = endpoint.poke(now, &peer);
        }
        self.trunks.suspects.extend(now.checked_add(SUSPECT).map(|until| (peer, until)));
        self.on_leg(now, key, super::super::leg::Told::Gone(Cause::ABSENT.into()));
    }

    /// Sends voice of a call's media.
    pub(super) fn send_voice(&mut self, now: Instant, voice: &media::Voice) {
        let Some(leg) = self.calls.get(&voice.call).and_then(|call| call.leg_at(voice.side)) else { return };
        self.send_to(now, LegKey { call: voice.call, leg }, voice.timestamp, &voice.payload);
    }

    /// Sends voice to a leg, in its format.
    pub(super) fn send_to(&mut self, now: Instant, key: LegKey, timestamp: u32, payload: &[u8]) {
        let Some(iax) = self.leg_mut(key).and_then(Leg::iax_mut) else { return };
        let Some(format) = iax.format else { return };
        let (call, timestamp) = (iax.call, iax.stamp(now, timestamp));
        if let Some(endpoint) = &mut self.trunks.endpoint {
            // Voice that may not be sent now is lost, as on any network.
            let _ = endpoint.send_voice_at(now, call, format, timestamp, payload);
        }
    }
}

/// What is offered to a peer: the codec that the caller has, when it is one that cannot be translated and the peer may have it;
/// else G.711, else all that it may have.
fn offered(agreed: Option<&str>, codecs: &[Codec]) -> Formats {
    let opaque = |codec: &&Codec| !matches!(codec, Codec::Ulaw | Codec::Alaw);
    let same = codecs.iter().filter(opaque).find(|codec| agreed == Some(codec.encoding())).and_then(|it| it.iax());
    let laws: Formats = codecs.iter().filter(|codec| !opaque(codec)).filter_map(|codec| codec.iax()).collect();
    match same {
        Some(format) => Formats::NONE.with(format),
        None if laws.is_empty() => setup::formats(codecs).0,
        None => laws,
    }
}

/// How long nothing at all may come from a peer that is called: longer when it is known to be far.
fn patience(reachability: Option<Reachability>) -> Duration {
    match reachability {
        Some(Reachability::Reachable(time) | Reachability::Lagged(time)) => {
            time.saturating_mul(2).clamp(UNHEARD, LONGEST_UNHEARD)
        }
        _ => UNHEARD,
    }
}

/// Why a call could not even be begun.
fn cause_of(error: DialError) -> Cause {
    match error {
        DialError::TooMany => Cause::CONGESTION,
        DialError::NoFormat => Cause::BEARER,
        DialError::TooLong => Cause(28),
        _ => Cause::ABSENT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_is_far_is_given_twice_its_delay_within_bounds() {
        let millis = Duration::from_millis;
        for (reachability, patience) in [
            (None, 700),
            (Some(Reachability::Unknown), 700),
            (Some(Reachability::Reachable(millis(20))), 700),
            (Some(Reachability::Reachable(millis(600))), 1_200),
            (Some(Reachability::Lagged(millis(1_500))), 3_000),
            (Some(Reachability::Lagged(Duration::MAX)), 4_000),
        ] {
            assert_eq!(super::patience(reachability), millis(patience), "{reachability:?}");
        }
    }
}
