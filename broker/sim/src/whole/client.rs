//! What all clients of a simulated cluster have: connections to its nodes, and a view of who leads what.
//! Shell over the outgoing connections of `network`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_env::memory::SeededRng;
use ottla_model::ErrorCode;
use ottla_network::outgoing::{Backoff, CallError, Peer, PeerSettings};
use ottla_protocol::Request;
use ottla_protocol::messages::MetadataRequest;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use parking_lot::Mutex;
use uuid::Uuid;

use super::book::{Book, Place};
use super::options::TOPIC;
use crate::rooms::wire;

const REQUEST_TIMEOUT: Duration = Duration::from_millis(2_000);

pub struct Client {
    pub number: usize,
    pub env: Env,
    pub rng: Arc<SeededRng>,
    pub book: Arc<Mutex<Book>>,
    /// What a history notes of it.
    pub trace: Arc<Mutex<Vec<String>>>,
    peers: Vec<Peer>,
    pub topic_id: Uuid,
    leaders: BTreeMap<Place, usize>,
}

impl Client {
    pub fn new(
        number: usize,
        env: Env,
        nodes: usize,
        rng: SeededRng,
        book: &Arc<Mutex<Book>>,
        trace: &Arc<Mutex<Vec<String>>>,
    ) -> Client {
        let settings = PeerSettings {
            client_id: format!("client-{number}"),
            setup_timeout: Duration::from_millis(1_000),
            request_timeout: REQUEST_TIMEOUT,
            backoff: Backoff { min: Duration::from_millis(20), max: Duration::from_millis(200) },
            ..PeerSettings::default()
        };
        let peer = |id: usize| Peer::new(env.clone(), format!("10.0.0.{id}"), 9092, settings.clone());
        Client {
            number,
            peers: (1..=nodes).map(peer).collect(),
            env,
            rng: Arc::new(rng),
            book: book.clone(),
            trace: trace.clone(),
            topic_id: Uuid::nil(),
            leaders: BTreeMap::new(),
        }
    }

    pub fn note(&self, text: impl FnOnce() -> String) {
        let now = self.env.clock.monotonic().0.as_millis();
        self.trace.lock().push(format!("{now} client {}: {}", self.number, text()));
    }

    pub async fn pause(&self, most_ms: u64) {
        let wait = Duration::from_micros(self.rng.below(most_ms * 1_000 + 1));
        self.env.clock.sleep_until(self.env.clock.monotonic().after(wait)).await;
    }

    pub async fn call<R: Request>(&self, node: usize, request: &R) -> Result<R::Response, CallError>
    where
        R::Response: 'static,
    {
        self.peers[node].call(request).await
    }

    /// Any of the nodes.
    pub fn any_node(&self) -> usize {
        self.rng.below(self.peers.len() as u64) as usize
    }

    /// Who leads a partition; asks until somebody knows.
    pub async fn leader(&mut self, place: Place) -> usize {
        loop {
            if let Some(leader) = self.leaders.get(&place) {
                return *leader;
            }
            let node = self.any_node();
            self.refresh(node).await;
            if !self.leaders.contains_key(&place) {
                self.pause(100).await;
            }
        }
    }

    /// What is known of a partition is not so any more.
    pub fn forget(&mut self, place: Place) {
        self.leaders.remove(&place);
    }

    async fn refresh(&mut self, node: usize) {
        let topic = MetadataRequestTopic::default().with_name(Some(wire(TOPIC).into()));
        let request =
            MetadataRequest::default().with_topics(Some(vec![topic])).with_allow_auto_topic_creation(false);
        let Ok(answer) = self.call(node, &request).await else { return };
        let Some(topic) = answer.topics.iter().find(|topic| topic.error_code == 0) else { return };
        self.topic_id = topic.topic_id;
        self.leaders.clear();
        for partition in &topic.partitions {
            let leader = partition.leader_id.0;
            if partition.error_code == 0 && leader > 0 {
                self.leaders.insert(partition.partition_index, leader as usize - 1);
            }
        }
    }
}

/// Whether a client asks again, as Kafka's own clients do of these codes.
pub fn is_retriable(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotLeaderOrFollower
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::RequestTimedOut
            | ErrorCode::NotEnoughReplicas
            | ErrorCode::NotEnoughReplicasAfterAppend
            | ErrorCode::KafkaStorageError
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::OffsetNotAvailable
            | ErrorCode::NotController
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
    )
}

pub fn code(number: i16) -> ErrorCode {
    ErrorCode::from_code(number).unwrap_or(ErrorCode::UnknownServerError)
}
