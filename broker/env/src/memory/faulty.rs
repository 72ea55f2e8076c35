//! A disk that forgets what was not synced, tears writes, fails and fills up, as a seed says.
//! Shell.
//!
//! The model of a power loss: bytes of a file survive as they were at its last `sync_data`, plus an
//! arbitrary prefix of what was written since (possibly with one torn byte range); a name survives
//! when its folder was synced after it was made, or by luck; a rename or removal that was not
//! synced may or may not have happened, but a rename never in half. Small files written by `write_atomically` are whole.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs::File as StdFile;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};

use super::rng::SeededRng;
use crate::disk::{Disk, Entry, File, OpenMode, Space};

/// What may go wrong, in cases per thousand calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub write_fails: u64,
    pub write_is_full: u64,
    pub sync_fails: u64,
}

#[derive(Clone)]
pub struct FaultyDisk {
    world: Arc<Mutex<World>>,
    rng: Arc<SeededRng>,
    /// The process that this handle was given to; without one it is the machine's.
    life: Option<u64>,
}

struct World {
    /// What the running process sees.
    names: BTreeMap<PathBuf, Node>,
    /// What a power loss leaves for certain.
    durable_names: BTreeMap<PathBuf, Node>,
    locks: Vec<PathBuf>,
    faults: Faults,
    /// Changes that are still done before the process dies.
    changes_left: Option<u64>,
    /// Renames of files since their folder was synced, in order.
    renames: Vec<(PathBuf, PathBuf, Node)>,
    /// The same of folders.
    folder_renames: Vec<FolderRename>,
    /// Counts processes: files that an earlier one opened are dead.
    life: u64,
}

impl World {
    /// The process ends: no file of it is open, no lock held.
    fn end_process(&mut self) {
        self.life += 1;
        self.changes_left = None;
        self.locks.clear();
    }

    fn check_life(&self, life: Option<u64>) -> io::Result<()> {
        if life.is_some_and(|life| life != self.life) {
            return Err(io::Error::other("the process that opened this file is gone"));
        }
        Ok(())
    }

