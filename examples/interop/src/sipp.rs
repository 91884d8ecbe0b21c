//! SIPp, with scenarios of our own.

use crate::folder::Folder;
use crate::process::Process;
use crate::wait::{PATIENCE, until};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How a SIPp is set up; what is not set is SIPp's default.
#[derive(Debug, Clone)]
pub struct Setup<'a> {
    /// The scenario's name in `scenarios`, without `.xml`.
    pub scenario: &'a str,
    /// Its own address.
    pub local: SocketAddr,
    /// The server.
    pub server: SocketAddr,
    /// Whom it calls, or as whom it registers.
    pub service: &'a str,
    /// Its user name.
    pub user: &'a str,
    /// Its password.
    pub secret: &'a str,
    /// Calls in all.
    pub calls: u32,
    /// Calls a second.
    pub rate: u32,
    /// How long a call is, where the scenario waits.
    pub length: Duration,
    /// Over TCP instead of UDP.
    pub tcp: bool,
    /// Whether the scenario is one that SIPp brings along.
    pub built_in: bool,
    /// How many of a hundred messages it loses, of those that it sends and of those that come.
    pub lost: u32,
    /// The transport that scenarios write with `[wire]`, when it is not the one that SIPp speaks: it speaks no TLS itself.
    pub wire: &'a str,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        let nowhere = crate::ports::local(0);
        Self {
            scenario: "",
            local: nowhere,
            server: nowhere,
            service: "600",
            user: "1001",
            secret: "1234",
            calls: 1,
            rate: 10,
            length: Duration::ZERO,
            tcp: false,
            built_in: false,
            lost: 0,
            wire: "",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Calls that went as the scenario says.
    pub successful: u32,
    /// Calls that did not.
    pub failed: u32,
    /// Messages sent again.
    pub retransmissions: u32,
}

/// A running SIPp.
#[derive(Debug)]
pub struct Sipp {
    process: Process,
    statistics: PathBuf,
    errors: PathBuf,
    name: String,
}

impl Sipp {
    /// Starts one.
    pub fn start(folder: &Folder, setup: &Setup<'_>) -> Self {
        let name = format!("{}-{}", setup.scenario, setup.local.port());
        let (statistics, errors) = (folder.file(&format!("{name}.csv")), folder.file(&format!("{name}.errors")));
        let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("scenarios/{}.xml", setup.scenario));
        let mut command = Command::new("sipp");
        command.arg(setup.server.to_string());
        if setup.built_in {
            command.args(["-sn", setup.scenario]);
        } else {
            command.arg("-sf").arg(scenario);
        }
        let wire = match (setup.wire, setup.tcp) {
            ("", true) => "TCP",
            ("", false) => "UDP",
            (wire, _) => wire,
        };
        command.args(["-key", "wire", wire]);
        if setup.lost > 0 {
            // Its own limits of retransmissions would let one call in a thousand fail.
            command.args([
                "-lost",
                &setup.lost.to_string(),
                "-max_invite_retrans",
                "9",
                "-max_non_invite_retrans",
                "9",
            ]);
        }
        command.args(["-i", &setup.local.ip().to_string(), "-p", &setup.local.port().to_string()]);
        command.args(["-mi", "127.0.0.1", "-mp", &(setup.local.port() + 1).to_string()]);
        command.args(["-s", setup.service, "-au", setup.user, "-ap", setup.secret]);
        // Digest is over the Request-URI; SIPp's own idea of it lacks the number.
        let register = setup.scenario.starts_with("register");
        let uri = if register { setup.server.to_string() } else { format!("{}@{}", setup.service, setup.server) };
        command.args(["-auth_uri", &uri]);
        command.args(["-m", &setup.calls.to_string(), "-r", &setup.rate.to_string()]);
        command.args(["-d", &setup.length.as_millis().to_string(), "-l", "5000"]);
        command.args(["-t", if setup.tcp { "t1" } else { "u1" }, "-buff_size", "2097152"]);
        command.args(["-nostdin", "-trace_stat", "-fd", "1", "-trace_err"]);
        command.arg("-stf").arg(&statistics).arg("-error_file").arg(&errors);
        // An answering SIPp waits for as many calls as it is told, however long they take to come.
        let timeout = 150 + setup.calls / setup.rate.max(1);
        command.args(["-timeout", &timeout.to_string(), "-timeout_error"]);
        command.current_dir(folder.path()).env("TERM", "xterm");
        let process = Process::start(&mut command, &folder.file(&format!("{name}.log")));
        Self { process, statistics, errors, name }
    }

    /// Waits until it listens.
    pub fn wait_until_it_listens(&mut self, local: SocketAddr) {
        until("SIPp's socket", PATIENCE, || {
            assert!(self.process.ended().is_none(), "SIPp ended:\n{}", self.process.output());
            std::net::UdpSocket::bind(local).is_err().then_some(())
        });
    }

    /// Waits for its end and tells what came of it.
    pub fn outcome(mut self, patience: Duration) -> Outcome {
        let status = self.process.wait(patience);
        let outcome = self.figures();
        let errors = std::fs::read_to_string(&self.errors).unwrap_or_default();
        if !status.success() {
            let first: Vec<&str> = errors.lines().take(40).collect();
            eprintln!("{} ended with {status}, {outcome:?}:\n{}", self.name, first.join("\n"));
        }
        outcome
    }

    /// Waits for its end, where every call must go as the scenario says.
    ///
    /// # Panics
    ///
    /// When one does not.
    pub fn must_succeed(self, calls: u32, patience: Duration) -> Outcome {
        let name = self.name.clone();
        let outcome = self.outcome(patience);
        assert_eq!((outcome.successful, outcome.failed), (calls, 0), "{name}");
        outcome
    }

    /// The figures so far.
    pub fn figures(&self) -> Outcome {
        let text = std::fs::read_to_string(&self.statistics).unwrap_or_default();
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap_or_default().split(';').collect();
        let last: Vec<&str> = lines.next_back().unwrap_or_default().split(';').collect();
        let value = |name: &str| {
            let index = names.iter().position(|it| *it == name);
            index.and_then(|index| last.get(index)).and_then(|it| it.parse().ok()).unwrap_or(0)
        };
        Outcome {
            successful: value("SuccessfulCall(C)"),
            failed: value("FailedCall(C)"),
            retransmissions: value("Retransmissions(C)"),
        }
    }
}

/// Runs a scenario in which every call must go as it says.
pub fn run(folder: &Folder, setup: &Setup<'_>) -> Outcome {
    Sipp::start(folder, setup).must_succeed(setup.calls, Duration::from_secs(160))
}
