//! DescribeGroups and ListGroups: what can be seen of a group.
//! Core.

use ottla_model::ErrorCode;

use super::Group;
use super::classic::{ClassicGroup, ClassicGroupState};
use super::shard::GroupShard;
use crate::wire::{DescribedGroup, ListedGroup, text};

impl ClassicGroup {
    pub fn describe(&self) -> DescribedGroup {
        let described = DescribedGroup::default()
            .with_group_id(text(self.group_id.as_str()).into())
            .with_group_state(text(self.state.name()))
            .with_protocol_type(text(self.protocol_type.as_deref().unwrap_or("")));
        // Outside a stable group the chosen protocol says nothing about the members of now.
        match self.protocol_name.as_deref().filter(|_| self.is_in_state(ClassicGroupState::Stable)) {
            Some(name) => described.with_protocol_data(text(name)).with_members(
                self.members
                    .values()
                    .map(|member| member.describe_no_metadata().with_member_metadata(member.metadata(name)))
                    .collect(),
            ),
            None => described
                .with_members(self.members.values().map(|member| member.describe_no_metadata()).collect()),
        }
    }

    pub(super) fn list(&self) -> ListedGroup {
        ListedGroup::default()
            .with_group_id(text(self.group_id.as_str()).into())
            .with_protocol_type(text(self.protocol_type.as_deref().unwrap_or("")))
            .with_group_state(text(self.state.name()))
            .with_group_type(text("classic"))
    }
}

impl GroupShard {
    /// One that is not there is dead, and an error.
    pub fn describe(&self, group_id: &str) -> DescribedGroup {
        match self.groups.get(group_id) {
            Some(Group::Classic(group)) => group.describe(),
            absent => {
                let why = match absent {
                    Some(_) => format!("Group {group_id} is not a classic group."),
                    None => format!("Group {group_id} not found."),
                };
                DescribedGroup::default()
                    .with_group_id(text(group_id).into())
                    .with_group_state(text(ClassicGroupState::Dead.name()))
                    .with_error_code(ErrorCode::GroupIdNotFound.code())
                    .with_error_message(Some(text(&why)))
            }
        }
    }

    /// Kafka's names of the states that the groups are in.
    pub fn states(&self) -> impl Iterator<Item = &'static str> {
        self.groups.values().map(Group::state_name)
    }

    /// The groups in one of the states and of one of the types; empty filters let all through.
    pub fn list(&self, states: &[String], types: &[String]) -> Vec<ListedGroup> {
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
                is_in(&wanted_states, &listed.group_state) && is_in(&wanted_types, &listed.group_type)
            })
            .collect()
    }
}
