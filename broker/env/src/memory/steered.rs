//! A disk in memory that can be filled, slowed down, and made to fail, rot or forget, while it is used.
//! Shell. What is not steered costs a look at one atomic.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs::File as StdFile;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use super::disk::MemoryDisk;
use crate::disk::{Disk, Entry, File, OpenMode, Space};
use crate::tasks::Tasks;

const LOG: &str = "log";

/// What is done to a disk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Steered {
    /// Room that is left; none is as much as memory has.
    pub free_bytes: Option<u64>,
    pub fsync_delay: Option<Duration>,
    pub fsync_fails: bool,
    pub corrupt: Vec<Corrupt>,
}

/// A byte that is read as another than was written, in each log file of a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Corrupt {
    /// Its last name.
    pub folder: String,
    pub position: u64,
}

/// What a power loss takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lose {
    /// What the process wrote stays, as after `kill -9`.
    None,
    /// Of each file what was written since its last sync.
    Unsynced,
}

#[derive(Clone)]
pub struct SteeredDisk {
    inner: MemoryDisk,
    shared: Arc<Shared>,
}

struct Shared {
    tasks: Arc<dyn Tasks>,
    is_steered: AtomicBool,
    steered: Mutex<Steered>,
    /// How much of each file is on the device.
    synced: Mutex<BTreeMap<PathBuf, Arc<AtomicU64>>>,
}

impl Shared {
    fn steered(&self) -> Option<Steered> {
        self.is_steered.load(Ordering::Acquire).then(|| self.steered.lock().clone())
    }

    /// Takes room for a file that grows.
    fn grow(&self, bytes: u64) -> io::Result<()> {
        if bytes == 0 || !self.is_steered.load(Ordering::Acquire) {
            return Ok(());
        }
        match &mut self.steered.lock().free_bytes {
            Some(free) if *free < bytes => Err(io::ErrorKind::StorageFull.into()),
            Some(free) => {
                *free -= bytes;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let Some(steered) = self.steered() else { return Ok(()) };
        if let Some(delay) = steered.fsync_delay {
            // The device takes its time, and the thread that waits for it is made for that.
            self.tasks.pause(delay);
        }
        match steered.fsync_fails {
            true => Err(io::Error::other("the disk was made to fail")),
            false => Ok(()),
        }
    }
}

impl SteeredDisk {
    pub fn new(inner: MemoryDisk, tasks: Arc<dyn Tasks>) -> SteeredDisk {
        let (is_steered, steered, synced) = (AtomicBool::new(false), Mutex::default(), Mutex::default());
        SteeredDisk { inner, shared: Arc::new(Shared { tasks, is_steered, steered, synced }) }
    }

    pub fn steered(&self) -> Steered {
        self.shared.steered.lock().clone()
    }

    pub fn steer(&self, steered: Steered) {
        let mut now = self.shared.steered.lock();
        self.shared.is_steered.store(steered != Steered::default(), Ordering::Release);
        *now = steered;
    }

    /// What is below a folder now, below another.
    pub fn copy_of(&self, from: &Path, to: &Path) -> MemoryDisk {
        self.inner.copy_of(from, to)
    }

    /// What is below a folder when the machine stops now.
    pub fn after_crash(&self, folder: &Path, lose: Lose) -> io::Result<MemoryDisk> {
        // No sync ends between the copy and the look at what is synced.
        let synced = self.shared.synced.lock();
        let left = self.inner.copy_of(folder, folder);
        if lose == Lose::Unsynced {
            for path in left.files_below(folder) {
                let kept = synced.get(&path).map_or(0, |kept| kept.load(Ordering::Acquire));
                let file = left.open(&path, OpenMode::ReadWrite)?;
                if file.len()? > kept {
                    file.set_len(kept)?;
                }
            }
        }
        Ok(left)
    }
}

impl Disk for SteeredDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let inner = self.inner.open(path, mode)?;
        let mut synced = self.shared.synced.lock();
        let len = inner.len()?;
        // What a cluster begins with is on the device.
        let kept = synced.entry(path.to_owned()).or_insert_with(|| Arc::new(AtomicU64::new(len)));
        kept.fetch_min(len, Ordering::AcqRel);
        let (path, shared, synced) = (path.to_owned(), Arc::clone(&self.shared), Arc::clone(kept));
        Ok(Arc::new(SteeredFile { inner, path, shared, synced }))
    }

