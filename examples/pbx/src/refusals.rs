//! What the network tells of datagrams that did not arrive (ICMP): who waits for an answer need not wait for it.

use std::{net::SocketAddr, sync::Arc};

use tokio::{net::UdpSocket, sync::mpsc};

/// Tells of the destinations of what a socket sent and nobody took, as far as the system tells. When nobody listens fast
/// enough, some are not told: whoever sends again hears of it again.
pub(crate) async fn watch(socket: Arc<UdpSocket>, refused: mpsc::Sender<SocketAddr>) {
    #[cfg(target_os = "linux")]
    linux::watch(&socket, &refused).await;
    #[cfg(not(target_os = "linux"))]
    drop((socket, refused));
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        io::{self, IoSliceMut},
        net::SocketAddr,
        os::fd::AsRawFd,
    };

    use nix::{
        errno::Errno,
        libc,
        sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt},
    };
    use tokio::{io::Interest, net::UdpSocket, sync::mpsc};

    pub(super) async fn watch(socket: &UdpSocket, refused: &mpsc::Sender<SocketAddr>) {
        let is_ipv4 = socket.local_addr().is_ok_and(|address| address.is_ipv4());
        let asked = match is_ipv4 {
            true => setsockopt(socket, sockopt::Ipv4RecvErr, &true),
            false => setsockopt(socket, sockopt::Ipv6RecvErr, &true),
        };
        if let Err(error) = asked {
            tracing::debug!(%error, "the system does not tell of datagrams that are refused");
            return;
        }
        while socket.ready(Interest::ERROR).await.is_ok() {
            while let Ok(next) = socket.try_io(Interest::ERROR, || next(socket)) {
                if let Some(destination) = next {
                    let _ = refused.try_send(destination);
                }
            }
        }
    }

    /// The next word of the system on what was sent: where it went, when nobody is there.
    fn next(socket: &UdpSocket) -> io::Result<Option<SocketAddr>> {
        let mut payload = [0; 64];
        let mut slices = [IoSliceMut::new(&mut payload)];
        let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
        let Some(destination) = message.address else { return Ok(None) };
        let destination = match (destination.as_sockaddr_in(), destination.as_sockaddr_in6()) {
            (Some(v4), _) => SocketAddr::from((v4.ip(), v4.port())),
            (None, Some(v6)) => SocketAddr::from((v6.ip(), v6.port())),
            (None, None) => return Ok(None),
        };
        let gone = |number: u32| {
            let number = i32::try_from(number).unwrap_or_default();
            matches!(Errno::from_raw(number), Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH)
        };
        let told = message.cmsgs()?.any(|control| match control {
            ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
                gone(error.ee_errno)
            }
            _ => false,
        });
        Ok(told.then_some(destination))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_port_that_nobody_has_is_told_of_and_one_that_somebody_has_is_not() {
        let bind = || UdpSocket::bind("127.0.0.1:0");
        let (here, there, gone) = (Arc::new(bind().await.unwrap()), bind().await.unwrap(), bind().await.unwrap());
        let (nobody, somebody) = (gone.local_addr().unwrap(), there.local_addr().unwrap());
        drop(gone);
        let (tell, mut told) = mpsc::channel(4);
        tokio::spawn(watch(Arc::clone(&here), tell));
        tokio::task::yield_now().await;
        for round in 0..3 {
            here.send_to(b"hello", somebody).await.unwrap();
            here.send_to(b"hello", nobody).await.unwrap();
            let first = tokio::time::timeout(Duration::from_secs(5), told.recv()).await;
            assert_eq!(first, Ok(Some(nobody)), "round {round}");
            // The system tells the socket itself of it, too, and that once.
            let _ = here.try_send_to(b"", somebody);
        }
        let more = tokio::time::timeout(Duration::from_millis(100), told.recv()).await;
        assert!(more.is_err(), "{more:?}");
    }
}
