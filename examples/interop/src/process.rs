//! Other programs as children that never outlive the test.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A running program: its input a pipe that stays open, its output a file.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    log: PathBuf,
}

impl Process {
    /// Starts a program whose output goes to a file.
    ///
    /// # Panics
    ///
    /// When the program is not installed.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = File::create(log).expect("a log file");
        let errors = output.try_clone().expect("a log file");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start ({error}): is it installed?"));
        let stdin = child.stdin.take();
        Self { name, child, stdin, log: log.to_owned() }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Types a line.
    ///
    /// # Panics
    ///
    /// When the program has ended.
    pub fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("standard input");
        let written = stdin.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdin.flush());
        if let Err(error) = written {
            panic!("{} takes no input ({error}):\n{}", self.name, self.output());
        }
    }

    /// What it has written so far.
    pub fn output(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// When it does not end in time.
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        crate::wait::until(&what, patience, || self.ended())
    }

    /// Waits for words in its output.
    ///
    /// # Panics
    ///
    /// When they do not come in time, or it ends before.
    pub fn wait_for_output(&mut self, words: &str, patience: Duration) {
        let end = std::time::Instant::now() + patience;
        loop {
            let output = self.output();
            if output.contains(words) {
                return;
            }
            let ended = self.ended();
            if ended.is_some() || std::time::Instant::now() > end {
                panic!("{} did not say {words:?} (ended: {ended:?}):\n{output}", self.name);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends a signal by its name, such as `TERM`.
    ///
    /// # Panics
    ///
    /// When `kill` cannot be run.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(status.expect("kill").success(), "no process {} to send {name} to", self.id());
    }

    /// Resident memory in kilobytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// Processor time used so far, user and system.
    ///
    /// # Panics
    ///
    /// When the process is gone.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).expect("the process");
        // The name may hold spaces; the fields after it do not.
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        let fields: Vec<&str> = after.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap_or(0)).sum();
        // USER_HZ is 100 on every Linux.
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let output = self.output();
            // Lines that overwrite themselves show how long a call is, and nothing else.
            let lines = output.lines().filter(|line| !line.contains('\r') && !line.contains("(bit/s)"));
            let lines: Vec<&str> = lines.collect();
            eprintln!("---- end of what {} wrote:", self.name);
            lines.iter().skip(lines.len().saturating_sub(40)).for_each(|line| eprintln!("{line}"));
        }
    }
}
