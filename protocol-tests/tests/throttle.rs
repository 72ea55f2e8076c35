//! Where a response says how long its client has to rest, held against Kafka's definitions of all messages.
//! Core, over the committed schemas.

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::throttle::{ThrottlePlace, throttle_place};
use ottla_protocol_tests::schema::{Field, Kind, Schemas};

/// Bytes of a field of one length; `None` of any other.
fn fixed_bytes(field: &Field) -> Option<usize> {
    match field.kind {
        _ if field.is_list => None,
        Kind::Bool | Kind::Int8 => Some(1),
        Kind::Int16 | Kind::Uint16 => Some(2),
        Kind::Int32 | Kind::Uint32 => Some(4),
        Kind::Int64 | Kind::Float64 => Some(8),
        Kind::Uuid => Some(16),
        Kind::String | Kind::Bytes | Kind::Records | Kind::Struct(_) => None,
    }
}

fn defined(fields: &[Field], version: i16) -> ThrottlePlace {
    let mut place = Some(0);
    for field in fields.iter().filter(|field| field.versions.contains(version)) {
        assert!(field.name != "throttleTimeMs" || field.kind == Kind::Int32);
        match (&*field.name, place) {
            ("throttleTimeMs", Some(place)) => return ThrottlePlace::At(place),
            ("throttleTimeMs", None) => return ThrottlePlace::Behind,
            _ if field.tag_in(version).is_some() => {}
            _ => place = place.zip(fixed_bytes(field)).map(|(place, bytes)| place + bytes),
        }
    }
    ThrottlePlace::Absent
}

#[test]
fn the_throttle_time_of_every_response_is_where_kafka_has_it() {
    let (mut count, mut absent) = (0, 0);
    for key in ApiKey::all() {
        let Some(api) = Schemas::kafka().by_key(key.to_i16()) else { continue };
        for version in api.versions.first..=api.versions.last {
            let place = throttle_place(key, version);
            assert_eq!(place, defined(&api.response, version), "{key} {version}");
            count += 1;
            absent += usize::from(place == ThrottlePlace::Absent);
        }
    }
    assert!(count > 200 && absent > 10, "{count} versions, {absent} without");
}
