//! AlterClientQuotas (KIP-546, KIP-612 for addresses).
//! Core. `ClientQuotaControlManager`. Names of hosts are looked up by the caller.

use std::collections::{BTreeMap, BTreeSet};

use ottla_model::ErrorCode;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::alter_client_quotas_request::{AlterClientQuotasRequest, EntryData};
use ottla_protocol::messages::alter_client_quotas_response::{
    AlterClientQuotasResponse, EntityData, EntryData as EntryResult,
};
use ottla_protocol::records::metadata::MetadataRecord;

use crate::client_quotas::{CLIENT_ID, ClientQuotas, IP, QuotaEntity, USER, record_of};
use crate::controller::{ApiError, Decision, wire_error};
use crate::image::Image;

/// Records that one request may lead to: Kafka's `MAX_RECORDS_PER_USER_OP`.
const RECORDS_MAX: usize = 10_000;

/// What a limit may be.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Double,
    Int,
    Long,
}

/// The keys of users and client ids, and those of addresses.
const OF_CLIENTS: [(&str, Kind); 4] = [
    ("producer_byte_rate", Kind::Long),
    ("consumer_byte_rate", Kind::Long),
    ("request_percentage", Kind::Double),
    ("controller_mutation_rate", Kind::Double),
];
const OF_ADDRESSES: [(&str, Kind); 1] = [("connection_creation_rate", Kind::Int)];

/// The names of hosts in a request, which are valid if they have an address.
pub fn named_hosts(request: &AlterClientQuotasRequest) -> BTreeSet<&str> {
    let parts = request.entries.iter().flat_map(|entry| &entry.entity);
    let hosts =
        parts.filter(|part| part.entity_type.as_str() == IP).filter_map(|part| part.entity_name.as_deref());
    hosts.filter(|host| !host.is_empty()).collect()
}

/// All records of a request or none; each entity has its own answer. `is_host` says whether a name has an address.
pub fn decide_alter_client_quotas(
    image: &Image,
    request: &AlterClientQuotasRequest,
    is_host: &dyn Fn(&str) -> bool,
) -> Result<Decision<AlterClientQuotasResponse>, ApiError> {
    let mut records: Vec<MetadataRecord> = Vec::new();
    let mut results: BTreeMap<QuotaEntity, Result<(), ApiError>> = BTreeMap::new();
    for entry in &request.entries {
        let entity = entity_of(entry);
        // As in Kafka, what an entity's first entry changes stays, and the answer is the second's.
        let is_known = results.contains_key(&entity);
        let result = match changes_of(entry) {
            Ok(changes) if !is_known => {
                decide_entity(image.client_quotas(), &entity, &changes, is_host, &mut records)
            }
            Ok(_) | Err(_) => Err(invalid(format!("Ignoring duplicate entity {}", shown(&entity)))),
        };
        results.insert(entity, result);
        if records.len() > RECORDS_MAX {
            let why = "Unable to perform excessively large batch operation.";
            return Err(ApiError::new(ErrorCode::PolicyViolation, why));
        }
    }
    if request.validate_only {
        records.clear();
    }
    let entries = results.iter().map(|(entity, result)| result_of(entity, result)).collect();
    Ok(Decision { records, response: AlterClientQuotasResponse::default().with_entries(entries) })
}

fn entity_of(entry: &EntryData) -> QuotaEntity {
    let parts = entry.entity.iter();
    parts
        .map(|part| {
            let name = part.entity_name.as_ref().map(|name| name.as_str().to_owned());
            (part.entity_type.as_str().to_owned(), name)
        })
        .collect()
}

/// The changes by key; a key that comes twice makes them void.
fn changes_of(entry: &EntryData) -> Result<BTreeMap<&str, Option<f64>>, ()> {
    let mut changes = BTreeMap::new();
    for op in &entry.ops {
        let value = (!op.remove).then_some(op.value);
        if changes.insert(op.key.as_str(), value).is_some() {
            return Err(());
        }
    }
    Ok(changes)
}

fn decide_entity(
    quotas: &ClientQuotas,
    entity: &QuotaEntity,
    changes: &BTreeMap<&str, Option<f64>>,
    is_host: &dyn Fn(&str) -> bool,
    records: &mut Vec<MetadataRecord>,
) -> Result<(), ApiError> {
    check_entity(entity)?;
    let keys = keys_of(entity, is_host)?;
    let mut made = Vec::new();
    for (key, value) in changes {
        let current = quotas.of(entity).and_then(|quotas| quotas.get(*key)).copied();
        if let Some(value) = value {
            check_value(keys, key, *value)?;
        }
        if current != *value {
            made.push(record_of(entity, key, *value).into());
        }
    }
    records.extend(made);
    Ok(())
}

