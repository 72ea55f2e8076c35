//! What a request costs from its frame to its answer, without a network: fetch plans, Metadata, Produce.
//! Shell: it looks at the clock. `cargo bench -p ottla-sim`

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use criterion::{Criterion, criterion_group, criterion_main};
use ottla_api::metrics::ApiMetrics;
use ottla_api::operation_audit::OperationAudit;
use ottla_api::{Broker, Dispatch};
use ottla_config::DynamicBrokerConfig;
use ottla_coordinator::transaction::{PartitionMarkers, TransactionCoordinator, TransactionSettings};
use ottla_coordinator::{Loader, PartitionLog};
use ottla_env::Env;
use ottla_env::memory::{NoNet, SeededRng, ThreadTasks};
use ottla_metadata::ControllerChannel;
use ottla_model::topic::TRANSACTION_STATE_TOPIC;
use ottla_model::{BrokerId, SecurityProtocol};
use ottla_network::{Admitted, Answer, ConnectionInfo, Handler, ListenerInfo};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::{
    CreateTopicsRequest, FetchRequest, MetadataRequest, ProduceRequest, TopicName,
};
use ottla_protocol::{ApiKey, Encode};
use ottla_quota::{ClientQuotas, QuotaMetrics};
use ottla_records::{BatchBuilder, Codec};
use ottla_server::transactions::Ids;
use ottla_sim::rooms::{World, wait, wire};
use ottla_telemetry::ClientTelemetry;
use prometheus::Registry;

fn name(text: &str) -> TopicName {
    TopicName(wire(text))
}

/// The rooms of a simulated broker with the handlers above them.
fn dispatch(world: &World) -> Dispatch {
    let rooms = world.rooms();
    let env = Env {
        clock: Arc::new(world.clock.clone()),
        disk: Arc::new(world.disk.clone()),
        net: Arc::new(NoNet),
        rng: Arc::new(SeededRng::new(1)),
        tasks: Arc::new(ThreadTasks),
    };
    let loader = Loader::new(env.tasks.clone());
    let settings = TransactionSettings {
        timeout_max_ms: 900_000,
        allows_two_phase: false,
        id_expiration_ms: 604_800_000,
        abort_interval_ms: 10_000,
        expiration_interval_ms: 3_600_000,
    };
    let transactions_log = PartitionLog::new(
        TRANSACTION_STATE_TOPIC,
        rooms.replicas.clone(),
        rooms.metadata.clone(),
        rooms.metadata.clone(),
        Codec::None,
    );
    let transactions = TransactionCoordinator::new(
        settings,
        Arc::new(transactions_log),
        Arc::new(PartitionMarkers {
            node_id: BrokerId(1),
            metadata: rooms.metadata.clone(),
            replicas: rooms.replicas.clone(),
            groups: rooms.groups.clone(),
            clock: env.clock.clone(),
            nodes: None,
        }),
        Arc::new(Ids::new(BrokerId(1), rooms.metadata.clone(), rooms.metadata.clone())),
        env.clock.clone(),
        env.tasks.clone(),
        loader.clone(),
    );
    let config = Arc::new(DynamicBrokerConfig::new(world.config.clone()));
    let controller: Arc<dyn ControllerChannel> = rooms.metadata.clone();
    let share = ottla_server::share::rooms(
        &env,
        &config,
        &rooms.metadata,
        &controller,
        &rooms.replicas,
        &loader,
        None,
    );
    let settings = ottla_server::settings::quotas(&world.config);
    let quota_metrics = QuotaMetrics::register(&Registry::new()).expect("metrics");
    let quotas = Arc::new(ClientQuotas::new(settings, env.clock.clone(), quota_metrics));
    let metrics = Arc::new(ApiMetrics::new(&Registry::new()).expect("metrics"));
    let audit = OperationAudit::register(env.clock.clone(), &Registry::new()).expect("metrics");
    let broker = Broker::new(ottla_api::Rooms {
        env,
        config,
        features: Vec::new(),
        metadata: rooms.metadata.clone(),
        controller,
        cluster: None,
        replicas: rooms.replicas.clone(),
        groups: rooms.groups.clone(),
        transactions,
        share_state: share.state,
        share_channel: share.channel,
        share_partitions: share.partitions,
        telemetry: ClientTelemetry::new(1 << 20, 1),
        metrics,
        quotas,
        authorizer: None,
        audit: Arc::new(audit),
        loggers: Arc::new(ottla_api::loggers::Loggers::none()),
    });
    Dispatch::new(Arc::new(broker), ottla_api::Endpoint::Broker)
}

