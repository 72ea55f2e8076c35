//! `kafka-acls`: lists, adds and removes ACLs.
//! Shell over the client; which ACLs a command line means is decided in `acl_lines`.

mod acl_lines;

use std::io::BufRead;

use ottla_protocol::messages::create_acls_request::AclCreation;
use ottla_protocol::messages::delete_acls_request::DeleteAclsFilter;
use ottla_protocol::messages::describe_acls_response::DescribeAclsResource;
use ottla_protocol::messages::{CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest};

use self::acl_lines::{Entry, Pattern, check, entries, principal_entries, resources};
use crate::admin::text;
use crate::client::{Client, ClientSettings};
use crate::command::{Line, settings};
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

pub const OPTIONS: &[Known] = &[
    value("bootstrap-server", "The brokers to connect to."),
    value("bootstrap-controller", "The controllers to connect to."),
    value("command-config", "A properties file for the client."),
    flag("list", "List ACLs, of the resources that are named or of all."),
    flag("add", "Add ACLs."),
    flag("remove", "Remove ACLs."),
    value("topic", "A topic; * means all. May be repeated."),
    value("group", "A group; * means all. May be repeated."),
    flag("cluster", "The cluster."),
    value("transactional-id", "A transactional id; * means all. May be repeated."),
    value("delegation-token", "A delegation token; * means all. May be repeated."),
    value("user-principal", "A user, as a resource. May be repeated."),
    value(
        "resource-pattern-type",
        "literal or prefixed; to list and remove also any and match. Default: literal.",
    ),
    value("allow-principal", "Who is allowed, as User:NAME. May be repeated."),
    value("deny-principal", "Who is denied, as User:NAME. May be repeated."),
    value("allow-host", "From where they are allowed; * when not given. May be repeated."),
    value("deny-host", "From where they are denied; * when not given. May be repeated."),
    value("principal", "With --list the one who is meant. May be repeated."),
    value("operation", "An operation: Read, Write and so on. Default: All. May be repeated."),
    flag("producer", "What a producer needs of a topic."),
    flag("consumer", "What a consumer needs of a topic and a group."),
    flag("idempotent", "With --producer: what idempotence needs of old brokers."),
    flag("force", "Ask nothing."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line = Line { about: "This tool helps to manage acls on kafka.", options: OPTIONS, run };

/// Kafka's code for whatever there is.
const ANY: i8 = 1;

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    check(options)?;
    match act(options, terminal) {
        Err(Failure::Kafka(exception)) => {
            terminal.say(&format!("Error while executing ACL command: {}", exception.message))?;
            terminal.out.flush()?;
            Err(Failure::Sentence(format!("{exception}\n"), 1))
        }
        // What an answer of the cluster was, as Java wraps it.
        Err(Failure::Sentence(exception, code))
            if exception.starts_with("org.apache.kafka.common.errors") =>
        {
            terminal.say(&format!("Error while executing ACL command: {exception}"))?;
            terminal.out.flush()?;
            let told =
                format!("java.util.concurrent.ExecutionException: {exception}\nCaused by: {exception}\n");
            Err(Failure::Sentence(told, code))
        }
        other => other,
    }
}

/// An answer of the cluster that is an error.
fn answered(exception: Exception) -> Failure {
    Failure::Sentence(exception.to_string(), 1)
}

fn act(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let address = if options.has("bootstrap-server") { "bootstrap-server" } else { "bootstrap-controller" };
    let client_settings = settings(options.get("command-config"), ClientSettings::default())?;
    let mut client = Client::new(options.get(address).unwrap_or_default(), client_settings)?;
    if options.has("add") {
        add(&mut client, options, terminal)
    } else if options.has("remove") {
        remove(&mut client, options, terminal)
    } else {
        list(&mut client, options, terminal)
    }
}

fn add(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let meant = entries(options)?;
    let mut creations = Vec::new();
    for (pattern, entries) in &meant {
        let there: Vec<Entry> =
            found(client, terminal, Some(pattern))?.into_iter().flat_map(|(_, entries)| entries).collect();
        let (old, new): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| there.contains(entry));
        for entry in old {
            terminal.say(&format!("Acl {entry} already exists."))?;
        }
        if new.is_empty() {
            continue;
        }
        let lines: Vec<String> = new.iter().map(|entry| format!("\t{entry}")).collect();
        terminal.say(&format!("Adding ACLs for resource `{pattern}`: \n {}\n", lines.join("\n")))?;
        creations.extend(new.iter().map(|entry| {
            AclCreation::default()
                .with_resource_type(pattern.kind)
                .with_resource_name(text(&pattern.name))
                .with_resource_pattern_type(pattern.pattern_type)
                .with_principal(text(&entry.principal))
                .with_host(text(&entry.host))
                .with_operation(entry.operation)
                .with_permission_type(entry.permission)
        }));
    }
    if creations.is_empty() {
        return Ok(());
    }
    let request = CreateAclsRequest::default().with_creations(creations);
    let response = client.any(terminal, "createAcls", &request).map_err(answered)?;
    for result in &response.results {
        Exception::check(result.error_code, result.error_message.as_deref()).map_err(answered)?;
    }
    Ok(())
}

