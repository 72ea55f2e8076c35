//! What a start takes and what it refuses: files, environment, overrides, and who wins.
//! Core.

use ottla_config::{
    BrokerConfig, CleanupPolicy, CompressionType, ConfigError, ConfigMap, ConfigSources, Durability,
    OTTLA_DEFAULTS, Origin, TopicConfig, Warning, describe_broker, load, render_config_listing,
};

type Loaded = Result<(BrokerConfig, Vec<Warning>), ConfigError>;

fn file(text: &str) -> Loaded {
    load(Some(("server.properties", text)), &[], &[])
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// The value in force, as DescribeConfigs answers it.
fn described(config: &BrokerConfig, name: &str) -> Option<String> {
    describe_broker(config, Some(&[name.to_owned()])).pop().and_then(|entry| entry.value)
}

#[track_caller]
fn refused(text: &str, parts: &[&str]) {
    let error = file(text).expect_err(text);
    for part in parts {
        assert!(error.message.contains(part), "{text:?}: {error}");
    }
}

#[test]
fn nothing_given_is_a_broker_on_this_machine() {
    let (config, warnings) = load(None, &[], &[]).unwrap();
    assert!(warnings.is_empty());
    assert_eq!(config.node_id, 1);
    assert_eq!(config.log_dirs, ["./ottla-data"]);
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.listeners[0].to_string(), "PLAINTEXT://127.0.0.1:9092");
    assert_eq!(config.advertised_listeners, None);
    assert_eq!(config.durability, Durability::SurviveOne);
    assert_eq!(config.http_listener.as_deref(), Some("127.0.0.1:9644"));
    assert!(!config.group_initial_rebalance_delay_is_set);
    assert_eq!(config.group_initial_rebalance_delay_ms, 3000);
    assert_eq!(BrokerConfig::defaults().log_dirs, config.log_dirs);
}

#[test]
fn the_server_properties_of_a_one_node_kafka_starts() {
    let (config, warnings) = file(
        "process.roles=broker,controller\nnode.id=0\ncontroller.quorum.bootstrap.servers=localhost:9093\n\
         listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n\
         advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL\n\
         num.network.threads=3\nnum.io.threads=8\nlog.dirs=/tmp/kraft-combined-logs, /data\nnum.partitions=1\n\
         offsets.topic.replication.factor=1\nshare.coordinator.state.topic.replication.factor=1\n\
         transaction.state.log.min.isr=1\nlog.retention.hours=168\nlog.segment.bytes=1073741824\n",
    )
    .unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.node_id, 0);
    assert_eq!(config.log_dirs, ["/tmp/kraft-combined-logs", "/data"]);
    let text = |listeners: &[ottla_config::Listener]| {
        listeners.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    };
    assert_eq!(text(&config.listeners), "PLAINTEXT://:9092");
    assert_eq!(text(&config.controller_listeners), "CONTROLLER://:9093");
    assert_eq!(text(config.advertised_listeners.as_deref().unwrap()), "PLAINTEXT://localhost:9092");
}

#[test]
fn an_unmapped_controller_listener_is_plaintext() {
    let (config, _) = file("listeners=PLAINTEXT://:0,CTRL://:0\ncontroller.listener.names=CTRL").unwrap();
    assert_eq!(config.controller_listeners[0].name, "CTRL");
    refused("listeners=PLAINTEXT://:0,OTHER://:0", &["listeners", "OTHER", "No security protocol defined"]);
}

#[test]
fn later_wins_and_says_where_it_is_from() {
    let env = pairs(&[
        ("KAFKA_NUM_PARTITIONS", "4"),
        ("KAFKA_NODE_ID", "7"),
        ("CLUSTER_ID", "4L6g3nShT-eMCtK--X86sw"),
        ("KAFKA_HEAP_OPTS", "-Xmx1g"),
        ("PATH", "/bin"),
    ]);
    let overrides = pairs(&[("num.partitions", "5")]);
    let text = "num.partitions=3\nlog.roll.hours=2\n";
    let (config, warnings) = load(Some(("a.properties", text)), &env, &overrides).unwrap();
    assert_eq!(warnings, []);
    assert_eq!((config.num_partitions, config.node_id), (5, 7));
    assert_eq!(config.cluster_id.as_deref(), Some("4L6g3nShT-eMCtK--X86sw"));
    assert_eq!(config.log_roll_ms(), 7_200_000);
    assert_eq!(config.given()["num.partitions"].origin, Origin::Override);
    assert_eq!(config.given()["log.roll.hours"].origin.to_string(), "a.properties:2");
    assert_eq!(config.given()["node.id"].origin.to_string(), "environment variable KAFKA_NODE_ID");
    assert_eq!(described(&config, "broker.id").as_deref(), Some("7"));
}

