//! Refusals of our own, made without any state (RFC 3261 §8.2.7, §16.3).

use bytes::{BufMut, Bytes};
use std::net::SocketAddr;

use sip_core::header::{HeaderName, RetryAfter, Via};
use sip_core::{Answerable, Message, Method, ParseError, Request, Response, StatusCode, view};
use sip_transaction::Transport;

use super::{Class, Dropped, Flow, Hop, Label, Proxy, Verb, Verdict};
use crate::dispatcher::Nowhere;

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    Malformed(ParseError),
    TooManyHops,
    Loop,
    /// It asks for extensions of proxies, of which we have none.
    Extension(Bytes),
    Nowhere(Nowhere),
    /// Its next hop is a name, or nothing that we reach.
    Unreachable,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(error) => error.status(),
            Self::TooManyHops => StatusCode::TOO_MANY_HOPS,
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::Extension(_) => StatusCode::BAD_EXTENSION,
            Self::Nowhere(Nowhere::NoSet) => StatusCode::NOT_FOUND,
            Self::Nowhere(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreachable => StatusCode::BAD_GATEWAY,
        }
    }
}

impl Proxy {
    /// Refuses a request: its answer goes back where it came from.
    pub(super) fn refuse(
        &mut self,
        flow: &Flow,
        request: &view::Message<'_>,
        refusal: &Refusal,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let Message::Request(request) = request.to_owned() else { return self.drop(Dropped::Malformed) };
        let request = &request;
        if *request.method() == Method::Ack {
            return self.drop(Dropped::Ack);
        }
        let status = refusal.status();
        let Ok(mut via) = request.headers().require::<Via>() else { return self.drop(Dropped::Malformed) };
        let destination = answer_to(&via, flow);
        let mut edit = request.edit();
        if note_source(&mut via, flow) {
            edit.replace_first(&via);
        }
        let tag = self.tag_of(request);
        let mut builder = Response::to(&edit.finish(), status).to_tag(&tag);
        match refusal {
            Refusal::Extension(required) => builder = builder.raw(&HeaderName::UNSUPPORTED, required),
            Refusal::Nowhere(Nowhere::NoneUp | Nowhere::AllFull) => {
                builder = builder.header(&RetryAfter::new(self.config.retry_after));
            }
            _ => {}
        }
        out.put_slice(&builder.build().to_bytes());
        self.answered(flow, destination, Verb::of(request.method()), status)
    }

    /// Refuses bytes that are no request.
    pub(super) fn refuse_bad(
        &mut self,
        flow: &Flow,
        error: &ParseError,
        answerable: &Answerable,
        out: &mut Vec<u8>,
    ) -> Verdict {
        let Ok(via) = answerable.headers().require::<Via>() else { return self.drop(Dropped::Malformed) };
        let status = error.status();
        let response = answerable.respond(status).to_tag(b"bad").build();
        let mut noted = via.clone();
        let mut edit = response.edit();
        if note_source(&mut noted, flow) {
            edit.replace_first(&noted);
        }
        edit.write(out);
        self.answered(flow, answer_to(&via, flow), Verb::of(answerable.method()), status)
    }

    fn answered(&mut self, flow: &Flow, remote: SocketAddr, verb: Verb, status: StatusCode) -> Verdict {
        self.counters.refuse(status);
        let class = Class::Refusal((status.as_u16() / 100) as u8);
        Verdict::Send(Hop {
            transport: flow.transport,
            listener: flow.listener,
            remote,
            connection: flow.connection,
            node: None,
            label: Label { verb, class },
        })
    }

    /// The same tag for the same request sent again (RFC 3261 §8.2.7).
    fn tag_of(&self, request: &Request) -> Vec<u8> {
        let call_id = request.headers().get(&HeaderName::CALL_ID).unwrap_or_default();
        let via = request.headers().get(&HeaderName::VIA).unwrap_or_default();
        let key = self.dispatcher.call_key(&[&call_id[..], &via[..]].concat());
        let mut tag = key.to_string().into_bytes();
        tag.truncate(16);
        tag
    }
}

/// Notes in the topmost Via where a request really came from (RFC 3261 §18.2.1, RFC 3581 §4). Says whether anything changed.
fn note_source(via: &mut Via, flow: &Flow) -> bool {
    let address = flow.remote.ip().to_canonical();
    let asks = via.rport().is_some();
    if !asks && !via.params.contains("received") && via.sent_by.host.ip() == Some(address) {
        return false;
    }
    via.set_received(address);
    if asks {
        via.set_rport(flow.remote.port());
    }
    true
}

/// Where an answer to what came from here goes (RFC 3261 §18.2.2, RFC 3581 §4). `maddr` is not followed: it would let anybody
/// aim our answers at anybody.
fn answer_to(via: &Via, flow: &Flow) -> SocketAddr {
    if flow.transport != Transport::Udp || via.rport().is_some() {
        return flow.remote;
    }
    SocketAddr::new(flow.remote.ip(), via.sent_by.port.unwrap_or(flow.transport.default_port()))
}
