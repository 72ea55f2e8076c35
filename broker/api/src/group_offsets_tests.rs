//! Every version of the APIs of committed offsets.
//! Core: what is asked of the coordinator, what is answered, and that it can be written.

use std::task::{Context, Poll, Waker};

use ottla_protocol::Encode;
use ottla_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use ottla_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use ottla_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};

use super::*;

const TOPIC_ID: TopicId = TopicId(uuid::Uuid::from_u128(0xa));

/// One topic, `t`, with two partitions.
struct Topics;

impl TopicLookup for Topics {
    fn topic_id(&self, name: &str) -> Option<TopicId> {
        (name == "t").then_some(TOPIC_ID)
    }

    fn topic_name(&self, id: TopicId) -> Option<TopicName> {
        (id == TOPIC_ID).then(|| TopicName::new("t"))
    }

    fn has_partition(&self, name: &str, partition: i32) -> bool {
        name == "t" && (0..2).contains(&partition)
    }

    fn partition_count(&self, _: TopicId) -> Option<i32> {
        Some(2)
    }

    fn topic_hash(&self, _: &str) -> i64 {
        1
    }
}

fn commit_request(version: i16) -> OffsetCommitRequest {
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: 42,
        committed_leader_epoch: if version >= 6 { 3 } else { -1 },
        committed_metadata: None,
        ..Default::default()
    };
    let topic = |name: &str, id: TopicId, partitions: &[i32]| OffsetCommitRequestTopic {
        name: if version < 10 { text(name) } else { Default::default() },
        topic_id: if version >= 10 { id.0 } else { Default::default() },
        partitions: partitions.iter().map(|index| partition(*index)).collect(),
        ..Default::default()
    };
    OffsetCommitRequest {
        group_id: text("g"),
        generation_id_or_member_epoch: -1,
        topics: vec![
            topic("t", TOPIC_ID, &[0, 9, 1]),
            topic("absent", TopicId(uuid::Uuid::from_u128(0xb)), &[0]),
        ],
        ..Default::default()
    }
}

fn fetch_request(version: i16) -> OffsetFetchRequest {
    let mut request = OffsetFetchRequest { require_stable: version >= 7, ..Default::default() };
    if version < 8 {
        request.group_id = text("g");
        request.topics = Some(vec![OffsetFetchRequestTopic {
            name: text("t"),
            partition_indexes: vec![0, 5],
            ..Default::default()
        }]);
        return request;
    }
    let topics = [("t", TOPIC_ID), ("absent", TopicId(uuid::Uuid::from_u128(0xb)))];
    let topics = topics.map(|(name, id)| OffsetFetchRequestTopics {
        name: if version < 10 { text(name) } else { Default::default() },
        topic_id: if version >= 10 { id.0 } else { Default::default() },
        partition_indexes: vec![0, 5],
        ..Default::default()
    });
    request.groups = vec![
        OffsetFetchRequestGroup { group_id: text("g"), topics: Some(topics.to_vec()), ..Default::default() },
        OffsetFetchRequestGroup { group_id: text("g"), topics: None, ..Default::default() },
    ];
    request
}

fn now<T: Send + 'static>(reply: Reply<T>) -> T {
    match reply.into_future().as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the answer is not there"),
    }
}

fn fails_later() -> Durable {
    Some(Box::pin(async { Err(ErrorCode::NotCoordinator) }))
}

/// The error codes of each topic's partitions.
fn codes(response: &OffsetCommitResponse) -> Vec<Vec<i16>> {
    let of = |topic: &OffsetCommitResponseTopic| topic.partitions.iter().map(|one| one.error_code).collect();
    response.topics.iter().map(of).collect()
}

