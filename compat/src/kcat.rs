//! kcat through produce with every codec, a group of three, resume from commits and offsets by time.
//! Shell: child processes, files and the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Outcome, fail};
use crate::places::now_ms;
use crate::process::{POLL_INTERVAL, Process, capture};
use crate::steps::{Setting, Steps};
use crate::wire::Connection;

const LIMIT: Duration = Duration::from_secs(40);
const GROUP_LIMIT: Duration = Duration::from_secs(75);
const STOP_LIMIT: Duration = Duration::from_secs(10);
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const PARTITION_COUNT: i32 = 3;
const LARGE_VALUE_BYTES: usize = 1_000_000;
/// One line a record: partition, offset, key length (-1 for null), key, value length (-1 for null), headers.
const FORMAT: &str = "%p|%o|%K|%k|%S|%h\n";

/// Everything of a record that `FORMAT` shows, apart from where it lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Shown {
    key: Option<String>,
    value_bytes: i64,
    headers: String,
}

struct Kcat<'a> {
    setting: &'a Setting,
    topic: String,
    produced: Vec<Shown>,
    serial: u32,
}

pub fn play(setting: &Setting, steps: &mut Steps) -> Outcome<()> {
    let mut kcat =
        Kcat { setting, topic: format!("{}-topic", setting.namespace), produced: Vec::new(), serial: 0 };
    // kcat creates no topic of a given shape itself.
    let mut connection = Connection::open(&setting.bootstrap, LIMIT)?;
    match setting.replicas {
        1 => connection.create_topic(&kcat.topic, PARTITION_COUNT, &[])?,
        _ => connection.create_replicated_topic(&kcat.topic, PARTITION_COUNT, 3)?,
    }
    steps.step("list", || kcat.list())?;
    for codec in CODECS {
        steps.step(codec, || kcat.produce_codec(codec))?;
    }
    let group_ms = now_ms();
    let count_before = kcat.produced.len();
    let members = steps.step("group", || kcat.group())?;
    steps.step("resume", || kcat.resume(&members))?;
    steps.step("seek", || kcat.seek(group_ms, count_before))
}

impl Kcat<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kcat");
        command.args(["-b", &self.setting.bootstrap]).args(arguments);
        command
    }

    fn run(&mut self, arguments: &[&str], input: Option<&PathBuf>) -> Outcome<String> {
        self.serial += 1;
        let name = format!("kcat{}-{}", self.serial, arguments[0].trim_start_matches('-'));
        let input = input.map(PathBuf::as_path);
        Ok(capture(&name, &mut self.command(arguments), input, &self.setting.work_dir, LIMIT)?.output)
    }

    fn list(&mut self) -> Outcome<()> {
        let topic = self.topic.clone();
        let text = self.run(&["-L", "-t", &topic], None)?;
        if text.contains(&format!("topic \"{topic}\" with {PARTITION_COUNT} partitions")) {
            return Ok(());
        }
        fail(format!("kcat -L says\n{text}"))
    }

    /// Small records with keys, null keys and null values, and a few of a megabyte, all with headers.
    fn produce_codec(&mut self, codec: &str) -> Outcome<()> {
        self.produce_small(codec, self.setting.amounts.records_per_codec)?;
        let (topic, header) = (self.topic.clone(), format!("codec={codec}"));
        let path = self.setting.work_dir.join("large-record");
        fs::write(&path, [b'x'; LARGE_VALUE_BYTES])?;
        let file = path.display().to_string();
        let mut arguments = vec!["-P", "-t", &topic, "-z", codec, "-H", &header, "-k", "large"];
        arguments.extend(["-X", "message.max.bytes=1048576", &file, &file]);
        self.run(&arguments, None)?;
        let value_bytes = i64::try_from(LARGE_VALUE_BYTES).unwrap_or(-1);
        let large = Shown { key: Some("large".to_owned()), value_bytes, headers: header.clone() };
        self.produced.extend([large.clone(), large]);
        Ok(())
    }

    fn produce_small(&mut self, codec: &str, count: usize) -> Outcome<()> {
        let header = format!("codec={codec}");
        let mut lines = String::new();
        for serial in self.produced.len()..self.produced.len() + count {
            let key = if serial.is_multiple_of(5) { String::new() } else { format!("k{serial}") };
            let null_value = serial % 7 == 1 && !key.is_empty();
            let value = if null_value { String::new() } else { format!("value {serial}") };
            lines.push_str(&format!("{key}:{value}\n"));
            // With -Z an empty key or value is a null one.
            let value_bytes = if null_value { -1 } else { i64::try_from(value.len()).unwrap_or(-1) };
            let key = (!key.is_empty()).then_some(key);
            self.produced.push(Shown { key, value_bytes, headers: header.clone() });
        }
        let (topic, input) = (self.topic.clone(), self.setting.work_dir.join("lines"));
        fs::write(&input, lines)?;
        self.run(&["-P", "-t", &topic, "-z", codec, "-K:", "-Z", "-H", &header], Some(&input)).map(drop)
    }

    fn member(&self, role: &str) -> Outcome<Member> {
        let (output, errors) = (
            self.setting.work_dir.join(format!("{role}.out")),
            self.setting.work_dir.join(format!("{role}.err")),
        );
        let group = format!("{}-group", self.setting.namespace);
        let mut command = self.command(&["-G", &group, "-u", "-Z", "-f", FORMAT]);
        command
            .args(["-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=1000"])
            .args(["-X", "auto.offset.reset=earliest", "-X", "auto.commit.interval.ms=500"])
            .arg(&self.topic)
            .stdin(std::process::Stdio::null())
            .stdout(fs::File::create(&output)?)
            .stderr(fs::File::create(&errors)?);
        Ok(Member { process: Process::start_as_is(role, &mut command, &errors)?, output, errors })
    }

    /// Three members; one is asked to end and leaves, one is killed, the last one gets everything.
    fn group(&mut self) -> Outcome<Vec<Member>> {
        let count = self.setting.amounts.records_per_group_phase;
        let mut members = vec![
            self.member("member-stays")?,
            self.member("member-leaves")?,
            self.member("member-is-killed")?,
        ];
        let deadline = Instant::now() + GROUP_LIMIT;
        until(deadline, "one partition for each of three members", &members, |members| {
            Ok(members.iter().all(|member| member.assigned_count() == 1))
        })?;
        self.produce_small("none", count)?;
        self.until_all_came(deadline, &members)?;
        members[1].process.stop(STOP_LIMIT)?;
        self.produce_small("none", count)?;
        members[2].process.kill9()?;
        self.produce_small("none", count)?;
        self.until_all_came(deadline, &members)?;
        until(deadline, "all partitions for the last member", &members, |members| {
            Ok(members[0].assigned_count() == 3)
        })?;
        members[0].process.stop(STOP_LIMIT)?;
        Ok(members)
    }

    fn until_all_came(&self, deadline: Instant, members: &[Member]) -> Outcome<()> {
        let wanted = self.produced.len();
        until(deadline, &format!("{wanted} records"), members, |members| Ok(came(members)?.len() >= wanted))?;
        let mut came: Vec<Shown> = came(members)?.into_values().collect();
        let mut produced = self.produced.clone();
        came.sort();
        produced.sort();
        if came == produced {
            return Ok(());
        }
        let changed = produced.iter().zip(&came).find(|(before, after)| before != after);
        fail(format!("produced {}, came {}; the first difference is {changed:?}", produced.len(), came.len()))
    }

    /// A new member starts at the commits of those that ended in an orderly way.
    fn resume(&mut self, members: &[Member]) -> Outcome<()> {
        const COUNT: usize = 30;
        let before: BTreeSet<(i32, i64)> = came(members)?.into_keys().collect();
        self.produce_small("none", COUNT)?;
        let mut members = vec![self.member("member-resumes")?];
        until(Instant::now() + GROUP_LIMIT, "the new records", &members, |members| {
            Ok(came(members)?.len() >= COUNT)
        })?;
        members[0].process.stop(STOP_LIMIT)?;
        let again = came(&members)?.into_keys().filter(|place| before.contains(place)).count();
        if again == 0 {
            return Ok(());
        }
        fail(format!("{again} records came again after they were committed"))
    }

    /// Everything from a moment on is what was produced after it.
    fn seek(&mut self, from_ms: i64, count_before: usize) -> Outcome<()> {
        let (topic, from) = (self.topic.clone(), format!("s@{from_ms}"));
        let text = self.run(&["-C", "-t", &topic, "-o", &from, "-e", "-q", "-Z", "-f", FORMAT], None)?;
        let (found, wanted) = (text.lines().count(), self.produced.len() - count_before);
        if found == wanted {
            return Ok(());
        }
        fail(format!("from that time on there are {wanted} records, kcat found {found}"))
    }
}

