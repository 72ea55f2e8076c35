//! `kafka-features`: which features the cluster has, and at which levels.
//! Shell over the client; names of levels and the lines it prints are made by plain functions.

use std::collections::BTreeMap;

use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, UpdateFeaturesRequest};

use crate::admin::text;
use crate::client::Client;
use crate::command::{Action, Actions, bootstrap, client};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::partitions_file::told_twice;
use crate::terminal::Terminal;

const GLOBALS: &[Known] = &[
    value("bootstrap-server", "The brokers to connect to."),
    value("bootstrap-controller", "The controllers to connect to."),
    value("command-config", "A properties file for the client."),
];
const HELP: Known = flag("help", "Show this.").or('h');
const FEATURE: Known = value("feature", "A feature with its level, as name=level. May be repeated.").or('f');
const METADATA: Known = value("metadata", "(DEPRECATED) The metadata.version, as 4.3-IV0.");
const RELEASE: Known = value("release-version", "A release, as 4.3, whose levels all features get.").or('r');
const DRY_RUN: Known = flag("dry-run", "Only say what would be done.");
const UNSAFE: Known = flag("unsafe", "Do it though facts of the cluster may be lost.");

pub const ACTIONS: Actions = Actions {
    name: "kafka-features",
    globals: GLOBALS,
    is_terse: true,
    actions: &[
        Action { name: "describe", options: &[HELP], run: describe },
        Action { name: "upgrade", options: &[METADATA, FEATURE, RELEASE, DRY_RUN, HELP], run: upgrade },
        Action {
            name: "downgrade",
            options: &[METADATA, FEATURE, RELEASE, UNSAFE, DRY_RUN, HELP],
            run: downgrade,
        },
        Action { name: "disable", options: &[FEATURE, UNSAFE, DRY_RUN, HELP], run: disable },
        Action { name: "version-mapping", options: &[RELEASE, HELP], run: version_mapping },
    ],
};

const METADATA_VERSION: &str = "metadata.version";
/// The levels of metadata.version from the first on that 4.3 supports, in their order (`MetadataVersion`).
const METADATA_VERSIONS: [&str; 25] = [
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0",
    "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2",
    "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0", "4.4-IV0",
];
const FIRST_LEVEL: i16 = 7;
/// What 4.3 is released with; the level behind it is not.
const NEWEST_RELEASED: &str = "4.3-IV0";
/// The other features in Kafka's order: from which metadata.version on a release has them, and at which level.
const OTHER_FEATURES: [(&str, i16, i16); 6] = [
    ("kraft.version", 21, 1),
    ("transaction.version", 24, 2),
    ("group.version", 22, 1),
    ("eligible.leader.replicas.version", 26, 1),
    ("share.version", 28, 1),
    ("streams.version", 29, 1),
];
const TIMEOUT_MS: i32 = 30_000;
const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

fn connect(options: &Options) -> Result<Client, Failure> {
    let missing = "You must specify either --bootstrap-controller or --bootstrap-server.";
    client(options, bootstrap(options, missing)?)
}

/// A level as people know it.
fn level_name(feature: &str, level: i16) -> String {
    if feature != METADATA_VERSION {
        return level.to_string();
    }
    let known = usize::try_from(level - FIRST_LEVEL).ok().and_then(|at| METADATA_VERSIONS.get(at));
    known.map_or_else(|| format!("UNKNOWN {level}"), |name| (*name).to_owned())
}

/// The level of a name like `4.3-IV0`; `4.3` means the last of its release.
fn level_of(name: &str) -> Option<i16> {
    let is_it =
        |known: &&str| *known == name || known.split_once("-IV").is_some_and(|(release, _)| release == name);
    let at = METADATA_VERSIONS.iter().rposition(is_it)?;
    i16::try_from(at).ok().map(|at| at + FIRST_LEVEL)
}

fn known_level_of(name: &str) -> Result<i16, Failure> {
    level_of(name).ok_or_else(|| {
        let known = METADATA_VERSIONS.join(", ");
        let message = format!("Unknown metadata.version '{name}'. Supported metadata.version are: {known}");
        Failure::Sentence(message, 1)
    })
}

/// The other features' levels in a release with this metadata.version; 0 where it has them not.
fn levels_beside(metadata: i16) -> impl Iterator<Item = (&'static str, i16)> {
    OTHER_FEATURES
        .into_iter()
        .map(move |(name, since, level)| (name, if metadata >= since { level } else { 0 }))
}

