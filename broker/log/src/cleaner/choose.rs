//! What part of a log may be cleaned, how much it needs it, and which segments go together.
//! Core. (Kafka's `LogCleanerManager.cleanableOffsets`, `maxCompactionDelay`, `groupSegmentsBySize`.)

use ottla_model::Offset;

use crate::config::LogConfig;

/// What the choice looks at of one segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentFacts {
    pub base_offset: Offset,
    pub bytes: u64,
    pub max_timestamp: i64,
    /// The largest timestamp of its first batch; below 0: unknown.
    pub first_timestamp: i64,
}

/// What the choice looks at of one log. The last segment is the active one.
pub struct LogFacts<'a> {
    pub config: &'a LogConfig,
    pub segments: &'a [SegmentFacts],
    pub cleaned_to: Option<Offset>,
    pub log_start: Offset,
    pub log_end: Offset,
    /// No record at or above it may be cleaned: its transaction is open, or it is not replicated.
    pub last_stable: Offset,
}

/// What was found.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Choice {
    pub first_dirty: Offset,
    /// The base offset of a segment: nothing from there on is touched.
    pub first_uncleanable: Offset,
    pub dirty_bytes: u64,
    pub total_bytes: u64,
    /// `max.compaction.lag.ms` has passed for some record.
    pub is_overdue: bool,
    /// How long the oldest dirty record waits beyond that.
    pub delay_ms: i64,
    /// What is not to be done now may be later, without any further append.
    pub may_change_with_time: bool,
}

impl Choice {
    pub fn dirty_ratio(&self) -> f64 {
        if self.total_bytes == 0 { 0.0 } else { self.dirty_bytes as f64 / self.total_bytes as f64 }
    }

    pub fn is_due(&self, min_cleanable_dirty_ratio: f64) -> bool {
        self.dirty_bytes > 0 && (self.is_overdue || self.dirty_ratio() > min_cleanable_dirty_ratio)
    }
}

/// `None`: the log has no segment but the active one.
pub fn choose(log: &LogFacts<'_>, now_ms: i64) -> Option<Choice> {
    let (active, inactive) = log.segments.split_last()?;
    if inactive.is_empty() {
        return None;
    }
    let first_dirty = match log.cleaned_to {
        // Records were deleted, or the log was cut: everything counts as dirty.
        Some(cleaned) if (log.log_start..=log.log_end).contains(&cleaned) => cleaned,
        _ => log.log_start,
    };
    // A segment counts as dirty when any of it may be.
    let dirty_from = inactive.partition_point(|segment| segment.base_offset <= first_dirty).saturating_sub(1);
    let dirty = &inactive[dirty_from..];
    let min_lag_ms = log.config.min_compaction_lag_ms.max(0);
    let mut bound = log.last_stable.min(active.base_offset);
    if min_lag_ms > 0
        && let Some(young) =
            dirty.iter().find(|segment| segment.max_timestamp > now_ms.saturating_sub(min_lag_ms))
    {
        bound = bound.min(young.base_offset);
    }
    bound = bound.max(first_dirty);
    // Whole segments only: the first that reaches beyond the bound stays as it is.
    let end = log.segments.partition_point(|segment| segment.base_offset <= bound);
    let first_uncleanable = match log.segments.get(end.saturating_sub(1)) {
        Some(segment) if segment.base_offset <= bound => segment.base_offset,
        _ => active.base_offset,
    };
    let bytes_between = |from: Offset, to: Offset| -> u64 {
        let is_between = |segment: &&SegmentFacts| segment.base_offset >= from && segment.base_offset < to;
        inactive.iter().filter(is_between).map(|segment| segment.bytes).sum()
    };
    let dirty_base = dirty.first().map_or(active.base_offset, |segment| segment.base_offset);
    let first_dirty_segment = if first_dirty >= active.base_offset { active.base_offset } else { dirty_base };
    let dirty_bytes = bytes_between(first_dirty_segment, first_uncleanable);
    let total_bytes = bytes_between(Offset(i64::MIN), first_dirty_segment) + dirty_bytes;
    let delay_ms = compaction_delay_ms(log, dirty, now_ms);
    let has_dirty = first_dirty < active.base_offset;
    let may_change_with_time =
        has_dirty && (first_uncleanable < active.base_offset || log.config.max_compaction_lag_ms < i64::MAX);
    Some(Choice {
        first_dirty,
        first_uncleanable,
        dirty_bytes,
        total_bytes,
        is_overdue: delay_ms > 0,
        delay_ms,
        may_change_with_time,
    })
}

fn compaction_delay_ms(log: &LogFacts<'_>, dirty: &[SegmentFacts], now_ms: i64) -> i64 {
    let clean_until = now_ms.saturating_sub(log.config.max_compaction_lag_ms.max(0));
    let oldest = dirty.iter().map(|segment| segment.first_timestamp).filter(|timestamp| *timestamp > 0).min();
    oldest.map_or(0, |oldest| clean_until.saturating_sub(oldest).max(0))
}

