//! What the cluster knows of groups: members, assignments, committed offsets and the ends of the logs.
//! Shell over the client.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, Bytes};
use ottla_model::ErrorCode;
use ottla_protocol::messages::consumer_group_describe_response::Assignment;
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use ottla_protocol::messages::{
    ConsumerGroupDescribeRequest, DescribeGroupsRequest, GroupId, OffsetFetchRequest,
};

use super::table::{self, NOTHING};
use crate::admin;
use crate::client::Client;
use crate::error::{Exception, Failure};
use crate::offset_reset;
use crate::options::Options;
use crate::terminal::Terminal;

/// Partitions by topic.
pub type Partitions = BTreeMap<String, Vec<i32>>;

#[derive(Clone)]
pub struct Member {
    pub id: String,
    pub instance: Option<String>,
    pub host: String,
    pub client: String,
    pub assignment: Partitions,
    pub epoch: Option<i32>,
    pub target: Option<Partitions>,
}

pub struct Group {
    pub name: String,
    pub state: String,
    pub assignor: String,
    /// `host:port  (id)`.
    pub coordinator: String,
    pub epoch: Option<i32>,
    pub target_epoch: Option<i32>,
    pub members: Vec<Member>,
}

/// One line of `--offsets`.
pub struct OffsetRow {
    pub topic: String,
    pub partition: Option<i32>,
    pub current: Option<i64>,
    pub end: Option<i64>,
    pub leader_epoch: Option<i32>,
    pub member: String,
    pub host: String,
    pub client: String,
}

/// A committed offset with the leader epoch it was committed under.
#[derive(Clone, Copy)]
pub struct Committed {
    pub offset: i64,
    pub leader_epoch: Option<i32>,
}

pub fn run(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let verbose = options.has("verbose");
    for name in super::meant(client, options, terminal)? {
        let group = describe(client, terminal, &name)?;
        if let Some(remark) = table::remark(&group) {
            terminal.out.flush()?;
            writeln!(terminal.err, "{remark}")?;
        }
        let lines = if options.has("members") {
            table::members(&group, verbose)
        } else if options.has("state") {
            table::state(&group, verbose)
        } else {
            let rows = offset_rows(client, terminal, &group)?;
            if rows.is_empty() {
                continue;
            }
            table::offsets(&group, &rows, verbose)
        };
        for line in lines {
            terminal.say(&line)?;
        }
    }
    Ok(())
}

/// Asks for a group of the newer protocol first, as Kafka's Admin does.
pub fn describe(client: &mut Client, terminal: &mut Terminal<'_>, name: &str) -> Result<Group, Exception> {
    let coordinator = super::coordinator(client, terminal, name)?;
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(admin::text(name))]);
    let response = client.node(terminal, "describeConsumerGroups", coordinator, &request)?;
    let node = client.nodes().find(|node| node.id == coordinator);
    let address =
        node.map(|node| format!("{}:{}  ({coordinator})", node.host, node.port)).unwrap_or_default();
    let Some(group) = response.groups.into_iter().next() else {
        return Err(Exception::of(ErrorCode::GroupIdNotFound.code(), None));
    };
    let is_of_old_protocol = [ErrorCode::GroupIdNotFound, ErrorCode::UnsupportedVersion]
        .map(ErrorCode::code)
        .contains(&group.error_code);
    if is_of_old_protocol {
        return describe_classic(client, terminal, name, coordinator, address);
    }
    Exception::check(group.error_code, group.error_message.as_deref())?;
    let members = group.members.into_iter().map(|member| Member {
        id: member.member_id.to_string(),
        instance: member.instance_id.as_ref().map(ToString::to_string),
        host: member.client_host.to_string(),
        client: member.client_id.to_string(),
        assignment: partitions(&member.assignment),
        epoch: Some(member.member_epoch),
        target: Some(partitions(&member.target_assignment)),
    });
    Ok(Group {
        name: name.to_owned(),
        state: group.group_state.to_string(),
        assignor: group.assignor_name.to_string(),
        coordinator: address,
        epoch: Some(group.group_epoch),
        target_epoch: Some(group.assignment_epoch),
        members: members.collect(),
    })
}

