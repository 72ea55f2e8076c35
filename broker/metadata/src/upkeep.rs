//! Work beside the controller: snapshots, and the materialised image.
//! Shell. At most one job runs at a time, on a thread of its own that ends with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use ottla_env::tasks::ThreadHandle;
use ottla_env::{Env, OpenMode};
use ottla_model::Offset;
use ottla_model::limits::{METADATA_MATERIALISE_BYTES, METADATA_SNAPSHOT_BYTES};

use crate::delta::Delta;
use crate::image::Image;
use crate::metadata_log::{CommitError, MetadataLog};
use crate::snapshot::{self, SnapshotId};
use crate::store::{self, Touched};

/// What a snapshot needs of the log that it stands for.
pub(crate) trait Keeping {
    fn commit_offset(&self) -> Offset;
    /// Bytes replayed and appended since the last snapshot.
    fn bytes_since_snapshot(&self) -> u64;
    /// Waits until all that is committed is on the device.
    fn sync(&mut self) -> Result<(), CommitError>;
    fn on_snapshot_begun(&mut self);
    /// The snapshot is on the device: what it stands for may go.
    fn on_snapshot_done(&mut self, env: &Env, folder: &Path, id: SnapshotId);
}

impl Keeping for MetadataLog {
    fn commit_offset(&self) -> Offset {
        MetadataLog::commit_offset(self)
    }

    fn bytes_since_snapshot(&self) -> u64 {
        MetadataLog::bytes_since_snapshot(self)
    }

    fn sync(&mut self) -> Result<(), CommitError> {
        MetadataLog::sync(self)
    }

    fn on_snapshot_begun(&mut self) {
        MetadataLog::on_snapshot_begun(self);
    }

    fn on_snapshot_done(&mut self, env: &Env, folder: &Path, id: SnapshotId) {
        if let Err(error) = self.drop_before(id.end_offset, env.clock.wall_ms()) {
            tracing::warn!("metadata records before the snapshot could not be dropped: {error}");
        } else if let Err(error) = snapshot::remove_before(&*env.disk, folder, id) {
            tracing::warn!("older metadata snapshots could not be removed: {error}");
        }
    }
}

pub(crate) struct Upkeep {
    env: Env,
    folder: PathBuf,
    /// sled needs files of the machine; a memory disk has none. Looked up when it matters first.
    has_store: Option<bool>,
    touched: Touched,
    bytes_since_store: u64,
    bytes_seen: u64,
    running: Option<ThreadHandle>,
    done: (Sender<Done>, Receiver<Done>),
    snapshot_bytes: u64,
    materialise_bytes: u64,
    /// Tests wait for each job, so that what they find does not depend on speed.
    is_awaited: bool,
}

struct Done {
    snapshot: Option<SnapshotId>,
    store_failed: bool,
}

impl Upkeep {
    pub fn new(env: &Env, folder: PathBuf, touched: Touched, bytes_to_store: u64) -> Upkeep {
        Upkeep {
            env: env.clone(),
            folder,
            has_store: None,
            touched,
            bytes_since_store: bytes_to_store,
            bytes_seen: 0,
            running: None,
            done: channel(),
            snapshot_bytes: METADATA_SNAPSHOT_BYTES,
            materialise_bytes: METADATA_MATERIALISE_BYTES,
            is_awaited: false,
        }
    }

    /// For tests: thresholds that small logs reach, and jobs that are waited for.
    #[cfg(test)]
    pub fn set_thresholds(&mut self, snapshot_bytes: u64, materialise_bytes: u64) {
        self.snapshot_bytes = snapshot_bytes;
        self.materialise_bytes = materialise_bytes;
        self.is_awaited = true;
    }

    /// Notes what changed; called for each image that is published.
    pub fn on_published(&mut self, delta: &Delta) {
        self.touched.add(delta);
    }

    /// Everything may have changed.
    pub fn on_installed(&mut self) {
        self.touched = Touched::Everything;
    }

    /// Starts a job if one is due and takes in the one that ended.
    pub fn run_due(&mut self, log: &mut dyn Keeping, image: &Arc<Image>) {
        assert!(image.metadata_offset() < log.commit_offset(), "only committed facts are kept");
        self.finish_ended(log);
        let appended = log.bytes_since_snapshot().saturating_sub(self.bytes_seen);
        self.bytes_since_store += appended;
        self.bytes_seen = log.bytes_since_snapshot();
        let snapshot_due = log.bytes_since_snapshot() >= self.snapshot_bytes;
        let store_due = self.bytes_since_store >= self.materialise_bytes && self.has_store();
        if self.running.is_some() || !(snapshot_due || store_due) {
            return;
        }
        // Neither may be ahead of what the log holds on the device.
        if let Err(error) = log.sync() {
            tracing::warn!("no snapshot of the metadata is taken now: {error}");
            return;
        }
        if snapshot_due {
            log.on_snapshot_begun();
        }
        self.bytes_seen = log.bytes_since_snapshot();
        let touched = self.has_store().then(|| {
            self.bytes_since_store = 0;
            std::mem::replace(&mut self.touched, Touched::Topics(Default::default()))
        });
        self.start(image.clone(), snapshot_due, touched);
    }

    fn has_store(&mut self) -> bool {
        *self.has_store.get_or_insert_with(|| {
            let names = self.env.disk.read_names(&self.folder).unwrap_or_default();
            let probe = names.iter().find(|name| !name.is_dir);
            let file = probe.map(|name| self.env.disk.open(&self.folder.join(&name.text), OpenMode::Read));
            file.is_some_and(|file| file.is_ok_and(|file| file.std_file().is_some()))
        })
    }

    fn start(&mut self, image: Arc<Image>, snapshot_due: bool, touched: Option<Touched>) {
        let (env, folder, done) = (self.env.clone(), self.folder.clone(), self.done.0.clone());
        let work = move || {
            let mut snapshot = None;
            if snapshot_due {
                match snapshot::write(&*env.disk, &folder, &image, env.clock.wall_ms()) {
                    Ok(id) => snapshot = Some(id),
                    Err(error) => tracing::warn!("the metadata snapshot failed: {error}"),
                }
            }
            let mut store_failed = false;
            if let Some(touched) = touched
                && let Err(error) = store::update(&env, &folder, &image, &touched)
            {
                tracing::warn!("the materialised metadata image could not be brought up to date: {error}");
                store_failed = true;
            }
            // The receiver lives as long as the controller.
            drop(done.send(Done { snapshot, store_failed }));
        };
        let thread = self.env.tasks.spawn_thread("metadata-upkeep", Box::new(work));
        if self.is_awaited {
            thread.join();
        } else {
            self.running = Some(thread);
        }
    }

    fn finish_ended(&mut self, log: &mut dyn Keeping) {
        let Ok(done) = self.done.1.try_recv() else { return };
        if let Some(thread) = self.running.take() {
            thread.join();
        }
        if done.store_failed {
            self.touched = Touched::Everything;
        }
        let Some(id) = done.snapshot else { return };
        log.on_snapshot_done(&self.env, &self.folder, id);
    }

    /// Waits for the job that runs.
    pub fn stop(&mut self, log: &mut dyn Keeping) {
        if let Some(thread) = self.running.take() {
            thread.join();
        }
        self.finish_ended(log);
    }
}
