//! A tape as a client: its requests once more, to any broker.
//! Shell. What was answered before a request came is answered before it is sent again; what was on its way together is so
//! again.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use ottla_env::Env;
use ottla_env::net::{DialOptions, Stream};
use ottla_model::ErrorCode;
use ottla_protocol::shape;
use serde_json::{Value as Json, json};

use crate::again::{Difference, Drawn, differences};
use crate::places;
use crate::tape::{Asked, Exchange, Tape};

/// Longer than it took when it was recorded.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between one try and the next.
const RETRY_BACKOFF: Duration = Duration::from_millis(50);
const NOT_YET: [ErrorCode; 4] = [
    ErrorCode::CoordinatorLoadInProgress,
    ErrorCode::CoordinatorNotAvailable,
    ErrorCode::NotCoordinator,
    ErrorCode::ConcurrentTransactions,
];
/// Differences that are told; all are counted.
const TOLD_MAX: usize = 1_000;
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
const LENGTH_BYTES: usize = 4;

pub struct Player<'a> {
    env: &'a Env,
    tape: &'a Tape,
    host: &'a str,
    port: u16,
    lines: BTreeMap<u64, Line>,
    drawn: Drawn,
    report: Report,
}

/// One connection of the tape.
struct Line {
    /// None once the broker closed it.
    stream: Option<Box<dyn Stream>>,
    received: BytesMut,
    waiting: VecDeque<Sent>,
}

/// An exchange that is sent and not answered.
struct Sent {
    place: usize,
    asked: Asked,
    /// As it was sent.
    frame: Bytes,
}

#[derive(Default, Debug)]
pub struct Report {
    sent: usize,
    same: usize,
    different: usize,
    /// What had no answer when it was recorded.
    unanswered: usize,
    told: Vec<Json>,
}

impl Report {
    pub fn show(self) -> Json {
        json!({
            "sent": self.sent,
            "same": self.same,
            "different": self.different,
            "unanswered": self.unanswered,
            "differences": self.told,
        })
    }

    fn tell(&mut self, place: usize, asked: &Asked, path: &str, was: &Json, is: &Json) {
        if self.told.len() < TOLD_MAX {
            self.told.push(json!({
                "exchange": place,
                "api": asked.key.name(),
                "version": asked.version,
                "path": path,
                "was": was,
                "is": is,
            }));
        }
    }
}

enum Moment {
    Sent(usize),
    Answered(usize),
}

