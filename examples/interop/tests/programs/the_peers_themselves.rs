//! The tools of these tests, without the PBX: what is said is heard, what is captured is judged.

use interop::baresip::{Baresip, Setup};
use interop::capture::Capture;
use interop::couple::anywhere;
use interop::folder::Folder;
use interop::media::{Line, Talk};
use interop::phone::{Phone, sdp};
use interop::ports::Ports;
use std::time::Duration;

#[test]
fn baresip_and_our_phone_hear_each_other() {
    let (ports, folder) = (Ports::claim(), Folder::new("peers"));
    let address = ports.address();
    let mut alice = Baresip::start_at(
        &ports,
        &folder,
        address,
        &Setup { user: "1001", transport: "udp", tone: 440.0, answers: false },
    );
    let capture = Capture::start(&folder, alice.address, &ports.phone_media(1));
    let mut bob = Phone::new(address, alice.address, "1002", "1234");
    let register = bob.wait("a REGISTER", interop::wait::PATIENCE, |message| message.method() == Some("REGISTER"));
    bob.reply(&register, "200 OK", None, "Expires: 600\r\n", "");
    alice.dial("1002", address);
    let call = bob.incoming();
    let mut line = Line::new(anywhere(), 620.0);
    line.remote = call.invite.media();
    bob.respond(&call, "200 OK", &sdp(line.address, "sendrecv"));
    bob.request(&call, "ACK");
    let talk = Talk::start(vec![line]);
    alice.wait_to_hear(620.0, Duration::from_secs(9));
    alice.command("hangup", "");
    bob.wait_for_bye(&call);
    let line = talk.stop().remove(0);
    assert!(line.heard.duration_of(440.0) >= Duration::from_secs(1), "{}", line.heard);
    assert_eq!(line.streams.len(), 1);
    let seen = capture.finish();
    assert!(seen.sip >= 6 && seen.rtp >= 100, "{seen:?}");
}

#[test]
fn a_malformed_packet_in_a_capture_is_found() {
    let (ports, folder) = (Ports::claim(), Folder::new("malformed"));
    let (sip, from) = (ports.address(), ports.address());
    let capture = Capture::start(&folder, sip, &ports.phone_media(1));
    let _listener = std::net::UdpSocket::bind(sip).expect("a socket");
    let socket = std::net::UdpSocket::bind(from).expect("a socket");
    // A length that is no number, and headers that do not end.
    let broken = format!(
        "OPTIONS sip:{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKx\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n\
         Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: many\r\nSubject: no end"
    );
    socket.send_to(broken.as_bytes(), sip).expect("sent");
    std::thread::sleep(Duration::from_millis(500));
    let verdict = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| capture.finish()));
    assert!(verdict.is_err(), "tshark found nothing wrong: {verdict:?}");
}
