//! `ssl.principal.mapping.rules`: from the distinguished name of a certificate to the name of a principal (KIP-371).
//! Core. Kafka's SslPrincipalMapper, its odd corners included: golden vectors in `golden/` say so.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// One rule, then the rest: Kafka's own expressions.
static PARSER: LazyLock<Regex> =
    LazyLock::new(|| expression(r"\A(?:(DEFAULT)|RULE:((\\.|[^\\/])*)/((\\.|[^\\/])*)/([LU]?).*?|(.*?))"));
static SPLITTER: LazyLock<Regex> = LazyLock::new(|| {
    let rule = r"(DEFAULT)|RULE:((\\.|[^\\/])*)/((\\.|[^\\/])*)/([LU]?).*?|(.*?)";
    expression(&format!(r"(?-u:\s)*({rule})(?-u:\s)*(,(?-u:\s)*|$)"))
});
static BACK_REFERENCE: LazyLock<Regex> = LazyLock::new(|| expression(r"\$([0-9]+)"));

fn expression(text: &str) -> Regex {
    match Regex::new(text) {
        Ok(expression) => expression,
        Err(error) => unreachable!("the expression is a constant: {error}"),
    }
}

/// The rules in their order; the first that matches gives the name.
#[derive(Clone, Debug)]
pub struct PrincipalRules {
    rules: Vec<Rule>,
    text: String,
}

#[derive(Clone, Debug)]
enum Rule {
    Default,
    Pattern { whole: Regex, part: Regex, replacement: String, case: Case },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Kept,
    Lower,
    Upper,
}

/// A replacement that Java refuses when it is used.
struct Illegal;

impl PrincipalRules {
    /// Reads the rules; the error says which one is wrong.
    pub fn parse(text: &str) -> Result<PrincipalRules, String> {
        let trimmed = text.trim_matches(|c: char| c <= ' ');
        let mut rules = Vec::new();
        for split in SPLITTER.captures_iter(trimmed) {
            let rule = split.get(1).map_or("", |rule| rule.as_str());
            let Some(parsed) = PARSER.captures(rule) else { return Err(format!("Invalid rule: {rule}")) };
            let end = parsed.get(0).map_or(0, |whole| whole.end());
            if end != rule.len() {
                let rest = &rule[end..];
                return Err(format!("Invalid rule: `{rule}`, unmatched substring: `{rest}`"));
            }
            if parsed.get(1).is_some() {
                rules.push(Rule::Default);
            } else if let (Some(pattern), Some(replacement)) = (parsed.get(2), parsed.get(4)) {
                let case = match parsed.get(6).map(|case| case.as_str()) {
                    Some("L") => Case::Lower,
                    Some("U") => Case::Upper,
                    _ => Case::Kept,
                };
                rules.push(Rule::new(pattern.as_str(), replacement.as_str(), case)?);
            }
        }
        Ok(PrincipalRules { rules, text: text.to_owned() })
    }

    /// The name for a distinguished name; nothing when no rule applies, and then nobody gets in.
    pub fn name(&self, distinguished_name: &str) -> Option<String> {
        for rule in &self.rules {
            match rule.apply(distinguished_name) {
                Ok(Some(name)) => return Some(name),
                Ok(None) => {}
                Err(Illegal) => return None,
            }
        }
        None
    }

    /// As they were written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Rule {
    fn new(pattern: &str, replacement: &str, case: Case) -> Result<Rule, String> {
        let compiled = |text: &str| {
            Regex::new(text).map_err(|_unknown| {
                format!(
                    "the pattern `{pattern}` is no regular expression that is understood here (look-around and \
                     back references are not)"
                )
            })
        };
        let part = compiled(pattern)?;
        let whole = compiled(&format!(r"\A(?:{pattern})\z"))?;
        Ok(Rule::Pattern { whole, part, replacement: replacement.to_owned(), case })
    }

    fn apply(&self, name: &str) -> Result<Option<String>, Illegal> {
        let Rule::Pattern { whole, part, replacement, case } = self else { return Ok(Some(name.to_owned())) };
        if !whole.is_match(name) {
            return Ok(None);
        }
        let replacement = without_unknown_groups(replacement, part.captures_len() - 1)?;
        let found = replace_all(part, name, &replacement)?;
        Ok(Some(match case {
            Case::Kept => found,
            Case::Lower => found.to_lowercase(),
            Case::Upper => found.to_uppercase(),
        }))
    }
}

