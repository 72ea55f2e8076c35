//! What is new for a follower's fetch session: it looks at those partitions, and all others cost it nothing.
//! Core. Time is an argument.
//!
//! Invariants:
//! - I1. A partition is settled for a follower only while the follower is in sync, has all of its log and knows its high
//!   watermark and its log's start. Whatever changes one of these unsettles it, under the lock that settling takes.
//! - I2. What is unsettled is named to its session once, until the session settles it again.
//! - I3. A follower has all of a settled partition at each fetch of the session: that is said of it when it is unsettled.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ottla_env::Monotonic;
use ottla_model::{BrokerId, ErrorCode, Offset};
use parking_lot::Mutex;

use crate::read::{PartitionRead, ReadRequest, ReplicaReader, Standing};
use crate::wake::WaitList;

/// A partition's place in a session.
pub type Place = u64;

/// Of one session, which belongs to one registration of a broker.
#[derive(Debug)]
pub struct SessionNews {
    follower: BrokerId,
    broker_epoch: i64,
    unsettled: Mutex<Vec<Place>>,
    /// The session's fetch, while it waits.
    waiting: Arc<WaitList>,
    /// When the session last fetched, in nanoseconds.
    fetched: AtomicU64,
}

impl SessionNews {
    pub fn new(follower: BrokerId, broker_epoch: i64) -> Arc<SessionNews> {
        Arc::new(SessionNews {
            follower,
            broker_epoch,
            unsettled: Mutex::default(),
            waiting: Arc::default(),
            fetched: AtomicU64::new(0),
        })
    }

    /// Whether this broker, as it is registered now, fetches only what is news.
    pub fn is_of(&self, reader: &ReplicaReader) -> bool {
        reader.id == self.follower
            && reader.broker_epoch == self.broker_epoch
            && reader.standing == Standing::Eligible
    }

    /// The session fetches: of what is settled the follower has everything.
    pub fn on_fetch(&self, received: Monotonic) {
        let nanos = u64::try_from(received.0.as_nanos()).unwrap_or(u64::MAX);
        self.fetched.fetch_max(nanos, Ordering::AcqRel);
    }

    fn fetched(&self) -> Monotonic {
        Monotonic(Duration::from_nanos(self.fetched.load(Ordering::Acquire)))
    }

    fn add(&self, place: Place) {
        self.unsettled.lock().push(place);
        self.waiting.wake_all();
    }

    /// What was unsettled since this was last asked.
    pub fn take(&self) -> Vec<Place> {
        std::mem::take(&mut *self.unsettled.lock())
    }

    pub fn is_empty(&self) -> bool {
        self.unsettled.lock().is_empty()
    }

    /// Woken with each of the news.
    pub fn waiting(&self) -> Arc<WaitList> {
        self.waiting.clone()
    }

    /// Settles a partition for which a first look found nothing to say; false where there is, or may be soon.
    pub fn settle(
        self: &Arc<Self>,
        reader: &ReplicaReader,
        request: &ReadRequest,
        found: &PartitionRead,
        place: Place,
    ) -> bool {
        let is_nothing = found.error == ErrorCode::None && found.data.is_none() && found.diverging.is_none();
        if !is_nothing || !self.is_of(reader) || request.follower.high_watermark < found.high_watermark {
            return false;
        }
        let Ok(led) = request.partition.led(request.current_leader_epoch) else { return false };
        let (leader, log) = (led.leader(), led.log());
        leader.settle(self.follower, Settled { news: self.clone(), place }, || {
            log.log_end_offset() == Offset(request.fetch_offset)
                && log.log_start_offset() == Offset(found.log_start_offset)
                && leader.high_watermark() == Offset(found.high_watermark)
        })
    }
}

/// Where to tell what is new.
#[derive(Clone, Debug)]
pub struct Settled {
    news: Arc<SessionNews>,
    place: Place,
}

impl Settled {
    /// When the follower is known to have had everything.
    pub fn had_all(&self) -> Monotonic {
        self.news.fetched()
    }

    pub fn tell(self) {
        self.news.add(self.place);
    }
}

impl PartialEq for Settled {
    fn eq(&self, other: &Settled) -> bool {
        Arc::ptr_eq(&self.news, &other.news) && self.place == other.place
    }
}

impl Eq for Settled {}