#[test]
fn every_version_of_offset_commit_has_its_shape() {
    for version in 2..=10 {
        let request = commit_request(version);
        let ask = |committer: &Committer<'_>, offsets: &[OffsetToCommit<'_>]| {
            assert_eq!((committer.group_id, committer.knows_member_epochs), ("g", version >= 9));
            let asked: Vec<_> =
                offsets.iter().map(|one| (one.topic.as_str(), one.partition, one.offset)).collect();
            assert_eq!(asked, [("t", 0, 42), ("t", 1, 42)]);
            assert!(offsets.iter().all(|one| one.topic_id == TOPIC_ID));
            vec![ErrorCode::None, ErrorCode::OffsetMetadataTooLarge]
        };
        let absent = match version {
            10 => ErrorCode::UnknownTopicId.code(),
            _ => ErrorCode::UnknownTopicOrPartition.code(),
        };
        let too_large = ErrorCode::OffsetMetadataTooLarge.code();
        let response = now(commit(version, &request, &Topics, |of, offsets| Ok((ask(of, offsets), None))));
        assert_eq!(codes(&response), [vec![3, 0, too_large], vec![absent]]);
        assert_eq!(response.topics[0].topic_id == TOPIC_ID.0, version >= 10);
        assert!(response.encoded(version).is_ok(), "OffsetCommit v{version}");
        // What was lost on its way to the disk.
        let lost =
            now(commit(version, &request, &Topics, |of, offsets| Ok((ask(of, offsets), fails_later()))));
        assert_eq!(codes(&lost), [vec![3, ErrorCode::NotCoordinator.code(), too_large], vec![absent]]);
        let refused = now(commit(version, &request, &Topics, |_, _| Err(ErrorCode::IllegalGeneration)));
        assert_eq!(codes(&refused), [vec![3, 22, 22], vec![absent]]);
    }
}

#[test]
fn nobody_is_asked_for_what_does_not_exist() {
    let mut request = commit_request(9);
    request.topics.remove(0);
    let response = now(commit(9, &request, &Topics, |_, _| panic!("nothing to commit")));
    assert_eq!(codes(&response), [[ErrorCode::UnknownTopicOrPartition.code()]]);
}

#[test]
fn offsets_in_a_transaction_are_answered_in_their_order() {
    let partitions = |indexes: &[i32]| {
        let one = |index: &i32| TxnOffsetCommitRequestPartition::default().with_partition_index(*index);
        indexes.iter().map(one).collect()
    };
    let topic = |name: &str, indexes: &[i32]| {
        let mut topic = TxnOffsetCommitRequestTopic::default().with_partitions(partitions(indexes));
        topic.name = text(name).into();
        topic
    };
    let topics = vec![topic("absent", &[0]), topic("t", &[1, 9, 0])];
    let request = TxnOffsetCommitRequest::default().with_topics(topics);
    let asked = commit_in_transaction(&request, &Topics, |committer, offsets| {
        assert!(!committer.knows_member_epochs);
        assert_eq!(offsets.iter().map(|one| one.partition).collect::<Vec<_>>(), [1, 0]);
        Ok((vec![ErrorCode::OffsetMetadataTooLarge, ErrorCode::None], None))
    });
    let absent = ErrorCode::UnknownTopicOrPartition;
    let (errors, durable) = asked.expect("an answer for each");
    assert_eq!(errors, [absent, ErrorCode::OffsetMetadataTooLarge, absent, ErrorCode::None]);
    assert!(durable.is_none());
}

/// Offset 42 in partition 0, none elsewhere; of all topics the two of `t`.
fn fetched(wanted: &WantedOffsets<'_>) -> FetchedOffsets {
    let one = |&partition: &i32| FetchedOffset {
        partition,
        offset: if partition == 0 { 42 } else { -1 },
        leader_epoch: -1,
        metadata: String::new(),
        error: ErrorCode::None,
    };
    let of = |name: &TopicName, partitions: &[i32]| (name.clone(), partitions.iter().map(one).collect());
    match &wanted.topics {
        None => vec![of(&TopicName::new("t"), &[0, 1]), of(&TopicName::new("gone"), &[0])],
        Some(topics) => topics.iter().map(|topic| of(&topic.name, topic.partitions)).collect(),
    }
}