fn remove(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let names_entries = options.has("producer") || options.has("consumer");
    let meant = match names_entries || options.has("allow-principal") || options.has("deny-principal") {
        true => entries(options)?,
        false => resources(options)?.into_iter().map(|pattern| (pattern, Vec::new())).collect(),
    };
    for (pattern, entries) in &meant {
        let filter = pattern.filter();
        let question = if entries.is_empty() {
            format!("Are you sure you want to delete all ACLs for resource filter `{filter}`? (y/n)")
        } else {
            let lines: Vec<String> = entries.iter().map(|entry| format!("\t{entry}")).collect();
            format!(
                "Are you sure you want to remove ACLs: \n {} \n from resource filter `{filter}`? (y/n)",
                lines.join("\n")
            )
        };
        if !is_agreed(options, terminal, &question)? {
            continue;
        }
        let any = || {
            DeleteAclsFilter::default()
                .with_resource_type_filter(pattern.kind)
                .with_resource_name_filter(Some(text(&pattern.name)))
                .with_pattern_type_filter(pattern.pattern_type)
                .with_principal_filter(None)
                .with_host_filter(None)
                .with_operation(ANY)
                .with_permission_type(ANY)
        };
        let one = |entry: &Entry| {
            any()
                .with_principal_filter(Some(text(&entry.principal)))
                .with_host_filter(Some(text(&entry.host)))
                .with_operation(entry.operation)
                .with_permission_type(entry.permission)
        };
        let filters = if entries.is_empty() { vec![any()] } else { entries.iter().map(one).collect() };
        let request = DeleteAclsRequest::default().with_filters(filters);
        let response = client.any(terminal, "deleteAcls", &request).map_err(answered)?;
        for result in &response.filter_results {
            Exception::check(result.error_code, result.error_message.as_deref()).map_err(answered)?;
        }
    }
    Ok(())
}

fn is_agreed(options: &Options, terminal: &mut Terminal<'_>, question: &str) -> Result<bool, Failure> {
    if options.has("force") {
        return Ok(true);
    }
    terminal.say(question)?;
    terminal.out.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}

/// The ACLs of what a pattern selects, or all.
fn found(
    client: &mut Client,
    terminal: &mut Terminal<'_>,
    filter: Option<&Pattern>,
) -> Result<Vec<(Pattern, Vec<Entry>)>, Failure> {
    let request = DescribeAclsRequest::default()
        .with_resource_type_filter(filter.map_or(ANY, |pattern| pattern.kind))
        .with_resource_name_filter(filter.map(|pattern| text(&pattern.name)))
        .with_pattern_type_filter(filter.map_or(ANY, |pattern| pattern.pattern_type))
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY);
    let response = client.any(terminal, "describeAcls", &request).map_err(answered)?;
    Exception::check(response.error_code, response.error_message.as_deref()).map_err(answered)?;
    let resource = |resource: DescribeAclsResource| {
        let pattern = Pattern {
            kind: resource.resource_type,
            name: resource.resource_name.to_string(),
            pattern_type: resource.pattern_type,
        };
        let entries = resource.acls.iter().map(|acl| Entry {
            principal: acl.principal.to_string(),
            host: acl.host.to_string(),
            operation: acl.operation,
            permission: acl.permission_type,
        });
        (pattern, entries.collect())
    };
    Ok(response.resources.into_iter().map(resource).collect())
}

fn list(client: &mut Client, options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut all: Vec<(Pattern, Vec<Entry>)> = Vec::new();
    let named = resources(options)?;
    let filters: Vec<Option<&Pattern>> =
        if named.is_empty() { vec![None] } else { named.iter().map(Some).collect() };
    for filter in filters {
        all.append(&mut found(client, terminal, filter)?);
    }
    all.sort();
    all.dedup();
    all.iter_mut().for_each(|(_, entries)| entries.sort());
    let principals: Vec<&str> = options.all("principal").collect();
    if principals.is_empty() {
        return show(terminal, &all);
    }
    for principal in principals {
        terminal.say(&format!("ACLs for principal `{principal}`"))?;
        show(terminal, &principal_entries(&all, principal))?;
    }
    Ok(())
}

fn show(terminal: &mut Terminal<'_>, found: &[(Pattern, Vec<Entry>)]) -> Result<(), Failure> {
    for (pattern, entries) in found.iter().filter(|(_, entries)| !entries.is_empty()) {
        let lines: Vec<String> = entries.iter().map(|entry| format!("\t{entry}")).collect();
        terminal.say(&format!("Current ACLs for resource `{pattern}`:\n{}\n", lines.join("\n")))?;
    }
    Ok(())
}
