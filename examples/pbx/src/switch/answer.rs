//! Calls that the switch answers itself: echo and tone.

use std::time::Instant;

use bytes::Bytes;
use rtp::relay::Side;
use sip_core::{
    Method, Request, Response, StatusCode,
    header::HeaderName,
    sdp::{self, Session},
};
use sip_transaction::{
    ServerId,
    agent::{Cause, SessionId},
};

use super::{
    Switch,
    call::{Purpose, disposition},
    description::{capabilities, heard, law},
};
use crate::{cdr::Disposition, media::Order};

impl Switch {
    /// Answers with our description, or with an offer when there was none.
    pub(super) fn answer_here(&mut self, now: Instant, id: u64, offer: Option<&Session>) {
        let Some(description) = self.own_description(id, offer) else {
            self.refuse_call(now, id, StatusCode::NOT_ACCEPTABLE_HERE, "no_codec");
            return;
        };
        let Some(session) = self.calls.get(&id).map(|call| call.session) else { return };
        if let Some(offer) = offer {
            self.listen_to_caller(id, offer);
        }
        if self.agent.answer(now, session, Some(description), &[]).is_ok() {
            self.mark_answered(now, id);
        }
        // Otherwise the caller has gone, and his end is on the way.
    }

    /// The ACK came; with the answer when the offer was ours.
    pub(super) fn on_acknowledged(&mut self, now: Instant, session: SessionId, sdp: Option<Bytes>) {
        let Some(&id) = self.sessions.get(&session) else { return };
        let Some(sdp) = sdp else { return };
        match Session::parse(&sdp) {
            Ok(answer) => self.listen_to_caller(id, &answer),
            Err(error) => {
                tracing::debug!(call = id, %error, "an answer is not understood");
                self.end(now, id);
            }
        }
    }

    /// A re-INVITE or UPDATE: the phone holds, resumes or moves.
    pub(super) fn on_offer(&mut self, now: Instant, session: SessionId, sdp: Option<Bytes>) {
        let Some(&id) = self.sessions.get(&session) else { return };
        let refusal = match sdp.as_ref().map(|sdp| Session::parse(sdp)) {
            Some(Err(_)) => Err(StatusCode::BAD_REQUEST),
            Some(Ok(offer)) => match self.own_description(id, Some(&offer)) {
                Some(answer) => {
                    self.listen_to_caller(id, &offer);
                    Ok(answer)
                }
                None => Err(StatusCode::NOT_ACCEPTABLE_HERE),
            },
            None => self.own_description(id, None).ok_or(StatusCode::SERVER_INTERNAL_ERROR),
        };
        // The phone may have withdrawn it.
        let _ = match refusal {
            Ok(answer) => self.agent.answer_offer(now, session, Some(answer), &[]),
            Err(status) => self.agent.reject_offer(now, session, status, &[]),
        };
    }

    /// Another request inside a call: INFO brings digits, which nobody here waits for.
    pub(super) fn on_inside(&mut self, now: Instant, _session: SessionId, id: ServerId, request: &Request) {
        let response = match request.method() {
            Method::Info | Method::Options => Response::to(request, StatusCode::OK).build(),
            _ => Response::to(request, StatusCode::METHOD_NOT_ALLOWED)
                .raw(&HeaderName::ALLOW, super::outside::ALLOW)
                .build(),
        };
        // It may be over already.
        let _ = self.agent.respond(now, id, response);
    }

    pub(super) fn on_session_ended(&mut self, now: Instant, session: SessionId, cause: Cause) {
        let Some(id) = self.sessions.remove(&session) else { return };
        let otherwise = match cause {
            Cause::Rejected(status) => disposition(status),
            Cause::Cancelled | Cause::Timeout | Cause::Hangup => Disposition::NoAnswer,
            _ => Disposition::Failed,
        };
        self.finish(now, id, otherwise);
    }

    /// Our answer to an offer, or our offer.
    fn own_description(&mut self, id: u64, offer: Option<&Session>) -> Option<Bytes> {
        let address = self.media_address;
        let call = self.calls.get_mut(&id)?;
        let (pair, [voice, _]) = (call.pairs.first()?, &mut call.voices);
        let capabilities = capabilities(voice.origin(address), std::net::SocketAddr::new(address, pair.rtp()));
        let description = match offer {
            Some(offer) => sdp::answer(offer, &capabilities).ok()?,
            None => sdp::offer(&capabilities),
        };
        // An offer without an open stream is answered in kind, but is no call.
        if call.answered.is_none() && description.media.iter().all(|media| media.is_rejected()) {
            return None;
        }
        Some(voice.say(description, address))
    }

    /// Takes in where the caller is, and how the tone is coded for him.
    fn listen_to_caller(&mut self, id: u64, description: &Session) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(heard) = heard(description, call.source.remote.ip()) else {
            // The stream is closed: nothing more is sent.
            return;
        };
        let agreed = law(description);
        call.codec = agreed.map(|(law, _)| law.name().to_owned());
        call.held = [heard.holds, false];
        let plays = matches!(&call.purpose, Purpose::Application(crate::config::Application::Milliwatt));
        let receives = heard.direction.receives();
        let watch = heard.direction == sdp::Direction::SendRecv && !heard.holds;
        self.order(id, Order::Expect { side: Side::Caller, expected: heard.expected, receives });
        self.order(id, Order::Watch(watch));
        if let Some((law, payload_type)) = agreed.filter(|_| plays) {
            self.order(id, Order::Play { law, payload_type });
        }
    }
}
