//! What goes wrong and how calls end, judged by SIPp: each with the status that RFC 3261 names, and nothing left.

use interop::capture::Capture;
use interop::pbx::Pbx;
use interop::sipp::{self, Setup, Sipp};
use std::time::Duration;

const CALLS: u32 = 20;

/// Runs a caller alone.
fn caller(scenario: &str, service: &str, user: &str, secret: &str) {
    let pbx = Pbx::start(scenario);
    let capture = Capture::start(&pbx.folder, pbx.sip, &pbx.media);
    let setup = Setup {
        scenario,
        local: pbx.ports.address(),
        server: pbx.sip,
        service,
        user,
        secret,
        calls: CALLS,
        ..Setup::default()
    };
    sipp::run(&pbx.folder, &setup);
    pbx.wait_for_empty_tables();
    assert!(capture.finish().sip >= 6 * CALLS as usize);
    pbx.stop();
}

/// Runs a caller and the callee that it calls.
fn both(caller: &str, callee: &str) {
    let pbx = Pbx::start(callee);
    let capture = Capture::start(&pbx.folder, pbx.sip, &pbx.media);
    let local = pbx.ports.address();
    let of_callee = Setup {
        local,
        server: pbx.sip,
        service: "1002",
        user: "1002",
        length: Duration::from_millis(300),
        ..Setup::default()
    };
    sipp::run(&pbx.folder, &Setup { scenario: "register", ..of_callee.clone() });
    let mut answering = Sipp::start(&pbx.folder, &Setup { scenario: callee, calls: CALLS, ..of_callee.clone() });
    answering.wait_until_it_listens(local);
    let of_caller = Setup {
        scenario: caller,
        local: pbx.ports.address(),
        server: pbx.sip,
        service: "1002",
        calls: CALLS,
        length: Duration::from_millis(300),
        ..Setup::default()
    };
    sipp::run(&pbx.folder, &of_caller);
    answering.must_succeed(CALLS, Duration::from_secs(60));
    pbx.wait_for_empty_tables();
    assert!(capture.finish().sip >= 8 * CALLS as usize);
    pbx.stop();
}

#[test]
fn a_wrong_password_is_refused() {
    caller("caller_not_known", "600", "1001", "wrong");
}

#[test]
fn an_unknown_user_is_refused_in_the_same_way() {
    caller("caller_not_known", "600", "9999", "1234");
}

#[test]
fn an_unknown_extension_is_not_found() {
    caller("caller_refused_404", "7777", "1001", "1234");
}

#[test]
fn a_phone_that_is_not_registered_is_unavailable() {
    caller("caller_refused_480", "1002", "1001", "1234");
}

#[test]
fn a_busy_phone_is_busy() {
    both("caller_refused_486", "callee_busy");
}

#[test]
fn a_cancelled_call_ends_on_both_sides_while_it_rings() {
    both("caller_cancels", "callee_cancelled");
}

#[test]
fn the_caller_hangs_up() {
    both("caller", "callee");
}

#[test]
fn the_callee_hangs_up() {
    both("caller_hung_up_on", "callee_hangs_up");
}
