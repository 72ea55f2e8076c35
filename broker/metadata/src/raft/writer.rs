//! Brings what the quorum agrees on to the disk: batches, and the term and vote of this voter.
//! Shell, on a thread of its own: nobody who sends heartbeats waits for it.
//!
//! Invariants:
//! - I1. Writes are done in the order in which they were given; one is reported when it and all before it are on the
//!   device.
//! - I2. After a failure nothing more is written or reported until the process starts anew.
//! - I3. That the device is full is no failure: nothing is reported, and the same is written when there is room.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use ottla_env::{Env, OpenMode};
use ottla_log::{AppendError, UnifiedLog};
use ottla_model::{BrokerId, Offset};

use super::log_store::StoredBatch;
use super::snapshot_fetch::PART_BYTES;
use crate::damage::GROUP_BATCHES_MAX;
use crate::metadata_log::CommitError;
use crate::quorum_state::{self, QuorumState};
use crate::snapshot::SnapshotId;

/// Writes that are brought to the device together.
pub(crate) const GROUP_MAX: usize = 64;

/// What must be on the device before something leaves this node.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Write {
    /// Rises from write to write.
    pub number: u64,
    pub state: Option<QuorumState>,
    /// The log becomes empty and goes on behind this snapshot, which is on the device.
    pub install: Option<SnapshotId>,
    /// The first may begin before the log's end: what is behind its place is cut.
    pub batches: Vec<StoredBatch>,
    /// A snapshot stands for the records before it; they go.
    pub drop_before: Option<SnapshotId>,
    /// A part of a snapshot that is fetched, and whether it is the last.
    pub part: Option<(Part, bool)>,
}

/// Bytes of a snapshot's file.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Part {
    pub id: SnapshotId,
    pub position: u64,
    pub file_bytes: u64,
    pub bytes: Bytes,
}

/// A follower asks for a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PartRequest {
    pub to: BrokerId,
    pub id: SnapshotId,
    pub position: u64,
}

#[derive(Clone)]
pub(crate) struct LogWriter {
    env: Env,
    log: Arc<UnifiedLog>,
    folder: PathBuf,
    failed: Option<CommitError>,
}

impl LogWriter {
    pub fn new(env: Env, log: Arc<UnifiedLog>, folder: PathBuf) -> LogWriter {
        LogWriter { env, log, folder, failed: None }
    }

    /// Does all of them and gives the number of the last. `Refused`: the device is full, and the same group may be given
    /// again, whatever of it is done.
    pub fn write(&mut self, group: &[Write]) -> Result<u64, CommitError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let result = self.try_write(group);
        if let Err(error @ (CommitError::Poisoned(_) | CommitError::NotLeader)) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    fn try_write(&mut self, group: &[Write]) -> Result<u64, CommitError> {
        let number = group.last().map_or(0, |write| write.number);
        let poisoned = |error: &dyn std::fmt::Display| CommitError::Poisoned(error.to_string());
        if !self.env.disk.exists(&self.folder) {
            self.make_folder().map_err(failure_of)?;
        }
        if let Some(state) = group.iter().rev().find_map(|write| write.state.as_ref()) {
            quorum_state::write(&*self.env.disk, &self.folder, state).map_err(failure_of)?;
        }
        let (mut is_changed, mut unsynced) = (false, 0);
        for write in group {
            let Write { install, batches, drop_before, part, .. } = write;
            if let Some((part, is_last)) = part {
                self.write_part(part, *is_last).map_err(failure_of)?;
            }
            is_changed |= install.is_some() || !batches.is_empty();
            if let Some(snapshot) = install {
                self.log
                    .truncate_fully_and_start_at(snapshot.end_offset)
                    .map_err(|error| poisoned(&error))?;
            }
            for batch in batches {
                self.append(batch)?;
                unsynced += 1;
                if unsynced == GROUP_BATCHES_MAX {
                    self.log.flush()?;
                    unsynced = 0;
                }
            }
            if let Some(snapshot) = drop_before {
                self.drop_before(*snapshot);
            }
        }
        if is_changed {
            self.log.flush()?;
        }
        Ok(number)
    }

    fn make_folder(&self) -> io::Result<()> {
        self.env.disk.create_dir_all(&self.folder)?;
        self.folder.parent().map_or(Ok(()), |parent| self.env.disk.sync_dir(parent))
    }

    /// A snapshot that is whole gets its name; it is on the device then.
    fn write_part(&self, part: &Part, is_last: bool) -> io::Result<()> {
        let disk = &*self.env.disk;
        let path = self.folder.join(part.id.file_name());
        let temporary = self.folder.join(format!("{}.part", part.id.file_name()));
        let mode = if part.position == 0 { OpenMode::Truncate } else { OpenMode::ReadWrite };
        let file = disk.open(&temporary, mode)?;
        file.write_all_at(&part.bytes, part.position)?;
        if !is_last {
            return Ok(());
        }
        file.sync_data()?;
        crate::snapshot::verify(&disk.read(&temporary)?)?;
        disk.rename(&temporary, &path)?;
        disk.sync_dir(&self.folder)
    }

