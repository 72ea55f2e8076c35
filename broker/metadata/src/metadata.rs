//! The room's interface: the published image, and the operations that change it.
//! Shell. Operations are queued for the room's thread (`metadata_loop`), which decides, commits and
//! publishes; the answer comes back when every listener has the new image.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use ottla_config::BrokerConfig;
use ottla_env::Env;
use ottla_env::clock::Monotonic;
use ottla_env::tasks::ThreadHandle;
use ottla_log::LogManager;
use ottla_model::limits::METADATA_EVENTS_QUEUED_MAX;
use ottla_model::{BrokerId, ErrorCode, Offset, TopicName};
use ottla_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use ottla_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlterConfigsRequest, AlterConfigsResponse,
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, CreateAclsRequest,
    CreateAclsResponse, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
    CreateTopicsResponse, DeleteAclsRequest, DeleteAclsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    DescribeQuorumRequest, DescribeQuorumResponse, DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse, ElectLeadersRequest, ElectLeadersResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse, UnregisterBrokerRequest, UnregisterBrokerResponse,
    UpdateFeaturesRequest, UpdateFeaturesResponse,
};
use ottla_quota::MutationQuota;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use crate::active_controller::Decided;
use crate::controller::configs::Through;
use crate::controller::election_log::ElectionCounts;
use crate::controller::features::{Feature, decide_update_features};
use crate::controller::producer_ids::{ProducerIdBlock, decide_allocate_producer_ids};
use crate::controller::registration::Registration;
use crate::controller::{
    ApiError, Deciding, Decision, Rules, acls, client_quotas, configs, create_topics, delete_topics,
    elections, fencing, partitions, quorum, reassignments, register_broker, scram,
};
use crate::controller_channel::Reached;
use crate::delta::{Delta, ImageListener};
use crate::detector::SILENCE_MIN;
use crate::image::Image;
use crate::metadata_log::{CommitError, LogOpenError};
use crate::metadata_loop::{Event, MetadataLoop, votes_at};
use crate::observer::Observed;
use crate::observer_loop::ObserverLoop;
use crate::publisher::Shared;
use crate::quorum::{Leadership, Quorum, Voter};
use crate::quorum_loop::{OpenQuorum, QuorumLoop};
use crate::raft::machine::Input;
use crate::raft::threads::{INPUTS_QUEUED_MAX, QuorumView};
use crate::serve::ServedLog;
use crate::voter_set::VoterSet;

/// What a start is given.
#[derive(Clone)]
pub struct MetadataOptions {
    /// Who keeps `__cluster_metadata-0`; `None` keeps the facts in memory alone.
    pub logs: Option<Arc<LogManager>>,
    /// Kafka's text form of the cluster's id, as meta.properties has it.
    pub cluster_id: String,
    pub config: BrokerConfig,
    pub features: Vec<Feature>,
    /// Users of a new cluster of several voters; the voter that leads first makes its own.
    pub first_users: Vec<ScramCredentialUpsertion>,
    /// Whether an answer waits until the device has the records (every durability but `os`).
    pub sync: bool,
    /// The last process did not stop by itself: leader epochs are raised.
    pub unclean_stop: bool,
    /// Where the log is damaged, go on without what is behind (a copy of it is kept).
    pub accept_loss: bool,
    /// The controllers that vote, this node among them; `logs` are there then. `None`: this node leads itself.
    pub quorum: Option<Quorum>,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Log(#[from] LogOpenError),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Nothing was changed.
    #[error(
        "the metadata log is damaged, and not by a crash: what is lost had been synced before it was answered. \
         {what}. Nothing was changed. Restore the file from a copy; or start once with \
         --accept-metadata-loss, which keeps a copy of the log ({copy}TIME) and gives up everything from \
         offset {offset} on",
        copy = copy.display()
    )]
    Damaged { what: String, offset: Offset, copy: PathBuf },
    /// Nothing was changed.
    #[error(
        "this controller has lost what it promised the others ({what}): with it a controller could be elected that          lacks committed records, so it does not start. Restore its directory from a copy that is not older; an empty          directory makes another voter of it, which the others refuse"
    )]
    LostPromises { what: String },
}

/// Why a whole request has no answer of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// A rule refuses the request whole: every part of it gets this code and text.
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// The records could not be committed; nothing has changed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The controller is not running.
    #[error("the broker is stopping")]
    Stopping,
}

