//! What a part of a message is about: a topic, a partition, a group, a transactional id.
//! Core. Known by what Kafka's definitions say a field names, so for every API at once.

use ottla_protocol::ApiKey;
use ottla_protocol::shape::{Entity, Field, Kind, Struct, Value};
use uuid::Uuid;

use crate::words::Glob;

/// Names of topics by their ids.
pub trait TopicNames: Send + Sync {
    fn name_of(&self, id: Uuid) -> Option<String>;
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope {
    pub topic: Option<String>,
    pub partition: Option<i32>,
    pub group: Option<String>,
    pub transactional_id: Option<String>,
}

/// What a rule is about; what is not said is everything.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Filter {
    pub topic: Option<Glob>,
    pub partition: Option<i32>,
    pub group: Option<Glob>,
    pub transactional_id: Option<Glob>,
}

/// Whether a part of a message is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Selected {
    Yes,
    No,
    /// What is inside decides.
    Open,
}

impl Filter {
    pub fn is_everything(&self) -> bool {
        *self == Filter::default()
    }

    pub fn selects(&self, scope: &Scope) -> Selected {
        let mut selected = Selected::Yes;
        let mut hold = |is_asked: bool, is_met: Option<bool>| {
            if is_asked {
                selected = match (selected, is_met) {
                    (Selected::No, _) | (_, Some(false)) => Selected::No,
                    (_, None) => Selected::Open,
                    (known, Some(true)) => known,
                };
            }
        };
        let meets = |glob: &Option<Glob>, text: &Option<String>| Some(glob.as_ref()?.matches(text.as_ref()?));
        hold(self.topic.is_some(), meets(&self.topic, &scope.topic));
        hold(self.partition.is_some(), scope.partition.map(|known| Some(known) == self.partition));
        hold(self.group.is_some(), meets(&self.group, &scope.group));
        hold(self.transactional_id.is_some(), meets(&self.transactional_id, &scope.transactional_id));
        selected
    }

    /// Whether the answer may have a part that is meant: one of partitions may answer a request that names topics.
    fn may_select(&self, scope: &Scope) -> bool {
        let without = || Filter { partition: None, ..self.clone() };
        self.selects(scope) == Selected::Yes
            || scope.topic.is_some() && scope.partition.is_none() && without().selects(scope) == Selected::Yes
    }

    /// The words that none of the scopes of a request meets.
    pub fn misses(&self, scopes: &[Scope]) -> Vec<&'static str> {
        if self.is_everything() || scopes.iter().any(|scope| self.may_select(scope)) {
            return Vec::new();
        }
        let alone = |filter: Filter| scopes.iter().all(|scope| filter.selects(scope) != Selected::Yes);
        let mut missed = Vec::new();
        if self.topic.is_some() && alone(Filter { topic: self.topic.clone(), ..Filter::default() }) {
            missed.push("topic");
        }
        if self.group.is_some() && alone(Filter { group: self.group.clone(), ..Filter::default() }) {
            missed.push("group");
        }
        let of_transactions = Filter { transactional_id: self.transactional_id.clone(), ..Filter::default() };
        if self.transactional_id.is_some() && alone(of_transactions) {
            missed.push("transactional_id");
        }
        if missed.is_empty()
            || self.partition.is_some() && alone(Filter { partition: self.partition, ..Filter::default() })
        {
            missed.push("partition");
        }
        missed
    }
}

/// Fields that number a partition, beside those of a topic.
pub fn is_partition(field: &Field) -> bool {
    matches!(field.kind, Kind::Int32)
        && matches!(field.name, "Partition" | "PartitionIndex" | "Index" | "PartitionId")
}

fn is_topic_id(field: &Field) -> bool {
    matches!(field.kind, Kind::Uuid) && field.name == "TopicId"
}

