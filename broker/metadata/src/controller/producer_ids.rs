//! Blocks of producer ids, handed to a broker and never again.
//! Core.

use ottla_model::{BrokerId, ErrorCode, ProducerId};
use ottla_protocol::messages::{AllocateProducerIdsRequest, AllocateProducerIdsResponse};
use ottla_protocol::records::metadata::ProducerIdsRecord;

use crate::controller::fencing::check_broker_epoch;
use crate::controller::{ApiError, Decision};
use crate::image::Image;

/// Ids a broker gets at once (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
pub const PRODUCER_IDS_PER_BLOCK: i64 = 1000;

/// Ids from `first` on, `count` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdBlock {
    pub first: ProducerId,
    pub count: i64,
}

/// A block for the broker that asks, under its epoch (`ProducerIdControlManager.generateNextProducerId`).
pub(crate) fn decide_allocate_for(
    image: &Image,
    request: &AllocateProducerIdsRequest,
) -> Result<Decision<AllocateProducerIdsResponse>, ApiError> {
    let id = BrokerId(request.broker_id.0);
    check_broker_epoch(image, id, request.broker_epoch)?;
    let Decision { records, response } = decide_allocate_producer_ids(image, id)?;
    let response = AllocateProducerIdsResponse::default()
        .with_producer_id_start(response.first.0.into())
        .with_producer_id_len(i32::try_from(response.count).unwrap_or(i32::MAX));
    Ok(Decision { records, response })
}

pub fn decide_allocate_producer_ids(
    image: &Image,
    broker_id: BrokerId,
) -> Result<Decision<ProducerIdBlock>, ApiError> {
    let first = image.next_producer_id();
    let next = first.checked_add(PRODUCER_IDS_PER_BLOCK).ok_or_else(|| {
        let text =
            "Exhausted all producerIds as the next block's end producerId has exceeded the int64 type limit";
        ApiError::new(ErrorCode::UnknownServerError, text)
    })?;
    let record = ProducerIdsRecord {
        broker_id: broker_id.0,
        broker_epoch: image.broker(broker_id).map_or(-1, |broker| broker.broker_epoch),
        next_producer_id: next,
        ..ProducerIdsRecord::default()
    };
    let response = ProducerIdBlock { first: ProducerId(first), count: PRODUCER_IDS_PER_BLOCK };
    Ok(Decision { records: vec![record.into()], response })
}
