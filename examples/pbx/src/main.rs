//! The program: reads the command line, starts the server, and ends it when it is told to.

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::Parser;
use pbx::{
    asterisk::Report,
    cli::Cli,
    config::{self, Config, ConfigError},
    console,
    control::{Command, Control},
    greeting, limits, log,
    server::Server,
};
use tokio::signal;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.sample {
        say(config::DEMO);
        return ExitCode::SUCCESS;
    }
    let mut report = Report::default();
    let config = cli.configuration_with(&mut report);
    if let Some(Some(folder)) = &cli.check {
        return check(folder, config, &report);
    }
    let config = match config {
        Ok(config) => config,
        Err(error) => return fail(&error),
    };
    if cli.to_toml.is_some() {
        eprint!("{report}");
        if let Err(error) = config.check_exposure() {
            eprintln!("note: --config will not start with this as it is: {error}");
        }
        if config.has_secrets() {
            eprintln!("note: the passwords stand in it as they are: keep it from others' eyes (chmod 600)");
        }
        say(&config.to_toml());
        return ExitCode::SUCCESS;
    }
    if let Some(line) = &cli.execute {
        return execute(&config, line);
    }
    eprint!("{report}");
    if cli.check.is_some() {
        say(&format!(
            "the configuration is right: {} accounts, {} extensions\n",
            config.accounts.len(),
            config.extensions.len()
        ));
        return ExitCode::SUCCESS;
    }
    if let Err(error) = log::start(&cli.log, cli.json) {
        return fail(&error);
    }
    limits::raise_open_files(&config);
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(config)),
        Err(error) => fail(&format!("cannot start the runtime: {error}")),
    }
}

/// Tells all that is wrong with Asterisk's files, and ends with 1 when they cannot be used.
fn check(folder: &Path, config: Result<Config, ConfigError>, report: &Report) -> ExitCode {
    say(&report.to_string());
    let warnings = match report.warnings() {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        count => format!(", {count} warnings"),
    };
    let folder = folder.display();
    match config {
        Ok(config) => {
            let (accounts, peers) = (config.accounts.len(), config.iax.peers.len());
            let contexts = config.dialplan.contexts().count();
            say(&format!(
                "{folder}: can be used: {accounts} SIP accounts, {peers} IAX2 peers, {contexts} contexts{warnings}\n"
            ));
            ExitCode::SUCCESS
        }
        Err(ConfigError::Asterisk { errors, .. }) => {
            let plural = if errors == 1 { "" } else { "s" };
            say(&format!("{folder}: cannot be used: {errors} error{plural}{warnings}\n"));
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("pbx: {error}");
            ExitCode::from(1)
        }
    }
}

async fn run(config: Config) -> ExitCode {
    let server = match Server::start(config.clone()).await {
        Ok(server) => server,
        Err(error) => return fail(&error),
    };
    say(&greeting::text(&config, &server));
    tokio::spawn(listen_to_signals(server.control.clone()));
    if server.wait().await.is_err() {
        return fail(&"ended by a mistake in this program");
    }
    tracing::info!("ended");
    ExitCode::SUCCESS
}

/// The first signal drains; a second Ctrl-C ends at once.
async fn listen_to_signals(control: Control) {
    let mut interrupted = false;
    loop {
        let is_interrupt = next_signal().await;
        if is_interrupt && std::mem::replace(&mut interrupted, true) {
            eprintln!("ended at once");
            std::process::exit(130);
        }
        if control.commands.send(Command::Drain).await.is_err() {
            return;
        }
        let calls = control.status().calls.len();
        if calls > 0 && is_interrupt {
            eprintln!("taking no more calls; {calls} may end by themselves. Ctrl-C again ends at once.");
        }
    }
}

#[cfg(unix)]
async fn next_signal() -> bool {
    use signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return signal::ctrl_c().await.is_ok();
    };
    tokio::select! {
        _ = signal::ctrl_c() => true,
        _ = terminate.recv() => false,
    }
}

#[cfg(not(unix))]
async fn next_signal() -> bool {
    signal::ctrl_c().await.is_ok()
}

fn execute(config: &Config, line: &str) -> ExitCode {
    let Some(address) = config.http.listen else {
        return fail(&"the configuration has no page, and without it -x cannot reach the running program");
    };
    match console::ask(address, line) {
        Ok(Ok(text)) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Ok(Err(text)) => {
            eprint!("{text}");
            ExitCode::FAILURE
        }
        Err(error) => fail(&format!("no PBX answers at http://{address}/: {error}")),
    }
}

/// Prints. Who reads may have gone, as `head` does: that is no failure of ours.
fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("pbx: {error}");
    ExitCode::from(2)
}