pub struct Metadata {
    shared: Arc<Shared>,
    pub(crate) env: Env,
    events: mpsc::Sender<Event>,
    /// Until `start`: what the thread will own.
    waiting: Mutex<Option<(Driver, mpsc::Receiver<Event>)>>,
    thread: Mutex<Option<ThreadHandle>>,
    leadership: watch::Receiver<Leadership>,
    pub(crate) config: BrokerConfig,
    /// `None` on a lone node.
    quorum: Option<QuorumHandle>,
    /// What observers are given; `None` where nobody can ask for it.
    pub(crate) served: Option<Arc<ServedLog>>,
    /// Of a voter of several.
    failure: Option<watch::Receiver<Option<String>>>,
}

/// What the thread runs.
enum Driver {
    /// Nothing is ever told of a lone node's leadership; who awaits a change waits until it stops.
    Lone(Box<MetadataLoop>, watch::Sender<Leadership>),
    Voter(Box<QuorumLoop>, mpsc::Receiver<Input>),
    Observer(Box<ObserverLoop>),
}

/// How the interface reaches the quorum of a voter of several.
struct QuorumHandle {
    inputs: mpsc::Sender<Input>,
    view: Arc<ArcSwap<QuorumView>>,
    voters: Vec<Voter>,
    listener: String,
}

impl Metadata {
    /// Reads what the disk holds; a new folder becomes a new cluster. Nothing is changed yet but
    /// through records appended for this start. One voter of several leads nothing yet, and knows what a
    /// snapshot says alone: what is behind it may not be committed.
    pub fn open(env: &Env, options: MetadataOptions) -> Result<Arc<Metadata>, OpenError> {
        let config = options.config.clone();
        let mut failure = None;
        let (driver, shared, leadership, quorum, served) = match options.quorum.clone() {
            None if !config.is_controller() => {
                let (observer_loop, shared, leadership) = ObserverLoop::open(&options.cluster_id);
                (Driver::Observer(Box::new(observer_loop)), shared, leadership, None, None)
            }
            None => {
                let node_id = BrokerId(options.config.node_id);
                let (metadata_loop, shared) = MetadataLoop::open(env, options)?;
                let served = metadata_loop.served();
                let epoch = shared.image.load().leader_epoch();
                let (told, leadership) = watch::channel(Leadership { leader: Some(node_id), epoch });
                (Driver::Lone(Box::new(metadata_loop), told), shared, leadership, None, served)
            }
            Some(quorum) => {
                let (voters, listener) = (quorum.voters.clone(), quorum.listener.clone());
                let (inputs, receiver) = mpsc::channel(INPUTS_QUEUED_MAX);
                let OpenQuorum { quorum_loop, shared, leadership, view, served, failure: failures } =
                    QuorumLoop::open(env, options, quorum, inputs.clone())?;
                failure = Some(failures);
                let driver = Driver::Voter(Box::new(quorum_loop), receiver);
                (
                    driver,
                    shared,
                    leadership,
                    Some(QuorumHandle { inputs, view, voters, listener }),
                    Some(served),
                )
            }
        };
        let (events, receiver) = mpsc::channel(METADATA_EVENTS_QUEUED_MAX);
        Ok(Arc::new(Metadata {
            shared,
            env: env.clone(),
            events,
            waiting: Mutex::new(Some((driver, receiver))),
            thread: Mutex::new(None),
            leadership,
            config,
            quorum,
            served,
            failure,
        }))
    }

    /// Lets small logs reach what only large ones do. Before `start`.
    #[cfg(test)]
    pub(crate) fn set_upkeep_thresholds(&self, snapshot_bytes: u64, materialise_bytes: u64) {
        if let Some((Driver::Lone(metadata_loop, _), _)) = self.waiting.lock().as_mut() {
            metadata_loop.set_upkeep_thresholds(snapshot_bytes, materialise_bytes);
        }
    }

    /// The facts in force, without a lock.
    pub fn image(&self) -> arc_swap::Guard<Arc<Image>> {
        self.shared.image.load()
    }

    /// Adds a listener behind those that are there; it gets all that is known at once.
    pub fn subscribe(&self, listener: Arc<dyn ImageListener>) {
        let mut listeners = self.shared.listeners.lock();
        let image = self.shared.image.load_full();
        listener.on_image(&Delta::from_empty(&image), &image);
        listeners.push(listener);
    }

