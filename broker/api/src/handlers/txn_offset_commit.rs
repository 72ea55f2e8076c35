//! TxnOffsetCommit (key 28), versions 0-5: offsets that count once a transaction commits.
//! Shell (the transaction is verified before the offsets are stored, and the answer waits for the disk).
//!
//! - v3: flexible, the group's member and generation (KIP-447). v4: TRANSACTION_ABORTABLE.
//! - v5: adds the group's offsets to the transaction itself (KIP-890).

use ottla_coordinator::runtime::Durable;
use ottla_coordinator::transaction::Joining;
use ottla_log::verification::Verification;
use ottla_model::{ErrorCode, ProducerEpoch, ProducerId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestTopic;
use ottla_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use ottla_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use super::prelude::*;
use crate::transaction_joining::{add_or_verify, retriable};
use crate::transactions::{TransactionSupportedOperation, offsets_partition, write_error};
use crate::{group_offsets, groups};

pub const API: Api = Api { key: ApiKey::TxnOffsetCommit, min: 0, max: 5, admit };

type Committed = Result<(Vec<ErrorCode>, Durable), ErrorCode>;

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: TxnOffsetCommitRequest = request.decode()?;
    let access = Access::of(broker, &request);
    if !access.transactional_id(AclOperation::Write, &body.transactional_id) {
        let refused = respond(&body.topics, &Err(ErrorCode::TransactionalIdAuthorizationFailed));
        return request.ready(&refused);
    }
    if !access.group(AclOperation::Read, &body.group_id) {
        return request.ready(&respond(&body.topics, &Err(ErrorCode::GroupAuthorizationFailed)));
    }
    let unauthorized =
        access.take_refused(&mut body.topics, |topic| access.topic(AclOperation::Read, &topic.name));
    let refused = respond(&unauthorized, &Err(ErrorCode::TopicAuthorizationFailed));
    if body.topics.is_empty() && !unauthorized.is_empty() {
        return request.ready(&refused);
    }
    let broker = broker.clone();
    // In the order of the requests, as a producer's batches.
    let mut turn = broker.write_order.join(ProducerId(body.producer_id.0));
    park(async move {
        turn.reached().await;
        let version = request.version();
        let committed = commit(&broker, &body, version).await;
        drop(turn);
        let errors = match committed {
            Err(error) => Err(error),
            Ok((errors, None)) => Ok(errors),
            Ok((errors, Some(durable))) => {
                durable.await.map(|()| errors).map_err(|_| ErrorCode::NotCoordinator)
            }
        };
        // Producers before 2.0 know no loading coordinator.
        let errors = errors.map_err(|error| match error {
            ErrorCode::CoordinatorLoadInProgress if version < 2 => ErrorCode::CoordinatorNotAvailable,
            other => other,
        });
        let mut response = respond(&body.topics, &errors);
        response.topics.extend(refused.topics);
        request.answer(&response)
    })
}

async fn commit(broker: &Broker, body: &TxnOffsetCommitRequest, version: i16) -> Committed {
    if body.group_id.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let supported = match version {
        5.. => TransactionSupportedOperation::AddPartition,
        4 => TransactionSupportedOperation::GenericErrorSupported,
        _ => TransactionSupportedOperation::DefaultError,
    };
    let (producer_id, producer_epoch) = (ProducerId(body.producer_id.0), ProducerEpoch(body.producer_epoch));
    let partitions = offsets_partition(broker, &body.group_id).await?;
    let adds = supported == TransactionSupportedOperation::AddPartition;
    let verification =
        broker.groups.begin_offset_verification(&body.group_id, producer_id, producer_epoch, adds)?;
    if verification != Verification::Ongoing {
        let transactional_id = Box::from(&*body.transactional_id.0);
        let joining = Joining { transactional_id, producer_id, producer_epoch, partitions, adds };
        let refused = match add_or_verify(broker, joining).into_future().await {
            Ok(errors) => errors.into_iter().find(|error| *error != ErrorCode::None),
            Err(error) => Some(error),
        };
        if let Some(error) = refused {
            // Not this coordinator: the client need not look for another.
            let error = if retriable(error) { ErrorCode::CoordinatorLoadInProgress } else { error };
            return Err(write_error(error, supported));
        }
    }
    let topics = groups::Topics(broker.image());
    group_offsets::commit_in_transaction(body, &topics, |committer, offsets| {
        let producer = (producer_id, producer_epoch);
        broker.groups.commit_transactional_offsets(committer, offsets, producer, verification)
    })
}

fn respond(
    asked: &[TxnOffsetCommitRequestTopic],
    errors: &Result<Vec<ErrorCode>, ErrorCode>,
) -> TxnOffsetCommitResponse {
    let mut place = 0;
    let mut next = || {
        let error = match errors {
            Ok(errors) => errors.get(place).copied().unwrap_or(ErrorCode::UnknownServerError),
            Err(error) => *error,
        };
        place += 1;
        error
    };
    let mut topics = Vec::with_capacity(asked.len());
    for topic in asked {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            partitions.push(
                TxnOffsetCommitResponsePartition::default()
                    .with_partition_index(partition.partition_index)
                    .with_error_code(next().code()),
            );
        }
        topics.push(
            TxnOffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions),
        );
    }
    TxnOffsetCommitResponse::default().with_topics(topics)
}
