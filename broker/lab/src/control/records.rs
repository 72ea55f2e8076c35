//! `/topics`: topics are made, records written and read, as JSON.
//! Shell.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ottla_admin::Asked;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{
    CreateTopicsRequest, FetchRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest, TopicName,
};
use ottla_records::{BatchBuilder, HeaderRef, batches};
use serde_json::{Map, Value as Json, json};

use super::reply::{self, Failed, Reply, created, ok};
use super::requests;
use crate::bad::Bad;
use crate::cluster::Cluster;
use crate::inside::ask;
use crate::words::code_name;

/// How often one looks who waits for something that has no news of its own.
pub const LOOK_EVERY: Duration = Duration::from_millis(10);
const MADE_WITHIN: Duration = Duration::from_secs(2);
const REQUEST_TIMEOUT_MS: i32 = 30_000;
const FETCH_BYTES_MAX: i32 = 8 * 1024 * 1024;
/// Records in one answer.
const RECORDS_MAX: usize = 100_000;
pub const EARLIEST: i64 = -2;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn broken(why: String) -> Failed {
    Failed::of(500, why)
}

pub async fn create_topic(cluster: &Cluster, asked: &Asked) -> Reply {
    let Json::Object(body) = reply::body(asked)? else { return Err(Bad::new("", "an object").into()) };
    if let Some(other) = body.keys().find(|name| !["name", "partitions"].contains(&name.as_str())) {
        return Err(Bad::new(other, "is not known; there are name, partitions").into());
    }
    let name =
        body.get("name").and_then(Json::as_str).ok_or_else(|| Bad::new("name", "the name of a topic"))?;
    let partitions = match body.get("partitions") {
        None => -1,
        Some(value) => {
            let count = value.as_i64().and_then(|count| i32::try_from(count).ok()).filter(|count| *count > 0);
            count.ok_or_else(|| Bad::new("partitions", "a whole number from 1"))?
        }
    };
    let topic = CreatableTopic::default()
        .with_name(TopicName(text(name)))
        .with_num_partitions(partitions)
        .with_replication_factor(-1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(REQUEST_TIMEOUT_MS);
    let answer = ask(cluster, 5, &request).await.map_err(broken)?;
    match answer.topics.first() {
        Some(topic) if topic.error_code == 0 => {
            created(json!({ "name": name, "partitions": topic.num_partitions }))
        }
        Some(topic) => {
            let why = topic.error_message.as_deref().unwrap_or("").to_owned();
            Err(Bad::new("name", format!("{}: {why}", code_name(topic.error_code))).into())
        }
        None => Err(broken("the cluster made nothing".to_owned())),
    }
}

/// How many partitions a topic has.
pub async fn partition_count(cluster: &Cluster, topic: &str, creates: bool) -> Result<i32, Failed> {
    let asked_topic = MetadataRequestTopic::default().with_name(Some(TopicName(text(topic))));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![asked_topic]))
        .with_allow_auto_topic_creation(creates);
    let answer = ask(cluster, 9, &request).await.map_err(broken)?;
    let found = answer.topics.first().ok_or_else(|| broken("no topic was answered".to_owned()))?;
    match found.error_code {
        0 => Ok(found.partitions.len() as i32),
        code => Err(Failed::of(404, format!("topic {topic}: {}", code_name(code)))),
    }
}

/// As `partition_count`, of a topic that is made if the broker makes such: the first answer comes before it is there.
async fn made(cluster: &Cluster, topic: &str) -> Result<i32, Failed> {
    let clock = &cluster.env.clock;
    let over = clock.monotonic().after(MADE_WITHIN);
    loop {
        match partition_count(cluster, topic, true).await {
            Err(failed) if failed.status == 404 && clock.monotonic() < over => {}
            found => return found,
        }
        clock.sleep_until(clock.monotonic().after(LOOK_EVERY)).await;
    }
}

struct Given {
    partition: i32,
    timestamp: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A text is its bytes, null is null, anything else its JSON text.
fn bytes_of(value: &Json) -> Option<Vec<u8>> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone().into_bytes()),
        other => Some(other.to_string().into_bytes()),
    }
}

fn base64_of(value: &Json, name: &str) -> Result<Option<Vec<u8>>, Bad> {
    match value {
        Json::Null => Ok(None),
        Json::String(text) => {
            STANDARD.decode(text).map(Some).map_err(|error| Bad::new(name, format!("is no base64: {error}")))
        }
        _other => Err(Bad::new(name, "a text of base64")),
    }
}

