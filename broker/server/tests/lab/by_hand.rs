//! Groups, transactions and producers by hand, and what their clients then meet.
//! Shell.

use bytes::{BufMut, Bytes, BytesMut};
use ottla_model::{ProducerEpoch, ProducerId, Sequence};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    AddPartitionsToTxnRequest, ConsumerGroupHeartbeatRequest, EndTxnRequest, GroupId, HeartbeatRequest,
    InitProducerIdRequest, JoinGroupRequest, ProduceRequest, ProducerId as WireProducerId, SyncGroupRequest,
    TopicName, TransactionalId, add_partitions_to_txn_request,
};
use ottla_records::BatchBuilder;
use serde_json::{Value as Json, json};

use crate::client::{Client, PRODUCE_VERSION, http, topics, with_lab};

const UNKNOWN_MEMBER_ID: i16 = 25;
const REBALANCE_IN_PROGRESS: i16 = 27;
const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const PRODUCER_FENCED: i16 = 90;
pub const ID: &str = "tx";

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group() -> GroupId {
    GroupId(text("g"))
}

pub fn coordinators(at: &str) {
    // Committing once makes the topic of offsets; a transaction that hangs makes that of transactions.
    topics(at, &["a", "spare"]);
    let commit = json!([{ "topic": "spare", "partition": 0, "offset": 0 }]);
    assert_eq!(http(at, "PUT", "/groups/first/offsets", Some(commit)).0, 200);
    assert_eq!(http(at, "POST", "/transactions/first/hang", Some(json!({ "topic": "spare" }))).0, 200);
}

/// The member and the generation of a classic group of one.
fn join(client: &mut Client, member: &StrBytes) -> (StrBytes, i32) {
    join_with(client, member, Bytes::new())
}

fn join_with(client: &mut Client, member: &StrBytes, assignment: Bytes) -> (StrBytes, i32) {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
    let join = JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(30_000)
        .with_member_id(member.clone())
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    let joined = client.ask(3, &join).expect("an answer");
    assert_eq!(joined.error_code, 0);
    let assignment = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(assignment);
    let sync = SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_assignments(vec![assignment]);
    assert_eq!(client.ask(3, &sync).expect("an answer").error_code, 0);
    (joined.member_id, joined.generation_id)
}

fn beat(client: &mut Client, member: &StrBytes, generation: i32) -> i16 {
    let beat = HeartbeatRequest::default()
        .with_group_id(group())
        .with_generation_id(generation)
        .with_member_id(member.clone());
    client.ask(3, &beat).expect("an answer").error_code
}

#[test]
fn a_group_is_told_to_rebalance_and_a_member_expires() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        coordinators(at);
        let mut client = Client::connect(created);
        let (member, generation) = join(&mut client, &StrBytes::default());
        assert_eq!(beat(&mut client, &member, generation), 0);
        let bad = http(at, "POST", "/groups/g/rebalance", Some(json!({ "why": "so" })));
        assert_eq!((bad.0, &bad.1["error"]["field"]), (400, &json!("why")));
        assert_eq!(http(at, "POST", "/groups/none/rebalance", None).0, 404);
        assert_eq!(beat(&mut client, &member, generation), 0, "nothing was half applied");

        let (status, told) = http(at, "POST", "/groups/g/rebalance", Some(json!({ "reason": "test" })));
        assert_eq!((status, &told["state"]), (200, &json!("PreparingRebalance")), "{told}");
        assert_eq!(beat(&mut client, &member, generation), REBALANCE_IN_PROGRESS);
        let (same, next) = join(&mut client, &member);
        assert_eq!((&same, next), (&member, generation + 1));
        assert_eq!(http(at, "GET", "/groups/g", None).1["members"].as_array().map(Vec::len), Some(1));

        assert_eq!(http(at, "POST", "/groups/g/members/nobody/expire", None).0, 404);
        assert_eq!(beat(&mut client, &member, next), 0);
        let path = format!("/groups/g/members/{member}/expire");
        assert_eq!(http(at, "POST", &path, None).0, 200);
        assert_eq!(beat(&mut client, &member, next), UNKNOWN_MEMBER_ID);
        assert_eq!(http(at, "POST", &path, None).0, 404);
    });
}

#[test]
fn whose_timers_ended_is_told_when_the_clock_is_moved() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        coordinators(at);
        assert_eq!(http(at, "PUT", "/clock", Some(json!({ "mode": "frozen" }))).0, 200);
        let mut client = Client::connect(created);
        let (member, generation) = join(&mut client, &StrBytes::default());
        let advance =
            |by: &str| http(at, "POST", "/clock/advance", Some(json!({ "by": by, "what": ["timers"] })));
        let (_, short) = advance("1ms");
        assert_eq!(short["fired_by_task"]["coordinator timers"], Json::Null, "{short}");
        assert_eq!(beat(&mut client, &member, generation), 0);
        let (status, moved) = advance("31s");
        assert_eq!(status, 200);
        let by_task = moved["fired_by_task"].as_object().expect("an object");
        assert!(by_task["coordinator timers"].as_u64() >= Some(1), "{moved}");
        assert_eq!(Some(by_task.values().filter_map(Json::as_u64).sum()), moved["fired"].as_u64());
        assert_eq!(beat(&mut client, &member, generation), UNKNOWN_MEMBER_ID);
    });
}

