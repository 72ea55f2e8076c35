//! One round over one log: which keys are written later, then each group of segments without the older ones.
//! Shell: reads segments, writes `.cleaned` files; `filter` decides.

use std::io;
use std::sync::Arc;

use ottla_env::File;
use ottla_model::Offset;
use ottla_records::{BatchHeader, BatchView, ControlRecordType, HEADER_BYTES};

use super::choose::{Choice, GroupFacts, group_length};
use super::filter::{ActiveProducers, LastRecord, Outcome, Rules, Scratch, filter_batch};
use super::offset_map::{OffsetMap, SLOT_BYTES};
use super::swap::{CleanedFiles, SwapFailure};
use super::transactions::CleanedTransactions;
use crate::config::{CleanerSettings, LogConfig};
use crate::error::ReadError;
use crate::index::{IndexEntry, OffsetEntry, TimeEntry};
use crate::log_dir::{WriteFailure, is_full};
use crate::segment::Segment;
use crate::unified_log::UnifiedLog;

/// What a round did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CleanedStats {
    pub keys: usize,
    /// So many keys would have had room.
    pub keys_max: usize,
    pub mapped_bytes: u64,
    pub read_bytes: u64,
    pub written_bytes: u64,
    pub segments_before: usize,
    pub segments_after: usize,
}

/// How a round ended.
pub(super) enum RoundEnd {
    Cleaned(CleanedStats),
    /// The log changed below it, or the broker stops.
    Interrupted,
    NoSpace(String),
    Uncleanable(String),
    Offline,
}

/// Why a round can't go on.
pub(super) enum Stop {
    Interrupted,
    Damaged(String),
    Io(io::Error),
    Halfway(io::Error),
    Write(WriteFailure),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Io(error)
    }
}

impl From<WriteFailure> for Stop {
    fn from(failure: WriteFailure) -> Stop {
        Stop::Write(failure)
    }
}

impl From<SwapFailure> for Stop {
    fn from(failure: SwapFailure) -> Stop {
        match failure {
            SwapFailure::Changed => Stop::Interrupted,
            SwapFailure::Io(error) => Stop::Io(error),
            SwapFailure::Halfway(error) => Stop::Halfway(error),
        }
    }
}

/// One round's world.
struct Round<'a> {
    log: &'a Arc<UnifiedLog>,
    config: Arc<LogConfig>,
    settings: Arc<CleanerSettings>,
    generation: u64,
    now_ms: i64,
    is_throttled: bool,
    io_bytes: usize,
    stats: CleanedStats,
}

pub(super) fn clean(log: &Arc<UnifiedLog>, choice: &Choice, now_ms: i64, is_throttled: bool) -> RoundEnd {
    let settings = log.shared.cleaner.settings();
    let mut round = Round {
        log,
        config: log.config(),
        generation: log.writer.lock().generation(),
        now_ms,
        is_throttled,
        io_bytes: settings.io_bytes(),
        settings,
        stats: CleanedStats::default(),
    };
    let stop = match round.run(choice) {
        Ok(()) => return RoundEnd::Cleaned(round.stats),
        Err(stop) => stop,
    };
    match stop {
        Stop::Interrupted => RoundEnd::Interrupted,
        Stop::Damaged(why) => RoundEnd::Uncleanable(why),
        // Files of a deleted log are gone: nothing is wrong with the device.
        Stop::Io(_) | Stop::Write(_) if log.is_deleted() => RoundEnd::Interrupted,
        Stop::Io(error) if is_full(&error) => RoundEnd::NoSpace(error.to_string()),
        // A segment that retention removed.
        Stop::Io(error) if error.kind() == io::ErrorKind::NotFound => RoundEnd::Interrupted,
        Stop::Io(error) | Stop::Halfway(error) => {
            log.place().dir.fail(&format!("cleaning {}", log.place().folder.display()), &error);
            RoundEnd::Offline
        }
        Stop::Write(WriteFailure::NoSpace(text)) => RoundEnd::NoSpace(text),
        Stop::Write(WriteFailure::Storage(_)) => RoundEnd::Offline,
    }
}

