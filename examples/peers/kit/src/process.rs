//! Programs as processes, and what they use.

use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running program: all processes of its group.
pub struct Program {
    child: Child,
    folder: PathBuf,
}

/// Processor time that was used.
pub struct Processor {
    /// Hundredths of a second in the program, as the system guesses.
    user: u64,
    /// Hundredths of a second in the system for it, as the system guesses.
    system: u64,
    /// Both together, exactly.
    total: Duration,
}

impl Processor {
    /// What was used since: in the program, and in the system for it. How long both took is exact, what part is whose is
    /// known in hundredths of a second.
    pub fn since(&self, before: &Self) -> (Duration, Duration) {
        let (user, system) = ((self.user - before.user) as f64, (self.system - before.system) as f64);
        let total = self.total - before.total;
        let user = total.mul_f64(if user + system > 0.0 { user / (user + system) } else { 0.5 });
        (user, total - user)
    }
}

/// Kilobytes that a program holds; what several of its processes share counts once.
pub struct Memory {
    /// Memory of its own.
    pub own: u64,
    /// Memory that it shares with its children, as Kamailio does.
    pub shared: u64,
}

impl Program {
    /// Starts a program, which may use the folder: it is removed at the end.
    pub fn start(command: &mut Command, folder: PathBuf) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start ({error}): is it installed?"));
        Self { child, folder }
    }

    /// Starts Kamailio with one child, no logs, and these lines of configuration, in which FOLDER is that of the files.
    pub fn kamailio(rest: &str, files: &[(&str, &str)]) -> Self {
        let folder = folder("kamailio");
        for (name, text) in files {
            std::fs::write(folder.join(name), text).expect("a file");
        }
        let config = format!(
            "#!KAMAILIO\ndebug=-3\nlog_stderror=yes\nchildren=1\nauto_aliases=no\ndns=no\nrev_dns=no\n{}",
            rest.replace("FOLDER", &folder.display().to_string())
        );
        let file = folder.join("kamailio.cfg");
        std::fs::write(&file, config).expect("a file");
        let mut command = Command::new("/usr/sbin/kamailio");
        command.arg("-f").arg(&file).args(["-DD", "-x", "tlsf", "-X", "tlsf", "-m", "256", "-M", "32"]);
        command.args(["-Y", &folder.display().to_string(), "-P", &folder.join("pid").display().to_string()]);
        Self::start(&mut command, folder)
    }

    /// Starts this very program with other arguments.
    pub fn this(arguments: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        Self::start(command.args(arguments), folder("this"))
    }

    /// Waits until it listens.
    pub fn wait(&self, front: SocketAddr, tcp: bool) {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let up = if tcp { TcpStream::connect(front).is_ok() } else { UdpSocket::bind(front).is_err() };
            if up {
                std::thread::sleep(Duration::from_millis(300));
                return;
            }
            assert!(Instant::now() < end, "it does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What all its processes used so far.
    pub fn processor(&self) -> Processor {
        let (mut user, mut system, mut total) = (0, 0, 0);
        for fields in self.processes() {
            user += fields[12].parse::<u64>().unwrap_or(0);
            system += fields[13].parse::<u64>().unwrap_or(0);
            let threads = std::fs::read_dir(format!("/proc/{}/task", fields[0])).into_iter().flatten().flatten();
            total += threads.map(|thread| nanoseconds(&thread.path())).sum::<u64>();
        }
        Processor { user, system, total: Duration::from_nanos(total) }
    }

    /// Resident kilobytes of all its processes that nothing else has.
    pub fn memory(&self) -> u64 {
        let pages = self.processes().into_iter().map(|fields| fields[22].parse::<u64>().unwrap_or(0));
        pages.sum::<u64>() * 4
    }

    /// The numbers of all its processes.
    pub fn numbers(&self) -> Vec<u32> {
        self.processes().iter().filter_map(|fields| fields[0].parse().ok()).collect()
    }

    /// The numbers of the threads of this name.
    pub fn threads(&self, name: &str) -> Vec<String> {
        let tasks =
            |process: Vec<String>| std::fs::read_dir(format!("/proc/{}/task", process[0])).into_iter().flatten();
        let all = self.processes().into_iter().flat_map(tasks).flatten();
        let is_named = |path: PathBuf| std::fs::read_to_string(path.join("comm")).is_ok_and(|it| it.trim() == name);
        let named = all.filter(|thread| is_named(thread.path()));
        named.map(|thread| thread.file_name().to_string_lossy().into_owned()).collect()
    }

    /// Resident kilobytes, by kind.
    pub fn rollup(&self) -> Memory {
        let (mut own, mut shared) = (0, 0);
        for process in self.processes() {
            let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", process[0])).unwrap_or_default();
            let field = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name));
                line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
            };
            own += field("Pss_Anon:");
            shared += field("Pss_Shmem:");
        }
        Memory { own, shared }
    }

    /// Of each process of the group its number, then the fields of `/proc/N/stat` after its name.
    fn processes(&self) -> Vec<Vec<String>> {
        let group = self.child.id().to_string();
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        let fields = entries.filter_map(|entry| {
            let number = entry.file_name().into_string().ok()?.parse::<u32>().ok()?.to_string();
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let after = stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned);
            Some(std::iter::once(number).chain(after).collect::<Vec<_>>())
        });
        fields.filter(|fields| fields.len() > 22 && fields[3] == group).collect()
    }
}

impl Drop for Program {
    /// Ends each process of the group by its own number: `kill` of procps reads a group's number as something else.
    fn drop(&mut self) {
        for process in self.processes() {
            let _ = Command::new("kill").args(["-s", "KILL", process[0].as_str()]).status();
        }
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What a thread used.
fn nanoseconds(thread: &std::path::Path) -> u64 {
    let text = std::fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0)
}

/// A folder for a program.
pub fn folder(name: &str) -> PathBuf {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("peers-{name}-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}