/// A segment and the bytes of its indexes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupFacts {
    pub base_offset: Offset,
    pub bytes: u64,
    pub index_bytes: u64,
    pub time_index_bytes: u64,
}

/// How many segments, from the first on, become one: so many that the result keeps within the
/// bounds of a segment even if nothing goes. `end`: the offset behind the last of them.
pub fn group_length(segments: &[GroupFacts], config: &LogConfig, end: Offset) -> usize {
    let Some(first) = segments.first() else { return 0 };
    let (mut bytes, mut index, mut time) = (first.bytes, first.index_bytes, first.time_index_bytes);
    let mut count = 1;
    while let Some(next) = segments.get(count) {
        let last_offset = segments.get(count + 1).map_or(end, |after| after.base_offset) + -1;
        let is_near = next.bytes == 0 || last_offset - first.base_offset <= i64::from(i32::MAX);
        bytes += next.bytes;
        index += next.index_bytes;
        time += next.time_index_bytes;
        if bytes > config.segment_bytes
            || index > config.segment_index_bytes
            || time > config.segment_index_bytes
            || !is_near
        {
            break;
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments() -> Vec<SegmentFacts> {
        (0..5)
            .map(|n| SegmentFacts {
                base_offset: Offset(n * 10),
                bytes: 100,
                max_timestamp: 1_000 * n + 999,
                first_timestamp: 1_000 * n,
            })
            .collect()
    }

    fn look(config: &LogConfig, cleaned_to: Option<i64>, last_stable: i64, now_ms: i64) -> Choice {
        let segments = segments();
        let facts = LogFacts {
            config,
            segments: &segments,
            cleaned_to: cleaned_to.map(Offset),
            log_start: Offset(0),
            log_end: Offset(45),
            last_stable: Offset(last_stable),
        };
        choose(&facts, now_ms).expect("inactive segments")
    }

    #[test]
    fn everything_but_the_active_segment_is_cleanable() {
        let config = LogConfig::default();
        let choice = look(&config, None, 45, 10_000);
        assert_eq!((choice.first_dirty, choice.first_uncleanable), (Offset(0), Offset(40)));
        assert_eq!((choice.dirty_bytes, choice.total_bytes), (400, 400));
        assert!(choice.is_due(0.5) && !choice.may_change_with_time);
        let choice = look(&config, Some(30), 45, 10_000);
        assert_eq!((choice.dirty_bytes, choice.total_bytes), (100, 400));
        assert!(!choice.is_due(0.5) && choice.is_due(0.2));
        assert_eq!(look(&config, Some(40), 45, 10_000).dirty_bytes, 0);
    }

    #[test]
    fn a_checkpoint_outside_of_the_log_counts_as_none() {
        assert_eq!(look(&LogConfig::default(), Some(46), 45, 10_000).first_dirty, Offset(0));
    }

    #[test]
    fn an_open_transaction_and_young_records_hold_cleaning_back() {
        let config = LogConfig::default();
        let choice = look(&config, None, 25, 10_000);
        assert_eq!(choice.first_uncleanable, Offset(20));
        assert!(choice.may_change_with_time);
        let config = LogConfig { min_compaction_lag_ms: 3_000, ..config };
        let choice = look(&config, None, 45, 4_500);
        assert_eq!((choice.first_uncleanable, choice.dirty_bytes), (Offset(10), 100));
        assert!(choice.may_change_with_time);
    }

    #[test]
    fn old_records_are_overdue_whatever_the_ratio() {
        let config = LogConfig { max_compaction_lag_ms: 2_000, ..LogConfig::default() };
        assert!(!look(&config, Some(30), 45, 4_999).is_overdue);
        let choice = look(&config, Some(30), 45, 5_001);
        assert!(choice.is_overdue && choice.is_due(0.99));
        assert!(!look(&config, Some(40), 45, 5_000).is_due(0.99), "nothing dirty");
    }

    #[test]
    fn groups_keep_within_a_segment() {
        let facts = |base: i64, bytes| GroupFacts {
            base_offset: Offset(base),
            bytes,
            index_bytes: 8,
            time_index_bytes: 12,
        };
        let config = LogConfig { segment_bytes: 250, ..LogConfig::default() };
        let all = [facts(0, 100), facts(10, 100), facts(20, 100), facts(30, 10)];
        assert_eq!(group_length(&all, &config, Offset(40)), 2);
        assert_eq!(group_length(&all[2..], &config, Offset(40)), 2);
        let far = [facts(0, 100), facts(10, 100)];
        assert_eq!(group_length(&far, &config, Offset(i64::from(i32::MAX) + 2)), 1);
        let config = LogConfig { segment_index_bytes: 15, ..LogConfig::default() };
        assert_eq!(group_length(&all, &config, Offset(40)), 1);
    }
}
