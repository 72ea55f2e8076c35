//! The APIs of groups as the handlers ask for them: members that come and go, and who looks at groups.
//! Shell.

use super::*;
use crate::group::modern::GroupError;
use crate::group::{Leaver, OffsetDeletePartitions};

fn leaver(member_id: &str) -> Leaver {
    Leaver { member_id: Box::from(member_id), group_instance_id: None }
}

#[test]
fn members_of_every_version_come_and_go() {
    for version in 0..=9 {
        let lab = Lab::new();
        let first = lab.join(version, "").poll();
        let (id, joined) = match first {
            Some(answer) => {
                assert_eq!(answer.error, ErrorCode::MemberIdRequired);
                let id = answer.member_id.to_string();
                let mut joined = lab.join(version, &id);
                lab.advance(0);
                (id, joined.now())
            }
            None => {
                let mut joined = lab.join(version, "");
                lab.advance(0);
                let answer = joined.now();
                (answer.leader_id().to_owned(), answer)
            }
        };
        assert_eq!(joined.error, ErrorCode::None);
        assert_eq!(lab.join(version, "who").now().error, ErrorCode::UnknownMemberId);
        let mut synced = Parked(lab.coordinator.sync_group(&syncer(&id, 1)).into_future());
        assert_eq!(synced.now().error, ErrorCode::None);
        let leave = |member_id: &str| {
            let left = Parked(lab.coordinator.leave_group("g", vec![leaver(member_id)]).into_future()).now();
            left.expect("each an answer")[0].1
        };
        assert_eq!(leave("who"), ErrorCode::UnknownMemberId);
        assert_eq!(leave(&id), ErrorCode::None);
    }
}

#[test]
fn groups_are_described_listed_and_deleted() {
    let lab = Lab::new();
    let id = lab.stable_member();
    let reply = lab.coordinator.describe_groups(&["g", "absent"]);
    let described = Parked(reply.into_future()).now();
    let group = described[0].1.as_ref().expect("it is there");
    assert_eq!(group.state, "Stable");
    assert_eq!((&*group.protocol_type, &*group.protocol_name), ("consumer", "range"));
    assert_eq!(&*group.members[0].client_host, "/127.0.0.1");
    assert_eq!(&group.members[0].assignment[..], b"all");
    let absent =
        GroupError { code: ErrorCode::GroupIdNotFound, message: "Group absent not found.".to_owned() };
    assert_eq!(described[1], ("absent".to_owned(), Err(absent)));
    let list = |states: &[&str], types: &[&str]| {
        lab.coordinator.list_groups(states, types).expect("it is loaded").len()
    };
    assert_eq!(list(&[], &[]), 1);
    assert_eq!(lab.coordinator.count_groups().into_iter().collect::<Vec<_>>(), [("Stable", 1)]);
    assert_eq!(list(&["stable", "Empty"], &["CLASSIC"]), 1);
    assert_eq!(list(&["Empty"], &[]), 0);
    assert_eq!(list(&[], &["consumer"]), 0);
    assert_eq!(list(&[], &["nonsense"]), 0);
    let delete = || {
        let deleted = Parked(lab.coordinator.delete_groups(&["g", "g", "absent"]).into_future()).now();
        deleted.into_iter().map(|(_, error)| error).collect::<Vec<_>>()
    };
    assert_eq!(delete(), [ErrorCode::NonEmptyGroup, ErrorCode::GroupIdNotFound]);
    let wanted = [OffsetDeletePartitions { name: TopicName::new("t"), partitions: vec![0] }];
    let deleted = Parked(settled(lab.coordinator.delete_offsets("g", &wanted))).now();
    assert_eq!(deleted, Ok(vec![ErrorCode::GroupSubscribedToTopic]));
    let left = Parked(lab.coordinator.leave_group("g", vec![leaver(&id)]).into_future()).now();
    assert!(left.is_ok());
    assert_eq!(delete(), [ErrorCode::None, ErrorCode::GroupIdNotFound]);
    assert_eq!(list(&[], &[]), 0);
}
