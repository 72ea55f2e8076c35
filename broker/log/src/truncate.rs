//! Cutting the log: its end back (a follower that went astray), its start forward (DeleteRecords).
//! Shell.

use std::sync::Arc;

use ottla_model::Offset;

use crate::error::ChangeError;
use crate::log_dir::WriteFailure;
use crate::names;
use crate::segment::Segment;
use crate::unified_log::UnifiedLog;
use crate::writer::Writer;

impl From<WriteFailure> for ChangeError {
    fn from(failure: WriteFailure) -> ChangeError {
        match failure {
            WriteFailure::NoSpace(text) => ChangeError::NoSpace(text),
            WriteFailure::Storage(failure) => ChangeError::Storage(failure),
        }
    }
}

impl UnifiedLog {
    fn check_changeable(&self) -> Result<(), ChangeError> {
        if self.is_deleted() {
            return Err(ChangeError::Deleted);
        }
        self.place().dir.check()?;
        Ok(self.ensure_loaded()?)
    }

    /// Drops every record at or above `offset`, durably. The next record gets `offset`.
    pub fn truncate_to(self: &Arc<Self>, offset: Offset) -> Result<(), ChangeError> {
        self.check_changeable()?;
        let _turn = self.cleaning.swap_turn.lock();
        let mut writer = self.writer.lock();
        if self.is_deleted() {
            return Err(ChangeError::Deleted);
        }
        if offset >= self.log_end_offset() {
            // A leader that appended nothing left its epoch here (KAFKA-10706).
            let log_end = self.log_end_offset();
            self.epochs.truncate_from_end(&mut writer.turn, log_end);
            return Ok(());
        }
        let segments = self.segments.load_full();
        let kept = segments.partition_point(|segment| segment.base_offset() < offset);
        if kept == 0 || offset < self.local_log_start_offset() {
            return self.start_again_at(&mut writer, offset);
        }
        writer.begin_truncation();
        let active = segments[kept - 1].clone();
        let found =
            active.find(&self.shared.files, offset).map_err(|error| self.truncation_failed(&error))?;
        let size = found.map_or(active.size_bytes(), |(position, _)| position);
        // Readers first: none may look for a file that is about to go.
        self.bounds.truncate(&mut writer.turn, offset);
        let dropped = self.segments.truncate(&mut writer.turn, kept, offset, size);
        self.cut(&dropped, &active, size, offset).map_err(|error| self.truncation_failed(&error))?;
        writer.active.resume(Some(active.clone()), 0);
        writer.flush.forget(|segment| !segments[..kept - 1].iter().any(|kept| Arc::ptr_eq(kept, segment)));
        writer.flush.note_truncated(size);
        self.epochs.truncate_from_end(&mut writer.turn, offset);
        self.after_truncation(&mut writer, offset)
    }

    fn truncation_failed(&self, error: &std::io::Error) -> ChangeError {
        self.place().dir.fail(&format!("truncating {}", self.place().folder.display()), error).into()
    }

    /// Removes later segments (the last first, so that a crash leaves a log without a hole) and
    /// cuts the one that stays.
    fn cut(
        &self,
        dropped: &[Arc<Segment>],
        active: &Segment,
        position: u64,
        offset: Offset,
    ) -> std::io::Result<()> {
        let files = &self.shared.files;
        self.remove_for_good(dropped)?;
        let file = active.file(files)?;
        file.set_len(position)?;
        file.sync_data()?;
        active.forget_checked(position);
        active.index.truncate(files, |entry| entry.position < position)?;
        active.time_index.truncate(files, |entry| entry.offset < offset)?;
        active.recompute_max_timestamp(files)?;
        if position == 0 {
            active.set_first_timestamp(None);
        }
        Ok(())
    }

    /// The last first; on the device before anything new takes their place.
    pub(crate) fn remove_for_good(&self, segments: &[Arc<Segment>]) -> std::io::Result<()> {
        for segment in segments.iter().rev() {
            self.remove_segment_files_now(segment)?;
            self.shared.env.disk.sync_dir(&self.place().folder)?;
        }
        Ok(())
    }

    fn after_truncation(&self, writer: &mut Writer, end: Offset) -> Result<(), ChangeError> {
        let listing = self.listing();
        let rebuilt = self
            .drop_snapshots_above(&listing, end)
            .and_then(|()| self.rebuild_producers(writer, &listing, self.log_start_offset(), end));
        rebuilt.map_err(|error| {
            ChangeError::from(
                self.place().dir.fail(&format!("reading {}", self.place().folder.display()), &error),
            )
        })?;
        self.place().dir.lower_recovery_point(&self.partition, end);
        self.place().dir.lower_cleaned(&self.partition, end)?;
        self.place().dir.write_recovery_points()?;
        Ok(())
    }

