//! Where an error stands in the answer of each API and version: put there, or made into an answer of its own.
//! Core. By the tables of `ottla_protocol::shape`; the only rules of single APIs are those at the top.

use ottla_model::ErrorCode;
use ottla_protocol::ApiKey;
use ottla_protocol::StrBytes;
use ottla_protocol::shape::{Field, Kind, Message, Struct, Value};

use crate::scope::{Filter, Scope, Selected, TopicNames, is_partition, item_scope};

/// The error to put into an answer, and of what.
pub struct Stamp<'a> {
    pub code: ErrorCode,
    pub message: Option<&'a str>,
    pub filter: &'a Filter,
    pub names: &'a dyn TopicNames,
}

/// Of a batch of records (v2).
const BATCH_CRC_AT: usize = 17;

/// What an error is about. One about a partition says nothing where a whole answer has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum About {
    Request,
    Topic,
    Partition,
}

fn about(code: ErrorCode) -> About {
    use ErrorCode as E;
    match code {
        E::UnknownTopicOrPartition
        | E::TopicAuthorizationFailed
        | E::InvalidTopicException
        | E::UnknownTopicId
        | E::InconsistentTopicId => About::Topic,
        E::OffsetOutOfRange
        | E::CorruptMessage
        | E::LeaderNotAvailable
        | E::NotLeaderOrFollower
        | E::ReplicaNotAvailable
        | E::MessageTooLarge
        | E::RecordListTooLarge
        | E::NotEnoughReplicas
        | E::NotEnoughReplicasAfterAppend
        | E::InvalidRequiredAcks
        | E::InvalidTimestamp
        | E::UnsupportedForMessageFormat
        | E::OutOfOrderSequenceNumber
        | E::DuplicateSequenceNumber
        | E::KafkaStorageError
        | E::FencedLeaderEpoch
        | E::UnknownLeaderEpoch
        | E::OffsetNotAvailable
        | E::UnstableOffsetCommit
        | E::InvalidRecord => About::Partition,
        _other => About::Request,
    }
}

/// Answers that carry what a client needs to go on even where an error is: these requests are always carried out.
pub fn is_stamped_only(key: ApiKey) -> bool {
    matches!(
        key,
        ApiKey::Metadata | ApiKey::ApiVersions | ApiKey::DescribeCluster | ApiKey::DescribeTopicPartitions
    )
}

fn is_error(field: &Field, version: i16) -> bool {
    field.is_in(version)
        && matches!(field.name, "ErrorCode" | "PartitionErrorCode")
        && matches!(field.kind, Kind::Int16)
}

fn carries_error(shape: &Struct, version: i16) -> bool {
    let inner = |field: &Field| match field.kind {
        Kind::Array(Kind::Struct(inner)) => Some(*inner),
        Kind::Struct(inner) => Some(inner),
        _scalar => None,
    };
    let has = |field: &Field| match inner(field) {
        Some(inner) => field.is_in(version) && carries_error(inner, version),
        None => is_error(field, version),
    };
    shape.fields.iter().any(has)
}

/// What the parts of an answer are about that only its request says.
pub fn base_scope(request: &Message, value: &Value, names: &dyn TopicNames) -> Scope {
    match value {
        Value::Struct(values) => Scope::default().enter(request.root, values, names),
        _nothing => Scope::default(),
    }
}

/// Puts the error where it belongs. Returns at how many places it stands.
pub fn stamp(response: &Message, value: &mut Value, version: i16, base: &Scope, stamp: &Stamp<'_>) -> usize {
    stamp_struct(response.root, value, version, base, stamp)
}

fn stamp_struct(shape: &Struct, value: &mut Value, version: i16, outer: &Scope, stamp: &Stamp<'_>) -> usize {
    let Value::Struct(values) = value else { return 0 };
    let scope = outer.enter(shape, values, stamp.names);
    let selected = stamp.filter.selects(&scope);
    if selected == Selected::No {
        return 0;
    }
    let own =
        shape.fields.iter().position(|field| is_error(field, version)).filter(|_| selected == Selected::Yes);
    let belongs = match about(stamp.code) {
        About::Request => true,
        About::Topic => scope.topic.is_some(),
        About::Partition => scope.partition.is_some(),
    };
    if let Some(place) = own.filter(|_| belongs) {
        set(shape, values, place, version, stamp);
        return 1;
    }
    let mut count = 0;
    for (field, value) in shape.fields.iter().zip(values.iter_mut()) {
        if !field.is_in(version) {
            continue;
        }
        match (field.kind, value) {
            (Kind::Array(Kind::Struct(inner)), Value::Array(items)) => {
                count += items
                    .iter_mut()
                    .map(|item| stamp_struct(inner, item, version, &scope, stamp))
                    .sum::<usize>();
            }
            (Kind::Struct(inner), value) => count += stamp_struct(inner, value, version, &scope, stamp),
            _scalar => {}
        }
    }
    match own {
        // Nothing inside has a place for it.
        Some(place) if count == 0 => {
            set(shape, values, place, version, stamp);
            1
        }
        _ => count,
    }
}