/// Lists of bare values, each of which stands for a part of the message.
pub fn item_scope(field: &Field, item: &Value, outer: &Scope, names: &dyn TopicNames) -> Option<Scope> {
    let mut scope = outer.clone();
    match (field.entity, item) {
        (Some(Entity::Topic), Value::Text(text)) => scope.topic = Some(text.to_string()),
        (Some(Entity::Group), Value::Text(text)) => scope.group = Some(text.to_string()),
        (Some(Entity::TransactionalId), Value::Text(text)) => scope.transactional_id = Some(text.to_string()),
        (_, Value::Int(number)) if field.name.starts_with("Partition") => {
            scope.partition = Some(*number as i32)
        }
        (_, Value::Uuid(id)) if field.name.starts_with("TopicId") => {
            scope.topic = Some(name_or_id(*id, names))
        }
        _other => return None,
    }
    Some(scope)
}

fn name_or_id(id: Uuid, names: &dyn TopicNames) -> String {
    names.name_of(id).unwrap_or_else(|| id.to_string())
}

impl Scope {
    /// The scope of a struct inside of this one.
    pub fn enter(&self, shape: &Struct, values: &[Value], names: &dyn TopicNames) -> Scope {
        let mut scope = self.clone();
        for (field, value) in shape.fields.iter().zip(values) {
            match (field.entity, value) {
                (Some(Entity::Topic), Value::Text(text)) if !text.is_empty() => {
                    scope.topic = Some(text.to_string())
                }
                (Some(Entity::Group), Value::Text(text)) if !text.is_empty() => {
                    scope.group = Some(text.to_string())
                }
                (Some(Entity::TransactionalId), Value::Text(text)) if !text.is_empty() => {
                    scope.transactional_id = Some(text.to_string());
                }
                (_, Value::Uuid(id)) if is_topic_id(field) && !id.is_nil() => {
                    scope.topic = Some(name_or_id(*id, names));
                }
                (_, Value::Int(number)) if is_partition(field) => scope.partition = Some(*number as i32),
                _other => {}
            }
        }
        scope
    }
}

/// All that a request is about.
pub fn scopes(key: ApiKey, shape: &Struct, value: &Value, names: &dyn TopicNames) -> Vec<Scope> {
    let mut found = Vec::new();
    if key == ApiKey::FindCoordinator {
        find_coordinator(shape, value, &mut found);
    } else {
        collect(shape, value, &Scope::default(), names, &mut found);
    }
    found
}

/// Its keys are groups or transactional ids as a number beside them says.
fn find_coordinator(shape: &Struct, value: &Value, found: &mut Vec<Scope>) {
    let Value::Struct(values) = value else { return };
    let field = |name: &str| shape.place_of(name).map(|place| &values[place]);
    let is_transaction = matches!(field("KeyType"), Some(Value::Int(1)));
    let mut note = |key: &Value| {
        let Value::Text(key) = key else { return };
        if key.is_empty() {
            return;
        }
        let mut scope = Scope::default();
        let place = if is_transaction { &mut scope.transactional_id } else { &mut scope.group };
        *place = Some(key.to_string());
        found.push(scope);
    };
    if let Some(key) = field("Key") {
        note(key);
    }
    if let Some(Value::Array(keys)) = field("CoordinatorKeys") {
        keys.iter().for_each(&mut note);
    }
}

fn collect(shape: &Struct, value: &Value, outer: &Scope, names: &dyn TopicNames, found: &mut Vec<Scope>) {
    let Value::Struct(values) = value else { return };
    let scope = outer.enter(shape, values, names);
    let before = found.len();
    for (field, value) in shape.fields.iter().zip(values) {
        match (field.kind, value) {
            (Kind::Array(Kind::Struct(inner)), Value::Array(items)) => {
                items.iter().for_each(|item| collect(inner, item, &scope, names, found));
            }
            (Kind::Array(_), Value::Array(items)) => {
                found.extend(items.iter().filter_map(|item| item_scope(field, item, &scope, names)));
            }
            (Kind::Struct(inner), value) => collect(inner, value, &scope, names, found),
            _scalar => {}
        }
    }
    // What is inside says it all, with what is around it.
    if found.len() == before && scope != Scope::default() {
        found.push(scope);
    }
}
