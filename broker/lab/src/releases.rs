//! Older releases of Apache Kafka, as a client sees them: which versions of which API, and which features.
//! Core.

use std::sync::LazyLock;

use ottla_protocol::ApiKey;
use ottla_protocol::shape::{Kind, Message, Value};
use ottla_protocol::versions::{self, VersionRange};

const TABLE: &str = include_str!("releases.txt");

/// All that can be emulated, oldest first.
static RELEASES: LazyLock<Vec<Release>> = LazyLock::new(|| read(TABLE));

#[derive(Clone, PartialEq, Debug)]
pub struct Release {
    /// As `3.7`.
    pub name: String,
    /// By key; those that Ottla can decode as well.
    versions: Vec<(ApiKey, VersionRange)>,
    features: Vec<Feature>,
}

#[derive(Clone, PartialEq, Debug)]
struct Feature {
    name: String,
    supported: VersionRange,
    /// That of a new cluster.
    level: i16,
}

/// A release of Kafka by its name, as `3.7` or `3.7.1`; `Err` has the names that there are.
pub fn find(name: &str) -> Result<&'static Release, String> {
    let is_named = |release: &&Release| match name.strip_prefix(release.name.as_str()) {
        Some("") => true,
        // Patches change no versions.
        Some(patch) => {
            let is_number = |patch: &str| patch.bytes().all(|digit| digit.is_ascii_digit());
            patch.strip_prefix('.').is_some_and(|patch| (1..3).contains(&patch.len()) && is_number(patch))
        }
        None => false,
    };
    RELEASES.iter().find(is_named).ok_or_else(|| {
        let names: Vec<&str> = RELEASES.iter().map(|release| release.name.as_str()).collect();
        format!("a release of Apache Kafka: {}", names.join(", "))
    })
}

impl Release {
    pub fn versions(&self, key: ApiKey) -> Option<VersionRange> {
        let place = self.versions.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        Some(self.versions[place].1)
    }

    pub fn has(&self, key: ApiKey, version: i16) -> bool {
        self.versions(key).is_some_and(|range| range.contains(version))
    }

    /// The levels with which a cluster begins, of the features that clients ask for. Where the release has one not, it
    /// is off.
    pub fn levels(&self) -> Vec<(String, i16)> {
        let newest = RELEASES.last().expect("the table has a column");
        let level = |feature: &Feature| {
            let own = self.features.iter().find(|own| own.name == feature.name);
            let off = feature.supported.min;
            (feature.name.clone(), own.map_or(off, |own| own.level.max(off)))
        };
        // One broker has no eligible replicas, and its quorum's version is raised by an operator alone.
        let is_asked_for = |feature: &&Feature| {
            !["kraft.version", "eligible.leader.replicas.version"].contains(&feature.name.as_str())
        };
        newest.features.iter().filter(is_asked_for).map(level).collect()
    }

    /// Leaves in an answer to ApiVersions what the release has.
    pub fn narrow(&self, message: &Message, answer: &mut Value) {
        for_each(message, answer, "ApiKeys", |row| {
            let Some(range) =
                row.number("ApiKey").and_then(ApiKey::from_i16).and_then(|key| self.versions(key))
            else {
                return false;
            };
            row.intersect(["MinVersion", "MaxVersion"], range)
        });
        for_each(message, answer, "SupportedFeatures", |row| {
            let own = self.features.iter().find(|own| row.is_named(&own.name));
            own.is_some_and(|own| row.intersect(["MinVersion", "MaxVersion"], own.supported))
        });
        for_each(message, answer, "FinalizedFeatures", |row| {
            self.features.iter().any(|own| row.is_named(&own.name))
        });
    }
}

/// One struct of a list in an answer.
struct Row<'a> {
    shape: &'static ottla_protocol::shape::Struct,
    values: &'a mut [Value],
}

impl Row<'_> {
    fn number(&self, field: &str) -> Option<i16> {
        match self.values.get(self.shape.place_of(field)?)? {
            Value::Int(number) => i16::try_from(*number).ok(),
            _other => None,
        }
    }

    fn is_named(&self, name: &str) -> bool {
        let place = self.shape.place_of("Name");
        matches!(place.and_then(|place| self.values.get(place)), Some(Value::Text(text)) if text.as_str() == name)
    }

    /// False where nothing is in both.
    fn intersect(&mut self, fields: [&str; 2], with: VersionRange) -> bool {
        let [Some(min), Some(max)] = fields.map(|field| self.number(field)) else { return false };
        let both = VersionRange { min: min.max(with.min), max: max.min(with.max) };
        for (field, value) in fields.into_iter().zip([both.min, both.max]) {
            let place = self.shape.place_of(field).expect("it was read from there");
            self.values[place] = Value::Int(value.into());
        }
        both.min <= both.max
    }
}

