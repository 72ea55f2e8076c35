//! JAAS login entries: `Module flag key="value" ...;`, read as Kafka's JaasConfig reads them.
//! Core. The words are those of Java's StreamTokenizer with `-`, `_` and `$` as letters, which has its oddities: a
//! single `/` begins a comment too, and what begins with a digit, `.` or `-` is a number, which is no value.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// One login module with its options. The options hold secrets: nothing prints them.
#[derive(Clone, PartialEq, Eq)]
pub struct JaasEntry {
    pub module: String,
    pub options: BTreeMap<String, String>,
}

impl std::fmt::Debug for JaasEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JaasEntry({}, {} options)", self.module, self.options.len())
    }
}

/// Reads the entries of one configuration. An error has Kafka's words; it names options and never their values.
pub fn parse(text: &str) -> Result<Vec<JaasEntry>, String> {
    let mut words = Words { chars: text.chars().peekable() };
    let mut entries = Vec::new();
    while let Some(first) = words.next() {
        entries.push(entry(first, &mut words)?);
    }
    match entries.is_empty() {
        true => Err("Login module not specified in JAAS config".to_owned()),
        false => Ok(entries),
    }
}

/// The entry as a line that `parse` reads.
pub(crate) fn render(entry: &JaasEntry) -> String {
    let quoted = |text: &str| {
        let mut quoted = String::from('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => quoted.extend(['\\', c]),
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                c => quoted.push(c),
            }
        }
        quoted + "\""
    };
    let mut line = format!("{} required", quoted(&entry.module));
    for (key, value) in &entry.options {
        line.push_str(&format!(" {}={}", quoted(key), quoted(value)));
    }
    line + ";"
}

/// Reads a JAAS file, `Name { entry... };` and so on, and gives the entries of the first of `names` that is in it.
pub fn parse_file(text: &str, names: &[&str]) -> Result<Option<Vec<JaasEntry>>, String> {
    let mut words = Words { chars: text.chars().peekable() };
    let mut contexts: BTreeMap<String, Vec<JaasEntry>> = BTreeMap::new();
    while let Some(word) = words.next() {
        let Some(name) = word.text() else { return Err("a name of a login context is expected".to_owned()) };
        if words.next() != Some(Word::Mark('{')) {
            return Err(format!("'{{' is expected after {name}"));
        }
        let mut entries = Vec::new();
        loop {
            match words.next() {
                Some(Word::Mark('}')) => break,
                Some(first) => entries.push(entry(first, &mut words)?),
                None => return Err(format!("'}}' is missing at the end of {name}")),
            }
        }
        if words.next() != Some(Word::Mark(';')) {
            return Err(format!("';' is expected behind the '}}' of {name}"));
        }
        if contexts.insert(name.clone(), entries).is_some() {
            return Err(format!("{name} is there twice"));
        }
    }
    Ok(names.iter().find_map(|name| contexts.remove(*name)))
}

fn entry(first: Word, words: &mut Words<'_>) -> Result<JaasEntry, String> {
    let Some(flag) = words.next() else {
        return Err("Login module control flag not specified in JAAS config".to_owned());
    };
    let Some(flag) = flag.text() else {
        return Err("Login module control flag is not available in the JAAS config".to_owned());
    };
    if !["REQUIRED", "REQUISITE", "SUFFICIENT", "OPTIONAL"].contains(&&*flag.to_uppercase()) {
        return Err(format!("Invalid login module control flag '{flag}' in JAAS config"));
    }
    let mut options = BTreeMap::new();
    loop {
        let key = match words.next() {
            None => return Err("JAAS config entry not terminated by semi-colon".to_owned()),
            Some(Word::Mark(';')) => break,
            Some(word) => word.text(),
        };
        let value = match words.next() {
            Some(Word::Mark('=')) => words.next().and_then(Word::text),
            _ => None,
        };
        match (key, value) {
            (Some(key), Some(value)) => _ = options.insert(key, value),
            (key, _) => {
                let key = key.as_deref().unwrap_or("null");
                return Err(format!("Value not specified for key '{key}' in JAAS config"));
            }
        }
    }
    match first.text().filter(|module| !module.is_empty()) {
        Some(module) => Ok(JaasEntry { module, options }),
        None => Err("Login module not specified in JAAS config".to_owned()),
    }
}

#[derive(PartialEq)]
enum Word {
    /// A word or what stood in quotes.
    Text(String),
    Number,
    Mark(char),
}

impl Word {
    fn text(self) -> Option<String> {
        match self {
            Word::Text(text) => Some(text),
            Word::Number | Word::Mark(_) => None,
        }
    }
}

