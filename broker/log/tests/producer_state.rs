//! The producers of a partition, call by call, as Apache Kafka 4.3.1's own ProducerStateManager has them.
//! Core, over the committed golden script (`protocol-tests/golden` writes what comes of each call).

use ottla_log::producer_snapshot;
use ottla_log::producer_state::{Checked, Guarding, ProducerRefusal, ProducerState};
use ottla_log::verification::{FirstBatch, GuardSource, Verification};
use ottla_model::{Offset, ProducerEpoch, ProducerId, Sequence};
use ottla_records::{BatchBuilder, BatchHeader, BatchView, EndTxnMarker};

const SCRIPT: &str = include_str!("golden/producer_state.txt");
const EXPIRATION_MS: i64 = 100;

#[derive(Default)]
struct Player {
    state: ProducerState,
    guards: GuardSource,
    now_ms: i64,
}

fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("not a number: {word}"))
}

fn refused(refusal: &ProducerRefusal) -> String {
    let name = match refusal {
        ProducerRefusal::OutOfOrderSequence(_) => "OutOfOrderSequence",
        ProducerRefusal::InvalidProducerEpoch(_) => "InvalidProducerEpoch",
        ProducerRefusal::InvalidTxnState(_) => "InvalidTxnState",
        ProducerRefusal::TransactionCoordinatorFenced(_) => "TransactionCoordinatorFenced",
    };
    name.to_owned()
}

impl Player {
    fn perform(&mut self, call: &str) -> String {
        let words: Vec<&str> = call.split(' ').collect();
        match words[0] {
            "new" => {
                self.state = ProducerState::default();
                "ok".to_owned()
            }
            "at" => {
                self.now_ms = number(words[1]);
                "ok".to_owned()
            }
            "hw" => {
                self.state.on_high_watermark(Offset(number(words[1])));
                self.unstable()
            }
            "expire" => {
                self.state.remove_expired(number(words[1]), EXPIRATION_MS);
                self.state.entries().len().to_string()
            }
            "snapshot" => self.snapshot(),
            "producers" => self.producers(),
            "marker" => self.marker(&words),
            "verify" => {
                let (epoch, sequence) = (ProducerEpoch(number(words[2])), Sequence(number(words[3])));
                self.verify(ProducerId(number(words[1])), epoch, sequence, words[4] == "v2")
            }
            kind => self.batch(kind, &words),
        }
    }

    fn end(&self) -> Offset {
        self.state.end_offset()
    }

    fn batch(&mut self, kind: &str, words: &[&str]) -> String {
        let mut builder = BatchBuilder::new().base_offset(self.end()).producer(
            ProducerId(number(words[1])),
            ProducerEpoch(number(words[2])),
            Sequence(number(words[3])),
        );
        if kind != "data" {
            builder = builder.transactional();
        }
        for _ in 0..number(words[4]) {
            builder.append(self.now_ms, None, Some(b"v"), &[]);
        }
        let header = *BatchView::first(&builder.build()).expect("a batch").header();
        if kind == "first" {
            self.verify(header.producer_id, header.producer_epoch, header.base_sequence, true);
        }
        match self.state.check(&header, None, true, Guarding::None, self.end(), &"t-0") {
            Err(refusal) => refused(&refusal),
            Ok(Checked::Duplicate(found)) => {
                format!("duplicate {} {}", found.first_offset(), found.last_offset)
            }
            Ok(Checked::New) => {
                assert_eq!(self.state.apply(&header, None), None);
                format!("{} {}", header.base_offset, self.unstable())
            }
        }
    }

    fn verify(
        &mut self,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
        sequence: Sequence,
        has_epoch_bump: bool,
    ) -> String {
        let batch = FirstBatch { producer_id, producer_epoch, sequence, has_epoch_bump };
        match self.state.begin_verification(&batch, self.guards.fresh(), self.now_ms) {
            Verification::Ongoing => "ongoing".to_owned(),
            Verification::Needed(_) => "needed".to_owned(),
        }
    }

    fn marker(&mut self, words: &[&str]) -> String {
        let marker = EndTxnMarker {
            is_commit: words[3] == "commit",
            coordinator_epoch: number(words[4]),
            timestamp: self.now_ms,
        };
        let bytes = marker.build(ProducerId(number(words[1])), ProducerEpoch(number(words[2])));
        let built = *BatchView::first(&bytes).expect("a batch").header();
        let header = BatchHeader { base_offset: self.end(), ..built };
        if let Err(refusal) =
            self.state.check(&header, Some(&marker), false, Guarding::None, self.end(), &"t-0")
        {
            return refused(&refusal);
        }
        let ended = match self.state.apply(&header, Some(&marker)) {
            None => "nothing".to_owned(),
            Some(txn) => format!(
                "{} {} {} stable {}",
                txn.first_offset,
                txn.last_offset,
                if txn.is_aborted { "aborted" } else { "committed" },
                txn.last_stable_offset
            ),
        };
        format!("{} ends {ended} {}", header.base_offset, self.unstable())
    }

    fn unstable(&self) -> String {
        let first = self.state.first_unstable_offset();
        format!("unstable {}", first.map_or("-".to_owned(), |offset| offset.to_string()))
    }

    /// The bytes of the file; the state is what the next life reads of it.
    fn snapshot(&mut self) -> String {
        let bytes = producer_snapshot::write(&self.state);
        self.state = producer_snapshot::parse(&bytes, self.end()).expect("a snapshot");
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn producers(&self) -> String {
        let one = |(id, entry): (ProducerId, &ottla_log::producer_state::ProducerEntry)| {
            let batches = entry.batches.iter().map(|batch| {
                let first = i64::from(batch.last_sequence.0) - i64::from(batch.offset_delta);
                let first = if first < 0 { first + (1 << 31) } else { first };
                format!(" {first}..{}@{}..{}", batch.last_sequence.0, batch.first_offset(), batch.last_offset)
            });
            format!(
                "{} epoch {} coordinator {} at {} open {}{}",
                id.0,
                entry.epoch.0,
                entry.coordinator_epoch,
                entry.last_timestamp,
                entry.current_txn_first_offset.map_or("-".to_owned(), |offset| offset.to_string()),
                batches.collect::<String>()
            )
        };
        self.state.entries().map(one).collect::<Vec<_>>().join("; ")
    }
}

#[test]
fn every_call_ends_as_in_apache_kafka() {
    let mut player = Player::default();
    let mut calls = 0;
    for (index, line) in SCRIPT.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let (call, expected) = line.split_once(" => ").unwrap_or_else(|| panic!("{line}: no outcome"));
        assert_eq!(player.perform(call), expected, "line {}: {call}", index + 1);
        calls += 1;
    }
    assert!(calls > 600, "the script is not whole: {calls} calls");
}
