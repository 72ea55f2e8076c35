//! Files in memory: what a broker without a directory keeps its logs in.
//! Shell. Bytes live in chunks; a full chunk is shared with readers without a copy.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs::File as StdFile;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};

use crate::disk::{Disk, Entry, File, OpenMode, Space};

/// Room that is claimed when no other is set.
const TOTAL_BYTES: u64 = 1 << 40;

/// A chunk that grew past this is sealed: shared with readers, written no more.
const CHUNK_BYTES: usize = 64 * 1024;

enum Node {
    Folder,
    File(Arc<MemoryFile>),
}

#[derive(Clone)]
pub struct MemoryDisk {
    nodes: Arc<RwLock<BTreeMap<PathBuf, Node>>>,
    locks: Arc<Mutex<Vec<PathBuf>>>,
    used: Arc<AtomicU64>,
    total_bytes: u64,
    /// Held by who writes bytes, and alone by who copies all of them.
    writers: Arc<RwLock<()>>,
}

struct Lock {
    locks: Arc<Mutex<Vec<PathBuf>>>,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.locks.lock().retain(|path| *path != self.path);
    }
}

impl Default for MemoryDisk {
    fn default() -> MemoryDisk {
        MemoryDisk::new()
    }
}

impl MemoryDisk {
    pub fn new() -> MemoryDisk {
        MemoryDisk::with_room(TOTAL_BYTES)
    }

    /// A disk that is full after so many bytes.
    pub fn with_room(total_bytes: u64) -> MemoryDisk {
        MemoryDisk {
            nodes: Arc::default(),
            locks: Arc::default(),
            used: Arc::new(AtomicU64::new(0)),
            total_bytes,
            writers: Arc::default(),
        }
    }

    /// Another disk with what is below a folder at one moment, below another folder: what a disk has when its machine stops.
    /// Full chunks are shared by both.
    pub fn copy_of(&self, from: &Path, to: &Path) -> MemoryDisk {
        let copy = MemoryDisk::with_room(self.total_bytes);
        // Nobody writes, and no name changes, until all is taken.
        let (_alone, nodes) = (self.writers.write(), self.nodes.read());
        let mut copies = copy.nodes.write();
        for folder in to.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
            copies.insert(folder.to_owned(), Node::Folder);
        }
        for (path, node) in nodes.iter() {
            let Ok(rest) = path.strip_prefix(from) else { continue };
            let node = match node {
                Node::Folder => Node::Folder,
                Node::File(file) => Node::File(Arc::new(file.copy_on(&copy))),
            };
            copies.insert(if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) }, node);
        }
        drop(copies);
        copy
    }

    /// The files below a folder in the order of their paths.
    pub fn files_below(&self, folder: &Path) -> Vec<PathBuf> {
        let nodes = self.nodes.read();
        let below =
            nodes.iter().filter(|(path, node)| path.starts_with(folder) && matches!(node, Node::File(_)));
        below.map(|(path, _)| path.clone()).collect()
    }

    fn not_found(path: &Path) -> io::Error {
        io::Error::new(io::ErrorKind::NotFound, format!("{} does not exist", path.display()))
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let existing = match self.nodes.read().get(path) {
            Some(Node::File(file)) => Some(file.clone()),
            Some(Node::Folder) => return Err(io::ErrorKind::IsADirectory.into()),
            None => None,
        };
        match (existing, mode) {
            (Some(file), OpenMode::Truncate) => {
                file.set_len(0)?;
                Ok(file)
            }
            (Some(file), _) => Ok(file),
            (None, OpenMode::Read | OpenMode::ReadWrite) => Err(MemoryDisk::not_found(path)),
            (None, OpenMode::Create | OpenMode::Truncate) => {
                let mut nodes = self.nodes.write();
                if let Some(parent) = path.parent()
                    && !parent.as_os_str().is_empty()
                    && !matches!(nodes.get(parent), Some(Node::Folder))
                {
                    return Err(MemoryDisk::not_found(parent));
                }
                let file = Arc::new(MemoryFile {
                    bytes: RwLock::default(),
                    used: self.used.clone(),
                    total_bytes: self.total_bytes,
                    writers: self.writers.clone(),
                });
                nodes.insert(path.to_owned(), Node::File(file.clone()));
                Ok(file)
            }
        }
    }

    fn exists(&self, path: &Path) -> bool {
        self.nodes.read().contains_key(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut nodes = self.nodes.write();
        for folder in path.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
            if let Node::File(_) = nodes.entry(folder.to_owned()).or_insert(Node::Folder) {
                return Err(io::ErrorKind::NotADirectory.into());
            }
        }
        Ok(())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let nodes = self.nodes.read();
        if !nodes.contains_key(path) {
            return Err(MemoryDisk::not_found(path));
        }
        let mut entries = Vec::new();
        for (child, node) in nodes.range(path.to_owned()..).skip(1) {
            // Paths sort by component, so what a folder holds follows it without a gap.
            if !child.starts_with(path) {
                break;
            }
            if child.parent() != Some(path) {
                continue;
            }
            let name = child.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            entries.push(match node {
                Node::Folder => Entry { name, is_dir: true, len: 0 },
                Node::File(file) => Entry { name, is_dir: false, len: file.len()? },
            });
        }
        Ok(entries)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut nodes = self.nodes.write();
        let node = nodes.remove(from).ok_or_else(|| MemoryDisk::not_found(from))?;
        if let Node::Folder = node {
            let children: Vec<PathBuf> =
                nodes.keys().filter(|path| path.starts_with(from)).cloned().collect();
            for child in children {
                if let (Some(node), Ok(rest)) = (nodes.remove(&child), child.strip_prefix(from)) {
                    nodes.insert(to.join(rest), node);
                }
            }
        }
        nodes.insert(to.to_owned(), node);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut nodes = self.nodes.write();
        match nodes.get(path) {
            Some(Node::File(_)) => {
                nodes.remove(path);
                Ok(())
            }
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(MemoryDisk::not_found(path)),
        }
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut nodes = self.nodes.write();
        if !nodes.contains_key(path) {
            return Err(MemoryDisk::not_found(path));
        }
        nodes.retain(|child, _| !child.starts_with(path));
        Ok(())
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        let used = self.used.load(Ordering::Relaxed);
        Ok(Space { total_bytes: self.total_bytes, usable_bytes: self.total_bytes.saturating_sub(used) })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        let mut locks = self.locks.lock();
        if locks.iter().any(|locked| locked == path) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        locks.push(path.to_owned());
        Ok(Box::new(Lock { locks: self.locks.clone(), path: path.to_owned() }))
    }
}

