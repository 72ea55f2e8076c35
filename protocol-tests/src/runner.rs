//! Plays a script against one broker and keeps what it answered.
//! Shell: connections and the clock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use ottla_security::Secret;
use ottla_security::sasl::{ClientStep, Credentials, SaslClient, SaslMechanism};
use serde_json::{Map, Value, json};

use crate::Outcome;
use crate::codec;
use crate::connection::{Arrival, Connection};
use crate::normalise::Normaliser;
use crate::offsets_topic;
use crate::schema::{Api, Schemas};
use crate::script::{Action, Check, Scram, Step, VersionList, look_up};

const CLIENT_ID: &str = "oracle";
const RETRY_LIMIT: Duration = Duration::from_secs(10);
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// One request and what came of it, with free values replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    pub ask: String,
    pub outcome: Value,
}

impl Exchange {
    pub fn api(&self) -> &str {
        self.ask.split(' ').next().unwrap_or_default()
    }
}

/// Plays all steps; an error means that the script itself cannot go on.
pub fn play(address: &str, steps: &[Step]) -> Outcome<Vec<Exchange>> {
    let mut player = Player {
        address: address.to_owned(),
        lines: BTreeMap::new(),
        clients: BTreeMap::new(),
        variables: HashMap::new(),
        normaliser: Normaliser::default(),
        exchanges: Vec::new(),
        correlation_id: 0,
    };
    player.steps(steps)?;
    Ok(player.exchanges)
}

/// A connection and the requests on it that wait for their answers.
struct Line {
    connection: Connection,
    waiting: VecDeque<Waiting>,
}

/// A request that was sent.
struct Waiting {
    api: String,
    version: i16,
    correlation_id: i32,
    sent: Instant,
    /// What it says of its patience.
    max_wait: Duration,
}

impl Waiting {
    fn ask(&self) -> String {
        format!("{} v{}", self.api, self.version)
    }

    fn outcome(&self, arrival: Arrival) -> Outcome<Value> {
        Ok(match arrival {
            Arrival::Closed => json!({"$closed": true}),
            Arrival::Silence => json!({"$silence": true}),
            Arrival::Answer(id, _) if id != self.correlation_id => {
                json!({"$answerOfAnother": id - self.correlation_id})
            }
            Arrival::Answer(_, bytes) => {
                let api = Schemas::kafka().api(&self.api)?;
                codec::response(api, self.version, &bytes)
                    .unwrap_or_else(|error| json!({"$undecodable": error}))
            }
        })
    }

    /// Whether an answer that came at that moment has waited for something.
    fn answered(&self, at: Instant) -> &'static str {
        if at.duration_since(self.sent) < self.max_wait / 2 { "now" } else { "waits" }
    }
}

struct Player {
    address: String,
    lines: BTreeMap<String, Line>,
    /// The client ids of the connections that have one of their own.
    clients: BTreeMap<String, Option<Vec<u8>>>,
    variables: HashMap<String, Value>,
    normaliser: Normaliser,
    exchanges: Vec<Exchange>,
    correlation_id: i32,
}

