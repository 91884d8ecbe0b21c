//! All connections, TCP and TLS: a shard of its own, one thread that waits for all of them at once.
//!
//! One read takes many messages, and what they lead to is written when all that came is read: one write a connection.

mod link;
mod table;

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use rustls::{ClientConfig, ServerConfig};
use sip_core::Limits;
use sip_core::framing::{FrameView, PONG};
use sip_proxy::stateless::{Flow, Hop, Label, Verdict};
use sip_transaction::Transport;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use crate::meters::Meters;
use crate::worker::{Command, INBOX, Rest, Worker};
use link::{Came, Link};
use table::{Connection, Table};

/// Limits on what strangers can hold.
const CONNECTIONS: usize = 20_000;
const CONNECTIONS_OF_ONE: usize = 1_000;
const FIRST_MESSAGE: Duration = Duration::from_secs(10);
const WHOLE_MESSAGE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(3_600);
/// How long a connection that we closed may take to hear of it.
const LINGER: Duration = Duration::from_secs(5);
/// How many bytes may wait for a connection to open.
const WAITING: usize = 256 * 1_024;
/// How many bytes may wait for who does not read. Past it, the connection is closed.
const SLOW: usize = 1 << 20;
/// How much is read at once, and how often from one connection before others have their turn.
const PIECE: usize = 64 * 1_024;
const PIECES: usize = 4;
/// How long accepting pauses when the system has no more descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// What wakes the thread for commands.
const COMMANDS: Token = Token(usize::MAX);
/// The tokens of doors; those of connections follow.
const DOORS: usize = 1 << 16;

/// A socket that listens.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) listener: std::net::TcpListener,
    /// Its number in the proxy.
    pub(crate) number: u16,
    pub(crate) transport: Transport,
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

/// Everything that the thread owns.
#[derive(Debug)]
pub(crate) struct Streams {
    worker: Worker,
    inbox: mpsc::Receiver<Command>,
    poll: Poll,
    doors: Vec<(TcpListener, Door)>,
    /// How the other side of encrypted connections that we open is checked.
    client: Option<Arc<ClientConfig>>,
    /// Of each listener for UDP its socket, by the listener's number.
    udp: HashMap<u16, UdpSocket>,
    meters: Arc<Meters>,
    limits: Limits,
    table: Table,
    /// What was written of the message at hand.
    out: Vec<u8>,
    /// Connections that are to be written.
    dirty: Vec<u64>,
    /// Connections that have more to read, whose turn is over.
    more: Vec<u64>,
    /// What was forwarded since the last writing, and when it was read.
    notes: Vec<(Label, Instant)>,
    /// When accepting goes on.
    paused: Option<Instant>,
}

/// What [`Streams::new`] takes.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) worker: Worker,
    pub(crate) inbox: mpsc::Receiver<Command>,
    pub(crate) doors: Vec<Door>,
    pub(crate) client: Option<Arc<ClientConfig>>,
    pub(crate) udp: HashMap<u16, UdpSocket>,
    pub(crate) meters: Arc<Meters>,
}

