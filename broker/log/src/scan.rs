//! Walks over the batches of a `.log` file: by header alone, or with their checksums.
//! Shell: reads; decides nothing.

use std::cell::RefCell;
use std::io;

use ottla_env::File;
use ottla_records::{BatchHeader, HEADER_BYTES};

/// Bytes read at once while batches are small.
const CHUNK_BYTES: usize = 8 * 1024;
/// Bytes read at once when everything is looked at.
const VERIFY_BYTES: usize = 256 * 1024;

thread_local! {
    static VERIFY_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Walks headers from `position` to `end`. Ends where no whole, plausible batch follows.
pub struct HeaderScan<'f> {
    file: &'f dyn File,
    position: u64,
    end: u64,
    chunk: [u8; CHUNK_BYTES],
    chunk_at: u64,
    chunk_len: usize,
    /// Large batches are not read through, so only a header's worth is asked for.
    read_bytes: usize,
}

impl<'f> HeaderScan<'f> {
    pub fn new(file: &'f dyn File, position: u64, end: u64) -> HeaderScan<'f> {
        HeaderScan {
            file,
            position,
            end,
            chunk: [0; CHUNK_BYTES],
            chunk_at: 0,
            chunk_len: 0,
            read_bytes: 1024,
        }
    }

    /// Where the next batch would start.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn header(&mut self) -> io::Result<Option<BatchHeader>> {
        if self.position + HEADER_BYTES as u64 > self.end {
            return Ok(None);
        }
        let covered = self.position >= self.chunk_at
            && self.position + HEADER_BYTES as u64 <= self.chunk_at + self.chunk_len as u64;
        if !covered {
            let wanted = (self.end - self.position).min(self.read_bytes as u64) as usize;
            self.chunk_at = self.position;
            self.chunk_len = 0;
            while self.chunk_len < HEADER_BYTES {
                let read = self.file.read_at(
                    &mut self.chunk[self.chunk_len..wanted],
                    self.position + self.chunk_len as u64,
                )?;
                if read == 0 {
                    return Ok(None);
                }
                self.chunk_len += read;
            }
        }
        let at = (self.position - self.chunk_at) as usize;
        let bytes = self.chunk[at..].first_chunk().expect("the chunk covers a header");
        Ok(Some(BatchHeader::parse(bytes)))
    }

    /// The next batch's position and header.
    pub fn next(&mut self) -> io::Result<Option<(u64, BatchHeader)>> {
        let Some(header) = self.header()? else { return Ok(None) };
        if !header.is_plausible() || self.position + header.size_bytes() as u64 > self.end {
            return Ok(None);
        }
        let position = self.position;
        self.position += header.size_bytes() as u64;
        self.read_bytes = if header.size_bytes() > 2048 { 512 } else { CHUNK_BYTES };
        Ok(Some((position, header)))
    }
}

/// Reads whole batches from `position` to `end` and checks each checksum; `on_batch` sees those
/// that are right, with their position, in order. Returns where the first wrong one (or `end`) is.
pub fn verify(
    file: &dyn File,
    mut position: u64,
    end: u64,
    mut on_batch: impl FnMut(u64, &BatchHeader, &[u8]) -> bool,
) -> io::Result<u64> {
    VERIFY_BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(VERIFY_BYTES, 0);
        let (mut from, mut to) = (0, 0);
        loop {
            let wanted = match buffer[from..to].first_chunk::<HEADER_BYTES>() {
                None => HEADER_BYTES,
                Some(bytes) => {
                    let header = BatchHeader::parse(bytes);
                    if !header.is_plausible() || position + header.size_bytes() as u64 > end {
                        return Ok(position);
                    }
                    let size = header.size_bytes();
                    if to - from >= size {
                        let batch = &buffer[from..from + size];
                        if ottla_records::checksum::crc32c(&batch[21..]) != header.crc
                            || !on_batch(position, &header, batch)
                        {
                            return Ok(position);
                        }
                        from += size;
                        position += size as u64;
                        continue;
                    }
                    size
                }
            };
            // Bytes at `from` belong to `position`; move them to the front and read on.
            buffer.copy_within(from..to, 0);
            to -= from;
            from = 0;
            if buffer.len() < wanted {
                buffer.resize(wanted, 0);
            }
            let rest = (end - position) - to as u64;
            let room = rest.min((buffer.len() - to) as u64) as usize;
            if room == 0 {
                shrink(buffer);
                return Ok(position);
            }
            let read = file.read_at(&mut buffer[to..to + room], position + to as u64)?;
            if read == 0 {
                shrink(buffer);
                return Ok(position);
            }
            to += read;
        }
    })
}

/// A buffer that one giant batch made is not kept.
fn shrink(buffer: &mut Vec<u8>) {
    if buffer.len() > 4 * VERIFY_BYTES {
        *buffer = Vec::new();
    }
}