#[test]
fn node_id_and_broker_id_are_one() {
    assert_eq!(file("broker.id=0").unwrap().0.node_id, 0);
    assert_eq!(file("broker.id=5\nnode.id= 5").unwrap().0.node_id, 5);
    refused("broker.id=5\nnode.id=6", &["node.id is 6", "broker.id is 5"]);
    refused("node.id=-1", &["node.id", "-1", "at least 0"]);
}

#[test]
fn unknown_keys_are_one_warning_and_an_error_when_typed() {
    let (_, warnings) = load(
        Some(("s.properties", "num.partition=3\n")),
        &pairs(&[("KAFKA_LISENERS", "x"), ("KAFKA_RSM_CONFIG_X", "y")]),
        &[],
    )
    .unwrap();
    let text: Vec<&str> = warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(
        text,
        [
            "unknown key liseners (environment variable KAFKA_LISENERS) is ignored; did you mean listeners?",
            "unknown key num.partition (s.properties:1) is ignored; did you mean num.partitions?",
        ]
    );
    let error = load(None, &[], &pairs(&[("num.partition", "3")])).unwrap_err();
    assert!(error.message.contains("did you mean num.partitions?"), "{error}");
    assert!(load(None, &[], &pairs(&[("listener.name.a.ssl.keystore.location", "x")])).is_ok());
}

#[test]
fn a_bad_value_names_key_value_and_what_is_allowed() {
    refused(
        "\nnum.partitions=many",
        &["num.partitions", "many", "Not a number of type INT", "at least 1", "server.properties:2"],
    );
    refused("num.partitions=0", &["num.partitions", "0", "at least 1"]);
    refused("auto.create.topics.enable=yes", &["auto.create.topics.enable", "yes", "true or false"]);
    refused("compression.type=zip", &["compression.type", "zip", "producer"]);
    refused("ottla.durability=none", &["ottla.durability", "none", "survive-one, os, fsync"]);
    refused("ottla.http.listener=9644", &["ottla.http.listener", "9644", "host:port"]);
    refused("max.connections.per.ip.overrides=a:b", &["max.connections.per.ip.overrides", "host:count"]);
    refused("listeners=", &["listeners", "must not be empty"]);
    refused("listeners=localhost:9092", &["listeners", "NAME://host:port"]);
    refused("log.retention.ms=0", &["log.retention.ms", "greater than or equal to 1"]);
    refused("a=\\u12", &["server.properties", "line 1"]);
    refused("offsets.topic.compression.codec=9", &["offsets.topic.compression.codec", "0 (none)"]);
    refused(
        "group.min.session.timeout.ms=9\ngroup.max.session.timeout.ms=8",
        &["group.min.session.timeout.ms"],
    );
    assert_eq!(file("num.partitions= 3 ").unwrap().0.num_partitions, 3);
    assert_eq!(file("ottla.http.listener=").unwrap().0.http_listener, None);
    assert_eq!(
        file("max.connections.per.ip.overrides=127.0.0.1:5, ::1:6")
            .unwrap()
            .0
            .connections_per_ip_max_overrides,
        [("127.0.0.1".to_owned(), 5), ("::1".to_owned(), 6)]
    );
}

