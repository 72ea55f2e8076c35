//! What a line of the console is: a record with its key and headers (`LineMessageReader`).
//! Core.

use regex::bytes::Regex;

use crate::error::Exception;
use crate::properties::Properties;

/// A record to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<LineHeader>,
}

/// A header's key and value.
pub type LineHeader = (Vec<u8>, Option<Vec<u8>>);

/// How lines are read.
pub struct LineReader {
    has_key: bool,
    has_headers: bool,
    ignores_errors: bool,
    key_separator: String,
    headers_delimiter: String,
    headers_separator: Regex,
    header_key_separator: String,
    null_marker: Option<String>,
    line_number: u64,
}

fn refusal(message: impl Into<String>) -> Exception {
    Exception::new("org.apache.kafka.common.KafkaException", message)
}

impl LineReader {
    pub fn new(properties: &Properties) -> Result<LineReader, Exception> {
        let text = |key: &str, default: &str| properties.get(key).unwrap_or(default).to_owned();
        let headers_separator = text("headers.separator", ",");
        let reader = LineReader {
            has_key: properties.is_true("parse.key"),
            has_headers: properties.is_true("parse.headers"),
            ignores_errors: properties.is_true("ignore.error"),
            key_separator: text("key.separator", "\t"),
            headers_delimiter: text("headers.delimiter", "\t"),
            headers_separator: Regex::new(&headers_separator).map_err(|error| {
                Exception::new("java.util.regex.PatternSyntaxException", error.to_string())
            })?,
            header_key_separator: text("headers.key.separator", ":"),
            null_marker: properties.get("null.marker").map(str::to_owned),
            line_number: 0,
        };
        let null = reader.null_marker.as_deref();
        let names = [
            ("headers.delimiter", reader.headers_delimiter.as_str()),
            ("headers.separator", headers_separator.as_str()),
            ("headers.key.separator", reader.header_key_separator.as_str()),
        ];
        for (at, (name, value)) in names.iter().enumerate() {
            if let Some((other, _)) = names[at + 1..].iter().find(|(_, other)| other == value) {
                return Err(refusal(format!("{name} and {other} may not be equal")));
            }
        }
        let with_null = [("key.separator", reader.key_separator.as_str()), names[1], names[0], names[2]];
        if let Some((name, _)) = with_null.iter().find(|(_, value)| Some(*value) == null) {
            return Err(refusal(format!("null.marker and {name} may not be equal")));
        }
        Ok(reader)
    }

    /// One line, without its end.
    pub fn read(&mut self, line: &[u8]) -> Result<Line, Exception> {
        self.line_number += 1;
        let headers = self.cut(self.has_headers, line, 0, &self.headers_delimiter, "headers delimiter")?;
        let mut at = headers.map_or(0, |headers| headers.len() + self.headers_delimiter.len());
        let key = self.cut(self.has_key, line, at, &self.key_separator, "key separator")?;
        at += key.map_or(0, |key| key.len() + self.key_separator.len());
        let headers = match headers.filter(|headers| !self.is_null(headers)) {
            Some(headers) => self.headers(headers)?,
            None => Vec::new(),
        };
        let some = |bytes: &[u8]| (!self.is_null(bytes)).then(|| bytes.to_vec());
        Ok(Line { key: key.and_then(some), value: some(&line[at..]), headers })
    }

    fn is_null(&self, bytes: &[u8]) -> bool {
        self.null_marker.as_ref().is_some_and(|marker| marker.as_bytes() == bytes)
    }

