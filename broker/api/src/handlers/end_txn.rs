//! EndTxn (key 26), versions 0-5: a transaction is to be committed or aborted.
//! Shell (the answer waits for the decision's record; the markers follow it).
//!
//! - v2: PRODUCER_FENCED (KIP-588). v3: flexible. v4: TRANSACTION_ABORTABLE (KIP-890).
//! - v5: the producer's new id and epoch (KIP-890).

use ottla_coordinator::transaction::{Ending, TransactionVersion};
use ottla_model::{ErrorCode, ProducerEpoch, ProducerId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{self, EndTxnRequest, EndTxnResponse};

use super::prelude::*;
use crate::transactions::fenced_for;

pub const API: Api = Api { key: ApiKey::EndTxn, min: 0, max: 5, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: EndTxnRequest = request.decode()?;
    if !Access::of(broker, &request).transactional_id(AclOperation::Write, &body.transactional_id) {
        let error = ErrorCode::TransactionalIdAuthorizationFailed.code();
        return request.ready(&EndTxnResponse::default().with_error_code(error));
    }
    let broker = broker.clone();
    park(async move {
        let bumps = request.version() >= 5;
        let ending = Ending {
            producer_id: ProducerId(body.producer_id.0),
            producer_epoch: ProducerEpoch(body.producer_epoch),
            is_commit: body.committed,
            version: if bumps { TransactionVersion::V2 } else { TransactionVersion::V0 },
        };
        let ended = broker.transactions.end_transaction(&body.transactional_id, ending).await;
        let error = fenced_for(ended.err().unwrap_or(ErrorCode::None), request.version() >= 2);
        let mut response = EndTxnResponse::default().with_error_code(error.code());
        if bumps && let Ok((id, epoch)) = ended {
            response.producer_id = messages::ProducerId(id.0);
            response.producer_epoch = epoch.0;
        }
        request.answer(&response)
    })
}
