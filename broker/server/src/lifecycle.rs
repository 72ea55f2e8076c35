//! Keeps this broker registered with the active controller, wherever that is, and lets it stop in order.
//! Shell: one task around `BrokerLifecycle`. A node that is alone has none; its controller registers it itself.

use std::sync::Arc;
use std::time::Duration;

use ottla_config::{BrokerConfig, DynamicBrokerConfig};
use ottla_env::clock::Monotonic;
use ottla_env::tasks::TaskHandle;
use ottla_env::{BoxFuture, Env};
use ottla_log::LogManager;
use ottla_metadata::controller::features::{CORDONED_LOG_DIRS, METADATA_VERSION};
use ottla_metadata::{
    ApiError, BrokerEpoch, BrokerLifecycle, ControllerChannel, Feature, Image, Leadership, LogDirs, Metadata,
    OperationError, Registration, Step,
};
use ottla_model::{BrokerId, ErrorCode};
use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

/// How long a broker that stops waits for a controller where none is known.
const NOBODY_TO_ASK: Duration = Duration::from_secs(1);

/// What the broker is to the cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Not registered, or fenced.
    Joining,
    Serving,
    Gone,
}

/// What a broker that joins a cluster has.
pub struct Joining<'a> {
    pub env: &'a Env,
    pub config: &'a BrokerConfig,
    /// In force while this broker runs.
    pub dynamic_config: &'a Arc<DynamicBrokerConfig>,
    pub cluster_id: &'a str,
    /// Its directories are in the order of `logs`.
    pub registration: &'a Registration,
    pub features: &'a [Feature],
    pub logs: &'a Arc<LogManager>,
    pub metadata: &'a Arc<Metadata>,
    pub controller: Arc<dyn ControllerChannel>,
    /// Where the epoch is published.
    pub broker_epoch: BrokerEpoch,
    /// Changes when a log directory has failed.
    pub dir_failures: watch::Receiver<usize>,
}

pub struct Lifecycle {
    env: Env,
    logs: Arc<LogManager>,
    broker_epoch: BrokerEpoch,
    phase: watch::Receiver<Phase>,
    stop: watch::Sender<bool>,
    leaders: watch::Receiver<Leadership>,
    task: Mutex<Option<TaskHandle>>,
    patience: Duration,
}

impl Lifecycle {
    /// Begins to register.
    pub fn start(joining: Joining<'_>) -> Lifecycle {
        let Joining { env, config, logs, metadata, registration, features, .. } = joining;
        let ms = |ms: i64| Duration::from_millis(ms.max(1) as u64);
        let life = BrokerLifecycle::new(
            BrokerId(config.node_id),
            joining.cluster_id,
            registration,
            features,
            logs.previous_broker_epoch(),
            ms(config.broker_heartbeat_interval_ms),
        );
        let (phase, seen) = watch::channel(Phase::Joining);
        let (stop, stops) = watch::channel(false);
        let turn = Turn {
            env: env.clone(),
            metadata: metadata.clone(),
            controller: joining.controller,
            logs: logs.clone(),
            log_dirs: registration.log_dirs.clone(),
            cordoned: cordoned_dirs(joining.dynamic_config, &registration.log_dirs),
            broker_epoch: joining.broker_epoch.clone(),
            // Whoever does not answer must not cost the session (KAFKA-14392).
            request_timeout: ms(config.broker_session_timeout_ms / 2),
            leaders: metadata.leadership_changes(),
            life,
            phase,
            stops,
            dir_failures: joining.dir_failures,
            is_stopping: false,
            last_error: None,
        };
        let task = env.tasks.spawn("broker-lifecycle", Box::pin(turn.run()));
        Lifecycle {
            env: env.clone(),
            logs: logs.clone(),
            broker_epoch: joining.broker_epoch,
            phase: seen,
            stop,
            leaders: metadata.leadership_changes(),
            task: Mutex::new(Some(task)),
            patience: ms(config.initial_broker_registration_timeout_ms),
        }
    }

