//! Whether the metadata log is whole; and if it is not, whether a crash or the disk did it, and what is lost.
//! Core.
//!
//! What an answer waited for was one batch, synced before the next was appended. So a crash leaves at most
//! the last batch torn, with nothing whole behind it. The exception is the beginning of a leader epoch: its
//! first records are synced together with the first batch that is answered, and the device may have written
//! them in any order. Until that sync has returned, quorum-state does not say the epoch. Any other whole
//! batch behind a damaged one means that synced bytes have changed.

use std::path::{Path, PathBuf};

use ottla_model::{LeaderEpoch, Offset};
use ottla_protocol::records::metadata::MetadataRecord;
use ottla_records::{BatchView, find_batch};

use crate::batch::{Entry, decode_batch};
use crate::metadata_log::misplaced;

/// Batches that a voter of several syncs together.
pub const GROUP_BATCHES_MAX: u64 = 256;
/// Topics that are named in what is lost.
const NAMES_MAX: usize = 16;

/// The first wrong place of a log, and what is whole behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub path: PathBuf,
    pub position: u64,
    /// The offset that should be there.
    pub offset: Offset,
    pub why: String,
    pub behind: Behind,
}

/// Whole batches behind a damaged place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    pub batches: u64,
    pub records: u64,
    pub last_offset: Offset,
    first_epoch: LeaderEpoch,
    last_epoch: LeaderEpoch,
    has_leader_change: bool,
    /// Batches that are not of the beginning of an epoch.
    changes: u64,
    topics_created: u64,
    /// The first of these topics.
    names: Vec<String>,
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A crash: nothing that was answered is behind it. It is cut off.
    Unfinished,
    /// The disk: what was synced has changed.
    Device,
}

impl Damage {
    /// `quorum_epoch`: the epoch that quorum-state says, if it can be read. `was_clean`: the last process
    /// stopped by itself, with everything on the device.
    pub fn cause(&self, quorum_epoch: Option<LeaderEpoch>, was_clean: bool) -> Cause {
        let behind = &self.behind;
        if was_clean {
            return Cause::Device;
        }
        if behind.batches == 0 {
            return Cause::Unfinished;
        }
        let is_of_one_epoch = behind.first_epoch == behind.last_epoch && !behind.has_leader_change;
        let is_unanswered = match quorum_epoch {
            Some(epoch) => epoch < behind.last_epoch,
            None => behind.changes <= 1,
        };
        if is_of_one_epoch && is_unanswered { Cause::Unfinished } else { Cause::Device }
    }

    /// As `cause`, in the log of a voter of several: it brings up to `GROUP_BATCHES_MAX` batches to the device with one
    /// sync, which a crash may have torn anywhere.
    pub fn cause_at_voter(&self, was_clean: bool) -> Cause {
        if was_clean || self.behind.batches > GROUP_BATCHES_MAX { Cause::Device } else { Cause::Unfinished }
    }

    /// What a start says that stops, or goes on without what is behind.
    pub fn describe(&self) -> String {
        let Damage { path, position, offset, why, behind } = self;
        let mut text = format!(
            "{} is damaged at byte {position}, where offset {offset} should be ({why}).",
            path.display()
        );
        if behind.batches == 0 {
            return text + " No whole batch lies behind it";
        }
        text += &format!(
            " Behind it lie {} whole batches with {} records, up to offset {}",
            behind.batches, behind.records, behind.last_offset
        );
        if behind.topics_created > 0 {
            let more = behind.topics_created - behind.names.len() as u64;
            let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
            text += &format!("; they create the topics {}{and_more}", behind.names.join(", "));
        }
        text
    }
}

impl Behind {
    fn nothing() -> Behind {
        Behind {
            batches: 0,
            records: 0,
            last_offset: Offset::NONE,
            first_epoch: LeaderEpoch(0),
            last_epoch: LeaderEpoch(0),
            has_leader_change: false,
            changes: 0,
            topics_created: 0,
            names: Vec::new(),
        }
    }

    fn add(&mut self, view: &BatchView<'_>) {
        let header = view.header();
        if self.batches == 0 {
            self.first_epoch = header.leader_epoch;
        }
        self.batches += 1;
        self.last_epoch = header.leader_epoch;
        self.last_offset = header.last_offset();
        let mut is_change = false;
        let mut on_entry = |entry: Entry, _: Offset, _: LeaderEpoch| {
            self.records += 1;
            match entry {
                Entry::LeaderChange(_) => self.has_leader_change = true,
                Entry::Control(_) | Entry::Voters(_) | Entry::KraftVersion(_) => {}
                Entry::Record(
                    MetadataRecord::FeatureLevel(_)
                    | MetadataRecord::RegisterBroker(_)
                    | MetadataRecord::PartitionChange(_)
                    | MetadataRecord::AbortTransaction(_),
                ) => {}
                Entry::Record(record) => {
                    is_change = true;
                    if let MetadataRecord::Topic(topic) = record {
                        self.topics_created += 1;
                        if self.names.len() < NAMES_MAX {
                            self.names.push(topic.name.as_str().to_owned());
                        }
                    }
                }
            }
        };
        // A record of an unknown kind counts as a change, too.
        let is_unreadable = decode_batch(view, &mut on_entry).is_err();
        self.changes += u64::from(is_change || is_unreadable);
    }
}

