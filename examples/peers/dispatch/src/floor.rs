//! The floor: two sockets, each datagram received by one sent by the other, by two calls of the system. Nothing is read.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

/// Forwards for ever: from whoever sends to `front`, to `back`, and from there to the last who sent.
pub fn run(front: SocketAddr, back: SocketAddr) {
    let outside = Arc::new(UdpSocket::bind(front).expect("the front"));
    let inside = Arc::new(UdpSocket::bind("127.0.0.1:0").expect("the back"));
    let last = Arc::new(AtomicU16::new(0));
    {
        let (outside, inside, last) = (outside.clone(), inside.clone(), last.clone());
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_535];
            while let Ok((length, _)) = inside.recv_from(&mut buffer) {
                let _ = outside.send_to(&buffer[..length], ("127.0.0.1", last.load(Ordering::Relaxed)));
            }
        });
    }
    let mut buffer = vec![0; 65_535];
    while let Ok((length, source)) = outside.recv_from(&mut buffer) {
        last.store(source.port(), Ordering::Relaxed);
        let _ = inside.send_to(&buffer[..length], back);
    }
}
