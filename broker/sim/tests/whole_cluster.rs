//! Whole clusters from seeds. `OTTLA_SEEDS=1000` plays more of them, `OTTLA_SEED=7` one.
//! Shell.

use ottla_sim::whole;

/// So many fit into the time of all tests.
const SEEDS: u64 = 3;

/// Each seed is played twice: a simulation that does not repeat proves nothing and helps nobody. `OTTLA_TELL` tells of
/// each what happened in it, `OTTLA_ONCE` plays it once.
#[test]
fn whole_clusters_keep_their_promises_and_every_seed_repeats() {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let (tells, once) = (is_set("OTTLA_TELL"), is_set("OTTLA_ONCE"));
    ottla_sim::run_seeds("--test whole_cluster", SEEDS, |seed| {
        let first = whole::play(seed);
        if tells {
            eprintln!("seed {seed}: {first:?}");
        }
        assert!(first.acked > 0 && first.compared > 0, "{first:?}");
        if !once && whole::play(seed) != first {
            whole::panic_where_two_runs_part(seed);
        }
    });
}
