import org.apache.flink.connector.kafka.sink.KafkaSinkBuilder;
import org.apache.flink.connector.kafka.sink.TransactionNamingStrategy;

/** How the sink names its transactions. */
final class Naming {
    private Naming() { }

    static KafkaSinkBuilder<String> apply(String strategy, KafkaSinkBuilder<String> sink) {
        return sink.setTransactionNamingStrategy(TransactionNamingStrategy.valueOf(strategy));
    }
}
