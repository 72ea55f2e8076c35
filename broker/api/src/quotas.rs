//! Quotas of requests: whose limits hold, what a request used of them, and the rest that its answer tells.
//! Shell. The client is answered at once and not read until its rest is over (KIP-219). A request whose rest is
//! known when it is admitted lets none behind it in, however much its client has sent ahead.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use ottla_env::net::Net;
use ottla_env::{BoxFuture, Monotonic};
use ottla_metadata::client_quotas::{CLIENT_ID, ClientQuotas as QuotaFacts, IP, QuotaEntity, USER};
use ottla_metadata::{Delta, Image, ImageListener};
use ottla_network::{Admitted, Answer, ConnectionInfo};
use ottla_protocol::StrBytes;
use ottla_quota::{AddressRateLimits, Client, ClientQuotas, Limits, MutationQuota, Part, QuotaType};
use ottla_security::Identity;
use parking_lot::Mutex;

use crate::context::Broker;
use crate::request::Request;
use crate::table::Endpoint;

/// Kafka's key of an address's rate of new connections.
const CONNECTION_RATE: &str = "connection_creation_rate";
/// 100 % is one thread's whole time (`ClientRequestQuotaManager`).
const PERCENT_PER_NANOSECOND: f64 = 100.0 / 1e9;

/// Puts the limits of the image in force.
pub struct QuotaListener {
    quotas: Arc<ClientQuotas>,
    known: Mutex<QuotaFacts>,
}

impl QuotaListener {
    pub fn new(quotas: Arc<ClientQuotas>) -> QuotaListener {
        QuotaListener { quotas, known: Mutex::default() }
    }
}

impl ImageListener for QuotaListener {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        let mut known = self.known.lock();
        if !delta.others_changed || *known == *image.client_quotas() {
            return;
        }
        *known = image.client_quotas().clone();
        for quota_type in QuotaType::ALL {
            self.quotas.set_limits(quota_type, limits_of(&known, quota_type));
        }
    }
}

/// Puts the image's rates of new connections in force, where the network asks for them.
pub struct AddressRateListener {
    net: Arc<dyn Net>,
    set: Box<dyn Fn(AddressRateLimits) + Send + Sync>,
    known: Mutex<QuotaFacts>,
}

impl AddressRateListener {
    pub fn new(net: Arc<dyn Net>, set: Box<dyn Fn(AddressRateLimits) + Send + Sync>) -> AddressRateListener {
        AddressRateListener { net, set, known: Mutex::default() }
    }

    /// A name that has no address by now limits nobody.
    fn addresses_of(&self, host: &str) -> Vec<IpAddr> {
        match host.parse() {
            Ok(address) => vec![address],
            Err(_) => {
                let found = self.net.resolve(host, 0).unwrap_or_default();
                found.into_iter().map(|found| found.ip().to_canonical()).collect()
            }
        }
    }
}

impl ImageListener for AddressRateListener {
    fn on_image(&self, delta: &Delta, image: &Arc<Image>) {
        let mut known = self.known.lock();
        if !delta.others_changed || *known == *image.client_quotas() {
            return;
        }
        *known = image.client_quotas().clone();
        let mut limits = AddressRateLimits::default();
        for (entity, quotas) in known.iter() {
            let Some(limit) = quotas.get(CONNECTION_RATE) else { continue };
            match part(entity, IP) {
                None => {}
                Some(None) => limits.any_address = Some(*limit),
                Some(Some(host)) => {
                    limits.addresses.extend(self.addresses_of(host).into_iter().map(|ip| (ip, *limit)));
                }
            }
        }
        (self.set)(limits);
    }
}

fn limits_of(facts: &QuotaFacts, quota_type: QuotaType) -> Limits {
    let mut limits = Limits::default();
    for (entity, quotas) in facts.iter() {
        if let Some(limit) = quotas.get(quota_type.key()) {
            limits.insert(part(entity, USER), part(entity, CLIENT_ID), *limit);
        }
    }
    limits
}

