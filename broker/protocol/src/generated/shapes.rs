//! What every request and response holds: fields, types, versions, defaults.
//! Core. Written by ottla-protocol-generator; never edited by hand.

use crate::api_key::ApiKey;
use crate::shape::{Entity, Kind, MAX, Message, NONE, Struct, field};

/// One row for each API that has a request, by key.
pub(crate) static REQUESTS: [Message; 89] = [
    Message { key: ApiKey::Produce, versions: (3, 13), flexible: (9, 13), root: &PRODUCE_REQUEST },
    Message { key: ApiKey::Fetch, versions: (4, 18), flexible: (12, 18), root: &FETCH_REQUEST },
    Message { key: ApiKey::ListOffsets, versions: (1, 11), flexible: (6, 11), root: &LIST_OFFSETS_REQUEST },
    Message { key: ApiKey::Metadata, versions: (0, 13), flexible: (9, 13), root: &METADATA_REQUEST },
    Message { key: ApiKey::OffsetCommit, versions: (2, 10), flexible: (8, 10), root: &OFFSET_COMMIT_REQUEST },
    Message { key: ApiKey::OffsetFetch, versions: (1, 10), flexible: (6, 10), root: &OFFSET_FETCH_REQUEST },
    Message {
        key: ApiKey::FindCoordinator,
        versions: (0, 6),
        flexible: (3, 6),
        root: &FIND_COORDINATOR_REQUEST,
    },
    Message { key: ApiKey::JoinGroup, versions: (0, 9), flexible: (6, 9), root: &JOIN_GROUP_REQUEST },
    Message { key: ApiKey::Heartbeat, versions: (0, 4), flexible: (4, 4), root: &HEARTBEAT_REQUEST },
    Message { key: ApiKey::LeaveGroup, versions: (0, 5), flexible: (4, 5), root: &LEAVE_GROUP_REQUEST },
    Message { key: ApiKey::SyncGroup, versions: (0, 5), flexible: (4, 5), root: &SYNC_GROUP_REQUEST },
    Message {
        key: ApiKey::DescribeGroups,
        versions: (0, 6),
        flexible: (5, 6),
        root: &DESCRIBE_GROUPS_REQUEST,
    },
    Message { key: ApiKey::ListGroups, versions: (0, 5), flexible: (3, 5), root: &LIST_GROUPS_REQUEST },
    Message { key: ApiKey::SaslHandshake, versions: (0, 1), flexible: NONE, root: &SASL_HANDSHAKE_REQUEST },
    Message { key: ApiKey::ApiVersions, versions: (0, 4), flexible: (3, 4), root: &API_VERSIONS_REQUEST },
    Message { key: ApiKey::CreateTopics, versions: (2, 7), flexible: (5, 7), root: &CREATE_TOPICS_REQUEST },
    Message { key: ApiKey::DeleteTopics, versions: (1, 6), flexible: (4, 6), root: &DELETE_TOPICS_REQUEST },
    Message { key: ApiKey::DeleteRecords, versions: (0, 2), flexible: (2, 2), root: &DELETE_RECORDS_REQUEST },
    Message {
        key: ApiKey::InitProducerId,
        versions: (0, 6),
        flexible: (2, 6),
        root: &INIT_PRODUCER_ID_REQUEST,
    },
    Message {
        key: ApiKey::OffsetForLeaderEpoch,
        versions: (2, 4),
        flexible: (4, 4),
        root: &OFFSET_FOR_LEADER_EPOCH_REQUEST,
    },
    Message {
        key: ApiKey::AddPartitionsToTxn,
        versions: (0, 5),
        flexible: (3, 5),
        root: &ADD_PARTITIONS_TO_TXN_REQUEST,
    },
    Message {
        key: ApiKey::AddOffsetsToTxn,
        versions: (0, 4),
        flexible: (3, 4),
        root: &ADD_OFFSETS_TO_TXN_REQUEST,
    },
    Message { key: ApiKey::EndTxn, versions: (0, 5), flexible: (3, 5), root: &END_TXN_REQUEST },
    Message {
        key: ApiKey::WriteTxnMarkers,
        versions: (1, 2),
        flexible: (1, 2),
        root: &WRITE_TXN_MARKERS_REQUEST,
    },
    Message {
        key: ApiKey::TxnOffsetCommit,
        versions: (0, 5),
        flexible: (3, 5),
        root: &TXN_OFFSET_COMMIT_REQUEST,
    },
    Message { key: ApiKey::DescribeAcls, versions: (1, 3), flexible: (2, 3), root: &DESCRIBE_ACLS_REQUEST },
    Message { key: ApiKey::CreateAcls, versions: (1, 3), flexible: (2, 3), root: &CREATE_ACLS_REQUEST },
    Message { key: ApiKey::DeleteAcls, versions: (1, 3), flexible: (2, 3), root: &DELETE_ACLS_REQUEST },
    Message {
        key: ApiKey::DescribeConfigs,
        versions: (1, 4),
        flexible: (4, 4),
        root: &DESCRIBE_CONFIGS_REQUEST,
    },
    Message { key: ApiKey::AlterConfigs, versions: (0, 2), flexible: (2, 2), root: &ALTER_CONFIGS_REQUEST },
    Message {
        key: ApiKey::AlterReplicaLogDirs,
        versions: (1, 2),
        flexible: (2, 2),
        root: &ALTER_REPLICA_LOG_DIRS_REQUEST,
    },
    Message {
        key: ApiKey::DescribeLogDirs,
        versions: (1, 5),
        flexible: (2, 5),
        root: &DESCRIBE_LOG_DIRS_REQUEST,
    },
    Message {
        key: ApiKey::SaslAuthenticate,
        versions: (0, 2),
        flexible: (2, 2),
        root: &SASL_AUTHENTICATE_REQUEST,
    },
    Message {
        key: ApiKey::CreatePartitions,
        versions: (0, 3),
        flexible: (2, 3),
        root: &CREATE_PARTITIONS_REQUEST,
    },
    Message {
        key: ApiKey::CreateDelegationToken,
        versions: (1, 3),
        flexible: (2, 3),
        root: &CREATE_DELEGATION_TOKEN_REQUEST,
    },
    Message {
        key: ApiKey::RenewDelegationToken,
        versions: (1, 2),
        flexible: (2, 2),
        root: &RENEW_DELEGATION_TOKEN_REQUEST,
    },
    Message {
        key: ApiKey::ExpireDelegationToken,
        versions: (1, 2),
        flexible: (2, 2),
        root: &EXPIRE_DELEGATION_TOKEN_REQUEST,
    },
    Message {
        key: ApiKey::DescribeDelegationToken,
        versions: (1, 3),
        flexible: (2, 3),
        root: &DESCRIBE_DELEGATION_TOKEN_REQUEST,
    },
    Message { key: ApiKey::DeleteGroups, versions: (0, 2), flexible: (2, 2), root: &DELETE_GROUPS_REQUEST },
    Message { key: ApiKey::ElectLeaders, versions: (0, 2), flexible: (2, 2), root: &ELECT_LEADERS_REQUEST },
    Message {
        key: ApiKey::IncrementalAlterConfigs,
        versions: (0, 1),
        flexible: (1, 1),
        root: &INCREMENTAL_ALTER_CONFIGS_REQUEST,
    },
    Message {
        key: ApiKey::AlterPartitionReassignments,
        versions: (0, 1),
        flexible: (0, 1),
        root: &ALTER_PARTITION_REASSIGNMENTS_REQUEST,
    },
    Message {
        key: ApiKey::ListPartitionReassignments,
        versions: (0, 0),
        flexible: (0, 0),
        root: &LIST_PARTITION_REASSIGNMENTS_REQUEST,
    },
    Message { key: ApiKey::OffsetDelete, versions: (0, 0), flexible: NONE, root: &OFFSET_DELETE_REQUEST },
    Message {
        key: ApiKey::DescribeClientQuotas,
        versions: (0, 1),
        flexible: (1, 1),
        root: &DESCRIBE_CLIENT_QUOTAS_REQUEST,
    },
    Message {
        key: ApiKey::AlterClientQuotas,
        versions: (0, 1),
        flexible: (1, 1),
        root: &ALTER_CLIENT_QUOTAS_REQUEST,
    },
    Message {
        key: ApiKey::DescribeUserScramCredentials,
        versions: (0, 0),
        flexible: (0, 0),
        root: &DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST,
    },
    Message {
        key: ApiKey::AlterUserScramCredentials,
        versions: (0, 0),
        flexible: (0, 0),
        root: &ALTER_USER_SCRAM_CREDENTIALS_REQUEST,
    },
    Message { key: ApiKey::Vote, versions: (0, 2), flexible: (0, 2), root: &VOTE_REQUEST },
    Message {
        key: ApiKey::BeginQuorumEpoch,
        versions: (0, 1),
        flexible: (1, 1),
        root: &BEGIN_QUORUM_EPOCH_REQUEST,
    },
    Message {
        key: ApiKey::EndQuorumEpoch,
        versions: (0, 1),
        flexible: (1, 1),
        root: &END_QUORUM_EPOCH_REQUEST,
    },
    Message {
        key: ApiKey::DescribeQuorum,
        versions: (0, 2),
        flexible: (0, 2),
        root: &DESCRIBE_QUORUM_REQUEST,
    },
    Message {
        key: ApiKey::AlterPartition,
        versions: (2, 3),
        flexible: (2, 3),
        root: &ALTER_PARTITION_REQUEST,
    },
    Message {
        key: ApiKey::UpdateFeatures,
        versions: (0, 2),
        flexible: (0, 2),
        root: &UPDATE_FEATURES_REQUEST,
    },
    Message { key: ApiKey::Envelope, versions: (0, 0), flexible: (0, 0), root: &ENVELOPE_REQUEST },
    Message { key: ApiKey::FetchSnapshot, versions: (0, 1), flexible: (0, 1), root: &FETCH_SNAPSHOT_REQUEST },
    Message {
        key: ApiKey::DescribeCluster,
        versions: (0, 2),
        flexible: (0, 2),
        root: &DESCRIBE_CLUSTER_REQUEST,
    },
    Message {
        key: ApiKey::DescribeProducers,
        versions: (0, 0),
        flexible: (0, 0),
        root: &DESCRIBE_PRODUCERS_REQUEST,
    },
    Message {
        key: ApiKey::BrokerRegistration,
        versions: (0, 4),
        flexible: (0, 4),
        root: &BROKER_REGISTRATION_REQUEST,
    },
    Message {
        key: ApiKey::BrokerHeartbeat,
        versions: (0, 2),
        flexible: (0, 2),
        root: &BROKER_HEARTBEAT_REQUEST,
    },
    Message {
        key: ApiKey::UnregisterBroker,
        versions: (0, 0),
        flexible: (0, 0),
        root: &UNREGISTER_BROKER_REQUEST,
    },
    Message {
        key: ApiKey::DescribeTransactions,
        versions: (0, 0),
        flexible: (0, 0),
        root: &DESCRIBE_TRANSACTIONS_REQUEST,
    },
    Message {
        key: ApiKey::ListTransactions,
        versions: (0, 2),
        flexible: (0, 2),
        root: &LIST_TRANSACTIONS_REQUEST,
    },
    Message {
        key: ApiKey::AllocateProducerIds,
        versions: (0, 0),
        flexible: (0, 0),
        root: &ALLOCATE_PRODUCER_IDS_REQUEST,
    },
    Message {
        key: ApiKey::ConsumerGroupHeartbeat,
        versions: (0, 1),
        flexible: (0, 1),
        root: &CONSUMER_GROUP_HEARTBEAT_REQUEST,
    },
    Message {
        key: ApiKey::ConsumerGroupDescribe,
        versions: (0, 1),
        flexible: (0, 1),
        root: &CONSUMER_GROUP_DESCRIBE_REQUEST,
    },
    Message {
        key: ApiKey::ControllerRegistration,
        versions: (0, 0),
        flexible: (0, 0),
        root: &CONTROLLER_REGISTRATION_REQUEST,
    },
    Message {
        key: ApiKey::GetTelemetrySubscriptions,
        versions: (0, 0),
        flexible: (0, 0),
        root: &GET_TELEMETRY_SUBSCRIPTIONS_REQUEST,
    },
    Message { key: ApiKey::PushTelemetry, versions: (0, 0), flexible: (0, 0), root: &PUSH_TELEMETRY_REQUEST },
    Message {
        key: ApiKey::AssignReplicasToDirs,
        versions: (0, 0),
        flexible: (0, 0),
        root: &ASSIGN_REPLICAS_TO_DIRS_REQUEST,
    },
    Message {
        key: ApiKey::ListConfigResources,
        versions: (0, 1),
        flexible: (0, 1),
        root: &LIST_CONFIG_RESOURCES_REQUEST,
    },
    Message {
        key: ApiKey::DescribeTopicPartitions,
        versions: (0, 0),
        flexible: (0, 0),
        root: &DESCRIBE_TOPIC_PARTITIONS_REQUEST,
    },
    Message {
        key: ApiKey::ShareGroupHeartbeat,
        versions: (1, 1),
        flexible: (1, 1),
        root: &SHARE_GROUP_HEARTBEAT_REQUEST,
    },
    Message {
        key: ApiKey::ShareGroupDescribe,
        versions: (1, 1),
        flexible: (1, 1),
        root: &SHARE_GROUP_DESCRIBE_REQUEST,
    },
    Message { key: ApiKey::ShareFetch, versions: (1, 2), flexible: (1, 2), root: &SHARE_FETCH_REQUEST },
    Message {
        key: ApiKey::ShareAcknowledge,
        versions: (1, 2),
        flexible: (1, 2),
        root: &SHARE_ACKNOWLEDGE_REQUEST,
    },
    Message { key: ApiKey::AddRaftVoter, versions: (0, 1), flexible: (0, 1), root: &ADD_RAFT_VOTER_REQUEST },
    Message {
        key: ApiKey::RemoveRaftVoter,
        versions: (0, 0),
        flexible: (0, 0),
        root: &REMOVE_RAFT_VOTER_REQUEST,
    },
    Message {
        key: ApiKey::UpdateRaftVoter,
        versions: (0, 0),
        flexible: (0, 0),
        root: &UPDATE_RAFT_VOTER_REQUEST,
    },
    Message {
        key: ApiKey::InitializeShareGroupState,
        versions: (0, 0),
        flexible: (0, 0),
        root: &INITIALIZE_SHARE_GROUP_STATE_REQUEST,
    },
    Message {
        key: ApiKey::ReadShareGroupState,
        versions: (0, 0),
        flexible: (0, 0),
        root: &READ_SHARE_GROUP_STATE_REQUEST,
    },
    Message {
        key: ApiKey::WriteShareGroupState,
        versions: (0, 1),
        flexible: (0, 1),
        root: &WRITE_SHARE_GROUP_STATE_REQUEST,
    },
    Message {
        key: ApiKey::DeleteShareGroupState,
        versions: (0, 0),
        flexible: (0, 0),
        root: &DELETE_SHARE_GROUP_STATE_REQUEST,
    },
    Message {
        key: ApiKey::ReadShareGroupStateSummary,
        versions: (0, 1),
        flexible: (0, 1),
        root: &READ_SHARE_GROUP_STATE_SUMMARY_REQUEST,
    },
    Message {
        key: ApiKey::StreamsGroupHeartbeat,
        versions: (0, 0),
        flexible: (0, 0),
        root: &STREAMS_GROUP_HEARTBEAT_REQUEST,
    },
    Message {
        key: ApiKey::StreamsGroupDescribe,
        versions: (0, 0),
        flexible: (0, 0),
        root: &STREAMS_GROUP_DESCRIBE_REQUEST,
    },
    Message {
        key: ApiKey::DescribeShareGroupOffsets,
        versions: (0, 1),
        flexible: (0, 1),
        root: &DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST,
    },
    Message {
        key: ApiKey::AlterShareGroupOffsets,
        versions: (0, 0),
        flexible: (0, 0),
        root: &ALTER_SHARE_GROUP_OFFSETS_REQUEST,
    },
    Message {
        key: ApiKey::DeleteShareGroupOffsets,
        versions: (0, 0),
        flexible: (0, 0),
        root: &DELETE_SHARE_GROUP_OFFSETS_REQUEST,
    },
];

/// One row for each API that has a response, by key.
pub(crate) static RESPONSES: [Message; 89] = [
    Message { key: ApiKey::Produce, versions: (3, 13), flexible: (9, 13), root: &PRODUCE_RESPONSE },
    Message { key: ApiKey::Fetch, versions: (4, 18), flexible: (12, 18), root: &FETCH_RESPONSE },
    Message { key: ApiKey::ListOffsets, versions: (1, 11), flexible: (6, 11), root: &LIST_OFFSETS_RESPONSE },
    Message { key: ApiKey::Metadata, versions: (0, 13), flexible: (9, 13), root: &METADATA_RESPONSE },
    Message {
        key: ApiKey::OffsetCommit,
        versions: (2, 10),
        flexible: (8, 10),
        root: &OFFSET_COMMIT_RESPONSE,
    },
    Message { key: ApiKey::OffsetFetch, versions: (1, 10), flexible: (6, 10), root: &OFFSET_FETCH_RESPONSE },
    Message {
        key: ApiKey::FindCoordinator,
        versions: (0, 6),
        flexible: (3, 6),
        root: &FIND_COORDINATOR_RESPONSE,
    },
    Message { key: ApiKey::JoinGroup, versions: (0, 9), flexible: (6, 9), root: &JOIN_GROUP_RESPONSE },
    Message { key: ApiKey::Heartbeat, versions: (0, 4), flexible: (4, 4), root: &HEARTBEAT_RESPONSE },
    Message { key: ApiKey::LeaveGroup, versions: (0, 5), flexible: (4, 5), root: &LEAVE_GROUP_RESPONSE },
    Message { key: ApiKey::SyncGroup, versions: (0, 5), flexible: (4, 5), root: &SYNC_GROUP_RESPONSE },
    Message {
        key: ApiKey::DescribeGroups,
        versions: (0, 6),
        flexible: (5, 6),
        root: &DESCRIBE_GROUPS_RESPONSE,
    },
    Message { key: ApiKey::ListGroups, versions: (0, 5), flexible: (3, 5), root: &LIST_GROUPS_RESPONSE },
    Message { key: ApiKey::SaslHandshake, versions: (0, 1), flexible: NONE, root: &SASL_HANDSHAKE_RESPONSE },
    Message { key: ApiKey::ApiVersions, versions: (0, 4), flexible: (3, 4), root: &API_VERSIONS_RESPONSE },
    Message { key: ApiKey::CreateTopics, versions: (2, 7), flexible: (5, 7), root: &CREATE_TOPICS_RESPONSE },
    Message { key: ApiKey::DeleteTopics, versions: (1, 6), flexible: (4, 6), root: &DELETE_TOPICS_RESPONSE },
    Message {
        key: ApiKey::DeleteRecords,
        versions: (0, 2),
        flexible: (2, 2),
        root: &DELETE_RECORDS_RESPONSE,
    },
    Message {
        key: ApiKey::InitProducerId,
        versions: (0, 6),
        flexible: (2, 6),
        root: &INIT_PRODUCER_ID_RESPONSE,
    },
    Message {
        key: ApiKey::OffsetForLeaderEpoch,
        versions: (2, 4),
        flexible: (4, 4),
        root: &OFFSET_FOR_LEADER_EPOCH_RESPONSE,
    },
    Message {
        key: ApiKey::AddPartitionsToTxn,
        versions: (0, 5),
        flexible: (3, 5),
        root: &ADD_PARTITIONS_TO_TXN_RESPONSE,
    },
    Message {
        key: ApiKey::AddOffsetsToTxn,
        versions: (0, 4),
        flexible: (3, 4),
        root: &ADD_OFFSETS_TO_TXN_RESPONSE,
    },
    Message { key: ApiKey::EndTxn, versions: (0, 5), flexible: (3, 5), root: &END_TXN_RESPONSE },
    Message {
        key: ApiKey::WriteTxnMarkers,
        versions: (1, 2),
        flexible: (1, 2),
        root: &WRITE_TXN_MARKERS_RESPONSE,
    },
    Message {
        key: ApiKey::TxnOffsetCommit,
        versions: (0, 5),
        flexible: (3, 5),
        root: &TXN_OFFSET_COMMIT_RESPONSE,
    },
    Message { key: ApiKey::DescribeAcls, versions: (1, 3), flexible: (2, 3), root: &DESCRIBE_ACLS_RESPONSE },
    Message { key: ApiKey::CreateAcls, versions: (1, 3), flexible: (2, 3), root: &CREATE_ACLS_RESPONSE },
    Message { key: ApiKey::DeleteAcls, versions: (1, 3), flexible: (2, 3), root: &DELETE_ACLS_RESPONSE },
    Message {
        key: ApiKey::DescribeConfigs,
        versions: (1, 4),
        flexible: (4, 4),
        root: &DESCRIBE_CONFIGS_RESPONSE,
    },
    Message { key: ApiKey::AlterConfigs, versions: (0, 2), flexible: (2, 2), root: &ALTER_CONFIGS_RESPONSE },
    Message {
        key: ApiKey::AlterReplicaLogDirs,
        versions: (1, 2),
        flexible: (2, 2),
        root: &ALTER_REPLICA_LOG_DIRS_RESPONSE,
    },
    Message {
        key: ApiKey::DescribeLogDirs,
        versions: (1, 5),
        flexible: (2, 5),
        root: &DESCRIBE_LOG_DIRS_RESPONSE,
    },
    Message {
        key: ApiKey::SaslAuthenticate,
        versions: (0, 2),
        flexible: (2, 2),
        root: &SASL_AUTHENTICATE_RESPONSE,
    },
    Message {
        key: ApiKey::CreatePartitions,
        versions: (0, 3),
        flexible: (2, 3),
        root: &CREATE_PARTITIONS_RESPONSE,
    },
    Message {
        key: ApiKey::CreateDelegationToken,
        versions: (1, 3),
        flexible: (2, 3),
        root: &CREATE_DELEGATION_TOKEN_RESPONSE,
    },
    Message {
        key: ApiKey::RenewDelegationToken,
        versions: (1, 2),
        flexible: (2, 2),
        root: &RENEW_DELEGATION_TOKEN_RESPONSE,
    },
    Message {
        key: ApiKey::ExpireDelegationToken,
        versions: (1, 2),
        flexible: (2, 2),
        root: &EXPIRE_DELEGATION_TOKEN_RESPONSE,
    },
    Message {
        key: ApiKey::DescribeDelegationToken,
        versions: (1, 3),
        flexible: (2, 3),
        root: &DESCRIBE_DELEGATION_TOKEN_RESPONSE,
    },
    Message { key: ApiKey::DeleteGroups, versions: (0, 2), flexible: (2, 2), root: &DELETE_GROUPS_RESPONSE },
    Message { key: ApiKey::ElectLeaders, versions: (0, 2), flexible: (2, 2), root: &ELECT_LEADERS_RESPONSE },
    Message {
        key: ApiKey::IncrementalAlterConfigs,
        versions: (0, 1),
        flexible: (1, 1),
        root: &INCREMENTAL_ALTER_CONFIGS_RESPONSE,
    },
    Message {
        key: ApiKey::AlterPartitionReassignments,
        versions: (0, 1),
        flexible: (0, 1),
        root: &ALTER_PARTITION_REASSIGNMENTS_RESPONSE,
    },
    Message {
        key: ApiKey::ListPartitionReassignments,
        versions: (0, 0),
        flexible: (0, 0),
        root: &LIST_PARTITION_REASSIGNMENTS_RESPONSE,
    },
    Message { key: ApiKey::OffsetDelete, versions: (0, 0), flexible: NONE, root: &OFFSET_DELETE_RESPONSE },
    Message {
        key: ApiKey::DescribeClientQuotas,
        versions: (0, 1),
        flexible: (1, 1),
        root: &DESCRIBE_CLIENT_QUOTAS_RESPONSE,
    },
    Message {
        key: ApiKey::AlterClientQuotas,
        versions: (0, 1),
        flexible: (1, 1),
        root: &ALTER_CLIENT_QUOTAS_RESPONSE,
    },
    Message {
        key: ApiKey::DescribeUserScramCredentials,
        versions: (0, 0),
        flexible: (0, 0),
        root: &DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE,
    },
    Message {
        key: ApiKey::AlterUserScramCredentials,
        versions: (0, 0),
        flexible: (0, 0),
        root: &ALTER_USER_SCRAM_CREDENTIALS_RESPONSE,
    },
    Message { key: ApiKey::Vote, versions: (0, 2), flexible: (0, 2), root: &VOTE_RESPONSE },
    Message {
        key: ApiKey::BeginQuorumEpoch,
        versions: (0, 1),
        flexible: (1, 1),
        root: &BEGIN_QUORUM_EPOCH_RESPONSE,
    },
    Message {
        key: ApiKey::EndQuorumEpoch,
        versions: (0, 1),
        flexible: (1, 1),
        root: &END_QUORUM_EPOCH_RESPONSE,
    },
    Message {
        key: ApiKey::DescribeQuorum,
        versions: (0, 2),
        flexible: (0, 2),
        root: &DESCRIBE_QUORUM_RESPONSE,
    },
    Message {
        key: ApiKey::AlterPartition,
        versions: (2, 3),
        flexible: (2, 3),
        root: &ALTER_PARTITION_RESPONSE,
    },
    Message {
        key: ApiKey::UpdateFeatures,
        versions: (0, 2),
        flexible: (0, 2),
        root: &UPDATE_FEATURES_RESPONSE,
    },
    Message { key: ApiKey::Envelope, versions: (0, 0), flexible: (0, 0), root: &ENVELOPE_RESPONSE },
    Message {
        key: ApiKey::FetchSnapshot,
        versions: (0, 1),
        flexible: (0, 1),
        root: &FETCH_SNAPSHOT_RESPONSE,
    },
    Message {
        key: ApiKey::DescribeCluster,
        versions: (0, 2),
        flexible: (0, 2),
        root: &DESCRIBE_CLUSTER_RESPONSE,
    },
    Message {
        key: ApiKey::DescribeProducers,
        versions: (0, 0),
        flexible: (0, 0),
        root: &DESCRIBE_PRODUCERS_RESPONSE,
    },
    Message {
        key: ApiKey::BrokerRegistration,
        versions: (0, 4),
        flexible: (0, 4),
        root: &BROKER_REGISTRATION_RESPONSE,
    },
    Message {
        key: ApiKey::BrokerHeartbeat,
        versions: (0, 2),
        flexible: (0, 2),
        root: &BROKER_HEARTBEAT_RESPONSE,
    },
    Message {
        key: ApiKey::UnregisterBroker,
        versions: (0, 0),
        flexible: (0, 0),
        root: &UNREGISTER_BROKER_RESPONSE,
    },
    Message {
        key: ApiKey::DescribeTransactions,
        versions: (0, 0),
        flexible: (0, 0),
        root: &DESCRIBE_TRANSACTIONS_RESPONSE,
    },
    Message {
        key: ApiKey::ListTransactions,
        versions: (0, 2),
        flexible: (0, 2),
        root: &LIST_TRANSACTIONS_RESPONSE,
    },
    Message {
        key: ApiKey::AllocateProducerIds,
        versions: (0, 0),
        flexible: (0, 0),
        root: &ALLOCATE_PRODUCER_IDS_RESPONSE,
    },
    Message {
        key: ApiKey::ConsumerGroupHeartbeat,
        versions: (0, 1),
        flexible: (0, 1),
        root: &CONSUMER_GROUP_HEARTBEAT_RESPONSE,
    },
    Message {
        key: ApiKey::ConsumerGroupDescribe,
        versions: (0, 1),
        flexible: (0, 1),
        root: &CONSUMER_GROUP_DESCRIBE_RESPONSE,
    },
    Message {
        key: ApiKey::ControllerRegistration,
        versions: (0, 0),
        flexible: (0, 0),
        root: &CONTROLLER_REGISTRATION_RESPONSE,
    },
    Message {
        key: ApiKey::GetTelemetrySubscriptions,
        versions: (0, 0),
        flexible: (0, 0),
        root: &GET_TELEMETRY_SUBSCRIPTIONS_RESPONSE,
    },
    Message {
        key: ApiKey::PushTelemetry,
        versions: (0, 0),
        flexible: (0, 0),
        root: &PUSH_TELEMETRY_RESPONSE,
    },
    Message {
        key: ApiKey::AssignReplicasToDirs,
        versions: (0, 0),
        flexible: (0, 0),
        root: &ASSIGN_REPLICAS_TO_DIRS_RESPONSE,
    },
    Message {
        key: ApiKey::ListConfigResources,
        versions: (0, 1),
        flexible: (0, 1),
        root: &LIST_CONFIG_RESOURCES_RESPONSE,
    },
    Message {
        key: ApiKey::DescribeTopicPartitions,
        versions: (0, 0),
        flexible: (0, 0),
        root: &DESCRIBE_TOPIC_PARTITIONS_RESPONSE,
    },
    Message {
        key: ApiKey::ShareGroupHeartbeat,
        versions: (1, 1),
        flexible: (1, 1),
        root: &SHARE_GROUP_HEARTBEAT_RESPONSE,
    },
    Message {
        key: ApiKey::ShareGroupDescribe,
        versions: (1, 1),
        flexible: (1, 1),
        root: &SHARE_GROUP_DESCRIBE_RESPONSE,
    },
    Message { key: ApiKey::ShareFetch, versions: (1, 2), flexible: (1, 2), root: &SHARE_FETCH_RESPONSE },
    Message {
        key: ApiKey::ShareAcknowledge,
        versions: (1, 2),
        flexible: (1, 2),
        root: &SHARE_ACKNOWLEDGE_RESPONSE,
    },
    Message { key: ApiKey::AddRaftVoter, versions: (0, 1), flexible: (0, 1), root: &ADD_RAFT_VOTER_RESPONSE },
    Message {
        key: ApiKey::RemoveRaftVoter,
        versions: (0, 0),
        flexible: (0, 0),
        root: &REMOVE_RAFT_VOTER_RESPONSE,
    },
    Message {
        key: ApiKey::UpdateRaftVoter,
        versions: (0, 0),
        flexible: (0, 0),
        root: &UPDATE_RAFT_VOTER_RESPONSE,
    },
    Message {
        key: ApiKey::InitializeShareGroupState,
        versions: (0, 0),
        flexible: (0, 0),
        root: &INITIALIZE_SHARE_GROUP_STATE_RESPONSE,
    },
    Message {
        key: ApiKey::ReadShareGroupState,
        versions: (0, 0),
        flexible: (0, 0),
        root: &READ_SHARE_GROUP_STATE_RESPONSE,
    },
    Message {
        key: ApiKey::WriteShareGroupState,
        versions: (0, 1),
        flexible: (0, 1),
        root: &WRITE_SHARE_GROUP_STATE_RESPONSE,
    },
    Message {
        key: ApiKey::DeleteShareGroupState,
        versions: (0, 0),
        flexible: (0, 0),
        root: &DELETE_SHARE_GROUP_STATE_RESPONSE,
    },
    Message {
        key: ApiKey::ReadShareGroupStateSummary,
        versions: (0, 1),
        flexible: (0, 1),
        root: &READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE,
    },
    Message {
        key: ApiKey::StreamsGroupHeartbeat,
        versions: (0, 0),
        flexible: (0, 0),
        root: &STREAMS_GROUP_HEARTBEAT_RESPONSE,
    },
    Message {
        key: ApiKey::StreamsGroupDescribe,
        versions: (0, 0),
        flexible: (0, 0),
        root: &STREAMS_GROUP_DESCRIBE_RESPONSE,
    },
    Message {
        key: ApiKey::DescribeShareGroupOffsets,
        versions: (0, 1),
        flexible: (0, 1),
        root: &DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE,
    },
    Message {
        key: ApiKey::AlterShareGroupOffsets,
        versions: (0, 0),
        flexible: (0, 0),
        root: &ALTER_SHARE_GROUP_OFFSETS_RESPONSE,
    },
    Message {
        key: ApiKey::DeleteShareGroupOffsets,
        versions: (0, 0),
        flexible: (0, 0),
        root: &DELETE_SHARE_GROUP_OFFSETS_RESPONSE,
    },
];

