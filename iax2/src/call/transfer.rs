//! Call path optimization: RFC 5456 §6.5 and figure 4, as the one in the middle and as one of the two outside.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Call, CommandError, Signal};
use crate::element::{Element, Elements, ElementsBuf, id};
use crate::event::Event;
use crate::flow::Step;
use crate::frame::{Command, Full, FullHeader, Kind};
use crate::link::Cx;

/// How often TXCNT is sent before the other side counts as out of reach.
const ATTEMPTS: u8 = 5;

/// A transfer that is under way.
#[derive(Debug)]
pub(super) enum Transfer {
    /// We are in the middle (figure 4, "Init transfer").
    Initiator {
        /// This leg's peer is ready.
        ready: bool,
        /// Only voice is to leave us.
        media_only: bool,
    },
    /// We are outside.
    Party {
        id: u32,
        address: SocketAddr,
        remote: u16,
        /// The other side answered: TXREADY is out.
        ready: bool,
        /// The transfer is done; the peer in the middle may still repeat its TXREL.
        done: Option<Former>,
        sent: u8,
        due: Instant,
    },
}

/// The peer that was in the middle.
#[derive(Debug)]
pub(super) struct Former {
    address: SocketAddr,
    remote: u16,
    oseq: u8,
    iseq: u8,
}

impl Transfer {
    pub(super) fn is_initiator(&self) -> bool {
        matches!(self, Self::Initiator { .. })
    }
}

impl Call {
    /// Sends TXREQ (RFC 5456 §6.5.1): the peer is to talk to the peer of another leg of ours.
    pub(crate) fn begin_transfer(
        &mut self,
        cx: &mut Cx<'_>,
        transfer: u32,
        address: SocketAddr,
        remote: u16,
        media_only: bool,
    ) -> Result<(), CommandError> {
        let list: ElementsBuf =
            [Element::ApparentAddress(address), Element::CallNumber(remote), Element::TransferId(transfer)]
                .into_iter()
                .collect();
        self.send(cx, Kind::Iax(Command::TxReq), list.as_bytes())?;
        self.transfer = Some(Box::new(Transfer::Initiator { ready: false, media_only }));
        Ok(())
    }

    /// Whether TXREADY came for a transfer that we began.
    pub(crate) fn is_transfer_ready(&self) -> bool {
        matches!(self.transfer.as_deref(), Some(Transfer::Initiator { ready: true, .. }))
    }

    pub(crate) fn is_transferring(&self) -> bool {
        self.transfer.is_some()
    }

    /// Both are ready. TXREL and out (RFC 5456 §6.5.5), or TXMEDIA, and only full frames go through us from now on
    /// (§6.5.6).
    pub(crate) fn release(&mut self, cx: &mut Cx<'_>, remote: u16) {
        let list: ElementsBuf = [Element::CallNumber(remote)].into_iter().collect();
        if matches!(self.transfer.as_deref(), Some(Transfer::Initiator { media_only: true, .. })) {
            self.link.command(cx, Command::TxMedia, &list);
            self.transfer = None;
        } else {
            self.step(cx, Step::Release, &Elements::parse(list.as_bytes()).unwrap_or_default());
        }
    }

    /// Voice comes back to us (TXREL of a split call).
    pub(crate) fn rejoin(&mut self, cx: &mut Cx<'_>, remote: u16) -> Result<(), CommandError> {
        let list: ElementsBuf = [Element::CallNumber(remote)].into_iter().collect();
        self.send(cx, Kind::Iax(Command::TxRel), list.as_bytes())
    }

    /// The other leg said no, or is gone.
    pub(crate) fn abort_transfer(&mut self, cx: &mut Cx<'_>) {
        if self.transfer.take().is_some() && self.flow.is_linked() {
            self.link.send(cx, Kind::Iax(Command::TxRej), &[]);
            cx.event(Event::TransferFailed(self.id));
        }
    }

    pub(super) fn on_transfer_ready(&mut self) {
        if let Some(Transfer::Initiator { ready, .. }) = self.transfer.as_deref_mut() {
            *ready = true;
            self.signal = Some(Signal::TransferReady);
        }
    }

    pub(super) fn on_transfer_request(&mut self, cx: &mut Cx<'_>, elements: &Elements<'_>) {
        let (Some(Element::ApparentAddress(address)), Some(Element::CallNumber(remote))) =
            (elements.get(id::APPARENT_ADDRESS), elements.get(id::CALL_NUMBER))
        else {
            return;
        };
        let transfer = match elements.get(id::TRANSFER_ID) {
            Some(Element::TransferId(id)) => id,
            _ => 0,
        };
        let allowed = self.profile.as_ref().is_some_and(|profile| profile.config.may_transfer);
        // An encrypted call's key belongs to this peer: it cannot be taken along.
        if !allowed || self.is_encrypted() || self.transfer.is_some() || address.port() == 0 {
            self.link.send(cx, Kind::Iax(Command::TxRej), &[]);
            return;
        }
        self.transfer = Some(Box::new(Transfer::Party {
            id: transfer,
            address,
            remote: remote & crate::frame::MAX_CALL_NUMBER,
            ready: false,
            done: None,
            sent: 0,
            due: cx.now,
        }));
        self.on_transfer_timeout(cx);
    }

