//! The voters that a directory knows before its log is opened.
//! Shell: it reads files.
//!
//! They are those that `kafka-storage format` wrote into a new one (`--standalone`, `--initial-controllers`, KIP-853), and
//! those that the log says. What was formatted is the first snapshot of the metadata log; it says nothing but who votes.

use std::io;
use std::path::PathBuf;

use ottla_env::Disk;
use ottla_model::{LeaderEpoch, Offset};
use ottla_protocol::records::control::VotersRecord;
use ottla_records::batches;

use crate::batch::{Entry, decode_batch};
use crate::folder;
use crate::metadata_log::metadata_partition;
use crate::quorum::Voter;
use crate::snapshot::{self, SnapshotId};
use crate::voter_set::VoterSet;

/// The voters, in the order of their ids, each at its listener of this name; none where no directory was formatted so.
pub fn formatted_voters(disk: &dyn Disk, dirs: &[PathBuf], listener: &str) -> io::Result<Vec<Voter>> {
    let name = SnapshotId { end_offset: Offset::ZERO, epoch: LeaderEpoch(0) }.file_name();
    for dir in dirs {
        let path = dir.join(metadata_partition().to_string()).join(&name);
        if disk.exists(&path) {
            let damaged = |why: String| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()))
            };
            return read(&disk.read(&path)?, listener).map_err(damaged);
        }
    }
    Ok(Vec::new())
}

/// The last voters that a directory knows: those of its log, of its newest snapshot, or those that it was formatted with.
/// They say where others are found; who counts is read when the log is opened.
pub fn logged_voters(disk: &dyn Disk, dirs: &[PathBuf], listener: &str) -> io::Result<Vec<Voter>> {
    let mut voters = formatted_voters(disk, dirs, listener)?;
    for folder in dirs.iter().map(|dir| dir.join(metadata_partition().to_string())) {
        if !disk.exists(&folder) {
            continue;
        }
        let snapshot = snapshot::list(disk, &folder)?.first().map(|id| folder.join(id.file_name()));
        let segments = folder::segments(disk, &folder)?.into_iter().map(|(_, path)| path);
        for path in snapshot.into_iter().chain(segments) {
            // A torn end is looked at when the log is opened.
            let found = last_set(&disk.read(&path)?).0;
            if let Some(set) = found {
                voters = VoterSet::of_record(&set).at(listener);
            }
        }
    }
    Ok(voters)
}

/// The last set in these bytes, and where they can't be read why.
fn last_set(bytes: &[u8]) -> (Option<VotersRecord>, Result<(), String>) {
    let mut found = None;
    let mut read = || -> Result<(), String> {
        for view in batches(bytes) {
            let view = view.map_err(|error| error.to_string())?;
            if !view.header().attributes.is_control() {
                continue;
            }
            view.verify_checksum().map_err(|error| error.to_string())?;
            let mut on_entry = |entry: Entry, _: Offset, _: LeaderEpoch| {
                if let Entry::Voters(record) = entry {
                    found = Some(record);
                }
            };
            decode_batch(&view, &mut on_entry).map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    let result = read();
    (found, result)
}

fn read(bytes: &[u8], listener: &str) -> Result<Vec<Voter>, String> {
    let (set, result) = last_set(bytes);
    result?;
    let set = set.map(|record| VoterSet::of_record(&record)).unwrap_or_default();
    if let Some(voter) = set.iter().find(|voter| voter.endpoints.is_empty()) {
        return Err(format!("voter {} has no endpoint", voter.id));
    }
    Ok(set.at(listener))
}
#[cfg(test)]
mod tests {
    use std::path::Path;

    use ottla_env::memory::MemoryDisk;
    use ottla_protocol::StrBytes;
    use ottla_protocol::records::control::voters_record::{Endpoint, Voter as VoterRecord};
    use ottla_protocol::records::control::{SnapshotFooterRecord, SnapshotHeaderRecord};
    use ottla_records::ControlRecordType;

    use super::*;
    use crate::batch::encode_control;

    #[test]
    fn the_voters_of_a_formatted_directory_are_read_and_a_torn_file_is_none() {
        let endpoint = |name: &str, port| Endpoint {
            name: StrBytes::from_string(name.to_owned()),
            host: StrBytes::from_string(format!("{}.example", name.to_lowercase())),
            port,
            ..Endpoint::default()
        };
        let voter = |id, endpoints| VoterRecord { voter_id: id, endpoints, ..VoterRecord::default() };
        let set = VotersRecord {
            voters: vec![
                voter(2, vec![endpoint("OTHER", 1), endpoint("CONTROLLER", 2)]),
                voter(1, vec![endpoint("C", 3)]),
            ],
            ..VotersRecord::default()
        };
        let epoch = LeaderEpoch(0);
        let header = SnapshotHeaderRecord::default();
        let footer = SnapshotFooterRecord::default();
        let bytes = [
            encode_control(ControlRecordType::SnapshotHeader, &header, Offset(0), epoch, 5),
            encode_control(ControlRecordType::KraftVoters, &set, Offset(1), epoch, 5),
            encode_control(ControlRecordType::SnapshotFooter, &footer, Offset(2), epoch, 5),
        ]
        .concat();
        let (disk, dirs) = (MemoryDisk::new(), [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert!(formatted_voters(&disk, &dirs, "CONTROLLER").expect("nothing is there").is_empty());
        let folder = Path::new("/b/__cluster_metadata-0");
        disk.create_dir_all(folder).expect("a folder");
        let path = folder.join("00000000000000000000-0000000000.checkpoint");
        disk.write_atomically(&path, &bytes).expect("written");
        let voters = formatted_voters(&disk, &dirs, "controller").expect("it is whole");
        let found: Vec<_> = voters.iter().map(|one| (one.id.0, &*one.host, one.port)).collect();
        assert_eq!(found, [(1, "c.example", 3), (2, "controller.example", 2)]);
        disk.write_atomically(&path, &bytes[..bytes.len() - 3]).expect("written");
        assert!(formatted_voters(&disk, &dirs, "controller").is_err());
    }
}
