//! Registrations: where the phones are.

use std::time::Instant;

use sip_core::{Mandatory, Request, Response, StatusCode};
use sip_transaction::{ConnectionId, Source};

use super::{Switch, incoming::Phone};
use crate::status::{Binding, Table};

impl Switch {
    pub(super) fn register(&mut self, _now: Instant, request: &Request, _mandatory: &Mandatory, _source: &Source) -> Response {
        Response::to(request, StatusCode::NOT_IMPLEMENTED).build()
    }
    pub(super) fn phones(&self, _now: Instant, _account: &str) -> Vec<Phone> {
        Vec::new()
    }
    pub(super) fn bindings(&self, _now: Instant, _account: &str) -> Vec<Binding> {
        Vec::new()
    }
    pub(super) fn forget_connection(&mut self, _now: Instant, _connection: ConnectionId) {}
    pub(super) fn location_tables(&self) -> Vec<Table> {
        Vec::new()
    }
}
