//! What readers see of ACLs while they change.
//! Shell. Tests only: a thread reads what another one changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ottla_env::memory::FaultyDisk;
use ottla_protocol::messages::create_acls_request::AclCreation;
use ottla_protocol::messages::delete_acls_request::DeleteAclsFilter;
use ottla_protocol::messages::{CreateAclsRequest, DeleteAclsRequest};

use crate::controller::testing::IntoStr;
use crate::metadata_tests::{run, start, world};

const ROUNDS: usize = 150;

/// An allow for everybody, and a deny for one of them.
fn pair() -> Vec<AclCreation> {
    let acl = |principal: &str, permission| {
        AclCreation::default()
            .with_resource_type(2)
            .with_resource_name("t".into_str())
            .with_resource_pattern_type(3)
            .with_principal(principal.into_str())
            .with_host("*".into_str())
            .with_operation(3)
            .with_permission_type(permission)
    };
    vec![acl("User:*", 3), acl("User:mallory", 2)]
}

/// KAFKA-14214: with one request an allow comes and what limits it; nobody sees one without the other.
#[test]
fn nobody_sees_half_of_a_change_of_acls() {
    let env = world(22, Arc::new(FaultyDisk::new(22)));
    let metadata = start(&env);
    let is_over = AtomicBool::new(false);
    let (with_both, with_none) = std::thread::scope(|scope| {
        let readers = [(); 2].map(|()| {
            scope.spawn(|| {
                let (mut with_both, mut with_none) = (0_u64, 0_u64);
                while !is_over.load(Ordering::Acquire) {
                    match metadata.image().acls().count() {
                        0 => with_none += 1,
                        2 => with_both += 1,
                        other => panic!("{other} of the two are there"),
                    }
                }
                (with_both, with_none)
            })
        });
        run(async {
            for _round in 0..ROUNDS {
                let request = CreateAclsRequest::default().with_creations(pair());
                assert!(metadata.create_acls(request).await.is_ok_and(|told| told.results.len() == 2));
                let all = DeleteAclsFilter::default()
                    .with_resource_type_filter(1)
                    .with_pattern_type_filter(1)
                    .with_operation(1)
                    .with_permission_type(1);
                let request = DeleteAclsRequest::default().with_filters(vec![
                    all.with_resource_name_filter(None).with_principal_filter(None).with_host_filter(None),
                ]);
                let told = metadata.delete_acls(request).await.expect("decided");
                assert_eq!(told.filter_results[0].matching_acls.len(), 2);
            }
            metadata.stop().await;
        });
        is_over.store(true, Ordering::Release);
        let seen = readers.map(|reader| reader.join().expect("it saw no half"));
        (seen[0].0 + seen[1].0, seen[0].1 + seen[1].1)
    });
    assert!(with_both > 0 && with_none > 0, "{with_both} looks at both, {with_none} at none");
}
