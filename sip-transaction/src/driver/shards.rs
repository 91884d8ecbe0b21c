//! One machine a core: sockets that share their addresses, and hand over what belongs to another.
//!
//! The system spreads datagrams over sockets of one address by where they come from, so one proxy in front of us fills one
//! socket, and a CANCEL by another way misses its INVITE. So each datagram goes to the shard that its Call-ID belongs
//! to, in batches when that is another one: all of a dialog, the answers to our requests and whatever is sent again meet
//! in one machine, and none asks the others. Connections stay with the shard that accepted them.
//!
//! ```no_run
//! use sip_transaction::driver::{self, SocketConfig};
//! use sip_transaction::{Config, Endpoint, Transport};
//!
//! # fn example() -> std::io::Result<()> {
//! for mut sockets in driver::shards(2, SocketConfig::default())? {
//!     std::thread::spawn(move || -> std::io::Result<()> {
//!         let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//!         runtime.block_on(async {
//!             let mut endpoint = Endpoint::new(Config::default(), driver::seed()?);
//!             endpoint.add_listener(sockets.bind(Transport::Udp, ([127, 0, 0, 1], 5060).into())?);
//!             // The loop, as for one.
//! #           Ok(())
//!         })
//!     });
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A request of our own goes out by the shard of its Call-ID ([`Sockets::shard_of`]), or its answers are handed to one that
//! knows nothing of it: draw Call-IDs until one fits, or give the request to the shard that it belongs to.

use std::hash::Hasher;
use std::task::{Context, Poll};

use memchr::memchr;
use siphasher::sip::SipHasher13;
use tokio::sync::mpsc;

use super::{SocketConfig, Sockets, seed};
use crate::endpoint::Input;

/// How many batches may wait for a shard. What comes when there are more is lost, as in a network.
const BATCHES: usize = 64;

/// Sockets for so many shards, at least one. Bind the same addresses in the same order on each. Each is for a thread of its own, with
/// a machine of its own.
///
/// # Errors
/// When the system has no randomness to give.
pub fn shards(count: usize, config: SocketConfig) -> std::io::Result<Vec<Sockets>> {
    let count = count.max(1);
    let key = seed()?.first_chunk().copied().unwrap_or_default();
    let (senders, inboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel(BATCHES)).unzip();
    let crew = |(number, inbox)| Crew {
        number,
        key,
        senders: senders.clone(),
        inbox,
        leaving: (0..count).map(|_| Vec::new()).collect(),
    };
    let config = SocketConfig { is_shared: config.is_shared || count > 1, ..config };
    let crews = inboxes.into_iter().enumerate().map(crew);
    Ok(crews.map(|crew| Sockets::of_shard(config, (count > 1).then_some(crew))).collect())
}

/// What a shard knows of the others.
#[derive(Debug)]
pub(super) struct Crew {
    number: usize,
    key: [u8; 16],
    senders: Vec<mpsc::Sender<Vec<Input>>>,
    inbox: mpsc::Receiver<Vec<Input>>,
    /// What is to be handed over, by shard.
    leaving: Vec<Vec<Input>>,
}

impl Crew {
    /// The shard that a Call-ID belongs to.
    pub(super) fn shard_of(&self, call_id: &[u8]) -> usize {
        // Nobody from outside can aim at one shard.
        let mut hash = SipHasher13::new_with_key(&self.key);
        hash.write(call_id);
        (hash.finish() % self.senders.len() as u64) as usize
    }

    /// Puts a datagram aside when it belongs to another shard.
    pub(super) fn sort(&mut self, payload: &[u8]) -> Option<&mut Vec<Input>> {
        // Keep-alives and what is no SIP: whoever has it.
        let owner = self.shard_of(call_id(payload)?);
        if owner == self.number { None } else { self.leaving.get_mut(owner) }
    }

    /// Hands over what was put aside. How many datagrams nobody took.
    pub(super) fn hand_over(&mut self) -> u64 {
        let mut lost = 0;
        for (leaving, sender) in self.leaving.iter_mut().zip(&self.senders) {
            if !leaving.is_empty()
                && let Err(error) = sender.try_send(std::mem::take(leaving))
            {
                lost += error.into_inner().len() as u64;
            }
        }
        lost
    }

    /// What others hand over.
    pub(super) fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Vec<Input>> {
        match self.inbox.poll_recv(context) {
            Poll::Ready(Some(batch)) => Poll::Ready(batch),
            // We hold a sender ourselves: the channel never ends.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

/// The Call-ID of a message, without reading the rest of it.
fn call_id(message: &[u8]) -> Option<&[u8]> {
    let mut rest = message;
    loop {
        rest = rest.get(memchr(b'\n', rest)? + 1..)?;
        let after = match rest.first()? {
            // The end of the headers.
            b'\r' | b'\n' => return None,
            b'i' | b'I' => rest.get(1..)?,
            b'c' | b'C' if rest.get(..7)?.eq_ignore_ascii_case(b"call-id") => rest.get(7..)?,
            _ => continue,
        };
        let after = after.trim_ascii_start();
        if let Some(value) = after.strip_prefix(b":") {
            // It may begin on the next line (RFC 3261 §7.3.1).
            let value = value.trim_ascii_start();
            return value.get(..memchr(b'\n', value).unwrap_or(value.len())).map(<[u8]>::trim_ascii_end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_id_is_found_however_it_is_written_and_only_among_the_headers() {
        for line in [
            "Call-ID: a@b",
            "call-id:a@b",
            "CALL-ID : a@b ",
            "i: a@b",
            "I:  a@b\t",
            "Call-ID:\r\n  a@b",
            "i :\r\n\ta@b",
        ] {
            for after in ["\r\nCSeq: 1 OPTIONS\r\n\r\n", "\r\n\r\n", "\r\n", "\n\n", ""] {
                let text = format!("OPTIONS sip:i:x SIP/2.0\r\nContact: <sip:x>\r\nInfo: 2\r\n{line}{after}");
                assert_eq!(call_id(text.as_bytes()), Some(&b"a@b"[..]), "{text:?}");
            }
        }
        for text in
            ["", "\r\n\r\n", "OPTIONS", "OPTIONS x SIP/2.0\r\nContact: <sip:x>\r\n\r\ni: a@b\r\n", "x\r\nca", "x\r\ni"]
        {
            assert_eq!(call_id(text.as_bytes()), None, "{text:?}");
        }
    }
}
