//! A share consumer of Java's client while each node is killed in turn: leaders and share coordinators move.
//! Shell: a client process, the clock.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::clients::prepare_share;
use crate::cluster::nodes::Nodes;
use crate::failure::{Failure, Outcome, fail};
use crate::places::ScratchDir;
use crate::process::Process;

const TOPIC: &str = "share-load";
const GROUP: &str = "share-group";
const PARTITIONS: usize = 6;
/// At a thousand a second, so that it lasts until all nodes have been killed.
const RECORDS: usize = 40_000;
const LIMIT: Duration = Duration::from_secs(240);
const BEFORE_FIRST: Duration = Duration::from_secs(6);
const BETWEEN: Duration = Duration::from_secs(4);

/// What the program said at its end.
pub fn under_kills(nodes: &mut Nodes) -> Outcome<String> {
    let arguments = prepare_share(&|what| println!("  share: {what}"))?;
    let Some((java, rest)) = arguments.split_first() else { return fail("there is no program") };
    let scratch = ScratchDir::new("cluster-share")?;
    let output = scratch.path().join("share.out");
    let mut command = Command::new(java);
    command.args(rest).arg(nodes.addresses.join(",")).args([TOPIC, &PARTITIONS.to_string(), GROUP]);
    command.arg(RECORDS.to_string());
    let mut program = Process::start("share consumer", &mut command, &output)?;
    std::thread::sleep(BEFORE_FIRST);
    for id in 1..=nodes.addresses.len() as i32 {
        nodes.kill9(id)?;
        std::thread::sleep(BETWEEN);
        nodes.restart(id)?;
        nodes.wait_until_whole(TOPIC)?;
        std::thread::sleep(BETWEEN);
    }
    let ended = program.wait_until(Instant::now() + LIMIT)?;
    let said = program.last_output(20);
    match ended {
        Some(status) if status.success() => said
            .lines()
            .last()
            .map(str::to_owned)
            .ok_or_else(|| Failure("the share consumer said nothing".to_owned())),
        Some(status) => fail(format!("the share consumer ended with {status}\n{said}")),
        None => fail(format!("the share consumer still runs after {LIMIT:?}\n{said}")),
    }
}
