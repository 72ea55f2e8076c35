//! Members of one classic group that join all at once, until every one is stable in the same generation.
//! Shell: sockets, the clock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, watch};
use tokio::task::JoinSet;

use super::frames::{self, request};
use super::gauge::cpu_seconds;
use super::load;
use super::scene::{PATIENCE, Scale, Side, TOPIC, create_topic};
use super::table::{Figure, Measured};
use super::workloads::sides;
use crate::broker::{Against, Broker};
use crate::failure::{Failure, Outcome, While, fail};
use crate::wire::{Answer, Body, Connection};

const ROW: &str = "group-500-members";
const MEMBERS: usize = 500;
/// A member that is stable learns only by its heartbeat that others have come.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(20);
const SESSION_TIMEOUT_MS: i32 = 30_000;

const JOIN_GROUP: i16 = 11;
const HEARTBEAT: i16 = 12;
const LEAVE_GROUP: i16 = 13;
const SYNC_GROUP: i16 = 14;
const REBALANCE_IN_PROGRESS: i16 = 27;

pub fn sides_of(scale: &Scale, of: &[Against]) -> Outcome<Vec<Side>> {
    let members = scale.part(MEMBERS);
    sides(of, &[], |broker| {
        create_topic(broker, TOPIC, 4)?;
        // Asking for the coordinator is what makes the topic of the offsets.
        Connection::open(broker.bootstrap(), PATIENCE)?.ask(10, 0, Body::default().string("bench-first"))?;
        let first = frames::offset_commit("bench-first", TOPIC);
        load::until_answered(broker.bootstrap(), &first, PATIENCE)?;
        let mut serial = 0;
        Ok(Box::new(move |broker, span| {
            let begin = Instant::now();
            loop {
                serial += 1;
                let measured = all_join(broker, &format!("bench-crowd-{serial}"), members)?;
                // A warm-up has no ramp and goes on until its time is over.
                if !span.ramp.is_zero() || begin.elapsed() >= span.measured {
                    return Ok(vec![(ROW, measured)]);
                }
            }
        }))
    })
}

/// What the members of one group share.
struct Crowd {
    group: String,
    size: usize,
    /// Connected, and waiting for everybody else to be.
    ready: Barrier,
    /// How many are stable in each generation.
    stable: Mutex<HashMap<i32, usize>>,
    all_stable: watch::Sender<Option<Instant>>,
}

fn all_join(broker: &dyn Broker, group: &str, size: usize) -> Outcome<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let crowd = Arc::new(Crowd {
        group: group.to_owned(),
        size,
        ready: Barrier::new(size + 1),
        stable: Mutex::new(HashMap::new()),
        all_stable: watch::Sender::new(None),
    });
    runtime.block_on(async {
        let mut members = JoinSet::new();
        for _ in 0..size {
            let (crowd, address) = (crowd.clone(), broker.bootstrap().to_owned());
            members.spawn(async move { Member::new(&address, crowd).await?.play().await });
        }
        crowd.ready.wait().await;
        let (start, cpu_before) = (Instant::now(), cpu_seconds(broker.pid())?);
        let mut all_stable = crowd.all_stable.subscribe();
        // A member that fails ends the wait as well.
        tokio::select! {
            _ = all_stable.wait_for(Option::is_some) => {}
            () = tokio::time::sleep(PATIENCE) => return fail("the members did not become stable"),
            Some(Ok(Err(failure))) = members.join_next() => return Err(failure),
        }
        let end = (*all_stable.borrow()).unwrap_or_else(Instant::now);
        let cpu = cpu_seconds(broker.pid())? - cpu_before;
        while let Some(ended) = members.join_next().await {
            ended.map_err(|_| Failure("a member panicked".to_owned()))??;
        }
        let time_ms = end.duration_since(start).as_secs_f64() * 1e3;
        Ok(Measured::default().with(Figure::TimeMs, time_ms).with(Figure::CpuSeconds, cpu))
    })
}

