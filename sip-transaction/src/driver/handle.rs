//! A ready-made loop around an endpoint, and the handle that commands it.

use std::collections::VecDeque;
use std::net::IpAddr;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

use sip_core::{Request, Response};
use tokio::sync::{mpsc, oneshot};

use super::{Arrival, Sockets, now, sleep_until};
use crate::endpoint::{CancelError, ClientId, Endpoint, Event, RespondError, SendError, ServerId, Snapshot};
#[cfg(feature = "tls")]
use crate::transport::ListenerId;
use crate::transport::{ConnectionId, Destination, Flow};

/// How many commands may wait.
const COMMANDS: usize = 256;

/// How many events may wait for the user before the sockets are no longer read.
const EVENTS: usize = 1_024;

/// The loop has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the endpoint's loop has ended")]
pub struct Stopped;

/// The events of a spawned endpoint.
pub type Events = mpsc::Receiver<Event>;

enum Command {
    Send(Request, Destination, oneshot::Sender<Result<ClientId, SendError>>),
    Ack(Request, Destination, oneshot::Sender<Result<(), SendError>>),
    Respond(ServerId, Response, oneshot::Sender<Result<(), RespondError>>),
    Cancel(ClientId, oneshot::Sender<Result<(), CancelError>>),
    Close(ConnectionId),
    Trust(IpAddr),
    KeepAlive(Flow, oneshot::Sender<bool>),
    KeepAliveEvery(Flow, Option<Duration>, oneshot::Sender<bool>),
    LetGo(Flow),
    Snapshot(oneshot::Sender<Snapshot>),
    #[cfg(feature = "tls")]
    ServerTls(ListenerId, Arc<rustls::ServerConfig>),
    #[cfg(feature = "tls")]
    ClientTls(Arc<rustls::ClientConfig>),
}

/// Commands an endpoint that runs in a task of its own. The task ends when all handles are dropped.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

/// Runs an endpoint and its sockets in a task. Read the events: when a thousand wait, nothing more is read from the
/// network until some are taken.
#[must_use]
pub fn spawn(endpoint: Endpoint, sockets: Sockets) -> (Handle, Events) {
    let (commands, queue) = mpsc::channel(COMMANDS);
    let (telling, events) = mpsc::channel(EVENTS);
    tokio::spawn(run(endpoint, sockets, queue, telling));
    (Handle { commands }, events)
}

impl Handle {
    /// [`Endpoint::send_request`].
    ///
    /// # Errors
    /// The outer one when the loop has ended, the inner one as the endpoint says.
    pub async fn send_request(
        &self,
        request: Request,
        destination: impl Into<Destination>,
    ) -> Result<Result<ClientId, SendError>, Stopped> {
        let destination = destination.into();
        self.ask(|answer| Command::Send(request, destination, answer)).await
    }

    /// [`Endpoint::send_ack`].
    ///
    /// # Errors
    /// The outer one when the loop has ended, the inner one as the endpoint says.
    pub async fn send_ack(
        &self,
        ack: Request,
        destination: impl Into<Destination>,
    ) -> Result<Result<(), SendError>, Stopped> {
        let destination = destination.into();
        self.ask(|answer| Command::Ack(ack, destination, answer)).await
    }

    /// [`Endpoint::respond`].
    ///
    /// # Errors
    /// The outer one when the loop has ended, the inner one as the endpoint says.
    pub async fn respond(&self, id: ServerId, response: Response) -> Result<Result<(), RespondError>, Stopped> {
        self.ask(|answer| Command::Respond(id, response, answer)).await
    }

    /// [`Endpoint::cancel`].
    ///
    /// # Errors
    /// The outer one when the loop has ended, the inner one as the endpoint says.
    pub async fn cancel(&self, id: ClientId) -> Result<Result<(), CancelError>, Stopped> {
        self.ask(|answer| Command::Cancel(id, answer)).await
    }

    /// [`Endpoint::close`].
    ///
    /// # Errors
    /// When the loop has ended.
    pub async fn close(&self, connection: ConnectionId) -> Result<(), Stopped> {
        self.commands.send(Command::Close(connection)).await.map_err(|_| Stopped)
    }

    /// [`Endpoint::trust`].
    ///
    /// # Errors
    /// When the loop has ended.
    pub async fn trust(&self, address: IpAddr) -> Result<(), Stopped> {
        self.commands.send(Command::Trust(address)).await.map_err(|_| Stopped)
    }

    /// [`Endpoint::keep_alive`].
    ///
    /// # Errors
    /// When the loop has ended.
    pub async fn keep_alive(&self, flow: impl Into<Flow>) -> Result<bool, Stopped> {
        let flow = flow.into();
        self.ask(|answer| Command::KeepAlive(flow, answer)).await
    }

