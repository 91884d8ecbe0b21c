//! What waits to be written to one connection. Most of the time that is nothing, on thousands of them: a channel of tokio takes
//! a kilobyte and a half each.
#![expect(clippy::disallowed_types, reason = "held for a push or a pop, between two tasks")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// Both ends of a queue. How much may wait is for the sender to see to.
pub(super) fn queue() -> (Sender, Receiver) {
    let shared = Arc::new(Shared { waiting: Mutex::default(), news: Notify::new() });
    (Sender(shared.clone()), Receiver(shared))
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    payloads: VecDeque<Bytes>,
    is_closed: bool,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that could panic is done under it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end that is written to. The queue ends when it is dropped.
#[derive(Debug)]
pub(super) struct Sender(Arc<Shared>);

impl Sender {
    pub(super) fn push(&self, payload: Bytes) {
        self.0.waiting().payloads.push_back(payload);
        self.0.news.notify_one();
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.waiting().is_closed = true;
        self.0.news.notify_one();
    }
}

/// The end that is read from.
#[derive(Debug)]
pub(super) struct Receiver(Arc<Shared>);

impl Receiver {
    /// What waits longest, or `None` when nothing will come any more.
    pub(super) async fn recv(&mut self) -> Option<Bytes> {
        loop {
            {
                let mut waiting = self.0.waiting();
                if let Some(payload) = waiting.payloads.pop_front() {
                    if waiting.payloads.is_empty() {
                        // After a burst, no room is kept for another.
                        waiting.payloads.shrink_to(0);
                    }
                    return Some(payload);
                }
                if waiting.is_closed {
                    return None;
                }
            }
            // What came since is remembered.
            self.0.news.notified().await;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.waiting().payloads.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_pushed_comes_out_in_order_and_then_the_end() {
        let (sender, mut receiver) = queue();
        sender.push(Bytes::from_static(b"1"));
        assert!(!receiver.is_empty());
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            while let Some(payload) = receiver.recv().await {
                all.push(payload);
            }
            all
        });
        tokio::task::yield_now().await;
        for payload in ["2", "3"] {
            sender.push(payload.into());
        }
        tokio::task::yield_now().await;
        sender.push("4".into());
        drop(sender);
        assert_eq!(reader.await.unwrap(), ["1", "2", "3", "4"]);
    }
}
