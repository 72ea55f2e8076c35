//! Where things lie: the repository, the cache of downloaded clients, and directories that vanish after a run.
//! Shell: creates and removes directories.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::failure::{Outcome, While};

/// The folder `compat/` of the repository.
pub fn compat_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The root of the repository.
pub fn repository_dir() -> PathBuf {
    compat_dir().parent().map_or_else(compat_dir, Path::to_path_buf)
}

/// Everything a run downloads or builds; ignored by git, safe to delete.
pub fn cache_dir() -> Outcome<PathBuf> {
    let dir = compat_dir().join(".cache");
    fs::create_dir_all(&dir).while_doing(|| format!("creating {}", dir.display()))?;
    Ok(dir)
}

/// The wall clock as Kafka writes it into records.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Those that a run which ends early still has to remove.
static SCRATCH_DIRS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes what a run would have removed at its end, when it does not get there.
pub fn remove_scratch_dirs() {
    for path in SCRATCH_DIRS.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        let _ = fs::remove_dir_all(path);
    }
}

/// A directory of its own below the system's temporary one, removed when dropped.
#[derive(Debug)]
pub struct ScratchDir {
    path: PathBuf,
    keep: bool,
}

impl ScratchDir {
    pub fn new(name: &str) -> Outcome<Self> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ottla-compat-{name}-{}-{serial}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path).while_doing(|| format!("clearing {}", path.display()))?;
        }
        fs::create_dir_all(&path).while_doing(|| format!("creating {}", path.display()))?;
        SCRATCH_DIRS.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        Ok(Self { path, keep: false })
    }

    /// Uses a directory that the caller named; it is the caller's to remove.
    pub fn borrowed(path: &Path) -> Outcome<Self> {
        fs::create_dir_all(path).while_doing(|| format!("creating {}", path.display()))?;
        let path = path.canonicalize().while_doing(|| format!("resolving {}", path.display()))?;
        Ok(Self { path, keep: true })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the directory behind, for a person to look at after a failure.
    pub fn keep(&mut self) {
        self.keep = true;
        self.forget();
    }

    fn forget(&self) {
        SCRATCH_DIRS.lock().unwrap_or_else(PoisonError::into_inner).retain(|path| *path != self.path);
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.path);
            self.forget();
        }
    }
}
