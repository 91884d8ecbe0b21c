//! One of the PBXs: what it runs on, and whether it runs.

use std::{path::Path, sync::Arc};

use pbx::{config::Config, control::Command, server::Server, status::Status};

use crate::records::Records;

/// A PBX that can be stopped and started again.
#[derive(Debug)]
pub struct Node {
    /// What orders call it: `pbx` or `zone`.
    pub key: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// What it runs on.
    pub config: Config,
    /// Why it does not run, when nobody stopped it.
    pub problem: Option<String>,
    /// Its call records.
    pub records: Records,
    server: Option<Server>,
}

impl Node {
    /// A PBX that does not run yet.
    #[must_use]
    pub fn new(key: &'static str, name: &'static str, config: Config, records: &Path) -> Self {
        Self { key, name, config, problem: None, records: Records::new(records.to_owned()), server: None }
    }

    /// Starts it, unless it runs.
    ///
    /// # Errors
    /// What it says, which is kept as its problem too.
    pub async fn start(&mut self) -> Result<(), String> {
        if self.is_running() {
            return Ok(());
        }
        match Server::start(self.config.clone()).await {
            Ok(server) => {
                self.server = Some(server);
                self.problem = None;
                tracing::info!(pbx = self.name, "started");
                Ok(())
            }
            Err(error) => {
                let told = error.to_string();
                self.problem = Some(told.clone());
                Err(told)
            }
        }
    }

    /// Stops it at once, as if its machine was switched off, but that it says goodbye. Comes back when it is gone.
    pub async fn stop(&mut self) {
        let Some(server) = self.server.take() else { return };
        // One that has ended by itself takes no orders.
        let _ = server.control.commands.send(Command::Stop).await;
        if server.wait().await.is_err() {
            self.problem = Some("ended by a mistake in this program".to_owned());
        }
        tracing::info!(pbx = self.name, "stopped");
    }

    /// Lets it take no more calls and end with the last one.
    pub async fn drain(&mut self) {
        if let Some(server) = self.server.take() {
            let _ = server.control.commands.send(Command::Drain).await;
            let _ = server.wait().await;
        }
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.server.as_ref().is_some_and(|server| !server.control.commands.is_closed())
    }

    /// What it is doing, while it runs.
    #[must_use]
    pub fn status(&self) -> Option<Arc<Status>> {
        self.server.as_ref().filter(|_| self.is_running()).map(|server| server.control.status())
    }

    /// Where its own page is.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        let address = self.server.as_ref()?.http?;
        Some(format!("http://{address}/"))
    }
}
