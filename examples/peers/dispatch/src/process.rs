//! The forwarders as processes.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running forwarder: all processes of its group.
pub struct Forwarder {
    child: Child,
    folder: PathBuf,
}

/// Processor time that was used.
pub struct Processor {
    pub user: Duration,
    pub system: Duration,
}

impl Forwarder {
    fn start(command: &mut Command, folder: PathBuf) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start ({error}): is it installed?"));
        Self { child, folder }
    }

    /// Kamailio: dispatcher algorithm 0 and `forward()`, one child.
    pub fn kamailio(front: SocketAddr, back: &[SocketAddr], tcp: bool) -> Self {
        let folder = folder("kamailio");
        let mut list = String::new();
        for address in back {
            let transport = if tcp { ";transport=tcp" } else { "" };
            writeln!(list, "1 sip:{address}{transport} 0 0").expect("a string");
        }
        std::fs::write(folder.join("list"), list).expect("a file");
        let transports = if tcp {
            format!("listen=tcp:{front}\ntcp_children=1\n")
        } else {
            format!("listen=udp:{front}\ndisable_tcp=yes\n")
        };
        let config = format!(
            "#!KAMAILIO\ndebug=-3\nlog_stderror=yes\nchildren=1\nauto_aliases=no\ndns=no\nrev_dns=no\n{transports}\
             loadmodule \"pv.so\"\nloadmodule \"tm.so\"\nloadmodule \"dispatcher.so\"\nmodparam(\"dispatcher\", \"list_file\", \"{}\")\n\
             request_route {{\n  ds_select_dst(\"1\", \"0\");\n  forward();\n}}\n",
            folder.join("list").display()
        );
        let file = folder.join("kamailio.cfg");
        std::fs::write(&file, config).expect("a file");
        let mut command = Command::new("/usr/sbin/kamailio");
        command.arg("-f").arg(&file).args(["-DD", "-x", "tlsf", "-X", "tlsf", "-m", "256", "-M", "32"]);
        command.args(["-Y", &folder.display().to_string(), "-P", &folder.join("pid").display().to_string()]);
        Self::start(&mut command, folder)
    }

    /// Ours.
    pub fn ours(program: &Path, front: SocketAddr, back: &[SocketAddr], tcp: bool, shards: usize) -> Self {
        let folder = folder("ours");
        let transport = if tcp { "tcp" } else { "udp" };
        let mut config = format!(
            "[sip]\n{transport} = [\"{front}\"]\nshards = {shards}\nrecord_route = false\n[probe]\nenabled = false\n[[set]]\nname = \"all\"\n"
        );
        for address in back {
            writeln!(config, "[[set.destination]]\naddress = \"{address}\"\ntransport = \"{transport}\"")
                .expect("a string");
        }
        let file = folder.join("dispatcher.toml");
        std::fs::write(&file, config).expect("a file");
        let mut command = Command::new(program);
        command.arg("--config").arg(file).args(["--log", "warn"]);
        Self::start(&mut command, folder)
    }

    /// Nothing but sockets.
    pub fn floor(front: SocketAddr, back: SocketAddr) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["floor", &front.to_string(), &back.to_string()]);
        Self::start(&mut command, folder("floor"))
    }

    /// Waits until it forwards.
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
        let (mut user, mut system) = (0, 0);
        for fields in self.processes() {
            user += fields[12].parse::<u64>().unwrap_or(0);
            system += fields[13].parse::<u64>().unwrap_or(0);
        }
        // USER_HZ is 100 on every Linux.
        Processor { user: Duration::from_millis(user * 10), system: Duration::from_millis(system * 10) }
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

impl Drop for Forwarder {
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

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("peers-dispatch-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}
