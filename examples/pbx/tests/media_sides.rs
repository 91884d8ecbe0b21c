//! The sides of a call: what each hears, over real sockets and over the channels of a trunk.
#![allow(clippy::disallowed_methods, reason = "real sockets, and the real clock")]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use pbx::media::{Codec, End, Event, Format, Media, Order, Press, Sounds, Source, Voice};
use rtp::{
    Header, Packet,
    dtmf::{Presses, TelephoneEvent},
    g711::Law,
    ports::{Allocator, Pair},
    relay::{Expected, Side},
    tone::Detector,
};
use tokio::sync::mpsc;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Phone {
    rtp: UdpSocket,
    to: Pair,
    sequence: u16,
}

/// A packet as a phone hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Heard {
    payload_type: u8,
    marker: bool,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: Vec<u8>,
}

impl Phone {
    fn new(to: Pair) -> Self {
        let rtp = UdpSocket::bind((LOCAL, 0)).unwrap();
        rtp.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        Self { rtp, to, sequence: 1_000 }
    }

    fn say(&mut self, payload_type: u8, payload: &[u8]) {
        let (sequence, timestamp) = (self.sequence, u32::from(self.sequence) * 160);
        self.send(payload_type, false, timestamp, payload);
        assert_eq!(self.sequence, sequence.wrapping_add(1));
    }

    fn send(&mut self, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) {
        let mut packet = Vec::new();
        let header = Header { payload_type, marker, sequence: self.sequence, timestamp, ssrc: 7, ..Header::default() };
        header.encode_packet(payload, 0, &mut packet);
        self.sequence = self.sequence.wrapping_add(1);
        self.rtp.send_to(&packet, SocketAddr::new(LOCAL, self.to.rtp())).unwrap();
    }

    fn press(&mut self, payload_type: u8, key: char) {
        let at = u32::from(self.sequence) * 160;
        for press in Presses::new(TelephoneEvent::from_key(key).unwrap(), 10, 800, 160) {
            let mut payload = Vec::new();
            press.event.encode(&mut payload);
            self.send(payload_type, press.marker, at + press.segment, &payload);
        }
    }

    fn hear(&self) -> Option<Heard> {
        let mut buffer = [0; 2048];
        let (length, source) = self.rtp.recv_from(&mut buffer).ok()?;
        assert_eq!(source.port(), self.to.rtp(), "from the port that its SDP was told");
        let packet = Packet::parse(&buffer[..length]).unwrap();
        Some(Heard {
            payload_type: packet.payload_type(),
            marker: packet.marker(),
            sequence: packet.sequence(),
            timestamp: packet.timestamp(),
            ssrc: packet.ssrc(),
            payload: packet.payload().to_vec(),
        })
    }

    /// Voice of so many packets, as samples.
    fn listen(&self, packets: usize, format: Format) -> Vec<i16> {
        let Codec::G711(law) = format.codec else { panic!("only G.711 can be heard") };
        let mut samples = Vec::new();
        let mut next = None;
        for _ in 0..packets {
            let heard = self.hear().expect("voice");
            assert_eq!(heard.payload_type, format.payload_type);
            assert_eq!(*next.get_or_insert((heard.sequence, heard.timestamp)), (heard.sequence, heard.timestamp));
            next = Some((heard.sequence.wrapping_add(1), heard.timestamp.wrapping_add(160)));
            samples.extend(law.decode(&heard.payload));
        }
        samples
    }

    fn expected(&self) -> Expected {
        Expected::new(self.rtp.local_addr().unwrap())
    }
}

struct Bench {
    media: Media,
    events: mpsc::Receiver<Event>,
    voices: mpsc::Receiver<Voice>,
    ports: Allocator,
}

impl Bench {
    fn new(first: u16, sounds: Sounds) -> Self {
        let (sender, events) = mpsc::channel(64);
        let (voice, voices) = mpsc::channel(64);
        Self {
            media: Media::new(LOCAL, None, sender).with_voices(voice).with_sounds(sounds),
            events,
            voices,
            ports: Allocator::new(first..=first + 99, Duration::ZERO, [3; 32]),
        }
    }

