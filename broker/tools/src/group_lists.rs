//! What the commands of share groups and of streams groups have in common: lists of groups, deletion, whom it concerns.
//! Shell over the client; lines are made by plain functions.

use ottla_protocol::messages::{DeleteGroupsRequest, GroupId, ListGroupsRequest};

use crate::admin;
use crate::client::Client;
use crate::consumer_groups::coordinator;
use crate::error::{Exception, Failure};
use crate::offset_reset::trace;
use crate::options::Options;
use crate::terminal::Terminal;

/// A type of groups.
pub struct Kind {
    /// As ListGroups names it.
    pub name: &'static str,
    /// In a sentence: `share`.
    pub word: &'static str,
    /// The states that `--state` may name.
    pub states: &'static [&'static str],
    /// What is said of a group that is not of the type.
    pub stranger: &'static str,
}

/// A group as the brokers list it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub group: String,
    pub state: String,
}

/// All groups of the type, in the order of their names.
pub fn listed(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    kind: &Kind,
) -> Result<Vec<Listed>, Exception> {
    client.metadata(terminal, "findAllBrokers", Some(Vec::new()))?;
    let nodes: Vec<i32> = client.nodes().map(|node| node.id).collect();
    let mut groups = Vec::new();
    for node in nodes {
        let request = ListGroupsRequest::default().with_types_filter(vec![admin::text(kind.name)]);
        let response = client.node(terminal, "listGroups", node, &request)?;
        Exception::check(response.error_code, None)?;
        groups.extend(
            response.groups.into_iter().map(|group| Listed {
                group: group.group_id.to_string(),
                state: group.group_state.to_string(),
            }),
        );
    }
    groups.sort_by(|a, b| a.group.cmp(&b.group));
    Ok(groups)
}

/// `--list`, with `--state` as a table, with `--state A,B` of some.
pub fn list(
    client: &mut Client,
    options: &Options,
    terminal: &mut Terminal<'_>,
    kind: &Kind,
) -> Result<(), Failure> {
    let text = options.get("state").unwrap_or_default();
    let states: Vec<&str> = text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    let is_known = |state: &&&str| !kind.states.iter().any(|known| known.eq_ignore_ascii_case(state));
    if states.iter().any(|state| is_known(&state)) {
        let message = format!("Invalid state list '{text}'. Valid states are: {}", kind.states.join(", "));
        return Err(Failure::Usage(message));
    }
    let groups = listed(client, terminal, kind)?;
    if !options.has("state") {
        for group in groups {
            terminal.say(&group.group)?;
        }
        return Ok(());
    }
    let is_meant = |group: &&Listed| {
        states.is_empty() || states.iter().any(|state| state.eq_ignore_ascii_case(&group.state))
    };
    let groups: Vec<&Listed> = groups.iter().filter(is_meant).collect();
    for line in state_lines(&groups) {
        terminal.say(&line)?;
    }
    Ok(())
}

fn state_lines(groups: &[&Listed]) -> Vec<String> {
    let width = groups.iter().map(|group| group.group.len()).max().unwrap_or(0).max(15);
    let line = |group: &str, state: &str| format!("{group:<width$} {state}");
    let rows = groups.iter().map(|group| line(&group.group, &group.state));
    std::iter::once(line("GROUP", "STATE")).chain(rows).collect()
}

/// The groups that the command line means.
pub fn meant(
    client: &mut Client,
    options: &Options,
    terminal: &mut Terminal<'_>,
    kind: &Kind,
) -> Result<Vec<String>, Exception> {
    if options.has("all-groups") {
        return Ok(listed(client, terminal, kind)?.into_iter().map(|group| group.group).collect());
    }
    let mut groups: Vec<String> = Vec::new();
    for group in options.all("group") {
        if !groups.iter().any(|known| known == group) {
            groups.push(group.to_owned());
        }
    }
    Ok(groups)
}

/// Who was deleted, and who was not, and why.
#[derive(Debug, Default)]
pub struct Deletion {
    pub deleted: Vec<String>,
    pub failed: Vec<(String, Exception)>,
}

/// Splits the groups into those that may be deleted and those that may not (`preAdminCallChecks`).
pub fn deletable(groups: Vec<String>, listed: &[Listed], kind: &Kind) -> (Vec<String>, Deletion) {
    let mut may = Vec::new();
    let mut deletion = Deletion::default();
    for group in groups {
        let word = capital(kind.word);
        let why = match listed.iter().find(|known| known.group == group).map(|known| known.state.as_str()) {
            None => Exception::illegal_argument(format!("Group '{group}' {}", kind.stranger)),
            Some("Dead") => Exception::new(
                "java.lang.IllegalStateException",
                format!("{word} group '{group}' group state is DEAD."),
            ),
            Some("Empty") => {
                may.push(group);
                continue;
            }
            Some(_) => {
                Exception::kafka("GroupNotEmptyException", format!("{word} group '{group}' is not EMPTY."))
            }
        };
        deletion.failed.push((group, why));
    }
    (may, deletion)
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|letter| letter.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// Deletes the groups that may be; of each it is noted what became of it.
pub fn delete(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    groups: Vec<String>,
    deletion: &mut Deletion,
) -> Result<(), Exception> {
    for group in groups {
        let coordinator = coordinator(client, terminal, &group)?;
        let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(admin::text(&group))]);
        let response = client.node(terminal, "deleteConsumerGroups", coordinator, &request)?;
        let outcome =
            response.results.first().map_or(Ok(()), |result| Exception::check(result.error_code, None));
        match outcome {
            Ok(()) => deletion.deleted.push(group),
            Err(exception) => deletion.failed.push((group, exception)),
        }
    }
    Ok(())
}

