//! The object graph of one broker without its listeners, its HTTP and its process.
//! Shell. The process opens it on the machine (`wiring.rs`), the simulated world in memory (`broker/sim`).
//!
//! Order: the metadata log is read, then each room follows the image in layer order, so that a partition is there
//! before its coordinator loads, and the configuration before whatever obeys it.

use std::sync::{Arc, Mutex, PoisonError};

use ottla_api::loggers::Loggers;
use ottla_api::metrics::ApiMetrics;
use ottla_api::operation_audit::OperationAudit;
use ottla_api::peers::{Controllers, ImageNodes};
use ottla_api::quotas::QuotaListener;
use ottla_api::{Broker, Rooms as ApiRooms};
use ottla_config::{BrokerConfig, ConfigMap, ConsumerGroupConfig, DynamicBrokerConfig};
use ottla_coordinator::settings::ConsumerConfigs;
use ottla_coordinator::share::OtherShareCoordinators;
use ottla_coordinator::transaction::{PartitionMarkers, TransactionCoordinator, TransactionSettings};
use ottla_coordinator::{
    CoordinatorListener, GroupCoordinator, GroupSettings, Loader, PartitionLog, ShareCoordinator,
    SharePartitionManager,
};
use ottla_env::Env;
use ottla_env::tasks::TaskHandle;
use ottla_log::LogManager;
use ottla_metadata::{
    BrokerEpoch, ControllerChannel, Feature, ImageListener, Metadata, MetadataOptions, Registration,
};
use ottla_model::BrokerId;
use ottla_model::topic::{GROUP_METADATA_TOPIC, TRANSACTION_STATE_TOPIC};
use ottla_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use ottla_quota::{ClientQuotas, QuotaMetrics};
use ottla_records::Codec;
use ottla_replica::metrics::ReplicaMetrics;
use ottla_replica::{Durability, OtherNodes, ReplicaManager};
use ottla_telemetry::ClientTelemetry;
use prometheus::Registry;

use crate::after_registration::{AfterRegistration, OnEarly};
use crate::cluster::{self, ClusterOpening, Links};
use crate::share::Share;
use crate::transactions::Ids;
use crate::{settings, share};

/// What a broker is opened with.
pub struct Opening<'a> {
    pub env: &'a Env,
    pub config: &'a BrokerConfig,
    /// Recovered, with their directories locked.
    pub logs: &'a Arc<LogManager>,
    /// Whether the last process left nothing to recover.
    pub was_clean: bool,
    pub cluster_id: &'a str,
    pub registration: Registration,
    pub transactions: TransactionSettings,
    /// What makes a node of several out of it; `None` where it is alone.
    pub cluster: Option<ClusterOpening>,
    /// Nothing of it outlives the process.
    pub ephemeral: bool,
    /// The metadata log is kept even so, if only in memory: somebody copies it.
    pub keeps_metadata: bool,
    /// A damaged metadata log is cut, and does not stop the start.
    pub accept_metadata_loss: bool,
    /// What this broker serves of features, with the levels of a new cluster.
    pub features: Vec<Feature>,
    /// Users of a new cluster of several controllers.
    pub first_users: Vec<ScramCredentialUpsertion>,
    pub registry: &'a Registry,
    pub loggers: Arc<Loggers>,
}

/// The rooms of a broker that is ready for requests once `loader` is idle.
pub struct Rooms {
    pub config: Arc<DynamicBrokerConfig>,
    pub metadata: Arc<Metadata>,
    pub controller: Arc<dyn ControllerChannel>,
    /// Under which this broker is registered.
    pub broker_epoch: BrokerEpoch,
    pub replicas: Arc<ReplicaManager>,
    pub loader: Arc<Loader>,
    pub groups: Arc<GroupCoordinator>,
    pub share_state: Arc<ShareCoordinator>,
    pub share_partitions: Arc<SharePartitionManager>,
    pub transactions: Arc<TransactionCoordinator>,
    pub producer_ids: Arc<Ids>,
    pub telemetry: Arc<ClientTelemetry>,
    pub quotas: Arc<ClientQuotas>,
    /// The other brokers, on a node of several.
    pub nodes: Option<Arc<ImageNodes>>,
    /// The same: which of the controllers is active.
    pub controllers: Option<Arc<Controllers>>,
    /// What the handlers see.
    pub broker: Arc<Broker>,
    /// On a node of several: what waits for the registration, the last of it.
    pub hosting: Option<Arc<AfterRegistration>>,
    /// On a broker without a vote: ends with this value. The lock makes it something that threads may share.
    _observing: Option<Mutex<TaskHandle>>,
}

