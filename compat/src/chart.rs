//! `cargo compat chart`: the Helm chart below deploy/ is rendered, read as Kubernetes reads it, and its nodes are started.
//! Shell: helm and a reader of its output as child processes, the nodes of one rendering as processes.
#![allow(clippy::print_stdout, reason = "this program talks to a person")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::broker;
use crate::clients::prepare_chart;
use crate::failure::{Outcome, While, fail};
use crate::places::{ScratchDir, repository_dir};
use crate::ports::free_port_list;
use crate::process::{Process, capture};
use crate::summary::note;

/// How `full` names it beside the clients.
pub const NAME: &str = "chart";

const RELEASE: &str = "ottla";
/// Built as a module, helm does not know of which Kubernetes it is.
const KUBERNETES: [&str; 2] = ["--kube-version", "1.31.0"];
const LIMIT: Duration = Duration::from_secs(60);

/// What is set, and what of it the rendering must hold.
struct Rendering {
    name: &'static str,
    values: &'static [&'static str],
    resources: &'static [&'static str],
    /// Lines of the file of a pod.
    lines: &'static [(&'static str, &'static str)],
}

const RENDERINGS: [Rendering; 3] = [
    Rendering {
        name: "three",
        values: &[],
        resources: &[
            "ConfigMap ottla",
            "PodDisruptionBudget ottla",
            "Service ottla",
            "Service ottla-nodes",
            "StatefulSet ottla",
        ],
        lines: &[
            ("ottla-2", "node.id=2"),
            ("ottla-2", "default.replication.factor=3"),
            ("ottla-0", "process.roles=broker,controller"),
        ],
    },
    Rendering {
        name: "grown",
        values: &[
            "brokers=2",
            "external.enabled=true",
            "external.host=kafka.example",
            "serviceMonitor.enabled=true",
            "config.log\\.retention\\.hours=24",
            "config.log\\.segment\\.bytes=1073741824",
        ],
        resources: &[
            "ConfigMap ottla",
            "PodDisruptionBudget ottla",
            "Service ottla",
            "Service ottla-0-external",
            "Service ottla-1-external",
            "Service ottla-2-external",
            "Service ottla-broker-100-external",
            "Service ottla-broker-101-external",
            "Service ottla-nodes",
            "ServiceMonitor ottla",
            "StatefulSet ottla",
            "StatefulSet ottla-broker",
        ],
        lines: &[
            ("ottla-broker-101", "process.roles=broker"),
            ("ottla-broker-101", "listeners=CLIENTS://:9092,EXTERNAL://:9094"),
            ("ottla-1", "log.segment.bytes=1073741824"),
        ],
    },
    Rendering {
        name: "one",
        values: &["controllers=1", "persistence.enabled=false", "clusterId=5L6g3nShT-eMCtK--X86sw"],
        resources: &["ConfigMap ottla", "Service ottla", "Service ottla-nodes", "StatefulSet ottla"],
        lines: &[("ottla-0", "default.replication.factor=1"), ("ottla-0", "transaction.state.log.min.isr=1")],
    },
];

/// What is refused, and what is said of it.
const REFUSED: [(&str, &str); 4] = [
    ("controllers=2", "controllers is 2"),
    ("firstBrokerId=3", "firstBrokerId is 3"),
    ("external.enabled=true", "external.enabled needs external.host"),
    ("config.node\\.id=7", "config.node.id is set by the chart"),
];

struct Chart {
    helm: PathBuf,
    reader: PathBuf,
    folder: PathBuf,
    scratch: ScratchDir,
}

/// Everything; true when all of it passed.
pub fn run() -> Outcome<bool> {
    let begin = Instant::now();
    println!("building ottla");
    broker::build_ottla()?;
    let [helm, reader] = prepare_chart(&|what: &str| println!("building {what}"))?;
    let folder = repository_dir().join("deploy/helm/ottla");
    let chart = Chart { helm, reader, folder, scratch: ScratchDir::new(NAME)? };
    let mut failures = 0;
    let mut check = |name: &str, result: Outcome<()>| match result {
        Ok(()) => println!("  {name}"),
        Err(failure) => {
            note(name, &failure.0);
            failures += 1;
        }
    };
    check("lint", chart.helm("lint", &["lint", "--strict"], &[]).map(drop));
    for rendering in &RENDERINGS {
        check(rendering.name, chart.check(rendering));
    }
    for (value, complaint) in REFUSED {
        check(value, chart.check_refused(value, complaint));
    }
    check("the three nodes of the default serve", chart.start_three());
    println!("{NAME}: {failures} failed, {} s", begin.elapsed().as_secs());
    Ok(failures == 0)
}

impl Chart {
    fn helm(&self, name: &str, arguments: &[&str], values: &[&str]) -> Outcome<String> {
        let mut command = Command::new(&self.helm);
        command.args(arguments).arg(&self.folder).args(values.iter().flat_map(|value| ["--set", value]));
        Ok(capture(name, &mut command, None, self.scratch.path(), LIMIT)?.output)
    }

    /// Renders into a folder with the file of each pod; returns the resources.
    fn render(&self, name: &str, values: &[&str]) -> Outcome<(PathBuf, Vec<String>)> {
        let rendered = self.helm(
            name,
            &["template", RELEASE, "--namespace", "streams", KUBERNETES[0], KUBERNETES[1]],
            values,
        )?;
        let (input, folder) = (self.scratch.path().join("rendered.yaml"), self.scratch.path().join(name));
        fs::write(&input, rendered)?;
        fs::create_dir_all(&folder)?;
        let mut command = Command::new(&self.reader);
        let read = capture("reader", command.arg(&folder), Some(&input), self.scratch.path(), LIMIT)?;
        let mut resources: Vec<String> = read.output.lines().map(str::to_owned).collect();
        resources.sort();
        Ok((folder, resources))
    }

