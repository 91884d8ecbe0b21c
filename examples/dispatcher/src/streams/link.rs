//! The socket of one connection, with TLS or without, and what waits to be written to it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

/// One connection's socket.
#[derive(Debug)]
pub(super) struct Link {
    socket: TcpStream,
    tls: Option<Box<Connection>>,
    /// What is to be written, of which so much is written already.
    waiting: Vec<u8>,
    written: usize,
    is_open: bool,
}

/// What reading brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// So many bytes, and perhaps more.
    Some(usize),
    /// So many bytes, and that was all.
    Last(usize),
    /// Nothing now.
    Nothing,
    /// Nothing any more.
    End,
}

impl Link {
    /// A connection that came in.
    pub(super) fn accepted(socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let tls = tls.map(ServerConnection::new).transpose().map_err(io::Error::other)?;
        Self::new(socket, tls.map(Connection::Server), true)
    }

    /// A connection that is opened. The other side's certificate has this name, or its address.
    pub(super) fn connect(remote: SocketAddr, tls: Option<Arc<ClientConfig>>, name: Option<&str>) -> io::Result<Self> {
        let name = match name {
            Some(name) => ServerName::try_from(name.to_owned()).map_err(io::Error::other)?,
            None => ServerName::IpAddress(remote.ip().to_canonical().into()),
        };
        let tls = tls.map(|config| ClientConnection::new(config, name)).transpose().map_err(io::Error::other)?;
        Self::new(TcpStream::connect(remote)?, tls.map(Connection::Client), false)
    }

    fn new(socket: TcpStream, tls: Option<Connection>, is_open: bool) -> io::Result<Self> {
        let tls = tls.map(|mut tls| {
            // What waits is bounded by who writes.
            tls.set_buffer_limit(None);
            Box::new(tls)
        });
        Ok(Self { socket, tls, waiting: Vec::new(), written: 0, is_open })
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Whether it is ready for messages; if it was not before, looks whether it is now.
    pub(super) fn open(&mut self) -> io::Result<bool> {
        if !self.is_open {
            if let Some(error) = self.socket.take_error()? {
                return Err(error);
            }
            match self.socket.peer_addr() {
                Ok(_) => {
                    // Messages are written whole: waiting for more helps nobody.
                    let _ = self.socket.set_nodelay(true);
                    self.is_open = true;
                }
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.is_ready())
    }

    /// Whether messages can pass: it is connected, and encrypted if it is to be.
    pub(super) fn is_ready(&self) -> bool {
        self.is_open && self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking())
    }

    /// How much waits.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len() - self.written
    }

    /// Adds to what waits. It is written by [`Link::write`].
    pub(super) fn push(&mut self, payload: &[u8]) {
        self.waiting.extend_from_slice(payload);
    }

    /// Reads what there is.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Came {
        let Some(tls) = &mut self.tls else {
            return loop {
                break match self.socket.read(buffer) {
                    Ok(0) => Came::End,
                    // What is less than asked for was all, and whatever comes later is told.
                    Ok(length) if length < buffer.len() => Came::Last(length),
                    Ok(length) => Came::Some(length),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => Came::Nothing,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => Came::End,
                };
            };
        };
        loop {
            match tls.reader().read(buffer) {
                Ok(0) => return Came::End,
                Ok(length) => return Came::Some(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Came::End,
            }
            match tls.read_tls(&mut self.socket) {
                Ok(0) => return Came::End,
                Ok(_) => {
                    if tls.process_new_packets().is_err() {
                        // The other side is told why.
                        let _ = tls.write_tls(&mut self.socket);
                        return Came::End;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Came::Nothing,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Came::End,
            }
        }
    }

    /// Writes what waits, as much as the system takes.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(super) fn write(&mut self) -> io::Result<()> {
        if !self.is_open {
            return Ok(());
        }
        if let Some(tls) = &mut self.tls {
            if !tls.is_handshaking() {
                tls.writer().write_all(self.waiting.get(self.written..).unwrap_or_default())?;
                self.waiting.clear();
                self.written = 0;
            }
            while tls.wants_write() {
                match tls.write_tls(&mut self.socket) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            return Ok(());
        }
        while self.written < self.waiting.len() {
            match self.socket.write(self.waiting.get(self.written..).unwrap_or_default()) {
                Ok(length) => self.written += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.waiting.clear();
        self.written = 0;
        Ok(())
    }

    /// Says that nothing more will be written.
    pub(super) fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        let _ = self.write();
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}
