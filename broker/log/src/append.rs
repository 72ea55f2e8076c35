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

use crate::checkpoint;
use crate::config::{LogConfig, TopicCompression};
use crate::error::AppendError;
use crate::index::{OffsetEntry, TimeEntry};
use crate::log_dir::WriteFailure;
use crate::names;
use crate::positions::Position;
use crate::producer_state::{BatchMetadata, Checked, ProducerRefusal};
use crate::segment::Segment;
use crate::txn_index::{self, AbortedTxn};
use crate::unified_log::UnifiedLog;
use crate::writer::Writer;

/// Who appends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendOrigin {
    /// A produce request: one batch, offsets from 0, no control batch, sequences checked.
    Client,
    /// The same of a transaction's second generation: a producer that nobody knows begins at sequence 0.
    TransactionalClient,
    /// A coordinator of this broker: group and transaction state, transaction markers.
    Coordinator,
    /// The cluster's own log. May use the room kept for a full disk.
    Internal,
}

impl AppendOrigin {
    fn is_client(self) -> bool {
        matches!(self, AppendOrigin::Client | AppendOrigin::TransactionalClient)
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
            self.dir.admit(bytes as u64).map_err(AppendError::NoSpace)?;
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
        if let Some(found) = self.assign_offsets(&mut prepared, leader_epoch, origin)? {
            return Ok(self.duplicate_of(&found, &config));
        }
        let mut info = self.write(&mut writer, &prepared, bytes, &config, now_ms)?;
        if config.timestamp_type == TimestampType::LogAppendTime {
            info.log_append_time = now_ms;
        }
        let wants_flush = writer.unflushed_bytes >= self.shared.settings.background_flush_bytes;
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
                if origin == AppendOrigin::TransactionalClient {
                    state.check_beginning(&batch.fields, next, &self.partition)?;
                }
                let marker = batch.marker.as_ref();
                let checked =
                    state.check(&batch.fields, marker, origin.is_client(), next, &self.partition)?;
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
        let active = self.segment_for(writer, bytes, first, last, max_timestamp, config, now_ms)?;
        let position = active.size_bytes();
        let mut slices: SmallVec<[IoSlice<'_>; 2]> = SmallVec::with_capacity(2 * prepared.len());
        for batch in prepared {
            slices.push(IoSlice::new(&batch.header));
            slices.push(IoSlice::new(&batch.body));
        }
        let what = || format!("writing {}", active.slot().path().display());
        let file = active.file(&self.shared.files).map_err(|error| self.dir.write_failed(&what(), &error))?;
        active.slot().pin(true);
        active.reserve(&*file, &self.dir, position, bytes as u64, config.segment_bytes);
        if let Err(error) = file.write_vectored_all_at(&mut slices, position) {
            let failure = self.dir.write_failed(&what(), &error);
            if let WriteFailure::NoSpace(_) = failure
                && let Err(error) = file.set_len(position)
            {
                return Err(self
                    .dir
                    .fail(&format!("taking back a write to {}", active.slot().path().display()), &error)
                    .into());
            }
            return Err(failure.into());
        }
        self.publish(writer, &active, prepared, position, now_ms);
        self.note_indexes(writer, &active, last, position, bytes as u64, config);

        let records: i64 = prepared.iter().map(|batch| i64::from(batch.fields.record_count)).sum();
        writer.unflushed_records += records;
        writer.unflushed_bytes += bytes as u64;
        Ok(AppendInfo {
            base_offset: first.fields.base_offset,
            last_offset: last.fields.last_offset(),
            max_timestamp,
            log_append_time: -1,
            log_start_offset: self.log_start_offset(),
            duplicate: false,
            must_flush: writer.unflushed_records >= config.flush_messages,
            bytes,
        })
    }

    fn publish(
        &self,
        writer: &mut Writer,
        active: &Arc<Segment>,
        prepared: &[Prepared],
        mut position: u64,
        now_ms: i64,
    ) {
        if position == 0 {
            active.set_first_timestamp(prepared.first().map(|batch| batch.fields.max_timestamp));
        }
        if writer.unflushed_bytes == 0 {
            writer.unflushed_since_ms = now_ms;
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
            if !writer.unsynced_txn_indexes.contains(&active.base_offset()) {
                writer.unsynced_txn_indexes.push(active.base_offset());
                // The file may be new.
                writer.are_names_unsynced = true;
            }
        }
        active.set_size_bytes(position);
        // First where the end is, then that it is: a reader who sees the new end finds it.
        let mut positions = self.positions.lock();
        for end in &ends {
            positions.push_end(*end);
        }
        drop(positions);
        if let Some(end) = ends.last() {
            self.set_log_end(end.offset);
        }
    }

    fn note_aborted(&self, active: &Segment, aborted: &AbortedTxn) {
        let path = names::segment_file(&self.folder, active.base_offset(), names::TXN_INDEX_SUFFIX);
        if let Err(error) = txn_index::append(&*self.shared.env.disk, &path, aborted) {
            // Readers would see the aborted records as committed: those of committed records get no more.
            self.dir.fail(&format!("writing {}", path.display()), &error);
            self.lacks_aborted.store(true, Ordering::Release);
        }
    }

    fn note_indexes(
        &self,
        writer: &mut Writer,
        active: &Segment,
        last: &Prepared,
        position: u64,
        bytes: u64,
        config: &LogConfig,
    ) {
        if writer.bytes_since_index_entry > config.index_interval_bytes {
            writer.bytes_since_index_entry = 0;
            let entry = OffsetEntry { offset: last.fields.last_offset(), position };
            if let Err(error) = self.append_index_entries(active, entry) {
                // Entries stay in memory and are written later; a lost one only costs time.
                tracing::debug!(partition = %self.partition, %error, "index entries wait in memory");
            }
        }
        writer.bytes_since_index_entry += bytes;
    }

    fn append_index_entries(&self, active: &Segment, entry: OffsetEntry) -> std::io::Result<()> {
        let files = &self.shared.files;
        active.index.append(entry, files)?;
        let Some(max) = active.max_timestamp(files)? else { return Ok(()) };
        if max.timestamp >= 0
            && active.time_index.last(files)?.is_none_or(|last| max.timestamp > last.timestamp)
        {
            active.time_index.append(TimeEntry { timestamp: max.timestamp, offset: max.offset }, files)?;
        }
        Ok(())
    }

    /// The segment that takes these batches: the active one, or a new one after it.
    #[allow(clippy::too_many_arguments, reason = "what the rolling rules look at")]
    fn segment_for(
        self: &Arc<Self>,
        writer: &mut Writer,
        bytes: usize,
        first: &Prepared,
        last: &Prepared,
        max_timestamp: i64,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<Arc<Segment>, AppendError> {
        match writer.active.clone() {
            None => self.create_folder(writer)?,
            Some(active) => {
                let last_offset = last.fields.last_offset();
                if !self.should_roll(
                    writer,
                    &active,
                    bytes as u64,
                    last_offset,
                    max_timestamp,
                    config,
                    now_ms,
                )? {
                    return Ok(active);
                }
            }
        }
        // A follower's first batch may lie above the end of the log.
        Ok(self.roll(writer, first.fields.base_offset.max(self.log_end_offset()), config, now_ms)?)
    }

    #[allow(clippy::too_many_arguments, reason = "what the rolling rules look at")]
    fn should_roll(
        &self,
        writer: &Writer,
        active: &Segment,
        bytes: u64,
        last_offset: Offset,
        max_timestamp: i64,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<bool, AppendError> {
        const OFFSET_ENTRY_BYTES: u64 = 8;
        const TIME_ENTRY_BYTES: u64 = 12;
        if last_offset - active.base_offset() > i64::from(i32::MAX) {
            return Ok(true);
        }
        let size = active.size_bytes();
        if size == 0 {
            return Ok(false);
        }
        if size + bytes > config.segment_bytes {
            return Ok(true);
        }
        let files = &self.shared.files;
        let what = |error: std::io::Error| {
            AppendError::from(self.dir.fail(&format!("reading {}", self.folder.display()), &error))
        };
        let first_timestamp = active.first_timestamp(files).map_err(what)?.unwrap_or(-1);
        let waited_ms =
            if first_timestamp >= 0 { max_timestamp - first_timestamp } else { now_ms - active.created_ms };
        if waited_ms > config.segment_ms_max().saturating_sub(writer.roll_jitter_ms) {
            return Ok(true);
        }
        let index_entries = active.index.len(files).map_err(what)?;
        let time_entries = active.time_index.len(files).map_err(what)?;
        Ok(index_entries >= config.segment_index_bytes / OFFSET_ENTRY_BYTES
            || time_entries + 1 >= config.segment_index_bytes / TIME_ENTRY_BYTES)
    }

    /// Makes the partition's folder, with the topic's id in it.
    fn create_folder(&self, writer: &mut Writer) -> Result<(), AppendError> {
        self.dir.forget_stale_point(&self.partition)?;
        let disk = &self.shared.env.disk;
        let made = disk.create_dir_all(&self.folder);
        made.map_err(|error| self.dir.write_failed(&format!("making {}", self.folder.display()), &error))?;
        writer.are_names_unsynced = true;
        writer.folder_number = self.dir.note_folder();
        self.write_topic_id(writer)
    }

    pub(crate) fn write_topic_id(&self, writer: &mut Writer) -> Result<(), AppendError> {
        let topic_id = *self.topic_id.lock();
        if writer.is_topic_id_written || topic_id.is_zero() {
            return Ok(());
        }
        let path = self.folder.join(names::PARTITION_METADATA);
        let text = checkpoint::write_partition_metadata(topic_id);
        self.shared
            .env
            .disk
            .open(&path, OpenMode::Truncate)
            .and_then(|file| file.write_all_at(text.as_bytes(), 0))
            .map_err(|error| self.dir.write_failed(&format!("writing {}", path.display()), &error))?;
        writer.is_topic_id_written = true;
        writer.is_topic_id_unsynced = true;
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
        let files = &self.shared.files;
        let mut replaced = None;
        if let Some(old) = writer.active.clone() {
            if old.size_bytes() == 0 {
                replaced = Some(old);
            } else {
                if let Err(error) = old.finish(files) {
                    return Err(self.dir.write_failed("finishing an index", &error));
                }
                self.take_snapshot(writer)?;
            }
        }
        let segment = Arc::new(Segment::new(&self.folder, base_offset, now_ms));
        if let Err(error) = segment.create_file(files).and_then(|file| file.set_len(0)) {
            return Err(self.dir.write_failed("making a segment", &error));
        }
        let mut segments: Vec<Arc<Segment>> = self.segments.load().iter().cloned().collect();
        match replaced {
            Some(old) => {
                segments.retain(|segment| segment.base_offset() != old.base_offset());
                if old.base_offset() != base_offset {
                    self.remove_segment_files(&old);
                }
            }
            None => {
                if let Some(old) = writer.active.take()
                    && old.size_bytes() > writer.active_synced_bytes
                {
                    writer.unsynced.push(old);
                }
            }
        }
        segments.push(segment.clone());
        self.segments.store(Arc::new(segments));
        writer.active = Some(segment.clone());
        writer.active_synced_bytes = 0;
        writer.bytes_since_index_entry = 0;
        writer.are_names_unsynced = true;
        writer.roll_jitter_ms = match config.segment_jitter_ms.min(config.segment_ms) {
            jitter if jitter > 0 => (self.shared.env.rng.next_u64() % jitter as u64) as i64,
            _ => 0,
        };
        self.positions.lock().push_end(Position { offset: base_offset, segment: base_offset, position: 0 });
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
