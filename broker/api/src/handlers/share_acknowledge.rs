//! ShareAcknowledge (key 79), versions 1-2: a member says what became of records (KIP-932).
//! Shell: the answer waits until what is said is stored.
//!
//! - v1: KIP-932. v2: renewals of locks (KIP-1222).

use ottla_coordinator::share_partition::Acknowledgement;
use ottla_coordinator::share_partition::session::SessionKey;
use ottla_model::{ErrorCode, TopicId};
use ottla_network::Answer;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::share_acknowledge_response::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionData, ShareAcknowledgeTopicResponse,
};
use ottla_protocol::messages::{ShareAcknowledgeRequest, ShareAcknowledgeResponse};

use super::prelude::*;
use crate::cluster::LeaderHints;
use crate::share::{self, AcknowledgeMode, Acknowledged, PartitionAcknowledgements};

pub const API: Api = Api { key: ApiKey::ShareAcknowledge, min: 1, max: 2, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ShareAcknowledgeRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let refuse = |request: Request, error: ErrorCode| {
        request.ready(&ShareAcknowledgeResponse { error_code: error.code(), ..Default::default() })
    };
    let (group, member) =
        match share::member_of(broker, &access, body.group_id.as_ref(), body.member_id.as_ref()) {
            Ok(who) => who,
            Err(error) => return refuse(request, error),
        };
    let session = SessionKey { group, member };
    let epoch = body.share_session_epoch;
    if let Err(error) = broker.share_partitions.acknowledge_session(&session, epoch) {
        return refuse(request, error);
    }
    let mode = AcknowledgeMode { knows_renew: request.version() == 2, is_renew: body.is_renew_ack };
    let asked = acknowledgements(body);
    let mut answers = share::acknowledge(broker, &access, &session.group, &session.member, mode, asked);
    let broker = broker.clone();
    park(async move {
        share::settle(&mut answers).await;
        const EPOCH_FINAL: i32 = -1;
        if epoch == EPOCH_FINAL {
            broker.share_partitions.release_session(&session);
        }
        respond(&broker, &request, session.group.as_str(), answers)
    })
}

fn acknowledgements(body: ShareAcknowledgeRequest) -> Vec<PartitionAcknowledgements> {
    let mut asked = Vec::new();
    for topic in body.topics {
        for partition in topic.partitions {
            let batches = partition.acknowledgement_batches.into_iter().map(|batch| Acknowledgement {
                first_offset: batch.first_offset,
                last_offset: batch.last_offset,
                types: batch.acknowledge_types,
            });
            asked.push(PartitionAcknowledgements {
                topic_id: TopicId(topic.topic_id),
                partition: partition.partition_index,
                batches: batches.collect(),
            });
        }
    }
    asked
}

fn respond(broker: &Broker, request: &Request, group: &str, answers: Vec<Acknowledged>) -> Answer {
    let mut topics: Vec<ShareAcknowledgeTopicResponse> = Vec::new();
    let mut hints = LeaderHints::of(broker, &request.connection);
    for answer in answers {
        let mut current_leader = LeaderIdAndEpoch::default();
        if matches!(answer.error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch)
            && let Some((leader, epoch)) = hints.add_by_id(answer.topic_id, answer.partition)
        {
            current_leader =
                LeaderIdAndEpoch { leader_id: leader.0, leader_epoch: epoch.0, ..Default::default() };
        }
        let data = PartitionData {
            partition_index: answer.partition,
            error_code: answer.error.code(),
            error_message: answer.message.and_then(message),
            current_leader,
            ..Default::default()
        };
        match topics.iter_mut().find(|topic| topic.topic_id == answer.topic_id.0) {
            Some(topic) => topic.partitions.push(data),
            None => topics.push(ShareAcknowledgeTopicResponse {
                topic_id: answer.topic_id.0,
                partitions: vec![data],
                ..Default::default()
            }),
        }
    }
    let node_endpoints = hints.nodes().into_iter().map(|node| NodeEndpoint {
        node_id: node.id.0,
        host: text(&node.host),
        port: node.port,
        rack: node.rack.as_deref().map(text),
        ..Default::default()
    });
    request.answer(&ShareAcknowledgeResponse {
        acquisition_lock_timeout_ms: broker.share_partitions.configs().of(group).record_lock_duration_ms,
        responses: topics,
        node_endpoints: node_endpoints.collect(),
        ..Default::default()
    })
}
