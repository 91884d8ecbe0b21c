//! Several machines behind one address, over real sockets on loopback.
#![cfg(feature = "tokio")]
#![expect(clippy::disallowed_methods, reason = "the driver owns the clock")]

mod support;

use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sip_core::header::CallId;
use sip_transaction::driver::{self, Arrival, SocketConfig, Sockets};
use sip_transaction::{Config, Endpoint, Event, Input, Target, Transport};
use support::{arriving, parse_response, request, response};
use tokio::time::timeout;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn any() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// Shards that are bound to one address.
fn bound(count: usize) -> (Vec<(Sockets, Endpoint)>, SocketAddr) {
    let mut address = any();
    let shards = driver::shards(count, SocketConfig::default()).unwrap().into_iter().map(|mut sockets| {
        let mut endpoint = Endpoint::new(Config::default(), driver::seed().unwrap());
        let bound = sockets.bind(Transport::Udp, address).unwrap();
        address = bound.local;
        endpoint.add_listener(bound);
        (sockets, endpoint)
    });
    let shards = shards.collect();
    (shards, address)
}

#[expect(clippy::disallowed_types, reason = "tests look into tasks")]
type Seen = Arc<std::sync::Mutex<HashMap<String, Vec<usize>>>>;

/// Answers everything with 200, and notes which shard saw which Call-ID.
fn serve(shards: Vec<(Sockets, Endpoint)>) -> Seen {
    let seen = Seen::default();
    for (number, (sockets, endpoint)) in shards.into_iter().enumerate() {
        let (handle, mut events) = driver::spawn(endpoint, sockets);
        let seen = seen.clone();
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let Event::Request { id, request, mandatory, .. } = event {
                    let call_id = String::from_utf8_lossy(mandatory.call_id.as_bytes()).into_owned();
                    seen.lock().unwrap().entry(call_id).or_default().push(number);
                    let _ = handle.respond(id, response(&request, 200)).await;
                }
            }
        });
    }
    seen
}

#[tokio::test]
async fn one_peer_that_fills_one_socket_is_served_by_all_shards_and_each_call_by_one() {
    const CALLS: u64 = 200;
    let (shards, address) = bound(3);
    let seen = serve(shards);
    // From two addresses, which the system gives to one shard each: a call comes by both of them.
    let peers = [tokio::net::UdpSocket::bind(any()).await.unwrap(), tokio::net::UdpSocket::bind(any()).await.unwrap()];
    let mut buffer = [0; 2_048];
    for call in 0..CALLS {
        for (number, peer) in peers.iter().enumerate() {
            let sent_by = peer.local_addr().unwrap().to_string();
            peer.send_to(&arriving("OPTIONS", call, &sent_by, &format!("{number}-{call}")), address).await.unwrap();
            let (length, source) = timeout(PATIENCE, peer.recv_from(&mut buffer)).await.expect("no answer").unwrap();
            assert_eq!(source, address);
            assert_eq!(parse_response(&buffer[..length]).status().as_u16(), 200);
        }
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len() as u64, CALLS);
    assert!(seen.values().all(|shards| shards.len() == 2 && shards[0] == shards[1]), "{seen:?}");
    let used: HashSet<usize> = seen.values().map(|shards| shards[0]).collect();
    assert_eq!(used.len(), 3);
}

