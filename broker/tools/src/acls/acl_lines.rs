//! Which ACLs a command line of `kafka-acls` means (`AclCommand`).
//! Core.

use std::collections::BTreeMap;

use crate::error::{Exception, Failure};
use crate::options::Options;

/// Kafka's names of operations, by their codes: as they are written, and as they are given.
const OPERATIONS: [(i8, &str, &str); 14] = [
    (2, "ALL", "All"),
    (3, "READ", "Read"),
    (4, "WRITE", "Write"),
    (5, "CREATE", "Create"),
    (6, "DELETE", "Delete"),
    (7, "ALTER", "Alter"),
    (8, "DESCRIBE", "Describe"),
    (9, "CLUSTER_ACTION", "ClusterAction"),
    (10, "DESCRIBE_CONFIGS", "DescribeConfigs"),
    (11, "ALTER_CONFIGS", "AlterConfigs"),
    (12, "IDEMPOTENT_WRITE", "IdempotentWrite"),
    (13, "CREATE_TOKENS", "CreateTokens"),
    (14, "DESCRIBE_TOKENS", "DescribeTokens"),
    (15, "TWO_PHASE_COMMIT", "TwoPhaseCommit"),
];

const TOPIC: i8 = 2;
const GROUP: i8 = 3;
const CLUSTER: i8 = 4;
const TRANSACTIONAL_ID: i8 = 5;
const DELEGATION_TOKEN: i8 = 6;
const USER: i8 = 7;

/// The operations that a kind of resource has (`AclEntry.supportedOperations`), and the kind's name.
const KINDS: [(i8, &str, &[i8]); 6] = [
    (TOPIC, "TOPIC", &[2, 3, 4, 5, 6, 7, 8, 10, 11]),
    (GROUP, "GROUP", &[2, 3, 6, 8, 10, 11]),
    (CLUSTER, "CLUSTER", &[2, 5, 7, 8, 9, 10, 11, 12]),
    (TRANSACTIONAL_ID, "TRANSACTIONAL_ID", &[2, 4, 8, 15]),
    (DELEGATION_TOKEN, "DELEGATION_TOKEN", &[2, 8]),
    (USER, "USER", &[2, 13, 14]),
];

const PATTERN_TYPES: [(i8, &str); 4] = [(1, "ANY"), (2, "MATCH"), (3, "LITERAL"), (4, "PREFIXED")];
const LITERAL: i8 = 3;
const DENY: i8 = 2;
const ALLOW: i8 = 3;
const CLUSTER_NAME: &str = "kafka-cluster";

/// A resource, or what selects some.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    pub kind: i8,
    pub name: String,
    pub pattern_type: i8,
}

/// Who may, or may not, do what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub principal: String,
    pub host: String,
    pub operation: i8,
    pub permission: i8,
}

fn kind_name(kind: i8) -> &'static str {
    KINDS.iter().find(|(code, ..)| *code == kind).map_or("UNKNOWN", |(_, name, _)| name)
}

fn operation_name(operation: i8) -> &'static str {
    OPERATIONS.iter().find(|(code, ..)| *code == operation).map_or("UNKNOWN", |(_, name, _)| name)
}

fn pattern_type_name(code: i8) -> &'static str {
    PATTERN_TYPES.iter().find(|(known, _)| *known == code).map_or("UNKNOWN", |(_, name)| name)
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ResourcePattern({})", self.fields())
    }
}

impl Pattern {
    fn fields(&self) -> String {
        format!(
            "resourceType={}, name={}, patternType={}",
            kind_name(self.kind),
            self.name,
            pattern_type_name(self.pattern_type)
        )
    }

    /// As Kafka writes it where it selects resources.
    pub fn filter(&self) -> String {
        format!("ResourcePattern({})", self.fields())
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let permission = match self.permission {
            ALLOW => "ALLOW",
            DENY => "DENY",
            _ => "UNKNOWN",
        };
        write!(
            formatter,
            "(principal={}, host={}, operation={}, permissionType={permission})",
            self.principal,
            self.host,
            operation_name(self.operation)
        )
    }
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Usage(message.into()))
}

