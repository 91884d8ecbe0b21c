//! Datagrams many at a time, so that whoever measures costs little beside what is measured.

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

/// How many at a time.
const BATCH: usize = 32;
/// The longest datagram, and how far apart they lie: no power of two, or all would share a few lines of the cache.
const PLACE: usize = 2_048 + 64;

/// Buffers for one socket.
pub struct Batch {
    incoming: MultiHeaders<SockaddrIn>,
    outgoing: MultiHeaders<SockaddrIn>,
    buffer: Vec<u8>,
    received: Vec<(usize, SocketAddr)>,
    written: Vec<u8>,
    waiting: Vec<(usize, Option<SockaddrIn>)>,
}

impl Batch {
    pub fn new() -> Self {
        Self {
            incoming: MultiHeaders::preallocate(BATCH, None),
            outgoing: MultiHeaders::preallocate(BATCH, None),
            buffer: vec![0; PLACE * BATCH],
            received: Vec::new(),
            written: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Takes what there is, without waiting.
    pub fn receive(&mut self, socket: &UdpSocket) -> usize {
        self.received.clear();
        let Self { incoming, buffer, received, .. } = self;
        let mut places = buffer.chunks_exact_mut(PLACE);
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(places.next().expect("a place"))]);
        let flags = MsgFlags::MSG_DONTWAIT;
        if let Ok(messages) = recvmmsg(socket.as_raw_fd(), incoming, slices.iter_mut(), flags, None) {
            for message in messages {
                let remote = message
                    .address
                    .map_or(SocketAddr::from(([0; 4], 0)), |it| SocketAddr::V4(SocketAddrV4::new(it.ip(), it.port())));
                received.push((message.bytes, remote));
            }
        }
        received.len()
    }

    /// What was received last, and from whom.
    pub fn received(&self) -> impl Iterator<Item = (&[u8], SocketAddr)> {
        self.received.iter().zip(self.buffer.chunks_exact(PLACE)).map(|(it, place)| (&place[..it.0], it.1))
    }

    /// Adds a datagram to those that are to be sent: to this place, or down a connected socket.
    pub fn push(&mut self, to: Option<SocketAddr>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.written.len();
        write(&mut self.written);
        let to = to.and_then(|to| if let SocketAddr::V4(to) = to { Some(SockaddrIn::from(to)) } else { None });
        self.waiting.push((self.written.len() - start, to));
    }

    /// What was received last gives what is to be sent next.
    pub fn answer(&mut self, mut write: impl FnMut(&[u8], &mut Vec<u8>)) {
        let received = std::mem::take(&mut self.received);
        let buffer = std::mem::take(&mut self.buffer);
        for ((length, remote), place) in received.iter().zip(buffer.chunks_exact(PLACE)) {
            self.push(Some(*remote), |out| write(&place[..*length], out));
        }
        (self.received, self.buffer) = (received, buffer);
    }

    /// Sends all.
    pub fn send(&mut self, socket: &UdpSocket) {
        let (mut done, mut at) = (0, 0);
        while done < self.waiting.len() {
            let some = &self.waiting[done..self.waiting.len().min(done + BATCH)];
            let mut slices: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|_| [IoSlice::new(&[])]);
            let mut addresses = [None; BATCH];
            let mut end = at;
            for ((slice, address), (length, to)) in slices.iter_mut().zip(&mut addresses).zip(some) {
                *slice = [IoSlice::new(&self.written[end..end + length])];
                *address = *to;
                end += length;
            }
            let count = some.len();
            let flags = MsgFlags::empty();
            let result =
                sendmmsg(socket.as_raw_fd(), &mut self.outgoing, &slices[..count], &addresses[..count], [], flags);
            // What the system does not take is lost, as in a network.
            let sent = result.map_or(1, |sent| sent.count().max(1));
            at += some[..sent].iter().map(|(length, _)| length).sum::<usize>();
            done += sent;
        }
        self.written.clear();
        self.waiting.clear();
    }
}

/// A socket of its own port, with large buffers.
pub fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for set in [
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBuf, &(4 << 20)),
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::SndBuf, &(4 << 20)),
    ] {
        set.expect("a buffer");
    }
    socket
}
