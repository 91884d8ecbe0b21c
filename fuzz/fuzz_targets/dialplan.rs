//! `extensions.conf`: any text is read, its lines are shown, and a channel that is put anywhere in it does only what can be
//! done and comes to an end.
#![no_main]

use std::{io, sync::Arc, time::Duration};

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use pbx::{
    asterisk::file,
    dialplan::{Action, DialStatus, Dialled, Dialplan, Facts, Outcome, Thread, World},
};

/// What happens next, from a byte.
fn outcome(byte: u8) -> Outcome {
    const STATUS: [DialStatus; 6] = [
        DialStatus::Answer,
        DialStatus::Busy,
        DialStatus::NoAnswer,
        DialStatus::Cancel,
        DialStatus::Congestion,
        DialStatus::ChanUnavail,
    ];
    match byte {
        b'0'..=b'9' | b'*' | b'#' => Outcome::Digit(char::from(byte)),
        b'd' => Outcome::Done,
        b'f' => Outcome::Failed,
        b't' => Outcome::Timeout,
        _ => Outcome::Dialled(Dialled {
            status: STATUS[usize::from(byte) % STATUS.len()],
            cause: byte,
            peer: String::new(),
            number: String::new(),
            talked: Duration::from_secs(u64::from(byte)),
            total: Duration::from_secs(1),
        }),
    }
}

fuzz_target!(|data: &[u8]| {
    // Context, extension, what happens, and the dialplan.
    let mut parts = data.splitn(4, |&byte| byte == b'\n').map(String::from_utf8_lossy);
    let mut part = || parts.next().unwrap_or_default().into_owned();
    let (context, extension, happens, text) = (part(), part(), part(), part());
    let mut problems = Vec::new();
    let mut source =
        |name: &str| if name == "main" { Ok(text.clone()) } else { Err(io::Error::from(io::ErrorKind::NotFound)) };
    let Some(file) = file::read("main", &mut source, &mut problems) else { panic!("it is there") };
    let plan = Arc::new(Dialplan::parse(&file, &mut problems));
    assert!(plan.lines(None).last().is_some_and(|line| line.ends_with(". =-")));
    let found = plan.find(&context, &extension, "1001").map(|found| found.extension.to_owned());
    // The one that is found is the first of all that match.
    let all = plan.all(&context, &extension, "1001");
    assert!(found.is_none() || all.iter().any(|one| Some(one.extension) == found.as_deref()));

    let mut facts = Facts { name: "SIP/1001-1".to_owned(), technology: "SIP", ..Facts::default() };
    facts.caller.number = "1001".to_owned();
    let mut world = World::new(&plan, [1; 32], TimeZone::UTC);
    let Ok(mut thread) = Thread::start(plan, &context, &extension, facts) else { return };
    let mut action = thread.resume(Outcome::Begin, &mut world);
    for (step, byte) in happens.bytes().take(50).enumerate() {
        match &action {
            Action::End(_) | Action::Hangup { .. } => break,
            Action::Dial(dial) => assert!(!dial.targets.is_empty() && dial.targets.len() <= 64),
            Action::Playback { files, .. } => assert!(!files.is_empty()),
            Action::Wait(time) => assert!(!time.is_zero()),
            _ => {}
        }
        world.set_clock(i64::try_from(step).unwrap_or(0) * 100_000_000);
        action = thread.resume(outcome(byte), &mut world);
        assert!(thread.data().len() <= 8_191);
    }
    thread.hang_up(16, None, &mut world);
    assert!(matches!(thread.resume(Outcome::Done, &mut world), Action::End(_)));
    assert!(world.globals() <= 10_000);
});