/// A part with an error has nothing else to say.
fn set(shape: &Struct, values: &mut [Value], place: usize, version: i16, stamp: &Stamp<'_>) {
    for (field, value) in shape.fields.iter().zip(values.iter_mut()) {
        match field.name {
            "ErrorMessage" if field.is_in(version) => {
                *value = match stamp.message {
                    Some(text) => Value::Text(StrBytes::from_string(text.to_owned())),
                    None if ottla_protocol::shape::contains(field.nullable, version) => Value::Null,
                    None => field.initial(),
                };
            }
            // Kafka's INVALID_OFFSET.
            "BaseOffset" => *value = Value::Int(-1),
            "Records" => *value = field.initial(),
            _other => {}
        }
    }
    values[place] = Value::Int(stamp.code as i64);
}

/// An answer to a request that is not carried out: every part that is meant has the error. Nothing where the answer has
/// no place for it that the request tells.
pub fn refusal(
    (request, asked): (&Message, &Value),
    response: &Message,
    version: i16,
    base: &Scope,
    with: &Stamp<'_>,
) -> Option<Value> {
    [Pairing::ByName, Pairing::ByPlace].into_iter().find_map(|pairing| {
        let mut answer = response.root.initial();
        mirror(request.root, asked, response.root, &mut answer, version, pairing);
        keep_selected(response.root, &mut answer, version, base, with);
        (stamp(response, &mut answer, version, base, with) > 0).then_some(answer)
    })
}

/// How the lists of an answer are told from those of its request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pairing {
    /// Their parts have a name in common.
    ByName,
    /// Where none has: the first list there is. Answers to CreateAcls, for one, name nothing.
    ByPlace,
}

/// Makes a part of the answer for each part of the request.
fn mirror(
    request: &Struct,
    asked: &Value,
    response: &Struct,
    answer: &mut Value,
    version: i16,
    pairing: Pairing,
) {
    let (Value::Struct(asked), Value::Struct(answer)) = (asked, answer) else { return };
    for (place, field) in response.fields.iter().enumerate() {
        let Kind::Array(Kind::Struct(part)) = field.kind else { continue };
        if !field.is_in(version) || !carries_error(part, version) {
            continue;
        }
        let Some((source, items)) = partner(part, request, asked, version, pairing) else { continue };
        let parts = items.iter().map(|item| {
            let mut made = part.initial();
            match source.kind {
                Kind::Array(Kind::Struct(inner)) => {
                    copy_names(inner, item, part, &mut made, version);
                    mirror(inner, item, part, &mut made, version, pairing);
                }
                _bare => copy_bare(source, item, part, &mut made, version),
            }
            made
        });
        answer[place] = Value::Array(parts.collect());
    }
}

/// The list of the request that a list of the answer goes through.
fn partner<'a>(
    part: &Struct,
    request: &Struct,
    asked: &'a [Value],
    version: i16,
    pairing: Pairing,
) -> Option<(&'static Field, &'a [Value])> {
    let score = |field: &Field| match field.kind {
        Kind::Array(Kind::Struct(inner)) => {
            let named =
                |own: &&Field| inner.fields.iter().any(|field| field.is_in(version) && same_name(own, field));
            part.fields.iter().filter(|own| own.is_in(version)).filter(named).count()
        }
        Kind::Array(_) => {
            usize::from(part.fields.iter().any(|own| own.is_in(version) && takes_bare(own, field)))
        }
        _other => 0,
    };
    let lists = request.fields.iter().zip(asked).filter_map(|(field, value)| match value {
        Value::Array(items) if field.is_in(version) && !items.is_empty() => {
            Some((score(field), field, items))
        }
        _other => None,
    });
    let lists: Vec<_> = lists.collect();
    let best = lists.iter().filter(|(score, ..)| *score > 0).max_by_key(|(score, ..)| *score);
    let best = best.or(lists.first().filter(|_| pairing == Pairing::ByPlace));
    best.map(|(_, field, items)| (*field, items.as_slice()))
}

