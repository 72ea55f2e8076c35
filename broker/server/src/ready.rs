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

/// Writes the line; a reader never sees half of it in a file.
pub fn announce(target: &ReadyTarget, bootstrap: &str, http: Option<&str>) -> std::io::Result<()> {
    let line = json!({ "bootstrap": bootstrap, "http": http, "pid": std::process::id() });
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
