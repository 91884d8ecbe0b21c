//! Commands for calls.

use std::time::{Duration, Instant};

use rand_core::RngCore;

use super::{Endpoint, Leg, with_leg};
use crate::Format;
use crate::call::{Call, Carrier, CommandError, NewCall};
use crate::element::{Cause, DateTime, DialplanStatus, MessageCount};
use crate::event::{CallId, DtmfPhase};
use crate::frame::{Command, Control, Html, Kind};
use crate::link::Cx;

/// Why a call cannot be made. The caller's doing, except where it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// There is no such peer.
    #[error("no such peer")]
    UnknownPeer,
    /// The peer has no address, or has not registered.
    #[error("the peer is nowhere")]
    NoAddress,
    /// The peer is watched and does not answer.
    #[error("the peer is unreachable")]
    Unreachable,
    /// A local limit: of all calls, of calls with this peer, or of call numbers.
    #[error("too many calls")]
    TooMany,
    /// A text of more than 255 bytes.
    #[error("too long")]
    TooLong,
    /// No format is left to offer.
    #[error("no format to offer")]
    NoFormat,
}

impl Endpoint {
    /// Calls a peer; events tell how it goes.
    ///
    /// # Errors
    /// The call cannot even be begun.
    pub fn dial(&mut self, now: Instant, peer: &str, new: &NewCall) -> Result<CallId, DialError> {
        self.tick(now);
        if new.is_too_long() {
            return Err(DialError::TooLong);
        }
        let found = self.peers.get(peer).ok_or(DialError::UnknownPeer)?;
        let address = found.address().ok_or(DialError::NoAddress)?;
        if found.reachability == crate::Reachability::Unreachable {
            return Err(DialError::Unreachable);
        }
        if found.calls >= found.profile.config.max_calls {
            return Err(DialError::TooMany);
        }
        let profile = found.profile.clone();
        let formats = profile.config.formats;
        if new.formats.map_or(formats, |only| only.and(formats)).is_empty() {
            return Err(DialError::NoFormat);
        }
        let trunk = profile.config.trunk.is_some();
        let number = self.allocate(trunk, address.ip(), true).ok_or(DialError::TooMany)?;
        let id = CallId { number, generation: self.next_generation() };
        let name = profile.name.clone();
        let call = Call::outgoing(&mut self.cx(), id, profile, address, new);
        self.insert(number, Leg::Call(Box::new(call)), Some(name));
        Ok(id)
    }

