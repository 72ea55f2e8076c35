//! How a record is printed (`DefaultMessageFormatter`, `LoggingMessageFormatter`, `NoOpMessageFormatter`).
//! Core.

use ottla_records::TimestampType;

use crate::properties::Properties;

/// A record that was read.
pub struct Message<'a> {
    pub partition: i32,
    pub offset: i64,
    pub timestamp: i64,
    pub timestamp_type: TimestampType,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Vec<(&'a [u8], Option<&'a [u8]>)>,
}

/// What the bytes of a key, a value or a header are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Bytes {
    Raw,
    Short,
    Integer,
    Long,
    Boolean,
    Uuid,
}

impl Bytes {
    fn of(class: &str) -> Option<Bytes> {
        Some(match class.strip_prefix("org.apache.kafka.common.serialization.")? {
            "StringDeserializer" => Bytes::Raw,
            "ShortDeserializer" => Bytes::Short,
            "IntegerDeserializer" => Bytes::Integer,
            "LongDeserializer" => Bytes::Long,
            "BooleanDeserializer" => Bytes::Boolean,
            // A UUID travels as text.
            "UUIDDeserializer" => Bytes::Uuid,
            _ => return None,
        })
    }

    /// The text, or why the bytes are none of that kind.
    fn text(self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let wrong = |name: &str, size: usize| format!("Size of data received by {name} is not {size}");
        let number = |size: usize, name: &str| {
            if bytes.len() != size {
                return Err(wrong(name, size));
            }
            let unsigned = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            let shift = 64 - 8 * size as u32;
            Ok(((unsigned << shift) as i64 >> shift).to_string().into_bytes())
        };
        match self {
            Bytes::Raw | Bytes::Uuid => Ok(bytes.to_vec()),
            Bytes::Short => number(2, "ShortDeserializer"),
            Bytes::Integer => number(4, "IntegerDeserializer"),
            Bytes::Long => number(8, "LongDeserializer"),
            Bytes::Boolean => match bytes {
                [0] => Ok(b"false".to_vec()),
                [1] => Ok(b"true".to_vec()),
                [_] => Err("Unexpected byte received by BooleanDeserializer".to_owned()),
                _ => Err(wrong("BooleanDeserializer", 1)),
            },
        }
    }
}

/// The default one, as its properties set it.
pub struct DefaultFormatter {
    prints_timestamp: bool,
    prints_partition: bool,
    prints_offset: bool,
    prints_delivery: bool,
    prints_epoch: bool,
    prints_headers: bool,
    prints_key: bool,
    prints_value: bool,
    key_separator: Vec<u8>,
    line_separator: Vec<u8>,
    headers_separator: Vec<u8>,
    null_literal: Vec<u8>,
    key: Bytes,
    value: Bytes,
    header: Bytes,
}

pub enum Formatter {
    Default(DefaultFormatter),
    Logging(DefaultFormatter),
    Nothing,
}

const CLASSES: &str = "org.apache.kafka.tools.consumer.";
pub const DEFAULT_CLASS: &str = "org.apache.kafka.tools.consumer.DefaultMessageFormatter";

impl Formatter {
    /// By its class; with it the deserializers that are not there, which are passed over as Kafka passes over what it
    /// cannot load. `None`: there is no such class here.
    pub fn of(class: &str, properties: &Properties) -> Option<(Formatter, Vec<String>)> {
        let (default, missing) = DefaultFormatter::new(properties);
        let formatter = match class.strip_prefix(CLASSES)? {
            "DefaultMessageFormatter" => Formatter::Default(default),
            "LoggingMessageFormatter" => Formatter::Logging(default),
            "NoOpMessageFormatter" => Formatter::Nothing,
            _ => return None,
        };
        Some((formatter, missing))
    }

    /// What is written of a record, and what is logged of it.
    pub fn write(&self, message: &Message<'_>) -> Result<(Vec<u8>, Option<String>), String> {
        match self {
            Formatter::Default(formatter) => Ok((formatter.write(message)?, None)),
            Formatter::Logging(formatter) => Ok((formatter.write(message)?, Some(logged(message)))),
            Formatter::Nothing => Ok((Vec::new(), None)),
        }
    }
}

/// `LoggingMessageFormatter.writeTo`.
fn logged(message: &Message<'_>) -> String {
    let text = |bytes: Option<&[u8]>| bytes.map_or("null".into(), String::from_utf8_lossy).into_owned();
    let (timestamp, timestamp_type) = (message.timestamp, type_name(message.timestamp_type));
    format!("{timestamp_type}:{timestamp},key:{},value:{}", text(message.key), text(message.value))
}

