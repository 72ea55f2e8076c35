//! How much throttled replicas may copy a second, on the leader's side and on the follower's (KIP-73).
//! Core: the time comes from the partition's clock. Kafka's `ReplicationQuotaManager`.
//!
//! A replica that is in sync is never held back, though what it copies counts. Where no rate is set, a partition is asked by
//! one relaxed load.

use std::sync::atomic::{AtomicBool, Ordering};

use ottla_env::Monotonic;
use ottla_model::BrokerId;
use ottla_quota::{Rate, Windows};
use parking_lot::Mutex;

use crate::partition::{Led, Partition};
use crate::read::{PartitionRead, ReadRequest};

/// Which partitions of a topic are throttled on this broker.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum ThrottledReplicas {
    #[default]
    None,
    All,
    /// In order.
    Partitions(Vec<i32>),
}

impl ThrottledReplicas {
    /// Of the value of a topic key: `*`, or pairs of partition and broker.
    pub fn of(entries: &[String], node: BrokerId) -> ThrottledReplicas {
        if entries.iter().any(|entry| entry.trim() == "*") {
            return ThrottledReplicas::All;
        }
        let here = |entry: &String| {
            let (partition, broker) = entry.trim().split_once(':')?;
            let is_here = broker.parse() == Ok(node.0);
            partition.parse().ok().filter(|_| is_here)
        };
        let mut partitions: Vec<i32> = entries.iter().filter_map(here).collect();
        partitions.sort_unstable();
        match partitions.is_empty() {
            true => ThrottledReplicas::None,
            false => ThrottledReplicas::Partitions(partitions),
        }
    }

    pub fn insert(&mut self, partition: i32) {
        match self {
            ThrottledReplicas::None => *self = ThrottledReplicas::Partitions(vec![partition]),
            ThrottledReplicas::All => {}
            ThrottledReplicas::Partitions(partitions) => {
                if let Err(place) = partitions.binary_search(&partition) {
                    partitions.insert(place, partition);
                }
            }
        }
    }

    pub fn contains(&self, partition: i32) -> bool {
        match self {
            ThrottledReplicas::None => false,
            ThrottledReplicas::All => true,
            ThrottledReplicas::Partitions(partitions) => partitions.binary_search(&partition).is_ok(),
        }
    }
}

/// The throttled replicas of a topic, by what this broker is to them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Throttled {
    pub leading: ThrottledReplicas,
    pub following: ThrottledReplicas,
}

/// The rates of this broker.
#[derive(Default)]
pub struct Throttles {
    pub leading: ReplicationQuota,
    pub following: ReplicationQuota,
}

/// One of them, with what was copied under it.
#[derive(Default)]
pub struct ReplicationQuota {
    is_limited: AtomicBool,
    copied: Mutex<Option<Copied>>,
}

struct Copied {
    bytes_per_second: f64,
    windows: Windows,
    rate: Rate,
}

impl ReplicationQuota {
    /// In force from now on; what was copied before still counts. The largest number is no limit.
    pub fn set(&self, bytes_per_second: i64, windows: Windows) {
        let is_limited = bytes_per_second != i64::MAX;
        let mut copied = self.copied.lock();
        *copied = is_limited.then(|| Copied {
            bytes_per_second: bytes_per_second as f64,
            windows,
            rate: copied.take().map(|before| before.rate).unwrap_or_default(),
        });
        self.is_limited.store(is_limited, Ordering::Relaxed);
    }

    #[inline]
    pub fn is_limited(&self) -> bool {
        self.is_limited.load(Ordering::Relaxed)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Copied) -> T) -> Option<T> {
        if !self.is_limited() {
            return None;
        }
        self.copied.lock().as_mut().map(look)
    }

    pub fn record(&self, bytes: usize, now: Monotonic) {
        let _unlimited = self.with(|copied| copied.rate.record(copied.windows, bytes as f64, ms(now)));
    }

    /// Whether more was copied than may be.
    pub fn is_exceeded(&self, now: Monotonic) -> bool {
        let is_exceeded = |copied: &mut Copied| {
            copied.rate.measure_elapsed(copied.windows, ms(now)) > copied.bytes_per_second
        };
        self.with(is_exceeded).unwrap_or(false)
    }
}

