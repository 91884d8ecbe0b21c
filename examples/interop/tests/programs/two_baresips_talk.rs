//! Two real phones, one by UDP and one by TCP, call each other: a different tone each way, also after hold and resume.

use interop::baresip::{Baresip, Setup};
use interop::capture::Capture;
use interop::pbx::Pbx;
use interop::wait::{PATIENCE, until};
use std::time::Duration;

const ALICE: f64 = 440.0;
const BOB: f64 = 620.0;
const ENOUGH: Duration = Duration::from_secs(2);

/// Waits until a phone was sent two more seconds of a tone.
///
/// Not by its recording: this baresip goes on receiving but no longer recording after a hold.
fn is_sent_more(capture: &Capture, phone: &Baresip, hertz: f64) {
    let before = capture.heard_at(&phone.media).duration_of(hertz);
    until(&format!("two more seconds of {hertz} Hz"), PATIENCE, || {
        (capture.heard_at(&phone.media).duration_of(hertz) >= before + ENOUGH).then_some(())
    });
}

fn held(pbx: &Pbx, held: bool) {
    until(&format!("a call whose caller holds: {held}"), PATIENCE, || {
        (pbx.status()["calls"][0]["caller"]["held"] == held).then_some(())
    });
}

fn talk(caller_transport: &str, callee_transport: &str) {
    let pbx = Pbx::start(&format!("two-{caller_transport}"));
    let capture = Capture::start(&pbx.folder, pbx.sip, &pbx.media);
    let mut alice =
        Baresip::start(&pbx, &Setup { user: "1001", transport: caller_transport, tone: ALICE, answers: false });
    let mut bob = Baresip::start(&pbx, &Setup { user: "1002", transport: callee_transport, tone: BOB, answers: true });
    alice.dial("1002", pbx.sip);
    alice.wait_for("CALL_ESTABLISHED");
    bob.wait_for("CALL_ESTABLISHED");
    alice.wait_to_hear(BOB, ENOUGH);
    bob.wait_to_hear(ALICE, ENOUGH);

    alice.command("hold", "");
    held(&pbx, true);
    alice.command("resume", "");
    held(&pbx, false);
    is_sent_more(&capture, &alice, BOB);
    is_sent_more(&capture, &bob, ALICE);

    let call = &pbx.status()["calls"][0];
    for side in ["caller", "callee"] {
        let media = &call[side]["media"];
        assert!(media["packets"].as_u64() > Some(100), "{call}");
        assert_eq!(media["lost"], 0, "{call}");
        assert_eq!(media["refused"], 0, "{call}");
    }
    bob.command("hangup", "");
    alice.wait_for("CALL_CLOSED");
    let (of_alice, of_bob) = (alice.heard(), bob.heard());
    assert!((of_alice.frequency() - BOB).abs() < 1.0, "{of_alice}");
    assert!((of_bob.frequency() - ALICE).abs() < 1.0, "{of_bob}");
    alice.quit();
    bob.quit();
    pbx.wait_for_empty_tables();
    let seen = capture.finish();
    assert!(seen.sip >= 30 && seen.rtp >= 400, "{seen:?}");
    pbx.stop();
}

#[test]
fn a_phone_on_udp_calls_one_on_tcp() {
    talk("udp", "tcp");
}

#[test]
fn a_phone_on_tcp_calls_one_on_udp() {
    talk("tcp", "udp");
}
