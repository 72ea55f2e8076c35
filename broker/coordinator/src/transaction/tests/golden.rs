//! The rules of one transactional id against golden scripts, whose answers are Apache Kafka's.
//! Core.

use ottla_model::{ErrorCode, ProducerEpoch, ProducerId};

use super::super::codec::{self, TransactionRecord};
use super::super::decide::{self, Decided, Decision, Ending};
use super::super::metadata::*;
use super::place;

/// Lives of one id, call by call.
const LIVES: &str = include_str!("golden.txt");
/// Every state, and what each request leads to there.
const STATES: &str = include_str!("states.txt");
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
            ("markers", _) => match self.present.as_ref().is_some_and(|present| present.state.is_ending()) {
                true => self.change(|present| decide::complete(&present, NOW_MS)),
                false => "nothing".to_owned(),
            },
            ("late", _) => self.late(),
            ("set", words) => self.set(words),
            ("?", call) => self.undone(&call.join(" ")),
            ("previous", state) => {
                let state = TransactionState::from_name(state[0]).expect("a state");
                let mut names: Vec<_> =
                    TransactionState::ALL.into_iter().filter(|before| state.may_follow(*before)).collect();
                names.sort_by_key(|before| before.name());
                names.into_iter().map(TransactionState::name).collect::<Vec<_>>().join(" ")
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
            Decided::Next(next) => {
                if let Some(before) = &self.present {
                    next.assert_follows(before);
                }
                self.present = Some(next);
            }
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

    fn late(&mut self) -> String {
        let present = self.present.clone();
        let decided = self.with_spare(|spare| decide::time_out(present.as_ref(), spare, i64::MAX));
        match decided {
            Ok(Decided::Same) => "nothing".to_owned(),
            decided => self.take(decided).map_or_else(|error| format!("{error:?}"), |_| self.state()),
        }
    }

    fn set(&mut self, words: &[&str]) -> String {
        let state = TransactionState::from_name(words[0]).expect("a state");
        let (producer_id, producer_epoch) = producer(&words[1..]);
        self.last_id = 100;
        self.present = Some(TransactionMetadata {
            producer_id,
            previous_producer_id: ProducerId(number(words[3])),
            next_producer_id: ProducerId(number(words[4])),
            producer_epoch,
            last_producer_epoch: ProducerEpoch(number(words[5])),
            timeout_ms: TIMEOUT_MS,
            state,
            partitions: partitions(&words[7..]),
            start_timestamp_ms: if state == TransactionState::Empty { -1 } else { 1 },
            last_update_timestamp_ms: 1,
            client_version: version(words[6]),
        });
        self.state()
    }

    /// What the call gives, and what is known then; afterwards all is as before.
    fn undone(&mut self, call: &str) -> String {
        let before = (self.present.clone(), self.last_id);
        let outcome = self.perform(call);
        let then = if self.present.is_none() { "-".to_owned() } else { self.state() };
        (self.present, self.last_id) = before;
        format!("{outcome} | {then}")
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
        let mut words = vec![present.state.name().to_owned()];
        words.extend([present.producer_id.0, i64::from(present.producer_epoch.0)].map(|n| n.to_string()));
        words.extend([present.previous_producer_id.0, present.next_producer_id.0].map(|n| n.to_string()));
        words.push(present.last_producer_epoch.0.to_string());
        words.push(format!("v{}", present.client_version.0));
        words.extend(present.partitions.iter().map(|one| one.partition.0.to_string()));
        words.join(" ")
    }
}

/// Plays a script; every call that ends otherwise, and how many calls there are.
fn play(script: &str) -> (Vec<String>, usize) {
    let mut player = Player::default();
    let (mut wrong, mut calls) = (Vec::new(), 0);
    let is_call = |line: &&str| !line.is_empty() && !line.starts_with('#');
    for (index, line) in script.lines().enumerate().filter(|(_, line)| is_call(line)) {
        let (call, expected) = line.split_once(" => ").unwrap_or_else(|| panic!("{line}: no outcome"));
        let outcome = player.perform(call);
        // A state that Kafka has in memory alone.
        let expected = expected.strip_suffix(" PrepareEpochFence").unwrap_or(expected);
        if outcome != expected {
            wrong.push(format!("line {}: {call} => {outcome}, Apache Kafka: {expected}", index + 1));
        }
        calls += 1;
    }
    (wrong, calls)
}

#[test]
fn every_call_of_a_life_ends_as_in_kafka() {
    let (wrong, calls) = play(LIVES);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(calls > 180, "the script is not whole: {calls} calls");
}

#[test]
fn every_request_in_every_state_ends_as_in_kafka() {
    let (wrong, calls) = play(STATES);
    assert!(wrong.is_empty(), "{} of {calls}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(calls > 970, "the script is not whole: {calls} calls");
}
