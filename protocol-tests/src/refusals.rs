//! What every API says to whoever may do nothing.
//! Core in the lists, shell in `play`.
//!
//! The lists are played against this broker (`tests/access.rs`) and against Apache Kafka (`cargo oracle operations`).

use serde_json::{Value, json};

use crate::Outcome;
use crate::codec::{request_frame, response};
use crate::connection::{Arrival, Connection};
use crate::schema::Schemas;
use crate::script::look_up;

pub const TOPIC: i64 = 29;
pub const GROUP: i64 = 30;
pub const CLUSTER: i64 = 31;
pub const TRANSACTIONAL_ID: i64 = 53;

/// What one API says to whoever may do nothing: versions, request, and where which code stands.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub api: &'static str,
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

fn records() -> Value {
    json!({"records": 1})
}

/// Every API that needs a permission, in every version by name (those by id are the oracle's).
pub fn all() -> Vec<Refusal> {
    [
        of_data(),
        of_groups(),
        of_share_groups(),
        of_streams_groups(),
        of_transactions(),
        of_administration(),
        of_tokens(),
    ]
    .concat()
}

/// Asks a broker all of it. Gives what was answered otherwise than the lists say.
pub fn play(address: &str) -> Outcome<Vec<String>> {
    let mut connection = Connection::open(address)?;
    let mut differences = Vec::new();
    for Refusal { api: name, versions, body, expected: (path, code) } in all() {
        for version in versions.iter().flat_map(|(first, last)| *first..=*last) {
            let answer = match ask(&mut connection, name, version, &body) {
                Ok(Some(answer)) => answer,
                ended => {
                    let why = ended.err().unwrap_or_else(|| format!("{name} v{version} closed"));
                    differences.push(why);
                    connection = Connection::open(address)?;
                    continue;
                }
            };
            let wanted = code.map_or_else(|| json!([]), |code| json!(code));
            if look_up(&answer, path) != Some(&wanted) {
                differences.push(format!("{name} v{version} {path} is not {wanted}: {answer}"));
            }
        }
    }
    Ok(differences)
}

/// The answer, or nothing when the connection is closed instead.
pub fn ask(connection: &mut Connection, name: &str, version: i16, body: &Value) -> Outcome<Option<Value>> {
    let api = Schemas::kafka().api(name)?;
    connection.send(&request_frame(api, version, 7, "access", body)?);
    match connection.receive()? {
        Arrival::Answer(_, bytes) => Ok(Some(response(api, version, &bytes)?)),
        Arrival::Closed => Ok(None),
        Arrival::Silence => Err(format!("{name} v{version} is not answered")),
    }
}

fn of_data() -> Vec<Refusal> {
    let partition = |field: &str| json!([{field: 0}]);
    let named = json!({"name": "t", "partitions": partition("partitionIndex")});
    let write = json!([{"name": "t", "partitionData": [{"index": 0, "records": records()}]}]);
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
        // Of all users it is not asked: Apache Kafka gives whoever is refused that no answer at all.
        refusal(
            "DescribeUserScramCredentials",
            &[(0, 0)],
            json!({"users": [{"name": "a"}]}),
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
