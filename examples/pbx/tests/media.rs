//! The media of calls over real sockets.
#![allow(clippy::disallowed_methods, reason = "real sockets, and the real clock")]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use pbx::media::{End, Event, Format, Media, Order, Source};
use rtp::{
    Header, Packet,
    g711::Law,
    ports::{Allocator, Pair},
    relay::{Expected, Side},
    rtcp::{self, Compound},
};
use tokio::sync::mpsc;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A phone's two sockets, on ports next to each other.
struct Phone {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Phone {
    fn new() -> Self {
        loop {
            let rtp = UdpSocket::bind((LOCAL, 0)).unwrap();
            if let Ok(rtcp) = UdpSocket::bind((LOCAL, rtp.local_addr().unwrap().port() | 1))
                && rtp.local_addr().unwrap().port().is_multiple_of(2)
            {
                for socket in [&rtp, &rtcp] {
                    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
                }
                return Self { rtp, rtcp };
            }
        }
    }

    fn expected(&self) -> Expected {
        Expected::new(self.rtp.local_addr().unwrap())
    }

    fn speak(&self, to: Pair, sequence: u16) {
        let mut packet = Vec::new();
        Header { sequence, timestamp: u32::from(sequence) * 160, ssrc: 7, ..Header::default() }.encode_packet(
            &[0x55; 160],
            0,
            &mut packet,
        );
        self.rtp.send_to(&packet, SocketAddr::new(LOCAL, to.rtp())).unwrap();
    }

    fn hears(&self) -> Option<(Vec<u8>, SocketAddr)> {
        let mut buffer = [0; 2048];
        let (length, source) = self.rtp.recv_from(&mut buffer).ok()?;
        Some((buffer[..length].to_vec(), source))
    }
}

/// What the call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Echo,
    Tone,
    Relay,
}

/// Media with a call of one kind; the range differs by test, so that tests run side by side.
fn media(purpose: Use, first: u16, timeout: Option<Duration>) -> (Media, Vec<Pair>, mpsc::Receiver<Event>) {
    let (events, told) = mpsc::channel(8);
    let mut media = Media::new(LOCAL, timeout, events);
    let mut ports = Allocator::new(first..=first + 99, Duration::ZERO, [3; 32]);
    let sides = if purpose == Use::Relay { &[Side::Caller, Side::Callee][..] } else { &[Side::Caller] };
    for _ in 0..8 {
        let pairs: Vec<_> = sides.iter().map(|_| ports.allocate(Instant::now()).unwrap()).collect();
        let ends: Vec<_> = sides.iter().zip(&pairs).map(|(side, pair)| (*side, End::Rtp(*pair))).collect();
        // Another program may have these.
        if media.start(1, &ends).is_ok() {
            media.order(
                1,
                match purpose {
                    Use::Echo => Order::Source { side: Side::Caller, source: Some(Source::Echo) },
                    Use::Tone => Order::Source { side: Side::Caller, source: Some(Source::Milliwatt) },
                    Use::Relay => Order::Bridge(true),
                },
            );
            return (media, pairs, told);
        }
    }
    panic!("no ports are free");
}

fn expect(media: &Media, side: Side, phone: &Phone, receives: bool) {
    media.order(1, Order::Expect { side, expected: phone.expected(), receives });
}

