//! All connections, TCP and TLS: a shard of its own.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip_core::Limits;
use sip_core::framing::{FrameView, PONG, Stream};
use sip_proxy::stateless::{Flow, Hop, Verdict};
use sip_transaction::driver::{Arrival, Incoming, Sockets, sleep_until};
use sip_transaction::{ConnectionId, Input, Output, Transport};
use tokio::sync::mpsc;

use crate::meters::Meters;
use crate::worker::{Command, Rest, Worker};

/// Limits on what strangers can hold.
const CONNECTIONS: usize = 20_000;
const CONNECTIONS_OF_ONE: usize = 1_000;
const FIRST_MESSAGE: Duration = Duration::from_secs(10);
const WHOLE_MESSAGE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(3_600);
/// How many bytes may wait for a connection to open.
const WAITING: usize = 256 * 1_024;

#[derive(Debug)]
struct Connection {
    transport: Transport,
    listener: u16,
    remote: SocketAddr,
    is_inbound: bool,
    /// What waits for it to open.
    waiting: Option<VecDeque<Bytes>>,
    stream: Stream,
    since: Instant,
    heard: Instant,
    has_spoken: bool,
    incomplete: Option<Instant>,
}

/// Everything that the task owns.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) worker: Worker,
    pub(crate) sockets: Sockets,
    pub(crate) inbox: mpsc::Receiver<Command>,
    /// Of each listener for UDP its socket, by the listener's number.
    pub(crate) udp: HashMap<u16, UdpSocket>,
    /// What the listeners of `sockets` are numbered in the proxy, and their transport.
    pub(crate) listeners: Vec<(u16, Transport)>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) limits: Limits,
    pub(crate) table: Table,
}

/// The connections by number and by the address that they lead to.
#[derive(Debug, Default)]
pub(crate) struct Table {
    connections: HashMap<u64, Connection>,
    by_remote: HashMap<(Transport, SocketAddr), u64>,
    of_one: HashMap<IpAddr, usize>,
    next: u64,
}

impl Table {
    fn insert(&mut self, connection: Connection) -> u64 {
        self.next += 1;
        let key = (connection.transport, connection.remote);
        if connection.is_inbound {
            *self.of_one.entry(connection.remote.ip()).or_default() += 1;
        }
        self.by_remote.insert(key, self.next);
        self.connections.insert(self.next, connection);
        self.next
    }

    fn remove(&mut self, number: u64) -> Option<Connection> {
        let connection = self.connections.remove(&number)?;
        let key = (connection.transport, connection.remote);
        if self.by_remote.get(&key) == Some(&number) {
            self.by_remote.remove(&key);
        }
        let ip = connection.remote.ip();
        if connection.is_inbound
            && let Some(count) = self.of_one.get_mut(&ip)
        {
            *count -= 1;
            if *count == 0 {
                self.of_one.remove(&ip);
            }
        }
        Some(connection)
    }
}

/// What was written, taken out.
fn taken(out: &mut Vec<u8>) -> Bytes {
    let payload = Bytes::copy_from_slice(out);
    out.clear();
    payload
}

