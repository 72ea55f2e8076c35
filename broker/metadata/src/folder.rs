//! A metadata folder that another process wrote, as it stands: understood whole or refused.
//! Shell: reads; it changes nothing, unlike `metadata_log`, which cuts what is damaged.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ottla_env::{Disk, OpenMode};
use ottla_model::{BrokerId, LeaderEpoch, Offset};
use ottla_protocol::codec::Decode;
use ottla_protocol::records::control::{LeaderChangeMessage, VotersRecord};
use ottla_protocol::records::metadata::MetadataRecord;
use ottla_records::{BatchError, BatchView, ControlRecordType};
use ottla_security::ScramMechanism;

use crate::batch::{Entry, UnreadableRecord, decode_batch};
use crate::image::{Image, ResourceType};
use crate::quorum_state;
use crate::replay::Working;
use crate::snapshot;

/// Bytes read at a time; a longer batch is read whole.
const WINDOW_BYTES: usize = 4 << 20;

/// What a folder says.
#[derive(Debug)]
pub struct FolderContents {
    pub image: Image,
    /// Everybody that the quorum's own records name, the newest of each kind.
    pub voters: BTreeSet<BrokerId>,
}

/// Why a folder is not believed.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{0} holds no metadata record: the cluster was never started")]
    Empty(PathBuf),
    #[error("{folder}: the records from offset {known} to {start} are missing")]
    Gap { folder: PathBuf, known: Offset, start: Offset },
    #[error("{path} is damaged at byte {position}: {why}")]
    Damaged { path: PathBuf, position: u64, why: String },
    #[error("{path}: {source}")]
    Unreadable { path: PathBuf, source: UnreadableRecord },
    #[error("{path}: the {record} at offset {offset} holds {what}, which this release does not know")]
    Unknown { path: PathBuf, record: &'static str, offset: Offset, what: String },
}

/// Reads the newest snapshot and the log behind it. Nothing is passed over: not a damaged batch, not a
/// record or a control record of an unknown kind.
pub fn read_folder(
    disk: &dyn Disk,
    folder: &Path,
    cluster_id: &str,
    node_id: BrokerId,
) -> Result<FolderContents, FolderError> {
    let io = |source| FolderError::Io { path: folder.to_owned(), source };
    let mut reading = Reading {
        working: Working::new(Image::empty(cluster_id, node_id)),
        leader_change_voters: BTreeSet::new(),
        record_voters: BTreeSet::new(),
        is_any_read: false,
    };
    let mut next = Offset::ZERO;
    if let Some(id) = snapshot::list(disk, folder).map_err(io)?.first() {
        reading.read_snapshot(disk, &folder.join(id.file_name()))?;
        next = id.end_offset;
        reading.working.replay_control(Offset(next.0 - 1), id.epoch);
    }
    for (base_offset, path) in segments(disk, folder).map_err(io)? {
        if base_offset > next {
            return Err(FolderError::Gap { folder: folder.to_owned(), known: next, start: base_offset });
        }
        reading.read_segment(disk, &path, &mut next)?;
    }
    if !reading.is_any_read {
        return Err(FolderError::Empty(folder.to_owned()));
    }
    let mut voters = reading.record_voters;
    voters.append(&mut reading.leader_change_voters);
    voters.extend(quorum_state::voters(disk, folder).map_err(io)?);
    Ok(FolderContents { image: reading.working.image, voters })
}

/// The segments of a folder in the order of their offsets.
pub(crate) fn segments(disk: &dyn Disk, folder: &Path) -> std::io::Result<Vec<(Offset, PathBuf)>> {
    let mut found = Vec::new();
    for entry in disk.read_names(folder)? {
        let offset = entry.text.strip_suffix(".log").and_then(|digits| digits.parse().ok());
        found.extend(offset.map(|offset| (Offset(offset), folder.join(&entry.text))));
    }
    found.sort();
    Ok(found)
}

struct Reading {
    working: Working,
    leader_change_voters: BTreeSet<BrokerId>,
    record_voters: BTreeSet<BrokerId>,
    is_any_read: bool,
}

impl Reading {
    fn read_snapshot(&mut self, disk: &dyn Disk, path: &Path) -> Result<(), FolderError> {
        let mut is_whole = false;
        walk(disk, path, &mut |view| {
            for (entry, offset, epoch) in self.entries(path, view)? {
                is_whole = matches!(entry, Entry::Control(ControlRecordType::SnapshotFooter));
                if let Entry::Record(record) = entry {
                    self.replay(path, record, offset, epoch)?;
                }
            }
            Ok(())
        })?;
        if is_whole {
            return Ok(());
        }
        let position = disk.file_len(path).unwrap_or(0);
        Err(FolderError::Damaged { path: path.to_owned(), position, why: "the footer is missing".to_owned() })
    }

