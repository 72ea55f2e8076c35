//! What becomes of partitions when a broker is fenced, unfenced, stops, comes back or is taken off the list.
//! Core. `ReplicationControlManager.handleBroker…` and `generateLeaderAndIsrUpdates`.
//!
//! All partitions of a broker change in one batch, so that an election is one commit however many there are.

use ottla_model::{BrokerId, ErrorCode};
use ottla_protocol::records::metadata::{
    BrokerRegistrationChangeRecord, MetadataRecord, PartitionChangeRecord, RegisterBrokerRecord,
    UnregisterBrokerRecord,
};

use crate::controller::partition_change::{Candidates, Election, PartitionChange, has_eligible_replicas};
use crate::controller::{ApiError, Rules};
use crate::image::{Image, PartitionImage, Replicas, TopicImage};

const FENCE: i8 = 1;
const UNFENCE: i8 = -1;
const IN_CONTROLLED_SHUTDOWN: i8 = 1;

/// The registration that a broker's request belongs to (`ClusterControlManager.checkBrokerEpoch`).
pub(crate) fn check_broker_epoch(
    image: &Image,
    id: BrokerId,
    epoch: i64,
) -> Result<&RegisterBrokerRecord, ApiError> {
    let refuse = |text: String| Err(ApiError::new(ErrorCode::StaleBrokerEpoch, text));
    match image.broker(id) {
        None => refuse(format!("No broker registration found for broker id {id}")),
        Some(broker) if broker.broker_epoch != epoch => {
            refuse(format!("Expected broker epoch {}, but got broker epoch {epoch}", broker.broker_epoch))
        }
        Some(broker) => Ok(broker),
    }
}

/// Fences a broker that is registered.
pub(crate) fn fence(image: &Image, rules: &Rules, id: BrokerId, records: &mut Vec<MetadataRecord>) {
    let candidates = Candidates { leaving: Some(id), ..Candidates::of(image) };
    leave(candidates, rules, records, &|partition| partition.isr.contains(&id));
    if image.broker(id).is_some_and(|broker| !broker.fenced) {
        let change = |record| BrokerRegistrationChangeRecord { fenced: FENCE, ..record };
        records.extend(change_of(image, id).map(|record| change(record).into()));
    }
}

/// Unfences it, and lets it lead what nobody leads.
pub(crate) fn unfence(image: &Image, rules: &Rules, id: BrokerId, records: &mut Vec<MetadataRecord>) {
    records.extend(
        change_of(image, id)
            .map(|record| BrokerRegistrationChangeRecord { fenced: UNFENCE, ..record }.into()),
    );
    let candidates = Candidates { coming: Some(id), ..Candidates::of(image) };
    leave(candidates, rules, records, &|partition| partition.leader.is_none());
}

/// A broker that wants to stop leads nothing any more and is in sync with nothing.
pub(crate) fn begin_controlled_shutdown(
    image: &Image,
    rules: &Rules,
    id: BrokerId,
    records: &mut Vec<MetadataRecord>,
) {
    let is_known = image.broker(id).is_some_and(|broker| broker.in_controlled_shutdown);
    if !is_known {
        let change = |record| BrokerRegistrationChangeRecord {
            in_controlled_shutdown: IN_CONTROLLED_SHUTDOWN,
            ..record
        };
        records.extend(change_of(image, id).map(|record| change(record).into()));
    }
    let candidates = Candidates { leaving: Some(id), ..Candidates::of(image) };
    leave(candidates, rules, records, &|partition| partition.isr.contains(&id));
}

/// A new incarnation of a broker registers: what the last one had is void. Where it did not stop cleanly, its logs may
/// have lost their ends, and it is no longer eligible either (KIP-966).
pub(crate) fn replace_incarnation(
    image: &Image,
    rules: &Rules,
    id: BrokerId,
    is_clean: bool,
    records: &mut Vec<MetadataRecord>,
) {
    let is_unclean = has_eligible_replicas(image) && !is_clean;
    let candidates = match is_unclean {
        true => Candidates { unclean: Some(id), ..Candidates::of(image) },
        false => Candidates { leaving: Some(id), ..Candidates::of(image) },
    };
    leave(candidates, rules, records, &|partition| {
        partition.isr.contains(&id) || (is_unclean && partition.elr().contains(&id))
    });
}