    /// Waits until this broker serves; says whether it did within `initial.broker.registration.timeout.ms`.
    pub async fn until_serving(&self) -> bool {
        self.until(|phase| phase == Phase::Serving, self.patience).await
    }

    /// Asks the controller to let this broker go: its partitions are led elsewhere first. Says whether it was granted in
    /// time, and while there was somebody to ask; the broker stops in any case.
    pub async fn stop(&self, within: Duration) -> bool {
        self.stop.send_replace(true);
        let nobody_leads = async {
            let mut leaders = self.leaders.clone();
            loop {
                // The sender is gone where the controller here leads alone.
                if leaders.wait_for(|leadership| leadership.leader.is_none()).await.is_err() {
                    return std::future::pending::<()>().await;
                }
                let deadline = self.env.clock.monotonic().after(NOBODY_TO_ASK);
                tokio::select! {
                    biased;
                    led = leaders.wait_for(|leadership| leadership.leader.is_some()) => {
                        if led.is_err() {
                            return;
                        }
                    }
                    () = self.env.clock.sleep_until(deadline) => return,
                }
            }
        };
        let is_granted = tokio::select! {
            biased;
            is_gone = self.until(|phase| phase == Phase::Gone, within) => is_gone,
            () = nobody_leads => false,
        };
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
        if let Some(epoch) = self.broker_epoch.get() {
            self.logs.set_broker_epoch(epoch);
        }
        is_granted
    }

    async fn until(&self, is_it: impl Fn(Phase) -> bool, within: Duration) -> bool {
        let mut phase = self.phase.clone();
        let deadline = self.env.clock.monotonic().after(within);
        tokio::select! {
            biased;
            seen = phase.wait_for(|phase| is_it(*phase)) => seen.is_ok(),
            () = self.env.clock.sleep_until(deadline) => false,
        }
    }
}

/// Tells of these directories, in the order of `log.dirs`, which are cordoned.
fn cordoned_dirs(config: &Arc<DynamicBrokerConfig>, log_dirs: &[Uuid]) -> watch::Receiver<Vec<Uuid>> {
    let (tell, cordoned) = watch::channel(config.current().cordoned_of(log_dirs));
    let log_dirs = log_dirs.to_vec();
    config.follow(move |config| {
        let now = config.cordoned_of(&log_dirs);
        tell.send_if_modified(|known| {
            let is_new = *known != now;
            *known = now;
            is_new
        });
    });
    cordoned
}

/// Waits for a change, for ever where none can come any more.
async fn change_of<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What became of a request.
enum Outcome<R> {
    Answered(Result<R, ErrorCode>),
    /// Something else happened first; what is on its way is given up.
    Interrupted,
}

/// What does not let a broker wait.
enum Event {
    Stop,
    NewController,
    /// There is something to tell the controller.
    News,
}

struct Turn {
    env: Env,
    metadata: Arc<Metadata>,
    controller: Arc<dyn ControllerChannel>,
    logs: Arc<LogManager>,
    log_dirs: Vec<Uuid>,
    /// Those of them that take no new replicas.
    cordoned: watch::Receiver<Vec<Uuid>>,
    broker_epoch: BrokerEpoch,
    request_timeout: Duration,
    life: BrokerLifecycle,
    phase: watch::Sender<Phase>,
    leaders: watch::Receiver<Leadership>,
    stops: watch::Receiver<bool>,
    dir_failures: watch::Receiver<usize>,
    is_stopping: bool,
    /// So that a refusal that is repeated is logged once.
    last_error: Option<ErrorCode>,
}

