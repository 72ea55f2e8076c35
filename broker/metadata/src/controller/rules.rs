//! What this broker's configuration says to the controller.
//! Core.

use std::collections::BTreeMap;

use ottla_model::{BrokerId, TopicName};
use ottla_protocol::messages::create_topics_response::CreatableTopicConfigs;

use crate::controller::ApiError;
use crate::controller::features::Feature;
use crate::image::{ConfigResource, Image, ResourceType};

#[derive(Clone, Debug)]
pub struct Rules {
    pub node_id: BrokerId,
    pub num_partitions: i32,
    pub default_replication_factor: i16,
    pub delete_topic_enable: bool,
    pub features: Vec<Feature>,
}

/// The shape an internal topic needs.
pub struct InternalTopic {
    pub partitions: i32,
    pub replication_factor: i16,
    pub configs: Vec<(&'static str, String)>,
}

impl Rules {
    pub fn validate(
        &self,
        _resource: &ConfigResource,
        _settings: &BTreeMap<String, String>,
        _existing: &BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        Ok(())
    }

    pub fn is_list(&self, _resource_type: ResourceType, _name: &str) -> bool {
        false
    }

    pub fn default_value(&self, _resource_type: ResourceType, _name: &str) -> Option<String> {
        None
    }

    pub fn describe_new_topic(
        &self,
        _image: &Image,
        _overrides: &BTreeMap<String, String>,
    ) -> Vec<CreatableTopicConfigs> {
        Vec::new()
    }

    pub fn internal_topic(&self, _name: &TopicName) -> Option<InternalTopic> {
        None
    }
}
