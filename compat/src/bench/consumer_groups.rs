//! A consumer group of the new protocol (KIP-848): quiet heartbeats, a hundred members that join at once, one that leaves.
//! Shell: sockets, the clock. Members are names: a few connections send the heartbeats of all, as fast as they are answered,
//! so that what is measured is the broker and not how often a client asks.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::frames;
use super::gauge::cpu_seconds;
use super::load;
use super::scene::{PATIENCE, Rows, Scale, create_topic, start};
use super::table::{Figure, Measured};
use crate::broker::{Against, Broker};
use crate::failure::{Failure, Outcome, fail};
use crate::wire::{Answer, Body, Connection};

const CONSUMER_GROUP_HEARTBEAT: i16 = 68;
const GROUP: &str = "bench-consumers";
const MEMBERS: usize = 1_000;
const JOINING: usize = 100;
const TOPICS: usize = 10;
const PARTITIONS: usize = 1_000;
const CONNECTIONS: usize = 4;
const STABLE_LIMIT: Duration = Duration::from_secs(120);
const QUIET_SPAN: Duration = Duration::from_secs(3);

type Owned = Vec<([u8; 16], Vec<i32>)>;

struct Member {
    id: String,
    epoch: i32,
    owned: Owned,
    /// It was given another assignment and has not said yet that it has it.
    owes_word: bool,
}

/// What one heartbeat came to.
struct Beaten {
    is_changed: bool,
    took: Duration,
}

pub fn run(against: Against, scale: &Scale) -> Outcome<Rows> {
    let (members, joining) = (scale.part(MEMBERS).max(8), scale.part(JOINING).max(2));
    let partitions = scale.part(PARTITIONS).max(members.div_ceil(TOPICS));
    let broker = start(against, &["group.consumer.assignment.interval.ms=0"])?;
    let topics: Vec<String> = (0..TOPICS).map(|number| format!("bench-read-{number}")).collect();
    for topic in &topics {
        create_topic(&*broker, topic, i32::try_from(partitions).unwrap_or(1))?;
    }
    // Asking for the coordinator is what makes the topic of the offsets.
    Connection::open(broker.bootstrap(), PATIENCE)?.ask(10, 0, Body::default().string(GROUP))?;
    load::until_answered(broker.bootstrap(), &frames::offset_commit(GROUP, &topics[0]), PATIENCE)?;
    let mut crowd = Crowd::open(&*broker, topics, partitions * TOPICS)?;
    crowd.join(0..members - joining);
    crowd.until_stable()?;
    let quiet = crowd.quiet(broker.pid())?;
    crowd.join(members - joining..members);
    let joined = crowd.until_stable()?;
    crowd.leave()?;
    let left = crowd.until_stable()?;
    Ok(vec![("consumer-group-quiet", quiet), ("consumer-group-join", joined), ("consumer-group-leave", left)])
}

struct Crowd {
    connections: Vec<Connection>,
    topics: Vec<String>,
    partition_count: usize,
    members: Vec<Member>,
}

impl Crowd {
    fn open(broker: &dyn Broker, topics: Vec<String>, partition_count: usize) -> Outcome<Crowd> {
        let open = |_| Connection::open(broker.bootstrap(), PATIENCE);
        let connections = (0..CONNECTIONS).map(open).collect::<Outcome<_>>()?;
        Ok(Crowd { connections, topics, partition_count, members: Vec::new() })
    }

    fn join(&mut self, numbers: std::ops::Range<usize>) {
        let new = |number| Member {
            id: format!("bench-member-{number}"),
            epoch: 0,
            owned: Owned::new(),
            owes_word: false,
        };
        self.members.extend(numbers.map(new));
    }

    fn leave(&mut self) -> Outcome<()> {
        let Some(mut gone) = self.members.pop() else { return Ok(()) };
        gone.epoch = -1;
        beat(&mut self.connections[0], &mut gone, &self.topics).map(drop)
    }

    /// One heartbeat of every member.
    fn round(&mut self) -> Outcome<Vec<Beaten>> {
        let (topics, part) = (&self.topics, self.members.len().div_ceil(CONNECTIONS));
        std::thread::scope(|scope| {
            let shares = self.connections.iter_mut().zip(self.members.chunks_mut(part));
            let threads: Vec<_> = shares
                .map(|(connection, members)| {
                    scope.spawn(move || {
                        members
                            .iter_mut()
                            .map(|member| beat(connection, member, topics))
                            .collect::<Outcome<_>>()
                    })
                })
                .collect();
            let mut all = Vec::new();
            for thread in threads {
                let beaten: Vec<Beaten> =
                    thread.join().map_err(|_| Failure("a thread panicked".to_owned()))??;
                all.extend(beaten);
            }
            Ok(all)
        })
    }

    fn is_stable(&self) -> bool {
        let first = self.members.first().map(|member| member.epoch);
        let owned = self.members.iter().flat_map(|member| &member.owned);
        let pairs = owned.flat_map(|(id, partitions)| partitions.iter().map(move |one| (id, *one)));
        self.members.iter().all(|member| Some(member.epoch) == first)
            && pairs.collect::<BTreeSet<_>>().len() == self.partition_count
    }

