//! InitProducerId (key 22), versions 0-5 (6 is not released): an id for an idempotent or transactional producer (KIP-98).
//! Shell (a new block of ids is a record in the metadata log).
//!
//! - v2: flexible. v3: the caller's id and epoch (KIP-360). v4: PRODUCER_FENCED. v5: KIP-890. v6: two-phase commit (KIP-939).

use ottla_coordinator::transaction::TwoPhaseWish;
use ottla_model::ErrorCode;
use ottla_network::Admitted;
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use super::prelude::*;
use crate::transactions::fenced_for;

pub const API: Api = Api { key: ApiKey::InitProducerId, min: 0, max: 5, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: InitProducerIdRequest = request.decode()?;
    let access = Access::of(broker, &request);
    if let Some(id) = &body.transactional_id {
        let may_prepare = || access.transactional_id(AclOperation::TwoPhaseCommit, id);
        if !access.transactional_id(AclOperation::Write, id) || (body.enable2_pc && !may_prepare()) {
            return request.ready(&refused(ErrorCode::TransactionalIdAuthorizationFailed));
        }
    } else if !access.quietly().cluster(AclOperation::IdempotentWrite)
        && !access.some_topic(AclOperation::Write)
    {
        return request.ready(&refused(ErrorCode::ClusterAuthorizationFailed));
    }
    let known_id = body.producer_id != -1;
    let known_epoch = body.producer_epoch != -1;
    if known_id != known_epoch {
        return request.ready(&refused(ErrorCode::InvalidRequest));
    }
    if let Some(transactional_id) = body.transactional_id {
        let (id, epoch) = (body.producer_id, body.producer_epoch);
        let expected = known_id.then_some((ottla_model::ProducerId(id), ottla_model::ProducerEpoch(epoch)));
        let broker = broker.clone();
        return park(async move {
            let timeout_ms = body.transaction_timeout_ms;
            let wish = TwoPhaseWish { enables: body.enable2_pc, keeps_prepared: body.keep_prepared_txn };
            let id = &transactional_id;
            let response = match broker.transactions.init_two_phase(id, wish, timeout_ms, expected).await {
                Ok((id, epoch)) => InitProducerIdResponse { producer_epoch: epoch.0, ..granted(id) },
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
    InitProducerIdResponse { producer_id: id.0, producer_epoch: 0, ..Default::default() }
}

fn refused(error: ErrorCode) -> InitProducerIdResponse {
    let error_code = error.code();
    InitProducerIdResponse { error_code, producer_id: -1, producer_epoch: -1, ..Default::default() }
}
