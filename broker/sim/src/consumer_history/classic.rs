//! A consumer of the classic protocol that gives everything back before it joins again.
//! Shell in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use ottla_coordinator::consumer_protocol::{self, NamedPartitions};
use ottla_model::ErrorCode;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use ottla_protocol::records::control::ConsumerProtocolSubscription;
use ottla_protocol::{ApiKey, Encode};

use super::book::{Book, Place};
use super::offsets::{Identity, Positions};
use super::{GROUP, NAMES, REBALANCE_MS, SESSION_MS};
use crate::rooms::wire;
use crate::wire::Client;

const PROTOCOL: &str = "range";
const SUBSCRIPTION_VERSION: i16 = 1;
const TRIES: usize = 40;

pub struct ClassicMember {
    pub name: String,
    pub client: Client,
    pub positions: Positions,
    pub book: Arc<Book>,
    /// Given by the coordinator.
    pub member_id: String,
    pub generation: i32,
    pub owned: BTreeSet<Place>,
}

/// How a member goes on after an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Stay,
    Rejoin,
    Retry,
    /// The group is not one that it can be in.
    Away,
}

impl ClassicMember {
    pub async fn live(&mut self, rounds: u64, is_steady: bool) {
        let rng = self.client.wire.rng.clone();
        let mut next = Next::Rejoin;
        for _ in 0..rounds {
            if next == Next::Rejoin {
                next = self.join().await;
                if next == Next::Away {
                    break;
                }
                continue;
            }
            let identity = Identity { member_id: &self.member_id, epoch: self.generation, is_modern: false };
            self.positions.work(&identity, &self.owned).await;
            let is_slow = !is_steady && rng.chance(25);
            self.client.pause(if is_slow { 9_000 } else { 400 }).await;
            next = self.beat().await;
        }
        match rng.below(3) {
            0 => self.leave().await,
            1 => self.client.die(),
            _ => {}
        }
        self.has(BTreeSet::new());
    }

    fn has(&mut self, owned: BTreeSet<Place>) {
        self.book.has_only(&self.name, &owned);
        self.positions.keep_only(&owned);
        self.owned = owned;
    }

    fn judge(&mut self, error: i16) -> Next {
        match ErrorCode::from_code(error).expect("a known error") {
            ErrorCode::None => Next::Stay,
            ErrorCode::UnknownMemberId => {
                self.member_id.clear();
                Next::Rejoin
            }
            ErrorCode::IllegalGeneration | ErrorCode::RebalanceInProgress | ErrorCode::MemberIdRequired => {
                Next::Rejoin
            }
            ErrorCode::InconsistentGroupProtocol | ErrorCode::GroupIdNotFound => Next::Away,
            ErrorCode::CoordinatorNotAvailable
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::NotCoordinator
            | ErrorCode::KafkaStorageError
            | ErrorCode::UnknownServerError => Next::Retry,
            other => panic!("no answer to {}: {other:?}", self.name),
        }
    }

    async fn ask<Q: Encode, A: ottla_protocol::Decode>(
        &mut self,
        key: ApiKey,
        version: i16,
        request: &Q,
    ) -> Option<A> {
        let asked = self.client.ask(key, version, request);
        self.book.connected(self.client.connection(), &self.name);
        let answer = asked.await.ok();
        if answer.is_none() {
            self.client.reconnect();
        }
        answer
    }

