//! Retention: whole old segments go, by age and by size (`log.retention.*`).
//! Shell.

use std::sync::Arc;

use ottla_model::Offset;

use crate::config::LogConfig;
use crate::error::ChangeError;
use crate::segment::Segment;
use crate::unified_log::UnifiedLog;

impl UnifiedLog {
    /// Removes segments that the topic's rules no longer keep. Returns how many.
    pub fn run_retention(self: &Arc<Self>, now_ms: i64) -> Result<usize, ChangeError> {
        if self.is_deleted() {
            return Err(ChangeError::Deleted);
        }
        self.place().dir.check()?;
        self.ensure_loaded()?;
        let config = self.config.load();
        let mut segments = self.segments.load_full();
        let counted = self.retry_replaced(|| {
            segments = self.segments.load_full();
            self.count_expired(&segments, &config, now_ms)
        });
        let count = counted.map_err(|error| {
            if self.is_deleted() {
                return ChangeError::Deleted;
            }
            ChangeError::from(
                self.place().dir.fail(&format!("reading {}", self.place().folder.display()), &error),
            )
        })?;
        if count > 0 {
            let end = match segments.get(count) {
                Some(next) => next.base_offset(),
                None => self.roll_whole_log(&config, now_ms)?,
            };
            if end > self.log_start_offset() {
                self.move_log_start(end)?;
            }
        }
        Ok(self.remove_segments_below_local_start())
    }

    /// Even the active segment is too old: a new one takes its place. Returns where that starts.
    fn roll_whole_log(self: &Arc<Self>, config: &LogConfig, now_ms: i64) -> Result<Offset, ChangeError> {
        let mut writer = self.writer.lock();
        if self.is_deleted() {
            return Err(ChangeError::Deleted);
        }
        let end = self.log_end_offset();
        if end > self.deletable_below() {
            // Something was appended meanwhile; only what is before the active segment may go.
            return Ok(writer.active.segment().map_or(end, |active| active.base_offset()));
        }
        self.roll(&mut writer, end, config, now_ms)?;
        drop(writer);
        self.mark_dirty();
        Ok(end)
    }

    /// How many segments from the oldest on may go.
    fn count_expired(
        &self,
        segments: &[Arc<Segment>],
        config: &LogConfig,
        now_ms: i64,
    ) -> std::io::Result<usize> {
        if !config.cleanup_policy.delete {
            return Ok(0);
        }
        let bound = self.deletable_below();
        let total: u64 = segments.iter().map(|segment| segment.size_bytes()).sum();
        let mut excess = if config.retention_bytes < 0 {
            -1
        } else {
            i64::try_from(total).unwrap_or(i64::MAX) - config.retention_bytes
        };
        let mut count = 0;
        for (index, segment) in segments.iter().enumerate() {
            let size = segment.size_bytes() as i64;
            let end = segments.get(index + 1).map_or(self.log_end_offset(), |next| next.base_offset());
            let is_last_and_empty = index + 1 == segments.len() && size == 0;
            if end > bound || is_last_and_empty {
                break;
            }
            let is_too_old = config.retention_ms >= 0
                && now_ms.saturating_sub(segment.retention_timestamp(&self.shared.files)?)
                    > config.retention_ms;
            let is_too_much = excess >= size;
            if !is_too_old && !is_too_much {
                break;
            }
            excess -= size;
            count += 1;
        }
        Ok(count)
    }
}
