//! The word list piped through a topic with kcat: what comes out is what went in, line by line.
//! Shell: child processes and files.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::failure::{Outcome, While, fail};
use crate::process::capture;
use crate::steps::{Setting, Steps};

/// Debian's word list (package wamerican).
pub const WORDS_PATH: &str = "/usr/share/dict/words";

const LIMIT: Duration = Duration::from_secs(60);

/// The topic is left to auto-creation, as a person would do who only types the two commands.
pub fn play(setting: &Setting, steps: &mut Steps) -> Outcome<()> {
    let topic = setting.namespace.clone();
    let kcat = |name: &str, arguments: &[&str], input: Option<&Path>| {
        let mut command = Command::new("kcat");
        command.args(["-b", &setting.bootstrap, "-t", &topic]).args(arguments);
        capture(name, &mut command, input, &setting.work_dir, LIMIT)
    };
    steps.step("in", || kcat("produce", &["-P"], Some(Path::new(WORDS_PATH))))?;
    let printed = steps.step("out", || kcat("consume", &["-C", "-e", "-q", "-o", "beginning"], None))?;
    steps.step("same-lines", || {
        let words = std::fs::read_to_string(WORDS_PATH).while_doing(|| format!("reading {WORDS_PATH}"))?;
        let (mut went_in, mut came_out): (Vec<&str>, Vec<&str>) =
            (words.lines().collect(), printed.output.lines().collect());
        if went_in.len() != came_out.len() {
            return fail(format!("{} lines went in, {} came out", went_in.len(), came_out.len()));
        }
        // The number of partitions is the broker's default, so the order between them is not given.
        went_in.sort_unstable();
        came_out.sort_unstable();
        if went_in == came_out {
            return Ok(());
        }
        let changed = went_in.iter().zip(&came_out).find(|(before, after)| before != after);
        fail(format!("a line came out changed: {changed:?}"))
    })
}
