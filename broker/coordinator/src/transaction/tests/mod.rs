//! Tests of the rules, operation by operation.
//! Core.

mod golden;
mod histories;
mod time;

use ottla_model::{ErrorCode, PartitionIndex, ProducerEpoch, ProducerId, TopicName, TopicPartition};

use super::codec::{self, TransactionRecord};
use super::decide::{self, Decided, Ending};
use super::metadata::*;

const PID: ProducerId = ProducerId(7);

fn place(index: i32) -> TopicPartition {
    TopicPartition::new(TopicName::new("t"), PartitionIndex(index))
}

fn next(decision: decide::Decision) -> TransactionMetadata {
    match decision {
        Ok(Decided::Next(next)) => next,
        other => panic!("a next state is expected: {other:?}"),
    }
}

fn fresh() -> TransactionMetadata {
    next(decide::init_producer_id(None, 60_000, None, Some(PID), 1_000))
}

fn open(version: TransactionVersion) -> TransactionMetadata {
    let partitions = PartitionSet::from([place(0), place(1)]);
    next(decide::add_partitions(Some(&fresh()), PID, ProducerEpoch(0), &partitions, version, 2_000))
}

fn end(present: &TransactionMetadata, epoch: i16, is_commit: bool, version: i16) -> decide::Decision {
    let ending = Ending {
        producer_id: PID,
        producer_epoch: ProducerEpoch(epoch),
        is_commit,
        version: TransactionVersion(version),
    };
    decide::end_transaction(Some(present), &ending, None, 3_000)
}

#[test]
fn a_new_id_gets_a_producer_and_every_new_instance_a_new_epoch() {
    assert_eq!(decide::init_producer_id(None, 60_000, None, None, 1), Ok(Decided::NeedsProducerId));
    let first = fresh();
    assert_eq!((first.producer_id, first.producer_epoch.0), (PID, 0));
    let second = next(decide::init_producer_id(Some(&first), 60_000, None, None, 2));
    assert_eq!((second.producer_epoch.0, second.state), (1, TransactionState::Empty));
    // KIP-360: who names the present epoch gets the next, and the same again for the same question.
    let named = |present: &TransactionMetadata, epoch| {
        decide::init_producer_id(Some(present), 60_000, Some((PID, ProducerEpoch(epoch))), None, 3)
    };
    assert_eq!(named(&second, 0), Err(ErrorCode::ProducerFenced));
    let third = next(named(&second, 1));
    assert_eq!(third.producer_epoch.0, 2);
    assert_eq!(next(named(&third, 1)).producer_epoch.0, 2);
    let stranger = Some((ProducerId(8), ProducerEpoch(2)));
    let refused = decide::init_producer_id(Some(&third), 60_000, stranger, None, 3);
    assert_eq!(refused, Err(ErrorCode::ProducerFenced));
}

#[test]
fn used_up_epochs_give_a_new_producer_id() {
    let old = TransactionMetadata { producer_epoch: ProducerEpoch(i16::MAX - 1), ..fresh() };
    assert_eq!(decide::init_producer_id(Some(&old), 1, None, None, 1), Ok(Decided::NeedsProducerId));
    let new = next(decide::init_producer_id(Some(&old), 1, None, Some(ProducerId(9)), 1));
    assert_eq!((new.producer_id.0, new.producer_epoch.0, new.previous_producer_id), (9, 0, PID));
    let old =
        TransactionMetadata { producer_epoch: ProducerEpoch(i16::MAX - 1), ..open(TransactionVersion::V2) };
    assert_eq!(end(&old, i16::MAX - 1, true, 2), Ok(Decided::NeedsProducerId));
    let ending = Ending {
        producer_id: PID,
        producer_epoch: old.producer_epoch,
        is_commit: true,
        version: TransactionVersion::V2,
    };
    let ended = next(decide::end_transaction(Some(&old), &ending, Some(ProducerId(9)), 1));
    // The markers still bear the old id, with the epoch kept for the coordinator.
    assert_eq!((ended.producer_id, ended.producer_epoch.0), (PID, i16::MAX));
    let done = decide::complete(&ended, 2);
    assert_eq!((done.producer_id.0, done.producer_epoch.0, done.previous_producer_id), (9, 0, PID));
    assert_eq!(decide::end_transaction(Some(&done), &ending, None, 3), Ok(Decided::Same));
}

#[test]
fn an_open_transaction_is_aborted_for_a_new_instance() {
    let fenced = next(decide::init_producer_id(Some(&open(TransactionVersion::V0)), 1, None, None, 9));
    assert_eq!((fenced.state, fenced.producer_epoch.0), (TransactionState::PrepareAbort, 1));
    assert_eq!(fenced.partitions.len(), 2);
    let again = decide::init_producer_id(Some(&fenced), 1, None, None, 9);
    assert_eq!(again, Err(ErrorCode::ConcurrentTransactions));
    let done = decide::complete(&fenced, 10);
    assert_eq!(done.state, TransactionState::CompleteAbort);
    assert_eq!(next(decide::init_producer_id(Some(&done), 1, None, None, 11)).producer_epoch.0, 2);
}