    /// Registers this node as a broker that serves, and begins to decide. One voter of several only begins to
    /// take part in the quorum: its broker registers with whoever leads.
    pub fn start(&self, registration: &Registration) -> Result<(), OpenError> {
        let Some((driver, receiver)) = self.waiting.lock().take() else { return Ok(()) };
        let thread = match driver {
            Driver::Lone(mut metadata_loop, told) => {
                metadata_loop.register(registration)?;
                let run = move || {
                    metadata_loop.run(receiver);
                    drop(told);
                };
                self.env.tasks.spawn_thread("metadata", Box::new(run))
            }
            Driver::Observer(observer_loop) => {
                self.env.tasks.spawn_machine("metadata", Box::pin(observer_loop.run(receiver)))
            }
            Driver::Voter(quorum_loop, inputs) => {
                let wake = self.events.clone();
                self.env.tasks.spawn_machine("metadata", Box::pin(quorum_loop.run(receiver, wake, inputs)))
            }
        };
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    pub(crate) fn node_id(&self) -> BrokerId {
        BrokerId(self.config.node_id)
    }

    /// Who leads the quorum, as far as this node knows.
    pub fn leadership(&self) -> Leadership {
        *self.leadership.borrow()
    }

    /// Tells of every change of the leadership.
    pub fn leadership_changes(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// A frame came from a voter. Never waits; where too many are queued it is dropped, as a network may.
    pub fn on_raft_frame(&self, from: BrokerId, frame: Bytes) {
        self.tell_quorum(Input::Frame(from, frame));
    }

    /// The connection to a voter was closed: if it led, it may be gone.
    pub fn on_voter_disconnected(&self, id: BrokerId) {
        self.tell_quorum(Input::Disconnected(id));
    }

    /// Waits until this voter has failed (its disk, or less in its log than it promised) and says why. Its image stands
    /// still from then on, and nothing but another start changes that.
    pub async fn failed(&self) -> String {
        let failed = async {
            let mut failure = self.failure.clone()?;
            failure.wait_for(Option::is_some).await.ok()?.clone()
        };
        match failed.await {
            Some(why) => why,
            None => std::future::pending().await,
        }
    }

    /// What an observer has found out; on a broker without a vote.
    pub async fn observe(&self, Observed(finding): Observed) {
        // A room that has ended takes nothing.
        drop(self.events.send(Event::Observed(finding)).await);
    }

    /// Whether nothing waits for this room's threads.
    #[cfg(test)]
    pub(crate) fn is_quiet(&self) -> bool {
        let inputs = self.quorum.as_ref().map(|quorum| &quorum.inputs);
        self.events.capacity() == self.events.max_capacity()
            && inputs.is_none_or(|inputs| inputs.capacity() == inputs.max_capacity())
    }

    /// A lone node has no quorum to tell.
    fn tell_quorum(&self, input: Input) {
        if let Some(quorum) = &self.quorum {
            drop(quorum.inputs.try_send(input));
        }
    }

    /// Ends the controller after what is queued; what was answered is on the disk.
    pub async fn stop(&self) {
        // A controller that has ended takes nothing.
        drop(self.events.send(Event::Stop).await);
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            thread.ended().await;
        }
        // No listener is called any more; some of them hold what holds this.
        drop(std::mem::take(&mut *self.shared.listeners.lock()));
    }

    pub(crate) async fn send(&self, event: Event) -> Result<(), OperationError> {
        self.events.send(event).await.map_err(|_| OperationError::Stopping)
    }

    /// Queues a decision and waits for its answer.
    async fn decide<R: Send + 'static>(
        &self,
        decide: impl FnOnce(Deciding<'_>) -> Result<Decision<R>, ApiError> + Send + 'static,
    ) -> Result<R, OperationError> {
        decide_by(self.events.clone(), decide).await
    }

    /// The same for one who does not keep this room.
    pub(crate) fn reach<R: Send + 'static>(
        &self,
        decide: impl FnOnce(Deciding<'_>) -> Result<Decision<R>, ApiError> + Send + 'static,
    ) -> Reached<R> {
        Box::pin(decide_by(self.events.clone(), decide))
    }

    /// A broker was heard, now.
    pub(crate) fn on_contact(&self, id: BrokerId, epoch: i64) -> Monotonic {
        let now = self.env.clock.monotonic();
        self.shared.contacts.lock().insert(id, (epoch, now));
        now
    }

    /// How often this node elected leaders as controller, by reason.
    pub fn election_counts(&self) -> ElectionCounts {
        self.shared.elections.lock().clone()
    }

    /// A broker's connection to this controller was closed. Says whether its process may be gone, as far as the
    /// controller knows.
    pub async fn on_broker_disconnected(&self, id: BrokerId, epoch: i64) -> bool {
        let decide = move |Deciding { liveness, .. }: Deciding<'_>| {
            Ok(Decision::answer(liveness.on_disconnect(id, epoch)))
        };
        self.decide(decide).await.unwrap_or(false)
    }

