//! Steps of calls between two endpoints over a network that loses, repeats and reorders, but does not lie.
#![no_main]

#[path = "../../iax2/tests/common/world.rs"]
mod iax2_world;

use iax2_world::Step;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    iax2_world::run(data, |step| !matches!(step, Step::Register(_) | Step::Raw(..) | Step::Spoil(..)));
});
