//! What the page and the console ask of the running program.

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot, watch};

use crate::status::Status;

/// How long a fresh picture is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

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
    /// Publish the picture as it is now; then say so.
    Publish {
        /// Where that is said.
        reply: oneshot::Sender<()>,
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

    /// The picture as it is now; the latest one when the program is too busy to draw it soon.
    pub async fn fresh_status(&self) -> Arc<Status> {
        let (reply, drawn) = oneshot::channel();
        let asked = async {
            if self.commands.send(Command::Publish { reply }).await.is_ok() {
                // Without an answer the program is about to end.
                let _ = drawn.await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, asked).await;
        self.status()
    }

    /// Hangs up a call; tells whether there was one.
    pub async fn hangup(&self, call: u64) -> bool {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Hangup { call, reply }).await.is_ok() && answer.await.unwrap_or(false)
    }
}
