//! Bytes of a segment that are no batches: what a crash left is cut off, what was on the device is not.
//! Shell: reads.
//!
//! Batches are appended before those in front of them are on the device, so after a crash a torn batch may
//! have whole ones behind it: what lies above the recovery point is cut at the first wrong batch, as Kafka
//! does, and none of it had to survive. Below the recovery point (and, after a clean stop, everywhere)
//! everything was on the device: there wrong bytes are damage, and cutting would take away what was
//! acknowledged. The log is left as it is then and refuses to serve, alone
//! (docs/decisions/0014-damage-in-the-middle-is-not-a-torn-tail.md).

use std::io;
use std::path::{Path, PathBuf};

use ottla_env::File;
use ottla_model::Offset;
use ottla_records::find_batch;

/// Bytes behind a wrong batch in which whole ones are looked for.
const SEARCHED_BYTES: u64 = 4 << 20;

/// Wrong bytes where whole batches were on the device.
#[derive(Debug, thiserror::Error)]
#[error(
    "{file} is damaged at byte {position}: the batch with offset {offset} was on the device and is not \
     whole any more. The file is left as it is. Restore it from a copy; or give up the offsets from {offset} \
     on: stop the broker, keep a copy, cut the file to {position} bytes and remove the partition's segments \
     behind it",
    file = file.display()
)]
pub(crate) struct DeviceDamage {
    file: PathBuf,
    position: u64,
    offset: Offset,
}

/// Whether the bytes from `position` on, where the batch with offset `next` should be, may be cut off.
pub(crate) fn check_cut(
    path: &Path,
    file: &dyn File,
    position: u64,
    size: u64,
    next: Offset,
    recovery_point: Offset,
) -> io::Result<()> {
    let mut bytes = vec![0; (size - position).min(SEARCHED_BYTES) as usize];
    file.read_exact_at(&mut bytes, position)?;
    let found = find_batch(&bytes, 0);
    // A whole batch that does not fit here: the offset of the one before it is wrong. No crash does that.
    if next < recovery_point || found == Some(0) {
        let damage = DeviceDamage { file: path.to_owned(), position, offset: next };
        return Err(io::Error::new(io::ErrorKind::InvalidData, damage));
    }
    if let Some(behind) = found {
        tracing::warn!(
            "{} is cut at byte {position} (offset {next}), where a batch was not written to its end; a whole \
             one follows {behind} bytes behind, and was not known to be on the device either",
            path.display()
        );
    }
    Ok(())
}

/// Whether reading a folder failed because of damage in it, and not because of its device.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<DeviceDamage>())
}
