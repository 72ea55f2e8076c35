//! Takes out of an answer what two honest brokers may choose freely: ids, ports, the time of day.
//! Core: value in, value out; the time is an argument.
//!
//! A free value is replaced by its kind and the order in which the script met it, so that the same id in two
//! answers must still be the same id.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::codec::ZERO_UUID;

/// How far from now a timestamp counts as `now`.
const NOW_SPAN_MS: i64 = 600_000;

/// Texts longer than this are told by length and checksum.
const TEXT_BYTES_MAX: usize = 2_000;

#[derive(Debug, Default)]
pub struct Normaliser {
    met: HashMap<(&'static str, String), usize>,
    counts: HashMap<&'static str, usize>,
}

impl Normaliser {
    fn number(&mut self, kind: &'static str, value: &str) -> String {
        let counts = &mut self.counts;
        let number = *self.met.entry((kind, value.to_owned())).or_insert_with(|| {
            let count = counts.entry(kind).or_default();
            *count += 1;
            *count
        });
        format!("<{kind} {number}>")
    }

    /// The answer as it is recorded and compared. Lists keep their order only where it means something.
    pub fn answer(&mut self, value: &Value, keeps_order: bool, now_ms: i64) -> Value {
        self.value("", value, keeps_order, now_ms)
    }

    /// Numbers an id before an answer shows it.
    pub fn meet(&mut self, value: &Value) {
        self.value("", value, true, 0);
    }

    /// A topic of an assignment is sorted by its number: brokers list them in the order of ids, which are drawn.
    fn topic(&self, item: &Value) -> String {
        let id = item.get("topicId").and_then(Value::as_str);
        let number = id.and_then(|id| self.met.get(&("uuid", id.to_owned())));
        number.map(|number| format!("{number:08}")).unwrap_or_default()
    }

    fn value(&mut self, name: &str, value: &Value, keeps_order: bool, now_ms: i64) -> Value {
        match value {
            Value::Object(object) => {
                let mut out = Map::new();
                for (name, inner) in object {
                    out.insert(name.clone(), self.value(name, inner, keeps_order, now_ms));
                }
                Value::Object(out)
            }
            Value::Array(items) => {
                let mut items: Vec<&Value> = items.iter().collect();
                if !keeps_order && name != "records" {
                    let topic =
                        |item| if name == "topicPartitions" { self.topic(item) } else { String::new() };
                    items.sort_by_cached_key(|item| identity(item).unwrap_or_else(|| topic(item)));
                }
                items.into_iter().map(|item| self.value(name, item, keeps_order, now_ms)).collect()
            }
            Value::String(text) => self.text(name, text),
            Value::Number(number) => {
                number.as_i64().map_or_else(|| value.clone(), |number| self.integer(name, number, now_ms))
            }
            other => other.clone(),
        }
    }

    fn text(&mut self, name: &str, text: &str) -> Value {
        match name {
            "clusterId" => return json!("<cluster>"),
            "logDir" => return json!("<directory>"),
            "documentation" => return json!("<text>"),
            "tokenId" | "hmac" if !matches!(text, "" | "hex:") => return json!(self.number("token", text)),
            // Kafka prints the object of a request that is not authorized.
            "errorMessage" if text.starts_with("Request Request(") => {
                return json!("Request <request> is not authorized.");
            }
            _ if text.len() > TEXT_BYTES_MAX => {
                return json!(format!(
                    "{} bytes, crc32c {:08x}",
                    text.len(),
                    crc32c::crc32c(text.as_bytes())
                ));
            }
            _ => {}
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = uuid_position(rest) {
            let id = &rest[at..at + 36];
            out.push_str(&rest[..at]);
            out.push_str(&if id == ZERO_UUID { ZERO_UUID.to_owned() } else { self.number("uuid", id) });
            rest = &rest[at + 36..];
        }
        out.push_str(rest);
        Value::String(out)
    }

    fn integer(&mut self, name: &str, number: i64, now_ms: i64) -> Value {
        match name {
            "producerId" if number >= 0 => json!(self.number("producer", &number.to_string())),
            "sessionId" if number != 0 => json!(self.number("session", &number.to_string())),
            "port" if number > 0 => json!("<port>"),
            "totalBytes" | "usableBytes" if number > 0 => json!("<bytes>"),
            // How long depends on how long everything before took.
            "throttleTimeMs" if number > 0 => json!("<rest>"),
            "finalizedFeaturesEpoch" | "brokerEpoch" if number >= 0 => json!("<epoch>"),
            _ if name.to_lowercase().contains("timestamp") && (number - now_ms).abs() < NOW_SPAN_MS => {
                json!("<now>")
            }
            "logAppendTimeMs" | "transactionStartTimeMs" if (number - now_ms).abs() < NOW_SPAN_MS => {
                json!("<now>")
            }
            _ => json!(number),
        }
    }
}

fn uuid_position(text: &str) -> Option<usize> {
    let is_uuid = |bytes: &[u8]| {
        bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    text.as_bytes().windows(36).position(is_uuid)
}

/// The fields that tell elements of a list apart, the first ones found on an element are its name.
const IDENTITY_FIELDS: [&str; 24] = [
    "apiKey",
    "resourceType",
    "resourceName",
    "patternType",
    "principal",
    "operation",
    "permissionType",
    "user",
    "entityType",
    "entityName",
    "topicName",
    "topic",
    "name",
    "groupId",
    "key",
    "memberId",
    "groupInstanceId",
    "nodeId",
    "brokerId",
    "replicaId",
    "partitionIndex",
    "partition",
    "partitionId",
    "index",
];

/// What an element of a list is called, for sorting and for telling where a difference lies.
pub fn identity(item: &Value) -> Option<String> {
    let parts: Vec<String> = IDENTITY_FIELDS
        .iter()
        .filter_map(|field| match item.get(field)? {
            Value::String(text) if uuid_position(text).is_some() => None,
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
        .collect();
    if let Some(Value::Array(entity)) = item.get("entity").filter(|_| parts.is_empty()) {
        // Of a quota: whom it is for, in any order.
        let mut entity: Vec<String> = entity.iter().filter_map(identity).collect();
        entity.sort();
        return Some(entity.join("+"));
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Normaliser;

    #[test]
    fn ids_are_numbered_and_stay_the_same() {
        let mut normaliser = Normaliser::default();
        let id = "01234567-89ab-cdef-0123-456789abcdef";
        let value =
            json!({"memberId": format!("oracle-{id}"), "topicId": id, "producerId": 7, "sessionId": 0});
        assert_eq!(
            normaliser.answer(&value, false, 0),
            json!({"memberId": "oracle-<uuid 1>", "topicId": "<uuid 1>", "producerId": "<producer 1>", "sessionId": 0})
        );
    }

    #[test]
    fn only_times_near_now_are_now() {
        let mut normaliser = Normaliser::default();
        let value = json!({"timestamp": 1_000_000, "maxTimestamp": 5_000_000});
        assert_eq!(
            normaliser.answer(&value, false, 5_000_500),
            json!({"timestamp": 1_000_000, "maxTimestamp": "<now>"})
        );
    }
}
