//! Appending: judge outside the lock, then order, write and publish inside it.
//! Shell.
//!
//! The bytes of a batch are written as they came; only a 61-byte copy of its header, with offset
//! and leader epoch (and what the timestamp rules demand), goes before them in one vectored write.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use ottla_env::OpenMode;
use ottla_model::{LeaderEpoch, Offset};
use ottla_records::header::{assign_offset, assign_timestamp};
use ottla_records::{
    BatchHeader, BatchView, EndTxnMarker, HEADER_BYTES, InvalidKind, InvalidRecords, TimestampType,
    ValidationRules, Verdict, batches, validate_batch,
};
use smallvec::SmallVec;

use crate::active_segment::Roll;
use crate::checkpoint;
use crate::config::{LogConfig, TopicCompression};
use crate::error::AppendError;
use crate::index::OffsetEntry;
use crate::log_dir::WriteFailure;
use crate::names;
use crate::positions::Position;
use crate::producer_state::{BatchMetadata, Checked, Guarding, ProducerRefusal};
use crate::segment::Segment;
use crate::txn_index::{self, AbortedTxn};
use crate::unified_log::UnifiedLog;
use crate::verification::{Verification, VerificationGuard};
use crate::writer::Writer;

/// Who appends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendOrigin {
    /// A produce request: one batch, offsets from 0, no control batch, sequences checked. A transactional batch
    /// is one of a transaction that has a batch here.
    Client,
    /// The same, and the batch may begin the transaction here: its coordinator has verified it (KIP-890).
    VerifiedClient(VerificationGuard),
    /// A coordinator of this broker: group and transaction state, transaction markers.
    Coordinator,
    /// The same, and the batch may begin a transaction here: offsets that a transaction commits.
    VerifiedCoordinator(VerificationGuard),
    /// The cluster's own log. May use the room kept for a full disk.
    Internal,
}

impl AppendOrigin {
    /// A client's write whose coordinator has verified it, where that is needed.
    pub fn verified_client(verification: Verification) -> AppendOrigin {
        match verification {
            Verification::Ongoing => AppendOrigin::Client,
            Verification::Needed(guard) => AppendOrigin::VerifiedClient(guard),
        }
    }

    fn is_client(self) -> bool {
        matches!(self, AppendOrigin::Client | AppendOrigin::VerifiedClient(_))
    }

    fn guarding(self) -> Guarding {
        match self {
            AppendOrigin::Client | AppendOrigin::Coordinator => Guarding::Guard(None),
            AppendOrigin::VerifiedClient(guard) | AppendOrigin::VerifiedCoordinator(guard) => {
                Guarding::Guard(Some(guard))
            }
            AppendOrigin::Internal => Guarding::None,
        }
    }
}

/// What an append stored, or found stored before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AppendInfo {
    pub base_offset: Offset,
    pub last_offset: Offset,
    pub max_timestamp: i64,
    /// The time that the records got, on a topic with LogAppendTime; else -1.
    pub log_append_time: i64,
    pub log_start_offset: Offset,
    /// The batch was stored before; these are its offsets then.
    pub duplicate: bool,
    /// `flush.messages` was reached: the answer waits for a flush whatever `acks` says.
    pub must_flush: bool,
    pub bytes: usize,
}

/// A batch that passed, ready to be written.
struct Prepared {
    header: [u8; HEADER_BYTES],
    fields: BatchHeader,
    body: Bytes,
    marker: Option<EndTxnMarker>,
}

impl Prepared {
    fn size_bytes(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }
}

type PreparedBatches = SmallVec<[Prepared; 1]>;

impl From<WriteFailure> for AppendError {
    fn from(failure: WriteFailure) -> AppendError {
        match failure {
            WriteFailure::NoSpace(text) => AppendError::NoSpace(text),
            WriteFailure::Storage(failure) => AppendError::Storage(failure),
        }
    }
}

impl From<ProducerRefusal> for AppendError {
    fn from(refusal: ProducerRefusal) -> AppendError {
        match refusal {
            ProducerRefusal::OutOfOrderSequence(text) => AppendError::OutOfOrderSequence(text),
            ProducerRefusal::InvalidProducerEpoch(text) => AppendError::InvalidProducerEpoch(text),
            ProducerRefusal::InvalidTxnState(text) => AppendError::InvalidTxnState(text),
            ProducerRefusal::TransactionCoordinatorFenced(text) => {
                AppendError::TransactionCoordinatorFenced(text)
            }
        }
    }
}

