//! The main job, end to end, over real sockets and without other programs: a phone registers, calls and hears.

#![allow(clippy::disallowed_methods, reason = "real sockets, and the real clock")]

mod support;

use std::{
    io::{BufRead, BufReader},
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rtp::{
    Header, Packet,
    g711::Law,
    tone::{Detector, Tone},
};
use sip_transaction::agent::{Cause, SessionId};
use support::phone::{Manner, Phone};

/// The program as a user starts it, on ports that the system chooses.
struct Program {
    child: Child,
    sip: SocketAddr,
    http: SocketAddr,
    cdr: PathBuf,
    _folder: tempfile::TempDir,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cdr = folder.path().join("Master.csv");
        let mut child = Command::new(env!("CARGO_BIN_EXE_pbx"))
            .args(["--udp", "127.0.0.1:0", "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log", "warn"])
            .arg("--cdr")
            .arg(&cdr)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut sip = None;
        let mut http = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let words: Vec<_> = line.split_whitespace().collect();
            match words.as_slice() {
                ["Server", address, "(UDP)," | "(UDP)", ..] => sip = Some(address.parse().unwrap()),
                ["Watch", page] => {
                    let address = page.trim_start_matches("http://").trim_end_matches('/');
                    http = Some(address.parse().unwrap());
                }
                ["Stop", ..] => break,
                _ => {}
            }
        }
        Self {
            child,
            sip: sip.expect("the server is printed"),
            http: http.expect("the page is printed"),
            cdr,
            _folder: folder,
        }
    }

    /// Gives a command to the running program, as a user would.
    fn execute(&self, line: &str) -> String {
        let http = self.http.to_string();
        let output = Command::new(env!("CARGO_BIN_EXE_pbx")).args(["--http", &http, "-x", line]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the console shows is a fifth of a second old at most; a machine under load takes longer to ask.
    #[track_caller]
    fn shows(&self, line: &str, text: &str) {
        let began = Instant::now();
        loop {
            let shown = self.execute(line);
            if shown.contains(text) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(15), "{line} shows:\n{shown}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn records(&self) -> Vec<String> {
        std::fs::read_to_string(&self.cdr).unwrap().lines().map(str::to_owned).collect()
    }

    #[cfg(unix)]
    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Ends the program by its console, and gives the records that it left.
    fn stop(self) -> Vec<String> {
        assert!(self.execute("core stop now").contains("Ending"));
        let (code, records) = self.wait();
        assert_eq!(code, Some(0));
        records
    }

    /// The exit code, and the records that it left.
    fn wait(mut self) -> (Option<i32>, Vec<String>) {
        let began = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(20), "the program does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        (self.child.wait().unwrap().code(), self.records())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already when the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A phone with sockets, driven by the test itself.
struct Handset {
    phone: Phone,
    socket: UdpSocket,
    media: UdpSocket,
}

impl Handset {
    fn new(user: &str, server: SocketAddr, seed: u8) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let media = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        media.set_nonblocking(true).unwrap();
        let mut phone = Phone::new(user, "1234", socket.local_addr().unwrap(), server, seed);
        phone.media = media.local_addr().unwrap();
        Self { phone, socket, media }
    }

    /// One look at the sockets and the clock.
    fn turn(&mut self) {
        let now = Instant::now();
        let mut buffer = [0; 65_535];
        while let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            self.phone.handle_datagram(now, source, Bytes::copy_from_slice(&buffer[..length]));
        }
        if self.phone.poll_timeout().is_some_and(|at| at <= now) {
            self.phone.handle_timeout(now);
        }
        for (to, payload) in self.phone.drive(now) {
            self.socket.send_to(&payload, to).unwrap();
        }
    }

    fn register(&mut self) {
        self.phone.register(Instant::now());
        until("registered", &mut [self], |handsets| handsets[0].phone.registered);
    }

    /// Where the PBX wants the media of a call.
    fn remote(&self, session: SessionId) -> Option<SocketAddr> {
        let remote = self.phone.remote.get(&session)?;
        remote.address_of(&remote.media[0])
    }

    fn packets(&self) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        let mut buffer = [0; 2048];
        while let Ok((length, _)) = self.media.recv_from(&mut buffer) {
            packets.push(buffer[..length].to_vec());
        }
        packets
    }
}

/// Drives phones until something is so.
#[track_caller]
fn until(what: &str, handsets: &mut [&mut Handset], mut is_so: impl FnMut(&mut [&mut Handset]) -> bool) {
    let began = Instant::now();
    loop {
        for handset in handsets.iter_mut() {
            handset.turn();
        }
        if is_so(handsets) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(15), "not {what} in time");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A phone that speaks: one packet of a tone every 20 ms.
struct Voice {
    tone: Tone,
    law: Law,
    header: Header,
    next: Instant,
}

impl Voice {
    fn new(hertz: f64, ssrc: u32) -> Self {
        let header = Header { payload_type: 8, sequence: 65_530, ssrc, ..Header::default() };
        Self { tone: Tone::new(hertz, -10.0, 8_000), law: Law::A, header, next: Instant::now() }
    }

    fn speak(&mut self, socket: &UdpSocket, to: SocketAddr) {
        if Instant::now() < self.next {
            return;
        }
        self.next += Duration::from_millis(20);
        let mut payload = Vec::new();
        self.tone.encode(self.law, 160, &mut payload);
        let mut packet = Vec::new();
        self.header.encode_packet(&payload, 0, &mut packet);
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(160);
        socket.send_to(&packet, to).unwrap();
    }
}

/// The samples of packets in the order of their sequence numbers, which must not have a gap.
fn samples(packets: &[Vec<u8>], law: Law) -> Vec<i16> {
    let mut samples = Vec::new();
    let mut next = None;
    for bytes in packets {
        let packet = Packet::parse(bytes).unwrap();
        assert!(next.is_none_or(|next| next == packet.sequence()), "a packet is missing");
        next = Some(packet.sequence().wrapping_add(1));
        samples.extend(law.decode(packet.payload()));
    }
    samples
}

#[test]
fn a_phone_registers_calls_600_and_hears_itself() {
    let program = Program::start(&[]);
    let mut phone = Handset::new("1001", program.sip, 1);
    phone.register();
    program.shows("sip show peers", "1 online, 3 offline");

    let session = phone.phone.call(Instant::now(), "600", true, Duration::from_secs(3));
    until("answered", &mut [&mut phone], |handsets| handsets[0].remote(session).is_some());
    program.shows("core show channels", "600@default:2        Up      Echo()");

    let to = phone.remote(session).unwrap();
    let mut voice = Voice::new(697.0, 0xcafe);
    let mut heard = Vec::new();
    until("ended", &mut [&mut phone], |handsets| {
        voice.speak(&handsets[0].media, to);
        heard.extend(handsets[0].packets());
        handsets[0].phone.busy_with() == 0
    });
    let outcome = phone.phone.outcomes.pop().unwrap();
    assert!(outcome.answered && outcome.cause == Cause::Hangup, "{outcome:?}");
    assert!(heard.len() > 100, "only {} packets came back", heard.len());
    assert!(heard.iter().all(|bytes| Packet::parse(bytes).unwrap().ssrc() != 0xcafe), "an echo has an SSRC of its own");
    let samples = samples(&heard, Law::A);
    let level = Detector::new(697.0, 8_000).measure(&samples);
    assert!((level + 10.0).abs() < 0.5 && Detector::new(697.0, 8_000).dominates(&samples, 0.5), "{level} dBm0");

    let records = program.stop();
    assert_eq!(records.len(), 1);
    assert!(records[0].contains("\"1001\",\"600\"") && records[0].contains("\"ANSWERED\""), "{}", records[0]);
}

#[test]
fn the_milliwatt_is_1004_hertz_at_its_level_and_in_step_with_the_clock() {
    let program = Program::start(&[]);
    let mut phone = Handset::new("1002", program.sip, 2);
    let session = phone.phone.call(Instant::now(), "601", true, Duration::from_secs(4));
    until("answered", &mut [&mut phone], |handsets| handsets[0].remote(session).is_some());
    // What came before the answer was seen is not of the time that is measured.
    phone.packets();
    let began = Instant::now();
    let (mut heard, mut took) = (Vec::new(), Duration::ZERO);
    until("heard", &mut [&mut phone], |handsets| {
        heard.extend(handsets[0].packets());
        took = began.elapsed();
        took > Duration::from_secs(3)
    });
    // Fifty packets a second; a machine under load may be late, but then makes up for it.
    let due = took.as_secs_f64() * 50.0;
    assert!((heard.len() as f64 - due).abs() <= 15.0, "{} packets in {took:?}", heard.len());
    let samples = samples(&heard, Law::A);
    let detector = Detector::new(1_004.0, 8_000);
    assert!(detector.measure(&samples).abs() < 0.1, "{} dBm0", detector.measure(&samples));
    assert!(detector.dominates(&samples, 0.1));
    until("ended", &mut [&mut phone], |handsets| handsets[0].phone.busy_with() == 0);
}

#[test]
fn two_phones_hear_each_other_through_the_pbx_and_a_stranger_hears_nothing() {
    let program = Program::start(&[]);
    let (mut alice, mut bob) = (Handset::new("1001", program.sip, 3), Handset::new("1002", program.sip, 4));
    bob.phone.manner = Manner::Answers(Duration::from_millis(200));
    alice.register();
    bob.register();
    let session = alice.phone.call(Instant::now(), "1002", true, Duration::from_secs(3));
    until("answered", &mut [&mut alice, &mut bob], |handsets| handsets[0].remote(session).is_some());
    let to_alices = alice.remote(session).unwrap();
    let to_bobs = bob.phone.remote.values().next().map(|remote| remote.address_of(&remote.media[0]).unwrap()).unwrap();
    assert_ne!(to_alices, to_bobs);

    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let mut noise = Voice::new(2_000.0, 0xbad);
    let (mut low, mut high) = (Voice::new(440.0, 1), Voice::new(660.0, 2));
    let (mut at_alice, mut at_bob) = (Vec::new(), Vec::new());
    until("ended", &mut [&mut alice, &mut bob], |handsets| {
        low.speak(&handsets[0].media, to_alices);
        high.speak(&handsets[1].media, to_bobs);
        noise.speak(&stranger, to_alices);
        at_alice.extend(handsets[0].packets());
        at_bob.extend(handsets[1].packets());
        handsets[0].phone.busy_with() + handsets[1].phone.busy_with() == 0
    });
    for (name, packets, hertz) in [("alice", at_alice, 660.0), ("bob", at_bob, 440.0)] {
        assert!(packets.len() > 100, "{name} heard {} packets", packets.len());
        let samples = samples(&packets, Law::A);
        assert!(Detector::new(hertz, 8_000).dominates(&samples, 0.5), "{name} heard something else");
    }
    assert!(stranger.recv_from(&mut [0; 2048]).is_err(), "the stranger heard something");
    let records = program.stop();
    assert!(records[0].contains("\"Dial\",\"SIP/1002,30\""), "{}", records[0]);
}

#[cfg(unix)]
#[test]
fn a_terminated_program_lets_a_call_end_by_itself_refuses_others_and_exits_with_zero() {
    let program = Program::start(&[]);
    let mut phone = Handset::new("1001", program.sip, 5);
    let session = phone.phone.call(Instant::now(), "600", true, Duration::from_secs(6));
    until("answered", &mut [&mut phone], |handsets| handsets[0].remote(session).is_some());
    program.terminate();
    let began = Instant::now();
    until("refused", &mut [&mut phone], |handsets| {
        if handsets[0].phone.busy_with() == 1 && began.elapsed() < Duration::from_secs(4) {
            handsets[0].phone.call(Instant::now(), "601", true, Duration::from_secs(1));
        }
        handsets[0].phone.outcomes.iter().any(|outcome| {
            outcome.number == "601" && outcome.cause == Cause::Rejected(sip_core::StatusCode::SERVICE_UNAVAILABLE)
        })
    });
    until("ended", &mut [&mut phone], |handsets| handsets[0].phone.busy_with() == 0);
    let echo = phone.phone.outcomes.iter().find(|outcome| outcome.number == "600").unwrap();
    assert!(echo.answered && echo.cause == Cause::Hangup, "cut: {echo:?}");
    let (code, records) = program.wait();
    assert_eq!(code, Some(0));
    assert!(records.iter().any(|record| record.contains("\"600\"") && record.contains("\"ANSWERED\"")), "{records:?}");
}

#[test]
fn the_console_ends_the_program() {
    let program = Program::start(&[]);
    assert!(program.stop().is_empty(), "no call, no record");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output =
        Command::new(env!("CARGO_BIN_EXE_pbx")).args(["--udp", &address, "--http", "127.0.0.1:0"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains(&format!("udp {address}")) && told.contains("another program has this port"), "{told}");
}

#[test]
fn a_configuration_is_checked_without_starting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pbx.toml");
    let check = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let output =
            Command::new(env!("CARGO_BIN_EXE_pbx")).arg("--config").arg(&path).arg("--check").output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(told).unwrap())
    };
    let sample = Command::new(env!("CARGO_BIN_EXE_pbx")).arg("--sample").output().unwrap();
    let (code, told) = check(&String::from_utf8(sample.stdout).unwrap());
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = check("[sip]\nudp = [\"nowhere\"]\n");
    assert_eq!(code, Some(2));
    assert!(told.contains("pbx.toml:2:8: expected an address and port"), "{told}");
    let (code, told) = check("[sip]\nudp = [\"0.0.0.0:5060\"]\n[[account]]\nname = \"1001\"\nsecret = \"1234\"\n");
    assert_eq!(code, Some(2));
    assert!(told.contains("demo secret"), "{told}");
}