static ADD_OFFSETS_TO_TXN_REQUEST: Struct = Struct {
    fields: &[
        field("TransactionalId", Kind::Text, (0, 4)).entity(Entity::TransactionalId),
        field("ProducerId", Kind::Int64, (0, 4)).entity(Entity::Producer),
        field("ProducerEpoch", Kind::Int16, (0, 4)),
        field("GroupId", Kind::Text, (0, 4)).entity(Entity::Group),
    ],
};

static ADD_OFFSETS_TO_TXN_RESPONSE: Struct = Struct {
    fields: &[field("ThrottleTimeMs", Kind::Int32, (0, 4)), field("ErrorCode", Kind::Int16, (0, 4))],
};

static ADD_PARTITIONS_TO_TXN_REQUEST: Struct = Struct {
    fields: &[
        field(
            "Transactions",
            Kind::Array(&Kind::Struct(&ADD_PARTITIONS_TO_TXN_REQUEST_ADD_PARTITIONS_TO_TXN_TRANSACTION)),
            (4, 5),
        ),
        field("V3AndBelowTransactionalId", Kind::Text, (0, 3)).entity(Entity::TransactionalId),
        field("V3AndBelowProducerId", Kind::Int64, (0, 3)).entity(Entity::Producer),
        field("V3AndBelowProducerEpoch", Kind::Int16, (0, 3)),
        field(
            "V3AndBelowTopics",
            Kind::Array(&Kind::Struct(&ADD_PARTITIONS_TO_TXN_REQUEST_ADD_PARTITIONS_TO_TXN_TOPIC)),
            (0, 3),
        ),
    ],
};

static ADD_PARTITIONS_TO_TXN_REQUEST_ADD_PARTITIONS_TO_TXN_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 5)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Int32), (0, 5)),
    ],
};

static ADD_PARTITIONS_TO_TXN_REQUEST_ADD_PARTITIONS_TO_TXN_TRANSACTION: Struct = Struct {
    fields: &[
        field("TransactionalId", Kind::Text, (4, 5)).entity(Entity::TransactionalId),
        field("ProducerId", Kind::Int64, (4, 5)).entity(Entity::Producer),
        field("ProducerEpoch", Kind::Int16, (4, 5)),
        field("VerifyOnly", Kind::Bool, (4, 5)).default("false"),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&ADD_PARTITIONS_TO_TXN_REQUEST_ADD_PARTITIONS_TO_TXN_TOPIC)),
            (4, 5),
        ),
    ],
};

static ADD_PARTITIONS_TO_TXN_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 5)),
        field("ErrorCode", Kind::Int16, (4, 5)),
        field(
            "ResultsByTransaction",
            Kind::Array(&Kind::Struct(&ADD_PARTITIONS_TO_TXN_RESPONSE_ADD_PARTITIONS_TO_TXN_RESULT)),
            (4, 5),
        ),
        field(
            "ResultsByTopicV3AndBelow",
            Kind::Array(&Kind::Struct(&ADD_PARTITIONS_TO_TXN_RESPONSE_ADD_PARTITIONS_TO_TXN_TOPIC_RESULT)),
            (0, 3),
        ),
    ],
};

static ADD_PARTITIONS_TO_TXN_RESPONSE_ADD_PARTITIONS_TO_TXN_PARTITION_RESULT: Struct = Struct {
    fields: &[field("PartitionIndex", Kind::Int32, (0, 5)), field("PartitionErrorCode", Kind::Int16, (0, 5))],
};

static ADD_PARTITIONS_TO_TXN_RESPONSE_ADD_PARTITIONS_TO_TXN_RESULT: Struct = Struct {
    fields: &[
        field("TransactionalId", Kind::Text, (4, 5)).entity(Entity::TransactionalId),
        field(
            "TopicResults",
            Kind::Array(&Kind::Struct(&ADD_PARTITIONS_TO_TXN_RESPONSE_ADD_PARTITIONS_TO_TXN_TOPIC_RESULT)),
            (4, 5),
        ),
    ],
};

static ADD_PARTITIONS_TO_TXN_RESPONSE_ADD_PARTITIONS_TO_TXN_TOPIC_RESULT: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 5)).entity(Entity::Topic),
        field(
            "ResultsByPartition",
            Kind::Array(&Kind::Struct(
                &ADD_PARTITIONS_TO_TXN_RESPONSE_ADD_PARTITIONS_TO_TXN_PARTITION_RESULT,
            )),
            (0, 5),
        ),
    ],
};

static ADD_RAFT_VOTER_REQUEST: Struct = Struct {
    fields: &[
        field("ClusterId", Kind::Text, (0, 1)).nullable((0, MAX)),
        field("TimeoutMs", Kind::Int32, (0, 1)),
        field("VoterId", Kind::Int32, (0, 1)),
        field("VoterDirectoryId", Kind::Uuid, (0, 1)),
        field("Listeners", Kind::Array(&Kind::Struct(&ADD_RAFT_VOTER_REQUEST_LISTENER)), (0, 1)),
        field("AckWhenCommitted", Kind::Bool, (1, 1)).default("true"),
    ],
};

static ADD_RAFT_VOTER_REQUEST_LISTENER: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 1)),
        field("Host", Kind::Text, (0, 1)),
        field("Port", Kind::Uint16, (0, 1)),
    ],
};

static ADD_RAFT_VOTER_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 1)),
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("ErrorMessage", Kind::Text, (0, 1)).nullable((0, MAX)),
    ],
};

static ALLOCATE_PRODUCER_IDS_REQUEST: Struct = Struct {
    fields: &[
        field("BrokerId", Kind::Int32, (0, 0)).entity(Entity::Broker),
        field("BrokerEpoch", Kind::Int64, (0, 0)).default("-1"),
    ],
};

static ALLOCATE_PRODUCER_IDS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ProducerIdStart", Kind::Int64, (0, 0)).entity(Entity::Producer),
        field("ProducerIdLen", Kind::Int32, (0, 0)),
    ],
};

static ALTER_CLIENT_QUOTAS_REQUEST: Struct = Struct {
    fields: &[
        field("Entries", Kind::Array(&Kind::Struct(&ALTER_CLIENT_QUOTAS_REQUEST_ENTRY_DATA)), (0, 1)),
        field("ValidateOnly", Kind::Bool, (0, 1)),
    ],
};

static ALTER_CLIENT_QUOTAS_REQUEST_ENTITY_DATA: Struct = Struct {
    fields: &[
        field("EntityType", Kind::Text, (0, 1)),
        field("EntityName", Kind::Text, (0, 1)).nullable((0, MAX)),
    ],
};

static ALTER_CLIENT_QUOTAS_REQUEST_ENTRY_DATA: Struct = Struct {
    fields: &[
        field("Entity", Kind::Array(&Kind::Struct(&ALTER_CLIENT_QUOTAS_REQUEST_ENTITY_DATA)), (0, 1)),
        field("Ops", Kind::Array(&Kind::Struct(&ALTER_CLIENT_QUOTAS_REQUEST_OP_DATA)), (0, 1)),
    ],
};

static ALTER_CLIENT_QUOTAS_REQUEST_OP_DATA: Struct = Struct {
    fields: &[
        field("Key", Kind::Text, (0, 1)),
        field("Value", Kind::Float64, (0, 1)),
        field("Remove", Kind::Bool, (0, 1)),
    ],
};

static ALTER_CLIENT_QUOTAS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 1)),
        field("Entries", Kind::Array(&Kind::Struct(&ALTER_CLIENT_QUOTAS_RESPONSE_ENTRY_DATA)), (0, 1)),
    ],
};

static ALTER_CLIENT_QUOTAS_RESPONSE_ENTITY_DATA: Struct = Struct {
    fields: &[
        field("EntityType", Kind::Text, (0, 1)),
        field("EntityName", Kind::Text, (0, 1)).nullable((0, MAX)),
    ],
};

static ALTER_CLIENT_QUOTAS_RESPONSE_ENTRY_DATA: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("ErrorMessage", Kind::Text, (0, 1)).nullable((0, MAX)),
        field("Entity", Kind::Array(&Kind::Struct(&ALTER_CLIENT_QUOTAS_RESPONSE_ENTITY_DATA)), (0, 1)),
    ],
};

static ALTER_CONFIGS_REQUEST: Struct = Struct {
    fields: &[
        field("Resources", Kind::Array(&Kind::Struct(&ALTER_CONFIGS_REQUEST_ALTER_CONFIGS_RESOURCE)), (0, 2)),
        field("ValidateOnly", Kind::Bool, (0, 2)),
    ],
};

static ALTER_CONFIGS_REQUEST_ALTERABLE_CONFIG: Struct = Struct {
    fields: &[field("Name", Kind::Text, (0, 2)), field("Value", Kind::Text, (0, 2)).nullable((0, MAX))],
};

static ALTER_CONFIGS_REQUEST_ALTER_CONFIGS_RESOURCE: Struct = Struct {
    fields: &[
        field("ResourceType", Kind::Int8, (0, 2)),
        field("ResourceName", Kind::Text, (0, 2)),
        field("Configs", Kind::Array(&Kind::Struct(&ALTER_CONFIGS_REQUEST_ALTERABLE_CONFIG)), (0, 2)),
    ],
};

static ALTER_CONFIGS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 2)),
        field(
            "Responses",
            Kind::Array(&Kind::Struct(&ALTER_CONFIGS_RESPONSE_ALTER_CONFIGS_RESOURCE_RESPONSE)),
            (0, 2),
        ),
    ],
};

static ALTER_CONFIGS_RESPONSE_ALTER_CONFIGS_RESOURCE_RESPONSE: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 2)),
        field("ErrorMessage", Kind::Text, (0, 2)).nullable((0, MAX)),
        field("ResourceType", Kind::Int8, (0, 2)),
        field("ResourceName", Kind::Text, (0, 2)),
    ],
};

static ALTER_PARTITION_REASSIGNMENTS_REQUEST: Struct = Struct {
    fields: &[
        field("TimeoutMs", Kind::Int32, (0, 1)).default("60000"),
        field("AllowReplicationFactorChange", Kind::Bool, (1, 1)).default("true"),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&ALTER_PARTITION_REASSIGNMENTS_REQUEST_REASSIGNABLE_TOPIC)),
            (0, 1),
        ),
    ],
};

static ALTER_PARTITION_REASSIGNMENTS_REQUEST_REASSIGNABLE_PARTITION: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (0, 1)),
        field("Replicas", Kind::Array(&Kind::Int32), (0, 1))
            .nullable((0, MAX))
            .default("null")
            .entity(Entity::Broker),
    ],
};

static ALTER_PARTITION_REASSIGNMENTS_REQUEST_REASSIGNABLE_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 1)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&ALTER_PARTITION_REASSIGNMENTS_REQUEST_REASSIGNABLE_PARTITION)),
            (0, 1),
        ),
    ],
};

static ALTER_PARTITION_REASSIGNMENTS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 1)),
        field("AllowReplicationFactorChange", Kind::Bool, (1, 1)).default("true"),
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("ErrorMessage", Kind::Text, (0, 1)).nullable((0, MAX)),
        field(
            "Responses",
            Kind::Array(&Kind::Struct(&ALTER_PARTITION_REASSIGNMENTS_RESPONSE_REASSIGNABLE_TOPIC_RESPONSE)),
            (0, 1),
        ),
    ],
};

static ALTER_PARTITION_REASSIGNMENTS_RESPONSE_REASSIGNABLE_PARTITION_RESPONSE: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (0, 1)),
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("ErrorMessage", Kind::Text, (0, 1)).nullable((0, MAX)),
    ],
};

static ALTER_PARTITION_REASSIGNMENTS_RESPONSE_REASSIGNABLE_TOPIC_RESPONSE: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 1)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(
                &ALTER_PARTITION_REASSIGNMENTS_RESPONSE_REASSIGNABLE_PARTITION_RESPONSE,
            )),
            (0, 1),
        ),
    ],
};

static ALTER_PARTITION_REQUEST: Struct = Struct {
    fields: &[
        field("BrokerId", Kind::Int32, (2, 3)).entity(Entity::Broker),
        field("BrokerEpoch", Kind::Int64, (2, 3)).default("-1"),
        field("Topics", Kind::Array(&Kind::Struct(&ALTER_PARTITION_REQUEST_TOPIC_DATA)), (2, 3)),
    ],
};

static ALTER_PARTITION_REQUEST_BROKER_STATE: Struct = Struct {
    fields: &[
        field("BrokerId", Kind::Int32, (3, 3)).entity(Entity::Broker),
        field("BrokerEpoch", Kind::Int64, (3, 3)).default("-1"),
    ],
};

static ALTER_PARTITION_REQUEST_PARTITION_DATA: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (2, 3)),
        field("LeaderEpoch", Kind::Int32, (2, 3)),
        field("NewIsr", Kind::Array(&Kind::Int32), (2, 2)).entity(Entity::Broker),
        field("NewIsrWithEpochs", Kind::Array(&Kind::Struct(&ALTER_PARTITION_REQUEST_BROKER_STATE)), (3, 3)),
        field("LeaderRecoveryState", Kind::Int8, (2, 3)).default("0"),
        field("PartitionEpoch", Kind::Int32, (2, 3)),
    ],
};

static ALTER_PARTITION_REQUEST_TOPIC_DATA: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (2, 3)),
        field("Partitions", Kind::Array(&Kind::Struct(&ALTER_PARTITION_REQUEST_PARTITION_DATA)), (2, 3)),
    ],
};

static ALTER_PARTITION_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (2, 3)),
        field("ErrorCode", Kind::Int16, (2, 3)),
        field("Topics", Kind::Array(&Kind::Struct(&ALTER_PARTITION_RESPONSE_TOPIC_DATA)), (2, 3)),
    ],
};

static ALTER_PARTITION_RESPONSE_PARTITION_DATA: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (2, 3)),
        field("ErrorCode", Kind::Int16, (2, 3)),
        field("LeaderId", Kind::Int32, (2, 3)).entity(Entity::Broker),
        field("LeaderEpoch", Kind::Int32, (2, 3)),
        field("Isr", Kind::Array(&Kind::Int32), (2, 3)).entity(Entity::Broker),
        field("LeaderRecoveryState", Kind::Int8, (2, 3)).default("0"),
        field("PartitionEpoch", Kind::Int32, (2, 3)),
    ],
};

static ALTER_PARTITION_RESPONSE_TOPIC_DATA: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (2, 3)),
        field("Partitions", Kind::Array(&Kind::Struct(&ALTER_PARTITION_RESPONSE_PARTITION_DATA)), (2, 3)),
    ],
};

static ALTER_REPLICA_LOG_DIRS_REQUEST: Struct = Struct {
    fields: &[field(
        "Dirs",
        Kind::Array(&Kind::Struct(&ALTER_REPLICA_LOG_DIRS_REQUEST_ALTER_REPLICA_LOG_DIR)),
        (1, 2),
    )],
};

static ALTER_REPLICA_LOG_DIRS_REQUEST_ALTER_REPLICA_LOG_DIR: Struct = Struct {
    fields: &[
        field("Path", Kind::Text, (1, 2)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&ALTER_REPLICA_LOG_DIRS_REQUEST_ALTER_REPLICA_LOG_DIR_TOPIC)),
            (1, 2),
        ),
    ],
};

static ALTER_REPLICA_LOG_DIRS_REQUEST_ALTER_REPLICA_LOG_DIR_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (1, 2)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Int32), (1, 2)),
    ],
};

static ALTER_REPLICA_LOG_DIRS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 2)),
        field(
            "Results",
            Kind::Array(&Kind::Struct(&ALTER_REPLICA_LOG_DIRS_RESPONSE_ALTER_REPLICA_LOG_DIR_TOPIC_RESULT)),
            (1, 2),
        ),
    ],
};

static ALTER_REPLICA_LOG_DIRS_RESPONSE_ALTER_REPLICA_LOG_DIR_PARTITION_RESULT: Struct = Struct {
    fields: &[field("PartitionIndex", Kind::Int32, (1, 2)), field("ErrorCode", Kind::Int16, (1, 2))],
};

static ALTER_REPLICA_LOG_DIRS_RESPONSE_ALTER_REPLICA_LOG_DIR_TOPIC_RESULT: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (1, 2)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(
                &ALTER_REPLICA_LOG_DIRS_RESPONSE_ALTER_REPLICA_LOG_DIR_PARTITION_RESULT,
            )),
            (1, 2),
        ),
    ],
};

static ALTER_SHARE_GROUP_OFFSETS_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 0)).entity(Entity::Group),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(
                &ALTER_SHARE_GROUP_OFFSETS_REQUEST_ALTER_SHARE_GROUP_OFFSETS_REQUEST_TOPIC,
            )),
            (0, 0),
        ),
    ],
};

static ALTER_SHARE_GROUP_OFFSETS_REQUEST_ALTER_SHARE_GROUP_OFFSETS_REQUEST_PARTITION: Struct = Struct {
    fields: &[field("PartitionIndex", Kind::Int32, (0, 0)), field("StartOffset", Kind::Int64, (0, 0))],
};

static ALTER_SHARE_GROUP_OFFSETS_REQUEST_ALTER_SHARE_GROUP_OFFSETS_REQUEST_TOPIC: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 0)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(
                &ALTER_SHARE_GROUP_OFFSETS_REQUEST_ALTER_SHARE_GROUP_OFFSETS_REQUEST_PARTITION,
            )),
            (0, 0),
        ),
    ],
};

static ALTER_SHARE_GROUP_OFFSETS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
        field(
            "Responses",
            Kind::Array(&Kind::Struct(
                &ALTER_SHARE_GROUP_OFFSETS_RESPONSE_ALTER_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC,
            )),
            (0, 0),
        ),
    ],
};

static ALTER_SHARE_GROUP_OFFSETS_RESPONSE_ALTER_SHARE_GROUP_OFFSETS_RESPONSE_PARTITION: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
    ],
};

static ALTER_SHARE_GROUP_OFFSETS_RESPONSE_ALTER_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 0)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (0, 0)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(
                &ALTER_SHARE_GROUP_OFFSETS_RESPONSE_ALTER_SHARE_GROUP_OFFSETS_RESPONSE_PARTITION,
            )),
            (0, 0),
        ),
    ],
};

static ALTER_USER_SCRAM_CREDENTIALS_REQUEST: Struct = Struct {
    fields: &[
        field(
            "Deletions",
            Kind::Array(&Kind::Struct(&ALTER_USER_SCRAM_CREDENTIALS_REQUEST_SCRAM_CREDENTIAL_DELETION)),
            (0, 0),
        ),
        field(
            "Upsertions",
            Kind::Array(&Kind::Struct(&ALTER_USER_SCRAM_CREDENTIALS_REQUEST_SCRAM_CREDENTIAL_UPSERTION)),
            (0, 0),
        ),
    ],
};

static ALTER_USER_SCRAM_CREDENTIALS_REQUEST_SCRAM_CREDENTIAL_DELETION: Struct =
    Struct { fields: &[field("Name", Kind::Text, (0, 0)), field("Mechanism", Kind::Int8, (0, 0))] };

static ALTER_USER_SCRAM_CREDENTIALS_REQUEST_SCRAM_CREDENTIAL_UPSERTION: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 0)),
        field("Mechanism", Kind::Int8, (0, 0)),
        field("Iterations", Kind::Int32, (0, 0)),
        field("Salt", Kind::Bytes, (0, 0)),
        field("SaltedPassword", Kind::Bytes, (0, 0)),
    ],
};

static ALTER_USER_SCRAM_CREDENTIALS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field(
            "Results",
            Kind::Array(&Kind::Struct(
                &ALTER_USER_SCRAM_CREDENTIALS_RESPONSE_ALTER_USER_SCRAM_CREDENTIALS_RESULT,
            )),
            (0, 0),
        ),
    ],
};