/// The sockets block, so they have threads of their own.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_comes_back_from_the_same_port_under_another_ssrc_with_reports() {
    let (media, pairs, _told) = media(Use::Echo, 15_000, None);
    let phone = Phone::new();
    expect(&media, Side::Caller, &phone, true);
    let pair = pairs[0];
    apart(move || {
        let began = Instant::now();
        let mut sequence = 0;
        let mut ssrc = None;
        while began.elapsed() < Duration::from_millis(5_500) {
            phone.speak(pair, sequence);
            let (bytes, source) = phone.hears().expect("an echo");
            let packet = Packet::parse(&bytes).unwrap();
            assert_eq!((source.port(), packet.sequence(), packet.payload()), (pair.rtp(), sequence, &[0x55; 160][..]));
            assert_ne!(packet.ssrc(), 7);
            assert_eq!(*ssrc.get_or_insert(packet.ssrc()), packet.ssrc());
            sequence += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut buffer = [0; 1500];
        let (length, source) = phone.rtcp.recv_from(&mut buffer).expect("a report");
        assert_eq!(source.port(), pair.rtcp());
        let packets: Vec<_> = Compound::parse(&buffer[..length]).unwrap().packets().map(Result::unwrap).collect();
        let [rtcp::Packet::SenderReport(report), rtcp::Packet::SourceDescription(_)] = &packets[..] else {
            panic!("{packets:?}");
        };
        assert_eq!(Some(report.ssrc), ssrc);
        assert!(report.sender.packets > 50 && report.sender.octets == report.sender.packets * 160, "{report:?}");
    })
    .await;
    let figures = media.figures(1).unwrap();
    assert!(figures.caller.packets > 100 && figures.caller.lost == 0, "{figures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_holds_is_not_sent_to_and_a_stranger_never() {
    let (media, pairs, _told) = media(Use::Echo, 15_100, None);
    let (phone, stranger) = (Phone::new(), Phone::new());
    expect(&media, Side::Caller, &phone, false);
    let pair = pairs[0];
    let phone = apart(move || {
        for sequence in 0..20 {
            phone.speak(pair, sequence);
            stranger.speak(pair, sequence);
        }
        assert!(phone.hears().is_none(), "it holds");
        assert!(stranger.hears().is_none(), "it is nobody's phone");
        phone
    })
    .await;
    expect(&media, Side::Caller, &phone, true);
    apart(move || {
        std::thread::sleep(Duration::from_millis(100));
        phone.speak(pair, 20);
        assert!(phone.hears().is_some(), "it resumed");
    })
    .await;
    // Figures are a second old at most.
    let began = Instant::now();
    while media.figures(1).unwrap().caller.refused < 20 && began.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(media.figures(1).unwrap().caller.refused, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tone_is_a_law_when_the_phone_wants_that() {
    let (media, _pairs, _told) = media(Use::Tone, 15_200, None);
    let phone = Phone::new();
    expect(&media, Side::Caller, &phone, true);
    let format = Format { payload_type: 98, ..Format::g711(Law::A) };
    media.order(1, Order::Format { side: Side::Caller, format });
    apart(move || {
        let mut samples = Vec::new();
        for _ in 0..50 {
            let (bytes, _) = phone.hears().expect("a tone");
            let packet = Packet::parse(&bytes).unwrap();
            assert_eq!(packet.payload_type(), 98);
            samples.extend(Law::A.decode(packet.payload()));
        }
        assert!(rtp::tone::Detector::new(1_004.0, 8_000).dominates(&samples, 0.1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_of_both_sides_is_told_once_and_not_while_somebody_holds() {
    let (media, _pairs, mut told) = media(Use::Relay, 15_300, Some(Duration::from_secs(1)));
    media.order(1, Order::Watch(false));
    assert!(tokio::time::timeout(Duration::from_millis(2_500), told.recv()).await.is_err(), "somebody holds");
    media.order(1, Order::Watch(true));
    let event = tokio::time::timeout(Duration::from_secs(5), told.recv()).await.expect("it is told");
    assert_eq!(event, Some(Event::Silent { call: 1 }));
    assert!(tokio::time::timeout(Duration::from_secs(2), told.recv()).await.is_err(), "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_media_gives_its_ports_back_to_the_system() {
    let (mut media, pairs, _told) = media(Use::Echo, 15_400, None);
    let port = pairs[0].rtp();
    assert!(UdpSocket::bind((LOCAL, port)).is_err(), "it is ours");
    media.close(1);
    assert!(media.is_empty());
    let began = Instant::now();
    while UdpSocket::bind((LOCAL, port)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(5), "still ours");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
