//! How many calls the relay carries without losing a packet, and what a call costs.
//!
//! `cargo bench -p tandem-pbx --bench media -- CALLS SECONDS` (500 calls for 30 s by default): each call sends 50 packets
//! a second from each side through its own four sockets; sequence numbers are counted at both ends. `--test` runs 20 calls
//! for a second.
#![allow(clippy::disallowed_methods, reason = "measures")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a benchmark may fail loudly")]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use pbx::media::{End, Media, Order};
use rtp::{
    Header, Packet,
    ports::{Allocator, Pair},
    relay::{Expected, Side},
};
use socket2::{Domain, Socket, Type};
use tokio::sync::mpsc;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    // Only whether it runs.
    let brief = std::env::args().any(|argument| argument == "--test");
    let calls = u32::try_from(numbers.first().copied().unwrap_or(if brief { 20 } else { 500 })).unwrap();
    let seconds = numbers.get(1).copied().unwrap_or(if brief { 1 } else { 30 });
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let (events, _silent) = mpsc::channel(16);
    let mut media = Media::new(LOCAL, None, events);
    let mut ports = Allocator::new(16_000..=31_999, Duration::ZERO, [1; 32]);

    // One socket plays all callers and one all callees: each call knows its packets by its own ports and SSRC.
    let (callers, callees) = (phone(), phone());
    let mut legs = Vec::new();
    for call in 0..calls {
        // Other programs may have some.
        let pairs = loop {
            let now = Instant::now();
            let pairs = [ports.allocate(now), ports.allocate(now)].map(|pair| pair.expect("enough free ports"));
            let ends = [(Side::Caller, End::Rtp(pairs[0])), (Side::Callee, End::Rtp(pairs[1]))];
            if media.start(call.into(), &ends).is_ok() {
                media.order(call.into(), Order::Bridge(true));
                break pairs;
            }
        };
        for (side, socket) in [(Side::Caller, &callers), (Side::Callee, &callees)] {
            let expected = Expected::new(socket.local_addr().unwrap());
            media.order(call.into(), Order::Expect { side, expected, receives: true });
        }
        legs.push(pairs);
    }
    thread::sleep(Duration::from_millis(300));

    let stop = Arc::new(AtomicBool::new(false));
    let busy = |who| {
        let usage = getrusage(who).unwrap();
        let time = |part: nix::sys::time::TimeVal| Duration::new(part.tv_sec() as u64, part.tv_usec() as u32 * 1000);
        time(usage.user_time()) + time(usage.system_time())
    };
    let before = busy(UsageWho::RUSAGE_SELF);
    let began = Instant::now();
    let count = |socket: UdpSocket| {
        let stop = Arc::clone(&stop);
        thread::spawn(move || {
            let heard = listen(&socket, calls, &stop);
            (heard, getrusage(UsageWho::RUSAGE_THREAD).map(|_| busy(UsageWho::RUSAGE_THREAD)).unwrap())
        })
    };
    let at_callers = count(callers.try_clone().unwrap());
    let at_callees = count(callees.try_clone().unwrap());
    let rounds = seconds * 50;
    let sender = thread::spawn(move || {
        speak(&callers, &callees, &legs, rounds);
        busy(UsageWho::RUSAGE_THREAD)
    });
    let speaking = sender.join().unwrap();
    thread::sleep(Duration::from_millis(500));
    stop.store(true, Ordering::Relaxed);
    let (one, other) = (at_callers.join().unwrap(), at_callees.join().unwrap());
    let elapsed = began.elapsed();
    let relay = busy(UsageWho::RUSAGE_SELF) - before - speaking - one.1 - other.1;

    let sent = rounds * u64::from(calls) * 2;
    let heard = one.0.packets + other.0.packets;
    let gaps = one.0.gaps + other.0.gaps;
    println!(
        "{calls} calls for {seconds} s: {sent} packets sent, {heard} heard, {} missing, {gaps} out of order",
        sent - heard
    );
    println!(
        "the relay took {:.1} % of one core: {:.3} % a call, {:.1} µs a packet",
        100.0 * relay.as_secs_f64() / elapsed.as_secs_f64(),
        100.0 * relay.as_secs_f64() / elapsed.as_secs_f64() / f64::from(calls),
        1e6 * relay.as_secs_f64() / heard as f64,
    );
    if heard != sent {
        std::process::exit(1);
    }
}

/// A socket that holds a second of everything, so that what is lost is not lost by us.
fn phone() -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    let _ = socket.set_recv_buffer_size(64 << 20);
    let _ = socket.set_send_buffer_size(64 << 20);
    socket.bind(&SocketAddr::new(LOCAL, 0).into()).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    socket.into()
}

/// Sends each call's packets, spread over each 20 ms as real phones spread them.
fn speak(callers: &UdpSocket, callees: &UdpSocket, legs: &[[Pair; 2]], rounds: u64) {
    let began = Instant::now();
    let mut packet = Vec::with_capacity(172);
    for round in 0..rounds {
        for (call, pairs) in legs.iter().enumerate() {
            let due =
                Duration::from_millis(20 * round) + Duration::from_micros(20_000 * call as u64 / legs.len() as u64);
            while began.elapsed() < due {
                thread::sleep(due.saturating_sub(began.elapsed()).max(Duration::from_micros(200)));
            }
            for (socket, pair, mark) in [(callers, pairs[0], 0), (callees, pairs[1], 1 << 31)] {
                let header = Header {
                    sequence: round as u16,
                    timestamp: round as u32 * 160,
                    ssrc: call as u32 | mark,
                    ..Header::default()
                };
                packet.clear();
                header.encode_packet(&[0xff; 160], 0, &mut packet);
                socket.send_to(&packet, SocketAddr::new(LOCAL, pair.rtp())).unwrap();
            }
        }
    }
}

#[derive(Default)]
struct Heard {
    packets: u64,
    gaps: u64,
}

fn listen(socket: &UdpSocket, calls: u32, stop: &AtomicBool) -> Heard {
    let mut heard = Heard::default();
    let mut next: Vec<Option<u16>> = vec![None; calls as usize];
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let packet = Packet::parse(&buffer[..length]).unwrap();
        let expected = &mut next[(packet.ssrc() & !(1 << 31)) as usize];
        heard.packets += 1;
        heard.gaps += u64::from(expected.is_some_and(|expected| expected != packet.sequence()));
        *expected = Some(packet.sequence().wrapping_add(1));
    }
    heard
}
