//! Under a quota of processor time: how many messages a second a forwarder passes while 99 of 100 transactions take less than a second.
//!
//! Requests leave at a steady rate, whatever comes back, and are timed from when they should have left. The rate is found by bisection.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use peers_kit::Program;

use crate::forwarders;
use crate::server;

/// The quota of the testbed: 30 mCPU.
const QUOTA: u64 = 3_000;
const PERIOD: u64 = 100_000;

/// What most transactions must take less than.
const BOUND: Duration = Duration::from_secs(1);

/// The rate is known to this part of itself.
const PRECISION: f64 = 0.05;

/// How often the search is repeated.
const SEARCHES: usize = 3;

/// A cgroup with a quota of processor time; it ends with this.
struct Cgroup {
    folder: PathBuf,
}

impl Cgroup {
    fn new() -> Self {
        let name = format!("peers-dispatch-{}", std::process::id());
        let is_second = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        let top = Path::new(if is_second { "/sys/fs/cgroup" } else { "/sys/fs/cgroup/cpu" });
        let write = |path: PathBuf, text: String| {
            std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        };
        if is_second {
            // It may be there already, or be forbidden: then the next step says so.
            let _ = std::fs::write(top.join("cgroup.subtree_control"), "+cpu");
        }
        let folder = top.join(name);
        std::fs::create_dir(&folder).unwrap_or_else(|error| {
            panic!("{}: {error}: cgroups want root and a writable file system", folder.display())
        });
        if is_second {
            write(folder.join("cpu.max"), format!("{QUOTA} {PERIOD}"));
        } else {
            write(folder.join("cpu.cfs_period_us"), PERIOD.to_string());
            write(folder.join("cpu.cfs_quota_us"), QUOTA.to_string());
        }
        Self { folder }
    }

    fn take(&self, processes: &[u32]) {
        for process in processes {
            std::fs::write(self.folder.join("cgroup.procs"), process.to_string()).expect("a process for the cgroup");
        }
    }

    /// Periods, and those in which the quota was used up.
    fn periods(&self) -> (u64, u64) {
        let text = std::fs::read_to_string(self.folder.join("cpu.stat")).expect("cpu.stat");
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
            line.unwrap_or(0)
        };
        (value("nr_periods"), value("nr_throttled"))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Its processes have ended a moment ago.
        let end = Instant::now() + Duration::from_secs(5);
        while std::fs::remove_dir(&self.folder).is_err() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What came of a rate.
struct Outcome {
    p99: Duration,
    unanswered: u64,
    throttled: f64,
}

impl Outcome {
    fn is_good(&self) -> bool {
        self.p99 < BOUND
    }
}

/// Prints what each bears.
pub fn compare(program: &Path, span: Duration) {
    println!(
        "| {} ms in {} ms, UDP | messages/s | 99 % of transactions | unanswered | periods throttled |",
        QUOTA / 1_000,
        PERIOD / 1_000
    );
    println!("|---|---|---|---|---|");
    let back: Vec<SocketAddr> = server::start(false, 2);
    let front: SocketAddr = "127.0.0.1:15961".parse().expect("an address");
    let makers: [(&str, &dyn Fn() -> Program); 2] = [
        ("Kamailio 5.6, one child", &|| forwarders::kamailio(front, &back, false)),
        ("ours, one shard", &|| forwarders::ours(program, front, &back, false, 1)),
    ];
    for (who, make) in makers {
        let mut found: Vec<(f64, Outcome)> = (0..SEARCHES).map(|_| search(make, front, span)).collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (rate, outcome) = &found[SEARCHES / 2];
        println!(
            "| {who} | {:.0} ({:.0} to {:.0}) | {:.0} ms | {} | {:.0} % |",
            rate * 2.0,
            found[0].0 * 2.0,
            found[SEARCHES - 1].0 * 2.0,
            outcome.p99.as_secs_f64() * 1e3,
            outcome.unanswered,
            outcome.throttled * 100.0
        );
    }
}

/// The highest rate of transactions that is borne, and how.
fn search(make: &dyn Fn() -> Program, front: SocketAddr, span: Duration) -> (f64, Outcome) {
    let forwarder = make();
    forwarder.wait(front, false);
    let cgroup = Cgroup::new();
    cgroup.take(&forwarder.numbers());
    let (mut low, mut high) = (0.0, 100.0);
    let mut best = None;
    loop {
        let outcome = run(&cgroup, front, high, span);
        if !outcome.is_good() {
            break;
        }
        (low, high, best) = (high, high * 2.0, Some(outcome));
    }
    while high - low > high * PRECISION {
        let middle = f64::midpoint(low, high);
        let outcome = run(&cgroup, front, middle, span);
        if outcome.is_good() {
            (low, best) = (middle, Some(outcome));
        } else {
            high = middle;
        }
    }
    drop(forwarder);
    (low, best.expect("a rate that is borne"))
}

/// One rate for a while.
fn run(cgroup: &Cgroup, front: SocketAddr, rate: f64, span: Duration) -> Outcome {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(front).expect("a socket");
    let local = socket.local_addr().expect("an address");
    let before = cgroup.periods();
    let start = Instant::now();
    let mut open: HashMap<u64, Instant> = HashMap::new();
    let mut took: Vec<Duration> = Vec::new();
    let mut buffer = vec![0; 65_535];
    let mut next = 0_u64;
    // Those that left last have as long as the others.
    while start.elapsed() < span + BOUND {
        let due = (start.elapsed().min(span).as_secs_f64() * rate) as u64;
        while next < due {
            let request = request(next, local, front);
            // What the system drops is unanswered.
            let _ = socket.send(request.as_bytes());
            open.insert(next, start + Duration::from_secs_f64(next as f64 / rate));
            next += 1;
        }
        socket.set_read_timeout(Some(Duration::from_millis(1))).expect("a socket");
        while let Ok(length) = socket.recv(&mut buffer) {
            if let Some(sent) = number(&buffer[..length]).and_then(|number| open.remove(&number)) {
                took.push(sent.elapsed());
            }
            if (start.elapsed().min(span).as_secs_f64() * rate) as u64 > next {
                break;
            }
        }
    }
    let after = cgroup.periods();
    let unanswered = open.len() as u64;
    took.extend(open.values().map(|_| BOUND * 2));
    took.sort();
    let p99 = took.get(took.len() * 99 / 100).copied().unwrap_or(BOUND * 2);
    // What is still in its queue is none of the next run's.
    socket.set_read_timeout(Some(Duration::from_millis(400))).expect("a socket");
    while socket.recv(&mut buffer).is_ok() {}
    let throttled = (after.1 - before.1) as f64 / (after.0 - before.0).max(1) as f64;
    Outcome { p99, unanswered, throttled }
}

fn number(answer: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(answer).ok()?;
    let (_, rest) = text.split_once("Call-ID: quota-")?;
    rest.split_once('-')?.0.parse().ok()
}

fn request(number: u64, local: SocketAddr, front: SocketAddr) -> String {
    let port = local.port();
    let body = "v=0\r\no=alice 53655765 2353687637 IN IP4 192.0.2.101\r\ns=-\r\nc=IN IP4 192.0.2.101\r\nt=0 0\r\n\
                m=audio 49172 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
    format!(
        "INVITE sip:bob@{front} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{port}-{number};rport\r\nMax-Forwards: 70\r\n\
         From: \"Alice\" <sip:alice@example.com>;tag=9fxced76sl{number}\r\nTo: \"Bob\" <sip:bob@example.com>\r\n\
         Call-ID: quota-{number}-{port}@example.com\r\nCSeq: 1 INVITE\r\nContact: <sip:alice@{local}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
