//! What the describe APIs of the newer group protocols share: who may see which group.
//! Core over the coordinator's interface.

use std::collections::HashSet;

use ottla_coordinator::Reply;
use ottla_model::ErrorCode;
use ottla_protocol::StrBytes;
use ottla_security::AclOperation;

use crate::access::Access;

/// A group as one of the APIs answers it.
pub trait Described: Sized + Send + 'static {
    /// What is said of a group that has a topic which the client may not see.
    const HAS_HIDDEN_TOPICS: &'static str =
        "The group has described topic(s) that the client is not authorized to describe.";

    fn refused(group_id: StrBytes, error: ErrorCode, why: Option<StrBytes>) -> Self;
    fn group_id(&self) -> &StrBytes;
    fn is_refused(&self) -> bool;
    fn set_authorized_operations(&mut self, operations: i32);
    /// Who may not see one of these does not see the group.
    fn topics(&self) -> HashSet<&str>;
}

/// The groups that a request names.
pub struct Named {
    pub ids: Vec<StrBytes>,
    pub includes_operations: bool,
    /// Whether there are groups of this protocol at all.
    pub is_enabled: bool,
}

/// Describes each group that the client may describe; first come those that it may not, then those without a name.
pub fn describe_groups<D: Described>(
    access: Access,
    named: Named,
    describe: impl Fn(&str) -> Reply<D>,
) -> Reply<Vec<D>> {
    let Named { mut ids, includes_operations, is_enabled } = named;
    let refused = |id, error| D::refused(id, error, None);
    if !is_enabled {
        return Reply::Now(ids.into_iter().map(|id| refused(id, ErrorCode::UnsupportedVersion)).collect());
    }
    let unauthorized = access.take_refused(&mut ids, |id| access.group(AclOperation::Describe, id));
    let mut groups: Vec<D> =
        unauthorized.into_iter().map(|id| refused(id, ErrorCode::GroupAuthorizationFailed)).collect();
    let (unnamed, ids): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| id.is_empty());
    groups.extend(unnamed.into_iter().map(|id| refused(id, ErrorCode::InvalidGroupId)));
    let replies: Vec<Reply<D>> = ids.iter().map(|id| describe(id)).collect();
    Reply::Later(Box::pin(async move {
        for reply in replies {
            let mut group = reply.into_future().await;
            if includes_operations && !group.is_refused() {
                group.set_authorized_operations(access.group_operations(group.group_id()));
            }
            groups.push(hide_unauthorized(&access, group));
        }
        groups
    }))
}

fn hide_unauthorized<D: Described>(access: &Access, group: D) -> D {
    let may_see = |name: &str| access.topic(AclOperation::Describe, name);
    if !access.is_limited() || group.topics().into_iter().all(may_see) {
        return group;
    }
    let id = group.group_id().clone();
    let why = StrBytes::from_static_str(D::HAS_HIDDEN_TOPICS);
    D::refused(id, ErrorCode::TopicAuthorizationFailed, Some(why))
}
