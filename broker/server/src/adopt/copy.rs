//! The copy of a node's directories into empty ones of ours, so that a crash leaves it to be done again.
//! Shell.
//!
//! ```text
//! .ottla-adopting in each of our directories, before anything else is there:
//!   copying    what is here may be half there: a broker does not start, the next adoption begins anew
//!   complete   everything is on the device; only the markers are left to remove
//! ```
//!
//! The mark of a clean stop is copied after everything else, and nothing of the source is ever written.

use std::any::Any;
use std::path::{Path, PathBuf};

use ottla_env::Disk;

use super::MARKER;
use super::refusal::Refusal;
use super::source::{CLEAN_SHUTDOWN, Source, SourceDir};

const COPYING: &[u8] = b"copying\n";
const COMPLETE: &[u8] = b"complete\n";
const LOCK: &str = ".lock";
/// What may lie in a directory that counts as empty: ours, and what file systems put there themselves.
const NOT_DATA: [&str; 3] = [MARKER, LOCK, "lost+found"];

/// Where to, one for each directory of the source. Holds their locks.
pub struct Targets<'a> {
    disk: &'a dyn Disk,
    dirs: Vec<PathBuf>,
    _locks: Vec<Box<dyn Any + Send + Sync>>,
}

/// What an earlier adoption left in a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Empty,
    Copying,
    Complete,
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Refusal {
    let path = path.to_owned();
    move |source| Refusal::Io { path, source }
}

/// Whether an earlier adoption into these directories had all but removed its markers; then they are
/// removed, and nothing else is to be done.
pub fn finish_earlier(disk: &dyn Disk, dirs: &[PathBuf]) -> Result<bool, Refusal> {
    let mut complete = Vec::new();
    for dir in dirs {
        let marker = dir.join(MARKER);
        if disk.exists(&marker) {
            if disk.read(&marker).map_err(io(&marker))? != COMPLETE {
                return Ok(false);
            }
            complete.push(dir);
        } else if !disk.exists(&dir.join(CLEAN_SHUTDOWN)) {
            return Ok(false);
        }
    }
    if complete.is_empty() {
        return Ok(false);
    }
    for dir in complete {
        remove_marker(disk, dir)?;
    }
    Ok(true)
}

fn remove_marker(disk: &dyn Disk, dir: &Path) -> Result<(), Refusal> {
    let marker = dir.join(MARKER);
    disk.remove_file(&marker).and_then(|()| disk.sync_dir(dir)).map_err(io(&marker))
}