struct Member {
    stream: TcpStream,
    crowd: Arc<Crowd>,
    id: String,
    generation: i32,
}

impl Member {
    async fn new(address: &str, crowd: Arc<Crowd>) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await.while_doing(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, crowd, id: String::new(), generation: -1 })
    }

    async fn play(mut self) -> Outcome<()> {
        self.crowd.ready.wait().await;
        let mut all_stable = self.crowd.all_stable.subscribe();
        'joining: loop {
            let others = self.join().await?;
            if !self.sync(others).await? {
                continue;
            }
            self.crowd.count(self.generation);
            loop {
                tokio::select! {
                    _ = all_stable.wait_for(Option::is_some) => break 'joining,
                    () = tokio::time::sleep(HEARTBEAT_INTERVAL) => {}
                }
                if !self.heartbeat().await? {
                    continue 'joining;
                }
            }
        }
        let body = Body::default().string(&self.crowd.group).string(&self.id);
        self.ask(LEAVE_GROUP, 0, &body).await.map(drop)
    }

    /// The members of the new generation, told to its leader alone.
    async fn join(&mut self) -> Outcome<Vec<String>> {
        let body = Body::default().string(&self.crowd.group).i32(SESSION_TIMEOUT_MS).i32(60_000);
        let body = body.string(&self.id).string("consumer").i32(1).string("range").bytes(b"");
        let answer = self.ask(JOIN_GROUP, 2, &body).await?;
        let mut answer = Answer(&answer);
        let (_throttle_ms, code) = (answer.i32()?, answer.i16()?);
        if code != 0 {
            return fail(format!("JoinGroup answered error {code}"));
        }
        self.generation = answer.i32()?;
        let (_protocol, _leader, own) = (answer.string()?, answer.string()?, answer.string()?);
        self.id = own.unwrap_or_default();
        let mut members = Vec::new();
        for _ in 0..answer.i32()? {
            members.push(answer.string()?.unwrap_or_default());
            answer.bytes()?;
        }
        Ok(members)
    }

    /// False when the next rebalance has begun already.
    async fn sync(&mut self, others: Vec<String>) -> Outcome<bool> {
        let body = Body::default().string(&self.crowd.group).i32(self.generation).string(&self.id);
        let mut body = body.i32(i32::try_from(others.len()).unwrap_or(0));
        for member in others {
            body = body.string(&member).bytes(b"part");
        }
        let answer = self.ask(SYNC_GROUP, 0, &body).await?;
        goes_on("SyncGroup", Answer(&answer).i16()?)
    }

    async fn heartbeat(&mut self) -> Outcome<bool> {
        let body = Body::default().string(&self.crowd.group).i32(self.generation).string(&self.id);
        let answer = self.ask(HEARTBEAT, 0, &body).await?;
        goes_on("Heartbeat", Answer(&answer).i16()?)
    }

    /// The body of the answer, behind its correlation id.
    async fn ask(&mut self, key: i16, version: i16, body: &Body) -> Outcome<Vec<u8>> {
        self.stream.write_all(&request(key, version, body)).await?;
        let length = self.stream.read_i32().await.while_doing(|| "reading an answer".to_owned())?;
        let mut answer = vec![0; usize::try_from(length).unwrap_or(0)];
        self.stream.read_exact(&mut answer).await.while_doing(|| "reading an answer".to_owned())?;
        answer.drain(..4.min(answer.len()));
        Ok(answer)
    }
}

fn goes_on(what: &str, code: i16) -> Outcome<bool> {
    match code {
        0 => Ok(true),
        REBALANCE_IN_PROGRESS => Ok(false),
        code => fail(format!("{what} answered error {code}")),
    }
}

impl Crowd {
    fn count(&self, generation: i32) {
        let mut stable = self.stable.lock().unwrap_or_else(PoisonError::into_inner);
        let count = stable.entry(generation).or_default();
        *count += 1;
        if *count == self.size {
            self.all_stable.send_replace(Some(Instant::now()));
        }
    }
}
