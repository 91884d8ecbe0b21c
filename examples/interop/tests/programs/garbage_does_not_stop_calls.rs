//! Random and mutated datagrams, idle connections, endless header lines and short bodies: real calls go on, memory is bounded.

use interop::pbx::Pbx;
use interop::sipp::{Setup, Sipp};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

const DATAGRAMS: u32 = 100_000;
const CONNECTIONS: usize = 1_000;

/// A small generator, the same on every run: Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

fn templates(server: SocketAddr) -> Vec<Vec<u8>> {
    let request = |method: &str, more: &str, body: &str| {
        format!(
            "{method} sip:600@{server} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKgarbage;rport\r\nMax-Forwards: 70\r\n\
             From: \"A\" <sip:1001@{server}>;tag=1\r\nTo: <sip:600@{server}>\r\nCall-ID: garbage\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:1001@127.0.0.1:9>\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
    vec![
        request("INVITE", "Content-Type: application/sdp\r\n", sdp),
        request("REGISTER", "Expires: 60\r\n", ""),
        request("BYE", "", ""),
        request("CANCEL", "", ""),
        request("ACK", "", ""),
        request(
            "OPTIONS",
            "Authorization: Digest username=\"1001\", realm=\"tandem\", nonce=\"x\", uri=\"sip:x\", response=\"y\", nc=0\r\n",
            "",
        ),
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"
            .to_vec(),
    ]
}

fn flood(server: SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let (templates, mut random) = (templates(server), Random(0x9e37_79b9_7f4a_7c15));
    for count in 0..DATAGRAMS {
        let bytes = if count % 4 == 0 {
            (0..random.below(1_200)).map(|_| random.next() as u8).collect()
        } else {
            let mut bytes = templates[random.below(templates.len())].clone();
            for _ in 0..=random.below(6) {
                let (at, length) = (random.below(bytes.len()), random.below(40));
                match random.below(4) {
                    0 => bytes[at] = random.next() as u8,
                    1 => bytes.truncate(at.max(1)),
                    2 => drop(bytes.drain(at..(at + length).min(bytes.len()))),
                    _ => {
                        let again = bytes[at..(at + length).min(bytes.len())].to_vec();
                        bytes.splice(at..at, again);
                    }
                }
                if bytes.is_empty() {
                    bytes.push(b'I');
                }
            }
            bytes
        };
        let _ = socket.send_to(&bytes, server);
        if count % 50 == 0 {
            // About 25,000 a second, so that the kernel's queue does not swallow them.
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Hostile streams one after another; returns how many were closed by the server.
fn hostile_streams(server: SocketAddr) -> usize {
    let long_line = [b"OPTIONS sip:x SIP/2.0\r\nX: ".to_vec(), vec![b'a'; 64 * 1024]].concat();
    let many_lines = [b"OPTIONS sip:x SIP/2.0\r\n".to_vec(), b"X: y\r\n".repeat(20_000)].concat();
    let short_body =
        b"INVITE sip:600@x SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n\
        Call-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Length: 500\r\n\r\nshort"
            .to_vec();
    let no_length = b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=z9hG4bK1\r\n\r\n".to_vec();
    let huge_length = b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 18446744073709551615\r\n\r\n".to_vec();
    let mut closed = 0;
    for bytes in [long_line, many_lines, short_body, no_length, huge_length] {
        let Ok(mut stream) = TcpStream::connect(server) else { continue };
        stream.set_read_timeout(Some(Duration::from_secs(3))).expect("a timeout");
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut rest = Vec::new();
        // A reset is an end too; only a server that waits on lets the time run out.
        let waits = |error: &std::io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        closed += usize::from(!stream.read_to_end(&mut rest).as_ref().is_err_and(waits));
    }
    closed
}

#[test]
fn calls_are_answered_during_a_flood_and_memory_is_bounded() {
    let mut pbx = Pbx::start("garbage");
    let before = pbx.process().resident();
    let setup = Setup {
        scenario: "caller",
        local: pbx.ports.address(),
        server: pbx.sip,
        calls: 300,
        rate: 20,
        length: Duration::from_millis(500),
        ..Setup::default()
    };
    let calls = Sipp::start(&pbx.folder, &setup);
    let idle: Vec<TcpStream> =
        (0..CONNECTIONS).filter_map(|_| TcpStream::connect_timeout(&pbx.sip, Duration::from_secs(2)).ok()).collect();
    assert_eq!(idle.len(), CONNECTIONS);
    interop::wait::until("all idle connections to be counted", Duration::from_secs(8), || {
        (pbx.metric("pbx_table_entries{table=\"connections\"}") >= CONNECTIONS as f64).then_some(())
    });
    let server = pbx.sip;
    let flooding = std::thread::spawn(move || flood(server));
    let mut most = before;
    while !flooding.is_finished() {
        most = most.max(pbx.process().resident());
        std::thread::sleep(Duration::from_millis(100));
    }
    flooding.join().expect("the flood");
    assert_eq!(hostile_streams(server), 5, "each is given up");
    let outcome = calls.must_succeed(300, Duration::from_secs(120));
    most = most.max(pbx.process().resident());
    println!("{outcome:?}, {} idle connections, {before} kB before, at most {most} kB", idle.len());
    assert!(most < before + 150 * 1024, "{before} kB before, {most} kB at most");
    drop(idle);
    pbx.wait_for_empty_tables();
    assert!(!pbx.process().output().contains("panicked"));
    pbx.stop();
}