    /// How long until all members are in one epoch and every partition is somebody's.
    fn until_stable(&mut self) -> Outcome<Measured> {
        let begin = Instant::now();
        let mut latencies = Histogram::<u64>::new(3).map_err(|error| Failure(error.to_string()))?;
        loop {
            let round = self.round()?;
            for beaten in &round {
                latencies.saturating_record(u64::try_from(beaten.took.as_micros()).unwrap_or(u64::MAX));
            }
            if round.iter().all(|beaten| !beaten.is_changed) && self.is_stable() {
                let millis = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
                return Ok(Measured::default()
                    .with(Figure::TimeMs, begin.elapsed().as_secs_f64() * 1e3)
                    .with(Figure::P99Ms, millis(0.99))
                    .with(Figure::MaxMs, millis(1.0)));
            }
            if begin.elapsed() > STABLE_LIMIT {
                return fail("the group did not become stable");
            }
        }
    }

    /// What a heartbeat costs when nothing happens.
    fn quiet(&mut self, pid: u32) -> Outcome<Measured> {
        let (begin, before) = (Instant::now(), cpu_seconds(pid)?);
        let mut count = 0;
        while begin.elapsed() < QUIET_SPAN {
            count += self.round()?.len();
        }
        let cpu = cpu_seconds(pid)? - before;
        Ok(Measured::default()
            .with(Figure::PerSecond, count as f64 / begin.elapsed().as_secs_f64())
            .with(Figure::CpuMicrosPerRequest, cpu * 1e6 / count as f64))
    }
}

fn beat(connection: &mut Connection, member: &mut Member, topics: &[String]) -> Outcome<Beaten> {
    const FENCED_MEMBER_EPOCH: i16 = 110;
    let is_join = member.epoch == 0;
    let mut body = vec![0]; // no tagged fields in the header
    compact_string(&mut body, GROUP);
    compact_string(&mut body, &member.id);
    body.extend(member.epoch.to_be_bytes());
    body.extend([0, 0]); // no instance, no rack
    body.extend(if is_join { 60_000i32 } else { -1 }.to_be_bytes());
    match is_join {
        true => {
            varint(&mut body, topics.len() + 1);
            topics.iter().for_each(|topic| compact_string(&mut body, topic));
        }
        false => body.push(0),
    }
    body.extend([0, 0]); // no regular expression, no assignor
    match is_join || member.owes_word {
        true => compact_owned(&mut body, if is_join { &[] } else { &member.owned }),
        false => body.push(0),
    }
    body.push(0);
    let begin = Instant::now();
    let answer = connection.ask(CONSUMER_GROUP_HEARTBEAT, 1, Body(body))?;
    let took = begin.elapsed();
    let mut answer = Answer(&answer);
    answer.take(5)?; // no tagged fields, throttle time
    let error = answer.i16()?;
    if error == FENCED_MEMBER_EPOCH {
        (member.epoch, member.owned, member.owes_word) = (0, Owned::new(), false);
        return Ok(Beaten { is_changed: true, took });
    }
    if error != 0 {
        return fail(format!("a heartbeat was answered with error {error}"));
    }
    skip_compact(&mut answer)?; // message
    skip_compact(&mut answer)?; // member id
    let epoch = answer.i32()?;
    let _interval_ms = answer.i32()?;
    let mut is_changed = epoch != member.epoch || member.owes_word;
    (member.epoch, member.owes_word) = (epoch, false);
    if answer.i8()? >= 0 {
        let owned = read_owned(&mut answer)?;
        is_changed |= owned != member.owned;
        member.owes_word = owned != member.owned;
        member.owned = owned;
    }
    Ok(Beaten { is_changed, took })
}

fn varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn compact_string(out: &mut Vec<u8>, text: &str) {
    varint(out, text.len() + 1);
    out.extend(text.as_bytes());
}

fn compact_owned(out: &mut Vec<u8>, owned: &[([u8; 16], Vec<i32>)]) {
    varint(out, owned.len() + 1);
    for (id, partitions) in owned {
        out.extend(id);
        varint(out, partitions.len() + 1);
        partitions.iter().for_each(|partition| out.extend(partition.to_be_bytes()));
        out.push(0);
    }
}

fn read_varint(answer: &mut Answer<'_>) -> Outcome<usize> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = answer.take(1)?[0];
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
        shift += 7;
        if shift > 28 {
            return fail("a number without an end");
        }
    }
}

fn skip_compact(answer: &mut Answer<'_>) -> Outcome<()> {
    let length = read_varint(answer)?.saturating_sub(1);
    answer.take(length).map(drop)
}

fn read_owned(answer: &mut Answer<'_>) -> Outcome<Owned> {
    let count = read_varint(answer)?.saturating_sub(1);
    let mut owned = Owned::new();
    for _ in 0..count {
        let mut id = [0; 16];
        id.copy_from_slice(answer.take(16)?);
        let partitions = read_varint(answer)?.saturating_sub(1);
        let partitions = (0..partitions).map(|_| answer.i32()).collect::<Outcome<_>>()?;
        answer.take(1)?; // no tagged fields
        owned.push((id, partitions));
    }
    Ok(owned)
}
