//! The small file that says what this node's part in the quorum is: the leader epoch, and what a voter promised.
//! Shell.
//!
//! ```text
//! quorum-state: Kafka's JSON (data_version 0), one line, and fields of ours:
//! {"clusterId":"","leaderId":1,"leaderEpoch":4,"votedId":-1,"appliedOffset":0,
//!  "currentVoters":[{"voterId":1}],"data_version":0,"crc32c":305419896}
//! a voter of several:
//! {"clusterId":"","leaderId":-1,"leaderEpoch":4,"votedId":2,"appliedOffset":0,"currentVoters":[{"voterId":1},
//!  {"voterId":2}],"data_version":0,"voterId":1,"votedDirectoryId":"UUID","voterDirectories":{"1":"UUID","2":"UUID"},"crc32c":305419896}
//! ```
//!
//! A Kafka broker passes over the fields it does not know. On one node the log itself says the last epoch as well, so a
//! file that is lost or damaged costs nothing. It is written when the first answer of an epoch is on the device:
//! `damage` tells by it what a crash may have torn. A voter of several writes it before a vote or an acknowledgement
//! leaves, so its epoch is never behind that of the log; and the directories of the other voters as they were first
//! heard of.

use std::collections::BTreeMap;
use std::path::Path;

use ottla_env::Disk;
use ottla_model::{BrokerId, LeaderEpoch};
use serde_json::{Value, json};
use uuid::Uuid;

pub const FILE_NAME: &str = "quorum-state";

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuorumState {
    /// -1 where a voter wrote it that does not lead.
    pub leader_id: BrokerId,
    pub leader_epoch: LeaderEpoch,
    /// Whom this node voted for in the epoch.
    pub voted: Option<BrokerId>,
    /// The directory of the node that was voted for, where that is known.
    pub voted_directory: Option<Uuid>,
    /// `None` on a lone node.
    pub voter: Option<BrokerId>,
    pub voters: Vec<BrokerId>,
    /// Which directory each voter keeps its log and votes in, as far as it was heard of.
    pub directories: BTreeMap<BrokerId, Uuid>,
}

impl QuorumState {
    /// What a lone node writes.
    pub fn of_lone(leader_id: BrokerId, leader_epoch: LeaderEpoch) -> QuorumState {
        QuorumState {
            leader_id,
            leader_epoch,
            voted: None,
            voted_directory: None,
            voter: None,
            voters: vec![leader_id],
            directories: BTreeMap::new(),
        }
    }
}

fn checksum(state: &QuorumState) -> u32 {
    let mut text = format!("{}:{}", state.leader_id, state.leader_epoch);
    if let Some(voter) = state.voter {
        let voted = state.voted.map_or(-1, |id| id.0);
        text += &format!(":{voter}:{voted}:{:?}:{:?}", state.voters, state.directories);
        if let Some(directory) = state.voted_directory {
            text += &format!(":{directory}");
        }
    }
    crc32c::crc32c(text.as_bytes())
}

/// The file's content: `Ok(None)` when there is none, `Err` says why it can't be believed.
pub fn read(disk: &dyn Disk, folder: &Path) -> Result<Option<QuorumState>, String> {
    let path = folder.join(FILE_NAME);
    if !disk.exists(&path) {
        return Ok(None);
    }
    let bytes = disk.read(&path).map_err(|error| error.to_string())?;
    let json: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let number = |name: &str| json.get(name).and_then(Value::as_i64).and_then(|id| i32::try_from(id).ok());
    let id = |name: &str| number(name).filter(|id| *id >= 0).map(BrokerId);
    let state = QuorumState {
        leader_id: BrokerId(number("leaderId").unwrap_or(-1)),
        leader_epoch: LeaderEpoch(number("leaderEpoch").ok_or("no leaderEpoch")?),
        voted: id("votedId"),
        voted_directory: json
            .get("votedDirectoryId")
            .and_then(Value::as_str)
            .and_then(|text| Uuid::parse_str(text).ok()),
        voter: id("voterId"),
        voters: voters_of(&json),
        directories: directories_of(&json)?,
    };
    match json.get("crc32c").and_then(Value::as_i64) {
        Some(stored) if stored != i64::from(checksum(&state)) => Err("its checksum is wrong".to_owned()),
        None if state.voter.is_some() => Err("its checksum is missing".to_owned()),
        _ => Ok(Some(state)),
    }
}

