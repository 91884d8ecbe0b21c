//! iaxmodem, a real IAX2 client, against our endpoint as its server; tshark reads all that went over the wire.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use iax2::element::Cause;
use iax2::{
    CallId, Config, Endpoint, Event, Format, Formats, Input, NewCall, Output, PeerConfig, Preferences, TokenPolicy,
    TrunkMode,
};
use interop::folder::Folder;
use interop::ports::Ports;
use interop::process::Process;
use interop::wait::{PATIENCE, until};

/// An endpoint on a socket, driven by whoever waits for something.
struct Server {
    socket: UdpSocket,
    endpoint: Endpoint,
    events: Vec<Event>,
    voice: usize,
}

impl Server {
    fn new(address: SocketAddr, seed: u8) -> Self {
        let socket = UdpSocket::bind(address).expect("a free port");
        socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a timeout");
        let endpoint = Endpoint::new(Instant::now(), Config::default(), [seed; 32]);
        Self { socket, endpoint, events: Vec::new(), voice: 0 }
    }

    fn turn(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Datagram { destination, payload } => {
                    self.socket.send_to(&payload, destination).expect("sent");
                }
                Output::Event(Event::Voice { .. }) => self.voice += 1,
                Output::Event(event) => self.events.push(event),
            }
        }
        let mut buffer = [0; 65_535];
        if let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            let payload = bytes::Bytes::copy_from_slice(&buffer[..length]);
            self.endpoint.handle_input(Instant::now(), Input::Datagram { source, payload });
        }
        self.endpoint.handle_timeout(Instant::now());
    }

    /// Drives until there is an event that is looked for; those before it are forgotten.
    fn wait_for<T>(&mut self, what: &str, mut look: impl FnMut(&Event) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            self.turn();
            for event in std::mem::take(&mut self.events) {
                if let Some(found) = look(&event) {
                    return found;
                }
            }
            assert!(Instant::now() < end, "waited in vain for {what}");
        }
    }

    fn drive_until(&mut self, what: &str, mut ask: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !ask(self) {
            self.turn();
            assert!(Instant::now() < end, "waited in vain for {what}");
        }
    }

    fn ended(&mut self, call: CallId) {
        self.wait_for("the end of the call", |event| {
            matches!(event, Event::Ended { call: c, .. } if *c == call).then_some(())
        });
    }
}

/// iaxmodem, which reads its configuration from one fixed folder, and the terminal that is its telephone.
struct Modem {
    process: Process,
    configuration: PathBuf,
    terminal: File,
    said: Arc<Mutex<String>>,
}

impl Modem {
    fn start(folder: &Folder, server: SocketAddr, own: SocketAddr) -> Self {
        let name = format!("tandem-{}-{}", std::process::id(), own.port());
        let device = folder.file("tty");
        let configuration = PathBuf::from("/etc/iaxmodem").join(&name);
        std::fs::create_dir_all("/etc/iaxmodem").expect("iaxmodem's folder");
        let text = format!(
            "device\t{}\nowner\troot:root\nmode\t660\nport\t{}\nrefresh\t60\nserver\t{}:{}\npeername\tfax\nsecret\ts3cret\n\
             cidname\tTandem\ncidnumber\t7001\ncodec\tslinear\n",
            device.display(),
            own.port(),
            server.ip(),
            server.port()
        );
        std::fs::write(&configuration, text).expect("iaxmodem's configuration");
        let process = Process::start(Command::new("iaxmodem").arg(&name), &folder.file("iaxmodem.log"));
        let terminal =
            until("iaxmodem's terminal", PATIENCE, || OpenOptions::new().read(true).write(true).open(&device).ok());
        // Without echo, or the modem would read its own words as commands.
        let raw = Command::new("stty").arg("-F").arg(&device).args(["raw", "-echo"]).status();
        assert!(raw.expect("stty").success());
        let said = Arc::new(Mutex::new(String::new()));
        let (mut reader, ear) = (terminal.try_clone().expect("a second handle"), Arc::clone(&said));
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(length) = reader.read(&mut buffer) {
                if length == 0 {
                    break;
                }
                ear.lock().expect("no panic").push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        });
        Self { process, configuration, terminal, said }
    }

    fn type_line(&mut self, line: &str) {
        self.terminal.write_all(format!("{line}\r").as_bytes()).expect("iaxmodem's terminal");
    }

    fn has_said(&self, words: &str) -> bool {
        self.said.lock().expect("no panic").contains(words)
    }
}

impl Drop for Modem {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.configuration);
        if std::thread::panicking() {
            eprintln!("iaxmodem said: {:?}", self.said.lock().map(|said| said.clone()));
        }
        self.process.signal("KILL");
    }
}