    /// Nobody listens where a broker is reached: it is fenced, unless it was heard meanwhile. Says whether it was, when
    /// that is committed; an error where the controller is elsewhere.
    pub async fn on_broker_refused(&self, id: BrokerId, epoch: i64) -> Result<bool, OperationError> {
        self.decide(move |Deciding { image, rules, liveness, .. }| {
            let mut records = Vec::new();
            if liveness.on_dial_refused(id, epoch) {
                fencing::fence(image, rules, id, &mut records);
            }
            // One that stopped in order is fenced already.
            let is_fenced = !records.is_empty();
            Ok(Decision { records, response: is_fenced })
        })
        .await
    }

    /// No node hears a broker: it is fenced, unless it beat lately. Says whether it was, when that is committed; an error
    /// where the controller is elsewhere.
    pub async fn on_broker_silent(&self, id: BrokerId, epoch: i64) -> Result<bool, OperationError> {
        let shared = self.shared.clone();
        self.decide(move |Deciding { image, rules, liveness, now, .. }| {
            // What came and waits to be decided counts (KAFKA-15019).
            if let Some((epoch, heard)) = shared.contacts.lock().get(&id) {
                liveness.on_contact(id, *epoch, *heard);
            }
            let mut records = Vec::new();
            if liveness.on_silence(id, epoch, now.monotonic, SILENCE_MIN) {
                fencing::fence(image, rules, id, &mut records);
            }
            let is_fenced = !records.is_empty();
            Ok(Decision { records, response: is_fenced })
        })
        .await
    }

    /// Takes a broker off the list of those that are registered.
    pub async fn unregister_broker(
        &self,
        request: UnregisterBrokerRequest,
    ) -> Result<UnregisterBrokerResponse, OperationError> {
        self.decide(move |Deciding { image, rules, liveness, .. }| {
            register_broker::decide_unregister_broker(image, rules, liveness, &request)
        })
        .await
    }

    pub async fn create_topics(
        &self,
        request: CreateTopicsRequest,
    ) -> Result<CreateTopicsResponse, OperationError> {
        self.create_topics_within(request, MutationQuota::UNLIMITED).await
    }

    /// The same on behalf of a client that may change only so much.
    pub async fn create_topics_within(
        &self,
        request: CreateTopicsRequest,
        quota: MutationQuota,
    ) -> Result<CreateTopicsResponse, OperationError> {
        self.decide(move |Deciding { image, rules, topic_ids, .. }| {
            create_topics::decide_create_topics(image, rules, &request, topic_ids, &quota)
        })
        .await
    }

    /// Creates topics with the broker's defaults, internal ones in the shape they need. A name that
    /// is there already is answered with TOPIC_ALREADY_EXISTS.
    pub async fn auto_create_topics(
        &self,
        names: Vec<TopicName>,
    ) -> Result<CreateTopicsResponse, OperationError> {
        self.decide(move |Deciding { image, rules, topic_ids, .. }| {
            let request = create_topics::auto_create_request(image, rules, &names);
            create_topics::decide_create_topics(image, rules, &request, topic_ids, &MutationQuota::UNLIMITED)
        })
        .await
    }

    /// The request for topics that a client asked for or the broker needs: internal ones in the shape they need, all
    /// others with the broker's defaults.
    pub fn auto_create_request(&self, names: &[TopicName]) -> CreateTopicsRequest {
        let rules = Rules::new(&self.config, Vec::new());
        create_topics::auto_create_request(&self.image(), &rules, names)
    }

    pub async fn delete_topics(
        &self,
        request: DeleteTopicsRequest,
    ) -> Result<DeleteTopicsResponse, OperationError> {
        self.delete_topics_within(request, MutationQuota::UNLIMITED).await
    }

