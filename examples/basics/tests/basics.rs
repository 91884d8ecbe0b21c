//! The programs, run against one another.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const OPTIONS: &str = env!("CARGO_BIN_EXE_options");

/// A server that is stopped when the test ends.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(program: &str) -> Self {
        Self::start_with(program, &[])
    }

    fn start_with(program: &str, more: &[&Path]) -> Self {
        let mut child = Command::new(program).arg("127.0.0.1:0").args(more).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").expect("no address").trim().to_owned();
        Self { child, address }
    }

    /// Where it takes TLS.
    fn secure(&self) -> SocketAddr {
        let address: SocketAddr = self.address.parse().unwrap();
        SocketAddr::new(address.ip(), address.port() + 1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn options(uri: &str) -> Output {
    Command::new(OPTIONS).arg(uri).output().unwrap()
}

fn assert_answered(output: &Output) {
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(printed.starts_with("SIP/2.0 200 OK\r\n"), "{printed}");
}

#[test]
fn options_is_answered_by_uas_over_udp_and_tcp() {
    let server = Server::start(env!("CARGO_BIN_EXE_uas"));
    assert_answered(&options(&format!("sip:{}", server.address)));
    assert_answered(&options(&format!("sip:{};transport=tcp", server.address)));
}

/// A certificate that vouches for itself, and its key, as files.
struct Certificate {
    folder: PathBuf,
}

impl Certificate {
    fn new(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let folder = std::env::temp_dir().join(format!("tandem-basics-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn options_over_tls(server: &Server, authority: &Certificate) -> Output {
    let uri = format!("sip:{};transport=tls", server.secure());
    Command::new(OPTIONS).arg(uri).arg(authority.file("certificate.pem")).output().unwrap()
}

#[test]
fn options_is_answered_by_uas_over_tls_where_the_certificate_is_believed_and_names_the_address() {
    let (good, other) = (Certificate::new("127.0.0.1"), Certificate::new("127.0.0.2"));
    let start = |it: &Certificate| {
        Server::start_with(env!("CARGO_BIN_EXE_uas"), &[&it.file("certificate.pem"), &it.file("key.pem")])
    };
    let server = start(&good);
    assert_answered(&options_over_tls(&server, &good));
    assert_answered(&options(&format!("sip:{};transport=tcp", server.address)));
    for (server, authority) in [(&server, &other), (&start(&other), &other)] {
        let output = options_over_tls(server, authority);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("not deliverable"), "{output:?}");
    }
}

#[test]
fn options_is_answered_by_blocking() {
    let server = Server::start(env!("CARGO_BIN_EXE_blocking"));
    assert_answered(&options(&format!("sip:{}", server.address)));
}

#[test]
fn options_says_what_is_wrong() {
    for (uri, complaint) in [
        ("sip:nowhere.example", "the host must be an address"),
        ("tel:+431234", "not a sip: URI"),
        ("sip:127.0.0.1;transport=pigeon", "unknown transport"),
        ("sip:127.0.0.1:1;transport=tcp", "not deliverable"),
    ] {
        let output = options(uri);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(complaint), "{output:?}");
    }
    assert_eq!(Command::new(OPTIONS).output().unwrap().status.code(), Some(2));
}

/// A name server that knows one address, 192.0.2.1, for every name, and nothing else.
fn name_server() -> SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            let end = buffer[12..].iter().position(|byte| *byte == 0).unwrap() + 17;
            let is_address = buffer[end - 3] == 1;
            // The same ID, an answer, one question, and a record or none (RFC 1035 §4.1.1).
            let mut answer = vec![buffer[0], buffer[1], 0x84, 0, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0];
            answer.extend_from_slice(&buffer[12..end]);
            if is_address {
                answer.extend_from_slice(&[0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
            }
            socket.send_to(&answer, from).unwrap();
        }
    });
    address
}

#[test]
fn locate_prints_where_the_servers_of_a_uri_are() {
    let name_server = name_server().to_string();
    for (uri, expected) in [
        ("sip:example.test", "UDP 192.0.2.1:5060\n"),
        ("sips:example.test:5071", "TLS 192.0.2.1:5071\n"),
        ("sip:192.0.2.7;transport=tcp", "TCP 192.0.2.7:5060\n"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_locate")).args([uri, &name_server]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{output:?}");
        assert!(output.status.success());
    }
}
