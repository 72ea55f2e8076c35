//! Incremental fetch sessions (KIP-227): what each reader fetches and what it was last answered.
//! Core. Rules are those of `org.apache.kafka.server.FetchManager` and `FetchSession`; which sessions are kept is
//! `fetch_session_cache`'s.
//!
//! Invariant:
//! - I1. A follower's session looks at a partition at each fetch, unless it has settled it (`SessionNews`) since it last
//!   heard of something new there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, TopicId, TopicName};
use ottla_replica::{FollowerState, Place, ReplicaReader, SessionNews};
use parking_lot::{Mutex, MutexGuard};

use crate::fetch_session_cache::{SHARD_COUNT, Shard};

/// A partition as a fetch names it: by id from v13 on, by name before.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FetchKey {
    pub topic: FetchTopic,
    pub partition: i32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum FetchTopic {
    Name(TopicName),
    Id(TopicId),
}

/// What a consumer requests of one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchParams {
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    pub last_fetched_epoch: i32,
    pub partition_max_bytes: i32,
    pub follower: FollowerState,
}

/// What a response says of one partition, as far as sessions care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answered {
    pub error: ErrorCode,
    pub high_watermark: i64,
    pub log_start_offset: i64,
    pub record_bytes: usize,
    pub diverging: bool,
}

/// A partition's place among those of its fetch or its session. Valid for the one request that was given it, and until
/// the partition is answered with records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Slot(pub Place);

/// One partition that a fetch wants, by its own words or by its session's.
pub struct Wanted<'a> {
    pub slot: Slot,
    pub key: &'a FetchKey,
    pub params: &'a FetchParams,
    /// The name that belonged to the topic id when the session first knew it (`CachedPartition.maybeResolveUnknownName`).
    pub name: Option<&'a TopicName>,
}

#[derive(Clone, Debug)]
struct Cached {
    key: FetchKey,
    name: Option<TopicName>,
    params: FetchParams,
    high_watermark: i64,
    log_start_offset: i64,
}

pub(crate) struct Session {
    epoch: i32,
    uses_topic_ids: bool,
    /// Partitions in the order they are looked at; one that was just answered goes to the end, so
    /// that a byte limit starves nobody.
    order: BTreeMap<Slot, Cached>,
    slots: HashMap<FetchKey, Slot>,
    next_slot: Slot,
    /// Of a follower's session.
    followed: Option<Followed>,
}

struct Followed {
    news: Arc<SessionNews>,
    /// What its fetches look at.
    unsettled: BTreeSet<Slot>,
}

impl Session {
    pub(crate) fn new(uses_topic_ids: bool) -> Session {
        Session {
            epoch: 1,
            uses_topic_ids,
            order: BTreeMap::new(),
            slots: HashMap::new(),
            next_slot: Slot(0),
            followed: None,
        }
    }

    fn take_slot(&mut self) -> Slot {
        let slot = self.next_slot;
        self.next_slot = Slot(slot.0 + 1);
        slot
    }

    fn put(&mut self, key: FetchKey, params: FetchParams) {
        if let Some(cached) = self.slots.get(&key).and_then(|slot| self.order.get_mut(slot)) {
            cached.params = params;
            if let (Some(followed), Some(slot)) = (&mut self.followed, self.slots.get(&key)) {
                followed.unsettled.insert(*slot);
            }
            return;
        }
        let cached = Cached { key, name: None, params, high_watermark: -1, log_start_offset: -1 };
        self.append(cached);
    }

    fn append(&mut self, cached: Cached) {
        let slot = self.take_slot();
        self.slots.insert(cached.key.clone(), slot);
        self.order.insert(slot, cached);
        if let Some(followed) = &mut self.followed {
            followed.unsettled.insert(slot);
        }
        assert_eq!(self.slots.len(), self.order.len(), "a slot for each partition");
    }

    fn forget(&mut self, key: &FetchKey) {
        if let Some(slot) = self.slots.remove(key) {
            self.take_out(slot);
        }
    }

    fn take_out(&mut self, slot: Slot) -> Option<Cached> {
        if let Some(followed) = &mut self.followed {
            followed.unsettled.remove(&slot);
        }
        self.order.remove(&slot)
    }

    /// Takes up what is new for a follower; what it was not looking at before.
    fn take_news(&mut self) -> Vec<Slot> {
        let Some(followed) = &mut self.followed else { return Vec::new() };
        let known = |slot: &Slot| self.order.contains_key(slot);
        let news = followed.news.take().into_iter().map(Slot).filter(known);
        news.filter(|slot| followed.unsettled.insert(*slot)).collect()
    }

    /// What `on_answer` would say.
    fn would_name(&self, slot: Slot, answered: &Answered) -> bool {
        self.order.get(&slot).is_none_or(|cached| {
            answered.record_bytes > 0
                || answered.diverging
                || !answered.error.is_none()
                || cached.high_watermark != answered.high_watermark
                || cached.log_start_offset != answered.log_start_offset
        })
    }

