//! What a connection does with bytes that come and answers that are ready, early, late or never.
//! Core: the connection is polled by hand.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::File;
use ottla_env::disk::{Disk, OpenMode};
use ottla_env::real::RealDisk;

use crate::handler::Answer;
use crate::metrics::CloseReason;
use crate::response::{Chunk, Response, ResponseBuilder};
use crate::settings::{CONNECTION_FREE_BYTES, NetworkSettings};
use crate::test_world::{Polled, World, answer, correlation_ids, muting, request, request_of_len};

fn world() -> World {
    World::new(NetworkSettings::default())
}

fn closed(world: &World, reason: CloseReason) -> u64 {
    world.shared.metrics.closed(reason).get()
}

#[test]
fn answers_leave_in_the_order_of_requests() {
    let world = world();
    let mut connection = world.connect();
    connection.send(&request(1, b'P', 0));
    connection.send(&request(2, b'R', 0));
    connection.send(&request(3, b'P', 0));
    connection.send(&request(4, b'R', 0));
    assert_eq!(*world.script.admitted.lock(), [1, 2, 3, 4], "the wait of one does not stop the next");
    world.script.answer(3, Answer::Respond(answer(3, 0)));
    assert_eq!(connection.receive_ids(), [] as [i32; 0]);
    world.script.answer(1, Answer::Respond(answer(1, 0)));
    assert_eq!(connection.receive_ids(), [1, 2, 3, 4]);
    assert!(!connection.is_closed());
}

#[test]
fn five_thousand_pipelined_requests_are_answered_in_order_and_in_bounded_pieces() {
    let world = world();
    let mut connection = world.connect();
    let ids: Vec<i32> = (0..5000).collect();
    let bytes: Vec<u8> = ids.iter().flat_map(|id| request(*id, b'R', 10)).collect();
    assert_eq!(connection.client.try_write(&bytes).ok(), Some(bytes.len()));
    let polls_before = connection.polls;
    assert_eq!(connection.receive_ids(), ids);
    assert!(connection.polls - polls_before >= 5000 / 512, "one poll does not do it all");
    assert_eq!(world.shared.metrics.frames.get(), 5000);
    assert_eq!(world.shared.metrics.bytes_in.get(), bytes.len() as u64);
}

#[test]
fn parked_requests_beyond_the_bound_wait_outside() {
    let settings = NetworkSettings { requests_in_flight_max: 100, ..NetworkSettings::default() };
    let world = World::new(settings);
    let mut connection = world.connect();
    let bytes: Vec<u8> = (0..250).flat_map(|id| request(id, b'P', 0)).collect();
    connection.send(&bytes);
    assert_eq!(world.script.admitted.lock().len(), 100);
    let mut received = Vec::new();
    for round in 0..250 {
        world.script.answer(round, Answer::Respond(answer(round, 0)));
        received.extend(connection.receive_ids());
    }
    assert_eq!(received, (0..250).collect::<Vec<i32>>());
}

#[test]
fn silence_is_silent_and_later_answers_go_on() {
    let world = world();
    let mut connection = world.connect();
    connection.send(&request(1, b'S', 0));
    assert_eq!(connection.receive_ids(), [] as [i32; 0]);
    connection.send(&request(2, b'P', 0));
    connection.send(&request(3, b'R', 0));
    world.script.answer(2, Answer::Silent);
    assert_eq!(connection.receive_ids(), [3]);
}

#[test]
fn close_comes_after_the_answers_before_and_admits_nothing_after() {
    let world = world();
    let mut connection = world.connect();
    connection.send(&[request(1, b'P', 0), request(2, b'C', 0), request(3, b'R', 0)].concat());
    assert_eq!(*world.script.admitted.lock(), [1, 2]);
    assert!(!connection.is_closed());
    world.script.answer(1, Answer::Respond(answer(1, 0)));
    assert_eq!(connection.receive_ids(), [1]);
    assert!(connection.is_closed());
    assert_eq!(world.script.closed.load(Ordering::SeqCst), 1);
    assert_eq!(closed(&world, CloseReason::Handler), 1);
}