fn voters_of(json: &Value) -> Vec<BrokerId> {
    let voters = json.get("currentVoters").and_then(Value::as_array);
    let id = |voter: &Value| i32::try_from(voter.get("voterId")?.as_i64()?).ok().map(BrokerId);
    voters.into_iter().flatten().filter_map(id).collect()
}

fn directories_of(json: &Value) -> Result<BTreeMap<BrokerId, Uuid>, String> {
    let Some(directories) = json.get("voterDirectories") else { return Ok(BTreeMap::new()) };
    let entries = directories.as_object().ok_or("voterDirectories is no object")?;
    let entry = |(id, directory): (&String, &Value)| {
        let directory = directory.as_str().and_then(|text| Uuid::parse_str(text).ok());
        let id = id.parse().ok().map(BrokerId);
        id.zip(directory).ok_or("voterDirectories can't be read".to_owned())
    };
    entries.iter().map(entry).collect()
}

/// The voters that the file of a static quorum names; none when it names none or is not there.
pub fn voters(disk: &dyn Disk, folder: &Path) -> std::io::Result<Vec<BrokerId>> {
    let path = folder.join(FILE_NAME);
    if !disk.exists(&path) {
        return Ok(Vec::new());
    }
    Ok(voters_of(&serde_json::from_slice(&disk.read(&path)?)?))
}

pub fn write(disk: &dyn Disk, folder: &Path, state: &QuorumState) -> std::io::Result<()> {
    let voters: Vec<Value> = state.voters.iter().map(|id| json!({ "voterId": id.0 })).collect();
    let mut file = json!({
        "clusterId": "",
        "leaderId": state.leader_id.0,
        "leaderEpoch": state.leader_epoch.0,
        "votedId": state.voted.map_or(-1, |id| id.0),
        "appliedOffset": 0,
        "currentVoters": voters,
        "data_version": 0,
        "crc32c": checksum(state),
    });
    if let Some(voter) = state.voter {
        let directories =
            state.directories.iter().map(|(id, directory)| (id.to_string(), json!(directory.to_string())));
        file["voterId"] = json!(voter.0);
        if let Some(directory) = state.voted_directory {
            file["votedDirectoryId"] = json!(directory.to_string());
        }
        file["voterDirectories"] = Value::Object(directories.collect());
    }
    disk.write_atomically(&folder.join(FILE_NAME), file.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_env::memory::MemoryDisk;

    #[test]
    fn what_a_voter_promised_comes_back_and_a_changed_file_is_not_believed() {
        let (disk, folder) = (MemoryDisk::new(), Path::new("/data"));
        disk.create_dir_all(folder).expect("a folder");
        assert_eq!(read(&disk, folder), Ok(None));
        let state = QuorumState {
            leader_id: BrokerId(-1),
            leader_epoch: LeaderEpoch(7),
            voted: Some(BrokerId(0)),
            voted_directory: Some(Uuid::from_u128(6)),
            voter: Some(BrokerId(2)),
            voters: vec![BrokerId(0), BrokerId(2)],
            directories: BTreeMap::from([(BrokerId(2), Uuid::from_u128(5))]),
        };
        for state in [state, QuorumState::of_lone(BrokerId(1), LeaderEpoch(3))] {
            write(&disk, folder, &state).expect("written");
            assert_eq!(read(&disk, folder), Ok(Some(state.clone())));
            assert_eq!(voters(&disk, folder).expect("voters"), state.voters);
            let text = String::from_utf8(disk.read(&folder.join(FILE_NAME)).expect("a file")).expect("text");
            let epoch = format!("\"leaderEpoch\":{}", state.leader_epoch);
            assert!(text.contains(&epoch), "{text}");
            disk.write_atomically(
                &folder.join(FILE_NAME),
                text.replace(&epoch, "\"leaderEpoch\":1").as_bytes(),
            )
            .expect("changed");
            assert!(read(&disk, folder).is_err());
        }
    }
}