fn same_kind(one: &Field, other: &Field) -> bool {
    std::mem::discriminant(&one.kind) == std::mem::discriminant(&other.kind)
        && !matches!(one.kind, Kind::Array(_) | Kind::Struct(_) | Kind::Bytes | Kind::Bool)
}

/// Whether two fields name the same thing.
fn same_name(one: &Field, other: &Field) -> bool {
    let same_entity = one.entity.is_some() && one.entity == other.entity;
    same_kind(one, other)
        && (same_entity || one.name == other.name || is_partition(one) && is_partition(other))
}

/// Whether a field takes what a list of bare values has.
fn takes_bare(own: &Field, list: &Field) -> bool {
    let Kind::Array(item) = list.kind else { return false };
    let same_kind = std::mem::discriminant(item) == std::mem::discriminant(&own.kind);
    let same_entity = list.entity.is_some() && list.entity == own.entity;
    let stem = list.name.trim_end_matches("Names").trim_end_matches('s');
    let same_word = own.name == "Key"
        || list.name.starts_with(own.name)
        || own.name.starts_with(stem)
        || list.name.ends_with(&format!("{}s", own.name));
    same_kind && (same_entity || same_word || is_partition(own) && list.name.starts_with("Partition"))
}

fn copy_names(request: &Struct, asked: &Value, part: &Struct, made: &mut Value, version: i16) {
    let (Value::Struct(asked), Value::Struct(made)) = (asked, made) else { return };
    for (own, value) in part.fields.iter().zip(made).filter(|(own, _)| own.is_in(version)) {
        let same = |(field, _): &(&Field, &Value)| field.is_in(version) && same_name(own, field);
        if let Some((_, known)) = request.fields.iter().zip(asked).find(same)
            && *known != Value::Null
        {
            *value = known.clone();
        }
    }
}

fn copy_bare(list: &Field, item: &Value, part: &Struct, made: &mut Value, version: i16) {
    let Value::Struct(made) = made else { return };
    if let Some(place) = part.fields.iter().position(|own| own.is_in(version) && takes_bare(own, list)) {
        made[place] = item.clone();
    }
}

/// Takes the parts out that are not meant.
fn keep_selected(shape: &Struct, value: &mut Value, version: i16, outer: &Scope, with: &Stamp<'_>) {
    let Value::Struct(values) = value else { return };
    let scope = outer.enter(shape, values, with.names);
    for (field, value) in shape.fields.iter().zip(values) {
        let (Kind::Array(Kind::Struct(part)), Value::Array(items)) = (field.kind, value) else { continue };
        if !field.is_in(version) || !carries_error(part, version) {
            continue;
        }
        items.retain_mut(|item| {
            let Value::Struct(values) = &*item else { return true };
            match with.filter.selects(&scope.enter(part, values, with.names)) {
                Selected::Yes => true,
                Selected::No => false,
                Selected::Open => {
                    keep_selected(part, item, version, &scope, with);
                    has_parts(part, item, version)
                }
            }
        });
    }
}

fn has_parts(shape: &Struct, value: &Value, version: i16) -> bool {
    let Value::Struct(values) = value else { return false };
    shape.fields.iter().zip(values).any(|(field, value)| match (field.kind, value) {
        (Kind::Array(Kind::Struct(part)), Value::Array(items)) => {
            carries_error(part, version) && !items.is_empty()
        }
        _other => false,
    })
}

/// What is left of a request without the parts that are meant; nothing where nothing is left, or the request has no such
/// parts.
pub fn remainder(request: &Message, asked: &Value, filter: &Filter, names: &dyn TopicNames) -> Option<Value> {
    let mut rest = asked.clone();
    let counts = strip(request.root, &mut rest, &Scope::default(), filter, names);
    (counts.left > 0).then_some(rest)
}

#[derive(Default)]
struct Counts {
    taken: usize,
    left: usize,
}

fn strip(
    shape: &Struct,
    value: &mut Value,
    outer: &Scope,
    filter: &Filter,
    names: &dyn TopicNames,
) -> Counts {
    let mut counts = Counts::default();
    let Value::Struct(values) = value else { return counts };
    let scope = outer.enter(shape, values, names);
    for (field, value) in shape.fields.iter().zip(values) {
        let (Kind::Array(kind), Value::Array(items)) = (field.kind, value) else { continue };
        items.retain_mut(|item| {
            let inner = match (kind, &*item) {
                (Kind::Struct(part), Value::Struct(values)) => Some(scope.enter(part, values, names)),
                _bare => item_scope(field, item, &scope, names),
            };
            // What names nothing that a filter may have goes with what does.
            let Some(inner) = inner.filter(|inner| *inner != scope) else { return true };
            let stays = match (filter.selects(&inner), kind) {
                (Selected::Yes, _) => false,
                (Selected::Open, Kind::Struct(part)) => {
                    let of_part = strip(part, item, &scope, filter, names);
                    counts.taken += of_part.taken;
                    of_part.taken == 0 || of_part.left > 0
                }
                _no => true,
            };
            if stays {
                counts.left += 1;
            } else {
                counts.taken += 1;
            }
            stays
        });
    }
    counts
}

