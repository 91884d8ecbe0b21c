//! UDP sockets whose datagrams come and go in batches, with the times at which the system had them.
//!
//! [`Sockets`](super::Sockets) uses these; take them alone for a thread of your own that does nothing but datagrams:
//!
//! ```
//! use bytes::Bytes;
//! use sip_transaction::driver::udp::{Datagram, Udp, UdpConfig};
//!
//! let one = Udp::bind("127.0.0.1:0".parse()?, &UdpConfig::default())?;
//! let other = Udp::bind("127.0.0.1:0".parse()?, &UdpConfig::default())?;
//! let to = other.local()?;
//! assert_eq!(one.send(&[(to, Bytes::from_static(b"a")), (to, Bytes::from_static(b"b"))]), 0);
//! let mut came: Vec<Datagram> = Vec::new();
//! while came.len() < 2 {
//!     other.receive(&mut came)?;
//! }
//! assert_eq!(came[1].payload, "b");
//! assert_eq!(came[1].source, one.local()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(target_os = "linux")]
mod batch;
pub(super) mod readable;
#[cfg(any(not(target_os = "linux"), test))]
mod single;

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

#[cfg(target_os = "linux")]
use batch as system;
#[cfg(not(target_os = "linux"))]
use single as system;

/// How many datagrams one call of the system takes or sends at most.
pub const BATCH: usize = 32;

/// What the largest datagram needs.
const DATAGRAM: usize = 65_536;

/// A datagram cannot have waited longer: it was the system's clock that was set.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How a UDP socket is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpConfig {
    /// What the receive buffer is asked to hold, in bytes. The system may give less.
    pub receive_buffer: usize,
    /// What the send buffer is asked to hold, in bytes. The system may give less.
    pub send_buffer: usize,
    /// Whether other sockets of this user may bind the same address with SO_REUSEPORT: the system spreads datagrams
    /// over all of them by the address that they come from.
    pub is_shared: bool,
    /// Whether the unspecified IPv6 address takes IPv6 alone, so that the same port can be bound for IPv4 too.
    pub is_v6_only: bool,
    /// The class in which datagrams are sent (DSCP, RFC 2474), below 64; as the system does it when `None`.
    pub dscp: Option<u8>,
}

impl Default for UdpConfig {
    fn default() -> Self {
        Self { receive_buffer: 8 << 20, send_buffer: 4 << 20, is_shared: false, is_v6_only: false, dscp: None }
    }
}

/// A datagram that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub source: SocketAddr,
    /// What is in it.
    pub payload: Bytes,
    /// When the system had it, as near as its clocks tell; where it does not tell, when it was read.
    pub received: Instant,
}

/// A bound UDP socket that never waits.
#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    is_v6: bool,
}

impl Udp {
    /// Binds an address. The unspecified IPv6 address takes both families unless the configuration says otherwise, any
    /// other one takes its own.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn bind(address: SocketAddr, config: &UdpConfig) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(config.is_v6_only || !address.ip().is_unspecified())?;
        }
        if config.is_shared {
            share(&socket)?;
        }
        // Best effort: the system caps them.
        let _ = socket.set_recv_buffer_size(config.receive_buffer);
        let _ = socket.set_send_buffer_size(config.send_buffer);
        if let Some(dscp) = config.dscp {
            set_dscp(SockRef::from(&socket), address.is_ipv6(), dscp)?;
        }
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        system::prepare(&socket)?;
        Ok(Self { socket, is_v6: address.is_ipv6() })
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The same socket again.
    ///
    /// # Errors
    /// For want of file descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { socket: self.socket.try_clone()?, is_v6: self.is_v6 })
    }

    /// The socket itself, to wait for: it is not blocking.
    #[must_use]
    pub const fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Sends in another class from now on (DSCP, RFC 2474), below 64.
    ///
    /// # Errors
    /// When it is no class, or the system refuses.
    pub fn set_dscp(&self, dscp: u8) -> io::Result<()> {
        set_dscp(SockRef::from(&self.socket), self.is_v6, dscp)
    }

    /// Takes up to [`BATCH`] datagrams that are there, and says how many. Less than [`BATCH`] means that no more are
    /// there.
    ///
    /// # Errors
    /// `WouldBlock` when there is none; others are about datagrams that were sent earlier, and can be ignored.
    pub fn receive(&self, into: &mut impl Extend<Datagram>) -> io::Result<usize> {
        system::receive(&self.socket, self.is_v6, into)
    }

    /// Sends datagrams, and says how many the system did not take: they are lost, as in a network.
    pub fn send(&self, datagrams: &[(SocketAddr, Bytes)]) -> u64 {
        match datagrams {
            [(destination, payload)] => u64::from(self.send_one(*destination, payload).is_err()),
            _ => datagrams.chunks(BATCH).map(|batch| system::send(&self.socket, self.is_v6, batch)).sum(),
        }
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// When the system does not take it.
    pub fn send_one(&self, destination: SocketAddr, payload: &[u8]) -> io::Result<()> {
        self.socket.send_to(payload, in_family(destination, self.is_v6)).map(|_| ())
    }
}

/// Lets others bind the same address.
#[cfg(unix)]
pub(super) fn share(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

/// Lets others bind the same address.
#[cfg(not(unix))]
pub(super) fn share(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Puts a class into the packets of a socket.
pub(super) fn set_dscp(socket: SockRef<'_>, is_v6: bool, dscp: u8) -> io::Result<()> {
    if dscp >= 64 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a class is less than 64"));
    }
    let octet = u32::from(dscp) << 2;
    if !is_v6 {
        return socket.set_tos_v4(octet);
    }
    #[cfg(unix)]
    socket.set_tclass_v6(octet)?;
    // For IPv4 packets of a socket that takes both families.
    let _ = socket.set_tos_v4(octet);
    Ok(())
}

/// A socket for both families knows IPv4 addresses in their mapped form only (RFC 4291 §2.5.5.2).
const fn in_family(address: SocketAddr, is_v6: bool) -> SocketAddr {
    match (address.ip(), is_v6) {
        (IpAddr::V4(ip), true) => SocketAddr::V6(SocketAddrV6::new(ip.to_ipv6_mapped(), address.port(), 0, 0)),
        _ => address,
    }
}

/// Both clocks at one moment: datagrams are stamped with the one that is set, and told with the one that is not.
#[derive(Debug, Clone, Copy)]
struct Clocks {
    monotonic: Instant,
    since_1970: Duration,
}

impl Clocks {
    fn read() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { monotonic: Instant::now(), since_1970 }
    }

    /// When it was `stamp`.
    fn when(&self, stamp: Duration) -> Instant {
        let waited = self.since_1970.checked_sub(stamp).filter(|waited| *waited <= LONGEST_WAIT).unwrap_or_default();
        self.monotonic.checked_sub(waited).unwrap_or(self.monotonic)
    }
}

#[cfg(test)]
mod tests;
