import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import reactor.core.Disposable;
import reactor.kafka.receiver.KafkaReceiver;
import reactor.kafka.receiver.ReceiverOptions;
import reactor.kafka.sender.KafkaSender;
import reactor.kafka.sender.SenderOptions;
import reactor.kafka.sender.SenderRecord;
import reactor.util.retry.Retry;

/** Lines from one topic to another in a stream of Reactor; a line is acknowledged once its copy is stored. */
public final class Relay {
    private Relay() { }

    /** The address, from, to, the group. */
    public static void main(String[] args) throws Exception {
        KafkaSender<String, String> sender = KafkaSender.create(SenderOptions.create(Map.of(
            "bootstrap.servers", args[0], "key.serializer", StringSerializer.class,
            "value.serializer", StringSerializer.class)));
        ReceiverOptions<String, String> reading = ReceiverOptions.<String, String>create(Map.of(
                "bootstrap.servers", args[0], "group.id", args[3], "auto.offset.reset", "earliest",
                "session.timeout.ms", "10000", "key.deserializer", StringDeserializer.class,
                "value.deserializer", StringDeserializer.class))
            .commitInterval(Duration.ofMillis(500))
            .maxCommitAttempts(1_000)
            .subscription(List.of(args[1]));
        // The same partition, so that acknowledgements come in the order of the offsets.
        Disposable relay = sender.send(KafkaReceiver.create(reading).receive().map(line -> SenderRecord.create(
                args[2], line.partition(), null, line.key(), line.value(), line.receiverOffset())))
            .doOnNext(result -> result.correlationMetadata().acknowledge())
            .doOnError(Throwable::printStackTrace)
            .retryWhen(Retry.fixedDelay(Long.MAX_VALUE, Duration.ofMillis(500)))
            .subscribe();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            relay.dispose();
            sender.close();
        }));
        Thread.currentThread().join();
    }
}
