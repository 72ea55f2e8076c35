//! Metadata records in and out of v2 batches, as Kafka's controller frames them.
//! Core.
//!
//! ```text
//! batch: leader epoch = the controller's epoch, no producer, not compressed
//! record: key none | value = frame version uvarint (1), api key uvarint, version uvarint, body
//! control record: key = version i16, type i16 | value = the message alone
//! ```

use bytes::{Bytes, BytesMut};
use ottla_model::{BrokerId, LeaderEpoch, Offset};
use ottla_protocol::codec::{Decode, Encode};
use ottla_protocol::records::control::{KRaftVersionRecord, LeaderChangeMessage, VotersRecord};
use ottla_protocol::records::metadata::MetadataRecord;
use ottla_protocol::records::{RecordSet, decode_framed, encode_framed};
use ottla_records::{BatchBuilder, BatchView, ControlRecordType};

use crate::voter_set::VoterSet;

/// What stands at one offset of the log.
#[derive(Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // Entries are read one at a time; none is kept.
pub enum Entry {
    Record(MetadataRecord),
    /// A new leader of the quorum.
    LeaderChange(BrokerId),
    /// Who votes from here on.
    Voters(VotersRecord),
    /// The level of kraft.version from here on.
    KraftVersion(i16),
    /// Any other control record.
    Control(ControlRecordType),
}

/// Why a batch with a right checksum can't be understood.
#[derive(Debug, thiserror::Error)]
#[error("the metadata record at offset {offset} can't be read: {why}")]
pub struct UnreadableRecord {
    pub offset: Offset,
    pub why: String,
}

/// One batch with the offsets it takes.
#[derive(Clone, Debug)]
pub struct Batch {
    pub base: Offset,
    /// The offset behind its last record.
    pub next: Offset,
    /// Empty where no log keeps it.
    pub bytes: Bytes,
}

/// A batch that grows, record by record.
pub struct BatchEncoder {
    base: Offset,
    builder: BatchBuilder,
    buf: BytesMut,
}

impl BatchEncoder {
    pub fn new(base: Offset, epoch: LeaderEpoch) -> BatchEncoder {
        let builder = BatchBuilder::new().base_offset(base).leader_epoch(epoch);
        BatchEncoder { base, builder, buf: BytesMut::new() }
    }

    pub fn append(&mut self, record: &MetadataRecord, now_ms: i64) {
        self.buf.clear();
        encode_framed(record, written_version(record), &mut self.buf)
            .expect("the controller writes what a version holds");
        self.builder.append(now_ms, None, Some(&self.buf), &[]);
    }

    pub fn size_bytes(&self) -> usize {
        self.builder.size_bytes()
    }

    pub fn build(self) -> Batch {
        let next = self.base + i64::from(self.builder.count());
        Batch { base: self.base, next, bytes: self.builder.build() }
    }
}

/// One batch of records, committed together.
pub fn encode_batch(records: &[MetadataRecord], base: Offset, epoch: LeaderEpoch, now_ms: i64) -> Bytes {
    let mut encoder = BatchEncoder::new(base, epoch);
    records.iter().for_each(|record| encoder.append(record, now_ms));
    encoder.build().bytes
}

/// The version that Kafka 4.3 writes at metadata.version 30: the newest, but for eligible leader
/// replicas, whose version of partition records is the newest as well.
fn written_version(record: &MetadataRecord) -> i16 {
    record.highest_version()
}

/// A batch with one control record.
pub fn encode_control<M: Encode>(
    kind: ControlRecordType,
    message: &M,
    base: Offset,
    epoch: LeaderEpoch,
    now_ms: i64,
) -> Bytes {
    let value = message.encoded(0).expect("version 0 holds every field that is set");
    let mut builder = BatchBuilder::new().control().base_offset(base).leader_epoch(epoch);
    builder.append(now_ms, Some(&kind.key()), Some(&value), &[]);
    builder.build()
}

/// A batch that says who votes, and at which level of kraft.version where that is new.
pub fn encode_voters(
    voters: &VoterSet,
    kraft_version: Option<i16>,
    base: Offset,
    epoch: LeaderEpoch,
    now_ms: i64,
) -> Batch {
    let mut builder = BatchBuilder::new().control().base_offset(base).leader_epoch(epoch);
    append_voters(&mut builder, voters, kraft_version, now_ms);
    let next = base + i64::from(builder.count());
    Batch { base, next, bytes: builder.build() }
}

/// The control records that say who votes.
pub fn append_voters(builder: &mut BatchBuilder, voters: &VoterSet, kraft_version: Option<i16>, now_ms: i64) {
    if let Some(level) = kraft_version {
        let record = KRaftVersionRecord { k_raft_version: level, ..KRaftVersionRecord::default() };
        let value = record.encoded(0).expect("version 0 holds every field");
        builder.append(now_ms, Some(&ControlRecordType::KraftVersion.key()), Some(&value), &[]);
    }
    let value = voters.to_record().encoded(0).expect("version 0 holds every field");
    builder.append(now_ms, Some(&ControlRecordType::KraftVoters.key()), Some(&value), &[]);
}

fn control_entry(kind: ControlRecordType, value: &[u8]) -> Result<Entry, String> {
    let mut value = Bytes::copy_from_slice(value);
    let why = |error: ottla_protocol::codec::DecodeError| error.to_string();
    Ok(match kind {
        ControlRecordType::LeaderChange => {
            let message = LeaderChangeMessage::decode(&mut value, 0).map_err(why)?;
            Entry::LeaderChange(BrokerId(message.leader_id))
        }
        ControlRecordType::KraftVoters => Entry::Voters(VotersRecord::decode(&mut value, 0).map_err(why)?),
        ControlRecordType::KraftVersion => {
            Entry::KraftVersion(KRaftVersionRecord::decode(&mut value, 0).map_err(why)?.k_raft_version)
        }
        _ => Entry::Control(kind),
    })
}

/// The entries of a batch whose checksum is right, in order.
pub fn decode_batch(
    view: &BatchView<'_>,
    on_entry: &mut dyn FnMut(Entry, Offset, LeaderEpoch),
) -> Result<(), UnreadableRecord> {
    let header = view.header();
    let unreadable = |offset: Offset, why: String| UnreadableRecord { offset, why };
    let mut scratch = Vec::new();
    let records =
        view.records(&mut scratch).map_err(|error| unreadable(header.base_offset, error.to_string()))?;
    for record in records {
        let record = record.map_err(|error| unreadable(header.base_offset, error.to_string()))?;
        let entry = if header.attributes.is_control() {
            let kind = record.key.and_then(ControlRecordType::parse_key);
            let kind = kind.ok_or_else(|| unreadable(record.offset, "no control type".to_owned()))?;
            control_entry(kind, record.value.unwrap_or_default())
                .map_err(|why| unreadable(record.offset, why))?
        } else {
            let mut value = Bytes::copy_from_slice(record.value.unwrap_or_default());
            let (record, _version) = decode_framed::<MetadataRecord>(&mut value)
                .map_err(|error| unreadable(record.offset, error.to_string()))?;
            Entry::Record(record)
        };
        on_entry(entry, record.offset, header.leader_epoch);
    }
    Ok(())
}