fn part<'a>(entity: &'a QuotaEntity, entity_type: &str) -> Part<'a> {
    entity.get(entity_type).map(|name| name.as_deref())
}

/// What a request's client has to rest, as far as it is known.
#[derive(Default)]
pub(crate) struct Throttle {
    due_ms: AtomicI32,
    /// Where request time is limited.
    time: Option<Arc<RequestTime>>,
}

impl Throttle {
    pub fn due_ms(&self) -> i32 {
        self.due_ms.load(Ordering::Relaxed)
    }
}

/// Tells the network to read nothing more for so long.
pub fn rest(answer: Answer, throttle_ms: i32) -> Answer {
    match u64::try_from(throttle_ms) {
        Ok(ms) if ms > 0 && !matches!(answer, Answer::Close(_)) => {
            Answer::ThenMute { answer: Box::new(answer), mute: Duration::from_millis(ms) }
        }
        _ => answer,
    }
}

/// Lets nothing in behind a request whose client has to rest: the rest begins with its answer.
pub fn hold_the_rest(admitted: Admitted) -> Admitted {
    match admitted {
        Admitted::Parked(future) => Admitted::Exclusive(future),
        other => other,
    }
}

fn user_of(identity: Option<&Identity>) -> &str {
    let principal = &identity.unwrap_or(Identity::anonymous()).principal;
    principal.as_str().split_once(':').map_or("", |(_, name)| name)
}

impl Request {
    fn client(&self) -> Client<'_> {
        Client {
            user: user_of(self.identity.as_deref()),
            client_id: self.header.client_id.as_deref().unwrap_or(""),
            cache: &self.connection.quotas,
        }
    }

    /// Has the client rest so long behind the answer, or longer if another limit says so.
    pub fn throttle(&self, throttle_ms: i32) {
        self.throttle.due_ms.fetch_max(throttle_ms, Ordering::Relaxed);
    }

    /// The answer is made now: for how many milliseconds the client has to rest after it.
    pub fn settle_throttle(&self) -> i32 {
        if let Some(time) = &self.throttle.time {
            self.throttle(time.settle());
        }
        self.throttle.due_ms()
    }

    /// Counts what a producer sent; answers for how long it has to rest.
    pub(crate) fn charge_produced(&self) -> i32 {
        let quotas = &self.broker.quotas;
        if !quotas.is_on(QuotaType::Produce) {
            return 0;
        }
        let bytes = self.frame_bytes as f64;
        let throttle_ms = quotas.record(QuotaType::Produce, self.client(), bytes, self.received);
        self.throttle(throttle_ms);
        throttle_ms
    }

    /// Whether something must be counted before records are sent.
    pub(crate) fn is_fetch_limited(&self) -> bool {
        self.throttle.time.is_some() || self.broker.quotas.is_on(QuotaType::Fetch)
    }

    /// The most bytes of records that the client may fetch, if that is limited.
    pub(crate) fn most_fetched(&self) -> Option<i32> {
        let most = self.broker.quotas.most(QuotaType::Fetch, self.client(), self.received)?;
        Some(most.clamp(0.0, f64::from(i32::MAX)) as i32)
    }

    /// Counts what a consumer would be sent. If it has to rest instead, nothing is sent and nothing counted.
    pub(crate) fn charge_fetched(&self, bytes: usize) -> i32 {
        let quotas = &self.broker.quotas;
        let of_time = self.settle_throttle();
        if !quotas.is_on(QuotaType::Fetch) {
            return of_time;
        }
        let now = self.broker.env.clock.monotonic();
        let of_bytes = quotas.record(QuotaType::Fetch, self.client(), bytes as f64, now);
        if of_time.max(of_bytes) > 0 {
            quotas.unrecord(QuotaType::Fetch, self.client(), bytes as f64, now);
        }
        of_time.max(of_bytes)
    }

    /// Counts what a share consumer is sent: the records are its own by now, and it gets them before it rests.
    pub(crate) fn charge_shared(&self, bytes: usize) -> i32 {
        let quotas = &self.broker.quotas;
        if quotas.is_on(QuotaType::Fetch) {
            let now = self.broker.env.clock.monotonic();
            self.throttle(quotas.record(QuotaType::Fetch, self.client(), bytes as f64, now));
        }
        self.settle_throttle()
    }

    /// What the client may change in the cluster. From a version on its kind of request is refused in part, where
    /// older clients are only told to rest (KIP-599).
    pub(crate) fn mutations(&self, strict_since: i16) -> MutationQuota {
        self.broker.quotas.mutations(self.client(), self.version() >= strict_since)
    }

    /// Begins to measure the time of a request, where that is limited.
    pub(crate) fn begin_time(&mut self, is_exempt: bool) -> Option<Arc<RequestTime>> {
        let is_exempt = is_exempt || self.endpoint == Endpoint::Controller;
        if !self.broker.quotas.is_on(QuotaType::Request) || is_exempt {
            return None;
        }
        let time = Arc::new(RequestTime {
            broker: self.broker.clone(),
            connection: self.connection.clone(),
            identity: self.identity.clone(),
            client_id: self.header.client_id.clone(),
            running_since: AtomicU64::new(nanoseconds(self.received)),
            throttle_ms: AtomicI32::new(0),
            is_exempt: AtomicBool::new(false),
        });
        self.throttle.time = Some(time.clone());
        Some(time)
    }

    /// The cluster's own traffic has no limit.
    pub(crate) fn exempt(&self) {
        if let Some(time) = &self.throttle.time {
            time.is_exempt.store(true, Ordering::Relaxed);
        }
    }
}