#[test]
fn partitions_are_added_to_the_producer_that_is_not_fenced() {
    let add = |present: Option<&TransactionMetadata>, id, epoch| {
        let partitions = PartitionSet::from([place(0)]);
        decide::add_partitions(present, id, ProducerEpoch(epoch), &partitions, TransactionVersion::V0, 5)
    };
    let present = open(TransactionVersion::V0);
    assert_eq!(add(None, PID, 0), Err(ErrorCode::InvalidProducerIdMapping));
    assert_eq!(add(Some(&present), ProducerId(8), 0), Err(ErrorCode::InvalidProducerIdMapping));
    assert_eq!(add(Some(&present), PID, 1), Err(ErrorCode::ProducerFenced));
    assert_eq!(add(Some(&present), PID, 0), Ok(Decided::Same));
    let ending = next(end(&present, 0, true, 0));
    assert_eq!(add(Some(&ending), PID, 0), Err(ErrorCode::ConcurrentTransactions));
    let done = decide::complete(&ending, 6);
    let anew = next(add(Some(&done), PID, 0));
    assert_eq!(
        (anew.state, anew.start_timestamp_ms, anew.partitions.len()),
        (TransactionState::Ongoing, 5, 1)
    );
    let wanted = PartitionSet::from([place(0), place(5)]);
    let verified = decide::verify_partitions(Some(&anew), PID, ProducerEpoch(0), &wanted);
    assert_eq!(verified, Ok(vec![ErrorCode::None, ErrorCode::TransactionAbortable]));
    // What is left of an ended transaction's partitions lets nobody in.
    let verified = decide::verify_partitions(Some(&done), PID, ProducerEpoch(0), &wanted);
    assert_eq!(verified, Ok(vec![ErrorCode::TransactionAbortable; 2]));
}

#[test]
fn the_classic_end_may_be_repeated_but_not_turned_round() {
    let present = open(TransactionVersion::V0);
    assert_eq!(end(&fresh(), 0, true, 0), Err(ErrorCode::InvalidTxnState));
    assert_eq!(end(&present, 1, true, 0), Err(ErrorCode::ProducerFenced));
    let ending = next(end(&present, 0, true, 0));
    assert_eq!((ending.state, ending.producer_epoch.0), (TransactionState::PrepareCommit, 0));
    assert_eq!(end(&ending, 0, true, 0), Err(ErrorCode::ConcurrentTransactions));
    assert_eq!(end(&ending, 0, false, 0), Err(ErrorCode::ConcurrentTransactions));
    let done = decide::complete(&ending, 4);
    assert_eq!(done.state, TransactionState::CompleteCommit);
    assert_eq!(end(&done, 0, true, 0), Ok(Decided::Same));
    assert_eq!(end(&done, 0, false, 0), Err(ErrorCode::InvalidTxnState));
}

#[test]
fn an_end_of_version_2_raises_the_epoch() {
    let ending = next(end(&open(TransactionVersion::V2), 0, true, 2));
    assert_eq!((ending.state, ending.producer_epoch.0), (TransactionState::PrepareCommit, 1));
    assert_eq!(end(&ending, 0, true, 2), Err(ErrorCode::ConcurrentTransactions));
    // The next transaction of the same producer, already under its new epoch (KAFKA-18464).
    assert_eq!(end(&ending, 1, false, 2), Err(ErrorCode::ConcurrentTransactions));
    let done = decide::complete(&ending, 4);
    assert_eq!(end(&done, 0, true, 2), Ok(Decided::Same));
    assert_eq!(end(&done, 0, false, 2), Err(ErrorCode::InvalidTxnState));
    // The next transaction, that wrote nothing: it may be aborted, not committed.
    assert_eq!(end(&done, 1, true, 2), Err(ErrorCode::InvalidTxnState));
    let empty = next(end(&done, 1, false, 2));
    assert_eq!((empty.state, empty.producer_epoch.0), (TransactionState::PrepareAbort, 2));
    assert!(empty.partitions.is_empty());
}

#[test]
fn late_transactions_are_aborted_and_idle_ids_forgotten() {
    let present = open(TransactionVersion::V0);
    let time_out = |present: &_, wall_ms| decide::time_out(Some(present), None, wall_ms);
    assert_eq!(time_out(&present, 62_000), Ok(Decided::Same));
    let late = next(time_out(&present, 62_001));
    assert_eq!((late.state, late.producer_epoch.0), (TransactionState::PrepareAbort, 1));
    assert_eq!(time_out(&fresh(), i64::MAX), Ok(Decided::Same));
    assert_eq!(decide::time_out(None, None, i64::MAX), Ok(Decided::Same));
    assert!(!decide::is_expired(&present, 100, i64::MAX));
    assert!(!decide::is_expired(&fresh(), 100, 1_099));
    assert!(decide::is_expired(&fresh(), 100, 1_100));
}