    fn command(
        &mut self,
        now: Instant,
        id: CallId,
        run: impl FnOnce(&mut Call, &mut Cx<'_>) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        self.tick(now);
        self.call(id).ok_or(CommandError::UnknownCall)?;
        let before = self.out.len();
        let result = with_leg!(self, id.number, |leg, cx| match leg {
            Leg::Call(call) => run(call, cx),
            _ => Err(CommandError::UnknownCall),
        });
        self.settle(id.number, before, false);
        result.unwrap_or(Err(CommandError::UnknownCall))
    }

    /// Accepts a call that came, in the negotiated format or in one that the caller has too (RFC 5456 §6.2.3).
    ///
    /// # Errors
    /// There is no such call, it is not to be accepted (any more), or the caller does not have the format.
    pub fn accept(&mut self, now: Instant, call: CallId, format: Option<Format>) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.accept(cx, format))
    }

    /// Answers a call that came (RFC 5456 §6.3.4), and accepts it first when that was not done.
    ///
    /// # Errors
    /// There is no such call, or it is answered.
    pub fn answer(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.answer(cx))
    }

    /// Says that the other end rings (RFC 5456 §6.3.3).
    ///
    /// # Errors
    /// There is no such call, or it is not accepted.
    pub fn ring(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        self.control(now, call, Control::Ringing, &[])
    }

    /// Sends any control frame (RFC 5456 §8.3), with the data that goes with it.
    ///
    /// # Errors
    /// There is no such call, or it is not accepted.
    pub fn control(&mut self, now: Instant, call: CallId, control: Control, data: &[u8]) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.control(cx, control, data))
    }

    /// Ends a call: REJECT before it is accepted, HANGUP after (RFC 5456 §6.2.4, §6.2.5).
    ///
    /// # Errors
    /// There is no such call.
    pub fn hang_up(
        &mut self,
        now: Instant,
        call: CallId,
        cause: Cause,
        text: Option<&str>,
    ) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.finish(cx, Some(cause), text))
    }

    /// Sends voice in the call's format, with the timestamp that follows from the frame before or from the clock.
    ///
    /// # Errors
    /// There is no such call, or no voice may be sent on it now.
    pub fn send_voice(&mut self, now: Instant, call: CallId, payload: &[u8]) -> Result<(), CommandError> {
        self.voice(now, call, None, None, payload, false)
    }

    /// Sends voice of any format with a timestamp, in milliseconds, of the program's own.
    ///
    /// # Errors
    /// There is no such call, or no voice may be sent on it now.
    pub fn send_voice_at(
        &mut self,
        now: Instant,
        call: CallId,
        format: Format,
        timestamp: u32,
        payload: &[u8],
    ) -> Result<(), CommandError> {
        self.voice(now, call, Some(format), Some(timestamp), payload, false)
    }

    pub(super) fn voice(
        &mut self,
        now: Instant,
        id: CallId,
        format: Option<Format>,
        timestamp: Option<u32>,
        payload: &[u8],
        full: bool,
    ) -> Result<(), CommandError> {
        self.tick(now);
        if payload.len() > 60_000 {
            return Err(CommandError::TooLong);
        }
        self.call(id).ok_or(CommandError::UnknownCall)?;
        let mut outstanding = false;
        let mut address = None;
        let start = self.out.len();
        let result = with_leg!(self, id.number, |leg, cx| match leg {
            Leg::Call(call) => {
                let before = call.link.reliable.outstanding();
                let result = call.send_voice(cx, format, timestamp, payload, full);
                outstanding = call.link.reliable.outstanding() != before;
                address = Some(call.link.address);
                result
            }
            _ => Err(CommandError::UnknownCall),
        });
        if outstanding {
            self.reschedule_leg(id.number);
        }
        match (result.unwrap_or(Err(CommandError::UnknownCall))?, address) {
            (Carrier::Trunk { timestamp }, Some(address)) => {
                let now = self.now;
                let Self { trunks, rng, out, config, .. } = self;
                let Some(trunk) = trunks.get_mut(&address) else { return Err(CommandError::State) };
                trunk.push(&mut Cx { now, rng, out, config, wall: None }, id.number, timestamp, payload);
                if trunk.scheduled != trunk.poll_timeout() {
                    self.reschedule_trunk(address);
                }
                Ok(())
            }
            (Carrier::Sent, Some(address)) if outstanding => {
                self.flush_trunk_before(address, start);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A full frame of voice does not overtake the trunk entries before it: they go first.
    fn flush_trunk_before(&mut self, address: std::net::SocketAddr, start: usize) {
        let now = self.now;
        let Self { trunks, rng, out, config, .. } = self;
        let Some(trunk) = trunks.get_mut(&address).filter(|trunk| !trunk.is_empty()) else { return };
        let full: Vec<_> = out.drain(start..).collect();
        trunk.flush(&mut Cx { now, rng, out, config, wall: None });
        out.extend(full);
        self.reschedule_trunk(address);
    }

    /// Sends video: full frames first and at each wrap, meta video frames between (RFC 5456 §6.10.3).
    ///
    /// # Errors
    /// There is no such call, or no video may be sent on it now.
    pub fn send_video(
        &mut self,
        now: Instant,
        call: CallId,
        format: Format,
        timestamp: u32,
        mark: bool,
        payload: &[u8],
    ) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.send_video(cx, format, timestamp, mark, payload))
    }

    /// Sends the beginning of a digit, or its end, or the whole of it as an end alone (RFC 5456 §6.10.1).
    ///
    /// # Errors
    /// There is no such call, it is not accepted, or that is no digit.
    pub fn send_dtmf(&mut self, now: Instant, call: CallId, digit: char, phase: DtmfPhase) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.dtmf(cx, digit, phase == DtmfPhase::Begin))
    }

    /// Sends a text (RFC 5456 §6.10.4).
    ///
    /// # Errors
    /// There is no such call, or it is not accepted.
    pub fn send_text(&mut self, now: Instant, call: CallId, text: &str) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.text(cx, text))
    }

    /// Sends HTML (RFC 5456 §6.10.6).
    ///
    /// # Errors
    /// There is no such call, or it is not accepted.
    pub fn send_html(&mut self, now: Instant, call: CallId, html: Html, data: &[u8]) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.html(cx, html, data))
    }

    /// Sends an image (RFC 5456 §6.10.5).
    ///
    /// # Errors
    /// There is no such call, or it is not accepted.
    pub fn send_image(&mut self, now: Instant, call: CallId, format: Format, data: &[u8]) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.image(cx, format, data))
    }

    /// Asks for comfort noise at a level in -dBov (RFC 5456 §6.10.7).
    ///
    /// # Errors
    /// There is no such call, or it is not accepted.
    pub fn send_comfort_noise(&mut self, now: Instant, call: CallId, level: u8) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.send(cx, Kind::ComfortNoise(level), &[]))
    }

    /// Wants no media from the peer, or wants it again; `music` is a class of music on hold (RFC 5456 §6.4.4, §6.4.5).
    ///
    /// # Errors
    /// There is no such call, or it is not accepted.
    pub fn quelch(&mut self, now: Instant, call: CallId, on: bool, music: Option<&str>) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.quelch(cx, on, music))
    }

    /// Asks what the peer's dialplan says of a number (RFC 5456 §6.8.1).
    ///
    /// # Errors
    /// There is no such call, or it is not accepted.
    pub fn query_dialplan(&mut self, now: Instant, call: CallId, number: &str) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.query_dialplan(cx, number))
    }

    /// Says what the dialplan says of a number, and for how long (RFC 5456 §6.8.2).
    ///
    /// # Errors
    /// There is no such call, or it is not accepted.
    pub fn answer_dialplan(
        &mut self,
        now: Instant,
        call: CallId,
        number: &[u8],
        status: DialplanStatus,
        refresh: Duration,
    ) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.answer_dialplan(cx, number, status, refresh))
    }

    /// Dials a number on a call that is there (RFC 5456 §6.8.3).
    ///
    /// # Errors
    /// There is no such call, or it is not accepted.
    pub fn dial_on(
        &mut self,
        now: Instant,
        call: CallId,
        number: &str,
        context: Option<&str>,
    ) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.redirect(cx, Command::Dial, number, context))
    }

    /// Asks the caller to start the call again elsewhere (RFC 5456 §6.4.6); hang up next.
    ///
    /// # Errors
    /// There is no such call, or it is not accepted.
    pub fn transfer(
        &mut self,
        now: Instant,
        call: CallId,
        number: &str,
        context: Option<&str>,
    ) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.redirect(cx, Command::Transfer, number, context))
    }

    /// Says how many messages wait (RFC 5456 §6.9.4).
    ///
    /// # Errors
    /// There is no such call, or it is not accepted.
    pub fn send_messages(&mut self, now: Instant, call: CallId, count: MessageCount) -> Result<(), CommandError> {
        self.command(now, call, |call, cx| call.messages(cx, count))
    }

    /// Pings the call's peer now (RFC 5456 §6.7.2), or asks for its lag (§6.7.4).
    ///
    /// # Errors
    /// There is no such call, or it is not accepted.
    pub fn ping(&mut self, now: Instant, call: CallId, lag: bool) -> Result<(), CommandError> {
        let command = if lag { Command::LagRq } else { Command::Ping };
        self.command(now, call, |call, cx| call.send(cx, Kind::Iax(command), &[]))
    }

    /// Joins two calls: what comes on one goes out on the other, without the program. Events that are no media and no
    /// signal between the ends still come.
    ///
    /// # Errors
    /// There are no two such calls.
    pub fn bridge(&mut self, now: Instant, a: CallId, b: CallId) -> Result<(), CommandError> {
        self.tick(now);
        if a == b || self.call(a).is_none() || self.call(b).is_none() {
            return Err(CommandError::UnknownCall);
        }
        for (one, other) in [(a, b), (b, a)] {
            with_leg!(self, one.number, |leg, _cx| if let Leg::Call(call) = leg {
                call.bridged = Some(other);
            });
        }
        Ok(())
    }

    /// Takes two joined calls apart.
    ///
    /// # Errors
    /// There is no such call, or it is not joined.
    pub fn unbridge(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        self.tick(now);
        let other = self.call(call).and_then(|call| call.bridged).ok_or(CommandError::State)?;
        for id in [call, other] {
            with_leg!(self, id.number, |leg, _cx| if let Leg::Call(call) = leg {
                call.bridged = None;
            });
        }
        Ok(())
    }

    /// Takes us out of two joined calls: their peers talk to each other (RFC 5456 §6.5), with `media_only` for voice
    /// alone, signalling staying with us. Both calls end with [`Ended::Transferred`](crate::Ended::Transferred), or
    /// [`Event::TransferFailed`](crate::Event::TransferFailed) says that nothing changed.
    ///
    /// # Errors
    /// The calls are not joined, not both accepted, or encrypted: a key cannot be handed on.
    pub fn optimize(&mut self, now: Instant, call: CallId, media_only: bool) -> Result<(), CommandError> {
        self.tick(now);
        let a = self.call(call).ok_or(CommandError::UnknownCall)?;
        let b = a.bridged.and_then(|other| self.call(other)).ok_or(CommandError::State)?;
        if a.is_encrypted() || b.is_encrypted() || a.is_transferring() || b.is_transferring() {
            return Err(CommandError::State);
        }
        let ends = [(a.id, b.link.address, b.link.remote), (b.id, a.link.address, a.link.remote)];
        let transfer = (self.rng.next_u32() << 1) | u32::from(media_only);
        for (id, address, remote) in ends {
            self.command(now, id, |call, cx| call.begin_transfer(cx, transfer, address, remote, media_only))?;
        }
        Ok(())
    }

    /// Joins a call again whose voice was sent elsewhere by a media-only transfer (TXREL, RFC 5456 §6.5.5).
    ///
    /// # Errors
    /// There is no such call, or it is not accepted.
    pub fn rejoin(&mut self, now: Instant, call: CallId) -> Result<(), CommandError> {
        let remote = self.call(call).ok_or(CommandError::UnknownCall)?.link.remote;
        self.command(now, call, |call, cx| call.rejoin(cx, remote))
    }

    /// Both legs may be ready: then we go.
    pub(super) fn finish_transfer(&mut self, number: u16) {
        let Some(super::Slot { leg: Leg::Call(a), .. }) = self.slot(number) else { return };
        let Some(b) = a.bridged.and_then(|other| self.call(other)) else { return };
        if !a.is_transfer_ready() || !b.is_transfer_ready() {
            return;
        }
        let ends = [(a.id, b.link.remote), (b.id, a.link.remote)];
        for (id, remote) in ends {
            let before = self.out.len();
            with_leg!(self, id.number, |leg, cx| if let Leg::Call(call) = leg {
                call.release(cx, remote);
            });
            self.settle(id.number, before, false);
        }
    }
}
