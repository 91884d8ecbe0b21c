//! Session descriptions against a second opinion, that of `sdp-types`.
#![no_main]

#[path = "../../examples/peers/parse/tests/second/description.rs"]
mod description;
#[path = "../../examples/peers/parse/tests/second/quiet.rs"]
mod quiet;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let (Some(ours), Some(theirs)) = (description::ours(data), description::theirs(data)) {
        if let Err(different) = description::compare(&ours, &theirs) {
            panic!("{different}");
        }
    }
});
