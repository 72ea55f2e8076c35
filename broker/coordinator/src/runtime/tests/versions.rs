//! Every API of groups in every version: what it says, and that it can be written.
//! Shell.

use ottla_protocol::Encode;

use super::*;
use crate::group::{Leaver, OffsetDeletePartitions};

#[test]
fn membership_is_spoken_in_every_version() {
    for version in 0..=9 {
        let lab = Lab::new();
        let first = lab.join(version, "").poll();
        let mut answers = Vec::new();
        let id = match first {
            Some(answer) => {
                let id = answer.member_id.to_string();
                answers.push(answer);
                let mut joined = lab.join(version, &id);
                lab.advance(0);
                answers.push(joined.now());
                id
            }
            None => {
                let mut joined = lab.join(version, "");
                lab.advance(0);
                let answer = joined.now();
                let id = answer.leader.to_string();
                answers.push(answer);
                id
            }
        };
        answers.push(lab.join(version, "who").now());
        for answer in answers {
            assert!(answer.encoded(version.max(7)).is_ok(), "JoinGroup v{version}: {answer:?}");
        }
        let sync_version = version.min(5);
        let request = sync_request(&id, 1);
        let mut synced = Parked(lab.coordinator.sync_group(&request).into_future());
        assert!(synced.now().encoded(sync_version).is_ok(), "SyncGroup v{sync_version}");
        let leave = |member_id: &str| {
            let leaver = Leaver { member_id: text(member_id), group_instance_id: None };
            let response = Parked(lab.coordinator.leave_group("g", vec![leaver]).into_future()).now();
            response.members[0].error_code
        };
        assert_eq!(leave("who"), ErrorCode::UnknownMemberId.code());
        assert_eq!(leave(&id), 0);
    }
}

#[test]
fn administration_is_spoken_in_every_version() {
    let lab = Lab::new();
    let id = lab.stable_member();
    let request = DescribeGroupsRequest::default().with_groups(vec![text("g").into(), text("absent").into()]);
    let reply = lab.coordinator.describe_groups(&request);
    let response = Parked(reply.into_future()).now();
    assert!(response.encoded(6).is_ok(), "DescribeGroups");
    let group = &response.groups[0];
    assert_eq!(group.group_state.to_string(), "Stable");
    assert_eq!(
        (group.protocol_type.to_string(), group.protocol_data.to_string()),
        ("consumer".into(), "range".into())
    );
    assert_eq!(group.members[0].client_host.to_string(), "/127.0.0.1");
    assert_eq!(&group.members[0].member_assignment[..], b"all");
    let absent = &response.groups[1];
    assert_eq!(absent.error_code, ErrorCode::GroupIdNotFound.code());
    let list = |states: &[&str], types: &[&str]| {
        let request = ListGroupsRequest::default()
            .with_states_filter(states.iter().map(|name| text(name)).collect())
            .with_types_filter(types.iter().map(|name| text(name)).collect());
        let response = lab.coordinator.list_groups(&request);
        for version in 0..=5 {
            assert!(response.encoded(version).is_ok(), "ListGroups v{version}");
        }
        response.groups.len()
    };
    assert_eq!(list(&[], &[]), 1);
    assert_eq!(lab.coordinator.count_groups().into_iter().collect::<Vec<_>>(), [("Stable", 1)]);
    assert_eq!(list(&["stable", "Empty"], &["CLASSIC"]), 1);
    assert_eq!(list(&["Empty"], &[]), 0);
    assert_eq!(list(&[], &["consumer"]), 0);
    assert_eq!(list(&[], &["nonsense"]), 0);
    let delete = || {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![
            text("g").into(),
            text("g").into(),
            text("absent").into(),
        ]);
        let response = Parked(lab.coordinator.delete_groups(&request).into_future()).now();
        response.results.iter().map(|result| result.error_code).collect::<Vec<_>>()
    };
    let absent = ErrorCode::GroupIdNotFound.code();
    assert_eq!(delete(), [ErrorCode::NonEmptyGroup.code(), absent]);
    let wanted = [OffsetDeletePartitions { name: TopicName::new("t"), partitions: vec![0] }];
    let deleted = Parked(settled(lab.coordinator.delete_offsets("g", &wanted))).now();
    assert_eq!(deleted, Ok(vec![ErrorCode::GroupSubscribedToTopic]));
    let leaver = Leaver { member_id: text(&id), group_instance_id: None };
    Parked(lab.coordinator.leave_group("g", vec![leaver]).into_future()).now();
    assert_eq!(delete(), [0, absent]);
    assert_eq!(list(&[], &[]), 0);
}
