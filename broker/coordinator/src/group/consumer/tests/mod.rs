//! Tests of consumer groups: a shard with a log that is a list, a clock that is a number, and topics that are a table.
//! Core.

mod at_once;
mod epochs;
mod migration;
mod offsets;
mod patterns;
mod reconciling;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, Offset, TopicId, TopicName};

use super::{
    ConsumerGroup, ConsumerHeartbeat, ConsumerHeartbeatOutcome, ConsumerHeartbeatTurn, TopicNames,
    check_pattern,
};
use crate::group::Group;
use crate::group::modern::{Assigning, GroupError};
use crate::group::shard::GroupShard;
use crate::group::turn::{Answer, Effects};
use crate::record::Record;
use crate::record::codec::{self, Decoded};
use crate::settings::{ConsumerConfigs, ConsumerGroupConfig, GroupSettings};
use crate::topic_lookup::TopicLookup;

const GROUP: &str = "g";
const T: TopicId = TopicId(uuid::Uuid::from_u128(0xa));

/// Topics by name, with how many partitions they have.
#[derive(Clone, Default)]
struct Topics(BTreeMap<String, (TopicId, i32)>);

impl Topics {
    fn of(named: &[(&str, i32)]) -> Topics {
        let ids = (0xa..).map(|number| TopicId(uuid::Uuid::from_u128(number)));
        Topics(named.iter().zip(ids).map(|((name, count), id)| ((*name).to_owned(), (id, *count))).collect())
    }

    fn by_id(&self, id: TopicId) -> Option<(&String, i32)> {
        self.0.iter().find(|(_, (known, _))| *known == id).map(|(name, (_, count))| (name, *count))
    }
}

impl TopicLookup for Topics {
    fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.0.get(name).map(|(id, _)| *id)
    }

    fn topic_name(&self, id: TopicId) -> Option<TopicName> {
        self.by_id(id).map(|(name, _)| TopicName::new(name))
    }

    fn has_partition(&self, name: &str, partition: i32) -> bool {
        self.0.get(name).is_some_and(|(_, count)| partition < *count)
    }

    fn partition_count(&self, id: TopicId) -> Option<i32> {
        self.by_id(id).map(|(_, count)| count)
    }

    fn topic_hash(&self, name: &str) -> i64 {
        self.0.get(name).map_or(0, |(id, count)| id.0.as_u128() as i64 * 1_000 + i64::from(*count))
    }
}

/// All topics may be seen but those that begin with `hidden`.
impl TopicNames for Topics {
    fn version(&self) -> i64 {
        self.0.len() as i64
    }

    fn for_each(&self, visit: &mut dyn FnMut(&str)) {
        self.0.keys().for_each(|name| visit(name));
    }

    fn may_describe(&self, name: &str) -> bool {
        !name.starts_with("hidden")
    }
}

struct Lab {
    shard: GroupShard,
    topics: Topics,
    /// `consumer.assignment.interval.ms`.
    interval_ms: Arc<AtomicI32>,
    settings: Arc<GroupSettings>,
    log: Vec<Record>,
    answers: Vec<Answer>,
    /// How often an assignor ran.
    computed: usize,
    now: Monotonic,
    wall_ms: i64,
}

impl Lab {
    fn with(settings: GroupSettings, topics: &[(&str, i32)]) -> Lab {
        let interval_ms = Arc::new(AtomicI32::new(0));
        let interval = Arc::clone(&interval_ms);
        let configs = ConsumerConfigs::new(move |_| ConsumerGroupConfig {
            assignment_interval_ms: interval.load(Ordering::Relaxed),
            ..ConsumerGroupConfig::default()
        });
        let settings = Arc::new(GroupSettings { consumer_configs: configs, ..settings });
        let mut lab = Lab {
            shard: GroupShard::new(Arc::clone(&settings)),
            topics: Topics::default(),
            interval_ms,
            settings,
            log: Vec::new(),
            answers: Vec::new(),
            computed: 0,
            now: Monotonic::default().after_ms(1_000),
            wall_ms: 1_700_000_000_000,
        };
        lab.set_topics(topics);
        let effects = lab.shard.on_loaded(lab.now, lab.wall_ms);
        lab.perform(effects);
        lab
    }

    fn new(topics: &[(&str, i32)]) -> Lab {
        Lab::with(GroupSettings::default(), topics)
    }

    fn set_topics(&mut self, topics: &[(&str, i32)]) {
        self.topics = Topics::of(topics);
        let version = self.topics.version();
        self.settings.topics.set(Arc::new(self.topics.clone()), Some(version));
        self.shard.refresh_groups();
    }

    /// What the runtime does; each record goes through its bytes.
    fn perform(&mut self, effects: Effects) {
        let mut next = Some(effects);
        while let Some(effects) = next.take() {
            for record in effects.records {
                let bytes = codec::encode(&record).expect("it fits");
                let decoded = codec::decode(&bytes.key, bytes.value.as_deref()).expect("our own");
                let Decoded::Record(stored) = decoded else { panic!("not kept: {record:?}") };
                self.shard.replay(Offset(self.log.len() as i64), None, stored.clone());
                self.log.push(stored);
            }
            self.answers.extend(effects.answers);
            next = effects.then.map(|then| self.shard.on_appended(then, Ok(()), self.now, self.wall_ms));
        }
    }

