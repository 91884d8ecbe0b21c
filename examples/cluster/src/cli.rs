//! The command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use dispatcher::l4::Algorithm;

/// Two PBXs with an IAX2 trunk between them and a balancer in front, with phones that call across: all on this machine.
#[derive(Debug, Clone, Parser)]
#[command(name = "cluster", version, about, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// Show the page here
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    pub http: SocketAddr,

    /// Let others reach the page, when --http names an address of theirs: it has no password
    #[arg(long)]
    pub exposed: bool,

    /// What stands in front of the PBXs: our own balancer, or a real HAProxy with the thesis's haproxy.cfg
    #[arg(long, value_name = "PROGRAM", default_value = "tandem")]
    pub balancer: Program,

    /// How phones are spread; HAProxy takes what its file says unless this says otherwise [default: roundrobin]
    #[arg(long, value_name = "HOW")]
    pub algorithm: Option<Algorithm>,

    /// Run on these files instead of the thesis's: sip.conf, haproxy.cfg, and the folders pbx and zone
    #[arg(long, value_name = "FOLDER")]
    pub files: Option<PathBuf>,

    /// Write the thesis's files into a folder, to be changed and run with --files, and end
    #[arg(long, value_name = "FOLDER")]
    pub write_files: Option<PathBuf>,

    /// Add trunk=yes to iax.conf: the voice of all calls between the PBXs shares its datagrams
    #[arg(long)]
    pub trunk: bool,

    /// How many demonstration phones to register, 1001 and up
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u8).range(0..=4))]
    pub phones: u8,

    /// Make no calls by itself; the page's buttons still do
    #[arg(long)]
    pub no_demo_calls: bool,

    /// How long demonstration calls last, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub talk: u32,

    /// Use 127.N.1.*, 127.N.2.* and 127.N.3.*, so that several clusters run on one machine
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub loopback: u8,

    /// Where configuration files, call records and HAProxy's socket are put [default: tandem-cluster in the user's state folder]
    #[arg(long, value_name = "FOLDER")]
    pub work: Option<PathBuf>,

    /// Log as JSON, one object a line
    #[arg(long)]
    pub json: bool,

    /// What to log: error, warn, info, debug, trace, or a filter such as "warn,cluster=debug"
    #[arg(long, value_name = "FILTER", env = "CLUSTER_LOG", default_value = "warn,cluster=info")]
    pub log: String,
}

/// What stands in front.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Program {
    /// Ours.
    #[default]
    Tandem,
    /// HAProxy, which must be installed.
    Haproxy,
}

const AFTER_HELP: &str = "\
  cluster                                    everything, with demonstration calls
  cluster --no-demo-calls                    phones wait for your buttons
  cluster --balancer haproxy                 the same behind a real HAProxy
  cluster --algorithm source                 a phone always meets the same PBX
  cluster --trunk                            see the bandwidth of a call fall on the page
  cluster --write-files mine; edit; cluster --files mine

Then look at http://127.0.0.1:8090/ : stop a PBX there, and see its phones move to the other one.

Your own softphone: user 1004, password 1234, server 127.0.1.1, port 5060, transport TCP (start with
--phones 3, so that nobody else is 1004); then call 1001.

Each PBX also listens to the console of `pbx`, at the address of its own page:
  pbx --http 127.0.1.2:8080 -x \"sip show peers\"
  pbx --http 127.0.1.3:8080 -x \"iax2 show peers\"

Ctrl-C says goodbye to everybody and ends; a second one ends at once.";

impl Cli {
    /// How long a demonstration call lasts.
    #[must_use]
    pub fn talk(&self) -> Duration {
        Duration::from_secs(self.talk.into())
    }

    /// The page on an address that others can reach, though nobody asked for that.
    #[must_use]
    pub fn exposes_page(&self) -> bool {
        !self.exposed && !self.http.ip().is_loopback()
    }

    /// Where things are put.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        if let Some(work) = &self.work {
            return work.clone();
        }
        let state = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state")))
            .unwrap_or_else(std::env::temp_dir);
        let name =
            if self.loopback == 0 { "tandem-cluster".to_owned() } else { format!("tandem-cluster-{}", self.loopback) };
        state.join(name)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_teaches_what_to_try() {
        let help = Cli::command().render_help().to_string();
        for word in
            ["--balancer", "roundrobin", "leastconn", "source", "password 1234", "127.0.1.1", "-x \"sip show peers\""]
        {
            assert!(help.contains(word), "lacks {word}:\n{help}");
        }
    }

    #[test]
    fn the_page_is_on_loopback_unless_it_is_exposed_on_purpose() {
        let exposes = |arguments: &[&str]| Cli::parse_from([&["cluster"], arguments].concat()).exposes_page();
        assert!(!exposes(&[]) && !exposes(&["--http", "[::1]:0"]) && !exposes(&["--http", "127.9.9.9:1"]));
        assert!(exposes(&["--http", "0.0.0.0:8090"]) && exposes(&["--http", "[::]:8090"]));
        assert!(!exposes(&["--http", "0.0.0.0:8090", "--exposed"]));
    }

    #[test]
    fn there_are_as_many_phones_as_accounts_at_most() {
        assert!(Cli::try_parse_from(["cluster", "--phones", "5"]).is_err());
        assert_eq!(Cli::parse_from(["cluster", "--phones", "2"]).phones, 2);
    }
}