impl Rooms {
    pub fn open(opening: Opening<'_>) -> Result<Rooms, String> {
        let Opening { env, config, logs, ephemeral, registry, .. } = opening;
        let failed = |error: prometheus::Error| format!("metrics: {error}");
        let durability = settings::durability(config, ephemeral);
        let options = MetadataOptions {
            // A controller that others may reach keeps its log, if only in memory: they count on it.
            logs: (!ephemeral
                || opening.keeps_metadata
                || opening.cluster.is_some()
                || !config.controller_listeners.is_empty())
            .then(|| logs.clone()),
            cluster_id: opening.cluster_id.to_owned(),
            config: config.clone(),
            features: opening.features.clone(),
            first_users: opening.first_users,
            sync: durability != Durability::Os,
            unclean_stop: !opening.was_clean,
            accept_loss: opening.accept_metadata_loss,
            quorum: opening.cluster.as_ref().and_then(ClusterOpening::quorum).cloned(),
        };
        let metadata = Metadata::open(env, options).map_err(|error| {
            if opening.was_clean {
                // Nothing was written: the next start is to find it as clean as this one did.
                logs.clean_shutdown();
            }
            error.to_string()
        })?;
        let broker_epoch = BrokerEpoch::default();
        let Links { controller, cluster, reached, nodes, controllers, observing } =
            cluster::links(env, config, &metadata, opening.cluster);
        let dynamic_config = Arc::new(DynamicBrokerConfig::new(config.clone()));
        metadata.subscribe(dynamic_config.clone());
        let metrics = Arc::new(ReplicaMetrics::new(registry).map_err(failed)?);
        let sync_seconds = metrics.sync_seconds.clone();
        logs.on_sync(Arc::new(move |took| sync_seconds.observe(took.as_secs_f64())));
        let replicas = ReplicaManager::new(logs.clone(), dynamic_config.clone(), durability, metrics);
        if let Some(links) = &cluster {
            // Before the first image: what it follows is fetched from then on.
            replicas.replicate(OtherNodes {
                env: env.clone(),
                controller: controller.clone(),
                nodes: links.nodes.clone(),
                broker_epoch: broker_epoch.clone(),
                directories: settings::directory_ids(config, &opening.registration),
            });
        }
        let has_peers = cluster.is_some();
        let early = replicas.clone();
        // What has effects on records waits for the registration of this process.
        let gate = |listener: Arc<dyn ImageListener>, on_early: OnEarly| {
            let incarnation_id = opening.registration.incarnation_id;
            AfterRegistration::new(BrokerId(config.node_id), incarnation_id, listener, on_early)
        };
        match has_peers {
            true => {
                metadata.subscribe(gate(replicas.clone(), Box::new(move |image| early.on_early_image(image))))
            }
            false => metadata.subscribe(replicas.clone()),
        }
        let loader = Loader::new(env.tasks.clone());
        let groups = GroupCoordinator::new(
            GroupSettings {
                consumer_configs: consumer_configs(&metadata, &dynamic_config),
                ..settings::groups(config)
            },
            Arc::new(PartitionLog::new(
                GROUP_METADATA_TOPIC,
                replicas.clone(),
                metadata.clone(),
                controller.clone(),
                settings::offsets_codec(config),
            )),
            env.clock.clone(),
            env.rng.clone(),
            loader.clone(),
        );
        let node_id = BrokerId(config.node_id);
        let others = cluster.as_ref().map(|links| OtherShareCoordinators {
            node_id,
            metadata: metadata.clone(),
            nodes: links.nodes.clone(),
            clock: env.clock.clone(),
        });
        let Share { state: share_state, channel: share_channel, partitions: share_partitions } =
            share::rooms(env, &dynamic_config, &metadata, &controller, &replicas, &loader, others);
        let producer_ids = Arc::new(Ids::new(node_id, metadata.clone(), controller.clone()));
        let transactions = TransactionCoordinator::new(
            opening.transactions,
            Arc::new(PartitionLog::new(
                TRANSACTION_STATE_TOPIC,
                replicas.clone(),
                metadata.clone(),
                controller.clone(),
                Codec::None,
            )),
            Arc::new(PartitionMarkers {
                node_id,
                metadata: metadata.clone(),
                replicas: replicas.clone(),
                groups: groups.clone(),
                clock: env.clock.clone(),
                nodes: cluster.as_ref().map(|links| links.nodes.clone()),
            }),
            producer_ids.clone(),
            env.clock.clone(),
            env.tasks.clone(),
            loader.clone(),
        );
        let coordinators = Arc::new(CoordinatorListener {
            node_id,
            groups: groups.clone(),
            transactions: transactions.clone(),
            share_state: share_state.clone(),
            share_partitions: share_partitions.clone(),
        });
        let hosting = has_peers.then(|| gate(coordinators.clone(), Box::new(|_| ())));
        match &hosting {
            Some(gate) => metadata.subscribe(gate.clone()),
            None => metadata.subscribe(coordinators),
        }
        let telemetry = ClientTelemetry::new(config.telemetry_bytes_max, config.metrics_series_max);
        metadata.subscribe(telemetry.clone());
        let quota_metrics = QuotaMetrics::register(registry).map_err(failed)?;
        let quotas = Arc::new(ClientQuotas::new(settings::quotas(config), env.clock.clone(), quota_metrics));
        metadata.subscribe(Arc::new(QuotaListener::new(quotas.clone())));
        if let Some(reached) = reached {
            // Behind all others: what it has heard of is in force.
            metadata.subscribe(reached);
        }
        metadata.start(&opening.registration).map_err(|error| error.to_string())?;
        let observing = observing.map(|begin| Mutex::new(begin()));
        let broker = Arc::new(Broker::new(ApiRooms {
            env: env.clone(),
            config: dynamic_config.clone(),
            features: opening.features,
            metadata: metadata.clone(),
            controller: controller.clone(),
            cluster,
            replicas: replicas.clone(),
            groups: groups.clone(),
            transactions: transactions.clone(),
            share_state: share_state.clone(),
            share_channel,
            share_partitions: share_partitions.clone(),
            telemetry: telemetry.clone(),
            metrics: Arc::new(ApiMetrics::new(registry).map_err(failed)?),
            quotas: quotas.clone(),
            authorizer: settings::authorizer(config)?,
            audit: Arc::new(OperationAudit::register(env.clock.clone(), registry).map_err(failed)?),
            loggers: opening.loggers,
        }));
        Ok(Rooms {
            config: dynamic_config,
            metadata,
            controller,
            broker_epoch,
            replicas,
            loader,
            groups,
            share_state,
            share_partitions,
            transactions,
            producer_ids,
            telemetry,
            quotas,
            nodes,
            controllers,
            broker,
            hosting,
            _observing: observing,
        })
    }
}

/// A consumer group's own settings over the broker's, as they are when they are asked for.
fn consumer_configs(metadata: &Arc<Metadata>, config: &Arc<DynamicBrokerConfig>) -> ConsumerConfigs {
    let (metadata, config) = (metadata.clone(), config.clone());
    // The broker's, and of which configuration they are.
    let of_broker: Mutex<Option<(Arc<BrokerConfig>, ConsumerGroupConfig)>> = Mutex::default();
    ConsumerConfigs::new(move |group_id| {
        let config = config.current();
        let overrides = metadata.image().group_overrides(group_id);
        if !overrides.is_empty() {
            return ConsumerGroupConfig::effective(&config, &overrides);
        }
        let mut known = of_broker.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((of, settings)) if Arc::ptr_eq(of, &config) => *settings,
            _ => {
                let settings = ConsumerGroupConfig::effective(&config, &ConfigMap::new());
                *known = Some((config, settings));
                settings
            }
        }
    })
}
