//! Many datagrams by one call: `recvmmsg`, `sendmmsg` and SO_TIMESTAMPNS of Linux.
//!
//! The scratch space belongs to the thread: sockets move between threads, what the system writes into cannot.

use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use bytes::Bytes;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg, sendmmsg, setsockopt,
    sockopt,
};
use nix::sys::time::TimeSpec;
use smallvec::SmallVec;

use super::{BATCH, Clocks, DATAGRAM, Datagram, in_family};

thread_local! {
    static SCRATCH: RefCell<Scratch> = const { RefCell::new(Scratch { buffers: Vec::new(), v4: None, v6: None }) };
}

/// What one thread receives into.
struct Scratch {
    /// Only as much of it takes memory as was ever written.
    buffers: Vec<u8>,
    // The system notes the length of an address where it read the space for it: each family has its own.
    v4: Option<Headers<SockaddrIn>>,
    v6: Option<Headers<SockaddrIn6>>,
}

struct Headers<S> {
    receiving: MultiHeaders<S>,
    sending: MultiHeaders<S>,
}

impl<S: SockaddrLike + Copy> Headers<S> {
    fn new() -> Self {
        Self { receiving: Self::receiving(), sending: MultiHeaders::preallocate(BATCH, None) }
    }

    fn receiving() -> MultiHeaders<S> {
        MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec)))
    }
}

/// Asks for timestamps.
pub(super) fn prepare(socket: &UdpSocket) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::ReceiveTimestampns, &true)?)
}

pub(super) fn receive(socket: &UdpSocket, is_v6: bool, into: &mut impl Extend<Datagram>) -> io::Result<usize> {
    SCRATCH.with_borrow_mut(|scratch| {
        let Scratch { buffers, v4, v6 } = scratch;
        if buffers.is_empty() {
            *buffers = vec![0; BATCH * DATAGRAM];
        }
        if is_v6 {
            receive_of(socket, v6.get_or_insert_with(Headers::new), buffers, into)
        } else {
            receive_of(socket, v4.get_or_insert_with(Headers::new), buffers, into)
        }
    })
}

fn receive_of<S: SockaddrLike + Copy + Into<SocketAddr>>(
    socket: &UdpSocket,
    headers: &mut Headers<S>,
    buffers: &mut [u8],
    into: &mut impl Extend<Datagram>,
) -> io::Result<usize> {
    let mut has_stamps = true;
    let mut count = 0;
    {
        let mut chunks = buffers.chunks_exact_mut(DATAGRAM);
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(chunks.next().unwrap_or_default())]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let messages = recvmmsg(socket.as_raw_fd(), &mut headers.receiving, slices.iter_mut(), flags, None)?;
        let clocks = Clocks::read();
        into.extend(messages.filter_map(|message| {
            count += 1;
            let stamp = message.cmsgs().ok().and_then(|mut control| {
                control.find_map(|it| match it {
                    ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
                    _ => None,
                })
            });
            has_stamps &= stamp.is_some();
            let received = stamp.map_or(clocks.monotonic, |stamp| clocks.when(stamp));
            let payload = message.iovs().next().map(Bytes::copy_from_slice).unwrap_or_default();
            // Without an address there is nobody to answer.
            Some(Datagram { source: message.address?.into(), payload, received })
        }));
    }
    if !has_stamps {
        // The system noted that there was no control message where it reads how much space there is for the next.
        headers.receiving = Headers::receiving();
    }
    Ok(count)
}

pub(super) fn send(socket: &UdpSocket, is_v6: bool, datagrams: &[(SocketAddr, Bytes)]) -> u64 {
    SCRATCH.with_borrow_mut(|scratch| {
        if is_v6 {
            let address = |address: SocketAddr| match in_family(address, true) {
                SocketAddr::V6(address) => Some(SockaddrIn6::from(address)),
                SocketAddr::V4(_) => None,
            };
            send_of(socket, scratch.v6.get_or_insert_with(Headers::new), datagrams, address)
        } else {
            let address = |address: SocketAddr| match address {
                SocketAddr::V4(address) => Some(SockaddrIn::from(address)),
                SocketAddr::V6(_) => None,
            };
            send_of(socket, scratch.v4.get_or_insert_with(Headers::new), datagrams, address)
        }
    })
}

fn send_of<S: SockaddrLike + Copy>(
    socket: &UdpSocket,
    headers: &mut Headers<S>,
    datagrams: &[(SocketAddr, Bytes)],
    address: impl Fn(SocketAddr) -> Option<S>,
) -> u64 {
    let mut addresses: SmallVec<[Option<S>; BATCH]> = SmallVec::new();
    let mut slices: SmallVec<[[IoSlice<'_>; 1]; BATCH]> = SmallVec::new();
    for (destination, payload) in datagrams {
        if let Some(address) = address(*destination) {
            addresses.push(Some(address));
            slices.push([IoSlice::new(payload)]);
        }
    }
    // What is of the other family cannot be sent.
    let mut lost = datagrams.len() - slices.len();
    let mut sent = 0;
    while let (Some(slices @ [_, ..]), Some(addresses)) = (slices.get(sent..), addresses.get(sent..)) {
        let flags = MsgFlags::MSG_DONTWAIT;
        match sendmmsg(socket.as_raw_fd(), &mut headers.sending, slices, addresses, [], flags) {
            Ok(results) => sent += results.count().max(1),
            Err(Errno::EINTR) => {}
            // It is about the first of them.
            Err(error) => {
                tracing::debug!(%error, "datagram dropped");
                lost += 1;
                sent += 1;
            }
        }
    }
    lost as u64
}
