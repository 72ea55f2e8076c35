//! Files opened when needed and closed when idle: an idle partition holds no descriptor.
//! Shell.
//!
//! The bound is soft: pinned files (with bytes that are not synced yet, whose write errors only
//! their own descriptor is sure to report) and files in use stay open.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use ottla_env::{Disk, File, OpenMode};
use parking_lot::Mutex;

/// EMFILE.
const TOO_MANY_OPEN_FILES: i32 = 24;
/// Handles looked at for each one opened beyond the bound; pinned ones stay, so the bound is soft.
const LOOKS_PER_OPEN: usize = 8;
const CLOSED_AT_ONCE: usize = 64;

/// A place for one file's handle.
pub struct FileSlot {
    path: PathBuf,
    file: Mutex<Option<Arc<dyn File>>>,
    /// Used since the sweep last came by.
    used: AtomicBool,
    pinned: AtomicBool,
    /// The file does not have its path yet: closing it would lose it.
    is_moving: AtomicBool,
    /// The path may be another file's by now.
    is_retired: AtomicBool,
}

impl FileSlot {
    pub fn new(path: PathBuf) -> Arc<FileSlot> {
        Arc::new(FileSlot {
            path,
            file: Mutex::new(None),
            used: AtomicBool::new(false),
            pinned: AtomicBool::new(false),
            is_moving: AtomicBool::new(false),
            is_retired: AtomicBool::new(false),
        })
    }

    /// A place for a file that is open under another name and will have this one: `settle` says when.
    pub fn holding(path: PathBuf, file: Arc<dyn File>) -> Arc<FileSlot> {
        let slot = FileSlot::new(path);
        slot.is_moving.store(true, Ordering::Relaxed);
        *slot.file.lock() = Some(file);
        slot
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the handle open until unpinned.
    pub fn pin(&self, pinned: bool) {
        self.pinned.store(pinned, Ordering::Relaxed);
    }

    pub fn close(&self) {
        let mut file = self.file.lock();
        if !self.is_moving.load(Ordering::Relaxed) {
            *file = None;
        }
    }

    /// Closes the file and never opens the path again.
    pub fn retire(&self) {
        let mut file = self.file.lock();
        self.is_retired.store(true, Ordering::Relaxed);
        *file = None;
    }
}

/// All open handles, in the order in which the sweep looks at them.
pub struct OpenFiles {
    disk: Arc<dyn Disk>,
    max: usize,
    opened: Mutex<VecDeque<Weak<FileSlot>>>,
}

impl OpenFiles {
    pub fn new(disk: Arc<dyn Disk>, max: usize) -> OpenFiles {
        OpenFiles { disk, max, opened: Mutex::new(VecDeque::new()) }
    }

    /// The open file, opening it when it is not.
    #[inline]
    pub fn get(&self, slot: &Arc<FileSlot>, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut file = slot.file.lock();
        if !slot.used.load(Ordering::Relaxed) {
            slot.used.store(true, Ordering::Relaxed);
        }
        if let Some(file) = &*file {
            return Ok(file.clone());
        }
        if slot.is_retired.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::NotFound.into());
        }
        // Readers open for writing too where they can: the handle is shared with the writer.
        let mode = if mode == OpenMode::Read { OpenMode::ReadWrite } else { mode };
        let opened = match self.disk.open(&slot.path, mode) {
            Err(error) if error.raw_os_error() == Some(TOO_MANY_OPEN_FILES) => {
                self.close_some();
                self.disk.open(&slot.path, mode)?
            }
            result => result?,
        };
        *file = Some(opened.clone());
        drop(file);
        self.opened.lock().push_back(Arc::downgrade(slot));
        self.make_room();
        Ok(opened)
    }

    /// The file has the slot's path now: it may be closed and opened like any other.
    pub fn settle(&self, slot: &Arc<FileSlot>) {
        slot.is_moving.store(false, Ordering::Relaxed);
        self.opened.lock().push_back(Arc::downgrade(slot));
        self.make_room();
    }

    /// Closes handles that were not used since the last call.
    pub fn close_idle(&self) {
        let count = self.opened.lock().len();
        for _ in 0..count {
            if !self.look_at_oldest() {
                break;
            }
        }
    }

    /// Forgets files whose segments are gone. A place here keeps its slot's memory until then.
    pub fn forget_gone(&self) {
        let mut opened = self.opened.lock();
        opened.retain(|slot| slot.strong_count() > 0);
        opened.shrink_to_fit();
    }

    pub fn count(&self) -> usize {
        self.opened.lock().len()
    }

    fn make_room(&self) {
        for _ in 0..LOOKS_PER_OPEN {
            if self.count() <= self.max || !self.look_at_oldest() {
                return;
            }
        }
    }

    /// The process may have no more descriptors: closes some whatever they are. (The kernel keeps
    /// a write error of a closed file for the next one who opens and syncs it.)
    fn close_some(&self) {
        for _ in 0..CLOSED_AT_ONCE {
            let Some(oldest) = self.opened.lock().pop_front() else { return };
            // One that is being opened right now is left alone.
            if let Some(slot) = oldest.upgrade()
                && let Some(mut file) = slot.file.try_lock()
            {
                *file = None;
            }
        }
    }

    /// Second chance: a handle used since the last look goes to the back of the line.
    fn look_at_oldest(&self) -> bool {
        let Some(oldest) = self.opened.lock().pop_front() else { return false };
        let Some(slot) = oldest.upgrade() else { return true };
        let was_used = slot.used.swap(false, Ordering::Relaxed);
        if was_used || slot.pinned.load(Ordering::Relaxed) {
            self.opened.lock().push_back(oldest);
        } else {
            slot.close();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_env::memory::MemoryDisk;

    fn is_open(slot: &FileSlot) -> bool {
        slot.file.lock().is_some()
    }

    #[test]
    fn the_oldest_unused_and_unpinned_handle_is_closed() {
        let files = OpenFiles::new(Arc::new(MemoryDisk::new()), 2);
        let slots: Vec<_> = (0..4).map(|n| FileSlot::new(PathBuf::from(format!("f{n}")))).collect();
        slots[0].pin(true);
        for slot in &slots {
            files.get(slot, OpenMode::Create).expect("memory");
        }
        assert_eq!(files.count(), 2);
        assert!(is_open(&slots[0]), "pinned");
        slots[0].pin(false);
        files.close_idle();
        files.close_idle();
        assert!(slots.iter().all(|slot| !is_open(slot)));
        assert_eq!(files.count(), 0);
    }

    #[test]
    fn a_file_whose_segment_is_gone_is_forgotten() {
        let files = OpenFiles::new(Arc::new(MemoryDisk::new()), 4);
        let [stays, goes] = ["stays", "goes"].map(|name| FileSlot::new(PathBuf::from(name)));
        for slot in [&stays, &goes] {
            files.get(slot, OpenMode::Create).expect("memory");
        }
        drop(goes);
        files.forget_gone();
        assert_eq!((files.count(), is_open(&stays)), (1, true));
    }
}
