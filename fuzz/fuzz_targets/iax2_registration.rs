//! Steps of registrations between two endpoints, with datagrams lost, repeated, reordered and spoilt.
#![no_main]

#[path = "../../iax2/tests/common/world.rs"]
mod iax2_world;

use iax2_world::Step;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    iax2_world::run(data, |step| {
        use Step::{Deliver, Lose, Register, Spoil, Twice, Unregister, Wait};
        matches!(step, Register(_) | Unregister(_) | Deliver(_) | Twice(_) | Lose(_) | Spoil(..) | Wait(_))
    });
});
