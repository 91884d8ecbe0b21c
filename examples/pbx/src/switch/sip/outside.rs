//! Requests outside of calls: REGISTER, OPTIONS, and what this program does not do.

use std::time::Instant;

use sip_core::{Mandatory, Method, Request, Response, StatusCode, header::HeaderName};
use sip_transaction::{ConnectionId, ServerId, Source};

use super::super::Switch;

/// What this program takes.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, REGISTER";

impl Switch {
    pub(in crate::switch) fn on_outside(
        &mut self,
        now: Instant,
        id: ServerId,
        request: &Request,
        mandatory: &Mandatory,
        source: Source,
    ) {
        let response = match request.method() {
            Method::Register => self.register(now, request, mandatory, &source),
            Method::Options => self.describe(now, request),
            Method::Other(_) => {
                self.count_refusal("method");
                Response::to(request, StatusCode::NOT_IMPLEMENTED).raw(&HeaderName::ALLOW, ALLOW).build()
            }
            _ => {
                self.count_refusal("method");
                Response::to(request, StatusCode::METHOD_NOT_ALLOWED).raw(&HeaderName::ALLOW, ALLOW).build()
            }
        };
        // It may be over already.
        let _ = self.agent.respond(now, id, response);
    }

    /// What this program can do (RFC 3261 §11.2), also for those who ask whether it is there.
    fn describe(&self, now: Instant, request: &Request) -> Response {
        if self.is_draining() {
            return Response::to(request, StatusCode::SERVICE_UNAVAILABLE)
                .raw(&HeaderName::RETRY_AFTER, self.drain_retry_after(now).to_string())
                .build();
        }
        Response::to(request, StatusCode::OK)
            .raw(&HeaderName::ALLOW, ALLOW)
            .raw(&HeaderName::ACCEPT, "application/sdp")
            .raw(&HeaderName::SUPPORTED, "")
            .build()
    }

    pub(in crate::switch) fn on_connection_closed(&mut self, connection: ConnectionId) {
        self.keep_alives.forget(connection);
        self.forget_connection(connection);
    }
}