/// Sealed chunks that readers share, and one that still grows.
#[derive(Clone, Default)]
struct Chunks {
    /// Each with the position of its first byte, in order.
    sealed: Vec<(u64, Bytes)>,
    open_at: u64,
    open: Vec<u8>,
}

impl Chunks {
    fn len(&self) -> u64 {
        self.open_at + self.open.len() as u64
    }

    fn append(&mut self, bytes: &[u8]) {
        self.open.extend_from_slice(bytes);
        if self.open.len() >= CHUNK_BYTES {
            let chunk = Bytes::from(std::mem::take(&mut self.open));
            let at = self.open_at;
            let sealed_end = self.sealed.last().map_or(0, |(at, chunk)| at + chunk.len() as u64);
            assert!(sealed_end == at, "the chunks of a file leave no gap");
            self.open_at += chunk.len() as u64;
            self.sealed.push((at, chunk));
        }
    }

    /// Cuts at `len`, copying what is left of a shared chunk into the open one.
    fn truncate(&mut self, len: u64) {
        if len >= self.open_at {
            self.open.truncate((len - self.open_at) as usize);
            return;
        }
        while let Some((at, chunk)) = self.sealed.pop() {
            self.open_at = at;
            if at <= len {
                self.open = chunk[..(len - at) as usize].to_vec();
                return;
            }
        }
        self.open.clear();
    }

    fn sealed_at(&self, position: u64) -> Option<&(u64, Bytes)> {
        let index = self.sealed.partition_point(|(at, _)| *at <= position);
        index.checked_sub(1).map(|index| &self.sealed[index])
    }

