//! What one connection of a load does: the same request again, many in turn, on a schedule, or reading a log.
//! Shell: sockets, threads, the clock.

use std::collections::VecDeque;
use std::io::Write;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::address::Address;
use super::answers::Answers;
use super::frames::{FetchFrame, Frame};
use super::load::{Batches, Stage, Tally};
use super::login;
use crate::failure::{Failure, Outcome, While, fail};

/// One connection of a load.
#[derive(Debug)]
pub enum Client {
    /// The same request again and again, this many on their way at once.
    Repeat { frame: Frame, window: usize },
    /// Many requests in turn.
    Rotate { frames: Vec<Frame>, window: usize },
    /// The same request on a schedule that no slow answer delays, this many a second; a request is late from the
    /// moment it was due. A second connection reads what was written, if there is one.
    Paced { frame: Frame, per_second: u32, reader: Option<(FetchFrame, Batches)> },
    /// Reads a log of equal batches from its start, over and over; into memory, as a consumer does, or into nothing.
    Reader { fetch: FetchFrame, batches: Batches, end_offset: i64, discards: bool },
    /// Reads what arrives; its requests count as none, its bytes do.
    Tail { fetch: FetchFrame, batches: Batches },
    /// Sends this many fetches at once and throws away what comes.
    Gulp { fetch: FetchFrame, window: usize },
    /// Connects, asks once and goes, again and again.
    Newcomer { frame: Frame },
    /// Connects, logs in and goes, again and again.
    Login,
}

impl Client {
    pub fn run(self, address: &Address, stage: &Arc<Stage>) -> Outcome<Tally> {
        match self {
            Self::Repeat { frame, window } => repeat(address, &frame, window, Answers::small(), stage),
            Self::Gulp { fetch, window } => repeat(address, &fetch.frame, window, Answers::large(), stage),
            Self::Newcomer { frame } => again(stage, || ask(address, &frame)),
            Self::Login => again(stage, || login::log_in(address.host()).map(|()| 1)),
            Self::Rotate { frames, window } => rotate(address, &frames, window, stage),
            Self::Paced { frame, per_second, reader } => paced(address, frame, per_second, reader, stage),
            Self::Reader { fetch, batches, end_offset, discards } => {
                let answers = if discards { Answers::large() } else { Answers::small() };
                read_log(address, fetch, batches, Some(end_offset), answers, stage)
            }
            Self::Tail { fetch, batches } => {
                let mut tally = read_log(address, fetch, batches, None, Answers::small(), stage)?;
                tally.requests = 0;
                tally.latency.reset();
                Ok(tally)
            }
        }
    }
}

fn repeat(
    address: &Address,
    frame: &Frame,
    window: usize,
    mut answers: Answers,
    stage: &Arc<Stage>,
) -> Outcome<Tally> {
    let (mut stream, mut tally) = (address.connect()?, Tally::new(stage)?);
    // As many copies as one write may carry: a burst costs one system call.
    let burst = frame.bytes.repeat(window);
    let mut sent_at: VecDeque<Instant> = VecDeque::with_capacity(window);
    loop {
        if stage.is_over() && sent_at.is_empty() {
            return Ok(tally);
        }
        let room = window - sent_at.len();
        if !stage.is_over() && room > 0 {
            let now = Instant::now();
            stream.write_all(&burst[..room * frame.bytes.len()]).while_doing(|| "sending".to_owned())?;
            sent_at.extend(std::iter::repeat_n(now, room));
        }
        if sent_at.is_empty() {
            continue;
        }
        answers.read(&mut stream, frame, |_, size| {
            if let Some(since) = sent_at.pop_front() {
                tally.note(frame.bytes.len().max(size), since);
            }
        })?;
    }
}

/// Does something until the time is over; it says how many bytes came of it.
fn again(stage: &Arc<Stage>, mut once: impl FnMut() -> Outcome<usize>) -> Outcome<Tally> {
    let mut tally = Tally::new(stage)?;
    while !stage.is_over() {
        let since = Instant::now();
        let bytes = once()?;
        tally.note(bytes, since);
    }
    Ok(tally)
}

fn ask(address: &Address, frame: &Frame) -> Outcome<usize> {
    let (mut stream, mut answers, mut bytes) = (address.connect()?, Answers::small(), 0);
    stream.write_all(&frame.bytes).while_doing(|| "sending".to_owned())?;
    while answers.read(&mut stream, frame, |_, size| bytes = size)? == 0 {}
    Ok(bytes)
}

