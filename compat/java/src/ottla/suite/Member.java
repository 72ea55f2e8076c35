package ottla.suite;

import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.requests.MetadataResponse;
import org.apache.kafka.common.test.TestKitNode;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;

/** One node of a {@link Cluster}: broker, controller, or both, in a process of its own. */
public final class Member {
    private final Cluster cluster;
    private final TestKitNode broker;
    private final TestKitNode controller;
    private final NodePorts ports;
    private final Map<String, String> properties;
    private final Node node;

    Member(Cluster cluster, int id, NodePorts ports, NodeConfig config) throws IOException {
        this.cluster = cluster;
        this.broker = cluster.nodes().brokerNodes().get(id);
        this.controller = cluster.nodes().controllerNodes().get(id);
        this.ports = ports;
        this.properties = config.of(this);
        Path dir = Files.createDirectories(cluster.dir().resolve("node-" + id));
        this.node = Settings.againstKafka()
            ? new KafkaNode(dir, properties, this::serves)
            : new OttlaNode(dir, config.forOttla(this, properties), config.features(), cluster.nodes().clusterId());
    }

    public int id() {
        return (broker == null ? controller : broker).id();
    }

    public boolean isBroker() {
        return broker != null;
    }

    public boolean isController() {
        return controller != null;
    }

    /** What the test says of this one node. */
    Map<String, String> overrides() {
        Map<String, String> all = new java.util.HashMap<>();
        if (controller != null) {
            all.putAll(controller.propertyOverrides());
        }
        if (broker != null) {
            all.putAll(broker.propertyOverrides());
        }
        return all;
    }

    TestKitNode kitNode() {
        return broker == null ? controller : broker;
    }

    /** The controller's directory where it is one, for that is where a combined node has its metadata. */
    String metadataDirectory() {
        return (controller == null ? broker : controller).metadataDirectory();
    }

    public Set<String> logDirs() {
        return broker == null ? Set.of(controller.metadataDirectory()) : broker.logDataDirectories();
    }

    boolean hasFolder(TopicPartition partition) {
        return logDirs().stream().anyMatch(directory -> Files.exists(Path.of(directory, partition.toString())));
    }

    NodePorts ports() {
        return ports;
    }

    /** As Kafka's own KafkaConfig reads it. */
    Map<String, String> properties() {
        return properties;
    }

    public int port(ListenerName listener) {
        return ports.of(listener.value());
    }

    int brokerPort() {
        return ports.of(cluster.brokerListener());
    }

    int controllerPort() {
        return ports.of(cluster.controllerListener());
    }

    void launch() throws Exception {
        node.launch();
    }

    /** Until it serves; a broker serves when the controllers have let it in. */
    void awaitReady() throws Exception {
        node.awaitReady();
        if (isBroker()) {
            node.waitUntil(Cluster.LIMIT_MS, this::serves);
        }
    }

    /** Starts it again where it was. */
    public void start() throws Exception {
        launch();
        awaitReady();
    }

    /** Stops the process; where that takes a controller away which was not meant, a failure of the test says nothing. */
    public void stopBroker() {
        if (isController()) {
            Verdict.unlessPassed("the broker of a node that is also a controller is stopped alone");
        }
        node.stop();
    }

    public void stopController() {
        if (isBroker()) {
            Verdict.unlessPassed("the controller of a node that is also a broker is stopped alone");
        }
        node.stop();
    }

    void kill() {
        node.kill();
    }

    public boolean isRunning() {
        return node.isRunning();
    }

    boolean wasStarted() {
        return node.wasStarted();
    }

    boolean endedByItself() {
        return node.endedByItself();
    }

    String lastOutput() {
        return node.lastOutput();
    }

    private boolean serves() {
        if (!isBroker()) {
            return Direct.listens(controllerPort());
        }
        try {
            return metadata().brokersById().containsKey(id());
        } catch (IOException e) {
            return false;
        }
    }

    /** What this broker knows of topics and brokers. */
    MetadataResponse metadata() throws IOException {
        return Direct.metadata(brokerPort(), cluster.hasLogin());
    }
}
