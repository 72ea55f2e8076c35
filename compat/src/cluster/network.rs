//! Network namespaces: each node on a host of its own, and links that are cut one way or both.
//! Shell: the programs `ip` and `iptables`. It needs a machine that lets this process make namespaces.

use std::process::{Command, Stdio};

use crate::failure::{Outcome, While, fail};
use crate::process;

const NAME: &str = "ottla-net";

/// Hosts on one bridge; the clients are on the machine itself.
#[derive(Debug)]
pub struct Network {
    bridge: String,
    /// By place.
    spaces: Vec<String>,
    subnet: String,
}

/// Whether a machine that can't make namespaces is told apart from one on which something else is wrong.
#[derive(Debug)]
pub enum Opened {
    Network(Network),
    /// What was said when it was tried.
    NotAllowed(String),
}

impl Network {
    pub fn open(count: usize) -> Outcome<Opened> {
        if process::find("ip").is_none() || process::find("iptables").is_none() {
            return Ok(Opened::NotAllowed("the programs ip and iptables are not on the PATH".to_owned()));
        }
        remove_leftovers();
        let pid = std::process::id();
        let bridge = format!("ob{pid}");
        let subnet = format!("10.{}.{}", 100 + pid % 100, pid / 100 % 250);
        let first = format!("{NAME}-{pid}-1");
        if let Err(failure) = run("ip", &["netns", "add", &first]) {
            return Ok(Opened::NotAllowed(failure.to_string()));
        }
        let mut network = Self { bridge, spaces: vec![first], subnet };
        run("ip", &["link", "add", &network.bridge, "type", "bridge"])?;
        run("ip", &["addr", "add", &format!("{}.254/24", network.subnet), "dev", &network.bridge])?;
        run("ip", &["link", "set", &network.bridge, "up"])?;
        for place in 0..count {
            network.add(place)?;
        }
        Ok(Opened::Network(network))
    }

    fn add(&mut self, place: usize) -> Outcome<()> {
        let pid = std::process::id();
        let space = format!("{NAME}-{pid}-{}", place + 1);
        if place > 0 {
            run("ip", &["netns", "add", &space])?;
            self.spaces.push(space.clone());
        }
        let (outer, inner) = (format!("ov{pid}-{}", place + 1), format!("oi{pid}-{}", place + 1));
        run("ip", &["link", "add", &outer, "type", "veth", "peer", "name", &inner])?;
        run("ip", &["link", "set", &inner, "netns", &space])?;
        run("ip", &["link", "set", &outer, "master", &self.bridge, "up"])?;
        run("ip", &["-n", &space, "link", "set", "lo", "up"])?;
        run("ip", &["-n", &space, "addr", "add", &format!("{}/24", self.host(place)), "dev", &inner])?;
        run("ip", &["-n", &space, "link", "set", &inner, "up"])
    }

    pub fn host(&self, place: usize) -> String {
        format!("{}.{}", self.subnet, place + 1)
    }

    /// What runs a program on a host.
    pub fn under(&self, place: usize) -> Vec<String> {
        ["ip", "netns", "exec", &self.spaces[place]].map(str::to_owned).to_vec()
    }

    /// What one host sends another is lost from here on.
    pub fn cut_one_way(&self, from: usize, to: usize) -> Outcome<()> {
        self.drop_from(to, &self.host(from))
    }

    /// A host and all others lose each other; clients reach it.
    pub fn isolate(&self, place: usize) -> Outcome<()> {
        for other in (0..self.spaces.len()).filter(|other| *other != place) {
            self.cut_one_way(place, other)?;
            self.cut_one_way(other, place)?;
        }
        Ok(())
    }

    /// Nothing reaches the host any more.
    pub fn isolate_whole(&self, place: usize) -> Outcome<()> {
        self.drop_from(place, &format!("{}.0/24", self.subnet))
    }

    fn drop_from(&self, place: usize, source: &str) -> Outcome<()> {
        self.filter(place, &["-A", "INPUT", "-s", source, "-i", "oi+", "-j", "DROP"])
    }

    /// All links carry everything again.
    pub fn heal(&self) -> Outcome<()> {
        (0..self.spaces.len()).try_for_each(|place| self.filter(place, &["-F", "INPUT"]))
    }

    fn filter(&self, place: usize, rule: &[&str]) -> Outcome<()> {
        let mut all = vec!["netns", "exec", self.spaces[place].as_str(), "iptables", "-w"];
        all.extend_from_slice(rule);
        run("ip", &all)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for space in &self.spaces {
            let _gone = run("ip", &["netns", "del", space]);
        }
        let _gone = run("ip", &["link", "del", &self.bridge]);
    }
}

/// What a run that was killed left behind.
fn remove_leftovers() {
    let listed = Command::new("ip").args(["netns", "list"]).output();
    let text = listed.map(|listed| String::from_utf8_lossy(&listed.stdout).into_owned()).unwrap_or_default();
    for space in text.lines().filter_map(|line| line.split_whitespace().next()) {
        let owner = space.strip_prefix(NAME).and_then(|rest| rest.split('-').nth(1));
        if owner.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()) {
            let _gone = run("ip", &["netns", "del", space]);
            let _gone = run("ip", &["link", "del", &format!("ob{}", owner.unwrap_or_default())]);
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> Outcome<()> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let done = command.output().while_doing(|| format!("running {program}"))?;
    if done.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&done.stderr);
    fail(format!("{program} {}: {}", arguments.join(" "), why.trim()))
}