/// What goes to and from a port, judged by tshark.
struct Capture {
    process: Process,
    file: PathBuf,
    port: u16,
}

impl Capture {
    fn start(folder: &Folder, port: u16) -> Self {
        let file = folder.file("iax2.pcap");
        let mut command = Command::new("tcpdump");
        command.args(["-i", "lo", "--immediate-mode", "-U", "-n", "-s", "0", "-Z", "root", "-w"]);
        command.arg(&file).arg(format!("udp port {port}"));
        let mut process = Process::start(&mut command, &folder.file("tcpdump.log"));
        process.wait_for_output("listening on", PATIENCE);
        Self { process, file, port }
    }

    fn dissect(&self, filter: &str) -> String {
        let output = Command::new("tshark")
            .arg("-r")
            .arg(&self.file)
            .args(["-d", &format!("udp.port=={},iax2", self.port), "-Y", filter])
            .output()
            .expect("tshark is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Nothing malformed; returns how many IAX2 packets there were.
    fn finish(&mut self) -> usize {
        self.process.signal("INT");
        self.process.wait(PATIENCE);
        let malformed = self.dissect("_ws.malformed");
        assert!(malformed.is_empty(), "tshark objects to:\n{malformed}");
        self.dissect("iax2").lines().count()
    }
}

fn server(address: SocketAddr) -> Server {
    let mut server = Server::new(address, 7);
    let mut fax = PeerConfig::new("fax").with_secret("s3cret").dynamic();
    // iaxmodem knows no call tokens.
    fax.token = TokenPolicy::NotRequired;
    fax.formats = Formats::NONE.with(Format::SLIN);
    fax.preferences = Preferences::new([Format::SLIN]);
    server.endpoint.add_peer(Instant::now(), fax).expect("a peer");
    server
}

#[test]
fn iaxmodem_registers_with_md5_calls_and_is_called_and_tshark_finds_nothing_malformed() {
    let folder = Folder::new("iaxmodem");
    let ports = Ports::claim();
    let address = ports.address();
    let mut server = server(address);
    let mut capture = Capture::start(&folder, address.port());
    let mut modem = Modem::start(&folder, address, ports.address());

    let bound = server.wait_for("the registration", |event| match event {
        Event::Bound { peer, address, .. } if &**peer == "fax" => Some(*address),
        _ => None,
    });
    assert_eq!(server.endpoint.peer_address("fax"), Some(bound));

    // It calls.
    modem.type_line("ATDT600");
    let call = server.wait_for("its call", |event| match event {
        Event::Incoming { call, peer, request, .. } => {
            assert_eq!((&**peer, request.number(), request.caller_number()), ("fax", "600", Some("7001")));
            Some(*call)
        }
        _ => None,
    });
    let now = Instant::now();
    server.endpoint.ring(now, call).expect_err("not accepted yet");
    server.endpoint.accept(now, call, None).expect("accepted");
    server.endpoint.ring(now, call).expect("rings");
    server.endpoint.answer(now, call).expect("answered");
    let voice = server.voice;
    server.drive_until("its voice", |server| {
        let _sent = server.endpoint.send_voice(Instant::now(), call, &[0; 320]);
        server.voice > voice + 50
    });
    server.endpoint.hang_up(Instant::now(), call, Cause::NORMAL, None).expect("hung up");
    server.ended(call);
    server.drive_until("NO CARRIER", |_| modem.has_said("NO CARRIER"));

    // It is called, and answers. The receiver has to lie first, or it is busy.
    modem.type_line("ATH");
    server.drive_until("OK", |_| modem.has_said("OK"));
    let end = Instant::now() + PATIENCE;
    let call = loop {
        let call = server.endpoint.dial(Instant::now(), "fax", &NewCall::to("7001").from("600")).expect("dialled");
        let (mut busy, soon) = (false, Instant::now() + Duration::from_secs(2));
        while !busy && !modem.has_said("RING") && Instant::now() < soon {
            server.turn();
            let ended = |event: &Event| matches!(event, Event::Ended { call: c, .. } if *c == call);
            busy = std::mem::take(&mut server.events).iter().any(ended);
        }
        if modem.has_said("RING") {
            break call;
        }
        if !busy {
            server.endpoint.hang_up(Instant::now(), call, Cause::NORMAL, None).expect("hung up");
        }
        // It takes a while to get ready again after a call.
        let pause = Instant::now() + Duration::from_millis(500);
        server.drive_until("a pause", |_| Instant::now() > pause);
        assert!(Instant::now() < end, "it never rings");
    };
    modem.type_line("ATA");
    server.wait_for("its answer", |event| match event {
        Event::Answered(c) if *c == call => Some(()),
        Event::Ended { call: c, reason } if *c == call => panic!("{reason:?}"),
        _ => None,
    });
    let voice = server.voice;
    server.drive_until("its tone", |server| {
        let _sent = server.endpoint.send_voice(Instant::now(), call, &[0; 320]);
        server.voice > voice + 50
    });
    server.endpoint.hang_up(Instant::now(), call, Cause::NORMAL, None).expect("hung up");
    server.ended(call);
    server.drive_until("an empty table", |server| server.endpoint.snapshot().calls == 0);
    assert!(capture.finish() > 150);
}

#[test]
fn iaxmodem_with_a_wrong_secret_stays_unregistered() {
    let folder = Folder::new("iaxmodem-wrong");
    let ports = Ports::claim();
    let address = ports.address();
    let mut server = Server::new(address, 8);
    let mut fax = PeerConfig::new("fax").with_secret("another").dynamic();
    fax.token = TokenPolicy::NotRequired;
    server.endpoint.add_peer(Instant::now(), fax).expect("a peer");
    let _modem = Modem::start(&folder, address, ports.address());
    server.drive_until("an attempt", |server| server.endpoint.snapshot().counters.received >= 3);
    let end = Instant::now() + Duration::from_secs(2);
    server.drive_until("two seconds more", |_| Instant::now() > end);
    assert_eq!(server.endpoint.peer_address("fax"), None);
}

#[test]
fn iaxmodem_aside_trunks_with_timestamps_and_everything_else_we_send_satisfies_tshark() {
    // tshark reads entries of trunks with timestamps only; the other form it calls malformed, also from real Asterisk.
    let folder = Folder::new("iax2-trunk");
    let ports = Ports::claim();
    let (one, two) = (ports.address(), ports.address());
    let (mut a, mut b) = (Server::new(one, 1), Server::new(two, 2));
    for (server, other, name) in [(&mut a, two, "b"), (&mut b, one, "a")] {
        let mut peer = PeerConfig::new(name).with_secret("1234").at(other);
        peer.credentials = iax2::Credentials::new(if name == "b" { "a" } else { "b" }, "1234");
        peer.trunk = Some(TrunkMode { timestamps: true });
        server.endpoint.add_peer(Instant::now(), peer).expect("a peer");
    }
    let mut capture = Capture::start(&folder, two.port());
    let mut ours = Vec::new();
    for _ in 0..8 {
        ours.push(
            a.endpoint
                .dial(Instant::now(), "b", &NewCall::to("600").in_context("inside").from("7001"))
                .expect("dialled"),
        );
    }
    let mut up = 0;
    let end = Instant::now() + PATIENCE;
    while up < ours.len() {
        a.turn();
        b.turn();
        for event in std::mem::take(&mut b.events) {
            if let Event::Incoming { call, .. } = event {
                b.endpoint.answer(Instant::now(), call).expect("answered");
            }
        }
        up += std::mem::take(&mut a.events).iter().filter(|event| matches!(event, Event::Answered(_))).count();
        assert!(Instant::now() < end, "calls that are not answered");
    }
    for n in 0..50u8 {
        let until = Instant::now() + Duration::from_millis(20);
        for call in &ours {
            a.endpoint.send_voice(Instant::now(), *call, &[n; 160]).expect("voice");
        }
        while Instant::now() < until {
            a.turn();
            b.turn();
        }
    }
    for call in &ours {
        let now = Instant::now();
        a.endpoint.send_dtmf(now, *call, '5', iax2::DtmfPhase::Begin).expect("dtmf");
        a.endpoint.send_dtmf(now, *call, '5', iax2::DtmfPhase::End).expect("dtmf");
        a.endpoint.send_text(now, *call, "hello").expect("text");
        a.endpoint.ping(now, *call, false).expect("ping");
        a.endpoint.ping(now, *call, true).expect("lag request");
        a.endpoint.query_dialplan(now, *call, "60").expect("query");
        a.endpoint.quelch(now, *call, true, None).expect("quelch");
        a.endpoint.hang_up(now, *call, Cause::NORMAL, Some("done")).expect("hung up");
    }
    let end = Instant::now() + PATIENCE;
    while a.endpoint.snapshot().calls + b.endpoint.snapshot().calls > 0 {
        a.turn();
        b.turn();
        assert!(Instant::now() < end, "calls that do not end");
    }
    assert!(b.voice >= 8 * 45, "{}", b.voice);
    assert!(capture.finish() > 200);
}