    /// Whether the response must name this partition; remembers what it says
    /// (`CachedPartition.maybeUpdateResponseData`).
    fn on_answer(&mut self, slot: Slot, answered: &Answered) -> bool {
        let cached = self.order.get_mut(&slot);
        let cached = cached.expect("no other request has changed the session in this epoch");
        let mut changed = answered.record_bytes > 0 || answered.diverging;
        if cached.high_watermark != answered.high_watermark {
            cached.high_watermark = answered.high_watermark;
            changed = true;
        }
        if cached.log_start_offset != answered.log_start_offset {
            cached.log_start_offset = answered.log_start_offset;
            changed = true;
        }
        if !answered.error.is_none() {
            // An error is repeated until it is over: the next answer differs from this mark.
            cached.high_watermark = -1;
            changed = true;
        }
        if answered.record_bytes > 0
            && let Some(cached) = self.take_out(slot)
        {
            self.append(cached);
        }
        changed
    }
}

/// All sessions of this broker.
pub struct FetchSessions {
    cache: [Mutex<Shard>; SHARD_COUNT],
    /// Full fetches so far: the shards take new sessions in turns.
    turn: std::sync::atomic::AtomicUsize,
}

/// How one fetch relates to a session.
pub enum FetchContext {
    /// Nothing is remembered.
    Sessionless { partitions: Vec<(FetchKey, FetchParams)> },
    /// A full fetch: everything is answered and, if there is room, remembered.
    Full { partitions: Vec<(FetchKey, FetchParams)>, uses_topic_ids: bool },
    /// Only what changed is answered.
    Incremental { session_id: i32, epoch: i32, session: SessionRef },
    /// The session can't be used: this code is the whole answer.
    Refused(ErrorCode),
}

impl FetchContext {
    /// Goes through the partitions of the fetch in order. `name_of` says what a topic id is called now.
    pub fn for_each(
        &self,
        which: Which,
        name_of: impl Fn(TopicId) -> Option<TopicName>,
        mut visit: impl FnMut(Wanted<'_>),
    ) {
        match self {
            FetchContext::Refused(_) => {}
            FetchContext::Sessionless { partitions } | FetchContext::Full { partitions, .. } => {
                for (index, (key, params)) in partitions.iter().enumerate() {
                    visit(Wanted { slot: Slot(index as u64), key, params, name: None });
                }
            }
            FetchContext::Incremental { session, .. } => {
                let mut one = |(slot, cached): (&Slot, &mut Cached)| {
                    if let (FetchTopic::Id(id), None) = (&cached.key.topic, &cached.name) {
                        cached.name = name_of(*id);
                    }
                    let Cached { key, params, name, .. } = &*cached;
                    visit(Wanted { slot: *slot, key, params, name: name.as_ref() });
                };
                let mut session = session.0.lock();
                let news = session.take_news();
                let Session { order, followed, .. } = &mut *session;
                let slots: Vec<Slot> = match (which, &followed) {
                    (Which::News, _) => news,
                    (Which::Unsettled, Some(followed)) => followed.unsettled.iter().copied().collect(),
                    (Which::All, _) | (Which::Unsettled, None) => return order.iter_mut().for_each(one),
                };
                for slot in &slots {
                    let cached = order.get_mut(slot).expect("a session's slots are in its order");
                    one((slot, cached));
                }
            }
        }
    }

    /// What is new for the follower's session, if that is the session of this fetch.
    pub fn news_of(&self, reader: &ReplicaReader) -> Option<Arc<SessionNews>> {
        let FetchContext::Incremental { session, .. } = self else { return None };
        let news = session.0.lock().followed.as_ref()?.news.clone();
        news.is_of(reader).then_some(news)
    }

    /// There is nothing to say of these partitions before something changes.
    pub fn settle(&self, slots: impl Iterator<Item = Slot>) {
        let FetchContext::Incremental { session, epoch, .. } = self else { return };
        let mut session = session.0.lock();
        // Another request of the session looks for itself.
        if session.epoch == *epoch
            && let Some(followed) = &mut session.followed
        {
            for slot in slots {
                followed.unsettled.remove(&slot);
            }
        }
    }
}

/// Which partitions of its session a fetch looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    All,
    /// Those that are not settled, in a follower's session; all of another.
    Unsettled,
    /// Those that this fetch has not looked at, and has heard of meanwhile.
    News,
}

impl FetchContext {
    /// Whether the response would name this partition; nothing is remembered of it.
    pub fn names(&self, slot: Slot, answered: &Answered) -> bool {
        match self {
            FetchContext::Incremental { session, .. } => session.0.lock().would_name(slot, answered),
            _ => true,
        }
    }
}

/// A session in use by one fetch.
pub struct SessionRef(Arc<Mutex<Session>>);