#[test]
fn nothing_is_half_secure() {
    assert!(file("listeners=SSL://:9093").is_ok(), "its stores are looked at when they are read");
    refused(
        "listeners=EXT://:9093\nlistener.security.protocol.map=EXT:SASL_PLAINTEXT",
        &["EXT", "sasl.enabled.mechanisms", "GSSAPI"],
    );
    let old = "kafka.security.authorizer.AclAuthorizer";
    refused(&format!("authorizer.class.name={old}"), &["authorizer.class.name", old, "StandardAuthorizer"]);
    refused("super.users=User:a;bob", &["super.users", "bob"]);
    refused("client.quota.callback.class=x.Y", &["client.quota.callback.class"]);
    refused("quota.producer.default=1024", &["quota.producer.default", "kafka-configs"]);
    refused("max.connection.creation.rate=-1", &["max.connection.creation.rate"]);
    refused("create.topic.policy.class.name=x.Y", &["create.topic.policy.class.name"]);
    refused("alter.config.policy.class.name=x.Y", &["alter.config.policy.class.name"]);
    refused("principal.builder.class=x.Y", &["principal.builder.class"]);
    refused(
        "security.inter.broker.protocol=SSL",
        &["security.inter.broker.protocol", "no listener of that name"],
    );
    assert!(file("security.inter.broker.protocol=SSL\nlisteners=PLAINTEXT://:0,SSL://:0").is_ok());
    refused("config.providers=file", &["config.providers"]);
    refused("remote.log.storage.system.enable=true", &["remote.log.storage.system.enable", "tiered"]);
    let (config, _) = file("delegation.token.secret.key=hush").unwrap();
    let secret = config.token_secret_key.as_ref().expect("a secret");
    assert_eq!((secret.text(), format!("{secret:?}").as_str()), ("hush", "[hidden]"));
    for harmless in [
        "authorizer.class.name=",
        "quota.window.num=5",
        "max.connection.creation.rate=10",
        "ssl.keystore.location=/x",
    ] {
        assert!(file(harmless).is_ok(), "{harmless}");
    }
}

#[test]
fn the_authorizer_is_kafka_s_own_and_reads_its_own_keys() {
    let standard = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer";
    let (config, warnings) =
        file(&format!("{standard}\nsuper.users=User:a;User:b\nallow.everyone.if.no.acl.found= TRUE"))
            .unwrap();
    let settings = config.authorizer().expect("an authorizer");
    assert_eq!((&*settings.super_users, settings.allow_everyone_if_no_acl_found), ("User:a;User:b", true));
    assert!(warnings.is_empty());
    let closed = file(standard).unwrap().0.authorizer().expect("an authorizer");
    assert_eq!((&*closed.super_users, closed.allow_everyone_if_no_acl_found), ("", false));
    assert_eq!(file("super.users=User:a").unwrap().0.authorizer(), None);
}

#[test]
fn one_node_is_the_whole_cluster() {
    refused("process.roles=boss", &["process.roles", "boss", "broker, controller"]);
    refused("controller.quorum.voters=2@a:1", &["controller.quorum.voters", "node.id is 1"]);
    refused("listeners=C://:1\ncontroller.listener.names=C", &["none is left for clients"]);
    refused("advertised.listeners=PLAINTEXT://0.0.0.0:9092", &["advertised.listeners", "dial"]);
    refused("advertised.listeners=SSL://a:1", &["advertised.listeners", "SSL"]);
    let names = "controller.listener.names=C\nlisteners=PLAINTEXT://:1,C://:2\n";
    refused(
        &format!("{names}advertised.listeners=PLAINTEXT://a:1,C://0.0.0.0:2"),
        &["C://0.0.0.0:2", "dial"],
    );
    refused(
        &format!("{names}advertised.listeners=C://a:2"),
        &["advertised.listeners=C://a:2", "for clients"],
    );
    let unopened = "controller.listener.names=C\nlisteners=PLAINTEXT://:1\n\
                    advertised.listeners=PLAINTEXT://a:1,C://a:2\n";
    refused(unopened, &["advertised.listeners", "C is not a name in listeners"]);
    // The names of a role that a node does not have mean nothing there.
    let broker = "process.roles=broker\nnode.id=5\ncontroller.quorum.bootstrap.servers=a:1\n";
    file(&format!("{broker}{unopened}")).unwrap();
    let controller = "process.roles=controller\nlisteners=C://h:1\ncontroller.listener.names=C\n\
                      controller.quorum.voters=1@h:1\nadvertised.listeners=PLAINTEXT://a:1,C://a:2";
    assert_eq!(file(controller).unwrap().0.advertised_controllers.len(), 1);
    refused("inter.broker.listener.name=OTHER", &["inter.broker.listener.name", "OTHER"]);
}

