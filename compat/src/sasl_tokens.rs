//! What `kafka-delegation-tokens` prints of a broker, against what it printed of Apache Kafka: `compat/tool-texts/tokens.txt`.
//! Core: texts in, texts out.
//!
//! Ids, HMACs and dates are another's each time, and the columns are as wide as these: they are written as words.

use std::collections::BTreeMap;

use crate::failure::{Outcome, fail};

/// Between the lines that a step begins with.
const STEP: &str = "== ";

/// What was printed so far, step after step.
#[derive(Debug, Default)]
pub struct Told {
    text: String,
    words: BTreeMap<String, &'static str>,
}

impl Told {
    /// From here on this word is written so.
    pub fn call(&mut self, word: &str, name: &'static str) {
        self.words.insert(word.to_owned(), name);
    }

    /// What a step printed, its errors behind it.
    pub fn add(&mut self, step: &str, output: &str, errors: &str) {
        self.text.push_str(&format!("{STEP}{step}\n"));
        for line in output.lines().chain(errors.lines()) {
            // Where in Java's code it went wrong is no text for a person, and logs have a time at the head.
            let is_trace = line.starts_with("\tat ") || line.starts_with("\t...");
            let line = self.words.iter().fold(line.to_owned(), |line, (word, name)| line.replace(word, name));
            let words: Vec<&str> =
                line.split_whitespace().map(|word| if is_date(word) { "DATE" } else { word }).collect();
            if !is_trace && !words.is_empty() && !line.starts_with('[') {
                self.text.push_str(&words.join(" "));
                self.text.push('\n');
            }
        }
    }

    /// Fails with the first line that differs from what was recorded.
    pub fn compare(&self, recorded: &str) -> Outcome<()> {
        if self.text.lines().eq(recorded.lines()) {
            return Ok(());
        }
        let lines = self.text.lines().map(Some).chain(std::iter::repeat(None));
        let expected = recorded.lines().map(Some).chain(std::iter::repeat(None));
        let other = lines.zip(expected).find(|(came, recorded)| came != recorded);
        fail(format!(
            "other lines than recorded, first (came, recorded) {other:?}; all that came:\n{}",
            self.text
        ))
    }
}

/// `2026-11-30T20:55`
fn is_date(word: &str) -> bool {
    let shape: String =
        word.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    shape == "0000-00-00T00:00"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_anothers_each_time_is_a_word() {
        let mut told = Told::default();
        told.call("abc", "ID");
        told.add("create", "\nID  OWNER\nabc   User:a  2026-11-30T20:55\n", "[log]\nError: x\n\tat here\n");
        assert_eq!(told.compare("== create\nID OWNER\nID User:a DATE\nError: x\n"), Ok(()));
        let failure = told.compare("== create\nID OWNER\n").expect_err("lines are missing");
        assert!(failure.0.contains("ID User:a DATE"), "{failure}");
    }
}
