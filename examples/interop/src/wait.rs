//! Waiting for something with a deadline.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Long enough for anything that a busy two-core machine should have done.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until there is an answer.
///
/// # Panics
///
/// When there is none in time; says what was awaited.
pub fn until<T>(what: &str, patience: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited {patience:?} in vain for {what}");
        sleep(Duration::from_millis(20));
    }
}
