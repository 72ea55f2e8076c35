//! One node: its disk, and the process on it as `server` starts it.
//! Shell.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use ottla_config::BrokerConfig;
use ottla_env::Disk;
use ottla_env::memory::sim::{HostId, SimWorld};
use ottla_env::memory::{Faults, FaultyDisk};
use ottla_server::rooms::Rooms;
use ottla_server::wiring::{self, Broker, StartOptions};
use parking_lot::{Mutex, MutexGuard};

use crate::rooms::End;

/// How long answers may take to leave when a node stops, as the process has it.
const ANSWERS_WAIT: Duration = Duration::from_millis(50);

/// What became of a process.
enum Process {
    Starting,
    Serving(Box<Broker>),
    Stopping,
    /// It ended by itself: in order, or because it could not start.
    Ended(Result<(), String>),
}

pub struct Node {
    pub id: usize,
    pub host: HostId,
    /// Counts the processes there were.
    pub life: u64,
    disk: FaultyDisk,
    world: SimWorld,
    config: BrokerConfig,
    seed: u64,
    process: Option<Arc<Mutex<Process>>>,
}

/// The rooms of a node that serves.
pub struct Serving<'a>(MutexGuard<'a, Process>);

impl Serving<'_> {
    pub fn rooms(&self) -> &Rooms {
        let Process::Serving(broker) = &*self.0 else { unreachable!("looked at when it was made") };
        broker.rooms()
    }
}

impl Node {
    pub fn new(world: &SimWorld, id: usize, config: BrokerConfig, seed: u64) -> Node {
        let seed = seed ^ ((id as u64) << 32);
        Node {
            id,
            host: HostId(id as u16),
            life: 0,
            disk: FaultyDisk::new(seed),
            world: world.clone(),
            config,
            seed,
            process: None,
        }
    }

    pub fn is_up(&self) -> bool {
        self.process.is_some()
    }

    pub fn serving(&self) -> Option<Serving<'_>> {
        let process = self.process.as_ref()?.lock();
        matches!(*process, Process::Serving(_)).then_some(Serving(process))
    }

    pub fn start(&mut self) {
        assert!(self.process.is_none(), "one process on a host");
        self.life += 1;
        self.world.power_on(self.host);
        let seed = self.seed.wrapping_add(self.life.wrapping_mul(0x9e37_79b9));
        let env = self.world.env(self.host, Arc::new(self.disk.of_process()), seed);
        let process = Arc::new(Mutex::new(Process::Starting));
        let (of_task, config) = (process.clone(), self.config.clone());
        let tasks = env.tasks.clone();
        let start = async move {
            let disk = env.disk.clone();
            let started = wiring::start(env, disk, config, StartOptions::default()).await;
            *of_task.lock() = match started {
                Ok(broker) => Process::Serving(Box::new(broker)),
                Err(why) => Process::Ended(Err(why)),
            };
        };
        tasks.spawn("node", Box::pin(start)).detach();
        self.process = Some(process);
    }

    /// The device under a directory is lost with all that is on it. For a machine whose process is gone.
    pub fn lose_disk(&self, dir: usize) {
        assert!(self.process.is_none(), "a disk is exchanged in a machine that stands");
        self.disk.replace(Path::new(&self.config.log_dirs[dir]));
    }

    pub fn set_faults(&self, faults: Faults) {
        self.disk.set_faults(faults);
    }

    /// After so many more changes of its disk the process can do no more.
    pub fn die_after(&self, changes: u64) {
        if self.process.is_some() {
            self.disk.die_after(changes);
        }
    }

    /// The directory by which this node votes, as its disk says.
    pub fn directory(&self) -> Option<String> {
        let text = self.disk.read(&Path::new(&self.config.log_dirs[0]).join("meta.properties")).ok()?;
        let text = String::from_utf8(text.to_vec()).ok()?;
        text.lines().find_map(|line| line.strip_prefix("directory.id=")).map(str::to_owned)
    }

    /// The folders of all partitions on its disks.
    pub fn folders(&self) -> Vec<String> {
        let of = |dir: &String| self.disk.read_dir(Path::new(dir)).unwrap_or_default();
        let entries = self.config.log_dirs.iter().flat_map(of);
        entries.filter(|entry| entry.is_dir).map(|entry| entry.name).collect()
    }

    /// Asks the process to stop in order; one that does not serve yet is killed. `tend` sees it end.
    pub fn stop(&mut self) {
        let Some(process) = &self.process else { return };
        let before = std::mem::replace(&mut *process.lock(), Process::Stopping);
        let Process::Serving(broker) = before else {
            *process.lock() = before;
            return self.end(End::Kill);
        };
        let of_task = process.clone();
        let env = self.world.env(self.host, Arc::new(self.disk.of_process()), 0);
        let stop = async move {
            broker.stop(ANSWERS_WAIT).await;
            *of_task.lock() = Process::Ended(Ok(()));
        };
        env.tasks.spawn("stop", Box::pin(stop)).detach();
    }

    /// Takes away a process that has ended by itself; says how.
    pub fn tend(&mut self) -> Option<Result<(), String>> {
        let ended = match &*self.process.as_ref()?.lock() {
            Process::Ended(how) => how.clone(),
            _ => return None,
        };
        self.end(End::Kill);
        Some(ended)
    }

    /// The process, or its machine, is gone.
    pub fn end(&mut self, end: End) {
        let Some(process) = self.process.take() else { return };
        // Nothing that is dropped may write any more.
        self.disk.die_after(0);
        match end {
            End::PowerLoss => self.world.lose_power(self.host),
            End::Kill | End::Clean => self.world.kill(self.host),
        }
        if let Process::Serving(broker) = &*process.lock() {
            // Listeners of images hold what holds them.
            let mut stop = pin!(broker.rooms().metadata.stop());
            let _ended = stop.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        drop(process);
        match end {
            End::PowerLoss => self.disk.lose_power(),
            End::Kill | End::Clean => self.disk.kill(),
        }
    }
}