impl<'a> Targets<'a> {
    /// Makes the directories where they are missing, and refuses those that hold anything of anybody's.
    pub fn prepare(disk: &'a dyn Disk, source: &Source, dirs: &[PathBuf]) -> Result<Targets<'a>, Refusal> {
        let mut locks = Vec::new();
        for (dir, from) in dirs.iter().zip(&source.dirs) {
            make_dir(disk, dir)?;
            state_of(disk, dir)?;
            let space = disk.space(dir).map_err(io(dir))?;
            let needed = from.bytes();
            if space.usable_bytes < needed {
                return Err(Refusal::NoRoom { dir: dir.clone(), needed, usable: space.usable_bytes });
            }
            locks.push(disk.lock(&dir.join(LOCK)).map_err(|error| match error.kind() {
                std::io::ErrorKind::WouldBlock => Refusal::Locked(dir.clone()),
                _ => io(dir)(error),
            })?);
        }
        let targets = Targets { disk, dirs: dirs.to_vec(), _locks: locks };
        for dir in dirs {
            match state_of(disk, dir)? {
                State::Empty => {}
                // Nobody was told that it is there, and the source has it still.
                State::Copying | State::Complete => targets.clear(dir)?,
            }
        }
        Ok(targets)
    }

    /// Removes what an adoption that was cut off left. Its marker stays.
    fn clear(&self, dir: &Path) -> Result<(), Refusal> {
        for entry in self.disk.read_names(dir).map_err(io(dir))? {
            if NOT_DATA.contains(&entry.text.as_str()) {
                continue;
            }
            let path = dir.join(&entry.text);
            let removed =
                if entry.is_dir { self.disk.remove_dir_all(&path) } else { self.disk.remove_file(&path) };
            removed.map_err(io(&path))?;
        }
        Ok(())
    }

    /// Copies everything; when this returns it is on the device and a broker may start on it.
    pub fn fill(&self, source: &Source) -> Result<(), Refusal> {
        for dir in &self.dirs {
            self.mark(dir, COPYING)?;
        }
        for (from, to) in source.dirs.iter().zip(&self.dirs) {
            self.fill_dir(from, to)?;
        }
        for from in &source.dirs {
            self.check_unchanged(from)?;
        }
        for dir in &self.dirs {
            self.mark(dir, COMPLETE)?;
        }
        self.dirs.iter().try_for_each(|dir| remove_marker(self.disk, dir))
    }

    fn mark(&self, dir: &Path, state: &[u8]) -> Result<(), Refusal> {
        let marker = dir.join(MARKER);
        self.disk.write_atomically(&marker, state).map_err(io(&marker))
    }

    fn fill_dir(&self, from: &SourceDir, to: &Path) -> Result<(), Refusal> {
        for folder in &from.folders {
            self.disk.create_dir_all(&to.join(folder)).map_err(io(&to.join(folder)))?;
        }
        for (file, len) in &from.files {
            let copied =
                self.disk.copy_file(&from.path.join(file), &to.join(file)).map_err(io(&to.join(file)))?;
            if copied != *len {
                return Err(Refusal::Changed(from.path.join(file)));
            }
        }
        for folder in &from.folders {
            self.disk.sync_dir(&to.join(folder)).map_err(io(&to.join(folder)))?;
        }
        // The metadata log's own directory has none; here it is a log directory like any other.
        let mark = to.join(CLEAN_SHUTDOWN);
        match from.was_cleanly_stopped {
            true => self.disk.copy_file(&from.path.join(CLEAN_SHUTDOWN), &mark).map(drop),
            false => self.disk.write_atomically(&mark, b"{\"version\":0,\"brokerEpoch\":-1}"),
        }
        .map_err(io(&mark))?;
        self.disk.sync_dir(to).map_err(io(to))
    }

    /// A Kafka that was started meanwhile has removed its mark, and appended to its metadata log.
    fn check_unchanged(&self, from: &SourceDir) -> Result<(), Refusal> {
        if from.was_cleanly_stopped && !self.disk.exists(&from.path.join(CLEAN_SHUTDOWN)) {
            return Err(Refusal::Changed(from.path.clone()));
        }
        for (file, len) in &from.files {
            let path = from.path.join(file);
            if self.disk.file_len(&path).map_err(io(&path))? != *len {
                return Err(Refusal::Changed(path));
            }
        }
        Ok(())
    }
}

/// Makes the directory, and durably so.
fn make_dir(disk: &dyn Disk, dir: &Path) -> Result<(), Refusal> {
    let made: Vec<&Path> = dir.ancestors().take_while(|folder| !disk.exists(folder)).collect();
    disk.create_dir_all(dir).map_err(io(dir))?;
    for parent in made.iter().filter_map(|folder| folder.parent()) {
        disk.sync_dir(parent).map_err(io(parent))?;
    }
    Ok(())
}

fn state_of(disk: &dyn Disk, dir: &Path) -> Result<State, Refusal> {
    let marker = dir.join(MARKER);
    if disk.exists(&marker) {
        let is_complete = disk.read(&marker).map_err(io(&marker))? == COMPLETE;
        return Ok(if is_complete { State::Complete } else { State::Copying });
    }
    let names = disk.read_names(dir).map_err(io(dir))?;
    // The marker's own temporary file: the first write of an adoption that was cut off.
    let temporary = format!("{MARKER}.tmp");
    match names.into_iter().find(|name| !NOT_DATA.contains(&name.text.as_str()) && name.text != temporary) {
        Some(name) => Err(Refusal::NotEmpty { dir: dir.to_owned(), name: name.text }),
        None => Ok(State::Empty),
    }
}
