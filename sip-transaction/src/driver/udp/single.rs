//! One datagram by one call, for systems that know no batches.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, UdpSocket};

use bytes::Bytes;

use super::{BATCH, Clocks, DATAGRAM, Datagram, in_family};

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "as where there are timestamps")]
pub(super) fn prepare(_: &UdpSocket) -> io::Result<()> {
    Ok(())
}

pub(super) fn receive(socket: &UdpSocket, _: bool, into: &mut impl Extend<Datagram>) -> io::Result<usize> {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(DATAGRAM, 0);
        let mut count = 0;
        while count < BATCH {
            match socket.recv_from(buffer) {
                Ok((length, source)) => {
                    let payload = buffer.get(..length).map(Bytes::copy_from_slice).unwrap_or_default();
                    into.extend([Datagram { source, payload, received: Clocks::read().monotonic }]);
                    count += 1;
                }
                Err(error) if count == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(count)
    })
}

pub(super) fn send(socket: &UdpSocket, is_v6: bool, datagrams: &[(SocketAddr, Bytes)]) -> u64 {
    let sent = datagrams.iter().map(|(destination, payload)| socket.send_to(payload, in_family(*destination, is_v6)));
    sent.filter(Result::is_err).count() as u64
}
