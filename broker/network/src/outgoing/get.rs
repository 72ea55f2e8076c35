//! One GET over HTTP/1.1, for the keys of an issuer: no redirects, no cookies, and an answer of bounded length and time.
//! Shell.
//!
//! ```text
//! GET path HTTP/1.1, Host, Accept, Connection: close          out
//! status line, headers, and a body by its length, in chunks, or up to the end of the connection    in
//! ```

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use ottla_env::Env;
use ottla_env::net::{DialOptions, Stream};
use ottla_security::tls::ClientTls;

use crate::handshake::secure_dialled;

const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Location {
    pub host: String,
    pub port: u16,
    pub path: String,
    pub tls: Option<ClientTls>,
}

/// Why there is no answer. Nothing of the other side's text is in it.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    #[error("it cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("TLS: {0}")]
    Tls(String),
    #[error("the connection was lost: {0}")]
    Lost(io::Error),
    #[error("the answer ends too early")]
    Truncated,
    #[error("the answer is none of HTTP")]
    Malformed,
    #[error("it answers with the status {0}")]
    Status(u16),
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("no whole answer came in time")]
    TimedOut,
}

/// The body of the answer.
pub async fn get(
    env: &Env,
    location: &Location,
    bytes_max: usize,
    patience: Duration,
) -> Result<Vec<u8>, GetError> {
    let deadline = env.clock.sleep_until(env.clock.monotonic().after(patience));
    tokio::select! {
        answer = ask(env, location, bytes_max) => answer,
        () = deadline => Err(GetError::TimedOut),
    }
}

async fn ask(env: &Env, location: &Location, bytes_max: usize) -> Result<Vec<u8>, GetError> {
    let Location { host, port, path, tls } = location;
    let stream = env.net.dial(host, *port, DialOptions::default()).await.map_err(GetError::Unreachable)?;
    let stream = match tls {
        None => stream,
        Some(tls) => {
            let stream = tls.connect(stream, host).map_err(|error| GetError::Tls(error.to_string()))?;
            secure_dialled(stream).await.map_err(|error| GetError::Tls(error.to_string()))?
        }
    };
    let named = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {named}:{port}\r\nAccept: application/json\r\nUser-Agent: ottla\r\n\
         Connection: close\r\n\r\n"
    );
    let mut exchange = Exchange { stream, arrived: BytesMut::new() };
    exchange.write(request.as_bytes()).await?;
    let framing = exchange.head().await?;
    exchange.body(framing, bytes_max).await
}

struct Exchange {
    stream: Box<dyn Stream>,
    arrived: BytesMut,
}

/// How long the body is.
enum Framing {
    Bytes(usize),
    Chunks,
    ToTheEnd,
}