/// Walks the segments of a log in their order.
#[derive(Default)]
pub struct Inspection {
    /// `None` before the first segment.
    next: Option<Offset>,
    epoch: LeaderEpoch,
    damage: Option<Damage>,
}

impl Inspection {
    pub fn segment(&mut self, path: &Path, base: Offset, bytes: &[u8]) {
        let mut at = 0;
        match self.next {
            None => self.next = Some(base),
            Some(next) if next != base && self.damage.is_none() => {
                let why = format!("the segment begins with offset {base}");
                self.damage = Some(Damage {
                    path: path.to_owned(),
                    position: 0,
                    offset: next,
                    why,
                    behind: Behind::nothing(),
                });
            }
            Some(_) => {}
        }
        while at < bytes.len() {
            if self.damage.is_none() {
                match self.check(&bytes[at..]) {
                    Ok(size) => {
                        at += size;
                        continue;
                    }
                    Err(why) => {
                        let offset = self.next.unwrap_or(base);
                        let (path, position) = (path.to_owned(), at as u64);
                        self.damage = Some(Damage { path, position, offset, why, behind: Behind::nothing() });
                    }
                }
            }
            let (Some(found), Some(damage)) = (find_batch(bytes, at), &mut self.damage) else { return };
            let view = BatchView::first(&bytes[found..]).expect("a whole batch was found here");
            damage.behind.add(&view);
            at = found + view.bytes().len();
        }
    }

    /// The size of the batch that begins here, if it is the next of a whole log.
    fn check(&mut self, bytes: &[u8]) -> Result<usize, String> {
        let view = BatchView::first(bytes).map_err(|error| error.to_string())?;
        view.verify_checksum().map_err(|error| error.to_string())?;
        let header = view.header();
        let next = self.next.unwrap_or(header.base_offset);
        if let Some(why) = misplaced(header, next, self.epoch) {
            return Err(why);
        }
        if header.base_offset < next {
            return Err(format!("a batch that begins with offset {} follows", header.base_offset));
        }
        self.next = Some(header.next_offset());
        self.epoch = header.leader_epoch;
        Ok(view.bytes().len())
    }

