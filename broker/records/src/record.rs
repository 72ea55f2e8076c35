//! Records inside a batch: an iterator of slices, and a walk that only counts and checks.
//! Core.
//!
//! ```text
//! length varint | attributes i8 | timestamp delta varlong | offset delta varint
//! | key length varint (-1: null) | key | value length varint (-1: null) | value
//! | header count varint | (key length varint | key | value length varint (-1: null) | value)*
//! ```

use std::io::{self, Read};

use ottla_model::Offset;

use crate::header::{BatchHeader, TimestampType};
use crate::varint::{read_varint, read_varlong, unzigzag_32, unzigzag_64};

/// What is wrong inside the records of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFormatError {
    #[error("Found invalid record structure at record {0}")]
    Structure(i32),
    #[error("Incorrect declared batch size, records still remaining in file")]
    Remaining,
}

/// One record; slices of the batch (or of what it was decompressed into).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub offset: Offset,
    pub offset_delta: i32,
    pub timestamp: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub header_count: i32,
    headers: &'a [u8],
    /// As it stands in the batch, its length included.
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// As it stands in the batch, its length included: its timestamp is relative to the batch's.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The headers, in order, with repeats.
    pub fn headers(&self) -> Headers<'a> {
        Headers { bytes: self.headers, at: 0, left: self.header_count }
    }
}

pub struct Headers<'a> {
    bytes: &'a [u8],
    at: usize,
    left: i32,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let key = nullable(self.bytes, &mut self.at)??;
        let value = nullable(self.bytes, &mut self.at)?;
        Some((key, value))
    }
}

/// The records of one batch, in order. Each is checked before it is given out.
pub struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    index: i32,
    count: i32,
    base_offset: Offset,
    base_timestamp: i64,
    /// What every record's timestamp is when the broker gave it.
    log_append_time: Option<i64>,
}

impl<'a> Records<'a> {
    pub(crate) fn new(header: &BatchHeader, bytes: &'a [u8]) -> Records<'a> {
        Records {
            bytes,
            at: 0,
            index: 0,
            count: header.record_count,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            log_append_time: (header.attributes.timestamp_type() == TimestampType::LogAppendTime)
                .then_some(header.max_timestamp),
        }
    }

    fn read(&mut self) -> Option<Record<'a>> {
        let start = self.at;
        let length = usize::try_from(read_varint(self.bytes, &mut self.at)?).ok()?;
        let body = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        let mut at = 1;
        body.first()?;
        let timestamp_delta = read_varlong(body, &mut at)?;
        let offset_delta = read_varint(body, &mut at)?;
        let key = nullable(body, &mut at)?;
        let value = nullable(body, &mut at)?;
        let header_count = read_varint(body, &mut at)?;
        let headers = &body[at..];
        if header_count < 0 || header_count as usize > headers.len() {
            return None;
        }
        let mut end = 0;
        for _ in 0..header_count {
            nullable(headers, &mut end)??;
            nullable(headers, &mut end)?;
        }
        if end != headers.len() {
            return None;
        }
        Some(Record {
            offset: Offset(self.base_offset.0.wrapping_add(i64::from(offset_delta))),
            offset_delta,
            timestamp: self
                .log_append_time
                .unwrap_or_else(|| self.base_timestamp.wrapping_add(timestamp_delta)),
            key,
            value,
            header_count,
            headers,
            bytes: &self.bytes[start..self.at],
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordFormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.count {
            if self.index == self.count && self.at != self.bytes.len() {
                self.index = i32::MAX;
                return Some(Err(RecordFormatError::Remaining));
            }
            return None;
        }
        let record = self.read();
        match record {
            Some(record) => {
                self.index += 1;
                Some(Ok(record))
            }
            None => {
                let index = self.index;
                self.index = i32::MAX;
                Some(Err(RecordFormatError::Structure(index)))
            }
        }
    }
}

/// A length and that many bytes: outer `None` is malformed, inner `None` is null.
#[inline]
#[allow(clippy::option_option, reason = "null and malformed are told apart")]
fn nullable<'a>(bytes: &'a [u8], at: &mut usize) -> Option<Option<&'a [u8]>> {
    let length = read_varint(bytes, at)?;
    if length < 0 {
        return Some(None);
    }
    let end = at.checked_add(length as usize)?;
    let slice = bytes.get(*at..end)?;
    *at = end;
    Some(Some(slice))
}

/// What a walk over all records of a batch learns without keeping any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    pub offset_deltas_in_order: bool,
    pub null_keys: bool,
    pub timestamp_delta_min: i64,
    pub timestamp_delta_max: i64,
}

