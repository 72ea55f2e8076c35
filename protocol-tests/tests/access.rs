//! A broker that lets nobody do anything, and one whose every client is a super user, over raw sockets.
//! Shell: starts brokers, opens sockets.

use std::collections::BTreeSet;

use ottla_protocol_tests::broker::Broker;
use ottla_protocol_tests::codec::{request_frame, response};
use ottla_protocol_tests::connection::{Arrival, Connection};
use ottla_protocol_tests::schema::{Api, Schemas};
use ottla_protocol_tests::script::look_up;
use serde_json::{Value, json};

const AUTHORIZER: &str = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer";

const TOPIC: i64 = 29;
const GROUP: i64 = 30;
const CLUSTER: i64 = 31;
const TRANSACTIONAL_ID: i64 = 53;

fn api(name: &str) -> &'static Api {
    Schemas::kafka().api(name).expect("a known API")
}

/// The answer, or nothing when the connection is closed instead.
fn ask(connection: &mut Connection, name: &str, version: i16, body: &Value) -> Option<Value> {
    connection.send(&request_frame(api(name), version, 7, "access", body).expect("a request"));
    match connection.receive().expect("a whole frame") {
        Arrival::Answer(_, bytes) => {
            Some(response(api(name), version, &bytes).expect("an answer of that API"))
        }
        Arrival::Closed => None,
        Arrival::Silence => panic!("{name} v{version} is not answered"),
    }
}

fn batch() -> Value {
    json!({"records": {"records": 1}})
}

