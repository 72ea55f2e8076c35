//! Fetching from the leaders of what this broker follows: one task for each of them, which asks, applies, and asks again.
//! Shell over `fetch_plan` (what to ask) and `fetch_step` (what is done with an answer).
//!
//! A record is appended on the task: that is a write to the page cache, as of a producer's. What waits for the disk (a
//! cut, a new start of the log) is done on a thread that may.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use ottla_env::tasks::TaskHandle;
use ottla_env::{BoxFuture, Env};
use ottla_log::LogManager;
use ottla_metadata::BrokerEpoch;
use ottla_model::{BrokerId, LeaderEpoch};
use ottla_network::outgoing::{Nodes, Peer};
use ottla_protocol::messages::{FetchRequest, FetchResponse};
use parking_lot::Mutex;

use crate::fetch_plan::{Answered, FetchPlan, FetchSettings, Key, Next};
use crate::fetch_step::{Begun, Step, begin, finish};
use crate::partition::Partition;

/// How often a broker looks whether it is registered, which it is in a moment.
const REGISTRATION_LOOK: Duration = Duration::from_millis(20);

/// After a failed request beside the session.
const BESIDE_REST: Duration = Duration::from_millis(100);

/// What every fetcher needs.
pub(crate) struct FetcherRooms {
    pub env: Env,
    pub logs: Arc<LogManager>,
    pub nodes: Arc<dyn Nodes>,
    pub settings: FetchSettings,
    /// Of this broker's registration in this life.
    pub broker_epoch: BrokerEpoch,
}

/// All fetchers of this broker.
pub(crate) struct Fetchers {
    rooms: Arc<FetcherRooms>,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    fetchers: BTreeMap<BrokerId, Fetcher>,
    leaders: BTreeMap<Key, BrokerId>,
}

struct Fetcher {
    shared: Arc<Shared>,
    _task: TaskHandle,
}

/// A leader's plan, and the task that waits for it to change.
struct Shared {
    leader: BrokerId,
    plan: Mutex<FetchPlan>,
    waiting: Mutex<Changed>,
}

#[derive(Default)]
struct Changed {
    is_changed: bool,
    task: Option<Waker>,
}

