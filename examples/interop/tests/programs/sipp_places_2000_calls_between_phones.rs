//! Two thousand calls between two phones at a hundred a second, each with digest, none fails.

use interop::capture::Capture;
use interop::pbx::Pbx;
use interop::records;
use interop::sipp::{self, Setup, Sipp};
use std::time::Duration;

#[test]
fn two_thousand_calls_between_phones_do_not_fail() {
    let pbx = Pbx::start_alone("load-two");
    let capture = Capture::start(&pbx.folder, pbx.sip, &pbx.media);
    let local = pbx.ports.address();
    let callee = Setup { local, server: pbx.sip, service: "1002", user: "1002", ..Setup::default() };
    sipp::run(&pbx.folder, &Setup { scenario: "register", ..callee.clone() });
    let mut answering = Sipp::start(&pbx.folder, &Setup { scenario: "callee", calls: 2_000, ..callee.clone() });
    answering.wait_until_it_listens(local);
    let caller = Setup {
        scenario: "caller",
        local: pbx.ports.address(),
        server: pbx.sip,
        service: "1002",
        calls: 2_000,
        rate: 100,
        length: Duration::from_secs(1),
        ..Setup::default()
    };
    let outcome = sipp::run(&pbx.folder, &caller);
    let answered = answering.must_succeed(2_000, Duration::from_secs(60));
    println!("caller {outcome:?}, callee {answered:?}");
    pbx.wait_for_empty_tables();
    let seen = capture.finish();
    assert!(seen.sip >= 2_000 * 15, "{seen:?}");
    let records = records::read(&pbx.records());
    assert_eq!(records.len(), 2_000);
    assert!(records.iter().all(|it| it.disposition == "ANSWERED" && it.dst == "1002" && it.lastapp == "Dial"));
    pbx.stop();
}