impl Streams {
    /// Registers all doors. Call it within a tokio runtime, which carries commands to the thread.
    pub(crate) fn new(parts: Parts) -> io::Result<Self> {
        let Parts { worker, inbox: mut commands, doors, client, udp, meters } = parts;
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), COMMANDS)?;
        let (forward, inbox) = mpsc::channel(INBOX);
        tokio::spawn(async move {
            while let Some(command) = commands.recv().await {
                if forward.send(command).await.is_err() || waker.wake().is_err() {
                    return;
                }
            }
            drop(forward);
            // So that it sees that nobody commands it any more.
            let _ = waker.wake();
        });
        let doors = doors.into_iter().enumerate().map(|(place, door)| {
            let mut listener = TcpListener::from_std(door.listener.try_clone()?);
            poll.registry().register(&mut listener, Token(place), Interest::READABLE)?;
            Ok((listener, door))
        });
        Ok(Self {
            worker,
            inbox,
            doors: doors.collect::<io::Result<_>>()?,
            poll,
            client,
            udp,
            meters,
            limits: Limits::default(),
            table: Table::default(),
            out: Vec::with_capacity(1 << 16),
            dirty: Vec::new(),
            more: Vec::new(),
            notes: Vec::new(),
            paused: None,
        })
    }

    /// Runs until it is told to stop.
    pub(crate) fn run(mut self) {
        while !self.worker.is_loaded {
            let Some(command) = self.inbox.blocking_recv() else { return };
            if matches!(self.worker.apply(Instant::now(), command), Rest::Stop) {
                return;
            }
        }
        let mut events = Events::with_capacity(1_024);
        let mut buffer = vec![0; PIECE];
        let mut sweep = Instant::now();
        let mut due = Instant::now();
        loop {
            let now = Instant::now();
            if now >= due {
                self.worker.proxy.dispatcher_mut().handle_timeout(now);
                self.out.clear();
                while let Some(hop) = self.worker.proxy.poll_probe(now, &mut self.out) {
                    self.send(now, &hop);
                }
                self.flush();
                let next = self.worker.proxy.dispatcher().poll_timeout().unwrap_or(now + Duration::from_secs(1));
                due = next.clamp(now + Duration::from_millis(1), now + Duration::from_secs(1));
            }
            if sweep + Duration::from_secs(1) < now {
                sweep = now;
                self.sweep(now);
            }
            if self.paused.is_some_and(|until| now >= until) {
                self.paused = None;
                (0..self.doors.len()).for_each(|door| self.accept(now, door));
            }
            self.worker.connections = self.table.connections.len();
            self.worker.tell();
            let wait =
                if self.more.is_empty() { due.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
            let wait = if self.paused.is_some() { wait.min(PAUSE) } else { wait };
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "connections are served no longer");
                return;
            }
            let now = Instant::now();
            for number in std::mem::take(&mut self.more) {
                self.read(now, number, &mut buffer, true);
            }
            for event in &events {
                match event.token() {
                    COMMANDS => {
                        if self.is_told_to_stop() {
                            return;
                        }
                    }
                    Token(door) if door < DOORS => self.accept(now, door),
                    Token(token) => {
                        let number = (token - DOORS) as u64;
                        if event.is_writable() || event.is_error() {
                            self.open(now, number);
                        }
                        if event.is_readable() || event.is_read_closed() {
                            self.read(now, number, &mut buffer, event.is_read_closed());
                        }
                    }
                }
            }
            self.flush();
        }
    }

    fn is_told_to_stop(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(command) => {
                    let now = Instant::now();
                    match self.worker.apply(now, command) {
                        Rest::Nothing => {}
                        Rest::Send(hop, payload) => {
                            self.out.clear();
                            self.out.extend_from_slice(&payload);
                            self.send(now, &hop);
                        }
                        Rest::Stop => return true,
                    }
                }
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    fn accept(&mut self, now: Instant, door: usize) {
        loop {
            let Some((listener, door)) = self.doors.get(door) else { return };
            let (socket, remote) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // One that was gone before it was taken.
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    self.paused = Some(now + PAUSE);
                    return;
                }
            };
            if self.table.connections.len() >= CONNECTIONS || self.table.of_one(remote.ip()) >= CONNECTIONS_OF_ONE {
                continue;
            }
            let _ = socket.set_nodelay(true);
            let (transport, number) = (door.transport, door.number);
            let Ok(link) = Link::accepted(socket, door.tls.clone()) else { continue };
            self.insert(link, Connection::new(now, transport, number, remote, true, self.limits));
        }
    }

    /// Puts a connection into the table. Says which number it got.
    fn insert(&mut self, mut link: Link, connection: impl FnOnce(Link) -> Connection) -> Option<u64> {
        let token = usize::try_from(self.table.next()).ok()?.checked_add(DOORS)?;
        link.register(self.poll.registry(), Token(token)).ok()?;
        Some(self.table.insert(connection(link)))
    }

    /// A connection can be written, or cannot be opened.
    fn open(&mut self, now: Instant, number: u64) {
        let Some(connection) = self.table.connections.get_mut(&number) else { return };
        match connection.link.open() {
            Ok(is_ready) => {
                if is_ready && !connection.was_ready {
                    connection.was_ready = true;
                    connection.heard = now;
                }
                if connection.link.write().is_err() {
                    self.lose(number);
                }
            }
            Err(_) => self.lose(number),
        }
    }

    /// Reads what a connection brought. Unless `to_end`, a piece that does not fill the buffer was the last: what comes later is told anew.
    fn read(&mut self, now: Instant, number: u64, buffer: &mut [u8], to_end: bool) {
        for _ in 0..PIECES {
            let Some(connection) = self.table.connections.get_mut(&number) else { return };
            let came = connection.link.read(buffer);
            if !connection.was_ready && connection.link.is_ready() {
                connection.was_ready = true;
                connection.heard = now;
            }
            // A handshake has something to say without being asked.
            mark(&mut self.dirty, number, connection);
            let length = match came {
                Came::Some(length) | Came::Last(length) => length,
                Came::Nothing => return,
                Came::End => {
                    self.lose(number);
                    return;
                }
            };
            if connection.closing.is_none() {
                connection.heard = now;
                connection.stream.push(buffer.get(..length).unwrap_or_default());
                self.messages(now, number);
            }
            if matches!(came, Came::Last(_)) && !to_end {
                return;
            }
        }
        self.more.push(number);
    }

    /// Forwards the messages that a connection brought.
    fn messages(&mut self, now: Instant, number: u64) {
        let Some(connection) = self.table.connections.get(&number) else { return };
        let flow = Flow {
            transport: connection.transport,
            listener: connection.listener,
            remote: connection.remote,
            connection: Some(number),
        };
        loop {
            // Sending may close it.
            let Some(connection) = self.table.connections.get_mut(&number) else { return };
            self.out.clear();
            let proxy = &mut self.worker.proxy;
            let verdict = match connection.stream.next_view() {
                Ok(None) => {
                    let is_whole = connection.stream.buffered() == 0;
                    connection.incomplete = if is_whole { None } else { connection.incomplete.or(Some(now)) };
                    return;
                }
                Ok(Some(FrameView::Message(message))) => {
                    connection.has_spoken = true;
                    connection.incomplete = None;
                    proxy.handle_message(now, &flow, &message, &mut self.out)
                }
                Ok(Some(FrameView::Ping)) => {
                    connection.link.push(PONG);
                    mark(&mut self.dirty, number, connection);
                    continue;
                }
                Ok(Some(FrameView::Pong)) => continue,
                Ok(Some(FrameView::Bad { error, answerable })) => {
                    proxy.handle_bad(&flow, &error, answerable.as_deref(), &mut self.out)
                }
                Err(lost) => {
                    let verdict = proxy.handle_bad(&flow, &lost.error, lost.answerable.as_deref(), &mut self.out);
                    if let Verdict::Send(hop) = verdict {
                        self.send(now, &hop);
                    }
                    self.close(now, number);
                    return;
                }
            };
            if let Verdict::Send(hop) = verdict {
                self.send(now, &hop);
                // Of a connection nobody has a timestamp: from our read on.
                self.notes.push((hop.label, now));
            }
        }
    }

    /// Sends what was written last.
    fn send(&mut self, now: Instant, hop: &Hop) {
        let payload = std::mem::take(&mut self.out);
        if self.pass(now, hop, &payload).is_none() {
            self.worker.lost += 1;
        }
        self.out = payload;
        self.out.clear();
    }

    fn pass(&mut self, now: Instant, hop: &Hop, payload: &[u8]) -> Option<()> {
        if hop.transport == Transport::Udp {
            return self.udp.get(&hop.listener)?.send_to(payload, hop.remote).ok().map(drop);
        }
        let known = hop.connection.filter(|number| self.table.serves(*number));
        let known = known.or_else(|| self.table.to(hop.transport, hop.remote));
        let number = match known {
            Some(number) => number,
            None => self.connect(now, hop)?,
        };
        let connection = self.table.connections.get_mut(&number)?;
        let limit = if connection.was_ready { SLOW } else { WAITING };
        if connection.link.waiting() + payload.len() > limit {
            if connection.was_ready {
                self.table.remove(number);
            }
            return None;
        }
        connection.link.push(payload);
        mark(&mut self.dirty, number, connection);
        Some(())
    }

    fn connect(&mut self, now: Instant, hop: &Hop) -> Option<u64> {
        let tls = match hop.transport {
            Transport::Tls => Some(self.client.clone()?),
            _ => None,
        };
        let name = self.worker.names.get(&hop.remote).map(|name| &**name);
        let link = Link::connect(hop.remote, tls, name).ok();
        let limits = self.limits;
        let number = link.and_then(|link| {
            self.insert(link, Connection::new(now, hop.transport, hop.listener, hop.remote, false, limits))
        });
        if number.is_none()
            && let Some(node) = self.worker.proxy.dispatcher().at(hop.transport, hop.remote)
        {
            self.worker.proxy.dispatcher_mut().note_failure(node);
        }
        number
    }

    /// Writes all that waits.
    fn flush(&mut self) {
        while let Some(number) = self.dirty.pop() {
            let Some(connection) = self.table.connections.get_mut(&number) else { continue };
            connection.is_dirty = false;
            if connection.link.write().is_err() {
                self.lose(number);
            }
        }
        if !self.notes.is_empty() {
            let sent = Instant::now();
            for (label, read) in self.notes.drain(..) {
                self.meters.note(label, sent.saturating_duration_since(read));
            }
        }
    }

    /// Closes a connection when what waits is written. Until the other side hears of it, nothing more is read from it: closed at once, the
    /// system would take back even what was written.
    fn close(&mut self, now: Instant, number: u64) {
        let Some(connection) = self.table.connections.get_mut(&number) else { return };
        connection.closing = Some(now);
        connection.link.finish();
        let (transport, remote) = (connection.transport, connection.remote);
        self.table.forget(number, transport, remote);
    }

    /// A connection is no more. One that never was tells something about its destination.
    fn lose(&mut self, number: u64) {
        if let Some(lost) = self.table.remove(number)
            && !lost.was_ready
            && let Some(node) = self.worker.proxy.dispatcher().at(lost.transport, lost.remote)
        {
            self.worker.proxy.dispatcher_mut().note_failure(node);
        }
    }

    /// Closes what is slow, idle or does not open.
    fn sweep(&mut self, now: Instant) {
        let is_over = |connection: &Connection| {
            let age = now.saturating_duration_since(connection.since);
            (!connection.was_ready && age > CONNECT)
                || (!connection.has_spoken && age > FIRST_MESSAGE)
                || connection.incomplete.is_some_and(|since| now > since + WHOLE_MESSAGE)
                || connection.closing.is_some_and(|since| now > since + LINGER)
                || now > connection.heard + IDLE
        };
        let over = self.table.connections.iter().filter(|(_, connection)| is_over(connection));
        let over: Vec<u64> = over.map(|(number, _)| *number).collect();
        over.into_iter().for_each(|number| self.lose(number));
    }
}

/// Notes that a connection is to be written.
fn mark(dirty: &mut Vec<u64>, number: u64, connection: &mut Connection) {
    if !connection.is_dirty {
        connection.is_dirty = true;
        dirty.push(number);
    }
}
