//! Has this controller vote where it is told to, and keeps true what the log says of its vote.
//! Shell: one task on each controller of several, which sleeps until the voters change. What it asks for is decided by
//! `ottla_metadata::OwnVote`.

use std::sync::Arc;
use std::time::Duration;

use ottla_api::peers::{Active, Controllers};
use ottla_config::BrokerConfig;
use ottla_env::tasks::TaskHandle;
use ottla_env::{BoxFuture, Env};
use ottla_metadata::{
    Delta, Endpoint, Image, ImageListener, Metadata, OperationError, OwnVote, VoteStep, VoterSet,
};
use ottla_model::{BrokerId, ErrorCode, LeaderEpoch};
use ottla_protocol::Request;
use ottla_protocol::messages::{AddRaftVoterResponse, RemoveRaftVoterResponse, UpdateRaftVoterResponse};
use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

/// Before anything is asked for, and between two requests (`controller.quorum.fetch.timeout.ms` in Kafka).
const PERIOD: Duration = Duration::from_secs(1);
const REQUEST_TIMEOUT_MS: i32 = 2_000;
/// How long somebody who leads is looked for.
const PATIENCE: Duration = Duration::from_secs(6);

/// Where controllers reach this one: each of its listeners that has an address.
fn endpoints(config: &BrokerConfig) -> Vec<Endpoint> {
    let endpoint = |listener: &ottla_config::Listener| {
        let (host, port) = config.controller_reached_at(listener)?;
        Some(Endpoint { name: listener.name.clone(), host, port })
    };
    config.controller_listeners.iter().filter_map(endpoint).collect()
}

/// Wakes the task when what concerns voters has changed.
struct Changes {
    last: Mutex<Option<Arc<VoterSet>>>,
    told: watch::Sender<()>,
}

impl ImageListener for Changes {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        let voters = image.voters().map(|voters| voters.set.clone());
        let mut last = self.last.lock();
        if *last != voters || delta.features_changed || delta.brokers_changed {
            *last = voters;
            self.told.send_replace(());
        }
    }
}

pub struct Voting {
    env: Env,
    metadata: Arc<Metadata>,
    controllers: Arc<Controllers>,
    own: OwnVote,
}

impl Voting {
    pub fn new(
        env: &Env,
        config: &BrokerConfig,
        directory_id: Uuid,
        metadata: &Arc<Metadata>,
        controllers: &Arc<Controllers>,
    ) -> Voting {
        let id = BrokerId(config.node_id);
        let own = OwnVote::new(id, directory_id, endpoints(config), config.quorum_auto_join);
        Voting { env: env.clone(), metadata: metadata.clone(), controllers: controllers.clone(), own }
    }

    pub fn start(self) -> TaskHandle {
        let tasks = self.env.tasks.clone();
        tasks.spawn("own-vote", Box::pin(self.run()))
    }

    async fn run(self) {
        let (told, mut changes) = watch::channel(());
        let listener = Changes { last: Mutex::default(), told };
        self.metadata.subscribe(Arc::new(listener));
        let clock = self.env.clock.clone();
        let (mut was_voter, mut refused) = (false, 0);
        loop {
            changes.borrow_and_update();
            let image = self.metadata.image();
            let is_voter = self.own.is_voter(&image);
            let is_back = was_voter && !is_voter;
            was_voter = is_voter;
            if self.next(&image).is_none() {
                tokio::select! {
                    biased;
                    changed = changes.changed() => if changed.is_err() { return },
                    // What others say of this node is no news of the log.
                    () = clock.sleep_until(clock.monotonic().after(PERIOD)), if self.own.is_looking(&image) => {}
                }
                continue;
            }
            if is_back {
                // KAFKA-19850: whoever removes it ought to stop it.
                tracing::warn!(
                    "this controller was removed from the voters and joins them again, as \
                     controller.quorum.auto.join.enable=true has it: a controller that is to go is stopped, or has it \
                     turned off"
                );
            }
            clock.sleep_until(clock.monotonic().after(PERIOD)).await;
            let image = self.metadata.image();
            if let Some(step) = self.next(&image) {
                self.carry_out(step, image.cluster_id(), &mut refused).await;
            }
        }
    }

    fn next(&self, image: &Image) -> Option<VoteStep> {
        let by_own_log = || {
            let is_led = self.metadata.leadership().leader.is_some();
            let set = self.metadata.voters_of_own_log().filter(|_| !is_led)?;
            self.own.next_by_own_log(&set)
        };
        self.own.next(image, self.metadata.replaced_directory()).or_else(by_own_log)
    }

