//! `kafka-console-consumer`: the records of topics on the standard output.
//! Shell: the loop around `fetcher` and `membership`; `plan` reads the command line, `formatter` prints.

mod assignment;
mod fetcher;
mod formatter;
mod membership;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use regex::Regex;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use self::assignment::Partition;
use self::fetcher::{Fetcher, Range, Seen, walk};
use self::formatter::Message;
use self::membership::{Membership, Standing};
use self::plan::{OPTIONS, Plan, Source};
use crate::client::Client;
use crate::command::Line;
use crate::error::{Exception, Failure};
use crate::options::Options;
use crate::terminal::Terminal;

pub const LINE: Line = Line {
    about: "This tool helps to read data from Kafka topics and outputs it to standard output.",
    options: OPTIONS,
    run,
};

const CLASS: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const FETCH_WAIT: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);
/// What a shell says of a process that a signal ended.
const SIGNAL_CODE: i32 = 128;

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let plan = match plan::plan(options, terminal) {
        Err(Failure::Kafka(exception)) => return Err(unknown_error(terminal, &exception)?),
        other => other?,
    };
    if plan.says_new_protocol {
        writeln!(
            terminal.err,
            "The consumer rebalance protocol (KIP-848) is production-ready! Set group.protocol=consumer to try it out. \
             See https://kafka.apache.org/documentation/#consumer_rebalance_protocol"
        )?;
    }
    let mut consumer = Consumer::new(plan)?;
    let read = consumer.read(terminal);
    let closed = consumer.close(terminal);
    terminal.out.flush().ok();
    writeln!(terminal.err, "Processed a total of {} messages", consumer.count)?;
    match read.and(closed.map_err(Failure::Kafka)) {
        Err(Failure::Kafka(exception)) => Err(unknown_error(terminal, &exception)?),
        Err(other) => Err(other),
        Ok(()) => match consumer.signal.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => {
                if consumer.plan.logs_events {
                    terminal.say("shutdown_complete")?;
                }
                Err(Failure::Exit(SIGNAL_CODE + i32::try_from(signal).unwrap_or(0)))
            }
        },
    }
}

fn log(terminal: &mut Terminal<'_>, message: &str, exception: &str) -> Result<(), Failure> {
    terminal.log("ERROR", message, CLASS)?;
    Ok(writeln!(terminal.err, "{exception}")?)
}

fn unknown_error(terminal: &mut Terminal<'_>, exception: &Exception) -> Result<Failure, Failure> {
    log(terminal, "Unknown error when running consumer: ", &exception.to_string())?;
    Ok(Failure::Exit(1))
}

struct Consumer {
    plan: Plan,
    client: Client,
    fetcher: Fetcher,
    membership: Option<Membership>,
    topics: BTreeSet<String>,
    looked_up: Instant,
    count: u64,
    /// When a record came last.
    heard: Instant,
    /// The signal that ends it; 0 while there was none.
    signal: Arc<AtomicUsize>,
}

impl Consumer {
    fn new(plan: Plan) -> Result<Consumer, Failure> {
        let signal = Arc::new(AtomicUsize::new(0));
        let is_asked = Arc::new(AtomicBool::new(false));
        for number in [SIGINT, SIGTERM] {
            // Who asks twice does not want to wait for the group.
            flag::register_conditional_shutdown(number, SIGNAL_CODE + number, Arc::clone(&is_asked))?;
            flag::register(number, Arc::clone(&is_asked))?;
            flag::register_usize(number, Arc::clone(&signal), number.unsigned_abs() as usize)?;
        }
        let client = Client::new(&plan.address, plan.client.clone())?;
        let fetcher = Fetcher::new(plan.reset, plan.is_read_committed, plan.may_create);
        let membership = plan.membership.clone().map(Membership::new);
        Ok(Consumer {
            plan,
            client,
            fetcher,
            membership,
            topics: BTreeSet::new(),
            looked_up: Instant::now(),
            count: 0,
            heard: Instant::now(),
            signal,
        })
    }

    fn is_over(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
            || self.plan.messages_max.is_some_and(|max| self.count >= max)
    }

    /// How long the next record may still be waited for; `None` has no bound.
    fn left(&self) -> Option<Duration> {
        self.plan.timeout.map(|timeout| timeout.saturating_sub(self.heard.elapsed()))
    }

