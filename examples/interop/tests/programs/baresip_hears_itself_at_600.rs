//! A real phone registers with digest, calls the echo over UDP and over TCP, and hears its own tone.

use interop::baresip::{Baresip, Setup};
use interop::capture::Capture;
use interop::pbx::Pbx;
use std::time::Duration;

fn hears_itself(transport: &str, hertz: f64) {
    let pbx = Pbx::start(&format!("echo-{transport}"));
    let capture = Capture::start(&pbx.folder, pbx.sip, &pbx.media);
    let mut phone = Baresip::start(&pbx, &Setup { user: "1001", transport, tone: hertz, answers: false });
    pbx.wait_for_registration("1001", 1);
    let binding = &pbx.status()["accounts"][0]["bindings"][0];
    assert_eq!(binding["transport"], transport.to_uppercase());

    phone.dial("600", pbx.sip);
    phone.wait_for("CALL_ESTABLISHED");
    phone.wait_to_hear(hertz, Duration::from_secs(2));
    phone.command("hangup", "");
    phone.wait_for("CALL_CLOSED");
    let heard = phone.wait_to_hear(hertz, Duration::from_secs(2));
    assert!((heard.frequency() - hertz).abs() < 1.0, "{heard}");
    assert!((heard.level_of(hertz) + 10.0).abs() < 1.0, "the echo is as loud as what was said: {heard}");

    phone.quit();
    pbx.wait_for_registration("1001", 0);
    pbx.wait_for_empty_tables();
    let seen = capture.finish();
    assert!(seen.sip >= 10 && seen.rtp >= 100, "{seen:?}");
    pbx.stop();
}

#[test]
fn baresip_hears_itself_over_udp() {
    hears_itself("udp", 440.0);
}

#[test]
fn baresip_hears_itself_over_tcp() {
    hears_itself("tcp", 620.0);
}
