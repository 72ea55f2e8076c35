//! Which fetch sessions are kept, and which give way to another.
//! Core. Rules are those of `org.apache.kafka.server.FetchSessionCacheShard`; time is an argument.
//!
//! Invariant:
//! - I1. Each session is once in `last_used`, and in the sets of those that may be evicted with the key of its entry.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ottla_env::Monotonic;
use parking_lot::Mutex;

use crate::fetch_session::Session;

/// `KafkaBroker.NumFetchSessionCacheShards`.
pub const SHARD_COUNT: usize = 8;
/// How many session ids a shard has.
const ID_RANGE: i32 = i32::MAX / SHARD_COUNT as i32;

/// `KafkaBroker.MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS`: a session that is not used for longer is stale, and one
/// that was made longer ago may give way to a larger one.
const EVICTION_MS: i64 = 120_000;

/// What a session is worth, the least first: a consumer's below a follower's, few partitions below many.
type EvictableKey = (bool, usize, i32);

struct Entry {
    session: Arc<Mutex<Session>>,
    is_privileged: bool,
    created: Monotonic,
    last_used: Monotonic,
    /// How many partitions it had when it was last used.
    partition_count: usize,
}

impl Entry {
    fn key(&self, id: i32) -> EvictableKey {
        (self.is_privileged, self.partition_count, id)
    }
}

pub struct Shard {
    number: usize,
    slots_max: usize,
    sessions: HashMap<i32, Entry>,
    last_used: BTreeSet<(Monotonic, i32)>,
    evictable_by_all: BTreeSet<EvictableKey>,
    evictable_by_privileged: BTreeSet<EvictableKey>,
}

impl Shard {
    pub fn new(number: usize, slots_max: usize) -> Shard {
        assert!(number < SHARD_COUNT, "shard {number}");
        Shard {
            number,
            slots_max,
            sessions: HashMap::new(),
            last_used: BTreeSet::new(),
            evictable_by_all: BTreeSet::new(),
            evictable_by_privileged: BTreeSet::new(),
        }
    }

    /// The number of the shard that gives out this id.
    pub fn number_of(session_id: i32) -> Option<usize> {
        usize::try_from(session_id).ok().filter(|id| *id > 0).map(|id| id / ID_RANGE as usize)
    }

    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    pub fn get(&self, id: i32) -> Option<Arc<Mutex<Session>>> {
        self.sessions.get(&id).map(|entry| entry.session.clone())
    }

    pub fn remove(&mut self, id: i32) {
        if let Some(entry) = self.sessions.remove(&id) {
            self.last_used.remove(&(entry.last_used, id));
            self.evictable_by_all.remove(&entry.key(id));
            self.evictable_by_privileged.remove(&entry.key(id));
        }
    }

    /// Whether a new session has a place, if need be that of a stale or of a lesser one.
    pub fn make_room(&mut self, is_privileged: bool, partition_count: usize, now: Monotonic) -> bool {
        if self.sessions.len() < self.slots_max {
            return true;
        }
        let Some((last_used, oldest)) = self.last_used.first().copied() else { return false };
        if last_used.after_ms(EVICTION_MS) < now {
            self.remove(oldest);
            return true;
        }
        let evictable = if is_privileged { &self.evictable_by_privileged } else { &self.evictable_by_all };
        match evictable.first().copied() {
            Some(least) if (is_privileged, partition_count, 0) >= least => {
                self.remove(least.2);
                true
            }
            _ => false,
        }
    }

    /// Adds a session for which room was made; its id.
    pub fn insert(
        &mut self,
        session: Arc<Mutex<Session>>,
        is_privileged: bool,
        partition_count: usize,
        now: Monotonic,
        random: impl Fn() -> u64,
    ) -> i32 {
        assert!(self.sessions.len() < self.slots_max, "room was made");
        let first = self.number as i32 * ID_RANGE;
        let id = loop {
            let id = first + (random() % ID_RANGE as u64) as i32;
            if id != 0 && !self.sessions.contains_key(&id) {
                break id;
            }
        };
        assert_eq!(Shard::number_of(id), Some(self.number), "an id of this shard");
        let entry = Entry { session, is_privileged, created: now, last_used: now, partition_count };
        self.sessions.insert(id, entry);
        self.touch(id, partition_count, now);
        id
    }

