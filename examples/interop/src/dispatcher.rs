//! Dispatchers as processes, and the small servers behind them.

use crate::folder::Folder;
use crate::http;
use crate::ports::Ports;
use crate::process::Process;
use crate::wait::{PATIENCE, until};
use serde_json::Value;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small server.
#[derive(Debug)]
pub struct Answering {
    /// What the dispatchers call it.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    process: Process,
}

impl Answering {
    /// Starts one from the test's own program of that name.
    pub fn start(folder: &Folder, ports: &Ports, name: &str, program: &str) -> Self {
        let address = ports.address();
        let mut command = Command::new(program);
        command.arg(address.to_string());
        let mut process = Process::start(&mut command, &folder.file(&format!("{name}.log")));
        process.wait_for_output("listening", PATIENCE);
        Self { name: name.to_owned(), address, process }
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&self) {
        self.process.signal("KILL");
    }
}

/// A running dispatcher.
#[derive(Debug)]
pub struct Dispatcher {
    /// Where it takes SIP.
    pub sip: SocketAddr,
    /// Where it takes HTTP.
    pub http: SocketAddr,
    config: PathBuf,
    log: PathBuf,
    process: Process,
}

/// Where dispatchers listen: SIP, HTTP and what they share.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// For SIP.
    pub sip: SocketAddr,
    /// For HTTP.
    pub http: SocketAddr,
    /// For other dispatchers.
    pub share: SocketAddr,
}

impl Place {
    /// One that nobody has.
    pub fn claim(ports: &Ports) -> Self {
        Self { sip: ports.address(), http: ports.address(), share: ports.address() }
    }
}

impl Dispatcher {
    /// Starts one in front of servers, beside others.
    pub fn start(folder: &Folder, place: Place, others: &[Place], servers: &[Answering], shards: u16) -> Self {
        let name = format!("dispatcher-{}", place.sip.port());
        let aliases: Vec<String> = others.iter().map(|other| format!("\"{}\"", other.sip)).collect();
        let peers: Vec<String> = others.iter().map(|other| format!("\"{}\"", other.share)).collect();
        let mut config = format!(
            "[sip]\nudp = [\"{}\"]\ntcp = [\"{}\"]\nshards = {shards}\naliases = [{}]\n[dispatcher]\n\
             secret = \"the same for all of the test\"\n[probe]\ninterval = 0.5\ntimeout = 0.4\ndown = 2\n\
             [http]\nlisten = \"{}\"\n[share]\nlisten = \"{}\"\npeers = [{}]\n[[set]]\nname = \"all\"\n",
            place.sip,
            place.sip,
            aliases.join(", "),
            place.http,
            place.share,
            peers.join(", ")
        );
        for server in servers {
            let (name, address) = (&server.name, server.address);
            writeln!(config, "[[set.destination]]\nname = \"{name}\"\naddress = \"{address}\"").expect("a string");
        }
        let config = folder.write(&format!("{name}.toml"), config);
        let log = folder.file(&format!("{name}.log"));
        let process = Self::launch(&config, &log, place.http);
        Self { sip: place.sip, http: place.http, config, log, process }
    }

    fn launch(config: &Path, log: &Path, address: SocketAddr) -> Process {
        let mut command = Command::new(program());
        command.arg("--config").arg(config).env("RUST_BACKTRACE", "1");
        let mut process = Process::start(&mut command, log);
        until("a dispatcher that is ready", PATIENCE, || {
            if let Some(status) = process.ended() {
                panic!("the dispatcher ended with {status}:\n{}", process.output());
            }
            http::get(address, "/ready").ok().filter(|answer| answer.status == 200)
        });
        process
    }

    /// Ends it as `kill -9` does, and starts it again.
    pub fn restart(&mut self) {
        self.process.signal("KILL");
        self.process.wait(PATIENCE);
        self.process = Self::launch(&self.config, &self.log, self.http);
    }

    /// Everything that it tells of itself.
    ///
    /// # Panics
    ///
    /// When it tells nothing.
    pub fn status(&self) -> Value {
        let answer = http::get(self.http, "/status").expect("/status");
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// One destination of the status.
    ///
    /// # Panics
    ///
    /// When there is none of this name.
    pub fn destination(&self, name: &str) -> Value {
        let status = self.status();
        let all = status["destinations"].as_array().expect("destinations");
        all.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("no {name} in {status}")).clone()
    }

    /// Asks it to do something.
    ///
    /// # Panics
    ///
    /// When it refuses.
    pub fn command(&self, path: &str) {
        let answer = http::post(self.http, path, "").expect(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }

    /// Fails if it has ended or said that something panicked.
    ///
    /// # Panics
    ///
    /// Then.
    pub fn must_be_well(&mut self) {
        assert!(self.process.ended().is_none(), "the dispatcher ended");
        let output = self.process.output();
        assert!(!output.contains("panicked"), "{output}");
    }
}

fn program() -> PathBuf {
    crate::pbx::built("TANDEM_DISPATCHER", "dispatcher")
}