    fn exists(&self, path: &Path) -> bool {
        self.inner.exists(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.inner.read_dir(path)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.inner.file_len(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut synced = self.shared.synced.lock();
        self.inner.rename(from, to)?;
        let moved: Vec<PathBuf> = synced.keys().filter(|path| path.starts_with(from)).cloned().collect();
        for path in moved {
            if let (Some(kept), Ok(rest)) = (synced.remove(&path), path.strip_prefix(from)) {
                let name = if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) };
                synced.insert(name, kept);
            }
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut synced = self.shared.synced.lock();
        self.inner.remove_file(path)?;
        synced.remove(path);
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut synced = self.shared.synced.lock();
        self.inner.remove_dir_all(path)?;
        synced.retain(|file, _| !file.starts_with(path));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.sync()?;
        self.inner.sync_dir(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let space = self.inner.space(path)?;
        match self.shared.steered().and_then(|steered| steered.free_bytes) {
            Some(free) => Ok(Space { usable_bytes: free.min(space.usable_bytes), ..space }),
            None => Ok(space),
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        self.inner.lock(path)
    }
}

struct SteeredFile {
    inner: Arc<dyn File>,
    /// Its first name: a log's files have their own as long as they are read.
    path: PathBuf,
    shared: Arc<Shared>,
    synced: Arc<AtomicU64>,
}

impl SteeredFile {
    /// The bytes of a range that are read as others, by their positions.
    fn spoilt(&self, position: u64, len: usize) -> Vec<u64> {
        let Some(steered) = self.shared.steered().filter(|steered| !steered.corrupt.is_empty()) else {
            return Vec::new();
        };
        if self.path.extension().is_none_or(|extension| extension != LOG) {
            return Vec::new();
        }
        let folder =
            self.path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("");
        let range = position..position + len as u64;
        let is_meant = |one: &&Corrupt| range.contains(&one.position) && folder == one.folder;
        steered.corrupt.iter().filter(is_meant).map(|one| one.position).collect()
    }
}

impl File for SteeredFile {
    fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        let count = self.inner.read_at(bytes, position)?;
        for at in self.spoilt(position, count) {
            bytes[(at - position) as usize] ^= 0xff;
        }
        Ok(count)
    }

    fn write_vectored_all_at(&self, slices: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        let end = position + slices.iter().map(|slice| slice.len() as u64).sum::<u64>();
        self.shared.grow(end.saturating_sub(self.inner.len()?))?;
        // What is overwritten is not on the device any more.
        self.synced.fetch_min(position, Ordering::AcqRel);
        self.inner.write_vectored_all_at(slices, position)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.shared.grow(len.saturating_sub(self.inner.len()?))?;
        self.synced.fetch_min(len, Ordering::AcqRel);
        self.inner.set_len(len)
    }

    fn reserve(&self, position: u64, bytes: u64) {
        self.inner.reserve(position, bytes);
    }

    fn sync_data(&self) -> io::Result<()> {
        let len = self.inner.len()?;
        self.shared.sync()?;
        self.inner.sync_data()?;
        self.synced.fetch_max(len, Ordering::AcqRel);
        Ok(())
    }

    fn std_file(&self) -> Option<&StdFile> {
        None
    }

    fn shared_bytes(&self, position: u64, len: usize) -> Option<Bytes> {
        // Who reads a copy instead gets it spoilt.
        self.spoilt(position, len).is_empty().then(|| self.inner.shared_bytes(position, len)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tasks::ThreadTasks;
    use super::*;

    fn disk() -> SteeredDisk {
        SteeredDisk::new(MemoryDisk::new(), Arc::new(ThreadTasks))
    }

    fn file(disk: &SteeredDisk, path: &str) -> Arc<dyn File> {
        let path = Path::new(path);
        disk.create_dir_all(path.parent().expect("a folder")).expect("memory");
        disk.open(path, OpenMode::Create).expect("memory")
    }

    #[test]
    fn a_crash_takes_what_was_not_synced_and_a_kill_nothing() {
        let disk = disk();
        let (log, other) = (file(&disk, "d/a-0/0.log"), file(&disk, "d/other"));
        log.write_all_at(b"kept", 0).expect("memory");
        log.sync_data().expect("memory");
        log.write_all_at(b"lost", 4).expect("memory");
        other.write_all_at(b"lost", 0).expect("memory");
        disk.rename(Path::new("d/a-0"), Path::new("d/b-0")).expect("memory");
        let left = |lose, path: &str| {
            disk.after_crash(Path::new("d"), lose)
                .expect("memory")
                .read(Path::new(path))
                .expect("it is there")
        };
        assert_eq!(left(Lose::None, "d/b-0/0.log"), b"keptlost");
        assert_eq!(left(Lose::Unsynced, "d/b-0/0.log"), b"kept");
        assert_eq!(left(Lose::Unsynced, "d/other"), b"");
        log.write_all_at(b"KEPT", 0).expect("memory");
        assert_eq!(left(Lose::Unsynced, "d/b-0/0.log"), b"", "what is written over is not kept");
        log.sync_data().expect("memory");
        assert_eq!(left(Lose::Unsynced, "d/b-0/0.log"), b"KEPTlost");
        // What begins there is on the device.
        let again = SteeredDisk::new(
            disk.after_crash(Path::new("d"), Lose::None).expect("memory"),
            Arc::new(ThreadTasks),
        );
        file(&again, "d/other").write_all_at(b"!", 4).expect("memory");
        let left = again.after_crash(Path::new("d"), Lose::Unsynced).expect("memory");
        assert_eq!(left.read(Path::new("d/other")).expect("it is there"), b"lost");
    }

    #[test]
    fn a_disk_is_full_fails_and_rots_until_it_is_mended() {
        let disk = disk();
        let log = file(&disk, "d/a-0/0.log");
        log.write_all_at(&[7; 100], 0).expect("memory");
        let corrupt = vec![Corrupt { folder: "a-0".to_owned(), position: 61 }];
        disk.steer(Steered { free_bytes: Some(10), fsync_fails: true, corrupt, ..Steered::default() });
        assert_eq!(disk.space(Path::new("d")).expect("memory").usable_bytes, 10);
        let full = log.write_all_at(&[7; 11], 100).expect_err("there is room for ten");
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        log.write_all_at(&[7; 10], 100).expect("there is room");
        log.write_all_at(&[8; 10], 0).expect("it does not grow");
        assert!(log.write_all_at(&[7; 1], 110).is_err() && log.set_len(111).is_err());
        assert!(log.sync_data().is_err() && disk.sync_dir(Path::new("d")).is_err());
        let mut bytes = [0; 4];
        log.read_exact_at(&mut bytes, 60).expect("memory");
        assert_eq!(bytes, [7, 7 ^ 0xff, 7, 7]);
        assert_eq!(log.shared_bytes(60, 4), None);
        let mut elsewhere = [0; 4];
        file(&disk, "d/a-1/0.log").write_all_at(&[7; 70], 0).expect_err("it is full");
        log.read_exact_at(&mut elsewhere, 62).expect("memory");
        assert_eq!(elsewhere, [7; 4]);
        disk.steer(Steered::default());
        log.sync_data().expect("mended");
        log.write_all_at(&[7; 100], 110).expect("mended");
        log.read_exact_at(&mut bytes, 60).expect("memory");
        assert_eq!(bytes, [7; 4]);
    }
}