#[test]
fn a_parked_answer_may_close() {
    let world = world();
    let mut connection = world.connect();
    connection.send(&[request(1, b'P', 0), request(2, b'R', 0)].concat());
    world.script.answer(1, Answer::Close("not a leader and acks=0"));
    assert_eq!(connection.receive_ids(), [] as [i32; 0]);
    assert!(connection.is_closed());
}

#[test]
fn a_length_no_request_can_have_closes_after_the_answers_before() {
    for prefix in [-1_i32, i32::MIN, 0, 7, 104_857_601, i32::MAX] {
        let world = world();
        let mut connection = world.connect();
        let mut bytes = request(1, b'R', 0);
        bytes.extend(prefix.to_be_bytes());
        connection.send(&bytes);
        assert_eq!(connection.receive_ids(), [1]);
        assert!(connection.is_closed(), "length {prefix}");
        assert_eq!(closed(&world, CloseReason::BadFrame), 1);
        assert_eq!(world.shared.connections_count(), 0);
    }
}

#[test]
fn a_frame_may_arrive_byte_by_byte() {
    let world = world();
    let mut connection = world.connect();
    let bytes = [request(1, b'R', 3), request(2, b'R', 0)].concat();
    for byte in bytes {
        assert_eq!(connection.send(&[byte]), 0);
    }
    assert_eq!(connection.receive_ids(), [1, 2]);
}

#[test]
fn a_client_that_closes_its_half_gets_its_answers() {
    let world = world();
    let mut connection = world.connect();
    connection.send(&[request(1, b'P', 0), request(2, b'R', 0)].concat());
    connection.client.close_write();
    connection.run();
    assert!(!connection.is_closed());
    world.script.answer(1, Answer::Respond(answer(1, 0)));
    assert_eq!(connection.receive_ids(), [1, 2]);
    assert!(connection.is_closed());
    assert_eq!(closed(&world, CloseReason::Peer), 1);
}

#[test]
fn a_client_that_is_gone_ends_the_connection_and_its_awaited_answers() {
    let world = world();
    let mut connection = world.connect();
    connection.send(&[request(1, b'R', 0), request(2, b'P', 0)].concat());
    let (other, _server) = ottla_env::memory::net::pair(
        std::net::SocketAddr::from(([127, 0, 0, 1], 3)),
        std::net::SocketAddr::from(([127, 0, 0, 1], 4)),
        1,
    );
    drop(std::mem::replace(&mut connection.client, other));
    connection.run();
    let sender = world.script.parked.lock().remove(&2).expect("it is parked");
    assert!(sender.send(Answer::Respond(answer(2, 0))).is_ok(), "it is awaited, the other half may be open");
    connection.run();
    assert!(connection.is_closed());
    assert_eq!(closed(&world, CloseReason::Error), 1);
}

#[test]
fn a_slow_reader_holds_a_bounded_amount_of_answers() {
    let settings = NetworkSettings { unsent_bytes_max: 100_000, ..NetworkSettings::default() };
    let world = World::with_pipe_bytes(settings, 64 * 1024);
    let mut connection = world.connect();
    let ids: Vec<i32> = (0..1000).collect();
    let bytes: Vec<u8> = ids.iter().flat_map(|id| request(*id, b'R', 10_000)).collect();
    connection.send(&bytes);
    let admitted = world.script.admitted.lock().len();
    assert!(admitted <= 20, "{admitted} answers of 10 kB are held for one that reads nothing");
    assert_eq!(connection.receive_ids(), ids);
}

fn file_chunk(name: &str, content: &[u8], len: usize) -> (Arc<dyn File>, Chunk) {
    let path = std::env::temp_dir().join(format!("ottla-network-{}-{name}", std::process::id()));
    let file = RealDisk.open(&path, OpenMode::Truncate).expect("the file is made");
    RealDisk.remove_file(&path).expect("the open file stays readable");
    file.write_all_at(content, 0).expect("the file takes bytes");
    (Arc::clone(&file), Chunk::File { file, position: 1, len })
}

#[test]
fn slices_of_files_leave_between_bytes() {
    let world = World::with_pipe_bytes(NetworkSettings::default(), 1000);
    let content: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
    let (_file, chunk) = file_chunk("slices", &content, 99_000);
    *world.script.file.lock() = Some(chunk);
    let mut connection = world.connect();
    connection.send(&[request(1, b'R', 0), request(2, b'F', 0), request(3, b'R', 0)].concat());
    let received = connection.receive();
    assert_eq!(received[16..][..99_000], content[1..99_001]);
    assert_eq!(correlation_ids(received), [1, 2, 3]);
}

