//! What comes from the network: datagrams and frames of connections, up to the transaction that they belong to.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use sip_core::framing::{self, Frame, PONG};
use sip_core::message::Answerable;
use sip_core::{Message, ParseError};

use super::{CloseReason, Endpoint};
use crate::stun;
use crate::transport::via::note_source;
use crate::transport::{ConnectionId, ListenerId, Source};

impl Endpoint {
    pub(super) fn on_datagram(
        &mut self,
        now: Instant,
        listener: ListenerId,
        source: SocketAddr,
        payload: Bytes,
        received: Option<Instant>,
    ) {
        let Some(config) = self.listener(listener) else { return };
        let source = Source {
            transport: config.transport,
            listener,
            remote: source,
            local: config.local,
            connection: None,
            received,
        };
        if stun::is_stun(&payload) {
            self.on_stun(now, source, &payload);
            return;
        }
        let length = payload.len();
        match framing::datagram(payload, &self.config.limits) {
            Frame::Message(message) => self.on_message(now, message, source, length),
            // Over datagrams nothing is answered to it: that has STUN (RFC 5626 §3.5.1).
            Frame::Ping | Frame::Pong => self.counters.keep_alives += 1,
            Frame::Bad { error, answerable } => self.on_broken(&error, answerable.as_ref(), source, length),
        }
    }

    pub(super) fn on_received(&mut self, now: Instant, id: ConnectionId, payload: Bytes) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.heard = now;
        let source = connection.source(id);
        if connection.transport.is_websocket() {
            self.on_websocket_message(now, id, source, payload);
            return;
        }
        let Some(mut stream) = connection.stream.take() else { return };
        stream.push(&payload);
        let mut has_message = false;
        loop {
            let waiting = stream.buffered();
            match stream.next() {
                Ok(Some(Frame::Message(message))) => {
                    has_message = true;
                    self.on_message(now, message, source, waiting.saturating_sub(stream.buffered()));
                }
                Ok(Some(Frame::Ping)) => {
                    self.counters.keep_alives += 1;
                    self.queue.push_write(id, Bytes::from_static(PONG));
                }
                // Half of a ping, or the answer to one.
                Ok(Some(Frame::Pong)) => {}
                Ok(Some(Frame::Bad { error, answerable })) => {
                    has_message = true;
                    self.on_broken(&error, answerable.as_ref(), source, payload.len());
                }
                Ok(None) => break,
                Err(lost) => {
                    self.on_broken(&lost.error, lost.answerable.as_deref(), source, payload.len());
                    self.close_because(now, id, CloseReason::Framing);
                    return;
                }
            }
            if self.connections.get(id).is_none() {
                return;
            }
        }
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.has_spoken |= has_message;
        connection.incomplete_since = match (stream.buffered(), connection.incomplete_since) {
            (0, _) => None,
            (_, Some(since)) if !has_message => Some(since),
            _ => Some(now),
        };
        connection.stream = Some(stream);
        self.watch(now, id);
    }

    /// A WebSocket message is a message of SIP (RFC 7118 §5.1).
    fn on_websocket_message(&mut self, now: Instant, id: ConnectionId, source: Source, payload: Bytes) {
        let length = payload.len();
        let is_message = match framing::websocket(payload, &self.config.limits) {
            Frame::Message(message) => {
                self.on_message(now, message, source, length);
                true
            }
            Frame::Ping => {
                self.counters.keep_alives += 1;
                self.queue.push_write(id, Bytes::from_static(PONG));
                false
            }
            Frame::Pong => false,
            Frame::Bad { error, answerable } => {
                self.on_broken(&error, answerable.as_ref(), source, length);
                true
            }
        };
        if let Some(connection) = self.connections.get_mut(id) {
            connection.has_spoken |= is_message;
            self.watch(now, id);
        }
    }

    fn on_message(&mut self, now: Instant, message: Message, source: Source, length: usize) {
        self.counters.messages_received += 1;
        match message {
            Message::Request(mut request) => match request.mandatory() {
                Ok(mut mandatory) => {
                    if let Some(noted) = note_source(&request, &mut mandatory.via, &source) {
                        request = noted;
                    }
                    self.on_request(now, request, mandatory, source, length);
                }
                Err(error) => {
                    self.counters.malformed += 1;
                    self.answer_invalid(&request, &error, source, length);
                }
            },
            Message::Response(response) => match response.mandatory() {
                Ok(mandatory) => self.on_response(now, response, mandatory, source),
                Err(error) => {
                    tracing::debug!(%error, remote = %source.remote, "response dropped");
                    self.counters.malformed += 1;
                }
            },
        }
    }

    fn on_broken(&mut self, error: &ParseError, answerable: Option<&Answerable>, source: Source, length: usize) {
        self.counters.malformed += 1;
        let answered = answerable.is_some_and(|answerable| self.answer_broken(answerable, error, source, length));
        tracing::debug!(%error, remote = %source.remote, answered, "not a message");
    }
}
