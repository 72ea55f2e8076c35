//! Checkpoints of the image in Kafka's snapshot format, so that the log before them can go.
//! Shell.
//!
//! ```text
//! file: <end offset %020d>-<epoch %010d>.checkpoint     end offset: the first not contained
//! batches, offsets from 0, epoch of the snapshot:
//!   control SnapshotHeader (last contained time), where the log says who votes KRaftVersion and Voters | records ... | control SnapshotFooter
//! ```

use std::io;
use std::path::Path;

use bytes::Bytes;
use ottla_env::{Disk, OpenMode};
use ottla_model::{LeaderEpoch, Offset};
use ottla_protocol::codec::Encode;
use ottla_protocol::records::control::{SnapshotFooterRecord, SnapshotHeaderRecord};
use ottla_protocol::records::metadata::MetadataRecord;
use ottla_records::{BatchBuilder, ControlRecordType, batches};

use crate::batch::{Entry, append_voters, decode_batch, encode_batch, encode_control};
use crate::controller::features::KRAFT_VERSION;
use crate::image::Image;
use crate::records_of::{records_of_cluster, records_of_topic};
use crate::replay::Working;
use crate::voter_set::VoterSet;

/// Records one batch of a snapshot gathers before it is closed.
const RECORDS_PER_BATCH: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SnapshotId {
    /// The first offset that the snapshot does not contain.
    pub end_offset: Offset,
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    pub fn of(image: &Image) -> SnapshotId {
        SnapshotId { end_offset: image.metadata_offset() + 1, epoch: image.leader_epoch() }
    }

    pub fn file_name(self) -> String {
        format!("{:020}-{:010}.checkpoint", self.end_offset.0, self.epoch.0)
    }

    pub fn parse(name: &str) -> Option<SnapshotId> {
        let (offset, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
        if offset.len() != 20 || epoch.len() != 10 {
            return None;
        }
        Some(SnapshotId { end_offset: Offset(offset.parse().ok()?), epoch: LeaderEpoch(epoch.parse().ok()?) })
    }
}

/// The snapshots of a folder, newest first.
pub fn list(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<SnapshotId>> {
    // The folder is made with the first record.
    if !disk.exists(folder) {
        return Ok(Vec::new());
    }
    let mut found: Vec<SnapshotId> =
        disk.read_dir(folder)?.iter().filter_map(|entry| SnapshotId::parse(&entry.name)).collect();
    found.sort_by(|a, b| b.cmp(a));
    Ok(found)
}

/// Removes the snapshots that a newer one stands for. The one that a directory was formatted with stays: it says who votes.
pub fn remove_before(disk: &dyn Disk, folder: &Path, id: SnapshotId) -> io::Result<()> {
    for older in
        list(disk, folder)?.into_iter().filter(|other| *other < id && other.end_offset > Offset::ZERO)
    {
        disk.remove_file(&folder.join(older.file_name()))?;
    }
    Ok(())
}

/// Writes the image; when this returns the snapshot is on the device under its name.
pub fn write(disk: &dyn Disk, folder: &Path, image: &Image, now_ms: i64) -> io::Result<SnapshotId> {
    let id = SnapshotId::of(image);
    let path = folder.join(id.file_name());
    let temporary = folder.join(format!("{}.part", id.file_name()));
    let file = disk.open(&temporary, OpenMode::Truncate)?;
    let mut position = 0;
    let mut put = |bytes: Bytes| -> io::Result<()> {
        file.write_all_at(&bytes, position)?;
        position += bytes.len() as u64;
        Ok(())
    };
    let header =
        SnapshotHeaderRecord { last_contained_log_timestamp: now_ms, ..SnapshotHeaderRecord::default() };
    let mut head = BatchBuilder::new().control().base_offset(Offset::ZERO).leader_epoch(id.epoch);
    let value = header.encoded(0).expect("version 0 holds every field");
    head.append(now_ms, Some(&ControlRecordType::SnapshotHeader.key()), Some(&value), &[]);
    if let Some(voters) = &image.voters {
        let level = image.feature_level(KRAFT_VERSION);
        append_voters(&mut head, &voters.set, Some(level), now_ms);
    }
    let mut next = Offset(i64::from(head.count()));
    put(head.build())?;
    let mut pending: Vec<MetadataRecord> = records_of_cluster(image);
    let mut flush = |pending: &mut Vec<MetadataRecord>, next: &mut Offset| -> io::Result<()> {
        if !pending.is_empty() {
            put(encode_batch(pending, *next, id.epoch, now_ms))?;
            *next += pending.len() as i64;
            pending.clear();
        }
        Ok(())
    };
    for topic in image.topics() {
        pending.extend(records_of_topic(topic));
        if pending.len() >= RECORDS_PER_BATCH {
            flush(&mut pending, &mut next)?;
        }
    }
    flush(&mut pending, &mut next)?;
    let footer = SnapshotFooterRecord::default();
    put(encode_control(ControlRecordType::SnapshotFooter, &footer, next, id.epoch, now_ms))?;
    file.sync_data()?;
    disk.rename(&temporary, &path)?;
    disk.sync_dir(folder)?;
    Ok(id)
}

/// Whether these bytes are a whole snapshot.
pub fn verify(bytes: &[u8]) -> io::Result<()> {
    let damaged = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut is_whole = false;
    for view in batches(bytes) {
        let view = view.map_err(|error| damaged(error.to_string()))?;
        view.verify_checksum().map_err(|error| damaged(error.to_string()))?;
        is_whole = false;
        if view.header().attributes.is_control() {
            let mut on_entry = |entry: Entry, _: Offset, _: LeaderEpoch| {
                is_whole = entry == Entry::Control(ControlRecordType::SnapshotFooter);
            };
            decode_batch(&view, &mut on_entry).map_err(|error| damaged(error.to_string()))?;
        }
    }
    if is_whole { Ok(()) } else { Err(damaged("the footer is missing".to_owned())) }
}

/// Reads a snapshot onto an empty image. A snapshot that is not whole is no snapshot.
pub fn read(disk: &dyn Disk, folder: &Path, id: SnapshotId, empty: Image) -> io::Result<Image> {
    replay(&disk.read(&folder.join(id.file_name()))?, id, empty)
}

/// The same of bytes that are here.
pub fn replay(bytes: &[u8], id: SnapshotId, empty: Image) -> io::Result<Image> {
    let damaged = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut working = Working::new(empty);
    let mut is_whole = false;
    for view in batches(bytes) {
        let view = view.map_err(|error| damaged(error.to_string()))?;
        view.verify_checksum().map_err(|error| damaged(error.to_string()))?;
        let mut on_entry = |entry: Entry, offset: Offset, epoch: LeaderEpoch| match entry {
            Entry::Record(record) => working.replay(record, offset, epoch),
            Entry::LeaderChange(_) => is_whole = false,
            Entry::Voters(record) => working.replay_voters(VoterSet::of_record(&record), offset, epoch),
            Entry::KraftVersion(level) => working.replay_kraft_version(level, offset, epoch),
            Entry::Control(kind) => is_whole = kind == ControlRecordType::SnapshotFooter,
        };
        decode_batch(&view, &mut on_entry).map_err(|error| damaged(error.to_string()))?;
    }
    if !is_whole {
        return Err(damaged("the footer is missing".to_owned()));
    }
    working.replay_control(Offset(id.end_offset.0 - 1), id.epoch);
    if let Some(voters) = &mut working.image.voters {
        voters.offset = Offset(id.end_offset.0 - 1);
    }
    Ok(working.image)
}
