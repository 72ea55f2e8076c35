//! CreateTopics and the automatic creation of topics.
//! Core.

use std::collections::{BTreeMap, HashMap};

use ottla_model::{BrokerId, ErrorCode, TopicId, TopicName};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use ottla_protocol::messages::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};
use ottla_protocol::records::metadata::{ConfigRecord, MetadataRecord, PartitionRecord, TopicRecord};
use ottla_quota::MutationQuota;

use crate::controller::placement::{new_partition, place, validate_manual};
use crate::controller::{ApiError, Decision, PARTITIONS_PER_REQUEST_MAX, Rules, TopicIds, duplicates};
use crate::image::{ConfigResource, Image, ResourceType, collision_name};
use crate::metadata_log::CLUSTER_METADATA_TOPIC;

/// Creates what can be created; every name gets an answer of its own. An `Err` refuses the request
/// whole: each of its topics is answered so.
pub fn decide_create_topics(
    image: &Image,
    rules: &Rules,
    request: &CreateTopicsRequest,
    topic_ids: TopicIds<'_>,
    quota: &MutationQuota,
) -> Result<Decision<CreateTopicsResponse>, ApiError> {
    let twice = duplicates(request.topics.iter().map(|topic| topic.name.as_str()));
    let is_asked = |topic: &&CreatableTopic| {
        !twice.contains(&topic.name) && topic.name.as_str() != CLUSTER_METADATA_TOPIC
    };
    let asked: Vec<&CreatableTopic> = request.topics.iter().filter(is_asked).collect();
    validate_total_partitions(&asked, rules)?;

    let mut records = Vec::new();
    let mut response = CreateTopicsResponse::default();
    for topic in &asked {
        let result = decide_topic(image, rules, topic, topic_ids, quota, &mut records);
        response.topics.push(result.unwrap_or_else(|error| refused(&topic.name, &error)));
    }
    let text = "Duplicate topic name.";
    for name in &twice.names {
        let error = ApiError::new(ErrorCode::InvalidRequest, text);
        response.topics.push(refused(&StrBytes::from_string((*name).to_owned()), &error));
    }
    if request.topics.iter().any(|topic| topic.name.as_str() == CLUSTER_METADATA_TOPIC)
        && !twice.contains(CLUSTER_METADATA_TOPIC)
    {
        let text = format!("Creation of internal topic {CLUSTER_METADATA_TOPIC} is prohibited.");
        let error = ApiError::new(ErrorCode::InvalidRequest, text);
        response.topics.push(refused(&StrBytes::from_static_str(CLUSTER_METADATA_TOPIC), &error));
    }
    if request.validate_only {
        records.clear();
    }
    Ok(Decision { records, response })
}

/// The answer for one topic that is not created.
pub fn refused(name: &StrBytes, error: &ApiError) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(name.clone().into())
        .with_error_code(error.code())
        .with_error_message(error.text())
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_configs(Some(Vec::new()))
}

fn validate_total_partitions(topics: &[&CreatableTopic], rules: &Rules) -> Result<(), ApiError> {
    let total: usize = topics
        .iter()
        .map(|topic| match (topic.assignments.len(), topic.num_partitions) {
            (0, -1) => rules.num_partitions() as usize,
            (0, count) => usize::try_from(count).unwrap_or(0),
            (count, _) => count,
        })
        .fold(0, usize::saturating_add);
    if total > PARTITIONS_PER_REQUEST_MAX {
        let text = "Excessively large number of partitions per request.";
        return Err(ApiError::new(ErrorCode::PolicyViolation, text));
    }
    Ok(())
}

