//! Where the error codes of every response are.
//! Core. Written by ottla-protocol-generator; never edited by hand.

use crate::error_codes::ErrorCodes;
use crate::messages::*;

impl ErrorCodes for AddOffsetsToTxnResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for AddPartitionsToTxnResponse {
    fn error_codes(&self, version: i16, each: &mut impl FnMut(i16)) {
        if version >= 4 {
            each(self.error_code);
        }
        for add_partitions_to_txn_result in &self.results_by_transaction {
            for add_partitions_to_txn_topic_result in &add_partitions_to_txn_result.topic_results {
                for add_partitions_to_txn_partition_result in
                    &add_partitions_to_txn_topic_result.results_by_partition
                {
                    each(add_partitions_to_txn_partition_result.partition_error_code);
                }
            }
        }
        for add_partitions_to_txn_topic_result in &self.results_by_topic_v3_and_below {
            for add_partitions_to_txn_partition_result in
                &add_partitions_to_txn_topic_result.results_by_partition
            {
                each(add_partitions_to_txn_partition_result.partition_error_code);
            }
        }
    }
}

impl ErrorCodes for AddRaftVoterResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for AllocateProducerIdsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for AlterClientQuotasResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for entry_data in &self.entries {
            each(entry_data.error_code);
        }
    }
}

impl ErrorCodes for AlterConfigsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for alter_configs_resource_response in &self.responses {
            each(alter_configs_resource_response.error_code);
        }
    }
}

impl ErrorCodes for AlterPartitionReassignmentsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for reassignable_topic_response in &self.responses {
            for reassignable_partition_response in &reassignable_topic_response.partitions {
                each(reassignable_partition_response.error_code);
            }
        }
    }
}

impl ErrorCodes for AlterPartitionResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for topic_data in &self.topics {
            for partition_data in &topic_data.partitions {
                each(partition_data.error_code);
            }
        }
    }
}

impl ErrorCodes for AlterReplicaLogDirsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for alter_replica_log_dir_topic_result in &self.results {
            for alter_replica_log_dir_partition_result in &alter_replica_log_dir_topic_result.partitions {
                each(alter_replica_log_dir_partition_result.error_code);
            }
        }
    }
}

impl ErrorCodes for AlterShareGroupOffsetsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for alter_share_group_offsets_response_topic in &self.responses {
            for alter_share_group_offsets_response_partition in
                &alter_share_group_offsets_response_topic.partitions
            {
                each(alter_share_group_offsets_response_partition.error_code);
            }
        }
    }
}

impl ErrorCodes for AlterUserScramCredentialsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for alter_user_scram_credentials_result in &self.results {
            each(alter_user_scram_credentials_result.error_code);
        }
    }
}

impl ErrorCodes for ApiVersionsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for AssignReplicasToDirsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for directory_data in &self.directories {
            for topic_data in &directory_data.topics {
                for partition_data in &topic_data.partitions {
                    each(partition_data.error_code);
                }
            }
        }
    }
}

impl ErrorCodes for BeginQuorumEpochResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for topic_data in &self.topics {
            for partition_data in &topic_data.partitions {
                each(partition_data.error_code);
            }
        }
    }
}

impl ErrorCodes for BrokerHeartbeatResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for BrokerRegistrationResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for ConsumerGroupDescribeResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for described_group in &self.groups {
            each(described_group.error_code);
        }
    }
}

impl ErrorCodes for ConsumerGroupHeartbeatResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for ControllerRegistrationResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for CreateAclsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for acl_creation_result in &self.results {
            each(acl_creation_result.error_code);
        }
    }
}

impl ErrorCodes for CreateDelegationTokenResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for CreatePartitionsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for create_partitions_topic_result in &self.results {
            each(create_partitions_topic_result.error_code);
        }
    }
}

impl ErrorCodes for CreateTopicsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for creatable_topic_result in &self.topics {
            each(creatable_topic_result.error_code);
        }
    }
}

impl ErrorCodes for DeleteAclsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for delete_acls_filter_result in &self.filter_results {
            each(delete_acls_filter_result.error_code);
            for delete_acls_matching_acl in &delete_acls_filter_result.matching_acls {
                each(delete_acls_matching_acl.error_code);
            }
        }
    }
}

impl ErrorCodes for DeleteGroupsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for deletable_group_result in &self.results {
            each(deletable_group_result.error_code);
        }
    }
}

impl ErrorCodes for DeleteRecordsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for delete_records_topic_result in &self.topics {
            for delete_records_partition_result in &delete_records_topic_result.partitions {
                each(delete_records_partition_result.error_code);
            }
        }
    }
}

impl ErrorCodes for DeleteShareGroupOffsetsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for delete_share_group_offsets_response_topic in &self.responses {
            each(delete_share_group_offsets_response_topic.error_code);
        }
    }
}

impl ErrorCodes for DeleteShareGroupStateResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for delete_state_result in &self.results {
            for partition_result in &delete_state_result.partitions {
                each(partition_result.error_code);
            }
        }
    }
}

