//! A tape that is played again: ids that a broker drew then give way to those it draws now, and answers are compared.
//! Core.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use ottla_protocol::shape::{Kind, Message, Struct, Value};
use ottla_records::batches;
use ottla_records::header::checksum;
use serde_json::{Value as Json, json};

/// What another broker draws for itself, and clients repeat: the names of the fields, and whose ids they are.
const DRAWN: [(&str, &str); 7] = [
    ("MemberId", "member"),
    // Of a classic group: a member.
    ("Leader", "member"),
    ("TopicId", "topic"),
    ("SessionId", "session"),
    ("FetchSessionId", "session"),
    // Of telemetry (KIP-714).
    ("ClientInstanceId", "instance"),
    ("SubscriptionId", "subscription"),
];

/// What says nothing of the answer: addresses, places and times of the one who gives it, and words for people.
const OWN: [&str; 26] = [
    "ThrottleTimeMs",
    "Host",
    "Port",
    "Rack",
    "NodeId",
    "BrokerId",
    "ControllerId",
    "LeaderId",
    "ClusterId",
    "ReplicaNodes",
    "IsrNodes",
    "OfflineReplicas",
    "EligibleLeaderReplicas",
    "LastKnownElr",
    "PreferredReadReplica",
    "LeaderEpoch",
    "CurrentLeader",
    "NodeEndpoints",
    "LogAppendTimeMs",
    "Timestamp",
    "ErrorMessage",
    "FinalizedFeaturesEpoch",
    "AuthBytes",
    "Hmac",
    "ClientHost",
    "HighWatermark",
];

/// What tells the parts of a list from one another: lists of brokers are in no order.
const NAMES: [&str; 9] = [
    "Name",
    "Topic",
    "TopicName",
    "PartitionIndex",
    "Partition",
    "ApiKey",
    "GroupId",
    "MemberId",
    "TransactionalId",
];

/// A producer's id, and its epoch beside it.
const PRODUCERS: [(&str, &str); 2] =
    [("ProducerId", "ProducerEpoch"), ("V3AndBelowProducerId", "V3AndBelowProducerEpoch")];
/// Whose id stands in the place of which.
#[derive(Default, Debug)]
pub struct Drawn {
    ids: HashMap<(&'static str, Id), Value>,
    /// Producers with their epochs.
    producers: HashMap<(i64, i64), (i64, i64)>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Id {
    Int(i64),
    Text(String),
    Uuid(u128),
}

fn id_of(value: &Value) -> Option<Id> {
    match value {
        // Both say that there is none.
        Value::Int(number) if !matches!(number, 0 | -1) => Some(Id::Int(*number)),
        Value::Text(text) if !text.is_empty() => Some(Id::Text(text.to_string())),
        Value::Uuid(uuid) if !uuid.is_nil() => Some(Id::Uuid(uuid.as_u128())),
        _other => None,
    }
}

fn drawn_as(name: &str) -> Option<&'static str> {
    DRAWN.iter().find(|(field, _)| *field == name).map(|(_, whose)| *whose)
}

impl Drawn {
    /// Notes what stands in an answer where another stood when it was recorded.
    pub fn learn(&mut self, shape: &Struct, was: &Value, is: &Value) {
        let (Value::Struct(old), Value::Struct(new)) = (was, is) else { return };
        if let (Some(old), Some(new)) = (producer(shape, old), producer(shape, new)) {
            self.producers.insert(old, new);
        }
        for (field, (old, new)) in shape.fields.iter().zip(old.iter().zip(new)) {
            match (field.kind, old, new) {
                (Kind::Array(Kind::Struct(inner)), Value::Array(old), Value::Array(new)) => {
                    for (old, new) in pairs(inner, old, new) {
                        if let (Some(old), Some(new)) = (old, new) {
                            self.learn(inner, old, new);
                        }
                    }
                }
                (Kind::Struct(inner), old, new) => self.learn(inner, old, new),
                (_, old, new) => {
                    // An id of the recording has one counterpart; a later answer may give it a new one.
                    if let (Some(whose), Some(id), Some(_)) = (drawn_as(field.name), id_of(old), id_of(new)) {
                        self.ids.insert((whose, id), new.clone());
                    }
                }
            }
        }
    }

    /// Puts what is drawn now into a request of then.
    pub fn put(&self, shape: &Struct, value: &mut Value) {
        let Value::Struct(values) = value else { return };
        for (id, epoch) in PRODUCERS {
            let places = shape.place_of(id).zip(shape.place_of(epoch));
            if let Some((id, epoch)) = places
                && let (Value::Int(then), Value::Int(of)) = (&values[id], &values[epoch])
                && let Some((now, now_of)) = self.producers.get(&(*then, *of))
            {
                values[id] = Value::Int(*now);
                values[epoch] = Value::Int(*now_of);
            }
        }
        for (field, value) in shape.fields.iter().zip(values) {
            match (field.kind, value) {
                (Kind::Array(Kind::Struct(inner)), Value::Array(items)) => {
                    items.iter_mut().for_each(|item| self.put(inner, item));
                }
                (Kind::Struct(inner), value) => self.put(inner, value),
                (_, Value::Bytes(bytes)) if field.name == "Records" => *bytes = self.put_into_batches(bytes),
                (_, value) => {
                    let Some(whose) = drawn_as(field.name) else { continue };
                    match value {
                        Value::Array(items) => items.iter_mut().for_each(|item| self.put_id(whose, item)),
                        value => self.put_id(whose, value),
                    }
                }
            }
        }
    }

    fn put_id(&self, whose: &'static str, value: &mut Value) {
        if let Some(now) = id_of(value).and_then(|id| self.ids.get(&(whose, id))) {
            value.clone_from(now);
        }
    }

