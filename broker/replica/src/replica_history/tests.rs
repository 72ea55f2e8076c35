//! The histories, and the pitfalls that they stand for.
//! Shell.

use ottla_log::AppendOrigin;
use ottla_model::{ErrorCode, Offset};
use ottla_records::BatchBuilder;
use ottla_records::header::HEADER_BYTES;

use super::node::{BACKOFF, End};
use super::{History, REPLICAS};
use crate::acknowledge::Acks;
use crate::test_world::{C, ME, NOW};

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
    let told = format!("{acked} acked, {leaderships} leaderships in {count} histories");
    assert!(acked > 10 * count && leaderships > count, "{told}");
}

/// What follows is not left to chance.
impl History {
    fn quiet() -> History {
        History::new(7)
    }

    fn hear_all(&mut self) {
        for node in 0..3 {
            self.hear(node, usize::MAX);
        }
    }

    /// So many batches of one record.
    fn append(&mut self, node: usize, count: usize, acks: Acks) -> Vec<Offset> {
        let partition = self.nodes[node].partition().expect("hosted");
        (0..count)
            .map(|_| {
                self.next_number += 1;
                let mut builder = BatchBuilder::new();
                builder.append(NOW, None, Some(self.next_number.to_string().as_bytes()), &[]);
                let batch = builder.build();
                let body = batch.slice(HEADER_BYTES..);
                let appended = partition.append(batch, AppendOrigin::Client, acks, NOW).expect("it leads");
                let offset = appended.info.base_offset;
                match appended.pending {
                    Some(pending) => self.wait(node, offset, body, pending),
                    None if acks == Acks::All => self.checks.on_acked(offset, body),
                    None => {}
                }
                offset
            })
            .collect()
    }

    /// The node fetches so many times, and everything that is on its way arrives.
    fn exchange(&mut self, node: usize, times: usize) {
        for _ in 0..times {
            self.clock.advance(BACKOFF);
            self.fetch(node);
            self.propose(0);
            self.propose(1);
            self.propose(2);
            while !self.messages.is_empty() {
                self.deliver();
            }
            self.nodes[node].work();
            self.settle();
            self.check();
        }
    }

    fn elect(&mut self, node: usize) {
        self.controller.elect(Some(REPLICAS[node]));
        assert_eq!(self.controller.leader, Some(REPLICAS[node]));
        self.hear_all();
        self.check();
    }

    fn log_end(&self, node: usize) -> i64 {
        self.nodes[node].log().expect("open").log_end_offset().0
    }

    fn high_watermark(&self, node: usize) -> i64 {
        self.nodes[node].partition().expect("hosted").role().high_watermark().expect("known").0
    }

    fn is_acked(&self, offset: i64) -> bool {
        self.checks.is_acked(offset)
    }
}

#[test]
fn p1_a_follower_of_a_new_leader_keeps_what_is_above_its_high_watermark() {
    let mut history = History::quiet();
    history.append(0, 2, Acks::All);
    history.exchange(1, 1);
    history.exchange(2, 1);
    // Both have both; the leader hears of it, and they do not hear that it did.
    let request = history.nodes[1].ask(ME, 901).expect("a fetch");
    let _unheard = history.nodes[0].answer(&request);
    let request = history.nodes[2].ask(ME, 902).expect("a fetch");
    let _unheard = history.nodes[0].answer(&request);
    history.settle();
    assert!(history.is_acked(1));
    assert_eq!((history.high_watermark(0), history.high_watermark(1)), (2, 0));
    // It follows another leader, and leads itself before it has heard anything from that one.
    history.elect(2);
    history.nodes[1].ask(C, 903).expect("a fetch");
    history.elect(1);
    assert_eq!(history.log_end(1), 2);
    history.heal();
}

#[test]
fn p1_two_elections_in_a_row_with_unequal_tails_leave_one_log() {
    let mut history = History::quiet();
    history.append(0, 1, Acks::Leader);
    history.exchange(1, 2);
    history.exchange(2, 2);
    history.append(0, 2, Acks::Leader);
    history.exchange(1, 1);
    history.elect(1);
    history.append(1, 1, Acks::Leader);
    assert_eq!([0, 1, 2].map(|node| history.log_end(node)), [3, 4, 1]);
    history.elect(2);
    history.append(2, 2, Acks::Leader);
    history.exchange(0, 1);
    assert_eq!(history.log_end(0), 1, "what only it had of epoch 0 is gone");
    history.heal();
    assert_eq!([0, 1, 2].map(|node| history.log_end(node)), [3, 3, 3]);
}

#[test]
fn p2_a_diverging_answer_moves_no_high_watermark() {
    let mut history = History::quiet();
    history.append(0, 1, Acks::Leader);
    history.exchange(1, 2);
    history.exchange(2, 2);
    history.append(0, 2, Acks::Leader);
    history.elect(1);
    history.append(1, 3, Acks::Leader);
    history.controller.fence(ME);
    history.hear_all();
    for _ in 0..3 {
        history.exchange(2, 1);
    }
    assert_eq!(history.high_watermark(1), 4);
    history.fetch(0);
    while !history.messages.is_empty() {
        history.deliver();
    }
    assert_eq!(
        (history.log_end(0), history.high_watermark(0)),
        (3, 1),
        "not cut yet, and nothing more is read"
    );
    history.heal();
}

