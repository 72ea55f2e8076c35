package ottla.relay;

import io.micronaut.configuration.kafka.annotation.KafkaListener;
import io.micronaut.configuration.kafka.annotation.OffsetReset;
import io.micronaut.configuration.kafka.annotation.OffsetStrategy;
import io.micronaut.configuration.kafka.annotation.Topic;
import io.micronaut.context.ApplicationContext;
import io.micronaut.messaging.annotation.SendTo;
import java.util.Map;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.serialization.StringSerializer;

/** Lines from one topic to another by a listener of Micronaut whose answers are sent in transactions with their offsets. */
public final class Relay {
    private Relay() { }

    /** The address, from, to, the group. */
    public static void main(String[] args) throws Exception {
        ApplicationContext context = ApplicationContext.run(Map.of(
            "kafka.bootstrap.servers", args[0],
            "kafka.session.timeout.ms", "10000",
            // What a listener answers would else be written as JSON.
            "kafka.producers.relay.value.serializer", StringSerializer.class.getName(),
            "relay.from", args[1],
            "relay.to", args[2],
            "relay.group", args[3]));
        Runtime.getRuntime().addShutdownHook(new Thread(context::close));
        Thread.currentThread().join();
    }

    @KafkaListener(groupId = "${relay.group}", producerClientId = "relay", producerTransactionalId = "micronaut-relay",
        offsetReset = OffsetReset.EARLIEST, offsetStrategy = OffsetStrategy.SEND_TO_TRANSACTION,
        isolation = IsolationLevel.READ_COMMITTED)
    static class Lines {
        @Topic("${relay.from}")
        @SendTo("${relay.to}")
        String relay(String line) {
            return line;
        }
    }
}
