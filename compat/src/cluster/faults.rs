//! What befalls a node that lives: nobody is fenced for it, and nothing that was acknowledged is lost.
//! Shell: processes, sockets, mounts, the clock.
//!
//! A stop of 300 ms, clients that storm it, a slow link, a device that stands still for two seconds, a full disk.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::cluster::load::{self, Stage};
use crate::cluster::nodes::{Map, Nodes, Places, map_of_any};
use crate::cluster::relay::Relay;
use crate::cluster::{audit, joined};
use crate::failure::{Failure, Outcome, While, fail};
use crate::places::ScratchDir;
use crate::ports::free_port_list;
use crate::process::capture;
use crate::wire::Connection;

const TOPIC: &str = "cluster-faults";
const GROUP: &str = "cluster-faults-group";
const NODES: usize = 3;
const PARTITIONS: usize = 6;
/// The node whose disk and whose link have something the matter.
const VICTIM: i32 = 2;
const DISK_BYTES: u64 = 512 << 20;
const CALM: Duration = Duration::from_secs(1);
const HICCUP: Duration = Duration::from_millis(300);
const STILL: Duration = Duration::from_secs(2);
const FULL: Duration = Duration::from_secs(3);
const SLOW: Duration = Duration::from_secs(4);
/// How long each byte is on its way over a slow link, in each direction.
const SLOW_BY: Duration = Duration::from_millis(50);
/// The storm: so many threads, each with so many connections, which it drops at once so many times.
const STORMERS: usize = 4;
const CONNECTIONS: usize = 400;
const WAVES: usize = 3;
/// Nobody's writes may wait longer than what is the matter takes, and so much.
const GAP_MORE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A device of its own in a file, with a file system that can stand still.
struct Device {
    dir: ScratchDir,
    mounted: PathBuf,
}

impl Device {
    fn new() -> Outcome<Self> {
        let dir = ScratchDir::new("device")?;
        let (image, mounted) = (dir.path().join("image"), dir.path().join("mounted"));
        File::create(&image)?.set_len(DISK_BYTES)?;
        std::fs::create_dir(&mounted)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mounted))?;
        Ok(Self { dir, mounted })
    }

    /// Nothing is written or synced on it meanwhile.
    fn stand_still(&self, time: Duration) -> Outcome<()> {
        run(Command::new("fsfreeze").arg("-f").arg(&self.mounted))?;
        std::thread::sleep(time);
        run(Command::new("fsfreeze").arg("-u").arg(&self.mounted))
    }

    /// Not a byte is left on it meanwhile.
    fn be_full(&self, time: Duration) -> Outcome<()> {
        let path = self.mounted.join("ballast");
        let mut ballast = File::create(&path)?;
        let (begin, block) = (Instant::now(), vec![0x5a; 1 << 16]);
        while begin.elapsed() < time {
            // What others free is taken as well.
            let mut len = block.len();
            while len > 0 && ballast.write_all(&block[..len]).is_err() {
                len /= 4;
            }
            if len < block.len() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        drop(ballast);
        Ok(std::fs::remove_file(&path)?)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _thawed = Command::new("fsfreeze").arg("-u").arg(&self.mounted).output();
        let _gone = run(Command::new("umount").arg("-l").arg(&self.mounted));
        let _image = std::fs::remove_file(self.dir.path().join("image"));
    }
}

fn run(command: &mut Command) -> Outcome<()> {
    capture("disk", command, None, &std::env::temp_dir(), PATIENCE).map(drop)
}

/// Plays all of it; where no device can be made, what needs one is left out, and said so.
pub fn run_all(overrides: &[String]) -> Outcome<String> {
    let device = match rustix::process::geteuid().is_root().then(Device::new) {
        Some(Ok(device)) => Some(device),
        Some(Err(why)) => {
            println!("  faults: no disk stands still or is full, as this machine makes none: {why}");
            None
        }
        None => {
            println!("  faults: no disk stands still or is full, as only root may mount one");
            None
        }
    };
    let relay = Relay::new()?;
    let data = device.as_ref().map(|device| device.mounted.join("data"));
    let ports = free_port_list(3 * NODES)?;
    relay.begin(ports[3 * (VICTIM as usize - 1) + 2])?;
    let places =
        Places { ports, log_dirs: vec![None, data, None], relays: vec![None, Some(relay.port()), None] };
    let mut nodes = Nodes::start_at(NODES, Some("INSIDE"), overrides, places)?;
    let result = under_load(&mut nodes, &relay, device.as_ref());
    if result.is_err() {
        println!("{}", nodes.last_output(25));
    }
    drop(nodes);
    result
}

fn under_load(nodes: &mut Nodes, relay: &Relay, device: Option<&Device>) -> Outcome<String> {
    let mut open = Connection::open(&nodes.addresses[0], PATIENCE)?;
    open.create_replicated_topic(TOPIC, PARTITIONS as i32, NODES as i16)?;
    nodes.wait_until_whole(TOPIC)?;
    let stage = Stage::new(nodes.addresses.clone(), TOPIC, GROUP);
    let (befallen, acknowledged, committed) =
        load::produce_and_commit_while(&stage, PARTITIONS, || befall(nodes, &stage, relay, device));
    let (acknowledged, _committed) = (acknowledged?, committed?);
    befallen?;
    nodes.wait_until_whole(TOPIC)?;
    audit::records(&nodes.addresses, TOPIC, &acknowledged)?;
    for id in 1..=NODES as i32 {
        nodes.stop(id)?;
    }
    let bytes = audit::copies(&nodes.log_dirs(), TOPIC, PARTITIONS)?;
    Ok(format!(
        "nobody was fenced; {} records acknowledged, each is there once and in order, and the {bytes} bytes of every \
         copy are equal",
        acknowledged.iter().sum::<u64>()
    ))
}