fn nanoseconds(at: Monotonic) -> u64 {
    at.0.as_nanos() as u64
}

/// The time one request takes of the threads that serve connections: while it is admitted, and whenever it is
/// looked at again.
pub(crate) struct RequestTime {
    broker: Arc<Broker>,
    connection: Arc<ConnectionInfo>,
    identity: Option<Arc<Identity>>,
    client_id: Option<StrBytes>,
    running_since: AtomicU64,
    throttle_ms: AtomicI32,
    is_exempt: AtomicBool,
}

impl RequestTime {
    fn begin(&self) {
        let now = self.broker.env.clock.monotonic();
        self.running_since.store(nanoseconds(now), Ordering::Relaxed);
    }

    /// Counts the time since it was begun or settled; answers for how long the client has to rest by now.
    fn settle(&self) -> i32 {
        if self.is_exempt.load(Ordering::Relaxed) {
            return 0;
        }
        let now = self.broker.env.clock.monotonic();
        let since = self.running_since.swap(nanoseconds(now), Ordering::Relaxed);
        let percent = nanoseconds(now).saturating_sub(since) as f64 * PERCENT_PER_NANOSECOND;
        let client = Client {
            user: user_of(self.identity.as_deref()),
            client_id: self.client_id.as_deref().unwrap_or(""),
            cache: &self.connection.quotas,
        };
        let throttle_ms = self.broker.quotas.record(QuotaType::Request, client, percent, now);
        self.throttle_ms.fetch_max(throttle_ms, Ordering::Relaxed).max(throttle_ms)
    }

    /// The request is admitted; if it waits, it is measured from now on whenever it goes on.
    pub fn go_on(self: Arc<Self>, admitted: Admitted) -> Admitted {
        match admitted {
            Admitted::Parked(future) => {
                let is_throttled = self.settle() > 0;
                let timed = Box::pin(Timed { time: self, future });
                if is_throttled { Admitted::Exclusive(timed) } else { Admitted::Parked(timed) }
            }
            other => other,
        }
    }
}

/// An answer that is waited for, with the time it takes whenever it is looked at.
struct Timed {
    time: Arc<RequestTime>,
    future: BoxFuture<'static, Answer>,
}

impl Future for Timed {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        self.time.begin();
        let polled = self.future.as_mut().poll(context);
        if polled.is_pending() {
            self.time.settle();
        }
        polled
    }
}
