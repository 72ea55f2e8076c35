//! One request on its way through the lab: what rules do to it, and what the journal keeps of it.
//! Shell.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ottla_env::{Clock, Monotonic};
use ottla_model::ErrorCode;
use ottla_network::{Admitted, Answer, Chunk, ConnectionInfo, Handler, Response, ResponseBuilder};
use ottla_protocol::messages::ApiVersionsResponse;
use ottla_protocol::messages::api_versions_response::ApiVersion;
use ottla_protocol::shape::{self, Message, Value};
use ottla_protocol::{
    ApiKey, Encode, RequestHeader, decode_response_header, encode_response_header, versions,
};
use serde_json::{Value as Json, json};

use crate::cluster::Cluster;
use crate::control::Recording;
use crate::facts::{Facts, Sender};
use crate::faults::Held;
use crate::journal::{AnswerEntry, Entry};
use crate::places::{self, Stamp};
use crate::played::FromTape;
use crate::releases::Release;
use crate::rule::{Corrupt, Outcome, When};
use crate::scope::Scope;
use crate::tape::Asked;
use crate::words;

/// Why a connection is closed.
const BY_RULE: &str = "a rule of the lab";
const BY_RECORDING: &str = "the recording that is played has no answer to this request";
const BY_RELEASE: &str = "the release that is emulated has not this version of this API";
/// What no answer is long.
const NO_LENGTH: i32 = -2;
/// Of a longer answer the journal has the length alone.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

pub(crate) struct Passing {
    cluster: Arc<Cluster>,
    handler: Arc<dyn Handler>,
    connection: Arc<ConnectionInfo>,
    header: RequestHeader,
    key: ApiKey,
    body: Option<Value>,
    acks: Option<i64>,
    /// The release that is emulated, where it has not this version.
    lacked: Option<&'static Release>,
    /// That of the request, but where ApiVersions is asked for in one that is not served (KIP-511).
    answer_version: i16,
    held: Option<Held>,
    /// Where it is on a tape.
    taped: Option<(Arc<Recording>, usize)>,
    number: u64,
    began: Monotonic,
    is_noted: bool,
}

impl Passing {
    /// `None` for what is no request of Kafka's: tokens of a login.
    pub fn begin(
        cluster: &Arc<Cluster>,
        handler: &Arc<dyn Handler>,
        connection: &Arc<ConnectionInfo>,
        frame: &Bytes,
    ) -> Option<Passing> {
        let mut rest = frame.clone();
        let header = RequestHeader::decode(&mut rest).ok()?;
        let key = header.key()?;
        let body = shape::decode_request(key, header.api_version, rest).ok();
        let sender = Sender {
            connection: connection.id,
            software: connection
                .software
                .get()
                .map(|software| format!("{} {}", software.0, software.1))
                .unwrap_or_default(),
            user: connection.identity().map(|known| known.principal.to_string()).unwrap_or_default(),
        };
        let facts = Facts::of(key, &header, sender, body.as_ref(), &**cluster);
        let shown = shape::request(key).zip(body.as_ref());
        let shown =
            shown.map(|(message, body)| crate::json::of_struct(message.root, body, header.api_version));
        let entry = Entry {
            number: 0,
            at_ms: cluster.env.clock.wall_ms(),
            correlation_id: header.correlation_id,
            facts: facts.clone(),
            body: shown.unwrap_or(Json::Null),
            fault: None,
            answer: None,
        };
        let acks = facts.acks;
        let number = cluster.journal.lock().begin(entry);
        let now = cluster.clock.monotonic();
        // Kafka reads nothing of a version that it has not, so that no rule is about it.
        let lacked = cluster.emulate.filter(|release| !release.has(key, header.api_version));
        let is_served = lacked.is_none() && versions::is_decodable(key, header.api_version);
        let answer_version = match key {
            ApiKey::ApiVersions if !is_served => 0,
            _other => header.api_version,
        };
        let held = match lacked {
            Some(_) => None,
            None => cluster.faults.lock().decide(&facts, number, now),
        };
        if let Some(held) = &held {
            cluster.journal.lock().note_fault(number, &held.id);
        }
        let recorder = cluster.recorder.lock().clone();
        let taped = recorder.and_then(|recorder| {
            let place = recorder.begin(connection.id, cluster.env.clock.monotonic(), frame)?;
            Some((recorder, place))
        });
        cluster.news.notify_waiters();
        Some(Passing {
            cluster: Arc::clone(cluster),
            handler: Arc::clone(handler),
            connection: Arc::clone(connection),
            header,
            key,
            body,
            acks,
            lacked,
            answer_version,
            held,
            taped,
            number,
            began: cluster.env.clock.monotonic(),
            is_noted: false,
        })
    }

