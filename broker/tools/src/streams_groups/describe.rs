//! `--describe`: what a streams group's coordinator knows of it.
//! Shell over the client; the lines it prints are made by plain functions.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::messages::StreamsGroupDescribeRequest;
use ottla_protocol::messages::streams_group_describe_response::{
    Assignment, Subtopology as Described, TaskIds,
};

use super::{KIND, reset};
use crate::admin;
use crate::client::Client;
use crate::consumer_groups;
use crate::error::{Exception, Failure};
use crate::group_lists;
use crate::offset_reset::{self, EARLIEST, Key, LATEST, execution};
use crate::options::Options;
use crate::terminal::Terminal;

/// A part of a topology with the topics around it.
#[derive(Debug, Default)]
pub struct Subtopology {
    id: String,
    pub sources: Vec<String>,
    pub repartitions: Vec<String>,
    pub changelogs: Vec<String>,
}

impl Subtopology {
    pub fn reads(&self, topic: &String) -> bool {
        self.sources.contains(topic) || self.repartitions.contains(topic)
    }
}

struct Member {
    id: String,
    epoch: i32,
    process: String,
    client: String,
    is_classic: bool,
    assignment: Assignment,
    target: Assignment,
}

pub struct Group {
    name: String,
    pub state: String,
    /// `host:port (id)`.
    coordinator: String,
    epoch: i32,
    target_epoch: i32,
    topology_epoch: i32,
    pub subtopologies: Vec<Subtopology>,
    members: Vec<Member>,
}

/// One line of `--offsets`.
struct Row {
    current: Option<i64>,
    leader_epoch: Option<i32>,
    begin: i64,
    end: i64,
}

impl Row {
    /// Of what was never committed everything is still to be read.
    fn lag(&self) -> i64 {
        self.end - self.current.unwrap_or(self.begin)
    }
}

pub fn run(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let verbose = options.has("verbose");
    for name in group_lists::meant(client, options, terminal, &KIND)? {
        let group = described(client, terminal, &name).map_err(execution)?;
        let has_members = group.state != "Dead" && !group.members.is_empty();
        let lines = if options.has("members") {
            if has_members { member_lines(&group, verbose) } else { Vec::new() }
        } else if options.has("state") {
            state_lines(&group, verbose)
        } else {
            let rows = offset_rows(client, terminal, &group)?;
            if has_members { offset_lines(&group, &rows, verbose) } else { Vec::new() }
        };
        let remark = match group.state.as_str() {
            "Dead" => Some("does not exist."),
            "Empty" => Some("has no active members."),
            _ => None,
        };
        if let Some(remark) = remark.filter(|_| !lines.is_empty()) {
            terminal.say(&format!("\nError: Streams group '{name}' {remark}"))?;
        }
        for line in lines {
            terminal.say(&line)?;
        }
    }
    Ok(())
}

pub fn described(client: &mut Client, terminal: &mut Terminal<'_>, name: &str) -> Result<Group, Exception> {
    let coordinator = consumer_groups::coordinator(client, terminal, name)?;
    let request = StreamsGroupDescribeRequest {
        group_ids: vec![admin::text(name)],
        ..StreamsGroupDescribeRequest::default()
    };
    let response = client.node(terminal, "describeStreamsGroups", coordinator, &request)?;
    let node = client.nodes().find(|node| node.id == coordinator);
    let address = node.map(|node| format!("{}:{} ({coordinator})", node.host, node.port)).unwrap_or_default();
    let Some(group) = response.groups.into_iter().next() else {
        return Err(Exception::of(ottla_model::ErrorCode::GroupIdNotFound.code(), None));
    };
    Exception::check(group.error_code, group.error_message.as_deref())?;
    let members = group.members.into_iter().map(|member| Member {
        id: member.member_id.to_string(),
        epoch: member.member_epoch,
        process: member.process_id.to_string(),
        client: member.client_id.to_string(),
        is_classic: member.is_classic,
        assignment: member.assignment,
        target: member.target_assignment,
    });
    let topology = group.topology.unwrap_or_default();
    Ok(Group {
        name: name.to_owned(),
        state: group.group_state.to_string(),
        coordinator: address,
        epoch: group.group_epoch,
        target_epoch: group.assignment_epoch,
        topology_epoch: topology.epoch,
        subtopologies: topology.subtopologies.unwrap_or_default().into_iter().map(subtopology).collect(),
        members: members.collect(),
    })
}

fn subtopology(described: Described) -> Subtopology {
    let names = |topics: Vec<ottla_protocol::messages::streams_group_describe_response::TopicInfo>| {
        topics.into_iter().map(|topic| topic.name.to_string()).collect()
    };
    Subtopology {
        id: described.subtopology_id.to_string(),
        sources: described.source_topics.into_iter().map(|topic| topic.to_string()).collect(),
        repartitions: names(described.repartition_source_topics),
        changelogs: names(described.state_changelog_topics),
    }
}

