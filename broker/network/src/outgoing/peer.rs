//! A node that is dialled when it is needed, and again when it was lost.
//! Shell. The state is one of three: idle (perhaps resting after a failure), dialling, open.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::net::{DialOptions, Stream};
use ottla_env::tasks::TaskHandle;
use ottla_env::{BoxFuture, Env, Monotonic};
use ottla_protocol::Request;
use ottla_security::sasl::RANDOM_BYTES;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::link::Link;
use super::login::log_in;
use super::{Backoff, CallError, PeerSettings};
use crate::handshake::secure_dialled;

/// Connections in a row that the other node has closed without a word, before this is told.
const SILENT_ENDS_MAX: u32 = 20;

/// Who is not let in stays out until somebody changes a configuration: it asks less often than for a node that is away,
/// and is in so many of the longest waits after that.
const REFUSED_REST_TIMES: u32 = 5;

/// How often the time for a handshake and a login is doubled.
const LATE_MAX: u32 = 3;

/// Another node, by its address. Dropping the last clone closes its connection.
#[derive(Clone)]
pub struct Peer {
    shared: Arc<Shared>,
}

struct Shared {
    env: Env,
    host: String,
    port: u16,
    settings: PeerSettings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// Failed attempts since the last connection that was opened.
    failures: u32,
    /// Those of the last ones in which the node took the connection and did not come to an end in time.
    late: u32,
    /// Why the node did not let this one in, as it was said last.
    refusal: String,
    /// Who waits for the attempt that is under way.
    waiting: Vec<oneshot::Sender<Result<Link, CallError>>>,
    /// The attempt, or the open connection's task.
    task: Option<TaskHandle>,
}

#[derive(Default)]
enum Phase {
    #[default]
    Idle,
    /// Not dialled again before this moment.
    Resting(Monotonic),
    Dialling,
    Open(Link),
}

impl Peer {
    pub fn new(env: Env, host: String, port: u16, settings: PeerSettings) -> Peer {
        Peer { shared: Arc::new(Shared { env, host, port, settings, state: Mutex::default() }) }
    }

    /// Sends a request and waits for its answer, over the open connection or a new one.
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Response, CallError>
    where
        R::Response: 'static,
    {
        self.link().await?.call(request).await
    }

    /// The open connection; opened first if there is none. A node that could not be reached is dialled
    /// again when its backoff is over, and the caller waits for that.
    pub async fn link(&self) -> Result<Link, CallError> {
        let opened = {
            let mut state = self.shared.state.lock();
            let rests_until = match &state.phase {
                Phase::Open(link) if !link.is_closed() => return Ok(link.clone()),
                Phase::Resting(until) => Some(Some(*until)),
                Phase::Dialling => None,
                Phase::Idle | Phase::Open(_) => Some(None),
            };
            let (sender, opened) = oneshot::channel();
            state.waiting.push(sender);
            if let Some(rests_until) = rests_until {
                state.phase = Phase::Dialling;
                let time = self.shared.settings.setup_timeout * 2_u32.pow(state.late.min(LATE_MAX));
                state.task = Some(self.start_attempt(rests_until, time));
            }
            opened
        };
        opened
            .await
            .unwrap_or_else(|_gone| Err(CallError::Unreachable("it is not needed any more".to_owned())))
    }

    /// `time` is for the handshake and the login.
    fn start_attempt(&self, rests_until: Option<Monotonic>, time: Duration) -> TaskHandle {
        // Without the peer nobody needs the connection: its task holds no clone.
        let peer = Arc::downgrade(&self.shared);
        let (env, settings) = (self.shared.env.clone(), self.shared.settings.clone());
        let (host, port) = (self.shared.host.clone(), self.shared.port);
        let tasks = Arc::clone(&env.tasks);
        tasks.spawn(
            "peer",
            Box::pin(async move {
                if let Some(until) = rests_until {
                    env.clock.sleep_until(until).await;
                }
                let opened = open(&env, &host, port, &settings, time).await;
                let Some(peer) = peer.upgrade() else { return };
                match opened {
                    Ok((link, task)) => {
                        peer.on_open(link);
                        drop(peer);
                        task.await;
                    }
                    Err(failed) => peer.on_failure(&failed),
                }
            }),
        )
    }
}

/// Why an attempt came to nothing.
struct Failed {
    error: CallError,
    /// After how many failures in a row it is told: the node is there and doesn't speak with this one as it is
    /// configured, which lasts until somebody changes that. `None` where the node is only away.
    told_after: Option<u32>,
    /// The node is there and slow. The next attempt gets more time: handshakes that are given up and begun anew all the
    /// time keep the nodes of a loaded machine from ever coming to an end of one (KIP-601).
    is_late: bool,
}

impl Failed {
    fn away(why: &dyn std::fmt::Display) -> Failed {
        Failed { error: CallError::Unreachable(why.to_string()), told_after: None, is_late: false }
    }

    fn refusal(why: &dyn std::fmt::Display) -> Failed {
        Failed { told_after: Some(1), ..Failed::away(why) }
    }
}

/// Agrees on versions and, where the other node wants to know, says who this one is.
async fn introduce(env: &Env, link: Link, settings: &PeerSettings) -> Result<Link, CallError> {
    let link = if settings.agrees_on_versions { link.agree().await? } else { link.presume() };
    if let Some(login) = &settings.login {
        let mut random = [0; RANDOM_BYTES];
        env.rng.fill(&mut random);
        log_in(&link, login, random).await?;
    }
    Ok(link)
}