impl Turn {
    async fn run(mut self) {
        loop {
            let now = self.now();
            let image = self.metadata.image().clone();
            let log_dirs = self.log_dirs(&image);
            match self.life.step(now, image.metadata_offset(), log_dirs) {
                Step::Register(request) => {
                    let answer = self.controller.register_broker(*request);
                    if let Outcome::Answered(answer) = self.ask(answer, |answer| answer.error_code).await {
                        self.note("register", answer.as_ref().err().copied());
                        let now = self.now();
                        self.life.on_registration(now, answer.map(|answer| answer.broker_epoch));
                    }
                }
                Step::Heartbeat(request) => {
                    let answer = self.controller.heartbeat(*request);
                    if let Outcome::Answered(answer) = self.ask(answer, |answer| answer.error_code).await {
                        self.note("send a heartbeat", answer.as_ref().err().copied());
                        let now = self.now();
                        self.life.on_heartbeat(now, answer);
                    }
                }
                Step::Wait(until) => {
                    let until = self.env.clock.sleep_until(until);
                    self.first(until).await;
                }
                Step::Gone => break,
            }
            self.publish();
        }
        self.publish();
        self.phase.send_replace(Phase::Gone);
    }

    fn log_dirs(&mut self, image: &Image) -> LogDirs {
        let offline = self.logs.offline_dirs().into_iter();
        let knows_cordoned = image.feature_level(METADATA_VERSION) >= CORDONED_LOG_DIRS;
        LogDirs {
            offline: offline.filter_map(|place| self.log_dirs.get(place).copied()).collect(),
            cordoned: knows_cordoned.then(|| self.cordoned.borrow_and_update().clone()),
        }
    }

    fn now(&self) -> Monotonic {
        self.env.clock.monotonic()
    }

    fn publish(&self) {
        self.broker_epoch.set(self.life.epoch());
        let phase = if self.life.is_serving() { Phase::Serving } else { Phase::Joining };
        self.phase.send_if_modified(|known| std::mem::replace(known, phase) != phase);
    }

    /// Waits for an answer, but not for that of a controller that leads no more (KAFKA-14392).
    async fn ask<R>(
        &mut self,
        answer: BoxFuture<'static, Result<R, OperationError>>,
        code: impl Fn(&R) -> i16,
    ) -> Outcome<R> {
        let deadline = self.now().after(self.request_timeout);
        let timeout = self.env.clock.sleep_until(deadline);
        let answered = async {
            tokio::select! {
                biased;
                answer = answer => answer,
                () = timeout => Err(OperationError::Refused(ApiError::bare(ErrorCode::RequestTimedOut))),
            }
        };
        let Some(answer) = self.first(answered).await else { return Outcome::Interrupted };
        Outcome::Answered(match answer {
            Ok(response) => match code(&response) {
                0 => Ok(response),
                other => Err(ErrorCode::from_code(other).unwrap_or(ErrorCode::UnknownServerError)),
            },
            Err(OperationError::Refused(error)) => Err(error.error),
            Err(OperationError::Commit(_) | OperationError::Stopping) => Err(ErrorCode::NotController),
        })
    }

    /// Waits for `work`, unless another controller leads, this broker is to stop or there is something to tell of its log
    /// directories first: then there is nothing.
    async fn first<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let Turn { leaders, stops, dir_failures, cordoned, is_stopping, .. } = self;
        let leads = async {
            while leaders.changed().await.is_ok() {
                if leaders.borrow_and_update().leader.is_some() {
                    return;
                }
            }
            // The controller here has ended, and tells nothing any more.
            std::future::pending::<()>().await;
        };
        let stop = async {
            if *is_stopping || stops.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let news = async {
            tokio::select! {
                biased;
                () = change_of(dir_failures) => {}
                () = change_of(cordoned) => {}
            }
        };
        let event = tokio::select! {
            biased;
            () = stop => Event::Stop,
            () = leads => Event::NewController,
            () = news => Event::News,
            done = work => return Some(done),
        };
        let now = self.now();
        match event {
            Event::Stop => {
                self.is_stopping = true;
                self.life.on_stop(now);
            }
            Event::NewController => self.life.on_new_controller(now),
            Event::News => self.life.on_news(now),
        }
        None
    }

