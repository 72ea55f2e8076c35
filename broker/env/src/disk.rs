//! Files and folders, as little as the broker needs of them.
//! Shell: interfaces that `real/` and `memory/` implement. Calls are synchronous: a write goes to the page cache and returns; only `sync_*`
//! wait for the device, and those are called from threads that may block.

use std::any::Any;
use std::fs::File as StdFile;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

/// Bytes that a copy moves at a time.
const COPY_BYTES: usize = 1 << 20;

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenMode {
    /// Must exist.
    Read,
    /// Must exist.
    ReadWrite,
    /// Made when missing, kept when there.
    Create,
    /// Made when missing, emptied when there.
    Truncate,
}

/// What a folder lists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub name: String,
    pub is_dir: bool,
    pub len: u64,
}

/// A name in a folder and whether it is a folder itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    pub text: String,
    pub is_dir: bool,
}

/// Room on the device that holds a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    pub total_bytes: u64,
    pub usable_bytes: u64,
}

pub trait Disk: Send + Sync {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;
    fn exists(&self, path: &Path) -> bool;
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>>;
    /// The names alone. Cheaper than `read_dir` where a folder has many: nothing is asked about each.
    fn read_names(&self, path: &Path) -> io::Result<Vec<Name>> {
        let name = |entry: Entry| Name { text: entry.name, is_dir: entry.is_dir };
        Ok(self.read_dir(path)?.into_iter().map(name).collect())
    }
    /// The length of a file that need not be open.
    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.open(path, OpenMode::Read)?.len()
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes names created, renamed or removed in this folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// Takes the lock file or says `WouldBlock` when another process holds it. Held until dropped.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>>;

    /// The whole of a small file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path, OpenMode::Read)?;
        let mut bytes = vec![0; file.len()? as usize];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Copies a file of any length; when this returns the copy's bytes are on the device. Its name is so
    /// after `sync_dir`. Returns the length.
    fn copy_file(&self, from: &Path, to: &Path) -> io::Result<u64> {
        let (source, target) = (self.open(from, OpenMode::Read)?, self.open(to, OpenMode::Truncate)?);
        let mut chunk = vec![0; COPY_BYTES];
        let mut position = 0;
        loop {
            let count = source.read_at(&mut chunk, position)?;
            assert!(count <= chunk.len(), "a read fills at most what it was given");
            if count == 0 {
                target.sync_data()?;
                return Ok(position);
            }
            target.write_all_at(&chunk[..count], position)?;
            position += count as u64;
        }
    }

    /// Replaces a small file so that a crash leaves the old or the new one, whole: a temporary
    /// file is written, synced, renamed over, and the folder synced.
    fn write_atomically(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut name = path.as_os_str().to_owned();
        name.push(".tmp");
        let temporary = PathBuf::from(name);
        let file = self.open(&temporary, OpenMode::Truncate)?;
        file.write_all_at(bytes, 0)?;
        file.sync_data()?;
        self.rename(&temporary, path)?;
        match path.parent() {
            Some(parent) => self.sync_dir(parent),
            None => Ok(()),
        }
    }
}

pub trait File: Send + Sync {
    /// Reads at most `bytes.len()`; 0 is the end of the file.
    fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize>;

    /// Writes all slices one after the other from `position`. On error an unknown part was written.
    fn write_vectored_all_at(&self, slices: &mut [IoSlice<'_>], position: u64) -> io::Result<()>;

    fn len(&self) -> io::Result<u64>;
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Says that so many bytes will be written from `position` on, so that the file system may find
    /// room for them at once. The length stays. Only a hint: it fails silently.
    fn reserve(&self, _position: u64, _bytes: u64) {}

    /// Begins to bring these bytes to the device and waits for none of them, so that a later sync has
    /// less to do. Only a hint: it fails silently and proves nothing.
    fn start_write_out(&self, _position: u64, _bytes: u64) {}

    /// Waits until the bytes written so far (and the length) are on the device.
    fn sync_data(&self) -> io::Result<()>;

    /// The descriptor for sendfile; `None` where there is none (memory).
    fn std_file(&self) -> Option<&StdFile>;

    /// A shared view of bytes where that costs no copy (memory); `None` where it would.
    fn shared_bytes(&self, position: u64, len: usize) -> Option<Bytes>;

    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.write_vectored_all_at(&mut [IoSlice::new(bytes)], position)
    }

    fn read_exact_at(&self, bytes: &mut [u8], position: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match self.read_at(&mut bytes[done..], position + done as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
        Ok(())
    }
}