fn ms(now: Monotonic) -> i64 {
    i64::try_from(now.0.as_millis()).unwrap_or(i64::MAX)
}

impl Partition {
    fn is_throttled_leader(&self) -> bool {
        self.topic.shared.throttles.leading.is_limited()
            && self.topic.throttled().leading.contains(self.index().0)
    }

    /// Whether this replica is one of those that may not copy more than the rate.
    pub(crate) fn is_throttled_follower(&self) -> bool {
        self.topic.shared.throttles.following.is_limited()
            && self.topic.throttled().following.contains(self.index().0)
    }

    /// Whether this broker's followers have copied more than they may.
    pub(crate) fn is_following_exceeded(&self) -> bool {
        let following = &self.topic.shared.throttles.following;
        following.is_limited() && following.is_exceeded(self.topic.now())
    }

    /// Whether a follower gets no records now (`ReplicaManager.shouldLeaderThrottle`).
    pub(crate) fn holds_back(&self, led: &Led<'_>, follower: BrokerId) -> bool {
        self.is_throttled_leader()
            && !led.leader().is_in_sync(follower)
            && self.topic.shared.throttles.leading.is_exceeded(self.topic.now())
    }

    /// This replica has copied so much.
    pub(crate) fn charge_followed(&self, bytes: usize) {
        if bytes > 0 && self.is_throttled_follower() {
            self.topic.shared.throttles.following.record(bytes, self.topic.now());
        }
    }
}