    /// Joins and gets its assignment.
    async fn join(&mut self) -> Next {
        self.has(BTreeSet::new());
        let subscription = ConsumerProtocolSubscription {
            topics: NAMES.iter().map(|name| wire(name)).collect(),
            ..Default::default()
        };
        let mut metadata = BytesMut::new();
        metadata.put_i16(SUBSCRIPTION_VERSION);
        subscription.encode(&mut metadata, SUBSCRIPTION_VERSION).expect("a subscription");
        let protocol =
            JoinGroupRequestProtocol::default().with_name(wire(PROTOCOL)).with_metadata(metadata.freeze());
        for _ in 0..TRIES {
            let request = JoinGroupRequest::default()
                .with_group_id(wire(GROUP).into())
                .with_session_timeout_ms(SESSION_MS as i32)
                .with_rebalance_timeout_ms(REBALANCE_MS)
                .with_member_id(wire(&self.member_id))
                .with_protocol_type(wire("consumer"))
                .with_protocols(vec![protocol.clone()]);
            if let Some(answer) = self.ask::<_, JoinGroupResponse>(ApiKey::JoinGroup, 5, &request).await {
                match self.judge(answer.error_code) {
                    Next::Stay => {
                        self.member_id = answer.member_id.to_string();
                        self.generation = answer.generation_id;
                        let ids = answer.members.iter().map(|member| member.member_id.to_string()).collect();
                        return self.sync(ids).await;
                    }
                    Next::Rejoin if !answer.member_id.is_empty() => {
                        self.member_id = answer.member_id.to_string();
                    }
                    Next::Away => return Next::Away,
                    Next::Rejoin | Next::Retry => {}
                }
            }
            self.client.pause(100).await;
        }
        Next::Rejoin
    }

    /// `ids` are all members' at the leader of a classic group.
    async fn sync(&mut self, ids: Vec<String>) -> Next {
        let assignments = self.assign(&ids).into_iter().map(|(id, bytes)| {
            SyncGroupRequestAssignment::default().with_member_id(wire(&id)).with_assignment(bytes)
        });
        let request = SyncGroupRequest::default()
            .with_group_id(wire(GROUP).into())
            .with_generation_id(self.generation)
            .with_member_id(wire(&self.member_id))
            .with_assignments(assignments.collect());
        for _ in 0..TRIES {
            if let Some(answer) = self.ask::<_, SyncGroupResponse>(ApiKey::SyncGroup, 3, &request).await {
                match self.judge(answer.error_code) {
                    Next::Stay => {
                        let places = places(&self.book, &answer.assignment);
                        self.has(places.into_iter().collect());
                        return Next::Stay;
                    }
                    Next::Retry => {}
                    next => return next,
                }
            }
            self.client.pause(100).await;
        }
        Next::Rejoin
    }

    /// Partitions in turn.
    fn assign(&self, ids: &[String]) -> BTreeMap<String, Bytes> {
        let mut assigned: BTreeMap<&String, BTreeMap<String, Vec<i32>>> =
            ids.iter().map(|id| (id, BTreeMap::new())).collect();
        let topics = self.book.topics();
        let all = topics.iter().flat_map(|(name, (_, count))| (0..*count).map(move |index| (name, index)));
        for ((name, index), id) in all.zip(ids.iter().cycle()) {
            let of_member = assigned.get_mut(id).expect("one for each");
            of_member.entry(name.clone()).or_default().push(index);
        }
        let bytes = |partitions: BTreeMap<String, Vec<i32>>| {
            let named: NamedPartitions = partitions.into_iter().collect();
            consumer_protocol::write_assignment(SUBSCRIPTION_VERSION, &named)
        };
        assigned.into_iter().map(|(id, partitions)| (id.clone(), bytes(partitions))).collect()
    }

    async fn beat(&mut self) -> Next {
        let request = HeartbeatRequest::default()
            .with_group_id(wire(GROUP).into())
            .with_generation_id(self.generation)
            .with_member_id(wire(&self.member_id));
        match self.ask::<_, HeartbeatResponse>(ApiKey::Heartbeat, 3, &request).await {
            Some(answer) => self.judge(answer.error_code),
            None => Next::Retry,
        }
    }

    async fn leave(&mut self) {
        self.has(BTreeSet::new());
        let identity = MemberIdentity::default().with_member_id(wire(&self.member_id));
        let request =
            LeaveGroupRequest::default().with_group_id(wire(GROUP).into()).with_members(vec![identity]);
        // Where it is lost, the session ends.
        drop(self.ask::<_, LeaveGroupResponse>(ApiKey::LeaveGroup, 3, &request).await);
    }
}

/// The partitions in an assignment's bytes.
pub fn places(book: &Book, assignment: &Bytes) -> Vec<Place> {
    if assignment.is_empty() {
        return Vec::new();
    }
    let assignment = consumer_protocol::assignment(assignment).expect("an assignment");
    assignment.partitions.iter().flat_map(|(name, partitions)| book.places(name, partitions)).collect()
}
