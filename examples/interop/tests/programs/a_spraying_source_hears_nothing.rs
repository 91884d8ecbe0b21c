//! Somebody sprays every media port of the PBX before and during a call: he is not relayed and hears nothing.

use interop::couple::{Couple, anywhere};
use interop::media::{Line, Talk};
use interop::pbx::Pbx;
use rtp::Header;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Sprays until it is told to stop; returns how many datagrams it sent and how many it got.
fn spray(from: &str, ports: std::ops::RangeInclusive<u16>, stop: &Arc<AtomicBool>) -> JoinHandle<(u64, u64)> {
    let socket = UdpSocket::bind((from, 0)).expect("a socket");
    socket.set_nonblocking(true).expect("a socket that does not wait");
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let (mut sent, mut got, mut bytes) = (0, 0, [0; 2_048]);
        for sequence in 0u16.. {
            let header =
                Header { ssrc: 0x6666_6666, sequence, timestamp: u32::from(sequence) * 160, ..Default::default() };
            let mut packet = Vec::new();
            header.encode_packet(&[0x55; 160], 0, &mut packet);
            for port in ports.clone() {
                sent += u64::from(socket.send_to(&packet, ("127.0.0.1", port)).is_ok());
            }
            while socket.recv_from(&mut bytes).is_ok() {
                got += 1;
            }
            if stop.load(Ordering::Relaxed) {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        (sent, got)
    })
}

#[test]
fn a_spraying_source_is_not_relayed_and_hears_nothing() {
    let pbx = Pbx::start("spray");
    let range = pbx.media.clone();
    let mut couple = Couple::new(&pbx);
    let (mut of_alice, mut of_bob) = (Line::new(anywhere(), 440.0), Line::new(anywhere(), 620.0));
    let (alice, bob) = (of_alice.stream(), of_bob.stream());
    let stop = Arc::new(AtomicBool::new(false));
    // From the phones' own host, and from another; before the call is up.
    let sprayers = ["127.0.0.1", "127.0.0.2"].map(|from| spray(from, range.clone(), &stop));
    let mut talking = couple.call(&mut of_alice, &mut of_bob);
    let lines = interop::media::talk_for(vec![of_alice, of_bob], Duration::from_secs(4));
    let call = pbx.status()["calls"][0].clone();
    stop.store(true, Ordering::Relaxed);
    let results = sprayers.map(|sprayer| sprayer.join().expect("the sprayer"));

    println!("sprayers sent and got {results:?}; the call: {call}");
    assert!(results.iter().all(|(sent, _)| *sent > 10_000), "{results:?}");
    assert!(results.iter().all(|(_, got)| *got == 0), "a sprayer was sent media: {results:?}");
    assert_eq!(lines[0].streams.iter().copied().collect::<Vec<_>>(), [bob], "alice hears bob alone");
    assert_eq!(lines[1].streams.iter().copied().collect::<Vec<_>>(), [alice], "bob hears alice alone");
    assert!(lines.iter().all(|line| line.sources.len() == 1));
    assert!(lines[0].heard.duration_of(620.0) >= Duration::from_secs(2), "{}", lines[0].heard);
    assert!(lines[1].heard.duration_of(440.0) >= Duration::from_secs(2), "{}", lines[1].heard);
    assert!(call["caller"]["media"]["refused"].as_u64() > Some(0), "refusals are counted: {call}");
    couple.hang_up(&mut talking);
    pbx.wait_for_empty_tables();
    pbx.stop();
}

#[test]
fn an_echo_is_not_for_a_sprayer_either() {
    let pbx = Pbx::start("spray-echo");
    let mut phone = interop::phone::Phone::new(pbx.ports.address(), pbx.sip, "1001", "1234");
    let mut line = Line::new(anywhere(), 440.0);
    let stream = line.stream();
    let stop = Arc::new(AtomicBool::new(false));
    let sprayer = spray("127.0.0.1", pbx.media.clone(), &stop);
    let mut call = phone.invite("600", &interop::phone::sdp(line.address, "sendrecv"));
    let answer = phone.outcome(&mut call);
    assert_eq!(answer.status(), Some(200), "{}", answer.start);
    line.remote = answer.media();
    let talk = Talk::start_paced(vec![line], Duration::from_secs(3));
    std::thread::sleep(Duration::from_secs(3));
    let line = talk.stop().remove(0);
    stop.store(true, Ordering::Relaxed);
    let (_, got) = sprayer.join().expect("the sprayer");
    assert_eq!(got, 0);
    assert!(line.heard.duration_of(440.0) >= Duration::from_millis(1_500), "{}", line.heard);
    assert!(!line.streams.contains(&0x6666_6666), "{:?}, own {stream}", line.streams);
    assert_eq!(phone.bye(&mut call), 200);
    pbx.wait_for_empty_tables();
    pbx.stop();
}
