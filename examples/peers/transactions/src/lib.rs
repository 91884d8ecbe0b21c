//! Server transactions in memory, without sockets: from the bytes of a request to the empty table.

pub mod allocations;
pub mod load;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// What is held for one of many transactions.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// All of it.
    pub each: u64,
    /// The bytes of the request and of the last response that are stored with it.
    pub stored: u64,
}

/// Lets so many transactions begin, answered so many times, and counts what is held for each, tables included.
pub fn held(work: load::Work, answers: usize, transactions: usize) -> Held {
    let statuses = work.statuses().get(..answers).unwrap_or_default();
    let mut load = load::Load::new();
    let before = allocations::held();
    let mut requests = 0;
    for number in 0..transactions as u64 {
        let message = work.messages(number).swap_remove(0);
        // The request is forgotten with its final response.
        if statuses.last().is_none_or(|status| status.is_provisional()) {
            requests += message.len() as u64;
        }
        load.feed(message, statuses);
    }
    assert_eq!(load.snapshot().server_transactions, transactions);
    let transactions = transactions as u64;
    let each = (allocations::held() - before) / transactions;
    Held { each, stored: requests / transactions + load.last as u64 }
}
