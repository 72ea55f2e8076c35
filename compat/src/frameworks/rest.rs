//! The few HTTP requests that Connect's workers are sent, and their answers as JSON.
//! Shell: one blocking socket a request.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::failure::{Failure, Outcome, While, fail};

const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

/// Asks until the answer is a success, which a worker that starts or rebalances refuses for a while.
pub(crate) fn insist(
    port: u16,
    method: &str,
    path: &str,
    body: Option<&Value>,
    limit: Duration,
) -> Outcome<Value> {
    let deadline = Instant::now() + limit;
    loop {
        match ask(port, method, path, body) {
            Ok(value) => return Ok(value),
            Err(failure) if Instant::now() > deadline => return Err(failure),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// One request; anything but a success is a failure.
pub(crate) fn ask(port: u16, method: &str, path: &str, body: Option<&Value>) -> Outcome<Value> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // HTTP/1.0 keeps the answer in one piece.
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).while_doing(|| format!("{method} {path}"))?;
    let (head, text) =
        answer.split_once("\r\n\r\n").ok_or_else(|| Failure(format!("{method} {path}: no answer")))?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        return fail(format!("{method} {path}: {status} {text}"));
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).while_doing(|| format!("{method} {path}"))
}
