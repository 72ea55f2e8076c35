//! Which logs are to move to another log directory, and the thread that moves them, one after the other.
//! Shell. The thread runs only while there is something to move.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ottla_model::{Offset, TopicPartition};
use parking_lot::{Condvar, Mutex};

use crate::cleaner::Throttle;
use crate::error::StorageFailure;
use crate::log_dir::LogDir;
use crate::manager::LogManager;
use crate::names;
use crate::relocation::{CopyProgress, NotMoved, Relocation, Step};
use crate::unified_log::UnifiedLog;

/// Partitions that are not here yet and have a directory chosen for them; more are refused.
const PREFERRED_MAX: usize = 100_000;
/// What a name in a folder may have.
const NAME_BYTES_MAX: usize = 255;

/// Why a log is not moved.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MoveRefused {
    /// The copy's folder would have too long a name.
    #[error("the name of the topic is too long for the folder of a copy")]
    NameTooLong,
    #[error("there is no log directory {0}")]
    UnknownDir(String),
    #[error("the log directory is offline")]
    Offline,
    #[error("the log directory is cordoned")]
    Cordoned,
}

/// A move under way, as DescribeLogDirs shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MoveUnderWay {
    pub partition: TopicPartition,
    /// Where it goes.
    pub dir: PathBuf,
    pub bytes: u64,
    /// Below it the copy has every record.
    pub end: Offset,
}

struct Move {
    log: Arc<UnifiedLog>,
    to: Arc<LogDir>,
    progress: Arc<CopyProgress>,
    is_cancelled: AtomicBool,
}

#[derive(Default)]
struct State {
    moves: BTreeMap<TopicPartition, Arc<Move>>,
    /// Where logs go that are not made yet.
    preferred: BTreeMap<TopicPartition, PathBuf>,
    /// A thread moves logs, or is about to.
    is_running: bool,
    ticks: u64,
}

#[derive(Default)]
pub(crate) struct Moves {
    state: Mutex<State>,
    /// Notified about once a second, and at the end.
    wake: Condvar,
    is_closed: AtomicBool,
    /// 0: as fast as the directories are.
    bytes_per_second_max: AtomicU64,
    throttle: Throttle,
}

impl Moves {
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        // Under the lock, or a thread on its way to sleep would miss it.
        let _state = self.state.lock();
        self.wake.notify_all();
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Called about once a second.
    pub fn tick(&self) {
        let mut state = self.state.lock();
        state.ticks += 1;
        self.wake.notify_all();
    }

    fn wait_for_tick(&self) {
        let mut state = self.state.lock();
        let ticks = state.ticks;
        while state.ticks == ticks && !self.is_closed() {
            self.wake.wait(&mut state);
        }
    }

    /// Where a partition that is about to be made goes, if somebody chose.
    pub fn take_preferred(&self, partition: &TopicPartition) -> Option<PathBuf> {
        let mut state = self.state.lock();
        if state.preferred.is_empty() { None } else { state.preferred.remove(partition) }
    }

    fn next(&self) -> Option<Arc<Move>> {
        let mut state = self.state.lock();
        let next = state.moves.values().next().cloned().filter(|_| !self.is_closed());
        state.is_running = next.is_some();
        next
    }

    fn forget(&self, done: &Arc<Move>) {
        let mut state = self.state.lock();
        let partition = done.log.partition();
        if state.moves.get(partition).is_some_and(|known| Arc::ptr_eq(known, done)) {
            state.moves.remove(partition);
        }
    }

    fn rest(&self, bytes: u64, clock: &dyn ottla_env::Clock) {
        let max = self.bytes_per_second_max.load(Ordering::Relaxed);
        if max == 0 {
            return;
        }
        let spent = self.throttle.spend(bytes, max as f64, clock.monotonic());
        let is_same = || self.bytes_per_second_max.load(Ordering::Relaxed) == max;
        if let Some(until) = spent {
            while clock.monotonic() < until && !self.is_closed() && is_same() {
                self.wait_for_tick();
            }
        }
    }

    /// Moves logs until there are none to move.
    pub fn work(&self) {
        while let Some(next) = self.next() {
            let from = next.log.dir();
            match self.carry(&next) {
                Ok(true) => {
                    let (partition, to) = (next.log.partition(), next.to.path().display());
                    tracing::info!(%partition, from = %from.display(), %to, bytes = next.progress.bytes(), "moved to another log directory");
                }
                Ok(false) => {}
                Err(NotMoved::Deleted) => {}
                Err(NotMoved::NoSpace(text)) => {
                    tracing::warn!(partition = %next.log.partition(), "not moved, it stays in {}: {text}", from.display());
                }
                Err(NotMoved::Storage(failure)) => {
                    tracing::warn!(partition = %next.log.partition(), "not moved: {failure}");
                }
            }
            self.forget(&next);
        }
    }