    /// What stands between `from` and a mark.
    fn cut<'a>(
        &self,
        is_wanted: bool,
        line: &'a [u8],
        from: usize,
        mark: &str,
        name: &str,
    ) -> Result<Option<&'a [u8]>, Exception> {
        if !is_wanted {
            return Ok(None);
        }
        match find(&line[from..], mark.as_bytes()) {
            Some(length) => Ok(Some(&line[from..from + length])),
            None if self.ignores_errors => Ok(None),
            None => {
                let (number, line) = (self.line_number, String::from_utf8_lossy(line));
                Err(refusal(format!("No {name} found on line number {number}: '{line}'")))
            }
        }
    }

    fn headers(&self, text: &[u8]) -> Result<Vec<LineHeader>, Exception> {
        let mut pairs: Vec<&[u8]> = self.headers_separator.split(text).collect();
        // As Java splits: nothing at the end is nothing.
        while pairs.len() > 1 && pairs.last().is_some_and(|pair| pair.is_empty()) {
            pairs.pop();
        }
        pairs.into_iter().map(|pair| self.header(pair)).collect()
    }

    fn header(&self, pair: &[u8]) -> Result<LineHeader, Exception> {
        let Some(length) = find(pair, self.header_key_separator.as_bytes()) else {
            if self.ignores_errors {
                return Ok((pair.to_vec(), None));
            }
            let (pair, number) = (String::from_utf8_lossy(pair), self.line_number);
            let message = format!("No header key separator found in pair '{pair}' on line number {number}");
            return Err(refusal(message));
        };
        let (key, value) = (&pair[..length], &pair[length + self.header_key_separator.len()..]);
        if self.is_null(key) {
            let marker = self.null_marker.as_deref().unwrap_or_default();
            return Err(refusal(format!(
                "Header keys should not be equal to the null marker '{marker}' as they can't be null"
            )));
        }
        Ok((key.to_vec(), (!self.is_null(value)).then(|| value.to_vec())))
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    if mark.is_empty() {
        return Some(0);
    }
    bytes.windows(mark.len()).position(|window| window == mark)
}

/// Cuts what was read into lines as Java's `BufferedReader` does: at LF, CR, and both.
pub fn split_line(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    bytes.split(|byte| *byte == b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(properties: &[&str]) -> Result<LineReader, Exception> {
        let properties = Properties::read(None, properties.iter().copied()).expect("properties");
        LineReader::new(&properties)
    }

    fn read(properties: &[&str], line: &str) -> Result<Line, String> {
        reader(properties).expect("a reader").read(line.as_bytes()).map_err(|error| error.message)
    }

    fn bytes(text: &str) -> Option<Vec<u8>> {
        Some(text.as_bytes().to_vec())
    }

    #[test]
    fn a_line_is_a_value_unless_more_is_asked_for() {
        let plain = read(&[], "a\tb").expect("a line");
        assert_eq!(plain, Line { key: None, value: bytes("a\tb"), headers: Vec::new() });
        let keyed = read(&["parse.key=true", "key.separator=:"], "k:v:w").expect("a line");
        assert_eq!((keyed.key, keyed.value), (bytes("k"), bytes("v:w")));
        let all = ["parse.key=true", "parse.headers=true", "null.marker=NULL"];
        let line = read(&all, "h1:v1,h2:NULL\tNULL\tx").expect("a line");
        assert_eq!((line.key, line.value), (None, bytes("x")));
        assert_eq!(line.headers, [(b"h1".to_vec(), bytes("v1")), (b"h2".to_vec(), None)]);
        assert_eq!(read(&all, "NULL\tk\tNULL").expect("a line").value, None);
    }

    #[test]
    fn what_is_missing_is_named_or_passed_over() {
        let missing = read(&["parse.key=true"], "x");
        assert_eq!(missing, Err("No key separator found on line number 1: 'x'".to_owned()));
        let taken = read(&["parse.key=true", "ignore.error=true"], "x").expect("a line");
        assert_eq!((taken.key, taken.value), (None, bytes("x")));
        let pair = read(&["parse.headers=true"], "a,b:c\tv");
        assert_eq!(pair, Err("No header key separator found in pair 'a' on line number 1".to_owned()));
    }

    #[test]
    fn separators_differ() {
        let refused = |properties: &[&str]| reader(properties).err().map(|error| error.message);
        let both = refused(&["headers.delimiter=,"]);
        assert_eq!(both.as_deref(), Some("headers.delimiter and headers.separator may not be equal"));
        let null = refused(&["null.marker=,"]);
        assert_eq!(null.as_deref(), Some("null.marker and headers.separator may not be equal"));
        assert_eq!(refused(&[]), None);
    }

    #[test]
    fn lines_end_as_java_s_do() {
        assert_eq!(split_line(b"a\r\n").collect::<Vec<_>>(), [b"a"]);
        assert_eq!(split_line(b"a\rb\n").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(split_line(b"\n").collect::<Vec<_>>(), [b""]);
    }
}
