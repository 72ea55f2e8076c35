//! StreamsGroupDescribe (key 89), version 0: topologies of streams groups, members and their tasks (KIP-1071).
//! Core over the coordinator's interface.

use std::collections::HashSet;

use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::streams_group_describe_response::DescribedGroup;
use ottla_protocol::messages::{StreamsGroupDescribeRequest, StreamsGroupDescribeResponse};

use super::prelude::*;
use crate::group_describe::{Described, Named, describe_groups};
use crate::{group_descriptions, groups, streams};

pub const API: Api = Api { key: ApiKey::StreamsGroupDescribe, min: 0, max: 0, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: StreamsGroupDescribeRequest = request.decode()?;
    let named = Named {
        ids: body.group_ids,
        includes_operations: body.include_authorized_operations,
        is_enabled: streams::is_enabled(broker),
    };
    let groups = describe_groups(Access::of(broker, &request), named, |id| {
        let name = text(id);
        broker.groups.describe_streams_group(id).map(|group| group_descriptions::streams(name, group))
    });
    let response = groups.map(|groups| StreamsGroupDescribeResponse { groups, ..Default::default() });
    groups::relay(request, response)
}

impl Described for DescribedGroup {
    const HAS_HIDDEN_TOPICS: &'static str =
        "The described group uses topics that the client is not authorized to describe.";

    fn refused(group_id: StrBytes, error: ErrorCode, why: Option<StrBytes>) -> DescribedGroup {
        DescribedGroup { group_id, error_code: error.code(), error_message: why, ..Default::default() }
    }

    fn group_id(&self) -> &StrBytes {
        &self.group_id
    }

    fn is_refused(&self) -> bool {
        self.error_code != 0
    }

    fn set_authorized_operations(&mut self, operations: i32) {
        self.authorized_operations = operations;
    }

    /// Those of the topology.
    fn topics(&self) -> HashSet<&str> {
        let subtopologies = self.topology.iter().flat_map(|topology| topology.subtopologies.iter().flatten());
        subtopologies
            .flat_map(|one| {
                let internal = one.repartition_source_topics.iter().chain(&one.state_changelog_topics);
                let named = one.source_topics.iter().chain(&one.repartition_sink_topics);
                named.chain(internal.map(|topic| &topic.name)).map(|name| &**name)
            })
            .collect()
    }
}
