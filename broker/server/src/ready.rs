//! Telling whoever started us that every listener serves: one JSON line.
//! Shell.

use std::io::Write;
use std::path::PathBuf;

use serde_json::json;

/// Where the line goes.
#[derive(Clone, Debug)]
pub enum ReadyTarget {
    File(PathBuf),
    Descriptor(u32),
}

/// One node of several that serve from one process.
pub struct NodeReady {
    pub id: i32,
    pub bootstrap: String,
    pub http: Option<String>,
}

/// All of them, as a client takes them.
pub fn bootstrap_of(nodes: &[NodeReady]) -> String {
    nodes.iter().map(|node| node.bootstrap.as_str()).collect::<Vec<_>>().join(",")
}

/// The line of several nodes: that of one, and each node by itself.
pub fn announce_nodes(target: &ReadyTarget, nodes: &[NodeReady]) -> std::io::Result<()> {
    let each: Vec<serde_json::Value> = nodes
        .iter()
        .map(|node| json!({ "id": node.id, "bootstrap": node.bootstrap, "http": node.http }))
        .collect();
    let http = nodes.first().and_then(|node| node.http.as_deref());
    let line = json!({
        "bootstrap": bootstrap_of(nodes), "http": http, "pid": std::process::id(), "nodes": each
    });
    write(target, &line)
}

/// Writes the line; a reader never sees half of it in a file.
pub fn announce(target: &ReadyTarget, bootstrap: &str, http: Option<&str>) -> std::io::Result<()> {
    write(target, &json!({ "bootstrap": bootstrap, "http": http, "pid": std::process::id() }))
}

/// The line of a test lab, on the standard output and in a file if one is named.
pub fn announce_lab(target: Option<&ReadyTarget>, lab: &LabReady<'_>) -> std::io::Result<()> {
    let line = json!({
        "bootstrap": lab.bootstrap, "http": lab.http, "lab": lab.address, "pid": std::process::id(), "seed": lab.seed
    });
    if let Some(target) = target {
        write(target, &line)?;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// What a test lab has to say of itself.
pub struct LabReady<'a> {
    pub bootstrap: &'a str,
    pub http: Option<&'a str>,
    /// Of the control API.
    pub address: &'a str,
    pub seed: u64,
}

fn write(target: &ReadyTarget, line: &serde_json::Value) -> std::io::Result<()> {
    let mut text = line.to_string();
    text.push('\n');
    match target {
        ReadyTarget::File(path) => {
            let mut temporary = path.clone().into_os_string();
            temporary.push(".tmp");
            std::fs::write(&temporary, text)?;
            std::fs::rename(&temporary, path)
        }
        ReadyTarget::Descriptor(number) => {
            // The kernel's own name of an open descriptor: no unsafe conversion is needed.
            let path = format!("/proc/self/fd/{number}");
            let mut file = std::fs::OpenOptions::new().append(true).open(path)?;
            file.write_all(text.as_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_json_with_the_addresses() {
        let path = std::env::temp_dir().join(format!("ottla-ready-{}", std::process::id()));
        announce(&ReadyTarget::File(path.clone()), "127.0.0.1:1", Some("127.0.0.1:2")).expect("written");
        let text = std::fs::read_to_string(&path).expect("the file is there");
        std::fs::remove_file(&path).expect("removed");
        let line: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(line["bootstrap"], "127.0.0.1:1");
        assert_eq!(line["http"], "127.0.0.1:2");
        assert_eq!(line["pid"], std::process::id());
        assert!(text.ends_with('\n'));
    }
}