fn decide_topic(
    image: &Image,
    rules: &Rules,
    topic: &CreatableTopic,
    topic_ids: TopicIds<'_>,
    quota: &MutationQuota,
    records: &mut Vec<MetadataRecord>,
) -> Result<CreatableTopicResult, ApiError> {
    let name = TopicName::new(topic.name.as_str());
    validate_name(image, &name)?;
    let overrides = validate_configs(rules, topic)?;
    let id = topic_ids();
    let partitions = match topic.assignments.is_empty() {
        true => place_partitions(image, rules, topic, id)?,
        false => assigned_partitions(image, topic)?,
    };
    // What cannot be made is not counted (`ReplicationControlManager.createTopic`).
    quota.record(partitions.len())?;
    let describes = rules.describe_new_topic(&overrides);
    let result = CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_topic_id(id.0)
        .with_error_message(None)
        .with_num_partitions(partitions.len() as i32)
        .with_replication_factor(partitions.first().map_or(0, |first| first.replicas.len() as i16))
        .with_configs(Some(describes));

    records.push(TopicRecord { name: topic.name.0.clone(), topic_id: id.0, ..TopicRecord::default() }.into());
    for (key, value) in overrides {
        let record = ConfigRecord {
            resource_type: ResourceType::Topic.code(),
            resource_name: topic.name.0.clone(),
            name: StrBytes::from_string(key),
            value: Some(StrBytes::from_string(value)),
            ..ConfigRecord::default()
        };
        records.push(record.into());
    }
    for mut partition in partitions {
        partition.topic_id = id.0;
        records.push(partition.into());
    }
    Ok(result)
}

fn validate_name(image: &Image, name: &TopicName) -> Result<(), ApiError> {
    if image.topic(name.as_str()).is_some() {
        let text = format!("Topic '{name}' already exists.");
        return Err(ApiError::new(ErrorCode::TopicAlreadyExists, text));
    }
    let colliding = collision_name(name.as_str())
        .and_then(|key| image.collisions.get(&key))
        .and_then(|names| names.keys().next());
    if let Some(other) = colliding {
        let text = format!("Topic '{name}' collides with existing topic: {other}");
        return Err(ApiError::new(ErrorCode::InvalidTopicException, text));
    }
    name.validate().map_err(|error| ApiError::new(ErrorCode::InvalidTopicException, error.to_string()))
}

fn validate_configs(rules: &Rules, topic: &CreatableTopic) -> Result<BTreeMap<String, String>, ApiError> {
    let nulls: Vec<&str> = topic
        .configs
        .iter()
        .filter(|config| config.value.is_none())
        .map(|config| config.name.as_str())
        .collect();
    if !nulls.is_empty() {
        let text = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return Err(ApiError::new(ErrorCode::InvalidConfig, text));
    }
    let overrides: BTreeMap<String, String> = topic
        .configs
        .iter()
        .filter_map(|config| {
            Some((config.name.as_str().to_owned(), config.value.as_ref()?.as_str().to_owned()))
        })
        .collect();
    if !overrides.is_empty() {
        let resource = ConfigResource::new(ResourceType::Topic, topic.name.as_str());
        rules.validate(&resource, &overrides, &BTreeMap::new())?;
    }
    Ok(overrides)
}

fn place_partitions(
    image: &Image,
    rules: &Rules,
    topic: &CreatableTopic,
    id: TopicId,
) -> Result<Vec<PartitionRecord>, ApiError> {
    if topic.replication_factor < -1 || topic.replication_factor == 0 {
        let text = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(ApiError::new(ErrorCode::InvalidReplicationFactor, text));
    }
    if topic.num_partitions < -1 || topic.num_partitions == 0 {
        let text = "Number of partitions was set to an invalid non-positive value.";
        return Err(ApiError::new(ErrorCode::InvalidPartitions, text));
    }
    let count = if topic.num_partitions == -1 { rules.num_partitions() } else { topic.num_partitions };
    let factor = match topic.replication_factor {
        -1 => rules.default_replication_factor(),
        given => given,
    };
    let refuse = |text: &str| {
        let text = format!("Unable to replicate the partition {factor} time(s): {text}");
        ApiError::new(ErrorCode::InvalidReplicationFactor, text)
    };
    let places = place(image, id, 0, count as usize, factor)
        .map_err(|error| refuse(error.message.as_deref().unwrap_or_default()))?;
    let partition = |(index, replicas): (usize, &Vec<BrokerId>)| {
        new_partition(image, uuid::Uuid::nil(), index, replicas)
            .ok_or_else(|| refuse("All brokers are currently fenced or in controlled shutdown."))
    };
    places.iter().enumerate().map(partition).collect()
}

