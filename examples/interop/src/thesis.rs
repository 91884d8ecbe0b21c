//! The thesis's cluster: two PBXs that run its files, and HAProxy in front with its configuration.
//!
//! Only addresses differ: what the files call 192.168.0.2 and 192.168.0.3 are addresses of loopback here, so that several
//! tests can have a cluster at the same time, each with the ports that the files name.

use crate::folder::Folder;
use crate::pbx;
use crate::phone::Phone;
use crate::ports::Ports;
use crate::process::Process;
use crate::records::{self, Record};
use crate::view::View;
use crate::wait::{PATIENCE, until};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Names: of the folder, of the PBX in the thesis, of its server in `haproxy.cfg`, and of the other one in its `iax.conf`.
const MEMBERS: [(&str, &str, &str, &str); 2] =
    [("pbx", "Asterisk PBX", "Asterisk_PBX", "zone1"), ("zone", "Extended zone", "Extended_zone", "zone2")];

/// The private addresses in the files.
const NAMED: [&str; 2] = ["192.168.0.2", "192.168.0.3"];

/// Where the files are.
fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../cluster")
}

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    /// The two PBXs: the first one and the one that was added.
    pub members: [Member; 2],
    /// Where phones register.
    pub front: SocketAddr,
    /// Ports for the test's peers.
    pub ports: Ports,
    /// Where everybody's files are.
    pub folder: Folder,
    _haproxy: Process,
}

/// One of the PBXs.
#[derive(Debug)]
pub struct Member {
    /// Where the balancer reaches it.
    pub private: Ipv4Addr,
    /// Where phones send media.
    pub public: Ipv4Addr,
    /// What its `iax.conf` calls the other one.
    pub other: &'static str,
    name: &'static str,
    config: PathBuf,
    records: PathBuf,
    view: View,
    map: Vec<String>,
    log: PathBuf,
    process: Option<Process>,
}

impl Cluster {
    /// Starts one, and waits until each PBX is registered with the other.
    pub fn start(name: &str) -> Self {
        Self::start_with(name, "", "")
    }

    /// Starts one whose `iax.conf` says more of all, such as `trunktimestamps=yes`, and of its peer, such as `trunk=yes`.
    ///
    /// # Panics
    ///
    /// When something does not start.
    pub fn start_with(name: &str, of_all: &str, of_peers: &str) -> Self {
        let ports = Ports::claim();
        let folder = Folder::new(name);
        let network = ports.network();
        let private = [2, 3].map(|host| Ipv4Addr::new(127, network, 2, host));
        let map: Vec<String> = NAMED.iter().zip(private).map(|(there, here)| format!("{there}={here}")).collect();
        let member = |index: usize| {
            let (key, name, _, other) = MEMBERS[index];
            let config = folder.file(key);
            lay_out(key, &config, of_all, of_peers);
            let public = Ipv4Addr::new(127, network, 1, 2 + index as u8);
            Member {
                private: private[index],
                public,
                other,
                name,
                config,
                records: folder.file(&format!("{key}.csv")),
                view: View { http: (public, 8080).into() },
                map: map.clone(),
                log: folder.file(&format!("{key}.log")),
                process: None,
            }
        };
        let mut members = [member(0), member(1)];
        members.iter_mut().for_each(Member::start);
        let front = SocketAddr::from((Ipv4Addr::new(127, network, 1, 1), 5060));
        let haproxy = haproxy(&folder, front, private);
        let cluster = Self { members, front, ports, folder, _haproxy: haproxy };
        cluster.wait_for_trunk();
        cluster
    }

    /// Waits until each PBX is registered with the other and finds it there.
    pub fn wait_for_trunk(&self) {
        for member in &self.members {
            let peer = member.other;
            until(&format!("{} reaches {peer}", member.name), PATIENCE, || {
                let peers = member.console("iax2 show peers");
                peers.lines().find(|line| line.starts_with(peer) && line.contains("OK ("))?;
                let registry = member.console("iax2 show registry");
                registry.contains("Registered").then_some(())
            });
        }
    }

    /// A phone of an account, registered through the balancer.
    pub fn phone(&self, account: &str) -> Phone {
        let mut phone = Phone::over_tcp(self.front, account, "1234");
        assert_eq!(phone.register(600), 200, "{account}");
        phone
    }

    /// Waits until an account's phone is registered with one of the PBXs, and tells which.
    pub fn home_of(&self, account: &str) -> usize {
        until(&format!("a registration of {account}"), PATIENCE, || {
            (0..2).find(|index| self.members[*index].is_registered(account))
        })
    }

    /// Ends both PBXs with TERM, which must end well.
    pub fn stop(mut self) {
        self.members.iter_mut().for_each(Member::stop);
    }
}

