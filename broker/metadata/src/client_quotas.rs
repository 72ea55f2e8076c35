//! Client quotas as facts: which limits were set for whom, and how they are described (KIP-546).
//! Core. `ClientQuotasImage`. `api` puts them in force (`quotas.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;
use ottla_model::ErrorCode;
use ottla_protocol::StrBytes;
use ottla_protocol::messages::describe_client_quotas_request::{ComponentData, DescribeClientQuotasRequest};
use ottla_protocol::messages::describe_client_quotas_response::{
    DescribeClientQuotasResponse, EntityData, EntryData, ValueData,
};
use ottla_protocol::records::metadata::ClientQuotaRecord;
use ottla_protocol::records::metadata::client_quota_record::EntityData as RecordEntity;

use crate::controller::ApiError;
use crate::wire::text;

pub const USER: &str = "user";
pub const CLIENT_ID: &str = "client-id";
pub const IP: &str = "ip";

/// The keys of users and client ids in the order of Kafka's hash map.
const KEYS_IN_ORDER: [&str; 4] =
    ["request_percentage", "producer_byte_rate", "consumer_byte_rate", "controller_mutation_rate"];

/// Whom a quota is for: entity types with names; `None` is what holds for all that have no name of their own.
pub type QuotaEntity = BTreeMap<String, Option<String>>;

/// Limits of one entity, by key.
pub type Quotas = Arc<BTreeMap<String, f64>>;

/// Every limit that was set.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ClientQuotas {
    entities: OrdMap<QuotaEntity, Quotas>,
}

impl ClientQuotas {
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    /// How many limits there are.
    pub fn count(&self) -> usize {
        self.entities.values().map(|quotas| quotas.len()).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&QuotaEntity, &Quotas)> {
        self.entities.iter()
    }

    pub fn of(&self, entity: &QuotaEntity) -> Option<&Quotas> {
        self.entities.get(entity)
    }

    pub(crate) fn replay(&mut self, record: &ClientQuotaRecord) {
        let text = |text: &StrBytes| text.as_str().to_owned();
        let part = |part: &RecordEntity| (text(&part.entity_type), part.entity_name.as_ref().map(text));
        let entity: QuotaEntity = record.entity.iter().map(part).collect();
        let mut quotas = self.entities.get(&entity).cloned().unwrap_or_default();
        let limits = Arc::make_mut(&mut quotas);
        match record.remove {
            true => limits.remove(record.key.as_str()),
            false => limits.insert(text(&record.key), record.value),
        };
        if quotas.is_empty() {
            self.entities.remove(&entity);
        } else {
            self.entities.insert(entity, quotas);
        }
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = ClientQuotaRecord> {
        let of_entity = |(entity, quotas)| {
            let quotas: &Quotas = quotas;
            quotas.iter().map(move |(key, value)| record_of(entity, key, Some(*value)))
        };
        self.entities.iter().flat_map(of_entity)
    }

    /// What was set for the entities that a filter finds.
    pub fn describe(&self, request: &DescribeClientQuotasRequest) -> DescribeClientQuotasResponse {
        match Filter::of(request) {
            Ok(filter) => {
                let found = self.entities.iter().filter(|(entity, _)| filter.matches(entity));
                let entries = found.map(|(entity, quotas)| entry(entity, quotas)).collect();
                DescribeClientQuotasResponse::default()
                    .with_error_message(Some(StrBytes::default()))
                    .with_entries(Some(entries))
            }
            Err(error) => DescribeClientQuotasResponse::default()
                .with_error_code(error.code())
                .with_error_message(error.text())
                .with_entries(None),
        }
    }
}

/// A limit as a record; `None` removes it.
pub(crate) fn record_of(entity: &QuotaEntity, key: &str, value: Option<f64>) -> ClientQuotaRecord {
    let part = |(entity_type, name): (&String, &Option<String>)| RecordEntity {
        entity_type: text(entity_type),
        entity_name: name.as_deref().map(text),
        ..RecordEntity::default()
    };
    ClientQuotaRecord {
        entity: entity.iter().map(part).collect(),
        key: text(key),
        value: value.unwrap_or_default(),
        remove: value.is_none(),
        ..ClientQuotaRecord::default()
    }
}

/// Where Kafka's hash map has a key: what `kafka-configs` prints is in this order.
fn place_of(key: &str) -> usize {
    KEYS_IN_ORDER.iter().position(|known| *known == key).unwrap_or(KEYS_IN_ORDER.len())
}

fn entry(entity: &QuotaEntity, quotas: &Quotas) -> EntryData {
    let part = |(entity_type, name): (&String, &Option<String>)| {
        EntityData::default().with_entity_type(text(entity_type)).with_entity_name(name.as_deref().map(text))
    };
    let value = |(key, value): (&String, &f64)| ValueData::default().with_key(text(key)).with_value(*value);
    let mut quotas: Vec<(&String, &f64)> = quotas.iter().collect();
    quotas.sort_by_key(|(key, _)| place_of(key));
    EntryData::default()
        .with_entity(entity.iter().map(part).collect())
        .with_values(quotas.into_iter().map(value).collect())
}

/// Which entities are asked for.
struct Filter<'a> {
    exact: BTreeMap<&'a str, Option<&'a str>>,
    /// Types that must be there under any name.
    any: BTreeSet<&'a str>,
    /// Whether an entity may have no other types.
    strict: bool,
}

