//! Thousands of seeded histories of one compacted log whose process dies while it is cleaned.
//! Shell.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_sim::cleaner_history::CleanerHistory;
use ottla_sim::run_seeds;

#[test]
fn last_values_survive_every_cleaning() {
    let cleanings = AtomicUsize::new(0);
    run_seeds("last_values_survive_every_cleaning", 600, |seed| {
        let mut history = CleanerHistory::new(seed);
        let played = std::panic::catch_unwind(AssertUnwindSafe(|| history.play(80)));
        if let Err(panic) = played {
            let steps = history.trace.len();
            let last = history.trace[steps.saturating_sub(60)..].join("\n  ");
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            panic!("seed {seed}: {text}\n  {last}");
        }
        cleanings.fetch_add(history.cleanings, Ordering::Relaxed);
    });
    assert!(cleanings.load(Ordering::Relaxed) > 0, "logs were cleaned");
}