impl Exchange {
    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), GetError> {
        while !bytes.is_empty() {
            let stream = &mut self.stream;
            let sent = poll_fn(|context| stream.poll_write_vectored(context, &[IoSlice::new(bytes)])).await;
            match sent.map_err(GetError::Lost)? {
                0 => return Err(GetError::Truncated),
                sent => bytes = &bytes[sent..],
            }
        }
        Ok(())
    }

    /// How many bytes have come; 0 at the end.
    async fn read(&mut self) -> Result<usize, GetError> {
        self.arrived.reserve(8 * 1024);
        let (stream, arrived) = (&mut self.stream, &mut self.arrived);
        poll_fn(|context| stream.poll_read(context, arrived)).await.map_err(GetError::Lost)
    }

    async fn more(&mut self) -> Result<(), GetError> {
        match self.read().await? {
            0 => Err(GetError::Truncated),
            _ => Ok(()),
        }
    }

    async fn head(&mut self) -> Result<Framing, GetError> {
        loop {
            if let Some((bytes, framing)) = parse_head(&self.arrived)? {
                self.arrived.advance(bytes);
                return Ok(framing);
            }
            if self.arrived.len() > HEAD_BYTES_MAX {
                return Err(GetError::Malformed);
            }
            self.more().await?;
        }
    }

    async fn body(&mut self, framing: Framing, bytes_max: usize) -> Result<Vec<u8>, GetError> {
        match framing {
            Framing::Bytes(length) if length > bytes_max => Err(GetError::TooLong(bytes_max)),
            Framing::Bytes(length) => {
                while self.arrived.len() < length {
                    self.more().await?;
                }
                Ok(self.arrived[..length].to_vec())
            }
            Framing::ToTheEnd => loop {
                // What came with the head counts too.
                if self.arrived.len() > bytes_max {
                    return Err(GetError::TooLong(bytes_max));
                }
                if self.read().await? == 0 {
                    return Ok(self.arrived.to_vec());
                }
            },
            Framing::Chunks => self.chunks(bytes_max).await,
        }
    }

    async fn chunks(&mut self, bytes_max: usize) -> Result<Vec<u8>, GetError> {
        let mut body = Vec::new();
        loop {
            let (head, length) = loop {
                match httparse::parse_chunk_size(&self.arrived) {
                    Ok(httparse::Status::Complete(found)) => break found,
                    Ok(httparse::Status::Partial) if self.arrived.len() <= HEAD_BYTES_MAX => {
                        self.more().await?
                    }
                    Ok(httparse::Status::Partial) | Err(_) => return Err(GetError::Malformed),
                }
            };
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length == 0 {
                return Ok(body);
            }
            if length > bytes_max.saturating_sub(body.len()) {
                return Err(GetError::TooLong(bytes_max));
            }
            self.arrived.advance(head);
            // The chunk and the end of its line.
            while self.arrived.len() < length + 2 {
                self.more().await?;
            }
            body.extend_from_slice(&self.arrived[..length]);
            self.arrived.advance(length + 2);
        }
    }
}

