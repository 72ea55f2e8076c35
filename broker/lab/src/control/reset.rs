//! `POST /reset`: a cluster is again as it was made, behind the port that its clients have.
//! Shell. By Kafka's own rules, so that what a client still knows is refused, and not silently wrong: its transaction is
//! aborted under a newer producer epoch, its member id is unknown, the ids of its topics are unknown.

use ottla_admin::Asked;
use ottla_env::Clock;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_protocol::messages::{
    AlterClientQuotasRequest, CreateTopicsRequest, DeleteGroupsRequest, DeleteTopicsRequest,
    DescribeClientQuotasRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
    ListConfigResourcesRequest, ListGroupsRequest, ListTransactionsRequest, MetadataRequest, TopicName,
    alter_client_quotas_request,
};
use serde_json::json;

use super::records::LOOK_EVERY;
use super::reply::{Failed, Reply, ok};
use super::{Known, members, reply, transactions};
use crate::bad::Bad;
use crate::cluster::Cluster;
use crate::inside::ask;
use crate::settings::TopicSettings;
use crate::words::code_name;

const TIMEOUT_MS: i32 = 30_000;
/// How often one looks whether a transaction has ended, or a member that came back has left again.
pub const LOOKS_MAX: u32 = 500;
/// Types of resources.
const BROKER: i8 = 4;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;
/// Sources of a config's value.
const OF_BROKER: i8 = 2;
const OF_ALL_BROKERS: i8 = 3;
const OF_CLIENT_METRICS: i8 = 7;
const OF_GROUP: i8 = 8;
const DELETE: i8 = 1;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn broken(why: impl Into<String>) -> Failed {
    Failed::of(500, why)
}

pub async fn reset(known: &Known, asked: &Asked) -> Reply {
    if reply::body(asked)? != json!({}) {
        return Err(Bad::new("", "reset takes no words").into());
    }
    let (cluster, born) = (&*known.cluster, &*known.born);
    // Whoever is held goes on, and nothing stands in the way.
    cluster.faults.lock().clear();
    cluster.open_forgotten_gates();
    cluster.clock.set_mode(born.clock.unwrap_or_default());
    end_transactions(cluster).await?;
    delete_groups(cluster).await?;
    delete_topics(cluster).await?;
    delete_quotas(cluster).await?;
    delete_configs(cluster).await?;
    make_topics(cluster, &born.topics).await?;
    cluster.journal.lock().clear();
    let rules = born.faults.iter().map(|fault| fault.0.clone()).collect();
    let now = cluster.clock.monotonic();
    let were_taken = cluster.faults.lock().replace(rules, now).is_some();
    assert!(were_taken, "the cluster was born with them");
    ok(json!({}))
}

/// A producer that begins anew fences the one that is there, and aborts what it has open.
async fn end_transactions(cluster: &Cluster) -> Result<(), Failed> {
    let listed = ask(cluster, 0, &ListTransactionsRequest::default()).await.map_err(broken)?;
    for transaction in listed.transaction_states {
        transactions::begin_anew(cluster, &transaction.transactional_id, TIMEOUT_MS).await?;
    }
    Ok(())
}

pub async fn wait(cluster: &Cluster) {
    let clock = &cluster.env.clock;
    clock.sleep_until(clock.monotonic().after(LOOK_EVERY)).await;
}

async fn delete_groups(cluster: &Cluster) -> Result<(), Failed> {
    let listed = ask(cluster, 5, &ListGroupsRequest::default()).await.map_err(broken)?;
    for group in listed.groups {
        let mut looks = 0;
        loop {
            members::leave(cluster, &group.group_type, &group.group_id, None).await?;
            let names = vec![group.group_id.clone()];
            let answer = ask(cluster, 2, &DeleteGroupsRequest::default().with_groups_names(names))
                .await
                .map_err(broken)?;
            let code = answer.results.first().map_or(0, |result| result.error_code);
            match code_name(code).as_str() {
                "NONE" | "GROUP_ID_NOT_FOUND" => break,
                // A member was quick to come back.
                "NON_EMPTY_GROUP" if looks < LOOKS_MAX => looks += 1,
                other => return Err(broken(format!("group {}: {other}", group.group_id.0))),
            }
            wait(cluster).await;
        }
    }
    Ok(())
}

