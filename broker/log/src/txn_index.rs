//! The `.txnindex` file: aborted transactions whose marker is in the segment.
//! Shell.
//!
//! ```text
//! (version i16 (0) | producer id i64 | first offset i64 | last offset i64 (the marker's)
//!  | last stable offset i64)*
//! ```

use std::io;
use std::path::Path;

use ottla_env::{Disk, OpenMode};
use ottla_model::{Offset, ProducerId};

use crate::producer_state::CompletedTxn;

const ENTRY_BYTES: usize = 34;

/// One aborted transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTxn {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    pub last_offset: Offset,
    pub last_stable_offset: Offset,
}

impl From<&CompletedTxn> for AbortedTxn {
    fn from(completed: &CompletedTxn) -> AbortedTxn {
        AbortedTxn {
            producer_id: completed.producer_id,
            first_offset: completed.first_offset,
            last_offset: completed.last_offset,
            last_stable_offset: completed.last_stable_offset,
        }
    }
}

impl AbortedTxn {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&0i16.to_be_bytes());
        for number in [self.producer_id.0, self.first_offset.0, self.last_offset.0, self.last_stable_offset.0]
        {
            out.extend_from_slice(&number.to_be_bytes());
        }
    }

    fn parse(bytes: &[u8]) -> AbortedTxn {
        let number = |at: usize| i64::from_be_bytes(*bytes[at..].first_chunk().expect("entries are whole"));
        AbortedTxn {
            producer_id: ProducerId(number(2)),
            first_offset: Offset(number(10)),
            last_offset: Offset(number(18)),
            last_stable_offset: Offset(number(26)),
        }
    }
}

pub fn append(disk: &dyn Disk, path: &Path, entry: &AbortedTxn) -> io::Result<()> {
    let file = disk.open(path, OpenMode::Create)?;
    let whole = file.len()? / ENTRY_BYTES as u64 * ENTRY_BYTES as u64;
    let mut bytes = Vec::with_capacity(ENTRY_BYTES);
    entry.write(&mut bytes);
    file.write_all_at(&bytes, whole)
}

/// All entries; a missing file has none.
pub fn read(disk: &dyn Disk, path: &Path) -> io::Result<Vec<AbortedTxn>> {
    match disk.read(path) {
        Ok(bytes) => Ok(bytes.chunks_exact(ENTRY_BYTES).map(AbortedTxn::parse).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Replaces the entries; none removes the file.
pub fn rewrite(disk: &dyn Disk, path: &Path, entries: &[AbortedTxn]) -> io::Result<()> {
    if entries.is_empty() {
        return match disk.remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let mut bytes = Vec::with_capacity(ENTRY_BYTES * entries.len());
    for entry in entries {
        entry.write(&mut bytes);
    }
    disk.open(path, OpenMode::Truncate)?.write_all_at(&bytes, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_env::memory::MemoryDisk;

    #[test]
    fn entries_are_kept_in_order_behind_a_torn_one() {
        let disk = MemoryDisk::new();
        let path = Path::new("x.txnindex");
        let entry = |n: i64| AbortedTxn {
            producer_id: ProducerId(n),
            first_offset: Offset(n),
            last_offset: Offset(n + 1),
            last_stable_offset: Offset(n + 2),
        };
        append(&disk, path, &entry(1)).expect("memory");
        disk.open(path, OpenMode::Create).expect("memory").write_all_at(&[1; 5], 34).expect("memory");
        append(&disk, path, &entry(2)).expect("memory");
        assert_eq!(read(&disk, path).expect("memory"), [entry(1), entry(2)]);
        rewrite(&disk, path, &[entry(2)]).expect("memory");
        assert_eq!(read(&disk, path).expect("memory"), [entry(2)]);
        rewrite(&disk, path, &[]).expect("memory");
        assert!(!disk.exists(path));
    }
}
