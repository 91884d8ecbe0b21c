//! Other requests inside a call: INFO with DTMF, MESSAGE.

use std::time::Instant;

use bytes::Bytes;
use sip_core::header::HeaderName;
use sip_core::{Request, Response, StatusCode};
use sip_transaction::agent::{Agent, Event as AgentEvent, SessionId};
use sip_transaction::{ClientId, Failure, ServerId};

use super::call::{Passed, Phase};
use super::{B2bua, CallId, Leg};

impl B2bua {
    /// Passes a request to the other side; what is not passed is given back.
    #[expect(clippy::too_many_arguments, reason = "the parts of one event")]
    pub(super) fn on_inside(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        id: CallId,
        leg: Leg,
        session: SessionId,
        received: ServerId,
        request: Request,
    ) -> Option<AgentEvent> {
        if !self.config.policy.methods.contains(request.method()) {
            return Some(AgentEvent::InDialog { session, id: received, request });
        }
        let call = self.calls.get_mut(&id)?;
        let other = call.other(leg).and_then(|leg| call.session(leg)).filter(|_| call.phase == Phase::Up);
        let sent = other.and_then(|other| {
            let headers = self.config.policy.crossing(request.headers(), call.trusted);
            let media = request.headers().get(&HeaderName::CONTENT_TYPE);
            let media = media.as_deref().and_then(|media| std::str::from_utf8(media).ok());
            let body = (!request.body().is_empty())
                .then(|| (media.unwrap_or("application/octet-stream"), request.body().clone()));
            agent.request(now, other, request.method().clone(), &headers, body).ok()
        });
        match sent {
            Some(sent) => {
                self.counters.passed += 1;
                call.passed.push(Passed { sent, received, request });
                self.passed.insert(sent, id);
            }
            None => {
                let response = Response::to(&request, StatusCode::TEMPORARILY_UNAVAILABLE).build();
                // When its transaction is over there is nobody to tell.
                let _ = agent.respond(now, received, response);
            }
        }
        None
    }

    /// Passes the answer back; that to a request of the application's own is given back.
    pub(super) fn on_inside_answered(
        &mut self,
        now: Instant,
        agent: &mut Agent,
        session: SessionId,
        id: ClientId,
        result: Result<Response, Failure>,
    ) -> Option<AgentEvent> {
        let Some(call) = self.passed.remove(&id).and_then(|call| self.calls.get_mut(&call)) else {
            return Some(AgentEvent::InDialogAnswered { session, id, result });
        };
        let place = call.passed.iter().position(|passed| passed.sent == id)?;
        let passed = call.passed.swap_remove(place);
        let status = match &result {
            Ok(response) => match response.status().as_u16() {
                // The other side's dialog or credentials.
                401 | 407 | 408 | 481 => StatusCode::SERVER_INTERNAL_ERROR,
                _ => response.status(),
            },
            Err(_) => StatusCode::SERVER_INTERNAL_ERROR,
        };
        let mut builder = Response::to(&passed.request, status);
        if let Ok(response) = &result
            && !response.body().is_empty()
            && let Some(media) = response.headers().get(&HeaderName::CONTENT_TYPE)
            && let Ok(media) = std::str::from_utf8(&media)
        {
            builder = builder.body(media, Bytes::clone(response.body()));
        }
        let _ = agent.respond(now, passed.received, builder.build());
        None
    }
}