impl Shared {
    fn notify(&self) {
        let task = {
            let mut waiting = self.waiting.lock();
            waiting.is_changed = true;
            waiting.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }

    async fn changed(&self) {
        std::future::poll_fn(|context| {
            let mut waiting = self.waiting.lock();
            if std::mem::take(&mut waiting.is_changed) {
                return Poll::Ready(());
            }
            waiting.task = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Fetchers {
    pub fn new(rooms: FetcherRooms) -> Fetchers {
        Fetchers { rooms: Arc::new(rooms), running: Mutex::default() }
    }

    /// The image says whom these partitions follow from now on, if anybody.
    pub fn assign(
        &self,
        partitions: impl IntoIterator<Item = (Arc<Partition>, Option<(BrokerId, LeaderEpoch)>)>,
    ) {
        let mut running = self.running.lock();
        let mut changed = Vec::new();
        for (partition, follows) in partitions {
            let key = (partition.topic_id, partition.index().0);
            let before = running.leaders.get(&key).copied();
            if let Some(before) = before.filter(|before| follows.is_none_or(|(leader, _)| leader != *before))
            {
                running.leaders.remove(&key);
                if let Some(fetcher) = running.fetchers.get(&before) {
                    fetcher.shared.plan.lock().unfollow(key);
                    changed.push(before);
                }
            }
            if let Some((leader, epoch)) = follows {
                running.leaders.insert(key, leader);
                let fetcher = running.fetchers.entry(leader).or_insert_with(|| self.start(leader));
                if fetcher.shared.plan.lock().follow(key, partition, epoch) {
                    changed.push(leader);
                }
            }
        }
        changed.sort_unstable();
        changed.dedup();
        for leader in changed {
            let Some(fetcher) = running.fetchers.get(&leader) else { continue };
            if fetcher.shared.plan.lock().is_empty() {
                // Its connection ends with it, and the session there.
                running.fetchers.remove(&leader);
            } else {
                fetcher.shared.notify();
            }
        }
    }

    fn start(&self, leader: BrokerId) -> Fetcher {
        let plan = Mutex::new(FetchPlan::new(self.rooms.settings));
        let shared = Arc::new(Shared { leader, plan, waiting: Mutex::default() });
        let work = run(self.rooms.clone(), shared.clone());
        let task = self.rooms.env.tasks.spawn("replica-fetcher", Box::pin(work));
        Fetcher { shared, _task: task }
    }

    pub fn stop(&self) {
        drop(std::mem::take(&mut *self.running.lock()));
    }
}

/// A way to the leader on which one request is under way at most.
struct Lane {
    name: &'static str,
    peer: Option<Peer>,
    call: Option<BoxFuture<'static, Result<FetchResponse, String>>>,
}

impl Lane {
    fn new(name: &'static str) -> Lane {
        Lane { name, peer: None, call: None }
    }

    fn ask(&mut self, rooms: &FetcherRooms, leader: BrokerId, request: FetchRequest) {
        if self.peer.is_none() {
            self.peer = rooms.nodes.dedicated(leader, self.name);
        }
        let peer = self.peer.clone();
        self.call = Some(Box::pin(async move {
            match peer {
                Some(peer) => peer.call(&request).await.map_err(|error| error.to_string()),
                None => Err("it is not registered".to_owned()),
            }
        }));
    }

    /// The answer; never, where nothing was asked.
    async fn answer(&mut self) -> Result<FetchResponse, String> {
        let answer = std::future::poll_fn(|context| match &mut self.call {
            Some(call) => call.as_mut().poll(context),
            None => Poll::Pending,
        })
        .await;
        self.call = None;
        if answer.is_err() {
            // It may have another address by the next time.
            self.peer = None;
        }
        answer
    }
}

/// Asks one leader, for as long as anything is followed there.
async fn run(rooms: Arc<FetcherRooms>, shared: Arc<Shared>) {
    let (mut session, mut beside) = (Lane::new("fetcher"), Lane::new("fetcher of newcomers"));
    let mut rests_until = rooms.env.clock.monotonic();
    let mut beside_rests_until = rests_until;
    loop {
        let now = rooms.env.clock.monotonic();
        let mut look_again = shared.plan.lock().wake_rested(now);
        place(&rooms, &shared);
        match rooms.broker_epoch.get() {
            // Nothing is fetched under the registration of an earlier life.
            None => look_again = Some(now.after(REGISTRATION_LOOK)),
            Some(_) if session.call.is_none() && now < rests_until => look_again = Some(rests_until),
            Some(broker_epoch) if session.call.is_none() => {
                let next = {
                    let mut plan = shared.plan.lock();
                    plan.hold_throttled(now);
                    plan.next(broker_epoch, now)
                };
                match next {
                    Next::Place => continue,
                    Next::Idle(until) => look_again = until,
                    Next::Fetch(request) => session.ask(&rooms, shared.leader, *request),
                }
            }
            Some(broker_epoch) if beside.call.is_none() && now >= beside_rests_until => {
                let request = {
                    let mut plan = shared.plan.lock();
                    plan.hold_throttled(now);
                    plan.beside(broker_epoch)
                };
                if let Some(request) = request {
                    beside.ask(&rooms, shared.leader, request);
                }
            }
            Some(_) => {}
        }
        let timer = look_again.map(|until| rooms.env.clock.sleep_until(until));
        tokio::select! {
            biased;
            answer = session.answer() => {
                let failed = match answer {
                    Ok(response) => {
                        let answered = shared.plan.lock().on_answer(response);
                        match answered {
                            Ok(answered) => apply(&rooms, &shared, answered).await.err(),
                            Err(code) => Some(format!("{code:?}")),
                        }
                    }
                    Err(why) => Some(why),
                };
                if let Some(why) = failed {
                    let wait = shared.plan.lock().on_no_answer();
                    tracing::debug!(leader = %shared.leader, why, "a fetch of replicas failed");
                    rests_until = rooms.env.clock.monotonic().after(wait);
                }
            }
            answer = beside.answer() => {
                if answer.is_err() {
                    // The session's next request has them, and is not far.
                    beside_rests_until = rooms.env.clock.monotonic().after(BESIDE_REST);
                }
                let answered = shared.plan.lock().on_answer_beside(answer.ok());
                if apply(&rooms, &shared, answered).await.is_err() {
                    return;
                }
            }
            () = shared.changed() => {}
            () = until(timer) => {}
        }
    }
}

/// Until the moment has come; for ever where there is none.
async fn until(timer: Option<BoxFuture<'static, ()>>) {
    match timer {
        Some(timer) => timer.await,
        None => std::future::pending().await,
    }
}

/// Looks where the logs of what is followed anew end.
fn place(rooms: &FetcherRooms, shared: &Shared) {
    let unplaced = shared.plan.lock().take_unplaced();
    for (key, partition, epoch) in unplaced {
        conclude(rooms, shared, Step::place(key, partition, epoch));
    }
}

/// Applies what the leader has answered. Fails when the broker stops.
async fn apply(rooms: &FetcherRooms, shared: &Shared, answered: Vec<Answered>) -> Result<(), String> {
    let wall_ms = rooms.env.clock.wall_ms();
    let mut blocking = Vec::new();
    for one in answered {
        match begin(one, wall_ms) {
            Begun::Made(step) => conclude(rooms, shared, step),
            Begun::Blocks(work) => blocking.push(work),
        }
    }
    if blocking.is_empty() {
        return Ok(());
    }
    let (sender, receiver) = tokio::sync::oneshot::channel();
    rooms.logs.run_blocking(Box::new(move || {
        let steps: Vec<Step> = blocking.into_iter().map(finish).collect();
        // The fetcher may have ended: what was done is done all the same.
        let _gone = sender.send(steps);
    }));
    for step in receiver.await.map_err(|_| "the broker is stopping".to_owned())? {
        conclude(rooms, shared, step);
    }
    Ok(())
}

fn conclude(rooms: &FetcherRooms, shared: &Shared, step: Step) {
    step.conclude(&mut shared.plan.lock(), rooms.env.clock.monotonic());
}
