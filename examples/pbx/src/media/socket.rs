//! The two sockets of one side: RTP on the even port, RTCP on the odd one above.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    task::{Context, Poll},
};

use bytes::BytesMut;
use rtp::ports::Pair;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::{io::ReadBuf, net::UdpSocket};

/// The largest packet that is taken: more than any Ethernet carries.
const PACKET: usize = 2048;

/// What the kernel holds for us while the task waits for its turn: more than a second of G.711.
const BUFFER: usize = 128 * 1024;

/// Expedited forwarding, RFC 3246: DSCP 46.
const EXPEDITED: u32 = 46 << 2;

#[derive(Debug)]
pub(super) struct Leg {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
}

impl Leg {
    pub(super) fn bind(address: IpAddr, pair: Pair) -> io::Result<Self> {
        Ok(Self {
            rtp: bind(SocketAddr::new(address, pair.rtp()))?,
            rtcp: bind(SocketAddr::new(address, pair.rtcp()))?,
        })
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // A network that does not honour these still carries the call.
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = match address {
        SocketAddr::V4(_) => socket.set_tos_v4(EXPEDITED),
        SocketAddr::V6(_) => socket.set_tclass_v6(EXPEDITED),
    };
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    UdpSocket::from_std(socket.into())
}

/// The next packet, if one waits. Errors of earlier sendings (ICMP) are passed over; packets too large are dropped.
pub(super) fn receive(socket: &UdpSocket, buffer: &mut BytesMut, cx: &mut Context<'_>) -> Poll<SocketAddr> {
    loop {
        buffer.resize(PACKET, 0);
        let mut read = ReadBuf::new(buffer);
        match socket.poll_recv_from(cx, &mut read) {
            Poll::Ready(Ok(source)) => {
                let length = read.filled().len();
                if length < PACKET {
                    buffer.truncate(length);
                    return Poll::Ready(source);
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => return Poll::Pending,
        }
    }
}
