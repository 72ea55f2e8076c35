//! Seeded histories of consumer groups on a disk that breaks.
//! Shell.

use std::panic::AssertUnwindSafe;

use ottla_sim::group_history::GroupHistory;
use ottla_sim::{run_seeds, with_trace};

#[test]
fn acknowledged_offsets_survive_every_history() {
    run_seeds("acknowledged_offsets_survive_every_history", 200, |seed| {
        let mut history = GroupHistory::new(seed);
        let played = std::panic::catch_unwind(AssertUnwindSafe(|| history.play(80)));
        with_trace(seed, played, &history.trace);
    });
}
