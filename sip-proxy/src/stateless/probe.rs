//! Probes as OPTIONS requests, whose answers are told by their branch.

use std::time::Instant;

use bytes::BufMut;
use sip_core::header::Via;

use super::branch::{hex, put_hex};
use super::{Class, Hop, Label, Proxy, Verb};

impl Proxy {
    /// Writes the next probe that is due at the end of `out`. It has no transaction: one that is lost counts as not answered, and another follows.
    #[must_use]
    pub fn poll_probe(&mut self, now: Instant, out: &mut Vec<u8>) -> Option<Hop> {
        loop {
            let probe = self.dispatcher.poll_probe(now)?;
            let Some(listener) = self.listener_for(probe.transport, probe.address) else {
                self.dispatcher.handle_probe(now, probe.id, None);
                continue;
            };
            let own = self.listeners.get(usize::from(listener))?;
            let mut branch = Vec::with_capacity(40);
            branch.extend_from_slice(Via::MAGIC_COOKIE);
            branch.push(b'p');
            put_hex(probe.id, &mut branch);
            put_hex(self.branches.probe(probe.id, PROBE), &mut branch);
            let (id, address, us) = (probe.id, probe.address, &own.advertised);
            let user = &self.config.probe_user;
            let parameter = match probe.transport {
                sip_transaction::Transport::Udp => String::new(),
                other => format!(";transport={}", other.token().to_ascii_lowercase()),
            };
            let tag = self.branches.probe(id, PROBE ^ 1);
            out.put_slice(format!("OPTIONS sip:{address}{parameter} SIP/2.0\r\n").as_bytes());
            out.put_slice(&own.via);
            out.put_slice(&branch);
            out.put_slice(b";rport\r\n");
            let rest = format!(
                "Max-Forwards: 1\r\nFrom: <sip:{user}@{us}>;tag={tag:016x}\r\nTo: <sip:{address}{parameter}>\r\n\
                 Call-ID: probe-{tag:016x}\r\nCSeq: {} OPTIONS\r\nContact: <sip:{us}{parameter}>\r\n\
                 Accept: application/sdp\r\nContent-Length: 0\r\n\r\n",
                id & 0x7fff_ffff
            );
            out.put_slice(rest.as_bytes());
            return Some(Hop {
                transport: probe.transport,
                listener,
                remote: address,
                connection: None,
                node: Some(probe.node),
                label: Label { verb: Verb::Options, class: Class::Request },
            });
        }
    }

    /// The probe that a branch is of, if it is of our making.
    pub(super) fn probe_of(&self, branch: &[u8]) -> Option<u64> {
        // Nearly all are none, and said so by one byte.
        let digits = branch.strip_prefix(Via::MAGIC_COOKIE)?.strip_prefix(b"p")?;
        let (id, code) = digits.split_at_checked(16)?;
        let id = hex(id)?;
        (self.branches.probe(id, PROBE) == hex(code)?).then_some(id)
    }
}

/// What stands for probes where connections have a transaction.
const PROBE: u64 = u64::from_be_bytes(*b"dispatch");
