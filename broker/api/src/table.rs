//! One row per API key: what is served, in which versions, and how it is scheduled. The ApiVersions
//! answer, the documentation and the protocol tests derive from it.
//! Core.

use std::sync::Arc;

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::versions;

use crate::context::Broker;
use crate::handlers;
use crate::request::{Handled, Request};

/// How a request is scheduled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Answered from memory on the connection's task.
    Inline,
    /// Takes effect in the order of admission; the answer may come later.
    Ordered,
    /// May wait for something to happen.
    Parked,
    /// Decided by the metadata controller or a coordinator.
    Forwarded,
}

/// One API this broker serves.
pub struct Api {
    pub key: ApiKey,
    /// The first version that is served.
    pub min: i16,
    pub max: i16,
    pub class: Class,
    pub admit: fn(&Arc<Broker>, Request) -> Handled,
}

impl Api {
    /// The first version ApiVersions names. It differs from the first served for Produce alone:
    /// older librdkafka takes "from 0" as a sign of compression support (KAFKA-18659).
    pub fn advertised_min(&self) -> i16 {
        versions::of(self.key).broker.map_or(self.min, |range| range.min)
    }
}

/// Every API that is served, by key. An API that is not here is not advertised.
pub static ROWS: [&Api; 57] = [
    &handlers::produce::API,
    &handlers::fetch::API,
    &handlers::list_offsets::API,
    &handlers::metadata::API,
    &handlers::offset_commit::API,
    &handlers::offset_fetch::API,
    &handlers::find_coordinator::API,
    &handlers::join_group::API,
    &handlers::heartbeat::API,
    &handlers::leave_group::API,
    &handlers::sync_group::API,
    &handlers::describe_groups::API,
    &handlers::list_groups::API,
    &handlers::api_versions::API,
    &handlers::create_topics::API,
    &handlers::delete_topics::API,
    &handlers::delete_records::API,
    &handlers::init_producer_id::API,
    &handlers::offset_for_leader_epoch::API,
    &handlers::add_partitions_to_txn::API,
    &handlers::add_offsets_to_txn::API,
    &handlers::end_txn::API,
    &handlers::write_txn_markers::API,
    &handlers::txn_offset_commit::API,
    &handlers::describe_acls::API,
    &handlers::create_acls::API,
    &handlers::delete_acls::API,
    &handlers::describe_configs::API,
    &handlers::alter_configs::API,
    &handlers::describe_log_dirs::API,
    &handlers::create_partitions::API,
    &handlers::delete_groups::API,
    &handlers::elect_leaders::API,
    &handlers::incremental_alter_configs::API,
    &handlers::list_partition_reassignments::API,
    &handlers::offset_delete::API,
    &handlers::describe_user_scram_credentials::API,
    &handlers::alter_user_scram_credentials::API,
    &handlers::describe_quorum::API,
    &handlers::update_features::API,
    &handlers::describe_cluster::API,
    &handlers::describe_producers::API,
    &handlers::describe_transactions::API,
    &handlers::list_transactions::API,
    &handlers::describe_topic_partitions::API,
    &handlers::share_group_heartbeat::API,
    &handlers::share_group_describe::API,
    &handlers::share_fetch::API,
    &handlers::share_acknowledge::API,
    &handlers::initialize_share_group_state::API,
    &handlers::read_share_group_state::API,
    &handlers::write_share_group_state::API,
    &handlers::delete_share_group_state::API,
    &handlers::read_share_group_state_summary::API,
    &handlers::describe_share_group_offsets::API,
    &handlers::alter_share_group_offsets::API,
    &handlers::delete_share_group_offsets::API,
];

/// The row of a key.
pub fn find(key: i16) -> Option<&'static Api> {
    // Keys are few and sorted: a search costs less than a map.
    ROWS.binary_search_by_key(&key, |api| api.key.to_i16()).ok().map(|index| ROWS[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_serve_exactly_kafka_s_versions() {
        assert!(ROWS.windows(2).all(|pair| pair[0].key.to_i16() < pair[1].key.to_i16()));
        for api in ROWS {
            let kafka = versions::of(api.key).broker.expect("a key of the broker's listener");
            assert_eq!(api.advertised_min(), kafka.min, "{:?}", api.key);
            assert_eq!(api.max, kafka.max, "{:?}", api.key);
            let decodable = versions::of(api.key).decodable.expect("a key with messages");
            assert_eq!(api.min, decodable.min.max(kafka.min), "{:?}", api.key);
            assert!(find(api.key.to_i16()).is_some());
        }
        assert!(find(4).is_none());
    }

    #[test]
    fn every_file_of_a_handler_has_a_row() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/handlers");
        let files = std::fs::read_dir(folder).expect("the handlers' folder").filter(|entry| {
            let name = entry.as_ref().expect("an entry").file_name();
            name != "mod.rs" && name != "prelude.rs"
        });
        assert_eq!(files.count(), ROWS.len());
    }
}
