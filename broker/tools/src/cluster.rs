//! `kafka-cluster`: the cluster's id and its endpoints; takes a broker out of it.
//! Shell over the client.

use ottla_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, UnregisterBrokerRequest,
};

use crate::client::{Client, ClientSettings};
use crate::command::{Action, Actions, settings};
use crate::error::{Exception, Failure};
use crate::offset_reset::{execution, trace};
use crate::options::{Known, Options, flag, value};
use crate::terminal::Terminal;

const SERVER: Known = value("bootstrap-server", "The brokers to connect to.").or('b');
const CONTROLLER: Known = value("bootstrap-controller", "The controllers to connect to.").or('C');
/// `--config` is its older name.
const COMMAND_CONFIG: Known = value("command-config", "A properties file for the client.").or('c');
const CONFIG: Known = value("config", "A properties file for the client: the older name.");
const HELP: Known = flag("help", "Show this.").or('h');

pub const ACTIONS: Actions = Actions {
    name: "kafka-cluster",
    globals: &[],
    is_terse: false,
    actions: &[
        Action {
            name: "cluster-id",
            options: &[SERVER, CONTROLLER, CONFIG, COMMAND_CONFIG, HELP],
            run: cluster_id,
        },
        Action {
            name: "unregister",
            options: &[SERVER, CONTROLLER, CONFIG, COMMAND_CONFIG, HELP, value("id", "The broker.").or('i')],
            run: unregister,
        },
        Action {
            name: "list-endpoints",
            options: &[
                SERVER,
                CONTROLLER,
                CONFIG,
                COMMAND_CONFIG,
                HELP,
                flag("include-fenced-brokers", "Show fenced brokers too."),
            ],
            run: list_endpoints,
        },
    ],
};

/// Kafka's kinds of endpoints.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

fn connect(options: &Options) -> Result<(Client, i8), Failure> {
    let file = options.get("command-config").or_else(|| options.get("config"));
    let client = |address: &str| -> Result<Client, Failure> {
        let settings = settings(file, ClientSettings::default())?;
        Ok(Client::new(options.get(address).unwrap_or_default(), settings)?)
    };
    match (options.has("bootstrap-server"), options.has("bootstrap-controller")) {
        (true, false) => Ok((client("bootstrap-server")?, BROKERS)),
        (false, true) => Ok((client("bootstrap-controller")?, CONTROLLERS)),
        (true, true) => {
            let message =
                "argument --bootstrap-controller/-C: not allowed with argument --bootstrap-server/-b";
            Err(Failure::Usage(message.to_owned()))
        }
        (false, false) => {
            let message = "one of the arguments --bootstrap-server/-b --bootstrap-controller/-C is required";
            Err(Failure::Usage(message.to_owned()))
        }
    }
}

fn describe(
    options: &Options,
    terminal: &mut Terminal<'_>,
    include_fenced: bool,
) -> Result<(DescribeClusterResponse, i8), Failure> {
    let (mut client, kind) = connect(options)?;
    let request = DescribeClusterRequest::default()
        .with_endpoint_type(kind)
        .with_include_fenced_brokers(include_fenced);
    let response = client.any(terminal, "describeCluster", &request)?;
    Exception::check(response.error_code, response.error_message.as_deref())?;
    Ok((response, kind))
}

fn cluster_id(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let (response, _) = describe(options, terminal, false)?;
    Ok(terminal.say(&format!("Cluster ID: {}", response.cluster_id))?)
}

fn unregister(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let Some(id) = options.get("id") else {
        return Err(Failure::Usage("argument --id/-i is required".to_owned()));
    };
    let Ok(id) = id.parse() else {
        return Err(Failure::Usage(format!(
            "argument --id/-i: could not convert '{id}' to Integer (32 bit)"
        )));
    };
    let (mut client, _) = connect(options)?;
    let request = UnregisterBrokerRequest::default().with_broker_id(BrokerId(id));
    let response = client.any(terminal, "unregisterBroker", &request)?;
    // Kafka's tool prints the error, and then its trace.
    let told = |error| {
        let error = execution(error);
        Failure::Sentence(format!("{}\n{}\n", error.message, trace(&error)), 1)
    };
    Exception::check(response.error_code, response.error_message.as_deref()).map_err(told)?;
    Ok(terminal.say(&format!("Broker {id} is no longer registered."))?)
}

fn list_endpoints(options: &Options, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let include_fenced = options.has("include-fenced-brokers");
    if include_fenced && options.has("bootstrap-controller") {
        let message = "The option --include-fenced-brokers is only supported with --bootstrap-server option";
        return Err(Exception::illegal_argument(message).into());
    }
    let (response, kind) = describe(options, terminal, include_fenced)?;
    for line in endpoints(&response, kind) {
        terminal.say(&line)?;
    }
    Ok(())
}

fn endpoints(response: &DescribeClusterResponse, kind: i8) -> Vec<String> {
    let width = response.brokers.iter().map(|broker| broker.host.len()).max().unwrap_or(0).max(5);
    let line = |id: &str, host: &str, port: &str, rack: &str, state: &str, endpoint: &str| match kind {
        BROKERS => format!("{id:<10} {host:<width$} {port:<10} {rack:<10} {state:<10} {endpoint:<15}"),
        _ => format!("{id:<10} {host:<width$} {port:<10} {rack:<10} {endpoint:<15}"),
    };
    let mut lines = vec![line("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE")];
    let mut nodes: Vec<_> = response.brokers.iter().collect();
    nodes.sort_by_key(|node| node.broker_id.0);
    lines.extend(nodes.into_iter().map(|node| {
        line(
            &node.broker_id.0.to_string(),
            &node.host,
            &node.port.to_string(),
            node.rack.as_deref().unwrap_or("null"),
            if node.is_fenced { "fenced" } else { "unfenced" },
            if kind == BROKERS { "broker" } else { "controller" },
        )
    }));
    lines
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;

    use super::*;
    use crate::admin::text;

    #[test]
    fn endpoints_are_a_table_with_room_for_the_longest_host() {
        let broker = |id, host: &str| {
            DescribeClusterBroker::default()
                .with_broker_id(BrokerId(id))
                .with_host(text(host))
                .with_port(9092)
        };
        let response =
            DescribeClusterResponse::default().with_brokers(vec![broker(2, "b"), broker(1, "localhost")]);
        let lines = endpoints(&response, BROKERS);
        assert_eq!(lines[0], "ID         HOST      PORT       RACK       STATE      ENDPOINT_TYPE  ");
        assert_eq!(lines[1], "1          localhost 9092       null       unfenced   broker         ");
        assert!(lines[2].starts_with("2          b         9092"));
    }
}
