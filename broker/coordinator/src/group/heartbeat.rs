//! Heartbeat: a member says that it lives, and hears whether it must join again.
//! Core. Costs the look-up of the member and nothing else.

use ottla_model::ErrorCode;

use super::classic::{ClassicGroup, ClassicGroupState};
use super::turn::Turn;

impl ClassicGroup {
    pub fn on_heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        member_id: &str,
        instance_id: Option<&str>,
        generation_id: i32,
    ) -> Result<(), ErrorCode> {
        if self.is_in_state(ClassicGroupState::Dead) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        self.validate_member(member_id, instance_id)?;
        if generation_id != self.generation_id {
            return Err(ErrorCode::IllegalGeneration);
        }
        match self.state {
            ClassicGroupState::Empty | ClassicGroupState::Dead => Err(ErrorCode::UnknownMemberId),
            ClassicGroupState::PreparingRebalance => {
                self.reschedule_heartbeat(turn, member_id);
                Err(ErrorCode::RebalanceInProgress)
            }
            ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable => {
                self.reschedule_heartbeat(turn, member_id);
                Ok(())
            }
        }
    }
}
