//! How much was recorded a second over the last windows, and how long to rest to come down to a bound.
//! Core. Kafka's `Rate` over `SampledStat` with `QuotaUtils.throttleTime`, sample by sample.

/// `quota.window.num` and `quota.window.size.seconds`, or the controller's keys of the same meaning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windows {
    /// Samples that are kept, the current one among them.
    pub count: u32,
    pub length_ms: i64,
}

impl Windows {
    pub fn of_seconds(count: i32, seconds: i32) -> Windows {
        Windows { count: count.max(1) as u32, length_ms: i64::from(seconds.max(1)) * 1000 }
    }

    /// After so long without a record nothing is known any more.
    pub fn span_ms(self) -> i64 {
        i64::from(self.count) * self.length_ms
    }

    /// What a limit lets through in all whole windows (`ClientQuotaManager.maxValueInQuotaWindow`).
    pub fn most(self, limit: f64) -> f64 {
        limit * f64::from(self.count - 1) * seconds(self.length_ms)
    }
}

pub(crate) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

#[derive(Clone, Debug)]
struct Sample {
    value: f64,
    start_ms: i64,
    last_event_ms: i64,
}

impl Sample {
    fn new(now_ms: i64) -> Sample {
        Sample { value: 0.0, start_ms: now_ms, last_event_ms: now_ms }
    }
}

/// One rate. Times may be of any clock that does not go back.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    samples: Vec<Sample>,
    current: usize,
}

impl Rate {
    pub fn record(&mut self, windows: Windows, value: f64, now_ms: i64) {
        if self.samples.is_empty() {
            self.samples.push(Sample::new(now_ms));
        }
        if now_ms - self.samples[self.current].start_ms >= windows.length_ms {
            self.advance(windows, now_ms);
        }
        let sample = &mut self.samples[self.current];
        sample.value += value;
        sample.last_event_ms = now_ms;
    }

    /// One sample more than are counted, so that the window that is just leaving still counts in part.
    fn advance(&mut self, windows: Windows, now_ms: i64) {
        self.current = (self.current + 1) % (windows.count as usize + 1);
        match self.samples.get_mut(self.current) {
            Some(sample) => *sample = Sample::new(now_ms),
            None => self.samples.push(Sample::new(now_ms)),
        }
        assert!(self.current < self.samples.len(), "samples are used in turn");
    }

    fn purge(&mut self, windows: Windows, now_ms: i64) {
        for sample in &mut self.samples {
            if now_ms - sample.last_event_ms >= windows.span_ms() {
                *sample = Sample::new(now_ms);
            }
        }
    }

    /// The time that the rate is taken over. It is never shorter than all whole windows: a broker that just
    /// began to count does not take the first burst for a rate.
    pub fn window_ms(&mut self, windows: Windows, now_ms: i64) -> i64 {
        self.purge(windows, now_ms);
        let oldest_ms = self.samples.iter().map(|sample| sample.start_ms).min().unwrap_or(now_ms);
        let elapsed_ms = now_ms - oldest_ms;
        let least = i64::from(windows.count) - 1;
        let missing = (least - elapsed_ms / windows.length_ms).max(0);
        (elapsed_ms + missing * windows.length_ms).max(1)
    }

    pub fn measure(&mut self, windows: Windows, now_ms: i64) -> f64 {
        self.purge(windows, now_ms);
        let sum: f64 = self.samples.iter().map(|sample| sample.value).sum();
        sum / seconds(self.window_ms(windows, now_ms))
    }

    /// The rate over the time that has gone by since the oldest sample began, one window at least (Kafka's `SimpleRate`): a
    /// first burst counts as what it is.
    pub fn measure_elapsed(&mut self, windows: Windows, now_ms: i64) -> f64 {
        self.purge(windows, now_ms);
        let sum: f64 = self.samples.iter().map(|sample| sample.value).sum();
        let oldest_ms = self.samples.iter().map(|sample| sample.start_ms).min().unwrap_or(now_ms);
        sum / seconds((now_ms - oldest_ms).max(windows.length_ms))
    }

    /// How long to rest, if the rate is above the bound.
    pub fn throttle_ms(&mut self, windows: Windows, bound: f64, now_ms: i64) -> Option<i64> {
        let rate = self.measure(windows, now_ms);
        (rate > bound).then(|| rounded((rate - bound) / bound * self.window_ms(windows, now_ms) as f64))
    }

    /// Whether a new rate would say the same.
    pub fn is_void(&self, windows: Windows, now_ms: i64) -> bool {
        self.samples.iter().all(|sample| now_ms - sample.last_event_ms >= windows.span_ms())
    }
}

/// Java's `Math.round`: a half goes up.
pub(crate) fn rounded(value: f64) -> i64 {
    let floor = value.floor();
    (if value - floor >= 0.5 { floor + 1.0 } else { floor }) as i64
}
