//! baresip, driven through its control port.

use crate::audio::Audio;
use crate::folder::Folder;
use crate::pbx::Pbx;
use crate::ports::Ports;
use crate::process::Process;
use crate::wait::{PATIENCE, until};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a baresip is set up.
#[derive(Debug, Clone)]
pub struct Setup<'a> {
    /// Its account.
    pub user: &'a str,
    /// `udp` or `tcp`.
    pub transport: &'a str,
    /// What it says, in hertz.
    pub tone: f64,
    /// Whether it answers by itself.
    pub answers: bool,
}

/// A running baresip.
#[derive(Debug)]
pub struct Baresip {
    /// Where it takes SIP.
    pub address: SocketAddr,
    /// Where it takes media.
    pub media: RangeInclusive<u16>,
    process: Process,
    control: TcpStream,
    events: Arc<Mutex<Vec<Value>>>,
    place: PathBuf,
}

impl Baresip {
    /// Starts one that registers with the PBX, and waits until it has.
    pub fn start(pbx: &Pbx, setup: &Setup<'_>) -> Self {
        let started = Self::start_at(&pbx.ports, &pbx.folder, pbx.sip, setup);
        // It may have told so before anybody listened: the PBX is asked instead.
        pbx.wait_for_registration(setup.user, 1);
        started
    }

