use std::collections::VecDeque;

use super::*;

type Receive = fn(&UdpSocket, bool, &mut Vec<Datagram>) -> io::Result<usize>;
type Send = fn(&UdpSocket, bool, &[(SocketAddr, Bytes)]) -> u64;

/// Both ways to talk to the system.
const WAYS: [(Receive, Send); 2] = [(single::receive, single::send), (system::receive, system::send)];

fn loopback(ip: &str) -> Option<Udp> {
    let bound = Udp::bind(SocketAddr::new(ip.parse().unwrap(), 0), &UdpConfig::default());
    if bound.is_err() {
        eprintln!("skipped {ip}: this machine does not have it");
    }
    bound.ok()
}

fn take(udp: &Udp, receive: Receive, count: usize) -> Vec<Datagram> {
    let mut taken = Vec::new();
    while taken.len() < count {
        match receive(&udp.socket, udp.is_v6, &mut taken) {
            Ok(count) => assert!(count <= BATCH),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
    taken
}

#[test]
fn more_than_a_batch_comes_in_order_with_its_sources_in_both_families() {
    for (receive, send) in WAYS {
        for ip in ["127.0.0.1", "::1", "127.0.0.1"] {
            let (Some(ours), Some(theirs)) = (loopback(ip), loopback(ip)) else { continue };
            let to = ours.local().unwrap();
            let sent: Vec<(SocketAddr, Bytes)> =
                (0..80_u8).map(|number| (to, Bytes::from(vec![number; 20 * usize::from(number)]))).collect();
            for batch in sent.chunks(BATCH) {
                assert_eq!(send(&theirs.socket, theirs.is_v6, batch), 0);
            }
            let taken = take(&ours, receive, sent.len());
            for (taken, (_, payload)) in taken.iter().zip(&sent) {
                assert_eq!((&taken.payload, taken.source), (payload, theirs.local().unwrap()));
            }
            let nothing = receive(&ours.socket, ours.is_v6, &mut Vec::new()).unwrap_err();
            assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        }
    }
}

#[test]
fn a_datagram_tells_when_the_system_had_it_however_late_it_is_read() {
    let (ours, theirs) = (loopback("127.0.0.1").unwrap(), loopback("127.0.0.1").unwrap());
    // The two clocks are not read at the very same moment.
    let slack = Duration::from_millis(20);
    // The system begins to stamp a moment after the first socket of the machine asks for it.
    for _ in 0..100 {
        let before = Instant::now();
        theirs.send_one(ours.local().unwrap(), b"early").unwrap();
        let sent = Instant::now();
        std::thread::sleep(Duration::from_millis(60));
        let taken = take(&ours, system::receive, 1);
        assert!(taken[0].received + slack >= before, "{:?} early", before - taken[0].received);
        if taken[0].received <= sent + slack {
            return;
        }
    }
    panic!("stamped when read");
}

#[test]
fn a_clock_that_was_set_makes_no_datagram_older_than_it_can_be_nor_younger_than_now() {
    let clocks = Clocks { monotonic: Instant::now(), since_1970: Duration::from_secs(1_000_000) };
    assert_eq!(clocks.when(Duration::from_secs(999_998)), clocks.monotonic - Duration::from_secs(2));
    assert_eq!(clocks.when(Duration::from_secs(1_000_005)), clocks.monotonic);
    assert_eq!(clocks.when(Duration::from_secs(5)), clocks.monotonic);
}

#[test]
fn a_datagram_that_cannot_be_sent_is_counted_and_takes_no_others_with_it() {
    for (receive, send) in WAYS {
        let (ours, theirs) = (loopback("127.0.0.1").unwrap(), loopback("127.0.0.1").unwrap());
        let to = ours.local().unwrap();
        let too_large = Bytes::from(vec![0; 65_530]);
        let wrong_family = "[::1]:5060".parse().unwrap();
        let good = |text: &'static str| (to, Bytes::from_static(text.as_bytes()));
        let batch = [good("a"), (to, too_large), good("b"), (wrong_family, Bytes::from_static(b"x")), good("c")];
        assert_eq!(send(&theirs.socket, theirs.is_v6, &batch), 2);
        let taken: Vec<Bytes> = take(&ours, receive, 3).into_iter().map(|taken| taken.payload).collect();
        assert_eq!(taken, ["a", "b", "c"]);
    }
}

#[test]
fn the_largest_datagrams_pass_in_a_batch() {
    let (ours, theirs) = (loopback("127.0.0.1").unwrap(), loopback("127.0.0.1").unwrap());
    let large = Bytes::from(vec![b'x'; 65_507]);
    assert_eq!(theirs.send(&[(ours.local().unwrap(), large.clone()), (ours.local().unwrap(), large.clone())]), 0);
    let taken = take(&ours, system::receive, 2);
    assert!(taken.iter().all(|taken| taken.payload == large));
}

#[test]
fn a_socket_for_both_families_reaches_plain_ipv4_addresses() {
    let Some(both) = loopback("::") else { return };
    let four = loopback("127.0.0.1").unwrap();
    let to = four.local().unwrap();
    both.send_one(to, b"1").unwrap();
    assert_eq!(both.send(&[(to, Bytes::from_static(b"2")), (to, Bytes::from_static(b"3"))]), 0);
    let taken = take(&four, system::receive, 3);
    assert!(taken.iter().all(|taken| taken.source.port() == both.local().unwrap().port()));
    // And shows what it hears from them in the mapped form.
    four.send_one(SocketAddr::new("127.0.0.1".parse().unwrap(), both.local().unwrap().port()), b"4").unwrap();
    assert_eq!(take(&both, system::receive, 1)[0].source.ip().to_canonical(), to.ip());
}

#[test]
fn datagrams_are_sent_in_the_class_that_was_asked_for() {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
    use std::os::fd::AsRawFd;

    fn class_of(socket: &UdpSocket) -> u8 {
        let mut buffer = [0; 16];
        let mut control = nix::cmsg_space!(u64, nix::sys::time::TimeSpec);
        let mut slices = [io::IoSliceMut::new(&mut buffer)];
        let message = recvmsg::<nix::sys::socket::SockaddrStorage>(
            socket.as_raw_fd(),
            &mut slices,
            Some(&mut control),
            MsgFlags::empty(),
        );
        let message = message.unwrap();
        let class = message.cmsgs().unwrap().find_map(|it| match it {
            ControlMessageOwned::Ipv4Tos(octet) => Some(octet),
            ControlMessageOwned::Ipv6TClass(octet) => Some(u8::try_from(octet).unwrap()),
            _ => None,
        });
        class.expect("the system tells the class") >> 2
    }

    for (ip, from) in [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("127.0.0.1", "::")] {
        let config = UdpConfig { dscp: Some(46), ..UdpConfig::default() };
        let Ok(sending) = Udp::bind(SocketAddr::new(from.parse().unwrap(), 0), &config) else { continue };
        let Ok(receiving) = UdpSocket::bind(SocketAddr::new(ip.parse().unwrap(), 0)) else { continue };
        if receiving.local_addr().unwrap().is_ipv4() {
            setsockopt(&receiving, sockopt::IpRecvTos, &true).unwrap();
        } else {
            setsockopt(&receiving, sockopt::Ipv6RecvTClass, &true).unwrap();
        }
        let to = receiving.local_addr().unwrap();
        sending.send_one(to, b"x").unwrap();
        assert_eq!(class_of(&receiving), 46);
        sending.set_dscp(26).unwrap();
        let two = [(to, Bytes::from_static(b"x")), (to, Bytes::from_static(b"x"))];
        assert_eq!(sending.send(&two), 0);
        assert_eq!([class_of(&receiving), class_of(&receiving)], [26, 26]);
        assert_eq!(sending.set_dscp(64).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}

#[test]
fn shared_sockets_have_one_address_and_each_peer_comes_to_the_same_one() {
    let config = UdpConfig { is_shared: true, ..UdpConfig::default() };
    let first = Udp::bind("127.0.0.1:0".parse().unwrap(), &config).unwrap();
    let address = first.local().unwrap();
    let second = Udp::bind(address, &config).unwrap();
    assert!(Udp::bind(address, &UdpConfig::default()).is_err());
    let mut seen = [0, 0];
    for _ in 0..64 {
        let peer = loopback("127.0.0.1").unwrap();
        for _ in 0..2 {
            peer.send_one(address, b"x").unwrap();
        }
        let counts = [&first, &second].map(|socket| {
            let mut taken = VecDeque::new();
            let _ = socket.receive(&mut taken);
            taken.len()
        });
        assert!(matches!(counts, [2, 0] | [0, 2]), "{counts:?}");
        seen[0] += counts[0];
        seen[1] += counts[1];
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}
