//! A node that is alone cordons its directories itself (KIP-1066): no heartbeat tells its controller of them.
//! Shell. Tests only, over a disk in memory.

use std::path::Path;
use std::sync::Arc;

use ottla_env::Env;
use ottla_env::memory::FaultyDisk;
use ottla_model::BrokerId;
use ottla_protocol::messages::IncrementalAlterConfigsRequest;
use ottla_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use ottla_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use ottla_protocol::messages::{CreatePartitionsRequest, CreateTopicsRequest};
use uuid::Uuid;

use crate::controller::features::{CORDONED_LOG_DIRS, METADATA_VERSION};
use crate::controller::testing::{IntoStr, topic};
use crate::metadata_tests::{DIR, create, logs, options, run, update_feature, world};
use crate::{Metadata, MetadataOptions, Registration};

const DIRS: [Uuid; 2] = [Uuid::from_u128(501), Uuid::from_u128(502)];
const INVALID_REPLICATION_FACTOR: i16 = 38;

/// A node with two directories, at this level of metadata.version where its cluster is new.
fn start(env: &Env, cordoned: &str, level: i16) -> Arc<Metadata> {
    let given = [("log.dirs", "/a,/b"), ("node.id", "1"), ("cordoned.log.dirs", cordoned)];
    let given = given.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let (config, _warnings) = ottla_config::load(None, &[], &given).expect("a valid configuration");
    let mut options = MetadataOptions { config, ..options(Some(logs(env, Path::new(DIR)))) };
    for feature in options.features.iter_mut().filter(|feature| feature.name == METADATA_VERSION) {
        feature.finalized = level;
    }
    let metadata = Metadata::open(env, options).expect("it opens");
    metadata.start(&Registration { log_dirs: DIRS.to_vec(), ..Registration::default() }).expect("it starts");
    metadata
}

async fn set(metadata: &Metadata, broker: &str, name: &str, value: &str) -> i16 {
    let config = AlterableConfig::default()
        .with_name(name.to_owned().into_str())
        .with_config_operation(0)
        .with_value(Some(value.to_owned().into_str()));
    let resource = AlterConfigsResource::default()
        .with_resource_type(4)
        .with_resource_name(broker.to_owned().into_str())
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    metadata.incremental_alter_configs(request).await.expect("an answer").responses[0].error_code
}

fn cordoned(metadata: &Metadata) -> Vec<Uuid> {
    let image = metadata.image();
    let broker = image.broker(BrokerId(1)).expect("it is registered");
    broker.cordoned_log_dirs.clone().unwrap_or_default()
}

async fn create_with_text(metadata: &Metadata, name: &str) -> (i16, String) {
    let request = CreateTopicsRequest::default().with_topics(vec![topic(name, 1, 1)]);
    let answer = metadata.create_topics(request).await.expect("an answer");
    let text = answer.topics[0].error_message.as_ref().map_or("", |text| text.as_str());
    (answer.topics[0].error_code, text.to_owned())
}

#[test]
fn a_change_of_the_config_is_in_the_image_when_it_is_answered() {
    let env = world(1, Arc::new(FaultyDisk::new(1)));
    let metadata = start(&env, "", CORDONED_LOG_DIRS);
    run(async {
        assert_eq!(create(&metadata, "before").await, Ok(0));
        let offset = metadata.image().metadata_offset();
        assert_eq!(set(&metadata, "1", "max.connections", "7").await, 0);
        assert_eq!(metadata.image().metadata_offset(), offset + 1, "nothing is said that is known");
        assert_eq!(set(&metadata, "1", "cordoned.log.dirs", "/b").await, 0);
        assert_eq!(cordoned(&metadata), DIRS[1..]);
        assert_eq!(create(&metadata, "in-the-other").await, Ok(0));
        assert_eq!(set(&metadata, "1", "cordoned.log.dirs", "/b,/a").await, 0);
        assert_eq!(cordoned(&metadata), DIRS);
        let why = "Unable to replicate the partition 1 time(s): All brokers are currently fenced, or have all their \
                   log directories cordoned.";
        assert_eq!(
            create_with_text(&metadata, "nowhere").await,
            (INVALID_REPLICATION_FACTOR, why.to_owned())
        );
        let more = CreatePartitionsTopic::default()
            .with_name("before".into_str().into())
            .with_count(9)
            .with_assignments(None);
        let request = CreatePartitionsRequest::default().with_topics(vec![more]);
        let answer = metadata.create_partitions(request).await.expect("an answer");
        assert_eq!(answer.results[0].error_code, INVALID_REPLICATION_FACTOR);
        assert_eq!(set(&metadata, "1", "cordoned.log.dirs", "").await, 0);
        assert!(cordoned(&metadata).is_empty());
        assert_eq!(create(&metadata, "after").await, Ok(0));
        // What was set while it ran holds after a restart, before anybody asks for something.
        assert_eq!(set(&metadata, "1", "cordoned.log.dirs", "*").await, 0);
        metadata.stop().await;
    });
    let again = start(&env, "", CORDONED_LOG_DIRS);
    assert_eq!(cordoned(&again), DIRS);
    run(again.stop());
}

#[test]
fn what_a_node_is_started_with_holds_from_the_metadata_version_on_that_knows_it() {
    let env = world(2, Arc::new(FaultyDisk::new(2)));
    let metadata = start(&env, "*", CORDONED_LOG_DIRS - 1);
    run(async {
        assert!(cordoned(&metadata).is_empty());
        assert_eq!(create(&metadata, "before").await, Ok(0));
        let invalid_config = 40;
        assert_eq!(set(&metadata, "1", "cordoned.log.dirs", "").await, invalid_config);
        assert_eq!(update_feature(&metadata, METADATA_VERSION, CORDONED_LOG_DIRS, 1).await, 0);
        assert_eq!(cordoned(&metadata), DIRS);
        assert_eq!(create(&metadata, "after").await, Ok(INVALID_REPLICATION_FACTOR));
        assert_eq!(set(&metadata, "1", "cordoned.log.dirs", "/a").await, 0);
        assert_eq!(cordoned(&metadata), DIRS[..1]);
        metadata.stop().await;
    });
    // The same directories of another start: nothing of the last one's is left over.
    let again = start(&env, "", CORDONED_LOG_DIRS);
    assert_eq!(cordoned(&again), DIRS[..1]);
    run(async {
        let answer = set(&again, "1", "cordoned.log.dirs", "").await;
        assert_eq!((answer, cordoned(&again)), (0, Vec::new()));
        again.stop().await;
    });
}
