//! The clients' last values as series for a scrape: by client and metric, forgotten when the client is silent.
//! Core.
//!
//! Names and labels come from strangers: they are cut to size, made of letters a scraper takes, and never those of the
//! broker's own metrics.
//!
//! Invariants:
//! - I1. `count` is the number of series of all clients, and at most `max`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ottla_env::Monotonic;
use uuid::Uuid;

use crate::otlp::{DELTA, Data, KeyValue, Metric, Point, Resource};
use crate::subscriptions::ClientFacts;

/// Series of one client, so that one cannot take the room of all.
const SERIES_PER_CLIENT_MAX: usize = 1_000;
const NAME_BYTES_MAX: usize = 200;
const LABEL_CHARS_MAX: usize = 128;
/// Labels of a series beside those of its client.
const LABELS_MAX: usize = 12;
/// What the broker's own metrics begin with.
const OWN_PREFIXES: [&str; 2] = ["ottla_", "process_"];
const CLIENT_LABELS: [&str; 4] = ["client_id", "client_instance_id", "software_name", "software_version"];

pub type Labels = Vec<(String, String)>;

/// What may be made of a metric's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    Counter,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    kind: Kind,
    value: f64,
}

struct OfClient {
    /// The labels of all its series.
    labels: Arc<Labels>,
    end: Monotonic,
    values: BTreeMap<(String, Labels), Kept>,
}

/// One value as a scrape shows it.
#[derive(Clone, Debug)]
pub struct Series {
    pub client: Arc<Labels>,
    pub labels: Labels,
    pub kind: Kind,
    pub value: f64,
}

pub struct SeriesStore {
    clients: HashMap<Uuid, OfClient>,
    count: usize,
    max: usize,
}

impl SeriesStore {
    pub fn new(max: usize) -> SeriesStore {
        SeriesStore { clients: HashMap::new(), count: 0, max }
    }

    /// The series of a client that live until `end`.
    pub fn client(
        &mut self,
        id: Uuid,
        shown_id: &str,
        facts: &ClientFacts,
        end: Monotonic,
    ) -> ClientSeries<'_> {
        let labels = || {
            let client_id = cut(facts.client_id.as_deref().unwrap_or_default());
            let values =
                [client_id, shown_id.to_owned(), cut(&facts.software_name), cut(&facts.software_version)];
            let names = CLIENT_LABELS.iter().map(|name| (*name).to_owned());
            Arc::new(names.zip(values).collect::<Labels>())
        };
        let fresh = || OfClient { labels: labels(), end, values: BTreeMap::new() };
        let of_client = self.clients.entry(id).or_insert_with(fresh);
        of_client.end = end;
        ClientSeries { of_client, count: &mut self.count, max: self.max }
    }

    pub fn forget_until(&mut self, now: Monotonic) {
        let count = &mut self.count;
        self.clients.retain(|_, client| {
            let stays = client.end > now;
            if !stays {
                *count -= client.values.len();
            }
            stays
        });
        let kept: usize = self.clients.values().map(|client| client.values.len()).sum();
        assert!(kept == self.count && self.count <= self.max, "I1");
    }

    /// Everything by metric, in the order of names.
    pub fn by_metric(&self) -> BTreeMap<String, Vec<Series>> {
        let mut metrics: BTreeMap<String, Vec<Series>> = BTreeMap::new();
        for client in self.clients.values() {
            for ((name, labels), Kept { kind, value }) in &client.values {
                let series = Series {
                    client: client.labels.clone(),
                    labels: labels.clone(),
                    kind: *kind,
                    value: *value,
                };
                metrics.entry(name.clone()).or_default().push(series);
            }
        }
        metrics
    }
}

pub struct ClientSeries<'a> {
    of_client: &'a mut OfClient,
    count: &'a mut usize,
    max: usize,
}

impl ClientSeries<'_> {
    /// Takes over a metric's values. Returns how many found no room or are no number.
    pub fn take(&mut self, resource: &Resource, metric: &Metric) -> usize {
        let Some(name) = series_name(&metric.name) else { return 1 };
        let (points, kind, is_delta) = match &metric.data {
            Some(Data::Gauge(gauge)) => (&gauge.points, Kind::Gauge, false),
            Some(Data::Sum(sum)) => {
                let kind = if sum.is_monotonic { Kind::Counter } else { Kind::Gauge };
                (&sum.points, kind, sum.temporality == DELTA)
            }
            // A histogram or a summary, which no Kafka client sends.
            None => return 1,
        };
        let of = |point: &Point| self.take_point(&name, resource, point, kind, is_delta);
        points.iter().map(of).filter(|is_taken| !is_taken).count()
    }

    fn take_point(
        &mut self,
        name: &str,
        resource: &Resource,
        point: &Point,
        kind: Kind,
        is_delta: bool,
    ) -> bool {
        let Some(value) = point.value() else { return false };
        let labels = labels_of(point.attributes.iter().chain(&resource.attributes));
        let key = (name.to_owned(), labels);
        if let Some(kept) = self.of_client.values.get_mut(&key) {
            // A difference is added to what came before: a scrape wants the whole.
            let before = if is_delta { kept.value } else { 0.0 };
            *kept = Kept { kind, value: before + value };
            return true;
        }
        if *self.count >= self.max || self.of_client.values.len() >= SERIES_PER_CLIENT_MAX {
            return false;
        }
        *self.count += 1;
        self.of_client.values.insert(key, Kept { kind, value });
        true
    }
}

