//! What a handler may see of the broker.
//! Shell.

use std::sync::Arc;

use ottla_config::BrokerConfig;
use ottla_coordinator::GroupCoordinator;
use ottla_coordinator::transaction::TransactionCoordinator;
use ottla_env::Env;
use ottla_metadata::controller::features::Feature;
use ottla_metadata::{Image, Metadata};
use ottla_model::BrokerId;
use ottla_network::ConnectionInfo;
use ottla_protocol::messages::BrokerId as WireBrokerId;
use ottla_replica::ReplicaManager;

use crate::fetch_session::FetchSessions;
use crate::metrics::ApiMetrics;
use crate::producer_ids::ProducerIds;

pub struct Broker {
    pub env: Env,
    pub config: BrokerConfig,
    pub node_id: BrokerId,
    /// What ApiVersions says is supported.
    pub features: Vec<Feature>,
    pub metadata: Arc<Metadata>,
    pub replicas: Arc<ReplicaManager>,
    pub groups: Arc<GroupCoordinator>,
    pub transactions: Arc<TransactionCoordinator>,
    pub sessions: FetchSessions,
    pub producer_ids: ProducerIds,
    pub metrics: Arc<ApiMetrics>,
}

impl Broker {
    #[allow(clippy::too_many_arguments)] // One for each room below.
    pub fn new(
        env: Env,
        config: BrokerConfig,
        features: Vec<Feature>,
        metadata: Arc<Metadata>,
        replicas: Arc<ReplicaManager>,
        groups: Arc<GroupCoordinator>,
        transactions: Arc<TransactionCoordinator>,
        metrics: Arc<ApiMetrics>,
    ) -> Broker {
        Broker {
            node_id: BrokerId(config.node_id),
            sessions: FetchSessions::new(config.incremental_fetch_session_slots_max),
            producer_ids: ProducerIds::new(metadata.clone()),
            env,
            config,
            features,
            metadata,
            replicas,
            groups,
            transactions,
            metrics,
        }
    }

    pub fn image(&self) -> Arc<Image> {
        Arc::clone(&self.metadata.image())
    }

    pub fn wire_node_id(&self) -> WireBrokerId {
        WireBrokerId(self.node_id.0)
    }

    /// The address this client reaches this broker at.
    pub fn endpoint(&self, connection: &ConnectionInfo) -> (String, i32) {
        let (host, port) = connection.advertised();
        (host, i32::from(port))
    }
}

/// Operations a client may do where there is no authorizer (`authorizer.class.name` unset): all of
/// them, as a bit field of Kafka's AclOperation codes (protocol facts: cluster 8096, topic 3576,
/// group 3400).
pub const CLUSTER_OPERATIONS: i32 = 8096;
pub const TOPIC_OPERATIONS: i32 = 3576;
pub const GROUP_OPERATIONS: i32 = 3400;
/// "Not asked for."
pub const OPERATIONS_OMITTED: i32 = i32::MIN;
