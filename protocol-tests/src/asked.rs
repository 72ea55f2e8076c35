//! What an authorizer was asked, out of the logs of both brokers.
//! Core.

use std::collections::BTreeSet;

/// `API Operation Resource` of each decision that this broker's log tells of, with `quietly` behind it where a refusal only
/// leaves something out.
pub fn asked_of_ottla(log: &str) -> BTreeSet<String> {
    let word = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}="))?;
        rest.split_whitespace().next().map(|word| word.trim_matches('"').to_owned())
    };
    let line = |line: &str| {
        let [api, operation, resource] = ["api", "operation", "resource"].map(|name| word(line, name));
        Some(asked(&api?, &operation?, &resource?, line.contains("left out")))
    };
    log.lines().filter_map(line).collect()
}

/// The same of Apache Kafka's `kafka.authorizer.logger`, as `StandardAuthorizerData.buildAuditMessage` writes it: what is
/// refused is at INFO, and at TRACE where its reader is told of no refusal.
pub fn asked_of_kafka(log: &str) -> BTreeSet<String> {
    let between = |line: &str, before: &str, after: char| {
        let (_, rest) = line.split_once(before)?;
        rest.split(after).next().map(str::to_owned)
    };
    let line = |line: &str| {
        let denied = "Principal = User:ANONYMOUS is Denied operation = ";
        let operation = between(line, denied, ' ')?;
        // CLUSTER_ACTION
        let operation: String =
            operation.split('_').map(|word| format!("{}{}", &word[..1], word[1..].to_lowercase())).collect();
        let resource = between(line, " on resource = ", ':')?;
        let api = between(line, " for request = ", ' ')?;
        Some(asked(&api, &operation, &resource, line.contains(" TRACE ")))
    };
    log.lines().filter_map(line).collect()
}

fn asked(api: &str, operation: &str, resource: &str, is_quiet: bool) -> String {
    format!("{api} {operation} {resource}{}", if is_quiet { " quietly" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_logs_are_read_alike() {
        let kafka = "10:11:12.123 INFO  Principal = User:ANONYMOUS is Denied operation = CLUSTER_ACTION from host = 127.0.0.1 \
             on resource = Cluster:LITERAL:kafka-cluster for request = Fetch with resourceRefCount = 1 based on rule \
             DefaultDeny (kafka.authorizer.logger)\n\
             10:11:12.124 TRACE Principal = User:ANONYMOUS is Denied operation = DESCRIBE from host = 127.0.0.1 on resource = \
             Topic:LITERAL:t for request = Metadata with resourceRefCount = 1 based on rule DefaultDeny (x)\n\
             10:11:12.125 DEBUG Principal = User:node is Allowed operation = CLUSTER_ACTION (x)";
        let ottla = "INFO kafka.authorizer.logger: denied principal=\"User:ANONYMOUS\" host=127.0.0.1 api=\"Fetch\" \
             operation=ClusterAction resource=Cluster name=\"kafka-cluster\" unlogged=0\n\
             TRACE kafka.authorizer.logger: left out principal=\"User:ANONYMOUS\" api=\"Metadata\" operation=Describe \
             resource=Topic name=\"t\"\nanother line";
        let expected = BTreeSet::from(
            ["Fetch ClusterAction Cluster", "Metadata Describe Topic quietly"].map(str::to_owned),
        );
        assert_eq!((asked_of_kafka(kafka), asked_of_ottla(ottla)), (expected.clone(), expected));
    }
}
