//! What a version of the APIs that look at groups means, and that their answers can be written.
//! Core.

use std::sync::Arc;

use ottla_protocol::Encode;

use super::*;

fn absent() -> GroupError {
    GroupError { code: ErrorCode::GroupIdNotFound, message: "Group g not found.".to_owned() }
}

fn now<T>(reply: Reply<T>) -> T {
    match reply {
        Reply::Now(answer) => answer,
        Reply::Later(_) => panic!("the answer is not there"),
    }
}

#[test]
fn every_version_of_describe_groups_has_its_shape() {
    let request = DescribeGroupsRequest::default().with_groups(vec![GroupId(text("g"))]);
    for version in 0..=6 {
        let response = now(describe(version, &request, |ids| {
            assert_eq!(ids, ["g"]);
            let there = ClassicDescription {
                state: "Stable",
                protocol_type: Arc::from("consumer"),
                protocol_name: Arc::from("range"),
                members: Vec::new(),
            };
            Reply::Now(vec![
                ("g".to_owned(), Err(absent())),
                ("away".to_owned(), Err(ErrorCode::NotCoordinator.into())),
                ("there".to_owned(), Ok(there)),
            ])
        }));
        assert!(response.encoded(version).is_ok(), "DescribeGroups v{version}");
        let [group, away, there] = &response.groups[..] else { panic!("{response:?}") };
        let (code, message) = match version {
            6 => (absent().code.code(), Some(absent().message)),
            _ => (0, None),
        };
        assert_eq!((group.error_code, &*group.group_state), (code, "Dead"));
        assert_eq!(group.error_message.as_deref(), message.as_deref());
        assert_eq!((away.error_code, &*away.group_state), (ErrorCode::NotCoordinator.code(), ""));
        assert_eq!((&*there.protocol_type, &*there.protocol_data), ("consumer", "range"));
    }
}

#[test]
fn every_version_of_list_groups_can_be_written() {
    let request = ListGroupsRequest::default().with_types_filter(vec![text("share")]);
    let group = ListedGroup {
        group_id: ottla_model::GroupId::new("g"),
        protocol_type: Arc::from("share"),
        state: "Empty",
        group_type: "share",
    };
    let response = list(&request, |states, types| {
        assert_eq!((states.len(), types), (0, &["share"][..]));
        Ok(vec![group])
    });
    for version in 0..=5 {
        assert!(response.encoded(version).is_ok(), "ListGroups v{version}");
    }
    assert_eq!(&*response.groups[0].group_type, "share");
    let loading = list(&request, |_, _| Err(ErrorCode::CoordinatorLoadInProgress));
    assert_eq!(loading.error_code, ErrorCode::CoordinatorLoadInProgress.code());
}
