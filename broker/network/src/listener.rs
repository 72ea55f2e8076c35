//! Listening sockets: binding them all before any serves, and accepting.
//! Shell.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::net::{Acceptor, SocketBuffers, Stream};
use ottla_env::{Env, Monotonic};
use ottla_model::SecurityProtocol;
use ottla_security::tls::TlsListener;

use crate::handler::{Handler, ListenerInfo};
use crate::handshake;
use crate::http_preface;
use crate::metrics::NetworkMetrics;
use crate::server::{NetworkServer, Shared};
use crate::settings::NetworkSettings;

/// How long accepting rests after the machine refused (no descriptors, no memory).
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// A refusal is logged at most this often.
const ACCEPT_LOG_INTERVAL: Duration = Duration::from_secs(1);

/// A listener as it is configured.
#[derive(Clone, Debug)]
pub struct ListenerSpec {
    pub name: String,
    pub protocol: SecurityProtocol,
    /// `sasl.server.max.receive.size`.
    pub login_frame_bytes_max: usize,
    /// There where the protocol has it.
    pub tls: Option<Arc<TlsListener>>,
    /// A name or an address; empty is every address of the machine.
    pub host: String,
    /// 0 picks a free one.
    pub port: u16,
    /// The advertised address, when configured; port 0 in it is the port that was picked.
    pub advertised: Option<(String, u16)>,
    pub buffers: SocketBuffers,
}

/// What helps, behind the system's own words.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another program listens there: stop it, or choose another port in listeners"
        }
        io::ErrorKind::PermissionDenied => "; ports below 1024 are root's: choose a higher one in listeners",
        io::ErrorKind::AddrNotAvailable => {
            "; it is no address of this machine: leave the host out of listeners, or name one that is"
        }
        _ if error.to_string().contains("lookup") => {
            "; the name has no address here: leave the host out of listeners, or name an address of this machine"
        }
        _ => "",
    }
}

/// Why a listener could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("listener {name}: cannot listen on {host}:{port}: {error}{advice}", advice = advice(error))]
pub struct BindError {
    pub name: String,
    pub host: String,
    pub port: u16,
    #[source]
    pub error: io::Error,
}

/// Sockets that are bound and not yet served: clients that connect wait in the backlog.
pub struct Listeners {
    env: Env,
    bound: Vec<(Arc<ListenerInfo>, Box<dyn Acceptor>)>,
}

impl Listeners {
    /// Binds all of them, or none.
    pub fn bind(env: &Env, specs: &[ListenerSpec]) -> Result<Listeners, BindError> {
        let bound = specs
            .iter()
            .map(|spec| {
                assert!(spec.protocol.has_tls() == spec.tls.is_some(), "no listener says TLS and has none");
                let acceptor = bind_one(env, spec).map_err(|error| BindError {
                    name: spec.name.clone(),
                    host: spec.host.clone(),
                    port: spec.port,
                    error,
                })?;
                let addr = acceptor.local_addr();
                let advertised = spec
                    .advertised
                    .clone()
                    .map(|(host, port)| (host, if port == 0 { addr.port() } else { port }));
                let info = ListenerInfo {
                    name: spec.name.clone(),
                    protocol: spec.protocol,
                    login_frame_bytes_max: spec.login_frame_bytes_max,
                    tls: spec.tls.clone(),
                    advertised,
                    bound: addr,
                };
                Ok((Arc::new(info), acceptor))
            })
            .collect::<Result<Vec<_>, BindError>>()?;
        Ok(Listeners { env: env.clone(), bound })
    }

    /// The listeners in the order of their configuration, with the ports that were picked.
    pub fn bound(&self) -> Vec<Arc<ListenerInfo>> {
        self.bound.iter().map(|(info, _acceptor)| Arc::clone(info)).collect()
    }