fn given(json: &Json, partitions: i32) -> Result<Given, Bad> {
    let Json::Object(words) = json else { return Err(Bad::new("", "a record is an object")) };
    let mut record = Given { partition: 0, timestamp: None, key: None, value: None, headers: Vec::new() };
    for (name, value) in words {
        match name.as_str() {
            "key" => record.key = bytes_of(value),
            "value" => record.value = bytes_of(value),
            "key_base64" => record.key = base64_of(value, name)?,
            "value_base64" => record.value = base64_of(value, name)?,
            "timestamp" => {
                record.timestamp =
                    Some(value.as_i64().ok_or_else(|| Bad::new(name, "milliseconds since 1970"))?);
            }
            "partition" => {
                let partition = value.as_i64().filter(|number| (0..i64::from(partitions)).contains(number));
                let why = || Bad::new(name, format!("the topic has the partitions 0 to {}", partitions - 1));
                record.partition = partition.ok_or_else(why)? as i32;
            }
            "headers" => {
                let headers: &Map<String, Json> =
                    value.as_object().ok_or_else(|| Bad::new(name, "an object of names and values"))?;
                record.headers =
                    headers.iter().map(|(name, value)| (name.clone(), bytes_of(value))).collect();
            }
            other => {
                let known = "key, value, key_base64, value_base64, headers, partition, timestamp";
                return Err(Bad::new(other, format!("is not known; there are {known}")));
            }
        }
    }
    Ok(record)
}

pub async fn produce(cluster: &Cluster, topic: &str, asked: &Asked) -> Reply {
    let body = reply::body(asked)?;
    let list = match &body {
        Json::Array(list) => list.clone(),
        Json::Object(words) if words.contains_key("records") => match words.get("records") {
            Some(Json::Array(list)) if words.len() == 1 => list.clone(),
            Some(Json::Array(_)) => return Err(Bad::new("", "records, and nothing else").into()),
            _other => return Err(Bad::new("records", "a list of records").into()),
        },
        single => vec![single.clone()],
    };
    let partitions = made(cluster, topic).await?;
    let read =
        |(place, json)| given(json, partitions).map_err(|bad| bad.within(&format!("records[{place}]")));
    let records: Vec<Given> = list.iter().enumerate().map(read).collect::<Result<_, Bad>>()?;
    let now = cluster.clock.read().records_ms;
    let mut data = Vec::new();
    for partition in 0..partitions {
        let mut builder = BatchBuilder::new();
        for record in records.iter().filter(|record| record.partition == partition) {
            let headers: Vec<HeaderRef<'_>> =
                record.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_deref())).collect();
            let timestamp = record.timestamp.unwrap_or(now);
            builder.append(timestamp, record.key.as_deref(), record.value.as_deref(), &headers);
        }
        if !builder.is_empty() {
            let batch = Some(builder.build());
            data.push(PartitionProduceData::default().with_index(partition).with_records(batch));
        }
    }
    let topics =
        vec![TopicProduceData::default().with_name(TopicName(text(topic))).with_partition_data(data)];
    let request =
        ProduceRequest::default().with_acks(-1).with_timeout_ms(REQUEST_TIMEOUT_MS).with_topic_data(topics);
    let answer = ask(cluster, 9, &request).await.map_err(broken)?;
    let mut offsets = Vec::new();
    for partition in answer.responses.iter().flat_map(|topic| &topic.partition_responses) {
        if partition.error_code != 0 {
            let why = format!("partition {}: {}", partition.index, code_name(partition.error_code));
            return Err(Failed::of(409, why));
        }
        offsets.push(json!({ "partition": partition.index, "offset": partition.base_offset }));
    }
    created(json!({ "count": records.len(), "offsets": offsets }))
}

/// What is looked for.
struct Wanted {
    from: i64,
    partition: Option<i32>,
    key: Option<String>,
    count: usize,
    wait: Option<Duration>,
}

fn wanted(asked: &Asked) -> Result<Wanted, Failed> {
    let mut words = reply::query(asked);
    let number = |text: Option<String>, name: &str, low: i64| match text {
        None => Ok(None),
        Some(text) => {
            let number = text.parse::<i64>().ok().filter(|number| *number >= low);
            number.map(Some).ok_or_else(|| Bad::new(name, format!("a whole number from {low}")))
        }
    };
    let wait = reply::take(&mut words, "wait").map(Json::String);
    let wanted = Wanted {
        from: number(reply::take(&mut words, "from"), "from", 0)?.unwrap_or(0),
        partition: number(reply::take(&mut words, "partition"), "partition", 0)?.map(|number| number as i32),
        key: reply::take(&mut words, "key"),
        count: number(reply::take(&mut words, "count"), "count", 0)?.unwrap_or(0) as usize,
        wait: wait.map(|wait| requests::timeout(Some(&wait), "wait")).transpose()?,
    };
    reply::nothing_else(&words, "from, partition, key, count, wait")?;
    Ok(wanted)
}

