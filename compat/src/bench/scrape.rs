//! `/metrics` of a broker with many groups, and what a scrape is to those who produce meanwhile.
//! Shell: starts a broker, sockets, threads, reads the clock.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::clients::Client;
use super::frames;
use super::load::Load;
use super::scene::{PATIENCE, Rows, Scale, create_topic, drive, start};
use super::table::{Figure, Measured};
use crate::broker::{Against, Broker};
use crate::failure::{Outcome, While as _, fail};
use crate::ports::free_ports;
use crate::wire::{Answer, Body, Connection};

const ROW: &str = "metrics-10000-groups";
const QUIET_ROW: &str = "metrics-10000-groups-quiet";
const GROUPS: usize = 10_000;
/// Committed offsets of each group.
const PARTITIONS: i32 = 10;
const TOPIC: &str = "scraped";
const PRODUCED: &str = "produced";
const PRODUCES_PER_SECOND: u32 = 500;
const SCRAPE_INTERVAL: Duration = Duration::from_millis(250);
/// Commits on their way at once.
const WAVE: usize = 500;

const OFFSET_COMMIT: i16 = 8;
const FIND_COORDINATOR: i16 = 10;

/// The time of a scrape (`time ms`: the median), and the latency of produces while there are scrapes and while not.
pub fn run(against: Against, scale: &Scale) -> Outcome<Rows> {
    let [port] = free_ports()?;
    let address = format!("127.0.0.1:{port}");
    let broker = start(against, &["ottla.durability=os", &format!("ottla.http.listener={address}")])?;
    create_topic(broker.as_ref(), TOPIC, PARTITIONS)?;
    create_topic(broker.as_ref(), PRODUCED, 1)?;
    commit(broker.as_ref(), scale.part(GROUPS))?;
    let _warmed_up = scrape(&address)?;
    let produce = || paced(broker.as_ref(), scale);
    let quiet = produce()?;
    let is_over = AtomicBool::new(false);
    let (load, scrapes) = std::thread::scope(|scope| {
        let scraper = scope.spawn(|| scrapes_until(&is_over, &address));
        let load = produce();
        is_over.store(true, Ordering::Release);
        let scrapes = scraper.join().unwrap_or_else(|_| fail("the scraper panicked"));
        Ok::<_, crate::failure::Failure>((load?, scrapes?))
    })?;
    let with = |load: &Load| Measured::default().with_latency(&load.latency);
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    let median_ms = scrapes.value_at_quantile(0.5) as f64 / 1e6;
    Ok(vec![(ROW, with(&load).with(Figure::TimeMs, median_ms)), (QUIET_ROW, with(&quiet))])
}

fn paced(broker: &dyn Broker, scale: &Scale) -> Outcome<Load> {
    let frame = frames::produce(PRODUCED, 0, 1, &frames::batch(1, 100));
    drive(broker, vec![Client::Paced { frame, per_second: PRODUCES_PER_SECOND, reader: None }], scale.span)
}

/// How long each scrape took, in nanoseconds.
fn scrapes_until(is_over: &AtomicBool, address: &str) -> Outcome<Histogram<u64>> {
    let mut took = Histogram::new(3).while_doing(|| "making a histogram".to_owned())?;
    while !is_over.load(Ordering::Acquire) {
        let nanos = u64::try_from(scrape(address)?.as_nanos()).unwrap_or(u64::MAX);
        // Not `saturating_record`, which does not let the histogram grow.
        took.record(nanos).while_doing(|| format!("noting a scrape of {nanos} ns"))?;
        std::thread::sleep(SCRAPE_INTERVAL);
    }
    Ok(took)
}

fn scrape(address: &str) -> Outcome<Duration> {
    let begin = Instant::now();
    let mut stream = TcpStream::connect(address).while_doing(|| format!("connecting to {address}"))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).while_doing(|| "reading /metrics".to_owned())?;
    let took = begin.elapsed();
    if !answer.starts_with(b"HTTP/1.1 200") || !answer.windows(6).any(|word| word == b"group=") {
        return fail(format!("/metrics says nothing of groups: {} bytes", answer.len()));
    }
    Ok(took)
}

/// Each group has an offset in each partition.
fn commit(broker: &dyn Broker, groups: usize) -> Outcome<()> {
    let mut connection = Connection::open(broker.bootstrap(), PATIENCE)?;
    until_coordinated(&mut connection)?;
    let names: Vec<String> = (0..groups).map(|number| format!("group-{number:06}")).collect();
    for wave in names.chunks(WAVE) {
        for group in wave {
            let body = Body::default().string(group).i32(-1).string("").i64(-1).i32(1).string(TOPIC);
            let offset = |body: Body, partition| body.i32(partition).i64(1).string("");
            connection.send(OFFSET_COMMIT, 2, (0..PARTITIONS).fold(body.i32(PARTITIONS), offset))?;
        }
        for _ in wave {
            // The last of the answer is the code of the last partition.
            let answer = connection.receive()?;
            if !answer.ends_with(&[0, 0]) {
                return fail(format!("OffsetCommit answered {answer:?}"));
            }
        }
    }
    Ok(())
}

/// The coordinator's own topic is there, and leads.
fn until_coordinated(connection: &mut Connection) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = connection.ask(FIND_COORDINATOR, 1, Body::default().string("group").i8(0))?;
        let mut answer = Answer(&answer);
        let (_throttle_ms, code) = (answer.i32()?, answer.i16()?);
        if code == 0 {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return fail(format!("FindCoordinator answered error {code}"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
