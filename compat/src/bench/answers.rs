//! Answers taken from a socket without keeping more of them than their first bytes.
//! Shell: reads sockets.

use super::address::Source;
use super::frames::Frame;
use crate::failure::{Outcome, While, fail};

/// Larger than most answers, so that one read takes many of them.
const READ_BYTES: usize = 256 << 10;
/// As far into an answer as a code or a length may lie.
const HEAD_BYTES: usize = 128;
/// No single call throws away more.
const DISCARD_BYTES: usize = 4 << 20;

/// The answers of one connection.
#[derive(Debug)]
pub struct Answers {
    buffer: Vec<u8>,
    head: Vec<u8>,
    /// Bytes of the current answer beyond `head` that are still to come.
    rest: usize,
    /// Whether what lies behind a head is thrown away inside the kernel, without a copy.
    discards: bool,
}

impl Answers {
    /// For answers of which many fit one read.
    pub fn small() -> Self {
        Self { buffer: vec![0; READ_BYTES], head: Vec::with_capacity(HEAD_BYTES), rest: 0, discards: false }
    }

    /// For answers of which only the head is looked at: the bytes behind it cost the reader no copy, so that it
    /// leaves the processors to the broker.
    pub fn large() -> Self {
        // Zeroed lazily and never touched but at its front: it costs no memory.
        Self { buffer: vec![0; DISCARD_BYTES], discards: true, ..Self::small() }
    }

    /// Reads once and tells of each answer that ended: its head, and its size as a whole.
    pub fn read(
        &mut self,
        stream: &mut impl Source,
        asked: &Frame,
        ended: impl FnMut(&[u8], usize),
    ) -> Outcome<usize> {
        let count = if self.discards && self.rest > 0 {
            let most = self.rest.min(DISCARD_BYTES);
            stream.discard(&mut self.buffer[..most])?
        } else {
            let most = if self.discards { HEAD_BYTES - self.head.len() } else { READ_BYTES };
            stream.read(&mut self.buffer[..most]).while_doing(|| "reading an answer".to_owned())?
        };
        if count == 0 {
            return fail("the broker closed the connection");
        }
        self.take_apart(count, asked, ended)
    }

    fn take_apart(
        &mut self,
        count: usize,
        asked: &Frame,
        mut ended: impl FnMut(&[u8], usize),
    ) -> Outcome<usize> {
        let (mut bytes, mut answers) = (&self.buffer[..count], 0);
        while !bytes.is_empty() {
            if self.rest > 0 {
                let skipped = self.rest.min(bytes.len());
                bytes = &bytes[skipped..];
                self.rest -= skipped;
            } else {
                let wanted = if self.head.len() < 4 { 4 } else { size_of_answer(&self.head).min(HEAD_BYTES) };
                let taken = (wanted - self.head.len()).min(bytes.len());
                self.head.extend_from_slice(&bytes[..taken]);
                bytes = &bytes[taken..];
                if self.head.len() < 4 || self.head.len() < size_of_answer(&self.head).min(HEAD_BYTES) {
                    continue;
                }
                self.rest = size_of_answer(&self.head) - self.head.len();
            }
            if self.rest == 0 {
                check(&self.head, asked)?;
                ended(&self.head, size_of_answer(&self.head));
                self.head.clear();
                answers += 1;
            }
        }
        Ok(answers)
    }
}

fn size_of_answer(head: &[u8]) -> usize {
    4 + number_at(head, 0)
}

/// The number at a place of an answer's head.
pub fn number_at(head: &[u8], position: usize) -> usize {
    head.get(position..position + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .and_then(|bytes| usize::try_from(i32::from_be_bytes(bytes)).ok())
        .unwrap_or(0)
}

/// Whether an answer says that all is well, where it has a place to say so.
pub fn check(head: &[u8], asked: &Frame) -> Outcome<()> {
    let Some(position) = asked.error_position else { return Ok(()) };
    match head.get(position..position + 2) {
        Some([0, 0]) => Ok(()),
        Some(&[high, low]) => {
            fail(format!("the broker answered with error {}", i16::from_be_bytes([high, low])))
        }
        _ => fail("the broker's answer ends before its error code"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(answers: &mut Answers, bytes: &[u8], asked: &Frame) -> Outcome<Vec<usize>> {
        let mut sizes = Vec::new();
        answers.buffer[..bytes.len()].copy_from_slice(bytes);
        answers.take_apart(bytes.len(), asked, |_, size| sizes.push(size))?;
        Ok(sizes)
    }

    #[test]
    fn answers_that_come_in_pieces_are_counted_once() {
        let asked = Frame { bytes: Vec::new(), error_position: None };
        let mut whole = 300_i32.to_be_bytes().to_vec();
        whole.extend([1; 300]);
        whole.extend([0, 0, 0, 4, 0, 0, 0, 9]);
        let mut answers = Answers::small();
        assert_eq!(take(&mut answers, &whole[..2], &asked), Ok(vec![]));
        assert_eq!(take(&mut answers, &whole[2..200], &asked), Ok(vec![]));
        assert_eq!(take(&mut answers, &whole[200..], &asked), Ok(vec![304, 8]));
    }

    #[test]
    fn an_error_code_ends_the_load() {
        let asked = Frame { bytes: Vec::new(), error_position: Some(8) };
        let mut answers = Answers::small();
        let refused = take(&mut answers, &[0, 0, 0, 6, 0, 0, 0, 7, 0, 3], &asked);
        assert_eq!(refused.map_err(|failure| failure.0), Err("the broker answered with error 3".to_owned()));
    }
}
