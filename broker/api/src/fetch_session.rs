//! Incremental fetch sessions (KIP-227): what each consumer fetches and what it was last told.
//! Core. Rules are those of `org.apache.kafka.server.FetchManager` and `FetchSession`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, TopicId, TopicName};
use parking_lot::Mutex;

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

/// What a consumer asks of one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FetchParams {
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    pub last_fetched_epoch: i32,
    pub partition_max_bytes: i32,
}

/// What a response says of one partition, as far as sessions care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    pub error: ErrorCode,
    pub high_watermark: i64,
    pub log_start_offset: i64,
    pub record_bytes: usize,
    pub diverging: bool,
}

#[derive(Clone, Debug)]
struct Cached {
    key: FetchKey,
    params: FetchParams,
    high_watermark: i64,
    log_start_offset: i64,
}

struct Session {
    epoch: i32,
    uses_topic_ids: bool,
    last_used: Monotonic,
    /// Partitions in the order they are looked at; one that was just answered goes to the end, so
    /// that a byte limit starves nobody.
    order: BTreeMap<u64, Cached>,
    places: HashMap<FetchKey, u64>,
    next_place: u64,
}

impl Session {
    fn new(uses_topic_ids: bool, now: Monotonic) -> Session {
        Session {
            epoch: 1,
            uses_topic_ids,
            last_used: now,
            order: BTreeMap::new(),
            places: HashMap::new(),
            next_place: 0,
        }
    }

    fn put(&mut self, key: FetchKey, params: FetchParams, told: Option<&Told>) {
        match self.places.get(&key) {
            Some(place) => {
                if let Some(cached) = self.order.get_mut(place) {
                    cached.params = params;
                }
            }
            None => {
                let place = self.next_place;
                self.next_place += 1;
                self.places.insert(key.clone(), place);
                self.order.insert(
                    place,
                    Cached {
                        key,
                        params,
                        high_watermark: told.map_or(-1, |told| told.high_watermark),
                        log_start_offset: told.map_or(-1, |told| told.log_start_offset),
                    },
                );
            }
        }
    }

    fn forget(&mut self, key: &FetchKey) {
        if let Some(place) = self.places.remove(key) {
            self.order.remove(&place);
        }
    }

    /// Whether the response must name this partition; remembers what it says
    /// (`CachedPartition.maybeUpdateResponseData`).
    fn tell(&mut self, key: &FetchKey, told: &Told) -> bool {
        let Some(place) = self.places.get(key).copied() else { return true };
        let Some(cached) = self.order.get_mut(&place) else { return true };
        let mut changed = told.record_bytes > 0 || told.diverging;
        if cached.high_watermark != told.high_watermark {
            cached.high_watermark = told.high_watermark;
            changed = true;
        }
        if cached.log_start_offset != told.log_start_offset {
            cached.log_start_offset = told.log_start_offset;
            changed = true;
        }
        if !told.error.is_none() {
            // An error is repeated until it is over: the next answer differs from this mark.
            cached.high_watermark = -1;
            changed = true;
        }
        if changed && told.record_bytes > 0 {
            let cached = self.order.remove(&place).expect("found above");
            let place = self.next_place;
            self.next_place += 1;
            self.places.insert(key.clone(), place);
            self.order.insert(place, cached);
        }
        changed
    }
}

/// All sessions of this broker.
pub struct FetchSessions {
    slots_max: usize,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    by_id: HashMap<i32, Arc<Mutex<Session>>>,
}

/// A session may be replaced when nobody used it for this long (`min.incremental.fetch.session.eviction.ms`).
const EVICTION_MS_MIN: i64 = 120_000;