    /// A request on which a rule acts keeps others from being admitted until it is answered, as Kafka does with each.
    pub fn admit(mut self, frame: Bytes) -> Admitted {
        if let Some(release) = self.lacked {
            let answer = self.refuse_version(release);
            return Admitted::Ready(self.note(answer));
        }
        if let Some(held) = self.held.take() {
            return Admitted::Exclusive(Box::pin(async move { self.act(&held, frame).await }));
        }
        match self.serve(frame) {
            Admitted::Ready(answer) => Admitted::Ready(self.emulate_and_note(answer)),
            Admitted::Parked(answer) => {
                Admitted::Parked(Box::pin(async move { self.emulate_and_note(answer.await) }))
            }
            Admitted::Exclusive(answer) => {
                Admitted::Exclusive(Box::pin(async move { self.emulate_and_note(answer.await) }))
            }
            Admitted::ExclusiveAfterEarlier(answer) => {
                Admitted::ExclusiveAfterEarlier(Box::pin(async move { self.emulate_and_note(answer.await) }))
            }
        }
    }

    /// The broker's answer, or what a recording has for it.
    fn serve(&self, frame: Bytes) -> Admitted {
        let from_tape = {
            let mut played = self.cluster.played.lock();
            played
                .as_mut()
                .map(|played| Asked::of(&frame).map_or(FromTape::Missed, |asked| played.answer(&asked)))
        };
        match from_tape {
            None => self.handler.admit(&self.connection, frame),
            Some(FromTape::Missed) => Admitted::Ready(Answer::Close(BY_RECORDING)),
            Some(FromTape::Silent) => Admitted::Ready(Answer::Silent),
            Some(FromTape::Never) => Admitted::Parked(Box::pin(std::future::pending())),
            Some(FromTape::Answer(answer, wait)) => {
                let (clock, until) = (Arc::clone(&self.cluster.env.clock), self.began.after(wait));
                Admitted::Parked(Box::pin(async move {
                    clock.sleep_until(until).await;
                    let mut bytes = BytesMut::from(&(answer.len() as i32).to_be_bytes()[..]);
                    bytes.extend_from_slice(&answer);
                    Answer::Respond(Response::of_bytes(bytes.freeze()))
                }))
            }
        }
    }

    /// As Kafka: the connection is closed, but one that asks for the versions is told that of this API (KIP-511).
    fn refuse_version(&self, release: &Release) -> Answer {
        let refused = release.versions(ApiKey::ApiVersions).filter(|_| self.key == ApiKey::ApiVersions);
        let refused = refused.and_then(|range| {
            let row = ApiVersion::default().with_api_key(self.key.to_i16());
            let refused = ApiVersionsResponse::default()
                .with_error_code(ErrorCode::UnsupportedVersion.code())
                .with_api_keys(vec![row.with_min_version(range.min).with_max_version(range.max)]);
            let mut builder = self.builder();
            refused.encode(&mut builder.buffer, self.answer_version).ok()?;
            builder.finish().map(Answer::Respond)
        });
        refused.unwrap_or(Answer::Close(BY_RELEASE))
    }

    /// An answer as the release that is emulated gives it.
    fn emulate(&self, answer: Answer) -> Answer {
        match self.cluster.emulate.filter(|_| self.key == ApiKey::ApiVersions) {
            Some(release) => self.map(answer, |message, value, _version| release.narrow(message, value)),
            None => answer,
        }
    }

    fn emulate_and_note(&mut self, answer: Answer) -> Answer {
        let answer = self.emulate(answer);
        self.note(answer)
    }

    async fn act(mut self, held: &Held, frame: Bytes) -> Answer {
        let act = &held.rule.act;
        if let Some(gate) = &act.hold {
            self.cluster.wait_at(gate).await;
        }
        let _turn = match act.reorder {
            Some(count) => Some(self.cluster.turns.wait(&self.cluster.env, &held.id, count).await),
            None => None,
        };
        let closed = Answer::Close(BY_RULE);
        let mut answer = match &act.outcome {
            Outcome::Serve => self.carry_out(frame).await,
            Outcome::Error { code, message } => self.refuse(held, *code, message.as_deref(), frame).await,
            Outcome::Disconnect(When::Request) => closed,
            Outcome::Disconnect(When::Response) => {
                self.carry_out(frame).await;
                closed
            }
            Outcome::Drop(when) => {
                if *when == When::Response {
                    self.carry_out(frame).await;
                }
                self.note_as("dropped", None);
                std::future::pending().await
            }
            Outcome::Duplicate => {
                let answer = self.carry_out(frame.clone()).await;
                self.carry_out(frame).await;
                answer
            }
            Outcome::Corrupt(Corrupt::Crc) => self.corrupt_records(held, frame).await,
            // What was answered is noted, and then spoilt.
            Outcome::Truncate(_) | Outcome::Corrupt(Corrupt::Length) => {
                let answer = self.carry_out(frame).await;
                let answer = self.note(answer);
                spoil(answer, &act.outcome)
            }
        };
        if let Some(throttle_ms) = act.throttle_ms {
            answer = self.map(answer, |message, value, version| {
                places::set_throttle(message, value, version, throttle_ms);
            });
        }
        if let Some(delay) = act.delay {
            self.cluster.env.clock.sleep_until(self.began.after(delay)).await;
        }
        self.note(answer)
    }