impl UnifiedLog {
    /// Appends as leader of `leader_epoch`: offsets and epoch are given here. All batches are
    /// stored, or none. The bytes are in the page cache when this returns; see `request_flush`.
    pub fn append(
        self: &Arc<Self>,
        records: Bytes,
        leader_epoch: LeaderEpoch,
        origin: AppendOrigin,
        now_ms: i64,
    ) -> Result<AppendInfo, AppendError> {
        self.check_writable()?;
        let config = self.config.load();
        let mut prepared = self.prepare(&records, &config, origin, now_ms)?;
        let bytes: usize = prepared.iter().map(Prepared::size_bytes).sum();
        if bytes as u64 > config.segment_bytes {
            return Err(AppendError::BatchTooLarge(format!(
                "Message batch size is {bytes} bytes in append to partition {}, which exceeds the maximum configured segment size of {}.",
                self.partition, config.segment_bytes
            )));
        }
        if origin.is_client() {
            self.place().dir.admit(bytes as u64).map_err(AppendError::NoSpace)?;
        }

        let mut writer = self.writer.lock();
        if self.is_deleted() {
            return Err(AppendError::Deleted);
        }
        if let Some(latest) = self.epochs.latest()
            && leader_epoch < latest.epoch
        {
            return Err(AppendError::FencedLeaderEpoch { given: leader_epoch.0, latest: latest.epoch.0 });
        }
        let appends_from = self.appends_from.load(Ordering::Acquire);
        if leader_epoch.0 < appends_from {
            return Err(AppendError::FencedLeaderEpoch { given: leader_epoch.0, latest: appends_from });
        }
        if let Some(found) = self.assign_offsets(&mut prepared, leader_epoch, origin)? {
            return Ok(self.duplicate_of(&found, &config));
        }
        let mut info = self.write(&mut writer, &prepared, bytes, &config, now_ms)?;
        if config.timestamp_type == TimestampType::LogAppendTime {
            info.log_append_time = now_ms;
        }
        let wants_flush = writer.flush.bytes() >= self.shared.settings.background_flush_bytes;
        self.write_out(&mut writer);
        drop(writer);
        self.mark_dirty();
        if wants_flush {
            self.enqueue_flush();
        }
        Ok(info)
    }

    /// Judges the batches and gives them their offsets. A batch that is in the log already is the
    /// whole answer.
    fn assign_offsets(
        &self,
        prepared: &mut PreparedBatches,
        leader_epoch: LeaderEpoch,
        origin: AppendOrigin,
    ) -> Result<Option<BatchMetadata>, AppendError> {
        let mut next = self.log_end_offset();
        self.producers.read(|state| {
            for batch in prepared {
                let (marker, from_client) = (batch.marker.as_ref(), origin.is_client());
                let guarding = origin.guarding();
                let checked =
                    state.check(&batch.fields, marker, from_client, guarding, next, &self.partition)?;
                if let Checked::Duplicate(found) = checked {
                    return Ok(Some(found));
                }
                assign_offset(&mut batch.header, next, leader_epoch);
                batch.fields = BatchHeader::parse(&batch.header);
                next = batch.fields.next_offset();
            }
            Ok(None)
        })
    }

    fn duplicate_of(&self, found: &BatchMetadata, config: &LogConfig) -> AppendInfo {
        let has_append_time = config.timestamp_type == TimestampType::LogAppendTime;
        AppendInfo {
            base_offset: found.first_offset(),
            last_offset: found.last_offset,
            max_timestamp: found.timestamp,
            log_append_time: if has_append_time { found.timestamp } else { -1 },
            log_start_offset: self.log_start_offset(),
            duplicate: true,
            must_flush: false,
            bytes: 0,
        }
    }

