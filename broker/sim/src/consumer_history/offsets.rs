//! What members of both protocols do alike: they fetch committed offsets of what they get, and commit later ones.
//! Shell in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_model::ErrorCode;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use ottla_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
};

use super::GROUP;
use super::book::{Book, Place};
use crate::rooms::wire;
use crate::wire::Client;

const COMMIT_VERSION: i16 = 9;
const FETCH_VERSION: i16 = 9;

/// Where a member is in the partitions that it has.
pub struct Positions {
    pub client: Client,
    pub book: Arc<Book>,
    /// The next offset to commit is behind it.
    at: BTreeMap<Place, i64>,
}

/// As whom a member commits.
pub struct Identity<'a> {
    pub member_id: &'a str,
    pub epoch: i32,
    /// The epoch goes with fetches too.
    pub is_modern: bool,
}

impl Positions {
    pub fn new(client: Client, book: Arc<Book>) -> Positions {
        Positions { client, book, at: BTreeMap::new() }
    }

    pub fn keep_only(&mut self, owned: &BTreeSet<Place>) {
        self.at.retain(|place, _| owned.contains(place));
    }

    pub async fn work(&mut self, identity: &Identity<'_>, owned: &BTreeSet<Place>) {
        self.keep_only(owned);
        if let Some(place) = owned.iter().find(|place| !self.at.contains_key(place)).copied() {
            self.fetch(identity, place).await;
        }
        let rng = self.client.wire.rng.clone();
        let known: Vec<Place> = self.at.keys().copied().collect();
        if !known.is_empty() {
            let place = known[rng.below(known.len() as u64) as usize];
            self.commit(identity, place).await;
        }
    }

    async fn fetch(&mut self, identity: &Identity<'_>, place: Place) {
        let Some(name) = self.book.name(place.0) else { return };
        let floor = self.book.floor(place);
        let topic = OffsetFetchRequestTopics {
            name: wire(&name),
            partition_indexes: vec![place.1],
            ..Default::default()
        };
        let group = OffsetFetchRequestGroup {
            group_id: wire(GROUP),
            topics: Some(vec![topic]),
            member_id: identity.is_modern.then(|| wire(identity.member_id)),
            member_epoch: if identity.is_modern { identity.epoch } else { -1 },
            ..Default::default()
        };
        let request = OffsetFetchRequest { groups: vec![group], require_stable: true, ..Default::default() };
        let answer = self.client.call(ApiKey::OffsetFetch, FETCH_VERSION, &request).await;
        let Ok::<OffsetFetchResponse, _>(answer) = answer else { return };
        let group = &answer.groups[0];
        if !is_fine(group.error_code) {
            return;
        }
        let partition = &group.topics[0].partitions[0];
        // A topic of that name may have come anew meanwhile.
        if is_fine(partition.error_code) && self.book.name(place.0).is_some() {
            let found = partition.committed_offset.max(0);
            assert!(found >= floor, "{name}-{} was committed to {floor}, and {found} is found", place.1);
            self.at.insert(place, found);
        }
    }

    async fn commit(&mut self, identity: &Identity<'_>, place: Place) {
        let Some(name) = self.book.name(place.0) else { return };
        let Some(at) = self.at.get(&place).copied() else { return };
        let partition = OffsetCommitRequestPartition {
            partition_index: place.1,
            committed_offset: at + 1,
            ..Default::default()
        };
        let topic =
            OffsetCommitRequestTopic { name: wire(&name), partitions: vec![partition], ..Default::default() };
        let request = OffsetCommitRequest {
            group_id: wire(GROUP),
            member_id: wire(identity.member_id),
            generation_id_or_member_epoch: identity.epoch,
            topics: vec![topic],
            ..Default::default()
        };
        // Whatever comes of it, nobody commits this offset again.
        self.at.insert(place, at + 1);
        let answer = self.client.call(ApiKey::OffsetCommit, COMMIT_VERSION, &request).await;
        let Ok::<OffsetCommitResponse, _>(answer) = answer else { return };
        if is_fine(answer.topics[0].partitions[0].error_code) && self.book.name(place.0).is_some() {
            self.book.committed(place, at + 1);
        }
    }
}

fn is_fine(error: i16) -> bool {
    match ErrorCode::from_code(error).expect("a known error") {
        ErrorCode::None => true,
        ErrorCode::StaleMemberEpoch
        | ErrorCode::UnknownMemberId
        | ErrorCode::IllegalGeneration
        | ErrorCode::RebalanceInProgress
        | ErrorCode::UnknownTopicOrPartition
        | ErrorCode::GroupIdNotFound
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::NotCoordinator
        | ErrorCode::KafkaStorageError
        | ErrorCode::UnstableOffsetCommit
        | ErrorCode::UnknownServerError => false,
        other => panic!("no answer to a commit or a fetch of offsets: {other:?}"),
    }
}
