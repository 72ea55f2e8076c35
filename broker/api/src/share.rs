//! Between the handlers of share groups and the two coordinators: access, acknowledgements, share state.
//! Shell.

use std::collections::HashSet;
use std::sync::Arc;

use ottla_coordinator::group::share::ShareInitialize;
use ottla_coordinator::record::Assignment;
use ottla_coordinator::runtime::Durable;
use ottla_coordinator::share::{SharePartitionKey, StateError};
use ottla_coordinator::share_partition::Acknowledgement;
use ottla_env::BoxFuture;
use ottla_model::{ErrorCode, GroupId, MemberId, PartitionIndex, TopicId};
use ottla_protocol::StrBytes;
use ottla_security::AclOperation;

use crate::access::Access;
use crate::context::Broker;
use crate::groups::Topics;
use crate::transactions::all;

/// The longest member id, as Java counts: that of a UUID.
const MEMBER_ID_UNITS_MAX: usize = 36;

/// Whether share groups are enabled: `share.version` of the cluster's finalized features (KIP-932).
pub fn is_enabled(broker: &Broker) -> bool {
    broker.metadata.image().feature_level("share.version") >= 1
}

pub fn is_member_id(id: Option<&StrBytes>) -> bool {
    id.is_some_and(|id| !id.is_empty() && id.encode_utf16().count() <= MEMBER_ID_UNITS_MAX)
}

