//! What `--add-config` and `--delete-config` say.
//! Core, but for reading `--add-config-file`.

use crate::error::{Exception, Failure};
use crate::options::Options;

const WRONG_FORM: &str = "requirement failed: Invalid entity config: all configs to be added must be in the format \
                          \"key=val\" or  \"key=[val1,val2]\" to group values which contain commas.";

/// The changes of one command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: Vec<(String, String)>,
    pub deleted: Vec<String>,
}

impl Changes {
    pub fn of(options: &Options) -> Result<Changes, Failure> {
        let mut changes = Changes::default();
        if let Some(path) = options.get("add-config-file") {
            let text = std::fs::read_to_string(path)
                .map_err(|_| Exception::new("java.nio.file.NoSuchFileException", path))?;
            let properties = ottla_config::properties::parse(&text)
                .map_err(|error| Exception::illegal_argument(format!("{path}: {error}")))?;
            changes.added.extend(properties.into_iter().map(|property| (property.key, property.value)));
        }
        for pair in options.get("add-config").map(split).unwrap_or_default() {
            changes.added.push(parse_pair(&pair)?);
        }
        let deleted = options.get("delete-config").unwrap_or_default();
        changes
            .deleted
            .extend(deleted.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned));
        if let Some(key) =
            changes.deleted.iter().find(|key| changes.added.iter().any(|(added, _)| added == *key))
        {
            let message = format!("requirement failed: Config {key} is both added and deleted");
            return Err(Exception::illegal_argument(message).into());
        }
        Ok(changes)
    }
}

/// The pieces between commas, but for those inside of brackets.
fn split(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut depth = 0;
    for letter in text.chars() {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            ',' if depth == 0 => {
                pieces.push(String::new());
                continue;
            }
            _ => {}
        }
        pieces.last_mut().expect("there is one").push(letter);
    }
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

fn parse_pair(pair: &str) -> Result<(String, String), Exception> {
    let Some((key, value)) = pair.split_once('=') else {
        return Err(Exception::illegal_argument(WRONG_FORM));
    };
    // A second `=` is a part of the value only inside of brackets.
    if value.split('[').next().unwrap_or_default().contains('=') {
        return Err(Exception::illegal_argument(WRONG_FORM));
    }
    let value: String = value.chars().filter(|letter| !['[', ']'].contains(letter)).collect();
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_hold_commas_and_equals_signs_together() {
        let pairs: Vec<_> = split("a=1,b=[x,y] ,c=[k=v,l=w]").iter().map(|pair| parse_pair(pair)).collect();
        let pair = |key: &str, value: &str| Ok((key.to_owned(), value.to_owned()));
        assert_eq!(pairs, [pair("a", "1"), pair("b", "x,y"), pair("c", "k=v,l=w")]);
        assert_eq!(parse_pair("listeners=[PLAINTEXT://h:1]"), pair("listeners", "PLAINTEXT://h:1"));
        for bad in ["a", "a=b=c"] {
            assert_eq!(parse_pair(bad), Err(Exception::illegal_argument(WRONG_FORM)), "{bad}");
        }
    }
}
