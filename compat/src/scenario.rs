//! The one scenario that every client library plays, in its own hand, through the line contract.
//! Shell: client processes and the clock.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::contract::{Client, Event, Program, Record};
use crate::failure::{Outcome, While, fail};
use crate::ledger::{Ledger, PARTITION_COUNT};
use crate::places::now_ms;
use crate::steps::{Setting, Steps};

const VERB_LIMIT: Duration = Duration::from_secs(40);
/// Three joins, and the six seconds of session that a killed member keeps, on a loaded machine.
const GROUP_LIMIT: Duration = Duration::from_secs(75);
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const SMALL_VALUE_BYTES: usize = 100;
const LARGE_VALUE_BYTES: usize = 1_000_000;
const LARGE_COUNT: usize = 3;
const RESUME_COUNT: usize = 30;

/// Plays all steps; the first failure ends it.
pub fn play(program: &Program, setting: &Setting, steps: &mut Steps) -> Outcome<()> {
    let mut scene = Scene::new(program, setting)?;
    let codecs = steps.step("start", || scene.codecs())?;
    steps.step("create", || scene.create())?;
    for codec in CODECS {
        if codecs.iter().any(|supported| supported == codec) {
            steps.step(codec, || scene.produce_codec(codec))?;
        } else {
            steps.skip(codec, "the client has no such codec");
        }
    }
    steps.step("group", || scene.group())?;
    steps.step("commit", || scene.committed())?;
    steps.step("resume", || scene.resume())?;
    steps.step("seek", || scene.seek())?;
    steps.step("describe", || scene.describe("retention.ms", "604800000"))?;
    steps.step("alter", || scene.alter("retention.ms", "86400000"))?;
    steps.step("delete", || scene.delete())?;
    steps.step("end", || {
        scene.driver.tell("quit")?;
        scene.driver.wait_for_end(VERB_LIMIT)
    })
}

/// The same in short: a topic, records, and one member of a group that gets them.
pub fn play_briefly(program: &Program, setting: &Setting, steps: &mut Steps) -> Outcome<()> {
    let mut scene = Scene::new(program, setting)?;
    steps.step("create", || scene.create())?;
    steps.step("none", || scene.produce_codec("none"))?;
    steps.step("resume", || scene.resume())?;
    steps.step("commit", || scene.committed())?;
    steps.step("delete", || scene.delete())?;
    steps.step("end", || {
        scene.driver.tell("quit")?;
        scene.driver.wait_for_end(VERB_LIMIT)
    })
}

struct Scene<'a> {
    topic: String,
    group: String,
    driver: Client,
    ledger: Ledger,
    program: &'a Program,
    setting: &'a Setting,
}

impl<'a> Scene<'a> {
    fn new(program: &'a Program, setting: &'a Setting) -> Outcome<Self> {
        Ok(Scene {
            topic: format!("{}-topic", setting.namespace),
            group: format!("{}-group", setting.namespace),
            driver: Client::start(program, "driver", &setting.bootstrap, &setting.work_dir)?,
            ledger: Ledger::new(now_ms()),
            program,
            setting,
        })
    }

    fn codecs(&mut self) -> Outcome<Vec<String>> {
        match self.driver.ask("codecs", VERB_LIMIT)?.pop() {
            Some(Event::Codecs(codecs)) => Ok(codecs),
            other => fail(format!("instead of its codecs the client said {other:?}")),
        }
    }

    fn create(&mut self) -> Outcome<()> {
        let verb = format!("create {} {PARTITION_COUNT} {}", self.topic, self.setting.replicas);
        self.driver.ask(&verb, VERB_LIMIT).map(drop)
    }

    fn produce(&mut self, codec: &str, count: usize, value_bytes: usize) -> Outcome<()> {
        let (first, timestamp) = (self.ledger.next_id(), self.ledger.base_timestamp_ms());
        let verb = format!("produce {} {codec} {first} {count} {value_bytes} {timestamp}", self.topic);
        self.driver.ask(&verb, VERB_LIMIT)?;
        self.ledger.produced(codec, count, value_bytes);
        Ok(())
    }

    fn produce_codec(&mut self, codec: &str) -> Outcome<()> {
        self.produce(codec, self.setting.amounts.records_per_codec, SMALL_VALUE_BYTES)?;
        self.produce(codec, LARGE_COUNT, LARGE_VALUE_BYTES)
    }