    fn advance(&mut self, ms: i64) {
        self.now = self.now.after_ms(ms);
        self.wall_ms += ms;
        while let Some(effects) = self.shard.on_tick(self.now, self.wall_ms) {
            self.perform(effects);
        }
    }

    fn send(&mut self, beat: &ConsumerHeartbeat<'_>) -> Result<ConsumerHeartbeatOutcome, GroupError> {
        let mut assigning = Assigning::Outside;
        loop {
            let topics = self.topics.clone();
            let turn = self.shard.on_consumer_heartbeat(beat, &topics, assigning, self.now, self.wall_ms)?;
            match turn {
                ConsumerHeartbeatTurn::Done(effects, outcome) => {
                    self.perform(effects);
                    return Ok(outcome);
                }
                ConsumerHeartbeatTurn::Assign(task) => {
                    self.computed += 1;
                    let computed = task.compute(|input| input.assign().expect("an assignment"));
                    assigning = Assigning::With(computed);
                }
            }
        }
    }

    fn join(&mut self, member: &str, topics: &[&str]) -> ConsumerHeartbeatOutcome {
        self.send(&Beat::join(member, topics).as_heartbeat()).expect("it may join")
    }

    fn beat(&mut self, member: &str, epoch: i32) -> Result<ConsumerHeartbeatOutcome, GroupError> {
        self.send(&Beat { member, epoch, ..Beat::default() }.as_heartbeat())
    }

    /// A heartbeat that says what the member has.
    fn has(&mut self, member: &str, epoch: i32, owned: &[i32]) -> ConsumerHeartbeatOutcome {
        let owned = Some(vec![(T, owned.to_vec())]);
        self.send(&Beat { member, epoch, owned, ..Beat::default() }.as_heartbeat()).expect("a member")
    }

    fn leave(&mut self, member: &str) {
        let (effects, outcome) =
            self.shard.on_consumer_leave(GROUP, member, None, -1, self.wall_ms).expect("a member");
        assert_eq!((outcome.member_epoch, outcome.assignment), (-1, None));
        self.perform(effects);
    }

    fn group(&self) -> &ConsumerGroup {
        match self.shard.group(GROUP) {
            Some(Group::Consumer(group)) => group,
            _ => panic!("there is no consumer group"),
        }
    }

    /// What a restart finds is what was there.
    fn restart(&mut self) {
        let mut shard = GroupShard::new(Arc::clone(&self.settings));
        for (offset, record) in self.log.iter().enumerate() {
            shard.replay(Offset(offset as i64), None, record.clone());
        }
        self.shard = shard;
        let effects = self.shard.on_loaded(self.now, self.wall_ms);
        self.perform(effects);
    }
}

/// A heartbeat with what the test doesn't care about left out.
struct Beat<'a> {
    member: &'a str,
    epoch: i32,
    instance: Option<&'a str>,
    rebalance_timeout_ms: i32,
    topics: Option<BTreeSet<TopicName>>,
    pattern: Option<&'a str>,
    assignor: Option<&'a str>,
    owned: Option<Vec<(TopicId, Vec<i32>)>>,
}

impl Default for Beat<'_> {
    fn default() -> Self {
        Beat {
            member: "m",
            epoch: 0,
            instance: None,
            rebalance_timeout_ms: -1,
            topics: None,
            pattern: None,
            assignor: None,
            owned: None,
        }
    }
}

impl<'a> Beat<'a> {
    fn join(member: &'a str, topics: &[&str]) -> Beat<'a> {
        Beat {
            member,
            rebalance_timeout_ms: 60_000,
            topics: Some(topics.iter().map(|name| TopicName::new(name)).collect()),
            owned: Some(Vec::new()),
            ..Beat::default()
        }
    }

    fn as_heartbeat(&self) -> ConsumerHeartbeat<'a> {
        ConsumerHeartbeat {
            group_id: GROUP,
            member_id: self.member,
            member_epoch: self.epoch,
            instance_id: self.instance,
            rack_id: None,
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            client_id: "c",
            client_host: "/127.0.0.1",
            subscribed_topics: self.topics.clone(),
            pattern: self.pattern,
            pattern_error: self.pattern.filter(|pattern| !pattern.is_empty()).and_then(check_pattern),
            server_assignor: self.assignor,
            owned: self.owned.clone(),
        }
    }
}

/// The partitions of the topic `t` in an answer; `None` where it has none at all.
fn partitions(outcome: &ConsumerHeartbeatOutcome) -> Option<Vec<i32>> {
    let assignment = outcome.assignment.as_ref()?;
    Some(assignment.get(&T).map(|owned| owned.keys().copied().collect()).unwrap_or_default())
}

fn code(outcome: Result<ConsumerHeartbeatOutcome, GroupError>) -> ErrorCode {
    outcome.expect_err("it is refused").code
}
