//! What clients used of their limits: one bucket for those who share a limit, found once by a connection.
//! Shell: locks around the cores, and the clock that a mutation needs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use ottla_env::{Clock, Monotonic};
use parking_lot::Mutex;

use crate::entity::{Bucket, Limits, QuotaType};
use crate::metrics::QuotaMetrics;
use crate::rate::{Rate, Windows};
use crate::token_bucket::TokenBucket;

/// A bucket that nobody used for so long is forgotten (Kafka's sensors, too).
const UNUSED_MS_MAX: i64 = 60 * 60_000;
/// How often it is looked for such.
const SWEEP_INTERVAL_MS: i64 = 60_000;
/// Buckets of one kind. Client ids are the client's to choose: those beyond share one bucket.
const BUCKETS_MAX: usize = 100_000;

/// The keys that quotas obey.
#[derive(Clone, Copy, Debug)]
pub struct QuotaSettings {
    pub windows: Windows,
    /// Of mutations.
    pub controller_windows: Windows,
}

/// Who asks.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// The principal's name.
    pub user: &'a str,
    pub client_id: &'a str,
    /// Of its connection.
    pub cache: &'a QuotaCache,
}

/// What a connection found when it last looked, by kind. Empty until a limit is set.
#[derive(Default)]
pub struct QuotaCache(Mutex<Option<Box<[Option<Cached>; QuotaType::ALL.len()]>>>);

impl std::fmt::Debug for QuotaCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("QuotaCache")
    }
}

struct Cached {
    generation: u64,
    user: Box<str>,
    client_id: Box<str>,
    held: Option<Held>,
}

/// A limit, and where its use is counted.
#[derive(Clone)]
struct Held {
    limit: f64,
    counted: Arc<Counted>,
}

enum Usage {
    Rate(Rate),
    Tokens(TokenBucket),
}

impl Usage {
    fn new(quota_type: QuotaType) -> Usage {
        match quota_type {
            QuotaType::ControllerMutation => Usage::Tokens(TokenBucket::default()),
            _ => Usage::Rate(Rate::default()),
        }
    }

    fn record(&mut self, windows: Windows, limit: f64, value: f64, now_ms: i64) {
        match self {
            Usage::Rate(rate) => rate.record(windows, value, now_ms),
            Usage::Tokens(bucket) => bucket.record(windows, limit, value, now_ms),
        }
    }

    fn throttle_ms(&mut self, windows: Windows, limit: f64, now_ms: i64) -> Option<i64> {
        match self {
            Usage::Rate(rate) => rate.throttle_ms(windows, limit, now_ms),
            Usage::Tokens(bucket) => bucket.throttle_ms(windows, limit, now_ms),
        }
    }

    fn is_void(&self, windows: Windows, now_ms: i64) -> bool {
        match self {
            Usage::Rate(rate) => rate.is_void(windows, now_ms),
            Usage::Tokens(bucket) => bucket.is_void(windows, now_ms),
        }
    }
}

struct Counted {
    usage: Mutex<Usage>,
    used_ms: AtomicI64,
    throttles: AtomicU64,
    throttled_ms: AtomicU64,
}

impl Counted {
    fn new(quota_type: QuotaType) -> Counted {
        Counted {
            usage: Mutex::new(Usage::new(quota_type)),
            used_ms: AtomicI64::new(0),
            throttles: AtomicU64::new(0),
            throttled_ms: AtomicU64::new(0),
        }
    }