    /// Batches name their producer, and their checksum covers it.
    fn put_into_batches(&self, bytes: &Bytes) -> Bytes {
        let mut written = BytesMut::with_capacity(bytes.len());
        for batch in batches(bytes).map_while(Result::ok) {
            let mut header = *batch.header();
            let then = (header.producer_id.0, i64::from(header.producer_epoch.0));
            if let Some((id, epoch)) = self.producers.get(&then) {
                header.producer_id.0 = *id;
                header.producer_epoch.0 = *epoch as i16;
                header.crc = checksum(&header.write(), batch.body());
            }
            written.extend_from_slice(&header.write());
            written.extend_from_slice(batch.body());
        }
        // What is no batch stays as it is.
        let len = written.len();
        written.extend_from_slice(&bytes[len..]);
        written.freeze()
    }
}

/// A producer's id and epoch, where a part of an answer has both.
fn producer(shape: &Struct, values: &[Value]) -> Option<(i64, i64)> {
    let (id, epoch) = PRODUCERS[0];
    let number = |name: &str| match values.get(shape.place_of(name)?)? {
        Value::Int(number) if *number >= 0 => Some(*number),
        _other => None,
    };
    Some((number(id)?, number(epoch)?))
}

/// Parts of two lists that are about the same: those with equal names, and of the rest those in the same order.
fn pairs<'a>(
    shape: &Struct,
    old: &'a [Value],
    new: &'a [Value],
) -> Vec<(Option<&'a Value>, Option<&'a Value>)> {
    let names: Vec<usize> = NAMES.iter().filter_map(|name| shape.place_of(name)).collect();
    let has_name = |a: &Value, b: &Value| match (a, b) {
        (Value::Struct(a), Value::Struct(b)) => {
            !names.is_empty() && names.iter().all(|place| a.get(*place) == b.get(*place))
        }
        _other => false,
    };
    let mut left: Vec<&Value> = new.iter().collect();
    let mut pairs: Vec<(Option<&Value>, Option<&Value>)> = Vec::new();
    for old in old {
        let partner = left.iter().position(|new| has_name(old, new));
        pairs.push((Some(old), partner.map(|partner| left.remove(partner))));
    }
    let mut left = left.into_iter();
    for pair in pairs.iter_mut().filter(|pair| pair.1.is_none()) {
        pair.1 = left.next();
    }
    pairs.extend(left.map(|new| (None, Some(new))));
    pairs
}

/// One place of an answer that is not what it was.
#[derive(Clone, PartialEq, Debug)]
pub struct Difference {
    pub path: String,
    pub was: Json,
    pub is: Json,
}

/// Where two answers of a version differ, but for what is their giver's own. `drawn` is what ids stand for which.
pub fn differences(
    message: &Message,
    version: i16,
    was: &Value,
    is: &Value,
    drawn: &Drawn,
) -> Vec<Difference> {
    let mut was = was.clone();
    drawn.put(message.root, &mut was);
    let mut found = Vec::new();
    compare(message.root, version, "", &was, is, &mut found);
    found
}

fn compare(shape: &Struct, version: i16, path: &str, was: &Value, is: &Value, found: &mut Vec<Difference>) {
    let (Value::Struct(old), Value::Struct(new)) = (was, is) else {
        if was != is {
            found.push(difference(path, was, is));
        }
        return;
    };
    for (field, (old, new)) in shape.fields.iter().zip(old.iter().zip(new)) {
        if !field.is_in(version) || OWN.contains(&field.name) {
            continue;
        }
        let path =
            format!("{path}{}{}", if path.is_empty() { "" } else { "." }, crate::json::name(field.name));
        match (field.kind, old, new) {
            (Kind::Array(Kind::Struct(inner)), Value::Array(old), Value::Array(new)) => {
                for (place, pair) in pairs(inner, old, new).into_iter().enumerate() {
                    let path = format!("{path}[{place}]");
                    match pair {
                        (Some(old), Some(new)) => compare(inner, version, &path, old, new, found),
                        (old, new) => found.push(difference(
                            &path,
                            old.unwrap_or(&Value::Null),
                            new.unwrap_or(&Value::Null),
                        )),
                    }
                }
            }
            (Kind::Struct(inner), old, new) => compare(inner, version, &path, old, new, found),
            (_, Value::Bytes(old), Value::Bytes(new)) if field.name == "Records" => {
                let (old, new) = (records(old), records(new));
                if old != new {
                    found.push(Difference { path, was: old, is: new });
                }
            }
            (_, old, new) if old != new => found.push(difference(&path, old, new)),
            _same => {}
        }
    }
}

fn difference(path: &str, was: &Value, is: &Value) -> Difference {
    Difference { path: path.to_owned(), was: shown(was), is: shown(is) }
}

fn shown(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) => json!(value),
        Value::Uuid(value) => json!(value.to_string()),
        Value::Text(value) => json!(value.to_string()),
        Value::Bytes(value) => json!({ "sizeInBytes": value.len() }),
        Value::Array(items) => json!({ "items": items.len() }),
        Value::Struct(_) => json!("there"),
    }
}

/// Records by offset, key and value: how they lie in batches is the log's own.
fn records(bytes: &Bytes) -> Json {
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let (mut all, mut scratch) = (Vec::new(), Vec::new());
    for batch in batches(bytes).map_while(Result::ok) {
        let Ok(records) = batch.records(&mut scratch) else { continue };
        all.extend(
            records
                .map_while(Result::ok)
                .map(|record| json!([record.offset.0, text(record.key), text(record.value)])),
        );
    }
    Json::Array(all)
}
