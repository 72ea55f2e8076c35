//! All connections of all listeners: who is there, who is idle, and the end.
//! Shell.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use ottla_env::net::Stream;
use ottla_env::tasks::TaskHandle;
use ottla_env::{Env, Monotonic};
use ottla_quota::{AddressRateLimits, ConnectionRates};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::connection::{Connection, Control};
use crate::handler::{ConnectionInfo, Handler, ListenerInfo};
use crate::handshake::Handshakes;
use crate::memory_budget::MemoryBudget;
use crate::metrics::{CloseReason, NetworkMetrics, ThrottledBy};
use crate::settings::{ConnectionLimits, NetworkSettings};

/// Sockets that are held open because their address is too fast.
const HELD_MAX: usize = 1_000;
const TLS_IN_PLAINTEXT_LOG_INTERVAL: Duration = Duration::from_secs(60);

/// What every connection and listener has in common.
pub(crate) struct Shared {
    pub env: Env,
    pub settings: NetworkSettings,
    limits: ArcSwap<ConnectionLimits>,
    rates: Mutex<ConnectionRates>,
    /// Whether `rates` limits anything: nobody asks the clock otherwise.
    has_rates: AtomicBool,
    /// Connections that came too fast from their address and are not closed yet.
    held_count: AtomicUsize,
    pub handler: Arc<dyn Handler>,
    pub metrics: Arc<NetworkMetrics>,
    pub budget: Arc<MemoryBudget>,
    pub handshakes: Handshakes,
    /// Counts ticks; what connections stamp their activity with.
    pub tick: AtomicU64,
    pub stopping: watch::Sender<bool>,
    /// A connection closed, or there may be more of them.
    pub left: Notify,
    next_id: AtomicU64,
    present: Mutex<Present>,
    /// When a client that speaks TLS to a listener without was last told of.
    tls_in_plaintext: Mutex<Option<Monotonic>>,
}

#[derive(Default)]
struct Present {
    /// In their order: what befalls all of them befalls them in the same order each time.
    connections: BTreeMap<u64, Arc<Control>>,
    by_ip: HashMap<IpAddr, usize, foldhash::fast::RandomState>,
}

impl Shared {
    pub fn new(
        env: Env,
        settings: NetworkSettings,
        handler: Arc<dyn Handler>,
        metrics: Arc<NetworkMetrics>,
    ) -> Arc<Shared> {
        let shared = Arc::new(Shared {
            env,
            budget: MemoryBudget::new(settings.memory_budget_bytes),
            handshakes: Handshakes::new(settings.memory_budget_bytes),
            limits: ArcSwap::from_pointee(settings.limits.clone()),
            rates: Mutex::new(ConnectionRates::new(settings.quota_windows)),
            has_rates: AtomicBool::new(false),
            held_count: AtomicUsize::new(0),
            settings,
            handler,
            metrics,
            tick: AtomicU64::new(0),
            stopping: watch::Sender::new(false),
            left: Notify::new(),
            next_id: AtomicU64::new(1),
            present: Mutex::new(Present::default()),
            tls_in_plaintext: Mutex::new(None),
        });
        shared.set_limits(shared.settings.limits.clone());
        shared
    }

    pub fn connections_count(&self) -> usize {
        self.present.lock().connections.len()
    }

    /// How many connections there may be now.
    pub fn limits(&self) -> arc_swap::Guard<Arc<ConnectionLimits>> {
        self.limits.load()
    }

    /// Connections that are there stay, as in Kafka; who waits for a place looks again.
    pub fn set_limits(&self, limits: ConnectionLimits) {
        let rates = limits.creation_rates.clone();
        self.limits.store(Arc::new(limits));
        self.left.notify_waiters();
        self.change_rates(|known| known.set_limits(rates));
    }

    fn change_rates(&self, change: impl FnOnce(&mut ConnectionRates)) {
        let mut rates = self.rates.lock();
        change(&mut rates);
        self.has_rates.store(rates.is_on(), Ordering::Release);
    }

    /// A listener has a connection: how long it rests before it serves it (`ConnectionQuotas.inc`).
    pub fn rest_before(&self, listener: &str) -> Option<Duration> {
        if !self.has_rates.load(Ordering::Acquire) {
            return None;
        }
        let rest_ms = self.rates.lock().on_accept(listener, self.now_ms());
        let rest = u64::try_from(rest_ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis)?;
        self.metrics.on_throttle(ThrottledBy::Listener, rest);
        Some(rest)
    }

