//! UDP in batches, with the kernel's receive timestamps.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

/// How many datagrams are taken or sent by one call of the system.
pub(crate) const BATCH: usize = 32;

/// The largest datagram.
const DATAGRAM: usize = 65_535;

/// A datagram that came: its bytes are in the buffer of its number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    pub(crate) length: usize,
    pub(crate) remote: SocketAddr,
    /// Since 1970, when the kernel had it.
    pub(crate) stamp: Option<Duration>,
}

/// A bound socket of a listener.
#[derive(Debug)]
pub(crate) struct Udp {
    socket: UdpSocket,
    is_v6: bool,
    pub(crate) listener: u16,
}

/// What a thread receives into and sends from.
pub(crate) struct Batch {
    // The system notes the length of an address where it read the space for it: each family has its own.
    incoming_v4: MultiHeaders<SockaddrStorage>,
    incoming_v6: MultiHeaders<SockaddrStorage>,
    outgoing: MultiHeaders<SockaddrStorage>,
    /// One after the other, at distances that are no power of two: those would all share the same few lines of the cache.
    buffer: Vec<u8>,
    pub(crate) received: Vec<Received>,
}

/// From the beginning of one datagram to that of the next.
const STRIDE: usize = DATAGRAM + 1 + 20 * 64;

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("received", &self.received.len()).finish_non_exhaustive()
    }
}

impl Batch {
    pub(crate) fn new() -> Self {
        let incoming = || MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec)));
        Self {
            incoming_v4: incoming(),
            incoming_v6: incoming(),
            outgoing: MultiHeaders::preallocate(BATCH, None),
            buffer: vec![0; STRIDE * BATCH],
            received: Vec::with_capacity(BATCH),
        }
    }

    /// The bytes of a datagram that came.
    pub(crate) fn payload(&self, number: usize, length: usize) -> &[u8] {
        self.buffer.get(number * STRIDE..).and_then(|rest| rest.get(..length.min(DATAGRAM))).unwrap_or_default()
    }
}

/// What waits to be sent: to whom, and which part of what was written.
pub(crate) type Waiting = (SocketAddr, Range<usize>);

impl Udp {
    /// Binds an address, which several sockets may share.
    pub(crate) fn bind(address: SocketAddr, listener: u16, is_shared: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if is_shared {
            socket.set_reuse_port(true)?;
        }
        // The system may give less.
        let _ = socket.set_recv_buffer_size(8 << 20);
        let _ = socket.set_send_buffer_size(4 << 20);
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        let socket: UdpSocket = socket.into();
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).map_err(io::Error::from)?;
        Ok(Self { socket, is_v6: address.is_ipv6(), listener })
    }

    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The same socket, to send by it from elsewhere.
    pub(crate) fn try_clone(&self) -> io::Result<UdpSocket> {
        self.socket.try_clone()
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Sets for how long [`Udp::receive`] waits when it may.
    pub(crate) fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(patience))
    }

    /// Takes what there is; waits for the first datagram if asked to. Says whether there was anything.
    pub(crate) fn receive(&self, batch: &mut Batch, waits: bool) -> bool {
        batch.received.clear();
        let Batch { incoming_v4, incoming_v6, buffer, received, .. } = batch;
        let incoming = if self.is_v6 { incoming_v6 } else { incoming_v4 };
        let mut places = buffer.chunks_exact_mut(STRIDE);
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = std::array::from_fn(|_| {
            let place = places.next().and_then(|place| place.get_mut(..DATAGRAM));
            [IoSliceMut::new(place.unwrap_or_default())]
        });
        let flags = if waits { MsgFlags::MSG_WAITFORONE } else { MsgFlags::MSG_DONTWAIT };
        match recvmmsg(self.socket.as_raw_fd(), incoming, slices.iter_mut(), flags, None) {
            Ok(messages) => {
                for message in messages {
                    let stamp = message.cmsgs().ok().and_then(|mut control| {
                        control.find_map(|it| match it {
                            ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
                            _ => None,
                        })
                    });
                    // Without an address it is answered nowhere; it takes its place all the same.
                    let remote = message.address.and_then(to_address);
                    let remote = remote.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
                    received.push(Received { length: message.bytes, remote, stamp });
                }
                !received.is_empty()
            }
            Err(_) => false,
        }
    }

    /// Sends; what the system does not take is lost, as in a network. Returns how many were.
    pub(crate) fn send(&self, batch: &mut Batch, messages: &[Waiting], written: &[u8]) -> u64 {
        let payload = |place: &Range<usize>| written.get(place.clone()).unwrap_or_default();
        if let [(remote, place)] = messages {
            return u64::from(self.socket.send_to(payload(place), remote).is_err());
        }
        let mut lost = 0;
        let mut rest = messages;
        while !rest.is_empty() {
            let some = rest.get(..BATCH).unwrap_or(rest);
            let mut slices: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|_| [IoSlice::new(&[])]);
            let mut addresses: [Option<SockaddrStorage>; BATCH] = [None; BATCH];
            for ((slice, address), (remote, place)) in slices.iter_mut().zip(&mut addresses).zip(some) {
                *slice = [IoSlice::new(payload(place))];
                *address = Some(SockaddrStorage::from(*remote));
            }
            let slices = slices.get(..some.len()).unwrap_or_default();
            let addresses = addresses.get(..some.len()).unwrap_or_default();
            let flags = MsgFlags::MSG_DONTWAIT;
            let sent = sendmmsg(self.socket.as_raw_fd(), &mut batch.outgoing, slices, addresses, [], flags);
            let sent = match sent {
                Ok(results) => results.count(),
                Err(Errno::EINTR) => continue,
                Err(_) => {
                    lost += 1;
                    1
                }
            };
            rest = rest.get(sent.max(1)..).unwrap_or_default();
        }
        lost
    }
}