impl Player {
    fn steps(&mut self, steps: &[Step]) -> Outcome<()> {
        for step in steps {
            self.step(step).map_err(|error| match step.action {
                Action::For { .. } | Action::Together { .. } => error,
                _ => format!("line {}: {error}", step.line),
            })?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Outcome<()> {
        match &step.action {
            Action::For { name, versions, steps } => {
                for version in versions.first..=versions.last {
                    self.variables.insert(name.clone(), json!(version));
                    self.steps(steps)?;
                }
                Ok(())
            }
            Action::Set { name, value } => {
                let value = self.fill(value);
                self.variables.insert(name.clone(), value);
                Ok(())
            }
            Action::Ask { api, versions, body } => {
                let api = Schemas::kafka().api(api)?;
                for version in self.versions(api, versions) {
                    self.ask(step, api, version, body)?;
                }
                Ok(())
            }
            Action::Send { api, versions, body } => {
                let api = Schemas::kafka().api(api)?;
                for version in self.versions(api, versions) {
                    self.send(&step.connection, api, version, body)?;
                }
                Ok(())
            }
            Action::Receive => {
                let (ask, outcome) = self.receive(&step.connection, step.checks.contains(&Check::Timed))?;
                self.keep(step, ask, outcome)
            }
            Action::Together { steps } => self.together(steps),
            Action::Raw { bytes } => {
                self.line(&step.connection)?.connection.send(bytes);
                Ok(())
            }
            Action::Outcome => self.raw_outcome(&step.connection),
            Action::Token { bytes } => self.token(&step.connection, bytes),
            Action::Scram(login) => self.scram(step, login),
            Action::Client { name } => {
                self.clients.insert(step.connection.clone(), codec::odd_text(name)?);
                Ok(())
            }
            Action::Dial { port } => {
                let port = self.fill(port);
                let host = self.address.rsplit_once(':').map_or("", |(host, _)| host);
                let connection = Connection::open(&format!("{host}:{port}"))?;
                self.lines.insert(step.connection.clone(), Line { connection, waiting: VecDeque::new() });
                Ok(())
            }
            Action::Close => {
                self.lines.remove(&step.connection);
                Ok(())
            }
            Action::Topic { name, partitions, configs } => self.topic(&self.text(name), *partitions, configs),
            Action::DeleteTopic { name } => self.delete_topic(&self.text(name)),
            Action::Group { name } => self.group(&self.text(name)),
        }
    }

    fn versions(&self, api: &Api, list: &VersionList) -> Vec<i16> {
        match list {
            VersionList::All => (api.versions.first..=api.versions.last).collect(),
            VersionList::Spans(spans) => spans.iter().flat_map(|span| span.first..=span.last).collect(),
            VersionList::Variable(name) => {
                let version = self.variables.get(name).and_then(Value::as_i64).unwrap_or(0);
                vec![api.nearest_version(i16::try_from(version).unwrap_or(0))]
            }
        }
    }

    fn ask(&mut self, step: &Step, api: &Api, version: i16, body: &Value) -> Outcome<()> {
        let deadline = Instant::now() + RETRY_LIMIT;
        loop {
            self.send(&step.connection, api, version, body)?;
            let (ask, outcome) = self.receive(&step.connection, step.checks.contains(&Check::Timed))?;
            let is_there = step.checks.iter().all(|check| match check {
                Check::Until { path, value } => {
                    look_up(&outcome, path).unwrap_or(&Value::Null) == &self.fill(value)
                }
                _ => true,
            });
            if is_there || Instant::now() >= deadline {
                return self.keep(step, ask, outcome);
            }
            std::thread::sleep(RETRY_PAUSE);
        }
    }

    fn line(&mut self, name: &str) -> Outcome<&mut Line> {
        if !self.lines.contains_key(name) {
            let connection = Connection::open(&self.address)?;
            self.lines.insert(name.to_owned(), Line { connection, waiting: VecDeque::new() });
        }
        self.lines.get_mut(name).ok_or_else(|| "no connection".to_owned())
    }

    fn send(&mut self, connection: &str, api: &Api, version: i16, body: &Value) -> Outcome<()> {
        // `$v` is this version for the body only; around it the variable of a loop keeps its value.
        let outer = self.variables.insert("v".to_owned(), json!(version));
        let body = self.fill(body);
        if let Some(outer) = outer {
            self.variables.insert("v".to_owned(), outer);
        }
        self.correlation_id += 1;
        let correlation_id = self.correlation_id;
        let usual = Some(CLIENT_ID.as_bytes().to_vec());
        let client_id = self.clients.get(connection).unwrap_or(&usual).as_deref();
        let frame = codec::request_frame_of(api, version, correlation_id, client_id, &body)?;
        let is_silent = api.name == "Produce" && body["acks"] == 0;
        let max_wait = Duration::from_millis(body["maxWaitMs"].as_u64().unwrap_or(0));
        let (api, sent) = (api.name.clone(), Instant::now());
        let line = self.line(connection)?;
        line.connection.send(&frame);
        if !is_silent {
            line.waiting.push_back(Waiting { api, version, correlation_id, sent, max_wait });
        }
        Ok(())
    }

    /// The oldest waiting request of the connection and what came for it.
    fn receive(&mut self, connection: &str, is_timed: bool) -> Outcome<(String, Value)> {
        let line = self.line(connection)?;
        let waiting = line.waiting.pop_front().ok_or("nothing was asked")?;
        let arrival = line.connection.receive()?;
        let arrived = Instant::now();
        let mut outcome = waiting.outcome(arrival)?;
        if ["$closed", "$silence", "$answerOfAnother"].iter().any(|mark| outcome.get(mark).is_some()) {
            self.lines.remove(connection);
        } else if is_timed {
            outcome["$answered"] = json!(waiting.answered(arrived));
        }
        Ok((waiting.ask(), outcome))
    }

    /// All at once: what waits, waits at the same time as the others.
    fn together(&mut self, steps: &[Step]) -> Outcome<()> {
        let mut names = Vec::new();
        for step in steps {
            let Action::Ask { api, versions, body } = &step.action else {
                return Err(format!("line {}: only requests are sent together", step.line));
            };
            let api = Schemas::kafka().api(api)?;
            for version in self.versions(api, versions) {
                let name = format!("$together-{}", names.len());
                self.send(&name, api, version, body)?;
                names.push((name, step));
            }
        }
        let mut lines = Vec::new();
        for (name, step) in names {
            let line = self.lines.remove(&name).ok_or("no connection")?;
            lines.push((line, step));
        }
        let arrivals: Vec<Outcome<(Arrival, Instant)>> = std::thread::scope(|scope| {
            let readers: Vec<_> = lines
                .iter_mut()
                .map(|(line, _)| scope.spawn(|| Ok((line.connection.receive()?, Instant::now()))))
                .collect();
            let broke = || Err("a reader broke off".to_owned());
            readers.into_iter().map(|reader| reader.join().unwrap_or_else(|_| broke())).collect()
        });
        for ((mut line, step), arrival) in lines.into_iter().zip(arrivals) {
            let (arrival, arrived) = arrival?;
            let waiting = line.waiting.pop_front().ok_or("nothing was asked")?;
            let mut outcome = waiting.outcome(arrival)?;
            remove_records(&mut outcome);
            outcome["$answered"] = json!(waiting.answered(arrived));
            self.keep(step, waiting.ask(), outcome)?;
        }
        Ok(())
    }

    fn raw_outcome(&mut self, connection: &str) -> Outcome<()> {
        let outcome = match self.line(connection)?.connection.receive()? {
            Arrival::Closed => json!({"$closed": true}),
            Arrival::Silence => json!({"$silence": true}),
            Arrival::Answer(id, bytes) => json!({"correlationId": id, "bytes": codec::bytes_text(&bytes)}),
        };
        if outcome.get("bytes").is_none() {
            self.lines.remove(connection);
        }
        self.exchanges.push(Exchange { ask: "raw".to_owned(), outcome });
        Ok(())
    }

    /// A frame that is no request, and what comes back.
    fn token(&mut self, connection: &str, bytes: &[u8]) -> Outcome<()> {
        let length = i32::try_from(bytes.len()).map_err(|error| error.to_string())?;
        let connection_of = &mut self.line(connection)?.connection;
        connection_of.send(&[&length.to_be_bytes(), bytes].concat());
        let outcome = match connection_of.receive_frame()? {
            Some(frame) => json!({"token": codec::bytes_text(&frame)}),
            None => json!({"$closed": true}),
        };
        if outcome.get("token").is_none() {
            self.lines.remove(connection);
        }
        self.exchanges.push(Exchange { ask: "token".to_owned(), outcome });
        Ok(())
    }

    /// A whole login; what is drawn anew each time is left out of what is kept.
    fn scram(&mut self, step: &Step, login: &Scram) -> Outcome<()> {
        let mechanism = SaslMechanism::from_name(&login.mechanism).ok_or("no such mechanism")?;
        let api = Schemas::kafka().api("SaslAuthenticate")?;
        self.correlation_id += 1;
        let random = self.correlation_id.to_be_bytes().repeat(8);
        let credentials =
            Credentials { name: login.name.clone(), password: Secret::new(login.password.as_str()) };
        let (mut client, mut token) = SaslClient::first(mechanism, credentials, &random);
        let mut is_first = true;
        loop {
            if let (false, Some(twist)) = (is_first, &login.twist) {
                token = twisted(&token, twist)?;
            }
            is_first = false;
            let body = json!({"authBytes": codec::bytes_text(&token)});
            self.send(&step.connection, api, login.version, &body)?;
            let (ask, mut outcome) = self.receive(&step.connection, false)?;
            let reply = outcome["authBytes"].as_str().map(codec::text_bytes).transpose()?.unwrap_or_default();
            let stepped = client.step(&reply);
            if !reply.is_empty() {
                outcome["authBytes"] = match &stepped {
                    // The salt and the nonce are drawn, the number of rounds is not.
                    Ok(ClientStep::Send(_)) => {
                        let text = String::from_utf8_lossy(&reply);
                        json!(format!("a challenge{}", text.rsplit_once(",i=").map_or("", |(_, i)| i)))
                    }
                    Ok(ClientStep::Done) => json!("a signature"),
                    Err(error) => json!(error.to_string()),
                };
            }
            self.keep(step, ask, outcome)?;
            match stepped {
                Ok(ClientStep::Send(next)) => token = next,
                _ => return Ok(()),
            }
        }
    }

    fn keep(&mut self, step: &Step, ask: String, mut outcome: Value) -> Outcome<()> {
        for check in &step.checks {
            match check {
                Check::Save { name, path } => {
                    let path = self.text(path);
                    let value = look_up(&outcome, &path).cloned().unwrap_or(Value::Null);
                    self.normaliser.meet(&value);
                    self.variables.insert(name.clone(), value);
                }
                Check::Keep { path, field, prefix } => {
                    keep_only(&mut outcome, path, field, &self.text(prefix))
                }
                Check::Counted { path } => count(&mut outcome, path),
                Check::Decoded => offsets_topic::decode(&mut outcome),
                Check::Until { .. } | Check::Timed | Check::Ordered => {}
            }
        }
        let now = SystemTime::UNIX_EPOCH.elapsed().map_err(|error| error.to_string())?;
        let keeps_order = ask.starts_with("Fetch ") || step.checks.contains(&Check::Ordered);
        let outcome = self.normaliser.answer(&outcome, keeps_order, now.as_millis() as i64);
        self.exchanges.push(Exchange { ask, outcome });
        Ok(())
    }

    /// Puts remembered values in their places.
    fn fill(&self, value: &Value) -> Value {
        match value {
            Value::Object(object) if object.contains_key("$times") => {
                let times = object["$times"].as_u64().unwrap_or(0);
                let item = |index| numbered(&object["of"], index);
                (0..times).map(|index| self.fill(&item(index))).collect()
            }
            Value::Object(object) => Value::Object(
                object.iter().map(|(name, inner)| (name.clone(), self.fill(inner))).collect::<Map<_, _>>(),
            ),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::String(text) => match text.strip_prefix('$').filter(|name| !name.starts_with('{')) {
                Some(name) => self.variable(name),
                None => Value::String(self.text(text)),
            },
            other => other.clone(),
        }
    }

    fn variable(&self, name: &str) -> Value {
        if let Some(value) = self.variables.get(name) {
            return value.clone();
        }
        let (name, step) = match name.rsplit_once(['+', '-']) {
            Some((head, step)) => {
                let sign = if name.as_bytes()[head.len()] == b'-' { -1 } else { 1 };
                (head, step.parse::<i64>().map_or(0, |step| step * sign))
            }
            None => (name, 0),
        };
        match self.variables.get(name) {
            Some(Value::Number(number)) => json!(number.as_i64().unwrap_or(0).wrapping_add(step)),
            Some(value) => value.clone(),
            None => Value::Null,
        }
    }

    fn text(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((head, tail)) = rest.split_once("${") {
            out.push_str(head);
            let (name, tail) = tail.split_once('}').unwrap_or((tail, ""));
            match self.variable(name) {
                Value::String(text) => out.push_str(&text),
                other => out.push_str(&other.to_string()),
            }
            rest = tail;
        }
        out + rest
    }

    /// Asks without keeping the exchange, until `path` is `value`.
    fn prepare(
        &mut self,
        api: &str,
        version: i16,
        body: &Value,
        path: &str,
        value: &Value,
    ) -> Outcome<Value> {
        let deadline = Instant::now() + RETRY_LIMIT;
        let api = Schemas::kafka().api(api)?;
        loop {
            self.send("$prepare", api, version, body)?;
            let (_, outcome) = self.receive("$prepare", false)?;
            if look_up(&outcome, path) == Some(value) {
                return Ok(outcome);
            }
            if Instant::now() >= deadline {
                return Err(format!("{} never said {path} = {value}: {outcome}", api.name));
            }
            std::thread::sleep(RETRY_PAUSE);
        }
    }

    fn topic(&mut self, name: &str, partitions: i64, configs: &[(String, String)]) -> Outcome<()> {
        let configs: Vec<Value> =
            configs.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let topic =
            json!({"name": name, "numPartitions": partitions, "replicationFactor": 1, "configs": configs});
        let body = json!({"topics": [topic], "timeoutMs": 10_000});
        self.prepare("CreateTopics", 7, &body, "topics.0.errorCode", &json!(0))?;
        let body = json!({"topics": [{"name": name}], "allowAutoTopicCreation": false});
        let answer = self.prepare("Metadata", 12, &body, "topics.0.errorCode", &json!(0))?;
        let id = answer["topics"][0]["topicId"].clone();
        self.normaliser.meet(&id);
        self.variables.insert(name.to_owned(), id);
        for index in 0..partitions {
            let partition = json!({"partitionIndex": index, "timestamp": -1});
            let body = json!({"replicaId": -1, "topics": [{"name": name, "partitions": [partition]}]});
            self.prepare("ListOffsets", 7, &body, "topics.0.partitions.0.errorCode", &json!(0))?;
        }
        Ok(())
    }

    fn delete_topic(&mut self, name: &str) -> Outcome<()> {
        let body = json!({"topicNames": [name], "timeoutMs": 10_000});
        self.prepare("DeleteTopics", 3, &body, "responses.0.errorCode", &json!(0))?;
        let body = json!({"topics": [{"name": name}], "allowAutoTopicCreation": false});
        self.prepare("Metadata", 12, &body, "topics.0.errorCode", &json!(3)).map(drop)
    }

    fn group(&mut self, name: &str) -> Outcome<()> {
        let body = json!({"key": name, "keyType": 0});
        self.prepare("FindCoordinator", 1, &body, "errorCode", &json!(0))?;
        self.prepare("OffsetFetch", 3, &json!({"groupId": name, "topics": null}), "errorCode", &json!(0))
            .map(drop)
    }
}

/// The last message of a SCRAM login with something wrong in it.
fn twisted(token: &[u8], twist: &str) -> Outcome<Vec<u8>> {
    let text = String::from_utf8_lossy(token).into_owned();
    let (front, proof) = text.split_once(",p=").ok_or("this is not the last message")?;
    let other = if proof.starts_with('A') { "B" } else { "A" };
    let text = match twist {
        "nonce" => format!("{front}x,p={proof}"),
        "channel" => format!("{},p={proof}", front.replacen("c=biws", "c=eSws", 1)),
        "proof" => format!("{front},p={other}{}", &proof[1..]),
        "short" => format!("{front},p=AAAA"),
        _ => return Err(format!("there is no twist `{twist}`")),
    };
    Ok(text.into_bytes())
}

fn remove_records(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.remove("records");
            object.values_mut().for_each(remove_records);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_records),
        _ => {}
    }
}

