//! A share consumer: it joins, fetches, says what became of records, is silent, dies, and comes back.
//! Shell in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ottla_model::ErrorCode;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::{
    ShareAcknowledgeRequest, ShareAcknowledgeResponse, ShareFetchRequest, ShareFetchResponse,
    ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse, share_acknowledge_request as acknowledging,
    share_fetch_request as fetching,
};
use ottla_records::batches;
use uuid::Uuid;

use super::book::{Book, Fate, Place, Verdict};
use super::{GROUP, PARTITIONS, TOPIC};
use crate::rooms::wire;
use crate::wire::Client;

pub const FETCH_VERSION: i16 = 1;

/// What a member says of a partition's records, in the order of offsets.
type Sayings = BTreeMap<i32, Vec<(i64, u64, Verdict)>>;

pub struct Member {
    pub name: String,
    /// The connection to the coordinator, and that to the leader.
    pub beats: Client,
    pub fetches: Client,
    pub book: Arc<Book>,
    pub topic_id: Uuid,
    /// It accepts all there is, and never goes away.
    pub is_thorough: bool,
    pub life: Life,
}

/// What a member has until it dies.
#[derive(Default)]
pub struct Life {
    id: String,
    member_epoch: i32,
    session_epoch: i32,
    assigned: Vec<i32>,
    /// Records that it has, with their values.
    held: BTreeMap<Place, u64>,
}

fn code(error: i16) -> ErrorCode {
    ErrorCode::from_code(error).expect("a known error")
}

/// The records of an answer by offset: the numbers in their values.
pub fn values(records: &Bytes) -> BTreeMap<i64, u64> {
    let (mut found, mut scratch) = (BTreeMap::new(), Vec::new());
    for batch in batches(records) {
        let batch = batch.expect("whole batches are served");
        for record in batch.records(&mut scratch).expect("opens") {
            let record = record.expect("a record");
            let text = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
            let offset = batch.header().base_offset.0 + i64::from(record.offset_delta);
            found.insert(offset, text.parse().expect("a number"));
        }
    }
    found
}

impl Member {
    pub async fn live(mut self) {
        let rng = self.fetches.wire.rng.clone();
        for number in 0.. {
            self.life = Life { id: format!("{}-{number}", self.name), ..Life::default() };
            let rounds = if self.is_thorough { u64::MAX } else { 3 + rng.below(30) };
            for _ in 0..rounds {
                if self.life.member_epoch == 0 || rng.chance(400) {
                    self.beat().await;
                }
                if !self.life.assigned.is_empty() {
                    self.fetch().await;
                    if rng.chance(500) {
                        self.acknowledge().await;
                    }
                }
                // Once in a while it is so slow that its locks, or its membership, end meanwhile.
                let is_slow = !self.is_thorough && rng.chance(40);
                self.fetches.pause(if is_slow { 8_000 } else { 250 }).await;
            }
            match rng.below(3) {
                0 => self.leave().await,
                1 => {
                    self.beats.die();
                    self.fetches.die();
                }
                // Nobody hears of it.
                _ => self.fetches.reconnect(),
            }
        }
    }

    fn judge(&self, error: ErrorCode) -> bool {
        match error {
            ErrorCode::None => true,
            ErrorCode::CoordinatorNotAvailable
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::NotCoordinator
            | ErrorCode::KafkaStorageError
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::UnknownServerError
            | ErrorCode::UnknownTopicOrPartition => false,
            other => panic!("no answer to {}: {other:?}", self.life.id),
        }
    }

    async fn beat(&mut self) {
        let is_new = self.life.member_epoch == 0;
        let request = ShareGroupHeartbeatRequest::default()
            .with_group_id(wire(GROUP).into())
            .with_member_id(wire(&self.life.id))
            .with_member_epoch(self.life.member_epoch)
            .with_subscribed_topic_names(is_new.then(|| vec![wire(TOPIC).into()]));
        let answer = self.beats.call(ApiKey::ShareGroupHeartbeat, 1, &request).await;
        let Ok::<ShareGroupHeartbeatResponse, _>(answer) = answer else { return };
        match code(answer.error_code) {
            // It was away for too long, or the broker lost its last steps.
            ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch | ErrorCode::GroupIdNotFound => {
                self.life.member_epoch = 0;
                self.life.assigned.clear();
            }
            error if self.judge(error) => {
                self.life.member_epoch = answer.member_epoch;
                if let Some(assignment) = answer.assignment {
                    let topics = assignment.topic_partitions.into_iter();
                    self.life.assigned = topics.flat_map(|topic| topic.partitions).collect();
                }
                if self.is_thorough {
                    self.life.assigned = (0..PARTITIONS).collect();
                }
            }
            _ => {}
        }
    }