impl Round<'_> {
    fn run(&mut self, choice: &Choice) -> Result<(), Stop> {
        // Before the flush: what is written later may be lost, and is then nobody's last batch.
        let producers = self.active_producers();
        self.make_recoverable(choice.first_uncleanable)?;
        let segments: Vec<Arc<Segment>> = self.log.segments.load().iter().cloned().collect();
        let mut map = OffsetMap::new(
            self.settings.map_bytes(),
            self.settings.dedupe_buffer_load_factor,
            (choice.first_uncleanable - choice.first_dirty).max(0) as u64,
            self.log.shared.env.rng.next_16(),
        );
        self.fill_map(&segments, choice, &mut map)?;
        let Some(latest) = map.latest_offset() else {
            return Err(Stop::Damaged("its keys do not fit into log.cleaner.dedupe.buffer.size".to_owned()));
        };
        let end = latest + 1;
        assert!(end <= choice.first_uncleanable, "keys are noted of what may be cleaned only");
        (self.stats.keys, self.stats.keys_max) = (map.count(), self.settings.map_bytes() / SLOT_BYTES);
        let count = segments.partition_point(|segment| segment.base_offset() < end);
        let to_clean = &segments[..count];
        let first = to_clean.first().map_or(Offset::ZERO, |segment| segment.base_offset());
        let mut transactions = CleanedTransactions::new(self.aborted(first, choice.first_uncleanable)?);
        let mut at = 0;
        let mut cleaned_before = None;
        while at < to_clean.len() {
            // I2: from the oldest on.
            let base = to_clean[at].base_offset();
            assert!(cleaned_before < Some(base), "segment {base} is older than one that was cleaned");
            cleaned_before = Some(base);
            let facts = self.group_facts(&to_clean[at..])?;
            let length = group_length(&facts, &self.config, choice.first_uncleanable);
            assert!(length > 0, "a group has a segment");
            let group = &to_clean[at..at + length];
            self.clean_group(group, &map, &producers, &mut transactions)?;
            at += length;
        }
        drop(map);
        self.log.note_cleaned(self.generation, end)?;
        Ok(())
    }

    /// Invariant I3.
    fn make_recoverable(&self, end: Offset) -> Result<(), Stop> {
        if self.log.flush().map_err(WriteFailure::Storage)? < end {
            return Err(Stop::Interrupted);
        }
        self.log.checkpoint().map_err(WriteFailure::Storage)?;
        if self.log.place().dir.recovery_point(&self.log.partition) < end {
            return Err(Stop::Interrupted);
        }
        Ok(self.log.place().dir.write_recovery_points()?)
    }

    fn aborted(&self, from: Offset, to: Offset) -> Result<Vec<crate::txn_index::AbortedTxn>, Stop> {
        self.log.aborted_transactions(from, to).map_err(|error| match error {
            ReadError::Storage(failure) => Stop::Write(WriteFailure::Storage(failure)),
            _ => Stop::Interrupted,
        })
    }

    fn group_facts(&self, segments: &[Arc<Segment>]) -> Result<Vec<GroupFacts>, Stop> {
        let files = &self.log.shared.files;
        // No more than can be in a group: the rest is looked at when it is its turn.
        let mut bytes = 0;
        let mut facts = Vec::new();
        for segment in segments {
            facts.push(GroupFacts {
                base_offset: segment.base_offset(),
                bytes: segment.size_bytes(),
                index_bytes: segment.index.len(files)? * OffsetEntry::BYTES as u64,
                time_index_bytes: segment.time_index.len(files)? * TimeEntry::BYTES as u64,
            });
            if bytes > self.config.segment_bytes {
                break;
            }
            bytes += segment.size_bytes();
        }
        Ok(facts)
    }

    fn check_going_on(&self, bytes: u64) -> Result<(), Stop> {
        let cleaner = &self.log.shared.cleaner;
        if cleaner.is_closed() || self.log.is_deleted() || self.log.place().dir.check().is_err() {
            return Err(Stop::Interrupted);
        }
        if !self.is_throttled {
            return Ok(());
        }
        let clock = &self.log.shared.env.clock;
        // The speed may change in the middle of a round, and of a rest.
        let settings = cleaner.settings();
        let spent = cleaner.throttle.spend(bytes, settings.io_bytes_per_second_max, clock.monotonic());
        if let Some(until) = spent {
            let is_same = || Arc::ptr_eq(&settings, &cleaner.settings());
            while clock.monotonic() < until && !cleaner.is_closed() && is_same() {
                cleaner.wait_for_tick(&settings);
            }
        }
        Ok(())
    }

    /// Notes the last offset of each key in the dirty segments, as far as there is room.
    fn fill_map(
        &mut self,
        segments: &[Arc<Segment>],
        choice: &Choice,
        map: &mut OffsetMap,
    ) -> Result<(), Stop> {
        let end = choice.first_uncleanable;
        let dirty_from =
            segments.partition_point(|segment| segment.base_offset() <= choice.first_dirty).saturating_sub(1);
        let mut transactions = CleanedTransactions::new(self.aborted(choice.first_dirty, end)?);
        let mut expanded = Vec::new();
        let mut reader = BatchReader::new(self.io_bytes);
        for (index, segment) in segments.iter().enumerate().skip(dirty_from) {
            if segment.base_offset() >= end {
                break;
            }
            let file = segment.file(&self.log.shared.files)?;
            reader.start(file, segment.size_bytes());
            let next = segments.get(index + 1).map_or(end, |next| next.base_offset());
            let mut from = segment.base_offset();
            loop {
                if reader.is_empty() {
                    self.check_going_on(reader.last_read)?;
                }
                let Some(batch) = reader.next()? else { break };
                let header = batch.header();
                // Offsets are not under the checksum.
                if header.base_offset < from || header.next_offset() > next {
                    let (at, base) = (header.base_offset, segment.base_offset());
                    return Err(Stop::Damaged(format!(
                        "offset {at} in segment {base}, which ends at {next}"
                    )));
                }
                from = header.next_offset();
                self.stats.mapped_bytes += batch.bytes().len() as u64;
                if !note_keys(&batch, choice.first_dirty, map, &mut transactions, &mut expanded)? {
                    return Ok(());
                }
                if header.last_offset() >= choice.first_dirty {
                    map.update_latest(header.last_offset());
                }
            }
            reader.check_whole(segment)?;
            map.update_latest(next.min(end) + -1);
        }
        Ok(())
    }

    fn clean_group(
        &mut self,
        group: &[Arc<Segment>],
        map: &OffsetMap,
        producers: &ActiveProducers,
        transactions: &mut CleanedTransactions,
    ) -> Result<(), Stop> {
        let rules = Rules {
            map,
            producers,
            now_ms: self.now_ms,
            delete_retention_ms: self.config.delete_retention_ms,
        };
        let files = CleanedFiles::create(self.log, group)?;
        let cleaned = self.fill_segment(group, &files, &rules, transactions);
        let retained = transactions.take_retained();
        self.stats.segments_before += group.len();
        self.stats.segments_after += 1;
        let result = match cleaned {
            Ok(false) if group.len() == 1 && files.has_same_index(self.log, &retained)? => {
                // Nothing went: the segment stays what it is.
                files.discard(self.log);
                return Ok(());
            }
            Ok(_) => files.finish(self.log, &retained).map_err(Stop::Io),
            Err(stop) => Err(stop),
        };
        if let Err(stop) = result {
            files.discard(self.log);
            return Err(stop);
        }
        self.check_going_on(0).inspect_err(|_| files.discard(self.log))?;
        Ok(files.swap_in(self.log, group, self.generation)?)
    }

    /// Writes what stays of a group. Returns whether anything is different.
    fn fill_segment(
        &mut self,
        group: &[Arc<Segment>],
        files: &CleanedFiles,
        rules: &Rules<'_>,
        transactions: &mut CleanedTransactions,
    ) -> Result<bool, Stop> {
        let last_with_bytes = group.iter().rposition(|segment| segment.size_bytes() > 0);
        let mut writer = SegmentWriter::new(self.log, files, self.io_bytes, self.config.index_interval_bytes);
        let mut reader = BatchReader::new(self.io_bytes);
        let mut scratch = Scratch::default();
        let mut is_changed = false;
        for (index, segment) in group.iter().enumerate() {
            let file = segment.file(&self.log.shared.files)?;
            let size = segment.size_bytes();
            reader.start(file, size);
            loop {
                if reader.is_empty() {
                    self.check_going_on(reader.last_read)?;
                    scratch.shrink(8 << 20);
                }
                let Some(batch) = reader.next()? else { break };
                let bytes = batch.bytes().len() as u64;
                self.stats.read_bytes += bytes;
                let is_last =
                    last_with_bytes == Some(index) && batch_ends_at(&batch, size, writer.read_in_segment);
                writer.read_in_segment += bytes;
                let before = writer.buffer.len();
                let outcome =
                    filter_batch(&batch, rules, transactions, is_last, &mut scratch, &mut writer.buffer)
                        .map_err(|error| {
                            Stop::Damaged(format!("batch at offset {}: {error}", batch.header().base_offset))
                        })?;
                is_changed |= outcome != Outcome::Kept;
                if outcome == Outcome::Kept {
                    writer.buffer.extend_from_slice(batch.bytes());
                }
                if outcome != Outcome::Gone {
                    let spent = writer.note(before)?;
                    self.stats.written_bytes += spent;
                    if spent > 0 {
                        self.check_going_on(spent)?;
                    }
                }
            }
            reader.check_whole(segment)?;
            writer.read_in_segment = 0;
        }
        self.stats.written_bytes += writer.write_out()?;
        Ok(is_changed)
    }

    fn active_producers(&self) -> ActiveProducers {
        let last = |entry: &crate::producer_state::ProducerEntry| LastRecord {
            data_offset: entry.batches.last().map(|batch| batch.last_offset),
            epoch: entry.epoch,
        };
        self.log.producers.read(|state| state.entries().map(|(id, entry)| (id, last(entry))).collect())
    }
}

