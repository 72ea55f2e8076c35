//! The request and response types of every API: the crate's, or ours where it has a gap.
//! Core. Written by ottla-protocol-generator; never edited by hand.

pub mod add_raft_voter_request;
pub mod add_raft_voter_response;
pub mod broker_heartbeat_request;
pub mod broker_heartbeat_response;
pub mod describe_log_dirs_request;
pub mod describe_log_dirs_response;
pub mod describe_share_group_offsets_request;
pub mod describe_share_group_offsets_response;
pub mod init_producer_id_request;
pub mod init_producer_id_response;
pub mod list_offsets_request;
pub mod list_offsets_response;
pub mod offset_commit_request;
pub mod offset_commit_response;
pub mod offset_fetch_request;
pub mod offset_fetch_response;
pub mod read_share_group_state_summary_request;
pub mod read_share_group_state_summary_response;
pub mod share_acknowledge_request;
pub mod share_acknowledge_response;
pub mod share_fetch_request;
pub mod share_fetch_response;
pub mod streams_group_describe_request;
pub mod streams_group_describe_response;
pub mod streams_group_heartbeat_request;
pub mod streams_group_heartbeat_response;
pub mod write_share_group_state_request;
pub mod write_share_group_state_response;
pub mod write_txn_markers_request;
pub mod write_txn_markers_response;

