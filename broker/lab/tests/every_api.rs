//! The lab's tables over every API and version: messages as values, and an error in the right place of each answer.
//! Core, over the golden bytes that Kafka's own classes wrote (`protocol-tests/golden`).

use std::collections::BTreeSet;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use ottla_lab::places::{self, Stamp};
use ottla_lab::scope::{Filter, TopicNames};
use ottla_model::ErrorCode;
use ottla_protocol::shape::{self, Message, Value};
use ottla_protocol::{ApiKey, ErrorCodes, decode_response, for_each_api, messages};
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Request,
    Response,
}

struct ApiBytes {
    key: ApiKey,
    direction: Direction,
    version: i16,
    body: Bytes,
}

/// Each line is `req` or `resp`, a version, and a body in hexadecimal.
fn golden() -> Vec<ApiBytes> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protocol-tests/golden/bytes/api");
    let mut messages = Vec::new();
    for file in std::fs::read_dir(folder).expect("the golden bytes") {
        let path = file.expect("a file").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let key = name.split('-').next().and_then(|key| key.parse().ok()).and_then(ApiKey::from_i16);
        for line in std::fs::read_to_string(&path).expect("text").lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [word, version, hex] = words.as_slice() else { panic!("{name}: {line}") };
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
            messages.push(ApiBytes {
                key: key.expect("the file is named after a key"),
                direction: if *word == "req" { Direction::Request } else { Direction::Response },
                version: version.parse().expect("a version"),
                body: (0..hex.len()).step_by(2).map(byte).collect(),
            });
        }
    }
    assert!(messages.len() > 600, "{} messages", messages.len());
    messages
}

struct NoNames;

impl TopicNames for NoNames {
    fn name_of(&self, _id: Uuid) -> Option<String> {
        None
    }
}

macro_rules! by_key {
    ($( $api:ident $request:ident $response:ident; )*) => {
        /// The codes of a response as the broker's own counters find them.
        fn codes(key: ApiKey, version: i16, body: Bytes) -> Result<Vec<i16>, String> {
            let mut codes = Vec::new();
            match key {
                $( ApiKey::$api => decode_response::<messages::$response>(key, version, body)
                    .map_err(|error| error.to_string())?
                    .error_codes(version, &mut |code| codes.push(code)), )*
                key => return Err(format!("{key} has no messages")),
            }
            Ok(codes)
        }
    };
}

for_each_api!(by_key);

fn shapes(key: ApiKey) -> (&'static Message, &'static Message) {
    (shape::request(key).expect("a request"), shape::response(key).expect("a response"))
}

fn encoded(message: &Message, value: &Value, version: i16) -> Bytes {
    let mut buf = BytesMut::new();
    message.encode(value, &mut buf, version).unwrap_or_else(|error| panic!("{}: {error}", message.key));
    buf.freeze()
}

/// About whole requests, about topics, about partitions.
const CODES: [ErrorCode; 3] =
    [ErrorCode::CoordinatorNotAvailable, ErrorCode::UnknownTopicId, ErrorCode::NotLeaderOrFollower];

#[test]
fn every_message_is_read_as_a_value_and_written_again_equal() {
    let mut failures = Vec::new();
    for ApiBytes { key, direction, version, body } in golden() {
        let (request, response) = shapes(key);
        let (message, value) = match direction {
            Direction::Request => (request, shape::decode_request(key, version, body.clone())),
            Direction::Response => (response, shape::decode_response(key, version, body.clone())),
        };
        let value = value.unwrap_or_else(|error| panic!("{key} {direction:?} {version}: {error}"));
        let again = encoded(message, &value, version);
        let is_equal = if (message.flexible.0..=message.flexible.1).contains(&version) {
            // The golden bytes have tagged fields that nobody knows, which a value leaves out.
            let value_again = match direction {
                Direction::Request => shape::decode_request(key, version, again),
                Direction::Response => shape::decode_response(key, version, again),
            };
            value_again.is_ok_and(|again| again == value)
        } else {
            again == body
        };
        if !is_equal {
            failures.push(format!("{key} {direction:?} {version}"));
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn an_error_is_stamped_into_every_answer_that_has_a_place_for_one() {
    let mut stamped = BTreeSet::new();
    for message in golden() {
        let ApiBytes { key, direction: Direction::Response, version, body } = message else { continue };
        let before = codes(key, version, body.clone()).expect("golden bytes");
        for code in CODES {
            let (request, response) = shapes(key);
            let mut value = shape::decode_response(key, version, body.clone()).expect("golden bytes");
            let stamp = Stamp { code, message: Some("no"), filter: &Filter::default(), names: &NoNames };
            let base = places::base_scope(request, &Value::Null, &NoNames);
            let count = places::stamp(response, &mut value, version, &base, &stamp);
            let after = codes(key, version, encoded(response, &value, version)).expect("what was encoded");
            assert_eq!(count > 0, !before.is_empty(), "{key} {version} {code:?}");
            if count > 0 {
                assert!(after.contains(&(code as i16)), "{key} {version} {code:?}: {after:?}");
                assert!(places::errors(response, &value, version).contains(&(code as i16)));
                stamped.insert(key);
            }
        }
    }
    assert!(stamped.len() > 70, "{} APIs", stamped.len());
}

#[test]
fn a_request_that_is_not_carried_out_is_answered_with_the_error() {
    let mut without = BTreeSet::new();
    let mut refused = BTreeSet::new();
    for ApiBytes { key, direction, version, body } in golden() {
        if direction != Direction::Request || places::is_stamped_only(key) {
            continue;
        }
        let (request, response) = shapes(key);
        let asked = shape::decode_request(key, version, body).expect("golden bytes");
        let base = places::base_scope(request, &asked, &NoNames);
        for code in CODES {
            let stamp = Stamp { code, message: None, filter: &Filter::default(), names: &NoNames };
            let Some(answer) = places::refusal((request, &asked), response, version, &base, &stamp) else {
                // Some of the golden requests have empty lists, and so nothing to answer about.
                without.insert((key, version));
                continue;
            };
            let found = codes(key, version, encoded(response, &answer, version)).expect("what was encoded");
            assert!(found.contains(&(code as i16)), "{key} {version} {code:?}: {found:?}");
            refused.insert((key, version));
        }
    }
    assert_eq!(without.difference(&refused).collect::<Vec<_>>(), [&(ApiKey::Produce, -1); 0]);
    assert!(refused.len() > 200, "{} versions", refused.len());
}
