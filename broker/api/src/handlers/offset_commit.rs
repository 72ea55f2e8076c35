//! OffsetCommit (key 8), versions 2-10: a group remembers how far it read.
//! Core over the coordinator's door.
//!
//! - v3: throttle time. v5: no retention time. v6: leader epochs (KIP-211, KIP-320). v7: static members.
//! - v8: flexible. v9: consumer groups (KIP-848). v10: topic ids (KIP-848).

use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::OffsetCommitRequest;

use super::prelude::*;
use crate::groups;

pub const API: Api = Api { key: ApiKey::OffsetCommit, min: 2, max: 10, class: Class::Ordered, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: OffsetCommitRequest = request.decode()?;
    let reply =
        broker.groups.commit_offsets(&groups::context(&request), &body, &groups::Topics(broker.image()));
    groups::relay(request, reply)
}
