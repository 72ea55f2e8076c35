//! What a version of the APIs of classic groups means, and that its answers can be written.
//! Core.

use ottla_protocol::Encode;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;

use super::*;

fn now<T>(reply: Reply<T>) -> T {
    match reply {
        Reply::Now(answer) => answer,
        Reply::Later(_) => panic!("the answer is not there"),
    }
}

#[test]
fn every_version_of_join_group_has_its_shape() {
    let context = RequestContext {
        client_id: "c".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        first_rebalance_wait_ms: 5,
    };
    let protocol = |metadata: &'static [u8]| {
        JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(Bytes::from_static(metadata))
    };
    let request = JoinGroupRequest::default()
        .with_group_id(text("g").into())
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocols(vec![protocol(b"first"), protocol(b"second")]);
    for version in 0..=9 {
        let answer = |name: Option<&str>| {
            let reply = join(&context, version, &request, |group_id, joiner| {
                assert_eq!((group_id, &*joiner.client_id, joiner.first_rebalance_wait_ms), ("g", "c", 5));
                assert_eq!(joiner.rebalance_timeout_ms, if version == 0 { 10_000 } else { 60_000 });
                assert_eq!(
                    (joiner.must_know_its_id, joiner.may_skip_assignment),
                    (version >= 4, version >= 9)
                );
                assert_eq!(joiner.protocols.len(), 1, "the first of a name counts");
                assert_eq!(&joiner.protocols[0].metadata[..], b"first");
                Reply::Now(Joined {
                    protocol_name: name.map(Arc::from),
                    ..Joined::refused("", ErrorCode::None)
                })
            });
            let response = now(reply);
            assert!(response.encoded(version).is_ok(), "JoinGroup v{version}: {response:?}");
            response.protocol_name.map(|name| name.to_string())
        };
        let none = (version < 7).then(String::new);
        assert_eq!((answer(None), answer(Some(""))), (none.clone(), none));
        assert_eq!(answer(Some("range")), Some("range".to_owned()));
    }
}

#[test]
fn a_sync_group_of_v5_names_its_protocol() {
    let request = SyncGroupRequest::default();
    let ask = |_: &Syncer<'_>| Reply::Now(Synced::refused(ErrorCode::None));
    assert_eq!(now(sync(4, &request, ask)).error_code, 0);
    assert_eq!(now(sync(5, &request, ask)).error_code, ErrorCode::InconsistentGroupProtocol.code());
    let named = request.with_protocol_type(Some(text("consumer"))).with_protocol_name(Some(text("range")));
    assert_eq!(now(sync(5, &named, ask)).error_code, 0);
}

#[test]
fn every_version_of_leave_group_has_its_shape() {
    let unknown = ErrorCode::UnknownMemberId.code();
    let member = |id: &str| MemberIdentity::default().with_member_id(text(id));
    for version in 0..=5 {
        let mut request = LeaveGroupRequest::default().with_group_id(text("g").into());
        match version {
            3.. => request.members = vec![member("a"), member("b")],
            _ => request.member_id = text("a"),
        }
        let response = now(leave(version, &request, |group_id, leavers| {
            let ids: Vec<_> = leavers.iter().map(|leaver| leaver.member_id.to_string()).collect();
            assert_eq!((group_id, ids.first().map(String::as_str)), ("g", Some("a")));
            let answer = |leaver: Leaver| (leaver, ErrorCode::UnknownMemberId);
            Reply::Now(Ok(leavers.into_iter().map(answer).collect()))
        }));
        assert!(response.encoded(version).is_ok(), "LeaveGroup v{version}");
        match version {
            3.. => assert_eq!((response.error_code, response.members.len()), (0, 2)),
            _ => assert_eq!((response.error_code, response.members.len()), (unknown, 0)),
        }
    }
}

#[test]
fn a_sync_group_takes_the_bytes_of_the_assignments_and_gives_those_of_its_own() {
    use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
    let one = SyncGroupRequestAssignment::default()
        .with_member_id(text("m"))
        .with_assignment(Bytes::from_static(b"theirs"));
    let request = SyncGroupRequest::default().with_group_id(text("g").into()).with_assignments(vec![one]);
    let own = Bytes::from_static(b"own");
    let response = now(sync(4, &request, |syncer| {
        assert_eq!((syncer.group_id, &syncer.assignments[..]), ("g", &[("m", &b"theirs"[..])][..]));
        Reply::Now(Synced { assignment: own.clone(), ..Synced::refused(ErrorCode::None) })
    }));
    assert_eq!(response.assignment.as_ptr(), own.as_ptr(), "the bytes are not copied");
}

#[test]
fn an_error_of_all_is_that_of_the_leave_group() {
    for version in 0..=5 {
        let request = LeaveGroupRequest::default();
        let response = now(leave(version, &request, |_, _| Reply::Now(Err(ErrorCode::NotCoordinator))));
        assert_eq!(response.error_code, ErrorCode::NotCoordinator.code());
    }
}
