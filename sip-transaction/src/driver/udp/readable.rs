//! A socket that tokio waits for until it can be read.
//!
//! For that alone: whoever also waits until it can be written is woken by each datagram that leaves.

use std::io;
use std::task::{Context, Poll, ready};

#[cfg(unix)]
use tokio::io::{Interest, unix::AsyncFd};

#[cfg(unix)]
use super::BATCH;
use super::{Datagram, Udp};

#[cfg(unix)]
#[derive(Debug)]
pub(in crate::driver) struct Readable(AsyncFd<Udp>);

#[cfg(unix)]
impl std::os::fd::AsRawFd for Udp {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(unix)]
impl Readable {
    #[allow(deprecated, reason = "its descriptor is its own and open for as long as it lives, which is what matters")]
    pub(in crate::driver) fn new(udp: Udp) -> io::Result<Self> {
        AsyncFd::with_interest(udp, Interest::READABLE).map(Self)
    }

    pub(in crate::driver) fn get(&self) -> &Udp {
        self.0.get_ref()
    }

    /// [`Udp::receive`], but for the error that nothing is there.
    pub(in crate::driver) fn poll_receive(
        &self,
        context: &mut Context<'_>,
        into: &mut impl Extend<Datagram>,
    ) -> Poll<io::Result<usize>> {
        loop {
            // Only a runtime that is shut down has errors here.
            let Ok(mut guard) = ready!(self.0.poll_read_ready(context)) else { return Poll::Pending };
            let received = self.get().receive(into);
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                // Less than a whole batch: the next one is worth waiting for.
                Ok(count) if count < BATCH => {
                    guard.clear_ready();
                    return Poll::Ready(Ok(count));
                }
                received => return Poll::Ready(received),
            }
        }
    }
}

/// Where there are no descriptors, a second handle of the socket is waited for.
#[cfg(not(unix))]
#[derive(Debug)]
pub(in crate::driver) struct Readable(Udp, tokio::net::UdpSocket);

#[cfg(not(unix))]
impl Readable {
    pub(in crate::driver) fn new(udp: Udp) -> io::Result<Self> {
        let waited_for = tokio::net::UdpSocket::from_std(udp.socket.try_clone()?)?;
        Ok(Self(udp, waited_for))
    }

    pub(in crate::driver) fn get(&self) -> &Udp {
        &self.0
    }

    /// [`Udp::receive`], but for the error that nothing is there.
    pub(in crate::driver) fn poll_receive(
        &self,
        context: &mut Context<'_>,
        into: &mut impl Extend<Datagram>,
    ) -> Poll<io::Result<usize>> {
        loop {
            // Only a runtime that is shut down has errors here.
            let Ok(()) = ready!(self.1.poll_recv_ready(context)) else { return Poll::Pending };
            match self.1.try_io(tokio::io::Interest::READABLE, || self.0.receive(into)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                received => return Poll::Ready(received),
            }
        }
    }
}
