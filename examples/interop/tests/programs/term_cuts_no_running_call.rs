//! TERM under load: new calls are refused with 503 and Retry-After, running ones go on, and the end is at the deadline at most.

use interop::couple::{Couple, Talking, anywhere};
use interop::media::{Line, Talk};
use interop::pbx::Pbx;
use interop::phone::sdp;
use interop::wait::PATIENCE;
use std::time::{Duration, Instant};

fn calls(couple: &mut Couple, count: usize) -> (Vec<Talking>, Vec<Line>) {
    let (mut calls, mut lines) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (mut of_alice, mut of_bob) =
            (Line::new(anywhere(), 440.0).counting(), Line::new(anywhere(), 620.0).counting());
        calls.push(couple.call(&mut of_alice, &mut of_bob));
        lines.extend([of_alice, of_bob]);
    }
    (calls, lines)
}

fn is_refused(couple: &mut Couple) {
    let mut late = couple.alice.invite("1002", &sdp(interop::ports::local(9), "sendrecv"));
    let refusal = couple.alice.outcome(&mut late);
    assert_eq!(refusal.status(), Some(503), "{}", refusal.start);
    assert!(refusal.header("Retry-After").is_some(), "{:?}", refusal.headers);
}

#[test]
fn running_calls_end_when_they_want_to_and_then_the_program_does() {
    let mut pbx = Pbx::start_with("term", "[calls]\ndrain_time = \"60s\"\n");
    let mut couple = Couple::new(&pbx);
    let (mut calls, lines) = calls(&mut couple, 50);
    let talk = Talk::start(lines);
    let told = Instant::now();
    pbx.process().signal("TERM");
    std::thread::sleep(Duration::from_secs(1));
    is_refused(&mut couple);
    // Media goes on meanwhile, and nobody is hung up.
    std::thread::sleep(Duration::from_secs(3));
    assert!(calls.iter().all(|call| !couple.alice.is_hung_up(&call.outgoing)), "cut before the deadline");
    let lines = talk.stop();
    assert!(lines.iter().all(|line| line.received >= line.sent * 9 / 10 && line.sent > 100), "media stopped");
    assert!(pbx.process().ended().is_none(), "ended with calls running");
    for call in &mut calls {
        couple.hang_up(call);
    }
    let status = pbx.process().wait(PATIENCE);
    println!("ended {:?} after TERM, with the last call", told.elapsed());
    assert!(status.success(), "{status}");
    assert!(told.elapsed() < Duration::from_secs(55), "it did not wait for the deadline with no call left");
}

#[test]
fn calls_that_do_not_end_are_hung_up_at_the_deadline_not_before() {
    let mut pbx = Pbx::start_with("term-deadline", "[calls]\ndrain_time = \"6s\"\n");
    let mut couple = Couple::new(&pbx);
    let (calls, _lines) = calls(&mut couple, 5);
    let told = Instant::now();
    pbx.process().signal("TERM");
    for call in &calls {
        let bye = couple.alice.request(&call.outgoing, "BYE");
        assert!(told.elapsed() >= Duration::from_millis(5_900), "hung up after {:?}", told.elapsed());
        couple.alice.reply(&bye, "200 OK", None, "", "");
        couple.bob.wait_for_bye(&call.incoming);
    }
    let status = pbx.process().wait(PATIENCE * 2);
    assert!(status.success(), "{status}");
}
