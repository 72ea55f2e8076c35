import org.apache.flink.connector.kafka.sink.KafkaSinkBuilder;

/** This sink knows one way to name its transactions. */
final class Naming {
    private Naming() { }

    static KafkaSinkBuilder<String> apply(String strategy, KafkaSinkBuilder<String> sink) {
        if (!strategy.equals("INCREMENTING")) {
            throw new IllegalArgumentException(strategy);
        }
        return sink;
    }
}
