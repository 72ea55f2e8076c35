//! How a partition changes: one place for every election, for the in-sync and the eligible leader replicas.
//! Core. Kafka's `PartitionChangeBuilder`, with the rules of KIP-966 where eligible leader replicas are on.
//!
//! Invariants of what comes out:
//! - I1. Whoever is made leader may lead (`Candidates::may_lead`), in every kind of election.
//! - I2. No replica is both in sync and eligible.
//! - I3. A new leader is in sync.
//! - I4. Who is in sync or eligible has a replica, also when a reassignment takes replicas away.

use ottla_model::{BrokerId, TopicId};
use ottla_protocol::records::metadata::PartitionChangeRecord;
use uuid::Uuid;

use crate::controller::Rules;
use crate::image::{Image, PartitionImage, Replicas, TopicImage};
use crate::replay::NO_LEADER_CHANGE;

/// Kafka's `DirectoryId.LOST`: the replica's log directory is gone.
const DIRECTORY_LOST: Uuid = Uuid::from_u128(1);
/// Ids below this one name no directory (`DirectoryId.reserved`).
const DIRECTORIES_RESERVED: u128 = 100;
/// The first metadata.version (3.6-IV0) at which a smaller ISR needs no new leader epoch.
const NO_EPOCH_FOR_SMALLER_ISR: i16 = 12;
/// The first metadata.version (3.7-IV2) with directories of replicas.
const DIRECTORY_ASSIGNMENT: i16 = 17;

/// Whether replicas have directories in the facts (`MetadataVersion.isDirectoryAssignmentSupported`).
pub(crate) fn has_directories(image: &Image) -> bool {
    image.feature_level(super::features::METADATA_VERSION) >= DIRECTORY_ASSIGNMENT
}

pub(crate) fn is_reserved_directory(id: Uuid) -> bool {
    id.as_u128() < DIRECTORIES_RESERVED
}

/// Whether eligible leader replicas are kept (KIP-966).
pub(crate) fn has_eligible_replicas(image: &Image) -> bool {
    image.feature_level(super::features::ELIGIBLE_LEADER_REPLICAS) >= 1
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Election {
    /// The first replica, if it can.
    Preferred,
    /// Whoever has all that was acknowledged.
    Online,
    /// The same, or at last any replica that lives: what was acknowledged may be lost.
    Unclean,
}

/// Which brokers may lead while the facts are about to change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidates<'a> {
    pub image: &'a Image,
    /// Fenced, stopped or unregistered by the change.
    pub leaving: Option<BrokerId>,
    /// Unfenced by the change.
    pub coming: Option<BrokerId>,
    /// Came back without having stopped cleanly.
    pub unclean: Option<BrokerId>,
}

impl<'a> Candidates<'a> {
    pub fn of(image: &'a Image) -> Candidates<'a> {
        Candidates { image, leaving: None, coming: None, unclean: None }
    }

    /// The one predicate for every kind of election (KAFKA-19522): neither fenced nor stopping, and the log
    /// directory of its replica is there.
    pub fn may_lead(&self, partition: &PartitionImage, id: BrokerId) -> bool {
        let is_leaving = self.leaving == Some(id) || self.unclean == Some(id);
        let is_active = self.coming == Some(id) || self.image.is_active(id);
        !is_leaving && is_active && has_directory(self.image, partition, id)
    }
}

/// Whether the log directory of a replica is there, as far as it is known (`DirectoryId.isOnline`).
pub fn has_directory(image: &Image, partition: &PartitionImage, id: BrokerId) -> bool {
    let Some(index) = partition.replicas.iter().position(|replica| *replica == id) else { return false };
    let Some(broker) = image.broker(id) else { return false };
    // A log from before 3.7 knows no directories.
    let Some(directory) = partition.directories.get(index).copied() else { return true };
    directory != DIRECTORY_LOST
        && (is_reserved_directory(directory)
            || broker.log_dirs.is_empty()
            || broker.log_dirs.contains(&directory))
}

/// A change that is being decided. What is not set stays.
pub(crate) struct PartitionChange<'a> {
    candidates: Candidates<'a>,
    topic_id: TopicId,
    index: usize,
    partition: &'a PartitionImage,
    min_isr: usize,
    has_elr: bool,
    election: Election,
    isr: Replicas,
    replicas: Replicas,
    adding: Vec<BrokerId>,
    removing: Vec<BrokerId>,
    elr: Vec<BrokerId>,
    recovering: bool,
    /// Where a replica is from now on.
    assigned: Option<(BrokerId, Uuid)>,
}

