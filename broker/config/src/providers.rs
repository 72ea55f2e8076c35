//! Variables in values: `${provider:[path:]key}`, by the providers of Kafka that need no Java (KIP-297, KIP-421, KIP-632).
//! Core: what is read of the machine comes through `Machine`.
//!
//! Invariants:
//! - P1. A variable that is not resolved stops the start. (Kafka would take it as it stands, as a password too.)
//! - P2. Only what a start is given names providers, and no error repeats what one has read.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::error::ConfigError;
use crate::properties;
use crate::settings::{Given, Origin};

/// What a start may read of the machine.
pub trait Machine {
    /// The whole of a regular file.
    fn read_file(&self, path: &Path) -> io::Result<String>;
    /// The path without links and dots; fails where nothing is.
    fn real_path(&self, path: &Path) -> io::Result<PathBuf>;
}

/// A machine without files.
pub struct NoFiles;

impl Machine for NoFiles {
    fn read_file(&self, _path: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn real_path(&self, _path: &Path) -> io::Result<PathBuf> {
        Err(io::ErrorKind::NotFound.into())
    }
}

const PROVIDERS: &str = "config.providers";
const PACKAGE: &str = "org.apache.kafka.common.config.provider.";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
    Env,
}

const KINDS: [(&str, Kind); 3] = [
    ("FileConfigProvider", Kind::File),
    ("DirectoryConfigProvider", Kind::Directory),
    ("EnvVarConfigProvider", Kind::Env),
];

struct Provider {
    kind: Kind,
    /// Nothing else is read, if anything is named.
    allowed_paths: Vec<PathBuf>,
    /// Names of variables, whole.
    allowed_names: Option<Regex>,
}

struct Variable<'a> {
    whole: &'a str,
    provider: &'a str,
    path: &'a str,
    key: &'a str,
}

/// The first variable of a text and where it begins.
fn find(text: &str) -> Option<(usize, Variable<'_>)> {
    let mut from = 0;
    while let Some(at) = text[from..].find("${").map(|at| from + at) {
        let end = at + text[at..].find('}')?;
        let inner = &text[at + 2..end];
        if let Some((provider, rest)) = inner.split_once(':') {
            let (path, key) = rest.split_once(':').unwrap_or(("", rest));
            return Some((at, Variable { whole: &text[at..=end], provider, path, key }));
        }
        from = at + 2;
    }
    None
}

/// Whether a text has a variable in it.
pub(crate) fn has_variable(text: &str) -> bool {
    find(text).is_some()
}

/// Puts what variables stand for in their places.
pub(crate) fn resolve(
    given: &mut BTreeMap<String, Given>,
    env: &[(String, String)],
    machine: &dyn Machine,
) -> Result<(), ConfigError> {
    let providers = providers(given, machine)?;
    for (name, entry) in given.iter_mut().filter(|(name, _)| !name.starts_with(PROVIDERS)) {
        let mut resolved = String::new();
        let mut rest = entry.value.as_str();
        while let Some((at, variable)) = find(rest) {
            let value = value_of(&variable, &providers, env, machine).map_err(|why| {
                let message = format!(
                    "{name} is refused: {} is not resolved: {why} (given by {})",
                    variable.whole, entry.origin
                );
                ConfigError::invalid_config(message).about(name)
            })?;
            resolved.push_str(&rest[..at]);
            resolved.push_str(&value);
            // What was put in is not looked at again.
            rest = &rest[at + variable.whole.len()..];
        }
        if rest.len() < entry.value.len() {
            resolved.push_str(rest);
            let origin = Origin::Variables { within: Box::new(entry.origin.clone()) };
            *entry = Given { value: resolved, origin };
        }
    }
    Ok(())
}