#[test]
fn a_group_of_the_newer_protocol_gets_a_new_epoch_and_loses_a_member() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        coordinators(at);
        let mut client = Client::connect(created);
        let mut beat = |epoch: i32, member: &str| {
            let mut beat = ConsumerGroupHeartbeatRequest::default()
                .with_group_id(group())
                .with_member_id(text(member))
                .with_member_epoch(epoch);
            if epoch == 0 {
                beat = beat
                    .with_rebalance_timeout_ms(30_000)
                    .with_subscribed_topic_names(Some(vec![TopicName(text("a"))]))
                    .with_topic_partitions(Some(Vec::new()));
            }
            client.ask(0, &beat).expect("an answer")
        };
        let joined = beat(0, "");
        assert_eq!(joined.error_code, 0);
        let member = joined.member_id.expect("an id").to_string();
        assert_eq!(http(at, "POST", "/groups/g/rebalance", None).0, 200);
        // It is taken to the new epoch by one of its next heartbeats, when its assignment is computed.
        let told = loop {
            let told = beat(joined.member_epoch, &member);
            assert_eq!(told.error_code, 0);
            if told.member_epoch != joined.member_epoch {
                break told;
            }
        };
        assert_eq!(told.member_epoch, joined.member_epoch + 2);
        assert_eq!(http(at, "POST", &format!("/groups/g/members/{member}/expire"), None).0, 200);
        assert_eq!(beat(told.member_epoch, &member).error_code, UNKNOWN_MEMBER_ID);
    });
}

#[test]
fn offsets_of_a_group_are_set_and_deleted_and_those_of_one_with_members_are_not() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        coordinators(at);
        let put = |list: Json| http(at, "PUT", "/groups/g/offsets", Some(list));
        for (list, field) in [
            (
                json!([{ "topic": "a", "partition": 0, "offset": 3 }, { "topic": "b", "partition": 0, "offset": 1 }]),
                "offsets[1].topic",
            ),
            (json!([{ "topic": "a", "partition": 2, "offset": 3 }]), "offsets[0].partition"),
            (json!([{ "topic": "a", "partition": 0, "offset": -1 }]), "offsets[0].offset"),
            (json!([{ "topic": "a", "part": 0, "offset": 1 }]), "offsets[0].part"),
            (json!({ "offset": [] }), "offsets"),
        ] {
            let (status, bad) = put(list);
            assert_eq!((status, &bad["error"]["field"]), (400, &json!(field)), "{bad}");
        }
        assert_eq!(http(at, "GET", "/groups/g", None).1["offsets"], json!([]));
        let two = json!([
            { "topic": "a", "partition": 0, "offset": 3 },
            { "topic": "spare", "partition": 1, "offset": 4 }
        ]);
        let (status, told) = put(two.clone());
        assert_eq!((status, told["offsets"].as_array().map(Vec::len)), (200, Some(2)), "{told}");
        let delete = |body: Json| http(at, "DELETE", "/groups/g/offsets", Some(body));
        let (status, bad) = delete(json!({ "topics": ["a", "none"] }));
        assert_eq!((status, &bad["error"]["field"]), (400, &json!("topics[1]")));
        let (status, told) = delete(json!({ "topics": ["spare"] }));
        assert_eq!(
            (status, &told["offsets"][0]["offset"], &told["offsets"][1]),
            (200, &json!(3), &Json::Null)
        );

        let mut client = Client::connect(created);
        let (member, generation) = join(&mut client, &StrBytes::default());
        assert_eq!((put(two).0, delete(json!({})).0), (409, 409));
        assert_eq!(http(at, "GET", "/groups/g", None).1["offsets"][0]["offset"], 3);
        assert_eq!(beat(&mut client, &member, generation), 0);
    });
}

/// Version 0, one topic, no user data.
fn assignment(topic: &str, partitions: &[i32]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    bytes.put_i16(topic.len() as i16);
    bytes.put_slice(topic.as_bytes());
    bytes.put_i32(partitions.len() as i32);
    partitions.iter().for_each(|partition| bytes.put_i32(*partition));
    bytes.put_i32(-1);
    bytes.freeze()
}