/// A value in which `$i` is that number.
fn numbered(value: &Value, index: u64) -> Value {
    match value {
        Value::Object(object) => {
            object.iter().map(|(name, inner)| (name.clone(), numbered(inner, index))).collect()
        }
        Value::Array(items) => items.iter().map(|item| numbered(item, index)).collect(),
        Value::String(text) if text == "$i" => json!(index),
        other => other.clone(),
    }
}

fn part_of<'a>(outcome: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(outcome, |value, part| match part.parse::<usize>() {
        Ok(index) => value.get_mut(index),
        Err(_) => value.get_mut(part),
    })
}

/// Puts in the place of a list how often each of its elements is there, but for what it is about.
fn count(outcome: &mut Value, path: &str) {
    let Some(list) = part_of(outcome, path) else { return };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for item in list.as_array().into_iter().flatten() {
        let mut item = item.clone();
        if let Some(fields) = item.as_object_mut() {
            fields.retain(|name, _| !["partitionIndex", "partition", "groupId"].contains(&name.as_str()));
        }
        *counts.entry(item.to_string()).or_default() += 1;
    }
    *list = json!(counts);
}

fn keep_only(outcome: &mut Value, path: &str, field: &str, prefix: &str) {
    let list = part_of(outcome, path);
    if let Some(Value::Array(items)) = list {
        items.retain(|item| item[field].as_str().is_some_and(|text| text.starts_with(prefix)));
    }
}