    /// Starts one for a server.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_at(ports: &Ports, folder: &Folder, server: SocketAddr, setup: &Setup<'_>) -> Self {
        Self::start_refreshing(ports, folder, server, setup, 600)
    }

    /// The same, with how many seconds its registration lasts: before that it does not notice a connection that was closed.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_refreshing(
        ports: &Ports,
        folder: &Folder,
        server: SocketAddr,
        setup: &Setup<'_>,
        seconds: u32,
    ) -> Self {
        let &Setup { user, transport, tone, answers } = setup;
        let place = folder.file(&format!("baresip-{user}-{transport}"));
        std::fs::create_dir_all(&place).expect("a folder");
        Audio::tone(tone, -10.0, Duration::from_secs(90)).write(&place.join("tone.wav"));
        Audio::tone(250.0, -40.0, Duration::from_secs(1)).write(&place.join("alert.wav"));
        let control = ports.address();
        let part = user.bytes().last().map_or(0, u16::from) + u16::from(transport == "tcp") * 4;
        let media = ports.phone_media(part);
        let (first, last, here) = (media.start(), media.end(), place.display());
        let listen = ports.address();
        let config = format!(
            "poll_method epoll\nsip_listen {listen}\ncall_max_calls 4\naudio_source aufile,{here}/tone.wav\naudio_alert aufile,{here}/alert.wav\nausrc_srate 8000\nauplay_srate 8000\n\
             ausrc_channels 1\nauplay_channels 1\nausrc_format s16\nauplay_format s16\nrtp_ports {first}-{last}\n\
             rtcp_mux no\njitter_buffer_type off\nmodule_path {}\nmodule g711.so\nmodule aufile.so\nmodule sndfile.so\nsnd_path {here}\nmodule_tmp account.so\n\
             module_app menu.so\nmodule_app ctrl_tcp.so\nctrl_tcp_listen {control}\nnet_interface 127.0.0.1\n",
            modules().display()
        );
        let answer = if answers { ";answermode=auto" } else { "" };
        let account = format!(
            "<sip:{user}@{server};transport={transport}>;auth_pass=1234;regint={seconds};audio_codecs=pcmu{answer}\n"
        );
        std::fs::write(place.join("config"), config).expect("a file");
        std::fs::write(place.join("accounts"), account).expect("a file");
        std::fs::write(place.join("contacts"), "").expect("a file");
        let mut command = Command::new("baresip");
        command.arg("-f").arg(&place).arg("-v").env("HOME", &place);
        let mut process = Process::start(&mut command, &place.join("log"));
        let stream = until("baresip's control port", PATIENCE, || {
            if let Some(status) = process.ended() {
                panic!("baresip ended with {status}:\n{}", process.output());
            }
            TcpStream::connect(control).ok()
        });
        let events = Arc::new(Mutex::new(Vec::new()));
        let (reader, sink) = (stream.try_clone().expect("a socket"), Arc::clone(&events));
        std::thread::spawn(move || read_events(reader, &sink));
        Self { address: listen, media, process, control: stream, events, place }
    }

    /// Gives a command.
    ///
    /// # Panics
    ///
    /// When the control port is gone.
    pub fn command(&mut self, command: &str, parameters: &str) {
        let text = json!({ "command": command, "params": parameters }).to_string();
        let sent = self.control.write_all(format!("{}:{text},", text.len()).as_bytes());
        assert!(sent.is_ok(), "baresip is gone:\n{}", self.process.output());
    }

    /// Dials.
    pub fn dial(&mut self, number: &str, server: SocketAddr) {
        self.command("dial", &format!("sip:{number}@{server}"));
    }

    /// Waits for an event by its type, such as `CALL_ESTABLISHED`, and takes it and all before it out.
    ///
    /// # Panics
    ///
    /// When it does not come.
    pub fn wait_for(&self, kind: &str) -> Value {
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            {
                let mut events = self.events.lock().expect("events");
                if let Some(index) = events.iter().position(|event| event["type"] == kind) {
                    return events.drain(..=index).next_back().unwrap_or_default();
                }
                assert!(
                    std::time::Instant::now() < end,
                    "baresip did not tell {kind}, but {events:?}:\n{}",
                    self.process.output()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether an event has come and was not yet waited for.
    ///
    /// # Panics
    ///
    /// When the reader panicked.
    pub fn has_told(&self, kind: &str) -> bool {
        self.events.lock().expect("events").iter().any(|event| event["type"] == kind)
    }

    /// What it has recorded so far of what it was sent, all calls and their phases one after another.
    pub fn heard(&self) -> Audio {
        let entries = std::fs::read_dir(&self.place).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().ends_with("-dec.wav")).collect();
        files.sort();
        let mut whole = Audio { rate: 8_000, samples: Vec::new() };
        for file in files {
            let part = Audio::parse(&std::fs::read(file).unwrap_or_default());
            whole.rate = part.rate;
            whole.samples.extend(part.samples);
        }
        whole
    }

    /// Waits until it has recorded so much of a tone, and returns all that it has recorded.
    pub fn wait_to_hear(&self, hertz: f64, length: Duration) -> Audio {
        let what = format!("{length:?} of {hertz} Hz in {}", self.place.display());
        until(&what, PATIENCE, || {
            let heard = self.heard();
            (heard.duration_of(hertz) >= length).then_some(heard)
        })
    }

    /// Ends it properly, so that it deregisters.
    pub fn quit(&mut self) {
        self.command("quit", "");
        self.process.wait(PATIENCE);
    }
}

fn read_events(mut stream: TcpStream, sink: &Mutex<Vec<Value>>) {
    let (mut bytes, mut part) = (Vec::new(), [0; 4_096]);
    while let Ok(length @ 1..) = stream.read(&mut part) {
        bytes.extend_from_slice(&part[..length]);
        // Netstrings: LENGTH:TEXT,
        while let Some(colon) = bytes.iter().position(|byte| *byte == b':') {
            let length: usize = std::str::from_utf8(&bytes[..colon]).ok().and_then(|it| it.parse().ok()).unwrap_or(0);
            let end = colon + 1 + length;
            if bytes.len() < end + 1 {
                break;
            }
            let event = serde_json::from_slice::<Value>(&bytes[colon + 1..end]).unwrap_or_default();
            if event["event"] == true {
                if let Ok(mut sink) = sink.lock() {
                    sink.push(event);
                }
            }
            bytes.drain(..=end);
        }
    }
}

/// Where the distribution keeps baresip's modules.
fn modules() -> PathBuf {
    let places = ["/usr/lib/baresip/modules", "/usr/lib64/baresip/modules", "/usr/local/lib/baresip/modules"];
    places.iter().map(PathBuf::from).find(|it| it.exists()).expect("baresip is not installed: it has no modules")
}
