//! A demonstration phone: a SIP user agent over TCP that says a tone and tells which tone it hears.
//!
//! It registers through the balancer, keeps its connection alive as a phone behind NAT must, answers after a moment, and
//! registers anew by itself when its connection closes.

mod machine;
mod registration;
mod voice;
mod wire;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde::Serialize;
use sip_transaction::driver;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};

use machine::Machine;
pub use voice::Heard;

/// What a phone needs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its account, which is also its number.
    pub account: String,
    /// The account's password.
    pub secret: String,
    /// Its own address: it connects from there and hears media there.
    pub address: IpAddr,
    /// Where it registers.
    pub server: SocketAddr,
    /// The tone that it says, in hertz.
    pub tone: f64,
    /// The tones that it knows.
    pub known: Vec<f64>,
    /// How long it rings before it answers.
    pub ring: Duration,
}

/// Something for a phone to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Call a number. A phone that is in a call does nothing.
    Call(String),
    /// End the call, if there is one.
    HangUp,
    /// Close the connection, and register over a new one.
    Reconnect,
    /// Hang up, deregister, and end.
    Leave,
}

/// What a phone is doing. Times are milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct State {
    /// Its account.
    pub account: String,
    /// The tone that it says, in hertz.
    pub tone: f64,
    /// Its side of the connection.
    pub local: Option<String>,
    /// Whether it is registered.
    pub registered: bool,
    /// What is wrong.
    pub problem: Option<String>,
    /// Its call.
    pub call: Option<Call>,
}

/// What a phone's call is doing.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Call {
    /// The other number.
    pub with: String,
    /// Whether this phone made it.
    pub outgoing: bool,
    /// How far it is.
    pub phase: Phase,
    /// Since when it is so far.
    pub since: u64,
    /// What is heard.
    pub heard: Heard,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Nothing was heard of the other side yet.
    #[default]
    Calling,
    /// It rings.
    Ringing,
    /// Both talk.
    Up,
}

/// A running phone.
#[derive(Debug)]
pub struct Phone {
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<State>,
    task: JoinHandle<()>,
}

/// How long a phone may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

impl Phone {
    /// Starts one; it begins to register at once. Call it within a tokio runtime.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let first = State { account: settings.account.clone(), tone: settings.tone, ..State::default() };
        let (tell, state) = watch::channel(first);
        let (commands, orders) = mpsc::channel(16);
        let machine = Machine::new(settings, driver::seed()?, tell);
        let task = tokio::spawn(machine.run(orders));
        Ok(Self { commands, state, task })
    }

    /// Gives a command. `false` when the phone has too many to do, or has ended.
    pub fn command(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// What it is doing.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Tells of every change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Lets it say goodbye, and ends it.
    pub async fn leave(mut self) {
        let _ = self.commands.send(Command::Leave).await;
        if timeout(GOODBYE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.task.abort();
    }
}