struct Words<'a> {
    chars: Peekable<Chars<'a>>,
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '-' | '_' | '$' | '\u{a0}'..)
}

fn is_of_number(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '.' | '-')
}

impl Words<'_> {
    fn next(&mut self) -> Option<Word> {
        loop {
            match self.chars.next()? {
                '\0'..=' ' => {}
                '/' => self.skip_comment(),
                '-' => return Some(self.minus()),
                c if is_of_number(c) => return Some(self.number(c == '.')),
                c if is_letter(c) => return Some(self.word(c)),
                quote @ ('"' | '\'') => return Some(self.quoted(quote)),
                mark => return Some(Word::Mark(mark)),
            }
        }
    }

    fn skip_comment(&mut self) {
        if self.chars.next_if_eq(&'*').is_none() {
            while self.chars.next_if(|c| !matches!(c, '\n' | '\r')).is_some() {}
            return;
        }
        let mut before = ' ';
        for c in self.chars.by_ref() {
            if before == '*' && c == '/' {
                return;
            }
            before = c;
        }
    }

    /// A number, or a mark of its own.
    fn minus(&mut self) -> Word {
        match self.chars.next_if(|c| c.is_ascii_digit() || *c == '.') {
            Some(c) => self.number(c == '.'),
            None => Word::Mark('-'),
        }
    }

    fn number(&mut self, mut has_dot: bool) -> Word {
        let mut goes_on =
            |c: &char| c.is_ascii_digit() || (*c == '.' && !std::mem::replace(&mut has_dot, true));
        while self.chars.next_if(&mut goes_on).is_some() {}
        Word::Number
    }

    fn word(&mut self, first: char) -> Word {
        let mut text = String::from(first);
        while let Some(c) = self.chars.next_if(|c| is_letter(*c) || is_of_number(*c)) {
            text.push(c);
        }
        Word::Text(text)
    }

    fn quoted(&mut self, quote: char) -> Word {
        let mut text = String::new();
        while let Some(c) = self.chars.next_if(|c| !matches!(c, '\n' | '\r')) {
            match c {
                c if c == quote => break,
                '\\' => text.extend(self.escaped()),
                c => text.push(c),
            }
        }
        Word::Text(text)
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.chars.next()? {
            first @ '0'..='7' => {
                let digit = |c: char| c.to_digit(8).unwrap_or(0);
                let mut code = digit(first);
                // To allow \377, but not \477.
                let more = if first <= '3' { 2 } else { 1 };
                for _ in 0..more {
                    let Some(next) = self.chars.next_if(|c| c.is_digit(8)) else { break };
                    code = code * 8 + digit(next);
                }
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What Kafka's own class makes of each text (`protocol-tests/golden`).
    #[test]
    fn entries_are_read_as_kafka_reads_them() {
        let golden: Value = serde_json::from_str(include_str!("golden/jaas.json")).unwrap();
        let golden = golden.as_array().unwrap();
        assert!(golden.len() > 50);
        for case in golden {
            let text = case["text"].as_str().unwrap();
            let read = parse(text);
            match case.get("error") {
                None => {
                    let read = read.unwrap_or_else(|error| panic!("{text}: {error}"));
                    let told: Vec<Value> = read
                        .iter()
                        .map(|entry| serde_json::json!({"module": entry.module, "options": entry.options}))
                        .collect();
                    assert_eq!(case["entries"], Value::Array(told), "{text}");
                }
                // What Java's own classes throw where Kafka's check nothing has no words to keep.
                Some(Value::String(error)) if !error.starts_with("Cannot invoke") => {
                    assert_eq!(read.err().as_deref(), Some(error.as_str()), "{text}");
                }
                Some(_) => assert!(read.is_err(), "{text}"),
            }
        }
    }

    #[test]
    fn a_file_has_contexts_by_name() {
        let text = "/* of a broker */ KafkaServer {\n a.Plain required user_a=\"x\";\n a.Scram required; };\n\
                    sasl_plaintext.KafkaServer { a.Plain required; };";
        let modules = |names: &[&str]| {
            parse_file(text, names)
                .unwrap()
                .map(|entries| entries.iter().map(|e| e.module.clone()).collect::<Vec<_>>())
        };
        assert_eq!(
            modules(&["x.KafkaServer", "KafkaServer"]),
            Some(vec!["a.Plain".into(), "a.Scram".into()])
        );
        assert_eq!(modules(&["sasl_plaintext.KafkaServer", "KafkaServer"]), Some(vec!["a.Plain".into()]));
        assert_eq!(modules(&["Client"]), None);
        for bad in
            ["K {", "K { a.B required; }", "K a.B required;", "7 { };", "K { }; K { };", "K { a.B needed; };"]
        {
            assert!(parse_file(bad, &["K"]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rendered_entry_is_read_back() {
        let options = [("user_a b", "x\"y\\z\n\r'é;"), ("", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let entry = JaasEntry { module: "a.B".to_owned(), options: options.into() };
        assert_eq!(parse(&render(&entry)), Ok(vec![entry]));
    }

    #[test]
    fn no_option_is_printed() {
        let entries = parse("a.B required user_a=\"hush\";").unwrap();
        assert_eq!(format!("{entries:?}"), "[JaasEntry(a.B, 1 options)]");
    }

    /// Whatever the bytes, reading ends and says yes or no.
    #[test]
    fn any_text_is_read_to_its_end() {
        let pieces = [
            "a", "required", "=", "\"", "'", "\\", ";", "/", "*", "//", "/*", "-", "7", ".", "{", "}", "\n",
            "é", "\\4", " ",
        ];
        let mut state = 20_261_130_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            }
            let _read = (parse(&text), parse_file(&text, &["a"]));
        }
    }

    /// Numbers that a seed decides.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % bound
        }

        fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
            from[self.below(from.len())]
        }

        /// What separates words, if it must be there or may.
        fn gap(&mut self, is_needed: bool) -> &'static str {
            let gaps = [" ", "\n", "\t  ", " /* = ; \" */ ", " // user_x=\"y\";\n", "/**/"];
            if is_needed || self.below(2) == 0 { self.pick(&gaps) } else { "" }
        }

        /// A text in one of the ways in which it may be written.
        fn written(&mut self, text: &str) -> String {
            let is_bare = text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$' | '.'));
            if is_bare && self.below(2) == 0 {
                return text.to_owned();
            }
            let quote = ['"', '\''][self.below(2)];
            let mut written = String::from(quote);
            for c in text.chars() {
                match c {
                    '\n' => written.push_str("\\n"),
                    '\r' => written.push_str("\\r"),
                    '\t' if self.below(2) == 0 => written.push_str("\\t"),
                    c if c == quote || c == '\\' => written.extend(['\\', c]),
                    c if c.is_ascii() && self.below(8) == 0 => {
                        written.push_str(&format!("\\{:03o}", u32::from(c)));
                    }
                    c => written.push(c),
                }
            }
            written.push(quote);
            written
        }
    }

    /// Entries written in any way that the grammar has are those that are read; and cut anywhere, they are read as far as
    /// they are whole or refused, without a word of what an option was worth.
    #[test]
    fn what_is_written_in_any_way_is_read_back() {
        const ROUNDS: usize = 3_000;
        let pieces = [
            "a", "B9", "-", "_", "$", ".", " ", "\"", "'", "\\", "\n", "\t", ";", "=", "/*", "//", "{", "}",
            "é", "7",
        ];
        let mut numbers = Numbers(20_261_201);
        for _round in 0..ROUNDS {
            let mut text = String::new();
            let mut entries = Vec::new();
            for _entry in 0..=numbers.below(2) {
                let module = numbers.pick(&["a.B", "org.apache.kafka.Login", "x y", "é"]);
                let flag = numbers.pick(&["required", "REQUISITE", "Sufficient", "optional"]);
                text.extend([numbers.gap(false), &numbers.written(module), numbers.gap(true), flag]);
                let mut options = BTreeMap::new();
                for option in 0..numbers.below(4) {
                    let value: String = (0..numbers.below(6)).map(|_| numbers.pick(&pieces)).collect();
                    let key = format!("user_{option}");
                    text.extend([numbers.gap(true), &numbers.written(&key), numbers.gap(false), "="]);
                    text.extend([numbers.gap(false), &numbers.written(&format!("SECRET{value}"))]);
                    options.insert(key, format!("SECRET{value}"));
                }
                text.extend([numbers.gap(false), ";"]);
                entries.push(JaasEntry { module: module.to_owned(), options });
            }
            text.push_str(numbers.gap(false));
            assert_eq!(parse(&text), Ok(entries.clone()), "{text}");
            let file = format!("{}x{{{text}}};", numbers.gap(false));
            assert_eq!(parse_file(&file, &["y", "x"]), Ok(Some(entries.clone())), "{file}");
            let cut: String = text.chars().take(numbers.below(text.chars().count())).collect();
            match parse(&cut) {
                Ok(read) => assert_eq!(read, entries[..read.len()], "{cut}"),
                Err(error) => assert!(!error.contains("SECRET"), "{error}: {cut}"),
            }
        }
    }
}
