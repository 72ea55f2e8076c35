//! The TLS handshake of an accepted connection: before it is over nothing else is taken from the client.
//! Shell.
//!
//! Invariants:
//! - H1. It ends within `HANDSHAKE_MS_MAX`, whatever the client does.
//! - H2. `HANDSHAKES_COMPUTED_AT_ONCE` are worked on at once; the others wait for their turn, and only after
//!   their bytes have come: a silent client is in nobody's way.
//! - H3. All handshakes together hold at most their share of the memory budget. When half of it is gone, one that
//!   holds more than `MODEST_BYTES` is closed: that is more than a client with an honest chain needs.
//! - H4. A client that failed is told by an alert, and closed after
//!   `connection.failed.authentication.delay.ms` (KIP-306).

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ottla_env::net::Stream;
use ottla_model::limits::{HANDSHAKE_MS_MAX, HANDSHAKES_BUDGET_SHARE, HANDSHAKES_COMPUTED_AT_ONCE};
use ottla_security::Identity;
use ottla_security::tls::{Handshake, TlsListener, TlsStream};
use tokio::sync::Semaphore;

use crate::connection::{Connection, Control};
use crate::handler::{ConnectionInfo, ListenerInfo};
use crate::metrics::CloseReason;
use crate::server::Shared;

const MODEST_BYTES: usize = 16 * 1024;
/// A failed handshake is logged at most this often; the others are counted.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// What all handshakes have in common.
pub(crate) struct Handshakes {
    turns: Semaphore,
    held_bytes: AtomicUsize,
    held_bytes_max: usize,
    /// When a failure was logged last, in milliseconds of the steady clock, and how many were not since.
    logged_ms: AtomicU64,
    unlogged: AtomicU64,
}

impl Handshakes {
    pub fn new(memory_budget_bytes: usize) -> Handshakes {
        Handshakes {
            turns: Semaphore::new(HANDSHAKES_COMPUTED_AT_ONCE),
            held_bytes: AtomicUsize::new(0),
            held_bytes_max: memory_budget_bytes / HANDSHAKES_BUDGET_SHARE,
            logged_ms: AtomicU64::new(0),
            unlogged: AtomicU64::new(0),
        }
    }

