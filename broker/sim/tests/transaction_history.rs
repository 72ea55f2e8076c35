//! Seeded histories of transactions over a whole broker on a disk that breaks.
//! Shell.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_sim::transaction_history::TransactionHistory;
use ottla_sim::{run_seeds, with_trace};

#[test]
fn every_input_is_counted_once_in_every_history() {
    let (commits, restarts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    run_seeds("every_input_is_counted_once_in_every_history", 200, |seed| {
        let mut history = TransactionHistory::new(seed);
        let played = std::panic::catch_unwind(AssertUnwindSafe(|| history.play(4_000)));
        with_trace(seed, played, &history.book.trace());
        commits.fetch_add(history.book.acknowledged_commits(), Ordering::Relaxed);
        restarts.fetch_add(history.restarts, Ordering::Relaxed);
    });
    let (commits, restarts) = (commits.into_inner(), restarts.into_inner());
    println!("{commits} commits, {restarts} restarts");
    assert!(commits > 0 && restarts > 0, "too little happened: {commits} commits, {restarts} restarts");
}
