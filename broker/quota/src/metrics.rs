//! How often and for how long clients had to rest.
//! Shell: counters read at a scrape.

use std::sync::Arc;

use prometheus::{Counter, CounterVec, IntCounter, IntCounterVec, Opts, Registry};

use crate::entity::QuotaType;

pub struct QuotaMetrics {
    throttles: [IntCounter; QuotaType::ALL.len()],
    seconds: [Counter; QuotaType::ALL.len()],
}

impl QuotaMetrics {
    pub fn register(registry: &Registry) -> prometheus::Result<Arc<QuotaMetrics>> {
        let throttles = IntCounterVec::new(
            Opts::new("ottla_quota_throttles_total", "Requests whose client was told to rest, by quota."),
            &["quota"],
        )?;
        let seconds = CounterVec::new(
            Opts::new("ottla_quota_throttle_seconds_total", "How long clients were told to rest, by quota."),
            &["quota"],
        )?;
        registry.register(Box::new(throttles.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Arc::new(QuotaMetrics {
            throttles: QuotaType::ALL.map(|quota| throttles.with_label_values(&[quota.name()])),
            seconds: QuotaType::ALL.map(|quota| seconds.with_label_values(&[quota.name()])),
        }))
    }

    pub(crate) fn on_throttle(&self, quota_type: QuotaType, throttle_ms: i64) {
        self.throttles[quota_type as usize].inc();
        self.seconds[quota_type as usize].inc_by(throttle_ms.max(0) as f64 / 1000.0);
    }
}