#[test]
fn every_version_of_offset_fetch_has_its_shape() {
    for version in 1..=10 {
        let request = fetch_request(version);
        let ask = |wanted: &WantedOffsets<'_>| {
            assert_eq!((wanted.group_id, wanted.require_stable), ("g", version >= 7));
            if let Some([first, ..]) = wanted.topics.as_deref() {
                assert_eq!((first.name.as_str(), first.id), ("t", TOPIC_ID));
            }
            fetched(wanted)
        };
        let response = now(fetch(version, &request, &Topics, |wanted| Ok((ask(wanted), None))));
        assert!(response.encoded(version).is_ok(), "OffsetFetch v{version}");
        if version < 8 {
            let partitions = &response.topics[0].partitions;
            assert_eq!(partitions.iter().map(|one| one.committed_offset).collect::<Vec<_>>(), [42, -1]);
            assert_eq!(partitions[1].metadata.as_deref(), Some(""));
        } else {
            let named = &response.groups[0].topics;
            assert_eq!((named.len(), named[0].partitions[0].committed_offset), (2, 42));
            let absent = if version >= 10 { ErrorCode::UnknownTopicId } else { ErrorCode::None };
            assert_eq!(named[1].partitions[0].error_code, absent.code());
            // A topic that is gone has no id to be named by.
            assert_eq!(response.groups[1].topics.len(), if version >= 10 { 1 } else { 2 });
            assert_eq!(response.groups[1].topics[0].partitions.len(), 2);
        }
        let refused = now(fetch(version, &request, &Topics, |_| Err(ErrorCode::NotCoordinator)));
        let lost = now(fetch(version, &request, &Topics, |wanted| Ok((ask(wanted), fails_later()))));
        for response in [refused, lost] {
            assert!(response.encoded(version).is_ok(), "OffsetFetch v{version} refused");
            match version {
                1 => assert_eq!((response.topics[0].partitions[0].error_code, response.error_code), (16, 0)),
                2..=7 => assert_eq!(response.error_code, 16),
                _ => assert_eq!(response.groups[0].error_code, 16),
            }
        }
    }
}

#[test]
fn deleted_offsets_are_answered_by_topic() {
    let topic = |name: &str, indexes: &[i32]| {
        let one = |index: &i32| OffsetDeleteRequestPartition::default().with_partition_index(*index);
        let mut topic = OffsetDeleteRequestTopic::default();
        topic.partitions = indexes.iter().map(one).collect();
        topic.name = text(name).into();
        topic
    };
    let mut request = OffsetDeleteRequest::default();
    request.topics = vec![topic("t", &[0, 9]), topic("absent", &[0])];
    let unnamed = now(delete(&request, &Topics, |_, _| panic!("no group is named")));
    assert_eq!(unnamed.error_code, ErrorCode::InvalidGroupId.code());
    request.group_id = text("g").into();
    let subscribed = |group_id: &str, wanted: &[OffsetDeletePartitions]| {
        assert_eq!((group_id, wanted.len(), &wanted[0].partitions[..]), ("g", 1, &[0][..]));
        vec![ErrorCode::GroupSubscribedToTopic]
    };
    let response = now(delete(&request, &Topics, |group, wanted| Ok((subscribed(group, wanted), None))));
    let codes: Vec<Vec<(i32, i16)>> = response
        .topics
        .iter()
        .map(|topic| topic.partitions.iter().map(|one| (one.partition_index, one.error_code)).collect())
        .collect();
    let absent = ErrorCode::UnknownTopicOrPartition.code();
    assert_eq!(codes, [vec![(9, absent), (0, ErrorCode::GroupSubscribedToTopic.code())], vec![(0, absent)]]);
    assert!(response.encoded(0).is_ok());
    let lost = now(delete(&request, &Topics, |group, wanted| Ok((subscribed(group, wanted), fails_later()))));
    assert_eq!((lost.error_code, lost.topics.len()), (ErrorCode::NotCoordinator.code(), 0));
}
