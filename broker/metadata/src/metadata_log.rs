//! The log of metadata records on this disk: append, sync, recover, drop what a snapshot contains.
//! Shell.
//!
//! ```text
//! __cluster_metadata-0/
//!   <base offset %020d>.log                     v2 batches, one for each decision (see batch.rs)
//!   <end offset %020d>-<epoch %010d>.checkpoint (see snapshot.rs)
//!   quorum-state                                (see quorum_state.rs)
//! ```
//!
//! Invariants:
//! - I1. A batch is one decision: it is there whole or not at all.
//! - I2. After a failed write the file is cut back to where it was; if that fails too, or a sync
//!   failed, the log is poisoned: nothing more is appended until the process starts anew.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ottla_env::{Disk, File, OpenMode};
use ottla_model::{LeaderEpoch, Offset};
use ottla_records::{BatchError, BatchView};

use crate::batch::{Entry, decode_batch};
use crate::snapshot::{self, SnapshotId};

/// What is true after a failed append or sync.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Nothing was written; a later append may succeed.
    #[error("the metadata log can't be written: {0}")]
    Refused(String),
    /// Nothing is known of what was written; nothing more will be until the process starts anew.
    #[error("the metadata log failed and takes nothing more until a restart: {0}")]
    Poisoned(String),
}

#[derive(Debug, thiserror::Error)]
pub enum LogOpenError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} begins at offset {base}, but what comes before it (up to offset {known}) is missing")]
    Gap { path: PathBuf, base: Offset, known: Offset },
    #[error("{path}: {source}")]
    Unreadable { path: PathBuf, source: crate::batch::UnreadableRecord },
}

pub struct MetadataLog {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    active: Segment,
    /// Base offsets of the segments before the active one.
    closed: Vec<Offset>,
    next_offset: Offset,
    bytes_since_snapshot: u64,
    /// Names in the folder that no `sync_dir` has covered.
    names_changed: bool,
    unsynced: bool,
    poisoned: Option<String>,
}

struct Segment {
    base: Offset,
    file: Arc<dyn File>,
    bytes: u64,
}

/// A segment's name.
fn segment_name(base: Offset) -> String {
    format!("{:020}.log", base.0)
}