/// Keeps the rows of a list that `keep` says so of.
fn for_each(message: &Message, answer: &mut Value, list: &str, mut keep: impl FnMut(&mut Row<'_>) -> bool) {
    let (Value::Struct(values), Some(place)) = (answer, message.root.place_of(list)) else { return };
    let Kind::Array(Kind::Struct(shape)) = message.root.fields[place].kind else { return };
    if let Value::Array(rows) = &mut values[place] {
        rows.retain_mut(|row| match row {
            Value::Struct(values) => keep(&mut Row { shape, values }),
            _other => false,
        });
    }
}

fn read(table: &str) -> Vec<Release> {
    let mut lines = table.lines().filter(|line| !line.starts_with('#'));
    let names = lines.next().expect("the table has a head").split_whitespace().skip(1);
    let mut releases: Vec<Release> = names
        .map(|name| Release { name: name.to_owned(), versions: Vec::new(), features: Vec::new() })
        .collect();
    let mut is_feature = false;
    for line in lines {
        let mut cells = line.split_whitespace();
        let Some(name) = cells.next() else {
            is_feature = true;
            continue;
        };
        let cells: Vec<&str> = cells.collect();
        assert_eq!(cells.len(), releases.len(), "{name} has a cell for each release");
        for (release, cell) in releases.iter_mut().zip(cells).filter(|(_, cell)| *cell != "-") {
            if is_feature {
                let (supported, level) = cell.split_once('@').expect("a level");
                let level = level.parse().expect("a level is a number");
                release.features.push(Feature { name: name.to_owned(), supported: range(supported), level });
            } else if let Some((key, range)) = decodable(name, range(cell)) {
                release.versions.push((key, range));
            }
        }
    }
    for release in &releases {
        assert!(release.versions.is_sorted_by(|a, b| a.0 < b.0), "the table is in the order of the keys");
    }
    releases
}

/// What Ottla can read of it: Kafka 4.0 took versions away (KIP-896), and what only brokers of ZooKeeper's said.
fn decodable(name: &str, range: VersionRange) -> Option<(ApiKey, VersionRange)> {
    let row = versions::all().iter().find(|row| row.name == name)?;
    let known = row.decodable?;
    // Kafka advertises Produce from 0 and serves 3 (KAFKA-18659), and so does every release here.
    let min = if row.key == ApiKey::Produce { range.min } else { range.min.max(known.min) };
    let both = VersionRange { min, max: range.max.min(known.max) };
    (both.min <= both.max).then_some((row.key, both))
}

fn range(text: &str) -> VersionRange {
    let (min, max) = text.split_once('-').expect("two versions");
    let number = |text: &str| text.parse().expect("a version is a number");
    VersionRange { min: number(min), max: number(max) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_release_is_what_this_broker_says() {
        let newest = find("4.3").expect("it is there");
        for row in versions::all() {
            assert_eq!(newest.versions(row.key), row.broker, "{}", row.name);
        }
    }

    #[test]
    fn older_releases_have_their_own_versions_and_features() {
        let max =
            |release: &str, key| find(release).expect("it is there").versions(key).map(|range| range.max);
        for (key, maxima) in [
            (ApiKey::Produce, [Some(9), Some(9), Some(10), Some(12)]),
            (ApiKey::Fetch, [Some(12), Some(13), Some(16), Some(17)]),
            (ApiKey::ApiVersions, [Some(3), Some(3), Some(3), Some(4)]),
            (ApiKey::ConsumerGroupHeartbeat, [None, None, Some(0), Some(1)]),
            (ApiKey::DescribeQuorum, [None, Some(1), Some(1), Some(2)]),
            (ApiKey::LeaderAndIsr, [None; 4]),
        ] {
            assert_eq!(["2.8", "3.3", "3.7", "4.0"].map(|release| max(release, key)), maxima, "{key:?}");
        }
        let levels = |release: &str| find(release).expect("it is there").levels();
        let level = |release: &str, feature: &str| {
            levels(release).into_iter().find(|(name, _)| name == feature).map(|(_, level)| level)
        };
        assert_eq!(
            ["2.8", "3.3", "3.7", "4.0"].map(|release| level(release, "metadata.version")),
            [Some(7), Some(7), Some(19), Some(25)]
        );
        assert_eq!(["3.9", "4.0"].map(|release| level(release, "transaction.version")), [Some(0), Some(2)]);
        assert_eq!(["4.1", "4.2"].map(|release| level(release, "share.version")), [Some(0), Some(1)]);
    }

    #[test]
    fn a_patch_names_its_release_and_others_are_refused() {
        assert_eq!(find("3.7.1").map(|release| release.name.as_str()), Ok("3.7"));
        for name in ["", "3", "3.10", "3.7.", "3.7.x", "3.71", "2.7", "5.0", "3.7.1.1", "3.7.+1"] {
            let why = find(name).expect_err(name);
            assert!(
                why.ends_with("2.8, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 3.7, 3.8, 3.9, 4.0, 4.1, 4.2, 4.3"),
                "{why}"
            );
        }
    }
}