/// What `AclCommandOptions.checkArgs` refuses.
pub fn check(options: &Options) -> Result<(), Failure> {
    match (options.has("bootstrap-server"), options.has("bootstrap-controller")) {
        (true, true) => {
            return refuse("Only one of --bootstrap-server or --bootstrap-controller must be specified");
        }
        (false, false) => {
            return refuse("One of --bootstrap-server or --bootstrap-controller must be specified");
        }
        _ => {}
    }
    if ["list", "add", "remove"].iter().filter(|action| options.has(action)).count() != 1 {
        return refuse("Command must include exactly one action: --list, --add, --remove. ");
    }
    let conflicts: [(&str, &[&str]); 4] = [
        ("list", &["producer", "consumer", "allow-host", "allow-principal", "deny-host", "deny-principal"]),
        ("producer", &["operation", "deny-principal", "deny-host"]),
        ("consumer", &["operation", "deny-principal", "deny-host"]),
        ("add", &["principal"]),
    ];
    for (used, others) in conflicts.iter().filter(|(used, _)| options.has(used)) {
        if let Some(other) = others.iter().find(|other| options.has(other)) {
            return refuse(format!("Option \"[{used}]\" can't be used with option \"[{other}]\""));
        }
    }
    if options.has("producer") && !options.has("topic") {
        return refuse("With --producer you must specify a --topic");
    }
    if options.has("idempotent") && !options.has("producer") {
        return refuse("The --idempotent option is only available if --producer is set");
    }
    let is_lacking = !options.has("topic") || !options.has("group");
    let is_too_much = !options.has("producer") && (options.has("cluster") || options.has("transactional-id"));
    if options.has("consumer") && (is_lacking || is_too_much) {
        return refuse(
            "With --consumer you must specify a --topic and a --group and no --cluster or --transactional-id option should \
             be specified.",
        );
    }
    Ok(())
}

fn pattern_type(options: &Options) -> Result<i8, Failure> {
    let asked = options.get("resource-pattern-type").unwrap_or("LITERAL");
    let found = PATTERN_TYPES.iter().find(|(_, name)| name.eq_ignore_ascii_case(asked));
    found.map(|(code, _)| *code).ok_or_else(|| {
        let message = format!("Cannot parse argument '{asked}' of option resource-pattern-type");
        Exception::new("joptsimple.OptionArgumentConversionException", message).into()
    })
}

/// The resources that are named.
pub fn resources(options: &Options) -> Result<Vec<Pattern>, Failure> {
    let pattern_type = pattern_type(options)?;
    let mut found = Vec::new();
    for (option, kind) in [
        ("topic", TOPIC),
        ("group", GROUP),
        ("transactional-id", TRANSACTIONAL_ID),
        ("delegation-token", DELEGATION_TOKEN),
        ("user-principal", USER),
    ] {
        found.extend(options.all(option).map(|name| Pattern {
            kind,
            name: name.trim().to_owned(),
            pattern_type,
        }));
    }
    if options.has("cluster") {
        found.push(cluster());
    }
    if found.is_empty() && !options.has("list") {
        return refuse(
            "You must provide at least one resource: --topic <topic> or --cluster or --group <group> or --delegation-token \
             <Delegation Token ID>",
        );
    }
    Ok(found)
}

fn cluster() -> Pattern {
    Pattern { kind: CLUSTER, name: CLUSTER_NAME.to_owned(), pattern_type: LITERAL }
}

type Meant = BTreeMap<Pattern, Vec<Entry>>;

/// The ACLs to add or remove, by their resource.
pub fn entries(options: &Options) -> Result<Meant, Failure> {
    let is_special = options.has("producer") || options.has("consumer");
    let code = pattern_type(options)?;
    if options.has("add") && code < LITERAL {
        let name = pattern_type_name(code);
        return refuse(format!(
            "A '--resource-pattern-type' value of '{name}' is not valid when adding acls."
        ));
    }
    let named = resources(options)?;
    let mut meant = Meant::new();
    let mut give = |pattern: &Pattern, operations: &[i8]| {
        let all = who(options, operations)?;
        let entries = meant.entry(pattern.clone()).or_default();
        entries.extend(all);
        entries.sort();
        entries.dedup();
        Ok::<(), Failure>(())
    };
    if is_special {
        let of = |kind: i8| named.iter().filter(move |pattern| pattern.kind == kind);
        if options.has("producer") {
            of(TOPIC).try_for_each(|topic| give(topic, &[4, 8, 5]))?;
            of(TRANSACTIONAL_ID).try_for_each(|id| give(id, &[4, 8]))?;
            if options.has("idempotent") {
                give(&cluster(), &[12])?;
            }
        }
        if options.has("consumer") {
            of(TOPIC).try_for_each(|topic| give(topic, &[3, 8]))?;
            of(GROUP).try_for_each(|group| give(group, &[3]))?;
        }
    } else {
        let operations: Vec<i8> = match options.has("operation") {
            false => vec![2],
            true => options.all("operation").map(operation).collect(),
        };
        for pattern in &named {
            give(pattern, &operations)?;
        }
        supported(&meant)?;
    }
    if meant.values().all(Vec::is_empty) {
        return refuse(
            "You must specify one of: --allow-principal, --deny-principal when trying to add ACLs.",
        );
    }
    Ok(meant)
}

/// The code of an operation's name; 0 for what none has.
fn operation(name: &str) -> i8 {
    let plain = |text: &str| text.trim().replace('_', "").to_lowercase();
    OPERATIONS.iter().find(|(_, _, known)| plain(known) == plain(name)).map_or(0, |(code, ..)| *code)
}

