//! Heartbeat (key 12), versions 0-4: a member says it is alive.
//! Core over the coordinator's door.
//!
//! - v1: throttle time. v3: static members (KIP-345). v4: flexible.

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::HeartbeatRequest;

use super::prelude::*;
use crate::groups;

pub const API: Api = Api { key: ApiKey::Heartbeat, min: 0, max: 4, class: Class::Forwarded, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: HeartbeatRequest = request.decode()?;
    let reply = broker.groups.heartbeat(&body);
    groups::relay(request, reply)
}
