//! The TLS of the listeners: loaded at the start, and again when the configuration of this broker changes.
//! Shell: reads the stores.
//!
//! As in Kafka a store is read anew when a change of this broker's configuration is asked for, whatever the change:
//! that is how a file that was replaced comes into force (DynamicBrokerConfig.reloadUpdatedFilesWithoutConfigChange).

use std::sync::Arc;

use ottla_config::{BrokerConfig, Listener, Reconfigurable};
use ottla_env::{Clock, Disk};
use ottla_model::SecurityProtocol;
use ottla_security::tls::{ClientTls, TlsContext, TlsError, TlsListener};

/// The listeners that have TLS.
pub struct ListenersTls {
    started_with: BrokerConfig,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    listeners: Vec<One>,
    /// With what nodes of another role are dialled, at a listener that this node does not open.
    elsewhere: Vec<(String, ClientTls)>,
}

struct One {
    name: String,
    protocol: SecurityProtocol,
    tls: Arc<TlsListener>,
    /// With what this node dials the listener of that name of the others, where it does.
    dials: Option<ClientTls>,
}

impl ListenersTls {
    /// Reads the stores of every listener with TLS; the error names the key at fault. `disk` is the machine's.
    pub fn load(
        config: &BrokerConfig,
        disk: &Arc<dyn Disk>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Arc<ListenersTls>, TlsError> {
        let of_nodes = [config.dialled_broker_listener(), config.dialled_controller_listener()];
        let dialled: Vec<Listener> = match config.has_peers() {
            true => of_nodes.into_iter().flatten().collect(),
            false => Vec::new(),
        };
        let is_dialled = |name: &str| dialled.iter().any(|listener| listener.name == name);
        let all = config.listeners.iter().chain(&config.controller_listeners);
        let with_tls = all.filter(|listener| listener.protocol.has_tls());
        let listeners = with_tls
            .map(|listener| {
                let (name, protocol) = (listener.name.clone(), listener.protocol);
                let keys = config.of_listener(&name);
                let context = TlsContext::load(&keys, protocol, &**disk, clock)?;
                let dials = is_dialled(&name).then(|| ClientTls::load(&keys, &**disk, clock)).transpose()?;
                Ok(One { name, protocol, tls: Arc::new(TlsListener::new(context)), dials })
            })
            .collect::<Result<Vec<_>, TlsError>>()?;
        let is_elsewhere = |listener: &&Listener| {
            listener.protocol.has_tls() && listeners.iter().all(|one| one.name != listener.name)
        };
        let elsewhere = dialled
            .iter()
            .filter(is_elsewhere)
            .map(|listener| {
                let dials = ClientTls::load(&config.of_listener(&listener.name), &**disk, clock)?;
                Ok((listener.name.clone(), dials))
            })
            .collect::<Result<Vec<_>, TlsError>>()?;
        let (started_with, disk, clock) = (config.clone(), Arc::clone(disk), Arc::clone(clock));
        Ok(Arc::new(ListenersTls { started_with, disk, clock, listeners, elsewhere }))
    }

    /// The machine's, on which the stores are.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// The TLS of a listener; nothing where its protocol has none.
    pub fn of(&self, name: &str) -> Option<Arc<TlsListener>> {
        self.listeners.iter().find(|one| one.name == name).map(|one| Arc::clone(&one.tls))
    }

    /// With what nodes are dialled at a listener; nothing where its protocol has no TLS.
    pub fn dials(&self, name: &str) -> Option<ClientTls> {
        let here = self.listeners.iter().find(|one| one.name == name).and_then(|one| one.dials.clone());
        here.or_else(|| {
            self.elsewhere.iter().find(|(named, _)| named == name).map(|(_, dials)| dials.clone())
        })
    }

    /// Whether a changed configuration can be taken: a bad store leaves the one in force and fails the request.
    pub fn check(self: Arc<Self>) -> Reconfigurable {
        Arc::new(move |candidate: &BrokerConfig| {
            let obeyed = self.started_with.with_stores_of(candidate);
            self.listeners
                .iter()
                .try_for_each(|one| self.next(one, &obeyed).map(drop).map_err(|error| error.to_string()))
        })
    }

    /// Puts a changed configuration in force, for connections to come.
    pub fn follow(&self, config: &BrokerConfig) {
        let obeyed = self.started_with.with_stores_of(config);
        for one in &self.listeners {
            match self.next(one, &obeyed) {
                Ok(None) => {}
                Ok(Some(next)) => {
                    tracing::info!("listener {}: its stores were read anew", one.name);
                    one.tls.replace(next);
                    if let Some(dials) = &one.dials {
                        self.dial_anew(&one.name, dials, &obeyed);
                    }
                }
                Err(error) => {
                    tracing::error!("listener {} keeps the stores it has: {error}", one.name);
                }
            }
        }
        for (name, dials) in &self.elsewhere {
            self.dial_anew(name, dials, &obeyed);
        }
    }

    fn dial_anew(&self, listener: &str, dials: &ClientTls, config: &BrokerConfig) {
        match ClientTls::load(&config.of_listener(listener), &*self.disk, &self.clock) {
            Ok(next) => dials.replace(&next),
            Err(error) => tracing::error!("listener {listener}: nodes are dialled as before: {error}"),
        }
    }

    /// The context that a configuration gives a listener; nothing when it is the one in force.
    fn next(&self, one: &One, config: &BrokerConfig) -> Result<Option<TlsContext>, TlsError> {
        let keys = config.of_listener(&one.name);
        let next = TlsContext::load(&keys, one.protocol, &*self.disk, &self.clock)?;
        let current = one.tls.current();
        if current.is_same(&next) {
            return Ok(None);
        }
        current.may_become(&next, &keys)?;
        Ok(Some(next))
    }
}

#[cfg(test)]
impl ListenersTls {
    /// Of a broker without TLS.
    pub fn none() -> ListenersTls {
        let disk = Arc::new(ottla_env::memory::MemoryDisk::new());
        let clock = Arc::new(ottla_env::memory::MemoryClock::new(0));
        ListenersTls {
            started_with: BrokerConfig::defaults(),
            disk,
            clock,
            listeners: Vec::new(),
            elsewhere: Vec::new(),
        }
    }
}
