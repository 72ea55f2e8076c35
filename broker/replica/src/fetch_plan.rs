//! What a follower asks one leader for next: its partitions there, the fetch session (KIP-227), who rests after an error.
//! Core. Time is an argument.
//!
//! Invariants:
//! - I1. One request is under way at most, and the session knows of each partition what the last answered request said.
//! - I2. An answer counts for a partition only if it follows in the same leader epoch from the same place as when it was
//!   asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ottla_env::Monotonic;
use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, Offset, TopicId};
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic, ReplicaState};
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_protocol::messages::{BrokerId as WireBrokerId, FetchRequest, FetchResponse};

use crate::fetch_apply::Asked;
use crate::following::FollowerPosition;
use crate::partition::Partition;

/// A partition by its topic's id.
pub type Key = (TopicId, i32);

/// After the first failure; it doubles up to `replica.fetch.backoff.ms`. A leader that does not know yet that it leads
/// will in a moment.
const REST_MIN: Duration = Duration::from_millis(10);

/// How long a throttled replica rests before the rate is looked at again.
const THROTTLED_REST: Duration = Duration::from_millis(100);

/// How long a request beside the session may wait: others may be followed anew meanwhile.
const BESIDE_WAIT_MS_MAX: i32 = 50;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchSettings {
    pub replica_id: BrokerId,
    /// `replica.fetch.wait.max.ms`.
    pub wait_ms_max: i32,
    /// `replica.fetch.min.bytes`.
    pub bytes_min: i32,
    /// `replica.fetch.max.bytes`.
    pub partition_bytes_max: i32,
    /// `replica.fetch.response.max.bytes`.
    pub response_bytes_max: i32,
    /// `replica.fetch.backoff.ms`.
    pub backoff_max: Duration,
}

/// One leader's partitions here.
pub struct FetchPlan {
    settings: FetchSettings,
    followed: BTreeMap<Key, Followed>,
    /// What the session does not know, of those that are to be fetched.
    unsaid: BTreeSet<Key>,
    /// What the session knows and is not to be fetched.
    forgotten: BTreeSet<Key>,
    resting: BTreeSet<(Monotonic, Key)>,
    /// Where they go on is not known yet.
    unplaced: BTreeSet<Key>,
    /// What a request beside the session asks for.
    beside: BTreeMap<Key, (LeaderEpoch, FollowerPosition)>,
    session_id: i32,
    /// 0: the next request begins a session.
    session_epoch: i32,
    /// Failed requests in a row.
    failures: u32,
}

struct Followed {
    partition: Arc<Partition>,
    epoch: LeaderEpoch,
    /// Nothing before its log was looked at.
    position: Option<FollowerPosition>,
    state: State,
    /// What the session knows.
    said: Option<(LeaderEpoch, FollowerPosition)>,
    /// Failures in a row.
    failures: u32,
    /// The leader's, as its last answer said.
    leaders_high_watermark: Option<Offset>,
}

