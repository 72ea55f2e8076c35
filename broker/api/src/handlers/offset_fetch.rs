//! OffsetFetch (key 9), versions 1-10: how far a group read.
//! Core over the coordinator's interface.
//!
//! - v2: null topics ask for all. v3: throttle time. v5: leader epochs. v6: flexible. v7: require-stable
//!   (KIP-447). v8: several groups (KIP-709). v9: member epochs (KIP-848). v10: topic ids.

use ottla_metadata::Image;
use ottla_model::{ErrorCode, TopicId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::offset_fetch_request::{OffsetFetchRequestTopic, OffsetFetchRequestTopics};
use ottla_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use ottla_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

use super::prelude::*;
use crate::{group_offsets, groups};

pub const API: Api = Api { key: ApiKey::OffsetFetch, min: 1, max: 10, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: OffsetFetchRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let image = broker.image();
    let fetch = |body: &OffsetFetchRequest, image: &Arc<Image>| {
        let topics = groups::Topics(image.clone());
        group_offsets::fetch(request.version(), body, &topics, |wanted| broker.groups.fetch_offsets(wanted))
    };
    if !access.is_limited() {
        let reply = fetch(&body, &image);
        return groups::relay(request, reply);
    }
    if request.version() >= 8 {
        let seen = Seen { access, image, by_id: request.version() >= 10 };
        let refused = seen.take_groups(&mut body);
        let reply = fetch(&body, &seen.image).map(move |response| seen.complete(response, refused));
        return groups::relay(request, reply);
    }
    if !access.group(AclOperation::Describe, &body.group_id) {
        return request.ready(&refuse_group(&body, request.version()));
    }
    let asks_all = body.topics.is_none();
    let unauthorized = body
        .topics
        .as_mut()
        .map(|topics| access.take_refused(topics, |topic| access.topic(AclOperation::Describe, &topic.name)));
    let reply = fetch(&body, &image).map(move |mut response| {
        if response.error_code == 0 {
            if asks_all {
                let quiet = access.quietly();
                response.topics.retain(|topic| quiet.topic(AclOperation::Describe, &topic.name));
            }
            let refused = |topic| refuse_topic(topic, ErrorCode::TopicAuthorizationFailed);
            response.topics.extend(unauthorized.iter().flatten().map(refused));
        }
        response
    });
    groups::relay(request, reply)
}

/// `OffsetFetchResponse.groupError`: before v2 there was no place for an error but at each partition.
fn refuse_group(body: &OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
    let error = ErrorCode::GroupAuthorizationFailed;
    if version >= 2 {
        return OffsetFetchResponse { error_code: error.code(), ..Default::default() };
    }
    let topics = body.topics.iter().flatten().map(|topic| refuse_topic(topic, error));
    OffsetFetchResponse { topics: topics.collect(), ..Default::default() }
}

fn refuse_topic(topic: &OffsetFetchRequestTopic, error: ErrorCode) -> OffsetFetchResponseTopic {
    let partitions = topic.partition_indexes.iter().map(|index| OffsetFetchResponsePartition {
        partition_index: *index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(StrBytes::default()),
        error_code: error.code(),
        ..Default::default()
    });
    OffsetFetchResponseTopic {
        name: topic.name.clone(),
        partitions: partitions.collect(),
        ..Default::default()
    }
}

/// What the client may see of the groups it asks for (v8 and up).
struct Seen {
    access: Access,
    image: Arc<Image>,
    by_id: bool,
}

/// What is added to the coordinator's answer.
struct Refused {
    groups: Vec<OffsetFetchResponseGroup>,
    /// By the group's place in what is left of the request; `None` where all topics were asked for.
    topics: Vec<Option<Vec<OffsetFetchResponseTopics>>>,
}

impl Seen {
    fn may_see(&self, name: &str, id: uuid::Uuid) -> bool {
        match self.by_id {
            // An id that nobody has is told as such.
            true => self
                .image
                .topic_by_id(TopicId(id))
                .is_none_or(|topic| self.access.topic(AclOperation::Describe, topic.name.as_str())),
            false => self.access.topic(AclOperation::Describe, name),
        }
    }

    fn take_groups(&self, body: &mut OffsetFetchRequest) -> Refused {
        let unauthorized = self.access.take_refused(&mut body.groups, |group| {
            self.access.group(AclOperation::Describe, &group.group_id)
        });
        let refused = unauthorized.into_iter().map(|group| OffsetFetchResponseGroup {
            group_id: group.group_id,
            error_code: ErrorCode::GroupAuthorizationFailed.code(),
            ..Default::default()
        });
        let groups = refused.collect();
        let topics = body.groups.iter_mut().map(|group| {
            let topics = group.topics.as_mut()?;
            let refused = self.access.take_refused(topics, |topic| self.may_see(&topic.name, topic.topic_id));
            Some(refused.iter().map(refuse_topic_of_group).collect())
        });
        Refused { groups, topics: topics.collect() }
    }

    fn complete(&self, mut response: OffsetFetchResponse, refused: Refused) -> OffsetFetchResponse {
        for (group, topics) in response.groups.iter_mut().zip(refused.topics) {
            if group.error_code != 0 {
                continue;
            }
            match topics {
                Some(topics) => group.topics.extend(topics),
                None => group.topics.retain(|topic| self.may_see(&topic.name, topic.topic_id)),
            }
        }
        response.groups.extend(refused.groups);
        response
    }
}

fn refuse_topic_of_group(topic: &OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
    let partitions = topic.partition_indexes.iter().map(|index| OffsetFetchResponsePartitions {
        partition_index: *index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(StrBytes::default()),
        error_code: ErrorCode::TopicAuthorizationFailed.code(),
        ..Default::default()
    });
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
        ..Default::default()
    }
}