    /// What it makes of some of the records that it has.
    fn decide(&mut self) -> Sayings {
        let rng = &self.fetches.wire.rng;
        let mut sayings = Sayings::new();
        for (place, value) in std::mem::take(&mut self.life.held) {
            let verdict = match rng.below(20) {
                _ if self.is_thorough => Verdict::Accept,
                0..12 => Verdict::Accept,
                12..15 => Verdict::Release,
                15 => Verdict::Reject,
                16..19 => {
                    self.life.held.insert(place, value);
                    continue;
                }
                _ => continue,
            };
            self.book.says(&self.life.id, place, value, verdict);
            sayings.entry(place.0).or_default().push((place.1, value, verdict));
        }
        sayings
    }

    async fn fetch(&mut self) {
        let is_first = self.life.session_epoch == 0;
        let sayings = if is_first { Sayings::new() } else { self.decide() };
        let named: Vec<i32> = match is_first {
            true => self.life.assigned.clone(),
            false => (0..PARTITIONS)
                .filter(|index| sayings.contains_key(index) || self.life.assigned.contains(index))
                .collect(),
        };
        let partitions = named.iter().map(|index| fetching::FetchPartition {
            partition_index: *index,
            acknowledgement_batches: ranges(sayings.get(index))
                .map(|(first_offset, last_offset, acknowledge_types)| fetching::AcknowledgementBatch {
                    first_offset,
                    last_offset,
                    acknowledge_types,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        });
        let topic = fetching::FetchTopic {
            topic_id: self.topic_id,
            partitions: partitions.collect(),
            ..Default::default()
        };
        let rng = &self.fetches.wire.rng;
        let request = ShareFetchRequest {
            group_id: Some(wire(GROUP)),
            member_id: Some(wire(&self.life.id)),
            share_session_epoch: self.life.session_epoch,
            max_wait_ms: rng.below(300) as i32,
            min_bytes: 1,
            max_bytes: 1 << 20,
            max_records: 1 + rng.below(20) as i32,
            batch_size: 1 + rng.below(8) as i32,
            topics: vec![topic],
            ..Default::default()
        };
        let asked = self.fetches.ask(ApiKey::ShareFetch, FETCH_VERSION, &request);
        self.book.connected(self.fetches.connection(), &self.life.id);
        let Ok::<ShareFetchResponse, _>(answer) = asked.await else { return self.lose(sayings) };
        if !self.is_session_alive(code(answer.error_code)) {
            // The session may have gone on while the answer waited: then what was said counts.
            return self.hear(sayings, &|_| None);
        }
        let partitions: Vec<_> =
            answer.responses.into_iter().flat_map(|topic| topic.partitions.into_iter()).collect();
        let error_of = |index: i32| {
            let of = partitions.iter().find(|partition| partition.partition_index == index);
            of.map(|partition| code(partition.acknowledge_error_code))
        };
        self.hear(sayings, &error_of);
        for partition in &partitions {
            if !self.judge(code(partition.error_code)) {
                continue;
            }
            let values = values(&partition.records);
            for range in &partition.acquired_records {
                for offset in range.first_offset..=range.last_offset {
                    let value = values.get(&offset).expect("what is acquired is in the answer");
                    self.life.held.insert((partition.partition_index, offset), *value);
                }
            }
        }
    }

    async fn acknowledge(&mut self) {
        if self.life.session_epoch == 0 {
            return;
        }
        let sayings = self.decide();
        let partitions = sayings.iter().map(|(index, said)| acknowledging::AcknowledgePartition {
            partition_index: *index,
            acknowledgement_batches: ranges(Some(said))
                .map(|(first_offset, last_offset, acknowledge_types)| acknowledging::AcknowledgementBatch {
                    first_offset,
                    last_offset,
                    acknowledge_types,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        });
        let topic = acknowledging::AcknowledgeTopic {
            topic_id: self.topic_id,
            partitions: partitions.collect(),
            ..Default::default()
        };
        let request = ShareAcknowledgeRequest {
            group_id: Some(wire(GROUP)),
            member_id: Some(wire(&self.life.id)),
            share_session_epoch: self.life.session_epoch,
            topics: vec![topic],
            ..Default::default()
        };
        let asked = self.fetches.ask(ApiKey::ShareAcknowledge, 1, &request);
        self.book.connected(self.fetches.connection(), &self.life.id);
        let Ok::<ShareAcknowledgeResponse, _>(answer) = asked.await else { return self.lose(sayings) };
        if !self.is_session_alive(code(answer.error_code)) {
            return self.hear(sayings, &|_| Some(ErrorCode::InvalidRequest));
        }
        let partitions: Vec<_> =
            answer.responses.into_iter().flat_map(|topic| topic.partitions.into_iter()).collect();
        self.hear(sayings, &|index| {
            let of = partitions.iter().find(|partition| partition.partition_index == index);
            of.map(|partition| code(partition.error_code))
        });
    }

    /// Ends session and membership.
    async fn leave(&mut self) {
        if self.life.session_epoch > 0 {
            self.book.leaves(&self.life.id);
            let request = ShareAcknowledgeRequest {
                group_id: Some(wire(GROUP)),
                member_id: Some(wire(&self.life.id)),
                share_session_epoch: -1,
                ..Default::default()
            };
            let answer: Result<ShareAcknowledgeResponse, _> =
                self.fetches.call(ApiKey::ShareAcknowledge, 1, &request).await;
            // Whatever came of it, it does not fetch any more.
            drop(answer);
        }
        self.life.member_epoch = -1;
        self.beat().await;
    }

    /// No answer came: the member begins a session anew over another connection.
    fn lose(&mut self, sayings: Sayings) {
        self.hear(sayings, &|_| None);
        self.fetches.reconnect();
        self.life.session_epoch = 0;
        self.life.held.clear();
    }

    /// Whether the session goes on with its next epoch.
    fn is_session_alive(&mut self, error: ErrorCode) -> bool {
        let is_over = matches!(
            error,
            ErrorCode::ShareSessionNotFound
                | ErrorCode::InvalidShareSessionEpoch
                | ErrorCode::ShareSessionLimitReached
        );
        if is_over || !self.judge(error) {
            self.life.session_epoch = 0;
            self.life.held.clear();
            return false;
        }
        self.life.session_epoch += 1;
        true
    }

    /// Notes what became of what was said, by the answer of each partition, if there is one.
    fn hear(&mut self, sayings: Sayings, error_of: &dyn Fn(i32) -> Option<ErrorCode>) {
        let admitted = self.fetches.wire.admitted();
        for (index, said) in sayings {
            let fate = match error_of(index) {
                Some(ErrorCode::None) => Fate::Taken,
                Some(ErrorCode::InvalidRecordState | ErrorCode::InvalidRequest) => Fate::Refused,
                _ => Fate::Unknown,
            };
            for (offset, value, verdict) in said {
                let text =
                    format!("{} says {verdict:?} of {value} at {index}@{offset}: {fate:?}", self.life.id);
                self.book.note(text);
                self.book.heard(value, verdict, fate, admitted);
            }
        }
    }
}

/// Offsets that follow each other, with what is said of each.
fn ranges(said: Option<&Vec<(i64, u64, Verdict)>>) -> impl Iterator<Item = (i64, i64, Vec<i8>)> {
    let mut ranges: Vec<(i64, i64, Vec<i8>)> = Vec::new();
    for (offset, _, verdict) in said.into_iter().flatten() {
        match ranges.last_mut() {
            Some((_, last, kinds)) if *last + 1 == *offset => {
                *last = *offset;
                kinds.push(verdict.id());
            }
            _ => ranges.push((*offset, *offset, vec![verdict.id()])),
        }
    }
    ranges.into_iter()
}
