//! Two whole programs with a trunk between them, over real sockets: the voice of many calls both ways, what it costs, and
//! an end without leftovers. `TANDEM_LONG=1` makes it 200 calls for ten seconds; that wants `--release`.
#![allow(clippy::disallowed_methods, reason = "real sockets, and the real clock")]

mod support;

use std::{
    collections::HashMap,
    net::{SocketAddr, UdpSocket},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use pbx::{
    asterisk::file,
    config::{Account, Codec, Config, DialplanSource, IaxPeer, IaxRegistration, Secret},
    control::Command,
    dialplan::Dialplan,
    server::Server,
    status::Status,
};
use rtp::{Header, Packet};
use support::phone::{Manner, Phone};

/// An exchange of the thesis on ports of its own. `own` and `other`: where each hears IAX2.
fn config(own: SocketAddr, other: SocketAddr, peer: &str, user: &str, ports: std::ops::RangeInclusive<u16>) -> Config {
    let mut config = Config::parse(Path::new("test"), pbx::config::DEMO).unwrap();
    config.sip.udp = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    config.sip.tcp.clear();
    config.http.listen = None;
    config.cdr.path = None;
    config.rtp.ports = ports;
    config.limits.calls = 1_000;
    config.limits.calls_per_account = 1_000;
    config.accounts = ["1001", "1002"].map(|name| Account::new(name, "1234")).to_vec();
    for account in &mut config.accounts {
        account.context = "admin".to_owned();
    }
    let mut zone = IaxPeer::new(peer);
    zone.secret = Some(Secret::new("1234"));
    zone.contexts = vec!["admin".to_owned()];
    zone.peer_context = Some("admin".to_owned());
    zone.qualify = Some(iax2::Qualify::default());
    zone.trunk = true;
    // What the phones have: so that the voice comes out as it went in.
    zone.codecs = Some(vec![Codec::Alaw]);
    config.iax.listen = vec![own];
    config.iax.peers = vec![zone];
    config.iax.registrations = vec![IaxRegistration {
        user: user.to_owned(),
        secret: Some(Secret::new("1234")),
        host: other.into(),
        refresh: IaxRegistration::REFRESH,
    }];
    let text = format!(
        "[admin]\nexten => _1XXX,1,Dial(IAX2/{peer}/${{EXTEN}}@admin,30,r)\nsame => n,Dial(SIP/${{EXTEN}},15,r)\n"
    );
    let mut problems = Vec::new();
    let file = file::read("extensions.conf", &mut |_| Ok(text.clone()), &mut problems).unwrap();
    config.dialplan = Arc::new(Dialplan::parse(&file, &mut problems));
    config.dialplan_source = DialplanSource::Text(text);
    assert!(problems.is_empty(), "{problems:?}");
    config
}

/// A port that nobody has at the moment.
fn free() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A phone with sockets, driven by the test itself.
struct Handset {
    phone: Phone,
    socket: UdpSocket,
    media: UdpSocket,
    /// Packets of each call that came, by the number that is in them.
    heard: HashMap<u8, Vec<u16>>,
}

impl Handset {
    fn new(user: &str, server: SocketAddr, seed: u8) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let media = UdpSocket::bind("127.0.0.1:0").unwrap();
        for socket in [&socket, &media] {
            socket.set_nonblocking(true).unwrap();
            socket2::SockRef::from(socket).set_recv_buffer_size(32 << 20).unwrap();
        }
        let mut phone = Phone::new(user, "1234", socket.local_addr().unwrap(), server, seed);
        phone.media = media.local_addr().unwrap();
        phone.manner = Manner::Answers(Duration::from_millis(50));
        Self { phone, socket, media, heard: HashMap::new() }
    }

    fn turn(&mut self) {
        let now = Instant::now();
        let mut buffer = [0; 65_535];
        while let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            self.phone.handle_datagram(now, source, Bytes::copy_from_slice(&buffer[..length]));
        }
        if self.phone.poll_timeout().is_some_and(|at| at <= now) {
            self.phone.handle_timeout(now);
        }
        for (to, payload) in self.phone.drive(now) {
            self.socket.send_to(&payload, to).unwrap();
        }
        while let Ok((length, _)) = self.media.recv_from(&mut buffer) {
            let packet = Packet::parse(&buffer[..length]).unwrap();
            let [call, high, low, ..] = packet.payload() else { panic!("too short") };
            assert_eq!((packet.payload_type(), packet.payload().len()), (8, 160));
            self.heard.entry(*call).or_default().push(u16::from_be_bytes([*high, *low]));
        }
    }

    /// Where the PBX wants the media of each call.
    fn remotes(&self) -> Vec<SocketAddr> {
        let remotes = self.phone.remote.values();
        let mut remotes: Vec<_> = remotes.filter_map(|remote| remote.address_of(&remote.media[0])).collect();
        remotes.sort();
        remotes
    }

    /// One packet of each call, which says whose and which it is.
    fn speak(&self, remotes: &[SocketAddr], round: u16) {
        for (call, to) in (0u8..).zip(remotes) {
            let [high, low] = round.to_be_bytes();
            let mut payload = [0x55; 160];
            payload[..3].copy_from_slice(&[call, high, low]);
            let header = Header {
                payload_type: 8,
                sequence: round,
                timestamp: u32::from(round) * 160,
                ssrc: u32::from(call) + 1,
                ..Header::default()
            };
            let mut packet = Vec::new();
            header.encode_packet(&payload, 0, &mut packet);
            self.media.send_to(&packet, to).unwrap();
        }
    }
}

