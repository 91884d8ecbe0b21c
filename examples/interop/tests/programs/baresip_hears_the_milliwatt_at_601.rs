//! A real phone calls the milliwatt tone and hears 1004 Hz at 0 dBm0.

use interop::baresip::{Baresip, Setup};
use interop::capture::Capture;
use interop::pbx::Pbx;
use std::time::Duration;

#[test]
fn baresip_hears_1004_hertz_at_0_dbm0() {
    let pbx = Pbx::start("milliwatt");
    let capture = Capture::start(&pbx.folder, pbx.sip, &pbx.media);
    let mut phone = Baresip::start(&pbx, &Setup { user: "1002", transport: "udp", tone: 440.0, answers: false });
    phone.dial("601", pbx.sip);
    phone.wait_for("CALL_ESTABLISHED");
    phone.wait_to_hear(1_004.0, Duration::from_secs(3));
    phone.command("hangup", "");
    phone.wait_for("CALL_CLOSED");
    let heard = phone.wait_to_hear(1_004.0, Duration::from_secs(3));
    assert!((heard.frequency() - 1_004.0).abs() < 0.5, "{heard}");
    assert!(heard.level_of(1_004.0).abs() < 0.3, "{heard}");
    println!("heard: {heard}; the tone alone {:.2} dBm0", heard.level_of(1_004.0));
    phone.quit();
    pbx.wait_for_empty_tables();
    assert!(capture.finish().rtp >= 150);
    pbx.stop();
}