static ALTER_USER_SCRAM_CREDENTIALS_RESPONSE_ALTER_USER_SCRAM_CREDENTIALS_RESULT: Struct = Struct {
    fields: &[
        field("User", Kind::Text, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)),
    ],
};

static API_VERSIONS_REQUEST: Struct = Struct {
    fields: &[
        field("ClientSoftwareName", Kind::Text, (3, 4)),
        field("ClientSoftwareVersion", Kind::Text, (3, 4)),
    ],
};

static API_VERSIONS_RESPONSE: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 4)),
        field("ApiKeys", Kind::Array(&Kind::Struct(&API_VERSIONS_RESPONSE_API_VERSION)), (0, 4)),
        field("ThrottleTimeMs", Kind::Int32, (1, 4)),
        field(
            "SupportedFeatures",
            Kind::Array(&Kind::Struct(&API_VERSIONS_RESPONSE_SUPPORTED_FEATURE_KEY)),
            (3, 4),
        )
        .tagged(0, (3, MAX)),
        field("FinalizedFeaturesEpoch", Kind::Int64, (3, 4)).tagged(1, (3, MAX)).default("-1"),
        field(
            "FinalizedFeatures",
            Kind::Array(&Kind::Struct(&API_VERSIONS_RESPONSE_FINALIZED_FEATURE_KEY)),
            (3, 4),
        )
        .tagged(2, (3, MAX)),
        field("ZkMigrationReady", Kind::Bool, (3, 4)).tagged(3, (3, MAX)).default("false"),
    ],
};

static API_VERSIONS_RESPONSE_API_VERSION: Struct = Struct {
    fields: &[
        field("ApiKey", Kind::Int16, (0, 4)),
        field("MinVersion", Kind::Int16, (0, 4)),
        field("MaxVersion", Kind::Int16, (0, 4)),
    ],
};

static API_VERSIONS_RESPONSE_FINALIZED_FEATURE_KEY: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (3, 4)),
        field("MaxVersionLevel", Kind::Int16, (3, 4)),
        field("MinVersionLevel", Kind::Int16, (3, 4)),
    ],
};

static API_VERSIONS_RESPONSE_SUPPORTED_FEATURE_KEY: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (3, 4)),
        field("MinVersion", Kind::Int16, (3, 4)),
        field("MaxVersion", Kind::Int16, (3, 4)),
    ],
};

static ASSIGN_REPLICAS_TO_DIRS_REQUEST: Struct = Struct {
    fields: &[
        field("BrokerId", Kind::Int32, (0, 0)).entity(Entity::Broker),
        field("BrokerEpoch", Kind::Int64, (0, 0)).default("-1"),
        field(
            "Directories",
            Kind::Array(&Kind::Struct(&ASSIGN_REPLICAS_TO_DIRS_REQUEST_DIRECTORY_DATA)),
            (0, 0),
        ),
    ],
};

static ASSIGN_REPLICAS_TO_DIRS_REQUEST_DIRECTORY_DATA: Struct = Struct {
    fields: &[
        field("Id", Kind::Uuid, (0, 0)),
        field("Topics", Kind::Array(&Kind::Struct(&ASSIGN_REPLICAS_TO_DIRS_REQUEST_TOPIC_DATA)), (0, 0)),
    ],
};

static ASSIGN_REPLICAS_TO_DIRS_REQUEST_PARTITION_DATA: Struct =
    Struct { fields: &[field("PartitionIndex", Kind::Int32, (0, 0))] };

static ASSIGN_REPLICAS_TO_DIRS_REQUEST_TOPIC_DATA: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (0, 0)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&ASSIGN_REPLICAS_TO_DIRS_REQUEST_PARTITION_DATA)),
            (0, 0),
        ),
    ],
};

static ASSIGN_REPLICAS_TO_DIRS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field(
            "Directories",
            Kind::Array(&Kind::Struct(&ASSIGN_REPLICAS_TO_DIRS_RESPONSE_DIRECTORY_DATA)),
            (0, 0),
        ),
    ],
};

static ASSIGN_REPLICAS_TO_DIRS_RESPONSE_DIRECTORY_DATA: Struct = Struct {
    fields: &[
        field("Id", Kind::Uuid, (0, 0)),
        field("Topics", Kind::Array(&Kind::Struct(&ASSIGN_REPLICAS_TO_DIRS_RESPONSE_TOPIC_DATA)), (0, 0)),
    ],
};

static ASSIGN_REPLICAS_TO_DIRS_RESPONSE_PARTITION_DATA: Struct = Struct {
    fields: &[field("PartitionIndex", Kind::Int32, (0, 0)), field("ErrorCode", Kind::Int16, (0, 0))],
};

static ASSIGN_REPLICAS_TO_DIRS_RESPONSE_TOPIC_DATA: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (0, 0)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&ASSIGN_REPLICAS_TO_DIRS_RESPONSE_PARTITION_DATA)),
            (0, 0),
        ),
    ],
};

static BEGIN_QUORUM_EPOCH_REQUEST: Struct = Struct {
    fields: &[
        field("ClusterId", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
        field("VoterId", Kind::Int32, (1, 1)).default("-1").entity(Entity::Broker),
        field("Topics", Kind::Array(&Kind::Struct(&BEGIN_QUORUM_EPOCH_REQUEST_TOPIC_DATA)), (0, 1)),
        field(
            "LeaderEndpoints",
            Kind::Array(&Kind::Struct(&BEGIN_QUORUM_EPOCH_REQUEST_LEADER_ENDPOINT)),
            (1, 1),
        ),
    ],
};

static BEGIN_QUORUM_EPOCH_REQUEST_LEADER_ENDPOINT: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (1, 1)),
        field("Host", Kind::Text, (1, 1)),
        field("Port", Kind::Uint16, (1, 1)),
    ],
};

static BEGIN_QUORUM_EPOCH_REQUEST_PARTITION_DATA: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (0, 1)),
        field("VoterDirectoryId", Kind::Uuid, (1, 1)),
        field("LeaderId", Kind::Int32, (0, 1)).entity(Entity::Broker),
        field("LeaderEpoch", Kind::Int32, (0, 1)),
    ],
};

static BEGIN_QUORUM_EPOCH_REQUEST_TOPIC_DATA: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 1)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Struct(&BEGIN_QUORUM_EPOCH_REQUEST_PARTITION_DATA)), (0, 1)),
    ],
};

static BEGIN_QUORUM_EPOCH_RESPONSE: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("Topics", Kind::Array(&Kind::Struct(&BEGIN_QUORUM_EPOCH_RESPONSE_TOPIC_DATA)), (0, 1)),
        field(
            "NodeEndpoints",
            Kind::Array(&Kind::Struct(&BEGIN_QUORUM_EPOCH_RESPONSE_NODE_ENDPOINT)),
            (1, 1),
        )
        .tagged(0, (1, MAX)),
    ],
};

static BEGIN_QUORUM_EPOCH_RESPONSE_NODE_ENDPOINT: Struct = Struct {
    fields: &[
        field("NodeId", Kind::Int32, (1, 1)).entity(Entity::Broker),
        field("Host", Kind::Text, (1, 1)),
        field("Port", Kind::Uint16, (1, 1)),
    ],
};

static BEGIN_QUORUM_EPOCH_RESPONSE_PARTITION_DATA: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (0, 1)),
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("LeaderId", Kind::Int32, (0, 1)).entity(Entity::Broker),
        field("LeaderEpoch", Kind::Int32, (0, 1)),
    ],
};

static BEGIN_QUORUM_EPOCH_RESPONSE_TOPIC_DATA: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 1)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Struct(&BEGIN_QUORUM_EPOCH_RESPONSE_PARTITION_DATA)), (0, 1)),
    ],
};

static BROKER_HEARTBEAT_REQUEST: Struct = Struct {
    fields: &[
        field("BrokerId", Kind::Int32, (0, 2)).entity(Entity::Broker),
        field("BrokerEpoch", Kind::Int64, (0, 2)).default("-1"),
        field("CurrentMetadataOffset", Kind::Int64, (0, 2)),
        field("WantFence", Kind::Bool, (0, 2)),
        field("WantShutDown", Kind::Bool, (0, 2)),
        field("OfflineLogDirs", Kind::Array(&Kind::Uuid), (1, 2)).tagged(0, (1, MAX)),
        field("CordonedLogDirs", Kind::Array(&Kind::Uuid), (2, 2))
            .nullable((2, MAX))
            .tagged(1, (2, MAX))
            .default("null"),
    ],
};

static BROKER_HEARTBEAT_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 2)),
        field("ErrorCode", Kind::Int16, (0, 2)),
        field("IsCaughtUp", Kind::Bool, (0, 2)).default("false"),
        field("IsFenced", Kind::Bool, (0, 2)).default("true"),
        field("ShouldShutDown", Kind::Bool, (0, 2)),
    ],
};

static BROKER_REGISTRATION_REQUEST: Struct = Struct {
    fields: &[
        field("BrokerId", Kind::Int32, (0, 4)).entity(Entity::Broker),
        field("ClusterId", Kind::Text, (0, 4)),
        field("IncarnationId", Kind::Uuid, (0, 4)),
        field("Listeners", Kind::Array(&Kind::Struct(&BROKER_REGISTRATION_REQUEST_LISTENER)), (0, 4)),
        field("Features", Kind::Array(&Kind::Struct(&BROKER_REGISTRATION_REQUEST_FEATURE)), (0, 4)),
        field("Rack", Kind::Text, (0, 4)).nullable((0, MAX)),
        field("IsMigratingZkBroker", Kind::Bool, (1, 4)).default("false"),
        field("LogDirs", Kind::Array(&Kind::Uuid), (2, 4)),
        field("PreviousBrokerEpoch", Kind::Int64, (3, 4)).default("-1"),
    ],
};

static BROKER_REGISTRATION_REQUEST_FEATURE: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 4)),
        field("MinSupportedVersion", Kind::Int16, (0, 4)),
        field("MaxSupportedVersion", Kind::Int16, (0, 4)),
    ],
};

static BROKER_REGISTRATION_REQUEST_LISTENER: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 4)),
        field("Host", Kind::Text, (0, 4)),
        field("Port", Kind::Uint16, (0, 4)),
        field("SecurityProtocol", Kind::Int16, (0, 4)),
    ],
};

static BROKER_REGISTRATION_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 4)),
        field("ErrorCode", Kind::Int16, (0, 4)),
        field("BrokerEpoch", Kind::Int64, (0, 4)).default("-1"),
    ],
};

static CONSUMER_GROUP_DESCRIBE_REQUEST: Struct = Struct {
    fields: &[
        field("GroupIds", Kind::Array(&Kind::Text), (0, 1)).entity(Entity::Group),
        field("IncludeAuthorizedOperations", Kind::Bool, (0, 1)),
    ],
};

static CONSUMER_GROUP_DESCRIBE_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 1)),
        field(
            "Groups",
            Kind::Array(&Kind::Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_DESCRIBED_GROUP)),
            (0, 1),
        ),
    ],
};

static CONSUMER_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT: Struct = Struct {
    fields: &[field(
        "TopicPartitions",
        Kind::Array(&Kind::Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_TOPIC_PARTITIONS)),
        (0, 1),
    )],
};

static CONSUMER_GROUP_DESCRIBE_RESPONSE_DESCRIBED_GROUP: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("ErrorMessage", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
        field("GroupId", Kind::Text, (0, 1)).entity(Entity::Group),
        field("GroupState", Kind::Text, (0, 1)),
        field("GroupEpoch", Kind::Int32, (0, 1)),
        field("AssignmentEpoch", Kind::Int32, (0, 1)),
        field("AssignorName", Kind::Text, (0, 1)),
        field("Members", Kind::Array(&Kind::Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_MEMBER)), (0, 1)),
        field("AuthorizedOperations", Kind::Int32, (0, 1)).default("-2147483648"),
    ],
};

static CONSUMER_GROUP_DESCRIBE_RESPONSE_MEMBER: Struct = Struct {
    fields: &[
        field("MemberId", Kind::Text, (0, 1)),
        field("InstanceId", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
        field("RackId", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
        field("MemberEpoch", Kind::Int32, (0, 1)),
        field("ClientId", Kind::Text, (0, 1)),
        field("ClientHost", Kind::Text, (0, 1)),
        field("SubscribedTopicNames", Kind::Array(&Kind::Text), (0, 1)).entity(Entity::Topic),
        field("SubscribedTopicRegex", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
        field("Assignment", Kind::Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT), (0, 1)),
        field("TargetAssignment", Kind::Struct(&CONSUMER_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT), (0, 1)),
        field("MemberType", Kind::Int8, (1, 1)).default("-1"),
    ],
};

static CONSUMER_GROUP_DESCRIBE_RESPONSE_TOPIC_PARTITIONS: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (0, 1)),
        field("TopicName", Kind::Text, (0, 1)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Int32), (0, 1)),
    ],
};

static CONSUMER_GROUP_HEARTBEAT_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 1)).entity(Entity::Group),
        field("MemberId", Kind::Text, (0, 1)),
        field("MemberEpoch", Kind::Int32, (0, 1)),
        field("InstanceId", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
        field("RackId", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
        field("RebalanceTimeoutMs", Kind::Int32, (0, 1)).default("-1"),
        field("SubscribedTopicNames", Kind::Array(&Kind::Text), (0, 1))
            .nullable((0, MAX))
            .default("null")
            .entity(Entity::Topic),
        field("SubscribedTopicRegex", Kind::Text, (1, 1)).nullable((1, MAX)).default("null"),
        field("ServerAssignor", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
        field(
            "TopicPartitions",
            Kind::Array(&Kind::Struct(&CONSUMER_GROUP_HEARTBEAT_REQUEST_TOPIC_PARTITIONS)),
            (0, 1),
        )
        .nullable((0, MAX))
        .default("null"),
    ],
};

static CONSUMER_GROUP_HEARTBEAT_REQUEST_TOPIC_PARTITIONS: Struct = Struct {
    fields: &[field("TopicId", Kind::Uuid, (0, 1)), field("Partitions", Kind::Array(&Kind::Int32), (0, 1))],
};

static CONSUMER_GROUP_HEARTBEAT_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 1)),
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("ErrorMessage", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
        field("MemberId", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
        field("MemberEpoch", Kind::Int32, (0, 1)),
        field("HeartbeatIntervalMs", Kind::Int32, (0, 1)),
        field("Assignment", Kind::Struct(&CONSUMER_GROUP_HEARTBEAT_RESPONSE_ASSIGNMENT), (0, 1))
            .nullable((0, MAX))
            .default("null"),
    ],
};

static CONSUMER_GROUP_HEARTBEAT_RESPONSE_ASSIGNMENT: Struct = Struct {
    fields: &[field(
        "TopicPartitions",
        Kind::Array(&Kind::Struct(&CONSUMER_GROUP_HEARTBEAT_RESPONSE_TOPIC_PARTITIONS)),
        (0, 1),
    )],
};

static CONSUMER_GROUP_HEARTBEAT_RESPONSE_TOPIC_PARTITIONS: Struct = Struct {
    fields: &[field("TopicId", Kind::Uuid, (0, 1)), field("Partitions", Kind::Array(&Kind::Int32), (0, 1))],
};

static CONTROLLER_REGISTRATION_REQUEST: Struct = Struct {
    fields: &[
        field("ControllerId", Kind::Int32, (0, 0)),
        field("IncarnationId", Kind::Uuid, (0, 0)),
        field("ZkMigrationReady", Kind::Bool, (0, 0)),
        field("Listeners", Kind::Array(&Kind::Struct(&CONTROLLER_REGISTRATION_REQUEST_LISTENER)), (0, 0)),
        field("Features", Kind::Array(&Kind::Struct(&CONTROLLER_REGISTRATION_REQUEST_FEATURE)), (0, 0)),
    ],
};

static CONTROLLER_REGISTRATION_REQUEST_FEATURE: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 0)),
        field("MinSupportedVersion", Kind::Int16, (0, 0)),
        field("MaxSupportedVersion", Kind::Int16, (0, 0)),
    ],
};

static CONTROLLER_REGISTRATION_REQUEST_LISTENER: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 0)),
        field("Host", Kind::Text, (0, 0)),
        field("Port", Kind::Uint16, (0, 0)),
        field("SecurityProtocol", Kind::Int16, (0, 0)),
    ],
};

static CONTROLLER_REGISTRATION_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)),
    ],
};

static CREATE_ACLS_REQUEST: Struct = Struct {
    fields: &[field("Creations", Kind::Array(&Kind::Struct(&CREATE_ACLS_REQUEST_ACL_CREATION)), (1, 3))],
};

static CREATE_ACLS_REQUEST_ACL_CREATION: Struct = Struct {
    fields: &[
        field("ResourceType", Kind::Int8, (1, 3)),
        field("ResourceName", Kind::Text, (1, 3)),
        field("ResourcePatternType", Kind::Int8, (1, 3)).default("3"),
        field("Principal", Kind::Text, (1, 3)),
        field("Host", Kind::Text, (1, 3)),
        field("Operation", Kind::Int8, (1, 3)),
        field("PermissionType", Kind::Int8, (1, 3)),
    ],
};

static CREATE_ACLS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 3)),
        field("Results", Kind::Array(&Kind::Struct(&CREATE_ACLS_RESPONSE_ACL_CREATION_RESULT)), (1, 3)),
    ],
};

static CREATE_ACLS_RESPONSE_ACL_CREATION_RESULT: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (1, 3)),
        field("ErrorMessage", Kind::Text, (1, 3)).nullable((0, MAX)),
    ],
};

static CREATE_DELEGATION_TOKEN_REQUEST: Struct = Struct {
    fields: &[
        field("OwnerPrincipalType", Kind::Text, (3, 3)).nullable((3, MAX)),
        field("OwnerPrincipalName", Kind::Text, (3, 3)).nullable((3, MAX)),
        field(
            "Renewers",
            Kind::Array(&Kind::Struct(&CREATE_DELEGATION_TOKEN_REQUEST_CREATABLE_RENEWERS)),
            (1, 3),
        ),
        field("MaxLifetimeMs", Kind::Int64, (1, 3)),
    ],
};

static CREATE_DELEGATION_TOKEN_REQUEST_CREATABLE_RENEWERS: Struct = Struct {
    fields: &[field("PrincipalType", Kind::Text, (1, 3)), field("PrincipalName", Kind::Text, (1, 3))],
};

static CREATE_DELEGATION_TOKEN_RESPONSE: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (1, 3)),
        field("PrincipalType", Kind::Text, (1, 3)),
        field("PrincipalName", Kind::Text, (1, 3)),
        field("TokenRequesterPrincipalType", Kind::Text, (3, 3)),
        field("TokenRequesterPrincipalName", Kind::Text, (3, 3)),
        field("IssueTimestampMs", Kind::Int64, (1, 3)),
        field("ExpiryTimestampMs", Kind::Int64, (1, 3)),
        field("MaxTimestampMs", Kind::Int64, (1, 3)),
        field("TokenId", Kind::Text, (1, 3)),
        field("Hmac", Kind::Bytes, (1, 3)),
        field("ThrottleTimeMs", Kind::Int32, (1, 3)),
    ],
};

static CREATE_PARTITIONS_REQUEST: Struct = Struct {
    fields: &[
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&CREATE_PARTITIONS_REQUEST_CREATE_PARTITIONS_TOPIC)),
            (0, 3),
        ),
        field("TimeoutMs", Kind::Int32, (0, 3)),
        field("ValidateOnly", Kind::Bool, (0, 3)),
    ],
};

static CREATE_PARTITIONS_REQUEST_CREATE_PARTITIONS_ASSIGNMENT: Struct =
    Struct { fields: &[field("BrokerIds", Kind::Array(&Kind::Int32), (0, 3)).entity(Entity::Broker)] };

static CREATE_PARTITIONS_REQUEST_CREATE_PARTITIONS_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 3)).entity(Entity::Topic),
        field("Count", Kind::Int32, (0, 3)),
        field(
            "Assignments",
            Kind::Array(&Kind::Struct(&CREATE_PARTITIONS_REQUEST_CREATE_PARTITIONS_ASSIGNMENT)),
            (0, 3),
        )
        .nullable((0, MAX)),
    ],
};

static CREATE_PARTITIONS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 3)),
        field(
            "Results",
            Kind::Array(&Kind::Struct(&CREATE_PARTITIONS_RESPONSE_CREATE_PARTITIONS_TOPIC_RESULT)),
            (0, 3),
        ),
    ],
};

static CREATE_PARTITIONS_RESPONSE_CREATE_PARTITIONS_TOPIC_RESULT: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 3)).entity(Entity::Topic),
        field("ErrorCode", Kind::Int16, (0, 3)),
        field("ErrorMessage", Kind::Text, (0, 3)).nullable((0, MAX)).default("null"),
    ],
};

static CREATE_TOPICS_REQUEST: Struct = Struct {
    fields: &[
        field("Topics", Kind::Array(&Kind::Struct(&CREATE_TOPICS_REQUEST_CREATABLE_TOPIC)), (2, 7)),
        field("timeoutMs", Kind::Int32, (2, 7)).default("60000"),
        field("validateOnly", Kind::Bool, (2, 7)).default("false"),
    ],
};

static CREATE_TOPICS_REQUEST_CREATABLE_REPLICA_ASSIGNMENT: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (2, 7)),
        field("BrokerIds", Kind::Array(&Kind::Int32), (2, 7)).entity(Entity::Broker),
    ],
};

static CREATE_TOPICS_REQUEST_CREATABLE_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (2, 7)).entity(Entity::Topic),
        field("NumPartitions", Kind::Int32, (2, 7)),
        field("ReplicationFactor", Kind::Int16, (2, 7)),
        field(
            "Assignments",
            Kind::Array(&Kind::Struct(&CREATE_TOPICS_REQUEST_CREATABLE_REPLICA_ASSIGNMENT)),
            (2, 7),
        ),
        field("Configs", Kind::Array(&Kind::Struct(&CREATE_TOPICS_REQUEST_CREATABLE_TOPIC_CONFIG)), (2, 7)),
    ],
};

static CREATE_TOPICS_REQUEST_CREATABLE_TOPIC_CONFIG: Struct = Struct {
    fields: &[field("Name", Kind::Text, (2, 7)), field("Value", Kind::Text, (2, 7)).nullable((0, MAX))],
};

static CREATE_TOPICS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (2, 7)),
        field("Topics", Kind::Array(&Kind::Struct(&CREATE_TOPICS_RESPONSE_CREATABLE_TOPIC_RESULT)), (2, 7)),
    ],
};

static CREATE_TOPICS_RESPONSE_CREATABLE_TOPIC_CONFIGS: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (5, 7)),
        field("Value", Kind::Text, (5, 7)).nullable((5, MAX)),
        field("ReadOnly", Kind::Bool, (5, 7)),
        field("ConfigSource", Kind::Int8, (5, 7)).default("-1"),
        field("IsSensitive", Kind::Bool, (5, 7)),
    ],
};

static CREATE_TOPICS_RESPONSE_CREATABLE_TOPIC_RESULT: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (2, 7)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (7, 7)),
        field("ErrorCode", Kind::Int16, (2, 7)),
        field("ErrorMessage", Kind::Text, (2, 7)).nullable((0, MAX)),
        field("TopicConfigErrorCode", Kind::Int16, (5, 7)).tagged(0, (5, MAX)),
        field("NumPartitions", Kind::Int32, (5, 7)).default("-1"),
        field("ReplicationFactor", Kind::Int16, (5, 7)).default("-1"),
        field("Configs", Kind::Array(&Kind::Struct(&CREATE_TOPICS_RESPONSE_CREATABLE_TOPIC_CONFIGS)), (5, 7))
            .nullable((5, MAX)),
    ],
};

static DELETE_ACLS_REQUEST: Struct = Struct {
    fields: &[field("Filters", Kind::Array(&Kind::Struct(&DELETE_ACLS_REQUEST_DELETE_ACLS_FILTER)), (1, 3))],
};

static DELETE_ACLS_REQUEST_DELETE_ACLS_FILTER: Struct = Struct {
    fields: &[
        field("ResourceTypeFilter", Kind::Int8, (1, 3)),
        field("ResourceNameFilter", Kind::Text, (1, 3)).nullable((0, MAX)),
        field("PatternTypeFilter", Kind::Int8, (1, 3)).default("3"),
        field("PrincipalFilter", Kind::Text, (1, 3)).nullable((0, MAX)),
        field("HostFilter", Kind::Text, (1, 3)).nullable((0, MAX)),
        field("Operation", Kind::Int8, (1, 3)),
        field("PermissionType", Kind::Int8, (1, 3)),
    ],
};

static DELETE_ACLS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 3)),
        field(
            "FilterResults",
            Kind::Array(&Kind::Struct(&DELETE_ACLS_RESPONSE_DELETE_ACLS_FILTER_RESULT)),
            (1, 3),
        ),
    ],
};

static DELETE_ACLS_RESPONSE_DELETE_ACLS_FILTER_RESULT: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (1, 3)),
        field("ErrorMessage", Kind::Text, (1, 3)).nullable((0, MAX)),
        field(
            "MatchingAcls",
            Kind::Array(&Kind::Struct(&DELETE_ACLS_RESPONSE_DELETE_ACLS_MATCHING_ACL)),
            (1, 3),
        ),
    ],
};

static DELETE_ACLS_RESPONSE_DELETE_ACLS_MATCHING_ACL: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (1, 3)),
        field("ErrorMessage", Kind::Text, (1, 3)).nullable((0, MAX)),
        field("ResourceType", Kind::Int8, (1, 3)),
        field("ResourceName", Kind::Text, (1, 3)),
        field("PatternType", Kind::Int8, (1, 3)).default("3"),
        field("Principal", Kind::Text, (1, 3)),
        field("Host", Kind::Text, (1, 3)),
        field("Operation", Kind::Int8, (1, 3)),
        field("PermissionType", Kind::Int8, (1, 3)),
    ],
};

