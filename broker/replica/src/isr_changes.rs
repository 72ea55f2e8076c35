//! Changes of in-sync replicas on their way to the controller: gathered into requests, one under way at a time.
//! Core. `alter_partition` is the shell that sends them. Rules are those of `kafka.server.AlterPartitionManager`.
//!
//! Invariants:
//! - I1. A partition with a proposal that was not answered is in the list or in the request under way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, TopicId};
use ottla_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use ottla_protocol::messages::alter_partition_response::PartitionData as Answered;
use ottla_protocol::messages::{AlterPartitionRequest, AlterPartitionResponse, BrokerId as WireBrokerId};

use crate::isr::Proposal;
use crate::partition::Partition;
use crate::waiting_list::WaitingList;

#[derive(Default)]
pub struct IsrChanges(WaitingList<(TopicId, i32), Arc<Partition>>);

/// A request to the controller, and what it was made from.
pub struct AlterPartition {
    pub request: AlterPartitionRequest,
    sent: BTreeMap<(TopicId, i32), Sent>,
}

struct Sent {
    partition: Arc<Partition>,
    leader_epoch: LeaderEpoch,
    proposal: Proposal,
}

/// What became of a proposal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProposalOutcome {
    /// These are the facts now.
    Applied { leader_epoch: LeaderEpoch, partition_epoch: i32, members: Vec<BrokerId> },
    /// It was not applied, and could not have been: what was committed before stands.
    NotApplied,
    /// The controller knows something newer, which the image will bring.
    Outdated,
    /// Nothing is known: it is to be sent again.
    Unknown,
}

impl ProposalOutcome {
    /// `Partition.handleAlterPartitionError`.
    pub fn of(answered: &Answered) -> ProposalOutcome {
        match ErrorCode::from_code(answered.error_code) {
            Some(ErrorCode::None) => ProposalOutcome::Applied {
                leader_epoch: LeaderEpoch(answered.leader_epoch),
                partition_epoch: answered.partition_epoch,
                members: answered.isr.iter().map(|id| BrokerId(id.0)).collect(),
            },
            Some(ErrorCode::OperationNotAttempted | ErrorCode::IneligibleReplica) => {
                ProposalOutcome::NotApplied
            }
            Some(
                ErrorCode::UnknownTopicOrPartition
                | ErrorCode::UnknownTopicId
                | ErrorCode::FencedLeaderEpoch
                | ErrorCode::InvalidUpdateVersion
                | ErrorCode::InvalidRequest
                | ErrorCode::NewLeaderElected,
            ) => ProposalOutcome::Outdated,
            _ => ProposalOutcome::Unknown,
        }
    }
}

impl IsrChanges {
    /// The partition has a proposal that the controller has not heard of.
    pub fn add(&self, partition: Arc<Partition>) {
        self.0.add([((partition.topic_id, partition.index().0), partition)]);
    }

    /// Ready when there is something to send.
    pub fn poll_waiting(&self, context: &Context<'_>) -> Poll<()> {
        self.0.poll_waiting(context)
    }

    /// All that waits, as one request. `None`: nothing does any more.
    pub fn take(&self, broker: BrokerId, broker_epoch: i64) -> Option<AlterPartition> {
        let proposed = |(key, partition): (_, Arc<Partition>)| {
            let (leader_epoch, proposal) = partition.proposal()?;
            Some((key, Sent { partition, leader_epoch, proposal }))
        };
        let sent: BTreeMap<_, _> = self.0.take(usize::MAX).into_iter().filter_map(proposed).collect();
        let mut topics: Vec<TopicData> = Vec::new();
        for ((topic_id, index), Sent { leader_epoch, proposal, .. }) in &sent {
            if topics.last().is_none_or(|last| last.topic_id != topic_id.0) {
                topics.push(TopicData::default().with_topic_id(topic_id.0));
            }
            let members = proposal.members.iter().map(|member| {
                let is_self = member.id == broker;
                BrokerState::default()
                    .with_broker_id(WireBrokerId(member.id.0))
                    .with_broker_epoch(if is_self { broker_epoch } else { member.broker_epoch })
            });
            let partition = PartitionData::default()
                .with_partition_index(*index)
                .with_leader_epoch(leader_epoch.0)
                .with_partition_epoch(proposal.partition_epoch)
                .with_new_isr_with_epochs(members.collect());
            if let Some(topic) = topics.last_mut() {
                topic.partitions.push(partition);
            }
        }
        let request = AlterPartitionRequest::default()
            .with_broker_id(WireBrokerId(broker.0))
            .with_broker_epoch(broker_epoch)
            .with_topics(topics);
        (!sent.is_empty()).then_some(AlterPartition { request, sent })
    }

    /// Nothing came back, or an answer that says nothing of the partitions: all of it is to be sent again.
    pub fn on_no_answer(&self, sent: AlterPartition) {
        for one in sent.sent.into_values() {
            self.add(one.partition);
        }
    }

    /// What the answer leaves out is to be sent again. True when there is something to be sent again.
    pub fn on_answer(&self, sent: AlterPartition, response: &AlterPartitionResponse) -> bool {
        let mut left = sent.sent;
        let mut is_again = false;
        for topic in &response.topics {
            for answered in &topic.partitions {
                let key = (TopicId(topic.topic_id), answered.partition_index);
                let Some(Sent { partition, leader_epoch, proposal }) = left.remove(&key) else { continue };
                let outcome = ProposalOutcome::of(answered);
                tracing::debug!(partition = %partition.name, ?outcome, "in-sync replicas proposed");
                if partition.on_proposal_outcome(leader_epoch, &proposal, &outcome) {
                    is_again = true;
                    self.add(partition);
                }
            }
        }
        is_again |= !left.is_empty();
        left.into_values().for_each(|one| self.add(one.partition));
        is_again
    }
}
