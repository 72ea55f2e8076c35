//! The process: what it opens (`rooms.rs` has the object graph), and the order in which it starts and stops.
//! Shell.
//!
//! Order of start: the controller's listener is bound, directories are locked and recovered, the metadata log is replayed, partitions
//! and coordinators follow its image, and only then are the listeners bound: a port accepts only
//! when everything behind it is ready.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::identity;
use crate::issuers::Issuers;
use crate::membership::{Member, Membership};
use ottla_admin::{About, AdminServer, AdminSources, BoundAdminServer, ProcessMetrics};
use ottla_api::Authentication;
use ottla_api::loggers::Loggers;
use ottla_api::quotas::AddressRateListener;
use ottla_config::BrokerConfig;
use ottla_env::{Disk, Env};
use ottla_log::LogManager;
use ottla_model::BrokerId;
use ottla_network::{ListenerInfo, Listeners, NetworkMetrics, NetworkServer};
use ottla_protocol::messages::AlterUserScramCredentialsRequest;
use ottla_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use prometheus::Registry;

use crate::balancing::BalanceFigures;
use crate::cluster_figures::ClusterFigures;
use crate::controller_listeners::ControllerListeners;
use crate::figures::Figures;
use crate::group_figures::Coordinators;
use crate::kafka_names::KafkaNames;
use crate::lab::{self, LabHook};
use crate::rooms::{Opening, Rooms};
use crate::start_topics;
use crate::tls::ListenersTls;
use crate::{adopt, founding, listeners, settings};

const HTTP_LISTENER: &str = "ottla.http.listener";

/// A broker that serves.
pub struct Broker {
    config: BrokerConfig,
    listeners: Vec<Arc<ListenerInfo>>,
    http: Option<SocketAddr>,
    network: NetworkServer,
    /// Where a controller's listener is configured.
    controller: Option<ControllerListeners>,
    /// On a node of several.
    membership: Option<Membership>,
    admin: Option<AdminServer>,
    rooms: Rooms,
    tls: Arc<ListenersTls>,
    logs: Arc<LogManager>,
    ready: Arc<AtomicBool>,
}

/// What the command line says beside the configuration.
#[derive(Clone, Default)]
pub struct StartOptions {
    /// Everything is kept in memory.
    pub ephemeral: bool,
    /// A damaged metadata log is cut, and does not stop the start.
    pub accept_metadata_loss: bool,
    /// Levels of features in a new cluster.
    pub features: Vec<(String, i16)>,
    /// Users of a new cluster.
    pub scram_users: Vec<ScramCredentialUpsertion>,
    /// Those of the process; `None` where nothing is logged.
    pub loggers: Option<Arc<Loggers>>,
    /// Nothing but in the test lab.
    pub lab: Option<LabHook>,
}

