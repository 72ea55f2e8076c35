//! Seeded histories of the metadata log, with a crash between append, sync and publication.
//! Shell.

use std::panic::AssertUnwindSafe;

use ottla_sim::metadata_history::MetadataHistory;
use ottla_sim::{run_seeds, with_trace};

#[test]
fn what_was_shown_survives_every_end_and_a_follower_has_it_too() {
    run_seeds("what_was_shown_survives_every_end_and_a_follower_has_it_too", 150, |seed| {
        let mut history = MetadataHistory::new(seed);
        let played = std::panic::catch_unwind(AssertUnwindSafe(|| history.play(40)));
        with_trace(seed, played, &history.trace);
    });
}
