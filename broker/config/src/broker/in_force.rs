//! Rows: the broker keys that do something here, each with the typed field that the rooms read it by.
//! Core. Kafka's rows are as Apache Kafka 4.3.1 defines them; the sentences are ours. A key of the other
//! tables has no field: nothing can read it, so it has no effect (but for those a topic or a group inherits).

use std::string::String as Text;

use crate::group_config::MigrationPolicy;
use crate::keys::{HiddenText, keys};
use crate::row::ConfigType::*;
use crate::row::DynamicMode::*;
use crate::row::Importance::*;
use crate::row::Validation::*;
use crate::row::{at_least, between, list, row};
use crate::settings::{Balance, Durability, FailureDetection, ReplicaSelector};
use crate::start_topics;
use crate::validators;

keys! {
    /// The values of the keys that do something; fields follow the keys' names.
    #[derive(Clone, Debug)]
    pub struct KeysInForce;
    rows IN_FORCE;

    // The node and its sockets.
    pub node_id: i32 = row("node.id", Int, None, at_least(0), ReadOnly, High)
        .doc("Number of this node in its cluster.");
    pub rack: Option<Text> = row("broker.rack", String, None, Any, ReadOnly, Medium)
        .doc("Rack of this broker, told to clients and used to spread replicas.");
    pub replica_selector: Option<ReplicaSelector> = row("replica.selector.class", String, None, OneOf(&["org.apache.kafka.common.replica.LeaderSelector", "org.apache.kafka.common.replica.RackAwareReplicaSelector"]), ReadOnly, Medium)
        .doc("Which replica a consumer reads from, by the name of Kafka's class: the leader, or one in the consumer's rack (client.rack, broker.rack).");
    pub(crate) log_dir: Vec<Text> = row("log.dir", List, Some("/tmp/kafka-logs"), list(&[], false), ReadOnly, High)
        .doc("Directory of the data when log.dirs is not set.");
    pub(crate) log_dirs_given: Option<Vec<Text>> = row("log.dirs", List, None, list(&[], false), ReadOnly, High)
        .doc("Directories of the data, separated by commas.");
    pub durability: Durability = row("ottla.durability", String, Some("survive-one"), OneOf(&["survive-one", "os", "fsync"]), ReadOnly, High)
        .doc("What acks=all promises: survive-one is a second copy or, on a lone replica, an fsync; os leaves it to the page cache; fsync always waits for the disk.");
    pub(crate) http_listener_text: Text = row("ottla.http.listener", String, Some("127.0.0.1:9644"), Custom(validators::http_listener), ReadOnly, Medium)
        .doc("Where metrics and health are served over HTTP, as host:port; port 0 is a free port, empty switches it off. When it is not set and its port is taken, a free one serves.");
    pub failure_detection: FailureDetection = row("ottla.failure.detection", String, Some("pings"), OneOf(&["pings", "kafka"]), ReadOnly, Medium)
        .doc("How the nodes of a cluster find out that one is cut off or stands still: pings takes half a second; kafka waits for the session of its broker to end, and no node stops by itself. Give all nodes the same.");
    pub brokers_join: bool = row("ottla.brokers.join", Boolean, Some("false"), Any, ReadOnly, Medium)
        .doc("Whether other brokers may join a node that is broker and controller and the only one that votes; it is then one of several from its start.");
    pub balance: Balance = row("ottla.balance", String, Some("propose"), OneOf(&["off", "propose", "auto"]), ClusterWide, Medium)
        .doc("What a cluster does about replicas and leaders that are not evenly spread over its brokers: propose shows what would have to move; auto moves it, one partition after the other.");
    pub balance_bytes_per_second: i64 = row("ottla.balance.bytes.per.second", Long, Some("26214400"), at_least(1), ClusterWide, Medium)
        .doc("Bytes a second that a broker may copy to replicas that are being added, and send to them, while ottla.balance is auto.");
    pub balance_disk_max_percent: u64 = row("ottla.balance.disk.max.percent", Int, Some("80"), between(1, 100), ClusterWide, Low)
        .doc("How full the disks of a broker may be before replicas are to move away from it.");
    pub memory_budget_bytes: u64 = row("ottla.memory.budget.bytes", Long, Some("268435456"), at_least(16_777_216), ReadOnly, Medium)
        .doc("Bytes that requests and answers in flight may hold over all connections; beyond it sockets are not read.");
    pub metrics_series_max: usize = row("ottla.metrics.series.max", Int, Some("10000"), at_least(0), ReadOnly, Medium)
        .doc("Series that one metric of topics, partitions or groups shows at most, groups with members and topics in use first; and series of all metrics that clients push.");
    pub metrics_kafka_names: bool = row("ottla.metrics.kafka.names", Boolean, Some("true"), Any, ReadOnly, Medium)
        .doc("Whether /metrics has its figures also under the names that the usual exporters of Kafka give them.");
    pub(crate) start_topics_text: Text = row("ottla.topics", String, Some(""), Custom(start_topics::check), ReadOnly, Medium)
        .doc("Topics that are made before the broker says that it is ready, where they are not there: NAME:PARTITIONS:KEY=VALUE:..., separated by commas.");
    pub telemetry_bytes_max: usize = row("telemetry.max.bytes", Int, Some("1048576"), at_least(1), ReadOnly, Low)
        .doc("Largest telemetry payload of a client.");
    pub(crate) listener_entries: Vec<Text> = row("listeners", List, Some("PLAINTEXT://:9092"), list(&[], false), PerBroker, High).at_start()
        .doc("Where the broker listens, as NAME://host:port; an empty host is every interface, port 0 a free port.");
    pub(crate) advertised_entries: Option<Vec<Text>> = row("advertised.listeners", List, None, list(&[], false), ReadOnly, High)
        .doc("Addresses that clients are told to connect to; unset, each connection is told the address it dialled.");
    pub(crate) controller_listener_names: Option<Vec<Text>> = row("controller.listener.names", List, None, list(&[], false), ReadOnly, High)
        .doc("Listeners used by controllers; clients are not served on them.");
    pub(crate) quorum_voters_given: Vec<Text> = row("controller.quorum.voters", List, Some(""), Custom(validators::quorum_voters), ReadOnly, High)
        .doc("Voters of the metadata quorum as id@host:port, a controller among them; empty, or this node alone, is a quorum of one.");
    pub(crate) quorum_bootstrap_given: Vec<Text> = row("controller.quorum.bootstrap.servers", List, Some(""), Custom(validators::bootstrap_servers), ReadOnly, High)
        .doc("Where controllers listen, as host:port, for a broker that is told none of the voters' ids.");
    pub quorum_auto_join: bool = row("controller.quorum.auto.join.enable", Boolean, Some("false"), Any, ReadOnly, Low)
        .doc("Whether a controller without a vote adds itself to the voters, where the log says who votes (kraft.version 1).");
    pub(crate) roles_given: Vec<Text> = row("process.roles", List, None, list(&["broker", "controller"], false), ReadOnly, High)
        .doc("Roles of this process: broker, controller, or both.");
    pub(crate) inter_broker_listener_given: Option<Text> = row("inter.broker.listener.name", String, None, Any, ReadOnly, Medium)
        .doc("Listener that brokers use among themselves; unset, the one called as security.inter.broker.protocol says.");
    pub(crate) protocol_map_text: Text = row("listener.security.protocol.map", String, Some("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"), Any, PerBroker, Low).at_start()
        .doc("Security protocol of each listener name.");
    pub(crate) authorizer_class: Option<Text> = row("authorizer.class.name", String, Some(""), Any, ReadOnly, Low)
        .doc("Java class that decides who may do what; empty lets everybody do everything.");
    pub socket_request_bytes_max: usize = row("socket.request.max.bytes", Int, Some("104857600"), at_least(1), ReadOnly, High)
        .doc("Largest request; a connection that announces more is closed.");
    pub socket_send_buffer_bytes: i32 = row("socket.send.buffer.bytes", Int, Some("102400"), Any, ReadOnly, High)
        .doc("Send buffer of client sockets; -1 leaves it to the system.");
    pub socket_receive_buffer_bytes: i32 = row("socket.receive.buffer.bytes", Int, Some("102400"), Any, ReadOnly, High)
        .doc("Receive buffer of client sockets; -1 leaves it to the system.");
    pub connections_idle_ms_max: i64 = row("connections.max.idle.ms", Long, Some("600000"), Any, ReadOnly, Medium)
        .doc("A connection silent for this long is closed.");
    pub(crate) oauthbearer_unsecured: bool = row("ottla.oauthbearer.unsecured", Boolean, Some("false"), Any, ReadOnly, Medium)
        .doc("Whether OAUTHBEARER accepts tokens that nobody signed: for tests alone.");
    pub token_expiry_check_interval_ms: i64 = row("delegation.token.expiry.check.interval.ms", Long, Some("3600000"), at_least(1), ReadOnly, Low)
        .doc("How often expired delegation tokens are removed.");
    pub token_renewal_ms: i64 = row("delegation.token.expiry.time.ms", Long, Some("86400000"), at_least(1), ReadOnly, Medium)
        .doc("Life of a delegation token that is not renewed.");
    pub token_lifetime_ms_max: i64 = row("delegation.token.max.lifetime.ms", Long, Some("604800000"), at_least(1), ReadOnly, Medium)
        .doc("Longest life of a delegation token, renewed or not.");
    pub token_secret_key: Option<HiddenText> = row("delegation.token.secret.key", Password, None, Any, ReadOnly, Medium)
        .doc("Secret with which delegation tokens are made and checked, the same on every node; unset, there are none.");
    pub failed_authentication_delay_ms: u64 = row("connection.failed.authentication.delay.ms", Int, Some("100"), at_least(0), ReadOnly, Low)
        .doc("How long a connection that failed to authenticate is held before it is closed.");
    pub connections_max: usize = row("max.connections", Int, Some("2147483647"), at_least(0), ClusterWide, Medium)
        .doc("Most connections of this broker at once.");
    pub connection_creation_rate_max: i32 = row("max.connection.creation.rate", Int, Some("2147483647"), at_least(0), ClusterWide, Medium)
        .doc("Most new connections a second.");
    pub connections_per_ip_max: usize = row("max.connections.per.ip", Int, Some("2147483647"), at_least(0), ClusterWide, Medium)
        .doc("Most connections of one address at once.");
    pub(crate) connections_per_ip_overrides_text: Text = row("max.connections.per.ip.overrides", String, Some(""), Any, ClusterWide, Medium)
        .doc("Limits of single addresses, as host:count separated by commas.");

    // Replicas.
    pub replica_fetch_backoff_ms: i64 = row("replica.fetch.backoff.ms", Int, Some("1000"), at_least(0), ReadOnly, Medium)
        .doc("Longest pause of a follower after failed fetches.");
    pub replica_fetch_bytes_max: i32 = row("replica.fetch.max.bytes", Int, Some("1048576"), at_least(0), ReadOnly, Medium)
        .doc("Bytes of one partition a follower asks for.");
    pub replica_fetch_bytes_min: i32 = row("replica.fetch.min.bytes", Int, Some("1"), Any, ReadOnly, High)
        .doc("Bytes a follower waits for.");
    pub replica_fetch_response_bytes_max: i32 = row("replica.fetch.response.max.bytes", Int, Some("10485760"), at_least(0), ReadOnly, Medium)
        .doc("Bytes of one response a follower asks for.");
    pub replica_fetch_wait_ms_max: i32 = row("replica.fetch.wait.max.ms", Int, Some("500"), Any, ReadOnly, High)
        .doc("How long a follower's fetch may wait.");
    pub replica_high_watermark_checkpoint_interval_ms: i64 = row("replica.high.watermark.checkpoint.interval.ms", Long, Some("5000"), Any, ReadOnly, High)
        .doc("How often high watermarks are written down.");
    pub replica_lag_time_ms_max: i64 = row("replica.lag.time.max.ms", Long, Some("30000"), Any, ReadOnly, High)
        .doc("A follower behind for this long leaves the in-sync set.");
    pub follower_replication_throttled_rate: i64 = row("follower.replication.throttled.rate", Long, Some("9223372036854775807"), at_least(0), ClusterWide, Medium).dynamic_only()
        .doc("Bytes a second that throttled followers may fetch on this broker.");
    pub leader_replication_throttled_rate: i64 = row("leader.replication.throttled.rate", Long, Some("9223372036854775807"), at_least(0), ClusterWide, Medium).dynamic_only()
        .doc("Bytes a second that throttled leaders may send on this broker.");
    pub replication_quota_windows: i32 = row("replication.quota.window.num", Int, Some("11"), at_least(1), ReadOnly, Low)
        .doc("How many samples replication quotas keep.");
    pub replication_quota_window_seconds: i32 = row("replication.quota.window.size.seconds", Int, Some("1"), at_least(1), ReadOnly, Low)
        .doc("Length of one sample of replication quotas.");

    // Topics and requests.
    pub num_partitions: i32 = row("num.partitions", Int, Some("1"), at_least(1), ReadOnly, Medium)
        .doc("Partitions of a topic that is created without saying how many.");
    pub default_replication_factor: i16 = row("default.replication.factor", Int, Some("1"), Any, ReadOnly, Medium)
        .doc("Replicas of a topic that is created without saying how many.");
    pub unstable_api_versions: bool = row("unstable.api.versions.enable", Boolean, Some("false"), Any, ReadOnly, High).internal()
        .doc("Whether unreleased API versions are served.");
    pub unstable_feature_versions: bool = row("unstable.feature.versions.enable", Boolean, Some("false"), Any, ReadOnly, High).internal()
        .doc("Whether unreleased feature versions are allowed.");
    pub auto_create_topics_enable: bool = row("auto.create.topics.enable", Boolean, Some("true"), Any, ReadOnly, High)
        .doc("Whether asking for an unknown topic creates it.");
    pub delete_topic_enable: bool = row("delete.topic.enable", Boolean, Some("true"), Any, ReadOnly, High)
        .doc("Whether topics may be deleted.");
    pub fetch_bytes_max: i32 = row("fetch.max.bytes", Int, Some("57671680"), at_least(1024), ReadOnly, Medium)
        .doc("Most bytes one fetch response carries, whatever the client asks; at least one batch is always sent.");
    pub incremental_fetch_session_slots_max: usize = row("max.incremental.fetch.session.cache.slots", Int, Some("1000"), at_least(0), ReadOnly, Medium)
        .doc("Most incremental fetch sessions remembered.");
    pub request_partition_size_limit: i32 = row("max.request.partition.size.limit", Int, Some("2000"), at_least(1), ReadOnly, Medium)
        .doc("Most partitions in one answer to DescribeTopicPartitions.");

    // Replicas and the brokers that hold them.
    pub min_insync_replicas: i32 = row("min.insync.replicas", Int, Some("1"), at_least(1), ClusterWide, High)
        .doc("Replicas that must have a write before acks=all is answered.");
    pub unclean_leader_election_enable: bool = row("unclean.leader.election.enable", Boolean, Some("false"), Any, ClusterWide, High)
        .doc("Whether a replica that is out of sync may become leader and lose data.");
    pub broker_session_timeout_ms: i64 = row("broker.session.timeout.ms", Int, Some("9000"), Any, ReadOnly, Medium)
        .doc("A broker silent for this long is taken to be dead.");
    pub broker_heartbeat_interval_ms: i64 = row("broker.heartbeat.interval.ms", Int, Some("2000"), Any, ReadOnly, Medium)
        .doc("How often a broker tells the controller that it lives.");
    pub initial_broker_registration_timeout_ms: i64 = row("initial.broker.registration.timeout.ms", Int, Some("60000"), Any, ReadOnly, Medium)
        .doc("How long a broker tries to register at its start before it gives up.");
    pub cordoned_log_dirs: Vec<Text> = row("cordoned.log.dirs", List, Some(""), list(&[], true), PerBroker, Medium)
        .doc("Log directories that get no new partitions.");
    pub auto_leader_rebalance_enable: bool = row("auto.leader.rebalance.enable", Boolean, Some("true"), Any, ReadOnly, High)
        .doc("Whether leadership is moved back to preferred replicas in the background.");
    pub leader_imbalance_check_interval_seconds: i64 = row("leader.imbalance.check.interval.seconds", Long, Some("300"), at_least(1), ReadOnly, High)
        .doc("How often the balance of leaders is checked.");
    pub unclean_leader_election_interval_ms: i64 = row("unclean.leader.election.interval.ms", Long, Some("300000"), at_least(1), ReadOnly, Medium).internal()
        .doc("How often unclean elections are considered.");

    // Consumer groups.
    pub group_session_timeout_ms_min: i32 = row("group.min.session.timeout.ms", Int, Some("6000"), Any, ReadOnly, Medium)
        .doc("Smallest session timeout a classic member may ask for.");
    pub group_session_timeout_ms_max: i32 = row("group.max.session.timeout.ms", Int, Some("1800000"), Any, ReadOnly, Medium)
        .doc("Largest session timeout a classic member may ask for.");
    /// See `BrokerSettings::group_initial_rebalance_delay_is_set`.
    pub group_initial_rebalance_delay_ms: i32 = row("group.initial.rebalance.delay.ms", Int, Some("3000"), Any, ReadOnly, Medium)
        .doc("How long an empty group waits for more members after the first; unset, it adapts and a lone member waits not at all.");
    pub group_max_size: usize = row("group.max.size", Int, Some("2147483647"), at_least(1), ReadOnly, Medium)
        .doc("Most members of a classic group.");
    pub offset_metadata_bytes_max: usize = row("offset.metadata.max.bytes", Int, Some("4096"), Any, ReadOnly, High)
        .doc("Largest metadata string stored with a committed offset.");
    pub offsets_retention_minutes: i64 = row("offsets.retention.minutes", Int, Some("10080"), at_least(1), ReadOnly, High)
        .doc("Minutes that offsets of an empty group are kept.");
    pub offsets_retention_check_interval_ms: i64 = row("offsets.retention.check.interval.ms", Long, Some("600000"), at_least(1), ReadOnly, High)
        .doc("How often it is looked for expired offsets.");
    pub offsets_topic_num_partitions: i32 = row("offsets.topic.num.partitions", Int, Some("50"), at_least(1), ReadOnly, High)
        .doc("Partitions of the offsets topic; not to be changed afterwards.");
    /// The wish; a creation takes as many as there are live brokers.
    pub offsets_topic_replication_factor: i16 = row("offsets.topic.replication.factor", Short, Some("3"), at_least(1), ReadOnly, High)
        .doc("Replicas of the offsets topic, as far as there are brokers.");
    pub offsets_topic_segment_bytes: i32 = row("offsets.topic.segment.bytes", Int, Some("104857600"), at_least(1), ReadOnly, High)
        .doc("Segment size of the offsets topic.");
    /// Kafka's number of a codec; 0 is none.
    pub offsets_topic_compression_codec: i32 = row("offsets.topic.compression.codec", Int, Some("0"), Any, ReadOnly, High)
        .doc("Codec of the offsets topic, as a number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.");

    // Transactions.
    pub producer_id_expiration_ms: i32 = row("producer.id.expiration.ms", Int, Some("86400000"), at_least(1), ClusterWide, Low).at_start()
        .doc("How long an idle producer's sequence numbers are remembered.");
    pub transaction_timeout_ms_max: i32 = row("transaction.max.timeout.ms", Int, Some("900000"), at_least(1), ReadOnly, High)
        .doc("Longest transaction timeout a client may ask for.");
    pub transaction_two_phase_commit: bool = row("transaction.two.phase.commit.enable", Boolean, Some("false"), Any, ReadOnly, Low)
        .doc("Whether clients may take part in two-phase commit.");
    pub transaction_abort_interval_ms: i32 = row("transaction.abort.timed.out.transaction.cleanup.interval.ms", Int, Some("10000"), at_least(1), ReadOnly, Low)
        .doc("How often timed-out transactions are aborted.");
    pub transaction_expiration_interval_ms: i32 = row("transaction.remove.expired.transaction.cleanup.interval.ms", Int, Some("3600000"), at_least(1), ReadOnly, Low)
        .doc("How often expired transactional ids are removed.");
    pub transactional_id_expiration_ms: i32 = row("transactional.id.expiration.ms", Int, Some("604800000"), at_least(1), ReadOnly, High)
        .doc("How long an unused transactional id is remembered.");
    pub transaction_topic_num_partitions: i32 = row("transaction.state.log.num.partitions", Int, Some("50"), at_least(1), ReadOnly, High)
        .doc("Partitions of the transaction topic.");
    /// The wish; a creation takes as many as there are live brokers.
    pub transaction_topic_replication_factor: i16 = row("transaction.state.log.replication.factor", Short, Some("3"), at_least(1), ReadOnly, High)
        .doc("Replicas of the transaction topic.");
    pub transaction_topic_segment_bytes: i32 = row("transaction.state.log.segment.bytes", Int, Some("104857600"), at_least(1), ReadOnly, High)
        .doc("Segment size of the transaction topic.");
    pub transaction_topic_min_isr: i32 = row("transaction.state.log.min.isr", Int, Some("2"), at_least(1), ReadOnly, High)
        .doc("Least in-sync replicas of the transaction topic.");

    pub rebalance_protocols: Vec<Text> = row("group.coordinator.rebalance.protocols", List, Some("classic,consumer,streams"), list(&["consumer", "classic", "share", "streams"], false), ReadOnly, Medium)
        .doc("Group protocols that are switched on.");

    // Consumer groups; what a group may set for itself is in `group.rs`.
    pub consumer_assignors: Vec<Text> = row("group.consumer.assignors", List, Some("uniform,range"), Custom(validators::consumer_assignors), ReadOnly, Medium)
        .doc("Server-side assignors of consumer groups; the first is the default.");
    pub consumer_group_max_size: i32 = row("group.consumer.max.size", Int, Some("2147483647"), at_least(1), ReadOnly, Medium)
        .doc("Most members of a consumer group.");
    pub consumer_migration_policy: MigrationPolicy = row("group.consumer.migration.policy", String, Some("bidirectional"), OneOfIgnoreCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]), ReadOnly, Medium)
        .doc("Which conversions between classic and consumer groups are allowed.");
    pub consumer_regex_refresh_interval_ms: i64 = row("group.consumer.regex.refresh.interval.ms", Int, Some("600000"), at_least(10000), ReadOnly, Medium).internal()
        .doc("How often subscribed patterns are resolved anew.");

    // Share groups; what a group may set for itself is in `group.rs`.
    pub share_sessions_max: usize = row("group.share.max.share.sessions", Int, Some("2000"), at_least(1), ReadOnly, Medium)
        .doc("Most share sessions of this broker.");
    pub share_group_max_size: i32 = row("group.share.max.size", Int, Some("200"), between(1, 1000), ReadOnly, Medium)
        .doc("Most members of a share group.");
    pub share_initialize_retry_interval_ms: i64 = row("group.share.initialize.retry.interval.ms", Int, Some("30000"), at_least(1), ReadOnly, Low).internal()
        .doc("Pause before setting up share state is tried again.");
    pub streams_group_max_size: i32 = row("group.streams.max.size", Int, Some("2147483647"), at_least(1), ReadOnly, Medium)
        .doc("Most members of a streams group.");
    pub share_updates_per_snapshot: i32 = row("share.coordinator.snapshot.update.records.per.snapshot", Int, Some("500"), between(0, 500), ReadOnly, Medium)
        .doc("Updates of share state between two snapshots.");
    pub share_prune_interval_ms: i64 = row("share.coordinator.state.topic.prune.interval.ms", Int, Some("300000"), at_least(1), ReadOnly, Low).internal()
        .doc("How often old share state is deleted.");
    pub share_cold_snapshot_interval_ms: i64 = row("share.coordinator.cold.partition.snapshot.interval.ms", Int, Some("300000"), at_least(1), ReadOnly, Low).internal()
        .doc("How often idle share partitions are snapshotted.");
    pub share_topic_num_partitions: i32 = row("share.coordinator.state.topic.num.partitions", Int, Some("50"), at_least(1), ReadOnly, High)
        .doc("Partitions of the share state topic.");
    /// The wish; a creation takes as many as there are live brokers.
    pub share_topic_replication_factor: i16 = row("share.coordinator.state.topic.replication.factor", Short, Some("3"), at_least(1), ReadOnly, High)
        .doc("Replicas of the share state topic.");
    pub share_topic_segment_bytes: i32 = row("share.coordinator.state.topic.segment.bytes", Int, Some("104857600"), at_least(1), ReadOnly, High)
        .doc("Segment size of the share state topic.");
    /// Kafka's number of a codec; 0 is none.
    pub share_topic_compression_codec: i32 = row("share.coordinator.state.topic.compression.codec", Int, Some("0"), Any, ReadOnly, High)
        .doc("Codec of the share state topic, as a number.");

    // Quotas.
    pub controller_quota_window_num: i32 = row("controller.quota.window.num", Int, Some("11"), at_least(1), ReadOnly, Low)
        .doc("How many samples the controller mutation quota keeps.");
    pub controller_quota_window_size_seconds: i32 = row("controller.quota.window.size.seconds", Int, Some("1"), at_least(1), ReadOnly, Low)
        .doc("Length of one sample of the controller mutation quota.");
    pub quota_window_num: i32 = row("quota.window.num", Int, Some("11"), at_least(1), ReadOnly, Low)
        .doc("How many samples client quotas keep.");
    pub quota_window_size_seconds: i32 = row("quota.window.size.seconds", Int, Some("1"), at_least(1), ReadOnly, Low)
        .doc("Length of one sample of client quotas.");

    // Logs.
    pub log_retention_check_interval_ms: i64 = row("log.retention.check.interval.ms", Long, Some("300000"), at_least(1), ReadOnly, Medium)
        .doc("How often it is looked for data past its retention.");
    pub log_flush_offset_checkpoint_interval_ms: i32 = row("log.flush.offset.checkpoint.interval.ms", Int, Some("60000"), at_least(0), ReadOnly, High)
        .doc("How often the recovery points are written down.");
    pub num_recovery_threads_per_data_dir: i32 = row("num.recovery.threads.per.data.dir", Int, Some("2"), at_least(1), ClusterWide, High).at_start()
        .doc("Threads that recover logs at start, for each directory.");
    pub log_cleaner_enable: bool = row("log.cleaner.enable", Boolean, Some("true"), Any, ReadOnly, Medium)
        .doc("Whether compacted topics are cleaned.");
    pub log_cleaner_threads: i32 = row("log.cleaner.threads", Int, Some("1"), at_least(0), ClusterWide, Medium)
        .doc("Threads of the cleaner.");
    pub log_cleaner_backoff_ms: i64 = row("log.cleaner.backoff.ms", Long, Some("15000"), at_least(0), ClusterWide, Medium)
        .doc("How long the cleaner rests when there is nothing to clean.");
    pub log_cleaner_dedupe_buffer_bytes: i64 = row("log.cleaner.dedupe.buffer.size", Long, Some("134217728"), Any, ClusterWide, Medium)
        .doc("Memory for finding duplicate keys, over all cleaner threads.");
    pub log_cleaner_io_buffer_bytes: i32 = row("log.cleaner.io.buffer.size", Int, Some("524288"), at_least(0), ClusterWide, Medium)
        .doc("Memory for reading and writing, over all cleaner threads.");
    pub log_cleaner_io_buffer_load_factor: f64 = row("log.cleaner.io.buffer.load.factor", Double, Some("0.9"), Any, ClusterWide, Medium)
        .doc("How full the table of duplicate keys may get.");
    pub log_cleaner_io_bytes_per_second_max: f64 = row("log.cleaner.io.max.bytes.per.second", Double, Some("1.7976931348623157E308"), Any, ClusterWide, Medium)
        .doc("Most bytes a second the cleaner reads and writes.");
    pub alter_log_dirs_bytes_per_second_max: i64 = row("replica.alter.log.dirs.io.max.bytes.per.second", Long, Some("9223372036854775807"), at_least(0), ClusterWide, Medium).dynamic_only()
        .doc("Most bytes a second that moves between log directories copy.");
}
