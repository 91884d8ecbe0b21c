//! One thread that reads UDP in batches, and forwards.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sip_proxy::stateless::{Dropped, Flow, Hop, Label, Verdict};
use sip_transaction::Transport;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use crate::meters::Meters;
use crate::socket::{Batch, Udp, Waiting};
use crate::worker::{Command, Rest, Worker};

/// How long a shard sleeps at most before it looks for commands.
const NAP: Duration = Duration::from_millis(10);

/// How many calls are told to others at once, and how long they may wait for it while there is other work.
const TOLD: usize = 128;
const TELLING: Duration = Duration::from_millis(1);

/// Everything that a thread owns.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) worker: Worker,
    pub(crate) sockets: Vec<Udp>,
    pub(crate) inbox: mpsc::Receiver<Command>,
    pub(crate) streams: Option<mpsc::Sender<Command>>,
    pub(crate) meters: Arc<Meters>,
}

/// What a shard works with from one batch to the next.
#[derive(Debug)]
struct Desk {
    batch: Batch,
    /// All that is to be sent, one after the other.
    written: Vec<u8>,
    /// Which of it goes where: by socket.
    outgoing: Vec<Vec<Waiting>>,
    /// What was sent, and when it came.
    notes: Vec<(Label, Duration)>,
}

impl Shard {
    /// Runs until it is told to stop.
    pub(crate) fn run(mut self) {
        let mut desk = Desk {
            batch: Batch::new(),
            written: Vec::with_capacity(1 << 16),
            outgoing: vec![Vec::new(); self.sockets.len()],
            notes: Vec::new(),
        };
        let mut due = Instant::now();
        let mut told = due;
        while !self.worker.is_loaded {
            let Some(command) = self.inbox.blocking_recv() else { return };
            if matches!(self.worker.apply(Instant::now(), command), Rest::Stop) {
                return;
            }
        }
        // Who has one socket waits in its receiving itself: one call of the system instead of three.
        let waits = match self.sockets.as_slice() {
            [only] => only.set_patience(NAP).is_ok(),
            _ => false,
        };
        loop {
            loop {
                match self.inbox.try_recv() {
                    Ok(command) => match self.worker.apply(Instant::now(), command) {
                        Rest::Nothing => {}
                        Rest::Send(hop, payload) => {
                            let start = desk.written.len();
                            desk.written.extend_from_slice(&payload);
                            self.queue(&mut desk, &hop, start);
                        }
                        Rest::Stop => return,
                    },
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            let now = Instant::now();
            if now >= due {
                self.worker.proxy.dispatcher_mut().handle_timeout(now);
                let mut start = desk.written.len();
                while let Some(hop) = self.worker.proxy.poll_probe(now, &mut desk.written) {
                    self.queue(&mut desk, &hop, start);
                    start = desk.written.len();
                }
                due = self.worker.proxy.dispatcher().poll_timeout().unwrap_or(now + NAP).min(now + NAP * 10);
                due = due.max(now + Duration::from_millis(1));
            }
            self.flush(&mut desk);
            let mut is_idle = true;
            for number in 0..self.sockets.len() {
                let Some(socket) = self.sockets.get(number) else { continue };
                // Nobody waits who has something to tell.
                let may_wait = waits && self.worker.proxy.dispatcher().untold() == 0;
                if socket.receive(&mut desk.batch, may_wait) {
                    is_idle = false;
                    let (listener, now) = (socket.listener, Instant::now());
                    self.forward(now, listener, &mut desk);
                }
            }
            self.flush(&mut desk);
            // Many calls at a time are told, but none late: a request of theirs may come to another shard.
            if is_idle || self.worker.proxy.dispatcher().untold() >= TOLD || now >= told + TELLING {
                self.worker.tell();
                told = now;
            }
            if is_idle && !waits {
                let wait = due.saturating_duration_since(Instant::now()).min(NAP);
                let mut polled: Vec<PollFd<'_>> =
                    self.sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
                let wait = PollTimeout::try_from(wait).unwrap_or(PollTimeout::ZERO);
                // An interrupted wait is a short one.
                let _ = poll(&mut polled, wait);
            }
        }
    }

    fn forward(&mut self, now: Instant, listener: u16, desk: &mut Desk) {
        for number in 0..desk.batch.received.len() {
            let Some(received) = desk.batch.received.get(number).copied() else { break };
            let flow = Flow { transport: Transport::Udp, listener, remote: received.remote, connection: None };
            let payload = desk.batch.payload(number, received.length);
            let start = desk.written.len();
            match self.worker.proxy.handle_datagram(now, &flow, payload, &mut desk.written) {
                Verdict::Send(hop) => {
                    if let Some(stamp) = received.stamp {
                        desk.notes.push((hop.label, stamp));
                    }
                    self.queue(desk, &hop, start);
                }
                Verdict::Drop(Dropped::Probe) if !self.worker.is_first => {
                    if let Some(first) = self.worker.links.others.first() {
                        // One that is lost here counts as not answered, and another follows.
                        let _ = first.try_send(Command::Answered(flow, Bytes::copy_from_slice(payload)));
                    }
                }
                Verdict::Drop(_) => {}
            }
        }
    }

    /// What was written from `start` on is to be sent.
    fn queue(&mut self, desk: &mut Desk, hop: &Hop, start: usize) {
        let place = start..desk.written.len();
        if hop.transport == Transport::Udp {
            let socket = self.sockets.iter().position(|socket| socket.listener == hop.listener);
            match socket.and_then(|socket| desk.outgoing.get_mut(socket)) {
                Some(waiting) => waiting.push((hop.remote, place)),
                None => self.worker.lost += 1,
            }
        } else {
            let payload = Bytes::copy_from_slice(desk.written.get(place).unwrap_or_default());
            let sent = self.streams.as_ref().map(|streams| streams.try_send(Command::Send(*hop, payload)));
            self.worker.lost += u64::from(!matches!(sent, Some(Ok(()))));
        }
    }

    fn flush(&mut self, desk: &mut Desk) {
        for (socket, waiting) in self.sockets.iter().zip(&mut desk.outgoing) {
            if !waiting.is_empty() {
                self.worker.lost += socket.send(&mut desk.batch, waiting, &desk.written);
                waiting.clear();
            }
        }
        desk.written.clear();
        if !desk.notes.is_empty() {
            let sent = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            for (label, stamp) in desk.notes.drain(..) {
                // Clocks are stepped: less than nothing is nothing.
                self.meters.note(label, sent.saturating_sub(stamp));
            }
        }
    }
}