/// As a peer does it, over a stream that was dialled. The future must run beside the link, and ends with it.
pub async fn introduce_over(
    env: &Env,
    stream: Box<dyn Stream>,
    host: &str,
    settings: &PeerSettings,
) -> Result<(Link, BoxFuture<'static, ()>), CallError> {
    let (link, task) = open_over(env, stream, host, settings).await.map_err(|failed| failed.error)?;
    Ok((link, Box::pin(task)))
}

/// Dials, agrees on versions and logs in. The link's task runs only as long as this is polled, and is handed on
/// with it.
async fn open(
    env: &Env,
    host: &str,
    port: u16,
    settings: &PeerSettings,
    time: Duration,
) -> Result<(Link, super::link::LinkTask), Failed> {
    const LATE: &str = "no answer came in time";
    let options = DialOptions { buffers: settings.buffers, silence_max: settings.silence_max };
    let stream = tokio::select! {
        biased;
        stream = env.net.dial(host, port, options) => stream.map_err(|error| Failed::away(&error))?,
        () = env.clock.sleep_until(env.clock.monotonic().after(settings.setup_timeout)) => {
            return Err(Failed::away(&LATE));
        }
    };
    tokio::select! {
        biased;
        opened = open_over(env, stream, host, settings) => opened,
        () = env.clock.sleep_until(env.clock.monotonic().after(time)) => {
            Err(Failed { is_late: true, ..Failed::away(&LATE) })
        }
    }
}

async fn open_over(
    env: &Env,
    stream: Box<dyn Stream>,
    host: &str,
    settings: &PeerSettings,
) -> Result<(Link, super::link::LinkTask), Failed> {
    let stream = match &settings.tls {
        None => stream,
        Some(tls) => {
            let refused = |error: &dyn std::fmt::Display| Failed::refusal(&format!("TLS: {error}"));
            let stream = tls.connect(stream, host).map_err(|error| refused(&error))?;
            secure_dialled(stream).await.map_err(|error| refused(&error))?
        }
    };
    let (link, mut task) = Link::over(stream, Arc::clone(&env.clock), settings.clone());
    if !settings.agrees_on_versions && settings.login.is_none() {
        return Ok((link, task));
    }
    let mut introduced = pin!(introduce(env, link.clone(), settings));
    let introduced = tokio::select! {
        biased;
        introduced = &mut introduced => introduced,
        // What the other node said last, it said before it closed: a refusal has its reason there.
        () = &mut task => introduced.await,
    };
    match introduced {
        Ok(link) => Ok((link, task)),
        Err(error @ CallError::Lost(_)) => {
            // Nodes that start or stop close connections too.
            let why = format!("{error} (does its listener speak {}?)", spoken(settings));
            Err(Failed { told_after: Some(SILENT_ENDS_MAX), ..Failed::away(&why) })
        }
        Err(error) => Err(Failed::refusal(&error)),
    }
}

/// How this node speaks, for those who compare it with what the other one expects.
fn spoken(settings: &PeerSettings) -> &'static str {
    match (&settings.tls, &settings.login) {
        (None, None) => "PLAINTEXT",
        (Some(_), None) => "SSL",
        (None, Some(_)) => "SASL_PLAINTEXT",
        (Some(_), Some(_)) => "SASL_SSL",
    }
}

impl Shared {
    fn on_open(&self, link: Link) {
        let waiting = {
            let mut state = self.state.lock();
            assert!(matches!(state.phase, Phase::Dialling), "one attempt at a time");
            (state.failures, state.late) = (0, 0);
            state.refusal = String::new();
            state.phase = Phase::Open(link.clone());
            std::mem::take(&mut state.waiting)
        };
        for one in waiting {
            let _given_up = one.send(Ok(link.clone()));
        }
    }

    fn on_failure(&self, Failed { error, told_after, is_late }: &Failed) {
        let (waiting, failures, is_new) = {
            let mut state = self.state.lock();
            assert!(matches!(state.phase, Phase::Dialling), "one attempt at a time");
            state.failures = state.failures.saturating_add(1);
            state.late = if *is_late { state.late.saturating_add(1) } else { 0 };
            let is_told = told_after.is_some_and(|count| state.failures >= count);
            let Backoff { min, max } = self.settings.backoff;
            let max = if is_told { max * REFUSED_REST_TIMES } else { max };
            let wait = Backoff { min, max }.wait(state.failures, self.env.rng.next_u64());
            state.phase = Phase::Resting(self.env.clock.monotonic().after(wait));
            let is_new = is_told && state.refusal != error.to_string();
            if is_new {
                state.refusal = error.to_string();
            }
            (std::mem::take(&mut state.waiting), state.failures, is_new)
        };
        // Once for each reason: it stays until somebody changes a configuration.
        if is_new {
            tracing::warn!(host = self.host, port = self.port, %error, "a node does not let this one in");
        }
        tracing::debug!(host = self.host, port = self.port, failures, %error, "a node cannot be reached");
        for one in waiting {
            let _given_up = one.send(Err(error.clone()));
        }
    }
}