/// What one API says to whoever may do nothing: versions, request, and where which code stands.
#[derive(Clone)]
struct Refusal {
    api: &'static str,
    versions: &'static [(i16, i16)],
    body: Value,
    /// `None`: the path holds an empty list, for what may not be seen is not told.
    expected: (&'static str, Option<i64>),
}

fn refusal(
    api: &'static str,
    versions: &'static [(i16, i16)],
    body: Value,
    expected: (&'static str, Option<i64>),
) -> Refusal {
    Refusal { api, versions, body, expected }
}

fn of_data() -> Vec<Refusal> {
    let partition = |field: &str| json!([{field: 0}]);
    let named = json!({"name": "t", "partitions": partition("partitionIndex")});
    let write = json!([{"name": "t", "partitionData": [{"index": 0, "records": batch()["records"]}]}]);
    let read = json!([{"topic": "t", "partitions": [{"partition": 0, "partitionMaxBytes": 100}]}]);
    let epoch = json!([{"topic": "t", "partitions": [{"partition": 0, "leaderEpoch": 0}]}]);
    vec![
        refusal(
            "Produce",
            &[(3, 12)],
            json!({"acks": -1, "timeoutMs": 100, "topicData": write}),
            ("responses.0.partitionResponses.0.errorCode", Some(TOPIC)),
        ),
        refusal(
            "Fetch",
            &[(4, 12)],
            json!({"maxWaitMs": 0, "sessionEpoch": -1, "topics": read}),
            ("responses.0.partitions.0.errorCode", Some(TOPIC)),
        ),
        // As a follower.
        refusal(
            "Fetch",
            &[(4, 12)],
            json!({"replicaId": 2, "sessionEpoch": -1, "topics": read}),
            ("responses.0.partitions.0.errorCode", Some(TOPIC)),
        ),
        refusal(
            "ListOffsets",
            &[(1, 11)],
            json!({"replicaId": -1, "topics": [{"name": "t", "partitions": [{"partitionIndex": 0, "timestamp": -1}]}]}),
            ("topics.0.partitions.0.errorCode", Some(TOPIC)),
        ),
        refusal(
            "OffsetForLeaderEpoch",
            &[(2, 4)],
            json!({"topics": epoch}),
            ("topics.0.partitions.0.errorCode", Some(TOPIC)),
        ),
        refusal(
            "DeleteRecords",
            &[(0, 2)],
            json!({"topics": [named], "timeoutMs": 100}),
            ("topics.0.partitions.0.errorCode", Some(TOPIC)),
        ),
        refusal(
            "DescribeProducers",
            &[(0, 0)],
            json!({"topics": [{"name": "t", "partitionIndexes": [0]}]}),
            ("topics.0.partitions.0.errorCode", Some(TOPIC)),
        ),
        refusal("Metadata", &[(1, 13)], json!({"topics": null}), ("topics", None)),
        refusal(
            "Metadata",
            &[(0, 13)],
            json!({"topics": [{"name": "t"}]}),
            ("topics.0.errorCode", Some(TOPIC)),
        ),
        refusal(
            "DescribeTopicPartitions",
            &[(0, 0)],
            json!({"topics": [{"name": "t"}], "responsePartitionLimit": 9}),
            ("topics.0.errorCode", Some(TOPIC)),
        ),
        refusal(
            "DescribeCluster",
            &[(0, 2)],
            json!({"includeClusterAuthorizedOperations": true}),
            ("clusterAuthorizedOperations", Some(0)),
        ),
    ]
}

fn of_groups() -> Vec<Refusal> {
    let offsets = json!([{"name": "t", "partitions": [{"partitionIndex": 0, "committedOffset": 1}]}]);
    let asked = json!([{"name": "t", "partitionIndexes": [0]}]);
    let join = json!({"groupId": "g", "sessionTimeoutMs": 9000, "rebalanceTimeoutMs": 9000, "memberId": "", "protocolType": "consumer", "protocols": [{"name": "range", "metadata": "hex:00"}]});
    let sync = json!({"groupId": "g", "generationId": 1, "memberId": "m", "protocolType": "consumer", "protocolName": "range", "assignments": []});
    vec![
        refusal("FindCoordinator", &[(0, 3)], json!({"key": "g"}), ("errorCode", Some(GROUP))),
        refusal(
            "FindCoordinator",
            &[(4, 6)],
            json!({"coordinatorKeys": ["g"]}),
            ("coordinators.0.errorCode", Some(GROUP)),
        ),
        refusal(
            "FindCoordinator",
            &[(4, 6)],
            json!({"keyType": 1, "coordinatorKeys": ["x"]}),
            ("coordinators.0.errorCode", Some(TRANSACTIONAL_ID)),
        ),
        refusal(
            "FindCoordinator",
            &[(6, 6)],
            json!({"keyType": 2, "coordinatorKeys": ["g:AAAAAAAAAAAAAAAAAAAAAg:0"]}),
            ("coordinators.0.errorCode", Some(CLUSTER)),
        ),
        refusal("JoinGroup", &[(0, 9)], join, ("errorCode", Some(GROUP))),
        refusal("SyncGroup", &[(0, 5)], sync, ("errorCode", Some(GROUP))),
        refusal(
            "Heartbeat",
            &[(0, 4)],
            json!({"groupId": "g", "generationId": 1, "memberId": "m"}),
            ("errorCode", Some(GROUP)),
        ),
        refusal(
            "LeaveGroup",
            &[(0, 2)],
            json!({"groupId": "g", "memberId": "m"}),
            ("errorCode", Some(GROUP)),
        ),
        refusal(
            "LeaveGroup",
            &[(3, 5)],
            json!({"groupId": "g", "members": [{"memberId": "m"}]}),
            ("errorCode", Some(GROUP)),
        ),
        refusal(
            "OffsetCommit",
            &[(2, 9)],
            json!({"groupId": "g", "topics": offsets}),
            ("topics.0.partitions.0.errorCode", Some(GROUP)),
        ),
        refusal(
            "OffsetFetch",
            &[(1, 1)],
            json!({"groupId": "g", "topics": asked}),
            ("topics.0.partitions.0.errorCode", Some(GROUP)),
        ),
        refusal(
            "OffsetFetch",
            &[(2, 7)],
            json!({"groupId": "g", "topics": asked}),
            ("errorCode", Some(GROUP)),
        ),
        refusal(
            "OffsetFetch",
            &[(8, 9)],
            json!({"groups": [{"groupId": "g", "topics": asked}]}),
            ("groups.0.errorCode", Some(GROUP)),
        ),
        refusal("DescribeGroups", &[(0, 6)], json!({"groups": ["g"]}), ("groups.0.errorCode", Some(GROUP))),
        refusal("ListGroups", &[(0, 5)], json!({}), ("groups", None)),
        refusal(
            "DeleteGroups",
            &[(0, 2)],
            json!({"groupsNames": ["g"]}),
            ("results.0.errorCode", Some(GROUP)),
        ),
        refusal("OffsetDelete", &[(0, 0)], json!({"groupId": "g", "topics": []}), ("errorCode", Some(GROUP))),
    ]
}

fn of_share_groups() -> Vec<Refusal> {
    let member = |more: Value| {
        let mut body = json!({"groupId": "g", "memberId": "m"});
        body.as_object_mut()
            .into_iter()
            .for_each(|body| body.extend(more.as_object().cloned().unwrap_or_default()));
        body
    };
    let state = json!({"groupId": "g", "topics": [{"topicId": "11111111-2222-3333-4444-555555555555", "partitions": [{"partition": 0}]}]});
    let of_state = |api: &'static str, versions: &'static [(i16, i16)]| {
        refusal(api, versions, state.clone(), ("results.0.partitions.0.errorCode", Some(CLUSTER)))
    };
    let joins = json!({"memberEpoch": 0, "subscribedTopicNames": ["t"]});
    vec![
        refusal(
            "ConsumerGroupHeartbeat",
            &[(0, 1)],
            member(
                json!({"memberEpoch": 0, "rebalanceTimeoutMs": 1, "subscribedTopicNames": ["t"], "topicPartitions": []}),
            ),
            ("errorCode", Some(GROUP)),
        ),
        refusal(
            "ConsumerGroupDescribe",
            &[(0, 1)],
            json!({"groupIds": ["g"]}),
            ("groups.0.errorCode", Some(GROUP)),
        ),
        refusal("ShareGroupHeartbeat", &[(1, 1)], member(joins), ("errorCode", Some(GROUP))),
        refusal(
            "ShareGroupDescribe",
            &[(1, 1)],
            json!({"groupIds": ["g"]}),
            ("groups.0.errorCode", Some(GROUP)),
        ),
        refusal("ShareFetch", &[(1, 2)], member(json!({"topics": []})), ("errorCode", Some(GROUP))),
        refusal("ShareAcknowledge", &[(1, 2)], member(json!({"topics": []})), ("errorCode", Some(GROUP))),
        of_state("InitializeShareGroupState", &[(0, 0)]),
        of_state("ReadShareGroupState", &[(0, 0)]),
        of_state("WriteShareGroupState", &[(0, 1)]),
        of_state("DeleteShareGroupState", &[(0, 0)]),
        of_state("ReadShareGroupStateSummary", &[(0, 1)]),
        refusal(
            "DescribeShareGroupOffsets",
            &[(0, 1)],
            json!({"groups": [{"groupId": "g", "topics": null}]}),
            ("groups.0.errorCode", Some(GROUP)),
        ),
        refusal(
            "AlterShareGroupOffsets",
            &[(0, 0)],
            json!({"groupId": "g", "topics": []}),
            ("errorCode", Some(GROUP)),
        ),
        refusal(
            "DeleteShareGroupOffsets",
            &[(0, 0)],
            json!({"groupId": "g", "topics": []}),
            ("errorCode", Some(GROUP)),
        ),
    ]
}

fn of_streams_groups() -> Vec<Refusal> {
    let leaves = json!({"groupId": "g", "memberId": "m", "memberEpoch": -1});
    vec![
        refusal("StreamsGroupHeartbeat", &[(0, 0)], leaves, ("errorCode", Some(GROUP))),
        refusal(
            "StreamsGroupDescribe",
            &[(0, 0)],
            json!({"groupIds": ["g"]}),
            ("groups.0.errorCode", Some(GROUP)),
        ),
    ]
}

fn of_transactions() -> Vec<Refusal> {
    let write = json!([{"name": "t", "partitionData": [{"index": 0, "records": {"records": 1, "producerId": 5, "producerEpoch": 0, "baseSequence": 0, "attributes": 16}}]}]);
    let old = json!({"v3AndBelowTransactionalId": "x", "v3AndBelowProducerId": 5, "v3AndBelowProducerEpoch": 0, "v3AndBelowTopics": [{"name": "t", "partitions": [0]}]});
    let offsets = json!([{"name": "t", "partitions": [{"partitionIndex": 0, "committedOffset": 1}]}]);
    let marker = json!({"producerId": 5, "producerEpoch": 0, "transactionResult": true, "coordinatorEpoch": 0, "topics": [{"name": "t", "partitionIndexes": [0]}]});
    vec![
        refusal(
            "Produce",
            &[(3, 12)],
            json!({"transactionalId": "x", "acks": -1, "timeoutMs": 100, "topicData": write}),
            ("responses.0.partitionResponses.0.errorCode", Some(TRANSACTIONAL_ID)),
        ),
        refusal(
            "InitProducerId",
            &[(0, 5)],
            json!({"transactionalId": "x", "transactionTimeoutMs": 9000}),
            ("errorCode", Some(TRANSACTIONAL_ID)),
        ),
        refusal(
            "InitProducerId",
            &[(0, 5)],
            json!({"transactionalId": null, "transactionTimeoutMs": 9000}),
            ("errorCode", Some(CLUSTER)),
        ),
        refusal(
            "AddPartitionsToTxn",
            &[(0, 3)],
            old,
            ("resultsByTopicV3AndBelow.0.resultsByPartition.0.partitionErrorCode", Some(TRANSACTIONAL_ID)),
        ),
        refusal("AddPartitionsToTxn", &[(4, 5)], json!({"transactions": []}), ("errorCode", Some(CLUSTER))),
        refusal(
            "AddOffsetsToTxn",
            &[(0, 4)],
            json!({"transactionalId": "x", "producerId": 5, "producerEpoch": 0, "groupId": "g"}),
            ("errorCode", Some(TRANSACTIONAL_ID)),
        ),
        refusal(
            "TxnOffsetCommit",
            &[(0, 5)],
            json!({"transactionalId": "x", "groupId": "g", "producerId": 5, "producerEpoch": 0, "topics": offsets}),
            ("topics.0.partitions.0.errorCode", Some(TRANSACTIONAL_ID)),
        ),
        refusal(
            "EndTxn",
            &[(0, 5)],
            json!({"transactionalId": "x", "producerId": 5, "producerEpoch": 0, "committed": true}),
            ("errorCode", Some(TRANSACTIONAL_ID)),
        ),
        refusal(
            "WriteTxnMarkers",
            &[(1, 2)],
            json!({"markers": [marker]}),
            ("markers.0.topics.0.partitions.0.errorCode", Some(CLUSTER)),
        ),
        refusal(
            "DescribeTransactions",
            &[(0, 0)],
            json!({"transactionalIds": ["x"]}),
            ("transactionStates.0.errorCode", Some(TRANSACTIONAL_ID)),
        ),
        refusal("ListTransactions", &[(0, 2)], json!({}), ("transactionStates", None)),
    ]
}

fn of_administration() -> Vec<Refusal> {
    let any = json!({"resourceTypeFilter": 1, "resourceNameFilter": null, "patternTypeFilter": 1, "principalFilter": null, "hostFilter": null, "operation": 1, "permissionType": 1});
    let acl = json!({"resourceType": 2, "resourceName": "t", "resourcePatternType": 3, "principal": "User:ANONYMOUS", "host": "*", "operation": 2, "permissionType": 3});
    let configs =
        |kind: i64, name: &str| json!([{"resourceType": kind, "resourceName": name, "configs": []}]);
    vec![
        refusal(
            "CreateTopics",
            &[(2, 7)],
            json!({"topics": [{"name": "u", "numPartitions": 1, "replicationFactor": 1}], "timeoutMs": 100}),
            ("topics.0.errorCode", Some(TOPIC)),
        ),
        refusal(
            "DeleteTopics",
            &[(1, 5)],
            json!({"topicNames": ["t"], "timeoutMs": 100}),
            ("responses.0.errorCode", Some(TOPIC)),
        ),
        refusal(
            "DeleteTopics",
            &[(6, 6)],
            json!({"topics": [{"name": "t"}], "timeoutMs": 100}),
            ("responses.0.errorCode", Some(TOPIC)),
        ),
        refusal(
            "CreatePartitions",
            &[(0, 3)],
            json!({"topics": [{"name": "t", "count": 3}], "timeoutMs": 100}),
            ("results.0.errorCode", Some(TOPIC)),
        ),
        refusal(
            "DescribeConfigs",
            &[(1, 4)],
            json!({"resources": [{"resourceType": 2, "resourceName": "t"}]}),
            ("results.0.errorCode", Some(TOPIC)),
        ),
        refusal(
            "DescribeConfigs",
            &[(1, 4)],
            json!({"resources": [{"resourceType": 4, "resourceName": "1"}]}),
            ("results.0.errorCode", Some(CLUSTER)),
        ),
        refusal(
            "DescribeConfigs",
            &[(4, 4)],
            json!({"resources": [{"resourceType": 32, "resourceName": "g"}]}),
            ("results.0.errorCode", Some(GROUP)),
        ),
        refusal(
            "AlterConfigs",
            &[(0, 2)],
            json!({"resources": configs(2, "t")}),
            ("responses.0.errorCode", Some(TOPIC)),
        ),
        refusal(
            "IncrementalAlterConfigs",
            &[(0, 1)],
            json!({"resources": configs(4, "")}),
            ("responses.0.errorCode", Some(CLUSTER)),
        ),
        refusal(
            "IncrementalAlterConfigs",
            &[(0, 1)],
            json!({"resources": configs(32, "g")}),
            ("responses.0.errorCode", Some(GROUP)),
        ),
        refusal("DescribeLogDirs", &[(3, 5)], json!({"topics": null}), ("errorCode", Some(CLUSTER))),
        refusal("DescribeLogDirs", &[(1, 5)], json!({"topics": null}), ("results", None)),
        refusal(
            "AlterReplicaLogDirs",
            &[(1, 2)],
            json!({"dirs": [{"path": "/data", "topics": [{"name": "t", "partitions": [0]}]}]}),
            ("results.0.partitions.0.errorCode", Some(CLUSTER)),
        ),
        refusal(
            "ElectLeaders",
            &[(1, 2)],
            json!({"topicPartitions": null, "timeoutMs": 100}),
            ("errorCode", Some(CLUSTER)),
        ),
        refusal(
            "ListPartitionReassignments",
            &[(0, 0)],
            json!({"topics": null, "timeoutMs": 100}),
            ("errorCode", Some(CLUSTER)),
        ),
        refusal("DescribeQuorum", &[(0, 2)], json!({"topics": []}), ("errorCode", Some(CLUSTER))),
        refusal("UnregisterBroker", &[(0, 0)], json!({"brokerId": 9}), ("errorCode", Some(CLUSTER))),
        refusal(
            "AddRaftVoter",
            &[(0, 1)],
            json!({"clusterId": null, "timeoutMs": 100, "voterId": 9, "listeners": []}),
            ("errorCode", Some(CLUSTER)),
        ),
        refusal(
            "RemoveRaftVoter",
            &[(0, 0)],
            json!({"clusterId": null, "voterId": 9}),
            ("errorCode", Some(CLUSTER)),
        ),
        refusal(
            "UpdateFeatures",
            &[(0, 2)],
            json!({"featureUpdates": [], "timeoutMs": 100}),
            ("errorCode", Some(CLUSTER)),
        ),
        refusal("DescribeAcls", &[(1, 3)], any.clone(), ("errorCode", Some(CLUSTER))),
        refusal("CreateAcls", &[(1, 3)], json!({"creations": [acl]}), ("results.0.errorCode", Some(CLUSTER))),
        refusal(
            "DeleteAcls",
            &[(1, 3)],
            json!({"filters": [any]}),
            ("filterResults.0.errorCode", Some(CLUSTER)),
        ),
        refusal(
            "DescribeUserScramCredentials",
            &[(0, 0)],
            json!({"users": null}),
            ("errorCode", Some(CLUSTER)),
        ),
        refusal(
            "AlterUserScramCredentials",
            &[(0, 0)],
            json!({"deletions": [{"name": "a", "mechanism": 1}], "upsertions": []}),
            ("results.0.errorCode", Some(CLUSTER)),
        ),
        refusal(
            "DescribeClientQuotas",
            &[(0, 1)],
            json!({"components": [], "strict": false}),
            ("errorCode", Some(CLUSTER)),
        ),
        refusal(
            "AlterClientQuotas",
            &[(0, 1)],
            json!({"entries": [{"entity": [{"entityType": "user", "entityName": "a"}], "ops": []}]}),
            ("entries.0.errorCode", Some(CLUSTER)),
        ),
        refusal(
            "AlterPartitionReassignments",
            &[(0, 1)],
            json!({"topics": [{"name": "t", "partitions": [{"partitionIndex": 0, "replicas": [1]}]}]}),
            ("responses.0.partitions.0.errorCode", Some(CLUSTER)),
        ),
        refusal("ListConfigResources", &[(0, 1)], json!({}), ("errorCode", Some(CLUSTER))),
    ]
}

/// Of tokens nobody may ask who did not say who they are: 64 is DELEGATION_TOKEN_REQUEST_NOT_ALLOWED.
fn of_tokens() -> Vec<Refusal> {
    let refused = ("errorCode", Some(64));
    let hmac = "hex:00";
    vec![
        refusal("CreateDelegationToken", &[(1, 3)], json!({"renewers": [], "maxLifetimeMs": -1}), refused),
        refusal("RenewDelegationToken", &[(1, 2)], json!({"hmac": hmac, "renewPeriodMs": 1}), refused),
        refusal("ExpireDelegationToken", &[(1, 2)], json!({"hmac": hmac, "expiryTimePeriodMs": 1}), refused),
        refusal("DescribeDelegationToken", &[(1, 3)], json!({"owners": null}), refused),
    ]
}

/// Every API that needs a permission, in every version by name (those by id are the oracle's).
#[test]
fn whoever_may_do_nothing_is_told_so_by_every_api() {
    let audit = Some("warn,kafka.authorizer.logger=trace");
    let broker = Broker::start_logging(audit, &[AUTHORIZER]).expect("a broker");
    let mut connection = Connection::open(&broker.bootstrap).expect("a connection");
    let told = ask(&mut connection, "ApiVersions", 0, &json!({})).expect("an answer");
    let mut unasked: Vec<i64> =
        told["apiKeys"].as_array().into_iter().flatten().filter_map(|key| key["apiKey"].as_i64()).collect();
    // Neither ApiVersions, nor logins (17, 36), nor telemetry (71, 72) need a permission.
    unasked.retain(|key| ![17, 18, 36, 71, 72].contains(key));
    for Refusal { api: name, versions, body, expected: (path, code) } in [
        of_data(),
        of_groups(),
        of_share_groups(),
        of_streams_groups(),
        of_transactions(),
        of_administration(),
        of_tokens(),
    ]
    .concat()
    {
        unasked.retain(|key| *key != i64::from(api(name).key));
        for version in versions.iter().flat_map(|(first, last)| *first..=*last) {
            let answer = ask(&mut connection, name, version, &body);
            let answer = answer.unwrap_or_else(|| panic!("{name} v{version} closed: {}", broker.log()));
            let found = look_up(&answer, path);
            let wanted = code.map_or_else(|| json!([]), |code| json!(code));
            assert_eq!(found, Some(&wanted), "{name} v{version} {path}: {answer}");
        }
    }
    assert_eq!(unasked, [] as [i64; 0], "nobody asked these");
    // CVE-2026-41115: what is asked for whom is written down, and changes with a look at it alone.
    let asked = asked_operations(&broker.log());
    let known: Vec<&str> =
        include_str!("operations.txt").lines().filter(|line| !line.starts_with('#')).collect();
    let unknown: Vec<&String> = asked.iter().filter(|line| !known.contains(&line.as_str())).collect();
    let unasked: Vec<&&str> = known.iter().filter(|line| !asked.contains(**line)).collect();
    assert!(
        unknown.is_empty() && unasked.is_empty(),
        "asked, not written: {unknown:#?}; written, not asked: {unasked:#?}"
    );
}

/// `API Operation Resource` of each decision that the log tells of.
fn asked_operations(log: &str) -> BTreeSet<String> {
    let word = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}="))?;
        rest.split_whitespace().next().map(|word| word.trim_matches('"').to_owned())
    };
    let line = |line: &str| {
        let words = ["api", "operation", "resource"].map(|name| word(line, name));
        let [Some(api), Some(operation), Some(resource)] = words else { return None };
        Some(format!("{api} {operation} {resource}"))
    };
    log.lines().filter_map(line).collect()
}

