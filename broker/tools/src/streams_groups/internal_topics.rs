//! Which topics are a streams group's own: what it repartitions by, and the changelogs of its stores.
//! Shell over the client; what a name says is decided by plain functions.

use std::collections::BTreeMap;

use super::describe::{self, Group};
use crate::client::Client;
use crate::error::{Exception, Failure};
use crate::terminal::Terminal;

/// The topics of each group that may go with it. One whose name does not say whose it is stays, with a remark.
pub fn of(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    groups: &[String],
) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let mut internal = BTreeMap::new();
    for name in groups {
        let group = match describe::described(client, terminal, name) {
            Ok(group) => group,
            Err(exception) => {
                let message = format!("\nError: Retrieving internal topics failed due to {exception}");
                terminal.say(&message)?;
                continue;
            }
        };
        let (topics, strangers): (Vec<String>, Vec<String>) =
            candidates(&group).into_iter().partition(|topic| is_internal(topic, name));
        for topic in strangers {
            terminal.say(&format!(
                "\nError: The internal topic '{topic}' is not inferred as internal and thus will not be deleted with \
                 the group '{name}'."
            ))?;
        }
        if !topics.is_empty() {
            internal.insert(name.clone(), topics);
        }
    }
    Ok(internal)
}

fn candidates(group: &Group) -> Vec<String> {
    let subtopologies = &group.subtopologies;
    let is_source = |topic: &String| subtopologies.iter().any(|one| one.sources.contains(topic));
    let all = subtopologies.iter().flat_map(|one| one.repartitions.iter().chain(&one.changelogs));
    all.filter(|topic| !is_source(topic)).cloned().collect()
}

/// `GROUP-…` with one of the endings that Kafka Streams gives.
fn is_internal(topic: &str, group: &str) -> bool {
    const ENDINGS: [&str; 4] =
        ["-changelog", "-repartition", "-subscription-registration-topic", "-subscription-response-topic"];
    const JOINS: [&str; 2] =
        ["-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-", "-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-"];
    let is_numbered = |text: &str| {
        text.strip_suffix("-topic")
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let is_of_join =
        || JOINS.iter().any(|join| topic.rsplit_once(join).is_some_and(|(_, rest)| is_numbered(rest)));
    topic.strip_prefix(group).is_some_and(|rest| rest.starts_with('-'))
        && (ENDINGS.iter().any(|ending| topic.ends_with(ending)) || is_of_join())
}

pub fn deletion_lines(groups: &[&String], failed: &BTreeMap<String, Exception>) -> Vec<String> {
    if failed.is_empty() {
        let names: Vec<String> = groups.iter().map(|group| format!("'{group}'")).collect();
        let names = names.join(", ");
        return vec![format!(
            "Deletion of associated internal topics of the streams groups ({names}) was successful."
        )];
    }
    let each = failed.iter().map(|(group, why)| {
        format!("* Internal topics of the streams group '{group}' could not be deleted due to: {why}")
    });
    std::iter::once("Deletion of some associated internal topics failed:".to_owned()).chain(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_s_own_topics_say_so_in_their_names() {
        for topic in [
            "app-counts-changelog",
            "app-by-word-repartition",
            "app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-0000000012-topic",
        ] {
            assert!(is_internal(topic, "app"), "{topic}");
        }
        for topic in
            ["other-counts-changelog", "app-counts", "application-x-changelog", "app-KTABLE-FK-JOIN-topic"]
        {
            assert!(!is_internal(topic, "app"), "{topic}");
        }
    }

    #[test]
    fn what_became_of_them_is_told() {
        let (group, why) = ("app".to_owned(), Exception::kafka("TimeoutException", "too late"));
        let told = deletion_lines(&[&group], &BTreeMap::new());
        assert_eq!(
            told,
            ["Deletion of associated internal topics of the streams groups ('app') was successful."]
        );
        let told = deletion_lines(&[&group], &BTreeMap::from([(group.clone(), why)]));
        assert_eq!(
            told[1],
            "* Internal topics of the streams group 'app' could not be deleted due to: \
             org.apache.kafka.common.errors.TimeoutException: too late"
        );
    }
}