    async fn carry_out(&self, frame: Bytes) -> Answer {
        let answer = match self.serve(frame) {
            Admitted::Ready(answer) => answer,
            Admitted::Parked(answer)
            | Admitted::Exclusive(answer)
            | Admitted::ExclusiveAfterEarlier(answer) => answer.await,
        };
        self.emulate(answer)
    }

    /// Records have another checksum than they say; where there are none the rule has not acted.
    async fn corrupt_records(&self, held: &Held, frame: Bytes) -> Answer {
        let filter = &held.rule.matching.filter;
        let shapes = shape::request(self.key).zip(shape::response(self.key));
        let (Some(body), Some((request, response))) = (&self.body, shapes) else {
            return self.carry_out(frame).await;
        };
        let mut spoilt = body.clone();
        let base = Scope::default();
        if places::corrupt_records(request.root, &mut spoilt, &base, filter, &*self.cluster) > 0 {
            let frame = self.frame_of(request, &spoilt).unwrap_or(frame);
            return self.carry_out(frame).await;
        }
        let base = places::base_scope(request, body, &*self.cluster);
        let mut count = 0;
        let answer = self.carry_out(frame).await;
        let answer = self.map(answer, |_message, value, _version| {
            count = places::corrupt_records(response.root, value, &base, filter, &*self.cluster);
        });
        if count == 0 {
            self.cluster.faults.lock().take_back(&held.id, self.number);
            self.cluster.journal.lock().forget_fault(self.number);
        }
        answer
    }

    /// Answers with an error; what of the request the rule is not about is carried out.
    async fn refuse(&self, held: &Held, code: ErrorCode, text: Option<&str>, frame: Bytes) -> Answer {
        let matching = &held.rule.matching;
        let version = self.header.api_version;
        let shapes = shape::request(self.key).zip(shape::response(self.key));
        let (Some(body), Some((request, response))) = (&self.body, shapes) else {
            return self.carry_out(frame).await;
        };
        let base = places::base_scope(request, body, &*self.cluster);
        let stamp = Stamp { code, message: text, filter: &matching.filter, names: &*self.cluster };
        if matching.when == When::Request && !places::is_stamped_only(self.key) {
            if self.acks == Some(0) {
                // There is no answer to put it in; Kafka closes the connection.
                return Answer::Close(BY_RULE);
            }
            let refused = places::refusal((request, body), response, version, &base, &stamp);
            if let Some(refused) = refused {
                let rest = match matching.filter.is_everything() {
                    true => None,
                    false => places::remainder(request, body, &matching.filter, &*self.cluster),
                };
                let rest = rest.and_then(|rest| self.frame_of(request, &rest));
                let Some(rest) = rest else {
                    return self.respond(response, &refused).unwrap_or(Answer::Close(BY_RULE));
                };
                let answer = self.carry_out(rest).await;
                return self.map(answer, |response, value, version| {
                    places::merge(response, value, refused, version);
                });
            }
        }
        let answer = self.carry_out(frame).await;
        self.map(answer, |response, value, version| {
            places::stamp(response, value, version, &base, &stamp);
        })
    }

    /// The request with another body.
    fn frame_of(&self, message: &Message, body: &Value) -> Option<Bytes> {
        let mut frame = BytesMut::new();
        self.header.encode(&mut frame);
        message.encode(body, &mut frame, self.header.api_version).ok()?;
        Some(frame.freeze())
    }

    fn respond(&self, message: &Message, body: &Value) -> Option<Answer> {
        let mut builder = self.builder();
        message.encode(body, &mut builder.buffer, self.answer_version).ok()?;
        builder.finish().map(Answer::Respond)
    }

    fn builder(&self) -> ResponseBuilder {
        let mut builder = ResponseBuilder::with_capacity(256);
        let (version, correlation_id) = (self.answer_version, self.header.correlation_id);
        encode_response_header(&mut builder.buffer, self.key, version, correlation_id);
        builder
    }