fn batch_ends_at(batch: &BatchView<'_>, size: u64, position: u64) -> bool {
    position + batch.bytes().len() as u64 == size
}

/// `false`: the map is full.
fn note_keys(
    batch: &BatchView<'_>,
    first_dirty: Offset,
    map: &mut OffsetMap,
    transactions: &mut CleanedTransactions,
    expanded: &mut Vec<u8>,
) -> Result<bool, Stop> {
    let header = batch.header();
    let damaged = |error: String| Stop::Damaged(format!("batch at offset {}: {error}", header.base_offset));
    if header.attributes.is_control() {
        let mut records = batch.records(expanded).map_err(|error| damaged(error.to_string()))?;
        let kind = records
            .next()
            .and_then(Result::ok)
            .and_then(|record| record.key.and_then(ControlRecordType::parse_key));
        transactions.on_control_batch(header, kind);
        return Ok(true);
    }
    if transactions.on_batch(header) {
        return Ok(true);
    }
    for record in batch.records(expanded).map_err(|error| damaged(error.to_string()))? {
        let record = record.map_err(|error| damaged(error.to_string()))?;
        if let Some(key) = record.key
            && record.offset >= first_dirty
            && !map.put(key, record.offset)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads a file batch by batch, checking each checksum, through one buffer.
struct BatchReader {
    file: Option<Arc<dyn File>>,
    size: u64,
    /// Where the next byte is read.
    position: u64,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    io_bytes: usize,
    last_read: u64,
}

impl BatchReader {
    fn new(io_bytes: usize) -> BatchReader {
        BatchReader {
            file: None,
            size: 0,
            position: 0,
            buffer: vec![0; io_bytes],
            from: 0,
            to: 0,
            io_bytes,
            last_read: 0,
        }
    }

    fn start(&mut self, file: Arc<dyn File>, size: u64) {
        (self.file, self.size, self.position, self.from, self.to) = (Some(file), size, 0, 0, 0);
        if self.buffer.len() > self.io_bytes {
            // One giant batch is no reason to keep a giant buffer.
            self.buffer = vec![0; self.io_bytes];
        }
    }

    /// Whether the next batch needs a read.
    fn is_empty(&self) -> bool {
        self.wanted().is_some()
    }

    /// Bytes that must be in the buffer before a batch can be given out, if they are not.
    fn wanted(&self) -> Option<usize> {
        let bytes = &self.buffer[self.from..self.to];
        let Some(head) = bytes.first_chunk::<HEADER_BYTES>() else { return Some(HEADER_BYTES) };
        let header = BatchHeader::parse(head);
        (header.is_plausible() && bytes.len() < header.size_bytes()).then(|| header.size_bytes())
    }

    fn next(&mut self) -> Result<Option<BatchView<'_>>, Stop> {
        while let Some(wanted) = self.wanted() {
            if self.position >= self.size {
                return Ok(None);
            }
            self.fill(wanted)?;
        }
        let at = self.from;
        let header_ok = BatchView::first(&self.buffer[at..self.to])
            .and_then(|batch| batch.verify_checksum().map(|()| batch.bytes().len()));
        match header_ok {
            Ok(bytes) => {
                self.from += bytes;
                let batch = BatchView::first(&self.buffer[at..self.from]);
                Ok(batch.ok())
            }
            Err(error) => Err(Stop::Damaged(error.to_string())),
        }
    }

    fn fill(&mut self, wanted: usize) -> Result<(), Stop> {
        self.buffer.copy_within(self.from..self.to, 0);
        self.to -= self.from;
        self.from = 0;
        let rest = self.size - self.position;
        if wanted as u64 > self.to as u64 + rest {
            return Err(Stop::Damaged(format!("a batch of {wanted} bytes ends behind its segment")));
        }
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        let room = rest.min((self.buffer.len() - self.to) as u64) as usize;
        let Some(file) = &self.file else { return Ok(()) };
        let read = file.read_at(&mut self.buffer[self.to..self.to + room], self.position)?;
        if read == 0 {
            return Err(Stop::Damaged("a segment is shorter than it was".to_owned()));
        }
        self.to += read;
        self.position += read as u64;
        self.last_read = read as u64;
        Ok(())
    }

    /// That everything was given out.
    fn check_whole(&self, segment: &Segment) -> Result<(), Stop> {
        if self.from == self.to && self.position >= self.size {
            return Ok(());
        }
        Err(Stop::Damaged(format!("segment {} ends in a torn batch", segment.base_offset())))
    }
}

/// Writes batches one behind the other, with the entries of both indexes.
struct SegmentWriter<'a> {
    log: &'a UnifiedLog,
    segment: &'a Segment,
    file: Arc<dyn File>,
    buffer: Vec<u8>,
    io_bytes: usize,
    index_interval_bytes: u64,
    bytes_since_entry: u64,
    read_in_segment: u64,
}