    /// A part of a snapshot of this node's; `None` when it is not there any more.
    pub fn read_part(&self, request: &PartRequest) -> Option<Part> {
        let path = self.folder.join(request.id.file_name());
        let file = self.env.disk.open(&path, OpenMode::Read).ok()?;
        let file_bytes = file.len().ok()?;
        let count = file_bytes.checked_sub(request.position)?.min(PART_BYTES as u64);
        let mut bytes = vec![0; count as usize];
        file.read_exact_at(&mut bytes, request.position).ok()?;
        Some(Part { id: request.id, position: request.position, file_bytes, bytes: bytes.into() })
    }

    fn append(&mut self, batch: &StoredBatch) -> Result<(), CommitError> {
        let poisoned = |error: &dyn std::fmt::Display| CommitError::Poisoned(error.to_string());
        if batch.base < self.log.log_end_offset() {
            self.log.truncate_to(batch.base).map_err(|error| poisoned(&error))?;
        }
        assert!(batch.base == self.log.log_end_offset(), "offsets are contiguous");
        let now_ms = self.env.clock.wall_ms();
        match self.log.append_as_follower(batch.bytes.clone(), now_ms) {
            Ok(_) => Ok(()),
            Err(AppendError::NoSpace(why)) => Err(CommitError::Refused(why)),
            Err(error) => Err(poisoned(&error)),
        }
    }

    /// Only room is lost when it fails.
    fn drop_before(&self, snapshot: SnapshotId) {
        let end: Offset = snapshot.end_offset;
        if end <= self.log.log_start_offset() {
            return;
        }
        let dropped = self.log.delete_records(end).map(drop);
        if let Err(error) = dropped.and_then(|()| self.log.run_retention(self.env.clock.wall_ms()).map(drop))
        {
            tracing::warn!("metadata records before the snapshot could not be dropped: {error}");
            return;
        }
        if let Err(error) = crate::snapshot::remove_before(&*self.env.disk, &self.folder, snapshot) {
            tracing::warn!("older metadata snapshots could not be removed: {error}");
        }
    }
}

/// A full device may have room later; what else became of a write is not known.
fn failure_of(error: io::Error) -> CommitError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => CommitError::Refused(error.to_string()),
        _ => CommitError::Poisoned(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ottla_env::memory::{Faults, FaultyDisk};
    use ottla_model::LeaderEpoch;
    use ottla_protocol::records::control::LeaderChangeMessage;
    use ottla_records::ControlRecordType;

    use super::*;
    use crate::batch::encode_control;
    use crate::metadata_log::MetadataLog;
    use crate::metadata_tests::{DIR, logs, world};

    #[test]
    fn a_full_device_is_waited_for_and_a_failed_one_is_given_up() {
        let disk = FaultyDisk::new(3);
        let env = world(3, Arc::new(disk.clone()));
        let log = MetadataLog::on_disk(&logs(&env, Path::new(DIR))).expect("it opens");
        let unified = log.unified().expect("on a disk").clone();
        let mut writer = LogWriter::new(env, unified.clone(), log.folder().expect("on a disk"));
        let write = |number: u64| {
            let (kind, message) = (ControlRecordType::LeaderChange, LeaderChangeMessage::default());
            let bytes = encode_control(kind, &message, Offset(number as i64 - 1), LeaderEpoch(1), 5);
            let batches = vec![StoredBatch::parse(bytes).expect("whole")];
            let state = Some(QuorumState::of_lone(BrokerId(1), LeaderEpoch(1)));
            Write { number, batches, state, ..Write::default() }
        };
        let group = [write(1), write(2)];
        for faults in [
            Faults { write_is_full: 1_000, ..Faults::default() },
            Faults { write_is_full: 500, ..Faults::default() },
        ] {
            disk.set_faults(faults);
            for _ in 0..20 {
                let written = writer.write(&group);
                assert!(matches!(written, Ok(2) | Err(CommitError::Refused(_))), "{written:?}");
            }
        }
        disk.set_faults(Faults::default());
        assert_eq!(writer.write(&group), Ok(2));
        assert_eq!(unified.log_end_offset(), Offset(2), "each is there once");
        disk.set_faults(Faults { write_fails: 1_000, ..Faults::default() });
        assert!(matches!(writer.write(&[write(3)]), Err(CommitError::Poisoned(_))));
        disk.set_faults(Faults::default());
        assert!(matches!(writer.write(&[write(3)]), Err(CommitError::Poisoned(_))), "it stays so");
    }
}