fn providers(
    given: &BTreeMap<String, Given>,
    machine: &dyn Machine,
) -> Result<BTreeMap<String, Provider>, ConfigError> {
    let text = |key: &str| given.get(key).map(|given| given.value.trim()).unwrap_or_default();
    let names = text(PROVIDERS).split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut providers = BTreeMap::new();
    for name in names {
        let prefix = format!("{PROVIDERS}.{name}");
        let refused = |key: &str, why: &str| {
            let key = format!("{prefix}.{key}");
            let value = text(&key);
            ConfigError::invalid_config(format!("{key}={value} is refused: {why}")).about(&key)
        };
        let class = text(&format!("{prefix}.class"));
        let kind = KINDS.iter().find(|(known, _)| class.strip_prefix(PACKAGE) == Some(known));
        let Some((_, kind)) = kind else {
            let known: Vec<String> = KINDS.iter().map(|(known, _)| format!("{PACKAGE}{known}")).collect();
            let why = format!("a Java class cannot be run here; allowed: {}", known.join(", "));
            return Err(refused("class", &why));
        };
        let mut allowed_paths = Vec::new();
        let paths = text(&format!("{prefix}.param.allowed.paths"));
        for path in paths.split(',').map(str::trim).filter(|path| !path.is_empty()) {
            let real =
                Path::new(path).is_absolute().then(|| machine.real_path(Path::new(path)).ok()).flatten();
            let Some(real) = real else {
                return Err(refused(
                    "param.allowed.paths",
                    &format!("{path} is no absolute path that is there"),
                ));
            };
            allowed_paths.push(real);
        }
        let pattern = text(&format!("{prefix}.param.allowlist.pattern"));
        let allowed_names = (!pattern.is_empty())
            .then(|| Regex::new(&format!("^(?:{pattern})$")))
            .transpose()
            .map_err(|_| refused("param.allowlist.pattern", "it is no regular expression"))?;
        providers.insert(name.to_owned(), Provider { kind: *kind, allowed_paths, allowed_names });
    }
    Ok(providers)
}

fn value_of(
    variable: &Variable<'_>,
    providers: &BTreeMap<String, Provider>,
    env: &[(String, String)],
    machine: &dyn Machine,
) -> Result<String, String> {
    let Variable { provider: name, path, key, .. } = variable;
    let Some(provider) = providers.get(*name) else {
        return Err(format!("there is no provider {name} in {PROVIDERS}"));
    };
    match provider.kind {
        Kind::Env => {
            let is_allowed = provider.allowed_names.as_ref().is_none_or(|allowed| allowed.is_match(key));
            let found = env.iter().find(|(name, _)| name == key).filter(|_| is_allowed && path.is_empty());
            found.map(|(_, value)| value.clone()).ok_or_else(|| format!("no variable {key} may be read"))
        }
        Kind::File => {
            let text = read(Path::new(path), provider, machine)?;
            let entries = properties::parse(&text).map_err(|malformed| malformed.to_string())?;
            // As in Java's Properties, the last one counts.
            let found = entries.into_iter().rev().find(|entry| entry.key == *key);
            found.map(|entry| entry.value).ok_or_else(|| format!("{path} has no key {key}"))
        }
        Kind::Directory => {
            if key.is_empty() || key.contains('/') || *key == ".." || *key == "." {
                return Err(format!("{key} is no name of a file"));
            }
            read(&Path::new(path).join(key), provider, machine)
        }
    }
}