#[test]
fn a_node_may_be_a_broker_or_a_controller_alone() {
    let names = "controller.listener.names=C\n";
    let broker = "process.roles=broker\nnode.id=5\nlisteners=PLAINTEXT://h:9092\n";
    let (config, _) =
        file(&format!("{broker}{names}controller.quorum.bootstrap.servers=a:1,[::1]:2")).unwrap();
    assert!(config.is_broker() && !config.is_controller() && config.has_peers());
    assert_eq!(config.controller_addresses(), [("a".to_owned(), 1), ("::1".to_owned(), 2)]);
    let (config, _) = file(&format!("{broker}{names}controller.quorum.voters=1@a:1")).unwrap();
    assert_eq!(config.controller_addresses(), [("a".to_owned(), 1)]);
    refused(&format!("{broker}{names}"), &["process.roles=broker", "controller.quorum.bootstrap.servers"]);
    refused(&format!("{broker}controller.quorum.voters=1@a:1"), &["controller.listener.names"]);
    refused(&format!("{broker}{names}controller.quorum.voters=5@a:1"), &["node id 5 must not be among"]);
    refused(
        &format!(
            "process.roles=broker\nlisteners=PLAINTEXT://h:1,C://h:2\n{names}controller.quorum.voters=9@a:1"
        ),
        &["controller.listener.names", "must not name one of listeners"],
    );
    refused(
        "process.roles=broker\nnode.id=5\nlisteners=PLAINTEXT://:9092\ncontroller.listener.names=C\n\
         controller.quorum.voters=1@a:1",
        &["listeners", "advertised.listeners"],
    );

    let controller = "process.roles=controller\nlisteners=C://h:1\n";
    let (config, _) = file(&format!("{controller}{names}controller.quorum.voters=1@h:1")).unwrap();
    assert!(!config.is_broker() && config.is_controller() && config.has_peers());
    assert!(config.listeners.is_empty());
    refused(&format!("{controller}{names}"), &["process.roles=controller", "controller.quorum.voters"]);
    // Its directory may say who votes.
    file(&format!("{controller}{names}controller.quorum.bootstrap.servers=h:1")).unwrap();
    refused(&format!("{controller}{names}controller.quorum.voters=2@h:1"), &["node.id is 1"]);
    refused(
        &format!(
            "process.roles=controller\nlisteners=C://h:1,PLAINTEXT://h:2\n{names}controller.quorum.voters=1@h:1"
        ),
        &["listeners", "only contain controller listeners"],
    );
}

#[test]
fn a_controller_is_reached_where_it_is_advertised_or_votes_or_listens() {
    let reached = |listener: &str, advertised: &str, voters: &str| {
        let text = format!(
            "process.roles=controller\ncontroller.listener.names=C\nlisteners={listener}\n{advertised}\n{voters}"
        );
        let (config, _) = file(&text).unwrap();
        let listener = &config.controller_listeners[0];
        (config.controller_reached_at(listener), config.names_other_controllers())
    };
    let at = |host: &str, port, names_others| (Some((host.to_owned(), port)), names_others);
    let voters = "controller.quorum.voters=1@v:2,2@w:2";
    let joins = "controller.quorum.bootstrap.servers=v:2,w:2";
    assert_eq!(reached("C://h:2", "", voters), at("v", 2, false));
    assert_eq!(reached("C://h:2", "", joins), at("h", 2, true));
    assert_eq!(reached("C://0.0.0.0:2", "", joins), (None, true));
    for (voters, names_others) in [(voters, false), (joins, true)] {
        assert_eq!(reached("C://h:2", "advertised.listeners=C://a:3", voters), at("a", 3, names_others));
        assert_eq!(reached("C://:2", "advertised.listeners=C://a:3", voters), at("a", 3, names_others));
    }
    // Its own address under another port is its own.
    let alone = "controller.quorum.bootstrap.servers=a:3";
    assert_eq!(reached("C://h:2", "advertised.listeners=C://a:3", alone), at("a", 3, false));
    assert_eq!(reached("C://h:2", "advertised.listeners=C://b:3", alone), at("b", 3, true));
    // What is dialled need not be what is opened where that is said.
    let elsewhere = "controller.quorum.voters=1@10.0.0.2:9,2@w:2";
    assert_eq!(reached("C://10.0.0.1:2", "advertised.listeners=C://a:9", elsewhere), at("a", 9, false));
    refused(
        &format!("controller.listener.names=C\nlisteners=PLAINTEXT://h:1,C://10.0.0.1:2\n{elsewhere}"),
        &["10.0.0.2:9", "advertised.listeners"],
    );
}