    /// Accepts from here on.
    pub fn serve(
        self,
        handler: Arc<dyn Handler>,
        settings: NetworkSettings,
        metrics: Arc<NetworkMetrics>,
    ) -> NetworkServer {
        let shared = Shared::new(self.env, settings, handler, metrics);
        let tasks = self
            .bound
            .into_iter()
            .map(|(info, acceptor)| {
                let work = Box::pin(accept_loop(acceptor, info, Arc::clone(&shared)));
                shared.env.tasks.spawn("network-accept", work)
            })
            .collect();
        NetworkServer::start(shared, tasks)
    }
}

fn bind_one(env: &Env, spec: &ListenerSpec) -> io::Result<Box<dyn Acceptor>> {
    if spec.host.is_empty() {
        // One socket for both families where the machine has IPv6.
        let any_v6 = SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), spec.port);
        return match env.net.bind(any_v6, spec.buffers) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                env.net.bind(SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), spec.port), spec.buffers)
            }
            bound => bound,
        };
    }
    let addrs = env.net.resolve(&spec.host, spec.port)?;
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for addr in addrs {
        match env.net.bind(addr, spec.buffers) {
            Ok(acceptor) => return Ok(acceptor),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

async fn accept_loop(acceptor: Box<dyn Acceptor>, info: Arc<ListenerInfo>, shared: Arc<Shared>) {
    let mut stopping = shared.stopping.subscribe();
    tokio::select! {
        biased;
        _stop = stopping.wait_for(|stop| *stop) => {}
        () = accept_forever(acceptor, &info, &shared) => {}
    }
}

async fn accept_forever(mut acceptor: Box<dyn Acceptor>, info: &Arc<ListenerInfo>, shared: &Arc<Shared>) {
    let mut logged_at: Option<Monotonic> = None;
    loop {
        free_place(shared).await;
        match poll_fn(|context| acceptor.poll_accept(context)).await {
            Ok(stream) => {
                if let Some(rest) = shared.rest_before(&info.name) {
                    shared.env.clock.sleep_until(shared.env.clock.monotonic().after(rest)).await;
                }
                open(stream, info, shared);
            }
            Err(error) if is_of_one_connection(&error) => {
                tracing::debug!(listener = info.name, %error, "a connection was gone before it was accepted");
            }
            Err(error) => {
                shared.metrics.accept_errors.inc();
                let now = shared.env.clock.monotonic();
                if logged_at.is_none_or(|logged| logged.until(now) >= ACCEPT_LOG_INTERVAL) {
                    logged_at = Some(now);
                    tracing::warn!(listener = info.name, %error, "cannot accept connections, trying again");
                }
                shared.env.clock.sleep_until(now.after(ACCEPT_BACKOFF)).await;
            }
        }
    }
}

/// Waits while there are `max.connections`.
async fn free_place(shared: &Shared) {
    while shared.connections_count() >= shared.limits().connections_max {
        // Registered before the count is looked at, so that no leave and no new limit is missed.
        let left = shared.left.notified();
        tokio::pin!(left);
        left.as_mut().enable();
        if shared.connections_count() < shared.limits().connections_max {
            return;
        }
        left.await;
    }
}

fn open(stream: Box<dyn Stream>, info: &Arc<ListenerInfo>, shared: &Arc<Shared>) {
    if let Some(hold) = shared.hold_of(stream.peer_addr().ip().to_canonical()) {
        shared.hold(stream, hold);
        return;
    }
    if let Some(tls) = &info.tls {
        return handshake::open(stream, tls, info, shared);
    }
    if let Some(http) = shared.handler.http() {
        return http_preface::open(stream, http, info, shared);
    }
    if let Some(connection) = shared.admit(stream, info) {
        // It ends with its stream, or when the server orders it to.
        shared.env.tasks.spawn("connection", Box::pin(connection)).detach();
    }
}

/// Errors that accept reports of the connection it would have given.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, InvalidInput,
        NetworkDown, NetworkUnreachable, NotConnected, TimedOut,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | InvalidInput
            | NetworkDown
            | NetworkUnreachable
            | NotConnected
            | TimedOut
    )
}
