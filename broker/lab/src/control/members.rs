//! Members of groups by hand: they leave though they did not ask to, or have to join again.
//! Shell. By the requests that a client sends: a member that leaves, and one that comes and goes.

use ottla_admin::Asked;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::describe_groups_response::DescribedGroup;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, DescribeGroupsRequest, GroupId,
    JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, ShareGroupDescribeRequest,
    ShareGroupHeartbeatRequest, StreamsGroupDescribeRequest, StreamsGroupHeartbeatRequest, TopicName,
};
use serde_json::{Value as Json, json};

use super::groups::describe;
use super::reply::{self, Failed, Reply, fail, ok};
use crate::bad::Bad;
use crate::cluster::Cluster;
use crate::inside::{ask, send};
use crate::words::code_name;

/// A member says so by its epoch.
const LEAVES: i32 = -1;
/// Of a member of a consumer group that speaks the classic protocol.
const CLASSIC_MEMBER: i8 = 0;
/// Of the member that comes and goes.
const TIMEOUT_MS: i32 = 10_000;
const REASON: &str = "the test lab was asked to rebalance";

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn broken(why: impl Into<String>) -> Failed {
    Failed::of(500, why)
}

/// Members leave, whether they want to or not: all, or one. Says how many.
pub async fn leave(
    cluster: &Cluster,
    kind: &str,
    group: &GroupId,
    only: Option<&str>,
) -> Result<usize, Failed> {
    match kind {
        "consumer" => leave_consumer_group(cluster, group, only).await,
        "share" => leave_share_group(cluster, group, only).await,
        "streams" => leave_streams_group(cluster, group, only).await,
        "classic" => leave_classic_group(cluster, group, only).await,
        other => unreachable!("a group is of one of four kinds, not {other}"),
    }
}

fn is_meant(only: Option<&str>, member: &StrBytes) -> bool {
    only.is_none_or(|only| only == member.as_str())
}

/// Nothing where the member went by itself meanwhile.
fn left(code: i16) -> Result<usize, Failed> {
    match code_name(code).as_str() {
        "NONE" => Ok(1),
        "UNKNOWN_MEMBER_ID" => Ok(0),
        other => Err(broken(other)),
    }
}

async fn classic(cluster: &Cluster, group: &GroupId) -> Result<DescribedGroup, Failed> {
    let request = DescribeGroupsRequest::default().with_groups(vec![group.clone()]);
    let described = ask(cluster, 5, &request).await.map_err(broken)?;
    described.groups.into_iter().next().ok_or_else(|| broken("no group was answered"))
}

async fn leave_classic_group(cluster: &Cluster, id: &GroupId, only: Option<&str>) -> Result<usize, Failed> {
    let members = classic(cluster, id).await?.members.into_iter();
    let members = members.filter(|member| is_meant(only, &member.member_id)).map(|member| {
        MemberIdentity::default()
            .with_member_id(member.member_id)
            .with_group_instance_id(member.group_instance_id)
    });
    leave_by_request(cluster, id, members.collect()).await
}

async fn leave_by_request(
    cluster: &Cluster,
    id: &GroupId,
    members: Vec<MemberIdentity>,
) -> Result<usize, Failed> {
    if members.is_empty() {
        return Ok(0);
    }
    let request = LeaveGroupRequest::default().with_group_id(id.clone()).with_members(members);
    let answer = ask(cluster, 5, &request).await.map_err(broken)?;
    left(answer.error_code)?;
    answer.members.iter().map(|member| left(member.error_code)).sum()
}

async fn leave_consumer_group(cluster: &Cluster, id: &GroupId, only: Option<&str>) -> Result<usize, Failed> {
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![id.clone()]);
    let described = ask(cluster, 1, &request).await.map_err(broken)?;
    let mut count = 0;
    for member in described.groups.into_iter().flat_map(|group| group.members) {
        if !is_meant(only, &member.member_id) {
            continue;
        }
        if member.member_type == CLASSIC_MEMBER {
            let member = MemberIdentity::default()
                .with_member_id(member.member_id)
                .with_group_instance_id(member.instance_id);
            count += leave_by_request(cluster, id, vec![member]).await?;
            continue;
        }
        let request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(id.clone())
            .with_member_id(member.member_id)
            .with_instance_id(member.instance_id)
            .with_member_epoch(LEAVES);
        count += left(ask(cluster, 0, &request).await.map_err(broken)?.error_code)?;
    }
    Ok(count)
}

async fn leave_share_group(cluster: &Cluster, id: &GroupId, only: Option<&str>) -> Result<usize, Failed> {
    let request = ShareGroupDescribeRequest::default().with_group_ids(vec![id.clone()]);
    let described = ask(cluster, 1, &request).await.map_err(broken)?;
    let mut count = 0;
    for member in described.groups.into_iter().flat_map(|group| group.members) {
        if !is_meant(only, &member.member_id) {
            continue;
        }
        let request = ShareGroupHeartbeatRequest::default()
            .with_group_id(id.clone())
            .with_member_id(member.member_id)
            .with_member_epoch(LEAVES);
        count += left(ask(cluster, 1, &request).await.map_err(broken)?.error_code)?;
    }
    Ok(count)
}

