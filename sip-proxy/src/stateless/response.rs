//! Responses: back by their Vias (RFC 3261 §16.11, §18.2.2, RFC 3581 §4).

use std::net::SocketAddr;
use std::time::Instant;

use bytes::BytesMut;
use sip_core::header::{CSeq, CallId, From, HeaderName, Via};
use sip_core::{Method, Response};
use sip_transaction::Transport;

use super::branch::{Names, hex, read};
use super::reply::way_back;
use super::{Class, Dropped, Hop, Label, Proxy, Verb, Verdict};

impl Proxy {
    pub(super) fn handle_response(&mut self, now: Instant, response: &Response, out: &mut BytesMut) -> Verdict {
        match self.back(now, response, out) {
            Ok(hop) => {
                self.counters.responses += 1;
                Verdict::Send(hop)
            }
            Err(reason) => self.drop(reason),
        }
    }

    fn back(&mut self, now: Instant, response: &Response, out: &mut BytesMut) -> Result<Hop, Dropped> {
        let headers = response.headers();
        let mut vias = headers.all::<Via>();
        let own = vias.next().and_then(Result::ok).ok_or(Dropped::Malformed)?;
        if !self.is_ours(&own.sent_by, Transport::from_token(&own.transport)) {
            return Err(Dropped::NotOurs);
        }
        let branch = own.branch().ok_or(Dropped::Forged)?;
        if let Some(probe) = self.probe_of(branch) {
            drop(vias);
            self.dispatcher.handle_probe(now, probe, Some(response.status()));
            return Err(Dropped::Probe);
        }
        let (transaction, _) = read(branch).ok_or(Dropped::Forged)?;
        let below = vias.next().ok_or(Dropped::NoWayBack)?.map_err(|_| Dropped::Malformed)?;
        let cseq = headers.require::<CSeq>().map_err(|_| Dropped::Malformed)?;
        let call_id = headers.require::<CallId>().map_err(|_| Dropped::Malformed)?.0;
        let from;
        let from_tag = if below.has_magic_cookie() {
            &[]
        } else {
            from = headers.require::<From>().map_err(|_| Dropped::Malformed)?;
            from.tag().unwrap_or_default()
        };
        let names = Names { via: &below, call_id: &call_id, from_tag, sequence: cseq.sequence };
        if self.branches.transaction(names) != transaction {
            return Err(Dropped::Forged);
        }
        let transport = Transport::from_token(&below.transport).ok_or(Dropped::NoWayBack)?;
        let remote = way_back(&below, transport).ok_or(Dropped::NoWayBack)?;
        let connection = self.noted(own.params.value("i"), remote, transaction).ok_or(Dropped::Forged)?;
        let listener = self.listener_for(transport, remote).ok_or(Dropped::NoListener)?;
        let call = self.dispatcher.call_key(&call_id);
        let (is_invite, is_bye) = (cseq.method == Method::Invite, cseq.method == Method::Bye);
        self.dispatcher.note_response(now, call, is_invite, is_bye, response.status());
        let mut edit = response.edit();
        edit.pop_front(&HeaderName::VIA);
        if transport != Transport::Udp {
            edit.ensure_content_length();
        }
        edit.write(out);
        let verb = Verb::of(&cseq.method);
        let class = Class::Response((response.status().as_u16() / 100) as u8);
        Ok(Hop { transport, listener, remote, connection, node: None, label: Label { verb, class } })
    }

    /// The connection that a request came by, if there was one. `None` unless it was us who noted that and where the response goes.
    fn noted(&self, written: Option<&[u8]>, remote: SocketAddr, transaction: u64) -> Option<Option<u64>> {
        let written = written?;
        let (number, code) = written.split_at_checked(written.len().checked_sub(16)?)?;
        let connection = if number.is_empty() { None } else { Some(hex(number)?) };
        (self.branches.back(remote, connection, transaction) == hex(code)?).then_some(connection)
    }
}
