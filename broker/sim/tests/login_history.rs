//! Seeded histories of logins in front of a whole broker.
//! Shell.

use std::sync::Mutex;

use ottla_sim::login_history::{Counts, LoginHistory};
use ottla_sim::run_seeds;

const SEEDS: u64 = 4;
/// Few: a proof of a password takes thousands of rounds.
const STEPS: usize = 150;
/// Connections; those to SCRAM cost nothing, as none of them comes to a proof.
const DAMAGED: usize = 1_500;

#[test]
fn a_client_is_who_it_has_proven_to_be_until_its_session_ends_in_every_history() {
    let total = Mutex::new(Counts::default());
    run_seeds("a_client_is_who_it_has_proven_to_be_until_its_session_ends_in_every_history", SEEDS, |seed| {
        let mut history = LoginHistory::new(seed);
        for _ in 0..STEPS {
            history.step();
        }
        let mut total = total.lock().expect("no panic holds it");
        total.logins += history.counts.logins;
        total.relogins += history.counts.relogins;
        total.refused += history.counts.refused;
        total.expired += history.counts.expired;
    });
    let total = total.into_inner().expect("no panic holds it");
    let seeds = ottla_sim::seeds(SEEDS).len() as u64;
    let is_enough = total.logins > 5 * seeds
        && total.relogins > seeds
        && total.refused > 2 * seeds
        && total.expired > seeds;
    assert!(is_enough, "too little happened: {total:?}");
}

#[test]
fn nothing_but_a_login_is_looked_at_before_one() {
    LoginHistory::new(1).ask_everything();
}

#[test]
fn damaged_frames_before_a_login_let_nobody_in() {
    let answered = std::sync::atomic::AtomicU64::new(0);
    run_seeds("damaged_frames_before_a_login_let_nobody_in", SEEDS, |seed| {
        let count = LoginHistory::new(seed).damage(DAMAGED);
        answered.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
    });
    let answered = answered.into_inner();
    assert!(answered > 100 * ottla_sim::seeds(SEEDS).len() as u64, "{answered} were answered");
}
