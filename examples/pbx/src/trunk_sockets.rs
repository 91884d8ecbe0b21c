//! The sockets of IAX2.

use std::{
    collections::HashMap,
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use sip_core::uri::{Host, HostPort};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::{io::ReadBuf, net::UdpSocket, sync::mpsc, task::JoinSet};

use crate::{
    config::{Address, Config},
    refusals,
};

/// The largest datagram that is taken; more than any trunk frame.
const DATAGRAM: usize = 8 * 1024;

/// What the kernel holds for us: a second of a thousand calls.
const BUFFER: usize = 8 << 20;

/// Expedited forwarding, RFC 3246: DSCP 46.
const EXPEDITED: u32 = 46 << 2;

/// Peers whose socket is remembered, when there are several.
const ROUTES: usize = 4_096;

/// How long the name of a peer may take to be looked up.
const LOOKUP: Duration = Duration::from_secs(5);

/// Where IAX2 is heard, and from where it is sent.
#[derive(Debug, Default)]
pub(crate) struct TrunkSockets {
    sockets: Vec<Arc<UdpSocket>>,
    /// By which socket a peer came.
    routes: HashMap<SocketAddr, usize>,
    buffer: BytesMut,
    dropped: u64,
    /// Where it is told that nobody is there any more.
    refused: Option<mpsc::Sender<SocketAddr>>,
    /// They end with the sockets.
    watches: JoinSet<()>,
}

impl TrunkSockets {
    /// Tells there of peers whose system says that nobody takes what is sent to them: of sockets that are bound from now on.
    pub(crate) fn tell_refusals(&mut self, refused: mpsc::Sender<SocketAddr>) {
        self.refused = Some(refused);
    }

    /// Listens on one more address; returns it with the port that the system chose.
    pub(crate) fn bind(&mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        // A network or a system that does not honour these still carries the calls.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = match address {
            SocketAddr::V4(_) => socket.set_tos_v4(EXPEDITED),
            SocketAddr::V6(_) => socket.set_tclass_v6(EXPEDITED),
        };
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::from(address))?;
        let socket = Arc::new(UdpSocket::from_std(socket.into())?);
        if let Some(refused) = &self.refused {
            self.watches.spawn(refusals::watch(Arc::clone(&socket), refused.clone()));
        }
        let local = socket.local_addr()?;
        self.sockets.push(socket);
        Ok(local)
    }

    /// The next datagram; never, when there is no socket.
    pub(crate) async fn recv(&mut self) -> (SocketAddr, Bytes) {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// A datagram that is there already.
    pub(crate) fn try_recv(&mut self) -> Option<(SocketAddr, Bytes)> {
        match self.poll_recv(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(datagram) => Some(datagram),
            Poll::Pending => None,
        }
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<(SocketAddr, Bytes)> {
        let several = self.sockets.len() > 1;
        for (number, socket) in self.sockets.iter().enumerate() {
            loop {
                if self.buffer.len() < DATAGRAM {
                    self.buffer.resize(DATAGRAM * 8, 0);
                }
                let mut read = ReadBuf::new(self.buffer.get_mut(..DATAGRAM).unwrap_or_default());
                match socket.poll_recv_from(cx, &mut read) {
                    Poll::Ready(Ok(source)) => {
                        let length = read.filled().len();
                        let payload = self.buffer.split_to(length).freeze();
                        if several && (self.routes.len() < ROUTES || self.routes.contains_key(&source)) {
                            self.routes.insert(source, number);
                        }
                        return Poll::Ready((source, payload));
                    }
                    // An ICMP error of what was sent before.
                    Poll::Ready(Err(_)) => {}
                    Poll::Pending => break,
                }
            }
        }
        Poll::Pending
    }

    /// Sends a datagram from the socket by which the peer came, or the first of its family.
    pub(crate) fn send(&mut self, destination: SocketAddr, payload: &[u8]) {
        let same = |socket: &&Arc<UdpSocket>| socket.local_addr().is_ok_and(|it| it.is_ipv4() == destination.is_ipv4());
        let route = self.routes.get(&destination).and_then(|number| self.sockets.get(*number));
        let socket = route.or_else(|| self.sockets.iter().find(same)).or(self.sockets.first());
        let send = |socket: &Arc<UdpSocket>| match socket.try_send_to(payload, destination) {
            // What was sent before, wherever it went, did not arrive: that is told once, and says nothing of this.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => socket.try_send_to(payload, destination),
            sent => sent,
        };
        // What the kernel does not take now is lost, as on any network: what matters is sent again.
        if socket.is_none_or(|socket| send(socket).is_err()) {
            self.dropped += 1;
        }
    }

    /// Datagrams that could not be sent.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Looks up the names of peers and registrars; those that nobody knows stay names, and are nowhere.
pub(crate) async fn look_up(config: &mut Config) {
    let iax = &mut config.iax;
    let peers = iax.peers.iter_mut().filter_map(|peer| match &mut peer.address {
        Address::Fixed(place) => Some(place),
        Address::Dynamic | Address::Nowhere => None,
    });
    for place in peers.chain(iax.registrations.iter_mut().map(|registration| &mut registration.host)) {
        let Host::Name(name) = &place.host else { continue };
        let name = String::from_utf8_lossy(name).into_owned();
        let port = place.port.unwrap_or(iax2::DEFAULT_PORT);
        let found = tokio::time::timeout(LOOKUP, tokio::net::lookup_host((name.as_str(), port))).await;
        let first = found.ok().and_then(Result::ok).and_then(|mut addresses| addresses.next());
        match first.map(|address| address.ip()) {
            Some(IpAddr::V4(address)) => *place = HostPort::new(Host::V4(address), Some(port)),
            Some(IpAddr::V6(address)) => *place = HostPort::new(Host::V6(address), Some(port)),
            None => tracing::error!(name, "the name of an IAX2 host is not known"),
        }
    }
}