impl ErrorCodes for DeleteTopicsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for deletable_topic_result in &self.responses {
            each(deletable_topic_result.error_code);
        }
    }
}

impl ErrorCodes for DescribeAclsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for DescribeClientQuotasResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for DescribeClusterResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for DescribeConfigsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for describe_configs_result in &self.results {
            each(describe_configs_result.error_code);
        }
    }
}

impl ErrorCodes for DescribeDelegationTokenResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for DescribeGroupsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for described_group in &self.groups {
            each(described_group.error_code);
        }
    }
}

impl ErrorCodes for DescribeLogDirsResponse {
    fn error_codes(&self, version: i16, each: &mut impl FnMut(i16)) {
        if version >= 3 {
            each(self.error_code);
        }
        for describe_log_dirs_result in &self.results {
            each(describe_log_dirs_result.error_code);
        }
    }
}

impl ErrorCodes for DescribeProducersResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for topic_response in &self.topics {
            for partition_response in &topic_response.partitions {
                each(partition_response.error_code);
            }
        }
    }
}

impl ErrorCodes for DescribeQuorumResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for topic_data in &self.topics {
            for partition_data in &topic_data.partitions {
                each(partition_data.error_code);
            }
        }
    }
}

impl ErrorCodes for DescribeShareGroupOffsetsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for describe_share_group_offsets_response_group in &self.groups {
            for describe_share_group_offsets_response_topic in
                &describe_share_group_offsets_response_group.topics
            {
                for describe_share_group_offsets_response_partition in
                    &describe_share_group_offsets_response_topic.partitions
                {
                    each(describe_share_group_offsets_response_partition.error_code);
                }
            }
            each(describe_share_group_offsets_response_group.error_code);
        }
    }
}

impl ErrorCodes for DescribeTopicPartitionsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for describe_topic_partitions_response_topic in &self.topics {
            each(describe_topic_partitions_response_topic.error_code);
            for describe_topic_partitions_response_partition in
                &describe_topic_partitions_response_topic.partitions
            {
                each(describe_topic_partitions_response_partition.error_code);
            }
        }
    }
}

impl ErrorCodes for DescribeTransactionsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for transaction_state in &self.transaction_states {
            each(transaction_state.error_code);
        }
    }
}

impl ErrorCodes for DescribeUserScramCredentialsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for describe_user_scram_credentials_result in &self.results {
            each(describe_user_scram_credentials_result.error_code);
        }
    }
}

impl ErrorCodes for ElectLeadersResponse {
    fn error_codes(&self, version: i16, each: &mut impl FnMut(i16)) {
        if version >= 1 {
            each(self.error_code);
        }
        for replica_election_result in &self.replica_election_results {
            for partition_result in &replica_election_result.partition_result {
                each(partition_result.error_code);
            }
        }
    }
}

impl ErrorCodes for EndQuorumEpochResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for topic_data in &self.topics {
            for partition_data in &topic_data.partitions {
                each(partition_data.error_code);
            }
        }
    }
}

impl ErrorCodes for EndTxnResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for EnvelopeResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for ExpireDelegationTokenResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for FetchResponse {
    fn error_codes(&self, version: i16, each: &mut impl FnMut(i16)) {
        if version >= 7 {
            each(self.error_code);
        }
        for fetchable_topic_response in &self.responses {
            for partition_data in &fetchable_topic_response.partitions {
                each(partition_data.error_code);
            }
        }
    }
}

impl ErrorCodes for FetchSnapshotResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for topic_snapshot in &self.topics {
            for partition_snapshot in &topic_snapshot.partitions {
                each(partition_snapshot.error_code);
            }
        }
    }
}

impl ErrorCodes for FindCoordinatorResponse {
    fn error_codes(&self, version: i16, each: &mut impl FnMut(i16)) {
        if version <= 3 {
            each(self.error_code);
        }
        for coordinator in &self.coordinators {
            each(coordinator.error_code);
        }
    }
}

impl ErrorCodes for GetTelemetrySubscriptionsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for HeartbeatResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for IncrementalAlterConfigsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for alter_configs_resource_response in &self.responses {
            each(alter_configs_resource_response.error_code);
        }
    }
}

impl ErrorCodes for InitProducerIdResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for InitializeShareGroupStateResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for initialize_state_result in &self.results {
            for partition_result in &initialize_state_result.partitions {
                each(partition_result.error_code);
            }
        }
    }
}

impl ErrorCodes for JoinGroupResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for LeaveGroupResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for member_response in &self.members {
            each(member_response.error_code);
        }
    }
}

impl ErrorCodes for ListConfigResourcesResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for ListGroupsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for ListOffsetsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for list_offsets_topic_response in &self.topics {
            for list_offsets_partition_response in &list_offsets_topic_response.partitions {
                each(list_offsets_partition_response.error_code);
            }
        }
    }
}