fn rotate(address: &Address, frames: &[Frame], window: usize, stage: &Arc<Stage>) -> Outcome<Tally> {
    let (mut stream, mut tally, mut answers) = (address.connect()?, Tally::new(stage)?, Answers::small());
    let mut sent_at: VecDeque<Instant> = VecDeque::with_capacity(window);
    let mut next = frames.iter().cycle();
    loop {
        while !stage.is_over() && sent_at.len() < window {
            let Some(frame) = next.next() else { return fail("a load of no requests") };
            let now = Instant::now();
            stream.write_all(&frame.bytes).while_doing(|| "sending".to_owned())?;
            sent_at.push_back(now);
        }
        if sent_at.is_empty() {
            return Ok(tally);
        }
        answers.read(&mut stream, &frames[0], |_, _| {
            if let Some(since) = sent_at.pop_front() {
                tally.note(frames[0].bytes.len(), since);
            }
        })?;
    }
}

/// The schedule of a paced load, known to its sender and to those who wait for what it sent.
#[derive(Debug, Clone, Copy)]
struct Schedule {
    start: Instant,
    gap: Duration,
}

impl Schedule {
    fn due(self, index: u32) -> Instant {
        self.start + self.gap * index
    }

    fn due_by_now(self) -> u32 {
        u32::try_from(self.start.elapsed().as_nanos() / self.gap.as_nanos()).unwrap_or(u32::MAX)
    }
}

fn paced(
    address: &Address,
    frame: Frame,
    per_second: u32,
    reader: Option<(FetchFrame, Batches)>,
    stage: &Arc<Stage>,
) -> Outcome<Tally> {
    let mut stream = address.connect_bare()?;
    let mut writer = stream.try_clone()?;
    let schedule = Schedule { start: Instant::now(), gap: Duration::from_secs(1) / per_second };
    let (sender_frame, sender_stage) = (frame.clone(), stage.clone());
    let sender = std::thread::spawn(move || -> Outcome<u32> {
        // The kernel adds 50 us to every sleep of a thread that does not ask for less.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let mut sent = 0;
        while !sender_stage.is_over() {
            let due = schedule.due_by_now();
            while sent <= due {
                writer.write_all(&sender_frame.bytes).while_doing(|| "sending".to_owned())?;
                sent += 1;
            }
            std::thread::sleep(schedule.due(sent).saturating_duration_since(Instant::now()));
        }
        // Its answer wakes the readers, who then see the end.
        writer.write_all(&sender_frame.bytes).while_doing(|| "sending".to_owned())?;
        Ok(sent)
    });
    let tail = reader.map(|(fetch, batches)| {
        let (address, stage) = (address.clone(), stage.clone());
        let over = Arc::new(AtomicBool::new(false));
        (
            over.clone(),
            std::thread::spawn(move || tail_paced(&address, fetch, batches, schedule, &over, &stage)),
        )
    });
    let (mut tally, mut answers, mut answered) = (Tally::new(stage)?, Answers::small(), 0_u32);
    while !stage.is_over() {
        answers.read(&mut stream, &frame, |_, _| {
            tally.note(frame.bytes.len(), schedule.due(answered));
            answered += 1;
        })?;
    }
    sender.join().map_err(|_| Failure("the sender panicked".to_owned()))??;
    if let Some((over, tail)) = tail {
        over.store(true, Ordering::Relaxed);
        tally.end_to_end = tail.join().map_err(|_| Failure("the reader panicked".to_owned()))??.end_to_end;
    }
    Ok(tally)
}

/// One record a batch and one batch a request: the offset of a record is its place in the schedule.
fn tail_paced(
    address: &Address,
    mut fetch: FetchFrame,
    batches: Batches,
    schedule: Schedule,
    over: &AtomicBool,
    stage: &Arc<Stage>,
) -> Outcome<Tally> {
    let (mut stream, mut tally, mut answers) = (address.connect()?, Tally::new(stage)?, Answers::large());
    let mut offset = 0_u32;
    while !over.load(Ordering::Relaxed) {
        fetch.seek(i64::from(offset));
        let (records, _) = batches.fetch(&mut stream, &mut answers, &fetch)?;
        for _ in 0..records {
            tally.arrived(schedule.due(offset));
            offset += 1;
        }
    }
    Ok(tally)
}

fn read_log(
    address: &Address,
    mut fetch: FetchFrame,
    batches: Batches,
    end_offset: Option<i64>,
    mut answers: Answers,
    stage: &Arc<Stage>,
) -> Outcome<Tally> {
    let (mut stream, mut tally) = (address.connect()?, Tally::new(stage)?);
    let mut offset = 0;
    while !stage.is_over() {
        fetch.seek(offset);
        let now = Instant::now();
        let (records, size) = batches.fetch(&mut stream, &mut answers, &fetch)?;
        tally.note(size, now);
        offset += records;
        match end_offset {
            Some(end) if offset >= end => offset = 0,
            Some(_) if records == 0 => return fail(format!("nothing to read at offset {offset}")),
            _ => {}
        }
    }
    Ok(tally)
}