async fn leave_streams_group(cluster: &Cluster, id: &GroupId, only: Option<&str>) -> Result<usize, Failed> {
    let request = StreamsGroupDescribeRequest { group_ids: vec![id.0.clone()], ..Default::default() };
    let described = ask(cluster, 0, &request).await.map_err(broken)?;
    let mut count = 0;
    for member in described.groups.into_iter().flat_map(|group| group.members) {
        if !is_meant(only, &member.member_id) {
            continue;
        }
        let request = StreamsGroupHeartbeatRequest {
            group_id: id.0.clone(),
            member_id: member.member_id,
            member_epoch: LEAVES,
            ..Default::default()
        };
        count += left(ask(cluster, 0, &request).await.map_err(broken)?.error_code)?;
    }
    Ok(count)
}

/// `classic`, `consumer`, `share` or `streams`.
async fn kind_of(cluster: &Cluster, group: &GroupId) -> Result<String, Failed> {
    let listed = ask(cluster, 5, &ListGroupsRequest::default()).await.map_err(broken)?;
    let found = listed.groups.into_iter().find(|listed| listed.group_id == *group);
    found
        .map(|group| group.group_type.to_string())
        .ok_or_else(|| Failed::of(404, format!("there is no group {}", group.0)))
}

/// `POST /groups/G/members/M/expire`. The member is told nothing: its next heartbeat is that of a stranger.
pub async fn expire(cluster: &Cluster, group: &str, member: &str, asked: &Asked) -> Reply {
    reply::words(asked, &[])?;
    let id = GroupId(text(group));
    let kind = kind_of(cluster, &id).await?;
    match leave(cluster, &kind, &id, Some(member)).await? {
        0 => fail(404, format!("the group {group} has no member {member}")),
        _one => ok(json!({ "group": group, "member_id": member })),
    }
}

/// `POST /groups/G/rebalance`.
pub async fn rebalance(cluster: &Cluster, group: &str, asked: &Asked) -> Reply {
    let body = reply::words(asked, &["reason"])?;
    let reason = match body.get("reason") {
        None => REASON,
        Some(Json::String(reason)) => reason,
        Some(_other) => return Err(Bad::new("reason", "a text").into()),
    };
    let id = GroupId(text(group));
    match kind_of(cluster, &id).await?.as_str() {
        "classic" => rebalance_classic(cluster, &id, reason).await?,
        "consumer" => rebalance_consumer(cluster, &id).await?,
        other => {
            return fail(409, format!("{group} is a {other} group; classic and consumer groups rebalance"));
        }
    }
    let now = describe(cluster, group).await?;
    ok(json!({ "group": group, "state": now.state, "protocol": now.protocol }))
}

/// A member joins, so that all are told to, and leaves before anybody has.
async fn rebalance_classic(cluster: &Cluster, id: &GroupId, reason: &str) -> Result<(), Failed> {
    let group = classic(cluster, id).await?;
    if group.group_state.as_str() != "Stable" {
        let why = format!("the group is {}: only a stable one can be told to rebalance", group.group_state);
        return Err(Failed::of(409, why));
    }
    let metadata = group.members.first().map(|member| member.member_metadata.clone()).unwrap_or_default();
    let protocol = JoinGroupRequestProtocol::default().with_name(group.protocol_data).with_metadata(metadata);
    let join = JoinGroupRequest::default()
        .with_group_id(id.clone())
        .with_session_timeout_ms(TIMEOUT_MS)
        .with_rebalance_timeout_ms(TIMEOUT_MS)
        .with_protocol_type(group.protocol_type)
        .with_protocols(vec![protocol])
        .with_reason(Some(text(reason)));
    let named = ask(cluster, 9, &join).await.map_err(broken)?;
    if code_name(named.error_code) != "MEMBER_ID_REQUIRED" {
        return Err(Failed::of(409, format!("the group refuses a member: {}", code_name(named.error_code))));
    }
    let member = named.member_id;
    let joined = send(cluster, 9, &join.with_member_id(member.clone())).map_err(broken)?;
    let identity = MemberIdentity::default().with_member_id(member).with_reason(Some(text(reason)));
    leave_by_request(cluster, id, vec![identity]).await?;
    // Its place is given up, and with that it is answered.
    joined.await.map_err(broken)?;
    Ok(())
}

/// A member comes and goes: the epoch of the group grows twice, and its assignment is computed anew.
async fn rebalance_consumer(cluster: &Cluster, id: &GroupId) -> Result<(), Failed> {
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![id.clone()]);
    let described = ask(cluster, 1, &request).await.map_err(broken)?;
    let mut topics: Vec<TopicName> = Vec::new();
    for member in described.groups.into_iter().flat_map(|group| group.members) {
        let assigned = member.assignment.topic_partitions.into_iter().map(|topic| topic.topic_name);
        topics.extend(member.subscribed_topic_names.into_iter().chain(assigned));
    }
    topics.sort();
    topics.dedup();
    if topics.is_empty() {
        return Err(Failed::of(409, "the group has no member that is subscribed to a topic"));
    }
    let join = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(id.clone())
        .with_rebalance_timeout_ms(TIMEOUT_MS)
        .with_subscribed_topic_names(Some(topics))
        .with_topic_partitions(Some(Vec::new()));
    let joined = ask(cluster, 0, &join).await.map_err(broken)?;
    if joined.error_code != 0 {
        return Err(Failed::of(409, format!("the group refuses a member: {}", code_name(joined.error_code))));
    }
    let leave = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(id.clone())
        .with_member_id(joined.member_id.unwrap_or_default())
        .with_member_epoch(LEAVES);
    left(ask(cluster, 0, &leave).await.map_err(broken)?.error_code)?;
    Ok(())
}