#[test]
fn a_file_that_became_shorter_closes_the_connection() {
    let world = world();
    let (file, chunk) = file_chunk("short", &[7; 10_000], 9_000);
    *world.script.file.lock() = Some(chunk);
    file.set_len(5000).expect("the file can be cut");
    let mut connection = world.connect();
    connection.send(&request(1, b'F', 0));
    assert_eq!(connection.receive().len(), 8 + 4999);
    assert!(connection.is_closed());
    assert_eq!(closed(&world, CloseReason::Error), 1);
}

#[test]
fn two_hundred_promises_of_100_mb_hold_nothing_and_shut_nobody_out() {
    let settings = NetworkSettings { memory_budget_bytes: 1024 * 1024, ..NetworkSettings::default() };
    let world = World::new(settings);
    let mut promises: Vec<Polled> = (0..200).map(|_promise| world.connect()).collect();
    for promise in &mut promises {
        promise.send(&(100_i32 << 20).to_be_bytes());
        promise.send(&[0; 1000]);
    }
    assert_eq!(world.shared.budget.used_bytes(), 0);
    let mut other = world.connect();
    other.send(&request_of_len(1, b'R', 900_000));
    assert_eq!(other.receive_ids(), [1]);
    assert!(promises.iter().all(|promise| !promise.is_closed()));
}

#[test]
fn a_budget_full_of_halves_of_frames_still_lets_each_complete_in_turn() {
    let settings = NetworkSettings { memory_budget_bytes: 1024 * 1024, ..NetworkSettings::default() };
    let world = World::new(settings);
    let frame = request_of_len(1, b'R', 1024 * 1024);
    let mut connections: Vec<(Polled, usize)> = (0..8).map(|_connection| (world.connect(), 0)).collect();
    for (connection, sent) in &mut connections {
        *sent = 600_000 - connection.send(&frame[..600_000]);
    }
    assert!(world.shared.budget.used_bytes() > 512 * 1024);
    assert!(connections.iter().any(|(_connection, sent)| *sent < 600_000), "some wait for the budget");

    let mut answered = 0;
    for _round in 0..100 {
        for (connection, sent) in &mut connections {
            *sent = frame.len() - connection.send(&frame[*sent..]);
            answered += connection.receive_ids().len();
        }
        let used = world.shared.budget.used_bytes();
        assert!(used <= 2 * 1024 * 1024, "{used} bytes: more than the budget and one frame");
    }
    assert_eq!(answered, 8);
    drop(connections);
    assert_eq!(world.shared.budget.used_bytes(), 0);
}

#[test]
fn a_trickle_that_holds_up_the_others_is_closed() {
    let settings = NetworkSettings { memory_budget_bytes: 0, ..NetworkSettings::default() };
    let world = World::new(settings);
    let mut trickle = world.connect();
    trickle.send(&request_of_len(1, b'R', 10 << 20)[..CONNECTION_FREE_BYTES + 1]);
    let mut other = world.connect();
    let frame = request_of_len(2, b'R', 200_000);
    let sent = frame.len() - other.send(&frame);
    assert_eq!(other.receive_ids(), [] as [i32; 0]);
    world.shared.on_tick();
    world.shared.on_tick();
    trickle.run();
    assert!(trickle.is_closed());
    assert_eq!(closed(&world, CloseReason::Memory), 1);
    other.send(&frame[sent..]);
    assert_eq!(other.receive_ids(), [2]);
}

#[test]
fn parked_frames_and_unsent_answers_are_charged_and_given_back() {
    let world = world();
    let mut connection = world.connect();
    connection.send(&request_of_len(1, b'P', 1_000_000));
    assert!(world.shared.budget.used_bytes() >= 1_000_000 - CONNECTION_FREE_BYTES);
    world.script.answer(1, Answer::Respond(answer(1, 5_000_000)));
    connection.run();
    assert!(world.shared.budget.used_bytes() >= 4_000_000);
    assert_eq!(connection.receive_ids(), [1]);
    connection.run();
    assert_eq!(world.shared.budget.used_bytes(), 0);
}

