package ottla.suite;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.test.TestKitNode;
import org.apache.kafka.common.test.TestKitNodes;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.server.common.Feature;
import org.apache.kafka.server.common.MetadataVersion;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * The cluster that one test asked for: today one node. Knows what Kafka's own test kit puts into a configuration, starts
 * and stops the process, and keeps the Admin by which {@link Wire} asks it.
 */
public final class Cluster implements AutoCloseable {
    /** Kafka's classes for which a broker may have something of its own, by the key that names them. */
    private static final Map<String, List<String>> OWN_CLASSES = Map.of(
        "authorizer.class.name", List.of("org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        "group.share.persister.class.name",
        List.of("org.apache.kafka.server.share.persister.DefaultStatePersister", ""),
        "group.consumer.assignors",
        List.of("uniform", "range", "uniform,range", "range,uniform",
            "org.apache.kafka.coordinator.group.assignor.UniformAssignor",
            "org.apache.kafka.coordinator.group.assignor.RangeAssignor"));

    private final TestKitNodes nodes;
    private final TestKitNode broker;
    private final Path dir;
    private final int port = Node.freePort();
    private final int controllerPort = Node.freePort();
    private final Map<String, String> properties;
    private final Node node;
    private Admin admin;

    public Cluster(TestKitNodes nodes, Map<String, Object> configured) throws Exception {
        if (nodes.brokerNodes().size() != 1 || nodes.controllerNodes().size() > 1) {
            throw Verdict.waits(Verdict.SEVERAL_NODES);
        }
        if (nodes.brokerListenerProtocol() != SecurityProtocol.PLAINTEXT
                || nodes.controllerListenerProtocol() != SecurityProtocol.PLAINTEXT) {
            throw Verdict.waits(Verdict.SASL);
        }
        this.nodes = nodes;
        this.broker = nodes.brokerNodes().values().iterator().next();
        this.properties = properties(configured);
        if (!Settings.againstKafka()) {
            refuseJavaClasses();
        }
        this.dir = Settings.clusterDir();
        this.node = Settings.againstKafka()
            ? new KafkaNode(dir, properties, bootstrap())
            : new OttlaNode(dir, withoutController(), features());
    }

    /** Ottla's controller has no listener of its own, and Ottla tells a client the address it dialled unless told another. */
    private Map<String, String> withoutController() {
        Map<String, String> all = new HashMap<>(properties);
        String listeners = Arrays.stream(properties.get("listeners").split(","))
            .filter(listener -> !listener.startsWith(controllerListener() + ":"))
            .collect(Collectors.joining(","));
        all.put("listeners", listeners);
        all.putIfAbsent("advertised.listeners", listeners);
        return all;
    }

    /** What Kafka's test kit writes for the test, then the test's own, then those of the one node. */
    private Map<String, String> properties(Map<String, Object> configured) {
        Map<String, String> all = new HashMap<>();
        configured.forEach((key, value) -> all.put(key, String.valueOf(value)));
        String listener = nodes.brokerListenerName().value();
        all.put("process.roles", "broker,controller");
        all.put("node.id", Integer.toString(broker.id()));
        all.put("log.dirs", String.join(",", broker.logDataDirectories()));
        all.put("metadata.log.dir", broker.metadataDirectory());
        all.putIfAbsent("listener.security.protocol.map",
            listener + ":PLAINTEXT," + controllerListener() + ":PLAINTEXT");
        all.putIfAbsent("inter.broker.listener.name", listener);
        all.putIfAbsent("controller.listener.names", controllerListener());
        all.put("controller.quorum.voters", broker.id() + "@localhost:" + controllerPort);
        all.putIfAbsent("log.cleaner.dedupe.buffer.size", "2097152");
        nodes.controllerNodes().values().forEach(controller -> all.putAll(controller.propertyOverrides()));
        all.putAll(broker.propertyOverrides());
        all.putIfAbsent("unstable.feature.versions.enable", "true");
        all.putIfAbsent("unstable.api.versions.enable", "true");
        String own = all.getOrDefault("listeners", listener + "://localhost:0");
        all.put("listeners", withPorts(own));
        return all;
    }

    /** A node that starts again has to be where it was, so its ports are chosen beforehand. */
    private String withPorts(String listeners) {
        StringBuilder text = new StringBuilder();
        boolean hasController = false;
        for (String listener : listeners.split(",")) {
            boolean isController = listener.startsWith(controllerListener() + ":");
            hasController |= isController;
            text.append(text.isEmpty() ? "" : ",")
                .append(listener, 0, listener.lastIndexOf(':') + 1)
                .append(isController ? controllerPort : listener.startsWith(nodes.brokerListenerName().value() + ":")
                    ? port : Node.freePort());
        }
        if (!hasController) {
            text.append(",").append(controllerListener()).append("://localhost:").append(controllerPort);
        }
        return text.toString();
    }

    private void refuseJavaClasses() {
        properties.forEach((key, value) -> {
            boolean namesClasses = key.contains(".class") || key.endsWith(".assignors") || key.equals("metric.reporters");
            if (namesClasses && !value.isEmpty() && !OWN_CLASSES.getOrDefault(key, List.of()).contains(value)) {
                throw Verdict.waits(Verdict.JAVA_CLASS);
            }
        });
    }

    /** The levels that differ from those of a new cluster. */
    private Map<String, Short> features() {
        Map<String, Short> levels = new TreeMap<>();
        levels.put(MetadataVersion.FEATURE_NAME, nodes.bootstrapMetadata().metadataVersion().featureLevel());
        for (Feature feature : Feature.PRODUCTION_FEATURES) {
            String name = feature.featureName();
            short level = nodes.bootstrapMetadata().featureLevel(name);
            if (level != feature.defaultLevel(MetadataVersion.latestTesting()) && !name.equals("kraft.version")) {
                levels.put(name, level);
            }
        }
        return levels;
    }

    public void format() throws Exception {
        if (Settings.againstKafka()) {
            KafkaNode.format(broker, nodes.bootstrapMetadata(), controllerListener());
        } else {
            for (String directory : broker.logDataDirectories()) {
                Files.createDirectories(Path.of(directory));
            }
        }
    }

    public void start() throws Exception {
        node.start();
    }

    public void stop() {
        node.stop();
    }

    public boolean isRunning() {
        return node.isRunning();
    }

    public int id() {
        return broker.id();
    }

    public int port(ListenerName listener) {
        if (listener.value().equalsIgnoreCase(controllerListener())) {
            return controllerPort();
        }
        return port;
    }

    public int port() {
        return port;
    }

    public int controllerPort() {
        if (!Settings.againstKafka()) {
            throw Verdict.waits(Verdict.CONTROLLER_LISTENER);
        }
        return controllerPort;
    }

    public String controllerListener() {
        return nodes.controllerListenerName().value();
    }

    public String bootstrap() {
        return "localhost:" + port;
    }

    public String bootstrapControllers() {
        return "localhost:" + controllerPort();
    }

    /** As Kafka's own KafkaConfig reads it. */
    Map<String, String> properties() {
        return properties;
    }

    public Iterable<String> logDirs() {
        return broker.logDataDirectories();
    }

    /** One for all questions of a test, closed before the test's threads are counted. */
    synchronized Admin admin() {
        if (admin == null) {
            admin = Admin.create(Map.of("bootstrap.servers", bootstrap()));
        }
        return admin;
    }

    /** Ends the node, removes its data, and fails the test when the node had not lived that long. */
    @Override
    public void close() throws Exception {
        boolean ended = node.endedByItself();
        String said = ended ? node.lastOutput() : "";
        synchronized (this) {
            if (admin != null) {
                admin.close(java.time.Duration.ofSeconds(1));
                admin = null;
            }
        }
        node.kill();
        Utils.delete(dir.toFile());
        Utils.delete(new java.io.File(nodes.baseDirectory()));
        if (ended) {
            throw new AssertionError("the broker ended during the test\n" + said);
        }
    }
}
