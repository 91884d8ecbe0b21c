//! Random steps of programs and network: no panic, every call that was told of ends once, the tables are empty at the end.
//! The fuzz targets take the same steps from a fuzzer.

mod common {
    pub mod world;
}

use common::world::{self, Step};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

fn runs(count: u64, fits: impl Fn(&Step) -> bool) {
    for seed in 0..count {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut data = vec![0; 2_000];
        rng.fill_bytes(&mut data);
        world::run(&data, &fits);
    }
}

#[test]
fn calls_end_and_leave_nothing_on_a_network_that_loses_repeats_and_reorders() {
    runs(120, |step| !matches!(step, Step::Register(_) | Step::Raw(..) | Step::Spoil(..)));
}

#[test]
fn registrations_end_and_leave_nothing_on_a_network_that_also_spoils() {
    runs(120, |step| {
        use Step::{Deliver, Lose, Register, Spoil, Twice, Unregister, Wait};
        matches!(step, Register(_) | Unregister(_) | Deliver(_) | Twice(_) | Lose(_) | Spoil(..) | Wait(_))
    });
}

#[test]
fn everything_ends_and_leaves_nothing_on_a_network_that_also_lies() {
    runs(120, |_| true);
}