    fn check(&self, rendering: &Rendering) -> Outcome<()> {
        let (folder, resources) = self.render(rendering.name, rendering.values)?;
        if resources != rendering.resources {
            return fail(format!("rendered are {resources:?}"));
        }
        for (pod, line) in rendering.lines {
            let text = fs::read_to_string(folder.join(format!("{pod}.properties")))
                .while_doing(|| format!("reading the file of {pod}"))?;
            if !text.lines().any(|found| found == *line) {
                return fail(format!("{pod} has no line {line}:\n{text}"));
            }
        }
        for entry in fs::read_dir(&folder)? {
            self.check_properties(&entry?.path())?;
        }
        Ok(())
    }

    /// The broker takes the file, and no key of it is unknown or without effect.
    fn check_properties(&self, file: &Path) -> Outcome<()> {
        let mut command = Command::new(broker::ottla_binary()?);
        command.arg("config").arg(file);
        let printed = capture("config", &mut command, None, self.scratch.path(), LIMIT)?;
        if !printed.errors.is_empty() {
            return fail(format!("{}:\n{}", file.display(), printed.errors));
        }
        Ok(())
    }

    fn check_refused(&self, value: &str, complaint: &str) -> Outcome<()> {
        match self.helm("refused", &["template", RELEASE, KUBERNETES[0], KUBERNETES[1]], &[value]) {
            Ok(_) => fail("it was rendered"),
            Err(failure) if failure.0.contains(complaint) => Ok(()),
            Err(failure) => fail(format!("not refused for \"{complaint}\": {failure}")),
        }
    }

    /// The files as they are but for addresses and folders, which are this machine's.
    fn start_three(&self) -> Outcome<()> {
        let (folder, _) = self.render("started", &[])?;
        let ports = free_port_list(6)?;
        let mut nodes = Vec::new();
        for id in 0..3 {
            let file = folder.join(format!("ottla-{id}.properties"));
            let mut text = fs::read_to_string(&file)?;
            for (other, port) in ports[3..].iter().enumerate() {
                let name = format!("ottla-{other}.ottla-nodes.streams.svc:9093");
                text = text.replace(&name, &format!("127.0.0.1:{port}"));
            }
            let data = self.scratch.path().join(format!("data-{id}"));
            let here = [
                (format!("ottla-{id}.ottla-nodes.streams.svc:9092"), format!("127.0.0.1:{}", ports[id])),
                ("CLIENTS://:9092".to_owned(), format!("CLIENTS://127.0.0.1:{}", ports[id])),
                ("CONTROLLER://:9093".to_owned(), format!("CONTROLLER://127.0.0.1:{}", ports[3 + id])),
                ("0.0.0.0:9644".to_owned(), "127.0.0.1:0".to_owned()),
                ("/var/lib/kafka/data/ottla".to_owned(), data.display().to_string()),
            ];
            for (from, to) in here {
                if !text.contains(&from) {
                    return fail(format!("the file of node {id} does not hold {from}:\n{text}"));
                }
                text = text.replace(&from, &to);
            }
            fs::write(&file, text)?;
            let log = self.scratch.path().join(format!("node-{id}.log"));
            let mut command = Command::new(broker::ottla_binary()?);
            nodes.push(Process::start("ottla", command.arg(&file), &log)?);
        }
        let served = self.use_cluster(&format!("127.0.0.1:{}", ports[0]));
        for mut node in nodes {
            let tail = node.last_output(5);
            node.stop(Duration::from_secs(10))?;
            if served.is_err() {
                println!("{tail}");
            }
        }
        served
    }

    /// A topic without a word of replicas has three, and what is written to it is read.
    fn use_cluster(&self, bootstrap: &str) -> Outcome<()> {
        let input = self.scratch.path().join("input");
        fs::write(&input, "hello\n")?;
        let ottla = |name: &str, arguments: &[&str], input: Option<&Path>| {
            let mut command = Command::new(broker::ottla_binary()?);
            command.args(arguments).args(["--bootstrap-server", bootstrap]);
            capture(name, &mut command, input, self.scratch.path(), LIMIT).map(|printed| printed.output)
        };
        let end = Instant::now() + LIMIT;
        while let Err(failure) = ottla("create", &["kafka-topics", "--create", "--topic", "greetings"], None)
        {
            if Instant::now() >= end {
                return Err(failure);
            }
        }
        ottla("produce", &["kafka-console-producer", "--topic", "greetings"], Some(&input))?;
        let described = ottla("describe", &["kafka-topics", "--describe", "--topic", "greetings"], None)?;
        if !described.contains("ReplicationFactor: 3") {
            return fail(format!("the topic has no three replicas: {described}"));
        }
        let read = [
            "kafka-console-consumer",
            "--topic",
            "greetings",
            "--from-beginning",
            "--max-messages",
            "1",
            "--timeout-ms",
            "20000",
        ];
        let read = ottla("consume", &read, None)?;
        if read.trim() == "hello" { Ok(()) } else { fail(format!("read was {read:?}")) }
    }
}
