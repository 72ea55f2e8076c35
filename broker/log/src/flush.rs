//! Flushing one log: who is reported to, what is synced, and what that proves.
//! Shell.

use std::sync::Arc;

use ottla_env::OpenMode;
use ottla_model::Offset;
use parking_lot::MutexGuard;

use crate::error::StorageFailure;
use crate::flush_state::FlushPlan;
use crate::flusher::{Flush, FlushListener};
use crate::names;
use crate::unified_log::UnifiedLog;
use crate::writer::Writer;

impl Flush for UnifiedLog {
    fn take_flush_turn(self: Arc<Self>) {
        self.flush_turn.begin();
        self.flush_and_report();
        self.shared.flusher.end(&self.flush_turn, self.clone());
    }
}

impl UnifiedLog {
    /// Who hears of flushes; replaces the one before. It hears at once how far the log is
    /// flushed, so that no flush falls between asking and listening.
    pub fn set_flush_listener(&self, listener: Option<Arc<dyn FlushListener>>) {
        self.flush_listener.write().clone_from(&listener);
        if let Some(listener) = listener {
            listener.on_flush(Ok(self.flushed_offset()));
        }
    }

    /// Asks that everything below `up_to` reaches the device. `true`: it is there already, and no
    /// call of the listener follows from this one.
    pub fn request_flush(self: &Arc<Self>, up_to: Offset) -> bool {
        if self.flushed_offset() >= up_to {
            return true;
        }
        self.enqueue_flush();
        false
    }

    pub(crate) fn enqueue_flush(self: &Arc<Self>) {
        if self.shared.flusher.is_inline() {
            self.flush_and_report();
        } else {
            self.shared.flusher.request(&self.flush_turn, self.clone());
        }
    }

    /// The log is flushed up to here without a flush: who waits for one hears of it.
    pub(crate) fn report_flushed(&self, flushed: Offset) {
        let listener = self.flush_listener.read().clone();
        if let Some(listener) = listener {
            listener.on_flush(Ok(flushed));
        }
    }

    fn flush_and_report(self: &Arc<Self>) {
        let flushed = self.flush();
        let listener = self.flush_listener.read().clone();
        if let Some(listener) = listener {
            listener.on_flush(flushed);
        }
    }

    /// While it is held nothing but an append touches the folder, and the folder stays where it is.
    pub(crate) fn hold_files(&self) -> MutexGuard<'_, ()> {
        self.flush_turn.hold()
    }

    /// Syncs what was written so far. Returns the offset below which everything is on the device.
    /// The listener hears nothing of this.
    pub fn flush(&self) -> Result<Offset, StorageFailure> {
        self.ensure_loaded()?;
        let _one_at_a_time = self.hold_files();
        loop {
            self.place().dir.check()?;
            let (plan, generation) = self.plan_flush();
            let begun = self.shared.env.clock.monotonic();
            if let Err(error) = self.sync(&plan) {
                if !self.is_deleted() {
                    return Err(self
                        .place()
                        .dir
                        .fail(&format!("syncing {}", self.place().folder.display()), &error));
                }
            } else if !plan.is_empty()
                && let Some(observer) = self.shared.on_sync.get()
            {
                observer(begun.until(self.shared.env.clock.monotonic()));
            }
            if let Some(flushed) = self.finish_flush(&plan, generation) {
                return Ok(flushed);
            }
        }
    }

    fn plan_flush(&self) -> (FlushPlan, u64) {
        let mut writer = self.writer.lock();
        let Writer { flush, active, .. } = &mut *writer;
        (flush.plan(active, self.log_end_offset()), writer.generation())
    }

    /// Gives the device what waits in the page cache, if that is much, on a thread of the flusher: the
    /// syncs have less to do then, and appends less to wait for. Proves nothing. Over all logs one at a
    /// time, and under no lock.
    pub(crate) fn write_out(self: &Arc<Self>, writer: &mut Writer) {
        let Some(active) = writer.active.segment().cloned() else { return };
        let size = active.size_bytes();
        if !writer.flush.is_write_out_due(size) || !self.shared.flusher.begin_write_out() {
            return;
        }
        let range = writer.flush.take_write_out(size);
        let shared = self.shared.clone();
        self.shared.flusher.run(Box::new(move || {
            // A file that is gone by now needs nothing.
            if let Ok(file) = active.file(&shared.files) {
                file.start_write_out(range.start, range.end - range.start);
            }
            shared.flusher.end_write_out();
        }));
    }

    fn sync(&self, plan: &FlushPlan) -> std::io::Result<()> {
        let files = &self.shared.files;
        for segment in &plan.rolled {
            // Finished indexes are synced with their segment: retention believes their last entry.
            for slot in [segment.slot(), segment.index.slot(), segment.time_index.slot()] {
                match files.get(slot, OpenMode::Read) {
                    Ok(file) => file.sync_data()?,
                    // Indexes have no file while they have no entry; deleted segments have none.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        for base in &plan.txn_indexes {
            // A start believes the entries of markers that were flushed.
            let path = names::segment_file(&self.place().folder, *base, names::TXN_INDEX_SUFFIX);
            match self.shared.env.disk.open(&path, OpenMode::ReadWrite) {
                Ok(file) => file.sync_data()?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if let Some((active, _)) = &plan.active {
            active.file(files)?.sync_data()?;
        }
        if plan.topic_id {
            // A start takes a folder without an id for one that never held a promised record.
            let path = self.place().folder.join(names::PARTITION_METADATA);
            self.shared.env.disk.open(&path, OpenMode::Read)?.sync_data()?;
        }
        if plan.names {
            self.shared.env.disk.sync_dir(&self.place().folder)?;
            self.place().dir.sync_folders(plan.folder_number)?;
        }
        Ok(())
    }

    /// `None`: the log was truncated meanwhile, so the sync proves nothing.
    fn finish_flush(&self, plan: &FlushPlan, generation: u64) -> Option<Offset> {
        let mut writer = self.writer.lock();
        if writer.generation() != generation {
            return None;
        }
        let Writer { turn, flush, active, .. } = &mut *writer;
        flush.finish(plan, active);
        Some(self.bounds.advance_flushed(turn, plan.end))
    }
}