    /// Before each change of names or bytes.
    fn begin_change(&mut self) -> io::Result<()> {
        match &mut self.changes_left {
            Some(0) => Err(io::Error::other("the process is dying")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

#[derive(Clone)]
enum Node {
    Folder,
    File(Arc<Mutex<Contents>>),
}

#[derive(Default)]
struct Contents {
    bytes: Vec<u8>,
    durable: Vec<u8>,
}

struct FaultyFile {
    /// As the process sees it that opened this file.
    disk: FaultyDisk,
    contents: Arc<Mutex<Contents>>,
}

struct Lock {
    world: Arc<Mutex<World>>,
    path: PathBuf,
    life: u64,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut world = self.world.lock();
        if world.life == self.life {
            world.locks.retain(|path| *path != self.path);
        }
    }
}

/// A folder that has another name, and may have its old one after a power loss.
struct FolderRename {
    from: PathBuf,
    to: PathBuf,
    /// What a power loss leaves in it for certain, by path within it.
    held: Vec<(PathBuf, Node)>,
}

impl FolderRename {
    /// Whether a sync of `folder` makes the new name durable: one of the folder that holds either name, or of
    /// another that has the old name by now.
    fn is_synced_by(&self, folder: &Path) -> bool {
        self.from.parent() == Some(folder)
            || self.to.parent() == Some(folder)
            || folder.starts_with(&self.from)
    }

    fn put(self, names: &mut BTreeMap<PathBuf, Node>, is_done: bool) {
        let folder = if is_done { &self.to } else { &self.from };
        for (rest, node) in self.held {
            names.insert(within(folder, &rest), node);
        }
    }
}

fn within(folder: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { folder.to_owned() } else { folder.join(rest) }
}

/// Takes a folder out, with what it holds.
fn take_folder(names: &mut BTreeMap<PathBuf, Node>, folder: &Path) -> Vec<(PathBuf, Node)> {
    let taken: Vec<PathBuf> = names.keys().filter(|path| path.starts_with(folder)).cloned().collect();
    let take = |path: PathBuf| Some((path.strip_prefix(folder).ok()?.to_owned(), names.remove(&path)?));
    taken.into_iter().filter_map(take).collect()
}

impl FaultyDisk {
    pub fn new(seed: u64) -> FaultyDisk {
        FaultyDisk {
            world: Arc::new(Mutex::new(World {
                names: BTreeMap::new(),
                durable_names: BTreeMap::new(),
                locks: Vec::new(),
                faults: Faults::default(),
                changes_left: None,
                renames: Vec::new(),
                folder_renames: Vec::new(),
                life: 0,
            })),
            rng: Arc::new(SeededRng::new(seed)),
            life: None,
        }
    }

    /// The disk as the process sees it that begins now. What still runs of it after its end changes nothing:
    /// neither a byte nor a name.
    pub fn of_process(&self) -> FaultyDisk {
        FaultyDisk { life: Some(self.world.lock().life), ..self.clone() }
    }

    pub fn set_faults(&self, faults: Faults) {
        self.world.lock().faults = faults;
    }

    /// After so many more changes the process is as good as dead: every further one fails, until
    /// `kill` or `lose_power`.
    pub fn die_after(&self, changes: u64) {
        self.world.lock().changes_left = Some(changes);
    }

    /// The process dies (`kill -9`): nothing written is lost, every open file and lock is gone.
    pub fn kill(&self) {
        self.world.lock().end_process();
    }

    /// The machine dies: what was not synced is lost, kept in part, or torn.
    pub fn lose_power(&self) {
        // At one moment: nothing of the process comes between its end and the loss.
        let mut world = self.world.lock();
        world.end_process();
        let mut after = world.durable_names.clone();
        let renames = std::mem::take(&mut world.renames);
        // A folder has its old name or its new one, and what it holds with it.
        let mut undone: Vec<(PathBuf, PathBuf)> = Vec::new();
        for one in std::mem::take(&mut world.folder_renames) {
            let is_done = undone.is_empty() && self.rng.chance(500);
            if !is_done {
                undone.push((one.from.clone(), one.to.clone()));
            }
            one.put(&mut after, is_done);
        }
        let is_undone =
            |path: &Path| undone.iter().any(|(from, to)| path.starts_with(from) || path.starts_with(to));
        let is_renamed = |path: &PathBuf| renames.iter().any(|(from, to, _)| from == path || to == path);
        for (path, node) in &world.names {
            // A name that was never synced may have reached the disk all the same.
            if !after.contains_key(path) && !is_renamed(path) && !is_undone(path) && self.rng.chance(500) {
                after.insert(path.clone(), node.clone());
            }
        }
        let removed: Vec<PathBuf> = after
            .keys()
            .filter(|path| !world.names.contains_key(*path) && !is_renamed(path) && !is_undone(path))
            .cloned()
            .collect();
        for path in removed {
            if self.rng.chance(500) {
                after.remove(&path);
            }
        }
        for (index, (from, to, node)) in renames.iter().enumerate() {
            // One that builds on another that did not happen can't have.
            let is_possible =
                after.contains_key(from) || !renames[..index].iter().any(|(_, to, _)| to == from);
            if is_possible && self.rng.chance(500) {
                after.remove(from);
                after.insert(to.clone(), node.clone());
            }
        }
        // A child without its folder can't be reached.
        let reachable: Vec<PathBuf> = after
            .keys()
            .filter(|path| {
                path.ancestors().skip(1).all(|folder| {
                    folder.as_os_str().is_empty() || matches!(after.get(folder), Some(Node::Folder))
                })
            })
            .cloned()
            .collect();
        after.retain(|path, _| reachable.binary_search(path).is_ok());
        let mut seen: Vec<*const Mutex<Contents>> = Vec::new();
        for node in after.values() {
            if let Node::File(contents) = node
                && !seen.contains(&Arc::as_ptr(contents))
            {
                seen.push(Arc::as_ptr(contents));
                self.lose_bytes(&mut contents.lock());
            }
        }
        world.names = after.clone();
        world.durable_names = after;
    }

    /// The device under a folder is gone, and an empty one is in its place. For a process that has ended.
    pub fn replace(&self, folder: &Path) {
        let mut world = self.world.lock();
        let is_on_it = |path: &Path| path.starts_with(folder) && path != folder;
        world.names.retain(|path, _| !is_on_it(path));
        world.durable_names.retain(|path, _| !is_on_it(path));
        world.renames.retain(|(from, to, _)| !is_on_it(from) && !is_on_it(to));
        world.folder_renames.retain(|one| !is_on_it(&one.from) && !is_on_it(&one.to));
    }

    fn lose_bytes(&self, contents: &mut Contents) {
        if contents.bytes == contents.durable {
            return;
        }
        let mut survived = std::mem::take(&mut contents.durable);
        let grown = contents.bytes.len() > survived.len() && contents.bytes.starts_with(&survived);
        if grown {
            let from = survived.len();
            let kept = self.rng.below((contents.bytes.len() - from) as u64 + 1) as usize;
            survived.extend_from_slice(&contents.bytes[from..from + kept]);
            if kept > 0 && self.rng.chance(300) {
                // The length reached the disk before some of its bytes did.
                let torn = from + self.rng.below(kept as u64) as usize;
                // Devices write sectors, never single bytes.
                let end = (torn + 64 + self.rng.below(448) as usize).min(survived.len());
                survived[torn..end].fill(0);
            }
        } else if self.rng.chance(500) {
            survived.clone_from(&contents.bytes);
        }
        contents.bytes.clone_from(&survived);
        contents.durable = survived;
    }

    /// Flips one bit of a file, as bad media do.
    pub fn flip(&self, path: &Path, position: usize, bit: u8) {
        if let Some(Node::File(contents)) = self.world.lock().names.get(path) {
            let mut contents = contents.lock();
            if let Some(byte) = contents.bytes.get_mut(position) {
                *byte ^= 1 << (bit & 7);
            }
            if let Some(byte) = contents.durable.get_mut(position) {
                *byte ^= 1 << (bit & 7);
            }
        }
    }

    /// The world for one change, which nothing else comes in between of.
    fn change(&self) -> io::Result<MutexGuard<'_, World>> {
        let mut world = self.world.lock();
        world.check_life(self.life)?;
        world.begin_change()?;
        Ok(world)
    }

    fn not_found(path: &Path) -> io::Error {
        io::Error::new(io::ErrorKind::NotFound, format!("{} does not exist", path.display()))
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut world = self.world.lock();
        world.check_life(self.life)?;
        if mode == OpenMode::Truncate || (mode == OpenMode::Create && !world.names.contains_key(path)) {
            world.begin_change()?;
        }
        let contents = match (world.names.get(path), mode) {
            (Some(Node::File(contents)), _) => contents.clone(),
            (Some(Node::Folder), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (None, OpenMode::Read | OpenMode::ReadWrite) => return Err(FaultyDisk::not_found(path)),
            (None, OpenMode::Create | OpenMode::Truncate) => {
                if let Some(parent) = path.parent()
                    && !parent.as_os_str().is_empty()
                    && !matches!(world.names.get(parent), Some(Node::Folder))
                {
                    return Err(FaultyDisk::not_found(parent));
                }
                let contents = Arc::new(Mutex::new(Contents::default()));
                world.names.insert(path.to_owned(), Node::File(contents.clone()));
                contents
            }
        };
        if mode == OpenMode::Truncate {
            contents.lock().bytes.clear();
        }
        let disk = FaultyDisk { life: Some(world.life), ..self.clone() };
        Ok(Arc::new(FaultyFile { disk, contents }))
    }

    fn exists(&self, path: &Path) -> bool {
        self.world.lock().names.contains_key(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut world = self.change()?;
        for folder in path.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
            if let Node::File(_) = world.names.entry(folder.to_owned()).or_insert(Node::Folder) {
                return Err(io::ErrorKind::NotADirectory.into());
            }
        }
        Ok(())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let world = self.world.lock();
        if !world.names.contains_key(path) {
            return Err(FaultyDisk::not_found(path));
        }
        Ok(world
            .names
            .iter()
            .filter(|(child, _)| child.parent() == Some(path))
            .map(|(child, node)| {
                let name = child.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
                match node {
                    Node::Folder => Entry { name, is_dir: true, len: 0 },
                    Node::File(contents) => {
                        Entry { name, is_dir: false, len: contents.lock().bytes.len() as u64 }
                    }
                }
            })
            .collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.change()?;
        match world.names.get(from).cloned() {
            None => return Err(FaultyDisk::not_found(from)),
            // A folder takes along what it holds.
            Some(Node::Folder) => {
                for before in world.folder_renames.iter_mut().filter(|before| before.to == from) {
                    before.to = to.to_owned();
                }
                let held = take_folder(&mut world.durable_names, from);
                world.folder_renames.push(FolderRename { from: from.to_owned(), to: to.to_owned(), held });
            }
            Some(node) => world.renames.push((from.to_owned(), to.to_owned(), node)),
        }
        for (rest, node) in take_folder(&mut world.names, from) {
            world.names.insert(within(to, &rest), node);
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        match self.change()?.names.remove(path) {
            Some(_) => Ok(()),
            None => Err(FaultyDisk::not_found(path)),
        }
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut world = self.change()?;
        if !world.names.contains_key(path) {
            return Err(FaultyDisk::not_found(path));
        }
        world.names.retain(|child, _| !child.starts_with(path));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.change()?;
        let (renamed, pending): (Vec<_>, Vec<_>) =
            std::mem::take(&mut world.folder_renames).into_iter().partition(|one| one.is_synced_by(path));
        world.folder_renames = pending;
        for one in renamed {
            one.put(&mut world.durable_names, true);
        }
        let is_child = |child: &PathBuf| child.parent() == Some(path) || child == path;
        let now: Vec<(PathBuf, Node)> = world
            .names
            .iter()
            .filter(|(child, _)| is_child(child))
            .map(|(child, node)| (child.clone(), node.clone()))
            .collect();
        let gone: Vec<PathBuf> = world
            .durable_names
            .keys()
            .filter(|child| is_child(child) && !world.names.contains_key(*child))
            .cloned()
            .collect();
        for path in gone {
            // A folder that moved away takes along what it held.
            world.durable_names.retain(|child, _| !child.starts_with(&path));
        }
        world.durable_names.extend(now);
        world.renames.retain(|(from, ..)| from.parent() != Some(path));
        Ok(())
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        let full = self.world.lock().faults.write_is_full >= 1000;
        Ok(Space { total_bytes: 1 << 40, usable_bytes: if full { 0 } else { 1 << 39 } })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        let mut world = self.world.lock();
        world.check_life(self.life)?;
        if world.locks.iter().any(|locked| locked == path) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        world.locks.push(path.to_owned());
        Ok(Box::new(Lock { world: self.world.clone(), path: path.to_owned(), life: world.life }))
    }
}

impl File for FaultyFile {
    fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        let contents = self.contents.lock();
        let Some(rest) = contents.bytes.get(position as usize..) else { return Ok(0) };
        let count = bytes.len().min(rest.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_vectored_all_at(&self, slices: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        let world = self.disk.change()?;
        let faults = world.faults;
        let mut whole = Vec::with_capacity(slices.iter().map(|slice| slice.len()).sum());
        slices.iter().for_each(|slice| whole.extend_from_slice(slice));
        let (count, result) = if self.disk.rng.chance(faults.write_fails) {
            let count = self.disk.rng.below(whole.len() as u64 + 1) as usize;
            (count, Err(io::Error::other("injected write failure")))
        } else if self.disk.rng.chance(faults.write_is_full) {
            let count = self.disk.rng.below(whole.len() as u64 + 1) as usize;
            (count, Err(io::ErrorKind::StorageFull.into()))
        } else {
            (whole.len(), Ok(()))
        };
        let mut contents = self.contents.lock();
        let from = position as usize;
        if contents.bytes.len() < from + count {
            contents.bytes.resize(from + count, 0);
        }
        contents.bytes[from..from + count].copy_from_slice(&whole[..count]);
        result
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.contents.lock().bytes.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let _world = self.disk.change()?;
        self.contents.lock().bytes.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let world = self.disk.change()?;
        if self.disk.rng.chance(world.faults.sync_fails) {
            return Err(io::Error::other("injected sync failure"));
        }
        let mut contents = self.contents.lock();
        let bytes = contents.bytes.clone();
        contents.durable = bytes;
        Ok(())
    }

    fn std_file(&self) -> Option<&StdFile> {
        None
    }

    fn shared_bytes(&self, _position: u64, _len: usize) -> Option<Bytes> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synced_bytes_and_names_survive_a_power_loss_and_others_are_a_prefix() {
        for seed in 0..200 {
            let disk = FaultyDisk::new(seed);
            let path = Path::new("d/f");
            disk.create_dir_all(Path::new("d")).expect("memory");
            let file = disk.open(path, OpenMode::Create).expect("memory");
            file.write_all_at(b"synced", 0).expect("memory");
            file.sync_data().expect("memory");
            disk.sync_dir(Path::new("d")).expect("memory");
            disk.sync_dir(Path::new("")).expect("memory");
            file.write_all_at(b"not", 6).expect("memory");
            disk.lose_power();
            let bytes = disk.read(path).expect("its name was synced");
            assert!(bytes.starts_with(b"synced") && bytes.len() <= 9, "seed {seed}");
            assert!(file.write_all_at(b"x", 0).is_err(), "a dead process writes no more");
        }
    }

    #[test]
    fn what_still_runs_of_a_process_that_ended_changes_neither_bytes_nor_names() {
        for end in [FaultyDisk::kill, FaultyDisk::lose_power] {
            let machine = FaultyDisk::new(2);
            let (ended, path) = (machine.of_process(), Path::new("f"));
            let file = ended.open(path, OpenMode::Create).expect("memory");
            file.write_all_at(b"kept", 0).expect("memory");
            file.sync_data().expect("memory");
            ended.sync_dir(Path::new("")).expect("memory");
            end(&machine);
            assert!(file.write_all_at(b"late", 0).is_err() && file.set_len(0).is_err());
            assert!(ended.write_atomically(path, b"late").is_err());
            assert!(ended.rename(path, Path::new("g")).is_err() && ended.remove_file(path).is_err());
            assert!(ended.create_dir_all(Path::new("d")).is_err() && ended.sync_dir(Path::new("")).is_err());
            assert!(ended.lock(Path::new(".lock")).is_err());
            let next = machine.of_process();
            assert_eq!(next.read(path).expect("kept"), b"kept");
            assert!(!next.exists(Path::new("f.tmp")) && !next.exists(Path::new("d")));
            next.write_atomically(path, b"next").expect("the next process writes");
        }
    }

    #[test]
    fn a_device_that_is_replaced_is_empty_and_the_others_keep_all() {
        let disk = FaultyDisk::new(4);
        for folder in ["lost", "kept"] {
            disk.create_dir_all(Path::new(folder)).expect("memory");
            let file = disk.open(&Path::new(folder).join("f"), OpenMode::Create).expect("memory");
            file.write_all_at(b"bytes", 0).expect("memory");
            file.sync_data().expect("memory");
            disk.sync_dir(Path::new(folder)).expect("memory");
        }
        disk.sync_dir(Path::new("")).expect("memory");
        disk.kill();
        disk.replace(Path::new("lost"));
        for _ in 0..2 {
            assert!(disk.read_dir(Path::new("lost")).expect("it is there").is_empty());
            assert_eq!(disk.read(Path::new("kept/f")).expect("kept"), b"bytes");
            disk.lose_power();
        }
    }

    #[test]
    fn a_kill_keeps_what_was_written_and_frees_the_lock() {
        let disk = FaultyDisk::new(1);
        let file = disk.open(Path::new("f"), OpenMode::Create).expect("memory");
        let _held = disk.lock(Path::new(".lock")).expect("free");
        file.write_all_at(b"kept", 0).expect("memory");
        disk.kill();
        assert_eq!(disk.read(Path::new("f")).expect("kept"), b"kept");
        assert!(disk.lock(Path::new(".lock")).is_ok());
    }
}