fn partitions(assignment: &Assignment) -> Partitions {
    let one = |topic: &ottla_protocol::messages::consumer_group_describe_response::TopicPartitions| {
        let mut partitions = topic.partitions.clone();
        partitions.sort_unstable();
        (topic.topic_name.to_string(), partitions)
    };
    assignment.topic_partitions.iter().map(one).collect()
}

fn describe_classic(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    name: &str,
    coordinator: i32,
    address: String,
) -> Result<Group, Exception> {
    let request = DescribeGroupsRequest::default().with_groups(vec![GroupId(admin::text(name))]);
    let response = client.node(terminal, "describeGroups", coordinator, &request)?;
    let Some(group) = response.groups.into_iter().next() else {
        return Err(Exception::of(ErrorCode::GroupIdNotFound.code(), None));
    };
    Exception::check(group.error_code, group.error_message.as_deref())?;
    let members = group.members.into_iter().map(|member| Member {
        id: member.member_id.to_string(),
        instance: member.group_instance_id.as_ref().map(ToString::to_string),
        host: member.client_host.to_string(),
        client: member.client_id.to_string(),
        assignment: assignment_of_classic(member.member_assignment).unwrap_or_default(),
        epoch: None,
        target: None,
    });
    Ok(Group {
        name: name.to_owned(),
        state: group.group_state.to_string(),
        assignor: group.protocol_data.to_string(),
        coordinator: address,
        epoch: None,
        target_epoch: None,
        members: members.collect(),
    })
}

/// What a classic consumer's leader wrote: `version i16 | [topic | [partition i32]] | …`. Other programs may have
/// written anything.
fn assignment_of_classic(mut bytes: Bytes) -> Option<Partitions> {
    let bytes = &mut bytes;
    bytes.try_get_i16().ok()?;
    let mut partitions = Partitions::new();
    for _ in 0..bytes.try_get_i32().ok()? {
        let length = usize::try_from(bytes.try_get_i16().ok()?).ok()?;
        if bytes.remaining() < length {
            return None;
        }
        let topic = String::from_utf8(bytes.split_to(length).to_vec()).ok()?;
        let mut numbers = Vec::new();
        for _ in 0..bytes.try_get_i32().ok()? {
            numbers.push(bytes.try_get_i32().ok()?);
        }
        numbers.sort_unstable();
        partitions.insert(topic, numbers);
    }
    Some(partitions)
}

/// All committed offsets of a group.
pub fn committed(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    group: &str,
) -> Result<BTreeMap<(String, i32), Committed>, Exception> {
    let coordinator = super::coordinator(client, terminal, group)?;
    let request = OffsetFetchRequest {
        topics: Some(Vec::new()),
        groups: vec![OffsetFetchRequestGroup {
            group_id: admin::text(group),
            member_id: None,
            member_epoch: -1,
            topics: None,
            unknown_tagged_fields: BTreeMap::new(),
        }],
        ..OffsetFetchRequest::default()
    };
    let response = client.node(terminal, "listConsumerGroupOffsets", coordinator, &request)?;
    let names = topic_names(client, terminal)?;
    let mut committed = BTreeMap::new();
    for group in response.groups {
        Exception::check(group.error_code, None)?;
        for topic in group.topics {
            // From version 10 on a topic is named by its id.
            let name = match topic.name.is_empty() {
                true => names.get(&topic.topic_id.as_u128()).cloned(),
                false => Some(topic.name.to_string()),
            };
            let Some(name) = name else { continue };
            for partition in topic.partitions {
                Exception::check(partition.error_code, None)?;
                let epoch = Some(partition.committed_leader_epoch).filter(|epoch| *epoch >= 0);
                let offset = Committed { offset: partition.committed_offset, leader_epoch: epoch };
                committed.insert((name.clone(), partition.partition_index), offset);
            }
        }
    }
    Ok(committed)
}

/// The name of each topic by the bits of its id.
fn topic_names(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
) -> Result<BTreeMap<u128, String>, Exception> {
    let response = client.metadata(terminal, "listTopics", None)?;
    let named = response
        .topics
        .iter()
        .filter_map(|topic| Some((topic.topic_id.as_u128(), topic.name.as_ref()?.to_string())));
    Ok(named.collect())
}