struct Member {
    process: Process,
    output: PathBuf,
    errors: PathBuf,
}

impl Member {
    /// How many partitions it held according to the last line about it.
    fn assigned_count(&self) -> usize {
        let text = fs::read_to_string(&self.errors).unwrap_or_default();
        let last = text.lines().rfind(|line| line.contains("assigned:") || line.contains("revoked:"));
        last.and_then(|line| line.split_once("): assigned:")).map_or(0, |(_, list)| list.matches('[').count())
    }
}

/// Every record that the members printed, by its place; one place can hold only one record.
fn came(members: &[Member]) -> Outcome<BTreeMap<(i32, i64), Shown>> {
    let mut records = BTreeMap::new();
    for member in members {
        let text = fs::read_to_string(&member.output).unwrap_or_default();
        // What follows the last line end is still being written, or was cut by the kill.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            let Some((place, shown)) = parse(line) else { return fail(format!("kcat printed {line}")) };
            if let Some(other) = records.insert(place, shown.clone())
                && other != shown
            {
                return fail(format!("partition {} has two records at offset {}", place.0, place.1));
            }
        }
    }
    Ok(records)
}

fn parse(line: &str) -> Option<((i32, i64), Shown)> {
    let mut words = line.splitn(6, '|');
    let place = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let key_bytes: i64 = words.next()?.parse().ok()?;
    let key = words.next().map(|key| (key_bytes >= 0).then(|| key.to_owned()))?;
    let shown = Shown {
        key,
        value_bytes: words.next()?.parse().ok()?,
        headers: words.next().unwrap_or_default().to_owned(),
    };
    Some((place, shown))
}

fn until(
    deadline: Instant,
    what: &str,
    members: &[Member],
    done: impl Fn(&[Member]) -> Outcome<bool>,
) -> Outcome<()> {
    while !done(members)? {
        if Instant::now() >= deadline {
            let assigned: Vec<usize> = members.iter().map(Member::assigned_count).collect();
            return fail(format!(
                "{what}: not in time; {} came, members hold {assigned:?} partitions",
                came(members)?.len()
            ));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_null_key_is_read() {
        let shown = Shown { key: None, value_bytes: 7, headers: "codec=lz4".to_owned() };
        assert_eq!(parse("2|41|-1|NULL|7|codec=lz4"), Some(((2, 41), shown)));
        assert_eq!(parse("2|41"), None);
    }
}
