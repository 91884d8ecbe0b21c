//! How a phone of our own sends and receives: by datagrams, or down one connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// A socket of a phone.
#[derive(Debug)]
pub struct Wire {
    local: SocketAddr,
    server: SocketAddr,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Udp(UdpSocket),
    Tcp { stream: TcpStream, unread: Vec<u8> },
}

impl Wire {
    /// Datagrams from an address.
    ///
    /// # Panics
    ///
    /// When the address is taken.
    pub fn udp(address: SocketAddr, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind(address).expect("the phone's socket");
        let local = socket.local_addr().expect("an address");
        Self { local, server, kind: Kind::Udp(socket) }
    }

    /// A connection.
    ///
    /// # Panics
    ///
    /// When nobody listens there.
    pub fn tcp(server: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&server, Duration::from_secs(5))
            .unwrap_or_else(|error| panic!("the phone cannot connect to {server}: {error}"));
        stream.set_nodelay(true).expect("a socket");
        let local = stream.local_addr().expect("an address");
        Self { local, server, kind: Kind::Tcp { stream, unread: Vec::new() } }
    }

    /// Its own address.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The word in Via.
    pub fn transport(&self) -> &'static str {
        match self.kind {
            Kind::Udp(_) => "UDP",
            Kind::Tcp { .. } => "TCP",
        }
    }

    /// Whether nothing need be sent again.
    pub fn is_reliable(&self) -> bool {
        matches!(self.kind, Kind::Tcp { .. })
    }

    /// Sends a message. A full buffer or a server that just ended shows in what does not come back.
    pub fn send(&self, bytes: &[u8]) {
        match &self.kind {
            Kind::Udp(socket) => drop(socket.send_to(bytes, self.server)),
            Kind::Tcp { stream, .. } => drop((&*stream).write_all(bytes)),
        }
    }

    /// Waits for a message.
    pub fn receive(&mut self, patience: Duration) -> Option<Vec<u8>> {
        match &mut self.kind {
            Kind::Udp(socket) => {
                let mut bytes = [0; 65_536];
                socket.set_read_timeout(Some(patience)).expect("a timeout");
                let (length, _) = socket.recv_from(&mut bytes).ok()?;
                Some(bytes[..length].to_vec())
            }
            Kind::Tcp { stream, unread } => {
                let end = Instant::now() + patience;
                loop {
                    if let Some(message) = cut(unread) {
                        return Some(message);
                    }
                    let left = end.checked_duration_since(Instant::now())?;
                    stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).expect("a timeout");
                    let mut piece = [0; 8_192];
                    match stream.read(&mut piece) {
                        Ok(0) => {
                            // The end of the connection: there is nothing to wait for, but the caller may ask again soon.
                            std::thread::sleep(left.min(Duration::from_millis(20)));
                            return None;
                        }
                        Ok(length) => unread.extend_from_slice(&piece[..length]),
                        Err(_) => return None,
                    }
                }
            }
        }
    }

    /// Whether the other side has closed the connection.
    pub fn is_closed(&mut self) -> bool {
        let Kind::Tcp { stream, unread } = &mut self.kind else { return false };
        let mut piece = [0; 8_192];
        stream.set_read_timeout(Some(Duration::from_millis(1))).expect("a timeout");
        match stream.read(&mut piece) {
            Ok(0) => true,
            Ok(length) => {
                unread.extend_from_slice(&piece[..length]);
                false
            }
            Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
        }
    }
}

/// Takes the first whole message out of what was read, keep-alives left out.
fn cut(unread: &mut Vec<u8>) -> Option<Vec<u8>> {
    let blank = unread.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    unread.drain(..blank);
    let head = unread.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&unread[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        if matches!(name.trim(), "content-length" | "l") { value.trim().parse::<usize>().ok() } else { None }
    });
    let whole = head + length.unwrap_or(0);
    (unread.len() >= whole).then(|| unread.drain(..whole).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_where_their_length_says() {
        let mut unread = b"\r\n\r\nA\r\nContent-Length: 2\r\n\r\nxyB\r\nl: 0\r\n\r\nC\r\n".to_vec();
        assert_eq!(cut(&mut unread).unwrap(), b"A\r\nContent-Length: 2\r\n\r\nxy");
        assert_eq!(cut(&mut unread).unwrap(), b"B\r\nl: 0\r\n\r\n");
        assert_eq!(cut(&mut unread), None);
        assert_eq!(unread, b"C\r\n");
    }
}
