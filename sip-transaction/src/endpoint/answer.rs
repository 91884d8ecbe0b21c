//! Answers that no state is kept of: to what is broken, to what matches nothing, and to what is too much.

use bytes::Bytes;
use sip_core::header::{HeaderName, Via};
use sip_core::message::{Answerable, Mandatory};
use sip_core::{ParseError, Request, Response, StatusCode};

use super::Endpoint;
use crate::transport::Source;
use crate::transport::via::{Path, Reply, note_source};

impl Endpoint {
    /// Whether nothing shows that the sender is where he seems to be: datagrams of addresses that nobody vouched for.
    pub(super) fn is_stranger(&mut self, source: &Source) -> bool {
        !source.transport.is_reliable() && !self.trusted.contains(&source.remote.ip())
    }

    /// Answers a request whose mandatory headers were read.
    pub(super) fn answer(
        &mut self,
        request: &Request,
        mandatory: &Mandatory,
        source: Source,
        length: usize,
        status: StatusCode,
    ) {
        let tag = self.secret.stateless_tag(request);
        let mut response = Response::to(request, status).to_tag(tag.as_bytes());
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = self.config.retry_after.as_secs().max(1);
            response = response.raw(&HeaderName::RETRY_AFTER, seconds.to_string());
        }
        let message = response.build().to_bytes();
        self.send_stateless(Reply::new(&mandatory.via, &source), source, length, message);
    }

    /// Answers a request that is too broken to process (RFC 3261 §21.4.1), if its Via can be read.
    pub(super) fn answer_broken(
        &mut self,
        answerable: &Answerable,
        error: &ParseError,
        source: Source,
        length: usize,
    ) -> bool {
        let Ok(via) = answerable.headers().require::<Via>() else { return false };
        let response = answerable.respond(error.status()).to_tag(b"broken").build();
        self.answer_malformed(response, via, source, length)
    }

    /// Answers a request whose shape is right and whose mandatory headers are not.
    pub(super) fn answer_invalid(&mut self, request: &Request, error: &ParseError, source: Source, length: usize) {
        let Ok(mut via) = request.headers().require::<Via>() else { return };
        if request.method().is_ack() {
            return;
        }
        let noted = note_source(request, &mut via, &source);
        let request = noted.as_ref().unwrap_or(request);
        let tag = self.secret.stateless_tag(request);
        let response = Response::to(request, error.status()).to_tag(tag.as_bytes()).build();
        let message = response.to_bytes();
        self.counters.malformed_answered += 1;
        self.send_stateless(Reply::new(&via, &source), source, length, message);
    }

    /// Sheds a request: with a 503 for those who are known, in silence for strangers.
    pub(super) fn shed(&mut self, request: &Request, mandatory: &Mandatory, source: Source, length: usize) {
        if self.is_stranger(&source) {
            self.counters.shed_dropped += 1;
            return;
        }
        self.counters.shed_answered += 1;
        self.answer(request, mandatory, source, length, StatusCode::SERVICE_UNAVAILABLE);
    }

    fn answer_malformed(&mut self, response: Response, mut via: Via, source: Source, length: usize) -> bool {
        if via.rport().is_some() {
            via.set_rport(source.remote.port());
        }
        via.set_received(source.remote.ip().to_canonical());
        let mut edit = response.edit();
        edit.replace_first(&via);
        let message = edit.finish().to_bytes();
        self.counters.malformed_answered += 1;
        self.send_stateless(Reply::new(&via, &source), source, length, message);
        true
    }

    /// One message for one, never to another connection than the one it came by, and to strangers at most three bytes
    /// for each of theirs.
    fn send_stateless(&mut self, reply: Reply, source: Source, length: usize, message: Bytes) {
        if message.len() > length.saturating_mul(3) && self.is_stranger(&source) {
            self.counters.amplification_prevented += 1;
            return;
        }
        if let Path::Connection(id) = reply.path
            && self.connections.get(id).is_none()
        {
            return;
        }
        self.transmit(reply.path, message);
    }
}