    /// Replays what is not before `next`, and moves it.
    fn read_segment(&mut self, disk: &dyn Disk, path: &Path, next: &mut Offset) -> Result<(), FolderError> {
        walk(disk, path, &mut |view| {
            let header = view.header();
            if header.base_offset > *next {
                let folder = path.parent().unwrap_or(path).to_owned();
                return Err(FolderError::Gap { folder, known: *next, start: header.base_offset });
            }
            for (entry, offset, epoch) in self.entries(path, view)? {
                match entry {
                    _ if offset < *next => {}
                    Entry::Record(record) => self.replay(path, record, offset, epoch)?,
                    Entry::LeaderChange(leader) => self.working.replay_leader_change(leader, offset, epoch),
                    Entry::Control(_) | Entry::Voters(_) | Entry::KraftVersion(_) => {
                        self.working.replay_control(offset, epoch);
                    }
                }
            }
            *next = (*next).max(header.next_offset());
            Ok(())
        })
    }

    /// What a batch holds; of control records the voters are kept.
    fn entries(
        &mut self,
        path: &Path,
        view: &BatchView<'_>,
    ) -> Result<Vec<(Entry, Offset, LeaderEpoch)>, FolderError> {
        let unreadable = |source| FolderError::Unreadable { path: path.to_owned(), source };
        let mut entries = Vec::new();
        decode_batch(view, &mut |entry, offset, epoch| entries.push((entry, offset, epoch)))
            .map_err(unreadable)?;
        let mut scratch = Vec::new();
        let is_control = view.header().attributes.is_control();
        let values = if is_control { control_values(view, &mut scratch) } else { Vec::new() };
        for ((entry, offset, _), value) in entries.iter().zip(values) {
            let read = match entry {
                Entry::LeaderChange(_) => {
                    leader_change_voters(value).map(|voters| self.leader_change_voters = voters)
                }
                Entry::Voters(_) => record_voters(value).map(|voters| self.record_voters = voters),
                Entry::Control(ControlRecordType::Unknown(id)) => {
                    let what = format!("the control type {id}");
                    return Err(unknown(path, "control record", *offset, what));
                }
                _ => Ok(()),
            };
            read.map_err(|why| unreadable(UnreadableRecord { offset: *offset, why }))?;
        }
        Ok(entries)
    }

    fn replay(
        &mut self,
        path: &Path,
        record: MetadataRecord,
        offset: Offset,
        epoch: LeaderEpoch,
    ) -> Result<(), FolderError> {
        // Replay cannot fail: it would pass over what it does not know.
        match &record {
            MetadataRecord::Config(config) if ResourceType::from_code(config.resource_type).is_none() => {
                let what = format!("the resource type {}", config.resource_type);
                return Err(unknown(path, "ConfigRecord", offset, what));
            }
            MetadataRecord::UserScramCredential(user)
                if ScramMechanism::from_code(user.mechanism).is_none() =>
            {
                let what = format!("the SCRAM mechanism {}", user.mechanism);
                return Err(unknown(path, "UserScramCredentialRecord", offset, what));
            }
            _ => {}
        }
        self.is_any_read = true;
        self.working.replay(record, offset, epoch);
        Ok(())
    }
}

fn unknown(path: &Path, record: &'static str, offset: Offset, what: String) -> FolderError {
    FolderError::Unknown { path: path.to_owned(), record, offset, what }
}

/// The values of a control batch that was decoded before, in order.
fn control_values(view: &BatchView<'_>, scratch: &mut Vec<u8>) -> Vec<Bytes> {
    let records = view.records(scratch).into_iter().flatten().flatten();
    records.map(|record| Bytes::copy_from_slice(record.value.unwrap_or_default())).collect()
}

/// A control record's body begins with its own version.
fn version_of(value: &Bytes) -> i16 {
    value.first_chunk::<2>().map_or(0, |bytes| i16::from_be_bytes(*bytes))
}

fn leader_change_voters(mut value: Bytes) -> Result<BTreeSet<BrokerId>, String> {
    let version = version_of(&value);
    let message = LeaderChangeMessage::decode(&mut value, version).map_err(|error| error.to_string())?;
    Ok(message.voters.iter().map(|voter| BrokerId(voter.voter_id)).collect())
}

fn record_voters(mut value: Bytes) -> Result<BTreeSet<BrokerId>, String> {
    let version = version_of(&value);
    let record = VotersRecord::decode(&mut value, version).map_err(|error| error.to_string())?;
    Ok(record.voters.iter().map(|voter| BrokerId(voter.voter_id)).collect())
}