/// The length of the head and what follows it; nothing while it is not whole.
fn parse_head(arrived: &[u8]) -> Result<Option<(usize, Framing)>, GetError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let bytes = match head.parse(arrived) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_none_of_http) => return Err(GetError::Malformed),
    };
    // Another place is not gone to: it was not allowed.
    match head.code {
        Some(200) => {}
        Some(code) => return Err(GetError::Status(code)),
        None => return Err(GetError::Malformed),
    }
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::trim)
    };
    let framing = match (header("transfer-encoding"), header("content-length")) {
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Framing::Chunks,
        (Some(_other), _) => return Err(GetError::Malformed),
        (None, Some(length)) => Framing::Bytes(length.parse().map_err(|_| GetError::Malformed)?),
        (None, None) => Framing::ToTheEnd,
    };
    Ok(Some((bytes, framing)))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use ottla_env::memory::MemoryClock;
    use ottla_env::memory::net::MemoryNet;
    use ottla_env::net::{Net, SocketBuffers};
    use ottla_env::real;

    use super::*;

    /// What is made of an answer that the other side sends, and closes behind.
    fn answered(answer: &str, bytes_max: usize) -> Result<String, String> {
        let answer = answer.to_owned();
        let (sender, received) = std::sync::mpsc::channel();
        let test = async move {
            let net = MemoryNet::new();
            let env = Env { net: Arc::new(net.clone()), ..real::env() };
            let here = SocketAddr::from(([127, 0, 0, 1], 8080));
            let mut acceptor = net.bind(here, SocketBuffers::default()).expect("the port is free");
            let location =
                Location { host: "localhost".to_owned(), port: 8080, path: "/keys".to_owned(), tls: None };
            let serve = async move {
                let mut stream =
                    poll_fn(|context| acceptor.poll_accept(context)).await.expect("it is dialled");
                let mut asked = BytesMut::with_capacity(4096);
                poll_fn(|context| stream.poll_read(context, &mut asked)).await.expect("a request");
                assert!(asked.starts_with(b"GET /keys HTTP/1.1\r\nHost: localhost:8080\r\n"));
                let mut left = answer.as_bytes();
                while !left.is_empty() {
                    let sent = poll_fn(|context: &mut Context<'_>| -> Poll<io::Result<usize>> {
                        stream.poll_write_vectored(context, &[IoSlice::new(&left[..left.len().min(7)])])
                    });
                    match sent.await {
                        Ok(sent) => left = &left[sent..],
                        Err(_gone) => return,
                    }
                }
            };
            let (body, ()) = tokio::join!(get(&env, &location, bytes_max, Duration::from_secs(10)), serve);
            let told = body.map(|body| String::from_utf8_lossy(&body).into_owned());
            sender.send(told.map_err(|error| error.to_string())).expect("somebody listens");
        };
        real::run(Some(1), test).expect("a runtime");
        received.recv().expect("an answer")
    }

    #[test]
    fn a_body_comes_by_its_length_in_chunks_or_to_the_end() {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
        for answer in [
            format!("{head}Content-Length: 11\r\n\r\nhello world and more"),
            format!("{head}Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5;x=y\r\nworld\r\n0\r\n\r\n"),
            format!("{head}\r\nhello world"),
        ] {
            assert_eq!(answered(&answer, 11).as_deref(), Ok("hello world"), "{answer}");
            assert_eq!(
                answered(&answer, 10),
                Err("the answer is longer than 10 bytes".to_owned()),
                "{answer}"
            );
        }
    }

    #[test]
    fn no_redirect_is_followed_and_no_text_of_the_other_side_is_told() {
        let moved = "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/secret\r\nContent-Length: 6\r\n\r\nsecret";
        assert_eq!(answered(moved, 100), Err("it answers with the status 302".to_owned()));
        assert_eq!(answered("SSH-2.0-secret\r\n\r\n", 100), Err("the answer is none of HTTP".to_owned()));
        let short = "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\nhello";
        assert_eq!(answered(short, 100), Err("the answer ends too early".to_owned()));
        for length in ["-1", "x", "99999999999999999999999"] {
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            assert_eq!(answered(&answer, 100), Err("the answer is none of HTTP".to_owned()), "{length}");
        }
        let huge = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n";
        assert!(answered(huge, 100).is_err());
    }

    /// CVE-2025-27817: whoever lets a byte through now and then holds nobody up for longer than the one time there is.
    #[test]
    fn a_slow_answer_is_given_up_in_time() {
        let test = async move {
            let net = MemoryNet::new();
            let clock = Arc::new(MemoryClock::new(0));
            let env = Env { net: Arc::new(net.clone()), clock: clock.clone(), ..real::env() };
            let here = SocketAddr::from(([127, 0, 0, 1], 8080));
            let mut acceptor = net.bind(here, SocketBuffers::default()).expect("the port is free");
            let location =
                Location { host: "localhost".to_owned(), port: 8080, path: "/keys".to_owned(), tls: None };
            let trickle = async {
                let mut stream =
                    poll_fn(|context| acceptor.poll_accept(context)).await.expect("it is dialled");
                let mut left: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
                for _second in 0..30 {
                    let slice = if left.is_empty() { &b"x"[..] } else { left };
                    let sent =
                        poll_fn(|context| stream.poll_write_vectored(context, &[IoSlice::new(slice)])).await;
                    match sent {
                        Ok(sent) => left = left.get(sent..).unwrap_or_default(),
                        Err(_gone) => break,
                    }
                    clock.advance(Duration::from_secs(1));
                    tokio::task::yield_now().await;
                }
            };
            let asked = get(&env, &location, 1 << 20, Duration::from_secs(10));
            tokio::select! {
                told = asked => assert!(matches!(told, Err(GetError::TimedOut)), "{told:?}"),
                () = trickle => panic!("nobody gave up"),
            }
        };
        real::run(Some(1), test).expect("a runtime");
    }
}