impl Streams {
    /// Runs until it is told to stop.
    pub(crate) async fn run(mut self) {
        let mut out = Vec::with_capacity(1 << 16);
        let mut sweep = Instant::now();
        while !self.worker.is_loaded {
            let Some(command) = self.inbox.recv().await else { return };
            if matches!(self.worker.apply(Instant::now(), command), Rest::Stop) {
                return;
            }
        }
        loop {
            let now = Instant::now();
            let due = self.worker.proxy.dispatcher().poll_timeout().unwrap_or(now + Duration::from_secs(1));
            tokio::select! {
                command = self.inbox.recv() => {
                    let Some(command) = command else { return };
                    match self.worker.apply(Instant::now(), command) {
                        Rest::Nothing => {}
                        Rest::Send(hop, payload) => self.send(Instant::now(), &hop, payload),
                        Rest::Stop => return,
                    }
                }
                arrival = self.sockets.recv() => {
                    self.arrive(Instant::now(), arrival, &mut out);
                    // What came with it is handled before anything waits again.
                    for _ in 0..64 {
                        let Some(arrival) = self.sockets.try_recv() else { break };
                        self.arrive(Instant::now(), arrival, &mut out);
                    }
                }
                () = sleep_until(Some(due.max(now + Duration::from_millis(1)).min(now + Duration::from_secs(1)))) => {
                    let now = Instant::now();
                    self.worker.proxy.dispatcher_mut().handle_timeout(now);
                    while let Some(hop) = self.worker.proxy.poll_probe(now, &mut out) {
                        let payload = taken(&mut out);
                        self.send(now, &hop, payload);
                    }
                }
            }
            if sweep + Duration::from_secs(1) < now {
                sweep = now;
                self.sweep(now);
            }
            self.worker.connections = self.table.connections.len();
            self.worker.tell();
        }
    }

    fn arrive(&mut self, now: Instant, arrival: Arrival, out: &mut Vec<u8>) {
        match arrival {
            Arrival::Connection(incoming) => self.accept(now, incoming),
            Arrival::Input(Input::Connected { connection, .. }) => {
                let number = connection.as_u64();
                if let Some(open) = self.table.connections.get_mut(&number) {
                    open.heard = now;
                    for payload in open.waiting.take().unwrap_or_default() {
                        self.sockets.transmit(Output::<()>::Write { connection, payload });
                    }
                }
            }
            Arrival::Input(Input::Received { connection, payload }) => self.receive(now, connection, &payload, out),
            Arrival::Input(Input::Closed { connection, .. }) => {
                if let Some(closed) = self.table.remove(connection.as_u64())
                    && closed.waiting.is_some()
                    && let Some(node) = self.worker.proxy.dispatcher().at(closed.transport, closed.remote)
                {
                    self.worker.proxy.dispatcher_mut().note_failure(node);
                }
            }
            Arrival::Input(_) => {}
        }
    }

    fn accept(&mut self, now: Instant, incoming: Incoming) {
        let listener = self.listeners.get(usize::from(incoming.listener().as_u16())).copied();
        let remote = incoming.remote();
        let of_one = self.table.of_one.get(&remote.ip()).copied().unwrap_or(0);
        let is_full = self.table.connections.len() >= CONNECTIONS || of_one >= CONNECTIONS_OF_ONE;
        let Some((listener, transport)) = listener.filter(|_| !is_full) else {
            self.sockets.attach(incoming, None);
            return;
        };
        let number = self.table.insert(Connection {
            transport,
            listener,
            remote,
            is_inbound: true,
            waiting: None,
            stream: Stream::new(self.limits),
            since: now,
            heard: now,
            has_spoken: false,
            incomplete: None,
        });
        self.sockets.attach(incoming, Some(ConnectionId::from_u64(number)));
    }