pub async fn start(
    env: Env,
    machine_disk: Arc<dyn Disk>,
    config: BrokerConfig,
    options: StartOptions,
) -> Result<Broker, String> {
    let StartOptions { ephemeral, accept_metadata_loss, features, scram_users, loggers, lab } = options;
    let features = settings::features_at(&config, &features)?;
    let tls = ListenersTls::load(&config, &machine_disk, &env.clock).map_err(|error| error.to_string())?;
    let config = config.with_reconfigurable(Arc::clone(&tls).check());
    let registry = Registry::new();
    let metrics = |error: prometheus::Error| format!("metrics: {error}");
    let network_metrics = NetworkMetrics::register(&registry).map_err(metrics)?;
    let issuers = Arc::new(Issuers::open(&env, &machine_disk, &config).await?);
    let controller = ControllerListeners::open(&env, &config, &tls, &issuers, &network_metrics)?;
    let dirs: Vec<PathBuf> = config.log_dirs.iter().map(PathBuf::from).collect();
    adopt::refuse_unfinished(&*env.disk, &dirs)?;
    let (logs, recovery) =
        LogManager::open(env.clone(), dirs.clone(), settings::log_manager(&config, ephemeral))
            .map_err(|error| error.to_string())?;
    let is_new = !identity::has_cluster(&env, &dirs);
    let (identity, cluster) = founding::find(&env, &config, &dirs, controller.as_ref(), &tls).await?;
    let registration = settings::registration(&env, &config, &identity);
    let rooms = Rooms::open(Opening {
        env: &env,
        config: &config,
        logs: &logs,
        was_clean: recovery.dirs.iter().all(|dir| dir.was_clean),
        cluster_id: &identity.cluster_id,
        registration: registration.clone(),
        transactions: settings::transactions(&config),
        cluster,
        ephemeral,
        keeps_metadata: lab.is_some(),
        accept_metadata_loss,
        features: features.clone(),
        first_users: if config.has_peers() { scram_users.clone() } else { Vec::new() },
        registry: &registry,
        loggers: loggers.unwrap_or_else(|| Arc::new(Loggers::none())),
    })?;
    if let Some(controller) = &controller {
        controller.serve(&rooms);
    }
    add_scram_users(&rooms, &config, is_new, scram_users).await?;
    rooms.groups.start_timers(&*env.tasks);
    rooms.share_state.start_timers(&*env.tasks);
    // A client that connects finds its groups loaded.
    rooms.loader.until_idle().await;
    rooms.transactions.start_timers(&*env.tasks);
    crate::cleaner_metrics::register(&registry, logs.clone()).map_err(metrics)?;
    let balance = Arc::new(BalanceFigures::default());
    let cluster_figures = rooms.broker.cluster.as_ref().map(|links| {
        Arc::new(ClusterFigures {
            node_id: BrokerId(config.node_id),
            metadata: rooms.metadata.clone(),
            replicas: rooms.replicas.clone(),
            presence: links.presence.clone(),
            balance: balance.clone(),
        })
    });
    let names = config.metrics_kafka_names.then(|| KafkaNames {
        node_id: BrokerId(config.node_id),
        metadata: rooms.metadata.clone(),
        replicas: rooms.replicas.clone(),
        registry: registry.clone(),
        series_max: config.metrics_series_max,
    });
    let figures = Figures::new(
        rooms.replicas.clone(),
        Coordinators { groups: rooms.groups.clone(), transactions: rooms.transactions.clone() },
        rooms.telemetry.clone(),
        rooms.quotas.clone(),
        env.clone(),
        config.metrics_series_max,
        names,
    )
    .of_cluster(cluster_figures.clone());
    let ready = Arc::new(AtomicBool::new(false));
    let bound = Listeners::bind(&env, &listeners::specs(&config, &tls)).map_err(|error| error.to_string())?;
    let listeners = bound.bound();
    assert_eq!(listeners.len(), config.listeners.len(), "each listener of clients is bound");
    let about = About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        cluster_id: identity.cluster_id.clone(),
        node_id: config.node_id,
        bootstrap: listeners.iter().map(|listener| listener.bound.to_string()).collect(),
    };
    let process = ProcessMetrics::register(&registry, machine_disk, env.clock.wall_ms()).map_err(metrics)?;
    let is_ready = ready.clone();
    let sources = AdminSources {
        registry,
        ready: Arc::new(move || is_ready.load(Ordering::Acquire)),
        refresh: Arc::new(move || process.refresh()),
        figures: Arc::new(move |text| figures.write(text)),
        cluster: Arc::new(move || cluster_figures.as_ref().map(|cluster| cluster.describe())),
        about,
        route: lab.as_ref().and_then(|lab| lab.route.clone()),
    };
    let admin = bind_admin(&env, &config)?.map(|bound| bound.serve(sources));
    let authentication = Arc::new(Authentication::new(rooms.broker.clone()));
    let logins = authentication.clone();
    rooms.config.follow(move |config| logins.set_servers(settings::sasl_servers(config, &issuers)));
    let handler = lab::in_front(lab.as_ref(), authentication, &listeners, &rooms);
    let network = bound.serve(handler, settings::network(&env, &config), network_metrics);
    let (set_limits, env_of_limits) = (network.limits_setter(), env.clone());
    rooms.config.follow(move |config| set_limits(settings::connection_limits(&env_of_limits, config)));
    let rates = AddressRateListener::new(env.net.clone(), Box::new(network.address_rates_setter()));
    rooms.metadata.subscribe(Arc::new(rates));
    let stores = Arc::clone(&tls);
    rooms.config.follow(move |config| stores.follow(config));
    let membership = config.has_peers().then(|| {
        let member = Member {
            env: &env,
            config: &config,
            cluster_id: &identity.cluster_id,
            registration: &registration,
            features: &features,
            logs: &logs,
            rooms: &rooms,
            balance: &balance,
            directory_id: identity.directory_ids[0].0,
        };
        Membership::begin(&member, Box::new(network.closer()))
    });
    if let Some(membership) = &membership {
        tokio::select! {
            serving = membership.until_serving() => serving?,
            why = rooms.metadata.failed() => return Err(why),
        }
    }
    if config.is_broker() {
        if let Some(hosting) = &rooms.hosting {
            hosting.until_it_came().await;
        }
        // The image is the cluster's of now: what it does not place here went while this node was down.
        rooms.replicas.set_strays_aside();
    }
    start_topics::make(&rooms, &config.start_topics).await?;
    ready.store(true, Ordering::Release);
    let http = admin.as_ref().map(AdminServer::addr);
    Ok(Broker { config, listeners, http, network, controller, membership, admin, rooms, tls, logs, ready })
}

