//! The program: reads the command line, starts the cluster, and ends it when it is told to.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser;
use cluster::{
    cli::Cli,
    cluster::Cluster,
    control::{Control, Order},
    files, greeting,
};
use tokio::signal;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(folder) = &cli.write_files {
        return match files::write_out(folder) {
            Ok(()) => {
                say(&format!(
                    "written to {0}: edit sip.conf, pbx/ and zone/, then: cluster --files {0}\n",
                    folder.display()
                ));
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        };
    }
    if let Err(error) = pbx::log::start(&cli.log, cli.json) {
        return fail(&error);
    }
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(&cli)),
        Err(error) => fail(&format!("cannot start the runtime: {error}")),
    }
}

async fn run(cli: &Cli) -> ExitCode {
    let cluster = match Cluster::start(cli).await {
        Ok(cluster) => cluster,
        Err(error) => return fail(&error),
    };
    say(&greeting::text(cli, &cluster));
    tokio::spawn(listen_to_signals(cluster.control.clone()));
    cluster.wait().await;
    tracing::info!("ended");
    ExitCode::SUCCESS
}

/// The first signal says goodbye to everybody; a second Ctrl-C ends at once.
async fn listen_to_signals(control: Control) {
    next_signal().await;
    eprintln!("saying goodbye; Ctrl-C again ends at once");
    tokio::spawn(async move {
        // It may have ended already.
        let _ = control.ask(Order::End).await;
    });
    next_signal().await;
    std::process::exit(130);
}

#[cfg(unix)]
async fn next_signal() {
    use signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn next_signal() {
    let _ = signal::ctrl_c().await;
}

/// Prints. Who reads may have gone, as `head` does: that is no failure of ours.
fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("cluster: {error}");
    ExitCode::from(2)
}
