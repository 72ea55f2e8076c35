package ottla.suite;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Apache Kafka in a JVM of its own, from the jars of this class path. */
final class KafkaNode extends Node {
    private static final long READY_LIMIT_MS = 90_000;

    private final Condition serves;

    KafkaNode(Path dir, Map<String, String> properties, Condition serves) {
        super(dir, properties);
        this.serves = serves;
    }

    @Override
    List<String> command(Path file) {
        return List.of(javaBinary(), "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-Dlog4j2.configurationFile=" + Settings.logConfiguration(),
            "-cp", Settings.kafkaClassPath(), "kafka.Kafka", file.toString());
    }

    @Override
    void awaitReady() throws Exception {
        waitUntil(READY_LIMIT_MS, serves);
    }
}