/// The name as a collector would make it: dots become underscores. `None` for what is no name, or one of the broker's own.
fn series_name(name: &str) -> Option<String> {
    let name = word(name)?;
    let is_own = OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    (!is_own && name.len() <= NAME_BYTES_MAX).then_some(name)
}

/// Letters, digits and underscores, and no digit first.
fn word(text: &str) -> Option<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let word: String = text.chars().map(|c| if is_word(c) { c } else { '_' }).collect();
    let begins_well = word.chars().next().is_some_and(|first| !first.is_ascii_digit());
    (begins_well && word.contains(is_word)).then_some(word)
}

/// The first of a name counts; those of the client itself are not overridden.
fn labels_of<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> Labels {
    let mut labels = BTreeMap::new();
    for attribute in attributes {
        let Some(name) = word(&attribute.key).filter(|name| name.len() <= LABEL_CHARS_MAX) else { continue };
        if labels.len() < LABELS_MAX && !CLIENT_LABELS.contains(&name.as_str()) {
            labels.entry(name).or_insert_with(|| cut(&attribute.text()));
        }
    }
    labels.into_iter().collect()
}

fn cut(text: &str) -> String {
    text.chars().take(LABEL_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::testing::{attribute, gauge, sum};
    use std::time::Duration;

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    fn shown(store: &SeriesStore) -> Vec<(String, Labels, f64)> {
        let metrics = store.by_metric().into_iter();
        metrics
            .flat_map(|(name, all)| all.into_iter().map(move |s| (name.clone(), s.labels, s.value)))
            .collect()
    }

    #[test]
    fn values_are_replaced_differences_added_and_silent_clients_forgotten() {
        let mut store = SeriesStore::new(10);
        let (id, facts, resource) = (Uuid::from_u128(1), ClientFacts::default(), Resource::default());
        for (value, count) in [(1.5, 3), (2.5, 4)] {
            let mut client = store.client(id, "id", &facts, at(10));
            let topic = attribute("topic.name", "t");
            assert_eq!(client.take(&resource, &gauge("org.a-b", value, &[topic])), 0);
            assert_eq!(client.take(&resource, &sum("org.count", count, DELTA)), 0);
            assert_eq!(client.take(&resource, &sum("org.all", count, 2)), 0);
        }
        let label = vec![("topic_name".to_owned(), "t".to_owned())];
        let expected = [
            ("org_a_b".to_owned(), label, 2.5),
            ("org_all".to_owned(), vec![], 4.0),
            ("org_count".to_owned(), vec![], 7.0),
        ];
        assert_eq!(shown(&store), expected);
        store.forget_until(at(9));
        assert_eq!(shown(&store).len(), 3);
        store.forget_until(at(10));
        assert_eq!(shown(&store).len(), 0);
    }

    #[test]
    fn strangers_take_neither_names_nor_room() {
        let mut store = SeriesStore::new(3);
        let (facts, resource) =
            (ClientFacts::default(), Resource { attributes: vec![attribute("group", "g")] });
        let mut client = store.client(Uuid::from_u128(1), "id", &facts, at(10));
        for bad in ["ottla.bytes.in.total", "process.cpu", "", "9a", "...", &"x".repeat(201)] {
            assert_eq!(client.take(&resource, &gauge(bad, 1.0, &[])), 1, "{bad}");
        }
        assert_eq!(client.take(&resource, &Metric { name: "a".to_owned(), data: None }), 1);
        let own = [attribute("client_id", "other"), attribute("topic", &"t".repeat(500))];
        assert_eq!(client.take(&resource, &gauge("a", 1.0, &own)), 0);
        assert_eq!(client.take(&resource, &gauge("b", 1.0, &[])), 0);
        let mut other = store.client(Uuid::from_u128(2), "id", &facts, at(10));
        assert_eq!(other.take(&resource, &gauge("a", 1.0, &[])), 0);
        assert_eq!(other.take(&resource, &gauge("b", 1.0, &[])), 1);
        let first = shown(&store).remove(0);
        assert!(first.1.iter().all(|(name, text)| name != "client_id" && text.len() <= LABEL_CHARS_MAX));
        store.forget_until(at(1));
    }
}
