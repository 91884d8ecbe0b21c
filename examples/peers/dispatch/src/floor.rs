//! The floor: two sockets, each datagram received by one sent by the other. Nothing is read.

use std::net::{SocketAddr, UdpSocket};

/// Forwards for ever: from the last who sent to `front`, to `back` and from there.
pub fn run(front: SocketAddr, back: SocketAddr) {
    let outside = UdpSocket::bind(front).expect("the front");
    let inside = UdpSocket::bind("127.0.0.1:0").expect("the back");
    outside.set_nonblocking(true).expect("a socket");
    inside.set_nonblocking(true).expect("a socket");
    let mut buffer = vec![0; 65_535];
    let mut client = None;
    loop {
        let mut idle = true;
        if let Ok((length, source)) = outside.recv_from(&mut buffer) {
            idle = false;
            client = Some(source);
            let _ = inside.send_to(&buffer[..length], back);
        }
        if let Ok((length, _)) = inside.recv_from(&mut buffer) {
            idle = false;
            if let Some(client) = client {
                let _ = outside.send_to(&buffer[..length], client);
            }
        }
        if idle {
            std::thread::sleep(std::time::Duration::from_micros(50));
        }
    }
}
