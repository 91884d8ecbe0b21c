//! Everything at once: two endpoints, their programs, and a network that also lies.
#![no_main]

#[path = "../../iax2/tests/common/world.rs"]
mod iax2_world;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    iax2_world::run(data, |_| true);
});