    #[cfg(test)]
    pub fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// How many failures were not logged since the last that was; nothing when this one is not either.
    fn may_log(&self, now: Duration) -> Option<u64> {
        let now = (now.as_millis() as u64).max(1);
        let logged = self.logged_ms.load(Ordering::Relaxed);
        let is_time = logged == 0 || now >= logged + LOG_INTERVAL.as_millis() as u64;
        let wins =
            || self.logged_ms.compare_exchange(logged, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_time && wins() {
            return Some(self.unlogged.swap(0, Ordering::Relaxed));
        }
        self.unlogged.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// What one handshake holds; given back when dropped.
struct Held<'a> {
    handshakes: &'a Handshakes,
    bytes: usize,
}

impl Held<'_> {
    /// False when there is no room for this one any more.
    fn grow_to(&mut self, bytes: usize) -> bool {
        assert!(bytes >= self.bytes, "a handshake gives nothing back before it ends");
        let before = self.handshakes.held_bytes.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        let all = before + bytes - self.bytes;
        self.bytes = bytes;
        let max = self.handshakes.held_bytes_max;
        all <= max && (bytes <= MODEST_BYTES || all <= max / 2)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.handshakes.held_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A connection that is counted, and has not yet got its task's `Connection`.
struct Admission {
    info: Arc<ConnectionInfo>,
    control: Arc<Control>,
    shared: Arc<Shared>,
    closed: CloseReason,
    is_handed_on: bool,
}

impl Drop for Admission {
    fn drop(&mut self) {
        if !self.is_handed_on {
            self.shared.on_closed(self.info.id, self.control.ip, self.closed);
        }
    }
}

/// Why a handshake came to nothing.
enum Failed {
    /// The client went away without a word.
    Gone,
    /// The server ordered it.
    Ordered(CloseReason),
    Refused(String),
}

/// Opens a connection of a listener under TLS. Its task ends with its stream or when the server orders it to.
pub(crate) fn open(
    stream: Box<dyn Stream>,
    tls: &Arc<TlsListener>,
    info: &Arc<ListenerInfo>,
    shared: &Arc<Shared>,
) {
    let Some((info, control)) = shared.count_in(&*stream, info) else { return };
    let shared = Arc::clone(shared);
    // What it is when the task is dropped with the runtime.
    let closed = CloseReason::Shutdown;
    let tasks = Arc::clone(&shared.env.tasks);
    let admission = Admission { info, control, shared, closed, is_handed_on: false };
    match tls.accept(stream) {
        Ok(stream) => tasks.spawn("connection", Box::pin(serve(stream, admission))).detach(),
        Err(error) => tracing::warn!(%error, "a connection cannot be put under TLS"),
    }
}

/// One connection under TLS, from its first byte to its last.
async fn serve(mut stream: TlsStream, mut admission: Admission) {
    let shared = Arc::clone(&admission.shared);
    match secure(&mut stream, &admission).await {
        Ok(()) => {
            shared.metrics.tls_handshakes.inc();
            admission.is_handed_on = true;
            let (info, control) = (Arc::clone(&admission.info), Arc::clone(&admission.control));
            Connection::new(Box::new(stream), info, control, shared).await;
        }
        Err(failed) => {
            admission.closed = on_failure(&failed, &admission);
            if let Failed::Refused(_) = failed {
                farewell(&mut stream, &admission).await;
            }
        }
    }
}

/// Runs the handshake, and says who the client is.
async fn secure(stream: &mut TlsStream, admission: &Admission) -> Result<(), Failed> {
    let shared = &*admission.shared;
    let clock = &shared.env.clock;
    let deadline = clock.sleep_until(clock.monotonic().after_ms(HANDSHAKE_MS_MAX));
    tokio::select! {
        biased;
        reason = admission.control.ordered() => return Err(Failed::Ordered(reason)),
        done = shake(stream, shared) => done?,
        () = deadline => {
            return Err(Failed::Refused(format!("it was not over after {HANDSHAKE_MS_MAX} ms")));
        }
    }
    // With SASL the certificate is for the transport alone.
    if admission.info.listener.protocol.has_sasl() {
        return Ok(());
    }
    if let Some(principal) = stream.principal().map_err(Failed::Refused)? {
        admission.info.authenticate(Arc::new(Identity::without_sasl(principal)));
    }
    Ok(())
}

async fn shake(stream: &mut TlsStream, shared: &Shared) -> Result<(), Failed> {
    let handshakes = &shared.handshakes;
    let mut held = Held { handshakes, bytes: 0 };
    loop {
        let step = poll_fn(|context| stream.poll_handshake(context)).await;
        match step.map_err(|_gone| Failed::Gone)? {
            Handshake::Done => return Ok(()),
            Handshake::MustCompute => {
                if !held.grow_to(stream.handshake_bytes()) {
                    return Err(Failed::Refused("handshakes hold too much memory".to_owned()));
                }
                let _turn = handshakes.turns.acquire().await;
                stream.compute().map_err(|error| Failed::Refused(error.to_string()))?;
            }
        }
    }
}

/// Counts and logs; the reason of the close.
fn on_failure(failed: &Failed, admission: &Admission) -> CloseReason {
    let shared = &*admission.shared;
    let why = match failed {
        Failed::Ordered(reason) => return *reason,
        Failed::Gone => "the client closed the connection",
        Failed::Refused(why) => why,
    };
    shared.metrics.tls_handshake_failures.inc();
    let info = &admission.info;
    match shared.handshakes.may_log(shared.env.clock.monotonic().0) {
        Some(unlogged) => tracing::info!(
            listener = info.listener.name,
            peer = %info.peer_addr,
            unlogged,
            "Failed authentication (SSL handshake failed): {why}"
        ),
        None => {
            tracing::debug!(peer = %info.peer_addr, "Failed authentication (SSL handshake failed): {why}")
        }
    }
    CloseReason::Authentication
}

/// Lets the alert out, and holds the connection for as long as a failed one is held.
async fn farewell(stream: &mut TlsStream, admission: &Admission) {
    let shared = &*admission.shared;
    let clock = &shared.env.clock;
    let delay = Duration::from_millis(shared.settings.failed_authentication_delay_ms);
    let until = clock.sleep_until(clock.monotonic().after(delay));
    tokio::select! {
        biased;
        _reason = admission.control.ordered() => {}
        () = poll_fn(|context| stream.poll_farewell(context)) => {}
        () = until => {}
    }
}

/// Puts a stream that was dialled under TLS.
pub(crate) async fn secure_dialled(mut stream: TlsStream) -> io::Result<Box<dyn Stream>> {
    loop {
        match poll_fn(|context| stream.poll_handshake(context)).await? {
            Handshake::Done => return Ok(Box::new(stream)),
            // The alert leaves when the stream is dropped.
            Handshake::MustCompute => stream.compute()?,
        }
    }
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