    fn member(&mut self, role: &str) -> Outcome<Member> {
        let mut client = Client::start(self.program, role, &self.setting.bootstrap, &self.setting.work_dir)?;
        client.tell(&format!("member {} {}", self.topic, self.group))?;
        Ok(Member { client, assigned: Vec::new(), next_offsets: BTreeMap::new(), left: false })
    }

    /// Three members share the topic while records keep coming; one leaves, one is killed, one remains with all.
    fn group(&mut self) -> Outcome<()> {
        let count = self.setting.amounts.records_per_group_phase;
        let deadline = Instant::now() + GROUP_LIMIT;
        let mut members =
            [self.member("member-stays")?, self.member("member-leaves")?, self.member("member-is-killed")?];
        listen(
            &mut members,
            &mut self.ledger,
            deadline,
            "one partition for each of three members",
            |members, _| members.iter().all(|member| member.assigned.len() == 1),
        )?;
        self.produce("none", count, SMALL_VALUE_BYTES)?;
        listen(&mut members, &mut self.ledger, deadline, "all records to three members", |_, ledger| {
            ledger.missing_count() == 0
        })?;
        let [stays, mut leaves, mut killed] = members;
        leaves.client.tell("leave")?;
        self.produce("none", count, SMALL_VALUE_BYTES)?;
        for event in killed.client.kill9()? {
            killed.on_event(event, &mut self.ledger)?;
        }
        self.produce("none", count, SMALL_VALUE_BYTES)?;
        let mut members = [stays, leaves];
        let all_here = |members: &[Member], ledger: &Ledger| {
            ledger.missing_count() == 0 && members[1].left && members[0].assigned.len() == PARTITION_COUNT
        };
        listen(
            &mut members,
            &mut self.ledger,
            deadline,
            "all partitions and records to the last member",
            all_here,
        )?;
        let [stays, mut leaves] = members;
        leaves.client.wait_for_end(VERB_LIMIT)?;
        leave(stays, &mut self.ledger)
    }

    /// What the group committed is where it stopped.
    fn committed(&mut self) -> Outcome<()> {
        let events = self.driver.ask(&format!("committed {}", self.group), VERB_LIMIT)?;
        let committed: BTreeMap<i32, i64> = events
            .into_iter()
            .filter_map(|event| match event {
                Event::Offset { partition, offset } => Some((partition, offset)),
                _ => None,
            })
            .collect();
        let expected: BTreeMap<i32, i64> = (0..).zip(self.ledger.end_offsets().iter().copied()).collect();
        if committed == expected {
            return Ok(());
        }
        fail(format!("committed offsets are {committed:?}, the group consumed up to {expected:?}"))
    }

    /// A new member of the old group gets what came since, and nothing again.
    fn resume(&mut self) -> Outcome<()> {
        self.produce("none", RESUME_COUNT, SMALL_VALUE_BYTES)?;
        let repeated_before = self.ledger.repeated_count();
        let deadline = Instant::now() + GROUP_LIMIT;
        let mut members = [self.member("member-resumes")?];
        listen(&mut members, &mut self.ledger, deadline, "the records since the commit", |_, ledger| {
            ledger.missing_count() == 0
        })?;
        let [member] = members;
        leave(member, &mut self.ledger)?;
        match self.ledger.repeated_count() - repeated_before {
            0 => Ok(()),
            count => fail(format!("{count} records came again after their offsets were committed")),
        }
    }

    /// The client finds, in each partition, the first record from a moment on.
    fn seek(&mut self) -> Outcome<()> {
        let id = self.ledger.next_id() / 2;
        let timestamp_ms = self.ledger.base_timestamp_ms() + i64::try_from(id).unwrap_or(0);
        let events = self.driver.ask(&format!("seek {} {timestamp_ms}", self.topic), VERB_LIMIT)?;
        let mut found: Vec<usize> = Vec::new();
        for event in events {
            if let Event::Record(record) = event {
                found.push(self.ledger.check(&record)?);
            }
        }
        found.sort_unstable();
        let mut expected: Vec<usize> =
            (0..PARTITION_COUNT).filter_map(|partition| self.ledger.first_id_from(id, partition)).collect();
        expected.sort_unstable();
        if found == expected {
            return Ok(());
        }
        fail(format!("from the time of record {id} on the client found {found:?} instead of {expected:?}"))
    }

