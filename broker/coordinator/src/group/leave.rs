//! LeaveGroup: members go at once instead of by their session's end.
//! Core.

use std::sync::Arc;

use ottla_model::ErrorCode;

use super::classic::{ClassicGroup, ClassicGroupState};
use super::turn::Turn;

/// One who leaves: by member id, or by instance id alone (an administrator's removal).
pub struct Leaver {
    pub member_id: Box<str>,
    pub group_instance_id: Option<Arc<str>>,
}

/// Each who was to leave, and whether it did; an error for all is the outer one.
pub type Left = Result<Vec<(Leaver, ErrorCode)>, ErrorCode>;

impl ClassicGroup {
    pub fn on_leave(&mut self, turn: &mut Turn<'_>, leavers: Vec<Leaver>) -> Left {
        if self.is_in_state(ClassicGroupState::Dead) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        let mut any = false;
        let mut members = Vec::with_capacity(leavers.len());
        for leaver in leavers {
            let outcome = self.leave_one(turn, &leaver);
            any |= outcome.is_ok();
            members.push((leaver, outcome.err().unwrap_or(ErrorCode::None)));
        }
        if any {
            match self.state {
                ClassicGroupState::CompletingRebalance | ClassicGroupState::Stable => {
                    self.maybe_prepare_rebalance_or_complete_join(turn, "a member left");
                }
                ClassicGroupState::PreparingRebalance => self.maybe_complete_join_phase(turn),
                ClassicGroupState::Empty | ClassicGroupState::Dead => {}
            }
        }
        Ok(members)
    }

    fn leave_one(&mut self, turn: &mut Turn<'_>, leaver: &Leaver) -> Result<(), ErrorCode> {
        let instance = leaver.group_instance_id.as_deref();
        if leaver.member_id.is_empty() {
            let known = instance.and_then(|instance| self.static_members.get(instance)).cloned();
            let member_id = known.ok_or(ErrorCode::UnknownMemberId)?;
            self.remove(turn, member_id.as_str());
            return Ok(());
        }
        if !self.pending_join_members.contains_key(&*leaver.member_id) {
            self.validate_member(&leaver.member_id, instance)?;
        }
        self.remove(turn, &leaver.member_id);
        Ok(())
    }
}