    pub fn damage(self) -> Option<Damage> {
        self.damage
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{encode_batch, encode_control};
    use ottla_protocol::records::control::LeaderChangeMessage;
    use ottla_protocol::records::metadata::{RegisterBrokerRecord, TopicRecord};
    use ottla_records::ControlRecordType;

    const PATH: &str = "/data/__cluster_metadata-0/00000000000000000000.log";

    /// Two leader epochs: each with its leader change, its registration, and topics.
    fn log() -> Vec<Vec<u8>> {
        let mut batches = Vec::new();
        let mut next = Offset::ZERO;
        for epoch in [LeaderEpoch(1), LeaderEpoch(2)] {
            let message = LeaderChangeMessage::default();
            batches.push(encode_control(ControlRecordType::LeaderChange, &message, next, epoch, 0).to_vec());
            batches
                .push(encode_batch(&[RegisterBrokerRecord::default().into()], next + 1, epoch, 0).to_vec());
            next += 2;
            for number in 0..3 {
                let name = format!("t{epoch}-{number}").as_str().to_owned();
                let record = TopicRecord { name: name.into(), ..TopicRecord::default() };
                batches.push(encode_batch(&[record.into()], next, epoch, 0).to_vec());
                next += 1;
            }
        }
        batches
    }

    fn inspect(batches: &[Vec<u8>]) -> Option<Damage> {
        let mut inspection = Inspection::default();
        inspection.segment(Path::new(PATH), Offset::ZERO, &batches.concat());
        inspection.damage()
    }

    /// The log up to `len` batches, with one of them changed.
    fn damaged(len: usize, number: usize, change: impl FnOnce(&mut Vec<u8>)) -> Damage {
        let mut batches = log()[..len].to_vec();
        change(&mut batches[number]);
        let damage = inspect(&batches).expect("damage");
        let position: usize = batches[..number].iter().map(Vec::len).sum();
        assert_eq!((damage.position, damage.offset), (position as u64, Offset(number as i64)));
        damage
    }

    fn flip(batch: &mut [u8]) {
        let middle = batch.len() / 2;
        batch[middle] ^= 1;
    }

    #[test]
    fn a_whole_log_has_no_damage_and_a_torn_end_is_a_crash_s() {
        let batches = log();
        assert_eq!(inspect(&batches), None);
        for cut in [1, 30, batches[9].len() - 1] {
            let damage = damaged(10, 9, |batch| batch.truncate(cut));
            assert_eq!(damage.behind.batches, 0);
            assert_eq!(damage.cause(Some(LeaderEpoch(2)), false), Cause::Unfinished);
            // After a clean stop nothing is torn.
            assert_eq!(damage.cause(Some(LeaderEpoch(2)), true), Cause::Device);
        }
    }

    #[test]
    fn a_whole_batch_behind_a_damaged_one_is_the_disk_s_doing() {
        for number in 0..9 {
            let damage = damaged(10, number, |batch| flip(batch));
            assert_eq!(damage.cause(Some(LeaderEpoch(2)), false), Cause::Device, "batch {number}");
            assert_eq!(damage.behind.batches, 9 - number as u64);
            assert_eq!(damage.behind.last_offset, Offset(9));
        }
        // Also when quorum-state is lost: more than one change was answered.
        for number in 0..8 {
            assert_eq!(
                damaged(10, number, |batch| flip(batch)).cause(None, false),
                Cause::Device,
                "batch {number}"
            );
        }
        let text = damaged(10, 1, |batch| flip(batch)).describe();
        assert!(text.starts_with(&format!("{PATH} is damaged at byte ")), "{text}");
        assert!(text.contains("where offset 1 should be (Record is corrupt"), "{text}");
        assert!(text.contains("8 whole batches with 8 records, up to offset 9"), "{text}");
        assert!(text.ends_with("they create the topics t1-0, t1-1, t1-2, t2-0, t2-1, t2-2"), "{text}");
    }

    #[test]
    fn what_the_checksum_does_not_cover_is_looked_at() {
        // The leader epoch of a batch in the middle goes up: the next one is out of order.
        let mut batches = log();
        batches[2][12] ^= 0x40;
        let damage = inspect(&batches).expect("damage");
        assert_eq!((damage.offset, damage.behind.batches), (Offset(3), 7));
        assert!(damage.why.contains("leader epoch 1 comes after"), "{}", damage.why);
        // A base offset moves, up or down; the batch itself is whole.
        for (byte, bit) in [(6, 1), (7, 2), (7, 4)] {
            let damage = damaged(10, 4, |batch| batch[byte] ^= bit);
            assert_eq!(damage.behind.batches, 6, "{}", damage.why);
            assert_eq!(damage.cause(Some(LeaderEpoch(2)), false), Cause::Device);
        }
    }

    #[test]
    fn the_beginning_of_an_epoch_that_never_answered_may_be_torn_in_any_order() {
        // The second epoch has written its first change, and quorum-state does not say it yet.
        for number in [5, 6] {
            let damage = damaged(8, number, |batch| flip(batch));
            assert_eq!(damage.cause(Some(LeaderEpoch(1)), false), Cause::Unfinished, "batch {number}");
            assert_eq!(damage.cause(Some(LeaderEpoch(2)), false), Cause::Device, "batch {number}");
        }
        // What is before it was synced by the process before.
        let damage = damaged(8, 4, |batch| flip(batch));
        assert_eq!(damage.cause(Some(LeaderEpoch(1)), false), Cause::Device);
        // A first start has no quorum-state at all.
        assert_eq!(damaged(3, 1, |batch| flip(batch)).cause(None, false), Cause::Unfinished);
        assert_eq!(damaged(4, 1, |batch| flip(batch)).cause(None, false), Cause::Device);
    }

    #[test]
    fn a_voter_s_crash_tears_a_group_and_no_more() {
        let (mut batches, mut next) = (log(), Offset(10));
        while (batches.len() as u64) < GROUP_BATCHES_MAX + 2 {
            let record = TopicRecord { name: "t".into(), ..TopicRecord::default() };
            batches.push(encode_batch(&[record.into()], next, LeaderEpoch(2), 0).to_vec());
            next += 1;
        }
        let cause = |number: usize, was_clean| {
            let mut batches = batches.clone();
            flip(&mut batches[number]);
            inspect(&batches).expect("damage").cause_at_voter(was_clean)
        };
        assert_eq!(cause(0, false), Cause::Device);
        assert_eq!(cause(1, false), Cause::Unfinished);
        assert_eq!(cause(1, true), Cause::Device);
    }

    #[test]
    fn a_segment_that_is_missing_is_named() {
        let batches = log();
        let mut inspection = Inspection::default();
        inspection.segment(Path::new(PATH), Offset::ZERO, &batches[..3].concat());
        let second = Path::new("/data/__cluster_metadata-0/00000000000000000005.log");
        inspection.segment(second, Offset(5), &batches[5..].concat());
        let damage = inspection.damage().expect("damage");
        assert_eq!((damage.path.as_path(), damage.position, damage.offset), (second, 0, Offset(3)));
        assert_eq!(damage.behind.batches, 5);
    }
}
