//! Five hundred calls at once, each with fifty packets a second each way for thirty seconds: none is lost by the PBX.

use interop::couple::{Couple, anywhere};
use interop::media::{Line, talk_for};
use interop::pbx::Pbx;
use std::time::Duration;

const LENGTH: Duration = Duration::from_secs(30);

/// As many as the machine is asked to carry: `TANDEM_CALLS`, or 500.
fn calls() -> usize {
    std::env::var("TANDEM_CALLS").ok().and_then(|count| count.parse().ok()).unwrap_or(500)
}

#[test]
fn no_packet_is_lost() {
    let mut pbx = Pbx::start_alone("media");
    let mut couple = Couple::new(&pbx);
    let (mut lines, mut calls) = (Vec::new(), (0..calls()).map(|_| None).collect::<Vec<_>>());
    for slot in &mut calls {
        let (mut of_alice, mut of_bob) =
            (Line::new(anywhere(), 440.0).counting(), Line::new(anywhere(), 620.0).counting());
        *slot = Some(couple.call(&mut of_alice, &mut of_bob));
        lines.extend([of_alice, of_bob]);
    }
    let before = pbx.process().processor_time();
    let lines = talk_for(lines, LENGTH);
    let used = pbx.process().processor_time() - before;

    let sent: u32 = lines.iter().map(|line| line.sent).sum();
    let missing: u32 =
        lines.chunks_exact(2).map(|pair| pair[0].missing_from(&pair[1]) + pair[1].missing_from(&pair[0])).sum();
    let count = calls.len();
    let share = used.as_secs_f64() / LENGTH.as_secs_f64() / count as f64;
    println!(
        "{count} calls, {sent} packets sent, {missing} missing; the PBX used {used:?} of processor time: {:.3} % of a core a \
         call, {:.1} us a packet",
        share * 100.0,
        used.as_secs_f64() * 1e6 / f64::from(sent)
    );
    assert!(sent as usize >= count * 2 * 1_400, "the generator did not keep up: {sent}");
    assert!(lines.iter().all(|line| line.streams.len() == 1), "each hears one stream");
    assert_eq!(missing, 0, "of {sent}");
    for call in calls.iter_mut().flatten() {
        couple.hang_up(call);
    }
    pbx.wait_for_empty_tables();
    pbx.stop();
}
