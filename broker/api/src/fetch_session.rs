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
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    fn key(partition: i32) -> FetchKey {
        FetchKey { topic: FetchTopic::Name(TopicName::new("t")), partition }
    }

    fn params(fetch_offset: i64) -> FetchParams {
        FetchParams {
            current_leader_epoch: -1,
            fetch_offset,
            last_fetched_epoch: -1,
            partition_max_bytes: 100,
            follower: FollowerState::UNSAID,
        }
    }

    fn answered(high_watermark: i64, record_bytes: usize) -> Answered {
        Answered {
            error: ErrorCode::None,
            high_watermark,
            log_start_offset: 0,
            record_bytes,
            diverging: false,
        }
    }

    fn request(session_id: i32, session_epoch: i32, keys: &[FetchKey]) -> SessionRequest {
        SessionRequest {
            session_id,
            session_epoch,
            uses_topic_ids: keys.iter().any(|key| matches!(key.topic, FetchTopic::Id(_))),
            partitions: keys.iter().map(|key| (key.clone(), params(0))).collect(),
            forgotten: Vec::new(),
        }
    }

    fn now(ms: u64) -> Monotonic {
        Monotonic(Duration::from_millis(ms))
    }

    /// A client's first fetch, answered: the id of its session, 0 when it gets none.
    fn created_at(sessions: &FetchSessions, keys: &[FetchKey], ms: u64, random: impl Fn() -> u64) -> i32 {
        let context = sessions.open(request(0, 0, keys), now(ms));
        let FetchContext::Full { partitions, uses_topic_ids } = context else { panic!("a full fetch") };
        let remembered = (0..keys.len() as u64).map(Slot).collect::<Vec<_>>();
        let remembered =
            remembered.into_iter().map(|slot| Remembered { slot, name: None, answered: answered(5, 0) });
        sessions.remember((&partitions, uses_topic_ids), None, remembered, now(ms), random)
    }

    fn created(sessions: &FetchSessions, keys: &[FetchKey]) -> i32 {
        created_at(sessions, keys, 0, || 77)
    }

    /// Goes on in the session with these answers: which of them must be named.
    fn go_on(sessions: &FetchSessions, request: SessionRequest, answers: &[Answered]) -> Vec<bool> {
        let context = sessions.open(request, now(1));
        let mut slots = Vec::new();
        context.for_each(Which::All, |_| None, |wanted| slots.push(wanted.slot));
        let FetchContext::Incremental { epoch, session, .. } = context else {
            panic!("the session is there")
        };
        assert_eq!(slots.len(), answers.len());
        let mut answer = session.answer(epoch).expect("its epoch");
        slots.into_iter().zip(answers).map(|(slot, one)| answer.is_named(slot, one)).collect()
    }

    #[test]
    fn an_incremental_fetch_names_only_what_changed_and_what_had_records_is_served_last() {
        let sessions = FetchSessions::new(80);
        let id = created(&sessions, &[key(0), key(1)]);
        assert_eq!(id, 77);
        let named = go_on(&sessions, request(id, 1, &[]), &[answered(6, 10), answered(5, 0)]);
        assert_eq!(named, [true, false]);
        let mut order = Vec::new();
        let context = sessions.open(request(id, 2, &[key(2)]), now(1));
        context.for_each(Which::All, |_| None, |wanted| order.push(wanted.key.partition));
        assert_eq!(order, [1, 0, 2]);
    }

    #[test]
    fn an_answer_of_an_epoch_that_is_over_is_refused() {
        let sessions = FetchSessions::new(80);
        let id = created(&sessions, &[key(0)]);
        let FetchContext::Incremental { epoch, session, .. } = sessions.open(request(id, 1, &[]), now(1))
        else {
            panic!("the session is there")
        };
        assert!(session.answer(epoch).is_some());
        assert!(matches!(sessions.open(request(id, 2, &[]), now(1)), FetchContext::Incremental { .. }));
        assert!(session.answer(epoch).is_none());
    }

    #[test]
    fn wrong_ids_and_epochs_are_refused_and_epoch_minus_one_closes() {
        let sessions = FetchSessions::new(80);
        let id = created(&sessions, &[key(0)]);
        for unknown in [5, -5, i32::MIN, i32::MAX] {
            assert!(matches!(
                sessions.open(request(unknown, 1, &[]), now(1)),
                FetchContext::Refused(ErrorCode::FetchSessionIdNotFound)
            ));
        }
        assert!(matches!(
            sessions.open(request(id, 3, &[]), now(1)),
            FetchContext::Refused(ErrorCode::InvalidFetchSessionEpoch)
        ));
        let closing = sessions.open(request(id, -1, &[key(0)]), now(1));
        assert!(matches!(closing, FetchContext::Sessionless { .. }));
        assert_eq!(sessions.count(), 0);
    }

    #[test]
    fn an_error_is_repeated_until_it_is_over() {
        let sessions = FetchSessions::new(80);
        let id = created(&sessions, &[key(0)]);
        let failed = Answered { error: ErrorCode::UnknownTopicOrPartition, ..answered(-1, 0) };
        let answers = [failed, failed, answered(5, 0), answered(5, 0)];
        for (epoch, (answer, is_named)) in answers.iter().zip([true, true, true, false]).enumerate() {
            assert_eq!(go_on(&sessions, request(id, epoch as i32 + 1, &[]), &[*answer]), [is_named]);
        }
    }

    #[test]
    fn a_topic_id_keeps_the_name_it_had_when_it_was_first_known() {
        let sessions = FetchSessions::new(80);
        let id = TopicId(uuid::Uuid::from_u128(9));
        let session_id = created(&sessions, &[FetchKey { topic: FetchTopic::Id(id), partition: 0 }]);
        let name_in = |epoch: i32, known: Option<&str>| {
            let request = SessionRequest { uses_topic_ids: true, ..request(session_id, epoch, &[]) };
            let mut name = None;
            let context = sessions.open(request, now(1));
            let name_of = |_| known.map(TopicName::new);
            context.for_each(Which::All, name_of, |wanted| name = wanted.name.cloned());
            name.map(|name| name.as_str().to_owned())
        };
        assert_eq!(name_in(1, None), None);
        assert_eq!(name_in(2, Some("t")).as_deref(), Some("t"));
        assert_eq!(name_in(3, None).as_deref(), Some("t"));
    }

    /// Whether each session of these ids can be continued.
    fn are_there(sessions: &FetchSessions, ids: &[i32], epoch: i32, keys: &[FetchKey], ms: u64) -> usize {
        let is_there = |id: &&i32| {
            let context = sessions.open(request(**id, epoch, keys), now(ms));
            !matches!(context, FetchContext::Refused(ErrorCode::FetchSessionIdNotFound))
        };
        ids.iter().filter(is_there).count()
    }

    /// Over all shards, by `FetchSessionCacheShard.tryEvict`: a stale session gives way to any, an old one that is in
    /// use to one with more partitions.
    #[test]
    fn clients_that_come_after_2000_that_vanished_get_their_places_by_age_and_by_size() {
        const CLIENTS: usize = 2_000;
        const SHARDS: usize = SHARD_COUNT;
        let sessions = FetchSessions::new(CLIENTS);
        let drawn = Cell::new(0);
        let (three, four) = ([key(0), key(1), key(2)], [key(0), key(1), key(2), key(3)]);
        let come = |count: usize, keys: &[FetchKey], ms: u64| -> Vec<i32> {
            let random = || drawn.replace(drawn.get() + 1);
            let ids = (0..count).map(|_| created_at(&sessions, keys, ms, random));
            ids.filter(|id| *id != 0).collect()
        };
        let vanished = come(CLIENTS, &three, 0);
        assert_eq!((vanished.len(), sessions.count()), (CLIENTS, CLIENTS));
        for number in 0..SHARDS {
            let of_shard = vanished.iter().filter(|id| Shard::number_of(**id) == Some(number));
            assert_eq!(of_shard.count(), CLIENTS / SHARDS, "shard {number}");
        }
        // In mid-session all of them are gone, and nobody says so.
        assert_eq!(are_there(&sessions, &vanished, 1, &three, 1_000), CLIENTS);
        for ms in [1_001, 60_000, 121_000] {
            assert_eq!(come(SHARDS, &three, ms), [0; 0], "none is stale after {ms} ms");
            assert_eq!(come(SHARDS, &four, ms), [0; 0], "one that is young gives way to none, after {ms} ms");
        }
        let next = come(1, &three, 121_001);
        assert_eq!((next.len(), sessions.count()), (1, CLIENTS), "one more gets the place of a stale one");
        let others = come(CLIENTS - 1, &three, 121_001);
        assert_eq!((others.len(), sessions.count()), (CLIENTS - 1, CLIENTS));
        assert_eq!(come(SHARDS, &four, 121_001), [0; 0], "all that were stale have given way");
        assert_eq!(are_there(&sessions, &vanished, 2, &three, 121_001), 0);
        // These stay, and grow old: now it is the number of partitions that counts.
        let staying: Vec<i32> = next.into_iter().chain(others).collect();
        assert_eq!(are_there(&sessions, &staying, 1, &three, 241_002), CLIENTS);
        assert_eq!(come(SHARDS, &three, 241_003), [0; 0], "as many partitions are not more");
        assert_eq!(come(SHARDS, &four, 241_003).len(), SHARDS, "one in each shard");
        assert_eq!(are_there(&sessions, &staying, 2, &three, 241_003), CLIENTS - SHARDS);
        assert_eq!(sessions.count(), CLIENTS);
    }
}