/// Escapes references to groups that are not there. As in Kafka the places are those before the first
/// escape, so that of two such references the second is escaped one character too early.
fn without_unknown_groups(replacement: &str, groups: usize) -> Result<String, Illegal> {
    let mut value = replacement.to_owned();
    if groups == 0 {
        return Ok(value);
    }
    for reference in BACK_REFERENCE.captures_iter(replacement) {
        let Some(number) = reference.get(1) else { continue };
        if number.as_str().starts_with('0') {
            continue;
        }
        let mut index: i32 = number.as_str().parse().map_err(|_too_long| Illegal)?;
        while index as usize > groups && index >= 10 {
            index /= 10;
        }
        if index as usize > groups {
            let place = number.start() - 1;
            if !value.is_char_boundary(place) {
                return Err(Illegal);
            }
            value.insert(place, '\\');
        }
    }
    Ok(value)
}

/// Java's String.replaceAll: it also takes the empty match behind the last one.
fn replace_all(part: &Regex, text: &str, replacement: &str) -> Result<String, Illegal> {
    let mut out = String::with_capacity(text.len());
    let (mut copied, mut from) = (0, 0);
    while from <= text.len() {
        let Some(found) = part.captures_at(text, from) else { break };
        let Some(whole) = found.get(0) else { break };
        out.push_str(&text[copied..whole.start()]);
        expand(&found, replacement, &mut out)?;
        copied = whole.end();
        from = whole.end();
        if whole.is_empty() {
            from += text[from..].chars().next().map_or(1, char::len_utf8);
        }
    }
    out.push_str(&text[copied..]);
    Ok(out)
}

/// Java's replacement language: `\x` is x, `$n` and `${name}` are groups.
fn expand(found: &Captures<'_>, replacement: &str, out: &mut String) -> Result<(), Illegal> {
    let groups = found.len() - 1;
    let mut rest = replacement.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => out.push(rest.next().ok_or(Illegal)?),
            '$' if rest.peek() == Some(&'{') => {
                let name: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                out.push_str(found.name(&name).ok_or(Illegal)?.as_str());
            }
            '$' => {
                let digit = |c: &char| c.to_digit(10).filter(|_| c.is_ascii_digit());
                let mut index = rest.next().as_ref().and_then(digit).ok_or(Illegal)? as usize;
                if index > groups {
                    return Err(Illegal);
                }
                while let Some(next) = rest.peek().and_then(digit) {
                    let longer = index * 10 + next as usize;
                    if longer > groups {
                        break;
                    }
                    index = longer;
                    rest.next();
                }
                out.push_str(found.get(index).map_or("", |group| group.as_str()));
            }
            c => out.push(c),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules, a name, and what Kafka's SslPrincipalMapper made of them; see `golden/SslNames.java`.
    const GOLDEN: &str = include_str!("golden/rules.txt");

    #[test]
    fn rules_give_what_kafkas_give() {
        let (mut refused, mut unmatched, mut named) = (0, 0, 0);
        for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [rules, name, verdict, expected] = columns[..] else { panic!("four columns: {line}") };
            let found = PrincipalRules::parse(rules);
            match verdict {
                "refused" => {
                    assert!(found.is_err(), "{rules}");
                    refused += 1;
                }
                "none" => {
                    assert_eq!(found.expect(rules).name(name), None, "{rules} of {name}");
                    unmatched += 1;
                }
                _ => {
                    assert_eq!(
                        found.expect(rules).name(name).as_deref(),
                        Some(expected),
                        "{rules} of {name}"
                    );
                    named += 1;
                }
            }
        }
        assert!(refused >= 5 && unmatched >= 20 && named >= 100, "{refused}, {unmatched}, {named}");
    }

    #[test]
    fn a_pattern_that_cannot_be_run_is_refused() {
        let why = PrincipalRules::parse("RULE:(?=CN)(.*)/$1/").expect_err("look-around");
        assert!(why.contains("look-around"), "{why}");
    }
}
