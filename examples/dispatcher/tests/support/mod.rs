//! A dispatcher with small servers, and who asks it.
#![expect(clippy::disallowed_methods, reason = "real sockets have real clocks")]
#![allow(dead_code, unreachable_pub, reason = "every test file uses a part of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dispatcher::{Config, Server};
use serde_json::Value;

/// Far more than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// An address that was free a moment ago, for UDP and TCP.
pub fn free() -> SocketAddr {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = udp.local_addr().unwrap();
        if std::net::TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

pub struct Program {
    pub sip: SocketAddr,
    pub http: SocketAddr,
    pub servers: Vec<UdpSocket>,
    pub folder: tempfile::TempDir,
    pub server: Server,
}

impl Program {
    pub async fn start(token: Option<&str>) -> Self {
        Self::start_with(token, "").await
    }

    /// With more at the end of the file.
    pub async fn start_with(token: Option<&str>, more: &str) -> Self {
        let (sip, http) = (free(), free());
        let servers: Vec<UdpSocket> = (0..3).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.toml");
        let token = token.map(|token| format!("token = \"{token}\"")).unwrap_or_default();
        let mut text = format!(
            "[sip]\nudp = [\"{sip}\"]\ntcp = [\"{sip}\"]\n[dispatcher]\nsecret = \"sixteen characters\"\npersist = {state:?}\n\
             [http]\nlisten = \"{http}\"\n{token}\n[probe]\nenabled = false\n[[set]]\nname = \"all\"\n"
        );
        for (number, server) in servers.iter().enumerate() {
            let address = server.local_addr().unwrap();
            text.push_str(&format!("[[set.destination]]\nname = \"node-{number}\"\naddress = \"{address}\"\n"));
        }
        text.push_str(more);
        let path = folder.path().join("dispatcher.toml");
        std::fs::write(&path, text).unwrap();
        let server = Server::start(Config::read(&path).unwrap(), Some(path)).await.unwrap();
        Self { sip, http, servers, folder, server }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("dispatcher.toml")
    }

    pub async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let (http, length) = (self.http, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        let asking = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(http).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
            (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
        });
        asking.await.unwrap()
    }

    pub async fn command(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        self.ask(method, path, "X-Requested-By: test\r\nContent-Type: application/json\r\n", body).await
    }

    pub async fn status(&self) -> Value {
        serde_json::from_str(&self.ask("GET", "/status", "", "").await.1).unwrap()
    }

    pub async fn states(&self) -> Vec<(String, String)> {
        let status = self.status().await;
        let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
        status["destinations"].as_array().unwrap().iter().map(|it| (text(it, "name"), text(it, "state"))).collect()
    }
}

pub fn invite(call: &str, local: SocketAddr, transport: &str) -> String {
    format!(
        "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch=z9hG4bK{call};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@example.com>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: {call}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:alice@{local}>\r\nContent-Length: 3\r\n\r\nabc"
    )
}

/// Whichever of the servers gets something first, and what.
pub fn first(servers: &[UdpSocket]) -> (usize, String, SocketAddr) {
    let end = Instant::now() + PATIENCE;
    let mut buffer = vec![0; 65_535];
    loop {
        for (number, server) in servers.iter().enumerate() {
            server.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
            if let Ok((length, source)) = server.recv_from(&mut buffer) {
                return (number, String::from_utf8(buffer[..length].to_vec()).unwrap(), source);
            }
        }
        assert!(Instant::now() < end, "nothing came");
    }
}

/// A 200 to a request as a server would make it.
pub fn answer(request: &str) -> String {
    let kept = request.split("\r\n").filter(|line| {
        ["Via:", "From:", "To:", "Call-ID:", "CSeq:", "Record-Route:"].iter().any(|name| line.starts_with(name))
    });
    let lines: Vec<&str> = kept.collect();
    format!("SIP/2.0 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n", lines.join("\r\n"))
}

pub fn rewrite(path: &Path, change: impl FnOnce(String) -> String) {
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, change(text)).unwrap();
}

/// Whatever a server of TCP that says its name and listens sends; it ends with the test.
pub fn named(name: &'static str) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = stream.write_all(name.as_bytes());
                let _ = stream.read(&mut [0]);
            });
        }
    });
    address
}

/// Connects, and which server that is.
pub fn visit(front: SocketAddr) -> (TcpStream, char) {
    let mut stream = TcpStream::connect(front).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut name = [0];
    stream.read_exact(&mut name).unwrap();
    (stream, char::from(name[0]))
}

pub async fn until(what: &str, program: &Program, is: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let status = program.status().await;
        if is(&status) {
            return status;
        }
        assert!(Instant::now() < end, "waited in vain for {what}: {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
