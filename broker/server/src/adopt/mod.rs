//! `ottla adopt`: a data directory of a stopped Apache Kafka 4.3.1 becomes one of ours.
//! Shell. The formats are the same, so taking over is looking closely and copying; see
//! docs/decisions/0010-a-data-directory-is-adopted-by-copying.md.
//!
//! Reading order: `source` (what is there), `cluster` (may it go on here), `copy`, `refusal` (why not).

mod cluster;
mod copy;
mod refusal;
mod source;
#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use ottla_env::Disk;

pub use refusal::Refusal;
use source::Source;

/// In a directory that an adoption has not finished with.
pub const MARKER: &str = ".ottla-adopting";

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Kafka's log.dirs, and its metadata.log.dir if that is another.
    pub sources: Vec<PathBuf>,
    /// One of ours for each.
    pub data_dirs: Vec<PathBuf>,
    /// Only look, and write nothing.
    pub check_only: bool,
}

/// Takes over or refuses. `served` says the highest level of a feature that this broker serves. Returns
/// what there is to tell.
pub fn adopt(disk: &dyn Disk, plan: &Plan, served: impl Fn(&str) -> i16) -> Result<String, Refusal> {
    if plan.check_only {
        let source = source::look(disk, &plan.sources)?;
        return Ok(told(&source, &served, "can be taken over"));
    }
    let (sources, targets) = (plan.sources.len(), plan.data_dirs.len());
    if sources != targets {
        return Err(Refusal::Counts { sources, targets });
    }
    check_overlap(plan)?;
    if copy::finish_earlier(disk, &plan.data_dirs)? {
        return Ok("An earlier adoption had copied everything; its last step is done now.\n".to_owned());
    }
    let source = source::look(disk, &plan.sources)?;
    copy::Targets::prepare(disk, &source, &plan.data_dirs)?.fill(&source)?;
    let mut text = told(&source, &served, "is taken over");
    let dirs: Vec<String> = plan.data_dirs.iter().map(|dir| dir.display().to_string()).collect();
    writeln!(
        text,
        "Start it with node.id={} and log.dirs={}. {} left as it was.",
        source.dirs[0].properties.node_id,
        dirs.join(","),
        listed(&plan.sources),
    )
    .expect("writing to memory does not fail");
    Ok(text)
}

/// A broker must not start on what is half there.
pub fn refuse_unfinished(disk: &dyn Disk, dirs: &[PathBuf]) -> Result<(), String> {
    match dirs.iter().find(|dir| disk.exists(&dir.join(MARKER))) {
        None => Ok(()),
        Some(dir) => Err(format!(
            "{}: `ottla adopt` was cut off here ({MARKER} is there); run it again, or empty the directory",
            dir.display()
        )),
    }
}

fn check_overlap(plan: &Plan) -> Result<(), Refusal> {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let all: Vec<&PathBuf> = plan.sources.iter().chain(&plan.data_dirs).collect();
    for (index, one) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            let (a, b) = (absolute(one), absolute(other));
            if a.starts_with(&b) || b.starts_with(&a) {
                return Err(Refusal::Overlap((*one).clone(), (*other).clone()));
            }
        }
    }
    Ok(())
}

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn told(source: &Source, served: impl Fn(&str) -> i16, what: &str) -> String {
    let properties = &source.dirs[0].properties;
    let paths: Vec<PathBuf> = source.dirs.iter().map(|dir| dir.path.clone()).collect();
    let features: Vec<String> =
        source.image.finalized_features().map(|(name, level)| format!("{name} {level}")).collect();
    let mut lines = vec![
        format!(
            "{} {what}: cluster {}, node {}, {} topics with {} partitions, {} bytes in {} files.",
            listed(&paths),
            properties.cluster_id,
            properties.node_id,
            source.image.topic_count(),
            source.image.partition_count(),
            source.bytes(),
            source.file_count(),
        ),
        format!("Finalized features: {}.", features.join(", ")),
    ];
    for (name, level, here) in cluster::lowered(&source.image, served) {
        lines.push(format!("Not served here: {name} {level}; the first start lowers it to {here}."));
    }
    match source.kept_tokens() {
        0 => {}
        tokens => lines.push(format!(
            "{tokens} delegation tokens come along: they are in force where delegation.token.secret.key is that of Kafka."
        )),
    }
    lines.extend(source.left.iter().map(|left| format!("Left behind: {left}.")));
    lines.join("\n") + "\n"
}