    fn read(&self, out: &mut [u8], position: u64) -> usize {
        if position >= self.len() {
            return 0;
        }
        let (at, chunk) = if position >= self.open_at {
            (self.open_at, self.open.as_slice())
        } else {
            let (at, chunk) =
                self.sealed_at(position).expect("sealed chunks cover what is before the open one");
            (*at, chunk.as_ref())
        };
        let from = (position - at) as usize;
        let count = out.len().min(chunk.len() - from);
        out[..count].copy_from_slice(&chunk[from..from + count]);
        count
    }

    fn write(&mut self, bytes: &[u8], position: u64) {
        let len = self.len();
        if position > len {
            self.append(&vec![0; (position - len) as usize]);
        }
        if position >= self.len() {
            self.append(bytes);
            return;
        }
        // Overwriting is rare (small files): cut, write, put back what followed.
        let end = position + bytes.len() as u64;
        let mut tail = vec![0; self.len().saturating_sub(end) as usize];
        let mut done = 0;
        while done < tail.len() {
            done += self.read(&mut tail[done..], end + done as u64);
        }
        self.truncate(position);
        assert!(self.len() == position, "what is overwritten was cut off");
        self.append(bytes);
        self.append(&tail);
        assert!(self.len() == len.max(end), "overwriting keeps what is behind it");
    }
}

struct MemoryFile {
    bytes: RwLock<Chunks>,
    used: Arc<AtomicU64>,
    total_bytes: u64,
    writers: Arc<RwLock<()>>,
}

impl MemoryFile {
    fn copy_on(&self, disk: &MemoryDisk) -> MemoryFile {
        let chunks = self.bytes.read().clone();
        disk.used.fetch_add(chunks.len(), Ordering::Relaxed);
        MemoryFile {
            bytes: RwLock::new(chunks),
            used: disk.used.clone(),
            total_bytes: disk.total_bytes,
            writers: disk.writers.clone(),
        }
    }

    fn note_growth(&self, before: u64, after: u64) {
        if after >= before {
            self.used.fetch_add(after - before, Ordering::Relaxed);
        } else {
            let used = self.used.fetch_sub(before - after, Ordering::Relaxed);
            assert!(used >= before - after, "no more is given back than was taken");
        }
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes.get_mut().len(), Ordering::Relaxed);
    }
}

