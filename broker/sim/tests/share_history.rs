//! Seeded histories of a share group over a whole broker on a disk that breaks.
//! Shell.

use std::panic::AssertUnwindSafe;
use std::sync::Mutex;

use ottla_sim::share_history::ShareHistory;
use ottla_sim::share_history::book::Counts;
use ottla_sim::{run_seeds, with_trace};

const SEEDS: u64 = 24;

#[test]
fn what_is_settled_never_comes_again_and_the_rest_does_in_every_history() {
    let total = Mutex::new((Counts::default(), 0));
    run_seeds("what_is_settled_never_comes_again_and_the_rest_does_in_every_history", SEEDS, |seed| {
        let mut history = ShareHistory::new(seed);
        let played = std::panic::catch_unwind(AssertUnwindSafe(|| history.play(6_000)));
        with_trace(seed, played, &history.book.trace());
        let counts = history.book.counts();
        let (total, restarts) = &mut *total.lock().expect("no panic holds it");
        total.settled += counts.settled;
        total.deliveries += counts.deliveries;
        total.excused += counts.excused;
        *restarts += history.restarts;
    });
    let (total, restarts) = total.into_inner().expect("no panic holds it");
    let seeds = ottla_sim::seeds(SEEDS).len();
    assert!(
        total.settled > 20 * seeds
            && total.deliveries > total.settled
            && total.excused < total.settled
            && restarts > 3 * seeds,
        "too little happened: {total:?}, {restarts} restarts"
    );
}

#[test]
fn a_seed_repeats() {
    for seed in 0..4 {
        let play = || {
            let mut history = ShareHistory::new(seed);
            history.play(3_000);
            history.book.trace()
        };
        assert_eq!(play(), play(), "seed {seed}");
    }
}
