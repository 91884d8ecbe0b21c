//! Prints where the servers of a URI are (RFC 3263), the first to be tried first: `locate sip:example.com`. With an address
//! and port after it, that name server is asked, and otherwise those of the system.

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use sip_core::uri::Uri;
use sip_transaction::driver::{self, Arrival, SocketConfig, Sockets};
use sip_transaction::resolve::{Config, Locator, Lookup, Output, Resolver};
use sip_transaction::{Event, Input, Target};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(uri) = arguments.next() else {
        eprintln!("usage: locate URI [NAME-SERVER:PORT]");
        return ExitCode::from(2);
    };
    match locate(&uri, arguments.next()).await {
        Ok(targets) => {
            targets.iter().for_each(|target| println!("{} {}", target.transport, target.remote));
            if targets.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Asks until the resolver has an answer: it is a machine, and the sockets do its asking.
#[expect(clippy::disallowed_methods, reason = "the program owns the clock")]
async fn locate(uri: &str, name_server: Option<String>) -> Result<Vec<Target>, Box<dyn Error>> {
    let locator = Locator::try_from(&uri.parse::<Uri>()?)?;
    let mut sockets = Sockets::new(SocketConfig::default());
    match name_server {
        Some(address) => sockets.use_name_servers(&[address.parse()?])?,
        None => sockets.use_system_resolver()?,
    }
    let mut resolver = Resolver::new(Config { tls: true, ..Config::default() }, driver::seed()?);
    if let Lookup::Located(targets) = resolver.locate(Instant::now(), locator)? {
        return Ok(targets);
    }
    loop {
        while let Some(output) = resolver.poll_output() {
            match output {
                Output::Query { query, question } => {
                    sockets.transmit::<Event>(sip_transaction::Output::Query { query, question });
                }
                Output::Located { targets, .. } => return Ok(targets),
            }
        }
        tokio::select! {
            arrival = sockets.recv() => if let Arrival::Input(Input::Answer { query, answer }) = arrival {
                resolver.handle_answer(Instant::now(), query, answer);
            },
            () = driver::sleep_until(resolver.poll_timeout()) => resolver.handle_timeout(Instant::now()),
        }
    }
}