#[test]
fn several_voters_are_a_quorum_and_say_where_this_node_is_reached() {
    let quorum = "controller.listener.names=C\ncontroller.quorum.voters=2@[::1]:2, 1@a:1 ,3@c:3\n";
    let (config, _) = file(&format!("{quorum}listeners=PLAINTEXT://:9092,C://:1")).unwrap();
    let voters: Vec<_> = config.quorum_voters.iter().map(|one| (one.id, &*one.host, one.port)).collect();
    assert_eq!(voters, [(1, "a", 1), (2, "::1", 2), (3, "c", 3)]);
    assert!(config.has_peers());
    let inner = config.inter_broker_listener().expect("PLAINTEXT is the protocol between brokers");
    assert_eq!(config.reachable_at(inner), Some(("a".to_owned(), 9092)));
    let given = "listeners=PLAINTEXT://:9092,IN://h:9,C://:1\ninter.broker.listener.name=in\n\
                 listener.security.protocol.map=PLAINTEXT:PLAINTEXT,IN:PLAINTEXT,C:PLAINTEXT\n\
                 advertised.listeners=PLAINTEXT://p:1\n";
    let (config, _) = file(&format!("{quorum}{given}")).unwrap();
    let reached: Vec<_> = config.listeners.iter().map(|one| config.reachable_at(one)).collect();
    assert_eq!(reached, [Some(("p".to_owned(), 1)), Some(("h".to_owned(), 9))]);
    assert_eq!(config.inter_broker_listener().map(|one| &*one.name), Some("IN"));

    let here = "listeners=PLAINTEXT://h:9092,C://:1\n";
    refused(
        "controller.quorum.voters=1@a:1,2@b:1",
        &["controller.quorum.voters", "controller.listener.names"],
    );
    refused(&format!("{here}controller.listener.names=C\ncontroller.quorum.voters=1@a:1,1@b:1"), &["twice"]);
    refused(
        &format!("{here}controller.listener.names=C\ncontroller.quorum.voters=1@a:2,2@b:1"),
        &["a:2", "C://:1"],
    );
    refused(
        "listeners=PLAINTEXT://h:1,C://10.0.0.1:2\ncontroller.listener.names=C\ncontroller.quorum.voters=1@10.0.0.2:2,2@b:1",
        &["10.0.0.2:2"],
    );
    refused(
        &format!("{quorum}listeners=PLAINTEXT://0.0.0.0:9092,C://:1"),
        &["listeners", "advertised.listeners"],
    );
    refused(
        &format!(
            "{quorum}listeners=X://h:9092,C://:1\nlistener.security.protocol.map=X:PLAINTEXT,C:PLAINTEXT"
        ),
        &["listeners", "inter.broker.listener.name"],
    );
}

#[test]
fn a_topic_takes_its_own_value_then_the_brokers_then_the_default() {
    let (config, _) = file("log.retention.minutes=2\nlog.cleanup.policy=compact,delete\n").unwrap();
    let map = |name: &str, text: &str| ConfigMap::from([(name.to_owned(), text.to_owned())]);
    let retention = |config: &BrokerConfig, overrides: &ConfigMap| {
        TopicConfig::effective(&ConfigSources { broker: config, overrides }).retention_ms
    };
    let none = ConfigMap::new();
    assert_eq!(retention(&BrokerConfig::defaults(), &none), 604_800_000);
    assert_eq!(retention(&config, &none), 120_000);
    let cluster = map("log.retention.ms", "5");
    let dynamic = config.with_dynamic(&none, &cluster);
    assert_eq!(retention(&dynamic, &none), 5);
    let dynamic = config.with_dynamic(&map("log.retention.ms", "6"), &cluster);
    assert_eq!(retention(&dynamic, &none), 6);
    assert_eq!(retention(&dynamic, &map("retention.ms", "-1")), -1);
    assert_eq!(retention(&config.with_dynamic(&none, &none), &none), 120_000);
    let topic = TopicConfig::effective(&ConfigSources { broker: &config, overrides: &none });
    assert_eq!(topic.cleanup_policy, CleanupPolicy { delete: true, compact: true });
    assert_eq!(topic.compression_type, CompressionType::Producer);
    assert_eq!(topic.flush_ms, i64::MAX);
    assert_eq!(topic.segment_bytes, 1_073_741_824);
}

