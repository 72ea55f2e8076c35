//! podman with runc in a folder of its own: images, containers, and the API that Testcontainers speaks to.
//! Shell: processes, files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::broker;
use crate::clients::prepare_apt;
use crate::failure::{Failure, Outcome, While};
use crate::places::repository_dir;
use crate::process::{POLL_INTERVAL, Process, capture, run};

const LIMIT: Duration = Duration::from_secs(60);
const BUILD_LIMIT: Duration = Duration::from_secs(120);

/// What is installed, with a file that shows that it is there.
const PACKAGES: [(&str, &str); 6] = [
    ("podman", "/usr/bin/podman"),
    ("runc", "/usr/sbin/runc"),
    ("containernetworking-plugins", "/usr/lib/cni/bridge"),
    ("iptables", "/usr/sbin/iptables"),
    ("busybox-static", "/bin/busybox"),
    ("bash-static", "/bin/bash-static"),
];

/// runc, since crun refuses some machines' cgroups; limits that a container's own root may set.
const CONTAINERS_CONF: &str = r#"[containers]
default_ulimits = ["nofile=2000:2000", "nproc=1000:1000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "cni"
"#;

/// An engine whose images and containers go with its folder.
#[derive(Debug)]
pub struct Podman {
    dir: PathBuf,
    service: Option<Process>,
}

/// What containers of this run are called, so that none stays.
const PREFIX: &str = "ottla-compat-";

impl Podman {
    /// Installs what is missing; the error says why there can be no containers here.
    pub fn new(dir: &Path, say: &dyn Fn(&str)) -> Outcome<Self> {
        for (package, evidence) in PACKAGES {
            prepare_apt(package, Path::new(evidence), say)?;
        }
        fs::write(dir.join("containers.conf"), CONTAINERS_CONF)?;
        let storage = format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{0}/graph\"\nrunroot = \"{0}/run\"\n",
            dir.display()
        );
        fs::write(dir.join("storage.conf"), storage)?;
        Ok(Self { dir: dir.to_path_buf(), service: None })
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("CONTAINERS_CONF", self.dir.join("containers.conf"))
            .env("CONTAINERS_STORAGE_CONF", self.dir.join("storage.conf"));
        command
    }

    /// Runs podman to its end; what it printed.
    pub fn run(&self, arguments: &[&str]) -> Outcome<String> {
        let mut command = self.command("podman");
        command.args(arguments);
        Ok(capture("podman", &mut command, None, &self.dir, LIMIT)?.output)
    }

    /// Builds the image under these names; returns the bytes of its files.
    pub fn build(&self, tags: &[&str]) -> Outcome<u64> {
        let out = self.dir.join("image");
        let mut command = self.command("bash");
        command.arg(repository_dir().join("deploy/image/build")).arg("--no-expose");
        command.arg("--binary").arg(broker::ottla_binary()?).arg("--out").arg(&out);
        for tag in tags {
            command.args(["--tag", &format!("docker.io/{tag}")]);
        }
        run("deploy/image/build", &mut command, &self.dir.join("build.log"), BUILD_LIMIT)?;
        let tar = out.join("rootfs.tar");
        Ok(fs::metadata(&tar).while_doing(|| format!("reading {}", tar.display()))?.len())
    }

    /// Serves the engine's API; returns the address.
    pub fn serve(&mut self) -> Outcome<String> {
        let socket = self.dir.join("podman.sock");
        let address = format!("unix://{}", socket.display());
        let mut command = self.command("podman");
        command.args(["system", "service", "--time", "0", &address]);
        self.service =
            Some(Process::start("the podman service", &mut command, &self.dir.join("service.log"))?);
        let deadline = Instant::now() + LIMIT;
        while !socket.exists() {
            if Instant::now() > deadline {
                return Err(Failure("the podman service has no socket".to_owned()));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(address)
    }

    /// Starts a container in the background; it goes with this engine.
    pub fn start(&self, name: &str, arguments: &[&str]) -> Outcome<Container<'_>> {
        let name = format!("{PREFIX}{name}");
        let mut all = vec!["run", "--detach", "--name", &name];
        all.extend_from_slice(arguments);
        let begin = Instant::now();
        self.run(&all)?;
        Ok(Container { podman: self, name, begin })
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // Also those that a program of somebody else left behind when it failed.
        let _ = self.run(&["rm", "--force", "--all", "--time", "0"]);
    }
}

/// A container that runs, or ran.
#[derive(Debug)]
pub struct Container<'a> {
    podman: &'a Podman,
    name: String,
    begin: Instant,
}

impl Container<'_> {
    pub fn logs(&self) -> Outcome<String> {
        self.podman.run(&["logs", &self.name])
    }

    /// Waits for a line on standard output; how long after the start it was seen.
    pub fn wait_for(&self, line: &str) -> Outcome<Duration> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let logs = self.logs()?;
            if logs.contains(line) {
                return Ok(self.begin.elapsed());
            }
            if Instant::now() > deadline {
                return Err(Failure(format!("{} did not say '{line}':\n{logs}", self.name)));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    pub fn exec(&self, arguments: &[&str]) -> Outcome<String> {
        let mut all = vec!["exec", &self.name];
        all.extend_from_slice(arguments);
        self.podman.run(&all)
    }

    /// Asks the container's first process to end; how long it took to be gone.
    pub fn stop(&self) -> Outcome<Duration> {
        let pid = self.podman.run(&["inspect", "--format", "{{.State.Pid}}", &self.name])?;
        let begin = Instant::now();
        let process = PathBuf::from(format!("/proc/{}", pid.trim()));
        self.podman.run(&["kill", "--signal", "TERM", &self.name])?;
        while process.exists() {
            if begin.elapsed() > LIMIT {
                return Err(Failure(format!("{} does not stop", self.name)));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(begin.elapsed())
    }

    /// Resident memory of the first process, in KiB.
    pub fn memory_kib(&self) -> Outcome<u64> {
        let pid = self.podman.run(&["inspect", "--format", "{{.State.Pid}}", &self.name])?;
        let status = fs::read_to_string(format!("/proc/{}/status", pid.trim()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse().while_doing(|| format!("reading '{line}'"))
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self.podman.run(&["rm", "--force", "--time", "0", &self.name]);
    }
}
