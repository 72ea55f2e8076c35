//! The part in a group of the newer protocol (KIP-848): heartbeats alone, and the coordinator says who reads what.
//! Shell over the client; what an answer changes is a plain function.
//!
//! Invariant: what this member says it owns, it reads, and what it was told to give up, it has committed before it says so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ottla_env::Rng as _;
use ottla_env::real::RealRng;
use ottla_model::TopicId;
use ottla_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId};
use uuid::Uuid;

use super::{Answer, BACKOFF, Membership, Standing, answer};
use crate::admin;
use crate::client::Client;
use crate::console_consumer::assignment::Partition;
use crate::error::Exception;
use crate::terminal::Terminal;

const LEAVE_EPOCH: i32 = -1;
const LEAVE_FOR_A_WHILE_EPOCH: i32 = -2;

type Owned = BTreeSet<(Uuid, i32)>;

/// What only members of the newer protocol have. The epoch is the membership's generation.
pub(super) struct Heartbeats {
    /// The assignor that the coordinator shall use, if one was asked for.
    pub(super) assignor: Option<String>,
    interval: Duration,
    subscribed: BTreeSet<String>,
    target: Owned,
    owned: Owned,
    /// What is owned has changed, and the coordinator, which may wait for it, does not know.
    must_tell: bool,
}

impl Heartbeats {
    pub(super) fn new(assignor: Option<String>) -> Heartbeats {
        Heartbeats {
            assignor,
            interval: Duration::ZERO,
            subscribed: BTreeSet::new(),
            target: Owned::new(),
            owned: Owned::new(),
            must_tell: false,
        }
    }

    /// Who was forgotten owns nothing.
    pub(super) fn forget(&mut self) {
        (self.target, self.owned) = (Owned::new(), Owned::new());
        self.subscribed.clear();
        self.must_tell = false;
    }

    /// An answer without an assignment leaves it as it is.
    fn hear(&mut self, response: ConsumerGroupHeartbeatResponse) {
        self.interval = Duration::from_millis(response.heartbeat_interval_ms.unsigned_abs().into());
        if let Some(assignment) = response.assignment {
            self.target = assignment
                .topic_partitions
                .iter()
                .flat_map(|topic| topic.partitions.iter().map(|index| (topic.topic_id, *index)))
                .collect();
        }
    }

    fn has_to_change(&self) -> bool {
        self.target != self.owned
    }

    fn owned_topics(&self) -> Vec<TopicPartitions> {
        let mut topics: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
        for (id, index) in &self.owned {
            topics.entry(*id).or_default().push(*index);
        }
        let topic =
            |(id, partitions)| TopicPartitions::default().with_topic_id(id).with_partitions(partitions);
        topics.into_iter().map(topic).collect()
    }
}

/// A member names itself before it joins.
pub(super) fn new_member_id() -> String {
    TopicId::from_random(|| RealRng.next_16()).to_string()
}