    /// The session is used, and has so many partitions now.
    pub fn touch(&mut self, id: i32, partition_count: usize, now: Monotonic) {
        let Some(entry) = self.sessions.get_mut(&id) else { return };
        self.last_used.remove(&(entry.last_used, id));
        self.evictable_by_all.remove(&entry.key(id));
        self.evictable_by_privileged.remove(&entry.key(id));
        entry.last_used = now;
        entry.partition_count = partition_count;
        let is_old = entry.created.after_ms(EVICTION_MS) < now;
        self.last_used.insert((now, id));
        if !entry.is_privileged || is_old {
            self.evictable_by_privileged.insert(entry.key(id));
        }
        if is_old {
            self.evictable_by_all.insert(entry.key(id));
        }
        assert_eq!(self.last_used.len(), self.sessions.len(), "each session was used once last");
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    fn now(ms: u64) -> Monotonic {
        Monotonic(Duration::from_millis(ms))
    }

    /// Adds a session if the shard has, or makes, room for it.
    fn add(shard: &mut Shard, is_privileged: bool, partition_count: usize, ms: u64) -> Option<i32> {
        if !shard.make_room(is_privileged, partition_count, now(ms)) {
            return None;
        }
        let session = Arc::new(Mutex::new(Session::new(false)));
        let drawn = Cell::new(1_000 * ms + 17);
        let random = || drawn.replace(drawn.get() + 1);
        Some(shard.insert(session, is_privileged, partition_count, now(ms), random))
    }

    fn filled(number: usize, slots: usize) -> (Shard, Vec<i32>) {
        let mut shard = Shard::new(number, slots);
        let ids = (0..slots).map(|_| add(&mut shard, false, 3, 0).expect("room")).collect();
        (shard, ids)
    }

    #[test]
    fn the_sessions_of_clients_that_are_gone_give_way_once_they_are_stale() {
        let (mut shard, ids) = filled(0, 250);
        for ms in [0, 60_000, 120_000] {
            assert_eq!(add(&mut shard, false, 3, ms), None);
            assert_eq!(add(&mut shard, false, 1_000, ms), None, "a larger one has to wait as well");
        }
        // One client is still there.
        shard.touch(ids[7], 3, now(100_000));
        for taken in 0..249 {
            assert!(add(&mut shard, false, 1, 120_001).is_some(), "after {taken}");
        }
        assert_eq!(add(&mut shard, false, 1, 120_001), None, "all that were stale are gone");
        assert!(shard.get(ids[7]).is_some());
        assert_eq!(shard.len(), 250);
    }

    #[test]
    fn an_old_session_gives_way_to_one_with_more_partitions() {
        let (mut shard, ids) = filled(3, 2);
        shard.touch(ids[0], 5, now(120_001));
        shard.touch(ids[1], 4, now(120_001));
        assert_eq!(add(&mut shard, false, 3, 120_002), None);
        assert_eq!(add(&mut shard, false, 4, 120_002), None, "as many are not more");
        let larger = add(&mut shard, false, 6, 120_002).expect("it is worth more than the least");
        assert!(shard.get(ids[1]).is_none() && shard.get(ids[0]).is_some() && shard.get(larger).is_some());
        // The new one is young: it is the other's turn, if at all.
        assert_eq!(add(&mut shard, false, 5, 120_003), None);
        assert!(add(&mut shard, false, 7, 120_003).is_some());
        assert!(shard.get(ids[0]).is_none() && shard.get(larger).is_some());
    }

    #[test]
    fn a_follower_s_session_takes_the_place_of_a_consumer_s_however_young() {
        let (mut shard, ids) = filled(0, 2);
        assert!(add(&mut shard, true, 1, 1).is_some());
        assert!(add(&mut shard, true, 1, 2).is_some());
        assert!(ids.iter().all(|id| shard.get(*id).is_none()));
        assert_eq!(add(&mut shard, true, 1_000, 3), None, "another follower's stays while it is young");
        assert_eq!(add(&mut shard, false, 1_000, 3), None);
    }

    #[test]
    fn an_id_says_its_shard() {
        for number in 0..SHARD_COUNT {
            let mut shard = Shard::new(number, 2);
            for ms in [0, u64::from(u32::MAX)] {
                let id = add(&mut shard, false, 1, ms).expect("room");
                assert_eq!(Shard::number_of(id), Some(number));
            }
        }
        assert_eq!((Shard::number_of(0), Shard::number_of(-1)), (None, None));
        // Behind the last range.
        assert_eq!(Shard::number_of(i32::MAX), Some(SHARD_COUNT));
    }
}
