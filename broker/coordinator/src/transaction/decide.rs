//! The rules of a transactional id: each operation on its present state gives its next one.
//! Core. Errors are those of the newest versions; the handlers turn them into those of older ones.
//!
//! - D1. A transition in progress (the markers of an end are on their way) is looked at before the producer id and the
//!   epoch, but by requests of the first generation (KAFKA-18464): the client may already use what completes with it.

use ottla_model::{ErrorCode, ProducerEpoch, ProducerId};

use super::metadata::{
    PartitionSet, TransactionMetadata, TransactionState, TransactionVersion, is_epoch_exhausted,
};

/// What an operation leads to.
#[derive(Clone, PartialEq, Debug)]
pub enum Decided {
    /// The next state, to be recorded; what is answered rests on it.
    Next(TransactionMetadata),
    /// Nothing changes; the answer is success.
    Same,
    /// The operation has to be repeated with a new producer id in hand.
    NeedsProducerId,
}

pub type Decision = Result<Decided, ErrorCode>;

/// How a transaction is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ending {
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub is_commit: bool,
    pub version: TransactionVersion,
}

/// InitProducerId. `expected` is what the client says it has (KIP-360), `spare` a new producer id.
/// An ongoing transaction is aborted first: then the next state is PrepareAbort, and the client is to
/// come again.
pub fn init_producer_id(
    present: Option<&TransactionMetadata>,
    timeout_ms: i32,
    expected: Option<(ProducerId, ProducerEpoch)>,
    spare: Option<ProducerId>,
    wall_ms: i64,
) -> Decision {
    let Some(present) = present else {
        let Some(producer_id) = spare else { return Ok(Decided::NeedsProducerId) };
        return Ok(Decided::Next(TransactionMetadata {
            producer_id,
            previous_producer_id: producer_id,
            next_producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch(0),
            last_producer_epoch: ProducerEpoch::NONE,
            timeout_ms,
            state: TransactionState::Empty,
            partitions: PartitionSet::new(),
            start_timestamp_ms: -1,
            last_update_timestamp_ms: wall_ms,
            client_version: TransactionVersion::V0,
        }));
    };
    check_transition(present)?;
    let is_known = |(id, epoch): (ProducerId, ProducerEpoch)| {
        id == present.producer_id || (id == present.previous_producer_id && is_epoch_exhausted(epoch))
    };
    if !expected.is_none_or(is_known) {
        return Err(ErrorCode::ProducerFenced);
    }
    match present.state {
        TransactionState::PrepareCommit | TransactionState::PrepareAbort | TransactionState::Dead => {
            Err(ErrorCode::ConcurrentTransactions)
        }
        TransactionState::Ongoing => Ok(fence(present, spare, wall_ms)),
        TransactionState::Empty | TransactionState::CompleteCommit | TransactionState::CompleteAbort => {
            renew(present, timeout_ms, expected, spare, wall_ms)
        }
    }
}

fn renew(
    present: &TransactionMetadata,
    timeout_ms: i32,
    expected: Option<(ProducerId, ProducerEpoch)>,
    spare: Option<ProducerId>,
    wall_ms: i64,
) -> Decision {
    let epoch = present.producer_epoch;
    let mut next = TransactionMetadata {
        timeout_ms,
        state: TransactionState::Empty,
        partitions: PartitionSet::new(),
        start_timestamp_ms: -1,
        last_update_timestamp_ms: wall_ms,
        previous_producer_id: present.producer_id,
        next_producer_id: ProducerId::NONE,
        ..present.clone()
    };
    if is_epoch_exhausted(epoch) && expected.is_none_or(|(_, expected)| expected == epoch) {
        let Some(producer_id) = spare else { return Ok(Decided::NeedsProducerId) };
        next.producer_id = producer_id;
        next.producer_epoch = ProducerEpoch(0);
        next.last_producer_epoch = if expected.is_some() { epoch } else { ProducerEpoch::NONE };
        return Ok(Decided::Next(next));
    }
    if is_epoch_exhausted(epoch) {
        // A client that is not at the last epoch; `prepareIncrementProducerEpoch` throws.
        return Err(ErrorCode::UnknownServerError);
    }
    match expected {
        None => next.last_producer_epoch = ProducerEpoch::NONE,
        Some((_, expected)) if expected == epoch => next.last_producer_epoch = epoch,
        // A repetition of a call that succeeded: nobody else came between, or there were no last epoch.
        Some((_, expected)) if expected == present.last_producer_epoch => return Ok(Decided::Next(next)),
        Some(_) => return Err(ErrorCode::ProducerFenced),
    }
    next.producer_epoch = ProducerEpoch(epoch.0 + 1);
    Ok(Decided::Next(next))
}

/// The abort of an ongoing transaction under a new epoch: its producer is fenced, but for the one that says
/// what it has and so gets that epoch (KIP-360).
fn fence(present: &TransactionMetadata, spare: Option<ProducerId>, wall_ms: i64) -> Decided {
    prepare_with_bump(present, TransactionState::PrepareAbort, TransactionVersion::V2, spare, wall_ms)
}