fn to_address(address: SockaddrStorage) -> Option<SocketAddr> {
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => Some(SocketAddr::V4(SocketAddrV4::new(v4.ip(), v4.port()))),
        (None, Some(v6)) => Some(SocketAddr::V6(SocketAddrV6::new(v6.ip(), v6.port(), 0, 0))),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_comes_with_its_sources_and_timestamps_and_goes_where_it_should() {
        let ours = Udp::bind(SocketAddr::from(([127, 0, 0, 1], 0)), 0, false).unwrap();
        let theirs = Udp::bind(SocketAddr::from(([127, 0, 0, 1], 0)), 0, false).unwrap();
        let payloads: Vec<Vec<u8>> = (0..70_u8).map(|number| vec![number; 100 + usize::from(number)]).collect();
        let written = payloads.concat();
        let mut at = 0;
        let messages: Vec<Waiting> = payloads
            .iter()
            .map(|payload| {
                at += payload.len();
                (ours.local().unwrap(), at - payload.len()..at)
            })
            .collect();
        let mut batch = Batch::new();
        for waits in [false, true, false] {
            assert_eq!(theirs.send(&mut batch, &messages, &written), 0);
            let mut seen = Vec::new();
            while seen.len() < payloads.len() {
                assert!(ours.receive(&mut batch, waits), "what was sent on loopback is there");
                for (number, received) in batch.received.iter().enumerate() {
                    assert_eq!(received.remote, theirs.local().unwrap());
                    assert!(received.stamp.is_some_and(|stamp| stamp.as_secs() > 1_600_000_000));
                    seen.push(batch.payload(number, received.length).to_vec());
                }
            }
            assert_eq!(seen, payloads);
        }
        assert!(!ours.receive(&mut batch, false));
        ours.set_patience(Duration::from_millis(1)).unwrap();
        assert!(!ours.receive(&mut batch, true), "it waits for so long and no longer");
    }

    #[test]
    fn one_batch_serves_sockets_of_both_families() {
        let mut batch = Batch::new();
        for address in ["127.0.0.1:0", "[::1]:0", "127.0.0.1:0", "[::1]:0"] {
            let address: SocketAddr = address.parse().unwrap();
            let (ours, theirs) = (Udp::bind(address, 0, false).unwrap(), Udp::bind(address, 0, false).unwrap());
            ours.set_patience(Duration::from_secs(5)).unwrap();
            assert_eq!(theirs.send(&mut batch, &[(ours.local().unwrap(), 0..5)], b"hello"), 0);
            assert!(ours.receive(&mut batch, true));
            assert_eq!(batch.received[0].remote, theirs.local().unwrap());
        }
    }
}
