package ottla.suite;

import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.test.JaasUtils;
import org.apache.kafka.common.test.TestKitNodes;
import org.apache.kafka.metadata.authorizer.StandardAuthorizer;
import org.apache.kafka.server.common.Feature;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** What Kafka's own test kit puts into the configuration of a node, and what of it is told to Ottla in another way. */
final class NodeConfig {
    /** Kafka's classes for which a broker may have something of its own, by the key that names them. */
    private static final Map<String, List<String>> OWN_CLASSES = Map.of(
        "authorizer.class.name", List.of(StandardAuthorizer.class.getName()),
        "group.share.persister.class.name",
        List.of("org.apache.kafka.server.share.persister.DefaultStatePersister", ""),
        "replica.selector.class",
        List.of("org.apache.kafka.common.replica.RackAwareReplicaSelector",
            "org.apache.kafka.common.replica.LeaderSelector"),
        "group.consumer.assignors",
        List.of("uniform", "range", "uniform,range", "range,uniform",
            "org.apache.kafka.coordinator.group.assignor.UniformAssignor",
            "org.apache.kafka.coordinator.group.assignor.RangeAssignor"));
    private static final String LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        + " username=\"" + JaasUtils.KAFKA_PLAIN_ADMIN + "\" password=\"" + JaasUtils.KAFKA_PLAIN_ADMIN_PASSWORD + "\""
        + " user_" + JaasUtils.KAFKA_PLAIN_ADMIN + "=\"" + JaasUtils.KAFKA_PLAIN_ADMIN_PASSWORD + "\""
        + " user_" + JaasUtils.KAFKA_PLAIN_USER1 + "=\"" + JaasUtils.KAFKA_PLAIN_USER1_PASSWORD + "\";";

    private final TestKitNodes nodes;
    private final Map<String, Object> configured;
    private final Map<Integer, NodePorts> ports;
    /** Whether the metadata log says who votes (kraft.version 1). */
    private final boolean isDynamic;

    NodeConfig(TestKitNodes nodes, Map<String, Object> configured, Map<Integer, NodePorts> ports, boolean isDynamic) {
        this.nodes = nodes;
        this.configured = configured;
        this.ports = ports;
        this.isDynamic = isDynamic;
    }

    /** The test's own for all nodes, then what the kit writes, then the test's own for this node. */
    Map<String, String> of(Member member) {
        Map<String, String> all = new HashMap<>();
        configured.forEach((key, value) -> all.put(key, String.valueOf(value)));
        all.put("process.roles", roles(member));
        all.put("node.id", Integer.toString(member.id()));
        all.put("metadata.log.dir", member.metadataDirectory());
        all.put("log.dirs", String.join(",", member.logDirs()));
        if (member.isController()) {
            addLogin(all, nodes.controllerListenerProtocol());
        }
        if (member.isBroker()) {
            addLogin(all, nodes.brokerListenerProtocol());
        }
        String broker = nodes.brokerListenerName().value();
        String controller = nodes.controllerListenerName().value();
        all.putIfAbsent("listener.security.protocol.map", broker + ":" + nodes.brokerListenerProtocol() + ","
            + controller + ":" + nodes.controllerListenerProtocol());
        all.putIfAbsent("listeners", listeners(member));
        all.putIfAbsent("inter.broker.listener.name", broker);
        all.putIfAbsent("controller.listener.names", controller);
        if (isDynamic) {
            all.put("controller.quorum.bootstrap.servers", controllers("localhost:%2$d"));
        } else {
            all.put("controller.quorum.voters", controllers("%d@localhost:%d"));
        }
        all.putIfAbsent("log.cleaner.dedupe.buffer.size", "2097152");
        if (member.isBroker()) {
            all.remove("controller.quorum.auto.join.enable");
        }
        all.putAll(member.overrides());
        all.putIfAbsent("unstable.feature.versions.enable", "true");
        all.putIfAbsent("unstable.api.versions.enable", "true");
        all.put("listeners", member.ports().in(withController(member, all.get("listeners"))));
        addLoginTexts(all);
        return all;
    }

    private static String roles(Member member) {
        if (!member.isController()) {
            return "broker";
        }
        return member.isBroker() ? "broker,controller" : "controller";
    }

