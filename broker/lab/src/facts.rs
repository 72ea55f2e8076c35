//! What rules and the journal know of a request.
//! Core.

use ottla_protocol::shape::{self, Value};
use ottla_protocol::{ApiKey, RequestHeader};

use crate::scope::{self, Scope, TopicNames};

/// More than a test looks at; a request about more is matched by the first.
const SCOPES_MAX: usize = 10_000;

#[derive(Clone, PartialEq, Debug)]
pub struct Facts {
    pub key: ApiKey,
    pub version: i16,
    pub client_id: String,
    pub software: String,
    pub user: String,
    pub connection: u64,
    pub acks: Option<i64>,
    pub scopes: Vec<Scope>,
}

/// Who sent a request.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sender {
    pub connection: u64,
    pub software: String,
    pub user: String,
}

impl Facts {
    /// `body` is the request, where it could be read.
    pub fn of(
        key: ApiKey,
        header: &RequestHeader,
        sender: Sender,
        body: Option<&Value>,
        names: &dyn TopicNames,
    ) -> Facts {
        let shape = shape::request(key).zip(body);
        let mut scopes =
            shape.map(|(message, body)| scope::scopes(key, message.root, body, names)).unwrap_or_default();
        scopes.truncate(SCOPES_MAX);
        let acks = shape.and_then(|(message, body)| {
            let Value::Struct(values) = body else { return None };
            match values.get(message.root.place_of("Acks")?) {
                Some(Value::Int(acks)) => Some(*acks),
                _other => None,
            }
        });
        let Sender { connection, software, user } = sender;
        Facts {
            key,
            version: header.api_version,
            client_id: header.client_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            software,
            user,
            connection,
            acks,
            scopes,
        }
    }
}
