//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// A SIP load balancer: spreads, drains and explains.
#[derive(Debug, Parser)]
#[command(name = "dispatcher", version)]
pub struct Cli {
    /// Read this configuration.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["demo"], conflicts_with = "demo")]
    pub config: Option<PathBuf>,
    /// Start with five small servers of its own and a load of calls.
    #[arg(long)]
    pub demo: bool,
    /// Check the configuration and end.
    #[arg(long, requires = "config")]
    pub check: bool,
    /// Where the page of the demonstration is.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", requires = "demo")]
    pub http: SocketAddr,
    /// Where the demonstration takes SIP.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5060", requires = "demo")]
    pub sip: SocketAddr,
    /// Calls a second of the demonstration.
    #[arg(long, value_name = "NUMBER", default_value_t = 20, requires = "demo")]
    pub rate: u32,
    /// What is logged: error, warn, info, debug, trace, or a filter such as dispatcher=debug.
    #[arg(long, value_name = "FILTER", env = "DISPATCHER_LOG", default_value = "info")]
    pub log: String,
    /// Log as JSON.
    #[arg(long)]
    pub log_json: bool,
}