static DELETE_GROUPS_REQUEST: Struct =
    Struct { fields: &[field("GroupsNames", Kind::Array(&Kind::Text), (0, 2)).entity(Entity::Group)] };

static DELETE_GROUPS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 2)),
        field("Results", Kind::Array(&Kind::Struct(&DELETE_GROUPS_RESPONSE_DELETABLE_GROUP_RESULT)), (0, 2)),
    ],
};

static DELETE_GROUPS_RESPONSE_DELETABLE_GROUP_RESULT: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 2)).entity(Entity::Group),
        field("ErrorCode", Kind::Int16, (0, 2)),
    ],
};

static DELETE_RECORDS_REQUEST: Struct = Struct {
    fields: &[
        field("Topics", Kind::Array(&Kind::Struct(&DELETE_RECORDS_REQUEST_DELETE_RECORDS_TOPIC)), (0, 2)),
        field("TimeoutMs", Kind::Int32, (0, 2)),
    ],
};

static DELETE_RECORDS_REQUEST_DELETE_RECORDS_PARTITION: Struct =
    Struct { fields: &[field("PartitionIndex", Kind::Int32, (0, 2)), field("Offset", Kind::Int64, (0, 2))] };

static DELETE_RECORDS_REQUEST_DELETE_RECORDS_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 2)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&DELETE_RECORDS_REQUEST_DELETE_RECORDS_PARTITION)),
            (0, 2),
        ),
    ],
};

static DELETE_RECORDS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 2)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&DELETE_RECORDS_RESPONSE_DELETE_RECORDS_TOPIC_RESULT)),
            (0, 2),
        ),
    ],
};

static DELETE_RECORDS_RESPONSE_DELETE_RECORDS_PARTITION_RESULT: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (0, 2)),
        field("LowWatermark", Kind::Int64, (0, 2)),
        field("ErrorCode", Kind::Int16, (0, 2)),
    ],
};

static DELETE_RECORDS_RESPONSE_DELETE_RECORDS_TOPIC_RESULT: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 2)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&DELETE_RECORDS_RESPONSE_DELETE_RECORDS_PARTITION_RESULT)),
            (0, 2),
        ),
    ],
};

static DELETE_SHARE_GROUP_OFFSETS_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 0)).entity(Entity::Group),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(
                &DELETE_SHARE_GROUP_OFFSETS_REQUEST_DELETE_SHARE_GROUP_OFFSETS_REQUEST_TOPIC,
            )),
            (0, 0),
        ),
    ],
};

static DELETE_SHARE_GROUP_OFFSETS_REQUEST_DELETE_SHARE_GROUP_OFFSETS_REQUEST_TOPIC: Struct =
    Struct { fields: &[field("TopicName", Kind::Text, (0, 0)).entity(Entity::Topic)] };

static DELETE_SHARE_GROUP_OFFSETS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
        field(
            "Responses",
            Kind::Array(&Kind::Struct(
                &DELETE_SHARE_GROUP_OFFSETS_RESPONSE_DELETE_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC,
            )),
            (0, 0),
        ),
    ],
};

static DELETE_SHARE_GROUP_OFFSETS_RESPONSE_DELETE_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 0)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
    ],
};

static DELETE_SHARE_GROUP_STATE_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 0)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&DELETE_SHARE_GROUP_STATE_REQUEST_DELETE_STATE_DATA)),
            (0, 0),
        ),
    ],
};

static DELETE_SHARE_GROUP_STATE_REQUEST_DELETE_STATE_DATA: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (0, 0)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&DELETE_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA)),
            (0, 0),
        ),
    ],
};

static DELETE_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA: Struct =
    Struct { fields: &[field("Partition", Kind::Int32, (0, 0))] };

static DELETE_SHARE_GROUP_STATE_RESPONSE: Struct = Struct {
    fields: &[field(
        "Results",
        Kind::Array(&Kind::Struct(&DELETE_SHARE_GROUP_STATE_RESPONSE_DELETE_STATE_RESULT)),
        (0, 0),
    )],
};

static DELETE_SHARE_GROUP_STATE_RESPONSE_DELETE_STATE_RESULT: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (0, 0)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&DELETE_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT)),
            (0, 0),
        ),
    ],
};

static DELETE_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT: Struct = Struct {
    fields: &[
        field("Partition", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
    ],
};

static DELETE_TOPICS_REQUEST: Struct = Struct {
    fields: &[
        field("Topics", Kind::Array(&Kind::Struct(&DELETE_TOPICS_REQUEST_DELETE_TOPIC_STATE)), (6, 6)),
        field("TopicNames", Kind::Array(&Kind::Text), (1, 5)).entity(Entity::Topic),
        field("TimeoutMs", Kind::Int32, (1, 6)),
    ],
};

static DELETE_TOPICS_REQUEST_DELETE_TOPIC_STATE: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (6, 6)).nullable((6, MAX)).default("null").entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (6, 6)),
    ],
};

static DELETE_TOPICS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 6)),
        field(
            "Responses",
            Kind::Array(&Kind::Struct(&DELETE_TOPICS_RESPONSE_DELETABLE_TOPIC_RESULT)),
            (1, 6),
        ),
    ],
};

static DELETE_TOPICS_RESPONSE_DELETABLE_TOPIC_RESULT: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (1, 6)).nullable((6, MAX)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (6, 6)),
        field("ErrorCode", Kind::Int16, (1, 6)),
        field("ErrorMessage", Kind::Text, (5, 6)).nullable((5, MAX)).default("null"),
    ],
};

static DESCRIBE_ACLS_REQUEST: Struct = Struct {
    fields: &[
        field("ResourceTypeFilter", Kind::Int8, (1, 3)),
        field("ResourceNameFilter", Kind::Text, (1, 3)).nullable((0, MAX)),
        field("PatternTypeFilter", Kind::Int8, (1, 3)).default("3"),
        field("PrincipalFilter", Kind::Text, (1, 3)).nullable((0, MAX)),
        field("HostFilter", Kind::Text, (1, 3)).nullable((0, MAX)),
        field("Operation", Kind::Int8, (1, 3)),
        field("PermissionType", Kind::Int8, (1, 3)),
    ],
};

static DESCRIBE_ACLS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 3)),
        field("ErrorCode", Kind::Int16, (1, 3)),
        field("ErrorMessage", Kind::Text, (1, 3)).nullable((0, MAX)),
        field(
            "Resources",
            Kind::Array(&Kind::Struct(&DESCRIBE_ACLS_RESPONSE_DESCRIBE_ACLS_RESOURCE)),
            (1, 3),
        ),
    ],
};

static DESCRIBE_ACLS_RESPONSE_ACL_DESCRIPTION: Struct = Struct {
    fields: &[
        field("Principal", Kind::Text, (1, 3)),
        field("Host", Kind::Text, (1, 3)),
        field("Operation", Kind::Int8, (1, 3)),
        field("PermissionType", Kind::Int8, (1, 3)),
    ],
};

static DESCRIBE_ACLS_RESPONSE_DESCRIBE_ACLS_RESOURCE: Struct = Struct {
    fields: &[
        field("ResourceType", Kind::Int8, (1, 3)),
        field("ResourceName", Kind::Text, (1, 3)),
        field("PatternType", Kind::Int8, (1, 3)).default("3"),
        field("Acls", Kind::Array(&Kind::Struct(&DESCRIBE_ACLS_RESPONSE_ACL_DESCRIPTION)), (1, 3)),
    ],
};

static DESCRIBE_CLIENT_QUOTAS_REQUEST: Struct = Struct {
    fields: &[
        field(
            "Components",
            Kind::Array(&Kind::Struct(&DESCRIBE_CLIENT_QUOTAS_REQUEST_COMPONENT_DATA)),
            (0, 1),
        ),
        field("Strict", Kind::Bool, (0, 1)),
    ],
};

static DESCRIBE_CLIENT_QUOTAS_REQUEST_COMPONENT_DATA: Struct = Struct {
    fields: &[
        field("EntityType", Kind::Text, (0, 1)),
        field("MatchType", Kind::Int8, (0, 1)),
        field("Match", Kind::Text, (0, 1)).nullable((0, MAX)),
    ],
};

static DESCRIBE_CLIENT_QUOTAS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 1)),
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("ErrorMessage", Kind::Text, (0, 1)).nullable((0, MAX)),
        field("Entries", Kind::Array(&Kind::Struct(&DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTRY_DATA)), (0, 1))
            .nullable((0, MAX)),
    ],
};

static DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTITY_DATA: Struct = Struct {
    fields: &[
        field("EntityType", Kind::Text, (0, 1)),
        field("EntityName", Kind::Text, (0, 1)).nullable((0, MAX)),
    ],
};

static DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTRY_DATA: Struct = Struct {
    fields: &[
        field("Entity", Kind::Array(&Kind::Struct(&DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTITY_DATA)), (0, 1)),
        field("Values", Kind::Array(&Kind::Struct(&DESCRIBE_CLIENT_QUOTAS_RESPONSE_VALUE_DATA)), (0, 1)),
    ],
};

static DESCRIBE_CLIENT_QUOTAS_RESPONSE_VALUE_DATA: Struct =
    Struct { fields: &[field("Key", Kind::Text, (0, 1)), field("Value", Kind::Float64, (0, 1))] };

static DESCRIBE_CLUSTER_REQUEST: Struct = Struct {
    fields: &[
        field("IncludeClusterAuthorizedOperations", Kind::Bool, (0, 2)),
        field("EndpointType", Kind::Int8, (1, 2)).default("1"),
        field("IncludeFencedBrokers", Kind::Bool, (2, 2)),
    ],
};

static DESCRIBE_CLUSTER_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 2)),
        field("ErrorCode", Kind::Int16, (0, 2)),
        field("ErrorMessage", Kind::Text, (0, 2)).nullable((0, MAX)).default("null"),
        field("EndpointType", Kind::Int8, (1, 2)).default("1"),
        field("ClusterId", Kind::Text, (0, 2)),
        field("ControllerId", Kind::Int32, (0, 2)).default("-1").entity(Entity::Broker),
        field(
            "Brokers",
            Kind::Array(&Kind::Struct(&DESCRIBE_CLUSTER_RESPONSE_DESCRIBE_CLUSTER_BROKER)),
            (0, 2),
        ),
        field("ClusterAuthorizedOperations", Kind::Int32, (0, 2)).default("-2147483648"),
    ],
};

static DESCRIBE_CLUSTER_RESPONSE_DESCRIBE_CLUSTER_BROKER: Struct = Struct {
    fields: &[
        field("BrokerId", Kind::Int32, (0, 2)).entity(Entity::Broker),
        field("Host", Kind::Text, (0, 2)),
        field("Port", Kind::Int32, (0, 2)),
        field("Rack", Kind::Text, (0, 2)).nullable((0, MAX)).default("null"),
        field("IsFenced", Kind::Bool, (2, 2)),
    ],
};

static DESCRIBE_CONFIGS_REQUEST: Struct = Struct {
    fields: &[
        field(
            "Resources",
            Kind::Array(&Kind::Struct(&DESCRIBE_CONFIGS_REQUEST_DESCRIBE_CONFIGS_RESOURCE)),
            (1, 4),
        ),
        field("IncludeSynonyms", Kind::Bool, (1, 4)).default("false"),
        field("IncludeDocumentation", Kind::Bool, (3, 4)).default("false"),
    ],
};

static DESCRIBE_CONFIGS_REQUEST_DESCRIBE_CONFIGS_RESOURCE: Struct = Struct {
    fields: &[
        field("ResourceType", Kind::Int8, (1, 4)),
        field("ResourceName", Kind::Text, (1, 4)),
        field("ConfigurationKeys", Kind::Array(&Kind::Text), (1, 4)).nullable((0, MAX)),
    ],
};

static DESCRIBE_CONFIGS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 4)),
        field(
            "Results",
            Kind::Array(&Kind::Struct(&DESCRIBE_CONFIGS_RESPONSE_DESCRIBE_CONFIGS_RESULT)),
            (1, 4),
        ),
    ],
};

static DESCRIBE_CONFIGS_RESPONSE_DESCRIBE_CONFIGS_RESOURCE_RESULT: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (1, 4)),
        field("Value", Kind::Text, (1, 4)).nullable((0, MAX)),
        field("ReadOnly", Kind::Bool, (1, 4)),
        field("ConfigSource", Kind::Int8, (1, 4)).default("-1"),
        field("IsSensitive", Kind::Bool, (1, 4)),
        field(
            "Synonyms",
            Kind::Array(&Kind::Struct(&DESCRIBE_CONFIGS_RESPONSE_DESCRIBE_CONFIGS_SYNONYM)),
            (1, 4),
        ),
        field("ConfigType", Kind::Int8, (3, 4)).default("0"),
        field("Documentation", Kind::Text, (3, 4)).nullable((0, MAX)),
    ],
};

static DESCRIBE_CONFIGS_RESPONSE_DESCRIBE_CONFIGS_RESULT: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (1, 4)),
        field("ErrorMessage", Kind::Text, (1, 4)).nullable((0, MAX)),
        field("ResourceType", Kind::Int8, (1, 4)),
        field("ResourceName", Kind::Text, (1, 4)),
        field(
            "Configs",
            Kind::Array(&Kind::Struct(&DESCRIBE_CONFIGS_RESPONSE_DESCRIBE_CONFIGS_RESOURCE_RESULT)),
            (1, 4),
        ),
    ],
};

static DESCRIBE_CONFIGS_RESPONSE_DESCRIBE_CONFIGS_SYNONYM: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (1, 4)),
        field("Value", Kind::Text, (1, 4)).nullable((0, MAX)),
        field("Source", Kind::Int8, (1, 4)),
    ],
};

static DESCRIBE_DELEGATION_TOKEN_REQUEST: Struct = Struct {
    fields: &[field(
        "Owners",
        Kind::Array(&Kind::Struct(&DESCRIBE_DELEGATION_TOKEN_REQUEST_DESCRIBE_DELEGATION_TOKEN_OWNER)),
        (1, 3),
    )
    .nullable((0, MAX))],
};

static DESCRIBE_DELEGATION_TOKEN_REQUEST_DESCRIBE_DELEGATION_TOKEN_OWNER: Struct = Struct {
    fields: &[field("PrincipalType", Kind::Text, (1, 3)), field("PrincipalName", Kind::Text, (1, 3))],
};

static DESCRIBE_DELEGATION_TOKEN_RESPONSE: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (1, 3)),
        field(
            "Tokens",
            Kind::Array(&Kind::Struct(&DESCRIBE_DELEGATION_TOKEN_RESPONSE_DESCRIBED_DELEGATION_TOKEN)),
            (1, 3),
        ),
        field("ThrottleTimeMs", Kind::Int32, (1, 3)),
    ],
};

static DESCRIBE_DELEGATION_TOKEN_RESPONSE_DESCRIBED_DELEGATION_TOKEN: Struct = Struct {
    fields: &[
        field("PrincipalType", Kind::Text, (1, 3)),
        field("PrincipalName", Kind::Text, (1, 3)),
        field("TokenRequesterPrincipalType", Kind::Text, (3, 3)),
        field("TokenRequesterPrincipalName", Kind::Text, (3, 3)),
        field("IssueTimestamp", Kind::Int64, (1, 3)),
        field("ExpiryTimestamp", Kind::Int64, (1, 3)),
        field("MaxTimestamp", Kind::Int64, (1, 3)),
        field("TokenId", Kind::Text, (1, 3)),
        field("Hmac", Kind::Bytes, (1, 3)),
        field(
            "Renewers",
            Kind::Array(&Kind::Struct(
                &DESCRIBE_DELEGATION_TOKEN_RESPONSE_DESCRIBED_DELEGATION_TOKEN_RENEWER,
            )),
            (1, 3),
        ),
    ],
};

static DESCRIBE_DELEGATION_TOKEN_RESPONSE_DESCRIBED_DELEGATION_TOKEN_RENEWER: Struct = Struct {
    fields: &[field("PrincipalType", Kind::Text, (1, 3)), field("PrincipalName", Kind::Text, (1, 3))],
};

static DESCRIBE_GROUPS_REQUEST: Struct = Struct {
    fields: &[
        field("Groups", Kind::Array(&Kind::Text), (0, 6)).entity(Entity::Group),
        field("IncludeAuthorizedOperations", Kind::Bool, (3, 6)),
    ],
};

static DESCRIBE_GROUPS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 6)),
        field("Groups", Kind::Array(&Kind::Struct(&DESCRIBE_GROUPS_RESPONSE_DESCRIBED_GROUP)), (0, 6)),
    ],
};

static DESCRIBE_GROUPS_RESPONSE_DESCRIBED_GROUP: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 6)),
        field("ErrorMessage", Kind::Text, (6, 6)).nullable((6, MAX)).default("null"),
        field("GroupId", Kind::Text, (0, 6)).entity(Entity::Group),
        field("GroupState", Kind::Text, (0, 6)),
        field("ProtocolType", Kind::Text, (0, 6)),
        field("ProtocolData", Kind::Text, (0, 6)),
        field(
            "Members",
            Kind::Array(&Kind::Struct(&DESCRIBE_GROUPS_RESPONSE_DESCRIBED_GROUP_MEMBER)),
            (0, 6),
        ),
        field("AuthorizedOperations", Kind::Int32, (3, 6)).default("-2147483648"),
    ],
};

static DESCRIBE_GROUPS_RESPONSE_DESCRIBED_GROUP_MEMBER: Struct = Struct {
    fields: &[
        field("MemberId", Kind::Text, (0, 6)),
        field("GroupInstanceId", Kind::Text, (4, 6)).nullable((4, MAX)).default("null"),
        field("ClientId", Kind::Text, (0, 6)),
        field("ClientHost", Kind::Text, (0, 6)),
        field("MemberMetadata", Kind::Bytes, (0, 6)),
        field("MemberAssignment", Kind::Bytes, (0, 6)),
    ],
};

static DESCRIBE_LOG_DIRS_REQUEST: Struct = Struct {
    fields: &[field(
        "Topics",
        Kind::Array(&Kind::Struct(&DESCRIBE_LOG_DIRS_REQUEST_DESCRIBABLE_LOG_DIR_TOPIC)),
        (1, 5),
    )
    .nullable((0, MAX))],
};

static DESCRIBE_LOG_DIRS_REQUEST_DESCRIBABLE_LOG_DIR_TOPIC: Struct = Struct {
    fields: &[
        field("Topic", Kind::Text, (1, 5)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Int32), (1, 5)),
    ],
};

static DESCRIBE_LOG_DIRS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 5)),
        field("ErrorCode", Kind::Int16, (3, 5)),
        field(
            "Results",
            Kind::Array(&Kind::Struct(&DESCRIBE_LOG_DIRS_RESPONSE_DESCRIBE_LOG_DIRS_RESULT)),
            (1, 5),
        ),
    ],
};

static DESCRIBE_LOG_DIRS_RESPONSE_DESCRIBE_LOG_DIRS_PARTITION: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (1, 5)),
        field("PartitionSize", Kind::Int64, (1, 5)),
        field("OffsetLag", Kind::Int64, (1, 5)),
        field("IsFutureKey", Kind::Bool, (1, 5)),
    ],
};

static DESCRIBE_LOG_DIRS_RESPONSE_DESCRIBE_LOG_DIRS_RESULT: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (1, 5)),
        field("LogDir", Kind::Text, (1, 5)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&DESCRIBE_LOG_DIRS_RESPONSE_DESCRIBE_LOG_DIRS_TOPIC)),
            (1, 5),
        ),
        field("TotalBytes", Kind::Int64, (4, 5)).default("-1"),
        field("UsableBytes", Kind::Int64, (4, 5)).default("-1"),
        field("IsCordoned", Kind::Bool, (5, 5)).default("false"),
    ],
};

static DESCRIBE_LOG_DIRS_RESPONSE_DESCRIBE_LOG_DIRS_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (1, 5)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&DESCRIBE_LOG_DIRS_RESPONSE_DESCRIBE_LOG_DIRS_PARTITION)),
            (1, 5),
        ),
    ],
};

static DESCRIBE_PRODUCERS_REQUEST: Struct = Struct {
    fields: &[field("Topics", Kind::Array(&Kind::Struct(&DESCRIBE_PRODUCERS_REQUEST_TOPIC_REQUEST)), (0, 0))],
};

static DESCRIBE_PRODUCERS_REQUEST_TOPIC_REQUEST: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 0)).entity(Entity::Topic),
        field("PartitionIndexes", Kind::Array(&Kind::Int32), (0, 0)),
    ],
};

static DESCRIBE_PRODUCERS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field("Topics", Kind::Array(&Kind::Struct(&DESCRIBE_PRODUCERS_RESPONSE_TOPIC_RESPONSE)), (0, 0)),
    ],
};

static DESCRIBE_PRODUCERS_RESPONSE_PARTITION_RESPONSE: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
        field(
            "ActiveProducers",
            Kind::Array(&Kind::Struct(&DESCRIBE_PRODUCERS_RESPONSE_PRODUCER_STATE)),
            (0, 0),
        ),
    ],
};

static DESCRIBE_PRODUCERS_RESPONSE_PRODUCER_STATE: Struct = Struct {
    fields: &[
        field("ProducerId", Kind::Int64, (0, 0)).entity(Entity::Producer),
        field("ProducerEpoch", Kind::Int32, (0, 0)),
        field("LastSequence", Kind::Int32, (0, 0)).default("-1"),
        field("LastTimestamp", Kind::Int64, (0, 0)).default("-1"),
        field("CoordinatorEpoch", Kind::Int32, (0, 0)),
        field("CurrentTxnStartOffset", Kind::Int64, (0, 0)).default("-1"),
    ],
};

static DESCRIBE_PRODUCERS_RESPONSE_TOPIC_RESPONSE: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 0)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&DESCRIBE_PRODUCERS_RESPONSE_PARTITION_RESPONSE)),
            (0, 0),
        ),
    ],
};

static DESCRIBE_QUORUM_REQUEST: Struct = Struct {
    fields: &[field("Topics", Kind::Array(&Kind::Struct(&DESCRIBE_QUORUM_REQUEST_TOPIC_DATA)), (0, 2))],
};

static DESCRIBE_QUORUM_REQUEST_PARTITION_DATA: Struct =
    Struct { fields: &[field("PartitionIndex", Kind::Int32, (0, 2))] };

static DESCRIBE_QUORUM_REQUEST_TOPIC_DATA: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 2)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Struct(&DESCRIBE_QUORUM_REQUEST_PARTITION_DATA)), (0, 2)),
    ],
};

static DESCRIBE_QUORUM_RESPONSE: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 2)),
        field("ErrorMessage", Kind::Text, (2, 2)).nullable((2, MAX)),
        field("Topics", Kind::Array(&Kind::Struct(&DESCRIBE_QUORUM_RESPONSE_TOPIC_DATA)), (0, 2)),
        field("Nodes", Kind::Array(&Kind::Struct(&DESCRIBE_QUORUM_RESPONSE_NODE)), (2, 2)),
    ],
};

static DESCRIBE_QUORUM_RESPONSE_LISTENER: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (2, 2)),
        field("Host", Kind::Text, (2, 2)),
        field("Port", Kind::Uint16, (2, 2)),
    ],
};

static DESCRIBE_QUORUM_RESPONSE_NODE: Struct = Struct {
    fields: &[
        field("NodeId", Kind::Int32, (2, 2)).entity(Entity::Broker),
        field("Listeners", Kind::Array(&Kind::Struct(&DESCRIBE_QUORUM_RESPONSE_LISTENER)), (2, 2)),
    ],
};

static DESCRIBE_QUORUM_RESPONSE_PARTITION_DATA: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (0, 2)),
        field("ErrorCode", Kind::Int16, (0, 2)),
        field("ErrorMessage", Kind::Text, (2, 2)).nullable((2, MAX)),
        field("LeaderId", Kind::Int32, (0, 2)).entity(Entity::Broker),
        field("LeaderEpoch", Kind::Int32, (0, 2)),
        field("HighWatermark", Kind::Int64, (0, 2)),
        field("CurrentVoters", Kind::Array(&Kind::Struct(&DESCRIBE_QUORUM_RESPONSE_REPLICA_STATE)), (0, 2)),
        field("Observers", Kind::Array(&Kind::Struct(&DESCRIBE_QUORUM_RESPONSE_REPLICA_STATE)), (0, 2)),
    ],
};

static DESCRIBE_QUORUM_RESPONSE_REPLICA_STATE: Struct = Struct {
    fields: &[
        field("ReplicaId", Kind::Int32, (0, 2)).entity(Entity::Broker),
        field("ReplicaDirectoryId", Kind::Uuid, (2, 2)),
        field("LogEndOffset", Kind::Int64, (0, 2)),
        field("LastFetchTimestamp", Kind::Int64, (1, 2)).default("-1"),
        field("LastCaughtUpTimestamp", Kind::Int64, (1, 2)).default("-1"),
    ],
};

static DESCRIBE_QUORUM_RESPONSE_TOPIC_DATA: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 2)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Struct(&DESCRIBE_QUORUM_RESPONSE_PARTITION_DATA)), (0, 2)),
    ],
};

static DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST: Struct = Struct {
    fields: &[field(
        "Groups",
        Kind::Array(&Kind::Struct(
            &DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_GROUP,
        )),
        (0, 1),
    )],
};

static DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_GROUP: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 1)).entity(Entity::Group),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(
                &DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_TOPIC,
            )),
            (0, 1),
        )
        .nullable((0, MAX)),
    ],
};

static DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_DESCRIBE_SHARE_GROUP_OFFSETS_REQUEST_TOPIC: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 1)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Int32), (0, 1)),
    ],
};

static DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 1)),
        field(
            "Groups",
            Kind::Array(&Kind::Struct(
                &DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_GROUP,
            )),
            (0, 1),
        ),
    ],
};

static DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_GROUP: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 1)).entity(Entity::Group),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(
                &DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC,
            )),
            (0, 1),
        ),
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("ErrorMessage", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
    ],
};

static DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_PARTITION: Struct =
    Struct {
        fields: &[
            field("PartitionIndex", Kind::Int32, (0, 1)),
            field("StartOffset", Kind::Int64, (0, 1)),
            field("LeaderEpoch", Kind::Int32, (0, 1)),
            field("Lag", Kind::Int64, (1, 1)).default("-1"),
            field("ErrorCode", Kind::Int16, (0, 1)),
            field("ErrorMessage", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
        ],
    };

static DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_TOPIC: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 1)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (0, 1)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(
                &DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_DESCRIBE_SHARE_GROUP_OFFSETS_RESPONSE_PARTITION,
            )),
            (0, 1),
        ),
    ],
};

static DESCRIBE_TOPIC_PARTITIONS_REQUEST: Struct = Struct {
    fields: &[
        field("Topics", Kind::Array(&Kind::Struct(&DESCRIBE_TOPIC_PARTITIONS_REQUEST_TOPIC_REQUEST)), (0, 0)),
        field("ResponsePartitionLimit", Kind::Int32, (0, 0)).default("2000"),
        field("Cursor", Kind::Struct(&DESCRIBE_TOPIC_PARTITIONS_REQUEST_CURSOR), (0, 0))
            .nullable((0, MAX))
            .default("null"),
    ],
};

static DESCRIBE_TOPIC_PARTITIONS_REQUEST_CURSOR: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 0)).entity(Entity::Topic),
        field("PartitionIndex", Kind::Int32, (0, 0)),
    ],
};

static DESCRIBE_TOPIC_PARTITIONS_REQUEST_TOPIC_REQUEST: Struct =
    Struct { fields: &[field("Name", Kind::Text, (0, 0)).entity(Entity::Topic)] };

static DESCRIBE_TOPIC_PARTITIONS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(
                &DESCRIBE_TOPIC_PARTITIONS_RESPONSE_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_TOPIC,
            )),
            (0, 0),
        ),
        field("NextCursor", Kind::Struct(&DESCRIBE_TOPIC_PARTITIONS_RESPONSE_CURSOR), (0, 0))
            .nullable((0, MAX))
            .default("null"),
    ],
};

static DESCRIBE_TOPIC_PARTITIONS_RESPONSE_CURSOR: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 0)).entity(Entity::Topic),
        field("PartitionIndex", Kind::Int32, (0, 0)),
    ],
};

static DESCRIBE_TOPIC_PARTITIONS_RESPONSE_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_PARTITION: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("PartitionIndex", Kind::Int32, (0, 0)),
        field("LeaderId", Kind::Int32, (0, 0)).entity(Entity::Broker),
        field("LeaderEpoch", Kind::Int32, (0, 0)).default("-1"),
        field("ReplicaNodes", Kind::Array(&Kind::Int32), (0, 0)).entity(Entity::Broker),
        field("IsrNodes", Kind::Array(&Kind::Int32), (0, 0)).entity(Entity::Broker),
        field("EligibleLeaderReplicas", Kind::Array(&Kind::Int32), (0, 0))
            .nullable((0, MAX))
            .default("null")
            .entity(Entity::Broker),
        field("LastKnownElr", Kind::Array(&Kind::Int32), (0, 0))
            .nullable((0, MAX))
            .default("null")
            .entity(Entity::Broker),
        field("OfflineReplicas", Kind::Array(&Kind::Int32), (0, 0)).entity(Entity::Broker),
    ],
};

static DESCRIBE_TOPIC_PARTITIONS_RESPONSE_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_TOPIC: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("Name", Kind::Text, (0, 0)).nullable((0, MAX)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (0, 0)),
        field("IsInternal", Kind::Bool, (0, 0)).default("false"),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(
                &DESCRIBE_TOPIC_PARTITIONS_RESPONSE_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_PARTITION,
            )),
            (0, 0),
        ),
        field("TopicAuthorizedOperations", Kind::Int32, (0, 0)).default("-2147483648"),
    ],
};

static DESCRIBE_TRANSACTIONS_REQUEST: Struct = Struct {
    fields: &[field("TransactionalIds", Kind::Array(&Kind::Text), (0, 0)).entity(Entity::TransactionalId)],
};

static DESCRIBE_TRANSACTIONS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field(
            "TransactionStates",
            Kind::Array(&Kind::Struct(&DESCRIBE_TRANSACTIONS_RESPONSE_TRANSACTION_STATE)),
            (0, 0),
        ),
    ],
};

static DESCRIBE_TRANSACTIONS_RESPONSE_TOPIC_DATA: Struct = Struct {
    fields: &[
        field("Topic", Kind::Text, (0, 0)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Int32), (0, 0)),
    ],
};

static DESCRIBE_TRANSACTIONS_RESPONSE_TRANSACTION_STATE: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("TransactionalId", Kind::Text, (0, 0)).entity(Entity::TransactionalId),
        field("TransactionState", Kind::Text, (0, 0)),
        field("TransactionTimeoutMs", Kind::Int32, (0, 0)),
        field("TransactionStartTimeMs", Kind::Int64, (0, 0)),
        field("ProducerId", Kind::Int64, (0, 0)).entity(Entity::Producer),
        field("ProducerEpoch", Kind::Int16, (0, 0)),
        field("Topics", Kind::Array(&Kind::Struct(&DESCRIBE_TRANSACTIONS_RESPONSE_TOPIC_DATA)), (0, 0)),
    ],
};

static DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST: Struct = Struct {
    fields: &[field(
        "Users",
        Kind::Array(&Kind::Struct(&DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST_USER_NAME)),
        (0, 0),
    )
    .nullable((0, MAX))],
};

static DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST_USER_NAME: Struct =
    Struct { fields: &[field("Name", Kind::Text, (0, 0))] };

static DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)),
        field(
            "Results",
            Kind::Array(&Kind::Struct(
                &DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_DESCRIBE_USER_SCRAM_CREDENTIALS_RESULT,
            )),
            (0, 0),
        ),
    ],
};

static DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_CREDENTIAL_INFO: Struct =
    Struct { fields: &[field("Mechanism", Kind::Int8, (0, 0)), field("Iterations", Kind::Int32, (0, 0))] };

static DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_DESCRIBE_USER_SCRAM_CREDENTIALS_RESULT: Struct = Struct {
    fields: &[
        field("User", Kind::Text, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)),
        field(
            "CredentialInfos",
            Kind::Array(&Kind::Struct(&DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_CREDENTIAL_INFO)),
            (0, 0),
        ),
    ],
};

static ELECT_LEADERS_REQUEST: Struct = Struct {
    fields: &[
        field("ElectionType", Kind::Int8, (1, 2)),
        field("TopicPartitions", Kind::Array(&Kind::Struct(&ELECT_LEADERS_REQUEST_TOPIC_PARTITIONS)), (0, 2))
            .nullable((0, MAX)),
        field("TimeoutMs", Kind::Int32, (0, 2)).default("60000"),
    ],
};

static ELECT_LEADERS_REQUEST_TOPIC_PARTITIONS: Struct = Struct {
    fields: &[
        field("Topic", Kind::Text, (0, 2)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Int32), (0, 2)),
    ],
};

static ELECT_LEADERS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 2)),
        field("ErrorCode", Kind::Int16, (1, 2)),
        field(
            "ReplicaElectionResults",
            Kind::Array(&Kind::Struct(&ELECT_LEADERS_RESPONSE_REPLICA_ELECTION_RESULT)),
            (0, 2),
        ),
    ],
};

static ELECT_LEADERS_RESPONSE_PARTITION_RESULT: Struct = Struct {
    fields: &[
        field("PartitionId", Kind::Int32, (0, 2)),
        field("ErrorCode", Kind::Int16, (0, 2)),
        field("ErrorMessage", Kind::Text, (0, 2)).nullable((0, MAX)),
    ],
};

static ELECT_LEADERS_RESPONSE_REPLICA_ELECTION_RESULT: Struct = Struct {
    fields: &[
        field("Topic", Kind::Text, (0, 2)).entity(Entity::Topic),
        field(
            "PartitionResult",
            Kind::Array(&Kind::Struct(&ELECT_LEADERS_RESPONSE_PARTITION_RESULT)),
            (0, 2),
        ),
    ],
};

static END_QUORUM_EPOCH_REQUEST: Struct = Struct {
    fields: &[
        field("ClusterId", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
        field("Topics", Kind::Array(&Kind::Struct(&END_QUORUM_EPOCH_REQUEST_TOPIC_DATA)), (0, 1)),
        field(
            "LeaderEndpoints",
            Kind::Array(&Kind::Struct(&END_QUORUM_EPOCH_REQUEST_LEADER_ENDPOINT)),
            (1, 1),
        ),
    ],
};

static END_QUORUM_EPOCH_REQUEST_LEADER_ENDPOINT: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (1, 1)),
        field("Host", Kind::Text, (1, 1)),
        field("Port", Kind::Uint16, (1, 1)),
    ],
};

static END_QUORUM_EPOCH_REQUEST_PARTITION_DATA: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (0, 1)),
        field("LeaderId", Kind::Int32, (0, 1)).entity(Entity::Broker),
        field("LeaderEpoch", Kind::Int32, (0, 1)),
        field("PreferredSuccessors", Kind::Array(&Kind::Int32), (0, 0)),
        field(
            "PreferredCandidates",
            Kind::Array(&Kind::Struct(&END_QUORUM_EPOCH_REQUEST_REPLICA_INFO)),
            (1, 1),
        ),
    ],
};

static END_QUORUM_EPOCH_REQUEST_REPLICA_INFO: Struct = Struct {
    fields: &[
        field("CandidateId", Kind::Int32, (1, 1)).entity(Entity::Broker),
        field("CandidateDirectoryId", Kind::Uuid, (1, 1)),
    ],
};

static END_QUORUM_EPOCH_REQUEST_TOPIC_DATA: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 1)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Struct(&END_QUORUM_EPOCH_REQUEST_PARTITION_DATA)), (0, 1)),
    ],
};

static END_QUORUM_EPOCH_RESPONSE: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("Topics", Kind::Array(&Kind::Struct(&END_QUORUM_EPOCH_RESPONSE_TOPIC_DATA)), (0, 1)),
        field("NodeEndpoints", Kind::Array(&Kind::Struct(&END_QUORUM_EPOCH_RESPONSE_NODE_ENDPOINT)), (1, 1))
            .tagged(0, (1, MAX)),
    ],
};

static END_QUORUM_EPOCH_RESPONSE_NODE_ENDPOINT: Struct = Struct {
    fields: &[
        field("NodeId", Kind::Int32, (1, 1)).entity(Entity::Broker),
        field("Host", Kind::Text, (1, 1)),
        field("Port", Kind::Uint16, (1, 1)),
    ],
};

static END_QUORUM_EPOCH_RESPONSE_PARTITION_DATA: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (0, 1)),
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("LeaderId", Kind::Int32, (0, 1)).entity(Entity::Broker),
        field("LeaderEpoch", Kind::Int32, (0, 1)),
    ],
};

static END_QUORUM_EPOCH_RESPONSE_TOPIC_DATA: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 1)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Struct(&END_QUORUM_EPOCH_RESPONSE_PARTITION_DATA)), (0, 1)),
    ],
};

static END_TXN_REQUEST: Struct = Struct {
    fields: &[
        field("TransactionalId", Kind::Text, (0, 5)).entity(Entity::TransactionalId),
        field("ProducerId", Kind::Int64, (0, 5)).entity(Entity::Producer),
        field("ProducerEpoch", Kind::Int16, (0, 5)),
        field("Committed", Kind::Bool, (0, 5)),
    ],
};

static END_TXN_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 5)),
        field("ErrorCode", Kind::Int16, (0, 5)),
        field("ProducerId", Kind::Int64, (5, 5)).default("-1").entity(Entity::Producer),
        field("ProducerEpoch", Kind::Int16, (5, 5)).default("-1"),
    ],
};

static ENVELOPE_REQUEST: Struct = Struct {
    fields: &[
        field("RequestData", Kind::Bytes, (0, 0)),
        field("RequestPrincipal", Kind::Bytes, (0, 0)).nullable((0, MAX)),
        field("ClientHostAddress", Kind::Bytes, (0, 0)),
    ],
};

static ENVELOPE_RESPONSE: Struct = Struct {
    fields: &[
        field("ResponseData", Kind::Bytes, (0, 0)).nullable((0, MAX)).default("null"),
        field("ErrorCode", Kind::Int16, (0, 0)),
    ],
};

static EXPIRE_DELEGATION_TOKEN_REQUEST: Struct = Struct {
    fields: &[field("Hmac", Kind::Bytes, (1, 2)), field("ExpiryTimePeriodMs", Kind::Int64, (1, 2))],
};

static EXPIRE_DELEGATION_TOKEN_RESPONSE: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (1, 2)),
        field("ExpiryTimestampMs", Kind::Int64, (1, 2)),
        field("ThrottleTimeMs", Kind::Int32, (1, 2)),
    ],
};

static FETCH_REQUEST: Struct = Struct {
    fields: &[
        field("ClusterId", Kind::Text, (12, 18)).nullable((12, MAX)).tagged(0, (12, MAX)).default("null"),
        field("ReplicaId", Kind::Int32, (4, 14)).default("-1").entity(Entity::Broker),
        field("ReplicaState", Kind::Struct(&FETCH_REQUEST_REPLICA_STATE), (15, 18)).tagged(1, (15, MAX)),
        field("MaxWaitMs", Kind::Int32, (4, 18)),
        field("MinBytes", Kind::Int32, (4, 18)),
        field("MaxBytes", Kind::Int32, (4, 18)).default("0x7fffffff"),
        field("IsolationLevel", Kind::Int8, (4, 18)).default("0"),
        field("SessionId", Kind::Int32, (7, 18)).default("0"),
        field("SessionEpoch", Kind::Int32, (7, 18)).default("-1"),
        field("Topics", Kind::Array(&Kind::Struct(&FETCH_REQUEST_FETCH_TOPIC)), (4, 18)),
        field("ForgottenTopicsData", Kind::Array(&Kind::Struct(&FETCH_REQUEST_FORGOTTEN_TOPIC)), (7, 18)),
        field("RackId", Kind::Text, (11, 18)).default(""),
    ],
};

static FETCH_REQUEST_FETCH_PARTITION: Struct = Struct {
    fields: &[
        field("Partition", Kind::Int32, (4, 18)),
        field("CurrentLeaderEpoch", Kind::Int32, (9, 18)).default("-1"),
        field("FetchOffset", Kind::Int64, (4, 18)),
        field("LastFetchedEpoch", Kind::Int32, (12, 18)).default("-1"),
        field("LogStartOffset", Kind::Int64, (5, 18)).default("-1"),
        field("PartitionMaxBytes", Kind::Int32, (4, 18)),
        field("ReplicaDirectoryId", Kind::Uuid, (17, 18)).tagged(0, (17, MAX)),
        field("HighWatermark", Kind::Int64, (18, 18)).tagged(1, (18, MAX)).default("9223372036854775807"),
    ],
};

static FETCH_REQUEST_FETCH_TOPIC: Struct = Struct {
    fields: &[
        field("Topic", Kind::Text, (4, 12)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (13, 18)),
        field("Partitions", Kind::Array(&Kind::Struct(&FETCH_REQUEST_FETCH_PARTITION)), (4, 18)),
    ],
};

static FETCH_REQUEST_FORGOTTEN_TOPIC: Struct = Struct {
    fields: &[
        field("Topic", Kind::Text, (7, 12)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (13, 18)),
        field("Partitions", Kind::Array(&Kind::Int32), (7, 18)),
    ],
};

static FETCH_REQUEST_REPLICA_STATE: Struct = Struct {
    fields: &[
        field("ReplicaId", Kind::Int32, (15, 18)).default("-1").entity(Entity::Broker),
        field("ReplicaEpoch", Kind::Int64, (15, 18)).default("-1"),
    ],
};

static FETCH_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (4, 18)),
        field("ErrorCode", Kind::Int16, (7, 18)),
        field("SessionId", Kind::Int32, (7, 18)).default("0"),
        field("Responses", Kind::Array(&Kind::Struct(&FETCH_RESPONSE_FETCHABLE_TOPIC_RESPONSE)), (4, 18)),
        field("NodeEndpoints", Kind::Array(&Kind::Struct(&FETCH_RESPONSE_NODE_ENDPOINT)), (16, 18))
            .tagged(0, (16, MAX)),
    ],
};

static FETCH_RESPONSE_ABORTED_TRANSACTION: Struct = Struct {
    fields: &[
        field("ProducerId", Kind::Int64, (4, 18)).entity(Entity::Producer),
        field("FirstOffset", Kind::Int64, (4, 18)),
    ],
};

static FETCH_RESPONSE_EPOCH_END_OFFSET: Struct = Struct {
    fields: &[
        field("Epoch", Kind::Int32, (12, 18)).default("-1"),
        field("EndOffset", Kind::Int64, (12, 18)).default("-1"),
    ],
};

static FETCH_RESPONSE_FETCHABLE_TOPIC_RESPONSE: Struct = Struct {
    fields: &[
        field("Topic", Kind::Text, (4, 12)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (13, 18)),
        field("Partitions", Kind::Array(&Kind::Struct(&FETCH_RESPONSE_PARTITION_DATA)), (4, 18)),
    ],
};

static FETCH_RESPONSE_LEADER_ID_AND_EPOCH: Struct = Struct {
    fields: &[
        field("LeaderId", Kind::Int32, (12, 18)).default("-1").entity(Entity::Broker),
        field("LeaderEpoch", Kind::Int32, (12, 18)).default("-1"),
    ],
};

static FETCH_RESPONSE_NODE_ENDPOINT: Struct = Struct {
    fields: &[
        field("NodeId", Kind::Int32, (16, 18)).entity(Entity::Broker),
        field("Host", Kind::Text, (16, 18)),
        field("Port", Kind::Int32, (16, 18)),
        field("Rack", Kind::Text, (16, 18)).nullable((16, MAX)).default("null"),
    ],
};

static FETCH_RESPONSE_PARTITION_DATA: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (4, 18)),
        field("ErrorCode", Kind::Int16, (4, 18)),
        field("HighWatermark", Kind::Int64, (4, 18)),
        field("LastStableOffset", Kind::Int64, (4, 18)).default("-1"),
        field("LogStartOffset", Kind::Int64, (5, 18)).default("-1"),
        field("DivergingEpoch", Kind::Struct(&FETCH_RESPONSE_EPOCH_END_OFFSET), (12, 18))
            .tagged(0, (12, MAX)),
        field("CurrentLeader", Kind::Struct(&FETCH_RESPONSE_LEADER_ID_AND_EPOCH), (12, 18))
            .tagged(1, (12, MAX)),
        field("SnapshotId", Kind::Struct(&FETCH_RESPONSE_SNAPSHOT_ID), (12, 18)).tagged(2, (12, MAX)),
        field(
            "AbortedTransactions",
            Kind::Array(&Kind::Struct(&FETCH_RESPONSE_ABORTED_TRANSACTION)),
            (4, 18),
        )
        .nullable((4, MAX)),
        field("PreferredReadReplica", Kind::Int32, (11, 18)).default("-1").entity(Entity::Broker),
        field("Records", Kind::Bytes, (4, 18)).nullable((0, MAX)),
    ],
};

static FETCH_RESPONSE_SNAPSHOT_ID: Struct = Struct {
    fields: &[
        field("EndOffset", Kind::Int64, (4, 18)).default("-1"),
        field("Epoch", Kind::Int32, (4, 18)).default("-1"),
    ],
};

static FETCH_SNAPSHOT_REQUEST: Struct = Struct {
    fields: &[
        field("ClusterId", Kind::Text, (0, 1)).nullable((0, MAX)).tagged(0, (0, MAX)).default("null"),
        field("ReplicaId", Kind::Int32, (0, 1)).default("-1").entity(Entity::Broker),
        field("MaxBytes", Kind::Int32, (0, 1)).default("0x7fffffff"),
        field("Topics", Kind::Array(&Kind::Struct(&FETCH_SNAPSHOT_REQUEST_TOPIC_SNAPSHOT)), (0, 1)),
    ],
};

static FETCH_SNAPSHOT_REQUEST_PARTITION_SNAPSHOT: Struct = Struct {
    fields: &[
        field("Partition", Kind::Int32, (0, 1)),
        field("CurrentLeaderEpoch", Kind::Int32, (0, 1)),
        field("SnapshotId", Kind::Struct(&FETCH_SNAPSHOT_REQUEST_SNAPSHOT_ID), (0, 1)),
        field("Position", Kind::Int64, (0, 1)),
        field("ReplicaDirectoryId", Kind::Uuid, (1, 1)).tagged(0, (1, MAX)),
    ],
};

static FETCH_SNAPSHOT_REQUEST_SNAPSHOT_ID: Struct =
    Struct { fields: &[field("EndOffset", Kind::Int64, (0, 1)), field("Epoch", Kind::Int32, (0, 1))] };

static FETCH_SNAPSHOT_REQUEST_TOPIC_SNAPSHOT: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 1)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Struct(&FETCH_SNAPSHOT_REQUEST_PARTITION_SNAPSHOT)), (0, 1)),
    ],
};

static FETCH_SNAPSHOT_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 1)),
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("Topics", Kind::Array(&Kind::Struct(&FETCH_SNAPSHOT_RESPONSE_TOPIC_SNAPSHOT)), (0, 1)),
        field("NodeEndpoints", Kind::Array(&Kind::Struct(&FETCH_SNAPSHOT_RESPONSE_NODE_ENDPOINT)), (1, 1))
            .tagged(0, (1, MAX)),
    ],
};

static FETCH_SNAPSHOT_RESPONSE_LEADER_ID_AND_EPOCH: Struct = Struct {
    fields: &[
        field("LeaderId", Kind::Int32, (0, 1)).entity(Entity::Broker),
        field("LeaderEpoch", Kind::Int32, (0, 1)),
    ],
};

static FETCH_SNAPSHOT_RESPONSE_NODE_ENDPOINT: Struct = Struct {
    fields: &[
        field("NodeId", Kind::Int32, (1, 1)).entity(Entity::Broker),
        field("Host", Kind::Text, (1, 1)),
        field("Port", Kind::Uint16, (1, 1)),
    ],
};

static FETCH_SNAPSHOT_RESPONSE_PARTITION_SNAPSHOT: Struct = Struct {
    fields: &[
        field("Index", Kind::Int32, (0, 1)),
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("SnapshotId", Kind::Struct(&FETCH_SNAPSHOT_RESPONSE_SNAPSHOT_ID), (0, 1)),
        field("CurrentLeader", Kind::Struct(&FETCH_SNAPSHOT_RESPONSE_LEADER_ID_AND_EPOCH), (0, 1))
            .tagged(0, (0, MAX)),
        field("Size", Kind::Int64, (0, 1)),
        field("Position", Kind::Int64, (0, 1)),
        field("UnalignedRecords", Kind::Bytes, (0, 1)),
    ],
};

static FETCH_SNAPSHOT_RESPONSE_SNAPSHOT_ID: Struct =
    Struct { fields: &[field("EndOffset", Kind::Int64, (0, 1)), field("Epoch", Kind::Int32, (0, 1))] };

static FETCH_SNAPSHOT_RESPONSE_TOPIC_SNAPSHOT: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 1)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Struct(&FETCH_SNAPSHOT_RESPONSE_PARTITION_SNAPSHOT)), (0, 1)),
    ],
};

static FIND_COORDINATOR_REQUEST: Struct = Struct {
    fields: &[
        field("Key", Kind::Text, (0, 3)),
        field("KeyType", Kind::Int8, (1, 6)).default("0"),
        field("CoordinatorKeys", Kind::Array(&Kind::Text), (4, 6)),
    ],
};

static FIND_COORDINATOR_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 6)),
        field("ErrorCode", Kind::Int16, (0, 3)),
        field("ErrorMessage", Kind::Text, (1, 3)).nullable((1, 3)),
        field("NodeId", Kind::Int32, (0, 3)).entity(Entity::Broker),
        field("Host", Kind::Text, (0, 3)),
        field("Port", Kind::Int32, (0, 3)),
        field("Coordinators", Kind::Array(&Kind::Struct(&FIND_COORDINATOR_RESPONSE_COORDINATOR)), (4, 6)),
    ],
};

static FIND_COORDINATOR_RESPONSE_COORDINATOR: Struct = Struct {
    fields: &[
        field("Key", Kind::Text, (4, 6)),
        field("NodeId", Kind::Int32, (4, 6)).entity(Entity::Broker),
        field("Host", Kind::Text, (4, 6)),
        field("Port", Kind::Int32, (4, 6)),
        field("ErrorCode", Kind::Int16, (4, 6)),
        field("ErrorMessage", Kind::Text, (4, 6)).nullable((4, MAX)),
    ],
};

static GET_TELEMETRY_SUBSCRIPTIONS_REQUEST: Struct =
    Struct { fields: &[field("ClientInstanceId", Kind::Uuid, (0, 0))] };

static GET_TELEMETRY_SUBSCRIPTIONS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ClientInstanceId", Kind::Uuid, (0, 0)),
        field("SubscriptionId", Kind::Int32, (0, 0)),
        field("AcceptedCompressionTypes", Kind::Array(&Kind::Int8), (0, 0)),
        field("PushIntervalMs", Kind::Int32, (0, 0)),
        field("TelemetryMaxBytes", Kind::Int32, (0, 0)),
        field("DeltaTemporality", Kind::Bool, (0, 0)),
        field("RequestedMetrics", Kind::Array(&Kind::Text), (0, 0)),
    ],
};

static HEARTBEAT_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 4)).entity(Entity::Group),
        field("GenerationId", Kind::Int32, (0, 4)),
        field("MemberId", Kind::Text, (0, 4)),
        field("GroupInstanceId", Kind::Text, (3, 4)).nullable((3, MAX)).default("null"),
    ],
};

static HEARTBEAT_RESPONSE: Struct = Struct {
    fields: &[field("ThrottleTimeMs", Kind::Int32, (1, 4)), field("ErrorCode", Kind::Int16, (0, 4))],
};

