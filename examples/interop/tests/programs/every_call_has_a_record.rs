//! The file of call records after a run of different calls: each is found, with the right times and disposition.

use interop::couple::{Couple, anywhere};
use interop::media::Line;
use interop::pbx::Pbx;
use interop::phone::sdp;
use interop::records::{self, Record};
use std::time::{Duration, Instant, SystemTime};

/// Seconds since 1970 of the local time as the file writes it, for differences only.
fn seconds(text: &str) -> i64 {
    let output = std::process::Command::new("date").args(["-d", text, "+%s"]).output().expect("date");
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or_else(|_| panic!("no time: {text:?}"))
}

#[test]
fn every_call_of_a_run_is_found_with_its_times_and_disposition() {
    let begin = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |it| it.as_secs() as i64);
    let pbx = Pbx::start("records");
    let mut couple = Couple::new(&pbx);
    let offer = sdp(Line::new(anywhere(), 440.0).address, "sendrecv");

    // Answered, for two seconds, by the echo.
    let mut echo = couple.alice.invite("600", &offer);
    assert_eq!(couple.alice.outcome(&mut echo).status(), Some(200));
    let answered = Instant::now();
    std::thread::sleep(Duration::from_secs(2));
    let talked = answered.elapsed().as_secs();
    assert_eq!(couple.alice.bye(&mut echo), 200);

    // Answered by a phone that rang for a second.
    let mut outgoing = couple.alice.invite("1002", &offer);
    let incoming = couple.bob.incoming();
    couple.bob.respond(&incoming, "180 Ringing", "");
    std::thread::sleep(Duration::from_secs(1));
    couple.bob.respond(&incoming, "200 OK", &sdp(Line::new(anywhere(), 620.0).address, "sendrecv"));
    assert_eq!(couple.alice.outcome(&mut outgoing).status(), Some(200));
    couple.bob.request(&incoming, "ACK");
    assert_eq!(couple.alice.bye(&mut outgoing), 200);
    couple.bob.wait_for_bye(&incoming);

    // Busy.
    let mut outgoing = couple.alice.invite("1002", &offer);
    let incoming = couple.bob.incoming();
    couple.bob.respond(&incoming, "486 Busy Here", "");
    assert_eq!(couple.alice.outcome(&mut outgoing).status(), Some(486));

    // Given up.
    let mut outgoing = couple.alice.invite("1002", &offer);
    let incoming = couple.bob.incoming();
    couple.bob.respond(&incoming, "180 Ringing", "");
    assert_eq!(couple.alice.progress(&outgoing).status(), Some(180));
    assert_eq!(couple.alice.cancel(&outgoing), 200);
    assert_eq!(couple.alice.outcome(&mut outgoing).status(), Some(487));
    couple.bob.request(&incoming, "CANCEL");
    couple.bob.respond(&incoming, "487 Request Terminated", "");

    // Nobody registered.
    let mut outgoing = couple.alice.invite("1004", &offer);
    assert_eq!(couple.alice.outcome(&mut outgoing).status(), Some(480));
    pbx.wait_for_empty_tables();

    let records = records::read(&pbx.records());
    let of = |dst: &str, disposition: &str| -> Record {
        let found: Vec<&Record> = records.iter().filter(|it| it.dst == dst && it.disposition == disposition).collect();
        assert_eq!(found.len(), 1, "{disposition} call to {dst} in {records:#?}");
        found[0].clone()
    };
    assert_eq!(records.len(), 5, "{records:#?}");
    let echo = of("600", "ANSWERED");
    assert_eq!(echo.lastapp, "Echo");
    assert!((talked..=talked + 1).contains(&echo.billsec), "{talked} s: {echo:?}");
    let rang = of("1002", "ANSWERED");
    assert!(rang.duration >= 1 && rang.billsec < rang.duration, "{rang:?}");
    assert!(seconds(&rang.answer) > seconds(&rang.start), "{rang:?}");
    for unanswered in [
        of("1002", "BUSY"),
        of("1002", "NO ANSWER"),
        records.iter().find(|it| it.dst == "1004").cloned().expect("1004"),
    ] {
        assert_eq!((unanswered.billsec, unanswered.answer.as_str()), (0, ""), "{unanswered:?}");
        assert_ne!(unanswered.disposition, "ANSWERED");
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |it| it.as_secs() as i64);
    for record in &records {
        assert_eq!(record.src, "1001");
        let (start, end) = (seconds(&record.start), seconds(&record.end));
        assert!(begin - 1 <= start && start <= end && end <= now + 1, "{record:?}");
        assert!((end - start - record.duration as i64).abs() <= 1, "{record:?}");
    }
    pbx.stop();
}
