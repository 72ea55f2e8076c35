//! The known key that an unknown one was probably meant to be.
//! Core.

use crate::{broker, topic};

/// The nearest key: the broker key behind a topic key's name, otherwise the smallest edit distance, where it is a slip.
pub fn nearest_key(unknown: &str) -> Option<&'static str> {
    if let Some(synonym) = topic::row(unknown).and_then(|row| row.synonyms.first()) {
        return Some(synonym.name);
    }
    let names = broker::rows().iter().map(|row| row.name);
    let (distance, name) = names.map(|name| (distance(unknown, name), name)).min()?;
    // More than a letter in three is another word.
    (distance * 3 <= unknown.chars().count()).then_some(name)
}

/// What is told of a key that nobody knows.
pub(crate) fn hint(unknown: &str) -> String {
    match nearest_key(unknown) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => "`ottla config` lists all keys".to_owned(),
    }
}

/// Insertions, deletions and replacements from one text to the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_lead_to_the_key_that_was_meant() {
        assert_eq!(nearest_key("num.partition"), Some("num.partitions"));
        assert_eq!(nearest_key("lisners"), Some("listeners"));
        assert_eq!(nearest_key("ottla.durabilty"), Some("ottla.durability"));
        assert_eq!(nearest_key("retention.ms"), Some("log.retention.ms"));
        assert_eq!(nearest_key("max.message.bytes"), Some("message.max.bytes"));
        for other in ["foo.bar", "x", "my.own.setting"] {
            assert_eq!(nearest_key(other), None, "{other}");
        }
        assert_eq!(hint("foo.bar"), "`ottla config` lists all keys");
    }

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