    fn receive(&mut self, now: Instant, id: ConnectionId, payload: &[u8], out: &mut Vec<u8>) {
        let number = id.as_u64();
        let Some(connection) = self.table.connections.get_mut(&number) else { return };
        connection.heard = now;
        connection.stream.push(payload);
        let flow = Flow {
            transport: connection.transport,
            listener: connection.listener,
            remote: connection.remote,
            connection: Some(number),
        };
        loop {
            // Sending may close it.
            let Some(connection) = self.table.connections.get_mut(&number) else { return };
            let verdict = match connection.stream.next_view() {
                Ok(None) => {
                    let is_whole = connection.stream.buffered() == 0;
                    connection.incomplete = if is_whole { None } else { connection.incomplete.or(Some(now)) };
                    return;
                }
                Ok(Some(FrameView::Message(message))) => {
                    connection.has_spoken = true;
                    connection.incomplete = None;
                    self.worker.proxy.handle_message(now, &flow, &message, out)
                }
                Ok(Some(FrameView::Ping)) => {
                    let payload = Bytes::from_static(PONG);
                    self.sockets.transmit(Output::<()>::Write { connection: id, payload });
                    continue;
                }
                Ok(Some(FrameView::Pong)) => continue,
                Ok(Some(FrameView::Bad { error, answerable })) => {
                    self.worker.proxy.handle_bad(&flow, &error, answerable.as_deref(), out)
                }
                Err(lost) => {
                    let verdict = self.worker.proxy.handle_bad(&flow, &lost.error, lost.answerable.as_deref(), out);
                    if let Verdict::Send(hop) = verdict {
                        let payload = taken(out);
                        self.send(now, &hop, payload);
                    }
                    self.close(number);
                    return;
                }
            };
            if let Verdict::Send(hop) = verdict {
                let payload = taken(out);
                self.send(now, &hop, payload);
                // Of a connection nobody has a timestamp: from our read on.
                self.meters.note(hop.label, Instant::now().saturating_duration_since(now));
            }
        }
    }

    fn send(&mut self, now: Instant, hop: &Hop, payload: Bytes) {
        if hop.transport == Transport::Udp {
            let sent = self.udp.get(&hop.listener).map(|socket| socket.send_to(&payload, hop.remote));
            self.worker.lost += u64::from(!matches!(sent, Some(Ok(_))));
            return;
        }
        let known = hop.connection.filter(|number| self.table.connections.contains_key(number));
        let known = known.or_else(|| self.table.by_remote.get(&(hop.transport, hop.remote)).copied());
        let number = known.unwrap_or_else(|| {
            let number = self.table.insert(Connection {
                transport: hop.transport,
                listener: hop.listener,
                remote: hop.remote,
                is_inbound: false,
                waiting: Some(VecDeque::new()),
                stream: Stream::new(self.limits),
                since: now,
                heard: now,
                has_spoken: true,
                incomplete: None,
            });
            let connection = ConnectionId::from_u64(number);
            let (transport, destination) = (hop.transport, hop.remote);
            self.sockets.transmit(Output::<()>::Connect { connection, transport, destination, name: None });
            number
        });
        let Some(connection) = self.table.connections.get_mut(&number) else { return };
        match &mut connection.waiting {
            Some(waiting) => {
                if waiting.iter().map(Bytes::len).sum::<usize>() + payload.len() > WAITING {
                    self.worker.lost += 1;
                } else {
                    waiting.push_back(payload);
                }
            }
            None => {
                let connection = ConnectionId::from_u64(number);
                self.sockets.transmit(Output::<()>::Write { connection, payload });
            }
        }
    }

    fn close(&mut self, number: u64) -> Option<Connection> {
        let closed = self.table.remove(number);
        let connection = ConnectionId::from_u64(number);
        self.sockets.transmit(Output::<()>::Close { connection });
        closed
    }

    /// Closes what is slow, idle or does not open.
    fn sweep(&mut self, now: Instant) {
        let is_over = |connection: &Connection| {
            let age = now.saturating_duration_since(connection.since);
            (connection.waiting.is_some() && age > CONNECT)
                || (!connection.has_spoken && age > FIRST_MESSAGE)
                || connection.incomplete.is_some_and(|since| now > since + WHOLE_MESSAGE)
                || now > connection.heard + IDLE
        };
        let over = self.table.connections.iter().filter(|(_, connection)| is_over(connection));
        let over: Vec<u64> = over.map(|(number, _)| *number).collect();
        for number in over {
            if let Some(closed) = self.close(number)
                && closed.waiting.is_some()
                && let Some(node) = self.worker.proxy.dispatcher().at(closed.transport, closed.remote)
            {
                self.worker.proxy.dispatcher_mut().note_failure(node);
            }
        }
    }
}
