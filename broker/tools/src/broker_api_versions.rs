//! `kafka-broker-api-versions`: what each broker serves.
//! Shell over the client; the lines are made by plain functions.

use std::collections::BTreeMap;

use ottla_protocol::messages::api_versions_response::ApiVersion;
use ottla_protocol::{ApiKey, versions};

use crate::client::{Client, ClientSettings, Node};
use crate::command::{self, Line, required};
use crate::connection::common;
use crate::error::{Exception, Failure};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

const OPTIONS: &[Known] = &[
    value("bootstrap-server", "REQUIRED: the brokers to connect to: host:port, several between commas."),
    value("command-config", "A properties file for the client."),
    flag("help", "Show this."),
    flag("version", "Show the version."),
];

pub const LINE: Line =
    Line { about: "This tool helps to retrieve broker version information.", options: OPTIONS, run };

fn run(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    required(options, "bootstrap-server")?;
    let addresses = options.get("bootstrap-server").unwrap_or_default();
    let defaults = ClientSettings {
        client_id: "admin-1".to_owned(),
        kind: "LegacyAdminClient",
        is_patient: false,
        ..ClientSettings::default()
    };
    let settings = command::settings(options.get("command-config"), defaults)?;
    let mut client = Client::new(addresses, settings)?;
    if client.metadata(terminal, "metadata", Some(Vec::new())).is_err() {
        let asked: Vec<String> = addresses
            .split(',')
            .map(|address| format!("{} (id: -1 rack: null isFenced: false)", address.trim()))
            .collect();
        let message = format!("Request METADATA failed on brokers [{}]", asked.join(", "));
        writeln!(terminal.err, "{message}")?;
        return Err(Exception::new("java.lang.RuntimeException", message).into());
    }
    let nodes: Vec<Node> = client.nodes().cloned().collect();
    for node in &nodes {
        match client.api_keys(terminal, node.id) {
            Ok(rows) => terminal.say(&format!("{} -> {}", name(node), table(&rows)))?,
            Err(exception) => terminal.say(&format!("{} -> ERROR: {exception}", name(node)))?,
        }
    }
    Ok(())
}

fn name(node: &Node) -> String {
    let rack = node.rack.as_deref().unwrap_or("null");
    format!("{}:{} (id: {} rack: {rack} isFenced: false)", node.host, node.port, node.id)
}

/// `NodeApiVersions.toString`: by key, with what of Kafka's client APIs is not there.
fn table(rows: &[ApiVersion]) -> String {
    let mut lines: BTreeMap<i16, String> =
        rows.iter().map(|row| (row.api_key, row_line(row, rows))).collect();
    for api in versions::all().iter().filter(|api| api.broker.is_some()) {
        let key = api.key.to_i16();
        lines.entry(key).or_insert_with(|| format!("{}({key}): UNSUPPORTED", api.name));
    }
    let lines: Vec<String> = lines.into_values().collect();
    format!("(\n\t{}\n)", lines.join(",\n\t"))
}

fn row_line(row: &ApiVersion, rows: &[ApiVersion]) -> String {
    let key = ApiKey::from_i16(row.api_key);
    let range = if row.min_version == row.max_version {
        row.min_version.to_string()
    } else {
        format!("{} to {}", row.min_version, row.max_version)
    };
    let Some((key, ours)) = key.and_then(|key| Some((key, versions::of(key).decodable?))) else {
        return format!("UNKNOWN({}): {range}", row.api_key);
    };
    let usable = match common(rows, key) {
        Some(version) => format!("usable: {version}"),
        None if row.min_version > ours.max => "unusable: node too new".to_owned(),
        None => "unusable: node too old".to_owned(),
    };
    format!("{}({}): {range} [{usable}]", key.name(), row.api_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_say_what_is_there_what_can_be_used_and_what_is_missing() {
        let row = |key, min, max| {
            ApiVersion::default().with_api_key(key).with_min_version(min).with_max_version(max)
        };
        let text = table(&[row(0, 0, 13), row(3, 99, 99), row(1, 0, 1), row(900, 0, 1)]);
        for line in [
            "(\n\tProduce(0): 0 to 13 [usable: 13],\n",
            "Metadata(3): 99 [unusable: node too new]",
            "Fetch(1): 0 to 1 [unusable: node too old]",
            "ListOffsets(2): UNSUPPORTED",
            "UNKNOWN(900): 0 to 1\n)",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
