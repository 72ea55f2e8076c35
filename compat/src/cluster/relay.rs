//! A relay before one node: what goes through it is on its way for as long as it is told.
//! Shell: sockets, threads, the clock.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::failure::Outcome;

const BLOCK_BYTES: usize = 64 << 10;
/// Blocks that are on their way over one connection at most.
const ON_THE_WAY_MAX: usize = 256;

pub struct Relay {
    listener: TcpListener,
    port: u16,
    delay_us: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Relay {
    pub fn new() -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port, delay_us: Arc::default(), is_over: Arc::default() })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn set_delay(&self, delay: Duration) {
        self.delay_us.store(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Carries what comes to a port of this machine, from threads of its own that end with the relay.
    pub fn begin(&self, to: u16) -> Outcome<()> {
        let listener = self.listener.try_clone()?;
        let (delay_us, is_over) = (self.delay_us.clone(), self.is_over.clone());
        std::thread::spawn(move || {
            for accepted in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(client) = accepted else { continue };
                // Who is not there refuses, and so does the relay then: it closes.
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    if let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) {
                        carry(from, to, delay_us.clone());
                    }
                }
            }
        });
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

/// One direction: a thread reads, another writes each block when its time has come.
fn carry(mut from: TcpStream, mut to: TcpStream, delay_us: Arc<AtomicU64>) {
    let (send, blocks) = mpsc::sync_channel::<(Instant, Vec<u8>)>(ON_THE_WAY_MAX);
    let _no_delay = to.set_nodelay(true);
    std::thread::spawn(move || {
        let mut block = vec![0; BLOCK_BYTES];
        while let Ok(count @ 1..) = from.read(&mut block) {
            let due = Instant::now() + Duration::from_micros(delay_us.load(Ordering::SeqCst));
            if send.send((due, block[..count].to_vec())).is_err() {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        while let Ok((due, block)) = blocks.recv() {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&block).is_err() {
                break;
            }
        }
        let _closed = to.shutdown(Shutdown::Both);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_through_arrives_in_order_and_as_late_as_it_is_told() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let relay = Relay::new().expect("a port");
        relay.begin(server.local_addr().expect("bound").port()).expect("a thread");
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port())).expect("it listens");
        let (mut accepted, _) = server.accept().expect("it was dialled");
        relay.set_delay(Duration::from_millis(40));
        let begin = Instant::now();
        client.write_all(b"one").expect("sent");
        client.write_all(b"two").expect("sent");
        let mut bytes = [0; 6];
        accepted.read_exact(&mut bytes).expect("it arrives");
        assert_eq!(&bytes, b"onetwo");
        assert!(begin.elapsed() >= Duration::from_millis(40));
        drop(client);
        assert_eq!(accepted.read(&mut bytes).expect("the end arrives too"), 0);
    }
}