fn befall(nodes: &mut Nodes, stage: &Stage, relay: &Relay, device: Option<&Device>) -> Outcome<()> {
    meanwhile(nodes, stage, "a stop of 300 ms", HICCUP, |nodes| {
        nodes.pause(VICTIM, true)?;
        std::thread::sleep(HICCUP);
        nodes.pause(VICTIM, false)
    })?;
    let connections = STORMERS * CONNECTIONS * WAVES;
    meanwhile(nodes, stage, &format!("{connections} connections"), Duration::ZERO, |nodes| {
        storm(&nodes.addresses)
    })?;
    meanwhile(nodes, stage, "a slow link", 4 * SLOW_BY, |_| {
        relay.set_delay(SLOW_BY);
        std::thread::sleep(SLOW);
        relay.set_delay(Duration::ZERO);
        Ok(())
    })?;
    let Some(device) = device else { return Ok(()) };
    meanwhile(nodes, stage, "a device that stands still for 2 s", STILL, |_| device.stand_still(STILL))?;
    meanwhile(nodes, stage, "a full disk", FULL, |_| device.be_full(FULL))
}

/// Something goes on; all the time every node knows all brokers, and each leads what it led.
fn meanwhile(
    nodes: &mut Nodes,
    stage: &Stage,
    what: &str,
    takes: Duration,
    act: impl FnOnce(&mut Nodes) -> Outcome<()>,
) -> Outcome<()> {
    calm(stage)?;
    let before = map_of_any(&nodes.addresses, TOPIC)?;
    let _before = stage.take_longest_gap();
    let addresses = nodes.addresses.clone();
    let (is_over, fenced) = (AtomicBool::new(false), Mutex::new(None));
    let begin = Instant::now();
    let acted = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                if let Ok(map) = map_of_any(&addresses, TOPIC)
                    && let Some(why) = differs(&before, &map)
                    && let Ok(mut fenced) = fenced.lock()
                {
                    fenced.get_or_insert(format!("{why} after {:?}", begin.elapsed()));
                }
                std::thread::sleep(LOOK_AGAIN);
            }
        });
        let acted = act(nodes).and_then(|()| calm(stage));
        is_over.store(true, Ordering::SeqCst);
        acted
    });
    acted.while_doing(|| what.to_owned())?;
    let longest = stage.take_longest_gap();
    if let Some(why) = fenced.into_inner().ok().flatten() {
        return fail(format!("{what}: {why}"));
    }
    if longest > takes + GAP_MORE {
        return fail(format!("{what}: nothing was acknowledged for {longest:?}"));
    }
    let whole = nodes.wait_until_whole(TOPIC)?;
    println!(
        "  faults: {what}: nobody fenced, longest gap of a partition {} ms, whole {} ms later",
        longest.as_millis(),
        whole.as_millis()
    );
    Ok(())
}

fn differs(before: &Map, now: &Map) -> Option<String> {
    let (all, left): (Vec<_>, Vec<_>) = (before.brokers.keys().collect(), now.brokers.keys().collect());
    if all != left {
        return Some(format!("of brokers {all:?} only {left:?} were left"));
    }
    (before.epochs != now.epochs)
        .then(|| format!("leaders were elected, from epochs {:?} to {:?}", before.epochs, now.epochs))
}

/// Many clients come at once, ask, and are gone at once, again and again.
fn storm(addresses: &[String]) -> Outcome<()> {
    let wave = |number: usize| -> Outcome<()> {
        let address = &addresses[number % addresses.len()];
        let mut open = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            open.push(Connection::open(address, PATIENCE)?);
        }
        open.iter_mut().try_for_each(|one| one.map(TOPIC).map(drop))
    };
    std::thread::scope(|scope| {
        let stormers: Vec<_> = (0..STORMERS)
            .map(|stormer| scope.spawn(move || (0..WAVES).try_for_each(|number| wave(stormer + number))))
            .collect();
        stormers.into_iter().try_for_each(|one| joined(one.join()))
    })
}

fn calm(stage: &Stage) -> Outcome<()> {
    let (records, begin) = (stage.acknowledged.load(Ordering::Relaxed), Instant::now());
    while begin.elapsed() < CALM || stage.acknowledged.load(Ordering::Relaxed) == records {
        if begin.elapsed() > Duration::from_secs(30) {
            return Err(Failure("nothing is acknowledged any more".to_owned()));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn map(brokers: &[i32], epochs: &[i32]) -> Map {
        Map {
            brokers: brokers.iter().map(|id| (*id, String::new())).collect::<BTreeMap<_, _>>(),
            controller: 1,
            leaders: Vec::new(),
            epochs: epochs.to_vec(),
            isr: Vec::new(),
            replicas: Vec::new(),
        }
    }

    #[test]
    fn who_is_missing_and_what_was_elected_is_told() {
        let before = map(&[1, 2, 3], &[0, 4]);
        assert_eq!(differs(&before, &map(&[1, 2, 3], &[0, 4])), None);
        assert!(differs(&before, &map(&[1, 3], &[0, 4])).is_some_and(|why| why.contains("[1, 3]")));
        assert!(differs(&before, &map(&[1, 2, 3], &[0, 5])).is_some());
    }
}