/// The partitions of all active tasks.
fn read_partitions(group: &Group) -> Result<BTreeSet<Key>, Exception> {
    let mut read = BTreeSet::new();
    for tasks in group.members.iter().flat_map(|member| &member.assignment.active_tasks) {
        let id: &str = &tasks.subtopology_id;
        let found = group.subtopologies.iter().find(|one| one.id == id).ok_or_else(|| {
            Exception::illegal_argument(format!("Subtopology {id} not found in group description!"))
        })?;
        for topic in found.sources.iter().chain(&found.repartitions) {
            read.extend(tasks.partitions.iter().map(|partition| (topic.clone(), *partition)));
        }
    }
    Ok(read)
}

fn offset_rows(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    group: &Group,
) -> Result<BTreeMap<Key, Row>, Exception> {
    let read = read_partitions(group)?;
    let begins = offset_reset::bounds(client, terminal, &read, EARLIEST)?;
    let ends = offset_reset::bounds(client, terminal, &read, LATEST)?;
    let committed = consumer_groups::describe::committed(client, terminal, &group.name)?;
    let of_topology = reset::committed(client, terminal, &group.name)?;
    let mut rows = BTreeMap::new();
    for key in read {
        let (Some(begin), Some(end)) = (begins.get(&key), ends.get(&key)) else { continue };
        let current = of_topology.get(&key).copied();
        let leader_epoch = current.and(committed.get(&key)).and_then(|committed| committed.leader_epoch);
        rows.insert(key, Row { current, leader_epoch, begin: *begin, end: *end });
    }
    Ok(rows)
}

fn known<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn width<'a>(values: impl Iterator<Item = &'a str>) -> usize {
    values.map(str::len).max().unwrap_or(0).max(15)
}

fn offset_lines(group: &Group, rows: &BTreeMap<Key, Row>, verbose: bool) -> Vec<String> {
    let group_width = width(std::iter::once(group.name.as_str()));
    let topic_width = width(rows.keys().map(|(topic, _)| topic.as_str()));
    let line = |name: &str, topic: &str, partition: &str, numbers: [&str; 3], lag: &str| {
        let [current, epoch, end] = numbers;
        let rest = match verbose {
            true => format!("{current:<15} {epoch:<15} {end:<15} {lag:<15}"),
            false => lag.to_owned(),
        };
        format!("{name:<group_width$} {topic:<topic_width$} {partition:<10} {rest}")
    };
    let numbers = ["CURRENT-OFFSET", "LEADER-EPOCH", "LOG-END-OFFSET"];
    let mut lines = vec![line("GROUP", "TOPIC", "PARTITION", numbers, "OFFSET-LAG")];
    for ((topic, partition), row) in rows {
        let numbers = [known(row.current), known(row.leader_epoch), row.end.to_string()];
        let [current, epoch, end] = &numbers;
        let lag = row.lag().to_string();
        lines.push(line(&group.name, topic, &partition.to_string(), [current, epoch, end], &lag));
    }
    lines
}

fn member_lines(group: &Group, verbose: bool) -> Vec<String> {
    let group_width = width(std::iter::once(group.name.as_str()));
    let id_width = width(group.members.iter().map(|member| member.id.as_str()));
    let process_width = width(group.members.iter().map(|member| member.process.as_str()));
    let client_width = width(group.members.iter().map(|member| member.client.as_str()));
    let line = |name: &str, who: [&str; 3], more: [&str; 4], assignments: &str| {
        let [id, process, client] = who;
        let [target_epoch, topology_epoch, protocol, epoch] = more;
        match verbose {
            true => format!(
                "{name:<group_width$} {target_epoch:<25} {topology_epoch:<15}{id:<id_width$} {protocol:<15} {epoch:<15} \
                 {process:<process_width$} {client:<client_width$} {assignments}"
            ),
            false => format!(
                "{name:<group_width$} {id:<id_width$} {process:<process_width$} {client:<client_width$} {assignments}"
            ),
        }
    };
    let more = ["TARGET-ASSIGNMENT-EPOCH", "TOPOLOGY-EPOCH", "MEMBER-PROTOCOL", "MEMBER-EPOCH"];
    let mut lines = vec![line("GROUP", ["MEMBER", "PROCESS", "CLIENT-ID"], more, "ASSIGNMENTS")];
    for member in &group.members {
        let protocol = if member.is_classic { "classic" } else { "streams" };
        let more = [
            group.target_epoch.to_string(),
            group.topology_epoch.to_string(),
            protocol.to_owned(),
            member.epoch.to_string(),
        ];
        let mut assignments = tasks("", &member.assignment);
        if verbose {
            assignments.push_str(&tasks("TARGET-", &member.target));
        }
        let who = [member.id.as_str(), &member.process, &member.client];
        lines.push(line(&group.name, who, more.each_ref().map(String::as_str), &assignments));
    }
    lines
}

