//! The command line.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use clap::Parser;

use crate::{
    asterisk::{self, Report},
    config::{self, Config, ConfigError},
};

/// A small PBX: phones register, call each other, and hear themselves at 600.
#[derive(Debug, Clone, Parser)]
#[command(name = "pbx", version, about, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// The configuration; without it, four demo accounts on 127.0.0.1
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Run on Asterisk's files in this folder: sip.conf, pjsip.conf, iax.conf and extensions.conf
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub asterisk: Option<PathBuf>,

    /// Read the configuration, or Asterisk's files in this folder, say all that is wrong, and end
    #[arg(long, value_name = "DIR", num_args = 0..=1, conflicts_with = "to_toml")]
    pub check: Option<Option<PathBuf>>,

    /// Print the file for --config that means the same as Asterisk's files in this folder, secrets and all
    #[arg(long, value_name = "DIR", conflicts_with_all = ["config", "asterisk"])]
    pub to_toml: Option<PathBuf>,

    /// Print the demo configuration, commented, to begin your own with
    #[arg(long)]
    pub sample: bool,

    /// Give a command to the running PBX, such as "core show channels", "sip show peers" or "help"
    #[arg(short = 'x', long = "execute", value_name = "COMMAND")]
    pub execute: Option<String>,

    /// Listen for SIP over UDP here, instead of what the configuration says; may be repeated
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub udp: Vec<SocketAddr>,

    /// Listen for SIP over TCP here, instead of what the configuration says; may be repeated
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub tcp: Vec<SocketAddr>,

    /// Listen for IAX2 here, instead of what the configuration says; may be repeated
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub iax: Vec<SocketAddr>,

    /// Where the configuration says the first address, mean the second: one machine plays several; may be repeated
    #[arg(long, value_name = "ADDRESS=ADDRESS", value_parser = mapped)]
    pub map: Vec<(IpAddr, IpAddr)>,

    /// Many phones come from this address, as from a balancer: no limit of connections and no ban by address; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub balancer: Vec<IpAddr>,

    /// The name of this system in call records and logs
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Show the page here, instead of where the configuration says
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub http: Option<SocketAddr>,

    /// Use these ports for media
    #[arg(long, value_name = "FIRST-LAST", value_parser = ports)]
    pub rtp_ports: Option<RangeInclusive<u16>>,

    /// Write call records to this file
    #[arg(long, value_name = "FILE")]
    pub cdr: Option<PathBuf>,

    /// Log as JSON, one object a line
    #[arg(long)]
    pub json: bool,

    /// What to log: error, warn, info, debug, trace, or a filter such as "info,sip_transaction=debug"
    #[arg(long, value_name = "FILTER", env = "PBX_LOG", default_value = "info")]
    pub log: String,
}

const AFTER_HELP: &str = "\
The quickest way to hear something:
  pbx                                        start with the demo accounts
  then register a softphone as 1001, password 1234, at 127.0.0.1, and call 600

Your own:
  pbx --sample > pbx.toml                    write a configuration and edit it
  pbx --config pbx.toml --check              see whether it is right
  pbx --config pbx.toml                      start with it

Asterisk's files as they are:
  pbx --check /etc/asterisk                  all that is wrong or left out, with file and line
  pbx --asterisk /etc/asterisk               start with them
  pbx --to-toml /etc/asterisk > pbx.toml     the same as a file for --config

While it runs (all on the machine itself):
  pbx -x \"core show channels\"                who talks to whom
  pbx -x \"sip show peers\"                    which phones are registered
  pbx -x \"core stop gracefully\"              take no more calls; end with the last, or after drain_time
  http://127.0.0.1:8080/                     the same as a live page; /metrics for Prometheus

Ctrl-C or SIGTERM take no more calls and let the running ones end; a second Ctrl-C ends at once.
A port of 0 takes any free port; the address is printed at the start.";

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    config::read_ports(text).ok_or_else(|| "expected at least four ports such as 10000-14999".to_owned())
}

fn mapped(text: &str) -> Result<(IpAddr, IpAddr), String> {
    let read = || {
        let (from, to) = text.split_once('=')?;
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    read().ok_or_else(|| "expected two addresses such as 192.168.0.3=127.0.2.3".to_owned())
}

impl Cli {
    /// The folder of Asterisk's files that is meant.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        let check = self.check.as_ref().and_then(Option::as_ref);
        check.or(self.to_toml.as_ref()).or(self.asterisk.as_ref()).map(PathBuf::as_path)
    }

    /// The configuration that is meant: the file or the demo, with what the command line changes.
    ///
    /// # Errors
    /// Tells every mistake.
    pub fn configuration(&self) -> Result<Config, ConfigError> {
        self.configuration_with(&mut Report::default())
    }

    /// The same, with what is left out of Asterisk's files.
    ///
    /// # Errors
    /// Tells every mistake.
    pub fn configuration_with(&self, report: &mut Report) -> Result<Config, ConfigError> {
        let mut config = match (self.folder(), &self.config) {
            (Some(folder), _) => {
                let loaded = asterisk::load(folder);
                *report = loaded.report;
                loaded.config.ok_or_else(|| ConfigError::Asterisk {
                    folder: folder.to_owned(),
                    errors: report.errors(),
                    report: report.to_string(),
                })?
            }
            (None, Some(path)) => Config::load_with(path, &mut report.problems)?,
            (None, None) => Config::demo()?,
        };
        if !self.map.is_empty() {
            config.map_addresses(&self.map);
        }
        if !self.udp.is_empty() || !self.tcp.is_empty() {
            config.sip.udp.clone_from(&self.udp);
            config.sip.tcp.clone_from(&self.tcp);
        }
        config.sip.balancers.extend(&self.balancer);
        if !self.iax.is_empty() {
            config.iax.listen.clone_from(&self.iax);
        }
        if self.name.is_some() {
            config.name.clone_from(&self.name);
        }
        if self.http.is_some() {
            config.http.listen = self.http;
        }
        if let Some(ports) = &self.rtp_ports {
            config.rtp.ports = ports.clone();
        }
        if self.cdr.is_some() {
            config.cdr.path.clone_from(&self.cdr);
        }
        // What Asterisk runs on is not refused: the report warns of it, and loudly.
        config.check_exposure_of(self.folder().is_none())?;
        Ok(config)
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
    fn the_command_line_changes_the_demo() {
        let cli = Cli::parse_from([
            "pbx",
            "--udp",
            "127.0.0.1:0",
            "--http",
            "[::1]:0",
            "--rtp-ports",
            "20000-20099",
            "--cdr",
            "x.csv",
        ]);
        let config = cli.configuration().unwrap();
        assert_eq!(config.sip.udp, ["127.0.0.1:0".parse().unwrap()]);
        assert_eq!(config.sip.tcp, []);
        assert_eq!(config.http.listen, Some("[::1]:0".parse().unwrap()));
        assert_eq!(config.rtp.ports, 20_000..=20_099);
        assert_eq!(config.cdr.path, Some("x.csv".into()));
    }

    #[test]
    fn the_command_line_cannot_expose_the_demo_secrets() {
        let cli = Cli::parse_from(["pbx", "--udp", "0.0.0.0:5060"]);
        assert!(matches!(cli.configuration(), Err(ConfigError::DemoSecret { .. })));
    }

    #[test]
    fn the_help_teaches_how_to_begin() {
        let help = Cli::command().render_help().to_string();
        for word in ["--config", "--check", "--sample", "core show channels", "password 1234", "call 600"] {
            assert!(help.contains(word), "lacks {word}:\n{help}");
        }
    }
}