    /// Drops every record; the next one gets `offset`.
    pub fn truncate_fully_and_start_at(self: &Arc<Self>, offset: Offset) -> Result<(), ChangeError> {
        self.check_changeable()?;
        let _turn = self.cleaning.swap_turn.lock();
        let mut writer = self.writer.lock();
        if self.is_deleted() {
            return Err(ChangeError::Deleted);
        }
        self.start_again_at(&mut writer, offset)
    }

    fn start_again_at(self: &Arc<Self>, writer: &mut Writer, offset: Offset) -> Result<(), ChangeError> {
        // Before anything goes: the next start must not wait for records up to where this log began.
        self.place().dir.lower_log_start(&self.partition, offset)?;
        writer.begin_truncation();
        // Readers first: none may look for a file that is about to go.
        self.bounds.restart_at(&mut writer.turn, offset);
        let dropped = self.segments.truncate(&mut writer.turn, 0, offset, 0);
        self.remove_for_good(&dropped).map_err(|error| self.truncation_failed(&error))?;
        writer.flush.forget(|_| true);
        writer.flush.note_truncated(0);
        self.epochs.clear(&mut writer.turn);
        let had_folder = writer.active.clear().is_some();
        self.drop_snapshots_above(&self.listing(), Offset(-1))
            .map_err(|error| self.truncation_failed(&error))?;
        if had_folder || offset.0 > 0 {
            self.make_folder(writer)?;
            let config = self.config.load();
            self.roll(writer, offset, &config, self.shared.env.clock.wall_ms())?;
        }
        self.after_truncation(writer, offset)
    }

    /// Makes `before` the first offset that can be read, durably before it returns. May block.
    pub fn delete_records(self: &Arc<Self>, before: Offset) -> Result<Offset, ChangeError> {
        self.check_changeable()?;
        let (log_start_offset, log_end_offset) = (self.log_start_offset(), self.log_end_offset());
        if before > self.deletable_below() || before.0 < 0 {
            return Err(ChangeError::OffsetOutOfRange { offset: before, log_start_offset, log_end_offset });
        }
        if before > log_start_offset {
            self.move_log_start(before)?;
            self.remove_segments_below_local_start();
        }
        Ok(self.log_start_offset())
    }

    /// Moves the log's start forward: first on disk, then for readers.
    pub(crate) fn move_log_start(&self, to: Offset) -> Result<(), WriteFailure> {
        // A folder that loses its id belongs to no topic, and its promised start would go with it.
        let is_id_unsynced = self.writer.lock().flush.is_topic_id_unsynced();
        if is_id_unsynced {
            self.flush().map_err(WriteFailure::Storage)?;
        }
        // The log is not cut meanwhile: its start stays before its end.
        let _turn = self.cleaning.swap_turn.lock();
        let to = to.min(self.log_end_offset());
        self.place().dir.write_log_start(&self.partition, to)?;
        if self.is_deleted() {
            // Deleted meanwhile: a later partition of that name must not start there.
            return self.place().dir.forget(&self.partition);
        }
        let mut writer = self.writer.lock();
        if to > self.log_start_offset() {
            self.bounds.advance_log_start(&mut writer.turn, to);
            self.epochs.truncate_from_start(&mut writer.turn, to);
        }
        Ok(())
    }

    /// Takes segments that lie wholly below the first local offset off the list, then off the disk.
    pub(crate) fn remove_segments_below_local_start(self: &Arc<Self>) -> usize {
        let removed: Vec<Arc<Segment>> = {
            let _turn = self.cleaning.swap_turn.lock();
            let mut writer = self.writer.lock();
            self.segments.remove_below(&mut writer.turn, self.local_log_start_offset())
        };
        let count = removed.len();
        if count == 0 {
            return 0;
        }
        let log = self.clone();
        self.shared.flusher.run(Box::new(move || {
            let _files = log.hold_files();
            if log.is_deleted() {
                // The folder has moved; what has its name now is another log's.
                return;
            }
            for segment in &removed {
                log.remove_segment_files(segment);
            }
        }));
        count
    }

    /// Removes a segment's files; what can't be removed is tried again at the next start.
    pub(crate) fn remove_segment_files(&self, segment: &Segment) {
        if let Err(error) = self.remove_segment_files_now(segment)
            && !self.is_deleted()
        {
            tracing::warn!(partition = %self.partition, base_offset = %segment.base_offset(), %error, "a segment's files could not be removed");
        }
    }

    fn remove_segment_files_now(&self, segment: &Segment) -> std::io::Result<()> {
        segment.close_files();
        let suffixes = [
            names::LOG_SUFFIX,
            names::INDEX_SUFFIX,
            names::TIME_INDEX_SUFFIX,
            names::TXN_INDEX_SUFFIX,
            names::SNAPSHOT_SUFFIX,
        ];
        for suffix in suffixes {
            let path = names::segment_file(&self.place().folder, segment.base_offset(), suffix);
            match self.shared.env.disk.remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