    pub async fn delete_topics_within(
        &self,
        request: DeleteTopicsRequest,
        quota: MutationQuota,
    ) -> Result<DeleteTopicsResponse, OperationError> {
        self.decide(move |Deciding { image, rules, .. }| {
            delete_topics::decide_delete_topics(image, rules, &request, &quota)
        })
        .await
    }

    pub async fn create_partitions(
        &self,
        request: CreatePartitionsRequest,
    ) -> Result<CreatePartitionsResponse, OperationError> {
        self.create_partitions_within(request, MutationQuota::UNLIMITED).await
    }

    pub async fn create_partitions_within(
        &self,
        request: CreatePartitionsRequest,
        quota: MutationQuota,
    ) -> Result<CreatePartitionsResponse, OperationError> {
        self.decide(move |Deciding { image, .. }| {
            partitions::decide_create_partitions(image, &request, &quota)
        })
        .await
    }

    pub async fn incremental_alter_configs(
        &self,
        request: IncrementalAlterConfigsRequest,
    ) -> Result<IncrementalAlterConfigsResponse, OperationError> {
        self.incremental_alter_configs_through(Through::Broker, request).await
    }

    pub async fn incremental_alter_configs_through(
        &self,
        through: Through,
        request: IncrementalAlterConfigsRequest,
    ) -> Result<IncrementalAlterConfigsResponse, OperationError> {
        self.decide(move |Deciding { image, rules, .. }| {
            Ok(configs::decide_incremental_alter_configs(image, rules, through, &request))
        })
        .await
    }

    pub async fn alter_configs(
        &self,
        request: AlterConfigsRequest,
    ) -> Result<AlterConfigsResponse, OperationError> {
        self.alter_configs_through(Through::Broker, request).await
    }

    pub async fn alter_configs_through(
        &self,
        through: Through,
        request: AlterConfigsRequest,
    ) -> Result<AlterConfigsResponse, OperationError> {
        self.decide(move |Deciding { image, rules, .. }| {
            Ok(configs::decide_alter_configs(image, rules, through, &request))
        })
        .await
    }

    pub async fn elect_leaders(
        &self,
        request: ElectLeadersRequest,
    ) -> Result<ElectLeadersResponse, OperationError> {
        self.decide(move |Deciding { image, rules, .. }| {
            elections::decide_elect_leaders(image, rules, &request)
        })
        .await
    }

    pub async fn update_features(
        &self,
        request: UpdateFeaturesRequest,
    ) -> Result<UpdateFeaturesResponse, OperationError> {
        self.upgrade_kraft_version(&request).await?;
        self.decide(move |Deciding { image, rules, .. }| Ok(decide_update_features(image, rules, &request)))
            .await
    }

    /// `hosts` are the names of the request that have an address.
    pub async fn alter_client_quotas(
        &self,
        request: AlterClientQuotasRequest,
        hosts: BTreeSet<String>,
    ) -> Result<AlterClientQuotasResponse, OperationError> {
        self.decide(move |Deciding { image, .. }| {
            client_quotas::decide_alter_client_quotas(image, &request, &|host| hosts.contains(host))
        })
        .await
    }

    pub async fn create_acls(
        &self,
        request: CreateAclsRequest,
    ) -> Result<CreateAclsResponse, OperationError> {
        self.decide(move |Deciding { image, topic_ids, .. }| {
            acls::decide_create_acls(image, &request, topic_ids)
        })
        .await
    }

    pub async fn delete_acls(
        &self,
        request: DeleteAclsRequest,
    ) -> Result<DeleteAclsResponse, OperationError> {
        self.decide(move |Deciding { image, .. }| acls::decide_delete_acls(image, &request)).await
    }

    pub async fn alter_user_scram_credentials(
        &self,
        request: AlterUserScramCredentialsRequest,
    ) -> Result<AlterUserScramCredentialsResponse, OperationError> {
        self.decide(move |Deciding { image, .. }| {
            Ok(scram::decide_alter_user_scram_credentials(image, &request))
        })
        .await
    }

    /// What may be shown of SCRAM credentials, from memory.
    pub fn describe_user_scram_credentials(
        &self,
        request: &DescribeUserScramCredentialsRequest,
    ) -> DescribeUserScramCredentialsResponse {
        scram::describe_user_scram_credentials(&self.image(), request)
    }