    fn describe(&mut self, key: &str, expected: &str) -> Outcome<()> {
        let events = self.driver.ask(&format!("describe-config {} {key}", self.topic), VERB_LIMIT)?;
        let wanted = Event::Config { key: key.to_owned(), value: expected.to_owned() };
        if events.contains(&wanted) {
            return Ok(());
        }
        fail(format!("{key} should be {expected}, the client read {events:?}"))
    }

    fn alter(&mut self, key: &str, value: &str) -> Outcome<()> {
        self.driver.ask(&format!("alter-config {} {key} {value}", self.topic), VERB_LIMIT)?;
        self.until_in_force(|scene| scene.describe(key, value))
    }

    fn delete(&mut self) -> Outcome<()> {
        self.driver.ask(&format!("delete {}", self.topic), VERB_LIMIT)?;
        self.until_in_force(|scene| {
            let events = scene.driver.ask(&format!("exists {}", scene.topic), VERB_LIMIT)?;
            if events.contains(&Event::Exists(false)) {
                return Ok(());
            }
            fail("the deleted topic is still listed")
        })
    }

    /// Apache Kafka answers a change before every broker has heard of it, so there the look may be repeated.
    fn until_in_force(&mut self, look: impl Fn(&mut Self) -> Outcome<()>) -> Outcome<()> {
        let deadline = Instant::now() + VERB_LIMIT;
        loop {
            let seen = look(self);
            if seen.is_ok() || self.setting.changes_at_once || Instant::now() > deadline {
                return seen;
            }
        }
    }
}

struct Member {
    client: Client,
    assigned: Vec<i32>,
    next_offsets: BTreeMap<i32, i64>,
    left: bool,
}

impl Member {
    /// Takes in one event; between two assignments a partition's records must come without gap or repetition.
    fn on_event(&mut self, event: Event, ledger: &mut Ledger) -> Outcome<()> {
        match event {
            Event::Assigned(partitions) => {
                self.assigned = partitions;
                self.next_offsets.clear();
            }
            Event::Record(record) => self.on_record(&record, ledger)?,
            Event::Left => {
                self.left = true;
                self.assigned.clear();
            }
            Event::Error(text) => return fail(text),
            _ => {}
        }
        Ok(())
    }

    fn on_record(&mut self, record: &Record, ledger: &mut Ledger) -> Outcome<()> {
        ledger.consumed(record)?;
        let next = self.next_offsets.entry(record.partition).or_insert(record.offset);
        if *next != record.offset {
            return fail(format!(
                "partition {}: offset {} came where {next} was due",
                record.partition, record.offset
            ));
        }
        *next += 1;
        Ok(())
    }
}

/// Takes in what the members say until `done`; the error names what did not come.
fn listen(
    members: &mut [Member],
    ledger: &mut Ledger,
    deadline: Instant,
    what: &str,
    done: impl Fn(&[Member], &Ledger) -> bool,
) -> Outcome<()> {
    const TURN: Duration = Duration::from_millis(5);
    while !done(members, ledger) {
        if Instant::now() >= deadline {
            let assigned: Vec<_> = members.iter().map(|member| member.assigned.clone()).collect();
            let errors = members.first().map(|member| member.client.last_errors()).unwrap_or_default();
            return fail(format!(
                "{what}: not in time; {} records are missing, assigned are {assigned:?}\n{errors}",
                ledger.missing_count()
            ));
        }
        for member in members.iter_mut().filter(|member| !member.left) {
            while let Some(event) = member.client.next_event(Instant::now() + TURN)? {
                member.on_event(event, ledger)?;
                if member.left {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// An orderly end of the last member; what it still says is checked like the rest.
fn leave(mut member: Member, ledger: &mut Ledger) -> Outcome<()> {
    member.client.tell("leave").while_doing(|| "leaving".to_owned())?;
    let mut members = [member];
    listen(&mut members, ledger, Instant::now() + VERB_LIMIT, "the end of the last member", |members, _| {
        members[0].left
    })?;
    let [mut member] = members;
    member.client.wait_for_end(VERB_LIMIT)
}
