//! Whole clusters from seeds. `OTTLA_SEEDS=1000` plays more of them, `OTTLA_SEED=7` one.

use ottla_sim::whole;

/// So many fit into the time of all tests.
const SEEDS: u64 = 12;

/// Each seed is played twice: a simulation that does not repeat proves nothing and helps nobody.
#[test]
fn whole_clusters_keep_their_promises_and_every_seed_repeats() {
    ottla_sim::run_seeds("--test whole_cluster", SEEDS, |seed| {
        let first = whole::play(seed);
        let second = whole::play(seed);
        assert_eq!(first, second, "the same seed gives the same history");
        assert!(first.acked > 0 && first.compared > 0, "{first:?}");
        if std::env::var("OTTLA_TELL").is_ok() {
            eprintln!("seed {seed}: {first:?}");
        }
    });
}
