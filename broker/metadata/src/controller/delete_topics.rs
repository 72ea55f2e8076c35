//! DeleteTopics.
//! Core.

use std::collections::BTreeSet;

use ottla_model::{ErrorCode, TopicId};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use ottla_protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use ottla_protocol::records::metadata::RemoveTopicRecord;
use ottla_quota::MutationQuota;
use uuid::Uuid;

use crate::controller::{ApiError, Decision, Rules, duplicates};
use crate::image::Image;

/// Removes what is there; each name and each id gets an answer of its own. An `Err` refuses the
/// request whole.
pub fn decide_delete_topics(
    image: &Image,
    rules: &Rules,
    request: &DeleteTopicsRequest,
    quota: &MutationQuota,
) -> Result<Decision<DeleteTopicsResponse>, ApiError> {
    if !rules.delete_topic_enable() {
        return Err(ApiError::bare(ErrorCode::TopicDeletionDisabled));
    }
    let mut answers = Answers::default();
    let (mut names, mut ids) = (Vec::new(), Vec::new());
    names.extend(request.topic_names.iter().map(|name| name.as_str()));
    for topic in &request.topics {
        match (&topic.name, topic.topic_id.is_nil()) {
            (Some(name), true) => names.push(name.as_str()),
            (None, false) => ids.push(topic.topic_id),
            (None, true) => {
                answers.refuse(None, Uuid::nil(), invalid("Neither topic name nor id were specified."))
            }
            (Some(name), false) => answers.refuse(
                Some(name.as_str()),
                topic.topic_id,
                invalid("You may not specify both topic name and topic id."),
            ),
        }
    }
    let names_twice = duplicates(names.iter().copied());
    for name in &names_twice.names {
        answers.refuse(Some(name), Uuid::nil(), invalid("Duplicate topic name."));
    }
    names.retain(|name| !names_twice.contains(name));
    let (mut ids_once, mut ids_twice) = (BTreeSet::new(), BTreeSet::new());
    for id in &ids {
        if !ids_once.insert(*id) && ids_twice.insert(*id) {
            answers.refuse(None, *id, invalid("Duplicate topic id."));
        }
    }
    let mut found: Vec<(String, TopicId)> = Vec::new();
    let mut named_too = BTreeSet::new();
    for name in names {
        match image.topic(name) {
            None => answers.refuse(Some(name), Uuid::nil(), default_text(ErrorCode::UnknownTopicOrPartition)),
            Some(topic) if ids_once.contains(&topic.id.0) => {
                named_too.insert(topic.id.0);
                answers.refuse(
                    Some(name),
                    topic.id.0,
                    invalid("The provided topic name maps to an ID that was already supplied."),
                );
            }
            Some(topic) => found.push((name.to_owned(), topic.id)),
        }
    }
    for id in ids_once.iter().filter(|id| !ids_twice.contains(id) && !named_too.contains(id)) {
        match image.topic_by_id(TopicId(*id)) {
            Some(topic) => found.push((topic.name.as_str().to_owned(), topic.id)),
            None => answers.refuse(None, *id, default_text(ErrorCode::UnknownTopicId)),
        }
    }
    let mut records = Vec::new();
    for (name, id) in found {
        let partitions = image.topic(&name).map_or(0, |topic| topic.partitions.len());
        if let Err(exceeded) = quota.record(partitions) {
            answers.refuse(Some(&name), id.0, exceeded.into());
            continue;
        }
        records.push(RemoveTopicRecord { topic_id: id.0, ..RemoveTopicRecord::default() }.into());
        answers.0.push(answer(Some(&name), id.0));
    }
    Ok(Decision { records, response: DeleteTopicsResponse::default().with_responses(answers.0) })
}

#[derive(Default)]
struct Answers(Vec<DeletableTopicResult>);

impl Answers {
    fn refuse(&mut self, name: Option<&str>, id: Uuid, error: ApiError) {
        self.0.push(answer(name, id).with_error_code(error.code()).with_error_message(error.text()));
    }
}

fn answer(name: Option<&str>, id: Uuid) -> DeletableTopicResult {
    DeletableTopicResult::default()
        .with_name(name.map(|name| StrBytes::from_string(name.to_owned()).into()))
        .with_topic_id(id)
        .with_error_message(None)
}