#[test]
fn a_partition_that_a_member_has_and_nobody_committed_is_behind() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        coordinators(at);
        let records = json!([{ "value": "x", "partition": 0 }, { "value": "y", "partition": 1 }]);
        assert_eq!(http(at, "POST", "/topics/spare/records", Some(records)).0, 201);
        let two = json!([{ "topic": "spare", "partition": 0, "offset": 2 }]);
        assert_eq!(http(at, "PUT", "/groups/g/offsets", Some(two)).0, 200);
        assert_eq!(http(at, "GET", "/groups/g", None).1["lag"], 0, "nobody is to read the other");
        let mut client = Client::connect(created);
        join_with(&mut client, &StrBytes::default(), assignment("spare", &[0, 1]));
        let told = http(at, "GET", "/groups/g", None).1;
        let uncommitted = json!([{ "topic": "spare", "partition": 1, "end": 1, "lag": 1 }]);
        assert_eq!((&told["lag"], &told["uncommitted"]), (&json!(1), &uncommitted), "{told}");
        let (status, late) = http(at, "GET", "/groups/g?lag=0&timeout=1ms", None);
        assert_eq!((status, &late["last"]["lag"]), (408, &json!(1)), "{late}");
    });
}

/// The producer's id and epoch, with a transaction open in partition 0 of a topic.
pub fn begin(client: &mut Client, topic: &str) -> (i64, i16) {
    let begin = InitProducerIdRequest {
        transactional_id: Some(text(ID)),
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    let begun = client.ask(3, &begin).expect("an answer");
    assert_eq!(begun.error_code, 0);
    let (id, epoch) = (begun.producer_id, begun.producer_epoch);
    let added = add_partitions_to_txn_request::AddPartitionsToTxnTopic::default()
        .with_name(TopicName(text(topic)))
        .with_partitions(vec![0]);
    let add = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(TransactionalId(text(ID)))
        .with_v3_and_below_producer_id(WireProducerId(id))
        .with_v3_and_below_producer_epoch(epoch)
        .with_v3_and_below_topics(vec![added]);
    let answer = client.ask(3, &add).expect("an answer");
    assert_eq!(answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code, 0);
    assert_eq!(write(client, topic, Some(ID), (id, epoch), 0), 0);
    (id, epoch)
}

/// The error of one record with a producer's sequence.
pub fn write(client: &mut Client, topic: &str, id: Option<&str>, producer: (i64, i16), sequence: i32) -> i16 {
    let mut batch =
        BatchBuilder::new().producer(ProducerId(producer.0), ProducerEpoch(producer.1), Sequence(sequence));
    if id.is_some() {
        batch = batch.transactional();
    }
    batch.append(1_700_000_000_000, None, Some(b"x"), &[]);
    let partition = PartitionProduceData::default().with_records(Some(batch.build()));
    let data =
        TopicProduceData::default().with_name(TopicName(text(topic))).with_partition_data(vec![partition]);
    let request = ProduceRequest::default()
        .with_transactional_id(id.map(|id| TransactionalId(text(id))))
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![data]);
    let answer = client.ask(PRODUCE_VERSION, &request).expect("an answer");
    answer.responses[0].partition_responses[0].error_code
}

pub fn commit(client: &mut Client, (id, epoch): (i64, i16)) -> i16 {
    let end = EndTxnRequest::default()
        .with_transactional_id(TransactionalId(text(ID)))
        .with_producer_id(WireProducerId(id))
        .with_producer_epoch(epoch)
        .with_committed(true);
    client.ask(3, &end).expect("an answer").error_code
}

#[test]
fn a_transaction_is_fenced_aborted_or_expires_and_its_producer_hears_of_it() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        coordinators(at);
        let mut client = Client::connect(created);
        assert_eq!(http(at, "POST", "/transactions/tx/fence", None).0, 404);
        for act in ["fence", "abort", "expire"] {
            let producer = begin(&mut client, "a");
            let (_, open) = http(at, "GET", "/transactions/tx", None);
            assert_eq!((&open["state"], &open["partitions"][0]["topic"]), (&json!("Ongoing"), &json!("a")));
            let path = format!("/transactions/tx/{act}");
            let bad = http(at, "POST", &path, Some(json!({ "now": true })));
            assert_eq!((bad.0, &bad.1["error"]["field"]), (400, &json!("now")));
            assert_eq!(http(at, "GET", "/transactions/tx", None).1["state"], "Ongoing");
            let (status, told) = http(at, "POST", &path, None);
            // A producer that begins anew leaves nothing to end; the others have ended.
            let state = if act == "fence" { "Empty" } else { "CompleteAbort" };
            assert_eq!((status, &told["state"]), (200, &json!(state)), "{told}");
            assert!(told["producer_epoch"].as_i64() > Some(producer.1.into()), "{told}");
            assert_eq!(commit(&mut client, producer), PRODUCER_FENCED, "{act}");
            assert_eq!(write(&mut client, "a", Some(ID), producer, 1), INVALID_PRODUCER_EPOCH, "{act}");
        }
        for act in ["abort", "expire"] {
            assert_eq!(http(at, "POST", &format!("/transactions/tx/{act}"), None).0, 409, "none is open");
        }
        assert_eq!(http(at, "POST", "/transactions/tx/end", None).0, 404);
        let (_, all) = http(at, "GET", "/transactions", None);
        let ids: Vec<&Json> = all["transactions"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| &one["transactional_id"])
            .collect();
        assert_eq!(ids, ["first", "tx"]);
    });
}

