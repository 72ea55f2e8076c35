//! telemetry room: what clients are asked to push of their own metrics (KIP-714), and the values they pushed.
//! Shell: one lock around three cores. The clock and randomness are the caller's.
//!
//! Reading order: `subscriptions` (who is asked for what), `instances` (when a client may ask and push), `otlp` (the
//! pushed bytes), `series` (what a scrape shows).
//!
//! Kafka hands the payload to a Java plugin. Here it is decoded and shown with the broker's own metrics.

mod instances;
mod otlp;
mod series;
mod subscriptions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_env::Monotonic;
use ottla_metadata::{Delta, Image, ImageListener};
use ottla_model::{ErrorCode, TopicId};
use ottla_records::CompressionType;
use ottla_records::compression::decompress;
use parking_lot::Mutex;
use uuid::Uuid;

pub use series::{Kind, Series};
pub use subscriptions::{Asked, ClientFacts};

use instances::{Instances, PushHead, remembered};
use series::SeriesStore;
use subscriptions::Subscriptions;

/// What a pushed payload may expand to.
const EXPANDED_BYTES_MAX: usize = 4 << 20;

/// A push as it came.
pub struct Push<'a> {
    pub subscription_id: i32,
    pub terminating: bool,
    pub compression_type: i8,
    pub metrics: &'a [u8],
}

pub struct ClientTelemetry {
    payload_bytes_max: usize,
    state: Mutex<State>,
    values_left_out: AtomicU64,
    payloads_refused: AtomicU64,
}

struct State {
    subscriptions: Subscriptions,
    instances: Instances,
    series: SeriesStore,
}

/// What a scrape shows.
pub struct Scrape {
    pub metrics: BTreeMap<String, Vec<Series>>,
    pub clients: usize,
    pub values_left_out: u64,
    pub payloads_refused: u64,
}

impl ClientTelemetry {
    /// `payload_bytes_max` as pushed; `series_max` over all clients.
    pub fn new(payload_bytes_max: usize, series_max: usize) -> Arc<ClientTelemetry> {
        Arc::new(ClientTelemetry {
            payload_bytes_max,
            state: Mutex::new(State {
                subscriptions: Subscriptions::default(),
                instances: Instances::default(),
                series: SeriesStore::new(series_max),
            }),
            values_left_out: AtomicU64::new(0),
            payloads_refused: AtomicU64::new(0),
        })
    }

    /// What a client is asked for. Without an id it gets one from `new_id`.
    pub fn get(
        &self,
        id: Uuid,
        connection: u64,
        facts: impl FnOnce() -> ClientFacts,
        new_id: impl Fn() -> Uuid,
        now: Monotonic,
    ) -> Result<(Uuid, Asked), ErrorCode> {
        let State { subscriptions, instances, .. } = &mut *self.state.lock();
        let mut id = id;
        while id.is_nil() {
            id = Some(new_id()).filter(|id| !instances.contains(*id)).unwrap_or_default();
        }
        let instance = instances.enter(id, connection, facts, subscriptions, now);
        instance.check_get(now)?;
        Ok((id, instance.asked.clone()))
    }

    /// Takes over what a client pushed.
    pub fn push(
        &self,
        id: Uuid,
        connection: u64,
        facts: impl FnOnce() -> ClientFacts,
        push: &Push<'_>,
        now: Monotonic,
    ) -> Result<(), ErrorCode> {
        // The two ids that Kafka keeps for itself.
        if id.as_u128() <= 1 {
            return Err(ErrorCode::InvalidRequest);
        }
        let codec = CompressionType::from_id(i16::from(push.compression_type));
        let head = PushHead {
            subscription_id: push.subscription_id,
            terminating: push.terminating,
            is_known_codec: codec.is_some(),
            is_too_large: push.metrics.len() > self.payload_bytes_max,
        };
        {
            let State { subscriptions, instances, .. } = &mut *self.state.lock();
            instances.enter(id, connection, facts, subscriptions, now).check_push(&head, now)?;
        }
        // Expanding is done without the lock.
        let expanded = match codec.map(|codec| decompress(codec, push.metrics, EXPANDED_BYTES_MAX)) {
            _ if push.metrics.is_empty() => Ok(Vec::new()),
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(_)) | None => Err(ErrorCode::InvalidRecord),
        };
        let state = &mut *self.state.lock();
        let taken = expanded.and_then(|bytes| self.take(state, id, &bytes, now));
        if taken.is_err() {
            self.payloads_refused.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(instance) = state.instances.get_mut(id) {
            instance.on_pushed(taken);
        }
        taken
    }

