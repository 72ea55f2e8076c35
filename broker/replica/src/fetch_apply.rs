//! What a follower makes of its leader's answer for one partition.
//! Core.
//!
//! Only whole batches are taken, and only those that a leader of this epoch can have: their epochs never go back, and
//! none is above the epoch that was asked for. A leader that was deposed while it answered may have another leader's
//! records in its log already; taken behind a prefix that was never compared with them, they would hide for good that
//! the two have parted.

use bytes::Bytes;
use ottla_model::{ErrorCode, LeaderEpoch, Offset};
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_records::batches;

use crate::truncation::DivergingEpoch;

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    pub leader_epoch: LeaderEpoch,
    pub offset: Offset,
    pub last_epoch: Option<LeaderEpoch>,
    /// Whether the log has no records.
    pub is_empty: bool,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Append these records, if any; then the high watermark and the log's start follow the leader's.
    Append { records: Bytes, high_watermark: Offset, log_start: Offset },
    /// Cut the log, and ask again; nothing else of the answer counts.
    Truncate(DivergingEpoch),
    /// The same for an empty log, which begins anew at an earlier offset: what its leader begins with is in the middle
    /// of a batch (`Partition.appendRecordsToFollowerOrFutureReplica`).
    AppendEarlier { start: Offset, records: Bytes, high_watermark: Offset, log_start: Offset },
    /// The log begins anew at the leader's start; `None`: the leader did not say where that is.
    Restart(Option<Offset>),
    /// The image will bring another leader epoch.
    AwaitEpoch,
    /// Ask again after a while.
    Rest(ErrorCode),
    /// The records are not those of a leader of this epoch; ask again after a while.
    Unfit(&'static str),
}

pub fn judge(asked: &Asked, answered: PartitionData) -> Verdict {
    let code = ErrorCode::from_code(answered.error_code).unwrap_or(ErrorCode::UnknownServerError);
    match code {
        ErrorCode::None => {}
        ErrorCode::OffsetOutOfRange => {
            let start = Offset(answered.log_start_offset);
            return Verdict::Restart((start.0 >= 0).then_some(start));
        }
        // This broker's epoch is older than the leader's.
        ErrorCode::FencedLeaderEpoch => return Verdict::AwaitEpoch,
        other => return Verdict::Rest(other),
    }
    let diverging = &answered.diverging_epoch;
    if diverging.epoch >= 0 || diverging.end_offset >= 0 {
        let (epoch, end) = (LeaderEpoch(diverging.epoch), Offset(diverging.end_offset));
        return Verdict::Truncate(DivergingEpoch { epoch, end });
    }
    let records = answered.records.unwrap_or_default();
    let high_watermark = Offset(answered.high_watermark);
    let log_start = Offset(answered.log_start_offset);
    let earlier = earlier_start(asked, &records);
    match fitting(&Asked { offset: earlier.unwrap_or(asked.offset), ..*asked }, &records) {
        Ok(bytes) => {
            let records = records.slice(..bytes);
            match earlier {
                Some(start) => Verdict::AppendEarlier { start, records, high_watermark, log_start },
                None => Verdict::Append { records, high_watermark, log_start },
            }
        }
        Err(why) => Verdict::Unfit(why),
    }
}

/// Where the batch begins that an empty log is to begin with, if that is before what was asked for.
fn earlier_start(asked: &Asked, records: &[u8]) -> Option<Offset> {
    let first = *batches(records).next()?.ok()?.header();
    let is_around = first.base_offset < asked.offset && first.last_offset() >= asked.offset;
    (asked.is_empty && is_around).then_some(first.base_offset)
}