impl ErrorCodes for ListPartitionReassignmentsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for ListTransactionsResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for MetadataResponse {
    fn error_codes(&self, version: i16, each: &mut impl FnMut(i16)) {
        for metadata_response_topic in &self.topics {
            each(metadata_response_topic.error_code);
            for metadata_response_partition in &metadata_response_topic.partitions {
                each(metadata_response_partition.error_code);
            }
        }
        if version == 13 {
            each(self.error_code);
        }
    }
}

impl ErrorCodes for OffsetCommitResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for offset_commit_response_topic in &self.topics {
            for offset_commit_response_partition in &offset_commit_response_topic.partitions {
                each(offset_commit_response_partition.error_code);
            }
        }
    }
}

impl ErrorCodes for OffsetDeleteResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for offset_delete_response_topic in &self.topics {
            for offset_delete_response_partition in &offset_delete_response_topic.partitions {
                each(offset_delete_response_partition.error_code);
            }
        }
    }
}

impl ErrorCodes for OffsetFetchResponse {
    fn error_codes(&self, version: i16, each: &mut impl FnMut(i16)) {
        for offset_fetch_response_topic in &self.topics {
            for offset_fetch_response_partition in &offset_fetch_response_topic.partitions {
                each(offset_fetch_response_partition.error_code);
            }
        }
        if (2..=7).contains(&version) {
            each(self.error_code);
        }
        for offset_fetch_response_group in &self.groups {
            for offset_fetch_response_topics in &offset_fetch_response_group.topics {
                for offset_fetch_response_partitions in &offset_fetch_response_topics.partitions {
                    each(offset_fetch_response_partitions.error_code);
                }
            }
            each(offset_fetch_response_group.error_code);
        }
    }
}

impl ErrorCodes for OffsetForLeaderEpochResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for offset_for_leader_topic_result in &self.topics {
            for epoch_end_offset in &offset_for_leader_topic_result.partitions {
                each(epoch_end_offset.error_code);
            }
        }
    }
}

impl ErrorCodes for ProduceResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for topic_produce_response in &self.responses {
            for partition_produce_response in &topic_produce_response.partition_responses {
                each(partition_produce_response.error_code);
            }
        }
    }
}

impl ErrorCodes for PushTelemetryResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for ReadShareGroupStateResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for read_state_result in &self.results {
            for partition_result in &read_state_result.partitions {
                each(partition_result.error_code);
            }
        }
    }
}

impl ErrorCodes for ReadShareGroupStateSummaryResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for read_state_summary_result in &self.results {
            for partition_result in &read_state_summary_result.partitions {
                each(partition_result.error_code);
            }
        }
    }
}

impl ErrorCodes for RemoveRaftVoterResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for RenewDelegationTokenResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for SaslAuthenticateResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for SaslHandshakeResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for ShareAcknowledgeResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for share_acknowledge_topic_response in &self.responses {
            for partition_data in &share_acknowledge_topic_response.partitions {
                each(partition_data.error_code);
            }
        }
    }
}

impl ErrorCodes for ShareFetchResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for share_fetchable_topic_response in &self.responses {
            for partition_data in &share_fetchable_topic_response.partitions {
                each(partition_data.error_code);
            }
        }
    }
}

impl ErrorCodes for ShareGroupDescribeResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for described_group in &self.groups {
            each(described_group.error_code);
        }
    }
}

impl ErrorCodes for ShareGroupHeartbeatResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for StreamsGroupDescribeResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for described_group in &self.groups {
            each(described_group.error_code);
        }
    }
}

impl ErrorCodes for StreamsGroupHeartbeatResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for SyncGroupResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for TxnOffsetCommitResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for txn_offset_commit_response_topic in &self.topics {
            for txn_offset_commit_response_partition in &txn_offset_commit_response_topic.partitions {
                each(txn_offset_commit_response_partition.error_code);
            }
        }
    }
}

impl ErrorCodes for UnregisterBrokerResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for UpdateFeaturesResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for updatable_feature_result in &self.results {
            each(updatable_feature_result.error_code);
        }
    }
}

impl ErrorCodes for UpdateRaftVoterResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
    }
}

impl ErrorCodes for VoteResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        each(self.error_code);
        for topic_data in &self.topics {
            for partition_data in &topic_data.partitions {
                each(partition_data.error_code);
            }
        }
    }
}

impl ErrorCodes for WriteShareGroupStateResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for write_state_result in &self.results {
            for partition_result in &write_state_result.partitions {
                each(partition_result.error_code);
            }
        }
    }
}

impl ErrorCodes for WriteTxnMarkersResponse {
    fn error_codes(&self, _version: i16, each: &mut impl FnMut(i16)) {
        for writable_txn_marker_result in &self.markers {
            for writable_txn_marker_topic_result in &writable_txn_marker_result.topics {
                for writable_txn_marker_partition_result in &writable_txn_marker_topic_result.partitions {
                    each(writable_txn_marker_partition_result.error_code);
                }
            }
        }
    }
}
