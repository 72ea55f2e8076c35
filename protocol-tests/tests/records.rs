//! Every record schema in every version: what Kafka's classes wrote is decoded and written again equal.
//! Core, over the committed golden bytes.

use bytes::{Bytes, BytesMut};
use ottla_protocol::records::{
    self, RecordSet, control, files, group, metadata, remote_storage, share, transaction,
};
use ottla_protocol::{Decode, DecodeError, Encode};
use ottla_protocol_tests::golden::{self, RecordBytes};

fn bare<T: Decode + Encode>(record: &RecordBytes) -> Bytes {
    let mut rest = record.body.clone();
    let decoded = T::decode(&mut rest, record.version).unwrap_or_else(|error| panic!("{record:?}: {error}"));
    assert!(rest.is_empty(), "{record:?}");
    for len in 0..record.body.len() {
        assert!(
            T::decode(&mut record.body.slice(..len), record.version).is_err(),
            "cut at {len}: {record:?}"
        );
    }
    decoded.encoded(record.version).unwrap_or_else(|error| panic!("{record:?}: {error}"))
}

macro_rules! bare_set {
    ($set:literal: $( $module:ident :: $name:ident, )*) => {{
        let records = golden::records($set);
        for record in &records {
            let written = match record.name.as_str() {
                $( stringify!($name) => bare::<$module::$name>(record), )*
                other => panic!("{other} has no type"),
            };
            assert_eq!(written, record.body, "{record:?}");
        }
        records.len()
    }};
}

fn framed_set<R: RecordSet + std::fmt::Debug>(set: &str) -> usize {
    let records = golden::records(set);
    for record in &records {
        let mut rest = record.body.clone();
        let (decoded, version) =
            records::decode_framed::<R>(&mut rest).unwrap_or_else(|error| panic!("{record:?}: {error}"));
        assert_eq!((decoded.name(), version, rest.len()), (record.name.as_str(), record.version, 0));
        assert!(version <= decoded.highest_version());
        let mut buf = BytesMut::new();
        records::encode_framed(&decoded, version, &mut buf)
            .unwrap_or_else(|error| panic!("{record:?}: {error}"));
        assert_eq!(buf.freeze(), record.body, "{record:?}");
        for len in 0..record.body.len() {
            assert!(
                records::decode_framed::<R>(&mut record.body.slice(..len)).is_err(),
                "cut at {len}: {record:?}"
            );
        }
    }
    records.len()
}

fn coordinator_set<K: RecordSet, V: RecordSet>(set: &str) -> usize {
    let records = golden::records(set);
    let mut keys: Vec<(String, i16)> = Vec::new();
    for record in records.iter().filter(|record| record.name.ends_with("Key")) {
        let key: K =
            records::decode_key(record.body.clone()).unwrap_or_else(|error| panic!("{record:?}: {error}"));
        assert_eq!(key.name(), record.name);
        assert_eq!(records::encode_key(&key).ok(), Some(record.body.clone()));
        cut(record, |body| records::decode_key::<K>(body).map(|_| ()));
        keys.push((record.name.replace("Key", "Value"), key.api_key()));
    }
    for record in records.iter().filter(|record| record.name.ends_with("Value")) {
        let api_key = keys.iter().find(|(name, _)| *name == record.name).map(|(_, api_key)| *api_key);
        let api_key = api_key.unwrap_or_else(|| panic!("{} has no key", record.name));
        let (value, version) = records::decode_value::<V>(api_key, record.body.clone())
            .unwrap_or_else(|error| panic!("{record:?}: {error}"));
        assert_eq!((value.name(), version), (record.name.as_str(), record.version));
        assert_eq!(records::encode_value(&value, version).ok(), Some(record.body.clone()), "{record:?}");
        cut(record, |body| records::decode_value::<V>(api_key, body).map(|_| ()));
    }
    records.len()
}

fn cut(record: &RecordBytes, decode: impl Fn(Bytes) -> Result<(), DecodeError>) {
    for len in 0..record.body.len() {
        assert!(decode(record.body.slice(..len)).is_err(), "cut at {len}: {record:?}");
    }
}

#[test]
fn metadata_records_come_back_in_their_frames() {
    assert_eq!(framed_set::<metadata::MetadataRecord>("metadata"), 111);
}

#[test]
fn remote_storage_records_come_back_in_their_frames() {
    assert_eq!(framed_set::<remote_storage::RemoteStorageRecord>("remote_storage"), 12);
}

#[test]
fn coordinator_records_come_back_with_their_prefixes() {
    assert_eq!(coordinator_set::<group::GroupKey, group::GroupValue>("group"), 156);
    assert_eq!(
        coordinator_set::<transaction::TransactionKey, transaction::TransactionValue>("transaction"),
        9
    );
    assert_eq!(coordinator_set::<share::ShareKey, share::ShareValue>("share"), 12);
}

#[test]
fn control_records_and_embedded_protocols_come_back() {
    let records = bare_set!("control":
        control::ConsumerProtocolAssignment,
        control::ConsumerProtocolSubscription,
        control::ControlRecordTypeSchema,
        control::DefaultPrincipalData,
        control::EndTxnMarker,
        control::KRaftVersionRecord,
        control::LeaderChangeMessage,
        control::SnapshotFooterRecord,
        control::SnapshotHeaderRecord,
        control::VotersRecord,
    );
    assert_eq!(records, 51);
}

#[test]
fn small_files_come_back() {
    let records = bare_set!("files": files::ProducerSnapshot, files::QuorumStateData,);
    assert_eq!(records, 9);
}
