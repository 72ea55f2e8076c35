//! The histories, and the pitfalls that they stand for.
//! Shell.

use super::History;

/// The seeds of a test: the one in `OTTLA_SEED`, or so many from 0 on (`OTTLA_SEEDS` of them when that is set).
fn seeds(count: u64) -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("OTTLA_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("OTTLA_SEEDS").unwrap_or(count)).collect(),
    }
}

/// Plays a history; a panic is told with its last steps and the command that repeats it.
fn play(seed: u64, steps: usize) -> (usize, usize) {
    let mut history = History::new(seed);
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for _ in 0..steps {
            history.step();
        }
        history.heal();
    }));
    if let Err(panic) = played {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let trace = &history.trace;
        let last = trace[trace.len().saturating_sub(60)..].join("\n  ");
        panic!(
            "seed {seed}: {}\n  {last}\nrepeat with: OTTLA_SEED={seed} cargo test -p ottla-replica replica_history",
            text.unwrap_or_default()
        );
    }
    (history.checks.acked_count(), history.checks.leaderships)
}

#[test]
fn replicas_agree_whatever_happens() {
    let (mut acked, mut leaderships, mut count) = (0, 0, 0);
    for seed in seeds(40) {
        let (of_seed, led) = play(seed, 1_000);
        acked += of_seed;
        leaderships += led;
        count += 1;
    }
    // A history in which nothing happens proves nothing.
    assert!(acked > 10 * count && leaderships > 2 * count, "{acked} acked, {leaderships} leaderships");
}
