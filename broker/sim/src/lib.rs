//! Simulated worlds for real rooms: seeded histories, outside checkers.
//! Shell. A failing seed is printed as the command that repeats it.

pub mod breaking;
pub mod cleaner_history;
pub mod cluster_history;
pub mod consumer_history;
pub mod group_history;
pub mod log_history;
pub mod login_history;
pub mod metadata_history;
pub mod quota_history;
pub mod rooms;
pub mod share_history;
pub mod transaction_history;
pub mod whole;
pub mod wire;

/// The seeds a test runs: the one in `OTTLA_SEED`, or so many from 0 on (`OTTLA_SEEDS` of them
/// when that is set).
pub fn seeds(count: u64) -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("OTTLA_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("OTTLA_SEEDS").unwrap_or(count)).collect(),
    }
}

/// Runs `history` for each seed; a panic in one is told with the command that repeats it.
pub fn run_seeds(test: &str, count: u64, history: impl Fn(u64) + std::panic::RefUnwindSafe) {
    for seed in seeds(count) {
        if let Err(panic) = std::panic::catch_unwind(|| history(seed)) {
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_default();
            panic!("{text}\nrepeat with: OTTLA_SEED={seed} cargo test -p ottla-sim {test}");
        }
    }
}

/// Panics again with the last steps of a history that failed.
pub fn with_trace(seed: u64, played: std::thread::Result<()>, trace: &[String]) {
    if let Err(panic) = played {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let last = trace[trace.len().saturating_sub(40)..].join("\n  ");
        panic!("seed {seed}: {}\n  {last}", text.unwrap_or_default());
    }
}