    private String listeners(Member member) {
        String broker = nodes.brokerListenerName().value() + "://localhost:0";
        String controller = nodes.controllerListenerName().value() + "://localhost:0";
        if (!member.isController()) {
            return broker;
        }
        return member.isBroker() ? broker + "," + controller : controller;
    }

    /** A test that names listeners of its own may forget the controller's. */
    private String withController(Member member, String listeners) {
        String controller = nodes.controllerListenerName().value();
        boolean isThere = Arrays.stream(listeners.split(",")).anyMatch(name -> name.startsWith(controller + ":"));
        return isThere || !member.isController() ? listeners : listeners + "," + controller + "://localhost:0";
    }

    private String controllers(String format) {
        String listener = nodes.controllerListenerName().value();
        return nodes.controllerNodes().keySet().stream()
            .map(id -> String.format(format, id, ports.get(id).of(listener)))
            .collect(Collectors.joining(","));
    }

    private static void addLogin(Map<String, String> all, SecurityProtocol protocol) {
        if (protocol != SecurityProtocol.SASL_PLAINTEXT) {
            return;
        }
        all.putIfAbsent("sasl.enabled.mechanisms", "PLAIN");
        all.putIfAbsent("sasl.mechanism.inter.broker.protocol", "PLAIN");
        all.putIfAbsent("sasl.mechanism.controller.protocol", "PLAIN");
        all.putIfAbsent("authorizer.class.name", StandardAuthorizer.class.getName());
        all.putIfAbsent("allow.everyone.if.no.acl.found", "false");
        all.putIfAbsent("super.users", "User:" + JaasUtils.KAFKA_PLAIN_ADMIN);
    }

    /** The kit writes a file for its JVM; a process finds the same in its configuration. */
    private void addLoginTexts(Map<String, String> all) {
        if (nodes.brokerListenerProtocol() == SecurityProtocol.SASL_PLAINTEXT) {
            all.putIfAbsent(loginKey(nodes.brokerListenerName().value()), LOGIN);
        }
        if (nodes.controllerListenerProtocol() == SecurityProtocol.SASL_PLAINTEXT) {
            all.putIfAbsent(loginKey(nodes.controllerListenerName().value()), LOGIN);
        }
    }

    private static String loginKey(String listener) {
        return "listener.name." + listener.toLowerCase(java.util.Locale.ROOT) + ".plain.sasl.jaas.config";
    }

    /** Ottla tells the client of a lone node the address it dialled, and cannot load a class. */
    Map<String, String> forOttla(Member member, Map<String, String> properties) {
        refuseJavaClasses(properties);
        Map<String, String> all = new HashMap<>(properties);
        String controller = nodes.controllerListenerName().value() + ":";
        if (member.isBroker()) {
            all.putIfAbsent("advertised.listeners", Arrays.stream(properties.get("listeners").split(","))
                .filter(listener -> !listener.startsWith(controller))
                .collect(Collectors.joining(",")));
            // A node that is the whole quorum takes itself for the whole cluster unless it is told.
            if (member.isController() && nodes.controllerNodes().size() == 1 && nodes.brokerNodes().size() > 1) {
                all.put("ottla.brokers.join", "true");
            }
        }
        return all;
    }

    private static void refuseJavaClasses(Map<String, String> properties) {
        properties.forEach((key, value) -> {
            boolean namesClasses = key.contains(".class") || key.endsWith(".assignors") || key.equals("metric.reporters");
            if (namesClasses && !value.isEmpty() && !OWN_CLASSES.getOrDefault(key, List.of()).contains(value)) {
                throw Verdict.waits(Verdict.JAVA_CLASS);
            }
        });
    }

    /** With which the cluster begins. kraft.version is no such level: the directories are formatted with it. */
    Map<String, Short> features() {
        Map<String, Short> levels = new TreeMap<>();
        for (Feature feature : Feature.PRODUCTION_FEATURES) {
            String name = feature.featureName();
            if (!name.equals("kraft.version")) {
                levels.put(name, nodes.bootstrapMetadata().featureLevel(name));
            }
        }
        levels.put(org.apache.kafka.server.common.MetadataVersion.FEATURE_NAME,
            nodes.bootstrapMetadata().metadataVersion().featureLevel());
        return levels;
    }
}
