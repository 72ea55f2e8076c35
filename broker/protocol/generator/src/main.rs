//! Writes `broker/protocol/src/generated/` from the message definitions in Apache Kafka's jars.
//! Shell: `ottla-protocol-generator [--check] [--repository DIR]`; with `--check` it only compares. With
//! `--releases DIR` it prints the versions that other releases advertise, of the jars `kafka-clients-RELEASE.jar` there:
//! the table in `broker/lab/src/releases.txt`.

mod error_codes;
mod jars;
mod layouts;
mod names;
mod records;
mod releases;
mod schema;
mod shapes;
mod types;
mod versions;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    match run() {
        Ok(message) => {
            eprintln!("{message}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, String> {
    let (mut check, mut repository) = (false, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--check" => check = true,
            "--repository" => repository = arguments.next().map(PathBuf::from),
            "--releases" => {
                let folder = arguments.next().ok_or("--releases needs a folder")?;
                let releases = jars::load_releases(Path::new(&folder))?;
                std::io::stdout()
                    .write_all(releases::emit(&releases).as_bytes())
                    .map_err(|error| error.to_string())?;
                return Ok(format!("{} releases", releases.len()));
            }
            other => {
                return Err(format!(
                    "{other:?} is not known; usage: ottla-protocol-generator [--check] [--repository DIR] | \
                     --releases DIR"
                ));
            }
        }
    }
    let repository = match repository {
        Some(repository) => repository,
        None => PathBuf::from(std::env::var_os("HOME").ok_or("HOME is not set; pass --repository DIR")?)
            .join(".m2/repository"),
    };
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the generator has no parent folder")?;
    let committed = room.join("src/generated");
    let fresh = room.join("src/.generated");
    let _ = fs::remove_dir_all(&fresh);
    let outcome = write_fresh(&repository, &fresh)
        .and_then(|()| if check { compare(&fresh, &committed) } else { replace(&fresh, &committed) });
    let _ = fs::remove_dir_all(&fresh);
    outcome
}

fn write_fresh(repository: &Path, folder: &Path) -> Result<(), String> {
    let definitions = jars::load(repository)?;
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    files.insert("versions.rs".to_owned(), versions::emit(&definitions.clients)?);
    files.insert("layouts.rs".to_owned(), layouts::emit(&definitions.clients)?);
    files.insert("error_codes.rs".to_owned(), error_codes::emit(&definitions.clients)?);
    files.insert("shapes.rs".to_owned(), shapes::emit(&definitions.clients)?);
    files.extend(types::emit_messages(&definitions.clients)?);
    files.extend(records::emit(&definitions)?);
    files.insert(
        "mod.rs".to_owned(),
        "//! What ottla-protocol-generator writes from Kafka's message definitions.\n\
         //! Core. `cargo run -p ottla-protocol-generator` renews it, `-- --check` compares.\n\n\
         mod error_codes;\npub(crate) mod layouts;\npub mod messages;\npub mod records;\npub(crate) mod shapes;\npub(crate) mod versions;\n"
            .to_owned(),
    );
    for (name, text) in &files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| error.to_string())?;
        }
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let formatted = Command::new("rustfmt")
        .args(["--edition", "2024"])
        .arg(folder.join("mod.rs"))
        .status()
        .map_err(|error| format!("rustfmt did not start: {error}"))?;
    if formatted.success() { Ok(()) } else { Err("rustfmt refused what was generated".to_owned()) }
}

fn replace(fresh: &Path, committed: &Path) -> Result<String, String> {
    let _ = fs::remove_dir_all(committed);
    fs::rename(fresh, committed).map_err(|error| error.to_string())?;
    Ok(format!("{} files written for Kafka {}", listing(committed)?.len(), jars::KAFKA_VERSION))
}

fn compare(fresh: &Path, committed: &Path) -> Result<String, String> {
    let (fresh, committed) = (listing(fresh)?, listing(committed)?);
    let mut stale: Vec<&String> = fresh
        .iter()
        .filter(|(name, text)| committed.get(*name) != Some(text))
        .map(|(name, _)| name)
        .chain(committed.keys().filter(|name| !fresh.contains_key(*name)))
        .collect();
    stale.sort();
    if stale.is_empty() {
        Ok(format!("{} files are as Kafka {} has it", fresh.len(), jars::KAFKA_VERSION))
    } else {
        Err(format!("not as generated: {stale:?}"))
    }
}

/// Every file under `folder` with its text, by its path from there.
fn listing(folder: &Path) -> Result<BTreeMap<String, String>, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).map_err(|error| format!("{}: {error}", next.display()))? {
            let path = entry.map_err(|error| error.to_string())?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                files.insert(name, fs::read_to_string(&path).map_err(|error| error.to_string())?);
            }
        }
    }
    Ok(files)
}