    /// The answer with another body; one that cannot be read stays as it is.
    fn map(&self, answer: Answer, change: impl FnOnce(&Message, &mut Value, i16)) -> Answer {
        let response = match answer {
            Answer::ThenMute { answer, mute } => {
                return Answer::ThenMute { answer: Box::new(self.map(*answer, change)), mute };
            }
            Answer::Respond(response) => response,
            other => return other,
        };
        let version = self.answer_version;
        let read = shape::response(self.key).zip(self.read(&response));
        let Some((message, mut value)) = read else { return Answer::Respond(response) };
        change(message, &mut value, version);
        self.respond(message, &value).unwrap_or(Answer::Respond(response))
    }

    fn read(&self, response: &Response) -> Option<Value> {
        let mut bytes = whole(response)?;
        decode_response_header(&mut bytes, self.key, self.answer_version).ok()?;
        shape::decode_response(self.key, self.answer_version, bytes).ok()
    }

    fn note(&mut self, answer: Answer) -> Answer {
        match innermost(&answer) {
            Innermost::Response(response) => {
                if let Some(((recorder, place), bytes)) = self.taped.take().zip(whole(response)) {
                    recorder.end(place, self.cluster.env.clock.monotonic(), &bytes);
                }
                let told = self.tell(response);
                self.note_as("answered", Some(told));
            }
            Innermost::Silence => self.note_as("silent", None),
            Innermost::End => self.note_as("closed", None),
        }
        answer
    }

    /// The errors and the body of an answer.
    fn tell(&self, response: &Response) -> (Vec<String>, Json) {
        let size = json!({ "sizeInBytes": response.len() });
        if response.len() > ANSWER_BYTES_MAX {
            return (Vec::new(), size);
        }
        let version = self.answer_version;
        let Some((message, value)) = shape::response(self.key).zip(self.read(response)) else {
            return (Vec::new(), size);
        };
        let mut errors = Vec::new();
        for code in places::errors(message, &value, version) {
            let name = words::code_name(code);
            if !errors.contains(&name) {
                errors.push(name);
            }
        }
        (errors, crate::json::of_struct(message.root, &value, version))
    }

    fn note_as(&mut self, outcome: &'static str, told: Option<(Vec<String>, Json)>) {
        if std::mem::replace(&mut self.is_noted, true) {
            return;
        }
        let took = self.began.until(self.cluster.env.clock.monotonic());
        let (errors, body) = told.unwrap_or_default();
        let answer = AnswerEntry { outcome, took_us: took.as_micros() as u64, errors, body };
        self.cluster.journal.lock().end(self.number, answer);
        self.cluster.news.notify_waiters();
    }
}

/// The bytes of an answer as a fault on their way leaves them.
fn spoil(answer: Answer, by: &Outcome) -> Answer {
    let (response, mute) = match answer {
        Answer::ThenMute { answer, mute } => match *answer {
            Answer::Respond(response) => (response, Some(mute)),
            other => return other,
        },
        Answer::Respond(response) => (response, None),
        other => return other,
    };
    let Some(body) = whole(&response) else { return Answer::Close(BY_RULE) };
    let mut bytes = BytesMut::with_capacity(4 + body.len());
    let is_cut = matches!(by, Outcome::Truncate(_));
    let prefix = if is_cut { body.len() as i32 } else { NO_LENGTH };
    bytes.extend_from_slice(&prefix.to_be_bytes());
    bytes.extend_from_slice(&body);
    if let Outcome::Truncate(count) = by {
        bytes.truncate(*count);
    }
    let response = Response::of_bytes(bytes.freeze());
    match (is_cut, mute) {
        (true, _) => Answer::CloseAfter { response: Some(response), delay: Duration::ZERO, why: BY_RULE },
        (false, Some(mute)) => Answer::ThenMute { answer: Box::new(Answer::Respond(response)), mute },
        (false, None) => Answer::Respond(response),
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // Its connection went before it was answered.
        self.note_as("closed", None);
    }
}

enum Innermost<'a> {
    Response(&'a Response),
    Silence,
    End,
}

fn innermost(answer: &Answer) -> Innermost<'_> {
    match answer {
        Answer::Respond(response) | Answer::CloseAfter { response: Some(response), .. } => {
            Innermost::Response(response)
        }
        Answer::Silent => Innermost::Silence,
        Answer::Close(_) | Answer::CloseAfter { response: None, .. } => Innermost::End,
        Answer::ThenMute { answer, .. } => innermost(answer),
    }
}

/// All bytes behind the length prefix; what lies in a file is read.
pub(crate) fn whole(response: &Response) -> Option<Bytes> {
    let mut bytes = BytesMut::with_capacity(response.len());
    bytes.extend_from_slice(response.head.get(4..)?);
    for chunk in &response.rest {
        match chunk {
            Chunk::Bytes(more) => bytes.extend_from_slice(more),
            Chunk::File { file, position, len } => {
                let from = bytes.len();
                bytes.resize(from + len, 0);
                file.read_exact_at(&mut bytes[from..], *position).ok()?;
            }
        }
    }
    Some(bytes.freeze())
}
