//! The rules of one transactional id against a golden script, whose answers are Apache Kafka's.
//! Core.

use ottla_model::{ErrorCode, ProducerEpoch, ProducerId};

use super::super::codec::{self, TransactionRecord};
use super::super::decide::{self, Decided, Decision, Ending};
use super::super::metadata::*;
use super::place;

const SCRIPT: &str = include_str!("golden.txt");
const TIMEOUT_MS: i32 = 60_000;
const NOW_MS: i64 = 1_000;

/// What is known of the id, and the last producer id that was given out.
#[derive(Default)]
struct Player {
    present: Option<TransactionMetadata>,
    last_id: i64,
}

fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("not a number: {word}"))
}

fn producer(words: &[&str]) -> (ProducerId, ProducerEpoch) {
    (ProducerId(number(words[0])), ProducerEpoch(number(words[1])))
}

fn version(word: &str) -> TransactionVersion {
    if word == "v2" { TransactionVersion::V2 } else { TransactionVersion::V0 }
}

fn partitions(words: &[&str]) -> PartitionSet {
    words.iter().map(|word| place(number(word))).collect()
}

impl Player {
    fn perform(&mut self, call: &str) -> String {
        let words: Vec<&str> = call.split(' ').collect();
        match (words[0], &words[1..]) {
            ("new", _) => {
                *self = Player::default();
                "ok".to_owned()
            }
            ("init", named) => self.init((!named.is_empty()).then(|| producer(named))),
            ("add", asked) => {
                let ((id, epoch), version) = (producer(asked), version(asked[2]));
                let places = partitions(&asked[3..]);
                let present = self.present.as_ref();
                let decided = decide::add_partitions(present, id, epoch, &places, version, NOW_MS);
                self.take(decided).map_or_else(|error| format!("{error:?}"), |_| "ok".to_owned())
            }
            ("verify", asked) => {
                let (id, epoch) = producer(asked);
                let present = self.present.as_ref();
                match decide::verify_partitions(present, id, epoch, &partitions(&asked[2..])) {
                    Ok(errors) => errors.iter().map(|e| format!("{e:?}")).collect::<Vec<_>>().join(" "),
                    Err(error) => format!("{error:?}"),
                }
            }
            ("end", asked) => self.end(asked),
            ("markers", _) => self.change(|present| decide::complete(&present, NOW_MS)),
            ("late", _) => {
                match self.present.as_ref().and_then(|present| decide::time_out(present, i64::MAX)) {
                    Some(next) => self.change(|_| next),
                    None => "nothing".to_owned(),
                }
            }
            ("epoch", epoch) => self.change(|present| TransactionMetadata {
                producer_epoch: ProducerEpoch(number(epoch[0])),
                ..present
            }),
            ("restart", _) => self.restart(),
            ("state", _) => self.state(),
            _ => panic!("not a call: {call}"),
        }
    }

    /// Takes in what was decided; the answer of the coordinator rests on it.
    fn take(&mut self, decided: Decision) -> Result<TransactionMetadata, ErrorCode> {
        match decided? {
            Decided::Next(next) => self.present = Some(next),
            Decided::Same => {}
            Decided::NeedsProducerId => panic!("a producer id is in hand"),
        }
        Ok(self.present.clone().expect("known"))
    }

    /// As the coordinator: asked once without a producer id in hand, and with one if it is needed.
    fn with_spare(&mut self, ask: impl Fn(Option<ProducerId>) -> Decision) -> Decision {
        match ask(None) {
            Ok(Decided::NeedsProducerId) => {
                self.last_id += 1;
                ask(Some(ProducerId(self.last_id)))
            }
            decided => decided,
        }
    }

    fn init(&mut self, named: Option<(ProducerId, ProducerEpoch)>) -> String {
        let present = self.present.clone();
        let ask = |spare| decide::init_producer_id(present.as_ref(), TIMEOUT_MS, named, spare, NOW_MS);
        let decided = self.with_spare(ask);
        match self.take(decided) {
            Ok(next) if next.state.is_ending() => format!("{:?}", ErrorCode::ConcurrentTransactions),
            Ok(next) => format!("{} {}", next.producer_id.0, next.producer_epoch.0),
            Err(error) => format!("{error:?}"),
        }
    }

    fn end(&mut self, asked: &[&str]) -> String {
        let (producer_id, producer_epoch) = producer(asked);
        let version = version(asked[3]);
        let ending = Ending { producer_id, producer_epoch, is_commit: asked[2] == "commit", version };
        let present = self.present.clone();
        let decided =
            self.with_spare(|spare| decide::end_transaction(present.as_ref(), &ending, spare, NOW_MS));
        match self.take(decided) {
            Err(error) => format!("{error:?}"),
            Ok(_) if !version.supports_epoch_bump() => "ok".to_owned(),
            Ok(next) if next.next_producer_id.is_none() => {
                format!("{} {}", next.producer_id.0, next.producer_epoch.0)
            }
            Ok(next) => format!("{} 0", next.next_producer_id.0),
        }
    }

    fn change(&mut self, change: impl FnOnce(TransactionMetadata) -> TransactionMetadata) -> String {
        self.present = self.present.take().map(change);
        self.state()
    }

    fn restart(&mut self) -> String {
        let record = TransactionRecord { transactional_id: Box::from("id"), value: self.present.take() };
        let bytes = codec::encode(&record).expect("a record");
        let read = codec::decode(&bytes.key, bytes.value.as_deref()).expect("readable").expect("known");
        self.present = read.value;
        self.state()
    }

    fn state(&self) -> String {
        let present = self.present.as_ref().expect("known");
        let mut words = vec![
            present.state.name().to_owned(),
            present.producer_id.0.to_string(),
            present.producer_epoch.0.to_string(),
        ];
        words.extend(present.partitions.iter().map(|one| one.partition.0.to_string()));
        words.join(" ")
    }
}

#[test]
fn every_call_ends_as_the_golden_script_says() {
    let mut player = Player::default();
    let mut calls = 0;
    let is_call = |line: &&str| !line.is_empty() && !line.starts_with('#');
    for (index, line) in SCRIPT.lines().enumerate().filter(|(_, line)| is_call(line)) {
        let (call, expected) = line.split_once(" => ").unwrap_or_else(|| panic!("{line}: no outcome"));
        assert_eq!(player.perform(call), expected, "line {}: {call}", index + 1);
        calls += 1;
    }
    assert!(calls > 180, "the script is not whole: {calls} calls");
}