fn assigned_partitions(image: &Image, topic: &CreatableTopic) -> Result<Vec<PartitionRecord>, ApiError> {
    let refuse_request = |what: &str| {
        let text = format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Err(ApiError::new(ErrorCode::InvalidRequest, text))
    };
    if topic.replication_factor != -1 {
        return refuse_request("replication factor");
    }
    if topic.num_partitions != -1 {
        return refuse_request("numPartitions");
    }
    let refuse = |text: String| ApiError::new(ErrorCode::InvalidReplicaAssignment, text);
    let mut by_index = HashMap::new();
    let mut factor = None;
    for assignment in &topic.assignments {
        let index = assignment.partition_index;
        if by_index.contains_key(&index) {
            return Err(refuse(format!("Found multiple manual partition assignments for partition {index}")));
        }
        let replicas: Vec<BrokerId> = assignment.broker_ids.iter().map(|id| BrokerId(id.0)).collect();
        validate_manual(image, &replicas, factor)?;
        factor = Some(replicas.len());
        let record = new_partition(image, uuid::Uuid::nil(), index.max(0) as usize, &replicas).ok_or_else(|| {
            refuse(format!(
                "All brokers specified in the manual partition assignment for partition {index} are fenced or \
                 in controlled shutdown."
            ))
        })?;
        by_index.insert(index, record);
    }
    (0..by_index.len() as i32)
        .map(|index| {
            by_index.remove(&index).ok_or_else(|| {
                refuse("partitions should be a consecutive 0-based integer sequence".to_owned())
            })
        })
        .collect()
}

