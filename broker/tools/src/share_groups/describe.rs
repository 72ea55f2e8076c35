//! `--describe`: what a share group's coordinator knows of it.
//! Shell over the client; the lines it prints are made by plain functions.

use std::collections::BTreeMap;

use ottla_protocol::messages::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestGroup;
use ottla_protocol::messages::{DescribeShareGroupOffsetsRequest, GroupId, ShareGroupDescribeRequest};

use crate::admin;
use crate::client::Client;
use crate::consumer_groups::coordinator;
use crate::error::{Exception, Failure};
use crate::group_lists;
use crate::offset_reset::{Key, execution};
use crate::options::Options;
use crate::terminal::Terminal;

pub struct Member {
    id: String,
    host: String,
    client: String,
    epoch: i32,
    assignment: BTreeMap<String, Vec<i32>>,
}

pub struct Group {
    name: String,
    pub state: String,
    /// `host:port  (id)`.
    coordinator: String,
    epoch: i32,
    target_epoch: i32,
    members: Vec<Member>,
}

/// Where a group begins in a partition; nothing where it has not begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    offset: Option<i64>,
    leader_epoch: Option<i32>,
    lag: Option<i64>,
}

pub fn run(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let verbose = options.has("verbose");
    let mut names = group_lists::meant(client, options, terminal, &super::KIND)?;
    names.sort();
    let mut groups = Vec::new();
    for name in &names {
        groups.push(described(client, terminal, name).map_err(execution)?);
    }
    for group in &groups {
        let is_of_offsets = !options.has("members") && !options.has("state");
        if is_of_offsets {
            let starts = starts(client, terminal, &group.name)?;
            for line in offset_lines(&group.name, &starts, verbose) {
                terminal.say(&line)?;
            }
            continue;
        }
        let lines = match options.has("members") {
            true => member_lines(group, verbose),
            false => state_lines(group, verbose),
        };
        match group.state.as_str() {
            "Dead" => terminal.say(&format!("\nError: Share group '{}' does not exist.", group.name))?,
            "Empty" => {
                terminal.out.flush()?;
                writeln!(terminal.err, "\nShare group '{}' has no active members.", group.name)?;
            }
            _ => {}
        }
        for line in lines {
            terminal.say(&line)?;
        }
    }
    Ok(())
}

pub fn described(client: &mut Client, terminal: &mut Terminal<'_>, name: &str) -> Result<Group, Exception> {
    let coordinator = coordinator(client, terminal, name)?;
    let request = ShareGroupDescribeRequest::default().with_group_ids(vec![GroupId(admin::text(name))]);
    let response = client.node(terminal, "describeShareGroups", coordinator, &request)?;
    let node = client.nodes().find(|node| node.id == coordinator);
    let address =
        node.map(|node| format!("{}:{}  ({coordinator})", node.host, node.port)).unwrap_or_default();
    let Some(group) = response.groups.into_iter().next() else {
        return Err(Exception::of(ottla_model::ErrorCode::GroupIdNotFound.code(), None));
    };
    Exception::check(group.error_code, group.error_message.as_deref())?;
    let mut members: Vec<Member> = Vec::new();
    for member in group.members {
        let mut assignment: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for topic in member.assignment.topic_partitions {
            let numbers = assignment.entry(topic.topic_name.to_string()).or_default();
            numbers.extend(topic.partitions);
            numbers.sort_unstable();
        }
        members.push(Member {
            id: member.member_id.to_string(),
            host: member.client_host.to_string(),
            client: member.client_id.to_string(),
            epoch: member.member_epoch,
            assignment,
        });
    }
    members.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Group {
        name: name.to_owned(),
        state: group.group_state.to_string(),
        coordinator: address,
        epoch: group.group_epoch,
        target_epoch: group.assignment_epoch,
        members,
    })
}

/// Where a group begins in each partition that it has begun.
pub fn starts(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    group: &str,
) -> Result<BTreeMap<Key, Start>, Exception> {
    let coordinator = coordinator(client, terminal, group)?;
    let asked = DescribeShareGroupOffsetsRequestGroup {
        group_id: admin::text(group),
        topics: None,
        ..Default::default()
    };
    let request = DescribeShareGroupOffsetsRequest { groups: vec![asked], ..Default::default() };
    let response = client.node(terminal, "describeShareGroupOffsets", coordinator, &request)?;
    let mut starts = BTreeMap::new();
    for group in response.groups {
        Exception::check(group.error_code, group.error_message.as_deref())?;
        for topic in group.topics {
            for partition in topic.partitions.iter().filter(|partition| partition.error_code == 0) {
                let start = match partition.start_offset < 0 {
                    true => Start::default(),
                    false => Start {
                        offset: Some(partition.start_offset),
                        leader_epoch: Some(partition.leader_epoch).filter(|epoch| *epoch >= 0),
                        lag: Some(partition.lag).filter(|lag| *lag >= 0),
                    },
                };
                starts.insert((topic.topic_name.to_string(), partition.partition_index), start);
            }
        }
    }
    Ok(starts)
}

fn known<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn width<'a>(values: impl Iterator<Item = &'a str>) -> usize {
    values.map(str::len).max().unwrap_or(0).max(15)
}

