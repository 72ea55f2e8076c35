//! The APIs of streams groups at the group coordinator.
//! Shell. Topics that a topology needs are made by the room above.

use ottla_protocol::messages::streams_group_describe_response::DescribedGroup;

use super::coordinator::GroupCoordinator;
use super::{Reply, TopicLookup};
use crate::group::modern::GroupError;
use crate::group::streams::{StreamsHeartbeat, StreamsHeartbeatOutcome, assign};
use crate::group::turn::Effects;
use crate::settings::StreamsGroupConfig;
use crate::wire::text;

/// What a heartbeat is answered; leaving has no outcome.
pub type StreamsHeartbeatReply = Result<Option<Box<StreamsHeartbeatOutcome>>, GroupError>;

impl GroupCoordinator {
    pub fn streams_heartbeat(
        &self,
        beat: &StreamsHeartbeat<'_>,
        topics: &dyn TopicLookup,
        config: &StreamsGroupConfig,
    ) -> Reply<StreamsHeartbeatReply> {
        let assignor = |spec| Ok(assign(spec));
        let turn = self.heartbeat_turn(beat.group_id, assignor, |core, assigning, _, wall_ms| {
            core.on_streams_heartbeat(beat, topics, config, assigning, wall_ms)
        });
        turn.map(|outcome| outcome.map(Some))
    }

    pub fn streams_leave(
        &self,
        group_id: &str,
        member_id: &str,
        shutdown_application: bool,
    ) -> Reply<StreamsHeartbeatReply> {
        self.group_turn(group_id, |core, _, _| {
            core.on_streams_leave(group_id, member_id, shutdown_application).map(|effects| (effects, None))
        })
    }

    pub fn describe_streams_group(&self, group_id: &str) -> Reply<DescribedGroup> {
        let described = self
            .group_turn(group_id, |core, _, _| Ok((Effects::default(), core.describe_streams(group_id)?)));
        let group_id = group_id.to_owned();
        described.map(move |described| {
            described.unwrap_or_else(|error| DescribedGroup {
                group_id: text(&group_id),
                error_code: error.code.code(),
                error_message: Some(text(&error.message)),
                ..Default::default()
            })
        })
    }
}