    /// Sends TXCNT until TXACC comes, and TXREJ when none does (RFC 5456 §6.5.2).
    pub(super) fn on_transfer_timeout(&mut self, cx: &mut Cx<'_>) {
        let local = self.link.local;
        let Some(Transfer::Party { id, address, remote, ready: false, done: None, sent, due }) =
            self.transfer.as_deref_mut()
        else {
            if matches!(self.transfer.as_deref(), Some(Transfer::Party { due, done: Some(_), .. }) if *due <= cx.now) {
                self.transfer = None;
            }
            return;
        };
        if *due > cx.now {
            return;
        }
        if *sent >= ATTEMPTS {
            self.transfer = None;
            self.link.send(cx, Kind::Iax(Command::TxRej), &[]);
            return;
        }
        *sent += 1;
        *due = cx.now + Duration::from_millis(250) * u32::from(*sent);
        let list: ElementsBuf = [Element::TransferId(*id)].into_iter().collect();
        send_aside(cx, local, *address, *remote, Command::TxCnt, list.as_bytes());
    }

    pub(super) fn transfer_timeout(&self) -> Option<Instant> {
        match self.transfer.as_deref() {
            Some(
                Transfer::Party { ready: false, done: None, due, .. } | Transfer::Party { done: Some(_), due, .. },
            ) => Some(*due),
            _ => None,
        }
    }

    /// A full frame for this call from an address that is not its peer's. Only TXCNT and TXACC of a transfer under
    /// way mean anything, and a TXREL that is repeated.
    pub(crate) fn on_aside(&mut self, cx: &mut Cx<'_>, source: SocketAddr, full: &Full<'_>) {
        let local = self.link.local;
        let Some(Transfer::Party { id: transfer, address, remote, ready, done, .. }) = self.transfer.as_deref_mut()
        else {
            return;
        };
        let header = full.header;
        if let Some(former) = done {
            if source == former.address && header.source_call == former.remote && header.kind.is_sequenced() {
                let ack = FullHeader {
                    source_call: local,
                    retransmission: false,
                    destination_call: former.remote,
                    timestamp: header.timestamp,
                    oseq: former.oseq,
                    iseq: former.iseq,
                    kind: Kind::Iax(Command::Ack),
                };
                send_frame(cx, source, ack, &[]);
            }
            return;
        }
        if source != *address || header.source_call != *remote {
            return;
        }
        let same = match full.elements().ok().and_then(|elements| elements.get(id::TRANSFER_ID)) {
            Some(Element::TransferId(other)) => other == *transfer,
            _ => false,
        };
        let list: ElementsBuf = [Element::TransferId(*transfer)].into_iter().collect();
        match header.kind {
            Kind::Iax(Command::TxCnt) if same => {
                send_aside(cx, local, source, header.source_call, Command::TxAcc, list.as_bytes());
            }
            Kind::Iax(Command::TxAcc) if same && !*ready => {
                *ready = true;
                self.link.command(cx, Command::TxReady, &list);
            }
            _ => {}
        }
    }

    /// TXREL: the call goes on with the other side alone, and a split call is joined again (RFC 5456 §6.5.5).
    pub(super) fn on_transfer_release(&mut self, cx: &mut Cx<'_>) {
        if self.media.take().is_some() {
            self.restart_media_out();
            return;
        }
        let Some(Transfer::Party { address, remote, ready: true, done, due, .. }) = self.transfer.as_deref_mut() else {
            return;
        };
        // The acknowledgement goes to the one in the middle, which may not get it.
        let (new, number) = (*address, *remote);
        self.link.flush(cx);
        let (oseq, iseq) = self.link.reliable.number(false);
        *done = Some(Former { address: self.link.address, remote: self.link.remote, oseq, iseq });
        *due = cx.now + cx.config.linger;
        self.link.move_to(new, number);
        self.restart_media();
        cx.event(Event::Moved { call: self.id, address: new });
        self.signal = Some(Signal::Moved);
    }

    /// TXMEDIA: mini frames go to the other side, full frames stay (RFC 5456 §6.5.6).
    pub(super) fn on_transfer_media(&mut self, cx: &mut Cx<'_>) {
        let Some(Transfer::Party { address, remote, ready: true, done: None, .. }) = self.transfer.as_deref() else {
            return;
        };
        let path = (*address, *remote);
        self.media = Some(path);
        self.transfer = None;
        self.restart_media_out();
        cx.event(Event::MediaMoved { call: self.id, address: path.0 });
        self.signal = Some(Signal::MediaMoved);
    }
}

fn send_aside(cx: &mut Cx<'_>, local: u16, to: SocketAddr, remote: u16, command: Command, payload: &[u8]) {
    let header = FullHeader {
        source_call: local,
        retransmission: false,
        destination_call: remote,
        timestamp: 0,
        oseq: 0,
        iseq: 0,
        kind: Kind::Iax(command),
    };
    send_frame(cx, to, header, payload);
}

pub(crate) fn send_frame(cx: &mut Cx<'_>, to: SocketAddr, header: FullHeader, payload: &[u8]) {
    let mut frame = bytes::BytesMut::with_capacity(FullHeader::LEN + payload.len());
    Full { header, payload }.encode(&mut frame);
    cx.out.push_back(crate::event::Output::Datagram { destination: to, payload: frame.freeze() });
}