impl<'a> Filter<'a> {
    fn of(request: &'a DescribeClientQuotasRequest) -> Result<Filter<'a>, ApiError> {
        let mut filter = Filter { exact: BTreeMap::new(), any: BTreeSet::new(), strict: request.strict };
        for component in &request.components {
            filter.add(component)?;
        }
        if filter.has(IP) && (filter.has(USER) || filter.has(CLIENT_ID)) {
            return Err(invalid(
                "Invalid entity filter component combination. IP filter component should not be used with user or \
                 clientId filter component.",
            ));
        }
        Ok(filter)
    }

    fn has(&self, entity_type: &str) -> bool {
        self.exact.contains_key(entity_type) || self.any.contains(entity_type)
    }

    fn add(&mut self, component: &'a ComponentData) -> Result<(), ApiError> {
        let entity_type = component.entity_type.as_str();
        if entity_type.is_empty() {
            return Err(invalid("Invalid empty entity type."));
        }
        if self.has(entity_type) {
            let why = format!("Entity type {entity_type} cannot appear more than once in the filter.");
            return Err(invalid(why));
        }
        if ![USER, CLIENT_ID, IP].contains(&entity_type) {
            let why = format!("Unsupported entity type {entity_type}");
            return Err(ApiError::new(ErrorCode::UnsupportedVersion, why));
        }
        let also = |kind: &str| {
            invalid(format!("Request specified MATCH_TYPE_{kind}, but also specified a match string."))
        };
        match (component.match_type, component._match.as_deref()) {
            (0, Some(name)) => drop(self.exact.insert(entity_type, Some(name))),
            (0, None) => {
                return Err(invalid("Request specified MATCH_TYPE_EXACT, but set match string to null."));
            }
            (1, None) => drop(self.exact.insert(entity_type, None)),
            (1, Some(_)) => return Err(also("DEFAULT")),
            (2, None) => drop(self.any.insert(entity_type)),
            (2, Some(_)) => return Err(also("SPECIFIED")),
            (other, _) => return Err(invalid(format!("Unknown match type {other}"))),
        }
        Ok(())
    }

    fn matches(&self, entity: &QuotaEntity) -> bool {
        if self.strict && entity.len() != self.exact.len() + self.any.len() {
            return false;
        }
        let is_named = |(entity_type, name): (&&str, &Option<&str>)| {
            entity.get(*entity_type).is_some_and(|found| found.as_deref() == *name)
        };
        self.exact.iter().all(is_named) && self.any.iter().all(|kind| entity.contains_key(*kind))
    }
}

fn invalid(why: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, why)
}