fn version_mapping(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let release = options.get("release-version").unwrap_or(NEWEST_RELEASED);
    let metadata = known_level_of(release)?;
    terminal.say(&format!("{METADATA_VERSION}={metadata} ({release})"))?;
    for (name, level) in levels_beside(metadata) {
        terminal.say(&format!("{name}={level}"))?;
    }
    Ok(())
}

fn describe(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut client = connect(options)?;
    describe_with(&mut client, terminal).map_err(told_twice)
}

fn features_of(client: &mut Client, terminal: &mut Terminal<'_>) -> Result<ApiVersionsResponse, Exception> {
    let request = ApiVersionsRequest::default()
        .with_client_software_name(text("ottla"))
        .with_client_software_version(text(env!("CARGO_PKG_VERSION")));
    let response = client.any(terminal, "describeFeatures", &request)?;
    Exception::check(response.error_code, None)?;
    Ok(response)
}

/// The finalized level of a feature; 0 where it is off.
pub fn finalized_level(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    feature: &str,
) -> Result<i16, Exception> {
    let response = features_of(client, terminal)?;
    let found = response.finalized_features.iter().find(|one| &*one.name == feature);
    Ok(found.map_or(0, |one| one.max_version_level))
}

fn describe_with(client: &mut Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let response = features_of(client, terminal)?;
    let finalized: BTreeMap<&str, i16> =
        response.finalized_features.iter().map(|one| (&*one.name, one.max_version_level)).collect();
    let epoch = match response.finalized_features_epoch {
        -1 => "-".to_owned(),
        epoch => epoch.to_string(),
    };
    let mut supported: Vec<_> = response.supported_features.iter().collect();
    supported.sort_by(|a, b| a.name.cmp(&b.name));
    for feature in supported {
        let name = |level: i16| level_name(&feature.name, level);
        terminal.say(&format!(
            "Feature: {:<40}  SupportedMinVersion: {:<15}  SupportedMaxVersion: {:<15}  FinalizedVersionLevel: {:<15}  Epoch: \
             {epoch}",
            &*feature.name,
            name(feature.min_version),
            name(feature.max_version),
            name(finalized.get(&*feature.name).copied().unwrap_or(0))
        ))?;
    }
    Ok(())
}

fn upgrade(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    change(options, terminal, "upgrade", UPGRADE)
}

fn downgrade(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    change(options, terminal, "downgrade", downgrade_type(options))
}

fn downgrade_type(options: &Options) -> i8 {
    if options.has("unsafe") { UNSAFE_DOWNGRADE } else { SAFE_DOWNGRADE }
}

fn refuse<T>(message: String) -> Result<T, Failure> {
    Err(Failure::Sentence(message, 1))
}

fn change(options: &Options, terminal: &mut Terminal<'_>, what: &str, kind: i8) -> Result<(), Failure> {
    let mut levels = BTreeMap::new();
    if let Some(release) = options.get("release-version") {
        if options.has("metadata") || options.has("feature") {
            return refuse("Can not specify `release-version` with other feature flags.".to_owned());
        }
        let metadata = known_level_of(release)?;
        levels.insert(METADATA_VERSION.to_owned(), metadata);
        // An upgrade leaves alone what the release has not.
        let others = levels_beside(metadata).filter(|(_, level)| kind != UPGRADE || *level > 0);
        levels.extend(others.map(|(name, level)| (name.to_owned(), level)));
    }
    if let Some(version) = options.get("metadata") {
        terminal.say(" `metadata` flag is deprecated and may be removed in a future release.")?;
        levels.insert(METADATA_VERSION.to_owned(), known_level_of(version)?);
    }
    for given in options.all("feature") {
        let (name, level) = match feature_level(given) {
            Ok(parsed) => parsed,
            Err(message) => return refuse(message),
        };
        if levels.insert(name.clone(), level).is_some() {
            return refuse(format!("Feature {name} was specified more than once."));
        }
    }
    if levels.is_empty() {
        return refuse(format!("You must specify at least one feature to {what}"));
    }
    update(options, terminal, &levels, what, kind)
}

