//! The oracle: every script is played against this broker and held against the recorded answers of Apache Kafka 4.3.1.
//! Shell: starts the broker, opens sockets.

use ottla_protocol_tests::broker::Started;
use ottla_protocol_tests::codec;
use ottla_protocol_tests::golden;
use ottla_protocol_tests::oracle::{Library, SIDE_BY_SIDE};
use ottla_protocol_tests::schema::Schemas;

#[test]
fn answers_are_those_of_apache_kafka() {
    let mut brokers = Started::default();
    let report = Library::open().check(&mut |settings| brokers.address(settings), SIDE_BY_SIDE, "");
    let report = report.expect("scripts and recorded answers");
    let text = report.lines().join("\n");
    assert!(report.is_clean(), "{text}\n\n{}", brokers.log());
    assert!(report.exchange_count >= 1_000, "{text}");
}

/// The APIs that this broker promises to serve whole.
const SERVED: [&str; 42] = [
    "ApiVersions",
    "Metadata",
    "Produce",
    "Fetch",
    "ListOffsets",
    "OffsetForLeaderEpoch",
    "FindCoordinator",
    "JoinGroup",
    "SyncGroup",
    "Heartbeat",
    "LeaveGroup",
    "OffsetCommit",
    "OffsetFetch",
    "OffsetDelete",
    "DescribeGroups",
    "ListGroups",
    "DeleteGroups",
    "CreateTopics",
    "DeleteTopics",
    "CreatePartitions",
    "DeleteRecords",
    "DescribeConfigs",
    "AlterConfigs",
    "IncrementalAlterConfigs",
    "InitProducerId",
    "DescribeCluster",
    "DescribeTopicPartitions",
    "DescribeLogDirs",
    "DescribeProducers",
    "ElectLeaders",
    "ListPartitionReassignments",
    "UpdateFeatures",
    "DescribeQuorum",
    "DescribeAcls",
    "CreateAcls",
    "DeleteAcls",
    "DescribeUserScramCredentials",
    "AlterUserScramCredentials",
    "CreateDelegationToken",
    "RenewDelegationToken",
    "ExpireDelegationToken",
    "DescribeDelegationToken",
];

/// The record itself tells which versions were asked for: all of them, for every API.
#[test]
fn every_version_of_every_served_api_is_asked_for() {
    let library = Library::open();
    let scripts = library.scripts("").expect("scripts");
    let asked: Vec<String> = scripts
        .iter()
        .flat_map(|script| library.recorded(&script.name).expect("a record"))
        .map(|exchange| exchange.ask)
        .collect();
    for name in SERVED {
        let api = Schemas::kafka().api(name).expect("a known API");
        for version in api.versions.first..=api.versions.last {
            let wanted = format!("{name} v{version}");
            assert!(asked.contains(&wanted), "no script asks for {wanted}");
        }
    }
}

/// The oracle's own codec is only worth something if it reads what Kafka's classes wrote, to the last byte.
#[test]
fn the_codec_reads_every_golden_answer() {
    for message in golden::apis() {
        let key = message.key.to_i16();
        let Some(api) = Schemas::kafka().by_key(key).filter(|api| api.versions.contains(message.version))
        else {
            continue;
        };
        if message.direction == golden::Direction::Request {
            continue;
        }
        // The answer's header has no tags; ApiVersions has the old header for ever.
        let has_tags = api.flexible.contains(message.version) && key != 18;
        let bytes = [if has_tags { &[0][..] } else { &[] }, &message.body].concat();
        let answer = codec::response(api, message.version, &bytes);
        let place = format!("{} v{}", api.name, message.version);
        assert!(answer.as_ref().is_ok_and(|answer| answer.get("$rest").is_none()), "{place}: {answer:?}");
    }
}
