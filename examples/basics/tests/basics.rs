//! The programs, run against one another.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

const OPTIONS: &str = env!("CARGO_BIN_EXE_options");

/// A server that is stopped when the test ends.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(program: &str) -> Self {
        let mut child = Command::new(program).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").expect("no address").trim().to_owned();
        Self { child, address }
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