impl<'a> SegmentWriter<'a> {
    fn new(
        log: &'a UnifiedLog,
        files: &'a CleanedFiles,
        io_bytes: usize,
        index_interval_bytes: u64,
    ) -> SegmentWriter<'a> {
        SegmentWriter {
            log,
            segment: &files.segment,
            file: files.file.clone(),
            buffer: Vec::with_capacity(io_bytes),
            io_bytes,
            index_interval_bytes,
            bytes_since_entry: 0,
            read_in_segment: 0,
        }
    }

    /// Takes in the batch that stands in the buffer from `at` on. Returns bytes written out.
    fn note(&mut self, at: usize) -> Result<u64, Stop> {
        let Some(head) = self.buffer[at..].first_chunk::<HEADER_BYTES>() else { return Ok(0) };
        let header = BatchHeader::parse(head);
        let position = self.segment.size_bytes() + at as u64;
        let files = &self.log.shared.files;
        if position == 0 {
            self.segment.set_first_timestamp(Some(header.max_timestamp));
        }
        self.segment.note_timestamp(header.max_timestamp, header.last_offset());
        if self.bytes_since_entry > self.index_interval_bytes {
            self.bytes_since_entry = 0;
            let entry = OffsetEntry { offset: header.last_offset(), position };
            self.segment.append_index_entries(entry, files)?;
        }
        self.bytes_since_entry += header.size_bytes() as u64;
        if self.buffer.len() >= self.io_bytes { self.write_out() } else { Ok(0) }
    }

    fn write_out(&mut self) -> Result<u64, Stop> {
        let position = self.segment.size_bytes();
        let bytes = self.buffer.len() as u64;
        if bytes > 0 {
            self.file.write_all_at(&self.buffer, position)?;
            self.segment.set_size_bytes(position + bytes);
            self.buffer.clear();
            self.buffer.shrink_to(self.io_bytes);
        }
        Ok(bytes)
    }
}
