//! Seeded histories of a consumer group over a whole broker on a disk that breaks.
//! Shell.

use std::panic::AssertUnwindSafe;
use std::sync::Mutex;

use ottla_sim::consumer_history::ConsumerHistory;
use ottla_sim::consumer_history::book::Counts;
use ottla_sim::{run_seeds, with_trace};

const SEEDS: u64 = 24;

#[test]
fn no_partition_is_with_two_or_with_none_and_no_offset_is_lost_in_every_history() {
    let total = Mutex::new((Counts::default(), 0));
    run_seeds(
        "no_partition_is_with_two_or_with_none_and_no_offset_is_lost_in_every_history",
        SEEDS,
        |seed| {
            let mut history = ConsumerHistory::new(seed);
            let played = std::panic::catch_unwind(AssertUnwindSafe(|| history.play(8_000)));
            with_trace(seed, played, &history.book.trace());
            let counts = history.book.counts();
            let (total, restarts) = &mut *total.lock().expect("no panic holds it");
            total.given += counts.given;
            total.committed += counts.committed;
            total.upgrades += counts.upgrades;
            total.downgrades += counts.downgrades;
            *restarts += history.restarts;
        },
    );
    let (total, restarts) = total.into_inner().expect("no panic holds it");
    let seeds = ottla_sim::seeds(SEEDS).len();
    assert!(
        total.committed > 30 * seeds
            && total.given > 5 * seeds
            && (seeds < 24 || total.upgrades > 0)
            && restarts > 3 * seeds,
        "too little happened: {total:?}, {restarts} restarts"
    );
}

#[test]
fn a_seed_repeats() {
    for seed in 0..4 {
        let play = || {
            let mut history = ConsumerHistory::new(seed);
            history.play(3_000);
            history.book.trace()
        };
        assert_eq!(play(), play(), "seed {seed}");
    }
}
