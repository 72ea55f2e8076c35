//! AlterClientQuotas (key 49), versions 0-1: sets and removes limits of users, client ids and addresses (KIP-546).
//! Shell: names of hosts are looked up, the controller decides, and the answer leaves when the change is in force
//! everywhere here.
//!
//! - v1: flexible. The limits are not in force yet: docs/exceptions/quotas.md.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ottla_metadata::controller::client_quotas::named_hosts;
use ottla_model::ErrorCode;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::alter_client_quotas_response::{EntityData, EntryData};
use ottla_protocol::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse};

use super::prelude::*;
use crate::access::text_of;
use crate::blocking;

pub const API: Api = Api { key: ApiKey::AlterClientQuotas, min: 0, max: 1, admit };

/// Names that are looked up for one request; those beyond have no address.
const LOOK_UPS_MAX: usize = 100;

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: AlterClientQuotasRequest = request.decode()?;
    if !Access::of(broker, &request).cluster(AclOperation::AlterConfigs) {
        let error = ErrorCode::ClusterAuthorizationFailed;
        return request.ready(&refused(&body, error, message(text_of(error))));
    }
    let (broker, wanted) = (broker.clone(), body.clone());
    let decision = async move {
        let hosts = look_up(&broker, &wanted).await;
        broker.metadata.alter_client_quotas(wanted, hosts).await
    };
    forward_to_controller(request, decision, move |error, why| refused(&body, error, why))
}

/// The addresses of a request, and its names that have one.
async fn look_up(broker: &Broker, body: &AlterClientQuotasRequest) -> BTreeSet<String> {
    let owned = |hosts: BTreeSet<&str>| hosts.into_iter().map(str::to_owned).collect::<BTreeSet<String>>();
    let (mut hosts, names): (BTreeSet<String>, BTreeSet<String>) =
        owned(named_hosts(body)).into_iter().partition(|host| host.parse::<IpAddr>().is_ok());
    if names.is_empty() {
        return hosts;
    }
    let env = broker.env.clone();
    let has_address = move |name: &String| env.net.resolve(name, 0).is_ok_and(|found| !found.is_empty());
    let look_up = move || names.into_iter().take(LOOK_UPS_MAX).filter(has_address).collect::<Vec<String>>();
    hosts.extend(blocking::run(&broker.env, look_up).await);
    hosts
}

/// Every entity of the request gets the same code and text.
fn refused(
    body: &AlterClientQuotasRequest,
    error: ErrorCode,
    why: Option<StrBytes>,
) -> AlterClientQuotasResponse {
    let entries = body.entries.iter().map(|entry| {
        let entity = entry.entity.iter().map(|part| {
            EntityData::default()
                .with_entity_type(part.entity_type.clone())
                .with_entity_name(part.entity_name.clone())
        });
        EntryData::default()
            .with_entity(entity.collect())
            .with_error_code(error.code())
            .with_error_message(why.clone())
    });
    AlterClientQuotasResponse::default().with_entries(entries.collect())
}