/// Adds the parts of a refusal to the answer for the rest of its request.
pub fn merge(response: &Message, answer: &mut Value, refused: Value, version: i16) {
    merge_struct(response.root, answer, refused, version);
}

fn merge_struct(shape: &Struct, answer: &mut Value, refused: Value, version: i16) {
    let (Value::Struct(answer), Value::Struct(refused)) = (answer, refused) else { return };
    for ((field, value), more) in shape.fields.iter().zip(answer).zip(refused) {
        let (Kind::Array(Kind::Struct(part)), Value::Array(more)) = (field.kind, more) else { continue };
        if !field.is_in(version) || !carries_error(part, version) || more.is_empty() {
            continue;
        }
        if *value == Value::Null {
            *value = Value::Array(Vec::new());
        }
        let Value::Array(items) = value else { continue };
        for extra in more {
            match items.iter_mut().find(|item| is_same(part, item, &extra)) {
                Some(known) if has_parts(part, &extra, version) => merge_struct(part, known, extra, version),
                _ => items.push(extra),
            }
        }
    }
}

/// Whether two parts of an answer are about the same topic, group, or whatever their names say.
fn is_same(part: &Struct, one: &Value, other: &Value) -> bool {
    let (Value::Struct(one), Value::Struct(other)) = (one, other) else { return false };
    let is_name = |field: &Field| field.entity.is_some() || is_partition(field) || field.name == "TopicId";
    part.fields
        .iter()
        .zip(one.iter().zip(other))
        .filter(|(field, _)| is_name(field))
        .all(|(_, (a, b))| a == b)
}

/// Spoils the checksums of the records that are meant. At how many places.
pub fn corrupt_records(
    shape: &Struct,
    value: &mut Value,
    outer: &Scope,
    filter: &Filter,
    names: &dyn TopicNames,
) -> usize {
    let Value::Struct(values) = value else { return 0 };
    let scope = outer.enter(shape, values, names);
    let is_meant = filter.selects(&scope) == Selected::Yes;
    let mut count = 0;
    for (field, value) in shape.fields.iter().zip(values.iter_mut()) {
        match (field.kind, value) {
            (Kind::Array(Kind::Struct(inner)), Value::Array(items)) => {
                let spoil = |item| corrupt_records(inner, item, &scope, filter, names);
                count += items.iter_mut().map(spoil).sum::<usize>();
            }
            (Kind::Struct(inner), value) => count += corrupt_records(inner, value, &scope, filter, names),
            (_, Value::Bytes(bytes)) if is_meant && field.name == "Records" && bytes.len() > BATCH_CRC_AT => {
                let mut spoilt = bytes.to_vec();
                spoilt[BATCH_CRC_AT] ^= 0xff;
                *bytes = spoilt.into();
                count += 1;
            }
            _other => {}
        }
    }
    count
}

/// The field that says how long a client is to rest, put into an answer that has one.
pub fn set_throttle(response: &Message, answer: &mut Value, version: i16, throttle_ms: i32) -> bool {
    let Value::Struct(values) = answer else { return false };
    let Some(place) = response.root.place_of("ThrottleTimeMs") else { return false };
    if !response.root.fields[place].is_in(version) {
        return false;
    }
    values[place] = Value::Int(throttle_ms.into());
    true
}

/// Every error code of an answer that is not success.
pub fn errors(response: &Message, answer: &Value, version: i16) -> Vec<i16> {
    let mut found = Vec::new();
    collect_errors(response.root, answer, version, &mut found);
    found
}

fn collect_errors(shape: &Struct, value: &Value, version: i16, found: &mut Vec<i16>) {
    let Value::Struct(values) = value else { return };
    for (field, value) in shape.fields.iter().zip(values) {
        match (field.kind, value) {
            (Kind::Int16, Value::Int(code)) if is_error(field, version) && *code != 0 => {
                found.push(*code as i16)
            }
            (Kind::Array(Kind::Struct(inner)), Value::Array(items)) => {
                items.iter().for_each(|item| collect_errors(inner, item, version, found));
            }
            (Kind::Struct(inner), value) => collect_errors(inner, value, version, found),
            _other => {}
        }
    }
}