impl Deletion {
    /// `end` stands behind the list of those that were deleted beside others that were not.
    pub fn lines(&self, kind: &Kind, end: &str) -> Vec<String> {
        let word = kind.word;
        let names: Vec<String> = self.deleted.iter().map(|group| format!("'{group}'")).collect();
        let names = names.join(", ");
        if self.failed.is_empty() {
            return vec![format!("Deletion of requested {word} groups ({names}) was successful.")];
        }
        let mut lines = vec![format!("\nError: Deletion of some {word} groups failed:")];
        for (group, why) in &self.failed {
            lines.push(format!("* Group '{group}' could not be deleted due to: {why}"));
        }
        if !names.is_empty() {
            lines.push(format!("\nThese {word} groups were deleted successfully: {names}{end}"));
        }
        lines
    }
}

/// What Kafka's commands of groups print of what they throw. `code` is what they end with.
pub fn told(
    outcome: Result<(), Failure>,
    terminal: &mut Terminal<'_>,
    kind: &Kind,
    code: i32,
) -> Result<(), Failure> {
    match outcome {
        Err(Failure::Kafka(exception)) if exception.class == "java.lang.IllegalArgumentException" => {
            Err(Failure::Usage(exception.message))
        }
        Err(Failure::Kafka(exception)) => {
            let word = kind.word;
            let message = format!("Executing {word} group command failed due to {}", exception.message);
            terminal.say(&format!("\nError: {message}"))?;
            terminal.out.flush()?;
            writeln!(terminal.err, "{}", trace(&exception))?;
            if code == 0 { Ok(()) } else { Err(Failure::Exit(code)) }
        }
        other => other,
    }
}

/// Refuses `option` beside any of `others`, in Kafka's words (`CommandLineUtils.checkInvalidArgs`).
pub fn excludes(options: &Options, option: &str, others: &[&str]) -> Result<(), Failure> {
    match others.iter().find(|other| options.has(option) && options.has(other)) {
        None => Ok(()),
        Some(other) => {
            Err(Failure::Usage(format!("Option \"[{option}]\" can't be used with option \"[{other}]\"")))
        }
    }
}

/// `[a], [b]`: options as Kafka's complaints name them.
pub fn bracketed(names: &[&str]) -> String {
    names.iter().map(|name| format!("[{name}]")).collect::<Vec<_>>().join(", ")
}

/// Refuses a value of `--state` where it takes none, and more than one of the things to describe.
pub fn check_describe(options: &Options) -> Result<(), Failure> {
    let wrong = |message: String| Err(Failure::Usage(message));
    if !options.has("group") && !options.has("all-groups") {
        let either = bracketed(&["group", "all-groups"]);
        return wrong(format!("Option [describe] takes one of these options: {either}"));
    }
    let views = ["members", "offsets", "state"];
    if views.iter().filter(|view| options.has(view)).count() > 1 {
        let views = bracketed(&views);
        return wrong(format!("Option [describe] takes at most one of these options: {views}"));
    }
    if options.get("state").is_some_and(|value| !value.is_empty()) {
        return wrong("Option [describe] does not take a value for [state]".to_owned());
    }
    Ok(())
}

/// What `--reset-offsets` needs beside the scope and the target.
pub fn check_reset(options: &Options) -> Result<(), Failure> {
    match (options.has("dry-run"), options.has("execute")) {
        (true, true) => {
            let message = "Option [reset-offsets] only accepts one of [execute] and [dry-run]";
            Err(Failure::Usage(message.to_owned()))
        }
        (false, false) => {
            let message = "Option [reset-offsets] takes the option: [execute] or [dry-run]";
            Err(Failure::Usage(message.to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind =
        Kind { name: "Share", word: "share", states: &["Empty"], stranger: "is not a share group." };

    fn listed(group: &str, state: &str) -> Listed {
        Listed { group: group.to_owned(), state: state.to_owned() }
    }

    #[test]
    fn states_stand_beside_names() {
        let group = listed("g", "Empty");
        assert_eq!(state_lines(&[&group]), ["GROUP           STATE", "g               Empty"]);
    }

    #[test]
    fn only_an_empty_group_of_the_type_is_deleted() {
        let known = [listed("a", "Empty"), listed("b", "Stable")];
        let groups = ["a", "b", "c"].map(str::to_owned).to_vec();
        let (may, mut deletion) = deletable(groups, &known, &KIND);
        assert_eq!(may, ["a"]);
        deletion.deleted = may;
        assert_eq!(
            deletion.lines(&KIND, ""),
            [
                "\nError: Deletion of some share groups failed:",
                "* Group 'b' could not be deleted due to: org.apache.kafka.common.errors.GroupNotEmptyException: Share group \
                 'b' is not EMPTY.",
                "* Group 'c' could not be deleted due to: java.lang.IllegalArgumentException: Group 'c' is not a share group.",
                "\nThese share groups were deleted successfully: 'a'",
            ]
        );
        let deletion = Deletion { deleted: vec!["a".to_owned(), "b".to_owned()], failed: Vec::new() };
        assert_eq!(
            deletion.lines(&KIND, ""),
            ["Deletion of requested share groups ('a', 'b') was successful."]
        );
    }
}
