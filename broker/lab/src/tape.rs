//! What clients sent and were answered, frame by frame, with times: a recording, and how it is written down.
//! Core.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ottla_protocol::shape::{self, Kind, Struct, Value};
use ottla_protocol::{ApiKey, RequestHeader, decode_response_header, encode_response_header, versions};
use serde_json::{Map, Value as Json, json};

use crate::bad::Bad;
use crate::json::is_secret;

/// A recording ends by itself when it holds so much.
pub const TAPE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One request, and what came of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Exchange {
    pub connection: u64,
    /// Since the recording began.
    pub at_us: u64,
    pub took_us: u64,
    /// As it came, behind its length.
    pub request: Bytes,
    /// None where nothing was sent, or the recording ended before.
    pub answer: Option<Bytes>,
}

/// In the order in which the requests came.
#[derive(Clone, Default, Debug)]
pub struct Tape {
    exchanges: Vec<Exchange>,
    bytes: usize,
    /// Nothing more is taken in.
    has_ended: bool,
}

impl Tape {
    /// The place of the exchange that begins; none where the tape has ended.
    pub fn begin(&mut self, connection: u64, at_us: u64, request: &Bytes) -> Option<usize> {
        if self.has_ended {
            return None;
        }
        let request = without_secrets(request, None);
        if self.bytes + request.len() > TAPE_BYTES_MAX {
            self.has_ended = true;
            return None;
        }
        self.bytes += request.len();
        self.exchanges.push(Exchange { connection, at_us, took_us: 0, request, answer: None });
        Some(self.exchanges.len() - 1)
    }

    /// An answer that has no room is as if the tape had ended before.
    pub fn end(&mut self, place: usize, now_us: u64, answer: &Bytes) {
        let exchange = &mut self.exchanges[place];
        assert!(exchange.answer.is_none(), "a request is answered once");
        let answer = without_secrets(answer, Some(&exchange.request));
        if self.has_ended || self.bytes + answer.len() > TAPE_BYTES_MAX {
            self.has_ended = true;
            return;
        }
        self.bytes += answer.len();
        exchange.took_us = now_us.saturating_sub(exchange.at_us);
        exchange.answer = Some(answer);
    }

    pub fn stop(&mut self) {
        self.has_ended = true;
    }

    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// One line of JSON each.
    pub fn write(&self) -> Bytes {
        let mut text = String::new();
        for exchange in &self.exchanges {
            let asked = Asked::of(&exchange.request);
            let line = json!({
                "connection": exchange.connection,
                "at_us": exchange.at_us,
                "took_us": exchange.took_us,
                // For people; what counts is in the frame.
                "api": asked.as_ref().map(|asked| asked.key.name()),
                "version": asked.as_ref().map(|asked| asked.version),
                "request": STANDARD.encode(&exchange.request),
                "answer": exchange.answer.as_ref().map(|answer| STANDARD.encode(answer)),
            });
            text.push_str(&line.to_string());
            text.push('\n');
        }
        text.into()
    }

    pub fn read(text: &[u8]) -> Result<Tape, Bad> {
        let text = std::str::from_utf8(text).map_err(|_| Bad::new("", "the recording is no text"))?;
        let mut tape = Tape { has_ended: true, ..Tape::default() };
        for (place, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let read = serde_json::from_str(line).map_err(|error| Bad::new("", error.to_string()));
            let exchange = read
                .and_then(|json| exchange(&json))
                .map_err(|bad| bad.within(&format!("line {}", place + 1)))?;
            let earlier = tape.exchanges.last().map_or(0, |last| last.at_us);
            if exchange.at_us < earlier {
                return Err(Bad::new(
                    format!("line {}.at_us", place + 1),
                    "is before that of the line above",
                ));
            }
            tape.bytes += exchange.request.len() + exchange.answer.as_ref().map_or(0, Bytes::len);
            tape.exchanges.push(exchange);
        }
        match tape.bytes > TAPE_BYTES_MAX {
            true => {
                Err(Bad::new("", format!("the recording has more than {TAPE_BYTES_MAX} bytes of frames")))
            }
            false => Ok(tape),
        }
    }
}

fn exchange(json: &Json) -> Result<Exchange, Bad> {
    const WORDS: [&str; 7] = ["connection", "at_us", "took_us", "api", "version", "request", "answer"];
    let Json::Object(words) = json else { return Err(Bad::new("", "an object")) };
    if let Some(other) = words.keys().find(|name| !WORDS.contains(&name.as_str())) {
        return Err(Bad::new(other, format!("is not known; there are {}", WORDS.join(", "))));
    }
    let number = |name: &str| {
        let number = words.get(name).and_then(Json::as_u64);
        number.ok_or_else(|| Bad::new(name, "a whole number from 0"))
    };
    let request = frame(words, "request")?.ok_or_else(|| Bad::new("request", "the frame of a request"))?;
    if Asked::of(&request).is_none() {
        return Err(Bad::new("request", "is no request of Kafka's that can be read"));
    }
    let answer = frame(words, "answer")?;
    if answer.as_ref().is_some_and(|answer| answer.len() < 4) {
        return Err(Bad::new("answer", "is shorter than the head of an answer"));
    }
    Ok(Exchange {
        connection: number("connection")?,
        at_us: number("at_us")?,
        took_us: number("took_us")?,
        request,
        answer,
    })
}