fn check_entity(entity: &QuotaEntity) -> Result<(), ApiError> {
    if entity.is_empty() {
        return Err(invalid("Invalid empty client quota entity"));
    }
    for (entity_type, name) in entity {
        if ![USER, CLIENT_ID, IP].contains(&entity_type.as_str()) {
            return Err(invalid(format!("Unhandled client quota entity type: {entity_type}")));
        }
        if name.as_deref() == Some("") {
            return Err(invalid(format!("Empty {entity_type} not supported")));
        }
    }
    Ok(())
}

fn keys_of(
    entity: &QuotaEntity,
    is_host: &dyn Fn(&str) -> bool,
) -> Result<&'static [(&'static str, Kind)], ApiError> {
    let Some(host) = entity.get(IP) else { return Ok(&OF_CLIENTS) };
    if entity.len() > 1 {
        return Err(invalid(
            "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId",
        ));
    }
    match host {
        Some(host) if !is_host(host) => Err(invalid(format!("{host} is not a valid IP or resolvable host."))),
        Some(_) | None => Ok(&OF_ADDRESSES),
    }
}

fn check_value(keys: &[(&str, Kind)], key: &str, value: f64) -> Result<(), ApiError> {
    let Some((_, kind)) = keys.iter().find(|(name, _)| *name == key) else {
        return Err(invalid(format!("Invalid configuration key {key}")));
    };
    // What is no number is refused with it; Kafka stores it.
    if value.is_nan() || value <= 0.0 {
        return Err(invalid(format!("Quota {key} must be greater than 0")));
    }
    let (max, name) = match kind {
        Kind::Double => return Ok(()),
        Kind::Int => (f64::from(i32::MAX), "an INT"),
        Kind::Long => (i64::MAX as f64, "a LONG"),
    };
    if value > max {
        return Err(invalid(format!("Proposed value for {key} is too large for {name}.")));
    }
    if (value % 1.0).abs() > 1e-6 {
        return Err(invalid(format!("{key} cannot be a fractional value.")));
    }
    Ok(())
}

fn invalid(why: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, why)
}

/// As Java prints an entity.
fn shown(entity: &QuotaEntity) -> String {
    let part =
        |(kind, name): (&String, &Option<String>)| format!("{kind}={}", name.as_deref().unwrap_or("null"));
    let parts: Vec<String> = entity.iter().map(part).collect();
    format!("ClientQuotaEntity(entries={{{}}})", parts.join(", "))
}

