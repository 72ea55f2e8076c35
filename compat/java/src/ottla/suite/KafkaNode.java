package ottla.suite;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.test.TestKitNode;
import org.apache.kafka.metadata.bootstrap.BootstrapMetadata;
import org.apache.kafka.metadata.storage.Formatter;
import org.apache.kafka.server.common.Feature;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Apache Kafka in a JVM of its own, broker and controller in one, from the jars of this class path. */
final class KafkaNode extends Node {
    private static final long READY_LIMIT_MS = 90_000;
    private static final int ASK_LIMIT_MS = 3_000;

    private final String bootstrap;

    KafkaNode(Path dir, Map<String, String> properties, String bootstrap) {
        super(dir, properties);
        this.bootstrap = bootstrap;
    }

    /** What the storage tool does, without a JVM for it. */
    static void format(TestKitNode node, BootstrapMetadata bootstrap, String controllerListener) throws Exception {
        for (String directory : node.logDataDirectories()) {
            Files.createDirectories(Path.of(directory));
        }
        Formatter formatter = new Formatter()
            .setPrintStream(new PrintStream(OutputStream.nullOutputStream()))
            .setNodeId(node.id())
            .setClusterId(node.initialMetaPropertiesEnsemble().clusterId().orElseThrow())
            .setDirectories(node.logDataDirectories())
            .setReleaseVersion(bootstrap.metadataVersion())
            .setUnstableFeatureVersionsEnabled(true)
            .setIgnoreFormatted(false)
            .setControllerListenerName(controllerListener)
            .setMetadataLogDirectory(node.metadataDirectory());
        for (Feature feature : Feature.PRODUCTION_FEATURES) {
            // kraft.version is not a feature record: a static voter stays at 0.
            if (!feature.featureName().equals("kraft.version")) {
                formatter.setFeatureLevel(feature.featureName(), bootstrap.featureLevel(feature.featureName()));
            }
        }
        formatter.run();
    }

    @Override
    List<String> command(Path file) {
        return List.of(javaBinary(), "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-Dlog4j2.configurationFile=" + Settings.logConfiguration(),
            "-cp", Settings.kafkaClassPath(), "kafka.Kafka", file.toString());
    }

    @Override
    void awaitReady() throws Exception {
        Map<String, Object> configs = Map.of("bootstrap.servers", bootstrap,
            "request.timeout.ms", ASK_LIMIT_MS, "default.api.timeout.ms", ASK_LIMIT_MS);
        try (Admin admin = Admin.create(configs)) {
            waitUntil(READY_LIMIT_MS, () -> {
                try {
                    return !admin.describeCluster().nodes().get(ASK_LIMIT_MS, TimeUnit.MILLISECONDS).isEmpty();
                } catch (java.util.concurrent.ExecutionException | java.util.concurrent.TimeoutException e) {
                    return false;
                }
            });
        }
    }
}