    /// A pair that no other program has, attached to a side.
    fn attach(&mut self, side: Side, format: Format) -> Phone {
        for _ in 0..20 {
            let pair = self.ports.allocate(Instant::now()).unwrap();
            let free = if self.media.is_empty() {
                self.media.start(1, &[(side, End::Rtp(pair))])
            } else {
                self.media.attach(1, side, End::Rtp(pair))
            };
            if free.is_ok() {
                let phone = Phone::new(pair);
                self.expect(side, &phone, true);
                self.order(Order::Format { side, format });
                return phone;
            }
        }
        panic!("no ports are free");
    }

    fn trunk(&mut self, side: Side, format: Format) {
        if self.media.is_empty() {
            self.media.start(1, &[(side, End::Trunk)]).unwrap();
        } else {
            self.media.attach(1, side, End::Trunk).unwrap();
        }
        self.order(Order::Format { side, format });
    }

    fn expect(&self, side: Side, phone: &Phone, receives: bool) {
        self.order(Order::Expect { side, expected: phone.expected(), receives });
    }

    fn order(&self, order: Order) {
        self.media.order(1, order);
    }

    fn play(&self, side: Side, source: Source) {
        self.order(Order::Source { side, source: Some(source) });
    }

    /// The orders given before are obeyed when packets sent after this come.
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    async fn event(&mut self) -> Event {
        tokio::time::timeout(Duration::from_secs(5), self.events.recv()).await.expect("an event").unwrap()
    }

    async fn voice(&mut self) -> Voice {
        tokio::time::timeout(Duration::from_secs(5), self.voices.recv()).await.expect("voice").unwrap()
    }
}

const MU: Format = Format { dtmf: Some(101), ..Format::g711(Law::Mu) };
const A: Format = Format { dtmf: Some(97), ..Format::g711(Law::A) };