/// Where a walk takes its bytes from: a slice, or a codec's stream through a small window.
pub(crate) trait Source {
    fn byte(&mut self) -> Option<u8>;
    fn skip(&mut self, count: usize) -> Option<()>;
    /// Bytes taken so far.
    fn position(&self) -> u64;
    fn is_at_end(&mut self) -> bool;

    #[inline]
    fn varint(&mut self) -> Option<i32> {
        let mut value = 0u32;
        for index in 0..5 {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Some(unzigzag_32(value));
            }
        }
        None
    }

    #[inline]
    fn varlong(&mut self) -> Option<i64> {
        let mut value = 0u64;
        for index in 0..10 {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Some(unzigzag_64(value));
            }
        }
        None
    }

    #[inline]
    fn skip_nullable(&mut self) -> Option<i32> {
        let length = self.varint()?;
        if length > 0 {
            self.skip(length as usize)?;
        }
        Some(length)
    }
}

/// Bytes at hand.
pub(crate) struct SliceSource<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> SliceSource<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> SliceSource<'a> {
        SliceSource { bytes, at: 0 }
    }
}

impl Source for SliceSource<'_> {
    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    #[inline]
    fn skip(&mut self, count: usize) -> Option<()> {
        if count > self.bytes.len() - self.at {
            return None;
        }
        self.at += count;
        Some(())
    }

    #[inline]
    fn position(&self) -> u64 {
        self.at as u64
    }

    fn is_at_end(&mut self) -> bool {
        self.at == self.bytes.len()
    }
}

/// A codec's output, seen through a window that is reused; the whole is never held.
pub(crate) struct StreamSource<'w, R> {
    stream: R,
    window: &'w mut [u8],
    at: usize,
    filled: usize,
    taken_before: u64,
    bytes_max: u64,
    pub failure: Option<io::Error>,
    pub exceeded: bool,
}

impl<'w, R: Read> StreamSource<'w, R> {
    pub(crate) fn new(stream: R, window: &'w mut [u8], bytes_max: u64) -> StreamSource<'w, R> {
        StreamSource {
            stream,
            window,
            at: 0,
            filled: 0,
            taken_before: 0,
            bytes_max,
            failure: None,
            exceeded: false,
        }
    }

    fn fill(&mut self) -> bool {
        self.taken_before += self.filled as u64;
        self.at = 0;
        self.filled = 0;
        if self.taken_before > self.bytes_max {
            self.exceeded = true;
            return false;
        }
        loop {
            match self.stream.read(self.window) {
                Ok(read) => {
                    self.filled = read;
                    return read > 0;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(error);
                    return false;
                }
            }
        }
    }
}

impl<R: Read> Source for StreamSource<'_, R> {
    #[inline]
    fn byte(&mut self) -> Option<u8> {
        if self.at == self.filled && !self.fill() {
            return None;
        }
        let byte = self.window[self.at];
        self.at += 1;
        Some(byte)
    }

    #[inline]
    fn skip(&mut self, mut count: usize) -> Option<()> {
        loop {
            let here = count.min(self.filled - self.at);
            self.at += here;
            count -= here;
            if count == 0 {
                return Some(());
            }
            if !self.fill() {
                return None;
            }
        }
    }

    fn position(&self) -> u64 {
        self.taken_before + self.at as u64
    }

    fn is_at_end(&mut self) -> bool {
        self.at == self.filled && !self.fill()
    }
}

/// Walks `count` records: structure, lengths and offset deltas. No allocation, nothing kept.
pub(crate) fn walk(source: &mut impl Source, count: i32) -> Result<Walk, RecordFormatError> {
    let mut walk = Walk {
        offset_deltas_in_order: true,
        null_keys: false,
        timestamp_delta_min: i64::MAX,
        timestamp_delta_max: i64::MIN,
    };
    for index in 0..count {
        walk_one(source, index, &mut walk).ok_or(RecordFormatError::Structure(index))?;
    }
    if source.is_at_end() { Ok(walk) } else { Err(RecordFormatError::Remaining) }
}

#[inline]
fn walk_one(source: &mut impl Source, index: i32, walk: &mut Walk) -> Option<()> {
    let length = source.varint()?;
    let start = source.position();
    source.byte()?;
    let timestamp_delta = source.varlong()?;
    walk.timestamp_delta_min = walk.timestamp_delta_min.min(timestamp_delta);
    walk.timestamp_delta_max = walk.timestamp_delta_max.max(timestamp_delta);
    walk.offset_deltas_in_order &= source.varint()? == index;
    walk.null_keys |= source.skip_nullable()? < 0;
    source.skip_nullable()?;
    let header_count = source.varint()?;
    if header_count < 0 {
        return None;
    }
    for _ in 0..header_count {
        if source.skip_nullable()? < 0 {
            return None;
        }
        source.skip_nullable()?;
    }
    (i64::from(length) == (source.position() - start) as i64).then_some(())
}