/// Who may fetch and acknowledge: the group and the member of a request, or the code that refuses it.
pub fn member_of(
    broker: &Broker,
    access: &Access,
    group: Option<&StrBytes>,
    member: Option<&StrBytes>,
) -> Result<(GroupId, MemberId), ErrorCode> {
    if !is_enabled(broker) {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let group = group.ok_or(ErrorCode::InvalidRequest)?;
    if !access.group(AclOperation::Read, group) {
        return Err(ErrorCode::GroupAuthorizationFailed);
    }
    match member {
        Some(member) if is_member_id(Some(member)) => Ok((GroupId::new(group), MemberId::new(member))),
        _ => Err(ErrorCode::InvalidRequest),
    }
}

/// What a request says of the records of one partition.
pub struct PartitionAcknowledgements {
    pub topic_id: TopicId,
    pub partition: i32,
    pub batches: Vec<Acknowledgement>,
}

/// What a partition answers to acknowledgements, once `wait` is over.
pub struct Acknowledged {
    pub topic_id: TopicId,
    pub partition: i32,
    pub error: ErrorCode,
    pub message: Option<String>,
    wait: Durable,
}

/// How a request acknowledges.
#[derive(Clone, Copy)]
pub struct AcknowledgeMode {
    /// Whether its version knows renewals.
    pub knows_renew: bool,
    pub is_renew: bool,
}

/// Acknowledges partition by partition; the answers rest on their waits.
pub fn acknowledge(
    broker: &Broker,
    access: &Access,
    group: &GroupId,
    member: &MemberId,
    mode: AcknowledgeMode,
    partitions: Vec<PartitionAcknowledgements>,
) -> Vec<Acknowledged> {
    let mut is_any = false;
    let mut answers = Vec::with_capacity(partitions.len());
    for requested in partitions {
        let PartitionAcknowledgements { topic_id, partition, .. } = requested;
        let is_empty = requested.batches.is_empty();
        let outcome = match check(broker, access, mode, &requested) {
            Err(error) => Err((error, None)),
            Ok(()) if is_empty => Ok(None),
            Ok(()) => {
                is_any = true;
                let key = SharePartitionKey { group: group.clone(), topic_id, partition };
                let outcome = broker.share_partitions.acknowledge(&key, member, &requested.batches);
                outcome.map_err(|error| (error.code, Some(error.message)))
            }
        };
        let (wait, error, message) = match outcome {
            Ok(wait) => (wait, ErrorCode::None, None),
            Err((error, message)) => (None, error, message),
        };
        answers.push((is_empty, Acknowledged { topic_id, partition, error, message, wait }));
    }
    // As in Kafka: partitions of which nothing was said are named only beside others.
    answers.retain(|(is_empty, answer)| is_any || !is_empty || !answer.error.is_none());
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn check(
    broker: &Broker,
    access: &Access,
    mode: AcknowledgeMode,
    requested: &PartitionAcknowledgements,
) -> Result<(), ErrorCode> {
    let image = broker.image();
    let topic = image.topic_by_id(requested.topic_id).ok_or(ErrorCode::UnknownTopicId)?;
    if !are_well_formed(&requested.batches, mode) {
        return Err(ErrorCode::InvalidRequest);
    }
    if !access.topic(AclOperation::Read, topic.name.as_str()) {
        return Err(ErrorCode::TopicAuthorizationFailed);
    }
    match topic.partition(PartitionIndex(requested.partition)) {
        Some(_) => Ok(()),
        None => Err(ErrorCode::UnknownTopicOrPartition),
    }
}

/// `KafkaApis.validateAcknowledgementBatches`.
fn are_well_formed(batches: &[Acknowledgement], mode: AcknowledgeMode) -> bool {
    const RENEW: i8 = 4;
    let type_max = if mode.knows_renew { RENEW } else { RENEW - 1 };
    let mut previous_last = -1;
    batches.iter().all(|batch| {
        let in_order = batch.first_offset <= batch.last_offset && batch.first_offset >= previous_last;
        previous_last = batch.last_offset;
        let count = batch.types.len() as i64;
        let fits =
            count == 1 || (count > 1 && batch.last_offset.checked_sub(batch.first_offset) == Some(count - 1));
        let is_known = |kind: &i8| (0..=type_max).contains(kind) && (*kind != RENEW || mode.is_renew);
        in_order && fits && batch.types.iter().all(is_known)
    })
}

/// Waits until what was acknowledged is stored.
pub async fn settle(answers: &mut [Acknowledged]) {
    for answer in answers {
        let Some(wait) = answer.wait.take() else { continue };
        if wait.await.is_err() {
            answer.error = ErrorCode::CoordinatorNotAvailable;
            answer.message = Some(ErrorCode::CoordinatorNotAvailable.message().to_owned());
        }
    }
}

/// One share partition's answer of the share coordinator, when it is durable.
pub async fn durable(outcome: Result<Durable, StateError>) -> Result<(), StateError> {
    match outcome? {
        None => Ok(()),
        Some(wait) => wait.await.map_err(StateError::from),
    }
}

/// Who may speak to the share coordinator: brokers.
pub fn may_keep_state(access: &Access) -> bool {
    access.cluster(AclOperation::ClusterAction)
}

/// Whether there is a partition that can have share state.
pub fn check_place(broker: &Broker, topic_id: TopicId, partition: i32) -> Result<(), StateError> {
    if partition < 0 {
        const NEGATIVE: &str = "The partition id cannot be a negative number.";
        return Err(StateError { code: ErrorCode::InvalidRequest, message: Some(NEGATIVE) });
    }
    let image = broker.image();
    let found = image.topic_by_id(topic_id).and_then(|topic| topic.partition(PartitionIndex(partition)));
    match found {
        Some(_) => Ok(()),
        None => Err(ErrorCode::UnknownTopicOrPartition.into()),
    }
}

/// The error message of Kafka's share coordinator for an operation that failed.
pub fn state_message(operation: &str, error: StateError) -> String {
    let text = error.message.unwrap_or_else(|| error.code.message());
    match error.code {
        ErrorCode::NotCoordinator
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::CoordinatorLoadInProgress => format!("Unable to {operation}: {text}"),
        _ => text.to_owned(),
    }
}

/// A topic and the answers of its partitions.
pub type StateAnswers = Vec<(TopicId, Vec<(i32, Result<(), StateError>)>)>;

/// What becomes of one partition's state.
type StateWork = BoxFuture<'static, Result<(), StateError>>;

/// A topic's partitions, with what their answers rest on.
type Begun = Vec<(i32, StateWork)>;

/// Sets share state up, and says what became of each partition.
pub async fn initialize(broker: &Broker, group: &GroupId, wanted: &ShareInitialize) -> StateAnswers {
    if let Err(code) = ensure_state_topic(broker).await {
        let refused = |(id, offsets): (&TopicId, &std::collections::BTreeMap<i32, i64>)| {
            (*id, offsets.keys().map(|partition| (*partition, Err(StateError::from(code)))).collect())
        };
        return wanted.topics.iter().map(refused).collect();
    }
    let mut begun = Vec::with_capacity(wanted.topics.len());
    for (topic_id, offsets) in &wanted.topics {
        let partitions = offsets.iter().map(|(partition, start_offset)| {
            let key = SharePartitionKey { group: group.clone(), topic_id: *topic_id, partition: *partition };
            (*partition, broker.share_channel.initialize(&key, wanted.state_epoch, *start_offset))
        });
        begun.push((*topic_id, partitions.collect()));
    }
    settled(begun).await
}

/// Deletes share state.
pub async fn delete(broker: &Broker, group: &GroupId, partitions: &Assignment) -> StateAnswers {
    let mut begun = Vec::with_capacity(partitions.len());
    for (topic_id, partitions) in partitions {
        let partitions = partitions.iter().map(|partition| {
            let key = SharePartitionKey { group: group.clone(), topic_id: *topic_id, partition: *partition };
            let deleted: StateWork = match broker.share_state.is_topic_there() {
                true => broker.share_channel.delete(&key),
                // Where nothing was ever stored there is nothing to delete.
                false => Box::pin(async { Ok(()) }),
            };
            (*partition, deleted)
        });
        begun.push((*topic_id, partitions.collect()));
    }
    settled(begun).await
}

/// All are under way before one is waited for.
async fn settled(begun: Vec<(TopicId, Begun)>) -> StateAnswers {
    let mut answers = Vec::with_capacity(begun.len());
    for (topic_id, partitions) in begun {
        let (indexes, works): (Vec<i32>, Vec<StateWork>) = partitions.into_iter().unzip();
        answers.push((topic_id, indexes.into_iter().zip(all(works).await).collect()));
    }
    answers
}

/// The first error among a group's share partitions.
pub fn first_error(answers: &StateAnswers) -> Option<StateError> {
    answers.iter().flat_map(|(_, partitions)| partitions).find_map(|(_, outcome)| outcome.err())
}

async fn ensure_state_topic(broker: &Broker) -> Result<(), ErrorCode> {
    match broker.share_state.is_topic_there() {
        true => Ok(()),
        false => broker.share_state.ensure_topic().await,
    }
}

/// Sets up what a heartbeat found missing, and lets the group know.
pub async fn set_up(broker: Arc<Broker>, group: GroupId, wanted: ShareInitialize) {
    let answers = initialize(&broker, &group, &wanted).await;
    let error = first_error(&answers);
    if let Some(error) = error {
        tracing::error!(%group, code = %error.code, "the share state of a group was not set up; it is tried again");
    }
    let topics = Topics(broker.image());
    let reported =
        broker.groups.share_state_initialized(group.as_str(), &wanted.partitions(), error.is_none(), &topics);
    if let Err(error) = reported.into_future().await {
        tracing::error!(%group, code = %error.code, "a share group did not take its share state; it is tried again");
    }
}

/// The share state of a group's topics was changed by a request: the leaders of its share partitions continue from the
/// new state.
pub fn on_state_changed(broker: &Broker, group: &GroupId, topics: impl Iterator<Item = TopicId>) {
    broker.share_partitions.on_state_changed(group, &topics.collect::<HashSet<_>>());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first_offset: i64, last_offset: i64, types: &[i8]) -> Acknowledgement {
        Acknowledgement { first_offset, last_offset, types: types.to_vec() }
    }

    #[test]
    fn acknowledgements_are_in_order_and_have_a_type_for_all_or_one_for_each() {
        let mode = AcknowledgeMode { knows_renew: true, is_renew: false };
        let fits = |batches: &[Acknowledgement]| are_well_formed(batches, mode);
        assert!(fits(&[batch(0, 2, &[1]), batch(3, 4, &[1, 2])]));
        assert!(!fits(&[batch(3, 2, &[1])]), "the last is before the first");
        assert!(!fits(&[batch(3, 4, &[1]), batch(0, 1, &[1])]), "not in order");
        assert!(!fits(&[batch(0, 2, &[])]), "no type");
        assert!(!fits(&[batch(0, 2, &[1, 1])]), "two types for three records");
        assert!(!fits(&[batch(0, 0, &[5])]) && !fits(&[batch(0, 0, &[-1])]), "unknown types");
        assert!(!fits(&[batch(0, 0, &[4])]), "a renewal in a request that says it has none");
    }

    #[test]
    fn renewals_want_a_version_that_knows_them() {
        let renew = [batch(0, 0, &[4])];
        assert!(are_well_formed(&renew, AcknowledgeMode { knows_renew: true, is_renew: true }));
        assert!(!are_well_formed(&renew, AcknowledgeMode { knows_renew: false, is_renew: true }));
    }

    #[test]
    fn a_member_id_is_at_most_as_long_as_a_uuid() {
        let id = |text: &str| StrBytes::from_string(text.to_owned());
        assert!(is_member_id(Some(&id(&"m".repeat(36)))));
        assert!(!is_member_id(Some(&id(&"m".repeat(37)))));
        assert!(!is_member_id(Some(&id(""))));
        assert!(!is_member_id(None));
    }
}
