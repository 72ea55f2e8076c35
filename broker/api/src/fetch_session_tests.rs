//! What fetch sessions name, refuse and keep.
//! Core.

use std::cell::Cell;
use std::time::Duration;

use super::*;

fn key(partition: i32) -> FetchKey {
    FetchKey { topic: FetchTopic::Name(TopicName::new("t")), partition }
}

fn params(fetch_offset: i64) -> FetchParams {
    FetchParams {
        current_leader_epoch: -1,
        fetch_offset,
        last_fetched_epoch: -1,
        partition_max_bytes: 100,
        follower: FollowerState::UNSAID,
    }
}

fn answered(high_watermark: i64, record_bytes: usize) -> Answered {
    Answered { error: ErrorCode::None, high_watermark, log_start_offset: 0, record_bytes, diverging: false }
}

fn request(session_id: i32, session_epoch: i32, keys: &[FetchKey]) -> SessionRequest {
    SessionRequest {
        session_id,
        session_epoch,
        uses_topic_ids: keys.iter().any(|key| matches!(key.topic, FetchTopic::Id(_))),
        partitions: keys.iter().map(|key| (key.clone(), params(0))).collect(),
        forgotten: Vec::new(),
    }
}

fn now(ms: u64) -> Monotonic {
    Monotonic(Duration::from_millis(ms))
}

/// A client's first fetch, answered: the id of its session, 0 when it gets none.
fn created_at(sessions: &FetchSessions, keys: &[FetchKey], ms: u64, random: impl Fn() -> u64) -> i32 {
    let context = sessions.open(request(0, 0, keys), now(ms));
    let FetchContext::Full { partitions, uses_topic_ids } = context else { panic!("a full fetch") };
    let remembered = (0..keys.len() as u64).map(Slot).collect::<Vec<_>>();
    let remembered =
        remembered.into_iter().map(|slot| Remembered { slot, name: None, answered: answered(5, 0) });
    sessions.remember((&partitions, uses_topic_ids), None, remembered, now(ms), random)
}

fn created(sessions: &FetchSessions, keys: &[FetchKey]) -> i32 {
    created_at(sessions, keys, 0, || 77)
}

/// Goes on in the session with these answers: which of them must be named.
fn go_on(sessions: &FetchSessions, request: SessionRequest, answers: &[Answered]) -> Vec<bool> {
    let context = sessions.open(request, now(1));
    let mut slots = Vec::new();
    context.for_each(Which::All, |_| None, |wanted| slots.push(wanted.slot));
    let FetchContext::Incremental { epoch, session, .. } = context else { panic!("the session is there") };
    assert_eq!(slots.len(), answers.len());
    let mut answer = session.answer(epoch).expect("its epoch");
    slots.into_iter().zip(answers).map(|(slot, one)| answer.is_named(slot, one)).collect()
}

#[test]
fn an_incremental_fetch_names_only_what_changed_and_what_had_records_is_served_last() {
    let sessions = FetchSessions::new(80);
    let id = created(&sessions, &[key(0), key(1)]);
    assert_eq!(id, 77);
    let named = go_on(&sessions, request(id, 1, &[]), &[answered(6, 10), answered(5, 0)]);
    assert_eq!(named, [true, false]);
    let mut order = Vec::new();
    let context = sessions.open(request(id, 2, &[key(2)]), now(1));
    context.for_each(Which::All, |_| None, |wanted| order.push(wanted.key.partition));
    assert_eq!(order, [1, 0, 2]);
}

#[test]
fn an_answer_of_an_epoch_that_is_over_is_refused() {
    let sessions = FetchSessions::new(80);
    let id = created(&sessions, &[key(0)]);
    let FetchContext::Incremental { epoch, session, .. } = sessions.open(request(id, 1, &[]), now(1)) else {
        panic!("the session is there")
    };
    assert!(session.answer(epoch).is_some());
    assert!(matches!(sessions.open(request(id, 2, &[]), now(1)), FetchContext::Incremental { .. }));
    assert!(session.answer(epoch).is_none());
}

#[test]
fn wrong_ids_and_epochs_are_refused_and_epoch_minus_one_closes() {
    let sessions = FetchSessions::new(80);
    let id = created(&sessions, &[key(0)]);
    for unknown in [5, -5, i32::MIN, i32::MAX] {
        assert!(matches!(
            sessions.open(request(unknown, 1, &[]), now(1)),
            FetchContext::Refused(ErrorCode::FetchSessionIdNotFound)
        ));
    }
    assert!(matches!(
        sessions.open(request(id, 3, &[]), now(1)),
        FetchContext::Refused(ErrorCode::InvalidFetchSessionEpoch)
    ));
    let closing = sessions.open(request(id, -1, &[key(0)]), now(1));
    assert!(matches!(closing, FetchContext::Sessionless { .. }));
    assert_eq!(sessions.count(), 0);
}