/// Makes the users of a new cluster, before anybody can connect.
async fn add_scram_users(
    rooms: &Rooms,
    config: &BrokerConfig,
    is_new: bool,
    users: Vec<ScramCredentialUpsertion>,
) -> Result<(), String> {
    if users.is_empty() {
        return Ok(());
    }
    if !is_new {
        tracing::warn!("the cluster is there already and keeps its users: --add-scram is ignored");
        return Ok(());
    }
    // Of several controllers the one that leads first makes its own.
    if config.has_peers() {
        return match config.is_controller() {
            true => Ok(()),
            false => Err("--add-scram is for controllers: they make the users of a new cluster".to_owned()),
        };
    }
    for user in users {
        let name = user.name.clone();
        let request = AlterUserScramCredentialsRequest::default().with_upsertions(vec![user]);
        let failed = |why: String| format!("the user {name:?} cannot be made: {why}");
        let answer = rooms.metadata.alter_user_scram_credentials(request).await;
        let answer = answer.map_err(|error| failed(error.to_string()))?;
        if let Some(refused) = answer.results.iter().find(|result| result.error_code != 0) {
            return Err(failed(refused.error_message.as_deref().unwrap_or("refused").to_owned()));
        }
    }
    Ok(())
}

/// Binds the HTTP listener; `None` when it is switched off. A port that nobody configured stops no
/// start: when it is taken (a second broker on this machine), a free one serves.
fn bind_admin(env: &Env, config: &BrokerConfig) -> Result<Option<BoundAdminServer>, String> {
    let Some(address) = &config.http_listener else { return Ok(None) };
    let failed = |why: &dyn std::fmt::Display| format!("{HTTP_LISTENER}={address}: {why}");
    let (host, port) = address.rsplit_once(':').ok_or_else(|| failed(&"HOST:PORT is expected"))?;
    let port: u16 = port.parse().map_err(|error| failed(&error))?;
    let addrs = env.net.resolve(host, port).map_err(|error| failed(&error))?;
    let mut addr = addrs.into_iter().next().ok_or_else(|| failed(&"the name has no address"))?;
    match AdminServer::bind(env, addr) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && !config.is_set(HTTP_LISTENER) => {
            addr.set_port(0);
            let bound = AdminServer::bind(env, addr).map_err(|error| failed(&error))?;
            tracing::info!("{address} is taken: metrics and health are served at {}", bound.addr());
            Ok(Some(bound))
        }
        bound => bound.map(Some).map_err(|error| failed(&error)),
    }
}

impl Broker {
    /// The first client listener's address; on a node without one the controller's.
    pub fn bootstrap(&self) -> String {
        let Some(listener) = self.listeners.first() else {
            // A controller alone: whoever repairs a cluster reaches it there (`--bootstrap-controller`).
            let controllers = self.config.controller_listeners.iter();
            let mut known = controllers.filter_map(|one| self.config.controller_reached_at(one));
            return known.next().map_or_else(String::new, |(host, port)| format!("{host}:{port}"));
        };
        match &listener.advertised {
            Some((host, port)) => format!("{host}:{port}"),
            None if listener.bound.ip().is_unspecified() => format!("localhost:{}", listener.bound.port()),
            None => listener.bound.to_string(),
        }
    }

    /// What is open here, for whoever looks from inside.
    pub fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// Whether it is more than a controller.
    pub fn serves_clients(&self) -> bool {
        !self.listeners.is_empty()
    }

    pub fn http(&self) -> Option<String> {
        self.http.map(|addr| addr.to_string())
    }

    /// Puts the stores of the listeners in force as they are on the disk now, for connections to come.
    pub fn read_stores_anew(&self) {
        self.tls.follow(&self.rooms.config.current());
    }

    /// Waits until this node can't go on, and says why.
    pub async fn failed(&self) -> String {
        self.rooms.metadata.failed().await
    }

    pub fn node_id(&self) -> i32 {
        self.config.node_id
    }

    pub fn cluster_id(&self) -> String {
        self.rooms.metadata.image().cluster_id().to_owned()
    }

    pub fn data_dirs(&self) -> String {
        self.config.log_dirs.join(", ")
    }

    /// Stops from the outside in, and leaves nothing to recover.
    pub async fn stop(self, answers_wait: Duration) {
        self.ready.store(false, Ordering::Release);
        if let Some(membership) = &self.membership {
            membership.leave().await;
        } else if let Some(broker) = self.rooms.metadata.image().broker(BrokerId(self.config.node_id)) {
            self.logs.set_broker_epoch(broker.broker_epoch);
        }
        drop(self.membership);
        self.network.shutdown(answers_wait).await;
        if let Some(admin) = self.admin {
            admin.shutdown().await;
        }
        self.rooms.share_partitions.close();
        self.rooms.share_state.close();
        self.rooms.transactions.close();
        self.rooms.groups.close();
        self.rooms.loader.close();
        self.rooms.replicas.close();
        self.rooms.metadata.stop().await;
        if let Some(controller) = self.controller {
            controller.shutdown(answers_wait).await;
        }
        self.rooms.config.let_followers_go();
        self.logs.clean_shutdown();
    }
}