    /// Appends what a leader sent to its follower: offsets and epochs are already given.
    pub fn append_as_follower(
        self: &Arc<Self>,
        records: Bytes,
        now_ms: i64,
    ) -> Result<AppendInfo, AppendError> {
        self.check_writable()?;
        let config = self.config.load();
        let mut prepared = PreparedBatches::new();
        let mut at = 0;
        for batch in batches(&records) {
            let batch = batch.map_err(InvalidRecords::from)?;
            batch.verify_checksum().map_err(InvalidRecords::from)?;
            let size = batch.bytes().len();
            prepared.push(Prepared {
                header: batch.header_bytes(),
                fields: *batch.header(),
                body: records.slice(at + HEADER_BYTES..at + size),
                marker: EndTxnMarker::parse(&batch),
            });
            at += size;
        }
        let mut writer = self.writer.lock();
        if self.is_deleted() {
            return Err(AppendError::Deleted);
        }
        let mut end = self.log_end_offset();
        for batch in &prepared {
            if batch.fields.base_offset < end {
                return Err(AppendError::UnexpectedOffset { given: batch.fields.base_offset, end });
            }
            end = batch.fields.next_offset();
        }
        let info = self.write(&mut writer, &prepared, at, &config, now_ms)?;
        self.write_out(&mut writer);
        drop(writer);
        self.mark_dirty();
        Ok(info)
    }

    fn prepare(
        &self,
        records: &Bytes,
        config: &LogConfig,
        origin: AppendOrigin,
        now_ms: i64,
    ) -> Result<PreparedBatches, AppendError> {
        let from_client = origin.is_client();
        let rules = ValidationRules {
            from_client,
            max_message_bytes: if origin == AppendOrigin::Internal {
                usize::MAX
            } else {
                config.max_message_bytes
            },
            is_compacted: config.cleanup_policy.compact,
            timestamp_type: config.timestamp_type,
            timestamp_before_max_ms: config.timestamp_before_max_ms,
            timestamp_after_max_ms: config.timestamp_after_max_ms,
            compression: match config.compression {
                TopicCompression::Producer => None,
                TopicCompression::Codec(codec) => Some(codec),
            },
        };
        let mut prepared = PreparedBatches::new();
        let mut at = 0;
        for batch in batches(records) {
            let batch = batch.map_err(InvalidRecords::from)?;
            let size = batch.bytes().len();
            if from_client && size != records.len() {
                // What follows is a second batch, or garbage.
                return Err(InvalidRecords::new(
                    InvalidKind::InvalidRecord,
                    "Produce requests must contain exactly one record batch per partition".to_owned(),
                )
                .into());
            }
            let verdict = validate_batch(&batch, &rules, now_ms, &self.partition)?;
            let body = records.slice(at + HEADER_BYTES..at + size);
            prepared.push(prepare_one(&batch, body, verdict)?);
            at += size;
        }
        if prepared.is_empty() {
            return Err(InvalidRecords::new(
                InvalidKind::InvalidRecord,
                "Record batch has no batches at all".to_owned(),
            )
            .into());
        }
        Ok(prepared)
    }

