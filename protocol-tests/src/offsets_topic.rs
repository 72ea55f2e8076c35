//! What classic groups leave in `__consumer_offsets`, read out of an answer's records as tools that watch lags read it.
//! Core: value in, value out.
//!
//! ```text
//! key    version:i16  group:text  [topic:text  partition:i32]    0 and 1 a commit, 2 a group
//! value  version:i16  offset:i64  [leaderEpoch:i32 in 3]  metadata:text  commitTimestamp:i64  [expireTimestamp:i64 in 1]
//! value  4:i16  offset:i64  leaderEpoch:i32  metadata:short text  commitTimestamp:i64  tags, one of them the topic's id
//! value  version:i16  protocolType:text  generation:i32  protocol:text?  leader:text?  [currentStateTimestamp:i64 from 2]
//!        members:i32 of  memberId:text  [groupInstanceId:text? from 3]  clientId:text  clientHost:text
//!                        [rebalanceTimeout:i32 from 1]  sessionTimeout:i32  subscription:bytes  assignment:bytes
//! ```
//! What does not fit this layout to the last byte stays as it is.

use serde_json::{Value, json};

use crate::codec::{bytes_text, text_bytes, uuid_text};

/// Puts what they say in the place of the keys and values of all records in an answer.
pub fn decode(outcome: &mut Value) {
    match outcome {
        Value::Object(object) if object.contains_key("key") && object.contains_key("value") => {
            let decoded = {
                let bytes = |name: &str| object[name].as_str().and_then(|text| text_bytes(text).ok());
                let (key, value) = (bytes("key"), bytes("value"));
                key.as_deref()
                    .and_then(key_of)
                    .map(|(version, key)| (key, value.as_deref().and_then(|value| value_of(version, value))))
            };
            if let Some((key, value)) = decoded {
                object["key"] = key;
                if let Some(value) = value {
                    object["value"] = value;
                }
            }
        }
        Value::Object(object) => object.values_mut().for_each(decode),
        Value::Array(items) => items.iter_mut().for_each(decode),
        _ => {}
    }
}

fn key_of(bytes: &[u8]) -> Option<(i64, Value)> {
    let mut reader = Reader(bytes);
    let version = reader.int(2)?;
    let mut key = json!({"version": version, "group": reader.text()?});
    match version {
        0 | 1 => {
            key["topic"] = reader.text()?;
            key["partition"] = json!(reader.int(4)?);
        }
        2 => {}
        _ => return None,
    }
    reader.0.is_empty().then_some((version, key))
}

fn value_of(key_version: i64, bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader(bytes);
    let value = match (key_version, reader.int(2)?) {
        (2, version @ 0..=3) => group(&mut reader, version)?,
        (0 | 1, version @ 0..=3) => commit(&mut reader, version)?,
        (0 | 1, 4) => commit_with_id(&mut reader)?,
        _ => return None,
    };
    reader.0.is_empty().then_some(value)
}

fn commit(reader: &mut Reader<'_>, version: i64) -> Option<Value> {
    let mut value = json!({"version": version, "offset": reader.int(8)?});
    if version == 3 {
        value["leaderEpoch"] = json!(reader.int(4)?);
    }
    value["metadata"] = reader.text()?;
    value["commitTimestamp"] = json!(reader.int(8)?);
    if version == 1 {
        value["expireTimestamp"] = json!(reader.int(8)?);
    }
    Some(value)
}

/// Lengths and tags are one byte here: what a script writes down is short.
fn commit_with_id(reader: &mut Reader<'_>) -> Option<Value> {
    let mut value = json!({"version": 4, "offset": reader.int(8)?, "leaderEpoch": reader.int(4)?});
    let length = reader.int(1)? - 1;
    value["metadata"] = reader.text_of(length)?;
    value["commitTimestamp"] = json!(reader.int(8)?);
    for _ in 0..reader.int(1)? {
        let (tag, length) = (reader.int(1)?, reader.int(1)?);
        value[format!("tag {tag}")] = match length {
            16 => json!(uuid_text(reader.take(16)?)),
            _ => reader.text_of(length)?,
        };
    }
    Some(value)
}

fn group(reader: &mut Reader<'_>, version: i64) -> Option<Value> {
    let mut value = json!({
        "version": version,
        "protocolType": reader.text()?,
        "generation": reader.int(4)?,
        "protocol": reader.text()?,
        "leader": reader.text()?,
    });
    if version >= 2 {
        value["currentStateTimestamp"] = json!(reader.int(8)?);
    }
    let mut members = Vec::new();
    for _ in 0..reader.int(4)? {
        let mut member = json!({"memberId": reader.text()?});
        if version >= 3 {
            member["groupInstanceId"] = reader.text()?;
        }
        member["clientId"] = reader.text()?;
        member["clientHost"] = reader.text()?;
        if version >= 1 {
            member["rebalanceTimeout"] = json!(reader.int(4)?);
        }
        member["sessionTimeout"] = json!(reader.int(4)?);
        member["subscription"] = reader.bytes(4)?;
        member["assignment"] = reader.bytes(4)?;
        members.push(member);
    }
    value["members"] = Value::Array(members);
    Some(value)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn int(&mut self, count: usize) -> Option<i64> {
        let head = self.take(count)?;
        let sign = if head.first()? & 0x80 == 0 { 0 } else { -1 };
        Some(head.iter().fold(sign, |sum, &byte| (sum << 8) | i64::from(byte)))
    }

    fn text(&mut self) -> Option<Value> {
        self.bytes(2)
    }

    /// What stands behind a length of so many bytes; nothing behind one below zero.
    fn bytes(&mut self, length_bytes: usize) -> Option<Value> {
        let length = self.int(length_bytes)?;
        self.text_of(length)
    }

    fn text_of(&mut self, length: i64) -> Option<Value> {
        let Ok(length) = usize::try_from(length) else { return Some(Value::Null) };
        Some(json!(bytes_text(self.take(length)?)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::decode;

    #[test]
    fn a_commit_is_read_and_a_byte_too_many_is_left() {
        let key = "hex:0001 0001 67 0001 74 00000002";
        let value = "hex:0003 0000000000000007 ffffffff 0000 0000000000000005";
        let mut answer = json!([{"key": key, "value": value}, {"key": key, "value": format!("{value}00")}]);
        decode(&mut answer);
        let told = json!({"version": 1, "group": "g", "topic": "t", "partition": 2});
        let wanted =
            json!({"version": 3, "offset": 7, "leaderEpoch": -1, "metadata": "", "commitTimestamp": 5});
        assert_eq!(answer[0], json!({"key": told, "value": wanted}));
        assert_eq!(answer[1], json!({"key": told, "value": format!("{value}00")}));
    }
}
