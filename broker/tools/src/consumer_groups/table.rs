//! The tables of `--describe`.
//! Core: what is known of groups becomes lines.

use super::describe::{Group, Member, OffsetRow};

/// What stands where nothing is known.
pub const NOTHING: &str = "-";

fn width<'a>(least: usize, values: impl Iterator<Item = &'a str>) -> usize {
    values.map(str::len).max().unwrap_or(0).max(least)
}

fn known<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| value.to_string())
}

/// The sentence about a group that is not stable, for standard error.
pub fn remark(group: &Group) -> Option<String> {
    let name = &group.name;
    match group.state.as_str() {
        "Empty" => Some(format!("\nConsumer group '{name}' has no active members.")),
        "Dead" => Some(format!("\nConsumer group '{name}' does not exist.")),
        "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => {
            Some(format!("\nWarning: Consumer group '{name}' is rebalancing."))
        }
        _ => None,
    }
}

pub fn offsets(group: &Group, rows: &[OffsetRow], verbose: bool) -> Vec<String> {
    let group_width = width(15, std::iter::once(group.name.as_str()));
    let topic_width = width(15, rows.iter().map(|row| row.topic.as_str()));
    let member_width = width(15, rows.iter().map(|row| row.member.as_str()));
    let host_width = width(15, rows.iter().map(|row| row.host.as_str()));
    let line = |group: &str,
                topic: &str,
                partition: &str,
                epoch: &str,
                numbers: [&str; 3],
                who: [&str; 3]| {
        let epoch = if verbose { format!("{epoch:<15} ") } else { String::new() };
        let [current, end, lag] = numbers;
        let [member, host, client] = who;
        format!(
            "{group:<group_width$} {topic:<topic_width$} {partition:<10} {epoch}{current:<15} {end:<15} {lag:<15} \
             {member:<member_width$} {host:<host_width$} {client}"
        )
    };
    let head = line(
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        ["CURRENT-OFFSET", "LOG-END-OFFSET", "LAG"],
        ["CONSUMER-ID", "HOST", "CLIENT-ID"],
    );
    let rows = rows.iter().map(|row| {
        let lag = row.end.zip(row.current).map(|(end, current)| end - current);
        line(
            &group.name,
            &row.topic,
            &known(row.partition),
            &known(row.leader_epoch),
            [&known(row.current), &known(row.end), &known(lag)],
            [&row.member, &row.host, &row.client],
        )
    });
    std::iter::once(format!("\n{head}")).chain(rows).collect()
}

pub fn members(group: &Group, verbose: bool) -> Vec<String> {
    let all = &group.members;
    let group_width = width(15, std::iter::once(group.name.as_str()));
    let id_width = width(15, all.iter().map(|member| member.id.as_str()));
    let instance_width = width(17, all.iter().filter_map(|member| member.instance.as_deref()));
    let host_width = width(15, all.iter().map(|member| member.host.as_str()));
    let client_width = width(15, all.iter().map(|member| member.client.as_str()));
    let with_instances = all.iter().any(|member| member.instance.is_some());
    let line = |group: &str,
                id: &str,
                instance: &str,
                host: &str,
                client: &str,
                count: &str,
                more: [&str; 4]| {
        let instance = if with_instances { format!("{instance:<instance_width$} ") } else { String::new() };
        let [epoch, assignment, target_epoch, target] = more;
        let more = if verbose {
            format!("{epoch:<15} {assignment:<20} {target_epoch:<15} {target:<20}")
        } else {
            String::new()
        };
        format!(
            "{group:<group_width$} {id:<id_width$} {instance}{host:<host_width$} {client:<client_width$} {count:<15} \
             {more}"
        )
    };
    let head = line(
        "GROUP",
        "CONSUMER-ID",
        "GROUP-INSTANCE-ID",
        "HOST",
        "CLIENT-ID",
        "#PARTITIONS",
        ["CURRENT-EPOCH", "CURRENT-ASSIGNMENT", "TARGET-EPOCH", "TARGET-ASSIGNMENT"],
    );
    let rows = all.iter().map(|member| {
        let count: usize = member.assignment.values().map(Vec::len).sum();
        line(
            &group.name,
            &member.id,
            member.instance.as_deref().unwrap_or_default(),
            &member.host,
            &member.client,
            &count.to_string(),
            [
                &known(member.epoch),
                &assignment(&member.assignment),
                &known(member.target.as_ref().and(group.target_epoch)),
                &member.target.as_ref().map_or_else(|| NOTHING.to_owned(), assignment),
            ],
        )
    });
    std::iter::once(format!("\n{head}")).chain(rows).collect()
}

