//! How many allocations the hot path may make.
//!
//! One test, because the allocator counts for the whole process.

use bytes::Bytes;
use peers_parse::{MESSAGES, allocations, tandem};

#[test]
fn the_hot_path_keeps_to_its_allocations() {
    for (name, text) in MESSAGES {
        let bytes = Bytes::from(text.to_vec());
        // Bytes make their count on the first clone.
        drop(bytes.clone());
        let count = |work: fn(&Bytes)| allocations::count(|| work(&bytes));
        // Past 32 headers the index moves to the heap.
        let large = u64::from(name.contains("60 headers"));
        assert_eq!(count(tandem::index), large, "{name}: index");
        assert!(count(tandem::typed) <= large, "{name}: index, then four typed headers");
        assert!(count(tandem::typed_borrowed) <= large, "{name}: borrowed, four typed headers");
        assert!(
            count(tandem::forward) <= tandem::FORWARD_BUDGET + 3 * large,
            "{name}: forward {}",
            count(tandem::forward)
        );
    }
}
