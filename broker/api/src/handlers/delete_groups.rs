//! DeleteGroups (key 42), versions 0-2: empty groups go, with their offsets (KIP-229).
//! Core over the coordinators. Of share groups the share state goes first (KIP-932).
//!
//! - v1: throttle time. v2: flexible.

use ottla_coordinator::Reply;
use ottla_model::{ErrorCode, GroupId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::GroupId as WireGroupId;
use ottla_protocol::messages::delete_groups_response::DeletableGroupResult;
use ottla_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use super::prelude::*;
use crate::groups::{self, Topics};
use crate::{group_admin, share};

pub const API: Api = Api { key: ApiKey::DeleteGroups, min: 0, max: 2, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let mut body: DeleteGroupsRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let refused =
        access.take_refused(&mut body.groups_names, |group| access.group(AclOperation::Delete, group));
    let refused: Vec<_> =
        refused.into_iter().map(|group| (group, ErrorCode::GroupAuthorizationFailed)).collect();
    if !body.groups_names.iter().any(|group| broker.groups.is_share_group(group)) {
        let reply = delete(broker, &body.groups_names).map(|response| with_refused(response, refused));
        return groups::relay(request, reply);
    }
    let broker = broker.clone();
    park(async move {
        let mut refused = refused;
        let (shares, mut others): (Vec<_>, Vec<_>) =
            body.groups_names.into_iter().partition(|group| broker.groups.is_share_group(group));
        for group in shares {
            match delete_share_state(&broker, &GroupId::new(&group)).await {
                Ok(()) => others.push(group),
                Err(error) => refused.push((group, error)),
            }
        }
        let deleted = delete(&broker, &others).into_future().await;
        request.answer(&with_refused(deleted, refused))
    })
}

fn delete(broker: &Broker, groups: &[WireGroupId]) -> Reply<DeleteGroupsResponse> {
    group_admin::delete(groups, |ids| broker.groups.delete_groups(ids))
}

async fn delete_share_state(broker: &Broker, group: &GroupId) -> Result<(), ErrorCode> {
    let topics = Topics(broker.image());
    let begun = broker.groups.deleting_share_group(group.as_str(), &topics).into_future().await;
    let Some(partitions) = begun.map_err(|error| error.code)? else { return Ok(()) };
    let answers = share::delete(broker, group, &partitions).await;
    broker.share_partitions.on_group_deleted(group);
    share::first_error(&answers).map_or(Ok(()), |error| Err(error.code))
}

fn with_refused(
    mut response: DeleteGroupsResponse,
    mut refused: Vec<(WireGroupId, ErrorCode)>,
) -> DeleteGroupsResponse {
    refused.sort_by(|a, b| a.0.cmp(&b.0));
    refused.dedup_by(|a, b| a.0 == b.0);
    response.results.extend(refused.into_iter().map(|(group, error)| {
        DeletableGroupResult::default().with_group_id(group).with_error_code(error.code())
    }));
    response
}
