//! Heartbeat: a member says that it lives, and hears whether it must join again.
//! Core. Costs the look-up of the member and nothing else.

use ottla_model::ErrorCode;

use super::answers::Beat;
use super::classic::{ClassicGroup, ClassicGroupState};
use super::turn::Turn;

impl ClassicGroup {
    pub fn on_heartbeat(&mut self, turn: &mut Turn<'_>, beat: &Beat<'_>) -> Result<(), ErrorCode> {
        if self.is_in_state(ClassicGroupState::Dead) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        self.validate_member(beat.member_id, beat.group_instance_id)?;
        if beat.generation_id != self.generation_id {
            return Err(ErrorCode::IllegalGeneration);
        }
        match self.state {
            ClassicGroupState::Empty | ClassicGroupState::Dead => Err(ErrorCode::UnknownMemberId),
            ClassicGroupState::PreparingRebalance => {
                self.reschedule_heartbeat(turn, beat.member_id);
                Err(ErrorCode::RebalanceInProgress)
            }
            ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable => {
                self.reschedule_heartbeat(turn, beat.member_id);
                Ok(())
            }
        }
    }
}