static INCREMENTAL_ALTER_CONFIGS_REQUEST: Struct = Struct {
    fields: &[
        field(
            "Resources",
            Kind::Array(&Kind::Struct(&INCREMENTAL_ALTER_CONFIGS_REQUEST_ALTER_CONFIGS_RESOURCE)),
            (0, 1),
        ),
        field("ValidateOnly", Kind::Bool, (0, 1)),
    ],
};

static INCREMENTAL_ALTER_CONFIGS_REQUEST_ALTERABLE_CONFIG: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 1)),
        field("ConfigOperation", Kind::Int8, (0, 1)),
        field("Value", Kind::Text, (0, 1)).nullable((0, MAX)),
    ],
};

static INCREMENTAL_ALTER_CONFIGS_REQUEST_ALTER_CONFIGS_RESOURCE: Struct = Struct {
    fields: &[
        field("ResourceType", Kind::Int8, (0, 1)),
        field("ResourceName", Kind::Text, (0, 1)),
        field(
            "Configs",
            Kind::Array(&Kind::Struct(&INCREMENTAL_ALTER_CONFIGS_REQUEST_ALTERABLE_CONFIG)),
            (0, 1),
        ),
    ],
};

static INCREMENTAL_ALTER_CONFIGS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 1)),
        field(
            "Responses",
            Kind::Array(&Kind::Struct(&INCREMENTAL_ALTER_CONFIGS_RESPONSE_ALTER_CONFIGS_RESOURCE_RESPONSE)),
            (0, 1),
        ),
    ],
};

static INCREMENTAL_ALTER_CONFIGS_RESPONSE_ALTER_CONFIGS_RESOURCE_RESPONSE: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("ErrorMessage", Kind::Text, (0, 1)).nullable((0, MAX)),
        field("ResourceType", Kind::Int8, (0, 1)),
        field("ResourceName", Kind::Text, (0, 1)),
    ],
};

static INITIALIZE_SHARE_GROUP_STATE_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 0)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&INITIALIZE_SHARE_GROUP_STATE_REQUEST_INITIALIZE_STATE_DATA)),
            (0, 0),
        ),
    ],
};

static INITIALIZE_SHARE_GROUP_STATE_REQUEST_INITIALIZE_STATE_DATA: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (0, 0)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&INITIALIZE_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA)),
            (0, 0),
        ),
    ],
};

static INITIALIZE_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA: Struct = Struct {
    fields: &[
        field("Partition", Kind::Int32, (0, 0)),
        field("StateEpoch", Kind::Int32, (0, 0)),
        field("StartOffset", Kind::Int64, (0, 0)),
    ],
};

static INITIALIZE_SHARE_GROUP_STATE_RESPONSE: Struct = Struct {
    fields: &[field(
        "Results",
        Kind::Array(&Kind::Struct(&INITIALIZE_SHARE_GROUP_STATE_RESPONSE_INITIALIZE_STATE_RESULT)),
        (0, 0),
    )],
};

static INITIALIZE_SHARE_GROUP_STATE_RESPONSE_INITIALIZE_STATE_RESULT: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (0, 0)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&INITIALIZE_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT)),
            (0, 0),
        ),
    ],
};

static INITIALIZE_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT: Struct = Struct {
    fields: &[
        field("Partition", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
    ],
};

static INIT_PRODUCER_ID_REQUEST: Struct = Struct {
    fields: &[
        field("TransactionalId", Kind::Text, (0, 6)).nullable((0, MAX)).entity(Entity::TransactionalId),
        field("TransactionTimeoutMs", Kind::Int32, (0, 6)),
        field("ProducerId", Kind::Int64, (3, 6)).default("-1").entity(Entity::Producer),
        field("ProducerEpoch", Kind::Int16, (3, 6)).default("-1"),
        field("Enable2Pc", Kind::Bool, (6, 6)).default("false"),
        field("KeepPreparedTxn", Kind::Bool, (6, 6)).default("false"),
    ],
};

static INIT_PRODUCER_ID_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 6)),
        field("ErrorCode", Kind::Int16, (0, 6)),
        field("ProducerId", Kind::Int64, (0, 6)).default("-1").entity(Entity::Producer),
        field("ProducerEpoch", Kind::Int16, (0, 6)),
        field("OngoingTxnProducerId", Kind::Int64, (6, 6)).default("-1").entity(Entity::Producer),
        field("OngoingTxnProducerEpoch", Kind::Int16, (6, 6)).default("-1"),
    ],
};

static JOIN_GROUP_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 9)).entity(Entity::Group),
        field("SessionTimeoutMs", Kind::Int32, (0, 9)),
        field("RebalanceTimeoutMs", Kind::Int32, (1, 9)).default("-1"),
        field("MemberId", Kind::Text, (0, 9)),
        field("GroupInstanceId", Kind::Text, (5, 9)).nullable((5, MAX)).default("null"),
        field("ProtocolType", Kind::Text, (0, 9)),
        field(
            "Protocols",
            Kind::Array(&Kind::Struct(&JOIN_GROUP_REQUEST_JOIN_GROUP_REQUEST_PROTOCOL)),
            (0, 9),
        ),
        field("Reason", Kind::Text, (8, 9)).nullable((8, MAX)).default("null"),
    ],
};

static JOIN_GROUP_REQUEST_JOIN_GROUP_REQUEST_PROTOCOL: Struct =
    Struct { fields: &[field("Name", Kind::Text, (0, 9)), field("Metadata", Kind::Bytes, (0, 9))] };

static JOIN_GROUP_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (2, 9)),
        field("ErrorCode", Kind::Int16, (0, 9)),
        field("GenerationId", Kind::Int32, (0, 9)).default("-1"),
        field("ProtocolType", Kind::Text, (7, 9)).nullable((7, MAX)).default("null"),
        field("ProtocolName", Kind::Text, (0, 9)).nullable((7, MAX)),
        field("Leader", Kind::Text, (0, 9)),
        field("SkipAssignment", Kind::Bool, (9, 9)).default("false"),
        field("MemberId", Kind::Text, (0, 9)),
        field("Members", Kind::Array(&Kind::Struct(&JOIN_GROUP_RESPONSE_JOIN_GROUP_RESPONSE_MEMBER)), (0, 9)),
    ],
};

static JOIN_GROUP_RESPONSE_JOIN_GROUP_RESPONSE_MEMBER: Struct = Struct {
    fields: &[
        field("MemberId", Kind::Text, (0, 9)),
        field("GroupInstanceId", Kind::Text, (5, 9)).nullable((5, MAX)).default("null"),
        field("Metadata", Kind::Bytes, (0, 9)),
    ],
};

static LEAVE_GROUP_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 5)).entity(Entity::Group),
        field("MemberId", Kind::Text, (0, 2)),
        field("Members", Kind::Array(&Kind::Struct(&LEAVE_GROUP_REQUEST_MEMBER_IDENTITY)), (3, 5)),
    ],
};

static LEAVE_GROUP_REQUEST_MEMBER_IDENTITY: Struct = Struct {
    fields: &[
        field("MemberId", Kind::Text, (3, 5)),
        field("GroupInstanceId", Kind::Text, (3, 5)).nullable((3, MAX)).default("null"),
        field("Reason", Kind::Text, (5, 5)).nullable((5, MAX)).default("null"),
    ],
};

static LEAVE_GROUP_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 5)),
        field("ErrorCode", Kind::Int16, (0, 5)),
        field("Members", Kind::Array(&Kind::Struct(&LEAVE_GROUP_RESPONSE_MEMBER_RESPONSE)), (3, 5)),
    ],
};

static LEAVE_GROUP_RESPONSE_MEMBER_RESPONSE: Struct = Struct {
    fields: &[
        field("MemberId", Kind::Text, (3, 5)),
        field("GroupInstanceId", Kind::Text, (3, 5)).nullable((3, MAX)),
        field("ErrorCode", Kind::Int16, (3, 5)),
    ],
};

static LIST_CONFIG_RESOURCES_REQUEST: Struct =
    Struct { fields: &[field("ResourceTypes", Kind::Array(&Kind::Int8), (1, 1))] };

static LIST_CONFIG_RESOURCES_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 1)),
        field("ErrorCode", Kind::Int16, (0, 1)),
        field(
            "ConfigResources",
            Kind::Array(&Kind::Struct(&LIST_CONFIG_RESOURCES_RESPONSE_CONFIG_RESOURCE)),
            (0, 1),
        ),
    ],
};

static LIST_CONFIG_RESOURCES_RESPONSE_CONFIG_RESOURCE: Struct = Struct {
    fields: &[
        field("ResourceName", Kind::Text, (0, 1)),
        field("ResourceType", Kind::Int8, (1, 1)).default("16"),
    ],
};

static LIST_GROUPS_REQUEST: Struct = Struct {
    fields: &[
        field("StatesFilter", Kind::Array(&Kind::Text), (4, 5)),
        field("TypesFilter", Kind::Array(&Kind::Text), (5, 5)),
    ],
};

static LIST_GROUPS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 5)),
        field("ErrorCode", Kind::Int16, (0, 5)),
        field("Groups", Kind::Array(&Kind::Struct(&LIST_GROUPS_RESPONSE_LISTED_GROUP)), (0, 5)),
    ],
};

static LIST_GROUPS_RESPONSE_LISTED_GROUP: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 5)).entity(Entity::Group),
        field("ProtocolType", Kind::Text, (0, 5)),
        field("GroupState", Kind::Text, (4, 5)),
        field("GroupType", Kind::Text, (5, 5)),
    ],
};

static LIST_OFFSETS_REQUEST: Struct = Struct {
    fields: &[
        field("ReplicaId", Kind::Int32, (1, 11)).entity(Entity::Broker),
        field("IsolationLevel", Kind::Int8, (2, 11)),
        field("Topics", Kind::Array(&Kind::Struct(&LIST_OFFSETS_REQUEST_LIST_OFFSETS_TOPIC)), (1, 11)),
        field("TimeoutMs", Kind::Int32, (10, 11)),
    ],
};

static LIST_OFFSETS_REQUEST_LIST_OFFSETS_PARTITION: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (1, 11)),
        field("CurrentLeaderEpoch", Kind::Int32, (4, 11)).default("-1"),
        field("Timestamp", Kind::Int64, (1, 11)),
    ],
};

static LIST_OFFSETS_REQUEST_LIST_OFFSETS_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (1, 11)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&LIST_OFFSETS_REQUEST_LIST_OFFSETS_PARTITION)),
            (1, 11),
        ),
    ],
};

static LIST_OFFSETS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (2, 11)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&LIST_OFFSETS_RESPONSE_LIST_OFFSETS_TOPIC_RESPONSE)),
            (1, 11),
        ),
    ],
};

static LIST_OFFSETS_RESPONSE_LIST_OFFSETS_PARTITION_RESPONSE: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (1, 11)),
        field("ErrorCode", Kind::Int16, (1, 11)),
        field("Timestamp", Kind::Int64, (1, 11)).default("-1"),
        field("Offset", Kind::Int64, (1, 11)).default("-1"),
        field("LeaderEpoch", Kind::Int32, (4, 11)).default("-1"),
    ],
};

static LIST_OFFSETS_RESPONSE_LIST_OFFSETS_TOPIC_RESPONSE: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (1, 11)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&LIST_OFFSETS_RESPONSE_LIST_OFFSETS_PARTITION_RESPONSE)),
            (1, 11),
        ),
    ],
};

static LIST_PARTITION_REASSIGNMENTS_REQUEST: Struct = Struct {
    fields: &[
        field("TimeoutMs", Kind::Int32, (0, 0)).default("60000"),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(
                &LIST_PARTITION_REASSIGNMENTS_REQUEST_LIST_PARTITION_REASSIGNMENTS_TOPICS,
            )),
            (0, 0),
        )
        .nullable((0, MAX))
        .default("null"),
    ],
};

static LIST_PARTITION_REASSIGNMENTS_REQUEST_LIST_PARTITION_REASSIGNMENTS_TOPICS: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 0)).entity(Entity::Topic),
        field("PartitionIndexes", Kind::Array(&Kind::Int32), (0, 0)),
    ],
};

static LIST_PARTITION_REASSIGNMENTS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&LIST_PARTITION_REASSIGNMENTS_RESPONSE_ONGOING_TOPIC_REASSIGNMENT)),
            (0, 0),
        ),
    ],
};

static LIST_PARTITION_REASSIGNMENTS_RESPONSE_ONGOING_PARTITION_REASSIGNMENT: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (0, 0)),
        field("Replicas", Kind::Array(&Kind::Int32), (0, 0)).entity(Entity::Broker),
        field("AddingReplicas", Kind::Array(&Kind::Int32), (0, 0)).entity(Entity::Broker),
        field("RemovingReplicas", Kind::Array(&Kind::Int32), (0, 0)).entity(Entity::Broker),
    ],
};

static LIST_PARTITION_REASSIGNMENTS_RESPONSE_ONGOING_TOPIC_REASSIGNMENT: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 0)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&LIST_PARTITION_REASSIGNMENTS_RESPONSE_ONGOING_PARTITION_REASSIGNMENT)),
            (0, 0),
        ),
    ],
};

static LIST_TRANSACTIONS_REQUEST: Struct = Struct {
    fields: &[
        field("StateFilters", Kind::Array(&Kind::Text), (0, 2)),
        field("ProducerIdFilters", Kind::Array(&Kind::Int64), (0, 2)).entity(Entity::Producer),
        field("DurationFilter", Kind::Int64, (1, 2)).default("-1"),
        field("TransactionalIdPattern", Kind::Text, (2, 2)).nullable((2, MAX)).default("null"),
    ],
};

static LIST_TRANSACTIONS_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 2)),
        field("ErrorCode", Kind::Int16, (0, 2)),
        field("UnknownStateFilters", Kind::Array(&Kind::Text), (0, 2)),
        field(
            "TransactionStates",
            Kind::Array(&Kind::Struct(&LIST_TRANSACTIONS_RESPONSE_TRANSACTION_STATE)),
            (0, 2),
        ),
    ],
};

static LIST_TRANSACTIONS_RESPONSE_TRANSACTION_STATE: Struct = Struct {
    fields: &[
        field("TransactionalId", Kind::Text, (0, 2)).entity(Entity::TransactionalId),
        field("ProducerId", Kind::Int64, (0, 2)).entity(Entity::Producer),
        field("TransactionState", Kind::Text, (0, 2)),
    ],
};

static METADATA_REQUEST: Struct = Struct {
    fields: &[
        field("Topics", Kind::Array(&Kind::Struct(&METADATA_REQUEST_METADATA_REQUEST_TOPIC)), (0, 13))
            .nullable((1, MAX)),
        field("AllowAutoTopicCreation", Kind::Bool, (4, 13)).default("true"),
        field("IncludeClusterAuthorizedOperations", Kind::Bool, (8, 10)),
        field("IncludeTopicAuthorizedOperations", Kind::Bool, (8, 13)),
    ],
};

static METADATA_REQUEST_METADATA_REQUEST_TOPIC: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (10, 13)),
        field("Name", Kind::Text, (0, 13)).nullable((10, MAX)).entity(Entity::Topic),
    ],
};

static METADATA_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (3, 13)),
        field("Brokers", Kind::Array(&Kind::Struct(&METADATA_RESPONSE_METADATA_RESPONSE_BROKER)), (0, 13)),
        field("ClusterId", Kind::Text, (2, 13)).nullable((2, MAX)).default("null"),
        field("ControllerId", Kind::Int32, (1, 13)).default("-1").entity(Entity::Broker),
        field("Topics", Kind::Array(&Kind::Struct(&METADATA_RESPONSE_METADATA_RESPONSE_TOPIC)), (0, 13)),
        field("ClusterAuthorizedOperations", Kind::Int32, (8, 10)).default("-2147483648"),
        field("ErrorCode", Kind::Int16, (13, 13)),
    ],
};

static METADATA_RESPONSE_METADATA_RESPONSE_BROKER: Struct = Struct {
    fields: &[
        field("NodeId", Kind::Int32, (0, 13)).entity(Entity::Broker),
        field("Host", Kind::Text, (0, 13)),
        field("Port", Kind::Int32, (0, 13)),
        field("Rack", Kind::Text, (1, 13)).nullable((1, MAX)).default("null"),
    ],
};

static METADATA_RESPONSE_METADATA_RESPONSE_PARTITION: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 13)),
        field("PartitionIndex", Kind::Int32, (0, 13)),
        field("LeaderId", Kind::Int32, (0, 13)).entity(Entity::Broker),
        field("LeaderEpoch", Kind::Int32, (7, 13)).default("-1"),
        field("ReplicaNodes", Kind::Array(&Kind::Int32), (0, 13)).entity(Entity::Broker),
        field("IsrNodes", Kind::Array(&Kind::Int32), (0, 13)).entity(Entity::Broker),
        field("OfflineReplicas", Kind::Array(&Kind::Int32), (5, 13)).entity(Entity::Broker),
    ],
};

static METADATA_RESPONSE_METADATA_RESPONSE_TOPIC: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 13)),
        field("Name", Kind::Text, (0, 13)).nullable((12, MAX)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (10, 13)),
        field("IsInternal", Kind::Bool, (1, 13)).default("false"),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&METADATA_RESPONSE_METADATA_RESPONSE_PARTITION)),
            (0, 13),
        ),
        field("TopicAuthorizedOperations", Kind::Int32, (8, 13)).default("-2147483648"),
    ],
};

static OFFSET_COMMIT_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (2, 10)).entity(Entity::Group),
        field("GenerationIdOrMemberEpoch", Kind::Int32, (2, 10)).default("-1"),
        field("MemberId", Kind::Text, (2, 10)),
        field("GroupInstanceId", Kind::Text, (7, 10)).nullable((7, MAX)).default("null"),
        field("RetentionTimeMs", Kind::Int64, (2, 4)).default("-1"),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&OFFSET_COMMIT_REQUEST_OFFSET_COMMIT_REQUEST_TOPIC)),
            (2, 10),
        ),
    ],
};

static OFFSET_COMMIT_REQUEST_OFFSET_COMMIT_REQUEST_PARTITION: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (2, 10)),
        field("CommittedOffset", Kind::Int64, (2, 10)),
        field("CommittedLeaderEpoch", Kind::Int32, (6, 10)).default("-1"),
        field("CommittedMetadata", Kind::Text, (2, 10)).nullable((0, MAX)),
    ],
};

static OFFSET_COMMIT_REQUEST_OFFSET_COMMIT_REQUEST_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (2, 9)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (10, 10)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&OFFSET_COMMIT_REQUEST_OFFSET_COMMIT_REQUEST_PARTITION)),
            (2, 10),
        ),
    ],
};

static OFFSET_COMMIT_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (3, 10)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&OFFSET_COMMIT_RESPONSE_OFFSET_COMMIT_RESPONSE_TOPIC)),
            (2, 10),
        ),
    ],
};

static OFFSET_COMMIT_RESPONSE_OFFSET_COMMIT_RESPONSE_PARTITION: Struct = Struct {
    fields: &[field("PartitionIndex", Kind::Int32, (2, 10)), field("ErrorCode", Kind::Int16, (2, 10))],
};

static OFFSET_COMMIT_RESPONSE_OFFSET_COMMIT_RESPONSE_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (2, 9)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (10, 10)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&OFFSET_COMMIT_RESPONSE_OFFSET_COMMIT_RESPONSE_PARTITION)),
            (2, 10),
        ),
    ],
};

static OFFSET_DELETE_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 0)).entity(Entity::Group),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&OFFSET_DELETE_REQUEST_OFFSET_DELETE_REQUEST_TOPIC)),
            (0, 0),
        ),
    ],
};

static OFFSET_DELETE_REQUEST_OFFSET_DELETE_REQUEST_PARTITION: Struct =
    Struct { fields: &[field("PartitionIndex", Kind::Int32, (0, 0))] };

static OFFSET_DELETE_REQUEST_OFFSET_DELETE_REQUEST_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 0)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&OFFSET_DELETE_REQUEST_OFFSET_DELETE_REQUEST_PARTITION)),
            (0, 0),
        ),
    ],
};

static OFFSET_DELETE_RESPONSE: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&OFFSET_DELETE_RESPONSE_OFFSET_DELETE_RESPONSE_TOPIC)),
            (0, 0),
        ),
    ],
};

static OFFSET_DELETE_RESPONSE_OFFSET_DELETE_RESPONSE_PARTITION: Struct = Struct {
    fields: &[field("PartitionIndex", Kind::Int32, (0, 0)), field("ErrorCode", Kind::Int16, (0, 0))],
};

static OFFSET_DELETE_RESPONSE_OFFSET_DELETE_RESPONSE_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 0)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&OFFSET_DELETE_RESPONSE_OFFSET_DELETE_RESPONSE_PARTITION)),
            (0, 0),
        ),
    ],
};

static OFFSET_FETCH_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (1, 7)).entity(Entity::Group),
        field("Topics", Kind::Array(&Kind::Struct(&OFFSET_FETCH_REQUEST_OFFSET_FETCH_REQUEST_TOPIC)), (1, 7))
            .nullable((2, 7)),
        field(
            "Groups",
            Kind::Array(&Kind::Struct(&OFFSET_FETCH_REQUEST_OFFSET_FETCH_REQUEST_GROUP)),
            (8, 10),
        ),
        field("RequireStable", Kind::Bool, (7, 10)).default("false"),
    ],
};

static OFFSET_FETCH_REQUEST_OFFSET_FETCH_REQUEST_GROUP: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (8, 10)).entity(Entity::Group),
        field("MemberId", Kind::Text, (9, 10)).nullable((9, MAX)).default("null"),
        field("MemberEpoch", Kind::Int32, (9, 10)).default("-1"),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&OFFSET_FETCH_REQUEST_OFFSET_FETCH_REQUEST_TOPICS)),
            (8, 10),
        )
        .nullable((8, MAX)),
    ],
};

static OFFSET_FETCH_REQUEST_OFFSET_FETCH_REQUEST_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (1, 7)).entity(Entity::Topic),
        field("PartitionIndexes", Kind::Array(&Kind::Int32), (1, 7)),
    ],
};

static OFFSET_FETCH_REQUEST_OFFSET_FETCH_REQUEST_TOPICS: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (8, 9)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (10, 10)),
        field("PartitionIndexes", Kind::Array(&Kind::Int32), (8, 10)),
    ],
};

static OFFSET_FETCH_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (3, 10)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&OFFSET_FETCH_RESPONSE_OFFSET_FETCH_RESPONSE_TOPIC)),
            (1, 7),
        ),
        field("ErrorCode", Kind::Int16, (2, 7)).default("0"),
        field(
            "Groups",
            Kind::Array(&Kind::Struct(&OFFSET_FETCH_RESPONSE_OFFSET_FETCH_RESPONSE_GROUP)),
            (8, 10),
        ),
    ],
};

static OFFSET_FETCH_RESPONSE_OFFSET_FETCH_RESPONSE_GROUP: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (8, 10)).entity(Entity::Group),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&OFFSET_FETCH_RESPONSE_OFFSET_FETCH_RESPONSE_TOPICS)),
            (8, 10),
        ),
        field("ErrorCode", Kind::Int16, (8, 10)).default("0"),
    ],
};

static OFFSET_FETCH_RESPONSE_OFFSET_FETCH_RESPONSE_PARTITION: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (1, 7)),
        field("CommittedOffset", Kind::Int64, (1, 7)),
        field("CommittedLeaderEpoch", Kind::Int32, (5, 7)).default("-1"),
        field("Metadata", Kind::Text, (1, 7)).nullable((0, 7)),
        field("ErrorCode", Kind::Int16, (1, 7)),
    ],
};

static OFFSET_FETCH_RESPONSE_OFFSET_FETCH_RESPONSE_PARTITIONS: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (8, 10)),
        field("CommittedOffset", Kind::Int64, (8, 10)),
        field("CommittedLeaderEpoch", Kind::Int32, (8, 10)).default("-1"),
        field("Metadata", Kind::Text, (8, 10)).nullable((8, MAX)),
        field("ErrorCode", Kind::Int16, (8, 10)),
    ],
};

static OFFSET_FETCH_RESPONSE_OFFSET_FETCH_RESPONSE_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (1, 7)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&OFFSET_FETCH_RESPONSE_OFFSET_FETCH_RESPONSE_PARTITION)),
            (1, 7),
        ),
    ],
};

static OFFSET_FETCH_RESPONSE_OFFSET_FETCH_RESPONSE_TOPICS: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (8, 9)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (10, 10)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&OFFSET_FETCH_RESPONSE_OFFSET_FETCH_RESPONSE_PARTITIONS)),
            (8, 10),
        ),
    ],
};

static OFFSET_FOR_LEADER_EPOCH_REQUEST: Struct = Struct {
    fields: &[
        field("ReplicaId", Kind::Int32, (3, 4)).default("-2").entity(Entity::Broker),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&OFFSET_FOR_LEADER_EPOCH_REQUEST_OFFSET_FOR_LEADER_TOPIC)),
            (2, 4),
        ),
    ],
};

static OFFSET_FOR_LEADER_EPOCH_REQUEST_OFFSET_FOR_LEADER_PARTITION: Struct = Struct {
    fields: &[
        field("Partition", Kind::Int32, (2, 4)),
        field("CurrentLeaderEpoch", Kind::Int32, (2, 4)).default("-1"),
        field("LeaderEpoch", Kind::Int32, (2, 4)),
    ],
};

static OFFSET_FOR_LEADER_EPOCH_REQUEST_OFFSET_FOR_LEADER_TOPIC: Struct = Struct {
    fields: &[
        field("Topic", Kind::Text, (2, 4)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&OFFSET_FOR_LEADER_EPOCH_REQUEST_OFFSET_FOR_LEADER_PARTITION)),
            (2, 4),
        ),
    ],
};

static OFFSET_FOR_LEADER_EPOCH_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (2, 4)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&OFFSET_FOR_LEADER_EPOCH_RESPONSE_OFFSET_FOR_LEADER_TOPIC_RESULT)),
            (2, 4),
        ),
    ],
};