    fn on_throttle(&self, throttle_ms: i64) {
        self.throttles.fetch_add(1, Ordering::Relaxed);
        self.throttled_ms.fetch_add(throttle_ms.max(0) as u64, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Buckets {
    by_client: HashMap<Bucket, Arc<Counted>, foldhash::fast::RandomState>,
    swept_ms: i64,
}

impl Buckets {
    /// A bucket that somebody holds is in use, whenever that was.
    fn sweep(&mut self, now_ms: i64, is_over: impl Fn(&Counted) -> bool) {
        self.by_client.retain(|_, counted| Arc::strong_count(counted) > 1 || !is_over(counted));
        self.swept_ms = now_ms;
    }

    fn find(&mut self, kind: &Kind, bucket: Bucket, now_ms: i64) -> Arc<Counted> {
        if now_ms - self.swept_ms >= SWEEP_INTERVAL_MS {
            let is_full = self.by_client.len() >= BUCKETS_MAX;
            self.sweep(now_ms, |counted| {
                let is_old = now_ms - counted.used_ms.load(Ordering::Relaxed) >= UNUSED_MS_MAX;
                is_old || (is_full && counted.usage.lock().is_void(kind.windows, now_ms))
            });
        }
        let is_new = !self.by_client.contains_key(&bucket);
        let bucket = match is_new && self.by_client.len() >= BUCKETS_MAX {
            true => Bucket { user: Box::default(), client_id: Box::default() },
            false => bucket,
        };
        let new = || Arc::new(Counted::new(kind.quota_type));
        let counted = self.by_client.entry(bucket).or_insert_with(new).clone();
        assert!(self.by_client.len() <= BUCKETS_MAX + 1, "what a client chooses is bounded");
        counted
    }
}

/// One kind of quota.
struct Kind {
    quota_type: QuotaType,
    windows: Windows,
    /// Whether anybody has a limit.
    is_on: AtomicBool,
    /// Counts the changes of `limits`.
    generation: AtomicU64,
    limits: ArcSwap<Limits>,
    buckets: Mutex<Buckets>,
}

impl Kind {
    fn new(quota_type: QuotaType, windows: Windows) -> Kind {
        Kind {
            quota_type,
            windows,
            is_on: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            limits: ArcSwap::default(),
            buckets: Mutex::default(),
        }
    }

    /// The limit of a client and its bucket: from the connection's cache, while nothing has changed.
    fn held(&self, client: Client<'_>, now_ms: i64) -> Option<Held> {
        // Read before the limits: what is found is at least as new.
        let generation = self.generation.load(Ordering::Acquire);
        let mut cache = client.cache.0.lock();
        let slot = &mut cache.get_or_insert_default()[self.quota_type as usize];
        let is_known = slot.as_ref().is_some_and(|cached| {
            cached.generation == generation
                && *cached.client_id == *client.client_id
                && *cached.user == *client.user
        });
        if !is_known {
            let found = self.limits.load().find(client.user, client.client_id);
            let held = found.map(|found| Held {
                limit: found.limit,
                counted: self.buckets.lock().find(self, found.bucket, now_ms),
            });
            let (user, client_id) = (Box::from(client.user), Box::from(client.client_id));
            *slot = Some(Cached { generation, user, client_id, held });
        }
        let held = slot.as_ref().and_then(|cached| cached.held.clone())?;
        held.counted.used_ms.store(now_ms, Ordering::Relaxed);
        Some(held)
    }
}

/// A mutation that may not be made now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotaExceeded;

/// The limits of all kinds and what was used of them.
pub struct ClientQuotas {
    kinds: [Kind; QuotaType::ALL.len()],
    clock: Arc<dyn Clock>,
    metrics: Arc<QuotaMetrics>,
}

impl ClientQuotas {
    pub fn new(settings: QuotaSettings, clock: Arc<dyn Clock>, metrics: Arc<QuotaMetrics>) -> ClientQuotas {
        let kinds = QuotaType::ALL.map(|quota_type| match quota_type {
            QuotaType::ControllerMutation => Kind::new(quota_type, settings.controller_windows),
            _ => Kind::new(quota_type, settings.windows),
        });
        ClientQuotas { kinds, clock, metrics }
    }

    fn kind(&self, quota_type: QuotaType) -> &Kind {
        &self.kinds[quota_type as usize]
    }

    /// Puts limits in force, from the next look on.
    pub fn set_limits(&self, quota_type: QuotaType, limits: Limits) {
        let kind = self.kind(quota_type);
        let is_on = !limits.is_empty();
        kind.limits.store(Arc::new(limits));
        kind.generation.fetch_add(1, Ordering::AcqRel);
        kind.is_on.store(is_on, Ordering::Release);
    }

    /// Whether anybody has a limit of this kind: all that is asked where nobody has.
    #[inline]
    pub fn is_on(&self, quota_type: QuotaType) -> bool {
        self.kind(quota_type).is_on.load(Ordering::Relaxed)
    }

    /// Counts what a client used, and says for how many milliseconds it has to rest; 0 is not at all.
    pub fn record(&self, quota_type: QuotaType, client: Client<'_>, value: f64, now: Monotonic) -> i32 {
        if !self.is_on(quota_type) {
            return 0;
        }
        let (kind, now_ms) = (self.kind(quota_type), now_ms(now));
        let Some(held) = kind.held(client, now_ms) else { return 0 };
        let throttle_ms = {
            let mut usage = held.counted.usage.lock();
            usage.record(kind.windows, held.limit, value, now_ms);
            usage.throttle_ms(kind.windows, held.limit, now_ms)
        };
        let Some(mut throttle_ms) = throttle_ms else { return 0 };
        if quota_type == QuotaType::Request {
            // `ClientRequestQuotaManager`: one window at a time.
            throttle_ms = throttle_ms.min(kind.windows.length_ms);
        }
        let throttle_ms = throttle_ms.clamp(0, i64::from(i32::MAX));
        held.counted.on_throttle(throttle_ms);
        self.metrics.on_throttle(quota_type, throttle_ms);
        throttle_ms as i32
    }

    /// Takes back what was counted at the same moment: it is not sent after all.
    pub fn unrecord(&self, quota_type: QuotaType, client: Client<'_>, value: f64, now: Monotonic) {
        if !self.is_on(quota_type) {
            return;
        }
        let (kind, now_ms) = (self.kind(quota_type), now_ms(now));
        if let Some(held) = kind.held(client, now_ms) {
            held.counted.usage.lock().record(kind.windows, held.limit, -value, now_ms);
        }
    }

    /// The most that a client may use at once without a rest, if it has a limit.
    pub fn most(&self, quota_type: QuotaType, client: Client<'_>, now: Monotonic) -> Option<f64> {
        if !self.is_on(quota_type) {
            return None;
        }
        let kind = self.kind(quota_type);
        kind.held(client, now_ms(now)).map(|held| kind.windows.most(held.limit))
    }

    /// What a client may change through the controller. A strict one refuses what comes while tokens are owed;
    /// the other lets it pass and has the client rest.
    pub fn mutations(&self, client: Client<'_>, is_strict: bool) -> MutationQuota {
        let quota_type = QuotaType::ControllerMutation;
        if !self.is_on(quota_type) {
            return MutationQuota(None);
        }
        let kind = self.kind(quota_type);
        let held = kind.held(client, now_ms(self.clock.monotonic()));
        MutationQuota(held.map(|held| {
            Arc::new(Mutation {
                held,
                windows: kind.windows,
                is_strict,
                clock: self.clock.clone(),
                metrics: self.metrics.clone(),
                last: Mutex::new(None),
            })
        }))
    }

    /// Goes through what is counted, for a scrape.
    pub fn for_each(&self, now: Monotonic, mut visit: impl FnMut(QuotaType, &Bucket, &Shown)) {
        let now_ms = now_ms(now);
        for kind in &self.kinds {
            let mut all: Vec<(Bucket, Arc<Counted>)> = {
                let buckets = kind.buckets.lock();
                buckets.by_client.iter().map(|(bucket, counted)| (bucket.clone(), counted.clone())).collect()
            };
            all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            for (bucket, counted) in all {
                let rate = match &mut *counted.usage.lock() {
                    Usage::Rate(rate) => Some(rate.measure(kind.windows, now_ms)),
                    Usage::Tokens(_) => None,
                };
                let throttles = counted.throttles.load(Ordering::Relaxed);
                let throttled_ms = counted.throttled_ms.load(Ordering::Relaxed);
                visit(kind.quota_type, &bucket, &Shown { rate, throttles, throttled_ms });
            }
        }
    }
}

/// A bucket's figures.
pub struct Shown {
    /// None of tokens: how many are left depends on the limit.
    pub rate: Option<f64>,
    pub throttles: u64,
    pub throttled_ms: u64,
}

fn now_ms(now: Monotonic) -> i64 {
    now.0.as_millis() as i64
}

/// One request's claim on the controller (`ControllerMutationQuota`).
#[derive(Clone)]
pub struct MutationQuota(Option<Arc<Mutation>>);

struct Mutation {
    held: Held,
    windows: Windows,
    is_strict: bool,
    clock: Arc<dyn Clock>,
    metrics: Arc<QuotaMetrics>,
    /// The last rest that was found due, and when.
    last: Mutex<Option<(i64, i64)>>,
}

impl MutationQuota {
    /// What the broker does by itself.
    pub const UNLIMITED: MutationQuota = MutationQuota(None);

    /// Claims so many partitions to be made or deleted. A claim that is granted may owe tokens afterwards.
    pub fn record(&self, partitions: usize) -> Result<(), QuotaExceeded> {
        let Some(mutation) = &self.0 else { return Ok(()) };
        let now_ms = now_ms(mutation.clock.monotonic());
        let Held { limit, counted } = &mutation.held;
        let mut usage = counted.usage.lock();
        let throttle_ms = if mutation.is_strict {
            let throttle_ms = usage.throttle_ms(mutation.windows, *limit, now_ms);
            if throttle_ms.is_none() {
                usage.record(mutation.windows, *limit, partitions as f64, now_ms);
            }
            throttle_ms
        } else {
            usage.record(mutation.windows, *limit, partitions as f64, now_ms);
            usage.throttle_ms(mutation.windows, *limit, now_ms)
        };
        let Some(throttle_ms) = throttle_ms else { return Ok(()) };
        *mutation.last.lock() = Some((throttle_ms, now_ms));
        counted.on_throttle(throttle_ms);
        mutation.metrics.on_throttle(QuotaType::ControllerMutation, throttle_ms);
        if mutation.is_strict { Err(QuotaExceeded) } else { Ok(()) }
    }

    /// For how many milliseconds the client has to rest from now on.
    pub fn throttle_ms(&self) -> i32 {
        let Some(mutation) = &self.0 else { return 0 };
        let Some((throttle_ms, at_ms)) = *mutation.last.lock() else { return 0 };
        let passed_ms = now_ms(mutation.clock.monotonic()) - at_ms;
        (throttle_ms - passed_ms).clamp(0, i64::from(i32::MAX)) as i32
    }
}