/// How many bytes are whole batches that fit behind what is there. A leader may cut the last batch off anywhere.
fn fitting(asked: &Asked, records: &[u8]) -> Result<usize, &'static str> {
    let (mut bytes, mut next) = (0, asked.offset);
    let mut last_epoch = asked.last_epoch.unwrap_or(LeaderEpoch(-1));
    for batch in batches(records) {
        let Ok(batch) = batch else {
            // The rest of a batch that was cut off, or one that is damaged: it will come again, or be told of then.
            break;
        };
        let header = batch.header();
        let why = match () {
            () if header.base_offset < next => "offsets go back",
            () if header.leader_epoch > asked.leader_epoch => "they are of a later leader epoch",
            () if header.leader_epoch < last_epoch => "leader epochs go back",
            () => {
                bytes += batch.bytes().len();
                next = header.next_offset();
                last_epoch = header.leader_epoch;
                continue;
            }
        };
        return if bytes > 0 { Ok(bytes) } else { Err(why) };
    }
    if bytes == 0 && !records.is_empty() {
        return Err("there is no whole batch");
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::fetch_response::EpochEndOffset;
    use ottla_records::BatchBuilder;

    use super::*;

    const ASKED: Asked = Asked {
        leader_epoch: LeaderEpoch(5),
        offset: Offset(10),
        last_epoch: Some(LeaderEpoch(3)),
        is_empty: false,
    };

    fn batch(offset: i64, epoch: i32) -> Bytes {
        let mut builder = BatchBuilder::new().base_offset(Offset(offset)).leader_epoch(LeaderEpoch(epoch));
        builder.append(1, None, Some(b"value"), &[]);
        builder.build()
    }

    fn answer(records: &[Bytes]) -> PartitionData {
        PartitionData::default()
            .with_high_watermark(7)
            .with_log_start_offset(2)
            .with_records(Some(Bytes::from(records.concat())))
    }

    fn appended(records: &[Bytes]) -> Result<usize, &'static str> {
        match judge(&ASKED, answer(records)) {
            Verdict::Append { records, high_watermark, log_start } => {
                assert_eq!((high_watermark, log_start), (Offset(7), Offset(2)));
                Ok(records.len())
            }
            Verdict::Unfit(why) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn whole_batches_are_taken_and_the_rest_of_one_that_was_cut_off_is_left() {
        let (one, two) = (batch(10, 3), batch(14, 5));
        let size = one.len();
        assert_eq!(appended(&[]), Ok(0));
        assert_eq!(appended(&[one.clone(), two.clone()]), Ok(size + two.len()));
        for cut in 0..two.len() {
            assert_eq!(appended(&[one.clone(), two.slice(..cut)]), Ok(size));
        }
        assert_eq!(appended(&[one.slice(..size - 1)]), Err("there is no whole batch"));
    }

    #[test]
    fn records_that_no_leader_of_this_epoch_can_have_are_not_taken() {
        assert_eq!(appended(&[batch(9, 3)]), Err("offsets go back"));
        assert_eq!(appended(&[batch(10, 6)]), Err("they are of a later leader epoch"));
        assert_eq!(appended(&[batch(10, 2)]), Err("leader epochs go back"));
        let good = batch(10, 4);
        for wrong in [batch(10, 4), batch(11, 6), batch(11, 3)] {
            assert_eq!(appended(&[good.clone(), wrong]), Ok(good.len()));
        }
    }

    #[test]
    fn an_empty_log_begins_with_the_batch_that_its_leader_begins_within() {
        let mut builder = BatchBuilder::new().base_offset(Offset(9)).leader_epoch(LeaderEpoch(3));
        for _record in 0..2 {
            builder.append(1, None, Some(b"value"), &[]);
        }
        let around = builder.build();
        let empty = Asked { is_empty: true, last_epoch: None, ..ASKED };
        let begun = judge(&empty, answer(&[around.clone(), batch(11, 4)]));
        let Verdict::AppendEarlier { start, records, .. } = begun else { panic!("{begun:?}") };
        assert_eq!((start, records.len()), (Offset(9), around.len() + batch(11, 4).len()));
        assert_eq!(appended(&[around]), Err("offsets go back"), "where there are records already");
        assert_eq!(judge(&empty, answer(&[batch(9, 3)])), Verdict::Unfit("offsets go back"));
    }

    #[test]
    fn a_diverging_answer_says_where_and_nothing_else() {
        let diverging = EpochEndOffset::default().with_epoch(2).with_end_offset(8);
        let answered = answer(&[batch(10, 3)]).with_diverging_epoch(diverging);
        let cut = DivergingEpoch { epoch: LeaderEpoch(2), end: Offset(8) };
        assert_eq!(judge(&ASKED, answered), Verdict::Truncate(cut));
    }

    #[test]
    fn errors_mean_to_begin_anew_to_wait_for_the_image_or_to_rest() {
        let failed = |code: ErrorCode, log_start| {
            let answered = PartitionData::default().with_error_code(code.code());
            judge(&ASKED, answered.with_log_start_offset(log_start))
        };
        assert_eq!(failed(ErrorCode::OffsetOutOfRange, 40), Verdict::Restart(Some(Offset(40))));
        assert_eq!(failed(ErrorCode::OffsetOutOfRange, -1), Verdict::Restart(None));
        assert_eq!(failed(ErrorCode::FencedLeaderEpoch, -1), Verdict::AwaitEpoch);
        for code in
            [ErrorCode::UnknownLeaderEpoch, ErrorCode::NotLeaderOrFollower, ErrorCode::KafkaStorageError]
        {
            assert_eq!(failed(code, -1), Verdict::Rest(code));
        }
    }
}
