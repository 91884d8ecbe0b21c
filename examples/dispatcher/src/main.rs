//! See the README.

use std::process::ExitCode;

use clap::Parser;
use dispatcher::{Config, Server, cli::Cli, demo};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::new(&cli.log);
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if cli.log_json {
        logs.json().init()
    } else {
        logs.init()
    }
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dispatcher: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<(), Box<dyn std::error::Error>> {
    let demo = if cli.demo { Some(demo::Demo::start(cli.sip, cli.http, cli.rate)?) } else { None };
    let config = match (&demo, &cli.config) {
        (Some(demo), _) => demo.config(),
        (None, Some(path)) => Config::read(path)?,
        (None, None) => return Err("no configuration".into()),
    };
    if cli.check {
        println!("the configuration is right: {} sets", config.sets.len());
        return Ok(());
    }
    let http = config.http.as_ref().map(|http| http.listen);
    let server = Server::start(config, cli.config).await?;
    if let Some(demo) = demo {
        demo.begin();
    }
    if let Some(http) = http {
        eprintln!("page: http://{http}/");
    }
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut hang_up = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            _ = terminate.recv() => break,
            _ = hang_up.recv() => match server.control().reload().await {
                Ok(()) => {}
                Err(error) => tracing::error!(%error, "not reloaded"),
            },
        }
    }
    server.stop().await;
    Ok(())
}