#[test]
fn p3_a_follower_without_a_log_begins_where_its_leader_does_and_may_lead() {
    let mut history = History::quiet();
    history.append(0, 6, Acks::Leader);
    history.exchange(1, 3);
    history.exchange(2, 3);
    history.nodes[0].log().expect("open").delete_records(Offset(4)).expect("below the high watermark");
    history.stop(2, End::Kill);
    history.nodes[2].wipe();
    history.start(2);
    history.controller.unfence(C);
    history.hear_all();
    history.exchange(2, 6);
    assert!(history.controller.isr.contains(&C), "{:?}", history.node_states());
    let log = history.nodes[2].log().expect("open");
    assert_eq!((log.log_start_offset(), history.high_watermark(2)), (Offset(4), 6));
    history.elect(2);
    history.append(2, 1, Acks::Leader);
    history.heal();
}

/// C is out of sync, has everything, and has a fetch under way that says so. Then it loses its tail and comes back.
fn late_fetch() -> (History, ottla_protocol::messages::FetchRequest) {
    let mut history = History::quiet();
    history.append(0, 1, Acks::Leader);
    for node in [1, 2] {
        history.exchange(node, 2);
    }
    while history.nodes[2].alive.as_ref().expect("it runs").logs.flush_next() {}
    history.nodes[2].log().expect("open").flush().expect("a healthy disk");
    history.controller.fence(C);
    history.hear_all();
    history.append(0, 3, Acks::All);
    history.exchange(1, 3);
    history.exchange(2, 2);
    assert_eq!(history.log_end(2), 4);
    history.controller.unfence(C);
    history.hear(0, usize::MAX);
    history.nodes[2].apply(ME, 0, None);
    let late = history.nodes[2].ask(ME, 900).expect("a fetch");
    assert_eq!(late.topics[0].partitions[0].fetch_offset, 4);
    history.stop(2, End::PowerLoss);
    assert!(!history.controller.isr.contains(&C));
    (history, late)
}

#[test]
fn p7_a_fetch_of_an_earlier_life_brings_nobody_into_the_isr() {
    let (mut history, late) = late_fetch();
    history.start(2);
    history.controller.unfence(C);
    // The leader has heard of the new life.
    history.hear(0, usize::MAX);
    let refused = history.nodes[0].answer(&late).expect("it runs");
    assert_eq!(refused.errors(), [ErrorCode::NotLeaderOrFollower]);
    assert!(history.nodes[0].partition().expect("hosted").proposal().is_none());
    history.heal();
}

#[test]
fn p7_what_is_proposed_belongs_to_the_life_that_fetched() {
    let (mut history, late) = late_fetch();
    let served = history.nodes[0].answer(&late).expect("it runs");
    assert_eq!(served.errors(), [ErrorCode::None], "nobody knows better yet");
    history.start(2);
    history.controller.unfence(C);
    // Only now the leader hears of the new life, and only then its proposal leaves.
    history.nodes[0].hear_brokers(&history.controller.records);
    history.propose(0);
    while !history.messages.is_empty() {
        history.deliver();
    }
    assert!(!history.controller.isr.contains(&C), "{:?}", history.controller.isr);
    history.heal();
}

#[test]
fn p11_a_watermark_of_another_epoch_acknowledges_nothing() {
    let mut history = History::quiet();
    history.append(0, 1, Acks::All);
    assert_eq!(history.waiting.len(), 1);
    history.elect(1);
    history.append(1, 3, Acks::Leader);
    for _ in 0..3 {
        history.exchange(0, 1);
        history.exchange(2, 1);
    }
    history.exchange(0, 1);
    assert!(history.high_watermark(0) > 0);
    assert!(history.waiting.is_empty() && !history.is_acked(0));
    history.heal();
}

#[test]
fn p28_what_was_deleted_stays_deleted_under_the_next_leader() {
    let mut history = History::quiet();
    history.append(0, 5, Acks::Leader);
    for node in [1, 2] {
        history.exchange(node, 2);
    }
    let partition = history.nodes[0].partition().expect("hosted");
    let led = partition.led(-1).expect("it leads");
    led.log().delete_records(Offset(3)).expect("below the high watermark");
    let low_watermark = |led: &crate::partition::Led<'_>| led.low_watermark(|_| true).0;
    assert_eq!(low_watermark(&led), 0, "only the leader has deleted them");
    history.exchange(1, 2);
    assert_eq!(low_watermark(&led), 0);
    history.exchange(2, 2);
    assert_eq!(low_watermark(&led), 3);
    drop(led);
    history.stop(1, End::PowerLoss);
    history.start(1);
    assert_eq!(history.nodes[1].log().expect("open").log_start_offset(), Offset(3), "it is on the disk");
    history.elect(2);
    assert_eq!(history.nodes[2].log().expect("open").log_start_offset(), Offset(3));
    history.heal();
}