#[test]
fn an_error_is_repeated_until_it_is_over() {
    let sessions = FetchSessions::new(80);
    let id = created(&sessions, &[key(0)]);
    let failed = Answered { error: ErrorCode::UnknownTopicOrPartition, ..answered(-1, 0) };
    let answers = [failed, failed, answered(5, 0), answered(5, 0)];
    for (epoch, (answer, is_named)) in answers.iter().zip([true, true, true, false]).enumerate() {
        assert_eq!(go_on(&sessions, request(id, epoch as i32 + 1, &[]), &[*answer]), [is_named]);
    }
}

#[test]
fn a_topic_id_keeps_the_name_it_had_when_it_was_first_known() {
    let sessions = FetchSessions::new(80);
    let id = TopicId(uuid::Uuid::from_u128(9));
    let session_id = created(&sessions, &[FetchKey { topic: FetchTopic::Id(id), partition: 0 }]);
    let name_in = |epoch: i32, known: Option<&str>| {
        let request = SessionRequest { uses_topic_ids: true, ..request(session_id, epoch, &[]) };
        let mut name = None;
        let context = sessions.open(request, now(1));
        let name_of = |_| known.map(TopicName::new);
        context.for_each(Which::All, name_of, |wanted| name = wanted.name.cloned());
        name.map(|name| name.as_str().to_owned())
    };
    assert_eq!(name_in(1, None), None);
    assert_eq!(name_in(2, Some("t")).as_deref(), Some("t"));
    assert_eq!(name_in(3, None).as_deref(), Some("t"));
}

/// Whether each session of these ids can be continued.
fn are_there(sessions: &FetchSessions, ids: &[i32], epoch: i32, keys: &[FetchKey], ms: u64) -> usize {
    let is_there = |id: &&i32| {
        let context = sessions.open(request(**id, epoch, keys), now(ms));
        !matches!(context, FetchContext::Refused(ErrorCode::FetchSessionIdNotFound))
    };
    ids.iter().filter(is_there).count()
}

/// Over all shards, by `FetchSessionCacheShard.tryEvict`: a stale session gives way to any, an old one that is in
/// use to one with more partitions.
#[test]
fn clients_that_come_after_2000_that_vanished_get_their_places_by_age_and_by_size() {
    const CLIENTS: usize = 2_000;
    const SHARDS: usize = SHARD_COUNT;
    let sessions = FetchSessions::new(CLIENTS);
    let drawn = Cell::new(0);
    let (three, four) = ([key(0), key(1), key(2)], [key(0), key(1), key(2), key(3)]);
    let come = |count: usize, keys: &[FetchKey], ms: u64| -> Vec<i32> {
        let random = || drawn.replace(drawn.get() + 1);
        let ids = (0..count).map(|_| created_at(&sessions, keys, ms, random));
        ids.filter(|id| *id != 0).collect()
    };
    let vanished = come(CLIENTS, &three, 0);
    assert_eq!((vanished.len(), sessions.count()), (CLIENTS, CLIENTS));
    for number in 0..SHARDS {
        let of_shard = vanished.iter().filter(|id| Shard::number_of(**id) == Some(number));
        assert_eq!(of_shard.count(), CLIENTS / SHARDS, "shard {number}");
    }
    // In mid-session all of them are gone, and nobody says so.
    assert_eq!(are_there(&sessions, &vanished, 1, &three, 1_000), CLIENTS);
    for ms in [1_001, 60_000, 121_000] {
        assert_eq!(come(SHARDS, &three, ms), [0; 0], "none is stale after {ms} ms");
        assert_eq!(come(SHARDS, &four, ms), [0; 0], "one that is young gives way to none, after {ms} ms");
    }
    let next = come(1, &three, 121_001);
    assert_eq!((next.len(), sessions.count()), (1, CLIENTS), "one more gets the place of a stale one");
    let others = come(CLIENTS - 1, &three, 121_001);
    assert_eq!((others.len(), sessions.count()), (CLIENTS - 1, CLIENTS));
    assert_eq!(come(SHARDS, &four, 121_001), [0; 0], "all that were stale have given way");
    assert_eq!(are_there(&sessions, &vanished, 2, &three, 121_001), 0);
    // These stay, and grow old: now it is the number of partitions that counts.
    let staying: Vec<i32> = next.into_iter().chain(others).collect();
    assert_eq!(are_there(&sessions, &staying, 1, &three, 241_002), CLIENTS);
    assert_eq!(come(SHARDS, &three, 241_003), [0; 0], "as many partitions are not more");
    assert_eq!(come(SHARDS, &four, 241_003).len(), SHARDS, "one in each shard");
    assert_eq!(are_there(&sessions, &staying, 2, &three, 241_003), CLIENTS - SHARDS);
    assert_eq!(sessions.count(), CLIENTS);
}
