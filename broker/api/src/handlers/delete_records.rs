//! DeleteRecords (key 21), versions 0-2: moves the start of a log; durable before its answer (KIP-107).
//! Shell: the checkpoint is synced on a thread that may block. Where there are followers, they have made it too.
//!
//! - v1: throttle time last. v2: flexible.

use std::time::Duration;

use ottla_env::Monotonic;
use ottla_model::{ErrorCode, LeaderEpoch, Offset};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::delete_records_request::DeleteRecordsTopic;
use ottla_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use ottla_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use ottla_replica::{Hosted, Look, Partition, TailWait};

use super::prelude::*;
use crate::{blocking, errors};

pub const API: Api = Api { key: ApiKey::DeleteRecords, min: 0, max: 2, admit };

/// "Up to the high watermark."
const HIGH_WATERMARK: i64 = -1;

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: DeleteRecordsRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let unauthorized =
        access.take_refused(&mut body.topics, |topic| access.topic(AclOperation::Delete, &topic.name));
    let broker = broker.clone();
    let wait = Duration::from_millis(u64::try_from(body.timeout_ms).unwrap_or(0));
    let deadline = request.received.after(wait);
    park(async move {
        let env = broker.env.clone();
        let of_work = broker.clone();
        let (mut response, followed) = blocking::run(&env, move || delete(&of_work, &body)).await;
        if !followed.is_empty() {
            await_followers(&broker, &mut response, followed, deadline).await;
        }
        response.topics.extend(unauthorized.iter().map(refused));
        request.answer(&response)
    })
}

/// A deletion that is answered when every replica has made it (`DelayedDeleteRecords`).
struct Followed {
    /// Its place in the answer.
    topic: usize,
    partition_at: usize,
    partition: Arc<Partition>,
    epoch: LeaderEpoch,
    before: Offset,
}

impl Followed {
    /// How far the deletion is, or why nothing more comes of it.
    fn low_watermark(&self, hosted: &Hosted) -> Result<Offset, ErrorCode> {
        let led = self.partition.led(-1).map_err(errors::unavailable)?;
        if led.epoch() != self.epoch {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        Ok(led.low_watermark(|id| hosted.is_alive(id)))
    }

    fn is_done(&self, hosted: &Hosted) -> bool {
        self.low_watermark(hosted).map_or(true, |low_watermark| low_watermark >= self.before)
    }
}

async fn await_followers(
    broker: &Broker,
    response: &mut DeleteRecordsResponse,
    followed: Vec<Followed>,
    deadline: Monotonic,
) {
    let partitions = followed.iter().map(|one| one.partition.clone()).collect();
    let wait = TailWait::new(partitions, broker.env.clock.sleep_until(deadline));
    let replicas = &broker.replicas;
    let is_done = |_woken| {
        let hosted = replicas.hosted();
        if followed.iter().all(|one| one.is_done(&hosted)) { Look::Found(()) } else { Look::Any }
    };
    wait.until(is_done).await;
    let hosted = replicas.hosted();
    for one in &followed {
        let result = &mut response.topics[one.topic].partitions[one.partition_at];
        let (error, low_watermark) = match one.low_watermark(&hosted) {
            Ok(low_watermark) if low_watermark >= one.before => (ErrorCode::None, low_watermark.0),
            Ok(low_watermark) => (ErrorCode::RequestTimedOut, low_watermark.0),
            Err(error) => (error, -1),
        };
        result.error_code = error.code();
        result.low_watermark = low_watermark;
    }
}

fn refused(topic: &DeleteRecordsTopic) -> DeleteRecordsTopicResult {
    let partitions = topic.partitions.iter().map(|partition| {
        DeleteRecordsPartitionResult::default()
            .with_partition_index(partition.partition_index)
            .with_low_watermark(-1)
            .with_error_code(ErrorCode::TopicAuthorizationFailed.code())
    });
    DeleteRecordsTopicResult::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
}

fn delete(broker: &Broker, body: &DeleteRecordsRequest) -> (DeleteRecordsResponse, Vec<Followed>) {
    let hosted = broker.replicas.hosted();
    let (mut topics, mut followed) = (Vec::new(), Vec::new());
    for topic in &body.topics {
        let mut partitions = Vec::new();
        for requested in &topic.partitions {
            let outcome = hosted
                .partition(topic.name.as_str(), requested.partition_index)
                .and_then(|partition| Ok((partition, delete_in(partition, requested.offset)?)));
            let (error, low_watermark) = match outcome {
                Ok((partition, Deleted { log_start, before, followed_in: Some(epoch) })) => {
                    let (topic, partition_at) = (topics.len(), partitions.len());
                    let partition = partition.clone();
                    followed.push(Followed { topic, partition_at, partition, epoch, before });
                    (ErrorCode::None, log_start.0)
                }
                Ok((_, Deleted { log_start, followed_in: None, .. })) => (ErrorCode::None, log_start.0),
                Err(error) => (error, -1),
            };
            partitions.push(
                DeleteRecordsPartitionResult::default()
                    .with_partition_index(requested.partition_index)
                    .with_low_watermark(low_watermark)
                    .with_error_code(error.code()),
            );
        }
        topics.push(
            DeleteRecordsTopicResult::default().with_name(topic.name.clone()).with_partitions(partitions),
        );
    }
    (DeleteRecordsResponse::default().with_topics(topics), followed)
}

/// A deletion on the leader's own disk.
struct Deleted {
    log_start: Offset,
    /// What was asked for.
    before: Offset,
    /// The leader epoch in which followers are to make it too.
    followed_in: Option<LeaderEpoch>,
}

/// `Partition.deleteRecordsOnLeader`: only where the policy deletes, and not beyond the high watermark.
fn delete_in(partition: &Partition, offset: i64) -> Result<Deleted, ErrorCode> {
    if partition.topic().is_internal() {
        return Err(ErrorCode::InvalidTopicException);
    }
    let led = partition.led(-1).map_err(errors::unavailable)?;
    let log = led.log();
    if !log.config().cleanup_policy.delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let high_watermark = led.high_watermark();
    let before = if offset == HIGH_WATERMARK { high_watermark } else { Offset(offset) };
    if before.0 < 0 || before > high_watermark {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    let log_start = log.delete_records(before).map_err(|error| errors::change_error(&error))?;
    partition.tell_log_start();
    Ok(Deleted { log_start, before, followed_in: led.has_followers().then(|| led.epoch()) })
}