#[test]
fn dynamic_values_that_cannot_be_read_are_passed_over() {
    let broken = ConfigMap::from([
        ("log.retention.ms".to_owned(), "abc".to_owned()),
        ("message.max.bytes".to_owned(), "77".to_owned()),
    ]);
    let config = BrokerConfig::defaults().with_dynamic(&broken, &ConfigMap::new());
    assert_eq!(config.log_retention_ms(), 604_800_000);
    assert_eq!(described(&config, "message.max.bytes").as_deref(), Some("77"));
}

#[test]
fn the_listing_names_every_key_and_hides_secrets() {
    let (config, _) = file("num.partitions=3\nssl.key.password=hush\nmy.key=1").unwrap();
    let text = render_config_listing(&config);
    assert!(text.contains("num.partitions = 3\n"));
    assert!(text.contains("from: server.properties:1"));
    assert!(text.contains("ssl.key.password = [hidden]") && !text.contains("hush"));
    assert!(text.contains("accepted, no effect"));
    assert!(text.contains("only checked: a start refuses what is not there yet"));
    assert!(text.contains("Topic keys that are accepted and have no effect:\n"));
    assert!(!text.contains("\n  consumer.session.timeout.ms: "), "it has an effect");
    assert!(text.starts_with("ottla.balance = propose\n"));
    for ours in OTTLA_DEFAULTS {
        assert!(text.contains(ours.reason));
    }
}

#[test]
fn the_only_controller_is_one_of_several_where_it_is_told_so() {
    let one = "controller.listener.names=C\ncontroller.quorum.voters=1@h:2\nlisteners=PLAINTEXT://h:1,C://h:2\n\
               listener.security.protocol.map=PLAINTEXT:PLAINTEXT,C:PLAINTEXT\n";
    let has_peers = |text: &str| file(text).expect("a valid configuration").0.has_peers();
    assert!(!has_peers(one));
    assert!(has_peers(&format!("{one}ottla.brokers.join=true")));
    let without_listener =
        "controller.quorum.voters=1@h:2\nlisteners=PLAINTEXT://h:1\nottla.brokers.join=true";
    refused(without_listener, &["controller.quorum.voters", "controller.listener.names"]);
}

#[test]
fn a_controller_joins_others_where_bootstrap_servers_names_them() {
    let of = |roles: &str, listeners: &str, servers: &str| {
        let names =
            "controller.listener.names=C\nlistener.security.protocol.map=PLAINTEXT:PLAINTEXT,C:PLAINTEXT\n";
        let text = format!(
            "{names}process.roles={roles}\nlisteners={listeners}\ncontroller.quorum.bootstrap.servers={servers}"
        );
        let (config, _) = file(&text).expect("a valid configuration");
        (config.names_other_controllers(), config.has_peers())
    };
    let both = |listeners: &str, servers: &str| of("broker,controller", listeners, servers);
    // As in the properties that Kafka brings along for one node.
    assert_eq!(both("PLAINTEXT://:9092,C://:9093", "localhost:9093"), (false, false));
    assert_eq!(both("PLAINTEXT://:9092,C://:9093", "a.example:9093"), (false, false));
    assert_eq!(both("PLAINTEXT://d:9092,C://d:9093", "d:9093"), (false, false));
    assert_eq!(both("PLAINTEXT://d:9092,C://d:9093", "a:9093"), (true, true));
    assert_eq!(both("PLAINTEXT://:9092,C://:9093", "a:9093,b:9093"), (true, true));
    assert_eq!(of("controller", "C://:9093", "a:9093"), (true, true));
    assert_eq!(of("controller", "C://d:9093", "d:9093"), (false, true));
}
