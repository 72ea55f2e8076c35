//! A cluster that nobody uses does nothing for its partitions.
//! Shell.

use std::time::Duration;

use ottla_sim::whole::{Idle, rest};

#[test]
fn an_idle_partition_is_not_looked_at_and_costs_no_turn() {
    let time = Duration::from_secs(20);
    let Idle { looks, turns } = rest(3, time);
    assert_eq!(looks, 0, "an idle fetch carries nothing");
    let many = rest(300, time);
    assert_eq!(many.looks, 0, "an idle fetch carries nothing");
    // Which task comes first is the seed's, and moves a few turns over the edge.
    assert!(many.turns <= turns + turns / 20, "{turns} turns with 3 partitions, {} with 300", many.turns);
    eprintln!("{turns} turns in {time:?}");
}
