//! The small file that says which epoch of the controller has answered from this node.
//! Shell.
//!
//! ```text
//! quorum-state: Kafka's JSON (data_version 0), one line, and a checksum of ours:
//! {"clusterId":"","leaderId":1,"leaderEpoch":4,"votedId":-1,"appliedOffset":0,
//!  "currentVoters":[{"voterId":1}],"data_version":0,"crc32c":305419896}
//! ```
//!
//! A Kafka broker passes over the field it does not know. On one node the log itself says the last epoch
//! as well, so a file that is lost or damaged costs nothing. It is written when the first answer of an epoch
//! is on the device: `damage` tells by it what a crash may have torn.

use std::path::Path;

use ottla_env::Disk;
use ottla_model::{BrokerId, LeaderEpoch};

pub const FILE_NAME: &str = "quorum-state";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuorumState {
    pub leader_id: BrokerId,
    pub leader_epoch: LeaderEpoch,
}

fn checksum(state: &QuorumState) -> u32 {
    crc32c::crc32c(format!("{}:{}", state.leader_id, state.leader_epoch).as_bytes())
}

/// The file's content: `Ok(None)` when there is none, `Err` says why it can't be believed.
pub fn read(disk: &dyn Disk, folder: &Path) -> Result<Option<QuorumState>, String> {
    let path = folder.join(FILE_NAME);
    if !disk.exists(&path) {
        return Ok(None);
    }
    let bytes = disk.read(&path).map_err(|error| error.to_string())?;
    let json: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let number = |name: &str| json.get(name).and_then(serde_json::Value::as_i64);
    let leader_epoch = number("leaderEpoch").and_then(|epoch| i32::try_from(epoch).ok());
    let state = QuorumState {
        leader_id: BrokerId(number("leaderId").and_then(|id| i32::try_from(id).ok()).unwrap_or(-1)),
        leader_epoch: LeaderEpoch(leader_epoch.ok_or("no leaderEpoch")?),
    };
    match number("crc32c") {
        Some(stored) if stored != i64::from(checksum(&state)) => Err("its checksum is wrong".to_owned()),
        _ => Ok(Some(state)),
    }
}

/// The voters that the file of a static quorum names; none when it names none or is not there.
pub fn voters(disk: &dyn Disk, folder: &Path) -> std::io::Result<Vec<BrokerId>> {
    let path = folder.join(FILE_NAME);
    if !disk.exists(&path) {
        return Ok(Vec::new());
    }
    let json: serde_json::Value = serde_json::from_slice(&disk.read(&path)?)?;
    let voters = json.get("currentVoters").and_then(serde_json::Value::as_array);
    let id = |voter: &serde_json::Value| i32::try_from(voter.get("voterId")?.as_i64()?).ok().map(BrokerId);
    Ok(voters.into_iter().flatten().filter_map(id).collect())
}

pub fn write(disk: &dyn Disk, folder: &Path, state: &QuorumState) -> std::io::Result<()> {
    let QuorumState { leader_id, leader_epoch } = state;
    let text = format!(
        "{{\"clusterId\":\"\",\"leaderId\":{leader_id},\"leaderEpoch\":{leader_epoch},\"votedId\":-1,\
         \"appliedOffset\":0,\"currentVoters\":[{{\"voterId\":{leader_id}}}],\"data_version\":0,\
         \"crc32c\":{}}}",
        checksum(state)
    );
    disk.write_atomically(&folder.join(FILE_NAME), text.as_bytes())
}
