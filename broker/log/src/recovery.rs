//! Reading a partition's folder, and putting it in order after a stop that was not clean.
//! Shell.
//!
//! What is believed without a scan: batches below the recovery point (they were synced; each is
//! checked once more before it is first served). What is scanned, checksum by checksum: everything
//! from the recovery point on; the first wrong byte ends the log. Wrong bytes below it are left alone
//! (`damage.rs`). Indexes and producer snapshots
//! are hints that are checked against the batches, and made again where they don't fit.

use std::io;
use std::sync::Arc;

use ottla_env::File;
use ottla_env::disk::Name;
use ottla_model::Offset;
use ottla_records::{BatchHeader, BatchView, EndTxnMarker};

use crate::checkpoint;
use crate::cleaner::swap;
use crate::damage::check_cut;
use crate::leader_epochs::LeaderEpochs;
use crate::load_report::LoadReport;
use crate::log_dir::WriteFailure;
use crate::names;
use crate::producer_snapshot;
use crate::producer_state::ProducerState;
use crate::scan::verify;
use crate::segment::Segment;
use crate::txn_index::{self, AbortedTxn};
use crate::unified_log::UnifiedLog;
use crate::writer::Writer;

/// What a folder lists: read once, so that a start with many folders reads little.
#[derive(Default)]
pub(crate) struct Listing {
    /// Base offsets of the files of each kind, in order.
    segments: Vec<Offset>,
    indexes: Vec<Offset>,
    time_indexes: Vec<Offset>,
    txn_indexes: Vec<Offset>,
    /// The offsets as of which producer state was kept, in order.
    snapshots: Vec<Offset>,
}

impl Listing {
    fn of(names_found: &[Name]) -> Listing {
        let of_kind = |suffix| {
            let files = names_found.iter().filter(|name| !name.is_dir);
            let mut offsets: Vec<Offset> =
                files.filter_map(|name| names::offset_of(&name.text, suffix)).collect();
            offsets.sort_unstable();
            offsets
        };
        Listing {
            segments: of_kind(names::LOG_SUFFIX),
            indexes: of_kind(names::INDEX_SUFFIX),
            time_indexes: of_kind(names::TIME_INDEX_SUFFIX),
            txn_indexes: of_kind(names::TXN_INDEX_SUFFIX),
            snapshots: of_kind(names::SNAPSHOT_SUFFIX),
        }
    }
}

fn has(offsets: &[Offset], offset: Offset) -> bool {
    offsets.binary_search(&offset).is_ok()
}

impl UnifiedLog {
    /// Reads the folder into the writer and the published state.
    pub(crate) fn load(&self, writer: &mut Writer) -> io::Result<LoadReport> {
        let mut report = LoadReport::default();
        let checkpointed_start = self.place().dir.log_start(&self.partition);
        let Some(listing) = self.list_folder()? else {
            let start = checkpointed_start.unwrap_or(Offset::ZERO);
            self.publish_loaded(writer, start, start);
            return Ok(report);
        };
        self.read_topic_id(writer)?;
        self.epochs.set_found(&mut writer.turn, self.read_epochs());
        let now_ms = self.shared.env.clock.wall_ms();
        let mut segments = self.found_segments(&listing, now_ms)?;
        if let Some(start) = checkpointed_start {
            let below = segments.windows(2).take_while(|pair| pair[1].base_offset() <= start).count();
            for segment in segments.drain(..below) {
                self.remove_segment_files(&segment);
            }
        }
        let mut end = self.recover_segments(writer, &mut segments, &mut report)?;
        writer.flush.note_found(self.was_clean, self.shared.env.clock.monotonic());
        let first_base = segments.first().map_or(Offset::ZERO, |segment| segment.base_offset());
        let log_start = checkpointed_start.unwrap_or(Offset::ZERO).max(first_base);
        if end < log_start {
            // What was there was deleted, or lost with the device: the promised start holds.
            for segment in segments.drain(..) {
                report.dropped_segments += 1;
                self.remove_segment_files(&segment);
            }
            self.epochs.clear(&mut writer.turn);
            writer.flush.forget(|_| true);
            writer.flush.note_truncated(0);
            writer.active.clear();
            end = log_start;
        }
        self.epochs.truncate_from_end(&mut writer.turn, end);
        self.epochs.truncate_from_start(&mut writer.turn, log_start);
        let is_active_last = segments.last().is_none_or(|last| writer.active.is(last));
        assert!(is_active_last, "the segment that was recovered last is the active one");
        self.segments.set_found(&mut writer.turn, segments, end);
        self.drop_snapshots_above(&listing, end)?;
        self.rebuild_producers(writer, &listing, log_start, end)?;
        self.publish_loaded(writer, log_start, end);
        if report.truncated_bytes > 0 || report.dropped_segments > 0 {
            tracing::debug!(partition = %self.partition, ?report, "recovered");
        }
        Ok(report)
    }

