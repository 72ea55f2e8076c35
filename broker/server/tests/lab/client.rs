//! A lab that serves, a client that writes frames, and HTTP by hand.
//! Shell.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use ottla_env::real;
use ottla_lab::{ClusterSettings, Created, Lab};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{ProduceRequest, ProduceResponse, TopicName};
use ottla_protocol::{Request, RequestHeader, StrBytes, decode_response, decode_response_header};
use ottla_records::BatchBuilder;
use ottla_server::lab::Brokers;
use serde_json::{Value as Json, json};

pub const PRODUCE_VERSION: i16 = 9;

/// A lab that serves, and a thread that may block.
pub fn with_lab(test: impl FnOnce(&Created) + Send + 'static) {
    let ran = real::run(Some(2), async {
        let env = real::env();
        let lab = Lab::new(env.clone(), 7);
        let brokers = Brokers::new(env, 0, Vec::new(), lab.route());
        lab.set_host(brokers.clone());
        let settings = ClusterSettings { name: Some("main".to_owned()), seed: Some(7), ..Default::default() };
        let created = lab.create(settings).await.expect("it serves");
        let (done, is_done) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            test(&created);
            // The lab waits for it.
            let _gone = done.send(());
        });
        let _ended = is_done.await;
        brokers.stop_all().await;
        assert!(thread.join().is_ok(), "the test failed");
    });
    ran.expect("a runtime");
}

pub fn http(at: &str, method: &str, path: &str, body: Option<Json>) -> (u16, Json) {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let (status, answer) = http_bytes(at, method, path, body.as_bytes());
    (status, serde_json::from_slice(&answer).expect("JSON"))
}

pub fn http_bytes(at: &str, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(at).expect("it listens");
    let head = format!(
        "{method} /lab/v1{path} HTTP/1.1\r\nhost: lab\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("it is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head and a body");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer.split_off(end + 4))
}

/// A connection, and the id with which it sends.
pub struct Client(pub TcpStream, pub &'static str);

impl Client {
    pub fn connect(created: &Created) -> Client {
        Client::at(&created.bootstrap)
    }

    pub fn at(bootstrap: &str) -> Client {
        let stream = TcpStream::connect(bootstrap).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        Client(stream, "app")
    }

    /// Nothing where the connection ends instead.
    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        self.ask_in(version, version, request)
    }

    /// A request that has no answer.
    pub fn send<R: Request>(&mut self, version: i16, request: &R) {
        let header = RequestHeader {
            api_key: R::API_KEY.to_i16(),
            api_version: version,
            correlation_id: 5,
            client_id: Some(StrBytes::from_static_str(self.1)),
        };
        let mut frame = BytesMut::new();
        header.encode(&mut frame);
        request.encode(&mut frame, version).expect("it can be written");
        let len = (frame.len() as i32).to_be_bytes();
        self.0.write_all(&len).and_then(|()| self.0.write_all(&frame)).expect("it is sent");
    }

    /// Where the answer is of another version than the request.
    pub fn ask_in<R: Request>(
        &mut self,
        version: i16,
        answer_version: i16,
        request: &R,
    ) -> Option<R::Response> {
        self.send(version, request);
        let mut prefix = [0; 4];
        self.0.read_exact(&mut prefix).ok()?;
        let mut body = vec![0; i32::from_be_bytes(prefix) as usize];
        self.0.read_exact(&mut body).ok()?;
        let mut body = Bytes::from(body);
        assert_eq!(decode_response_header(&mut body, R::API_KEY, answer_version), Ok(5));
        assert!(body.has_remaining());
        Some(decode_response(R::API_KEY, answer_version, body).expect("an answer"))
    }
}

/// A record for partition 0 of each topic.
pub fn produce(topics: &[&str]) -> ProduceRequest {
    let data = topics.iter().map(|topic| {
        let mut batch = BatchBuilder::new();
        batch.append(1_700_000_000_000, None, Some(topic.as_bytes()), &[]);
        let partition = PartitionProduceData::default().with_records(Some(batch.build()));
        let name = TopicName(StrBytes::from_string((*topic).to_owned()));
        TopicProduceData::default().with_name(name).with_partition_data(vec![partition])
    });
    ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(data.collect())
}

/// The error and the offset of each topic, by its name.
pub fn told(answer: Option<ProduceResponse>) -> Vec<(String, i16, i64)> {
    let answer = answer.expect("an answer");
    let mut told: Vec<(String, i16, i64)> = answer
        .responses
        .iter()
        .flat_map(|topic| {
            let name = topic.name.to_string();
            topic.partition_responses.iter().map(move |one| (name.clone(), one.error_code, one.base_offset))
        })
        .collect();
    told.sort();
    told
}

pub fn count(at: &str, topic: &str) -> usize {
    let (status, answer) = http(at, "GET", &format!("/topics/{topic}/records"), None);
    assert_eq!(status, 200, "{answer}");
    answer["records"].as_array().expect("a list").len()
}

pub fn topics(at: &str, names: &[&str]) {
    for name in names {
        let (status, answer) = http(at, "POST", "/topics", Some(json!({ "name": name, "partitions": 2 })));
        assert_eq!(status, 201, "{answer}");
    }
}
