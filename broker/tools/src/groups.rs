//! `kafka-groups`: lists the groups of all types.
//! Shell over the client; the lines it prints are made by plain functions.

use ottla_protocol::messages::ListGroupsRequest;

use crate::client::Client;
use crate::command::{Line, client};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

const OPTIONS: &[Known] = &[
    value("bootstrap-server", "REQUIRED: the brokers to connect to."),
    value("command-config", "A properties file for the client."),
    flag("list", "List the groups."),
    value("group-type", "Show groups of one type: classic, consumer, share or streams."),
    value("protocol", "Show groups of one protocol."),
    flag("consumer", "Show all kinds of consumer groups."),
    flag("share", "Show share groups."),
    flag("streams", "Show streams groups."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line = Line { about: "This tool helps to list groups of all types.", options: OPTIONS, run };

const TYPES: [&str; 4] = ["classic", "consumer", "share", "streams"];
const FILTERS: [&str; 3] = ["consumer", "share", "streams"];
const WIDTH_MIN: usize = 20;

/// A group as a broker lists it.
struct Listed {
    group: String,
    kind: String,
    protocol: String,
}

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    if !options.has("bootstrap-server") {
        return Err(Failure::Usage("Missing required option(s) [bootstrap-server]".to_owned()));
    }
    if !options.has("list") {
        return Err(Failure::Usage("Command must include exactly one action: --list.".to_owned()));
    }
    for filter in FILTERS.into_iter().filter(|filter| options.has(filter)) {
        let others = ["group-type", "protocol"].into_iter().chain(FILTERS);
        if let Some(other) = others.into_iter().find(|other| *other != filter && options.has(other)) {
            let message = format!("Option \"[{filter}]\" can't be used with option \"[{other}]\"");
            return Err(Failure::Usage(message));
        }
    }
    if let Some(kind) = options.get("group-type")
        && !TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind))
    {
        let message = "--group-type must be a valid group type.";
        return Err(Failure::Sentence(
            format!("{message}\njava.lang.IllegalArgumentException: {message}\n"),
            1,
        ));
    }
    let mut client = client(options, "bootstrap-server")?;
    match listed(&mut client, terminal) {
        Ok(groups) => {
            for line in lines(groups.iter().filter(|group| is_shown(options, group))) {
                terminal.say(&line)?;
            }
            Ok(())
        }
        Err(exception) => {
            let message = format!("Error while executing groups command : {}", exception.message);
            Err(Failure::Sentence(format!("{message}\n{exception}\n"), 1))
        }
    }
}

fn listed(client: &mut Client, terminal: &mut Terminal<'_>) -> Result<Vec<Listed>, Exception> {
    client.metadata(terminal, "findAllBrokers", Some(Vec::new()))?;
    let nodes: Vec<i32> = client.nodes().map(|node| node.id).collect();
    let mut groups = Vec::new();
    for node in nodes {
        let response = client.node(terminal, "listGroups", node, &ListGroupsRequest::default())?;
        Exception::check(response.error_code, None)?;
        groups.extend(response.groups.into_iter().map(|group| Listed {
            group: group.group_id.to_string(),
            kind: type_name(&group.group_type),
            protocol: group.protocol_type.to_string(),
        }));
    }
    groups.sort_by(|a, b| a.group.cmp(&b.group));
    Ok(groups)
}

/// `Classic`, however the broker writes it.
fn type_name(kind: &str) -> String {
    let mut letters = kind.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters.map(|letter| letter.to_ascii_lowercase())).collect()
}

fn is_shown(options: &Options, group: &Listed) -> bool {
    let is = |kind: &str| group.kind.eq_ignore_ascii_case(kind);
    if options.has("consumer") {
        return is("consumer") || (is("classic") && ["", "consumer"].contains(&group.protocol.as_str()));
    }
    let wanted = FILTERS.into_iter().find(|filter| options.has(filter)).or(options.get("group-type"));
    wanted.is_none_or(is) && options.get("protocol").is_none_or(|protocol| protocol == group.protocol)
}

fn lines<'a>(groups: impl Iterator<Item = &'a Listed> + Clone) -> Vec<String> {
    let width = groups.clone().map(|group| group.group.len()).max().unwrap_or(0).max(WIDTH_MIN);
    let line = |group: &str, kind: &str, protocol: &str| format!("{group:<width$} {kind:<20} {protocol:<20}");
    let head = std::iter::once(line("GROUP", "TYPE", "PROTOCOL"));
    // Kafka's rows have a blank more than their head.
    head.chain(groups.map(|group| line(&group.group, &group.kind, &group.protocol) + " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, kind: &str, protocol: &str) -> bool {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let options = Options::parse(OPTIONS, &words).expect("a good line");
        let group = Listed { group: "g".to_owned(), kind: type_name(kind), protocol: protocol.to_owned() };
        is_shown(&options, &group)
    }

    #[test]
    fn groups_are_shown_by_their_type_and_protocol() {
        assert!(shown("--list", "share", "share"));
        assert!(shown("--consumer", "classic", "consumer") && shown("--consumer", "CONSUMER", "consumer"));
        assert!(!shown("--consumer", "classic", "connect") && !shown("--consumer", "share", "share"));
        assert!(shown("--group-type Classic", "classic", "connect") && !shown("--streams", "classic", ""));
        assert!(
            shown("--protocol connect", "classic", "connect") && !shown("--protocol x", "classic", "connect")
        );
    }

    #[test]
    fn columns_are_as_wide_as_kafka_s() {
        let group =
            Listed { group: "g1".to_owned(), kind: type_name("classic"), protocol: "consumer".to_owned() };
        assert_eq!(
            lines([&group].into_iter()),
            [
                "GROUP                TYPE                 PROTOCOL            ",
                "g1                   Classic              consumer             "
            ]
        );
    }
}