/// `ACTIVE: 0:[0,1]; STANDBY: 1:[0]; `.
fn tasks(prefix: &str, assignment: &Assignment) -> String {
    let mut text = String::new();
    let kinds: [(&str, &Vec<TaskIds>); 3] = [
        ("ACTIVE", &assignment.active_tasks),
        ("STANDBY", &assignment.standby_tasks),
        ("WARMUP", &assignment.warmup_tasks),
    ];
    for (name, tasks) in kinds.into_iter().filter(|(_, tasks)| !tasks.is_empty()) {
        text.push_str(&format!("{prefix}{name}: "));
        for task in tasks {
            let numbers: Vec<String> = task.partitions.iter().map(ToString::to_string).collect();
            text.push_str(&format!("{}:[{}]; ", &*task.subtopology_id, numbers.join(",")));
        }
    }
    text
}

fn state_lines(group: &Group, verbose: bool) -> Vec<String> {
    let group_width = width(std::iter::once(group.name.as_str()));
    let coordinator_width = group.coordinator.len().max(25);
    let line = |name: &str, coordinator: &str, state: &str, epochs: [&str; 2], count: &str| {
        let [epoch, target] = epochs;
        let epochs = if verbose { format!("{epoch:<15} {target:<25} ") } else { String::new() };
        format!("{name:<group_width$} {coordinator:<coordinator_width$} {state:<25} {epochs}{count}")
    };
    let head =
        line("GROUP", "COORDINATOR (ID)", "STATE", ["GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH"], "#MEMBERS");
    let epochs = [group.epoch.to_string(), group.target_epoch.to_string()];
    let count = group.members.len().to_string();
    vec![head, line(&group.name, &group.coordinator, &group.state, [&epochs[0], &epochs[1]], &count)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Group {
        let task = |id: &str, partitions: &[i32]| TaskIds {
            subtopology_id: admin::text(id),
            partitions: partitions.to_vec(),
            ..TaskIds::default()
        };
        let assignment = Assignment {
            active_tasks: vec![task("0", &[0, 1])],
            standby_tasks: vec![task("1", &[0])],
            ..Assignment::default()
        };
        let member = Member {
            id: "m".to_owned(),
            epoch: 3,
            process: "p".to_owned(),
            client: "c".to_owned(),
            is_classic: false,
            assignment,
            target: Assignment { active_tasks: vec![task("0", &[0])], ..Assignment::default() },
        };
        let first = Subtopology {
            id: "0".to_owned(),
            sources: vec!["in".to_owned()],
            repartitions: vec!["g-r-repartition".to_owned()],
            changelogs: Vec::new(),
        };
        Group {
            name: "g".to_owned(),
            state: "Stable".to_owned(),
            coordinator: "127.0.0.1:9092 (1)".to_owned(),
            epoch: 3,
            target_epoch: 3,
            topology_epoch: 0,
            subtopologies: vec![first],
            members: vec![member],
        }
    }

    #[test]
    fn tables_are_those_of_kafka() {
        let group = group();
        assert_eq!(
            member_lines(&group, false),
            [
                "GROUP           MEMBER          PROCESS         CLIENT-ID       ASSIGNMENTS",
                "g               m               p               c               ACTIVE: 0:[0,1]; STANDBY: 1:[0]; ",
            ]
        );
        assert_eq!(
            member_lines(&group, true)[1],
            "g               3                         0              m               streams         3               \
             p               c               ACTIVE: 0:[0,1]; STANDBY: 1:[0]; TARGET-ACTIVE: 0:[0]; "
        );
        assert_eq!(
            state_lines(&group, true)[1],
            "g               127.0.0.1:9092 (1)        Stable                    3               3                         1"
        );
        let row = Row { current: None, leader_epoch: None, begin: 2, end: 9 };
        let rows = BTreeMap::from([(("in".to_owned(), 0), row)]);
        assert_eq!(offset_lines(&group, &rows, false)[1], "g               in              0          7");
        assert_eq!(
            offset_lines(&group, &rows, true)[1],
            "g               in              0          -               -               9               7              "
        );
    }

    #[test]
    fn a_task_reads_every_topic_of_its_part() {
        let mut group = group();
        let read = read_partitions(&group).expect("its parts are known");
        let expected: Vec<Key> = [("g-r-repartition", 0), ("g-r-repartition", 1), ("in", 0), ("in", 1)]
            .map(|(topic, partition)| (topic.to_owned(), partition))
            .to_vec();
        assert_eq!(read.into_iter().collect::<Vec<_>>(), expected);
        group.subtopologies.clear();
        assert!(read_partitions(&group).is_err());
    }
}
