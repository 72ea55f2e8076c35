//! A full disk: writes are refused in words, everything else goes on, and room that is made is used without a restart.
//! Shell: a small mount, the broker on it, the clock.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::broker::{self, Against, Broker, BrokerOptions};
use crate::crash::Ending;
use crate::crash::batch::{self, Origin};
use crate::failure::{Failure, Outcome, While, fail};
use crate::places::{ScratchDir, now_ms};
use crate::process::{POLL_INTERVAL, capture};
use crate::requests::{NO_ERROR, ProduceAnswer};
use crate::wire::Connection;

const DISK_BYTES: u64 = 96 << 20;
const PATIENCE: Duration = Duration::from_secs(30);
/// Until room that was made can be used: deleted segments may linger for a moment.
const ROOM_LIMIT: Duration = Duration::from_secs(45);
const BATCH_VALUE_BYTES: usize = 256 << 10;
/// Enough that its deletion makes more room than any reserve a broker may keep.
const OTHER_COUNT: i64 = 80;
const MAIN_TOPIC: &str = "crash-disk-main";
const OTHER_TOPIC: &str = "crash-disk-other";

/// A file system of its own in memory, gone when dropped.
struct Mount {
    dir: ScratchDir,
}

impl Mount {
    fn new() -> Outcome<Self> {
        let dir = ScratchDir::new("disk")?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={DISK_BYTES}"), "ottla-compat"]).arg(dir.path());
        capture("mount", &mut mount, None, &std::env::temp_dir(), PATIENCE)?;
        Ok(Self { dir })
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let mut unmount = Command::new("umount");
        let _ =
            capture("umount", unmount.arg("-l").arg(self.dir.path()), None, &std::env::temp_dir(), PATIENCE);
    }
}

pub fn run(against: Against, overrides: &[String]) -> Outcome<Ending> {
    if against == Against::Kafka {
        return Ok(Ending::Skipped(
            "Apache Kafka ends itself when its only log directory is full".to_owned(),
        ));
    }
    if !rustix::process::geteuid().is_root() {
        return Ok(Ending::Skipped("only root may mount the small disk it needs".to_owned()));
    }
    let mount = match Mount::new() {
        Ok(mount) => mount,
        Err(failure) => return Ok(Ending::Skipped(format!("no small disk can be mounted here: {failure}"))),
    };
    // Deleted files linger for a minute otherwise, here as on Apache Kafka.
    let mut overrides = overrides.to_vec();
    overrides.insert(0, "log.segment.delete.delay.ms=100".to_owned());
    let options =
        BrokerOptions { log_dir: Some(mount.path().join("data")), overrides, ..BrokerOptions::default() };
    let mut broker = broker::start(against, &options)?;
    let mut stage =
        Stage { connection: Connection::open(broker.bootstrap(), PATIENCE)?, refusals: Vec::new() };
    let outcome = stage.play(&mut *broker);
    match outcome {
        Ok(text) => broker.stop().map(|()| Ending::Passed(text)),
        Err(failure) => {
            Err(Failure(format!("{failure}\n--- the broker's last lines\n{}", broker.last_output(25))))
        }
    }
}

struct Stage {
    connection: Connection,
    refusals: Vec<String>,
}