fn frame(words: &Map<String, Json>, name: &str) -> Result<Option<Bytes>, Bad> {
    match words.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => match STANDARD.decode(text) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) => Err(Bad::new(name, format!("is no base64: {error}"))),
        },
        Some(_other) => Err(Bad::new(name, "a text of base64")),
    }
}

/// A request that can be read.
#[derive(Clone, PartialEq, Debug)]
pub struct Asked {
    pub header: RequestHeader,
    pub key: ApiKey,
    pub version: i16,
    /// None where it is of a version that nothing here reads.
    pub body: Option<Value>,
}

impl Asked {
    pub fn of(frame: &Bytes) -> Option<Asked> {
        let mut rest = frame.clone();
        let header = RequestHeader::decode(&mut rest).ok()?;
        let (key, version) = (header.key()?, header.api_version);
        let body = shape::decode_request(key, version, rest).ok();
        Some(Asked { header, key, version, body })
    }

    /// With another body.
    pub fn frame(&self, body: &Value) -> Option<Bytes> {
        let mut frame = bytes::BytesMut::new();
        self.header.encode(&mut frame);
        shape::request(self.key)?.encode(body, &mut frame, self.version).ok()?;
        Some(frame.freeze())
    }

    /// Produce with acks=0.
    pub fn wants_no_answer(&self) -> bool {
        let acks = shape::request(self.key).and_then(|message| message.root.place_of("Acks"));
        match (acks, &self.body) {
            (Some(place), Some(Value::Struct(values))) => values.get(place) == Some(&Value::Int(0)),
            _other => false,
        }
    }

    /// That of its answer (KIP-511).
    fn answer_version(&self) -> i16 {
        match self.key == ApiKey::ApiVersions && !versions::is_decodable(self.key, self.version) {
            true => 0,
            false => self.version,
        }
    }

    /// What an answer to it says. ApiVersions that is refused is answered in version 0.
    pub fn read_answer(&self, answer: &Bytes) -> Option<Value> {
        let (mut rest, version) = (answer.clone(), self.answer_version());
        decode_response_header(&mut rest, self.key, version).ok()?;
        let refused = || match self.key {
            ApiKey::ApiVersions => shape::decode_response(self.key, 0, rest.clone()).ok(),
            _other => None,
        };
        shape::decode_response(self.key, version, rest.clone()).ok().or_else(refused)
    }

    pub fn answer(&self, body: &Value, correlation_id: i32) -> Option<Bytes> {
        let (mut answer, version) = (bytes::BytesMut::new(), self.answer_version());
        encode_response_header(&mut answer, self.key, version, correlation_id);
        shape::response(self.key)?.encode(body, &mut answer, version).ok()?;
        Some(answer.freeze())
    }
}

/// The frame of a request, or of the answer to one, whose credentials are zeros. A copy in any case: what is kept for
/// long keeps nothing else.
fn without_secrets(frame: &Bytes, asked_by: Option<&Bytes>) -> Bytes {
    let copy = || Bytes::copy_from_slice(frame);
    let Some(asked) = Asked::of(asked_by.unwrap_or(frame)) else { return copy() };
    if !HAS_SECRETS.contains(&asked.key) {
        return copy();
    }
    let blanked = match asked_by {
        None => shape::request(asked.key).zip(asked.body.clone()).and_then(|(message, mut body)| {
            blank(message.root, &mut body);
            asked.frame(&body)
        }),
        Some(_) => {
            shape::response(asked.key).zip(asked.read_answer(frame)).and_then(|(message, mut body)| {
                blank(message.root, &mut body);
                asked.answer(&body, asked.header.correlation_id)
            })
        }
    };
    // What cannot be read may hold anything.
    blanked.unwrap_or_default()
}

/// Those whose requests or answers have credentials.
const HAS_SECRETS: [ApiKey; 6] = [
    ApiKey::SaslAuthenticate,
    ApiKey::AlterUserScramCredentials,
    ApiKey::CreateDelegationToken,
    ApiKey::RenewDelegationToken,
    ApiKey::ExpireDelegationToken,
    ApiKey::DescribeDelegationToken,
];