fn invalid(text: &str) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, text)
}

/// A code with the text Kafka gives it by default.
fn default_text(error: ErrorCode) -> ApiError {
    let text = match error {
        ErrorCode::UnknownTopicId => "This server does not host this topic ID.",
        _ => "This server does not host this topic-partition.",
    };
    ApiError::new(error, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::{Cluster, IntoStr, topic};
    use ottla_protocol::messages::delete_topics_request::DeleteTopicState;

    type Answer = (Option<String>, i16, Option<String>);

    fn delete(cluster: &mut Cluster, request: &DeleteTopicsRequest) -> Vec<Answer> {
        let decision =
            decide_delete_topics(cluster.image(), &cluster.rules, request, &MutationQuota::UNLIMITED)
                .expect("a decision");
        cluster.apply(decision.records);
        let text = |text: &StrBytes| text.as_str().to_owned();
        let answer = |result: &DeletableTopicResult| {
            let name = result.name.as_ref().map(|name| text(&name.0));
            (name, result.error_code, result.error_message.as_ref().map(text))
        };
        decision.response.responses.iter().map(answer).collect()
    }

    fn by_name(name: &str) -> DeleteTopicState {
        DeleteTopicState::default().with_name(Some(name.into_str().into()))
    }

    fn by_id(id: Uuid) -> DeleteTopicState {
        DeleteTopicState::default().with_name(None).with_topic_id(id)
    }

    fn named(name: &str, code: i16, text: Option<&str>) -> Answer {
        (Some(name.to_owned()), code, text.map(str::to_owned))
    }

    #[test]
    fn a_topic_goes_by_name_or_id_with_all_that_was_known() {
        let mut cluster = Cluster::of(&[1]);
        cluster.create(topic("a.x", 2, 1));
        cluster.create(topic("b", 2, 1));
        let id = cluster.image().topic("b").expect("b").id.0;
        let request = DeleteTopicsRequest::default().with_topics(vec![by_name("a.x"), by_id(id)]);
        let answers = delete(&mut cluster, &request);
        assert!(answers.contains(&named("a.x", 0, None)) && answers.contains(&named("b", 0, None)));
        assert_eq!((cluster.image().topic_count(), cluster.image().partition_count()), (0, 0));
        assert_eq!(cluster.image().topic_by_id(TopicId(id)), None);
        // The name it collided with is free again.
        assert_eq!(cluster.create(topic("a_x", 1, 1)).0, 0);
    }

    #[test]
    fn each_rule_has_kafka_s_code_and_text() {
        let mut cluster = Cluster::of(&[1]);
        cluster.create(topic("a", 1, 1));
        let id = cluster.image().topic("a").expect("a").id.0;
        let request = DeleteTopicsRequest::default().with_topics(vec![
            by_name("no"),
            by_id(Uuid::from_u128(77)),
            by_id(Uuid::nil()),
            by_name("twice"),
            by_name("twice"),
            by_name("a").with_topic_id(id),
        ]);
        let answers = delete(&mut cluster, &request);
        let expected = [
            (None, 42, Some("Neither topic name nor id were specified.".to_owned())),
            named("a", 42, Some("You may not specify both topic name and topic id.")),
            named("twice", 42, Some("Duplicate topic name.")),
            named("no", 3, Some("This server does not host this topic-partition.")),
            (None, 100, Some("This server does not host this topic ID.".to_owned())),
        ];
        assert_eq!(answers, expected);
        let request = DeleteTopicsRequest::default().with_topics(vec![by_name("a"), by_id(id)]);
        let text = "The provided topic name maps to an ID that was already supplied.";
        assert_eq!(delete(&mut cluster, &request), [named("a", 42, Some(text))]);
        assert_eq!(cluster.image().topic_count(), 1);
    }

    #[test]
    fn deletion_can_be_switched_off() {
        let cluster = Cluster::configured(&[1], &[("delete.topic.enable", "false")]);
        let (request, quota) = (DeleteTopicsRequest::default(), MutationQuota::UNLIMITED);
        let refused = decide_delete_topics(cluster.image(), &cluster.rules, &request, &quota).err();
        assert_eq!(refused.map(|error| error.error), Some(ErrorCode::TopicDeletionDisabled));
    }
}
