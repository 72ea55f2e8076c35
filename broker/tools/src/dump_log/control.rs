//! What control records say: ends of transactions, and the marks in the log of the cluster's metadata and its snapshots.
//! Core.

use ottla_records::{ControlRecordType, Record};

use crate::error::Exception;

/// The text behind a control record's offsets.
pub fn text(record: &Record<'_>) -> Result<String, Exception> {
    let short = || Exception::kafka("InvalidRecordException", "The control record is too short.");
    let key = record.key.ok_or_else(short)?;
    let kind = ControlRecordType::parse_key(key).ok_or_else(short)?;
    let mut value = Fields { bytes: record.value.unwrap_or_default() };
    let written = match kind {
        ControlRecordType::Abort | ControlRecordType::Commit => {
            let name = if kind == ControlRecordType::Commit { "COMMIT" } else { "ABORT" };
            value
                .i16()
                .and_then(|_version| value.i32())
                .map(|epoch| format!(" endTxnMarker: {name} coordinatorEpoch: {epoch}"))
        }
        ControlRecordType::LeaderChange => value.leader_change().map(|json| format!(" LeaderChange: {json}")),
        ControlRecordType::SnapshotHeader => value.i16().zip(value.i64()).map(|(version, at)| {
            format!(" SnapshotHeader {{\"version\":{version},\"lastContainedLogTimestamp\":{at}}}")
        }),
        ControlRecordType::SnapshotFooter => {
            value.i16().map(|version| format!(" SnapshotFooter {{\"version\":{version}}}"))
        }
        ControlRecordType::KraftVersion => value.i16().zip(value.i16()).map(|(version, kraft)| {
            format!(" KRaftVersion {{\"version\":{version},\"kRaftVersion\":{kraft}}}")
        }),
        ControlRecordType::KraftVoters => value.voters().map(|json| format!(" KRaftVoters {json}")),
        ControlRecordType::Unknown(id) => Some(format!(" controlType: UNKNOWN({id})")),
    };
    written.ok_or_else(short)
}

/// A message of Kafka's flexible form, field by field.
struct Fields<'a> {
    bytes: &'a [u8],
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        Some(*head)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }

    fn varint(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in (0..32).step_by(7) {
            let [byte] = self.take()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.varint()?.checked_sub(1)?).ok()?;
        let (head, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(serde_json::Value::from(String::from_utf8_lossy(head).into_owned()).to_string())
    }

    /// Passes over fields of later versions.
    fn tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = usize::try_from(self.varint()?).ok()?;
            self.bytes = self.bytes.get(length..)?;
        }
        Some(())
    }

    fn array(&mut self, mut one: impl FnMut(&mut Self) -> Option<String>) -> Option<String> {
        let count = self.varint()?.checked_sub(1)?;
        let items: Vec<String> = (0..count).map(|_| one(self)).collect::<Option<_>>()?;
        Some(format!("[{}]", items.join(",")))
    }

    /// A UUID as Kafka writes it.
    fn id(&mut self) -> Option<String> {
        let bytes = self.take::<16>()?;
        Some(format!("\"{}\"", ottla_model::TopicId(uuid::Uuid::from_bytes(bytes))))
    }

    fn leader_change(&mut self) -> Option<String> {
        let version = self.i16()?;
        let leader = self.i32()?;
        let mut voter = |fields: &mut Self| {
            let id = fields.i32()?;
            let directory = match version {
                0 => String::new(),
                _ => format!(",\"voterDirectoryId\":{}", fields.id()?),
            };
            fields.tags()?;
            Some(format!("{{\"voterId\":{id}{directory}}}"))
        };
        let voters = self.array(&mut voter)?;
        let granting = self.array(&mut voter)?;
        self.tags()?;
        Some(format!(
            "{{\"version\":{version},\"leaderId\":{leader},\"voters\":{voters},\"grantingVoters\":{granting}}}"
        ))
    }

    fn voters(&mut self) -> Option<String> {
        let version = self.i16()?;
        let voters = self.array(|fields| {
            let id = fields.i32()?;
            let directory = fields.id()?;
            let endpoints = fields.array(|fields| {
                let (name, host) = (fields.text()?, fields.text()?);
                let port = u16::from_be_bytes(fields.take()?);
                fields.tags()?;
                Some(format!("{{\"name\":{name},\"host\":{host},\"port\":{port}}}"))
            })?;
            let (min, max) = (fields.i16()?, fields.i16()?);
            fields.tags()?;
            fields.tags()?;
            Some(format!(
                "{{\"voterId\":{id},\"voterDirectoryId\":{directory},\"endpoints\":{endpoints},\
                 \"kRaftVersionFeature\":{{\"minSupportedVersion\":{min},\"maxSupportedVersion\":{max}}}}}"
            ))
        })?;
        self.tags()?;
        Some(format!("{{\"version\":{version},\"voters\":{voters}}}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voters_are_told_with_their_endpoints() {
        let mut bytes = vec![0, 0, 2, 0, 0, 0, 1];
        bytes.extend([0; 16]);
        bytes.extend([2, 2, b'C', 2, b'h', 0x23, 0x84, 0, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(
            Fields { bytes: &bytes }.voters().as_deref(),
            Some(
                "{\"version\":0,\"voters\":[{\"voterId\":1,\"voterDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\
                 \"endpoints\":[{\"name\":\"C\",\"host\":\"h\",\"port\":9092}],\
                 \"kRaftVersionFeature\":{\"minSupportedVersion\":0,\"maxSupportedVersion\":1}}]}"
            )
        );
        for cut in 0..bytes.len() {
            assert_eq!(Fields { bytes: &bytes[..cut] }.voters(), None, "cut at {cut}");
        }
    }

    #[test]
    fn a_change_of_leader_names_who_granted_it() {
        let bytes = [0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 0, 1, 0];
        assert_eq!(
            Fields { bytes: &bytes }.leader_change().as_deref(),
            Some("{\"version\":0,\"leaderId\":1,\"voters\":[{\"voterId\":1}],\"grantingVoters\":[]}")
        );
    }
}
