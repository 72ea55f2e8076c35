//! What tests of the controller share: a cluster of given brokers, and a way to apply a decision.
//! Core.

use std::sync::Arc;
use std::time::Duration;

use ottla_config::BrokerConfig;
use ottla_env::clock::Monotonic;
use ottla_model::{BrokerId, ErrorCode, LeaderEpoch, PartitionIndex, TopicId};
use ottla_protocol::messages::broker_registration_request::Feature as RegisteredFeature;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::{BrokerHeartbeatRequest, BrokerRegistrationRequest, CreateTopicsRequest};
use ottla_protocol::records::metadata::{FeatureLevelRecord, MetadataRecord, RegisterBrokerRecord};

use crate::controller::create_topics::decide_create_topics;
use crate::controller::features::{ELIGIBLE_LEADER_REPLICAS, Feature};
use crate::controller::fencing::fence;
use crate::controller::heartbeat::decide_heartbeat;
use crate::controller::liveness::Liveness;
use crate::controller::register_broker::decide_register_broker;
use crate::controller::{ApiError, Decision, Rules, TopicIds};
use crate::image::{Image, PartitionImage};
use crate::replay::Working;

/// A cluster in memory: decisions are applied at once.
pub struct Cluster {
    pub working: Working,
    pub rules: Rules,
    pub liveness: Liveness,
    pub now: Monotonic,
    next_id: u128,
}

pub fn features() -> Vec<Feature> {
    let feature = |name: &str, min, max, finalized| Feature { name: name.to_owned(), min, max, finalized };
    vec![
        feature("metadata.version", 7, 30, 30),
        feature("kraft.version", 0, 1, 0),
        feature("transaction.version", 0, 2, 0),
        feature("group.version", 0, 1, 0),
        feature(ELIGIBLE_LEADER_REPLICAS, 0, 1, 0),
    ]
}

/// The defaults, for the node of this id.
pub fn config_of(id: BrokerId) -> BrokerConfig {
    let given = [("node.id".to_owned(), id.to_string())];
    ottla_config::load(None, &[], &given).expect("a valid configuration").0
}

impl Cluster {
    pub fn of(brokers: &[i32]) -> Cluster {
        Cluster::configured(brokers, &[])
    }