    /// `refused`: the error that was told last, which is told once.
    async fn carry_out(&self, step: VoteStep, cluster_id: &str, refused: &mut i16) {
        let own = &self.own;
        let told = match &step {
            VoteStep::Add => {
                let here = |metadata: Arc<Metadata>, request| -> BoxFuture<'static, AddRaftVoterResponse> {
                    Box::pin(async move { metadata.add_voter(&request).await })
                };
                let answer = self.ask(own.add(cluster_id, REQUEST_TIMEOUT_MS), here, |one| one.error_code);
                answer.await.map(|answer| (answer.error_code, answer.error_message))
            }
            VoteStep::RemoveOld(directory_id) => {
                let here =
                    |metadata: Arc<Metadata>, request| -> BoxFuture<'static, RemoveRaftVoterResponse> {
                        Box::pin(async move { metadata.remove_voter(&request).await })
                    };
                let answer = self.ask(own.remove_old(cluster_id, *directory_id), here, |one| one.error_code);
                answer.await.map(|answer| (answer.error_code, answer.error_message))
            }
            VoteStep::Update => {
                let here =
                    |metadata: Arc<Metadata>, request| -> BoxFuture<'static, UpdateRaftVoterResponse> {
                        Box::pin(async move { metadata.update_voter(&request, &[]).await })
                    };
                let epoch = self.metadata.leadership().epoch;
                let mut answer = self.ask(own.update(cluster_id, epoch), here, |one| one.error_code).await;
                // There were elections of which nothing was heard here: the leader says its epoch.
                if let Ok(first) = &answer
                    && first.error_code == ErrorCode::FencedLeaderEpoch.code()
                {
                    let epoch = LeaderEpoch(first.current_leader.leader_epoch);
                    answer = self.ask(own.update(cluster_id, epoch), here, |one| one.error_code).await;
                }
                answer.map(|answer| (answer.error_code, None))
            }
        };
        let what = match step {
            VoteStep::Add => "that this controller votes",
            VoteStep::RemoveOld(_) => "that the voter with this id and another directory goes",
            VoteStep::Update => "that the log says where this voter listens",
        };
        // One that is behind, whose change waits for another one, or whose log does not have it yet asks again: those answers
        // are no fault.
        let passes = [ErrorCode::RequestTimedOut, ErrorCode::DuplicateVoter, ErrorCode::VoterNotFound];
        match told {
            Ok((code, _)) if code == ErrorCode::None.code() => {
                *refused = code;
                tracing::info!("the leader was asked, and agreed: {what}");
            }
            Ok((code, text)) if code == *refused || passes.iter().any(|one| one.code() == code) => {
                tracing::debug!(code, ?text, "asked: {what}");
            }
            Ok((code, text)) => {
                *refused = code;
                let text = text.as_ref().map_or("", |text| text.as_str());
                tracing::warn!("the leader refuses {what}, and is asked again: error {code} {text}");
            }
            Err(error) => tracing::debug!(%error, "no leader was asked: {what}"),
        }
    }

    /// Asks whoever leads. One that leads no more is not believed. A node that the voters refuse is not told who leads: it
    /// asks each of them.
    async fn ask<Q>(
        &self,
        request: Q,
        here: fn(Arc<Metadata>, Q) -> BoxFuture<'static, Q::Response>,
        code: fn(&Q::Response) -> i16,
    ) -> Result<Q::Response, OperationError>
    where
        Q: Request + Clone + Send + Sync + 'static,
        Q::Response: Send + 'static,
    {
        let is_leader = |answer: &Q::Response| code(answer) != ErrorCode::NotLeaderOrFollower.code();
        if self.metadata.leadership().leader.is_none() {
            for peer in self.controllers.others() {
                if let Some(answer) = peer.call(&request).await.ok().filter(is_leader) {
                    return Ok(answer);
                }
            }
        }
        let metadata = self.metadata.clone();
        let attempt = move |active| -> BoxFuture<'static, Option<Q::Response>> {
            let (request, metadata) = (request.clone(), metadata.clone());
            Box::pin(async move {
                let answer = match active {
                    Active::Here => Some(here(metadata, request).await),
                    Active::There(peer) => peer.call(&request).await.ok(),
                };
                answer.filter(|answer| code(answer) != ErrorCode::NotLeaderOrFollower.code())
            })
        };
        self.controllers.reach(PATIENCE, attempt).await
    }
}