fn connection() -> Arc<ConnectionInfo> {
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 9092));
    let listener = ListenerInfo {
        name: "PLAINTEXT".to_owned(),
        protocol: SecurityProtocol::Plaintext,
        login_frame_bytes_max: 0,
        tls: None,
        advertised: None,
        bound: here,
    };
    Arc::new(ConnectionInfo::new(1, Arc::new(listener), here, here))
}

fn frame(key: ApiKey, version: i16, request: &impl Encode) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i16(key.to_i16());
    frame.put_i16(version);
    frame.put_i32(7);
    frame.put_i16(5);
    frame.put_slice(b"bench");
    frame.put_u8(0);
    request.encode(&mut frame, version).expect("encodes");
    frame.freeze()
}

/// Admits a frame that is answered at once; the answer's bytes.
fn answer(dispatch: &Dispatch, connection: &Arc<ConnectionInfo>, frame: &Bytes) -> usize {
    match dispatch.admit(connection, frame.clone()) {
        Admitted::Ready(Answer::Respond(response)) => response.len(),
        _later => panic!("answered at once"),
    }
}

fn create(world: &World, names: impl Iterator<Item = String>, partition_count: i32) {
    let topics = names
        .map(|topic| {
            CreatableTopic::default()
                .with_name(name(&topic))
                .with_num_partitions(partition_count)
                .with_replication_factor(1)
        })
        .collect();
    let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(10_000);
    let created = wait(world.rooms().metadata.create_topics(request)).expect("decided");
    assert!(created.topics.iter().all(|topic| topic.error_code == 0));
}

fn produce(partition: i32, acks: i16, batch: &Bytes) -> Bytes {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch.clone()));
    let topic = TopicProduceData::default().with_name(name("orders")).with_partition_data(vec![data]);
    let request =
        ProduceRequest::default().with_acks(acks).with_timeout_ms(30_000).with_topic_data(vec![topic]);
    frame(ApiKey::Produce, 9, &request)
}

fn fetch(partition_count: i32) -> Bytes {
    let partitions = (0..partition_count)
        .map(|index| {
            FetchPartition::default()
                .with_partition(index)
                .with_partition_max_bytes(1 << 20)
                .with_current_leader_epoch(-1)
                .with_last_fetched_epoch(-1)
        })
        .collect();
    let topic = FetchTopic::default().with_topic(name("orders")).with_partitions(partitions);
    let request = FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(1)
        .with_max_bytes(50 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![topic]);
    frame(ApiKey::Fetch, 12, &request)
}

fn metadata(topics: Option<Vec<&str>>) -> Bytes {
    let topics = topics.map(|names| {
        names.into_iter().map(|topic| MetadataRequestTopic::default().with_name(Some(name(topic)))).collect()
    });
    let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
    frame(ApiKey::Metadata, 12, &request)
}

fn batch(record_count: usize, value_bytes: usize) -> Bytes {
    let value = vec![0x5a; value_bytes];
    let mut builder = BatchBuilder::new();
    for _ in 0..record_count {
        builder.append(1_700_000_000_000, None, Some(&value), &[]);
    }
    builder.build()
}

fn requests(criterion: &mut Criterion) {
    let world = World::new(1);
    create(&world, std::iter::once("orders".to_owned()), 101);
    create(&world, (0..999).map(|n| format!("topic-{n}")), 1);
    let dispatch = dispatch(&world);
    let connection = connection();
    for partition in 0..100 {
        answer(&dispatch, &connection, &produce(partition, 1, &batch(16, 1000)));
    }
    let mut bench = |name: &str, frame: Bytes, bytes_min: usize| {
        assert!(answer(&dispatch, &connection, &frame) > bytes_min, "{name} carries what it is to carry");
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| answer(&dispatch, &connection, black_box(&frame)));
        });
    };
    bench("fetch/1 partition", fetch(1), 16_000);
    bench("fetch/100 partitions", fetch(100), 1_600_000);
    bench("metadata/1 topic of 1,000", metadata(Some(vec!["topic-7"])), 50);
    bench("metadata/1,000 topics", metadata(None), 20_000);
}

criterion_group!(benches, requests);
criterion_main!(benches);