/// `a:0,1;b:2`.
fn assignment(topics: &std::collections::BTreeMap<String, Vec<i32>>) -> String {
    if topics.is_empty() {
        return NOTHING.to_owned();
    }
    let one = |(topic, partitions): (&String, &Vec<i32>)| {
        let numbers: Vec<String> = partitions.iter().map(i32::to_string).collect();
        format!("{topic}:{}", numbers.join(","))
    };
    topics.iter().map(one).collect::<Vec<_>>().join(";")
}

pub fn state(group: &Group, verbose: bool) -> Vec<String> {
    let group_width = width(15, std::iter::once(group.name.as_str()));
    let coordinator_width = width(25, std::iter::once(group.coordinator.as_str()));
    let line = |name: &str,
                coordinator: &str,
                assignor: &str,
                state: &str,
                epochs: [&str; 2],
                count: &str| {
        let [epoch, target] = epochs;
        let epochs = if verbose { format!("{epoch:<15} {target:<25} ") } else { String::new() };
        format!(
            "{name:<group_width$} {coordinator:<coordinator_width$} {assignor:<20} {state:<20} {epochs}{count}"
        )
    };
    let assignor = if group.assignor.is_empty() { NOTHING } else { &group.assignor };
    vec![
        format!(
            "\n{}",
            line(
                "GROUP",
                "COORDINATOR (ID)",
                "ASSIGNMENT-STRATEGY",
                "STATE",
                ["GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH"],
                "#MEMBERS"
            )
        ),
        line(
            &group.name,
            &group.coordinator,
            assignor,
            &group.state,
            [&known(group.epoch), &known(group.target_epoch)],
            &group.members.len().to_string(),
        ),
    ]
}

/// The members with the most partitions first, as Kafka shows their offsets.
pub fn by_share(members: &[Member]) -> Vec<&Member> {
    let mut sorted: Vec<&Member> = members.iter().collect();
    let count = |member: &Member| member.assignment.values().map(Vec::len).sum::<usize>();
    sorted.sort_by_key(|member| std::cmp::Reverse(count(member)));
    sorted
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn group() -> Group {
        let member = Member {
            id: "ElMbpQrCQBO923fxK7R1UA".to_owned(),
            instance: None,
            host: "/127.0.0.1".to_owned(),
            client: "console-consumer".to_owned(),
            assignment: BTreeMap::from([("aa".to_owned(), vec![0, 1])]),
            epoch: Some(2),
            target: Some(BTreeMap::from([("aa".to_owned(), vec![0, 1])])),
        };
        Group {
            name: "g2".to_owned(),
            state: "Stable".to_owned(),
            assignor: "uniform".to_owned(),
            coordinator: "127.0.0.1:26010  (1)".to_owned(),
            epoch: Some(2),
            target_epoch: Some(2),
            members: vec![member],
        }
    }

    /// Lines that Apache Kafka 4.3.1 printed.
    #[test]
    fn tables_are_those_of_kafka() {
        let group = group();
        assert_eq!(
            members(&group, false),
            [
                "\nGROUP           CONSUMER-ID            HOST            CLIENT-ID        #PARTITIONS     ",
                "g2              ElMbpQrCQBO923fxK7R1UA /127.0.0.1      console-consumer 2               ",
            ]
        );
        assert_eq!(
            members(&group, true)[1],
            "g2              ElMbpQrCQBO923fxK7R1UA /127.0.0.1      console-consumer 2               2               \
             aa:0,1               2               aa:0,1              "
        );
        assert_eq!(
            state(&group, true),
            [
                "\nGROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                GROUP-EPOCH     \
                 TARGET-ASSIGNMENT-EPOCH   #MEMBERS",
                "g2              127.0.0.1:26010  (1)      uniform              Stable               2               \
                 2                         1",
            ]
        );
        let row = OffsetRow {
            topic: "aa".to_owned(),
            partition: Some(1),
            current: Some(2),
            end: Some(5),
            leader_epoch: None,
            member: NOTHING.to_owned(),
            host: NOTHING.to_owned(),
            client: NOTHING.to_owned(),
        };
        assert_eq!(
            offsets(&group, &[row], true)[1],
            "g2              aa              1          -               2               5               3               \
             -               -               -"
        );
    }

    #[test]
    fn a_group_that_is_not_stable_is_remarked_on() {
        assert_eq!(remark(&group()), None);
        let empty = Group { state: "Empty".to_owned(), ..group() };
        assert_eq!(remark(&empty).as_deref(), Some("\nConsumer group 'g2' has no active members."));
    }
}
