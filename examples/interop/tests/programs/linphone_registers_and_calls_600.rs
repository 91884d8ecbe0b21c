//! Another real phone, of another stack: linphonec registers, calls the echo and hears its own tone.

use interop::capture::Capture;
use interop::linphone::Linphone;
use interop::pbx::Pbx;
use interop::wait::{PATIENCE, until};
use std::time::Duration;

#[test]
fn linphone_registers_and_hears_itself() {
    let pbx = Pbx::start("linphone");
    let capture = Capture::start(&pbx.folder, pbx.sip, &pbx.media);
    let mut phone = Linphone::start(&pbx, 540.0);
    phone.command(&format!("register sip:1003@{sip} sip:{sip} 1234", sip = pbx.sip));
    pbx.wait_for_registration("1003", 1);
    phone.command(&format!("call sip:600@{}", pbx.sip));
    until("two seconds of linphone's own tone", PATIENCE, || {
        (phone.heard().duration_of(540.0) >= Duration::from_secs(2)).then_some(())
    });
    assert_eq!(pbx.status()["calls"].as_array().map(Vec::len), Some(1));
    phone.command("terminate");
    until("the end of the call", PATIENCE, || {
        (pbx.status()["calls"].as_array().map(Vec::len) == Some(0)).then_some(())
    });
    let heard = phone.heard();
    assert!((heard.frequency() - 540.0).abs() < 1.0, "{heard}");
    phone.quit();
    pbx.wait_for_empty_tables();
    let seen = capture.finish();
    assert!(seen.sip >= 10 && seen.rtp >= 100, "{seen:?}");
    pbx.stop();
}