#[track_caller]
fn until(what: &str, handsets: &mut [&mut Handset], mut is_so: impl FnMut(&mut [&mut Handset]) -> bool) {
    let began = Instant::now();
    loop {
        for handset in handsets.iter_mut() {
            handset.turn();
        }
        if is_so(handsets) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "not {what} in time");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn peer(status: &Status) -> &pbx::status::IaxPeer {
    &status.iax.as_ref().unwrap().peers[0]
}

#[test]
fn the_voice_of_many_calls_goes_both_ways_in_trunk_frames_and_nothing_is_left() {
    let long = std::env::var_os("TANDEM_LONG").is_some();
    let (calls, rounds) = if long { (200, 500u16) } else { (10, 100) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (north_iax, south_iax) = (free(), free());
    let (north, south) = runtime.block_on(async {
        let north = config(north_iax, south_iax, "zone1", "zone2", 20_000..=21_999);
        let south = config(south_iax, north_iax, "zone2", "zone1", 22_000..=23_999);
        (Server::start(north).await.unwrap(), Server::start(south).await.unwrap())
    });
    assert_eq!((&north.iax, &south.iax), (&vec![north_iax], &vec![south_iax]));
    let mut caller = Handset::new("1001", north.sip[0].1, 1);
    let mut callee = Handset::new("1002", south.sip[0].1, 2);
    for handset in [&mut caller, &mut callee] {
        handset.phone.register(Instant::now());
    }
    until("found each other", &mut [&mut caller, &mut callee], |handsets| {
        let reached = [&north, &south].iter().all(|server| peer(&server.control.status()).state == "OK");
        reached && handsets.iter().all(|handset| handset.phone.registered)
    });

    for call in 0..calls {
        caller.phone.call(Instant::now(), "1002", true, Duration::from_secs(600));
        until("called", &mut [&mut caller, &mut callee], |handsets| handsets[1].phone.taken > call);
    }
    until("all answered", &mut [&mut caller, &mut callee], |handsets| {
        handsets.iter().all(|handset| handset.phone.remote.len() == calls)
            && [&north, &south].iter().all(|server| server.control.status().calls_in(pbx::status::State::Up) == calls)
    });
    let remotes = [&caller, &callee].map(Handset::remotes);
    let before = [&north, &south].map(|server| peer(&server.control.status()).sent);
    let began = Instant::now();
    for round in 0..rounds {
        let due = Duration::from_millis(20) * u32::from(round);
        until("its turn", &mut [&mut caller, &mut callee], |_| began.elapsed() >= due);
        caller.speak(&remotes[0], round);
        callee.speak(&remotes[1], round);
    }
    let all = |handset: &Handset| handset.heard.values().map(Vec::len).sum::<usize>();
    let expected = calls * usize::from(rounds);
    // What is under way; a machine under load takes its time.
    let end = Instant::now() + Duration::from_secs(3);
    until("heard", &mut [&mut caller, &mut callee], |handsets| {
        handsets.iter().all(|handset| all(handset) >= expected) || Instant::now() > end
    });
    let seconds = began.elapsed().as_secs_f64();
    // Figures are a second old at most.
    std::thread::sleep(Duration::from_millis(1_200));
    for (way, handset) in [("to the caller", &caller), ("to the callee", &callee)] {
        assert_eq!(handset.heard.len(), calls, "{way}");
        for (call, packets) in &handset.heard {
            let lost = usize::from(rounds) - packets.len();
            assert!(packets.is_sorted(), "{way}, call {call}: out of order");
            assert_eq!(lost, 0, "{way}, call {call}: {lost} of {rounds} packets are missing");
        }
    }
    for (server, before) in [(&north, before[0]), (&south, before[1])] {
        let status = server.control.status();
        let sent = peer(&status).sent;
        let bytes = (sent.bytes - before.bytes) as f64 / expected as f64;
        let frames = sent.trunk_frames - before.trunk_frames;
        let datagrams = sent.datagrams - before.datagrams;
        println!(
            "{calls} calls, {seconds:.1} s: {bytes:.1} bytes for each 160 of voice, {:.1} kbit/s a call; {frames} trunk \
             frames in {datagrams} datagrams",
            bytes * 8.0 / 20.0
        );
        assert!(frames >= u64::from(rounds) * 8 / 10, "{frames} trunk frames");
        // Beside the voice: what the calls share of headers, the first frame of each in full, pings and acknowledgements.
        assert!((164.0..185.0).contains(&bytes), "{bytes}");
        assert_eq!(status.totals.rtp.get("overrun"), Some(&0));
    }

    runtime.block_on(async {
        south.control.commands.send(Command::Stop).await.unwrap();
    });
    until("hung up", &mut [&mut caller, &mut callee], |handsets| {
        // Transactions of SIP stay for half a minute.
        let mine = |name: &str| ["calls", "legs", "threads", "media", "iax"].iter().any(|part| name.starts_with(part));
        let quiet =
            |status: &Status| status.tables.iter().all(|table| !table.per_call || !mine(table.name) || table.size == 0);
        let status = north.control.status();
        let released = peer(&status).address.is_none();
        handsets.iter().all(|handset| handset.phone.busy_with() == 0) && quiet(&status) && released
    });
    runtime.block_on(async {
        south.wait().await.unwrap();
        north.control.commands.send(Command::Stop).await.unwrap();
        north.wait().await.unwrap();
    });
}