impl Membership {
    /// Joins where it is no member, says what it subscribes to where that has changed, and takes over what it was assigned.
    pub(super) fn take_over(
        &mut self,
        client: &mut Client,
        terminal: &mut Terminal<'_>,
        topics: &BTreeSet<String>,
        until: Option<Instant>,
    ) -> Result<Option<Vec<Partition>>, Exception> {
        loop {
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(None);
            }
            if self.generation > 0 && self.beats().subscribed == *topics {
                break;
            }
            let epoch = self.generation.max(0);
            let names = topics.iter().map(|topic| admin::topic_name(topic)).collect();
            let request = self
                .heartbeat(epoch)
                .with_rebalance_timeout_ms(self.settings.rebalance_timeout_ms)
                .with_subscribed_topic_names(Some(names))
                .with_server_assignor(self.beats().assignor.as_deref().map(admin::text))
                .with_topic_partitions(Some(self.beats().owned_topics()));
            if self.beat(client, terminal, &request)? == Some(Standing::Member) {
                self.beats_mut().subscribed.clone_from(topics);
            }
        }
        let partitions = self.resolve(client, terminal)?;
        let owned = partitions.iter().map(|partition| (partition.topic_id, partition.index)).collect();
        let beats = self.beats_mut();
        (beats.owned, beats.must_tell) = (owned, true);
        self.committed = Instant::now();
        self.stored.clear();
        Ok(Some(partitions))
    }

    /// The names of what it was assigned; a topic that is gone, or not known everywhere yet, is not owned.
    fn resolve(&self, client: &mut Client, terminal: &mut Terminal<'_>) -> Result<Vec<Partition>, Exception> {
        let target = &self.beats().target;
        if target.is_empty() {
            return Ok(Vec::new());
        }
        let ids: BTreeSet<Uuid> = target.iter().map(|(id, _)| *id).collect();
        let asked = ids.iter().map(|id| MetadataRequestTopic::default().with_name(None).with_topic_id(*id));
        let response = client.metadata(terminal, "metadata", Some(asked.collect()))?;
        let names: BTreeMap<Uuid, String> = response
            .topics
            .iter()
            .filter_map(|topic| Some((topic.topic_id, topic.name.as_ref()?.to_string())))
            .collect();
        let named = |(id, index): &(Uuid, i32)| {
            Some(Partition { topic: names.get(id)?.clone(), index: *index, topic_id: *id })
        };
        Ok(target.iter().filter_map(named).collect())
    }

    /// A heartbeat when it is time for one, or when the coordinator has to know what is owned now.
    pub(super) fn stay_by_heartbeat(
        &mut self,
        client: &mut Client,
        terminal: &mut Terminal<'_>,
    ) -> Result<Standing, Exception> {
        let beats = self.beats();
        if !beats.must_tell && self.heard.elapsed() < beats.interval {
            return Ok(Standing::Member);
        }
        let owned = beats.must_tell.then(|| beats.owned_topics());
        let request = self.heartbeat(self.generation).with_topic_partitions(owned);
        match self.beat(client, terminal, &request)? {
            Some(Standing::Member) => self.beats_mut().must_tell = false,
            Some(standing) => return Ok(standing),
            None => return Ok(Standing::Member),
        }
        Ok(if self.beats().has_to_change() { Standing::MustJoin } else { Standing::Member })
    }

    /// `None`: the coordinator has to be looked for.
    fn beat(
        &mut self,
        client: &mut Client,
        terminal: &mut Terminal<'_>,
        request: &ConsumerGroupHeartbeatRequest,
    ) -> Result<Option<Standing>, Exception> {
        let Some(coordinator) = self.find(client, terminal)? else {
            std::thread::sleep(BACKOFF);
            return Ok(None);
        };
        let response = client.node(terminal, "consumerGroupHeartbeat", coordinator, request)?;
        self.heard = Instant::now();
        match answer(response.error_code) {
            Answer::Done => {
                self.generation = response.member_epoch;
                self.beats_mut().hear(response);
                Ok(Some(Standing::Member))
            }
            Answer::Elsewhere => {
                self.coordinator = None;
                std::thread::sleep(BACKOFF);
                Ok(None)
            }
            Answer::MustJoin | Answer::Stale => Ok(Some(Standing::MustJoin)),
            Answer::Forgotten => {
                self.forget();
                Ok(Some(Standing::MustJoin))
            }
            Answer::Failed(_) => Err(Exception::of(response.error_code, response.error_message.as_deref())),
        }
    }

    /// A static member comes back under its name (KIP-345).
    pub(super) fn leave_by_heartbeat(
        &mut self,
        client: &mut Client,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Exception> {
        let Some(coordinator) = self.coordinator.filter(|_| self.generation > 0) else { return Ok(()) };
        let is_static = self.settings.instance.is_some();
        let request = self.heartbeat(if is_static { LEAVE_FOR_A_WHILE_EPOCH } else { LEAVE_EPOCH });
        client.node(terminal, "consumerGroupHeartbeat", coordinator, &request).map(|_left| ())
    }

    fn heartbeat(&self, epoch: i32) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(admin::text(&self.settings.group)))
            .with_member_id(admin::text(&self.member_id))
            .with_member_epoch(epoch)
            .with_instance_id(self.settings.instance.as_deref().map(admin::text))
            .with_rebalance_timeout_ms(-1)
            .with_topic_partitions(None)
    }

    fn beats(&self) -> &Heartbeats {
        self.heartbeats.as_ref().expect("a member of the newer protocol")
    }

    fn beats_mut(&mut self) -> &mut Heartbeats {
        self.heartbeats.as_mut().expect("a member of the newer protocol")
    }
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::consumer_group_heartbeat_response as response;

    use super::*;

    fn answer_with(partitions: Option<Vec<i32>>) -> ConsumerGroupHeartbeatResponse {
        let topic = |partitions| {
            let topic = response::TopicPartitions::default().with_topic_id(Uuid::from_u128(7));
            response::Assignment::default().with_topic_partitions(vec![topic.with_partitions(partitions)])
        };
        ConsumerGroupHeartbeatResponse::default()
            .with_heartbeat_interval_ms(5_000)
            .with_assignment(partitions.map(topic))
    }

    #[test]
    fn an_answer_without_an_assignment_changes_none() {
        let mut beats = Heartbeats::new(None);
        beats.hear(answer_with(Some(vec![0, 2])));
        assert!(beats.has_to_change());
        beats.owned.clone_from(&beats.target);
        beats.hear(answer_with(None));
        assert!(!beats.has_to_change());
        assert_eq!(beats.interval, Duration::from_secs(5));
        let owned = beats.owned_topics();
        assert_eq!((owned.len(), &owned[0].partitions), (1, &vec![0, 2]));
        beats.hear(answer_with(Some(vec![2])));
        assert!(beats.has_to_change());
        beats.forget();
        assert!(!beats.has_to_change() && beats.owned_topics().is_empty());
    }

    #[test]
    fn a_member_names_itself_anew_each_time() {
        assert_ne!(new_member_id(), new_member_id());
        assert_eq!(new_member_id().len(), 22);
    }
}
