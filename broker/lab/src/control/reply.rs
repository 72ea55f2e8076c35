//! Answers of the control API, and how requests to it are read.
//! Core.

use std::fmt;

use bytes::Bytes;
use ottla_admin::{Asked, Told};
use serde_json::{Map, Value as Json, json};

use crate::bad::Bad;

const JSON: &str = "application/json";
const TAR: &str = "application/x-tar";
const LINES: &str = "application/x-ndjson";

pub type Reply = Result<Success, Failed>;

/// A status and what goes with it.
#[derive(Debug)]
pub enum Success {
    Json(u16, Json),
    Tar(Bytes),
    /// A line of JSON each.
    Lines(Bytes),
}

#[derive(Debug)]
pub struct Failed {
    pub status: u16,
    bad: Bad,
    /// What else there is to say.
    more: Option<Json>,
}

impl Failed {
    pub fn of(status: u16, why: impl Into<String>) -> Failed {
        Failed { status, bad: Bad::new("", why), more: None }
    }

    pub fn bad(bad: Bad) -> Failed {
        Failed { status: 400, bad, more: None }
    }

    /// With what there is instead.
    pub fn with(mut self, more: Json) -> Failed {
        self.more = Some(more);
        self
    }
}

impl From<Bad> for Failed {
    fn from(bad: Bad) -> Failed {
        Failed::bad(bad)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bad.fmt(f)
    }
}

pub fn ok(body: Json) -> Reply {
    Ok(Success::Json(200, body))
}

pub fn created(body: Json) -> Reply {
    Ok(Success::Json(201, body))
}

pub fn fail(status: u16, why: impl Into<String>) -> Reply {
    Err(Failed::of(status, why))
}

pub fn told(reply: Reply) -> Told {
    let (status, body) = match reply {
        Ok(Success::Json(status, body)) => (status, body),
        Ok(Success::Tar(body)) => return Told { status: 200, content_type: TAR, body },
        Ok(Success::Lines(body)) => return Told { status: 200, content_type: LINES, body },
        Err(failed) => {
            let mut error = json!({ "message": failed.bad.why });
            if !failed.bad.field.is_empty() {
                error["field"] = json!(failed.bad.field);
            }
            let mut body = json!({ "error": error });
            if let (Some(Json::Object(more)), Json::Object(body)) = (failed.more, &mut body) {
                body.extend(more);
            }
            (failed.status, body)
        }
    };
    let mut text = body.to_string();
    text.push('\n');
    Told { status, content_type: JSON, body: Bytes::from(text) }
}

/// The body as JSON; none at all is an empty object.
pub fn body(asked: &Asked) -> Result<Json, Failed> {
    if asked.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(json!({}));
    }
    serde_json::from_slice(&asked.body)
        .map_err(|error| Failed::of(400, format!("the body is no JSON: {error}")))
}

/// The body as an object of these words and no others.
pub fn words(asked: &Asked, known: &[&str]) -> Result<Map<String, Json>, Failed> {
    let Json::Object(body) = body(asked)? else { return Err(Bad::new("", "an object").into()) };
    let names = if known.is_empty() { "no words".to_owned() } else { known.join(", ") };
    match body.keys().find(|name| !known.contains(&name.as_str())) {
        Some(other) => Err(Bad::new(other, format!("is not known; there are {names}")).into()),
        None => Ok(body),
    }
}

/// The words behind the question mark.
pub fn query(asked: &Asked) -> Vec<(String, String)> {
    let words = asked.query.split('&').filter(|word| !word.is_empty());
    words
        .map(|word| {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            (unescape(&name.replace('+', " ")), unescape(&value.replace('+', " ")))
        })
        .collect()
}

/// Takes a word out of them.
pub fn take(words: &mut Vec<(String, String)>, name: &str) -> Option<String> {
    let place = words.iter().position(|(known, _)| known == name)?;
    Some(words.remove(place).1)
}

/// Nothing may be left.
pub fn nothing_else(words: &[(String, String)], known: &str) -> Result<(), Failed> {
    match words.first() {
        None => Ok(()),
        Some((name, _)) => Err(Bad::new(name, format!("is not known; there are {known}")).into()),
    }
}

/// `%2F` and the like; what is none stays as it is.
pub fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _plain => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_what_is_none_stays() {
        assert_eq!(unescape("a%2Fb%20c"), "a/b c");
        assert_eq!(unescape("100%"), "100%");
        assert_eq!(unescape("%zz%4"), "%zz%4");
        assert_eq!(unescape("%C3%A4"), "ä");
    }
}