#[test]
fn idle_connections_are_closed_and_active_ones_stay() {
    let settings = NetworkSettings { connections_idle_ms_max: 1000, ..NetworkSettings::default() };
    assert_eq!(settings.tick(), Duration::from_millis(125));
    let world = World::new(settings);
    let mut idle = world.connect();
    let mut waiting = world.connect();
    waiting.send(&request(1, b'P', 0));
    let mut active = world.connect();
    for tick in 0..9 {
        assert!(!idle.is_closed());
        active.send(&request(tick, b'R', 0));
        world.shared.on_tick();
        idle.run();
        waiting.run();
        active.run();
    }
    assert!(idle.is_closed());
    assert!(waiting.is_closed(), "as on Kafka, awaiting an answer is no activity");
    assert!(!active.is_closed());
    assert_eq!(closed(&world, CloseReason::Idle), 2);
}

#[test]
fn nothing_is_admitted_beside_an_exclusive_request() {
    let world = world();
    let mut connection = world.connect();
    let requests = [request(1, b'P', 0), request(2, b'X', 0), request(3, b'R', 0), request(4, b'R', 0)];
    connection.send(&requests.concat());
    assert_eq!(*world.script.admitted.lock(), [1, 2], "the frames behind it wait, though they have arrived");
    world.script.answer(2, Answer::Respond(answer(2, 0)));
    assert_eq!(connection.receive_ids(), [] as [i32; 0], "the first is not answered yet");
    assert_eq!(*world.script.admitted.lock(), [1, 2, 3, 4], "its answer is known, that is enough");
    world.script.answer(1, Answer::Respond(answer(1, 0)));
    assert_eq!(connection.receive_ids(), [1, 2, 3, 4]);
}

#[test]
fn a_request_may_wait_until_every_earlier_answer_has_left() {
    let world = World::with_pipe_bytes(NetworkSettings::default(), 100);
    let mut connection = world.connect();
    let requests = [request(1, b'R', 1000), request(2, b'P', 0), request(3, b'A', 0), request(4, b'R', 0)];
    connection.send(&requests.concat());
    world.script.answer(2, Answer::Respond(answer(2, 0)));
    connection.run();
    assert_eq!(
        *world.script.begun.lock(),
        [] as [i32; 0],
        "the answers before it are not with the client yet"
    );
    assert_eq!(connection.receive_ids(), [1, 2]);
    assert_eq!((&*world.script.begun.lock(), &*world.script.admitted.lock()), (&vec![3], &vec![1, 2, 3]));
    world.script.answer(3, Answer::Respond(answer(3, 0)));
    assert_eq!(connection.receive_ids(), [3, 4]);
    connection.send(&request(5, b'A', 0));
    assert_eq!(*world.script.begun.lock(), [3, 5], "with nothing before it, it begins at once");
}

#[test]
fn a_muted_connection_is_answered_at_once_and_not_read_until_its_time_is_over() {
    let settings = NetworkSettings { connections_idle_ms_max: 100, ..NetworkSettings::default() };
    let world = World::new(settings);
    let mut connection = world.connect();
    connection.send(&[request(1, b'P', 0), request(2, b'M', 50), request(3, b'R', 0)].concat());
    assert_eq!(*world.script.admitted.lock(), [1, 2], "the mute counts from its admission");
    world.script.answer(1, muting(answer(1, 0), 200));
    assert_eq!(connection.receive_ids(), [1, 2]);
    // Of two mutes the longer one counts; idleness is no reason to close meanwhile.
    for _tick in 0..19 {
        world.clock.advance(Duration::from_millis(10));
        world.shared.on_tick();
        connection.run();
        assert_eq!(world.script.admitted.lock().len(), 2);
    }
    assert!(!connection.is_closed());
    world.clock.advance(Duration::from_millis(10));
    assert_eq!(connection.receive_ids(), [3]);
}