/// Waits until there are so many records that match, or the time is over.
pub async fn read(cluster: &Cluster, topic: &str, asked: &Asked) -> Reply {
    let wanted = wanted(asked)?;
    let clock = &cluster.env.clock;
    let deadline = wanted.wait.map(|wait| clock.monotonic().after(wait));
    loop {
        let found = look(cluster, topic, &wanted).await;
        let is_over = deadline.is_none_or(|deadline| clock.monotonic() >= deadline);
        match found {
            Ok((records, scanned)) if records.len() >= wanted.count || is_over => {
                let body = json!({ "records": records, "scanned": scanned });
                if records.len() >= wanted.count {
                    return ok(body);
                }
                let why = format!("{} of {} records are there", records.len(), wanted.count);
                return Err(Failed::of(408, why).with(body));
            }
            // A topic that is waited for may come.
            Err(failed) if is_over || failed.status != 404 => return Err(failed),
            _not_yet => clock.sleep_until(clock.monotonic().after(LOOK_EVERY)).await,
        }
    }
}

async fn look(cluster: &Cluster, topic: &str, wanted: &Wanted) -> Result<(Vec<Json>, usize), Failed> {
    let partitions = partition_count(cluster, topic, false).await?;
    let (mut records, mut scanned) = (Vec::new(), 0);
    for partition in
        (0..partitions).filter(|partition| wanted.partition.is_none_or(|known| known == *partition))
    {
        let first = offset_at(cluster, topic, partition, EARLIEST).await?;
        let mut next = first.max(wanted.from);
        while records.len() < RECORDS_MAX {
            let bytes = fetch(cluster, topic, partition, next).await?;
            let before = next;
            for batch in batches(&bytes) {
                let Ok(batch) = batch else { break };
                next = batch.header().next_offset().0;
                if batch.header().attributes.is_control() {
                    continue;
                }
                let mut scratch = Vec::new();
                let found = batch.records(&mut scratch).map_err(|error| broken(error.to_string()))?;
                for record in found {
                    let record = record.map_err(|error| broken(error.to_string()))?;
                    if record.offset.0 < before {
                        continue;
                    }
                    scanned += 1;
                    if wanted.key.as_ref().is_none_or(|key| record.key == Some(key.as_bytes())) {
                        records.push(show(topic, partition, &record));
                    }
                }
            }
            if next == before {
                break;
            }
        }
    }
    Ok((records, scanned))
}

fn show(topic: &str, partition: i32, record: &ottla_records::Record<'_>) -> Json {
    let headers = record
        .headers()
        .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.map_or(Json::Null, shown)));
    let mut out = json!({
        "topic": topic,
        "partition": partition,
        "offset": record.offset.0,
        "timestamp": record.timestamp,
        "headers": headers.collect::<Map<_, _>>(),
    });
    for (name, bytes) in [("key", record.key), ("value", record.value)] {
        match bytes {
            // Bytes that are no text have a name of their own.
            Some(bytes) if std::str::from_utf8(bytes).is_err() => {
                out[format!("{name}_base64")] = json!(STANDARD.encode(bytes));
            }
            bytes => out[name] = bytes.map_or(Json::Null, shown),
        }
    }
    out
}

fn shown(bytes: &[u8]) -> Json {
    json!(String::from_utf8_lossy(bytes))
}

/// The offset that a time or a mark stands for.
pub async fn offset_at(cluster: &Cluster, topic: &str, partition: i32, time: i64) -> Result<i64, Failed> {
    let asked = ListOffsetsPartition { partition_index: partition, timestamp: time, ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: text(topic), partitions: vec![asked], ..Default::default() }];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
    let answer = ask(cluster, 5, &request).await.map_err(broken)?;
    let found = answer.topics.iter().flat_map(|topic| &topic.partitions).next();
    match found {
        Some(found) if found.error_code == 0 => Ok(found.offset),
        Some(found) => Err(Failed::of(404, format!("{topic}-{partition}: {}", code_name(found.error_code)))),
        None => Err(broken("no offset was answered".to_owned())),
    }
}

async fn fetch(cluster: &Cluster, topic: &str, partition: i32, from: i64) -> Result<Bytes, Failed> {
    let asked = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(from)
        .with_partition_max_bytes(FETCH_BYTES_MAX);
    let topics = vec![FetchTopic::default().with_topic(TopicName(text(topic))).with_partitions(vec![asked])];
    let request = FetchRequest::default()
        .with_replica_id((-1).into())
        .with_max_wait_ms(0)
        .with_min_bytes(0)
        .with_max_bytes(FETCH_BYTES_MAX)
        .with_session_epoch(-1)
        .with_topics(topics);
    let answer = ask(cluster, 11, &request).await.map_err(broken)?;
    let found = answer.responses.into_iter().flat_map(|topic| topic.partitions).next();
    match found {
        Some(found) if found.error_code == 0 => Ok(found.records.unwrap_or_default()),
        // What was asked for is not there yet.
        Some(found) if found.error_code == ottla_model::ErrorCode::OffsetOutOfRange as i16 => {
            Ok(Bytes::new())
        }
        Some(found) => Err(broken(format!("{topic}-{partition}: {}", code_name(found.error_code)))),
        None => Ok(Bytes::new()),
    }
}
