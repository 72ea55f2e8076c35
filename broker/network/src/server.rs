//! All connections of all listeners: who is there, who is idle, and the end.
//! Shell.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use ottla_env::net::Stream;
use ottla_env::tasks::TaskHandle;
use ottla_env::{Env, Monotonic};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::connection::{Connection, Control};
use crate::handler::{ConnectionInfo, Handler, ListenerInfo};
use crate::memory_budget::MemoryBudget;
use crate::metrics::{CloseReason, NetworkMetrics};
use crate::settings::{ConnectionLimits, NetworkSettings};

/// What every connection and listener has in common.
pub(crate) struct Shared {
    pub env: Env,
    pub settings: NetworkSettings,
    limits: ArcSwap<ConnectionLimits>,
    pub handler: Arc<dyn Handler>,
    pub metrics: Arc<NetworkMetrics>,
    pub budget: Arc<MemoryBudget>,
    /// Counts ticks; what connections stamp their activity with.
    pub tick: AtomicU64,
    pub stopping: watch::Sender<bool>,
    /// A connection closed, or there may be more of them.
    pub left: Notify,
    next_id: AtomicU64,
    present: Mutex<Present>,
}

#[derive(Default)]
struct Present {
    connections: HashMap<u64, Arc<Control>, foldhash::fast::RandomState>,
    by_ip: HashMap<IpAddr, usize, foldhash::fast::RandomState>,
}

impl Shared {
    pub fn new(
        env: Env,
        settings: NetworkSettings,
        handler: Arc<dyn Handler>,
        metrics: Arc<NetworkMetrics>,
    ) -> Arc<Shared> {
        Arc::new(Shared {
            env,
            budget: MemoryBudget::new(settings.memory_budget_bytes),
            limits: ArcSwap::from_pointee(settings.limits.clone()),
            settings,
            handler,
            metrics,
            tick: AtomicU64::new(0),
            stopping: watch::Sender::new(false),
            left: Notify::new(),
            next_id: AtomicU64::new(1),
            present: Mutex::new(Present::default()),
        })
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
        self.limits.store(Arc::new(limits));
        self.left.notify_waiters();
    }

    /// Makes a connection of an accepted stream; `None` when its address has too many.
    pub fn admit(
        self: &Arc<Shared>,
        stream: Box<dyn Stream>,
        listener: &Arc<ListenerInfo>,
    ) -> Option<Connection> {
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
        Some(Connection::new(stream, info, control, Arc::clone(self)))
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
            control.close(CloseReason::Login);
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

    /// Changes how many connections there may be, for as long as the server is there.
    pub fn limits_setter(&self) -> impl Fn(ConnectionLimits) + Send + Sync + use<> {
        let shared = Arc::downgrade(&self.shared);
        move |limits| {
            if let Some(shared) = shared.upgrade() {
                shared.set_limits(limits);
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
