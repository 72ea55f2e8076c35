//! What this machine can do at most, measured in the same run as the brokers.
//! shell: files, sockets, threads, the clock.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome};
use crate::places::ScratchDir;

const BLOCK_BYTES: usize = 64 << 10;
const SPAN: Duration = Duration::from_millis(400);
/// Files are measured over this much, which no cache here is too small for.
const FILE_BLOCKS: usize = 8_192;

/// The limits as lines of Markdown.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub fn measure() -> Outcome<String> {
    let block = vec![0x5A; BLOCK_BYTES];
    let scratch = ScratchDir::new("limits")?;
    let path = scratch.path().join("file");
    let gigabytes =
        |blocks: usize, start: Instant| (blocks * BLOCK_BYTES) as f64 / 1e9 / start.elapsed().as_secs_f64();
    let mut text = "| limit of the machine in this run | GB/s |\n| --- | --- |\n".to_owned();
    let mut line = |name: &str, figure: f64| {
        let _ = writeln!(text, "| {name} | {figure:.2} |");
    };

    let start = Instant::now();
    let (mut blocks, mut crc) = (0, 0);
    while start.elapsed() < SPAN {
        crc ^= crc32c::crc32c(std::hint::black_box(&block));
        blocks += 1;
    }
    std::hint::black_box(crc);
    line("crc32c, 64 KiB blocks", gigabytes(blocks, start));
    line("loopback TCP, one stream, 64 KiB writes", loopback(&block)?);

    let mut file = File::options().create(true).truncate(true).read(true).write(true).open(&path)?;
    let start = Instant::now();
    for _ in 0..FILE_BLOCKS {
        file.write_all(&block)?;
    }
    line("page-cache write", gigabytes(FILE_BLOCKS, start));
    file.rewind()?;
    let (start, mut read) = (Instant::now(), vec![0; BLOCK_BYTES]);
    for _ in 0..FILE_BLOCKS {
        file.read_exact(&mut read)?;
    }
    line("page-cache read", gigabytes(FILE_BLOCKS, start));
    file.sync_data()?;
    let (start, mut blocks) = (Instant::now(), 0);
    while start.elapsed() < SPAN {
        file.write_all(&block)?;
        file.sync_data()?;
        blocks += 1;
    }
    line("append of 64 KiB and fdatasync, one after the other", gigabytes(blocks, start));
    Ok(text)
}

#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn loopback(block: &[u8]) -> Outcome<f64> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut receiver, _) = listener.accept()?;
    let sink = std::thread::spawn(move || -> std::io::Result<u64> {
        let (mut buffer, mut sum) = (vec![0; 256 << 10], 0);
        loop {
            match receiver.read(&mut buffer)? {
                0 => return Ok(sum),
                count => sum += count as u64,
            }
        }
    });
    let start = Instant::now();
    while start.elapsed() < SPAN {
        sender.write_all(block)?;
    }
    drop(sender);
    let sum = sink.join().map_err(|_| Failure("the sink panicked".to_owned()))??;
    Ok(sum as f64 / 1e9 / start.elapsed().as_secs_f64())
}
