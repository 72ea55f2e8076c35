//! A consumer of the new protocol: it beats, gives back and takes partitions, is slow, dies, and comes back.
//! Shell in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_model::ErrorCode;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use ottla_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use uuid::Uuid;

use super::book::{Book, Place};
use super::offsets::{Identity, Positions};
use super::{GROUP, NAMES, PATTERN, REBALANCE_MS};
use crate::rooms::wire;
use crate::wire::Client;

pub struct ModernMember {
    /// Its id.
    pub name: String,
    pub client: Client,
    pub positions: Positions,
    pub book: Arc<Book>,
    /// It reads by a regular expression, not by names.
    pub is_by_pattern: bool,
    pub instance: Option<String>,
    pub assignor: Option<&'static str>,
    pub epoch: i32,
    pub owned: BTreeSet<Place>,
    /// What the coordinator wants it to have, where it said so.
    pub target: Option<BTreeSet<Place>>,
    /// The next heartbeat says everything.
    pub is_full: bool,
}

impl ModernMember {
    /// So many rounds; whether it comes to its end by itself.
    pub async fn live(&mut self, rounds: u64, is_steady: bool) {
        let rng = self.client.wire.rng.clone();
        for _ in 0..rounds {
            if !self.beat().await {
                break;
            }
            let identity = Identity { member_id: &self.name, epoch: self.epoch, is_modern: true };
            self.positions.work(&identity, &self.owned).await;
            // It takes its time to give partitions back.
            if is_steady || rng.chance(600) {
                self.reconcile();
            }
            let is_slow = !is_steady && rng.chance(25);
            self.client.pause(if is_slow { 9_000 } else { 400 }).await;
        }
        match rng.below(3) {
            0 => self.leave().await,
            1 => self.client.die(),
            // Nobody hears of it.
            _ => {}
        }
        self.has(BTreeSet::new());
    }

    fn has(&mut self, owned: BTreeSet<Place>) {
        self.book.has_only(&self.name, &owned);
        self.positions.keep_only(&owned);
        self.owned = owned;
    }

    fn reconcile(&mut self) {
        let Some(target) = self.target.take() else { return };
        if target != self.owned {
            self.has(target);
            self.is_full = true;
        }
    }

    fn request(&self) -> ConsumerGroupHeartbeatRequest {
        let is_join = self.epoch == 0;
        let says_all = is_join || self.is_full;
        let mut by_topic: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in &self.owned {
            by_topic.entry(*topic).or_default().push(*partition);
        }
        let owned = by_topic
            .into_iter()
            .map(|(id, partitions)| TopicPartitions::default().with_topic_id(id).with_partitions(partitions));
        let mut request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(wire(GROUP).into())
            .with_member_id(wire(&self.name))
            .with_member_epoch(self.epoch)
            .with_instance_id(self.instance.as_deref().map(wire))
            .with_topic_partitions(says_all.then(|| owned.collect()))
            .with_rebalance_timeout_ms(if says_all { REBALANCE_MS } else { -1 });
        if says_all {
            let names = NAMES.iter().map(|name| wire(name).into()).collect();
            request = match self.is_by_pattern {
                true => request.with_subscribed_topic_regex(Some(wire(PATTERN))),
                false => request.with_subscribed_topic_names(Some(names)),
            };
            request = request.with_server_assignor(self.assignor.map(wire));
        }
        request
    }

    /// False when the member cannot go on.
    async fn beat(&mut self) -> bool {
        let request = self.request();
        if request.topic_partitions.is_some() {
            // What it does not name, it does not have, even if an answer was lost that gave it more.
            self.book.has_only(&self.name, &self.owned);
        }
        let asked = self.client.ask(ApiKey::ConsumerGroupHeartbeat, 1, &request);
        self.book.connected(self.client.connection(), &self.name);
        let Ok::<ConsumerGroupHeartbeatResponse, _>(answer) = asked.await else {
            self.client.reconnect();
            self.is_full = true;
            return true;
        };
        match ErrorCode::from_code(answer.error_code).expect("a known error") {
            ErrorCode::None => {
                self.epoch = answer.member_epoch;
                self.is_full = self.client.wire.rng.chance(100);
                if let Some(assignment) = answer.assignment {
                    let topics = assignment.topic_partitions.into_iter();
                    let places = topics.flat_map(|topic| {
                        topic.partitions.into_iter().map(move |partition| (topic.topic_id, partition))
                    });
                    self.target = Some(places.filter(|place| self.book.name(place.0).is_some()).collect());
                }
                true
            }
            ErrorCode::UnknownMemberId | ErrorCode::FencedMemberEpoch | ErrorCode::GroupIdNotFound => {
                self.book.note(format!("{} begins anew", self.name));
                self.epoch = 0;
                self.target = None;
                self.has(BTreeSet::new());
                true
            }
            // Another process has its instance id.
            ErrorCode::FencedInstanceId => false,
            ErrorCode::UnreleasedInstanceId
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::NotCoordinator
            | ErrorCode::KafkaStorageError
            | ErrorCode::UnknownServerError => true,
            other => panic!("no answer to {}: {other:?} {:?}", self.name, answer.error_message),
        }
    }

    async fn leave(&mut self) {
        if self.epoch <= 0 {
            return;
        }
        self.has(BTreeSet::new());
        self.epoch = if self.instance.is_some() && self.client.wire.rng.chance(500) { -2 } else { -1 };
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(wire(GROUP).into())
            .with_member_id(wire(&self.name))
            .with_member_epoch(self.epoch)
            .with_instance_id(self.instance.as_deref().map(wire));
        let answer: Result<ConsumerGroupHeartbeatResponse, _> =
            self.client.call(ApiKey::ConsumerGroupHeartbeat, 1, &request).await;
        // Where it is lost, the session ends.
        drop(answer);
    }
}
