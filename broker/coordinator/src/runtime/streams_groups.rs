//! The APIs of streams groups at the group coordinator.
//! Shell. Topics that a topology needs are made by the room above.

use ottla_protocol::messages::streams_group_describe_response::DescribedGroup;

use super::coordinator::GroupCoordinator;
use super::{Reply, TopicLookup};
use crate::group::streams::{
    Assigning, GroupError, StreamsHeartbeat, StreamsHeartbeatOutcome, StreamsHeartbeatTurn, assign,
};
use crate::group::turn::Effects;
use crate::settings::StreamsGroupConfig;
use crate::wire::text;

/// So often an assignment that was computed outside of the shard's lock may be outrun by changes of its
/// group before one is computed under the lock.
const ASSIGNMENT_ATTEMPTS_MAX: u32 = 3;

/// What a heartbeat is answered; leaving has no outcome.
pub type StreamsHeartbeatReply = Result<Option<Box<StreamsHeartbeatOutcome>>, GroupError>;

impl GroupCoordinator {
    pub fn streams_heartbeat(
        &self,
        beat: &StreamsHeartbeat<'_>,
        topics: &dyn TopicLookup,
        config: &StreamsGroupConfig,
    ) -> Reply<StreamsHeartbeatReply> {
        let mut assigning = Assigning::Outside;
        let mut attempts = 0;
        loop {
            let mut task = None;
            let reply = self.share_turn(beat.group_id, |core, _, wall_ms| {
                match core.on_streams_heartbeat(beat, topics, config, assigning, wall_ms)? {
                    StreamsHeartbeatTurn::Done(effects, outcome) => Ok((effects, Some(outcome))),
                    StreamsHeartbeatTurn::Assign(needed) => {
                        task = Some(needed);
                        Ok((Effects::default(), None))
                    }
                }
            });
            let Some(task) = task else { return reply };
            attempts += 1;
            // Outside of the shard's lock: other groups of the shard are served meanwhile.
            assigning = match attempts {
                ..=ASSIGNMENT_ATTEMPTS_MAX => Assigning::With(task.compute(assign)),
                _too_many => Assigning::Here,
            };
        }
    }

    pub fn streams_leave(
        &self,
        group_id: &str,
        member_id: &str,
        shutdown_application: bool,
    ) -> Reply<StreamsHeartbeatReply> {
        self.share_turn(group_id, |core, _, _| {
            core.on_streams_leave(group_id, member_id, shutdown_application).map(|effects| (effects, None))
        })
    }

    pub fn describe_streams_group(&self, group_id: &str) -> Reply<DescribedGroup> {
        let described = self
            .share_turn(group_id, |core, _, _| Ok((Effects::default(), core.describe_streams(group_id)?)));
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