/// A follower's fetch is answered with these reads.
pub fn charge_followers(requests: &[ReadRequest], reads: &[PartitionRead]) {
    for (request, read) in requests.iter().zip(reads) {
        let bytes = read.record_bytes();
        if bytes > 0 && request.partition.is_throttled_leader() {
            let topic = &request.partition.topic;
            topic.shared.throttles.leading.record(bytes, topic.now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::acknowledge::{Acks, Durability};
    use crate::delayed_fetch::DelayedFetch;
    use crate::read::{FollowerState, Reader, ReplicaReader, Standing, read};
    use crate::tail::Look;
    use crate::test_world::{Assigned, B, C, ME, World, append};

    const WINDOWS: Windows = Windows { count: 11, length_ms: 1000 };

    fn at(ms: u64) -> Monotonic {
        Monotonic(Duration::from_millis(ms))
    }

    #[test]
    fn the_keys_of_a_topic_name_partitions_of_this_broker_or_all() {
        let of = |text: &str| {
            let entries: Vec<String> =
                text.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect();
            ThrottledReplicas::of(&entries, BrokerId(2))
        };
        assert_eq!(of(""), ThrottledReplicas::None);
        assert_eq!(of("0:1,1:3"), ThrottledReplicas::None);
        assert_eq!(of("*"), ThrottledReplicas::All);
        assert_eq!(of("7:2, 0:1,3:2"), ThrottledReplicas::Partitions(vec![3, 7]));
        assert!(of("7:2,3:2").contains(3) && !of("7:2").contains(2) && of("*").contains(9));
        assert!(!of("").contains(0));
        let with = |text: &str, partition| {
            let mut all = of(text);
            all.insert(partition);
            all
        };
        assert_eq!(with("", 4), ThrottledReplicas::Partitions(vec![4]));
        assert_eq!(with("3:2,7:2", 4), ThrottledReplicas::Partitions(vec![3, 4, 7]));
        assert_eq!(with("4:2", 4), ThrottledReplicas::Partitions(vec![4]));
        assert_eq!(with("*", 4), ThrottledReplicas::All);
    }

    #[test]
    fn a_rate_holds_over_its_windows_and_a_first_burst_is_waited_for() {
        let quota = ReplicationQuota::default();
        quota.record(1 << 30, at(0));
        assert!(!quota.is_exceeded(at(0)), "no limit");
        quota.set(1000, WINDOWS);
        assert!(!quota.is_exceeded(at(0)), "what came before a limit is not counted");
        quota.record(1000, at(0));
        assert!(!quota.is_exceeded(at(0)));
        quota.record(4000, at(100));
        assert!(quota.is_exceeded(at(100)) && quota.is_exceeded(at(4_900)));
        assert!(!quota.is_exceeded(at(5_000)), "5,000 bytes in 5 s");
        quota.record(100, at(5_000));
        assert!(quota.is_exceeded(at(5_000)));
        quota.set(2000, WINDOWS);
        assert!(!quota.is_exceeded(at(5_000)), "another rate holds at once, for what was copied too");
        quota.record(1 << 20, at(5_000));
        assert!(quota.is_exceeded(at(5_000)));
        quota.set(i64::MAX, WINDOWS);
        assert!(!quota.is_exceeded(at(5_000)));
    }

    /// A partition led here, with B in sync and C being added, and 10 records.
    fn led(world: &World) -> Arc<Partition> {
        let assigned = Assigned::led_by(ME, 0, &[ME, B, C]).with_isr(&[ME, B]);
        let partition = world.partition(Durability::Os, 1, &assigned);
        append(&partition, 10, Acks::Leader).expect("led here");
        partition
    }

    fn fetches(partition: &Arc<Partition>, id: BrokerId) -> (usize, bool) {
        let replica = ReplicaReader {
            id,
            broker_epoch: -1,
            standing: Standing::NotEligible,
            received: None,
            lag_time_max: Duration::from_secs(30),
        };
        let request = ReadRequest {
            partition: partition.clone(),
            fetch_offset: 0,
            current_leader_epoch: 0,
            last_fetched_epoch: -1,
            partition_max_bytes: 1 << 20,
            follower: FollowerState { log_start_offset: 0, high_watermark: -1 },
        };
        let (requests, reader) = ([request], Reader::Follower(replica));
        let reads = read(&requests, reader, 1 << 20);
        charge_followers(&requests, &reads);
        let waits = !matches!(DelayedFetch::new(&requests, reader, 1).look(&requests), Look::Found(()));
        (reads[0].record_bytes(), waits)
    }

    #[test]
    fn a_leader_holds_back_who_is_not_in_sync_until_the_rate_is_kept() {
        let world = World::new();
        let partition = led(&world);
        let (bytes, waits) = fetches(&partition, C);
        assert!(bytes > 0 && !waits);
        let quota = &partition.topic.shared.throttles.leading;
        quota.set(bytes as i64, WINDOWS);
        assert_eq!(fetches(&partition, C), (bytes, false));
        assert_eq!(fetches(&partition, B).0, bytes);
        assert_eq!(
            fetches(&partition, C),
            (0, true),
            "twice the rate was copied: it waits, and is not answered in circles"
        );
        assert_eq!(fetches(&partition, B), (bytes, false), "in sync: never held back");
        world.clock.advance(Duration::from_secs(3));
        assert_eq!(fetches(&partition, C).0, bytes);
    }

    #[test]
    fn a_partition_that_is_not_named_is_not_counted() {
        let world = World::new();
        let partition = led(&world);
        partition.topic.shared.throttles.leading.set(1, WINDOWS);
        partition.topic.shared.throttles.following.set(1, WINDOWS);
        assert!(partition.is_throttled_follower() && partition.is_throttled_leader());
        let mut settings = partition.topic.throttled().as_ref().clone();
        settings.leading = ThrottledReplicas::Partitions(vec![1]);
        settings.following = ThrottledReplicas::None;
        partition.topic.set_throttled(settings);
        for _ in 0..3 {
            assert!(fetches(&partition, C).0 > 0);
            partition.charge_followed(1 << 20);
        }
        assert!(!partition.is_following_exceeded());
    }
}