/// What Apache Kafka 4.3.1 answered to the same calls (12-fencing.oracle).
#[test]
fn a_fenced_producer_that_says_what_it_has_gets_the_epoch_of_the_fence() {
    let fenced = next(decide::init_producer_id(Some(&open(TransactionVersion::V0)), 1, None, None, 9));
    let done = decide::complete(&fenced, 10);
    let named = |present: &TransactionMetadata, epoch| {
        decide::init_producer_id(Some(present), 60_000, Some((PID, ProducerEpoch(epoch))), None, 11)
    };
    // The same again for the same question; and the next for who has it.
    let renewed = next(named(&done, 0));
    assert_eq!(renewed.producer_epoch.0, 1);
    assert_eq!(next(named(&renewed, 0)).producer_epoch.0, 1);
    assert_eq!(next(named(&renewed, 1)).producer_epoch.0, 2);
    // In the second generation the abort that fenced it is the one it may ask for.
    assert_eq!(end(&done, 0, false, 2), Ok(Decided::Same));
    assert_eq!(end(&done, 0, true, 2), Err(ErrorCode::InvalidTxnState));
    assert_eq!(end(&done, 0, false, 0), Err(ErrorCode::ProducerFenced));
    // A restart forgets who had which epoch, as Kafka's records do.
    let loaded = TransactionMetadata { last_producer_epoch: ProducerEpoch::NONE, ..done };
    assert_eq!(named(&loaded, 0), Err(ErrorCode::ProducerFenced));
}

#[test]
fn fencing_at_the_last_epoch_leads_to_a_new_producer_id() {
    let last = ProducerEpoch(i16::MAX - 1);
    let present = TransactionMetadata { producer_epoch: last, ..open(TransactionVersion::V0) };
    assert_eq!(decide::init_producer_id(Some(&present), 1, None, None, 9), Ok(Decided::NeedsProducerId));
    let spare = Some(ProducerId(9));
    let fenced = next(decide::init_producer_id(Some(&present), 1, None, spare, 9));
    assert_eq!((fenced.producer_id, fenced.producer_epoch.0), (PID, i16::MAX));
    let done = decide::complete(&fenced, 10);
    assert_eq!((done.producer_id.0, done.producer_epoch.0, done.previous_producer_id), (9, 0, PID));
    assert_eq!(decide::time_out(Some(&present), None, i64::MAX), Ok(Decided::NeedsProducerId));
    let late = next(decide::time_out(Some(&present), spare, i64::MAX));
    assert_eq!((late.state, late.producer_epoch.0), (TransactionState::PrepareAbort, i16::MAX));
    assert_eq!(late.next_producer_id.0, 9);
}

#[test]
fn records_survive_a_round_trip() {
    for value in [Some(fresh()), Some(open(TransactionVersion::V2)), None] {
        let record = TransactionRecord { transactional_id: Box::from("id"), value };
        let bytes = codec::encode(&record).expect("a record");
        assert_eq!(&bytes.key[..], b"\0\0\0\x02id");
        let decoded = codec::decode(&bytes.key, bytes.value.as_deref()).expect("readable");
        assert_eq!(decoded, Some(record));
    }
    assert_eq!(codec::decode(b"\x03\xe7abc", None).ok(), Some(None));
}

#[test]
fn a_commit_that_overtook_its_writes_is_told_to_come_again_and_a_commit_of_nothing_fails() {
    let opened = open(TransactionVersion::V2);
    let ended = next(end(&opened, 0, true, 2));
    let done = decide::complete(&ended, 5_000);
    let of = |epoch, is_commit, version| Ending {
        producer_id: PID,
        producer_epoch: ProducerEpoch(epoch),
        is_commit,
        version: TransactionVersion(version),
    };
    let overtakes = |ending: Ending, wall_ms| decide::has_overtaken_its_writes(Some(&done), &ending, wall_ms);
    // The next transaction's commit, while the one before was just completed.
    assert!(overtakes(of(1, true, 2), 5_000) && overtakes(of(1, true, 2), 5_049));
    assert!(!overtakes(of(1, true, 2), 5_050), "after that it is a mistake, as in Kafka");
    assert!(
        !overtakes(of(1, true, 2), 4_999),
        "a clock that is set back must not hold the answer up for ever"
    );
    assert_eq!(end(&done, 1, true, 2), Err(ErrorCode::InvalidTxnState));
    // The repetition of the end, an abort, another generation, another producer: answered as ever.
    assert!(!overtakes(of(0, true, 2), 5_000));
    assert!(!overtakes(of(1, false, 2), 5_000));
    assert!(!overtakes(of(1, true, 0), 5_000));
    assert!(!overtakes(Ending { producer_id: ProducerId(8), ..of(1, true, 2) }, 5_000));
    // Where something was written, it is an end like any other.
    let ending = of(0, true, 2);
    assert!(!decide::has_overtaken_its_writes(Some(&opened), &ending, 2_000));
    assert!(!decide::has_overtaken_its_writes(None, &ending, 2_000));
}