fn feature_level(given: &str) -> Result<(String, i16), String> {
    let Some((name, level)) = given.split_once('=') else {
        return Err(format!("Can't parse feature=level string {given}: equals sign not found."));
    };
    let unreadable =
        || format!("Can't parse feature=level string {given}: unable to parse {level} as a short.");
    Ok((name.trim().to_owned(), level.trim().parse().map_err(|_| unreadable())?))
}

fn disable(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut levels = BTreeMap::new();
    for name in options.all("feature") {
        if levels.insert(name.to_owned(), 0).is_some() {
            return refuse(format!("Feature {name} was specified more than once."));
        }
    }
    if levels.is_empty() {
        return refuse("You must specify at least one feature to disable".to_owned());
    }
    update(options, terminal, &levels, "disable", downgrade_type(options))
}

fn update(
    options: &Options,
    terminal: &mut Terminal<'_>,
    levels: &BTreeMap<String, i16>,
    what: &str,
    kind: i8,
) -> Result<(), Failure> {
    let mut client = connect(options)?;
    let is_dry_run = options.has("dry-run");
    let updates = levels.iter().map(|(name, level)| {
        FeatureUpdateKey::default()
            .with_feature(text(name))
            .with_max_version_level(*level)
            .with_upgrade_type(kind)
    });
    let request = UpdateFeaturesRequest::default()
        .with_timeout_ms(TIMEOUT_MS)
        .with_feature_updates(updates.collect())
        .with_validate_only(is_dry_run);
    let response =
        client.any(terminal, "updateFeatures", &request).map_err(Failure::Kafka).map_err(told_twice)?;
    let whole = Exception::check(response.error_code, response.error_message.as_deref());
    let mut failed = 0;
    for (name, level) in levels {
        let own = response.results.iter().find(|result| *result.feature == **name);
        let own = own.map_or(Ok(()), |own| Exception::check(own.error_code, own.error_message.as_deref()));
        let outcome = whole.clone().and(own).map_err(|exception| exception.message);
        failed += usize::from(outcome.is_err());
        terminal.say(&told(what, name, *level, is_dry_run, outcome))?;
    }
    if failed > 0 {
        return refuse(format!("{failed} out of {} operation(s) failed.", levels.len()));
    }
    Ok(())
}

fn told(what: &str, name: &str, level: i16, is_dry_run: bool, outcome: Result<(), String>) -> String {
    let is_disabled = what == "disable";
    match outcome {
        Ok(()) => {
            let verb = if is_dry_run { "can be" } else { "was" };
            if is_disabled {
                format!("{name} {verb} disabled.")
            } else {
                format!("{name} {verb} {what}d to {level}.")
            }
        }
        Err(message) => {
            let verb = if is_dry_run { "Can not" } else { "Could not" };
            let aim =
                if is_disabled { format!("disable {name}") } else { format!("{what} {name} to {level}") };
            format!("{verb} {aim}. {message}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_metadata_have_names() {
        assert_eq!(
            (level_name("share.version", 1), level_name(METADATA_VERSION, 30)),
            ("1".into(), "4.3-IV0".into())
        );
        assert_eq!(level_name(METADATA_VERSION, 99), "UNKNOWN 99");
        assert_eq!(
            (level_of("3.3-IV3"), level_of("4.0-IV0"), level_of("4.3")),
            (Some(7), Some(22), Some(30))
        );
        assert_eq!(level_of("9.9"), None);
    }

    #[test]
    fn a_release_has_levels_of_all_features() {
        let of = |metadata| levels_beside(metadata).map(|(_, level)| level).collect::<Vec<_>>();
        assert_eq!(of(20), [0; 6]);
        assert_eq!(of(23), [1, 0, 1, 0, 0, 0]);
        assert_eq!(of(28), [1, 2, 1, 1, 1, 0]);
        assert_eq!(of(30), [1, 2, 1, 1, 1, 1]);
        assert_eq!(level_of(NEWEST_RELEASED), Some(30));
    }

    #[test]
    fn what_was_done_is_told_in_kafka_s_words() {
        assert_eq!(told("upgrade", "a", 1, false, Ok(())), "a was upgraded to 1.");
        assert_eq!(told("disable", "a", 0, true, Ok(())), "a can be disabled.");
        assert_eq!(told("downgrade", "a", 2, false, Err("No.".into())), "Could not downgrade a to 2. No.");
        assert!(feature_level("x").is_err() && feature_level("x=y").is_err());
        assert_eq!(feature_level("x=3"), Ok(("x".to_owned(), 3)));
    }
}