/// One folder for a PBX: its own files and the shared one, unchanged but for what is asked for.
fn lay_out(key: &str, folder: &Path, of_all: &str, of_peers: &str) {
    std::fs::create_dir_all(folder).expect("a folder");
    let files = files();
    let copy = |from: PathBuf, name: &str| {
        let text = std::fs::read_to_string(&from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        std::fs::write(folder.join(name), text).expect("a file");
    };
    copy(files.join("sip.conf"), "sip.conf");
    copy(files.join(key).join("extensions.conf"), "extensions.conf");
    copy(files.join(key).join("iax.conf"), "iax.conf");
    let path = folder.join("iax.conf");
    let mut text = std::fs::read_to_string(&path).expect("iax.conf");
    for (after, more) in [("[general]\n", of_all), ("type=friend\n", of_peers)] {
        assert!(text.contains(after), "{text}");
        if !more.is_empty() {
            text = text.replace(after, &format!("{after}{more}\n"));
        }
    }
    std::fs::write(path, text).expect("a file");
}

/// HAProxy with the thesis's file, but for the addresses.
fn haproxy(folder: &Folder, front: SocketAddr, private: [Ipv4Addr; 2]) -> Process {
    let text = std::fs::read_to_string(files().join("haproxy.cfg")).expect("haproxy.cfg");
    let mut changed = text.replace("bind *:5060", &format!("bind {front}"));
    for ((_, _, server, _), (there, here)) in MEMBERS.iter().zip(NAMED.iter().zip(private)) {
        let (old, new) = (format!("server {server} {there}:5060"), format!("server {server} {here}:5060"));
        assert!(changed.contains(&old), "{changed}");
        changed = changed.replace(&old, &new);
    }
    let file = folder.write("haproxy.cfg", changed);
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(file);
    let mut process = Process::start(&mut command, &folder.file("haproxy.log"));
    // Looked up and not tried: a connection would take a phone's turn.
    let listening = listening(front);
    until("HAProxy's socket", PATIENCE, || {
        assert!(process.ended().is_none(), "HAProxy ended:\n{}", process.output());
        std::fs::read_to_string("/proc/net/tcp").is_ok_and(|table| table.contains(&listening)).then_some(())
    });
    process
}

/// How Linux writes a socket that listens: address as it is in memory, port, nobody on the other side, state 0A.
fn listening(address: SocketAddr) -> String {
    let SocketAddr::V4(address) = address else { panic!("not IPv4: {address}") };
    let ip = u32::from_le_bytes(address.ip().octets());
    format!("{ip:08X}:{:04X} 00000000:0000 0A", address.port())
}

impl Member {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(&mut self) {
        let (public, private) = (self.public, self.private);
        let mut command = Command::new(pbx::program());
        command.arg("--asterisk").arg(&self.config).args(["--name", self.name]);
        self.map.iter().for_each(|pair| {
            command.args(["--map", pair]);
        });
        command.args(["--udp", &format!("{public}:5060"), "--tcp", &format!("{private}:5060")]);
        command.args(["--iax", &format!("{private}:4569"), "--http", &self.view.http.to_string()]);
        command.args(["--rtp-ports", "20000-24999"]).arg("--cdr").arg(&self.records);
        command.env("RUST_BACKTRACE", "1");
        let mut process = Process::start(&mut command, &self.log);
        until(&format!("the health of {}", self.name), PATIENCE, || {
            if let Some(status) = process.ended() {
                panic!("{} ended with {status}:\n{}", self.name, process.output());
            }
            crate::http::get(self.view.http, "/health").ok().filter(|answer| answer.status == 200)
        });
        self.process = Some(process);
    }

    /// Ends it with TERM, which must end well and without a panic before.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        process.signal("TERM");
        let status = process.wait(PATIENCE * 2);
        let output = process.output();
        assert!(!output.contains("panicked"), "{} panicked:\n{output}", self.name);
        assert!(status.success(), "{} ended with {status}:\n{output}", self.name);
    }

    /// Ends it without a word to anybody, as when its machine loses power.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Runs a console command as a person does: with `pbx -x`.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn execute(&self, line: &str) -> String {
        let output = Command::new(pbx::program())
            .args(["--http", &self.view.http.to_string(), "-x", line])
            .stdin(std::process::Stdio::null())
            .output()
            .expect("the program");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Whether a phone of an account is registered and can be reached.
    pub fn is_registered(&self, account: &str) -> bool {
        if self.process.is_none() {
            return false;
        }
        let status = self.status();
        let accounts = status["accounts"].as_array().cloned().unwrap_or_default();
        let found = accounts.iter().find(|it| it["name"] == account);
        let bindings = found.and_then(|it| it["bindings"].as_array().cloned()).unwrap_or_default();
        bindings.iter().any(|binding| binding["reachable"] == true)
    }

    /// Its call records so far.
    pub fn records(&self) -> Vec<Record> {
        if self.records.exists() { records::read(&self.records) } else { Vec::new() }
    }

    /// Waits until it has written so many call records.
    pub fn wait_for_records(&self, count: usize) -> Vec<Record> {
        until(&format!("{count} call records of {}", self.name), Duration::from_secs(60), || {
            Some(self.records()).filter(|records| records.len() >= count)
        })
    }

    /// Its process.
    ///
    /// # Panics
    ///
    /// When it does not run.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("a running PBX")
    }
}

impl Deref for Member {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}
