//! JSON as a person types it: keys and words without quotes, comments, commas where they are wanted.
//! Core: text in, value out.

use serde_json::{Map, Number, Value};

use crate::Outcome;

/// Reads one value that fills the whole text.
pub fn parse(text: &str) -> Outcome<Value> {
    let mut reader = Reader { text: text.as_bytes(), at: 0 };
    let value = reader.value()?;
    reader.blank();
    if reader.at < reader.text.len() {
        return Err(format!("text after the end of a value: `{}`", &text[reader.at..]));
    }
    Ok(value)
}

/// Whether every bracket that the text opens is closed in it.
pub fn is_whole(text: &str) -> bool {
    let mut depth = 0_i32;
    let mut quote = None;
    for byte in text.bytes() {
        match (quote, byte) {
            (Some(mark), byte) if mark == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{' | b'[') => depth += 1,
            (None, b'}' | b']') => depth -= 1,
            (None, _) => {}
        }
    }
    depth <= 0
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn blank(&mut self) {
        while let Some(&byte) = self.text.get(self.at) {
            if byte == b'/' && self.text.get(self.at + 1) == Some(&b'/') {
                while self.text.get(self.at).is_some_and(|&byte| byte != b'\n') {
                    self.at += 1;
                }
            } else if byte.is_ascii_whitespace() || byte == b',' {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    fn value(&mut self) -> Outcome<Value> {
        self.blank();
        match self.text.get(self.at) {
            None => Err("a value is missing".to_owned()),
            Some(b'{') => self.object(),
            Some(b'[') => self.list(),
            Some(b'"' | b'\'') => Ok(Value::String(self.quoted()?)),
            Some(_) => self.word().map(|word| plain(&word)),
        }
    }

    fn object(&mut self) -> Outcome<Value> {
        self.at += 1;
        let mut object = Map::new();
        loop {
            self.blank();
            match self.text.get(self.at) {
                None => return Err("an object has no end".to_owned()),
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(object));
                }
                Some(b'"' | b'\'') => {
                    let key = self.quoted()?;
                    self.member(&mut object, key)?;
                }
                Some(_) => {
                    let key = self.word()?;
                    self.member(&mut object, key)?;
                }
            }
        }
    }

    fn member(&mut self, object: &mut Map<String, Value>, key: String) -> Outcome<()> {
        self.blank();
        if self.text.get(self.at) != Some(&b':') {
            return Err(format!("no `:` after `{key}`"));
        }
        self.at += 1;
        let value = self.value()?;
        object.insert(key, value);
        Ok(())
    }

    fn list(&mut self) -> Outcome<Value> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.blank();
            match self.text.get(self.at) {
                None => return Err("a list has no end".to_owned()),
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                Some(_) => items.push(self.value()?),
            }
        }
    }

    fn quoted(&mut self) -> Outcome<String> {
        let mark = self.text[self.at];
        let start = self.at + 1;
        let length = self.text[start..].iter().position(|&byte| byte == mark).ok_or("a text has no end")?;
        self.at = start + length + 1;
        String::from_utf8(self.text[start..start + length].to_vec()).map_err(|error| error.to_string())
    }

    fn word(&mut self) -> Outcome<String> {
        let start = self.at;
        while self
            .text
            .get(self.at)
            .is_some_and(|byte| !byte.is_ascii_whitespace() && !b",:{}[]\"'".contains(byte))
        {
            self.at += 1;
        }
        if start == self.at {
            return Err(format!("`{}` cannot begin a value", char::from(self.text[start])));
        }
        String::from_utf8(self.text[start..self.at].to_vec()).map_err(|error| error.to_string())
    }
}

fn plain(word: &str) -> Value {
    match word {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => word
            .parse::<i64>()
            .map(Number::from)
            .ok()
            .or_else(|| word.parse::<f64>().ok().filter(|_| word.contains('.')).and_then(Number::from_f64))
            .map_or_else(|| Value::String(word.to_owned()), Value::Number),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{is_whole, parse};

    #[test]
    fn words_numbers_and_lists_need_no_marks() {
        let value = parse("{name: a-1 list: [1, -2 'x y'] // why\n on: true, none: null, ratio: 0.5}");
        assert_eq!(
            value,
            Ok(json!({"name": "a-1", "list": [1, -2, "x y"], "on": true, "none": null, "ratio": 0.5}))
        );
    }

    #[test]
    fn an_open_bracket_asks_for_the_next_line() {
        assert!(!is_whole("{a: ["));
        assert!(is_whole("{a: '['}"));
        assert!(parse("{a: 1").is_err());
    }
}
