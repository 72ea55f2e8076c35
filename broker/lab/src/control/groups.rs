//! `/groups/G`: who is in a group, what each member has, how far it is; and waiting for that.
//! Shell.

use std::time::Duration;

use ottla_admin::Asked;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use ottla_protocol::messages::{ConsumerGroupDescribeRequest, DescribeGroupsRequest, OffsetFetchRequest};
use serde_json::{Value as Json, json};

use super::records::{EARLIEST, LOOK_EVERY, offset_at};
use super::reply::{self, Failed, Reply, ok};
use super::requests;
use crate::bad::Bad;
use crate::cluster::Cluster;
use crate::inside::ask;
use crate::words::code_name;

const LATEST: i64 = -1;

pub struct Group {
    pub state: String,
    pub protocol: &'static str,
    pub members: Vec<Json>,
}

pub async fn one(cluster: &Cluster, group: &str, asked: &Asked) -> Reply {
    let mut words = reply::query(asked);
    let number = |text: Option<String>, name: &str| match text {
        None => Ok(None),
        Some(text) => text.parse::<i64>().map(Some).map_err(|_| Bad::new(name, "a whole number")),
    };
    let is_stable = match reply::take(&mut words, "wait").as_deref() {
        None => false,
        Some("stable") => true,
        Some(_other) => return Err(Bad::new("wait", "stable").into()),
    };
    let members = number(reply::take(&mut words, "members"), "members")?;
    let lag = number(reply::take(&mut words, "lag"), "lag")?;
    let timeout = reply::take(&mut words, "timeout").map(Json::String);
    let waits = is_stable || members.is_some() || lag.is_some();
    let timeout = match waits {
        true => requests::timeout(timeout.as_ref(), "timeout")?,
        false => Duration::ZERO,
    };
    reply::nothing_else(&words, "wait, members, lag, timeout")?;
    let clock = &cluster.env.clock;
    let deadline = clock.monotonic().after(timeout);
    loop {
        let found = describe(cluster, group).await?;
        let offsets = offsets(cluster, group).await?;
        let uncommitted = uncommitted(cluster, &found.members, &offsets).await;
        let behind: i64 =
            offsets.iter().chain(&uncommitted).filter_map(|offset| offset["lag"].as_i64()).sum();
        let body = json!({
            "group": group, "state": found.state, "protocol": found.protocol, "members": found.members,
            "offsets": offsets, "uncommitted": uncommitted, "lag": behind
        });
        let is_met = (!is_stable || found.state == "Stable")
            && members.is_none_or(|members| found.members.len() as i64 == members)
            && lag.is_none_or(|lag| !offsets.is_empty() && behind <= lag);
        if is_met {
            return ok(body);
        }
        if clock.monotonic() >= deadline {
            let why = format!(
                "the group is {}, with {} members, {behind} behind",
                found.state,
                found.members.len()
            );
            return Err(Failed::of(408, why).with(json!({ "last": body })));
        }
        clock.sleep_until(clock.monotonic().after(LOOK_EVERY)).await;
    }
}

