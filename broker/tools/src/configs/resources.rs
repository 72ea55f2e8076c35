//! The configs of topics, brokers, groups and client metrics, and the levels of loggers.
//! Shell over the client.

use ottla_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use ottla_protocol::messages::{ListConfigResourcesRequest, ListGroupsRequest};

use super::changes::Changes;
use super::entities::{Entity, Kind};
use crate::admin;
use crate::client::Client;
use crate::error::{Exception, Failure};
use crate::terminal::Terminal;

pub fn alter(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    entity: &Entity,
    resource: i8,
    changes: &Changes,
) -> Result<(), Exception> {
    let name = entity.name.clone().unwrap_or_default();
    if entity.kind == Kind::BrokerLoggers {
        check_loggers(client, terminal, &name, changes)?;
    }
    admin::alter_configs(client, terminal, resource, &name, &changes.added, &changes.deleted)
}

/// The tool says itself what is no logger.
fn check_loggers(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    broker: &str,
    changes: &Changes,
) -> Result<(), Exception> {
    let brokers = [broker.to_owned()];
    let results = admin::describe_configs(client, terminal, admin::BROKER_LOGGER, &brokers, false)?;
    let is_known = |name: &str| {
        results.iter().flat_map(|result| &result.configs).any(|config| config.name.as_str() == name)
    };
    let named = changes.deleted.iter().chain(changes.added.iter().map(|(name, _)| name));
    let unknown: Vec<&str> = named.map(String::as_str).filter(|name| !is_known(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let message = format!("Invalid broker logger(s): {}", unknown.join(","));
    Err(Exception::kafka("InvalidConfigurationException", message))
}

pub fn describe(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    entity: &Entity,
    resource: i8,
    all: bool,
) -> Result<(), Failure> {
    let known = names(client, terminal, entity.kind)?;
    let singular = entity.kind.singular();
    let names = match &entity.name {
        Some(name) if !is_of_brokers(entity.kind) && !known.contains(name) => {
            let line = format!("The {singular} '{name}' doesn't exist and doesn't have dynamic config.");
            return Ok(terminal.say(&line)?);
        }
        Some(name) => vec![name.clone()],
        None => known,
    };
    for name in names {
        let results = admin::describe_configs(client, terminal, resource, std::slice::from_ref(&name), true)?;
        let head = match (name.is_empty(), all) {
            (true, _) => format!("Default configs for {} in the cluster are:", entity.kind.plural()),
            (false, true) => format!("All configs for {singular} {name} are:"),
            (false, false) => format!("Dynamic configs for {singular} {name} are:"),
        };
        terminal.say(&head)?;
        let is_whole = all || entity.kind == Kind::BrokerLoggers;
        let source = if is_whole { None } else { Some(dynamic_source(entity.kind, &name)) };
        for line in results.iter().flat_map(|result| lines(result, source)) {
            terminal.say(&line)?;
        }
    }
    Ok(())
}

fn is_of_brokers(kind: Kind) -> bool {
    matches!(kind, Kind::Brokers | Kind::BrokerLoggers)
}

/// Where values stand that were set for the entity itself.
fn dynamic_source(kind: Kind, name: &str) -> i8 {
    match kind {
        Kind::Topics => admin::TOPIC_SOURCE,
        Kind::Brokers if name.is_empty() => admin::DEFAULT_BROKER_SOURCE,
        Kind::Brokers => admin::BROKER_SOURCE,
        Kind::Groups => admin::GROUP_SOURCE,
        _ => admin::CLIENT_METRICS_SOURCE,
    }
}

fn lines(result: &DescribeConfigsResult, source: Option<i8>) -> Vec<String> {
    let is_shown =
        |config: &&DescribeConfigsResourceResult| source.is_none_or(|source| config.config_source == source);
    let mut configs: Vec<_> = result.configs.iter().filter(is_shown).collect();
    configs.sort_by(|a, b| a.name.cmp(&b.name));
    configs.into_iter().map(line).collect()
}

fn line(config: &DescribeConfigsResourceResult) -> String {
    let synonyms: Vec<String> = config
        .synonyms
        .iter()
        .map(|synonym| {
            let value = synonym.value.as_deref().unwrap_or("null");
            format!("{}:{}={value}", super::source_name(synonym.source), synonym.name)
        })
        .collect();
    format!(
        "  {}={} sensitive={} synonyms={{{}}}",
        config.name,
        config.value.as_deref().unwrap_or("null"),
        config.is_sensitive,
        synonyms.join(", ")
    )
}

/// Everything of a kind, in the order in which it is shown.
fn names(client: &mut Client, terminal: &mut Terminal<'_>, kind: Kind) -> Result<Vec<String>, Exception> {
    match kind {
        Kind::Topics => Ok(admin::list_topics(client, terminal)?.into_keys().collect()),
        Kind::Brokers | Kind::BrokerLoggers => {
            client.metadata(terminal, "describeCluster", Some(Vec::new()))?;
            let ids = client.nodes().map(|node| node.id.to_string());
            Ok(ids.chain(std::iter::once(String::new())).collect())
        }
        Kind::Groups => {
            let mut names = with_configs(client, terminal, admin::GROUP)?;
            client.metadata(terminal, "findAllBrokers", Some(Vec::new()))?;
            let nodes: Vec<i32> = client.nodes().map(|node| node.id).collect();
            for node in nodes {
                let response = client.node(terminal, "listGroups", node, &ListGroupsRequest::default())?;
                names.extend(response.groups.iter().map(|group| group.group_id.to_string()));
            }
            names.sort();
            names.dedup();
            Ok(names)
        }
        _ => with_configs(client, terminal, admin::CLIENT_METRICS),
    }
}

fn with_configs(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    resource: i8,
) -> Result<Vec<String>, Exception> {
    let request = ListConfigResourcesRequest::default().with_resource_types(vec![resource]);
    let response = client.any(terminal, "listConfigResources", &request)?;
    Exception::check(response.error_code, None)?;
    let mut names: Vec<String> =
        response.config_resources.iter().map(|resource| resource.resource_name.to_string()).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::describe_configs_response::DescribeConfigsSynonym;

    use super::*;

    /// A line that Apache Kafka 4.3.1 printed.
    #[test]
    fn a_config_is_shown_with_where_its_values_come_from() {
        let synonym = |name: &str, value: &str, source| {
            DescribeConfigsSynonym::default()
                .with_name(admin::text(name))
                .with_value(Some(admin::text(value)))
                .with_source(source)
        };
        let config = DescribeConfigsResourceResult::default()
            .with_name(admin::text("cleanup.policy"))
            .with_value(Some(admin::text("compact,delete")))
            .with_config_source(admin::TOPIC_SOURCE)
            .with_synonyms(vec![
                synonym("cleanup.policy", "compact,delete", admin::TOPIC_SOURCE),
                synonym("log.cleanup.policy", "delete", admin::DEFAULT_SOURCE),
            ]);
        let result = DescribeConfigsResult::default().with_configs(vec![config]);
        let expected = "  cleanup.policy=compact,delete sensitive=false \
                        synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete, \
                        DEFAULT_CONFIG:log.cleanup.policy=delete}";
        assert_eq!(lines(&result, Some(admin::TOPIC_SOURCE)), [expected]);
        assert!(lines(&result, Some(admin::BROKER_SOURCE)).is_empty());
    }
}