    /// How long a connection is held before it is closed, if its address makes them too fast.
    pub fn hold_of(&self, ip: IpAddr) -> Option<Duration> {
        if !self.has_rates.load(Ordering::Acquire) {
            return None;
        }
        let hold_ms = self.rates.lock().on_address(ip, self.now_ms())?;
        let hold = Duration::from_millis(hold_ms.max(0) as u64);
        self.metrics.on_throttle(ThrottledBy::Address, hold);
        Some(hold)
    }

    /// Keeps a socket open, and nothing else of it, so that its client does not come again at once. Of too many
    /// the rest is closed.
    pub fn hold(self: &Arc<Shared>, stream: Box<dyn Stream>, hold: Duration) {
        if self.held_count.fetch_add(1, Ordering::Relaxed) >= HELD_MAX {
            self.held_count.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let shared = Arc::clone(self);
        let work = async move {
            let end = shared.env.clock.monotonic().after(hold);
            let mut stopping = shared.stopping.subscribe();
            tokio::select! {
                biased;
                _stop = stopping.wait_for(|stop| *stop) => {}
                () = shared.env.clock.sleep_until(end) => {}
            }
            drop(stream);
            shared.held_count.fetch_sub(1, Ordering::Relaxed);
        };
        self.env.tasks.spawn("connection-held", Box::pin(work)).detach();
    }

    fn now_ms(&self) -> i64 {
        self.env.clock.monotonic().0.as_millis() as i64
    }

    /// Makes a connection of an accepted stream; `None` when its address has too many.
    pub fn admit(
        self: &Arc<Shared>,
        stream: Box<dyn Stream>,
        listener: &Arc<ListenerInfo>,
    ) -> Option<Connection> {
        let (info, control) = self.count_in(&*stream, listener)?;
        Some(Connection::new(stream, info, control, Arc::clone(self)))
    }

    /// Counts a connection, which `on_closed` must end; `None` when its address has too many.
    pub fn count_in(
        &self,
        stream: &dyn Stream,
        listener: &Arc<ListenerInfo>,
    ) -> Option<(Arc<ConnectionInfo>, Arc<Control>)> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let peer_addr = stream.peer_addr();
        let ip = peer_addr.ip().to_canonical();
        let control = Arc::new(Control::new(ip, self.tick.load(Ordering::Relaxed)));
        {
            let mut present = self.present.lock();
            let of_ip = present.by_ip.entry(ip).or_default();
            if *of_ip >= self.limits().connections_max_of(ip) {
                let count = *of_ip;
                if count == 0 {
                    present.by_ip.remove(&ip);
                }
                drop(present);
                self.metrics.rejected.inc();
                tracing::info!(
                    "Rejected connection from {ip}, address already has the configured maximum of {count} \
                     connections."
                );
                return None;
            }
            *of_ip += 1;
            present.connections.insert(id, Arc::clone(&control));
        }
        self.metrics.accepted.inc();
        self.metrics.connections.inc();
        let local_addr = stream.local_addr();
        let info = Arc::new(ConnectionInfo::new(id, Arc::clone(listener), peer_addr, local_addr));
        Some((info, control))
    }

    /// A client speaks TLS where there is none: said once a minute, since it will try again and again.
    pub fn on_tls_in_plaintext(&self, info: &ConnectionInfo) {
        let now = self.env.clock.monotonic();
        let mut said = self.tls_in_plaintext.lock();
        if said.is_none_or(|said| said.until(now) >= TLS_IN_PLAINTEXT_LOG_INTERVAL) {
            *said = Some(now);
            tracing::warn!(
                listener = info.listener.name,
                peer = %info.peer_addr,
                "TLS record on a {} listener: the client's security.protocol is not that of the listener",
                info.listener.protocol.name()
            );
        }
    }

    pub fn on_closed(&self, id: u64, ip: IpAddr, reason: CloseReason) {
        {
            let mut present = self.present.lock();
            present.connections.remove(&id);
            if let Some(of_ip) = present.by_ip.get_mut(&ip) {
                *of_ip -= 1;
                if *of_ip == 0 {
                    present.by_ip.remove(&ip);
                }
            }
        }
        self.metrics.connections.dec();
        self.metrics.closed(reason).inc();
        self.left.notify_waiters();
    }

    /// Every connection's control; collected, because a wake may close one and lock `present`.
    fn controls(&self) -> Vec<(u64, Arc<Control>)> {
        self.present.lock().connections.iter().map(|(id, control)| (*id, Arc::clone(control))).collect()
    }

