//! Share sessions: which partitions each member fetches, and what it was last told.
//! Core. After Kafka's `ShareSessionCache` and `ShareSession`.

use std::collections::{BTreeMap, HashMap};

use ottla_model::{ErrorCode, GroupId, MemberId, TopicId};

/// A member's session is one per group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SessionKey {
    pub group: GroupId,
    pub member: MemberId,
}

/// A partition as share fetches name it.
pub type SessionPartition = (TopicId, i32);

struct Session {
    epoch: i32,
    connection: u64,
    /// In the order in which they are fetched; one that was just served goes to the end.
    order: BTreeMap<u64, Cached>,
    places: HashMap<SessionPartition, u64>,
    next_place: u64,
}

struct Cached {
    partition: SessionPartition,
    /// The next answer names it even if there is nothing to say.
    requires_update: bool,
}

impl Session {
    fn new(epoch: i32, connection: u64) -> Session {
        Session { epoch, connection, order: BTreeMap::new(), places: HashMap::new(), next_place: 0 }
    }

    fn add(&mut self, partition: SessionPartition, requires_update: bool) {
        if !self.places.contains_key(&partition) {
            self.places.insert(partition, self.next_place);
            self.order.insert(self.next_place, Cached { partition, requires_update });
            self.next_place += 1;
        }
    }

    fn forget(&mut self, partition: &SessionPartition) {
        if let Some(place) = self.places.remove(partition) {
            self.order.remove(&place);
        }
    }

    /// Whether the answer names the partition (`CachedSharePartition.maybeUpdateResponseData`).
    fn tell(&mut self, partition: &SessionPartition, has_records: bool, is_error: bool) -> bool {
        let Some(place) = self.places.get(partition).copied() else { return true };
        let Some(cached) = self.order.get_mut(&place) else { return true };
        let is_told = has_records || is_error || cached.requires_update;
        // An error is told until it is over.
        cached.requires_update = is_error;
        if has_records && let Some(cached) = self.order.remove(&place) {
            self.places.insert(cached.partition, self.next_place);
            self.order.insert(self.next_place, cached);
            self.next_place += 1;
        }
        is_told
    }
}

/// The session of a connection; it lives on in name when the member has made another.
struct OfConnection {
    key: SessionKey,
    is_stale: bool,
}

pub struct ShareSessions {
    sessions_max: usize,
    sessions: HashMap<SessionKey, Session>,
    by_connection: HashMap<u64, OfConnection>,
    members: HashMap<GroupId, usize>,
}

/// What one share fetch is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ShareFetchContext {
    /// The first of a session: all is answered.
    First { partitions: Vec<SessionPartition> },
    /// A later one: what is new is answered.
    Next { epoch: i32, partitions: Vec<SessionPartition> },
    /// The last: nothing is fetched.
    Final,
}

/// What ended with a connection.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Disconnected {
    /// The member whose records are to be released, and the partitions it had.
    pub left: Option<(SessionKey, Vec<SessionPartition>)>,
    /// A group that nobody fetches for any more.
    pub emptied: Option<GroupId>,
}

const EPOCH_INITIAL: i32 = 0;
const EPOCH_FINAL: i32 = -1;

/// `ShareRequestMetadata.nextEpoch`.
fn next_epoch(epoch: i32) -> i32 {
    match epoch {
        epoch if epoch < 0 => EPOCH_FINAL,
        i32::MAX => 1,
        epoch => epoch + 1,
    }
}

impl ShareSessions {
    pub fn new(sessions_max: usize) -> ShareSessions {
        ShareSessions {
            sessions_max,
            sessions: HashMap::new(),
            by_connection: HashMap::new(),
            members: HashMap::new(),
        }
    }

    pub fn count(&self) -> usize {
        self.sessions.len()
    }

    /// A share fetch arrives.
    pub fn open(
        &mut self,
        key: &SessionKey,
        epoch: i32,
        connection: u64,
        partitions: &[SessionPartition],
        forgotten: &[SessionPartition],
        has_acknowledgements: bool,
    ) -> Result<ShareFetchContext, ErrorCode> {
        if epoch == EPOCH_FINAL {
            return match self.sessions.contains_key(key) {
                true => Ok(ShareFetchContext::Final),
                false => Err(ErrorCode::ShareSessionNotFound),
            };
        }
        if epoch == EPOCH_INITIAL {
            if has_acknowledgements {
                return Err(ErrorCode::InvalidRequest);
            }
            self.remove(key);
            if self.sessions.len() >= self.sessions_max {
                return Err(ErrorCode::ShareSessionLimitReached);
            }
            let mut session = Session::new(next_epoch(EPOCH_INITIAL), connection);
            for partition in partitions {
                session.add(*partition, false);
            }
            self.sessions.insert(key.clone(), session);
            *self.members.entry(key.group.clone()).or_default() += 1;
            self.by_connection.insert(connection, OfConnection { key: key.clone(), is_stale: false });
            return Ok(ShareFetchContext::First { partitions: partitions.to_vec() });
        }
        let session = self.advance(key, epoch)?;
        for partition in partitions {
            session.add(*partition, true);
        }
        for partition in forgotten {
            session.forget(partition);
        }
        let partitions = session.order.values().map(|cached| cached.partition).collect();
        Ok(ShareFetchContext::Next { epoch, partitions })
    }

