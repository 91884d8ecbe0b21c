//! What the page and the console ask of the running program.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::status::Status;

/// Something to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Command {
    /// Hang up a call; tells whether there was one.
    Hangup {
        /// Its id, as in [`Status`].
        call: u64,
        /// Where the answer goes.
        reply: oneshot::Sender<bool>,
    },
    /// Take no more calls, and end when the running ones have ended or their time is over.
    Drain,
    /// End at once.
    Stop,
}

/// A handle on the running program, for as many as like.
#[derive(Debug, Clone)]
pub struct Control {
    /// Orders.
    pub commands: mpsc::Sender<Command>,
    /// The latest picture.
    pub status: watch::Receiver<Arc<Status>>,
}

impl Control {
    /// A handle, and the ends that the program keeps.
    #[must_use]
    pub fn new(first: Status) -> (Self, mpsc::Receiver<Command>, watch::Sender<Arc<Status>>) {
        let (commands, orders) = mpsc::channel(64);
        let (publisher, status) = watch::channel(Arc::new(first));
        (Self { commands, status }, orders, publisher)
    }

    /// The latest picture.
    #[must_use]
    pub fn status(&self) -> Arc<Status> {
        self.status.borrow().clone()
    }

    /// Hangs up a call; tells whether there was one.
    pub async fn hangup(&self, call: u64) -> bool {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Hangup { call, reply }).await.is_ok() && answer.await.unwrap_or(false)
    }
}
