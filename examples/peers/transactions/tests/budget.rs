//! How many allocations a server transaction may make, and how many bytes it may hold.
//!
//! One test, because the allocator counts for the whole process.

use peers_transactions::load::{Load, Work};
use peers_transactions::{allocations, held};

#[test]
fn server_transactions_keep_to_their_allocations_and_memory() {
    for (work, most) in
        [(Work::Options, 2.0), (Work::OptionsBehindNat, 11.0), (Work::Rejected, 4.0), (Work::Accepted, 4.0)]
    {
        let messages: Vec<_> = (0..1_000).map(|number| work.messages(number)).collect();
        let mut load = Load::new();
        // Tables grow in the first round.
        load.round(work, &messages);
        let before = allocations::count();
        load.round(work, &messages);
        let each = (allocations::count() - before) as f64 / 1_000.0;
        assert!(each <= most, "{}: {each}", work.name());
        assert_eq!(load.ended, 2_000);
    }
    // A hundred thousand half-open INVITEs, from none to all, tables and all.
    for answers in 0..=2 {
        let held = held(Work::Rejected, answers, 100_000);
        assert!(held.each <= 3_000, "{held:?}");
        assert!(held.each - held.stored <= 1_024, "{held:?}");
    }
}