#[test]
fn a_delayed_close_reads_nothing_more_then_answers_and_closes() {
    let world = world();
    let mut connection = world.connect();
    connection.send(&[request(1, b'P', 0), request(2, b'D', 100), request(3, b'R', 0)].concat());
    world.script.answer(1, Answer::Respond(answer(1, 0)));
    assert_eq!(connection.receive_ids(), [1]);
    world.clock.advance(Duration::from_millis(99));
    assert_eq!((connection.receive_ids(), connection.is_closed()), (Vec::<i32>::new(), false));
    world.clock.advance(Duration::from_millis(1));
    assert_eq!((connection.receive_ids(), connection.is_closed()), (vec![2], true));
    assert_eq!(*world.script.admitted.lock(), [1, 2]);
}

#[test]
fn a_delayed_close_can_be_an_answer_that_was_awaited_and_silent() {
    let world = world();
    let mut connection = world.connect();
    connection.send(&[request(1, b'P', 0), request(2, b'P', 0)].concat());
    let delay = Duration::from_millis(10);
    world.script.answer(2, Answer::CloseAfter { response: None, delay, why: "the second" });
    connection.run();
    connection.send(&request(3, b'R', 0));
    assert_eq!(*world.script.admitted.lock(), [1, 2]);
    world.clock.advance(delay);
    connection.run();
    assert!(!connection.is_closed(), "the first is still to be answered");
    world.script.answer(1, Answer::Respond(answer(1, 0)));
    assert_eq!((connection.receive_ids(), connection.is_closed()), (vec![1], true));
}

#[test]
fn an_identity_is_taken_once_and_does_not_change_under_a_request() {
    let world = world();
    let connection = world.connect();
    let info = connection.info();
    assert!(info.identity().is_none());
    let identity = |name: &str| {
        let principal = ottla_security::KafkaPrincipal::parse(name).expect("a principal");
        std::sync::Arc::new(ottla_security::Identity::without_sasl(principal))
    };
    info.authenticate(identity("User:alice"));
    let of_request = info.identity().expect("authenticated");
    info.authenticate(identity("User:bob"));
    assert_eq!(of_request.principal.as_str(), "User:alice");
    assert_eq!(info.identity().map(|now| now.principal.to_string()), Some("User:bob".to_owned()));
}

#[test]
fn draining_answers_what_was_admitted_and_takes_no_more() {
    let world = world();
    let mut busy = world.connect();
    let mut quiet = world.connect();
    busy.send(&request(1, b'P', 0));
    busy.drain();
    quiet.drain();
    busy.send(&request(2, b'R', 0));
    assert!(quiet.is_closed());
    assert!(!busy.is_closed());
    world.script.answer(1, Answer::Respond(answer(1, 0)));
    assert_eq!(busy.receive_ids(), [1]);
    assert!(busy.is_closed());
    assert_eq!(closed(&world, CloseReason::Shutdown), 2);
}

/// The body of an answer that is no other's.
fn pattern(id: i32) -> Vec<u8> {
    (0..4_000 + 37 * id).map(|place| (place * 31 + id * 7) as u8).collect()
}

fn with_pattern(id: i32) -> Response {
    let body = pattern(id);
    let mut builder = ResponseBuilder::with_capacity(4 + body.len());
    builder.buffer.extend_from_slice(&id.to_be_bytes());
    builder.buffer.extend_from_slice(&body);
    builder.finish().expect("it fits a frame")
}

/// CVE-2026-35554: a buffer that is half sent is nobody else's, while connections end, rest and time out beside it.
#[test]
fn an_answer_that_is_half_sent_is_what_it_was() {
    let settings = NetworkSettings { connections_idle_ms_max: 100, ..NetworkSettings::default() };
    let world = World::with_pipe_bytes(settings, 1_000);
    let (mut reader, mut leaver, mut idle) = (world.connect(), world.connect(), world.connect());
    let ids = 0..40;
    reader.send(&ids.clone().flat_map(|id| request(id, b'P', 0)).collect::<Vec<u8>>());
    leaver.send(&ids.clone().flat_map(|id| request(100 + id, b'P', 0)).collect::<Vec<u8>>());
    idle.send(&request(200, b'P', 0));
    for id in ids.clone().rev() {
        world.script.answer(100 + id, Answer::Respond(with_pattern(100 + id)));
        world.script.answer(id, Answer::Respond(with_pattern(id)));
        leaver.run();
    }
    world.script.answer(200, muting(with_pattern(200), 50));
    idle.run();
    reader.run();
    // Each has a first piece in its pipe.
    let mut received = reader.client.try_read().expect("a piece").to_vec();
    drop(leaver);
    for _tick in 0..30 {
        world.clock.advance(Duration::from_millis(10));
        world.shared.on_tick();
        idle.run();
        reader.run();
        received.extend_from_slice(&reader.client.try_read().expect("a piece"));
        // Whoever comes meanwhile gets buffers of its own.
        let mut other = world.connect();
        other.send(&request(300, b'R', 2_000));
        assert_eq!(other.receive_ids(), [300]);
    }
    received.extend_from_slice(&reader.receive());
    let expected: Vec<u8> = ids
        .flat_map(|id| {
            let body = pattern(id);
            [&(4 + body.len() as i32).to_be_bytes()[..], &id.to_be_bytes(), &body].concat()
        })
        .collect();
    assert!(received == expected, "{} bytes of {} came", received.len(), expected.len());
}

