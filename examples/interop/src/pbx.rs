//! The PBX as a process.

use crate::folder::Folder;
use crate::http;
use crate::ports::Ports;
use crate::process::Process;
use crate::view::View;
use crate::wait::{PATIENCE, until};
use std::net::SocketAddr;
use std::ops::{Deref, RangeInclusive};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A running PBX with its own ports, configuration and records.
#[derive(Debug)]
pub struct Pbx {
    /// Its ports and those of the test's peers.
    pub ports: Ports,
    /// Its media ports.
    pub media: RangeInclusive<u16>,
    /// Where its files and those of the test's peers are.
    pub folder: Folder,
    /// Where it takes SIP, by UDP and TCP.
    pub sip: SocketAddr,
    view: View,
    process: Process,
}

impl Pbx {
    /// Starts one with accounts 1001 to 1009, secret `1234`.
    pub fn start(name: &str) -> Self {
        Self::start_with(name, "")
    }

    /// Starts one that has all media ports of this machine's tests, and room for the transactions of hundreds of calls a second,
    /// each of which stays for 32 s: for tests that run alone.
    pub fn start_alone(name: &str) -> Self {
        Self::launch(name, "", Some(Ports::all_media()))
    }

    /// Starts one with more tables in its configuration. `[sip]`, `[account]`, `[extensions]`, `[rtp]`, `[limits]`, `[http]`
    /// and `[cdr]` are there already.
    pub fn start_with(name: &str, more: &str) -> Self {
        Self::launch(name, more, None)
    }

    fn launch(name: &str, more: &str, media: Option<RangeInclusive<u16>>) -> Self {
        let program = program();
        let ports = Ports::claim();
        let media = media.unwrap_or_else(|| ports.media());
        let folder = Folder::new(name);
        let (sip, http) = (ports.address(), ports.address());
        let config = folder.write("pbx.toml", configuration(sip, http, &media, &folder, more));
        let mut command = Command::new(program);
        command.arg("--config").arg(config).env("RUST_BACKTRACE", "1").current_dir(folder.path());
        let mut process = Process::start(&mut command, &folder.file("pbx.log"));
        until("the health of the PBX", PATIENCE, || {
            if let Some(status) = process.ended() {
                panic!("the PBX ended with {status}:\n{}", process.output());
            }
            http::get(http, "/health").ok().filter(|answer| answer.status == 200)
        });
        Self { ports, media, folder, sip, view: View { http }, process }
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where its call records are.
    pub fn records(&self) -> PathBuf {
        self.folder.file("Master.csv")
    }

    /// Ends it with TERM, which must end well and without a panic before.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn stop(mut self) {
        self.process.signal("TERM");
        let status = self.process.wait(PATIENCE * 2);
        let output = self.process.output();
        assert!(!output.contains("panicked"), "the PBX panicked:\n{output}");
        assert!(status.success(), "the PBX ended with {status}:\n{output}");
    }
}

impl Deref for Pbx {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}

fn configuration(
    sip: SocketAddr,
    http: SocketAddr,
    media: &RangeInclusive<u16>,
    folder: &Folder,
    more: &str,
) -> String {
    let accounts: String = (1..=9)
        .map(|number| {
            format!("[[account]]\nname = \"100{number}\"\nsecret = \"1234\"\ncaller_id = \"Phone {number}\"\n")
        })
        .collect();
    let (first, last) = (media.start(), media.end());
    let records = folder.file("Master.csv");
    let transactions = if *media == Ports::all_media() { 200_000 } else { 20_000 };
    format!(
        "[sip]\nudp = [\"{sip}\"]\ntcp = [\"{sip}\"]\n{accounts}\
         [extensions]\n600 = \"echo\"\n601 = \"milliwatt\"\n\
         [rtp]\nports = \"{first}-{last}\"\n\
         [limits]\ncalls = 2000\ncalls_per_account = 2000\nconnections_per_address = 1200\ntransactions = {transactions}\n\
         [http]\nlisten = \"{http}\"\n[cdr]\npath = {:?}\n{more}\n",
        records.display().to_string()
    )
}

/// The program: `TANDEM_PBX`, or the release build, made now if it must be.
pub(crate) fn program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| built("TANDEM_PBX", "pbx")).clone()
}

/// A program of ours: the one that a variable names, or the release build, made now if it must be.
pub(crate) fn built(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--release", "--bin", name, "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .stdin(Stdio::null());
    // What cargo tells this test of its own package would make build scripts run again, and all that depends on them.
    for (variable, _) in std::env::vars_os() {
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if variable.to_str().is_some_and(|name| told.iter().any(|prefix| name.starts_with(prefix))) {
            cargo.env_remove(&variable);
        }
    }
    let status = cargo.status();
    assert!(status.is_ok_and(|status| status.success()), "{name} does not build");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("release").join(name)
}
