//! A tape as a broker: what clients ask is answered as it was then.
//! Core.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ottla_protocol::shape::{self, Kind, Struct, Value};
use ottla_protocol::{ApiKey, StrBytes};
use serde_json::{Value as Json, json};

use crate::tape::{Asked, Tape};

/// Requests that are told of which the tape has none.
const MISSED_MAX: usize = 100;

#[derive(Debug)]
pub struct Played {
    pub recording: String,
    tape: Arc<Tape>,
    /// As fast as then, so many times; none is at once.
    speed: Option<f64>,
    /// Where it is asked: what the tape says of addresses is in its place.
    host: String,
    port: u16,
    places: HashMap<(ApiKey, i16), Vec<usize>>,
    asked: Vec<Option<Value>>,
    used: Vec<bool>,
    in_order: usize,
    repeated: usize,
    missed: usize,
    told: Vec<Json>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum FromTape {
    /// Without its length, after so long.
    Answer(Bytes, Duration),
    /// Nothing is sent, and what comes behind it is answered: a Produce without acknowledgements.
    Silent,
    /// It waits, as then.
    Never,
    Missed,
}

impl Played {
    pub fn new(recording: String, tape: Arc<Tape>, speed: Option<f64>, host: String, port: u16) -> Played {
        let mut places: HashMap<(ApiKey, i16), Vec<usize>> = HashMap::new();
        let mut bodies = Vec::new();
        for (place, exchange) in tape.exchanges().iter().enumerate() {
            let asked = Asked::of(&exchange.request);
            if let Some(asked) = &asked {
                places.entry((asked.key, asked.version)).or_default().push(place);
            }
            bodies.push(asked.and_then(|asked| asked.body));
        }
        let used = vec![false; bodies.len()];
        let (in_order, repeated, missed, told) = (0, 0, 0, Vec::new());
        let asked = bodies;
        Played { recording, tape, speed, host, port, places, asked, used, in_order, repeated, missed, told }
    }

    /// The next exchange with this very request; where all of them were played, the last one again, for clients ask
    /// more often than they must.
    pub fn answer(&mut self, asked: &Asked) -> FromTape {
        let places = self.places.get(&(asked.key, asked.version)).map_or(&[][..], Vec::as_slice);
        let is_this = |place: &&usize| self.asked[**place] == asked.body;
        let next = places.iter().find(|place| !self.used[**place] && is_this(place)).copied();
        let place = match next.or_else(|| places.iter().rfind(is_this).copied()) {
            Some(place) => place,
            None => {
                self.missed += 1;
                if self.told.len() < MISSED_MAX {
                    let body = shape::request(asked.key).zip(asked.body.as_ref());
                    let body =
                        body.map(|(message, body)| crate::json::of_struct(message.root, body, asked.version));
                    self.told
                        .push(json!({ "api": asked.key.name(), "version": asked.version, "body": body }));
                }
                // Who reads on behind the last record waits, as for a record that does not come.
                return match asked.key {
                    ApiKey::Fetch | ApiKey::ShareFetch => FromTape::Never,
                    _other => FromTape::Missed,
                };
            }
        };
        match std::mem::replace(&mut self.used[place], true) {
            true => self.repeated += 1,
            false => self.in_order += 1,
        }
        let exchange = &self.tape.exchanges()[place];
        let Some(answer) = &exchange.answer else {
            return if asked.wants_no_answer() { FromTape::Silent } else { FromTape::Never };
        };
        let wait = self.speed.map_or(0.0, |speed| exchange.took_us as f64 / 1e6 / speed);
        FromTape::Answer(self.here(asked, answer), Duration::from_secs_f64(wait))
    }

    /// With the number of this request, and this address in the place of the broker's.
    fn here(&self, asked: &Asked, answer: &Bytes) -> Bytes {
        let correlation_id = asked.header.correlation_id;
        if let Some((message, mut body)) = shape::response(asked.key).zip(asked.read_answer(answer))
            && self.put_address(message.root, &mut body)
            && let Some(answer) = asked.answer(&body, correlation_id)
        {
            return answer;
        }
        let mut same = BytesMut::from(&correlation_id.to_be_bytes()[..]);
        same.extend_from_slice(&answer[same.len()..]);
        same.freeze()
    }

    fn put_address(&self, shape: &Struct, value: &mut Value) -> bool {
        let Value::Struct(values) = value else { return false };
        let mut is_put = false;
        if let (Some(host), Some(port)) = (shape.place_of("Host"), shape.place_of("Port")) {
            // None is said where there is none.
            if matches!(&values[port], Value::Int(port) if *port > 0) {
                values[host] = Value::Text(StrBytes::from_string(self.host.clone()));
                values[port] = Value::Int(self.port.into());
                is_put = true;
            }
        }
        for (field, value) in shape.fields.iter().zip(values) {
            match (field.kind, value) {
                (Kind::Array(Kind::Struct(inner)), Value::Array(items)) => {
                    for item in items {
                        is_put |= self.put_address(inner, item);
                    }
                }
                (Kind::Struct(inner), value) => is_put |= self.put_address(inner, value),
                _other => {}
            }
        }
        is_put
    }

    pub fn show(&self) -> Json {
        json!({
            "recording": self.recording,
            "as": "server",
            "played": self.in_order,
            "repeated": self.repeated,
            "left": self.used.iter().filter(|used| !**used).count(),
            "missed": self.missed,
            "missing": self.told,
        })
    }
}
