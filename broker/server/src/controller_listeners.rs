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
    /// Where the voters' connections live.
    pub env: Env,
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
        let env = &quorum_env(env, config);
        let bound = Listeners::bind(env, &specs).map_err(|error| error.to_string())?;
        let voices = Arc::<Voices>::default();
        let authorizer = settings::authorizer(config)?.map(Arc::new);
        let logins = Arc::new(Authentication::early(env.clone(), config));
        logins.set_servers(settings::sasl_servers(config, issuers));
        let me = (BrokerId(config.node_id), config.has_peers());
        let inlet = Inlet::new(env.clone(), me, voices.clone(), authorizer, logins.clone());
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
            env: env.clone(),
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

/// Voters of a quorum hear each other on a thread of its own: a broker that is busy with requests, or makes thousands of
/// partitions, is heard in time all the same. A lone controller has nobody to be heard by, and no such thread.
fn quorum_env(env: &Env, config: &BrokerConfig) -> Env {
    let has_others = config.quorum_voters.iter().any(|voter| voter.id != config.node_id);
    match has_others.then(|| env.tasks.apart("quorum-network")).flatten() {
        Some(tasks) => Env { tasks, ..env.clone() },
        None => env.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ottla_env::memory::{self, ThreadTasks};
    use ottla_env::tasks::{TaskHandle, ThreadHandle};
    use ottla_env::{BoxFuture, Tasks};

    use super::*;

    /// Counts who wants a thread for its tasks.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Tasks for Counting {
        fn spawn(&self, name: &'static str, work: BoxFuture<'static, ()>) -> TaskHandle {
            ThreadTasks.spawn(name, work)
        }

        fn spawn_thread(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) -> ThreadHandle {
            ThreadTasks.spawn_thread(name, work)
        }

        fn apart(&self, _name: &'static str) -> Option<Arc<dyn Tasks>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Some(Arc::new(ThreadTasks))
        }
    }

    #[test]
    fn voters_of_several_have_a_thread_for_their_connections_and_a_lone_one_has_not() {
        let wanted = |voters: &str| {
            let pairs = [
                ("process.roles", "broker,controller"),
                ("node.id", "1"),
                ("controller.quorum.voters", voters),
                ("controller.listener.names", "CONTROLLER"),
                ("listeners", "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"),
                ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
            ];
            let pairs = pairs.map(|(key, text)| (key.to_owned(), text.to_owned()));
            let config = ottla_config::load(None, &[], &pairs).expect("a config").0;
            let tasks = Arc::new(Counting::default());
            let whole: Arc<dyn Tasks> = tasks.clone();
            let chosen = quorum_env(&Env { tasks: whole.clone(), ..memory::env(1) }, &config);
            (tasks.0.load(Ordering::Relaxed), Arc::ptr_eq(&chosen.tasks, &whole))
        };
        assert_eq!(wanted("1@127.0.0.1:9093"), (0, true));
        assert_eq!(wanted("1@127.0.0.1:9093,2@127.0.0.1:9094,3@127.0.0.1:9095"), (1, false));
    }
}
