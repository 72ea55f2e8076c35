//! ShareGroupDescribe (key 77), version 1: members of share groups and what they are assigned (KIP-932).
//! Core over the coordinator's interface.
//!
//! - v0 was early access and is not served by Kafka any more. v1: KIP-932.

use std::collections::HashSet;

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::share_group_describe_response::DescribedGroup;
use ottla_protocol::messages::{ShareGroupDescribeRequest, ShareGroupDescribeResponse};

use super::prelude::*;
use crate::group_describe::{Described, Named, describe_groups};
use crate::groups::{self, Topics};
use crate::{group_descriptions, share};

pub const API: Api = Api { key: ApiKey::ShareGroupDescribe, min: 1, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ShareGroupDescribeRequest = request.decode()?;
    let named = Named {
        ids: body.group_ids.into_iter().map(|id| id.0).collect(),
        includes_operations: body.include_authorized_operations,
        is_enabled: share::is_enabled(broker),
    };
    let topics = Topics(broker.image());
    let groups = describe_groups(Access::of(broker, &request), named, |id| {
        let name = text(id);
        broker.groups.describe_share_group(id, &topics).map(|group| group_descriptions::share(name, group))
    });
    let response = groups.map(|groups| ShareGroupDescribeResponse::default().with_groups(groups));
    groups::relay(request, response)
}

impl Described for DescribedGroup {
    fn refused(group_id: StrBytes, error: ErrorCode, why: Option<StrBytes>) -> DescribedGroup {
        DescribedGroup::default()
            .with_group_id(group_id.into())
            .with_error_code(error.code())
            .with_error_message(why)
    }

    fn group_id(&self) -> &StrBytes {
        &self.group_id.0
    }

    fn is_refused(&self) -> bool {
        self.error_code != 0
    }

    fn set_authorized_operations(&mut self, operations: i32) {
        self.authorized_operations = operations;
    }

    fn topics(&self) -> HashSet<&str> {
        let topics = self.members.iter().flat_map(|member| &member.assignment.topic_partitions);
        topics.map(|topic| topic.topic_name.as_str()).collect()
    }
}
