//! The voters that `kafka-storage format` wrote into a new directory (`--standalone`, `--initial-controllers`, KIP-853).
//! Shell: it reads a file. The file is the first snapshot of the metadata log; it says nothing but who votes.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use ottla_env::Disk;
use ottla_model::{BrokerId, LeaderEpoch, Offset};
use ottla_protocol::codec::Decode;
use ottla_protocol::records::control::VotersRecord;
use ottla_records::{ControlRecordType, batches};

use crate::metadata_log::metadata_partition;
use crate::quorum::Voter;
use crate::snapshot::SnapshotId;

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

fn read(bytes: &[u8], listener: &str) -> Result<Vec<Voter>, String> {
    let mut voters = Vec::new();
    for view in batches(bytes) {
        let view = view.map_err(|error| error.to_string())?;
        view.verify_checksum().map_err(|error| error.to_string())?;
        if !view.header().attributes.is_control() {
            continue;
        }
        let mut scratch = Vec::new();
        for record in view.records(&mut scratch).map_err(|error| error.to_string())? {
            let record = record.map_err(|error| error.to_string())?;
            let kind = record.key.and_then(ControlRecordType::parse_key);
            if kind == Some(ControlRecordType::KraftVoters) {
                let mut value = Bytes::copy_from_slice(record.value.unwrap_or_default());
                let set = VotersRecord::decode(&mut value, 0).map_err(|error| error.to_string())?;
                voters = set.voters;
            }
        }
    }
    let mut voters = voters
        .into_iter()
        .map(|voter| {
            let named = voter.endpoints.iter().find(|one| one.name.eq_ignore_ascii_case(listener));
            let endpoint = named.or(voter.endpoints.first());
            let endpoint = endpoint.ok_or_else(|| format!("voter {} has no endpoint", voter.voter_id))?;
            let (host, port) = (endpoint.host.to_string(), endpoint.port);
            Ok(Voter { id: BrokerId(voter.voter_id), host, port })
        })
        .collect::<Result<Vec<Voter>, String>>()?;
    voters.sort_by_key(|voter| voter.id);
    Ok(voters)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ottla_env::memory::MemoryDisk;
    use ottla_protocol::StrBytes;
    use ottla_protocol::records::control::voters_record::{Endpoint, Voter as VoterRecord};
    use ottla_protocol::records::control::{SnapshotFooterRecord, SnapshotHeaderRecord};

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