    /// The next thousand producer ids; they are never given out again.
    pub async fn allocate_producer_ids(&self) -> Result<ProducerIdBlock, OperationError> {
        self.decide(move |Deciding { image, rules, .. }| decide_allocate_producer_ids(image, rules.node_id))
            .await
    }

    pub async fn alter_partition_reassignments(
        &self,
        request: AlterPartitionReassignmentsRequest,
    ) -> Result<AlterPartitionReassignmentsResponse, OperationError> {
        self.decide(move |Deciding { image, rules, .. }| {
            Ok(reassignments::decide_alter_partition_reassignments(image, rules, &request))
        })
        .await
    }

    /// The reassignments under way, from memory.
    pub fn list_partition_reassignments(
        &self,
        request: &ListPartitionReassignmentsRequest,
    ) -> ListPartitionReassignmentsResponse {
        elections::list_partition_reassignments(&self.image(), request)
    }

    /// What the quorum knows of itself, from memory; only its leader knows.
    pub fn describe_quorum(&self, request: &DescribeQuorumRequest) -> DescribeQuorumResponse {
        let now_ms = self.env.clock.wall_ms();
        let image = self.image();
        let mut described = match &self.quorum {
            None if !self.config.is_controller() => quorum::Described::of_observer(self.leadership()),
            None => {
                let opened = votes_at(&self.config).map(|(voter, _)| voter);
                quorum::Described::of_lone(&image, opened, now_ms)
            }
            Some(handle) => quorum::Described::of_view(&handle.view.load(), self.quorum_voters(), now_ms),
        };
        if image.voters().is_none() {
            described.forget_directories();
        }
        if let Some(served) = &self.served {
            described.observers.extend(served.observers(self.leadership().epoch, now_ms));
        }
        quorum::describe_quorum(&described, request)
    }

    /// Where the voters listen: as the log says, or as they were configured.
    pub fn quorum_voters(&self) -> Vec<Voter> {
        let Some(quorum) = &self.quorum else { return Vec::new() };
        match self.image().voters() {
            Some(logged) => logged.set.at(&quorum.listener),
            None => quorum.voters.clone(),
        }
    }

    /// The directory that had this node's vote by the log, where others refuse this node for its sake.
    pub fn replaced_directory(&self) -> Option<uuid::Uuid> {
        self.quorum.as_ref()?.view.load().replaces
    }

    /// The voters that this node's own log has, committed or not, with their directories; `None` where the log names none.
    pub fn voters_of_own_log(&self) -> Option<Arc<VoterSet>> {
        let view = self.quorum.as_ref()?.view.load();
        view.set.is_dynamic.then(|| view.set.set.clone())
    }

    pub(crate) fn has_quorum(&self) -> bool {
        self.quorum.is_some()
    }

    /// The listener by which controllers reach each other.
    pub(crate) fn controller_listener(&self) -> &str {
        match &self.quorum {
            Some(quorum) => &quorum.listener,
            None => self.config.controller_listeners.first().map_or("CONTROLLER", |listener| &listener.name),
        }
    }
}

async fn decide_by<R: Send + 'static>(
    events: mpsc::Sender<Event>,
    decide: impl FnOnce(Deciding<'_>) -> Result<Decision<R>, ApiError> + Send + 'static,
) -> Result<R, OperationError> {
    let (sender, receiver) = oneshot::channel::<Result<R, OperationError>>();
    let event = Event::Decide(Box::new(move |deciding| {
        // A node that does not lead decides nothing.
        let decided = deciding.map_or_else(|| Err(ApiError::bare(ErrorCode::NotController)), decide);
        let (records, answer) = match decided {
            Ok(Decision { records, response }) => (records, Ok(response)),
            Err(error) => (Vec::new(), Err(OperationError::Refused(error))),
        };
        let answer = move |committed: Result<(), CommitError>| {
            let result = match committed {
                Ok(()) => answer,
                Err(CommitError::NotLeader) => {
                    Err(OperationError::Refused(ApiError::bare(ErrorCode::NotController)))
                }
                Err(error) => Err(OperationError::Commit(error)),
            };
            // The connection that waits for it may be gone.
            drop(sender.send(result));
        };
        Decided { records, answer: Box::new(answer) }
    }));
    events.send(event).await.map_err(|_| OperationError::Stopping)?;
    receiver.await.unwrap_or(Err(OperationError::Stopping))
}
