//! DescribeQuorum: who votes, who leads, and how far each is.
//! Core.

use ottla_model::{BrokerId, ErrorCode, Offset};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::describe_quorum_request::DescribeQuorumRequest;
use ottla_protocol::messages::describe_quorum_response::{
    DescribeQuorumResponse, Listener, Node, PartitionData, ReplicaState, TopicData,
};
use uuid::Uuid;

use crate::image::Image;
use crate::metadata_log::CLUSTER_METADATA_TOPIC;
use crate::quorum::{Leadership, Voter, VoterState};
use crate::raft::threads::QuorumView;

/// The listener of controllers, as Kafka's examples name it.
const CONTROLLER_LISTENER: &str = "CONTROLLER";

/// What is described.
pub(crate) struct Described {
    leadership: Leadership,
    /// Whether this node leads; another doesn't know.
    leads: bool,
    high_watermark: Offset,
    voters: Vec<(BrokerId, Option<Uuid>, VoterState)>,
    /// Who reads the leader's log without a vote.
    pub observers: Vec<(BrokerId, Uuid, VoterState)>,
    endpoints: Vec<Voter>,
}

impl Described {
    /// The node is its own leader and only voter: all that is in the image is committed.
    /// `opened`: its controller's listener, where it has one that others can dial.
    pub fn of_lone(image: &Image, opened: Option<Voter>, now_ms: i64) -> Described {
        let (me, end) = (image.controller_id(), image.metadata_offset() + 1);
        let state = VoterState { log_end_offset: end, last_fetch_ms: now_ms, last_caught_up_ms: now_ms };
        // Where its log says that it votes, it says with which directory, and where.
        let logged = image.voters().and_then(|logged| logged.set.get(me));
        Described {
            leadership: Leadership { leader: Some(me), epoch: image.leader_epoch() },
            leads: true,
            high_watermark: end,
            voters: vec![(me, logged.map(|voter| voter.directory_id), state)],
            observers: Vec::new(),
            endpoints: logged.and_then(|voter| voter.at("")).or(opened).into_iter().collect(),
        }
    }

    /// A broker without a vote knows who leads, and no more.
    pub fn of_observer(leadership: Leadership) -> Described {
        let (voters, observers, high_watermark) = (Vec::new(), Vec::new(), Offset(-1));
        Described { leadership, leads: false, high_watermark, voters, observers, endpoints: Vec::new() }
    }

    /// Voters that the configuration names have no directories that the quorum would know (kraft.version 0).
    pub fn forget_directories(&mut self) {
        for (_, directory, _) in &mut self.voters {
            *directory = None;
        }
    }

    pub fn of_view(view: &QuorumView, endpoints: Vec<Voter>, now_ms: i64) -> Described {
        let leader = view.leadership.leader;
        let mut voters = view.voters.clone();
        for (id, _, state) in &mut voters {
            if Some(*id) == leader {
                (state.last_fetch_ms, state.last_caught_up_ms) = (-1, now_ms);
            }
        }
        let leads = !voters.is_empty();
        let (leadership, high_watermark) = (view.leadership, view.committed);
        let observers =
            view.observers.iter().map(|(node, state)| (node.id, node.directory_id, *state)).collect();
        Described { leadership, leads, high_watermark, voters, observers, endpoints }
    }
}

pub(crate) fn describe_quorum(
    described: &Described,
    request: &DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    let mut response = DescribeQuorumResponse::default();
    for topic in &request.topics {
        let describe = |index: i32| {
            let partition = PartitionData::default().with_partition_index(index);
            if topic.topic_name.as_str() != CLUSTER_METADATA_TOPIC || index != 0 {
                let refused = partition.with_error_code(ErrorCode::UnknownTopicOrPartition.code());
                let text = StrBytes::from_static_str("This server does not host this topic-partition.");
                return refused.with_error_message(Some(text));
            }
            describe_partition(described, partition)
        };
        let partitions = topic.partitions.iter().map(|asked| describe(asked.partition_index)).collect();
        response
            .topics
            .push(TopicData::default().with_topic_name(topic.topic_name.clone()).with_partitions(partitions));
    }
    let is_known = response.topics.iter().flat_map(|topic| &topic.partitions).all(|one| one.error_code == 0);
    if is_known {
        response.nodes = nodes(described);
    }
    response
}

fn describe_partition(described: &Described, partition: PartitionData) -> PartitionData {
    let leader = described.leadership.leader.unwrap_or(BrokerId(-1));
    let partition = partition.with_leader_id(leader.0.into()).with_leader_epoch(described.leadership.epoch.0);
    if !described.leads {
        let refused = partition.with_error_code(ErrorCode::NotLeaderOrFollower.code());
        let text = StrBytes::from_static_str("This node does not lead the metadata quorum.");
        return refused.with_error_message(Some(text));
    }
    let replica = |id: BrokerId, directory: Option<Uuid>, state: &VoterState| {
        ReplicaState::default()
            .with_replica_id(id.0.into())
            .with_log_end_offset(state.log_end_offset.0)
            .with_last_fetch_timestamp(state.last_fetch_ms)
            .with_last_caught_up_timestamp(state.last_caught_up_ms)
            .with_replica_directory_id(directory.unwrap_or_default())
    };
    let voters = described.voters.iter().map(|(id, directory, state)| replica(*id, *directory, state));
    let observers =
        described.observers.iter().map(|(id, directory, state)| replica(*id, Some(*directory), state));
    partition
        .with_high_watermark(described.high_watermark.0)
        .with_current_voters(voters.collect())
        .with_observers(observers.collect())
}

fn nodes(described: &Described) -> Vec<Node> {
    if described.endpoints.is_empty() {
        // The controller has no listener of its own: on one node it is in the broker's process.
        let leader = described.leadership.leader.unwrap_or(BrokerId(-1));
        return vec![Node::default().with_node_id(leader.0.into())];
    }
    let node = |voter: &Voter| {
        let listener = Listener::default()
            .with_name(StrBytes::from_static_str(CONTROLLER_LISTENER))
            .with_host(StrBytes::from_string(voter.host.clone()))
            .with_port(voter.port);
        Node::default().with_node_id(voter.id.0.into()).with_listeners(vec![listener])
    };
    described.endpoints.iter().map(node).collect()
}