/// The next state when the epoch is raised with the end (KIP-890). The last epoch is the coordinator's: the
/// markers bear it, and a new producer id takes over when they are written.
fn prepare_with_bump(
    present: &TransactionMetadata,
    state: TransactionState,
    version: TransactionVersion,
    spare: Option<ProducerId>,
    wall_ms: i64,
) -> Decided {
    let mut next = TransactionMetadata {
        state,
        previous_producer_id: present.producer_id,
        last_producer_epoch: present.producer_epoch,
        producer_epoch: ProducerEpoch(present.producer_epoch.0.saturating_add(1)),
        last_update_timestamp_ms: wall_ms,
        client_version: version,
        ..present.clone()
    };
    if present.state != TransactionState::Ongoing {
        next.partitions.clear();
        next.start_timestamp_ms = wall_ms;
    }
    if is_epoch_exhausted(present.producer_epoch) {
        let Some(producer_id) = spare else { return Decided::NeedsProducerId };
        next.next_producer_id = producer_id;
    }
    Decided::Next(next)
}

/// What D1 says.
fn check_transition(present: &TransactionMetadata) -> Result<(), ErrorCode> {
    match present.state.is_ending() {
        true => Err(ErrorCode::ConcurrentTransactions),
        false => Ok(()),
    }
}

