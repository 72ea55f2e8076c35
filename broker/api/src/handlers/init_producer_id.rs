//! InitProducerId (key 22), versions 0-5: an id for an idempotent or transactional producer (KIP-98).
//! Shell (a new block of ids is a record in the metadata log).
//!
//! - v2: flexible. v3: the caller's id and epoch (KIP-360). v4: PRODUCER_FENCED. v5: KIP-890.

use ottla_model::ErrorCode;
use ottla_network::Admitted;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::prelude::*;
use crate::transactions::fenced_for;

pub const API: Api = Api { key: ApiKey::InitProducerId, min: 0, max: 5, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: InitProducerIdRequest = request.decode()?;
    let access = Access::of(broker, &request);
    if let Some(id) = &body.transactional_id {
        if !access.transactional_id(AclOperation::Write, id) {
            return request.ready(&refused(ErrorCode::TransactionalIdAuthorizationFailed));
        }
    } else if !access.quietly().cluster(AclOperation::IdempotentWrite)
        && !access.some_topic(AclOperation::Write)
    {
        return request.ready(&refused(ErrorCode::ClusterAuthorizationFailed));
    }
    let known_id = body.producer_id.0 != -1;
    let known_epoch = body.producer_epoch != -1;
    if known_id != known_epoch {
        return request.ready(&refused(ErrorCode::InvalidRequest));
    }
    if let Some(transactional_id) = body.transactional_id {
        let (id, epoch) = (body.producer_id.0, body.producer_epoch);
        let expected = known_id.then_some((ottla_model::ProducerId(id), ottla_model::ProducerEpoch(epoch)));
        let broker = broker.clone();
        return park(async move {
            let timeout_ms = body.transaction_timeout_ms;
            let response =
                match broker.transactions.init_producer_id(&transactional_id, timeout_ms, expected).await {
                    Ok((id, epoch)) => granted(id).with_producer_epoch(epoch.0),
                    Err(error) => refused(fenced_for(error, request.version() >= 4)),
                };
            request.answer(&response)
        });
    }
    if let Some(id) = broker.producer_ids.next_in_hand() {
        return Ok(Admitted::Ready(request.answer(&granted(id))));
    }
    let broker = broker.clone();
    park(async move {
        match broker.producer_ids.next().await {
            Ok(id) => request.answer(&granted(id)),
            Err(error) => request.answer(&refused(error)),
        }
    })
}

fn granted(id: ottla_model::ProducerId) -> InitProducerIdResponse {
    InitProducerIdResponse::default().with_producer_id(ProducerId(id.0)).with_producer_epoch(0)
}

fn refused(error: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse::default()
        .with_error_code(error.code())
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}