static OFFSET_FOR_LEADER_EPOCH_RESPONSE_EPOCH_END_OFFSET: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (2, 4)),
        field("Partition", Kind::Int32, (2, 4)),
        field("LeaderEpoch", Kind::Int32, (2, 4)).default("-1"),
        field("EndOffset", Kind::Int64, (2, 4)).default("-1"),
    ],
};

static OFFSET_FOR_LEADER_EPOCH_RESPONSE_OFFSET_FOR_LEADER_TOPIC_RESULT: Struct = Struct {
    fields: &[
        field("Topic", Kind::Text, (2, 4)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&OFFSET_FOR_LEADER_EPOCH_RESPONSE_EPOCH_END_OFFSET)),
            (2, 4),
        ),
    ],
};

static PRODUCE_REQUEST: Struct = Struct {
    fields: &[
        field("TransactionalId", Kind::Text, (3, 13))
            .nullable((3, MAX))
            .default("null")
            .entity(Entity::TransactionalId),
        field("Acks", Kind::Int16, (3, 13)),
        field("TimeoutMs", Kind::Int32, (3, 13)),
        field("TopicData", Kind::Array(&Kind::Struct(&PRODUCE_REQUEST_TOPIC_PRODUCE_DATA)), (3, 13)),
    ],
};

static PRODUCE_REQUEST_PARTITION_PRODUCE_DATA: Struct = Struct {
    fields: &[
        field("Index", Kind::Int32, (3, 13)),
        field("Records", Kind::Bytes, (3, 13)).nullable((0, MAX)),
    ],
};

static PRODUCE_REQUEST_TOPIC_PRODUCE_DATA: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (3, 12)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (13, 13)),
        field("PartitionData", Kind::Array(&Kind::Struct(&PRODUCE_REQUEST_PARTITION_PRODUCE_DATA)), (3, 13)),
    ],
};

static PRODUCE_RESPONSE: Struct = Struct {
    fields: &[
        field("Responses", Kind::Array(&Kind::Struct(&PRODUCE_RESPONSE_TOPIC_PRODUCE_RESPONSE)), (3, 13)),
        field("ThrottleTimeMs", Kind::Int32, (3, 13)).default("0"),
        field("NodeEndpoints", Kind::Array(&Kind::Struct(&PRODUCE_RESPONSE_NODE_ENDPOINT)), (10, 13))
            .tagged(0, (10, MAX)),
    ],
};

static PRODUCE_RESPONSE_BATCH_INDEX_AND_ERROR_MESSAGE: Struct = Struct {
    fields: &[
        field("BatchIndex", Kind::Int32, (8, 13)),
        field("BatchIndexErrorMessage", Kind::Text, (8, 13)).nullable((8, MAX)).default("null"),
    ],
};

static PRODUCE_RESPONSE_LEADER_ID_AND_EPOCH: Struct = Struct {
    fields: &[
        field("LeaderId", Kind::Int32, (10, 13)).default("-1").entity(Entity::Broker),
        field("LeaderEpoch", Kind::Int32, (10, 13)).default("-1"),
    ],
};

static PRODUCE_RESPONSE_NODE_ENDPOINT: Struct = Struct {
    fields: &[
        field("NodeId", Kind::Int32, (10, 13)).entity(Entity::Broker),
        field("Host", Kind::Text, (10, 13)),
        field("Port", Kind::Int32, (10, 13)),
        field("Rack", Kind::Text, (10, 13)).nullable((10, MAX)).default("null"),
    ],
};

static PRODUCE_RESPONSE_PARTITION_PRODUCE_RESPONSE: Struct = Struct {
    fields: &[
        field("Index", Kind::Int32, (3, 13)),
        field("ErrorCode", Kind::Int16, (3, 13)),
        field("BaseOffset", Kind::Int64, (3, 13)),
        field("LogAppendTimeMs", Kind::Int64, (3, 13)).default("-1"),
        field("LogStartOffset", Kind::Int64, (5, 13)).default("-1"),
        field(
            "RecordErrors",
            Kind::Array(&Kind::Struct(&PRODUCE_RESPONSE_BATCH_INDEX_AND_ERROR_MESSAGE)),
            (8, 13),
        ),
        field("ErrorMessage", Kind::Text, (8, 13)).nullable((8, MAX)).default("null"),
        field("CurrentLeader", Kind::Struct(&PRODUCE_RESPONSE_LEADER_ID_AND_EPOCH), (10, 13))
            .tagged(0, (10, MAX)),
    ],
};

static PRODUCE_RESPONSE_TOPIC_PRODUCE_RESPONSE: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (3, 12)).entity(Entity::Topic),
        field("TopicId", Kind::Uuid, (13, 13)),
        field(
            "PartitionResponses",
            Kind::Array(&Kind::Struct(&PRODUCE_RESPONSE_PARTITION_PRODUCE_RESPONSE)),
            (3, 13),
        ),
    ],
};

static PUSH_TELEMETRY_REQUEST: Struct = Struct {
    fields: &[
        field("ClientInstanceId", Kind::Uuid, (0, 0)),
        field("SubscriptionId", Kind::Int32, (0, 0)),
        field("Terminating", Kind::Bool, (0, 0)),
        field("CompressionType", Kind::Int8, (0, 0)),
        field("Metrics", Kind::Bytes, (0, 0)),
    ],
};

static PUSH_TELEMETRY_RESPONSE: Struct = Struct {
    fields: &[field("ThrottleTimeMs", Kind::Int32, (0, 0)), field("ErrorCode", Kind::Int16, (0, 0))],
};

static READ_SHARE_GROUP_STATE_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 0)),
        field("Topics", Kind::Array(&Kind::Struct(&READ_SHARE_GROUP_STATE_REQUEST_READ_STATE_DATA)), (0, 0)),
    ],
};

static READ_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA: Struct =
    Struct { fields: &[field("Partition", Kind::Int32, (0, 0)), field("LeaderEpoch", Kind::Int32, (0, 0))] };

static READ_SHARE_GROUP_STATE_REQUEST_READ_STATE_DATA: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (0, 0)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&READ_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA)),
            (0, 0),
        ),
    ],
};

static READ_SHARE_GROUP_STATE_RESPONSE: Struct = Struct {
    fields: &[field(
        "Results",
        Kind::Array(&Kind::Struct(&READ_SHARE_GROUP_STATE_RESPONSE_READ_STATE_RESULT)),
        (0, 0),
    )],
};

static READ_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT: Struct = Struct {
    fields: &[
        field("Partition", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
        field("StateEpoch", Kind::Int32, (0, 0)),
        field("StartOffset", Kind::Int64, (0, 0)),
        field(
            "StateBatches",
            Kind::Array(&Kind::Struct(&READ_SHARE_GROUP_STATE_RESPONSE_STATE_BATCH)),
            (0, 0),
        ),
    ],
};

static READ_SHARE_GROUP_STATE_RESPONSE_READ_STATE_RESULT: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (0, 0)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&READ_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT)),
            (0, 0),
        ),
    ],
};

static READ_SHARE_GROUP_STATE_RESPONSE_STATE_BATCH: Struct = Struct {
    fields: &[
        field("FirstOffset", Kind::Int64, (0, 0)),
        field("LastOffset", Kind::Int64, (0, 0)),
        field("DeliveryState", Kind::Int8, (0, 0)),
        field("DeliveryCount", Kind::Int16, (0, 0)),
    ],
};

static READ_SHARE_GROUP_STATE_SUMMARY_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 1)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&READ_SHARE_GROUP_STATE_SUMMARY_REQUEST_READ_STATE_SUMMARY_DATA)),
            (0, 1),
        ),
    ],
};

static READ_SHARE_GROUP_STATE_SUMMARY_REQUEST_PARTITION_DATA: Struct =
    Struct { fields: &[field("Partition", Kind::Int32, (0, 1)), field("LeaderEpoch", Kind::Int32, (0, 1))] };

static READ_SHARE_GROUP_STATE_SUMMARY_REQUEST_READ_STATE_SUMMARY_DATA: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (0, 1)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&READ_SHARE_GROUP_STATE_SUMMARY_REQUEST_PARTITION_DATA)),
            (0, 1),
        ),
    ],
};

static READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE: Struct = Struct {
    fields: &[field(
        "Results",
        Kind::Array(&Kind::Struct(&READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE_READ_STATE_SUMMARY_RESULT)),
        (0, 1),
    )],
};

static READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE_PARTITION_RESULT: Struct = Struct {
    fields: &[
        field("Partition", Kind::Int32, (0, 1)),
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("ErrorMessage", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
        field("StateEpoch", Kind::Int32, (0, 1)),
        field("LeaderEpoch", Kind::Int32, (0, 1)),
        field("StartOffset", Kind::Int64, (0, 1)),
        field("DeliveryCompleteCount", Kind::Int32, (1, 1)).default("-1"),
    ],
};

static READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE_READ_STATE_SUMMARY_RESULT: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (0, 1)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&READ_SHARE_GROUP_STATE_SUMMARY_RESPONSE_PARTITION_RESULT)),
            (0, 1),
        ),
    ],
};

static REMOVE_RAFT_VOTER_REQUEST: Struct = Struct {
    fields: &[
        field("ClusterId", Kind::Text, (0, 0)).nullable((0, MAX)),
        field("VoterId", Kind::Int32, (0, 0)),
        field("VoterDirectoryId", Kind::Uuid, (0, 0)),
    ],
};

static REMOVE_RAFT_VOTER_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)),
    ],
};

static RENEW_DELEGATION_TOKEN_REQUEST: Struct =
    Struct { fields: &[field("Hmac", Kind::Bytes, (1, 2)), field("RenewPeriodMs", Kind::Int64, (1, 2))] };

static RENEW_DELEGATION_TOKEN_RESPONSE: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (1, 2)),
        field("ExpiryTimestampMs", Kind::Int64, (1, 2)),
        field("ThrottleTimeMs", Kind::Int32, (1, 2)),
    ],
};

static SASL_AUTHENTICATE_REQUEST: Struct = Struct { fields: &[field("AuthBytes", Kind::Bytes, (0, 2))] };

static SASL_AUTHENTICATE_RESPONSE: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 2)),
        field("ErrorMessage", Kind::Text, (0, 2)).nullable((0, MAX)),
        field("AuthBytes", Kind::Bytes, (0, 2)),
        field("SessionLifetimeMs", Kind::Int64, (1, 2)).default("0"),
    ],
};

static SASL_HANDSHAKE_REQUEST: Struct = Struct { fields: &[field("Mechanism", Kind::Text, (0, 1))] };

static SASL_HANDSHAKE_RESPONSE: Struct = Struct {
    fields: &[field("ErrorCode", Kind::Int16, (0, 1)), field("Mechanisms", Kind::Array(&Kind::Text), (0, 1))],
};

static SHARE_ACKNOWLEDGE_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (1, 2)).nullable((0, MAX)).default("null").entity(Entity::Group),
        field("MemberId", Kind::Text, (1, 2)).nullable((0, MAX)),
        field("ShareSessionEpoch", Kind::Int32, (1, 2)),
        field("IsRenewAck", Kind::Bool, (2, 2)).default("false"),
        field("Topics", Kind::Array(&Kind::Struct(&SHARE_ACKNOWLEDGE_REQUEST_ACKNOWLEDGE_TOPIC)), (1, 2)),
    ],
};

static SHARE_ACKNOWLEDGE_REQUEST_ACKNOWLEDGEMENT_BATCH: Struct = Struct {
    fields: &[
        field("FirstOffset", Kind::Int64, (1, 2)),
        field("LastOffset", Kind::Int64, (1, 2)),
        field("AcknowledgeTypes", Kind::Array(&Kind::Int8), (1, 2)),
    ],
};

static SHARE_ACKNOWLEDGE_REQUEST_ACKNOWLEDGE_PARTITION: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (1, 2)),
        field(
            "AcknowledgementBatches",
            Kind::Array(&Kind::Struct(&SHARE_ACKNOWLEDGE_REQUEST_ACKNOWLEDGEMENT_BATCH)),
            (1, 2),
        ),
    ],
};

static SHARE_ACKNOWLEDGE_REQUEST_ACKNOWLEDGE_TOPIC: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (1, 2)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&SHARE_ACKNOWLEDGE_REQUEST_ACKNOWLEDGE_PARTITION)),
            (1, 2),
        ),
    ],
};

static SHARE_ACKNOWLEDGE_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 2)),
        field("ErrorCode", Kind::Int16, (1, 2)),
        field("ErrorMessage", Kind::Text, (1, 2)).nullable((0, MAX)).default("null"),
        field("AcquisitionLockTimeoutMs", Kind::Int32, (2, 2)),
        field(
            "Responses",
            Kind::Array(&Kind::Struct(&SHARE_ACKNOWLEDGE_RESPONSE_SHARE_ACKNOWLEDGE_TOPIC_RESPONSE)),
            (1, 2),
        ),
        field("NodeEndpoints", Kind::Array(&Kind::Struct(&SHARE_ACKNOWLEDGE_RESPONSE_NODE_ENDPOINT)), (1, 2)),
    ],
};

static SHARE_ACKNOWLEDGE_RESPONSE_LEADER_ID_AND_EPOCH: Struct =
    Struct { fields: &[field("LeaderId", Kind::Int32, (1, 2)), field("LeaderEpoch", Kind::Int32, (1, 2))] };

static SHARE_ACKNOWLEDGE_RESPONSE_NODE_ENDPOINT: Struct = Struct {
    fields: &[
        field("NodeId", Kind::Int32, (1, 2)).entity(Entity::Broker),
        field("Host", Kind::Text, (1, 2)),
        field("Port", Kind::Int32, (1, 2)),
        field("Rack", Kind::Text, (1, 2)).nullable((0, MAX)).default("null"),
    ],
};

static SHARE_ACKNOWLEDGE_RESPONSE_PARTITION_DATA: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (1, 2)),
        field("ErrorCode", Kind::Int16, (1, 2)),
        field("ErrorMessage", Kind::Text, (1, 2)).nullable((0, MAX)).default("null"),
        field("CurrentLeader", Kind::Struct(&SHARE_ACKNOWLEDGE_RESPONSE_LEADER_ID_AND_EPOCH), (1, 2)),
    ],
};

static SHARE_ACKNOWLEDGE_RESPONSE_SHARE_ACKNOWLEDGE_TOPIC_RESPONSE: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (1, 2)),
        field("Partitions", Kind::Array(&Kind::Struct(&SHARE_ACKNOWLEDGE_RESPONSE_PARTITION_DATA)), (1, 2)),
    ],
};

static SHARE_FETCH_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (1, 2)).nullable((0, MAX)).default("null").entity(Entity::Group),
        field("MemberId", Kind::Text, (1, 2)).nullable((0, MAX)),
        field("ShareSessionEpoch", Kind::Int32, (1, 2)),
        field("MaxWaitMs", Kind::Int32, (1, 2)),
        field("MinBytes", Kind::Int32, (1, 2)),
        field("MaxBytes", Kind::Int32, (1, 2)).default("0x7fffffff"),
        field("MaxRecords", Kind::Int32, (1, 2)),
        field("BatchSize", Kind::Int32, (1, 2)),
        field("ShareAcquireMode", Kind::Int8, (2, 2)).default("0"),
        field("IsRenewAck", Kind::Bool, (2, 2)).default("false"),
        field("Topics", Kind::Array(&Kind::Struct(&SHARE_FETCH_REQUEST_FETCH_TOPIC)), (1, 2)),
        field(
            "ForgottenTopicsData",
            Kind::Array(&Kind::Struct(&SHARE_FETCH_REQUEST_FORGOTTEN_TOPIC)),
            (1, 2),
        ),
    ],
};

static SHARE_FETCH_REQUEST_ACKNOWLEDGEMENT_BATCH: Struct = Struct {
    fields: &[
        field("FirstOffset", Kind::Int64, (1, 2)),
        field("LastOffset", Kind::Int64, (1, 2)),
        field("AcknowledgeTypes", Kind::Array(&Kind::Int8), (1, 2)),
    ],
};

static SHARE_FETCH_REQUEST_FETCH_PARTITION: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (1, 2)),
        field("PartitionMaxBytes", Kind::Int32, NONE),
        field(
            "AcknowledgementBatches",
            Kind::Array(&Kind::Struct(&SHARE_FETCH_REQUEST_ACKNOWLEDGEMENT_BATCH)),
            (1, 2),
        ),
    ],
};

static SHARE_FETCH_REQUEST_FETCH_TOPIC: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (1, 2)),
        field("Partitions", Kind::Array(&Kind::Struct(&SHARE_FETCH_REQUEST_FETCH_PARTITION)), (1, 2)),
    ],
};

static SHARE_FETCH_REQUEST_FORGOTTEN_TOPIC: Struct = Struct {
    fields: &[field("TopicId", Kind::Uuid, (1, 2)), field("Partitions", Kind::Array(&Kind::Int32), (1, 2))],
};

static SHARE_FETCH_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 2)),
        field("ErrorCode", Kind::Int16, (1, 2)),
        field("ErrorMessage", Kind::Text, (1, 2)).nullable((0, MAX)).default("null"),
        field("AcquisitionLockTimeoutMs", Kind::Int32, (1, 2)),
        field(
            "Responses",
            Kind::Array(&Kind::Struct(&SHARE_FETCH_RESPONSE_SHARE_FETCHABLE_TOPIC_RESPONSE)),
            (1, 2),
        ),
        field("NodeEndpoints", Kind::Array(&Kind::Struct(&SHARE_FETCH_RESPONSE_NODE_ENDPOINT)), (1, 2)),
    ],
};

static SHARE_FETCH_RESPONSE_ACQUIRED_RECORDS: Struct = Struct {
    fields: &[
        field("FirstOffset", Kind::Int64, (1, 2)),
        field("LastOffset", Kind::Int64, (1, 2)),
        field("DeliveryCount", Kind::Int16, (1, 2)),
    ],
};

static SHARE_FETCH_RESPONSE_LEADER_ID_AND_EPOCH: Struct =
    Struct { fields: &[field("LeaderId", Kind::Int32, (1, 2)), field("LeaderEpoch", Kind::Int32, (1, 2))] };

static SHARE_FETCH_RESPONSE_NODE_ENDPOINT: Struct = Struct {
    fields: &[
        field("NodeId", Kind::Int32, (1, 2)).entity(Entity::Broker),
        field("Host", Kind::Text, (1, 2)),
        field("Port", Kind::Int32, (1, 2)),
        field("Rack", Kind::Text, (1, 2)).nullable((0, MAX)).default("null"),
    ],
};

static SHARE_FETCH_RESPONSE_PARTITION_DATA: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (1, 2)),
        field("ErrorCode", Kind::Int16, (1, 2)),
        field("ErrorMessage", Kind::Text, (1, 2)).nullable((0, MAX)).default("null"),
        field("AcknowledgeErrorCode", Kind::Int16, (1, 2)),
        field("AcknowledgeErrorMessage", Kind::Text, (1, 2)).nullable((0, MAX)).default("null"),
        field("CurrentLeader", Kind::Struct(&SHARE_FETCH_RESPONSE_LEADER_ID_AND_EPOCH), (1, 2)),
        field("Records", Kind::Bytes, (1, 2)).nullable((0, 0)),
        field("AcquiredRecords", Kind::Array(&Kind::Struct(&SHARE_FETCH_RESPONSE_ACQUIRED_RECORDS)), (1, 2)),
    ],
};

static SHARE_FETCH_RESPONSE_SHARE_FETCHABLE_TOPIC_RESPONSE: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (1, 2)),
        field("Partitions", Kind::Array(&Kind::Struct(&SHARE_FETCH_RESPONSE_PARTITION_DATA)), (1, 2)),
    ],
};

static SHARE_GROUP_DESCRIBE_REQUEST: Struct = Struct {
    fields: &[
        field("GroupIds", Kind::Array(&Kind::Text), (1, 1)).entity(Entity::Group),
        field("IncludeAuthorizedOperations", Kind::Bool, (1, 1)),
    ],
};

static SHARE_GROUP_DESCRIBE_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 1)),
        field("Groups", Kind::Array(&Kind::Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_DESCRIBED_GROUP)), (1, 1)),
    ],
};

static SHARE_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT: Struct = Struct {
    fields: &[field(
        "TopicPartitions",
        Kind::Array(&Kind::Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_TOPIC_PARTITIONS)),
        (1, 1),
    )],
};

static SHARE_GROUP_DESCRIBE_RESPONSE_DESCRIBED_GROUP: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (1, 1)),
        field("ErrorMessage", Kind::Text, (1, 1)).nullable((0, MAX)).default("null"),
        field("GroupId", Kind::Text, (1, 1)).entity(Entity::Group),
        field("GroupState", Kind::Text, (1, 1)),
        field("GroupEpoch", Kind::Int32, (1, 1)),
        field("AssignmentEpoch", Kind::Int32, (1, 1)),
        field("AssignorName", Kind::Text, (1, 1)),
        field("Members", Kind::Array(&Kind::Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_MEMBER)), (1, 1)),
        field("AuthorizedOperations", Kind::Int32, (1, 1)).default("-2147483648"),
    ],
};

static SHARE_GROUP_DESCRIBE_RESPONSE_MEMBER: Struct = Struct {
    fields: &[
        field("MemberId", Kind::Text, (1, 1)),
        field("RackId", Kind::Text, (1, 1)).nullable((0, MAX)).default("null"),
        field("MemberEpoch", Kind::Int32, (1, 1)),
        field("ClientId", Kind::Text, (1, 1)),
        field("ClientHost", Kind::Text, (1, 1)),
        field("SubscribedTopicNames", Kind::Array(&Kind::Text), (1, 1)).entity(Entity::Topic),
        field("Assignment", Kind::Struct(&SHARE_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT), (1, 1)),
    ],
};

static SHARE_GROUP_DESCRIBE_RESPONSE_TOPIC_PARTITIONS: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (1, 1)),
        field("TopicName", Kind::Text, (1, 1)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Int32), (1, 1)),
    ],
};

static SHARE_GROUP_HEARTBEAT_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (1, 1)).entity(Entity::Group),
        field("MemberId", Kind::Text, (1, 1)),
        field("MemberEpoch", Kind::Int32, (1, 1)),
        field("RackId", Kind::Text, (1, 1)).nullable((0, MAX)).default("null"),
        field("SubscribedTopicNames", Kind::Array(&Kind::Text), (1, 1))
            .nullable((0, MAX))
            .default("null")
            .entity(Entity::Topic),
    ],
};

static SHARE_GROUP_HEARTBEAT_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 1)),
        field("ErrorCode", Kind::Int16, (1, 1)),
        field("ErrorMessage", Kind::Text, (1, 1)).nullable((0, MAX)).default("null"),
        field("MemberId", Kind::Text, (1, 1)).nullable((0, MAX)).default("null"),
        field("MemberEpoch", Kind::Int32, (1, 1)),
        field("HeartbeatIntervalMs", Kind::Int32, (1, 1)),
        field("Assignment", Kind::Struct(&SHARE_GROUP_HEARTBEAT_RESPONSE_ASSIGNMENT), (1, 1))
            .nullable((0, MAX))
            .default("null"),
    ],
};

static SHARE_GROUP_HEARTBEAT_RESPONSE_ASSIGNMENT: Struct = Struct {
    fields: &[field(
        "TopicPartitions",
        Kind::Array(&Kind::Struct(&SHARE_GROUP_HEARTBEAT_RESPONSE_TOPIC_PARTITIONS)),
        (1, 1),
    )],
};

static SHARE_GROUP_HEARTBEAT_RESPONSE_TOPIC_PARTITIONS: Struct = Struct {
    fields: &[field("TopicId", Kind::Uuid, (1, 1)), field("Partitions", Kind::Array(&Kind::Int32), (1, 1))],
};

static STREAMS_GROUP_DESCRIBE_REQUEST: Struct = Struct {
    fields: &[
        field("GroupIds", Kind::Array(&Kind::Text), (0, 0)).entity(Entity::Group),
        field("IncludeAuthorizedOperations", Kind::Bool, (0, 0)),
    ],
};

static STREAMS_GROUP_DESCRIBE_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field("Groups", Kind::Array(&Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_DESCRIBED_GROUP)), (0, 0)),
    ],
};

static STREAMS_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT: Struct = Struct {
    fields: &[
        field("ActiveTasks", Kind::Array(&Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TASK_IDS)), (0, 0)),
        field("StandbyTasks", Kind::Array(&Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TASK_IDS)), (0, 0)),
        field("WarmupTasks", Kind::Array(&Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TASK_IDS)), (0, 0)),
    ],
};

static STREAMS_GROUP_DESCRIBE_RESPONSE_DESCRIBED_GROUP: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
        field("GroupId", Kind::Text, (0, 0)).entity(Entity::Group),
        field("GroupState", Kind::Text, (0, 0)),
        field("GroupEpoch", Kind::Int32, (0, 0)),
        field("AssignmentEpoch", Kind::Int32, (0, 0)),
        field("Topology", Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY), (0, 0))
            .nullable((0, MAX))
            .default("null"),
        field("Members", Kind::Array(&Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_MEMBER)), (0, 0)),
        field("AuthorizedOperations", Kind::Int32, (0, 0)).default("-2147483648"),
    ],
};

static STREAMS_GROUP_DESCRIBE_RESPONSE_ENDPOINT: Struct =
    Struct { fields: &[field("Host", Kind::Text, (0, 0)), field("Port", Kind::Uint16, (0, 0))] };

static STREAMS_GROUP_DESCRIBE_RESPONSE_KEY_VALUE: Struct =
    Struct { fields: &[field("Key", Kind::Text, (0, 0)), field("Value", Kind::Text, (0, 0))] };

