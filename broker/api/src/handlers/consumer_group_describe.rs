//! ConsumerGroupDescribe (key 69), versions 0-1: members of consumer groups and what they have (KIP-848).
//! Core over the coordinator's interface.
//!
//! - v0: KIP-848. v1: the protocol that a member speaks (KIP-1099).

use std::collections::HashSet;

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::consumer_group_describe_response::DescribedGroup;
use ottla_protocol::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};

use super::prelude::*;
use crate::group_describe::{Described, Named, describe_groups};
use crate::group_descriptions;
use crate::groups::{self, Topics};

pub const API: Api = Api { key: ApiKey::ConsumerGroupDescribe, min: 0, max: 1, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: ConsumerGroupDescribeRequest = request.decode()?;
    let named = Named {
        ids: body.group_ids.into_iter().map(|id| id.0).collect(),
        includes_operations: body.include_authorized_operations,
        is_enabled: groups::is_consumer_enabled(broker),
    };
    let topics = Topics(broker.image());
    let groups = describe_groups(Access::of(broker, &request), named, |id| {
        let name = text(id);
        broker
            .groups
            .describe_consumer_group(id, &topics)
            .map(|group| group_descriptions::consumer(name, group))
    });
    let response = groups.map(|groups| ConsumerGroupDescribeResponse::default().with_groups(groups));
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
        let assignments =
            self.members.iter().flat_map(|member| [&member.assignment, &member.target_assignment]);
        let topics = assignments.flat_map(|assignment| &assignment.topic_partitions);
        topics.map(|topic| topic.topic_name.as_str()).collect()
    }
}
