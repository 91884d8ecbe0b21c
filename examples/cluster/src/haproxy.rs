//! A real HAProxy in the place of our balancer, with the thesis's file.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use dispatcher::l4::{Algorithm, ServerSnapshot, Snapshot};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// How long it may take to begin to listen.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why it does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HaproxyError {
    /// There is no such program, or no file can be written for it.
    #[error("haproxy does not start: {0}; is it installed? (apt-get install haproxy)")]
    Start(#[from] io::Error),
    /// It ended at once.
    #[error("haproxy ended: {0}")]
    Ended(String),
}

/// A running HAProxy; it ends when this is dropped.
#[derive(Debug)]
pub struct Haproxy {
    child: Child,
    socket: PathBuf,
}

/// The file with its addresses mapped, the address that it binds, and how it balances. A socket to ask it by is added.
#[must_use]
pub fn configuration(
    text: &str,
    listen: SocketAddr,
    map: &[(IpAddr, IpAddr)],
    algorithm: Option<Algorithm>,
    socket: &Path,
) -> String {
    let mut changed = format!("global\nstats socket {} mode 600 level user\n\n", socket.display());
    for line in text.lines() {
        let mut words: Vec<String> = line.split_ascii_whitespace().map(str::to_owned).collect();
        match words.first().map(String::as_str) {
            Some("bind") => {
                if let Some(address) = words.get_mut(1) {
                    *address = listen.to_string();
                }
            }
            Some("server") => {
                if let Some(address) = words.get_mut(2)
                    && let Ok(named) = address.parse::<SocketAddr>()
                    && let Some((_, here)) = map.iter().find(|(there, _)| *there == named.ip())
                {
                    *address = SocketAddr::new(*here, named.port()).to_string();
                }
            }
            Some("balance") => {
                if let (Some(algorithm), Some(word)) = (algorithm, words.get_mut(1)) {
                    algorithm.as_str().clone_into(word);
                }
            }
            _ => {}
        }
        changed.push_str(&words.join(" "));
        changed.push('\n');
    }
    changed
}

impl Haproxy {
    /// Starts it with a configuration that is written to `work`, and waits until it listens.
    ///
    /// # Errors
    /// When it is not installed, or does not like the file.
    pub async fn start(
        work: &Path,
        text: &str,
        listen: SocketAddr,
        map: &[(IpAddr, IpAddr)],
        algorithm: Option<Algorithm>,
    ) -> Result<Self, HaproxyError> {
        let (file, socket, log) = (work.join("haproxy.cfg"), work.join("haproxy.sock"), work.join("haproxy.log"));
        std::fs::write(&file, configuration(text, listen, map, algorithm, &socket))?;
        let output = std::fs::File::create(&log)?;
        let mut child = Command::new("haproxy")
            .arg("-db")
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // Ctrl-C is for us: phones first say goodbye through it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let end = Instant::now() + PATIENCE;
        loop {
            if child.try_wait()?.is_some() || Instant::now() > end {
                return Err(HaproxyError::Ended(std::fs::read_to_string(&log).unwrap_or_default()));
            }
            if ask(&socket, "show info").await.is_ok() {
                return Ok(Self { child, socket });
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it is doing; `None` when it has ended.
    pub async fn snapshot(&mut self) -> Option<Snapshot> {
        if self.child.try_wait().ok()?.is_some() {
            return None;
        }
        read(&ask(&self.socket, "show stat").await.ok()?)
    }
}

async fn ask(socket: &Path, question: &str) -> io::Result<String> {
    let asking = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(format!("{question}\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    timeout(Duration::from_secs(2), asking).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Reads its table, in which columns are named in the first line.
fn read(table: &str) -> Option<Snapshot> {
    let mut lines = table.lines();
    let names: Vec<&str> = lines.next()?.trim_start_matches("# ").split(',').collect();
    let mut snapshot = Snapshot::default();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |name: &str| {
            let place = names.iter().position(|it| *it == name)?;
            cells.get(place).copied()
        };
        let count = |name: &str| cell(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        let name = cell("svname")?;
        match name {
            "FRONTEND" => {
                snapshot.connections = usize::try_from(count("scur")).unwrap_or(0);
                snapshot.refused += count("dreq") + count("ereq") + count("dcon");
            }
            "BACKEND" => {}
            _ => snapshot.servers.push(ServerSnapshot {
                name: name.to_owned(),
                address: cell("addr").unwrap_or_default().to_owned(),
                state: match cell("status") {
                    Some(status) if status.starts_with("UP") || status == "no check" => "active",
                    Some(status) if status.starts_with("DRAIN") => "draining",
                    Some(status) if status.starts_with("MAINT") => "disabled",
                    _ => "probing",
                },
                drain: None,
                up: cell("status").map(|status| status.starts_with("UP") || status == "no check"),
                connections: usize::try_from(count("scur")).unwrap_or(0),
                total: count("stot"),
                failed: count("econ"),
                to_server: count("bin"),
                to_client: count("bout"),
            }),
        }
    }
    Some(snapshot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thesis_file_is_kept_but_for_its_addresses() {
        let map = [("192.168.0.2".parse().unwrap(), "127.0.2.2".parse().unwrap())];
        let listen = "127.0.1.1:5060".parse().unwrap();
        let text = include_str!("../haproxy.cfg");
        let changed = configuration(text, listen, &map, Some(Algorithm::Source), Path::new("s"));
        let rest: Vec<_> = changed.lines().skip(3).zip(text.lines()).filter(|(new, old)| new != old).collect();
        let expected = [
            ("bind 127.0.1.1:5060", "bind *:5060"),
            ("balance source", "balance roundrobin"),
            ("server Asterisk_PBX 127.0.2.2:5060 check", "server Asterisk_PBX 192.168.0.2:5060 check"),
        ];
        assert_eq!(rest, expected);
        assert_eq!(changed.lines().count(), text.lines().count() + 3);
    }

    #[test]
    fn its_table_is_read_by_the_names_of_its_columns() {
        let table = "# pxname,svname,qcur,scur,stot,bin,bout,dreq,ereq,econ,status,addr,\n\
                     localnodes,FRONTEND,,3,9,10,20,0,0,,OPEN,,\n\
                     nodes,Asterisk_PBX,0,2,5,100,200,,,1,UP,127.0.2.2:5060,\n\
                     nodes,Extended_zone,0,0,4,7,8,,,0,DOWN,127.0.2.3:5060,\n\
                     nodes,BACKEND,0,3,9,10,20,0,,0,UP,,\n\n";
        let snapshot = read(table).unwrap();
        assert_eq!(snapshot.connections, 3);
        let told: Vec<_> = snapshot.servers.iter().map(|it| (it.name.as_str(), it.up, it.connections)).collect();
        assert_eq!(told, [("Asterisk_PBX", Some(true), 2), ("Extended_zone", Some(false), 0)]);
        assert_eq!((snapshot.servers[0].total, snapshot.servers[0].to_client), (5, 200));
    }
}
