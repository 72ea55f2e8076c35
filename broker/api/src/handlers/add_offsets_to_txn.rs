//! AddOffsetsToTxn (key 25), versions 0-4: a group's offsets become part of a transaction.
//! Shell (the answer waits for the transaction's record).
//!
//! - v2: PRODUCER_FENCED (KIP-588). v3: flexible. v4: TRANSACTION_ABORTABLE (KIP-890).

use ottla_coordinator::transaction::TransactionVersion;
use ottla_model::{ErrorCode, ProducerEpoch, ProducerId};
use ottla_protocol::api_key::ApiKey;
use ottla_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::prelude::*;
use crate::transactions::{fenced_for, offsets_partition};

pub const API: Api = Api { key: ApiKey::AddOffsetsToTxn, min: 0, max: 4, admit };

fn admit(broker: &Arc<Broker>, request: Request) -> Handled {
    let body: AddOffsetsToTxnRequest = request.decode()?;
    let access = Access::of(broker, &request);
    let refuse = |error: ErrorCode| AddOffsetsToTxnResponse::default().with_error_code(error.code());
    if !access.transactional_id(AclOperation::Write, &body.transactional_id) {
        return request.ready(&refuse(ErrorCode::TransactionalIdAuthorizationFailed));
    }
    if !access.group(AclOperation::Read, &body.group_id) {
        return request.ready(&refuse(ErrorCode::GroupAuthorizationFailed));
    }
    let broker = broker.clone();
    park(async move {
        let error = add(&broker, &body).await.err().unwrap_or(ErrorCode::None);
        let error = fenced_for(error, request.version() >= 2);
        request.answer(&AddOffsetsToTxnResponse::default().with_error_code(error.code()))
    })
}

async fn add(broker: &Broker, body: &AddOffsetsToTxnRequest) -> Result<(), ErrorCode> {
    let partitions = offsets_partition(broker, &body.group_id).await?;
    let producer = (ProducerId(body.producer_id.0), ProducerEpoch(body.producer_epoch));
    let version = TransactionVersion::V0;
    broker
        .transactions
        .add_partitions(&body.transactional_id, producer.0, producer.1, &partitions, version)
        .await
}
