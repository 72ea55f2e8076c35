//! Prometheus' text format, written piece by piece: a scrape of many series holds a piece of it at a time.
//! Core: where the pieces go is a function that is given.

use std::fmt::Display;
use std::io::{self, Write};

use bytes::Bytes;

/// A piece goes out when it has grown to this.
const PIECE_BYTES: usize = 64 * 1024;

/// Takes a piece; false when nobody reads any more.
pub type SendPiece<'a> = &'a mut dyn FnMut(Bytes) -> bool;

pub struct MetricsText<'a> {
    piece: Vec<u8>,
    send: SendPiece<'a>,
    is_read: bool,
}

impl<'a> MetricsText<'a> {
    pub fn new(send: SendPiece<'a>) -> MetricsText<'a> {
        MetricsText { piece: Vec::with_capacity(PIECE_BYTES), send, is_read: true }
    }

    /// False once the reader is gone: the rest need not be gathered.
    pub fn is_read(&self) -> bool {
        self.is_read
    }

    /// Begins a metric; its samples follow before the next begins. The help has no line breaks.
    pub fn metric(&mut self, name: &str, kind: &str, help: &str) {
        self.push(name, |piece| {
            writeln!(piece, "# HELP {name} {help}")?;
            writeln!(piece, "# TYPE {name} {kind}")
        });
    }

    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.push(name, |piece| {
            piece.extend_from_slice(name.as_bytes());
            for (index, (label, text)) in labels.iter().enumerate() {
                piece.push(if index == 0 { b'{' } else { b',' });
                piece.extend_from_slice(label.as_bytes());
                piece.extend_from_slice(b"=\"");
                escape(text, piece);
                piece.push(b'"');
            }
            if !labels.is_empty() {
                piece.push(b'}');
            }
            writeln!(piece, " {value}")
        });
    }

    fn push(&mut self, name: &str, line: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) {
        assert!(!name.is_empty(), "a metric without a name");
        if !self.is_read {
            return;
        }
        // Memory takes all.
        let _written = line(&mut self.piece);
        if self.piece.len() >= PIECE_BYTES {
            self.flush_piece();
        }
    }

    fn flush_piece(&mut self) {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        self.is_read = self.is_read && (self.send)(Bytes::from(piece));
    }

    /// Sends what is left. True when all of it was read.
    pub fn finish(mut self) -> bool {
        if !self.piece.is_empty() {
            self.flush_piece();
        }
        self.is_read
    }
}

/// For what writes this format by itself.
impl Write for MetricsText<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_read {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush_piece();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The value of a label: anything that a client may have called itself.
fn escape(text: &str, into: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        into.extend_from_slice(&rest[..at]);
        into.push(b'\\');
        into.push(if rest[at] == b'\n' { b'n' } else { rest[at] });
        rest = &rest[at + 1..];
    }
    into.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_written_as_prometheus_reads_it() {
        let mut text = Vec::new();
        let mut send = |piece: Bytes| {
            text.extend_from_slice(&piece);
            true
        };
        let mut metrics = MetricsText::new(&mut send);
        metrics.metric("m", "gauge", "What it is.");
        metrics.sample("m", &[("group", "a\"b\\c\nd"), ("topic", "ü")], 7);
        metrics.sample("m", &[], 0.5);
        assert!(metrics.finish());
        let expected =
            "# HELP m What it is.\n# TYPE m gauge\nm{group=\"a\\\"b\\\\c\\nd\",topic=\"ü\"} 7\nm 0.5\n";
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }

    #[test]
    fn many_samples_go_in_pieces_until_nobody_reads() {
        let mut pieces = Vec::new();
        let mut send = |piece: Bytes| {
            pieces.push(piece.len());
            pieces.len() < 3
        };
        let mut metrics = MetricsText::new(&mut send);
        for number in 0..100_000 {
            metrics.sample("ottla_series", &[("number", "x")], number);
        }
        assert!(!metrics.is_read());
        assert!(!metrics.finish());
        assert_eq!(pieces.len(), 3);
        assert!(pieces.iter().all(|bytes| (PIECE_BYTES..PIECE_BYTES + 100).contains(bytes)), "{pieces:?}");
    }
}