impl Followed {
    /// Whether it is known to lack what its leader knows to be committed. Kafka's fetcher takes one for behind of which it
    /// knows nothing yet (`ReplicaState.isReplicaInSync`), and so lets a new leader wait for its in-sync replicas.
    fn is_behind(&self) -> bool {
        match (self.leaders_high_watermark, self.position) {
            (Some(leaders), Some(position)) => position.log_end < leaders,
            _ => false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Its log is to be looked at first.
    Unplaced,
    Fetching,
    Resting(Monotonic),
    /// Another leader epoch will come.
    Waiting,
}

/// What to do now.
#[derive(Debug)]
pub enum Next {
    /// Logs are to be looked at (`take_unplaced`).
    Place,
    Fetch(Box<FetchRequest>),
    /// Nothing before this moment, or before something changes.
    Idle(Option<Monotonic>),
}

/// What an answer says of one partition.
pub struct Answered {
    pub key: Key,
    pub partition: Arc<Partition>,
    pub asked: Asked,
    pub data: PartitionData,
}

impl FetchPlan {
    pub fn new(settings: FetchSettings) -> FetchPlan {
        FetchPlan {
            settings,
            followed: BTreeMap::new(),
            unsaid: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            resting: BTreeSet::new(),
            unplaced: BTreeSet::new(),
            beside: BTreeMap::new(),
            session_id: 0,
            session_epoch: 0,
            failures: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.followed.is_empty()
    }

    /// The partition is fetched from this leader in a leader epoch from now on. True when that is news.
    pub fn follow(&mut self, key: Key, partition: Arc<Partition>, epoch: LeaderEpoch) -> bool {
        let known = self.followed.get(&key);
        if known.is_some_and(|known| Arc::ptr_eq(&known.partition, &partition) && known.epoch >= epoch) {
            return false;
        }
        let said = known.and_then(|known| known.said);
        self.end_rest(key);
        let followed = Followed {
            partition,
            epoch,
            position: None,
            state: State::Unplaced,
            said,
            failures: 0,
            leaders_high_watermark: None,
        };
        self.followed.insert(key, followed);
        self.unsaid.remove(&key);
        self.unplaced.insert(key);
        true
    }

    /// The partitions whose logs are to be looked at.
    pub fn take_unplaced(&mut self) -> Vec<(Key, Arc<Partition>, LeaderEpoch)> {
        let keys = std::mem::take(&mut self.unplaced);
        let of_key = |key: Key| self.followed.get(&key).map(|one| (key, one.partition.clone(), one.epoch));
        keys.into_iter().filter_map(of_key).collect()
    }

    /// Another leader is followed, or none, or the replica is gone.
    pub fn unfollow(&mut self, key: Key) {
        self.end_rest(key);
        self.unsaid.remove(&key);
        self.unplaced.remove(&key);
        if let Some(followed) = self.followed.remove(&key)
            && followed.said.is_some()
        {
            self.forgotten.insert(key);
        }
    }

    fn end_rest(&mut self, key: Key) {
        if let Some(Followed { state: State::Resting(until), .. }) = self.followed.get(&key) {
            self.resting.remove(&(*until, key));
        }
    }

    fn will_fetch(&mut self, key: Key) {
        self.forgotten.remove(&key);
        self.unsaid.insert(key);
    }

    fn will_not_fetch(&mut self, key: Key) {
        self.unsaid.remove(&key);
        if let Some(followed) = self.followed.get_mut(&key)
            && followed.said.take().is_some()
        {
            self.forgotten.insert(key);
        }
    }

    /// The same partition, if it still is followed in that leader epoch.
    fn in_epoch(&mut self, key: Key, epoch: LeaderEpoch) -> Option<&mut Followed> {
        self.followed.get_mut(&key).filter(|followed| followed.epoch == epoch)
    }

    /// The log was looked at: the partition goes on from there.
    pub fn placed(&mut self, key: Key, epoch: LeaderEpoch, at: FollowerPosition) {
        let Some(followed) = self.in_epoch(key, epoch) else { return };
        followed.state = State::Fetching;
        followed.position = Some(at);
        if followed.said != Some((epoch, at)) {
            self.will_fetch(key);
        }
    }

    /// An answer was applied: the partition goes on from there.
    pub fn moved(&mut self, key: Key, epoch: LeaderEpoch, to: FollowerPosition) {
        let Some(followed) = self.in_epoch(key, epoch) else { return };
        followed.failures = 0;
        self.placed(key, epoch, to);
    }

    /// Something failed that may be over in a while.
    pub fn rest(&mut self, key: Key, epoch: LeaderEpoch, now: Monotonic) {
        let backoff_max = self.settings.backoff_max;
        let Some(followed) = self.in_epoch(key, epoch) else { return };
        followed.failures = followed.failures.saturating_add(1);
        let until = now.after(rest(followed.failures, backoff_max));
        followed.state = State::Resting(until);
        self.will_not_fetch(key);
        self.resting.insert((until, key));
    }

    /// Throttled replicas that are behind rest while more was copied than they may (KIP-73).
    pub fn hold_throttled(&mut self, now: Monotonic) {
        let Some(any) = self.followed.values().next() else { return };
        if !any.partition.is_following_exceeded() {
            return;
        }
        let is_held = |followed: &Followed| {
            followed.state == State::Fetching
                && followed.is_behind()
                && followed.partition.is_throttled_follower()
        };
        let held: Vec<Key> =
            self.followed.iter().filter(|(_, one)| is_held(one)).map(|(key, _)| *key).collect();
        let until = now.after(THROTTLED_REST);
        for key in held {
            if let Some(followed) = self.followed.get_mut(&key) {
                followed.state = State::Resting(until);
            }
            self.will_not_fetch(key);
            self.resting.insert((until, key));
        }
    }

    /// Nothing more comes of this leader epoch.
    pub fn await_epoch(&mut self, key: Key, epoch: LeaderEpoch) {
        let Some(followed) = self.in_epoch(key, epoch) else { return };
        followed.state = State::Waiting;
        self.will_not_fetch(key);
    }

    /// Who has rested is looked at again. Returns when the next has.
    pub fn wake_rested(&mut self, now: Monotonic) -> Option<Monotonic> {
        while let Some((until, key)) = self.resting.first().copied() {
            if until > now {
                return Some(until);
            }
            self.resting.remove(&(until, key));
            if let Some(followed) = self.followed.get_mut(&key) {
                // What failed may have moved the log.
                followed.state = State::Unplaced;
                self.unplaced.insert(key);
            }
        }
        None
    }

    /// What to ask for now.
    pub fn next(&mut self, broker_epoch: i64, now: Monotonic) -> Next {
        let next_rested = self.wake_rested(now);
        if !self.unplaced.is_empty() {
            return Next::Place;
        }
        if !self.followed.values().any(|followed| followed.state == State::Fetching) {
            // A session of nothing is none.
            self.begin_session();
            return Next::Idle(next_rested);
        }
        Next::Fetch(Box::new(self.request(broker_epoch)))
    }

    fn request(&mut self, broker_epoch: i64) -> FetchRequest {
        let is_full = self.session_epoch == 0;
        if is_full {
            let fetching = self.followed.iter().filter(|(_, followed)| followed.state == State::Fetching);
            self.unsaid = fetching.map(|(key, _)| *key).collect();
            self.forgotten.clear();
        }
        let mut topics: Vec<FetchTopic> = Vec::new();
        for key in std::mem::take(&mut self.unsaid) {
            let Some(followed) = self.followed.get_mut(&key) else { continue };
            let Some(position) = followed.position else { continue };
            followed.said = Some((followed.epoch, position));
            let partition = asked_for(key.1, followed.epoch, &position, &self.settings);
            add(&mut topics, key.0, partition);
        }
        let mut forgotten: Vec<ForgottenTopic> = Vec::new();
        for (id, index) in std::mem::take(&mut self.forgotten) {
            match forgotten.last_mut().filter(|topic| topic.topic_id == id.0) {
                Some(topic) => topic.partitions.push(index),
                None => {
                    forgotten.push(ForgottenTopic::default().with_topic_id(id.0).with_partitions(vec![index]))
                }
            }
        }
        self.head(broker_epoch)
            .with_session_id(self.session_id)
            .with_session_epoch(self.session_epoch)
            .with_topics(topics)
            .with_forgotten_topics_data(forgotten)
    }

    fn head(&self, broker_epoch: i64) -> FetchRequest {
        let settings = &self.settings;
        let state = ReplicaState::default()
            .with_replica_id(WireBrokerId(settings.replica_id.0))
            .with_replica_epoch(broker_epoch);
        FetchRequest::default()
            .with_replica_state(state)
            .with_max_wait_ms(settings.wait_ms_max)
            .with_min_bytes(settings.bytes_min)
            .with_max_bytes(settings.response_bytes_max)
    }

    /// What is followed anew while a request waits at the leader: it is asked for beside the session, until the session's
    /// next request takes it up. A leader that has just been elected needs its followers at once.
    pub fn beside(&mut self, broker_epoch: i64) -> Option<FetchRequest> {
        assert!(self.beside.is_empty(), "one request beside the session at a time");
        let mut topics: Vec<FetchTopic> = Vec::new();
        for key in &self.unsaid {
            let Some(followed) = self.followed.get(key) else { continue };
            let (State::Fetching, Some(position)) = (followed.state, followed.position) else { continue };
            self.beside.insert(*key, (followed.epoch, position));
            add(&mut topics, key.0, asked_for(key.1, followed.epoch, &position, &self.settings));
        }
        let wait_ms_max = self.settings.wait_ms_max.min(BESIDE_WAIT_MS_MAX);
        let head = self.head(broker_epoch).with_max_wait_ms(wait_ms_max);
        let request = head.with_session_id(0).with_session_epoch(-1).with_topics(topics);
        (!self.beside.is_empty()).then_some(request)
    }

    /// The answer to that; `None`: there was none.
    pub fn on_answer_beside(&mut self, response: Option<FetchResponse>) -> Vec<Answered> {
        let asked = std::mem::take(&mut self.beside);
        let partitions = response.into_iter().flat_map(|response| response.responses).flat_map(|topic| {
            let id = TopicId(topic.topic_id);
            topic.partitions.into_iter().map(move |data| (id, data))
        });
        let mut answered = Vec::new();
        for (id, data) in partitions {
            let key = (id, data.partition_index);
            let Some((epoch, position)) = asked.get(&key) else { continue };
            answered.extend(self.counted(key, *epoch, *position, data));
        }
        answered
    }

    /// The next request is the first of a session; it ends the one that was.
    fn begin_session(&mut self) {
        self.session_epoch = 0;
        self.forgotten.clear();
        for followed in self.followed.values_mut() {
            followed.said = None;
        }
    }

    /// No answer came. Returns how long to wait before the next request.
    pub fn on_no_answer(&mut self) -> Duration {
        self.begin_session();
        self.failures = self.failures.saturating_add(1);
        rest(self.failures, self.settings.backoff_max)
    }

    /// An answer to what was asked for from a position in a leader epoch, if both are still the same (I2).
    fn counted(
        &mut self,
        key: Key,
        epoch: LeaderEpoch,
        position: FollowerPosition,
        data: PartitionData,
    ) -> Option<Answered> {
        let followed = self.followed.get_mut(&key)?;
        let is_same = followed.state == State::Fetching
            && followed.epoch == epoch
            && followed.position == Some(position);
        let asked = Asked {
            leader_epoch: epoch,
            offset: position.log_end,
            last_epoch: position.last_epoch,
            is_empty: position.log_start == position.log_end,
        };
        if is_same && data.high_watermark >= 0 {
            followed.leaders_high_watermark = Some(Offset(data.high_watermark));
        }
        is_same.then(|| Answered { key, partition: followed.partition.clone(), asked, data })
    }

    /// What the answer says of each partition that it counts for.
    pub fn on_answer(&mut self, response: FetchResponse) -> Result<Vec<Answered>, ErrorCode> {
        let code = ErrorCode::from_code(response.error_code).unwrap_or(ErrorCode::UnknownServerError);
        if !code.is_none() {
            self.begin_session();
            if code == ErrorCode::FetchSessionIdNotFound {
                self.session_id = 0;
            }
            return Err(code);
        }
        self.failures = 0;
        self.session_id = response.session_id;
        self.session_epoch = match (response.session_id, self.session_epoch) {
            // There was no room for a session: each request says all.
            (0, _) => 0,
            (_, i32::MAX) => 1,
            (_, epoch) => epoch + 1,
        };
        let mut answered = Vec::new();
        for topic in response.responses {
            for data in topic.partitions {
                let key = (TopicId(topic.topic_id), data.partition_index);
                if let Some((epoch, position)) = self.followed.get(&key).and_then(|followed| followed.said) {
                    answered.extend(self.counted(key, epoch, position, data));
                }
            }
        }
        if self.session_epoch == 0 {
            self.begin_session();
        }
        Ok(answered)
    }
}

fn add(topics: &mut Vec<FetchTopic>, id: TopicId, partition: FetchPartition) {
    match topics.last_mut().filter(|topic| topic.topic_id == id.0) {
        Some(topic) => topic.partitions.push(partition),
        None => topics.push(FetchTopic::default().with_topic_id(id.0).with_partitions(vec![partition])),
    }
}

fn rest(failures: u32, max: Duration) -> Duration {
    let doubled = REST_MIN.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(max)
}

fn asked_for(
    index: i32,
    epoch: LeaderEpoch,
    position: &FollowerPosition,
    settings: &FetchSettings,
) -> FetchPartition {
    let FollowerPosition { log_start, high_watermark, log_end, last_epoch } = *position;
    FetchPartition::default()
        .with_partition(index)
        .with_current_leader_epoch(epoch.0)
        .with_fetch_offset(log_end.0)
        .with_last_fetched_epoch(last_epoch.map_or(-1, |epoch| epoch.0))
        .with_log_start_offset(log_start.0)
        .with_partition_max_bytes(settings.partition_bytes_max)
        .with_high_watermark(high_watermark.0)
}