fn offset_lines(group: &str, starts: &BTreeMap<Key, Start>, verbose: bool) -> Vec<String> {
    if starts.is_empty() {
        return vec![format!("\nShare group '{group}' has no offset information.")];
    }
    let group_width = width(std::iter::once(group));
    let topic_width = width(starts.keys().map(|(topic, _)| topic.as_str()));
    let line = |name: &str, topic: &str, partition: &str, numbers: [&str; 3]| {
        let [epoch, offset, lag] = numbers;
        let epoch = if verbose { format!("{epoch:<13} ") } else { String::new() };
        format!("{name:<group_width$} {topic:<topic_width$} {partition:<10} {epoch}{offset:<13} {lag}")
    };
    let head = line("GROUP", "TOPIC", "PARTITION", ["LEADER-EPOCH", "START-OFFSET", "LAG"]);
    let mut lines = vec![format!("\n{head}")];
    for ((topic, partition), start) in starts {
        let numbers = [known(start.leader_epoch), known(start.offset), known(start.lag)];
        let [epoch, offset, lag] = &numbers;
        lines.push(line(group, topic, &partition.to_string(), [epoch, offset, lag]));
    }
    lines
}

fn member_lines(group: &Group, verbose: bool) -> Vec<String> {
    if group.state == "Dead" || group.members.is_empty() {
        return Vec::new();
    }
    let group_width = width(std::iter::once(group.name.as_str()));
    let id_width = width(group.members.iter().map(|member| member.id.as_str()));
    let host_width = width(group.members.iter().map(|member| member.host.as_str()));
    let client_width = width(group.members.iter().map(|member| member.client.as_str()));
    let line = |name: &str, who: [&str; 3], count: &str, epoch: &str, assignment: &str| {
        let [id, host, client] = who;
        let epoch = if verbose { format!("{epoch:<13} ") } else { String::new() };
        format!(
            "{name:<group_width$} {id:<id_width$} {host:<host_width$} {client:<client_width$} {count:<12} \
             {epoch}{assignment}"
        )
    };
    let head =
        line("GROUP", ["CONSUMER-ID", "HOST", "CLIENT-ID"], "#PARTITIONS", "MEMBER-EPOCH", "ASSIGNMENT");
    let mut lines = vec![format!("\n{head}")];
    for member in &group.members {
        let count: usize = member.assignment.values().map(Vec::len).sum();
        let assignment = member.assignment.iter().map(|(topic, numbers)| {
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            format!("{topic}:{}", numbers.join(","))
        });
        let assignment = assignment.collect::<Vec<_>>().join(";");
        let who = [member.id.as_str(), &member.host, &member.client];
        lines.push(line(&group.name, who, &count.to_string(), &member.epoch.to_string(), &assignment));
    }
    lines
}

fn state_lines(group: &Group, verbose: bool) -> Vec<String> {
    let group_width = width(std::iter::once(group.name.as_str()));
    let coordinator_width = group.coordinator.len().max(25);
    let line = |name: &str, coordinator: &str, state: &str, epochs: [&str; 2], count: &str| {
        let [epoch, target] = epochs;
        let epochs = if verbose { format!("{epoch:<12} {target:<17} ") } else { String::new() };
        format!("{name:<group_width$} {coordinator:<coordinator_width$} {state:<15} {epochs}{count}")
    };
    let head = line("GROUP", "COORDINATOR (ID)", "STATE", ["GROUP-EPOCH", "ASSIGNMENT-EPOCH"], "#MEMBERS");
    let epochs = [group.epoch.to_string(), group.target_epoch.to_string()];
    let row = line(
        &group.name,
        &group.coordinator,
        &group.state,
        [&epochs[0], &epochs[1]],
        &group.members.len().to_string(),
    );
    vec![format!("\n{head}"), row]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Group {
        let member = Member {
            id: "ElMbpQrCQBO923fxK7R1UA".to_owned(),
            host: "/127.0.0.1".to_owned(),
            client: "c".to_owned(),
            epoch: 2,
            assignment: BTreeMap::from([("a".to_owned(), vec![0, 1]), ("b".to_owned(), vec![0])]),
        };
        Group {
            name: "g".to_owned(),
            state: "Stable".to_owned(),
            coordinator: "127.0.0.1:26010  (1)".to_owned(),
            epoch: 2,
            target_epoch: 2,
            members: vec![member],
        }
    }

    #[test]
    fn tables_are_those_of_kafka() {
        let group = group();
        assert_eq!(
            member_lines(&group, false),
            [
                "\nGROUP           CONSUMER-ID            HOST            CLIENT-ID       #PARTITIONS  ASSIGNMENT",
                "g               ElMbpQrCQBO923fxK7R1UA /127.0.0.1      c               3            a:0,1;b:0",
            ]
        );
        assert!(member_lines(&group, true)[1].ends_with(" 3            2             a:0,1;b:0"));
        assert_eq!(
            state_lines(&group, true),
            [
                "\nGROUP           COORDINATOR (ID)          STATE           GROUP-EPOCH  ASSIGNMENT-EPOCH  #MEMBERS",
                "g               127.0.0.1:26010  (1)      Stable          2            2                 1",
            ]
        );
        let start = Start { offset: Some(4), leader_epoch: Some(0), lag: None };
        let starts = BTreeMap::from([(("t".to_owned(), 0), start), (("t".to_owned(), 1), Start::default())]);
        assert_eq!(
            offset_lines("g", &starts, true),
            [
                "\nGROUP           TOPIC           PARTITION  LEADER-EPOCH  START-OFFSET  LAG",
                "g               t               0          0             4             -",
                "g               t               1          -             -             -",
            ]
        );
        assert_eq!(
            offset_lines("g", &BTreeMap::new(), false),
            ["\nShare group 'g' has no offset information."]
        );
    }

    #[test]
    fn a_group_without_members_has_no_table_of_them() {
        assert!(member_lines(&Group { members: Vec::new(), ..group() }, false).is_empty());
    }
}