/// Hands each batch of a file on, its checksum verified.
fn walk(
    disk: &dyn Disk,
    path: &Path,
    on_batch: &mut dyn FnMut(&BatchView<'_>) -> Result<(), FolderError>,
) -> Result<(), FolderError> {
    let io = |source| FolderError::Io { path: path.to_owned(), source };
    let file = disk.open(path, OpenMode::Read).map_err(io)?;
    let len = file.len().map_err(io)?;
    let (mut position, mut window, mut buffer) = (0, WINDOW_BYTES, Vec::new());
    while position < len {
        buffer.resize((len - position).min(window as u64) as usize, 0);
        file.read_exact_at(&mut buffer, position).map_err(io)?;
        let is_last = position + buffer.len() as u64 == len;
        let mut used = 0;
        window = WINDOW_BYTES;
        while used < buffer.len() {
            let checked =
                BatchView::first(&buffer[used..]).and_then(|view| view.verify_checksum().map(|()| view));
            match checked {
                Ok(view) => {
                    on_batch(&view)?;
                    used += view.bytes().len();
                }
                Err(BatchError::Truncated { needed, .. }) if !is_last => {
                    window = needed.max(WINDOW_BYTES);
                    break;
                }
                Err(error) => {
                    let position = position + used as u64;
                    return Err(FolderError::Damaged {
                        path: path.to_owned(),
                        position,
                        why: error.to_string(),
                    });
                }
            }
        }
        position += used as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{encode_batch, encode_control};
    use ottla_env::memory::MemoryDisk;
    use ottla_protocol::records::control::leader_change_message::Voter;
    use ottla_protocol::records::metadata::{ConfigRecord, FeatureLevelRecord};

    const FOLDER: &str = "/data/__cluster_metadata-0";

    fn feature(level: i16) -> MetadataRecord {
        let name = "metadata.version".into();
        FeatureLevelRecord { name, feature_level: level, ..FeatureLevelRecord::default() }.into()
    }

    fn batch(records: &[MetadataRecord], base: i64) -> Vec<u8> {
        encode_batch(records, Offset(base), LeaderEpoch(1), 0).to_vec()
    }

    fn leader_change(voters: &[i32], base: i64) -> Vec<u8> {
        let voter = |id: &i32| Voter { voter_id: *id, ..Voter::default() };
        let voters = voters.iter().map(voter).collect();
        let message = LeaderChangeMessage { leader_id: 1, voters, ..LeaderChangeMessage::default() };
        encode_control(ControlRecordType::LeaderChange, &message, Offset(base), LeaderEpoch(1), 0).to_vec()
    }

    fn read(files: &[(&str, &[u8])]) -> Result<FolderContents, FolderError> {
        let disk = MemoryDisk::new();
        disk.create_dir_all(Path::new(FOLDER)).expect("a folder");
        for (name, bytes) in files {
            disk.write_atomically(&Path::new(FOLDER).join(name), bytes).expect("written");
        }
        read_folder(&disk, Path::new(FOLDER), "cluster", BrokerId(1))
    }

    const FIRST: &str = "00000000000000000000.log";

    #[test]
    fn a_log_in_two_segments_is_read_with_its_voters() {
        let log = [leader_change(&[1], 0), batch(&[feature(29)], 1)].concat();
        let second = batch(&[feature(30)], 2);
        let quorum = br#"{"leaderEpoch":1,"currentVoters":[{"voterId":7}],"data_version":0}"#;
        let files: [(&str, &[u8]); 3] =
            [(FIRST, &log), ("00000000000000000002.log", &second), ("quorum-state", quorum)];
        let contents = read(&files).expect("whole");
        assert_eq!(contents.image.feature_level("metadata.version"), 30);
        assert_eq!(contents.image.metadata_offset(), Offset(2));
        assert_eq!(contents.voters, BTreeSet::from([BrokerId(1), BrokerId(7)]));
    }

    #[test]
    fn what_is_missing_or_damaged_is_refused() {
        assert!(matches!(read(&[]), Err(FolderError::Empty(_))));
        let first = batch(&[feature(30)], 0);
        let gap = read(&[(FIRST, &first), ("00000000000000000005.log", &batch(&[feature(30)], 5))]);
        assert!(matches!(gap, Err(FolderError::Gap { known: Offset(1), start: Offset(5), .. })), "{gap:?}");
        for cut in [1, 20, first.len() - 1] {
            let damaged = read(&[(FIRST, &first[..cut])]);
            assert!(matches!(damaged, Err(FolderError::Damaged { position: 0, .. })), "{damaged:?}");
        }
        let mut flipped = first.clone();
        *flipped.last_mut().expect("bytes") ^= 1;
        assert!(matches!(read(&[(FIRST, &flipped)]), Err(FolderError::Damaged { .. })));
        let cut_snapshot = read(&[("00000000000000000001-0000000001.checkpoint", &first)]);
        assert!(matches!(cut_snapshot, Err(FolderError::Damaged { .. })), "{cut_snapshot:?}");
    }

    #[test]
    fn records_of_unknown_kinds_are_named() {
        let mut builder = ottla_records::BatchBuilder::new().base_offset(Offset::ZERO);
        builder.append(0, None, Some(&[1, 99, 0, 0]), &[]);
        let error = read(&[(FIRST, &builder.build())]).expect_err("no such record");
        assert!(error.to_string().ends_with("MetadataRecord has no record with the API key 99"), "{error}");
        let config = ConfigRecord { resource_type: 64, ..ConfigRecord::default() };
        let error = read(&[(FIRST, &batch(&[config.into()], 0))]).expect_err("no such resource");
        assert!(error.to_string().contains("ConfigRecord at offset 0 holds the resource type 64"), "{error}");
        let control = encode_control(
            ControlRecordType::Unknown(9),
            &VotersRecord::default(),
            Offset(0),
            LeaderEpoch(1),
            0,
        );
        let error = read(&[(FIRST, &control)]).expect_err("no such control record");
        assert!(error.to_string().contains("the control type 9"), "{error}");
    }
}
