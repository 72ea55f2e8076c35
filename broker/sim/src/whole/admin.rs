//! Somebody who looks after the cluster while others work.
//! Shell. Replicas move, leaders are elected, records deleted, topics made and deleted, and a setting is changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ottla_model::ErrorCode;
use ottla_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::elect_leaders_request::TopicPartitions;
use ottla_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId, CreateTopicsRequest, DeleteRecordsRequest,
    DeleteTopicsRequest, ElectLeadersRequest, IncrementalAlterConfigsRequest,
};

use super::book::Place;
use super::client::{Client, code, is_retriable};
use super::options::{Options, TOPIC};
use crate::rooms::wire;

/// What is made and deleted again and again.
const OTHER_TOPIC: &str = "u";
/// The setting that is changed: so many are kept at least, whatever is set.
pub const SETTING: &str = "retention.ms";
pub const SETTING_FROM: u64 = 1_000_000_000_000;
const TIMEOUT_MS: i32 = 1_500;
const PAUSE_MS: u64 = 1_200;
const RESOURCE_TOPIC: i8 = 2;

pub struct Admin {
    pub client: Client,
    pub options: Options,
    /// Nothing is begun any more.
    pub is_calm: Arc<AtomicBool>,
}

impl Admin {
    pub async fn live(mut self) {
        self.client.leader(0).await;
        let mut setting = 0;
        while !self.is_calm.load(Ordering::Relaxed) {
            self.client.pause(PAUSE_MS).await;
            match self.client.rng.below(100) {
                0..35 => self.reassign(true).await,
                35..42 => self.reassign(false).await,
                42..55 => self.elect().await,
                55..70 => self.delete_records().await,
                70..78 => self.create_other().await,
                78..84 => self.delete_other().await,
                _ => {
                    setting += 1;
                    self.set(setting).await;
                }
            }
        }
    }

    fn place(&self) -> Place {
        self.client.rng.below(self.options.partitions as u64) as Place
    }

    /// Two or three of the nodes, in any order.
    fn replicas(&self) -> Vec<BrokerId> {
        let mut nodes: Vec<i32> = (1..=self.options.nodes as i32).collect();
        for last in (1..nodes.len()).rev() {
            nodes.swap(last, self.client.rng.below(last as u64 + 1) as usize);
        }
        nodes.truncate(if self.client.rng.chance(250) { 2 } else { 3 });
        nodes.into_iter().map(BrokerId).collect()
    }

    fn told(&self, what: &str, codes: &[i16], allowed: &[ErrorCode]) {
        for error in codes.iter().map(|number| code(*number)) {
            self.client.note(|| format!("{what}: {error}"));
            let is_fine = error == ErrorCode::None || is_retriable(error) || allowed.contains(&error);
            assert!(is_fine, "{what} is refused: {error}");
        }
    }

    /// Moves a partition's replicas, or takes back what moves.
    async fn reassign(&mut self, is_move: bool) {
        let (place, replicas) = (self.place(), is_move.then(|| self.replicas()));
        let what = format!("{place} to {replicas:?}");
        let partition = ReassignablePartition::default().with_partition_index(place).with_replicas(replicas);
        let topic =
            ReassignableTopic::default().with_name(wire(TOPIC).into()).with_partitions(vec![partition]);
        let request = AlterPartitionReassignmentsRequest::default()
            .with_timeout_ms(TIMEOUT_MS)
            .with_topics(vec![topic]);
        let Ok(answer) = self.client.call(self.client.any_node(), &request).await else { return };
        let of_partition = answer.responses.iter().flat_map(|topic| &topic.partitions);
        let codes: Vec<i16> =
            [answer.error_code].into_iter().chain(of_partition.map(|one| one.error_code)).collect();
        // Nobody is asked to replicate who is not registered yet.
        self.told(&what, &codes, &[ErrorCode::NoReassignmentInProgress, ErrorCode::InvalidReplicaAssignment]);
    }

