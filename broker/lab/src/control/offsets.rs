//! `/groups/G/offsets`: what a group has committed, by hand.
//! Shell. By OffsetCommit and OffsetDelete, as Kafka's tools do it: for a group without members.

use std::collections::BTreeMap;

use ottla_admin::Asked;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::{
    FindCoordinatorRequest, GroupId, OffsetCommitRequest, OffsetDeleteRequest, TopicName,
};
use serde_json::{Value as Json, json};

use super::groups::{describe, offsets};
use super::records::partition_count;
use super::reply::{self, Failed, Reply, ok};
use super::reset::{LOOKS_MAX, wait};
use crate::bad::Bad;
use crate::cluster::Cluster;
use crate::inside::ask;
use crate::words::code_name;

pub const OF_GROUPS: i8 = 0;
pub const OF_TRANSACTIONS: i8 = 1;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn broken(why: impl Into<String>) -> Failed {
    Failed::of(500, why)
}

/// Waits until a key has a coordinator: the first one makes its topic.
pub async fn coordinator(cluster: &Cluster, key: &str, kind: i8) -> Result<(), Failed> {
    let request = FindCoordinatorRequest::default().with_key(text(key)).with_key_type(kind);
    for _look in 0..LOOKS_MAX {
        let answer = ask(cluster, 3, &request).await.map_err(broken)?;
        match code_name(answer.error_code).as_str() {
            "NONE" => return Ok(()),
            "COORDINATOR_NOT_AVAILABLE" | "COORDINATOR_LOAD_IN_PROGRESS" => wait(cluster).await,
            other => return Err(broken(other)),
        }
    }
    Err(broken("there is no coordinator"))
}

struct Given {
    topic: String,
    partition: i32,
    offset: i64,
}

fn given(json: &Json) -> Result<Given, Bad> {
    let Json::Object(words) = json else { return Err(Bad::new("", "an object of topic, partition, offset")) };
    let known = ["topic", "partition", "offset"];
    if let Some(other) = words.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Bad::new(other, "is not known; there are topic, partition, offset"));
    }
    let topic = words.get("topic").and_then(Json::as_str);
    let topic = topic.ok_or_else(|| Bad::new("topic", "the name of a topic"))?.to_owned();
    let partition =
        words.get("partition").and_then(Json::as_i64).and_then(|number| i32::try_from(number).ok());
    let partition = partition.filter(|number| *number >= 0);
    let offset = words.get("offset").and_then(Json::as_i64).filter(|offset| *offset >= 0);
    Ok(Given {
        topic,
        partition: partition.ok_or_else(|| Bad::new("partition", "a whole number from 0"))?,
        offset: offset.ok_or_else(|| Bad::new("offset", "a whole number from 0"))?,
    })
}

/// All of them, or none.
pub async fn put(cluster: &Cluster, group: &str, asked: &Asked) -> Reply {
    let body = reply::body(asked)?;
    let list = match &body {
        Json::Array(list) => list,
        Json::Object(words) if words.len() == 1 && words.contains_key("offsets") => {
            words["offsets"].as_array().ok_or_else(|| Bad::new("offsets", "a list"))?
        }
        _other => {
            return Err(Bad::new("offsets", "a list of topic, partition, offset, and nothing else").into());
        }
    };
    let mut topics: BTreeMap<String, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for (place, json) in list.iter().enumerate() {
        let within = |bad: Bad| bad.within(&format!("offsets[{place}]"));
        let Given { topic, partition, offset } = given(json).map_err(within)?;
        let count = partition_count(cluster, &topic, false)
            .await
            .map_err(|failed| Failed::bad(within(Bad::new("topic", failed.to_string()))))?;
        if partition >= count {
            let why = format!("the topic has the partitions 0 to {}", count - 1);
            return Err(within(Bad::new("partition", why)).into());
        }
        let of_topic = topics.entry(topic).or_default();
        if of_topic.iter().any(|known| known.partition_index == partition) {
            return Err(within(Bad::new("partition", "stands there twice")).into());
        }
        of_topic.push(OffsetCommitRequestPartition {
            partition_index: partition,
            committed_offset: offset,
            committed_leader_epoch: -1,
            ..Default::default()
        });
    }
    if topics.is_empty() {
        return Err(Bad::new("offsets", "the list is empty").into());
    }
    coordinator(cluster, group, OF_GROUPS).await?;
    let topics = topics.into_iter().map(|(name, partitions)| OffsetCommitRequestTopic {
        name: text(&name),
        partitions,
        ..Default::default()
    });
    let request = OffsetCommitRequest {
        group_id: text(group),
        generation_id_or_member_epoch: -1,
        topics: topics.collect(),
        ..Default::default()
    };
    let answer = ask(cluster, 8, &request).await.map_err(broken)?;
    let mut codes = answer.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.error_code);
    match codes.find(|code| *code != 0).map(code_name).as_deref() {
        None => ok(json!({ "group": group, "offsets": offsets(cluster, group).await? })),
        // As Kafka answers who is no member of a group that has some.
        Some(name @ "UNKNOWN_MEMBER_ID") => Err(has_members(group, name)),
        Some(other) => Err(Failed::of(409, other)),
    }
}

fn has_members(group: &str, why: &str) -> Failed {
    Failed::of(409, format!("the group {group} has members, which commit themselves: {why}"))
}

/// Those of some topics, or all.
pub async fn delete(cluster: &Cluster, group: &str, asked: &Asked) -> Reply {
    let body = reply::words(asked, &["topics"])?;
    let only: Option<Vec<&str>> = match body.get("topics") {
        None => None,
        Some(Json::Array(list)) => Some(
            list.iter()
                .enumerate()
                .map(|(place, name)| {
                    name.as_str().ok_or_else(|| Bad::new(format!("topics[{place}]"), "the name of a topic"))
                })
                .collect::<Result<_, _>>()?,
        ),
        Some(_other) => return Err(Bad::new("topics", "a list of names").into()),
    };
    let found = describe(cluster, group).await?;
    if !found.members.is_empty() {
        return Err(has_members(group, "NON_EMPTY_GROUP"));
    }
    let committed = offsets(cluster, group).await?;
    if committed.is_empty() {
        return Err(Failed::of(404, format!("the group {group} has committed nothing")));
    }
    let mut topics: BTreeMap<&str, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
    for one in &committed {
        let (Some(topic), Some(partition)) = (one["topic"].as_str(), one["partition"].as_i64()) else {
            continue;
        };
        if only.as_ref().is_none_or(|only| only.contains(&topic)) {
            let partition = OffsetDeleteRequestPartition::default().with_partition_index(partition as i32);
            topics.entry(topic).or_default().push(partition);
        }
    }
    if let Some(place) = only.iter().flatten().position(|name| !topics.contains_key(name)) {
        return Err(Bad::new(format!("topics[{place}]"), "the group has committed nothing there").into());
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        OffsetDeleteRequestTopic::default().with_name(TopicName(text(name))).with_partitions(partitions)
    });
    let request =
        OffsetDeleteRequest::default().with_group_id(GroupId(text(group))).with_topics(topics.collect());
    let answer = ask(cluster, 0, &request).await.map_err(broken)?;
    let parts = answer.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.error_code);
    match std::iter::once(answer.error_code).chain(parts).find(|code| *code != 0) {
        Some(code) => Err(Failed::of(409, code_name(code))),
        None => ok(json!({ "group": group, "offsets": offsets(cluster, group).await? })),
    }
}