#[test]
fn a_write_that_is_not_allowed_closes_where_nothing_is_answered() {
    let broker = Broker::start(&[AUTHORIZER]).expect("a broker");
    let mut connection = Connection::open(&broker.bootstrap).expect("a connection");
    let write = json!([{"name": "t", "partitionData": [{"index": 0, "records": batch()["records"]}]}]);
    let body = json!({"acks": 0, "timeoutMs": 100, "topicData": write});
    assert_eq!(ask(&mut connection, "Produce", 9, &body), None);
}

#[test]
fn a_super_user_may_do_what_no_acl_allows_and_what_acls_deny() {
    let settings = [AUTHORIZER, "super.users=User:root;User:ANONYMOUS"];
    let broker = Broker::start(&settings).expect("a broker");
    let mut connection = Connection::open(&broker.bootstrap).expect("a connection");
    let mut asked = |name: &str, version: i16, body: Value| {
        ask(&mut connection, name, version, &body).expect("an answer")
    };
    let denied = json!({"resourceType": 2, "resourceName": "t", "resourcePatternType": 3, "principal": "User:*", "host": "*", "operation": 2, "permissionType": 2});
    let told = asked("CreateAcls", 3, json!({"creations": [denied]}));
    assert_eq!(told["results"][0]["errorCode"], 0);
    let topic = json!({"name": "t", "numPartitions": 1, "replicationFactor": 1});
    let told = asked("CreateTopics", 7, json!({"topics": [topic], "timeoutMs": 10_000}));
    assert_eq!(
        (&told["topics"][0]["errorCode"], &told["topics"][0]["numPartitions"]),
        (&json!(0), &json!(1))
    );
    let told = asked("InitProducerId", 4, json!({"transactionalId": null, "transactionTimeoutMs": 9000}));
    assert_eq!(told["errorCode"], 0);
    let told = asked(
        "Metadata",
        8,
        json!({"topics": [{"name": "t"}], "includeClusterAuthorizedOperations": true, "includeTopicAuthorizedOperations": true}),
    );
    assert_eq!(told["topics"][0]["topicAuthorizedOperations"], 3576);
    assert_eq!(told["clusterAuthorizedOperations"], 8096);
}