fn offset_rows(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    group: &Group,
) -> Result<Vec<OffsetRow>, Exception> {
    let committed = committed(client, terminal, &group.name)?;
    let assigned = group.members.iter().flat_map(|member| {
        member
            .assignment
            .iter()
            .flat_map(|(topic, numbers)| numbers.iter().map(|number| (topic.clone(), *number)))
    });
    let wanted: BTreeSet<(String, i32)> = assigned.chain(committed.keys().cloned()).collect();
    let ends = offset_reset::bounds(client, terminal, &wanted, offset_reset::LATEST)?;
    Ok(rows(group, &committed, &ends))
}

/// The partitions of members first, then those that nobody has.
fn rows(
    group: &Group,
    committed: &BTreeMap<(String, i32), Committed>,
    ends: &BTreeMap<(String, i32), i64>,
) -> Vec<OffsetRow> {
    let row = |key: &(String, i32), member: Option<&Member>| {
        let who = |of: fn(&Member) -> &String| {
            member.map_or_else(|| NOTHING.to_owned(), |member| of(member).clone())
        };
        OffsetRow {
            topic: key.0.clone(),
            partition: Some(key.1),
            current: committed.get(key).map(|committed| committed.offset),
            end: ends.get(key).copied(),
            leader_epoch: committed.get(key).and_then(|committed| committed.leader_epoch),
            member: who(|member| &member.id),
            host: who(|member| &member.host),
            client: who(|member| &member.client),
        }
    };
    let mut rows = Vec::new();
    let mut assigned = BTreeSet::new();
    for member in table::by_share(&group.members) {
        for (topic, numbers) in &member.assignment {
            for number in numbers {
                let key = (topic.clone(), *number);
                rows.push(row(&key, Some(member)));
                assigned.insert(key);
            }
        }
        if member.assignment.is_empty() {
            rows.push(OffsetRow {
                topic: NOTHING.to_owned(),
                partition: None,
                ..row(&(String::new(), -1), Some(member))
            });
        }
    }
    rows.extend(committed.keys().filter(|key| !assigned.contains(*key)).map(|key| row(key, None)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_classic_assignment_is_read_and_anything_else_is_none() {
        let bytes = b"\0\0\0\0\0\x01\0\x02aa\0\0\0\x02\0\0\0\x01\0\0\0\0\xff\xff\xff\xff";
        let expected = Partitions::from([("aa".to_owned(), vec![0, 1])]);
        assert_eq!(assignment_of_classic(Bytes::from_static(bytes)), Some(expected));
        for cut in 0..20 {
            assert_eq!(assignment_of_classic(Bytes::copy_from_slice(&bytes[..cut])), None, "cut at {cut}");
        }
    }

    #[test]
    fn partitions_of_members_come_before_those_of_nobody() {
        let member = Member {
            id: "m".to_owned(),
            instance: None,
            host: "/h".to_owned(),
            client: "c".to_owned(),
            assignment: Partitions::from([("b".to_owned(), vec![0])]),
            epoch: None,
            target: None,
        };
        let idle = Member { id: "idle".to_owned(), assignment: Partitions::new(), ..member.clone() };
        let group = Group {
            name: "g".to_owned(),
            state: "Stable".to_owned(),
            assignor: String::new(),
            coordinator: String::new(),
            epoch: None,
            target_epoch: None,
            members: vec![idle, member],
        };
        let offset = Committed { offset: 3, leader_epoch: Some(1) };
        let committed = BTreeMap::from([(("a".to_owned(), 1), offset), (("b".to_owned(), 0), offset)]);
        let ends = BTreeMap::from([(("b".to_owned(), 0), 5)]);
        let rows = rows(&group, &committed, &ends);
        let shown: Vec<_> =
            rows.iter().map(|row| (row.topic.as_str(), row.member.as_str(), row.end)).collect();
        assert_eq!(shown, [("b", "m", Some(5)), ("-", "idle", None), ("a", "-", None)]);
    }
}
