//! One raw connection to a broker.
//! Shell: a blocking socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Outcome;

/// How long an answer may take before it counts as silence.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What came from the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// A frame: the correlation id and what follows it.
    Answer(i32, Vec<u8>),
    /// The other end closed the connection.
    Closed,
    /// Nothing came within the time.
    Silence,
}

#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
}

impl Connection {
    pub fn open(address: &str) -> Outcome<Self> {
        let socket: SocketAddr = address.parse().map_err(|_| format!("{address} is no address"))?;
        let stream = TcpStream::connect_timeout(&socket, PATIENCE)
            .map_err(|error| format!("connecting to {address}: {error}"))?;
        let ready = || -> std::io::Result<()> {
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.set_read_timeout(Some(PATIENCE))
        };
        ready().map_err(|error| error.to_string())?;
        Ok(Self { stream })
    }

    /// The socket itself, for what a script cannot say.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes as they are; a connection that is closed already shows itself at the next receive.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    pub fn receive(&mut self) -> Outcome<Arrival> {
        self.receive_within(PATIENCE)
    }

    /// One frame as it is, without its length.
    pub fn receive_frame(&mut self) -> Outcome<Option<Vec<u8>>> {
        self.stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        let mut head = [0; 4];
        if self.fill(&mut head)?.is_some() {
            return Ok(None);
        }
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(head)).unwrap_or(0).min(1 << 20)];
        Ok(self.fill(&mut frame)?.is_none().then_some(frame))
    }

    pub fn receive_within(&mut self, patience: Duration) -> Outcome<Arrival> {
        self.stream.set_read_timeout(Some(patience)).map_err(|error| error.to_string())?;
        let mut head = [0; 8];
        if let Some(arrival) = self.fill(&mut head)? {
            return Ok(arrival);
        }
        let length = i32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let correlation_id = i32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let rest = usize::try_from(length).ok().and_then(|length| length.checked_sub(4));
        let Some(rest) = rest.filter(|rest| *rest <= 256 << 20) else {
            return Err(format!("an answer of {length} bytes"));
        };
        let mut body = vec![0; rest];
        if let Some(arrival) = self.fill(&mut body)? {
            return Err(format!("an answer that broke off: {arrival:?}"));
        }
        Ok(Arrival::Answer(correlation_id, body))
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Outcome<Option<Arrival>> {
        match self.stream.read_exact(buffer) {
            Ok(()) => Ok(None),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(Some(Arrival::Silence)),
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                    Ok(Some(Arrival::Closed))
                }
                _ => Err(error.to_string()),
            },
        }
    }
}