fn type_name(timestamp_type: TimestampType) -> &'static str {
    match timestamp_type {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

impl DefaultFormatter {
    fn new(properties: &Properties) -> (DefaultFormatter, Vec<String>) {
        let is = |key: &str| properties.is_true(key);
        let text = |key: &str, default: &str| properties.get(key).unwrap_or(default).as_bytes().to_vec();
        let mut missing = Vec::new();
        let mut bytes = |key: &str| {
            let Some(class) = properties.get(key) else { return Bytes::Raw };
            Bytes::of(class).unwrap_or_else(|| {
                missing.push(key.to_owned());
                Bytes::Raw
            })
        };
        let (key, value, header) =
            (bytes("key.deserializer"), bytes("value.deserializer"), bytes("headers.deserializer"));
        let formatter = DefaultFormatter {
            prints_timestamp: is("print.timestamp"),
            prints_partition: is("print.partition"),
            prints_offset: is("print.offset"),
            prints_delivery: is("print.delivery"),
            prints_epoch: is("print.epoch"),
            prints_headers: is("print.headers"),
            prints_key: is("print.key"),
            prints_value: properties.get("print.value").is_none() || is("print.value"),
            key_separator: text("key.separator", "\t"),
            line_separator: text("line.separator", "\n"),
            headers_separator: text("headers.separator", ","),
            null_literal: text("null.literal", "null"),
            key,
            value,
            header,
        };
        (formatter, missing)
    }

    fn write(&self, message: &Message<'_>) -> Result<Vec<u8>, String> {
        let mut columns: Vec<Vec<u8>> = Vec::new();
        if self.prints_timestamp {
            let name = type_name(message.timestamp_type);
            columns.push(format!("{name}:{}", message.timestamp).into_bytes());
        }
        if self.prints_partition {
            columns.push(format!("Partition:{}", message.partition).into_bytes());
        }
        if self.prints_offset {
            columns.push(format!("Offset:{}", message.offset).into_bytes());
        }
        // Kafka's command gives its formatter records without a delivery count and without an epoch.
        if self.prints_delivery {
            columns.push(b"Delivery:NOT_PRESENT".to_vec());
        }
        if self.prints_epoch {
            columns.push(b"Epoch:NOT_PRESENT".to_vec());
        }
        if self.prints_headers {
            columns.push(self.headers(message)?);
        }
        if self.prints_key {
            columns.push(self.bytes(self.key, message.key)?);
        }
        if self.prints_value {
            columns.push(self.bytes(self.value, message.value)?);
        }
        let is_nothing = columns.is_empty();
        let mut line = columns.join(self.key_separator.as_slice());
        if !is_nothing {
            line.extend_from_slice(&self.line_separator);
        }
        Ok(line)
    }

    fn headers(&self, message: &Message<'_>) -> Result<Vec<u8>, String> {
        if message.headers.is_empty() {
            return Ok(b"NO_HEADERS".to_vec());
        }
        let one = |(key, value): &(&[u8], Option<&[u8]>)| {
            Ok([*key, b":", self.bytes(self.header, *value)?.as_slice()].concat())
        };
        let all = message.headers.iter().map(one).collect::<Result<Vec<_>, String>>()?;
        Ok(all.join(self.headers_separator.as_slice()))
    }

    fn bytes(&self, kind: Bytes, bytes: Option<&[u8]>) -> Result<Vec<u8>, String> {
        // Kafka gives the deserializer the bytes of the literal too.
        kind.text(bytes.unwrap_or(&self.null_literal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(properties: &[&str], message: &Message<'_>) -> String {
        let properties = Properties::read(None, properties.iter().copied()).expect("properties");
        let (formatter, _) = Formatter::of(DEFAULT_CLASS, &properties).expect("a formatter");
        String::from_utf8(formatter.write(message).expect("a line").0).expect("text")
    }

    fn message() -> Message<'static> {
        Message {
            partition: 2,
            offset: 7,
            timestamp: 11,
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: Some(b"v"),
            headers: Vec::new(),
        }
    }

    #[test]
    fn columns_stand_in_kafka_s_order() {
        assert_eq!(written(&[], &message()), "v\n");
        let all = ["timestamp", "partition", "offset", "epoch", "headers", "key"];
        let all: Vec<String> = all.iter().map(|name| format!("print.{name}=true")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(
            written(&all, &message()),
            "CreateTime:11\tPartition:2\tOffset:7\tEpoch:NOT_PRESENT\tNO_HEADERS\tnull\tv\n"
        );
        let with = Message { headers: vec![(b"a", Some(b"1")), (b"b", None)], ..message() };
        assert_eq!(
            written(&["print.headers=true", "null.literal=-", "key.separator=|"], &with),
            "a:1,b:-|v\n"
        );
        assert_eq!(written(&["print.value=false"], &message()), "");
    }

    #[test]
    fn bytes_may_be_numbers() {
        let long = "value.deserializer=org.apache.kafka.common.serialization.LongDeserializer";
        let value = (-5_i64).to_be_bytes();
        assert_eq!(written(&[long], &Message { value: Some(&value), ..message() }), "-5\n");
        let properties = Properties::read(None, [long].into_iter()).expect("properties");
        let (formatter, missing) = Formatter::of(DEFAULT_CLASS, &properties).expect("a formatter");
        assert!(formatter.write(&message()).is_err() && missing.is_empty());
        let other = Properties::read(None, ["key.deserializer=x.Y"].into_iter()).expect("properties");
        assert_eq!(Formatter::of(DEFAULT_CLASS, &other).expect("a formatter").1, ["key.deserializer"]);
        assert!(Formatter::of("nope", &other).is_none());
    }
}
