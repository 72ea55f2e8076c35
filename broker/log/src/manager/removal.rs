//! Partitions that go: those that are deleted, and those that have no replica here any more.
//! Shell.

use std::path::PathBuf;

use ottla_model::TopicPartition;

use super::LogManager;
use crate::error::ChangeError;
use crate::names;
use crate::startup::remove_folder;

impl LogManager {
    /// Takes a partition away: at once for everybody who asks, its files later. May block.
    pub fn delete(&self, partition: &TopicPartition) -> Result<bool, ChangeError> {
        let Some(gone) = self.take_away(partition, names::delete_folder)? else { return Ok(false) };
        self.remove_later(gone);
        Ok(true)
    }

    /// Sets aside the folder of a partition that no longer has a replica here. It keeps its files, under a name that no
    /// start takes for a partition's, for whoever runs the broker to look at and to remove
    /// (`LogManager.addStrayLog`, KAFKA-15605). The metadata log is no partition that could go. May block.
    pub fn set_aside(&self, partition: &TopicPartition) -> Result<(), ChangeError> {
        if partition.to_string() == names::CLUSTER_METADATA_FOLDER {
            return Ok(());
        }
        if let Some(stray) = self.take_away(partition, names::stray_folder)? {
            tracing::warn!(
                %partition, folder = %stray.display(),
                "the partition has no replica on this broker any more: its folder is kept under another name"
            );
        }
        Ok(())
    }

    /// Takes a partition away from everybody who asks, and gives its folder another name: that name, where there was one.
    fn take_away(
        &self,
        partition: &TopicPartition,
        name: fn(&TopicPartition, u128) -> String,
    ) -> Result<Option<PathBuf>, ChangeError> {
        let Some(log) = self.logs.write().remove(partition) else {
            // Nothing was written to it, but it had its place elsewhere.
            self.background.note_deleted();
            return Ok(None);
        };
        log.mark_deleted();
        // Who writes now is waited for; who comes later finds the mark.
        let _files = log.hold_files();
        let _writer = log.writer.lock();
        self.background.note_deleted();
        for segment in log.segments.load().iter() {
            segment.retire_files();
        }
        log.place().dir.check()?;
        log.place().dir.forget(partition)?;
        let unique = u128::from_le_bytes(self.shared.env.rng.next_16());
        let gone = log.place().dir.path().join(name(partition, unique));
        match self.shared.env.disk.rename(&log.place().folder, &gone) {
            Ok(()) => Ok(Some(gone)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(log
                .place()
                .dir
                .fail(&format!("renaming {}", log.place().folder.display()), &error)
                .into()),
        }
    }

    fn remove_later(&self, folder: PathBuf) {
        let disk = self.shared.env.disk.clone();
        self.shared.flusher.run(Box::new(move || remove_folder(&*disk, &folder)));
    }
}