    /// [`Endpoint::keep_alive_every`].
    ///
    /// # Errors
    /// When the loop has ended.
    pub async fn keep_alive_every(&self, flow: impl Into<Flow>, flow_timer: Option<Duration>) -> Result<bool, Stopped> {
        let flow = flow.into();
        self.ask(|answer| Command::KeepAliveEvery(flow, flow_timer, answer)).await
    }

    /// [`Endpoint::let_go`].
    ///
    /// # Errors
    /// When the loop has ended.
    pub async fn let_go(&self, flow: impl Into<Flow>) -> Result<(), Stopped> {
        self.commands.send(Command::LetGo(flow.into())).await.map_err(|_| Stopped)
    }

    /// [`Endpoint::snapshot`].
    ///
    /// # Errors
    /// When the loop has ended.
    pub async fn snapshot(&self) -> Result<Snapshot, Stopped> {
        self.ask(Command::Snapshot).await
    }

    /// [`Sockets::set_server_tls`].
    ///
    /// # Errors
    /// When the loop has ended.
    #[cfg(feature = "tls")]
    pub async fn set_server_tls(&self, listener: ListenerId, config: Arc<rustls::ServerConfig>) -> Result<(), Stopped> {
        self.commands.send(Command::ServerTls(listener, config)).await.map_err(|_| Stopped)
    }

    /// [`Sockets::set_client_tls`].
    ///
    /// # Errors
    /// When the loop has ended.
    #[cfg(feature = "tls")]
    pub async fn set_client_tls(&self, config: Arc<rustls::ClientConfig>) -> Result<(), Stopped> {
        self.commands.send(Command::ClientTls(config)).await.map_err(|_| Stopped)
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Stopped> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }
}

async fn run(
    mut endpoint: Endpoint,
    mut sockets: Sockets,
    mut commands: mpsc::Receiver<Command>,
    telling: mpsc::Sender<Event>,
) {
    let mut untold: VecDeque<Event> = VecDeque::new();
    loop {
        while let Some(output) = endpoint.poll_output() {
            untold.extend(sockets.transmit(output));
        }
        if untold.len() >= EVENTS {
            // Nobody receives now, which would do it.
            sockets.flush();
        }
        tokio::select! {
            command = commands.recv() => match command {
                Some(command) => carry_out(&mut endpoint, &mut sockets, command),
                None => return,
            },
            // Whoever waits for the answer to a command is not reading events: never wait for a place alone.
            permit = telling.reserve(), if !untold.is_empty() => match (permit, untold.pop_front()) {
                (Ok(permit), Some(event)) => permit.send(event),
                (Ok(_), None) => {}
                (Err(_), _) => return,
            },
            arrival = sockets.recv_until(endpoint.poll_timeout()), if untold.len() < EVENTS => match arrival {
                Some(Arrival::Input(input)) => endpoint.handle_input(now(), input),
                Some(Arrival::Connection(incoming)) => {
                    let id = endpoint.accept(now(), incoming.listener(), incoming.local(), incoming.remote());
                    sockets.attach(incoming, id.ok());
                }
                None => endpoint.handle_timeout(now()),
            },
            () = sleep_until(endpoint.poll_timeout()), if untold.len() >= EVENTS => endpoint.handle_timeout(now()),
        }
    }
}

/// Answers nobody when the asker no longer waits.
fn carry_out(endpoint: &mut Endpoint, sockets: &mut Sockets, command: Command) {
    #[cfg(not(feature = "tls"))]
    let _ = sockets;
    match command {
        #[cfg(feature = "tls")]
        Command::ServerTls(listener, config) => {
            sockets.set_server_tls(listener, config);
        }
        #[cfg(feature = "tls")]
        Command::ClientTls(config) => sockets.set_client_tls(config),
        Command::Send(request, destination, answer) => {
            let _ = answer.send(endpoint.send_request(now(), request, destination));
        }
        Command::Ack(ack, destination, answer) => {
            let _ = answer.send(endpoint.send_ack(now(), ack, destination));
        }
        Command::Respond(id, response, answer) => {
            let _ = answer.send(endpoint.respond(now(), id, response));
        }
        Command::Cancel(id, answer) => {
            let _ = answer.send(endpoint.cancel(now(), id));
        }
        Command::Close(connection) => endpoint.close(now(), connection),
        Command::Trust(address) => endpoint.trust(address),
        Command::KeepAlive(flow, answer) => {
            let _ = answer.send(endpoint.keep_alive(now(), flow));
        }
        Command::KeepAliveEvery(flow, flow_timer, answer) => {
            let _ = answer.send(endpoint.keep_alive_every(now(), flow, flow_timer));
        }
        Command::LetGo(flow) => {
            endpoint.let_go(flow);
        }
        Command::Snapshot(answer) => {
            let _ = answer.send(endpoint.snapshot());
        }
    }
}