/// How one fetch relates to a session.
pub enum FetchContext {
    /// Nothing is remembered.
    Sessionless { partitions: Vec<(FetchKey, FetchParams)> },
    /// A full fetch: everything is answered and, if there is room, remembered.
    Full { partitions: Vec<(FetchKey, FetchParams)>, uses_topic_ids: bool },
    /// Only what changed is answered.
    Incremental { session_id: i32, epoch: i32, partitions: Vec<(FetchKey, FetchParams)>, session: SessionRef },
    /// The session can't be used: this code is the whole answer.
    Refused(ErrorCode),
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

const EPOCH_INITIAL: i32 = 0;
const EPOCH_FINAL: i32 = -1;

impl FetchSessions {
    pub fn new(slots_max: usize) -> FetchSessions {
        FetchSessions { slots_max, sessions: Mutex::default() }
    }

    pub fn count(&self) -> usize {
        self.sessions.lock().by_id.len()
    }

    pub fn open(&self, request: SessionRequest, now: Monotonic) -> FetchContext {
        let SessionRequest { session_id, session_epoch, uses_topic_ids, partitions, forgotten } = request;
        let mut sessions = self.sessions.lock();
        if session_epoch == EPOCH_INITIAL || session_epoch == EPOCH_FINAL {
            if session_id != 0 {
                sessions.by_id.remove(&session_id);
            }
            return if session_epoch == EPOCH_FINAL {
                FetchContext::Sessionless { partitions }
            } else {
                FetchContext::Full { partitions, uses_topic_ids }
            };
        }
        let Some(found) = sessions.by_id.get(&session_id).cloned() else {
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
            session.put(key.clone(), *params, None);
        }
        for key in &forgotten {
            session.forget(key);
        }
        if session.order.is_empty() {
            sessions.by_id.remove(&session_id);
            return FetchContext::Sessionless { partitions };
        }
        session.last_used = now;
        session.epoch = if session.epoch == i32::MAX { 1 } else { session.epoch + 1 };
        let all = session.order.values().map(|cached| (cached.key.clone(), cached.params)).collect();
        let epoch = session.epoch;
        drop(session);
        FetchContext::Incremental { session_id, epoch, partitions: all, session: SessionRef(found) }
    }

    /// Remembers a full fetch and its answer; 0 when there is no room.
    pub fn remember(
        &self,
        uses_topic_ids: bool,
        answered: impl Iterator<Item = (FetchKey, FetchParams, Told)>,
        now: Monotonic,
        random: impl Fn() -> u64,
    ) -> i32 {
        let mut sessions = self.sessions.lock();
        if sessions.by_id.len() >= self.slots_max {
            let oldest = sessions
                .by_id
                .iter()
                .map(|(id, session)| (session.lock().last_used, *id))
                .min_by_key(|(last_used, _)| *last_used);
            match oldest {
                Some((last_used, id)) if last_used.after_ms(EVICTION_MS_MIN) <= now => {
                    sessions.by_id.remove(&id);
                }
                _ => return 0,
            }
        }
        let session_id = loop {
            let id = (random() & 0x7fff_ffff) as i32;
            if id != 0 && !sessions.by_id.contains_key(&id) {
                break id;
            }
        };
        let mut session = Session::new(uses_topic_ids, now);
        for (key, params, told) in answered {
            session.put(key.clone(), params, Some(&told));
            if !told.error.is_none() {
                // As `tell`: an error is repeated until it is over.
                if let Some(cached) = session.places.get(&key).and_then(|place| session.order.get_mut(place))
                {
                    cached.high_watermark = -1;
                }
            }
        }
        sessions.by_id.insert(session_id, Arc::new(Mutex::new(session)));
        session_id
    }
}

impl SessionRef {
    /// Which of these answers the response must name; `None` when another request of the session
    /// came meanwhile (its epoch moved on).
    pub fn changed(&self, epoch: i32, told: &[(FetchKey, Told)]) -> Option<Vec<bool>> {
        let mut session = self.0.lock();
        if session.epoch != epoch {
            return None;
        }
        Some(told.iter().map(|(key, told)| session.tell(key, told)).collect())
    }

