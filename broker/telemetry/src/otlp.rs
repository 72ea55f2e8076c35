//! What clients push: OTLP metrics as protobuf, read one metric at a time, so that a small push cannot take much memory.
//! Core. The messages are those parts of opentelemetry-proto's metrics.proto that a Kafka client fills.
//!
//! ```text
//! MetricsData   1: ResourceMetrics*
//! ResourceMetrics   1: Resource   2: ScopeMetrics*
//! ScopeMetrics   2: Metric*
//! ```
//! The outer messages are walked; `Resource` and `Metric` are decoded, each of at most `MESSAGE_BYTES_MAX`.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, Message};

/// A metric or a resource larger than this is left out.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

#[derive(Clone, PartialEq, Message)]
pub struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub struct KeyValue {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AnyValue {
    #[prost(oneof = "Any", tags = "1, 2, 3, 4")]
    pub value: Option<Any>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Any {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
}

#[derive(Clone, PartialEq, Message)]
pub struct Metric {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(oneof = "Data", tags = "5, 7")]
    pub data: Option<Data>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Data {
    #[prost(message, tag = "5")]
    Gauge(Gauge),
    #[prost(message, tag = "7")]
    Sum(Sum),
}

#[derive(Clone, PartialEq, Message)]
pub struct Gauge {
    #[prost(message, repeated, tag = "1")]
    pub points: Vec<Point>,
}

/// `AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA`: a value is what came since the last push.
pub const DELTA: i32 = 1;

#[derive(Clone, PartialEq, Message)]
pub struct Sum {
    #[prost(message, repeated, tag = "1")]
    pub points: Vec<Point>,
    #[prost(int32, tag = "2")]
    pub temporality: i32,
    #[prost(bool, tag = "3")]
    pub is_monotonic: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct Point {
    #[prost(message, repeated, tag = "7")]
    pub attributes: Vec<KeyValue>,
    #[prost(oneof = "Value", tags = "4, 6")]
    pub value: Option<Value>,
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub enum Value {
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(sfixed64, tag = "6")]
    Int(i64),
}

impl Point {
    pub fn value(&self) -> Option<f64> {
        self.value.map(|value| match value {
            Value::Double(value) => value,
            Value::Int(value) => value as f64,
        })
    }
}

impl KeyValue {
    /// The value as a label's; empty for lists and maps, which no client sends.
    pub fn text(&self) -> String {
        match self.value.as_ref().and_then(|any| any.value.as_ref()) {
            Some(Any::Text(text)) => text.clone(),
            Some(Any::Bool(value)) => value.to_string(),
            Some(Any::Int(value)) => value.to_string(),
            Some(Any::Double(value)) => value.to_string(),
            None => String::new(),
        }
    }
}

/// Gives each metric with its resource to `take`, in order. Returns how many were too large to look at.
pub fn read(payload: &[u8], mut take: impl FnMut(&Resource, Metric)) -> Result<usize, DecodeError> {
    let mut left_out = 0;
    messages(payload, |tag, of_resource| {
        if tag != 1 {
            return Ok(());
        }
        let mut resource = Resource::default();
        messages(of_resource, |tag, bytes| {
            if tag == 1 && bytes.len() <= MESSAGE_BYTES_MAX {
                resource.merge(bytes)?;
            }
            Ok(())
        })?;
        messages(of_resource, |tag, of_scope| {
            if tag != 2 {
                return Ok(());
            }
            messages(of_scope, |tag, bytes| {
                match tag {
                    2 if bytes.len() <= MESSAGE_BYTES_MAX => take(&resource, Metric::decode(bytes)?),
                    2 => left_out += 1,
                    _ => {}
                }
                Ok(())
            })
        })
    })?;
    Ok(left_out)
}

/// The fields of a message that hold messages (or text), by tag.
fn messages<'a>(
    mut bytes: &'a [u8],
    mut each: impl FnMut(u32, &'a [u8]) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    while !bytes.is_empty() {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        if wire_type != WireType::LengthDelimited {
            skip_field(wire_type, tag, &mut bytes, DecodeContext::default())?;
            continue;
        }
        let length = usize::try_from(decode_varint(&mut bytes)?).unwrap_or(usize::MAX);
        let Some((field, rest)) = bytes.split_at_checked(length) else {
            // As the library says it.
            return Err(Metric::decode(&[0x0a, 0x01][..]).expect_err("a text of one byte that is not there"));
        };
        each(tag, field)?;
        bytes = rest;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![tag << 3 | 2];
        prost::encoding::encode_varint(bytes.len() as u64, &mut out);
        out.extend_from_slice(bytes);
        out
    }

    pub fn attribute(key: &str, text: &str) -> KeyValue {
        let value = Some(AnyValue { value: Some(Any::Text(text.to_owned())) });
        KeyValue { key: key.to_owned(), value }
    }

    pub fn payload(resource: &[KeyValue], metrics: &[Metric]) -> Vec<u8> {
        let resource = Resource { attributes: resource.to_vec() };
        let scope: Vec<u8> = metrics.iter().flat_map(|metric| field(2, &metric.encode_to_vec())).collect();
        let both = [field(1, &resource.encode_to_vec()), field(2, &scope)].concat();
        field(1, &both)
    }

    pub fn gauge(name: &str, value: f64, attributes: &[KeyValue]) -> Metric {
        let points = vec![Point { attributes: attributes.to_vec(), value: Some(Value::Double(value)) }];
        Metric { name: name.to_owned(), data: Some(Data::Gauge(Gauge { points })) }
    }

    pub fn sum(name: &str, value: i64, temporality: i32) -> Metric {
        let points = vec![Point { attributes: Vec::new(), value: Some(Value::Int(value)) }];
        let sum = Sum { points, temporality, is_monotonic: true };
        Metric { name: name.to_owned(), data: Some(Data::Sum(sum)) }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{attribute, gauge, payload, sum};
    use super::*;

    #[test]
    fn metrics_come_with_their_resource_and_what_is_cut_is_refused() {
        let metrics = [gauge("a.b", 1.5, &[attribute("topic", "t")]), sum("c", 7, DELTA)];
        let bytes = payload(&[attribute("group_id", "g")], &metrics);
        let mut found = Vec::new();
        let left_out = read(&bytes, |resource, metric| {
            assert_eq!(resource.attributes[0].text(), "g");
            found.push(metric);
        });
        assert_eq!((left_out.expect("whole"), found.as_slice()), (0, &metrics[..]));
        for length in 1..bytes.len() {
            assert!(read(&bytes[..length], |_, _| ()).is_err(), "cut at {length}");
        }
        assert_eq!(read(&[], |_, _| ()).expect("nothing"), 0);
    }

    #[test]
    fn noise_is_refused_or_read_and_nothing_else() {
        let metrics = [gauge("a.b", 1.5, &[attribute("topic", "t")]), sum("c", 7, DELTA)];
        let whole = payload(&[attribute("group_id", "g")], &metrics);
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let mut refused = 0;
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..1 + draw(4) {
                let at = draw(bytes.len());
                bytes[at] = draw(256) as u8;
            }
            let mut count = 0;
            refused += usize::from(read(&bytes, |_, _| count += 1).is_err());
            assert!(count <= bytes.len(), "a metric takes a byte at least");
        }
        assert!((1_000..20_000).contains(&refused), "some noise is read, and most is not: {refused}");
    }

    #[test]
    fn a_metric_that_is_too_large_is_left_out() {
        let large = gauge(&"x".repeat(MESSAGE_BYTES_MAX), 1.0, &[]);
        let bytes = payload(&[], &[large, gauge("small", 1.0, &[])]);
        let mut names = Vec::new();
        assert_eq!(read(&bytes, |_, metric| names.push(metric.name)).expect("whole"), 1);
        assert_eq!(names, ["small"]);
    }
}
