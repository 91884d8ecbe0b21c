//! One thread that reads UDP in batches, and forwards.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sip_proxy::stateless::{Dropped, Flow, Hop, Label, Verdict};
use sip_transaction::Transport;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use crate::meters::Meters;
use crate::socket::{Batch, Udp};
use crate::worker::{Command, Rest, Worker};

/// How long a shard sleeps at most before it looks for commands.
const NAP: Duration = Duration::from_millis(10);

/// Everything that a thread owns.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) worker: Worker,
    pub(crate) sockets: Vec<Udp>,
    pub(crate) inbox: mpsc::Receiver<Command>,
    pub(crate) streams: Option<mpsc::Sender<Command>>,
    pub(crate) meters: Arc<Meters>,
}

/// What waits to be sent: by socket.
type Outgoing = Vec<Vec<(SocketAddr, Bytes)>>;

impl Shard {
    /// Runs until it is told to stop.
    pub(crate) fn run(mut self) {
        let mut batch = Batch::new();
        let mut out = BytesMut::with_capacity(1 << 20);
        let mut outgoing: Outgoing = vec![Vec::new(); self.sockets.len()];
        let mut notes: Vec<(Label, Duration)> = Vec::new();
        let mut due = Instant::now();
        while !self.worker.is_loaded {
            let Some(command) = self.inbox.blocking_recv() else { return };
            if matches!(self.worker.apply(Instant::now(), command), Rest::Stop) {
                return;
            }
        }
        loop {
            loop {
                match self.inbox.try_recv() {
                    Ok(command) => match self.worker.apply(Instant::now(), command) {
                        Rest::Nothing => {}
                        Rest::Send(hop, payload) => self.queue(&mut outgoing, &hop, payload),
                        Rest::Stop => return,
                    },
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            let now = Instant::now();
            if now >= due {
                self.worker.proxy.dispatcher_mut().handle_timeout(now);
                while let Some(hop) = self.worker.proxy.poll_probe(now, &mut out) {
                    let payload = out.split().freeze();
                    self.queue(&mut outgoing, &hop, payload);
                }
                due = self.worker.proxy.dispatcher().poll_timeout().unwrap_or(now + NAP).min(now + NAP * 10);
                due = due.max(now + Duration::from_millis(1));
            }
            let mut is_idle = true;
            for number in 0..self.sockets.len() {
                let Some(socket) = self.sockets.get(number) else { continue };
                if socket.receive(&mut batch) {
                    is_idle = false;
                    let (listener, now) = (socket.listener, Instant::now());
                    self.forward(now, listener, &batch, &mut out, &mut outgoing, &mut notes);
                }
            }
            self.flush(&mut outgoing, &mut notes);
            self.worker.tell();
            if is_idle {
                let wait = due.saturating_duration_since(Instant::now()).min(NAP);
                let mut polled: Vec<PollFd<'_>> =
                    self.sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
                let wait = PollTimeout::try_from(wait).unwrap_or(PollTimeout::ZERO);
                // An interrupted wait is a short one.
                let _ = poll(&mut polled, wait);
            }
        }
    }

    fn forward(
        &mut self,
        now: Instant,
        listener: u16,
        batch: &Batch,
        out: &mut BytesMut,
        outgoing: &mut Outgoing,
        notes: &mut Vec<(Label, Duration)>,
    ) {
        for (number, received) in batch.received.iter().enumerate() {
            let flow = Flow { transport: Transport::Udp, listener, remote: received.remote, connection: None };
            let payload = batch.payload(number, received.length);
            let verdict = self.worker.proxy.handle_datagram(now, &flow, payload, out);
            if verdict == Verdict::Drop(Dropped::Probe)
                && !self.worker.is_first
                && let Some(first) = self.worker.links.others.first()
            {
                // One that is lost here counts as not answered, and another follows.
                let _ = first.try_send(Command::Answered(flow, batch.payload(number, received.length)));
            }
            if let Verdict::Send(hop) = verdict {
                if let Some(stamp) = received.stamp {
                    notes.push((hop.label, stamp));
                }
                let payload = out.split().freeze();
                self.queue(outgoing, &hop, payload);
            }
        }
    }

    fn queue(&mut self, outgoing: &mut Outgoing, hop: &Hop, payload: Bytes) {
        if hop.transport == Transport::Udp {
            let place = self.sockets.iter().position(|socket| socket.listener == hop.listener);
            match place.and_then(|place| outgoing.get_mut(place)) {
                Some(waiting) => waiting.push((hop.remote, payload)),
                None => self.worker.lost += 1,
            }
        } else {
            let sent = self.streams.as_ref().map(|streams| streams.try_send(Command::Send(*hop, payload)));
            self.worker.lost += u64::from(!matches!(sent, Some(Ok(()))));
        }
    }

    fn flush(&mut self, outgoing: &mut Outgoing, notes: &mut Vec<(Label, Duration)>) {
        for (socket, waiting) in self.sockets.iter().zip(outgoing) {
            if !waiting.is_empty() {
                self.worker.lost += socket.send(waiting);
                waiting.clear();
            }
        }
        if !notes.is_empty() {
            let sent = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            for (label, stamp) in notes.drain(..) {
                // Clocks are stepped: less than nothing is nothing.
                self.meters.note(label, sent.saturating_sub(stamp));
            }
        }
    }
}
