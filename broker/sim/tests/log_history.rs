//! Thousands of seeded histories of one log on a disk that breaks.
//! Shell.

use std::panic::AssertUnwindSafe;

use ottla_sim::log_history::LogHistory;
use ottla_sim::run_seeds;

#[test]
fn acknowledged_records_survive_every_history() {
    run_seeds("acknowledged_records_survive_every_history", 3_000, |seed| {
        let mut history = LogHistory::new(seed);
        let played = std::panic::catch_unwind(AssertUnwindSafe(|| history.play(60)));
        if let Err(panic) = played {
            let steps = history.trace.len();
            let last = history.trace[steps.saturating_sub(40)..].join("\n  ");
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            panic!("seed {seed}: {text}\n  {last}");
        }
    });
}