fn result_of(entity: &QuotaEntity, result: &Result<(), ApiError>) -> EntryResult {
    let text = |text: &String| StrBytes::from_string(text.clone());
    let part = |(kind, name): (&String, &Option<String>)| {
        EntityData::default().with_entity_type(text(kind)).with_entity_name(name.as_ref().map(text))
    };
    let (code, message) = wire_error(result);
    EntryResult::default()
        .with_error_code(code)
        .with_error_message(message)
        .with_entity(entity.iter().map(part).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::testing::{Cluster, IntoStr};
    use crate::records_of::records_of_cluster;
    use crate::replay::Working;
    use ottla_model::{BrokerId, LeaderEpoch, Offset};
    use ottla_protocol::messages::DescribeClientQuotasRequest;
    use ottla_protocol::messages::alter_client_quotas_request::{EntityData, OpData};
    use ottla_protocol::messages::describe_client_quotas_request::ComponentData;

    fn entry(entity: &[(&str, Option<&str>)], ops: &[(&str, Option<f64>)]) -> EntryData {
        let part = |(kind, name): &(&str, Option<&str>)| {
            EntityData::default()
                .with_entity_type(kind.into_str())
                .with_entity_name(name.map(IntoStr::into_str))
        };
        let op = |(key, value): &(&str, Option<f64>)| {
            OpData::default()
                .with_key(key.into_str())
                .with_value(value.unwrap_or_default())
                .with_remove(value.is_none())
        };
        EntryData::default()
            .with_entity(entity.iter().map(part).collect())
            .with_ops(ops.iter().map(op).collect())
    }

    fn alter(cluster: &mut Cluster, entries: Vec<EntryData>) -> Vec<(i16, String)> {
        let request = AlterClientQuotasRequest::default().with_entries(entries);
        let is_host = |host: &str| host == "10.0.0.1";
        let decision = decide_alter_client_quotas(cluster.image(), &request, &is_host).expect("not too many");
        cluster.apply(decision.records);
        let told = |entry: &EntryResult| {
            let text = entry.error_message.as_ref().map(|text| text.as_str().to_owned());
            (entry.error_code, text.unwrap_or_default())
        };
        decision.response.entries.iter().map(told).collect()
    }

    fn found(cluster: &Cluster, components: &[(&str, i8, Option<&str>)], strict: bool) -> Option<usize> {
        let component = |(kind, match_type, name): &(&str, i8, Option<&str>)| {
            ComponentData::default()
                .with_entity_type(kind.into_str())
                .with_match_type(*match_type)
                .with_match(name.map(IntoStr::into_str))
        };
        let request = DescribeClientQuotasRequest::default()
            .with_components(components.iter().map(component).collect())
            .with_strict(strict);
        cluster.image().client_quotas().describe(&request).entries.map(|entries| entries.len())
    }

    #[test]
    fn a_quota_comes_changes_goes_and_lives_through_a_snapshot() {
        let mut cluster = Cluster::of(&[1]);
        let user = [("user", Some("a"))];
        let both = [("user", None), ("client-id", Some("c"))];
        let rate = |value| [("producer_byte_rate", value)];
        let done = vec![(0, String::new())];
        assert_eq!(alter(&mut cluster, vec![entry(&user, &rate(Some(5.0)))]), done);
        assert_eq!(alter(&mut cluster, vec![entry(&both, &rate(Some(7.0)))]), done);
        assert_eq!(found(&cluster, &[], false), Some(2));
        assert_eq!(found(&cluster, &[("user", 2, None)], false), Some(2));
        assert_eq!(found(&cluster, &[("user", 2, None)], true), Some(1));
        assert_eq!(found(&cluster, &[("user", 1, None)], false), Some(1));
        assert_eq!(found(&cluster, &[("user", 0, Some("a"))], false), Some(1));
        assert_eq!(found(&cluster, &[("user", 0, Some("b"))], false), Some(0));
        assert_eq!(found(&cluster, &[("user", 0, None)], false), None);

        // The same value again is no record.
        let before = cluster.image().metadata_offset();
        assert_eq!(alter(&mut cluster, vec![entry(&user, &rate(Some(5.0)))]), done);
        assert_eq!(cluster.image().metadata_offset(), before);

        let mut replayed = Working::new(Image::empty("cluster", BrokerId(1)));
        for (offset, record) in records_of_cluster(cluster.image()).into_iter().enumerate() {
            replayed.replay(record, Offset(offset as i64), LeaderEpoch(1));
        }
        assert_eq!(replayed.image.client_quotas(), cluster.image().client_quotas());

        assert_eq!(alter(&mut cluster, vec![entry(&user, &rate(None)), entry(&both, &rate(None))]).len(), 2);
        assert!(cluster.image().client_quotas().is_empty());
    }

    #[test]
    fn each_rule_has_kafka_s_words() {
        let mut cluster = Cluster::of(&[1]);
        let user = [("user", Some("a"))];
        let ip = [("ip", Some("10.0.0.1"))];
        let cases = [
            (entry(&[], &[]), "Invalid empty client quota entity"),
            (entry(&[("group", Some("g"))], &[]), "Unhandled client quota entity type: group"),
            (entry(&[("user", Some(""))], &[]), "Empty user not supported"),
            (entry(&[("ip", Some("no host"))], &[]), "no host is not a valid IP or resolvable host."),
            (
                entry(&[("ip", None), ("user", None)], &[]),
                "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId",
            ),
            (
                entry(&user, &[("connection_creation_rate", Some(1.0))]),
                "Invalid configuration key connection_creation_rate",
            ),
            (
                entry(&user, &[("producer_byte_rate", Some(0.0))]),
                "Quota producer_byte_rate must be greater than 0",
            ),
            (
                entry(&user, &[("producer_byte_rate", Some(f64::NAN))]),
                "Quota producer_byte_rate must be greater than 0",
            ),
            (
                entry(&user, &[("producer_byte_rate", Some(1.5))]),
                "producer_byte_rate cannot be a fractional value.",
            ),
            (
                entry(&user, &[("consumer_byte_rate", Some(1e19))]),
                "Proposed value for consumer_byte_rate is too large for a LONG.",
            ),
            (
                entry(&ip, &[("connection_creation_rate", Some(3e9))]),
                "Proposed value for connection_creation_rate is too large for an INT.",
            ),
        ];
        for (asked, why) in cases {
            assert_eq!(alter(&mut cluster, vec![asked]), [(42, why.to_owned())]);
        }
        assert!(cluster.image().client_quotas().is_empty());
        // The first entry of an entity is made, and the second one's answer is given.
        let fraction = entry(&user, &[("request_percentage", Some(0.5))]);
        let (code, why) = alter(&mut cluster, vec![fraction.clone(), fraction]).remove(0);
        assert_eq!(
            (code, why.as_str()),
            (42, "Ignoring duplicate entity ClientQuotaEntity(entries={user=a})")
        );
        assert_eq!(cluster.image().client_quotas().count(), 1);
    }
}