    async fn elect(&mut self) {
        let place = self.place();
        let topic = TopicPartitions::default().with_topic(wire(TOPIC).into()).with_partitions(vec![place]);
        let request = ElectLeadersRequest::default()
            .with_topic_partitions(Some(vec![topic]))
            .with_timeout_ms(TIMEOUT_MS);
        let Ok(answer) = self.client.call(self.client.any_node(), &request).await else { return };
        let results = answer.replica_election_results.iter().flat_map(|topic| &topic.partition_result);
        let codes: Vec<i16> =
            [answer.error_code].into_iter().chain(results.map(|one| one.error_code)).collect();
        let allowed = [
            ErrorCode::ElectionNotNeeded,
            ErrorCode::PreferredLeaderNotAvailable,
            ErrorCode::EligibleLeadersNotAvailable,
        ];
        self.told(&format!("elect the leader of {place}"), &codes, &allowed);
    }

    /// What is gone is gone at every later leader.
    async fn delete_records(&mut self) {
        let place = self.place();
        let Some(last) = self.client.book.lock().last_acked(place) else { return };
        let before = self.client.rng.below(last as u64 + 2) as i64;
        self.client.book.lock().on_deleting(place, before);
        let leader = self.client.leader(place).await;
        let partition = DeleteRecordsPartition::default().with_partition_index(place).with_offset(before);
        let topic =
            DeleteRecordsTopic::default().with_name(wire(TOPIC).into()).with_partitions(vec![partition]);
        let request = DeleteRecordsRequest::default().with_timeout_ms(TIMEOUT_MS).with_topics(vec![topic]);
        let Ok(answer) = self.client.call(leader, &request).await else { return self.client.forget(place) };
        let answer = &answer.topics[0].partitions[0];
        let what = format!("delete {place} before {before}: {}", answer.low_watermark);
        // A leader that was just elected does not know yet that it is committed.
        self.told(&what, &[answer.error_code], &[ErrorCode::OffsetOutOfRange]);
        if answer.error_code == 0 {
            assert!(answer.low_watermark >= before, "{what}");
            self.client.book.lock().on_deleted(place, before);
        } else {
            self.client.forget(place);
        }
    }

    async fn create_other(&mut self) {
        let topic = CreatableTopic::default()
            .with_name(wire(OTHER_TOPIC).into())
            .with_num_partitions(1 + self.client.rng.below(3) as i32)
            .with_replication_factor(self.options.nodes.min(3) as i16);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS);
        let Ok(answer) = self.client.call(self.client.any_node(), &request).await else { return };
        let allowed = [ErrorCode::TopicAlreadyExists, ErrorCode::InvalidReplicationFactor];
        self.told("make another topic", &[answer.topics[0].error_code], &allowed);
    }

    async fn delete_other(&mut self) {
        let topic = DeleteTopicState::default().with_name(Some(wire(OTHER_TOPIC).into()));
        let request = DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS);
        let Ok(answer) = self.client.call(self.client.any_node(), &request).await else { return };
        self.told("delete the other topic", &[answer.responses[0].error_code], &[]);
    }

    async fn set(&mut self, setting: u64) {
        let value = wire(&(SETTING_FROM + setting).to_string());
        let config = AlterableConfig::default().with_name(wire(SETTING)).with_value(Some(value));
        let resource = AlterConfigsResource::default()
            .with_resource_type(RESOURCE_TOPIC)
            .with_resource_name(wire(TOPIC))
            .with_configs(vec![config]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        self.client.book.lock().register.on_asked(setting);
        let Ok(answer) = self.client.call(self.client.any_node(), &request).await else { return };
        let error = answer.responses[0].error_code;
        self.told(&format!("set {setting}"), &[error], &[]);
        if error == 0 {
            self.client.book.lock().register.on_acked(setting);
        }
    }
}
