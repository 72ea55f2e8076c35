//! Words of rules and requests: globs, durations, names of errors and APIs.
//! Core.

use std::time::Duration;

use ottla_model::ErrorCode;
use ottla_protocol::ApiKey;

/// A pattern in which `*` stands for any text and `?` for one character.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Glob(String);

impl Glob {
    pub fn new(text: impl Into<String>) -> Glob {
        Glob(text.into())
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    /// Takes at most the product of both lengths of steps, whatever the pattern.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text): (Vec<char>, Vec<char>) = (self.0.chars().collect(), text.chars().collect());
        let (mut at, mut place) = (0, 0);
        // Where the last star stands, and up to where it reaches.
        let mut star: Option<(usize, usize)> = None;
        while place < text.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, place));
                    at += 1;
                }
                Some(letter) if *letter == '?' || *letter == text[place] => {
                    at += 1;
                    place += 1;
                }
                _other => {
                    let Some((star_at, reaches)) = star else { return false };
                    star = Some((star_at, reaches + 1));
                    (at, place) = (star_at + 1, reaches + 1);
                }
            }
        }
        pattern[at..].iter().all(|letter| *letter == '*')
    }
}

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// `250`, `250ms`, `5s`, `1m`, `2h`, `8d`; a bare number is milliseconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let scale = match unit {
        "" => Some(1),
        unit => UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale),
    };
    let bad = || format!("'{text}' is no duration: 250ms, 5s, 1m, 2h or 8d");
    let count: u64 = digits.parse().map_err(|_| bad())?;
    scale.and_then(|scale| count.checked_mul(scale)).map(Duration::from_millis).ok_or_else(bad)
}

/// Kafka's name of a code, as its `Errors` class spells it.
pub fn error_name(error: ErrorCode) -> String {
    let mut out = String::new();
    for letter in error.name().chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(letter.to_uppercase());
    }
    out
}

/// The name of a code that perhaps nobody has named.
pub fn code_name(code: i16) -> String {
    ErrorCode::from_code(code).map_or_else(|| code.to_string(), error_name)
}

/// By Kafka's name; success is none.
pub fn error(text: &str) -> Option<ErrorCode> {
    (-1..=i16::from(u8::MAX)).filter_map(ErrorCode::from_code).filter(|error| *error != ErrorCode::None).find(
        |error| error_name(*error).eq_ignore_ascii_case(text) || error.name().eq_ignore_ascii_case(text),
    )
}

/// By Kafka's name, in any case, or by its number.
pub fn api(text: &str) -> Option<ApiKey> {
    ApiKey::all().find(|key| key.name().eq_ignore_ascii_case(text) || key.to_i16().to_string() == text)
}

/// The words among those known that are most like one that is not.
pub fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_lowercase();
    let close = |word: &&str| {
        let word = word.to_lowercase();
        distance(&text, &word)
    };
    let best = known.min_by_key(close)?;
    (distance(&text, &best.to_lowercase()) <= 1 + best.len() / 4).then_some(best)
}

/// How many letters differ (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (place, known) in other.iter().enumerate() {
            let change = diagonal + usize::from(letter != *known);
            diagonal = row[place + 1];
            row[place + 1] = change.min(row[place] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_letter() {
        let matches = |pattern: &str, text: &str| Glob::new(pattern).matches(text);
        for (pattern, text) in
            [("*", ""), ("a*c", "abbc"), ("a*b*c", "a-b-b-c"), ("?", "ä"), ("*x", "axbx"), ("ab", "ab")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a*c", "abcd"), ("?", ""), ("a", "ab"), ("*a?", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        assert!(!matches(&"*a".repeat(30), &"a".repeat(29)));
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("250"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("8d"), Ok(Duration::from_secs(691_200)));
        for bad in ["", "s", "1.5s", "-1s", "5 years", "99999999999999999999s", "9999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_kafkas() {
        assert_eq!(error("NOT_LEADER_OR_FOLLOWER"), Some(ErrorCode::NotLeaderOrFollower));
        assert_eq!(error("INVALID_TOPIC_EXCEPTION"), Some(ErrorCode::InvalidTopicException));
        assert_eq!((error("NONE"), error("SOMETHING")), (None, None));
        assert_eq!(api("produce"), Some(ApiKey::Produce));
        assert_eq!((api("18"), api("Prduce")), (Some(ApiKey::ApiVersions), None));
        let names = ApiKey::all().map(ApiKey::name);
        assert_eq!(nearest("prduce", names), Some("Produce"));
        assert_eq!(nearest("zzzzzzzz", ApiKey::all().map(ApiKey::name)), None);
        assert_eq!(code_name(3), "UNKNOWN_TOPIC_OR_PARTITION");
    }
}