    /// Whether any of these answers would be named, without remembering it.
    pub fn would_change(&self, told: &[(FetchKey, Told)]) -> bool {
        let session = self.0.lock();
        told.iter().any(|(key, told)| {
            let cached = session.places.get(key).and_then(|place| session.order.get(place));
            cached.is_none_or(|cached| {
                told.record_bytes > 0
                    || told.diverging
                    || !told.error.is_none()
                    || cached.high_watermark != told.high_watermark
                    || cached.log_start_offset != told.log_start_offset
            })
        })
    }
}

#[cfg(test)]
mod tests {
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
        }
    }

    fn told(high_watermark: i64, record_bytes: usize) -> Told {
        Told { error: ErrorCode::None, high_watermark, log_start_offset: 0, record_bytes, diverging: false }
    }

    fn request(session_id: i32, session_epoch: i32, partitions: &[i32]) -> SessionRequest {
        SessionRequest {
            session_id,
            session_epoch,
            uses_topic_ids: false,
            partitions: partitions.iter().map(|index| (key(*index), params(0))).collect(),
            forgotten: Vec::new(),
        }
    }

    fn now(ms: u64) -> Monotonic {
        Monotonic(Duration::from_millis(ms))
    }

    fn created(sessions: &FetchSessions, partitions: &[i32]) -> i32 {
        let answered: Vec<_> = partitions.iter().map(|index| (key(*index), params(0), told(5, 0))).collect();
        sessions.remember(false, answered.into_iter(), now(0), || 77)
    }

    #[test]
    fn an_incremental_fetch_names_only_what_changed() {
        let sessions = FetchSessions::new(10);
        let id = created(&sessions, &[0, 1]);
        assert_eq!(id, 77);
        let FetchContext::Incremental { epoch, partitions, session, .. } =
            sessions.open(request(id, 1, &[]), now(1))
        else {
            panic!("the session is there")
        };
        assert_eq!(partitions.len(), 2);
        let named = session.changed(epoch, &[(key(0), told(5, 0)), (key(1), told(6, 10))]);
        assert_eq!(named, Some(vec![false, true]));
    }

    #[test]
    fn wrong_ids_and_epochs_are_refused_and_epoch_minus_one_closes() {
        let sessions = FetchSessions::new(10);
        let id = created(&sessions, &[0]);
        assert!(matches!(
            sessions.open(request(5, 1, &[]), now(1)),
            FetchContext::Refused(ErrorCode::FetchSessionIdNotFound)
        ));
        assert!(matches!(
            sessions.open(request(id, 3, &[]), now(1)),
            FetchContext::Refused(ErrorCode::InvalidFetchSessionEpoch)
        ));
        assert!(matches!(sessions.open(request(id, -1, &[0]), now(1)), FetchContext::Sessionless { .. }));
        assert_eq!(sessions.count(), 0);
    }

    #[test]
    fn an_error_is_repeated_until_it_is_over() {
        let sessions = FetchSessions::new(10);
        let id = created(&sessions, &[0]);
        let FetchContext::Incremental { epoch, session, .. } = sessions.open(request(id, 1, &[]), now(1))
        else {
            panic!("the session is there")
        };
        let failed = Told { error: ErrorCode::UnknownTopicOrPartition, ..told(-1, 0) };
        assert_eq!(session.changed(epoch, &[(key(0), failed)]), Some(vec![true]));
        assert_eq!(session.changed(epoch, &[(key(0), failed)]), Some(vec![true]));
        assert_eq!(session.changed(epoch, &[(key(0), told(5, 0))]), Some(vec![true]));
        assert_eq!(session.changed(epoch, &[(key(0), told(5, 0))]), Some(vec![false]));
    }

    #[test]
    fn a_full_cache_gives_up_only_what_nobody_used_for_long() {
        let sessions = FetchSessions::new(1);
        let first = created(&sessions, &[0]);
        let none = std::iter::empty::<(FetchKey, FetchParams, Told)>();
        assert_eq!(sessions.remember(false, none, now(1000), || 78), 0);
        let none = std::iter::empty::<(FetchKey, FetchParams, Told)>();
        assert_eq!(sessions.remember(false, none, now(120_000), || 79), 79);
        assert!(matches!(sessions.open(request(first, 1, &[]), now(120_001)), FetchContext::Refused(_)));
    }
}
