//! The topics that are made at a start (`ottla.topics`): `NAME[:PARTITIONS[:KEY=VALUE]...]`, separated by commas.
//! Core.

/// A topic to make if it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartTopic {
    pub name: String,
    /// -1 is what the broker's configuration says.
    pub partitions: i32,
    pub configs: Vec<(String, String)>,
}

pub(crate) fn parse(text: &str) -> Result<Vec<StartTopic>, String> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(one).collect()
}

fn one(entry: &str) -> Result<StartTopic, String> {
    let mut parts = entry.split(':').map(str::trim);
    let name =
        parts.next().filter(|name| !name.is_empty()).ok_or_else(|| format!("`{entry}` has no name"))?;
    let partitions = match parts.next() {
        None | Some("") => -1,
        Some(count) => {
            let count = count.parse().ok().filter(|count| *count > 0);
            count.ok_or_else(|| format!("`{entry}` has no number of partitions behind its name"))?
        }
    };
    let config = |part: &str| {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}` of `{entry}` is not of the form key=value"))?;
        Ok((key.to_owned(), value.to_owned()))
    };
    let configs = parts.map(config).collect::<Result<_, String>>()?;
    Ok(StartTopic { name: name.to_owned(), partitions, configs })
}

pub(crate) fn check(name: &str, text: &str) -> Result<(), String> {
    parse(text)
        .map(|_topics| ())
        .map_err(|why| format!("Invalid value {text} for configuration {name}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_has_a_name_and_may_have_more() {
        let topics = parse("a, b:3 ,c:1:retention.ms=5:cleanup.policy=compact").expect("topics");
        assert_eq!(topics[0], StartTopic { name: "a".to_owned(), partitions: -1, configs: Vec::new() });
        assert_eq!((topics[1].name.as_str(), topics[1].partitions), ("b", 3));
        assert_eq!(topics[2].configs[1], ("cleanup.policy".to_owned(), "compact".to_owned()));
        assert_eq!(parse(" "), Ok(Vec::new()));
        for bad in [":3", "a:0", "a:x", "a:1:retention.ms"] {
            assert!(check("ottla.topics", bad).is_err(), "{bad}");
        }
    }
}
