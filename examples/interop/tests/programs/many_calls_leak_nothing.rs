//! Call after call between two phones: memory stays flat, and nothing is left. Twice 3,000 calls, or twice 20,000
//! with `TANDEM_LONG=1`.

use interop::pbx::Pbx;
use interop::sipp::{self, Setup, Sipp};
use std::time::Duration;

#[test]
fn memory_stays_flat() {
    let long = std::env::var_os("TANDEM_LONG").is_some();
    let (calls, rate) = if long { (20_000, 200) } else { (3_000, 150) };
    let mut pbx = Pbx::start_alone("many");
    let local = pbx.ports.address();
    let callee = Setup { local, server: pbx.sip, service: "1002", user: "1002", ..Setup::default() };
    sipp::run(&pbx.folder, &Setup { scenario: "register", ..callee.clone() });
    let mut answering = Sipp::start(&pbx.folder, &Setup { scenario: "callee", calls: calls * 2, ..callee.clone() });
    answering.wait_until_it_listens(local);
    let mut resident = Vec::new();
    // The first round fills what is kept on purpose; the second must not need more.
    for _ in 0..2 {
        let caller = Setup {
            scenario: "caller",
            local: pbx.ports.address(),
            server: pbx.sip,
            service: "1002",
            calls,
            rate,
            length: Duration::from_millis(200),
            ..Setup::default()
        };
        let outcome = Sipp::start(&pbx.folder, &caller).outcome(Duration::from_secs(200));
        assert_eq!((outcome.successful, outcome.failed), (calls, 0), "{:?}", pbx.metrics());
        pbx.wait_for_empty_tables();
        resident.push(pbx.process().resident());
    }
    answering.must_succeed(calls * 2, Duration::from_secs(60));
    println!("resident after {calls} and {} calls: {resident:?} kB", calls * 2);
    let growth = resident[1].saturating_sub(resident[0]);
    // One kilobyte a call is the leak that other stacks had.
    assert!(growth < u64::from(calls) / 4 + 2_048, "{resident:?}");
    pbx.stop();
}
