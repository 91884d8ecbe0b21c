//! The socket of the protocol by which dispatchers tell each other of calls.

use std::sync::Arc;
use std::time::Instant;

use sip_proxy::dispatcher::{Share, Shared};
use sip_transaction::driver::sleep_until;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};

use crate::worker::Command;

/// Runs until nobody tells anything any more.
pub(crate) async fn run(
    mut share: Share,
    socket: UdpSocket,
    mut calls: mpsc::Receiver<Arc<[Shared]>>,
    shards: Vec<mpsc::Sender<Command>>,
    present: watch::Sender<usize>,
) {
    let mut buffer = vec![0; 2_048];
    loop {
        while let Some((destination, datagram)) = share.poll_output() {
            // Like a loss in the network.
            let _ = socket.send_to(&datagram, destination).await;
        }
        let mut learned = Vec::new();
        while let Some(call) = share.poll_learned() {
            learned.push(call);
        }
        if !learned.is_empty() {
            let learned: Arc<[Shared]> = learned.into();
            for shard in &shards {
                let _ = shard.send(Command::Learn(learned.clone())).await;
            }
        }
        while let Some(peer) = share.poll_newcomer() {
            let (answer, answered) = oneshot::channel();
            if let Some(first) = shards.first()
                && first.send(Command::Calls(answer)).await.is_ok()
                && let Ok(all) = answered.await
            {
                share.tell_all(peer, all);
            }
        }
        present.send_if_modified(|count| std::mem::replace(count, share.present()) != share.present());
        tokio::select! {
            told = calls.recv() => match told {
                Some(told) => {
                    told.iter().for_each(|call| share.tell(*call));
                    share.handle_timeout(Instant::now());
                }
                None => return,
            },
            received = socket.recv_from(&mut buffer) => {
                if let Ok((length, source)) = received {
                    share.handle_datagram(Instant::now(), source, buffer.get(..length).unwrap_or_default());
                }
            }
            () = sleep_until(share.poll_timeout()) => share.handle_timeout(Instant::now()),
        }
    }
}
