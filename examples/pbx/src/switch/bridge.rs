//! Two phones in one call: what the B2BUA tells of it.

use std::{net::SocketAddr, time::Instant};

use bytes::Bytes;
use rtp::relay::Side;
use sip_core::{StatusCode, sdp::Session};
use sip_proxy::b2bua::{CallId, DescriptionId, Event, Leg, Role};

use super::{
    Switch,
    call::disposition,
    description::{Heard, closed, heard, relayed},
};
use crate::{cdr::Disposition, media::Order};

fn side(leg: Leg) -> Side {
    match leg {
        Leg::A => Side::Caller,
        Leg::B(_) => Side::Callee,
    }
}

/// The place of a side in pairs of things.
fn place(side: Side) -> usize {
    match side {
        Side::Caller => 0,
        Side::Callee => 1,
    }
}

impl Switch {
    /// The caller's first offer, as the phones that are rung see it.
    pub(super) fn first_offer(&mut self, id: u64, offer: Session) -> Option<Bytes> {
        let address = self.calls.get(&id)?.source.remote.ip();
        let heard = heard(&offer, address)?;
        let text = self.rewrite(id, Side::Caller, offer)?;
        self.apply(id, Side::Caller, &heard);
        Some(text)
    }

    pub(super) fn on_bridge_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Description { call, id, from, role, sdp, .. } => {
                self.on_description(now, call, id, from, role, &sdp);
            }
            Event::Progress { call, status, .. } => {
                if status == StatusCode::RINGING
                    && let Some(call) = self.bridged(call)
                    && !std::mem::replace(&mut call.ringing, true)
                {
                    self.tell(super::Event::Changed);
                }
            }
            Event::Answered { call, branch } => {
                if let Some(call) = self.bridged(call) {
                    call.chosen = Some(branch);
                    let id = call.id;
                    self.mark_answered(now, id);
                }
            }
            Event::BranchFailed { call, branch, status, .. } => {
                if let Some(call) = self.bridged(call) {
                    let channel = call.branches.get(usize::from(branch)).map_or("", |branch| &branch.channel);
                    tracing::debug!(
                        call = call.id,
                        channel,
                        status = status.as_u16(),
                        "a phone does not take the call"
                    );
                }
            }
            Event::Ended { call, status, .. } => {
                let Some(&id) = self.bridges.get(&call) else { return };
                self.finish(now, id, status.map_or(Disposition::NoAnswer, disposition));
            }
            // The caller's ACK.
            _ => {}
        }
    }

    fn bridged(&mut self, call: CallId) -> Option<&mut super::Call> {
        let id = self.bridges.get(&call)?;
        self.calls.get_mut(id)
    }

    fn on_description(
        &mut self,
        now: Instant,
        bridge: CallId,
        description: DescriptionId,
        from: Leg,
        role: Role,
        sdp: &Bytes,
    ) {
        let forwarded = self.pass(bridge, from, role, sdp);
        // The call may have ended meanwhile: its end is then on the way.
        let _ = match forwarded {
            Some(text) => self.b2bua.forward(now, &mut self.agent, bridge, description, text),
            None => {
                let status = StatusCode::NOT_ACCEPTABLE_HERE;
                self.b2bua.refuse(now, &mut self.agent, bridge, description, status)
            }
        };
    }

    /// Takes in a description and rewrites it for the other side; `None` when nothing in it can be used.
    fn pass(&mut self, bridge: CallId, from: Leg, role: Role, sdp: &Bytes) -> Option<Bytes> {
        let call = self.bridged(bridge)?;
        let id = call.id;
        let signalling = match from {
            Leg::A => call.source.remote.ip(),
            Leg::B(branch) => call.branches.get(usize::from(branch))?.address.ip(),
        };
        let established = call.answered.is_some() && call.codec.is_some();
        let session = match Session::parse(sdp) {
            Ok(session) => session,
            Err(error) => {
                tracing::debug!(call = id, %error, "a description is not understood");
                return None;
            }
        };
        let from = side(from);
        let Some(heard) = heard(&session, signalling) else {
            // An offer of what does not pass is refused, and the call goes on as it was.
            let refused = role == Role::Offer && session.media.iter().any(|media| !media.is_rejected());
            if !established || role == Role::Early || refused {
                return None;
            }
            // The stream is closed, and the other side may know.
            return self.rewrite_closed(id, from, session);
        };
        match role {
            // What is only asked for inside a call counts once it is agreed.
            Role::Offer if established => call.pending = Some((from, heard)),
            Role::Offer | Role::Early => self.apply(id, from, &heard),
            Role::Answer => {
                if let Some((side, pending)) = call.pending.take()
                    && side != from
                {
                    self.apply(id, side, &pending);
                }
                self.apply(id, from, &heard);
                if let Some(call) = self.calls.get_mut(&id) {
                    call.codec.clone_from(&heard.codec);
                }
            }
        }
        self.rewrite(id, from, session)
    }

    /// The description of one side, as the other sees it: at the ports that the other sends to.
    fn rewrite(&mut self, id: u64, from: Side, session: Session) -> Option<Bytes> {
        let address = self.media_address;
        let call = self.calls.get_mut(&id)?;
        let to = place(from.other());
        let relay = SocketAddr::new(address, call.pairs.get(to)?.rtp());
        let session = relayed(session, relay)?;
        Some(call.voices.get_mut(to)?.say(session, address))
    }

    /// A description without an open stream, as the other side sees it.
    fn rewrite_closed(&mut self, id: u64, from: Side, session: Session) -> Option<Bytes> {
        let address = self.media_address;
        let voice = self.calls.get_mut(&id)?.voices.get_mut(place(from.other()))?;
        Some(voice.say(closed(session, address), address))
    }

    /// Tells the relay where a side is and what it does.
    fn apply(&mut self, id: u64, from: Side, heard: &Heard) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let other_holds = call.held.get(place(from.other())).copied().unwrap_or(false);
        if let Some(held) = call.held.get_mut(place(from)) {
            // Who answers a hold with inactive does not hold by himself.
            *held = heard.holds && !other_holds;
        }
        // Nobody need send anything while a phone rings.
        let watch = call.answered.is_some() && call.held == [false; 2];
        self.order(id, Order::Expect { side: from, expected: heard.expected, receives: heard.direction.receives() });
        self.order(id, Order::Watch(watch));
    }
}