impl<'a> PartitionChange<'a> {
    /// `index` is that of a partition of `topic`.
    pub fn of(
        candidates: Candidates<'a>,
        rules: &Rules,
        topic: &'a TopicImage,
        index: usize,
    ) -> PartitionChange<'a> {
        let partition = &topic.partitions[index];
        PartitionChange {
            topic_id: topic.id,
            index,
            min_isr: rules.min_isr(topic),
            has_elr: has_eligible_replicas(candidates.image),
            election: Election::Online,
            isr: partition.isr.clone(),
            replicas: partition.replicas.clone(),
            adding: partition.adding_replicas().to_vec(),
            removing: partition.removing_replicas().to_vec(),
            elr: partition.elr().to_vec(),
            recovering: partition.recovering,
            assigned: None,
            candidates,
            partition,
        }
    }

    pub fn election(self, election: Election) -> PartitionChange<'a> {
        PartitionChange { election, ..self }
    }

    pub fn isr(self, isr: Replicas) -> PartitionChange<'a> {
        PartitionChange { isr, ..self }
    }

    pub fn recovering(self, recovering: bool) -> PartitionChange<'a> {
        PartitionChange { recovering, ..self }
    }

    /// The directory that a replica is in.
    pub fn directory(self, id: BrokerId, directory: Uuid) -> PartitionChange<'a> {
        PartitionChange { assigned: Some((id, directory)), ..self }
    }

    /// Where the partition is to be: all that have a replica meanwhile, and which of them come and go.
    pub fn replicas(
        self,
        replicas: Replicas,
        adding: Vec<BrokerId>,
        removing: Vec<BrokerId>,
    ) -> PartitionChange<'a> {
        PartitionChange { replicas, adding, removing, ..self }
    }

    /// The record of the change; `None` when nothing changes.
    pub fn build(mut self) -> Option<PartitionChangeRecord> {
        let mut record = PartitionChangeRecord {
            topic_id: self.topic_id.0,
            partition_id: self.index as i32,
            ..PartitionChangeRecord::default()
        };
        self.complete_reassignment();
        self.decide_eligible();
        self.decide_leader(&mut record);
        self.raise_epoch_for_replicas(&mut record);
        // An unclean election has named its ISR; then nobody is eligible.
        if record.isr.is_some() || !self.has_elr {
            self.elr.clear();
        }
        if self.elr != self.partition.elr() {
            record.eligible_leader_replicas = Some(ids(&self.elr));
        }
        // Without eligible replicas the last member of an ISR stays in it, so that somebody can be elected.
        let is_kept = self.isr.is_empty() && !self.has_elr;
        if record.isr.is_none() && !is_kept && self.isr != self.partition.isr {
            record.isr = Some(ids(&self.isr));
        }
        self.raise_epoch_for_isr(&mut record);
        self.decide_last_known_leader(&mut record);
        self.decide_assignment(&mut record);
        if self.recovering != self.partition.recovering {
            record.leader_recovery_state = i8::from(self.recovering);
        }
        self.check(&record);
        let nothing = PartitionChangeRecord {
            topic_id: record.topic_id,
            partition_id: record.partition_id,
            ..Default::default()
        };
        (record != nothing).then_some(record)
    }

    /// `PartitionReassignmentReplicas.maybeCompleteReassignment`.
    fn complete_reassignment(&mut self) {
        if self.adding.is_empty() && self.removing.is_empty() {
            return;
        }
        let stays = |id: &&BrokerId| !self.removing.contains(*id);
        let isr: Replicas = self.isr.iter().filter(stays).copied().collect();
        let replicas: Replicas = self.replicas.iter().filter(stays).copied().collect();
        let is_done = !isr.is_empty()
            && !replicas.is_empty()
            && self.adding.iter().all(|id| isr.contains(id))
            && (self.adding.len() >= self.removing.len() || replicas.iter().all(|id| isr.contains(id)));
        if is_done {
            (self.isr, self.replicas) = (isr, replicas);
            self.adding.clear();
            self.removing.clear();
        }
    }

    /// Who leaves an ISR that is too small stays eligible, unless its log may have lost its end.
    fn decide_eligible(&mut self) {
        if !self.has_elr {
            return;
        }
        if self.isr.len() >= self.min_isr {
            self.elr.clear();
            return;
        }
        self.elr.extend(self.partition.isr.iter().copied());
        let unclean = self.candidates.unclean;
        let stays = |id: &BrokerId| self.replicas.contains(id) && Some(*id) != unclean;
        self.elr.retain(|id| stays(id) && !self.isr.contains(id));
        self.elr.sort_unstable();
        self.elr.dedup();
    }

    /// Has all that was acknowledged, and may lead.
    fn is_valid(&self, id: BrokerId) -> bool {
        let is_complete = self.isr.contains(&id) || (self.isr.is_empty() && self.elr.contains(&id));
        is_complete && self.candidates.may_lead(self.partition, id)
    }

    /// The leader, and whether it may lack what was acknowledged.
    fn elect(&self) -> Option<(BrokerId, bool)> {
        let is_valid = |id: &BrokerId| self.is_valid(*id);
        let current = self.partition.leader.filter(is_valid);
        let first = self.replicas.first().copied().filter(is_valid);
        let clean = match self.election {
            Election::Preferred => first.or(current),
            Election::Online | Election::Unclean => current,
        };
        if let Some(id) = clean.or_else(|| self.replicas.iter().copied().find(is_valid)) {
            return Some((id, false));
        }
        if let Some(id) = self.last_known_leader() {
            return Some((id, true));
        }
        let lives = |id: &BrokerId| self.candidates.may_lead(self.partition, *id);
        let any = self.replicas.iter().copied().find(lives).filter(|_| self.election == Election::Unclean);
        any.map(|id| (id, true))
    }

    /// Nobody is in sync and nobody is eligible: the leader of last resort is the one that led last.
    fn last_known_leader(&self) -> Option<BrokerId> {
        if !self.has_elr || !self.elr.is_empty() || !self.isr.is_empty() {
            return None;
        }
        let [last] = self.partition.last_known_elr() else { return None };
        let may_lead = self.replicas.contains(last) && self.candidates.may_lead(self.partition, *last);
        may_lead.then_some(*last)
    }

    fn decide_leader(&mut self, record: &mut PartitionChangeRecord) {
        let elected = self.elect();
        let leader = elected.map(|(id, _)| id);
        if leader == self.partition.leader {
            return;
        }
        record.leader = leader.map_or(-1, |id| id.0);
        let Some((id, is_unclean)) = elected else { return };
        if self.elr.contains(&id) {
            self.isr = Replicas::from_slice(&[id]);
            self.elr.retain(|other| *other != id);
        }
        if is_unclean {
            record.isr = Some(vec![id.0]);
            if !self.partition.recovering {
                record.leader_recovery_state = 1;
            }
        }
    }

    /// A replica that goes must not go on as a follower of the same leader epoch.
    fn raise_epoch_for_replicas(&self, record: &mut PartitionChangeRecord) {
        let goes = self.partition.replicas.iter().any(|id| !self.replicas.contains(id));
        if record.leader == NO_LEADER_CHANGE && goes {
            record.leader = self.partition.leader.map_or(-1, |id| id.0);
        }
    }

    /// Before 3.6 a smaller ISR raised the leader epoch (KAFKA-15021).
    fn raise_epoch_for_isr(&self, record: &mut PartitionChangeRecord) {
        let level = self.candidates.image.feature_level(super::features::METADATA_VERSION);
        let Some(isr) = &record.isr else { return };
        let shrinks = self.partition.isr.iter().any(|id| !isr.contains(&id.0));
        if level < NO_EPOCH_FOR_SMALLER_ISR && record.leader == NO_LEADER_CHANGE && shrinks {
            record.leader = self.partition.leader.map_or(-1, |id| id.0);
        }
    }

    fn decide_last_known_leader(&self, record: &mut PartitionChangeRecord) {
        let is_empty = self.partition.last_known_elr().is_empty();
        match record.leader {
            _ if !self.has_elr => {}
            -1 if is_empty => {
                // The one that stops leading by this change.
                record.last_known_elr = self.partition.leader.map(|id| vec![id.0]);
            }
            0.. if !is_empty => record.last_known_elr = Some(Vec::new()),
            _ => {}
        }
    }

    fn decide_assignment(&self, record: &mut PartitionChangeRecord) {
        let image = self.candidates.image;
        let are_others = self.replicas != self.partition.replicas;
        if are_others {
            record.replicas = Some(ids(&self.replicas));
        }
        if has_directories(image) && (are_others || self.assigned.is_some()) {
            let directory = |id: &BrokerId| {
                let known = self.partition.replicas.iter().position(|replica| replica == id);
                let known = known.and_then(|index| self.partition.directories.get(index).copied());
                let assigned = self.assigned.filter(|(assigned, _)| assigned == id);
                assigned
                    .map(|(_, directory)| directory)
                    .or(known)
                    .unwrap_or_else(|| super::placement::default_directory(image, *id))
            };
            let directories: Vec<Uuid> = self.replicas.iter().map(directory).collect();
            if are_others || directories != self.partition.directories.as_slice() {
                record.directories = Some(directories);
            }
        }
        if self.removing != self.partition.removing_replicas() {
            record.removing_replicas = Some(ids(&self.removing));
        }
        if self.adding != self.partition.adding_replicas() {
            record.adding_replicas = Some(ids(&self.adding));
        }
    }

    /// The invariants above, of the partition as it will be.
    fn check(&self, record: &PartitionChangeRecord) {
        let isr = record.isr.clone().unwrap_or_else(|| ids(&self.partition.isr));
        let elr = record.eligible_leader_replicas.clone().unwrap_or_else(|| ids(self.partition.elr()));
        assert!(!elr.iter().any(|id| isr.contains(id)), "no replica is both in sync and eligible");
        let is_replica = |id: &i32| self.replicas.contains(&BrokerId(*id));
        assert!(elr.iter().all(is_replica), "whoever is eligible has a replica");
        assert!(isr.iter().all(is_replica), "whoever is in sync has a replica");
        if record.leader >= 0 && Some(BrokerId(record.leader)) != self.partition.leader {
            let leader = BrokerId(record.leader);
            assert!(self.candidates.may_lead(self.partition, leader), "whoever is elected may lead");
            assert!(isr.contains(&leader.0), "a new leader is in sync");
        }
    }
}

fn ids(replicas: &[BrokerId]) -> Vec<i32> {
    replicas.iter().map(|id| id.0).collect()
}
