//! The machine between two measurements: its memory recycled rather than new, its disk at rest.
//! Shell: reads /proc, files and the clock.
//!
//! A virtual machine may give its free memory back to its host, which then has to find a page again at the first touch:
//! a write into the page cache costs ten times as much as on a machine that has run for a day, whose memory is full of
//! cached files and whose new pages are old ones. So the program fills the page cache itself, by reading a file that is
//! one large hole: clean pages, no disk, nothing that anybody would miss when the kernel takes them for something else.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, fadvise};

use crate::failure::{Failure, Outcome, While};
use crate::places::ScratchDir;

/// Below twice what the kernel keeps free in any case, every new page is a recycled one.
const FREE_MIB_MAX: u64 = 320;
/// A hole is read in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;
const PIECE_MIB: u64 = 1;
const PIECES_AT_ONCE: u64 = 256;
const IN_VAIN_MAX: u32 = 3;
/// What stays free while all other free pages are written to, so that nobody is short of memory.
const UNTOUCHED_MIB: u64 = 96;
/// Touching more than this takes too long, and no measurement needs it.
const TOUCHED_MIB_MAX: u64 = 2_048;
/// A terabyte: what is read again after so much else has long left the cache.
const HOLE_PIECES: u64 = 1 << 20;
/// A machine on which others free memory all the time is never full: enough is enough.
const FILL_LIMIT: Duration = Duration::from_secs(60);
/// Less than this on its way to the disk disturbs nobody.
const DIRTY_MIB_MAX: u64 = 64;
const REST_LIMIT: Duration = Duration::from_secs(30);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A field of /proc/meminfo, in MiB.
fn meminfo_mib(field: &str) -> Outcome<u64> {
    let text = fs::read_to_string("/proc/meminfo").while_doing(|| "reading /proc/meminfo".to_owned())?;
    field_mib(&text, field).ok_or_else(|| Failure(format!("/proc/meminfo has no {field}")))
}

fn field_mib(text: &str, field: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib: u64 = lines.next()?.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024)
}

/// What keeps the page cache full.
#[derive(Debug)]
pub struct Filler {
    hole: File,
    next_piece: u64,
    _scratch: ScratchDir,
}

impl Filler {
    pub fn new() -> Outcome<Self> {
        let scratch = ScratchDir::new("hole")?;
        let hole = File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(scratch.path().join("hole"))?;
        hole.set_len(HOLE_PIECES * PIECE_BYTES as u64)
            .while_doing(|| "making a file of one hole".to_owned())?;
        Ok(Self { hole, next_piece: 0, _scratch: scratch })
    }

    /// Reads on in the hole until hardly any memory is free. First in large steps, which the kernel answers with large
    /// blocks of memory, of the kind that files get; then page by page, for the small blocks that are left between them.
    pub fn fill(&mut self) -> Outcome<()> {
        for advice in [Advice::Normal, Advice::Random] {
            fadvise(&self.hole, 0, None, advice).while_doing(|| "advising the kernel".to_owned())?;
            self.fill_while_it_helps()?;
        }
        touch_free_pages()
    }

    fn fill_while_it_helps(&mut self) -> Outcome<()> {
        let (pieces_max, deadline) = (meminfo_mib("MemTotal")? / PIECE_MIB, Instant::now() + FILL_LIMIT);
        let mut piece = vec![0; PIECE_BYTES];
        let (mut pieces, mut free_before, mut in_vain) = (0, meminfo_mib("MemFree")?, 0);
        while free_before > FREE_MIB_MAX && pieces < pieces_max && Instant::now() < deadline {
            for _ in 0..PIECES_AT_ONCE {
                self.hole.read_exact_at(&mut piece, self.next_piece * PIECE_BYTES as u64)?;
                self.next_piece = (self.next_piece + 1) % HOLE_PIECES;
            }
            pieces += PIECES_AT_ONCE;
            let free = meminfo_mib("MemFree")?;
            // Others free memory as well; only when it happens again and again has the kernel begun to recycle.
            in_vain = if free + PIECES_AT_ONCE * PIECE_MIB / 8 > free_before { in_vain + 1 } else { 0 };
            if in_vain == IN_VAIN_MAX {
                break;
            }
            free_before = free;
        }
        Ok(())
    }
}

/// Makes the host find the pages that are free now, so that no broker pays for it.
fn touch_free_pages() -> Outcome<()> {
    let mib = meminfo_mib("MemFree")?.saturating_sub(UNTOUCHED_MIB).min(TOUCHED_MIB_MAX);
    let bytes = usize::try_from(mib << 20).while_doing(|| "counting the free memory".to_owned())?;
    // Zeros would be a promise of the kernel, not pages.
    std::hint::black_box(vec![1_u8; bytes]);
    Ok(())
}

/// Writes back what is dirty, so that one broker's load is not paid by the next one's.
pub fn come_to_rest() -> Outcome<()> {
    let dirty = || Ok::<u64, Failure>(meminfo_mib("Dirty")? + meminfo_mib("Writeback")?);
    let deadline = Instant::now() + REST_LIMIT;
    while dirty()? > DIRTY_MIB_MAX && Instant::now() < deadline {
        rustix::fs::sync();
        std::thread::sleep(LOOK_INTERVAL);
    }
    Ok(())
}

/// Waits until a topic's folders are gone from the disk, and does not wait for ever.
pub fn until_gone(log_dir: &Path, topic: &str) -> Outcome<()> {
    let deadline = Instant::now() + REST_LIMIT;
    let is_there = || -> Outcome<bool> {
        let entries = fs::read_dir(log_dir).while_doing(|| format!("listing {}", log_dir.display()))?;
        let mut names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
        Ok(names.any(|name| name.to_string_lossy().starts_with(topic)))
    };
    while is_there()? && Instant::now() < deadline {
        std::thread::sleep(LOOK_INTERVAL);
    }
    Ok(())
}

/// What the disk with the system's temporary directory has free, in GB.
pub fn free_disk_gb() -> Outcome<u64> {
    let about =
        rustix::fs::statvfs(std::env::temp_dir()).while_doing(|| "asking for the free disk".to_owned())?;
    Ok(about.f_bavail * about.f_frsize / 1_000_000_000)
}

/// The kind of machine, in a line that names no machine.
pub fn kind() -> Outcome<String> {
    let cores = std::thread::available_parallelism()?;
    let gib = (meminfo_mib("MemTotal")? + 512) / 1024;
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let directory = std::env::temp_dir();
    let file_system =
        file_system_of(&mounts, &directory).unwrap_or_else(|| "an unknown file system".to_owned());
    Ok(format!("{cores} cores, {gib} GiB of memory, {file_system}"))
}

fn file_system_of(mounts: &str, directory: &Path) -> Option<String> {
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(place, _)| directory.starts_with(place))
        .max_by_key(|(place, _)| place.len())
        .map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_not_mistaken_for_a_longer_one() {
        let text = "DirtyMore: 4096 kB\nDirty:            2048 kB\n";
        assert_eq!(field_mib(text, "Dirty"), Some(2));
        assert_eq!(field_mib(text, "Writeback"), None);
    }

    #[test]
    fn the_innermost_mount_names_the_file_system() {
        let mounts = "a / ext4 rw 0 0\nb /tmp xfs rw 0 0\nc /tmpfoo btrfs rw 0 0\n";
        assert_eq!(file_system_of(mounts, Path::new("/tmp/x")), Some("xfs".to_owned()));
        assert_eq!(file_system_of(mounts, Path::new("/var")), Some("ext4".to_owned()));
    }
}
