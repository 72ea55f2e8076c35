//! The controller's listeners: opened before anything is read, so that voters find each other, and shut last.
//! Shell.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::issuers::Issuers;
use ottla_api::Authentication;
use ottla_api::peers::{Inlet, Voices};
use ottla_config::BrokerConfig;
use ottla_env::Env;
use ottla_model::BrokerId;
use ottla_network::{ConnectionLimits, Listeners, NetworkMetrics, NetworkServer, NetworkSettings};

use crate::founding::Voting;
use crate::rooms::Rooms;
use crate::tls::ListenersTls;
use crate::{listeners, settings};

pub struct ControllerListeners {
    /// The lock makes it something that threads may share.
    network: Mutex<NetworkServer>,
    inlet: Arc<Inlet>,
    logins: Arc<Authentication>,
    issuers: Arc<Issuers>,
    pub voices: Arc<Voices>,
}

impl ControllerListeners {
    /// `None` where none is configured.
    pub fn open(
        env: &Env,
        config: &BrokerConfig,
        tls: &ListenersTls,
        issuers: &Arc<Issuers>,
        metrics: &Arc<NetworkMetrics>,
    ) -> Result<Option<ControllerListeners>, String> {
        let specs = listeners::controller_specs(config, tls);
        if specs.is_empty() {
            return Ok(None);
        }
        let bound = Listeners::bind(env, &specs).map_err(|error| error.to_string())?;
        let voices = Arc::<Voices>::default();
        let authorizer = settings::authorizer(config)?.map(Arc::new);
        let logins = Arc::new(Authentication::early(env.clone(), config));
        logins.set_servers(settings::sasl_servers(config, issuers));
        let inlet =
            Inlet::new(env.clone(), BrokerId(config.node_id), voices.clone(), authorizer, logins.clone());
        let inlet = Arc::new(inlet);
        // The limits of clients are not those of the nodes and of whoever repairs the cluster.
        let settings =
            NetworkSettings { limits: ConnectionLimits::default(), ..settings::network(env, config) };
        let network = bound.serve(inlet.clone(), settings, metrics.clone());
        Ok(Some(ControllerListeners {
            network: Mutex::new(network),
            inlet,
            logins,
            issuers: issuers.clone(),
            voices,
        }))
    }

    /// Serves requests from here on.
    pub fn serve(&self, rooms: &Rooms) {
        self.voices.follow(Arc::new(Voting(rooms.metadata.clone())));
        self.inlet.serve(rooms.broker.clone());
        let (logins, issuers) = (self.logins.clone(), self.issuers.clone());
        rooms.config.follow(move |config| logins.set_servers(settings::sasl_servers(config, &issuers)));
    }

    pub async fn shutdown(self, answers_wait: Duration) {
        self.voices.end();
        let network = self.network.into_inner().unwrap_or_else(PoisonError::into_inner);
        network.shutdown(answers_wait).await;
    }
}