impl File for MemoryFile {
    fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        Ok(self.bytes.read().read(bytes, position))
    }

    fn write_vectored_all_at(&self, slices: &mut [IoSlice<'_>], mut position: u64) -> io::Result<()> {
        let _writer = self.writers.read();
        let mut chunks = self.bytes.write();
        let before = chunks.len();
        let end = position + slices.iter().map(|slice| slice.len() as u64).sum::<u64>();
        let growth = end.saturating_sub(before);
        if growth > self.total_bytes.saturating_sub(self.used.load(Ordering::Relaxed)) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        for slice in slices.iter() {
            chunks.write(slice, position);
            position += slice.len() as u64;
        }
        self.note_growth(before, chunks.len());
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.read().len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let _writer = self.writers.read();
        let mut chunks = self.bytes.write();
        let before = chunks.len();
        if len > before {
            chunks.append(&vec![0; (len - before) as usize]);
        } else {
            chunks.truncate(len);
        }
        self.note_growth(before, chunks.len());
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn std_file(&self) -> Option<&StdFile> {
        None
    }

    fn shared_bytes(&self, position: u64, len: usize) -> Option<Bytes> {
        let chunks = self.bytes.read();
        let (at, chunk) = chunks.sealed_at(position)?;
        let from = (position - at) as usize;
        // What lies in one sealed chunk; the caller asks again for the rest.
        (from < chunk.len()).then(|| chunk.slice(from..chunk.len().min(from + len)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(file: &dyn File) -> Vec<u8> {
        let mut bytes = vec![0; file.len().expect("memory") as usize];
        file.read_exact_at(&mut bytes, 0).expect("memory");
        bytes
    }

    #[test]
    fn files_grow_shrink_and_are_overwritten_across_chunks() {
        let disk = MemoryDisk::new();
        disk.create_dir_all(Path::new("/a/b")).expect("memory");
        let file = disk.open(Path::new("/a/b/f"), OpenMode::Create).expect("memory");
        let mut model: Vec<u8> = Vec::new();
        for round in 0..20u8 {
            let piece = vec![round; 10_007];
            file.write_all_at(&piece, model.len() as u64).expect("memory");
            model.extend_from_slice(&piece);
        }
        file.write_all_at(&[0xff; 70_000], 50_000).expect("memory");
        model[50_000..120_000].fill(0xff);
        assert!(bytes_of(&*file) == model);
        file.set_len(60_123).expect("memory");
        model.truncate(60_123);
        assert!(bytes_of(&*file) == model);
        file.write_all_at(b"end", model.len() as u64).expect("memory");
        model.extend_from_slice(b"end");
        assert!(bytes_of(&*file) == model);
    }

    #[test]
    fn folders_list_their_children_only_and_move_whole() {
        let disk = MemoryDisk::new();
        for folder in ["/l/t-1", "/l/t-10", "/l/t-1.x"] {
            disk.create_dir_all(Path::new(folder)).expect("memory");
        }
        disk.open(Path::new("/l/t-1/f"), OpenMode::Create).expect("memory");
        let mut names: Vec<String> =
            disk.read_dir(Path::new("/l")).expect("memory").into_iter().map(|entry| entry.name).collect();
        names.sort();
        assert_eq!(names, ["t-1", "t-1.x", "t-10"]);
        assert_eq!(disk.read_dir(Path::new("/l/t-1")).expect("memory").len(), 1);
        disk.rename(Path::new("/l/t-1"), Path::new("/l/gone")).expect("memory");
        assert!(disk.exists(Path::new("/l/gone/f")) && !disk.exists(Path::new("/l/t-1/f")));
        assert!(disk.exists(Path::new("/l/t-10")));
    }

    #[test]
    fn a_full_disk_refuses_and_takes_again_after_a_removal() {
        let disk = MemoryDisk::with_room(100);
        let file = disk.open(Path::new("f"), OpenMode::Create).expect("memory");
        file.write_all_at(&[1; 100], 0).expect("fits");
        let error = file.write_all_at(&[1], 100).expect_err("full");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        drop(file);
        disk.remove_file(Path::new("f")).expect("memory");
        let file = disk.open(Path::new("g"), OpenMode::Create).expect("memory");
        file.write_all_at(&[1; 50], 0).expect("fits again");
        assert_eq!(disk.space(Path::new("")).expect("memory").usable_bytes, 50);
    }

    #[test]
    fn a_copy_has_what_was_there_and_goes_its_own_way() {
        let disk = MemoryDisk::new();
        disk.create_dir_all(Path::new("/lab/a/t-0")).expect("memory");
        disk.create_dir_all(Path::new("/lab/b")).expect("memory");
        disk.open(Path::new("/lab/b/other"), OpenMode::Create).expect("memory");
        let file = disk.open(Path::new("/lab/a/t-0/f"), OpenMode::Create).expect("memory");
        file.write_all_at(&[1; 100_000], 0).expect("memory");
        file.write_all_at(&[2; 10], 100_000).expect("memory");
        let copy = disk.copy_of(Path::new("/lab/a"), Path::new("/snapshot"));
        file.write_all_at(&[3; 10], 100_010).expect("memory");
        file.write_all_at(&[3; 10], 0).expect("memory");
        let copied = PathBuf::from("/snapshot/t-0/f");
        assert_eq!(copy.files_below(Path::new("/")), std::slice::from_ref(&copied));
        let bytes = copy.read(&copied).expect("memory");
        assert_eq!((bytes.len(), bytes[0], bytes[100_009]), (100_010, 1, 2));
        let used = |disk: &MemoryDisk| disk.space(Path::new("/")).expect("memory").usable_bytes;
        assert_eq!(used(&copy) - used(&disk), 10);
        let of_copy = copy.open(&copied, OpenMode::ReadWrite).expect("memory");
        of_copy.set_len(5).expect("memory");
        assert_eq!(file.len().expect("memory"), 100_020);
    }

    #[test]
    fn a_lock_is_held_until_dropped() {
        let disk = MemoryDisk::new();
        let lock = disk.lock(Path::new(".lock")).expect("free");
        assert!(disk.lock(Path::new(".lock")).is_err());
        drop(lock);
        assert!(disk.lock(Path::new(".lock")).is_ok());
    }
}
