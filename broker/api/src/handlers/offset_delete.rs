//! OffsetDelete (key 47), versions 0-0: an administrator makes a group forget offsets (KIP-496).
//! Core over the coordinator's door.
//!
//! - v0 only; never flexible.

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::OffsetDeleteRequest;

use super::prelude::*;
use crate::groups;

pub const API: Api = Api { key: ApiKey::OffsetDelete, min: 0, max: 0, class: Class::Forwarded, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: OffsetDeleteRequest = request.decode()?;
    let reply = broker.groups.delete_offsets(&body, &groups::Topics(broker.image()));
    groups::relay(request, reply)
}