/// Links are followed before it is asked whether a path is allowed.
fn read(path: &Path, provider: &Provider, machine: &dyn Machine) -> Result<String, String> {
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    if path.as_os_str().is_empty() {
        return Err("it names no path".to_owned());
    }
    let real = machine.real_path(path).map_err(failed)?;
    let allowed = &provider.allowed_paths;
    if !(allowed.is_empty() || allowed.iter().any(|allowed| real.starts_with(allowed))) {
        return Err(format!("{} is not below allowed.paths", path.display()));
    }
    machine.read_file(&real).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files;

    impl Machine for Files {
        fn read_file(&self, path: &Path) -> io::Result<String> {
            match path.to_str() {
                Some("/secrets/db.properties") => Ok("password=hush\nport : 9093\n".to_owned()),
                Some("/secrets/token") => Ok("abc\n".to_owned()),
                Some("/etc/passwd") => Ok("root=x".to_owned()),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        }

        fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
            match path.to_str() {
                Some("/secrets/link") => Ok(PathBuf::from("/etc/passwd")),
                Some("/secrets" | "/secrets/db.properties" | "/secrets/token" | "/etc/passwd") => {
                    Ok(path.to_owned())
                }
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        }
    }

    const FIXED: [(&str, &str); 6] = [
        ("config.providers", "file, dir,env"),
        ("config.providers.file.class", "org.apache.kafka.common.config.provider.FileConfigProvider"),
        ("config.providers.file.param.allowed.paths", "/secrets"),
        ("config.providers.dir.class", "org.apache.kafka.common.config.provider.DirectoryConfigProvider"),
        ("config.providers.env.class", "org.apache.kafka.common.config.provider.EnvVarConfigProvider"),
        ("config.providers.env.param.allowlist.pattern", "RACK|HO.T"),
    ];

    fn load(more: &[(&str, &str)]) -> Result<crate::BrokerConfig, String> {
        let pairs: Vec<(String, String)> =
            FIXED.iter().chain(more).map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        let env =
            [("RACK", "r1"), ("HOST", "h"), ("HIDDEN", "hush")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let loaded = crate::load_with(&Files, None, &env, &pairs);
        loaded.map(|(config, _)| config).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_are_resolved_wherever_they_stand() {
        let config = load(&[
            ("broker.rack", "a-${env:RACK}-${env:HOST}-$${x}"),
            ("listeners", "PLAINTEXT://:${file:/secrets/db.properties:port}"),
            ("ssl.keystore.password", "${dir:/secrets:token}"),
        ])
        .unwrap();
        assert_eq!(config.rack.as_deref(), Some("a-r1-h-$${x}"));
        assert_eq!(config.listeners[0].port, 9093);
        assert_eq!(config.given()["ssl.keystore.password"].value, "abc\n");
    }

    #[test]
    fn what_came_from_a_provider_is_shown_nowhere() {
        let config = load(&[("broker.rack", "a${file:/secrets/db.properties:password}b")]).unwrap();
        assert_eq!(config.rack.as_deref(), Some("ahushb"));
        let keys = ["broker.rack".to_owned()];
        let told = format!("{:?}", crate::describe_broker(&config, Some(&keys)));
        assert!(!told.contains("hush") && told.contains("is_sensitive: true"), "{told}");
        assert!(!crate::render_config_listing(&config).contains("hush"));
    }

    #[test]
    fn a_variable_that_is_not_resolved_stops_the_start_and_tells_no_secret() {
        for (key, text, why) in [
            ("broker.rack", "${vault:x:y}", "there is no provider vault"),
            ("broker.rack", "${env:HIDDEN}", "no variable HIDDEN may be read"),
            ("broker.rack", "${env:NONE}", "no variable NONE may be read"),
            ("broker.rack", "${file:/secrets/db.properties:none}", "has no key none"),
            ("broker.rack", "${file:/secrets/none:x}", "/secrets/none: "),
            ("broker.rack", "${file:/secrets/link:root}", "is not below allowed.paths"),
            ("broker.rack", "${file:/etc/passwd:root}", "is not below allowed.paths"),
            ("broker.rack", "${file:x}", "names no path"),
            ("broker.rack", "${dir:/secrets:../etc/passwd}", "is no name of a file"),
            ("num.partitions", "${file:/secrets/db.properties:password}", "num.partitions"),
        ] {
            let error = load(&[(key, text)]).unwrap_err();
            assert!(error.contains(why) && !error.contains("hush"), "{error}");
        }
        let error =
            load(&[("config.providers.dir.class", "io.strimzi.kafka.KubernetesSecretConfigProvider")])
                .unwrap_err();
        assert!(error.contains("a Java class cannot be run here"), "{error}");
        let error = load(&[("config.providers.file.param.allowed.paths", "secrets")]).unwrap_err();
        assert!(error.contains("no absolute path"), "{error}");
        // Also where nobody asked for providers.
        let none = [("broker.rack".to_owned(), "${env:RACK}".to_owned())];
        assert!(crate::load(None, &[], &none).is_err());
    }

    #[test]
    fn no_request_names_a_provider_or_a_variable() {
        let config = load(&[]).unwrap();
        let change = |key: &str, text: &str| {
            let values = crate::ConfigMap::from([(key.to_owned(), text.to_owned())]);
            crate::validate_broker_change(&config, true, &values).is_ok()
        };
        assert!(change("listener.name.plaintext.ssl.keystore.location", "/a"));
        assert!(!change("listener.name.plaintext.ssl.keystore.location", "${file:/etc/passwd:root}"));
        assert!(!change("config.providers", "file"));
    }
}
