//! Makes the topics of `ottla.topics` before the broker says that it is ready.
//! Shell.

use ottla_model::ErrorCode;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::{CreateTopicsRequest, StrBytes, TopicName};

use crate::rooms::Rooms;
use ottla_config::StartTopic;

const TIMEOUT_MS: i32 = 30_000;

/// What cannot be made stops the start: whoever asked for it would miss it later.
pub async fn make(rooms: &Rooms, topics: &[StartTopic]) -> Result<(), String> {
    let image = rooms.metadata.image();
    let missing: Vec<&StartTopic> =
        topics.iter().filter(|topic| image.topic(&topic.name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let topic = |topic: &&StartTopic| {
        let config = |(key, value): &(String, String)| {
            CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
        };
        CreatableTopic::default()
            .with_name(TopicName(text(&topic.name)))
            .with_num_partitions(topic.partitions)
            .with_replication_factor(-1)
            .with_configs(topic.configs.iter().map(config).collect())
    };
    let request = CreateTopicsRequest::default()
        .with_topics(missing.iter().map(topic).collect())
        .with_timeout_ms(TIMEOUT_MS);
    let answer = rooms.controller.create_topics(request).await;
    let answer = answer.map_err(|error| format!("ottla.topics: {error}"))?;
    for topic in &answer.topics {
        let error = ErrorCode::from_code(topic.error_code);
        // Another node of the cluster was asked for it too.
        if !matches!(error, Some(ErrorCode::None | ErrorCode::TopicAlreadyExists)) {
            let why = topic.error_message.as_deref().unwrap_or("refused");
            return Err(format!("ottla.topics: {} cannot be made: {why}", topic.name.as_str()));
        }
    }
    Ok(())
}
