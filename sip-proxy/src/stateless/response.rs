//! Responses: back by their Vias (RFC 3261 §16.11, §18.2.2, RFC 3581 §4).

use std::net::SocketAddr;
use std::time::Instant;

use sip_core::header::HeaderName;
use sip_core::view::{CSeq, CallId, From, Message, Via};
use sip_transaction::Transport;

use super::branch::{Names, hex, is, read};
use super::patch::Patch;
use super::place::Hopped;
use super::request::ensure_content_length;
use super::{Class, Dropped, Hop, Label, Proxy, Verb, Verdict};

impl Proxy {
    pub(super) fn handle_response(&mut self, now: Instant, response: &Message<'_>, out: &mut Vec<u8>) -> Verdict {
        let mut patch = std::mem::take(&mut self.patch);
        patch.clear();
        let result = self.back(now, response, &mut patch);
        if result.is_ok() {
            patch.write(response.as_bytes(), out);
        }
        self.patch = patch;
        match result {
            Ok(hop) => {
                self.counters.responses += 1;
                Verdict::Send(hop)
            }
            Err(reason) => self.drop(reason),
        }
    }

    fn back(&mut self, now: Instant, response: &Message<'_>, patch: &mut Patch) -> Result<Hop, Dropped> {
        let headers = response.headers();
        let status = response.status().ok_or(Dropped::Malformed)?;
        let mut vias = headers.all::<Via<'_>>();
        let own = Hopped::read(vias.next().and_then(Result::ok).ok_or(Dropped::Malformed)?);
        let sent_by = &own.via.sent_by;
        if !self.is_ours(&sent_by.host, sent_by.port, Transport::from_token(own.via.transport)) {
            return Err(Dropped::NotOurs);
        }
        if let Some(probe) = self.probe_of(own.branch) {
            self.dispatcher.handle_probe(now, probe, Some(status));
            return Err(Dropped::Probe);
        }
        let (written, _) = read(own.branch).ok_or(Dropped::Forged)?;
        let below = Hopped::read(vias.next().ok_or(Dropped::NoWayBack)?.map_err(|_| Dropped::Malformed)?);
        let cseq = headers.require::<CSeq<'_>>().map_err(|_| Dropped::Malformed)?;
        let call_id = headers.require::<CallId<'_>>().map_err(|_| Dropped::Malformed)?.0;
        let from_tag = if below.is_magic {
            &[]
        } else {
            headers.require::<From<'_>>().map_err(|_| Dropped::Malformed)?.tag().unwrap_or_default()
        };
        let call = self.dispatcher.call_key(call_id);
        let names = Names { via: &below, call, from_tag, sequence: cseq.sequence };
        let transaction = self.branches.transaction(names);
        if !is(written, transaction) {
            return Err(Dropped::Forged);
        }
        let transport = Transport::from_token(below.via.transport).ok_or(Dropped::NoWayBack)?;
        let remote = below.way_back(transport).ok_or(Dropped::NoWayBack)?;
        let connection = self.noted(own.noted, remote, transaction).ok_or(Dropped::Forged)?;
        let listener = self.listener_for(transport, remote).ok_or(Dropped::NoListener)?;
        let verb = Verb::of_token(cseq.method);
        self.dispatcher.note_response(now, call, verb == Verb::Invite, verb == Verb::Bye, status);
        let top = headers.spans(&HeaderName::VIA).next().ok_or(Dropped::Malformed)?;
        match headers.values_within(&top).nth(1) {
            Some(stays) => patch.remove(top.value.start..stays.start),
            None => patch.remove(top.line),
        }
        if transport != Transport::Udp {
            ensure_content_length(response, patch);
        }
        let class = Class::Response((status.as_u16() / 100) as u8);
        Ok(Hop { transport, listener, remote, connection, node: None, label: Label { verb, class } })
    }

    /// The connection that a request came by, if there was one. `None` unless it was us who noted that and where the response goes.
    fn noted(&self, written: Option<&[u8]>, remote: SocketAddr, transaction: u64) -> Option<Option<u64>> {
        let written = written?;
        let (number, code) = written.split_at_checked(written.len().checked_sub(16)?)?;
        let connection = if number.is_empty() { None } else { Some(hex(number)?) };
        is(code, self.branches.back(remote, connection, transaction)).then_some(connection)
    }
}
