//! The program `cluster` as a process.

use crate::folder::Folder;
use crate::http;
use crate::pbx::built;
use crate::ports::Ports;
use crate::process::Process;
use crate::wait::{PATIENCE, until};
use serde_json::Value;
use std::net::SocketAddr;
use std::process::Command;

/// A running `cluster` at loopback addresses of its own.
#[derive(Debug)]
pub struct Cluster {
    /// Where its page is.
    pub http: SocketAddr,
    /// Ports for the test's peers.
    pub ports: Ports,
    /// Where its files are.
    pub folder: Folder,
    process: Process,
}

impl Cluster {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(name: &str, more: &[&str]) -> Self {
        let (ports, folder) = (Ports::claim(), Folder::new(&format!("cluster-{name}")));
        let http = ports.address();
        let mut command = Command::new(built("TANDEM_CLUSTER", "cluster"));
        command.args(["--http", &http.to_string(), "--loopback", &ports.network().to_string()]);
        command.arg("--work").arg(folder.file("work")).args(more).env("RUST_BACKTRACE", "1");
        let mut process = Process::start(&mut command, &folder.file("cluster.log"));
        until("the page of the cluster", PATIENCE, || {
            if let Some(status) = process.ended() {
                panic!("the cluster ended with {status}:\n{}", process.output());
            }
            http::get(http, "/status").ok().filter(|answer| answer.status == 200)
        });
        Self { http, ports, folder, process }
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

    /// Ends it with Ctrl-C, which must end well and without a panic before.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn stop(mut self) {
        self.process.signal("INT");
        let status = self.process.wait(PATIENCE);
        let output = self.process.output();
        assert!(!output.contains("panicked"), "the cluster panicked:\n{output}");
        assert!(status.success(), "the cluster ended with {status}:\n{output}");
    }
}