    fn take(&self, state: &mut State, id: Uuid, bytes: &[u8], now: Monotonic) -> Result<(), ErrorCode> {
        let State { instances, series, .. } = state;
        // A client that left meanwhile is not shown.
        let Some(instance) = instances.get_mut(id) else { return Ok(()) };
        series.forget_until(now);
        let end = now.after(remembered(instance.asked.interval_ms));
        let mut of_client = series.client(id, &TopicId(id).to_string(), &instance.facts, end);
        let (asked, mut left_out) = (&instance.asked, 0);
        let read = otlp::read(bytes, |resource, metric| {
            if asked.wants(&metric.name) {
                left_out += of_client.take(resource, &metric);
            }
        });
        let unread = read.map_err(|_| ErrorCode::InvalidRecord)?;
        self.values_left_out.fetch_add((left_out + unread) as u64, Ordering::Relaxed);
        Ok(())
    }

    pub fn payload_bytes_max(&self) -> usize {
        self.payload_bytes_max
    }

    pub fn on_disconnect(&self, connection: u64) {
        self.state.lock().instances.on_disconnect(connection);
    }

    pub fn scrape(&self, now: Monotonic) -> Scrape {
        let State { instances, series, .. } = &mut *self.state.lock();
        series.forget_until(now);
        Scrape {
            metrics: series.by_metric(),
            clients: instances.count(),
            values_left_out: self.values_left_out.load(Ordering::Relaxed),
            payloads_refused: self.payloads_refused.load(Ordering::Relaxed),
        }
    }
}

impl ImageListener for ClientTelemetry {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        self.state.lock().subscriptions.follow(delta, image);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::testing::{gauge, payload, sum};
    use ottla_records::Codec;
    use ottla_records::compression::compress_onto;
    use std::time::Duration;

    const ID: Uuid = Uuid::from_u128(77);

    fn at(ms: u64) -> Monotonic {
        Monotonic(Duration::from_millis(ms))
    }

    /// A room with one subscription for all metrics of every client, once a second.
    fn room() -> Arc<ClientTelemetry> {
        let room = ClientTelemetry::new(1000, 100);
        room.state.lock().subscriptions = subscriptions::testing::for_all();
        room
    }

    fn push(room: &ClientTelemetry, codec: i8, metrics: &[u8], ms: u64) -> Result<(), ErrorCode> {
        let (_, asked) = room.get(ID, 1, ClientFacts::default, Uuid::nil, at(ms)).expect("a subscription");
        let subscription_id = asked.subscription_id;
        let push = Push { subscription_id, terminating: false, compression_type: codec, metrics };
        room.push(ID, 1, ClientFacts::default, &push, at(ms + 1))
    }

    #[test]
    fn a_push_is_shown_in_every_codec_and_garbage_is_refused() {
        let room = room();
        let plain = payload(&[], &[gauge("org.a", 2.0, &[]), sum("org.b", 3, otlp::DELTA)]);
        let codecs = [Codec::None, Codec::Gzip(-1), Codec::Snappy, Codec::Lz4(9), Codec::Zstd(3)];
        for (id, codec) in codecs.into_iter().enumerate() {
            let mut bytes = Vec::new();
            compress_onto(codec, &plain, &mut bytes);
            assert_eq!(push(&room, id as i8, &bytes, 10_000 * (1 + id as u64)), Ok(()));
        }
        let scrape = room.scrape(at(60_000));
        let value = |name: &str| scrape.metrics[name][0].value;
        assert_eq!((value("org_a"), value("org_b"), scrape.clients), (2.0, 15.0, 1));
        assert_eq!(push(&room, 0, b"garbage", 70_000), Err(ErrorCode::InvalidRecord));
        assert_eq!(push(&room, 4, b"garbage", 80_000), Err(ErrorCode::InvalidRecord));
        assert_eq!(push(&room, 5, &plain, 90_000), Err(ErrorCode::UnsupportedCompressionType));
        assert_eq!(push(&room, 0, &[0; 1001], 100_000), Err(ErrorCode::TelemetryTooLarge));
        assert_eq!(push(&room, 0, &[], 110_000), Ok(()));
        // Little that becomes much.
        let mut bomb = Vec::new();
        compress_onto(Codec::Gzip(9), &vec![0; 500_000], &mut bomb);
        assert!(bomb.len() <= 1000);
        assert_eq!(push(&room, 1, &bomb, 120_000), Err(ErrorCode::InvalidRecord));
        assert_eq!(room.scrape(at(120_001)).payloads_refused, 3);
    }

    #[test]
    fn ids_are_drawn_and_those_of_kafka_refused() {
        let room = room();
        let drawn = std::cell::Cell::new(0);
        let draw = || {
            drawn.set(drawn.get() + 1);
            // The first two are none and one that is taken.
            Uuid::from_u128([0, 77, 78][drawn.get() - 1])
        };
        assert!(push(&room, 0, &[], 10_000).is_ok());
        let (id, _) = room.get(Uuid::nil(), 2, ClientFacts::default, draw, at(20_000)).expect("an id");
        assert_eq!(id, Uuid::from_u128(78));
        let nothing = Push { subscription_id: 0, terminating: true, compression_type: 0, metrics: &[] };
        for id in [0, 1] {
            let refused = room.push(Uuid::from_u128(id), 3, ClientFacts::default, &nothing, at(1));
            assert_eq!(refused, Err(ErrorCode::InvalidRequest));
        }
    }
}