pub(crate) fn unregister(image: &Image, rules: &Rules, id: BrokerId, records: &mut Vec<MetadataRecord>) {
    let candidates = Candidates { leaving: Some(id), ..Candidates::of(image) };
    leave(candidates, rules, records, &|partition| {
        partition.isr.contains(&id) || partition.elr().contains(&id)
    });
    let broker_epoch = image.broker(id).map_or(-1, |broker| broker.broker_epoch);
    records.push(
        UnregisterBrokerRecord { broker_id: id.0, broker_epoch, ..UnregisterBrokerRecord::default() }.into(),
    );
}

/// Directories of a broker failed: it can't lead from them (KIP-858).
pub(crate) fn lose_directories(
    image: &Image,
    rules: &Rules,
    id: BrokerId,
    offline: &[uuid::Uuid],
    records: &mut Vec<MetadataRecord>,
) {
    let Some(broker) = image.broker(id) else { return };
    let (lost, online): (Vec<_>, Vec<_>) = broker.log_dirs.iter().partition(|dir| offline.contains(*dir));
    if lost.is_empty() {
        return;
    }
    let candidates = Candidates { leaving: Some(id), ..Candidates::of(image) };
    let is_there = |partition: &PartitionImage| {
        let index = partition.replicas.iter().position(|replica| *replica == id);
        index.and_then(|index| partition.directories.get(index)).is_some_and(|dir| lost.contains(&dir))
    };
    leave(candidates, rules, records, &|partition| is_there(partition));
    let log_dirs = online.into_iter().copied().collect();
    records.extend(
        change_of(image, id).map(|record| BrokerRegistrationChangeRecord { log_dirs, ..record }.into()),
    );
}

/// Whether a broker leads any partition.
pub(crate) fn has_leaderships(image: &Image, id: BrokerId) -> bool {
    image.topics().any(|topic| topic.partitions.iter().any(|partition| partition.leader == Some(id)))
}

fn change_of(image: &Image, id: BrokerId) -> Option<BrokerRegistrationChangeRecord> {
    let broker = image.broker(id)?;
    let (broker_id, broker_epoch) = (id.0, broker.broker_epoch);
    Some(BrokerRegistrationChangeRecord {
        broker_id,
        broker_epoch,
        ..BrokerRegistrationChangeRecord::default()
    })
}

/// Elects anew where it must be, in all partitions that are concerned; whoever leaves is in sync no more.
fn leave(
    candidates: Candidates<'_>,
    rules: &Rules,
    records: &mut Vec<MetadataRecord>,
    is_concerned: &dyn Fn(&PartitionImage) -> bool,
) {
    for topic in candidates.image.topics() {
        let election = online_election(rules, topic);
        for (index, partition) in topic.partitions.iter().enumerate().filter(|(_, one)| is_concerned(one)) {
            records.extend(
                leave_one(candidates, rules, election, (topic, index), partition).map(MetadataRecord::from),
            );
        }
    }
}

fn leave_one(
    candidates: Candidates<'_>,
    rules: &Rules,
    election: Election,
    (topic, index): (&TopicImage, usize),
    partition: &PartitionImage,
) -> Option<PartitionChangeRecord> {
    let Candidates { leaving, unclean, .. } = candidates;
    let stays = |id: &&BrokerId| Some(**id) != leaving && Some(**id) != unclean;
    let isr: Replicas = partition.isr.iter().filter(stays).copied().collect();
    PartitionChange::of(candidates, rules, topic, index).election(election).isr(isr).build()
}

/// The election that a topic's settings allow where nobody asks for one.
pub(crate) fn online_election(rules: &Rules, topic: &TopicImage) -> Election {
    match rules.may_elect_unclean(topic) {
        true => Election::Unclean,
        false => Election::Online,
    }
}