impl Stage {
    fn play(&mut self, broker: &mut dyn Broker) -> Outcome<String> {
        let pid = broker.pid();
        // Small segments, so that deleted records give their room back.
        let configs = [("segment.bytes", "1048576"), ("file.delete.delay.ms", "100")];
        for topic in [MAIN_TOPIC, OTHER_TOPIC] {
            self.connection.create_topic(topic, 1, &configs)?;
        }
        let others = self.fill(OTHER_TOPIC, Some(OTHER_COUNT))?;
        let first = self.fill(MAIN_TOPIC, None)?;
        self.check_served(MAIN_TOPIC, 0, first)?;
        self.check_served(OTHER_TOPIC, 0, others)?;
        let deleted = first / 2;
        self.connection
            .delete_records(MAIN_TOPIC, 0, deleted)
            .while_doing(|| "on the full disk".to_owned())?;
        self.until_room("records were deleted")?;
        self.check_served(MAIN_TOPIC, deleted, first + 1)?;
        let second = self.fill(MAIN_TOPIC, None)?;
        if second == 0 {
            return fail("the room of the deleted records was not given back");
        }
        self.connection.delete_topic(OTHER_TOPIC).while_doing(|| "on the full disk".to_owned())?;
        self.until_room("a topic was deleted")?;
        let end_offset = self.connection.list_offset(MAIN_TOPIC, 0, -1)?;
        self.check_served(MAIN_TOPIC, deleted, end_offset)?;
        if !broker.is_running() || broker.pid() != pid {
            return fail("the broker ended or was another one");
        }
        broker.restart().while_doing(|| "starting again on the nearly full disk".to_owned())?;
        self.connection = Connection::open(broker.bootstrap(), PATIENCE)?;
        self.check_served(MAIN_TOPIC, deleted, end_offset)?;
        Ok(format!(
            "{} refusals, such as \"{}\"; {end_offset} batches of {BATCH_VALUE_BYTES} bytes all there",
            self.refusals.len(),
            self.refusals.first().map_or("", String::as_str)
        ))
    }

    /// One record a batch, numbered by its offset.
    fn produce_one(&mut self, topic: &str, number: i64) -> Outcome<ProduceAnswer> {
        let mut value = number.to_be_bytes().to_vec();
        value.resize(BATCH_VALUE_BYTES, b'd');
        self.connection.produce(topic, 0, &batch::write(&[value], Origin::NOBODY, now_ms()))
    }

    /// Produces so many, or until the broker refuses; returns how many it took.
    fn fill(&mut self, topic: &str, count: Option<i64>) -> Outcome<i64> {
        let begin = self.connection.list_offset(topic, 0, -1)?;
        let most = i64::try_from(DISK_BYTES / BATCH_VALUE_BYTES as u64).unwrap_or(i64::MAX) + 1;
        for number in 0..count.unwrap_or(most) {
            let answer = self.produce_one(topic, begin + number)?;
            if answer.error_code == NO_ERROR {
                continue;
            }
            if count.is_some() {
                return fail(format!("{topic}: error {} while there was room", answer.error_code));
            }
            self.check_refusal(answer)?;
            return Ok(number);
        }
        count.map_or_else(|| fail("more was acknowledged than the disk can hold"), Ok)
    }

    /// The reason must reach the client in words.
    fn check_refusal(&mut self, answer: ProduceAnswer) -> Outcome<()> {
        let text = answer.error_message.unwrap_or_default();
        let lower = text.to_lowercase();
        if !["disk", "space", "full"].iter().any(|word| lower.contains(word)) {
            return fail(format!(
                "the refusal, error {}, says nothing of a full disk: \"{text}\"",
                answer.error_code
            ));
        }
        self.refusals.push(text);
        Ok(())
    }

    fn check_served(&mut self, topic: &str, from: i64, end: i64) -> Outcome<()> {
        let mut offset = from;
        while offset < end {
            let answer = self.connection.fetch(topic, 0, offset)?;
            if answer.error_code != NO_ERROR {
                return fail(format!(
                    "{topic}: reading offset {offset} of {end} is error {}",
                    answer.error_code
                ));
            }
            let served = batch::read(&answer.bytes, offset)?;
            if served.is_empty() {
                return fail(format!("{topic}: nothing is served at offset {offset} of {end}"));
            }
            for record in served {
                if record.offset != offset || record.value.get(..8) != Some(&offset.to_be_bytes()[..]) {
                    return fail(format!("{topic}: at offset {offset} another record is served"));
                }
                offset += 1;
            }
        }
        Ok(())
    }

    /// Produces one record as soon as there is room again.
    fn until_room(&mut self, why: &str) -> Outcome<()> {
        let deadline = Instant::now() + ROOM_LIMIT;
        let number = self.connection.list_offset(MAIN_TOPIC, 0, -1)?;
        loop {
            let answer = self.produce_one(MAIN_TOPIC, number)?;
            if answer.error_code == NO_ERROR {
                return Ok(());
            }
            if Instant::now() > deadline {
                let text = answer.error_message.unwrap_or_default();
                return fail(format!(
                    "{why}, and still nothing can be produced: error {}, {text}",
                    answer.error_code
                ));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}
