//! The options of a command line as Kafka's tools read them (joptsimple and argparse4j).
//! Core.

/// One option that a command knows.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Without dashes.
    pub name: &'static str,
    /// The one-letter name, where there is one.
    pub short: Option<char>,
    pub takes_value: bool,
    /// It takes what follows if that is no option.
    pub is_value_optional: bool,
    /// What the usage says.
    pub about: &'static str,
}

/// An option with a value.
pub const fn value(name: &'static str, about: &'static str) -> Known {
    assert!(!name.is_empty(), "an option has a name");
    Known { name, short: None, takes_value: true, is_value_optional: false, about }
}

/// An option without one.
pub const fn flag(name: &'static str, about: &'static str) -> Known {
    assert!(!name.is_empty(), "an option has a name");
    Known { name, short: None, takes_value: false, is_value_optional: false, about }
}

impl Known {
    pub const fn or(self, short: char) -> Known {
        assert!(self.short.is_none() && short.is_ascii_alphanumeric(), "one letter is another name");
        Known { short: Some(short), ..self }
    }
}

/// What stood on a command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    given: Vec<(&'static str, String)>,
    /// What is no option and belongs to none.
    pub others: Vec<String>,
    line: String,
}

/// Why a command line cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOption {
    #[error("{0} is not a recognized option")]
    Unknown(String),
    #[error("Option {0} requires an argument")]
    WithoutValue(&'static str),
    #[error("Option {0} does not take an argument")]
    WithValue(&'static str),
    #[error("{0} is ambiguous")]
    Ambiguous(String),
}

impl Options {
    /// Options may be shortened as long as only one begins so, and their values may follow a blank or `=`.
    pub fn parse(known: &[Known], arguments: &[String]) -> Result<Options, BadOption> {
        let mut options = Options { line: arguments.join(" "), ..Options::default() };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                options.others.extend(rest.cloned());
                break;
            }
            let Some(name) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else {
                options.others.push(argument.clone());
                continue;
            };
            if name.is_empty() {
                options.others.push(argument.clone());
                continue;
            }
            let (name, attached) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            let found = find(known, name)?;
            let value = match (found.takes_value, attached) {
                (false, attached) if found.is_value_optional => {
                    let next = |rest: &mut std::slice::Iter<'_, String>| {
                        let value = rest.as_slice().first().filter(|next| !next.starts_with('-'))?.clone();
                        rest.next();
                        Some(value)
                    };
                    attached.or_else(|| next(&mut rest)).unwrap_or_default()
                }
                (true, Some(value)) => value,
                (true, None) => rest.next().ok_or(BadOption::WithoutValue(found.name))?.clone(),
                (false, None) => String::new(),
                (false, Some(_)) => return Err(BadOption::WithValue(found.name)),
            };
            options.given.push((found.name, value));
        }
        Ok(options)
    }

    /// All options with their values, in their order.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.given.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The whole command line.
    pub fn line(&self) -> &str {
        &self.line
    }

    pub fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(given, _)| *given == name)
    }

    /// The value of an option that is given once; of one given again, the last.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.given.iter().rev().find(|(given, _)| *given == name).map(|(_, value)| value.as_str())
    }

    /// The values of an option that may be repeated.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.given.iter().filter(move |(given, _)| *given == name).map(|(_, value)| value.as_str())
    }
}

fn find(known: &[Known], name: &str) -> Result<Known, BadOption> {
    let exact = |option: &&Known| {
        option.name == name || option.short.is_some_and(|short| name.chars().eq(std::iter::once(short)))
    };
    if let Some(option) = known.iter().find(exact) {
        return Ok(*option);
    }
    let mut beginning = known.iter().filter(|option| option.name.starts_with(name));
    match (beginning.next(), beginning.next()) {
        (Some(option), None) => Ok(*option),
        (None, _) => Err(BadOption::Unknown(name.to_owned())),
        (Some(_), Some(_)) => Err(BadOption::Ambiguous(name.to_owned())),
    }
}

/// The list of options for a person.
pub fn usage(known: &[Known]) -> String {
    let mut text = String::from("Option                                   Description\n");
    text.push_str("------                                   -----------\n");
    for option in known {
        let mut left = format!("--{}", option.name);
        if let Some(short) = option.short {
            left = format!("-{short}, {left}");
        }
        if option.takes_value {
            left.push_str(" <value>");
        }
        text.push_str(&format!("{left:<40} {}\n", option.about));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Known] = &[
        Known { is_value_optional: true, ..flag("state", "a state") },
        value("topic", "a topic"),
        value("topic-partitions", "some"),
        flag("list", "all of them"),
        value("config", "a config").or('c'),
    ];

    fn parse(line: &str) -> Result<Options, BadOption> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(KNOWN, &arguments)
    }

    #[test]
    fn values_follow_a_blank_or_an_equals_sign() {
        let options = parse("--topic a --list --config=x=1 -c y=2 more -- --list").expect("a good line");
        assert_eq!(options.get("topic"), Some("a"));
        assert!(options.has("list"));
        assert_eq!(options.all("config").collect::<Vec<_>>(), ["x=1", "y=2"]);
        assert_eq!(options.get("config"), Some("y=2"));
        assert_eq!(options.others, ["more", "--list"]);
        assert!(!parse("more").expect("a good line").has("list"));
    }

    #[test]
    fn a_value_may_be_left_out_where_it_is_optional() {
        let options = parse("--state --list").expect("a good line");
        assert!(options.has("list"));
        assert_eq!(options.get("state"), Some(""));
        assert_eq!(parse("--list --state Empty").expect("a good line").get("state"), Some("Empty"));
        assert_eq!(parse("--state=Empty").expect("a good line").get("state"), Some("Empty"));
    }

    #[test]
    fn names_may_be_shortened_while_only_one_begins_so() {
        assert!(parse("--li").expect("a good line").has("list"));
        assert!(parse("-list").expect("a good line").has("list"));
        assert_eq!(parse("--topic-p x").expect("a good line").get("topic-partitions"), Some("x"));
        assert_eq!(parse("--to x"), Err(BadOption::Ambiguous("to".to_owned())));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert_eq!(parse("--shoe"), Err(BadOption::Unknown("shoe".to_owned())));
        assert_eq!(parse("--topic"), Err(BadOption::WithoutValue("topic")));
        assert_eq!(parse("--list=1"), Err(BadOption::WithValue("list")));
    }

    #[test]
    fn the_usage_names_every_option() {
        let text = usage(KNOWN);
        for line in ["--topic <value>", "-c, --config <value>", "--list  "] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
