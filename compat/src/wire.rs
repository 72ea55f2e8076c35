//! A Kafka connection of a few hand-written requests in their oldest served versions.
//! Shell: one blocking socket. It shares no code with the broker's own protocol room, so that a mistake there
//! cannot hide itself here.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::failure::{Failure, Outcome, While, fail};

/// The largest answer that a check here ever asks for, with room to spare.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Big-endian fields put one after the other, in Kafka's older, fixed-width encoding.
#[derive(Debug, Default, Clone)]
pub struct Body(pub Vec<u8>);

impl Body {
    pub fn i8(mut self, value: i8) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn i16(mut self, value: i16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn i32(mut self, value: i32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn i64(mut self, value: i64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn string(self, value: &str) -> Self {
        let mut body = self.i16(i16::try_from(value.len()).unwrap_or(i16::MAX));
        body.0.extend(value.as_bytes());
        body
    }

    pub fn null_string(self) -> Self {
        self.i16(-1)
    }

    pub fn bytes(self, value: &[u8]) -> Self {
        let mut body = self.i32(i32::try_from(value.len()).unwrap_or(i32::MAX));
        body.0.extend(value);
        body
    }
}

/// Reads the fields of an answer from its front.
#[derive(Debug)]
pub struct Answer<'a>(pub &'a [u8]);

impl<'a> Answer<'a> {
    pub fn take(&mut self, count: usize) -> Outcome<&'a [u8]> {
        match self.0.split_at_checked(count) {
            Some((head, rest)) => {
                self.0 = rest;
                Ok(head)
            }
            None => fail(format!("the answer ends {} bytes before the end of a field", count - self.0.len())),
        }
    }

    fn array<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub fn i8(&mut self) -> Outcome<i8> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub fn i16(&mut self) -> Outcome<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub fn i32(&mut self) -> Outcome<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Outcome<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Outcome<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub fn string(&mut self) -> Outcome<Option<String>> {
        let length = self.i16()?;
        let Ok(length) = usize::try_from(length) else { return Ok(None) };
        Ok(Some(String::from_utf8_lossy(self.take(length)?).into_owned()))
    }

    pub fn bytes(&mut self) -> Outcome<&'a [u8]> {
        let length = self.i32()?;
        self.take(usize::try_from(length).unwrap_or(0))
    }
}

/// One connection; several requests may be on their way, their answers come in order.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    sent_correlation_id: i32,
    answered_correlation_id: i32,
}

impl Connection {
    pub fn open(address: &str, patience: Duration) -> Outcome<Self> {
        let address: SocketAddr = address.parse().while_doing(|| format!("reading the address {address}"))?;
        let stream = TcpStream::connect_timeout(&address, patience)
            .while_doing(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self { stream, sent_correlation_id: 0, answered_correlation_id: 0 })
    }

    /// Sends one request (header version 1) and returns the body of its answer (header version 0).
    pub fn ask(&mut self, key: i16, version: i16, body: Body) -> Outcome<Vec<u8>> {
        self.send(key, version, body)?;
        self.receive()
    }

    pub fn send(&mut self, key: i16, version: i16, body: Body) -> Outcome<()> {
        self.send_as("ottla-compat", key, version, body)
    }

    /// The same under another client id.
    pub fn send_as(&mut self, client_id: &str, key: i16, version: i16, body: Body) -> Outcome<()> {
        self.sent_correlation_id += 1;
        let header = Body::default().i16(key).i16(version).i32(self.sent_correlation_id).string(client_id);
        let count = i32::try_from(header.0.len() + body.0.len())
            .map_err(|_| Failure("a request beyond 2 GiB".to_owned()))?;
        let mut frame = Body::default().i32(count).0;
        frame.extend(header.0);
        frame.extend(body.0);
        self.stream.write_all(&frame)?;
        Ok(())
    }

    /// The next answer in order.
    pub fn receive(&mut self) -> Outcome<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if !(4..=ANSWER_BYTES_MAX).contains(&length) {
            return fail(format!("an answer of {length} bytes"));
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        let correlation_id = Answer(&answer).i32()?;
        self.answered_correlation_id += 1;
        if correlation_id != self.answered_correlation_id {
            return fail(format!(
                "answer {correlation_id} came for request {}",
                self.answered_correlation_id
            ));
        }
        answer.drain(..4);
        Ok(answer)
    }

    /// Metadata v4 about no topic at all: the number of brokers that serve.
    pub fn broker_count(&mut self) -> Outcome<i32> {
        let answer = self.ask(3, 4, Body::default().i32(0).i8(0))?;
        let mut answer = Answer(&answer);
        let _throttle_ms = answer.i32()?;
        answer.i32()
    }

    /// ApiVersions v0: how many APIs are served. It needs no login.
    pub fn api_count(&mut self) -> Outcome<i32> {
        let answer = self.ask(18, 0, Body::default())?;
        let mut answer = Answer(&answer);
        let _error = answer.i16()?;
        answer.i32()
    }

    /// CreateTopics v2, one replica; `configs` in Kafka's words.
    pub fn create_topic(
        &mut self,
        topic: &str,
        partition_count: i32,
        configs: &[(&str, &str)],
    ) -> Outcome<()> {
        let mut body = Body::default().i32(1).string(topic).i32(partition_count).i16(1).i32(0);
        body = body.i32(i32::try_from(configs.len()).unwrap_or(0));
        for (key, value) in configs {
            body = body.string(key).string(value);
        }
        let answer = self.ask(19, 2, body.i32(30_000).i8(0))?;
        let mut answer = Answer(&answer);
        let (_throttle_ms, _count, _name) = (answer.i32()?, answer.i32()?, answer.string()?);
        match (answer.i16()?, answer.string()?) {
            (0, _) => Ok(()),
            (code, message) => {
                fail(format!("creating {topic}: error {code}, {}", message.unwrap_or_default()))
            }
        }
    }
}