/// What members have and nobody has committed: all that is there is still to be read.
async fn uncommitted(cluster: &Cluster, members: &[Json], offsets: &[Json]) -> Vec<Json> {
    let mut left: Vec<(String, i32)> = Vec::new();
    for part in members.iter().filter_map(|member| member["assignment"].as_array()).flatten() {
        let is_this = |one: &Json| one["topic"] == part["topic"] && one["partition"] == part["partition"];
        if let (Some(topic), Some(index)) = (part["topic"].as_str(), part["partition"].as_i64())
            && !offsets.iter().any(is_this)
        {
            left.push((topic.to_owned(), index as i32));
        }
    }
    let mut found = Vec::new();
    for (topic, index) in left {
        // A topic that is gone has no lag.
        let Ok(first) = offset_at(cluster, &topic, index, EARLIEST).await else { continue };
        let Ok(end) = offset_at(cluster, &topic, index, LATEST).await else { continue };
        found.push(json!({ "topic": topic, "partition": index, "end": end, "lag": (end - first).max(0) }));
    }
    found
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn broken(why: String) -> Failed {
    Failed::of(500, why)
}

pub async fn describe(cluster: &Cluster, group: &str) -> Result<Group, Failed> {
    let request = DescribeGroupsRequest::default().with_groups(vec![text(group).into()]);
    let answer = ask(cluster, 5, &request).await.map_err(broken)?;
    let found = answer.groups.into_iter().next().ok_or_else(|| broken("no group was answered".to_owned()))?;
    if found.error_code == 0 && !found.members.is_empty() {
        let members = found.members.iter().map(|member| {
            json!({
                "member_id": member.member_id.to_string(),
                "instance_id": member.group_instance_id.as_ref().map(ToString::to_string),
                "client_id": member.client_id.to_string(),
                "assignment": classic_assignment(&member.member_assignment),
            })
        });
        let members = members.collect();
        return Ok(Group { state: found.group_state.to_string(), protocol: "classic", members });
    }
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![text(group).into()]);
    let answer = ask(cluster, 0, &request).await.map_err(broken)?;
    match answer.groups.into_iter().next() {
        Some(newer) if newer.error_code == 0 => {
            let members = newer.members.iter().map(|member| {
                let parts = member.assignment.topic_partitions.iter().flat_map(|topic| {
                    let name = topic.topic_name.to_string();
                    topic
                        .partitions
                        .iter()
                        .map(move |partition| json!({ "topic": name, "partition": partition }))
                });
                json!({
                    "member_id": member.member_id.to_string(),
                    "instance_id": member.instance_id.as_ref().map(ToString::to_string),
                    "client_id": member.client_id.to_string(),
                    "assignment": parts.collect::<Vec<_>>(),
                })
            });
            let members = members.collect();
            Ok(Group { state: newer.group_state.to_string(), protocol: "consumer", members })
        }
        _none => {
            let state =
                if found.group_state.is_empty() { "Dead".to_owned() } else { found.group_state.to_string() };
            Ok(Group { state, protocol: "classic", members: Vec::new() })
        }
    }
}

/// Kafka's consumer protocol: version i16 | topics (name, partitions i32...) | user data.
fn classic_assignment(bytes: &[u8]) -> Json {
    let mut reader = Reader(bytes);
    let read = || -> Option<Vec<Json>> {
        let mut parts = Vec::new();
        reader.take(2)?;
        for _topic in 0..reader.int()? {
            let len = reader.take(2)?;
            let name = reader.take(usize::from(u16::from_be_bytes([len[0], len[1]])))?;
            let name = String::from_utf8_lossy(name).into_owned();
            for _partition in 0..reader.int()? {
                parts.push(json!({ "topic": name, "partition": reader.int()? }));
            }
        }
        Some(parts)
    };
    let mut read = read;
    read().map_or(Json::Null, Json::Array)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn int(&mut self) -> Option<i32> {
        self.take(4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes)
    }
}

pub async fn offsets(cluster: &Cluster, group: &str) -> Result<Vec<Json>, Failed> {
    let asked = OffsetFetchRequestGroup { group_id: text(group), topics: None, ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![asked], ..Default::default() };
    let answer = ask(cluster, 8, &request).await.map_err(broken)?;
    let Some(found) = answer.groups.into_iter().next() else { return Ok(Vec::new()) };
    if found.error_code != 0 {
        // Without such a group there is perhaps no topic of offsets either, and so no coordinator.
        let name = code_name(found.error_code);
        let is_none =
            name == "GROUP_ID_NOT_FOUND" || name.starts_with("COORDINATOR_") || name == "NOT_COORDINATOR";
        return if is_none { Ok(Vec::new()) } else { Err(broken(code_name(found.error_code))) };
    }
    let mut offsets = Vec::new();
    for topic in &found.topics {
        for partition in &topic.partitions {
            if partition.committed_offset < 0 {
                continue;
            }
            let name = topic.name.to_string();
            let index = partition.partition_index;
            // A topic that is gone has no lag.
            let end = offset_at(cluster, &name, index, LATEST).await.ok();
            offsets.push(json!({
                "topic": name, "partition": index, "offset": partition.committed_offset,
                "end": end, "lag": end.map(|end| (end - partition.committed_offset).max(0))
            }));
        }
    }
    Ok(offsets)
}