    fn note(&mut self, what: &str, error: Option<ErrorCode>) {
        if error.is_some() && error != self.last_error {
            let error = error.map(|error| error.to_string()).unwrap_or_default();
            tracing::warn!("this broker could not {what}: {error}");
        }
        self.last_error = error;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};

    use ottla_env::memory::{self, MemoryClock};
    use ottla_log::LogManagerSettings;
    use ottla_metadata::MetadataOptions;
    use ottla_protocol::StrBytes;
    use ottla_protocol::messages::CreateTopicsRequest;
    use ottla_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};

    struct World {
        env: Env,
        clock: Arc<MemoryClock>,
        metadata: Arc<Metadata>,
        features: Vec<Feature>,
        config: BrokerConfig,
    }

    /// Broker 1 with the controller; broker 2 is about to join.
    fn world() -> World {
        let clock = Arc::new(MemoryClock::new(1_700_000_000_000));
        let env = Env { clock: clock.clone(), ..memory::env(1) };
        let features = crate::settings::features();
        let options = MetadataOptions {
            logs: None,
            cluster_id: "cluster".to_owned(),
            config: BrokerConfig::defaults(),
            features: features.clone(),
            first_users: Vec::new(),
            sync: true,
            unclean_stop: false,
            accept_loss: false,
            quorum: None,
        };
        let metadata = Metadata::open(&env, options).expect("it opens");
        metadata.start(&registration(1)).expect("it starts");
        World { env, clock, metadata, features, config: config(&[]) }
    }

    fn config(more: &[(&str, &str)]) -> BrokerConfig {
        let given = [("node.id", "2")].iter().chain(more);
        let given: Vec<_> = given.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        ottla_config::load(None, &[], &given).expect("a valid configuration").0
    }

    fn registration(id: u128) -> Registration {
        Registration {
            log_dirs: vec![Uuid::from_u128(500 + id)],
            incarnation_id: Uuid::from_u128(id),
            ..Registration::default()
        }
    }

    fn logs(env: &Env) -> Arc<LogManager> {
        let settings =
            LogManagerSettings { flusher_threads: 0, is_background_on: false, ..Default::default() };
        LogManager::open(env.clone(), vec![PathBuf::from("/two")], settings).expect("the directory opens").0
    }

    /// Also where a test fails.
    struct StopsTime<'a>(&'a AtomicBool);

    impl Drop for StopsTime<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }

    impl World {
        fn join(&self, logs: &Arc<LogManager>, incarnation: u128) -> Lifecycle {
            let config = Arc::new(DynamicBrokerConfig::new(self.config.clone()));
            self.join_with(logs, incarnation, &config)
        }

        fn join_with(
            &self,
            logs: &Arc<LogManager>,
            incarnation: u128,
            dynamic_config: &Arc<DynamicBrokerConfig>,
        ) -> Lifecycle {
            let registration =
                Registration { incarnation_id: Uuid::from_u128(incarnation), ..registration(2) };
            Lifecycle::start(Joining {
                env: &self.env,
                config: &self.config,
                dynamic_config,
                cluster_id: "cluster",
                registration: &registration,
                features: &self.features,
                logs,
                metadata: &self.metadata,
                controller: self.metadata.clone(),
                broker_epoch: BrokerEpoch::default(),
                dir_failures: tokio::sync::watch::Sender::new(0).subscribe(),
            })
        }

        /// Time goes on until the future is there.
        fn run<T>(&self, future: impl Future<Output = T>) -> T {
            let is_done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !is_done.load(Ordering::Acquire) {
                        self.clock.advance(Duration::from_millis(1));
                        std::thread::yield_now();
                    }
                });
                let _stops_time = StopsTime(&is_done);
                let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                runtime.block_on(future)
            })
        }
    }

    #[test]
    fn a_broker_joins_stops_in_order_and_says_at_its_next_start_under_which_epoch() {
        let world = world();
        let logs_of_first = logs(&world.env);
        let first = world.join(&logs_of_first, 20);
        assert!(world.run(first.until_serving()));
        let broker = world.metadata.image().broker(BrokerId(2)).expect("it is registered").clone();
        assert_eq!((broker.fenced, Some(broker.broker_epoch)), (false, first.broker_epoch.get()));

        // It leads a partition, and must hand it over before it goes.
        let assignment = CreatableReplicaAssignment::default().with_broker_ids(vec![2.into(), 1.into()]);
        let topic = CreatableTopic::default()
            .with_name(StrBytes::from_static_str("t").into())
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments(vec![assignment]);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]);
        let made = world.run(world.metadata.create_topics(request)).expect("an answer");
        assert_eq!(made.topics[0].error_code, 0);
        assert!(world.run(first.stop(Duration::from_secs(600))));
        let image = world.metadata.image().clone();
        let partition = image.topic("t").expect("the topic").partitions[0].clone();
        assert_eq!(partition.leader, Some(BrokerId(1)));
        assert!(image.broker(BrokerId(2)).is_some_and(|broker| broker.fenced));
        logs_of_first.clean_shutdown();

        let logs_of_second = logs(&world.env);
        assert_eq!(logs_of_second.previous_broker_epoch(), Some(broker.broker_epoch));
        let second = world.join(&logs_of_second, 21);
        assert!(world.run(second.until_serving()));
        assert!(second.broker_epoch.get() > first.broker_epoch.get());
        // A kill leaves no mark from here on.
        assert!(!world.env.disk.exists(&PathBuf::from("/two/.kafka_cleanshutdown")));
        world.run(second.stop(Duration::from_secs(600)));
        world.run(world.metadata.stop());
    }

    #[test]
    fn the_controller_hears_at_once_which_directories_are_cordoned() {
        const SOON: Duration = Duration::from_secs(3_600);
        let more =
            [("broker.heartbeat.interval.ms", "1000000000"), ("broker.session.timeout.ms", "1000000000")];
        let world = World { config: config(&more), ..world() };
        let logs = logs(&world.env);
        let config = Arc::new(DynamicBrokerConfig::new(world.config.clone()));
        let life = world.join_with(&logs, 20, &config);
        assert!(world.run(life.until_serving()));
        for (value, expected) in [("*", vec![Uuid::from_u128(502)]), ("", vec![])] {
            let changed = BTreeMap::from([("cordoned.log.dirs".to_owned(), value.to_owned())]);
            config.publish(&changed, &BTreeMap::new());
            let deadline = world.env.clock.monotonic().after(SOON);
            world.run(async {
                let known = || world.metadata.image().broker(BrokerId(2))?.cordoned_log_dirs.clone();
                while known().as_ref() != Some(&expected) {
                    assert!(world.env.clock.monotonic() < deadline, "{value}: {:?}", known());
                    tokio::task::yield_now().await;
                }
            });
        }
        world.run(life.stop(Duration::from_secs(600)));
        world.run(world.metadata.stop());
    }

    #[test]
    fn a_broker_that_was_taken_off_the_list_registers_again() {
        let world = world();
        let logs = logs(&world.env);
        let life = world.join(&logs, 20);
        assert!(world.run(life.until_serving()));
        let before = life.broker_epoch.get();
        let request = ottla_protocol::messages::UnregisterBrokerRequest::default().with_broker_id(2.into());
        assert!(world.run(world.metadata.unregister_broker(request)).is_ok());
        // Its next heartbeat finds out.
        world.run(async {
            while life.broker_epoch.get() == before || life.broker_epoch.get().is_none() {
                tokio::task::yield_now().await;
            }
        });
        assert!(world.run(life.until_serving()));
        assert!(life.broker_epoch.get() > before);
        world.run(life.stop(Duration::from_secs(600)));
        world.run(world.metadata.stop());
    }
}
