//! Variables, functions and expressions: any text has a value, in bounded time and of bounded length.
#![no_main]

use std::sync::Arc;

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use pbx::{
    asterisk::file,
    dialplan::{Action, Dialplan, Facts, Outcome, Thread, World},
};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data).replace(['\n', '\r', '\u{2028}'], " ").replace(';', "\\;");
    let source = format!(
        "[globals]\nG=global\n[c]\nexten => 5551234,1,Set(A=5)\nsame => n,Set(B=a-b-c)\nsame => n,Set(C=B)\n\
         same => n,Set(R={text})\nsame => n,Wait(1)\nexten => i,1,Wait(2)\n"
    );
    let mut problems = Vec::new();
    let file = file::read("main", &mut |_| Ok(source.clone()), &mut problems).expect("it is there");
    let plan = Arc::new(Dialplan::parse(&file, &mut problems));
    let mut world = World::new(&plan, [1; 32], TimeZone::UTC);
    world.set_clock(1_700_000_000_000_000);
    let value = |mut world: World| {
        let facts = Facts { name: "SIP/1001-1".to_owned(), technology: "SIP", ..Facts::default() };
        let mut thread = Thread::start(plan.clone(), "c", "5551234", facts).expect("it is there");
        let action = thread.resume(Outcome::Begin, &mut world);
        assert!(matches!(action, Action::Wait(_) | Action::End(_)), "{action:?}");
        thread.variable("R")
    };
    let first = value(world.clone());
    assert!(first.as_ref().is_none_or(|value| value.len() <= 4_095));
    // With the same clock and the same dice it is the same again.
    assert_eq!(first, value(world));
});
