//! Clients that trip over an answer which comes sooner than they are used to, and what is done for them.
//! Core. Each entry names the fault it is for, and ends when the fault does.

/// How long the first rebalance of an empty group is held for members that run this software (the name
/// it gave in ApiVersions, KIP-511), where no delay is configured.
///
/// kafka-python 3 asks for its topics' metadata about 100 ms after it subscribes. A lone member that is
/// answered before that assigns nothing, joins again for the metadata's sake, and may then lose that
/// second join: if its `poll` times out while the join is under way, the new assignment makes
/// `need_rejoin` false, and nobody awaits the join any more. It never sends a heartbeat again.
pub fn first_rebalance_wait_ms(software_name: &str) -> i64 {
    match software_name {
        "kafka-python" => 300,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::first_rebalance_wait_ms;

    #[test]
    fn only_named_clients_wait() {
        assert_eq!(first_rebalance_wait_ms("apache-kafka-java"), 0);
        assert_eq!(first_rebalance_wait_ms("kafka-python"), 300);
    }
}
