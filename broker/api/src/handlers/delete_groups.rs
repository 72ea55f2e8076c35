//! DeleteGroups (key 42), versions 0-2: empty groups go, with their offsets (KIP-229).
//! Core over the coordinator's door.
//!
//! - v1: throttle time. v2: flexible.

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::DeleteGroupsRequest;

use super::prelude::*;
use crate::groups;

pub const API: Api = Api { key: ApiKey::DeleteGroups, min: 0, max: 2, class: Class::Forwarded, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: DeleteGroupsRequest = request.decode()?;
    let reply = broker.groups.delete_groups(&body);
    groups::relay(request, reply)
}