    fn publish_loaded(&self, writer: &mut Writer, log_start: Offset, end: Offset) {
        let mut log_start = log_start;
        let first = self.segments.load().first().map(|first| first.base_offset());
        if first.is_none() {
            log_start = end;
            self.producers.set_found(&mut writer.turn, ProducerState::starting_at(end), None);
        }
        let flushed = if writer.flush.bytes() == 0 {
            end
        } else {
            self.place().dir.recovery_point(&self.partition).max(first.unwrap_or(end)).min(end)
        };
        self.bounds.set_found(&mut writer.turn, log_start, flushed, end);
        self.place().dir.lower_recovery_point(&self.partition, end);
        if let Err(WriteFailure::NoSpace(text)) = self.place().dir.lower_cleaned(&self.partition, end) {
            // What is known in memory is right, and is written the next time.
            tracing::debug!(partition = %self.partition, %text, "cleaner checkpoint not written");
        }
    }

    /// `None`: there is no folder yet.
    fn list_folder(&self) -> io::Result<Option<Listing>> {
        let disk = &self.shared.env.disk;
        let mut names_found = match disk.read_names(&self.place().folder) {
            Ok(names_found) => names_found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if swap::finish_interrupted(&**disk, &self.place().folder, &names_found)? {
            names_found = disk.read_names(&self.place().folder)?;
        }
        let listing = Listing::of(&names_found);
        for name in &names_found {
            let is_stray = names::STRAY_SUFFIXES.iter().any(|suffix| name.text.ends_with(suffix))
                || [names::INDEX_SUFFIX, names::TIME_INDEX_SUFFIX, names::TXN_INDEX_SUFFIX].iter().any(
                    |suffix| {
                        names::offset_of(&name.text, suffix).is_some_and(|base| !has(&listing.segments, base))
                    },
                );
            if is_stray && !name.is_dir {
                disk.remove_file(&self.place().folder.join(&name.text))?;
            }
        }
        Ok(Some(listing))
    }

    fn found_segments(&self, listing: &Listing, now_ms: i64) -> io::Result<Vec<Arc<Segment>>> {
        let mut segments = Vec::with_capacity(listing.segments.len());
        for base in &listing.segments {
            let path = names::segment_file(&self.place().folder, *base, names::LOG_SUFFIX);
            let size = match self.shared.env.disk.file_len(&path) {
                Ok(size) => size,
                // Removed while the folder was read: simply not there.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let indexes = [has(&listing.indexes, *base), has(&listing.time_indexes, *base)];
            segments.push(Arc::new(Segment::found(&self.place().folder, *base, size, now_ms, indexes)));
        }
        Ok(segments)
    }

    fn read_topic_id(&self, writer: &mut Writer) -> io::Result<()> {
        let found = match self.shared.env.disk.read(&self.place().folder.join(names::PARTITION_METADATA)) {
            Ok(bytes) => checkpoint::parse_partition_metadata(&String::from_utf8_lossy(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if let Some(found) = found {
            *self.topic_id.lock() = found;
            writer.note_topic_id_written();
            if !self.was_clean {
                writer.flush.note_topic_id();
            }
        }
        Ok(())
    }

    fn read_epochs(&self) -> LeaderEpochs {
        let path = self.place().folder.join(names::LEADER_EPOCH_CHECKPOINT);
        let Ok(bytes) = self.shared.env.disk.read(&path) else { return LeaderEpochs::default() };
        match checkpoint::parse_epochs(&String::from_utf8_lossy(&bytes)) {
            Ok(entries) => LeaderEpochs::new(entries),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "leader epochs are taken from the records");
                LeaderEpochs::default()
            }
        }
    }

    /// Finds the end of the log. Drops what is behind the first wrong batch.
    fn recover_segments(
        &self,
        writer: &mut Writer,
        segments: &mut Vec<Arc<Segment>>,
        report: &mut LoadReport,
    ) -> io::Result<Offset> {
        let recovery_point =
            if self.was_clean { Offset(i64::MAX) } else { self.place().dir.recovery_point(&self.partition) };
        // What the cleaner went through has gaps, whatever is known of the recovery point.
        let may_have_gaps_to = self
            .place()
            .dir
            .cleaned_to(&self.partition)
            .map_or(recovery_point, |cleaned| cleaned.max(recovery_point));
        let after = segments.partition_point(|segment| segment.base_offset() <= recovery_point);
        let first = after.saturating_sub(1);
        let mut end = self.place().dir.log_start(&self.partition).unwrap_or(Offset::ZERO);
        let mut kept = 0;
        for (index, segment) in segments.iter().enumerate().skip(first) {
            if index > first && segment.base_offset() > may_have_gaps_to && segment.base_offset() != end {
                // A hole: what was between was never acknowledged, nor what comes after.
                break;
            }
            let is_last = index + 1 == segments.len();
            let (next, is_whole) = self.recover_segment(writer, segment, recovery_point, is_last, report)?;
            end = next;
            kept = index + 1;
            if !is_whole {
                break;
            }
        }
        let dropped: Vec<Arc<Segment>> = segments.drain(kept.max(first.min(segments.len()))..).collect();
        report.dropped_segments += dropped.len();
        report.truncated_bytes += dropped.iter().map(|segment| segment.size_bytes()).sum::<u64>();
        self.remove_for_good(&dropped)?;
        if let Some(active) = segments.last() {
            writer.flush.set_found_active(active);
        }
        Ok(end)
    }

    /// Scans one segment from the recovery point on. Returns the offset after its last batch, and
    /// whether nothing was cut off.
    fn recover_segment(
        &self,
        writer: &mut Writer,
        segment: &Arc<Segment>,
        recovery_point: Offset,
        is_last: bool,
        report: &mut LoadReport,
    ) -> io::Result<(Offset, bool)> {
        let size = segment.size_bytes();
        if size == 0 {
            writer.flush.note_scanned(segment, 0, 0);
            writer.active.resume(Some(segment.clone()), 0);
            return Ok((segment.base_offset(), true));
        }
        let files = &self.shared.files;
        let file = segment.file(files)?;
        let mut repair = self.repair_indexes(segment, &*file, recovery_point, report)?;
        let start = repair.position;
        let scan_from = start;
        segment.set_checked_from(start);
        let mut right = start;
        if start < size {
            // With a clean stop nothing is left here; if something is, it is scanned all the same.
            let mut failure = None;
            right = verify(&*file, start, size, |position, header, _| {
                if header.base_offset < repair.next
                    || header.last_offset() - segment.base_offset() > i64::from(u32::MAX)
                {
                    return false;
                }
                self.epochs.assign(&mut writer.turn, header.leader_epoch, header.base_offset);
                match repair.note(self, segment, position, header) {
                    Ok(()) => true,
                    Err(error) => {
                        failure = Some(error);
                        false
                    }
                }
            })?;
            if let Some(error) = failure {
                return Err(error);
            }
            report.scanned_bytes += right - scan_from;
        }
        assert!(scan_from <= right && right <= size, "scanned {scan_from} to {right} of {size} bytes");
        if right < size {
            check_cut(segment.slot().path(), &*file, right, size, repair.next, recovery_point)?;
            report.truncated_bytes += size - right;
            file.set_len(right)?;
            segment.set_size_bytes(right);
        }
        if !is_last || right < size || right > scan_from {
            segment.flush_indexes(files)?;
        }
        let synced = if right < size {
            // What was cut off must not come back behind what is appended next.
            file.sync_data()?;
            right
        } else {
            // Perhaps only in the page cache: to be flushed, and not below the flushed offset
            // until then. (Syncing each folder here would make a start with many wait.)
            segment.slot().pin(right > scan_from);
            scan_from
        };
        writer.flush.note_scanned(segment, synced, right);
        writer.active.resume(Some(segment.clone()), repair.bytes_since_entry);
        Ok((repair.next.max(segment.base_offset()), right == size))
    }

    /// State as of `end`, from the last snapshot that fits and the batches behind it.
    pub(crate) fn rebuild_producers(
        &self,
        writer: &mut Writer,
        listing: &Listing,
        log_start: Offset,
        end: Offset,
    ) -> io::Result<()> {
        let segments = self.segments.load_full();
        // Also batches below the log's start count while they are there: a producer whose last
        // batch was deleted goes on with its sequence.
        let first_base = segments.first().map_or(log_start, |segment| segment.base_offset());
        // An older snapshot would miss the batches between: better no state than an old one, as a
        // producer without state may go on with any sequence.
        // One behind the recovery point would hide markers whose index entries may be lost.
        let believed = if self.was_clean {
            end
        } else {
            self.place().dir.recovery_point(&self.partition).max(self.bounds.flushed()).min(end)
        };
        let (mut state, last_snapshot) = match self.read_snapshot(listing, first_base, believed)? {
            Some((offset, state)) => (state, Some(offset)),
            None => (ProducerState::default(), None),
        };
        let from = state.end_offset().max(first_base);
        let mut aborted: Vec<(Offset, AbortedTxn)> = Vec::new();
        if from < end {
            self.for_each_header(&segments, from, end, |segment, file, position, header| {
                let marker = if header.attributes.is_control() && header.has_producer_id() {
                    read_marker(file, position, header)?
                } else {
                    None
                };
                if let Some(completed) = state.apply(header, marker.as_ref())
                    && completed.is_aborted
                {
                    aborted.push((segment.base_offset(), AbortedTxn::from(&completed)));
                }
                Ok(())
            })?;
            self.rewrite_txn_indexes(writer, &segments, listing, from, &aborted)?;
        }
        state.advance_to(end);
        assert_eq!(state.end_offset(), end, "producers of batches that the log does not have");
        state.remove_expired(self.shared.env.clock.wall_ms(), self.shared.settings.producer_id_expiration_ms);
        self.producers.set_found(&mut writer.turn, state, last_snapshot);
        Ok(())
    }

    /// Entries from `from` on are those that were just found.
    fn rewrite_txn_indexes(
        &self,
        writer: &mut Writer,
        segments: &[Arc<Segment>],
        listing: &Listing,
        from: Offset,
        aborted: &[(Offset, AbortedTxn)],
    ) -> io::Result<()> {
        let disk = &*self.shared.env.disk;
        let first = segments.partition_point(|segment| segment.base_offset() <= from).saturating_sub(1);
        for segment in segments.iter().skip(first) {
            let base = segment.base_offset();
            let path = names::segment_file(&self.place().folder, base, names::TXN_INDEX_SUFFIX);
            let is_there = has(&listing.txn_indexes, base);
            let before = if is_there { txn_index::read(disk, &path)? } else { Vec::new() };
            let mut entries: Vec<AbortedTxn> =
                before.iter().filter(|entry| entry.last_offset < from).copied().collect();
            entries.extend(aborted.iter().filter(|(segment, _)| *segment == base).map(|(_, entry)| *entry));
            if entries != before {
                txn_index::rewrite(disk, &path, &entries)?;
                if !entries.is_empty() {
                    disk.open(&path, ottla_env::OpenMode::ReadWrite)?.sync_data()?;
                }
                disk.sync_dir(&self.place().folder)?;
            } else if !self.was_clean && !entries.is_empty() {
                // Perhaps only in the page cache, as the markers are: they are promised together.
                writer.flush.note_found_txn_index(base);
            }
        }
        Ok(())
    }

    /// What the folder lists now; nothing when it can't be read.
    pub(crate) fn listing(&self) -> Listing {
        Listing::of(&self.shared.env.disk.read_names(&self.place().folder).unwrap_or_default())
    }

    fn snapshot_path(&self, offset: Offset) -> std::path::PathBuf {
        names::segment_file(&self.place().folder, offset, names::SNAPSHOT_SUFFIX)
    }

    /// Snapshots of a future that did not survive. Gone for good before another future is written:
    /// one that came back would speak of producers that never wrote these records.
    pub(crate) fn drop_snapshots_above(&self, listing: &Listing, end: Offset) -> io::Result<()> {
        let mut is_any_removed = false;
        for offset in listing.snapshots.iter().filter(|offset| **offset > end) {
            match self.shared.env.disk.remove_file(&self.snapshot_path(*offset)) {
                // It went with its segment after the folder was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
            is_any_removed = true;
        }
        if is_any_removed { self.shared.env.disk.sync_dir(&self.place().folder) } else { Ok(()) }
    }

    fn remove_snapshot(&self, offset: Offset) {
        if let Err(error) = self.shared.env.disk.remove_file(&self.snapshot_path(offset)) {
            tracing::debug!(partition = %self.partition, %offset, %error, "a snapshot could not be removed");
        }
    }

    /// The newest snapshot that is whole, with the offset that it speaks of.
    fn read_snapshot(
        &self,
        listing: &Listing,
        first: Offset,
        end: Offset,
    ) -> io::Result<Option<(Offset, ProducerState)>> {
        let fits = |offset: &Offset| (first..=end).contains(offset);
        for offset in listing.snapshots.iter().rev().copied().filter(fits) {
            let bytes = match self.shared.env.disk.read(&self.snapshot_path(offset)) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if let Some(state) = producer_snapshot::parse(&bytes, offset) {
                return Ok(Some((offset, state)));
            }
            self.remove_snapshot(offset);
        }
        Ok(None)
    }

    /// Writes producer state as of the log's end, when it moved since the last time. Not synced:
    /// a torn snapshot fails its checksum and an older one is used.
    pub(crate) fn take_snapshot(&self, writer: &mut Writer) -> Result<(), crate::log_dir::WriteFailure> {
        let Some((offset, bytes)) = self.encode_snapshot(writer) else { return Ok(()) };
        self.write_snapshot(offset, &bytes)
    }

    pub(crate) fn encode_snapshot(&self, writer: &mut Writer) -> Option<(Offset, Vec<u8>)> {
        writer.active.segment()?;
        self.producers.encode_snapshot(&mut writer.turn)
    }

    pub(crate) fn write_snapshot(
        &self,
        offset: Offset,
        bytes: &[u8],
    ) -> Result<(), crate::log_dir::WriteFailure> {
        let path = self.snapshot_path(offset);
        self.shared
            .env
            .disk
            .open(&path, ottla_env::OpenMode::Truncate)
            .and_then(|file| file.write_all_at(bytes, 0))
            .map_err(|error| self.place().dir.write_failed(&format!("writing {}", path.display()), &error))?;
        self.prune_snapshots(offset);
        Ok(())
    }

    /// Keeps those at segment starts (Kafka's rule) and the one before the newest.
    fn prune_snapshots(&self, newest: Offset) {
        let segments = self.segments.load();
        let mut between: Vec<Offset> = self
            .listing()
            .snapshots
            .into_iter()
            .filter(|offset| *offset < newest && !segments.iter().any(|s| s.base_offset() == *offset))
            .collect();
        between.pop();
        for offset in between {
            self.remove_snapshot(offset);
        }
    }
}

fn read_marker(file: &dyn File, position: u64, header: &BatchHeader) -> io::Result<Option<EndTxnMarker>> {
    let mut bytes = vec![0; header.size_bytes()];
    file.read_exact_at(&mut bytes, position)?;
    Ok(BatchView::first(&bytes).ok().and_then(|batch| EndTxnMarker::parse(&batch)))
}
