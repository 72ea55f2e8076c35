//! What tests of the controller share: a cluster of given brokers, and a way to apply a decision.
//! Core.

use ottla_config::BrokerConfig;
use ottla_model::{BrokerId, LeaderEpoch, TopicId};
use ottla_protocol::messages::CreateTopicsRequest;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::records::metadata::{MetadataRecord, RegisterBrokerRecord};

use crate::controller::create_topics::decide_create_topics;
use crate::controller::features::Feature;
use crate::controller::{Rules, TopicIds};
use crate::image::Image;
use crate::replay::Working;

/// A cluster in memory: decisions are applied at once.
pub struct Cluster {
    pub working: Working,
    pub rules: Rules,
    next_id: u128,
}

pub fn features() -> Vec<Feature> {
    let feature = |name: &str, min, max, finalized| Feature { name: name.to_owned(), min, max, finalized };
    vec![
        feature("metadata.version", 7, 30, 30),
        feature("transaction.version", 0, 2, 0),
        feature("group.version", 0, 1, 0),
    ]
}

impl Cluster {
    pub fn of(brokers: &[i32]) -> Cluster {
        Cluster::configured(brokers, &[])
    }

    pub fn configured(brokers: &[i32], overrides: &[(&str, &str)]) -> Cluster {
        let mut given = vec![("node.id".to_owned(), "1".to_owned())];
        given.extend(overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let (config, _warnings) = ottla_config::load(None, &[], &given).expect("a valid configuration");
        let mut cluster = Cluster {
            working: Working::new(Image::empty("cluster", BrokerId(1))),
            rules: rules(&config),
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
