//! Share state at the share coordinator of another node: the five APIs between brokers (KIP-932).
//! Shell. A request names one share partition.

use ottla_model::ErrorCode;
use ottla_network::outgoing::{CallError, Peer};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::{
    DeleteShareGroupStateRequest, InitializeShareGroupStateRequest, ReadShareGroupStateRequest,
    ReadShareGroupStateSummaryRequest, WriteShareGroupStateRequest,
    delete_share_group_state_request as delete_in, initialize_share_group_state_request as initialize_in,
    read_share_group_state_request as read_in, read_share_group_state_summary_request as summary_in,
    write_share_group_state_request as write_in,
};

use super::combine::StateBatch;
use super::state::{SharePartitionKey, SharePartitionState, StateError, StateSummary, StateWrite};

/// What a request comes to; the first error is that of the way.
pub(super) type Answer<T> = Result<Result<T, StateError>, CallError>;

fn group(key: &SharePartitionKey) -> StrBytes {
    StrBytes::from_string(key.group.as_str().to_owned())
}

/// The text that comes with a code is the code's own, but for what no broker asks.
fn checked(code: i16) -> Result<(), StateError> {
    match ErrorCode::from_code(code) {
        Some(ErrorCode::None) => Ok(()),
        Some(code) => Err(code.into()),
        None => Err(ErrorCode::UnknownServerError.into()),
    }
}

/// An answer that leaves the partition out says nothing.
fn missing<T>() -> Result<T, StateError> {
    Err(ErrorCode::UnknownServerError.into())
}

pub(super) async fn read(
    peer: Peer,
    key: SharePartitionKey,
    leader_epoch: i32,
) -> Answer<SharePartitionState> {
    let partition =
        read_in::PartitionData::default().with_partition(key.partition).with_leader_epoch(leader_epoch);
    let topic =
        read_in::ReadStateData::default().with_topic_id(key.topic_id.0).with_partitions(vec![partition]);
    let request = ReadShareGroupStateRequest::default().with_group_id(group(&key)).with_topics(vec![topic]);
    let answer = peer.call(&request).await?;
    let found = answer.results.into_iter().flat_map(|topic| topic.partitions).next();
    let Some(found) = found else { return Ok(missing()) };
    let batches = found.state_batches.iter().map(|batch| StateBatch {
        first_offset: batch.first_offset,
        last_offset: batch.last_offset,
        delivery_state: batch.delivery_state,
        delivery_count: batch.delivery_count,
    });
    Ok(checked(found.error_code).map(|()| SharePartitionState {
        // What the coordinator counts for itself is not told.
        snapshot_epoch: 0,
        state_epoch: found.state_epoch,
        leader_epoch,
        start_offset: found.start_offset,
        delivery_complete_count: -1,
        create_timestamp_ms: -1,
        write_timestamp_ms: -1,
        batches: batches.collect(),
    }))
}

pub(super) async fn write(peer: Peer, key: SharePartitionKey, write: StateWrite) -> Answer<()> {
    let batches = write.batches.iter().map(|batch| write_in::StateBatch {
        first_offset: batch.first_offset,
        last_offset: batch.last_offset,
        delivery_state: batch.delivery_state,
        delivery_count: batch.delivery_count,
        ..Default::default()
    });
    let partition = write_in::PartitionData {
        partition: key.partition,
        state_epoch: write.state_epoch,
        leader_epoch: write.leader_epoch,
        start_offset: write.start_offset,
        delivery_complete_count: write.delivery_complete_count,
        state_batches: batches.collect(),
        ..Default::default()
    };
    let topic = write_in::WriteStateData {
        topic_id: key.topic_id.0,
        partitions: vec![partition],
        ..Default::default()
    };
    let request =
        WriteShareGroupStateRequest { group_id: group(&key), topics: vec![topic], ..Default::default() };
    let answer = peer.call(&request).await?;
    let found = answer.results.into_iter().flat_map(|topic| topic.partitions).next();
    Ok(found.map_or_else(missing, |found| checked(found.error_code)))
}

pub(super) async fn initialize(
    peer: Peer,
    key: SharePartitionKey,
    state_epoch: i32,
    start_offset: i64,
) -> Answer<()> {
    let partition = initialize_in::PartitionData::default()
        .with_partition(key.partition)
        .with_state_epoch(state_epoch)
        .with_start_offset(start_offset);
    let topic = initialize_in::InitializeStateData::default()
        .with_topic_id(key.topic_id.0)
        .with_partitions(vec![partition]);
    let request =
        InitializeShareGroupStateRequest::default().with_group_id(group(&key)).with_topics(vec![topic]);
    let answer = peer.call(&request).await?;
    let found = answer.results.into_iter().flat_map(|topic| topic.partitions).next();
    Ok(found.map_or_else(missing, |found| checked(found.error_code)))
}

pub(super) async fn delete(peer: Peer, key: SharePartitionKey) -> Answer<()> {
    let partition = delete_in::PartitionData::default().with_partition(key.partition);
    let topic =
        delete_in::DeleteStateData::default().with_topic_id(key.topic_id.0).with_partitions(vec![partition]);
    let request = DeleteShareGroupStateRequest::default().with_group_id(group(&key)).with_topics(vec![topic]);
    let answer = peer.call(&request).await?;
    let found = answer.results.into_iter().flat_map(|topic| topic.partitions).next();
    Ok(found.map_or_else(missing, |found| checked(found.error_code)))
}

pub(super) async fn summary(peer: Peer, key: SharePartitionKey) -> Answer<StateSummary> {
    let partition =
        summary_in::PartitionData { partition: key.partition, leader_epoch: -1, ..Default::default() };
    let topic = summary_in::ReadStateSummaryData {
        topic_id: key.topic_id.0,
        partitions: vec![partition],
        ..Default::default()
    };
    let request = ReadShareGroupStateSummaryRequest {
        group_id: group(&key),
        topics: vec![topic],
        ..Default::default()
    };
    let answer = peer.call(&request).await?;
    let found = answer.results.into_iter().flat_map(|topic| topic.partitions).next();
    let Some(found) = found else { return Ok(missing()) };
    Ok(checked(found.error_code).map(|()| StateSummary {
        start_offset: found.start_offset,
        delivery_complete_count: found.delivery_complete_count,
        leader_epoch: found.leader_epoch,
        state_epoch: found.state_epoch,
    }))
}
