import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelConsumerOptions.CommitMode;
import io.confluent.parallelconsumer.ParallelConsumerOptions.ProcessingOrder;
import io.confluent.parallelconsumer.ParallelStreamProcessor;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Lines from one topic to another, many at a time and out of order: what is done beyond the offset stands in its metadata. */
public final class Relay {
    private Relay() { }

    /** The address, from, to, the group. */
    public static void main(String[] args) throws Exception {
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(
            Map.of("bootstrap.servers", args[0], "group.id", args[3], "enable.auto.commit", "false",
                "auto.offset.reset", "earliest", "session.timeout.ms", "10000"),
            new StringDeserializer(), new StringDeserializer());
        KafkaProducer<String, String> producer = new KafkaProducer<>(
            Map.of("bootstrap.servers", args[0], "linger.ms", "5"), new StringSerializer(), new StringSerializer());
        ParallelStreamProcessor<String, String> processor = ParallelStreamProcessor.createEosStreamProcessor(
            ParallelConsumerOptions.<String, String>builder()
                .consumer(consumer)
                .producer(producer)
                .ordering(ProcessingOrder.UNORDERED)
                .commitMode(CommitMode.PERIODIC_CONSUMER_SYNC)
                .maxConcurrency(32)
                .build());
        processor.subscribe(List.of(args[1]));
        processor.pollAndProduce(context -> new ProducerRecord<>(args[2], context.value()));
        Runtime.getRuntime().addShutdownHook(new Thread(processor::closeDrainFirst));
        // It closes itself when a commit fails for too long.
        while (!processor.isClosedOrFailed()) {
            Thread.sleep(100);
        }
        Runtime.getRuntime().halt(1);
    }
}
