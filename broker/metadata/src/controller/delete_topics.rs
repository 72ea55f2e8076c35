//! DeleteTopics.
//! Core.

use std::collections::BTreeSet;

use ottla_model::{ErrorCode, TopicId};
use ottla_protocol::StrBytes;
use ottla_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use ottla_protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use ottla_protocol::records::metadata::RemoveTopicRecord;
use uuid::Uuid;

use crate::controller::{ApiError, Decision, Rules, duplicates};
use crate::image::Image;

/// Removes what is there; each name and each id gets an answer of its own. An `Err` refuses the
/// request whole.
pub fn decide_delete_topics(
    image: &Image,
    rules: &Rules,
    request: &DeleteTopicsRequest,
    version: i16,
) -> Result<Decision<DeleteTopicsResponse>, ApiError> {
    if !rules.delete_topic_enable {
        return Err(match version {
            ..3 => ApiError::new(ErrorCode::InvalidRequest, "Topic deletion is disabled."),
            _ => ApiError::bare(ErrorCode::TopicDeletionDisabled),
        });
    }
    let mut answers = Answers::default();
    let (mut names, mut ids) = (Vec::new(), Vec::new());
    names.extend(request.topic_names.iter().map(|name| name.as_str()));
    for topic in &request.topics {
        match (&topic.name, topic.topic_id.is_nil()) {
            (Some(name), true) => names.push(name.as_str()),
            (None, false) => ids.push(topic.topic_id),
            (None, true) => answers.refuse(None, Uuid::nil(), invalid("Neither topic name nor id were specified.")),
            (Some(name), false) => answers.refuse(
                Some(name.as_str()),
                topic.topic_id,
                invalid("You may not specify both topic name and topic id."),
            ),
        }
    }
    let names_twice = duplicates(names.iter().copied());
    for name in &names_twice {
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
    for id in ids.iter().filter(|id| !ids_twice.contains(id)) {
        match image.topic_by_id(TopicId(*id)) {
            Some(topic) => found.push((topic.name.as_str().to_owned(), topic.id)),
            None => answers.refuse(None, *id, default_text(ErrorCode::UnknownTopicId)),
        }
    }
    for name in names {
        match image.topic(name) {
            None => answers.refuse(Some(name), Uuid::nil(), default_text(ErrorCode::UnknownTopicOrPartition)),
            Some(topic) if ids_once.contains(&topic.id.0) => {
                found.retain(|(_, id)| *id != topic.id);
                answers.refuse(
                    Some(name),
                    topic.id.0,
                    invalid("The provided topic name maps to an ID that was already supplied."),
                );
            }
            Some(topic) => found.push((name.to_owned(), topic.id)),
        }
    }
    let mut records = Vec::new();
    for (name, id) in found {
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
