//! Seeded histories of a broker's topics, configs and records on a disk that breaks.
//! Shell.

use std::panic::AssertUnwindSafe;

use ottla_sim::cluster_history::ClusterHistory;
use ottla_sim::{run_seeds, with_trace};

#[test]
fn what_was_answered_is_in_force_after_every_history() {
    run_seeds("what_was_answered_is_in_force_after_every_history", 300, |seed| {
        let mut history = ClusterHistory::new(seed);
        let played = std::panic::catch_unwind(AssertUnwindSafe(|| history.play(40)));
        with_trace(seed, played, &history.trace);
    });
}
