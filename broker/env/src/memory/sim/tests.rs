//! What the simulated world promises: the same turns from the same seed, and a network that behaves as TCP does.
//! Core.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::BytesMut;

use super::*;
use crate::memory::MemoryDisk;
use crate::net::{DialOptions, SocketBuffers, Stream};

const A: HostId = HostId(1);
const B: HostId = HostId(2);
const SECOND: Duration = Duration::from_secs(1);

fn at(host: HostId) -> SocketAddr {
    SocketAddr::new(net::ip(host), 9)
}

async fn read(stream: &mut dyn Stream) -> std::io::Result<Vec<u8>> {
    let mut bytes = BytesMut::new();
    std::future::poll_fn(|context| stream.poll_read(context, &mut bytes)).await?;
    Ok(bytes.to_vec())
}

async fn write(stream: &mut dyn Stream, bytes: &[u8]) -> std::io::Result<usize> {
    let slice = std::io::IoSlice::new(bytes);
    std::future::poll_fn(|context| stream.poll_write_vectored(context, &[slice])).await
}

/// B answers what it is sent; A sends a number a second and tells what came back.
struct Echo {
    world: SimWorld,
    heard: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

fn env(world: &SimWorld, host: HostId) -> Env {
    world.env(host, Arc::new(MemoryDisk::new()), u64::from(host.0))
}

fn serve(world: &SimWorld) {
    let env = env(world, B);
    let mut acceptor = env.net.bind(at(B), SocketBuffers::default()).expect("it is free");
    let tasks = env.tasks.clone();
    let accept = async move {
        loop {
            let accepted = std::future::poll_fn(|context| acceptor.poll_accept(context)).await;
            let mut stream = accepted.expect("it listens");
            let echo = async move {
                while let Ok(bytes) = read(&mut *stream).await {
                    if bytes.is_empty() || write(&mut *stream, &bytes).await.is_err() {
                        return;
                    }
                }
            };
            env.tasks.spawn("echo", Box::pin(echo)).detach();
        }
    };
    tasks.spawn("accept", Box::pin(accept)).detach();
}

impl Echo {
    fn new(seed: u64, silence_max: Option<Duration>) -> Echo {
        let world = SimWorld::new(seed);
        serve(&world);
        let env = env(&world, A);
        let (heard, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (of_task, over, tasks) = (heard.clone(), is_over.clone(), env.tasks.clone());
        let ask = async move {
            let options = DialOptions { silence_max, ..DialOptions::default() };
            let mut stream = env.net.dial("10.0.0.2", 9, options).await.expect("it listens");
            for number in 1_u64.. {
                let sent = write(&mut *stream, &number.to_be_bytes()).await;
                if sent.is_err() || !read(&mut *stream).await.is_ok_and(|bytes| bytes == number.to_be_bytes())
                {
                    break;
                }
                of_task.store(number, Ordering::Relaxed);
                env.clock.sleep_until(env.clock.monotonic().after(SECOND)).await;
            }
            over.store(true, Ordering::Relaxed);
        };
        tasks.spawn("ask", Box::pin(ask)).detach();
        Echo { world, heard, is_over }
    }

    fn run(&self, seconds: u64) -> (u64, bool) {
        self.world.run_until(self.world.now() + SECOND * seconds as u32);
        (self.heard.load(Ordering::Relaxed), self.is_over.load(Ordering::Relaxed))
    }
}

#[test]
fn the_same_seed_gives_the_same_turns_and_another_seed_others() {
    let trace = |seed| {
        let echo = Echo::new(seed, None);
        echo.run(20);
        echo.world.end();
        echo.world.trace()
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1).0, trace(2).0);
}

#[test]
fn a_cut_holds_bytes_back_in_one_direction_and_they_come_when_it_is_mended() {
    let echo = Echo::new(1, None);
    assert_eq!(echo.run(5), (5, false));
    echo.world.link(B, A).cut();
    assert_eq!(echo.run(60), (5, false), "what was sent arrived, and its answer did not");
    echo.world.link(B, A).mend();
    assert_eq!(echo.run(3).0, 8);
    echo.world.end();
}

#[test]
fn an_end_that_does_not_want_to_wait_finds_out_about_a_silence_and_no_sooner() {
    let echo = Echo::new(1, Some(SECOND * 4));
    echo.run(5);
    echo.world.lose_power(B);
    assert!(!echo.run(3).1);
    assert!(echo.run(3).1, "it is noticed within the time and a probe");
    echo.world.end();
}

#[test]
fn a_killed_process_is_heard_of_at_once_and_one_without_power_when_its_host_is_back() {
    let killed = Echo::new(1, None);
    killed.run(5);
    killed.world.kill(B);
    assert!(killed.run(1).1);
    killed.world.end();
    let dark = Echo::new(1, None);
    dark.run(5);
    dark.world.lose_power(B);
    assert!(!dark.run(600).1);
    dark.world.power_on(B);
    assert!(dark.run(1).1);
    dark.world.end();
}

#[test]
fn a_stopped_process_does_nothing_until_it_goes_on() {
    let echo = Echo::new(1, None);
    echo.run(5);
    echo.world.set_paused(B, true);
    assert_eq!(echo.run(30), (5, false));
    echo.world.set_paused(B, false);
    assert_eq!(echo.run(2).0, 7);
    echo.world.end();
}

#[test]
fn a_dial_is_refused_where_nobody_listens_and_waits_where_nobody_answers() {
    let world = SimWorld::new(1);
    let outcome = Arc::new(Mutex::new(None));
    let dial = |port| {
        let (env, outcome) = (env(&world, A), outcome.clone());
        let tasks = env.tasks.clone();
        let dial = async move {
            let dialled = env.net.dial("10.0.0.2", port, DialOptions::default()).await;
            *outcome.lock() = Some(dialled.err().map(|error| error.kind()));
        };
        tasks.spawn("dial", Box::pin(dial)).detach();
    };
    dial(9);
    world.run_until(SECOND);
    assert_eq!(outcome.lock().take(), Some(Some(std::io::ErrorKind::ConnectionRefused)));
    serve(&world);
    world.link(A, B).cut();
    dial(9);
    world.run_until(SECOND * 60);
    assert!(outcome.lock().is_none());
    world.link(A, B).mend();
    world.run_until(SECOND * 61);
    assert_eq!(outcome.lock().take(), Some(None));
    world.end();
}

#[test]
fn a_clock_that_runs_at_another_speed_wakes_its_sleepers_at_its_own_time() {
    for millionths in [-500, 0, 333] {
        let world = SimWorld::new(3);
        world.set_clock_rate(A, millionths);
        let env = env(&world, A);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let (of_task, tasks) = (woken.clone(), env.tasks.clone());
        let sleep = async move {
            for wait in [Duration::from_nanos(1), Duration::from_micros(777), 1_000 * SECOND] {
                let deadline = env.clock.monotonic().after(wait);
                env.clock.sleep_until(deadline).await;
                let late = env.clock.monotonic().0.checked_sub(deadline.0);
                of_task.lock().push(late.expect("not before its time"));
            }
        };
        tasks.spawn("sleep", Box::pin(sleep)).detach();
        world.run_until(2_000 * SECOND);
        let late = woken.lock().clone();
        assert!(late.len() == 3 && late.iter().all(|late| *late <= Duration::from_nanos(2)), "{late:?}");
        let here = super::HostClock { shared: world.shared.clone(), host: A }.monotonic().0;
        let ahead = here.as_nanos() as i128 - world.now().as_nanos() as i128;
        assert_eq!(ahead, i128::from(millionths) * 2_000_000);
    }
}