    pub fn configured(brokers: &[i32], overrides: &[(&str, &str)]) -> Cluster {
        let mut given = vec![("node.id".to_owned(), "1".to_owned())];
        given.extend(overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let (config, _warnings) = ottla_config::load(None, &[], &given).expect("a valid configuration");
        let working = Working::new(Image::empty("cluster", BrokerId(1)));
        let rules = rules(&config);
        let now = Monotonic::default();
        let mut cluster = Cluster {
            liveness: Liveness::of(&working.image, rules.broker_session_timeout(), None, now),
            now,
            working,
            rules,
            next_id: 0x1000,
        };
        let records = brokers.iter().map(|id| {
            let record =
                RegisterBrokerRecord { broker_id: *id, fenced: false, ..RegisterBrokerRecord::default() };
            record.into()
        });
        let records = records.collect();
        cluster.apply(records);
        cluster
    }

    pub fn image(&self) -> &Image {
        &self.working.image
    }

    pub fn apply(&mut self, records: Vec<MetadataRecord>) {
        for record in records {
            let offset = self.working.image.metadata_offset() + 1;
            self.working.replay(record, offset, LeaderEpoch(1));
        }
    }

    /// Finalizes a feature.
    pub fn finalize(&mut self, name: &str, level: i16) {
        let name = name.to_owned().into_str();
        self.apply(vec![FeatureLevelRecord { name, feature_level: level, ..Default::default() }.into()]);
    }

    pub fn partition(&self, topic: &str, index: i32) -> Arc<PartitionImage> {
        self.image().partition(topic, PartitionIndex(index)).expect("the partition").clone()
    }

    /// Decides, applies what is decided, and gives the answer or its code.
    pub fn decide<R>(
        &mut self,
        decide: impl FnOnce(&Image, &Rules, &mut Liveness, Monotonic) -> Result<Decision<R>, ApiError>,
    ) -> Result<R, ErrorCode> {
        let Cluster { working, rules, liveness, now, .. } = self;
        let Decision { records, response } =
            decide(&working.image, rules, liveness, *now).map_err(|error| error.error)?;
        self.apply(records);
        Ok(response)
    }

    /// A start of a broker: incarnation and directory are made of the numbers.
    pub fn register(&mut self, id: i32, incarnation: u64, previous_epoch: i64) -> Result<i64, ErrorCode> {
        let request = registration(id, incarnation).with_previous_broker_epoch(previous_epoch);
        let decide = |image: &Image, rules: &Rules, liveness: &mut Liveness, now| {
            decide_register_broker(image, rules, liveness, &request, now)
        };
        self.decide(decide).map(|response| response.broker_epoch)
    }

    /// A heartbeat of a broker that has all there is; the epoch is that of its registration.
    pub fn beat(
        &mut self,
        id: i32,
        change: impl FnOnce(&mut BrokerHeartbeatRequest),
    ) -> Result<Beat, ErrorCode> {
        let mut request = BrokerHeartbeatRequest {
            broker_id: id,
            broker_epoch: self.image().broker(BrokerId(id)).map_or(-1, |broker| broker.broker_epoch),
            current_metadata_offset: self.image().metadata_offset().0,
            ..BrokerHeartbeatRequest::default()
        };
        change(&mut request);
        let response = self
            .decide(|image, rules, liveness, now| decide_heartbeat(image, rules, liveness, &request, now))?;
        Ok(Beat {
            is_caught_up: response.is_caught_up,
            is_fenced: response.is_fenced,
            should_shut_down: response.should_shut_down,
        })
    }

    /// Time passes, and who was silent for too long is fenced.
    pub fn pass(&mut self, ms: u64) -> Vec<BrokerId> {
        self.now = self.now.after(Duration::from_millis(ms));
        let expired = self.liveness.take_expired(self.now);
        for id in &expired {
            let mut records = Vec::new();
            fence(self.image(), &self.rules, *id, &mut records);
            self.apply(records);
        }
        expired
    }

    pub fn with_ids<R>(&mut self, decide: impl FnOnce(&Image, &Rules, TopicIds<'_>) -> R) -> R {
        let next = &mut self.next_id;
        let mut ids = || {
            *next += 1;
            TopicId(uuid::Uuid::from_u128(*next))
        };
        decide(&self.working.image, &self.rules, &mut ids)
    }

    /// Creates one topic; gives its code and text.
    pub fn create(&mut self, topic: CreatableTopic) -> (i16, Option<String>) {
        let request = CreateTopicsRequest::default().with_topics(vec![topic]);
        let decision = self.with_ids(|image, rules, ids| {
            decide_create_topics(image, rules, &request, ids, &ottla_quota::MutationQuota::UNLIMITED)
        });
        let decision = decision.expect("not refused whole");
        self.apply(decision.records);
        let result = &decision.response.topics[0];
        (result.error_code, result.error_message.as_ref().map(|text| text.as_str().to_owned()))
    }
}

/// What a heartbeat is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    pub is_caught_up: bool,
    pub is_fenced: bool,
    pub should_shut_down: bool,
}

/// A broker with one directory, which serves what `features` says.
pub fn registration(id: i32, incarnation: u64) -> BrokerRegistrationRequest {
    let feature = |feature: Feature| {
        RegisteredFeature::default()
            .with_name(feature.name.into_str())
            .with_min_supported_version(feature.min)
            .with_max_supported_version(feature.max)
    };
    BrokerRegistrationRequest::default()
        .with_broker_id(id.into())
        .with_cluster_id("cluster".into_str())
        .with_incarnation_id(uuid::Uuid::from_u128((id as u128) << 64 | u128::from(incarnation)))
        .with_features(features().into_iter().map(feature).collect())
        .with_log_dirs(vec![uuid::Uuid::from_u128(1000 + id as u128)])
        .with_rack(None)
        .with_previous_broker_epoch(-1)
}

fn rules(config: &BrokerConfig) -> Rules {
    Rules::new(config, features())
}

pub fn topic(name: &str, partitions: i32, factor: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(name.to_owned().into_str().into())
        .with_num_partitions(partitions)
        .with_replication_factor(factor)
}

pub fn config(name: &str, value: Option<&str>) -> CreatableTopicConfig {
    CreatableTopicConfig::default()
        .with_name(name.to_owned().into_str())
        .with_value(value.map(|value| value.to_owned().into_str()))
}

/// Text as the wire's type.
pub trait IntoStr {
    fn into_str(self) -> ottla_protocol::StrBytes;
}

impl IntoStr for String {
    fn into_str(self) -> ottla_protocol::StrBytes {
        ottla_protocol::StrBytes::from_string(self)
    }
}

impl IntoStr for &str {
    fn into_str(self) -> ottla_protocol::StrBytes {
        ottla_protocol::StrBytes::from_string(self.to_owned())
    }
}
