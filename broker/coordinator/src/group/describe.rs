//! DescribeGroups and ListGroups: what can be seen of a group.
//! Core.

use ottla_model::ErrorCode;

use super::Group;
use super::answers::{ClassicDescription, ClassicMemberDescription, ListedGroup};
use super::classic::{ClassicGroup, ClassicGroupState};
use super::modern::GroupError;
use super::shard::GroupShard;

impl ClassicGroup {
    pub fn describe(&self) -> ClassicDescription {
        // Outside a stable group the chosen protocol says nothing about the members of now.
        let is_stable = self.is_in_state(ClassicGroupState::Stable);
        let chosen = self.protocol_name.as_ref().filter(|_| is_stable);
        let describe = |member| ClassicMemberDescription::of(member, chosen.map(|name| &**name));
        ClassicDescription {
            state: self.state.name(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_name: chosen.cloned().unwrap_or_default(),
            members: self.members.values().map(describe).collect(),
        }
    }

    pub(super) fn list(&self) -> ListedGroup {
        ListedGroup {
            group_id: self.group_id.clone(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            state: self.state.name(),
            group_type: "classic",
        }
    }
}

impl GroupShard {
    pub fn describe(&self, group_id: &str) -> Result<ClassicDescription, GroupError> {
        let why = match self.groups.get(group_id) {
            Some(Group::Classic(group)) => return Ok(group.describe()),
            Some(_) => format!("Group {group_id} is not a classic group."),
            None => format!("Group {group_id} not found."),
        };
        Err(GroupError::new(ErrorCode::GroupIdNotFound, why))
    }

    /// Kafka's names of the states that the groups are in.
    pub fn states(&self) -> impl Iterator<Item = &'static str> {
        self.groups.values().map(Group::state_name)
    }

    /// The groups in one of the states and of one of the types; empty filters let all through.
    pub fn list(&self, states: &[&str], types: &[&str]) -> Vec<ListedGroup> {
        let wanted_types: Vec<String> = types.iter().map(|name| name.trim().to_lowercase()).collect();
        let wanted_states: Vec<String> = states.iter().map(|name| name.trim().to_lowercase()).collect();
        self.groups
            .values()
            .map(Group::list)
            .filter(|listed| {
                let is_in = |wanted: &[String], is: &str| {
                    // Kafka asks for "not_ready" where it answers "NotReady"; its own tool asks for what it is answered.
                    let is_meant = |name: &String| name.replace('_', "").eq_ignore_ascii_case(is);
                    wanted.is_empty() || wanted.iter().any(is_meant)
                };
                is_in(&wanted_states, listed.state) && is_in(&wanted_types, listed.group_type)
            })
            .collect()
    }
}
