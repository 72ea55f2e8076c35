//! Connections whose client has to say who it is: other limits of frames, and a time to say so.
//! Core over memory sockets, polled by hand.

use std::time::Duration;

use ottla_model::limits::LOGIN_TIME_MAX;

use crate::metrics::CloseReason;
use crate::settings::NetworkSettings;
use crate::test_world::{Polled, World, request, request_of_len};

const LOGIN_FRAME_BYTES_MAX: usize = 1000;
const DELAY: Duration = Duration::from_millis(70);

fn world() -> World {
    let settings = NetworkSettings {
        failed_authentication_delay_ms: DELAY.as_millis() as u64,
        ..NetworkSettings::default()
    };
    World::for_logins(settings, LOGIN_FRAME_BYTES_MAX)
}

/// Ticks until the time for a login is over.
fn time_out(world: &World, connection: &mut Polled) {
    let ticks = LOGIN_TIME_MAX.as_millis().div_ceil(world.shared.settings.tick().as_millis());
    for _ in 0..=ticks {
        assert!(!connection.is_closed(), "there is time left");
        world.shared.on_tick();
        connection.run();
    }
}

#[test]
fn a_token_may_be_empty_until_the_client_is_known() {
    let world = world();
    let mut connection = world.connect();
    connection.send(&0_i32.to_be_bytes());
    connection.send(&request(2, b'L', 0));
    assert_eq!(connection.receive_ids(), [0, 2]);
    connection.send(&0_i32.to_be_bytes());
    assert!(connection.is_closed(), "no request is empty");
}

#[test]
fn a_frame_is_small_until_the_client_is_known_and_a_large_one_closes_late() {
    let world = world();
    let mut connection = world.connect();
    connection.send(&request_of_len(1, b'R', LOGIN_FRAME_BYTES_MAX));
    connection.send(&(LOGIN_FRAME_BYTES_MAX as i32 + 1).to_be_bytes());
    connection.send(&request(2, b'R', 0));
    assert_eq!(connection.receive_ids(), [1]);
    assert_eq!(*world.script.admitted.lock(), [1]);
    assert!(!connection.is_closed(), "a login that failed is held");
    world.clock.advance(DELAY);
    connection.run();
    assert!(connection.is_closed());

    let mut known = world.connect();
    known.send(&request(1, b'L', 0));
    known.send(&request_of_len(2, b'R', LOGIN_FRAME_BYTES_MAX + 1));
    // Who is asked again is limited again.
    known.send(&request(3, b'N', 0));
    known.send(&(LOGIN_FRAME_BYTES_MAX as i32 + 1).to_be_bytes());
    world.clock.advance(DELAY);
    assert_eq!((known.receive_ids(), known.is_closed()), (vec![1, 2, 3], true));
}

#[test]
fn who_does_not_say_in_time_who_it_is_is_closed() {
    let world = world();
    let (mut silent, mut known) = (world.connect(), world.connect());
    known.send(&request(1, b'L', 0));
    time_out(&world, &mut silent);
    known.run();
    assert!(silent.is_closed() && !known.is_closed());
    assert_eq!(world.shared.metrics.closed(CloseReason::Authentication).get(), 1);
    // And so is who begins anew and does not end.
    known.send(&request(2, b'N', 0));
    time_out(&world, &mut known);
    assert!(known.is_closed());
}

/// Promises of large frames hold no memory: what counts is what has arrived.
#[test]
fn a_thousand_promises_hold_nothing() {
    let world = World::for_logins(NetworkSettings::default(), 524_288);
    let mut connections: Vec<Polled> = (0..1000).map(|_| world.connect()).collect();
    for connection in &mut connections {
        connection.send(&524_288_i32.to_be_bytes());
        connection.send(&[0]);
    }
    assert_eq!(world.shared.budget.used_bytes(), 0, "each is within what it may hold freely");
}
