import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;

import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.kafka.ConfluentKafkaContainer;
import org.testcontainers.kafka.KafkaContainer;
import org.testcontainers.redpanda.RedpandaContainer;
import org.testcontainers.utility.DockerImageName;

/** Testcontainers' Java modules, unchanged: start, produce, consume. One line each: the module and its seconds. */
public final class Modules {
    private static final int COUNT = 10;

    private Modules() {
    }

    private record Module(Supplier<GenericContainer<?>> make, Function<GenericContainer<?>, String> bootstrap) {
    }

    @SuppressWarnings("deprecation")
    private static Map<String, Module> modules() {
        Map<String, Module> modules = new LinkedHashMap<>();
        modules.put("KafkaContainer apache/kafka", new Module(
            () -> new KafkaContainer("apache/kafka:4.3.1"), c -> ((KafkaContainer) c).getBootstrapServers()));
        modules.put("KafkaContainer apache/kafka-native", new Module(
            () -> new KafkaContainer("apache/kafka-native:4.3.1"), c -> ((KafkaContainer) c).getBootstrapServers()));
        modules.put("ConfluentKafkaContainer", new Module(
            () -> new ConfluentKafkaContainer("confluentinc/cp-kafka:7.6.0"),
            c -> ((ConfluentKafkaContainer) c).getBootstrapServers()));
        modules.put("legacy KafkaContainer KRaft", new Module(
            () -> new org.testcontainers.containers.KafkaContainer(
                DockerImageName.parse("confluentinc/cp-kafka:7.6.0")).withKraft(),
            c -> ((org.testcontainers.containers.KafkaContainer) c).getBootstrapServers()));
        modules.put("legacy KafkaContainer ZooKeeper", new Module(
            () -> new org.testcontainers.containers.KafkaContainer(DockerImageName.parse("confluentinc/cp-kafka:7.6.0")),
            c -> ((org.testcontainers.containers.KafkaContainer) c).getBootstrapServers()));
        modules.put("RedpandaContainer", new Module(
            () -> new RedpandaContainer("redpandadata/redpanda:v23.1.13"),
            c -> ((RedpandaContainer) c).getBootstrapServers()));
        return modules;
    }

    public static void main(String[] arguments) throws Exception {
        for (Map.Entry<String, Module> entry : modules().entrySet()) {
            Module module = entry.getValue();
            long begin = System.nanoTime();
            try (GenericContainer<?> container = module.make().get()) {
                container.start();
                double seconds = (System.nanoTime() - begin) / 1e9;
                exchange(module.bootstrap().apply(container));
                System.out.printf(java.util.Locale.ROOT, "%s\t%.2f%n", entry.getKey(), seconds);
            }
        }
        System.exit(0);
    }

    private static void exchange(String bootstrap) throws Exception {
        List<String> expected = new ArrayList<>();
        Map<String, Object> producing = Map.of("bootstrap.servers", bootstrap);
        try (var producer = new KafkaProducer<>(producing, new StringSerializer(), new StringSerializer())) {
            for (int number = 0; number < COUNT; number++) {
                expected.add("v" + number);
                producer.send(new ProducerRecord<>("module", "v" + number)).get();
            }
        }
        Map<String, Object> consuming =
            Map.of("bootstrap.servers", bootstrap, "group.id", "g", "auto.offset.reset", "earliest");
        List<String> seen = new ArrayList<>();
        try (var consumer = new KafkaConsumer<>(consuming, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("module"));
            long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
            while (seen.size() < COUNT && System.nanoTime() < deadline) {
                consumer.poll(Duration.ofMillis(100)).forEach(record -> seen.add(record.value()));
            }
        }
        if (!seen.equals(expected)) {
            throw new AssertionError("expected " + expected + ", got " + seen);
        }
    }
}