/// All but those in which the broker keeps what was committed.
async fn delete_topics(cluster: &Cluster) -> Result<(), Failed> {
    let request = MetadataRequest::default().with_topics(None).with_allow_auto_topic_creation(false);
    let answer = ask(cluster, 12, &request).await.map_err(broken)?;
    let topics: Vec<DeleteTopicState> = answer
        .topics
        .into_iter()
        .filter(|topic| !topic.is_internal)
        .filter_map(|topic| topic.name)
        .map(|name| DeleteTopicState::default().with_name(Some(name)))
        .collect();
    if topics.is_empty() {
        return Ok(());
    }
    let request = DeleteTopicsRequest::default().with_topics(topics).with_timeout_ms(TIMEOUT_MS);
    let answer = ask(cluster, 6, &request).await.map_err(broken)?;
    match answer.responses.iter().find(|topic| topic.error_code != 0) {
        Some(topic) => Err(broken(format!("{:?}: {}", topic.name, code_name(topic.error_code)))),
        None => Ok(()),
    }
}

async fn make_topics(cluster: &Cluster, topics: &[TopicSettings]) -> Result<(), Failed> {
    let topics: Vec<CreatableTopic> = topics
        .iter()
        .map(|topic| {
            let configs = topic.configs.iter().map(|(name, value)| {
                CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
            });
            CreatableTopic::default()
                .with_name(TopicName(text(&topic.name)))
                .with_num_partitions(topic.partitions.unwrap_or(-1))
                .with_replication_factor(-1)
                .with_configs(configs.collect())
        })
        .collect();
    if topics.is_empty() {
        return Ok(());
    }
    let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(TIMEOUT_MS);
    let answer = ask(cluster, 5, &request).await.map_err(broken)?;
    match answer.topics.iter().find(|topic| topic.error_code != 0) {
        Some(topic) => Err(broken(format!("{}: {}", topic.name.0, code_name(topic.error_code)))),
        None => Ok(()),
    }
}

async fn delete_quotas(cluster: &Cluster) -> Result<(), Failed> {
    use alter_client_quotas_request::{EntityData, EntryData, OpData};
    let listed = ask(cluster, 1, &DescribeClientQuotasRequest::default()).await.map_err(broken)?;
    let entries: Vec<EntryData> = listed
        .entries
        .unwrap_or_default()
        .into_iter()
        .map(|entry| {
            let entity = entry.entity.into_iter().map(|one| {
                EntityData::default().with_entity_type(one.entity_type).with_entity_name(one.entity_name)
            });
            let ops =
                entry.values.into_iter().map(|one| OpData::default().with_key(one.key).with_remove(true));
            EntryData::default().with_entity(entity.collect()).with_ops(ops.collect())
        })
        .collect();
    if !entries.is_empty() {
        let request = AlterClientQuotasRequest::default().with_entries(entries);
        ask(cluster, 1, &request).await.map_err(broken)?;
    }
    Ok(())
}

/// What was changed while the broker ran: its own configs, and those of groups and subscriptions to metrics.
async fn delete_configs(cluster: &Cluster) -> Result<(), Failed> {
    let mut resources = vec![resource(BROKER, "")];
    let metadata = ask(cluster, 12, &MetadataRequest::default()).await.map_err(broken)?;
    resources.extend(metadata.brokers.iter().map(|broker| resource(BROKER, &broker.node_id.0.to_string())));
    let request = ListConfigResourcesRequest::default().with_resource_types(vec![CLIENT_METRICS, GROUP]);
    let listed = ask(cluster, 1, &request).await.map_err(broken)?.config_resources;
    resources.extend(listed.iter().map(|one| resource(one.resource_type, &one.resource_name)));
    let request = DescribeConfigsRequest::default().with_resources(resources);
    let described = ask(cluster, 4, &request).await.map_err(broken)?;
    let mut changes = Vec::new();
    for resource in described.results {
        // A broker also names what all brokers have; that is deleted where it is.
        let source = match (resource.resource_type, resource.resource_name.is_empty()) {
            (BROKER, true) => OF_ALL_BROKERS,
            (BROKER, false) => OF_BROKER,
            (CLIENT_METRICS, _) => OF_CLIENT_METRICS,
            _group => OF_GROUP,
        };
        let configs: Vec<AlterableConfig> = resource
            .configs
            .into_iter()
            .filter(|config| config.config_source == source)
            .map(|config| AlterableConfig::default().with_name(config.name).with_config_operation(DELETE))
            .collect();
        if !configs.is_empty() {
            changes.push(
                AlterConfigsResource::default()
                    .with_resource_type(resource.resource_type)
                    .with_resource_name(resource.resource_name)
                    .with_configs(configs),
            );
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    let request = IncrementalAlterConfigsRequest::default().with_resources(changes);
    let answer = ask(cluster, 1, &request).await.map_err(broken)?;
    match answer.responses.iter().find(|one| one.error_code != 0) {
        Some(one) => Err(broken(format!("{}: {}", one.resource_name, code_name(one.error_code)))),
        None => Ok(()),
    }
}

fn resource(kind: i8, name: &str) -> DescribeConfigsResource {
    DescribeConfigsResource::default().with_resource_type(kind).with_resource_name(text(name))
}