static STREAMS_GROUP_DESCRIBE_RESPONSE_MEMBER: Struct = Struct {
    fields: &[
        field("MemberId", Kind::Text, (0, 0)),
        field("MemberEpoch", Kind::Int32, (0, 0)),
        field("InstanceId", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
        field("RackId", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
        field("ClientId", Kind::Text, (0, 0)),
        field("ClientHost", Kind::Text, (0, 0)),
        field("TopologyEpoch", Kind::Int32, (0, 0)),
        field("ProcessId", Kind::Text, (0, 0)),
        field("UserEndpoint", Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_ENDPOINT), (0, 0))
            .nullable((0, MAX))
            .default("null"),
        field("ClientTags", Kind::Array(&Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_KEY_VALUE)), (0, 0)),
        field(
            "TaskOffsets",
            Kind::Array(&Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TASK_OFFSET)),
            (0, 0),
        ),
        field(
            "TaskEndOffsets",
            Kind::Array(&Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TASK_OFFSET)),
            (0, 0),
        ),
        field("Assignment", Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT), (0, 0)),
        field("TargetAssignment", Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_ASSIGNMENT), (0, 0)),
        field("IsClassic", Kind::Bool, (0, 0)),
    ],
};

static STREAMS_GROUP_DESCRIBE_RESPONSE_SUBTOPOLOGY: Struct = Struct {
    fields: &[
        field("SubtopologyId", Kind::Text, (0, 0)),
        field("SourceTopics", Kind::Array(&Kind::Text), (0, 0)).entity(Entity::Topic),
        field("RepartitionSinkTopics", Kind::Array(&Kind::Text), (0, 0)).entity(Entity::Topic),
        field(
            "StateChangelogTopics",
            Kind::Array(&Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TOPIC_INFO)),
            (0, 0),
        ),
        field(
            "RepartitionSourceTopics",
            Kind::Array(&Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_TOPIC_INFO)),
            (0, 0),
        ),
    ],
};

static STREAMS_GROUP_DESCRIBE_RESPONSE_TASK_IDS: Struct = Struct {
    fields: &[
        field("SubtopologyId", Kind::Text, (0, 0)),
        field("Partitions", Kind::Array(&Kind::Int32), (0, 0)),
    ],
};

static STREAMS_GROUP_DESCRIBE_RESPONSE_TASK_OFFSET: Struct = Struct {
    fields: &[
        field("SubtopologyId", Kind::Text, (0, 0)),
        field("Partition", Kind::Int32, (0, 0)),
        field("Offset", Kind::Int64, (0, 0)),
    ],
};

static STREAMS_GROUP_DESCRIBE_RESPONSE_TOPIC_INFO: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 0)).entity(Entity::Topic),
        field("Partitions", Kind::Int32, (0, 0)),
        field("ReplicationFactor", Kind::Int16, (0, 0)),
        field("TopicConfigs", Kind::Array(&Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_KEY_VALUE)), (0, 0)),
    ],
};

static STREAMS_GROUP_DESCRIBE_RESPONSE_TOPOLOGY: Struct = Struct {
    fields: &[
        field("Epoch", Kind::Int32, (0, 0)),
        field(
            "Subtopologies",
            Kind::Array(&Kind::Struct(&STREAMS_GROUP_DESCRIBE_RESPONSE_SUBTOPOLOGY)),
            (0, 0),
        )
        .nullable((0, MAX))
        .default("null"),
    ],
};

static STREAMS_GROUP_HEARTBEAT_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 0)).entity(Entity::Group),
        field("MemberId", Kind::Text, (0, 0)),
        field("MemberEpoch", Kind::Int32, (0, 0)),
        field("EndpointInformationEpoch", Kind::Int32, (0, 0)),
        field("InstanceId", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
        field("RackId", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
        field("RebalanceTimeoutMs", Kind::Int32, (0, 0)).default("-1"),
        field("Topology", Kind::Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TOPOLOGY), (0, 0))
            .nullable((0, MAX))
            .default("null"),
        field("ActiveTasks", Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TASK_IDS)), (0, 0))
            .nullable((0, MAX))
            .default("null"),
        field("StandbyTasks", Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TASK_IDS)), (0, 0))
            .nullable((0, MAX))
            .default("null"),
        field("WarmupTasks", Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TASK_IDS)), (0, 0))
            .nullable((0, MAX))
            .default("null"),
        field("ProcessId", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
        field("UserEndpoint", Kind::Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_ENDPOINT), (0, 0))
            .nullable((0, MAX))
            .default("null"),
        field("ClientTags", Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_KEY_VALUE)), (0, 0))
            .nullable((0, MAX))
            .default("null"),
        field(
            "TaskOffsets",
            Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TASK_OFFSET)),
            (0, 0),
        )
        .nullable((0, MAX))
        .default("null"),
        field(
            "TaskEndOffsets",
            Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TASK_OFFSET)),
            (0, 0),
        )
        .nullable((0, MAX))
        .default("null"),
        field("ShutdownApplication", Kind::Bool, (0, 0)).default("false"),
    ],
};

static STREAMS_GROUP_HEARTBEAT_REQUEST_COPARTITION_GROUP: Struct = Struct {
    fields: &[
        field("SourceTopics", Kind::Array(&Kind::Int16), (0, 0)),
        field("SourceTopicRegex", Kind::Array(&Kind::Int16), (0, 0)),
        field("RepartitionSourceTopics", Kind::Array(&Kind::Int16), (0, 0)),
    ],
};

static STREAMS_GROUP_HEARTBEAT_REQUEST_ENDPOINT: Struct =
    Struct { fields: &[field("Host", Kind::Text, (0, 0)), field("Port", Kind::Uint16, (0, 0))] };

static STREAMS_GROUP_HEARTBEAT_REQUEST_KEY_VALUE: Struct =
    Struct { fields: &[field("Key", Kind::Text, (0, 0)), field("Value", Kind::Text, (0, 0))] };

static STREAMS_GROUP_HEARTBEAT_REQUEST_SUBTOPOLOGY: Struct = Struct {
    fields: &[
        field("SubtopologyId", Kind::Text, (0, 0)),
        field("SourceTopics", Kind::Array(&Kind::Text), (0, 0)).entity(Entity::Topic),
        field("SourceTopicRegex", Kind::Array(&Kind::Text), (0, 0)),
        field(
            "StateChangelogTopics",
            Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TOPIC_INFO)),
            (0, 0),
        ),
        field("RepartitionSinkTopics", Kind::Array(&Kind::Text), (0, 0)).entity(Entity::Topic),
        field(
            "RepartitionSourceTopics",
            Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_TOPIC_INFO)),
            (0, 0),
        ),
        field(
            "CopartitionGroups",
            Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_COPARTITION_GROUP)),
            (0, 0),
        ),
    ],
};

static STREAMS_GROUP_HEARTBEAT_REQUEST_TASK_IDS: Struct = Struct {
    fields: &[
        field("SubtopologyId", Kind::Text, (0, 0)),
        field("Partitions", Kind::Array(&Kind::Int32), (0, 0)),
    ],
};

static STREAMS_GROUP_HEARTBEAT_REQUEST_TASK_OFFSET: Struct = Struct {
    fields: &[
        field("SubtopologyId", Kind::Text, (0, 0)),
        field("Partition", Kind::Int32, (0, 0)),
        field("Offset", Kind::Int64, (0, 0)),
    ],
};

static STREAMS_GROUP_HEARTBEAT_REQUEST_TOPIC_INFO: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 0)).entity(Entity::Topic),
        field("Partitions", Kind::Int32, (0, 0)),
        field("ReplicationFactor", Kind::Int16, (0, 0)),
        field("TopicConfigs", Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_KEY_VALUE)), (0, 0)),
    ],
};

static STREAMS_GROUP_HEARTBEAT_REQUEST_TOPOLOGY: Struct = Struct {
    fields: &[
        field("Epoch", Kind::Int32, (0, 0)),
        field(
            "Subtopologies",
            Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_REQUEST_SUBTOPOLOGY)),
            (0, 0),
        ),
    ],
};

static STREAMS_GROUP_HEARTBEAT_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)).default("null"),
        field("MemberId", Kind::Text, (0, 0)),
        field("MemberEpoch", Kind::Int32, (0, 0)),
        field("HeartbeatIntervalMs", Kind::Int32, (0, 0)),
        field("AcceptableRecoveryLag", Kind::Int32, (0, 0)),
        field("TaskOffsetIntervalMs", Kind::Int32, (0, 0)),
        field("Status", Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_STATUS)), (0, 0))
            .nullable((0, MAX)),
        field("ActiveTasks", Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_TASK_IDS)), (0, 0))
            .nullable((0, MAX))
            .default("null"),
        field("StandbyTasks", Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_TASK_IDS)), (0, 0))
            .nullable((0, MAX))
            .default("null"),
        field("WarmupTasks", Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_TASK_IDS)), (0, 0))
            .nullable((0, MAX))
            .default("null"),
        field("EndpointInformationEpoch", Kind::Int32, (0, 0)),
        field(
            "PartitionsByUserEndpoint",
            Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_ENDPOINT_TO_PARTITIONS)),
            (0, 0),
        )
        .nullable((0, MAX))
        .default("null"),
    ],
};

static STREAMS_GROUP_HEARTBEAT_RESPONSE_ENDPOINT: Struct =
    Struct { fields: &[field("Host", Kind::Text, (0, 0)), field("Port", Kind::Uint16, (0, 0))] };

static STREAMS_GROUP_HEARTBEAT_RESPONSE_ENDPOINT_TO_PARTITIONS: Struct = Struct {
    fields: &[
        field("UserEndpoint", Kind::Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_ENDPOINT), (0, 0)),
        field(
            "ActivePartitions",
            Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_TOPIC_PARTITION)),
            (0, 0),
        ),
        field(
            "StandbyPartitions",
            Kind::Array(&Kind::Struct(&STREAMS_GROUP_HEARTBEAT_RESPONSE_TOPIC_PARTITION)),
            (0, 0),
        ),
    ],
};

static STREAMS_GROUP_HEARTBEAT_RESPONSE_STATUS: Struct =
    Struct { fields: &[field("StatusCode", Kind::Int8, (0, 0)), field("StatusDetail", Kind::Text, (0, 0))] };

static STREAMS_GROUP_HEARTBEAT_RESPONSE_TASK_IDS: Struct = Struct {
    fields: &[
        field("SubtopologyId", Kind::Text, (0, 0)),
        field("Partitions", Kind::Array(&Kind::Int32), (0, 0)),
    ],
};

static STREAMS_GROUP_HEARTBEAT_RESPONSE_TOPIC_PARTITION: Struct = Struct {
    fields: &[
        field("Topic", Kind::Text, (0, 0)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Int32), (0, 0)),
    ],
};

static SYNC_GROUP_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 5)).entity(Entity::Group),
        field("GenerationId", Kind::Int32, (0, 5)),
        field("MemberId", Kind::Text, (0, 5)),
        field("GroupInstanceId", Kind::Text, (3, 5)).nullable((3, MAX)).default("null"),
        field("ProtocolType", Kind::Text, (5, 5)).nullable((5, MAX)).default("null"),
        field("ProtocolName", Kind::Text, (5, 5)).nullable((5, MAX)).default("null"),
        field(
            "Assignments",
            Kind::Array(&Kind::Struct(&SYNC_GROUP_REQUEST_SYNC_GROUP_REQUEST_ASSIGNMENT)),
            (0, 5),
        ),
    ],
};

static SYNC_GROUP_REQUEST_SYNC_GROUP_REQUEST_ASSIGNMENT: Struct =
    Struct { fields: &[field("MemberId", Kind::Text, (0, 5)), field("Assignment", Kind::Bytes, (0, 5))] };

static SYNC_GROUP_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (1, 5)),
        field("ErrorCode", Kind::Int16, (0, 5)),
        field("ProtocolType", Kind::Text, (5, 5)).nullable((5, MAX)).default("null"),
        field("ProtocolName", Kind::Text, (5, 5)).nullable((5, MAX)).default("null"),
        field("Assignment", Kind::Bytes, (0, 5)),
    ],
};

static TXN_OFFSET_COMMIT_REQUEST: Struct = Struct {
    fields: &[
        field("TransactionalId", Kind::Text, (0, 5)).entity(Entity::TransactionalId),
        field("GroupId", Kind::Text, (0, 5)).entity(Entity::Group),
        field("ProducerId", Kind::Int64, (0, 5)).entity(Entity::Producer),
        field("ProducerEpoch", Kind::Int16, (0, 5)),
        field("GenerationId", Kind::Int32, (3, 5)).default("-1"),
        field("MemberId", Kind::Text, (3, 5)).default(""),
        field("GroupInstanceId", Kind::Text, (3, 5)).nullable((3, MAX)).default("null"),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&TXN_OFFSET_COMMIT_REQUEST_TXN_OFFSET_COMMIT_REQUEST_TOPIC)),
            (0, 5),
        ),
    ],
};

static TXN_OFFSET_COMMIT_REQUEST_TXN_OFFSET_COMMIT_REQUEST_PARTITION: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (0, 5)),
        field("CommittedOffset", Kind::Int64, (0, 5)),
        field("CommittedLeaderEpoch", Kind::Int32, (2, 5)).default("-1"),
        field("CommittedMetadata", Kind::Text, (0, 5)).nullable((0, MAX)),
    ],
};

static TXN_OFFSET_COMMIT_REQUEST_TXN_OFFSET_COMMIT_REQUEST_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 5)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&TXN_OFFSET_COMMIT_REQUEST_TXN_OFFSET_COMMIT_REQUEST_PARTITION)),
            (0, 5),
        ),
    ],
};

static TXN_OFFSET_COMMIT_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 5)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&TXN_OFFSET_COMMIT_RESPONSE_TXN_OFFSET_COMMIT_RESPONSE_TOPIC)),
            (0, 5),
        ),
    ],
};

static TXN_OFFSET_COMMIT_RESPONSE_TXN_OFFSET_COMMIT_RESPONSE_PARTITION: Struct = Struct {
    fields: &[field("PartitionIndex", Kind::Int32, (0, 5)), field("ErrorCode", Kind::Int16, (0, 5))],
};

static TXN_OFFSET_COMMIT_RESPONSE_TXN_OFFSET_COMMIT_RESPONSE_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 5)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&TXN_OFFSET_COMMIT_RESPONSE_TXN_OFFSET_COMMIT_RESPONSE_PARTITION)),
            (0, 5),
        ),
    ],
};

static UNREGISTER_BROKER_REQUEST: Struct =
    Struct { fields: &[field("BrokerId", Kind::Int32, (0, 0)).entity(Entity::Broker)] };

static UNREGISTER_BROKER_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("ErrorMessage", Kind::Text, (0, 0)).nullable((0, MAX)),
    ],
};

static UPDATE_FEATURES_REQUEST: Struct = Struct {
    fields: &[
        field("timeoutMs", Kind::Int32, (0, 2)).default("60000"),
        field(
            "FeatureUpdates",
            Kind::Array(&Kind::Struct(&UPDATE_FEATURES_REQUEST_FEATURE_UPDATE_KEY)),
            (0, 2),
        ),
        field("ValidateOnly", Kind::Bool, (1, 2)).default("false"),
    ],
};

static UPDATE_FEATURES_REQUEST_FEATURE_UPDATE_KEY: Struct = Struct {
    fields: &[
        field("Feature", Kind::Text, (0, 2)),
        field("MaxVersionLevel", Kind::Int16, (0, 2)),
        field("AllowDowngrade", Kind::Bool, (0, 0)),
        field("UpgradeType", Kind::Int8, (1, 2)).default("1"),
    ],
};

static UPDATE_FEATURES_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 2)),
        field("ErrorCode", Kind::Int16, (0, 2)),
        field("ErrorMessage", Kind::Text, (0, 2)).nullable((0, MAX)),
        field(
            "Results",
            Kind::Array(&Kind::Struct(&UPDATE_FEATURES_RESPONSE_UPDATABLE_FEATURE_RESULT)),
            (0, 1),
        ),
    ],
};

static UPDATE_FEATURES_RESPONSE_UPDATABLE_FEATURE_RESULT: Struct = Struct {
    fields: &[
        field("Feature", Kind::Text, (0, 2)),
        field("ErrorCode", Kind::Int16, (0, 2)),
        field("ErrorMessage", Kind::Text, (0, 2)).nullable((0, MAX)),
    ],
};

static UPDATE_RAFT_VOTER_REQUEST: Struct = Struct {
    fields: &[
        field("ClusterId", Kind::Text, (0, 0)).nullable((0, MAX)),
        field("CurrentLeaderEpoch", Kind::Int32, (0, 0)),
        field("VoterId", Kind::Int32, (0, 0)),
        field("VoterDirectoryId", Kind::Uuid, (0, 0)),
        field("Listeners", Kind::Array(&Kind::Struct(&UPDATE_RAFT_VOTER_REQUEST_LISTENER)), (0, 0)),
        field("KRaftVersionFeature", Kind::Struct(&UPDATE_RAFT_VOTER_REQUEST_K_RAFT_VERSION_FEATURE), (0, 0)),
    ],
};

static UPDATE_RAFT_VOTER_REQUEST_K_RAFT_VERSION_FEATURE: Struct = Struct {
    fields: &[
        field("MinSupportedVersion", Kind::Int16, (0, 0)),
        field("MaxSupportedVersion", Kind::Int16, (0, 0)),
    ],
};

static UPDATE_RAFT_VOTER_REQUEST_LISTENER: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (0, 0)),
        field("Host", Kind::Text, (0, 0)),
        field("Port", Kind::Uint16, (0, 0)),
    ],
};

static UPDATE_RAFT_VOTER_RESPONSE: Struct = Struct {
    fields: &[
        field("ThrottleTimeMs", Kind::Int32, (0, 0)),
        field("ErrorCode", Kind::Int16, (0, 0)),
        field("CurrentLeader", Kind::Struct(&UPDATE_RAFT_VOTER_RESPONSE_CURRENT_LEADER), (0, 0))
            .tagged(0, (0, MAX)),
    ],
};

static UPDATE_RAFT_VOTER_RESPONSE_CURRENT_LEADER: Struct = Struct {
    fields: &[
        field("LeaderId", Kind::Int32, (0, 0)).default("-1").entity(Entity::Broker),
        field("LeaderEpoch", Kind::Int32, (0, 0)).default("-1"),
        field("Host", Kind::Text, (0, 0)),
        field("Port", Kind::Int32, (0, 0)),
    ],
};

static VOTE_REQUEST: Struct = Struct {
    fields: &[
        field("ClusterId", Kind::Text, (0, 2)).nullable((0, MAX)).default("null"),
        field("VoterId", Kind::Int32, (1, 2)).default("-1").entity(Entity::Broker),
        field("Topics", Kind::Array(&Kind::Struct(&VOTE_REQUEST_TOPIC_DATA)), (0, 2)),
    ],
};

static VOTE_REQUEST_PARTITION_DATA: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (0, 2)),
        field("ReplicaEpoch", Kind::Int32, (0, 2)),
        field("ReplicaId", Kind::Int32, (0, 2)).entity(Entity::Broker),
        field("ReplicaDirectoryId", Kind::Uuid, (1, 2)),
        field("VoterDirectoryId", Kind::Uuid, (1, 2)),
        field("LastOffsetEpoch", Kind::Int32, (0, 2)),
        field("LastOffset", Kind::Int64, (0, 2)),
        field("PreVote", Kind::Bool, (2, 2)),
    ],
};

static VOTE_REQUEST_TOPIC_DATA: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 2)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Struct(&VOTE_REQUEST_PARTITION_DATA)), (0, 2)),
    ],
};

static VOTE_RESPONSE: Struct = Struct {
    fields: &[
        field("ErrorCode", Kind::Int16, (0, 2)),
        field("Topics", Kind::Array(&Kind::Struct(&VOTE_RESPONSE_TOPIC_DATA)), (0, 2)),
        field("NodeEndpoints", Kind::Array(&Kind::Struct(&VOTE_RESPONSE_NODE_ENDPOINT)), (1, 2))
            .tagged(0, (1, MAX)),
    ],
};

static VOTE_RESPONSE_NODE_ENDPOINT: Struct = Struct {
    fields: &[
        field("NodeId", Kind::Int32, (1, 2)).entity(Entity::Broker),
        field("Host", Kind::Text, (1, 2)),
        field("Port", Kind::Uint16, (1, 2)),
    ],
};

static VOTE_RESPONSE_PARTITION_DATA: Struct = Struct {
    fields: &[
        field("PartitionIndex", Kind::Int32, (0, 2)),
        field("ErrorCode", Kind::Int16, (0, 2)),
        field("LeaderId", Kind::Int32, (0, 2)).entity(Entity::Broker),
        field("LeaderEpoch", Kind::Int32, (0, 2)),
        field("VoteGranted", Kind::Bool, (0, 2)),
    ],
};

static VOTE_RESPONSE_TOPIC_DATA: Struct = Struct {
    fields: &[
        field("TopicName", Kind::Text, (0, 2)).entity(Entity::Topic),
        field("Partitions", Kind::Array(&Kind::Struct(&VOTE_RESPONSE_PARTITION_DATA)), (0, 2)),
    ],
};

static WRITE_SHARE_GROUP_STATE_REQUEST: Struct = Struct {
    fields: &[
        field("GroupId", Kind::Text, (0, 1)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&WRITE_SHARE_GROUP_STATE_REQUEST_WRITE_STATE_DATA)),
            (0, 1),
        ),
    ],
};

static WRITE_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA: Struct = Struct {
    fields: &[
        field("Partition", Kind::Int32, (0, 1)),
        field("StateEpoch", Kind::Int32, (0, 1)),
        field("LeaderEpoch", Kind::Int32, (0, 1)),
        field("StartOffset", Kind::Int64, (0, 1)),
        field("DeliveryCompleteCount", Kind::Int32, (1, 1)).default("-1"),
        field(
            "StateBatches",
            Kind::Array(&Kind::Struct(&WRITE_SHARE_GROUP_STATE_REQUEST_STATE_BATCH)),
            (0, 1),
        ),
    ],
};

static WRITE_SHARE_GROUP_STATE_REQUEST_STATE_BATCH: Struct = Struct {
    fields: &[
        field("FirstOffset", Kind::Int64, (0, 1)),
        field("LastOffset", Kind::Int64, (0, 1)),
        field("DeliveryState", Kind::Int8, (0, 1)),
        field("DeliveryCount", Kind::Int16, (0, 1)),
    ],
};

static WRITE_SHARE_GROUP_STATE_REQUEST_WRITE_STATE_DATA: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (0, 1)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&WRITE_SHARE_GROUP_STATE_REQUEST_PARTITION_DATA)),
            (0, 1),
        ),
    ],
};

static WRITE_SHARE_GROUP_STATE_RESPONSE: Struct = Struct {
    fields: &[field(
        "Results",
        Kind::Array(&Kind::Struct(&WRITE_SHARE_GROUP_STATE_RESPONSE_WRITE_STATE_RESULT)),
        (0, 1),
    )],
};

static WRITE_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT: Struct = Struct {
    fields: &[
        field("Partition", Kind::Int32, (0, 1)),
        field("ErrorCode", Kind::Int16, (0, 1)),
        field("ErrorMessage", Kind::Text, (0, 1)).nullable((0, MAX)).default("null"),
    ],
};

static WRITE_SHARE_GROUP_STATE_RESPONSE_WRITE_STATE_RESULT: Struct = Struct {
    fields: &[
        field("TopicId", Kind::Uuid, (0, 1)),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&WRITE_SHARE_GROUP_STATE_RESPONSE_PARTITION_RESULT)),
            (0, 1),
        ),
    ],
};

static WRITE_TXN_MARKERS_REQUEST: Struct = Struct {
    fields: &[field(
        "Markers",
        Kind::Array(&Kind::Struct(&WRITE_TXN_MARKERS_REQUEST_WRITABLE_TXN_MARKER)),
        (1, 2),
    )],
};

static WRITE_TXN_MARKERS_REQUEST_WRITABLE_TXN_MARKER: Struct = Struct {
    fields: &[
        field("ProducerId", Kind::Int64, (1, 2)).entity(Entity::Producer),
        field("ProducerEpoch", Kind::Int16, (1, 2)),
        field("TransactionResult", Kind::Bool, (1, 2)),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&WRITE_TXN_MARKERS_REQUEST_WRITABLE_TXN_MARKER_TOPIC)),
            (1, 2),
        ),
        field("CoordinatorEpoch", Kind::Int32, (1, 2)),
        field("TransactionVersion", Kind::Int8, (2, 2)).default("0"),
    ],
};

static WRITE_TXN_MARKERS_REQUEST_WRITABLE_TXN_MARKER_TOPIC: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (1, 2)).entity(Entity::Topic),
        field("PartitionIndexes", Kind::Array(&Kind::Int32), (1, 2)),
    ],
};

static WRITE_TXN_MARKERS_RESPONSE: Struct = Struct {
    fields: &[field(
        "Markers",
        Kind::Array(&Kind::Struct(&WRITE_TXN_MARKERS_RESPONSE_WRITABLE_TXN_MARKER_RESULT)),
        (1, 2),
    )],
};

static WRITE_TXN_MARKERS_RESPONSE_WRITABLE_TXN_MARKER_PARTITION_RESULT: Struct = Struct {
    fields: &[field("PartitionIndex", Kind::Int32, (1, 2)), field("ErrorCode", Kind::Int16, (1, 2))],
};

static WRITE_TXN_MARKERS_RESPONSE_WRITABLE_TXN_MARKER_RESULT: Struct = Struct {
    fields: &[
        field("ProducerId", Kind::Int64, (1, 2)).entity(Entity::Producer),
        field(
            "Topics",
            Kind::Array(&Kind::Struct(&WRITE_TXN_MARKERS_RESPONSE_WRITABLE_TXN_MARKER_TOPIC_RESULT)),
            (1, 2),
        ),
    ],
};

static WRITE_TXN_MARKERS_RESPONSE_WRITABLE_TXN_MARKER_TOPIC_RESULT: Struct = Struct {
    fields: &[
        field("Name", Kind::Text, (1, 2)).entity(Entity::Topic),
        field(
            "Partitions",
            Kind::Array(&Kind::Struct(&WRITE_TXN_MARKERS_RESPONSE_WRITABLE_TXN_MARKER_PARTITION_RESULT)),
            (1, 2),
        ),
    ],
};