    /// Writes batches whose offsets are final, and publishes them. Nothing is changed on error.
    fn write(
        self: &Arc<Self>,
        writer: &mut Writer,
        prepared: &[Prepared],
        bytes: usize,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<AppendInfo, AppendError> {
        let (Some(first), Some(last)) = (prepared.first(), prepared.last()) else {
            return Err(AppendError::UnexpectedOffset { given: Offset::NONE, end: self.log_end_offset() });
        };
        let max_timestamp = prepared.iter().map(|batch| batch.fields.max_timestamp).max().unwrap_or(-1);
        let roll = Roll {
            config,
            bytes: bytes as u64,
            first_offset: first.fields.base_offset,
            last_offset: last.fields.last_offset(),
            max_timestamp,
            now_ms,
        };
        let active = self.segment_for(writer, &roll)?;
        let position = active.size_bytes();
        let mut slices: SmallVec<[IoSlice<'_>; 2]> = SmallVec::with_capacity(2 * prepared.len());
        for batch in prepared {
            slices.push(IoSlice::new(&batch.header));
            slices.push(IoSlice::new(&batch.body));
        }
        let what = || format!("writing {}", active.slot().path().display());
        let file = active
            .file(&self.shared.files)
            .map_err(|error| self.place().dir.write_failed(&what(), &error))?;
        active.slot().pin(true);
        active.reserve(&*file, &self.place().dir, position, bytes as u64, config.segment_bytes);
        if let Err(error) = file.write_vectored_all_at(&mut slices, position) {
            let failure = self.place().dir.write_failed(&what(), &error);
            if let WriteFailure::NoSpace(_) = failure
                && let Err(error) = file.set_len(position)
            {
                return Err(self
                    .place()
                    .dir
                    .fail(&format!("taking back a write to {}", active.slot().path().display()), &error)
                    .into());
            }
            return Err(failure.into());
        }
        let records = prepared.iter().map(|batch| i64::from(batch.fields.record_count)).sum();
        writer.flush.note_written(bytes as u64, records, || self.shared.env.clock.monotonic());
        self.publish(writer, &active, prepared, position);
        if writer.active.note_written(bytes as u64, config.index_interval_bytes) {
            self.append_index_entries(&active, OffsetEntry { offset: roll.last_offset, position });
        }
        Ok(AppendInfo {
            base_offset: first.fields.base_offset,
            last_offset: roll.last_offset,
            max_timestamp,
            log_append_time: -1,
            log_start_offset: self.log_start_offset(),
            duplicate: false,
            must_flush: writer.flush.records() >= config.flush_messages,
            bytes,
        })
    }

    fn publish(&self, writer: &mut Writer, active: &Arc<Segment>, prepared: &[Prepared], mut position: u64) {
        if position == 0 {
            active.set_first_timestamp(prepared.first().map(|batch| batch.fields.max_timestamp));
        }
        let mut ends: SmallVec<[Position; 1]> = SmallVec::new();
        for batch in prepared {
            position += batch.size_bytes() as u64;
            let fields = &batch.fields;
            self.epochs.assign(&mut writer.turn, fields.leader_epoch, fields.base_offset);
            active.note_timestamp(fields.max_timestamp, fields.last_offset());
            ends.push(Position { offset: fields.next_offset(), segment: active.base_offset(), position });
        }
        let aborted = self.producers.change(&mut writer.turn, |state| {
            let completed =
                prepared.iter().filter_map(|batch| state.apply(&batch.fields, batch.marker.as_ref()));
            completed.filter(|completed| completed.is_aborted).collect::<SmallVec<[_; 1]>>()
        });
        for completed in &aborted {
            self.note_aborted(active, &AbortedTxn::from(completed));
            writer.flush.note_txn_index(active.base_offset());
        }
        active.set_size_bytes(position);
        // The positions go before the log end offset: a reader that sees the new log end offset finds its position.
        self.segments.push_ends(&mut writer.turn, &ends);
        if let Some(end) = ends.last() {
            self.bounds.advance_end(&mut writer.turn, end.offset);
        }
    }

    fn note_aborted(&self, active: &Segment, aborted: &AbortedTxn) {
        let path = names::segment_file(&self.place().folder, active.base_offset(), names::TXN_INDEX_SUFFIX);
        if let Err(error) = txn_index::append(&*self.shared.env.disk, &path, aborted) {
            // Readers would see the aborted records as committed: those of committed records get no more.
            self.place().dir.fail(&format!("writing {}", path.display()), &error);
            self.lacks_aborted.store(true, Ordering::Release);
        }
    }

    /// Entries that can't be written stay in memory and are written later; a lost one only costs time.
    fn append_index_entries(&self, active: &Segment, entry: OffsetEntry) {
        if let Err(error) = active.append_index_entries(entry, &self.shared.files) {
            tracing::debug!(partition = %self.partition, %error, "index entries wait in memory");
        }
    }

    /// The segment that takes these batches: the active one, or a new one after it.
    fn segment_for(
        self: &Arc<Self>,
        writer: &mut Writer,
        roll: &Roll<'_>,
    ) -> Result<Arc<Segment>, AppendError> {
        match writer.active.segment().cloned() {
            None => self.create_folder(writer)?,
            Some(active) => {
                let should_roll = writer.active.should_roll(roll, &self.shared.files).map_err(|error| {
                    self.place().dir.fail(&format!("reading {}", self.place().folder.display()), &error)
                })?;
                if !should_roll {
                    return Ok(active);
                }
            }
        }
        // A follower's first batch may lie above the end of the log: what is between is gone at its leader. A start
        // takes a segment that does not begin where the last one ends for the rest of a lost one.
        let log_end = self.log_end_offset();
        let is_in_reach = roll.last_offset - log_end <= i64::from(i32::MAX);
        let base_offset = if is_in_reach { log_end } else { roll.first_offset.max(log_end) };
        Ok(self.roll(writer, base_offset, roll.config, roll.now_ms)?)
    }

    /// Makes the partition's folder for its first append.
    fn create_folder(&self, writer: &mut Writer) -> Result<(), AppendError> {
        self.place().dir.forget_stale_point(&self.partition)?;
        Ok(self.make_folder(writer)?)
    }

    /// Makes the partition's folder; the first segment brings the topic's id.
    pub(crate) fn make_folder(&self, writer: &mut Writer) -> Result<(), WriteFailure> {
        let disk = &self.shared.env.disk;
        let made = disk.create_dir_all(&self.place().folder);
        made.map_err(|error| {
            self.place().dir.write_failed(&format!("making {}", self.place().folder.display()), &error)
        })?;
        writer.flush.note_folder(self.place().dir.note_folder());
        Ok(())
    }

    fn write_topic_id(&self, writer: &mut Writer) -> Result<(), WriteFailure> {
        let topic_id = *self.topic_id.lock();
        if writer.is_topic_id_written() || topic_id.is_zero() {
            return Ok(());
        }
        let path = self.place().folder.join(names::PARTITION_METADATA);
        let text = checkpoint::write_partition_metadata(topic_id);
        self.shared
            .env
            .disk
            .open(&path, OpenMode::Truncate)
            .and_then(|file| file.write_all_at(text.as_bytes(), 0))
            .map_err(|error| self.place().dir.write_failed(&format!("writing {}", path.display()), &error))?;
        writer.note_topic_id_written();
        writer.flush.note_topic_id();
        Ok(())
    }

    /// Closes the active segment and starts one at `base_offset`.
    pub(crate) fn roll(
        self: &Arc<Self>,
        writer: &mut Writer,
        base_offset: Offset,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<Arc<Segment>, WriteFailure> {
        // A start takes a folder without one for what is left of an earlier topic.
        self.write_topic_id(writer)?;
        let files = &self.shared.files;
        let old = writer.active.segment().cloned();
        if let Some(old) = old.as_ref().filter(|old| old.size_bytes() > 0) {
            if let Err(error) = old.finish(files) {
                return Err(self.place().dir.write_failed("finishing an index", &error));
            }
            self.take_snapshot(writer)?;
        }
        let segment = Arc::new(Segment::new(&self.place().folder, base_offset, now_ms));
        if let Err(error) = segment.create_file(files).and_then(|file| file.set_len(0)) {
            return Err(self.place().dir.write_failed("making a segment", &error));
        }
        if let Some(empty) = old.as_ref().filter(|old| old.size_bytes() == 0)
            && empty.base_offset() != base_offset
        {
            self.remove_segment_files(empty);
        }
        let roll_jitter_ms = match config.segment_jitter_ms.min(config.segment_ms) {
            jitter if jitter > 0 => (self.shared.env.rng.next_u64() % jitter as u64) as i64,
            _ => 0,
        };
        self.segments.push(&mut writer.turn, segment.clone());
        writer.active.start(segment.clone(), roll_jitter_ms);
        writer.flush.note_roll(old);
        self.note_cleanable();
        Ok(segment)
    }
}

fn prepare_one(batch: &BatchView<'_>, body: Bytes, verdict: Verdict) -> Result<Prepared, InvalidRecords> {
    let marker = EndTxnMarker::parse(batch);
    let (mut header, body) = match &verdict {
        Verdict::Rewritten { batch, .. } => {
            let view = BatchView::first(batch).map_err(InvalidRecords::from)?;
            (view.header_bytes(), batch.slice(HEADER_BYTES..))
        }
        _ => (batch.header_bytes(), body),
    };
    if let Verdict::Timestamps { timestamp_type, max_timestamp } = verdict {
        assign_timestamp(&mut header, &body, timestamp_type, max_timestamp);
    }
    let fields = BatchHeader::parse(&header);
    Ok(Prepared { header, fields, body, marker })
}
