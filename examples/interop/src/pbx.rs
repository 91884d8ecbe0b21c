//! The PBX as a process.

use crate::folder::Folder;
use crate::http;
use crate::ports::Ports;
use crate::process::Process;
use crate::wait::{PATIENCE, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    /// Where it takes HTTP.
    pub http: SocketAddr,
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
        Self { ports, media, folder, sip, http, process }
    }

    /// The whole picture that it gives of itself.
    ///
    /// # Panics
    ///
    /// When it gives none.
    pub fn status(&self) -> Value {
        let answer = http::get(self.http, "/status").expect("/status");
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// All metrics by name and labels as they are written.
    ///
    /// # Panics
    ///
    /// When it gives none.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let answer = http::get(self.http, "/metrics").expect("/metrics");
        assert_eq!(answer.status, 200);
        let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(k, v)| Some((k.to_owned(), v.parse().ok()?)))
            .collect()
    }

    /// One metric; 0 when it is not there.
    pub fn metric(&self, name: &str) -> f64 {
        self.metrics().get(name).copied().unwrap_or(0.0)
    }

    /// The sum of a metric over all its labels.
    pub fn sum(&self, name: &str) -> f64 {
        let labelled = format!("{name}{{");
        self.metrics()
            .iter()
            .filter(|(key, _)| *key == name || key.starts_with(&labelled))
            .map(|(_, value)| value)
            .sum()
    }

    /// Waits until somebody has so many phones registered.
    pub fn wait_for_registration(&self, user: &str, count: usize) {
        until(&format!("{count} registrations of {user}"), PATIENCE, || {
            let status = self.status();
            let accounts = status["accounts"].as_array().cloned().unwrap_or_default();
            let account = accounts.iter().find(|account| account["name"] == user)?;
            (account["bindings"].as_array().map_or(0, Vec::len) == count).then_some(())
        });
    }

    /// Waits until every table that calls fill is empty, as `/metrics` tells it.
    ///
    /// # Panics
    ///
    /// When one is not in 70 s: the longest timers of RFC 3261 are 32 s, and may follow each other.
    pub fn wait_for_empty_tables(&self) {
        let asked = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_millis());
        let status = self.status();
        let tables = status["tables"].as_array().cloned().unwrap_or_default();
        let names: Vec<String> = tables
            .iter()
            .filter(|table| table["per_call"] == true)
            .filter_map(|table| Some(format!("pbx_table_entries{{table=\"{}\"}}", table["name"].as_str()?)))
            .collect();
        assert!(!names.is_empty(), "no table is told to be filled by calls: {status}");
        let mut left = BTreeMap::new();
        let end = std::time::Instant::now() + Duration::from_secs(70);
        while std::time::Instant::now() < end {
            // The PBX takes its picture now and then: an older one tells nothing.
            let taken = self.status()["at"].as_u64().unwrap_or(0);
            let metrics = self.metrics();
            for name in &names {
                assert!(metrics.contains_key(name), "{name} is not among {:?}", metrics.keys());
            }
            left = metrics.into_iter().filter(|(name, value)| names.contains(name) && *value != 0.0).collect();
            if left.is_empty() && u128::from(taken) > asked {
                return;
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        panic!("tables that are not empty after a minute: {left:?}");
    }

    /// Runs a console command, as `pbx -x` does.
    ///
    /// # Panics
    ///
    /// When the console does not answer.
    pub fn console(&self, line: &str) -> String {
        let answer = http::post(self.http, "/console", line).expect("/console");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
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
fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("TANDEM_PBX") {
        return path.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--release", "--bin", "pbx", "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .stdin(Stdio::null())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "the PBX does not build");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("release/pbx")
}
