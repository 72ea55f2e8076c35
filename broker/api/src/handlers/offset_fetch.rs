//! OffsetFetch (key 9), versions 1-10: how far a group read.
//! Core over the coordinator's door.
//!
//! - v2: null topics ask for all. v3: throttle time. v5: leader epochs. v6: flexible. v7: require-stable
//!   (KIP-447). v8: several groups (KIP-709). v9: member epochs (KIP-848). v10: topic ids.

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::OffsetFetchRequest;

use super::prelude::*;
use crate::groups;

pub const API: Api = Api { key: ApiKey::OffsetFetch, min: 1, max: 10, class: Class::Forwarded, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: OffsetFetchRequest = request.decode()?;
    let reply =
        broker.groups.fetch_offsets(&groups::context(&request), &body, &groups::Topics(broker.image()));
    groups::relay(request, reply)
}
