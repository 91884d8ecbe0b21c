//! Two thousand calls at a hundred a second, each with digest, none fails; afterwards nothing is left.

use interop::capture::Capture;
use interop::pbx::Pbx;
use interop::records;
use interop::sipp::{self, Setup};
use std::collections::HashSet;
use std::time::Duration;

#[test]
fn two_thousand_calls_with_digest_do_not_fail() {
    let pbx = Pbx::start_alone("load-echo");
    let capture = Capture::start(&pbx.folder, pbx.sip, &pbx.media);
    let setup = Setup {
        scenario: "caller",
        local: pbx.ports.address(),
        server: pbx.sip,
        calls: 2_000,
        rate: 100,
        // More than the second that is looked for in the records, which count whole ones.
        length: Duration::from_millis(1_200),
        ..Setup::default()
    };
    let outcome = sipp::run(&pbx.folder, &setup);
    println!("{outcome:?}");
    pbx.wait_for_empty_tables();

    let seen = capture.finish();
    // Eight messages a call, and no 100 when the answer comes at once.
    assert!(seen.sip >= 2_000 * 8, "{seen:?}");
    let records = records::read(&pbx.records());
    assert_eq!(records.len(), 2_000);
    assert!(records.iter().all(|it| it.disposition == "ANSWERED" && it.dst == "600" && it.src == "1001"));
    assert!(records.iter().all(|it| (1..=8).contains(&it.billsec)), "each lasted a second");
    assert_eq!(records.iter().map(|it| &it.uniqueid).collect::<HashSet<_>>().len(), 2_000);
    pbx.stop();
}

#[test]
fn calls_over_tcp_do_not_fail() {
    let pbx = Pbx::start_alone("load-echo-tcp");
    let setup = Setup {
        scenario: "caller",
        local: pbx.ports.address(),
        server: pbx.sip,
        calls: 300,
        rate: 50,
        length: Duration::from_millis(500),
        tcp: true,
        ..Setup::default()
    };
    sipp::run(&pbx.folder, &setup);
    pbx.wait_for_empty_tables();
    pbx.stop();
}