pub use add_raft_voter_request::AddRaftVoterRequest;
pub use add_raft_voter_response::AddRaftVoterResponse;
pub use broker_heartbeat_request::BrokerHeartbeatRequest;
pub use broker_heartbeat_response::BrokerHeartbeatResponse;
pub use describe_log_dirs_request::DescribeLogDirsRequest;
pub use describe_log_dirs_response::DescribeLogDirsResponse;
pub use describe_share_group_offsets_request::DescribeShareGroupOffsetsRequest;
pub use describe_share_group_offsets_response::DescribeShareGroupOffsetsResponse;
pub use init_producer_id_request::InitProducerIdRequest;
pub use init_producer_id_response::InitProducerIdResponse;
pub use kafka_protocol::messages::add_offsets_to_txn_request::{self, AddOffsetsToTxnRequest};
pub use kafka_protocol::messages::add_offsets_to_txn_response::{self, AddOffsetsToTxnResponse};
pub use kafka_protocol::messages::add_partitions_to_txn_request::{self, AddPartitionsToTxnRequest};
pub use kafka_protocol::messages::add_partitions_to_txn_response::{self, AddPartitionsToTxnResponse};
pub use kafka_protocol::messages::allocate_producer_ids_request::{self, AllocateProducerIdsRequest};
pub use kafka_protocol::messages::allocate_producer_ids_response::{self, AllocateProducerIdsResponse};
pub use kafka_protocol::messages::alter_client_quotas_request::{self, AlterClientQuotasRequest};
pub use kafka_protocol::messages::alter_client_quotas_response::{self, AlterClientQuotasResponse};
pub use kafka_protocol::messages::alter_configs_request::{self, AlterConfigsRequest};
pub use kafka_protocol::messages::alter_configs_response::{self, AlterConfigsResponse};
pub use kafka_protocol::messages::alter_partition_reassignments_request::{
    self, AlterPartitionReassignmentsRequest,
};
pub use kafka_protocol::messages::alter_partition_reassignments_response::{
    self, AlterPartitionReassignmentsResponse,
};
pub use kafka_protocol::messages::alter_partition_request::{self, AlterPartitionRequest};
pub use kafka_protocol::messages::alter_partition_response::{self, AlterPartitionResponse};
pub use kafka_protocol::messages::alter_replica_log_dirs_request::{self, AlterReplicaLogDirsRequest};
pub use kafka_protocol::messages::alter_replica_log_dirs_response::{self, AlterReplicaLogDirsResponse};
pub use kafka_protocol::messages::alter_share_group_offsets_request::{self, AlterShareGroupOffsetsRequest};
pub use kafka_protocol::messages::alter_share_group_offsets_response::{
    self, AlterShareGroupOffsetsResponse,
};
pub use kafka_protocol::messages::alter_user_scram_credentials_request::{
    self, AlterUserScramCredentialsRequest,
};
pub use kafka_protocol::messages::alter_user_scram_credentials_response::{
    self, AlterUserScramCredentialsResponse,
};
pub use kafka_protocol::messages::api_versions_request::{self, ApiVersionsRequest};
pub use kafka_protocol::messages::api_versions_response::{self, ApiVersionsResponse};
pub use kafka_protocol::messages::assign_replicas_to_dirs_request::{self, AssignReplicasToDirsRequest};
pub use kafka_protocol::messages::assign_replicas_to_dirs_response::{self, AssignReplicasToDirsResponse};
pub use kafka_protocol::messages::begin_quorum_epoch_request::{self, BeginQuorumEpochRequest};
pub use kafka_protocol::messages::begin_quorum_epoch_response::{self, BeginQuorumEpochResponse};
pub use kafka_protocol::messages::broker_registration_request::{self, BrokerRegistrationRequest};
pub use kafka_protocol::messages::broker_registration_response::{self, BrokerRegistrationResponse};
pub use kafka_protocol::messages::consumer_group_describe_request::{self, ConsumerGroupDescribeRequest};
pub use kafka_protocol::messages::consumer_group_describe_response::{self, ConsumerGroupDescribeResponse};
pub use kafka_protocol::messages::consumer_group_heartbeat_request::{self, ConsumerGroupHeartbeatRequest};
pub use kafka_protocol::messages::consumer_group_heartbeat_response::{self, ConsumerGroupHeartbeatResponse};
pub use kafka_protocol::messages::controller_registration_request::{self, ControllerRegistrationRequest};
pub use kafka_protocol::messages::controller_registration_response::{self, ControllerRegistrationResponse};
pub use kafka_protocol::messages::create_acls_request::{self, CreateAclsRequest};
pub use kafka_protocol::messages::create_acls_response::{self, CreateAclsResponse};
pub use kafka_protocol::messages::create_delegation_token_request::{self, CreateDelegationTokenRequest};
pub use kafka_protocol::messages::create_delegation_token_response::{self, CreateDelegationTokenResponse};
pub use kafka_protocol::messages::create_partitions_request::{self, CreatePartitionsRequest};
pub use kafka_protocol::messages::create_partitions_response::{self, CreatePartitionsResponse};
pub use kafka_protocol::messages::create_topics_request::{self, CreateTopicsRequest};
pub use kafka_protocol::messages::create_topics_response::{self, CreateTopicsResponse};
pub use kafka_protocol::messages::delete_acls_request::{self, DeleteAclsRequest};
pub use kafka_protocol::messages::delete_acls_response::{self, DeleteAclsResponse};
pub use kafka_protocol::messages::delete_groups_request::{self, DeleteGroupsRequest};
pub use kafka_protocol::messages::delete_groups_response::{self, DeleteGroupsResponse};
pub use kafka_protocol::messages::delete_records_request::{self, DeleteRecordsRequest};
pub use kafka_protocol::messages::delete_records_response::{self, DeleteRecordsResponse};
pub use kafka_protocol::messages::delete_share_group_offsets_request::{
    self, DeleteShareGroupOffsetsRequest,
};
pub use kafka_protocol::messages::delete_share_group_offsets_response::{
    self, DeleteShareGroupOffsetsResponse,
};
pub use kafka_protocol::messages::delete_share_group_state_request::{self, DeleteShareGroupStateRequest};
pub use kafka_protocol::messages::delete_share_group_state_response::{self, DeleteShareGroupStateResponse};
pub use kafka_protocol::messages::delete_topics_request::{self, DeleteTopicsRequest};
pub use kafka_protocol::messages::delete_topics_response::{self, DeleteTopicsResponse};
pub use kafka_protocol::messages::describe_acls_request::{self, DescribeAclsRequest};
pub use kafka_protocol::messages::describe_acls_response::{self, DescribeAclsResponse};
pub use kafka_protocol::messages::describe_client_quotas_request::{self, DescribeClientQuotasRequest};
pub use kafka_protocol::messages::describe_client_quotas_response::{self, DescribeClientQuotasResponse};
pub use kafka_protocol::messages::describe_cluster_request::{self, DescribeClusterRequest};
pub use kafka_protocol::messages::describe_cluster_response::{self, DescribeClusterResponse};
pub use kafka_protocol::messages::describe_configs_request::{self, DescribeConfigsRequest};
pub use kafka_protocol::messages::describe_configs_response::{self, DescribeConfigsResponse};
pub use kafka_protocol::messages::describe_delegation_token_request::{self, DescribeDelegationTokenRequest};
pub use kafka_protocol::messages::describe_delegation_token_response::{
    self, DescribeDelegationTokenResponse,
};
pub use kafka_protocol::messages::describe_groups_request::{self, DescribeGroupsRequest};
pub use kafka_protocol::messages::describe_groups_response::{self, DescribeGroupsResponse};
pub use kafka_protocol::messages::describe_producers_request::{self, DescribeProducersRequest};
pub use kafka_protocol::messages::describe_producers_response::{self, DescribeProducersResponse};
pub use kafka_protocol::messages::describe_quorum_request::{self, DescribeQuorumRequest};
pub use kafka_protocol::messages::describe_quorum_response::{self, DescribeQuorumResponse};
pub use kafka_protocol::messages::describe_topic_partitions_request::{self, DescribeTopicPartitionsRequest};
pub use kafka_protocol::messages::describe_topic_partitions_response::{
    self, DescribeTopicPartitionsResponse,
};
pub use kafka_protocol::messages::describe_transactions_request::{self, DescribeTransactionsRequest};
pub use kafka_protocol::messages::describe_transactions_response::{self, DescribeTransactionsResponse};
pub use kafka_protocol::messages::describe_user_scram_credentials_request::{
    self, DescribeUserScramCredentialsRequest,
};
pub use kafka_protocol::messages::describe_user_scram_credentials_response::{
    self, DescribeUserScramCredentialsResponse,
};
pub use kafka_protocol::messages::elect_leaders_request::{self, ElectLeadersRequest};
pub use kafka_protocol::messages::elect_leaders_response::{self, ElectLeadersResponse};
pub use kafka_protocol::messages::end_quorum_epoch_request::{self, EndQuorumEpochRequest};
pub use kafka_protocol::messages::end_quorum_epoch_response::{self, EndQuorumEpochResponse};
pub use kafka_protocol::messages::end_txn_request::{self, EndTxnRequest};
pub use kafka_protocol::messages::end_txn_response::{self, EndTxnResponse};
pub use kafka_protocol::messages::envelope_request::{self, EnvelopeRequest};
pub use kafka_protocol::messages::envelope_response::{self, EnvelopeResponse};
pub use kafka_protocol::messages::expire_delegation_token_request::{self, ExpireDelegationTokenRequest};
pub use kafka_protocol::messages::expire_delegation_token_response::{self, ExpireDelegationTokenResponse};
pub use kafka_protocol::messages::fetch_request::{self, FetchRequest};
pub use kafka_protocol::messages::fetch_response::{self, FetchResponse};
pub use kafka_protocol::messages::fetch_snapshot_request::{self, FetchSnapshotRequest};
pub use kafka_protocol::messages::fetch_snapshot_response::{self, FetchSnapshotResponse};
pub use kafka_protocol::messages::find_coordinator_request::{self, FindCoordinatorRequest};
pub use kafka_protocol::messages::find_coordinator_response::{self, FindCoordinatorResponse};
pub use kafka_protocol::messages::get_telemetry_subscriptions_request::{
    self, GetTelemetrySubscriptionsRequest,
};
pub use kafka_protocol::messages::get_telemetry_subscriptions_response::{
    self, GetTelemetrySubscriptionsResponse,
};
pub use kafka_protocol::messages::heartbeat_request::{self, HeartbeatRequest};
pub use kafka_protocol::messages::heartbeat_response::{self, HeartbeatResponse};
pub use kafka_protocol::messages::incremental_alter_configs_request::{self, IncrementalAlterConfigsRequest};
pub use kafka_protocol::messages::incremental_alter_configs_response::{
    self, IncrementalAlterConfigsResponse,
};
pub use kafka_protocol::messages::initialize_share_group_state_request::{
    self, InitializeShareGroupStateRequest,
};
pub use kafka_protocol::messages::initialize_share_group_state_response::{
    self, InitializeShareGroupStateResponse,
};
pub use kafka_protocol::messages::join_group_request::{self, JoinGroupRequest};
pub use kafka_protocol::messages::join_group_response::{self, JoinGroupResponse};
pub use kafka_protocol::messages::leave_group_request::{self, LeaveGroupRequest};
pub use kafka_protocol::messages::leave_group_response::{self, LeaveGroupResponse};
pub use kafka_protocol::messages::list_config_resources_request::{self, ListConfigResourcesRequest};
pub use kafka_protocol::messages::list_config_resources_response::{self, ListConfigResourcesResponse};
pub use kafka_protocol::messages::list_groups_request::{self, ListGroupsRequest};
pub use kafka_protocol::messages::list_groups_response::{self, ListGroupsResponse};
pub use kafka_protocol::messages::list_partition_reassignments_request::{
    self, ListPartitionReassignmentsRequest,
};
pub use kafka_protocol::messages::list_partition_reassignments_response::{
    self, ListPartitionReassignmentsResponse,
};
pub use kafka_protocol::messages::list_transactions_request::{self, ListTransactionsRequest};
pub use kafka_protocol::messages::list_transactions_response::{self, ListTransactionsResponse};
pub use kafka_protocol::messages::metadata_request::{self, MetadataRequest};
pub use kafka_protocol::messages::metadata_response::{self, MetadataResponse};
pub use kafka_protocol::messages::offset_delete_request::{self, OffsetDeleteRequest};
pub use kafka_protocol::messages::offset_delete_response::{self, OffsetDeleteResponse};
pub use kafka_protocol::messages::offset_for_leader_epoch_request::{self, OffsetForLeaderEpochRequest};
pub use kafka_protocol::messages::offset_for_leader_epoch_response::{self, OffsetForLeaderEpochResponse};
pub use kafka_protocol::messages::produce_request::{self, ProduceRequest};
pub use kafka_protocol::messages::produce_response::{self, ProduceResponse};
pub use kafka_protocol::messages::push_telemetry_request::{self, PushTelemetryRequest};
pub use kafka_protocol::messages::push_telemetry_response::{self, PushTelemetryResponse};
pub use kafka_protocol::messages::read_share_group_state_request::{self, ReadShareGroupStateRequest};
pub use kafka_protocol::messages::read_share_group_state_response::{self, ReadShareGroupStateResponse};
pub use kafka_protocol::messages::remove_raft_voter_request::{self, RemoveRaftVoterRequest};
pub use kafka_protocol::messages::remove_raft_voter_response::{self, RemoveRaftVoterResponse};
pub use kafka_protocol::messages::renew_delegation_token_request::{self, RenewDelegationTokenRequest};
pub use kafka_protocol::messages::renew_delegation_token_response::{self, RenewDelegationTokenResponse};
pub use kafka_protocol::messages::sasl_authenticate_request::{self, SaslAuthenticateRequest};
pub use kafka_protocol::messages::sasl_authenticate_response::{self, SaslAuthenticateResponse};
pub use kafka_protocol::messages::sasl_handshake_request::{self, SaslHandshakeRequest};
pub use kafka_protocol::messages::sasl_handshake_response::{self, SaslHandshakeResponse};
pub use kafka_protocol::messages::share_group_describe_request::{self, ShareGroupDescribeRequest};
pub use kafka_protocol::messages::share_group_describe_response::{self, ShareGroupDescribeResponse};
pub use kafka_protocol::messages::share_group_heartbeat_request::{self, ShareGroupHeartbeatRequest};
pub use kafka_protocol::messages::share_group_heartbeat_response::{self, ShareGroupHeartbeatResponse};
pub use kafka_protocol::messages::sync_group_request::{self, SyncGroupRequest};
pub use kafka_protocol::messages::sync_group_response::{self, SyncGroupResponse};
pub use kafka_protocol::messages::txn_offset_commit_request::{self, TxnOffsetCommitRequest};
pub use kafka_protocol::messages::txn_offset_commit_response::{self, TxnOffsetCommitResponse};
pub use kafka_protocol::messages::unregister_broker_request::{self, UnregisterBrokerRequest};
pub use kafka_protocol::messages::unregister_broker_response::{self, UnregisterBrokerResponse};
pub use kafka_protocol::messages::update_features_request::{self, UpdateFeaturesRequest};
pub use kafka_protocol::messages::update_features_response::{self, UpdateFeaturesResponse};
pub use kafka_protocol::messages::update_raft_voter_request::{self, UpdateRaftVoterRequest};
pub use kafka_protocol::messages::update_raft_voter_response::{self, UpdateRaftVoterResponse};
pub use kafka_protocol::messages::vote_request::{self, VoteRequest};
pub use kafka_protocol::messages::vote_response::{self, VoteResponse};
pub use list_offsets_request::ListOffsetsRequest;
pub use list_offsets_response::ListOffsetsResponse;
pub use offset_commit_request::OffsetCommitRequest;
pub use offset_commit_response::OffsetCommitResponse;
pub use offset_fetch_request::OffsetFetchRequest;
pub use offset_fetch_response::OffsetFetchResponse;
pub use read_share_group_state_summary_request::ReadShareGroupStateSummaryRequest;
pub use read_share_group_state_summary_response::ReadShareGroupStateSummaryResponse;
pub use share_acknowledge_request::ShareAcknowledgeRequest;
pub use share_acknowledge_response::ShareAcknowledgeResponse;
pub use share_fetch_request::ShareFetchRequest;
pub use share_fetch_response::ShareFetchResponse;
pub use streams_group_describe_request::StreamsGroupDescribeRequest;
pub use streams_group_describe_response::StreamsGroupDescribeResponse;
pub use streams_group_heartbeat_request::StreamsGroupHeartbeatRequest;
pub use streams_group_heartbeat_response::StreamsGroupHeartbeatResponse;
pub use write_share_group_state_request::WriteShareGroupStateRequest;
pub use write_share_group_state_response::WriteShareGroupStateResponse;
pub use write_txn_markers_request::WriteTxnMarkersRequest;
pub use write_txn_markers_response::WriteTxnMarkersResponse;
impl crate::codec::Request for ProduceRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::Produce;
    type Response = ProduceResponse;
}
impl crate::codec::Request for FetchRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::Fetch;
    type Response = FetchResponse;
}
impl crate::codec::Request for ListOffsetsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ListOffsets;
    type Response = ListOffsetsResponse;
}
impl crate::codec::Request for MetadataRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::Metadata;
    type Response = MetadataResponse;
}
impl crate::codec::Request for OffsetCommitRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::OffsetCommit;
    type Response = OffsetCommitResponse;
}
impl crate::codec::Request for OffsetFetchRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::OffsetFetch;
    type Response = OffsetFetchResponse;
}
impl crate::codec::Request for FindCoordinatorRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::FindCoordinator;
    type Response = FindCoordinatorResponse;
}
impl crate::codec::Request for JoinGroupRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::JoinGroup;
    type Response = JoinGroupResponse;
}
impl crate::codec::Request for HeartbeatRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::Heartbeat;
    type Response = HeartbeatResponse;
}
impl crate::codec::Request for LeaveGroupRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::LeaveGroup;
    type Response = LeaveGroupResponse;
}
impl crate::codec::Request for SyncGroupRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::SyncGroup;
    type Response = SyncGroupResponse;
}
impl crate::codec::Request for DescribeGroupsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DescribeGroups;
    type Response = DescribeGroupsResponse;
}
impl crate::codec::Request for ListGroupsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ListGroups;
    type Response = ListGroupsResponse;
}
impl crate::codec::Request for SaslHandshakeRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::SaslHandshake;
    type Response = SaslHandshakeResponse;
}
impl crate::codec::Request for ApiVersionsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ApiVersions;
    type Response = ApiVersionsResponse;
}
impl crate::codec::Request for CreateTopicsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::CreateTopics;
    type Response = CreateTopicsResponse;
}
impl crate::codec::Request for DeleteTopicsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DeleteTopics;
    type Response = DeleteTopicsResponse;
}
impl crate::codec::Request for DeleteRecordsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DeleteRecords;
    type Response = DeleteRecordsResponse;
}
impl crate::codec::Request for InitProducerIdRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::InitProducerId;
    type Response = InitProducerIdResponse;
}
impl crate::codec::Request for OffsetForLeaderEpochRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::OffsetForLeaderEpoch;
    type Response = OffsetForLeaderEpochResponse;
}
impl crate::codec::Request for AddPartitionsToTxnRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::AddPartitionsToTxn;
    type Response = AddPartitionsToTxnResponse;
}
impl crate::codec::Request for AddOffsetsToTxnRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::AddOffsetsToTxn;
    type Response = AddOffsetsToTxnResponse;
}
impl crate::codec::Request for EndTxnRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::EndTxn;
    type Response = EndTxnResponse;
}
impl crate::codec::Request for WriteTxnMarkersRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::WriteTxnMarkers;
    type Response = WriteTxnMarkersResponse;
}
impl crate::codec::Request for TxnOffsetCommitRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::TxnOffsetCommit;
    type Response = TxnOffsetCommitResponse;
}
impl crate::codec::Request for DescribeAclsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DescribeAcls;
    type Response = DescribeAclsResponse;
}
impl crate::codec::Request for CreateAclsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::CreateAcls;
    type Response = CreateAclsResponse;
}
impl crate::codec::Request for DeleteAclsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DeleteAcls;
    type Response = DeleteAclsResponse;
}
impl crate::codec::Request for DescribeConfigsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DescribeConfigs;
    type Response = DescribeConfigsResponse;
}
impl crate::codec::Request for AlterConfigsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::AlterConfigs;
    type Response = AlterConfigsResponse;
}
impl crate::codec::Request for AlterReplicaLogDirsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::AlterReplicaLogDirs;
    type Response = AlterReplicaLogDirsResponse;
}
impl crate::codec::Request for DescribeLogDirsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DescribeLogDirs;
    type Response = DescribeLogDirsResponse;
}
impl crate::codec::Request for SaslAuthenticateRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::SaslAuthenticate;
    type Response = SaslAuthenticateResponse;
}
impl crate::codec::Request for CreatePartitionsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::CreatePartitions;
    type Response = CreatePartitionsResponse;
}
impl crate::codec::Request for CreateDelegationTokenRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::CreateDelegationToken;
    type Response = CreateDelegationTokenResponse;
}
impl crate::codec::Request for RenewDelegationTokenRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::RenewDelegationToken;
    type Response = RenewDelegationTokenResponse;
}
impl crate::codec::Request for ExpireDelegationTokenRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ExpireDelegationToken;
    type Response = ExpireDelegationTokenResponse;
}
impl crate::codec::Request for DescribeDelegationTokenRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DescribeDelegationToken;
    type Response = DescribeDelegationTokenResponse;
}
impl crate::codec::Request for DeleteGroupsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DeleteGroups;
    type Response = DeleteGroupsResponse;
}
impl crate::codec::Request for ElectLeadersRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ElectLeaders;
    type Response = ElectLeadersResponse;
}
impl crate::codec::Request for IncrementalAlterConfigsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::IncrementalAlterConfigs;
    type Response = IncrementalAlterConfigsResponse;
}
impl crate::codec::Request for AlterPartitionReassignmentsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::AlterPartitionReassignments;
    type Response = AlterPartitionReassignmentsResponse;
}
impl crate::codec::Request for ListPartitionReassignmentsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ListPartitionReassignments;
    type Response = ListPartitionReassignmentsResponse;
}
impl crate::codec::Request for OffsetDeleteRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::OffsetDelete;
    type Response = OffsetDeleteResponse;
}
impl crate::codec::Request for DescribeClientQuotasRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DescribeClientQuotas;
    type Response = DescribeClientQuotasResponse;
}
impl crate::codec::Request for AlterClientQuotasRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::AlterClientQuotas;
    type Response = AlterClientQuotasResponse;
}
impl crate::codec::Request for DescribeUserScramCredentialsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DescribeUserScramCredentials;
    type Response = DescribeUserScramCredentialsResponse;
}
impl crate::codec::Request for AlterUserScramCredentialsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::AlterUserScramCredentials;
    type Response = AlterUserScramCredentialsResponse;
}
impl crate::codec::Request for VoteRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::Vote;
    type Response = VoteResponse;
}
impl crate::codec::Request for BeginQuorumEpochRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::BeginQuorumEpoch;
    type Response = BeginQuorumEpochResponse;
}
impl crate::codec::Request for EndQuorumEpochRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::EndQuorumEpoch;
    type Response = EndQuorumEpochResponse;
}
impl crate::codec::Request for DescribeQuorumRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DescribeQuorum;
    type Response = DescribeQuorumResponse;
}
impl crate::codec::Request for AlterPartitionRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::AlterPartition;
    type Response = AlterPartitionResponse;
}
impl crate::codec::Request for UpdateFeaturesRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::UpdateFeatures;
    type Response = UpdateFeaturesResponse;
}
impl crate::codec::Request for EnvelopeRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::Envelope;
    type Response = EnvelopeResponse;
}
impl crate::codec::Request for FetchSnapshotRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::FetchSnapshot;
    type Response = FetchSnapshotResponse;
}
impl crate::codec::Request for DescribeClusterRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DescribeCluster;
    type Response = DescribeClusterResponse;
}
impl crate::codec::Request for DescribeProducersRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DescribeProducers;
    type Response = DescribeProducersResponse;
}
impl crate::codec::Request for BrokerRegistrationRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::BrokerRegistration;
    type Response = BrokerRegistrationResponse;
}
impl crate::codec::Request for BrokerHeartbeatRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::BrokerHeartbeat;
    type Response = BrokerHeartbeatResponse;
}
impl crate::codec::Request for UnregisterBrokerRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::UnregisterBroker;
    type Response = UnregisterBrokerResponse;
}
impl crate::codec::Request for DescribeTransactionsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DescribeTransactions;
    type Response = DescribeTransactionsResponse;
}
impl crate::codec::Request for ListTransactionsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ListTransactions;
    type Response = ListTransactionsResponse;
}
impl crate::codec::Request for AllocateProducerIdsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::AllocateProducerIds;
    type Response = AllocateProducerIdsResponse;
}
impl crate::codec::Request for ConsumerGroupHeartbeatRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ConsumerGroupHeartbeat;
    type Response = ConsumerGroupHeartbeatResponse;
}
impl crate::codec::Request for ConsumerGroupDescribeRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ConsumerGroupDescribe;
    type Response = ConsumerGroupDescribeResponse;
}
impl crate::codec::Request for ControllerRegistrationRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ControllerRegistration;
    type Response = ControllerRegistrationResponse;
}
impl crate::codec::Request for GetTelemetrySubscriptionsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::GetTelemetrySubscriptions;
    type Response = GetTelemetrySubscriptionsResponse;
}
impl crate::codec::Request for PushTelemetryRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::PushTelemetry;
    type Response = PushTelemetryResponse;
}
impl crate::codec::Request for AssignReplicasToDirsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::AssignReplicasToDirs;
    type Response = AssignReplicasToDirsResponse;
}
impl crate::codec::Request for ListConfigResourcesRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ListConfigResources;
    type Response = ListConfigResourcesResponse;
}
impl crate::codec::Request for DescribeTopicPartitionsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DescribeTopicPartitions;
    type Response = DescribeTopicPartitionsResponse;
}
impl crate::codec::Request for ShareGroupHeartbeatRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ShareGroupHeartbeat;
    type Response = ShareGroupHeartbeatResponse;
}
impl crate::codec::Request for ShareGroupDescribeRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ShareGroupDescribe;
    type Response = ShareGroupDescribeResponse;
}
impl crate::codec::Request for ShareFetchRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ShareFetch;
    type Response = ShareFetchResponse;
}
impl crate::codec::Request for ShareAcknowledgeRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ShareAcknowledge;
    type Response = ShareAcknowledgeResponse;
}
impl crate::codec::Request for AddRaftVoterRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::AddRaftVoter;
    type Response = AddRaftVoterResponse;
}
impl crate::codec::Request for RemoveRaftVoterRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::RemoveRaftVoter;
    type Response = RemoveRaftVoterResponse;
}
impl crate::codec::Request for UpdateRaftVoterRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::UpdateRaftVoter;
    type Response = UpdateRaftVoterResponse;
}
impl crate::codec::Request for InitializeShareGroupStateRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::InitializeShareGroupState;
    type Response = InitializeShareGroupStateResponse;
}
impl crate::codec::Request for ReadShareGroupStateRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ReadShareGroupState;
    type Response = ReadShareGroupStateResponse;
}
impl crate::codec::Request for WriteShareGroupStateRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::WriteShareGroupState;
    type Response = WriteShareGroupStateResponse;
}
impl crate::codec::Request for DeleteShareGroupStateRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DeleteShareGroupState;
    type Response = DeleteShareGroupStateResponse;
}
impl crate::codec::Request for ReadShareGroupStateSummaryRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::ReadShareGroupStateSummary;
    type Response = ReadShareGroupStateSummaryResponse;
}
impl crate::codec::Request for StreamsGroupHeartbeatRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::StreamsGroupHeartbeat;
    type Response = StreamsGroupHeartbeatResponse;
}
impl crate::codec::Request for StreamsGroupDescribeRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::StreamsGroupDescribe;
    type Response = StreamsGroupDescribeResponse;
}
impl crate::codec::Request for DescribeShareGroupOffsetsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DescribeShareGroupOffsets;
    type Response = DescribeShareGroupOffsetsResponse;
}
impl crate::codec::Request for AlterShareGroupOffsetsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::AlterShareGroupOffsets;
    type Response = AlterShareGroupOffsetsResponse;
}
impl crate::codec::Request for DeleteShareGroupOffsetsRequest {
    const API_KEY: crate::ApiKey = crate::ApiKey::DeleteShareGroupOffsets;
    type Response = DeleteShareGroupOffsetsResponse;
}