    /// A tick has passed: closes idle connections, and one that stands in the way of all others.
    pub fn on_tick(&self) {
        let now = self.tick.fetch_add(1, Ordering::Relaxed) + 1;
        self.metrics.memory_bytes.set(self.budget.used_bytes() as i64);
        if let Some(trickling) = self.budget.on_tick() {
            let control = self.present.lock().connections.get(&trickling).cloned();
            if let Some(control) = control {
                tracing::debug!(
                    connection = trickling,
                    "closing: its frame arrives too slowly while memory is short"
                );
                control.close(CloseReason::Memory);
            }
        }
        let late: Vec<Arc<Control>> = {
            let present = self.present.lock();
            let is_late = |control: &&Arc<Control>| now >= control.login_tick.load(Ordering::Relaxed);
            present.connections.values().filter(is_late).cloned().collect()
        };
        for control in late {
            control.close(CloseReason::Authentication);
        }
        let Some(idle_ticks) = self.settings.idle_ticks() else { return };
        let idle: Vec<Arc<Control>> = {
            let present = self.present.lock();
            let is_idle = |control: &Control| {
                now.saturating_sub(control.active_tick.load(Ordering::Relaxed)) >= idle_ticks
            };
            present.connections.values().filter(|control| is_idle(control)).cloned().collect()
        };
        for control in idle {
            control.close(CloseReason::Idle);
        }
    }
}

/// The one timer of all connections.
async fn tick_loop(shared: Arc<Shared>) {
    let tick = shared.settings.tick();
    let mut next: Monotonic = shared.env.clock.monotonic().after(tick);
    let mut stopping = shared.stopping.subscribe();
    loop {
        tokio::select! {
            biased;
            _stop = stopping.wait_for(|stop| *stop) => return,
            () = shared.env.clock.sleep_until(next) => {}
        }
        next = next.after(tick);
        shared.on_tick();
    }
}

/// The listeners that serve. `shutdown` ends it; dropped without, it stops accepting, and its
/// connections end with their clients.
pub struct NetworkServer {
    shared: Arc<Shared>,
    /// Accept loops and the timer.
    tasks: Vec<TaskHandle>,
}

impl NetworkServer {
    pub(crate) fn start(shared: Arc<Shared>, mut tasks: Vec<TaskHandle>) -> NetworkServer {
        tasks.push(shared.env.tasks.spawn("network-tick", Box::pin(tick_loop(Arc::clone(&shared)))));
        NetworkServer { shared, tasks }
    }

    /// Connections that are open.
    pub fn connections_count(&self) -> usize {
        self.shared.connections_count()
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Changes how many connections there may be, for as long as the server is there.
    pub fn limits_setter(&self) -> impl Fn(ConnectionLimits) + Send + Sync + use<> {
        let shared = Arc::downgrade(&self.shared);
        move |limits| {
            if let Some(shared) = shared.upgrade() {
                shared.set_limits(limits);
            }
        }
    }

    /// Changes how fast connections may be made from single addresses.
    pub fn address_rates_setter(&self) -> impl Fn(AddressRateLimits) + Send + Sync + use<> {
        let shared = Arc::downgrade(&self.shared);
        move |limits| {
            if let Some(shared) = shared.upgrade() {
                shared.change_rates(|known| known.set_address_limits(limits));
            }
        }
    }

    /// Closes every connection that is there; new ones are taken as before.
    pub fn closer(&self) -> impl Fn() + Send + Sync + use<> {
        let shared = Arc::downgrade(&self.shared);
        move || {
            let controls = shared.upgrade().map(|shared| shared.controls()).unwrap_or_default();
            for (_id, control) in controls {
                control.close(CloseReason::CutOff);
            }
        }
    }

    /// Memory connections hold beyond what each may hold freely.
    pub fn memory_bytes(&self) -> usize {
        self.shared.budget.used_bytes()
    }

    /// Stops accepting, lets admitted requests be answered for at most `answers_wait`, and closes
    /// every connection. The listening sockets are closed when this returns.
    pub async fn shutdown(self, answers_wait: Duration) {
        self.shared.stopping.send_replace(true);
        for task in self.tasks {
            task.join().await;
        }
        for (_id, control) in self.shared.controls() {
            control.drain();
        }
        let clock = Arc::clone(&self.shared.env.clock);
        let deadline = clock.monotonic().after(answers_wait);
        tokio::select! {
            biased;
            () = all_left(&self.shared) => return,
            () = clock.sleep_until(deadline) => {}
        }
        for (_id, control) in self.shared.controls() {
            control.close(CloseReason::Shutdown);
        }
        all_left(&self.shared).await;
    }
}

async fn all_left(shared: &Shared) {
    loop {
        // Asked for before the count is looked at, so that no leave is missed.
        let left = shared.left.notified();
        tokio::pin!(left);
        left.as_mut().enable();
        if shared.connections_count() == 0 {
            return;
        }
        left.await;
    }
}