    /// `Ok(false)`: the move was cancelled, or the process ends.
    fn carry(&self, next: &Move) -> Result<bool, NotMoved> {
        if Arc::ptr_eq(&next.log.place().dir, &next.to) {
            return Ok(false);
        }
        let mut moving = Relocation::begin(next.log.clone(), next.to.clone(), next.progress.clone())?;
        let is_moved = self.copy(next, &mut moving);
        if !matches!(is_moved, Ok(true)) {
            moving.discard();
        }
        is_moved
    }

    fn copy(&self, next: &Move, moving: &mut Relocation) -> Result<bool, NotMoved> {
        loop {
            if self.is_closed() || next.is_cancelled.load(Ordering::Acquire) {
                return Ok(false);
            }
            match moving.step()? {
                Step::Copied(bytes) => self.rest(bytes, &*next.log.shared.env.clock),
                Step::CaughtUp if moving.finish()? => return Ok(true),
                Step::CaughtUp => {}
            }
        }
    }
}

impl LogManager {
    /// The log moves to this directory in the background, or stays there if that is where it is; another move
    /// of it ends. Without such a log, the directory is remembered for when it is made.
    pub fn move_log(&self, partition: &TopicPartition, dir: &Path) -> Result<(), MoveRefused> {
        if names::future_folder(partition, 0).len() > NAME_BYTES_MAX {
            return Err(MoveRefused::NameTooLong);
        }
        let to = self.dir_at(dir).ok_or_else(|| MoveRefused::UnknownDir(dir.display().to_string()))?;
        to.check().map_err(|_: StorageFailure| MoveRefused::Offline)?;
        if self.is_cordoned(&to) {
            return Err(MoveRefused::Cordoned);
        }
        let Some(log) = self.get(partition) else {
            let mut state = self.moves().state.lock();
            if state.preferred.len() < PREFERRED_MAX {
                state.preferred.insert(partition.clone(), dir.to_owned());
            }
            return Ok(());
        };
        log.place().dir.check().map_err(|_: StorageFailure| MoveRefused::Offline)?;
        self.begin_move(&log, &to);
        Ok(())
    }

    pub fn has_dir(&self, dir: &Path) -> bool {
        self.dir_at(dir).is_some()
    }

    fn begin_move(&self, log: &Arc<UnifiedLog>, to: &Arc<LogDir>) {
        let mut state = self.moves().state.lock();
        match state.moves.get(log.partition()) {
            Some(known) if Arc::ptr_eq(&known.to, to) => return,
            Some(other) => {
                other.is_cancelled.store(true, Ordering::Release);
                state.moves.remove(log.partition());
            }
            None => {}
        }
        if Arc::ptr_eq(&log.place().dir, to) || self.moves().is_closed() {
            return;
        }
        let (progress, is_cancelled) = (Arc::default(), AtomicBool::new(false));
        let begun = Move { log: log.clone(), to: to.clone(), progress, is_cancelled };
        state.moves.insert(log.partition().clone(), Arc::new(begun));
        if !state.is_running {
            state.is_running = true;
            drop(state);
            self.start_mover();
        }
    }

    /// Copies that the last process did not finish are made anew.
    pub(crate) fn resume_moves(&self, unfinished: Vec<(TopicPartition, Arc<LogDir>)>) {
        for (partition, to) in unfinished {
            if let Some(log) = self.get(&partition) {
                self.begin_move(&log, &to);
            }
        }
    }

    pub fn moves_under_way(&self) -> Vec<MoveUnderWay> {
        let state = self.moves().state.lock();
        let describe = |begun: &Arc<Move>| MoveUnderWay {
            partition: begun.log.partition().clone(),
            dir: begun.to.path().to_owned(),
            bytes: begun.progress.bytes(),
            end: begun.progress.end(),
        };
        state.moves.values().map(describe).collect()
    }

    /// How many bytes a second all moves together may copy (`replica.alter.log.dirs.io.max.bytes.per.second`);
    /// `None`: as many as they can.
    pub fn set_move_bytes_per_second_max(&self, max: Option<u64>) {
        let moves = self.moves();
        let max = max.map_or(0, |max| max.max(1));
        if moves.bytes_per_second_max.swap(max, Ordering::Relaxed) != max {
            moves.throttle.restart();
            moves.tick();
        }
    }
}