    /// Reads until it is enough. What the cluster says is logged and ends it well, as in `ConsoleConsumer.process`.
    fn read(&mut self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let over = "Error processing message, terminating consumer process: ";
        if let Err(exception) = self.begin(terminal) {
            return log(terminal, over, &exception.to_string());
        }
        while !self.is_over() {
            if self.left().is_some_and(|left| left.is_zero()) {
                return log(terminal, over, "org.apache.kafka.common.errors.TimeoutException");
            }
            let ranges = match self.step(terminal) {
                Ok(ranges) => ranges,
                Err(exception) => return log(terminal, over, &exception.to_string()),
            };
            for range in ranges {
                if !self.show(terminal, &range)? {
                    break;
                }
            }
            if terminal.out.flush().is_err() {
                writeln!(terminal.err, "Unable to write to standard out, closing consumer.")?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits until the topics are there, and has partitions.
    fn begin(&mut self, terminal: &mut Terminal<'_>) -> Result<(), Exception> {
        loop {
            let found = self.look_up(terminal)?;
            if self.membership.is_some() && !self.topics.is_empty() {
                return self.join(terminal);
            }
            let wanted = self.wanted(found);
            if !wanted.is_empty() {
                return self.fetcher.assign(&mut self.client, terminal, &wanted, &BTreeMap::new());
            }
            if self.is_over() || self.left().is_some_and(|left| left.is_zero()) {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn look_up(&mut self, terminal: &mut Terminal<'_>) -> Result<Vec<Partition>, Exception> {
        self.looked_up = Instant::now();
        self.topics = match &self.plan.source {
            Source::Topic(topic) | Source::Partition(topic, _) => BTreeSet::from([topic.clone()]),
            Source::Include(pattern) => self.matching(&pattern.clone(), terminal)?,
        };
        if self.topics.is_empty() {
            return Ok(Vec::new());
        }
        self.fetcher.look_up(&mut self.client, terminal, &self.topics)
    }

    fn matching(
        &mut self,
        pattern: &Regex,
        terminal: &mut Terminal<'_>,
    ) -> Result<BTreeSet<String>, Exception> {
        let topics = crate::admin::list_topics(&mut self.client, terminal)?;
        let meant = topics.into_iter().filter(|(name, is_internal)| !is_internal && pattern.is_match(name));
        Ok(meant.map(|(name, _)| name).collect())
    }

    fn wanted(&self, found: Vec<Partition>) -> Vec<Partition> {
        match self.plan.source {
            Source::Partition(_, index) => {
                found.into_iter().filter(|partition| partition.index == index).collect()
            }
            Source::Topic(_) | Source::Include(_) => found,
        }
    }

    fn join(&mut self, terminal: &mut Terminal<'_>) -> Result<(), Exception> {
        let until = self.left().map(|left| Instant::now() + left);
        let membership = self.membership.as_mut().expect("it is in a group");
        let Some(assigned) = membership.join(&mut self.client, terminal, &self.topics, until)? else {
            return Ok(());
        };
        let topics = assigned.iter().map(|partition| partition.topic.clone()).collect();
        let found = self.fetcher.look_up(&mut self.client, terminal, &topics)?;
        let is_mine = |found: &Partition| {
            assigned.iter().any(|mine| mine.topic == found.topic && mine.index == found.index)
        };
        let mine: Vec<Partition> = found.into_iter().filter(is_mine).collect();
        let known = match mine.is_empty() {
            true => BTreeMap::new(),
            false => membership.committed(&mut self.client, terminal, &mine)?,
        };
        // What it read before it joined again and did not commit, others may have read since.
        self.fetcher.assign(&mut self.client, terminal, &[], &BTreeMap::new())?;
        self.fetcher.assign(&mut self.client, terminal, &mine, &known)
    }

    /// One look at the group, at new partitions, and at the leaders.
    fn step(&mut self, terminal: &mut Terminal<'_>) -> Result<Vec<Range>, Exception> {
        if let Some(membership) = &mut self.membership {
            let mut standing = membership.stay(&mut self.client, terminal)?;
            if standing == Standing::Member && membership.must_commit() {
                standing = membership.commit(
                    &mut self.client,
                    terminal,
                    self.fetcher.positions(),
                    self.fetcher.epochs(),
                )?;
            }
            if standing == Standing::MustJoin {
                // Refused when the group went on already: then others begin where the last commit was.
                membership.commit(
                    &mut self.client,
                    terminal,
                    self.fetcher.positions(),
                    self.fetcher.epochs(),
                )?;
                self.join(terminal)?;
            }
        }
        if self.looked_up.elapsed() >= self.plan.metadata_max_age {
            let before = self.topics.clone();
            let found = self.look_up(terminal)?;
            match self.membership.is_some() {
                true if before != self.topics => self.join(terminal)?,
                true => {}
                false => {
                    let wanted = self.wanted(found);
                    self.fetcher.assign(&mut self.client, terminal, &wanted, &BTreeMap::new())?;
                }
            }
        }
        let wait = self.left().map_or(FETCH_WAIT, |left| left.min(FETCH_WAIT));
        self.fetcher.fetch(&mut self.client, terminal, wait)
    }

    /// Prints the records of a range; false when it is enough.
    fn show(&mut self, terminal: &mut Terminal<'_>, range: &Range) -> Result<bool, Failure> {
        let Some(position) = self.fetcher.positions().get(&range.partition).copied() else { return Ok(true) };
        let plan = &self.plan;
        let (fetcher, count, heard) = (&mut self.fetcher, &mut self.count, &mut self.heard);
        let partition = &range.partition;
        walk(range, position, &mut |seen| {
            match seen {
                Seen::Record(message, epoch) => {
                    *count += 1;
                    fetcher.move_to(partition, message.offset + 1, epoch);
                    print(plan, terminal, &message)?;
                }
                Seen::BatchEnd(offset, epoch) => fetcher.move_to(partition, offset, epoch),
            }
            *heard = Instant::now();
            Ok(plan.messages_max.is_none_or(|max| *count < max))
        })
    }

    /// Commits and leaves, if it is in a group.
    fn close(&mut self, terminal: &mut Terminal<'_>) -> Result<(), Exception> {
        let Some(membership) = &mut self.membership else { return Ok(()) };
        membership.commit(&mut self.client, terminal, self.fetcher.positions(), self.fetcher.epochs())?;
        membership.leave(&mut self.client, terminal)
    }
}

fn print(plan: &Plan, terminal: &mut Terminal<'_>, message: &Message<'_>) -> Result<(), Failure> {
    match plan.formatter.write(message) {
        Ok((line, logged)) => {
            // An unwritable output is noticed by the flush behind the range.
            let _ = terminal.out.write_all(&line);
            match logged {
                Some(logged) => {
                    let class = "org.apache.kafka.tools.consumer.LoggingMessageFormatter";
                    Ok(terminal.log("INFO", &logged, class)?)
                }
                None => Ok(()),
            }
        }
        Err(why) => {
            let exception = Exception::kafka("SerializationException", why);
            if plan.skips_errors {
                let message = "Error processing message, skipping this message: ";
                return log(terminal, message, &exception.to_string());
            }
            Err(exception.into())
        }
    }
}