impl MetadataLog {
    /// Opens the folder and hands every entry from `from` on to `on_entry`. A torn tail is cut off;
    /// the lines say what was done.
    pub fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        from: Offset,
        on_entry: &mut dyn FnMut(Entry, Offset, LeaderEpoch),
    ) -> Result<(MetadataLog, Vec<String>), LogOpenError> {
        let io_error = |path: &Path| {
            let path = path.to_owned();
            move |source| LogOpenError::Io { path, source }
        };
        let mut bases: Vec<Offset> = disk
            .read_dir(folder)
            .map_err(io_error(folder))?
            .iter()
            .filter_map(|entry| Some(Offset(entry.name.strip_suffix(".log")?.parse().ok()?)))
            .collect();
        bases.sort();
        let mut lines = Vec::new();
        let mut next = from;
        let mut bytes_since_snapshot = 0;
        let mut active = None;
        let mut closed: Vec<Offset> = Vec::new();
        let mut end_offset = Offset::ZERO;
        for (index, base) in bases.iter().copied().enumerate() {
            let path = folder.join(segment_name(base));
            if base > next {
                return Err(LogOpenError::Gap { path, base, known: next });
            }
            // A segment that ends where the next one begins before `from` holds nothing new.
            if bases.get(index + 1).is_some_and(|following| *following <= from) {
                closed.push(base);
                continue;
            }
            let file = disk.open(&path, OpenMode::ReadWrite).map_err(io_error(&path))?;
            let bytes = disk.read(&path).map_err(io_error(&path))?;
            let end = replay_segment(&bytes, &mut next, on_entry)
                .map_err(|source| LogOpenError::Unreadable { path: path.clone(), source })?;
            bytes_since_snapshot += end.bytes as u64;
            end_offset = end.offset.max(end_offset);
            if let Some(why) = end.cut {
                lines.push(format!(
                    "metadata log: {} cut at byte {} of {} ({why}); records up to offset {} are kept",
                    path.display(),
                    end.bytes,
                    bytes.len(),
                    next.0 - 1
                ));
                file.set_len(end.bytes as u64).map_err(io_error(&path))?;
                for later in &bases[index + 1..] {
                    let path = folder.join(segment_name(*later));
                    lines
                        .push(format!("metadata log: {} lies behind the cut and is removed", path.display()));
                    disk.remove_file(&path).map_err(io_error(&path))?;
                }
                active = Some(Segment { base, file, bytes: end.bytes as u64 });
                break;
            }
            closed.extend(active.replace(Segment { base, file, bytes: end.bytes as u64 }).map(|s| s.base));
        }
        // A log that ends before what a snapshot holds goes on in a segment of its own: offsets
        // within a segment follow one another.
        let fitting = active.take_if(|segment| segment.base.max(end_offset) >= from);
        closed.extend(active.map(|segment: Segment| segment.base));
        let names_changed = fitting.is_none();
        let active = match fitting {
            Some(segment) => segment,
            None => create_segment(&*disk, folder, next).map_err(io_error(folder))?,
        };
        let folder = folder.to_owned();
        let log = MetadataLog {
            disk,
            folder,
            active,
            closed,
            next_offset: next,
            bytes_since_snapshot,
            names_changed,
            unsynced: names_changed,
            poisoned: None,
        };
        Ok((log, lines))
    }

    /// Bytes that a start reads besides the newest snapshot.
    pub fn bytes_since_snapshot(&self) -> u64 {
        self.bytes_since_snapshot
    }

    /// Whether the files are the machine's, not a memory disk's.
    pub fn is_on_device(&self) -> bool {
        self.active.file.std_file().is_some()
    }

    pub fn poisoned(&self) -> Option<CommitError> {
        self.poisoned.clone().map(CommitError::Poisoned)
    }

    /// Writes batches that begin at `next_offset` and hold all offsets up to (without) `end`.
    pub fn append(&mut self, batches: &[Bytes], end: Offset) -> Result<(), CommitError> {
        if let Some(poisoned) = self.poisoned() {
            return Err(poisoned);
        }
        let mut slices: Vec<IoSlice<'_>> = batches.iter().map(|batch| IoSlice::new(batch)).collect();
        if let Err(error) = self.active.file.write_vectored_all_at(&mut slices, self.active.bytes) {
            if let Err(cut) = self.active.file.set_len(self.active.bytes) {
                return Err(self.poison(format!("{error}; cutting it back failed: {cut}")));
            }
            return Err(CommitError::Refused(error.to_string()));
        }
        let bytes = batches.iter().map(|batch| batch.len() as u64).sum::<u64>();
        self.active.bytes += bytes;
        self.bytes_since_snapshot += bytes;
        self.next_offset = end;
        self.unsynced = true;
        Ok(())
    }

    /// Waits until all that was appended is on the device.
    pub fn sync(&mut self) -> Result<(), CommitError> {
        if let Some(poisoned) = self.poisoned() {
            return Err(poisoned);
        }
        if !self.unsynced {
            return Ok(());
        }
        if let Err(error) = self.active.file.sync_data() {
            return Err(self.poison(error.to_string()));
        }
        if self.names_changed {
            let parent = self.folder.parent().map_or(Ok(()), |parent| self.disk.sync_dir(parent));
            if let Err(error) = parent.and_then(|()| self.disk.sync_dir(&self.folder)) {
                return Err(self.poison(error.to_string()));
            }
            self.names_changed = false;
        }
        self.unsynced = false;
        Ok(())
    }

    fn poison(&mut self, why: String) -> CommitError {
        tracing::error!("the metadata log in {} failed: {why}", self.folder.display());
        self.poisoned = Some(why.clone());
        CommitError::Poisoned(why)
    }

    /// Begins a new segment, so that those before it can go once a snapshot holds them.
    pub fn roll(&mut self) -> Result<(), CommitError> {
        self.sync()?;
        if self.active.bytes == 0 {
            return Ok(());
        }
        let next = create_segment(&*self.disk, &self.folder, self.next_offset)
            .map_err(|error| CommitError::Refused(error.to_string()))?;
        self.closed.push(std::mem::replace(&mut self.active, next).base);
        self.names_changed = true;
        self.unsynced = true;
        self.bytes_since_snapshot = 0;
        Ok(())
    }

    /// Removes segments and older snapshots that the snapshot stands for.
    pub fn on_snapshot(&mut self, id: SnapshotId) -> io::Result<()> {
        let mut ends: Vec<Offset> = self.closed.iter().skip(1).copied().collect();
        ends.push(self.active.base);
        let contained = ends.iter().take_while(|end| **end <= id.end_offset).count().min(self.closed.len());
        for base in self.closed.drain(..contained) {
            self.disk.remove_file(&self.folder.join(segment_name(base)))?;
        }
        for older in snapshot::list(&*self.disk, &self.folder)?.into_iter().filter(|other| *other < id) {
            self.disk.remove_file(&self.folder.join(older.file_name()))?;
        }
        Ok(())
    }
}

fn create_segment(disk: &dyn Disk, folder: &Path, base: Offset) -> io::Result<Segment> {
    let file = disk.open(&folder.join(segment_name(base)), OpenMode::Truncate)?;
    Ok(Segment { base, file, bytes: 0 })
}

/// How far a segment can be read.
struct SegmentEnd {
    bytes: usize,
    /// The offset behind the last batch.
    offset: Offset,
    /// Why the rest can't.
    cut: Option<String>,
}

fn replay_segment(
    bytes: &[u8],
    next: &mut Offset,
    on_entry: &mut dyn FnMut(Entry, Offset, LeaderEpoch),
) -> Result<SegmentEnd, crate::batch::UnreadableRecord> {
    let mut position = 0;
    let mut offset = Offset::ZERO;
    while position < bytes.len() {
        let cut = |why: String| Ok(SegmentEnd { bytes: position, offset, cut: Some(why) });
        let checked = BatchView::first(&bytes[position..]).and_then(|view| {
            view.verify_checksum()?;
            Ok::<_, BatchError>(view)
        });
        let view = match checked {
            Ok(view) => view,
            Err(error) => return cut(error.to_string()),
        };
        let header = view.header();
        // What the snapshot holds already is passed over.
        if header.next_offset() > *next {
            if header.base_offset > *next {
                return cut(format!("offset {} follows {}", header.base_offset, next.0 - 1));
            }
            let from = *next;
            decode_batch(&view, &mut |entry, offset, epoch| {
                if offset >= from {
                    on_entry(entry, offset, epoch);
                }
            })?;
            *next = header.next_offset();
        }
        position += header.size_bytes();
        offset = header.next_offset();
    }
    Ok(SegmentEnd { bytes: position, offset, cut: None })
}
