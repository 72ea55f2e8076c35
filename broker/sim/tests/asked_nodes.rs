//! What each node of a cluster says of itself, whichever of them leads and whichever is the controller.
//! Shell.

use ottla_model::{ProducerEpoch, ProducerId, Sequence};
use ottla_protocol::messages::describe_producers_request::TopicRequest;
use ottla_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{DescribeProducersRequest, IncrementalAlterConfigsRequest, ProduceRequest};
use ottla_records::BatchBuilder;
use ottla_sim::rooms::wire as text;
use ottla_sim::whole::{Client, TOPIC, work};

const NODES: usize = 3;
const OF_TOPIC: i8 = 2;
const OF_BROKER: i8 = 4;
const INVALID_REQUEST: i16 = 42;

fn change(kind: i8, name: &str, key: &str, value: &str) -> AlterConfigsResource {
    let config = AlterableConfig::default().with_name(text(key)).with_value(Some(text(value)));
    AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(vec![config])
}

/// Of each resource the error and its text, by name.
async fn alter(
    client: &Client,
    node: usize,
    resources: Vec<AlterConfigsResource>,
) -> Vec<(String, i16, String)> {
    let request = IncrementalAlterConfigsRequest::default().with_resources(resources);
    let answer = client.call(node, &request).await.expect("an answer");
    let mut told: Vec<(String, i16, String)> = answer
        .responses
        .iter()
        .map(|one| {
            let why = one.error_message.as_ref().map_or("", |why| why.as_str());
            (one.resource_name.as_str().to_owned(), one.error_code, why.to_owned())
        })
        .collect();
    told.sort();
    told
}

#[test]
fn a_node_knows_its_own_directories_and_those_of_no_other() {
    work(|client| async move {
        for node in 0..NODES {
            let (own, other) = ((node + 1).to_string(), ((node + 1) % NODES + 1).to_string());
            let cordon = |name: &str, dirs: &str| change(OF_BROKER, name, "cordoned.log.dirs", dirs);
            let dir = format!("/data-{own}");
            assert_eq!(
                alter(&client, node, vec![cordon(&own, &dir)]).await,
                [(own.clone(), 0, String::new())]
            );
            assert_eq!(alter(&client, node, vec![cordon(&own, "")]).await, [(own.clone(), 0, String::new())]);
            let told = alter(&client, node, vec![cordon(&own, &format!("/data-{other}"))]).await;
            let (name, error, why) = &told[0];
            assert_eq!((name, *error), (&own, INVALID_REQUEST));
            assert!(why.contains("must be present in log.dirs"), "{why}");
            // What is refused here keeps nothing else from the controller, and the other way round.
            let topic = || change(OF_TOPIC, TOPIC, "retention.ms", "60000");
            let told = alter(&client, node, vec![cordon(&other, ""), topic()]).await;
            let why = format!("Unexpected broker id, expected {own}, but received {other}");
            let topic_changed = (TOPIC.to_owned(), 0, String::new());
            if told != [(other.clone(), INVALID_REQUEST, why), topic_changed.clone()] {
                panic!("node {own}: {told:?}");
            }
            // Of a broker that is gone anybody takes them: it is decommissioned so.
            let gone = alter(&client, node, vec![cordon("9", "*")]).await;
            assert_eq!(gone, [("9".to_owned(), 0, String::new())]);
            let absent = change(OF_TOPIC, "absent", "retention.ms", "60000");
            let told = alter(&client, node, vec![absent, cordon(&own, "/nowhere")]).await;
            let codes: Vec<(&str, i16)> =
                told.iter().map(|(name, error, _)| (name.as_str(), *error)).collect();
            assert_eq!(codes, [(own.as_str(), INVALID_REQUEST), ("absent", 3)]);
        }
    });
}

#[test]
fn a_follower_tells_of_producers_too() {
    work(|mut client| async move {
        let mut batch = BatchBuilder::new().producer(ProducerId(7), ProducerEpoch(2), Sequence(0));
        batch.append(1, None, Some(b"value"), &[]);
        let data = PartitionProduceData::default().with_index(0).with_records(Some(batch.build()));
        let leader = client.leader(0).await;
        let topic = TopicProduceData::default()
            .with_name(text(TOPIC).into())
            .with_topic_id(client.topic_id)
            .with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic]);
        let answer = client.call(leader, &request).await.expect("an answer");
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
        for node in 0..NODES {
            let topic = TopicRequest::default().with_name(text(TOPIC).into()).with_partition_indexes(vec![0]);
            let request = DescribeProducersRequest::default().with_topics(vec![topic]);
            let answer = client.call(node, &request).await.expect("an answer");
            let partition = &answer.topics[0].partitions[0];
            assert_eq!(partition.error_code, 0, "node {}", node + 1);
            let producers: Vec<(i64, i32, i32)> = partition
                .active_producers
                .iter()
                .map(|one| (one.producer_id.0, one.producer_epoch, one.last_sequence))
                .collect();
            assert_eq!(producers, [(7, 2, 0)], "node {}", node + 1);
        }
    });
}
