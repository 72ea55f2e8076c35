//! What a handler may see of the broker.
//! Shell.

use std::sync::Arc;

use ottla_config::{BrokerConfig, DynamicBrokerConfig};
use ottla_coordinator::share::ShareStateChannel;
use ottla_coordinator::transaction::TransactionCoordinator;
use ottla_coordinator::{GroupCoordinator, ShareCoordinator, SharePartitionManager};
use ottla_env::Env;
use ottla_metadata::controller::features::Feature;
use ottla_metadata::{ControllerChannel, Image, Metadata};
use ottla_model::BrokerId;
use ottla_network::ConnectionInfo;
use ottla_network::outgoing::Nodes;
use ottla_quota::ClientQuotas;
use ottla_replica::ReplicaManager;
use ottla_security::Authorizer;
use ottla_telemetry::ClientTelemetry;
use tokio::sync::Semaphore;

use crate::auto_create::AutoCreate;
use crate::broker_connections::BrokerConnections;
use crate::fetch_session::FetchSessions;
use crate::handlers::api_versions::SupportedVersions;
use crate::loggers::Loggers;
use crate::metrics::ApiMetrics;
use crate::operation_audit::OperationAudit;
use crate::owned_tasks::OwnedTasks;
use crate::peers::{Forward, Presence, Reached};
use crate::producer_ids::ProducerIds;
use crate::streams::InternalTopics;
use crate::write_order::WriteOrder;

/// How many set-ups of share state are under way at a time; a later heartbeat begins what found no room.
const SHARE_SET_UPS_MAX: usize = 1_000;
/// The same for regular expressions that are being resolved.
const PATTERN_TASKS_MAX: usize = 1_000;

pub struct Broker {
    pub env: Env,
    /// What the broker was started with: for keys that cannot change while it runs.
    pub config: BrokerConfig,
    /// The same with what was changed since.
    pub dynamic_config: Arc<DynamicBrokerConfig>,
    pub node_id: BrokerId,
    /// What ApiVersions says is supported.
    pub features: Vec<Feature>,
    pub(crate) supported_versions: SupportedVersions,
    pub metadata: Arc<Metadata>,
    /// The active controller, for what this broker itself asks of it.
    pub controller: Arc<dyn ControllerChannel>,
    /// The way to the other nodes; `None` where there are none.
    pub cluster: Option<ClusterLinks>,
    pub replicas: Arc<ReplicaManager>,
    pub groups: Arc<GroupCoordinator>,
    pub transactions: Arc<TransactionCoordinator>,
    pub share_state: Arc<ShareCoordinator>,
    /// The same wherever it is.
    pub share_channel: Arc<ShareStateChannel>,
    pub share_partitions: Arc<SharePartitionManager>,
    pub sessions: FetchSessions,
    pub producer_ids: ProducerIds,
    pub auto_create: AutoCreate,
    /// Share state of groups that is being set up.
    pub share_set_ups: OwnedTasks,
    /// Topics of streams applications that are being made.
    pub internal_topics: InternalTopics,
    /// Regular expressions of consumer groups that are being resolved.
    pub pattern_tasks: OwnedTasks,
    pub write_order: Arc<WriteOrder>,
    /// Brokers that beat on a connection of this node's controller.
    pub broker_connections: BrokerConnections,
    pub telemetry: Arc<ClientTelemetry>,
    pub metrics: Arc<ApiMetrics>,
    pub quotas: Arc<ClientQuotas>,
    /// `None` lets everybody do everything.
    pub authorizer: Option<Arc<Authorizer>>,
    /// Hears what ACLs decide.
    pub audit: Arc<OperationAudit>,
    /// What is logged of which room.
    pub loggers: Arc<Loggers>,
}

/// The way to the other nodes of a cluster.
#[derive(Clone)]
pub struct ClusterLinks {
    /// Requests of clients for the active controller.
    pub forward: Arc<Forward>,
    /// The other brokers.
    pub nodes: Arc<dyn Nodes>,
    /// Which of them are heard.
    pub presence: Arc<Presence>,
    /// How far this node's image is.
    pub reached: Arc<Reached>,
    /// Answers that wait until clients can be told of another leader.
    pub parked_metadata: Arc<Semaphore>,
}

/// The rooms below, from which the broker is made.
pub struct Rooms {
    pub env: Env,
    pub config: Arc<DynamicBrokerConfig>,
    pub features: Vec<Feature>,
    pub metadata: Arc<Metadata>,
    pub controller: Arc<dyn ControllerChannel>,
    pub cluster: Option<ClusterLinks>,
    pub replicas: Arc<ReplicaManager>,
    pub groups: Arc<GroupCoordinator>,
    pub transactions: Arc<TransactionCoordinator>,
    pub share_state: Arc<ShareCoordinator>,
    /// The same wherever it is.
    pub share_channel: Arc<ShareStateChannel>,
    pub share_partitions: Arc<SharePartitionManager>,
    pub telemetry: Arc<ClientTelemetry>,
    pub metrics: Arc<ApiMetrics>,
    pub quotas: Arc<ClientQuotas>,
    /// `None` lets everybody do everything.
    pub authorizer: Option<Authorizer>,
    pub audit: Arc<OperationAudit>,
    pub loggers: Arc<Loggers>,
}

impl Broker {
    pub fn new(rooms: Rooms) -> Broker {
        let Rooms {
            env,
            config: dynamic_config,
            features,
            metadata,
            controller,
            cluster,
            replicas,
            groups,
            transactions,
            share_state,
            share_channel,
            share_partitions,
            telemetry,
            metrics,
            quotas,
            authorizer,
            audit,
            loggers,
        } = rooms;
        let node_id = BrokerId(dynamic_config.started_with().node_id);
        let config = dynamic_config.started_with().clone();
        Broker {
            node_id,
            sessions: FetchSessions::new(config.incremental_fetch_session_slots_max),
            producer_ids: ProducerIds::new(node_id, metadata.clone(), controller.clone()),
            auto_create: AutoCreate::new(
                env.clone(),
                metadata.clone(),
                controller.clone(),
                config.num_partitions,
            ),
            share_set_ups: OwnedTasks::new(SHARE_SET_UPS_MAX),
            internal_topics: InternalTopics::default(),
            pattern_tasks: OwnedTasks::new(PATTERN_TASKS_MAX),
            write_order: Arc::default(),
            broker_connections: BrokerConnections::default(),
            env,
            config,
            dynamic_config,
            features,
            metadata,
            controller,
            cluster,
            replicas,
            groups,
            transactions,
            share_state,
            share_channel,
            share_partitions,
            telemetry,
            metrics,
            supported_versions: SupportedVersions::default(),
            quotas,
            authorizer: authorizer.map(Arc::new),
            audit,
            loggers,
        }
    }

    pub fn image(&self) -> Arc<Image> {
        Arc::clone(&self.metadata.image())
    }

    /// Whether requests for the controller are decided on this node.
    pub fn is_active_controller(&self) -> bool {
        self.metadata.leadership().leader == Some(self.node_id)
    }

    /// The address this client reaches this broker at.
    pub fn endpoint(&self, connection: &ConnectionInfo) -> (String, i32) {
        let (host, port) = connection.advertised();
        (host, i32::from(port))
    }
}
