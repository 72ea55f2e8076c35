//! What a broker decides of a change of settings before the controller hears of it (`ConfigAdminManager.preprocess`).
//! Core over the configuration in force: the levels of its loggers, and whether it would take the change itself.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ottla_metadata::ResourceType;
use ottla_metadata::controller::Rules;
use ottla_metadata::controller::configs::Through;
use ottla_model::{BrokerId, ErrorCode};
use ottla_network::Answer;
use ottla_protocol::{ApiKey, Encode, StrBytes};
use ottla_security::AclOperation;

use crate::access::Access;
use crate::context::Broker;
use crate::handlers::{alter_configs, incremental_alter_configs};
use crate::request::{Refusal, Request};
use crate::table::Endpoint;

/// What is left of a request for the controller.
pub(crate) enum Left {
    /// All of it, as it came.
    Whole,
    /// Nothing: it is answered.
    Nothing(Answer),
    /// A request for some of its resources, and how the answer to it becomes the client's.
    Part(Bytes, Complete),
}

/// Adds what this broker has decided to the controller's answer, which begins with its header.
pub(crate) type Complete = Box<dyn FnOnce(&Request, Bytes) -> Option<Answer> + Send>;

/// A resource by its type and name, and why it is not changed.
pub(crate) type Refused = (i8, StrBytes, ErrorCode, Option<StrBytes>);

/// Takes what is this broker's own out of a request for the controller.
pub(crate) fn take_own(broker: &Arc<Broker>, request: &Request) -> Result<Left, Refusal> {
    match request.key {
        ApiKey::IncrementalAlterConfigs => incremental_alter_configs::take_own(broker, request),
        ApiKey::AlterConfigs => alter_configs::take_own(broker, request),
        _ => Ok(Left::Whole),
    }
}

/// Through whom a change came to a controller.
pub(crate) fn through(request: &Request) -> Through {
    match request.endpoint == Endpoint::Controller && request.came_to_none.is_none() {
        true => Through::Controller,
        false => Through::Broker,
    }
}

/// Takes those resources out that this broker refuses: `decide` says what its own rules make of changes of a broker's
/// settings. Whatever is refused for another reason is left to the controller.
pub(crate) fn take_refused<T: Clone>(
    request: &Request,
    access: &Access,
    resources: &mut Vec<T>,
    name_of: impl Fn(&T) -> (i8, &StrBytes),
    decide: impl FnOnce(&Rules, Vec<T>) -> Vec<Refused>,
) -> Vec<Refused> {
    let broker = &request.broker;
    // A lone node is its own controller, and one that is asked as a controller is no broker to its client.
    if broker.cluster.is_none() || request.endpoint == Endpoint::Controller {
        return Vec::new();
    }
    let is_of_broker = |kind: i8| ResourceType::from_code(kind) == Some(ResourceType::Broker);
    if !resources.iter().any(|one| is_of_broker(name_of(one).0))
        || !access.cluster(AclOperation::AlterConfigs)
    {
        return Vec::new();
    }
    let mut counts: HashMap<(i8, StrBytes), usize> = HashMap::new();
    for resource in resources.iter() {
        let (kind, name) = name_of(resource);
        *counts.entry((kind, name.clone())).or_default() += 1;
    }
    let is_looked_at = |one: &&T| {
        let (kind, name) = name_of(one);
        is_of_broker(kind) && counts[&(kind, name.clone())] == 1
    };
    let looked_at: Vec<T> = resources.iter().filter(is_looked_at).cloned().collect();
    let rules = Rules::new(&broker.dynamic_config.current(), Vec::new());
    let image = broker.metadata.image();
    let lives = |id: i32| image.broker(BrokerId(id)).is_some_and(|registered| !registered.fenced);
    let decided =
        decide(&rules, looked_at).into_iter().map(|(kind, name, error, why)| match name.parse::<i32>() {
            // A broker that is gone can't be asked itself, and its settings may have to go with it.
            Ok(id) if id != broker.node_id.0 && lives(id) => {
                let why = format!("Unexpected broker id, expected {}, but received {name}", broker.node_id);
                (kind, name, ErrorCode::InvalidRequest, Some(StrBytes::from_string(why)))
            }
            _ => (kind, name, error, why),
        });
    let refused: Vec<Refused> = decided.filter(|(_, _, error, _)| *error != ErrorCode::None).collect();
    resources.retain(|one| {
        let (kind, name) = name_of(one);
        !refused.iter().any(|(of_kind, of_name, ..)| (*of_kind, of_name) == (kind, name))
    });
    refused
}

/// A body for the controller in the version of the client's.
pub(crate) fn encoded<T: Encode>(body: &T, version: i16) -> Bytes {
    let mut bytes = BytesMut::new();
    body.encode(&mut bytes, version).expect("a part of what came in this version");
    bytes.freeze()
}
