//! Which error codes a response carries, for the request counters.
//! Core. `ApiErrors.errorCounts` in Kafka; here each response names where its codes are.

use ottla_protocol::messages::*;

/// Calls back for every error code a response carries, success included.
pub trait ErrorCounts {
    fn errors(&self, each: &mut dyn FnMut(i16));
}

macro_rules! error_counts {
    ($($response:ty: |$this:ident, $each:ident| $body:block)*) => {
        $(impl ErrorCounts for $response {
            fn errors(&self, $each: &mut dyn FnMut(i16)) {
                let $this = self;
                $body
            }
        })*
    };
}

macro_rules! top_level_error {
    ($($response:ty),* $(,)?) => {
        $(impl ErrorCounts for $response {
            fn errors(&self, each: &mut dyn FnMut(i16)) {
                each(self.error_code);
            }
        })*
    };
}

top_level_error!(
    AddOffsetsToTxnResponse,
    DescribeAclsResponse,
    ApiVersionsResponse,
    DescribeClusterResponse,
    DescribeQuorumResponse,
    EndTxnResponse,
    FetchResponse,
    HeartbeatResponse,
    InitProducerIdResponse,
    JoinGroupResponse,
    ListGroupsResponse,
    ListTransactionsResponse,
    ListPartitionReassignmentsResponse,
    ShareGroupHeartbeatResponse,
    SyncGroupResponse,
    UpdateFeaturesResponse,
);

error_counts! {
    ProduceResponse: |r, each| { r.responses.iter().flat_map(|t| &t.partition_responses).for_each(|p| each(p.error_code)); }
    MetadataResponse: |r, each| { r.topics.iter().for_each(|t| each(t.error_code)); }
    ListOffsetsResponse: |r, each| { r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| each(p.error_code)); }
    OffsetForLeaderEpochResponse: |r, each| { r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| each(p.error_code)); }
    FindCoordinatorResponse: |r, each| { each(r.error_code); r.coordinators.iter().for_each(|c| each(c.error_code)); }
    LeaveGroupResponse: |r, each| { each(r.error_code); r.members.iter().for_each(|m| each(m.error_code)); }
    OffsetCommitResponse: |r, each| { r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| each(p.error_code)); }
    OffsetFetchResponse: |r, each| { each(r.error_code); r.groups.iter().for_each(|g| each(g.error_code)); }
    OffsetDeleteResponse: |r, each| { each(r.error_code); }
    DescribeGroupsResponse: |r, each| { r.groups.iter().for_each(|g| each(g.error_code)); }
    DeleteGroupsResponse: |r, each| { r.results.iter().for_each(|g| each(g.error_code)); }
    CreateTopicsResponse: |r, each| { r.topics.iter().for_each(|t| each(t.error_code)); }
    DeleteTopicsResponse: |r, each| { r.responses.iter().for_each(|t| each(t.error_code)); }
    CreatePartitionsResponse: |r, each| { r.results.iter().for_each(|t| each(t.error_code)); }
    DeleteRecordsResponse: |r, each| { r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| each(p.error_code)); }
    DescribeConfigsResponse: |r, each| { r.results.iter().for_each(|c| each(c.error_code)); }
    AlterConfigsResponse: |r, each| { r.responses.iter().for_each(|c| each(c.error_code)); }
    IncrementalAlterConfigsResponse: |r, each| { r.responses.iter().for_each(|c| each(c.error_code)); }
    DescribeTopicPartitionsResponse: |r, each| { r.topics.iter().for_each(|t| each(t.error_code)); }
    DescribeLogDirsResponse: |r, each| { each(r.error_code); }
    DescribeProducersResponse: |r, each| { r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| each(p.error_code)); }
    AddPartitionsToTxnResponse: |r, each| {
        let topics = r.results_by_transaction.iter().flat_map(|t| &t.topic_results);
        let topics = topics.chain(&r.results_by_topic_v3_and_below);
        topics.flat_map(|t| &t.results_by_partition).for_each(|p| each(p.partition_error_code));
    }
    TxnOffsetCommitResponse: |r, each| { r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| each(p.error_code)); }
    WriteTxnMarkersResponse: |r, each| {
        r.markers.iter().flat_map(|m| &m.topics).flat_map(|t| &t.partitions).for_each(|p| each(p.error_code));
    }
    DescribeTransactionsResponse: |r, each| { r.transaction_states.iter().for_each(|t| each(t.error_code)); }
    CreateAclsResponse: |r, each| { r.results.iter().for_each(|a| each(a.error_code)); }
    DeleteAclsResponse: |r, each| { r.filter_results.iter().for_each(|f| each(f.error_code)); }
    DescribeUserScramCredentialsResponse: |r, each| { each(r.error_code); r.results.iter().for_each(|u| each(u.error_code)); }
    AlterUserScramCredentialsResponse: |r, each| { r.results.iter().for_each(|u| each(u.error_code)); }
    ShareGroupDescribeResponse: |r, each| { r.groups.iter().for_each(|g| each(g.error_code)); }
    ShareFetchResponse: |r, each| { each(r.error_code); r.responses.iter().flat_map(|t| &t.partitions).for_each(|p| each(p.error_code)); }
    ShareAcknowledgeResponse: |r, each| { each(r.error_code); r.responses.iter().flat_map(|t| &t.partitions).for_each(|p| each(p.error_code)); }
    InitializeShareGroupStateResponse: |r, each| { r.results.iter().flat_map(|t| &t.partitions).for_each(|p| each(p.error_code)); }
    ReadShareGroupStateResponse: |r, each| { r.results.iter().flat_map(|t| &t.partitions).for_each(|p| each(p.error_code)); }
    WriteShareGroupStateResponse: |r, each| { r.results.iter().flat_map(|t| &t.partitions).for_each(|p| each(p.error_code)); }
    DeleteShareGroupStateResponse: |r, each| { r.results.iter().flat_map(|t| &t.partitions).for_each(|p| each(p.error_code)); }
    ReadShareGroupStateSummaryResponse: |r, each| { r.results.iter().flat_map(|t| &t.partitions).for_each(|p| each(p.error_code)); }
    DescribeShareGroupOffsetsResponse: |r, each| { r.groups.iter().for_each(|g| each(g.error_code)); }
    AlterShareGroupOffsetsResponse: |r, each| { each(r.error_code); r.responses.iter().flat_map(|t| &t.partitions).for_each(|p| each(p.error_code)); }
    DeleteShareGroupOffsetsResponse: |r, each| { each(r.error_code); r.responses.iter().for_each(|t| each(t.error_code)); }
    ElectLeadersResponse: |r, each| { each(r.error_code); }
}