/// Calls the macro named `$each` with every API that has messages: `Name NameRequest NameResponse;`.
#[macro_export]
macro_rules! for_each_api {
    ($each:ident) => {
        $each! { Produce ProduceRequest ProduceResponse;
        Fetch FetchRequest FetchResponse;
        ListOffsets ListOffsetsRequest ListOffsetsResponse;
        Metadata MetadataRequest MetadataResponse;
        OffsetCommit OffsetCommitRequest OffsetCommitResponse;
        OffsetFetch OffsetFetchRequest OffsetFetchResponse;
        FindCoordinator FindCoordinatorRequest FindCoordinatorResponse;
        JoinGroup JoinGroupRequest JoinGroupResponse;
        Heartbeat HeartbeatRequest HeartbeatResponse;
        LeaveGroup LeaveGroupRequest LeaveGroupResponse;
        SyncGroup SyncGroupRequest SyncGroupResponse;
        DescribeGroups DescribeGroupsRequest DescribeGroupsResponse;
        ListGroups ListGroupsRequest ListGroupsResponse;
        SaslHandshake SaslHandshakeRequest SaslHandshakeResponse;
        ApiVersions ApiVersionsRequest ApiVersionsResponse;
        CreateTopics CreateTopicsRequest CreateTopicsResponse;
        DeleteTopics DeleteTopicsRequest DeleteTopicsResponse;
        DeleteRecords DeleteRecordsRequest DeleteRecordsResponse;
        InitProducerId InitProducerIdRequest InitProducerIdResponse;
        OffsetForLeaderEpoch OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse;
        AddPartitionsToTxn AddPartitionsToTxnRequest AddPartitionsToTxnResponse;
        AddOffsetsToTxn AddOffsetsToTxnRequest AddOffsetsToTxnResponse;
        EndTxn EndTxnRequest EndTxnResponse;
        WriteTxnMarkers WriteTxnMarkersRequest WriteTxnMarkersResponse;
        TxnOffsetCommit TxnOffsetCommitRequest TxnOffsetCommitResponse;
        DescribeAcls DescribeAclsRequest DescribeAclsResponse;
        CreateAcls CreateAclsRequest CreateAclsResponse;
        DeleteAcls DeleteAclsRequest DeleteAclsResponse;
        DescribeConfigs DescribeConfigsRequest DescribeConfigsResponse;
        AlterConfigs AlterConfigsRequest AlterConfigsResponse;
        AlterReplicaLogDirs AlterReplicaLogDirsRequest AlterReplicaLogDirsResponse;
        DescribeLogDirs DescribeLogDirsRequest DescribeLogDirsResponse;
        SaslAuthenticate SaslAuthenticateRequest SaslAuthenticateResponse;
        CreatePartitions CreatePartitionsRequest CreatePartitionsResponse;
        CreateDelegationToken CreateDelegationTokenRequest CreateDelegationTokenResponse;
        RenewDelegationToken RenewDelegationTokenRequest RenewDelegationTokenResponse;
        ExpireDelegationToken ExpireDelegationTokenRequest ExpireDelegationTokenResponse;
        DescribeDelegationToken DescribeDelegationTokenRequest DescribeDelegationTokenResponse;
        DeleteGroups DeleteGroupsRequest DeleteGroupsResponse;
        ElectLeaders ElectLeadersRequest ElectLeadersResponse;
        IncrementalAlterConfigs IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse;
        AlterPartitionReassignments AlterPartitionReassignmentsRequest AlterPartitionReassignmentsResponse;
        ListPartitionReassignments ListPartitionReassignmentsRequest ListPartitionReassignmentsResponse;
        OffsetDelete OffsetDeleteRequest OffsetDeleteResponse;
        DescribeClientQuotas DescribeClientQuotasRequest DescribeClientQuotasResponse;
        AlterClientQuotas AlterClientQuotasRequest AlterClientQuotasResponse;
        DescribeUserScramCredentials DescribeUserScramCredentialsRequest DescribeUserScramCredentialsResponse;
        AlterUserScramCredentials AlterUserScramCredentialsRequest AlterUserScramCredentialsResponse;
        Vote VoteRequest VoteResponse;
        BeginQuorumEpoch BeginQuorumEpochRequest BeginQuorumEpochResponse;
        EndQuorumEpoch EndQuorumEpochRequest EndQuorumEpochResponse;
        DescribeQuorum DescribeQuorumRequest DescribeQuorumResponse;
        AlterPartition AlterPartitionRequest AlterPartitionResponse;
        UpdateFeatures UpdateFeaturesRequest UpdateFeaturesResponse;
        Envelope EnvelopeRequest EnvelopeResponse;
        FetchSnapshot FetchSnapshotRequest FetchSnapshotResponse;
        DescribeCluster DescribeClusterRequest DescribeClusterResponse;
        DescribeProducers DescribeProducersRequest DescribeProducersResponse;
        BrokerRegistration BrokerRegistrationRequest BrokerRegistrationResponse;
        BrokerHeartbeat BrokerHeartbeatRequest BrokerHeartbeatResponse;
        UnregisterBroker UnregisterBrokerRequest UnregisterBrokerResponse;
        DescribeTransactions DescribeTransactionsRequest DescribeTransactionsResponse;
        ListTransactions ListTransactionsRequest ListTransactionsResponse;
        AllocateProducerIds AllocateProducerIdsRequest AllocateProducerIdsResponse;
        ConsumerGroupHeartbeat ConsumerGroupHeartbeatRequest ConsumerGroupHeartbeatResponse;
        ConsumerGroupDescribe ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse;
        ControllerRegistration ControllerRegistrationRequest ControllerRegistrationResponse;
        GetTelemetrySubscriptions GetTelemetrySubscriptionsRequest GetTelemetrySubscriptionsResponse;
        PushTelemetry PushTelemetryRequest PushTelemetryResponse;
        AssignReplicasToDirs AssignReplicasToDirsRequest AssignReplicasToDirsResponse;
        ListConfigResources ListConfigResourcesRequest ListConfigResourcesResponse;
        DescribeTopicPartitions DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse;
        ShareGroupHeartbeat ShareGroupHeartbeatRequest ShareGroupHeartbeatResponse;
        ShareGroupDescribe ShareGroupDescribeRequest ShareGroupDescribeResponse;
        ShareFetch ShareFetchRequest ShareFetchResponse;
        ShareAcknowledge ShareAcknowledgeRequest ShareAcknowledgeResponse;
        AddRaftVoter AddRaftVoterRequest AddRaftVoterResponse;
        RemoveRaftVoter RemoveRaftVoterRequest RemoveRaftVoterResponse;
        UpdateRaftVoter UpdateRaftVoterRequest UpdateRaftVoterResponse;
        InitializeShareGroupState InitializeShareGroupStateRequest InitializeShareGroupStateResponse;
        ReadShareGroupState ReadShareGroupStateRequest ReadShareGroupStateResponse;
        WriteShareGroupState WriteShareGroupStateRequest WriteShareGroupStateResponse;
        DeleteShareGroupState DeleteShareGroupStateRequest DeleteShareGroupStateResponse;
        ReadShareGroupStateSummary ReadShareGroupStateSummaryRequest ReadShareGroupStateSummaryResponse;
        StreamsGroupHeartbeat StreamsGroupHeartbeatRequest StreamsGroupHeartbeatResponse;
        StreamsGroupDescribe StreamsGroupDescribeRequest StreamsGroupDescribeResponse;
        DescribeShareGroupOffsets DescribeShareGroupOffsetsRequest DescribeShareGroupOffsetsResponse;
        AlterShareGroupOffsets AlterShareGroupOffsetsRequest AlterShareGroupOffsetsResponse;
        DeleteShareGroupOffsets DeleteShareGroupOffsetsRequest DeleteShareGroupOffsetsResponse;
         }
    };
}