/// What automatic creation asks for, on behalf of a client or of the broker itself: internal topics
/// get the shape their owner needs, all others the broker's defaults.
pub fn auto_create_request(image: &Image, rules: &Rules, names: &[TopicName]) -> CreateTopicsRequest {
    let topic = |name: &TopicName| {
        let mut topic = CreatableTopic::default()
            .with_name(StrBytes::from_string(name.as_str().to_owned()).into())
            .with_num_partitions(-1)
            .with_replication_factor(-1);
        if let Some(internal) = rules.internal_topic(name) {
            // A cluster smaller than the configured factor gets what it can hold; Kafka would
            // refuse until enough brokers are there, and clients would wait for ever. Nodes that are
            // named and not there yet are waited for.
            let brokers = image.brokers().count().max(rules.brokers_named()).max(1) as i16;
            topic.num_partitions = internal.partitions;
            topic.replication_factor = internal.replication_factor.min(brokers);
            topic.configs = internal
                .configs
                .into_iter()
                .map(|(key, value)| {
                    CreatableTopicConfig::default()
                        .with_name(StrBytes::from_static_str(key))
                        .with_value(Some(StrBytes::from_string(value)))
                })
                .collect();
        }
        topic
    };
    CreateTopicsRequest::default().with_topics(names.iter().map(topic).collect()).with_timeout_ms(30_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::{Cluster, config, topic};
    use ottla_model::{LeaderEpoch, PartitionIndex};
    use ottla_protocol::messages::create_topics_request::CreatableReplicaAssignment;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_topic_on_one_node_is_led_by_it() {
        let mut cluster = Cluster::of(&[1]);
        assert_eq!(cluster.create(topic("orders", 3, 1)), (0, None));
        let image = cluster.image();
        let made = image.topic("orders").expect("the topic");
        assert_eq!((made.partitions.len(), image.partition_count()), (3, 3));
        let partition = made.partition(PartitionIndex(2)).expect("the last partition");
        assert_eq!(partition.leader, Some(BrokerId(1)));
        assert_eq!((partition.leader_epoch, partition.partition_epoch), (LeaderEpoch(0), 0));
        assert_eq!(partition.isr, partition.replicas);
        assert_eq!(
            image.topic_by_id(made.id).map(|topic| topic.name.clone()),
            Some(TopicName::new("orders"))
        );
    }

    #[test]
    fn each_rule_has_kafka_s_code_and_text() {
        let mut cluster = Cluster::of(&[1]);
        assert_eq!(cluster.create(topic("a.b", 1, 1)), (0, None));
        let cases = [
            (topic("a.b", 1, 1), 36, "Topic 'a.b' already exists."),
            (topic("a_b", 1, 1), 17, "Topic 'a_b' collides with existing topic: a.b"),
            (topic("..", 1, 1), 17, "Topic name is invalid: '..' is not allowed"),
            (topic("t", 0, 1), 37, "Number of partitions was set to an invalid non-positive value."),
            (
                topic("t", 1, 0),
                38,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            ),
            (
                topic("t", 1, 2),
                38,
                "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be \
                 reached because only 1 broker(s) are registered or some brokers have all their log \
                 directories cordoned.",
            ),
            (
                topic("t", 1, 1).with_configs(vec![config("retention.ms", None), config("x", None)]),
                40,
                "Null value not supported for topic configs: retention.ms,x",
            ),
            (
                topic("t", 1, 1).with_configs(vec![config("no.such", Some("1"))]),
                40,
                "Unknown topic config name: no.such",
            ),
        ];
        for (asked, code, message) in cases {
            assert_eq!(cluster.create(asked), (code, text(message)));
        }
        assert_eq!(cluster.image().topic_count(), 1);
    }

    #[test]
    fn what_is_not_said_is_the_broker_s_default() {
        let mut cluster = Cluster::configured(&[1], &[("num.partitions", "4")]);
        assert_eq!(cluster.create(topic("t", -1, -1)), (0, None));
        assert_eq!(cluster.image().topic("t").map(|topic| topic.partitions.len()), Some(4));
    }

    #[test]
    fn the_answer_lists_all_settings_and_the_image_the_overrides() {
        let mut cluster = Cluster::of(&[1]);
        let asked = topic("t", 1, 1).with_configs(vec![config("retention.ms", Some("5000"))]);
        let request = CreateTopicsRequest::default().with_topics(vec![asked]);
        let decision = cluster.with_ids(|image, rules, ids| {
            decide_create_topics(image, rules, &request, ids, &MutationQuota::UNLIMITED)
        });
        let decision = decision.expect("a decision");
        let result = &decision.response.topics[0];
        assert_eq!((result.num_partitions, result.replication_factor), (1, 1));
        let configs = result.configs.as_ref().expect("settings");
        assert_eq!(configs.len(), 33);
        let retention =
            configs.iter().find(|entry| entry.name.as_str() == "retention.ms").expect("retention");
        assert_eq!(retention.value.as_deref(), Some("5000"));
        assert_eq!(retention.config_source, 1);
        cluster.apply(decision.records);
        assert_eq!(
            cluster.image().topic_overrides("t").get("retention.ms").map(String::as_str),
            Some("5000")
        );
    }

    #[test]
    fn asking_whether_changes_nothing() {
        let mut cluster = Cluster::of(&[1]);
        let request =
            CreateTopicsRequest::default().with_topics(vec![topic("t", 2, 1)]).with_validate_only(true);
        let decision = cluster.with_ids(|image, rules, ids| {
            decide_create_topics(image, rules, &request, ids, &MutationQuota::UNLIMITED)
        });
        let decision = decision.expect("a decision");
        assert!(decision.records.is_empty());
        assert_eq!(decision.response.topics[0].error_code, 0);
        assert_eq!(decision.response.topics[0].num_partitions, 2);
    }

    #[test]
    fn a_name_given_twice_is_refused_and_the_others_are_made() {
        let mut cluster = Cluster::of(&[1]);
        let topics =
            vec![topic("a", 1, 1), topic("b", 1, 1), topic("a", 1, 1), topic("__cluster_metadata", 1, 1)];
        let request = CreateTopicsRequest::default().with_topics(topics);
        let decision = cluster.with_ids(|image, rules, ids| {
            decide_create_topics(image, rules, &request, ids, &MutationQuota::UNLIMITED)
        });
        let answers: Vec<(String, i16)> = decision
            .expect("a decision")
            .response
            .topics
            .iter()
            .map(|topic| (topic.name.as_str().to_owned(), topic.error_code))
            .collect();
        let expected = [("b", 0), ("a", 42), ("__cluster_metadata", 42)];
        assert_eq!(answers, expected.map(|(name, code)| (name.to_owned(), code)));
    }

    #[test]
    fn more_partitions_than_a_request_may_make_refuse_it_whole() {
        let mut cluster = Cluster::of(&[1]);
        let request =
            CreateTopicsRequest::default().with_topics(vec![topic("a", 9_000, 1), topic("b", 1_001, 1)]);
        let decision = cluster.with_ids(|image, rules, ids| {
            decide_create_topics(image, rules, &request, ids, &MutationQuota::UNLIMITED)
        });
        let text = "Excessively large number of partitions per request.";
        assert_eq!(decision.err(), Some(ApiError::new(ErrorCode::PolicyViolation, text)));
    }

    fn assigned(name: &str, partitions: &[(i32, &[i32])]) -> CreatableTopic {
        let assignment = |(index, brokers): &(i32, &[i32])| {
            CreatableReplicaAssignment::default()
                .with_partition_index(*index)
                .with_broker_ids(brokers.iter().map(|id| (*id).into()).collect())
        };
        topic(name, -1, -1).with_assignments(partitions.iter().map(assignment).collect())
    }

    #[test]
    fn a_client_may_choose_the_replicas() {
        let mut cluster = Cluster::of(&[1, 2, 3]);
        assert_eq!(cluster.create(assigned("t", &[(1, &[3, 1]), (0, &[2, 3])])), (0, None));
        let made = cluster.image().topic("t").expect("the topic").clone();
        assert_eq!(made.partitions[0].leader, Some(BrokerId(2)));
        assert_eq!(made.partitions[1].replicas.as_slice(), [BrokerId(3), BrokerId(1)]);
        let cases = [
            (
                assigned("u", &[(0, &[1]), (0, &[2])]),
                "Found multiple manual partition assignments for partition 0",
            ),
            (assigned("u", &[(1, &[1])]), "partitions should be a consecutive 0-based integer sequence"),
            (assigned("u", &[(0, &[])]), "The manual partition assignment includes an empty replica list."),
            (
                assigned("u", &[(0, &[9])]),
                "The manual partition assignment includes broker 9, but no such broker is registered.",
            ),
            (
                assigned("u", &[(0, &[1, 1])]),
                "The manual partition assignment includes the broker 1 more than once.",
            ),
            (
                assigned("u", &[(0, &[1]), (1, &[1, 2])]),
                "The manual partition assignment includes a partition with 2 replica(s), but this is not \
                 consistent with previous partitions, which have 1 replica(s).",
            ),
        ];
        for (asked, message) in cases {
            assert_eq!(cluster.create(asked), (39, text(message)));
        }
        let both = assigned("u", &[(0, &[1])]).with_replication_factor(1);
        let message =
            "A manual partition assignment was specified, but replication factor was not set to -1.";
        assert_eq!(cluster.create(both), (42, text(message)));
    }

    #[test]
    fn the_offsets_topic_is_made_in_its_shape() {
        let mut cluster = Cluster::configured(&[1], &[("offsets.topic.replication.factor", "3")]);
        let names = [TopicName::new("__consumer_offsets"), TopicName::new("plain")];
        let request = auto_create_request(cluster.image(), &cluster.rules, &names);
        let decision = cluster.with_ids(|image, rules, ids| {
            decide_create_topics(image, rules, &request, ids, &MutationQuota::UNLIMITED)
        });
        cluster.apply(decision.expect("a decision").records);
        let offsets = cluster.image().topic("__consumer_offsets").expect("the offsets topic").clone();
        assert!(offsets.internal);
        assert_eq!((offsets.partitions.len(), offsets.replication_factor()), (50, 1));
        let expected =
            [("cleanup.policy", "compact"), ("compression.type", "producer"), ("segment.bytes", "104857600")];
        let overrides: Vec<(&str, &str)> =
            offsets.overrides.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(overrides, expected);
        assert!(cluster.image().topic("plain").is_some_and(|topic| topic.overrides.is_empty()));
    }
}
