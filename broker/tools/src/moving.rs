//! Questions and requests of the commands that move replicas.
//! Shell over the client.

use ottla_balance::{Broker, Partition};
use ottla_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId, DescribeClusterRequest, IncrementalAlterConfigsRequest,
};

use crate::admin;
use crate::client::Client;
use crate::error::Exception;
use crate::terminal::Terminal;

/// The key of a broker's directories that take no new replicas.
pub const CORDONED: &str = "cordoned.log.dirs";
const SET: i8 = 0;
const DELETE: i8 = 1;
const TIMEOUT_MS: i32 = 60_000;

/// Where a partition goes; `None` where it is to stay as it was.
pub type Wanted = (String, i32, Option<Vec<i32>>);

/// All that are registered, fenced or not.
pub fn brokers(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
) -> Result<Vec<DescribeClusterBroker>, Exception> {
    let request = DescribeClusterRequest::default().with_endpoint_type(1).with_include_fenced_brokers(true);
    let response = client.any(terminal, "describeCluster", &request)?;
    Exception::check(response.error_code, response.error_message.as_deref())?;
    Ok(response.brokers)
}

/// The same, as replicas are placed by them.
pub fn standings(client: &mut Client, terminal: &mut Terminal<'_>) -> Result<Vec<Broker>, Exception> {
    let mut standings = Vec::new();
    for broker in brokers(client, terminal)? {
        let id = broker.broker_id.0;
        let is_taking = !broker.is_fenced && !is_cordoned(client, terminal, id)?;
        let rack = broker.rack.as_ref().map(|rack| rack.as_str().to_owned());
        standings.push(Broker { id, rack, is_taking, disk: None });
    }
    Ok(standings)
}

/// Whether a broker takes no new replicas (KIP-1066). It has to live.
fn is_cordoned(client: &mut Client, terminal: &mut Terminal<'_>, id: i32) -> Result<bool, Exception> {
    let found = admin::describe_configs(client, terminal, admin::BROKER, &[id.to_string()], false)?;
    let configs = found.iter().flat_map(|result| &result.configs);
    let cordoned = configs.filter(|config| config.name.as_str() == CORDONED);
    Ok(cordoned.filter_map(|config| config.value.as_ref()).any(|value| value.as_str() == "*"))
}

/// All partitions. What is on its way out is as good as gone.
pub fn partitions(client: &mut Client, terminal: &mut Terminal<'_>) -> Result<Vec<Partition>, Exception> {
    let names: Vec<String> = admin::list_topics(client, terminal)?.into_keys().collect();
    let moving = admin::reassignments(client, terminal)?;
    let mut partitions = Vec::new();
    for topic in admin::describe_topics(client, terminal, &names)? {
        let name = topic.name.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default();
        for partition in topic.partitions {
            let index = partition.partition_index;
            let removing: Vec<i32> = moving
                .get(&(name.clone(), index))
                .map(|one| one.removing_replicas.iter().map(|id| id.0).collect())
                .unwrap_or_default();
            let stays = |id: &i32| !removing.contains(id);
            let replicas = partition.replica_nodes.iter().map(|id| id.0).filter(stays).collect();
            partitions.push(Partition { topic: name.as_str().into(), index, replicas });
        }
    }
    Ok(partitions)
}

/// Sets a config of a resource, or takes it away.
pub fn set_config(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    (kind, resource): (i8, &str),
    (key, value): (&str, Option<&str>),
) -> Result<(), Exception> {
    let config = AlterableConfig::default()
        .with_name(admin::text(key))
        .with_config_operation(if value.is_some() { SET } else { DELETE })
        .with_value(value.map(admin::text));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(admin::text(resource))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    // The broker that it is about may be down.
    let response = client.any(terminal, "incrementalAlterConfigs", &request)?;
    for result in &response.responses {
        Exception::check(result.error_code, result.error_message.as_deref())?;
    }
    Ok(())
}

/// Asks for these moves.
pub fn reassign(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    wanted: &[Wanted],
) -> Result<(), Exception> {
    let topic = |(name, index, target): &Wanted| {
        let ids = target.as_ref().map(|ids| ids.iter().map(|id| BrokerId(*id)).collect());
        let partition = ReassignablePartition::default().with_partition_index(*index).with_replicas(ids);
        ReassignableTopic::default().with_name(admin::topic_name(name)).with_partitions(vec![partition])
    };
    let request = AlterPartitionReassignmentsRequest::default()
        .with_timeout_ms(TIMEOUT_MS)
        .with_topics(wanted.iter().map(topic).collect());
    let response = client.any(terminal, "alterPartitionReassignments", &request)?;
    Exception::check(response.error_code, response.error_message.as_deref())?;
    for partition in response.responses.iter().flat_map(|topic| &topic.partitions) {
        // It ended by itself meanwhile, or its topic is gone: the next look shows it.
        let is_over = [3, 85].contains(&partition.error_code);
        if !is_over {
            Exception::check(partition.error_code, partition.error_message.as_deref())?;
        }
    }
    Ok(())
}