/// The sockets block, so they have threads of their own.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn all_codes() -> Vec<u8> {
    (0..=255).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_laws_hear_each_other_and_one_law_untouched() {
    let mut bench = Bench::new(15_500, Sounds::new());
    let (mut caller, mut callee) = (bench.attach(Side::Caller, MU), bench.attach(Side::Callee, A));
    bench.order(Order::Bridge(true));
    bench.settle().await;
    let (mut caller, mut callee) = apart(move || {
        for _ in 0..5 {
            caller.say(0, &all_codes());
            let heard = callee.hear().expect("voice");
            let translated: Vec<_> =
                all_codes().into_iter().map(|code| Law::A.encode_sample(Law::Mu.decode_sample(code))).collect();
            assert_eq!((heard.payload_type, heard.sequence, heard.ssrc), (8, caller.sequence - 1, 7));
            assert_eq!(heard.payload, translated);
            callee.say(8, &all_codes());
            let heard = caller.hear().expect("voice");
            let translated: Vec<_> =
                all_codes().into_iter().map(|code| Law::Mu.encode_sample(Law::A.decode_sample(code))).collect();
            assert_eq!((heard.payload_type, heard.payload), (0, translated));
        }
        (caller, callee)
    })
    .await;
    // The callee changes to the caller's law under a number of its own: only that differs now.
    let moved = Format { payload_type: 96, ..MU };
    bench.order(Order::Format { side: Side::Callee, format: moved });
    bench.settle().await;
    apart(move || {
        caller.say(0, &all_codes());
        let heard = callee.hear().expect("voice");
        assert_eq!((heard.payload_type, heard.payload), (96, all_codes()));
        callee.say(96, &all_codes());
        assert_eq!(caller.hear().map(|heard| (heard.payload_type, heard.payload)), Some((0, all_codes())));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_go_to_the_other_phone_under_its_number_and_are_told() {
    let mut bench = Bench::new(15_600, Sounds::new());
    let (mut caller, callee) = (bench.attach(Side::Caller, MU), bench.attach(Side::Callee, A));
    bench.order(Order::Bridge(true));
    bench.settle().await;
    let (mut caller, callee) = apart(move || {
        caller.say(0, &[0xff; 160]);
        callee.hear().expect("voice");
        caller.press(101, '7');
        for packet in 0..7 {
            let heard = callee.hear().expect("a telephone event");
            let event = TelephoneEvent::parse(&heard.payload).unwrap();
            assert_eq!((heard.payload_type, heard.marker, event.key()), (97, packet == 0, Some('7')));
        }
        (caller, callee)
    })
    .await;
    let digit = |press, passed| Event::Digit { call: 1, side: Side::Caller, digit: '7', press, passed };
    assert_eq!(bench.event().await, digit(Press::Begin, true));
    assert_eq!(bench.event().await, digit(Press::End(Duration::from_millis(100)), true));
    // To a phone without telephone events nothing of it goes: the program must see to it.
    bench.order(Order::Format { side: Side::Callee, format: Format::g711(Law::Mu) });
    bench.settle().await;
    apart(move || {
        caller.press(101, '7');
        assert_eq!(callee.hear(), None);
    })
    .await;
    assert_eq!(bench.event().await, digit(Press::Begin, false));
    assert_eq!(bench.event().await, digit(Press::End(Duration::from_millis(100)), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_ordered_is_put_into_the_stream_that_the_phone_hears() {
    let mut bench = Bench::new(15_700, Sounds::new());
    let (mut caller, callee) = (bench.attach(Side::Caller, MU), bench.attach(Side::Callee, MU));
    bench.order(Order::Bridge(true));
    bench.settle().await;
    let (mut caller, callee, last) = apart(move || {
        caller.say(0, &[0xff; 160]);
        let last = callee.hear().expect("voice");
        (caller, callee, last)
    })
    .await;
    bench.order(Order::Digit { side: Side::Callee, digit: '#', duration: Duration::from_millis(100) });
    let (mut caller, callee) = apart(move || {
        for packet in 0..7u16 {
            let heard = callee.hear().expect("a telephone event");
            let event = TelephoneEvent::parse(&heard.payload).unwrap();
            assert_eq!((heard.payload_type, heard.ssrc, heard.marker), (101, last.ssrc, packet == 0));
            assert_eq!((heard.sequence, event.key(), event.end), (last.sequence + 1 + packet, Some('#'), packet >= 4));
        }
        std::thread::sleep(Duration::from_millis(100));
        caller.say(0, &[0xff; 160]);
        let heard = callee.hear().expect("voice again");
        assert_eq!((heard.payload_type, heard.sequence, heard.ssrc), (0, last.sequence + 8, last.ssrc));
        assert_eq!(heard.timestamp, last.timestamp + 160, "the sender's clock is the stream's");
        (caller, callee)
    })
    .await;
    // A phone without telephone events hears the two tones of the key.
    bench.order(Order::Format { side: Side::Callee, format: Format::g711(Law::A) });
    bench.order(Order::Digit { side: Side::Callee, digit: '5', duration: Duration::from_millis(200) });
    apart(move || {
        let samples = callee.listen(10, Format::g711(Law::A));
        for hertz in [770.0, 1_336.0] {
            assert!(Detector::new(hertz, 8_000).measure(&samples) > -11.0, "{hertz}");
        }
        assert!(Detector::new(1_633.0, 8_000).measure(&samples) < -30.0);
        std::thread::sleep(Duration::from_millis(100));
        caller.say(0, &[0xff; 160]);
        assert_eq!(callee.hear().map(|heard| heard.payload_type), Some(8), "then voice again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ringing_music_and_the_other_side_are_one_stream() {
    let mut bench = Bench::new(15_800, Sounds::new());
    let (caller, callee) = (bench.attach(Side::Caller, A), bench.attach(Side::Callee, A));
    bench.play(Side::Caller, Source::Ringback);
    let (caller, callee, ringing) = apart(move || {
        let first = caller.hear().expect("ringing");
        assert!(first.marker);
        let samples = caller.listen(50, A);
        for hertz in [440.0, 480.0] {
            assert!((Detector::new(hertz, 8_000).measure(&samples) + 19.0).abs() < 1.0, "{hertz}");
        }
        let last = caller.hear().expect("ringing");
        assert_eq!((last.ssrc, last.sequence, last.marker), (first.ssrc, first.sequence.wrapping_add(51), false));
        (caller, callee, last)
    })
    .await;
    bench.order(Order::Source { side: Side::Caller, source: None });
    bench.order(Order::Bridge(true));
    bench.settle().await;
    let (caller, mut callee) = apart(move || {
        let mut callee = callee;
        // What was under way.
        caller.rtp.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut last = ringing;
        while let Some(heard) = caller.hear() {
            last = heard;
        }
        callee.say(8, &[0x55; 160]);
        let heard = caller.hear().expect("the callee");
        assert_eq!((heard.ssrc, heard.sequence, heard.marker), (last.ssrc, last.sequence.wrapping_add(1), true));
        assert!(heard.timestamp.wrapping_sub(last.timestamp) < 8_000);
        assert_eq!(heard.payload, [0x55; 160]);
        caller.rtp.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        (caller, callee)
    })
    .await;
    bench.play(Side::Caller, Source::Music(None));
    bench.settle().await;
    apart(move || {
        callee.say(8, &[0x55; 160]);
        let samples = caller.listen(100, A);
        let level = rtp::tone::level(&samples);
        assert!((-35.0..=-10.0).contains(&level), "{level}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_heard_once_and_that_is_told_and_so_is_one_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let tone: Vec<u8> =
        rtp::tone::Tone::new(697.0, -6.0, 8_000).take(3_200).map(|it| Law::Mu.encode_sample(it)).collect();
    std::fs::write(folder.path().join("hello.ulaw"), tone).unwrap();
    let mut bench = Bench::new(15_900, Sounds::new().in_folder(folder.path()));
    let caller = bench.attach(Side::Caller, A);
    bench.play(Side::Caller, Source::File("hello".into()));
    let caller = apart(move || {
        let samples = caller.listen(25, A);
        let loud = samples.chunks(160).filter(|packet| rtp::tone::level(packet) > -10.0).count();
        assert_eq!(loud, 20, "400 ms");
        caller
    })
    .await;
    assert_eq!(bench.event().await, Event::Played { call: 1, side: Side::Caller, complete: true });
    bench.play(Side::Caller, Source::File("nothing".into()));
    assert_eq!(bench.event().await, Event::Played { call: 1, side: Side::Caller, complete: false });
    bench.play(Side::Caller, Source::Samples(Arc::from([1_000i16; 1_600])));
    assert_eq!(bench.event().await, Event::Played { call: 1, side: Side::Caller, complete: true });
    // What cannot be coded for a phone is not waited for.
    bench.order(Order::Format {
        side: Side::Caller,
        format: Format { codec: Codec::Opaque, payload_type: 9, dtmf: None },
    });
    bench.play(Side::Caller, Source::File("hello".into()));
    assert_eq!(bench.event().await, Event::Played { call: 1, side: Side::Caller, complete: false });
    drop(caller);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_and_a_trunk_hear_each_other() {
    let mut bench = Bench::new(16_000, Sounds::new());
    let mut caller = bench.attach(Side::Caller, MU);
    bench.trunk(Side::Callee, Format::g711(Law::A));
    bench.order(Order::Bridge(true));
    bench.settle().await;
    let mut caller = apart(move || {
        for _ in 0..3 {
            caller.say(0, &all_codes());
        }
        // Nothing but voice goes to a trunk.
        caller.press(101, '3');
        caller.say(0, &all_codes());
        caller
    })
    .await;
    let translated: Vec<u8> =
        all_codes().into_iter().map(|it| Law::A.encode_sample(Law::Mu.decode_sample(it))).collect();
    for timestamp in [0, 20, 40, 200] {
        let voice = bench.voice().await;
        assert_eq!((voice.call, voice.side, voice.timestamp), (1, Side::Callee, timestamp));
        assert_eq!(voice.payload, translated);
    }
    let digit = |press| Event::Digit { call: 1, side: Side::Caller, digit: '3', press, passed: false };
    assert_eq!(bench.event().await, digit(Press::Begin));
    assert_eq!(bench.event().await, digit(Press::End(Duration::from_millis(100))));

    for timestamp in [5_003, 5_021, 5_044, 5_103] {
        bench.media.voice(1, Side::Callee, timestamp, vec![0xd5; 160].into());
    }
    caller = apart(move || {
        let first = caller.hear().expect("the trunk");
        assert_eq!((first.payload_type, first.marker, &first.payload[..]), (0, true, &[0xfe; 160][..]));
        for (sequence, timestamp) in [(1, 160), (2, 320), (5, 800)] {
            let heard = caller.hear().expect("the trunk");
            assert_eq!(heard.sequence.wrapping_sub(first.sequence), sequence);
            assert_eq!(heard.timestamp.wrapping_sub(first.timestamp), timestamp);
        }
        caller
    })
    .await;
    // The trunk goes, and a phone comes in its place.
    bench.media.detach(1, Side::Callee);
    let mut callee = bench.attach(Side::Callee, MU);
    bench.settle().await;
    apart(move || {
        callee.say(0, &[0x11; 160]);
        assert_eq!(caller.hear().map(|heard| heard.payload), Some(vec![0x11; 160]));
        caller.say(0, &[0x22; 160]);
        assert_eq!(callee.hear().map(|heard| heard.payload), Some(vec![0x22; 160]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_hears_tones_echo_and_another_trunk() {
    let mut bench = Bench::new(16_100, Sounds::new());
    bench.trunk(Side::Caller, Format::g711(Law::Mu));
    bench.play(Side::Caller, Source::Milliwatt);
    let mut samples = Vec::new();
    for packet in 0..25 {
        let voice = bench.voice().await;
        assert_eq!((voice.side, voice.timestamp), (Side::Caller, 20 * packet));
        samples.extend(Law::Mu.decode(&voice.payload));
    }
    assert!(Detector::new(1_004.0, 8_000).dominates(&samples, 0.1));
    bench.play(Side::Caller, Source::Echo);
    bench.settle().await;
    while bench.voices.try_recv().is_ok() {}
    for packet in 0..3 {
        bench.media.voice(1, Side::Caller, 700 + 20 * packet, vec![7; 160].into());
    }
    let first = bench.voice().await;
    assert_eq!(first.payload, vec![7; 160]);
    for packet in 1..3 {
        assert_eq!(bench.voice().await.timestamp, first.timestamp + 20 * packet);
    }
    bench.trunk(Side::Callee, Format::g711(Law::A));
    bench.order(Order::Source { side: Side::Caller, source: None });
    bench.order(Order::Bridge(true));
    bench.settle().await;
    bench.media.voice(1, Side::Callee, 40, vec![0xd5; 160].into());
    let voice = bench.voice().await;
    assert_eq!((voice.side, &voice.payload[..]), (Side::Caller, &[0xfe; 160][..]));
    assert!(voice.timestamp > first.timestamp + 40, "the stream goes on");
    bench.media.voice(1, Side::Caller, 800, vec![0xff; 160].into());
    let voice = bench.voice().await;
    assert_eq!((voice.side, voice.timestamp, &voice.payload[..]), (Side::Callee, 0, &[0xd5; 160][..]));
}

#[tokio::test]
async fn voice_that_nobody_takes_is_dropped_and_counted() {
    let mut bench = Bench::new(16_200, Sounds::new());
    bench.trunk(Side::Caller, Format::g711(Law::Mu));
    // The task has not had its turn yet.
    for packet in 0..100 {
        bench.media.voice(1, Side::Caller, packet * 20, vec![0xff; 160].into());
    }
    let overrun = bench.media.totals().list().into_iter().find(|(name, _)| *name == "overrun");
    assert_eq!(overrun, Some(("overrun", 36)));
    // Of what comes out, the program takes nothing either: the channel holds 64.
    bench.play(Side::Caller, Source::Echo);
    bench.settle().await;
    for packet in 100..132 {
        bench.media.voice(1, Side::Caller, packet * 20, vec![0xff; 160].into());
    }
    bench.settle().await;
    let overrun = bench.media.totals().list().into_iter().find(|(name, _)| *name == "overrun");
    assert!(overrun.is_some_and(|(_, count)| count <= 36 + 32), "{overrun:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_does_not_receive_is_not_sent_to() {
    let mut bench = Bench::new(16_300, Sounds::new());
    let (mut caller, callee) = (bench.attach(Side::Caller, MU), bench.attach(Side::Callee, MU));
    bench.order(Order::Bridge(true));
    bench.expect(Side::Callee, &callee, false);
    bench.settle().await;
    let (mut caller, callee) = apart(move || {
        caller.say(0, &[0xff; 160]);
        assert_eq!(callee.hear(), None, "it holds");
        (caller, callee)
    })
    .await;
    bench.play(Side::Callee, Source::Music(None));
    let callee = apart(move || {
        assert_eq!(callee.hear(), None, "nor any music");
        callee
    })
    .await;
    bench.order(Order::Source { side: Side::Callee, source: None });
    bench.expect(Side::Callee, &callee, true);
    bench.settle().await;
    apart(move || {
        caller.say(0, &[0xff; 160]);
        assert!(callee.hear().is_some(), "it resumed");
    })
    .await;
}