#[test]
fn a_producer_that_expired_goes_on_with_its_id_and_one_that_was_fenced_does_not() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        coordinators(at);
        let mut client = Client::connect(created);
        let again = |client: &mut Client, (producer_id, producer_epoch): (i64, i16)| {
            let begin = InitProducerIdRequest {
                transactional_id: Some(text(ID)),
                transaction_timeout_ms: 60_000,
                producer_id,
                producer_epoch,
                ..Default::default()
            };
            client.ask(4, &begin).expect("an answer").error_code
        };
        let producer = begin(&mut client, "a");
        assert_eq!(http(at, "POST", "/transactions/tx/expire", None).0, 200);
        assert_eq!(again(&mut client, producer), 0);
        let producer = begin(&mut client, "a");
        assert_eq!(http(at, "POST", "/transactions/tx/fence", None).0, 200);
        assert_eq!(again(&mut client, producer), PRODUCER_FENCED);
    });
}

#[test]
fn a_transaction_hangs_until_a_marker_comes() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        coordinators(at);
        for (body, field) in [
            (json!({ "topic": "none" }), "topic"),
            (json!({ "topic": "a", "partition": 2 }), "partition"),
            (json!({ "topic": "a", "value": 1 }), "value"),
        ] {
            let (status, bad) = http(at, "POST", "/transactions/tx/hang", Some(body));
            assert_eq!((status, &bad["error"]["field"]), (400, &json!(field)), "{bad}");
        }
        assert_eq!(http(at, "GET", "/transactions/tx", None).0, 404, "nothing was half applied");
        let (status, told) =
            http(at, "POST", "/transactions/tx/hang", Some(json!({ "topic": "a", "value": "late" })));
        assert_eq!((status, &told["offset"]), (200, &json!(0)), "{told}");
        // The coordinator knows of no transaction, and the partition of one.
        assert_eq!(http(at, "GET", "/transactions/tx", None).1["state"], "Empty");
        let (_, known) = http(at, "GET", "/producers?topic=a", None);
        assert_eq!(known["producers"][0]["transaction_began_at"], 0, "{known}");
        let id = told["producer_id"].as_i64().expect("an id");
        assert_eq!(http(at, "POST", &format!("/producers/{id}/forget"), None).0, 409);
        assert_eq!(http(at, "POST", "/transactions/tx/abort", None).0, 409);
    });
}

#[test]
fn a_producer_that_is_forgotten_may_repeat_itself() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        topics(at, &["a"]);
        let mut client = Client::connect(created);
        let begin = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        };
        let begun = client.ask(3, &begin).expect("an answer");
        assert_eq!(begun.error_code, 0);
        let producer = (begun.producer_id, begun.producer_epoch);
        for (sequence, error) in [(0, 0), (1, 0), (1, 0), (7, OUT_OF_ORDER_SEQUENCE_NUMBER)] {
            assert_eq!(write(&mut client, "a", None, producer, sequence), error);
        }
        assert_eq!(crate::client::count(at, "a"), 2, "what was sent twice is there once");
        let forget = |body: Json| http(at, "POST", &format!("/producers/{}/forget", producer.0), Some(body));
        for (body, field) in [
            (json!({ "topic": "none" }), "topic"),
            (json!({ "topic": "a", "partition": 9 }), "partition"),
            (json!({ "partition": 0 }), "partition"),
            (json!({ "all": true }), "all"),
        ] {
            let (status, bad) = forget(body);
            assert_eq!((status, &bad["error"]["field"]), (400, &json!(field)), "{bad}");
        }
        assert_eq!(forget(json!({ "topic": "a", "partition": 1 })).0, 404);
        assert_eq!(write(&mut client, "a", None, producer, 1), 0);
        assert_eq!(crate::client::count(at, "a"), 2, "nothing was half applied");
        let (status, told) = forget(json!({}));
        assert_eq!((status, &told["forgotten"]), (200, &json!([{ "topic": "a", "partition": 0 }])));
        assert_eq!(http(at, "GET", "/producers", None).1["producers"], json!([]));
        assert_eq!(write(&mut client, "a", None, producer, 1), 0);
        assert_eq!(crate::client::count(at, "a"), 3, "what was sent twice is there twice");
    });
}
