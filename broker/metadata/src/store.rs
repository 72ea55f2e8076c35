//! The materialised image in sled: an image as of some offset, so that a start replays little.
//! Shell. The only file that names sled.
//!
//! ```text
//! <metadata folder>/image.sled/     never the only copy: log and snapshots hold the truth
//!   "head"      format u8 (1) | offset i64 | epoch i32 | entries u64 | sum of entry checksums u64 | crc32c u32
//!   "cluster"   one v2 batch of records: everything but topics
//!   "t" + id    one v2 batch of records: a topic
//! ```
//!
//! Opened only when a start would replay much, and in the background to bring it up to date; closed
//! again at once, so that an idle broker pays no memory for it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ottla_env::Env;
use ottla_model::{LeaderEpoch, Offset, TopicId};
use ottla_records::BatchView;

use crate::batch::{Entry, decode_batch, encode_batch};
use crate::delta::Delta;
use crate::image::Image;
use crate::records_of::{records_of_cluster, records_of_topic};
use crate::replay::Working;

const FOLDER_NAME: &str = "image.sled";
const HEAD: &[u8] = b"head";
const CLUSTER: &[u8] = b"cluster";
const FORMAT: u8 = 1;
const HEAD_BYTES: usize = 1 + 8 + 4 + 8 + 8 + 4;
/// sled's page cache; it lives only as long as one update or one load.
const CACHE_BYTES: u64 = 1024 * 1024;
const LOCK_ATTEMPTS: usize = 500;
const LOCK_WAIT: Duration = Duration::from_millis(2);

/// Why the materialised image can't be used; it is rebuilt then.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(String);

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> StoreError {
        StoreError(error.to_string())
    }
}

/// Topics whose entries are out of date.
#[derive(Clone, Debug, PartialEq)]
pub enum Touched {
    /// What is there can't be trusted: everything is written anew.
    Everything,
    Topics(BTreeSet<TopicId>),
}

impl Touched {
    /// Adds the topics that a change concerns.
    pub fn add(&mut self, delta: &Delta) {
        if let Touched::Topics(topics) = self {
            topics.extend(delta.topics_created.iter());
            topics.extend(delta.topics_deleted.iter().map(|(_, id)| id));
            topics.extend(delta.partitions_added.keys());
            topics.extend(delta.partitions_changed.iter().map(|(id, _)| id));
            topics.extend(delta.topics_configured.iter());
        }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Debug)]
struct Head {
    offset: i64,
    epoch: i32,
    entries: u64,
    sum: u64,
}

impl Head {
    fn write(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(&self.offset.to_be_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.entries.to_be_bytes());
        bytes.extend_from_slice(&self.sum.to_be_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_be_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Head> {
        let bytes: &[u8; HEAD_BYTES] = bytes.try_into().ok()?;
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        if content[0] != FORMAT || crc32c::crc32c(content) != u32::from_be_bytes(*crc) {
            return None;
        }
        let number = |at: usize| content[at..at + 8].try_into().map(u64::from_be_bytes).ok();
        Some(Head {
            offset: number(1)? as i64,
            epoch: i32::from_be_bytes(content[9..13].try_into().ok()?),
            entries: number(13)?,
            sum: number(21)?,
        })
    }
}

/// Where sled keeps its files, within the metadata folder.
pub fn path(folder: &Path) -> PathBuf {
    folder.join(FOLDER_NAME)
}

fn open(env: &Env, folder: &Path) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new()
        .path(path(folder))
        .cache_capacity(CACHE_BYTES)
        .mode(sled::Mode::LowSpace)
        .flush_every_ms(None)
        .print_profile_on_drop(false);
    for _ in 0..LOCK_ATTEMPTS {
        // sled has been seen to panic on a damaged folder; that is damage like any other.
        let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open()))
            .map_err(|_| StoreError("sled can't open its folder".to_owned()))?;
        match opened {
            // Threads of sled's own hold its lock for a moment after the last user closed it.
            Err(sled::Error::Io(error)) if error.kind() == std::io::ErrorKind::Other => {
                if !error.to_string().contains("could not acquire lock") {
                    return Err(sled::Error::Io(error).into());
                }
                env.tasks.pause(LOCK_WAIT);
            }
            opened => return Ok(opened?),
        }
    }
    Err(StoreError("sled's folder stays locked".to_owned()))
}

