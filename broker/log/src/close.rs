//! Checkpointing and closing one log: what a start needs to go on from here.
//! Shell.

use crate::error::StorageFailure;
use crate::log_dir::{WriteFailure, is_full};
use crate::names;
use crate::segment::Segment;
use crate::unified_log::UnifiedLog;

impl UnifiedLog {
    /// Notes on disk how far this log is flushed, and what a start needs to go on from there.
    pub(crate) fn checkpoint(&self) -> Result<(), StorageFailure> {
        let _files = self.hold_files();
        if self.is_deleted() || !self.is_loaded() {
            return Ok(());
        }
        self.place().dir.check()?;
        let mut writer = self.writer.lock();
        // Without a segment there is no folder: an epoch that begins before the first record is written with it.
        let Some(active) = writer.active.segment().cloned() else { return Ok(()) };
        let (flushed, generation) = (self.bounds.flushed(), writer.generation());
        let snapshot = self.encode_snapshot(&mut writer);
        let epochs = self.epochs.take_unwritten(&mut writer.turn);
        drop(writer);
        let result = self.write_checkpoint(&active, snapshot, epochs.as_deref());
        match result {
            Ok(()) => {
                let writer = self.writer.lock();
                // A log that was cut meanwhile may end before it.
                if writer.generation() == generation {
                    self.place().dir.set_recovery_point(&self.partition, flushed);
                }
                Ok(())
            }
            Err(WriteFailure::NoSpace(_)) => {
                if epochs.is_some() {
                    self.epochs.note_unwritten();
                }
                Ok(())
            }
            Err(WriteFailure::Storage(failure)) => Err(failure),
        }
    }

    fn write_checkpoint(
        &self,
        active: &Segment,
        snapshot: Option<(ottla_model::Offset, Vec<u8>)>,
        epochs: Option<&str>,
    ) -> Result<(), WriteFailure> {
        let deleted_meanwhile = |result: Result<(), WriteFailure>| match result {
            Err(_) if self.is_deleted() => Ok(()),
            result => result,
        };
        active
            .flush_indexes(&self.shared.files)
            .or_else(|error| if is_full(&error) || self.is_deleted() { Ok(()) } else { Err(error) })
            .map_err(|error| self.place().dir.write_failed("writing an index", &error))?;
        if let Some((offset, bytes)) = snapshot {
            deleted_meanwhile(self.write_snapshot(offset, &bytes))?;
        }
        if let Some(epochs) = epochs {
            let path = self.place().folder.join(names::LEADER_EPOCH_CHECKPOINT);
            let written = self.shared.env.disk.write_atomically(&path, epochs.as_bytes());
            deleted_meanwhile(written.or_else(|error| {
                if self.is_deleted() {
                    return Ok(());
                }
                Err(self.place().dir.write_failed(&format!("writing {}", path.display()), &error))
            }))?;
        }
        Ok(())
    }

    /// Flushes, and leaves nothing for the next start to do.
    pub fn close(&self) -> Result<(), StorageFailure> {
        if !self.is_loaded() || self.is_deleted() {
            return Ok(());
        }
        self.flush()?;
        let active = self.writer.lock().active.segment().cloned();
        if let Some(active) = active
            && let Err(error) = active.finish(&self.shared.files)
            && !is_full(&error)
        {
            return Err(self.place().dir.fail("finishing an index", &error));
        }
        self.checkpoint()?;
        for segment in self.segments.load().iter() {
            segment.close_files();
        }
        Ok(())
    }
}