#[tokio::test]
async fn the_answer_to_a_request_comes_to_the_shard_that_its_call_id_belongs_to() {
    let (mut shards, _) = bound(2);
    let (servers, there) = bound(1);
    serve(servers);
    for call in 0..40 {
        let asked = request("OPTIONS", call);
        let call_id = asked.headers().require::<CallId>().unwrap();
        let owner = shards[0].0.shard_of(call_id.as_bytes());
        assert_eq!(owner, shards[1].0.shard_of(call_id.as_bytes()));
        let now = std::time::Instant::now();
        shards[owner].1.send_request(now, asked, Target::udp(there)).unwrap();
        loop {
            // The other one reads too: what comes to its socket it hands over.
            let [(first, one), (second, other)] = &mut shards[..] else { panic!("two shards") };
            let mut answered = None;
            for (number, (sockets, endpoint)) in [(&mut *first, one), (&mut *second, other)].into_iter().enumerate() {
                while let Some(output) = endpoint.poll_output() {
                    if let Some(Event::Response { response, .. }) = sockets.transmit(output)
                        && response.status().is_final()
                    {
                        answered = Some(number);
                    }
                }
                while let Some(Arrival::Input(input)) = sockets.try_recv() {
                    endpoint.handle_input(now, input);
                }
            }
            if let Some(number) = answered {
                assert_eq!(number, owner);
                break;
            }
            assert!(now.elapsed() < PATIENCE, "no answer came to the shard that asked");
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(shards[0].0.counters().not_handed_over + shards[1].0.counters().not_handed_over, 0);
}

#[tokio::test]
async fn what_a_shard_has_no_room_for_is_lost_and_counted_and_nothing_grows() {
    let (mut shards, address) = bound(2);
    let peer = UdpSocket::bind(any()).unwrap();
    let message = |call: u64| arriving("OPTIONS", call, "192.0.2.1", "1");
    let belongs_to = |shards: &[(Sockets, Endpoint)], message: &Bytes| {
        let text = String::from_utf8_lossy(message).into_owned();
        let id = text.lines().find_map(|line| line.strip_prefix("Call-ID: ")).unwrap().to_owned();
        shards[0].0.shard_of(id.as_bytes())
    };
    // Which shard does the system give this peer to?
    peer.send_to(b"\r\n\r\n", address).unwrap();
    let reader = loop {
        let read = shards.iter_mut().position(|(sockets, _)| sockets.try_recv().is_some());
        match read {
            Some(number) => break number,
            None => tokio::task::yield_now().await,
        }
    };
    let other = 1 - reader;
    let foreign = (0..).map(message).find(|message| belongs_to(&shards, message) == other).unwrap();
    // One at a time, so that each is a batch of its own; the other shard reads none.
    let lost = loop {
        peer.send_to(&foreign, address).unwrap();
        assert!(shards[reader].0.try_recv().is_none());
        let lost = shards[reader].0.counters().not_handed_over;
        if lost >= 10 {
            break lost;
        }
        tokio::task::yield_now().await;
    };
    assert!(lost < 100);
    let mut kept = 0;
    while let Some(arrival) = shards[other].0.try_recv() {
        let Arrival::Input(Input::Datagram { payload, .. }) = arrival else { panic!("nobody connects") };
        assert_eq!(payload, foreign);
        kept += 1;
    }
    assert!((64..64 * driver::udp::BATCH).contains(&kept), "{kept} kept");
    // And on it goes.
    peer.send_to(&foreign, address).unwrap();
    timeout(PATIENCE, async {
        loop {
            assert!(shards[reader].0.try_recv().is_none());
            if shards[other].0.try_recv().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("nothing is handed over");
}

#[tokio::test]
async fn connections_to_one_address_are_spread_and_stay_with_their_shard() {
    let mut address = any();
    let mut accepted = Vec::new();
    for mut sockets in driver::shards(2, SocketConfig::default()).unwrap() {
        address = sockets.bind(Transport::Tcp, address).unwrap().local;
        let (told, heard) = tokio::sync::mpsc::unbounded_channel();
        accepted.push(heard);
        tokio::spawn(async move {
            loop {
                if let Arrival::Connection(incoming) = sockets.recv().await {
                    let _ = told.send(incoming.remote());
                }
            }
        });
    }
    let mut counts = [0, 0];
    for _ in 0..64 {
        let phone = tokio::net::TcpStream::connect(address).await.unwrap();
        let [first, second] = &mut accepted[..] else { panic!("two shards") };
        let (shard, remote) = timeout(PATIENCE, async {
            tokio::select! {
                remote = first.recv() => (0, remote.unwrap()),
                remote = second.recv() => (1, remote.unwrap()),
            }
        })
        .await
        .expect("nobody accepts");
        assert_eq!(remote, phone.local_addr().unwrap());
        counts[shard] += 1;
    }
    assert!(counts[0] > 0 && counts[1] > 0, "{counts:?}");
}