impl<'a> Player<'a> {
    pub fn new(env: &'a Env, tape: &'a Tape, host: &'a str, port: u16) -> Player<'a> {
        let (lines, drawn, report) = (BTreeMap::new(), Drawn::default(), Report::default());
        Player { env, tape, host, port, lines, drawn, report }
    }

    /// `speed` as that of the clients then; none is as fast as the broker answers.
    pub async fn play(mut self, speed: Option<f64>) -> Result<Report, String> {
        let began = self.env.clock.monotonic();
        for moment in moments(self.tape.exchanges()) {
            match moment {
                Moment::Sent(place) => {
                    let at_us = self.tape.exchanges()[place].at_us;
                    if let Some(speed) = speed {
                        let at = Duration::from_secs_f64(at_us as f64 / 1e6 / speed);
                        self.env.clock.sleep_until(began.after(at)).await;
                    }
                    self.send(place).await?;
                }
                Moment::Answered(place) => self.answered(place).await,
            }
        }
        Ok(self.report)
    }

    async fn send(&mut self, place: usize) -> Result<(), String> {
        let exchange = &self.tape.exchanges()[place];
        let Some(asked) = Asked::of(&exchange.request) else { return Ok(()) };
        if let std::collections::btree_map::Entry::Vacant(vacant) = self.lines.entry(exchange.connection) {
            let dialled = self.env.net.dial(self.host, self.port, DialOptions::default()).await;
            let stream = dialled.map_err(|error| format!("{}:{}: {error}", self.host, self.port))?;
            let (received, waiting) = (BytesMut::new(), VecDeque::new());
            vacant.insert(Line { stream: Some(stream), received, waiting });
        }
        let put = shape::request(asked.key).zip(asked.body.clone()).and_then(|(message, mut body)| {
            self.drawn.put(message.root, &mut body);
            asked.frame(&body)
        });
        let frame = put.unwrap_or_else(|| exchange.request.clone());
        self.report.sent += 1;
        let Some(line) = self.lines.get_mut(&exchange.connection) else { return Ok(()) };
        if let Some(stream) = &mut line.stream
            && write(&mut **stream, &frame).await.is_err()
        {
            line.stream = None;
        }
        line.waiting.push_back(Sent { place, asked, frame });
        if exchange.answer.is_none() {
            self.report.unanswered += 1;
        }
        Ok(())
    }

    /// Reads up to the answer of an exchange, and compares it with what is on the tape.
    async fn answered(&mut self, place: usize) {
        let exchange = &self.tape.exchanges()[place];
        let Some(line) = self.lines.get_mut(&exchange.connection) else { return };
        let now = self.env.clock.monotonic();
        let over = now.after(Duration::from_micros(exchange.took_us) + PATIENCE);
        // The last try is still waited for.
        let tries_end = now.after(PATIENCE / 2);
        while line.waiting.iter().any(|sent| sent.place == place) {
            let is = tokio::select! {
                biased;
                answer = line.read() => answer.ok(),
                () = self.env.clock.sleep_until(over) => None,
            };
            let Some(is) = is else {
                // Nothing comes any more, for this or any other.
                line.stream = None;
                let Some(at) = line.waiting.iter().position(|sent| sent.place == place) else { return };
                let Some(Sent { asked, .. }) = line.waiting.remove(at) else { return };
                self.report.different += 1;
                self.report.tell(place, &asked, "", &json!("answered"), &json!("closed or silent"));
                return;
            };
            let correlation_id = (&is[..]).get_i32();
            // One that had an answer then, if several have the number.
            let has_it = |sent: &Sent| sent.asked.header.correlation_id == correlation_id;
            let had_one = |sent: &Sent| has_it(sent) && self.tape.exchanges()[sent.place].answer.is_some();
            let found =
                line.waiting.iter().position(had_one).or_else(|| line.waiting.iter().position(has_it));
            let Some(at) = found else { continue };
            if line.waiting.len() == 1
                && is_not_there_yet(&line.waiting[0].asked, exchange.answer.as_ref(), &is)
                && self.env.clock.monotonic() < tries_end
            {
                // As every client does.
                self.env.clock.sleep_until(self.env.clock.monotonic().after(RETRY_BACKOFF)).await;
                let (stream, frame) = (line.stream.as_mut(), line.waiting[0].frame.clone());
                if let Some(stream) = stream
                    && write(&mut **stream, &frame).await.is_ok()
                {
                    continue;
                }
            }
            // Who is answered later than the one behind it is not answered.
            for (number, Sent { place: of, asked, .. }) in line.waiting.drain(..=at).enumerate() {
                let is = (number == at).then_some(&is);
                let was = self.tape.exchanges()[of].answer.as_ref();
                compare(&mut self.report, &mut self.drawn, of, &asked, was, is);
            }
        }
    }
}

/// A broker whose coordinators are not made or loaded yet, or which is busy with the transaction before.
fn is_not_there_yet(asked: &Asked, was: Option<&Bytes>, is: &Bytes) -> bool {
    let errors = |answer: &Bytes| {
        let read = shape::response(asked.key).zip(asked.read_answer(answer));
        let errors = read.map(|(message, value)| places::errors(message, &value, asked.version));
        errors.unwrap_or_default().into_iter().any(|code| NOT_YET.map(ErrorCode::code).contains(&code))
    };
    errors(is) && !was.is_some_and(errors)
}

fn compare(
    report: &mut Report,
    drawn: &mut Drawn,
    place: usize,
    asked: &Asked,
    was: Option<&Bytes>,
    is: Option<&Bytes>,
) {
    let (was, is) = match (was, is) {
        (Some(was), Some(is)) => (was, is),
        (None, None) => return,
        (was, is) => {
            let word = |answer: Option<&Bytes>| json!(if answer.is_some() { "answered" } else { "silent" });
            report.different += 1;
            return report.tell(place, asked, "", &word(was), &word(is));
        }
    };
    let read = shape::response(asked.key).zip(asked.read_answer(was)).zip(asked.read_answer(is));
    let Some(((message, was), is)) = read else {
        report.different += 1;
        return report.tell(place, asked, "", &json!("readable"), &json!("an answer that cannot be read"));
    };
    drawn.learn(message.root, &was, &is);
    let found = differences(message, asked.version, &was, &is, drawn);
    match found.is_empty() {
        true => report.same += 1,
        false => report.different += 1,
    }
    for Difference { path, was, is } in found {
        report.tell(place, asked, &path, &was, &is);
    }
}

/// What happened, in its order; of one time first what was answered.
fn moments(exchanges: &[Exchange]) -> Vec<Moment> {
    let mut moments: Vec<(u64, usize, Moment)> = Vec::new();
    for (place, exchange) in exchanges.iter().enumerate() {
        moments.push((exchange.at_us, 2 * place + 1, Moment::Sent(place)));
        if exchange.answer.is_some() {
            // Behind its own request also where both are of one microsecond.
            moments.push((exchange.at_us + exchange.took_us, 2 * place + 2, Moment::Answered(place)));
        }
    }
    moments.sort_by_key(|(at, order, _)| (*at, *order));
    moments.into_iter().map(|(_, _, moment)| moment).collect()
}

async fn write(stream: &mut dyn Stream, frame: &Bytes) -> io::Result<()> {
    let length = (frame.len() as i32).to_be_bytes();
    let mut bytes = (&length[..]).chain(frame.clone());
    while bytes.has_remaining() {
        let mut slices = [IoSlice::new(&[]); 2];
        let count = bytes.chunks_vectored(&mut slices);
        let sent = poll_fn(|context| stream.poll_write_vectored(context, &slices[..count])).await?;
        if sent == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes.advance(sent);
    }
    Ok(())
}

impl Line {
    /// One answer, without its length.
    async fn read(&mut self) -> io::Result<Bytes> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        loop {
            if let Some(prefix) = self.received.first_chunk::<LENGTH_BYTES>() {
                let len = usize::try_from(i32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
                if !(LENGTH_BYTES..=ANSWER_BYTES_MAX).contains(&len) {
                    return Err(io::Error::other("the length of an answer is none"));
                }
                if self.received.len() >= LENGTH_BYTES + len {
                    self.received.advance(LENGTH_BYTES);
                    return Ok(self.received.split_to(len).freeze());
                }
                self.received.reserve(LENGTH_BYTES + len - self.received.len());
            } else {
                self.received.reserve(1024);
            }
            if poll_fn(|context| stream.poll_read(context, &mut self.received)).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