fn check_producer(
    present: &TransactionMetadata,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
) -> Result<(), ErrorCode> {
    if present.producer_id != producer_id {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    if present.producer_epoch != producer_epoch {
        return Err(ErrorCode::ProducerFenced);
    }
    Ok(())
}

/// AddPartitionsToTxn and AddOffsetsToTxn; and, from version 2 on, the first Produce to a partition.
pub fn add_partitions(
    present: Option<&TransactionMetadata>,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    partitions: &PartitionSet,
    version: TransactionVersion,
    wall_ms: i64,
) -> Decision {
    let present = present.ok_or(ErrorCode::InvalidProducerIdMapping)?;
    check_transition(present)?;
    check_producer(present, producer_id, producer_epoch)?;
    let is_ongoing = present.state == TransactionState::Ongoing;
    if is_ongoing && partitions.is_subset(&present.partitions) {
        return Ok(Decided::Same);
    }
    let mut next = TransactionMetadata {
        state: TransactionState::Ongoing,
        previous_producer_id: present.producer_id,
        last_update_timestamp_ms: wall_ms,
        client_version: version,
        ..present.clone()
    };
    if !is_ongoing {
        next.partitions.clear();
        next.start_timestamp_ms = wall_ms;
    }
    next.partitions.extend(partitions.iter().cloned());
    Ok(Decided::Next(next))
}

/// Whether the producer may write to these partitions now; the answers are in their order.
pub fn verify_partitions(
    present: Option<&TransactionMetadata>,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    partitions: &PartitionSet,
) -> Result<Vec<ErrorCode>, ErrorCode> {
    let present = present.ok_or(ErrorCode::InvalidProducerIdMapping)?;
    check_producer(present, producer_id, producer_epoch)?;
    check_transition(present)?;
    let is_ongoing = present.state == TransactionState::Ongoing;
    let verify = |partition| match is_ongoing && present.partitions.contains(partition) {
        true => ErrorCode::None,
        false => ErrorCode::TransactionAbortable,
    };
    Ok(partitions.iter().map(verify).collect())
}

/// EndTxn.
pub fn end_transaction(
    present: Option<&TransactionMetadata>,
    ending: &Ending,
    spare: Option<ProducerId>,
    wall_ms: i64,
) -> Decision {
    let present = present.ok_or(ErrorCode::InvalidProducerIdMapping)?;
    if ending.version.supports_epoch_bump() {
        end_with_bump(present, ending, spare, wall_ms)
    } else {
        end_classic(present, ending, wall_ms)
    }
}

/// EndTxn of a client of the first generation (`endTransactionWithTV1`).
fn end_classic(present: &TransactionMetadata, ending: &Ending, wall_ms: i64) -> Decision {
    check_producer(present, ending.producer_id, ending.producer_epoch)?;
    check_transition(present)?;
    match (present.state, ending.is_commit) {
        (TransactionState::Ongoing, is_commit) => Ok(Decided::Next(TransactionMetadata {
            state: prepared(is_commit),
            previous_producer_id: present.producer_id,
            last_update_timestamp_ms: wall_ms,
            client_version: ending.version,
            ..present.clone()
        })),
        (TransactionState::CompleteCommit, true) | (TransactionState::CompleteAbort, false) => {
            Ok(Decided::Same)
        }
        _ => Err(ErrorCode::InvalidTxnState),
    }
}

fn end_with_bump(
    present: &TransactionMetadata,
    ending: &Ending,
    spare: Option<ProducerId>,
    wall_ms: i64,
) -> Decision {
    check_transition(present)?;
    let epoch = ending.producer_epoch;
    let is_retry_over_new_id = present.previous_producer_id == ending.producer_id
        && epoch.0 == i16::MAX - 1
        && present.producer_epoch.0 == 0;
    let is_retry = is_retry_over_new_id || present.is_end_retried(epoch);
    if present.producer_id != ending.producer_id && !is_retry_over_new_id {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    let is_complete =
        matches!(present.state, TransactionState::CompleteCommit | TransactionState::CompleteAbort);
    // With an epoch for each transaction, the same epoch is not a repetition but the next one's.
    if epoch != present.producer_epoch && !(is_complete && is_retry) {
        return Err(ErrorCode::ProducerFenced);
    }
    match (present.state, ending.is_commit) {
        (TransactionState::Ongoing, _) => {}
        // Nothing was written: an abort raises the epoch all the same.
        (TransactionState::Empty, false) => {}
        (TransactionState::CompleteCommit | TransactionState::CompleteAbort, false) if !is_retry => {}
        (TransactionState::CompleteCommit, true) | (TransactionState::CompleteAbort, false) if is_retry => {
            return Ok(Decided::Same);
        }
        _ => return Err(ErrorCode::InvalidTxnState),
    }
    Ok(prepare_with_bump(present, prepared(ending.is_commit), ending.version, spare, wall_ms))
}

/// How long after a transaction a commit of nothing is taken for one that has overtaken its writes.
const OVERTAKING_MS: i64 = 50;

/// Whether a commit came before the first write of its transaction, which is still to come.
///
/// The Java client looks whether records wait to be sent before it takes the lock under which it looks for a request
/// (`Sender.maybeSendAndPollTransactionalRequest`). A transaction that is begun, written and committed in between has
/// its EndTxn sent first. On Kafka the transaction before is then still being completed, so the answer is
/// CONCURRENT_TRANSACTIONS and the client sends its records before it tries again; INVALID_TXN_STATE is the end of
/// the producer.
pub fn has_overtaken_its_writes(
    present: Option<&TransactionMetadata>,
    ending: &Ending,
    wall_ms: i64,
) -> bool {
    present.is_some_and(|present| {
        // A clock that was set back says nothing of how long it is.
        let since_ms = wall_ms.saturating_sub(present.last_update_timestamp_ms);
        let was_just_completed =
            matches!(present.state, TransactionState::CompleteCommit | TransactionState::CompleteAbort)
                && (0..OVERTAKING_MS).contains(&since_ms);
        let is_next =
            present.producer_id == ending.producer_id && present.producer_epoch == ending.producer_epoch;
        was_just_completed && is_next && ending.is_commit && ending.version.supports_epoch_bump()
    })
}

fn prepared(is_commit: bool) -> TransactionState {
    if is_commit { TransactionState::PrepareCommit } else { TransactionState::PrepareAbort }
}

/// Every marker is in its partition's log.
pub fn complete(present: &TransactionMetadata, wall_ms: i64) -> TransactionMetadata {
    assert!(present.state.is_ending(), "{:?} has no end to complete", present.state);
    let state = match present.state {
        TransactionState::PrepareCommit => TransactionState::CompleteCommit,
        _ => TransactionState::CompleteAbort,
    };
    let mut next = TransactionMetadata {
        state,
        partitions: PartitionSet::new(),
        previous_producer_id: present.producer_id,
        last_update_timestamp_ms: wall_ms,
        ..present.clone()
    };
    if present.client_version.supports_epoch_bump() {
        next.next_producer_id = ProducerId::NONE;
        if !present.next_producer_id.is_none() {
            next.producer_id = present.next_producer_id;
            next.producer_epoch = ProducerEpoch(0);
        }
    }
    next
}

/// The timeout of a producer of two-phase commit (KIP-939): whoever prepared its transaction says how it ends.
pub const TWO_PHASE_TIMEOUT_MS: i32 = i32::MAX;

/// Whether a transaction is open for too long.
pub fn is_late(present: &TransactionMetadata, wall_ms: i64) -> bool {
    if present.timeout_ms == TWO_PHASE_TIMEOUT_MS {
        return false;
    }
    let deadline = present.start_timestamp_ms.saturating_add(i64::from(present.timeout_ms));
    present.state == TransactionState::Ongoing && deadline < wall_ms
}

/// The abort of a transaction that is open for too long.
pub fn time_out(present: Option<&TransactionMetadata>, spare: Option<ProducerId>, wall_ms: i64) -> Decision {
    Ok(match present.filter(|present| is_late(present, wall_ms)) {
        Some(present) => fence(present, spare, wall_ms),
        None => Decided::Same,
    })
}

/// The same as if its time were over now.
pub fn time_out_now(
    present: Option<&TransactionMetadata>,
    spare: Option<ProducerId>,
    wall_ms: i64,
) -> Decision {
    Ok(match present.filter(|present| is_late(present, i64::MAX)) {
        Some(present) => fence(present, spare, wall_ms),
        None => Decided::Same,
    })
}

/// Whether an id that nobody uses any more is to be forgotten.
pub fn is_expired(present: &TransactionMetadata, expiration_ms: i64, wall_ms: i64) -> bool {
    let is_idle = matches!(
        present.state,
        TransactionState::Empty | TransactionState::CompleteCommit | TransactionState::CompleteAbort
    );
    is_idle && present.last_update_timestamp_ms <= wall_ms.saturating_sub(expiration_ms)
}