fn checksum(key: &[u8], value: &[u8]) -> u64 {
    u64::from(crc32c::crc32c_append(crc32c::crc32c(key), value))
}

fn topic_key(id: TopicId) -> Vec<u8> {
    let mut key = vec![b't'];
    key.extend_from_slice(id.0.as_bytes());
    key
}

/// Brings the entries up to date with the image; one atomic step for a reader.
pub fn update(env: &Env, folder: &Path, image: &Image, touched: &Touched) -> Result<(), StoreError> {
    let db = open(env, folder)?;
    let known = db.get(HEAD)?.and_then(|bytes| Head::parse(&bytes));
    let (mut head, topics) = match (known, touched) {
        (Some(head), Touched::Topics(topics)) => (head, topics.clone()),
        _ => {
            db.clear()?;
            (Head::default(), image.names.keys().copied().collect())
        }
    };
    let mut batch = sled::Batch::default();
    let mut put = |key: Vec<u8>, value: Option<Vec<u8>>| -> Result<(), StoreError> {
        if let Some(before) = db.get(&key)? {
            head.entries -= 1;
            head.sum = head.sum.wrapping_sub(checksum(&key, &before));
        }
        match value {
            None => batch.remove(key),
            Some(value) => {
                head.entries += 1;
                head.sum = head.sum.wrapping_add(checksum(&key, &value));
                batch.insert(key, value);
            }
        }
        Ok(())
    };
    let encoded = |records: &[_]| encode_batch(records, Offset::ZERO, image.leader_epoch(), 0).to_vec();
    put(CLUSTER.to_vec(), Some(encoded(&records_of_cluster(image))))?;
    for id in topics {
        put(topic_key(id), image.topic_by_id(id).map(|topic| encoded(&records_of_topic(topic))))?;
    }
    head.offset = image.metadata_offset().0;
    head.epoch = image.leader_epoch().0;
    batch.insert(HEAD, head.write());
    db.apply_batch(batch)?;
    db.flush()?;
    Ok(())
}

/// The image as it was written, if every entry is there and whole.
pub fn load(env: &Env, folder: &Path, empty: Image) -> Result<Image, StoreError> {
    let db = open(env, folder)?;
    let damaged = |why: &str| StoreError(why.to_owned());
    let head = db.get(HEAD)?.ok_or_else(|| damaged("it has no head"))?;
    let head = Head::parse(&head).ok_or_else(|| damaged("its head is damaged"))?;
    let mut found = Head { entries: 0, sum: 0, ..head };
    let mut working = Working::new(empty);
    for entry in db.iter() {
        let (key, value) = entry?;
        if &key[..] == HEAD {
            continue;
        }
        found.entries += 1;
        found.sum = found.sum.wrapping_add(checksum(&key, &value));
        let view = BatchView::first(&value).map_err(|error| StoreError(error.to_string()))?;
        view.verify_checksum().map_err(|error| StoreError(error.to_string()))?;
        let mut on_entry = |entry: Entry, offset: Offset, epoch: LeaderEpoch| {
            if let Entry::Record(record) = entry {
                working.replay(record, offset, epoch);
            }
        };
        decode_batch(&view, &mut on_entry).map_err(|error| StoreError(error.to_string()))?;
    }
    if found != head {
        return Err(damaged("its entries are not those of its head"));
    }
    working.replay_control(Offset(head.offset), LeaderEpoch(head.epoch));
    Ok(working.image)
}