fn supported(meant: &Meant) -> Result<(), Failure> {
    for (pattern, entries) in meant {
        let Some((_, name, known)) = KINDS.iter().find(|(kind, ..)| *kind == pattern.kind) else { continue };
        if entries.iter().any(|entry| !known.contains(&entry.operation)) {
            let known: Vec<&str> = known.iter().map(|code| operation_name(*code)).collect();
            return refuse(format!("ResourceType {name} only supports operations [{}]", known.join(", ")));
        }
    }
    Ok(())
}

/// The entries of all principals that are allowed or denied, from all their hosts.
fn who(options: &Options, operations: &[i8]) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for (principals, hosts, permission) in
        [("allow-principal", "allow-host", ALLOW), ("deny-principal", "deny-host", DENY)]
    {
        let hosts: Vec<&str> = match options.has(hosts) {
            true => options.all(hosts).map(str::trim).collect(),
            false => vec!["*"],
        };
        for principal in options.all(principals).map(str::trim) {
            if principal.split_once(':').is_none_or(|(kind, _)| kind.is_empty()) {
                let message =
                    format!("expected a string in format principalType:principalName but got {principal}");
                return Err(Exception::illegal_argument(message).into());
            }
            for host in &hosts {
                entries.extend(operations.iter().map(|operation| Entry {
                    principal: principal.to_owned(),
                    host: (*host).to_owned(),
                    operation: *operation,
                    permission,
                }));
            }
        }
    }
    Ok(entries)
}

/// What one principal has of what was found.
pub fn principal_entries(found: &[(Pattern, Vec<Entry>)], principal: &str) -> Vec<(Pattern, Vec<Entry>)> {
    let theirs = |entries: &[Entry]| -> Vec<Entry> {
        entries.iter().filter(|entry| entry.principal == principal).cloned().collect()
    };
    found.iter().map(|(pattern, entries)| (pattern.clone(), theirs(entries))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acls::OPTIONS;

    fn meant(line: &str) -> Result<Vec<String>, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let options = Options::parse(OPTIONS, &words).expect("a good line");
        let found = check(&options).and_then(|()| entries(&options)).map_err(|failure| match failure {
            Failure::Usage(text) | Failure::Sentence(text, _) => text,
            Failure::Kafka(exception) => exception.to_string(),
            Failure::Exit(code) => code.to_string(),
        })?;
        let line = |(pattern, entries): (&Pattern, &Vec<Entry>)| {
            let entries: Vec<String> = entries.iter().map(Entry::to_string).collect();
            format!("{pattern} {}", entries.join(" "))
        };
        Ok(found.iter().map(line).collect())
    }

    #[test]
    fn roles_stand_for_operations() {
        assert_eq!(
            meant("--bootstrap-server b:1 --add --allow-principal User:c --consumer --topic t --group g"),
            Ok(vec![
                "ResourcePattern(resourceType=TOPIC, name=t, patternType=LITERAL) (principal=User:c, host=*, operation=READ, \
                 permissionType=ALLOW) (principal=User:c, host=*, operation=DESCRIBE, permissionType=ALLOW)"
                    .to_owned(),
                "ResourcePattern(resourceType=GROUP, name=g, patternType=LITERAL) (principal=User:c, host=*, operation=READ, \
                 permissionType=ALLOW)"
                    .to_owned()
            ])
        );
        let both = meant(
            "--bootstrap-server b:1 --add --deny-principal User:e --deny-host h --operation read --topic t \
             --resource-pattern-type prefixed",
        );
        assert_eq!(
            both,
            Ok(vec![
                "ResourcePattern(resourceType=TOPIC, name=t, patternType=PREFIXED) (principal=User:e, host=h, operation=READ, \
                 permissionType=DENY)"
                    .to_owned()
            ])
        );
    }

    #[test]
    fn a_command_line_must_make_sense() {
        for (line, told) in [
            ("--add", "You must provide at least one resource: "),
            ("--add --topic t", "You must specify one of: --allow-principal, --deny-principal"),
            (
                "--add --topic t --allow-principal bob",
                "java.lang.IllegalArgumentException: expected a string in format",
            ),
            (
                "--add --topic t --allow-principal User:b --operation Shoe",
                "ResourceType TOPIC only supports operations [",
            ),
            ("--list --add", "Command must include exactly one action: --list, --add, --remove. "),
            (
                "--add --topic t --allow-principal User:b --resource-pattern-type any",
                "A '--resource-pattern-type' value of 'ANY' is not valid when adding acls.",
            ),
            (
                "--add --topic t --allow-principal User:b --idempotent",
                "The --idempotent option is only available",
            ),
            (
                "--add --topic t --consumer --allow-principal User:b",
                "With --consumer you must specify a --topic",
            ),
            (
                "--add --topic t --allow-principal User:b --producer --operation Read",
                "Option \"[producer]\" can't be used with option \"[operation]\"",
            ),
        ] {
            let refused = meant(&format!("--bootstrap-server b:1 {line}")).err().unwrap_or_default();
            assert!(refused.starts_with(told), "{line}: {refused}");
        }
    }
}