    /// A ShareAcknowledge arrives: it counts as a request of the session.
    pub fn acknowledge(&mut self, key: &SessionKey, epoch: i32) -> Result<(), ErrorCode> {
        match epoch {
            EPOCH_INITIAL => Err(ErrorCode::InvalidShareSessionEpoch),
            EPOCH_FINAL if self.sessions.contains_key(key) => Ok(()),
            EPOCH_FINAL => Err(ErrorCode::ShareSessionNotFound),
            epoch => self.advance(key, epoch).map(|_| ()),
        }
    }

    fn advance(&mut self, key: &SessionKey, epoch: i32) -> Result<&mut Session, ErrorCode> {
        let session = self.sessions.get_mut(key).ok_or(ErrorCode::ShareSessionNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidShareSessionEpoch);
        }
        session.epoch = next_epoch(session.epoch);
        Ok(session)
    }

    /// Which of the answers leave; `None` when the session went on meanwhile.
    pub fn tell(
        &mut self,
        key: &SessionKey,
        epoch: i32,
        answers: impl Iterator<Item = (SessionPartition, bool, bool)>,
    ) -> Option<Vec<bool>> {
        let session = self.sessions.get_mut(key).filter(|session| session.epoch == next_epoch(epoch))?;
        Some(
            answers
                .map(|(partition, has_records, is_error)| session.tell(&partition, has_records, is_error))
                .collect(),
        )
    }

    /// Ends a session; the partitions it had.
    pub fn remove(&mut self, key: &SessionKey) -> Option<Vec<SessionPartition>> {
        let session = self.sessions.remove(key)?;
        if let Some(count) = self.members.get_mut(&key.group) {
            *count = count.saturating_sub(1);
        }
        if let Some(of) = self.by_connection.get_mut(&session.connection)
            && of.key == *key
        {
            of.is_stale = true;
        }
        Some(session.order.into_values().map(|cached| cached.partition).collect())
    }

    pub fn on_disconnect(&mut self, connection: u64) -> Disconnected {
        let Some(of) = self.by_connection.remove(&connection) else { return Disconnected::default() };
        let left = if of.is_stale { None } else { self.remove(&of.key).map(|had| (of.key.clone(), had)) };
        let is_empty = self.members.get(&of.key.group).copied().unwrap_or(0) == 0;
        if is_empty {
            self.members.remove(&of.key.group);
        }
        Disconnected { left, emptied: is_empty.then_some(of.key.group) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TopicId = TopicId(uuid::Uuid::from_u128(7));

    fn key(member: &str) -> SessionKey {
        SessionKey { group: GroupId::new("g"), member: MemberId::new(member) }
    }

    #[test]
    fn a_session_goes_on_epoch_by_epoch() {
        let mut sessions = ShareSessions::new(1);
        let (k, first) = (key("m"), [(ID, 0)]);
        assert_eq!(sessions.open(&k, 1, 1, &[], &[], false), Err(ErrorCode::ShareSessionNotFound));
        assert_eq!(sessions.open(&k, 0, 1, &first, &[], true), Err(ErrorCode::InvalidRequest));
        let opened = sessions.open(&k, 0, 1, &first, &[], false);
        assert_eq!(opened, Ok(ShareFetchContext::First { partitions: first.to_vec() }));
        assert_eq!(
            sessions.open(&key("n"), 0, 2, &first, &[], false),
            Err(ErrorCode::ShareSessionLimitReached)
        );
        let next = sessions.open(&k, 1, 1, &[(ID, 1)], &[], false);
        assert_eq!(next, Ok(ShareFetchContext::Next { epoch: 1, partitions: vec![(ID, 0), (ID, 1)] }));
        // What is new to the session is told once.
        let told = |sessions: &mut ShareSessions, epoch| {
            sessions.tell(&k, epoch, [((ID, 0), false, false), ((ID, 1), false, false)].into_iter())
        };
        assert_eq!(told(&mut sessions, 1), Some(vec![false, true]));
        assert_eq!(sessions.open(&k, 1, 1, &[], &[], true), Err(ErrorCode::InvalidShareSessionEpoch));
        assert_eq!(sessions.acknowledge(&k, 2), Ok(()));
        assert_eq!(told(&mut sessions, 1), None);
        assert_eq!(sessions.acknowledge(&k, 0), Err(ErrorCode::InvalidShareSessionEpoch));
        let next = sessions.open(&k, 3, 1, &[], &[(ID, 0)], true);
        assert_eq!(next, Ok(ShareFetchContext::Next { epoch: 3, partitions: vec![(ID, 1)] }));
        assert_eq!(sessions.open(&k, -1, 1, &[], &[], true), Ok(ShareFetchContext::Final));
        assert_eq!(sessions.remove(&k), Some(vec![(ID, 1)]));
        assert_eq!(sessions.acknowledge(&k, -1), Err(ErrorCode::ShareSessionNotFound));
    }

    #[test]
    fn a_connection_that_ends_takes_its_session_along() {
        let mut sessions = ShareSessions::new(10);
        for (member, connection) in [("m", 1), ("n", 2)] {
            assert!(sessions.open(&key(member), 0, connection, &[(ID, 0)], &[], false).is_ok());
        }
        assert_eq!(
            sessions.on_disconnect(1),
            Disconnected { left: Some((key("m"), vec![(ID, 0)])), emptied: None }
        );
        assert_eq!(sessions.on_disconnect(1), Disconnected::default());
        sessions.remove(&key("n"));
        assert_eq!(sessions.on_disconnect(2), Disconnected { left: None, emptied: Some(GroupId::new("g")) });
        assert_eq!(sessions.count(), 0);
    }
}