/// The request's own words about its session.
pub struct SessionRequest {
    pub session_id: i32,
    pub session_epoch: i32,
    pub uses_topic_ids: bool,
    pub partitions: Vec<(FetchKey, FetchParams)>,
    pub forgotten: Vec<FetchKey>,
}

/// One answered partition of a full fetch.
pub struct Remembered {
    pub slot: Slot,
    /// What its topic id is called.
    pub name: Option<TopicName>,
    pub answered: Answered,
}

const EPOCH_INITIAL: i32 = 0;
const EPOCH_FINAL: i32 = -1;

impl FetchSessions {
    /// `slots_max`: `max.incremental.fetch.session.cache.slots`, of which each shard has its part.
    pub fn new(slots_max: usize) -> FetchSessions {
        let shard = |number| Mutex::new(Shard::new(number, slots_max / SHARD_COUNT));
        FetchSessions { cache: std::array::from_fn(shard), turn: Default::default() }
    }

    pub fn count(&self) -> usize {
        self.cache.iter().map(|shard| shard.lock().len()).sum()
    }

    /// The shard that a session of this id would be in.
    fn shard_of(&self, session_id: i32) -> Option<&Mutex<Shard>> {
        self.cache.get(Shard::number_of(session_id)?)
    }

    pub fn open(&self, request: SessionRequest, now: Monotonic) -> FetchContext {
        let SessionRequest { session_id, session_epoch, uses_topic_ids, partitions, forgotten } = request;
        let shard = self.shard_of(session_id);
        if session_epoch == EPOCH_INITIAL || session_epoch == EPOCH_FINAL {
            if let Some(shard) = shard {
                shard.lock().remove(session_id);
            }
            return if session_epoch == EPOCH_FINAL {
                FetchContext::Sessionless { partitions }
            } else {
                FetchContext::Full { partitions, uses_topic_ids }
            };
        }
        let Some(mut shard) = shard.map(Mutex::lock) else {
            return FetchContext::Refused(ErrorCode::FetchSessionIdNotFound);
        };
        let Some(found) = shard.get(session_id) else {
            return FetchContext::Refused(ErrorCode::FetchSessionIdNotFound);
        };
        let mut session = found.lock();
        if session.epoch != session_epoch {
            return FetchContext::Refused(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.uses_topic_ids != uses_topic_ids {
            return FetchContext::Refused(ErrorCode::FetchSessionTopicIdError);
        }
        for (key, params) in &partitions {
            session.put(key.clone(), *params);
        }
        for key in &forgotten {
            session.forget(key);
        }
        if session.order.is_empty() {
            shard.remove(session_id);
            return FetchContext::Sessionless { partitions };
        }
        shard.touch(session_id, session.order.len(), now);
        session.epoch = if session.epoch == i32::MAX { 1 } else { session.epoch + 1 };
        let epoch = session.epoch;
        drop(session);
        FetchContext::Incremental { session_id, epoch, session: SessionRef(found) }
    }

    /// Remembers a full fetch and its answer; 0 when there is no room. Followers' sessions are privileged.
    pub fn remember(
        &self,
        (partitions, uses_topic_ids): (&[(FetchKey, FetchParams)], bool),
        follower: Option<&ReplicaReader>,
        answered: impl ExactSizeIterator<Item = Remembered>,
        now: Monotonic,
        random: impl Fn() -> u64,
    ) -> i32 {
        let turn = self.turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % SHARD_COUNT;
        let mut shard = self.cache[turn].lock();
        let count = answered.len();
        let is_follower = follower.is_some();
        if !shard.make_room(is_follower, count, now) {
            return 0;
        }
        let mut session = Session::new(uses_topic_ids);
        session.followed = follower.map(|reader| Followed {
            news: SessionNews::new(reader.id, reader.broker_epoch),
            unsettled: BTreeSet::new(),
        });
        for Remembered { slot, name, answered } in answered {
            let (key, params) = &partitions[slot.0 as usize];
            // As `on_answer`: an error is repeated until it is over.
            let high_watermark = if answered.error.is_none() { answered.high_watermark } else { -1 };
            session.forget(key);
            session.append(Cached {
                key: key.clone(),
                name,
                params: *params,
                high_watermark,
                log_start_offset: answered.log_start_offset,
            });
        }
        shard.insert(Arc::new(Mutex::new(session)), is_follower, count, now, random)
    }
}

/// The answer of an incremental fetch on its way into its session.
pub struct Answering<'a>(MutexGuard<'a, Session>);

impl SessionRef {
    /// `None` when another request of the session came meanwhile: its epoch moved on.
    pub fn answer(&self, epoch: i32) -> Option<Answering<'_>> {
        let session = self.0.lock();
        (session.epoch == epoch).then(|| Answering(session))
    }
}

impl Answering<'_> {
    /// Whether the response must name this partition; remembers what it says.
    pub fn is_named(&mut self, slot: Slot, answered: &Answered) -> bool {
        self.0.on_answer(slot, answered)
    }
}

#[cfg(test)]
#[path = "fetch_session_tests.rs"]
mod tests;
