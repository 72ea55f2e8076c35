//! Seeded histories of clients whose quotas come and go.
//! Shell.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use ottla_sim::quota_history::{Counts, QuotaHistory};
use ottla_sim::{run_seeds, with_trace};

const SEEDS: u64 = 12;
const STEPS: usize = 1_000;

#[test]
fn clients_rest_as_long_as_kafkas_arithmetic_says_in_every_history() {
    let total = Mutex::new(Counts::default());
    run_seeds("clients_rest_as_long_as_kafkas_arithmetic_says_in_every_history", SEEDS, |seed| {
        let mut history = QuotaHistory::new(seed);
        let played = catch_unwind(AssertUnwindSafe(|| (0..STEPS).for_each(|_| history.step())));
        with_trace(seed, played, &history.trace);
        let mut total = total.lock().expect("no panic holds it");
        total.free += history.counts.free;
        total.rested += history.counts.rested;
        total.refused += history.counts.refused;
        total.limits += history.counts.limits;
    });
    let total = total.into_inner().expect("no panic holds it");
    let seeds = ottla_sim::seeds(SEEDS).len() as u64;
    let is_enough = total.free > 30 * seeds
        && total.rested > 30 * seeds
        && total.refused > seeds
        && total.limits > 15 * seeds;
    assert!(is_enough, "too little happened: {total:?}");
}
