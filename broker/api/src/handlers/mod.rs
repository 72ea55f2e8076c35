//! One file per API key, named as the API; each starts with its versions and their KIPs.
//! Core: what is served. A new API is two lines here: its module and its row, with what becomes of a request
//! before its handler has it. A module without a row does not compile (nobody uses its `API`).

use crate::table::{Row, Treatment};

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod add_raft_voter;
mod allocate_producer_ids;
mod alter_client_quotas;
pub(crate) mod alter_configs;
mod alter_partition;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod alter_share_group_offsets;
mod alter_user_scram_credentials;
pub(crate) mod api_versions;
mod assign_replicas_to_dirs;
mod broker_heartbeat;
mod broker_registration;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod controller_registration;
mod create_acls;
mod create_delegation_token;
mod create_partitions;
mod create_topics;
mod delete_acls;
mod delete_groups;
mod delete_records;
mod delete_share_group_offsets;
mod delete_share_group_state;
mod delete_topics;
mod describe_acls;
mod describe_client_quotas;
mod describe_cluster;
mod describe_configs;
mod describe_delegation_token;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_share_group_offsets;
mod describe_topic_partitions;
mod describe_transactions;
mod describe_user_scram_credentials;
mod elect_leaders;
mod end_txn;
mod envelope;
mod expire_delegation_token;
mod fetch;
mod fetch_snapshot;
mod find_coordinator;
mod get_telemetry_subscriptions;
mod heartbeat;
pub(crate) mod incremental_alter_configs;
mod init_producer_id;
mod initialize_share_group_state;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
pub(crate) mod prelude;
mod produce;
mod push_telemetry;
mod read_share_group_state;
mod read_share_group_state_summary;
mod remove_raft_voter;
mod renew_delegation_token;
pub(crate) mod sasl_authenticate;
pub(crate) mod sasl_handshake;
mod share_acknowledge;
mod share_fetch;
mod share_group_describe;
mod share_group_heartbeat;
mod streams_group_describe;
mod streams_group_heartbeat;
mod sync_group;
mod txn_offset_commit;
mod unregister_broker;
mod update_features;
mod update_raft_voter;
mod write_share_group_state;
mod write_txn_markers;

macro_rules! treatment {
    () => {
        Treatment::Ordinary
    };
    (forwarded) => {
        Treatment::Forwarded
    };
    (exempt) => {
        Treatment::Exempt
    };
}

macro_rules! rows {
    ($($handler:ident $(: $treatment:ident)?)*) => {
        /// Every API that is served, in the order of keys.
        pub(crate) static ROWS: &[Row] = &[$(Row::of(&$handler::API, treatment!($($treatment)?))),*];
    };
}

rows! {
    produce
    fetch
    list_offsets
    metadata
    offset_commit
    offset_fetch
    find_coordinator
    join_group
    heartbeat
    leave_group
    sync_group
    describe_groups
    list_groups
    sasl_handshake
    api_versions
    create_topics: forwarded
    delete_topics: forwarded
    delete_records
    init_producer_id
    offset_for_leader_epoch
    add_partitions_to_txn
    add_offsets_to_txn
    end_txn
    write_txn_markers: exempt
    txn_offset_commit
    describe_acls
    create_acls: forwarded
    delete_acls: forwarded
    describe_configs
    alter_configs: forwarded
    alter_replica_log_dirs
    describe_log_dirs
    sasl_authenticate
    create_partitions: forwarded
    create_delegation_token: forwarded
    renew_delegation_token: forwarded
    expire_delegation_token: forwarded
    describe_delegation_token
    delete_groups
    elect_leaders: forwarded
    incremental_alter_configs: forwarded
    alter_partition_reassignments: forwarded
    list_partition_reassignments: forwarded
    offset_delete
    describe_client_quotas
    alter_client_quotas: forwarded
    describe_user_scram_credentials
    alter_user_scram_credentials: forwarded
    describe_quorum: forwarded
    alter_partition: exempt
    update_features: forwarded
    envelope: exempt
    fetch_snapshot: exempt
    describe_cluster
    describe_producers
    broker_registration: exempt
    broker_heartbeat: exempt
    unregister_broker: forwarded
    describe_transactions
    list_transactions
    allocate_producer_ids: exempt
    consumer_group_heartbeat
    consumer_group_describe
    controller_registration: exempt
    get_telemetry_subscriptions
    push_telemetry
    assign_replicas_to_dirs: exempt
    list_config_resources
    describe_topic_partitions
    share_group_heartbeat
    share_group_describe
    share_fetch
    share_acknowledge
    add_raft_voter: forwarded
    remove_raft_voter: forwarded
    update_raft_voter
    initialize_share_group_state
    read_share_group_state
    write_share_group_state
    delete_share_group_state
    read_share_group_state_summary
    streams_group_heartbeat
    streams_group_describe
    describe_share_group_offsets
    alter_share_group_offsets
    delete_share_group_offsets
}
