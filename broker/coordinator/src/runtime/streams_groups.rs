//! The APIs of streams groups at the group coordinator.
//! Shell. Topics that a topology needs are made by the room above.

use super::coordinator::GroupCoordinator;
use super::{Reply, TopicLookup};
use crate::group::modern::GroupError;
use crate::group::streams::{StreamsDescription, StreamsHeartbeat, StreamsHeartbeatOutcome, assign};
use crate::group::turn::Effects;
use crate::settings::StreamsGroupConfig;

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

    pub fn describe_streams_group(&self, group_id: &str) -> Reply<Result<StreamsDescription, GroupError>> {
        self.group_turn(group_id, |core, _, _| Ok((Effects::default(), core.describe_streams(group_id)?)))
    }
}
