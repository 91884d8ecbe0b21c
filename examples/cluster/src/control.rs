//! What the page asks of the running cluster.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::picture::Picture;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// A demonstration phone calls a number.
    Call {
        /// Its account.
        phone: String,
        /// Whom.
        number: String,
    },
    /// A demonstration phone hangs up.
    HangUp {
        /// Its account.
        phone: String,
    },
    /// A demonstration phone registers over a new connection.
    Reconnect {
        /// Its account.
        phone: String,
    },
    /// A PBX starts.
    Start {
        /// Its key.
        node: String,
    },
    /// A PBX stops at once.
    Stop {
        /// Its key.
        node: String,
    },
    /// Demonstration calls are made, or not.
    Calling(bool),
    /// Everybody says goodbye.
    End,
}

/// An order, and where the answer goes.
pub type Asked = (Order, oneshot::Sender<Result<(), String>>);

/// A handle on the running cluster, for as many as like.
#[derive(Debug, Clone)]
pub struct Control {
    orders: mpsc::Sender<Asked>,
    /// The latest picture.
    pub picture: watch::Receiver<Arc<Picture>>,
}

impl Control {
    /// A handle, and the ends that the cluster keeps.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Asked>, watch::Sender<Arc<Picture>>) {
        let (orders, asked) = mpsc::channel(64);
        let (publisher, picture) = watch::channel(Arc::default());
        (Self { orders, picture }, asked, publisher)
    }

    /// Gives an order.
    ///
    /// # Errors
    /// What to tell the person.
    pub async fn ask(&self, order: Order) -> Result<(), String> {
        let (reply, answer) = oneshot::channel();
        let gone = || "the cluster has ended".to_owned();
        self.orders.send((order, reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// The latest picture.
    #[must_use]
    pub fn picture(&self) -> Arc<Picture> {
        self.picture.borrow().clone()
    }
}
