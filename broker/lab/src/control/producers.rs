//! `/producers`: what partitions know of who writes to them, and have them forget it.
//! Shell.

use ottla_admin::Asked;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::describe_producers_request::TopicRequest;
use ottla_protocol::messages::{DescribeProducersRequest, MetadataRequest, TopicName};
use serde_json::{Value as Json, json};

use super::records::partition_count;
use super::reply::{self, Failed, Reply, ok};
use crate::bad::Bad;
use crate::behind::Forgotten;
use crate::cluster::Cluster;
use crate::inside::ask;
use crate::words::error_name;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn broken(why: impl Into<String>) -> Failed {
    Failed::of(500, why)
}

/// Names with their numbers of partitions.
async fn topics(cluster: &Cluster, only: Option<&str>) -> Result<Vec<(String, i32)>, Failed> {
    if let Some(topic) = only {
        let count = partition_count(cluster, topic, false).await;
        let count = count.map_err(|failed| Failed::bad(Bad::new("topic", failed.to_string())))?;
        return Ok(vec![(topic.to_owned(), count)]);
    }
    let request = MetadataRequest::default().with_topics(None).with_allow_auto_topic_creation(false);
    let answer = ask(cluster, 12, &request).await.map_err(broken)?;
    let mut topics: Vec<(String, i32)> = answer
        .topics
        .into_iter()
        .filter_map(|topic| Some((topic.name?.to_string(), topic.partitions.len() as i32)))
        .collect();
    topics.sort();
    Ok(topics)
}

pub async fn all(cluster: &Cluster, asked: &Asked) -> Reply {
    let mut words = reply::query(asked);
    let only = reply::take(&mut words, "topic");
    reply::nothing_else(&words, "topic")?;
    ok(json!({ "producers": described(cluster, &topics(cluster, only.as_deref()).await?).await? }))
}

async fn described(cluster: &Cluster, topics: &[(String, i32)]) -> Result<Vec<Json>, Failed> {
    let topics = topics.iter().map(|(name, count)| {
        TopicRequest::default().with_name(TopicName(text(name))).with_partition_indexes((0..*count).collect())
    });
    let request = DescribeProducersRequest::default().with_topics(topics.collect());
    let answer = ask(cluster, 0, &request).await.map_err(broken)?;
    let mut shown = Vec::new();
    for topic in &answer.topics {
        for partition in &topic.partitions {
            shown.extend(partition.active_producers.iter().map(|producer| {
                let open_from = producer.current_txn_start_offset;
                json!({
                    "topic": topic.name.to_string(),
                    "partition": partition.partition_index,
                    "producer_id": producer.producer_id.0,
                    "producer_epoch": producer.producer_epoch,
                    "last_sequence": producer.last_sequence,
                    "last_timestamp": producer.last_timestamp,
                    "transaction_began_at": (open_from >= 0).then_some(open_from),
                })
            }));
        }
    }
    Ok(shown)
}

/// As when a producer was silent for `producer.id.expiration.ms`.
pub async fn forget(cluster: &Cluster, id: &str, asked: &Asked) -> Reply {
    let body = reply::words(asked, &["topic", "partition"])?;
    let producer_id: i64 = id.parse().map_err(|_| Failed::of(404, format!("'{id}' is no producer id")))?;
    let topic = match body.get("topic") {
        None => None,
        Some(Json::String(topic)) => Some(topic.as_str()),
        Some(_other) => return Err(Bad::new("topic", "the name of a topic").into()),
    };
    let topics = topics(cluster, topic).await?;
    let partition = match body.get("partition") {
        None => None,
        Some(_number) if topic.is_none() => {
            return Err(Bad::new("partition", "goes with a topic, and there is none").into());
        }
        Some(number) => {
            let count = topics.first().map_or(0, |(_, count)| *count);
            let number = number.as_i64().filter(|number| (0..i64::from(count)).contains(number));
            let why = || Bad::new("partition", format!("the topic has the partitions 0 to {}", count - 1));
            Some(number.ok_or_else(why)?)
        }
    };
    let known: Vec<Json> = described(cluster, &topics)
        .await?
        .into_iter()
        .filter(|one| one["producer_id"] == json!(producer_id))
        .filter(|one| partition.is_none_or(|partition| one["partition"] == json!(partition)))
        .collect();
    if known.is_empty() {
        return Err(Failed::of(404, format!("no partition knows the producer {producer_id}")));
    }
    if let Some(open) = known.iter().find(|one| !one["transaction_began_at"].is_null()) {
        return Err(Failed::of(409, is_open(open)));
    }
    let behind = cluster.behind().ok_or_else(|| broken("the cluster does not serve yet"))?;
    let mut forgotten = Vec::new();
    for one in known {
        let (Some(topic), Some(partition)) = (one["topic"].as_str(), one["partition"].as_i64()) else {
            continue;
        };
        match behind.forget_producer(topic, partition as i32, producer_id) {
            Ok(Forgotten::Yes) => forgotten.push(json!({ "topic": topic, "partition": partition })),
            Ok(Forgotten::NotKnown) => {}
            Ok(Forgotten::IsOpen) => return Err(Failed::of(409, is_open(&one))),
            Err(error) => return Err(Failed::of(409, error_name(error))),
        }
    }
    ok(json!({ "producer_id": producer_id, "forgotten": forgotten }))
}

fn is_open(one: &Json) -> String {
    format!(
        "a transaction of it is open in {}-{}",
        one["topic"].as_str().unwrap_or_default(),
        one["partition"]
    )
}
