//! Figures that are read when somebody asks: sizes of logs, and how far groups lag behind.
//! Shell.

use std::sync::Arc;

use ottla_coordinator::GroupCoordinator;
use ottla_env::Env;
use ottla_log::{LogManager, ReadData, ReadLimits, UnifiedLog};
use ottla_model::Offset;
use ottla_records::{BatchHeader, HEADER_BYTES};
use ottla_replica::ReplicaManager;
use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry};

pub struct Figures {
    logs: Arc<LogManager>,
    replicas: Arc<ReplicaManager>,
    groups: Arc<GroupCoordinator>,
    env: Env,
    log_size_bytes: IntGaugeVec,
    lag_records: IntGaugeVec,
    lag_seconds: GaugeVec,
}

impl Figures {
    pub fn register(
        registry: &Registry,
        logs: Arc<LogManager>,
        replicas: Arc<ReplicaManager>,
        groups: Arc<GroupCoordinator>,
        env: Env,
    ) -> Result<Arc<Figures>, prometheus::Error> {
        let place = &["topic", "partition"];
        let of_group = &["group", "topic", "partition"];
        let log_size_bytes =
            IntGaugeVec::new(Opts::new("ottla_log_size_bytes", "Bytes a partition takes on disk."), place)?;
        let lag_records = IntGaugeVec::new(
            Opts::new("ottla_group_lag_records", "Records between a group's committed offset and the end."),
            of_group,
        )?;
        let lag_seconds = GaugeVec::new(
            Opts::new(
                "ottla_group_lag_seconds",
                "Age of the oldest record a group has not committed; 0 when it is at the end.",
            ),
            of_group,
        )?;
        registry.register(Box::new(log_size_bytes.clone()))?;
        registry.register(Box::new(lag_records.clone()))?;
        registry.register(Box::new(lag_seconds.clone()))?;
        Ok(Arc::new(Figures { logs, replicas, groups, env, log_size_bytes, lag_records, lag_seconds }))
    }

    /// Reads them anew; what is gone is no longer shown.
    pub fn refresh(&self) {
        self.log_size_bytes.reset();
        for log in self.logs.logs() {
            let partition = log.partition();
            let size_bytes = log.size_bytes();
            // A partition nobody wrote to is left out: thousands of zeros help nobody.
            if size_bytes > 0 {
                let index = partition.partition.to_string();
                self.log_size_bytes
                    .with_label_values(&[partition.topic.as_str(), &index])
                    .set(size_bytes as i64);
            }
        }
        self.refresh_lag();
    }

    fn refresh_lag(&self) {
        self.lag_records.reset();
        self.lag_seconds.reset();
        let now_ms = self.env.clock.wall_ms();
        let mut all = Vec::new();
        self.groups.for_each_offset(|group, topic, partition, committed| {
            all.push((group.clone(), topic.clone(), partition, Offset(committed.offset)));
        });
        for (group, topic, index, committed) in all {
            let Some(partition) = self.replicas.partition(topic.as_str(), index) else { continue };
            let Ok(led) = partition.led(-1) else { continue };
            let (log, end) = (led.log(), led.high_watermark());
            let from = committed.max(log.log_start_offset());
            let records = (end - from).max(0);
            let seconds = if records == 0 {
                0.0
            } else {
                // The oldest record the group has not committed tells since when it is behind.
                batch_timestamp(log, from, end)
                    .map_or(0.0, |timestamp| (now_ms - timestamp).max(0) as f64 / 1000.0)
            };
            let index = index.to_string();
            let labels = [group.as_str(), topic.as_str(), index.as_str()];
            self.lag_records.with_label_values(&labels).set(records);
            self.lag_seconds.with_label_values(&labels).set(seconds);
        }
    }
}

/// The time of the batch that holds an offset, from its header alone.
fn batch_timestamp(log: &UnifiedLog, offset: Offset, end: Offset) -> Option<i64> {
    let limits = ReadLimits { max_bytes: 0, bound: end, min_one_batch: true };
    let mut header = [0; HEADER_BYTES];
    match log.read(offset, limits).ok()?.data {
        ReadData::Empty => return None,
        ReadData::File { file, position, .. } => file.read_exact_at(&mut header, position).ok()?,
        ReadData::Memory(pieces) => header.copy_from_slice(pieces.first()?.get(..HEADER_BYTES)?),
    }
    Some(BatchHeader::parse(&header).base_timestamp)
}
