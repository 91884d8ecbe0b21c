//! A called phone sends media with a 183 before it answers; a real phone that calls hears it meanwhile.

use interop::baresip::{Baresip, Setup};
use interop::media::{Line, Talk};
use interop::pbx::Pbx;
use interop::phone::{Phone, sdp};
use std::time::Duration;

#[test]
fn baresip_hears_early_media() {
    let pbx = Pbx::start("early");
    let mut bob = Phone::new(pbx.ports.address(), pbx.sip, "1002", "1234");
    assert_eq!(bob.register(600), 200);
    let mut alice = Baresip::start(&pbx, &Setup { user: "1001", transport: "udp", tone: 440.0, answers: false });
    alice.dial("1002", pbx.sip);
    let call = bob.incoming();
    let mut line = Line::new(pbx.ports.address(), 760.0);
    line.remote = call.invite.media();
    bob.respond(&call, "183 Session Progress", &sdp(line.address, "sendrecv"));
    let address = line.address;
    let talk = Talk::start(vec![line]);
    alice.wait_to_hear(760.0, Duration::from_secs(2));
    assert!(!alice.has_told("CALL_ESTABLISHED"), "answered too early");
    bob.respond(&call, "200 OK", &sdp(address, "sendrecv"));
    bob.request(&call, "ACK");
    alice.wait_for("CALL_ESTABLISHED");
    alice.wait_to_hear(760.0, Duration::from_secs(1));
    alice.command("hangup", "");
    bob.wait_for_bye(&call);
    let line = talk.stop().remove(0);
    assert!(line.heard.duration_of(440.0) >= Duration::from_millis(500), "{}", line.heard);
    alice.quit();
    pbx.wait_for_empty_tables();
    pbx.stop();
}