fn blank(shape: &Struct, value: &mut Value) {
    let Value::Struct(values) = value else { return };
    for (field, value) in shape.fields.iter().zip(values) {
        match (field.kind, value) {
            (_, Value::Bytes(bytes)) if is_secret(field.name) => *bytes = vec![0; bytes.len()].into(),
            (Kind::Array(Kind::Struct(inner)), Value::Array(items)) => {
                items.iter_mut().for_each(|item| blank(inner, item));
            }
            (Kind::Struct(inner), value) => blank(inner, value),
            _other => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use ottla_protocol::messages::{
        ApiVersionsResponse, MetadataRequest, MetadataResponse, SaslAuthenticateRequest,
    };
    use ottla_protocol::{Encode, Request, StrBytes};

    use super::*;

    fn request<R: Request>(version: i16, correlation_id: i32, request: &R) -> Bytes {
        let client_id = Some(StrBytes::from_static_str("app"));
        let header =
            RequestHeader { api_key: R::API_KEY.to_i16(), api_version: version, correlation_id, client_id };
        let mut frame = BytesMut::new();
        header.encode(&mut frame);
        request.encode(&mut frame, version).expect("it can be written");
        frame.freeze()
    }

    #[test]
    fn a_tape_is_written_line_by_line_and_read_again() {
        let mut tape = Tape::default();
        let asked = request(9, 3, &MetadataRequest::default());
        let first = tape.begin(1, 10, &asked).expect("there is room");
        let second = tape.begin(2, 20, &asked).expect("there is room");
        let mut answer = BytesMut::new();
        encode_response_header(&mut answer, ApiKey::Metadata, 9, 3);
        MetadataResponse::default().encode(&mut answer, 9).expect("it can be written");
        tape.end(first, 35, &answer.freeze());
        tape.stop();
        assert_eq!(tape.begin(1, 40, &asked), None);
        let again = Tape::read(&tape.write()).expect("it is good");
        assert_eq!(again.exchanges(), tape.exchanges());
        assert_eq!(again.exchanges()[first].took_us, 25);
        assert_eq!(again.exchanges()[second].answer, None);
        assert_eq!(again.bytes(), tape.bytes());
    }

    #[test]
    fn credentials_are_on_no_tape() {
        let secret =
            SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from_static(b"\0alice\0secret"));
        let mut tape = Tape::default();
        tape.begin(1, 0, &request(2, 1, &secret));
        // A version that nothing here reads.
        tape.begin(1, 0, &{
            let mut frame = request(2, 1, &secret).to_vec();
            frame[3] = 99;
            frame.into()
        });
        let kept: Vec<u8> = tape.exchanges().iter().flat_map(|exchange| exchange.request.to_vec()).collect();
        assert!(!kept.windows(6).any(|window| window == b"secret" || window == b"\0alice"), "{kept:?}");
        assert_eq!(tape.exchanges()[0].request.len(), request(2, 1, &secret).len());
    }

    #[test]
    fn what_is_wrong_with_a_tape_is_named() {
        let bad = |text: &str| Tape::read(text.as_bytes()).expect_err(text).field;
        let frame = STANDARD.encode(request(9, 3, &MetadataRequest::default()));
        let line =
            |at: u64| format!("{{\"connection\":1,\"at_us\":{at},\"took_us\":0,\"request\":\"{frame}\"}}");
        assert!(Tape::read(line(1).as_bytes()).is_ok());
        assert_eq!(bad("x"), "line 1");
        assert_eq!(bad("[]"), "line 1");
        assert_eq!(bad(&format!("{}\n\n{}", line(2), line(1))), "line 3.at_us");
        assert_eq!(bad("{\"connection\":1,\"at_us\":0,\"took_us\":0}"), "line 1.request");
        assert_eq!(bad("{\"request\":\"AAA=\"}"), "line 1.request");
        assert_eq!(bad(&format!("{{\"request\":\"{frame}\"}}")), "line 1.connection");
        assert_eq!(bad(&line(0).replace("took_us", "took")), "line 1.took");
        assert_eq!(bad(&line(0).replace('}', ",\"answer\":7}")), "line 1.answer");
    }

    #[test]
    fn a_version_of_api_versions_that_is_refused_is_read_as_version_0() {
        let mut answer = BytesMut::new();
        encode_response_header(&mut answer, ApiKey::ApiVersions, 0, 1);
        ApiVersionsResponse::default().with_error_code(35).encode(&mut answer, 0).expect("it can be written");
        let mut frame = request(4, 1, &ottla_protocol::messages::ApiVersionsRequest::default()).to_vec();
        frame[3] = 9;
        let asked = Asked::of(&frame.into()).expect("it can be read");
        let Some(Value::Struct(values)) = asked.read_answer(&answer.freeze()) else { panic!("no answer") };
        assert_eq!(values[0], Value::Int(35));
    }
}
