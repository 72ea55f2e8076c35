//! A broker behind a proxy that keeps one batch to itself, although its producer was told that it is stored.
//! Shell: sockets and threads; what is done to a frame is a plain function.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::broker::{self, Against, Broker, BrokerOptions};
use crate::failure::{Outcome, While};
use crate::ports::free_ports;

/// The head of a batch of magic 2, up to the number of its records:
///
/// ```text
/// 0 base offset, 8 length of what follows, 12 leader epoch, 16 magic, 17 crc32c of what follows, 21 attributes,
/// 23 last offset delta, 27 and 35 timestamps, 43 producer id, 51 epoch, 53 sequence, 57 records
/// ```
const HEAD_BYTES: usize = 61;
const LENGTH_AT: usize = 8;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const CHECKED_AT: usize = 21;
const COUNT_AT: usize = 57;

/// Behind the address of the proxy, which the broker advertises in the place of its own.
pub(crate) struct LyingBroker {
    inner: Box<dyn Broker>,
    bootstrap: String,
    hidden_count: Arc<AtomicUsize>,
}

impl LyingBroker {
    /// Hides each batch that holds `needle` from whoever fetches it.
    pub(crate) fn start(against: Against, mut options: BrokerOptions, needle: &str) -> Outcome<Self> {
        let [port] = free_ports()?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).while_doing(|| "binding the proxy".to_owned())?;
        let bootstrap = listener.local_addr()?.to_string();
        options.port = Some(port);
        options.overrides.push(format!("advertised.listeners=PLAINTEXT://{bootstrap}"));
        let inner = broker::start(against, &options)?;
        let hidden_count = Arc::new(AtomicUsize::new(0));
        let (needle, counted) = (needle.as_bytes().to_vec(), hidden_count.clone());
        std::thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A client whose connection cannot be made finds it closed.
                let _ = forward(client, port, &needle, &counted);
            }
        })?;
        Ok(Self { inner, bootstrap, hidden_count })
    }

    /// How often the batch was kept from somebody.
    pub(crate) fn hidden_count(&self) -> usize {
        self.hidden_count.load(Ordering::Relaxed)
    }
}

fn forward(client: TcpStream, port: u16, needle: &[u8], counted: &Arc<AtomicUsize>) -> Outcome<()> {
    let broker = TcpStream::connect(("127.0.0.1", port))?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let (mut from_client, mut to_broker) = (client.try_clone()?, broker.try_clone()?);
    std::thread::Builder::new().name("requests".to_owned()).spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_broker);
        let _ = to_broker.shutdown(Shutdown::Both);
    })?;
    let (needle, counted) = (needle.to_vec(), counted.clone());
    std::thread::Builder::new().name("answers".to_owned()).spawn(move || {
        let _ = pass_answers(&broker, &client, &needle, &counted);
        let _ = client.shutdown(Shutdown::Both);
    })?;
    Ok(())
}

fn pass_answers(
    mut broker: &TcpStream,
    mut client: &TcpStream,
    needle: &[u8],
    counted: &AtomicUsize,
) -> Outcome<()> {
    let mut frame = Vec::new();
    loop {
        let mut length = [0; 4];
        broker.read_exact(&mut length)?;
        frame.resize(usize::try_from(u32::from_be_bytes(length)).unwrap_or(0), 0);
        broker.read_exact(&mut frame)?;
        counted.fetch_add(hide(&mut frame, needle), Ordering::Relaxed);
        client.write_all(&length)?;
        client.write_all(&frame)?;
    }
}

/// Makes batches that hold `needle` look as if the cleaner had taken all their records away: the head stays, with a count
/// of none and a new checksum, so that a reader goes on behind it. Returns how many.
fn hide(frame: &mut [u8], needle: &[u8]) -> usize {
    let mut hidden_count = 0;
    let mut from = 0;
    while let Some(found) = find(&frame[from..], needle) {
        let at = from + found;
        from = at + needle.len();
        let Some((start, end)) = batch_around(frame, at) else { continue };
        frame[start + COUNT_AT..start + HEAD_BYTES].fill(0);
        let crc = crc32c::crc32c(&frame[start + CHECKED_AT..end]);
        frame[start + CRC_AT..start + CHECKED_AT].copy_from_slice(&crc.to_be_bytes());
        hidden_count += 1;
        from = end;
    }
    hidden_count
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// Where the batch begins and ends whose records lie around a place; its checksum proves that it is one.
fn batch_around(frame: &[u8], at: usize) -> Option<(usize, usize)> {
    (0..=at.checked_sub(HEAD_BYTES)?).rev().find_map(|start| {
        if frame[start + MAGIC_AT] != 2 {
            return None;
        }
        let number = |at: usize| u32::from_be_bytes(std::array::from_fn(|index| frame[start + at + index]));
        let end = start + LENGTH_AT + 4 + usize::try_from(number(LENGTH_AT)).ok()?;
        let is_batch = end > at
            && end <= frame.len()
            && number(CRC_AT) == crc32c::crc32c(&frame[start + CHECKED_AT..end]);
        is_batch.then_some((start, end))
    })
}

impl Broker for LyingBroker {
    fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    fn pid(&self) -> u32 {
        self.inner.pid()
    }

    fn log_dir(&self) -> &Path {
        self.inner.log_dir()
    }

    fn restart(&mut self) -> Outcome<()> {
        self.inner.restart()
    }

    fn kill9(&mut self) -> Outcome<()> {
        self.inner.kill9()
    }

    fn stop(&mut self) -> Outcome<()> {
        self.inner.stop()
    }

    fn is_running(&mut self) -> bool {
        self.inner.is_running()
    }

    fn last_output(&self, line_count: usize) -> String {
        self.inner.last_output(line_count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; HEAD_BYTES];
        bytes.extend(payload);
        let length = u32::try_from(bytes.len() - LENGTH_AT - 4).expect("a short batch");
        bytes[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
        bytes[MAGIC_AT] = 2;
        bytes[HEAD_BYTES - 1] = 1;
        let crc = crc32c::crc32c(&bytes[CHECKED_AT..]);
        bytes[CRC_AT..CHECKED_AT].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    #[test]
    fn the_batch_with_the_needle_loses_its_records_and_keeps_a_true_checksum() {
        let (first, second) = (batch(b"..r0000001.."), batch(b"..r0000002.."));
        let mut frame = b"an answer's head".to_vec();
        let start = frame.len() + first.len();
        frame.extend([first.clone(), second.clone(), b"its end".to_vec()].concat());
        assert_eq!(hide(&mut frame, b"r0000003"), 0);
        assert_eq!(hide(&mut frame, b"r0000002"), 1);
        let hidden = &frame[start..start + second.len()];
        assert_eq!(hidden[COUNT_AT..HEAD_BYTES], [0; 4]);
        assert_eq!(hidden[CRC_AT..CHECKED_AT], crc32c::crc32c(&hidden[CHECKED_AT..]).to_be_bytes());
        assert!(frame[..start].ends_with(&first));
        assert!(frame.ends_with(b"its end"));
    }

    #[test]
    fn text_outside_of_a_batch_stays_as_it_is() {
        let mut frame = [vec![2; 200], b"r0000002".to_vec()].concat();
        let before = frame.clone();
        assert_eq!(hide(&mut frame, b"r0000002"), 0);
        assert_eq!(frame, before);
    }
}