/// A small generator of numbers, so that a failing history can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Sends requests in pieces, answers some later in any order, reads now and then; whatever the
/// history, every answer comes, in the order of the requests.
fn any_history(seed: u64) {
    let settings = NetworkSettings {
        requests_in_flight_max: 20,
        unsent_bytes_max: 30_000,
        memory_budget_bytes: 100_000,
        ..NetworkSettings::default()
    };
    let mut numbers = Numbers(seed);
    let world = World::with_pipe_bytes(settings, 1 + numbers.below(20_000));
    let mut connection = world.connect();
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    for id in 0..200 {
        match numbers.below(9) {
            6 => bytes.extend(request(id, b'X', 0)),
            7 => bytes.extend(request(id, b'A', 0)),
            8 => bytes.extend(request(id, b'M', numbers.below(20) as u32)),
            0 => {
                bytes.extend(request(id, b'S', 0));
                continue;
            }
            1 => bytes.extend(request_of_len(id, b'R', 12 + numbers.below(150_000))),
            2 | 3 => bytes.extend(request(id, b'P', 0)),
            _ready => bytes.extend(request(id, b'R', numbers.below(20_000) as u32)),
        }
        expected.push(id);
    }
    let mut received = bytes::BytesMut::new();
    let mut sent = 0;
    for _step in 0..100_000 {
        match numbers.below(4) {
            3 => world.clock.advance(Duration::from_millis(numbers.below(10) as u64)),
            0 => {
                let until = bytes.len().min(sent + 1 + numbers.below(50_000));
                sent = until - connection.send(&bytes[sent..until]);
            }
            1 => received.extend_from_slice(&connection.receive()),
            _answer => {
                let mut parked: Vec<i32> = world.script.parked.lock().keys().copied().collect();
                parked.sort_unstable();
                if !parked.is_empty() {
                    let id = parked[numbers.below(parked.len())];
                    world.script.answer(id, Answer::Respond(answer(id, numbers.below(10_000))));
                }
                connection.run();
            }
        }
        if sent == bytes.len()
            && world.script.admitted.lock().len() == 200
            && world.script.parked.lock().is_empty()
        {
            break;
        }
    }
    world.clock.advance(Duration::from_millis(20));
    received.extend_from_slice(&connection.receive());
    assert_eq!(correlation_ids(received), expected, "seed {seed}");
    assert!(!connection.is_closed(), "seed {seed}");
    assert_eq!(world.shared.budget.used_bytes(), 0, "seed {seed}");
}

#[test]
fn in_any_history_every_answer_comes_in_order() {
    (0..200).for_each(any_history);
}

#[test]
fn frames_are_slices_of_what_was_read() {
    // Two frames of one read share their buffer: nothing was copied in between.
    let mut reader = crate::frame_reader::FrameReader::new(1000);
    let bytes = [request(1, b'R', 0), request(2, b'R', 0)].concat();
    reader.buffer_with_room().extend_from_slice(&bytes);
    let first: Bytes = reader.next_frame().expect("a good frame").expect("a whole frame");
    let second: Bytes = reader.next_frame().expect("a good frame").expect("a whole frame");
    assert_eq!(second.as_ptr() as usize - first.as_ptr() as usize, 16);
}
